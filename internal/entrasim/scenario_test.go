package entrasim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/ingest"
	"glassward/internal/entrasim"
	"glassward/kql"
	"glassward/logstore"
	"glassward/rule"
	"glassward/schema"
)

// bench is the real decoders and the real store.
type bench struct{}

func (bench) Load(ctx context.Context, records []byte, own ...glassward.Record) (rule.Loaded, error) {
	store, err := logstore.OpenMemory(ctx, logstore.Options{Threads: 1})
	if err != nil {
		return rule.Loaded{}, err
	}
	l := rule.Loaded{Close: store.Close, Runner: rule.RunnerFunc(func(ctx context.Context, p *kql.Program, bind kql.Bind) (*kql.Result, error) {
		return store.Run(ctx, p, bind, logstore.Limits{Class: logstore.Rules})
	})}
	first, err := store.Append(ctx, logstore.Batch{Records: own})
	if err != nil {
		return l, errors.Join(err, store.Close())
	}
	l.Head, l.Records = first.LastSeq, append(l.Records, first.Records...)
	dec, err := ingest.NewDecoder(bytes.NewReader(records), ingest.DecoderOptions{Source: "story", Provenance: glassward.Pulled, Tenant: entrasim.TenantID})
	if err != nil {
		return l, errors.Join(err, store.Close())
	}
	for {
		var batch ingest.Batch
		end := dec.Next(&batch)
		for _, r := range batch.Rejects {
			return l, errors.Join(fmt.Errorf("a record is rejected: %+v", r), store.Close())
		}
		done, err := store.Append(ctx, logstore.Batch{Records: batch.Records})
		if err != nil {
			return l, errors.Join(err, store.Close())
		}
		l.Head = max(l.Head, done.LastSeq)
		l.Records = append(l.Records, done.Records...)
		if end == io.EOF {
			return l, nil
		}
		if end != nil {
			return l, errors.Join(end, store.Close())
		}
	}
}

// TestTheShippedRulesTellTheStories plays each story on a tenant that otherwise
// lives quietly, and gives what Graph shows of it to the shipped rules: the alerts
// that the file foretells and no others.
func TestTheShippedRulesTellTheStories(t *testing.T) {
	rules, err := rule.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, s := range entrasim.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			rates := entrasim.Calm()
			w := entrasim.NewWorld(entrasim.Options{Seed: 12, Start: monday, Users: 12, Rates: &rates})
			begin := monday.Add(time.Hour)
			end := begin.Add(time.Duration(s.Minutes+5) * time.Minute)
			w.Begin(s, begin)
			w.Advance(end)
			var records bytes.Buffer
			for _, e := range w.Events() {
				if e.Kind != entrasim.CloudAppEvent {
					records.Write(e.Diagnostic(1))
					records.WriteByte('\n')
				}
			}
			var wrong []string
			for _, a := range s.Alerts {
				wrong = append(wrong, a.Rule+": "+a.Title)
			}
			for _, a := range judge(t, w, rules, records.Bytes(), begin, end.Add(40*time.Minute)) {
				told[a.RuleName] = true
				text := a.RuleName + ": " + a.Title
				if i := slices.IndexFunc(wrong, func(x string) bool { return like(x, text) }); i >= 0 {
					wrong = slices.Delete(wrong, i, i+1)
					continue
				}
				t.Errorf("nobody foretold %s", text)
			}
			for _, x := range wrong {
				t.Errorf("it is not told: %s", x)
			}
		})
	}
	// What the simulated Graph carries.
	carried := []string{"SigninLogs", "AADNonInteractiveUserSignInLogs", "AADServicePrincipalSignInLogs", "AuditLogs"}
	for _, r := range rules {
		// Rules over Glassward's own tables, which name no connector, are played with the daemon.
		here := len(r.Tables) > 0 && !slices.ContainsFunc(r.Tables, func(table string) bool { return !slices.Contains(carried, table) })
		if here && !told[r.Name] {
			t.Errorf("no story needs the rule %q", r.Name)
		}
	}
}

// TestNoRuleCanBeMissed deletes each shipped rule in turn: what a story or the rule's
// own fixture expects of it comes no more.
func TestNoRuleCanBeMissed(t *testing.T) {
	rules, err := rule.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	// unmet gives what nobody tells if these are all rules.
	unmet := func(left []*rule.Rule) (out []string) {
		is := func(name string) bool {
			return slices.ContainsFunc(left, func(r *rule.Rule) bool { return r.Name == name })
		}
		for _, s := range entrasim.Scenarios() {
			for _, a := range s.Alerts {
				if !is(a.Rule) {
					out = append(out, s.Name+": "+a.Title)
				}
			}
		}
		for _, r := range rules {
			f, err := rule.ParseFixture(r.File, rule.DefaultFixtures(r), schema.Default())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range f.Cases {
				if len(c.Alerts) > 0 && !is(r.Name) {
					out = append(out, r.File+": "+c.Name)
				}
			}
		}
		return out
	}
	if all := unmet(rules); len(all) > 0 {
		t.Errorf("with all rules nobody tells %v", all)
	}
	for i, r := range rules {
		if left := slices.Delete(slices.Clone(rules), i, i+1); len(unmet(left)) == 0 {
			t.Errorf("nobody misses the rule %q", r.Name)
		}
	}
}

// like says whether a text is as a pattern has it, in which a star stands for
// anything.
func like(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(text, parts[0]) || !strings.HasSuffix(text, parts[len(parts)-1]) {
		return false
	}
	for _, p := range parts {
		i := strings.Index(text, p)
		if i < 0 {
			return false
		}
		text = text[i+len(p):]
	}
	return true
}

// judge gives the alerts of the rules over records, windows from since until now.
func judge(t *testing.T, w *entrasim.World, rules []*rule.Rule, records []byte, since, now time.Time) []glassward.Alert {
	t.Helper()
	l, err := bench{}.Load(t.Context(), records)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	principal, _ := w.ServicePrincipal(entrasim.EmergencyApp)
	accounts := []rule.Account{
		{ObjectID: entrasim.EA01, Name: "EA-01", UserPrincipalName: w.Emergency()[0].UserPrincipalName, Kind: "user"},
		{ObjectID: entrasim.EA02, Name: "EA-02", UserPrincipalName: w.Emergency()[1].UserPrincipalName, Kind: "user"},
		{ObjectID: w.Decoy().ID, Name: "EA-09", UserPrincipalName: w.Decoy().UserPrincipalName, Kind: "decoy"},
		{ObjectID: principal.ID, Name: principal.DisplayName, Kind: "servicePrincipal"},
	}
	var objects []rule.Object
	for _, o := range w.Protected() {
		objects = append(objects, rule.Object{ObjectID: o.ID, Name: o.Name, Kind: o.Kind})
	}
	lists := rule.Watchlists()
	lists["EmergencyAccounts"], lists["DecoyAccounts"] = rule.EmergencyAccounts(accounts...), rule.DecoyAccounts(accounts...)
	lists["ProtectedObjects"], lists["ExpectedPlaces"] = rule.ProtectedObjects(objects...), rule.ExpectedPlaces(rule.Place{Country: "NO"})
	var book rule.Notebook
	var failure error
	e, err := rule.NewEngine(t.Context(), rule.Options{
		Rules: rules, Catalog: schema.Default().Catalog(), Watchlists: lists, Runner: l.Runner, Memory: &book,
		Desk: rule.DeskFunc(func(ctx context.Context, outcomes ...rule.Outcome) error {
			for _, o := range outcomes {
				failure = errors.Join(failure, o.Err)
			}
			return book.Desk("").Commit(ctx, outcomes...)
		}),
		Now: func() time.Time { return now }, Since: since,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Batch(t.Context(), rule.Batch{To: l.Head, Records: l.Records}); err != nil {
		t.Fatal(err)
	}
	for range 3 { // a tick does some hundred windows
		if err := e.Tick(t.Context()); err != nil || failure != nil {
			t.Fatal(err, failure)
		}
	}
	return book.Alerts()
}

// TestStoriesAreWhole reads each file as a person would.
func TestStoriesAreWhole(t *testing.T) {
	for _, s := range entrasim.Scenarios() {
		if s.Title == "" || len(s.Text) < 150 || s.Minutes == 0 || len(s.Incidents) == 0 {
			t.Errorf("%s lacks its title, text, length or incidents", s.Name)
		}
		rates := entrasim.Still()
		start := monday.Add(time.Hour)
		w := entrasim.NewWorld(entrasim.Options{Seed: 1, Start: start, Rates: &rates})
		w.Begin(s, start)
		w.Advance(start.Add(time.Duration(s.Minutes+1) * time.Minute))
		events := w.Events()
		if len(events) == 0 {
			t.Errorf("%s leaves nothing in the logs", s.Name)
		}
		at := map[int]bool{}
		for _, e := range events {
			at[int(e.At.Sub(start)/time.Minute)] = true
			if e.Diagnostic(1) == nil || e.Graph(1) == nil {
				t.Errorf("%s: %s has no record", s.Name, e.ID)
			}
		}
		alerts := map[int]bool{}
		for _, a := range s.Alerts {
			alerts[a.Minute] = true
			if !at[a.Minute] {
				t.Errorf("%s: an alert at minute %d, when nothing happens", s.Name, a.Minute)
			}
			if _, err := path.Match(a.Title, ""); err != nil {
				t.Errorf("%s: %q: %v", s.Name, a.Title, err)
			}
		}
		begun := map[int]bool{}
		for _, x := range s.For(w) {
			if x.Logs() && !at[x.Minute] {
				t.Errorf("%s: logs tell of an incident at minute %d, when nothing happens", s.Name, x.Minute)
			}
			if x.Joins >= 0 && !begun[x.Joins] {
				t.Errorf("%s: the incident at minute %d joins one at minute %d that is not there", s.Name, x.Minute, x.Joins)
			}
			begun[x.Minute] = true
			if x.Minute > s.Minutes {
				t.Errorf("%s: minute %d is after its end", s.Name, x.Minute)
			}
			if x.Account != "" && len(x.Account) != 36 {
				t.Errorf("%s: nobody is called %s", s.Name, x.Account)
			}
		}
	}
}

// TestStoriesChangeTheDirectory: what a story does is seen by polls too.
func TestStoriesChangeTheDirectory(t *testing.T) {
	rates := entrasim.Still()
	w := entrasim.NewWorld(entrasim.Options{Seed: 1, Start: monday, Rates: &rates})
	w.Begin(entrasim.Scenario("S2"), monday)
	members := func() int {
		units, _ := w.Objects("directory/administrativeUnits")
		if len(units) != 1 {
			t.Fatalf("%d administrative units", len(units))
		}
		id := strings.Split(strings.SplitAfter(string(units[0]), `"id":"`)[1], `"`)[0]
		list, ok := w.Objects("directory/administrativeUnits/" + id + "/members")
		if !ok {
			t.Fatal("the unit has no members path")
		}
		return len(list)
	}
	if members() != 2 || len(w.DiagnosticSettings()) != 1 {
		t.Fatalf("%d members, %d settings", members(), len(w.DiagnosticSettings()))
	}
	w.Advance(monday.Add(30 * time.Minute))
	if members() != 1 || len(w.DiagnosticSettings()) != 0 {
		t.Errorf("%d members, %d settings", members(), len(w.DiagnosticSettings()))
	}
	if s, _ := w.ServicePrincipal(entrasim.GlasswardApp); strings.Contains(strings.Join(s.Granted, " "), "AuditLog.Read.All") {
		t.Error("consent is still there")
	}
	w.Advance(monday.Add(6 * time.Hour))
	if n := len(w.Appearances(entrasim.EventHub, monday, w.Now())); n != 0 {
		t.Errorf("%d records at the hub without a diagnostic setting", n)
	}
	if n := len(w.Appearances(entrasim.Graph, monday, w.Now())); n == 0 {
		t.Error("Graph shows nothing")
	}
	if err := w.Do("sign-in nobody 0"); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("a sign-in of nobody: %v", err)
	}
	if err := w.Do("sign-in EA-01 0 with key"); err != nil {
		t.Error(err)
	}
	if e := w.Events()[len(w.Events())-1]; e.UserID != entrasim.EA01 || !e.At.Equal(w.Now()) {
		t.Errorf("the last event is of %s at %v", e.UserID, e.At)
	}
}
