package entrasim

import (
	"encoding/json"
	"slices"
	"strings"
)

// AzureSubscription is the id of the subscription in which the tenant's logs and alerts
// stand.
const AzureSubscription = "5b7c2f10-0000-4000-8000-000000000001"

const (
	azureSubscription = "/subscriptions/" + AzureSubscription
	azureGroup        = azureSubscription + "/resourceGroups/rg-security"
	// AzureWorkspace is the id of the workspace that the diagnostic setting sends to.
	AzureWorkspace = azureGroup + "/providers/Microsoft.OperationalInsights/workspaces/law-security"
	// AzureAlertRule is the alert rule of the emergency accounts' sign-ins.
	AzureAlertRule = azureGroup + "/providers/Microsoft.Insights/scheduledQueryRules/ea-sign-in"
	// AzureSentinel is where Microsoft Sentinel's objects of the workspace stand, and
	// AzureAnalyticsRule its rule of the emergency accounts' sign-ins.
	AzureSentinel      = AzureWorkspace + "/providers/Microsoft.SecurityInsights/"
	AzureAnalyticsRule = AzureSentinel + "alertRules/ea-sign-in"
)

// azureRoles are Azure's own roles by name.
var azureRoles = map[string]string{
	"Owner":                     "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
	"Contributor":               "b24988ac-6180-42a0-ab88-20f7382dd24c",
	"Reader":                    "acdd72a7-3385-48ef-bd42-f606fba81ae7",
	"Monitoring Reader":         "43d0d8ad-25c7-4714-9337-8ba259a9fe05",
	"Monitoring Contributor":    "749f88d5-cbae-40b8-bcfc-e573ddc772fa",
	"Log Analytics Reader":      "73c42c96-874c-492b-b04d-ab87d138a893",
	"User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
}

// A resource is one of Azure's: its id and its JSON, as Resource Manager shows it.
type resource struct {
	id   string
	json []byte
}

// PutAzure makes a resource of Azure, or replaces the one of that id. properties are
// JSON; beside, if not empty, are further members of the object, without braces.
func (w *World) PutAzure(id, beside, properties string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.putAzure(id, beside, properties)
}

func (w *World) putAzure(id, beside, properties string) {
	kind, name := azureType(id)
	if beside != "" {
		beside += ","
	}
	r := resource{id, []byte(`{"id":` + jsonText(id) + `,"name":` + jsonText(name) + `,"type":` + jsonText(kind) + `,` + beside + `"properties":` + properties + `}`)}
	i := slices.IndexFunc(w.azure, func(x resource) bool { return strings.EqualFold(x.id, id) })
	if i < 0 {
		w.azure = append(w.azure, r)
		return
	}
	w.azure[i] = r
}

func jsonText(s string) string { return string(encode(s)) }

// azureType gives the type of a resource, as Microsoft.Insights/actionGroups, and its name.
func azureType(id string) (kind, name string) {
	i := strings.LastIndex(strings.ToLower(id), "/providers/")
	if i < 0 {
		return "Microsoft.Resources/subscriptions", id[strings.LastIndex(id, "/")+1:]
	}
	p := strings.Split(id[i+len("/providers/"):], "/")
	kind = p[0]
	for i := 1; i+1 < len(p); i += 2 {
		kind += "/" + p[i]
	}
	return kind, p[len(p)-1]
}

// DeleteAzure deletes a resource of Azure.
func (w *World) DeleteAzure(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.azure = slices.DeleteFunc(w.azure, func(x resource) bool { return strings.EqualFold(x.id, id) })
}

// AssignAzure gives a principal, by its object id, a role of Azure at a scope, as
// /subscriptions/ID.
func (w *World) AssignAzure(principal, role, scope string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.assignAzure(principal, role, scope)
}

func (w *World) assignAzure(principal, role, scope string) {
	id := scope + "/providers/Microsoft.Authorization/roleAssignments/" + guidOf(w.o.Tenant.ID, "azure", principal, role, scope)
	w.putAzure(id, "", string(encode(object{"roleDefinitionId": azureSubscription + "/providers/Microsoft.Authorization/roleDefinitions/" + azureRoles[role], "principalId": principal, "principalType": "ServicePrincipal", "scope": scope})))
	w.azureRoles = append(w.azureRoles, azureRole{strings.ToLower(principal), role, scope})
}

type azureRole struct{ principal, role, scope string }

// MayReadAzure says whether a principal may read what stands at a scope: Azure's roles
// are inherited from above. What is within says whether a role somewhere within the scope
// would do, which decides what lists of subscriptions show.
func (w *World) MayReadAzure(principal, scope string, within bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	reads := []string{"Owner", "Contributor", "Reader", "Monitoring Reader", "Monitoring Contributor", "Log Analytics Reader"} // */read
	scope = strings.ToLower(scope)
	for _, a := range w.azureRoles {
		if a.principal != strings.ToLower(principal) || !slices.Contains(reads, a.role) {
			continue
		}
		at := strings.ToLower(a.scope)
		if below(scope, at) || within && below(at, scope) {
			return true
		}
	}
	return false
}

// below says whether a resource stands in a scope or is it.
func below(id, scope string) bool {
	return scope == "/" || id == scope || strings.HasPrefix(id, strings.TrimSuffix(scope, "/")+"/")
}

// ReadsSettings says whether a person may read the diagnostic settings of Entra: who
// holds one of the directory roles that may.
func (w *World) ReadsSettings(user string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.assignments {
		if strings.EqualFold(a.principal, user) && (a.role == "Global Administrator" || a.role == "Security Administrator") {
			return true
		}
	}
	return false
}

// AzureObject gives a resource of Azure by its id.
func (w *World) AzureObject(id string) (json.RawMessage, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.azure {
		if strings.EqualFold(x.id, id) {
			return x.json, true
		}
	}
	return nil, false
}

// AzureList gives the resources of a type, as Microsoft.Insights/actionGroups, within a
// scope.
func (w *World) AzureList(scope, kind string) []json.RawMessage {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := []json.RawMessage{}
	for _, x := range w.azure {
		if k, _ := azureType(x.id); strings.EqualFold(k, kind) && below(strings.ToLower(x.id), strings.ToLower(scope)) {
			out = append(out, x.json)
		}
	}
	return out
}

// AzureSubscriptions gives the ids of the subscriptions, in lower case.
func (w *World) AzureSubscriptions() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, x := range w.azure {
		if !strings.Contains(x.id, "/providers/") {
			out = append(out, strings.ToLower(x.id[strings.LastIndex(x.id, "/")+1:]))
		}
	}
	return out
}

// settleAzure makes what stands in Azure when the world begins.
func (w *World) settleAzure(accounts []string) {
	subscription := func(id, name string) {
		w.azure = append(w.azure, resource{"/subscriptions/" + id, encode(object{"id": "/subscriptions/" + id, "subscriptionId": id, "displayName": name, "tenantId": w.o.Tenant.ID, "state": "Enabled", "authorizationSource": "RoleBased"})})
	}
	subscription(AzureSubscription, "security")
	subscription(guidOf(w.o.Tenant.ID, "azure", "office"), "office")
	const insights = azureGroup + "/providers/Microsoft.Insights/"
	const west = `"location":"westeurope"`
	w.putAzure(AzureWorkspace, west, `{"customerId":`+jsonText(Workspaces(w.o.Tenant.ID))+`,"provisioningState":"Succeeded","sku":{"name":"PerGB2018"},"retentionInDays":90,"workspaceCapping":{"dailyQuotaGb":-1.0,"quotaNextResetTime":"2026-11-23T08:00:00Z","dataIngestionStatus":"RespectQuota"},"publicNetworkAccessForIngestion":"Enabled","publicNetworkAccessForQuery":"Enabled"}`)
	for _, table := range []string{"SigninLogs", "AuditLogs"} {
		w.putAzure(AzureWorkspace+"/tables/"+table, "", `{"plan":"Analytics","retentionInDays":90,"totalRetentionInDays":365,"schema":{"name":`+jsonText(table)+`}}`)
	}
	group := insights + "actionGroups/emergency"
	w.putAzure(group, `"location":"Global"`, `{"groupShortName":"emergency","enabled":true,"emailReceivers":[{"name":"soc","emailAddress":"soc@example.org","useCommonAlertSchema":true,"status":"Enabled"}],"smsReceivers":[{"name":"duty","countryCode":"47","phoneNumber":"91234567","status":"Enabled"}],"webhookReceivers":[{"name":"glassward","serviceUri":"https://glassward.example.org/alert","useCommonAlertSchema":true,"useAadAuth":false}]}`)
	ids := string(encode(accounts))
	rule := func(id, query string) {
		principal := guidOf(w.o.Tenant.ID, "azure identity", id)
		w.putAzure(id, west+`,"kind":"LogAlert","identity":{"type":"SystemAssigned","principalId":`+jsonText(principal)+`,"tenantId":`+jsonText(w.o.Tenant.ID)+`}`,
			`{"displayName":`+jsonText(id[strings.LastIndex(id, "/")+1:])+`,"severity":0,"enabled":true,"scopes":[`+jsonText(AzureWorkspace)+`],"evaluationFrequency":"PT5M","windowSize":"PT15M","criteria":{"allOf":[{"query":`+jsonText(query)+`,"timeAggregation":"Count","operator":"GreaterThan","threshold":0.0,"failingPeriods":{"numberOfEvaluationPeriods":1,"minFailingPeriodsToAlert":1}}]},"autoMitigate":false,"actions":{"actionGroups":[`+jsonText(group)+`]}}`)
		w.assignAzure(principal, "Log Analytics Reader", AzureWorkspace)
	}
	rule(AzureAlertRule, "let accounts = dynamic("+ids+");\nSigninLogs\n| where UserId in (accounts)")
	rule(insights+"scheduledQueryRules/ea-audit", "let accounts = dynamic("+ids+");\nAuditLogs\n| where InitiatedBy.user.id in (accounts) or TargetResources has_any (accounts)")
	w.putAzure(insights+"activityLogAlerts/alarm-path", `"location":"Global"`, `{"scopes":[`+jsonText(azureSubscription)+`],"condition":{"allOf":[{"field":"category","equals":"Administrative"},{"anyOf":[{"field":"operationName","equals":"Microsoft.Insights/scheduledQueryRules/write"},{"field":"operationName","equals":"Microsoft.Insights/scheduledQueryRules/delete"},{"field":"operationName","equals":"Microsoft.Insights/actionGroups/write"},{"field":"operationName","equals":"Microsoft.Insights/actionGroups/delete"}]}]},"actions":{"actionGroups":[{"actionGroupId":`+jsonText(group)+`,"webhookProperties":{}}]},"enabled":true}`)
	w.putAzure(azureGroup+"/providers/Microsoft.Authorization/locks/keep", "", `{"level":"CanNotDelete","notes":"the way of the alarm"}`)
	w.putAzure(AzureSentinel+"onboardingStates/default", `"etag":"\"1\""`, `{"customerManagedKey":false}`)
	analytics := func(id, kind, timing, query string) {
		w.putAzure(id, `"etag":"\"1\"","kind":`+jsonText(kind),
			`{"displayName":"Emergency account","severity":"High","enabled":true,`+timing+`"query":`+jsonText(query)+`,"suppressionDuration":"PT5H","suppressionEnabled":false,"entityMappings":[{"entityType":"Account","fieldMappings":[{"identifier":"AadUserId","columnName":"UserId"}]}],"eventGroupingSettings":{"aggregationKind":"AlertPerResult"},"incidentConfiguration":{"createIncident":true,"groupingConfiguration":{"enabled":false,"reopenClosedIncident":false,"lookbackDuration":"PT5H","matchingMethod":"AllEntities"}},"lastModifiedUtc":"2026-01-05T09:00:00Z"}`)
	}
	analytics(AzureAnalyticsRule, "Scheduled", `"queryFrequency":"PT5M","queryPeriod":"PT15M","triggerOperator":"GreaterThan","triggerThreshold":0,`, "SigninLogs\n| where UserId in (dynamic("+ids+"))")
	analytics(AzureSentinel+"alertRules/ea-audit", "NRT", "", "AuditLogs\n| where InitiatedBy.user.id in (dynamic("+ids+")) or TargetResources has_any (dynamic("+ids+"))\n| extend UserId = tostring(InitiatedBy.user.id)")
	w.putAzure(AzureSentinel+"automationRules/assign", `"etag":"\"1\""`, `{"displayName":"Assign","order":1,"triggeringLogic":{"isEnabled":true,"triggersOn":"Incidents","triggersWhen":"Created","conditions":[]},"actions":[{"order":1,"actionType":"ModifyProperties","actionConfiguration":{"owner":{"userPrincipalName":"soc@example.org"}}}]}`)
}
