package posture

import (
	"encoding/json"
	"slices"
	"strings"

	"glassward/directory"
	"glassward/directory/truth"
)

// Template ids of directory roles.
const (
	privilegedRoleAdministrator           = "e8611ab8-c189-46e8-94e1-60213ab1f814"
	privilegedAuthenticationAdministrator = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
	conditionalAccessAdministrator        = "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9"
	securityAdministrator                 = "194ae4cb-b126-40b2-bd5b-6091b380977d"
	authenticationPolicyAdministrator     = "0526716b-113d-4c15-b2c8-68e3c22b9f80"
)

// now says whether an assignment holds at the time of the snapshot.
func (v *view) now(a *directory.RoleAssignment) bool {
	t := v.a.s.Contents().Taken
	return t.IsZero() || !a.Start.After(t) && (a.End.IsZero() || a.End.After(t))
}

func tenantWide(a *directory.RoleAssignment) bool { return a.Scope == "/" || a.Scope == "" }

// permanent says whether an account is Global Administrator now, by itself, for the whole
// tenant and without end.
func (v *view) permanent(account string) truth.Value {
	best := truth.False
	for _, a := range v.contents(directory.RoleSchedules).Schedules {
		if !sameID(a.Principal, account) || a.Role != directory.GlobalAdministrator || a.Scope != "/" || !v.now(a) {
			continue
		}
		is := func(have, want string) truth.Value {
			if have == "" {
				return truth.Unknown
			}
			return truth.Of(have == want)
		}
		best = best.Or(truth.All(is(a.Type, "Assigned"), is(a.MemberType, "Direct"), truth.Of(a.End.IsZero())))
	}
	return best
}

func permanentAdministrator(v *view) {
	for _, u := range v.accounts() {
		switch v.permanent(u.ID) {
		case truth.True:
			v.pass(u.ID, "roleAssignmentScheduleInstances", "Global Administrator, assigned, direct, without end")
		case truth.Unknown:
			v.unknown(u.ID, "roleAssignmentScheduleInstances", "whether the assignment is permanent and direct is not told")
		default:
			found := false
			for _, a := range v.contents(directory.RoleSchedules).Schedules {
				if sameID(a.Principal, u.ID) && a.Role == directory.GlobalAdministrator {
					found = true
					end := "no end"
					if !a.End.IsZero() {
						end = "ends " + a.End.Format("2006-01-02 15:04")
					}
					v.fail(u.ID, "roleAssignmentScheduleInstances", "scope %s, %s, %s, %s", a.Scope, a.Type, a.MemberType, end)
				}
			}
			if !found {
				v.fail(u.ID, "roleAssignmentScheduleInstances", "not Global Administrator")
			}
		}
	}
}

// notOnlyEligible: where an account may activate Global Administrator it also holds it.
func notOnlyEligible(v *view) {
	c := v.contents(directory.RoleEligibilities, directory.RoleSchedules)
	for _, u := range v.accounts() {
		m, ok := v.memberOf(u.ID)
		if !ok {
			continue
		}
		eligible := slices.ContainsFunc(c.Eligibilities, func(a *directory.RoleAssignment) bool {
			if a.Role != directory.GlobalAdministrator || !tenantWide(a) {
				return false
			}
			return sameID(a.Principal, u.ID) || slices.Contains(m.All(), a.Principal)
		})
		switch {
		case !eligible:
			v.pass(u.ID, "roleEligibilityScheduleInstances", "none")
		case v.permanent(u.ID) == truth.True:
			v.pass(u.ID, "roleEligibilityScheduleInstances", "eligible, and active for good")
		case v.permanent(u.ID) == truth.Unknown:
			v.unknown(u.ID, "roleEligibilityScheduleInstances", "eligible; whether it is active for good is not told")
		default:
			v.fail(u.ID, "roleEligibilityScheduleInstances", "Global Administrator only once it was activated")
		}
	}
}

// notThroughGroup: no group brings an account the role.
func notThroughGroup(v *view) {
	c := v.contents(directory.RoleSchedules)
	for _, u := range v.accounts() {
		m, ok := v.memberOf(u.ID)
		if !ok {
			continue
		}
		bad := false
		for _, a := range c.Schedules {
			if a.Role != directory.GlobalAdministrator || !v.now(a) {
				continue
			}
			own := sameID(a.Principal, u.ID)
			if slices.Contains(m.All(), a.Principal) {
				bad = true
				v.fail(u.ID, "roleAssignmentScheduleInstances", "Global Administrator through the group %s", v.name(a.Principal))
			} else if own && (a.MemberType == "Group" || a.MemberType == "Inherited") {
				bad = true
				v.fail(u.ID, "memberType", "%s", a.MemberType)
			} else if own && a.MemberType == "" {
				bad = true
				v.unknown(u.ID, "memberType", "not told")
			}
		}
		if !bad {
			v.pass(u.ID, "memberType", "through no group")
		}
	}
}

// administratorCount counts each user once who is or may become Global Administrator.
func administratorCount(v *view) {
	c := v.contents(directory.RoleSchedules, directory.RoleEligibilities)
	v.read(directory.Users, "")
	v.read(directory.Groups, "")
	found, walked := map[string]bool{}, map[string]bool{}
	whole := true
	var add func(id string)
	add = func(id string) {
		if walked[id] {
			return
		}
		walked[id] = true
		switch {
		case v.user(id) != nil:
			found[id] = true
		case v.group(id) != nil:
			list, ok := v.members(id)
			whole = whole && ok
			for _, m := range list {
				add(m.ID)
			}
		}
	}
	for _, a := range slices.Concat(c.Schedules, c.Eligibilities) {
		if a.Role == directory.GlobalAdministrator && tenantWide(a) {
			add(a.Principal)
		}
	}
	n := v.o.Norms
	switch have := len(found); {
	case !whole: // v.members has said why
	case have < n.LeastGlobalAdministrators:
		v.fail("", "Global Administrators", "%d, fewer than %d", have, n.LeastGlobalAdministrators)
	case have > n.MostAdministrators:
		v.fail("", "Global Administrators", "%d, more than %d", have, n.MostAdministrators)
	default:
		v.pass("", "Global Administrators", "%d, active and eligible", have)
	}
}

// A pimRule is what the rules of Privileged Identity Management say, all kinds in one:
// what a rule does not speak of is nil.
type pimRule struct {
	IsExpirationRequired *bool
	MaximumDuration      string
	EnabledRules         []string
	Setting              *struct {
		IsApprovalRequired *bool
		ApprovalStages     []struct {
			PrimaryApprovers []struct {
				Type        string `json:"@odata.type"`
				ID          string
				UserID      string
				GroupID     string
				Description string
			}
		}
	}
	IsEnabled                  *bool
	ClaimValue                 string
	IsDefaultRecipientsEnabled *bool
	NotificationRecipients     []string
}

// rule gives a rule of a role's policy by its fixed id, or says that it is not known.
func (v *view) rule(role, id string) *pimRule {
	for _, p := range v.contents(directory.RolePolicies).RolePolicies {
		if p.Role != role {
			continue
		}
		for _, r := range p.Rules {
			if r.ID != id {
				continue
			}
			var x pimRule
			if err := json.Unmarshal(r.JSON, &x); err != nil {
				v.unknown(role, id, "cannot be read: %v", err)
				return nil
			}
			return &x
		}
		v.unknown(role, id, "the policy of the role has no such rule")
		return nil
	}
	v.unknown(role, id, "the role has no policy of Privileged Identity Management")
	return nil
}

func permanenceAllowed(v *view) {
	const id = "Expiration_Admin_Assignment"
	switch r := v.rule(directory.GlobalAdministrator, id); {
	case r == nil:
	case r.IsExpirationRequired == nil:
		v.unknown(directory.GlobalAdministrator, id, "isExpirationRequired is not told")
	case *r.IsExpirationRequired:
		v.fail(directory.GlobalAdministrator, id, "an active assignment must end")
	default:
		v.pass(directory.GlobalAdministrator, id, "an active assignment may be permanent")
	}
}

// approval gives whether a role asks for approval, and who approves: users, groups
// expanded. Whole says that these are all.
func (v *view) approval(role string) (required truth.Value, approvers []string, whole bool) {
	const id = "Approval_EndUser_Assignment"
	r := v.rule(role, id)
	switch {
	case r == nil:
		return truth.Unknown, nil, false
	case r.Setting == nil || r.Setting.IsApprovalRequired == nil:
		v.unknown(role, id, "isApprovalRequired is not told")
		return truth.Unknown, nil, false
	case !*r.Setting.IsApprovalRequired:
		return truth.False, nil, true
	}
	whole = true
	walked := map[string]bool{}
	var add func(x string)
	add = func(x string) {
		x = strings.ToLower(x)
		if x == "" || walked[x] {
			return
		}
		walked[x] = true
		if v.user(x) != nil {
			approvers = append(approvers, x)
		} else if v.group(x) != nil {
			list, ok := v.members(x)
			whole = whole && ok
			for _, m := range list {
				add(m.ID)
			}
		}
	}
	for _, stage := range r.Setting.ApprovalStages {
		for _, a := range stage.PrimaryApprovers {
			add(a.UserID)
			add(a.GroupID)
			add(a.ID)
		}
	}
	slices.Sort(approvers)
	return truth.True, approvers, whole
}

// free counts the approvers who are enabled and no emergency account.
func (v *view) free(approvers []string) (sure, maybe int) {
	for _, id := range approvers {
		if u := v.user(id); u != nil && !v.emergencyID(id) {
			switch u.Enabled {
			case truth.True:
				sure++
			case truth.Unknown:
				maybe++
			}
		}
	}
	return sure, maybe
}

// noApprovalDeadlock: nobody waits for an approval that nobody can give.
func noApprovalDeadlock(v *view) {
	v.read(directory.Users, "")
	v.read(directory.Groups, "")
	standing := truth.False
	for _, a := range v.contents(directory.RoleSchedules).Schedules {
		if a.Role == directory.GlobalAdministrator {
			if u := v.user(a.Principal); u != nil {
				standing = standing.Or(v.permanent(a.Principal).And(u.Enabled))
			}
		}
	}
	for _, role := range []string{directory.GlobalAdministrator, privilegedRoleAdministrator} {
		required, approvers, whole := v.approval(role)
		sure, maybe := v.free(approvers)
		const property = "Approval_EndUser_Assignment"
		switch {
		case required == truth.Unknown || required == truth.True && !whole:
		case required == truth.False:
			v.pass(role, property, "asks for no approval")
		case sure >= v.o.Norms.Approvers:
			v.pass(role, property, "%d can approve", sure)
		case standing == truth.True:
			v.pass(role, property, "%d can approve, and somebody is Global Administrator for good", sure)
		case standing == truth.Unknown || sure+maybe >= v.o.Norms.Approvers:
			v.unknown(role, property, "%d can approve for certain; whether that is enough is not told", sure)
		default:
			v.fail(role, property, "%d can approve, fewer than %d, and nobody is Global Administrator for good", sure, v.o.Norms.Approvers)
		}
	}
}

func activationApproved(v *view) {
	v.read(directory.Users, "")
	v.read(directory.Groups, "")
	required, approvers, whole := v.approval(directory.GlobalAdministrator)
	const property = "Approval_EndUser_Assignment"
	switch {
	case required == truth.Unknown || !whole:
	case required == truth.False:
		v.fail(directory.GlobalAdministrator, property, "asks for no approval")
	default:
		v.pass(directory.GlobalAdministrator, property, "%d can approve", len(approvers))
	}
}

// assignmentsNotified: somebody else hears of new Global Administrators.
func assignmentsNotified(v *view) {
	users := v.accounts()
	own := func(mail string) bool {
		return slices.ContainsFunc(users, func(u *directory.User) bool {
			return strings.EqualFold(mail, u.UPN) || u.Mail != "" && strings.EqualFold(mail, u.Mail)
		})
	}
	for _, id := range []string{"Notification_Admin_Admin_Assignment", "Notification_Admin_EndUser_Assignment"} {
		r := v.rule(directory.GlobalAdministrator, id)
		if r == nil {
			continue
		}
		others := 0
		for _, m := range r.NotificationRecipients {
			if !own(m) {
				others++
			}
		}
		switch {
		case others > 0:
			v.pass(directory.GlobalAdministrator, id, "tells %d", others)
		case r.IsDefaultRecipientsEnabled == nil:
			v.unknown(directory.GlobalAdministrator, id, "isDefaultRecipientsEnabled is not told")
		case *r.IsDefaultRecipientsEnabled:
			v.pass(directory.GlobalAdministrator, id, "tells the default recipients")
		default:
			v.fail(directory.GlobalAdministrator, id, "tells nobody but the emergency accounts")
		}
	}
}

// dangerous are the application permissions by which an application can take an emergency
// account over or lock it out.
var dangerous = []string{
	"RoleManagement.ReadWrite.Directory", "AppRoleAssignment.ReadWrite.All",
	"UserAuthenticationMethod.ReadWrite.All", "UserAuthMethod-Passkey.ReadWrite.All",
	"Policy.ReadWrite.ConditionalAccess", "Policy.ReadWrite.AuthenticationMethod",
	"Directory.ReadWrite.All", "AdministrativeUnit.ReadWrite.All", "GroupMember.ReadWrite.All",
}

// overseers are the roles that can take an emergency account over or lock it out.
var overseers = []string{
	privilegedRoleAdministrator, privilegedAuthenticationAdministrator, conditionalAccessAdministrator,
	securityAdministrator, authenticationPolicyAdministrator,
}

// whoCanTakeOver lists who stands above the accounts: permanent holders of the roles and
// applications with the permissions are asked about, those who must activate are not.
func whoCanTakeOver(v *view) {
	v.standing(append([]string{directory.GlobalAdministrator}, overseers...), dangerous, "the accounts")
}

func roleName(id string) string {
	switch id {
	case directory.GlobalAdministrator:
		return "Global Administrator"
	case privilegedRoleAdministrator:
		return "Privileged Role Administrator"
	case privilegedAuthenticationAdministrator:
		return "Privileged Authentication Administrator"
	case conditionalAccessAdministrator:
		return "Conditional Access Administrator"
	case securityAdministrator:
		return "Security Administrator"
	case authenticationPolicyAdministrator:
		return "Authentication Policy Administrator"
	}
	return "role " + id
}

func noOtherRoles(v *view) {
	c := v.contents(directory.RoleAssignments)
	for _, u := range v.accounts() {
		clean := true
		for _, a := range c.Assignments {
			if sameID(a.Principal, u.ID) && a.Role != directory.GlobalAdministrator {
				clean = false
				v.fail(u.ID, "roleAssignments", "%s at %s", roleName(a.Role), a.Scope)
			}
		}
		if clean {
			v.pass(u.ID, "roleAssignments", "nothing beside Global Administrator")
		}
	}
}

// knownAlerts: the alerts of Privileged Identity Management that are about the accounts
// are as expected; every other asks for somebody.
func knownAlerts(v *view) {
	v.read(directory.Users, "")
	for _, a := range v.contents(directory.RoleAlerts).RoleAlerts {
		kind := a.Definition[strings.LastIndexByte(a.Definition, '_')+1:]
		switch {
		case a.Active == truth.False || a.Count == 0 && len(a.Incidents) == 0:
			continue
		case len(a.Incidents) < a.Count:
			v.unknown(a.ID, kind, "%d incidents, of which %d were read", a.Count, len(a.Incidents))
		}
		for _, i := range a.Incidents {
			switch {
			case i.Assignee == "":
				v.unknown(a.ID, kind, "whom an incident is about is not told")
			case v.emergencyID(i.Assignee):
				v.pass(i.Assignee, kind, "expected of an emergency account")
			default:
				v.fail(i.Assignee, kind, "is about somebody who is no emergency account")
			}
		}
	}
	if len(v.seen) == 0 {
		v.pass("", "roleManagementAlerts", "none is active")
	}
}

// noRoleReview: no review takes Global Administrator from whom nobody reviewed.
func noRoleReview(v *view) {
	clean := true
	for _, r := range v.contents(directory.AccessReviews).AccessReviews {
		if reviews(r, []string{directory.GlobalAdministrator}) == "" {
			continue
		}
		switch takesAway(r) {
		case truth.True:
			clean = false
			v.fail(r.ID, "settings.defaultDecision", "%s reviews Global Administrator: %s for whom nobody reviewed, applied by itself", r.DisplayName, r.DefaultDecision)
		case truth.Unknown:
			clean = false
			v.unknown(r.ID, "settings", "%s reviews Global Administrator; what becomes of whom nobody reviewed is not told", r.DisplayName)
		}
	}
	if clean {
		v.pass("", "accessReviews/definitions", "no review takes the role away by itself")
	}
}

// secondWay: a way back that needs none of the accounts is declared. Applications that
// hold the role for good are told with it: each may be one.
func secondWay(v *view) {
	c := v.contents(directory.RoleSchedules, directory.ServicePrincipals)
	for _, a := range c.Schedules {
		if a.Role != directory.GlobalAdministrator || !tenantWide(a) || a.Type == "Activated" || !v.now(a) {
			continue
		}
		if slices.ContainsFunc(c.ServicePrincipals, func(p *directory.ServicePrincipal) bool { return p.ID == a.Principal }) {
			v.pass(a.Principal, "roleAssignmentScheduleInstances", "an application that is Global Administrator for good")
		}
	}
	if len(v.o.Recovery) == 0 {
		v.fail("", "recovery", "no way back without the accounts is declared: a partner, an application, the support contract")
		return
	}
	v.pass("", "recovery", "%s", strings.Join(v.o.Recovery, "; "))
}
