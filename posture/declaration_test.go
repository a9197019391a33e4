package posture

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const declarationText = `accounts:
  - objectId: ea000000-0000-4000-8000-000000000001
    userPrincipalName: ea-01@contoso.onmicrosoft.com
design: dedicated-policies
targeting: group
group: 9a000000-0000-4000-8000-000000000001
unit: a0000000-0000-4000-8000-000000000001
unlockers: [9a000000-0000-4000-8000-000000000004]
policies: [ca000000-0000-4000-8000-000000000001]
strength: 57000000-0000-4000-8000-000000000001
models: [cb69481e-8ff7-4039-93ec-0a2729a154a8]
otherGroups: [9a000000-0000-4000-8000-000000000009]
proof: 00112233445566778899aabbccddeeff
recovery: ['partner: Fabrikam', support contract 4711]
norms: {drillDays: 180}
exceptions:
  - {check: ACC-03, object: ea000000-0000-4000-8000-000000000001, owner: Nora, reason: is being rebuilt, until: 2026-12-31}
`

func TestDeclaration(t *testing.T) {
	have, err := ParseDeclaration([]byte(declarationText))
	if err != nil {
		t.Fatal(err)
	}
	want := Options{
		Accounts:    []Account{{"ea000000-0000-4000-8000-000000000001", "ea-01@contoso.onmicrosoft.com"}},
		Design:      DedicatedPolicies,
		Targeting:   TargetGroup,
		Group:       "9a000000-0000-4000-8000-000000000001",
		Unit:        "a0000000-0000-4000-8000-000000000001",
		Unlockers:   []string{"9a000000-0000-4000-8000-000000000004"},
		Policies:    []string{"ca000000-0000-4000-8000-000000000001"},
		Strength:    "57000000-0000-4000-8000-000000000001",
		Models:      []string{"cb69481e-8ff7-4039-93ec-0a2729a154a8"},
		OtherGroups: []string{"9a000000-0000-4000-8000-000000000009"},
		Proof:       "00112233445566778899aabbccddeeff",
		Recovery:    []string{"partner: Fabrikam", "support contract 4711"},
		Norms:       Norms{DrillDays: 180},
		Exceptions:  []Exception{{"ACC-03", "ea000000-0000-4000-8000-000000000001", "Nora", "is being rebuilt", time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)}},
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	for text, says := range map[string]string{
		"desing: x":                                        `unknown field "desing"`,
		"norms: {drilDays: 1}":                             `no norm "drilDays"`,
		"norms: {drillDays: 0}":                            "at least 1",
		"exceptions: [{check: ACC-03, until: soon}]":       "write a day",
		"exceptions: [{check: ACC-99, until: 2026-12-31}]": `no check "ACC-99"`,
		"group: [a]":                                       "",
	} {
		if _, err := ParseDeclaration([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

// Whatever is declared, the assessment answers or refuses, and nothing passes of a
// snapshot that holds nothing.
func FuzzDeclaration(f *testing.F) {
	f.Add([]byte(declarationText))
	f.Add([]byte(practiceText))
	f.Add([]byte("design: excluded-from-all\ntargeting: direct\naccounts: [{objectId: ea000000-0000-4000-8000-000000000001}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := ParseDeclaration(text)
		if err != nil {
			return
		}
		if _, err := o.whole(); err != nil {
			return
		}
		for _, n := range o.Norms.list() {
			if n.Value < 0 {
				t.Fatalf("%+v", n)
			}
		}
	})
}
