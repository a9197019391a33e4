package acceptance_test

import (
	zips "archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward/daemon"
	"glassward/internal/entrasim"
	"glassward/internal/mailsink"
)

// The tenant beside the made-up one.
const (
	otherID      = "11111111-2222-4333-8444-555555555555"
	otherAccount = "99999999-2222-4333-8444-555555555555"
)

// otherFile declares it; more is added at its end.
func otherFile(more string) string {
	return "tenant: " + otherID + "\nname: other\nactionGroups: [emergency]\nemergencyAccounts: [{objectId: " + otherAccount + ", name: theirs}]\n" + more
}

// A tenant whose store is damaged, whose file is broken, whose credential is not
// there, or whose road fails is an alarm of its own. The tenant beside it is
// watched as ever.
func TestOneTenantsFaultIsItsOwn(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		file  string
		spoil func(*house)
		// says is what a mail and status tell about it.
		says, status string
	}{
		"store": {file: otherFile(""), spoil: func(h *house) {
			h.write("data/workspaces/"+otherID+"/logs.duckdb", strings.Repeat("this is no store ", 4096))
		}, says: "Tenant other is not watched", status: "not watched"},
		"folder": {file: otherFile(""), spoil: func(h *house) {
			h.write("data/workspaces/"+otherID, "a file where the folder should be")
		}, says: "Tenant other is not watched", status: "not watched"},
		"file":       {file: otherFile("emergencyAcounts: []\n"), says: "is broken", status: "emergencyAcounts"},
		"credential": {file: otherFile("application: {clientId: 22222222-2222-4333-8444-555555555555, certificate: file:absent.pem}\nsources: {graph: {}}\n"), says: "cannot be read", status: "other"},
		"road":       {file: otherFile("sources: {storage: [{path: absent}]}\n"), says: "", status: "other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := listenMail(t, mailsink.Options{})
			h := newHouse(t, map[string]string{
				"glassward.yaml":     mainFile(sink.Port(), "oncall@example.org"),
				tenantPath:           tenantFile(entrasim.EA01),
				"tenants/other.yaml": x.file,
			})
			if x.spoil != nil {
				if err := os.MkdirAll(h.data(), 0o700); err != nil {
					t.Fatal(err)
				}
				x.spoil(h)
			}
			d := h.serve()
			token := strings.TrimSpace(h.cli("token", "create", "road", "--tenant", entrasim.TenantName, "--scope", "ingest", "--expires", "1h", "-q"))
			if code, _, text := push(t, d.Addr(), token, signIn(3, entrasim.EA01)); code != 200 {
				t.Fatalf("the push to the tenant beside it gave %d: %s", code, text)
			}
			until(t, func() error {
				var all strings.Builder
				for _, m := range sink.Mails() {
					all.WriteString(said(m))
				}
				for _, want := range []string{"EA-01: sign-in completed", x.says} {
					if !strings.Contains(all.String(), want) {
						return fmt.Errorf("no mail says %q", want)
					}
				}
				return nil
			})
			_, out, errs := run(t, "", "status", "--data", h.data())
			if !strings.Contains(out, x.status) || !strings.Contains(out, "SigninLogs") {
				t.Errorf("status:\n%s%s", out, errs)
			}
			code, out, errs := run(t, "", "query", "SigninLogs | count", "--tenant", entrasim.TenantName, "--data", h.data())
			if code != 0 {
				t.Errorf("a query of the tenant beside it: %s%s", out, errs)
			}
		})
	}
}

// A store that cannot be opened when the daemon starts is opened as soon as it
// can be, and the alarm ends.
func TestShutWorkspaceOpensAgain(t *testing.T) {
	t.Parallel()
	sink := listenMail(t, mailsink.Options{})
	h := newHouse(t, map[string]string{
		"glassward.yaml": mainFile(sink.Port(), "oncall@example.org"), tenantPath: tenantFile(entrasim.EA01), "tenants/other.yaml": otherFile(""),
	})
	blocked := h.file("data/workspaces/" + otherID)
	if err := os.MkdirAll(h.data(), 0o700); err != nil {
		t.Fatal(err)
	}
	h.write("data/workspaces/"+otherID, "in the way")
	h.serve()
	var status daemon.Status
	state := func() string {
		if err := h.call("GET", "/v1/status", nil, &status); err != nil {
			t.Fatal(err)
		}
		for _, w := range status.Workspaces {
			if w.Tenant == otherID {
				return w.Shut
			}
		}
		return "not there"
	}
	if state() == "" {
		t.Fatal("the blocked workspace is open")
	}
	if code, out, errs := run(t, "", "query", "SigninLogs", "--tenant", "other", "--data", h.data()); code != 1 || !strings.Contains(errs, "cannot be opened at present") {
		t.Errorf("a query of it: %d %s%s", code, out, errs)
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	// By itself it would be within seconds; a reload does it at once.
	if err := h.call("POST", "/v1/reload", nil, &struct{}{}); err != nil {
		t.Fatal(err)
	}
	if why := state(); why != "" {
		t.Errorf("it is still shut: %s", why)
	}
	if out := h.cli("query", "-q", "-o", "tsv", "SigninLogs | count", "--tenant", "other"); out != "0\n" {
		t.Errorf("a query of it: %q", out)
	}
	until(t, func() error {
		if out := h.cli("incident", "list", "--tenant", "other"); !strings.Contains(out, "not watched") {
			return fmt.Errorf("incidents:\n%s", out)
		}
		return nil
	})
}

// unzip gives the files of an export.
func unzip(t *testing.T, path string) map[string][]byte {
	t.Helper()
	z, err := zips.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	return files
}

// What a tenant takes along is everything, and taken in elsewhere it gives the
// same records by id. It is the same whether a daemon runs or not.
func TestTenantExport(t *testing.T) {
	t.Parallel()
	sink := listenMail(t, mailsink.Options{})
	h := newHouse(t, map[string]string{
		"glassward.yaml": mainFile(sink.Port(), "oncall@example.org"), tenantPath: tenantFile(entrasim.EA01, entrasim.EA02), "tenants/other.yaml": otherFile(""),
	})
	day := bytes.Join(entrasim.New(5).Day(time.Now()), []byte("\n"))
	h.write("day.json", string(day))
	h.write("more.json", `{"CreationTime":"`+time.Now().UTC().Format("2006-01-02T15:04:05")+`","Id":"0e0e0e0e-1111-4222-8333-444444444444","Operation":"UserLoggedIn","OrganizationId":"`+entrasim.TenantID+`","RecordType":15,"UserType":0,"Workload":"AzureActiveDirectory","UserId":"mira@nordlicht.example","ClientIP":"203.0.113.9","ObjectId":"x","ResultStatus":"Success"}`+"\n")
	conf := []string{"--config", h.file("glassward.yaml")}
	const ids = "union SigninLogs, AADNonInteractiveUserSignInLogs, AADServicePrincipalSignInLogs, AADManagedIdentitySignInLogs, AuditLogs | project _ItemId, Type, Id, TimeGenerated | sort by _ItemId asc"

	var before string
	t.Run("serve", func(t *testing.T) {
		inner := *h
		inner.t = t
		inner.serve()
		h.cli("ingest", h.file("day.json"), h.file("more.json"), "--tenant", entrasim.TenantName)
		h.write("theirs.json", string(bytes.ReplaceAll(signIn(6, otherAccount), []byte(entrasim.TenantID), []byte(otherID))))
		h.cli("ingest", h.file("theirs.json"), "--tenant", "other")
		until(t, func() error {
			s, err := h.told(entrasim.TenantName)
			if err == nil && (len(s.alerts) < 4 || s.owed > 0 || s.waiting > 0) {
				err = fmt.Errorf("%+v", s)
			}
			return err
		})
		h.cli("expected", "declare", entrasim.EA01, "--operation", "sign-in", "--place", "203.0.113.0/24", "--for", "1h", "--by", "mira", "--reason", "drill", "--tenant", entrasim.TenantName)
		before = h.cli("query", "-q", "-o", "tsv", ids, "--tenant", entrasim.TenantName)
		code, out, errs := run(t, "", append([]string{"tenant", "export", entrasim.TenantName, "--to", h.file("live.zip")}, conf...)...)
		if code != 0 || !strings.Contains(out, "live.zip") {
			t.Fatalf("export: %d %s%s", code, out, errs)
		}
		// Who took it along is written down.
		until(t, func() error {
			if out := h.cli("query", "-q", "-o", "tsv", "GlasswardAudit | where OperationName == 'export' and Result == 'success' | count", "--tenant", entrasim.TenantName); out != "1\n" {
				return fmt.Errorf("the audit has %s", out)
			}
			return nil
		})
		if code, _, errs := run(t, "", append([]string{"tenant", "export", entrasim.TenantName, "--to", h.file("live.zip")}, conf...)...); code == 0 || !strings.Contains(errs, "there already") {
			t.Errorf("written over: %d %s", code, errs)
		}
	})
	if t.Failed() {
		return
	}
	if code, out, errs := run(t, "", append([]string{"tenant", "export", "nordlicht", "--to", h.file("still.zip")}, conf...)...); code != 0 {
		t.Fatalf("export without a daemon: %d %s%s", code, out, errs)
	}
	live, still := unzip(t, h.file("live.zip")), unzip(t, h.file("still.zip"))
	for _, name := range []string{"README.txt", "tenant.yaml", "incidents.ndjson", "notices.ndjson", "expectations.ndjson", "alerts.ndjson", "journal.ndjson", "raw/records.ndjson", "raw/evidence.ndjson", "records/SigninLogs.ndjson", "records/AuditLogs.ndjson", "own/GlasswardAudit.ndjson", "manifest.json"} {
		if len(live[name]) == 0 || len(still[name]) == 0 {
			t.Errorf("%s is missing or empty", name)
		}
		if strings.HasPrefix(name, "records/") && !bytes.Equal(live[name], still[name]) {
			t.Errorf("%s is one thing with a daemon and another without", name)
		}
	}
	for name, text := range live {
		if strings.HasPrefix(name, "records/") && bytes.Contains(text, []byte(otherID)) {
			t.Errorf("%s names the other tenant", name)
		}
	}
	var manifest daemon.ExportManifest
	if err := json.Unmarshal(live["manifest.json"], &manifest); err != nil || manifest.Tenant != entrasim.TenantID || manifest.Head.Seq == 0 {
		t.Errorf("manifest: %v %+v", err, manifest)
	}
	if !slices.ContainsFunc(manifest.Files, func(f daemon.ExportFile) bool { return strings.HasPrefix(f.Name, "rules/") }) {
		t.Errorf("no rule is in it: %+v", manifest.Files)
	}

	// Into another installation: the same records by id.
	again := t.TempDir()
	args := []string{"ingest", "--tenant", entrasim.TenantID, "--data", filepath.Join(again, "data")}
	for name, text := range live {
		if base, ok := strings.CutPrefix(name, "records/"); ok {
			path := filepath.Join(again, base)
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, path)
		}
	}
	if code, out, errs := run(t, "", args...); code != 0 {
		t.Fatalf("taking it in again: %d %s%s", code, out, errs)
	}
	code, after, errs := run(t, "", "query", "-q", "-o", "tsv", ids, "--data", filepath.Join(again, "data"))
	if code != 0 || after != before || strings.Count(before, "\n") < 10 {
		t.Errorf("taken in again the records are\n%s%s\nand they were\n%s", after, errs, before)
	}
}

// A tenant that goes is told so before it is watched no longer; what is kept of
// it stays until it is removed by name, and the journal stays whole.
func TestTenantRemove(t *testing.T) {
	t.Parallel()
	sink := listenMail(t, mailsink.Options{})
	h := newHouse(t, map[string]string{
		"glassward.yaml": mainFile(sink.Port(), "oncall@example.org"), tenantPath: tenantFile(entrasim.EA01), "tenants/other.yaml": otherFile(""),
	})
	conf := []string{"--config", h.file("glassward.yaml")}
	tenant := func(in string, args ...string) (int, string) {
		code, out, errs := run(t, in, append(append([]string{"tenant"}, args...), conf...)...)
		return code, out + errs
	}
	h.serve()
	h.write("one.json", string(signIn(4, entrasim.EA01)))
	h.cli("ingest", h.file("one.json"), "--tenant", entrasim.TenantName)
	mails(t, sink, 1)
	if code, out := tenant("Nobody\n", "remove", entrasim.TenantName, "--delete-data"); code != 1 || !strings.Contains(out, "nothing was changed") {
		t.Fatalf("a wrong name removed it: %d %s", code, out)
	}
	if code, out := tenant("", "remove", entrasim.TenantName); code != 0 || !strings.Contains(out, "watched no longer") {
		t.Fatalf("remove: %d %s", code, out)
	}
	told := false
	for _, m := range sink.Mails() {
		told = told || strings.Contains(said(m), "is no longer watched")
	}
	if !told {
		t.Error("nobody was told that the tenant is no longer watched")
	}
	if code, out := tenant("", "list"); code != 0 || !strings.Contains(out, "(no tenant file)") || !strings.Contains(out, entrasim.TenantID) {
		t.Errorf("tenant list: %d %s", code, out)
	}
	if code, out := tenant("", "export", entrasim.TenantID, "--to", h.file("left.zip")); code != 0 {
		t.Errorf("an export of what is left: %d %s", code, out)
	}
	if code, out := tenant("", "remove", entrasim.TenantID); code != 1 || !strings.Contains(out, "--delete-data") {
		t.Errorf("removed again: %d %s", code, out)
	}
	if code, out := tenant("", "remove", entrasim.TenantID, "--delete-data", "--yes", entrasim.TenantID); code != 0 || !strings.Contains(out, "remain") || !strings.Contains(out, "removed") {
		t.Errorf("remove its data: %d %s", code, out)
	}
	if _, err := os.Stat(h.file("data/workspaces/" + entrasim.TenantID)); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	if code, out := tenant("", "list"); code != 0 || strings.Contains(out, entrasim.TenantID) || !strings.Contains(out, "other") {
		t.Errorf("tenant list: %d %s", code, out)
	}
	// The other is watched on.
	if code, out := tenant("", "remove", "other", "--delete-data", "--yes", "other"); code != 0 {
		t.Errorf("the last tenant: %d %s", code, out)
	}
}

// Taken in without a daemon a record lands where serve looks for it, and those
// about emergency accounts are kept byte for byte: the configuration knows names
// and accounts. A name that nobody knows is refused.
func TestIngestWithoutDaemonKnowsTheTenant(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{
		"glassward.yaml": mainFile(25, "oncall@example.org"), tenantPath: tenantFile(entrasim.EA01), "tenants/other.yaml": otherFile(""),
	})
	h.write("one.json", string(signIn(4, entrasim.EA01))+"\n"+string(signIn(5, "0f0f0f0f-2222-4333-8444-555555555555")))
	conf := []string{"--config", h.file("glassward.yaml")}
	if code, out, errs := run(t, "", append([]string{"ingest", h.file("one.json"), "--tenant", entrasim.TenantName, "--data", h.data()}, conf...)...); code != 0 {
		t.Fatalf("ingest by name: %d %s%s", code, out, errs)
	}
	if _, err := os.Stat(h.file("data/workspaces/" + entrasim.TenantID)); err != nil {
		t.Errorf("the records are not where serve looks for them: %v", err)
	}
	for _, args := range [][]string{append([]string{"--tenant", "nobody"}, conf...), {"--tenant", entrasim.TenantName}} {
		if code, _, errs := run(t, "", append([]string{"ingest", h.file("one.json"), "--data", h.data()}, args...)...); code == 0 || !strings.Contains(errs, "no workspace is called") {
			t.Errorf("%v: %d %s", args, code, errs)
		}
	}
	if code, out, errs := run(t, "", append([]string{"tenant", "export", entrasim.TenantName, "--to", h.file("x.zip")}, conf...)...); code != 0 {
		t.Fatalf("export: %d %s%s", code, out, errs)
	}
	if raw := unzip(t, h.file("x.zip"))["raw/records.ndjson"]; bytes.Count(raw, []byte("\n")) != 1 {
		t.Errorf("of two records, one of them about an emergency account, these are kept byte for byte:\n%s", raw)
	}
}

// A tenant whose file was taken away while nothing ran is told so by the next
// start; one whose file is merely broken then is not said to be gone.
func TestRemovedWhileNothingRan(t *testing.T) {
	t.Parallel()
	sink := listenMail(t, mailsink.Options{})
	h := newHouse(t, map[string]string{
		"glassward.yaml": mainFile(sink.Port(), "oncall@example.org"), tenantPath: tenantFile(entrasim.EA01), "tenants/other.yaml": otherFile(""), "tenants/third.yaml": strings.NewReplacer(otherID, "33333333-2222-4333-8444-555555555555", "name: other", "name: third").Replace(otherFile("")),
	})
	t.Run("before", func(t *testing.T) {
		inner := *h
		inner.t = t
		inner.serve()
		if code, _, errs := run(t, "", "query", "--timeout", "1us", "range x from 1 to 100000000000 step 1 | summarize sum(x)", "--tenant", "other", "--data", h.data()); code != 1 || !strings.Contains(errs, "longer than its limit") {
			t.Errorf("a query that may take a microsecond: %d %s", code, errs)
		}
	})
	if err := os.Remove(h.file(tenantPath)); err != nil {
		t.Fatal(err)
	}
	h.write("tenants/other.yaml", otherFile("nonsense: true\n"))
	h.serve()
	until(t, func() error {
		var all strings.Builder
		for _, m := range sink.Mails() {
			all.WriteString(said(m))
		}
		if !strings.Contains(all.String(), "tenant nordlicht is no longer watched") || !strings.Contains(all.String(), "is broken") {
			return fmt.Errorf("the mails say\n%s", all.String())
		}
		if strings.Contains(all.String(), "tenant other is no longer watched") {
			t.Error("a broken file is said to be gone")
		}
		return nil
	})
}
