package rel

// Barren says whether a tree surely has no row where no stored table has one: its rows are made of records. What
// is false may still have none.
func Barren(r Rel) bool {
	switch n := r.(type) {
	case *Scan:
		return true
	case *Values:
		return len(n.Rows) == 0
	case *Series:
		return false
	case *Filter:
		if c, ok := n.Cond.(*Const); ok && c.Value == false {
			return true
		}
	case *Aggregate:
		return len(n.Keys) > 0 && Barren(n.In)
	case *MakeSeries:
		return len(n.Keys) > 0 && Barren(n.In)
	case *Join:
		switch n.Kind {
		case Inner, LeftSemi, RightSemi:
			return Barren(n.L) || Barren(n.R)
		case LeftOuter, LeftAnti:
			return Barren(n.L)
		case RightOuter, RightAnti:
			return Barren(n.R)
		}
	}
	for _, in := range r.Inputs() {
		if !Barren(in) {
			return false
		}
	}
	return len(r.Inputs()) > 0
}
