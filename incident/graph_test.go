package incident_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/incident"
)

// The graph of a takeover: who did what to which account, from where.
func TestGraph(t *testing.T) {
	policy := incident.Policy{Accounts: map[string]string{ea2: "EA-02"}, Protected: map[string]string{unit: "the unit"}}
	alerts := []glassward.Alert{
		{ID: "left", Columns: []string{"OperationName", "Result", "AccountId", "TargetId", "ActorId", "IPAddress", "Initiator"},
			Rows:     [][]string{{"Remove member", "success", ea2, unit, mallory, "198.51.100.9", "mallory@contoso.example"}},
			Entities: []glassward.Entity{{Type: "Account", Identifiers: map[string]string{"AadUserId": mallory, "FullName": "mallory@contoso.example"}}}},
		{ID: "signin", Columns: []string{"UserId", "IPAddress", "SessionId", "Outcome"},
			Rows:     [][]string{{ea2, "203.0.113.66", "5e55104e-0000-4000-8000-000000000001", "Completed"}},
			Entities: []glassward.Entity{{Type: "CloudApplication", Identifiers: map[string]string{"AppId": "c44b4083", "Name": "Azure Portal"}}}},
		{ID: "acts", Columns: []string{"OperationName", "ActorId", "PolicyId", "IPAddress"},
			Rows: [][]string{{"Update policy", ea2, "policy-1", "203.0.113.66"}, {"Delete policy", ea2, "policy-2", "203.0.113.66"}}},
	}
	g := incident.GraphOf(policy, alerts, []incident.Neighbour{{Number: 4, Shares: "account:" + ea2}, {Number: 5, Shares: "actor:" + mallory}, {Number: 6, Shares: "actor:of-somebody-else"}})
	var got strings.Builder
	label := map[string]string{}
	for _, n := range g.Nodes {
		label[n.ID] = n.Label
		fmt.Fprintf(&got, "%s %s %v", n.Kind, n.Label, n.Alerts)
		if n.Emergency || n.Protected {
			got.WriteString(" *")
		}
		got.WriteString("\n")
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&got, "%s -> %s: %s %v\n", label[e.From], label[e.To], e.Kind, e.Alerts)
	}
	const want = `account EA-02 [left signin acts] *
account mallory@contoso.example [left]
address 198.51.100.9 [left]
address 203.0.113.66 [signin acts]
application Azure Portal [signin]
incident incident 4 []
incident incident 5 []
object the unit [left] *
object policy-1 [acts]
object policy-2 [acts]
session 5e55104e-0000-4000-8000-000000000001 [signin]
EA-02 -> 203.0.113.66: from [signin acts]
EA-02 -> Azure Portal: with [signin]
EA-02 -> policy-1: Update policy [acts]
EA-02 -> policy-2: Delete policy [acts]
EA-02 -> 5e55104e-0000-4000-8000-000000000001: in [signin]
mallory@contoso.example -> EA-02: Remove member [left]
mallory@contoso.example -> 198.51.100.9: from [left]
mallory@contoso.example -> the unit: Remove member [left]
incident 4 -> EA-02: names []
incident 5 -> mallory@contoso.example: names []
`
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Errorf("the graph (-want +got):\n%s", d)
	}
}
