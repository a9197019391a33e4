package cloud

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"glassward/internal/entrasim"
)

// A shelf is a part of the directory with what is needed to read it.
type shelf struct {
	prefix      string
	entity      string
	permissions []string
	filters     map[string]property // nil: no filter at all
	plain       bool                // takes no paging options

	refused graphFault        // to who lacks the permissions; empty: the usual words
	plan    entrasim.Plan     // that the tenant needs
	hidden  []string          // properties that are shown only if they are selected
	beta    bool              // is in beta alone
	demands []string          // properties that a filter of the list must name
	expands map[string]string // what $expand may say, and the property that it shows
}

// The words with which services behind Graph refuse, each its own.
var (
	accessDenied  = graphFault{http.StatusForbidden, "AccessDenied", "You cannot perform the requested operation, required scopes are missing in the token."}
	methodsDenied = graphFault{http.StatusForbidden, "accessDenied", "Request Authorization failed"}
)

// scopeMissing is how Privileged Identity Management refuses.
func scopeMissing(permissions ...string) graphFault {
	return graphFault{http.StatusForbidden, "PermissionScopeNotGranted", "Authorization failed due to missing permission scope " + strings.Join(permissions, ",") + "."}
}

var (
	objectTexts = texts("eq ne startswith endswith", "displayName", "mailNickname", "mail", "description", "userPrincipalName", "userType", "department", "country", "appId", "servicePrincipalType", "onPremisesImmutableId", "jobTitle", "usageLocation")
	objectIDs   = texts("eq ne", "id")
	objectMore  = map[string]property{"accountEnabled": {"eq ne", 'b'}, "securityEnabled": {"eq ne", 'b'}, "mailEnabled": {"eq ne", 'b'}, "isAssignableToRole": {"eq ne", 'b'}, "createdDateTime": {"eq ne ge le", 'd'}}
)

// shelves are looked through in order: the first whose prefix fits is it. A star in
// a prefix stands for one id.
var shelves = []shelf{
	{prefix: "users/*/authentication/requirements", entity: "strongAuthenticationRequirements", permissions: []string{"Policy.Read.All", "UserAuthenticationMethod.Read.All"}, plain: true, refused: accessDenied, beta: true},
	{prefix: "users/*/authentication", entity: "authenticationMethod", permissions: []string{"UserAuthenticationMethod.Read.All"}, plain: true, refused: methodsDenied},
	{prefix: "users", entity: "user", permissions: []string{"User.Read.All", "Directory.Read.All", "User.ReadWrite.All"}, filters: join(objectTexts, objectIDs, objectMore), hidden: []string{"signInActivity", "passwordProfile", "identities", "isManagementRestricted"}},
	{prefix: "groups", entity: "group", permissions: []string{"Group.Read.All", "GroupMember.Read.All", "Directory.Read.All"}, filters: join(objectTexts, objectIDs, objectMore), hidden: []string{"isManagementRestricted"}},
	{prefix: "groupSettings", entity: "groupSetting", permissions: []string{"GroupSettings.Read.All", "Group.Read.All", "Directory.Read.All"}, plain: true},
	{prefix: "directoryRoles", entity: "directoryRole", permissions: []string{"RoleManagement.Read.Directory", "Directory.Read.All", "RoleManagement.ReadWrite.Directory"}, filters: join(texts("eq", "roleTemplateId", "displayName"), objectIDs), plain: true},
	{prefix: "roleManagement/directory/roleAssignmentScheduleInstances", entity: "unifiedRoleAssignmentScheduleInstance", permissions: []string{"RoleAssignmentSchedule.Read.Directory", "RoleManagement.Read.Directory", "RoleManagement.Read.All"}, filters: texts("eq", "principalId", "roleDefinitionId", "directoryScopeId", "assignmentType"), refused: scopeMissing("RoleAssignmentSchedule.Read.Directory", "RoleManagement.Read.All", "RoleManagement.Read.Directory"), plan: entrasim.PremiumP2},
	{prefix: "roleManagement/directory/roleEligibilityScheduleInstances", entity: "unifiedRoleEligibilityScheduleInstance", permissions: []string{"RoleEligibilitySchedule.Read.Directory", "RoleManagement.Read.Directory", "RoleManagement.Read.All"}, filters: texts("eq", "principalId", "roleDefinitionId", "directoryScopeId"), refused: scopeMissing("RoleEligibilitySchedule.Read.Directory", "RoleManagement.Read.All", "RoleManagement.Read.Directory"), plan: entrasim.PremiumP2},
	{prefix: "roleManagement/directory/resourceNamespaces", entity: "unifiedRbacResourceAction", permissions: []string{"RoleManagement.Read.Directory", "RoleManagement.Read.All"}, filters: map[string]property{"isAuthenticationContextSettable": {"eq", 'b'}}, beta: true},
	{prefix: "identityGovernance/accessReviews/definitions", entity: "accessReviewScheduleDefinition", permissions: []string{"AccessReview.Read.All"}, refused: accessDenied, plan: entrasim.PremiumP2},
	{prefix: "identityGovernance/lifecycleWorkflows/workflows", entity: "microsoft.graph.identityGovernance.workflow", permissions: []string{"LifecycleWorkflows.Read.All"}, refused: accessDenied, plan: entrasim.PremiumP2},
	{prefix: "identityGovernance/roleManagementAlerts/alerts", entity: "unifiedRoleManagementAlert", permissions: []string{"RoleManagementAlert.Read.Directory"}, filters: texts("eq", "scopeId", "scopeType"), refused: scopeMissing("RoleManagementAlert.Read.Directory"), plan: entrasim.PremiumP2, beta: true, demands: []string{"scopeId", "scopeType"}, expands: map[string]string{"alertIncidents": "alertIncidents"}},
	{prefix: "identityGovernance/privilegedAccess/group/eligibilityScheduleInstances", entity: "privilegedAccessGroupEligibilityScheduleInstance", permissions: []string{"PrivilegedEligibilitySchedule.Read.AzureADGroup"}, filters: texts("eq", "groupId", "principalId", "accessId"), refused: scopeMissing("PrivilegedEligibilitySchedule.Read.AzureADGroup"), plan: entrasim.PremiumP2, demands: []string{"groupId"}},
	{prefix: "identityGovernance/privilegedAccess/group/assignmentScheduleInstances", entity: "privilegedAccessGroupAssignmentScheduleInstance", permissions: []string{"PrivilegedAssignmentSchedule.Read.AzureADGroup"}, filters: texts("eq", "groupId", "principalId", "accessId"), refused: scopeMissing("PrivilegedAssignmentSchedule.Read.AzureADGroup"), plan: entrasim.PremiumP2, demands: []string{"groupId"}},
	{prefix: "roleManagement/directory", entity: "unifiedRoleAssignment", permissions: []string{"RoleManagement.Read.Directory", "RoleManagement.Read.All", "Directory.Read.All"}, filters: texts("eq", "principalId", "roleDefinitionId", "directoryScopeId", "displayName", "templateId", "id"), expands: map[string]string{"principal": "", "roleDefinition": ""}},
	{prefix: "applications", entity: "application", permissions: []string{"Application.Read.All", "Directory.Read.All", "Application.ReadWrite.All"}, filters: join(objectTexts, objectIDs, objectMore)},
	{prefix: "servicePrincipals", entity: "servicePrincipal", permissions: []string{"Application.Read.All", "Directory.Read.All", "Application.ReadWrite.All"}, filters: join(objectTexts, objectIDs, objectMore)},
	{prefix: "oauth2PermissionGrants", entity: "oAuth2PermissionGrant", permissions: []string{"DelegatedPermissionGrant.Read.All", "Directory.Read.All"}, filters: texts("eq", "clientId", "consentType", "principalId", "resourceId")},
	{prefix: "subscribedSkus", entity: "subscribedSku", permissions: []string{"Organization.Read.All", "Directory.Read.All", "LicenseAssignment.Read.All"}, plain: true},
	{prefix: "organization", entity: "organization", permissions: []string{"Organization.Read.All", "Directory.Read.All"}, plain: true},
	{prefix: "domains", entity: "domain", permissions: []string{"Domain.Read.All", "Directory.Read.All"}, plain: true},
	{prefix: "identity/conditionalAccess", entity: "conditionalAccessPolicy", permissions: []string{"Policy.Read.All", "Policy.Read.ConditionalAccess"}, filters: join(texts("eq", "displayName", "state"), objectIDs), refused: accessDenied},
	{prefix: "policies/authenticationStrengthPolicies", entity: "authenticationStrengthPolicy", permissions: []string{"Policy.Read.All", "Policy.Read.AuthenticationMethod", "Policy.Read.ConditionalAccess"}, filters: texts("eq", "policyType", "displayName"), plain: true, refused: accessDenied, expands: map[string]string{"combinationConfigurations": "combinationConfigurations"}},
	{prefix: "policies/authenticationMethodsPolicy", entity: "authenticationMethodsPolicy", permissions: []string{"Policy.Read.All", "Policy.Read.AuthenticationMethod"}, plain: true, refused: accessDenied},
	{prefix: "policies/identitySecurityDefaultsEnforcementPolicy", entity: "identitySecurityDefaultsEnforcementPolicy", permissions: []string{"Policy.Read.All"}, plain: true, refused: accessDenied},
	{prefix: "policies/authorizationPolicy", entity: "authorizationPolicy", permissions: []string{"Policy.Read.All", "Policy.Read.Authorization"}, plain: true, refused: accessDenied},
	{prefix: "policies/roleManagementPolicyAssignments", entity: "unifiedRoleManagementPolicyAssignment", permissions: []string{"RoleManagementPolicy.Read.Directory", "RoleManagement.Read.Directory", "RoleManagement.Read.All"}, filters: texts("eq", "scopeId", "scopeType", "roleDefinitionId"), refused: scopeMissing("RoleManagementPolicy.Read.Directory", "RoleManagement.Read.Directory", "RoleManagement.Read.All"), plan: entrasim.PremiumP2, demands: []string{"scopeId", "scopeType"}, expands: map[string]string{"policy($expand=rules)": "policy"}},
	{prefix: "directory/administrativeUnits", entity: "administrativeUnit", permissions: []string{"AdministrativeUnit.Read.All", "Directory.Read.All"}, filters: join(objectTexts, objectIDs)},
	{prefix: "directory/deletedItems/microsoft.graph.user", entity: "user", permissions: []string{"User.Read.All", "Directory.Read.All"}, filters: join(objectTexts, objectIDs)},
}

// fits reports whether a path is the shelf's or below it.
func (s *shelf) fits(path string) bool {
	want, have := strings.Split(s.prefix, "/"), strings.Split(path, "/")
	if len(have) < len(want) {
		return false
	}
	for i, w := range want {
		h := have[i]
		if i == len(want)-1 {
			h, _, _ = strings.Cut(h, "(")
		}
		if w != "*" && w != h {
			return false
		}
	}
	return true
}

// directory answers for objects of the directory.
func (c *Cloud) directory(g *call) *graphFault {
	i := slices.IndexFunc(shelves, func(s shelf) bool { return s.fits(g.path) })
	if i < 0 || shelves[i].beta && !g.beta {
		first, _, _ := strings.Cut(g.path, "/")
		return badGraph("Resource not found for the segment '%s'.", first)
	}
	s := shelves[i]
	if !c.allowed(g, s.permissions...) {
		if s.refused.status != 0 {
			return &s.refused
		}
		return &graphFault{http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."}
	}
	if s.plan != "" && !g.t.world.Licensed(s.plan) {
		return &graphFault{http.StatusBadRequest, "AadPremiumLicenseRequired", "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license."}
	}
	if f := c.signInActivity(g, s); f != nil {
		return f
	}
	if g.path == "users" && !g.has("$filter", "$search", "$orderby", "$count", "$expand") {
		return c.userPage(g, s)
	}
	path := g.path
	cast := ""
	if rest, kind, ok := strings.Cut(path, "/microsoft.graph."); ok && s.prefix != path {
		path, cast = rest, kind
	}
	if list, ok := c.objects(g, path); ok {
		if cast != "" {
			if list, ok = only(list, cast); !ok {
				return badGraph("Invalid type cast: 'microsoft.graph.%s' cannot be a part of '%s'.", cast, path)
			}
		}
		if f := expand(g, s, list); f != nil {
			return f
		}
		return c.objectPage(g, s, list)
	}
	// Of somebody who is not there nobody can say what he is a member of.
	if cast != "" && !strings.HasSuffix(path, "emberOf") {
		return badGraph("Resource not found for the segment 'microsoft.graph.%s'.", cast)
	}
	if g.beta {
		// Of some objects beta shows more.
		if o, ok := g.t.world.Object("beta/" + path); ok {
			return c.object(g, s, o)
		}
	}
	if o, ok := g.t.world.Object(path); ok {
		return c.object(g, s, o)
	}
	if strings.Count(path, "/") >= 1 || strings.Contains(path, "(") {
		return &graphFault{http.StatusNotFound, "Request_ResourceNotFound", "Resource '" + path[strings.LastIndexByte(path, '/')+1:] + "' does not exist or one of its queried reference-property objects are not present."}
	}
	return badGraph("Resource not found for the segment '%s'.", path)
}

// only keeps the objects of one type of a mixed list; false if no list can be
// cast to it.
func only(list []json.RawMessage, kind string) ([]json.RawMessage, bool) {
	if !slices.Contains([]string{"user", "group", "directoryRole", "administrativeUnit", "servicePrincipal", "device", "application"}, kind) {
		return nil, false
	}
	out := []json.RawMessage{}
	for _, o := range list {
		var typed struct {
			Type string `json:"@odata.type"`
		}
		if json.Unmarshal(o, &typed) == nil && typed.Type == "#microsoft.graph."+kind {
			out = append(out, o)
		}
	}
	return out, true
}

// signInActivity judges who asks when people last signed in: that needs one more
// permission and a licence.
func (c *Cloud) signInActivity(g *call, s shelf) *graphFault {
	if s.entity != "user" || !slices.Contains(names(g.options["$select"]), "signInActivity") {
		return nil
	}
	switch {
	case !c.allowed(g, "AuditLog.Read.All"):
		return &graphFault{http.StatusForbidden, "Authentication_MSGraphPermissionMissing", "Calling principal does not have required MSGraph permissions AuditLog.Read.All"}
	case !g.t.world.Licensed(entrasim.PremiumP1):
		return &graphFault{http.StatusForbidden, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license"}
	}
	return nil
}

// activityPage is how many users a page holds that tells when they last signed in.
const activityPage = 120

// userPage is a page of all users, in their own order.
func (c *Cloud) userPage(g *call, s shelf) *graphFault {
	limit, f := g.top(100, 999, false)
	if f != nil {
		return f
	}
	if slices.Contains(names(g.options["$select"]), "signInActivity") {
		limit = min(limit, activityPage)
	}
	place, f := c.place(g)
	if f != nil {
		return f
	}
	users, next, last := g.t.world.UsersFrom(place.offset, limit)
	var rows [][]byte
	for i, u := range users {
		o := u.Graph()
		if i == 0 {
			if f := s.selectable(g, o); f != nil {
				return f
			}
		}
		rows = append(rows, s.choose(g, o))
	}
	link := ""
	if !last {
		link = c.link(g, cursor{offset: next, page: place.page + 1})
	}
	c.page(g, "users", rows, link, -1)
	return nil
}

// has reports whether a call has one of some options.
func (g *call) has(options ...string) bool {
	return slices.ContainsFunc(options, func(o string) bool { _, ok := g.options[o]; return ok })
}

// names are the properties that a $select names.
func names(text string) []string {
	if text == "" {
		return nil
	}
	list := strings.Split(text, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// selectable refuses a $select that names what the entity does not have. Lists of
// directory objects of several kinds are not looked at: Graph takes there what any
// of them has.
func (s *shelf) selectable(g *call, o json.RawMessage) *graphFault {
	chosen := names(g.options["$select"])
	if len(chosen) == 0 || mixed(g.path) {
		return nil
	}
	var have map[string]json.RawMessage
	if json.Unmarshal(o, &have) != nil {
		return nil
	}
	for _, n := range chosen {
		if _, ok := have[n]; !ok {
			return badGraph("Could not find a property named '%s' on type 'microsoft.graph.%s'.", n, s.entity)
		}
	}
	return nil
}

// mixed reports whether a list holds directory objects of several kinds.
func mixed(path string) bool {
	path, _, _ = strings.Cut(path, "/microsoft.graph.")
	last := path[strings.LastIndexByte(path, '/')+1:]
	return strings.HasSuffix(strings.ToLower(last), "members") || strings.HasSuffix(last, "emberOf") || last == "owners" || last == "methods"
}

// choose keeps of an object what was selected, or what is shown without being
// selected.
func (s *shelf) choose(g *call, o json.RawMessage) []byte {
	if text := g.options["$select"]; text != "" || len(s.hidden) == 0 {
		return choose(o, text)
	}
	return without(o, s.hidden...)
}

// without takes properties out of an object.
func without(o json.RawMessage, properties ...string) []byte {
	var all map[string]json.RawMessage
	if json.Unmarshal(o, &all) != nil {
		return o
	}
	for _, p := range properties {
		delete(all, p)
	}
	b, err := json.Marshal(all)
	if err != nil {
		return o
	}
	return b
}

// expand puts what a role assignment names into it, its principal or its role, and
// takes out of other objects what is shown only if it is expanded.
func expand(g *call, s shelf, list []json.RawMessage) *graphFault {
	what, ok := g.options["$expand"]
	shown, known := s.expands[what]
	switch {
	case ok && (s.expands == nil || g.path == "roleManagement/directory/roleDefinitions"):
		return badGraph("The query parameter '$expand' is not supported here.")
	case ok && !known:
		return badGraph("Could not find a property named '%s' on type 'microsoft.graph.%s', or more than one is to be expanded.", what, s.entity)
	}
	for _, property := range s.expands {
		if property != "" && property != shown {
			for i := range list {
				list[i] = without(list[i], property)
			}
		}
	}
	from := map[string]string{"principal": "principalId", "roleDefinition": "roleDefinitionId"}[what]
	if from == "" {
		return nil
	}
	for i, o := range list {
		var whole map[string]json.RawMessage
		var id string
		if json.Unmarshal(o, &whole) != nil || json.Unmarshal(whole[from], &id) != nil {
			continue
		}
		whole[what] = json.RawMessage("null")
		if what == "roleDefinition" {
			if r, ok := g.t.world.Object("roleManagement/directory/roleDefinitions/" + id); ok {
				whole[what] = r
			}
		} else {
			for _, kind := range []string{"user", "group", "servicePrincipal"} {
				if r, ok := g.t.world.Object(kind + "s/" + id); ok {
					whole[what] = append(json.RawMessage(`{"@odata.type":"#microsoft.graph.`+kind+`",`), r[1:]...)
					break
				}
			}
		}
		b, err := json.Marshal(whole)
		if err != nil {
			panic(err) // it was JSON a moment ago
		}
		list[i] = b
	}
	return nil
}

// objects gives a collection.
func (c *Cloud) objects(g *call, path string) ([]json.RawMessage, bool) {
	if path != "domains" {
		if g.beta {
			// Of some lists beta shows more.
			if list, ok := g.t.world.Objects("beta/" + path); ok {
				return list, true
			}
		}
		return g.t.world.Objects(path)
	}
	// Domains are what the organization says that it has verified.
	all, ok := g.t.world.Objects("organization")
	if !ok || len(all) == 0 {
		return nil, ok
	}
	var org struct {
		VerifiedDomains []struct {
			Name      string `json:"name"`
			IsDefault bool   `json:"isDefault"`
			IsInitial bool   `json:"isInitial"`
		} `json:"verifiedDomains"`
	}
	if json.Unmarshal(all[0], &org) != nil {
		return nil, false
	}
	var out []json.RawMessage
	for _, d := range org.VerifiedDomains {
		b, err := json.Marshal(object{"id": d.Name, "isDefault": d.IsDefault, "isInitial": d.IsInitial, "isVerified": true, "isRoot": true, "isAdminManaged": true, "authenticationType": "Managed", "supportedServices": []string{"Email"}})
		if err != nil {
			return nil, false
		}
		out = append(out, b)
	}
	return out, true
}

func (c *Cloud) object(g *call, s shelf, o json.RawMessage) *graphFault {
	for _, k := range []string{"$filter", "$top", "$orderby", "$search", "$skiptoken", "$expand"} {
		if _, ok := g.options[k]; ok {
			return badGraph("Query option '%s' cannot be applied to a single resource.", k)
		}
	}
	if f := s.selectable(g, o); f != nil {
		return f
	}
	context, _, _ := strings.Cut(g.path, "/")
	b := s.choose(g, o)
	head, _ := json.Marshal("https://" + g.r.Host + "/v1.0/$metadata#" + context + "/$entity")
	raw(g.w, http.StatusOK, append([]byte(`{"@odata.context":`+string(head)+`,`), bytes.TrimPrefix(b, []byte("{"))...))
	return nil
}

func (c *Cloud) objectPage(g *call, s shelf, list []json.RawMessage) *graphFault {
	if s.plain {
		for _, k := range []string{"$top", "$orderby", "$search", "$skiptoken"} {
			if _, ok := g.options[k]; ok {
				return badGraph("This resource does not support custom page sizes or the query option '%s'. Please retry without it.", k)
			}
		}
	}
	if len(list) > 0 {
		if f := s.selectable(g, list[0]); f != nil {
			return f
		}
	}
	eventual := strings.EqualFold(g.r.Header.Get("ConsistencyLevel"), "eventual")
	counted := strings.EqualFold(g.options["$count"], "true")
	if text, ok := g.options["$count"]; ok && !counted && !strings.EqualFold(text, "false") {
		return badGraph("Invalid value '%s' for $count query option found.", text)
	}
	search, f := readSearch(g, eventual)
	if f != nil {
		return f
	}
	order, f := readOrder(g, eventual, counted)
	if f != nil {
		return f
	}
	filter, f := c.objectFilter(g, s, eventual && counted)
	if f != nil {
		return f
	}
	limit, f := g.top(100, 999, false)
	if f != nil {
		return f
	}
	place, f := c.place(g)
	if f != nil {
		return f
	}
	var keep []keyed
	for _, o := range list {
		var doc map[string]any
		if filter != nil || search != nil || order != "" {
			if json.Unmarshal(o, &doc) != nil {
				continue
			}
			get := func(prop string) any { return dig(doc, strings.Split(prop, "/")) }
			if filter != nil && !filter.match(get) || search != nil && !search(get) {
				continue
			}
		}
		k := keyed{body: o}
		if order != "" {
			k.key, _ = doc[strings.TrimSuffix(order, " desc")].(string)
			k.key = strings.ToLower(k.key)
		}
		keep = append(keep, k)
	}
	if order != "" {
		slices.SortStableFunc(keep, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
		if strings.HasSuffix(order, " desc") {
			slices.Reverse(keep)
		}
	}
	if s.plain {
		limit = len(keep)
	}
	count := -1
	if counted && eventual {
		count = len(keep)
	}
	from := min(place.offset, len(keep))
	to := min(from+limit, len(keep))
	link := ""
	if to < len(keep) {
		link = c.link(g, cursor{offset: to, page: place.page + 1})
	}
	var rows [][]byte
	for _, k := range keep[from:to] {
		rows = append(rows, s.choose(g, k.body))
	}
	context, _, _ := strings.Cut(g.path, "/")
	if mixed(g.path) {
		context = "directoryObjects"
	}
	c.page(g, context, rows, link, count)
	return nil
}

type keyed struct {
	key  string
	body json.RawMessage
}

// readSearch reads $search="property:text", which is only for those who accept
// that counts are late.
func readSearch(g *call, eventual bool) (func(func(string) any) bool, *graphFault) {
	text, ok := g.options["$search"]
	if !ok {
		return nil, nil
	}
	if !eventual {
		return nil, &graphFault{http.StatusBadRequest, "Request_UnsupportedQuery", "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'"}
	}
	inner, quoted := strings.CutPrefix(text, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	prop, want, pair := strings.Cut(inner, ":")
	if !quoted || !closed || !pair || strings.Contains(inner, `"`) {
		return nil, badGraph("Syntax error: the value of $search has to be written as \"property:value\".")
	}
	want = strings.ToLower(want)
	return func(get func(string) any) bool {
		s, _ := get(prop).(string)
		for _, w := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return strings.ContainsRune(" .-@_", r) }) {
			if strings.HasPrefix(w, want) {
				return true
			}
		}
		return strings.HasPrefix(strings.ToLower(s), want)
	}, nil
}

// readOrder reads $orderby; together with a filter it needs the advanced
// capabilities.
func readOrder(g *call, eventual, counted bool) (string, *graphFault) {
	text, ok := g.options["$orderby"]
	if !ok {
		return "", nil
	}
	by, way, _ := strings.Cut(strings.TrimSpace(text), " ")
	switch {
	case by != "displayName" && by != "userPrincipalName" && by != "createdDateTime", way != "" && way != "asc" && way != "desc":
		return "", &graphFault{http.StatusBadRequest, "Request_UnsupportedQuery", "Sorting is not supported for property '" + by + "'."}
	case g.options["$filter"] != "" && !(eventual && counted):
		return "", &graphFault{http.StatusBadRequest, "Request_UnsupportedQuery", "Sorting not supported for current query."}
	}
	if way == "desc" {
		by += " desc"
	}
	return by, nil
}

func (c *Cloud) objectFilter(g *call, s shelf, advanced bool) (*node, *graphFault) {
	text, ok := g.options["$filter"]
	for _, d := range s.demands {
		if !strings.Contains(text, d) {
			return nil, badGraph("The request is missing required parameters: a filter on '%s'.", d)
		}
	}
	if !ok {
		return nil, nil
	}
	unsupported := func(message string) *graphFault {
		return &graphFault{http.StatusBadRequest, "Request_UnsupportedQuery", message}
	}
	if s.filters == nil {
		return nil, unsupported("The specified filter to the reference property query is currently not supported.")
	}
	n, err := parseFilter(text)
	if err != nil {
		return nil, badGraph("Invalid filter clause: %s", err)
	}
	var refused *graphFault
	hard := hasNot(n)
	_ = n.walk(func(leaf *node) error { // what it says is in refused
		p, ok := s.filters[leaf.prop]
		switch {
		case !ok:
			refused = badGraph("Invalid filter clause: Could not find a property named '%s' on type 'microsoft.graph.%s'.", leaf.prop, s.entity)
		case !slices.Contains(strings.Fields(p.operators), leaf.op):
			refused = unsupported("Unsupported or invalid query filter clause specified for property '" + leaf.prop + "' of resource '" + s.entity + "'.")
		case p.kind == 'b' && !isBool(leaf.value), p.kind == 's' && !isText(leaf.value):
			refused = badGraph("Invalid filter clause: A binary operator with incompatible types was detected for the property '%s'.", leaf.prop)
		}
		hard = hard || leaf.op == "ne" || leaf.op == "endswith"
		if refused != nil {
			return errRefused
		}
		return nil
	})
	if refused != nil {
		return nil, refused
	}
	if hard && !advanced {
		return nil, unsupported("Unsupported Query. This query needs the header 'ConsistencyLevel: eventual' and $count=true.")
	}
	return n, nil
}

func hasNot(n *node) bool { return n.op == "not" || slices.ContainsFunc(n.kids, hasNot) }

func isBool(v any) bool { _, ok := v.(bool); return ok || v == nil }

func isText(v any) bool { _, ok := v.(string); return ok || v == nil }
