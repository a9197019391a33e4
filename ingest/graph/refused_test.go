package graph

import (
	"testing"

	"glassward/entra"
)

// A token endpoint refuses with 400 whom Conditional Access shuts out: no other way
// to ask would help.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		fault entra.Fault
		want  bool
	}{
		{entra.Fault{Kind: entra.FaultRequest, Status: 400}, true},
		{entra.Fault{Kind: entra.FaultOutage, Status: 501}, true},
		{entra.Fault{Kind: entra.FaultToken, Status: 400}, false},
		{entra.Fault{Kind: entra.FaultConsent, Status: 404}, false},
		{entra.Fault{Kind: entra.FaultOutage, Status: 503}, false},
	} {
		if got := refused(&c.fault); got != c.want {
			t.Errorf("%s %d: %v", c.fault.Kind, c.fault.Status, got)
		}
	}
}
