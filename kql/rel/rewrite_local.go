package rel

// NotLocal gives the operator, nearest to the records, because of which a result row may depend on more
// than one record, and why, in a sentence without a stop. It gives nil if every result row depends on
// one record alone.
//
// Local are operators that work on one row at a time, unions of such, an aggregation by the record's own
// id, a sort, and joins with tables of constants.
func NotLocal(r Rel) (Rel, string) {
	l := &locals{map[Rel]localResult{}}
	found := l.of(r)
	return found.bad, found.why
}

// locals remembers what was found of each node.
type locals struct {
	done map[Rel]localResult
}

type localResult struct {
	bad Rel
	why string
	ids map[string]bool
}

func (l *locals) of(r Rel) localResult {
	if d, ok := l.done[r]; ok {
		return d
	}
	bad, why, ids := l.locality(r)
	d := localResult{bad, why, ids}
	l.done[r] = d
	return d
}

// idColumns are the columns that tell a stored table's records apart.
func idColumn(name string) bool { return name == "Id" || name == ItemColumn || name == "_ItemId" }

// locality gives the first operator that is not local, and the columns of r's result that hold the
// record's own id.
func (l *locals) locality(r Rel) (Rel, string, map[string]bool) {
	ids := map[string]bool{}
	for _, in := range r.Inputs() {
		if d := l.of(in); d.bad != nil {
			return d.bad, d.why, nil
		}
	}
	// Tables within expressions must be constants.
	var bad Rel
	why := ""
	r.Exprs(func(e Expr) Expr {
		WalkExpr(e, func(e Expr) {
			var sub Rel
			switch e := e.(type) {
			case *InTable:
				sub = e.Rel
			case *Scalar:
				sub = e.Rel
			}
			if sub != nil && !Constant(sub) && bad == nil {
				bad, why = r, "a condition looks at other records of a table"
			}
		})
		return e
	})
	if bad != nil {
		return bad, why, nil
	}
	input := func(i int) map[string]bool {
		return l.of(r.Inputs()[i]).ids
	}
	switch n := r.(type) {
	case *Scan:
		for _, c := range n.Cols {
			if idColumn(c.Name) {
				ids[c.Name] = true
			}
		}
	case *Project:
		if w := n.mixes(); w != "" && !Constant(n.In) {
			return r, w, nil
		}
		in := input(0)
		for _, it := range n.Items {
			if isID(it.Expr, in) {
				ids[it.Name] = true
			}
		}
	case *Aggregate:
		if Constant(n.In) {
			break
		}
		in := input(0)
		for _, k := range n.Keys {
			if isID(k.Expr, in) {
				ids[k.Name] = true
			}
		}
		if len(ids) == 0 {
			if len(n.Aggs) == 0 {
				return r, "distinct joins several records into one row", nil
			}
			return r, n.mixes(), nil
		}
	case *Union:
		// An id stays one only where each branch has it; ids of different tables do not meet.
		for i := range n.Ins {
			m := input(i)
			if i == 0 {
				ids = m
				continue
			}
			both := map[string]bool{}
			for k := range m {
				if ids[k] {
					both[k] = true
				}
			}
			ids = both
		}
	case *Join:
		lc, rc := Constant(n.L), Constant(n.R)
		switch {
		case lc && rc:
		case rc && n.Kind != RightOuter && n.Kind != FullOuter && n.Kind != RightAnti && n.Kind != RightSemi:
			in := input(0)
			for _, o := range n.Out {
				if o.From.Side == Left && in[o.From.Name] {
					ids[o.Name] = true
				}
			}
		case lc && n.Kind != LeftOuter && n.Kind != FullOuter && n.Kind != LeftAnti && n.Kind != LeftSemi:
			in := input(1)
			for _, o := range n.Out {
				if o.From.Side == Right && in[o.From.Name] {
					ids[o.Name] = true
				}
			}
		default:
			if own(n) {
				break
			}
			return r, n.mixes(), nil
		}
	case *Limit:
		if Constant(n.In) {
			break
		}
		if len(n.Per) > 0 {
			in := input(0)
			for _, p := range n.Per {
				if isID(p, in) || isRow(p) {
					return nil, "", in
				}
			}
		}
		return r, n.mixes(), nil
	case *Steps:
		if Constant(n.In) {
			break
		}
		in := input(0)
		for _, e := range n.Per {
			if isID(e, in) {
				return nil, "", in
			}
		}
		return r, n.mixes(), nil
	default:
		if w := r.mixes(); w != "" && !Constant(r) {
			return r, w, nil
		}
		if ins := r.Inputs(); len(ins) == 1 {
			ids = input(0)
			if x, ok := r.(*Expand); ok {
				for _, it := range x.Items {
					delete(ids, it.Name)
				}
			}
		}
	}
	return nil, "", ids
}

// own says that a join pairs a table with itself by the number of the row, as mv-apply does.
func own(n *Join) bool {
	for _, k := range n.On {
		if isRow(k.L) && isRow(k.R) {
			return true
		}
	}
	return false
}

// isRow says whether an expression is the hidden number that mv-apply gives each row.
func isRow(e Expr) bool {
	c, ok := e.(*Col)
	return ok && len(c.Name) > 4 && c.Name[:4] == "$row" && c.Name[4] != '_'
}

// isID says whether an expression is a record's own id, or its text.
func isID(e Expr, in map[string]bool) bool {
	switch e := e.(type) {
	case *Col:
		return in[e.Name] || isRow(e)
	case *Call:
		return (e.Func == "tostring" || e.Func == "tolower") && len(e.Args) == 1 && isID(e.Args[0], in)
	}
	return false
}

// Constant says whether a table is made of constants alone: no stored table is read.
func Constant(r Rel) bool {
	ok := true
	Walk(r, func(r Rel) {
		if _, scan := r.(*Scan); scan {
			ok = false
		}
	})
	return ok
}
