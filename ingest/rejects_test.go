package ingest_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"glassward"
	"glassward/ingest"
)

// TestRetry holds that what was rejected can be tried again with other options,
// keeps its place, and comes back as a reject as long as it fails.
func TestRetry(t *testing.T) {
	text := r("a") + "\n" +
		`{"time":"2026-11-20T10:00:00Z","category":"Nonsense","properties":{"id":"b"}}` + "\n" +
		r("c"+strings.Repeat("c", 300)) + "\n" +
		"caf\xe9\n" +
		"[" + r("e") + `,{"time":"2026-11-20T10:00:00Z","category":"Nonsense","properties":{"id":"f"}}` + "]\n" +
		r("g"+strings.Repeat("g", 2000))
	_, rejects, _, _ := decode(t, text, ingest.DecoderOptions{Source: "file:x", MaxRecordBytes: 200})
	if len(rejects) != 5 {
		t.Fatalf("rejects %+v", rejects)
	}
	var file bytes.Buffer
	if err := ingest.WriteRejects(&file, rejects[:2]); err != nil {
		t.Fatal(err)
	}
	if err := ingest.WriteRejects(&file, rejects[2:]); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(file.String(), "\n"); n != 5 {
		t.Errorf("%d lines", n)
	}
	i := 0
	for x, err := range ingest.ReadRejects(bytes.NewReader(file.Bytes())) {
		if err != nil {
			t.Fatal(err)
		}
		if w := rejects[i]; x.Source != w.Source || x.Line != w.Line || x.Column != w.Column || x.Offset != w.Offset || x.Length != w.Length || x.Reason != w.Reason || x.Partial != w.Partial || !bytes.Equal(x.Raw, w.Raw) {
			t.Errorf("read %+v, written %+v", x, w)
		}
		i++
	}

	retry := func(o ingest.DecoderOptions) (string, bytes.Buffer) {
		t.Helper()
		var records []glassward.Record
		var still []ingest.Reject
		o.Now = clock
		sum, err := ingest.Retry(context.Background(), bytes.NewReader(file.Bytes()), o, func(_ context.Context, b *ingest.Batch) error {
			records, still = append(records, b.Records...), append(still, b.Rejects...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if sum.Records != len(records) || sum.Rejected != len(still) {
			t.Errorf("summary %+v for %d records and %d rejects", sum, len(records), len(still))
		}
		for i := range records {
			records[i].EntraID = records[i].EntraID[:1]
			if records[i].Source != "file:x" {
				t.Errorf("source %s", records[i].Source)
			}
		}
		var out bytes.Buffer
		if err := ingest.WriteRejects(&out, still); err != nil {
			t.Fatal(err)
		}
		return outcome(records, still), out
	}
	same, out := retry(ingest.DecoderOptions{MaxRecordBytes: 200})
	const unknown = `no table takes the category "Nonsense"; name a table to read it as`
	const long = "longer than the limit of 200 bytes; raise the limit to take it"
	if want := "!2:1 " + unknown + " | !3:1 " + long + " | !4:1 not JSON and not CSV with a known header | !5:82 " + unknown + " | !6:1 " + long; same != want {
		t.Errorf("got  %s\nwant %s", same, want)
	}
	if out.String() != file.String() {
		t.Errorf("what fails again is written otherwise:\n%s\n%s", out.String(), file.String())
	}
	better, _ := retry(ingest.DecoderOptions{Table: "SigninLogs", MaxRecordBytes: 1000})
	if want := "b@2 | c@3 | f@5 | !4:1 not JSON and not CSV with a known header | !6:1 " + long; better != want {
		t.Errorf("got  %s\nwant %s", better, want)
	}
}

func TestReadRejectsErrors(t *testing.T) {
	n, bad := 0, 0
	for x, err := range ingest.ReadRejects(strings.NewReader("{\"line\":1,\"raw\":\"x\"}\n\nnonsense\n{\"line\":2,\"raw\":\"y\"}")) {
		if err != nil {
			bad++
			if !strings.HasPrefix(err.Error(), "line 3 of the rejects file: ") {
				t.Error(err)
			}
			continue
		}
		if n++; x.Line != n {
			t.Errorf("%+v", x)
		}
	}
	if n != 2 || bad != 1 {
		t.Errorf("%d rejects, %d errors", n, bad)
	}
}

// TestRetryOfRows holds that a row of a table can be tried again without its
// header.
func TestRetryOfRows(t *testing.T) {
	const text = "TimeGenerated,Id,AADTenantId,OperationName\n2026-11-20T10:00:00Z,a,t2,\"x, \"\"y\"\"\"\n"
	_, rejects, _, _ := decode(t, text, ingest.DecoderOptions{Tenant: "t1", Table: "AuditLogs"})
	if len(rejects) != 1 || rejects[0].Line != 2 {
		t.Fatalf("%+v", rejects)
	}
	records, again, _, _ := decode(t, string(rejects[0].Raw), ingest.DecoderOptions{Tenant: "t2", Table: "AuditLogs"})
	if len(records) != 1 || len(again) != 0 || records[0].Table != "AuditLogs" || cell(t, records[0], "OperationName") != glassward.String(`x, "y"`) {
		t.Errorf("%+v %+v", records, again)
	}
}
