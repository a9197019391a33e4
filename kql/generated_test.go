package kql_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"glassward/kql/rel"
	"glassward/kql/value"
)

// generated makes up queries over two tables whose records are chosen to be awkward: texts that differ in case
// only, letters whose lower case is longer or of another alphabet, numbers and truth values within JSON, ids in
// braces, nulls and empty texts, arrays of arrays. KQLGENERATED gives another number of them.
func generated(t testing.TB, n int) []sample {
	t.Helper()
	switch want := os.Getenv("KQLPROVE"); {
	case want == "all":
		n *= 10
	case want != "" && !strings.Contains("generated", want):
		return nil
	}
	own := []rel.Column{{Name: "TimeGenerated", Type: value.DateTime}, {Name: "s", Type: value.String}, {Name: "u", Type: value.String}, {Name: "n", Type: value.Long}, {Name: "b", Type: value.Bool}, {Name: "r", Type: value.Real}, {Name: "d", Type: value.Dynamic}, {Name: "l", Type: value.Dynamic}, {Name: "g", Type: value.GUID}, {Name: rel.ItemColumn, Type: value.GUID}}
	var out []sample
	for i := range n {
		g := &generator{rand.New(rand.NewPCG(uint64(i), 77))}
		s := sample{name: fmt.Sprintf("generated %d", i), catalog: tables{}, rows: map[string][][]any{}}
		for _, name := range []string{"A", "B"} {
			s.catalog[name] = &rel.Table{Name: name, Columns: own}
			for range 14 {
				s.rows[name] = append(s.rows[name], g.record())
			}
		}
		s.query = g.query()
		out = append(out, s)
	}
	return out
}

type generator struct{ *rand.Rand }

func (g *generator) of(s ...string) string { return s[g.IntN(len(s))] }

var awkward = []string{"a", "A", "ab", "AB", "aaaa-1", "AAAA-1", "", "1", "1.0", "50", "1E-05", "true", "True", "\u0130x", "ix", "\u212A1", "k1", "\u017Fs", "ss", "\u00dfs", "a b", "a.b", "a\"b", "a\\b", "a\nb", "aaaaaaaa-0000-0000-0000-000000000001", "{AAAAAAAA-0000-0000-0000-000000000001}", "aaaaaaaa000000000000000000000001", "%_", "'"}

func (g *generator) text() string { return awkward[g.IntN(len(awkward))] }

func (g *generator) json(depth int) any {
	switch g.IntN(9) {
	case 0:
		return nil
	case 1:
		return []any{int64(1), int64(50), 0.00001, 1.0, 5e15, true, false}[g.IntN(7)]
	case 2, 3, 4:
		if depth < 3 {
			o := &value.Object{}
			for _, k := range []string{"id", "x", "odd name", "A"} {
				if g.IntN(3) > 0 {
					o.Set(k, g.json(depth+1))
				}
			}
			return o
		}
	case 5:
		if depth < 3 {
			l := []any{}
			for range g.IntN(3) {
				l = append(l, g.json(depth+1))
			}
			return l
		}
	}
	return g.text()
}

func (g *generator) record() []any {
	now, _ := value.ParseDateTime(testNow)
	var d any = value.JSON(g.json(0))
	if g.IntN(6) == 0 {
		d = nil
	}
	list := []any{}
	for range g.IntN(4) {
		list = append(list, g.json(1))
	}
	row := []any{int64(now) - int64(g.IntN(50))*int64(value.Hour), g.text(), g.text(), any(int64(g.IntN(4))), g.IntN(2) == 0, float64(g.IntN(4)) / 2, d, value.JSON(list), fmt.Sprintf("aaaaaaaa-0000-0000-0000-%012d", g.IntN(3)), nil}
	if g.IntN(6) == 0 {
		row[3] = nil
	}
	return row
}

func quotedText(s string) string { return strings.ReplaceAll(value.JSON(s), `\u`, `\u`) }

func (g *generator) literal() string { return quotedText(g.text()) }

// term gives an expression of type string, mostly.
func (g *generator) term() string {
	return g.of("s", "u", "s", "u", "tostring(d.id)", "tostring(d.x.id)", "d.id", "d.x", "tostring(l[0].id)", "l[0]", "tostring(l[0])", "tolower(s)", "tostring(g)", "tostring(d)", "d['odd name']", "tostring(d.id.x)", "strcat(s, u)", "tostring(n)", "tolower(tostring(d.id))", "toupper(u)")
}

func (g *generator) condition(depth int) string {
	if depth < 2 && g.IntN(3) == 0 {
		return "(" + g.condition(depth+1) + " " + g.of("and", "or") + " " + g.condition(depth+1) + ")"
	}
	switch g.IntN(14) {
	case 0, 1, 2:
		return g.term() + " == " + g.literal()
	case 3:
		return g.term() + " =~ " + g.literal()
	case 4:
		return g.term() + g.of(" in (", " in~ (", " !in (") + g.literal() + ", " + g.literal() + ")"
	case 5, 6:
		return g.of("s", "u", "tostring(d.id)", "tostring(d)", "tostring(l)", "tolower(s)", "d.id", "d", "tostring(l[0].id)") + g.of(" has ", " contains ", " contains_cs ", " has_cs ", " startswith ", " endswith ", " hasprefix ", " hassuffix ", " startswith_cs ", " !contains ") + g.literal()
	case 7:
		return "n " + g.of("==", "!=", "<", ">=") + " " + g.of("0", "1", "2", "long(null)")
	case 8:
		return g.of("b", "not(b)", "isempty(s)", "isnotempty(tostring(d.id))", "isnull(n)", "b == true")
	case 9:
		return "iff(" + g.condition(2) + ", 1, 0) == " + g.of("1", "0")
	case 10:
		return "toguid(" + g.of("s", "d.id", "u", "l[0].id") + ") == guid(aaaaaaaa-0000-0000-0000-000000000001)"
	case 11:
		return "g == guid(aaaaaaaa-0000-0000-0000-000000000001)"
	case 12:
		return g.term() + " != " + g.literal()
	}
	return "TimeGenerated > ago(" + g.of("1d", "10h", "40h") + ")"
}

// query makes a pipeline whose columns are the table's own, save where a step near the end changes them.
func (g *generator) query() string {
	var b strings.Builder
	pipe := func(n int) string {
		var b strings.Builder
		b.WriteString(g.of("A", "B"))
		for range n {
			switch g.IntN(9) {
			case 0, 1, 2:
				b.WriteString(" | where " + g.condition(0))
			case 3, 4:
				b.WriteString(" | mv-expand " + g.of("l", "d", "l to typeof(string)", "l to typeof(guid)", "with_itemindex=i l", "e = l", "l, d", "bagexpansion=array d", "l limit 1"))
			case 5:
				b.WriteString(" | extend s = " + g.term() + ", q = " + g.of("n + 1", "strlen(u)", "r * 2"))
				b.WriteString(" | extend s = tostring(s)")
			case 6:
				b.WriteString(" | " + g.of("project-rename w = s | project-rename s = u | project-rename u = w", "sort by s asc, _ItemId asc", "project-away r", "extend d = pack_dictionary('id', s, 'x', d) ", "extend r = 1.5", "extend l = pack_array(s, d)", "extend u = s, s = u"))
			case 7:
				b.WriteString(" | where " + g.term() + " in ((" + g.of("A", "B") + " | where " + g.condition(1) + " | project s))")
			case 8:
				b.WriteString(" | mv-apply e = l on (where " + g.of("tostring(e.id) == ", "e == ", "tostring(e) has ") + g.literal() + ")")
			}
		}
		return b.String()
	}
	b.WriteString(pipe(1 + g.IntN(4)))
	switch g.IntN(7) {
	case 0:
		b.WriteString(" | join kind=" + g.of("inner", "leftouter", "rightouter", "fullouter", "leftsemi", "leftanti", "rightsemi", "rightanti") + " (" + pipe(1+g.IntN(2)) + ") on " + g.of("s", "n", "g", "$left.s == $right.u"))
	case 1:
		b.WriteString(" | union (" + pipe(2) + ") | where " + g.condition(0))
	}
	if g.IntN(2) == 0 {
		b.WriteString(" | where " + g.condition(0))
	}
	switch g.IntN(8) {
	case 0, 1:
		b.WriteString(" | summarize c = count(), m = max(n), k = dcount(u) by " + g.of("s", "n", "tostring(d.id)", "bin(TimeGenerated, 1d)", "s, u"))
		if g.IntN(2) == 0 {
			b.WriteString(" | where c > 1")
		}
	case 2:
		b.WriteString(" | summarize c = count(), x = sum(n)")
	case 3:
		b.WriteString(" | distinct s, n")
	case 4:
		b.WriteString(" | top 3 by " + g.of("n desc, s asc, u asc, TimeGenerated asc, _ItemId asc", "s asc, TimeGenerated asc, _ItemId asc"))
	case 5:
		b.WriteString(" | project s, n, d")
	}
	return b.String()
}
