package rule_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/rule"
	"glassward/schema"
)

// BenchmarkBatch is what a batch of 1000 records that match nothing costs an
// engine of 100 rules on arrival, the shipped ones among them.
func BenchmarkBatch(b *testing.B) {
	rules, err := rule.Defaults()
	if err != nil {
		b.Fatal(err)
	}
	for i := len(rules); i < 100; i++ {
		src := fmt.Sprintf("name: rule %d\nkind: NRT\nseverity: Low\nquery: SigninLogs | where UserId == 'user-%d' and ResultType == '0'\n", i, i)
		r, p := rule.Parse("r.yaml", []byte(src))
		if r == nil {
			b.Fatal(p)
		}
		rules = append(rules, r)
	}
	table, _ := schema.Lookup("SigninLogs")
	user, _ := table.Index("UserId")
	result, _ := table.Index("ResultType")
	var records []glassward.Record
	for i := range 1000 {
		r := glassward.Record{Table: "SigninLogs", Source: "hub", Time: time.Now(), Values: make([]glassward.Value, len(table.Columns))}
		for c := range table.Columns {
			if table.Columns[c].Type == value.String {
				r.Values[c] = glassward.String("")
			}
		}
		r.Values[user] = glassward.String(fmt.Sprintf("a0000000-0000-4000-8000-%012d", i))
		r.Values[result] = glassward.String("0")
		records = append(records, r)
	}
	env := environment()
	var book rule.Notebook
	e, err := rule.NewEngine(b.Context(), rule.Options{
		Rules: rules, Catalog: env.Catalog, Watchlists: env.Watchlists, Memory: &book, Desk: book.Desk(""),
		Runner: rule.RunnerFunc(func(context.Context, *kql.Program, kql.Bind) (*kql.Result, error) {
			b.Fatal("a rule asked the store")
			return nil, nil
		}),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	head := int64(0)
	for b.Loop() {
		if err := e.Batch(b.Context(), rule.Batch{From: head, To: head + 1000, Records: records}); err != nil {
			b.Fatal(err)
		}
		head += 1000
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}

// BenchmarkHit is what it takes from a committed sign-in of an emergency account
// to the outcome, on the real store with 100,000 other sign-ins in it, for the
// shipped rules.
func BenchmarkHit(b *testing.B) {
	rules, err := rule.Defaults()
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	store, err := logstore.OpenMemory(ctx, logstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	table, _ := schema.Lookup("SigninLogs")
	user, _ := table.Index("UserId")
	result, _ := table.Index("ResultType")
	app, _ := table.Index("AppId")
	record := func(name, id string) glassward.Record {
		r := glassward.Record{Table: "SigninLogs", ID: recordID("SigninLogs", name), EntraID: name, Source: "hub", Time: time.Now(), Received: time.Now(), Provenance: glassward.Pulled, Values: make([]glassward.Value, len(table.Columns))}
		for c := range table.Columns {
			if table.Columns[c].Type == value.String {
				r.Values[c] = glassward.String("")
			}
		}
		r.Values[user], r.Values[result] = glassward.String(id), glassward.String("0")
		r.Values[app] = glassward.String("c44b4083-3bb0-49c1-b47d-974e53cbdf3c") // the Azure portal, by which it is used
		return r
	}
	head := int64(0)
	put := func(records []glassward.Record) logstore.Committed {
		done, err := store.Append(ctx, logstore.Batch{Records: records})
		if err != nil {
			b.Fatal(err)
		}
		return done
	}
	for i := range 100 {
		var others []glassward.Record
		for k := range 1000 {
			others = append(others, record(fmt.Sprintf("other-%d-%d", i, k), fmt.Sprintf("a0000000-0000-4000-8000-%012d", k)))
		}
		head = put(others).LastSeq
	}
	env := environment()
	var book rule.Notebook
	e, err := rule.NewEngine(ctx, rule.Options{
		Rules: rules, Catalog: env.Catalog, Watchlists: env.Watchlists, Memory: &book, Desk: book.Desk(""), Head: head,
		Runner: rule.RunnerFunc(func(ctx context.Context, p *kql.Program, bind kql.Bind) (*kql.Result, error) {
			return store.Run(ctx, p, bind, logstore.Limits{Class: logstore.Rules})
		}),
	})
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		done := put([]glassward.Record{record(fmt.Sprintf("hit-%d", n), "e0000000-0000-4000-8000-000000000001")})
		b.StartTimer()
		if err := e.Batch(ctx, rule.Batch{From: done.FirstSeq - 1, To: done.LastSeq, Records: done.Records, Updated: done.Updated}); err != nil {
			b.Fatal(err)
		}
	}
	if got := len(book.Alerts()); got != n {
		b.Fatalf("%d alerts of %d sign-ins", got, n)
	}
}
