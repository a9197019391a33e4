package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/config"
	"glassward/incident"
	"glassward/notify"
	"glassward/state"
)

// Three tenants of one provider.
var acrossIDs = []string{"aaaaaaaa-51b2-4c7d-8f01-9d2c6a7b0001", "bbbbbbbb-51b2-4c7d-8f01-9d2c6a7b0002", "cccccccc-51b2-4c7d-8f01-9d2c6a7b0003"}

func acrossAccount(tenant int) string {
	return fmt.Sprintf("e1a00000-51b2-4c7d-8f01-9d2c6a7b000%d", tenant)
}

// A house is what of a daemon over three tenants compares them: the test
// says what alerts there are and what time it is.
type house struct {
	t   *testing.T
	dir string
	now time.Time
	d   *Daemon
	x   *across
	n   int
}

func newHouse(t *testing.T, section string) *house {
	p := &house{t: t, dir: t.TempDir(), now: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}
	for i, id := range acrossIDs {
		p.write(fmt.Sprintf("tenants/t%d.yaml", i), fmt.Sprintf("tenant: %s\nname: tenant%d\nactionGroups: [oncall]\nemergencyAccounts: [{objectId: %s, name: EA-of-%d}]\n", id, i, acrossAccount(i), i))
	}
	p.start(section)
	t.Cleanup(func() { p.stop() })
	return p
}

func (p *house) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *house) start(section string) {
	p.t.Helper()
	p.write("glassward.yaml", "data: data\nlisten: 127.0.0.1:0\nmailServers: [{name: main, host: 127.0.0.1, port: 1, tls: none, from: g@elsewhere.example}]\n"+
		"actionGroups: [{name: oncall, emailReceivers: [{name: kim, emailAddress: kim@elsewhere.example}]}]\n"+section)
	load := func() (*config.Config, []config.Problem) {
		return config.Load(filepath.Join(p.dir, "glassward.yaml"))
	}
	c, problems := load()
	if c == nil {
		p.t.Fatal(problems)
	}
	d := &Daemon{o: Options{Config: c}, log: slog.New(slog.DiscardHandler), now: func() time.Time { return p.now }, config: c}
	err := makeData(c.Data)
	if err != nil {
		p.t.Fatal(err)
	}
	if d.state, err = state.Open(context.WithoutCancel(p.t.Context()), c.Data, state.Options{Now: d.now, Wrote: d.news.ring}); err != nil {
		p.t.Fatal(err)
	}
	if d.desk, err = incident.NewDesk(incident.DeskOptions{Store: d.state, Policy: d.policy, Now: d.now}); err != nil {
		p.t.Fatal(err)
	}
	fleet, err := notify.NewFleet(c.Config, notify.Network{})
	if err != nil {
		p.t.Fatal(err)
	}
	if d.courier, err = notify.New(notify.Options{Outbox: d.state, Fleet: fleet, Fallback: d.groups, Log: d.log}); err != nil {
		p.t.Fatal(err)
	}
	p.d = d
	p.x = p.d.newAcross(p.t.Context())
}

func (p *house) stop() {
	if p.d == nil {
		return
	}
	if err := p.d.state.Close(); err != nil {
		p.t.Error(err)
	}
	p.d = nil
}

// restart starts the daemon anew, as after a crash.
func (p *house) restart(section string) {
	p.t.Helper()
	p.stop()
	p.start(section)
}

// alert commits an alert of a tenant about its emergency account, with more entities
// (glassward.Entity) and changes (func(*glassward.Alert)).
func (p *house) alert(tenant int, at time.Time, more ...any) glassward.Alert {
	p.t.Helper()
	p.n++
	a := glassward.Alert{
		ID: glassward.AlertID(fmt.Sprintf("%032x", p.n)), RuleID: "r", RuleName: "Sign-in", Title: fmt.Sprintf("EA-of-%d: sign-in failed", tenant), Severity: glassward.Medium,
		Start: at, End: at, Received: p.now, Judged: p.now, Records: []glassward.RecordID{{byte(p.n), byte(p.n >> 8), 7}},
		Entities: []glassward.Entity{{Type: "Account", Identifiers: map[string]string{"AadUserId": acrossAccount(tenant)}}},
	}
	for _, m := range more {
		switch m := m.(type) {
		case glassward.Entity:
			a.Entities = append(a.Entities, m)
		case func(*glassward.Alert):
			m(&a)
		}
	}
	if _, err := p.d.desk.Take(p.t.Context(), incident.Outcome{Tenant: acrossIDs[tenant], Alerts: []incident.AlertChange{{Alert: a}}}); err != nil && !errors.Is(err, incident.ErrEvidence) {
		p.t.Fatal(err)
	}
	return a
}

// compare has the comparison follow.
func (p *house) compare() {
	p.t.Helper()
	if err := p.x.round(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

// told gives what each tenant was told of the others.
func (p *house) told() (out []string) {
	p.t.Helper()
	for i, id := range acrossIDs {
		list, _, err := p.d.state.Alerts(p.t.Context(), state.AlertFilter{Tenant: id})
		if err != nil {
			p.t.Fatal(err)
		}
		for _, a := range list {
			if a.RuleID == incident.AcrossRule {
				out = append(out, fmt.Sprintf("%d %s", i, a.Details["Value"][0]))
			}
		}
	}
	slices.Sort(out)
	return out
}

func (p *house) want(want ...string) {
	p.t.Helper()
	p.compare()
	if got := p.told(); !slices.Equal(got, want) {
		p.t.Errorf("told was %q, want %q", got, want)
	}
}

func from(address string) glassward.Entity {
	return glassward.Entity{Type: "IP", Identifiers: map[string]string{"Address": address}}
}

func by(app string) glassward.Entity {
	return glassward.Entity{Type: "CloudApplication", Identifiers: map[string]string{"AppId": app}}
}

const acrossOn = "acrossTenants: {compare: true, shared: [198.51.100.0/24, 5ea5ea5e-0000-4000-8000-000000000001]}\n"

// What two tenants meet within an hour each of them is told, once, whoever comes first
// and however late a record is. What is further apart, shared, Microsoft's own, or of
// one tenant alone is not.
func TestAcrossTenants(t *testing.T) {
	for name, x := range map[string]struct {
		play func(p *house)
		want []string
	}{
		"the same address": {func(p *house) {
			p.alert(0, p.now, from("203.0.113.9"))
			p.alert(1, p.now.Add(59*time.Minute), from("203.0.113.9"))
		}, []string{"0 203.0.113.9", "1 203.0.113.9"}},
		"again and again": {func(p *house) {
			for i := range 4 {
				p.alert(i%2, p.now.Add(time.Duration(i)*time.Minute), from("203.0.113.9"))
				p.compare()
			}
		}, []string{"0 203.0.113.9", "1 203.0.113.9"}},
		"by steps of less than an hour": {func(p *house) {
			p.alert(0, p.now, from("203.0.113.9"))
			p.alert(0, p.now.Add(50*time.Minute), from("203.0.113.9"))
			p.alert(1, p.now.Add(100*time.Minute), from("203.0.113.9"))
		}, []string{"0 203.0.113.9", "1 203.0.113.9"}},
		"three tenants": {func(p *house) {
			for i := range 3 {
				p.alert(i, p.now.Add(time.Duration(i)*time.Minute), from("203.0.113.9"))
				p.compare()
			}
		}, []string{"0 203.0.113.9", "1 203.0.113.9", "2 203.0.113.9"}},
		"one IPv6 customer": {func(p *house) {
			p.alert(0, p.now, from("2001:db8:1:2::7"))
			p.alert(1, p.now, from("2001:DB8:1:2::8"))
		}, []string{"0 2001:db8:1:2::7", "1 2001:db8:1:2::8"}},
		"late, after a later one": {func(p *house) {
			p.alert(0, p.now, from("203.0.113.9"))
			p.alert(1, p.now.Add(5*time.Hour), from("203.0.113.9"))
			p.alert(1, p.now.Add(time.Minute), from("203.0.113.9"))
		}, []string{"0 203.0.113.9", "1 203.0.113.9"}},
		"the same application": {func(p *house) {
			p.alert(0, p.now, by("0badc0de-0000-4000-8000-000000000001"))
			p.alert(1, p.now, by("0BADC0DE-0000-4000-8000-000000000001"))
		}, []string{"0 0badc0de-0000-4000-8000-000000000001", "1 0badc0de-0000-4000-8000-000000000001"}},
		"the same guest": {func(p *house) {
			for i := range 2 {
				p.alert(i, p.now, glassward.Entity{Type: "Account", Identifiers: map[string]string{"AadUserId": fmt.Sprintf("0badc0de-0000-4000-8000-00000000010%d", i), "FullName": "Mallory@attacker.example"}})
			}
		}, []string{"0 mallory@attacker.example", "1 mallory@attacker.example"}},
		"an hour and a minute apart": {func(p *house) {
			p.alert(0, p.now, from("203.0.113.9"))
			p.alert(1, p.now.Add(61*time.Minute), from("203.0.113.9"))
		}, nil},
		"one tenant alone": {func(p *house) {
			p.alert(0, p.now, from("203.0.113.9"))
			p.alert(0, p.now.Add(time.Minute), from("203.0.113.9"))
		}, nil},
		"shared": {func(p *house) {
			for i := range 2 {
				p.alert(i, p.now, from("198.51.100.20"), by("5EA5EA5E-0000-4000-8000-000000000001"))
			}
		}, nil},
		"what says nothing elsewhere": {func(p *house) {
			for i := range 2 {
				p.alert(i, p.now, from("10.0.0.1"), from("127.0.0.1"), from("fe80::1"), from("100.64.3.4"), from("nonsense"), by("c44b4083-3bb0-49c1-b47d-974e53cbdf3c"), by("00000000-0000-0000-0000-000000000000"),
					glassward.Entity{Type: "Account", Identifiers: map[string]string{"DisplayName": "Microsoft Managed Policy Manager", "FullName": "Azure AD Cloud Sync"}})
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := newHouse(t, acrossOn)
			x.play(p)
			p.want(x.want...)
			p.want(x.want...)
		})
	}
}

// Nothing is compared unless somebody says so, and what was kept is forgotten when
// that is taken back.
func TestAcrossTenantsOff(t *testing.T) {
	p := newHouse(t, "")
	p.alert(0, p.now, from("203.0.113.9"))
	p.alert(1, p.now, from("203.0.113.9"))
	p.want()
	if _, err := os.Stat(filepath.Join(p.dir, "data", "across.key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a key: %v", err)
	}
	p.restart(acrossOn)
	p.want() // it begins with what comes
	p.alert(0, p.now, from("203.0.113.9"))
	p.compare()
	kept := func() (list []string) {
		for _, subject := range []string{acrossSubject, acrossIDs[0] + "/across"} {
			if _, err := p.d.state.Memory(t.Context(), subject); err == nil {
				list = append(list, subject)
			}
		}
		return list
	}
	if len(kept()) != 2 {
		t.Errorf("kept is %q", kept())
	}
	p.restart("acrossTenants: {compare: false}\n")
	if len(kept()) != 0 {
		t.Errorf("switched off, kept is %q", kept())
	}
	p.alert(1, p.now, from("203.0.113.9"))
	p.want()
	p.restart(acrossOn)
	p.want()
}

// A restart forgets nothing, nor does one in the middle of telling.
func TestAcrossTenantsSurvivesARestart(t *testing.T) {
	p := newHouse(t, acrossOn)
	p.alert(0, p.now, from("203.0.113.9"))
	p.compare()
	p.alert(1, p.now.Add(time.Minute), from("203.0.113.9")) // and nobody compares
	p.restart(acrossOn)
	p.want("0 203.0.113.9", "1 203.0.113.9")
	// Told, and not written down that it was: told again it is the same alert.
	for _, marks := range p.x.marks {
		for _, m := range marks {
			m.Told = false
		}
	}
	p.alert(0, p.now.Add(2*time.Minute), from("203.0.113.9"))
	p.want("0 203.0.113.9", "1 203.0.113.9")
	p.restart(acrossOn)
	p.alert(2, p.now.Add(3*time.Minute), from("203.0.113.9"))
	p.want("0 203.0.113.9", "1 203.0.113.9", "2 203.0.113.9")
	// What is kept and cannot be read is learned anew.
	if err := p.d.state.PutMemory(t.Context(), acrossIDs[0]+"/across", []byte("{")); err != nil {
		t.Fatal(err)
	}
	p.restart(acrossOn)
	p.alert(0, p.now.Add(4*time.Minute), from("203.0.113.77"))
	p.alert(1, p.now.Add(4*time.Minute), from("203.0.113.77"))
	p.want("0 203.0.113.77", "0 203.0.113.9", "1 203.0.113.77", "1 203.0.113.9", "2 203.0.113.9")
}

// Marks end after two days, and a tenant in flood pushes out no other's.
func TestAcrossTenantsIsBounded(t *testing.T) {
	p := newHouse(t, acrossOn)
	p.alert(0, p.now, from("203.0.113.9"))
	p.compare()
	for i := range acrossMost + 20 {
		p.now = p.now.Add(time.Second)
		p.x.note(hashed(fmt.Sprint(i)), glassward.Alert{Tenant: acrossIDs[1], ID: "x", Start: p.now, End: p.now})
	}
	if n := len(p.x.marks[acrossIDs[1]]); n != acrossMost {
		t.Errorf("%d marks of a tenant in flood", n)
	}
	if p.x.marks[acrossIDs[1]]["0"] != nil || p.x.marks[acrossIDs[1]][hashed(fmt.Sprint(acrossMost+19))] == nil || len(p.x.marks[acrossIDs[0]]) != 1 {
		t.Error("others than the oldest made room")
	}
	p.now = p.now.Add(acrossKept + time.Hour)
	p.compare()
	for id, marks := range p.x.marks {
		if len(marks) > 0 {
			t.Errorf("%d marks of %s after two days", len(marks), id)
		}
	}
	if text, err := p.d.state.Memory(t.Context(), acrossIDs[0]+"/across"); err != nil || string(text) != "{}" {
		t.Errorf("kept is %s, %v", text, err)
	}
}

// Nothing that a tenant can read is another's, and what is kept for the comparison
// names neither address nor application nor person.
func TestAcrossTenantsTellsNothingOfAnother(t *testing.T) {
	p := newHouse(t, acrossOn)
	list := []glassward.Alert{p.alert(0, p.now, from("203.0.113.9"), by("0badc0de-0000-4000-8000-000000000001")), p.alert(1, p.now.Add(17*time.Minute), from("203.0.113.9"), by("0badc0de-0000-4000-8000-000000000001"))}
	p.want("0 0badc0de-0000-4000-8000-000000000001", "0 203.0.113.9", "1 0badc0de-0000-4000-8000-000000000001", "1 203.0.113.9")
	for i, id := range acrossIDs[:2] {
		other := 1 - i
		alerts, _, err := p.d.state.Alerts(t.Context(), state.AlertFilter{Tenant: id})
		incidents, _, err2 := p.d.state.Incidents(t.Context(), state.IncidentFilter{Tenants: []string{id}})
		journal, err3 := p.d.state.JournalOf(t.Context(), id, 0, 1000)
		if err := errors.Join(err, err2, err3); err != nil || len(incidents) != 1 {
			t.Fatalf("%d incidents: %v", len(incidents), err)
		}
		for _, a := range alerts {
			if a.RuleID == incident.AcrossRule && (a.Severity != glassward.High || !slices.Equal(a.Techniques, []string{"T1199"}) || !a.Start.Equal(list[i].Start)) {
				t.Errorf("%+v", a)
			}
		}
		text, _ := json.Marshal(map[string]any{"alerts": alerts, "incidents": incidents, "journal": journal})
		for _, secret := range []string{acrossIDs[other], fmt.Sprintf("tenant%d", other), fmt.Sprintf("EA-of-%d", other), acrossAccount(other), string(list[other].ID), list[other].Records[0].String(), list[other].Start.Format("15:04:05")} {
			if secret != p.now.Format("15:04:05") && strings.Contains(string(text), secret) {
				t.Errorf("tenant %d can read %q of tenant %d", i, secret, other)
			}
		}
		kept, err := p.d.state.Memory(t.Context(), id+"/across")
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"203.0.113.9", "0badc0de", acrossAccount(i), acrossIDs[other]} {
			if strings.Contains(string(kept), secret) {
				t.Errorf("kept for the comparison is %q:\n%s", secret, kept)
			}
		}
	}
}
