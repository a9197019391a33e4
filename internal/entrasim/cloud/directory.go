package cloud

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// A shelf is a part of the directory with what is needed to read it.
type shelf struct {
	prefix      string
	entity      string
	permissions []string
	filters     map[string]property // nil: no filter at all
	plain       bool                // takes no paging options
}

var (
	objectTexts = texts("eq ne startswith endswith", "displayName", "mailNickname", "mail", "description", "userPrincipalName", "userType", "department", "country", "appId", "servicePrincipalType", "onPremisesImmutableId", "jobTitle", "usageLocation")
	objectIDs   = texts("eq ne", "id")
	objectMore  = map[string]property{"accountEnabled": {"eq ne", 'b'}, "securityEnabled": {"eq ne", 'b'}, "mailEnabled": {"eq ne", 'b'}, "isAssignableToRole": {"eq ne", 'b'}, "createdDateTime": {"eq ne ge le", 'd'}}
)

// shelves are looked through in order: the first whose prefix fits is it.
var shelves = []shelf{
	{"users", "user", []string{"User.Read.All", "Directory.Read.All", "User.ReadWrite.All"}, join(objectTexts, objectIDs, objectMore), false},
	{"groups", "group", []string{"Group.Read.All", "GroupMember.Read.All", "Directory.Read.All"}, join(objectTexts, objectIDs, objectMore), false},
	{"directoryRoles", "directoryRole", []string{"RoleManagement.Read.Directory", "Directory.Read.All", "RoleManagement.ReadWrite.Directory"}, join(texts("eq", "roleTemplateId", "displayName"), objectIDs), true},
	{"roleManagement/directory", "unifiedRoleAssignment", []string{"RoleManagement.Read.Directory", "RoleManagement.Read.All", "Directory.Read.All"}, texts("eq", "principalId", "roleDefinitionId", "directoryScopeId", "displayName", "templateId", "id"), false},
	{"applications", "application", []string{"Application.Read.All", "Directory.Read.All", "Application.ReadWrite.All"}, join(objectTexts, objectIDs, objectMore), false},
	{"servicePrincipals", "servicePrincipal", []string{"Application.Read.All", "Directory.Read.All", "Application.ReadWrite.All"}, join(objectTexts, objectIDs, objectMore), false},
	{"subscribedSkus", "subscribedSku", []string{"Organization.Read.All", "Directory.Read.All", "LicenseAssignment.Read.All"}, nil, true},
	{"organization", "organization", []string{"Organization.Read.All", "Directory.Read.All"}, nil, true},
	{"domains", "domain", []string{"Domain.Read.All", "Directory.Read.All"}, nil, true},
	{"identity/conditionalAccess", "conditionalAccessPolicy", []string{"Policy.Read.All", "Policy.Read.ConditionalAccess"}, join(texts("eq", "displayName", "state"), objectIDs), false},
	{"policies/authenticationMethodsPolicy", "authenticationMethodsPolicy", []string{"Policy.Read.All", "Policy.Read.AuthenticationMethod"}, nil, true},
	{"directory/administrativeUnits", "administrativeUnit", []string{"AdministrativeUnit.Read.All", "Directory.Read.All"}, join(objectTexts, objectIDs), false},
}

// directory answers for objects of the directory.
func (c *Cloud) directory(g *call) *graphFault {
	i := slices.IndexFunc(shelves, func(s shelf) bool {
		rest, ok := strings.CutPrefix(g.path, s.prefix)
		return ok && (rest == "" || rest[0] == '/' || rest[0] == '(')
	})
	if i < 0 {
		first, _, _ := strings.Cut(g.path, "/")
		return badGraph("Resource not found for the segment '%s'.", first)
	}
	s := shelves[i]
	if !c.allowed(g, s.permissions...) {
		return &graphFault{http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."}
	}
	path := g.path
	// Nobody in a made-up tenant nests groups: who is a member at all is a
	// direct one.
	if rest, ok := strings.CutSuffix(path, "/transitiveMembers"); ok {
		path = rest + "/members"
	}
	cast := ""
	if rest, kind, ok := strings.Cut(path, "/microsoft.graph."); ok {
		path, cast = rest, kind
	}
	if rest, ok := strings.CutSuffix(path, "/transitiveMemberOf"); ok {
		path = rest + "/memberOf"
	}
	if rest, ok := strings.CutSuffix(path, "/memberOf"); ok {
		// Names are taken as well as ids.
		if u, ok := g.t.world.User(strings.TrimPrefix(rest, "users/")); ok {
			path = "users/" + u.ID + "/memberOf"
		}
	}
	if list, ok := c.objects(g, path); ok {
		if cast != "" {
			if list, ok = only(list, cast); !ok {
				return badGraph("Invalid type cast: 'microsoft.graph.%s' cannot be a part of '%s'.", cast, path)
			}
		}
		if f := expand(g, path, list); f != nil {
			return f
		}
		return c.objectPage(g, s, list)
	}
	if cast != "" {
		return badGraph("Resource not found for the segment 'microsoft.graph.%s'.", cast)
	}
	if o, ok := g.t.world.Object(path); ok {
		return c.object(g, o)
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

// expand puts what a role assignment names into it: its principal or its role.
func expand(g *call, path string, list []json.RawMessage) *graphFault {
	what, ok := g.options["$expand"]
	if !ok {
		return nil
	}
	from := map[string]string{"principal": "principalId", "roleDefinition": "roleDefinitionId"}[what]
	switch {
	case path != "roleManagement/directory/roleAssignments":
		return badGraph("The query parameter '$expand' is not supported here.")
	case from == "":
		return badGraph("Could not find a property named '%s' on type 'microsoft.graph.unifiedRoleAssignment', or more than one is to be expanded.", what)
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

func (c *Cloud) object(g *call, o json.RawMessage) *graphFault {
	for _, k := range []string{"$filter", "$top", "$orderby", "$search", "$skiptoken", "$expand"} {
		if _, ok := g.options[k]; ok {
			return badGraph("Query option '%s' cannot be applied to a single resource.", k)
		}
	}
	context, _, _ := strings.Cut(g.path, "/")
	b := choose(o, g.options["$select"])
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
		rows = append(rows, choose(k.body, g.options["$select"]))
	}
	context, _, _ := strings.Cut(g.path, "/")
	if last := g.path[strings.LastIndexByte(g.path, '/')+1:]; strings.HasSuffix(strings.ToLower(last), "members") || strings.HasSuffix(last, "emberOf") || last == "owners" {
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
