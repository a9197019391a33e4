package ingest_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glassward/ingest"
)

var update = flag.Bool("update", false, "write what the records give into testdata/records")

// TestRecords holds what each file of testdata/records says: the text after
// "-- in --" gives the record after "-- out --". Read what -update writes.
func TestRecords(t *testing.T) {
	files, err := filepath.Glob("testdata/records/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			before, after, ok := strings.Cut(string(text), "-- in --\n")
			in, want, _ := strings.Cut(after, "-- out --\n")
			if !ok {
				t.Fatal("there is no -- in --")
			}
			records, rejects, warnings, sum := decode(t, in, ingest.DecoderOptions{})
			var b strings.Builder
			for i, r := range records {
				shape := ""
				for ts := range sum.By {
					shape = ts.Shape.String()
				}
				if i > 0 {
					b.WriteByte('\n')
				}
				fmt.Fprintf(&b, "table %s\nshape %s\nid %s\ntenant %s\ntime %s\n\n%s", r.Table, shape, r.EntraID, r.Tenant, r.Time.Format("2006-01-02T15:04:05.0000000Z07:00"), show(r))
				if r.Extra != "" {
					fmt.Fprintf(&b, "\nextra %s\n", r.Extra)
				}
			}
			for _, x := range rejects {
				fmt.Fprintf(&b, "reject %d:%d %s\n", x.Line, x.Column, x.Reason)
			}
			for _, w := range warnings {
				fmt.Fprintf(&b, "warning %s %s: %s\n", w.Kind, w.Name, w.Text)
			}
			if *update {
				if err := os.WriteFile(file, []byte(before+"-- in --\n"+in+"-- out --\n"+b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got := b.String(); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
