package rel

import (
	"slices"

	"glassward/kql/value"
)

// ByTime restricts every scan to TimeGenerated >= $from and TimeGenerated < $to. Tables without that
// column are left whole.
func ByTime(r Rel) Rel {
	return restrict(r, TimeColumn, value.DateTime, ">=", "from", "<", "to")
}

// BySeq restricts every scan to _Seq > $seq_from and _Seq <= $seq_to.
func BySeq(r Rel) Rel {
	return restrict(r, SeqColumn, value.Long, ">", "seq_from", "<=", "seq_to")
}

func restrict(r Rel, name string, t value.Type, op1, p1, op2, p2 string) Rel {
	return Map(r, func(r Rel) Rel {
		s, ok := r.(*Scan)
		if !ok {
			return r
		}
		if name != SeqColumn && Index(s.Table.Columns, name) < 0 {
			return r
		}
		cols := s.Cols
		if Index(cols, name) < 0 {
			s = &Scan{s.Table, append(slices.Clone(cols), Column{name, t})}
		}
		c := &Col{Name: name, T: t}
		cond := &Call{"and", []Expr{
			&Call{op1, []Expr{c, &Param{p1, t}}, value.Bool},
			&Call{op2, []Expr{c, &Param{p2, t}}, value.Bool},
		}, value.Bool}
		var out Rel = &Filter{s, cond}
		if len(cols) != len(s.Cols) {
			out = &Project{out, Refs(cols)}
		}
		return out
	})
}
