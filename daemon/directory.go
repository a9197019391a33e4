package daemon

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/access"
	"glassward/config"
	"glassward/directory"
	"glassward/directory/azure"
	"glassward/directory/change"
	"glassward/directory/graph"
	"glassward/entra"
	"glassward/incident"
	"glassward/internal/fault"
	"glassward/internal/private"
	"glassward/logstore"
	"glassward/schema"
	"glassward/state"
)

// What protects the accounts is looked at again and again, and each difference becomes
// a record, whether or not a log tells of it. The snapshot lies in a folder of its own in
// the workspace; the cursor of the source names it and is committed with the records of
// what led to it, so that a crash repeats nothing and loses nothing.
const (
	directorySource = "glassward:directory"
	// directoryFolder is where the snapshots lie, below the workspace's folder.
	directoryFolder = "directory"
	// directoryAfter is when it is looked first, directoryTick how often it is asked
	// whether it is time.
	directoryAfter = 20 * time.Second
	directoryTick  = 15 * time.Second
	// directoryWithin bounds one look.
	directoryWithin = 10 * time.Minute
	// explainAtOnce is how many differences of one look are compared with the audit log
	// before they are told; the others are told as unexplained and compared afterwards.
	explainAtOnce = 50
	// explainLeast and explainMost bound how long the record that explains a change is
	// waited for; between them it is three times what the roads are known for.
	explainLeast = time.Hour
	explainMost  = 24 * time.Hour
	// clockDoubt is how far Entra's clocks and ours may be apart.
	clockDoubt = 2 * time.Minute
)

// A directoryMark is how far the looking has come.
type directoryMark struct {
	// Snapshot is the folder of what was seen last.
	Snapshot string `json:"snapshot"`
	// Unexplained are changes that were told without the record that explains them, as
	// long as one may come.
	Unexplained []unexplained `json:"unexplained,omitempty"`
	// Wrong is what checks found wrong and what was told.
	Wrong []flaw `json:"wrong,omitempty"`
}

// An unexplained change waits for its record.
type unexplained struct {
	change.Difference
	ID string `json:"changeId"`
	// Account is the object id of the emergency account that it is about, or empty.
	Account   string    `json:"account,omitempty"`
	LastSeen  time.Time `json:"lastSeen"`
	FirstSeen time.Time `json:"firstSeen"`
	Until     time.Time `json:"until"`
}

// watchDirectory looks at what protects the accounts until the journey ends.
func (j *journey) watchDirectory() {
	w, ctx := j.w, j.ctx
	told := w.d.recallLasting(ctx, w.tenantID(), w.tenantID()+"/directory")
	source := j.tenant.Sources.Directory
	l := look{w: w, graph: j.reach.client(entra.Graph), tenant: j.tenant, told: told}
	if len(source.Subscriptions) > 0 {
		l.azure = j.reach.client(entra.ResourceManager)
	}
	var last time.Time
	wait := directoryAfter
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = directoryTick
		every := time.Duration(source.Every)
		if l.urgent(ctx) {
			every = time.Duration(source.Quick)
		}
		if !last.IsZero() && w.d.now().Sub(last) < every {
			continue
		}
		last = w.d.now()
		err := l.round(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.log.Warn("what protects the accounts could not be looked at", "error", err)
			told.begins(ctx, "look", incident.Health{
				Cause: "directory", Subject: "directory", Title: "What protects the emergency accounts cannot be looked at",
				Detail: fmt.Sprintf("%v\nIt is tried again every %s.", err, every),
			})
			continue
		}
		told.ends(ctx, "look", "What protects the emergency accounts can be looked at again")
	}
}

// A look is one tenant's looking.
type look struct {
	w      *workspace
	graph  *entra.Client
	azure  *entra.Client // nil where Azure is not looked at
	tenant config.Tenant
	told   *lasting
}

// urgent says whether an incident is open that concerns an account or what protects one.
func (l *look) urgent(ctx context.Context) bool {
	list, _, err := l.w.d.state.Incidents(ctx, state.IncidentFilter{
		Tenants: []string{l.tenant.ID}, Status: []glassward.IncidentStatus{glassward.StatusNew, glassward.StatusActive}, Limit: 100,
	})
	if err != nil {
		return true // nobody knows: looking once more costs little
	}
	return slices.ContainsFunc(list, func(inc glassward.Incident) bool {
		return len(inc.Accounts) > 0 || slices.ContainsFunc(incident.Ties(inc), func(t string) bool { return strings.HasPrefix(t, "protected:") })
	})
}

// round looks once, and writes down what is otherwise.
func (l *look) round(ctx context.Context) error {
	w := l.w
	root := filepath.Join(WorkspaceDir(w.d.o.Config.Data, l.tenant.ID), directoryFolder)
	mark, known, err := l.mark(ctx)
	if err != nil {
		return err
	}
	if err := private.MkdirAll(root); err != nil {
		return err
	}
	l.tidy(root, mark.Snapshot)
	name := w.d.now().UTC().Format("20060102T150405.000000000Z")
	dir := filepath.Join(root, name)
	if err := l.read(ctx, dir); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	l.refused(ctx, dir) // before what was refused is taken over from the last look
	var before *directory.Snapshot
	if known {
		if before, err = directory.Open(filepath.Join(root, mark.Snapshot), directory.Limits{}); err == nil {
			err = graph.Carry(dir, filepath.Join(root, mark.Snapshot))
		}
		if err != nil {
			w.log.Error("the last look at what protects the accounts is gone; this one is the first", "error", err)
			w.d.tell(ctx, l.tenant.ID, incident.Health{
				Cause: "directory-lost", Subject: "directory", Title: "The last look at what protects the emergency accounts is gone",
				Detail: fmt.Sprintf("%v\nWhat was changed between it and %s is told by logs alone.", err, w.d.now().UTC().Format(time.RFC3339)), Since: w.d.now(),
			})
			before, mark.Unexplained = nil, nil
		}
	}
	after, err := directory.Open(dir, directory.Limits{})
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	next := directoryMark{Snapshot: name}
	var records []glassward.Record
	if before != nil {
		records, next.Unexplained = l.differences(ctx, before, after)
	}
	later, waiting := l.explainLater(ctx, mark.Unexplained)
	records, next.Unexplained = append(records, later...), append(next.Unexplained, waiting...)
	last := time.Time{}
	if before != nil {
		last = before.Contents().Taken
	}
	flaws, wrong := l.judged(after, mark.Wrong, last)
	records, next.Wrong = append(records, flaws...), wrong
	if err := fault.Point("daemon.look.before"); err != nil {
		return err
	}
	if err := flushed(dir); err != nil {
		return err
	}
	position, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := fault.Point("daemon.look.flushed"); err != nil {
		return err
	}
	if _, err := w.append(ctx, records, &logstore.Cursor{Source: directorySource, Position: position}); err != nil {
		return err
	}
	if err := fault.Point("daemon.look.after"); err != nil {
		return err
	}
	l.tidy(root, name)
	return nil
}

// mark gives how far the looking has come, false before the first look.
func (l *look) mark(ctx context.Context) (m directoryMark, known bool, err error) {
	position, known, err := l.w.store.Cursor(ctx, directorySource)
	if err != nil || !known {
		return m, false, err
	}
	if err := json.Unmarshal(position, &m); err != nil {
		return m, false, fmt.Errorf("the mark of the last look cannot be read: %w", err)
	}
	// It is a name of ours and leads nowhere else.
	if m.Snapshot != filepath.Base(m.Snapshot) {
		return m, false, fmt.Errorf("the mark of the last look names %q, which is no folder's name", m.Snapshot)
	}
	return m, true, nil
}

// tidy removes looks that were not finished and those that are past.
func (l *look) tidy(root, keep string) {
	list, err := os.ReadDir(root)
	if err != nil {
		return
	}
	for _, e := range list {
		if e.Name() != keep {
			if err := os.RemoveAll(filepath.Join(root, e.Name())); err != nil {
				l.w.log.Warn("an old look at what protects the accounts could not be removed", "error", err)
			}
		}
	}
}

// read looks at what is declared and what the policies point to.
func (l *look) read(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, directoryWithin)
	defer cancel()
	o := graph.Options{Graph: l.graph, Tenant: l.tenant.ID, Dir: dir, Only: &graph.Protection{}, Now: l.w.d.now}
	for _, a := range l.tenant.EmergencyAccounts {
		if a.Kind == "servicePrincipal" {
			o.Principals = append(o.Principals, a.ObjectID)
		} else {
			o.Accounts = append(o.Accounts, a.ObjectID)
		}
	}
	for _, p := range l.tenant.ProtectedObjects {
		switch p.Kind {
		case "group":
			o.Only.Groups = append(o.Only.Groups, p.ObjectID)
		case "restrictedUnit":
			o.Only.Units = append(o.Only.Units, p.ObjectID)
		}
	}
	_, err := graph.Read(ctx, o)
	if err = errors.Join(err, fault.Point("daemon.look.read")); err != nil || l.azure == nil {
		return err
	}
	_, err = azure.Read(ctx, azure.Options{Application: l.azure, Dir: dir, Subscriptions: l.tenant.Sources.Directory.Subscriptions, Now: l.w.d.now,
		// When records arrived last is another time at each look, and told by the lag.
		Without: []directory.Part{directory.LogArrivals}})
	return err
}

// flushed has the files of a folder on the disk.
func flushed(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := private.Sync(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return errors.Join(private.SyncDir(dir), private.SyncDir(filepath.Dir(dir)))
}

// refused tells which parts could not be looked at for want of a permission. What the
// licence does not give is no fault.
func (l *look) refused(ctx context.Context, dir string) {
	m, err := directory.ReadManifest(dir)
	if err != nil {
		return
	}
	// Reviews and workflows belong to the licence that schedules of roles do: without it
	// nobody need consent to what would read them.
	governed := slices.ContainsFunc(m.Parts, func(p directory.ManifestPart) bool { return p.Part == directory.RoleSchedules && p.Read != nil })
	lacking := map[string][]string{}
	for _, p := range m.Parts {
		name := string(p.Part)
		switch {
		case p.Permission == "", p.Part == directory.DiagnosticSettings: // which Azure shows to no application
			continue
		case p.Part == directory.Users && p.Read != nil && l.tenant.Sources.Graph == nil: // a tenant without P1, to whom it is not shown
			continue
		case !governed && (p.Part == directory.AccessReviews || p.Part == directory.LifecycleWorkflows):
			continue
		case p.Part == directory.Users && p.Read != nil:
			name = "when the accounts last signed in"
		}
		lacking[p.Permission] = append(lacking[p.Permission], name)
	}
	known := graph.ProtectionPermissions()
	for _, p := range azure.Permissions() {
		known = append(known, p.Name)
	}
	for _, permission := range known {
		key := "permission " + permission
		if parts := lacking[permission]; len(parts) > 0 {
			l.told.begins(ctx, key, incident.Health{
				Cause: "directory", Subject: permission, Title: fmt.Sprintf("A part of what protects the emergency accounts cannot be looked at: %s is missing", permission),
				Detail: fmt.Sprintf("Not looked at: %s. What stood there at the last look is kept, and what is otherwise is told when it can be read again.", strings.Join(parts, ", ")),
			})
		} else {
			l.told.ends(ctx, key, fmt.Sprintf("%s is there again: what needs it is looked at", permission))
		}
	}
}

// differences gives the records of what is otherwise, and what of it no record explains
// yet.
func (l *look) differences(ctx context.Context, before, after *directory.Snapshot) (records []glassward.Record, open []unexplained) {
	now := l.w.d.now()
	until := now.Add(l.patience(now))
	list := change.Compare(before, after).Differences
	list = append(list, l.verdicts(before, after, list)...)
	for i, d := range list {
		u := unexplained{Difference: d, Account: l.account(d, before, after), LastSeen: seen(before, d), FirstSeen: seen(after, d), Until: until}
		u.ID = u.id()
		why := explanation{}
		if i < explainAtOnce {
			why = l.explain(ctx, u)
		}
		records = append(records, u.record(now, "Changed", why))
		if why.record == "" && d.Property != verdictProperty {
			open = append(open, u)
		}
	}
	if n := len(records); n > 0 {
		l.w.log.Info("what protects the accounts is otherwise than at the look before", "changes", n, "unexplained", len(open))
	}
	return records, open
}

// verdictProperty is the property, of ours and not Graph's, that says whether an
// emergency account gets in.
const verdictProperty = "verdict"

// account gives the emergency account that a difference is about: the object itself, or the
// service principal whose application it is.
func (l *look) account(d change.Difference, snapshots ...*directory.Snapshot) string {
	for _, a := range l.tenant.EmergencyAccounts {
		if strings.EqualFold(a.ObjectID, d.ID) {
			return strings.ToLower(a.ObjectID)
		}
		for _, s := range snapshots {
			if p := s.ServicePrincipal(a.ObjectID); p != nil && d.Kind == change.Application {
				if r := s.Application(p.AppID); r != nil && strings.EqualFold(r.ID, d.ID) {
					return strings.ToLower(a.ObjectID)
				}
			}
		}
	}
	return ""
}

// verdicts gives a difference for each emergency account that gets in otherwise than
// before. Of an account nothing of it changes where no difference of the directory was
// found; of a service principal it changes by time alone: credentials end.
func (l *look) verdicts(before, after *directory.Snapshot, list []change.Difference) (out []change.Difference) {
	changed := slices.ContainsFunc(list, func(d change.Difference) bool { return !strings.HasPrefix(d.ID, "/") })
	var was, is *access.Judge
	for _, a := range l.tenant.EmergencyAccounts {
		d := change.Difference{Kind: change.User, ID: strings.ToLower(a.ObjectID), Name: a.Name, Property: verdictProperty, Part: directory.Policies}
		judge := (*access.Judge).Emergency
		known := func(s *directory.Snapshot) bool { return s.User(a.ObjectID) != nil }
		switch a.Kind {
		case "", "user":
			if !changed {
				continue
			}
		case "servicePrincipal":
			d.Kind, judge = change.ServicePrincipal, (*access.Judge).Application
			known = func(s *directory.Snapshot) bool { return s.ServicePrincipal(a.ObjectID) != nil }
		default:
			continue
		}
		if !known(before) || !known(after) {
			continue
		}
		if was == nil {
			was, is = access.NewJudge(before), access.NewJudge(after)
		}
		x, y := judge(was, a.ObjectID), judge(is, a.ObjectID)
		if x.Outcome == y.Outcome {
			continue
		}
		d.Before, d.After = verdictOf(x), verdictOf(y)
		out = append(out, d)
	}
	return out
}

// verdictOf is a verdict with what keeps the account out somewhere.
func verdictOf(a *access.Assessment) json.RawMessage {
	v := struct {
		access.Outcome
		Failures []string `json:"failures,omitempty"`
	}{Outcome: a.Outcome}
	for _, f := range a.Failures {
		if name := f.Name(); !slices.Contains(v.Failures, name) {
			v.Failures = append(v.Failures, name)
		}
	}
	text, _ := json.Marshal(v) // always marshals
	return text
}

// seen is when the part of a difference was read.
func seen(s *directory.Snapshot, d change.Difference) time.Time {
	at := s.Reading(d.Part, d.ID).At
	if at.IsZero() {
		at = s.Reading(d.Part, "").At
	}
	if at.IsZero() {
		at = s.Contents().Taken
	}
	return at
}

// explainLater looks once more for the records of changes that had none.
func (l *look) explainLater(ctx context.Context, list []unexplained) (records []glassward.Record, open []unexplained) {
	now := l.w.d.now()
	for i, u := range list {
		if i < explainAtOnce {
			if why := l.explain(ctx, u); why.record != "" {
				records = append(records, u.record(now, "Explained", why))
				continue
			}
		}
		if now.Before(u.Until) {
			open = append(open, u)
		}
	}
	return records, open
}

// patience is how long the record of a change may take to come.
func (l *look) patience(now time.Time) time.Duration {
	most := time.Duration(0)
	for _, s := range l.w.lag.Status(now) {
		if s.Table == "AuditLogs" {
			most = max(most, 3*s.Lag.P99)
		}
	}
	return min(max(most, explainLeast), explainMost)
}

// id names a change by what it is and when.
func (u unexplained) id() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{u.Kind, u.Difference.ID, u.Property, u.Element, string(u.Before), string(u.After), u.FirstSeen.UTC().Format(time.RFC3339Nano)}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// record is the row of a change.
func (u unexplained) record(now time.Time, operation string, why explanation) glassward.Record {
	what := "changed"
	switch {
	case u.Before == nil && (u.Element != "" || u.Property == ""):
		what = "added"
	case u.After == nil && (u.Element != "" || u.Property == ""):
		what = "removed"
	}
	cells := map[string]any{
		"ChangeId": u.ID, "OperationName": operation, "Change": what, "ObjectKind": u.Kind, "ObjectId": strings.ToLower(u.Difference.ID), "ObjectName": u.Name, "AccountId": u.Account,
		"Property": u.Property, "Element": u.Element, "LastSeen": u.LastSeen, "FirstSeen": u.FirstSeen,
		"AuditRecord": cmp.Or(why.record, "none"), "AuditOperation": why.operation, "AuditInitiator": why.initiator,
	}
	if u.Before != nil {
		cells["Before"] = u.Before
	}
	if u.After != nil {
		cells["After"] = u.After
	}
	t, _ := schema.Lookup(changesTable)
	// The id is the change's own: what a crash has repeated is one record.
	var id glassward.RecordID
	sum := sha256.Sum256([]byte(operation + " " + u.ID))
	copy(id[:], sum[:])
	return ownRecordOf(t, id, now.UTC(), cells)
}

// An explanation is the audit record that tells of a change; the zero value is none.
type explanation struct{ record, operation, initiator string }

// explain looks for the audit record of a change: of the time between the two looks, about
// the same object and, where somebody entered or left it, about him, and of an operation
// that can have done it. What is less sure explains nothing.
func (l *look) explain(ctx context.Context, u unexplained) explanation {
	if u.Property == verdictProperty {
		return explanation{} // what follows from other changes has no record of its own
	}
	if u.azure() {
		return l.explainAzure(ctx, u)
	}
	query := fmt.Sprintf("AuditLogs | where TimeGenerated between (%s .. %s) and Result !~ 'failure' | where OperationName has_any (%s)",
		datetimeOf(u.LastSeen.Add(-clockDoubt)), datetimeOf(u.FirstSeen.Add(clockDoubt)), "'"+strings.Join(operationsOf(u.Difference), "', '")+"'")
	ids := []string{u.Difference.ID}
	if u.Property == "members" || u.Property == "owners" {
		ids = append(ids, u.Element)
	}
	for _, id := range ids {
		if glassward.IsGUID(id) && u.Kind != change.RolePolicy {
			query += fmt.Sprintf(" | where tostring(TargetResources) has '%s'", id)
		}
	}
	return l.explanationOf(ctx, query+` | top 1 by TimeGenerated desc
| project Id, OperationName, iff(isnotempty(tostring(InitiatedBy.user.userPrincipalName)), tostring(InitiatedBy.user.userPrincipalName), tostring(InitiatedBy.app.displayName))`)
}

// explanationOf asks for a record: its id, its operation and who did it.
func (l *look) explanationOf(ctx context.Context, query string) explanation {
	rows, err := l.w.ask(ctx, query)
	if err != nil {
		// It is told without, and looked up again.
		l.w.log.Warn("what explains a change could not be looked up", "error", err)
		return explanation{}
	}
	if len(rows) == 0 {
		return explanation{}
	}
	return explanation{rows[0][0], rows[0][1], rows[0][2]}
}

// azure says whether the change is one of Azure's resources, which the activity log tells.
func (u unexplained) azure() bool { return strings.HasPrefix(u.Difference.ID, "/") }

// explainAzure looks in Azure's activity log, where that is taken in.
func (l *look) explainAzure(ctx context.Context, u unexplained) explanation {
	if strings.ContainsAny(u.Difference.ID, "'\\\n") {
		return explanation{} // an id that cannot be asked for as it stands
	}
	return l.explanationOf(ctx, fmt.Sprintf(`AzureActivity | where TimeGenerated between (%s .. %s) and ActivityStatusValue in~ ('Success', 'Succeeded')
| where (ResourceId =~ '%[3]s' or _ResourceId =~ '%[3]s') and OperationNameValue has_any ('write', 'delete')
| top 1 by TimeGenerated desc | project EventDataId, OperationNameValue, Caller`,
		datetimeOf(u.LastSeen.Add(-clockDoubt)), datetimeOf(u.FirstSeen.Add(clockDoubt)), u.Difference.ID))
}

// operationsOf gives words of the operations that can have made a difference.
func operationsOf(d change.Difference) []string {
	switch d.Kind {
	case change.Group:
		return []string{"group"}
	case change.AdministrativeUnit:
		return []string{"unit"}
	case change.Policy:
		return []string{"policy"}
	case change.NamedLocation:
		return []string{"location"}
	case change.Strength:
		return []string{"strength", "combination"}
	case change.MethodsPolicy, change.MethodConfiguration:
		return []string{"authentication methods policy"}
	case change.AuthenticationContext:
		return []string{"authentication context", "AuthenticationContextClassReference"}
	case change.SecurityDefaults:
		return []string{"security defaults"}
	case change.AuthorizationPolicy:
		return []string{"authorization policy"}
	case change.RoleDefinition:
		return []string{"role definition"}
	case change.RolePolicy:
		return []string{"role setting", "PIM policy"}
	case change.Domain:
		return []string{"domain"}
	case change.ServicePrincipal, change.Application:
		switch d.Property {
		case change.Assignments, change.Schedules, change.Eligibilities:
			return []string{"role", "PIM"}
		case "appRoleAssignments":
			return []string{"app role", "consent"}
		case "owners":
			return []string{"owner"}
		}
		return []string{"service principal", "application", "credential", "credentials"}
	}
	switch d.Property {
	case change.Assignments, change.Schedules, change.Eligibilities:
		return []string{"role", "PIM"}
	case "authentication.methods", "authentication.requirements.perUserMfaState":
		return []string{"security info", "security key", "passkey", "authentication", "sign-in credential", "Windows Hello", "platform credential", "password"}
	case "lastPasswordChangeDateTime", "passwordProfile.forceChangePasswordNextSignIn":
		return []string{"password"}
	case "isManagementRestricted":
		return []string{"unit"}
	}
	return []string{"user", "account", "license", "group", "service principal"}
}
