package rule

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"glassward"
	"glassward/kql/diag"
)

// A Kind is how a rule is judged.
type Kind string

// NRT rules are judged on every committed batch, over exactly what is new.
// Scheduled rules are judged over windows of event time.
const (
	NRT       Kind = "NRT"
	Scheduled Kind = "Scheduled"
)

// An Operator compares the number of result rows with the threshold.
type Operator string

// The operators, as rule files write them.
const (
	GreaterThan Operator = "gt"
	LessThan    Operator = "lt"
	Equal       Operator = "eq"
	NotEqual    Operator = "ne"
)

// Met says whether a result of that many rows triggers.
func (o Operator) Met(rows, threshold int) bool {
	switch o {
	case LessThan:
		return rows < threshold
	case Equal:
		return rows == threshold
	case NotEqual:
		return rows != threshold
	}
	return rows > threshold
}

// A Grouping says what becomes of several result rows.
type Grouping string

// SingleAlert puts the rows of an evaluation into one alert, AlertPerResult
// makes an alert of each.
const (
	SingleAlert    Grouping = "SingleAlert"
	AlertPerResult Grouping = "AlertPerResult"
)

// A Rule is one Sentinel analytics rule as its file says it.
type Rule struct {
	// ID is the file's id, in lower case, or one derived from the name where the
	// file has none.
	ID          string
	Name        string
	Version     string
	Kind        Kind
	Description string
	Severity    glassward.Severity
	// Enabled is false where the file says enabled: false. Shipped rules are
	// always enabled.
	Enabled bool
	// Query is the KQL text as it stands in the file.
	Query string
	// Frequency and Period are zero for NRT rules.
	Frequency, Period time.Duration
	Operator          Operator
	Threshold         int
	Tactics           []string
	Techniques        []string
	Tags              []string
	// Tables are the data types that the file says it needs.
	Tables   []string
	Entities []EntityMapping
	Details  []CustomDetail
	Override Override
	Grouping Grouping
	// Suppression is how long a Scheduled rule stays quiet after an alert, zero
	// if it does not. Alerts of severity High and those that name an emergency
	// account come all the same.
	Suppression time.Duration
	Incident    IncidentConfiguration

	// File is the path by which the rule was read, Shipped whether it is part of
	// Glassward.
	File    string
	Shipped bool

	source   string // the file's text
	queryAt  diag.Span
	periodAt diag.Span
	place    queryPlace
	kindAt   diag.Span
}

// An EntityMapping makes an entity of columns of a result row.
type EntityMapping struct {
	Type   string
	Fields []FieldMapping
	at     diag.Span
}

// A FieldMapping gives one identifier of an entity the value of a column.
type FieldMapping struct {
	Identifier, Column string
	at                 diag.Span
}

// A CustomDetail shows the values of a column under a name.
type CustomDetail struct {
	Name, Column string
	at           diag.Span
}

// An Override takes parts of an alert from the first result row. Formats hold
// {{Column}} where a value goes.
type Override struct {
	Name, Description                string
	TacticsColumn, SeverityColumn    string
	Properties                       []CustomDetail
	nameAt, descriptionAt            diag.Span
	tacticsColumnAt, severityColumAt diag.Span
}

// An IncidentConfiguration says whether and how alerts become incidents.
type IncidentConfiguration struct {
	Create bool
	// Configured says that the file has a groupingConfiguration. Where it has none
	// alerts are grouped as with AllEntities.
	Configured           bool
	Grouping             bool
	Reopen               bool
	Lookback             time.Duration
	Matching             string
	GroupByEntities      []string
	GroupByAlertDetails  []string
	GroupByCustomDetails []string

	at         diag.Span // of groupingConfiguration
	entitiesAt diag.Span
	alertAt    diag.Span
	detailsAt  diag.Span
}

// grouping gives what alerts carry of it.
func (c *IncidentConfiguration) grouping() *glassward.IncidentGrouping {
	if !c.Configured {
		return nil
	}
	g := &glassward.IncidentGrouping{Enabled: c.Grouping, Matching: c.Matching, Lookback: c.Lookback, Reopen: c.Reopen}
	if c.Matching == "Selected" {
		g.Entities, g.AlertDetails, g.CustomDetails = c.GroupByEntities, c.GroupByAlertDetails, c.GroupByCustomDetails
	}
	return g
}

// QueryHash is the SHA-256 of the query's text, in hex.
func (r *Rule) QueryHash() string {
	sum := sha256.Sum256([]byte(r.Query))
	return hex.EncodeToString(sum[:])
}

// Origin is "shipped" or the rule's file.
func (r *Rule) Origin() string {
	if r.Shipped {
		return "shipped"
	}
	return r.File
}

// A Problem is what is wrong with one file, with places in its text.
type Problem struct {
	File   string
	Source string
	List   diag.List
}

// Error gives the first error with its place, or, if there is none, the first
// finding.
func (p *Problem) Error() string {
	if len(p.List) == 0 {
		return p.File + ": no findings"
	}
	first := p.List[0]
	if i := slices.IndexFunc(p.List, func(d diag.Diagnostic) bool { return d.Severity == diag.Error }); i >= 0 {
		first = p.List[i]
	}
	at := diag.Locate(p.Source, first.Span.Start)
	text := fmt.Sprintf("%s:%d:%d: %s: %s", p.File, at.Line, at.Column, first.Code, first.Message)
	if first.Hint != "" {
		text += " (" + first.Hint + ")"
	}
	return text
}

// Failed says whether an error is among the findings.
func (p *Problem) Failed() bool { return p.List.HasErrors() }

// Render writes the findings with the lines that they are about.
func (p *Problem) Render(w io.Writer) error { return diag.Render(w, p.File, p.Source, p.List) }

var (
	ruleFields = []string{
		"id", "name", "version", "kind", "description", "severity", "enabled", "status",
		"requiredDataConnectors", "queryFrequency", "queryPeriod", "triggerOperator", "triggerThreshold",
		"tactics", "relevantTechniques", "tags", "query", "entityMappings", "sentinelEntitiesMappings", "customDetails",
		"alertDetailsOverride", "eventGroupingSettings", "suppressionEnabled", "suppressionDuration",
		"incidentConfiguration", "metadata",
	}
	detailPattern  = regexp.MustCompile(`^[a-zA-Z]\w*$`)
	columnsPattern = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)
	operatorNames  = map[string]Operator{
		"gt": GreaterThan, "greaterthan": GreaterThan, "lt": LessThan, "lessthan": LessThan,
		"eq": Equal, "equal": Equal, "ne": NotEqual, "notequal": NotEqual,
	}
)

// Sentinel's bounds.
const (
	maxName        = 256
	maxDescription = 5000
	maxQuery       = 10_000
	maxMappings    = 10
	maxIdentifiers = 3
	maxDetails     = 20
	maxDetailName  = 20
	maxFormatCols  = 3
	minPeriod      = 5 * time.Minute // below it Sentinel refuses what we run
	maxPeriod      = 14 * 24 * time.Hour
)

// Parse reads a rule file. The rule is nil if the file has an error; the
// Problem is never nil and holds warnings too. Parse looks at the file alone:
// what needs the compiled query is said by Lint.
func Parse(file string, source []byte) (*Rule, *Problem) {
	d, body := openDocument(string(source))
	r := &Rule{
		Kind: Scheduled, Enabled: true, Operator: GreaterThan, Grouping: SingleAlert, File: file, source: d.src,
		Incident: IncidentConfiguration{Create: true, Matching: "AllEntities", Lookback: 5 * time.Hour},
	}
	if body != nil {
		d.rule(r, body)
	}
	d.diags.Sort()
	p := &Problem{File: file, Source: d.src, List: d.diags}
	if p.Failed() {
		return nil, p
	}
	return r, p
}

func (d *document) rule(r *Rule, body ast.Node) {
	switch body.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		d.diags.Errorf(codeYAML, d.span(body), "write name: value, one a line", "a rule file is a mapping")
		return
	}
	seen := map[string]entry{}
	suppress := false
	for _, e := range d.mapping(body, "the rule", ruleFields) {
		seen[e.key] = e
		switch e.key {
		case "id":
			r.ID = strings.ToLower(d.text(e.value, e.key))
			if !glassward.IsGUID(r.ID) {
				d.diags.Errorf(codeValue, d.span(e.value), "make one with uuidgen", "id must be a GUID, not %q", r.ID)
			}
		case "name":
			r.Name = strings.TrimSpace(d.text(e.value, e.key))
			d.atMost(e, r.Name, maxName)
		case "version":
			r.Version = d.text(e.value, e.key)
		case "kind":
			r.kindAt = d.span(e.value)
			switch k := d.text(e.value, e.key); Kind(k) {
			case NRT, Scheduled:
				r.Kind = Kind(k)
			default:
				d.diags.Errorf(codeValue, r.kindAt, hintFor(k, []string{"NRT", "Scheduled"}), "unknown kind %q", k)
			}
		case "description":
			r.Description = strings.TrimSpace(d.text(e.value, e.key))
			d.atMost(e, r.Description, maxDescription)
		case "severity":
			s := d.text(e.value, e.key)
			v, err := glassward.ParseSeverity(s)
			if err != nil || strings.HasPrefix(strings.ToLower(s), "sev") {
				d.diags.Errorf(codeValue, d.span(e.value), "use Informational, Low, Medium or High", "unknown severity %q", s)
			}
			r.Severity = v
		case "enabled":
			r.Enabled = d.boolean(e.value, e.key)
		case "status":
			d.text(e.value, e.key)
		case "requiredDataConnectors":
			for _, c := range d.sequence(e.value, e.key) {
				for _, f := range d.mapping(c, "requiredDataConnectors", []string{"connectorId", "dataTypes", "datatypes"}) {
					if f.key == "connectorId" {
						d.text(f.value, f.key)
					} else {
						r.Tables = append(r.Tables, d.texts(f.value, f.key)...)
					}
				}
			}
		case "queryFrequency":
			r.Frequency = d.duration(e, time.Minute, maxPeriod)
		case "queryPeriod":
			r.Period, r.periodAt = d.duration(e, time.Minute, maxPeriod), d.span(e.value)
		case "triggerOperator":
			s := d.text(e.value, e.key)
			op, ok := operatorNames[strings.ToLower(s)]
			if !ok {
				d.diags.Errorf(codeValue, d.span(e.value), "use gt, lt, eq or ne (or GreaterThan, LessThan, Equal, NotEqual)", "unknown triggerOperator %q", s)
			}
			r.Operator = op
		case "triggerThreshold":
			r.Threshold = d.integer(e.value, e.key, 0, 10_000)
		case "tactics":
			r.Tactics = d.texts(e.value, e.key)
		case "relevantTechniques":
			r.Techniques = d.texts(e.value, e.key)
		case "tags":
			d.tags(r, e)
		case "query":
			d.query(r, e)
		case "entityMappings":
			d.entities(r, e)
		case "sentinelEntitiesMappings":
			for _, m := range d.sequence(e.value, e.key) {
				for _, f := range d.mapping(m, e.key, []string{"columnName"}) {
					d.text(f.value, f.key)
					d.diags.Warnf(codeIgnored, f.at, "map the entities with entityMappings", "sentinelEntitiesMappings has no effect here")
				}
			}
		case "customDetails":
			d.details(r, e)
		case "alertDetailsOverride":
			d.override(r, e)
		case "eventGroupingSettings":
			d.grouping(r, e)
		case "suppressionEnabled":
			suppress = d.boolean(e.value, e.key)
		case "suppressionDuration":
			r.Suppression = d.duration(e, time.Minute, 24*time.Hour)
		case "incidentConfiguration":
			d.incident(r, e)
		case "metadata":
			d.mapping(e.value, e.key, nil)
		}
	}
	d.require(r, seen)
	d.matching(r)
	if !suppress {
		r.Suppression = 0
	} else if r.Suppression == 0 {
		r.Suppression = 5 * time.Hour // Sentinel's default
	}
	if suppress && r.Kind == NRT {
		d.diags.Warnf(codeIgnored, seen["suppressionEnabled"].at, "remove it; an alert that repeats joins its incident without paging again",
			"an NRT rule is never suppressed: it would lose events")
		r.Suppression = 0
	} else if suppress && r.Severity == glassward.High && r.Override.SeverityColumn == "" {
		d.diags.Warnf(codeIgnored, seen["suppressionEnabled"].at, "remove it, or lower the severity; an alert that repeats joins its incident without paging again",
			"an alert of severity High is never suppressed")
	}
	if r.ID == "" && r.Name != "" {
		r.ID = derivedID(r.Name)
	}
}

// require reports fields that are missing and fields that do not go together.
func (d *document) require(r *Rule, seen map[string]entry) {
	missing := func(field, hint string) {
		if _, ok := seen[field]; !ok {
			d.diags.Errorf(codeMissing, diag.At(0, 0), hint, "the field %s is missing", field)
		}
	}
	missing("name", "")
	missing("kind", "write kind: Scheduled or kind: NRT; a hunting query without kind is no rule")
	missing("severity", "use Informational, Low, Medium or High")
	missing("query", "")
	if e, ok := seen["name"]; ok && r.Name == "" {
		d.diags.Errorf(codeMissing, e.at, "", "the name is empty")
	}
	schedule := []string{"queryFrequency", "queryPeriod", "triggerOperator", "triggerThreshold"}
	if r.Kind == NRT {
		for _, f := range schedule {
			if e, ok := seen[f]; ok {
				d.diags.Warnf(codeIgnored, e.at, "remove it, or write kind: Scheduled", "%s has no effect on an NRT rule", f)
			}
		}
		r.Frequency, r.Period, r.Operator, r.Threshold = 0, 0, GreaterThan, 0
		return
	}
	if _, ok := seen["kind"]; !ok {
		return
	}
	for _, f := range schedule[:2] {
		missing(f, "a Scheduled rule needs queryFrequency and queryPeriod, such as 5m and 1h")
	}
	if r.Frequency == 0 || r.Period == 0 {
		return
	}
	at := seen["queryFrequency"]
	switch {
	case r.Period < r.Frequency:
		d.diags.Errorf(codeValue, d.span(seen["queryPeriod"].value), "make queryPeriod at least as long as queryFrequency",
			"queryPeriod %s is shorter than queryFrequency %s: events in between would never be judged", formatDuration(r.Period), formatDuration(r.Frequency))
	case r.Frequency%time.Minute != 0:
		d.diags.Errorf(codeValue, d.span(at.value), "", "queryFrequency must be whole minutes")
	case r.Frequency < minPeriod:
		d.diags.Warnf(codeLimit, d.span(at.value), "", "Sentinel refuses a queryFrequency below 5m; it works here")
	}
	if r.Period >= r.Frequency && r.Period < minPeriod {
		d.diags.Warnf(codeLimit, d.span(seen["queryPeriod"].value), "", "Sentinel refuses a queryPeriod below 5m; it works here")
	}
}

func (d *document) atMost(e entry, text string, limit int) {
	if n := utf8.RuneCountInString(text); n > limit {
		d.diags.Errorf(codeLimit, d.span(e.value), "", "%s has %d characters, at most %d are allowed", e.key, n, limit)
	}
}

func (d *document) duration(e entry, low, high time.Duration) time.Duration {
	v, err := ParseDuration(d.text(e.value, e.key))
	switch {
	case err != nil:
		d.diags.Errorf(codeValue, d.span(e.value), "", "%s: %v", e.key, err)
	case v < low || v > high:
		d.diags.Errorf(codeValue, d.span(e.value), "", "%s must be from %s to %s", e.key, formatDuration(low), formatDuration(high))
	default:
		return v
	}
	return 0
}

// tags are texts, or mappings of Schema and SchemaVersion as published rules
// have them.
func (d *document) tags(r *Rule, e entry) {
	for _, n := range d.sequence(e.value, e.key) {
		switch n.(type) {
		case *ast.MappingNode, *ast.MappingValueNode:
			for _, f := range d.mapping(n, e.key, nil) {
				r.Tags = append(r.Tags, f.key+": "+d.text(f.value, f.key))
			}
		default:
			r.Tags = append(r.Tags, d.text(n, e.key))
		}
	}
}

func (d *document) query(r *Rule, e entry) {
	r.Query = d.text(e.value, e.key)
	r.queryAt = d.span(e.value)
	r.place = d.locateQuery(e.value, r.Query)
	switch n := utf8.RuneCountInString(r.Query); {
	case strings.TrimSpace(r.Query) == "":
		d.diags.Errorf(codeMissing, e.at, "", "the query is empty")
	case n > maxQuery:
		d.diags.Warnf(codeLimit, r.queryAt, "", "the query has %d characters; Sentinel refuses more than %d", n, maxQuery)
	}
}

func (d *document) entities(r *Rule, e entry) {
	types := slices.Sorted(maps.Keys(entityIdentifiers))
	for _, n := range d.sequence(e.value, e.key) {
		m := EntityMapping{at: d.span(n)}
		fields := d.mapping(n, "an entity mapping", []string{"entityType", "fieldMappings"})
		for _, f := range fields {
			if f.key == "entityType" {
				m.Type = d.text(f.value, f.key)
				if _, ok := entityIdentifiers[m.Type]; !ok {
					d.diags.Errorf(codeEntity, d.span(f.value), hintFor(m.Type, types), "unknown entityType %q", m.Type)
				}
			}
		}
		for _, f := range fields {
			if f.key == "fieldMappings" {
				for _, v := range d.sequence(f.value, f.key) {
					m.Fields = append(m.Fields, d.fieldMapping(m.Type, v))
				}
			}
		}
		switch known := entityIdentifiers[m.Type]; {
		case m.Type == "":
			d.diags.Errorf(codeMissing, m.at, "", "the entity mapping has no entityType")
		case known == nil: // said above
		case len(m.Fields) == 0:
			d.diags.Errorf(codeMissing, m.at, "", "the entity mapping has no fieldMappings")
		case len(m.Fields) > maxIdentifiers:
			d.diags.Errorf(codeLimit, m.at, "", "the entity mapping has %d identifiers, at most %d are allowed", len(m.Fields), maxIdentifiers)
		case needed[m.Type] != nil && !slices.ContainsFunc(m.Fields, func(f FieldMapping) bool { return slices.Contains(needed[m.Type], f.Identifier) }):
			d.diags.Errorf(codeEntity, m.at, "", "the mapping names no %s: it needs one of %s", m.Type, strings.Join(needed[m.Type], ", "))
		}
		r.Entities = append(r.Entities, m)
	}
	if n := len(r.Entities); n > maxMappings {
		d.diags.Errorf(codeLimit, e.at, "", "%d entity mappings, at most %d are allowed", n, maxMappings)
	}
}

func (d *document) fieldMapping(entity string, n ast.Node) FieldMapping {
	f := FieldMapping{at: d.span(n)}
	for _, e := range d.mapping(n, "a field mapping", []string{"identifier", "columnName"}) {
		switch e.key {
		case "identifier":
			f.Identifier = d.text(e.value, e.key)
			known := entityIdentifiers[entity]
			if known != nil && !slices.Contains(known, f.Identifier) {
				d.diags.Errorf(codeEntity, d.span(e.value), hintFor(f.Identifier, known), "%s has no identifier %q", entity, f.Identifier)
			}
		case "columnName":
			f.Column, f.at = d.text(e.value, e.key), d.span(e.value)
		}
	}
	if f.Identifier == "" || f.Column == "" {
		d.diags.Errorf(codeMissing, f.at, "", "a field mapping needs identifier and columnName")
	}
	return f
}

func (d *document) details(r *Rule, e entry) {
	for _, f := range d.mapping(e.value, e.key, nil) {
		c := CustomDetail{Name: f.key, Column: d.text(f.value, f.key), at: d.span(f.value)}
		if !detailPattern.MatchString(c.Name) || len(c.Name) > maxDetailName {
			d.diags.Errorf(codeLimit, f.at, "", "the name %q must begin with a letter, go on with letters, digits and _, and have at most %d characters", c.Name, maxDetailName)
		}
		if c.Column == "" {
			d.diags.Errorf(codeMissing, f.at, "", "the detail %s names no column", c.Name)
		}
		r.Details = append(r.Details, c)
	}
	if n := len(r.Details); n > maxDetails {
		d.diags.Errorf(codeLimit, e.at, "", "%d custom details, at most %d are allowed", n, maxDetails)
	}
}

func (d *document) override(r *Rule, e entry) {
	known := []string{"alertDisplayNameFormat", "alertDescriptionFormat", "alertTacticsColumnName", "alertSeverityColumnName", "alertDynamicProperties"}
	o := &r.Override
	for _, f := range d.mapping(e.value, e.key, known) {
		switch f.key {
		case "alertDisplayNameFormat":
			o.Name, o.nameAt = d.text(f.value, f.key), d.span(f.value)
			d.format(f, o.Name, 256)
		case "alertDescriptionFormat":
			o.Description, o.descriptionAt = strings.TrimSpace(d.text(f.value, f.key)), d.span(f.value)
			d.format(f, o.Description, 5000)
		case "alertTacticsColumnName":
			o.TacticsColumn, o.tacticsColumnAt = d.text(f.value, f.key), d.span(f.value)
		case "alertSeverityColumnName":
			o.SeverityColumn, o.severityColumAt = d.text(f.value, f.key), d.span(f.value)
		case "alertDynamicProperties":
			for _, n := range d.sequence(f.value, f.key) {
				p := CustomDetail{at: d.span(n)}
				for _, g := range d.mapping(n, f.key, []string{"alertProperty", "value"}) {
					if g.key == "alertProperty" {
						p.Name = d.text(g.value, g.key)
					} else {
						p.Column, p.at = d.text(g.value, g.key), d.span(g.value)
					}
				}
				o.Properties = append(o.Properties, p)
			}
		}
	}
}

func (d *document) format(e entry, text string, limit int) {
	if len(text) > limit {
		d.diags.Errorf(codeLimit, d.span(e.value), "", "%s has %d bytes, at most %d are allowed", e.key, len(text), limit)
	}
	if n := len(columnsPattern.FindAllString(text, -1)); n > maxFormatCols {
		d.diags.Warnf(codeLimit, d.span(e.value), "", "%s has %d columns; Sentinel refuses more than %d", e.key, n, maxFormatCols)
	}
}

func (d *document) grouping(r *Rule, e entry) {
	for _, f := range d.mapping(e.value, e.key, []string{"aggregationKind"}) {
		s := d.text(f.value, f.key)
		switch {
		case strings.EqualFold(s, string(SingleAlert)):
			r.Grouping = SingleAlert
		case strings.EqualFold(s, string(AlertPerResult)):
			r.Grouping = AlertPerResult
		default:
			d.diags.Errorf(codeValue, d.span(f.value), hintFor(s, []string{"SingleAlert", "AlertPerResult"}), "unknown aggregationKind %q", s)
		}
	}
}

func (d *document) incident(r *Rule, e entry) {
	c := &r.Incident
	for _, f := range d.mapping(e.value, e.key, []string{"createIncident", "groupingConfiguration"}) {
		if f.key == "createIncident" {
			c.Create = d.boolean(f.value, f.key)
			continue
		}
		c.Configured, c.at = true, f.at
		known := []string{"enabled", "reopenClosedIncident", "lookbackDuration", "matchingMethod", "groupByEntities", "groupByAlertDetails", "groupByCustomDetails"}
		for _, g := range d.mapping(f.value, f.key, known) {
			switch g.key {
			case "enabled":
				c.Grouping = d.boolean(g.value, g.key)
			case "reopenClosedIncident":
				c.Reopen = d.boolean(g.value, g.key)
			case "lookbackDuration":
				c.Lookback = d.duration(g, 5*time.Minute, 7*24*time.Hour)
			case "matchingMethod":
				c.Matching = d.text(g.value, g.key)
				if known := []string{"AllEntities", "AnyAlert", "Selected"}; !slices.Contains(known, c.Matching) {
					d.diags.Errorf(codeValue, d.span(g.value), hintFor(c.Matching, known), "unknown matchingMethod %q", c.Matching)
				}
			case "groupByEntities":
				c.GroupByEntities, c.entitiesAt = d.texts(g.value, g.key), d.span(g.value)
			case "groupByAlertDetails":
				c.GroupByAlertDetails, c.alertAt = d.texts(g.value, g.key), d.span(g.value)
			case "groupByCustomDetails":
				c.GroupByCustomDetails, c.detailsAt = d.texts(g.value, g.key), d.span(g.value)
			}
		}
	}
}

// matching holds what incidents are grouped by against what alerts of the rule
// have.
func (d *document) matching(r *Rule) {
	c := &r.Incident
	for _, t := range c.GroupByEntities {
		if _, ok := entityIdentifiers[t]; !ok {
			d.diags.Errorf(codeEntity, c.entitiesAt, hintFor(t, slices.Sorted(maps.Keys(entityIdentifiers))), "unknown entity type %q", t)
		} else if !slices.ContainsFunc(r.Entities, func(m EntityMapping) bool { return m.Type == t }) {
			d.diags.Warnf(codeMatching, c.entitiesAt, "map it in entityMappings, or leave it out", "incidents are grouped by %s, and alerts of the rule have no such entity", t)
		}
	}
	for _, t := range c.GroupByAlertDetails {
		if known := []string{"DisplayName", "Severity"}; !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, t) }) {
			d.diags.Errorf(codeValue, c.alertAt, "use DisplayName or Severity", "unknown alert detail %q", t)
		}
	}
	for _, t := range c.GroupByCustomDetails {
		if !slices.ContainsFunc(r.Details, func(x CustomDetail) bool { return x.Name == t }) {
			d.diags.Warnf(codeMatching, c.detailsAt, "name it in customDetails, or leave it out", "incidents are grouped by the detail %s, and alerts of the rule have no such detail", t)
		}
	}
	selects := len(c.GroupByEntities)+len(c.GroupByAlertDetails)+len(c.GroupByCustomDetails) > 0
	switch {
	case c.Matching == "Selected" && !selects:
		d.diags.Warnf(codeMatching, c.at, "name something in groupByEntities, groupByAlertDetails or groupByCustomDetails, or write matchingMethod: AnyAlert",
			"matchingMethod is Selected and nothing is selected: all alerts of the rule share an incident")
	case c.Matching != "Selected" && selects:
		d.diags.Warnf(codeIgnored, c.at, "write matchingMethod: Selected, or leave them out", "what incidents are grouped by has no effect with matchingMethod %s", c.Matching)
	}
}

// derivedID gives a rule without id one that stays as long as its name does.
func derivedID(name string) string {
	sum := sha256.Sum256([]byte("rule\x00" + foldName(name)))
	var id glassward.RecordID
	copy(id[:], sum[:])
	return id.String()
}

// foldName makes names that a person reads as the same equal.
func foldName(name string) string {
	return strings.ToLower(strings.Join(strings.Fields(name), " "))
}

// Source gives the text of the rule's file, which the places of findings are
// about.
func (r *Rule) Source() string { return r.source }
