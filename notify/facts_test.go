package notify

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glassward"
)

// TestFacts reads rows as the shipped rules, the raw tables and other people's
// queries give them.
func TestFacts(t *testing.T) {
	for _, c := range []struct {
		name, columns, row, want string
	}{
		{
			"shipped sign-in", "Account|UserId|UserPrincipalName|Outcome|What|Result|Reason|IPAddress|Location|AppDisplayName|AppId|ResourceDisplayName|ConditionalAccessStatus",
			"EA-01|id-1|ea-01@fabrikam.example|Interrupted|interrupted after a correct first factor|50074|Strong authentication is required.|203.0.113.7|DE|Azure Portal|app-1|Graph|notApplied",
			"Who: EA-01, ea-01@fabrikam.example (id-1)\nFrom: 203.0.113.7, DE\nApplication: Azure Portal (app-1) to Graph\n" +
				"Result: 50074, interrupted after a correct first factor, Strong authentication is required.\nConditional Access: notApplied\n",
		},
		{
			"shipped audit: the actor is not the account concerned", "OperationName|Result|ResultReason|AccountId|AccountName|Initiator|ActorId|InitiatorId|IPAddress|Targets",
			`Admin registered security info|failure|denied|id-ea|ea-01@fabrikam.example|mallory@fabrikam.example|id-m|id-m|198.51.100.9|["EA-01","EA-02"]`,
			"Who: mallory@fabrikam.example (id-m)\nWhat: Admin registered security info\nTarget: EA-01, EA-02\nFrom: 198.51.100.9\nResult: failure, denied\n",
		},
		{
			"shipped policy change", "OperationName|Result|PolicyName|PolicyId|Actor|ActorId", "Delete conditional access policy|success|CA001|p-1|Terraform|sp-1",
			"Who: Terraform (sp-1)\nWhat: Delete conditional access policy\nTarget: CA001 (p-1)\nResult: success\n",
		},
		{
			"raw audit by an application", "OperationName|InitiatedBy|TargetResources|Result",
			`Update user|{"app":{"displayName":"Sync","servicePrincipalId":"sp-2"}}|[{"userPrincipalName":"ea-01@fabrikam.example","id":"id-ea"}]|success`,
			"Who: Sync (sp-2)\nWhat: Update user\nTarget: ea-01@fabrikam.example (id-ea)\nResult: success\n",
		},
		{
			"service principal", "Account|ServicePrincipalId|ServicePrincipalName|Outcome|Result", "EA-App|sp-3|Emergency app|Completed|0",
			"Who: EA-App, Emergency app (sp-3)\nResult: 0, Completed\n",
		},
		{
			"somebody's own query", "UserPrincipalName|Time|IP|City|App|Status", `bg@fabrikam.example|now|192.0.2.1|Oslo|x|{"errorCode":0}`,
			"Who: bg@fabrikam.example\nFrom: 192.0.2.1, Oslo\n",
		},
		{"columns in other letters, damaged JSON", "userprincipalname|InitiatedBy|TargetResources|LocationDetails", `bg|{"user":|[{]|[]`, "Who: bg\n"},
		{"nothing known", "Count_", "3", ""},
		{"row shorter than the columns", "A|UserPrincipalName", "x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := glassward.Alert{Columns: strings.Split(c.columns, "|"), Rows: [][]string{strings.Split(c.row, "|")}}
			var b strings.Builder
			for _, f := range facts(a) {
				fmt.Fprintf(&b, "%s: %s\n", f.Label, f.Value)
			}
			if d := cmp.Diff(c.want, b.String()); d != "" {
				t.Errorf("facts (-want +got):\n%s", d)
			}
		})
	}
}

// TestFactsOfManyRows lists different answers once, and says how many more
// there are.
func TestFactsOfManyRows(t *testing.T) {
	a := glassward.Alert{Columns: []string{"IPAddress"}}
	for i := range 20 {
		a.Rows = append(a.Rows, []string{fmt.Sprintf("192.0.2.%d", i%8)})
	}
	got := facts(a)
	if len(got) != 1 || !strings.HasPrefix(got[0].Value, "192.0.2.0; 192.0.2.1; ") || !strings.HasSuffix(got[0].Value, "; and 3 more") {
		t.Errorf("got %v", got)
	}
}

// TestFactsOfEntities answers where the query kept no columns.
func TestFactsOfEntities(t *testing.T) {
	a := glassward.Alert{Entities: []glassward.Entity{
		{Type: "Account", Identifiers: map[string]string{"Name": "ea-01", "UPNSuffix": "fabrikam.example", "AadUserId": "id-1"}},
		{Type: "IP", Identifiers: map[string]string{"Address": "192.0.2.1"}},
		{Type: "IP", Identifiers: map[string]string{"Address": "192.0.2.2"}},
		{Type: "CloudApplication", Identifiers: map[string]string{"Name": "Portal", "AppId": "app-1"}},
	}}
	want := []Fact{{"Who", "ea-01@fabrikam.example (id-1)"}, {"From", "192.0.2.1; 192.0.2.2"}, {"Application", "Portal (app-1)"}}
	if d := cmp.Diff(want, facts(a)); d != "" {
		t.Error(d)
	}
}
