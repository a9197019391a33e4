package whatif_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"glassward/access"
	"glassward/access/filter"
	"glassward/access/whatif"
	"glassward/directory"
	"glassward/directory/truth"
)

const account = "ea000000-0000-4000-8000-000000000001"

func tenant() *directory.Snapshot {
	return directory.New(directory.Contents{Users: []*directory.User{
		{ID: account, UPN: "ea-01@contoso.onmicrosoft.com", Type: "Member"},
		{ID: "ea000000-0000-4000-8000-000000000002", UPN: "x_partner.example#EXT#@contoso.onmicrosoft.com", Type: "Guest"},
	}})
}

// signIns are those of testdata/questions.txtar, by name.
var signIns = map[string]access.SignIn{
	"whole": {
		User: "EA-01@contoso.onmicrosoft.com", Resources: []string{"00000003-0000-0000-c000-000000000000"}, ClientApp: "browser", Platform: "iOS", Address: netip.MustParseAddr("198.51.100.7"), Country: "NO",
		UserRisk: "high", SignInRisk: "none", InsiderRisk: "minor", Flow: "none", Device: access.Unregistered(), CompliantNetwork: truth.False, MFATrusted: truth.False,
	},
	"little":         {User: account, Resources: []string{"00000003-0000-0000-c000-000000000000", "797f4846-ba00-4fd7-ba43-dac1f8f63013"}},
	"no words for":   {User: account, UserAction: "urn:user:registerdevice", Platform: "unknown", Country: "unknown", CompliantNetwork: truth.True, Device: access.Device{Registered: truth.True}},
	"context":        {User: account, Context: "c1", Resources: []string{"00000003-0000-0000-c000-000000000000"}, Device: access.Device{Registered: truth.True, HybridJoined: truth.True, Compliant: truth.True}},
	"device":         {User: account, UserAction: "urn:user:registersecurityinfo", Device: access.Device{Registered: truth.True, Properties: map[string]filter.Value{"model": filter.Text("Surface"), "deviceownership": filter.Text("Company"), "iscompliant": filter.Text("True"), "physicalids": filter.List("a")}}},
	"principal":      {ServicePrincipal: "5d000000-0000-4000-8000-000000000003", Resources: []string{"00000003-0000-0000-c000-000000000000"}, ServicePrincipalRisk: "high", Address: netip.MustParseAddr("2001:db8::1")},
	"guest":          {User: "x_partner.example#EXT#@contoso.onmicrosoft.com", Resources: []string{"00000003-0000-0000-c000-000000000000"}},
	"nobody":         {User: "nobody@contoso.onmicrosoft.com", Resources: []string{"00000003-0000-0000-c000-000000000000"}},
	"nothing":        {User: account},
	"unknown action": {User: account, UserAction: "urn:user:dance"},
	"no principal":   {ServicePrincipal: "app", Resources: []string{"x"}},
}

// Questions are as testdata/questions.txtar has them, with what they cannot say.
func TestAsk(t *testing.T) {
	a, err := txtar.ParseFile("testdata/questions.txtar")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range a.Files {
		in, ok := signIns[f.Name]
		if !ok {
			t.Errorf("there is no sign-in %q", f.Name)
		}
		seen[f.Name] = true
		var b strings.Builder
		if q, err := whatif.Ask(tenant(), in); err != nil {
			fmt.Fprintf(&b, "refused: %v\n", err)
		} else {
			fmt.Fprintf(&b, "%s\n", q.Body)
			for _, u := range q.Unsaid {
				fmt.Fprintf(&b, "not asked: %s\n", u)
			}
		}
		if b.String() != string(f.Data) {
			t.Errorf("%s:\n%swant\n%s", f.Name, b.String(), f.Data)
		}
	}
	for name := range signIns {
		if !seen[name] {
			t.Errorf("%s is not in the file", name)
		}
	}
}

// What is told whole is asked whole: the question says the sign-in that was meant.
func TestAskedIsMeant(t *testing.T) {
	list := []access.SignIn{signIns["whole"]}
	for _, s := range whatif.Samples(account) {
		list = append(list, s.SignIn)
	}
	for _, in := range list {
		q, err := whatif.Ask(tenant(), in)
		if err != nil || len(q.Unsaid) > 0 {
			t.Fatalf("%+v: %v, %v", in, err, q)
		}
		in.User, in.MFATrusted = account, truth.False
		if !reflect.DeepEqual(q.Asked, in) {
			t.Errorf("asked\n%+v, meant\n%+v", q.Asked, in)
		}
	}
}

// The requests of Microsoft's own examples are understood, and so are all that Ask writes;
// what is not understood is refused.
func TestSignIn(t *testing.T) {
	for name, in := range signIns {
		if q, err := whatif.Ask(tenant(), in); err == nil {
			if _, err := whatif.SignIn(q.Body); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for body, want := range map[string]string{
		`{`: "the request cannot be read",
		`{"signInIdentity":{"@odata.type":"#microsoft.graph.userSubject","userId":"x"}}`:                                                                                                                                                    "of who signs in",
		`{"signInIdentity":{"@odata.type":"#microsoft.graph.userSignIn","userId":"x"},"signInContext":{"@odata.type":"#microsoft.graph.whatIfApplicationContext","includeApplications":["x"]}}`:                                             "of what is signed in to",
		`{"signInIdentity":{"@odata.type":"#microsoft.graph.userSignIn","userId":"x"},"signInContext":{"@odata.type":"#microsoft.graph.userActionContext","userAction":"dance"}}`:                                                           "of what is signed in to",
		`{"signInIdentity":{"@odata.type":"#microsoft.graph.userSignIn","userId":"x"},"signInContext":{"@odata.type":"#microsoft.graph.authContext","authenticationContextValue":"c1"},"moon":"full"}`:                                      "unknown field",
		`{"signInIdentity":{"@odata.type":"#microsoft.graph.userSignIn","userId":"x"},"signInContext":{"@odata.type":"#microsoft.graph.authContext","authenticationContextValue":"c1"},"signInConditions":{"ipAddress":"here"}}`:            "which is none",
		`{"signInIdentity":{"@odata.type":"#microsoft.graph.userSignIn","userId":"x"},"signInContext":{"@odata.type":"#microsoft.graph.authContext","authenticationContextValue":"c1"},"signInConditions":{"deviceInfo":{"colour":"red"}}}`: "which is not known",
	} {
		if _, err := whatif.SignIn([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	text, err := os.ReadFile("../../../shared/samples/whatif_examples.ndjson")
	if os.IsNotExist(err) {
		t.Log("Microsoft's examples are not here")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var x struct{ Request json.RawMessage }
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		in, err := whatif.SignIn(x.Request)
		if err != nil || in.User == "" || in.UserAction == "" || in.Country == "" {
			t.Errorf("%s: %+v, %v", x.Request, in, err)
		}
	}
}

// Whatever stands in a request, reading it ends in a sign-in or an error, and what was
// read can be asked and read again to the same.
func FuzzSignIn(f *testing.F) {
	for _, in := range signIns {
		if q, err := whatif.Ask(tenant(), in); err == nil {
			f.Add(q.Body)
		}
	}
	f.Add([]byte(`{"signInConditions":{"deviceInfo":{"physicalIds":["x"]}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := whatif.SignIn(body)
		if err != nil {
			return
		}
		q, err := whatif.Ask(tenant(), in)
		if err != nil {
			return // what Ask would not write
		}
		again, err := whatif.Ask(tenant(), q.Asked)
		if err != nil || string(again.Body) != string(q.Body) {
			t.Errorf("%s\nasked again: %v\n%s", q.Body, err, again.Body)
		}
	})
}

// Each way in which two answers may stand to each other.
func TestCompare(t *testing.T) {
	s, err := directory.FromPolicies([]byte(`[
 {"id":"ca000000-0000-4000-8000-000000000001","displayName":"all","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]}}},
 {"id":"ca000000-0000-4000-8000-000000000002","displayName":"mobile","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]},"platforms":{"includePlatforms":["iOS"]}}},
 {"id":"ca000000-0000-4000-8000-000000000003","displayName":"moon","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]},"moonPhase":"full"}}]`))
	if err != nil {
		t.Fatal(err)
	}
	in := access.SignIn{User: account, Resources: []string{"00000003-0000-0000-c000-000000000000"}, Platform: "windows"}
	d := access.NewEvaluator(s).Evaluate(in)
	for _, c := range []struct {
		policy, answer string
		want           whatif.Match
		says           string
	}{
		{"1", `"policyApplies":true,"analysisReasons":"notSet"`, whatif.Same, "applies"},
		{"1", `"policyApplies":false,"analysisReasons":"users"`, whatif.Differs, "applies (users: included by All users) here, and does not apply (users) by Graph"},
		{"1", `"policyApplies":false,"analysisReasons":"notEnoughInformation"`, whatif.Incomparable, "Graph was not told enough"},
		{"1", `"policyApplies":null`, whatif.Incomparable, "Graph does not say whether it applies"},
		{"2", `"policyApplies":false,"analysisReasons":"devicePlatform"`, whatif.Same, "does not apply"},
		{"2", `"policyApplies":false,"analysisReasons":"application,devicePlatform"`, whatif.Same, "does not apply"},
		{"2", `"policyApplies":false,"analysisReasons":"location"`, whatif.Otherwise, "does not apply (platforms: iOS) here, and does not apply (location) by Graph"},
		{"2", `"policyApplies":true`, whatif.Differs, "here, and applies by Graph"},
		{"3", `"policyApplies":true`, whatif.Incomparable, "may apply (conditions: not known: moonPhase) here, and applies by Graph"},
		{"4", `"displayName":"four","policyApplies":true`, whatif.Incomparable, "the snapshot does not hold it"},
	} {
		id := "ca000000-0000-4000-8000-00000000000" + c.policy
		answer, err := directory.DecodeEvaluation([]byte(`{"value":[{"id":"` + strings.ToUpper(id) + `",` + c.answer + `}]}`))
		if err != nil {
			t.Fatal(err)
		}
		got := whatif.Compare(d, answer)
		i := slices.IndexFunc(got.Rows, func(r whatif.Row) bool { return r.Policy == id })
		if i < 0 || got.Rows[i].Match != c.want || !strings.Contains(got.Rows[i].String(), c.says) {
			t.Errorf("%s %s: %+v", c.policy, c.answer, got.Rows)
		}
		if got.Count(c.want) == 0 || c.policy != "4" && len(got.Rows) != 3 {
			t.Errorf("%s %s: %d rows", c.policy, c.answer, len(got.Rows))
		}
	}
	for _, bad := range []string{"", "{}", `{"error":{"code":"AccessDenied"}}`, `{"value":[{"id":7}]}`, `{"value":[],"@odata.nextLink":"x"}`, "[] []"} {
		if list, err := directory.DecodeEvaluation([]byte(bad)); err == nil {
			t.Errorf("%q is taken for an answer: %v", bad, list)
		}
	}
	// About an authentication context Graph is told no resource.
	in = access.SignIn{User: account, Context: "c1"}
	answer := []directory.EvaluationResult{{Policy: "ca000000-0000-4000-8000-000000000001", Applies: truth.False, Reasons: []string{"application"}}}
	if got := whatif.Compare(access.NewEvaluator(s).Evaluate(in), answer).Rows[0]; got.Match != whatif.Incomparable {
		t.Errorf("%+v", got)
	}
}
