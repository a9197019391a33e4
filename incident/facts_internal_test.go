package incident

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glassward"
)

const ea1 = "0ea1aaaa-0000-4000-8000-000000000001"

func TestFacts(t *testing.T) {
	policy := Policy{Accounts: map[string]string{strings.ToUpper(ea1): "EA-01"}}
	for _, tt := range []struct {
		name  string
		alert glassward.Alert
		want  []string
	}{
		{"an account is found by its object id wherever it stands", glassward.Alert{
			Columns: []string{"Anything"}, Rows: [][]string{{`[{"id":"` + ea1 + `"}]`}},
		}, []string{"account:" + ea1}},
		{"and never by its name", glassward.Alert{
			Entities: []glassward.Entity{{Type: "Account", Identifiers: map[string]string{"Name": "EA-01", "UPNSuffix": "Contoso.example"}}},
		}, []string{"actor:ea-01@contoso.example"}},
		{"entities", glassward.Alert{Entities: []glassward.Entity{
			{Type: "Account", Identifiers: map[string]string{"AadUserId": ea1}},
			{Type: "Account", Identifiers: map[string]string{"AadUserId": "MALLORY-1"}},
			{Type: "IP", Identifiers: map[string]string{"Address": "::ffff:192.0.2.1"}},
			{Type: "CloudApplication", Identifiers: map[string]string{"AppId": "portal"}},
			{Type: "SecurityGroup", Identifiers: map[string]string{"ObjectGuid": "G1"}},
		}}, []string{"account:" + ea1, "actor:mallory-1", "address:192.0.2.1", "object:g1"}},
		{"details by the names that rules use", glassward.Alert{Details: map[string][]string{
			"IPAddress": {"192.0.2.7:443"}, "Session_Id": {"S1"}, "Favourite": {"blue"}, "Target": {"P1"},
		}}, []string{"address:192.0.2.7", "object:p1", "session:s1"}},
		{"an audit row as Entra writes it", glassward.Alert{
			Columns: []string{"OperationName", "Result", "InitiatedBy", "TargetResources"},
			Rows: [][]string{{"Update conditional access policy", "success",
				`{"user":{"id":"` + ea1 + `","ipAddress":"192.0.2.1"}}`, `[{"id":"POL-1","displayName":"All users"},{"displayName":"no id"}]`}},
		}, []string{"account:" + ea1, "act:update conditional access policy success on no id pol-1", "object:no id", "object:pol-1"}},
		{"a list of ids, as a rule projects it", glassward.Alert{
			Columns: []string{"OperationName", "Result", "TargetIds"}, Rows: [][]string{{"Delete group", "success", `["G-2","G-1",""]`}},
		}, []string{"act:delete group success on g-1 g-2", "object:g-1", "object:g-2"}},
		{"operation and result of the details, where no row has them", glassward.Alert{
			Details: map[string][]string{"Operation": {"Reset password"}, "ResultText": {"failure"}, "Targets": {"U1"}},
		}, []string{"act:reset password failure on u1", "object:u1"}},
		{"a row shorter than the columns, and a number that fits no row", glassward.Alert{
			Columns: []string{"IPAddress", "SessionId"}, Rows: [][]string{{"192.0.2.1"}}, RowCount: 5,
		}, []string{"address:192.0.2.1", "volume:4"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, alertFacts(policy, tt.alert)); d != "" {
				t.Errorf("facts (-want +got):\n%s", d)
			}
		})
	}
}

func TestLongFactsStayApart(t *testing.T) {
	long := strings.Repeat("ü", 300)
	a := alertFacts(Policy{}, glassward.Alert{Details: map[string][]string{"Target": {long + "a", long + "b"}}})
	if len(a) != 2 {
		t.Fatalf("two long values that begin alike gave %d facts", len(a))
	}
	for _, f := range a {
		if len(f) > 200 || strings.ContainsRune(f, '\uFFFD') {
			t.Errorf("fact of %d bytes: %q", len(f), f)
		}
	}
}

// What attackers write into names and addresses becomes facts, and neither
// panics nor grows without bound nor depends on the order of a map.
func FuzzFacts(f *testing.F) {
	f.Add("InitiatedBy", `{"user":{"id":"u"},"app":null}`)
	f.Add("TargetResources", `[{"id":"a"},null,{"displayName":"\u0000"}]`)
	f.Add("IPAddress", "fe80::1%eth0")
	f.Add("SessionId", strings.Repeat("\xff", 400))
	f.Add("OperationName", "Update policy")
	f.Fuzz(func(t *testing.T, column, value string) {
		a := glassward.Alert{
			RuleID: "r", Columns: []string{column, "TargetId"}, Rows: [][]string{{value, value}, {value}},
			Details:  map[string][]string{column: {value}, "Target": {value}},
			Entities: []glassward.Entity{{Type: column, Identifiers: map[string]string{"Name": value}}, {Type: "IP", Identifiers: map[string]string{"Address": value}}},
		}
		policy := Policy{Accounts: map[string]string{ea1: "EA-01"}}
		facts := alertFacts(policy, a)
		if d := cmp.Diff(facts, alertFacts(policy, a)); d != "" {
			t.Fatalf("facts change:\n%s", d)
		}
		for _, fact := range facts {
			if len(fact) > 250 {
				t.Errorf("fact of %d bytes", len(fact))
			}
		}
		// The entities and rows merge with themselves.
		once := tidy(a)
		if !sameAlert(once, merge(once, a, false)) {
			t.Errorf("merging the same again changes the alert")
		}
	})
}
