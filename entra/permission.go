package entra

import (
	"encoding/json"
	"slices"
	"strings"
)

// Well-known application ids of the services that permissions belong to.
const (
	GraphAppID    = "00000003-0000-0000-c000-000000000000"
	ActivityAppID = "c5393580-f805-4401-95e8-94b7a6ef2fc2"
)

// A Use is what a permission is needed for.
type Use string

// The uses.
const (
	UseLogs     Use = "logs"     // the Graph road
	UseRisk     Use = "risk"     // risk detections and risky users by Graph
	UseActivity Use = "activity" // the Management Activity road
	UseSelf     Use = "self"     // the watch over our own application
	UseAccounts Use = "accounts" // choosing accounts from a list
	UseRoles    Use = "roles"    // knowing who holds directory roles
	// UseProtection is looking at what protects the emergency accounts (sources.directory),
	// with the permissions for choosing accounts and knowing roles.
	UseProtection Use = "protection"
	UseSnapshot   Use = "snapshot" // a snapshot of the whole directory; it makes use of the others too
	UseLicence    Use = "licence"  // where the licence check of the service fails without it
)

// A Permission is an application permission that Glassward may ask for. None of
// them can write.
type Permission struct {
	Value   string  // e.g. "AuditLog.Read.All"
	Service Service // whose it is
	AppID   string  // the service's application id
	ID      string  // the permission's id in the service's application
	Use     Use
	For     string // what it lets us read
	Without string // what is lost without it
}

// Permissions lists every permission that Glassward may ask for, the most
// needed first.
func Permissions() []Permission {
	graph := func(value, id string, use Use, what, without string) Permission {
		return Permission{value, Graph, GraphAppID, id, use, what, without}
	}
	return []Permission{
		graph("AuditLog.Read.All", "b0afded3-3588-46d8-8b3d-9842eff778da", UseLogs,
			"sign-ins, directory audits and provisioning", "nothing comes by Microsoft Graph"),
		graph("IdentityRiskEvent.Read.All", "6e472fd1-ad78-48da-a0f0-97ab2c6b769e", UseRisk,
			"risk detections", "no risk detections come by Microsoft Graph"),
		graph("IdentityRiskyUser.Read.All", "dc5007c0-2d7d-4c42-879c-2dab87571379", UseRisk,
			"risky users", "no changes of users' risk come by Microsoft Graph"),
		{"ActivityFeed.Read", Activity, ActivityAppID, "594c1fb6-4f81-4475-ae41-0c394909246c", UseActivity,
			"the unified audit log", "nothing comes by the Management Activity API, the road of tenants without P1"},
		graph("Application.Read.All", "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30", UseSelf,
			"our own application: its credentials, owners and consents", "nobody notices that a credential or an owner was added to our application, or that its certificate ends"),
		graph("Organization.Read.All", "498476ce-e0fe-48b0-b801-37ba7e2685c6", UseSelf,
			"the tenant's name and licences", "a lost licence is noticed only when a road ends"),
		graph("User.Read.All", "df021288-bdef-4463-88db-98f22de89214", UseAccounts,
			"users, to choose the emergency accounts from a list", "accounts must be declared by typing their object ids"),
		graph("RoleManagement.Read.Directory", "483bed4a-2ad3-4361-a73b-c83ccdbdc53c", UseRoles,
			"who holds directory roles, to propose accounts and to see that the pulse's account holds none", "no accounts are proposed, and the pulse cannot be seen to be harmless"),
		graph("Policy.Read.All", "246dd0d5-5bd0-4def-940b-0421030a5b68", UseProtection,
			"Conditional Access, authentication methods and strengths, security defaults, per-user MFA", "no verdict on whether an account gets in: what would block it is not known"),
		graph("UserAuthenticationMethod.Read.All", "38d9df27-64da-44fd-b7c5-a6fbac20248f", UseProtection,
			"which methods the emergency accounts and the holders of roles have registered", "it is unknown whether an account can satisfy what a policy demands"),
		graph("GroupMember.Read.All", "98830695-27a2-44f7-8c18-0c3ebc9698f6", UseProtection,
			"groups, their members and owners", "whom a policy includes or excludes by a group is unknown"),
		graph("Member.Read.Hidden", "658aa5d8-239f-45c4-aa12-864f4fc7e490", UseProtection,
			"members of groups with hidden membership", "who is in those groups is unknown"),
		graph("AdministrativeUnit.Read.All", "134fd756-38ce-4afd-ba33-e9623dbe66c2", UseProtection,
			"administrative units and who is in them", "whether restricted management protects the accounts is unknown"),
		graph("RoleManagementPolicy.Read.Directory", "fdc4c997-9942-4479-bfcb-75a36d1138df", UseProtection,
			"the rules of Privileged Identity Management", "whether activating a role can deadlock is unknown"),
		graph("Domain.Read.All", "dbb9058a-0e50-45d7-ae91-66909b5d4664", UseProtection,
			"domains, managed or federated", "whether an account depends on another identity provider is unknown"),
		graph("DelegatedPermissionGrant.Read.All", "81b4724a-58aa-41c1-8a55-84ef97466587", UseSnapshot,
			"delegated permissions that were given to applications", "which applications may act in people's names is unknown"),
		graph("AccessReview.Read.All", "d07a8cc0-3d51-4b77-b3b0-32704d1f69fa", UseProtection,
			"reviews of access", "whether a review takes the accounts or their role away is unknown"),
		graph("LifecycleWorkflows.Read.All", "7c67316a-232a-4b84-be22-cea2c0906404", UseProtection,
			"workflows for people who come, move and leave", "whether one disables the accounts is unknown"),
		graph("RoleManagementAlert.Read.Directory", "ef31918f-2d50-4755-8943-b8638c0a077e", UseSnapshot,
			"alerts of Privileged Identity Management", "whom they are about is unknown"),
		graph("PrivilegedEligibilitySchedule.Read.AzureADGroup", "edb419d6-7edc-42a3-9345-509bfdf5d87c", UseSnapshot,
			"who may activate a membership of a group", "whether a member must be activated first is unknown"),
		graph("PrivilegedAssignmentSchedule.Read.AzureADGroup", "cd4161cb-f098-48f8-a884-1eda9a42434c", UseSnapshot,
			"until when memberships of groups last", "whether a member is one for good is unknown"),
		graph("GroupSettings.Read.All", "f3c4f514-c65a-43f5-bfce-1735872258dd", UseSnapshot,
			"settings for all groups, among which smart lockout stands", "how easily guessing locks an account is unknown"),
		graph("Directory.Read.All", "7ab1d382-f21e-4acd-a863-ba3e13f7da61", UseLicence,
			"the directory; ask for it only where a licensed tenant is told that it has no licence", "in some tenants, sign-ins by Microsoft Graph"),
	}
}

// Needs gives the values of the permissions for some uses.
func Needs(uses ...Use) []string {
	var values []string
	for _, p := range Permissions() {
		if slices.Contains(uses, p.Use) {
			values = append(values, p.Value)
		}
	}
	return values
}

// RequiredAccess writes permissions as the manifest of an application
// registration has them (requiredResourceAccess), which the portal and
// "az ad app create --required-resource-accesses" take. Values that are not in
// Permissions are left out.
func RequiredAccess(values ...string) []byte {
	type access struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	}
	type resource struct {
		AppID  string   `json:"resourceAppId"`
		Access []access `json:"resourceAccess"`
	}
	resources := []*resource{}
	for _, p := range Permissions() {
		if !slices.Contains(values, p.Value) {
			continue
		}
		i := slices.IndexFunc(resources, func(r *resource) bool { return r.AppID == p.AppID })
		if i < 0 {
			i = len(resources)
			resources = append(resources, &resource{AppID: p.AppID})
		}
		resources[i].Access = append(resources[i].Access, access{p.ID, "Role"})
	}
	b, err := json.MarshalIndent(resources, "", "  ")
	if err != nil {
		panic(err) // strings and slices only
	}
	return b
}

// permissionFor names the permission that a request needs; empty if unknown.
func permissionFor(service, doing string) string {
	if service == string(Activity) {
		return "ActivityFeed.Read"
	}
	if service != string(Graph) {
		return ""
	}
	for _, p := range []struct{ path, value string }{
		{"/auditLogs/", "AuditLog.Read.All"},
		{"/identity/conditionalAccess/", "Policy.Read.All"},
		{"/identityGovernance/accessReviews", "AccessReview.Read.All"},
		{"/identityGovernance/lifecycleWorkflows", "LifecycleWorkflows.Read.All"},
		{"/identityGovernance/roleManagementAlerts", "RoleManagementAlert.Read.Directory"},
		{"/identityGovernance/privilegedAccess/group/assignment", "PrivilegedAssignmentSchedule.Read.AzureADGroup"},
		{"/identityGovernance/privilegedAccess/group", "PrivilegedEligibilitySchedule.Read.AzureADGroup"},
		{"/policies/roleManagementPolicyAssignments", "RoleManagementPolicy.Read.Directory"},
		{"/policies/", "Policy.Read.All"},
		{"/authentication/", "UserAuthenticationMethod.Read.All"},
		{"/administrativeUnits", "AdministrativeUnit.Read.All"},
		{"/oauth2PermissionGrants", "DelegatedPermissionGrant.Read.All"},
		{"/domains", "Domain.Read.All"},
		{"/identityProtection/riskDetections", "IdentityRiskEvent.Read.All"},
		{"/identityProtection/riskyUsers", "IdentityRiskyUser.Read.All"},
		{"/identityProtection/riskyServicePrincipals", "IdentityRiskyServicePrincipal.Read.All"},
		{"/identityProtection/servicePrincipalRiskDetections", "IdentityRiskyServicePrincipal.Read.All"},
		{"/microsoft.graph.directoryRole", "RoleManagement.Read.Directory"},
		{"/roleManagement/", "RoleManagement.Read.Directory"},
		{"/applications", "Application.Read.All"},
		{"/servicePrincipals", "Application.Read.All"},
		{"/organization", "Organization.Read.All"},
		{"/subscribedSkus", "Organization.Read.All"},
		{"/groups", "GroupMember.Read.All"},
		{"/users", "User.Read.All"},
	} {
		if strings.Contains(doing, p.path) {
			return p.value
		}
	}
	return ""
}

// readsOnly reports whether a permission surely cannot write: one of its parts
// is Read, ReadBasic and the like. What is not known to be harmless is not.
func readsOnly(value string) bool {
	for part := range strings.SplitSeq(value, ".") {
		switch part {
		case "Read", "ReadBasic", "ReadDlp":
			return true
		}
	}
	return false
}
