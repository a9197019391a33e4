package posture

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward/directory"
)

const practiceText = `
applications: [5d000000-0000-4000-8000-000000000003]
drills:
  - {account: EA000000-0000-4000-8000-000000000001, date: 2026-05-01, steps: [signIn, action, log, alert, acknowledged]}
keys:
  - {account: ea000000-0000-4000-8000-000000000001, serial: "1234", site: Oslo, pinSite: Bergen, sealed: true, pinOffline: true}
uses:
  - {account: ea000000-0000-4000-8000-000000000001, date: 2026-05-01, kind: drill}
runbook: {printed: 2026-05-03, sha256: ab, holds: [objectIds, support]}
custodiansReviewed: 2026-04-02
classicPoliciesReviewed: 2026-04-03
workstation: PAW-1
watchers: [{name: Glassward, road: graph}]
`

func TestPractice(t *testing.T) {
	o, err := ParseDeclaration([]byte(practiceText))
	if err != nil {
		t.Fatal(err)
	}
	const account = "ea000000-0000-4000-8000-000000000001"
	want := Practice{
		Applications: []string{"5d000000-0000-4000-8000-000000000003"},
		Drills:       []Drill{{account, day(5, 1), DrillSteps()}},
		Keys:         []Key{{account, "1234", "Oslo", "Bergen", true, true}},
		Uses:         []Use{{account, day(5, 1), "drill"}},
		Runbook:      &Runbook{day(5, 3), "ab", []string{"objectIds", "support"}}, CustodiansReviewed: day(4, 2), ClassicPoliciesReviewed: day(4, 3), Workstation: "PAW-1",
		Watchers: []Watcher{{"Glassward", "graph"}},
	}
	if diff := cmp.Diff(want, o.Practice); diff != "" {
		t.Error(diff)
	}
	for text, says := range map[string]string{
		"drills: [{account: ea-01, date: 2026-05-01}]":                                                 "no object id",
		"drills: [{account: ea000000-0000-4000-8000-000000000001, date: May}]":                         "write a day",
		"drills: [{account: ea000000-0000-4000-8000-000000000001, date: 2026-05-01, steps: [looked]}]": "it is one of signIn, action",
		"uses: [{account: ea000000-0000-4000-8000-000000000001, date: 2026-05-01, kind: fun}]":         "drill, incident, misuse",
		"runbook: {printed: 2026-05-01, holds: [jokes]}":                                               "it is one of objectIds",
		"watchers: [{name: x, road: moon}]":                                                            "it is one of graph",
		"keys: [{account: ea000000-0000-4000-8000-000000000001, colour: red}]":                         `unknown field "colour"`,
		"classicPoliciesReviewed: once":                                                                "write a day",
		"custodiansReviewed: yesterday":                                                                "write a day",
	} {
		if _, err := ParseDeclaration([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

// Without a time of its own a snapshot says how long ago nothing is, and nothing passes
// by it.
func TestDaysWithoutATime(t *testing.T) {
	s, o := tenant(t, "")
	o.Now = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	r := assess(t, s.With(func(x *directory.Contents) { x.Taken = time.Time{} }), o)
	for _, id := range []string{"PRO-01", "PRO-04", "SP-01"} {
		if f := r.Finding(id); f.Result != Unknown {
			t.Errorf("%s: %s", id, words(f))
		}
	}
}
