package ingest_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glassward/ingest"
)

// TestAddStandsAlone gives a decoder messages of which some are broken in every
// way and looks at what the whole ones gave.
func TestAddStandsAlone(t *testing.T) {
	d, err := ingest.NewDecoder(nil, ingest.DecoderOptions{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	var b ingest.Batch
	var want []string
	for n, text := range []string{
		`{"records":[` + signIn(0) + `,` + signIn(1) + `]}`,
		`{"records":[` + signIn(2)[:300],
		`[` + signIn(3) + `]`,
		"no JSON\nat all",
		`{"records":[` + signIn(4) + `,{"broken":]},` + signIn(5) + `]}`,
		``,
		signIn(6),
		`{"records":[` + signIn(7) + `,"unclosed`,
		"\xef\xbb\xbf" + `{"records":[` + signIn(8) + `]}`,
		`Time,Id` + "\n" + `1,2`,
	} {
		buf := []byte(text)
		before := len(b.Records)
		d.Add(&b, buf)
		for i := range buf {
			buf[i] = 'x' // it is ours again
		}
		for i := range b.Records[before:] {
			want = append(want, fmt.Sprint(n, " ", b.Records[before+i].EntraID))
		}
	}
	var ids []string
	for _, r := range b.Records {
		ids = append(ids, r.EntraID[len(r.EntraID)-2:])
		if !bytes.HasPrefix(r.Raw, []byte(`{"time":"2026-`)) || !bytes.HasSuffix(r.Raw, []byte(`}}`)) {
			t.Errorf("raw text of %s: %.40q", r.EntraID, r.Raw)
		}
	}
	if diff := cmp.Diff([]string{"00", "01", "03", "04", "05", "06", "07", "08"}, ids); diff != "" {
		t.Error(diff, want)
	}
	if len(b.Rejects) < 4 {
		t.Errorf("%d rejects: %v", len(b.Rejects), b.Rejects)
	}
	for _, r := range b.Rejects {
		if r.Line < 1 || r.Offset < 0 {
			t.Errorf("a place before the message: %+v", r)
		}
	}
}

// FuzzAdd compares messages decoded one after another by one decoder with each
// decoded by a decoder of its own.
func FuzzAdd(f *testing.F) {
	f.Add([]byte(`{"records":[`+signIn(1)+`]}`), []byte(`{"records":[{"a":`))
	f.Add([]byte(`[{"time":"2026-11-20T00:00:00Z","category":"AuditLogs","properties":{"id":"x"}}]`), []byte(`{"type":"heartbeat"}`))
	f.Add([]byte("\x00\xef\xbb\xbf{"), []byte(`"`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		shared, _ := ingest.NewDecoder(nil, ingest.DecoderOptions{Now: clock})
		for _, text := range [][]byte{first, second, first} {
			own, _ := ingest.NewDecoder(nil, ingest.DecoderOptions{Now: clock})
			var a, b ingest.Batch
			shared.Add(&a, text)
			own.Add(&b, text)
			if len(a.Records) != len(b.Records) || len(a.Rejects) != len(b.Rejects) {
				t.Fatalf("%d records and %d rejects beside others, %d and %d alone", len(a.Records), len(a.Rejects), len(b.Records), len(b.Rejects))
			}
			for i := range a.Records {
				if a.Records[i].ID != b.Records[i].ID || !bytes.Equal(a.Records[i].Raw, b.Records[i].Raw) {
					t.Fatalf("record %d differs", i)
				}
			}
			for i := range a.Rejects {
				if !bytes.Equal(a.Rejects[i].Raw, b.Rejects[i].Raw) || a.Rejects[i].Offset != b.Rejects[i].Offset {
					t.Fatalf("reject %d differs", i)
				}
			}
		}
	})
}
