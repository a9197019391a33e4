package change

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"strings"

	"glassward/directory"
)

// A kind is one list of objects and how they are compared.
type kind struct {
	kind string
	part directory.Part
	// selected says that the source names the properties that it wants: one that stands
	// on one side only was not asked for on the other. Elsewhere it is null there.
	selected bool
	list     func(s *directory.Snapshot) map[string]*object
}

// kinds gives every kind. Beta says whether policies are taken as beta shows them.
func kinds(beta bool) []kind {
	policies := func(s *directory.Snapshot) []*directory.Policy {
		if beta {
			return s.Policies()
		}
		return s.Contents().Policies
	}
	return []kind{
		listed(User, directory.Users, true, func(c directory.Contents) []*directory.User { return c.Users }, user),
		listed(DeletedUser, directory.DeletedUsers, true, func(c directory.Contents) []*directory.User { return c.DeletedUsers }, deletedUser),
		listed(Group, directory.Groups, true, func(c directory.Contents) []*directory.Group { return c.Groups }, group),
		listed(AdministrativeUnit, directory.Units, true, func(c directory.Contents) []*directory.AdministrativeUnit { return c.Units }, unit),
		listed(RoleDefinition, directory.Roles, false, func(c directory.Contents) []*directory.RoleDefinition { return c.Roles }, role),
		listed(RolePolicy, directory.RolePolicies, false, func(c directory.Contents) []*directory.RolePolicy { return c.RolePolicies }, rolePolicy),
		{kind: Policy, part: directory.Policies, list: func(s *directory.Snapshot) map[string]*object {
			m := map[string]*object{}
			for _, p := range policies(s) {
				m[p.ID] = policy(s, p)
			}
			return m
		}},
		listed(NamedLocation, directory.Locations, false, func(c directory.Contents) []*directory.NamedLocation { return c.Locations }, location),
		listed(AuthenticationContext, directory.AuthenticationContexts, false, func(c directory.Contents) []*directory.AuthenticationContext { return c.Contexts }, authenticationContext),
		listed(Strength, directory.Strengths, false, func(c directory.Contents) []*directory.Strength { return c.Strengths }, strength),
		{kind: MethodsPolicy, part: directory.Methods, list: methodsPolicy},
		{kind: MethodConfiguration, part: directory.Methods, list: methodConfigurations},
		{kind: SecurityDefaults, part: directory.SecurityDefaults, list: func(s *directory.Snapshot) map[string]*object {
			o := newObject("securityDefaults", "Security defaults")
			o.truth("isEnabled", s.Contents().SecurityDefaults)
			return one(s, directory.SecurityDefaults, o)
		}},
		{kind: AuthorizationPolicy, part: directory.AuthorizationPolicy, list: func(s *directory.Snapshot) map[string]*object {
			o := newObject("authorizationPolicy", "Authorization policy")
			o.truth("allowedToUseSSPR", s.Contents().AdminSSPR)
			return one(s, directory.AuthorizationPolicy, o)
		}},
		listed(Domain, directory.Domains, false, func(c directory.Contents) []*directory.Domain { return c.Domains }, domain),
		listed(Licence, directory.Licences, false, func(c directory.Contents) []*directory.Licence { return c.Licences }, licence),
		listed(ServicePrincipal, directory.ServicePrincipals, true, func(c directory.Contents) []*directory.ServicePrincipal { return c.ServicePrincipals }, servicePrincipal),
		listed(Application, directory.Applications, true, func(c directory.Contents) []*directory.Application { return c.Applications }, application),
		azure(DiagnosticSetting, directory.DiagnosticSettings, func(c directory.Contents) []*directory.DiagnosticSetting { return c.DiagnosticSettings }, func(x *directory.DiagnosticSetting) *directory.Resource { return &x.Resource }),
		azure(Workspace, directory.Workspaces, func(c directory.Contents) []*directory.Workspace { return c.Workspaces }, func(x *directory.Workspace) *directory.Resource { return &x.Resource }),
		azure(AlertRule, directory.AlertRules, func(c directory.Contents) []*directory.AlertRule { return c.AlertRules }, func(x *directory.AlertRule) *directory.Resource { return &x.Resource }),
		azure(ActionGroup, directory.ActionGroups, func(c directory.Contents) []*directory.ActionGroup { return c.ActionGroups }, func(x *directory.ActionGroup) *directory.Resource { return &x.Resource }),
		azure(ProcessingRule, directory.ProcessingRules, func(c directory.Contents) []*directory.ProcessingRule { return c.ProcessingRules }, func(x *directory.ProcessingRule) *directory.Resource { return &x.Resource }),
		azure(WorkspaceTable, directory.WorkspaceTables, func(c directory.Contents) []*directory.WorkspaceTable { return c.WorkspaceTables }, func(x *directory.WorkspaceTable) *directory.Resource { return &x.Resource }),
		azure(CollectionRule, directory.CollectionRules, func(c directory.Contents) []*directory.CollectionRule { return c.CollectionRules }, func(x *directory.CollectionRule) *directory.Resource { return &x.Resource }),
		azure(ActivityAlert, directory.ActivityAlerts, func(c directory.Contents) []*directory.ActivityAlert { return c.ActivityAlerts }, func(x *directory.ActivityAlert) *directory.Resource { return &x.Resource }),
		azure(OnboardingState, directory.OnboardingStates, func(c directory.Contents) []*directory.OnboardingState { return c.OnboardingStates }, func(x *directory.OnboardingState) *directory.Resource { return &x.Resource }),
		azure(AnalyticsRule, directory.AnalyticsRules, func(c directory.Contents) []*directory.AnalyticsRule { return c.AnalyticsRules }, func(x *directory.AnalyticsRule) *directory.Resource { return named(x.Resource, x.DisplayName) }),
		azure(AutomationRule, directory.AutomationRules, func(c directory.Contents) []*directory.AutomationRule { return c.AutomationRules }, func(x *directory.AutomationRule) *directory.Resource { return named(x.Resource, x.DisplayName) }),
		azure(Lock, directory.Locks, func(c directory.Contents) []*directory.Lock { return c.Locks }, func(x *directory.Lock) *directory.Resource { return &x.Resource }),
	}
}

// listed is a kind of objects in one list of the contents.
func listed[T any](name string, part directory.Part, selected bool, list func(directory.Contents) []T, make func(*directory.Snapshot, T) *object) kind {
	return kind{name, part, selected, func(s *directory.Snapshot) map[string]*object {
		m := map[string]*object{}
		problems := s.Reading(part, "").Problems
		for _, v := range list(s.Contents()) {
			o := make(s, v)
			o.doubt(problems, o.id+".")
			m[o.id] = o
		}
		return m
	}}
}

func azure[T any](name string, part directory.Part, list func(directory.Contents) []T, of func(T) *directory.Resource) kind {
	return listed(name, part, false, list, func(s *directory.Snapshot, x T) *object { return resource(s, of(x)) })
}

// one is the only object of a part, where it was read.
func one(s *directory.Snapshot, part directory.Part, o *object) map[string]*object {
	if s.Reading(part, "").State == directory.Unread {
		return nil
	}
	return map[string]*object{o.id: o}
}

func user(s *directory.Snapshot, u *directory.User) *object {
	o := newObject(u.ID, cmp.Or(u.DisplayName, u.UPN))
	o.text("userPrincipalName", u.UPN, u.Tells("userPrincipalName"))
	o.text("displayName", u.DisplayName, u.Tells("displayName"))
	o.text("userType", u.Type, u.Tells("userType"))
	o.text("creationType", u.CreationType, u.CreationType != "")
	o.text("onPremisesImmutableId", u.ImmutableID, u.Tells("onPremisesImmutableId"))
	o.text("passwordPolicies", u.PasswordPolicies, u.Tells("passwordPolicies"))
	o.time("lastPasswordChangeDateTime", u.LastPasswordChange, u.Tells("lastPasswordChangeDateTime"))
	o.text("mail", u.Mail, u.Tells("mail"))
	o.text("mobilePhone", u.Mobile, u.Tells("mobilePhone"))
	o.text("employeeId", u.EmployeeID, u.Tells("employeeId"))
	o.text("jobTitle", u.JobTitle, u.Tells("jobTitle"))
	o.text("department", u.Department, u.Tells("department"))
	o.truth("accountEnabled", u.Enabled)
	o.truth("onPremisesSyncEnabled", u.Synced)
	o.truth("passwordProfile.forceChangePasswordNextSignIn", u.ForcePasswordChange)
	o.truth("isManagementRestricted", u.Restricted)
	if u.Tells("assignedLicenses") {
		o.texts("assignedLicenses", u.Licences)
	}
	if u.Tells("otherMails") {
		o.texts("otherMails", u.OtherMails)
	}
	if u.Tells("identities") {
		o.texts("identities", nil)
		for _, i := range u.Identities {
			o.add("identities", i.SignInType+" "+i.Issuer+" "+i.Name, value{is: record("signInType", i.SignInType, "issuer", i.Issuer, "issuerAssignedId", i.Name)})
		}
	}
	o.extra("", u.Extra)
	c := s.Contents()
	if r := s.Reading(directory.Registered, u.ID); r.State != directory.Unread {
		p := property{elements: map[string]value{}, whole: r.State == directory.Read, part: directory.Registered}
		for _, m := range c.Registered[u.ID] {
			p.elements[m.ID] = method(m)
		}
		o.properties["authentication.methods"] = p
	}
	if state, ok := c.PerUserMFA[u.ID]; ok {
		o.text("authentication.requirements.perUserMfaState", state, true)
		p := o.properties["authentication.requirements.perUserMfaState"]
		p.part = directory.PerUserMFA
		o.properties["authentication.requirements.perUserMfaState"] = p
	}
	return o
}

// method is what is told of a registered method. That a password was set at another time
// makes it another: its id is the same for everybody.
func method(m directory.Method) value {
	x := newObject(m.ID, "")
	x.extra("", m.Extra)
	pairs := []any{"type", m.Kind, "id", m.ID, "displayName", m.DisplayName, "createdDateTime", m.Created,
		"aaGuid", m.AAGUID, "model", m.Model, "attestationLevel", m.Attestation, "passkeyType", m.PasskeyType,
		"phoneType", m.PhoneType, "isUsable", m.Usable, "isUsableOnce", m.UsableOnce}
	is, show := pairs[:len(pairs):len(pairs)], pairs[:len(pairs):len(pairs)]
	for path, p := range x.properties {
		is, show = append(is, path, p.told()), append(show, path, p.all())
	}
	return value{is: record(is...), show: record(show...)}
}

func deletedUser(_ *directory.Snapshot, u *directory.User) *object {
	o := newObject(u.ID, cmp.Or(u.DisplayName, u.UPN))
	o.text("userPrincipalName", u.UPN, u.Tells("userPrincipalName"))
	o.text("displayName", u.DisplayName, u.Tells("displayName"))
	return o
}

func group(s *directory.Snapshot, g *directory.Group) *object {
	o := newObject(g.ID, g.DisplayName)
	o.text("displayName", g.DisplayName, g.Tells("displayName"))
	o.text("membershipRule", g.Rule, g.Tells("membershipRule"))
	o.text("membershipRuleProcessingState", g.RuleState, g.RuleState != "")
	o.text("visibility", g.Visibility, g.Tells("visibility"))
	o.truth("isAssignableToRole", g.RoleAssignable)
	o.truth("securityEnabled", g.Security)
	o.truth("mailEnabled", g.Mail)
	o.truth("onPremisesSyncEnabled", g.Synced)
	o.truth("isManagementRestricted", g.Restricted)
	if g.Tells("groupTypes") {
		o.texts("groupTypes", g.Types)
	}
	o.extra("", g.Extra)
	c := s.Contents()
	o.refs("members", c.Members[g.ID], directory.GroupMembers, s.Reading(directory.GroupMembers, g.ID))
	o.refs("owners", c.Owners[g.ID], directory.GroupOwners, s.Reading(directory.GroupOwners, g.ID))
	return o
}

func unit(s *directory.Snapshot, u *directory.AdministrativeUnit) *object {
	o := newObject(u.ID, u.DisplayName)
	o.text("displayName", u.DisplayName, u.DisplayName != "")
	o.text("membershipType", u.MembershipType, u.MembershipType != "")
	o.text("membershipRule", u.Rule, u.Rule != "")
	o.text("visibility", u.Visibility, u.Visibility != "")
	o.truth("isMemberManagementRestricted", u.Restricted)
	o.extra("", u.Extra)
	o.refs("members", s.Contents().UnitMembers[u.ID], directory.UnitMembers, s.Reading(directory.UnitMembers, u.ID))
	return o
}

func role(_ *directory.Snapshot, r *directory.RoleDefinition) *object {
	o := newObject(r.ID, r.DisplayName)
	o.text("displayName", r.DisplayName, true)
	o.text("templateId", r.TemplateID, true)
	o.truth("isBuiltIn", r.BuiltIn)
	o.truth("isEnabled", r.Enabled)
	o.texts("rolePermissions.allowedResourceActions", r.Actions)
	o.extra("", r.Extra)
	return o
}

// rolePolicy has the id of its role, for that of the assignment is another with each
// policy; its rules are elements.
func rolePolicy(s *directory.Snapshot, p *directory.RolePolicy) *object {
	o := newObject(p.Role, roleName(s, p.Role))
	if p.Scope != "" && p.Scope != "/" {
		o.id += "@" + p.Scope
	}
	for _, r := range p.Rules {
		x := newObject(r.ID, "")
		x.json("rule", r.JSON)
		for path, v := range x.properties {
			// The target names what the rule is of, which its id says, too.
			if !strings.HasPrefix(path, "rule.target.") && path != "rule.id" {
				o.properties["rules."+r.ID+strings.TrimPrefix(path, "rule")] = v
			}
		}
	}
	o.extra("", p.Extra)
	return o
}

func policy(_ *directory.Snapshot, p *directory.Policy) *object {
	o := newObject(p.ID, p.DisplayName)
	o.doubt(p.Problems, "")
	o.text("displayName", p.DisplayName, true)
	o.text("state", p.State, true)
	o.text("templateId", p.TemplateID, true)
	c := p.Conditions
	if u := c.Users; u != nil {
		at := "conditions.users."
		o.texts(at+"includeUsers", u.IncludeUsers)
		o.texts(at+"excludeUsers", u.ExcludeUsers)
		o.texts(at+"includeGroups", u.IncludeGroups)
		o.texts(at+"excludeGroups", u.ExcludeGroups)
		o.texts(at+"includeRoles", u.IncludeRoles)
		o.texts(at+"excludeRoles", u.ExcludeRoles)
		o.guests(at+"includeGuestsOrExternalUsers", u.IncludeGuests)
		o.guests(at+"excludeGuestsOrExternalUsers", u.ExcludeGuests)
		o.extra(at, u.Extra)
	}
	if a := c.Applications; a != nil {
		at := "conditions.applications."
		o.texts(at+"includeApplications", a.Include)
		o.texts(at+"excludeApplications", a.Exclude)
		o.texts(at+"includeUserActions", a.UserActions)
		o.texts(at+"includeAuthenticationContextClassReferences", a.Contexts)
		o.texts(at+"networkAccess.includeTrafficProfiles", a.TrafficProfiles)
		o.filter(at+"applicationFilter", a.Filter)
		o.extra(at, a.Extra)
	}
	o.texts("conditions.clientAppTypes", c.ClientAppTypes)
	if x := c.Platforms; x != nil {
		o.texts("conditions.platforms.includePlatforms", x.Include)
		o.texts("conditions.platforms.excludePlatforms", x.Exclude)
		o.extra("conditions.platforms.", x.Extra)
	}
	if x := c.Locations; x != nil {
		o.texts("conditions.locations.includeLocations", x.Include)
		o.texts("conditions.locations.excludeLocations", x.Exclude)
		o.extra("conditions.locations.", x.Extra)
	}
	o.texts("conditions.userRiskLevels", c.UserRiskLevels)
	o.texts("conditions.signInRiskLevels", c.SignInRiskLevels)
	o.texts("conditions.servicePrincipalRiskLevels", c.ServicePrincipalRiskLevels)
	o.texts("conditions.insiderRiskLevels", c.InsiderRiskLevels)
	o.texts("conditions.agentIdRiskLevels", c.AgentIDRiskLevels)
	o.texts("conditions.authenticationFlows.transferMethods", c.TransferMethods)
	if x := c.Devices; x != nil {
		o.texts("conditions.devices.includeDevices", x.IncludeStates)
		o.texts("conditions.devices.excludeDevices", x.ExcludeStates)
		o.filter("conditions.devices.deviceFilter", x.Filter)
		o.extra("conditions.devices.", x.Extra)
	}
	if x := c.ClientApplications; x != nil {
		at := "conditions.clientApplications."
		o.texts(at+"includeServicePrincipals", x.Include)
		o.texts(at+"excludeServicePrincipals", x.Exclude)
		o.filter(at+"servicePrincipalFilter", x.Filter)
		o.extra(at, x.Extra)
	}
	if x := c.Times; x != nil {
		o.truth("conditions.times.includeAllTimes", x.AllTimes)
		o.extra("conditions.times.", x.Extra)
	}
	o.extra("conditions.", c.Extra)
	if g := p.Grant; g != nil {
		at := "grantControls."
		o.text(at+"operator", g.Operator, true)
		o.texts(at+"builtInControls", g.BuiltIn)
		o.texts(at+"termsOfUse", g.TermsOfUse)
		o.texts(at+"customAuthenticationFactors", g.CustomFactors)
		if g.Strength != nil {
			// What it accepts is the strength's own, and told there.
			o.text(at+"authenticationStrength.id", g.Strength.ID, true)
		}
		o.extra(at, g.Extra)
	}
	if x := p.Session; x != nil {
		at := "sessionControls."
		if f := x.SignInFrequency; f != nil {
			o.number(at+"signInFrequency.value", f.Value)
			o.text(at+"signInFrequency.type", f.Type, true)
			o.text(at+"signInFrequency.frequencyInterval", f.Interval, true)
		}
		o.text(at+"persistentBrowser.mode", x.PersistentBrowser, true)
		o.text(at+"cloudAppSecurity.cloudAppSecurityType", x.CloudAppSecurity, true)
		o.text(at+"continuousAccessEvaluation.mode", x.ContinuousAccessEvaluation, true)
		o.on(at+"secureSignInSession.isEnabled", x.SecureSignInSession)
		o.on(at+"applicationEnforcedRestrictions.isEnabled", x.ApplicationEnforcedRestrictions)
		o.on(at+"disableResilienceDefaults", x.DisableResilienceDefaults)
		o.extra(at, x.Extra)
	}
	o.extra("", p.Extra)
	return o
}

// on notes a switch that is off where it is not spoken of.
func (o *object) on(path string, v bool) {
	if v {
		o.set(path, value{is: json.RawMessage("true")})
	}
}

func (o *object) filter(path string, f *directory.Filter) {
	if f != nil {
		o.text(path+".mode", f.Mode, true)
		o.text(path+".rule", f.Rule, true)
	}
}

func (o *object) guests(path string, g *directory.GuestCondition) {
	if g != nil {
		o.texts(path+".guestOrExternalUserTypes", g.Types)
		o.text(path+".externalTenants.membershipKind", g.MembershipKind, true)
		o.texts(path+".externalTenants.members", g.Tenants)
		o.extra(path+".", g.Extra)
	}
}

func location(_ *directory.Snapshot, l *directory.NamedLocation) *object {
	o := newObject(l.ID, l.DisplayName)
	o.text("displayName", l.DisplayName, true)
	o.truth("isTrusted", l.Trusted)
	o.texts("ipRanges", append(texts(l.Ranges), l.Bad...))
	o.texts("countriesAndRegions", l.Countries)
	o.truth("includeUnknownCountriesAndRegions", l.UnknownCountries)
	o.text("countryLookupMethod", l.Lookup, true)
	o.extra("", l.Extra)
	return o
}

func texts(list []netip.Prefix) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.String()
	}
	return out
}

func authenticationContext(_ *directory.Snapshot, c *directory.AuthenticationContext) *object {
	o := newObject(c.ID, c.DisplayName)
	o.text("displayName", c.DisplayName, true)
	o.set("isAvailable", value{is: encode(c.Available)})
	o.extra("", c.Extra)
	return o
}

func strength(_ *directory.Snapshot, x *directory.Strength) *object {
	o := newObject(x.ID, x.DisplayName)
	o.text("displayName", x.DisplayName, true)
	o.text("policyType", x.PolicyType, true)
	o.texts("allowedCombinations", x.Combinations)
	for _, c := range x.Configurations {
		at := "combinationConfigurations." + cmp.Or(c.Kind, c.ID) + "."
		if _, there := o.properties[at+"appliesToCombinations"]; there {
			at = "combinationConfigurations." + c.ID + "."
		}
		o.texts(at+"appliesToCombinations", c.AppliesTo)
		o.texts(at+"allowedAAGUIDs", c.AAGUIDs)
		o.texts(at+"allowedIssuerSkis", c.IssuerSKIs)
		o.texts(at+"allowedPolicyOIDs", c.PolicyOIDs)
		o.extra(at, c.Extra)
	}
	if !x.Configured {
		o.doubtful = append(o.doubtful, "combinationConfigurations")
	}
	o.extra("", x.Extra)
	return o
}

func methodsPolicy(s *directory.Snapshot) map[string]*object {
	p := s.Contents().Methods
	if p == nil {
		return nil
	}
	o := newObject("authenticationMethodsPolicy", "Authentication methods policy")
	o.doubt(s.Reading(directory.Methods, "").Problems, "")
	o.text("policyMigrationState", p.Migration, p.Migration != "")
	o.number("reconfirmationInDays", p.ReconfirmationDays)
	o.text("registrationEnforcement.authenticationMethodsRegistrationCampaign.state", p.CampaignState, p.CampaignState != "")
	o.targets("registrationEnforcement.authenticationMethodsRegistrationCampaign.excludeTargets", p.CampaignExcludeTargets)
	o.extra("", p.Extra)
	return map[string]*object{o.id: o}
}

func methodConfigurations(s *directory.Snapshot) map[string]*object {
	p := s.Contents().Methods
	if p == nil {
		return nil
	}
	m := map[string]*object{}
	for _, c := range p.Configurations {
		o := newObject(c.ID, c.ID)
		o.doubt(s.Reading(directory.Methods, "").Problems, "")
		o.text("state", c.State, true)
		o.targets("includeTargets", c.Include)
		o.targets("excludeTargets", c.Exclude)
		o.truth("isSelfServiceRegistrationAllowed", c.SelfServiceRegistration)
		o.truth("isAttestationEnforced", c.AttestationEnforced)
		o.restrictions("keyRestrictions", c.Restrictions)
		for _, x := range c.Profiles {
			at := "passkeyProfiles." + x.ID
			o.text(at+".name", x.Name, true)
			o.texts(at+".passkeyTypes", x.Types)
			o.text(at+".attestationEnforcement", x.Attestation, true)
			o.restrictions(at+".keyRestrictions", x.Restrictions)
			o.extra(at+".", x.Extra)
		}
		o.text("defaultPasskeyProfile", c.DefaultProfile, true)
		o.extra("", c.Extra)
		m[o.id] = o
	}
	return m
}

func (o *object) targets(path string, list []directory.Target) {
	o.texts(path, nil)
	for _, t := range list {
		o.add(path, t.ID, value{is: record("targetType", t.Kind, "id", t.ID, "allowedPasskeyProfiles", t.Profiles)})
	}
}

func (o *object) restrictions(path string, r *directory.KeyRestrictions) {
	if r != nil {
		o.truth(path+".isEnforced", r.Enforced)
		o.text(path+".enforcementType", r.Enforcement, true)
		o.texts(path+".aaGuids", r.AAGUIDs)
		o.extra(path+".", r.Extra)
	}
}

func domain(_ *directory.Snapshot, d *directory.Domain) *object {
	o := newObject(d.Name, d.Name)
	o.text("authenticationType", d.AuthenticationType, d.AuthenticationType != "")
	o.truth("isInitial", d.Initial)
	o.truth("isDefault", d.Default)
	o.truth("isVerified", d.Verified)
	if d.PasswordDays != 0 {
		o.number("passwordValidityPeriodInDays", d.PasswordDays)
	}
	o.extra("", d.Extra)
	return o
}

// licence leaves out how many are in use: that changes with every person who comes.
func licence(_ *directory.Snapshot, l *directory.Licence) *object {
	o := newObject(l.SKU, l.Name)
	o.texts("servicePlans", l.Plans)
	for _, name := range []string{"capabilityStatus", "appliesTo", "prepaidUnits"} {
		if raw, ok := l.Extra[name]; ok {
			o.json(name, raw)
		}
	}
	return o
}

func servicePrincipal(s *directory.Snapshot, p *directory.ServicePrincipal) *object {
	o := newObject(p.ID, p.DisplayName)
	o.text("appId", p.AppID, p.AppID != "")
	o.text("displayName", p.DisplayName, p.DisplayName != "")
	o.text("servicePrincipalType", p.Type, p.Type != "")
	o.text("appOwnerOrganizationId", p.Tenant, p.Tenant != "")
	o.truth("accountEnabled", p.Enabled)
	if len(p.Roles) > 0 {
		o.texts("appRoles", nil)
		for _, r := range p.Roles {
			o.add("appRoles", r.ID, value{is: record("id", r.ID, "value", r.Value)})
		}
	}
	o.credentials("keyCredentials", p.Keys)
	o.credentials("passwordCredentials", p.Secrets)
	o.refs("owners", s.Contents().PrincipalOwners[p.ID], directory.PrincipalOwners, s.Reading(directory.PrincipalOwners, p.ID))
	o.extra("", p.Extra)
	return o
}

func application(s *directory.Snapshot, a *directory.Application) *object {
	o := newObject(a.ID, a.DisplayName)
	o.asked = a.AppID
	o.text("appId", a.AppID, a.AppID != "")
	o.text("displayName", a.DisplayName, a.DisplayName != "")
	o.text("signInAudience", a.Audience, a.Audience != "")
	o.credentials("keyCredentials", a.Keys)
	o.credentials("passwordCredentials", a.Secrets)
	c := s.Contents()
	o.refs("owners", c.ApplicationOwners[a.ID], directory.ApplicationOwners, s.Reading(directory.ApplicationOwners, a.ID))
	if r := s.Reading(directory.Federations, a.ID); r.State != directory.Unread {
		p := property{elements: map[string]value{}, whole: r.State == directory.Read, part: directory.Federations}
		for _, f := range c.Federations[a.ID] {
			p.elements[f.ID] = value{is: record("id", f.ID, "name", f.Name, "issuer", f.Issuer, "subject", f.Subject, "audiences", f.Audiences)}
		}
		o.properties["federatedIdentityCredentials"] = p
	}
	o.extra("", a.Extra)
	return o
}

// named is a resource by the name that people gave it, where Azure's own is a GUID.
func named(r directory.Resource, name string) *directory.Resource {
	r.Name = cmp.Or(name, r.Name)
	return &r
}

func resource(_ *directory.Snapshot, r *directory.Resource) *object {
	// Azure compares ids without regard to case.
	o := newObject(strings.ToLower(cmp.Or(r.ID, r.Name)), r.Name)
	o.text("location", r.Location, true)
	o.text("identity.type", r.Identity, true)
	if len(r.Properties) > 0 {
		o.json("properties", r.Properties)
	}
	o.extra("", r.Extra)
	return o
}
