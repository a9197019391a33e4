package rule

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
)

// Sentinel's bounds on alerts.
const (
	maxAlerts       = 150 // alerts of one evaluation; the last holds the rest
	maxRows         = 150
	maxEntities     = 500
	maxDetailValues = 50
	maxTitle        = 256
	maxText         = 5000
)

// restGroup is the group of the alert that holds the rows beyond maxAlerts.
const restGroup = "rest"

// A stamp is when the event of a record was, and when we got it.
type stamp struct {
	time     value.Ticks
	received time.Time
}

// A row is a result row with what caused it.
type row struct {
	cells    []string
	records  []glassward.RecordID // by event time, then id
	overflow bool
	first    value.Ticks // event time of the first record
}

// A frame is what rows were looked for in: a window, or a stretch of sequence
// numbers (from and to are then the events' times).
type frame struct {
	from, to value.Ticks
	late     bool                            // the window had been closed
	again    func([]glassward.RecordID) bool // whether one of the records came again: a row that differs is news
	state    *state                          // what will be committed with the rows' alerts
}

// verdicts collects the changes of one outcome, one for each alert.
type verdicts struct {
	engine  *Engine
	judge   *judge
	changes []*Change
	byID    map[glassward.AlertID]*Change
	holders map[heldBy]glassward.AlertID
}

type heldBy struct {
	group  string
	record glassward.RecordID
}

func newVerdicts(e *Engine, j *judge) *verdicts {
	return &verdicts{engine: e, judge: j, byID: map[glassward.AlertID]*Change{}, holders: map[heldBy]glassward.AlertID{}}
}

// list gives the changes with their records in order.
func (v *verdicts) list() []Change {
	out := make([]Change, 0, len(v.changes))
	for _, c := range v.changes {
		sortRecords(c.Alert.Records)
		sortRecords(c.NewRecords)
		out = append(out, *c)
	}
	return out
}

// rows makes rows of a result. stamps gives the times of the records in it.
func (v *verdicts) rows(res *kql.Result, stamps map[glassward.RecordID]stamp, f frame) ([]row, error) {
	out := make([]row, 0, len(res.Rows))
	for i, cells := range res.Rows {
		r := row{cells: make([]string, len(res.Columns))}
		for c, col := range res.Columns {
			if c < len(cells) {
				r.cells[c] = cellText(cells[c], col.Type)
			}
		}
		if i < len(res.Lineage) {
			for _, text := range res.Lineage[i] {
				id, err := parseRecordID(text)
				if err != nil {
					return nil, err
				}
				r.records = append(r.records, id)
			}
		}
		r.overflow = i < len(res.LineageOverflow) && res.LineageOverflow[i]
		orderRecords(r.records, stamps)
		r.records = slices.Compact(r.records)
		r.first = f.to
		if len(r.records) > 0 {
			r.first = stamps[r.records[0]].time
		}
		out = append(out, r)
	}
	// The engine may give rows in any order; the alerts must not depend on it.
	slices.SortStableFunc(out, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.first, b.first), slices.CompareFunc(a.records, b.records, compareRecords), slices.Compare(a.cells, b.cells))
	})
	return out, nil
}

// find turns the rows of one frame into changes and gives the alerts that they
// belong to. silence gives the alert that a silence in a group continues.
func (v *verdicts) find(ctx context.Context, rows []row, columns []string, stamps map[glassward.RecordID]stamp, f frame, silence func(group string) (glassward.AlertID, bool)) ([]sighting, error) {
	groups, err := v.group(ctx, rows, columns)
	if err != nil {
		return nil, err
	}
	var found []sighting
	for _, g := range groups {
		s, err := v.place(ctx, g, columns, stamps, f, silence)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(found, func(x sighting) bool { return x.alert == s.alert }) {
			found = append(found, s)
		}
	}
	return found, nil
}

// A groupOfRows becomes one alert, or joins one.
type groupOfRows struct {
	name string
	// whole groups are one alert by their name, whatever records they hold.
	whole bool
	rows  []row
}

// group divides the rows into what becomes one alert each.
func (v *verdicts) group(ctx context.Context, rows []row, columns []string) ([]groupOfRows, error) {
	j := v.judge
	switch {
	case j.rule.Grouping == SingleAlert && j.nrt:
		// How records fall into batches is chance. One alert a minute of event
		// time is what Sentinel's run of a minute gives, and does not depend on it.
		var out []groupOfRows
		for _, r := range rows {
			name := "minute " + (r.first - r.first%value.Ticks(time.Minute/100)).Time().Format("2006-01-02T15:04Z")
			i := slices.IndexFunc(out, func(g groupOfRows) bool { return g.name == name })
			if i < 0 {
				i = len(out)
				out = append(out, groupOfRows{name: name, whole: true})
			}
			out[i].rows = append(out[i].rows, r)
		}
		return out, nil
	case j.rule.Grouping == SingleAlert, len(rows) == 0:
		return []groupOfRows{{rows: rows}}, nil
	}
	var out []groupOfRows
	rest := groupOfRows{name: restGroup}
	crowded, err := v.held(ctx, restGroup, rows)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		known := len(r.records) > 0 && !slices.ContainsFunc(r.records, func(id glassward.RecordID) bool { _, ok := crowded[id]; return !ok })
		if known || len(out) == maxAlerts-1 && len(rows) > maxAlerts {
			rest.rows = append(rest.rows, r)
			continue
		}
		out = append(out, groupOfRows{name: j.subject(r, columns), rows: []row{r}})
	}
	if len(rest.rows) > 0 {
		out = append(out, rest)
	}
	return out, nil
}

// subject names what a row is about: the first identifier of the rule's first
// entity mapping. Rows about different subjects never extend each other's
// alerts, even if the same record caused them.
func (j *judge) subject(r row, columns []string) string {
	if len(j.rule.Entities) == 0 || len(j.rule.Entities[0].Fields) == 0 {
		return ""
	}
	m := j.rule.Entities[0]
	i := slices.Index(columns, m.Fields[0].Column)
	if i < 0 || r.cells[i] == "" {
		return ""
	}
	return m.Type + " " + strings.ToLower(r.cells[i])
}

// held gives the alerts of a group that hold records of the rows, those of this
// outcome included.
func (v *verdicts) held(ctx context.Context, group string, rows []row) (map[glassward.RecordID]glassward.AlertID, error) {
	var ids []glassward.RecordID
	out := map[glassward.RecordID]glassward.AlertID{}
	for _, r := range rows {
		for _, id := range r.records {
			if a, ok := v.holders[heldBy{group, id}]; ok {
				out[id] = a
			} else {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return out, nil
	}
	sortRecords(ids)
	ids = slices.Compact(ids)
	known, err := v.engine.options.Memory.AlertsByRecords(ctx, v.engine.options.Tenant, v.judge.rule.ID, group, ids)
	if err != nil {
		return nil, fmt.Errorf("ask for the alerts of earlier records: %w", err)
	}
	for id, a := range known {
		out[id] = a
	}
	return out, nil
}

// place finds or makes the alert of a group of rows.
func (v *verdicts) place(ctx context.Context, g groupOfRows, columns []string, stamps map[glassward.RecordID]stamp, f frame, silence func(string) (glassward.AlertID, bool)) (sighting, error) {
	j := v.judge
	records := unionOf(g.rows, stamps)
	s := sighting{group: g.name}
	kind := New
	var fresh []glassward.RecordID
	switch {
	case len(records) == 0:
		s.silent = true
		if id, ok := silence(g.name); ok {
			s.alert = id
			return s, nil
		}
		s.alert = v.engine.alertID(j, g.name, "until "+f.to.String())
	case g.whole:
		s.alert = v.engine.alertID(j, g.name, "")
		held, err := v.held(ctx, g.name, g.rows)
		if err != nil {
			return s, err
		}
		for _, id := range records {
			if _, ok := held[id]; !ok {
				fresh = append(fresh, id)
			}
		}
		if f.state.minute(g.name) || len(fresh) < len(records) {
			kind = Grown
		}
	default:
		held, err := v.held(ctx, g.name, g.rows)
		if err != nil {
			return s, err
		}
		for _, id := range records {
			a, ok := held[id]
			switch {
			case !ok:
				fresh = append(fresh, id)
			case s.alert == "": // the alert of the earliest record that has one
				s.alert, kind = a, Grown
			}
		}
		if s.alert == "" {
			s.alert = v.engine.alertID(j, g.name, records[0].String())
		}
	}
	for _, id := range fresh {
		v.holders[heldBy{g.name, id}] = s.alert
	}
	if kind == Grown && len(fresh) == 0 && !f.again(records) {
		return s, nil // seen through another window, or leaving this one
	}
	a := j.alert(v.engine, g, columns, records, stamps, f)
	a.ID = s.alert
	a.Late = f.late && len(fresh) > 0
	v.add(Change{Kind: kind, Alert: a, NewRecords: fresh})
	return s, nil
}

// withdraw marks an alert as one that later data does not confirm.
func (v *verdicts) withdraw(id glassward.AlertID, group string) {
	j := v.judge
	v.add(Change{Kind: Unconfirmed, Alert: glassward.Alert{
		ID: id, Tenant: v.engine.options.Tenant, RuleID: j.rule.ID, RuleName: j.rule.Name, RuleVersion: j.rule.Version,
		Group: group, Judged: v.engine.options.Now().UTC(), Unconfirmed: true,
	}})
}

// add puts a change in, or merges it into what this outcome says of the alert
// already.
func (v *verdicts) add(c Change) {
	old, ok := v.byID[c.Alert.ID]
	if !ok {
		v.byID[c.Alert.ID] = &c
		v.changes = append(v.changes, &c)
		return
	}
	switch {
	case c.Kind == Unconfirmed && old.Kind == New:
		old.Alert.Unconfirmed = true
	case c.Kind == Unconfirmed:
		old.Kind, old.Alert.Unconfirmed = Unconfirmed, true
	case old.Kind == Unconfirmed:
		c.NewRecords = append(c.NewRecords, old.NewRecords...)
		*old = c
	default:
		kind, before := old.Kind, old.NewRecords
		a := mergeAlerts(old.Alert, c.Alert)
		*old = Change{kind, a, append(slices.Clone(before), c.NewRecords...)}
	}
}

// mergeAlerts puts two views of one alert together. The one that rests on all
// the records of the other replaces its rows.
func mergeAlerts(old, next glassward.Alert) glassward.Alert {
	out := next
	switch {
	case containsAll(next.Records, old.Records):
	case containsAll(old.Records, next.Records):
		out = old
	default:
		out.Rows = slices.Clone(old.Rows)
		for _, r := range next.Rows {
			if len(out.Rows) < maxRows && !slices.ContainsFunc(out.Rows, func(o []string) bool { return slices.Equal(o, r) }) {
				out.Rows = append(out.Rows, r)
			}
		}
		out.RowCount = max(old.RowCount, next.RowCount, len(out.Rows))
		out.Entities = slices.Clone(old.Entities)
		for _, e := range next.Entities {
			out.Entities = addEntity(out.Entities, e)
		}
		out.Details = map[string][]string{}
		for _, d := range []map[string][]string{old.Details, next.Details} {
			for k, values := range d {
				for _, x := range values {
					out.Details[k] = addValue(out.Details[k], x)
				}
			}
		}
	}
	out.Records = slices.Concat(old.Records, next.Records)
	sortRecords(out.Records)
	out.Records = slices.Compact(out.Records)
	out.Severity = max(old.Severity, next.Severity)
	out.LineageOverflow = old.LineageOverflow || next.LineageOverflow
	out.Late = old.Late || next.Late
	out.Judged = next.Judged
	if old.Start.Before(out.Start) {
		out.Start = old.Start
	}
	if next.Start.Before(out.Start) {
		out.Start = next.Start
	}
	for _, o := range []glassward.Alert{old, next} {
		if o.End.After(out.End) {
			out.End = o.End
		}
		if o.Received.After(out.Received) {
			out.Received = o.Received
		}
	}
	return out
}

// alert builds the alert of rows, but for its id.
func (j *judge) alert(e *Engine, g groupOfRows, columns []string, records []glassward.RecordID, stamps map[glassward.RecordID]stamp, f frame) glassward.Alert {
	r := j.rule
	a := glassward.Alert{
		Tenant: e.options.Tenant, RuleID: r.ID, RuleName: r.Name, RuleVersion: r.Version, QueryHash: j.hash,
		Group: g.name, Title: r.Name, Description: r.Description, Severity: r.Severity,
		Tactics: slices.Clone(r.Tactics), Techniques: slices.Clone(r.Techniques),
		Columns: slices.Clone(columns), RowCount: len(g.rows),
		Records: slices.Clone(records), Judged: e.options.Now().UTC(),
		NoIncident: !r.Incident.Create, Grouping: r.Incident.grouping(),
	}
	if e.options.ActionGroups != nil {
		a.ActionGroups = e.options.ActionGroups(r)
	}
	for i, row := range g.rows {
		if i < maxRows {
			a.Rows = append(a.Rows, row.cells)
		}
		a.LineageOverflow = a.LineageOverflow || row.overflow
		for _, m := range r.Entities {
			if ent, ok := m.entity(columns, row.cells); ok && len(a.Entities) < maxEntities {
				a.Entities = addEntity(a.Entities, ent)
			}
		}
		for _, d := range r.Details {
			if x := cellNamed(columns, row.cells, d.Column); x != "" {
				if a.Details == nil {
					a.Details = map[string][]string{}
				}
				a.Details[d.Name] = addValue(a.Details[d.Name], x)
			}
		}
	}
	if len(g.rows) > 0 {
		r.Override.apply(&a, columns, g.rows)
	}
	if g.name == restGroup {
		crowded(&a, r)
	}
	start, end := f.from, f.to
	if len(records) > 0 {
		start = stamps[records[0]].time
		end = stamps[records[len(records)-1]].time
	}
	a.Start, a.End = start.Time(), end.Time()
	for _, id := range records {
		if got := stamps[id].received; got.After(a.Received) {
			a.Received = got
		}
	}
	return a
}

// crowded makes an alert say that it holds what went beyond the bound on alerts:
// what its first row would call it is one of many.
func crowded(a *glassward.Alert, r *Rule) {
	text := fmt.Sprintf("More results than alerts are made of at a time (%d): those beyond have no alert of their own and are in this one, %d of them", maxAlerts, a.RowCount)
	if a.RowCount > maxRows {
		text += fmt.Sprintf(", the first %d with their rows", maxRows)
	}
	a.Title = cut(r.Name, maxTitle-20) + ": further results"
	a.Description = cut(strings.TrimSpace(text+".\n\n"+r.Description), maxText)
}

// entity makes the entity of a mapping, false if the row names none.
func (m *EntityMapping) entity(columns, cells []string) (glassward.Entity, bool) {
	e := glassward.Entity{Type: m.Type, Identifiers: map[string]string{}}
	for _, f := range m.Fields {
		if x := cellNamed(columns, cells, f.Column); x != "" {
			e.Identifiers[f.Identifier] = x
		}
	}
	need := needed[m.Type]
	ok := len(e.Identifiers) > 0 && (need == nil || slices.ContainsFunc(need, func(n string) bool { return e.Identifiers[n] != "" }))
	return e, ok
}

// apply takes title, description, severity, tactics and properties from the
// rows: the severity is the highest of all rows, the others are the first's.
func (o *Override) apply(a *glassward.Alert, columns []string, rows []row) {
	first := rows[0].cells
	if title := strings.TrimSpace(fill(o.Name, columns, first)); title != "" {
		a.Title = cut(title, maxTitle)
	}
	if text := strings.TrimSpace(fill(o.Description, columns, first)); text != "" {
		a.Description = cut(text, maxText)
	}
	if o.SeverityColumn != "" {
		found := false
		for _, r := range rows {
			if s, err := glassward.ParseSeverity(cellNamed(columns, r.cells, o.SeverityColumn)); err == nil {
				if !found || s > a.Severity {
					a.Severity = s
				}
				found = true
			}
		}
	}
	if t := splitList(cellNamed(columns, first, o.TacticsColumn)); len(t) > 0 {
		a.Tactics = t
	}
	for _, p := range o.Properties {
		x := cellNamed(columns, first, p.Column)
		switch {
		case x == "":
		case p.Name == "Techniques":
			a.Techniques = splitList(x)
		default:
			if a.Details == nil {
				a.Details = map[string][]string{}
			}
			a.Details[p.Name] = addValue(a.Details[p.Name], x)
		}
	}
}

// fill puts values in the places of {{Column}}. What a value holds is never
// looked at again, and it stays one line: lines are the rule author's alone.
func fill(format string, columns, cells []string) string {
	return columnsPattern.ReplaceAllStringFunc(format, func(m string) string {
		return oneLine.Replace(cellNamed(columns, cells, columnsPattern.FindStringSubmatch(m)[1]))
	})
}

var oneLine = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\u2028", " ", "\u2029", " ")

// splitList reads ["a","b"] or a, b.
func splitList(text string) []string {
	var out []string
	for x := range strings.SplitSeq(strings.Trim(text, "[] "), ",") {
		if x = strings.Trim(x, ` "'`); x != "" {
			out = append(out, x)
		}
	}
	return out
}

func cellNamed(columns, cells []string, name string) string {
	if i := slices.Index(columns, name); i >= 0 && name != "" {
		return cells[i]
	}
	return ""
}

func addValue(values []string, x string) []string {
	x = cut(x, 2048)
	if len(values) >= maxDetailValues || slices.Contains(values, x) {
		return values
	}
	return append(values, x)
}

func addEntity(list []glassward.Entity, e glassward.Entity) []glassward.Entity {
	same := func(o glassward.Entity) bool {
		if o.Type != e.Type || len(o.Identifiers) != len(e.Identifiers) {
			return false
		}
		for k, x := range e.Identifiers {
			if o.Identifiers[k] != x {
				return false
			}
		}
		return true
	}
	if len(list) >= maxEntities || slices.ContainsFunc(list, same) {
		return list
	}
	return append(list, e)
}

// cut shortens a text to at most n bytes, at a character's boundary.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// cellText gives a cell as people and JSON read it.
func cellText(x any, t value.Type) string {
	switch x := x.(type) {
	case nil:
		return ""
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case int64:
		switch t {
		case value.DateTime:
			return value.Ticks(x).String()
		case value.TimeSpan:
			return value.Span(x).String()
		}
		return strconv.FormatInt(x, 10)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return fmt.Sprint(x)
}

// alertID names an alert for good.
func (e *Engine) alertID(j *judge, group, first string) glassward.AlertID {
	h := sha256.New()
	for _, part := range []string{"alert", e.options.Tenant, j.rule.ID, group, first} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	var id glassward.RecordID
	copy(id[:], h.Sum(nil))
	return glassward.AlertID(id.String())
}

func parseRecordID(text string) (id glassward.RecordID, err error) {
	plain := strings.ReplaceAll(text, "-", "")
	if len(plain) != 2*len(id) {
		return id, fmt.Errorf("the lineage names %q, which is no record id", text)
	}
	if _, err := hex.Decode(id[:], []byte(plain)); err != nil {
		return id, fmt.Errorf("the lineage names %q, which is no record id", text)
	}
	return id, nil
}

func compareRecords(a, b glassward.RecordID) int { return bytes.Compare(a[:], b[:]) }

func sortRecords(ids []glassward.RecordID) { slices.SortFunc(ids, compareRecords) }

// orderRecords sorts records by their events' time, then by id.
func orderRecords(ids []glassward.RecordID, stamps map[glassward.RecordID]stamp) {
	slices.SortFunc(ids, func(a, b glassward.RecordID) int {
		return cmp.Or(cmp.Compare(stamps[a].time, stamps[b].time), compareRecords(a, b))
	})
}

func unionOf(rows []row, stamps map[glassward.RecordID]stamp) []glassward.RecordID {
	var out []glassward.RecordID
	for _, r := range rows {
		out = append(out, r.records...)
	}
	orderRecords(out, stamps)
	return slices.Compact(out)
}

// containsAll says whether sorted or unsorted a holds all of b.
func containsAll(a, b []glassward.RecordID) bool {
	have := make(map[glassward.RecordID]struct{}, len(a))
	for _, id := range a {
		have[id] = struct{}{}
	}
	for _, id := range b {
		if _, ok := have[id]; !ok {
			return false
		}
	}
	return true
}
