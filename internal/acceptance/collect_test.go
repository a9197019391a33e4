package acceptance_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/ingestion/azlogs"

	"glassward/config"
	"glassward/daemon"
	"glassward/internal/entrasim"
	"glassward/internal/mailsink"
)

// A table of the tenant's own, a rule that fills it by a transform, and an analytics
// rule that watches it.
const (
	doorsTable = `{"properties": {"plan": "Analytics", "retentionInDays": 30, "schema": {"name": "Doors_CL", "columns": [
  {"name": "TimeGenerated", "type": "datetime"}, {"name": "Who", "type": "string"}, {"name": "Opened", "type": "boolean"}]}}}`
	doorsID   = "dcr-00112233445566778899aabbccddeeff"
	doorsRule = `{"location": "westeurope", "kind": "Direct", "name": "doors", "properties": {
  "immutableId": "` + doorsID + `",
  "streamDeclarations": {"Custom-Doors": {"columns": [{"name": "When", "type": "string"}, {"name": "Line", "type": "string"}]}},
  "dataFlows": [{"streams": ["Custom-Doors"], "outputStream": "Custom-Doors_CL",
    "transformKql": "source | parse Line with Who:string ' ' Verb:string | where isnotempty(Who) | project TimeGenerated = todatetime(When), Who, Opened = Verb == 'opens'"}]}}`
	doorsAlert = `id: 3a1b9f52-98b5-4f55-8a27-7a3c5c2b9d01
name: The safe is opened
kind: NRT
severity: High
query: Doors_CL | where Opened and Who == "nobody"
`
	collection = "dataCollection: {tables: [tables], rules: [collection]}\n"
)

// aToken is a credential that holds a token already.
type aToken string

func (t aToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(t), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// uploads gives Microsoft's client of the Logs Ingestion API for Go.
func uploads(t *testing.T, endpoint string, credential azcore.TokenCredential, with *http.Client, each ...policy.Policy) *azlogs.Client {
	t.Helper()
	o := azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}, PerCallPolicies: each}
	if len(each) > 0 {
		o.Retry = policy.RetryOptions{MaxRetries: 3, RetryDelay: time.Millisecond}
	}
	if with != nil {
		o.Transport = with
	}
	c, err := azlogs.NewClient(endpoint, credential, &azlogs.ClientOptions{ClientOptions: o})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A loser is a network that loses the first answers.
type loser struct {
	next http.RoundTripper
	lose int
}

func (l *loser) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.next.RoundTrip(r)
	if err == nil && l.lose > 0 {
		l.lose--
		res.Body.Close()
		return nil, errors.New("the connection was reset")
	}
	return res, err
}

// counted asks the API for the one number that a query gives.
func (h *house) counted(tenant, query string) int {
	h.t.Helper()
	var answer struct {
		Tables []struct{ Rows [][]int }
	}
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.call("POST", "/v1/workspaces/"+tenant+"/query", bytes.NewReader(body), &answer); err != nil {
		h.t.Fatal(err)
	}
	return answer.Tables[0].Rows[0][0]
}

// refusedBy says what Microsoft's client was told.
func refusedBy(err error) string {
	var said *azcore.ResponseError
	if !errors.As(err, &said) {
		return fmt.Sprint(err)
	}
	return fmt.Sprintf("%d %s", said.StatusCode, said.ErrorCode)
}

// TestLogsIngestionClient lets Microsoft's client for Go, unmodified, push over TLS
// with a token: into a table of the tenant's own, by a transform, which raises an
// alarm, and into sign-ins by the built-in rule.
func TestLogsIngestionClient(t *testing.T) {
	t.Parallel()
	sink := listenMail(t, mailsink.Options{})
	h := newHouse(t, map[string]string{
		"glassward.yaml":        strings.Replace(mainFile(sink.Port(), "oncall@example.org"), "listen: 127.0.0.1:0", "listen: 127.0.0.1:0\ntls: {made: true, names: [127.0.0.1]}\nrules: rules", 1),
		tenantPath:              tenantFile(entrasim.EA01) + collection,
		"tables/doors.json":     doorsTable,
		"collection/doors.json": doorsRule,
		"rules/doors.yaml":      doorsAlert,
		"tenants/other.yaml":    "tenant: 11111111-2222-4333-8444-555555555555\nname: other\nactionGroups: [emergency]\nemergencyAccounts: [{objectId: 99999999-2222-4333-8444-555555555555}]\n",
	})
	d := h.serve()
	token := func(name, tenant string) aToken {
		return aToken(strings.TrimSpace(h.cli("token", "create", name, "--tenant", tenant, "--scope", "ingest", "--expires", "1h", "-q")))
	}
	ours, theirs := token("ours", entrasim.TenantName), token("theirs", "other")
	endpoint := "https://" + d.Addr()
	_, trusting := h.authority()
	c := uploads(t, endpoint, ours, trusting)
	now := time.Now().UTC()
	say := func(lines ...string) []byte {
		var list []map[string]string
		for _, l := range lines {
			list = append(list, map[string]string{"When": now.Format(time.RFC3339Nano), "Line": l})
		}
		body, _ := json.Marshal(list)
		return body
	}
	upload := func(body []byte, o *azlogs.UploadOptions) {
		t.Helper()
		if _, err := c.Upload(t.Context(), doorsID, "Custom-Doors", body, o); err != nil {
			t.Fatal(err)
		}
	}
	upload(say("ann opens", "ann closes", " ", "ann closes"), nil)
	if n := h.counted(entrasim.TenantName, "Doors_CL | where Who == 'ann' | count"); n != 3 {
		t.Errorf("%d records of Doors_CL, want 3: lines that are the same are two", n)
	}
	// A client that tries again means the same records: it names its request, and here
	// the answers to the first two tries are lost on their way.
	lossy := &loser{next: trusting.Transport, lose: 2}
	tries := uploads(t, endpoint, ours, &http.Client{Transport: lossy}, runtime.NewRequestIDPolicy())
	for range 2 {
		if _, err := tries.Upload(t.Context(), doorsID, "Custom-Doors", say("bob opens", "bob opens"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := h.counted(entrasim.TenantName, "Doors_CL | where Who == 'bob' | count"); n != 4 || lossy.lose != 0 {
		t.Errorf("%d records of bob, want two and two", n)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(say("cyd closes"))
	_ = z.Close()
	encoding := "gzip"
	upload(packed.Bytes(), &azlogs.UploadOptions{ContentEncoding: &encoding})
	// A megabyte, and a byte more.
	one := say("dan closes")
	whole := append(one[:len(one)-1:len(one)-1], bytes.Repeat([]byte(" "), 1<<20-len(one))...)
	whole = append(whole, ']')
	upload(whole, nil)
	if n := h.counted(entrasim.TenantName, "Doors_CL | where Who in ('cyd', 'dan') | count"); n != 2 {
		t.Errorf("%d records of cyd and dan, want 2", n)
	}

	for want, try := range map[string]func() error{
		"413 RequestEntityTooLarge": func() error {
			_, err := c.Upload(t.Context(), doorsID, "Custom-Doors", append(whole, ' '), nil)
			return err
		},
		"400 InvalidStream": func() error {
			_, err := c.Upload(t.Context(), doorsID, "Custom-Windows", say("x y"), nil)
			return err
		},
		"400 InvalidPayload": func() error {
			_, err := c.Upload(t.Context(), doorsID, "Custom-Doors", []byte(`{"Line":"x y"}`), nil)
			return err
		},
		"404 NotFound": func() error {
			_, err := uploads(t, endpoint, theirs, trusting).Upload(t.Context(), doorsID, "Custom-Doors", say("x y"), nil)
			return err
		},
		"403 InvalidAuthenticationToken": func() error {
			_, err := uploads(t, endpoint, aToken("gw_wrong"), trusting).Upload(t.Context(), doorsID, "Custom-Doors", say("x y"), nil)
			return err
		},
	} {
		if got := refusedBy(try()); got != want {
			t.Errorf("the client is told %s, want %s", got, want)
		}
	}

	// The built-in rule takes sign-ins as Entra gives them, however old, once.
	list, _ := config.Load(h.file("glassward.yaml"))
	tenant, _ := list.Tenant(entrasim.TenantName)
	builtIn := tenant.Collection()[0].ImmutableID
	if out := h.cliWithout("collection", "list", "--config", h.file("glassward.yaml")); !strings.Contains(out, builtIn) || !strings.Contains(out, doorsID) || !strings.Contains(out, "Microsoft-SigninLogs") {
		t.Errorf("collection list prints\n%s", out)
	}
	var signIns []json.RawMessage
	for i := range 3 {
		signIns = append(signIns, signIn(uint64(i+1), entrasim.EA01))
	}
	stranger := bytes.ReplaceAll(signIn(9, entrasim.EA01), []byte(entrasim.TenantID), []byte("11111111-2222-4333-8444-555555555555"))
	body, _ := json.Marshal(append(signIns, stranger))
	for range 2 {
		if _, err := c.Upload(t.Context(), builtIn, "Microsoft-SigninLogs", body, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := h.counted(entrasim.TenantName, "SigninLogs | where _Provenance == 'pushed' | count"); n != len(signIns) {
		t.Errorf("%d sign-ins, want %d", n, len(signIns))
	}
	// What was refused is told: its pusher heard that all is well.
	until(t, func() error {
		if n := h.counted(entrasim.TenantName, "GlasswardHealth | where Condition == 'push-refused' | count"); n == 0 {
			return errors.New("nobody is told of the record that was refused")
		}
		return nil
	})
	if _, err := os.Stat(filepath.Join(h.data(), "workspaces", entrasim.TenantID, "rejects.jsonl")); err != nil {
		t.Error(err)
	}

	before := len(sink.Mails())
	upload(say("nobody opens"), nil)
	until(t, func() error {
		for _, m := range sink.Mails()[before:] {
			if strings.Contains(said(m), "The safe is opened") {
				return nil
			}
		}
		return errors.New("no mail of the alarm on the tenant's own table")
	})

	// A column is added, and a table, while everything runs; what does not fit is refused
	// and leaves everything as it was.
	h.write("tables/doors.json", strings.Replace(doorsTable, `"boolean"}`, `"boolean"}, {"name": "Floor", "type": "int"}`, 1))
	h.write("tables/gates.json", strings.Replace(doorsTable, "Doors_CL", "Gates_CL", 1))
	if err := d.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Upload(t.Context(), builtIn, "Custom-Gates_CL", []byte(`[{"Who": "eve", "Opened": true}]`), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Upload(t.Context(), builtIn, "Custom-Doors_CL", []byte(`[{"Who": "eve", "Floor": 3}]`), nil); err != nil {
		t.Fatal(err)
	}
	if n := h.counted(entrasim.TenantName, "union (Gates_CL | where Opened), (Doors_CL | where Floor == 3) | where Who == 'eve' | count"); n != 2 {
		t.Errorf("%d records of eve, want 2", n)
	}
	h.write("tables/gates.json", strings.Replace(strings.Replace(doorsTable, "Doors_CL", "Gates_CL", 1), `"boolean"`, `"string"`, 1))
	if err := d.Reload(t.Context(), "test"); err == nil || !strings.Contains(err.Error(), "column Opened of table Gates_CL: it is stored as bool and declared string") {
		t.Errorf("a column of another type: %v", err)
	}
	h.write("tables/gates.json", "{")
	if err := d.Reload(t.Context(), "test"); err != nil {
		t.Errorf("a table's file that is broken stops the reload: %v", err)
	}
	if _, err := c.Upload(t.Context(), builtIn, "Custom-Gates_CL", []byte(`[{"Who": "eve"}]`), nil); err != nil {
		t.Errorf("the tenant is not as it was before its file broke: %v", err)
	}
	if err := os.Remove(h.file("tables/gates.json")); err != nil {
		t.Fatal(err)
	}
	if err := d.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Upload(t.Context(), builtIn, "Custom-Gates_CL", []byte(`[{"Who": "eve"}]`), nil); refusedBy(err) != "400 InvalidStream" {
		t.Errorf("a table that was taken out: %v", err)
	}
	if err := h.call("POST", "/v1/workspaces/"+entrasim.TenantName+"/query", strings.NewReader(`{"query":"Gates_CL"}`), new(any)); err == nil || !strings.Contains(err.Error(), "there is no table Gates_CL") {
		t.Errorf("a table that was taken out is seen: %v", err)
	}
	if err := h.call("POST", "/v1/workspaces/other/query", strings.NewReader(`{"query":"Doors_CL"}`), new(any)); err == nil || !strings.Contains(err.Error(), "there is no table Doors_CL") {
		t.Errorf("another tenant's table is seen: %v", err)
	}
	// The rule is not about the other tenant, and fails for nobody.
	var states []daemon.RuleStatus
	if err := h.call("GET", "/v1/workspaces/other/rules", nil, &states); err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.Error != "" || s.Name == "The safe is opened" {
			t.Errorf("rule %q of the other tenant: %s", s.Name, s.Error)
		}
	}

	// A backup has them, and what is asked of a folder without a daemon knows them: those, too, that are
	// not declared any more.
	h.cli("backup", h.file("backup"))
	restored := h.file("restored")
	h.cliWithout("restore", h.file("backup"), "--data", restored)
	for query, want := range map[string]string{
		"Doors_CL | where Floor == 3 | project Who": "Who\neve\n",
		"Gates_CL | count":                          "Count\n2\n",
	} {
		if out := h.cliWithout("query", query, "--data", restored, "--tenant", entrasim.TenantID, "-o", "csv"); out != want {
			t.Errorf("%s without a daemon: %q, want %q", query, out, want)
		}
	}
	out := h.cliWithout("rule", "backtest", h.file("rules/doors.yaml"), "--data", restored, "--tenant", entrasim.TenantID, "--config", h.file("glassward.yaml"), "--from", now.Add(-time.Hour).Format(time.RFC3339), "--to", now.Add(time.Hour).Format(time.RFC3339))
	if !strings.Contains(out, "1 alert with") {
		t.Errorf("the backtest without a daemon prints\n%s", out)
	}
}

// TestLogsIngestionWithoutToken lets Microsoft's client push over loopback, where
// serve was started with --no-auth: it sends no token over plain HTTP.
func TestLogsIngestionWithoutToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{
		"glassward.yaml":    mainFile(25, "oncall@example.org"),
		tenantPath:          tenantFile(entrasim.EA01) + "dataCollection: {tables: [tables/doors.json]}\n",
		"tables/doors.json": doorsTable,
	})
	c, problems := config.Load(h.file("glassward.yaml"))
	if c == nil {
		t.Fatal(problems)
	}
	d, err := daemon.New(t.Context(), daemon.Options{Config: c, Version: "test", NoAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	tenant, _ := c.Tenant(entrasim.TenantName)
	client := uploads(t, "http://"+d.Addr(), nil, nil)
	if _, err := client.Upload(t.Context(), tenant.Collection()[0].ImmutableID, "Custom-Doors_CL", []byte(`[{"Who":"ann"}]`), nil); err != nil {
		t.Fatal(err)
	}
	if n := h.counted(entrasim.TenantName, "Doors_CL | count"); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
	res, err := http.Post("http://"+d.Addr()+"/dataCollectionRules/x/streams/y", "application/json", strings.NewReader("[]"))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "MissingApiVersionParameter") {
		t.Errorf("%s: %s", res.Status, text)
	}
}

// cliWithout runs a command that knows no --data; it has to succeed.
func (h *house) cliWithout(args ...string) string {
	h.t.Helper()
	code, out, errs := run(h.t, "", args...)
	if code != 0 {
		h.t.Fatalf("%v: exit %d\n%s%s", args, code, out, errs)
	}
	return out
}
