package logstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/ingest"
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
