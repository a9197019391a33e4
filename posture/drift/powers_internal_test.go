package drift

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glassward/directory"
	"glassward/directory/change"
	"glassward/directory/truth"
)

// Every kind that a comparison knows has a line, or is one of those that never protect an
// account; and every line can be read.
func TestPowers(t *testing.T) {
	table, err := powers()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{
		change.User, change.DeletedUser, change.Group, change.AdministrativeUnit, change.RoleDefinition, change.RolePolicy, change.Policy,
		change.NamedLocation, change.AuthenticationContext, change.Strength, change.MethodsPolicy, change.MethodConfiguration,
		change.SecurityDefaults, change.AuthorizationPolicy, change.Domain, change.DiagnosticSetting, change.Workspace,
		change.AlertRule, change.ActionGroup, change.ProcessingRule, change.Lock, "roleAssignableGroup",
	} {
		if _, ok := powerOver(table, kind, ""); !ok {
			t.Errorf("nobody can change a %s", kind)
		}
	}
	for _, x := range [][3]string{
		{change.User, "accountEnabled", "microsoft.directory/users/disable"},
		{change.User, "authentication.methods", "microsoft.directory/users/authenticationMethods/create"},
		{change.User, "displayName", "microsoft.directory/users/basic/update"},
		{change.Group, "roleAssignments", "microsoft.directory/roleAssignments/allProperties/allTasks"},
		{change.Group, "members", "microsoft.directory/groups/members/update"},
	} {
		p, _ := powerOver(table, x[0], x[1])
		if !slices.Contains(p.actions, x[2]) {
			t.Errorf("%s %s takes %v, not %s", x[0], x[1], p.actions, x[2])
		}
	}
	for _, bad := range []string{"user | a | b", "user | Nobody | | |", "user | | | | Nobody"} {
		if _, err := parsePowers(bad); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q is read: %v", bad, err)
		}
	}
}

func TestAllows(t *testing.T) {
	const needs = "microsoft.directory/groups/members/update"
	for has, want := range map[string]bool{
		"microsoft.directory/groups/members/update":                true,
		"Microsoft.Directory/Groups/Members/Update":                true,
		"microsoft.directory/groups/allProperties/allTasks":        true,
		"microsoft.directory/groups/allProperties/update":          true,
		"microsoft.directory/groups/allTasks":                      true,
		"microsoft.directory/groups/members/read":                  false,
		"microsoft.directory/groups/allProperties/read":            false,
		"microsoft.directory/groups.unified/members/update":        false,
		"microsoft.office365.groups/groups/members/update":         false,
		"microsoft.directory/groupSettings/allProperties/allTasks": false,
		"": false,
	} {
		if got := allows(has, needs); got != want {
			t.Errorf("%s allows %s: %v", has, needs, got)
		}
	}
}

// Who could change something: every way of holding what it takes, and nobody else.
func TestHands(t *testing.T) {
	const tenantWide = "/"
	c := directory.Contents{
		Readings: map[directory.Part]directory.Reading{}, ObjectReadings: map[directory.Part]map[string]directory.Reading{},
		Users: []*directory.User{
			{ID: "nora", UPN: "nora@contoso.example"}, {ID: "omar", UPN: "omar@contoso.example"}, {ID: "pia", UPN: "pia@contoso.example"},
			{ID: "quin", UPN: "quin@contoso.example"}, {ID: "rosa", UPN: "rosa@contoso.example"},
		},
		Groups:      []*directory.Group{{ID: "admins", DisplayName: "Admins"}, {ID: "inner", DisplayName: "Inner"}, {ID: "bg", DisplayName: "break-glass"}},
		Members:     map[string][]directory.Ref{"admins": {{ID: "omar"}, {ID: "inner"}}, "inner": {{ID: "pia"}, {ID: "admins"}}, "bg": {}},
		Owners:      map[string][]directory.Ref{"bg": {{ID: "quin"}}, "admins": {}, "inner": {}},
		Units:       []*directory.AdministrativeUnit{{ID: "unit", DisplayName: "Emergency"}, {ID: "other", DisplayName: "Other"}},
		UnitMembers: map[string][]directory.Ref{"unit": {{ID: "bg"}}, "other": {}},
		Roles: []*directory.RoleDefinition{
			{ID: builtIn["Groups Administrator"], TemplateID: builtIn["Groups Administrator"], DisplayName: "Groups Administrator", BuiltIn: truth.True, Enabled: truth.True},
			{ID: "own", DisplayName: "Keeper", BuiltIn: truth.False, Enabled: truth.True, Actions: []string{"microsoft.directory/groups.security/members/update"}},
			{ID: "off", DisplayName: "Off", BuiltIn: truth.False, Enabled: truth.False, Actions: []string{"microsoft.directory/groups.security/members/update"}},
			{ID: "reader", DisplayName: "Reader", BuiltIn: truth.False, Enabled: truth.True, Actions: []string{"microsoft.directory/groups/members/read"}},
		},
		Schedules: []*directory.RoleAssignment{
			{Principal: "nora", Role: directory.GlobalAdministrator, Scope: tenantWide, Type: "Assigned"},
			{Principal: "admins", Role: builtIn["Groups Administrator"], Scope: tenantWide, Type: "Activated"},
			{Principal: "quin", Role: "own", Scope: "/administrativeUnits/unit", Type: "Assigned"},
			{Principal: "rosa", Role: "own", Scope: "/administrativeUnits/other", Type: "Assigned"},
			{Principal: "rosa", Role: "off", Scope: tenantWide, Type: "Assigned"},
			{Principal: "rosa", Role: "reader", Scope: tenantWide, Type: "Assigned"},
		},
		Eligibilities: []*directory.RoleAssignment{{Principal: "rosa", Role: builtIn["Groups Administrator"], Scope: tenantWide}},
		ServicePrincipals: []*directory.ServicePrincipal{
			{ID: "graph", DisplayName: "Microsoft Graph", Roles: []directory.AppRole{{ID: "r1", Value: "GroupMember.ReadWrite.All"}, {ID: "r2", Value: "User.Read.All"}}},
			{ID: "sync", DisplayName: "Sync"}, {ID: "viewer", DisplayName: "Viewer"},
		},
		AppRoleAssignments: []*directory.AppRoleAssignment{{Principal: "sync", Resource: "graph", Role: "r1"}, {Principal: "viewer", Resource: "graph", Role: "r2"}},
		AzureAssignments: []*directory.AzureAssignment{
			{Principal: "omar", Role: azureRoles["Monitoring Contributor"], Scope: "/subscriptions/s"},
			{Principal: "pia", Role: azureRoles["Owner"], Scope: "/subscriptions/other"},
			{Principal: "quin", Role: "acdd72a7-3385-48ef-bd42-f606fba81ae7", Scope: "/subscriptions/s"},
		},
	}
	for _, p := range directory.Parts() {
		c.Readings[p] = directory.Reading{State: directory.Read}
	}
	table, err := powers()
	if err != nil {
		t.Fatal(err)
	}
	said := func(c directory.Contents, kind, property, id string) string {
		p, ok := powerOver(table, kind, property)
		if !ok {
			t.Fatalf("no line for %s %s", kind, property)
		}
		list, missing := newFinder(directory.New(c)).hands(p, kind, property, id)
		var b strings.Builder
		for _, h := range merge(list, list) {
			b.WriteString(h.Kind + " " + h.Name + ": " + h.How + "\n")
		}
		for _, m := range missing {
			b.WriteString("missing " + string(m) + "\n")
		}
		return b.String()
	}
	want := `servicePrincipal Sync: application permission GroupMember.ReadWrite.All
user nora@contoso.example: Global Administrator, assigned
user omar@contoso.example: Groups Administrator, activated, through Admins
user pia@contoso.example: Groups Administrator, activated, through Admins
user quin@contoso.example: Keeper, assigned, over Emergency
user quin@contoso.example: owner of break-glass
user rosa@contoso.example: Groups Administrator, eligible
`
	if diff := cmp.Diff(want, said(c, change.Group, "members", "bg")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("user omar@contoso.example: Monitoring Contributor in Azure at /subscriptions/s\n", said(c, change.AlertRule, "properties.enabled", "/subscriptions/s/r1")); diff != "" {
		t.Error(diff)
	}
	// What was not read is named: there may be others.
	for _, p := range []directory.Part{directory.RoleEligibilities, directory.AppRoleAssignments, directory.GroupMembers, directory.GroupOwners, directory.Roles} {
		part := c
		part.Readings = map[directory.Part]directory.Reading{}
		for _, x := range directory.Parts() {
			if x != p {
				part.Readings[x] = directory.Reading{State: directory.Read}
			}
		}
		if got := said(part, change.Group, "members", "bg"); !strings.HasSuffix(got, "missing "+string(p)+"\n") {
			t.Errorf("without %s:\n%s", p, got)
		}
	}
}

// A hand that only one snapshot shows is marked.
func TestMerge(t *testing.T) {
	a, b, c := Hand{ID: "a", Name: "Ada", How: "x"}, Hand{ID: "b", Name: "Bo", How: "x"}, Hand{ID: "c", Name: "Cy", How: "x"}
	got := merge([]Hand{b, a}, []Hand{c, b})
	a.When, c.When = "before", "after"
	if diff := cmp.Diff([]Hand{a, b, c}, got); diff != "" {
		t.Error(diff)
	}
}
