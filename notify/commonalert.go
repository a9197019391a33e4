package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"glassward"
)

// maxBody is the size that Azure Monitor bounds a webhook's body to.
const maxBody = 256 << 10

// The common alert schema, monitoring service "Log Alerts V2". Names, types and
// what may be missing are Microsoft's: "threshold" is a string, "metricValue" a
// number or null, "targetResourceTypes" a string that looks like a list,
// "alertContext.properties" null or an object of strings.
type (
	alertEnvelope struct {
		SchemaID string    `json:"schemaId"`
		Data     alertData `json:"data"`
	}
	alertData struct {
		Essentials       essentials        `json:"essentials"`
		AlertContext     alertContext      `json:"alertContext"`
		CustomProperties map[string]string `json:"customProperties"`
	}
	essentials struct {
		AlertID             string   `json:"alertId"`
		AlertRule           string   `json:"alertRule"`
		AlertRuleID         string   `json:"alertRuleID,omitempty"`
		Severity            string   `json:"severity"`
		SignalType          string   `json:"signalType"`
		MonitorCondition    string   `json:"monitorCondition"`
		MonitoringService   string   `json:"monitoringService"`
		AlertTargetIDs      []string `json:"alertTargetIDs"`
		ConfigurationItems  []string `json:"configurationItems"`
		OriginAlertID       string   `json:"originAlertId"`
		FiredDateTime       string   `json:"firedDateTime"`
		ResolvedDateTime    string   `json:"resolvedDateTime,omitempty"`
		Description         string   `json:"description"`
		EssentialsVersion   string   `json:"essentialsVersion"`
		AlertContextVersion string   `json:"alertContextVersion"`
		TargetResourceType  string   `json:"targetResourceType,omitempty"`
		TargetResourceGroup string   `json:"targetResourceGroup,omitempty"`
		InvestigationLink   string   `json:"investigationLink,omitempty"`
	}
	alertContext struct {
		Properties    map[string]string `json:"properties"`
		ConditionType string            `json:"conditionType"`
		Condition     condition         `json:"condition"`
	}
	condition struct {
		WindowSize      string      `json:"windowSize"`
		AllOf           []criterion `json:"allOf"`
		WindowStartTime string      `json:"windowStartTime"`
		WindowEndTime   string      `json:"windowEndTime"`
	}
	criterion struct {
		SearchQuery                    string         `json:"searchQuery"`
		MetricMeasureColumn            *string        `json:"metricMeasureColumn"`
		TargetResourceTypes            string         `json:"targetResourceTypes"`
		Operator                       string         `json:"operator"`
		Threshold                      string         `json:"threshold"`
		TimeAggregation                string         `json:"timeAggregation"`
		Dimensions                     []dimension    `json:"dimensions"`
		MetricValue                    *int           `json:"metricValue"`
		FailingPeriods                 failingPeriods `json:"failingPeriods"`
		LinkToSearchResultsUI          string         `json:"linkToSearchResultsUI"`
		LinkToFilteredSearchResultsUI  string         `json:"linkToFilteredSearchResultsUI"`
		LinkToSearchResultsAPI         string         `json:"linkToSearchResultsAPI"`
		LinkToFilteredSearchResultsAPI string         `json:"linkToFilteredSearchResultsAPI"`
	}
	dimension struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	failingPeriods struct {
		NumberOfEvaluationPeriods int `json:"numberOfEvaluationPeriods"`
		MinFailingPeriodsToAlert  int `json:"minFailingPeriodsToAlert"`
	}
)

// Bounds of single fields; the body's own bound is checked in the end.
const (
	maxDescription = 8000
	maxProperty    = 1000
	maxDimensions  = 10 // Azure: at most 6 are split on
	maxQuery       = 32 << 10
)

// commonAlert gives the body of a webhook call, at most 256 KB. As in Azure it
// does not hold the result rows; alertContext.properties say what a person
// would want to know first.
func commonAlert(m Message) ([]byte, error) {
	e := envelope(m)
	body, err := encodeJSON(e)
	if err == nil && len(body) > maxBody {
		// What is left out can be looked up by the rule's and the alert's id.
		c := &e.Data.AlertContext.Condition.AllOf[0]
		c.SearchQuery, c.Dimensions = "", []dimension{}
		e.Data.AlertContext.Properties = map[string]string{"noticeId": string(m.Notice.ID), "truncated": "true"}
		e.Data.CustomProperties = e.Data.AlertContext.Properties
		e.Data.Essentials.Description = clip(e.Data.Essentials.Description, maxProperty)
		body, err = encodeJSON(e)
	}
	if err != nil {
		return nil, fmt.Errorf("encode the common alert: %w", err)
	}
	return body, nil
}

func envelope(m Message) alertEnvelope {
	a := m.alert()
	props := properties(m, a)
	workspace := "/subscriptions/" + clip(m.Notice.Tenant, 64) + "/resourcegroups/glassward/providers/microsoft.operationalinsights/workspaces/" + clip(m.Notice.Tenant, 64)
	id := string(m.Notice.ID)
	es := essentials{
		AlertRule:        clip(title(m), maxProperty),
		Severity:         m.Notice.Severity.Sev(),
		SignalType:       "Log",
		MonitorCondition: "Fired", MonitoringService: "Log Alerts V2",
		AlertTargetIDs: []string{workspace}, ConfigurationItems: []string{clip(m.Notice.Tenant, 64)},
		FiredDateTime:     stamp(m.Notice.Created),
		Description:       clip(strings.TrimSpace(m.Notice.Why+"\n"+m.Notice.Text), maxDescription), // a storm's notice lists what it stands for
		EssentialsVersion: "1.0", AlertContextVersion: "1.0",
		TargetResourceType: "microsoft.operationalinsights/workspaces", TargetResourceGroup: "glassward",
		InvestigationLink: m.Link,
	}
	c := criterion{
		TargetResourceTypes: "['Microsoft.OperationalInsights/workspaces']",
		Operator:            "GreaterThan", Threshold: "0", TimeAggregation: "Count",
		Dimensions:            []dimension{},
		FailingPeriods:        failingPeriods{1, 1},
		LinkToSearchResultsUI: m.Link, LinkToFilteredSearchResultsUI: m.Link,
	}
	start, end := m.Notice.Created, m.Notice.Created
	window := m.Rule.Period
	if a != nil {
		id = string(a.ID)
		es.AlertRule = clip(a.RuleName, maxProperty)
		es.AlertRuleID = "/subscriptions/" + clip(a.Tenant, 64) + "/resourceGroups/glassward/providers/Microsoft.Insights/scheduledQueryRules/" + clip(a.RuleID, 128)
		es.FiredDateTime = stamp(a.Judged)
		if a.Description != "" {
			es.Description = clip(a.Description, maxDescription)
		}
		c.SearchQuery = clip(m.Rule.Query, maxQuery)
		c.Dimensions = dimensions(*a)
		n := max(a.RowCount, len(a.Rows))
		c.MetricValue = &n
		start, end = a.Start, a.End
		if window > 0 {
			start = end.Add(-window)
		}
	}
	if m.Notice.Kind == "closed" {
		es.MonitorCondition = "Resolved"
		resolved := m.Notice.Created
		if m.Incident != nil && !m.Incident.Closed.IsZero() {
			resolved = m.Incident.Closed
		}
		es.ResolvedDateTime = stamp(resolved)
	}
	if window == 0 {
		window = max(end.Sub(start), time.Minute)
	}
	es.OriginAlertID = guid(id)
	es.AlertID = "/subscriptions/" + clip(m.Notice.Tenant, 64) + "/providers/Microsoft.AlertsManagement/alerts/" + es.OriginAlertID
	return alertEnvelope{
		SchemaID: "azureMonitorCommonAlertSchema",
		Data: alertData{
			Essentials: es,
			AlertContext: alertContext{
				Properties: props, ConditionType: "LogQueryCriteria",
				Condition: condition{
					WindowSize: isoDuration(window), AllOf: []criterion{c},
					WindowStartTime: seconds(start), WindowEndTime: seconds(end),
				},
			},
			CustomProperties: props,
		},
	}
}

// properties are our own words to the alert: by which notice it came, why now,
// and the facts as the mail gives them.
func properties(m Message, a *glassward.Alert) map[string]string {
	p := map[string]string{}
	add := func(k, v string) {
		if v != "" {
			p[k] = clip(v, maxProperty)
		}
	}
	add("noticeId", string(m.Notice.ID))
	add("kind", m.Notice.Kind)
	add("why", m.Notice.Why)
	add("tenant", m.Notice.Tenant)
	add("actionGroup", m.Group)
	add("journalHead", m.Head)
	if m.Notice.Incident != 0 {
		add("incidentNumber", fmt.Sprint(m.Notice.Incident))
	}
	if m.Incident != nil {
		add("incidentTitle", m.Incident.Title)
		add("incidentStatus", string(m.Incident.Status))
		add("incidentOwner", m.Incident.Owner)
		add("incidentAlerts", fmt.Sprint(len(m.Incident.Alerts)))
	}
	if a == nil {
		return p
	}
	add("alertId", string(a.ID))
	add("title", a.Title)
	add("ruleVersion", a.RuleVersion)
	add("queryHash", a.QueryHash)
	add("tactics", strings.Join(a.Tactics, ", "))
	add("eventTime", stamp(a.End))
	add("receivedTime", stamp(a.Received))
	add("judgedTime", stamp(a.Judged))
	add("lag", lag(*a))
	if a.Late {
		add("late", "true")
	}
	for _, f := range facts(*a) {
		add(camel(f.Label), f.Value)
	}
	for _, f := range Around(*a) {
		add(aroundNames[f.Label], f.Value)
	}
	return p
}

// camel makes a label a property's name: "Conditional Access" → conditionalAccess.
func camel(label string) string {
	s := strings.ReplaceAll(label, " ", "")
	return strings.ToLower(s[:1]) + s[1:]
}

// dimensions are the entities' identifiers, as a rule that splits by them would
// give.
func dimensions(a glassward.Alert) []dimension {
	out := []dimension{}
	add := func(name, value string) {
		if value != "" && len(out) < maxDimensions {
			out = append(out, dimension{name, clip(value, maxProperty)})
		}
	}
	for _, e := range a.Entities {
		switch id := e.Identifiers; e.Type {
		case "Account":
			upn := id["FullName"]
			if upn == "" && id["Name"] != "" && id["UPNSuffix"] != "" {
				upn = id["Name"] + "@" + id["UPNSuffix"]
			}
			add("UserPrincipalName", upn)
			add("UserId", id["AadUserId"])
		case "IP":
			add("IPAddress", id["Address"])
		case "CloudApplication":
			add("AppDisplayName", id["Name"])
			add("AppId", id["AppId"])
		}
	}
	return out
}

// stamp and seconds write times as the schema's samples do.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func seconds(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// isoDuration writes a duration as ISO 8601 does, PT10M, P1D, PT1H30M5S.
func isoDuration(d time.Duration) string {
	d = d.Round(time.Second)
	if d >= 24*time.Hour && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("P%dD", d/(24*time.Hour))
	}
	s := "PT"
	if h := d / time.Hour; h > 0 {
		s += fmt.Sprintf("%dH", h)
	}
	if m := d % time.Hour / time.Minute; m > 0 {
		s += fmt.Sprintf("%dM", m)
	}
	if sec := d % time.Minute / time.Second; sec > 0 || s == "PT" {
		s += fmt.Sprintf("%dS", sec)
	}
	return s
}

// guid gives an id in the form of a GUID: its own 32 hex digits if it is made of
// them, else the first half of its SHA-256. Consumers parse it;
// alertContext.properties hold the id as it is.
func guid(id string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(b) != 16 {
		sum := sha256.Sum256([]byte(id))
		b = sum[:16]
	}
	return glassward.RecordID(b).String()
}
