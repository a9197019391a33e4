package access_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"glassward/access"
	"glassward/access/filter"
	"glassward/directory"
	"glassward/directory/truth"
)

// whatIf is an example of Microsoft's documentation of the What If evaluation.
type whatIf struct {
	Request struct {
		SignInIdentity   struct{ UserID string }
		SignInContext    struct{ UserAction string }
		SignInConditions struct {
			DevicePlatform, ClientAppType, SignInRiskLevel, UserRiskLevel, InsiderRiskLevel, Country, IPAddress string
			ServicePrincipalRiskLevel                                                                           string
			AuthenticationFlow                                                                                  struct{ TransferMethod string }
			DeviceInfo                                                                                          struct{ TrustType string }
		}
	}
	Applies  []string `json:"applies_policy_ids"`
	Policies json.RawMessage
}

// The policies that Microsoft's page says apply are those that apply here: to an
// administrator, which the page's account must be, and to another account two of the
// three.
func TestWhatIfOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../shared/samples/whatif_examples.ndjson")
	if os.IsNotExist(err) {
		t.Log("the examples are not here")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		var x whatIf
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		s, err := directory.FromPolicies(x.Policies)
		if err != nil {
			t.Fatal(err)
		}
		user := x.Request.SignInIdentity.UserID
		admin := func(role string) *directory.Snapshot {
			return s.With(func(c *directory.Contents) {
				c.Assignments = []*directory.RoleAssignment{{ID: "1", Principal: user, Role: role, Scope: "/"}}
				c.Readings = map[directory.Part]directory.Reading{directory.Policies: {State: directory.Read}, directory.RoleAssignments: {State: directory.Read}}
			})
		}
		c := x.Request.SignInConditions
		in := access.SignIn{
			User: user, UserAction: "urn:user:registersecurityinfo",
			ClientApp: c.ClientAppType, Platform: c.DevicePlatform, Address: netip.MustParseAddr(c.IPAddress), Country: c.Country,
			SignInRisk: c.SignInRiskLevel, UserRisk: c.UserRiskLevel, InsiderRisk: c.InsiderRiskLevel, Flow: c.AuthenticationFlow.TransferMethod,
			Device: access.Device{Properties: map[string]filter.Value{"trusttype": filter.Text(c.DeviceInfo.TrustType)}},
		}
		if have := applied(access.NewEvaluator(admin(directory.GlobalAdministrator)).Evaluate(in)); !slices.Equal(have, slices.Sorted(slices.Values(x.Applies))) {
			t.Errorf("example %d: apply %v, the page says %v", n, have, x.Applies)
		}
		// Whoever holds no such role is not asked by the policy about roles.
		if have := applied(access.NewEvaluator(admin("88d8e3e3-8f55-4a1e-953a-9b9898b8876b")).Evaluate(in)); len(have) != len(x.Applies)-1 {
			t.Errorf("example %d: %v apply to a reader", n, have)
		}
	}
	if n == 0 {
		t.Error("there is no example")
	}
}

func applied(d *access.Decision) []string {
	var ids []string
	for _, r := range d.Applied(false) {
		ids = append(ids, r.Policy.ID)
	}
	slices.Sort(ids)
	return ids
}

// Every policy that others published is judged, for a sign-in of which everything is
// told and the snapshot holds nothing else: whatever cannot be known is named, and
// what could not be is never taken for certain.
func TestPoliciesOfOthers(t *testing.T) {
	text, err := os.ReadFile("../../shared/samples/ca_policies.ndjson")
	if os.IsNotExist(err) {
		t.Log("the samples are not here")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := directory.FromPolicies(text)
	if err != nil {
		t.Fatal(err)
	}
	in := access.SignIn{
		User: "15dc174b-f34c-4588-ac45-61d6e05dce93", Resources: []string{"c44b4083-3bb0-49c1-b47d-974e53cbdf3c"},
		ClientApp: "browser", Platform: "windows", Address: netip.MustParseAddr("198.51.100.7"), Country: "NO",
		MFATrusted: truth.False, CompliantNetwork: truth.False, UserRisk: "none", SignInRisk: "high", InsiderRisk: "none", Flow: "none",
		Device: access.Unregistered(),
	}
	d := access.NewEvaluator(s).Evaluate(in)
	if len(d.Results) != 209 {
		t.Fatalf("%d results", len(d.Results))
	}
	counts := map[truth.Value]int{}
	for i := range d.Results {
		r := &d.Results[i]
		counts[r.Applies]++
		if r.Applies == truth.Unknown && len(r.Unknowns()) == 0 {
			t.Errorf("%q may apply, and nothing says what is unknown", r.Policy.DisplayName)
		}
		if r.Applies == truth.False && len(r.Reasons()) == 0 {
			t.Errorf("%q does not apply without a reason", r.Policy.DisplayName)
		}
		for _, u := range r.Unknowns() {
			if _, why, _ := strings.Cut(u, ": "); why == "" {
				t.Errorf("%q: %q says nothing", r.Policy.DisplayName, u)
			}
		}
		// Whoever is named by a placeholder may be the account.
		if u := r.Policy.Conditions.Users; u != nil && r.Applies == truth.True {
			for _, g := range u.ExcludeGroups {
				t.Errorf("%q applies for certain, and excludes group %s that nobody read", r.Policy.DisplayName, g)
			}
		}
	}
	t.Logf("%d apply, %d may, %d do not", counts[truth.True], counts[truth.Unknown], counts[truth.False])
	if counts[truth.Unknown] == 0 || counts[truth.True] == 0 || counts[truth.False] == 0 {
		t.Error("one answer never comes")
	}
}
