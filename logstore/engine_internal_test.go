package logstore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"glassward/kql/value"
)

func openTest(t *testing.T) *conn {
	t.Helper()
	e, err := openEngine("", map[string]string{"threads": "2"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.close(); e.close() })
	return c
}

func TestValues(t *testing.T) {
	c := openTest(t)
	for sql, want := range map[string]any{
		`NULL`:                           nil,
		`true`:                           true,
		`1::TINYINT`:                     int64(1),
		`-7::SMALLINT`:                   int64(-7),
		`70000::INTEGER`:                 int64(70000),
		`(-9223372036854775808)::BIGINT`: int64(-1 << 63),
		`18446744073709551615::UBIGINT`:  "18446744073709551615",
		`170141183460469231731687303715884105727`: "170141183460469231731687303715884105727",
		`(-5)::HUGEINT`:           int64(-5),
		`1.5::DOUBLE`:             1.5,
		`'nan'::DOUBLE > 1`:       true,
		`-12.3400::DECIMAL(18,4)`: "-12.34",
		`0.05::DECIMAL(4,2)`:      "0.05",
		`-3::DECIMAL(38,17)`:      "-3",
		`''`:                      "",
		`'twelve bytes'`:          "twelve bytes",
		`'thirteen byte'`:         "thirteen byte",
		`'né' || chr(0) || 'x'`:   "né\x00x",
		`'0fedcba9-8765-4321-8fed-cba987654321'::UUID`: "0fedcba9-8765-4321-8fed-cba987654321",
		`'ffffffff-ffff-ffff-ffff-ffffffffffff'::UUID`: "ffffffff-ffff-ffff-ffff-ffffffffffff",
		`$text`: "bound",
	} {
		args := map[string]any{"text": "bound"}
		got, err := c.all(context.Background(), "SELECT "+sql, args)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		if got[0][0] != want {
			t.Errorf("%s: got %#v, want %#v", sql, got[0][0], want)
		}
	}
	got, err := c.all(context.Background(), "SELECT [CAST(uuid AS VARCHAR) FOR uuid IN ['0fedcba9-8765-4321-8fed-cba987654321'::UUID]] UNION ALL SELECT []", nil)
	if err != nil {
		t.Fatal(err)
	}
	if list := got[0][0].([]string); len(list) != 1 || list[0] != "0fedcba9-8765-4321-8fed-cba987654321" || len(got[1][0].([]string)) != 0 {
		t.Errorf("lists: %v", got)
	}
	if _, err := c.all(context.Background(), "SELECT DATE '2026-11-21'", nil); err == nil || !strings.Contains(err.Error(), "which no query may give") {
		t.Errorf("a DATE: %v", err)
	}
}

func TestManyChunks(t *testing.T) {
	c := openTest(t)
	got, err := c.all(context.Background(), "SELECT range, CASE WHEN range % 3 = 0 THEN NULL ELSE range::VARCHAR END FROM range(5000)", nil)
	if err != nil || len(got) != 5000 {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	for i, row := range got {
		if row[0] != int64(i) || (row[1] == nil) != (i%3 == 0) {
			t.Fatalf("row %d is %v", i, row)
		}
	}
}

func TestCancelled(t *testing.T) {
	c := openTest(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := c.all(ctx, "SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b", nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it stopped after %v", took)
	}
	// The connection works on.
	if got, err := c.all(context.Background(), "SELECT 1", nil); err != nil || got[0][0] != int64(1) {
		t.Errorf("afterwards: %v, %v", got, err)
	}
	if _, err := c.all(ctx, "SELECT 1", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("begun with a dead context: %v", err)
	}
}

func TestFunctions(t *testing.T) {
	c := openTest(t)
	for _, s := range []*scalar{
		{name: "g_add", params: []value.Type{value.Long, value.Long}, result: value.Long,
			call: func(a []any) (any, error) { return a[0].(int64) + a[1].(int64), nil }},
		{name: "g_null", params: []value.Type{value.String}, result: value.Bool, nullIn: true,
			call: func(a []any) (any, error) { return a[0] == nil, nil }},
		{name: "g_panic", params: []value.Type{value.String}, result: value.String,
			call: func(a []any) (any, error) { panic("a defect") }},
		{name: "g_fail", params: nil, result: value.String,
			call: func([]any) (any, error) { return nil, errors.New("no such zone") }},
		{name: "g_wrong", params: nil, result: value.Long,
			call: func([]any) (any, error) { return "text", nil }},
		{name: "g_long", params: []value.Type{value.String}, result: value.String,
			call: func(a []any) (any, error) { return strings.ToUpper(a[0].(string)) + "\xff", nil }},
		{name: "g_guid", params: []value.Type{value.GUID}, result: value.GUID,
			call: func(a []any) (any, error) { return a[0], nil }},
	} {
		if err := c.register(s); err != nil {
			t.Fatal(err)
		}
	}
	for sql, want := range map[string]any{
		"SELECT sum(g_add(range, 1))::BIGINT FROM range(10000)":                        int64(50005000),
		"SELECT g_add(NULL, 1)":                                                        nil,
		"SELECT g_null(NULL)":                                                          true,
		"SELECT g_long('a text beyond twelve bytes')":                                  "A TEXT BEYOND TWELVE BYTES\uFFFD",
		"SELECT g_guid('0fedcba9-8765-4321-8fed-cba987654321'::UUID)":                  "0fedcba9-8765-4321-8fed-cba987654321",
		"SELECT count(*) FROM range(5000) WHERE g_null(NULLIF(range % 2, 0)::VARCHAR)": int64(2500),
	} {
		if got, err := c.all(context.Background(), sql, nil); err != nil || got[0][0] != want {
			t.Errorf("%s: got %v, %v, want %v", sql, got, err, want)
		}
	}
	for sql, want := range map[string]string{
		"SELECT g_panic(range::VARCHAR) FROM range(10)": "g_panic: internal error: a defect",
		"SELECT g_fail()":  "g_fail: no such zone",
		"SELECT g_wrong()": "g_wrong: it gave a string",
	} {
		if _, err := c.all(context.Background(), sql, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", sql, err, want)
		}
	}
}

func BenchmarkFunction(b *testing.B) {
	e, _ := openEngine("", map[string]string{"threads": "1"})
	c, _ := e.connect()
	defer e.close()
	defer c.close()
	if err := c.register(&scalar{name: "g", params: []value.Type{value.String}, result: value.String,
		call: func(a []any) (any, error) { return a[0], nil }}); err != nil {
		b.Fatal(err)
	}
	const rows = 1_000_000
	if err := c.exec(b.Context(), "CREATE TABLE t AS SELECT 'some text of a record ' || range AS x FROM range(1000000)"); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := c.all(b.Context(), "SELECT max(g(x)) FROM t", nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}
