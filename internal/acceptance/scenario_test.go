package acceptance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/console"
	"glassward/incident"
	"glassward/internal/entrasim"
	"glassward/rule"
)

// TestScenarios plays each story on a tenant that otherwise lives calmly, before
// the whole daemon: what is shipped must tell what the story's file foretells, and
// nothing else.
func TestScenarios(t *testing.T) {
	t.Parallel()
	rules, err := rule.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string][]string{}
	for _, r := range rules {
		tables[r.Name] = r.Tables
	}
	for _, s := range part(entrasim.Scenarios(), 3) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			// Only what the story's rules read is asked for: the others' silence is
			// tested elsewhere, and time is dear.
			streams := []string{}
			for _, a := range s.Alerts {
				for _, table := range tables[a.Rule] {
					stream := map[string]string{"SigninLogs": "signIns", "AADNonInteractiveUserSignInLogs": "nonInteractiveSignIns", "AADServicePrincipalSignInLogs": "servicePrincipalSignIns", "AuditLogs": "directoryAudits"}[table]
					if !slices.Contains(streams, stream) {
						streams = append(streams, stream)
					}
				}
			}
			playStory(t, s, "sources: {graph: {streams: ["+strings.Join(streams, ", ")+"], since: 1h}}\n", 2*time.Hour)
		})
	}
	// Without a licence for Graph's sign-ins the same is told, later.
	t.Run("S1 by the Management Activity API", func(t *testing.T) {
		t.Parallel()
		playStory(t, entrasim.Scenario("S1"), "sources: {activity: {}}\n", 8*time.Hour)
	})
	if !racing {
		t.Run("S10 with people", func(t *testing.T) {
			t.Parallel()
			playSeal(t, entrasim.Scenario("S10"))
		})
	}
}

// A tale is an alert as people are told of it, with the incident that it is in.
type tale struct {
	rule, title string
	incident    int64
}

// storyHouse is a tenant on which a story can be played, with everything declared that
// stories are about.
func storyHouse(sources string) setting {
	rates := entrasim.Calm()
	return setting{
		world:  entrasim.Options{Seed: 12, Users: 30, Rates: &rates},
		tenant: sources,
		before: func(v *virtual) {
			p, _ := v.world.ServicePrincipal(entrasim.EmergencyApp)
			objects := "places: [{country: NO}]\nprotectedObjects:\n"
			for _, o := range v.world.Protected() {
				objects += fmt.Sprintf("  - {objectId: %s, kind: %s, name: %s}\n", o.ID, o.Kind, o.Name)
			}
			v.write(tenantPath, strings.Replace(v.text(tenantPath), "emergencyAccounts:\n", objects+fmt.Sprintf("emergencyAccounts:\n  - {objectId: %s, name: EA-09, userPrincipalName: %s, kind: decoy}\n  - {objectId: %s, name: %s, kind: servicePrincipal}\n", v.world.Decoy().ID, v.world.Decoy().UserPrincipalName, p.ID, p.DisplayName), 1))
		},
	}
}

func playStory(t *testing.T, s *entrasim.Story, sources string, patience time.Duration) {
	virtually(t, storyHouse(sources), func(v *virtual) {
		time.Sleep(5 * time.Minute)
		begin := time.Now()
		v.world.Advance(begin)
		v.world.Begin(s, begin)
		last := 0
		for _, a := range s.Alerts {
			last = max(last, a.Minute)
		}
		time.Sleep(time.Duration(last) * time.Minute)
		var told []tale
		for end := time.Now().Add(patience); len(told) < len(s.Alerts) && time.Now().Before(end); {
			time.Sleep(5 * time.Minute)
			told = v.tales(t)
		}
		time.Sleep(10 * time.Minute) // what must not come has its time, too
		told = v.tales(t)

		var got []string
		for _, x := range told {
			got = append(got, x.rule+": "+x.title)
		}
		if wrong := amiss(s, got); len(wrong) > 0 {
			slices.Sort(got)
			t.Errorf("told was\n  %s\nwrong are\n  %s", strings.Join(got, "\n  "), strings.Join(wrong, "\n  "))
			return
		}
		if got, want := incidents(s, told), foretold(s); !slices.Equal(got, want) {
			t.Errorf("the incidents are\n  %s\nforetold were\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
		}
	})
}

// playSeal plays S10 with the people who are in it: half an hour after the
// use its follow-up is done and the incident is closed, and six hours after it a token
// of the closed session is a live session after the seal. One that comes within the
// hour that a revocation takes is none.
func playSeal(t *testing.T, s *entrasim.Story) {
	const rule = "Emergency account used after its seal"
	virtually(t, storyHouse("sources: {graph: {streams: [signIns, nonInteractiveSignIns, directoryAudits], since: 1h}}\n"), func(v *virtual) {
		time.Sleep(5 * time.Minute)
		begin := time.Now()
		v.world.Advance(begin)
		v.world.Begin(s, begin)
		time.Sleep(30 * time.Minute)
		for end := begin.Add(2 * time.Hour); len(v.tales(t)) < 3 && time.Now().Before(end); {
			time.Sleep(5 * time.Minute)
		}
		v.finish(t, 1)
		time.Sleep(30 * time.Minute)
		v.world.Advance(time.Now())
		if err := v.world.Do("token EA-01 0 session sealed"); err != nil {
			t.Fatal(err)
		}
		sealed := v.rows("GlasswardAudit | where OperationName == 'seal account' | project Actor, Target, Detail")
		if len(sealed) != 1 || sealed[0][0] != "rut" || sealed[0][1] != entrasim.EA01 || !strings.Contains(sealed[0][2], "incident 1 closed as TruePositive; sessions ") {
			t.Fatalf("the seal is %q", sealed)
		}
		time.Sleep(time.Until(begin.Add(360 * time.Minute)))
		after := func() (out []tale) {
			for _, x := range v.tales(t) {
				if x.rule == rule {
					out = append(out, x)
				}
			}
			return out
		}
		if early := after(); len(early) > 0 {
			t.Errorf("within the hour of the revocation it is told %v", early)
		}
		for end := begin.Add(8 * time.Hour); len(after()) == 0 && time.Now().Before(end); {
			time.Sleep(5 * time.Minute)
		}
		time.Sleep(10 * time.Minute)
		told := after()
		foretold := slices.IndexFunc(s.Incidents, func(x entrasim.Expectation) bool { return x.Kind == "D07" })
		if len(told) != 1 || !like(s.Incidents[foretold].Title, told[0].title) || told[0].incident == 1 {
			t.Fatalf("told was %v", told)
		}
		// What else is told of that token is in the same incident, which pages as P1.
		for _, x := range v.tales(t) {
			if strings.Contains(x.title, "without a sign-in") && x.incident != told[0].incident {
				t.Errorf("%v is in another incident", x)
			}
		}
		var c console.Case
		if err := v.call("GET", fmt.Sprintf("/v1/workspaces/%s/incidents/%d", entrasim.TenantName, told[0].incident), nil, &c); err != nil {
			t.Fatal(err)
		}
		if c.Incident.Severity != glassward.High || !slices.Contains(c.Incident.Accounts, entrasim.EA01) || c.Incident.Status == glassward.StatusClosed {
			t.Errorf("its incident is %+v", c.Incident)
		}
	})
}

// finish does the tasks of an incident, and has somebody else review and close it.
func (v *virtual) finish(t *testing.T, number int64) {
	t.Helper()
	path := fmt.Sprintf("/v1/workspaces/%s/incidents/%d", entrasim.TenantName, number)
	act := func(action string, a console.Action) {
		t.Helper()
		body, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.call("POST", path+"/"+action, bytes.NewReader(body), new(any)); err != nil {
			t.Fatal(err)
		}
	}
	var c console.Case
	if err := v.call("GET", path, nil, &c); err != nil {
		t.Fatal(err)
	}
	for _, task := range c.Incident.Tasks {
		who := "petra"
		if task.Kind == glassward.TaskReview {
			who = "rut"
		}
		act("task", console.Action{By: who, Task: task.Number, Comment: "done"})
	}
	act("close", console.Action{By: "rut", Classification: glassward.TruePositive, ClassificationReason: "SuspiciousActivity", Comment: "a lock-out, and over"})
}

// amiss gives what of the alerts, each a rule's name and a title, was told and not
// foretold, or the other way round.
func amiss(s *entrasim.Story, told []string) []string {
	left := slices.Clone(told)
	for _, a := range s.Alerts {
		pattern := a.Rule + ": " + a.Title
		if i := slices.IndexFunc(left, func(x string) bool { return like(pattern, x) }); i >= 0 {
			left = slices.Delete(left, i, i+1)
		} else {
			left = append(left, "missing: "+pattern)
		}
	}
	return left
}

// foretold gives the incidents of a story, each as its alerts; incidents does so
// for what was told, in the story's words.
func foretold(s *entrasim.Story) []string {
	in := map[string][]string{}
	for _, a := range s.Alerts {
		in[a.Incident] = append(in[a.Incident], a.Rule+": "+a.Title)
	}
	return bundles(in)
}

func incidents(s *entrasim.Story, told []tale) []string {
	in := map[int64][]string{}
	for _, x := range told {
		// Several foretold alerts may be worded alike, in several incidents: the words are the same.
		i := slices.IndexFunc(s.Alerts, func(a entrasim.ExpectedAlert) bool {
			return like(a.Rule+": "+a.Title, x.rule+": "+x.title)
		})
		in[x.incident] = append(in[x.incident], s.Alerts[i].Rule+": "+s.Alerts[i].Title)
	}
	return bundles(in)
}

func bundles[K comparable](in map[K][]string) (out []string) {
	for _, list := range in {
		slices.Sort(list)
		out = append(out, strings.Join(list, " + "))
	}
	slices.Sort(out)
	return out
}

// tales gives the alerts of the rules, those of Glassward's own health left out.
func (v *virtual) tales(t *testing.T) []tale {
	t.Helper()
	var list struct{ Value []glassward.Incident }
	if err := v.call("GET", "/v1/workspaces/"+entrasim.TenantName+"/incidents", nil, &list); err != nil {
		t.Fatal(err)
	}
	var out []tale
	for _, i := range list.Value {
		if i.MergedInto != 0 {
			continue // it goes on there
		}
		var c console.Case
		if err := v.call("GET", fmt.Sprintf("/v1/workspaces/%s/incidents/%d", entrasim.TenantName, i.Number), nil, &c); err != nil {
			t.Fatal(err)
		}
		for _, a := range c.Alerts {
			if a.RuleID != incident.HealthRule {
				out = append(out, tale{a.RuleName, a.Title, i.Number})
			}
		}
	}
	return out
}
