package directory

import (
	"strings"
	"time"

	"glassward/directory/truth"
)

// An OnboardingState says that a workspace has Microsoft Sentinel.
type OnboardingState struct{ Resource }

// Workspace gives the id of the workspace.
func (s *OnboardingState) Workspace() string { return sentinelWorkspace(s.ID) }

// An AnalyticsRule is one of Microsoft Sentinel that makes alerts, and incidents of them.
type AnalyticsRule struct {
	Resource
	// Kind is Scheduled, NRT, Fusion, MicrosoftSecurityIncidentCreation and so on; the
	// first two have a query.
	Kind        string
	DisplayName string
	Enabled     truth.Value
	Severity    string // High, Medium, Low, Informational
	Query       string
	// Frequency and Period are how often it looks and how far back, "" of one that looks
	// as records come.
	Frequency, Period string
	// It fires if the number of rows is Operator Threshold: GreaterThan, LessThan, Equal,
	// NotEqual.
	Operator  string
	Threshold float64
	// Suppressed says that it rests for SuppressedFor after it has fired.
	Suppressed    truth.Value
	SuppressedFor string
	// Entities are the types of what it maps, as Account.
	Entities []string
	// Aggregation is SingleAlert or AlertPerResult, "" if it is not told, which is the former.
	Aggregation     string
	CreatesIncident truth.Value
	// Overrides says that rows give alerts another name or severity than the rule's.
	Overrides bool
}

// Workspace gives the id of the workspace whose logs it reads.
func (r *AnalyticsRule) Workspace() string { return sentinelWorkspace(r.ID) }

// An AutomationRule of Microsoft Sentinel does something with incidents or alerts as they
// come.
type AutomationRule struct {
	Resource
	DisplayName string
	Enabled     truth.Value
	On, When    string    // Incidents or Alerts; Created or Updated
	Expires     time.Time // zero for never
	Conditions  []AutomationCondition
	// Closes says that it sets the status of incidents to Closed.
	Closes bool
}

// Workspace gives the id of the workspace whose incidents it is about.
func (r *AutomationRule) Workspace() string { return sentinelWorkspace(r.ID) }

// An AutomationCondition must hold with all others. Of those of the type Property the
// property, as IncidentTitle, is compared with each value: Equals, NotEquals, Contains,
// NotContains, StartsWith, NotStartsWith, EndsWith, NotEndsWith.
type AutomationCondition struct {
	Type               string // Property, PropertyArray, PropertyChanged, Boolean and so on
	Property, Operator string
	Values             []string
}

// sentinelWorkspace cuts what belongs to Microsoft Sentinel from an id.
func sentinelWorkspace(id string) string {
	if i := strings.LastIndex(strings.ToLower(id), "/providers/microsoft.securityinsights/"); i >= 0 {
		return id[:i]
	}
	return ""
}

func decodeOnboardingState(d *decoder, n node) *OnboardingState {
	return &OnboardingState{d.resource(n, nil, func(string, node) bool { return true })}
}

func decodeAnalyticsRule(d *decoder, n node) *AnalyticsRule {
	r := &AnalyticsRule{}
	own := func(key string, v node) bool {
		if key == "kind" {
			r.Kind = d.enum(v, "Scheduled", "NRT", "Fusion", "MicrosoftSecurityIncidentCreation")
			return true
		}
		return false
	}
	r.Resource = d.resource(n, own, func(key string, v node) bool {
		switch key {
		case "displayName":
			r.DisplayName = d.text(v)
		case "enabled":
			r.Enabled = d.truth(v)
		case "severity":
			r.Severity = d.enum(v, "High", "Medium", "Low", "Informational")
		case "query":
			r.Query = d.text(v)
		case "queryFrequency":
			r.Frequency = d.text(v)
		case "queryPeriod":
			r.Period = d.text(v)
		case "triggerOperator":
			r.Operator = d.enum(v, "GreaterThan", "LessThan", "Equal", "NotEqual")
		case "triggerThreshold":
			r.Threshold = d.real(v)
		case "suppressionEnabled":
			r.Suppressed = d.truth(v)
		case "suppressionDuration":
			r.SuppressedFor = d.text(v)
		case "entityMappings":
			d.array(v, func(v node) {
				if kind := v.get("entityType"); kind != nil {
					r.Entities = append(r.Entities, d.text(kind))
				}
			})
		case "eventGroupingSettings":
			d.object(v, nil, func(key string, v node) bool {
				if key == "aggregationKind" {
					r.Aggregation = d.enum(v, "SingleAlert", "AlertPerResult")
				}
				return true
			})
		case "incidentConfiguration":
			d.object(v, nil, func(key string, v node) bool {
				if key == "createIncident" {
					r.CreatesIncident = d.truth(v)
				}
				return true
			})
		case "alertDetailsOverride":
			d.object(v, nil, func(_ string, v node) bool {
				r.Overrides = r.Overrides || !v.empty()
				return true
			})
		}
		return true
	})
	return r
}

func decodeAutomationRule(d *decoder, n node) *AutomationRule {
	r := &AutomationRule{}
	r.Resource = d.resource(n, nil, func(key string, v node) bool {
		switch key {
		case "displayName":
			r.DisplayName = d.text(v)
		case "triggeringLogic":
			d.object(v, nil, func(key string, v node) bool {
				switch key {
				case "isEnabled":
					r.Enabled = d.truth(v)
				case "expirationTimeUtc":
					r.Expires = d.time(v)
				case "triggersOn":
					r.On = d.enum(v, "Incidents", "Alerts")
				case "triggersWhen":
					r.When = d.enum(v, "Created", "Updated")
				case "conditions":
					r.Conditions = list(d, v, decodeAutomationCondition)
				}
				return true
			})
		case "actions":
			d.array(v, func(v node) {
				d.object(v, nil, func(key string, v node) bool {
					if key == "actionConfiguration" {
						if status := v.get("status"); status != nil && strings.EqualFold(d.text(status), "Closed") {
							r.Closes = true
						}
					}
					return true
				})
			})
		}
		return true
	})
	return r
}

func decodeAutomationCondition(d *decoder, n node) AutomationCondition {
	var c AutomationCondition
	d.object(n, nil, func(key string, v node) bool {
		switch key {
		case "conditionType":
			c.Type = d.text(v)
		case "conditionProperties":
			d.object(v, nil, func(key string, v node) bool {
				switch key {
				case "propertyName":
					c.Property = d.text(v)
				case "operator":
					c.Operator = d.text(v)
				case "propertyValues":
					// A value may be empty, which whatever contains or begins with it does.
					d.array(v, func(v node) { c.Values = append(c.Values, d.text(v)) })
				}
				return true
			})
		}
		return true
	})
	return c
}
