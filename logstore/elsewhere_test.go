package logstore_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward/kql"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// TestElsewhere: records that lie in three workspaces give what they give in one.
func TestElsewhere(t *testing.T) {
	one := memory(t)
	stores := map[string]*logstore.Store{"": memory(t), "b": memory(t), "c": memory(t)}
	for i := range 60 {
		r := signin(fmt.Sprint(i), "UserId", fmt.Sprint("u", i%7), "ResultType", fmt.Sprint(i%3), "DurationMs", int64(i), "IsInteractive", i%2 == 0,
			"CreatedDateTime", clock.Add(time.Duration(i)*time.Minute), "Status", fmt.Sprintf(`{"errorCode":%d,"more":["a",%d]}`, i%3, i))
		appendTo(t, one, r)
		appendTo(t, stores[[]string{"", "b", "c"}[i%3]], r)
		if i%4 == 0 {
			a := record("AuditLogs", fmt.Sprint(i), "OperationName", fmt.Sprint("u", i%5), "Id", fmt.Sprint(i))
			appendTo(t, one, a)
			appendTo(t, stores[[]string{"b", "c"}[i%2]], a)
		}
	}
	catalog := schema.Default().Catalog()
	bind := kql.Bind{Now: value.FromTime(clock)}
	limits := logstore.Limits{MaxRows: 1000, Timeout: 20 * time.Second}
	ask := func(query string, o kql.Options, run func(p *kql.Program) (*kql.Result, error)) []string {
		o.Catalog, o.Explore = catalog, run
		p, diags := kql.Compile(query, o)
		if p == nil {
			t.Fatalf("%s: %v", query, diags.Err())
		}
		r, err := run(p)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		var out []string
		for _, row := range r.Rows {
			out = append(out, fmt.Sprintf("%#v", row))
		}
		slices.Sort(out)
		return append(out, fmt.Sprint(r.Columns))
	}
	divided := 0
	whole := func(p *kql.Program) (*kql.Result, error) { return one.Run(context.Background(), p, bind, limits) }
	parts := func(p *kql.Program) (*kql.Result, error) {
		bind := bind
		bind.Rows = map[*kql.Program]*kql.Result{}
		for _, e := range p.Elsewhere {
			divided++
			r, err := stores[e.Workspace].Run(context.Background(), e.Program, bind, limits)
			if err != nil {
				return nil, err
			}
			bind.Rows[e.Program] = r
		}
		return stores[""].Run(context.Background(), p, bind, limits)
	}
	for _, query := range []string{
		"SigninLogs | project Id, UserId, DurationMs, IsInteractive, CreatedDateTime, Status",
		"SigninLogs | count",
		"SigninLogs | where DurationMs > 10 | where Status.errorCode == 1 | extend x = tostring(Status.more[1]), s = CreatedDateTime - TimeGenerated | project x, s",
		"SigninLogs | summarize count(), sum(DurationMs), countif(IsInteractive), min(CreatedDateTime), max(DurationMs) by UserId, ResultType",
		"SigninLogs | where UserId == 'nobody' | summarize n = count(), s = sum(DurationMs), m = max(DurationMs)",
		"SigninLogs | summarize d = dcount(UserId), a = avg(DurationMs), l = array_sort_asc(make_set(UserId))",
		"SigninLogs | distinct UserId, ResultType",
		"SigninLogs | top 5 by DurationMs desc | project DurationMs",
		"SigninLogs | mv-expand m = Status.more | summarize count() by tostring(m)",
		"SigninLogs | join kind=inner (AuditLogs | project OperationName, a = Id) on $left.UserId == $right.OperationName | project Id, a",
		"SigninLogs | where UserId in ((AuditLogs | distinct OperationName)) | project Id",
		"let most = toscalar(SigninLogs | summarize max(DurationMs)); SigninLogs | where DurationMs > most - 5 | project Id",
		"union SigninLogs, AuditLogs | summarize count() by Type",
		"SigninLogs | extend d = todecimal(DurationMs) / 3 | summarize sum(d) by ResultType",
		"SigninLogs | project d = todecimal(DurationMs) / 7, g = toguid('6f3c2b1a-0000-4000-8000-00000000000a'), r = todouble(DurationMs) / 3, i = toint(DurationMs)",
		"SigninLogs | sort by DurationMs asc | serialize p = prev(DurationMs) | where DurationMs - p != 1 | project Id",
		"SigninLogs | project bag = bag_pack(UserId, DurationMs) | evaluate bag_unpack(bag) | summarize max(u0), max(u6)",
	} {
		want := ask(query, kql.Options{}, whole)
		got := ask(query, kql.Options{Beside: []kql.Catalog{catalog.In("b"), catalog.In("c")}}, parts)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: (-in one +in three)\n%s", query, d)
		}
		if len(want) < 2 {
			t.Errorf("%s: gives nothing", query)
		}
	}
	if divided < 20 {
		t.Errorf("only %d parts were worked out elsewhere", divided)
	}
	// What is handed over is gone with the query, and what was not given is no empty table.
	p, _ := kql.Compile(`union SigninLogs, workspace("b").AuditLogs | count`, kql.Options{Catalog: catalog, Workspace: func(name string) (kql.Catalog, bool) { return catalog.In(name), true }})
	if _, err := stores[""].Run(context.Background(), p, bind, limits); err == nil {
		t.Error("a query ran without what it reads elsewhere")
	}
	if got := rows(t, stores[""], 1, "SELECT count(*)::VARCHAR FROM duckdb_tables() WHERE temporary"); got[0] != "0" {
		t.Errorf("%s temporary tables are left", got[0])
	}
}
