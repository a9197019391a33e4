package cloud_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"glassward/internal/entrasim"
)

// A question to What If that Graph would not take is refused in its words, and one that it
// takes is answered in its shape.
func TestWhatIf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, unlimited)
		defer b.c.Close()
		const (
			who     = `"signInIdentity":{"@odata.type":"#microsoft.graph.userSignIn","userId":"` + entrasim.EA01 + `"}`
			what    = `"signInContext":{"@odata.type":"#microsoft.graph.applicationContext","includeApplications":["00000003-0000-0000-c000-000000000000"]}`
			how     = `"signInConditions":{"devicePlatform":"windows","clientAppType":"browser","ipAddress":"198.51.100.7"}`
			unknown = "When a model is available, each type name must resolve to a valid type."
		)
		post := func(body string) (int, []byte) {
			status, _, answer, _ := b.ask(request{method: http.MethodPost, url: b.e.Graph + "/v1.0/identity/conditionalAccess/evaluate", body: body})
			return status, answer
		}
		for body, want := range map[string]string{
			"{":                          "Unable to read JSON request payload.",
			`{` + who + `,` + how + `}`:  "The parameter 'signInContext' is required.",
			`{` + what + `,` + how + `}`: "The parameter 'signInIdentity' is required.",
			`{` + who + `,` + what + `}`: "The parameter 'signInConditions' is required.",
			`{` + who + `,"signInContext":{},` + how + `}`:                                                                                                unknown,
			`{` + who + `,"signInContext":"portal",` + how + `}`:                                                                                          "the value of 'signInContext' is no object",
			`{"signInIdentity":{"@odata.type":"#microsoft.graph.userSubject"},` + what + `,` + how + `}`:                                                  "A type named 'microsoft.graph.userSubject' could not be resolved by the model. " + unknown,
			`{` + who + `,"signInContext":{"@odata.type":"#microsoft.graph.whatIfApplicationContext"},` + how + `}`:                                       "microsoft.graph.whatIfApplicationContext",
			`{` + who + `,"signInContext":{"@odata.type":"#microsoft.graph.userActionContext","userAction":"urn:user:registersecurityinfo"},` + how + `}`: "Cannot convert the literal 'urn:user:registersecurityinfo'",
			`{` + who + `,` + what + `,"signInConditions":{"platform":"windows"}}`:                                                                        "The property 'platform' does not exist on type 'microsoft.graph.signInConditions'.",
			`{` + who + `,` + what + `,"signInConditions":{"devicePlatform":"unknown"}}`:                                                                  "Cannot convert the literal 'unknown'",
			`{` + who + `,` + what + `,"signInConditions":{"deviceInfo":{"colour":"red"}}}`:                                                               "The property 'colour' does not exist on type 'microsoft.graph.deviceInfo'.",
			`{` + who + `,` + what + `,"signInConditions":{"ipAddress":"here"}}`:                                                                          "The value 'here' of the property 'ipAddress' is not valid.",
		} {
			if status, answer := post(body); status != 400 || !strings.Contains(wordsOf(answer), want) {
				t.Errorf("%s: %d %s", body, status, answer)
			}
		}
		if status, answer := post(strings.Replace(`{`+who+`,`+what+`,`+how+`}`, entrasim.EA01, "ea000000-0000-4000-8000-00000000000f", 1)); status != 404 {
			t.Errorf("of nobody: %d %s", status, answer)
		}
		if status, _, answer, _ := b.ask(request{url: b.e.Graph + "/v1.0/identity/conditionalAccess/evaluate"}); status != http.StatusMethodNotAllowed {
			t.Errorf("GET: %d %s", status, answer)
		}
		for only, n := range map[string]int{"false": 3, "true": 1} {
			status, answer := post(`{` + who + `,` + what + `,` + how + `,"appliedPoliciesOnly":` + only + `}`)
			var said struct {
				Context string `json:"@odata.context"`
				Value   []struct {
					ID, DisplayName, State, AnalysisReasons string
					PolicyApplies                           *bool
					Conditions                              json.RawMessage
				}
			}
			if err := json.Unmarshal(answer, &said); err != nil || status != 200 || len(said.Value) != n || !strings.HasSuffix(said.Context, "#Collection(microsoft.graph.whatIfAnalysisResult)") {
				t.Fatalf("%d %v: %s", status, err, answer)
			}
			for _, p := range said.Value {
				if p.ID == "" || p.Conditions == nil || p.PolicyApplies == nil || *p.PolicyApplies != (p.AnalysisReasons == "notSet") || *p.PolicyApplies != strings.HasPrefix(p.DisplayName, "CA003") {
					t.Errorf("%+v", p)
				}
			}
		}
		b.c.Faults().Refuse(b.w.Tenant().ID, "Policy.Read.All", true)
		if status, answer := post(`{` + who + `,` + what + `,` + how + `}`); status != 403 || !strings.HasPrefix(wordsOf(answer), "AccessDenied: ") {
			t.Errorf("without the permission: %d %s", status, answer)
		}
	})
}

// Groups that hold each other are told as Graph tells them: a transitive list holds who is
// in a group of a group, once.
func TestNestedGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, unlimited)
		defer b.c.Close()
		inner := b.w.AddGroup("inner", false, entrasim.EA01, entrasim.EA02)
		outer := b.w.AddGroup("outer", false, inner, entrasim.EA01)
		for path, want := range map[string][]string{
			"/groups/" + outer + "/members":                                                                {inner, entrasim.EA01},
			"/groups/" + outer + "/transitiveMembers":                                                      {inner, entrasim.EA01, entrasim.EA02},
			"/groups/" + outer + "/transitiveMembers/microsoft.graph.user":                                 {entrasim.EA01, entrasim.EA02},
			"/groups/" + inner + "/memberOf":                                                               {outer},
			"/users/" + entrasim.EA02 + "/memberOf/microsoft.graph.group":                                  {inner, "+Emergency accounts"},
			"/users/" + entrasim.EA02 + "/transitiveMemberOf/microsoft.graph.group":                        {inner, outer, "+Emergency accounts"},
			"/users/" + b.w.Emergency()[1].UserPrincipalName + "/transitiveMemberOf/microsoft.graph.group": {inner, outer, "+Emergency accounts"},
		} {
			status, _, body, _ := b.ask(request{url: b.e.Graph + "/v1.0" + path})
			var page struct {
				Value []struct{ ID, DisplayName string }
			}
			if err := json.Unmarshal(body, &page); err != nil || status != 200 || len(page.Value) != len(want) {
				t.Errorf("%s: %d %s", path, status, body)
				continue
			}
			for _, x := range page.Value {
				found := false
				for _, w := range want {
					found = found || x.ID == w || "+"+x.DisplayName == w
				}
				if !found {
					t.Errorf("%s holds %s", path, x.DisplayName)
				}
			}
		}
	})
}
