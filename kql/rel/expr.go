package rel

import (
	"fmt"
	"strconv"
	"strings"

	"glassward/kql/value"
)

// Expr is a typed scalar expression over the columns of an operator's input.
type Expr interface {
	Type() value.Type
	String() string // KQL-like text, for people
}

// Side says which input of a join a column is of.
type Side uint8

// The sides of a join; Sole is everywhere else.
const (
	Sole Side = iota
	Left
	Right
)

type (
	// Col is a column of the input.
	Col struct {
		Name string
		T    value.Type
		Side Side
	}

	// Const is a value known when compiling: nil (a typed null), bool, int64 (int, long, datetime and
	// timespan in ticks), float64 (real), value.Dec (decimal), string (string, guid, dynamic as JSON text).
	// A string is never null.
	Const struct {
		Value any
		T     value.Type
	}

	// Param is a value given when the query runs: now, from, to (datetime), seq_from, seq_to (long).
	Param struct {
		Name string
		T    value.Type
	}

	// Call applies a function, an operator ("==", "and", "has"), an aggregate or a window function of
	// the builtin table to arguments.
	Call struct {
		Func string
		Args []Expr
		T    value.Type
	}

	// Path goes into a dynamic value by constant steps; a step that is not there gives null.
	Path struct {
		X     Expr
		Steps []Step
	}

	// InTable says whether X equals a value in the first column of a table.
	InTable struct {
		X    Expr
		Rel  Rel
		Fold bool // without regard to case
		Not  bool
	}

	// Scalar is the first column of the first row of a table, or null.
	Scalar struct {
		Rel Rel
		T   value.Type
	}
)

// Step is one step of a Path: a property by Key, or, if Key is nil, the element at Index, counted
// from the end if negative.
type Step struct {
	Key   *string
	Index int
}

// Field gives the step to a property.
func Field(key string) Step { return Step{Key: &key} }

// Element gives the step to an element of an array.
func Element(i int) Step { return Step{Index: i} }

func (e *Col) Type() value.Type     { return e.T }
func (e *Const) Type() value.Type   { return e.T }
func (e *Param) Type() value.Type   { return e.T }
func (e *Call) Type() value.Type    { return e.T }
func (e *Path) Type() value.Type    { return value.Dynamic }
func (e *InTable) Type() value.Type { return value.Bool }
func (e *Scalar) Type() value.Type  { return e.T }

func quoteName(s string) string {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c == '_' || c == '$' || c >= '0' && c <= '9' && i > 0 || c|0x20 >= 'a' && c|0x20 <= 'z') {
			return "[" + strconv.Quote(s) + "]"
		}
	}
	return s
}

// String gives the column's name, with $left or $right before it in a join.
func (e *Col) String() string {
	switch e.Side {
	case Left:
		return "$left." + quoteName(e.Name)
	case Right:
		return "$right." + quoteName(e.Name)
	}
	return quoteName(e.Name)
}

// String gives the constant as a KQL literal.
func (e *Const) String() string {
	if e.Value == nil {
		return e.T.String() + "(null)"
	}
	switch e.T {
	case value.String:
		return strconv.Quote(e.Value.(string))
	case value.DateTime:
		return "datetime(" + value.Ticks(e.Value.(int64)).String() + ")"
	case value.TimeSpan:
		return "timespan(" + value.Span(e.Value.(int64)).String() + ")"
	case value.GUID:
		return "guid(" + e.Value.(string) + ")"
	case value.Dynamic:
		return "dynamic(" + e.Value.(string) + ")"
	case value.Real:
		return "real(" + value.FormatReal(e.Value.(float64)) + ")"
	case value.Decimal:
		return "decimal(" + e.Value.(value.Dec).String() + ")"
	case value.Int:
		return fmt.Sprintf("int(%d)", e.Value)
	}
	return fmt.Sprint(e.Value)
}

// String gives the parameter as SQL names it.
func (e *Param) String() string { return "$" + e.Name }

// String gives the call; operators stand between their arguments.
func (e *Call) String() string {
	if len(e.Args) == 2 && !isWord(e.Func) {
		return "(" + e.Args[0].String() + " " + e.Func + " " + e.Args[1].String() + ")"
	}
	var b strings.Builder
	b.WriteString(e.Func)
	b.WriteByte('(')
	for i, a := range e.Args {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(a.String())
	}
	b.WriteByte(')')
	return b.String()
}

func isWord(s string) bool {
	return s != "and" && s != "or" && (s[0] == '_' || s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z')
}

// String gives the path as KQL writes it.
func (e *Path) String() string { return e.X.String() + StepsText(e.Steps) }

// StepsText gives steps as KQL writes them: .user.id, [0], ["odd name"].
func StepsText(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		switch {
		case s.Key == nil:
			fmt.Fprintf(&b, "[%d]", s.Index)
		case quoteName(*s.Key) == *s.Key && *s.Key != "":
			b.WriteByte('.')
			b.WriteString(*s.Key)
		default:
			fmt.Fprintf(&b, "[%q]", *s.Key)
		}
	}
	return b.String()
}

// String gives the membership test with its table in short.
func (e *InTable) String() string {
	op := "in"
	if e.Not {
		op = "!in"
	}
	if e.Fold {
		op += "~"
	}
	return "(" + e.X.String() + " " + op + " (" + inline(e.Rel) + "))"
}

// String gives the sub-query in short.
func (e *Scalar) String() string { return "toscalar(" + inline(e.Rel) + ")" }

// inline gives a tree on one line, source first.
func inline(r Rel) string {
	var b strings.Builder
	ins := r.Inputs()
	for i, in := range ins {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(inline(in))
	}
	if len(ins) > 0 {
		b.WriteString(" | ")
	}
	r.describe(&b)
	return b.String()
}

// MapExpr rebuilds an expression from its leaves: f is given every node with its arguments rebuilt.
// Tables within are left as they are.
func MapExpr(e Expr, f func(Expr) Expr) Expr {
	switch x := e.(type) {
	case *Call:
		args := make([]Expr, len(x.Args))
		same := true
		for i, a := range x.Args {
			args[i] = MapExpr(a, f)
			same = same && args[i] == a
		}
		if !same {
			e = &Call{x.Func, args, x.T}
		}
	case *Path:
		if y := MapExpr(x.X, f); y != x.X {
			e = &Path{y, x.Steps}
		}
	case *InTable:
		if y := MapExpr(x.X, f); y != x.X {
			e = &InTable{y, x.Rel, x.Fold, x.Not}
		}
	}
	return f(e)
}

// WalkExpr calls f for e and every expression within, outermost first. Tables within are not entered.
func WalkExpr(e Expr, f func(Expr)) {
	f(e)
	switch e := e.(type) {
	case *Call:
		for _, a := range e.Args {
			WalkExpr(a, f)
		}
	case *Path:
		WalkExpr(e.X, f)
	case *InTable:
		WalkExpr(e.X, f)
	}
}

// Conjuncts splits a condition at its top-level ands.
func Conjuncts(e Expr) []Expr { return split(nil, e, "and") }

// Disjuncts splits a condition at its top-level ors.
func Disjuncts(e Expr) []Expr { return split(nil, e, "or") }

func split(out []Expr, e Expr, op string) []Expr {
	if c, ok := e.(*Call); ok && c.Func == op {
		for _, a := range c.Args {
			out = split(out, a, op)
		}
		return out
	}
	return append(out, e)
}

// Bool gives a constant condition.
func Bool(v bool) *Const { return &Const{v, value.Bool} }

// Text constant of type string.
func Str(s string) *Const { return &Const{s, value.String} }

// Long gives a constant of type long.
func Long(n int64) *Const { return &Const{n, value.Long} }

// Null gives the null of a type; for string, which has none, the empty string.
func Null(t value.Type) *Const {
	if t == value.String {
		return Str("")
	}
	return &Const{nil, t}
}
