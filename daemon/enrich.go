package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"glassward"
	"glassward/incident"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// Bounds of what is looked up around an alert. The alarm does not wait for more.
const (
	enrichWithin  = 300 * time.Millisecond // all alerts that are committed together
	enrichRest    = 30 * time.Second       // how long a store that was too slow is left alone
	enrichAlerts  = 5                      // of what is committed together, by their records
	enrichActors  = 3
	enrichObjects = 30
	enrichChanges = 10
	enrichLater   = 30 * time.Second // an alert that went out without
	enrichWaiting = 100              // alerts that wait for it
)

// enrich looks up what was going on around the new alerts of outcomes that are
// about an emergency account or what protects one. Where the store is slow they go
// without, and the store is left alone for a while; lookLater looks it up then.
func (w *workspace) enrich(ctx context.Context, p incident.Policy, outcomes []incident.Outcome) {
	now := w.d.now()
	ctx, cancel := context.WithTimeout(ctx, enrichWithin)
	defer cancel()
	var alerts []*incident.AlertChange
	for _, o := range outcomes {
		for i := range o.Alerts {
			alerts = append(alerts, &o.Alerts[i])
		}
	}
	// Several rules find the same records: what is around those is one thing.
	looked := map[string]*glassward.Context{}
	for _, c := range alerts {
		about := incident.About(p, c.Alert)
		if c.Grew || c.Withdrawn || len(about.Accounts)+len(about.Protected) == 0 {
			continue
		}
		key := fmt.Sprint(about, c.Alert.Records)
		if around := looked[key]; around != nil {
			c.Alert.Context = around
			continue
		}
		if len(looked) == enrichAlerts {
			continue
		}
		around := &glassward.Context{Asked: now.UTC()}
		looked[key], c.Alert.Context = around, around
		for _, id := range about.Accounts {
			if holders := p.Holders[id]; len(holders) > 0 {
				around.Keys = append(around.Keys, p.Accounts[id]+": "+strings.Join(holders, ", "))
			}
		}
		if rest := w.enrichAfter.Load(); rest != nil && now.Before(*rest) {
			around.Missing = "the store was too slow a moment ago; it was not asked"
		} else if err := w.lookWithin(ctx, p, c.Alert, about, around); err != nil {
			around.Missing = "it could not be had in time: " + err.Error()
			after := now.Add(enrichRest)
			w.enrichAfter.Store(&after)
			w.log.Warn("an alert goes out without all that was to be looked up around it", "rule", c.Alert.RuleName, "title", c.Alert.Title, "error", err)
		}
	}
}

// lookWithin looks around an alert until ctx ends and no longer: the engine cannot be
// stopped while it plans a query, and the page does not wait for it. Only one look is
// under way at a time.
func (w *workspace) lookWithin(ctx context.Context, p incident.Policy, a glassward.Alert, about incident.Subjects, around *glassward.Context) error {
	if !w.looking.CompareAndSwap(false, true) {
		return errors.New("the store is still busy with what it was asked before")
	}
	var mu sync.Mutex
	left := false
	ended := make(chan error, 1)
	w.work.Go(func() {
		defer w.looking.Store(false)
		defer func() {
			if r := recover(); r != nil {
				ended <- fmt.Errorf("defect: %v", r)
			}
		}()
		ended <- w.lookAround(ctx, p, a, about, func(put func(*glassward.Context)) {
			mu.Lock()
			defer mu.Unlock()
			if !left {
				put(around)
			}
		})
	})
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = fmt.Errorf("the store had not answered within %s", enrichWithin)
	}
	mu.Lock()
	defer mu.Unlock()
	left = true // the alert is committed now, and what comes later is looked up anew
	return err
}

// later has looked up what alerts went out without.
func (w *workspace) later(alerts []glassward.Alert) {
	for _, a := range alerts {
		if a.Context == nil || a.Context.Missing == "" {
			continue
		}
		select {
		case w.unlooked <- a:
		default: // the alert says that it goes without
		}
	}
}

// lookLater looks up what was around alerts that went out without.
func (w *workspace) lookLater(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-w.unlooked:
			if err := w.lookAgain(ctx, a); err != nil && ctx.Err() == nil {
				w.log.Warn("what was around an alert could not be looked up", "rule", a.RuleName, "title", a.Title, "error", err)
			}
		}
	}
}

// lookAgain looks up what was around an alert that went out without, and keeps it.
func (w *workspace) lookAgain(ctx context.Context, a glassward.Alert) error {
	p := w.d.policy(w.tenantID())
	around := glassward.Context{Asked: w.d.now().UTC(), Keys: a.Context.Keys}
	limited, cancel := context.WithTimeout(ctx, enrichLater)
	defer cancel()
	if err := w.lookAround(limited, p, a, incident.About(p, a), func(put func(*glassward.Context)) { put(&around) }); err != nil {
		return err
	}
	return w.d.desk.Enrich(ctx, w.tenantID(), a.ID, around)
}

// A keeper puts what was found into a context.
type keeper func(put func(*glassward.Context))

// lookAround asks the store. What it had when an error came stays.
func (w *workspace) lookAround(ctx context.Context, p incident.Policy, a glassward.Alert, about incident.Subjects, keep keeper) error {
	actors := about.Actors[:min(len(about.Actors), enrichActors)]
	who := slices.Concat(about.Accounts, actors)
	if len(who) > 0 {
		rows, err := w.ask(ctx, fmt.Sprintf("SigninLogs | where TimeGenerated between (%s .. %s) and UserId in~ (%s)"+latestSignIn, datetimeOf(a.End.Add(-24*time.Hour)), datetimeOf(a.End), idsOf(who)))
		if err != nil {
			return err
		}
		keep(func(c *glassward.Context) { c.SignIns = signIns(p, rows) })
	}
	if err := w.changesBefore(ctx, p, a, slices.Concat(about.Protected, who), keep); err != nil || len(about.Accounts) == 0 {
		return err
	}
	// The whole of what is kept: the slowest comes last.
	rows, err := w.ask(ctx, fmt.Sprintf("SigninLogs | where TimeGenerated < %s and UserId in~ (%s) and ResultType == '0'"+latestSignIn, datetimeOf(a.Start.Add(-time.Minute)), idsOf(about.Accounts)))
	if err != nil {
		return err
	}
	uses := signIns(p, rows)
	for _, id := range about.Accounts {
		if name := p.Accounts[id]; !slices.ContainsFunc(uses, func(s glassward.SignIn) bool { return s.Account == name }) {
			uses = append(uses, glassward.SignIn{Account: name})
		}
	}
	keep(func(c *glassward.Context) { c.LastUses = uses })
	return nil
}

// changesBefore looks up the audit records of the day before an alert that name one
// of the ids, or what protects the accounts.
func (w *workspace) changesBefore(ctx context.Context, p incident.Policy, a glassward.Alert, ids []string, keep keeper) error {
	var watched []string
	for id := range p.Protected {
		if glassward.IsGUID(id) {
			watched = append(watched, id)
		}
	}
	slices.Sort(watched)
	watched = slices.Concat(ids, watched)
	watched = slices.DeleteFunc(watched, func(id string) bool { return !glassward.IsGUID(id) })
	watched = watched[:min(len(watched), enrichObjects)]
	if len(watched) == 0 {
		return nil
	}
	rows, err := w.ask(ctx, fmt.Sprintf(`AuditLogs
| where TimeGenerated between (%s .. %s)
| where tostring(TargetResources) has_any (%s) or tostring(InitiatedBy) has_any (%[3]s)
| top %d by TimeGenerated desc
| project tostring(TimeGenerated), OperationName, Result,
    iff(isnotempty(tostring(InitiatedBy.user.userPrincipalName)), tostring(InitiatedBy.user.userPrincipalName), tostring(InitiatedBy.app.displayName)),
    iff(isnotempty(tostring(TargetResources[0].displayName)), tostring(TargetResources[0].displayName), tostring(TargetResources[0].userPrincipalName)), tostring(_ItemId)`,
		datetimeOf(a.End.Add(-24*time.Hour)), datetimeOf(a.End), idsOf(watched), enrichChanges+min(len(a.Records), 100)+1))
	if err != nil {
		return err
	}
	var changes []glassward.DirectoryChange
	more := false
	for _, r := range rows {
		if slices.ContainsFunc(a.Records, func(id glassward.RecordID) bool { return id.String() == r[5] }) {
			continue // the alert itself
		}
		if len(changes) == enrichChanges {
			more = true
			break
		}
		changes = append(changes, glassward.DirectoryChange{Time: timeOf(r[0]), Operation: r[1], Result: r[2], By: r[3], Target: r[4], Record: r[5]})
	}
	keep(func(c *glassward.Context) { c.Changes, c.MoreChanges = changes, more })
	return nil
}

const latestSignIn = `
| summarize arg_max(TimeGenerated, *) by Who = tolower(UserId)
| project Who, tostring(TimeGenerated), IPAddress, Location, AppDisplayName, tostring(AuthenticationDetails), ConditionalAccessStatus, ResultType, tostring(_ItemId), UserPrincipalName
| order by Who asc`

func signIns(p incident.Policy, rows [][]string) []glassward.SignIn {
	var out []glassward.SignIn
	for _, r := range rows {
		s := glassward.SignIn{Account: r[9], Time: timeOf(r[1]), Address: r[2], Place: r[3], Application: r[4], Method: methods(r[5]), ConditionalAccess: r[6], Result: r[7], Record: r[8]}
		if name := p.Accounts[r[0]]; name != "" {
			s.Account = name
		}
		out = append(out, s)
	}
	return out
}

// methods gives the names of the methods in AuthenticationDetails.
func methods(text string) string {
	var steps []struct {
		Method string `json:"authenticationMethod"`
	}
	if json.Unmarshal([]byte(text), &steps) != nil {
		return ""
	}
	var out []string
	for _, s := range steps {
		if s.Method != "" && !slices.Contains(out, s.Method) {
			out = append(out, s.Method)
		}
	}
	return strings.Join(out, ", ")
}

// datetimeOf writes a time, idsOf ids, as KQL. Ids are GUIDs and need no escaping.
func datetimeOf(t time.Time) string {
	return "datetime(" + t.UTC().Format("2006-01-02T15:04:05.9999999Z") + ")"
}

func idsOf(ids []string) string { return "'" + strings.Join(ids, "', '") + "'" }

func timeOf(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// ask runs a query whose columns are all texts.
func (w *workspace) ask(ctx context.Context, text string) ([][]string, error) {
	if w.asks != nil {
		return w.asks(ctx, text)
	}
	program, problems := kql.Compile(text, kql.Options{Catalog: schema.Default().Catalog(), Window: kql.AllRecords, File: "enrichment"})
	if problems.HasErrors() {
		return nil, problems.Err()
	}
	result, err := w.store.Run(ctx, program, kql.Bind{Now: value.FromTime(w.d.now())}, logstore.Limits{Class: logstore.Rules, Timeout: enrichLater, MaxRows: 200})
	if err != nil {
		return nil, err
	}
	rows := make([][]string, len(result.Rows))
	for i, r := range result.Rows {
		rows[i] = make([]string, len(r))
		for j, v := range r {
			rows[i][j], _ = v.(string)
		}
	}
	return rows, nil
}
