package notify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/notify"
)

// What was around an alert is told in few lines, and says what is missing.
func TestAround(t *testing.T) {
	night := time.Date(2026, 3, 14, 2, 0, 0, 0, time.UTC)
	var changes []glassward.DirectoryChange
	for i := range 7 {
		changes = append(changes, glassward.DirectoryChange{Time: night.Add(-time.Duration(i) * time.Minute), Operation: "Update policy", Result: "failure", By: "olav", Target: "P"})
	}
	a := glassward.Alert{Context: &glassward.Context{
		SignIns: []glassward.SignIn{{Account: "EA-01", Time: night, Address: "203.0.113.7", Place: "NO", Application: "Azure Portal", Method: "FIDO2 security key",
			ConditionalAccess: "success", Result: "50126"}},
		LastUses: []glassward.SignIn{{Account: "EA-01"}},
		Changes:  changes, Keys: []string{"EA-01: N. Ito"}, Missing: "too slow",
	}}
	var got strings.Builder
	for _, f := range notify.Around(a) {
		fmt.Fprintf(&got, "%s: %s\n", f.Label, f.Value)
	}
	change := func(minute string) string {
		return "2026-03-14 " + minute + ":00 UTC Update policy on P by olav (failure); "
	}
	want := "Latest sign-in: EA-01: 2026-03-14 02:00:00 UTC, 203.0.113.7 NO, Azure Portal, FIDO2 security key, Conditional Access success, result 50126\n" +
		"Last use before: EA-01: none is stored\n" +
		"Keys: EA-01: N. Ito\n" +
		"Changes of 24 hours: " + change("02:00") + change("01:59") + change("01:58") + change("01:57") + change("01:56") + "and more\n" +
		"Not looked up: too slow\n"
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Errorf("around (-want +got):\n%s", d)
	}
	if list := notify.Around(glassward.Alert{}); len(list) != 0 {
		t.Errorf("an alert without a context has %v", list)
	}
}
