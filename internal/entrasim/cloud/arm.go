package cloud

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"glassward/internal/entrasim"
)

// UserToken makes a token by which a person, by its object id, asks a service through
// Azure's command line. The real one is had by signing in.
func (c *Cloud) UserToken(tenant, user string, s Service) string {
	k := &claims{Audience: publicRoots[s][0], AppID: "04b07795-8ddb-461a-bbee-02f9e1bf7b46", AppIDACR: "0", Kind: "user", Object: user, Subject: user,
		Tenant: tenant, Version: "1.0", Issuer: "https://sts.windows.net/" + tenant + "/", Scope: "user_impersonation"}
	token, _ := c.issue(k)
	return token
}

// resourceTypes are the types of which Resource Manager answers a list for a subscription,
// in lower case, with their api-versions. Single resources of the types are answered too.
var resourceTypes = map[string]struct {
	name     string
	versions []string
}{
	"microsoft.insights/scheduledqueryrules":          {"Microsoft.Insights/scheduledQueryRules", []string{"2021-08-01", "2022-06-15", "2023-12-01", "2025-01-01-preview"}},
	"microsoft.insights/activitylogalerts":            {"Microsoft.Insights/activityLogAlerts", []string{"2017-04-01", "2020-10-01"}},
	"microsoft.insights/actiongroups":                 {"Microsoft.Insights/actionGroups", []string{"2022-06-01", "2023-01-01", "2024-10-01-preview"}},
	"microsoft.insights/datacollectionrules":          {"Microsoft.Insights/dataCollectionRules", []string{"2022-06-01", "2023-03-11"}},
	"microsoft.alertsmanagement/actionrules":          {"Microsoft.AlertsManagement/actionRules", []string{"2021-08-08"}},
	"microsoft.operationalinsights/workspaces":        {"Microsoft.OperationalInsights/workspaces", []string{"2022-10-01", "2023-09-01"}},
	"microsoft.operationalinsights/workspaces/tables": {"Microsoft.OperationalInsights/workspaces/tables", []string{"2022-10-01", "2023-09-01"}},
	"microsoft.securityinsights/onboardingstates":     {"Microsoft.SecurityInsights/onboardingStates", []string{"2024-03-01", "2024-09-01", "2025-09-01"}},
	"microsoft.securityinsights/alertrules":           {"Microsoft.SecurityInsights/alertRules", []string{"2024-03-01", "2024-09-01", "2024-10-01-preview", "2025-09-01"}},
	"microsoft.securityinsights/automationrules":      {"Microsoft.SecurityInsights/automationRules", []string{"2024-03-01", "2024-09-01", "2025-09-01"}},
	"microsoft.authorization/locks":                   {"Microsoft.Authorization/locks", []string{"2016-09-01", "2020-05-01"}},
	"microsoft.authorization/roleassignments":         {"Microsoft.Authorization/roleAssignments", []string{"2018-07-01", "2022-04-01"}},
}

// resourcePage is how many objects a page of Resource Manager holds.
const resourcePage = 25

// An armCall is a request to Resource Manager whose token was accepted.
type armCall struct {
	c      *Cloud
	w      http.ResponseWriter
	r      *http.Request
	t      *tenant
	claims *claims
}

func (g *armCall) refuse(status int, code, format string, args ...any) {
	answer(g.w, status, object{"error": object{"code": code, "message": fmt.Sprintf(format, args...)}})
}

// denied refuses an action at a scope as Azure's access control does.
func (g *armCall) denied(action, scope string) {
	g.refuse(http.StatusForbidden, "AuthorizationFailed", "The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.", g.claims.AppID, g.claims.Object, action, scope)
}

// version sees that a request names one of some api-versions.
func (g *armCall) version(kind string, versions ...string) bool {
	switch v := query(g.r, "api-version"); {
	case v == "":
		g.refuse(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	case slices.Contains(versions, v):
		return true
	case kind == "":
		g.refuse(http.StatusBadRequest, "InvalidApiVersionParameter", "The api-version '%s' is invalid. The supported versions are '%s'.", v, strings.Join(versions, ","))
	default:
		g.refuse(http.StatusBadRequest, "NoRegisteredProviderFound", "No registered resource provider found for location '' and API version '%s' for type '%s'. The supported api-versions are '%s'.", v, kind[strings.Index(kind, "/")+1:], strings.Join(versions, ", "))
	}
	return false
}

// resourceManager serves what Azure Resource Manager shows of a tenant's logs and alerts:
// subscriptions, the diagnostic settings of Entra, workspaces with their tables and what
// Microsoft Sentinel keeps there, rules, action groups, locks and role assignments.
func (c *Cloud) resourceManager() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g := &armCall{c: c, w: w, r: r}
		k, err := c.readToken(bearer(r))
		switch {
		case err == errNoToken:
			w.Header().Set("WWW-Authenticate", `Bearer authorization_uri="https://login.windows.net/", error="invalid_token", error_description="The authentication failed because of missing 'Authorization' header."`)
			g.refuse(http.StatusUnauthorized, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
			return
		case err == errExpiredToken:
			g.refuse(http.StatusUnauthorized, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time.")
			return
		case err != nil:
			g.refuse(http.StatusUnauthorized, "InvalidAuthenticationToken", "The access token is invalid.")
			return
		}
		g.claims = k
		t, ok := c.tenant(k.Tenant)
		if ok {
			s, found := c.service(t, k.Audience)
			ok = found && s == ResourceManager
		}
		if !ok {
			g.refuse(http.StatusUnauthorized, "InvalidAuthenticationTokenAudience", "The access token has been obtained for wrong audience or resource '%s'.", k.Audience)
			return
		}
		g.t = t
		if wait, ok := c.pass("arm/"+k.Object+"/"+t.id, c.o.Limits.ResourceRequests, 10*time.Second); !ok {
			c.faults.retryHeader(w.Header(), wait)
			g.refuse(http.StatusTooManyRequests, "TooManyRequests", "The request is being throttled.")
			return
		}
		c.live(t)
		path := strings.TrimSuffix(r.URL.Path, "/")
		low := strings.ToLower(path)
		settings, subscriptions := low == "/providers/microsoft.aadiam/diagnosticsettings", low == "/subscriptions"
		if !settings && !subscriptions && !strings.HasPrefix(low, "/subscriptions/") {
			g.refuse(http.StatusNotFound, "InvalidResourceType", "The resource type could not be found.")
			return
		}
		if r.Method != http.MethodGet {
			g.refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "The simulated resources can only be read.")
			return
		}
		switch {
		case settings:
			g.settings()
		case subscriptions:
			if g.version("", "2016-06-01", "2020-01-01", "2022-12-01") {
				list := g.subscriptions()
				answer(w, http.StatusOK, object{"value": list, "count": object{"type": "Total", "value": len(list)}})
			}
		default:
			g.resource(path)
		}
	})
}

// settings answers the diagnostic settings of Entra. Applications are refused, whatever
// they may do; people need a role of the directory.
func (g *armCall) settings() {
	if !g.version("", "2017-04-01", "2017-04-01-preview") {
		return
	}
	may := g.c.faults.is(g.c.faults.settings, g.t.id)
	if g.claims.Kind == "user" {
		may = g.t.world.ReadsSettings(g.claims.Object)
	}
	if !may {
		g.denied("microsoft.aadiam/diagnosticSettings/read", "/providers/microsoft.aadiam")
		return
	}
	answer(g.w, http.StatusOK, object{"value": g.t.world.DiagnosticSettings()})
}

// subscriptions are those on which the caller holds a role anywhere: of others Azure does
// not say that they are there.
func (g *armCall) subscriptions() []json.RawMessage {
	list := []json.RawMessage{}
	for _, id := range g.t.world.AzureSubscriptions() {
		if g.t.world.MayReadAzure(g.claims.Object, "/subscriptions/"+id, true) {
			one, _ := g.t.world.AzureObject("/subscriptions/" + id)
			list = append(list, one)
		}
	}
	return list
}

// resource answers a list of a subscription, or one resource.
func (g *armCall) resource(path string) {
	low := strings.ToLower(path)
	id := strings.Split(low, "/")[2]
	if !guidForm.MatchString(id) {
		g.refuse(http.StatusBadRequest, "InvalidSubscriptionId", "The provided subscription identifier '%s' is malformed or invalid.", id)
		return
	}
	if workspace, ok := strings.CutSuffix(low, "/api/query"); ok {
		g.query(workspace)
		return
	}
	i := strings.LastIndex(low, "/providers/")
	if i < 0 {
		g.refuse(http.StatusNotFound, "InvalidResourceType", "The resource type could not be found.")
		return
	}
	// A type alone is a list, a type with names one resource.
	parts := strings.Split(low[i+len("/providers/"):], "/")
	kind, list := parts[0], len(parts)%2 == 0
	for j := 1; j < len(parts); j += 2 {
		kind += "/" + parts[j]
	}
	of, ok := resourceTypes[kind]
	sentinel := parts[0] == "microsoft.securityinsights"
	if !ok || list && strings.Count(kind, "/") > 1 || sentinel && !strings.Contains(low[:i], workspaces) {
		g.refuse(http.StatusNotFound, "InvalidResourceType", "The resource type '%s' could not be found in the namespace '%s'.", strings.Join(parts[1:], "/"), parts[0])
		return
	}
	if !g.version(of.name, of.versions...) {
		return
	}
	if !slices.Contains(g.t.world.AzureSubscriptions(), id) {
		g.refuse(http.StatusNotFound, "SubscriptionNotFound", "The subscription '%s' could not be found.", id)
		return
	}
	scope := low[:i]
	at := scope
	if !list {
		at = low
	}
	if !g.t.world.MayReadAzure(g.claims.Object, at, false) {
		g.denied(of.name+"/read", path[:len(at)])
		return
	}
	g.w.Header().Set("x-ms-ratelimit-remaining-subscription-reads", "249")
	if sentinel && len(g.t.world.AzureList(scope, "Microsoft.SecurityInsights/onboardingStates")) == 0 {
		if parts[1] == "onboardingstates" {
			g.refuse(http.StatusNotFound, "ResourceNotFound", "The Resource '%s/default' was not found.", of.name)
		} else {
			g.refuse(http.StatusBadRequest, "BadRequest", "Workspace '%s' is not onboarded to Microsoft Sentinel. Please onboard through the portal or use the OnboardingStates ARM api to onboard to Sentinel.", scope[strings.LastIndex(scope, "/")+1:])
		}
		return
	}
	if !list {
		one, ok := g.t.world.AzureObject(path)
		if !ok {
			g.refuse(http.StatusNotFound, "ResourceNotFound", "The Resource '%s/%s' under resource group '' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", of.name, parts[len(parts)-1])
			return
		}
		answer(g.w, http.StatusOK, one)
		return
	}
	g.page(g.t.world.AzureList(scope, of.name))
}

// workspaces is what stands in the id of a workspace, in lower case.
const workspaces = "/providers/microsoft.operationalinsights/workspaces/"

// The one query that is asked of workspaces through Resource Manager, with white space as
// single blanks: for the newest record of tables.
var (
	arrivalsForm = regexp.MustCompile(`^union isfuzzy=true \(datatable\(Table: string, Newest: datetime\) \[(.+?)\]\), (.+) \| summarize Newest = max\(Newest\) by Table \| extend Workspace = '((?:[^'\\]|\\.)*)'$`)
	arrivalsNone = regexp.MustCompile(`^'(\w+)', datetime\(null\)(?:, |$)`)
	arrivalsLeg  = regexp.MustCompile(`^\((\w+) \| where TimeGenerated > ago\((\d+)d\) \| summarize Newest = max\(TimeGenerated\) \| extend Table = '(\w+)'\)(?:, |$)`)
)

// query answers a query that is asked of a workspace, in the older form that Resource
// Manager keeps. Of tables that are not there the union takes none.
func (g *armCall) query(workspace string) {
	if !g.version("Microsoft.OperationalInsights/workspaces/api/query", "2017-01-01-preview", "2020-08-01") {
		return
	}
	if !g.t.world.MayReadAzure(g.claims.Object, workspace, false) || g.c.faults.is(g.c.faults.denied, g.t.id) {
		g.denied("Microsoft.OperationalInsights/workspaces/query/read", workspace)
		return
	}
	if _, ok := g.t.world.AzureObject(workspace); !ok || !strings.Contains(workspace, workspaces) {
		g.refuse(http.StatusNotFound, "ResourceNotFound", "The Resource '%s' was not found.", workspace)
		return
	}
	text := query(g.r, "query")
	if query(g.r, "timespan") != "" || text == "" {
		g.refuse(http.StatusBadRequest, "BadArgumentError", "a query without a timespan is what is simulated")
		return
	}
	form := arrivalsForm.FindStringSubmatch(strings.Join(strings.Fields(text), " "))
	if form == nil {
		g.refuse(http.StatusBadRequest, "BadArgumentError", "The simulated workspace does not know the query '%s'", text)
		return
	}
	now := g.c.live(g.t)
	g.t.rows.refresh(now)
	newest := map[string]any{}
	for rest := form[1]; rest != ""; {
		m := arrivalsNone.FindStringSubmatch(rest)
		if m == nil {
			g.refuse(http.StatusBadRequest, "BadArgumentError", "The simulated workspace does not know the row '%s'", rest)
			return
		}
		newest[m[1]], rest = nil, rest[len(m[0]):]
	}
	for rest := form[2]; rest != ""; {
		m := arrivalsLeg.FindStringSubmatch(rest)
		if m == nil {
			g.refuse(http.StatusBadRequest, "BadArgumentError", "The simulated workspace does not know the operand '%s'", rest)
			return
		}
		rest = rest[len(m[0]):]
		days, _ := strconv.Atoi(m[2])
		table := strings.ToLower(workspace + "/tables/" + m[1])
		if _, ok := g.t.world.AzureObject(table); !ok || !strings.EqualFold(workspace, entrasim.AzureWorkspace) || g.c.faults.is(g.c.faults.missing, g.t.id+"/"+m[1]) {
			continue
		}
		if at := g.t.rows.newest(m[1], now.AddDate(0, 0, -days)); !at.IsZero() {
			newest[m[3]] = at.UTC().Format(time.RFC3339Nano)
		} else {
			newest[m[3]] = nil
		}
	}
	rows := [][]any{}
	for _, name := range slices.Sorted(maps.Keys(newest)) {
		rows = append(rows, []any{name, newest[name], strings.NewReplacer(`\\`, `\`, `\'`, `'`).Replace(form[3])})
	}
	column := func(name, data, kind string) object {
		return object{"ColumnName": name, "DataType": data, "ColumnType": kind}
	}
	answer(g.w, http.StatusOK, object{"Tables": []object{
		{"TableName": "Table_0", "Columns": []object{column("Table", "String", "string"), column("Newest", "DateTime", "datetime"), column("Workspace", "String", "string")}, "Rows": rows},
		{"TableName": "Table_1", "Columns": []object{column("Value", "String", "string")}, "Rows": [][]any{{"{}"}}},
	}})
}

// page answers a part of a list, with the link to the next.
func (g *armCall) page(list []json.RawMessage) {
	from := 0
	if token := query(g.r, "$skiptoken"); token != "" {
		text, err := base64.RawURLEncoding.DecodeString(token)
		if from, _ = strconv.Atoi(string(text)); err != nil || from <= 0 || from > len(list) {
			g.refuse(http.StatusBadRequest, "InvalidSkipToken", "The provided skip token '%s' is invalid.", token)
			return
		}
	}
	to := min(from+resourcePage, len(list))
	body := object{"value": list[from:to]}
	if to < len(list) {
		q := url.Values{"api-version": {query(g.r, "api-version")}, "$skiptoken": {base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(to)))}}
		body["nextLink"] = "https://" + g.r.Host + g.r.URL.Path + "?" + q.Encode()
	}
	answer(g.w, http.StatusOK, body)
}
