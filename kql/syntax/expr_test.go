package syntax_test

import (
	"fmt"
	"strings"
	"testing"

	"glassward/kql/syntax"
)

// show gives an expression with every operation in parentheses, operator first.
func show(e syntax.Expr) string {
	list := func(es []syntax.Expr) string {
		parts := make([]string, len(es))
		for i, e := range es {
			parts[i] = show(e)
		}
		return strings.Join(parts, " ")
	}
	switch e := e.(type) {
	case *syntax.Name:
		return e.Name
	case *syntax.Star:
		return "*"
	case *syntax.Literal:
		return e.Kind.String() + ":" + e.Text
	case *syntax.StringLit:
		return fmt.Sprintf("%q", e.Value)
	case *syntax.Unary:
		return "(" + e.Op.String() + " " + show(e.X) + ")"
	case *syntax.Binary:
		return "(" + e.Op.String() + " " + show(e.X) + " " + show(e.Y) + ")"
	case *syntax.Membership:
		return "(" + e.Op.String() + " " + show(e.X) + " [" + list(e.List) + "])"
	case *syntax.Between:
		return fmt.Sprintf("(between %t %s %s %s)", !e.Not, show(e.X), show(e.Low), show(e.High))
	case *syntax.Paren:
		return show(e.X)
	case *syntax.Member:
		return "(. " + show(e.X) + " " + e.Name.Name + ")"
	case *syntax.Index:
		return "(at " + show(e.X) + " " + show(e.Index) + ")"
	case *syntax.Call:
		args := make([]syntax.Expr, len(e.Args))
		for i, a := range e.Args {
			args[i] = a.Value
		}
		return "(" + strings.TrimRight(show(e.Func)+" "+list(args), " ") + ")"
	case *syntax.DynamicLit:
		return "(dynamic " + show(e.Value) + ")"
	case *syntax.JSONArray:
		return "[" + list(e.Items) + "]"
	case *syntax.JSONObject:
		parts := make([]string, len(e.Fields))
		for i, f := range e.Fields {
			parts[i] = show(f.Key) + ":" + show(f.Value)
		}
		return "{" + strings.Join(parts, " ") + "}"
	case *syntax.Pipeline:
		words := []string{show(e.Source.(syntax.Expr))}
		for _, o := range e.Ops {
			words = append(words, o.Keyword())
		}
		return "(" + strings.Join(words, "|") + ")"
	case *syntax.Placeholder:
		return "{{" + e.Name + "}}"
	}
	return fmt.Sprintf("%T", e)
}

func TestExpressions(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{"a or b and c", "(or a (and b c))"},
		{"a and b or c", "(or (and a b) c)"},
		{"a or b or c", "(or (or a b) c)"},
		{"a == 1 and b != 2", "(and (== a long:1) (!= b long:2))"},
		{"a < 1 == b > 2", "(== (< a long:1) (> b long:2))"},
		{"a + b * c - d", "(- (+ a (* b c)) d)"},
		{"a - b - c", "(- (- a b) c)"},
		{"a % b / c", "(/ (% a b) c)"},
		{"a + b < c * d", "(< (+ a b) (* c d))"},
		{`a has "x" == true`, `(== (has a "x") bool:true)`},
		{`a + b contains "x"`, `(+ a (contains b "x"))`}, // string operators bind tighter than +
		{`a =~ b + c`, "(+ (=~ a b) c)"},                 // and so does =~
		{"-a.b[0]", "(- (at (. a b) long:0))"},
		{"-1 - -1", "(- (- long:1) (- long:1))"},
		{"a[-1]", "(at a (- long:1))"},
		{`a["b"].c['d']`, `(at (. (at a "b") c) "d")`},
		{`a.["b"]`, `(at a "b")`},
		{`['a b'].c`, "(. a b c)"},
		{"f(a, x=b)[0].g", "(. (at (f a b) long:0) g)"},
		{`database("d").T`, `(. (database "d") T)`},
		{`cluster("c").database("d").f(1)`, `((. ((. (cluster "c") database) "d") f) long:1)`},
		{"a in (1, 2) and b", "(and (in a [long:1 long:2]) b)"},
		{"a !in~ (T | project x)", "(!in~ a [(T|project)])"},
		{"a in~ (b)", "(in~ a [b])"},
		{"a in ()", "(in a [])"},
		{"a has_all (b) or c has_any ('x')", `(or (has_all a [b]) (has_any c ["x"]))`},
		{"a between (1 .. 5) and b !between (c .. d + 1)", "(and (between true a long:1 long:5) (between false b c (+ d long:1)))"},
		{"a between (1..5)", "(between true a long:1 long:5)"},
		{"a between (1d..5.5h)", "(between true a timespan:1d timespan:5.5h)"},
		{`a matches regex @"\d"`, `(matches regex a "\\d")`},
		{`* has "x"`, `(has * "x")`},
		{`c : "x"`, `(: c "x")`},
		{"a <> b", "(!= a b)"},
		{"0x1F + 1.5e-3 + 1e3", "(+ (+ long:0x1F real:1.5e-3) real:1e3)"},
		{"int(null)", "int:null"},
		{"long( -5 )", "long:-5"},
		{"datetime('2024-01-01')", "datetime:2024-01-01"},
		{"time(1.02:03:04)", "timespan:1.02:03:04"},
		{"bool(TRUE)", "bool:TRUE"},
		{"True", "bool:true"},
		{"count", "count"},
		{"count()", "(count)"},
		{"by + kind + on", "(+ (+ by kind) on)"},
		{"datetime", "datetime"}, // a column of that name
		{"range(1, 2)", "(range long:1 long:2)"},
		{`"a" 'b' @"c"`, `"abc"`},
		{`h"a\tb"`, `"a\tb"`},
		{`@'it''s' `, `"it's"`},
		{"```a\"b\nc```", `"a\"b\nc"`},
		{`"\u00e9\x41\101\U0001F600\ud83d\ude00"`, `"éAA😀😀"`},
		{`dynamic({"a":[1,-2,null,true,"x"],"b":datetime(2024)})`, `(dynamic {"a":[long:1 long:-2 null:null bool:true "x"] "b":datetime:2024})`},
		{"dynamic(null)", "(dynamic null:null)"},
		{"toscalar(T | count)", "(toscalar (T|count))"},
		{"iff((T | count) == 1, a, b)", "(iff (== (T|count) long:1) a b)"},
		{"{{Name}} == 1", "(== {{Name}} long:1)"},
		{"4688Events", "4688Events"}, // a name may begin with digits
		{"a\u00a0==\ufeff1", "(== a long:1)"},
	} {
		f, list := syntax.Parse("T | where " + tt.src)
		if list.HasErrors() {
			t.Errorf("%s: %v", tt.src, list)
			continue
		}
		q := f.Stmts[0].(*syntax.Query)
		if got := show(q.Body.Ops[0].(*syntax.Where).Cond); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.src, got, tt.want)
		}
	}
}

func TestSpans(t *testing.T) {
	const src = "let x = 1;\nSigninLogs // c\n| where a == 'é' and b\n| project c = d.e"
	f, list := syntax.Parse(src)
	if len(list) > 0 {
		t.Fatal(list)
	}
	q := f.Stmts[1].(*syntax.Query)
	cond := q.Body.Ops[0].(*syntax.Where).Cond.(*syntax.Binary)
	item := q.Body.Ops[1].(*syntax.Project).Items[0]
	for _, tt := range []struct {
		n    syntax.Node
		want string
	}{
		{f, src},
		{f.Stmts[0], "let x = 1"},
		{q, src[len("let x = 1;\n"):]},
		{q.Body.Source, "SigninLogs"},
		{q.Body.Ops[0], "where a == 'é' and b"},
		{cond, "a == 'é' and b"},
		{cond.X, "a == 'é'"},
		{cond.Y, "b"},
		{item, "c = d.e"},
		{item.Value, "d.e"},
	} {
		if got := tt.n.Span().In(src); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	if got := cond.OpAt.In(src); got != "and" {
		t.Errorf("operator: %q", got)
	}
	if len(f.Comments) != 1 || f.Comments[0].Text != "// c" || f.Comments[0].Own {
		t.Errorf("comments: %+v", f.Comments)
	}
}

func TestParams(t *testing.T) {
	f, list := syntax.Parse("T | join kind=leftanti hint.strategy=shuffle (U) on a | as hint.materialized=true X")
	if list.HasErrors() {
		t.Fatal(list)
	}
	ops := f.Stmts[0].(*syntax.Query).Body.Ops
	ps := ops[0].(*syntax.Join).Params
	if ps.Word("kind") != "leftanti" || ps.Word("hint.strategy") != "shuffle" || ps.Word("other") != "" || ps.Get("KIND") == nil {
		t.Error(ps)
	}
	if got := ops[1].(*syntax.As).Params.Word("hint.materialized"); got != "true" {
		t.Error(got)
	}
}
