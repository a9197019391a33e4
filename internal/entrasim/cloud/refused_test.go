package cloud_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// A request is one request as a test writes it down; the zero values of method
// and token are GET and the token of the service.
type request struct {
	method, url, token, body string
	header                   map[string]string
}

// A bench is a cloud in memory with a token for each service.
type bench struct {
	t      *testing.T
	c      *cloud.Cloud
	hc     *http.Client
	e      cloud.Endpoints
	w, o   *entrasim.World // two tenants
	tokens map[string]string
}

// unlimited takes the limits away, for tests that are not about them.
var unlimited = cloud.Limits{Reports: -1, ReportsAll: -1, Protection: -1, Directory: -1, Activity: -1, Queries: -1, ResourceRequests: -1}

var permissions = []string{"AuditLog.Read.All", "IdentityRiskEvent.Read.All", "IdentityRiskyUser.Read.All", "Directory.Read.All", "Policy.Read.All", "ActivityFeed.Read", "RoleManagement.Read.Directory", "UserAuthenticationMethod.Read.All"}

func newBench(t *testing.T, limits cloud.Limits) *bench {
	t.Helper()
	b := &bench{t: t, w: world(1), tokens: map[string]string{}}
	b.o = entrasim.NewWorld(entrasim.Options{Seed: 2, Start: time.Now(), Tenant: entrasim.TenantOptions{ID: "5b0c6d1e-8f2a-4c3b-9d4e-0a1b2c3d4e5f", Name: "other", Domain: "other.example"}})
	b.o.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "s"})
	for _, p := range permissions {
		b.w.Grant(entrasim.GlasswardApp, p)
	}
	b.c = cloud.New(cloud.Options{Worlds: []*entrasim.World{b.w, b.o}, Limits: limits})
	b.hc, b.e = b.c.Pipe()
	for _, root := range []string{b.e.Graph, b.e.Activity, b.e.LogAnalytics, b.e.ResourceManager} {
		b.tokens[root] = accessToken(t, b.hc, b.e, b.w, root)
	}
	return b
}

// ask makes a request and gives the status, the service's code for it and all it
// said.
func (b *bench) ask(r request) (status int, code string, body []byte, header http.Header) {
	b.t.Helper()
	if r.method == "" {
		r.method = http.MethodGet
	}
	req, err := http.NewRequest(r.method, strings.ReplaceAll(r.url, " ", "%20"), strings.NewReader(r.body))
	if err != nil {
		b.t.Fatal(err)
	}
	if r.token == "" {
		r.token = b.tokens["https://"+req.URL.Host]
	}
	if r.token != "none" && r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	resp, err := b.hc.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	var e struct {
		Error json.RawMessage `json:"error"`
		Codes []int           `json:"error_codes"`
	}
	_ = json.Unmarshal(body, &e) // what is no object holds no error
	var named struct {
		Code string `json:"code"`
	}
	switch {
	case len(e.Codes) > 0:
		code = fmt.Sprint(e.Codes[0])
	case len(e.Error) > 0 && e.Error[0] == '"':
		_ = json.Unmarshal(e.Error, &code)
	case len(e.Error) > 0:
		_ = json.Unmarshal(e.Error, &named)
		code = named.Code
	}
	return resp.StatusCode, code, body, resp.Header
}

// TestWhatTheServicesRefuse takes good requests, changes one thing in each, and
// demands that the good one is answered and the changed one refused as the real
// service refuses it.
func TestWhatTheServicesRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, unlimited)
		defer b.c.Close()
		time.Sleep(9 * time.Hour)
		tenant, e := b.w.Tenant().ID, b.e
		for _, root := range []string{e.Graph, e.Activity, e.LogAnalytics, e.ResourceManager} { // the first ones have expired
			b.tokens[root] = accessToken(t, b.hc, e, b.w, root)
		}
		b.c.Faults().ReadableSettings(tenant, true)
		now := time.Now().UTC()
		iso := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05Z") }
		plain := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05") }
		feed := e.Activity + "/api/v1.0/" + tenant + "/activity/feed/"
		for _, content := range []string{"Audit.AzureActiveDirectory", "Audit.General"} {
			if status, _, body, _ := b.ask(request{method: "POST", url: feed + "subscriptions/start?contentType=" + content}); status != 200 {
				t.Fatalf("start: %d %s", status, body)
			}
		}
		signIns := e.Graph + "/v1.0/auditLogs/signIns?$filter=createdDateTime ge " + iso(-time.Hour)
		beta := e.Graph + "/beta/auditLogs/signIns?$filter=signInEventTypes/any(t: t eq 'nonInteractiveUser')"
		audits := e.Graph + "/v1.0/auditLogs/directoryAudits?$filter=activityDateTime ge " + iso(-time.Hour) + " and activityDateTime le " + iso(0)
		risks := e.Graph + "/v1.0/identityProtection/riskDetections?$filter=lastUpdatedDateTime ge " + iso(-time.Hour)
		users := e.Graph + "/v1.0/users?$filter=startsWith(displayName,'A')&$select=id,displayName"
		policyRules := e.Graph + "/v1.0/policies/roleManagementPolicyAssignments?$filter=scopeId eq '/' and scopeType eq 'DirectoryRole'"
		strengths := e.Graph + "/v1.0/policies/authenticationStrengthPolicies"
		content := feed + "subscriptions/content?contentType=Audit.AzureActiveDirectory&startTime=" + plain(-2*time.Hour) + "&endTime=" + plain(0)
		query := e.LogAnalytics + "/v1/workspaces/" + entrasim.Workspaces(tenant) + "/query"
		kql := "SigninLogs\n| where ingestion_time() >= datetime(" + iso(-time.Hour) + ") and ingestion_time() < datetime(" + iso(0) + ")\n| order by ingestion_time() asc"
		ask := func(q string) string { s, _ := json.Marshal(map[string]string{"query": q}); return string(s) }
		rules := e.ResourceManager + "/subscriptions/" + entrasim.AzureSubscription + "/providers/Microsoft.Insights/scheduledQueryRules?api-version=2023-12-01"
		analytics := e.ResourceManager + entrasim.AzureSentinel + "alertRules?api-version=2024-10-01-preview"
		arrivals := e.ResourceManager + entrasim.AzureWorkspace + "/api/query?api-version=2017-01-01-preview&query=" + url.QueryEscape("union isfuzzy=true (datatable(Table: string, Newest: datetime) ['SigninLogs', datetime(null)]), "+
			"(SigninLogs | where TimeGenerated > ago(7d) | summarize Newest = max(TimeGenerated) | extend Table = 'SigninLogs') | summarize Newest = max(Newest) by Table | extend Workspace = 'w'")
		table := e.ResourceManager + entrasim.AzureWorkspace + "/tables/SigninLogs?api-version=2023-09-01"
		sp, _ := b.w.ServicePrincipal(entrasim.GlasswardApp)
		b.w.AssignAzure(sp.ID, "Reader", "/subscriptions/"+entrasim.AzureSubscription)
		settings := e.ResourceManager + "/providers/microsoft.aadiam/diagnosticSettings?api-version=2017-04-01"
		form := func(change ...string) string {
			v := url.Values{"grant_type": {"client_credentials"}, "client_id": {entrasim.GlasswardApp}, "client_secret": {"s"}, "scope": {e.Graph + "/.default"}}
			for i := 0; i < len(change); i += 2 {
				if v.Del(change[i]); change[i+1] != "" {
					v.Set(change[i], change[i+1])
				}
			}
			return v.Encode()
		}
		token := func(tenant, body string) request {
			return request{method: "POST", url: e.Authority + "/" + tenant + "/oauth2/v2.0/token", body: body, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}
		}
		get := func(url string) request { return request{url: url} }
		batch := func(body string) request {
			return request{method: "POST", url: e.Graph + "/v1.0/$batch", body: body, header: map[string]string{"Content-Type": "application/json"}}
		}
		other := accessToken(t, b.hc, e, b.o, e.Activity)

		type mutant struct {
			name   string
			req    request
			status int
			code   string
		}
		for name, group := range map[string]struct {
			good    []request
			mutants []mutant
		}{
			"signIns": {
				[]request{get(signIns), get(signIns + " and createdDateTime lt " + iso(0) + "&$top=5&$orderby=createdDateTime"), get(beta), get(signIns + " and (userId eq 'a' or userId eq 'b')"), get(signIns + " and startsWith(userPrincipalName,'a')"), get(signIns + " and status/errorCode eq 50126")},
				[]mutant{
					{"no token", request{url: signIns, token: "none"}, 401, "InvalidAuthenticationToken"},
					{"a token for another service", request{url: signIns, token: b.tokens[e.Activity]}, 401, "InvalidAuthenticationToken"},
					{"a signature that is changed", request{url: signIns, token: b.tokens[e.Graph][:len(b.tokens[e.Graph])-4] + "AAAA"}, 401, "InvalidAuthenticationToken"},
					{"a quoted date", get(strings.Replace(signIns, iso(-time.Hour), "'"+iso(-time.Hour)+"'", 1)), 400, "BadRequest"},
					{"a date without a zone", get(strings.Replace(signIns, iso(-time.Hour), plain(-time.Hour), 1)), 400, "BadRequest"},
					{"the property of another list", get(strings.Replace(signIns, "createdDateTime", "activityDateTime", 1)), 400, "BadRequest"},
					{"a property in the wrong case", get(strings.Replace(signIns, "createdDateTime", "CreatedDateTime", 1)), 400, "BadRequest"},
					{"an operator that is not listed", get(strings.Replace(signIns, " ge ", " ne ", 1)), 400, "BadRequest"},
					{"endsWith", get(signIns + " and endsWith(userPrincipalName,'a')"), 400, "BadRequest"},
					{"an open bracket", get(signIns + " and (userId eq 'a'"), 400, "BadRequest"},
					{"an open quote", get(signIns + " and userId eq 'a"), 400, "BadRequest"},
					{"a number as text", get(signIns + " and status/errorCode eq '50126'"), 400, "BadRequest"},
					{"older than 90 days", get(strings.Replace(signIns, iso(-time.Hour), iso(-91*24*time.Hour), 1)), 400, "BadRequest"},
					{"$skip", get(signIns + "&$skip=10"), 400, "BadRequest"},
					{"$count", get(signIns + "&$count=true"), 400, "BadRequest"},
					{"$expand", get(signIns + "&$expand=user"), 400, "BadRequest"},
					{"an option twice", get(signIns + "&$top=1&$top=2"), 400, "BadRequest"},
					{"$top of nothing", get(signIns + "&$top=0"), 400, "BadRequest"},
					{"another order", get(signIns + "&$orderby=userId"), 400, "BadRequest"},
					{"event types in v1.0", get(strings.Replace(beta, "/beta/", "/v1.0/", 1)), 400, "BadRequest"},
					{"event types without any()", get(e.Graph + "/beta/auditLogs/signIns?$filter=signInEventTypes eq 'interactiveUser'"), 400, "BadRequest"},
					{"an unknown event type", get(strings.Replace(beta, "nonInteractiveUser", "robot", 1)), 400, "BadRequest"},
					{"any() over one value", get(e.Graph + "/beta/auditLogs/signIns?$filter=userId/any(t: t eq 'a')"), 400, "BadRequest"},
					{"a link of nobody", get(signIns + "&$skiptoken=0123456789abcdef0123456789abcdef_1"), 400, "UnknownError"},
					{"another version", get(strings.Replace(signIns, "/v1.0/", "/v2.0/", 1)), 400, "BadRequest"},
					{"another path", get(strings.Replace(signIns, "auditLogs/signIns", "auditLogs/signins2", 1)), 400, "BadRequest"},
					{"POST", request{method: "POST", url: signIns}, 405, "Request_BadRequest"},
				},
			},
			"directoryAudits": {
				[]request{get(audits), get(audits + " and targetResources/any(t: t/id eq 'x')"), get(audits + " and initiatedBy/user/id eq 'x'")},
				[]mutant{
					{"the property of another list", get(strings.ReplaceAll(audits, "activityDateTime", "createdDateTime")), 400, "BadRequest"},
					{"targets without any()", get(audits + " and targetResources/id eq 'x'"), 400, "BadRequest"},
					{"ne", get(audits + " and id ne 'x'"), 400, "BadRequest"},
				},
			},
			"provisioning": {
				[]request{get(e.Graph + "/v1.0/auditLogs/provisioning?$filter=activityDateTime gt " + iso(-time.Hour))},
				[]mutant{{"ge, which is not listed", get(e.Graph + "/v1.0/auditLogs/provisioning?$filter=activityDateTime ge " + iso(-time.Hour)), 400, "BadRequest"}},
			},
			"risk": {
				[]request{get(risks), get(e.Graph + "/v1.0/identityProtection/riskyUsers?$top=500")},
				[]mutant{
					{"createdDateTime", get(strings.Replace(risks, "lastUpdatedDateTime", "createdDateTime", 1)), 400, "BadRequest"},
					{"too long pages", get(risks + "&$top=501"), 400, "BadRequest"},
					{"an order", get(risks + "&$orderby=detectedDateTime"), 400, "BadRequest"},
				},
			},
			"users": {
				[]request{get(users), {url: e.Graph + "/v1.0/users?$search=\"displayName:a\"", header: map[string]string{"ConsistencyLevel": "eventual"}}, {url: e.Graph + "/v1.0/users?$filter=endsWith(userPrincipalName,'example')&$count=true", header: map[string]string{"ConsistencyLevel": "eventual"}}, get(e.Graph + "/v1.0/domains"), get(e.Graph + "/v1.0/organization"), get(e.Graph + "/v1.0/subscribedSkus")},
				[]mutant{
					{"$search without its header", get(e.Graph + "/v1.0/users?$search=\"displayName:a\""), 400, "Request_UnsupportedQuery"},
					{"endsWith without its header", get(e.Graph + "/v1.0/users?$filter=endsWith(userPrincipalName,'example')&$count=true"), 400, "Request_UnsupportedQuery"},
					{"endsWith without $count", request{url: e.Graph + "/v1.0/users?$filter=endsWith(userPrincipalName,'example')", header: map[string]string{"ConsistencyLevel": "eventual"}}, 400, "Request_UnsupportedQuery"},
					{"a filter and an order", get(users + "&$orderby=displayName"), 400, "Request_UnsupportedQuery"},
					{"an unknown property", get(strings.Replace(users, "displayName,'A'", "nickname,'A'", 1)), 400, "BadRequest"},
					{"too long pages", get(users + "&$top=1000"), 400, "BadRequest"},
					{"$skip", get(users + "&$skip=1"), 400, "BadRequest"},
					{"nobody", get(e.Graph + "/v1.0/users/nobody@nowhere.example"), 404, "Request_ResourceNotFound"},
					{"pages of what has none", get(e.Graph + "/v1.0/subscribedSkus?$top=1"), 400, "BadRequest"},
				},
			},
			"protection": {
				[]request{
					get(e.Graph + "/v1.0/users?$select=id,signInActivity,passwordProfile,identities,isManagementRestricted&$top=999"), get(e.Graph + "/v1.0/users/" + entrasim.EA01 + "?$select=id,signInActivity"),
					get(e.Graph + "/v1.0/users/" + entrasim.EA01 + "/authentication/methods"), get(e.Graph + "/beta/users/" + entrasim.EA01 + "/authentication/requirements"),
					get(policyRules), get(policyRules + "&$expand=policy($expand=rules)"), get(strengths), get(strengths + "?$expand=combinationConfigurations"),
					get(e.Graph + "/v1.0/roleManagement/directory/roleAssignmentScheduleInstances?$filter=principalId eq '" + entrasim.EA01 + "'"), get(e.Graph + "/v1.0/roleManagement/directory/roleEligibilityScheduleInstances"),
					get(e.Graph + "/v1.0/identity/conditionalAccess/policies?$select=id,state"), get(e.Graph + "/beta/identity/conditionalAccess/policies"), get(e.Graph + "/v1.0/identity/conditionalAccess/deletedItems/policies"),
					get(e.Graph + "/v1.0/identity/conditionalAccess/authenticationContextClassReferences"), get(e.Graph + "/v1.0/policies/authenticationMethodsPolicy"), get(e.Graph + "/v1.0/policies/identitySecurityDefaultsEnforcementPolicy"),
					get(e.Graph + "/v1.0/policies/authorizationPolicy"), get(e.Graph + "/v1.0/directory/deletedItems/microsoft.graph.user"), get(e.Graph + "/v1.0/oauth2PermissionGrants"), get(e.Graph + "/v1.0/users/" + entrasim.EA01 + "/transitiveMemberOf/microsoft.graph.group?$select=id"),
				},
				[]mutant{
					{"a property that users do not have", get(e.Graph + "/v1.0/users?$select=id,nickname"), 400, "BadRequest"},
					{"a property that one user does not have", get(e.Graph + "/v1.0/users/" + entrasim.EA01 + "?$select=shoeSize"), 400, "BadRequest"},
					{"a property that groups do not have", get(e.Graph + "/v1.0/groups?$select=id,accountEnabled"), 400, "BadRequest"},
					{"a property that policies do not have", get(e.Graph + "/v1.0/identity/conditionalAccess/policies?$select=id,enabled"), 400, "BadRequest"},
					{"a filter that policies do not take", get(e.Graph + "/v1.0/identity/conditionalAccess/policies?$filter=conditions eq 'x'"), 400, "BadRequest"},
					{"rules of roles without the scope", get(e.Graph + "/v1.0/policies/roleManagementPolicyAssignments"), 400, "BadRequest"},
					{"rules of roles without its type", get(strings.Replace(policyRules, " and scopeType eq 'DirectoryRole'", "", 1)), 400, "BadRequest"},
					{"an unknown expansion", get(policyRules + "&$expand=policy($expand=effectiveRules)"), 400, "BadRequest"},
					{"an expansion of another list", get(strengths + "?$expand=principal"), 400, "BadRequest"},
					{"an expansion of users", get(e.Graph + "/v1.0/users?$expand=manager"), 400, "BadRequest"},
					{"per-user MFA outside beta", get(e.Graph + "/v1.0/users/" + entrasim.EA01 + "/authentication/requirements"), 400, "BadRequest"},
					{"methods of nobody", get(e.Graph + "/v1.0/users/00000000-0000-4000-8000-000000000009/authentication/methods"), 404, "Request_ResourceNotFound"},
					{"pages of methods", get(e.Graph + "/v1.0/users/" + entrasim.EA01 + "/authentication/methods?$top=1"), 400, "BadRequest"},
				},
			},
			"batch": {
				[]request{batch(`{"requests":[{"id":"1","method":"GET","url":"/organization"},{"id":"2","method":"GET","url":"/users?$top=1","dependsOn":["1"]}]}`)},
				[]mutant{
					{"an id twice", batch(`{"requests":[{"id":"1","method":"GET","url":"/users"},{"id":"1","method":"GET","url":"/users"}]}`), 400, "BadRequest"},
					{"no requests", batch(`{"requests":[]}`), 400, "BadRequest"},
					{"21 requests", batch(`{"requests":[` + strings.Repeat(`{"id":"1","method":"GET","url":"/users"},`, 20) + `{"id":"2","method":"GET","url":"/users"}]}`), 400, "BadRequest"},
				},
			},
			"feed": {
				[]request{get(content), get(strings.Replace(content, plain(0), plain(time.Hour), 1)), get(feed + "subscriptions/list"), get(feed + "subscriptions/content?contentType=Audit.General")},
				[]mutant{
					{"no token", request{url: content, token: "none"}, 401, ""},
					{"a token for another service", request{url: content, token: b.tokens[e.Graph]}, 401, ""},
					{"another tenant's path", get(strings.Replace(content, tenant, b.o.Tenant().ID, 1)), 400, "AF20010"},
					{"another tenant's token", request{url: content, token: other}, 400, "AF20010"},
					{"no GUID", get(strings.Replace(content, tenant, "nordlicht", 1)), 400, "AF20013"},
					{"no content type", get(strings.Replace(content, "contentType=Audit.AzureActiveDirectory&", "", 1)), 400, "AF20001"},
					{"an unknown content type", get(strings.Replace(content, "Audit.AzureActiveDirectory", "Audit.Entra", 1)), 400, "AF20020"},
					{"no subscription", get(strings.Replace(content, "Audit.AzureActiveDirectory", "Audit.Exchange", 1)), 400, "AF20022"},
					{"DLP without its permission", get(strings.Replace(content, "Audit.AzureActiveDirectory", "DLP.All", 1)), 403, "AF10001"},
					{"no end", get(content[:strings.Index(content, "&endTime")]), 400, "AF20030"},
					{"end before start", get(strings.Replace(content, "endTime="+plain(0), "endTime="+plain(-3*time.Hour), 1)), 400, "AF20030"},
					{"older than 7 days", get(strings.Replace(content, plain(-2*time.Hour), plain(-7*24*time.Hour-2*time.Hour), 1)), 400, "AF20055"},
					{"a time with a zone", get(content + "Z"), 400, "AF20002"},
					{"a page of nobody", get(content + "&nextPage=abc"), 400, "AF20031"},
					{"started twice", request{method: "POST", url: feed + "subscriptions/start?contentType=Audit.General"}, 400, "AF20024"},
					{"a webhook that nobody answers", request{method: "POST", url: feed + "subscriptions/start?contentType=Audit.SharePoint", body: `{"webhook":{"address":"https://x.example"}}`}, 400, "AF20021"},
					{"a blob without the form of one", get(feed + "audit/abc"), 400, "AF20052"},
					{"a blob that is not there", get(feed + "audit/" + now.Format("20060102150405") + "000000001$" + now.Format("20060102150405") + "000000001$audit_general$Audit_General$emea0027"), 400, "AF20050"},
					{"a blob of last week", get(feed + "audit/" + now.AddDate(0, 0, -8).Format("20060102150405") + "000000001$" + now.AddDate(0, 0, -8).Format("20060102150405") + "000000001$audit_general$Audit_General$emea0027"), 400, "AF20051"},
				},
			},
			"workspace": {
				[]request{{method: "POST", url: query, body: ask(kql)}, {method: "POST", url: query, body: ask("AuditLogs | where TimeGenerated > datetime(" + iso(-time.Hour) + ") and Result == 'success' | take 5")}, {method: "POST", url: query, body: ask("SigninLogs | count")}},
				[]mutant{
					{"no token", request{method: "POST", url: query, body: ask(kql), token: "none"}, 401, "AuthorizationRequiredError"},
					{"a token for another service", request{method: "POST", url: query, body: ask(kql), token: b.tokens[e.Graph]}, 403, "InvalidAuthenticationTokenAudience"},
					{"another tenant's workspace", request{method: "POST", url: strings.Replace(query, entrasim.Workspaces(tenant), entrasim.Workspaces(b.o.Tenant().ID), 1), body: ask(kql)}, 403, "InsufficientAccessError"},
					{"no workspace", request{method: "POST", url: strings.Replace(query, entrasim.Workspaces(tenant), tenant, 1), body: ask(kql)}, 404, "PathNotFoundError"},
					{"an unknown table", request{method: "POST", url: query, body: ask(strings.Replace(kql, "SigninLogs", "SignInLogs", 1))}, 400, "BadArgumentError"},
					{"a date as text", request{method: "POST", url: query, body: ask(strings.Replace(kql, "datetime("+iso(0)+")", "'"+iso(0)+"'", 1))}, 400, "BadArgumentError"},
					{"an unknown operator", request{method: "POST", url: query, body: ask(kql + " | frobnicate x")}, 400, "BadArgumentError"},
					{"half a query", request{method: "POST", url: query, body: ask("SigninLogs | where")}, 400, "BadArgumentError"},
					{"no query", request{method: "POST", url: query, body: `{}`}, 400, "BadArgumentError"},
					{"no JSON", request{method: "POST", url: query, body: `x`}, 400, "BadArgumentError"},
				},
			},
			"settings": {
				[]request{get(settings)},
				[]mutant{
					{"no version", get(strings.TrimSuffix(settings, "?api-version=2017-04-01")), 400, "MissingApiVersionParameter"},
					{"another version", get(strings.Replace(settings, "2017-04-01", "2019-04-01", 1)), 400, "InvalidApiVersionParameter"},
					{"no token", request{url: settings, token: "none"}, 401, "AuthenticationFailed"},
					{"a token for another service", request{url: settings, token: b.tokens[e.Graph]}, 401, "InvalidAuthenticationTokenAudience"},
				},
			},
			"resources": {
				[]request{get(rules), get(e.ResourceManager + "/subscriptions?api-version=2022-12-01"), get(table)},
				[]mutant{
					{"no version", get(strings.TrimSuffix(rules, "?api-version=2023-12-01")), 400, "MissingApiVersionParameter"},
					{"another version", get(strings.Replace(rules, "2023-12-01", "2019-04-01", 1)), 400, "NoRegisteredProviderFound"},
					{"no type", get(strings.Replace(rules, "scheduledQueryRules", "alertRules2", 1)), 404, "InvalidResourceType"},
					{"no subscription", get(strings.Replace(rules, entrasim.AzureSubscription, "security", 1)), 400, "InvalidSubscriptionId"},
					{"a subscription that there is none of", get(strings.Replace(rules, entrasim.AzureSubscription, tenant, 1)), 404, "SubscriptionNotFound"},
					{"a type of which nothing may be read", get(e.ResourceManager + "/subscriptions/" + entrasim.AzureSubscription + "/resourceGroups?api-version=2021-04-01"), 404, "InvalidResourceType"},
					{"no such table", get(strings.Replace(table, "SigninLogs", "NoLogs", 1)), 404, "ResourceNotFound"},
					{"a broken place", get(rules + "&$skiptoken=x"), 400, "InvalidSkipToken"},
					{"a write", request{method: "PUT", url: rules, body: "{}"}, 405, "MethodNotAllowed"},
					{"no token", request{url: rules, token: "none"}, 401, "AuthenticationFailed"},
					{"somebody who holds no role", request{url: rules, token: b.c.UserToken(tenant, entrasim.EA01, cloud.ResourceManager)}, 403, "AuthorizationFailed"},
				},
			},
			"queries": {
				[]request{get(arrivals)},
				[]mutant{
					{"no version", get(strings.Replace(arrivals, "api-version=2017-01-01-preview&", "", 1)), 400, "MissingApiVersionParameter"},
					{"another version", get(strings.Replace(arrivals, "2017-01-01-preview", "2023-09-01", 1)), 400, "NoRegisteredProviderFound"},
					{"another query", get(e.ResourceManager + entrasim.AzureWorkspace + "/api/query?api-version=2017-01-01-preview&query=" + url.QueryEscape("SigninLogs | take 10")), 400, "BadArgumentError"},
					{"more than the newest", get(strings.Replace(arrivals, url.QueryEscape("Newest = max(TimeGenerated) | extend"), url.QueryEscape("Newest = max(TimeGenerated), Who = make_set(UserId) | extend"), 1)), 400, "BadArgumentError"},
					{"a workspace that there is none of", get(strings.Replace(arrivals, "law-security/api", "other/api", 1)), 404, "ResourceNotFound"},
					{"no token", request{url: arrivals, token: "none"}, 401, "AuthenticationFailed"},
					{"somebody who holds no role", request{url: arrivals, token: b.c.UserToken(tenant, entrasim.EA01, cloud.ResourceManager)}, 403, "AuthorizationFailed"},
				},
			},
			"sentinel": {
				[]request{get(analytics), get(strings.Replace(analytics, "alertRules?api-version=2024-10-01-preview", "onboardingStates?api-version=2024-09-01", 1)), get(strings.Replace(analytics, "alertRules?api-version=2024-10-01-preview", "automationRules?api-version=2024-09-01", 1))},
				[]mutant{
					{"no version", get(strings.TrimSuffix(analytics, "?api-version=2024-10-01-preview")), 400, "MissingApiVersionParameter"},
					{"another version", get(strings.Replace(analytics, "2024-10-01-preview", "2019-04-01", 1)), 400, "NoRegisteredProviderFound"},
					{"of a subscription", get(strings.Replace(rules, "Microsoft.Insights/scheduledQueryRules?api-version=2023-12-01", "Microsoft.SecurityInsights/alertRules?api-version=2024-09-01", 1)), 404, "InvalidResourceType"},
					{"a workspace without it", get(strings.Replace(analytics, "law-security/", "other/", 1)), 400, "BadRequest"},
					{"somebody who holds no role", request{url: analytics, token: b.c.UserToken(tenant, entrasim.EA01, cloud.ResourceManager)}, 403, "AuthorizationFailed"},
				},
			},
			"settings, for people": {
				[]request{{url: settings, token: b.c.UserToken(tenant, entrasim.EA01, cloud.ResourceManager)}},
				[]mutant{{"somebody without a role", request{url: settings, token: b.c.UserToken(tenant, entrasim.CanaryID, cloud.ResourceManager)}, 403, "AuthorizationFailed"}},
			},
			"token": {
				[]request{token(tenant, form()), token(b.w.Tenant().Domain, form()), token(tenant, form("scope", e.Graph+"/.default openid offline_access profile")),
					{method: "POST", url: e.Authority + "/" + tenant + "/oauth2/token", body: form("scope", "", "resource", e.Activity), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
					get(e.Authority + "/common/discovery/instance?api-version=1.1&authorization_endpoint=https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/authorize"),
					{url: e.ManagedIdentity + "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://graph.microsoft.com/", header: map[string]string{"Metadata": "true"}}},
				[]mutant{
					{"a wrong secret", token(tenant, form("client_secret", "t")), 401, "7000215"},
					{"no secret", token(tenant, form("client_secret", "")), 401, "7000218"},
					{"an unknown application", token(tenant, form("client_id", "00000000-0000-0000-0000-000000000009")), 400, "700016"},
					{"no application", token(tenant, form("client_id", "")), 400, "900144"},
					{"an unknown tenant", token("00000000-0000-0000-0000-000000000009", form()), 400, "90002"},
					{"every tenant", token("common", form()), 400, "9001023"},
					{"no scope", token(tenant, form("scope", "")), 400, "900144"},
					{"a scope of one permission", token(tenant, form("scope", e.Graph+"/AuditLog.Read.All")), 400, "1002012"},
					{"two resources", token(tenant, form("scope", e.Graph+"/.default "+e.Activity+"/.default")), 400, "70011"},
					{"an unknown resource", token(tenant, form("scope", "https://example.org/.default")), 400, "500011"},
					{"no grant", token(tenant, form("grant_type", "")), 400, "900144"},
					{"another grant", token(tenant, form("grant_type", "magic")), 400, "70003"},
					{"an assertion of no JWT", token(tenant, form("client_secret", "", "client_assertion", "x", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")), 401, "50027"},
					{"JSON in place of a form", request{method: "POST", url: e.Authority + "/" + tenant + "/oauth2/v2.0/token", body: "{}", header: map[string]string{"Content-Type": "application/json"}}, 400, "900144"},
					{"GET", get(e.Authority + "/" + tenant + "/oauth2/v2.0/token"), 400, "900561"},
					{"a machine's token without the header", get(e.ManagedIdentity + "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://graph.microsoft.com/"), 400, "bad_request_102"},
					{"a machine's token for nothing", request{url: e.ManagedIdentity + "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://example.org/", header: map[string]string{"Metadata": "true"}}, 400, "invalid_resource"},
				},
			},
		} {
			for _, good := range group.good {
				if status, code, body, _ := b.ask(good); status != http.StatusOK {
					t.Errorf("%s: the good request %s %s is refused with %d %s: %s", name, good.method, good.url, status, code, body)
				}
			}
			for _, m := range group.mutants {
				status, code, body, header := b.ask(m.req)
				if status != m.status || code != m.code {
					t.Errorf("%s: %s is answered with %d %s, not with %d %s: %s", name, m.name, status, code, m.status, m.code, bytes.TrimSpace(body[:min(len(body), 300)]))
				}
				if strings.HasPrefix(m.req.url, e.Graph) && (header.Get("request-id") == "" || !strings.Contains(string(body), header.Get("request-id"))) {
					t.Errorf("%s: %s: the request id is not both in the header and in the body", name, m.name)
				}
			}
		}
	})
}
