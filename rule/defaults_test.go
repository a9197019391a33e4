package rule_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"glassward"
	"glassward/ingest"
	"glassward/kql"
	"glassward/kql/diag"
	"glassward/logstore"
	"glassward/rule"
	"glassward/schema"
)

// A bench is the real decoders and the real store.
type bench struct{ tb testing.TB }

func (b bench) Load(ctx context.Context, records []byte, own ...glassward.Record) (rule.Loaded, error) {
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
	dec, err := ingest.NewDecoder(bytes.NewReader(records), ingest.DecoderOptions{Source: "fixture", Provenance: glassward.File})
	if err != nil {
		return l, errors.Join(err, store.Close())
	}
	var batch ingest.Batch
	for {
		err := dec.Next(&batch)
		for _, r := range batch.Rejects {
			return l, errors.Join(fmt.Errorf("a record is rejected: %+v", r), store.Close())
		}
		if len(batch.Records) > 0 {
			done, err := store.Append(ctx, logstore.Batch{Records: batch.Records})
			if err != nil {
				return l, errors.Join(err, store.Close())
			}
			if done.LastSeq > 0 {
				l.Head = done.LastSeq
				l.Records = append(l.Records, done.Records...)
			}
		}
		if errors.Is(err, io.EOF) {
			return l, nil
		}
		if err != nil {
			return l, errors.Join(err, store.Close())
		}
	}
}

func environment() rule.Environment {
	return rule.Environment{
		Catalog:    schema.Default().Catalog(),
		Watchlists: watchlists(),
	}
}

// watchlists are the shipped ones with declared accounts and objects.
func watchlists() map[string]*kql.Watchlist {
	lists := rule.Watchlists()
	lists["EmergencyAccounts"] = emergencyAccounts()
	lists["ProtectedObjects"] = rule.ProtectedObjects(
		rule.Object{ObjectID: "5f0c7a14-3b2d-4e6f-8a91-c0d1e2f3b001", Name: "Break-glass", Kind: "group"},
		rule.Object{ObjectID: "c7", Kind: "authenticationContext"})
	return lists
}

// TestDefaults runs the fixtures that stand beside the shipped rules.
func TestDefaults(t *testing.T) {
	rules, err := rule.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		t.Run(r.File, func(t *testing.T) {
			f, err := rule.ParseFixture(r.File, rule.DefaultFixtures(r), schema.Default())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(f.Cases, func(c rule.Case) bool { return len(c.Alerts) > 0 }) || !slices.ContainsFunc(f.Cases, func(c rule.Case) bool { return len(c.Alerts) == 0 }) {
				t.Error("the fixture must hold records on which the rule fires and such on which it is silent")
			}
			verdicts, err := rule.Test(t.Context(), r, f, environment(), bench{t})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range verdicts {
				if v.Err != nil {
					t.Errorf("%s (line %d): %v", v.Case, v.Line, v.Err)
				}
			}
		})
	}
}

// TestDefaultsAreClean: a shipped rule runs as its file says, names nobody and gives
// no occasion for a remark.
func TestDefaultsAreClean(t *testing.T) {
	rules, err := rule.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range rule.List(rules, environment()) {
		if s.Err != nil || !strings.HasPrefix(s.RunsAs, string(s.Kind)) || strings.Contains(s.RunsAs, "instead") || s.Origin != "shipped" {
			t.Errorf("%+v", s)
		}
	}
	env := environment()
	for _, r := range rules {
		// What concerns nobody who is declared must cost no query.
		p, diags := kql.Compile(r.Query, kql.Options{Catalog: env.Catalog, Watchlists: env.Watchlists, Window: kql.BySeq, Lineage: true})
		if diags.HasErrors() {
			t.Fatal(diag.Text(r.File, r.Query, diags))
		}
		if len(p.Prefilters) == 0 || slices.ContainsFunc(p.Prefilters, func(f kql.Prefilter) bool { return len(f.Conditions) == 0 }) {
			t.Errorf("%s looks at every record: %+v", r.File, p.Prefilters)
		}
		if list := rule.LintRule(r, environment()); len(list) > 0 {
			t.Errorf("%s", diag.Text(r.File, r.Source(), list))
		}
	}
}

// TestGaps shows what the queries that people publish for this purpose do not
// see: each is silent on records on which the shipped rules fire.
func TestGaps(t *testing.T) {
	names, _ := filepath.Glob("testdata/gaps/*.txtar")
	if len(names) == 0 {
		t.Fatal("no testdata")
	}
	accounts := []rule.Account{
		{ObjectID: "5f0c7a14-3b2d-4e6f-8a91-c0d1e2f3a401", Name: "EA-01", UserPrincipalName: "ea-01@contoso.example", Kind: "user"},
		{ObjectID: "5f0c7a14-3b2d-4e6f-8a91-c0d1e2f3a4b1", Name: "Break-glass group", Kind: "group"},
	}
	rules, err := rule.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			part := map[string]string{}
			for _, f := range a.Files {
				part[f.Name] = string(f.Data)
			}
			env := environment()
			env.Watchlists["EmergencyAccounts"] = rule.EmergencyAccounts(accounts...)
			l, err := bench{t}.Load(t.Context(), []byte(part["records.json"]))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			p, diags := kql.Compile(part["query.kql"], kql.Options{Catalog: env.Catalog, Watchlists: env.Watchlists})
			if diags.HasErrors() {
				t.Fatal(diag.Text("query.kql", part["query.kql"], diags))
			}
			res, err := l.Runner.Run(t.Context(), p, kql.Bind{})
			if err != nil {
				t.Fatal(err)
			}
			if len(res.Rows) > 0 {
				t.Errorf("the published query is not silent: %v", res.Rows)
			}

			book := judged(t, rules, env, l)
			var got []string
			for _, a := range book.Alerts() {
				got = append(got, a.Title)
			}
			slices.Sort(got)
			want := strings.Split(strings.TrimSpace(part["alerts"]), "\n")
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
		})
	}
}

// judged lets rules judge what a bench has loaded, and gives what they found.
func judged(t *testing.T, rules []*rule.Rule, env rule.Environment, l rule.Loaded) *rule.Notebook {
	t.Helper()
	var book rule.Notebook
	var failure error
	e, err := rule.NewEngine(t.Context(), rule.Options{
		Rules: rules, Catalog: env.Catalog, Watchlists: env.Watchlists, Runner: l.Runner, Memory: &book,
		Desk: rule.DeskFunc(func(ctx context.Context, outcomes ...rule.Outcome) error {
			for _, o := range outcomes {
				failure = errors.Join(failure, o.Err)
			}
			return book.Desk("").Commit(ctx, outcomes...)
		}),
		Now: func() time.Time { return time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Batch(t.Context(), rule.Batch{To: l.Head, Records: l.Records}); err != nil || failure != nil {
		t.Fatal(err, failure)
	}
	return &book
}
