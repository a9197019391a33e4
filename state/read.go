package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"glassward"
	"glassward/incident"
)

// incidentColumns are what incidentsOf reads, of the table named i.
const incidentColumns = "i.tenant, i.number, i.etag, i.body, i.sum"

// incidentsOf reads incidents and checks that each is what it was. Those that
// are not are told to damaged and left out.
func incidentsOf(damaged func(error), rows *sql.Rows, err error) ([]glassward.Incident, error) {
	if err != nil {
		return nil, fmt.Errorf("read incidents: %w", err)
	}
	defer rows.Close()
	var out []glassward.Incident
	for rows.Next() {
		var tenant, etag, body, sum string
		var number int64
		if err := rows.Scan(&tenant, &number, &etag, &body, &sum); err != nil {
			return nil, fmt.Errorf("read incidents: %w", err)
		}
		var inc glassward.Incident
		if err := json.Unmarshal([]byte(body), &inc); err != nil {
			damaged(fmt.Errorf("incident %d of tenant %q: %w: %w", number, tenant, ErrDamaged, err))
			continue
		}
		if bodySum([]byte(body)) != sum || inc.Etag != etag || inc.Number != number || inc.Tenant != tenant {
			damaged(fmt.Errorf("incident %d of tenant %q: %w: its content does not have its checksum", number, tenant, ErrDamaged))
			continue
		}
		out = append(out, inc)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read incidents: %w", err)
	}
	return out, nil
}

// alertOf reads one alert without its records, and checks it.
func alertOf(row interface{ Scan(...any) error }) (glassward.Alert, error) {
	var tenant, id, body, sum string
	if err := row.Scan(&tenant, &id, &body, &sum); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			return glassward.Alert{}, fmt.Errorf("alert: %w", ErrNotFound)
		}
		return glassward.Alert{}, fmt.Errorf("read alert: %w", err)
	}
	var a glassward.Alert
	if bodySum([]byte(body)) != sum {
		return a, fmt.Errorf("alert %s of tenant %q: %w: its content does not have its checksum", id, tenant, ErrDamaged)
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		return a, fmt.Errorf("alert %s of tenant %q: %w: %w", id, tenant, ErrDamaged, err)
	}
	if string(a.ID) != id || a.Tenant != tenant {
		return a, fmt.Errorf("alert %s of tenant %q: %w: its content belongs to another", id, tenant, ErrDamaged)
	}
	return a, nil
}

// Incident gives one incident, or ErrNotFound.
func (s *Store) Incident(ctx context.Context, tenant string, number int64) (glassward.Incident, error) {
	var damage error
	rows, err := s.readers.QueryContext(ctx, "SELECT "+incidentColumns+" FROM incidents i WHERE tenant = ? AND number = ?", tenant, number)
	list, err := incidentsOf(func(err error) { damage = err }, rows, err)
	switch {
	case err != nil:
		return glassward.Incident{}, err
	case damage != nil:
		s.damaged(damage)
		return glassward.Incident{}, damage
	case len(list) == 0:
		return glassward.Incident{}, fmt.Errorf("incident %d of tenant %q: %w", number, tenant, ErrNotFound)
	}
	return list[0], nil
}

// An IncidentFilter says which incidents are wanted. The zero value wants all.
type IncidentFilter struct {
	// Tenants are those to look in; nil means all.
	Tenants []string
	// Status are the states wanted; none means all.
	Status []glassward.IncidentStatus
	// MinSeverity is the mildest wanted.
	MinSeverity glassward.Severity
	// Owner and Account restrict to an owner, to an emergency account.
	Owner, Account string
	// Created in [From, To); zero times do not restrict.
	From, To time.Time
	// After is the cursor that the page before gave, Limit at most 1000.
	After string
	Limit int
}

// where collects conditions.
type where struct {
	terms []string
	args  []any
}

func (w *where) add(term string, args ...any) {
	w.terms = append(w.terms, term)
	w.args = append(w.args, args...)
}

func (w *where) in(column string, values []string) {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	if len(values) == 0 {
		w.add("1 = 0")
		return
	}
	w.add(column+" IN ("+places(len(values))+")", args...)
}

func (w *where) String() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// Incidents gives a page of incidents, newest first, and the cursor of the next
// page, empty if there is none.
func (s *Store) Incidents(ctx context.Context, f IncidentFilter) ([]glassward.Incident, string, error) {
	var w where
	if f.Tenants != nil {
		w.in("i.tenant", f.Tenants)
	}
	if len(f.Status) > 0 {
		var names []string
		for _, st := range f.Status {
			names = append(names, string(st))
		}
		w.in("i.status", names)
	}
	if f.MinSeverity > 0 {
		w.add("i.severity >= ?", int(f.MinSeverity))
	}
	if f.Owner != "" {
		w.add("i.owner = ?", f.Owner)
	}
	if f.Account != "" {
		w.add("EXISTS (SELECT 1 FROM incident_links l WHERE l.tenant = i.tenant AND l.number = i.number AND l.kind = 'account' AND l.value = ?)", strings.ToLower(f.Account))
	}
	if !f.From.IsZero() {
		w.add("i.created >= ?", micros(f.From))
	}
	if !f.To.IsZero() {
		w.add("i.created < ?", micros(f.To))
	}
	if f.After != "" {
		c, err := parseCursor(f.After, 3)
		if err != nil {
			return nil, "", err
		}
		created, err1 := strconv.ParseInt(c[0], 10, 64)
		number, err2 := strconv.ParseInt(c[1], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, "", fmt.Errorf("%w: %q", ErrCursor, f.After)
		}
		w.add("(i.created < ? OR i.created = ? AND (i.tenant > ? OR i.tenant = ? AND i.number < ?))", created, created, c[2], c[2], number)
	}
	limit := bound(f.Limit)
	rows, err := s.readers.QueryContext(ctx, "SELECT "+incidentColumns+" FROM incidents i"+w.String()+" ORDER BY i.created DESC, i.tenant, i.number DESC LIMIT 0+?", append(w.args, limit+1)...)
	skipped := 0
	list, err := incidentsOf(s.skip(&skipped), rows, err)
	more := len(list)+skipped > limit
	list = list[:min(limit, len(list))]
	if err != nil || !more || len(list) == 0 {
		return list, "", err
	}
	last := list[len(list)-1]
	return list, fmt.Sprintf("%d:%d:%s", micros(last.Created), last.Number, last.Tenant), nil
}

// skip tells of damage and counts what is left out for it.
func (s *Store) skip(n *int) func(error) {
	return func(err error) {
		*n++
		s.damaged(err)
	}
}

func parseCursor(text string, parts int) ([]string, error) {
	c := strings.SplitN(text, ":", parts)
	if len(c) != parts {
		return nil, fmt.Errorf("%w: %q", ErrCursor, text)
	}
	return c, nil
}

// Alert gives one alert with its records, or ErrNotFound.
func (s *Store) Alert(ctx context.Context, tenant string, id glassward.AlertID) (glassward.Alert, error) {
	a, err := alertOf(s.readers.QueryRowContext(ctx, "SELECT tenant, id, body, sum FROM alerts WHERE tenant = ? AND id = ?", tenant, string(id)))
	if err != nil {
		return a, err
	}
	texts, err := stringsOf(s.readers.QueryContext(ctx, "SELECT record FROM alert_records WHERE tenant = ? AND alert = ? ORDER BY record", tenant, string(id)))
	if err != nil {
		return a, fmt.Errorf("read the records of alert %s: %w", id, err)
	}
	a.Records, err = recordIDs(texts)
	return a, err
}

// AlertsByID gives those of the alerts that there are, without their records,
// in the order of ids.
func (s *Store) AlertsByID(ctx context.Context, tenant string, ids []glassward.AlertID) ([]glassward.Alert, error) {
	found := map[glassward.AlertID]glassward.Alert{}
	for part := range slices.Chunk(ids, chunk) {
		args := []any{tenant}
		for _, id := range part {
			args = append(args, string(id))
		}
		rows, err := s.readers.QueryContext(ctx, "SELECT tenant, id, body, sum FROM alerts WHERE tenant = ? AND id IN ("+places(len(part))+")", args...)
		list, err := alertsOf(s.damaged, rows, err)
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			found[a.ID] = a
		}
	}
	var out []glassward.Alert
	for _, id := range ids {
		if a, ok := found[id]; ok {
			out = append(out, a)
		}
	}
	return out, nil
}

// alertsOf reads alerts. Those that are damaged are told to damaged and left out.
func alertsOf(damaged func(error), rows *sql.Rows, err error) ([]glassward.Alert, error) {
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	defer rows.Close()
	var out []glassward.Alert
	for rows.Next() {
		a, err := alertOf(rows)
		if errors.Is(err, ErrDamaged) {
			damaged(err)
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	return out, nil
}

func recordIDs(texts []string) ([]glassward.RecordID, error) {
	out := make([]glassward.RecordID, 0, len(texts))
	for _, text := range texts {
		id, err := parseRecordID(text)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

func parseRecordID(text string) (glassward.RecordID, error) {
	var id glassward.RecordID
	digits := strings.ReplaceAll(text, "-", "")
	if len(digits) != 32 {
		return id, fmt.Errorf("record id %q: %w", text, ErrDamaged)
	}
	for i := range id {
		n, err := strconv.ParseUint(digits[2*i:2*i+2], 16, 8)
		if err != nil {
			return id, fmt.Errorf("record id %q: %w", text, ErrDamaged)
		}
		id[i] = byte(n)
	}
	return id, nil
}

// An AlertFilter says which alerts are wanted. The zero value wants all.
type AlertFilter struct {
	Tenant string
	// Rule restricts to a rule's id.
	Rule        string
	MinSeverity glassward.Severity
	// Start in [From, To); zero times do not restrict.
	From, To time.Time
	// After is the cursor that the page before gave, Limit at most 1000.
	After string
	Limit int
}

// Alerts gives a page of a tenant's alerts without their records, latest first,
// and the cursor of the next page, empty if there is none.
func (s *Store) Alerts(ctx context.Context, f AlertFilter) ([]glassward.Alert, string, error) {
	var w where
	w.add("tenant = ?", f.Tenant)
	if f.Rule != "" {
		w.add("rule = ?", f.Rule)
	}
	if f.MinSeverity > 0 {
		w.add("severity >= ?", int(f.MinSeverity))
	}
	if !f.From.IsZero() {
		w.add("started >= ?", micros(f.From))
	}
	if !f.To.IsZero() {
		w.add("started < ?", micros(f.To))
	}
	if f.After != "" {
		c, err := parseCursor(f.After, 2)
		if err != nil {
			return nil, "", err
		}
		started, err := strconv.ParseInt(c[0], 10, 64)
		if err != nil {
			return nil, "", fmt.Errorf("%w: %q", ErrCursor, f.After)
		}
		w.add("(started < ? OR started = ? AND id < ?)", started, started, c[1])
	}
	limit := bound(f.Limit)
	rows, err := s.readers.QueryContext(ctx, "SELECT tenant, id, body, sum FROM alerts"+w.String()+" ORDER BY started DESC, id DESC LIMIT 0+?", append(w.args, limit+1)...)
	skipped := 0
	list, err := alertsOf(s.skip(&skipped), rows, err)
	more := len(list)+skipped > limit
	list = list[:min(limit, len(list))]
	if err != nil || !more || len(list) == 0 {
		return list, "", err
	}
	last := list[len(list)-1]
	return list, fmt.Sprintf("%d:%s", micros(last.Start), last.ID), nil
}

// Neighbours gives the other incidents of a tenant that share an emergency account,
// session, actor or protected object with one, newest first, at most limit shares.
func (s *Store) Neighbours(ctx context.Context, tenant string, number int64, limit int) ([]incident.Neighbour, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT o.number, l.kind, l.value FROM incident_links l
		JOIN incident_links o ON o.tenant = l.tenant AND o.kind = l.kind AND o.value = l.value AND o.number <> l.number
		WHERE l.tenant = ? AND l.number = ? AND l.kind IN ('account', 'tie') ORDER BY o.number DESC, l.kind, l.value LIMIT 0+?`, tenant, number, bound(limit))
	if err != nil {
		return nil, fmt.Errorf("read the neighbours of incident %d: %w", number, err)
	}
	defer rows.Close()
	var out []incident.Neighbour
	for rows.Next() {
		var n incident.Neighbour
		var kind string
		if err := rows.Scan(&n.Number, &kind, &n.Shares); err != nil {
			return nil, fmt.Errorf("read the neighbours of incident %d: %w", number, err)
		}
		if kind == "account" {
			n.Shares = "account:" + n.Shares
		}
		out = append(out, n)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the neighbours of incident %d: %w", number, err)
	}
	return out, nil
}

// HeldRecords gives, in pages of at most limit, the ids of the records that the
// alerts of a tenant's open incidents name: retention spares them. after is the
// last id of the page before, the zero id at first.
func (s *Store) HeldRecords(ctx context.Context, tenant string, after glassward.RecordID, limit int) ([]glassward.RecordID, error) {
	last := ""
	if after != (glassward.RecordID{}) {
		last = after.String()
	}
	texts, err := stringsOf(s.readers.QueryContext(ctx, `SELECT DISTINCT r.record FROM incidents i
		JOIN incident_links l ON l.tenant = i.tenant AND l.number = i.number AND l.kind = 'alert'
		JOIN alert_records r ON r.tenant = l.tenant AND r.alert = l.value
		WHERE i.tenant = ? AND i.status <> 'Closed' AND r.record > ? ORDER BY r.record LIMIT 0+?`, tenant, last, bound(limit)))
	if err != nil {
		return nil, fmt.Errorf("read the records of open incidents: %w", err)
	}
	return recordIDs(texts)
}

// Timeline gives an incident's timeline with the attempts to deliver its
// notices (kind delivery), in the order in which we learned of things.
func (s *Store) Timeline(ctx context.Context, tenant string, number int64) ([]glassward.TimelineEntry, error) {
	inc, err := s.Incident(ctx, tenant, number)
	if err != nil {
		return nil, err
	}
	rows, err := s.readers.QueryContext(ctx, `SELECT a.receiver, a.number, a.at, a.ok, a.answer FROM notices n JOIN attempts a ON a.notice = n.id
		WHERE n.tenant = ? AND n.incident = ? ORDER BY a.at, a.notice, a.receiver, a.number LIMIT 0+?`, tenant, number, pageLimit)
	if err != nil {
		return nil, fmt.Errorf("read the deliveries of incident %d: %w", number, err)
	}
	defer rows.Close()
	out := slices.Clone(inc.Timeline)
	for rows.Next() {
		var receiver, answer string
		var n, at int64
		var ok bool
		if err := rows.Scan(&receiver, &n, &at, &ok, &answer); err != nil {
			return nil, fmt.Errorf("read the deliveries of incident %d: %w", number, err)
		}
		text := fmt.Sprintf("%s: attempt %d failed: %s", receiver, n, answer)
		if ok {
			text = fmt.Sprintf("%s: delivered: %s", receiver, answer)
		}
		out = append(out, glassward.TimelineEntry{Time: fromMicros(at), Noted: fromMicros(at), Kind: "delivery", Text: text})
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the deliveries of incident %d: %w", number, err)
	}
	slices.SortStableFunc(out, func(a, b glassward.TimelineEntry) int { return a.Noted.Compare(b.Noted) })
	return out, nil
}
