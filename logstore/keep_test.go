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

	"glassward"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

func received(r glassward.Record, ago time.Duration) glassward.Record {
	r.Received = clock.Add(-ago)
	return r
}

const day = 24 * time.Hour

func TestRetain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tenant")
	o := logstore.Options{Retention: map[string]time.Duration{"AuditLogs": 30 * day}}
	s := open(t, dir, o)
	spared := received(signin("spared"), 500*day)
	fuller := received(signin("gone", "RiskState", "atRisk"), 450*day)
	audit := received(record("AuditLogs", "a"), 40*day)
	audit.Raw = []byte("raw")
	c := appendTo(t, s, received(signin("gone"), 500*day), spared, received(signin("young"), 399*day), audit, received(record("AuditLogs", "b"), 20*day))
	c = appendTo(t, s, fuller)
	last := c.LastSeq
	out, err := s.Retain(context.Background(), func(context.Context) ([]glassward.RecordID, error) { return []glassward.RecordID{spared.ID}, nil })
	if err != nil {
		t.Fatal(err)
	}
	if out.Rows["SigninLogs"] != 1 || out.Rows["AuditLogs"] != 1 || out.Spared != 1 {
		t.Errorf("%+v", out)
	}
	if d := cmp.Diff([]string{"spared", "young"}, rows(t, s, 1, `SELECT "Id" FROM "SigninLogs" ORDER BY 1`)); d != "" {
		t.Error(d)
	}
	if got := rows(t, s, 1, `SELECT count(*) FROM _versions`); got[0] != "0" {
		t.Error("versions of what is gone:", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The number of the record that is gone is not given again.
	s = open(t, dir, o)
	if c := appendTo(t, s, signin("new")); c.FirstSeq != last+1 {
		t.Errorf("number %d after %d", c.FirstSeq, last)
	}
	// A record that is gone comes in again as new; it is as old as it says.
	if c := appendTo(t, s, fuller); c.Added != 1 {
		t.Errorf("%+v", c)
	}
	fail := errors.New("state is away")
	if _, err := s.Retain(context.Background(), func(context.Context) ([]glassward.RecordID, error) { return nil, fail }); !errors.Is(err, fail) {
		t.Error(err)
	}
	if got := rows(t, s, 1, `SELECT count(*) FROM "SigninLogs" WHERE "Id" = 'gone'`); got[0] != "1" {
		t.Error("removed without knowing what to spare")
	}
}

func TestCompact(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tenant")
	s := open(t, dir, small())
	var list []glassward.Record
	for i := range 20_000 {
		list = append(list, received(signin(fmt.Sprint(i), "UserAgent", fmt.Sprint(time.Duration(i*i), strings.Repeat(fmt.Sprint(i), 20))), 500*day))
	}
	appendTo(t, s, list...)
	appendTo(t, s, signin("stays", "UserId", "u"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, small())
	if _, err := s.Retain(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	before, after, err := s.Compact(context.Background())
	if err != nil || after >= before {
		t.Errorf("from %d to %d bytes, %v", before, after, err)
	}
	for range 2 {
		if d := cmp.Diff([]string{"stays|u|20001"}, rows(t, s, 3, `SELECT "Id", "UserId", "_Seq" FROM "SigninLogs"`)); d != "" {
			t.Error(d)
		}
		c := appendTo(t, s, signin("stays", "UserId", "u"))
		if c.Duplicates != 1 {
			t.Errorf("%+v", c)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir, small())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*compact*")); len(left) != 0 {
		t.Error(left)
	}
}

func TestStats(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tenant")
	s := open(t, dir, logstore.Options{})
	appendTo(t, s, signin("a", "TimeGenerated", clock.Add(-3*time.Hour)), signin("b", "TimeGenerated", clock.Add(-time.Hour)), record("AuditLogs", "x"))
	got, err := s.Stats(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Tables) != 2 || got.Tables[0].Name != "AuditLogs" || got.Tables[1].Rows != 2 || got.LastSeq != 3 || got.Log == 0 || got.Database == 0 || got.Free == 0 {
		t.Errorf("%+v", got)
	}
	if s := got.Tables[1]; !s.Oldest.Equal(clock.Add(-3*time.Hour)) || !s.Newest.Equal(clock.Add(-time.Hour)) || !s.Received.Equal(clock) {
		t.Errorf("%+v", s)
	}
}

// TestDiskLow says that intake pauses before the disk is full, drops nothing,
// and goes on by itself.
func TestDiskLow(t *testing.T) {
	free := int64(10 << 30)
	o := small()
	o.DiskSpace = func(string) (int64, int64, error) { return free, 100 << 30, nil }
	s := open(t, filepath.Join(t.TempDir(), "tenant"), o)
	appendTo(t, s, signin("a"))
	free = 1<<30 - 1
	var low *logstore.DiskLowError
	_, err := s.Append(context.Background(), logstore.Batch{Records: []glassward.Record{signin("b")}, Cursor: &logstore.Cursor{Source: "x", Position: []byte("1")}})
	if !errors.As(err, &low) || low.Free != free || low.Reserve != 1<<30 {
		t.Errorf("got %v", err)
	}
	if _, err := s.Load().Add(context.Background(), logstore.Batch{Records: []glassward.Record{signin("b")}}); !errors.As(err, &low) {
		t.Errorf("a load: %v", err)
	}
	if _, ok, _ := s.Cursor(context.Background(), "x"); ok {
		t.Error("the cursor went on")
	}
	free = 2 << 30
	if c := appendTo(t, s, signin("b")); c.Added != 1 {
		t.Errorf("%+v", c)
	}
}

// TestNewColumns opens a file that was written with fewer columns.
func TestNewColumns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tenant")
	parse := func(text string) []*schema.Table {
		set, err := schema.Parse("test.txt", "own\n  _TimeReceived datetime\n  _ItemId guid\n  _Source string\n  _Provenance string\n  _Extra dynamic\n"+text)
		if err != nil {
			t.Fatal(err)
		}
		return set.Tables()
	}
	rec := func(table string, cells ...glassward.Value) glassward.Record {
		return glassward.Record{Table: table, ID: glassward.RecordID{byte(len(cells))}, Received: clock, Values: cells, Provenance: glassward.Pulled}
	}
	when := glassward.Long(int64(value.FromTime(clock)))
	s := open(t, dir, logstore.Options{Tables: parse("table T\n  TimeGenerated datetime\n  A string\n")})
	appendTo(t, s, rec("T", when, glassward.String("a")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, logstore.Options{Tables: parse("table T\n  TimeGenerated datetime\n  New string\n  A string\n  Count long\ntable U\n  TimeGenerated datetime\n")})
	appendTo(t, s, rec("T", when, glassward.String("n"), glassward.String("b"), glassward.Long(3)), rec("U", when))
	want := []string{"a||<nil>|1", "b|n|3|2"}
	if d := cmp.Diff(want, rows(t, s, 4, `SELECT "A", "New", "Count", "_Seq" FROM "T" ORDER BY "_Seq"`)); d != "" {
		t.Error(d)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// And one that has columns which this schema does not know.
	s = open(t, dir, logstore.Options{Tables: parse("table T\n  TimeGenerated datetime\n  A string\n")})
	r := rec("T", when, glassward.String("c"))
	r.ID[1] = 1
	appendTo(t, s, r)
	if d := cmp.Diff(append(want, "c||<nil>|4"), rows(t, s, 4, `SELECT "A", "New", "Count", "_Seq" FROM "T" ORDER BY "_Seq"`)); d != "" {
		t.Error(d)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := logstore.Open(context.Background(), dir, logstore.Options{Tables: parse("table T\n  TimeGenerated datetime\n  A long\n")}); err == nil || !strings.Contains(err.Error(), "column T.A is VARCHAR in the file and BIGINT") {
		t.Errorf("another type: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "logs.duckdb")); err != nil {
		t.Error(err)
	}
}

// TestLoad loads several row groups, with known records among them and an
// append between.
func TestLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tenant")
	s := open(t, dir, small())
	ctx := context.Background()
	l := s.Load()
	const total, size = 150_000, 5000
	var added, duplicates int
	var list []glassward.Record
	for from := 0; from < total; from += size {
		list = list[:0]
		for i := from; i < from+size; i++ {
			list = append(list, signin(fmt.Sprint(i), "UserId", fmt.Sprint("u", i%1000)))
		}
		if from > 0 {
			list = append(list, signin(fmt.Sprint(from-1), "UserId", fmt.Sprint("u", (from-1)%1000)))
		}
		position := fmt.Append(nil, from+size)
		c, err := l.Add(ctx, logstore.Batch{Records: list, Cursor: &logstore.Cursor{Source: "file", Position: position}})
		if err != nil {
			t.Fatal(err)
		}
		copy(position, "xxxxxx") // the store keeps nothing of the caller's
		added += c.Added
		duplicates += c.Duplicates
		if from == 20_000 {
			appendTo(t, s, signin("live"), signin("19999", "UserId", "u999", "RiskState", "atRisk"))
			if got, _, _ := s.Cursor(ctx, "file"); string(got) != "25000" {
				t.Errorf("an append commits what was loaded before it; the cursor is %q", got)
			}
		}
	}
	if err := l.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if added != total || duplicates != total/size-1 {
		t.Errorf("%d added, %d duplicates", added, duplicates)
	}
	check := func() {
		t.Helper()
		if got, _, _ := s.Cursor(ctx, "file"); string(got) != fmt.Sprint(total) {
			t.Errorf("cursor %q", got)
		}
		if got := rows(t, s, 3, `SELECT count(*), count(DISTINCT "_ItemId"), count(DISTINCT "_Seq") FROM "SigninLogs"`); got[0] != fmt.Sprintf("%d|%[1]d|%[1]d", total+1) {
			t.Error(got)
		}
	}
	check()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, small())
	check()
}
