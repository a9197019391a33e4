package rule_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
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
