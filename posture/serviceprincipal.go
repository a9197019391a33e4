package posture

import (
	"slices"
	"strings"
	"time"

	"glassward/directory"
	"glassward/directory/truth"
	"glassward/kql/trial"
)

// applications gives the declared applications' service principals.
func (v *view) applications() []*directory.ServicePrincipal {
	v.read(directory.ServicePrincipals, "")
	var list []*directory.ServicePrincipal
	for _, id := range v.o.Applications {
		all := v.a.s.Contents().ServicePrincipals
		i := slices.IndexFunc(all, func(p *directory.ServicePrincipal) bool { return sameID(p.ID, id) || sameID(p.AppID, id) })
		if i < 0 {
			v.fail(id, "id", "there is no such service principal")
			continue
		}
		list = append(list, all[i])
	}
	return list
}

// writesAll are application permissions by which an application is as good as a Global
// Administrator: one is what it is for, more is more than it needs.
var writesAll = []string{"RoleManagement.ReadWrite.Directory", "AppRoleAssignment.ReadWrite.All", "Policy.ReadWrite.ConditionalAccess", "UserAuthenticationMethod.ReadWrite.All", "Directory.ReadWrite.All"}

// applicationTight: single-tenant, by a certificate that lasts, without secrets, with few
// permissions, and not barred by a policy for workload identities.
func applicationTight(v *view) {
	c := v.contents(directory.AppRoleAssignments, directory.Policies)
	v.read(directory.Applications, "")
	registrations := v.a.s.Contents().Applications
	for _, p := range v.applications() {
		v.truth(p.ID, "accountEnabled", p.Enabled, truth.True)
		i := slices.IndexFunc(registrations, func(a *directory.Application) bool { return sameID(a.AppID, p.AppID) })
		if i < 0 {
			v.fail(p.ID, "appId", "its registration is not in this tenant: another decides who it is")
		} else {
			v.registration(p, registrations[i])
		}
		n := 0
		for _, a := range c.AppRoleAssignments {
			if sameID(a.Principal, p.ID) && slices.Contains(writesAll, v.permission(a)) {
				n++
			}
		}
		if n > 1 {
			v.warn(p.ID, "appRoleAssignments", "%d permissions of which one would do", n)
		} else {
			v.pass(p.ID, "appRoleAssignments", "%d that can give itself everything", n)
		}
		clean := true
		for _, x := range c.Policies {
			w := x.Conditions.ClientApplications
			if w == nil || x.State != "enabled" || x.Grant == nil {
				continue
			}
			names := func(list []string) bool {
				return slices.ContainsFunc(list, func(s string) bool { return sameID(s, p.ID) })
			}
			included := names(w.Include) || slices.Contains(w.Include, "ServicePrincipalsInMyTenant")
			switch {
			case names(w.Exclude):
			case included:
				clean = false
				v.fail(x.ID, "clientApplications", "is about %s too", p.DisplayName)
			case w.Filter != nil:
				clean = false
				v.unknown(x.ID, "clientApplications", "chooses applications by a filter")
			}
		}
		if clean {
			v.pass(p.ID, "clientApplications", "no enabled policy is about it")
		}
	}
}

// permission gives the name of an application permission that was given.
func (v *view) permission(a *directory.AppRoleAssignment) string {
	r := v.a.s.ServicePrincipal(a.Resource)
	if r == nil {
		return ""
	}
	for _, x := range r.Roles {
		if sameID(x.ID, a.Role) {
			return x.Value
		}
	}
	return ""
}

func (v *view) registration(p *directory.ServicePrincipal, a *directory.Application) {
	switch a.Audience {
	case "AzureADMyOrg":
		v.pass(p.ID, "signInAudience", "%s", a.Audience)
	case "":
		v.unknown(p.ID, "signInAudience", "not told")
	default:
		v.fail(p.ID, "signInAudience", "%s: others can have it in their tenants", a.Audience)
	}
	now := v.a.s.Contents().Taken
	keys, secrets := slices.Concat(a.Keys, p.Keys), slices.Concat(a.Secrets, p.Secrets)
	if len(secrets) > 0 {
		v.fail(p.ID, "passwordCredentials", "%d: a secret can be read and used by anybody", len(secrets))
	} else {
		v.pass(p.ID, "passwordCredentials", "none")
	}
	var last time.Time
	for _, k := range keys {
		if k.End.After(last) {
			last = k.End
		}
	}
	switch {
	case len(keys) == 0:
		v.fail(p.ID, "keyCredentials", "none: it cannot sign in by a certificate")
	case now.IsZero():
		v.unknown(p.ID, "keyCredentials", "the snapshot does not say when it was taken")
	case last.Before(now.AddDate(0, 0, v.o.Norms.CertificateDays)):
		v.fail(p.ID, "keyCredentials", "the last ends %s, in less than %d days", last.Format(time.DateOnly), v.o.Norms.CertificateDays)
	default:
		v.pass(p.ID, "keyCredentials", "until %s", last.Format(time.DateOnly))
	}
}

// applicationWatched: an alert comes of its sign-ins.
func applicationWatched(v *view) {
	v.rules()
	workspaces, others := v.destinations("ServicePrincipalSignInLogs")
	for _, p := range v.applications() {
		if len(workspaces) == 0 {
			if len(others) > 0 {
				v.unknown(p.ID, "ServicePrincipalSignInLogs", "go to %s: who looks at them there is not in Azure", strings.Join(others, " and "))
			} else {
				v.fail(p.ID, "ServicePrincipalSignInLogs", "are sent nowhere")
			}
			continue
		}
		r := trial.Record{Table: "AADServicePrincipalSignInLogs", Alone: logTables,
			Cells: map[string]any{"TimeGenerated": v.moment().Add(-time.Minute), "ServicePrincipalId": p.ID, "AppId": p.AppID, "ResultType": "0",
				"OperationName": "Sign-in activity", "Category": "ServicePrincipalSignInLogs", "Type": "AADServicePrincipalSignInLogs"},
			Filled: []string{"Id", "CorrelationId", "IPAddress", "ServicePrincipalName", "ResourceDisplayName", "ResourceIdentity"}}
		switch a := v.alarm(r, workspaces); a.is {
		case truth.True:
			v.pass(p.ID, "a sign-in", "%s fires", a.rules[0].Name)
		case truth.Unknown:
			v.unknown(p.ID, "a sign-in", "%s", a.why)
		default:
			v.fail(p.ID, "a sign-in", "%s", a.why)
		}
	}
}
