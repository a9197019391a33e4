package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/config"
	"glassward/incident"
	"glassward/ingest/dcr"
	"glassward/notify"
	"glassward/rule"
)

// toldWithin is how long a reload that weakens something waits for one of the
// previous receivers to have taken the notice.
const toldWithin = 15 * time.Second

// Reload reads configuration and rules again and takes them over, all or
// nothing: after an error everything is as it was. What removes or weakens an
// account, a receiver or a rule is told to the receivers as they were before it
// takes effect. A tenant whose file is broken now is watched on as it was. who
// goes to GlasswardAudit.
func (d *Daemon) Reload(ctx context.Context, who string) error {
	select {
	case <-d.running:
	case <-ctx.Done():
		return fmt.Errorf("nothing was changed: the daemon does not run yet: %w", ctx.Err())
	}
	d.reload.Lock()
	defer d.reload.Unlock()
	if d.run.Err() != nil {
		return errors.New("nothing was changed: the daemon is ending")
	}
	next, problems := d.o.Load()
	if next == nil {
		return fmt.Errorf("nothing was changed: %w", joinProblems(problems))
	}
	d.mu.RLock()
	old, oldRules := d.config, d.rules
	d.mu.RUnlock()
	if old.Data != next.Data || old.Listen != next.Listen || !reflect.DeepEqual(old.TLS, next.TLS) ||
		!reflect.DeepEqual(old.Retention, next.Retention) || old.Disk != next.Disk || old.Query.Memory != next.Query.Memory {
		return errors.New("nothing was changed: data, listen, tls, retention, disk and query.memory take effect with a restart only")
	}
	if err := adoptDependents(old, next, problems); err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	keepBroken(old, next, problems)
	rules, err := d.loadRules(next)
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	fleet, err := notify.NewFleet(next.Config, d.o.Network.receivers())
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}

	opened, engines, err := d.prepare(ctx, next, rules)
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", errors.Join(err, closeAll(opened)))
	}
	lost := weakened(old, next, oldRules, rules)
	if len(lost) > 0 {
		d.warnPrevious(ctx, lost)
	}
	if err := errors.Join(d.keepRules(ctx, rules), d.keepConfiguration(ctx, next, who, lost)); err != nil {
		return fmt.Errorf("nothing was changed: %w", errors.Join(err, closeAll(opened)))
	}

	d.mu.Lock()
	d.config, d.rules, d.problems = next, rules, problems
	var gone []*workspace
	for _, t := range old.Each {
		d.former[t.ID] = t.ActionGroups
	}
	for id, w := range d.workspaces {
		if _, stays := next.Tenant(id); !stays {
			gone = append(gone, w)
			delete(d.workspaces, id)
		}
	}
	for _, w := range opened {
		d.workspaces[w.tenant.ID] = w
	}
	back := d.reopened(next)
	d.mu.Unlock()
	d.keepFormer(ctx, next, problems)
	d.setBase(next)
	if d.keeper != nil {
		if _, err := d.keeper.Look(); err != nil {
			d.log.Warn("the certificate could not be read again; the one before is shown on", "error", err)
		}
	}
	d.courier.Reload(fleet)
	d.followReceivers(ctx)
	for _, t := range next.Each {
		if e, ok := engines[t.ID]; ok {
			w, _ := d.workspace(t.ID)
			w.become(t, e)
		}
	}
	for _, w := range opened {
		w.start(d.run)
	}
	d.tellOpen(ctx, back)
	err = closeAll(gone)
	d.tellDependents(ctx, next)
	d.tellProblems(ctx, problems)
	d.tellRuleProblems(ctx)
	d.audit(deed{operation: "reload configuration", via: who, target: next.File, result: "success"})
	d.log.Info("configuration and rules were read again", "tenants", len(next.Each), "rules", len(rules.Rules))
	return err
}

func joinProblems(list []config.Problem) error {
	var errs []error
	for _, p := range list {
		if !p.Warning {
			errs = append(errs, p)
		}
	}
	return errors.Join(errs...)
}

// keepBroken lets the tenants whose files are broken now stand as they were.
func keepBroken(old, next *config.Config, problems []config.Problem) {
	for _, t := range old.Each {
		// One whose tables or data collection rules are wrong stands without them.
		if i := slices.IndexFunc(next.Each, func(n config.Tenant) bool { return n.ID == t.ID }); i >= 0 && brokenCollection(problems, t.ID) {
			next.Each[i] = t
			continue
		}
		broken := slices.ContainsFunc(problems, func(p config.Problem) bool { return p.Tenant != "" && p.File == t.File })
		if _, there := next.Tenant(t.ID); broken && !there {
			next.Each = append(next.Each, t)
		}
	}
}

// brokenCollection says whether a table or a data collection rule of a tenant is wrong.
func brokenCollection(problems []config.Problem, tenant string) bool {
	return slices.ContainsFunc(problems, func(p config.Problem) bool { return p.Collection == tenant })
}

// prepare opens the workspaces of new tenants and makes new engines for those
// that stay. Nothing of it has an effect yet.
func (d *Daemon) prepare(ctx context.Context, next *config.Config, rules *rule.Set) (opened []*workspace, engines map[string]*rule.Engine, err error) {
	engines = map[string]*rule.Engine{}
	for _, t := range next.Each {
		if w, ok := d.workspace(t.ID); ok {
			w.mu.Lock()
			before := w.engine
			w.mu.Unlock()
			if err := before.Keep(ctx); err != nil {
				return opened, nil, fmt.Errorf("tenant %s: %w", t.Name, err)
			}
			if err := w.store.MakeTables(ctx, t.Schema().Tables()); err != nil {
				return opened, nil, fmt.Errorf("tenant %s: %w", t.Name, err)
			}
			e, err := w.newEngine(ctx, t, next, rules)
			if err != nil {
				return opened, nil, fmt.Errorf("tenant %s: %w", t.Name, err)
			}
			engines[t.ID] = e
			continue
		}
		w, err := d.openWorkspace(ctx, t, next, rules)
		if err != nil && d.isShut(t.ID) {
			continue // as it was before
		}
		if err != nil {
			return opened, nil, err
		}
		opened = append(opened, w)
	}
	return opened, engines, nil
}

func closeAll(list []*workspace) error {
	var errs []error
	for _, w := range list {
		errs = append(errs, w.close())
	}
	return errors.Join(errs...)
}

// become takes over another configuration between two batches. It waits for
// that however long a batch takes, or half of the configuration would be new.
func (w *workspace) become(t config.Tenant, e *rule.Engine) {
	before := w.takeTables(t)
	w.keepBytesOf(t.Watched())
	done := make(chan struct{})
	select {
	case w.replace <- replacement{engine: e, done: done}:
		<-done
	case <-w.ctx.Done():
	}
	if !sameRoads(before, t) || w.journey.Load().renewed() {
		w.travel()
	}
}

// weakened names what a new configuration takes away.
//
// Lines are by the tenant whose people may read them; those under "" name no
// tenant and concern everybody.
func weakened(old, next *config.Config, oldRules, nextRules *rule.Set) map[string][]string {
	lost := map[string][]string{}
	tenant := ""
	say := func(format string, args ...any) { lost[tenant] = append(lost[tenant], fmt.Sprintf(format, args...)) }
	if old.Heartbeat != nil && next.Heartbeat == nil {
		say("the dead man's ping is no longer sent")
	}
	if old.Heartbeat != nil && next.Heartbeat != nil && (old.Heartbeat.URL != next.Heartbeat.URL || old.Heartbeat.Interval() < next.Heartbeat.Interval()) {
		say("the dead man's ping goes elsewhere or is rarer")
	}
	if old.PublicURL != next.PublicURL {
		say("links in notices begin with %s, no longer with %s", next.PublicURL, old.PublicURL)
	}
	if old.AcrossTenants.Compare && !next.AcrossTenants.Compare {
		say("what meets several tenants is no longer compared")
	}
	if old.AcrossTenants.Compare && next.AcrossTenants.Compare {
		for _, entry := range next.AcrossTenants.Shared {
			if !old.AcrossTenants.Shares(entry) {
				say("%s counts as shared by several tenants, and is not compared any more", entry)
			}
		}
	}
	for _, t := range old.Each {
		tenant = t.ID
		n, ok := next.Tenant(t.ID)
		if !ok {
			say("tenant %s is no longer watched", t.Name)
			continue
		}
		for _, a := range t.EmergencyAccounts {
			i := slices.IndexFunc(n.EmergencyAccounts, func(x config.EmergencyAccount) bool { return x.ObjectID == a.ObjectID })
			if i < 0 {
				say("tenant %s: emergency account %s (%s) is no longer declared", t.Name, a.ObjectID, a.Name)
				continue
			}
			x := n.EmergencyAccounts[i]
			if x.Kind != a.Kind {
				say("tenant %s: emergency account %s (%s) is declared a %s, no longer a %s", t.Name, a.ObjectID, a.Name, x.Kind, a.Kind)
			}
			for _, h := range a.Holders {
				if !slices.ContainsFunc(x.Holders, func(y string) bool { return strings.EqualFold(y, h) }) {
					say("tenant %s: %s is no longer named as a holder of %s (%s), and may review what it does", t.Name, h, a.ObjectID, a.Name)
				}
			}
		}
		if t.DependentContacts != n.DependentContacts && n.DependentContacts == config.DependentWords {
			say("tenant %s: it was accepted that whoever owns the tenant can silence its alarms", t.Name)
		}
		for _, name := range t.Domains {
			if !slices.ContainsFunc(n.Domains, func(x string) bool { return strings.EqualFold(x, name) }) {
				say("tenant %s: domain %s is no longer named as its own, so receivers there count as independent of it", t.Name, name)
			}
		}
		for _, g := range t.ActionGroups {
			if !slices.ContainsFunc(n.ActionGroups, func(x string) bool { return strings.EqualFold(x, g) }) {
				say("tenant %s: action group %s is no longer told", t.Name, g)
			}
		}
	}
	for _, t := range old.Each {
		tenant = t.ID
		n, ok := next.Tenant(t.ID)
		if !ok {
			continue
		}
		left := Roads(n)
		for _, name := range Roads(t) {
			if !slices.Contains(left, name) {
				say("tenant %s: records no longer come by the road %s", t.Name, name)
			}
		}
		if t.Sources.Directory != nil && n.Sources.Directory == nil {
			say("tenant %s: what protects the accounts is no longer looked at (sources.directory)", t.Name)
		}
		if t.Pulse != nil && n.Pulse == nil {
			say("tenant %s: no pulse is sent any more", t.Name)
		}
		for _, table := range t.Schema().Tables() {
			if _, left := n.Schema().Lookup(table.Name); !left {
				say("tenant %s: table %s is no longer declared: nothing is taken for it, and no rule sees it", t.Name, table.Name)
			}
		}
		for _, r := range t.Collection() {
			say := func(format string, args ...any) { say("tenant "+t.Name+": "+format, args...) }
			i := slices.IndexFunc(n.Collection(), func(x *dcr.Rule) bool { return x.ImmutableID == r.ImmutableID })
			if i < 0 {
				say("data collection rule %s (%s) is gone", r.Name, r.ImmutableID)
				continue
			}
			for _, stream := range r.Streams() {
				if !sameFlows(r.Flows(stream), n.Collection()[i].Flows(stream)) {
					say("data collection rule %s (%s): stream %s is gone or goes elsewhere", r.Name, r.ImmutableID, stream)
				}
			}
		}
		if t.Keep != n.Keep && n.Keep == config.KeepProtectedOnly {
			say("tenant %s: only records about the emergency accounts are kept from now on", t.Name)
		}
		for _, o := range t.ProtectedObjects {
			if !slices.ContainsFunc(n.ProtectedObjects, func(x config.ProtectedObject) bool { return x.ObjectID == o.ObjectID }) {
				say("tenant %s: protected object %s (%s) is no longer declared", t.Name, o.ObjectID, o.Name)
			}
		}
	}
	tenant = ""
	for _, name := range oldRules.Functions.Changed(nextRules.Functions) {
		say("the stored function %s, which rules may use, is gone or changed", name)
	}
	for _, g := range old.ActionGroups {
		n, ok := next.Group(g.Name)
		if !ok {
			say("action group %s is gone", g.Name)
			continue
		}
		for _, r := range g.Lost(n) {
			say("action group %s: %s is gone or changed", g.Name, r)
		}
	}
	for _, p := range next.People {
		if !slices.ContainsFunc(old.People, func(x notify.Person) bool { return reflect.DeepEqual(x, p) }) {
			say("%s may take incidents up, as people now says", p.Name)
		}
	}
	for _, s := range old.MailServers {
		if !slices.Contains(next.MailServers, s) {
			say("mail server %s is gone or changed", s.Name)
		}
	}
	for _, s := range old.PhoneProviders {
		if !slices.ContainsFunc(next.PhoneProviders, func(x notify.PhoneProvider) bool { return reflect.DeepEqual(x, s) }) {
			say("phone provider %s is gone or changed", s.Name)
		}
	}
	for _, r := range oldRules.Rules {
		i := slices.IndexFunc(nextRules.Rules, func(x *rule.Rule) bool { return x.ID == r.ID })
		switch {
		case i < 0:
			say("rule %q is gone", r.Name)
		case r.Enabled && !nextRules.Rules[i].Enabled:
			say("rule %q is switched off", r.Name)
		case judgesOtherwise(r, nextRules.Rules[i]):
			say("rule %q is changed", r.Name)
		}
	}
	return lost
}

// sameFlows says whether what a stream brings goes where it went, by the same
// transforms.
func sameFlows(a, b []*dcr.Flow) bool {
	return slices.EqualFunc(a, b, func(x, y *dcr.Flow) bool { return x.Output == y.Output && x.Transform == y.Transform })
}

// judgesOtherwise says whether a rule has become another: anything but a higher
// severity may be what keeps it from firing or from being heard.
func judgesOtherwise(r, n *rule.Rule) bool {
	return r.QueryHash() != n.QueryHash() || r.Severity > n.Severity || r.Kind != n.Kind ||
		r.Frequency != n.Frequency || r.Period != n.Period || r.Operator != n.Operator || r.Threshold != n.Threshold ||
		r.Suppression != n.Suppression || !reflect.DeepEqual(r.Override, n.Override) ||
		!reflect.DeepEqual(r.Grouping, n.Grouping) || !reflect.DeepEqual(r.Incident, n.Incident)
}

// warnPrevious tells the receivers as they are now what is about to be taken
// away, and waits until somebody of each notice has been told, or it took too
// long: a reload may be the cure of a receiver that does not answer.
func (d *Daemon) warnPrevious(ctx context.Context, lost map[string][]string) {
	var changes incident.Changes
	for _, tenant := range slices.Sorted(maps.Keys(lost)) {
		c, err := d.desk.Report(ctx, tenant, incident.Health{
			Cause: "configuration", Subject: "weakened", Title: "The configuration is being weakened",
			Detail: strings.Join(lost[tenant], "\n"),
			Since:  d.now(),
		})
		if err != nil {
			d.log.Error("the previous receivers could not be told of a weaker configuration", "tenant", tenant, "lost", lost[tenant], "error", err)
			continue
		}
		changes.Notices = append(changes.Notices, c.Notices...)
	}
	d.courier.Wake()
	ctx, cancel := context.WithTimeout(ctx, toldWithin)
	defer cancel()
	defer context.AfterFunc(d.run, cancel)()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !d.told(ctx, changes) {
		select {
		case <-ctx.Done():
			d.log.Warn("none of the previous receivers had taken the notice of a weaker configuration in time; it goes on", "after", toldWithin)
			return
		case <-tick.C:
		}
	}
}

// told says whether every notice of the changes has reached somebody.
func (d *Daemon) told(ctx context.Context, c incident.Changes) bool {
	reached := map[glassward.NoticeID]bool{}
	for _, n := range c.Notices {
		list, err := d.state.Deliveries(ctx, n.Tenant, n.Incident)
		if err != nil {
			return false
		}
		for _, x := range list {
			reached[x.Notice] = reached[x.Notice] || x.Status == glassward.Delivered
		}
		if !reached[n.ID] {
			return false
		}
	}
	return true
}
