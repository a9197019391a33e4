package logstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/ingest"
	"glassward/kql"
	"glassward/logstore"
	"glassward/schema"
)

// ingestRecords is how many sign-ins BenchmarkIngest loads.
const ingestRecords = 500_000

// signinFile writes the file of sign-ins that the benchmark loads.
func signinFile(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "signins.ndjson")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := writeSignins(f, ingestRecords); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkIngest loads a file of diagnostic-settings sign-ins into a new
// store, decoded, identified and durable, and compares with what DuckDB alone
// needs to load it by read_json (testdata/bench/ingest.sql), in an engine with
// the same number of threads.
func BenchmarkIngest(b *testing.B) {
	path := signinFile(b)
	var ours, reference time.Duration
	for b.Loop() {
		reference += loadReference(b, path)
		ours += load(b, path)
	}
	report(b, ours, reference, ingestRecords, "records")
}

// load is how sources load: one goroutine decodes while another stores.
func load(b *testing.B, path string) time.Duration {
	s, err := logstore.Open(context.Background(), filepath.Join(b.TempDir(), "tenant"), logstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	start := time.Now()
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	d, err := ingest.NewDecoder(f, ingest.DecoderOptions{Source: "file:signins.ndjson", Provenance: glassward.File, BatchRecords: 4096})
	if err != nil {
		b.Fatal(err)
	}
	free, full := make(chan *ingest.Batch, 3), make(chan *ingest.Batch)
	for range cap(free) {
		free <- new(ingest.Batch)
	}
	go func() {
		defer close(full)
		for {
			batch := <-free
			err := d.Next(batch)
			if len(batch.Records) > 0 {
				full <- batch
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	}()
	loader, added := s.Load(), 0
	for batch := range full {
		c, err := loader.Add(context.Background(), logstore.Batch{Records: batch.Records, Cursor: &logstore.Cursor{Source: "file", Position: []byte("x")}})
		if err != nil {
			b.Fatal(err)
		}
		added += c.Added
		free <- batch
	}
	if err := loader.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	took := time.Since(start)
	if added != ingestRecords {
		b.Fatalf("%d records were added", added)
	}
	return took
}

// loadReference runs testdata/bench/ingest.sql.
func loadReference(b *testing.B, path string) time.Duration {
	engine, err := logstore.OpenBare(filepath.Join(b.TempDir(), "reference.duckdb"))
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	t, _ := schema.Lookup("SigninLogs")
	var ddl strings.Builder
	ddl.WriteString("CREATE TABLE reference (")
	for i, c := range t.Columns {
		if i > 0 {
			ddl.WriteString(", ")
		}
		kind := map[string]string{"datetime": "TIMESTAMP", "long": "BIGINT", "bool": "BOOLEAN", "real": "DOUBLE", "dynamic": "VARCHAR"}[c.Type.String()]
		if kind == "" {
			kind = "VARCHAR NOT NULL DEFAULT ''"
		}
		fmt.Fprintf(&ddl, "%q %s", c.Name, kind)
	}
	ddl.WriteString(")")
	if err := engine.Exec(ddl.String()); err != nil {
		b.Fatal(err)
	}
	sql, err := os.ReadFile("testdata/bench/ingest.sql")
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if err := engine.Exec(strings.NewReplacer("{table}", "reference", "{file}", path).Replace(string(sql))); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// report says what both took and how they compare: 1.0 is as fast as the
// reference, more is faster.
func report(b *testing.B, ours, reference time.Duration, n int, unit string) {
	b.Helper()
	each := func(d time.Duration) float64 { return float64(n) * float64(b.N) / d.Seconds() }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(each(ours), unit+"/s")
	b.ReportMetric(each(reference), "reference-"+unit+"/s")
	b.ReportMetric(reference.Seconds()/ours.Seconds(), "ratio")
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintf(out, "%s: ours %v, reference %v, ratio %.2f\n", b.Name(), (ours / time.Duration(b.N)).Round(time.Microsecond), (reference / time.Duration(b.N)).Round(time.Microsecond), reference.Seconds()/ours.Seconds())
	out.Flush()
}

// The two emergency accounts of BenchmarkNeedle.
const (
	firstNeedle  = "5d0b7c11-2e84-4f6a-b3c9-000000000001"
	secondNeedle = "5d0b7c11-2e84-4f6a-b3c9-000000000002"
)

// BenchmarkNeedle looks for what two accounts did among ten million sign-ins:
// the KQL as somebody would write it, compiled for every run, against the SQL
// of testdata/bench/needle.sql on the same store.
func BenchmarkNeedle(b *testing.B) {
	const records = 10_000_000
	dir := filepath.Join(b.TempDir(), "tenant")
	t, _ := schema.Lookup("SigninLogs")
	o := logstore.Options{Tables: []*schema.Table{t}}
	s := open(b, dir, o)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	bare, err := logstore.OpenBare(filepath.Join(dir, "logs.duckdb"))
	if err != nil {
		b.Fatal(err)
	}
	err = bare.Exec(fmt.Sprintf(`INSERT INTO "SigninLogs" BY NAME SELECT 639000000000000000 + range * 400000 AS "TimeGenerated",
		CASE WHEN range %% 400009 = 7 THEN '%s' WHEN range %% 500009 = 9 THEN '%s' ELSE 'fb5479a7-f4db-4cdb-a000-' || printf('%%012d', hash(range) %% 8000) END AS "UserId",
		'person' || (hash(range) %% 8000) || '@example.com' AS "UserPrincipalName", '203.0.' || (hash(range + 1) %% 256) || '.' || (hash(range + 2) %% 256) AS "IPAddress",
		'Application ' || (hash(range + 3) %% 150) AS "AppDisplayName", CASE hash(range + 4) %% 20 WHEN 0 THEN '50126' ELSE '0' END AS "ResultType",
		uuid() AS "_ItemId", 639000000000000000 + range * 400000 AS "_TimeReceived", range + 1 AS "_Seq", 'bench' AS "_Source", 'pulled' AS "_Provenance"
		FROM range(%d)`, firstNeedle, secondNeedle, records))
	bare.Close()
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	s = open(b, dir, o)
	b.Logf("opened with %d records in %v", records, time.Since(start))
	text, err := os.ReadFile("testdata/bench/needle.sql")
	if err != nil {
		b.Fatal(err)
	}
	hand := program(strings.TrimSpace(strings.NewReplacer("{first}", firstNeedle, "{second}", secondNeedle, ";", "").Replace(string(text))), make([]string, 6)...)
	ours := func() *kql.Result {
		p, diags := kql.Compile(fmt.Sprintf(`SigninLogs
			| where UserId in ("%s", "%s")
			| project TimeGenerated, UserId, UserPrincipalName, IPAddress, AppDisplayName, ResultType`, firstNeedle, secondNeedle), kql.Options{Catalog: schema.Default().Catalog()})
		if len(diags) > 0 {
			b.Fatal(diags)
		}
		r, err := s.Run(context.Background(), p, kql.Bind{}, logstore.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		return r
	}
	theirs := func() *kql.Result {
		r, err := s.Run(context.Background(), hand, kql.Bind{}, logstore.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		return r
	}
	if d := cmp.Diff(theirs().Rows, ours().Rows); d != "" || len(ours().Rows) < 40 {
		b.Fatalf("%d rows: %s", len(ours().Rows), d)
	}
	var took, reference []time.Duration
	for b.Loop() {
		start := time.Now()
		ours()
		middle := time.Now()
		theirs()
		took = append(took, middle.Sub(start))
		reference = append(reference, time.Since(middle))
	}
	slices.Sort(took)
	slices.Sort(reference)
	mine, theirsTook := took[len(took)/2], reference[len(reference)/2]
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(mine.Seconds()*1e3, "ms")
	b.ReportMetric(theirsTook.Seconds()*1e3, "reference-ms")
	b.ReportMetric(mine.Seconds()/theirsTook.Seconds(), "ratio")
	fmt.Printf("%s: ours %v, reference %v, ratio %.2f (at most 1.10)\n", b.Name(), mine, theirsTook, mine.Seconds()/theirsTook.Seconds())
}

// BenchmarkCommit appends fifty records with a cursor, as a push does, one batch
// after the other, while the keeper makes checkpoints as it sees fit.
func BenchmarkCommit(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "tenant"), logstore.Options{})
	n := 0
	var took []time.Duration
	for b.Loop() {
		list := make([]glassward.Record, 50)
		for i := range list {
			list[i] = signin(fmt.Sprint(n), "UserId", fmt.Sprint("user", n%1000), "UserAgent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0 Safari/537.36")
			n++
		}
		start := time.Now()
		if _, err := s.Append(context.Background(), logstore.Batch{Records: list, Cursor: &logstore.Cursor{Source: "push", Position: fmt.Append(nil, n)}}); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	at := func(p float64) float64 { return took[int(float64(len(took)-1)*p)].Seconds() * 1e3 }
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
}
