package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"glassward"
	"glassward/incident"
	"glassward/logstore"
	"glassward/schema"
	"glassward/state"
)

// The chronicle writes what became of alarms into the tenant's own tables, so that
// queries and rules see it: it follows the journal, and each entry becomes its
// records once, because the position in the journal is the cursor that is committed
// with them.
const (
	chronicleSource = "glassward:journal"
	// chronicleRest is how long it waits for more after something was written, so
	// that a storm's records do not compete with its alarms.
	chronicleRest = 500 * time.Millisecond
	// chronicleRetry is when it tries again after it could not write.
	chronicleRetry = 5 * time.Second
	// chroniclePage is how many entries are read at once, and chronicleFar how many
	// may pass that concern another tenant until the position is kept.
	chroniclePage = 500
	chronicleFar  = 10_000
)

// A bell tells several listeners that there is something new.
type bell struct {
	mu   sync.Mutex
	list map[chan struct{}]struct{}
}

// ring never waits.
func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.list {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// listen gives a channel that has a word after each ring, and what ends that.
func (b *bell) listen() (heard <-chan struct{}, end func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.list == nil {
		b.list = map[chan struct{}]struct{}{}
	}
	b.list[c] = struct{}{}
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.list, c)
	}
}

// beginChronicle has a workspace that has no chronicle yet begin with what happens
// from now on. It comes before anything is judged, so that nothing falls between.
func (w *workspace) beginChronicle(ctx context.Context) error {
	_, known, err := w.store.Cursor(ctx, chronicleSource)
	if err != nil || known {
		return err
	}
	head, err := w.d.state.Head(ctx)
	if err != nil {
		return err
	}
	_, err = w.store.Append(ctx, logstore.Batch{Cursor: chronicleCursor(head)})
	if low := new(logstore.DiskLowError); errors.As(err, &low) {
		return nil // it begins where it can first be written
	}
	return err
}

func chronicleCursor(at state.Mark) *logstore.Cursor {
	position, _ := json.Marshal(at) // always marshals
	return &logstore.Cursor{Source: chronicleSource, Position: position}
}

// keepChronicle follows the journal until ctx ends.
func (w *workspace) keepChronicle(ctx context.Context) {
	heard, end := w.d.news.listen()
	defer end()
	c := chronicle{w: w}
	for {
		wait := time.Duration(0)
		if err := c.catchUp(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("what became of alarms could not be written into the tables; it is tried again", "error", err)
			wait = chronicleRetry
		}
		if wait == 0 {
			select {
			case <-ctx.Done():
				return
			case <-heard:
			}
			wait = chronicleRest
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// A chronicle is how far one workspace has followed the journal.
type chronicle struct {
	w *workspace
	// at is how far it has come, kept how far that is durable.
	at, kept state.Mark
	begun    bool
	raised   []raised // of the page at hand
}

func (c *chronicle) begin(ctx context.Context) error {
	position, known, err := c.w.store.Cursor(ctx, chronicleSource)
	if err != nil {
		return err
	}
	if known {
		if err := json.Unmarshal(position, &c.at); err != nil {
			return fmt.Errorf("the position in the journal cannot be read: %w", err)
		}
	}
	stands, err := c.w.d.state.Stands(ctx, c.at)
	if err != nil {
		return err
	}
	if !stands || !known {
		// The control store was put back to an earlier state: what it has written
		// since then follows the entry that says so.
		if c.at, err = c.again(ctx); err != nil {
			return err
		}
	}
	c.kept, c.begun = c.at, true
	return nil
}

// again gives where to go on in a journal that is another one than before.
func (c *chronicle) again(ctx context.Context) (state.Mark, error) {
	head, err := c.w.d.state.Head(ctx)
	if err != nil {
		return head, err
	}
	var from state.Mark
	for _, kind := range []string{"restore", "loss"} {
		e, err := c.w.d.state.Before(ctx, kind, head.Seq+1)
		if errors.Is(err, state.ErrNotFound) {
			continue
		}
		if err != nil {
			return head, err
		}
		if e.Seq > from.Seq {
			from = state.Mark{Seq: e.Seq, Hash: e.Hash}
		}
	}
	if from.Seq == 0 {
		return head, nil
	}
	return from, nil
}

// catchUp writes what the journal holds beyond the position.
func (c *chronicle) catchUp(ctx context.Context) error {
	if !c.begun {
		if err := c.begin(ctx); err != nil {
			return err
		}
	}
	for {
		head, err := c.w.d.state.Head(ctx)
		if err != nil || head.Seq <= c.at.Seq {
			return err
		}
		entries, err := c.w.d.state.JournalOf(ctx, c.w.tenantID(), c.at.Seq, chroniclePage)
		if err != nil {
			return err
		}
		to := head
		if len(entries) == chroniclePage {
			last := entries[len(entries)-1]
			to = state.Mark{Seq: last.Seq, Hash: last.Hash}
		} else {
			// What was written after the head was read has its turn in the next round.
			entries = slices.DeleteFunc(entries, func(e state.JournalEntry) bool { return e.Seq > head.Seq })
		}
		var records []glassward.Record
		c.raised = nil
		for _, e := range entries {
			list, err := c.records(ctx, e)
			if err != nil {
				return fmt.Errorf("journal entry %d: %w", e.Seq, err)
			}
			records = append(records, list...)
		}
		if len(records) > 0 || to.Seq-c.kept.Seq >= chronicleFar {
			if _, err := c.w.append(ctx, records, chronicleCursor(to)); err != nil {
				return err
			}
			c.kept = to
		}
		c.at = to
		if len(c.raised) > 0 {
			c.w.alertsTook(ctx, c.raised)
		}
	}
}

// records gives what an entry of the journal is in the tables.
func (c *chronicle) records(ctx context.Context, e state.JournalEntry) ([]glassward.Record, error) {
	var inward struct{ Inward bool }
	if err := json.Unmarshal(e.Payload, &inward); err != nil || inward.Inward {
		return nil, err
	}
	// What concerns the installation may name other tenants' affairs. Where there are
	// any, only the condition itself is written.
	shared := e.Tenant == "" && c.w.d.severalTenants()
	switch e.Kind {
	case "alert":
		return c.alert(ctx, e, shared)
	case "configuration":
		return c.configuration(ctx, e)
	}
	if shared {
		return nil, nil
	}
	switch e.Kind {
	case "incident", "acknowledgement":
		return c.incident(ctx, e)
	case "delivery":
		return c.delivery(ctx, e)
	}
	return nil, nil
}

func (d *Daemon) severalTenants() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.config.Each) > 1
}

// chronicled makes the record of an entry. Its id is derived from the entry, so that
// the same entry gives the same record.
func chronicled(table string, e state.JournalEntry, at time.Time, cells map[string]any) glassward.Record {
	t, ok := schema.Lookup(table)
	if !ok {
		panic("schema: there is no table " + table)
	}
	sum := sha256.Sum256([]byte(table + "\n" + e.Hash))
	return ownRecordOf(t, glassward.RecordID(sum[:16]), at.UTC(), cells)
}

func (c *chronicle) alert(ctx context.Context, e state.JournalEntry, shared bool) ([]glassward.Record, error) {
	var p struct {
		ID          glassward.AlertID
		Rule, Title string
		RuleVersion string
		Severity    glassward.Severity
		Start, End  time.Time
		Late        bool
		Unconfirmed bool
		NewRecords  []string
	}
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		return nil, err
	}
	found, err := c.w.d.state.AlertsByID(ctx, e.Tenant, []glassward.AlertID{p.ID})
	if err != nil {
		return nil, err
	}
	var a glassward.Alert // as it is now; empty where it was removed since
	if len(found) > 0 {
		a = found[0]
	}
	var out []glassward.Record
	if p.Rule == incident.HealthRule {
		out = append(out, conditionRecord(e, a, p.Severity, p.Unconfirmed, shared))
	}
	if shared {
		return out, nil
	}
	status := "New"
	if p.Unconfirmed {
		status = "Dismissed"
	}
	c.raise(p.Rule, p.NewRecords, a)
	cells := map[string]any{
		"SystemAlertId": string(p.ID), "AlertName": p.Title, "DisplayName": p.Title, "AlertSeverity": p.Severity.String(),
		"AlertType": p.Rule, "AlertRuleName": a.RuleName, "AlertRuleVersion": p.RuleVersion, "Description": a.Description, "Status": status,
		"StartTime": p.Start, "EndTime": p.End, "TimeReceived": a.Received, "ProcessingEndTime": a.Judged, "IsLate": p.Late,
		"Tactics": strings.Join(a.Tactics, ","), "Techniques": slices.Concat([]string{}, a.Techniques),
		"Entities": slices.Concat([]glassward.Entity{}, a.Entities), "CustomDetails": a.Details, "NewRecordCount": int64(len(p.NewRecords)),
	}
	return append(out, chronicled(alertsTable, e, e.Time, cells)), nil
}

// raise notes an alert that has got records, so that how long it took is counted.
func (c *chronicle) raise(rule string, records []string, a glassward.Alert) {
	if rule == incident.HealthRule || len(records) == 0 || a.Received.IsZero() {
		return
	}
	c.raised = append(c.raised, raised{records[len(records)-1], c.w.tablesOf(rule), a.Judged.Sub(a.Received)})
}

// conditionRecord is a health condition that was raised or is over.
func conditionRecord(e state.JournalEntry, a glassward.Alert, severity glassward.Severity, over, shared bool) glassward.Record {
	first := func(name string) string {
		if list := a.Details[name]; len(list) > 0 {
			return list[0]
		}
		return ""
	}
	code := first("Cause")
	condition, _ := incident.ConditionOf(incident.Code(code))
	status := "Warning"
	switch {
	case over:
		status = "Success"
	case severity >= glassward.High:
		status = "Failure"
	}
	cells := map[string]any{
		"OperationName": "Condition", "Status": status, "Condition": code, "Severity": severity.String(), "Reason": code,
		"Cure": condition.Cure, "Since": a.Start, "Description": condition.Text,
	}
	if !shared {
		cells["Subject"], cells["SystemAlertId"] = first("Subject"), string(a.ID)
		cells["Description"] = strings.TrimSpace(a.Title + "\n" + a.Description)
	}
	return chronicled(healthTable, e, e.Time, cells)
}

func (c *chronicle) incident(ctx context.Context, e state.JournalEntry) ([]glassward.Record, error) {
	var p struct {
		Number                        int64
		Status                        string
		Severity                      glassward.Severity
		Owner, Classification, Reason string
		By                            string
		Alerts                        int
		Timeline                      []struct{ Kind string }
	}
	if err := json.Unmarshal(e.Payload, &p); err != nil || p.Number == 0 {
		return nil, err // other things that people do are acknowledged, too
	}
	inc, err := c.w.d.state.Incident(ctx, e.Tenant, p.Number)
	if err != nil && !errors.Is(err, state.ErrNotFound) && !errors.Is(err, state.ErrDamaged) {
		return nil, err
	}
	by := p.By
	if by == "" {
		by = "Glassward"
	}
	if slices.ContainsFunc(p.Timeline, func(t struct{ Kind string }) bool { return t.Kind == "acknowledge" }) {
		if err := c.w.d.acknowledged(ctx, e.Tenant, p.Number, e.Time); err != nil {
			return nil, err
		}
	}
	cells := map[string]any{
		"IncidentNumber": p.Number, "Title": inc.Title, "Description": inc.Description, "Severity": p.Severity.String(), "Status": p.Status,
		"Owner": p.Owner, "Classification": p.Classification, "ClassificationReason": p.Reason, "ModifiedBy": by,
		"CreatedTime": inc.Created, "FirstActivityTime": inc.FirstActivity, "LastActivityTime": inc.LastActivity, "LastModifiedTime": e.Time,
		"AcknowledgedTime": until(inc.Acknowledged, e.Time), "AlertIds": slices.Concat([]glassward.AlertID{}, inc.Alerts[:min(p.Alerts, len(inc.Alerts))]),
		"RelatedAnalyticRuleIds": slices.Concat([]string{}, inc.RuleIDs), "EmergencyAccounts": slices.Concat([]string{}, inc.Accounts),
	}
	if p.Status == string(glassward.StatusClosed) {
		cells["ClosedTime"], cells["ClassificationComment"] = inc.Closed, inc.Comment
	}
	records := []glassward.Record{chronicled(incidentsTable, e, e.Time, cells)}
	if p.Status != string(glassward.StatusClosed) || p.By == "" || !slices.ContainsFunc(p.Timeline, func(t struct{ Kind string }) bool { return t.Kind == "close" }) {
		return records, nil // nobody has closed it with this entry
	}
	seals, err := c.seals(ctx, e, inc, p.By, p.Classification)
	return append(records, seals...), err
}

// Who closes the last open incident about an emergency account says that its use is
// over: the account is sealed. That is what somebody did, and goes to GlasswardAudit,
// where a rule may read it whose alerts are told and written like any other.
const (
	sealAccount = "seal account"
	// sealSessions is how many sessions a seal names at most; an incident has few.
	sealSessions = 100
)

// seals gives the records of the accounts that are sealed by the closing of an
// incident: those that no other open incident is about.
func (c *chronicle) seals(ctx context.Context, e state.JournalEntry, inc glassward.Incident, by, classification string) ([]glassward.Record, error) {
	var sessions []string
	for _, s := range inc.Seen {
		if id, ok := strings.CutPrefix(s, "session:"); ok && len(sessions) < sealSessions {
			sessions = append(sessions, id)
		}
	}
	detail := fmt.Sprintf("incident %d closed as %s", inc.Number, classification)
	if len(sessions) > 0 {
		detail += "; sessions " + strings.Join(sessions, " ")
	}
	accounts := c.w.d.policy(e.Tenant).Accounts
	var out []glassward.Record
	for _, id := range inc.Accounts {
		if _, declared := accounts[id]; !declared {
			continue
		}
		open, _, err := c.w.d.state.Incidents(ctx, state.IncidentFilter{
			Tenants: []string{e.Tenant}, Status: []glassward.IncidentStatus{glassward.StatusNew, glassward.StatusActive}, Account: id, To: e.Time.Add(time.Microsecond), Limit: 2,
		})
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(open, func(o glassward.Incident) bool { return o.Number != inc.Number }) {
			continue
		}
		one := e
		one.Hash += "/" + id // each account has a record of its own
		out = append(out, chronicled(auditTable, one, e.Time, map[string]any{"OperationName": sealAccount, "Actor": by, "Target": id, "Detail": detail, "Result": "success"}))
	}
	return out, nil
}

// until gives a time that had come already at another, and none if it had not.
func until(t, at time.Time) time.Time {
	if t.After(at.Add(time.Millisecond)) {
		return time.Time{}
	}
	return t
}

func (c *chronicle) delivery(ctx context.Context, e state.JournalEntry) ([]glassward.Record, error) {
	var p struct {
		Notice           glassward.NoticeID
		Receiver, Answer string
		Attempt, TookMs  int64
		At               time.Time
		Status           string
	}
	if err := json.Unmarshal(e.Payload, &p); err != nil || p.Attempt == 0 {
		return nil, err // who is to receive it, and no attempt yet
	}
	n, err := c.w.d.state.Notice(ctx, p.Notice)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return nil, err
	}
	if n.Inward {
		return nil, nil
	}
	ended := p.At.Add(time.Duration(p.TookMs) * time.Millisecond)
	cells := map[string]any{
		"NoticeId": string(p.Notice), "NoticeKind": n.Kind, "NoticeTime": n.Created, "Severity": n.Severity.String(), "IncidentNumber": n.Incident,
		"SystemAlertId": string(n.Alert), "ActionGroup": n.Group, "Receiver": p.Receiver, "Attempt": p.Attempt, "Status": p.Status,
		"Answer": p.Answer, "DurationMs": p.TookMs,
	}
	if !n.Created.IsZero() {
		cells["LagSeconds"] = ended.Sub(n.Created).Seconds()
	}
	return []glassward.Record{chronicled(deliveriesTable, e, ended, cells)}, nil
}

// configuration says which of the tenant's files are others than before.
func (c *chronicle) configuration(ctx context.Context, e state.JournalEntry) ([]glassward.Record, error) {
	type files struct {
		Files     map[string]string
		By        string
		TakenAway map[string][]string
	}
	var now, before files
	if err := json.Unmarshal(e.Payload, &now); err != nil {
		return nil, err
	}
	last, err := c.w.d.state.Before(ctx, "configuration", e.Seq)
	if errors.Is(err, state.ErrNotFound) {
		return nil, nil // the first of all changes nothing
	}
	if err == nil {
		err = json.Unmarshal(last.Payload, &before)
	}
	if err != nil {
		return nil, err
	}
	w := c.w
	w.mu.Lock()
	id, own := w.tenant.ID, w.tenant.File
	w.mu.Unlock()
	w.d.mu.RLock()
	paths := []string{w.d.config.File, own}
	w.d.mu.RUnlock()
	var changed []string
	for _, f := range paths {
		if f != "" && now.Files[f] != before.Files[f] {
			changed = append(changed, filepath.Base(f))
		}
	}
	lost := slices.Concat(now.TakenAway[""], now.TakenAway[id])
	if len(changed)+len(lost) == 0 {
		return nil, nil
	}
	status, severity, says := "Success", glassward.Informational, []string{fmt.Sprintf("The configuration was read anew (%s).", now.By)}
	if len(changed) > 0 {
		says = append(says, "Changed: "+strings.Join(changed, ", ")+".")
	}
	if len(lost) > 0 {
		status, severity = "Warning", glassward.High
		says = append(says, lost...)
	}
	cells := map[string]any{
		"OperationName": "Configuration", "Status": status, "Severity": severity.String(), "Reason": "changed", "Since": e.Time, "Description": strings.Join(says, "\n"),
	}
	return []glassward.Record{chronicled(healthTable, e, e.Time, cells)}, nil
}
