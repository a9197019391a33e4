package cloud_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// Each part of the directory is refused in the words of the service that keeps it,
// as soon as the permission for it is taken away.
func TestWhatIsRefusedWithoutPermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, unlimited)
		defer b.c.Close()
		tenant := b.w.Tenant().ID
		for _, p := range permissions {
			b.c.Faults().Refuse(tenant, p, true)
		}
		const user = "/v1.0/users/" + entrasim.EA01
		for path, want := range map[string]string{
			user + "?$select=id":                                             "Authorization_RequestDenied: Insufficient privileges to complete the operation.",
			user + "/authentication/methods":                                 "accessDenied: Request Authorization failed",
			"/v1.0/groups":                                                   "Authorization_RequestDenied: Insufficient privileges to complete the operation.",
			"/v1.0/policies/authorizationPolicy":                             "AccessDenied: You cannot perform the requested operation, required scopes are missing in the token.",
			"/v1.0/identity/conditionalAccess/policies":                      "AccessDenied: You cannot perform the requested operation, required scopes are missing in the token.",
			"/v1.0/roleManagement/directory/roleAssignmentScheduleInstances": "PermissionScopeNotGranted: Authorization failed due to missing permission scope RoleAssignmentSchedule.Read.Directory,RoleManagement.Read.All,RoleManagement.Read.Directory.",
			"/v1.0/policies/roleManagementPolicyAssignments?$filter=scopeId eq '/' and scopeType eq 'DirectoryRole'": "PermissionScopeNotGranted: Authorization failed due to missing permission scope RoleManagementPolicy.Read.Directory,RoleManagement.Read.Directory,RoleManagement.Read.All.",
		} {
			status, _, body, _ := b.ask(request{url: b.e.Graph + path})
			if said := wordsOf(body); status != 403 || said != want {
				t.Errorf("%s: %d %s", path, status, said)
			}
		}
		b.c.Faults().Refuse(tenant, "Directory.Read.All", false)
		status, _, body, _ := b.ask(request{url: b.e.Graph + "/v1.0/users?$select=id,signInActivity"})
		if said := wordsOf(body); status != 403 || said != "Authentication_MSGraphPermissionMissing: Calling principal does not have required MSGraph permissions AuditLog.Read.All" {
			t.Errorf("%d %s", status, said)
		}
		for _, p := range permissions {
			b.c.Faults().Refuse(tenant, p, false)
		}
		b.w.SetLicence(entrasim.PremiumP1, false)
		status, _, body, _ = b.ask(request{url: b.e.Graph + "/v1.0/users?$select=id,signInActivity"})
		if said := wordsOf(body); status != 403 || !strings.HasPrefix(said, "Authentication_RequestFromNonPremiumTenantOrB2CTenant: ") {
			t.Errorf("%d %s", status, said)
		}
		status, _, body, _ = b.ask(request{url: b.e.Graph + "/v1.0/roleManagement/directory/roleEligibilityScheduleInstances"})
		if said := wordsOf(body); status != 400 || !strings.HasPrefix(said, "AadPremiumLicenseRequired: ") {
			t.Errorf("%d %s", status, said)
		}
	})
}

func wordsOf(body []byte) string {
	var e struct {
		Error struct{ Code, Message string }
	}
	_ = json.Unmarshal(body, &e) // what is no error has no words
	return e.Error.Code + ": " + e.Error.Message
}

// What is shown only if it is selected or expanded is not shown otherwise, and pages
// that tell when people signed in are short.
func TestWhatIsShownOnlyIfAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := entrasim.NewWorld(entrasim.Options{Seed: 1, Start: time.Now(), Users: 700})
		w.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "s"})
		w.Grant(entrasim.GlasswardApp, "RoleManagement.Read.Directory")
		b := &bench{t: t, w: w, c: cloud.New(cloud.Options{Worlds: []*entrasim.World{w}, Limits: unlimited}), tokens: map[string]string{}}
		defer b.c.Close()
		b.hc, b.e = b.c.Pipe()
		b.tokens[b.e.Graph] = accessToken(t, b.hc, b.e, w, b.e.Graph)
		const rules = "/v1.0/policies/roleManagementPolicyAssignments?$filter=scopeId eq '/' and scopeType eq 'DirectoryRole'"
		const strengths = "/v1.0/policies/authenticationStrengthPolicies"
		for _, x := range []struct {
			path, text string
			shown      bool
		}{
			{"/v1.0/users", "signInActivity", false}, {"/v1.0/users", "passwordProfile", false},
			{"/v1.0/users?$select=id,passwordProfile", "forceChangePasswordNextSignIn", true},
			{rules, "Approval_EndUser_Assignment", false}, {rules + "&$expand=policy($expand=rules)", "Approval_EndUser_Assignment", true},
			{strengths, "allowedAAGUIDs", false}, {strengths + "?$expand=combinationConfigurations", "allowedAAGUIDs", true},
		} {
			status, _, body, _ := b.ask(request{url: b.e.Graph + x.path})
			if status != 200 || strings.Contains(string(body), x.text) != x.shown {
				t.Errorf("%s: %d, %s shown: %v", x.path, status, x.text, !x.shown)
			}
		}
		for query, want := range map[string][]int{"$select=id&$top=999": {712}, "$select=id,signInActivity&$top=999": {120, 120, 120, 120, 120, 112}, "$select=id&$top=500": {500, 212}} {
			var sizes []int
			seen := map[string]bool{}
			for next := b.e.Graph + "/v1.0/users?" + query; next != ""; {
				_, _, body, _ := b.ask(request{url: next})
				var page struct {
					Next  string `json:"@odata.nextLink"`
					Value []struct{ ID string }
				}
				if err := json.Unmarshal(body, &page); err != nil {
					t.Fatalf("%v: %s", err, body)
				}
				for _, u := range page.Value {
					seen[u.ID] = true
				}
				sizes, next = append(sizes, len(page.Value)), page.Next
			}
			if len(seen) != 712 || len(sizes) != len(want) || sizes[len(sizes)-1] != want[len(want)-1] {
				t.Errorf("%s: pages of %v, %d people", query, sizes, len(seen))
			}
		}
	})
}
