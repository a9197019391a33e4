package state

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/incident"
	"glassward/notify"
)

// bookLimit bounds the incidents that one step sees. Those that hold the alert
// always are among them.
const bookLimit = 50

// chunk is how many values go into one statement.
const chunk = 200

// Book gives the part of a tenant's incidents and alerts that q names.
func (tx *tx) Book(ctx context.Context, q incident.Query) (incident.State, error) {
	s := incident.State{Tenant: q.Tenant, Alerts: map[glassward.AlertID]glassward.Alert{}}
	if err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(number), 0) + 1 FROM incidents WHERE tenant = ?", q.Tenant).Scan(&s.Next); err != nil {
		return s, fmt.Errorf("next incident number: %w", err)
	}
	seen := map[int64]bool{}
	add := func(rows *sql.Rows, err error) error {
		found, err := tx.incidents(ctx, q.Tenant, rows, err)
		for _, inc := range found {
			if !seen[inc.Number] {
				seen[inc.Number] = true
				s.Incidents = append(s.Incidents, inc)
			}
		}
		return err
	}
	if q.Number != 0 {
		if err := add(tx.QueryContext(ctx, "SELECT number, etag FROM incidents WHERE tenant = ? AND number = ?", q.Tenant, q.Number)); err != nil {
			return s, err
		}
	}
	const linked = `SELECT i.number, i.etag FROM incident_links l JOIN incidents i ON i.tenant = l.tenant AND i.number = l.number
		WHERE l.tenant = ? AND l.kind = ? AND l.value = ?`
	if q.Alert != "" {
		a, err := alertOf(tx.QueryRowContext(ctx, "SELECT tenant, id, body, sum FROM alerts WHERE tenant = ? AND id = ?", q.Tenant, string(q.Alert)))
		switch {
		case err == nil:
			if a.Records, err = recordsHeld(ctx, tx, q.Tenant, q.Alert, q.Records); err != nil {
				return s, err
			}
			s.Alerts[a.ID] = a
		case errors.Is(err, ErrDamaged):
			tx.s.damaged(err) // what is judged now takes its place
		case !errors.Is(err, ErrNotFound):
			return s, err
		}
		if err := add(tx.QueryContext(ctx, linked+" ORDER BY l.number", q.Tenant, "alert", string(q.Alert))); err != nil {
			return s, err
		}
	}
	from, to := micros(q.From), micros(q.To)
	const near = " AND i.last_activity >= ? AND i.first_activity <= ?"
	const order = " ORDER BY CASE i.status WHEN 'Closed' THEN 1 ELSE 0 END, i.number DESC LIMIT 0+?"
	for _, account := range q.Accounts {
		if err := add(tx.QueryContext(ctx, linked+near+order, q.Tenant, "account", account, from, to, bookLimit)); err != nil {
			return s, err
		}
	}
	for part := range slices.Chunk(q.Ties, chunk) {
		const tied = `SELECT DISTINCT i.number, i.etag, i.status FROM incident_links l JOIN incidents i ON i.tenant = l.tenant AND i.number = l.number
			WHERE l.tenant = ? AND l.kind = 'tie' AND l.value IN (`
		args := []any{q.Tenant}
		for _, tie := range part {
			args = append(args, tie)
		}
		args = append(args, from, to, bookLimit)
		if err := add(tx.QueryContext(ctx, "SELECT number, etag FROM ("+tied+places(len(part))+")"+near+") i"+order, args...)); err != nil {
			return s, err
		}
	}
	if q.GroupKey != "" {
		if err := add(tx.QueryContext(ctx, linked+near+order, q.Tenant, "key", q.GroupKey, from, to, bookLimit)); err != nil {
			return s, err
		}
		if q.AnyTime {
			if err := add(tx.QueryContext(ctx, linked+" AND i.status <> 'Closed'"+order, q.Tenant, "key", q.GroupKey, bookLimit)); err != nil {
				return s, err
			}
		}
	}
	slices.SortFunc(s.Incidents, func(a, b glassward.Incident) int { return int(a.Number - b.Number) })
	if q.Expected || q.Expectation != "" {
		rows, err := tx.QueryContext(ctx, "SELECT tenant, id, body, sum FROM expectations WHERE tenant = ? AND (settled = 0 AND ? OR id = ?) ORDER BY until, id", q.Tenant, q.Expected, q.Expectation)
		if s.Expected, err = expectationsOf(tx.s.damaged, rows, err); err != nil {
			return s, err
		}
	}
	return s, nil
}

// incidents gives the incidents whose numbers and etags a query gave, from
// memory where it has them as they are. Nobody writes into them: Step does not.
func (tx *tx) incidents(ctx context.Context, tenant string, rows *sql.Rows, err error) ([]glassward.Incident, error) {
	if err != nil {
		return nil, fmt.Errorf("look for incidents: %w", err)
	}
	type ref struct {
		number int64
		etag   string
	}
	var refs []ref
	for rows.Next() {
		var r ref
		if err := rows.Scan(&r.number, &r.etag); err != nil {
			return nil, errors.Join(fmt.Errorf("look for incidents: %w", err), rows.Close())
		}
		refs = append(refs, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("look for incidents: %w", err)
	}
	var out []glassward.Incident
	for _, r := range refs {
		if inc, ok := tx.s.recent[incidentKey{tenant, r.number}]; ok && inc.Etag == r.etag {
			out = append(out, inc)
			continue
		}
		rows, err := tx.QueryContext(ctx, "SELECT "+incidentColumns+" FROM incidents i WHERE tenant = ? AND number = ?", tenant, r.number)
		list, err := incidentsOf(tx.s.damaged, rows, err)
		if err != nil {
			return nil, err
		}
		for _, inc := range list {
			tx.s.remember(inc)
			out = append(out, inc)
		}
	}
	return out, nil
}

// An incidentKey names an incident.
type incidentKey struct {
	tenant string
	number int64
}

// recentLimit bounds the incidents that are kept decoded.
const recentLimit = 64

// remember keeps an incident decoded: in a bad night the same one changes with
// every alert, and decoding it would be most of the work. The etag tells whether
// it is still the stored one, so a transaction that fails does no harm. Only the
// writer comes here.
func (s *Store) remember(inc glassward.Incident) {
	if len(s.recent) >= recentLimit {
		clear(s.recent)
	}
	s.recent[incidentKey{inc.Tenant, inc.Number}] = inc
}

// AlertsByRecords gives, for those of the records that an alert of the rule and
// group holds, the alert that had it first.
func (tx *tx) AlertsByRecords(ctx context.Context, tenant, rule, group string, records []glassward.RecordID) (map[glassward.RecordID]glassward.AlertID, error) {
	return alertsByRecords(ctx, tx, tenant, rule, group, records)
}

// AlertsByRecords gives, for those of the records that an alert of the tenant's
// rule and group holds, the alert that had it first.
func (s *Store) AlertsByRecords(ctx context.Context, tenant, rule, group string, records []glassward.RecordID) (map[glassward.RecordID]glassward.AlertID, error) {
	return alertsByRecords(ctx, s.readers, tenant, rule, group, records)
}

func alertsByRecords(ctx context.Context, q querier, tenant, rule, group string, records []glassward.RecordID) (map[glassward.RecordID]glassward.AlertID, error) {
	out := map[glassward.RecordID]glassward.AlertID{}
	for part := range slices.Chunk(records, chunk) {
		byText := make(map[string]glassward.RecordID, len(part))
		args := []any{tenant, rule, group}
		for _, id := range part {
			text := id.String()
			byText[text] = id
			args = append(args, text)
		}
		rows, err := q.QueryContext(ctx, "SELECT record, alert FROM alert_records WHERE tenant = ? AND rule = ? AND grp = ? AND record IN ("+places(len(part))+") ORDER BY record, entry", args...)
		if err != nil {
			return nil, fmt.Errorf("look for the alerts of records: %w", err)
		}
		for rows.Next() {
			var record, alert string
			if err := rows.Scan(&record, &alert); err != nil {
				rows.Close()
				return nil, fmt.Errorf("look for the alerts of records: %w", err)
			}
			if id := byText[record]; out[id] == "" {
				out[id] = glassward.AlertID(alert)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, fmt.Errorf("look for the alerts of records: %w", err)
		}
	}
	return out, nil
}

// A Holding is what an alert holds.
type Holding struct {
	RuleID  string
	Group   string
	Records []glassward.RecordID // sorted
}

// AlertsHolding gives the alerts, of whatever rule and group, that hold one of
// the records, each with all the records that it holds.
func (s *Store) AlertsHolding(ctx context.Context, tenant string, records []glassward.RecordID) (map[glassward.AlertID]Holding, error) {
	wrap := func(err error) error { return fmt.Errorf("look for the alerts that hold records: %w", err) }
	var alerts []string
	for part := range slices.Chunk(records, chunk) {
		args := []any{tenant}
		for _, id := range part {
			args = append(args, id.String())
		}
		found, err := stringsOf(s.readers.QueryContext(ctx, "SELECT DISTINCT alert FROM alert_records WHERE tenant = ? AND record IN ("+places(len(part))+")", args...))
		if err != nil {
			return nil, wrap(err)
		}
		alerts = append(alerts, found...)
	}
	slices.Sort(alerts)
	out := map[glassward.AlertID]Holding{}
	for part := range slices.Chunk(slices.Compact(alerts), chunk) {
		args := []any{tenant}
		for _, id := range part {
			args = append(args, id)
		}
		rows, err := s.readers.QueryContext(ctx, "SELECT alert, rule, grp, record FROM alert_records WHERE tenant = ? AND alert IN ("+places(len(part))+") ORDER BY alert, record", args...)
		if err != nil {
			return nil, wrap(err)
		}
		for rows.Next() {
			var h Holding
			var alert, text string
			if err := rows.Scan(&alert, &h.RuleID, &h.Group, &text); err != nil {
				return nil, errors.Join(wrap(err), rows.Close())
			}
			id, err := parseRecordID(text)
			if err != nil {
				return nil, errors.Join(wrap(err), rows.Close())
			}
			h.Records = append(out[glassward.AlertID(alert)].Records, id)
			out[glassward.AlertID(alert)] = h
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, wrap(err)
		}
	}
	return out, nil
}

// recordsHeld gives those of the records that the alert holds.
func recordsHeld(ctx context.Context, q querier, tenant string, alert glassward.AlertID, records []glassward.RecordID) ([]glassward.RecordID, error) {
	var out []glassward.RecordID
	for part := range slices.Chunk(records, chunk) {
		byText := make(map[string]glassward.RecordID, len(part))
		args := []any{tenant, string(alert)}
		for _, id := range part {
			byText[id.String()] = id
			args = append(args, id.String())
		}
		held, err := stringsOf(q.QueryContext(ctx, "SELECT record FROM alert_records WHERE tenant = ? AND alert = ? AND record IN ("+places(len(part))+")", args...))
		if err != nil {
			return nil, fmt.Errorf("read the records of alert %s: %w", alert, err)
		}
		for _, text := range held {
			out = append(out, byText[text])
		}
	}
	return out, nil
}

// places gives n placeholders.
func places(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// tuples gives n groups of k placeholders.
func tuples(n, k int) string {
	return strings.TrimSuffix(strings.Repeat("("+places(k)+"), ", n), ", ")
}

// bodySum gives the checksum of a stored body.
func bodySum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:16])
}

// Put stores an entry. Notices whose id is stored already are left as they are,
// and records are only ever added.
func (tx *tx) Put(ctx context.Context, e incident.Entry) error {
	for _, a := range e.Changes.Alerts {
		if err := tx.putAlert(ctx, a, e.Raw); err != nil {
			return fmt.Errorf("alert %s: %w", a.ID, err)
		}
	}
	for _, inc := range e.Changes.Incidents {
		if err := tx.putIncident(ctx, inc, e.By, e.Inward || inward(e.Changes)); err != nil {
			return fmt.Errorf("incident %d: %w", inc.Number, err)
		}
	}
	for _, x := range e.Changes.Expected {
		if err := tx.putExpectation(ctx, x, e.By); err != nil {
			return fmt.Errorf("expectation %s: %w", x.ID, err)
		}
	}
	for _, n := range e.Changes.Notices {
		if err := tx.putNotice(ctx, n); err != nil {
			return fmt.Errorf("notice %s: %w", n.ID, err)
		}
	}
	if e.Answer != "" {
		if _, err := tx.ExecContext(ctx, "INSERT INTO answers (tenant, key, given) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", e.Tenant, e.Answer, micros(tx.now)); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
	if e.Watermark == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO watermarks (tenant, rule, mark, modified) VALUES (?, ?, ?, ?)
		ON CONFLICT (tenant, rule) DO UPDATE SET mark = excluded.mark, modified = excluded.modified`, e.Tenant, e.Rule, e.Watermark, micros(tx.now))
	if err != nil {
		return fmt.Errorf("watermark: %w", err)
	}
	return nil
}

// inward says whether nothing but what Glassward wrote about itself caused the
// changes.
func inward(c incident.Changes) bool {
	return len(c.Alerts) > 0 && !slices.ContainsFunc(c.Alerts, func(a glassward.Alert) bool { return !a.Inward })
}

func (tx *tx) putAlert(ctx context.Context, a glassward.Alert, raw map[glassward.RecordID][]byte) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO alerts (tenant, id, rule, grp, severity, started, ended, judged, body, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (tenant, id) DO UPDATE SET severity = excluded.severity, started = excluded.started, ended = excluded.ended, judged = excluded.judged, body = excluded.body, sum = excluded.sum`,
		a.Tenant, string(a.ID), a.RuleID, a.Group, int(a.Severity), micros(a.Start), micros(a.End), micros(a.Judged), string(body), bodySum(body))
	if err != nil {
		return err
	}
	held, err := recordsHeld(ctx, tx, a.Tenant, a.ID, a.Records)
	if err != nil {
		return err
	}
	have := make(map[glassward.RecordID]bool, len(held))
	for _, id := range held {
		have[id] = true
	}
	fresh := slices.DeleteFunc(slices.Clone(a.Records), func(id glassward.RecordID) bool { return have[id] })
	names := make([]string, 0, len(fresh))
	for _, id := range fresh {
		names = append(names, id.String())
	}
	err = tx.journal(ctx, "alert", a.Tenant, map[string]any{
		"id": a.ID, "rule": a.RuleID, "ruleVersion": a.RuleVersion, "queryHash": a.QueryHash, "group": a.Group, "severity": a.Severity,
		"title": a.Title, "start": a.Start, "end": a.End, "late": a.Late, "unconfirmed": a.Unconfirmed,
		"newRecords": names, "body": bodySum(body), "inward": a.Inward,
	}, nil)
	if err != nil {
		return err
	}
	entry := tx.mark.Seq
	for part := range slices.Chunk(names, chunk) {
		args := make([]any, 0, 6*len(part))
		for _, name := range part {
			args = append(args, a.Tenant, a.RuleID, a.Group, name, string(a.ID), entry)
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO alert_records (tenant, rule, grp, record, alert, entry) VALUES "+tuples(len(part), 6), args...); err != nil {
			return fmt.Errorf("its records: %w", err)
		}
	}
	for _, id := range a.Records {
		if b, ok := raw[id]; ok {
			if err := tx.putEvidence(ctx, a.Tenant, id, b); err != nil {
				return fmt.Errorf("record %s: %w", id, err)
			}
		}
	}
	return nil
}

// putEvidence keeps a record's bytes once for each version of it.
func (tx *tx) putEvidence(ctx context.Context, tenant string, id glassward.RecordID, raw []byte) error {
	sum := sha256.Sum256(raw)
	name := hex.EncodeToString(sum[:])
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM evidence_records WHERE tenant = ? AND record = ? AND sha256 = ?", tenant, id.String(), name).Scan(&n); err != nil || n > 0 {
		return err
	}
	if err := tx.journal(ctx, "record", tenant, map[string]any{"id": id.String(), "bytes": len(raw)}, raw); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO evidence_records (tenant, record, sha256, seq) VALUES (?, ?, ?, ?)", tenant, id.String(), name, tx.mark.Seq)
	return err
}

func (tx *tx) putIncident(ctx context.Context, inc glassward.Incident, by string, inward bool) error {
	body, err := json.Marshal(inc)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO incidents (tenant, number, status, severity, owner, first_activity, last_activity, created, modified, etag, body, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (tenant, number) DO UPDATE SET status = excluded.status, severity = excluded.severity, owner = excluded.owner, first_activity = excluded.first_activity,
			last_activity = excluded.last_activity, modified = excluded.modified, etag = excluded.etag, body = excluded.body, sum = excluded.sum`,
		inc.Tenant, inc.Number, string(inc.Status), int(inc.Severity), inc.Owner, micros(inc.FirstActivity), micros(inc.LastActivity), micros(inc.Created), micros(inc.Modified), inc.Etag, string(body), bodySum(body))
	if err != nil {
		return err
	}
	if err := tx.putLinks(ctx, inc); err != nil {
		return fmt.Errorf("its links: %w", err)
	}
	if err := tx.putPage(ctx, inc); err != nil {
		return fmt.Errorf("its page: %w", err)
	}
	tx.s.remember(inc)
	kind := "incident"
	if by != "" {
		kind = "acknowledgement"
	}
	var fresh []glassward.TimelineEntry
	for _, t := range inc.Timeline {
		if t.Noted.Equal(inc.Modified) {
			fresh = append(fresh, t)
		}
	}
	return tx.journal(ctx, kind, inc.Tenant, map[string]any{
		"number": inc.Number, "status": inc.Status, "severity": inc.Severity, "owner": inc.Owner, "classification": inc.Classification,
		"reason": inc.Reason, "by": by, "etag": inc.Etag, "alerts": len(inc.Alerts), "timeline": fresh, "inward": inward,
	}, nil)
}

// Answered says whether an answer of that key was put before.
func (tx *tx) Answered(ctx context.Context, tenant, key string) (bool, error) {
	return answered(ctx, tx, tenant, key)
}

// Answered says whether an answer of that key was given in a tenant.
func (s *Store) Answered(ctx context.Context, tenant, key string) (bool, error) {
	return answered(ctx, s.readers, tenant, key)
}

func answered(ctx context.Context, q querier, tenant, key string) (bool, error) {
	var n int
	row, err := q.QueryContext(ctx, "SELECT COUNT(*) FROM answers WHERE tenant = ? AND key = ?", tenant, key)
	if err != nil {
		return false, fmt.Errorf("look for an answer: %w", err)
	}
	defer row.Close()
	for row.Next() {
		if err := row.Scan(&n); err != nil {
			return false, fmt.Errorf("look for an answer: %w", err)
		}
	}
	return n > 0, row.Err()
}

// putPage keeps when people are called about an incident.
func (tx *tx) putPage(ctx context.Context, inc glassward.Incident) error {
	if inc.Page == nil || inc.Page.Next.IsZero() {
		_, err := tx.ExecContext(ctx, "DELETE FROM pages WHERE tenant = ? AND number = ?", inc.Tenant, inc.Number)
		return err
	}
	var last time.Time
	for _, c := range inc.Page.Climbs {
		if c.Last.After(last) {
			last = c.Last
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO pages (tenant, number, next, last) VALUES (?, ?, ?, ?)
		ON CONFLICT (tenant, number) DO UPDATE SET next = excluded.next, last = excluded.last`, inc.Tenant, inc.Number, micros(inc.Page.Next), micros(last))
	return err
}

// Calling gives the incidents that people are to be called about at now, the
// longest overdue first, and when the next is due.
func (s *Store) Calling(ctx context.Context, now time.Time, limit int) (due []incident.Ref, next time.Time, err error) {
	wrap := func(err error) error { return fmt.Errorf("look whom to call: %w", err) }
	var first sql.NullInt64
	if err := s.readers.QueryRowContext(ctx, "SELECT MIN(next) FROM pages").Scan(&first); err != nil {
		return nil, next, wrap(err)
	}
	next = fromMicros(first.Int64)
	rows, err := s.readers.QueryContext(ctx, "SELECT tenant, number FROM pages WHERE next <= ? OR last > ? ORDER BY next, tenant, number LIMIT 0+?", micros(now), micros(now), bound(limit))
	if err != nil {
		return nil, next, wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		var r incident.Ref
		if err := rows.Scan(&r.Tenant, &r.Number); err != nil {
			return nil, next, wrap(err)
		}
		due = append(due, r)
	}
	if err := rows.Err(); err != nil {
		return nil, next, wrap(err)
	}
	return due, next, nil
}

// putLinks adds what an incident can be found by. Links are only ever added.
func (tx *tx) putLinks(ctx context.Context, inc glassward.Incident) error {
	linked := map[string]bool{}
	rows, err := tx.QueryContext(ctx, "SELECT kind, value FROM incident_links WHERE tenant = ? AND number = ?", inc.Tenant, inc.Number)
	if err != nil {
		return err
	}
	for rows.Next() {
		var kind, value string
		if err := rows.Scan(&kind, &value); err != nil {
			return errors.Join(err, rows.Close())
		}
		linked[kind+" "+value] = true
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	var args []any
	link := func(kind, value string) {
		if !linked[kind+" "+value] {
			args = append(args, inc.Tenant, kind, value, inc.Number)
		}
	}
	for _, id := range inc.Alerts {
		link("alert", string(id))
	}
	for _, id := range inc.Accounts {
		link("account", id)
	}
	if inc.GroupKey != "" {
		link("key", inc.GroupKey)
	}
	for _, key := range inc.MergedKeys {
		link("key", key)
	}
	for _, tie := range incident.Ties(inc) {
		link("tie", tie)
	}
	for part := range slices.Chunk(args, 4*chunk) {
		if _, err := tx.ExecContext(ctx, "INSERT INTO incident_links (tenant, kind, value, number) VALUES "+tuples(len(part)/4, 4), part...); err != nil {
			return err
		}
	}
	return nil
}

func (tx *tx) putNotice(ctx context.Context, n glassward.Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	routed := int64(0)
	if n.Held != "" {
		routed = micros(tx.now) // it goes to nobody by itself
	}
	res, err := tx.ExecContext(ctx, "INSERT INTO notices (id, tenant, grp, incident, created, routed, body, sum, held) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		string(n.ID), n.Tenant, n.Group, n.Incident, micros(n.Created), routed, string(body), bodySum(body), n.Held)
	if err != nil {
		return err
	}
	if added, err := res.RowsAffected(); err != nil || added == 0 {
		return err // it is owed already
	}
	if n.Kind == notify.Beat {
		return nil // it is dropped as soon as the courier has it
	}
	return tx.journal(ctx, "notice", n.Tenant, map[string]any{
		"id": n.ID, "group": n.Group, "incident": n.Incident, "alert": n.Alert, "kind": n.Kind, "severity": n.Severity, "why": n.Why, "held": n.Held,
	}, nil)
}

// Watermark gives how far a rule has come in a tenant's records, nil if it never
// was evaluated.
func (s *Store) Watermark(ctx context.Context, tenant, rule string) ([]byte, error) {
	var mark []byte
	err := s.readers.QueryRowContext(ctx, "SELECT mark FROM watermarks WHERE tenant = ? AND rule = ?", tenant, rule).Scan(&mark)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read the watermark of rule %s: %w", rule, err)
	}
	return mark, nil
}
