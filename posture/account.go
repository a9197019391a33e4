package posture

import (
	"slices"
	"strings"
	"time"

	"glassward/directory"
	"glassward/directory/truth"
)

// declared: every account resolves by its object id, and bears the declared name.
func declared(v *view) {
	v.read(directory.Users, "")
	v.read(directory.DeletedUsers, "")
	for _, e := range v.o.Accounts {
		u := v.user(e.ID)
		if u == nil {
			twin := "no such account"
			for _, d := range v.a.s.Contents().DeletedUsers {
				if sameID(d.ID, e.ID) {
					twin = "deleted, and still in the bin"
				}
			}
			v.fail(e.ID, "id", "%s", twin)
			continue
		}
		switch {
		case e.UPN == "":
			v.pass(u.ID, "id", "resolves")
		case u.UPN == "":
			v.unknown(u.ID, "userPrincipalName", "not told")
		case strings.EqualFold(e.UPN, u.UPN):
			v.pass(u.ID, "userPrincipalName", "%s", u.UPN)
		default:
			v.fail(u.ID, "userPrincipalName", "is %s, declared as %s", u.UPN, e.UPN)
		}
	}
}

// enough: at least two accounts are enabled, permanent Global Administrators and have a
// key. What is unknown of an account counts for neither side.
func enough(v *view) {
	v.read(directory.Users, "")
	usable, maybe := 0, 0
	for _, e := range v.o.Accounts {
		u := v.user(e.ID)
		if u == nil {
			continue // for ACC-01
		}
		admin := v.permanent(u.ID)
		key := truth.Unknown
		if list, ok := v.methods(u.ID); ok {
			key = truth.Of(slices.ContainsFunc(list, isKey))
		}
		switch u.Enabled.And(admin).And(key) {
		case truth.True:
			usable++
			v.pass(u.ID, "usable", "enabled, permanent Global Administrator, has a key")
		case truth.Unknown:
			maybe++
		case truth.False:
			v.warn(u.ID, "usable", "enabled %v, permanent Global Administrator %v, has a key %v", u.Enabled, admin, key)
		}
	}
	n, all := v.o.Norms, len(v.o.Accounts)
	switch {
	case usable+maybe < n.LeastAccounts:
		v.fail("", "usable accounts", "%d, fewer than %d", usable, n.LeastAccounts)
	case usable < n.LeastAccounts:
		v.unknown("", "usable accounts", "%d, and of %d it is not known", usable, maybe)
	case all > n.MostAccounts:
		v.warn("", "declared accounts", "%d, more than %d", all, n.MostAccounts)
	}
}

func enabled(v *view) {
	for _, u := range v.accounts() {
		v.truth(u.ID, "accountEnabled", u.Enabled, truth.True)
	}
}

// truth says whether a property is as it must be.
func (v *view) truth(object, property string, have, want truth.Value) {
	switch have {
	case truth.Unknown:
		v.unknown(object, property, "not told")
	case want:
		v.pass(object, property, "%s", have.String())
	default:
		v.fail(object, property, "%s", have.String())
	}
}

// cloudOnly: not synchronised, and nothing left of it by which an account of another
// directory could be matched to it.
func cloudOnly(v *view) {
	for _, u := range v.accounts() {
		v.truth(u.ID, "onPremisesSyncEnabled", u.Synced, truth.False)
		switch {
		case u.ImmutableID != "":
			v.fail(u.ID, "onPremisesImmutableId", "set: it was synchronised once, and an account can be matched to it")
		case !u.Tells("onPremisesImmutableId"):
			v.unknown(u.ID, "onPremisesImmutableId", "not told")
		default:
			v.pass(u.ID, "onPremisesImmutableId", "none")
		}
	}
}

// fallback are the suffixes of the domains that Microsoft gives, in all clouds.
var fallback = []string{".onmicrosoft.com", ".onmicrosoft.us", ".partner.onmschina.cn"}

// domain gives the domain of an account, or says that it is not known.
func (v *view) domain(u *directory.User) *directory.Domain {
	name := u.Domain()
	if name == "" {
		v.unknown(u.ID, "userPrincipalName", "not told")
		return nil
	}
	for _, d := range v.contents(directory.Domains).Domains {
		if d.Name == name {
			return d
		}
	}
	v.unknown(u.ID, "userPrincipalName", "%s is no domain of the tenant", name)
	return nil
}

func initialDomain(v *view) {
	for _, u := range v.accounts() {
		d := v.domain(u)
		if d == nil {
			continue
		}
		given := slices.ContainsFunc(fallback, func(s string) bool { return strings.HasSuffix(d.Name, s) })
		if given || d.Initial == truth.True {
			v.pass(u.ID, "userPrincipalName", "%s", u.UPN)
		} else {
			v.fail(u.ID, "userPrincipalName", "%s hangs on the DNS of %s", u.UPN, d.Name)
		}
	}
}

func managedDomain(v *view) {
	for _, u := range v.accounts() {
		d := v.domain(u)
		switch {
		case d == nil:
		case d.AuthenticationType == "Managed":
			v.pass(u.ID, "authenticationType", "%s is managed", d.Name)
		case d.AuthenticationType == "Federated":
			v.fail(u.ID, "authenticationType", "%s is federated", d.Name)
		default:
			v.unknown(u.ID, "authenticationType", "of %s: %q", d.Name, d.AuthenticationType)
		}
	}
}

func nativeMember(v *view) {
	for _, u := range v.accounts() {
		v.truth(u.ID, "userType Guest or #EXT#", u.Guest(), truth.False)
		if !u.Tells("identities") {
			v.unknown(u.ID, "identities", "not told")
			continue
		}
		for _, i := range u.Identities {
			if i.SignInType == "federated" {
				v.fail(u.ID, "identities", "signs in by way of %s", i.Issuer)
			}
		}
	}
}

// nobodys: nothing in the account names one person.
func nobodys(v *view) {
	for _, u := range v.accounts() {
		for _, p := range []struct{ name, value string }{
			{"employeeId", u.EmployeeID}, {"mobilePhone", u.Mobile},
			{"otherMails", strings.Join(u.OtherMails, ", ")}, {"jobTitle", u.JobTitle},
		} {
			switch {
			case !u.Tells(p.name):
				v.unknown(u.ID, p.name, "not told")
			case p.value != "":
				v.fail(u.ID, p.name, "is set")
			default:
				v.pass(u.ID, p.name, "none")
			}
		}
	}
}

// never is how many days Graph gives for passwords that do not expire.
const never = 2147483647

func passwordStays(v *view) {
	for _, u := range v.accounts() {
		if strings.Contains(u.PasswordPolicies, "DisablePasswordExpiration") {
			v.pass(u.ID, "passwordPolicies", "%s", u.PasswordPolicies)
			continue
		}
		if !u.Tells("passwordPolicies") {
			v.unknown(u.ID, "passwordPolicies", "not told")
			continue
		}
		d := v.domain(u)
		switch {
		case d == nil:
		case d.PasswordDays == never:
			v.pass(u.ID, "passwordValidityPeriodInDays", "%s: never", d.Name)
		case d.PasswordDays == 0:
			v.unknown(u.ID, "passwordValidityPeriodInDays", "of %s: not told", d.Name)
		default:
			v.fail(u.ID, "passwordValidityPeriodInDays", "%s: after %d days, and the account has no DisablePasswordExpiration", d.Name, d.PasswordDays)
		}
	}
	v.read(directory.Domains, "")
}

func noForcedChange(v *view) {
	for _, u := range v.accounts() {
		v.truth(u.ID, "forceChangePasswordNextSignIn", u.ForcePasswordChange, truth.False)
	}
}

func noLicence(v *view) {
	for _, u := range v.accounts() {
		switch {
		case len(u.Licences) > 0:
			v.fail(u.ID, "assignedLicenses", "%d", len(u.Licences))
		case !u.Tells("assignedLicenses"):
			v.unknown(u.ID, "assignedLicenses", "not told")
		default:
			v.pass(u.ID, "assignedLicenses", "none")
		}
	}
}

// exercised: each account signed in within the interval of drills.
func exercised(v *view) {
	taken := v.a.s.Contents().Taken
	for _, u := range v.accounts() {
		switch {
		case taken.IsZero():
			v.unknown(u.ID, "lastSuccessfulSignInDateTime", "the snapshot does not say when it was taken")
		case !u.LastSignIn.IsZero():
			days := int(taken.Sub(u.LastSignIn) / (24 * time.Hour))
			if days > v.o.Norms.DrillDays {
				v.fail(u.ID, "lastSuccessfulSignInDateTime", "%d days ago, more than %d", days, v.o.Norms.DrillDays)
			} else {
				v.pass(u.ID, "lastSuccessfulSignInDateTime", "%d days ago", days)
			}
		case u.Tells("signInActivity"):
			v.fail(u.ID, "lastSuccessfulSignInDateTime", "never")
		default:
			v.unknown(u.ID, "lastSuccessfulSignInDateTime", "not told: it needs AuditLog.Read.All and Entra ID P1")
		}
	}
}

// nothingAttached: no consents of the account's own, no roles in applications.
func nothingAttached(v *view) {
	c := v.contents(directory.PermissionGrants, directory.AppRoleAssignments)
	for _, u := range v.accounts() {
		clean := true
		for _, g := range c.PermissionGrants {
			if sameID(g.Principal, u.ID) {
				clean = false
				v.fail(u.ID, "oauth2PermissionGrants", "%s may %s in its name", v.name(g.Client), strings.Join(g.Scopes, " "))
			}
		}
		for _, g := range c.AppRoleAssignments {
			if sameID(g.Principal, u.ID) {
				clean = false
				v.fail(u.ID, "appRoleAssignments", "holds a role in %s", v.name(g.Resource))
			}
		}
		if clean {
			v.pass(u.ID, "oauth2PermissionGrants, appRoleAssignments", "none")
		}
	}
}

func olderMFA(v *view) {
	for _, u := range v.accounts() {
		state, ok := v.perUserMFA(u.ID)
		switch {
		case !ok:
		case state == "disabled":
			v.pass(u.ID, "perUserMfaState", "%s", state)
		case state == "enabled", state == "enforced":
			v.fail(u.ID, "perUserMfaState", "%s", state)
		default:
			v.unknown(u.ID, "perUserMfaState", "%q", state)
		}
	}
}

func groupCeiling(v *view) {
	for _, u := range v.accounts() {
		m, ok := v.memberOf(u.ID)
		if !ok {
			continue
		}
		if n := len(m.All()); n > v.o.Norms.Groups {
			v.fail(u.ID, "transitiveMemberOf", "%d groups, more than %d", n, v.o.Norms.Groups)
		} else {
			v.pass(u.ID, "transitiveMemberOf", "%d groups", n)
		}
	}
}

// noOtherGroups: the accounts are in no group but those declared.
func noOtherGroups(v *view) {
	for _, u := range v.accounts() {
		m, ok := v.memberOf(u.ID)
		if !ok {
			continue
		}
		clean := true
		for _, g := range m.All() {
			if g == v.o.Group && v.o.Targeting == TargetGroup || slices.Contains(v.o.OtherGroups, g) {
				continue
			}
			clean = false
			v.fail(u.ID, "transitiveMemberOf", "in %s (%s), which is not declared", v.name(g), g)
		}
		if clean {
			v.pass(u.ID, "transitiveMemberOf", "declared groups only")
		}
	}
}

// namedInPapers: the account has the name by which people look for it. What it is called
// is a matter of taste, so that nothing fails here.
func namedInPapers(v *view) {
	declared := map[string]string{}
	for _, e := range v.o.Accounts {
		declared[e.ID] = e.UPN
	}
	for _, u := range v.accounts() {
		switch {
		case declared[u.ID] == "":
			v.warn(u.ID, "userPrincipalName", "%s: no name is declared, so that no paper can be held against it", u.UPN)
		case !strings.EqualFold(declared[u.ID], u.UPN):
			v.warn(u.ID, "userPrincipalName", "%s, and the papers have %s (ACC-01)", u.UPN, declared[u.ID])
		case u.DisplayName == "":
			v.warn(u.ID, "displayName", "none: in a log it is a name that nobody knows")
		default:
			v.pass(u.ID, "displayName", "%s", u.DisplayName)
		}
	}
}

// passwordChanged: the password is younger than the last sign-in. Whether that was a drill
// with the key no part of a snapshot tells.
func passwordChanged(v *view) {
	for _, u := range v.accounts() {
		switch {
		case u.LastPasswordChange.IsZero():
			v.unknown(u.ID, "lastPasswordChangeDateTime", "not told")
		case !u.LastSignIn.IsZero() && u.LastSignIn.After(u.LastPasswordChange):
			v.warn(u.ID, "lastPasswordChangeDateTime", "%s, before the last sign-in on %s: unless that was a drill with the key, the password has been used",
				u.LastPasswordChange.Format(time.DateOnly), u.LastSignIn.Format(time.DateOnly))
		case u.LastSignIn.IsZero() && !u.Tells("signInActivity"):
			v.unknown(u.ID, "signInActivity", "not told: it needs AuditLog.Read.All and Entra ID P1")
		default:
			v.pass(u.ID, "lastPasswordChangeDateTime", "%s, since the last sign-in", u.LastPasswordChange.Format(time.DateOnly))
		}
	}
}

// notAtRisk: Identity Protection holds nothing against an account. Of one that was never
// at risk there is no entry.
func notAtRisk(v *view) {
	list := v.contents(directory.RiskyUsers).RiskyUsers
	for _, u := range v.accounts() {
		at := slices.IndexFunc(list, func(r *directory.RiskyUser) bool { return sameID(r.ID, u.ID) })
		if at < 0 {
			v.pass(u.ID, "riskState", "never at risk")
			continue
		}
		switch r := list[at]; r.State {
		case "none", "confirmedSafe", "remediated", "dismissed":
			v.pass(u.ID, "riskState", "%s", r.State)
		case "atRisk", "confirmedCompromised":
			v.fail(u.ID, "riskState", "%s, level %s", r.State, r.Level)
		default:
			v.unknown(u.ID, "riskState", "%q", r.State)
		}
	}
}

// takesAway says of an access review whether it takes access away from whom nobody
// reviewed.
func takesAway(r *directory.AccessReview) truth.Value {
	denies := truth.Of(r.DefaultDecision == "Deny" || r.DefaultDecision == "Recommendation")
	if r.DefaultDecision == "" {
		denies = truth.Unknown
	}
	return truth.All(r.AutoApply, r.DefaultEnabled, denies)
}

// reviews gives the first of some ids that the scope of a review names, or "".
func reviews(r *directory.AccessReview, ids []string) string {
	for _, scope := range r.Scope {
		text := strings.ToLower(string(scope))
		for _, id := range ids {
			if id != "" && strings.Contains(text, strings.ToLower(id)) {
				return id
			}
		}
	}
	return ""
}

// notCleanedUp: no review and no workflow removes the accounts by itself for want of use.
func notCleanedUp(v *view) {
	c := v.contents(directory.AccessReviews, directory.LifecycleWorkflows)
	for _, u := range v.accounts() {
		m, ok := v.memberOf(u.ID)
		if !ok {
			continue
		}
		clean := true
		for _, r := range c.AccessReviews {
			id := reviews(r, append([]string{u.ID}, m.All()...))
			if id == "" {
				continue
			}
			switch takesAway(r) {
			case truth.True:
				clean = false
				v.fail(r.ID, "accessReviews/definitions", "%s reviews %s and removes whom nobody reviewed: default %s, applied by itself", r.DisplayName, v.name(id), r.DefaultDecision)
			case truth.Unknown:
				clean = false
				v.unknown(r.ID, "accessReviews/definitions", "%s reviews %s; whether it removes whom nobody reviewed is not told", r.DisplayName, v.name(id))
			}
		}
		if clean {
			v.pass(u.ID, "accessReviews/definitions", "no review removes it")
		}
	}
	for _, w := range c.LifecycleWorkflows {
		if w.Enabled == truth.False || w.Scheduled == truth.False || w.Category == "joiner" {
			continue
		}
		rule := "a rule that is not told"
		if w.Rule != "" {
			rule = w.Rule
		}
		// Rules are Graph's own language; what they hold of a person may tell.
		v.warn(w.ID, "lifecycleWorkflows", "%s runs by itself for %s: see that it leaves the accounts out", w.DisplayName, rule)
	}
}

// nameSinceKeys: passkeys do not follow a change of name. That it was changed stands in
// AuditLogs alone.
func nameSinceKeys(v *view) {
	v.keys(func(account string, m directory.Method) {
		since := "since it was registered"
		if !m.Created.IsZero() {
			since = "since " + m.Created.Format(time.DateOnly)
		}
		v.unknown(account, "userPrincipalName", "whether it was changed %s, after which %s would sign in no more, stands in AuditLogs, which a snapshot does not hold: AuditLogs | where OperationName == 'Update user' and TargetResources has '%s' and TargetResources has 'UserPrincipalName'", since, keyName(m), account)
	})
}

// noSharedFate: no one thing that the directory shows takes all accounts at once: a model
// of keys, a domain of one's own, a group that others edit. Where the keys lie it does not
// show.
func noSharedFate(v *view) {
	v.read(directory.Groups, "")
	users := v.accounts()
	if len(users) < 2 {
		v.not = "there is one account only"
		return
	}
	shared := v.sharedModels(users)
	if shared != "" {
		v.fail("", "aaGuid", "%s", shared)
	} else if !v.any(Unknown) {
		v.pass("", "aaGuid", "no model of keys serves all accounts")
	}
	domain := users[0].Domain()
	for _, u := range users {
		if u.Domain() != domain {
			domain = ""
		}
	}
	own := domain != "" && !slices.ContainsFunc(fallback, func(s string) bool { return strings.HasSuffix(domain, s) })
	if own {
		v.fail("", "userPrincipalName", "all hang on the domain %s", domain)
	}
	if v.o.Targeting != TargetGroup || v.o.Group == "" {
		return
	}
	if g := v.group(v.o.Group); g == nil {
		v.unknown(v.o.Group, "id", "there is no such group")
	} else {
		switch g.RoleAssignable.Or(g.Restricted) {
		case truth.True:
			v.pass(g.ID, "isAssignableToRole, isManagementRestricted", "all accounts hang on it, and few can edit it")
		case truth.False:
			v.fail(g.ID, "isAssignableToRole, isManagementRestricted", "all accounts hang on it, and every Groups Administrator can edit it")
		default:
			v.unknown(g.ID, "isAssignableToRole, isManagementRestricted", "not told")
		}
	}
}

// sharedModels says which model all keys of all accounts are of, or "". Of an account
// without a key, or with one of unknown model, it is unknown.
func (v *view) sharedModels(users []*directory.User) string {
	common := map[string]int{}
	for _, u := range users {
		list, ok := v.methods(u.ID)
		if !ok {
			return ""
		}
		models := map[string]bool{}
		for _, m := range list {
			if isKey(m) {
				models[m.AAGUID] = true
			}
		}
		if len(models) == 0 || models[""] {
			v.unknown(u.ID, "aaGuid", "there is no key of known model (AUTH-01)")
			return ""
		}
		if len(models) == 1 {
			for id := range models {
				common[id]++
			}
		}
	}
	for id, n := range common {
		if n == len(users) {
			return "all keys of all accounts are of the model " + id
		}
	}
	return ""
}
