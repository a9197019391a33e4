package logstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward/kql"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// heavy never ends by itself.
const heavy = "SELECT sum(a.range * b.range)::BIGINT FROM range(100000000) a, range(100000000) b"

func TestLimits(t *testing.T) {
	s := memory(t)
	run := func(sql string, l logstore.Limits) (*kql.Result, error) {
		return s.Run(context.Background(), program(sql, "x"), kql.Bind{}, l)
	}
	for name, test := range map[string]struct {
		sql       string
		limits    logstore.Limits
		rows      int
		truncated bool
	}{
		"under":            {"SELECT range FROM range(5000)", logstore.Limits{MaxRows: 5001}, 5000, false},
		"just":             {"SELECT range FROM range(5000)", logstore.Limits{MaxRows: 5000}, 5000, false},
		"rows":             {"SELECT range FROM range(5000)", logstore.Limits{MaxRows: 4999}, 4999, true},
		"rows of much":     {"SELECT range FROM range(100000000000)", logstore.Limits{MaxRows: 10}, 10, true},
		"bytes":            {"SELECT repeat('x', 1000) FROM range(1000)", logstore.Limits{MaxBytes: 10_160}, 10, true},
		"bytes of one row": {"SELECT repeat('x', 1000)", logstore.Limits{MaxBytes: 10}, 0, true},
	} {
		r, err := run(test.sql, test.limits)
		if err != nil || len(r.Rows) != test.rows || r.Truncated != test.truncated {
			t.Errorf("%s: %d rows, truncated %v, %v", name, len(r.Rows), r.Truncated, err)
		}
	}
	start := time.Now()
	var late *logstore.TimeoutError
	if _, err := run(heavy, logstore.Limits{Timeout: 50 * time.Millisecond}); !errors.As(err, &late) || late.Limit != 50*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("too long: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Run(ctx, program(heavy, "x"), kql.Bind{}, logstore.Limits{}); !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &late) {
		t.Errorf("the caller's own limit: %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("both took %v", took)
	}
}

func TestMemoryLimit(t *testing.T) {
	s, err := logstore.OpenMemory(context.Background(), logstore.Options{Memory: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var much *logstore.MemoryError
	if _, err := s.Run(context.Background(), program("SELECT count(*) FROM (SELECT DISTINCT range::VARCHAR || repeat('x', 100) FROM range(3000000))", "x"), kql.Bind{}, logstore.Limits{}); !errors.As(err, &much) {
		t.Errorf("got %v", err)
	}
	if got := rows(t, s, 1, "SELECT 1"); got[0] != "1" {
		t.Error(got)
	}
}

// TestOnlyReads says that SQL that is no plain query is refused, and that no
// query reaches files, settings or extensions.
func TestOnlyReads(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(path, []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*logstore.Store{memory(t), open(t, filepath.Join(t.TempDir(), "tenant"), logstore.Options{})} {
		appendTo(t, s, signin("a"))
		for _, sql := range []string{
			`DELETE FROM "SigninLogs"`,
			`INSERT INTO "SigninLogs" SELECT * FROM "SigninLogs"`,
			`DROP TABLE "SigninLogs"`,
			`CREATE TABLE x AS SELECT 1`,
			`SET memory_limit = '90GB'`,
			`SET enable_external_access = true`,
			`PRAGMA threads = 8`,
			`COPY (SELECT 1) TO '` + dir + `/out.csv'`,
			`ATTACH '` + dir + `/other.duckdb'`,
			`INSTALL httpfs`,
			`LOAD httpfs`,
			`CHECKPOINT`,
			`SELECT * FROM read_csv('` + path + `')`,
			`SELECT * FROM '` + path + `'`,
			`SELECT content FROM read_text('` + path + `')`,
			`SELECT * FROM glob('` + dir + `/*')`,
			`SELECT 1; DROP TABLE "SigninLogs"`,
		} {
			if r, err := s.Run(context.Background(), program(sql, "x"), kql.Bind{}, logstore.Limits{}); err == nil {
				t.Errorf("%s gave %v", sql, r.Rows)
			}
		}
		if got := rows(t, s, 1, `SELECT count(*) FROM "SigninLogs"`); got[0] != "1" {
			t.Error(got)
		}
	}
}

func TestParameters(t *testing.T) {
	s := memory(t)
	p := program("SELECT $now, $from, $to, $seq_from, $seq_to, $p1, $p2", "now", "from", "to", "a", "b", "c", "d")
	p.Params = []string{"now", "from", "to", "seq_from", "seq_to"}
	p.Args = map[string]any{"p1": "text", "p2": 1.5}
	r, err := s.Run(context.Background(), p, kql.Bind{Now: 1, From: 2, To: 3, SeqFrom: 4, SeqTo: 5}, logstore.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]any{int64(1), int64(2), int64(3), int64(4), int64(5), "text", 1.5}, r.Rows[0]); d != "" {
		t.Error(d)
	}
}

func TestLineage(t *testing.T) {
	s := memory(t)
	c := appendTo(t, s, signin("a"), signin("b"))
	p := program(`SELECT 'x', list("_ItemId"::VARCHAR ORDER BY "_Seq"), true FROM "SigninLogs" UNION ALL SELECT 'y', [], false`, "x")
	p.Lineage = true
	r, err := s.Run(context.Background(), p, kql.Bind{}, logstore.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][]string{{c.Records[0].ID.String(), c.Records[1].ID.String()}, {}}, r.Lineage); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]bool{true, false}, r.LineageOverflow); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([][]any{{"x"}, {"y"}}, r.Rows); d != "" {
		t.Error(d)
	}
}

// TestRulesKeepTheirPlaces lets people's queries take all their places and
// memory; a rule's query and an append go on.
func TestRulesKeepTheirPlaces(t *testing.T) {
	s := memory(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	const people = 6
	for range people {
		go func() {
			_, err := s.Run(ctx, program(heavy, "x"), kql.Bind{}, logstore.Limits{})
			done <- err
		}()
	}
	for i := range 20 {
		appendTo(t, s, signin(fmt.Sprint("r", i)))
		r, err := s.Run(context.Background(), program(`SELECT count(*) FROM "SigninLogs"`, "x"), kql.Bind{}, logstore.Limits{Class: logstore.Rules})
		if err != nil || r.Rows[0][0] != int64(i+1) {
			t.Fatal(r, err)
		}
	}
	cancel()
	for range people {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

func TestCloseEndsQueries(t *testing.T) {
	s, err := logstore.OpenMemory(context.Background(), logstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	started, done := make(chan bool), make(chan error)
	go func() {
		started <- true
		_, err := s.Run(context.Background(), program(heavy, "x"), kql.Bind{}, logstore.Limits{})
		done <- err
	}()
	<-started
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, logstore.ErrClosed) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error("twice:", err)
	}
}

// TestCompiled runs KQL, compiled, over records of the store.
func TestCompiled(t *testing.T) {
	s := memory(t)
	at := func(m int) time.Time { return clock.Add(time.Duration(m) * time.Minute) }
	appendTo(t, s,
		signin("a", "TimeGenerated", at(-50), "UserId", "u1", "ResultType", "0", "LocationDetails", `{"city":"Oslo"}`),
		signin("b", "TimeGenerated", at(-40), "UserId", "u2", "ResultType", "50126", "LocationDetails", `{"city":"Bergen"}`),
		signin("c", "TimeGenerated", at(-30), "UserId", "u1", "ResultType", "50126"))
	p, diags := kql.Compile(`SigninLogs
		| where TimeGenerated > ago(45m)
		| extend City = tostring(LocationDetails.city)
		| summarize Count = count(), Cities = make_set(City) by ResultType
		| order by ResultType asc`, kql.Options{Catalog: schema.Default().Catalog(), Lineage: true})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	r, err := s.Run(context.Background(), p, kql.Bind{Now: value.FromTime(clock)}, logstore.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 1 || r.Rows[0][0] != "50126" || r.Rows[0][1] != int64(2) || len(r.Lineage[0]) != 2 {
		t.Errorf("%v %v", r.Rows, r.Lineage)
	}
	if text := fmt.Sprint(r.Rows[0][2]); !strings.Contains(text, "Bergen") {
		t.Error(text)
	}
}
