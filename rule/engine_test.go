package rule_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"glassward"
	"glassward/kql"
	"glassward/logstore"
	"glassward/rule"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const everyone = `-- everyone.yaml --
name: Everyone
kind: NRT
severity: Low
query: SigninLogs | project UserId, AppDisplayName, ResultType
entityMappings:
  - entityType: Account
    fieldMappings:
      - {identifier: AadUserId, columnName: UserId}
eventGroupingSettings:
  aggregationKind: AlertPerResult
`

// TestCrowd: of more results than an evaluation may make alerts of, the last
// alert holds the rest, and what came again stays where it was.
func TestCrowd(t *testing.T) {
	s := newStory(t, txtar.Parse([]byte(everyone)))
	check(t, s.line("at 10:00 tick"))
	var names []string
	for i := range 200 {
		names = append(names, fmt.Sprintf("r%03d", i))
	}
	check(t, s.line("record "+strings.Join(names, " ")+" UserId=one"))
	alerts := s.book.Alerts()
	rows, records := 0, 0
	for _, a := range alerts {
		rows += a.RowCount
		records += len(a.Records)
	}
	last := alerts[len(alerts)-1]
	if len(alerts) != 150 || rows != 200 || records != 200 || last.Group != "rest" || last.RowCount != 51 {
		t.Fatalf("%d alerts with %d rows and %d records; the last, of group %q, has %d", len(alerts), rows, records, last.Group, last.RowCount)
	}
	if last.Title != "Everyone: further results" || !strings.HasPrefix(last.Description, "More results than alerts are made of at a time (150): those beyond have no alert of their own and are in this one, 51 of them.") {
		t.Errorf("the last alert says %q, %q", last.Title, last.Description)
	}
	s.pending = nil
	check(t, s.line("at 10:01 record "+strings.Join(names, " ")+" of 10:00 UserId=one AppDisplayName=Portal"))
	if n := len(s.book.Alerts()); n != 150 {
		t.Errorf("after the records came again there are %d alerts", n)
	}
	for _, e := range s.pending {
		if e.change == nil || e.change.Kind != rule.Grown || len(e.change.NewRecords) > 0 {
			t.Errorf("not expected: %s", s.tell(e))
		}
	}
}

const withdrawn = `-- failed.yaml --
name: Failed
kind: NRT
severity: Low
query: SigninLogs | where ResultType == '50126'
eventGroupingSettings:
  aggregationKind: AlertPerResult
`

// TestWithdrawnOnArrival: a record comes again, fuller, and is no longer what
// the rule looks for.
func TestWithdrawnOnArrival(t *testing.T) {
	s := newStory(t, txtar.Parse([]byte(withdrawn)))
	for _, line := range []string{
		"at 10:00 record a b UserId=eve ResultType=50126",
	} {
		check(t, s.line(line))
	}
	if len(s.pending) != 2 {
		t.Fatalf("%d events", len(s.pending))
	}
	s.pending = nil
	check(t, s.line("at 10:01 record a of 10:00 UserId=eve ResultType=0"))
	if len(s.pending) != 1 || s.pending[0].change.Kind != rule.Unconfirmed {
		t.Fatalf("%d events: %v", len(s.pending), s.settled())
	}
	unconfirmed := 0
	for _, a := range s.book.Alerts() {
		if a.Unconfirmed {
			unconfirmed++
		}
	}
	if unconfirmed != 1 {
		t.Errorf("%d alerts are unconfirmed, want one of two", unconfirmed)
	}
}

const dressed = `-- dressed.yaml --
id: 3d1f5c07-58a8-4a05-9f4e-0c8b8d5e7a31
name: Dressed
version: 2.0.1
kind: NRT
severity: Low
description: The file's words.
tactics: [InitialAccess]
relevantTechniques: [T1078]
query: |
  SigninLogs
  | extend Urgency = iff(ResultType == '0', 'High', 'no severity'), Tactics = '["Impact", "Persistence"]', Link = 'https://example.org', Empty = ''
  | project TimeGenerated, UserId, IPAddress, ResultType, Urgency, Tactics, Link, Empty, DurationMs
entityMappings:
  - entityType: Account
    fieldMappings:
      - {identifier: AadUserId, columnName: UserId}
  - entityType: IP
    fieldMappings:
      - {identifier: Address, columnName: Empty}
customDetails:
  Code: ResultType
  Took: DurationMs
  None: Empty
alertDetailsOverride:
  alertDisplayNameFormat: "{{UserId}} with {{ ResultType }}{{Empty}}"
  alertDescriptionFormat: "From {{IPAddress}}"
  alertSeverityColumnName: Urgency
  alertTacticsColumnName: Tactics
  alertDynamicProperties:
    - {alertProperty: AlertLink, value: Link}
incidentConfiguration:
  createIncident: false
  groupingConfiguration: {enabled: true, matchingMethod: Selected, groupByEntities: [IP], lookbackDuration: PT2H, reopenClosedIncident: true}
`

// TestAlertFields: what an alert says, and where it has it from.
func TestAlertFields(t *testing.T) {
	s := newStory(t, txtar.Parse([]byte(dressed)))
	check(t, s.line("at 10:05 tick"))
	check(t, s.line("record a of 10:00:30 UserId={{IPAddress}} ResultType=0 IPAddress=203.0.113.9 DurationMs=17"))
	a := s.book.Alerts()[0]
	for _, c := range []struct{ what, got, want string }{
		{"title; a value is not looked at for columns", a.Title, "{{IPAddress}} with 0"},
		{"description", a.Description, "From 203.0.113.9"},
		{"severity", a.Severity.String(), "High"},
		{"tactics", strings.Join(a.Tactics, " "), "Impact Persistence"},
		{"techniques", strings.Join(a.Techniques, " "), "T1078"},
		{"version", a.RuleVersion, "2.0.1"},
		{"rule", a.RuleID, "3d1f5c07-58a8-4a05-9f4e-0c8b8d5e7a31"},
		{"columns", strings.Join(a.Columns, " "), "TimeGenerated UserId IPAddress ResultType Urgency Tactics Link Empty DurationMs"},
		{"row", strings.Join(a.Rows[0], "|"), `2026-03-02T10:00:30.0000000Z|{{IPAddress}}|203.0.113.9|0|High|["Impact", "Persistence"]|https://example.org||17`},
		{"details", fmt.Sprint(a.Details), "map[AlertLink:[https://example.org] Code:[0] Took:[17]]"},
		{"entities", fmt.Sprint(a.Entities), "[{Account map[AadUserId:{{IPAddress}}]}]"},
		{"start", a.Start.Format("15:04:05"), "10:00:30"},
		{"end", a.End.Format("15:04:05"), "10:00:30"},
		{"received", a.Received.Format("15:04:05"), "10:05:00"},
		{"judged", a.Judged.Format("15:04:05"), "10:05:00"},
		{"records", s.list(a.Records), "a"},
		{"query hash", a.QueryHash, s.rules[0].QueryHash()},
		{"no incident", fmt.Sprint(a.NoIncident), "true"},
		{"grouping", fmt.Sprintf("%+v", *a.Grouping), "{Enabled:true Matching:Selected Entities:[IP] AlertDetails:[] CustomDetails:[] Lookback:2h0m0s Reopen:true}"},
		{"tenant", a.Tenant, tenant},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
	// A severity that is none leaves the file's.
	check(t, s.append([]glassward.Record{})) // nothing comes, nothing happens
	s.pending = nil
	check(t, s.line("record b UserId=x ResultType=1"))
	if a := s.book.Alerts()[1]; a.Severity != glassward.Low {
		t.Errorf("the severity is %v, want the file's", a.Severity)
	}
}

// TestStoreWasPutBack: the log store comes back from a backup and gives sequence
// numbers again that were given before.
func TestStoreWasPutBack(t *testing.T) {
	s := newStory(t, txtar.Parse([]byte(everyone)))
	check(t, s.line("at 10:00 record a b c d UserId=one"))
	s.pending = nil
	again := newStory(t, txtar.Parse([]byte(everyone)))
	again.clock = s.clock
	mark, err := s.book.Watermark(t.Context(), tenant, s.rules[0].ID)
	check(t, err)
	check(t, again.book.Desk(tenant).Commit(t.Context(), rule.Outcome{RuleID: s.rules[0].ID, Watermark: mark}))
	check(t, again.line("at 10:01 record e UserId=one"))
	if n := len(again.book.Alerts()); n != 1 {
		t.Errorf("%d alerts, want one of the record that came after the store was put back", n)
	}
}

// TestTickBesideBatches: records come while windows are judged, in another
// goroutine. None is missed by either kind of rule.
func TestTickBesideBatches(t *testing.T) {
	s := newStory(t, txtar.Parse([]byte(historyRules)))
	s.clock = s.day.Add(12 * time.Hour)
	s.since = s.day.Add(11 * time.Hour)
	env := environment()
	e, err := rule.NewEngine(t.Context(), rule.Options{
		Tenant: tenant, Rules: s.rules, Catalog: env.Catalog, Watchlists: env.Watchlists,
		Runner: rule.RunnerFunc(func(ctx context.Context, p *kql.Program, b kql.Bind) (*kql.Result, error) {
			return s.store.Run(ctx, p, b, logstore.Limits{Class: logstore.Rules})
		}),
		Memory: &s.book, Desk: s.book.Desk(tenant), Now: s.now, Since: s.since,
	})
	check(t, err)
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
				if err := e.Tick(t.Context()); err != nil {
					done <- err
					return
				}
				e.States()
			}
		}
	}()
	want := map[glassward.RecordID]bool{}
	for i := range 60 {
		name, result := fmt.Sprintf("r%d", i), "50126"
		if i%3 == 0 {
			result = "0"
		}
		records, err := s.records(strings.Fields(fmt.Sprintf("%s of 11:%02d UserId=user%d ResultType=%s", name, i%50, i%4, result)))
		check(t, err)
		want[records[0].ID] = true
		c, err := s.store.Append(t.Context(), logstore.Batch{Records: records})
		check(t, err)
		check(t, e.Batch(t.Context(), rule.Batch{From: c.FirstSeq - 1, To: c.LastSeq, Records: c.Records, Updated: c.Updated}))
	}
	close(stop)
	check(t, <-done)
	check(t, e.Tick(t.Context()))
	for _, a := range s.book.Alerts() {
		for _, id := range a.Records {
			delete(want, id)
		}
	}
	if len(want) > 0 {
		t.Errorf("%d of 60 records are held by no alert", len(want))
	}
}

// TestMarksTogether: rules that have nothing to say commit their watermarks
// together, once a minute and not at every tick, and so do new rules.
func TestMarksTogether(t *testing.T) {
	rules, err := rule.Defaults()
	check(t, err)
	rules = slices.DeleteFunc(rules, func(r *rule.Rule) bool { return r.Kind != rule.NRT || !r.Enabled })
	working := len(rules)
	env := environment()
	var (
		book    rule.Notebook
		commits []int // how many outcomes each had
		clock   = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	)
	e, err := rule.NewEngine(t.Context(), rule.Options{
		Tenant: tenant, Rules: rules, Catalog: env.Catalog, Watchlists: env.Watchlists, Memory: &book,
		Runner: rule.RunnerFunc(func(context.Context, *kql.Program, kql.Bind) (*kql.Result, error) { return &kql.Result{}, nil }),
		Desk: rule.DeskFunc(func(ctx context.Context, outcomes ...rule.Outcome) error {
			commits = append(commits, len(outcomes))
			return book.Desk(tenant).Commit(ctx, outcomes...)
		}),
		Now: func() time.Time { return clock },
	})
	check(t, err)
	if want := []int{working}; !slices.Equal(commits, want) {
		t.Fatalf("at the start there are commits of %v outcomes, want %v", commits, want)
	}
	for seq := range int64(180) { // three minutes
		clock = clock.Add(time.Second)
		check(t, e.Batch(t.Context(), rule.Batch{From: seq, To: seq + 1, Records: []glassward.Record{{Table: "OfficeActivity"}}}))
		check(t, e.Tick(t.Context()))
	}
	if want := []int{working, working, working, working}; !slices.Equal(commits, want) {
		t.Errorf("after three minutes without an alert there are commits of %v outcomes, want %v", commits, want)
	}
	mark, err := book.Watermark(t.Context(), tenant, rules[0].ID)
	check(t, err)
	if !strings.Contains(string(mark), `"seq":180`) {
		t.Errorf("the watermark is %s", mark)
	}
}
