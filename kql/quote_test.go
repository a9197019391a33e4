package kql_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/sqlgen"
	"glassward/kql/value"
)

// quotedQueries have the words ID for a name and LIT for a text wherever a query may hold one.
var quotedQueries = []string{
	`print ['ID'] = 'LIT', x = dynamic({"LIT": ["LIT"]})['LIT'][0], y = strcat('LIT', 'LIT')`,
	`datatable(['ID']:string, n:long)['LIT', 1, 'other', 2] | extend ['more ID'] = strcat(['ID'], 'LIT') | where ['ID'] == 'LIT' or ['more ID'] != 'LIT' | project ['ID'], ['more ID'], n`,
	`S | where u has 'LIT' or u has_cs 'LIT' or u contains 'LIT' or u startswith 'LIT' or u =~ 'LIT' or u in ('LIT', 'x') or u in~ ('LIT', 'y') or u !contains_cs 'LIT' | project ['ID'] = u | sort by ['ID'] asc`,
	`S | extend ['ID'] = d['LIT'], q = tostring(d['LIT']['LIT']), w = d['LIT'].x == 'LIT' | where tostring(['ID']) in ('LIT', 'z')`,
	`S | mv-expand ['ID'] = d['LIT'] | where ['ID'].LITTLE == 'LIT' | summarize ['n ID'] = count(), make_set(['ID']), arg_max(t, *) by u, ['k ID'] = tostring(['ID'])`,
	`S | project ['ID'] = u, t | join kind=leftouter (S | project ['ID'] = u, ['r ID'] = d) on ['ID'] | project-rename z = ['r ID'] | project-away t`,
	`S | project ['ID'] = u, t | union withsource=src (S | project ['ID'] = u) | where src == 'LIT' or ['ID'] == 'LIT'`,
	`S | extend b = bag_pack('LIT', u, 'k', 'LIT'), p = pack_array('LIT', u), r = replace_string(u, 'LIT', 'LIT'), s = split(u, 'LIT'), c = case(u == 'LIT', 'LIT', 'LIT'), i = iff(u == 'LIT', 'LIT', ''), f = coalesce(u, 'LIT'), g = indexof(u, 'LIT'), tr = trim_start('x', 'LIT')`,
	`S | parse u with 'LIT' ['ID'] 'LIT' * | where ['ID'] == 'LIT' | project ['ID']`,
	`S | sort by t asc | extend ['ID'] = prev(u, 1, 'LIT') | where row_number() > 0 and ['ID'] != 'LIT'`,
	`S | make-series ['ID'] = count() on t from ago(2d) to now() step 1d by ['k ID'] = u`,
	`let ['ID'] = 'LIT'; S | where u == ['ID'] | summarize by ['x ID'] = ['ID']`,
	`S | mv-apply ['ID'] = d on (where ['ID'] == 'LIT' | summarize n = count() by q = tostring(['ID']))`,
	`S | where u in ((S | where u == 'LIT' | project ['ID'] = u)) and u has_any ('LIT', 'LIT') | top 3 by u`,
	`S | where u has_any ('aLITa', 'bLITb', 'c', 'd', 'eLIT.LITe', 'f', 'g', 'h') | extend n = tostring(d.LIT) has_any ('aLITa', 'b', 'c', 'd', 'e', 'f', 'g', 'h')`,
}

// asKQL writes a text as the inside of a KQL literal in single quotes.
func asKQL(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\'' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == 0:
			b.WriteString(`\u0000`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// asJSON writes a text as the inside of a JSON string.
func asJSON(s string) string {
	q := value.JSON(s)
	return q[1 : len(q)-1]
}

func fill(query, id, lit string) string {
	query = strings.ReplaceAll(query, `{"LIT": ["LIT"]}`, `{"`+asJSON(lit)+`": ["`+asJSON(lit)+`"]}`)
	query = strings.NewReplacer("'LIT'", "'"+asKQL(lit)+"'").Replace(query)
	return strings.ReplaceAll(query, "ID']", asKQL(id)+"']")
}

// shape gives what a statement does, as the engine's own parser reads it: how often each kind of expression and
// table stands in it, each function and each stored table. Names of columns and constants are left out, and how a
// text with a NUL is put together. It gives "" for text that is not one SELECT.
func (e *engine) shape(t testing.TB, sql string) string {
	var tree string
	if err := e.conn.QueryRowContext(context.Background(), "SELECT json_serialize_sql(?::VARCHAR)::VARCHAR", sql).Scan(&tree); err != nil {
		t.Log(err)
		return ""
	}
	var root map[string]any
	if err := json.Unmarshal([]byte(tree), &root); err != nil {
		t.Fatal(err)
	}
	if failed, _ := root["error"].(bool); failed {
		return ""
	}
	if statements, _ := root["statements"].([]any); len(statements) != 1 {
		return ""
	}
	n := map[string]int{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			if f, ok := v["function_name"].(string); ok && f != "||" && f != "chr" {
				n["function "+f]++
			}
			kind, _ := v["type"].(string)
			if kind == "BASE_TABLE" {
				name, _ := v["table_name"].(string)
				schema, _ := v["schema_name"].(string)
				catalog, _ := v["catalog_name"].(string)
				n["table "+catalog+"."+schema+"."+name]++
			}
			if kind != "" && kind != "ORDER_MODIFIER" && v["class"] != "CONSTANT" && v["class"] != "FUNCTION" {
				n["kind "+kind]++
			}
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(root["statements"])
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(n)) {
		b.WriteString(k)
		b.WriteString(strings.Repeat(" *", n[k]))
		b.WriteByte('\n')
	}
	return b.String()
}

var quoteCatalog = tables{"S": {Name: "S", Columns: []rel.Column{
	{Name: "u", Type: value.String}, {Name: "t", Type: value.DateTime}, {Name: "d", Type: value.Dynamic}, {Name: "TimeGenerated", Type: value.DateTime}, {Name: "_ItemId", Type: value.GUID},
}}}

// checkQuoting compiles query i with a name and a text, and compares the shape of the SQL with that for plain
// ones, before the rewrites, which look at what a text is. It says whether it compiled.
func checkQuoting(t testing.TB, e *engine, i int, id, lit string) bool {
	q := quotedQueries[i]
	p, diags := kql.Compile(fill(q, id, lit), kql.Options{Catalog: quoteCatalog, Lineage: true, Window: kql.ByTime})
	if p == nil {
		if id == lit && !strings.ContainsAny(id, "\x00\x7f\x1b") {
			t.Logf("%s: %v", fill(q, id, lit), diags.Err())
		}
		return false
	}
	if e.shape(t, p.SQL) == "" {
		t.Fatalf("the engine does not read the SQL of %s:\n%s", fill(q, id, lit), p.SQL)
	}
	sql := func(id, lit string) string {
		s := sample{query: fill(q, id, lit), catalog: quoteCatalog}
		out, err := sqlgen.DuckDB(rel.Lineage(s.tree()), sqlgen.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return out.SQL
	}
	got, want := e.shape(t, sql(id, lit)), e.shape(t, sql("plain", "plain"))
	if got != want && lit != "" {
		t.Fatalf("query %d with the name %q and the text %q is another statement:\n%s\nit has\n%s\nthe plain one has\n%s", i, id, lit, sql(id, lit), got, want)
	}
	return true
}

// TestQuoting holds that names and texts of a query stay names and texts in SQL, and come out as they went in.
func TestQuoting(t *testing.T) {
	e := newSmallEngine(t)
	e.create(t, quoteCatalog["S"], nil)
	for _, s := range []string{
		"plain two", "'", `"`, `''`, `""`, "x' OR '1'='1", `x" FROM "S`, "a\nb", "a\r\nb", "a\x00b", "\x00", `\`, `\'`, `\\'`, `E'\''`, "$now", "$1", "?", "--", "/*", "*/", ";", "; DROP TABLE S",
		"SELECT", "select", "from", "NULL", "read_csv('x')", "\u2028", "\u00ad", "\u202e", "Ünïcödé", "\U0001F600", "a\u0301", "%s", "{{x}}", "$$", "$tag$x$tag$", "{\"a\":1}", "]", "['", "\t", "\x7f", "\x1b[31m", "[*]", "$.a", "a.b", `a"b.c`, strings.Repeat("x", 5000), strings.Repeat("'", 300),
	} {
		for i := range quotedQueries {
			if !checkQuoting(t, e, i, s, s) {
				t.Errorf("%q: query %d does not compile", s, i)
			}
		}
		p, diags := kql.Compile("print ['"+asKQL("n"+s)+"'] = '"+asKQL(s)+"', y = tostring(dynamic({\""+asJSON(s)+"\": \""+asJSON(s)+"\"})['"+asKQL(s)+"'])", kql.Options{})
		if p == nil {
			t.Errorf("%q: %v", s, diags.Err())
			continue
		}
		r, err := e.run(p, kql.Bind{})
		if err != nil {
			t.Errorf("%q: %v\n%s", s, err, p.SQL)
			continue
		}
		if r.Rows[0][0] != s || r.Rows[0][1] != s {
			t.Errorf("%q came out as %q\n%s", s, r.Rows[0], p.SQL)
		}
	}
}

// FuzzQuoting is TestQuoting for whatever a machine thinks of.
func FuzzQuoting(f *testing.F) {
	for i := range quotedQueries {
		f.Add("id", "text", uint8(i))
		f.Add(`a"b`, "a'b", uint8(i))
		f.Add("a\nb", "a\\", uint8(i))
		f.Add("\x00", "\x00'", uint8(i))
	}
	e := newSmallEngine(f)
	e.create(f, quoteCatalog["S"], nil)
	f.Fuzz(func(t *testing.T, id, lit string, which uint8) {
		if !utf8.ValidString(id) || !utf8.ValidString(lit) || len(id) > 1000 || len(lit) > 1000 {
			return
		}
		// A plain name may be that of a column, and a plain text one that the query has anyway: another statement.
		checkQuoting(t, e, int(which)%len(quotedQueries), unlike("name", id), unlike("text", lit))
	})
}

// unlike makes a text of letters and digits alone one that no other is like.
func unlike(before, s string) string {
	for _, r := range s {
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return s
		}
	}
	return before + " " + s
}
