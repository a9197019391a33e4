package cloud

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// An evaluation is one sign-in that What If is asked about. It knows two answers, as the
// real one does, and stops at the first condition that is not met. It shares nothing with
// the evaluator of package access, which it is there to be held against.
type evaluation struct {
	user, principal            string
	applications               []string
	action, context            string
	client, platform           string
	address                    netip.Addr
	country                    string
	signInRisk, userRisk       string
	principalRisk, insiderRisk string
	flow                       string
	device                     map[string]any
	groups                     []string // that the user is in, through others too
	roles                      []string // that the user holds, by template id
	guest                      bool
	locations                  map[string]whatIfLocation
	withoutGroups, appliedOnly bool
}

type whatIfLocation struct {
	ID        string
	IsTrusted bool
	IPRanges  []struct{ CIDRAddress string }
	Countries []string `json:"countriesAndRegions"`
	Unknown   bool     `json:"includeUnknownCountriesAndRegions"`
}

type whatIfPolicy struct {
	State      string
	Conditions struct {
		Users struct {
			IncludeUsers, ExcludeUsers, IncludeGroups, ExcludeGroups, IncludeRoles, ExcludeRoles []string
		}
		Applications struct {
			IncludeApplications, ExcludeApplications, IncludeUserActions, IncludeAuthenticationContextClassReferences []string
		}
		ClientAppTypes, SignInRiskLevels, UserRiskLevels, ServicePrincipalRiskLevels []string
		InsiderRiskLevels                                                            string
		Platforms                                                                    *struct{ IncludePlatforms, ExcludePlatforms []string }
		Locations                                                                    *struct{ IncludeLocations, ExcludeLocations []string }
		Devices                                                                      *struct{ DeviceFilter *struct{ Mode, Rule string } }
		AuthenticationFlows                                                          *struct{ TransferMethods string }
		ClientApplications                                                           *struct{ IncludeServicePrincipals, ExcludeServicePrincipals []string }
		Times                                                                        json.RawMessage
	}
}

// whatIfTypes are what a request may say, by type: the properties and, where their values
// are an enumeration, those. An empty list is any text.
var whatIfTypes = map[string]map[string][]string{
	"microsoft.graph.userSignIn": {
		"userId": {}, "externalTenantId": {},
		"externalUserType": {"none", "internalGuest", "b2bCollaborationGuest", "b2bCollaborationMember", "b2bDirectConnectUser", "otherExternalUser", "serviceProvider"},
	},
	"microsoft.graph.servicePrincipalSignIn": {"servicePrincipalId": {}},
	"microsoft.graph.applicationContext":     {"includeApplications": nil},
	"microsoft.graph.userActionContext":      {"userAction": {"registerSecurityInformation", "registerOrJoinDevices"}},
	"microsoft.graph.authContext":            {"authenticationContextValue": {}},
	"microsoft.graph.signInConditions": {
		"devicePlatform": {"android", "iOS", "windows", "windowsPhone", "macOS", "linux", "all"}, "clientAppType": {"all", "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "easSupported", "other"},
		"signInRiskLevel": riskLevels, "userRiskLevel": riskLevels, "servicePrincipalRiskLevel": riskLevels, "insiderRiskLevel": {"none", "minor", "moderate", "elevated"},
		"country": {}, "ipAddress": {}, "authenticationFlow": nil, "deviceInfo": nil,
	},
	"microsoft.graph.authenticationFlow": {"transferMethod": {"none", "deviceCodeFlow", "authenticationTransfer"}},
	"microsoft.graph.deviceInfo": func() map[string][]string {
		m := map[string][]string{"isCompliant": nil, "physicalIds": nil, "systemLabels": nil}
		for _, name := range strings.Fields("deviceId displayName enrollmentProfileName manufacturer mdmAppId model operatingSystem operatingSystemVersion ownership profileType trustType") {
			m[name] = []string{}
		}
		for i := range 15 {
			m[fmt.Sprintf("extensionAttribute%d", i+1)] = []string{}
		}
		return m
	}(),
}

var riskLevels = []string{"low", "medium", "high", "hidden", "none"}

// said takes an object of a request apart by its type: of a type that is derived the object
// itself must name it.
func said(text json.RawMessage, name string, derived ...string) (map[string]any, string, *graphFault) {
	if len(text) == 0 || string(text) == "null" {
		// The words are not known; the page says of each that it is required.
		return nil, "", badGraph("The parameter '%s' is required.", name)
	}
	var o map[string]any
	if json.Unmarshal(text, &o) != nil {
		return nil, "", badGraph("Unable to read JSON request payload: the value of '%s' is no object.", name)
	}
	kind := "microsoft.graph." + name
	if t, ok := o["@odata.type"].(string); ok || len(derived) > 0 {
		kind = strings.TrimPrefix(t, "#")
		if len(derived) == 0 {
			derived = []string{name}
		}
		if !slices.Contains(derived, strings.TrimPrefix(kind, "microsoft.graph.")) {
			return nil, "", badGraph("A type named '%s' could not be resolved by the model. When a model is available, each type name must resolve to a valid type.", kind)
		}
	}
	properties := whatIfTypes[kind]
	for _, p := range slices.Sorted(maps.Keys(o)) {
		values, known := properties[p]
		text, isText := o[p].(string)
		switch {
		case p == "@odata.type":
		case !known:
			return nil, "", badGraph("The property '%s' does not exist on type '%s'. Make sure to only use property names that are defined by the type.", p, kind)
		case o[p] == nil, values == nil:
		case !isText, len(values) > 0 && !slices.Contains(values, text):
			return nil, "", badGraph("Cannot convert the literal '%v' to the expected type of the property '%s' of '%s'.", o[p], p, kind)
		}
	}
	return o, strings.TrimPrefix(kind, "microsoft.graph."), nil
}

// evaluate answers for conditionalAccessRoot: evaluate.
func (c *Cloud) evaluate(g *call) *graphFault {
	if g.r.Method != http.MethodPost {
		return &graphFault{http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."}
	}
	if !c.allowed(g, "Policy.Read.ConditionalAccess", "Policy.Read.All", "Policy.ReadWrite.ConditionalAccess") {
		return &accessDenied
	}
	g.now = c.live(g.t)
	e, f := c.readEvaluation(g)
	if f != nil {
		return f
	}
	policies, _ := g.t.world.Objects("beta/identity/conditionalAccess/policies")
	shown := policies
	if !g.beta {
		shown, _ = g.t.world.Objects("identity/conditionalAccess/policies")
	}
	rows := []json.RawMessage{}
	for i, text := range policies {
		var p whatIfPolicy
		var o map[string]any
		if json.Unmarshal(text, &p) != nil || json.Unmarshal(shown[i], &o) != nil {
			return &graphFault{http.StatusInternalServerError, "InternalServerError", "A policy cannot be read."}
		}
		reason := e.unmet(&p)
		if reason != "" && e.appliedOnly {
			continue
		}
		o["policyApplies"], o["analysisReasons"] = reason == "", reason
		if reason == "" {
			o["analysisReasons"] = "notSet"
		}
		b, err := json.Marshal(o)
		if err != nil {
			panic(err) // it was JSON a moment ago
		}
		rows = append(rows, b)
	}
	version := "v1.0"
	if g.beta {
		version = "beta"
	}
	answer(g.w, http.StatusOK, object{"@odata.context": "https://" + g.r.Host + "/" + version + "/$metadata#Collection(microsoft.graph.whatIfAnalysisResult)", "value": rows})
	return nil
}

// readEvaluation reads a request, and of the directory what the sign-in depends on.
func (c *Cloud) readEvaluation(g *call) (*evaluation, *graphFault) {
	var in struct {
		SignInIdentity, SignInContext, SignInConditions json.RawMessage
		AppliedPoliciesOnly                             bool
	}
	body, err := io.ReadAll(io.LimitReader(g.r.Body, 1<<20))
	if err != nil || json.Unmarshal(body, &in) != nil {
		return nil, badGraph("Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	who, kind, f := said(in.SignInIdentity, "signInIdentity", "userSignIn", "servicePrincipalSignIn")
	if f != nil {
		return nil, f
	}
	what, _, f := said(in.SignInContext, "signInContext", "applicationContext", "userActionContext", "authContext")
	if f != nil {
		return nil, f
	}
	how, _, f := said(in.SignInConditions, "signInConditions")
	if f != nil {
		return nil, f
	}
	text := func(o map[string]any, name, otherwise string) string {
		if s, ok := o[name].(string); ok {
			return s
		}
		return otherwise
	}
	part := func(name string) (map[string]any, *graphFault) {
		if how[name] == nil {
			return nil, nil
		}
		b, err := json.Marshal(how[name])
		if err != nil {
			panic(err) // it was JSON a moment ago
		}
		o, _, f := said(b, name)
		return o, f
	}
	e := &evaluation{
		user: text(who, "userId", ""), principal: text(who, "servicePrincipalId", ""), action: text(what, "userAction", ""), context: text(what, "authenticationContextValue", ""),
		client: text(how, "clientAppType", "all"), platform: text(how, "devicePlatform", "all"), country: text(how, "country", ""),
		signInRisk: text(how, "signInRiskLevel", "none"), userRisk: text(how, "userRiskLevel", "none"), principalRisk: text(how, "servicePrincipalRiskLevel", "none"), insiderRisk: text(how, "insiderRiskLevel", "none"),
		appliedOnly: in.AppliedPoliciesOnly, withoutGroups: c.faults.is(c.faults.groupless, g.t.id), locations: map[string]whatIfLocation{},
	}
	list, _ := what["includeApplications"].([]any)
	for _, a := range list {
		e.applications = append(e.applications, fmt.Sprint(a))
	}
	if a := text(how, "ipAddress", ""); a != "" {
		if e.address, err = netip.ParseAddr(a); err != nil {
			return nil, badGraph("The value '%s' of the property 'ipAddress' is not valid.", a)
		}
	}
	if o, f := part("authenticationFlow"); f != nil {
		return nil, f
	} else {
		e.flow = text(o, "transferMethod", "none")
	}
	if e.device, f = part("deviceInfo"); f != nil {
		return nil, f
	}
	w := g.t.world
	if kind == "userSignIn" {
		u, ok := w.User(e.user)
		if !ok || strings.Contains(e.user, "@") {
			return nil, &graphFault{http.StatusNotFound, "Request_ResourceNotFound", "Resource '" + e.user + "' does not exist or one of its queried reference-property objects are not present."}
		}
		e.user, e.guest = u.ID, u.UserType == "Guest"
		around, _ := w.Objects("users/" + u.ID + "/transitiveMemberOf")
		for _, x := range around {
			var o struct {
				Type               string `json:"@odata.type"`
				ID, RoleTemplateID string
			}
			switch _ = json.Unmarshal(x, &o); o.Type { // what the world made is JSON
			case "#microsoft.graph.group":
				e.groups = append(e.groups, o.ID)
			case "#microsoft.graph.directoryRole":
				e.roles = append(e.roles, o.RoleTemplateID)
			}
		}
	}
	places, _ := w.Objects("identity/conditionalAccess/namedLocations")
	for _, x := range places {
		var l whatIfLocation
		_ = json.Unmarshal(x, &l) // as above
		e.locations[l.ID] = l
	}
	return e, nil
}

// unmet gives the first condition of a policy that the sign-in does not meet, in
// Microsoft's words, or "".
func (e *evaluation) unmet(p *whatIfPolicy) string {
	c, apps := &p.Conditions, &p.Conditions.Applications
	workload := c.ClientApplications != nil
	switch {
	case p.State == "disabled":
		return "policyNotEnabled"
	case workload != (e.principal != ""):
		return map[bool]string{true: "workloadIdentities", false: "users"}[workload]
	case workload && !e.isPrincipal(c.ClientApplications.IncludeServicePrincipals), workload && e.isPrincipal(c.ClientApplications.ExcludeServicePrincipals):
		return "workloadIdentities"
	case !workload && !e.among(c.Users.IncludeUsers, c.Users.IncludeGroups, c.Users.IncludeRoles), !workload && e.among(c.Users.ExcludeUsers, c.Users.ExcludeGroups, c.Users.ExcludeRoles):
		return "users"
	case len(apps.IncludeAuthenticationContextClassReferences) > 0:
		if !slices.Contains(apps.IncludeAuthenticationContextClassReferences, e.context) {
			return "authenticationContext"
		}
	case len(apps.IncludeUserActions) > 0:
		name := map[string]string{"registerSecurityInformation": "urn:user:registersecurityinfo", "registerOrJoinDevices": "urn:user:registerdevice"}[e.action]
		if !slices.Contains(apps.IncludeUserActions, name) {
			return "userActions"
		}
	case !e.isApplication(apps.IncludeApplications, apps.ExcludeApplications):
		return "application"
	}
	in := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	switch {
	case !in(c.ClientAppTypes, "all") && !in(c.ClientAppTypes, e.client):
		return "clientApps"
	case c.Platforms != nil && (!in(c.Platforms.IncludePlatforms, "all") && !in(c.Platforms.IncludePlatforms, e.platform) || slices.Contains(c.Platforms.ExcludePlatforms, e.platform)):
		return "devicePlatform"
	case c.Locations != nil && (!slices.ContainsFunc(c.Locations.IncludeLocations, e.isThere) || slices.ContainsFunc(c.Locations.ExcludeLocations, e.isThere)):
		return "location"
	case !workload && !in(c.SignInRiskLevels, e.signInRisk), workload && !in(c.ServicePrincipalRiskLevels, e.principalRisk):
		return "signInRisk"
	case !in(c.UserRiskLevels, e.userRisk):
		return "userRisk"
	case c.InsiderRiskLevels != "" && !in(strings.Split(c.InsiderRiskLevels, ","), e.insiderRisk):
		return "insiderRisk"
	case c.AuthenticationFlows != nil && c.AuthenticationFlows.TransferMethods != "" && !in(strings.Split(c.AuthenticationFlows.TransferMethods, ","), e.flow):
		return "authenticationFlow"
	case c.Devices != nil && c.Devices.DeviceFilter != nil:
		holds, ok := e.filter(c.Devices.DeviceFilter.Rule)
		if !ok {
			return "invalidCondition"
		}
		if holds != (c.Devices.DeviceFilter.Mode == "include") {
			return "devices"
		}
	}
	if len(c.Times) > 0 && string(c.Times) != "null" {
		return "time" // nobody is at work here
	}
	return ""
}

func (e *evaluation) among(users, groups, roles []string) bool {
	has := func(list []string, id string) bool {
		return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, id) })
	}
	return has(users, "All") || has(users, e.user) || e.guest && has(users, "GuestsOrExternalUsers") ||
		!e.withoutGroups && slices.ContainsFunc(e.groups, func(id string) bool { return has(groups, id) }) ||
		slices.ContainsFunc(e.roles, func(id string) bool { return has(roles, id) })
}

func (e *evaluation) isPrincipal(list []string) bool {
	return slices.Contains(list, "ServicePrincipalsInMyTenant") || slices.Contains(list, e.principal)
}

// isApplication says whether a policy about resources is about the sign-in. Those for all
// resources hold the registration of security information, as Microsoft's example has it,
// and no authentication context.
func (e *evaluation) isApplication(include, exclude []string) bool {
	if e.action != "" || e.context != "" {
		return e.action == "registerSecurityInformation" && slices.Contains(include, "All")
	}
	return slices.ContainsFunc(e.applications, func(a string) bool {
		return (slices.Contains(include, "All") || slices.Contains(include, a)) && !slices.Contains(exclude, a)
	})
}

func (e *evaluation) isThere(id string) bool {
	if id == "All" {
		return true
	}
	if id == "AllTrusted" {
		for _, l := range e.locations {
			if l.IsTrusted && e.isThere(l.ID) {
				return true
			}
		}
		return false
	}
	l := e.locations[id]
	for _, r := range l.IPRanges {
		if p, err := netip.ParsePrefix(r.CIDRAddress); err == nil && p.Contains(e.address) {
			return true
		}
	}
	return e.country != "" && slices.Contains(l.Countries, e.country) || e.country == "" && l.Unknown
}

var oneComparison = regexp.MustCompile(`^\s*device\.(\w+)\s+-(eq|ne)\s+"?([^"]*?)"?\s*$`)

// filter judges a rule of one comparison; of any other it says that it cannot.
func (e *evaluation) filter(rule string) (holds, ok bool) {
	m := oneComparison.FindStringSubmatch(rule)
	if m == nil {
		return false, false
	}
	equal := e.device[m[1]] != nil && strings.EqualFold(fmt.Sprint(e.device[m[1]]), m[3])
	return equal == (m[2] == "eq"), true
}
