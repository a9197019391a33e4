package bind

import (
	"cmp"
	"math"
	"strconv"

	"glassward/kql/builtin"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// tupleCall finds a call of a function that gives several columns, such as series_stats.
func (b *binder) tupleCall(e syntax.Expr, sc *scope) (*builtin.Function, *syntax.Call) {
	for {
		p, ok := e.(*syntax.Paren)
		if !ok {
			break
		}
		e = p.X
	}
	c, ok := e.(*syntax.Call)
	if !ok {
		return nil, nil
	}
	n, ok := c.Func.(*syntax.Name)
	if !ok || sc.find(n.Name) != nil {
		return nil, nil
	}
	f, ok := builtin.Lookup(builtin.Scalar, n.Name)
	if !ok || len(f.Columns) == 0 && !(sorts(f) && len(sortedArrays(c)) > 1) {
		return nil, nil
	}
	return f, c
}

// sorts says that a function sorts arrays: several together give as many columns.
func sorts(f *builtin.Function) bool {
	return f.Name == "array_sort_asc" || f.Name == "array_sort_desc"
}

// sortedArrays gives the arguments that are arrays; whether nulls come last may stand behind them.
func sortedArrays(c *syntax.Call) []*syntax.NamedExpr {
	if n := len(c.Args); n > 0 {
		if l, ok := c.Args[n-1].Value.(*syntax.Literal); ok && l.Kind == syntax.BoolLit {
			return c.Args[:n-1]
		}
	}
	return c.Args
}

// tuple binds an item whose value is a call of a function that gives several columns. Named, it gives as
// many as there are names; without a name all, called after the function and its first argument.
func (b *binder) tuple(it *syntax.NamedExpr, e *env, n *names, own bool) ([]rel.Item, bool) {
	f, c := b.tupleCall(it.Value, e.sc)
	if f == nil {
		return nil, false
	}
	x := b.boundCall(f, c, e)
	first := ""
	if len(c.Args) > 0 {
		first = nameOf(c.Args[0].Value)
	}
	var parts []rel.Item
	for _, col := range f.Columns {
		parts = append(parts, rel.Item{Name: f.Name + "_" + first + "_" + col.Name, Expr: b.part(x, col)})
	}
	if sorts(f) {
		for i, a := range sortedArrays(c) {
			name := cmp.Or(nameOf(a.Value), "array"+strconv.Itoa(i)) + "_sorted"
			parts = append(parts, rel.Item{Name: name, Expr: b.index(x, rel.Long(int64(i)), a.Value)})
		}
	}
	var out []rel.Item
	for i, p := range parts {
		switch {
		case i < len(it.Names):
			p.Name = b.itemName(it.Names[i].Name, n, it, own)
		case len(it.Names) > 0:
			continue
		default:
			p.Name = n.fresh(p.Name)
		}
		out = append(out, p)
	}
	return out, true
}

// part takes a column of a tuple, which is a bag when the query runs.
func (b *binder) part(x rel.Expr, col builtin.Column) rel.Expr {
	if isUnknown(x) {
		return x
	}
	return b.cast(step(x, rel.Field(col.Name)), col.Type)
}

// hash gives the hash of a value, by the function for its type.
func hash(x, mod rel.Expr) rel.Expr {
	name := "hash_text"
	switch x.Type() {
	case value.Int, value.Long, value.DateTime, value.TimeSpan:
		name = "hash_long" // of an int too: hll has shown its hashes
	case value.Bool:
		name = "hash_bool"
	case value.Real, value.Decimal:
		name = "hash_real"
	case value.GUID:
		name = "hash_guid"
	case value.Dynamic:
		name = "hash_dynamic"
	}
	args := []rel.Expr{x}
	if mod != nil {
		args = append(args, mod)
	}
	return call(name, value.Long, args...)
}

// around is value between (center - delta) and (center + delta), null if one of them is.
func (b *binder) around(args []rel.Expr, e *syntax.Call) rel.Expr {
	t, c, d := args[0].Type(), args[1].Type(), args[2].Type()
	switch {
	case t.Numeric() && c.Numeric() && d.Numeric():
		w := wider(wider(t, c), d)
		for i := range args {
			args[i] = b.cast(args[i], w)
		}
		t = w
	case t == c && (t == value.DateTime || t == value.TimeSpan) && d == value.TimeSpan:
	default:
		b.errorf(WrongType, e, "", "found %s, %s and %s for around: a value and a center of one type and a distance are needed", t, c, d)
		return unknown()
	}
	return call("and", value.Bool,
		call(">=", value.Bool, args[0], fold("-", t, args[1], args[2])), call("<=", value.Bool, args[0], fold("+", t, args[1], args[2])))
}

// assert ends a query whose condition does not hold: at once where the condition is constant, else when
// a row comes to it.
func (b *binder) assert(args []rel.Expr, e *syntax.Call) rel.Expr {
	text, ok := args[1].(*rel.Const)
	if !ok || text.T != value.String {
		b.errorf(NotConstant, e.Args[1], "", "the message of assert must be a literal text")
		return unknown()
	}
	if held, known := decided(args[0]); known {
		if held {
			return rel.Bool(true)
		}
		b.errorf(AssertFailed, e, "", "assert() has failed with message: '%s'", strOf(text))
		return unknown()
	}
	return call("assert", value.Bool, args[0], args[1])
}

// decided gives the truth of a condition over constants.
func decided(e rel.Expr) (held, known bool) {
	switch e := e.(type) {
	case *rel.Const:
		v, ok := e.Value.(bool)
		return v, ok
	case *rel.Call:
		switch e.Func {
		case "not":
			v, ok := decided(e.Args[0])
			return !v, ok
		case "and", "or":
			all := e.Func == "and"
			known = true
			for _, a := range e.Args {
				v, ok := decided(a)
				if ok && v != all {
					return v, true
				}
				known = known && ok
			}
			return all, known
		case "<", "<=", ">", ">=", "==", "!=":
			x, ok := constant(e.Args[0])
			y, ok2 := constant(e.Args[1])
			if !ok || !ok2 {
				if s, isText := e.Args[0].(*rel.Const); isText && e.Args[0].Type() == value.String && e.Args[1].Type() == value.String && (e.Func == "==" || e.Func == "!=") {
					if t, isText := e.Args[1].(*rel.Const); isText {
						return (s.Value == t.Value) == (e.Func == "=="), true
					}
				}
				return false, false
			}
			return map[string]bool{"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y, "==": x == y, "!=": x != y}[e.Func], true
		}
	}
	return false, false
}

// constant gives a number that a constant holds.
func constant(e rel.Expr) (float64, bool) {
	if c, ok := e.(*rel.Const); ok {
		switch v := c.Value.(type) {
		case int64:
			return float64(v), true
		case float64:
			return v, !math.IsNaN(v)
		}
	}
	if c, ok := e.(*rel.Call); ok {
		switch c.Func {
		case "tolong", "toreal", "negate":
			v, ok := constant(c.Args[0])
			if c.Func == "negate" {
				v = -v
			}
			return v, ok
		case "strlen":
			if t, isText := c.Args[0].(*rel.Const); isText {
				return float64(len([]rune(strOf(t)))), true
			}
		}
	}
	return 0, false
}

// binAuto is bin_at by the settings of the query.
func (b *binder) binAuto(x rel.Expr, e *syntax.Call) rel.Expr {
	size, ok := b.settings["query_bin_auto_size"]
	if !ok {
		b.errorf(MissingValue, e, "write before the query: set query_bin_auto_size = 1h;", "bin_auto needs the size of a bin")
		return unknown()
	}
	at, ok := b.settings["query_bin_auto_at"]
	switch {
	case ok:
	case x.Type() == value.DateTime, x.Type() == value.TimeSpan:
		at = &rel.Const{Value: int64(0), T: x.Type()}
	default:
		at = b.cast(rel.Long(0), size.Type())
	}
	return b.bin("bin_at", []rel.Expr{x, size, at}, e)
}

// setting keeps the value of a set statement, for the functions that ask for it.
func (b *binder) setting(s *syntax.Set, sc *scope) {
	if s.Value == nil {
		return
	}
	switch s.Name.Name {
	case "query_bin_auto_size", "query_bin_auto_at":
		if x := b.expr(s.Value, &env{sc: sc}); !isUnknown(x) {
			b.settings[s.Name.Name] = x
		}
	case "truncationmaxrecords":
		b.limits.Records = b.limit(s, sc)
	case "truncationmaxsize":
		b.limits.Bytes = b.limit(s, sc)
	case "query_take_max_records":
		b.limits.take = b.limit(s, sc)
	}
}

// Limits are those that set statements give a query's results; 0 is none.
type Limits struct {
	// Records and Bytes are at how many a result is cut, which its reader is told.
	Records, Bytes int64
	// take is how many records each result has at most, without a word; -1 is none.
	take int64
}

// limit gives the number of a set statement.
func (b *binder) limit(s *syntax.Set, sc *scope) int64 {
	x := b.cast(b.expr(s.Value, &env{sc: sc}), value.Long)
	if isUnknown(x) {
		return 0
	}
	k, ok := x.(*rel.Const)
	if !ok {
		b.errorf(NotConstant, s, "write a number", "the limit %s is not known when the query is compiled", s.Name.Name)
		return 0
	}
	n, _ := k.Value.(int64)
	if n <= 0 {
		b.errorf(BadLiteral, s, "write a number above zero", "%s is no limit", s.Name.Name)
		return 0
	}
	return n
}

// dataSize adds up the sizes of columns.
func (b *binder) dataSize(e *syntax.Call, en *env) rel.Expr {
	var cols []rel.Expr
	for _, a := range e.Args {
		if isStar(a.Value) {
			for _, c := range en.cols {
				cols = append(cols, &rel.Col{Name: c.Name, T: c.Type})
			}
			continue
		}
		x := b.expr(a.Value, en)
		if isUnknown(x) {
			return x
		}
		cols = append(cols, x)
	}
	fixed := int64(0)
	var sum rel.Expr
	for _, x := range cols {
		size := int64(8)
		switch x.Type() {
		case value.Bool:
			size = 1
		case value.Int:
			size = 4
		case value.GUID, value.Decimal:
			size = 16
		case value.String, value.Dynamic:
			size = 0
			text := x
			if x.Type() == value.Dynamic {
				text = call("dynamic_json", value.String, x)
			}
			part := call("string_size", value.Long, text)
			if sum == nil {
				sum = part
			} else {
				sum = call("+", value.Long, sum, part)
			}
		}
		fixed += size
	}
	if sum == nil {
		return rel.Long(fixed)
	}
	return call("+", value.Long, sum, rel.Long(fixed))
}

// columnNames gives the names of a table's columns as a constant.
func (b *binder) columnNames(e *syntax.Call, en *env) rel.Expr {
	if len(e.Args) != 1 {
		b.errorf(WrongArguments, e, "its form is column_names_of(table)", "column_names_of takes 1 argument, not %d", len(e.Args))
		return unknown()
	}
	t := b.mustTable(b.letValue(e.Args[0].Value, en.sc), e.Args[0].Value, "the argument")
	if t == nil || t.open {
		return unknown()
	}
	names := []any{}
	for _, c := range t.cols() {
		names = append(names, c.Name)
	}
	return &rel.Const{Value: value.JSON(names), T: value.Dynamic}
}
