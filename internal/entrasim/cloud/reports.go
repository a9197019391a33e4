package cloud

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"glassward/internal/entrasim"
)

// A report is one of Graph's lists of what happened.
type report struct {
	entity     string
	kinds      []entrasim.Kind
	time       string // the property that stands for the event's own time
	order      bool   // may be ordered by that property
	usual      int    // rows of a page
	most       int
	permission []string
	premium    bool // needs P1
	protection bool // belongs to identity protection
	exact      bool // compares text with care for its case
	properties map[string]property
}

// A property says how a filter may use a property: the operators, and whether
// it is a text, an instant (d), a number (f) or true or false (b).
type property struct {
	operators string
	kind      byte
}

func texts(operators string, names ...string) map[string]property {
	out := map[string]property{}
	for _, n := range names {
		out[n] = property{operators, 's'}
	}
	return out
}

func join(maps ...map[string]property) map[string]property {
	out := map[string]property{}
	for _, m := range maps {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// reports are the lists by path below the version. What each may be filtered by
// is what its documentation lists.
var reports = map[string]*report{
	"auditLogs/signIns": {
		entity: "signIn", kinds: []entrasim.Kind{entrasim.InteractiveSignIn}, time: "createdDateTime", order: true, usual: 1000, most: 1000, premium: true,
		permission: []string{"AuditLog.Read.All"},
		properties: join(
			texts("eq", "id", "userId", "appId", "correlationId", "conditionalAccessStatus", "riskState", "riskDetail", "riskLevelAggregated", "riskLevelDuringSignIn", "resourceId", "resourceDisplayName", "originalRequestId", "clientAppUsed", "tokenIssuerType", "uniqueTokenIdentifier"),
			texts("eq startswith", "userPrincipalName", "userDisplayName", "ipAddress", "appDisplayName", "userAgent", "servicePrincipalId", "servicePrincipalName", "location/city", "location/state", "location/countryOrRegion", "deviceDetail/browser", "deviceDetail/operatingSystem", "alternateSignInName"),
			texts("eq ne", "signInEventTypes"),
			map[string]property{"createdDateTime": {"eq le ge lt gt", 'd'}, "status/errorCode": {"eq", 'f'}, "isInteractive": {"eq", 'b'}},
		),
	},
	"auditLogs/directoryAudits": {
		entity: "directoryAudit", kinds: []entrasim.Kind{entrasim.DirectoryAudit}, time: "activityDateTime", order: true, usual: 1000, most: 1000,
		permission: []string{"AuditLog.Read.All"},
		properties: join(
			texts("eq", "id", "correlationId", "loggedByService", "category", "result", "operationType", "initiatedBy/user/id", "initiatedBy/user/displayName", "initiatedBy/app/appId", "initiatedBy/app/displayName", "initiatedBy/app/servicePrincipalId", "targetResources/id"),
			texts("eq startswith", "activityDisplayName", "initiatedBy/user/userPrincipalName", "targetResources/displayName"),
			map[string]property{"activityDateTime": {"eq le ge lt gt", 'd'}},
		),
	},
	"auditLogs/provisioning": {
		entity: "provisioningObjectSummary", kinds: []entrasim.Kind{entrasim.Provisioning}, time: "activityDateTime", order: true, usual: 100, most: 1000, premium: true, exact: true,
		permission: []string{"AuditLog.Read.All", "ProvisioningLog.Read.All"},
		properties: join(
			texts("eq contains", "id", "jobId", "cycleId", "changeId", "tenantId", "provisioningAction", "sourceIdentity/id", "sourceIdentity/displayName", "targetIdentity/id", "targetIdentity/displayName", "provisioningStatusInfo/status", "servicePrincipal/id", "servicePrincipal/displayName", "initiatedBy/displayName"),
			map[string]property{"activityDateTime": {"eq gt lt", 'd'}, "durationInMilliseconds": {"eq gt lt", 'f'}},
		),
	},
	"identityProtection/riskDetections": {
		entity: "riskDetection", kinds: []entrasim.Kind{entrasim.RiskDetection}, time: "activityDateTime", usual: 20, most: 500, premium: true, protection: true,
		permission: []string{"IdentityRiskEvent.Read.All", "IdentityRiskEvent.ReadWrite.All"},
		properties: join(
			texts("eq", "id", "userId", "requestId", "correlationId", "riskEventType", "riskState", "riskLevel", "riskDetail", "source", "detectionTimingType", "activity", "ipAddress", "userPrincipalName", "userDisplayName", "tokenIssuerType"),
			map[string]property{"activityDateTime": {"eq le ge lt gt", 'd'}, "detectedDateTime": {"eq le ge lt gt", 'd'}, "lastUpdatedDateTime": {"eq le ge lt gt", 'd'}},
		),
	},
	"identityProtection/riskyUsers": {
		entity: "riskyUser", kinds: []entrasim.Kind{entrasim.RiskyUser}, time: "riskLastUpdatedDateTime", usual: 20, most: 500, premium: true, protection: true,
		permission: []string{"IdentityRiskyUser.Read.All", "IdentityRiskyUser.ReadWrite.All"},
		properties: join(
			texts("eq", "id", "riskState", "riskLevel", "riskDetail"),
			texts("eq startswith", "userDisplayName", "userPrincipalName"),
			map[string]property{"riskLastUpdatedDateTime": {"eq le ge lt gt", 'd'}, "isDeleted": {"eq", 'b'}, "isProcessing": {"eq", 'b'}},
		),
	},
}

// oldest is how far back a filter may ask for sign-ins and audits.
const oldest = 90 * 24 * time.Hour

// report answers for one page of a list.
func (c *Cloud) report(g *call, rep *report) *graphFault {
	premium := g.t.world.Licensed(entrasim.PremiumP1) || g.t.world.Licensed(entrasim.PremiumP2)
	if !c.allowed(g, rep.permission...) {
		if rep.protection {
			return &graphFault{http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."}
		}
		return &graphFault{http.StatusForbidden, "Authentication_MSGraphPermissionMissing", "Calling principal does not have required MSGraph permissions " + strings.Join(rep.permission, ",")}
	}
	c.faults.mu.Lock()
	blind := c.faults.directory && !g.claims.has("Directory.Read.All")
	c.faults.mu.Unlock()
	if rep.premium && (!premium || blind) {
		if rep.protection {
			return &graphFault{http.StatusForbidden, "Forbidden", "Your tenant is not licensed for this feature."}
		}
		return &graphFault{http.StatusForbidden, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license"}
	}
	for _, o := range []string{"$count", "$search"} {
		if _, ok := g.options[o]; ok {
			return badGraph("Query option '%s' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings.", strings.ToUpper(o[1:2])+o[2:])
		}
	}
	limit, f := g.top(rep.usual, rep.most, !rep.protection)
	if f != nil {
		return f
	}
	newest := true
	if text, ok := g.options["$orderby"]; ok {
		by, way, _ := strings.Cut(strings.TrimSpace(text), " ")
		if !rep.order || by != rep.time || way != "" && way != "asc" && way != "desc" {
			return badGraph("Invalid orderby clause: '%s' is not supported on type 'microsoft.graph.%s'.", text, rep.entity)
		}
		newest = way == "desc"
	}
	filter, kinds, f := c.filter(g, rep)
	if f != nil {
		return f
	}
	place, f := c.place(g)
	if f != nil {
		return f
	}
	g.t.view.refresh(g.now)
	from, to := time.Time{}, g.now
	if !rep.protection {
		from = g.now.Add(-7 * 24 * time.Hour)
		if premium {
			from = g.now.Add(-30 * 24 * time.Hour)
		}
	}
	if rep.time != "activityDateTime" || rep.kinds[0] != entrasim.RiskDetection {
		from, to = filter.span(rep.time, from, to)
	}
	if place.page > 1 && !place.at.IsZero() {
		if newest {
			to = earlier(to, place.at)
		} else {
			from = later(from, place.at)
		}
	}
	return c.reportPage(g, rep, filter, kinds, place, from, to, newest, limit)
}

func (c *Cloud) reportPage(g *call, rep *report, filter *node, kinds []entrasim.Kind, place cursor, from, to time.Time, newest bool, limit int) *graphFault {
	c.faults.mu.Lock()
	empty := c.faults.empty > 0 && place.page%max(2, c.faults.empty) == 0
	c.faults.mu.Unlock()
	var rows []seen
	more := false
	if empty {
		more = true
	} else {
		g.t.view.walk(kinds, from, to, newest, func(s *seen) bool {
			if !place.at.IsZero() { // the page before ended there
				switch at := s.event.At.Compare(place.at); {
				case at == 0 && newest && s.event.ID >= place.id, at == 0 && !newest && s.event.ID <= place.id:
					return true
				}
			}
			if filter != nil && !filter.match(s.getter(rep)) {
				return true
			}
			if len(rows) == limit {
				more = true
				return false
			}
			rows = append(rows, *s)
			return true
		})
	}
	next := cursor{at: place.at, id: place.id, page: place.page + 1}
	var out [][]byte
	policies := c.allowed(g, "Policy.Read.All", "Policy.Read.ConditionalAccess", "Policy.ReadWrite.ConditionalAccess")
	for _, s := range rows {
		c.faults.mu.Lock()
		bad := c.faults.poison[s.event.ID]
		c.faults.mu.Unlock()
		if bad {
			return &graphFault{http.StatusInternalServerError, "UnknownError", "An unexpected error occurred while processing the page."}
		}
		next.at, next.id = s.event.At, s.event.ID
		out = append(out, choose(c.show(g, rep, &s, policies), g.options["$select"]))
	}
	link := ""
	if more {
		link = c.link(g, next)
	}
	c.page(g, g.path, out, link, -1)
	return nil
}

// show is how an event is shown to who asks.
func (c *Cloud) show(g *call, rep *report, s *seen, policies bool) []byte {
	var b []byte
	if g.beta {
		b = s.event.Graph(s.version)
	} else {
		b = s.event.V1(s.version)
	}
	switch {
	case rep.entity == "signIn" && !policies:
		return replace(b, map[string]string{"appliedConditionalAccessPolicies": "[]"})
	case rep.protection && !g.t.world.Licensed(entrasim.PremiumP2):
		return replace(b, map[string]string{"riskEventType": `"generic"`, "riskType": `"generic"`, "riskLevel": `"hidden"`, "riskDetail": `"hidden"`})
	}
	return b
}

// replace gives other values to properties that an entity has.
func replace(entity []byte, with map[string]string) []byte {
	var all map[string]json.RawMessage
	if json.Unmarshal(entity, &all) != nil {
		return entity
	}
	for k, v := range with {
		if _, ok := all[k]; ok {
			all[k] = json.RawMessage(v)
		}
	}
	b, err := json.Marshal(all)
	if err != nil {
		return entity
	}
	return b
}

// filter reads and judges the filter of a call, and finds which kinds of events
// it can mean.
func (c *Cloud) filter(g *call, rep *report) (*node, []entrasim.Kind, *graphFault) {
	text, ok := g.options["$filter"]
	if !ok {
		return nil, rep.kinds, nil
	}
	invalid := func(format string, args ...any) *graphFault {
		return badGraph("Invalid filter clause: %s", fmt.Sprintf(format, args...))
	}
	n, err := parseFilter(text)
	if err != nil {
		return nil, nil, invalid("%s", err)
	}
	kinds := rep.kinds
	var refused *graphFault
	err = n.walk(func(leaf *node) error {
		refused = c.judgeLeaf(g, rep, leaf)
		if refused != nil {
			return errRefused
		}
		leaf.exact = rep.exact
		if leaf.prop == "signInEventTypes" {
			kinds = signIns
		}
		return nil
	})
	if err == nil {
		refused = judgeLambdas(n, false)
	}
	if refused != nil {
		return nil, nil, refused
	}
	return n, kinds, nil
}

var errRefused = fmt.Errorf("refused")

var signIns = []entrasim.Kind{entrasim.InteractiveSignIn, entrasim.NonInteractiveSignIn, entrasim.ServicePrincipalSignIn, entrasim.ManagedIdentitySignIn}

// collections are the properties that have many values.
var collections = []string{"signInEventTypes", "targetResources"}

// judgeLambdas demands that the properties with many values stand in any() and
// no others.
func judgeLambdas(n *node, inside bool) *graphFault {
	if n.op == "any" {
		if !slices.Contains(collections, n.prop) {
			return badGraph("Invalid filter clause: any() may only be used with a collection; '%s' is none.", n.prop)
		}
		return judgeLambdas(n.kids[0], true)
	}
	if len(n.kids) == 0 {
		first, _, _ := strings.Cut(n.prop, "/")
		if slices.Contains(collections, first) != inside {
			return badGraph("Invalid filter clause: the property '%s' has to be used in any().", n.prop)
		}
	}
	for _, k := range n.kids {
		if f := judgeLambdas(k, inside); f != nil {
			return f
		}
	}
	return nil
}

func (c *Cloud) judgeLeaf(g *call, rep *report, leaf *node) *graphFault {
	p, ok := rep.properties[leaf.prop]
	if !ok || leaf.prop == "signInEventTypes" && !g.beta {
		return badGraph("Invalid filter clause: Could not find a property named '%s' on type 'microsoft.graph.%s'.", leaf.prop, rep.entity)
	}
	if !slices.Contains(strings.Fields(p.operators), leaf.op) {
		return badGraph("Invalid filter clause: the operator '%s' is not supported for the property '%s'.", leaf.op, leaf.prop)
	}
	kind, name := byte('s'), "Edm.String"
	switch leaf.value.(type) {
	case time.Time:
		kind, name = 'd', "Edm.DateTimeOffset"
	case float64:
		kind, name = 'f', "Edm.Int32"
	case bool:
		kind, name = 'b', "Edm.Boolean"
	}
	if kind != p.kind && leaf.value != nil {
		want := map[byte]string{'s': "Edm.String", 'd': "Edm.DateTimeOffset", 'f': "Edm.Int32", 'b': "Edm.Boolean"}[p.kind]
		return badGraph("Invalid filter clause: A binary operator with incompatible types was detected. Found operand types '%s' and '%s' for operator kind '%s'.", want, name, leaf.op)
	}
	if at, ok := leaf.value.(time.Time); ok && !rep.protection && at.Before(c.now().Add(-oldest)) {
		return badGraph("Invalid filter clause")
	}
	if rep.entity == "signIn" && leaf.prop == "signInEventTypes" {
		v, _ := leaf.value.(string)
		for _, k := range signIns {
			if k.SignInEventType() == v {
				return nil
			}
		}
		return badGraph("Invalid filter clause: '%s' is not a value of 'microsoft.graph.signInEventTypes'.", v)
	}
	return nil
}

// getter gives the values of the properties of an event. What the event itself
// knows is not looked up in its text.
func (s *seen) getter(rep *report) func(string) any {
	var doc map[string]any
	return func(prop string) any {
		e := s.event
		switch prop {
		case "createdDateTime":
			return e.At
		case "id":
			return e.ID
		case "correlationId":
			return e.Correlation
		case "signInEventTypes":
			return []any{e.Kind.SignInEventType()}
		case "userId":
			if rep.entity == "signIn" {
				return e.UserID
			}
		case "activityDateTime":
			if !rep.protection {
				return e.At
			}
		}
		if doc == nil {
			doc = map[string]any{}
			_ = json.Unmarshal(e.Graph(s.version), &doc) // a world writes JSON
		}
		return dig(doc, strings.Split(prop, "/"))
	}
}

// dig finds what stands at a path; of a list, what stands there in each of its
// members.
func dig(v any, path []string) any {
	if list, ok := v.([]any); ok {
		var out []any
		for _, m := range list {
			out = append(out, dig(m, path))
		}
		return out
	}
	if len(path) == 0 {
		return v
	}
	m, _ := v.(map[string]any)
	return dig(m[path[0]], path[1:])
}
