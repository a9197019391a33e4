package rel

import (
	"slices"

	"glassward/kql/value"
)

// maxCollected is how many elements make_list and make_set keep.
const maxCollected = 1_048_576

// CountElements counts the elements of lists and sets that are collected for their length alone:
// array_length(make_set(x)) needs no set. It follows Prune, which leaves out the columns that nobody
// reads.
func CountElements(r Rel) Rel {
	return Map(r, func(r Rel) Rel {
		p, ok := r.(*Project)
		if !ok {
			return r
		}
		var between []Rel
		in := p.In
		for passes(in) {
			between = append(between, in)
			in = in.Inputs()[0]
		}
		a, ok := in.(*Aggregate)
		if !ok {
			return r
		}
		readers := append([]Rel{p}, between...)
		aggs := slices.Clone(a.Aggs)
		for i, it := range aggs {
			n := elementCount(it.Expr)
			if n == nil {
				continue
			}
			counted, ok := lengthsOf(readers, it.Name)
			if !ok {
				continue
			}
			readers, aggs[i].Expr = counted, n
		}
		if slices.Equal(aggs, a.Aggs) {
			return r
		}
		var out Rel = &Aggregate{a.In, a.Keys, aggs}
		for _, n := range slices.Backward(readers) {
			out = n.With([]Rel{out})
		}
		return out
	})
}

// passes says that an operator gives the columns of its one input as they are.
func passes(r Rel) bool {
	switch r.(type) {
	case *Filter, *Sort, *Limit:
		return true
	}
	return false
}

// elementCount gives the aggregate that counts what make_list or make_set collects, or nil. What is
// equal but written in two ways (0 and -0, a dynamic value) has two places in a set.
func elementCount(e Expr) Expr {
	c, ok := e.(*Call)
	if !ok || len(c.Args) != 1 {
		return nil
	}
	switch c.Args[0].Type() {
	case value.Dynamic, value.Real, value.Decimal:
		return nil
	}
	switch c.Func {
	case "make_set":
		return &Call{"count_distinct", c.Args, value.Long}
	case "make_list":
		return &Call{"countif", []Expr{&Call{"isnotnull", c.Args, value.Bool}}, value.Long}
	}
	return nil
}

// lengthsOf gives operators that take the length of the array in a column from a column of lengths, if
// the length is all that they read of it.
func lengthsOf(readers []Rel, column string) ([]Rel, bool) {
	only := true
	out := make([]Rel, len(readers))
	for i, n := range readers {
		out[i] = n.Exprs(func(e Expr) Expr {
			e = MapExpr(e, func(e Expr) Expr {
				if c, ok := e.(*Call); ok && c.Func == "array_length" {
					if col, ok := c.Args[0].(*Col); ok && col.Name == column {
						return &Call{"min_of", []Expr{&Col{Name: column, T: value.Long}, Long(maxCollected)}, value.Long}
					}
				}
				return e
			})
			WalkExpr(e, func(e Expr) {
				if col, ok := e.(*Col); ok && col.Name == column && col.T == value.Dynamic {
					only = false
				}
			})
			return e
		})
	}
	return out, only
}
