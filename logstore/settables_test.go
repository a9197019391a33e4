package logstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// custom makes a custom table of columns "Name type".
func custom(t testing.TB, name string, columns ...string) *schema.Table {
	t.Helper()
	list := []schema.Column{{Name: "TimeGenerated", Type: value.DateTime}}
	for _, c := range columns {
		column, typ, _ := strings.Cut(c, " ")
		kind, ok := schema.ColumnType(typ)
		if !ok {
			t.Fatalf("no type %q", typ)
		}
		list = append(list, schema.Column{Name: column, Type: kind})
	}
	table, err := schema.NewCustom(name, "", list)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// line makes a record of a custom table.
func line(table *schema.Table, id byte, cells ...any) glassward.Record {
	r := glassward.Record{Table: table.Name, ID: glassward.RecordID{0xc1, id}, Received: clock, Time: clock, Source: "test", Provenance: glassward.Pushed,
		Values: make([]glassward.Value, len(table.Columns))}
	set := func(name string, v any) {
		i, _ := table.Index(name)
		r.Values[i] = cell(v)
	}
	set("TimeGenerated", clock)
	for i := 0; i < len(cells); i += 2 {
		set(cells[i].(string), cells[i+1])
	}
	return r
}

func setTables(t testing.TB, s *logstore.Store, own ...*schema.Table) error {
	t.Helper()
	set, err := schema.Default().With(own...)
	if err != nil {
		t.Fatal(err)
	}
	return s.SetTables(context.Background(), set.Tables())
}

func mustSetTables(t testing.TB, s *logstore.Store, own ...*schema.Table) {
	t.Helper()
	if err := setTables(t, s, own...); err != nil {
		t.Fatal(err)
	}
}

// TestSetTables adds tables and columns to a store that is open, takes them out
// and brings them back.
func TestSetTables(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tenant")
	s := open(t, dir, small())
	appendTo(t, s, signin("a"))
	one := custom(t, "My_CL", "A string", "Ref guid")
	if _, err := s.Append(context.Background(), logstore.Batch{Records: []glassward.Record{line(one, 1)}}); err == nil || !strings.Contains(err.Error(), "no such table") {
		t.Errorf("before it is declared: %v", err)
	}
	mustSetTables(t, s, one)
	const id = "00000000-0000-4000-8000-00000000000a"
	if c := appendTo(t, s, line(one, 1, "A", "a", "Ref", id), line(one, 1, "A", "other"), signin("b")); c.Added != 2 || c.Duplicates != 1 {
		t.Errorf("%+v", c)
	}
	// The same again changes nothing.
	mustSetTables(t, s, custom(t, "My_CL", "A string", "Ref guid"))
	appendTo(t, s, line(one, 2, "A", "b"))

	two := custom(t, "My_CL", "New long", "A string", "Ref guid", "Later string")
	mustSetTables(t, s, two)
	if _, err := s.Append(context.Background(), logstore.Batch{Records: []glassward.Record{line(one, 3, "A", "c")}}); err == nil {
		t.Error("a record of the table as it was is taken")
	}
	appendTo(t, s, line(two, 3, "A", "c", "New", 7, "Later", "x"))
	want := []string{"a|" + id + "|<nil>|", "b|<nil>|<nil>|", "c|<nil>|7|x"}
	query := `SELECT "A", "Ref", "New", "Later" FROM "My_CL" ORDER BY "_Seq"`
	if d := cmp.Diff(want, rows(t, s, 4, query)); d != "" {
		t.Error(d)
	}
	set, _ := schema.Default().With(two)
	p, diags := kql.Compile("My_CL | where Ref == guid("+id+") | project A, Kind = gettype(Ref)", kql.Options{Catalog: set.Catalog()})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	if r, err := s.Run(context.Background(), p, kql.Bind{}, logstore.Limits{}); err != nil || fmt.Sprint(r.Rows) != "[[a guid]]" {
		t.Errorf("%v %v", r, err)
	}

	// Taken out: stored still, and refused.
	mustSetTables(t, s)
	if _, err := s.Append(context.Background(), logstore.Batch{Records: []glassward.Record{line(two, 9)}}); err == nil {
		t.Error("a table that was taken out takes records")
	}
	if _, _, err := s.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	appendTo(t, s, signin("c"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Back again, with one column less, after a restart: what is there is known.
	s = open(t, dir, small())
	three := custom(t, "My_CL", "A string", "New long", "Ref guid")
	mustSetTables(t, s, three)
	if c := appendTo(t, s, line(three, 3, "A", "again"), line(three, 4, "A", "d")); c.Added != 1 || c.Duplicates != 1 {
		t.Errorf("%+v", c)
	}
	if d := cmp.Diff(append(want, "d|<nil>|<nil>|"), rows(t, s, 4, query)); d != "" {
		t.Error(d)
	}

	// What cannot be is told, and leaves everything as it was.
	for name, own := range map[string]*schema.Table{
		"column A of table My_CL: it is stored as string and declared dynamic":  custom(t, "My_CL", "A dynamic"),
		"column New of table My_CL: it is stored as long and declared datetime": custom(t, "My_CL", "New datetime"),
		"column Later of table My_CL: it is stored as string and declared int":  custom(t, "My_CL", "Later int"),
		"column later of table My_CL: the store has a column Later":             custom(t, "My_CL", "later string"),
		"table MY_CL: the store has a table My_CL":                              custom(t, "MY_CL"),
	} {
		var wrong *logstore.ColumnError
		if err := setTables(t, s, own, custom(t, "Other_CL", "A string")); !errors.As(err, &wrong) || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
	appendTo(t, s, line(three, 5, "A", "e"))
	if got := rows(t, s, 1, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'Other_CL'"); got[0] != "0" {
		t.Error("a table was made although the change was refused")
	}
}

// TestMakeTables holds that what is made beforehand changes nothing that is seen.
func TestMakeTables(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "tenant"), small())
	one, two := custom(t, "My_CL", "A string"), custom(t, "My_CL", "B long", "A string")
	mustSetTables(t, s, one)
	appendTo(t, s, line(one, 1, "A", "a"))
	set, _ := schema.Default().With(two, custom(t, "Other_CL"))
	if err := s.MakeTables(context.Background(), set.Tables()); err != nil {
		t.Fatal(err)
	}
	appendTo(t, s, line(one, 2, "A", "b"), signin("a"))
	if _, err := s.Append(context.Background(), logstore.Batch{Records: []glassward.Record{line(two, 9)}}); err == nil {
		t.Error("the store takes records of tables that were only made")
	}
	if err := s.SetTables(context.Background(), set.Tables()); err != nil {
		t.Fatal(err)
	}
	appendTo(t, s, line(two, 3, "A", "c", "B", 3), line(custom(t, "Other_CL"), 4))
	if d := cmp.Diff([]string{"a|<nil>", "b|<nil>", "c|3"}, rows(t, s, 2, `SELECT "A", "B" FROM "My_CL" ORDER BY "_Seq"`)); d != "" {
		t.Error(d)
	}
	var wrong *logstore.ColumnError
	set, _ = schema.Default().With(custom(t, "My_CL", "A long"))
	if err := s.MakeTables(context.Background(), set.Tables()); !errors.As(err, &wrong) {
		t.Errorf("got %v", err)
	}
}

// TestSetTablesBesideWork changes tables while records come and queries run.
func TestSetTablesBesideWork(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "tenant"), small())
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	var added int
	work.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if _, err := s.Append(context.Background(), logstore.Batch{Records: []glassward.Record{signin(fmt.Sprint(i))}}); err != nil {
				t.Errorf("append: %v", err)
				return
			}
			added++
		}
	})
	work.Go(func() {
		for ctx.Err() == nil {
			if _, err := s.Run(context.Background(), program(`SELECT count(*), min("_Seq") FROM "SigninLogs"`, "n", "m"), kql.Bind{}, logstore.Limits{}); err != nil {
				t.Errorf("query: %v", err)
				return
			}
		}
	})
	var columns []string
	for i := range 12 {
		columns = append(columns, fmt.Sprintf("C%d string", i))
		table := custom(t, "My_CL", columns...)
		mustSetTables(t, s, table)
		appendTo(t, s, line(table, byte(i+1), fmt.Sprint("C", i), "x"))
	}
	cancel()
	work.Wait()
	if got := rows(t, s, 2, `SELECT (SELECT count(*) FROM "My_CL"), (SELECT count(*) FROM "SigninLogs")`); got[0] != fmt.Sprintf("12|%d", added) {
		t.Errorf("%v, %d sign-ins were acknowledged", got, added)
	}
}

// TestRetainCustom holds that tables without a time of their own are kept as long
// as "" says.
func TestRetainCustom(t *testing.T) {
	o := small()
	o.Retention = map[string]time.Duration{"": 24 * time.Hour, "Long_CL": 30 * 24 * time.Hour}
	s := open(t, filepath.Join(t.TempDir(), "tenant"), o)
	short, long := custom(t, "Short_CL"), custom(t, "Long_CL")
	mustSetTables(t, s, short, long)
	old := func(r glassward.Record) glassward.Record { r.Received = clock.Add(-48 * time.Hour); return r }
	appendTo(t, s, old(line(short, 1)), old(line(long, 2)), line(short, 3))
	if _, err := s.Retain(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if got := rows(t, s, 2, `SELECT (SELECT count(*) FROM "Short_CL"), (SELECT count(*) FROM "Long_CL")`); got[0] != "1|1" {
		t.Error(got)
	}
}
