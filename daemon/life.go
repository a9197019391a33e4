package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/config"
	"glassward/lag"
	"glassward/notify"
	"glassward/state"
)

// The weekly word says that Glassward lives, so that quiet can be told from dead.
// It goes out on Tuesdays at 08:00 UTC: on a working day, and not on the one that
// everything else falls on.
const (
	lifeDay  = time.Tuesday
	lifeHour = 8
	// lifeEvery is how often it is looked whether it is time.
	lifeEvery = time.Minute
)

// lifeAt gives the last time, up to now, at which the weekly word was due.
func lifeAt(now time.Time) time.Time {
	now = now.UTC()
	at := time.Date(now.Year(), now.Month(), now.Day(), lifeHour, 0, 0, 0, time.UTC)
	for at.Weekday() != lifeDay || at.After(now) {
		at = at.AddDate(0, 0, -1)
	}
	return at
}

// A lifeMemory is what is kept of a tenant's last weekly word.
type lifeMemory struct {
	// At is the time for which it was sent, Sent when, Head how many records had
	// come until then.
	At   time.Time `json:"at"`
	Sent time.Time `json:"sent"`
	Head int64     `json:"head"`
}

// A life is what the weekly word says of a tenant.
type life struct {
	Name       string
	Since, Now time.Time
	// Fault says why the tenant is not watched, empty if it is.
	Fault string
	// Records came since Since, -1 if that is unknown; Newest is when the newest was
	// received, the zero time if there is none.
	Records int64
	Newest  time.Time
	Roads   []RoadStatus
	Way     []WayStatus
	Rules   []RuleStatus
	// Opened counts the incidents since Since, Open those that are open, Calling
	// those that people are being called about.
	Opened, Open, Calling int
	Receivers             []receiverLife
}

// A receiverLife is a receiver with when it was proven and whether it fails.
type receiverLife struct {
	notify.Proof
	FailingSince time.Time
}

// liveOn sends the weekly word until ctx ends.
func (d *Daemon) liveOn(ctx context.Context) {
	tick := time.NewTicker(lifeEvery)
	defer tick.Stop()
	for {
		for _, t := range d.tenants() {
			if err := d.sayAlive(ctx, t); err != nil && ctx.Err() == nil {
				d.log.Error("the weekly word could not be sent; the next round tries again", "tenant", t.ID, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tenants gives the configured tenants.
func (d *Daemon) tenants() []config.Tenant {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.config.Each)
}

// sayAlive sends a tenant's weekly word if it is due. One that fell into a time in
// which nothing ran goes out now; before the first, a week is waited for.
func (d *Daemon) sayAlive(ctx context.Context, t config.Tenant) error {
	now := d.now().UTC()
	due := lifeAt(now)
	subject := t.ID + "/alive"
	var last lifeMemory
	switch text, err := d.state.Memory(ctx, subject); {
	case err == nil:
		if json.Unmarshal(text, &last) != nil {
			last = lifeMemory{} // as if there had been none
		}
	case !errors.Is(err, state.ErrNotFound) && !errors.Is(err, state.ErrDamaged):
		return err
	}
	var head int64
	if w, ok := d.workspace(t.ID); ok {
		head = w.head.Load()
	}
	keep := func(m lifeMemory) error {
		text, err := json.Marshal(m)
		if err != nil {
			return err
		}
		return d.state.PutMemory(ctx, subject, text)
	}
	if last.At.IsZero() {
		return keep(lifeMemory{At: due, Sent: now, Head: head})
	}
	if !last.At.Before(due) && !last.Sent.After(now.Add(24*time.Hour)) {
		return nil
	}
	l, err := d.life(ctx, t, last)
	if err != nil {
		return err
	}
	for _, group := range t.ActionGroups {
		title, text := l.words()
		sum := sha256.Sum256([]byte(strings.Join([]string{"alive", t.ID, strings.ToLower(group), due.Format(time.RFC3339)}, "\x00")))
		n := glassward.Notice{
			ID: glassward.NoticeID(hex.EncodeToString(sum[:16])), Tenant: t.ID, Group: group, Severity: glassward.Informational,
			Kind: "alive", Created: now, Subject: title, Text: text,
			Why: "This comes every Tuesday. When it does not, Glassward or the way to you is dead.",
		}
		if err := d.state.PutNotice(ctx, n); err != nil {
			return err
		}
	}
	d.courier.Wake()
	return keep(lifeMemory{At: due, Sent: now, Head: head})
}

// life gathers what the weekly word says.
func (d *Daemon) life(ctx context.Context, t config.Tenant, last lifeMemory) (life, error) {
	l := life{Name: t.Name, Since: last.Sent, Now: d.now().UTC(), Records: -1}
	if w, ok := d.workspace(t.ID); ok {
		s, err := w.status(ctx)
		if err != nil {
			return l, err
		}
		l.Fault, l.Roads, l.Way, l.Rules = s.Paused, s.Roads, s.Way, s.Rules
		if n := s.Head - last.Head; n >= 0 {
			l.Records = n
		}
		for _, table := range s.Tables {
			if table.Received.After(l.Newest) && table.Name != auditTable && table.Name != healthTable {
				l.Newest = table.Received
			}
		}
	} else {
		l.Fault = "its store is not open"
		d.mu.RLock()
		if s, ok := d.shut[t.ID]; ok {
			l.Fault = s.err.Error()
		}
		d.mu.RUnlock()
	}
	for after := ""; ; {
		page, next, err := d.state.Incidents(ctx, state.IncidentFilter{Tenants: []string{t.ID}, From: l.Since, After: after, Limit: 1000})
		if err != nil {
			return l, err
		}
		l.Opened += len(page)
		if after = next; next == "" {
			break
		}
	}
	stats, err := d.state.Stats(ctx)
	if err != nil {
		return l, err
	}
	l.Open = stats.Open[t.ID]
	refs, _, err := d.state.Calling(ctx, d.now().AddDate(1, 0, 0), 1000)
	if err != nil {
		return l, err
	}
	for _, r := range refs {
		if r.Tenant == t.ID {
			l.Calling++
		}
	}
	failing := map[string]time.Time{}
	for _, r := range d.courier.Status() {
		failing[strings.ToLower(r.Receiver)] = r.FailingSince
	}
	for _, p := range d.proofs.List(d.now()) {
		group, _, _ := strings.Cut(p.Receiver, "/")
		if slices.ContainsFunc(t.ActionGroups, func(g string) bool { return strings.EqualFold(g, group) }) {
			l.Receivers = append(l.Receivers, receiverLife{p, failing[strings.ToLower(p.Receiver)]})
		}
	}
	return l, nil
}

// words gives the title and the lines of the weekly word. What is not well stands
// in the title, since nobody reads further where all is as every week.
func (l life) words() (title, text string) {
	var lines, faults []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	state := "is watched"
	if l.Fault != "" {
		state = "is NOT WATCHED"
		add("NOT WATCHED: %s.", strings.TrimSuffix(l.Fault, "."))
	}
	newest := "none has come yet"
	if !l.Newest.IsZero() {
		newest = "the newest came " + ago(l.Now.Sub(l.Newest))
	}
	switch {
	case l.Records < 0:
		add("Records: %s.", newest)
	default:
		add("Records: %d since %s; %s.", l.Records, day(l.Since), newest)
		if l.Records == 0 && l.Fault == "" {
			faults = append(faults, "no record came")
		}
	}
	bad := 0
	for _, r := range l.Roads {
		if r.State != lag.Fresh && r.State != lag.Warming {
			bad++
			add("Road %s, %s: %s since %s.", r.Road, r.Table, strings.ToUpper(string(r.State)), day(r.Since))
			continue
		}
		text := fmt.Sprintf("Road %s, %s: %s", r.Road, r.Table, r.State)
		if r.Learned {
			text += fmt.Sprintf(", records come %s after the event, the slowest of a hundred %s", seconds(r.P50), seconds(r.P99))
		}
		add("%s.", text)
	}
	if bad > 0 {
		faults = append(faults, count(bad, "road is", "roads are")+" not well")
	}
	for _, w := range l.Way {
		if w.Step == fmt.Sprint(lag.Told) || w.Step == fmt.Sprint(lag.Whole) {
			add("From %s: %s, the slowest of a hundred %s.", w.Step, seconds(w.P50), seconds(w.P99))
		}
	}
	enabled, failing := 0, 0
	for _, r := range l.Rules {
		if !r.Enabled {
			continue
		}
		enabled++
		if r.Error != "" {
			failing++
			add("Rule %s FAILS since %s.", r.Name, day(r.Since))
		}
	}
	add("Rules: %s, %d failing.", count(enabled, "runs", "run"), failing)
	if failing > 0 {
		faults = append(faults, count(failing, "rule fails", "rules fail"))
	}
	if enabled == 0 && l.Fault == "" {
		faults = append(faults, "no rule runs")
	}
	add("Incidents: %d since %s, %d open, %d waiting for somebody to take them up.", l.Opened, day(l.Since), l.Open, l.Calling)
	unproven := 0
	for _, r := range l.Receivers {
		text := "never proven"
		if !r.Proven.IsZero() {
			text = fmt.Sprintf("proven by %s on %s", r.By, day(r.Proven))
		}
		if !r.Due().After(l.Now) || r.Proven.IsZero() {
			unproven++
			text += ": glassward notify prove " + strings.Split(r.Receiver, "/")[0]
		}
		if !r.FailingSince.IsZero() {
			faults = append(faults, r.Receiver+" fails")
			text += ", and FAILS since " + day(r.FailingSince)
		}
		add("Receiver %s: %s.", r.Receiver, text)
	}
	if unproven > 0 {
		faults = append(faults, count(unproven, "receiver is", "receivers are")+" not proven")
	}
	title = l.Name + " " + state
	if len(faults) > 0 {
		title += ", but " + strings.Join(faults, ", ")
	}
	return title, strings.Join(lines, "\n")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d >= time.Minute {
		return strings.TrimSuffix(d.Round(time.Second).String(), "0s")
	}
	return d.Round(10 * time.Millisecond).String()
}

func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s") + " ago"
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}
