package acceptance_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"glassward"
	"glassward/console"
	"glassward/internal/entrasim"
	"glassward/internal/mailsink"
)

// signIn writes a completed sign-in of an account.
func signIn(seed uint64, account string) []byte {
	return entrasim.New(seed).SignInBy(time.Now().Add(-time.Minute), account, "ea-x")
}

// A day is pushed over HTTP by the holder of a token; what happened to the
// emergency account becomes one incident, and somebody is told.
func TestPushToMail(t *testing.T) {
	t.Parallel()
	sink := listenMail(t, mailsink.Options{})
	h := newHouse(t, map[string]string{
		"glassward.yaml": mainFile(sink.Port(), "oncall@example.org"),
		tenantPath:       tenantFile(entrasim.EA01, entrasim.EA02),
		"tenants/other.yaml": `tenant: 11111111-2222-4333-8444-555555555555
name: other
actionGroups: [emergency]
emergencyAccounts: [{objectId: 99999999-2222-4333-8444-555555555555, name: theirs}]
`,
	})
	d := h.serve()
	token := strings.TrimSpace(h.cli("token", "create", "road", "--tenant", entrasim.TenantName, "--scope", "ingest", "--expires", "1h", "-q"))

	day := entrasim.New(5).Day(time.Now())
	code, receipt, text := push(t, d.Addr(), token, bytes.Join(day, []byte("\n")))
	if code != http.StatusOK || receipt.Records != len(day) || receipt.Added != len(day) || receipt.Rejected != 0 {
		t.Fatalf("the push gave %d: %s", code, text)
	}
	// The same again adds nothing, so nobody is told anything again.
	if code, receipt, text = push(t, d.Addr(), token, bytes.Join(day, []byte("\n"))); code != http.StatusOK || receipt.Duplicates != len(day) {
		t.Errorf("pushed again it gave %d: %s", code, text)
	}

	// A record that names another tenant is refused, the one beside it is not.
	stranger := bytes.ReplaceAll(signIn(6, "0f0f0f0f-2222-4333-8444-555555555555"), []byte(entrasim.TenantID), []byte("11111111-2222-4333-8444-555555555555"))
	mixed := append(append(signIn(7, "1f1f1f1f-2222-4333-8444-555555555555"), '\n'), stranger...)
	code, receipt, text = push(t, d.Addr(), token, mixed)
	if code != http.StatusOK || receipt.Added != 1 || receipt.Rejected != 1 || len(receipt.Rejects) != 1 || receipt.Rejects[0].Line != 2 || !strings.Contains(receipt.Rejects[0].Reason, "11111111-2222-4333-8444-555555555555") {
		t.Errorf("a stranger's record gave %d: %s", code, text)
	}
	for _, bad := range []string{"", "gw_wrong", token + "x"} {
		if code, _, text := push(t, d.Addr(), bad, day[0]); code != http.StatusUnauthorized && code != http.StatusForbidden {
			t.Errorf("token %q was let in: %d %s", bad, code, text)
		}
	}

	var s story
	until(t, func() error {
		var err error
		if s, err = h.told(entrasim.TenantName); err != nil {
			return err
		}
		if len(s.alerts) < 4 || s.owed > 0 || s.waiting > 0 || len(s.notices) == 0 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	want := []string{
		"Emergency access: Update conditional access policy CA001 Require phishing-resistant MFA by ea-01@nordlicht.onmicrosoft.example",
		"Emergency account EA-01: Admin registered security info by mira.lind@nordlicht.example",
		"Emergency account EA-01: sign-in completed",
		"Emergency account EA-01: sign-in interrupted after a correct first factor",
	}
	var titles []string
	for _, a := range s.alerts {
		_, title, _ := strings.Cut(a, " ")
		titles = append(titles, title)
	}
	slices.Sort(titles)
	if s.incidents != 1 || !slices.Equal(titles, want) {
		t.Errorf("%d incidents with\n  %s\nwant 1 with\n  %s", s.incidents, strings.Join(titles, "\n  "), strings.Join(want, "\n  "))
	}

	// The incident as a person reads it: what happened, in the order of events,
	// then who was told.
	shown := h.cli("incident", "show", "1", "--tenant", entrasim.TenantName)
	place := 0
	for _, text := range []string{"High, New", "Timeline", want[3], want[2], want[0], want[1], "delivered"} {
		at := strings.Index(shown[place:], text)
		if at < 0 {
			t.Errorf("the incident lacks %q (or it stands too early):\n%s", text, shown)
			break
		}
		place += at
	}
	list := sink.Mails()
	var whole strings.Builder
	for _, m := range list {
		if m.Subject() != "[CRITICAL] Emergency Access Activity" {
			t.Errorf("a mail's subject is %q", m.Subject())
		}
		whole.WriteString(m.Part("text/plain"))
	}
	for _, text := range append(slices.Clone(want), "203.0.113.77", "Azure Portal") {
		if !strings.Contains(whole.String(), text) {
			t.Errorf("no mail says %q", text)
		}
	}

	// The link in the mail opens the incident, for whoever holds it and no other.
	link := regexp.MustCompile(`http://127\.0\.0\.1:\d+/a/\S+`).FindString(list[0].Part("text/plain"))
	status, page := get(t, link)
	if status != http.StatusOK || !strings.Contains(page, want[2]) {
		t.Errorf("the link %q gives %d:\n%.2000s", link, status, page)
	}
	if status, _ := get(t, strings.Replace(link, "/a/", "/a/x", 1)); status != http.StatusForbidden {
		t.Errorf("a forged link gives %d", status)
	}

	t.Run("commands", func(t *testing.T) { commands(t, h, d.Addr(), token, len(day)+1) })
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// commands runs the commands that speak to a running daemon.
func commands(t *testing.T, h *house, address, token string, records int) {
	tenant := []string{"--tenant", entrasim.TenantName}
	cli := func(args ...string) string { return h.cli(append(args, tenant...)...) }

	if out := cli("incident", "list"); !strings.Contains(out, "High") || !strings.Contains(out, "New") {
		t.Errorf("incident list:\n%s", out)
	}
	if out := cli("incident", "ack", "1", "--by", "mira", "--reason", "looking"); !strings.Contains(out, "incident 1 is Active") {
		t.Errorf("incident ack: %s", out)
	}
	// It shows that an emergency account was used: what follows from that is done
	// first, and reviewed by somebody else.
	closing := append([]string{"incident", "close", "1", "--by", "mira", "--classification", "Undetermined", "--data", h.data()}, tenant...)
	if code, out, errs := run(t, "", closing...); code != 1 || !strings.Contains(errs, "success by an emergency identity") || !strings.Contains(errs, "rotate") {
		t.Errorf("incident close with open tasks: exit %d: %s%s", code, out, errs)
	}
	var before console.Case
	until(t, func() error { // what could not be looked up in time comes later
		before = console.Case{}
		if err := json.Unmarshal([]byte(cli("incident", "show", "1", "-o", "json")), &before); err != nil || len(before.Incident.Tasks) == 0 {
			return fmt.Errorf("incident show: %v %+v", err, before.Incident.Tasks)
		}
		for _, a := range before.Alerts {
			if a.Context == nil || a.Context.Missing != "" || len(a.Context.LastUses) == 0 {
				return fmt.Errorf("the context of %s is %+v", a.Title, a.Context)
			}
		}
		return nil
	})
	// Every line can be traced.
	for _, a := range before.Alerts {
		e := before.Evidence[a.ID]
		if len(e.Records) == 0 || e.RecordCount < len(e.Records) || !strings.Contains(before.Rules[e.QueryHash], a.RuleName) {
			t.Errorf("the evidence of %s is %+v", a.Title, e)
		}
	}
	if out := cli("incident", "graph", "1"); !strings.Contains(out, "account EA-0") || !strings.Contains(out, "from") {
		t.Errorf("incident graph:\n%s", out)
	}
	for _, task := range before.Incident.Tasks {
		by := "omar"
		if task.Kind == glassward.TaskReview {
			by = "mira"
		}
		if out := cli("incident", "task", "1", fmt.Sprint(task.Number), "--by", by, "--note", "as in the book"); !strings.Contains(out, "done  "+task.Text) {
			t.Errorf("incident task %d: %s", task.Number, out)
		}
	}
	if out := cli("incident", "close", "1", "--by", "mira", "--classification", "BenignPositive", "--reason", "SuspiciousButExpected", "--comment", "a drill"); !strings.Contains(out, "incident 1 is Closed") {
		t.Errorf("incident close: %s", out)
	}
	// What is declared is told, kept and withdrawn; what would cover everything is
	// refused.
	declare := []string{"expected", "declare", entrasim.EA01, "--operation", "sign-in*2", "--place", "203.0.113.0/24", "--for", "1h", "--by", "mira", "--reason", "drill"}
	id := strings.TrimSpace(cli(declare...))
	if list := cli("expected", "list"); len(id) != 12 || !strings.Contains(list, id) || !strings.Contains(list, "sign-in x2") {
		t.Errorf("expected declare %q:\n%s", id, list)
	}
	declare[6] = "0.0.0.0/0"
	if code, out, errs := run(t, "", append(append(declare, "--data", h.data()), tenant...)...); code != 1 || !strings.Contains(errs, "too wide") {
		t.Errorf("expected declare of everywhere: exit %d: %s%s", code, out, errs)
	}
	if list := cli("expected", "withdraw", id, "--by", "mira") + cli("expected", "list"); !strings.Contains(list, "withdrawn") {
		t.Errorf("expected withdraw:\n%s", list)
	}
	until(t, func() error {
		if n := strings.Count(cli("query", "-o", "csv", "GlasswardAudit | where OperationName has 'expected events' | project Result"), "success"); n != 2 {
			return fmt.Errorf("%d deeds about expected events in the audit", n)
		}
		return nil
	})
	// What the store holds is judged by another rule, and by two versions of it;
	// nobody is told of that. The watchlist is the tenant's.
	const accounts = "name: Guess\nkind: NRT\nseverity: Low\nquery: SigninLogs | where UserId in~ ((_GetWatchlist('EmergencyAccounts') | project ObjectId))\n"
	h.write("guess.yaml", accounts)
	h.write("never.yaml", accounts+"  | where ResultType == 'never'\n")
	out := cli("rule", "backtest", h.file("guess.yaml"), "--from", "3d")
	if !strings.Contains(out, "Guess (NRT)") || strings.Contains(out, " 0 alerts") || !strings.Contains(out, " Low ") {
		t.Errorf("rule backtest:\n%s", out)
	}
	out = cli("rule", "diff", h.file("guess.yaml"), h.file("never.yaml"), "--from", "3d")
	if !strings.Contains(out, "0 alerts with 0 results") || !strings.Contains(out, "0 the same, 0 changed, ") || !strings.Contains(out, "only of the old version:") {
		t.Errorf("rule diff:\n%s", out)
	}
	until(t, func() error { // the audit is written behind the answer
		out := cli("query", "-o", "csv", "GlasswardAudit | where OperationName == 'backtest' and Result == 'success' | project OperationName")
		if n := strings.Count(out, "backtest"); n != 2 {
			return fmt.Errorf("%d backtests in the audit:\n%s", n, out)
		}
		return nil
	})
	var c console.Case
	if err := json.Unmarshal([]byte(cli("incident", "show", "1", "-o", "json")), &c); err != nil || c.Incident.Status != glassward.StatusClosed || c.Incident.Classification != glassward.BenignPositive || c.Incident.Comment != "a drill" {
		t.Errorf("incident show: %v %+v", err, c.Incident)
	}
	for _, wrong := range [][]string{
		{"incident", "ack", "77", "--by", "mira"},
		{"incident", "close", "1", "--by", "mira", "--classification", "Whatever"},
		{"incident", "list", "--status", "Sleeping"},
		{"query", "SigninLogs | where UserIdd == 'x'"},
		{"rule", "backtest", h.file("glassward.yaml")},
		{"rule", "backtest", h.file("guess.yaml"), "--from", "30d", "--timeout", "1ns"},
	} {
		code, out, errs := run(t, "", append(append(wrong, "--data", h.data()), tenant...)...)
		if code != 1 || !strings.Contains(errs, "glassward: error: ") {
			t.Errorf("%v: exit %d: %s%s", wrong, code, out, errs)
		}
	}

	count := fmt.Sprintf("%d", records)
	counting := "union SigninLogs, AuditLogs | count"
	for format, want := range map[string]string{"csv": "Count\n" + count + "\n", "tsv": count + "\n", "ndjson": `{"Count":` + count + "}\n", "json": `"rows":[[` + count + `]]`, "table": count} {
		if out := cli("query", "-q", "-o", format, counting); !strings.Contains(out, want) {
			t.Errorf("query -o %s gives %q, want %q", format, out, want)
		}
	}
	if out := cli("query", "-o", "csv", "--timespan", "PT1H", "AuditLogs | where OperationName has 'policy' | count"); out != "Count\n1\n" {
		t.Errorf("query --timespan: %q", out)
	}
	if out := cli("query", "-o", "csv", "_GetWatchlist('EmergencyAccounts') | project Name"); out != "Name\nEA-01\nEA-02\n" {
		t.Errorf("the watchlist of a tenant: %q", out)
	}
	// Who asked and who acted is written down.
	until(t, func() error {
		out := cli("query", "-o", "csv", "GlasswardAudit | summarize by OperationName")
		for _, deed := range []string{"create token", "acknowledge incident", "close incident", "query"} {
			if !strings.Contains(out, deed) {
				return fmt.Errorf("GlasswardAudit has no %q: %q", deed, out)
			}
		}
		return nil
	})

	if out := cli("rule", "list"); !strings.Contains(out, "Emergency account sign-in") || strings.Contains(out, "FAILS") {
		t.Errorf("rule list:\n%s", out)
	}
	if out := h.cli("status"); !strings.Contains(out, "SigninLogs") || !strings.Contains(out, "is well") {
		t.Errorf("status:\n%s", out)
	}
	out = h.cli("notify", "test", "emergency", "--config", h.file("glassward.yaml"))
	if !strings.Contains(out, "took it") {
		t.Errorf("notify test:\n%s", out)
	}
	if out := h.cli("token", "list"); !strings.Contains(out, "road") || !strings.Contains(out, "holds") || strings.Contains(out, token) {
		t.Errorf("token list:\n%s", out)
	}
	h.cli("token", "revoke", "road")
	if code, _, _ := push(t, address, token, signIn(8, entrasim.EA01)); code != http.StatusForbidden {
		t.Errorf("a revoked token gives %d", code)
	}
	if out := h.cli("token", "list"); !strings.Contains(out, "revoked") {
		t.Errorf("token list:\n%s", out)
	}
	// Files go to the daemon too, which judges them.
	h.write("more.json", string(signIn(9, entrasim.EA02)))
	if out := cli("ingest", h.file("more.json")); !strings.Contains(out, "1 record: 1 new") {
		t.Errorf("ingest: %s", out)
	}
	until(t, func() error {
		if out := cli("incident", "list", "--status", "New"); !strings.Contains(out, "EA-02") {
			return errors.New(out)
		}
		return nil
	})
}

// said is the text of a mail with its names whole: a full stop in a name is
// written so that no mail program makes a link of it.
func said(m mailsink.Mail) string {
	return strings.ReplaceAll(m.Part("text/plain"), "[.]", ".")
}

// A followed folder: files that are there, that come, that grow, that are
// zipped, and lines that are not finished yet.
func TestFollowedFolder(t *testing.T) {
	t.Parallel()
	sink := listenMail(t, mailsink.Options{})
	h := newHouse(t, map[string]string{"glassward.yaml": mainFile(sink.Port(), "oncall@example.org"), "drop/first.json": string(signIn(1, "2f2f2f2f-0000-4000-8000-000000000001")) + "\n"})
	h.write(tenantPath, tenantFile(entrasim.EA01)+"folders:\n  - {path: "+h.file("drop")+", every: 50ms}\n")
	h.serve()
	count := func(n int) {
		t.Helper()
		until(t, func() error {
			if out := h.cli("query", "-q", "-o", "tsv", "SigninLogs | count"); out != fmt.Sprintf("%d\n", n) {
				return fmt.Errorf("there are %s records, want %d", strings.TrimSpace(out), n)
			}
			return nil
		})
	}
	count(1)
	add := func(name string, text []byte) {
		t.Helper()
		f, err := os.OpenFile(h.file(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	line := append(signIn(2, entrasim.EA01), '\n')
	add("drop/first.json", line[:300])
	add("drop/second.json", append(signIn(3, "2f2f2f2f-0000-4000-8000-000000000003"), '\n'))
	count(2)
	if n := len(sink.Mails()); n != 0 {
		t.Fatalf("%d mails about half a line", n)
	}
	add("drop/first.json", line[300:])
	count(3)
	if m := mails(t, sink, 1)[0]; !strings.Contains(said(m), "sign-in completed") {
		t.Errorf("the mail says\n%s", m)
	}
	add("drop/third.json.gz", []byte(squeeze(string(signIn(4, "2f2f2f2f-0000-4000-8000-000000000004"))+"\n")))
	count(4)
}

// What is taken out of the configuration is told to those who were told before,
// before it takes effect.
func TestReloadTellsThoseBefore(t *testing.T) {
	t.Parallel()
	sink := listenMail(t, mailsink.Options{})
	h := newHouse(t, map[string]string{
		"glassward.yaml": mainFile(sink.Port(), "before@example.org"),
		tenantPath:       tenantFile(entrasim.EA01, entrasim.EA02),
	})
	d := h.serve()
	reload := func() {
		t.Helper()
		if err := d.Reload(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
	}
	mail := func(n int, to string, texts ...string) {
		t.Helper()
		// The notice had been taken when Reload came back: nothing is waited for.
		list := sink.Mails()
		if len(list) < n {
			t.Fatalf("%d mails, want %d", len(list), n)
		}
		m := list[n-1]
		if !slices.Equal(m.To, []string{to}) {
			t.Errorf("mail %d went to %v, want %s", n, m.To, to)
		}
		for _, text := range texts {
			if !strings.Contains(said(m), text) {
				t.Errorf("mail %d lacks %q:\n%s", n, text, m)
			}
		}
	}
	h.write(tenantPath, tenantFile(entrasim.EA01))
	reload()
	mail(1, "before@example.org", "emergency account "+entrasim.EA02, "no longer declared")

	h.write("glassward.yaml", mainFile(sink.Port(), "intruder@example.net"))
	reload()
	mail(2, "before@example.org", "before-at-example.org is gone")

	// A file that is broken changes nothing at all.
	h.write("glassward.yaml", "data: data\nlisten: 127.0.0.1:0\nnonsense: 1\n")
	if err := d.Reload(t.Context(), "test"); err == nil || !strings.Contains(err.Error(), "glassward.yaml:3:1") {
		t.Errorf("a broken configuration was taken: %v", err)
	}
	h.write("more.json", string(signIn(1, entrasim.EA01)))
	h.cli("ingest", h.file("more.json"))
	if m := mails(t, sink, 3)[2]; !slices.Equal(m.To, []string{"intruder@example.net"}) || !strings.Contains(said(m), "EA-01") {
		t.Errorf("after the reload: %v\n%s", m.To, m)
	}
}

// A tenant's file that is broken is an alarm, and every other tenant is watched.
func TestBrokenTenant(t *testing.T) {
	t.Parallel()
	sink := listenMail(t, mailsink.Options{})
	h := newHouse(t, map[string]string{
		"glassward.yaml":      mainFile(sink.Port(), "oncall@example.org"),
		tenantPath:            tenantFile(entrasim.EA01),
		"tenants/broken.yaml": "tenant: 11111111-2222-4333-8444-555555555555\nemergncyAccounts: []\n",
	})
	d := h.serve()
	if m := mails(t, sink, 1)[0]; !strings.Contains(said(m), "broken.yaml is broken") || !strings.Contains(said(m), "broken.yaml:2:1") {
		t.Errorf("the alarm says\n%s", m)
	}
	code, out, _ := run(t, "", "status", "--data", h.data())
	if code != 1 || !strings.Contains(out, "broken.yaml:2:1") {
		t.Errorf("status: exit %d\n%s", code, out)
	}
	h.write("more.json", string(signIn(1, entrasim.EA01)))
	h.cli("ingest", h.file("more.json"))
	if m := mails(t, sink, 2)[1]; !strings.Contains(said(m), "EA-01: sign-in completed") {
		t.Errorf("the other tenant's alarm says\n%s", m)
	}

	// Mended, it is watched; broken again, it is watched as it was.
	mended := "tenant: 11111111-2222-4333-8444-555555555555\nactionGroups: [emergency]\nemergencyAccounts: [{objectId: 99999999-2222-4333-8444-555555555555, name: THEIRS}]\n"
	h.write("tenants/broken.yaml", mended)
	if err := d.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	h.write("tenants/broken.yaml", mended+"nonsense: 1\n")
	if err := d.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	before := len(sink.Mails())
	h.write("theirs.json", strings.ReplaceAll(string(signIn(2, "99999999-2222-4333-8444-555555555555")), entrasim.TenantID, "11111111-2222-4333-8444-555555555555"))
	h.cli("ingest", "--tenant", "broken", h.file("theirs.json"))
	until(t, func() error {
		for _, m := range sink.Mails()[before:] {
			if strings.Contains(said(m), "THEIRS: sign-in completed") {
				return nil
			}
		}
		return fmt.Errorf("no mail about the second tenant among %d", len(sink.Mails()))
	})
}

// A rule file that is broken is an alarm, and the others judge.
func TestBrokenRule(t *testing.T) {
	t.Parallel()
	sink := listenMail(t, mailsink.Options{})
	h := newHouse(t, map[string]string{
		"glassward.yaml":   mainFile(sink.Port(), "oncall@example.org") + "rules: rules\n",
		tenantPath:         tenantFile(entrasim.EA01),
		"rules/wrong.yaml": "id: 8d0f3c52-98b5-4f55-8a27-7a3c5c2b9d04\nname: Wrong\nkind: NRT\nseverity: Low\nquery: SigninLogs\nsevrity: High\n",
	})
	h.serve()
	if m := mails(t, sink, 1)[0]; !strings.Contains(said(m), "wrong.yaml") || !strings.Contains(said(m), "severity") {
		t.Errorf("the alarm says\n%s", m)
	}
	h.write("more.json", string(signIn(1, entrasim.EA01)))
	h.cli("ingest", h.file("more.json"))
	if m := mails(t, sink, 2)[1]; !strings.Contains(said(m), "EA-01: sign-in completed") {
		t.Errorf("the shipped rule's alarm says\n%s", m)
	}
}

// Mail servers that are down, busy or mute at first: everybody is told in the
// end, once, and who is well is told at once.
func TestMailServersInTrouble(t *testing.T) {
	t.Parallel()
	well := listenMail(t, mailsink.Options{})
	refusals := 2
	var mu sync.Mutex
	busy := listenMail(t, mailsink.Options{Accept: func(mailsink.Mail) error {
		mu.Lock()
		defer mu.Unlock()
		if refusals--; refusals >= 0 {
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "busy"}
		}
		return nil
	}})
	quiet, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mute := mailsink.New(mailsink.Options{})
	mute.Serve(&firstMute{Listener: quiet})
	t.Cleanup(func() { mute.Close() })
	down, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := down.Addr().String()
	if err := down.Close(); err != nil {
		t.Fatal(err)
	}
	_, downPort, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	text := "data: data\nlisten: 127.0.0.1:0\nmailServers:\n"
	receivers := ""
	for _, s := range []struct{ name, port string }{
		{"well", fmt.Sprint(well.Port())}, {"busy", fmt.Sprint(busy.Port())}, {"mute", fmt.Sprint(mute.Port())}, {"down", downPort},
	} {
		text += fmt.Sprintf("  - {name: %s, host: 127.0.0.1, port: %s, tls: none, from: glassward@example.org, timeout: 2s}\n", s.name, s.port)
		receivers += fmt.Sprintf("      - {name: %s, emailAddress: %s@example.org, server: %s}\n", s.name, s.name, s.name)
	}
	text += "actionGroups:\n  - name: emergency\n    groupShortName: emergency\n    emailReceivers:\n" + receivers
	h := newHouse(t, map[string]string{"glassward.yaml": text, tenantPath: tenantFile(entrasim.EA01), "more.json": string(signIn(1, entrasim.EA01))})
	h.serve()

	began := time.Now()
	h.cli("ingest", h.file("more.json"))
	first := mails(t, well, 1)[0]
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the server that is well was told after %s", took)
	}
	until(t, func() error { // the other has been tried in vain
		s, err := h.told(entrasim.TenantName)
		if err != nil || s.owed == 0 || len(s.notices) == 0 {
			return fmt.Errorf("%v %+v", err, s)
		}
		return nil
	})
	late, err := mailsink.Listen(address, mailsink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { late.Close() })
	for _, s := range []*mailsink.Sink{busy, mute, late} {
		m := mails(t, s, 1)[0]
		if m.Header("Message-ID") != first.Header("Message-ID") {
			t.Errorf("the notice that came late has the key %s, that which came at once %s", m.Header("Message-ID"), first.Header("Message-ID"))
		}
	}
	until(t, func() error {
		s, err := h.told(entrasim.TenantName)
		if err != nil || s.owed > 0 {
			return fmt.Errorf("%v %+v", err, s)
		}
		return nil
	})
	for _, s := range []*mailsink.Sink{well, busy, mute, late} {
		if n := len(s.Mails()); n != 1 {
			t.Errorf("%s got %d mails, want 1", s.Addr(), n)
		}
	}
}

// firstMute accepts its first connection and never says a word on it.
type firstMute struct {
	net.Listener
	mute net.Conn
}

func (l *firstMute) Accept() (net.Conn, error) {
	if l.mute == nil {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.mute = c
	}
	return l.Listener.Accept()
}

func (l *firstMute) Close() error {
	err := l.Listener.Close()
	if l.mute != nil {
		err = errors.Join(err, l.mute.Close())
	}
	return err
}

// Before the disk is full intake pauses and says so: to the pusher, who comes
// again, to people, and to whoever asks for the status. Nothing is half taken.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	sink := listenMail(t, mailsink.Options{})
	h := newHouse(t, map[string]string{
		"glassward.yaml": mainFile(sink.Port(), "oncall@example.org") + "disk: {reserve: 900TiB}\n", // more than there is
		tenantPath:       tenantFile(entrasim.EA01),
		"more.json":      string(signIn(1, entrasim.EA01)),
	})
	d := h.serve()
	token := strings.TrimSpace(h.cli("token", "create", "road", "--tenant", entrasim.TenantName, "--scope", "ingest", "-q"))
	code, _, text := push(t, d.Addr(), token, signIn(1, entrasim.EA01))
	if code != http.StatusServiceUnavailable || !strings.Contains(text, "IntakePaused") {
		t.Errorf("the push gave %d: %s", code, text)
	}
	if m := mails(t, sink, 1)[0]; !strings.Contains(said(m), "Intake pauses") {
		t.Errorf("the alarm says\n%s", m)
	}
	exit, _, errs := run(t, "", "ingest", "--data", h.data(), h.file("more.json"))
	if exit != 1 || !strings.Contains(errs, "intake pauses") {
		t.Errorf("ingest: exit %d: %s", exit, errs)
	}
	exit, out, _ := run(t, "", "status", "--data", h.data())
	if exit != 1 || !strings.Contains(out, "intake pauses") {
		t.Errorf("status: exit %d\n%s", exit, out)
	}
	if out := h.cli("query", "-q", "-o", "tsv", "SigninLogs | count"); out != "0\n" {
		t.Errorf("%s records were taken", strings.TrimSpace(out))
	}
}

// What a record says is text on the incident's page and in its mail, too.
func TestVandalOnThePage(t *testing.T) {
	t.Parallel()
	sink := listenMail(t, mailsink.Options{})
	h := newHouse(t, map[string]string{"glassward.yaml": mainFile(sink.Port(), "oncall@example.org"), tenantPath: tenantFile(entrasim.EA01)})
	h.serve()
	quoted, err := json.Marshal(vandal)
	if err != nil {
		t.Fatal(err)
	}
	r := rec("1", `,"userDisplayName":`+string(quoted)+`,"userPrincipalName":`+string(quoted)+`,"appDisplayName":`+string(quoted)+`,"userAgent":`+string(quoted))
	h.write("vandal.json", strings.NewReplacer("u-1", entrasim.EA01, `"category"`, `"tenantId":"`+entrasim.TenantID+`","category"`).Replace(r))
	h.cli("ingest", h.file("vandal.json"))
	m := mails(t, sink, 1)[0]
	link := regexp.MustCompile(`http://127\.0\.0\.1:\d+/a/\S+`).FindString(m.Part("text/plain"))
	status, page := get(t, link)
	if status != http.StatusOK || !strings.Contains(page, "alert(1)") {
		t.Fatalf("the page: %d\n%.3000s", status, page)
	}
	for where, text := range map[string]string{"page": page, "mail as HTML": m.Part("text/html"), "mail as text": m.Part("text/plain")} {
		bad := []string{"\x1b", "\a", "\u202e", "\u2028"}
		if where != "mail as text" {
			bad = append(bad, "<script", "href=\"http://evil", "href='http://evil")
		}
		for _, b := range bad {
			if strings.Contains(text, b) {
				t.Errorf("%s lets %q through:\n%.3000s", where, b, text)
			}
		}
	}
	if n := strings.Count(string(m.Data), "\r\nX: y"); n > 0 {
		t.Errorf("a name became a header of the mail")
	}
}
