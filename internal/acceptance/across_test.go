package acceptance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/console"
	"glassward/incident"
	"glassward/internal/entrasim"
	"glassward/internal/mailsink"
)

// twoCustomers is a provider's house: two tenants, each with people of its own.
func twoCustomers(t *testing.T, section string) (*house, *mailsink.Sink) {
	sink := listenMail(t, mailsink.Options{})
	return newHouse(t, map[string]string{
		"glassward.yaml":     mainFile(sink.Port(), "north@example.org") + "  - name: second\n    groupShortName: second\n    emailReceivers: [{name: south, emailAddress: south@example.org}]\n" + section,
		tenantPath:           tenantFile(entrasim.EA01),
		"tenants/other.yaml": strings.NewReplacer("[emergency]", "[second]", "name: other", "name: suedwind").Replace(otherFile("")),
	}), sink
}

// attack has somebody use the account of one of the two tenants from an address.
func (h *house) attack(seed uint64, tenant, address string) {
	h.t.Helper()
	record := string(entrasim.New(seed).SignInBy(time.Now().Add(-time.Duration(seed)*time.Minute), entrasim.EA01, "ea-north"))
	record = strings.ReplaceAll(record, "203.0.113.77", address)
	if tenant == "suedwind" {
		record = strings.NewReplacer(entrasim.TenantID, otherID, entrasim.EA01, otherAccount, "ea-north", "ea-south", "nordlicht", "suedwind").Replace(record)
	}
	name := fmt.Sprintf("%s-%d.json", tenant, seed)
	h.write(name, record)
	h.cli("ingest", h.file(name), "--tenant", tenant)
}

// across gives what a tenant was told of others, and everything that can be read of
// it by the API.
func (h *house) across(tenant string) (titles []string, all string, err error) {
	var text strings.Builder
	var list struct{ Value []glassward.Incident }
	if err := h.call("GET", "/v1/workspaces/"+tenant+"/incidents", nil, &list); err != nil {
		return nil, "", err
	}
	for _, i := range list.Value {
		var c console.Case
		if err := h.call("GET", fmt.Sprintf("/v1/workspaces/%s/incidents/%d", tenant, i.Number), nil, &c); err != nil {
			return nil, "", err
		}
		body, err := json.Marshal([]any{i, c})
		if err != nil {
			return nil, "", err
		}
		text.Write(body)
		for _, a := range c.Alerts {
			if a.RuleID == incident.AcrossRule {
				titles = append(titles, a.Title)
			}
		}
	}
	return titles, text.String(), nil
}

// mailsTo gives the texts of what was sent to an address.
func mailsTo(sink *mailsink.Sink, address string) string {
	var b strings.Builder
	for _, m := range sink.Mails() {
		if strings.Contains(strings.Join(m.To, " "), address) {
			b.WriteString(m.Header("Subject") + "\n" + said(m) + "\n" + m.Part("text/html") + "\n")
		}
	}
	return b.String()
}

// What meets two tenants within an hour each of them is told in the incident that it
// has of it, over a restart; and neither can read anything of the other, by mail, by
// the API, in its tables or in what it takes along.
func TestSameAddressAcrossTenants(t *testing.T) {
	t.Parallel()
	h, sink := twoCustomers(t, "acrossTenants: {compare: true, shared: [198.51.100.0/24]}\n")
	t.Run("before", func(t *testing.T) {
		inner := *h
		inner.t = t
		inner.serve()
		inner.attack(3, entrasim.TenantName, "203.0.113.200")
		inner.attack(5, entrasim.TenantName, "198.51.100.7")
		until(t, func() error {
			if s, err := inner.told(entrasim.TenantName); err != nil || len(s.alerts) < 2 || s.owed > 0 {
				return fmt.Errorf("%v, %v", s, err)
			}
			return nil
		})
	})
	h.serve()
	h.attack(4, "suedwind", "203.0.113.200")
	h.attack(6, "suedwind", "198.51.100.7")
	read := map[string]string{}
	until(t, func() error {
		var errs []error
		for tenant, address := range map[string]string{entrasim.TenantName: "north@example.org", "suedwind": "south@example.org"} {
			titles, all, err := h.across(tenant)
			const want = "The same address was met by another tenant that is watched here: 203.0.113.200"
			mails := mailsTo(sink, address)
			if err != nil || len(titles) != 1 || titles[0] != want || !strings.Contains(mails, want) {
				errs = append(errs, fmt.Errorf("%s was told %q, %v", tenant, titles, err))
			}
			tables := h.cli("query", "-q", "-o", "json", "union withsource=Table Glassward*", "--tenant", tenant)
			if !strings.Contains(tables, "glassward-across") {
				errs = append(errs, fmt.Errorf("its tables have nothing of it"))
			}
			read[tenant] = all + mails + tables
		}
		return errors.Join(errs...)
	})
	for tenant := range read {
		if s, err := h.told(tenant); err != nil || s.incidents != 1 {
			t.Errorf("%s has %d incidents: %v", tenant, s.incidents, err)
		}
		if code, out, errs := run(t, "", "tenant", "export", tenant, "--to", h.file(tenant+".zip"), "--config", h.file("glassward.yaml")); code != 0 {
			t.Fatalf("export: %d %s%s", code, out, errs)
		}
		for name, text := range unzip(t, h.file(tenant+".zip")) {
			if name != "tenant.yaml" && !strings.HasPrefix(name, "rules/") {
				read[tenant] += string(text)
			}
		}
	}
	for tenant, secrets := range map[string][]string{
		entrasim.TenantName: {otherID, "suedwind", otherAccount, "theirs", "ea-south", "south@"},
		"suedwind":          {entrasim.TenantID, entrasim.TenantName, entrasim.EA01, "EA-01", "ea-north", "north@"},
	} {
		for _, secret := range secrets {
			if i := strings.Index(read[tenant], secret); i >= 0 {
				t.Errorf("tenant %s can read %q of the other: …%s…", tenant, secret, read[tenant][max(0, i-200):min(len(read[tenant]), i+100)])
			}
		}
	}
}

// Nothing is compared unless the operator has said so.
func TestNothingIsComparedAcrossTenantsUnasked(t *testing.T) {
	t.Parallel()
	h, _ := twoCustomers(t, "")
	h.serve()
	h.attack(3, entrasim.TenantName, "203.0.113.200")
	h.attack(4, "suedwind", "203.0.113.200")
	for _, tenant := range []string{entrasim.TenantName, "suedwind"} {
		until(t, func() error {
			s, err := h.told(tenant)
			if err == nil && (len(s.alerts) == 0 || s.owed > 0) {
				err = fmt.Errorf("%+v", s)
			}
			// What follows the journal has followed it that far.
			if out := h.cli("query", "-q", "-o", "tsv", "GlasswardAlerts | count", "--tenant", tenant); err == nil && out == "0\n" {
				err = errors.New("the tables have no alert yet")
			}
			return err
		})
	}
	for _, tenant := range []string{entrasim.TenantName, "suedwind"} {
		if titles, _, err := h.across(tenant); err != nil || len(titles) > 0 {
			t.Errorf("%s was told %q, %v", tenant, titles, err)
		}
	}
}
