package kql_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"glassward/kql"
	"glassward/kql/eval"
)

// A long list of terms is searched in another way than a short one, and finds the same.
func TestManyTerms(t *testing.T) {
	subjects := []string{
		"", "a", "ab", "a b", "A.B", "xa", "ax", "a-x", "-a-", "a1", "1a", "Zoë", "zoË went", "ΣΑΣ", "σας", "İstanbul", "straße 7", "x\ny", "a\n", "\na", "日本 語", "日本語",
		"e0000000-0000-4000-8000-000000000001", "xe0000000-0000-4000-8000-000000000001", `{"id":"E0000000-0000-4000-8000-000000000001"}`, "(a.b)", "a.b)", "[x]", "a|b", "$", "^a", "a$", `\d`, "7", "_a_", "é", "e\u0301", "½", "a½", "²", "a²",
	}
	terms := []string{"a", "b", "A b", "zoë", "σας", "ς", "i", "straße", "x", "y", "\n", "日本", "語", "e0000000-0000-4000-8000-000000000001", "(a", "b)", "[x]", "|", "a|b", "$", "^", ".", `\d`, `\`, "7", "_", "a_", "é", "½", "²", "-", "a-", "-a", "x]"}
	e := newEngine(t)
	var rows, columns []string
	for i, s := range subjects {
		rows = append(rows, fmt.Sprintf("%d, '%s'", i, asKQL(s)))
	}
	for i, term := range terms {
		columns = append(columns, fmt.Sprintf("t%d = s has_any ('%s', 'q1', 'q2', 'q3', '(q4', 'q5)', '(q6)', 'q7')", i, asKQL(term)))
	}
	query := "datatable(n:long, s:string)[" + strings.Join(rows, ", ") + "] | extend " + strings.Join(columns, ", ")
	for _, few := range []bool{false, true} {
		p, diags := kql.Compile(query, kql.Options{Few: few})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		got, err := e.run(p, kql.Bind{})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Rows) != len(subjects) {
			t.Fatalf("%d rows of %d", len(got.Rows), len(subjects))
		}
		for _, row := range got.Rows {
			s := subjects[row[0].(int64)]
			for i, term := range terms {
				if want := eval.Has(s, term, false, true, true); row[2+i] != want {
					t.Errorf("%q has %q: %v, want %v (for few: %v)", s, term, row[2+i], want, few)
				}
			}
		}
	}
}

// What the operator has finds in a text is never refused in any way of writing that text as JSON.
func TestMayHave(t *testing.T) {
	around := []string{"", " ", "-", "a", "7", "é", "–", "\n", "\t", `"`, `\`, "/", "日", "😀", "{", "\u00a0"}
	plain := func(r rune) string {
		switch r {
		case '"', '\\':
			return `\` + string(r)
		case '\n':
			return `\n`
		case '\t':
			return `\t`
		}
		return string(r)
	}
	escaped := func(r rune) string {
		var out string
		for _, u := range utf16.Encode([]rune{r}) {
			out += fmt.Sprintf(`\u%04X`, u)
		}
		return out
	}
	found, refused := 0, 0
	for _, term := range []string{"c1", "-c1", "c1.", "e0000000-0000-4000-8000-000000000001", "日本", "Global Administrator"} {
		for _, before := range around {
			for _, after := range around {
				for _, far := range around {
					text := far + before + term + after + far
					has := eval.Has(text, term, false, true, true)
					for _, write := range []func(rune) string{plain, escaped} {
						spell := func(text string) (out string) {
							for _, r := range text {
								out += write(r)
							}
							return out
						}
						raw := `{"id":"` + spell(far+before) + term + spell(after+far)
						may := kql.MayHave(strings.ToLower(raw+`"}`), strings.ToLower(term))
						if has {
							found++
						}
						if !may {
							refused++
						}
						if has && !may {
							t.Errorf("%q has %q, and it is refused in %s", text, term, raw)
						}
					}
				}
			}
		}
	}
	if found == 0 || refused == 0 {
		t.Errorf("%d found, %d refused: one of them was not tried", found, refused)
	}
}
