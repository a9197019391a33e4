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
			v.unknown(u.ID, "signInActivity", "the snapshot does not say when it was taken")
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
			v.unknown(u.ID, "signInActivity", "not told: it needs AuditLog.Read.All and Entra ID P1")
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
