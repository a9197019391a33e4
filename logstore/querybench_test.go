package logstore_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward/kql"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// benchSignins gives how many sign-ins the benchmarks of queries look at; there
// are a tenth as many audit records. GLASSWARD_BENCH_SIGNINS changes it.
func benchSignins(def int) int {
	if n, err := strconv.Atoi(os.Getenv("GLASSWARD_BENCH_SIGNINS")); err == nil {
		return n
	}
	return def
}

// benchStore opens a store with so many records, which SQL makes. It is kept in
// the folder of temporary files for the next time.
func benchStore(b *testing.B, signins, audits int) *logstore.Store {
	b.Helper()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("glassward-bench-%d-%d", signins, audits))
	signin, _ := schema.Lookup("SigninLogs")
	audit, _ := schema.Lookup("AuditLogs")
	o := logstore.Options{Tables: []*schema.Table{signin, audit}, Memory: 4 << 30}
	whole := filepath.Join(dir, "whole")
	if _, err := os.Stat(whole); err == nil {
		return open(b, filepath.Join(dir, "tenant"), o)
	}
	if err := os.RemoveAll(dir); err != nil {
		b.Fatal(err)
	}
	s := open(b, filepath.Join(dir, "tenant"), o)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	bare, err := logstore.OpenBare(filepath.Join(dir, "tenant", "logs.duckdb"))
	if err != nil {
		b.Fatal(err)
	}
	user := `'fb5479a7-f4db-4cdb-a000-' || printf('%%012d', hash(range) %% 8000)`
	own := `uuid() AS "_ItemId", 639000000000000000 + range * 400000 AS "_TimeReceived", 'bench' AS "_Source", 'pulled' AS "_Provenance"`
	step := int64(20_000_000_000_000) / int64(max(signins, 1)) // over 23 days
	for _, sql := range []string{
		fmt.Sprintf(`INSERT INTO "SigninLogs" BY NAME SELECT 639000000000000000 + range * %d AS "TimeGenerated", uuid()::VARCHAR AS "Id", `+user+` AS "UserId",
			'person' || (hash(range) %% 8000) || '@example.com' AS "UserPrincipalName", '203.0.' || (hash(range + 1) %% 256) || '.' || (hash(range + 2) %% 256) AS "IPAddress",
			'Application ' || (hash(range + 3) %% 150) AS "AppDisplayName", CASE hash(range + 4) %% 20 WHEN 0 THEN '50126' ELSE '0' END AS "ResultType",
			(hash(range + 5) %% 5000)::BIGINT AS "DurationMs", range + 1 AS "_Seq", `+own+` FROM range(%d)`, step, signins),
		fmt.Sprintf(`INSERT INTO "AuditLogs" BY NAME SELECT 639000000000000000 + range * %d AS "TimeGenerated", uuid()::VARCHAR AS "Id",
			'Operation ' || (hash(range + 1) %% 60) AS "OperationName", 'success' AS "Result", 'person' || (hash(range) %% 8000) || '@example.com' AS upn, `+user+` AS who,
			'{"user":{"id":"' || who || '","displayName":"Person","userPrincipalName":"' || upn || '","ipAddress":"203.0.113.7","roles":[]}}' AS "InitiatedBy",
			printf('b0b5479a-0000-4cdb-a000-%%012d', range) AS target, 'Target ' || (hash(range + 2) %% 500) AS named,
			'[{"id":"' || target || '","displayName":"' || named || '","type":"User","modifiedProperties":[{"displayName":"AccountEnabled","oldValue":"[true]","newValue":"[false]"}]},{"id":"' || printf('c0c5479a-0000-4cdb-a000-%%012d', hash(range) %% 90) || '","displayName":"Group ' || (hash(range + 3) %% 90) || '","type":"Group","modifiedProperties":[]}]' AS "TargetResources",
			who AS "_InitiatedBy_user_id", upn AS "_InitiatedBy_user_userPrincipalName", named AS "_TargetResources_0_displayName", target AS "_TargetResources_0_id", target AS "_TargetResources_ids",
			%d + range AS "_Seq", `+own+` FROM range(%d)`, step*10, signins+1, audits),
	} {
		// The parts that the JSON is made of are no columns of the table.
		sql = strings.Replace(sql, "SELECT 639", "SELECT * EXCLUDE (upn, who, target, named) FROM (SELECT 639", strings.Count(sql, `AS upn`)) + strings.Repeat(")", strings.Count(sql, "AS upn"))
		if err := bare.Exec(sql); err != nil {
			b.Fatal(err)
		}
	}
	bare.Close()
	if err := os.WriteFile(whole, nil, 0o600); err != nil {
		b.Fatal(err)
	}
	return open(b, filepath.Join(dir, "tenant"), o)
}

type benchQuery struct{ name, kql, sql string }

func benchQueries(b *testing.B) []benchQuery {
	b.Helper()
	text, err := os.ReadFile("testdata/bench/queries.txt")
	if err != nil {
		b.Fatal(err)
	}
	var out []benchQuery
	for _, part := range strings.Split(string(text), "\n== ")[1:] {
		name, rest, _ := strings.Cut(part, "\n-- kql --\n")
		query, sql, _ := strings.Cut(rest, "\n-- sql --\n")
		out = append(out, benchQuery{name, query, strings.TrimSpace(sql)})
	}
	return out
}

// cellsOf gives a result as lines of text in an order of their own.
func cellsOf(r *kql.Result) []string {
	var out []string
	for _, row := range r.Rows {
		var b strings.Builder
		for _, c := range row {
			if f, ok := c.(float64); ok {
				fmt.Fprintf(&b, "%.6g ", f)
				continue
			}
			fmt.Fprint(&b, c, " ")
		}
		out = append(out, b.String())
	}
	slices.Sort(out)
	return out
}

// BenchmarkQueries runs the queries of testdata/bench/queries.txt, compiled anew
// each time, and the SQL beside them in turn on the same store. The results must
// be the same.
func BenchmarkQueries(b *testing.B) {
	signins := benchSignins(10_000_000)
	s := benchStore(b, signins, signins/10)
	sum, n := 0.0, 0
	for _, q := range benchQueries(b) {
		if want := os.Getenv("GLASSWARD_BENCH_QUERY"); want != "" && !strings.Contains(q.name, want) {
			continue
		}
		ours := func() *kql.Result {
			p, diags := kql.Compile(q.kql, kql.Options{Catalog: schema.Default().Catalog()})
			if p == nil {
				b.Fatalf("%s: %v", q.name, diags.Err())
			}
			if os.Getenv("GLASSWARD_BENCH_SQL") != "" {
				b.Log(p.SQL)
			}
			r, err := s.Run(context.Background(), p, kql.Bind{Now: value.FromTime(clock)}, logstore.Limits{})
			if err != nil {
				b.Fatalf("%s: %v", q.name, err)
			}
			return r
		}
		width := len(ours().Columns)
		hand := program(q.sql, make([]string, width)...)
		theirs := func() *kql.Result {
			r, err := s.Run(context.Background(), hand, kql.Bind{}, logstore.Limits{})
			if err != nil {
				b.Fatalf("%s: %v", q.name, err)
			}
			return r
		}
		if d := cmp.Diff(cellsOf(theirs()), cellsOf(ours())); d != "" {
			b.Errorf("%s: %s", q.name, d[:min(len(d), 1500)])
			continue
		}
		// The shortest of each: what else runs on the machine only adds.
		took, reference := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
		for range 11 {
			start := time.Now()
			theirs()
			middle := time.Now()
			ours()
			reference, took = min(reference, middle.Sub(start)), min(took, time.Since(middle))
		}
		ratio := took.Seconds() / reference.Seconds()
		sum += math.Log(ratio)
		n++
		fmt.Printf("%s/%s: ours %v, reference %v, ratio %.2f (at most 1.20)\n", b.Name(), q.name, took.Round(10*time.Microsecond), reference.Round(10*time.Microsecond), ratio)
	}
	if n > 0 {
		mean := math.Exp(sum / float64(n))
		fmt.Printf("%s: %d queries over %d sign-ins and %d audit records, geometric mean of the ratios %.2f (at most 1.10)\n", b.Name(), n, signins, signins/10, mean)
		b.ReportMetric(mean, "ratio")
	}
	b.ReportMetric(0, "ns/op")
}

// growth is the sizes of BenchmarkGrowth, in sign-ins.
var growth = []int{1_000_000, 3_000_000, 10_000_000, 30_000_000}

// BenchmarkGrowth times the queries of testdata/bench/queries.txt as the tables grow and writes a table of
// them, in Markdown, to the file that GLASSWARD_COST names, or prints it.
func BenchmarkGrowth(b *testing.B) {
	queries := benchQueries(b)
	took := make([][]time.Duration, len(queries))
	for _, signins := range growth {
		s := benchStore(b, signins, signins/10)
		for i, q := range queries {
			p, diags := kql.Compile(q.kql, kql.Options{Catalog: schema.Default().Catalog()})
			if p == nil {
				b.Fatalf("%s: %v", q.name, diags.Err())
			}
			shortest := time.Duration(math.MaxInt64)
			for range 5 {
				start := time.Now()
				if _, err := s.Run(context.Background(), p, kql.Bind{Now: value.FromTime(clock)}, logstore.Limits{}); err != nil {
					b.Fatalf("%s: %v", q.name, err)
				}
				shortest = min(shortest, time.Since(start))
			}
			took[i] = append(took[i], shortest)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	var t strings.Builder
	t.WriteString("| query | KQL |")
	for _, n := range growth {
		fmt.Fprintf(&t, " %d M |", n/1_000_000)
	}
	t.WriteString(" growth |\n|---|---|" + strings.Repeat("---:|", len(growth)+1) + "\n")
	for i, q := range queries {
		fmt.Fprintf(&t, "| %s | `%s` |", q.name, strings.ReplaceAll(strings.Join(strings.Fields(q.kql), " "), "|", "\\|"))
		for _, d := range took[i] {
			fmt.Fprintf(&t, " %.1f ms |", d.Seconds()*1e3)
		}
		fmt.Fprintf(&t, " %.1f |\n", took[i][len(growth)-1].Seconds()/took[i][0].Seconds())
	}
	b.ReportMetric(0, "ns/op")
	file := os.Getenv("GLASSWARD_COST")
	if file == "" {
		fmt.Print(t.String())
		return
	}
	if err := os.WriteFile(file, []byte(fmt.Sprintf(costPage, runtime.GOMAXPROCS(0))+t.String()), 0o644); err != nil {
		b.Fatal(err)
	}
}

// costPage is what stands above the table in docs/query-cost.md.
const costPage = `# What a query costs as the tables grow

Made by ` + "`make cost`" + ` on a machine of %d processors: the queries of
` + "`logstore/testdata/bench/queries.txt`" + ` over SigninLogs of so many million records and a
tenth as many in AuditLogs, spread over 23 days, the shortest of five runs, compiled
beforehand, with the files in the cache of the system. The last column says how many times longer 30 million
records take than one million: 30 is in proportion, less means that a fixed cost or an
index of the store shows. Figures of another machine differ; their proportions hardly do.

`
