package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/notify"
)

// PutNotice commits a notice that no incident owes: kind test, or a word to the
// previous receivers before a configuration changes. A notice whose id is
// stored already changes nothing.
func (s *Store) PutNotice(ctx context.Context, n glassward.Notice) error {
	return s.write(ctx, func(tx *tx) error { return tx.putNotice(ctx, n) })
}

// noticeColumns are what scanNotice reads, of the table named n.
const noticeColumns = "n.id, n.tenant, n.grp, n.incident, n.created, n.body, n.sum"

// scanNotice reads a notice, with other columns that come first. A damaged one
// still goes out, by what stands beside its body: an alarm whose words are lost
// is an alarm.
func (s *Store) scanNotice(rows *sql.Rows, others ...any) (glassward.Notice, error) {
	var n glassward.Notice
	var id, tenant, group, body, sum string
	var number, created int64
	if err := rows.Scan(append(others, &id, &tenant, &group, &number, &created, &body, &sum)...); err != nil {
		return n, fmt.Errorf("read notices: %w", err)
	}
	err := json.Unmarshal([]byte(body), &n)
	if err == nil && bodySum([]byte(body)) == sum && string(n.ID) == id {
		return n, nil
	}
	s.damaged(fmt.Errorf("notice %s: %w: its content does not have its checksum", id, ErrDamaged))
	return glassward.Notice{
		ID: glassward.NoticeID(id), Tenant: tenant, Group: group, Incident: number, Created: fromMicros(created), Severity: glassward.High,
		Kind: "health", Why: "this notice was owed, and its text was damaged in the control store: look at the incident",
	}, nil
}

func (s *Store) noticesOf(rows *sql.Rows, err error) ([]glassward.Notice, error) {
	if err != nil {
		return nil, fmt.Errorf("read notices: %w", err)
	}
	defer rows.Close()
	var out []glassward.Notice
	for rows.Next() {
		n, err := s.scanNotice(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read notices: %w", err)
	}
	return out, nil
}

// Unrouted gives at most limit notices, oldest first, that have no delivery:
// nobody has claimed them yet, or their action group has no receivers. They are
// owed all the same.
func (s *Store) Unrouted(ctx context.Context, limit int) ([]glassward.Notice, error) {
	return s.noticesOf(s.readers.QueryContext(ctx, "SELECT "+noticeColumns+" FROM notices n WHERE routed = 0 ORDER BY created, id LIMIT 0+?", bound(limit)))
}

// Notices gives at most limit notices of an incident, oldest first.
func (s *Store) Notices(ctx context.Context, tenant string, number int64, limit int) ([]glassward.Notice, error) {
	return s.noticesOf(s.readers.QueryContext(ctx, "SELECT "+noticeColumns+" FROM notices n WHERE tenant = ? AND incident = ? ORDER BY created, id LIMIT 0+?", tenant, number, bound(limit)))
}

// Sent gives the deliveries of the notices whose ids begin with the given hex
// digits, at most 1000: who may hold a letter that names so much of its notice.
func (s *Store) Sent(ctx context.Context, prefix string) ([]Letter, error) {
	if prefix == "" {
		return nil, nil
	}
	wrap := func(err error) error { return fmt.Errorf("look for notice %s…: %w", prefix, err) }
	// ~ is behind every hex digit.
	rows, err := s.readers.QueryContext(ctx, "SELECT d.receiver, "+noticeColumns+" FROM notices n JOIN deliveries d ON d.notice = n.id WHERE n.id >= ? AND n.id < ? ORDER BY n.id, d.receiver LIMIT 0+?", prefix, prefix+"~", pageLimit)
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close()
	var out []Letter
	for rows.Next() {
		var l Letter
		if l.Notice, err = s.scanNotice(rows, &l.Receiver); err != nil {
			return nil, wrap(err)
		}
		out = append(out, l)
	}
	if err := rows.Err(); err != nil {
		return nil, wrap(err)
	}
	return out, nil
}

// A Letter is a notice as one receiver has it.
type Letter struct {
	Notice   glassward.Notice
	Receiver string // "group/receiver"
}

// Route adds a pending delivery, due at once, for each of the receivers ("group/
// receiver"). One that exists already is left as it is. A notice without a
// receiver cannot be routed: it stays due.
func (s *Store) Route(ctx context.Context, id glassward.NoticeID, receivers []string) error {
	if len(receivers) == 0 {
		return fmt.Errorf("route notice %s: it would go to nobody", id)
	}
	err := s.write(ctx, func(tx *tx) error {
		var tenant string
		var created int64
		err := tx.QueryRowContext(ctx, "SELECT tenant, created FROM notices WHERE id = ?", string(id)).Scan(&tenant, &created)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		added := false
		for _, r := range receivers {
			res, err := tx.ExecContext(ctx, `INSERT INTO deliveries (notice, receiver, status, attempts, created, next, settled, answer) VALUES (?, ?, 'pending', 0, ?, ?, 0, '')
				ON CONFLICT DO NOTHING`, string(id), r, created, created)
			if err != nil {
				return fmt.Errorf("to %s: %w", r, err)
			}
			n, err := res.RowsAffected()
			if err != nil {
				return fmt.Errorf("to %s: %w", r, err)
			}
			added = added || n > 0
		}
		if !added {
			return nil
		}
		if _, err := tx.ExecContext(ctx, "UPDATE notices SET routed = ? WHERE id = ?", micros(tx.now), string(id)); err != nil {
			return err
		}
		return tx.journal(ctx, "delivery", tenant, map[string]any{"notice": id, "owedTo": receivers}, nil)
	})
	if err != nil {
		return fmt.Errorf("route notice %s: %w", id, err)
	}
	return nil
}

// jobAlerts bounds the alerts that a job carries: the one that owed the notice
// and the latest others.
const jobAlerts = 25

// claimLimit bounds the jobs that are claimed at once.
const claimLimit = 10_000

// Claim gives what is due at now, oldest notice first, at most limit jobs: the
// notices that have no delivery yet (Receiver is empty) and the pending
// deliveries whose next attempt is not after now. It gives again what is not
// settled, so that a courier that died loses nothing. What is owed to the receivers in
// busy is left out.
func (s *Store) Claim(ctx context.Context, now time.Time, limit int, busy ...string) ([]notify.Job, error) {
	// It is asked every few seconds, and mostly there is nothing.
	var some bool
	due, args := "status = 'pending' AND next <= ?", []any{micros(now)}
	if len(busy) > 0 {
		due += " AND receiver NOT IN (" + places(len(busy)) + ")"
		for _, name := range busy {
			args = append(args, name)
		}
	}
	asked := "SELECT EXISTS (SELECT 1 FROM notices WHERE routed = 0) OR EXISTS (SELECT 1 FROM deliveries WHERE " + due + ")"
	if err := s.readers.QueryRowContext(ctx, asked, args...).Scan(&some); err != nil {
		return nil, fmt.Errorf("claim deliveries: %w", err)
	}
	if !some {
		return nil, nil
	}
	head, err := s.Head(ctx)
	if err != nil {
		return nil, err
	}
	owed := "SELECT '' AS receiver, 0 AS attempts, '' AS handle, n.id AS notice, n.created AS since FROM notices n WHERE n.routed = 0" +
		" UNION ALL SELECT receiver, attempts, handle, notice, created FROM deliveries WHERE " + due
	rows, err := s.readers.QueryContext(ctx, "SELECT q.receiver, q.attempts, q.handle, "+noticeColumns+" FROM ("+owed+") q JOIN notices n ON n.id = q.notice ORDER BY q.since, q.notice, q.receiver LIMIT 0+?", append(args, min(max(limit, 1), claimLimit))...)
	if err != nil {
		return nil, fmt.Errorf("claim deliveries: %w", err)
	}
	defer rows.Close()
	var jobs []notify.Job
	for rows.Next() {
		var job notify.Job
		if job.Notice, err = s.scanNotice(rows, &job.Receiver, &job.Attempt, &job.Handle); err != nil {
			return nil, err
		}
		job.Attempt++
		job.Head = head.Hash
		jobs = append(jobs, job)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("claim deliveries: %w", err)
	}
	type key struct {
		tenant string
		number int64
	}
	incidents := map[key]*glassward.Incident{}
	alerts := map[string][]glassward.Alert{}
	for i := range jobs {
		n := jobs[i].Notice
		var ids []glassward.AlertID
		if n.Incident != 0 {
			k := key{n.Tenant, n.Incident}
			if _, known := incidents[k]; !known {
				switch inc, err := s.Incident(ctx, n.Tenant, n.Incident); {
				case err == nil:
					incidents[k] = &inc
				case errors.Is(err, ErrDamaged), errors.Is(err, ErrNotFound):
					incidents[k] = nil // the notice goes out without it
				default:
					return nil, err
				}
			}
			if inc := incidents[k]; inc != nil {
				jobs[i].Incident = inc
				ids = inc.Alerts[max(0, len(inc.Alerts)-jobAlerts):]
			}
		}
		if n.Alert != "" && !slices.Contains(ids, n.Alert) {
			ids = append([]glassward.AlertID{n.Alert}, ids...)
		}
		if len(ids) == 0 {
			continue
		}
		name := n.Tenant
		for _, id := range ids {
			name += " " + string(id)
		}
		if _, ok := alerts[name]; !ok {
			if alerts[name], err = s.AlertsByID(ctx, n.Tenant, ids); err != nil {
				return nil, err
			}
		}
		jobs[i].Alerts = alerts[name]
	}
	return jobs, nil
}

// A settling is a settlement that waits for its transaction.
type settling struct {
	notify.Settlement
	taken bool // by a transaction; guarded by settleMu
	done  chan error
}

// Settle records an attempt and moves its delivery (transaction C). Settling the same
// attempt again changes nothing, and what was delivered stays delivered. Settlements
// that wait for the writer at the same time are committed together, so that many
// receivers do not wait for the disk one after the other.
func (s *Store) Settle(ctx context.Context, st notify.Settlement) error {
	mine := &settling{Settlement: st, done: make(chan error, 1)}
	s.settleMu.Lock()
	s.settlings = append(s.settlings, mine)
	s.settleMu.Unlock()
	err := s.settleNext(ctx, mine)
	if err == nil {
		select {
		case err = <-mine.done:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("settle attempt %d of notice %s to %s: %w", st.Attempt.Number, st.Attempt.Notice, st.Attempt.Receiver, err)
	}
	return nil
}

// settleNext commits what waits until one of them was taken, by it or by another. The
// error is that the writer was not to be had: whoever has it next takes what is left,
// which does no harm.
func (s *Store) settleNext(ctx context.Context, mine *settling) error {
	for {
		var batch []*settling
		err := s.write(ctx, func(tx *tx) error {
			batch = s.takeSettlings()
			for _, x := range batch {
				if err := tx.settle(ctx, x.Settlement); err != nil {
					return err
				}
			}
			return nil
		})
		for _, x := range batch {
			if err != nil && len(batch) > 1 {
				// One of them is at fault, or the disk: each finds out by itself.
				x.done <- s.write(ctx, func(tx *tx) error { return tx.settle(ctx, x.Settlement) })
			} else {
				x.done <- err
			}
		}
		s.settleMu.Lock()
		taken := mine.taken
		s.settleMu.Unlock()
		if taken {
			return nil
		}
		if err != nil && len(batch) == 0 {
			return err
		}
	}
}

// settleAtOnce bounds the settlements of one transaction: an alarm that is to be
// committed waits for no more than that.
const settleAtOnce = 64

func (s *Store) takeSettlings() []*settling {
	s.settleMu.Lock()
	defer s.settleMu.Unlock()
	n := min(len(s.settlings), settleAtOnce)
	out := s.settlings[:n:n]
	s.settlings = s.settlings[n:]
	for _, x := range out {
		x.taken = true
	}
	return out
}

func (tx *tx) settle(ctx context.Context, st notify.Settlement) error {
	a := st.Attempt
	var tenant, status string
	err := tx.QueryRowContext(ctx, "SELECT n.tenant, d.status FROM deliveries d JOIN notices n ON n.id = d.notice WHERE d.notice = ? AND d.receiver = ?", string(a.Notice), a.Receiver).Scan(&tenant, &status)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, "INSERT INTO attempts (notice, receiver, number, at, took, ok, answer) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		string(a.Notice), a.Receiver, a.Number, micros(a.At), a.Took.Microseconds(), a.OK, a.Answer)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	if err := tx.journal(ctx, "delivery", tenant, map[string]any{
		"notice": a.Notice, "receiver": a.Receiver, "attempt": a.Number, "at": a.At.UTC(), "tookMs": a.Took.Milliseconds(),
		"ok": a.OK, "status": st.Status, "answer": a.Answer,
	}, nil); err != nil {
		return err
	}
	if glassward.DeliveryStatus(status) == glassward.Delivered {
		_, err = tx.ExecContext(ctx, "UPDATE deliveries SET attempts = CASE WHEN attempts > ? THEN attempts ELSE ? END WHERE notice = ? AND receiver = ?", a.Number, a.Number, string(a.Notice), a.Receiver)
		return err
	}
	next, settled := micros(st.Next), int64(0)
	if st.Status != glassward.Pending {
		next, settled = 0, micros(a.At.Add(a.Took))
	}
	_, err = tx.ExecContext(ctx, "UPDATE deliveries SET status = ?, attempts = CASE WHEN attempts > ? THEN attempts ELSE ? END, next = ?, settled = ?, answer = ?, handle = ? WHERE notice = ? AND receiver = ?",
		string(st.Status), a.Number, a.Number, next, settled, a.Answer, st.Handle, string(a.Notice), a.Receiver)
	return err
}

// A Handle is what a receiver's service calls a message about an incident.
type Handle struct {
	Tenant   string
	Incident int64
	// Created is the incident's creation.
	Created  time.Time
	Receiver string
	Handle   string
}

// Handles gives what services call the messages about incidents that are New and
// not older than since, the newest first, at most limit: nobody has taken them up.
func (s *Store) Handles(ctx context.Context, since time.Time, limit int) ([]Handle, error) {
	const wrap = "read what services call our messages: %w"
	rows, err := s.readers.QueryContext(ctx, `SELECT i.tenant, i.number, i.created, d.receiver, d.handle
		FROM incidents i JOIN notices n ON n.tenant = i.tenant AND n.incident = i.number JOIN deliveries d ON d.notice = n.id
		WHERE i.status = 'New' AND i.created >= ? AND d.handle <> '' ORDER BY d.created DESC, d.notice, d.receiver LIMIT 0+?`, micros(since), bound(limit))
	if err != nil {
		return nil, fmt.Errorf(wrap, err)
	}
	defer rows.Close()
	var out []Handle
	for rows.Next() {
		var h Handle
		var created int64
		if err := rows.Scan(&h.Tenant, &h.Incident, &created, &h.Receiver, &h.Handle); err != nil {
			return nil, fmt.Errorf(wrap, err)
		}
		h.Created = fromMicros(created)
		out = append(out, h)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf(wrap, err)
	}
	return out, nil
}

// Hasten makes every pending delivery to the receiver due at now.
func (s *Store) Hasten(ctx context.Context, receiver string, now time.Time) error {
	err := s.write(ctx, func(tx *tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE deliveries SET next = ? WHERE status = 'pending' AND receiver = ? AND next > ?", micros(now), receiver, micros(now))
		return err
	})
	if err != nil {
		return fmt.Errorf("hasten the deliveries to %s: %w", receiver, err)
	}
	return nil
}

// NextDue gives when the next attempt is due, and false if nothing is pending.
func (s *Store) NextDue(ctx context.Context) (time.Time, bool, error) {
	var next sql.NullInt64
	if err := s.readers.QueryRowContext(ctx, "SELECT MIN(next) FROM deliveries WHERE status = 'pending'").Scan(&next); err != nil {
		return time.Time{}, false, fmt.Errorf("next delivery: %w", err)
	}
	return fromMicros(next.Int64), next.Valid, nil
}

// A DeliveryReport is a delivery with its attempts.
type DeliveryReport struct {
	glassward.Delivery
	Log []glassward.Attempt `json:"log"`
}

// Deliveries gives what became of an incident's notices, at most 1000
// deliveries, oldest first. For notices without an incident, number is 0.
func (s *Store) Deliveries(ctx context.Context, tenant string, number int64) ([]DeliveryReport, error) {
	wrap := func(err error) error { return fmt.Errorf("read the deliveries of incident %d: %w", number, err) }
	rows, err := s.readers.QueryContext(ctx, `SELECT d.notice, d.receiver, d.status, d.attempts, d.next, d.settled, d.answer FROM notices n JOIN deliveries d ON d.notice = n.id
		WHERE n.tenant = ? AND n.incident = ? ORDER BY d.created, d.notice, d.receiver LIMIT 0+?`, tenant, number, pageLimit)
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close()
	var out []DeliveryReport
	at := map[string]int{}
	for rows.Next() {
		var r DeliveryReport
		var next, settled int64
		if err := rows.Scan(&r.Notice, &r.Receiver, &r.Status, &r.Attempts, &next, &settled, &r.Answer); err != nil {
			return nil, wrap(err)
		}
		r.Next, r.Settled = fromMicros(next), fromMicros(settled)
		at[string(r.Notice)+" "+r.Receiver] = len(out)
		out = append(out, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, wrap(err)
	}
	rows, err = s.readers.QueryContext(ctx, `SELECT a.notice, a.receiver, a.number, a.at, a.took, a.ok, a.answer FROM notices n JOIN attempts a ON a.notice = n.id
		WHERE n.tenant = ? AND n.incident = ? ORDER BY a.at DESC, a.number DESC LIMIT 0+?`, tenant, number, pageLimit)
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		var a glassward.Attempt
		var when, took int64
		if err := rows.Scan(&a.Notice, &a.Receiver, &a.Number, &when, &took, &a.OK, &a.Answer); err != nil {
			return nil, wrap(err)
		}
		a.At, a.Took = fromMicros(when), time.Duration(took)*time.Microsecond
		if i, ok := at[string(a.Notice)+" "+a.Receiver]; ok {
			out[i].Log = append(out[i].Log, a)
		}
	}
	for i := range out {
		slices.Reverse(out[i].Log)
	}
	return out, rows.Err()
}

// Stats are counts for status pages and metrics.
type Stats struct {
	Open     map[string]int `json:"openIncidents"` // by tenant
	Pending  int            `json:"pendingDeliveries"`
	Failed   int            `json:"failedDeliveries"`
	Unrouted int            `json:"unroutedNotices"`
	// Collecting counts the action groups, by tenant, whose alarms are collected now:
	// in a storm, or beyond the day's limit. A digest tells of them.
	Collecting int `json:"collecting"`
	// Oldest is the creation of the oldest pending delivery, zero if none is.
	Oldest time.Time `json:"oldestPending,omitzero"`
	Head   Mark      `json:"journalHead"`
}

// Owed counts the deliveries that are pending and the notices that nobody was
// found for yet.
func (s *Store) Owed(ctx context.Context) (int, error) {
	var n int
	err := s.readers.QueryRowContext(ctx, "SELECT (SELECT COUNT(*) FROM deliveries WHERE status = 'pending') + (SELECT COUNT(*) FROM notices WHERE routed = 0)").Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count what is owed: %w", err)
	}
	return n, nil
}

// Stats counts.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	st := Stats{Open: map[string]int{}}
	var oldest sql.NullInt64
	err := s.readers.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM deliveries WHERE status = 'pending'), (SELECT COUNT(*) FROM deliveries WHERE status = 'failed'),
		(SELECT COUNT(*) FROM notices WHERE routed = 0), (SELECT COUNT(*) FROM traffic WHERE due > 0), (SELECT MIN(created) FROM deliveries WHERE status = 'pending')`).Scan(&st.Pending, &st.Failed, &st.Unrouted, &st.Collecting, &oldest)
	if err != nil {
		return st, fmt.Errorf("count deliveries: %w", err)
	}
	st.Oldest = fromMicros(oldest.Int64)
	rows, err := s.readers.QueryContext(ctx, "SELECT tenant, COUNT(*) FROM incidents WHERE status <> 'Closed' GROUP BY tenant")
	if err != nil {
		return st, fmt.Errorf("count incidents: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var tenant string
		var n int
		if err := rows.Scan(&tenant, &n); err != nil {
			return st, fmt.Errorf("count incidents: %w", err)
		}
		st.Open[strings.Clone(tenant)] = n
	}
	if err := rows.Err(); err != nil {
		return st, fmt.Errorf("count incidents: %w", err)
	}
	st.Head, err = s.Head(ctx)
	return st, err
}
