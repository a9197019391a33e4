package graph_test

import (
	"testing"

	"glassward/directory"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// A tenant whose quota others use up answers some requests of a batch and refuses the
// rest: those are asked again, and nothing is missing in the end. Tokens that are
// taken back meanwhile are no trouble either.
func TestThrottledWithinBatches(t *testing.T) {
	play(t, 200, cloud.Limits{Directory: 30}, func(x *tenant) {
		x.cloud.Faults().RevokeTokens(x.world.Tenant().ID)
		s := x.snapshot()
		for _, p := range fromGraph() {
			if r := s.Reading(p, ""); r.State != directory.Read {
				t.Errorf("%s: %+v", p, r)
			}
		}
		all, _ := x.world.Objects("servicePrincipals")
		c := s.Contents()
		if len(c.ServicePrincipals) != len(all) || len(c.Registered[entrasim.EA01]) != 2 {
			t.Errorf("%d service principals of %d, methods %v", len(c.ServicePrincipals), len(all), c.Registered[entrasim.EA01])
		}
		for _, p := range c.ServicePrincipals {
			if r := s.Reading(directory.AppRoleAssignments, p.ID); r.State != directory.Read {
				t.Errorf("%s: %+v", p.DisplayName, r)
			}
		}
	})
}
