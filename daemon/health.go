package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/config"
	"glassward/incident"
	"glassward/ingest"
	"glassward/logstore"
	"glassward/notify"
	"glassward/rule"
)

// tell commits faults of our own and wakes the courier, whether or not whoever
// found them still waits for it. A fault that cannot be committed is logged, and
// told when the store takes it.
func (d *Daemon) tell(ctx context.Context, tenant string, faults ...incident.Health) {
	ctx = context.WithoutCancel(ctx)
	for _, f := range faults {
		u := untold{tenant, f}
		var err error
		if !d.untold.waits(u) {
			if err = d.report(ctx, tenant, f); err == nil {
				continue
			}
		}
		d.log.Error("a fault could not be told yet", "fault", f.Title, "detail", f.Detail, "error", err)
		if !d.untold.add(u) {
			d.log.Error("too many faults could not be told: this one will not be", "fault", f.Title)
		}
	}
}

// report commits one fault.
func (d *Daemon) report(ctx context.Context, tenant string, f incident.Health) error {
	changes, err := d.desk.Report(ctx, tenant, f)
	if errors.Is(err, incident.ErrEvidence) {
		// Everything stands but the raw records in the journal.
		d.log.Error("a fault was told without its raw records", "fault", f.Title, "error", err)
		err = nil
	}
	if err != nil {
		return err
	}
	if len(changes.Notices) > 0 {
		d.courier.Wake()
	}
	for _, a := range changes.Alerts {
		d.log.Warn(a.Title, "detail", a.Description)
	}
	return nil
}

// stateDamaged notes a stored thing that was found to be not what it was. It is
// called in the middle of reading, so it is told from elsewhere.
func (d *Daemon) stateDamaged(err error) {
	d.log.Error("the control store holds something damaged", "error", err)
	// Once: telling reads the store again, and may meet the same thing there.
	if !d.damaged.CompareAndSwap(false, true) {
		return
	}
	go func() {
		<-d.ready
		d.tell(context.Background(), "", incident.Health{
			Cause: "store-damaged", Subject: "state.db", Title: "Something in the control store is damaged",
			Detail: err.Error() + "\nIt is passed over, and so is what else is damaged: the log names it.",
			Since:  d.started,
		})
	}()
}

// greet tells what was found while starting.
func (d *Daemon) greet(ctx context.Context) {
	for _, note := range d.state.Notes() {
		d.tell(ctx, "", incident.Health{
			Cause: "store-damaged", Subject: "state.db", Title: "The control store was damaged and has been mended",
			Detail: note, Since: d.now(),
		})
	}
	for _, t := range d.config.Each {
		d.tellShut(ctx, t)
	}
	d.tellGone(ctx, d.gone)
	d.keepFormer(ctx, d.config, d.o.Problems)
	d.tellDependents(ctx, d.config)
	d.tellProblems(ctx, d.o.Problems)
	d.tellRuleProblems(ctx)
}

// tellProblems makes an alarm of each tenant file that is broken. Its tenant is
// not watched, so the alarm goes to every group.
func (d *Daemon) tellProblems(ctx context.Context, problems []config.Problem) {
	d.mu.RLock()
	c := d.config
	d.mu.RUnlock()
	for _, p := range problems {
		if p.Warning {
			continue
		}
		if _, watched := c.Tenant(p.Dependent); p.Dependent != "" && watched {
			continue // tellDependents tells of it
		}
		if p.Collection != "" {
			d.tell(ctx, p.Collection, incident.Health{
				Cause: "collection-file", Subject: p.File, Title: fmt.Sprintf("%s is broken: it counts for nothing", p.File),
				Detail: p.Error() + "\nThe tenant is watched. Its own tables and data collection rules are as they were before this file was read; after a start there are none.", Since: d.changed(p.File),
			})
			continue
		}
		d.tell(ctx, "", incident.Health{
			Cause: "tenant-file", Subject: p.File, Title: fmt.Sprintf("Tenant file %s is broken: this tenant is not watched", p.File),
			Detail: p.Error(), Since: d.changed(p.File),
		})
	}
}

// changed gives when a file was written last: since then it is as it is, however
// often it is read. Of one that cannot be looked at it gives the daemon's start.
func (d *Daemon) changed(file string) time.Time {
	info, err := os.Stat(file)
	if err != nil {
		return d.started
	}
	return info.ModTime()
}

func (d *Daemon) tellRuleProblems(ctx context.Context) {
	for _, p := range d.rules.FunctionProblems {
		if !p.Failed() {
			d.log.Warn("function file", "file", p.File, "problem", p.Error())
			continue
		}
		d.tell(ctx, "", incident.Health{
			Cause: "function-file", Subject: p.File, Title: fmt.Sprintf("Function file %s is broken: rules that use it do not judge", p.File),
			Detail: p.Error(), Since: d.changed(filepath.Join(d.config.Functions, p.File)),
		})
	}
	for _, p := range d.rules.Problems {
		if !p.Failed() {
			d.log.Warn("rule file", "file", p.File, "problem", p.Error())
			continue
		}
		d.tell(ctx, "", incident.Health{
			Cause: "rule-file", Subject: p.File, Title: fmt.Sprintf("Rule file %s is broken: its rule does not judge", p.File),
			Detail: p.Error(), Since: d.changed(filepath.Join(d.config.Rules, p.File)),
		})
	}
}

// ruleHealth is the word about a rule that fails, or works again.
func (w *workspace) ruleHealth(o rule.Outcome) incident.Health {
	h := incident.Health{Cause: "rule", Subject: o.RuleID, Since: w.d.now(), Over: o.Recovered}
	name := o.RuleID
	if r, ok := w.d.lookupRule(o.RuleID); ok {
		name = r.Name
	}
	for _, s := range w.states() {
		if s.ID == o.RuleID && !s.Since.IsZero() {
			h.Since = s.Since
		}
	}
	h.Title = fmt.Sprintf("Rule %q cannot be judged", name)
	if o.Recovered {
		h.Title = fmt.Sprintf("Rule %q works again", name)
		return h
	}
	h.Detail = fmt.Sprintf("%v\nWhat comes meanwhile is kept and will be judged when the rule works again.", o.Err)
	return h
}

// trouble makes an alarm of what stands between the courier and a receiver. It
// goes to other groups: the one concerned may not hear it.
//
// It never makes an alarm of an alarm about itself: a health notice that nobody
// takes, or one of a rule that watches our own tables, would owe the next one, for
// ever. Such a one is logged, as the courier
// has done already, and status shows it.
func (d *Daemon) trouble(t notify.Trouble) {
	ctx := context.Background()
	groups := d.otherGroups(t.Tenant, t.Group)
	about := (t.Notice.Kind == "health" || t.Notice.Inward) && (t.Kind == notify.RefusedNotice || t.Kind == notify.Unrouted)
	if about || !d.heard(groups) {
		return
	}
	d.tell(ctx, t.Tenant, incident.Health{
		Cause: incident.Code(t.Kind), Subject: t.Receiver + t.Group, Title: t.String(),
		Detail: t.String() + "\nglassward notify test " + t.Group + " tries every receiver of the group.",
		Since:  t.Since, Over: t.Over, Groups: groups,
	})
}

// heard says whether anybody is in one of the groups.
func (d *Daemon) heard(groups []string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.ContainsFunc(groups, func(g string) bool { return len(d.config.Receivers(g)) > 0 })
}

// otherGroups gives the groups that may hear of a tenant's affairs, but one: its
// own, and those that are no other tenant's. Where there is no other, that one.
func (d *Daemon) otherGroups(tenant, group string) []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	has := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(g string) bool { return strings.EqualFold(g, name) })
	}
	mine := d.groupsOf(tenant)
	strange := func(name string) bool {
		if tenant == "" || has(mine, name) {
			return false
		}
		for id, list := range d.former {
			if id != tenant && has(list, name) {
				return true
			}
		}
		return slices.ContainsFunc(d.config.Each, func(t config.Tenant) bool { return t.ID != tenant && has(t.ActionGroups, name) })
	}
	var out []string
	for _, g := range d.groupsOf("") {
		if !strings.EqualFold(g, group) && !strange(g) {
			out = append(out, g)
		}
	}
	if len(out) == 0 {
		return mine
	}
	return out
}

func (d *Daemon) reportDisk(ctx context.Context, w *workspace, low *logstore.DiskLowError) {
	w.mu.Lock()
	if w.paused.IsZero() {
		w.paused = d.now()
	}
	since := w.paused
	w.mu.Unlock()
	d.tell(ctx, w.tenantID(), incident.Health{
		Cause: "disk", Subject: w.tenantID(), Title: "Intake pauses: the disk is nearly full",
		Detail: low.Error() + "\nNothing is dropped: pushes are answered 503, folders wait.", Since: since,
	})
}

// diskIsWell ends the fault that reportDisk began.
func (d *Daemon) diskIsWell(ctx context.Context, w *workspace) {
	w.mu.Lock()
	since := w.paused
	w.paused = time.Time{}
	w.mu.Unlock()
	if !since.IsZero() {
		d.tell(ctx, w.tenantID(), incident.Health{
			Cause: "disk", Subject: w.tenantID(), Title: "Intake goes on: the disk has room again", Since: since, Over: true,
		})
	}
}

func (d *Daemon) reportSource(ctx context.Context, w *workspace, name string, err error) {
	if defect := new(ingest.PanicError); errors.As(err, &defect) {
		w.log.Error("a source panicked; this is a defect of ours", "source", name, "stack", string(defect.Stack))
	}
	w.mu.Lock()
	known := !w.failing[name].IsZero()
	since := w.d.now()
	if !known {
		w.failing[name] = since
	}
	delete(w.well, name)
	w.mu.Unlock()
	if known {
		return
	}
	w.log.Error("a source cannot be read", "source", name, "error", err)
	d.tell(ctx, w.tenantID(), incident.Health{
		Cause: "source", Subject: name, Title: sourceTitle(name),
		Detail: fmt.Sprintf("%v\nIt is tried again every few seconds, from where it stopped.", err), Since: since,
	})
}

func sourceTitle(name string) string { return fmt.Sprintf("Source %s cannot be read", name) }

// sourceIsWell ends the fault that reportSource began, were it before a restart.
func (d *Daemon) sourceIsWell(ctx context.Context, w *workspace, name string) {
	w.mu.Lock()
	since, well := w.failing[name], w.well[name]
	delete(w.failing, name)
	w.well[name] = true
	w.mu.Unlock()
	if !well {
		d.tell(ctx, w.tenantID(), incident.Health{
			Cause: "source", Subject: name, Title: sourceTitle(name), Since: since, Over: true,
		})
	}
}

// reportConflicts makes an alarm of copies that contradict what is stored.
func (w *workspace) reportConflicts(ctx context.Context, list []logstore.Conflict) {
	var faults []incident.Health
	for _, c := range list {
		faults = append(faults, incident.Health{
			Cause: "conflict", Subject: c.ID.String(), Title: fmt.Sprintf("Two copies of one record of %s contradict each other", c.Table),
			Detail: fmt.Sprintf("Record %s: column %s says %q by %s (%s) and %q by %s (%s, line %d). Both are kept; the copy has the id %s.",
				c.ID, c.Column, c.Stored, c.StoredSource, c.StoredProvenance, c.Copy, c.CopySource, c.Provenance, c.Line, c.Beside),
			Since: w.d.now(), Records: []glassward.RecordID{c.ID, c.Beside},
		})
	}
	w.d.tell(ctx, w.tenantID(), faults...)
}

// reportRecovery tells what opening the event store had to mend.
func (w *workspace) reportRecovery(ctx context.Context) {
	r := w.store.Recovery()
	if len(r.Aside) == 0 && !r.Lost {
		return
	}
	detail := fmt.Sprintf("%s: %d bytes behind the last whole commit were cut off. Kept aside: %s.", r.Why, r.Cut, strings.Join(r.Aside, ", "))
	if r.Lost {
		detail += fmt.Sprintf(" Records up to number %d had been acknowledged and those up to %d are there: ingest again what the sources still have.", r.Acknowledged, r.Found)
	} else {
		detail += " Nothing that had been acknowledged is missing."
	}
	w.d.tell(ctx, w.tenantID(), incident.Health{
		Cause: "store-damaged", Subject: "logs.duckdb", Title: "The event store was damaged and has been mended",
		Detail: detail, Since: w.d.now(),
	})
}
