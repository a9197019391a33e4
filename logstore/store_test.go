package logstore_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// clock is the time of all stores in tests.
var clock = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func now() time.Time { return clock }

// cell gives a value for a test's cell: string, bool, int, int64, float64, time.
func cell(v any) glassward.Value {
	switch v := v.(type) {
	case string:
		return glassward.String(v)
	case bool:
		return glassward.Bool(v)
	case int:
		return glassward.Long(int64(v))
	case int64:
		return glassward.Long(v)
	case float64:
		return glassward.Real(v)
	case time.Time:
		return glassward.Long(int64(value.FromTime(v)))
	}
	return glassward.Null()
}

// record makes a record of a table from column names and values.
func record(table, id string, cells ...any) glassward.Record {
	t, ok := schema.Lookup(table)
	if !ok {
		panic("no table " + table)
	}
	r := glassward.Record{Table: table, EntraID: id, Received: clock, Source: "test", Provenance: glassward.Pulled, Line: 1,
		Values: make([]glassward.Value, len(t.Columns))}
	sum := sha256.Sum256([]byte(table + "\x00" + id))
	copy(r.ID[:], sum[:])
	set := func(name string, v any) {
		i, ok := t.Index(name)
		if !ok {
			panic("no column " + name)
		}
		r.Values[i] = cell(v)
	}
	set("TimeGenerated", clock.Add(-time.Minute))
	r.Time = clock.Add(-time.Minute)
	for i := 0; i < len(cells); i += 2 {
		set(cells[i].(string), cells[i+1])
	}
	return r
}

func signin(id string, cells ...any) glassward.Record {
	return record("SigninLogs", id, append([]any{"Id", id}, cells...)...)
}

func open(t testing.TB, dir string, o logstore.Options) *logstore.Store {
	t.Helper()
	if o.Now == nil {
		o.Now = now
	}
	s, err := logstore.Open(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func memory(t testing.TB) *logstore.Store {
	t.Helper()
	s, err := logstore.OpenMemory(context.Background(), logstore.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func appendTo(t testing.TB, s *logstore.Store, records ...glassward.Record) logstore.Committed {
	t.Helper()
	c, err := s.Append(context.Background(), logstore.Batch{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// program makes a program of plain SQL, for what has no KQL.
func program(sql string, columns ...string) *kql.Program {
	p := &kql.Program{SQL: sql}
	for _, c := range columns {
		p.Columns = append(p.Columns, rel.Column{Name: c})
	}
	return p
}

// rows runs SQL that gives one column for each comma of its first line and
// writes the rows, cells separated by bars.
func rows(t testing.TB, s *logstore.Store, columns int, sql string) []string {
	t.Helper()
	p := program(sql, make([]string, columns)...)
	r, err := s.Run(context.Background(), p, kql.Bind{}, logstore.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var out []string
	for _, row := range r.Rows {
		texts := make([]string, len(row))
		for i, v := range row {
			texts[i] = fmt.Sprint(v)
		}
		out = append(out, strings.Join(texts, "|"))
	}
	return out
}

func TestAppendAndRead(t *testing.T) {
	s := memory(t)
	when := time.Date(2026, 11, 20, 11, 59, 0, 123456700, time.UTC)
	r := signin("a", "TimeGenerated", when, "UserId", "u1", "UserPrincipalName", "néw\x00user@example.com", "ResultType", "0",
		"Status", `{"errorCode":0}`, "IsInteractive", true, "DurationMs", 42, "UserAgent", strings.Repeat("long text ", 500))
	r.Extra = `{"unknownProperty":1}`
	r.Values[4] = glassward.String("bad \xff utf-8")
	c := appendTo(t, s, r)
	if c.Added != 1 || c.FirstSeq != 1 || c.LastSeq != 1 || len(c.Records) != 1 || c.Records[0].ID != r.ID {
		t.Errorf("committed %+v", c)
	}
	got := rows(t, s, 13, `SELECT "TimeGenerated", "UserId", "UserPrincipalName", "ResultType", "Status", "IsInteractive", "DurationMs", length("UserAgent"), "MfaDetail", "ResourceGroup", "_Extra", "_ItemId", "_Seq" FROM "SigninLogs"`)
	want := []string{fmt.Sprintf("%d|u1|néw\x00user@example.com|0|{\"errorCode\":0}|true|42|5000|<nil>||{\"unknownProperty\":1}|%s|1", value.FromTime(when), r.ID)}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := rows(t, s, 4, `SELECT "_TimeReceived", "_Source", "_Provenance", "OperationName" FROM "SigninLogs"`); got[0] != fmt.Sprintf("%d|test|pulled|bad ? utf-8", value.FromTime(clock)) {
		t.Error(got)
	}
}

func TestShadows(t *testing.T) {
	s := memory(t)
	appendTo(t, s, record("AuditLogs", "a", "InitiatedBy", `{"user":{"id":"u1","userPrincipalName":"bg@example.com"}}`,
		"TargetResources", `[{"id":"t1","displayName":"one"},{"id":"t2"}]`))
	got := rows(t, s, 3, `SELECT "_InitiatedBy_user_id", "_TargetResources_0_displayName", "_TargetResources_ids" FROM "AuditLogs"`)
	if d := cmp.Diff([]string{"u1|one|t1\nt2"}, got); d != "" {
		t.Error(d)
	}
}

// TestManyRecords crosses chunks, row groups of the arena and two tables.
func TestManyRecords(t *testing.T) {
	s := memory(t)
	var batch []glassward.Record
	for i := range 5000 {
		batch = append(batch, signin(fmt.Sprint("s", i), "UserAgent", strings.Repeat("x", i%5000), "DurationMs", i))
		if i%3 == 0 {
			batch = append(batch, record("AuditLogs", fmt.Sprint("a", i)))
		}
	}
	batch = append(batch, signin("huge", "UserAgent", strings.Repeat("y", 40<<20)))
	c := appendTo(t, s, batch...)
	if c.Added != len(batch) || c.LastSeq != int64(len(batch)) {
		t.Errorf("added %d of %d, last number %d", c.Added, len(batch), c.LastSeq)
	}
	got := rows(t, s, 3, `SELECT count(*), sum(length("UserAgent"))::BIGINT, sum("DurationMs")::BIGINT FROM "SigninLogs" WHERE "Id" <> 'huge'`)
	if d := cmp.Diff([]string{"5000|12497500|12497500"}, got); d != "" {
		t.Error(d)
	}
	if got := rows(t, s, 1, `SELECT count(*) FROM "SigninLogs" WHERE length("UserAgent") = 40 << 20`); got[0] != "1" {
		t.Error("the huge record:", got)
	}
	if got := rows(t, s, 2, `SELECT count(*), count(DISTINCT "_Seq") FROM (SELECT "_Seq" FROM "SigninLogs" UNION ALL SELECT "_Seq" FROM "AuditLogs")`); got[0] != fmt.Sprintf("%d|%[1]d", len(batch)) {
		t.Error(got)
	}
}

func TestWrongRecord(t *testing.T) {
	s := memory(t)
	bad := signin("bad")
	bad.Table, bad.Line = "NoSuchTable", 7
	var wrong *logstore.RecordError
	_, err := s.Append(context.Background(), logstore.Batch{Records: []glassward.Record{signin("good"), bad}})
	if !errors.As(err, &wrong) || wrong.Line != 7 {
		t.Errorf("got %v", err)
	}
	short := signin("short")
	short.Values = short.Values[:3]
	if _, err := s.Append(context.Background(), logstore.Batch{Records: []glassward.Record{short}}); !errors.As(err, &wrong) {
		t.Errorf("got %v", err)
	}
	kind := signin("kind", "DurationMs", "text")
	_, err = s.Append(context.Background(), logstore.Batch{Records: []glassward.Record{signin("good"), kind}, Cursor: &logstore.Cursor{Source: "x", Position: []byte("1")}})
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "column DurationMs") {
		t.Errorf("got %v", err)
	}
	if got := rows(t, s, 1, `SELECT count(*) FROM "SigninLogs"`); got[0] != "0" {
		t.Errorf("%s rows of failed batches", got)
	}
	if _, ok, _ := s.Cursor(context.Background(), "x"); ok {
		t.Error("the cursor of a failed batch stands")
	}
	if c := appendTo(t, s, signin("good")); c.Added != 1 || c.FirstSeq != 1 {
		t.Errorf("afterwards: %+v", c)
	}
}

func TestReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tenant")
	s := open(t, dir, logstore.Options{})
	c, err := s.Append(context.Background(), logstore.Batch{Records: []glassward.Record{signin("a"), signin("b")}, Cursor: &logstore.Cursor{Source: "graph", Position: []byte{0, 1, 255}}})
	if err != nil || c.LastSeq != 2 {
		t.Fatal(c, err)
	}
	var locked *logstore.LockedError
	if _, err := logstore.Open(context.Background(), dir, logstore.Options{}); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("a second store: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(context.Background(), logstore.Batch{}); !errors.Is(err, logstore.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	s = open(t, dir, logstore.Options{})
	if got, ok, err := s.Cursor(context.Background(), "graph"); err != nil || !ok || !slices.Equal(got, []byte{0, 1, 255}) {
		t.Errorf("cursor %v %v %v", got, ok, err)
	}
	if c := appendTo(t, s, signin("b"), signin("c")); c.Added != 1 || c.Duplicates != 1 || c.FirstSeq != 3 {
		t.Errorf("a batch with a known record: %+v", c)
	}
	if r := s.Recovery(); r.Lost || r.Cut != 0 || r.Acknowledged != 2 {
		t.Errorf("recovery %+v", r)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestFolderThatOthersRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := logstore.Open(context.Background(), dir, logstore.Options{}); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("got %v", err)
	}
}

// sum gives the first bytes of a SHA-256 in hex, a space, and the text.
func sum(b []byte) string {
	s := sha256.Sum256(b)
	return fmt.Sprintf("%x %s", s[:4], b)
}
