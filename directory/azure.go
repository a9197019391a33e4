package directory

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"glassward/directory/truth"
)

// What stands in Azure is decoded from Azure Resource Manager's own JSON. Ids of
// resources are paths, kept as they were written: Azure compares them without regard to
// case. Durations are ISO 8601 texts, as PT5M.

// A Resource is what all of Azure's have: properties stand as Azure Resource Manager gave
// them, so that nothing of them is lost that is not decoded beside them.
type Resource struct {
	ID, Name, Type, Location string
	// Identity is the kind of managed identity, as SystemAssigned, "" for none; Principals
	// are the object ids behind it.
	Identity   string
	Principals []string
	Properties json.RawMessage
	// Extra is what stood beside the properties.
	Extra Extra
}

// A Subscription is one of Azure that was shown to who asked.
type Subscription struct {
	ID, Name string
	Tenant   string // the tenant that it trusts
	State    string // Enabled, Warned, PastDue, Disabled, Deleted
	Extra    Extra
}

// A DiagnosticSetting sends logs of Entra to up to three places.
type DiagnosticSetting struct {
	Resource
	// Workspace, StorageAccount and EventHub are the ids of the places, "" where there
	// is none; EventHub is that of the authorization rule.
	Workspace, StorageAccount, EventHub string
	Logs                                []LogCategory
}

// A LogCategory is one kind of logs, as SignInLogs, and whether it is sent.
type LogCategory struct {
	Category string
	Enabled  truth.Value
}

// Sends says whether the setting sends a category anywhere.
func (s *DiagnosticSetting) Sends(category string) truth.Value {
	if s.Workspace == "" && s.StorageAccount == "" && s.EventHub == "" {
		return truth.False
	}
	for _, l := range s.Logs {
		if strings.EqualFold(l.Category, category) {
			return l.Enabled
		}
	}
	return truth.False
}

// A Workspace is one of Log Analytics.
type Workspace struct {
	Resource
	RetentionDays int // 0 if it is not told
	// DailyQuotaGB is the daily cap in gigabytes; below zero is none. HasQuota says
	// whether Azure told it.
	DailyQuotaGB float64
	HasQuota     bool
	// Ingestion is dataIngestionStatus, as RespectQuota or OverQuota.
	Ingestion string
	// PublicIngestion is publicNetworkAccessForIngestion: Enabled, Disabled.
	PublicIngestion string
	// CollectionRule is the id of the default data collection rule, whose
	// transformations change what comes in.
	CollectionRule string
}

// A WorkspaceTable is a table of a workspace.
type WorkspaceTable struct {
	Resource
	Plan          string // Analytics, Basic, Auxiliary
	RetentionDays int    // how long it can be queried; 0 if it is not told
}

// Workspace gives the id of the workspace that the table stands in.
func (t *WorkspaceTable) Workspace() string {
	if i := strings.LastIndex(strings.ToLower(t.ID), "/tables/"); i >= 0 {
		return t.ID[:i]
	}
	return ""
}

// A CollectionRule says what becomes of what comes into a workspace.
type CollectionRule struct {
	Resource
	Flows []DataFlow
}

// A DataFlow is one way of a collection rule: the streams that go it, as
// Microsoft-Table-SigninLogs, and the KQL that each record passes, "" for none.
type DataFlow struct {
	Streams   []string
	Transform string
}

// An AlertRule is a log alert of Azure Monitor: a scheduled query rule.
type AlertRule struct {
	Resource
	Kind        string // LogAlert, LogToMetric, SimpleLogAlert
	Enabled     truth.Value
	Severity    int // 0 is the worst, -1 if it is not told
	Scopes      []string
	Frequency   string // evaluationFrequency
	Window      string // windowSize
	LookBack    string // overrideQueryTimeRange
	Criteria    []Criterion
	AutoResolve truth.Value // autoMitigate
	Mute        string      // muteActionsDuration
	// ActionGroups are the ids of those that it calls.
	ActionGroups []string
}

// A Criterion is one condition of an alert rule.
type Criterion struct {
	Query string
	// Aggregation is Count, Average, Minimum, Maximum or Total, of Column unless it is Count.
	Aggregation, Column string
	Operator            string // GreaterThan and the like
	Threshold           float64
	// Of Periods evaluations Failing must be bad. Both are 1 if they are not told.
	Periods, Failing int
}

// An ActivityAlert is an alert on the activity log of a subscription.
type ActivityAlert struct {
	Resource
	Enabled      truth.Value
	Scopes       []string
	Conditions   []ActivityCondition // all of them must hold
	ActionGroups []string
}

// An ActivityCondition holds if Field, as operationName, equals Equals or contains one
// of Contains, or if one of Any holds.
type ActivityCondition struct {
	Field, Equals string
	Contains      []string
	Any           []ActivityCondition
}

// An ActionGroup says who is told of alerts.
type ActionGroup struct {
	Resource
	Enabled   truth.Value
	Receivers []Receiver
}

// A Receiver is one of an action group.
type Receiver struct {
	// Channel is the name of the list that it stands in, without Receivers: email, sms,
	// voice, webhook, azureAppPush, logicApp and so on.
	Channel, Name string
	// Address is where it is reached: a mail address, a number, a URI, the id of a resource.
	Address string
	// Status is Enabled, Disabled or NotSpecified, "" where Azure tells none.
	Status string
}

// A ProcessingRule changes what becomes of alerts that fire.
type ProcessingRule struct {
	Resource
	Enabled    truth.Value
	Scopes     []string
	Conditions []AlertCondition // all of them must hold
	// Removes says that the alerts are told to nobody; Adds are action groups that are told too.
	Removes bool
	Adds    []string
	// From and Until are local times without a zone, "" for no bound; Recurs says that it
	// holds at some hours only.
	From, Until string
	Recurs      bool
}

// An AlertCondition compares Field, as Severity, with Values by Operator: Equals,
// NotEquals, Contains, DoesNotContain.
type AlertCondition struct {
	Field, Operator string
	Values          []string
}

// A Lock keeps a resource, and all that stands in it, from being deleted or changed.
type Lock struct {
	Resource
	Level string // CanNotDelete, ReadOnly
}

// Scope gives the id of what is locked.
func (l *Lock) Scope() string {
	if i := strings.LastIndex(strings.ToLower(l.ID), "/providers/microsoft.authorization/locks/"); i >= 0 {
		return l.ID[:i]
	}
	return ""
}

// An AzureAssignment says that a principal holds a role of Azure at a scope and in all
// that stands in it.
type AzureAssignment struct {
	Resource
	Principal     string
	PrincipalType string // User, Group, ServicePrincipal
	Role          string // the id of the role definition: its last part, a GUID
	Scope         string
}

// Within says whether a resource stands in a scope, or is it.
func Within(resource, scope string) bool {
	r, s := strings.ToLower(strings.Trim(resource, "/")), strings.ToLower(strings.Trim(scope, "/"))
	return s == "" || r == s || strings.HasPrefix(r, s+"/")
}

// SameResource compares ids of resources as Azure does.
func SameResource(a, b string) bool {
	return a != "" && strings.EqualFold(strings.Trim(a, "/"), strings.Trim(b, "/"))
}

// SubscriptionOf gives the id of the subscription that a resource stands in, in lower
// case, or "".
func SubscriptionOf(resource string) string {
	p := strings.Split(strings.Trim(strings.ToLower(resource), "/"), "/")
	if len(p) > 1 && p[0] == "subscriptions" {
		return p[1]
	}
	return ""
}

// resource reads an object of Resource Manager; each is given its properties, and beside
// whatever else stands there that not all resources have, if it is not nil.
func (d *decoder) resource(n node, beside, each func(key string, v node) bool) Resource {
	var r Resource
	d.object(n, &r.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			r.ID = d.text(v)
		case "name":
			r.Name = d.text(v)
		case "type":
			r.Type = d.text(v)
		case "location":
			r.Location = d.text(v)
		case "identity":
			d.object(v, nil, func(key string, v node) bool {
				switch key {
				case "type":
					r.Identity = d.text(v)
				case "principalId":
					r.Principals = append(r.Principals, d.id(v))
				case "userAssignedIdentities":
					d.object(v, nil, func(_ string, v node) bool {
						if p := v.get("principalId"); p != nil {
							r.Principals = append(r.Principals, d.id(p))
						}
						return true
					})
				}
				return true
			})
		case "properties":
			r.Properties = bytes.Clone(v)
			d.object(v, nil, each)
		default:
			return beside != nil && beside(key, v)
		}
		return true
	})
	return r
}

// real reads a number; null is 0.
func (d *decoder) real(n node) float64 {
	if n.kind() == 'n' {
		return 0
	}
	f, err := strconv.ParseFloat(strings.Trim(string(n), `"`), 64)
	if err != nil || n.kind() != '0' && n.kind() != '"' {
		d.wrong(n, "a number")
		return 0
	}
	return f
}

func decodeSubscription(d *decoder, n node) *Subscription {
	s := &Subscription{}
	d.object(n, &s.Extra, func(key string, v node) bool {
		switch key {
		case "id":
		case "subscriptionId":
			s.ID = d.id(v)
		case "displayName":
			s.Name = d.text(v)
		case "tenantId":
			s.Tenant = d.id(v)
		case "state":
			s.State = d.enum(v, "Enabled", "Warned", "PastDue", "Disabled", "Deleted")
		case "authorizationSource", "subscriptionPolicies", "managedByTenants", "tags", "promotions":
		default:
			return false
		}
		return true
	})
	return s
}

func decodeDiagnosticSetting(d *decoder, n node) *DiagnosticSetting {
	s := &DiagnosticSetting{}
	s.Resource = d.resource(n, nil, func(key string, v node) bool {
		switch key {
		case "workspaceId":
			s.Workspace = d.text(v)
		case "storageAccountId":
			s.StorageAccount = d.text(v)
		case "eventHubAuthorizationRuleId":
			s.EventHub = d.text(v)
		case "eventHubName", "serviceBusRuleId", "metrics", "logAnalyticsDestinationType", "marketplacePartnerId":
		case "logs":
			s.Logs = list(d, v, func(d *decoder, v node) LogCategory {
				var l LogCategory
				d.object(v, nil, func(key string, v node) bool {
					switch key {
					case "category":
						l.Category = d.text(v)
					case "enabled":
						l.Enabled = d.truth(v)
					}
					return true
				})
				return l
			})
		default:
			return false
		}
		return true
	})
	return s
}

func decodeWorkspace(d *decoder, n node) *Workspace {
	w := &Workspace{}
	w.Resource = d.resource(n, nil, func(key string, v node) bool {
		switch key {
		case "retentionInDays":
			w.RetentionDays = d.number(v)
		case "workspaceCapping":
			d.object(v, nil, func(key string, v node) bool {
				switch key {
				case "dailyQuotaGb":
					w.DailyQuotaGB, w.HasQuota = d.real(v), true
				case "dataIngestionStatus":
					w.Ingestion = d.text(v)
				}
				return true
			})
		case "publicNetworkAccessForIngestion":
			w.PublicIngestion = d.text(v)
		case "defaultDataCollectionRuleResourceId":
			w.CollectionRule = d.text(v)
		default:
			return key == "customerId" || key == "provisioningState" || key == "sku" || key == "features" || key == "createdDate" || key == "modifiedDate" || key == "publicNetworkAccessForQuery"
		}
		return true
	})
	return w
}

func decodeWorkspaceTable(d *decoder, n node) *WorkspaceTable {
	t := &WorkspaceTable{}
	t.Resource = d.resource(n, nil, func(key string, v node) bool {
		switch key {
		case "plan":
			t.Plan = d.enum(v, "Analytics", "Basic", "Auxiliary")
		case "retentionInDays":
			t.RetentionDays = d.number(v)
		default:
			return true // its columns are the schema's
		}
		return true
	})
	return t
}

func decodeCollectionRule(d *decoder, n node) *CollectionRule {
	c := &CollectionRule{}
	c.Resource = d.resource(n, nil, func(key string, v node) bool {
		if key == "dataFlows" {
			c.Flows = list(d, v, func(d *decoder, v node) DataFlow {
				var f DataFlow
				d.object(v, nil, func(key string, v node) bool {
					switch key {
					case "streams":
						f.Streams = d.texts(v)
					case "transformKql":
						f.Transform = d.text(v)
					}
					return true
				})
				return f
			})
		}
		return true
	})
	return c
}

func decodeAlertRule(d *decoder, n node) *AlertRule {
	a := &AlertRule{Severity: -1}
	own := func(key string, v node) bool {
		if key == "kind" {
			a.Kind = d.text(v)
			return true
		}
		return false
	}
	a.Resource = d.resource(n, own, func(key string, v node) bool {
		switch key {
		case "enabled":
			a.Enabled = d.truth(v)
		case "severity":
			a.Severity = d.number(v)
		case "scopes":
			a.Scopes = d.texts(v)
		case "evaluationFrequency":
			a.Frequency = d.text(v)
		case "windowSize":
			a.Window = d.text(v)
		case "overrideQueryTimeRange":
			a.LookBack = d.text(v)
		case "criteria":
			d.object(v, nil, func(key string, v node) bool {
				if key == "allOf" {
					a.Criteria = list(d, v, decodeCriterion)
				}
				return true
			})
		case "autoMitigate":
			a.AutoResolve = d.truth(v)
		case "muteActionsDuration":
			a.Mute = d.text(v)
		case "actions":
			d.object(v, nil, func(key string, v node) bool {
				if key == "actionGroups" {
					a.ActionGroups = d.texts(v)
				}
				return true
			})
		default:
			return key == "displayName" || key == "description" || key == "targetResourceTypes" || key == "skipQueryValidation" ||
				key == "checkWorkspaceAlertsStorageConfigured" || key == "createdWithApiVersion" || key == "isLegacyLogAnalyticsRule" || key == "isWorkspaceAlertsStorageConfigured"
		}
		return true
	})
	return a
}

func decodeCriterion(d *decoder, n node) Criterion {
	c := Criterion{Aggregation: "Count", Periods: 1, Failing: 1}
	d.object(n, nil, func(key string, v node) bool {
		switch key {
		case "query":
			c.Query = d.text(v)
		case "timeAggregation":
			c.Aggregation = d.enum(v, "Count", "Average", "Minimum", "Maximum", "Total")
		case "metricMeasureColumn":
			c.Column = d.text(v)
		case "operator":
			c.Operator = d.enum(v, "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual", "Equals")
		case "threshold":
			c.Threshold = d.real(v)
		case "failingPeriods":
			d.object(v, nil, func(key string, v node) bool {
				switch key {
				case "numberOfEvaluationPeriods":
					c.Periods = d.number(v)
				case "minFailingPeriodsToAlert":
					c.Failing = d.number(v)
				}
				return true
			})
		}
		return true
	})
	return c
}

func decodeActivityAlert(d *decoder, n node) *ActivityAlert {
	a := &ActivityAlert{}
	a.Resource = d.resource(n, nil, func(key string, v node) bool {
		switch key {
		case "enabled":
			a.Enabled = d.truth(v)
		case "scopes":
			a.Scopes = d.texts(v)
		case "condition":
			d.object(v, nil, func(key string, v node) bool {
				if key == "allOf" {
					a.Conditions = list(d, v, decodeActivityCondition)
				}
				return true
			})
		case "actions":
			d.object(v, nil, func(key string, v node) bool {
				if key == "actionGroups" {
					d.array(v, func(v node) {
						if id := v.get("actionGroupId"); id != nil {
							a.ActionGroups = append(a.ActionGroups, d.text(id))
						}
					})
				}
				return true
			})
		default:
			return key == "description" || key == "tenantScope"
		}
		return true
	})
	return a
}

func decodeActivityCondition(d *decoder, n node) ActivityCondition {
	var c ActivityCondition
	d.object(n, nil, func(key string, v node) bool {
		switch key {
		case "field":
			c.Field = d.text(v)
		case "equals":
			c.Equals = d.text(v)
		case "containsAny":
			c.Contains = d.texts(v)
		case "anyOf":
			c.Any = list(d, v, decodeActivityCondition)
		}
		return true
	})
	return c
}

func decodeActionGroup(d *decoder, n node) *ActionGroup {
	g := &ActionGroup{}
	g.Resource = d.resource(n, nil, func(key string, v node) bool {
		channel, receivers := strings.CutSuffix(key, "Receivers")
		switch {
		case receivers:
			g.Receivers = append(g.Receivers, list(d, v, func(d *decoder, v node) Receiver { return decodeReceiver(d, v, channel) })...)
		case key == "enabled":
			g.Enabled = d.truth(v)
		default:
			return key == "groupShortName"
		}
		return true
	})
	return g
}

func decodeReceiver(d *decoder, n node, channel string) Receiver {
	r := Receiver{Channel: channel}
	country := ""
	d.object(n, nil, func(key string, v node) bool {
		switch key {
		case "name":
			r.Name = d.text(v)
		case "emailAddress", "phoneNumber", "serviceUri", "roleId", "resourceId", "functionAppResourceId", "automationAccountId", "eventHubName", "workspaceId":
			if r.Address == "" || key == "serviceUri" {
				r.Address = d.text(v)
			}
		case "countryCode":
			country = d.text(v)
		case "status":
			r.Status = d.enum(v, "Enabled", "Disabled", "NotSpecified")
		}
		return true
	})
	if country != "" {
		r.Address = "+" + strings.TrimPrefix(country, "+") + " " + r.Address
	}
	return r
}

func decodeProcessingRule(d *decoder, n node) *ProcessingRule {
	p := &ProcessingRule{}
	p.Resource = d.resource(n, nil, func(key string, v node) bool {
		switch key {
		case "enabled":
			p.Enabled = d.truth(v)
		case "scopes":
			p.Scopes = d.texts(v)
		case "conditions":
			p.Conditions = list(d, v, func(d *decoder, v node) AlertCondition {
				var c AlertCondition
				d.object(v, nil, func(key string, v node) bool {
					switch key {
					case "field":
						c.Field = d.text(v)
					case "operator":
						c.Operator = d.enum(v, "Equals", "NotEquals", "Contains", "DoesNotContain")
					case "values":
						c.Values = d.texts(v)
					}
					return true
				})
				return c
			})
		case "actions":
			d.array(v, func(v node) {
				if kind := v.get("actionType"); kind != nil && d.text(kind) == "RemoveAllActionGroups" {
					p.Removes = true
				}
				if ids := v.get("actionGroupIds"); ids != nil {
					p.Adds = append(p.Adds, d.texts(ids)...)
				}
			})
		case "schedule":
			d.object(v, nil, func(key string, v node) bool {
				switch key {
				case "effectiveFrom":
					p.From = d.text(v)
				case "effectiveUntil":
					p.Until = d.text(v)
				case "recurrences":
					p.Recurs = !v.empty()
				}
				return true
			})
		default:
			return key == "description"
		}
		return true
	})
	return p
}

func decodeLock(d *decoder, n node) *Lock {
	l := &Lock{}
	l.Resource = d.resource(n, nil, func(key string, v node) bool {
		if key == "level" {
			l.Level = d.enum(v, "CanNotDelete", "ReadOnly")
			return true
		}
		return key == "notes" || key == "owners"
	})
	return l
}

func decodeAzureAssignment(d *decoder, n node) *AzureAssignment {
	a := &AzureAssignment{}
	a.Resource = d.resource(n, nil, func(key string, v node) bool {
		switch key {
		case "principalId":
			a.Principal = d.id(v)
		case "principalType":
			a.PrincipalType = d.text(v)
		case "roleDefinitionId":
			id := d.text(v)
			a.Role = lowerID(id[strings.LastIndex(id, "/")+1:])
		case "scope":
			a.Scope = d.text(v)
		default:
			return true
		}
		return true
	})
	return a
}
