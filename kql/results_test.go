package kql_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"glassward/kql"
)

// TestSeveralResults holds that a text that gives several tables gives each, in order and by its name.
func TestSeveralResults(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct{ query, want string }{
		{`datatable(a:long, s:string)[1, "x", 2, "x"] | fork (where a > 1) n = (count) (summarize t = sum(a) | as Total)`,
			` a,s: 2 x; n Count: 2; Total t: 3`},
		{`datatable(a:long, s:string)[1, "x", 2, "x", 2, "y"] | where a > 1 | facet by a, s with (summarize m = max(a))`,
			` m: 2; a a,count_a: 2 2; s s,count_s: x 1, y 1`},
		{`print x = 1; let k = 3; print y = k | fork (extend z = 1) (count); range r from 1 to 2 step 1`,
			` x: 1;  y,z: 3 1;  Count: 1;  r: 1, 2`},
	} {
		p, diags := kql.Compile(c.query, kql.Options{})
		if p == nil {
			t.Errorf("%s: %v", c.query, diags.Err())
			continue
		}
		var got []string
		for _, q := range append([]*kql.Program{p}, p.More...) {
			r, err := e.run(q, kql.Bind{})
			if err != nil {
				t.Fatalf("%s: %v\n%s", c.query, err, q.SQL)
			}
			var cols, rows []string
			for _, col := range r.Columns {
				cols = append(cols, col.Name)
			}
			for _, row := range r.Rows {
				var cells []string
				for _, v := range row {
					cells = append(cells, fmt.Sprint(v))
				}
				rows = append(rows, strings.Join(cells, " "))
			}
			if strings.Contains(c.query, "facet") {
				slices.Sort(rows)
			}
			got = append(got, q.Name+" "+strings.Join(cols, ",")+": "+strings.Join(rows, ", "))
		}
		if g := strings.Join(got, "; "); g != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.query, g, c.want)
		}
	}
	for _, bad := range []string{
		`print x = 1 | fork (count) (take 1) | take 1`,
		`let T = print x = 1 | facet by x; T`,
		`print x = 1 | join (print x = 1 | fork (count) (count)) on x`,
		strings.Repeat("print 1;", 100),
	} {
		if p, _ := kql.Compile(bad, kql.Options{}); p != nil {
			t.Errorf("not refused: %.60s", bad)
		}
	}
}
