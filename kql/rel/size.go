package rel

// Size gives how many nodes and expressions a tree has when tables that it reads twice count twice, as
// the engine sees it, or limit+1 if there are more than limit. Trees share what a let statement named, so
// that a short text may stand for a very large tree.
func Size(r Rel, limit int) int {
	s := &sizes{limit: limit, done: map[Rel]int{}}
	return min(s.rel(r), limit+1)
}

type sizes struct {
	limit int
	done  map[Rel]int
}

func (s *sizes) rel(r Rel) int {
	if n, ok := s.done[r]; ok {
		return n
	}
	n := 1
	for _, in := range r.Inputs() {
		n = min(n+s.rel(in), s.limit+1)
	}
	_, constants := r.(*Values)
	r.Exprs(func(e Expr) Expr {
		if _, is := e.(*Const); is && constants {
			return e // a table's literals are written once; how many there are the text or the file bounds
		}
		n = min(n+s.expr(e, s.limit-n), s.limit+1)
		return e
	})
	s.done[r] = n
	return n
}

func (s *sizes) expr(e Expr, left int) int {
	if left <= 0 {
		return 1
	}
	n := 1
	switch e := e.(type) {
	case *Call:
		for _, a := range e.Args {
			n += s.expr(a, left-n)
		}
	case *Path:
		n += s.expr(e.X, left-n)
	case *InTable:
		n += s.expr(e.X, left-n) + s.rel(e.Rel)
	case *Scalar:
		n += s.rel(e.Rel)
	}
	return n
}

// ExprSize gives how many nodes an expression has, or limit+1 if there are more than limit.
func ExprSize(e Expr, limit int) int {
	s := &sizes{limit: limit, done: map[Rel]int{}}
	return min(s.expr(e, limit+1), limit+1)
}

// Depth gives how many operators stand one after the other at most, those of tables within expressions
// included.
func Depth(r Rel) int {
	done := map[Rel]int{}
	var visit func(Rel) int
	visit = func(r Rel) int {
		if d, ok := done[r]; ok {
			return d
		}
		below := 0
		for _, in := range r.Inputs() {
			below = max(below, visit(in))
		}
		r.Exprs(func(e Expr) Expr {
			WalkExpr(e, func(e Expr) {
				switch e := e.(type) {
				case *InTable:
					below = max(below, visit(e.Rel))
				case *Scalar:
					below = max(below, visit(e.Rel))
				}
			})
			return e
		})
		done[r] = below + 1
		return below + 1
	}
	return visit(r)
}
