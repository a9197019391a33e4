package acceptance_test

import (
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
}

// A tale is an alert as people are told of it, with the incident that it is in.
type tale struct {
	rule, title string
	incident    int64
}

func playStory(t *testing.T, s *entrasim.Story, sources string, patience time.Duration) {
	rates := entrasim.Calm()
	set := setting{
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
	virtually(t, set, func(v *virtual) {
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
