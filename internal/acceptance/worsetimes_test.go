package acceptance_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"glassward"
	"glassward/console"
	"glassward/internal/entrasim"
	"glassward/internal/pipe"
)

// apart is how long uses lie apart, so that each is an incident of its own and told
// by a mail of its own.
const apart = 5 * time.Hour

// use has an emergency account sign in, and gives how many such sign-ins mails have
// told when this one has had time to come.
func (v *virtual) use(after time.Duration) int {
	v.t.Helper()
	v.world.Advance(time.Now())
	if err := v.world.Do("sign-in EA-01 0 with key"); err != nil {
		v.t.Fatal(err)
	}
	time.Sleep(after)
	v.world.Advance(time.Now())
	return v.told()
}

// told gives how many incidents mails have told of in which an account was used.
// People are called again until somebody answers.
func (v *virtual) told() int {
	seen := map[string]bool{}
	for _, text := range v.mailsAbout("sign-in completed") {
		for _, m := range incidentNumber.FindAllStringSubmatch(text, -1) {
			seen[m[1]] = true
		}
	}
	return len(seen)
}

// incidentNumber is how a mail names its incident.
var incidentNumber = regexp.MustCompile(`(?m)^Incident +(\d+)`)

// mailsAbout gives the mails whose text holds something.
func (v *virtual) mailsAbout(what string) (out []string) {
	for _, m := range v.sink.Mails() {
		if text := said(m); strings.Contains(text, what) {
			out = append(out, text)
		}
	}
	return out
}

// The disk fills up, and is free again: nothing that came meanwhile is lost, and both
// are told.
func TestFullDiskAndFreeAgain(t *testing.T) {
	t.Parallel()
	rates := entrasim.Calm()
	var full atomic.Bool
	virtually(t, setting{world: entrasim.Options{Seed: 5, Users: 20, Rates: &rates}, tenant: byGraph, disk: func(string) (int64, int64, error) {
		if full.Load() {
			return 1 << 20, 1 << 40, nil
		}
		return 1 << 39, 1 << 40, nil
	}}, func(v *virtual) {
		time.Sleep(time.Hour)
		if n := v.use(20 * time.Minute); n != 1 {
			t.Fatalf("%d alarms before", n)
		}
		time.Sleep(apart)
		full.Store(true)
		if n := v.use(time.Hour); n != 1 {
			t.Errorf("%d alarms of what could not be stored", n)
		}
		if told := v.mailsAbout("Intake pauses"); len(told) == 0 {
			t.Error("nobody was told that intake pauses")
		}
		if s := v.status(); s.Paused == "" {
			t.Error("status does not say that intake pauses")
		}
		full.Store(false)
		time.Sleep(30 * time.Minute)
		if n := v.told(); n != 2 {
			t.Errorf("%d alarms after the disk was free again", n)
		}
		if n := v.rows("SigninLogs | where UserId == '" + entrasim.EA01 + "' | summarize count(), dcount(Id)"); n[0][0] != "2" || n[0][1] != "2" {
			t.Errorf("records and ids: %v", n)
		}
		if s := v.status(); s.Paused != "" {
			t.Errorf("status says that intake pauses: %s", s.Paused)
		}
		if rows := v.rows(`GlasswardHealth | where Condition == "disk" | summarize arg_max(TimeGenerated, Status)`); len(rows) != 1 || rows[0][1] != "Success" {
			t.Errorf("the condition: %v", rows)
		}
	})
}

// everyUse finds each use in windows, and not on arrival.
const everyUse = `id: 2d0f3c52-98b5-4f55-8a27-7a3c5c2b9d01
name: Every use in windows
kind: Scheduled
severity: Low
queryFrequency: 10m
queryPeriod: 10m
triggerOperator: gt
triggerThreshold: 0
query: SigninLogs | where UserId == "` + entrasim.EA01 + `" and ResultType == "0" | project Id, UserId
`

// The host's clock steps an hour ahead, back, an hour behind, and back again, with a
// use of an emergency account in each time. Each is told, once, on arrival and by the
// windows of a Scheduled rule, and the step is told, too.
func TestClockSteps(t *testing.T) {
	t.Parallel()
	rates := entrasim.Calm()
	virtually(t, setting{world: entrasim.Options{Seed: 5, Users: 20, Rates: &rates}, tenant: byGraph, files: map[string]string{
		"glassward.yaml": mainFile(25, "oncall@example.org") + "rules: rules\n", "rules/every.yaml": everyUse,
	}}, func(v *virtual) {
		time.Sleep(time.Hour)
		want := 0
		for i, ahead := range []time.Duration{0, time.Hour, 0, -time.Hour, 0} {
			v.ahead.Store(int64(ahead))
			time.Sleep(2 * time.Minute)
			want++
			v.use(30 * time.Minute)
			told := 0
			for _, a := range v.alertsOf("") {
				if strings.HasSuffix(a.Title, "sign-in completed") {
					told += len(a.Rows)
				}
			}
			if told != want {
				t.Errorf("%d: with the clock %s ahead %d of %d uses are told", i, ahead, told, want)
			}
		}
		// Windows of a clock that was ahead are judged again, those of one that was
		// behind when it is right.
		time.Sleep(time.Hour)
		held := map[string]bool{}
		for _, a := range v.alertsOf("Every use in windows") {
			for _, row := range a.Rows {
				held[fmt.Sprint(row)] = true
			}
		}
		if len(held) != want {
			t.Errorf("the Scheduled rule told %d of %d uses", len(held), want)
		}
		if len(v.mailsAbout("clock")) == 0 {
			t.Error("the steps were not told")
		}
		if n := v.rows("SigninLogs | where UserId == '" + entrasim.EA01 + "' | count"); n[0][0] != fmt.Sprint(want) {
			t.Errorf("%s records of %d uses", n[0][0], want)
		}
	})
}

// alertsOf gives the alerts of a rule, or of all.
func (v *virtual) alertsOf(rule string) (out []glassward.Alert) {
	v.t.Helper()
	var list struct{ Value []glassward.Incident }
	if err := v.call("GET", "/v1/workspaces/"+entrasim.TenantName+"/incidents?limit=1000", nil, &list); err != nil {
		v.t.Fatal(err)
	}
	for _, i := range list.Value {
		var c console.Case
		if err := v.call("GET", fmt.Sprintf("/v1/workspaces/%s/incidents/%d", entrasim.TenantName, i.Number), nil, &c); err != nil {
			v.t.Fatal(err)
		}
		for _, a := range c.Alerts {
			if (rule == "" || a.RuleName == rule) && !slices.ContainsFunc(out, func(b glassward.Alert) bool { return a.ID == b.ID }) {
				out = append(out, a)
			}
		}
	}
	return out
}

// manyFailures counts over windows that overlap.
const manyFailures = `id: 2d0f3c52-98b5-4f55-8a27-7a3c5c2b9d02
name: Failures of a user
kind: Scheduled
severity: Low
queryFrequency: 30m
queryPeriod: 2h
triggerOperator: gt
triggerThreshold: 0
query: |
  SigninLogs
  | where ResultType != "0"
  | summarize Failures = count() by UserId
  | where Failures >= 2
`

// Forty-eight hours of records at once, out of order, each three times: the store holds
// each once, and the alerts are those of the same records in their order, once each.
func TestTwoDaysAtOnce(t *testing.T) {
	t.Parallel()
	type result struct {
		records string
		alerts  []string
	}
	run := func(t *testing.T, disorder bool) (out result) {
		virtually(t, setting{world: entrasim.Options{Seed: 5, Users: 40}, files: map[string]string{
			"glassward.yaml": mainFile(25, "oncall@example.org") + "rules: rules\n", "rules/every.yaml": everyUse, "rules/failures.yaml": manyFailures,
		}}, func(v *virtual) {
			uses, hours := 0, 48
			if racing {
				hours = 12
			}
			for i := range hours / 3 {
				time.Sleep(3 * time.Hour)
				v.world.Advance(time.Now())
				if i%3 == 1 {
					uses++
					if err := v.world.Do("sign-in EA-01 0 with key"); err != nil {
						t.Fatal(err)
					}
				}
			}
			var lines [][]byte
			for _, e := range v.world.Events() {
				if e.Kind == entrasim.InteractiveSignIn {
					lines = append(lines, append(bytes.TrimSpace(diagnostic(e)), '\n'))
				}
			}
			n := len(lines)
			if disorder {
				lines = slices.Concat(lines, lines, lines)
				// A step that shares no factor with the number visits each once.
				step := 7919
				for len(lines)%step == 0 {
					step++
				}
				mixed := make([][]byte, len(lines))
				for i := range lines {
					mixed[i*step%len(lines)] = lines[i]
				}
				lines = mixed
			}
			for part := range slices.Chunk(lines, 400) {
				if err := v.call("POST", "/v1/ingest?tenant="+entrasim.TenantName, bytes.NewReader(bytes.Join(part, nil)), new(any)); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(3 * time.Hour)
			rows := v.rows("SigninLogs | summarize count(), dcount(Id), countif(UserId == '" + entrasim.EA01 + "')")
			out.records = strings.Join(rows[0], " ")
			if want := fmt.Sprintf("%d %[1]d %d", n, uses); out.records != want {
				t.Errorf("the store holds %s, and not %s", out.records, want)
			}
			for _, name := range []string{"Every use in windows", "Failures of a user"} {
				for _, a := range v.alertsOf(name) {
					out.alerts = append(out.alerts, fmt.Sprintf("%s %s to %s", name, a.Start.Format(time.RFC3339), a.End.Format(time.RFC3339)))
				}
			}
			for _, m := range v.tales(t) {
				if !slices.Contains([]string{"Every use in windows", "Failures of a user"}, m.rule) {
					out.alerts = append(out.alerts, m.rule+": "+m.title)
				}
			}
			slices.Sort(out.alerts)
			t.Logf("%d records, %d alerts", n, len(out.alerts))
		})
		return out
	}
	first, second := run(t, false), run(t, true)
	if len(first.alerts) < few(10) {
		t.Errorf("only %d alerts, so nothing is tested", len(first.alerts))
	}
	if !slices.Equal(first.alerts, second.alerts) {
		t.Errorf("in order:\n%s\nout of order:\n%s", strings.Join(first.alerts, "\n"), strings.Join(second.alerts, "\n"))
	}
}

// A rule file is replaced while it is at work: what came before is judged by one of the
// two, what comes after by the new one, and nothing by none; one that is broken is told
// to those before, and when it is mended it makes up for what it did not judge.
func TestRuleFileReplaced(t *testing.T) {
	t.Parallel()
	rates := entrasim.Calm()
	virtually(t, setting{world: entrasim.Options{Seed: 5, Users: 20, Rates: &rates}, tenant: byGraph, files: map[string]string{
		"glassward.yaml": mainFile(25, "oncall@example.org") + "rules: rules\n", "rules/every.yaml": everyUse,
	}}, func(v *virtual) {
		reload := func(text string) {
			t.Helper()
			v.write("rules/every.yaml", text)
			if err := v.call("POST", "/v1/reload", nil, new(any)); err != nil {
				t.Fatal(err)
			}
		}
		uses := 0
		use := func() { uses++; v.use(time.Minute) }
		time.Sleep(time.Hour)
		use()
		reload(strings.Replace(everyUse, "project Id, UserId", "project Id, UserId, New = 1", 1))
		use()
		time.Sleep(20 * time.Minute)
		use()
		reload("id: [half of a fi")
		time.Sleep(time.Minute)
		if told := v.mailsAbout("every.yaml"); len(told) == 0 {
			t.Error("a broken rule file was not told")
		}
		use()
		time.Sleep(40 * time.Minute)
		reload(everyUse)
		time.Sleep(30 * time.Minute)
		use()
		time.Sleep(30 * time.Minute)
		held := map[string]bool{}
		for _, a := range v.alertsOf("Every use in windows") {
			for _, row := range a.Rows {
				held[row[slices.Index(a.Columns, "Id")]] = true
			}
		}
		if len(held) != uses {
			t.Errorf("%d of %d uses were told", len(held), uses)
		}
	})
}

// A webhook's endpoint has bad times: its name is gone, it takes the
// connection and never answers. Each is told to the others, mail goes out at
// once meanwhile, and when it is well it gets what it missed, each notice with its key.
func TestWebhookInBadTimes(t *testing.T) {
	t.Parallel()
	rates := entrasim.Calm()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(monday))
		var mu sync.Mutex
		got := map[string]int{}
		var gone, mute atomic.Bool
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		sheet := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hook.example.org"}, DNSNames: []string{"hook.example.org"},
			NotBefore: monday.AddDate(-1, 0, 0), NotAfter: monday.AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		}
		der, err := x509.CreateCertificate(rand.Reader, sheet, sheet, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		trusted := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		port := pipe.New("pipe")
		hook := &http.Server{
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
			Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if mute.Load() {
					<-r.Context().Done()
					return
				}
				mu.Lock()
				defer mu.Unlock()
				got[r.Header.Get("webhook-id")]++
			}),
		}
		go func() { _ = hook.ServeTLS(port, "", "") }()
		defer hook.Close()
		v := newVirtual(t, setting{
			world: entrasim.Options{Seed: 5, Users: 20, Rates: &rates}, tenant: byGraph, ports: map[string]*pipe.Listener{"443": port},
			resolve: func(host string) ([]netip.Addr, error) {
				if gone.Load() && host == "hook.example.org" {
					return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
				}
				return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
			},
			files: map[string]string{
				"hook.pem": string(trusted),
			},
			before: func(v *virtual) {
				v.write("glassward.yaml", mainFile(25, "oncall@example.org")+`  - name: second
    webhookReceivers:
      - {name: hook, serviceUri: "https://hook.example.org/in", allowedNetworks: [192.0.2.0/24], caFile: "`+v.file("hook.pem")+`"}
`)
				v.write(tenantPath, strings.Replace(v.text(tenantPath), "actionGroups: [emergency]", "actionGroups: [emergency, second]", 1))
			},
		})
		taken := func() int {
			mu.Lock()
			defer mu.Unlock()
			for id, n := range got {
				if n > 1 {
					t.Errorf("notice %s came %d times", id, n)
				}
			}
			return len(got)
		}
		time.Sleep(time.Hour)
		if n := v.use(20 * time.Minute); n != 1 || taken() == 0 {
			t.Fatalf("%d incidents told and %d calls before", n, taken())
		}
		uses := 1
		type trouble struct {
			name       string
			begin, end func()
			says       string
		}
		for _, x := range part([]trouble{
			{"never answers", func() { mute.Store(true) }, func() { mute.Store(false) }, "no answer"},
			{"DNS gone", func() { gone.Store(true) }, func() { gone.Store(false) }, "no such host"},
		}, 1) {
			time.Sleep(apart)
			before, told := taken(), len(v.mailsAbout("second/hook"))
			x.begin()
			uses++
			if n := v.use(30 * time.Minute); n != uses {
				t.Errorf("%s: %d mails about %d uses", x.name, n, uses)
			}
			if n := taken(); n != before {
				t.Errorf("%s: %d calls were taken", x.name, n-before)
			}
			if list := v.mailsAbout("second/hook"); len(list) == told || !strings.Contains(list[told], x.says) {
				t.Errorf("%s: told is %q", x.name, list[told:])
			}
			x.end()
			time.Sleep(90 * time.Minute)
			if n := taken(); n <= before {
				t.Errorf("%s: it got nothing of what it missed", x.name)
			}
			if s := v.rows(`GlasswardHealth | where Condition == "receiver-failing" | summarize arg_max(TimeGenerated, Status)`); len(s) != 1 || s[0][1] != "Success" {
				t.Errorf("%s: the condition is %v", x.name, s)
			}
		}
	})
}
