package ingest_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/ingest"
)

// at is the time of all tests.
var at = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return at }

// decode reads everything of a text.
func decode(t testing.TB, text string, o ingest.DecoderOptions) (records []glassward.Record, rejects []ingest.Reject, warnings []ingest.Warning, sum ingest.Summary) {
	t.Helper()
	return decodeFrom(t, strings.NewReader(text), o)
}

func decodeFrom(t testing.TB, r io.Reader, o ingest.DecoderOptions) (records []glassward.Record, rejects []ingest.Reject, warnings []ingest.Warning, sum ingest.Summary) {
	t.Helper()
	if o.Now == nil {
		o.Now = clock
	}
	d, err := ingest.NewDecoder(r, o)
	if err != nil {
		t.Fatal(err)
	}
	for {
		var b ingest.Batch
		err := d.Next(&b)
		records = append(records, b.Records...)
		rejects = append(rejects, b.Rejects...)
		warnings = append(warnings, b.Warnings...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("Next: %v", err)
		}
	}
	sum = d.Summary()
	if sum.Records != len(records) || sum.Rejected != len(rejects) {
		t.Errorf("summary counts %d records and %d rejects; there are %d and %d", sum.Records, sum.Rejected, len(records), len(rejects))
	}
	n := 0
	for _, k := range sum.By {
		n += k
	}
	if n != sum.Records {
		t.Errorf("the summary's parts make %d, the whole is %d", n, sum.Records)
	}
	return records, rejects, warnings, sum
}

// TestSamples reads public samples, where they lie beside the repository: each
// line is a record or a reject, and nothing is read twice.
func TestSamples(t *testing.T) {
	// What is no record of any table, by file and the number of such lines.
	none := map[string]int{
		"ca_policies.ndjson": -1, "whatif_examples.ndjson": -1,
		"other_panther.ndjson": 1,
		// Logs of storage accounts and records that hold a shipper's own fields only.
		"azureactivity_panther.ndjson": 17,
	}
	files, err := filepath.Glob("../../shared/samples/*.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := bytes.Count(text, []byte("\n"))
			records, rejects, warnings, sum := decode(t, string(text), ingest.DecoderOptions{Source: name})
			if len(records)+len(rejects) != lines {
				t.Errorf("%d records and %d rejects of %d lines", len(records), len(rejects), lines)
			}
			want := none[name]
			if want < 0 {
				want = lines
			}
			if len(rejects) != want {
				t.Errorf("%d rejects, want %d", len(rejects), want)
				for _, r := range rejects {
					t.Logf("%d:%d %s", r.Line, r.Column, r.Reason)
				}
			}
			kinds := map[string]int{}
			for _, w := range warnings {
				kinds[fmt.Sprintf("%s %s", w.Kind, w.Name)]++
			}
			var all []string
			for ts, n := range sum.By {
				all = append(all, fmt.Sprintf("%s as %s: %d", ts.Table, ts.Shape, n))
			}
			sort.Strings(all)
			t.Logf("%d lines: %s; rejected %d; warnings %v", lines, strings.Join(all, ", "), len(rejects), kinds)
			seen := map[int]bool{}
			for _, r := range records {
				if seen[r.Line] {
					t.Errorf("line %d gave two records", r.Line)
				}
				seen[r.Line] = true
			}
		})
	}
}
