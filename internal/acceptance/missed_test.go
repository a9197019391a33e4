package acceptance_test

import (
	"bytes"
	"context"
	"errors"
	"io"
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

// TestNoStoryCanDoWithoutARule plays each story before the rules that it names, and
// again without each of them: what the file foretells of that rule comes no more, and
// no other rule tells it in its place.
func TestNoStoryCanDoWithoutARule(t *testing.T) {
	t.Parallel()
	shipped, err := rule.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range part(entrasim.Scenarios(), 3) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			r := rehearse(t, s)
			var rules []*rule.Rule
			for _, one := range shipped {
				if slices.ContainsFunc(s.Alerts, func(a entrasim.ExpectedAlert) bool { return a.Rule == one.Name }) {
					rules = append(rules, one)
				}
			}
			if len(rules) == 0 {
				t.Fatal("the story names no rule")
			}
			if wrong := amiss(s, r.play(t, rules)); len(wrong) > 0 {
				t.Fatalf("with all rules wrong are\n  %s", strings.Join(wrong, "\n  "))
			}
			for i, gone := range rules {
				var want []string
				for _, a := range s.Alerts {
					if a.Rule == gone.Name {
						want = append(want, "missing: "+a.Rule+": "+a.Title)
					}
				}
				left := slices.Delete(slices.Clone(rules), i, i+1)
				if wrong := amiss(s, r.play(t, left)); !slices.Equal(wrong, want) {
					t.Errorf("without the rule %q wrong are\n  %s\nand should be\n  %s", gone.Name, strings.Join(wrong, "\n  "), strings.Join(want, "\n  "))
				}
			}
		})
	}
}

// A rehearsal is a story's records in a store, to be judged again and again.
type rehearsal struct {
	store   *logstore.Store
	lists   map[string]*kql.Watchlist
	records []glassward.Record
	head    int64
	// since and now bound the windows that are judged.
	since, now time.Time
}

// rehearse plays a story on a tenant in which nothing else happens.
func rehearse(t *testing.T, s *entrasim.Story) *rehearsal {
	t.Helper()
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	rates := entrasim.Still()
	w := entrasim.NewWorld(entrasim.Options{Seed: 12, Start: monday, Users: 12, Rates: &rates})
	r := &rehearsal{since: monday.Add(time.Hour)}
	end := r.since.Add(time.Duration(s.Minutes+5) * time.Minute)
	r.now = end.Add(40 * time.Minute)
	w.Begin(s, r.since)
	w.Advance(end)
	var lines bytes.Buffer
	for _, e := range w.Events() {
		if e.Kind != entrasim.CloudAppEvent {
			lines.Write(append(e.Diagnostic(1), '\n'))
		}
	}
	var err error
	if r.store, err = logstore.OpenMemory(t.Context(), logstore.Options{Threads: 1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	decoder, err := ingest.NewDecoder(&lines, ingest.DecoderOptions{Source: "story", Provenance: glassward.Pulled, Tenant: entrasim.TenantID})
	if err != nil {
		t.Fatal(err)
	}
	for end := error(nil); end == nil; {
		var batch ingest.Batch
		end = decoder.Next(&batch)
		if len(batch.Rejects) > 0 || end != nil && !errors.Is(end, io.EOF) {
			t.Fatal(end, batch.Rejects)
		}
		done, err := r.store.Append(t.Context(), logstore.Batch{Records: batch.Records})
		if err != nil {
			t.Fatal(err)
		}
		r.head = max(r.head, done.LastSeq)
		r.records = append(r.records, done.Records...)
	}

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
	r.lists = rule.Watchlists()
	r.lists["EmergencyAccounts"], r.lists["DecoyAccounts"] = rule.EmergencyAccounts(accounts...), rule.DecoyAccounts(accounts...)
	r.lists["ProtectedObjects"], r.lists["ExpectedPlaces"] = rule.ProtectedObjects(objects...), rule.ExpectedPlaces(rule.Place{Country: "NO"})
	return r
}

// play gives what rules tell of the story, each as the rule's name and the title.
func (r *rehearsal) play(t *testing.T, rules []*rule.Rule) (told []string) {
	t.Helper()
	var book rule.Notebook
	var failure error
	e, err := rule.NewEngine(t.Context(), rule.Options{
		Rules: rules, Catalog: schema.Default().Catalog(), Watchlists: r.lists, Memory: &book,
		Runner: rule.RunnerFunc(func(ctx context.Context, p *kql.Program, b kql.Bind) (*kql.Result, error) {
			return r.store.Run(ctx, p, b, logstore.Limits{Class: logstore.Rules})
		}),
		Desk: rule.DeskFunc(func(ctx context.Context, outcomes ...rule.Outcome) error {
			for _, o := range outcomes {
				failure = errors.Join(failure, o.Err)
			}
			return book.Desk("").Commit(ctx, outcomes...)
		}),
		Now: func() time.Time { return r.now }, Since: r.since,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Batch(t.Context(), rule.Batch{To: r.head, Records: r.records}); err != nil {
		t.Fatal(err)
	}
	for range 3 { // a tick judges some hundred windows
		if err := e.Tick(t.Context()); err != nil || failure != nil {
			t.Fatal(err, failure)
		}
	}
	for _, a := range book.Alerts() {
		told = append(told, a.RuleName+": "+a.Title)
	}
	return told
}
