package cli

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward/daemon"
)

// TestMeasuredLag: the slowest road that was learned counts, and a guess does not.
func TestMeasuredLag(t *testing.T) {
	list := []daemon.WorkspaceStatus{
		{Tenant: "a", Name: "Contoso", Roads: []daemon.RoadStatus{
			{Table: "SigninLogs", P99: 60, Learned: true}, {Table: "SigninLogs", P99: 900.5, Learned: true}, {Table: "AuditLogs", P99: 30},
		}},
		{Tenant: "b", Name: "Fabrikam", Roads: []daemon.RoadStatus{{Table: "SigninLogs", P99: 3600, Learned: true}}},
	}
	for _, c := range []struct {
		tenant string
		want   map[string]time.Duration
	}{
		{"contoso", map[string]time.Duration{"SigninLogs": 900500 * time.Millisecond}},
		{"B", map[string]time.Duration{"SigninLogs": time.Hour}},
		{"default", map[string]time.Duration{"SigninLogs": time.Hour}},
		{"nobody", map[string]time.Duration{}},
	} {
		if d := cmp.Diff(c.want, measuredLag(list, c.tenant)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.tenant, d)
		}
	}
}
