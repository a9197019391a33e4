package syntax_test

import (
	"fmt"
	"strings"
	"testing"

	"glassward/kql/diag"
	"glassward/kql/syntax"
)

// TestParseFunctions holds what files of stored functions declare.
func TestParseFunctions(t *testing.T) {
	cases := []struct{ name, src, want string }{
		{"command", ".create-or-alter function with (docstring=\"Signs in\", folder='x') Of(user:string, span:timespan = 1d) {\n SigninLogs | where UserId == user }",
			"Of(user:string, span:timespan = 1d) -- Signs in"},
		{"two commands", ".create function ifnotexists A() { print 1 }\n\n.alter function B(T:(*)) { T | count }", "A()\nB(T:(*))"},
		{"definitions", "let A = (x:long) { x + 1 };\nlet B = 5;\n// end", "A(x:long)\nB = 5"},
		{"body", "let d = 1d;\nSigninLogs | where TimeGenerated > ago(d)", "()"},
		{"saved", "// functionAlias: Guests\n// functionParameters: domain:string = \"a.example\", since:timespan=1d\nSigninLogs | where UserPrincipalName endswith domain",
			"Guests(domain:string = \"a.example\", since:timespan = 1d)"},
		{"declared", "declare query_parameters(u:string);\nSigninLogs | where UserId == u", "(u:string)"},
		{"no command", ".drop function A", "1:1 the management command .drop does not define a function"},
		{"no function", ".create table A (x:long)", "1:1 only functions can be stored, found .create table"},
		{"parameter", "// functionParameters: domain = 3\nprint 1", "1:31 expected : and a type after domain, found ="},
		{"no result", "// functionParameters: a:long\nlet x = 1;", "1:1 the function has no result"},
		{"second result", "print 1; print 2", "1:10 the file has a second result"},
	}
	for _, c := range cases {
		list, diags := syntax.ParseFunctions(c.src)
		var got []string
		for _, d := range diags {
			at := diag.Locate(c.src, d.Span.Start)
			got = append(got, fmt.Sprintf("%d:%d %s", at.Line, at.Column, d.Message))
		}
		if len(diags) == 0 {
			for _, f := range list {
				line := f.Name.Name
				if fn, ok := f.Value.(*syntax.FuncLit); ok {
					var ps []string
					for _, p := range fn.Params {
						ps = append(ps, strings.ReplaceAll(p.Span().In(c.src), "timespan=", "timespan = "))
					}
					line += "(" + strings.Join(ps, ", ") + ")"
				} else {
					line += " = " + f.Value.Span().In(c.src)
				}
				if f.Doc != "" {
					line += " -- " + f.Doc
				}
				got = append(got, line)
			}
		}
		if text := strings.Join(got, "\n"); text != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, text, c.want)
		}
	}
}
