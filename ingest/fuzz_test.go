package ingest_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"glassward"
	"glassward/ingest"
	"glassward/kql/value"
	"glassward/schema"
)

// pieces gives a text in reads of the lengths that next says.
type pieces struct {
	text string
	next func() int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.text == "" {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), max(1, p.next()))], p.text)
	p.text = p.text[n:]
	return n, nil
}

// full writes everything that a decoder gave.
func full(records []glassward.Record, rejects []ingest.Reject) string {
	var b strings.Builder
	for _, r := range records {
		fmt.Fprintf(&b, "record %s %s line %d %s extra %s raw %q\n%s", r.Table, r.ID, r.Line, r.Time, r.Extra, r.Raw, show(r))
	}
	for _, x := range rejects {
		fmt.Fprintf(&b, "reject %d:%d at %d of %d: %s raw %q\n", x.Line, x.Column, x.Offset, x.Length, x.Reason, x.Raw)
	}
	return b.String()
}

// differ gives the first place where two texts differ.
func differ(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(0, i-200)
	return fmt.Sprintf("…%q\nagainst …%q", a[from:min(len(a), i+200)], b[from:min(len(b), i+200)])
}

// check holds what must be true of every decoding: nothing lies in two records
// or rejects, what lies in none is white space, brackets, the members of wrappers
// or a CSV header, and cells are what their columns say.
func check(t testing.TB, text string, records []glassward.Record, rejects []ingest.Reject) {
	t.Helper()
	for _, r := range records {
		table, ok := schema.Lookup(r.Table)
		if !ok || len(r.Values) != len(table.Columns) {
			t.Fatalf("record of %s with %d cells", r.Table, len(r.Values))
		}
		for i, v := range r.Values {
			c := table.Columns[i]
			fits := false
			switch c.Type {
			case value.String:
				fits = v.Kind == glassward.KindString && utf8.ValidString(v.Str)
			case value.Dynamic:
				_, valid := value.ParseJSON(v.Str)
				fits = v.Kind == glassward.KindNull || v.Kind == glassward.KindString && valid && utf8.ValidString(v.Str)
			case value.Long, value.Int, value.DateTime:
				fits = v.Kind == glassward.KindNull || v.Kind == glassward.KindLong
			case value.Bool:
				fits = v.Kind == glassward.KindNull || v.Kind == glassward.KindBool
			case value.Real:
				fits = v.Kind == glassward.KindNull || v.Kind == glassward.KindReal
			}
			if !fits {
				t.Fatalf("%s.%s (%s) holds %+v", r.Table, c.Name, c.Type, v)
			}
			if strings.Contains(v.Str, "\x00") {
				t.Fatalf("%s.%s holds NUL", r.Table, c.Name)
			}
		}
		if r.Extra != "" {
			if _, ok := value.ParseJSON(r.Extra); !ok || r.Extra[0] != '{' || !utf8.ValidString(r.Extra) {
				t.Fatalf("extra is %q", r.Extra)
			}
		}
		if !strings.Contains(text, string(r.Raw)) {
			t.Fatalf("raw %q is not in the text", r.Raw)
		}
		if r.Line < 1 || r.Line > strings.Count(text, "\n")+1 {
			t.Fatalf("line %d", r.Line)
		}
	}
	last := int64(0)
	for _, x := range rejects {
		if x.Offset < last || x.Length < 0 || x.Offset+x.Length > int64(len(text)) || x.Reason == "" {
			t.Fatalf("reject at %d of %d after %d: %s", x.Offset, x.Length, last, x.Reason)
		}
		last = x.Offset + x.Length
		if n := strings.Count(text[:x.Offset], "\n") + 1; x.Line != n {
			t.Fatalf("reject at %d is said to be in line %d, it is in %d", x.Offset, x.Line, n)
		}
		if n := int(x.Offset) - strings.LastIndexByte(text[:x.Offset], '\n'); x.Column != n {
			t.Fatalf("reject at %d is said to be in column %d, it is in %d", x.Offset, x.Column, n)
		}
	}
}

func seeds(t testing.TB) []string {
	files, err := filepath.Glob("testdata/shapes/*")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
	return append(out,
		r("a")+r("b"), "["+r("a")+"]", `{"records":[`+r("a")+`,{"x":}]}`, r("a")[:50]+"\n"+r("b"), "\ufeff"+r("a")+"\x00\x00",
		`{"time":"x","category":"SignInLogs","a":"\ud83d","a":[1,{"b":1,"b":2}]}`, "TimeGenerated,Id,Type\n\"a\"\"\nb\",2,AuditLogs\n",
		`{"tables":[{"columns":[{"name":"TimeGenerated"},{"name":"Type"}],"rows":[[null,"AuditLogs"],[1]]}]}`, `{"value":[],"@odata.nextLink":`, "nothing\n{}",
		`{"category":"Administrative","time":"2026-01-01","properties":{"a":1,"a":2},"identity":{"claims":{}}}`,
		`{"_Extra":"{\"a\":1}","TimeGenerated":"2026-01-01","Type":"AuditLogs"}`)
}

// FuzzDecode holds that whatever comes in, every part of it is a record or a
// reject, what is kept is well formed, and that neither the sizes of reads nor
// packing change anything.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s, uint16(7))
	}
	f.Fuzz(func(t *testing.T, text string, step uint16) {
		if strings.HasPrefix(text, "\x1f\x8b") || strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
			return // packed: the offsets are of what is inside
		}
		o := ingest.DecoderOptions{MaxRecordBytes: 4096}
		records, rejects, _, _ := decode(t, text, o)
		check(t, text, records, rejects)
		n := int(step)
		again, rejectsAgain, _, _ := decodeFrom(t, &pieces{text, func() int { n = n*31 + 7; return n % 100 }}, o)
		if a, b := full(records, rejects), full(again, rejectsAgain); a != b {
			t.Fatalf("read in pieces it differs: %s", differ(a, b))
		}
	})
}

// TestChunking holds the same over inputs that are built of good and bad parts.
func TestChunking(t *testing.T) {
	parts := append(seeds(t), "\n", "\r\n", ",", "]", "}", "[", "garbage", " ", "\x00", r("x")+"\n", r("y"), `{"broken":`, signIn(3)+"\n", strings.Repeat(`{"a":`, 70), `"`, `{"big":"`+strings.Repeat("z", 5000)+"\"}\n")
	rapid.Check(t, func(rt *rapid.T) {
		var text strings.Builder
		for range rapid.IntRange(1, 8).Draw(rt, "parts") {
			text.WriteString(rapid.SampledFrom(parts).Draw(rt, "part"))
		}
		o := ingest.DecoderOptions{MaxRecordBytes: 4096, BatchRecords: rapid.IntRange(1, 5).Draw(rt, "batch")}
		records, rejects, warnings, _ := decode(t, text.String(), o)
		check(t, text.String(), records, rejects)
		again, rejectsAgain, warningsAgain, _ := decodeFrom(t, &pieces{text.String(), func() int { return rapid.IntRange(1, 700).Draw(rt, "read") }}, o)
		if a, b := full(records, rejects), full(again, rejectsAgain); a != b {
			rt.Fatalf("read in pieces it differs: %s", differ(a, b))
		}
		if a, b := fmt.Sprint(warnings), fmt.Sprint(warningsAgain); a != b {
			rt.Fatalf("read in pieces the warnings differ:\n%s\n----\n%s", a, b)
		}
	})
}

// TestNoHeader holds that a first line which turns out to be no header of a CSV
// file, or one that is longer than a record may be, is the same thing however
// much of it a read brings: a column's time zone is told of headers only.
func TestNoHeader(t *testing.T) {
	long := "TimeGenerated [Local Time],Id,Type," + strings.Repeat("z", 5000) + "\n"
	for _, text := range []string{"][{\"time\":\"2026-11-20T10:00:00Z\"}]\n" + r("a"), long + "2026-11-20,1,AuditLogs,z\n"} {
		for _, size := range []int{1, 700, len(text)} {
			_, _, warnings, _ := decodeFrom(t, &pieces{text, func() int { return size }}, ingest.DecoderOptions{MaxRecordBytes: 4096})
			for _, w := range warnings {
				if w.Kind == ingest.UnknownZone {
					t.Errorf("reads of %d bytes: a line that is no header is warned about: %v", size, w)
				}
			}
		}
	}
}

// TestResume holds that a stream that is read on from any State gives what it
// gives in one go.
func TestResume(t *testing.T) {
	parts := append(seeds(t), "\n", "\n", r("x")+"\n", r("y"), signIn(3)+"\n")
	rapid.Check(t, func(rt *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(1, 6).Draw(rt, "parts") {
			b.WriteString(rapid.SampledFrom(parts).Draw(rt, "part"))
		}
		text := b.String()
		want, wantRejects, _, _ := decode(t, text, ingest.DecoderOptions{})

		var records []glassward.Record
		var rejects []ingest.Reject
		state := ingest.State{Line: 1}
		for length := 0; ; {
			length = min(len(text), length+rapid.IntRange(1, 1500).Draw(rt, "grows"))
			o := ingest.DecoderOptions{Growing: length < len(text), Now: clock}
			if state.Offset > 0 {
				s := state
				o.Resume = &s
			}
			d, err := ingest.NewDecoder(strings.NewReader(text[state.Offset:length]), o)
			if err != nil {
				rt.Fatal(err)
			}
			for {
				var batch ingest.Batch
				err := d.Next(&batch)
				records, rejects = append(records, batch.Records...), append(rejects, batch.Rejects...)
				if err == io.EOF {
					break
				}
				if err != nil {
					rt.Fatal(err)
				}
			}
			if state = d.State(); length == len(text) {
				break
			}
		}
		if a, b := full(want, wantRejects), full(records, rejects); a != b {
			rt.Fatalf("read on it differs: %s", differ(a, b))
		}
	})
}
