package graph

import (
	"slices"

	"glassward/directory"
)

// each says for which objects a part is read.
type each uint8

const (
	once            each = iota
	ofGroups             // every group
	ofGates              // groups that can hold roles or that a policy names
	ofUnits              // every administrative unit
	ofPrincipals         // every service principal
	ofPeople             // the accounts that were named, and who holds a role
	ofAccounts           // the accounts that were named
	ofShields            // units that were named or are restricted
	ofExclusions         // groups that were named or that a policy excludes
	ofNamed              // the service principals that were named
	ofDeclared           // the same, once they were read
	ofClients            // their application ids
	ofRegistrations      // their applications in this tenant
)

// A request is how a part is asked for.
type request struct {
	part directory.Part
	path string // of an object's part with {id} and without the version, as $batch has it
	// permission is the least that Graph asks for.
	permission string
	single     bool // one object, no list
	each       each
	beta       bool
}

const (
	userFields = "id,userPrincipalName,displayName,accountEnabled,userType,creationType,createdDateTime,onPremisesSyncEnabled,onPremisesImmutableId,passwordPolicies,passwordProfile," +
		"lastPasswordChangeDateTime,assignedLicenses,mail,otherMails,mobilePhone,employeeId,jobTitle,department,isManagementRestricted,identities"
	// signInActivity needs a permission and a licence of its own, and makes pages an
	// eighth as long.
	activityField      = ",signInActivity"
	activityPermission = "AuditLog.Read.All"
	groupFields        = "id,displayName,isAssignableToRole,securityEnabled,mailEnabled,groupTypes,membershipRule,membershipRuleProcessingState,onPremisesSyncEnabled,visibility,isManagementRestricted"
	principalFields    = "id,appId,displayName,servicePrincipalType,accountEnabled,appOwnerOrganizationId,appRoles,keyCredentials,passwordCredentials"
	applicationFields  = "id,appId,displayName,signInAudience,keyCredentials,passwordCredentials"
	unitFields         = "id,displayName,isMemberManagementRestricted,membershipType,membershipRule,visibility"
	roleAlertQuery     = "$filter=scopeId%20eq%20'/'%20and%20scopeType%20eq%20'DirectoryRole'&$expand=alertIncidents"
	rolePolicyQuery    = "$filter=scopeId%20eq%20'/'%20and%20scopeType%20eq%20'DirectoryRole'&$expand=policy($expand=rules)"
)

// requests are what is asked of Graph, in an order in which whatever a part needs of
// another comes before it.
func requests() []request {
	return []request{
		{part: directory.Organization, path: "/v1.0/organization?$select=id,displayName,verifiedDomains", permission: "Organization.Read.All"},
		{part: directory.Policies, path: "/v1.0/identity/conditionalAccess/policies", permission: "Policy.Read.All"},
		{part: directory.BetaPolicies, path: "/beta/identity/conditionalAccess/policies", permission: "Policy.Read.All", beta: true},
		{part: directory.DeletedPolicies, path: "/v1.0/identity/conditionalAccess/deletedItems/policies", permission: "Policy.Read.All"},
		{part: directory.Locations, path: "/v1.0/identity/conditionalAccess/namedLocations", permission: "Policy.Read.All"},
		{part: directory.AuthenticationContexts, path: "/v1.0/identity/conditionalAccess/authenticationContextClassReferences", permission: "Policy.Read.All"},
		{part: directory.Strengths, path: "/v1.0/policies/authenticationStrengthPolicies?$expand=combinationConfigurations", permission: "Policy.Read.All"},
		{part: directory.Methods, path: "/v1.0/policies/authenticationMethodsPolicy", permission: "Policy.Read.All", single: true},
		{part: directory.SecurityDefaults, path: "/v1.0/policies/identitySecurityDefaultsEnforcementPolicy", permission: "Policy.Read.All", single: true},
		{part: directory.AuthorizationPolicy, path: "/v1.0/policies/authorizationPolicy", permission: "Policy.Read.All", single: true},
		{part: directory.Domains, path: "/v1.0/domains", permission: "Domain.Read.All"},
		{part: directory.Licences, path: "/v1.0/subscribedSkus", permission: "Organization.Read.All"},
		{part: directory.Roles, path: "/v1.0/roleManagement/directory/roleDefinitions", permission: "RoleManagement.Read.Directory"},
		{part: directory.RoleAssignments, path: "/v1.0/roleManagement/directory/roleAssignments", permission: "RoleManagement.Read.Directory"},
		{part: directory.RoleSchedules, path: "/v1.0/roleManagement/directory/roleAssignmentScheduleInstances", permission: "RoleManagement.Read.Directory"},
		{part: directory.RoleEligibilities, path: "/v1.0/roleManagement/directory/roleEligibilityScheduleInstances", permission: "RoleManagement.Read.Directory"},
		{part: directory.RolePolicies, path: "/v1.0/policies/roleManagementPolicyAssignments?" + rolePolicyQuery, permission: "RoleManagementPolicy.Read.Directory"},
		{part: directory.Users, path: "/v1.0/users?$select=" + userFields + activityField + "&$top=999", permission: "User.Read.All"},
		{part: directory.DeletedUsers, path: "/v1.0/directory/deletedItems/microsoft.graph.user?$select=id,userPrincipalName,displayName,accountEnabled", permission: "User.Read.All"},
		{part: directory.Units, path: "/v1.0/directory/administrativeUnits?$select=" + unitFields, permission: "AdministrativeUnit.Read.All"},
		{part: directory.UnitMembers, path: "/directory/administrativeUnits/{id}/members?$select=id&$top=999", permission: "AdministrativeUnit.Read.All", each: ofUnits},
		{part: directory.Groups, path: "/v1.0/groups?$select=" + groupFields + "&$top=999", permission: "GroupMember.Read.All"},
		{part: directory.GroupMembers, path: "/groups/{id}/members?$select=id&$top=999", permission: "GroupMember.Read.All", each: ofGroups},
		{part: directory.GroupOwners, path: "/groups/{id}/owners?$select=id", permission: "GroupMember.Read.All", each: ofGates},
		{part: directory.ServicePrincipals, path: "/v1.0/servicePrincipals?$select=" + principalFields + "&$top=999", permission: "Application.Read.All"},
		{part: directory.Applications, path: "/v1.0/applications?$select=" + applicationFields + "&$top=999", permission: "Application.Read.All"},
		{part: directory.AppRoleAssignments, path: "/servicePrincipals/{id}/appRoleAssignments", permission: "Application.Read.All", each: ofPrincipals},
		{part: directory.ApplicationOwners, path: "/applications/{id}/owners?$select=id", permission: "Application.Read.All", each: ofRegistrations},
		{part: directory.PrincipalOwners, path: "/servicePrincipals/{id}/owners?$select=id", permission: "Application.Read.All", each: ofDeclared},
		{part: directory.Federations, path: "/applications/{id}/federatedIdentityCredentials", permission: "Application.Read.All", each: ofRegistrations},
		{part: directory.PermissionGrants, path: "/v1.0/oauth2PermissionGrants", permission: "DelegatedPermissionGrant.Read.All"},
		{part: directory.MemberOf, path: "/users/{id}/transitiveMemberOf/microsoft.graph.group?$select=id&$top=999", permission: "GroupMember.Read.All", each: ofPeople},
		{part: directory.Registered, path: "/users/{id}/authentication/methods", permission: "UserAuthenticationMethod.Read.All", each: ofPeople},
		{part: directory.PerUserMFA, path: "/users/{id}/authentication/requirements", permission: "Policy.Read.All", each: ofPeople, beta: true},
		{part: directory.BetaMethods, path: "/beta/policies/authenticationMethodsPolicy", permission: "Policy.Read.All", single: true, beta: true},
		{part: directory.RiskyUsers, path: "/v1.0/identityProtection/riskyUsers?$top=500", permission: "IdentityRiskyUser.Read.All"},
		{part: directory.AccessReviews, path: "/v1.0/identityGovernance/accessReviews/definitions", permission: "AccessReview.Read.All"},
		{part: directory.LifecycleWorkflows, path: "/v1.0/identityGovernance/lifecycleWorkflows/workflows", permission: "LifecycleWorkflows.Read.All"},
		{part: directory.RoleAlerts, path: "/beta/identityGovernance/roleManagementAlerts/alerts?" + roleAlertQuery, permission: "RoleManagementAlert.Read.Directory", beta: true},
		{part: directory.GroupEligibilities, path: "/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances?$filter=groupId%20eq%20'{id}'", permission: "PrivilegedEligibilitySchedule.Read.AzureADGroup", each: ofGates},
		{part: directory.GroupAssignments, path: "/identityGovernance/privilegedAccess/group/assignmentScheduleInstances?$filter=groupId%20eq%20'{id}'", permission: "PrivilegedAssignmentSchedule.Read.AzureADGroup", each: ofGates},
		{part: directory.GroupSettings, path: "/v1.0/groupSettings", permission: "GroupSettings.Read.All"},
		{part: directory.ProtectedActions, path: "/beta/roleManagement/directory/resourceNamespaces/microsoft.directory/resourceActions?$filter=isAuthenticationContextSettable%20eq%20true", permission: "RoleManagement.Read.Directory", beta: true},
	}
}

// only is why a part that was asked for some objects does not hold them all.
const only = "only what protects the declared accounts was asked for"

// Restricted says whether a part of a snapshot is not whole for no other reason than
// that Options.Only asked for a few of its objects.
func Restricted(p directory.ManifestPart) bool { return p.Incomplete && p.Reason == only }

// protecting are the requests of Options.Only: lists that are short in every tenant, and
// of people, groups and units those that were named or that policies and restriction show
// to matter. An object is asked for by a filter, so that one that is gone is an empty list
// and no error.
func protecting() []request {
	parts := []directory.Part{
		directory.Organization, directory.Policies, directory.BetaPolicies, directory.Locations, directory.AuthenticationContexts,
		directory.Strengths, directory.Methods, directory.SecurityDefaults, directory.AuthorizationPolicy, directory.Domains, directory.Roles,
		directory.RoleAssignments, directory.RoleSchedules, directory.RoleEligibilities, directory.RolePolicies,
		directory.Users, directory.Units, directory.UnitMembers, directory.Groups, directory.GroupMembers, directory.GroupOwners,
		directory.MemberOf, directory.Registered, directory.PerUserMFA,
		directory.ServicePrincipals, directory.Applications, directory.AppRoleAssignments,
		directory.ApplicationOwners, directory.PrincipalOwners, directory.Federations,
		directory.AccessReviews, directory.LifecycleWorkflows,
	}
	var list []request
	for _, q := range requests() {
		if !slices.Contains(parts, q.part) {
			continue
		}
		switch q.part {
		case directory.Users:
			q.path, q.each = "/users?$filter=id%20eq%20'{id}'&$select="+userFields+activityField, ofAccounts
		case directory.Groups:
			q.path, q.each = "/groups?$filter=id%20eq%20'{id}'&$select="+groupFields, ofExclusions
		case directory.GroupMembers, directory.GroupOwners:
			q.each = ofExclusions
		case directory.UnitMembers:
			q.each = ofShields
		case directory.MemberOf, directory.Registered, directory.PerUserMFA:
			q.each = ofAccounts
		case directory.ServicePrincipals:
			q.path, q.each = "/servicePrincipals?$filter=id%20eq%20'{id}'&$select="+principalFields, ofNamed
		case directory.Applications:
			q.path, q.each = "/applications?$filter=appId%20eq%20'{id}'&$select="+applicationFields, ofClients
		case directory.AppRoleAssignments:
			q.each = ofDeclared
		}
		list = append(list, q)
	}
	return list
}

// ProtectionPermissions gives the permissions that Options.Only needs.
func ProtectionPermissions() []string {
	list := []string{"Member.Read.Hidden", activityPermission}
	for _, q := range protecting() {
		if !slices.Contains(list, q.permission) {
			list = append(list, q.permission)
		}
	}
	slices.Sort(list)
	return list
}

// said is the request as the manifest has it.
func (q request) said() string {
	if q.each == once {
		return "GET " + q.path
	}
	if q.beta {
		return "GET /beta" + q.path
	}
	return "GET /v1.0" + q.path
}

// Permissions gives the application permissions that a whole snapshot needs, none of
// which can change anything, and the parts that are not read without each. Those
// without a part give more of one: Member.Read.Hidden the members of hidden groups,
// AuditLog.Read.All when accounts last signed in.
func Permissions() map[string][]directory.Part {
	m := map[string][]directory.Part{"Member.Read.Hidden": nil, activityPermission: nil}
	for _, q := range requests() {
		m[q.permission] = append(m[q.permission], q.part)
	}
	return m
}

// azure are the parts that stand in Azure Resource Manager.
func azure() []directory.Part {
	var list []directory.Part
	for _, p := range directory.Parts() {
		asked := slices.ContainsFunc(requests(), func(q request) bool { return q.part == p })
		if !asked && p != directory.Evaluations {
			list = append(list, p)
		}
	}
	return list
}
