package rel

import (
	"maps"
	"slices"

	"glassward/kql/value"
)

// LineageColumn is the hidden column that Lineage adds: the ids of the records that caused a row, as
// a list that sqlgen bounds.
const LineageColumn = "$lineage"

// Lineage rewrites a tree so that its result has the column LineageColumn. Aggregates merge the lists
// of their rows, a join those of both sides. Of what is only looked at nothing is taken (the other side
// of a semi or anti join, tables within expressions): one of several partners less would change no row.
func Lineage(r Rel) Rel {
	col := Column{LineageColumn, value.Unknown}
	done := map[Rel]Rel{}
	var visit func(Rel) Rel
	visit = func(r Rel) Rel {
		if d, ok := done[r]; ok {
			return d
		}
		ins := r.Inputs()
		out, has := make([]Rel, len(ins)), make([]bool, len(ins))
		for i, in := range ins {
			out[i], has[i] = visit(in), true
		}
		n := r.carry(col, out, has)
		done[r] = n
		return n
	}
	n := visit(r)
	// The hidden column goes to the end, where readers of results look for it.
	if cols := n.Columns(); cols[len(cols)-1].Name != LineageColumn {
		items := Refs(r.Columns())
		n = keepOrder(n, append(items, Item{LineageColumn, &Col{Name: LineageColumn, T: col.Type}}))
	}
	return n
}

// keepOrder projects below a sort at the top, so that the sort stays outermost.
func keepOrder(n Rel, items []Item) Rel {
	if s, ok := n.(*Sort); ok {
		return &Sort{keepOrder(s.In, items), s.Keys}
	}
	return &Project{n, items}
}

// Functions that only Lineage makes: the list of one record's id, both lists as one, and the
// aggregate that merges lists.
const (
	LineageOne    = "lineage_one"
	LineageConcat = "lineage_concat"
	LineageMerge  = "lineage_merge"
)

// Named gives the stored tables whose records a row's lineage can name, sorted. Those that are read only within
// expressions, or on the side of a join of which nothing is kept, are not among them.
func Named(r Rel) []string {
	seen := map[string]bool{}
	done := map[Rel]bool{}
	var visit func(Rel)
	visit = func(r Rel) {
		if done[r] {
			return
		}
		done[r] = true
		switch n := r.(type) {
		case *Scan:
			seen[n.Table.Name] = true
		case *Join:
			if n.Kind != RightSemi && n.Kind != RightAnti {
				visit(n.L)
			}
			if n.Kind != LeftSemi && n.Kind != LeftAnti {
				visit(n.R)
			}
		default:
			for _, in := range r.Inputs() {
				visit(in)
			}
		}
	}
	visit(r)
	return slices.Sorted(maps.Keys(seen))
}
