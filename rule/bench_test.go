package rule_test

import (
	"context"
	"fmt"
	"slices"
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

// BenchmarkLate is what a late record of an emergency account costs the shipped rules
// over windows, on a day with 100,000 other sign-ins that is judged. The reference is
// the windows of that day when they were judged first: the ratio is between what one
// window costs, so that a late record costs the windows that it touches, no more.
func BenchmarkLate(b *testing.B) {
	all, err := rule.Defaults()
	if err != nil {
		b.Fatal(err)
	}
	rules := slices.DeleteFunc(all, func(r *rule.Rule) bool { return r.Kind == rule.NRT })
	ctx := b.Context()
	store, err := logstore.OpenMemory(ctx, logstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	const account = "e0000000-0000-4000-8000-000000000001"
	table, _ := schema.Lookup("SigninLogs")
	user, _ := table.Index("UserId")
	result, _ := table.Index("ResultType")
	midnight := time.Now().UTC().Truncate(24 * time.Hour)
	record := func(name, id string, at time.Time) glassward.Record {
		r := glassward.Record{Table: "SigninLogs", ID: recordID("SigninLogs", name), EntraID: name, Source: "hub", Time: at, Received: time.Now(), Provenance: glassward.Pulled, Values: make([]glassward.Value, len(table.Columns))}
		for c := range table.Columns {
			if table.Columns[c].Type == value.String {
				r.Values[c] = glassward.String("")
			}
		}
		r.Values[user], r.Values[result] = glassward.String(id), glassward.String("0")
		return r
	}
	put := func(records []glassward.Record) rule.Batch {
		done, err := store.Append(ctx, logstore.Batch{Records: records})
		if err != nil {
			b.Fatal(err)
		}
		return rule.Batch{From: done.FirstSeq - 1, To: done.LastSeq, Records: done.Records, Updated: done.Updated}
	}
	env := environment()
	env.Watchlists["EmergencyAccounts"] = rule.EmergencyAccounts(rule.Account{ObjectID: account, Name: "EA-01", Kind: "user"})
	var book rule.Notebook
	var asked int
	now := midnight
	e, err := rule.NewEngine(ctx, rule.Options{
		Rules: rules, Catalog: env.Catalog, Watchlists: env.Watchlists, Memory: &book, Desk: book.Desk(""), Now: func() time.Time { return now },
		Runner: rule.RunnerFunc(func(ctx context.Context, p *kql.Program, bind kql.Bind) (*kql.Result, error) {
			asked++
			return store.Run(ctx, p, bind, logstore.Limits{Class: logstore.Rules})
		}),
	})
	if err != nil {
		b.Fatal(err)
	}
	owed := func() (n int64) {
		for _, s := range e.States() {
			n += s.Owed
		}
		return n
	}
	settle := func() {
		for again := true; again; again = owed() > 0 {
			if err := e.Tick(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	// The account is used every two hours, so that no window is empty and left out.
	var first time.Duration
	firstAsked := 0
	for hour := range 24 {
		var day []glassward.Record
		for i := range 100_000 / 24 {
			day = append(day, record(fmt.Sprintf("other-%d-%d", hour, i), fmt.Sprintf("a0000000-0000-4000-8000-%012d", i%1000), now.Add(time.Duration(i)*time.Second/2)))
		}
		if hour%2 == 0 {
			day = append(day, record(fmt.Sprintf("use-%d", hour), account, now.Add(30*time.Minute)))
		}
		if err := e.Batch(ctx, put(day)); err != nil {
			b.Fatal(err)
		}
		now = now.Add(time.Hour)
		asked = 0
		start := time.Now()
		settle()
		first += time.Since(start)
		firstAsked += asked
	}
	var took time.Duration
	var windows, queries int64
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		batch := put([]glassward.Record{record(fmt.Sprintf("late-%d", n), account, midnight.Add(time.Duration(n*7919%1300)*time.Minute))})
		asked = 0
		start := time.Now()
		b.StartTimer()
		if err := e.Batch(ctx, batch); err != nil {
			b.Fatal(err)
		}
		windows += owed()
		settle()
		b.StopTimer()
		took += time.Since(start)
		queries += int64(asked)
		b.StartTimer()
	}
	ours, reference := took/time.Duration(max(queries, 1)), first/time.Duration(max(firstAsked, 1))
	fmt.Printf("a late record among 100,000: %.0f windows opened again, %.0f queries, %v; a query %v, when its window was judged first %v: ratio %.2f\n",
		float64(windows)/float64(n), float64(queries)/float64(n), (took / time.Duration(n)).Round(time.Millisecond), ours.Round(10*time.Microsecond), reference.Round(10*time.Microsecond), float64(ours)/float64(reference))
	b.ReportMetric(float64(windows)/float64(n), "windows/record")
}
