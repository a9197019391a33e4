package graph

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Stream is one list of Graph, or one question about the declared accounts. It
// is the part of the source's cursors and reports.
type Stream string

// The streams. The declared ones ask for the declared accounts alone.
const (
	InteractiveSignIns        Stream = "signIns/interactive"
	NonInteractiveSignIns     Stream = "signIns/nonInteractive"
	ServicePrincipalSignIns   Stream = "signIns/servicePrincipal"
	ManagedIdentitySignIns    Stream = "signIns/managedIdentity"
	DirectoryAudits           Stream = "directoryAudits"
	Provisioning              Stream = "provisioning"
	RiskDetections            Stream = "riskDetections"
	RiskyUsers                Stream = "riskyUsers"
	DeclaredUsers             Stream = "declared/users"
	DeclaredServicePrincipals Stream = "declared/servicePrincipals"
	DeclaredAudits            Stream = "declared/directoryAudits"
)

// Streams gives every stream, the declared accounts' first.
func Streams() []Stream {
	var all []Stream
	for _, d := range definitions() {
		all = append(all, d.name)
	}
	return all
}

// Tables gives the tables that a stream fills, nil for one that is not there.
func (s Stream) Tables() []string {
	if d, ok := lookup(s); ok {
		return slices.Clone(d.tables)
	}
	return nil
}

// Declared reports whether the stream asks for the declared accounts alone.
func (s Stream) Declared() bool { return strings.HasPrefix(string(s), "declared/") }

// A definition says how a stream is asked for.
type definition struct {
	name   Stream
	tables []string
	poll   time.Duration
	top    int
	// asks are ways to ask, the best first; the next is taken when the service
	// refuses one.
	asks []ask
	// terms gives the conditions of a declared stream, nil where there is nobody
	// to ask for.
	terms func(Accounts) []string
}

// An ask is one way to ask for a stream.
type ask struct {
	path   string // from the version on
	time   string // the property that the window bounds; empty: no window can be said
	open   bool   // only gt and lt are known
	filter string // a further condition
	order  bool   // the default order is not stated, ours is
	lacks  string // what this way does not give that the one before does
}

func lookup(s Stream) (definition, bool) {
	for _, d := range definitions() {
		if d.name == s {
			return d, true
		}
	}
	return definition{}, false
}

func definitions() []definition {
	const (
		betaSignIns = "beta/auditLogs/signIns"
		audits      = "v1.0/auditLogs/directoryAudits"
		created     = "createdDateTime"
		activity    = "activityDateTime"
		// Beta is Graph's own word for what it may change. Only it has the types of
		// sign-ins and the details of authentication, so v1.0 is the second choice.
		lacks = "non-interactive sign-ins and the details of authentication"
	)
	types := func(names ...string) string {
		for i, n := range names {
			names[i] = "t eq '" + n + "'"
		}
		return "signInEventTypes/any(t: " + strings.Join(names, " or ") + ")"
	}
	signIns := func(name Stream, table, kind string) definition {
		return definition{name: name, tables: []string{table}, poll: time.Minute, top: 1000,
			asks: []ask{{path: betaSignIns, time: created, filter: types(kind)}}}
	}
	interactive := signIns(InteractiveSignIns, "SigninLogs", "interactiveUser")
	interactive.asks = append(interactive.asks, ask{path: "v1.0/auditLogs/signIns", time: created, lacks: "the details of authentication"})

	return []definition{
		{name: DeclaredUsers, tables: []string{"SigninLogs", "AADNonInteractiveUserSignInLogs"}, poll: 30 * time.Second, top: 1000,
			asks: []ask{
				{path: betaSignIns, time: created, filter: types("interactiveUser", "nonInteractiveUser")},
				{path: "v1.0/auditLogs/signIns", time: created, lacks: lacks},
			},
			terms: func(a Accounts) []string { return conditions(a.Users, "userId eq %s") }},
		{name: DeclaredServicePrincipals, tables: []string{"AADServicePrincipalSignInLogs", "AADManagedIdentitySignInLogs"}, poll: 30 * time.Second, top: 1000,
			asks:  []ask{{path: betaSignIns, time: created, filter: types("servicePrincipal", "managedIdentity")}, {path: betaSignIns, time: created, filter: types("servicePrincipal"), lacks: "sign-ins of managed identities"}},
			terms: func(a Accounts) []string { return conditions(a.ServicePrincipals, "servicePrincipalId eq %s") }},
		{name: DeclaredAudits, tables: []string{"AuditLogs"}, poll: 30 * time.Second, top: 1000,
			asks: []ask{{path: audits, time: activity, order: true}},
			terms: func(a Accounts) []string {
				// What a service principal began has no condition of its own: the
				// list can be filtered by its application's id, which is not declared.
				return slices.Concat(conditions(a.Users, "initiatedBy/user/id eq %s", "targetResources/any(t: t/id eq %s)"),
					conditions(a.ServicePrincipals, "targetResources/any(t: t/id eq %s)"))
			}},
		interactive,
		signIns(NonInteractiveSignIns, "AADNonInteractiveUserSignInLogs", "nonInteractiveUser"),
		signIns(ServicePrincipalSignIns, "AADServicePrincipalSignInLogs", "servicePrincipal"),
		signIns(ManagedIdentitySignIns, "AADManagedIdentitySignInLogs", "managedIdentity"),
		{name: DirectoryAudits, tables: []string{"AuditLogs"}, poll: time.Minute, top: 1000,
			asks: []ask{{path: audits, time: activity, order: true}}},
		{name: Provisioning, tables: []string{"AADProvisioningLogs"}, poll: 5 * time.Minute, top: 1000,
			asks: []ask{{path: "v1.0/auditLogs/provisioning", time: activity, open: true, order: true}}},
		{name: RiskDetections, tables: []string{"AADUserRiskEvents"}, poll: 5 * time.Minute, top: 500,
			asks: []ask{
				{path: "v1.0/identityProtection/riskDetections", time: "lastUpdatedDateTime"},
				{path: "v1.0/identityProtection/riskDetections", time: "detectedDateTime", lacks: "changes of a risk after its detection"},
			}},
		{name: RiskyUsers, tables: []string{"AADRiskyUsers"}, poll: 5 * time.Minute, top: 500,
			asks: []ask{
				{path: "v1.0/identityProtection/riskyUsers", time: "riskLastUpdatedDateTime"},
				{path: "v1.0/identityProtection/riskyUsers", lacks: "nothing, but each poll reads the whole list"},
			}},
	}
}

// conditions says each form of each id.
func conditions(ids []string, forms ...string) []string {
	var all []string
	for _, id := range ids {
		for _, form := range forms {
			all = append(all, fmt.Sprintf(form, "'"+strings.ReplaceAll(id, "'", "''")+"'"))
		}
	}
	return all
}

// stamp writes a time as filters want it, unquoted and in whole seconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// address says a window as a request. terms, if there are any, are alternatives.
func (d *definition) address(root string, a ask, w span, terms []string) string {
	var all []string
	if a.time != "" {
		if a.open {
			all = append(all, a.time+" gt "+stamp(w.From.Add(-time.Second)), a.time+" lt "+stamp(w.To.Add(time.Second)))
		} else {
			all = append(all, a.time+" ge "+stamp(w.From), a.time+" le "+stamp(w.To))
		}
	}
	switch len(terms) {
	case 0:
	case 1:
		all = append(all, terms[0])
	default:
		all = append(all, "("+strings.Join(terms, " or ")+")")
	}
	if a.filter != "" {
		all = append(all, a.filter)
	}
	text := root + "/" + a.path + "?$top=" + fmt.Sprint(d.top)
	if len(all) > 0 {
		text += "&$filter=" + strings.ReplaceAll(url.QueryEscape(strings.Join(all, " and ")), "+", "%20")
	}
	if a.order {
		text += "&$orderby=" + a.time
	}
	return text
}

// groups cuts terms into requests of at most n terms and of an address that no
// proxy refuses.
func groups(terms []string, n int) [][]string {
	const longest = 1200
	if len(terms) == 0 {
		return [][]string{nil}
	}
	var all [][]string
	size := 0
	for _, t := range terms {
		last := len(all) - 1
		if last < 0 || len(all[last]) >= n || size+len(t) > longest {
			all, size = append(all, nil), 0
			last++
		}
		all[last] = append(all[last], t)
		size += len(t) + 4
	}
	return all
}
