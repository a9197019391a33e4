package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"glassward"
	"glassward/incident"
)

// Traffic gives what the tenant's alarms were to the group. One that is damaged is
// as none: more goes out one by one than had to.
func (tx *tx) Traffic(ctx context.Context, tenant, group string) (incident.Traffic, error) {
	var t incident.Traffic
	var body string
	err := tx.QueryRowContext(ctx, "SELECT body FROM traffic WHERE tenant = ? AND grp = ?", tenant, group).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return t, nil
	}
	if err != nil {
		return t, fmt.Errorf("read the traffic to %s: %w", group, err)
	}
	if err := json.Unmarshal([]byte(body), &t); err != nil {
		tx.s.damaged(fmt.Errorf("traffic to %s: %w: %w", group, ErrDamaged, err))
		return incident.Traffic{}, nil
	}
	return t, nil
}

// PutTraffic keeps it.
func (tx *tx) PutTraffic(ctx context.Context, tenant, group string, t incident.Traffic) error {
	body, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("keep the traffic to %s: %w", group, err)
	}
	var began time.Time
	for _, c := range []*incident.Collection{t.Storm, t.Beyond, t.Declared} {
		if c != nil && c.Began.After(began) {
			began = c.Began
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO traffic (tenant, grp, due, began, body) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (tenant, grp) DO UPDATE SET due = excluded.due, began = excluded.began, body = excluded.body`, tenant, group, micros(t.Due()), micros(began), string(body))
	if err != nil {
		return fmt.Errorf("keep the traffic to %s: %w", group, err)
	}
	return nil
}

// heldAtMost bounds the notices of one collection that are read for its digest:
// the latest. The others are kept like these.
const heldAtMost = 5000

// Held gives the notices that the collections hold, oldest first.
func (tx *tx) Held(ctx context.Context, tenant string, keys []string) (map[string][]glassward.Notice, error) {
	out := map[string][]glassward.Notice{}
	for _, key := range keys {
		rows, err := tx.QueryContext(ctx, "SELECT "+noticeColumns+" FROM notices n WHERE n.tenant = ? AND n.held = ? AND n.held <> '' ORDER BY n.created DESC, n.id DESC LIMIT 0+?", tenant, key, heldAtMost)
		list, err := tx.s.noticesOf(rows, err)
		if err != nil {
			return nil, err
		}
		slices.Reverse(list)
		out[key] = list
	}
	return out, nil
}

// Storms gives the notices about an incident that tell of storms or of what was
// collected, oldest first. An incident stands for few.
func (tx *tx) Storms(ctx context.Context, tenant string, number int64) ([]glassward.Notice, error) {
	rows, err := tx.QueryContext(ctx, "SELECT "+noticeColumns+` FROM notices n WHERE n.tenant = ? AND n.incident = ? AND n.body LIKE '%"storm":"%' ORDER BY n.created DESC, n.id DESC LIMIT 100`, tenant, number)
	list, err := tx.s.noticesOf(rows, err)
	if err != nil {
		return nil, err
	}
	slices.Reverse(list)
	return slices.DeleteFunc(list, func(n glassward.Notice) bool { return n.Storm == "" }), nil
}

// StormOf gives the incident that stands for the latest storm that a group was told
// of since a time, 0 if there was none.
func (s *Store) StormOf(ctx context.Context, tenant, group string, since time.Time) (int64, error) {
	var number int64
	err := s.readers.QueryRowContext(ctx, `SELECT incident FROM notices WHERE tenant = ? AND LOWER(grp) = LOWER(?) AND incident > 0 AND created >= ? AND body LIKE '%"storm":"%'
		ORDER BY created DESC, id DESC LIMIT 1`, tenant, group, micros(since)).Scan(&number)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for the storm that %s was told of: %w", group, err)
	}
	return number, nil
}

// Collecting gives the groups of which something is collected that is due at now,
// or that began by a clock that stood later, and when the next is due.
func (s *Store) Collecting(ctx context.Context, now time.Time, limit int) (due []incident.GroupRef, next time.Time, err error) {
	wrap := func(err error) error { return fmt.Errorf("look what was collected: %w", err) }
	var first sql.NullInt64
	if err := s.readers.QueryRowContext(ctx, "SELECT MIN(due) FROM traffic WHERE due > 0").Scan(&first); err != nil {
		return nil, next, wrap(err)
	}
	if !first.Valid {
		return nil, next, nil
	}
	next = fromMicros(first.Int64)
	rows, err := s.readers.QueryContext(ctx, "SELECT tenant, grp FROM traffic WHERE due > 0 AND (due <= ? OR began > ?) ORDER BY due, tenant, grp LIMIT 0+?", micros(now), micros(now), bound(limit))
	if err != nil {
		return nil, next, wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		var r incident.GroupRef
		if err := rows.Scan(&r.Tenant, &r.Group); err != nil {
			return nil, next, wrap(err)
		}
		due = append(due, r)
	}
	if err := rows.Err(); err != nil {
		return nil, next, wrap(err)
	}
	return due, next, nil
}
