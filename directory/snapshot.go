package directory

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"glassward/directory/truth"
)

// A Part names one thing that is read of a tenant. Those that are read for each
// object are written with the object's id beside them.
type Part string

// The parts of a snapshot. Their names are those in manifests, and of the files
// where there is no manifest.
const (
	Organization           Part = "organization"
	Domains                Part = "domains"
	Licences               Part = "subscribedSkus"
	SecurityDefaults       Part = "identitySecurityDefaultsEnforcementPolicy"
	AuthorizationPolicy    Part = "authorizationPolicy"
	Users                  Part = "users"
	DeletedUsers           Part = "deletedUsers"
	Groups                 Part = "groups"
	GroupMembers           Part = "groupMembers" // of each group
	GroupOwners            Part = "groupOwners"  // of each group
	MemberOf               Part = "transitiveMemberOf"
	Roles                  Part = "roleDefinitions"
	RoleAssignments        Part = "roleAssignments"
	RoleSchedules          Part = "roleAssignmentScheduleInstances"
	RoleEligibilities      Part = "roleEligibilityScheduleInstances"
	RolePolicies           Part = "roleManagementPolicyAssignments"
	Units                  Part = "administrativeUnits"
	UnitMembers            Part = "administrativeUnitMembers" // of each unit
	Policies               Part = "conditionalAccessPolicies"
	BetaPolicies           Part = "conditionalAccessPoliciesBeta"
	DeletedPolicies        Part = "deletedConditionalAccessPolicies"
	Locations              Part = "namedLocations"
	AuthenticationContexts Part = "authenticationContextClassReferences"
	Strengths              Part = "authenticationStrengthPolicies"
	Methods                Part = "authenticationMethodsPolicy"
	Registered             Part = "authenticationMethods"      // of each account
	PerUserMFA             Part = "authenticationRequirements" // of each account, beta
	ServicePrincipals      Part = "servicePrincipals"
	Applications           Part = "applications"
	AppRoleAssignments     Part = "appRoleAssignments"
	ApplicationOwners      Part = "applicationOwners"            // of each declared one
	PrincipalOwners        Part = "servicePrincipalOwners"       // of each declared one
	Federations            Part = "federatedIdentityCredentials" // of each declared one's application
	PermissionGrants       Part = "oauth2PermissionGrants"
	BetaMethods            Part = "authenticationMethodsPolicyBeta"
	RiskyUsers             Part = "riskyUsers"
	AccessReviews          Part = "accessReviewDefinitions"
	LifecycleWorkflows     Part = "lifecycleWorkflows"
	RoleAlerts             Part = "roleManagementAlerts"                              // beta
	GroupEligibilities     Part = "privilegedAccessGroupEligibilityScheduleInstances" // of each group
	GroupAssignments       Part = "privilegedAccessGroupAssignmentScheduleInstances"  // of each group
	ProtectedActions       Part = "resourceActions"                                   // beta; those that can be protected
	GroupSettings          Part = "groupSettings"
	Evaluations            Part = "conditionalAccessEvaluations" // questions to What If with their answers
	DiagnosticSettings     Part = "diagnosticSettings"
	Subscriptions          Part = "subscriptions"
	Workspaces             Part = "workspaces"
	WorkspaceTables        Part = "tables" // SigninLogs and AuditLogs of each workspace
	CollectionRules        Part = "dataCollectionRules"
	AlertRules             Part = "scheduledQueryRules"
	ActivityAlerts         Part = "activityLogAlerts"
	ActionGroups           Part = "actionGroups"
	ProcessingRules        Part = "actionRules"
	Locks                  Part = "locks"
	AzureAssignments       Part = "azureRoleAssignments"
	LogArrivals            Part = "logArrivals"      // the newest record of each workspace's logs
	OnboardingStates       Part = "onboardingStates" // of each workspace: whether it has Microsoft Sentinel
	AnalyticsRules         Part = "alertRules"       // of each workspace with Microsoft Sentinel
	AutomationRules        Part = "automationRules"  // of each workspace with Microsoft Sentinel
)

// Parts gives every part, in the order in which they are read.
func Parts() []Part {
	return []Part{
		Organization, Domains, Licences, SecurityDefaults, AuthorizationPolicy,
		Users, DeletedUsers, Groups, GroupMembers, GroupOwners, MemberOf,
		Roles, RoleAssignments, RoleSchedules, RoleEligibilities, RolePolicies, Units, UnitMembers,
		Policies, BetaPolicies, DeletedPolicies, Locations, AuthenticationContexts, Strengths,
		Methods, Registered, PerUserMFA,
		ServicePrincipals, Applications, AppRoleAssignments, ApplicationOwners, PrincipalOwners, Federations, PermissionGrants,
		BetaMethods, RiskyUsers, AccessReviews, LifecycleWorkflows, RoleAlerts, GroupEligibilities, GroupAssignments, ProtectedActions, GroupSettings, Evaluations,
		DiagnosticSettings, Subscriptions, Workspaces, WorkspaceTables, CollectionRules,
		AlertRules, ActivityAlerts, ActionGroups, ProcessingRules, Locks, AzureAssignments,
		LogArrivals, OnboardingStates, AnalyticsRules, AutomationRules,
	}
}

// A State says how far a part was read.
type State string

// The states of a reading. Of what is incomplete, what is there is true, and what
// is not there is unknown.
const (
	Unread     State = "unread"
	Incomplete State = "incomplete"
	Read       State = "read"
)

// A Reading says how a part was got: when, or why not.
type Reading struct {
	State State
	// At is when it was read; zero if that is not told.
	At time.Time
	// Reason says why it is not whole, Permission which permission would have given it.
	Reason, Permission string
	// Problems are what was not as Graph promises it.
	Problems []Problem
}

// Why gives the reason for which a part is not whole, with the permission, or "".
func (r Reading) Why() string {
	switch {
	case r.State == Read:
		return ""
	case r.Permission != "":
		return r.Reason + " (needs " + r.Permission + ")"
	}
	return r.Reason
}

// Contents are what a snapshot holds. Lists are in the order of the source. What
// stands in them belongs to the snapshot: change a copy.
type Contents struct {
	// Tenant is the tenant's id, Name its display name, Taken when the snapshot was
	// finished: assignments are judged as of then.
	Tenant, Name string
	Taken        time.Time
	Version      int // of the manifest, 0 if there is none
	// Readings are how the parts were got; ObjectReadings those of single objects.
	Readings       map[Part]Reading
	ObjectReadings map[Part]map[string]Reading

	Domains                  []*Domain
	Licences                 []*Licence
	SecurityDefaults         truth.Value // whether they are on
	AdminSSPR                truth.Value // allowedToUseSSPR
	Users, DeletedUsers      []*User
	Groups                   []*Group
	Members, Owners          map[string][]Ref    // of groups, by id; direct
	MemberOf                 map[string][]string // ids of groups and units that Graph says an object is in, through others too
	Units                    []*AdministrativeUnit
	UnitMembers              map[string][]Ref
	Roles                    []*RoleDefinition
	Assignments              []*RoleAssignment // plain: whether they are permanent is not told
	Schedules, Eligibilities []*RoleAssignment
	RolePolicies             []*RolePolicy
	Policies, BetaPolicies   []*Policy
	DeletedPolicies          []*Policy
	Locations                []*NamedLocation
	Contexts                 []*AuthenticationContext
	Strengths                []*Strength
	Methods, BetaMethods     *MethodsPolicy
	Registered               map[string][]Method
	PerUserMFA               map[string]string // disabled, enabled, enforced
	ServicePrincipals        []*ServicePrincipal
	Applications             []*Application
	AppRoleAssignments       []*AppRoleAssignment
	ApplicationOwners        map[string][]Ref        // of applications, by object id
	PrincipalOwners          map[string][]Ref        // of service principals, by object id
	Federations              map[string][]Federation // of applications, by object id
	PermissionGrants         []*PermissionGrant
	RiskyUsers               []*RiskyUser
	AccessReviews            []*AccessReview
	LifecycleWorkflows       []*LifecycleWorkflow
	RoleAlerts               []*RoleAlert
	GroupEligibilities       map[string][]GroupSchedule // of groups, by id
	GroupAssignments         map[string][]GroupSchedule
	ProtectedActions         []*ProtectedAction
	GroupSettings            []*GroupSetting
	Evaluations              []*Evaluation
	DiagnosticSettings       []*DiagnosticSetting
	Subscriptions            []*Subscription
	Workspaces               []*Workspace
	WorkspaceTables          []*WorkspaceTable
	CollectionRules          []*CollectionRule
	AlertRules               []*AlertRule
	ActivityAlerts           []*ActivityAlert
	ActionGroups             []*ActionGroup
	ProcessingRules          []*ProcessingRule
	Locks                    []*Lock
	AzureAssignments         []*AzureAssignment
	LogArrivals              []*LogArrival
	OnboardingStates         []*OnboardingState
	AnalyticsRules           []*AnalyticsRule
	AutomationRules          []*AutomationRule
}

// A Snapshot is a tenant's directory at a time. It never changes.
type Snapshot struct {
	c          Contents
	effective  []*Policy
	users      map[string]*User
	names      map[string]*User // by user principal name in lower case
	groups     map[string]*Group
	locations  map[string]*NamedLocation
	strengths  map[string]*Strength
	principals map[string]*ServicePrincipal
	// applications are by their application ids.
	applications map[string]*Application
	roles        map[string]*RoleDefinition
	members      *membership
}

// New makes a snapshot of contents. They must not be changed afterwards.
func New(c Contents) *Snapshot { return build(c, nil) }

// Contents gives a copy of what the snapshot holds. Its lists and maps are the
// snapshot's own: replace them whole, as With does.
func (s *Snapshot) Contents() Contents { return s.c }

// With gives a snapshot in which something is otherwise: change is given a copy of
// the contents, and must replace a list or map rather than write into it.
func (s *Snapshot) With(change func(*Contents)) *Snapshot {
	c := s.c
	change(&c)
	return build(c, s)
}

// build makes the indexes; those of lists that old has too are taken over.
func build(c Contents, old *Snapshot) *Snapshot {
	s := &Snapshot{c: c}
	if old != nil && same(c.Users, old.c.Users) {
		s.users, s.names = old.users, old.names
	} else {
		s.users = index(c.Users, func(u *User) string { return u.ID })
		s.names = make(map[string]*User, len(c.Users))
		for _, u := range c.Users {
			if u.UPN != "" {
				s.names[lowerText(u.UPN)] = u
			}
		}
	}
	if old != nil && same(c.Groups, old.c.Groups) {
		s.groups = old.groups
	} else {
		s.groups = index(c.Groups, func(g *Group) string { return g.ID })
	}
	if old != nil && same(c.ServicePrincipals, old.c.ServicePrincipals) {
		s.principals = old.principals
	} else {
		s.principals = index(c.ServicePrincipals, func(p *ServicePrincipal) string { return p.ID })
	}
	if old != nil && same(c.Applications, old.c.Applications) {
		s.applications = old.applications
	} else {
		s.applications = index(c.Applications, func(a *Application) string { return a.AppID })
		delete(s.applications, "")
	}
	s.locations = index(c.Locations, func(l *NamedLocation) string { return l.ID })
	s.strengths = index(c.Strengths, func(x *Strength) string { return x.ID })
	if old != nil && same(c.Roles, old.c.Roles) {
		s.roles = old.roles
	} else {
		s.roles = index(c.Roles, func(r *RoleDefinition) string { return r.ID })
	}
	if old != nil && sameMap(c.Members, old.c.Members) && sameMap(c.MemberOf, old.c.MemberOf) && same(c.Groups, old.c.Groups) {
		s.members = old.members
	} else {
		s.members = newMembership(s)
	}
	s.effective = effective(c)
	return s
}

func index[T any](list []T, id func(T) string) map[string]T {
	m := make(map[string]T, len(list))
	for _, v := range list {
		m[id(v)] = v
	}
	return m
}

// same says that two lists are one.
func same[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// sameMap says that two maps are one.
func sameMap[K comparable, V any](a, b map[K]V) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

// Reading says how a part was got, and for an object's own part how that was, if
// object is its id. What no manifest speaks of was not read.
func (s *Snapshot) Reading(p Part, object string) Reading {
	if object != "" {
		if r, ok := s.c.ObjectReadings[p][object]; ok {
			return r
		}
	}
	if r, ok := s.c.Readings[p]; ok {
		// That the lists were read says nothing of an object that is in none of them.
		if object != "" && r.State == Read && !s.has(p, object) {
			return Reading{State: Unread, Reason: "the snapshot does not hold " + string(p) + " of " + object}
		}
		return r
	}
	return Reading{State: Unread, Reason: "the snapshot does not hold " + string(p)}
}

func (s *Snapshot) has(p Part, object string) bool {
	ok := true
	switch p {
	case GroupMembers:
		_, ok = s.c.Members[object]
	case GroupOwners:
		_, ok = s.c.Owners[object]
	case UnitMembers:
		_, ok = s.c.UnitMembers[object]
	case MemberOf:
		_, ok = s.c.MemberOf[object]
	case Registered:
		_, ok = s.c.Registered[object]
	case ApplicationOwners:
		_, ok = s.c.ApplicationOwners[object]
	case PrincipalOwners:
		_, ok = s.c.PrincipalOwners[object]
	case Federations:
		_, ok = s.c.Federations[object]
	case PerUserMFA:
		_, ok = s.c.PerUserMFA[object]
	case GroupEligibilities:
		_, ok = s.c.GroupEligibilities[object]
	case GroupAssignments:
		_, ok = s.c.GroupAssignments[object]
	}
	return ok
}

// Read says whether a part was read whole.
func (s *Snapshot) Read(p Part) bool { return s.Reading(p, "").State == Read }

// User gives an account by its object id or user principal name, or nil.
func (s *Snapshot) User(id string) *User {
	if u := s.users[lowerID(id)]; u != nil {
		return u
	}
	return s.names[lowerText(id)]
}

// Group gives a group by its object id, or nil.
func (s *Snapshot) Group(id string) *Group { return s.groups[lowerID(id)] }

// ServicePrincipal gives one by its object id, or nil.
func (s *Snapshot) ServicePrincipal(id string) *ServicePrincipal { return s.principals[lowerID(id)] }

// Application gives the registration of a service principal's application by its
// application id, or nil: that of another tenant's stands there.
func (s *Snapshot) Application(appID string) *Application { return s.applications[lowerID(appID)] }

// Location gives a named location by its id, or nil.
func (s *Snapshot) Location(id string) *NamedLocation { return s.locations[lowerID(id)] }

// Strength gives an authentication strength by its id, or nil.
func (s *Snapshot) Strength(id string) *Strength { return s.strengths[lowerID(id)] }

// Role gives a role definition by its id, or nil.
func (s *Snapshot) Role(id string) *RoleDefinition { return s.roles[lowerID(id)] }

// Policies gives the Conditional Access policies with all that is known of them:
// as beta shows them where beta was read, for v1.0 leaves conditions out.
func (s *Snapshot) Policies() []*Policy { return s.effective }

func effective(c Contents) []*Policy {
	if len(c.BetaPolicies) == 0 {
		return c.Policies
	}
	beta := index(c.BetaPolicies, func(p *Policy) string { return p.ID })
	list := make([]*Policy, 0, len(c.Policies))
	for _, p := range c.Policies {
		if b := beta[p.ID]; b != nil && p.ID != "" {
			whole := *b
			whole.Hidden = hidden(p, b)
			delete(beta, p.ID)
			list = append(list, &whole)
			continue
		}
		list = append(list, p)
	}
	for _, b := range c.BetaPolicies {
		if beta[b.ID] == b {
			whole := *b
			if len(c.Policies) > 0 || c.Readings[Policies].State == Read {
				whole.Hidden = []string{"the whole policy"}
			}
			list = append(list, &whole)
		}
	}
	return list
}

// hidden names what beta says of a policy and v1.0 does not.
func hidden(p, b *Policy) []string {
	var list []string
	note := func(name string, there, here bool) {
		if there && !here {
			list = append(list, name)
		}
	}
	x, y := p.Conditions, b.Conditions
	note("conditions.times", y.Times != nil, x.Times != nil)
	note("conditions.devices", y.Devices != nil, x.Devices != nil)
	note("conditions.agentIdRiskLevels", len(y.AgentIDRiskLevels) > 0, len(x.AgentIDRiskLevels) > 0)
	note("conditions.authenticationFlows", len(y.TransferMethods) > 0, len(x.TransferMethods) > 0)
	note("conditions.insiderRiskLevels", len(y.InsiderRiskLevels) > 0, len(x.InsiderRiskLevels) > 0)
	note("conditions.clientApplications", y.ClientApplications != nil, x.ClientApplications != nil)
	note("conditions.platforms", y.Platforms != nil, x.Platforms != nil)
	note("conditions.locations", y.Locations != nil, x.Locations != nil)
	if y.Applications != nil && x.Applications != nil {
		note("conditions.applications.networkAccess", len(y.Applications.TrafficProfiles) > 0, len(x.Applications.TrafficProfiles) > 0)
		note("conditions.applications.applicationFilter", y.Applications.Filter != nil, x.Applications.Filter != nil)
		list = append(list, more("conditions.applications.", x.Applications.Extra, y.Applications.Extra)...)
	}
	list = append(list, more("conditions.", x.Extra, y.Extra)...)
	note("grantControls", b.Grant != nil, p.Grant != nil)
	note("sessionControls", b.Session != nil, p.Session != nil)
	if b.Session != nil && p.Session != nil {
		list = append(list, more("sessionControls.", p.Session.Extra, b.Session.Extra)...)
		note("sessionControls.continuousAccessEvaluation", b.Session.ContinuousAccessEvaluation != "", p.Session.ContinuousAccessEvaluation != "")
	}
	slices.Sort(list)
	return list
}

func more(prefix string, v1, beta Extra) []string {
	var list []string
	for _, name := range beta.Names() {
		if node(v1[name]).empty() {
			list = append(list, prefix+name)
		}
	}
	return list
}

// Problems gives every problem of every part, with the part before the path.
func (s *Snapshot) Problems() []Problem {
	var list []Problem
	for _, p := range slices.Sorted(maps.Keys(s.c.Readings)) {
		for _, x := range s.c.Readings[p].Problems {
			list = append(list, Problem{Path: string(p) + "." + x.Path, What: x.What})
		}
	}
	for _, p := range s.effective {
		for _, x := range p.Problems {
			list = append(list, Problem{Path: string(Policies) + "." + p.ID + "." + x.Path, What: x.What})
		}
	}
	return list
}
