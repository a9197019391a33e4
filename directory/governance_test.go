package directory_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward/directory"
	"glassward/directory/truth"
)

// Parts about what may remove, suspect or trap an account, as Graph answers them.
func TestGovernance(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"riskyUsers": `{"value":[{"id":"EA000000-0000-4000-8000-000000000001","isDeleted":false,"riskLevel":"HIGH","riskState":"atRisk","riskDetail":"none","riskLastUpdatedDateTime":"2026-05-01T08:00:00Z","userPrincipalName":"ea-01@contoso.onmicrosoft.com"}]}`,
		"accessReviewDefinitions": `{"value":[{"id":"r1","displayName":"Roles","status":"InProgress","scope":{"query":"/groups/9a000000-0000-4000-8000-000000000001/members"},"instanceEnumerationScope":null,
			"settings":{"autoApplyDecisionsEnabled":true,"defaultDecisionEnabled":false,"defaultDecision":"recommendation","recurrence":{}}},{"id":"r2","settings":{}}]}`,
		"lifecycleWorkflows":   `{"value":[{"id":"w1","displayName":"Goodbye","category":"leaver","isEnabled":true,"isSchedulingEnabled":false,"executionConditions":{"scope":{"rule":"(department eq 'Sales')"},"trigger":{}}}]}`,
		"roleManagementAlerts": `{"value":[{"id":"a1","alertDefinitionId":"DirectoryRole_t_StaleSignInAlert","incidentCount":2,"isActive":true,"alertIncidents":[{"@odata.type":"#microsoft.graph.staleSignInAlertIncident","id":"i1","assigneeId":"EA000000-0000-4000-8000-000000000002"}]}]}`,
		"privilegedAccessGroupEligibilityScheduleInstances": `{"responses":[{"id":"9a000000-0000-4000-8000-000000000001","status":200,"body":{"value":[{"id":"e1","groupId":"9a000000-0000-4000-8000-000000000001","principalId":"AD000000-0000-4000-8000-000000000003","accessId":"OWNER","startDateTime":"2026-01-01T00:00:00Z","endDateTime":null}]}},
			{"id":"9a000000-0000-4000-8000-000000000002","status":403,"body":{"error":{"code":"PermissionScopeNotGranted"}}}]}`,
		"resourceActions":                 `{"value":[{"id":"p1","name":"microsoft.directory/conditionalAccessPolicies/delete","authenticationContextId":"c3"},{"id":"p2","name":"microsoft.directory/namedLocations/delete","authenticationContextId":null}]}`,
		"groupSettings":                   `{"value":[{"id":"g1","displayName":"Password Rule Settings","templateId":"5CF42378-D67D-4F36-BA46-E8B86229381D","values":[{"name":"LockoutThreshold","value":"7"}]}]}`,
		"authenticationMethodsPolicyBeta": "{\"id\": \"x\",\n \"description\": \"a \\\" b\", \"systemCredentialPreferences\":{\"state\":\"Default\",\"includeTargets\":[{\"targetType\":\"group\",\"id\":\"all_users\"}],\"excludeTargets\":[]},\"reportSuspiciousActivitySettings\":{\"state\":\"disabled\",\"includeTarget\":{\"targetType\":\"group\",\"id\":\"all_users\"}}}",
		"authenticationMethodsPolicy":     `{"id":"x","reconfirmationInDays":180,"authenticationMethodConfigurations":[{"id":"X509Certificate","state":"enabled","authenticationModeConfiguration":{"x509CertificateAuthenticationDefaultMode":"x509CertificateMultiFactor","rules":[]}}]}`,
		"subscribedSkus":                  `{"value":[{"skuId":"84a661c4-e949-4bd2-a560-ed7766fcaf2b","skuPartNumber":"AAD_PREMIUM_P2","capabilityStatus":"lockedOut","servicePlans":[]}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := directory.Open(dir, directory.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Problems() {
		t.Error(p)
	}
	c := s.Contents()
	const group, hidden = "9a000000-0000-4000-8000-000000000001", "9a000000-0000-4000-8000-000000000002"
	check := func(what string, want, have any) {
		t.Helper()
		// What is not known stands in Extra and is not looked at here.
		if diff := cmp.Diff(want, have, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Extra" }, cmp.Ignore())); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	check("risky users", []*directory.RiskyUser{{ID: "ea000000-0000-4000-8000-000000000001", UPN: "ea-01@contoso.onmicrosoft.com", Level: "high", State: "atRisk", Detail: "none", Updated: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}}, c.RiskyUsers)
	check("reviews", []*directory.AccessReview{
		{ID: "r1", DisplayName: "Roles", Status: "InProgress", Scope: []json.RawMessage{json.RawMessage(`{"query":"/groups/9a000000-0000-4000-8000-000000000001/members"}`)}, AutoApply: truth.True, DefaultEnabled: truth.False, DefaultDecision: "Recommendation"},
		{ID: "r2"},
	}, c.AccessReviews)
	check("workflows", []*directory.LifecycleWorkflow{{ID: "w1", DisplayName: "Goodbye", Category: "leaver", Enabled: truth.True, Scheduled: truth.False, Rule: "(department eq 'Sales')"}}, c.LifecycleWorkflows)
	check("alerts", []*directory.RoleAlert{{ID: "a1", Definition: "DirectoryRole_t_StaleSignInAlert", Active: truth.True, Count: 2, Incidents: []directory.RoleAlertIncident{{ID: "i1", Kind: "staleSignInAlertIncident", Assignee: "ea000000-0000-4000-8000-000000000002"}}}}, c.RoleAlerts)
	check("eligible members", map[string][]directory.GroupSchedule{group: {{ID: "e1", Group: group, Principal: "ad000000-0000-4000-8000-000000000003", Access: "owner", Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}}}, c.GroupEligibilities)
	check("protected actions", []*directory.ProtectedAction{{ID: "p1", Name: "microsoft.directory/conditionalAccessPolicies/delete", Context: "c3"}, {ID: "p2", Name: "microsoft.directory/namedLocations/delete"}}, c.ProtectedActions)
	check("settings", []*directory.GroupSetting{{ID: "g1", DisplayName: "Password Rule Settings", Template: directory.PasswordRuleSettings, Values: map[string]string{"LockoutThreshold": "7"}}}, c.GroupSettings)
	everybody := []directory.Target{{Kind: "group", ID: "all_users"}}
	check("system-preferred", &directory.MethodPreference{State: "default", Include: everybody}, c.BetaMethods.SystemPreferred)
	check("suspicious", &directory.MethodPreference{State: "disabled", Include: everybody}, c.BetaMethods.SuspiciousReports)
	check("size without white space", len(`{"id":"x","description":"a \" b","systemCredentialPreferences":{"state":"Default","includeTargets":[{"targetType":"group","id":"all_users"}],"excludeTargets":[]},"reportSuspiciousActivitySettings":{"state":"disabled","includeTarget":{"targetType":"group","id":"all_users"}}}`), c.BetaMethods.Size)
	if m := c.Methods; m.ReconfirmationDays != 180 || !m.TellsReconfirmation || m.SystemPreferred != nil || m.Configurations[0].CertificateMode != "x509CertificateMultiFactor" || len(m.Configurations[0].Extra.Names()) > 0 {
		t.Errorf("%+v, %+v", m, m.Configurations[0])
	}
	check("licence", "LockedOut", c.Licences[0].Status)
	for object, want := range map[string]directory.State{group: directory.Read, hidden: directory.Unread, "9a000000-0000-4000-8000-00000000000f": directory.Unread} {
		if r := s.Reading(directory.GroupEligibilities, object); r.State != want {
			t.Errorf("%s: %+v, want %s", object, r, want)
		}
	}
}
