package cloud

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
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
// subscriptions, the diagnostic settings of Entra, workspaces and their tables, rules,
// action groups, locks and role assignments.
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
	if !ok || list && strings.Count(kind, "/") > 1 {
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
