package kql_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// The accounts that the alert query of the benchmarks watches.
const (
	watchedOne = "5d0b7c11-2e84-4f6a-b3c9-000000000001"
	watchedTwo = "5d0b7c11-2e84-4f6a-b3c9-000000000002"
)

// alertQuery gives a published alert query for emergency accounts over sign-ins and audit records, where the
// document that has it lies beside the repository.
func alertQuery(b *testing.B) string {
	b.Helper()
	names, _ := filepath.Glob(filepath.Join(root(b), "..", "shared", "seeds", "001_*.txt"))
	if len(names) == 0 {
		b.Skip("the document with the query is not here")
	}
	text, err := os.ReadFile(names[0])
	if err != nil {
		b.Fatal(err)
	}
	_, query, _ := strings.Cut(string(text), "let BreakGlassUserIds")
	query, _, ok := strings.Cut(query, "| sort by TimeGenerated desc")
	if !ok {
		b.Fatal("the document has another query")
	}
	return strings.NewReplacer("EA 01 Object ID", watchedOne, "EA 02 Object ID", watchedTwo).Replace("let BreakGlassUserIds" + query + "| sort by TimeGenerated desc")
}

// BenchmarkCompileAlert compiles the alert query from text to SQL, as a rule runs it: with lineage, over what is
// new. It prints the median and what is allocated.
func BenchmarkCompileAlert(b *testing.B) {
	query, cat := alertQuery(b), sharedTables(b)
	var took []time.Duration
	var before, after runtime.MemStats
	const runs = 300
	runtime.ReadMemStats(&before)
	for range runs {
		start := time.Now()
		if p, diags := kql.Compile(query, kql.Options{Catalog: cat, Lineage: true, Window: kql.BySeq}); p == nil {
			b.Fatal(diags.Err())
		}
		took = append(took, time.Since(start))
	}
	runtime.ReadMemStats(&after)
	slices.Sort(took)
	p50 := took[runs/2]
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(p50.Seconds()*1e3, "p50-ms")
	fmt.Printf("%s: p50 %v (at most 2ms), shortest %v, %d allocations, %d KiB\n", b.Name(), p50.Round(time.Microsecond), took[0].Round(time.Microsecond), (after.Mallocs-before.Mallocs)/runs, (after.TotalAlloc-before.TotalAlloc)/runs>>10)
}

// BenchmarkAlert runs the alert query over a million audit records and a million sign-ins, of which a few are by
// and about the watched accounts, as it is compiled and as it would be without any rewrite.
func BenchmarkAlert(b *testing.B) {
	query, cat := alertQuery(b), sharedTables(b)
	const records = 1_000_000
	e := newEngine(b)
	for _, name := range []string{"SigninLogs", "AuditLogs"} {
		e.create(b, cat[name], nil)
	}
	who := fmt.Sprintf(`CASE WHEN range %% 400009 = 7 THEN '%s' WHEN range %% 300007 = 9 THEN '%s' ELSE 'fb5479a7-f4db-4cdb-a000-' || printf('%%012d', hash(range) %% 8000) END`, watchedOne, watchedTwo)
	target := fmt.Sprintf(`CASE WHEN range %% 200009 = 11 THEN '%s' ELSE 'b0b5479a-0000-4cdb-a000-' || printf('%%012d', hash(range + 1) %% 9000) END`, watchedTwo)
	empty := func(name string, given ...string) string {
		var out []string
		for _, c := range cat[name].Columns {
			if c.Type == value.String && !slices.Contains(given, c.Name) {
				out = append(out, fmt.Sprintf(`'' AS %q`, c.Name))
			}
		}
		return strings.Join(out, ", ")
	}
	for _, sql := range []string{
		`INSERT INTO "SigninLogs" BY NAME SELECT 639000000000000000 + range * 400000 AS "TimeGenerated", 's' || range AS "Id", ` + who + ` AS "UserId", 'person' || (hash(range) % 8000) || '@example.com' AS "UserPrincipalName",
			'0' AS "ResultType", range AS "_Seq", uuid() AS "_ItemId", ` + empty("SigninLogs", "Id", "UserId", "UserPrincipalName", "ResultType") + fmt.Sprintf(` FROM range(%d)`, records),
		`INSERT INTO "AuditLogs" BY NAME SELECT * EXCLUDE (upn) FROM (SELECT 639000000000000000 + range * 400000 AS "TimeGenerated", 'a' || range AS "Id", ` + who + ` AS "_Who_id", 'person' || (hash(range) % 8000) || '@example.com' AS upn, upn AS "_Who_name", '' AS "_App_name",
			'Target' AS "_First_name", ` + target + ` AS "_First_id", "_First_id" AS "_Ids", 'Update user' AS "OperationName", 'success' AS "Result",
			'{"user":{"id":"' || "_Who_id" || '","displayName":"Person","userPrincipalName":"' || upn || '","ipAddress":"203.0.113.7","roles":[]}}' AS "InitiatedBy",
			'[{"id":"' || "_First_id" || '","displayName":"Target","userPrincipalName":"target@example.com","type":"User","modifiedProperties":[{"displayName":"AccountEnabled","oldValue":"[true]","newValue":"[false]"}]}]' AS "TargetResources",
			range AS "_Seq", uuid() AS "_ItemId", ` + empty("AuditLogs", "Id", "OperationName", "Result") + fmt.Sprintf(` FROM range(%d))`, records),
	} {
		if _, err := e.conn.ExecContext(context.Background(), sql); err != nil {
			b.Fatal(err)
		}
	}
	plain := (&sample{query: query, catalog: cat}).tree()
	tree := plain
	for _, step := range rel.Rewrites() {
		tree = step.Apply(tree)
	}
	run := func(r rel.Rel) (*result, time.Duration) {
		start := time.Now()
		out, err := e.runTree(r, 0, 0)
		if err != nil {
			b.Fatal(err)
		}
		return out, time.Since(start)
	}
	took, reference := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for range 5 {
		r, d := run(plain)
		s, c := run(tree)
		if diff := differ(r.rows, s.rows, true); diff != "" || len(r.rows) < 8 {
			b.Fatalf("%d rows: %s", len(r.rows), diff)
		}
		reference, took = min(reference, d), min(took, c)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(took.Seconds()/reference.Seconds(), "ratio")
	fmt.Printf("%s: ours %v, plain translation %v, ratio %.3f (at most 0.3)\n", b.Name(), took.Round(time.Millisecond), reference.Round(time.Millisecond), took.Seconds()/reference.Seconds())
}
