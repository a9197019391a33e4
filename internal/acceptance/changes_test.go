package acceptance_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward/daemon"
	directorygraph "glassward/directory/graph"
	"glassward/internal/entrasim"
)

// lookingHouse is a tenant whose directory is looked at, with its group and its
// restricted unit declared; the logs come by Graph.
func lookingHouse() setting {
	rates := entrasim.Calm()
	return setting{
		world:  entrasim.Options{Seed: 12, Users: 30, Rates: &rates},
		tenant: "sources: {graph: {streams: [directoryAudits], since: 1h}, directory: {}}\n",
		before: func(v *virtual) {
			for _, p := range directorygraph.ProtectionPermissions() {
				v.world.Grant(entrasim.GlasswardApp, p)
			}
			v.world.Revoke(entrasim.GlasswardApp, "Directory.Read.All") // it would show everything, whatever is taken
			v.world.Grant(entrasim.GlasswardApp, "Organization.Read.All")
			v.world.Grant(entrasim.GlasswardApp, "Application.Read.All")
			groups, _ := v.world.Objects("groups")
			var group struct{ ID string }
			if err := json.Unmarshal(groups[0], &group); err != nil {
				v.t.Fatal(err)
			}
			objects := fmt.Sprintf("protectedObjects:\n  - {objectId: %s, kind: group, name: Break-glass}\n", group.ID)
			for _, o := range v.world.Protected() {
				if o.Kind == "restrictedUnit" {
					objects += fmt.Sprintf("  - {objectId: %s, kind: %s, name: %s}\n", o.ID, o.Kind, o.Name)
				}
			}
			v.write(tenantPath, strings.Replace(v.text(tenantPath), "emergencyAccounts:\n", objects+"emergencyAccounts:\n", 1))
			// Both were used lately: an account that lies unused is told at the first look.
			for _, u := range v.world.Emergency() {
				v.world.SetLastSignIn(u.ID, time.Now())
			}
		},
	}
}

// What no log tells is told all the same; what a log tells later is amended by a record
// of its own and pages in the same incident; a restart finds what happened meanwhile, and
// what could not be read is neither gone nor lost.
func TestChangesAreRecords(t *testing.T) {
	t.Parallel()
	virtually(t, lookingHouse(), func(v *virtual) {
		do := func(steps ...string) {
			t.Helper()
			v.world.Advance(time.Now())
			for _, s := range steps {
				if err := v.world.Do(s); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := func(query string, rows ...string) {
			t.Helper()
			var got []string
			for _, r := range v.rows(query) {
				got = append(got, strings.Join(r, " | "))
			}
			if !slices.Equal(got, rows) {
				t.Errorf("%s\nhave\n  %s\nwant\n  %s", query, strings.Join(got, "\n  "), strings.Join(rows, "\n  "))
			}
		}
		time.Sleep(20 * time.Minute)
		want("GlasswardChanges") // the first look is what the others are compared with

		do("silently unit remove EA-02 by petra")
		time.Sleep(7 * time.Minute)
		want("GlasswardChanges | where ObjectKind == 'administrativeUnit' | project OperationName, Change, Property, Element, AuditRecord, LastSeen < FirstSeen, FirstSeen - LastSeen < 7m",
			"Changed | removed | members | "+entrasim.EA02+" | none | true | true")
		if log := v.rows("AuditLogs | where OperationName has 'unit'"); len(log) != 0 {
			t.Errorf("the log tells of it: %v", log)
		}

		// While that incident is open it is looked at each minute.
		do("silently method add EA-01 phone by petra")
		time.Sleep(2 * time.Minute)
		want("GlasswardChanges | where Property == 'authentication.methods' | project Change, ObjectId, tostring(After.type), AuditRecord",
			"added | "+entrasim.EA01+" | phoneAuthenticationMethod | none")

		// What a log tells, it tells later than the look.
		do("group add helga by petra")
		time.Sleep(2 * time.Minute)
		want("GlasswardChanges | where ObjectKind == 'group' | project OperationName, Change, AuditRecord", "Changed | added | none")
		time.Sleep(40 * time.Minute)
		want("GlasswardChanges | where ObjectKind == 'group' | order by TimeGenerated asc | project OperationName, AuditRecord == 'none', AuditOperation, AuditInitiator has 'petra'",
			"Changed | true |  | false", "Explained | false | Add member to group | true")
		want("GlasswardChanges | where ObjectKind == 'group' | summarize dcount(ChangeId)", "1")
		// The rule over the log tells who did it, in the incident of what was seen.
		in := map[string]int64{}
		for _, x := range v.tales(t) {
			in[x.rule] = x.incident
		}
		if n := in["Protecting group otherwise, seen in the directory"]; n == 0 || in["Protecting group changed"] != n {
			t.Errorf("the incidents are %v", in)
		}
		if in["Restricted administrative unit otherwise, seen in the directory"] == 0 || in["Emergency account authentication method, seen in the directory"] == 0 {
			t.Errorf("what no log tells is not told: %v", in)
		}

		// What happens while nothing runs is found after the restart.
		v.stop()
		do("silently policy set \"CA003 Emergency accounts: security key, short session\" disabled by petra")
		v.start()
		time.Sleep(7 * time.Minute)
		want("GlasswardChanges | where ObjectKind == 'conditionalAccessPolicy' and Property == 'state' | project tostring(Before), tostring(After)", "enabled | disabled")

		// Refused is not gone, and what happened behind it is told afterwards.
		v.world.Revoke(entrasim.GlasswardApp, "UserAuthenticationMethod.Read.All")
		time.Sleep(3 * time.Hour)
		want("GlasswardChanges | where Property == 'authentication.methods' | summarize count()", "1")
		want("GlasswardHealth | where Condition == 'directory' | project Status, Subject", "Warning | UserAuthenticationMethod.Read.All")
		do("silently method remove EA-01 phone by petra")
		time.Sleep(time.Hour)
		v.world.Grant(entrasim.GlasswardApp, "UserAuthenticationMethod.Read.All")
		time.Sleep(3 * time.Hour)
		want("GlasswardChanges | where Property == 'authentication.methods' | order by TimeGenerated asc | project Change", "added", "removed")
		want("GlasswardHealth | where Condition == 'directory' | order by TimeGenerated asc | project Status", "Warning", "Success")
		want("GlasswardChanges | summarize n = count() by Id | where n > 1")
	})
}

// The alarm path in Azure is switched off, and no activity log is taken in: it is told by
// what stands there.
func TestTheAlarmPathIsLookedAt(t *testing.T) {
	t.Parallel()
	house := lookingHouse()
	house.tenant = "sources: {graph: {streams: [directoryAudits], since: 1h}, directory: {subscriptions: [" + entrasim.AzureSubscription + "]}}\n"
	before := house.before
	house.before = func(v *virtual) {
		before(v)
		p, _ := v.world.ServicePrincipal(entrasim.GlasswardApp)
		v.world.AssignAzure(p.ID, "Monitoring Reader", "/subscriptions/"+entrasim.AzureSubscription)
	}
	virtually(t, house, func(v *virtual) {
		time.Sleep(20 * time.Minute)
		if rows := v.rows("GlasswardChanges"); len(rows) != 0 {
			t.Errorf("nothing was changed, and told is %v", rows)
		}
		v.world.Advance(time.Now())
		v.world.DeleteAzure(entrasim.AzureAlertRule)
		time.Sleep(7 * time.Minute)
		rows := v.rows("GlasswardChanges | project ObjectKind, Change, Property, AuditRecord, ObjectId =~ '" + entrasim.AzureAlertRule + "'")
		if len(rows) != 1 || strings.Join(rows[0], " ") != "scheduledQueryRules removed  none true" {
			t.Errorf("a deleted alert rule: %v", rows)
		}
		told := v.tales(t)
		if len(told) != 1 || told[0].rule != "Alarm path in Azure otherwise, seen there" {
			t.Errorf("told was %v", told)
		}
		// Sentinel's rule goes too. The times at which records came are another at each look, and no change.
		v.world.Advance(time.Now())
		v.world.DeleteAzure(entrasim.AzureAnalyticsRule)
		time.Sleep(7 * time.Minute)
		rows = v.rows("GlasswardChanges | where ObjectKind != 'scheduledQueryRules' | project ObjectKind, Change, Property, ObjectId =~ '" + entrasim.AzureAnalyticsRule + "'")
		if len(rows) != 1 || strings.Join(rows[0], " ") != "alertRules removed  true" {
			t.Errorf("a deleted analytics rule: %v", rows)
		}
		if told := v.tales(t); len(told) != 2 || told[1].rule != "Alarm path in Azure otherwise, seen there" {
			t.Errorf("told was %v", told)
		}
		if rows := v.rows("GlasswardHealth | where Condition == 'directory'"); len(rows) != 0 {
			t.Errorf("nothing is refused, and told is %v", rows)
		}
	})
}

// A policy for everybody that no log tells of: the account does not get in any more, and
// that is told as well as the policy.
func TestWhetherAccountsGetInIsLookedAt(t *testing.T) {
	t.Parallel()
	virtually(t, lookingHouse(), func(v *virtual) {
		time.Sleep(20 * time.Minute)
		v.world.Advance(time.Now())
		if err := v.world.Do(`silently policy add "CA900 Compliant devices" enabled by petra`); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Minute)
		var got []string
		for _, x := range v.tales(t) {
			got = append(got, x.rule+": "+x.title)
		}
		slices.Sort(got)
		want := []string{
			"Conditional Access policy otherwise, seen in the directory: Conditional Access policy CA900 Compliant devices: added, seen in the directory",
			"Emergency account no longer gets in as before: Emergency account EA-01 does not get in any more",
			"Emergency account no longer gets in as before: Emergency account EA-02 does not get in any more",
		}
		if !slices.Equal(got, want) {
			t.Errorf("told was\n  %s\n%v", strings.Join(got, "\n  "), v.rows("GlasswardChanges | where Property == 'verdict' | project tostring(Before), tostring(After)"))
		}
	})
}

// A service principal that is kept for emergencies gets a secret, an owner and an issuer,
// and is disabled in the end, and no log tells of any of it.
func TestEmergencyServicePrincipalIsLookedAt(t *testing.T) {
	t.Parallel()
	house := lookingHouse()
	before := house.before
	house.before = func(v *virtual) {
		before(v)
		p, _ := v.world.ServicePrincipal(entrasim.EmergencyApp)
		v.write(tenantPath, strings.Replace(v.text(tenantPath), "emergencyAccounts:\n", "emergencyAccounts:\n  - {objectId: "+p.ID+", name: Automation, kind: servicePrincipal}\n", 1))
	}
	virtually(t, house, func(v *virtual) {
		told := func(want ...string) {
			t.Helper()
			time.Sleep(7 * time.Minute)
			var got []string
			for _, x := range v.tales(t) {
				got = append(got, x.title)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("told was\n  %s\nnot\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
		}
		time.Sleep(20 * time.Minute)
		told()
		v.world.AddSecret(entrasim.EmergencyApp, entrasim.Secret{Text: "s", From: time.Now(), To: time.Now().AddDate(1, 0, 0)})
		v.world.AddOwner(entrasim.EmergencyApp, entrasim.Admin)
		v.world.AddFederation(entrasim.EmergencyApp, entrasim.Federation{Issuer: "https://token.actions.example", Subject: "repo:somebody/else", Audience: "api://AzureADTokenExchange"})
		want := []string{
			"Emergency service principal Automation: a secret of its application added, seen in the directory",
			"Emergency service principal Automation: an issuer that it trusts added, https://token.actions.example for repo:somebody/else, seen in the directory",
			"Emergency service principal Automation: owner " + entrasim.Admin + " added, seen in the directory",
			"Emergency service principal Automation: owner " + entrasim.Admin + " of its application added, seen in the directory",
		}
		told(want...)
		v.world.SetEnabled(entrasim.EmergencyApp, false)
		told(append(want, "Emergency account Automation does not get in any more", "Emergency service principal Automation: is disabled, seen in the directory")...)
		if rows := v.rows("GlasswardChanges | where AuditRecord != 'none'"); len(rows) != 0 {
			t.Errorf("a log tells of it: %v", rows)
		}
	})
}

// What is wrong and differs in nothing is told: at the first look what was wrong before it,
// later what comes true by time; once, and again where it was put right and recurs.
func TestWhatIsWrongIsTold(t *testing.T) {
	t.Parallel()
	house := lookingHouse()
	house.tenant = "sources: {graph: {streams: [directoryAudits], since: 1h}, directory: {drillDays: 1, models: [2fc0579f-8113-47ea-b116-bb5a8db9202a, 833b721a-ff5f-4d00-bb2e-bdda3ec01e29]}}\n"
	before := house.before
	house.before = func(v *virtual) {
		before(v)
		if err := v.world.Do("silently method add EA-02 key by petra"); err != nil {
			v.t.Fatal(err)
		}
		v.world.SetLastSignIn(entrasim.EA01, time.Now())
		// One day and fourteen will have gone by in forty minutes.
		v.world.SetLastSignIn(entrasim.EA02, time.Now().Add(-16*24*time.Hour+40*time.Minute))
	}
	virtually(t, house, func(v *virtual) {
		seen := map[string]int{}
		told := func(want ...string) {
			t.Helper()
			var got []string
			for _, x := range v.tales(t) {
				got = append(got, x.title)
			}
			now := map[string]int{}
			for _, title := range got {
				now[title]++
			}
			for _, title := range want {
				seen[title]++
			}
			if !maps.Equal(now, seen) {
				t.Errorf("told was\n  %s\n%v", strings.Join(got, "\n  "), v.rows("GlasswardChanges | project Property, Element, Change, tostring(After)"))
			}
		}
		const key = "Authenticator of somebody (00000000-0000-0000-0000-000000000000)"
		time.Sleep(20 * time.Minute)
		told("Emergency account EA-02: key "+key+" is of no approved model", "Emergency account EA-02: key is not attested: "+key+": notAttested")
		time.Sleep(30 * time.Minute)
		const unused = "Emergency account EA-02 last signed in 16 days ago, more than 15"
		told(unused)
		v.world.SetLastSignIn(entrasim.EA02, time.Now().Add(-17*24*time.Hour))
		time.Sleep(5 * time.Minute) // a day more is no news
		told()
		v.world.SetLastSignIn(entrasim.EA02, time.Now())
		time.Sleep(7 * time.Minute)
		told()
		if rows := v.rows("GlasswardChanges | where Element == 'ACC-14' | order by TimeGenerated asc | project Change, isnull(LastSeen)"); len(rows) != 2 || rows[1][0] != "removed" {
			t.Errorf("it was put right: %v", rows)
		}
		v.world.SetLastSignIn(entrasim.EA02, time.Now().Add(-16*24*time.Hour))
		time.Sleep(7 * time.Minute)
		told(unused)

		// A review that would take an account away, told again after it has ended and begun anew.
		for range 2 {
			v.world.Review("Idle accounts", "/users/"+entrasim.EA01)
			time.Sleep(7 * time.Minute)
			told("Access review: Idle accounts reviews " + v.world.Emergency()[0].UserPrincipalName + " and removes whom nobody reviewed: default Deny, applied by itself")
			v.world.EndReviews()
			time.Sleep(7 * time.Minute)
			told()
		}
		// What cannot be read is not put right.
		n := len(v.rows("GlasswardChanges"))
		v.world.Revoke(entrasim.GlasswardApp, "UserAuthenticationMethod.Read.All")
		v.world.Revoke(entrasim.GlasswardApp, "AuditLog.Read.All")
		time.Sleep(75 * time.Minute) // until the token that shows it has ended
		v.stop()
		v.start()
		time.Sleep(7 * time.Minute)
		if rows := v.rows("GlasswardChanges | where AuditRecord == 'none'"); len(rows) != n {
			t.Errorf("%d records, and there were %d", len(rows), n)
		}
	})
}

// Where the last look is gone, that is told; the next is the first again, and what differs
// from it is told as ever.
func TestALookThatIsGone(t *testing.T) {
	t.Parallel()
	virtually(t, lookingHouse(), func(v *virtual) {
		time.Sleep(20 * time.Minute)
		v.stop()
		looks, err := filepath.Glob(filepath.Join(daemon.WorkspaceDir(v.data(), entrasim.TenantID), "directory", "*"))
		if err != nil || len(looks) != 1 {
			t.Fatalf("the looks are %v, %v", looks, err)
		}
		if err := os.RemoveAll(looks[0]); err != nil {
			t.Fatal(err)
		}
		v.start()
		time.Sleep(7 * time.Minute)
		if rows := v.rows("GlasswardHealth | where Condition == 'directory-lost' | project Status"); len(rows) != 1 || rows[0][0] != "Failure" {
			t.Errorf("a look that is gone: %v", rows)
		}
		v.world.Advance(time.Now())
		if err := v.world.Do("silently group add helga by petra"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Minute)
		if rows := v.rows("GlasswardChanges | project ObjectKind, Property, Change"); len(rows) != 1 || strings.Join(rows[0], " ") != "group members added" {
			t.Errorf("after it: %v", rows)
		}
	})
}
