package logstore_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/rule"
	"glassward/schema"
)

// BenchmarkJudge times what it costs to take in a batch of fifty sign-ins and to judge
// it by the shipped rules, as the store grows from a hundred thousand to thirty million
// records: one batch in which nothing is found, and one with the use of an emergency
// account. It prints a table in Markdown. GLASSWARD_BENCH_SIGNINS bounds the store.
func BenchmarkJudge(b *testing.B) {
	const account = "e0000000-0000-4000-8000-000000000001"
	const times = 60
	table, _ := schema.Lookup("SigninLogs")
	user, _ := table.Index("UserId")
	result, _ := table.Index("ResultType")
	rules, err := rule.Defaults()
	if err != nil {
		b.Fatal(err)
	}
	var t strings.Builder
	fmt.Fprintf(&t, "| records stored | batch stored, p50 / p99 | judged, nothing found, p50 / p99 | judged, one use found, p50 / p99 |\n|--:|--:|--:|--:|\n")
	for _, signins := range []int{100_000, 1_000_000, 10_000_000, 30_000_000} {
		if signins > benchSignins(30_000_000) {
			continue
		}
		s := benchStore(b, signins, signins/10)
		head, err := s.LastSeq(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		lists := rule.Watchlists()
		lists["EmergencyAccounts"] = rule.EmergencyAccounts(rule.Account{ObjectID: account, Name: "EA-01"})
		lists["ProtectedObjects"] = rule.ProtectedObjects(rule.Object{ObjectID: "5f0c7a14-3b2d-4e6f-8a91-c0d1e2f3b001", Name: "Break-glass", Kind: "group"})
		var book rule.Notebook
		e, err := rule.NewEngine(b.Context(), rule.Options{
			Rules: rules, Catalog: schema.Default().Catalog(), Watchlists: lists, Memory: &book, Desk: book.Desk(""), Head: head,
			Runner: rule.RunnerFunc(func(ctx context.Context, p *kql.Program, bind kql.Bind) (*kql.Result, error) {
				return s.Run(ctx, p, bind, logstore.Limits{Class: logstore.Rules})
			}),
		})
		if err != nil {
			b.Fatal(err)
		}
		var stored, idle, found []time.Duration
		for n := range times {
			hit := n%2 == 1
			batch := make([]glassward.Record, 50)
			for i := range batch {
				r := glassward.Record{Table: table.Name, Source: "bench", Time: time.Now(), Received: time.Now(), Provenance: glassward.Pulled, Values: make([]glassward.Value, len(table.Columns))}
				_, _ = rand.Read(r.ID[:]) // never fails
				r.EntraID = hex.EncodeToString(r.ID[:])
				for c := range table.Columns {
					if table.Columns[c].Type == value.String {
						r.Values[c] = glassward.String("")
					}
				}
				r.Values[user], r.Values[result] = glassward.String(fmt.Sprintf("a0000000-0000-4000-8000-%012d", i)), glassward.String("0")
				if hit && i == 25 {
					r.Values[user] = glassward.String(account)
				}
				batch[i] = r
			}
			start := time.Now()
			done, err := s.Append(b.Context(), logstore.Batch{Records: batch})
			if err != nil {
				b.Fatal(err)
			}
			middle := time.Now()
			if err := e.Batch(b.Context(), rule.Batch{From: done.FirstSeq - 1, To: done.LastSeq, Records: done.Records, Updated: done.Updated}); err != nil {
				b.Fatal(err)
			}
			took := time.Since(middle)
			stored = append(stored, middle.Sub(start))
			if hit {
				found = append(found, took)
			} else {
				idle = append(idle, took)
			}
		}
		if got := len(book.Alerts()); got != times/2 {
			b.Fatalf("%d alerts of %d uses among %d sign-ins", got, times/2, signins)
		}
		of := func(list []time.Duration) string {
			slices.Sort(list)
			return fmt.Sprintf("%v / %v", list[len(list)/2].Round(10*time.Microsecond), list[len(list)*99/100].Round(10*time.Microsecond))
		}
		fmt.Fprintf(&t, "| %d | %s | %s | %s |\n", signins+signins/10, of(stored), of(idle), of(found))
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	fmt.Fprint(os.Stdout, t.String())
	b.ReportMetric(0, "ns/op")
}
