package kql_test

import (
	"math"
	"math/bits"
	"os"
	"regexp"
	"slices"
	"testing"

	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// everyRecord is the mask of all records; the highest bit stands for none.
const everyRecord = math.MaxInt64

// neighbours says whether a row of the tree may depend on records that do not flow into it: a sub-query within
// an expression, a window function, the side of a semi, anti or outer join that is only looked at, a limit.
func neighbours(r rel.Rel) bool {
	found := false
	rel.Walk(r, func(r rel.Rel) {
		switch n := r.(type) {
		case *rel.Scan, *rel.Values, *rel.Series, *rel.Sort, *rel.Union, *rel.Aggregate, *rel.Expand, *rel.Shared:
		case *rel.Filter, *rel.Project:
			found = found || rel.Mixes(n) != ""
		case *rel.Join:
			found = found || n.Kind != rel.Inner
		default:
			found = true
		}
		r.Exprs(func(e rel.Expr) rel.Expr {
			rel.WalkExpr(e, func(e rel.Expr) {
				switch e.(type) {
				case *rel.InTable, *rel.Scalar:
					found = true
				}
			})
			return e
		})
	})
	return found
}

// weigh lets a tree count what flows: its last column is a sum over the records behind a row, each with a weight
// of its own. It tells by another way than lineage does whether a row changed, where the columns that a query
// asks for (a maximum, a set) would look the same. ok is false where the tree has a node that it does not know.
func weigh(r rel.Rel) (out rel.Rel, ok bool) {
	const name = "Weight__"
	col := &rel.Col{Name: name, T: value.Long}
	done := map[rel.Rel]rel.Rel{}
	ok = true
	var visit func(r rel.Rel) rel.Rel
	visit = func(r rel.Rel) rel.Rel {
		if d := done[r]; d != nil {
			return d
		}
		in := make([]rel.Rel, len(r.Inputs()))
		for i, x := range r.Inputs() {
			in[i] = visit(x)
		}
		cols := rel.Refs(r.Columns())
		var n rel.Rel
		switch x := r.(type) {
		case *rel.Scan:
			s := &rel.Scan{Table: x.Table, Cols: append(slices.Clone(x.Cols), rel.Column{Name: rel.SeqColumn, Type: value.Long})}
			var w rel.Expr = &rel.Col{Name: rel.SeqColumn, T: value.Long}
			for range 2 {
				w = &rel.Call{Func: "*", Args: []rel.Expr{w, &rel.Col{Name: rel.SeqColumn, T: value.Long}}, T: value.Long}
			}
			n = &rel.Project{In: s, Items: append(cols, rel.Item{Name: name, Expr: w})}
		case *rel.Values, *rel.Series:
			n = &rel.Project{In: r, Items: append(cols, rel.Item{Name: name, Expr: rel.Long(0)})}
		case *rel.Filter, *rel.Sort, *rel.Limit, *rel.Union, *rel.Shared:
			n = r.With(in)
		case *rel.Expand:
			n = &rel.Project{In: r.With(in), Items: append(cols, rel.Item{Name: name, Expr: col})}
		case *rel.Project:
			n = &rel.Project{In: in[0], Items: append(slices.Clone(x.Items), rel.Item{Name: name, Expr: col})}
		case *rel.Aggregate:
			sum := &rel.Call{Func: "sum", Args: []rel.Expr{col}, T: value.Long}
			n = &rel.Aggregate{In: in[0], Keys: x.Keys, Aggs: append(slices.Clone(x.Aggs), rel.Item{Name: name, Expr: sum})}
		case *rel.Join:
			j := *x
			j.L, j.R = in[0], in[1]
			left, right := x.Kind != rel.RightSemi && x.Kind != rel.RightAnti, x.Kind != rel.LeftSemi && x.Kind != rel.LeftAnti
			j.Out = slices.Clone(x.Out)
			var sum rel.Expr
			if left {
				j.Out = append(j.Out, rel.JoinColumn{Name: name, From: rel.Col{Name: name, T: value.Long, Side: rel.Left}})
				sum = &rel.Call{Func: "coalesce", Args: []rel.Expr{col, rel.Long(0)}, T: value.Long}
			}
			if right {
				j.Out = append(j.Out, rel.JoinColumn{Name: name + "2", From: rel.Col{Name: name, T: value.Long, Side: rel.Right}})
				two := &rel.Call{Func: "coalesce", Args: []rel.Expr{&rel.Col{Name: name + "2", T: value.Long}, rel.Long(0)}, T: value.Long}
				if sum == nil {
					sum = two
				} else {
					sum = &rel.Call{Func: "+", Args: []rel.Expr{sum, two}, T: value.Long}
				}
			}
			n = &rel.Project{In: &j, Items: append(cols, rel.Item{Name: name, Expr: sum})}
		default:
			ok = false
			n = r
		}
		done[r] = n
		return n
	}
	out = visit(r)
	return out, ok
}

// without are trees whose columns are worth nothing as a proof when a record is taken away: ids made up anew.
var without = regexp.MustCompile(`^(rand|new_guid|row_id|now)$`)

// TestLineageNamesCauses takes away one record after the other:
//
//   - a record that a row names: the row goes, or changes (in its columns, or in the sum of the weights of the
//     records that flow into it);
//   - a record that no row names: every row stays;
//   - all records that a row does not name: the row stays.
//
// The last two are asked of queries without sub-queries, window functions, limits and joins that only look at a
// side, whose rows depend on more than flows into them.
func TestLineageNamesCauses(t *testing.T) {
	e := newSmallEngine(t)
	now, _ := value.ParseDateTime(testNow)
	removed, kept, alone, queries, unweighed := 0, 0, 0, 0, 0
	most := 6
	if os.Getenv("KQLPROVE") != "" {
		most = 60
	}
	for _, s := range append(chosenSamples(t, 25), generated(t, 60)...) {
		u := newSubject(s, 1)
		if u == nil || calls(u.tree, without) || calls(u.tree, chance) {
			continue
		}
		u.store(t, e)
		tree, weighed := weigh(u.tree)
		if !weighed {
			tree = u.tree
			unweighed++
		}
		local := !neighbours(u.tree)
		final := tree
		for _, step := range rel.Rewrites(rel.Rewrite{Name: "there", Apply: there}, rel.Rewrite{Name: "lineage", Apply: rel.Lineage}) {
			final = step.Apply(final)
		}
		full, err := e.runTree(final, everyRecord, now)
		if err != nil {
			if os.Getenv("KQLPROVE") != "" {
				t.Logf("%s: %v", u.name, err)
			}
			continue
		}
		if len(full.rows) == 0 || len(full.rows) >= 5000 {
			continue
		}
		queries++
		count := func(rows []string, row string) (n int) {
			for _, r := range rows {
				if r == row {
					n++
				}
			}
			return n
		}
		var named int64
		results := map[int64]*result{}
		over := func(mask int64) *result {
			if r := results[mask]; r != nil {
				return r
			}
			r, err := e.runTree(final, mask, now)
			if err != nil {
				t.Fatalf("%s: %v\n%s", u.name, err, u.query)
			}
			results[mask] = r
			return r
		}
		for i, ids := range full.lineage {
			var own int64
			for _, id := range ids {
				own |= 1 << id
			}
			named |= own
			if bits.OnesCount64(uint64(own)) != len(ids) {
				t.Errorf("%s: row %d names a record twice: %v", u.name, i, ids)
			}
			if i >= most {
				continue
			}
			row := full.rows[i]
			if weighed {
				for k, id := range ids {
					if k >= most {
						break
					}
					removed++
					if r := over(everyRecord &^ (1 << id)); count(r.rows, row) >= count(full.rows, row) {
						t.Errorf("%s: record %d is named by a row that does not change without it: %s\n%s\n%s", u.name, id, row, u.query, rel.Text(u.tree))
						break
					}
				}
			}
			if local && own != 0 {
				alone++
				if r := over(own); !slices.Contains(r.rows, row) {
					t.Errorf("%s: a row does not come of the records %v that it names: %s\nbut %v\n%s\n%s", u.name, ids, row, r.rows, u.query, rel.Text(u.tree))
				}
			}
		}
		if !local {
			continue
		}
		for id, n := 0, 0; id < u.n && n < most; id++ {
			if named&(1<<id) != 0 {
				continue
			}
			n++
			kept++
			r := over(everyRecord &^ (1 << id))
			for _, row := range full.rows {
				if count(r.rows, row) < count(full.rows, row) {
					t.Errorf("%s: record %d is named by no row, and without it there is no row %s\n%s\n%s", u.name, id, row, u.query, rel.Text(u.tree))
					break
				}
			}
		}
	}
	t.Logf("%d queries: %d named records taken away, %d that nobody names, %d rows of their records alone; %d queries have nodes without weights", queries, removed, kept, alone, unweighed)
	if removed < 150 || kept < 30 {
		t.Error("that is too little to prove anything")
	}
}

// TestPrefiltersRefuseNothingThatMatters takes away all records that every prefilter of their table refuses:
// the rows are the same.
func TestPrefiltersRefuseNothingThatMatters(t *testing.T) {
	e := newSmallEngine(t)
	now, _ := value.ParseDateTime(testNow)
	queries, refused, records := 0, 0, 0
	for _, s := range append(chosenSamples(t, 30), generated(t, 120)...) {
		for seed := range uint64(2) {
			u := newSubject(s, seed)
			if u == nil || calls(u.tree, chance) {
				continue
			}
			byTable := map[string][]kql.Prefilter{}
			for _, d := range rel.Demands(u.tree) {
				p := kql.Prefilter{Table: d.Table}
				for _, c := range d.Conditions {
					p.Conditions = append(p.Conditions, kql.Condition{Column: c.Column, Op: kql.CondOp(c.Op), Values: c.Values})
				}
				byTable[d.Table] = append(byTable[d.Table], p)
			}
			var out int64
			for _, table := range u.tables {
				for _, row := range u.rows[table.Name] {
					records++
					cell := func(column string) string {
						i := rel.Index(table.Columns, column)
						if i < 0 {
							t.Fatalf("%s: a prefilter speaks of %s", u.name, column)
						}
						text, ok := row[i].(string)
						if !ok && row[i] != nil {
							return value.JSON(row[i])
						}
						return text
					}
					accepted := byTable[table.Name] == nil
					for _, p := range byTable[table.Name] {
						accepted = accepted || p.Accepts(cell)
					}
					if !accepted {
						refused++
						out |= 1 << (row[len(table.Columns)].(int64) - 1) // by its sequence number
					}
				}
			}
			if out == 0 {
				continue
			}
			u.store(t, e)
			tree := there(u.tree)
			want, err := e.runTree(tree, everyRecord, now)
			if err != nil {
				continue
			}
			queries++
			got, err := e.runTree(tree, everyRecord&^out, now)
			if err != nil {
				t.Fatal(err)
			}
			if d := differ(want.rows, got.rows, calls(u.tree, gathers)); d != "" {
				t.Errorf("%s: records that the prefilters refuse make a difference: %s\n%s\n%v", u.name, d, u.query, byTable)
			}
		}
	}
	t.Logf("%d queries, %d of %d records refused", queries, refused, records)
	if queries < 50 {
		t.Error("that is too little to prove anything")
	}
}

// TestBarrenGivesNothingOfNothing asks the queries whose rows are made of records where there is none.
func TestBarrenGivesNothingOfNothing(t *testing.T) {
	e := newSmallEngine(t)
	now, _ := value.ParseDateTime(testNow)
	barren, fertile := 0, 0
	for _, s := range append(chosenSamples(t, 30), generated(t, 120)...) {
		u := newSubject(s, 1)
		if u == nil {
			continue
		}
		u.store(t, e)
		got, err := e.runTree(there(u.tree), 0, now)
		if err != nil {
			continue
		}
		switch {
		case !rel.Barren(u.tree):
			fertile++
		case len(got.rows) > 0:
			t.Errorf("%s: of nothing there are rows: %v\n%s", u.name, got.rows, u.query)
		default:
			barren++
		}
	}
	t.Logf("%d queries give nothing of nothing, %d may give something", barren, fertile)
	if barren < 50 || fertile < 10 {
		t.Error("that is too little to prove anything")
	}
}
