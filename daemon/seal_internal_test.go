package daemon

import (
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/incident"
	"glassward/schema"
)

// seals gives what the journal of the first tenant has of seals: who, which account,
// and what is said of it.
func (p *house) seals() (out []string) {
	p.t.Helper()
	entries, err := p.d.state.JournalOf(p.t.Context(), acrossIDs[0], 0, 1000)
	if err != nil {
		p.t.Fatal(err)
	}
	audit, _ := schema.Lookup(auditTable)
	c := chronicle{w: &workspace{d: p.d}}
	ids := map[glassward.RecordID]bool{}
	for _, e := range entries {
		if e.Kind != "incident" && e.Kind != "acknowledgement" {
			continue
		}
		records, err := c.incident(p.t.Context(), e)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, r := range records {
			if ids[r.ID] {
				p.t.Errorf("two records have the id %s", r.ID)
			}
			ids[r.ID] = true
			if r.Table != auditTable {
				continue
			}
			cell := func(name string) string {
				i, _ := audit.Index(name)
				return r.Values[i].Str
			}
			out = append(out, strings.Join([]string{cell("OperationName"), cell("Actor"), cell("Target"), cell("Detail"), cell("Result")}, ", "))
		}
	}
	return out
}

func (p *house) close(number int64) {
	p.t.Helper()
	target := incident.Target{Number: number, Etag: incident.AnyEtag, By: "rut"}
	if _, err := p.d.desk.Do(p.t.Context(), acrossIDs[0], incident.Close{Target: target, Classification: glassward.FalsePositive, Reason: "InaccurateData"}); err != nil {
		p.t.Fatal(err)
	}
}

// An account is sealed when a person closes the last open incident about it, and by
// nothing else.
func TestSeals(t *testing.T) {
	p := newHouse(t, "")
	failed := func(a *glassward.Alert) {
		a.Details = map[string][]string{"Outcome": {"Failed"}, "FirstFactor": {"no"}, "SessionId": {"0a1b2c3d-0000-4000-8000-00000000f00d"}}
	}
	p.alert(0, p.now, from("203.0.113.9"), failed)
	p.alert(0, p.now.Add(30*time.Hour), from("203.0.113.9"), failed) // too far away to be the same
	p.alert(1, p.now, from("203.0.113.9"), failed)
	if got := p.seals(); len(got) > 0 {
		t.Fatalf("sealed is %q", got)
	}
	p.close(1)
	if got := p.seals(); len(got) > 0 {
		t.Fatalf("with an incident open, sealed is %q", got)
	}
	p.close(2)
	want := "seal account, rut, " + acrossAccount(0) + ", incident 2 closed as FalsePositive; sessions 0a1b2c3d-0000-4000-8000-00000000f00d, success"
	got := p.seals()
	if len(got) == 0 || got[len(got)-1] != want {
		t.Fatalf("sealed is %q", got)
	}
}
