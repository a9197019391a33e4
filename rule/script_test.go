package rule_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/rule"
	"glassward/schema"
)

// TestScripts runs testdata/time/*.txtar: stories of rules over time, told in
// the language that README.md there describes, on the real store.
func TestScripts(t *testing.T) {
	names, _ := filepath.Glob("testdata/time/*.txtar")
	if len(names) == 0 {
		t.Fatal("no scripts")
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s := newStory(t, a)
			for i, line := range strings.Split(string(a.Comment), "\n") {
				if err := s.line(line); err != nil {
					t.Fatalf("%s:%d: %s\n%v", name, i+1, line, err)
				}
			}
			if err := s.settled(); err != nil {
				t.Fatalf("%s: at the end: %v", name, err)
			}
		})
	}
}

const tenant = "contoso"

// A story is a workspace, a clock and an engine.
type story struct {
	ctx     context.Context
	clock   time.Time
	day     time.Time
	files   map[string]*rule.Rule
	rules   []*rule.Rule
	store   *logstore.Store
	book    rule.Notebook
	engine  *rule.Engine
	since   time.Time
	broken  bool       // the store does not answer the rules
	lose    bool       // the next commit fails
	refused *rule.Rule // what it found cannot be committed
	names   map[glassward.RecordID]string
	alerts  map[string]glassward.AlertID
	pending []event
	head    int64
	last    rule.Batch
	queries atomic.Int64
}

// An event is something that the engine told the desk.
type event struct {
	change *rule.Change
	err    error
	well   bool
}

func newStory(t *testing.T, a *txtar.Archive) *story {
	ctx := t.Context()
	s := &story{ctx: ctx, files: map[string]*rule.Rule{}, names: map[glassward.RecordID]string{}, alerts: map[string]glassward.AlertID{}}
	s.day = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) // a Monday
	s.clock = s.day
	for _, f := range a.Files {
		r, p := rule.Parse(f.Name, f.Data)
		if r == nil {
			t.Fatal(p)
		}
		s.rules = append(s.rules, r)
		s.files[f.Name] = r
	}
	store, err := logstore.OpenMemory(ctx, logstore.Options{Now: s.now, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	s.store = store
	return s
}

func (s *story) now() time.Time { return s.clock }

// start makes an engine that knows what was committed and nothing else.
func (s *story) start() error {
	e, err := rule.NewEngine(s.ctx, rule.Options{
		Tenant: tenant, Rules: s.rules, Catalog: schema.Default().Catalog(),
		Watchlists: map[string]*kql.Watchlist{"EmergencyAccounts": emergencyAccounts()},
		Runner:     rule.RunnerFunc(s.run), Memory: &s.book, Desk: rule.DeskFunc(s.commit),
		Now: s.now, Head: s.head, Since: s.since,
	})
	if err != nil {
		return err
	}
	s.engine = e
	return e.CatchUp(s.ctx, s.head)
}

func emergencyAccounts() *kql.Watchlist {
	return rule.EmergencyAccounts(
		rule.Account{ObjectID: "e0000000-0000-4000-8000-000000000001", Name: "EA-01", UserPrincipalName: "ea-01@contoso.example", Kind: "user"},
		rule.Account{ObjectID: "e0000000-0000-4000-8000-000000000002", Name: "EA-02", UserPrincipalName: "ea-02@contoso.example", Kind: "user"},
		rule.Account{ObjectID: "e0000000-0000-4000-8000-000000000003", Name: "EA-APP", Kind: "servicePrincipal"},
		rule.Account{ObjectID: "e0000000-0000-4000-8000-000000000004", Name: "Break-glass group", Kind: "group"},
	)
}

func (s *story) run(ctx context.Context, p *kql.Program, b kql.Bind) (*kql.Result, error) {
	s.queries.Add(1)
	if s.broken {
		return nil, errors.New("the store does not answer")
	}
	return s.store.Run(ctx, p, b, logstore.Limits{Class: logstore.Rules})
}

func (s *story) commit(ctx context.Context, outcomes ...rule.Outcome) error {
	if s.lose {
		s.lose = false
		return errors.New("the control store is away")
	}
	if s.refused != nil && slices.ContainsFunc(outcomes, func(o rule.Outcome) bool { return o.RuleID == s.refused.ID && len(o.Alerts) > 0 }) {
		return errors.New("the control store is away for one rule")
	}
	if err := s.book.Desk(tenant).Commit(ctx, outcomes...); err != nil {
		return err
	}
	for _, o := range outcomes {
		for i := range o.Alerts {
			s.pending = append(s.pending, event{change: &o.Alerts[i]})
		}
		if o.Err != nil {
			s.pending = append(s.pending, event{err: o.Err})
		}
		if o.Recovered {
			s.pending = append(s.pending, event{well: true})
		}
	}
	return nil
}

// line runs one line of a script.
func (s *story) line(line string) error {
	words, err := split(line)
	if err != nil || len(words) == 0 {
		return err
	}
	if words[0] == "at" {
		if words, err = s.at(words[1:]); err != nil || len(words) == 0 {
			return err
		}
	}
	if words[0] == "expect" {
		return s.expect(words[1:])
	}
	if err := s.settled(); err != nil {
		return err
	}
	if s.engine == nil && words[0] != "judge" && words[0] != "use" {
		if err := s.start(); err != nil {
			return err
		}
	}
	switch words[0] {
	case "judge": // judge everything since TIME
		if len(words) < 4 {
			return errors.New("judge everything since [DAY] TIME")
		}
		clock := s.clock
		if _, err := s.at(words[3:]); err != nil {
			return err
		}
		s.since, s.clock = s.clock, clock
		return nil
	case "record", "records":
		return s.record(words[1:])
	case "tick":
		return s.tick(words[1:])
	case "restart":
		return s.start()
	case "use":
		s.rules = nil
		for _, name := range words[1:] {
			if s.files[name] == nil {
				return fmt.Errorf("there is no file %s", name)
			}
			s.rules = append(s.rules, s.files[name])
		}
		return s.start()
	case "break":
		s.broken = true
		return nil
	case "mend":
		s.broken = false
		return nil
	case "lose":
		s.lose = true
		return nil
	case "refuse":
		s.refused = s.files[words[len(words)-1]]
		return nil
	case "accept":
		s.refused = nil
		return nil
	}
	return fmt.Errorf("unknown command %q", words[0])
}

// split divides a line into words; "quoted words" are one, # begins a comment.
func split(line string) ([]string, error) {
	var words []string
	var b strings.Builder
	quoted, any := false, false
	for _, r := range line {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case !quoted && r == '#' && !any:
			return words, nil
		case !quoted && (r == ' ' || r == '\t' || r == ','):
			if any {
				words = append(words, b.String())
			}
			b.Reset()
			any = false
		default:
			b.WriteRune(r)
			any = true
		}
	}
	if quoted {
		return nil, errors.New("a quote is not closed")
	}
	if any {
		words = append(words, b.String())
	}
	return words, nil
}

var weekdays = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

// moment reads [next|last] [DAY] TIME at the beginning of words.
func (s *story) moment(words []string) (time.Time, []string, error) {
	day := s.clock.Truncate(24 * time.Hour)
	if len(words) > 0 && words[0] == "next" {
		day, words = day.AddDate(0, 0, 7), words[1:]
	} else if len(words) > 0 && words[0] == "last" {
		day, words = day.AddDate(0, 0, -7), words[1:]
	}
	if len(words) > 0 {
		if i := slices.Index(weekdays, words[0]); i >= 0 {
			monday := day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
			day, words = monday.AddDate(0, 0, i), words[1:]
		}
	}
	if len(words) == 0 {
		return day, nil, errors.New("a time is missing")
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if c, err := time.Parse(layout, words[0]); err == nil {
			return day.Add(time.Duration(c.Hour())*time.Hour + time.Duration(c.Minute())*time.Minute + time.Duration(c.Second())*time.Second), words[1:], nil
		}
	}
	return day, nil, fmt.Errorf("%q is no time", words[0])
}

func (s *story) at(words []string) ([]string, error) {
	t, rest, err := s.moment(words)
	if err != nil {
		return nil, err
	}
	s.clock = t
	return rest, nil
}

// record NAME… [of [DAY] TIME] [in TABLE] [from SOURCE] Column=Value… [and NAME…]
func (s *story) record(words []string) error {
	var all []glassward.Record
	for len(words) > 0 {
		part := words
		if i := slices.Index(words, "and"); i >= 0 {
			part, words = words[:i], words[i+1:]
		} else {
			words = nil
		}
		batch, err := s.records(part)
		if err != nil {
			return err
		}
		all = append(all, batch...)
	}
	return s.append(all)
}

func (s *story) records(words []string) ([]glassward.Record, error) {
	var names []string
	r := glassward.Record{Table: "SigninLogs", Time: s.clock, Received: s.clock, Source: "hub", Provenance: glassward.Pulled}
	var cells []string
	var err error
	for len(words) > 0 {
		w := words[0]
		words = words[1:]
		switch {
		case w == "of":
			if r.Time, words, err = s.moment(words); err != nil {
				return nil, err
			}
		case (w == "in" || w == "from") && len(words) > 0:
			if w == "in" {
				r.Table = words[0]
			} else {
				r.Source = words[0]
			}
			words = words[1:]
		case strings.Contains(w, "="):
			cells = append(cells, w)
		default:
			names = append(names, w)
		}
	}
	table, ok := schema.Lookup(r.Table)
	if !ok {
		return nil, fmt.Errorf("no table %s", r.Table)
	}
	var batch []glassward.Record
	for _, name := range names {
		rec := r
		rec.ID = recordID(r.Table, name)
		rec.EntraID = name
		rec.Values = make([]glassward.Value, len(table.Columns))
		for i, c := range table.Columns {
			if c.Type == value.String {
				rec.Values[i] = glassward.String("")
			}
		}
		set := func(column, text string) error {
			i, ok := table.Index(column)
			if !ok {
				return fmt.Errorf("%s has no column %s", r.Table, column)
			}
			switch table.Columns[i].Type {
			case value.String, value.Dynamic:
				rec.Values[i] = glassward.String(text)
			case value.DateTime:
				t, ok := value.ParseDateTime(text)
				if !ok {
					return fmt.Errorf("%q is no datetime", text)
				}
				rec.Values[i] = glassward.Long(int64(t))
			case value.Long, value.Int:
				n, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					return err
				}
				rec.Values[i] = glassward.Long(n)
			case value.Bool:
				rec.Values[i] = glassward.Bool(text == "true")
			default:
				return fmt.Errorf("columns of type %v cannot be set", table.Columns[i].Type)
			}
			return nil
		}
		if err := set("TimeGenerated", value.FromTime(rec.Time).String()); err != nil {
			return nil, err
		}
		if err := set("Id", name); err != nil {
			return nil, err
		}
		for _, c := range cells {
			column, text, _ := strings.Cut(c, "=")
			if err := set(column, text); err != nil {
				return nil, err
			}
		}
		s.names[rec.ID] = name
		batch = append(batch, rec)
	}
	return batch, nil
}

// append commits records and hands the batch to the engine.
func (s *story) append(records []glassward.Record) error {
	done, err := s.store.Append(s.ctx, logstore.Batch{Records: records})
	if err != nil {
		return err
	}
	if len(done.Records) == 0 {
		return nil
	}
	s.head = done.LastSeq
	s.last = rule.Batch{From: done.FirstSeq - 1, To: done.LastSeq, Records: done.Records, Updated: done.Updated}
	if s.engine == nil {
		return nil // it was killed before it could hear of them
	}
	return s.lost(s.engine.Batch(s.ctx, s.last))
}

// lost forgives the error of a commit that the script lost.
func (s *story) lost(err error) error {
	if err != nil && strings.Contains(err.Error(), "the control store is away") {
		return nil
	}
	return err
}

func recordID(table, name string) (id glassward.RecordID) {
	sum := sha256.Sum256([]byte(table + "\x00" + name))
	copy(id[:], sum[:])
	return id
}

// tick [every DURATION until [DAY] TIME]
func (s *story) tick(words []string) error {
	if len(words) == 0 {
		return s.lost(s.engine.Tick(s.ctx))
	}
	if len(words) < 4 || words[0] != "every" || words[2] != "until" {
		return errors.New("tick, or tick every DURATION until [DAY] TIME")
	}
	step, err := rule.ParseDuration(words[1])
	if err != nil {
		return err
	}
	end, _, err := s.moment(words[3:])
	if err != nil {
		return err
	}
	for !s.clock.After(end) {
		if err := s.lost(s.engine.Tick(s.ctx)); err != nil {
			return err
		}
		s.clock = s.clock.Add(step)
	}
	s.clock = end
	return nil
}

// settled says what the engine told and nobody expected.
func (s *story) settled() error {
	if len(s.pending) == 0 {
		return nil
	}
	var b strings.Builder
	for _, e := range s.pending {
		fmt.Fprintf(&b, "not expected: %s\n", s.tell(e))
	}
	s.pending = nil
	return errors.New(b.String())
}

// tell writes an event as a script would expect it.
func (s *story) tell(e event) string {
	switch {
	case e.err != nil:
		return fmt.Sprintf("failure %q", e.err)
	case e.well:
		return "recovery"
	}
	c := e.change
	name := "?"
	for n, id := range s.alerts {
		if id == c.Alert.ID {
			name = n
		}
	}
	text := fmt.Sprintf("alert %s %s", name, c.Kind)
	switch c.Kind {
	case rule.New:
		text += " with " + s.list(c.Alert.Records)
	case rule.Grown:
		text += " by " + s.list(c.NewRecords)
	}
	if c.Alert.Late {
		text += " late"
	}
	return strings.TrimSpace(text)
}

func (s *story) list(ids []glassward.RecordID) string {
	var names []string
	for _, id := range ids {
		names = append(names, s.names[id])
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, " ")
}

// expect …
func (s *story) expect(words []string) error {
	if len(words) == 0 {
		return errors.New("expect what?")
	}
	switch words[0] {
	case "nothing":
		return s.settled()
	case "owed", "queries", "suppressed":
		n, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			return err
		}
		got := s.queries.Load()
		if words[0] == "owed" {
			got = s.engine.States()[0].Owed
		}
		if words[0] == "suppressed" {
			got = s.engine.States()[0].Suppressed
		}
		s.queries.Store(0)
		if got != n {
			return fmt.Errorf("%s is %d", words[0], got)
		}
		return nil
	case "open": // expect open since TIME
		want, _, err := s.moment(words[2:])
		if err != nil {
			return err
		}
		if got := s.engine.States()[0].OpenSince; !got.Equal(want) {
			return fmt.Errorf("windows are held open since %v", got)
		}
		return nil
	case "detail": // expect detail NAME of alert A TEXT
		for _, a := range s.book.Alerts() {
			if a.ID == s.alerts[words[4]] {
				if got := strings.Join(a.Details[words[1]], "|"); got != strings.Join(words[5:], " ") {
					return fmt.Errorf("the detail is %q", got)
				}
				return nil
			}
		}
		return fmt.Errorf("there is no alert %s", words[4])
	case "records": // expect records of alert A a b c
		want := strings.Join(words[4:], " ")
		for _, a := range s.book.Alerts() {
			if a.ID == s.alerts[words[3]] {
				if got := s.list(a.Records); got != want {
					return fmt.Errorf("alert %s holds %s", words[3], got)
				}
				return nil
			}
		}
		return fmt.Errorf("there is no alert %s", words[3])
	}
	if len(s.pending) == 0 {
		return errors.New("nothing happened")
	}
	e := s.pending[0]
	if words[0] == "alert" && len(words) > 2 && e.change != nil && e.change.Kind == rule.New && words[2] == "new" {
		if id, ok := s.alerts[words[1]]; ok && id != e.change.Alert.ID {
			return fmt.Errorf("alert %s was named before and is another one", words[1])
		}
		s.alerts[words[1]] = e.change.Alert.ID
	}
	got := s.tell(e)
	if e.err != nil && words[0] == "failure" && len(words) == 2 && strings.Contains(e.err.Error(), words[1]) {
		got = words[0] + " " + words[1]
	}
	if want := strings.Join(words, " "); got != want {
		return fmt.Errorf("it was: %s", got)
	}
	s.pending = s.pending[1:]
	return nil
}
