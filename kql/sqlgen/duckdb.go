// Package sqlgen writes a relational tree as SQL. The dialect is DuckDB's; another dialect is another
// file beside duckdb.go.
//
// The SQL is a chain of common table expressions, one an operator, in the order of the query. Literals
// stand in it quoted; what is known only when the query runs stands as $now, $from, $to, $seq_from and
// $seq_to. It never names a file, a network function or a setting.
//
// Values are held as package value describes: a string is never NULL, a datetime and a timespan are
// ticks in a BIGINT, a dynamic value is JSON text or NULL, a decimal the text of a value.Dec or NULL.
// Functions that SQL cannot say are scalar
// functions of package eval, whose names begin with kql_.
package sqlgen

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"glassward/kql/rel"
	"glassward/kql/value"
)

// Query is SQL text and what it refers to.
type Query struct {
	SQL    string
	Params []string // of now, from, to, seq_from, seq_to, sorted
}

// maxSQL bounds the text that a query may become.
const maxSQL = 4 << 20

// ErrTooLarge says that a query grows beyond what is compiled.
var ErrTooLarge = errors.New("the query grows beyond what can be compiled")

// Options say how SQL is written.
type Options struct {
	// Few says that the query reads few rows, so that planning it is what it costs: conditions are written
	// short, not in the form that reads many rows fast.
	Few bool
}

// DuckDB writes a tree as SQL for DuckDB.
func DuckDB(r rel.Rel, o Options) (q *Query, err error) {
	g := &gen{few: o.Few, names: map[rel.Rel]string{}, params: map[string]bool{}}
	defer func() {
		if p := recover(); p != nil {
			f, ok := p.(failure)
			if !ok {
				panic(p)
			}
			err = f.err
		}
	}()
	body := g.result(r)
	var b strings.Builder
	if len(g.ctes) > 0 {
		b.WriteString("WITH\n")
		for i, c := range g.ctes {
			if i > 0 {
				b.WriteString(",\n")
			}
			b.WriteString(c.name)
			if c.shared {
				b.WriteString(" AS MATERIALIZED (\n  ")
			} else {
				b.WriteString(" AS NOT MATERIALIZED (\n  ")
			}
			b.WriteString(strings.ReplaceAll(c.body, "\n", "\n  "))
			b.WriteString("\n)")
		}
		b.WriteByte('\n')
	}
	b.WriteString(body)
	q = &Query{SQL: b.String()}
	for p := range g.params {
		q.Params = append(q.Params, p)
	}
	slices.Sort(q.Params)
	return q, nil
}

// failure carries an error out of the recursion.
type failure struct{ err error }

type cte struct {
	name, body string
	shared     bool
}

type gen struct {
	few    bool
	ctes   []cte
	names  map[rel.Rel]string
	params map[string]bool
	size   int
}

func (g *gen) fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func (g *gen) grow(s string) string {
	if g.size += len(s); g.size > maxSQL {
		panic(failure{ErrTooLarge})
	}
	return s
}

// from gives the name of the common table expression that holds a node, written on first use.
func (g *gen) from(r rel.Rel) string {
	if n, ok := g.names[r]; ok {
		return n
	}
	kind, shared := "t", false
	body := ""
	switch n := r.(type) {
	case *rel.Shared:
		kind, shared = "shared", true
		body = "SELECT * FROM " + g.from(n.In)
	default:
		kind, body = g.body(r)
	}
	name := kind + "_" + strconv.Itoa(len(g.ctes)+1)
	g.ctes = append(g.ctes, cte{name, g.grow(body), shared})
	g.names[r] = name
	return name
}

// body gives the SELECT of a node and the word that its name begins with.
func (g *gen) body(r rel.Rel) (string, string) {
	switch n := r.(type) {
	case *rel.Scan:
		return "scan", g.scan(n)
	case *rel.Values:
		return "values", g.values(n)
	case *rel.Series:
		return "range", g.series(n)
	case *rel.Filter:
		return "filter", g.filter(n)
	case *rel.Project:
		return "project", g.project(n)
	case *rel.Aggregate:
		return "aggregate", g.aggregate(n)
	case *rel.Sort:
		return "sort", g.sort(n)
	case *rel.Limit:
		return "limit", g.limit(n)
	case *rel.Union:
		return "union", g.union(n)
	case *rel.Join:
		return "join", g.join(n)
	case *rel.Expand:
		return "expand", g.expand(n)
	case *rel.MakeSeries:
		return "series", g.makeSeries(n)
	case *rel.Steps:
		return "scan", g.steps(n)
	case *rel.Shared:
		return "shared", "SELECT * FROM " + g.from(n)
	}
	g.fail("no SQL for %T", r)
	return "", ""
}

// result writes the statement that gives the rows: the root's own SELECT, with the hidden column of
// lineage made into a list of texts and a flag, and decimals into the texts that people read.
func (g *gen) result(r rel.Rel) string {
	cols := r.Columns()
	ids := idents(cols)
	lineage, decimals := false, false
	var out []string
	for _, c := range cols {
		if c.Name == rel.LineageColumn && c.Type == value.Unknown {
			lineage = true
		} else {
			id := ids[c.Name]
			if c.Type == value.Decimal { // people get the number as they write it
				id = "kql_decimal_text(" + id + ") AS " + id
				decimals = true
			}
			out = append(out, id)
		}
	}
	if len(cols) == 0 { // SQL has no row without a column: who runs it leaves the cell out
		return g.grow("SELECT 1 AS \"$one\"\nFROM " + g.from(r))
	}
	if !lineage && !decimals {
		_, body := g.body(r)
		return g.grow(body)
	}
	in := r
	s, sorted := r.(*rel.Sort)
	if sorted {
		in = s.In
	}
	name, order := g.from(in), ""
	if sorted {
		// An order at the top is stated once more, so that it holds for the statement itself.
		order = "\nORDER BY " + g.orderBy(s.Keys, s.In.Columns(), name)
	}
	if lineage {
		l := ids[rel.LineageColumn]
		out = append(out, "list_slice("+l+", 1, 1000)::VARCHAR[] AS \"$lineage\"", "coalesce(len("+l+") > 1000, false) AS \"$lineage_overflow\"")
	}
	return "SELECT " + strings.Join(out, ", ") + "\nFROM " + name + order
}

// idents gives each column its SQL name. DuckDB's names disregard case, Kusto's do not: a name that is
// there in other case gets a number. No name is empty in SQL.
func idents(cols []rel.Column) map[string]string {
	m := make(map[string]string, len(cols))
	used := make(map[string]bool, len(cols))
	for _, c := range cols {
		n := cmp.Or(clean(c.Name), "$empty")
		base := n
		for i := 2; used[strings.ToLower(n)]; i++ {
			n = base + "__" + strconv.Itoa(i)
		}
		used[strings.ToLower(n)] = true
		m[c.Name] = quote(n)
	}
	return m
}

// quote gives an identifier.
func quote(name string) string {
	return `"` + strings.ReplaceAll(clean(name), `"`, `""`) + `"`
}

// clean gives a name without what cannot stand in SQL, or would break its lines.
func clean(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case 0, '\n', '\r':
			return utf8.RuneError
		}
		return r
	}, name)
}

// text gives a string literal. A NUL cannot stand in SQL text.
func text(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		var parts []string
		for i, part := range strings.Split(s, "\x00") {
			if i > 0 {
				parts = append(parts, "chr(0)")
			}
			parts = append(parts, text(part))
		}
		return "(" + concat(parts) + ")"
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "'", "''")
	if strings.ContainsAny(s, "\n\r") {
		// The SQL is laid out in lines; those of a text are escaped.
		return "E'" + strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(s) + "'"
	}
	return "'" + s + "'"
}

func sqlType(t value.Type) string {
	switch t {
	case value.Bool:
		return "BOOLEAN"
	case value.Int:
		return "INTEGER"
	case value.Long, value.DateTime, value.TimeSpan:
		return "BIGINT"
	case value.Real:
		return "DOUBLE"
	case value.GUID:
		return "UUID"
	}
	return "VARCHAR"
}

func (g *gen) scan(n *rel.Scan) string {
	ids := make([]string, len(n.Cols))
	for i, c := range n.Cols {
		ids[i] = quote(c.Name)
	}
	if len(ids) == 0 {
		ids = []string{"1 AS \"$one\""}
	}
	return "SELECT " + strings.Join(ids, ", ") + "\nFROM " + quote(n.Table.Name)
}

func (g *gen) values(n *rel.Values) string {
	ids := idents(n.Cols)
	x := &exprs{g: g}
	if len(n.Cols) == 0 {
		return "SELECT 1 AS \"$one\""
	}
	if len(n.Rows) == 1 {
		parts := make([]string, len(n.Cols))
		for i, c := range n.Cols {
			parts[i] = x.typed(n.Rows[0][i], c.Type) + " AS " + ids[c.Name]
		}
		return "SELECT " + strings.Join(parts, ", ")
	}
	if sql := lists(n, ids); sql != "" {
		return sql
	}
	var b strings.Builder
	b.WriteString("SELECT ")
	if len(n.Rows) == 0 {
		for i, c := range n.Cols {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString("NULL::" + sqlType(c.Type) + " AS " + ids[c.Name])
		}
		b.WriteString(" WHERE false")
		return b.String()
	}
	for i, c := range n.Cols {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "c%d::%s AS %s", i, sqlType(c.Type), ids[c.Name])
	}
	b.WriteString("\nFROM (VALUES")
	for i, r := range n.Rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n  (")
		for j, e := range r {
			if j > 0 {
				b.WriteString(", ")
			}
			b.WriteString(g.grow(x.bare(e)))
		}
		b.WriteByte(')')
	}
	b.WriteString("\n) AS v(")
	for i := range n.Cols {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "c%d", i)
	}
	b.WriteByte(')')
	return b.String()
}

// manyRows is how many rows of constants are written as lists.
const manyRows = 32

// listMark stands between the elements of a list of texts.
const listMark = "\x1f"

// lists writes a large table of texts as one text a column, which the engine divides: planning a query takes longer
// by every constant in it, and a watchlist has thousands. It gives "" for any other table.
func lists(n *rel.Values, ids map[string]string) string {
	if len(n.Rows) < manyRows {
		return ""
	}
	cells := make([]string, len(n.Rows))
	parts := make([]string, len(n.Cols))
	for i, c := range n.Cols {
		for k, row := range n.Rows {
			cell, ok := row[i].(*rel.Const)
			if !ok || cell.T != value.String {
				return ""
			}
			s, ok := cell.Value.(string)
			if !ok || strings.ContainsAny(s, listMark+"\x00") {
				return ""
			}
			cells[k] = s
		}
		parts[i] = "unnest(string_split(" + text(strings.Join(cells, listMark)) + ", '" + listMark + "')) AS " + ids[c.Name]
	}
	return "SELECT " + strings.Join(parts, ",\n  ")
}

// series counts by the number of steps, so that reals and times need no table function of their own.
func (g *gen) series(n *rel.Series) string {
	x := &exprs{g: g}
	from, to, step := x.value(n.From), x.value(n.To), x.value(n.Step)
	id := quote(n.Name)
	// One row too many is an error: a range that was cut in silence would be counted as if it were whole.
	last := strconv.Itoa(rel.MaxSeries)
	bound := " AS s(i)\nWHERE CASE WHEN i < " + last + " THEN true ELSE error('range makes more than " + last + " rows') END"
	if n.T == value.Real {
		return "SELECT " + from + " + i * " + step + " AS " + id + "\nFROM generate_series(0, least(coalesce(try_cast(floor((" + to + " - " + from + ") / " + step + ") AS BIGINT), -1), " + last + "))" + bound
	}
	if n.T == value.Decimal {
		return "SELECT kql_decimal_add(" + from + ", kql_decimal_multiply(" + step + ", kql_long_decimal(i::BIGINT))) AS " + id +
			"\nFROM generate_series(0, least(coalesce(kql_decimal_steps(" + from + ", " + to + ", " + step + "), -1), " + last + "))" + bound
	}
	e := from + " + i * " + step
	if n.T == value.Int {
		e = "(" + e + ")::INTEGER"
	}
	return "SELECT " + e + " AS " + id + "\nFROM generate_series(0, least(coalesce(CASE WHEN sign(" + step + ") * sign(" + to + " - " + from + ") < 0 THEN -1 ELSE (" + to + " - " + from + ") // nullif(" + step + ", 0) END, -1), " + last + "))" + bound
}

func (g *gen) filter(n *rel.Filter) string {
	in := g.from(n.In)
	x := &exprs{g: g, ids: idents(n.In.Columns())}
	return "SELECT *\nFROM " + in + "\nWHERE " + x.cond(n.Cond)
}

func (g *gen) project(n *rel.Project) string {
	// A sort right below is written in the same SELECT, so that the order is the statement's; but what counts
	// the rows counts them sorted.
	input := n.In
	order := ""
	if s, ok := input.(*rel.Sort); ok && rel.Mixes(n) == "" && !numbers(n) {
		input = s.In
		name := g.from(input)
		order = "\nORDER BY " + g.orderBy(s.Keys, input.Columns(), name)
	}
	cols := n.In.Columns()
	x := &exprs{g: g, ids: idents(cols)}
	// A filter right below goes into the same SELECT too, and a stored table is read without a step of its own: what
	// the engine's planning costs goes by steps and their columns.
	where := ""
	if f, ok := input.(*rel.Filter); ok && order == "" && g.names[f] == "" && rel.Mixes(n) == "" && rel.Mixes(f) == "" && !numbers(n) {
		input = f.In
		where = "\nWHERE " + g.grow(x.cond(f.Cond))
	}
	in := ""
	scan, direct := input.(*rel.Scan)
	if direct = direct && order == "" && len(scan.Cols) > 0; direct {
		in = quote(scan.Table.Name)
	} else {
		in = g.from(input)
	}
	out := idents(n.Columns())
	if len(n.Items) == 0 {
		return "SELECT 1 AS \"$one\"\nFROM " + in + where + order
	}
	// extend: the input's columns in their order, some replaced, then new ones.
	var sel []string
	if k := len(cols); !direct && k > 0 && len(n.Items) >= k && prefix(n.Items[:k], cols) {
		var replaced []string
		for i, it := range n.Items[:k] {
			if c, ok := it.Expr.(*rel.Col); !ok || c.Name != cols[i].Name {
				replaced = append(replaced, g.grow(x.value(it.Expr)+" AS "+out[it.Name]))
			}
		}
		if len(replaced) == 0 {
			sel = append(sel, "*")
		} else {
			sel = append(sel, "* REPLACE ("+strings.Join(replaced, ", ")+")")
		}
		for _, it := range n.Items[k:] {
			sel = append(sel, g.grow(x.value(it.Expr)+" AS "+out[it.Name]))
		}
	} else {
		for _, it := range n.Items {
			e := x.value(it.Expr)
			if e != out[it.Name] {
				e += " AS " + out[it.Name]
			}
			sel = append(sel, g.grow(e))
		}
	}
	sep := ", "
	if len(sel) > 3 {
		sep = ",\n  "
	}
	return "SELECT " + strings.Join(sel, sep) + "\nFROM " + in + where + order
}

// numbers tells whether a projection counts its input's rows.
func numbers(n *rel.Project) bool {
	counts := false
	for _, it := range n.Items {
		rel.WalkExpr(it.Expr, func(e rel.Expr) {
			c, ok := e.(*rel.Call)
			counts = counts || ok && c.Func == "row_id"
		})
	}
	return counts
}

func prefix(items []rel.Item, cols []rel.Column) bool {
	for i, c := range cols {
		if items[i].Name != c.Name {
			return false
		}
	}
	return true
}

func (g *gen) aggregate(n *rel.Aggregate) string {
	in := g.from(n.In)
	x := &exprs{g: g, ids: idents(n.In.Columns())}
	out := idents(n.Columns())
	var sel, by []string
	for i, k := range n.Keys {
		sel = append(sel, x.value(k.Expr)+" AS "+out[k.Name])
		by = append(by, strconv.Itoa(i+1))
	}
	if len(n.Aggs) == 0 {
		if len(sel) == 0 {
			return "SELECT 1 AS \"$one\" WHERE EXISTS (SELECT 1 FROM " + in + ")"
		}
		if !rel.Constant(n.In) {
			return "SELECT DISTINCT " + strings.Join(sel, ", ") + "\nFROM " + in
		}
	}
	for _, a := range n.Aggs {
		sel = append(sel, g.grow(x.aggregate(a.Expr)+" AS "+out[a.Name]))
	}
	order := ""
	if len(by) > 0 && rel.Constant(n.In) {
		// Groups of a table in the query's own text come in the order in which they begin, as in Kusto.
		in = "(SELECT *, row_number() OVER () AS \"$at\" FROM " + in + ")"
		order = "\nORDER BY min(\"$at\")"
	}
	s := "SELECT " + strings.Join(sel, ",\n  ") + "\nFROM " + in
	if len(by) > 0 {
		s += "\nGROUP BY " + strings.Join(by, ", ")
	}
	return s + order
}

func (g *gen) orderBy(keys []rel.SortKey, cols []rel.Column, qualify string) string {
	x := &exprs{g: g, ids: idents(cols), qualify: qualify}
	parts := make([]string, len(keys))
	for i, k := range keys {
		s := x.value(k.Expr)
		if _, ok := k.Expr.(*rel.Const); ok {
			s = "(" + s + " + 0)" // a bare number would be a column's place
			if t := k.Expr.Type(); t == value.String || t == value.Decimal {
				s = "NULL"
			}
		}
		nulls := " NULLS LAST"
		if k.NullsFirst {
			nulls = " NULLS FIRST"
		}
		if _, isConst := k.Expr.(*rel.Const); k.Expr.Type() == value.Real && !isConst {
			// What is no number stands beside the nulls, whichever the direction.
			parts[i] = "isnan(" + s + ")" + map[bool]string{true: " DESC", false: " ASC"}[k.NullsFirst] + nulls + ", "
		}
		if k.Desc {
			s += " DESC"
		} else {
			s += " ASC"
		}
		parts[i] += s + nulls
	}
	return strings.Join(parts, ", ")
}

func (g *gen) sort(n *rel.Sort) string {
	in := g.from(n.In)
	return "SELECT *\nFROM " + in + "\nORDER BY " + g.orderBy(n.Keys, n.In.Columns(), "")
}

func (g *gen) limit(n *rel.Limit) string {
	x := &exprs{g: g, ids: idents(n.In.Columns())}
	count := x.bare(n.N)
	if len(n.Per) > 0 {
		in := g.from(n.In)
		per := make([]string, len(n.Per))
		for i, e := range n.Per {
			per[i] = x.value(e)
		}
		over := "PARTITION BY " + strings.Join(per, ", ")
		if len(n.Keys) > 0 {
			over += " ORDER BY " + g.orderBy(n.Keys, n.In.Columns(), "")
		}
		return "SELECT *\nFROM " + in + "\nQUALIFY row_number() OVER (" + over + ") <= " + count
	}
	if len(n.Keys) > 0 {
		return "SELECT *\nFROM " + g.from(n.In) + "\nORDER BY " + g.orderBy(n.Keys, n.In.Columns(), "") + "\nLIMIT " + count
	}
	if s, ok := n.In.(*rel.Sort); ok {
		return g.sort(s) + "\nLIMIT " + count
	}
	return "SELECT *\nFROM " + g.from(n.In) + "\nLIMIT " + count
}

func (g *gen) union(n *rel.Union) string {
	parts := make([]string, len(n.Ins))
	for i, in := range n.Ins {
		parts[i] = "SELECT * FROM " + g.from(in)
	}
	return strings.Join(parts, "\nUNION ALL\n")
}

func (g *gen) join(n *rel.Join) string {
	l, r := g.from(n.L), g.from(n.R)
	x := &exprs{g: g, left: idents(n.L.Columns()), right: idents(n.R.Columns())}
	kind, swap := "JOIN", false
	var outerLeft, outerRight bool // the side may be filled with nulls
	switch n.Kind {
	case rel.LeftOuter:
		kind, outerRight = "LEFT JOIN", true
	case rel.RightOuter:
		kind, outerLeft = "RIGHT JOIN", true
	case rel.FullOuter:
		kind, outerLeft, outerRight = "FULL JOIN", true, true
	case rel.LeftSemi:
		kind = "SEMI JOIN"
	case rel.LeftAnti:
		kind = "ANTI JOIN"
	case rel.RightSemi:
		kind, swap = "SEMI JOIN", true
	case rel.RightAnti:
		kind, swap = "ANTI JOIN", true
	}
	on := make([]string, len(n.On))
	for i, k := range n.On {
		op := " IS NOT DISTINCT FROM "
		if k.L.Type() == value.String && k.R.Type() == value.String {
			op = " = "
		}
		on[i] = x.value(k.L) + op + x.value(k.R)
	}
	out := idents(n.Columns())
	sel := make([]string, len(n.Out))
	for i, o := range n.Out {
		c := o.From
		s := x.value(&c)
		if c.T == value.String && (c.Side == rel.Left && outerLeft || c.Side == rel.Right && outerRight) {
			s = "coalesce(" + s + ", '')"
		}
		sel[i] = s + " AS " + out[o.Name]
	}
	if len(sel) == 0 {
		sel = []string{"1 AS \"$one\""}
	}
	first, second := l+" AS l", r+" AS r"
	if swap {
		first, second = second, first
	}
	sep := ", "
	if len(sel) > 3 {
		sep = ",\n  "
	}
	if len(on) == 0 {
		return "SELECT " + strings.Join(sel, sep) + "\nFROM " + first + "\nCROSS JOIN " + second
	}
	return "SELECT " + strings.Join(sel, sep) + "\nFROM " + first + "\n" + kind + " " + second + " ON " + strings.Join(on, " AND ")
}

// expand unnests lists of JSON side by side, then gives the elements their types.
func (g *gen) expand(n *rel.Expand) string {
	in := g.from(n.In)
	cols := n.In.Columns()
	x := &exprs{g: g, ids: idents(cols)}
	inner := []string{"*"}
	var lists, computed []string
	for i, it := range n.Items {
		e := x.value(it.Expr)
		switch it.Expr.(type) {
		case *rel.Col, *rel.Const:
		default:
			// A value of its own below: it is named several times here, and of one that it can compute
			// at once the engine mistakes the type.
			name := "\"$v" + strconv.Itoa(i) + "\""
			computed = append(computed, e+" AS "+name)
			e = name
		}
		entries := "kql_entries"
		if n.Array {
			entries = "kql_entry_pairs"
		}
		all := "json_extract(" + e + ", '$[*]')"
		// An array is mostly told by its first character; only what begins otherwise is read to tell its type.
		list := "CASE WHEN starts_with(" + e + ", '[') THEN " + all + " WHEN json_type(" + e + ") = 'ARRAY' THEN " + all + " WHEN json_type(" + e + ") = 'OBJECT' THEN json_extract(" + entries + "(" + e + "), '$[*]') ELSE [" + e + "::JSON] END"
		if n.Drop {
			list = "CASE WHEN " + e + " IS NULL THEN [] ELSE " + list + " END"
		}
		if c, ok := it.Expr.(*rel.Const); ok {
			list = constantElements(c, n)
		}
		if n.Limit > 0 {
			list = "list_slice(" + list + ", 1, " + strconv.FormatInt(n.Limit, 10) + ")"
		}
		lists = append(lists, list)
		inner = append(inner, "unnest("+list+") AS \"$e"+strconv.Itoa(i)+"\"")
	}
	if len(computed) > 0 {
		in = "(SELECT *, " + strings.Join(computed, ", ") + " FROM " + in + ")"
	}
	if n.Index != "" {
		lens := make([]string, len(lists))
		for i, l := range lists {
			lens[i] = "len(" + l + ")"
		}
		inner = append(inner, "unnest(range(greatest("+strings.Join(lens, ", ")+", 0))) AS \"$i\"")
	}
	outCols := n.Columns()
	out := idents(outCols)
	element := map[string]string{}
	for i, it := range n.Items {
		element[it.Name] = x.fromJSON("\"$e"+strconv.Itoa(i)+"\"", it.T)
	}
	if n.Index != "" {
		element[n.Index] = "\"$i\""
	}
	var sel []string
	inIDs := idents(cols)
	for _, c := range outCols {
		switch e, ok := element[c.Name]; {
		case ok:
			sel = append(sel, e+" AS "+out[c.Name])
		case inIDs[c.Name] != out[c.Name]:
			sel = append(sel, inIDs[c.Name]+" AS "+out[c.Name])
		default:
			sel = append(sel, out[c.Name])
		}
	}
	sep := ", "
	if len(sel) > 3 {
		sep = ",\n  "
	}
	return "SELECT " + strings.Join(sel, sep) + "\nFROM (\n  SELECT " + strings.Join(inner, ",\n    ") + "\n  FROM " + in + "\n)"
}

// constantElements writes the elements of a constant, which the engine cannot type by itself.
func constantElements(c *rel.Const, n *rel.Expand) string {
	text0, _ := c.Value.(string)
	v, _ := value.ParseJSON(text0)
	var items []any
	switch v := v.(type) {
	case nil:
		if !n.Drop {
			items = []any{nil}
		}
	case []any:
		items = v
	case *value.Object:
		for _, m := range v.Members {
			if n.Array {
				items = append(items, []any{m.Key, m.Value})
			} else {
				items = append(items, &value.Object{Members: []value.Member{m}})
			}
		}
	default:
		items = []any{v}
	}
	parts := make([]string, len(items))
	for i, e := range items {
		parts[i] = text(value.JSON(e))
	}
	return "[" + strings.Join(parts, ", ") + "]::JSON[]"
}

// maxSeriesBins bounds the elements that make-series makes a row.
const maxSeriesBins = 1_048_576

// makeSeries aggregates by place on the axis, then lays the aggregates out as arrays.
func (g *gen) makeSeries(n *rel.MakeSeries) string {
	in := g.from(n.In)
	x := &exprs{g: g, ids: idents(n.In.Columns())}
	axis, step := x.value(n.Axis.Expr), x.value(n.Step)
	isReal := n.Axis.Expr.Type() == value.Real
	floor := "(" + axis + " - (" + axis + " % " + step + " + " + step + ") % " + step + ")"
	div, whole, slack := " // ", "::DOUBLE / ", "1"
	if isReal {
		floor = "floor(" + axis + " / " + step + ") * " + step
		div, whole, slack = " / ", " / ", "1e-9"
	}
	out := idents(n.Columns())
	var keys, by, bins, parts []string
	for i, k := range n.Keys {
		name := "k" + strconv.Itoa(i)
		keys = append(keys, x.value(k.Expr)+" AS "+name)
		bins = append(bins, name+" AS "+out[k.Name])
		parts = append(parts, name)
		by = append(by, strconv.Itoa(i+1))
	}
	// A row of the inmost query is a bin of a group; f is the first bin of the group's series, i the bin's
	// place, n the number of bins. Where the query gives no bounds the group's rows do.
	var from, to, count, place string
	first := floor + " AS p"
	if n.From != nil {
		from = x.value(n.From)
		first = "try_cast(floor((" + axis + " - " + from + ")" + whole + step + ") AS BIGINT) AS i"
	}
	if n.To != nil {
		to = x.value(n.To)
	}
	over := " OVER ()"
	if len(parts) > 0 {
		over = " OVER (PARTITION BY " + strings.Join(parts, ", ") + ")"
	}
	f := "f"
	if n.From != nil {
		f = from
	}
	switch {
	case n.To == nil:
		count = "max(i)" + over + " + 1"
	case n.Inclusive:
		count = "(" + to + " - " + f + ")" + div + step + " + 1"
	default:
		count = "(" + to + " - " + f + " + " + step + " - " + slack + ")" + div + step
	}
	if isReal {
		count = "floor(" + count + ")"
	}
	count = "least(greatest(coalesce(try_cast(" + count + " AS BIGINT), 0), 0), " + strconv.Itoa(maxSeriesBins) + ")"
	inner := append(slices.Clone(keys), first)
	innerBy := append(slices.Clone(by), strconv.Itoa(len(by)+1))
	for i, a := range n.Aggs {
		agg, t := x.aggregate(a.Agg), a.Agg.Type()
		if t == value.Decimal { // series are of reals
			agg, t = x.fromDecimal(agg, value.Real), value.Real
		}
		inner = append(inner, x.json(agg, t)+" AS v"+strconv.Itoa(i))
		bins = append(bins, "kql_series('[' || coalesce(array_to_string(list(i) FILTER (WHERE i IS NOT NULL), ','), '') || ']', '[' || coalesce(array_to_string(list(coalesce(v"+strconv.Itoa(i)+
			", 'null')) FILTER (WHERE i IS NOT NULL), ','), '') || ']', any_value(n), coalesce("+x.json(x.value(a.Default), a.Default.Type())+", 'null')) AS "+out[a.Name])
	}
	for i, c := range n.Carried {
		inner = append(inner, x.aggregate(c.Expr)+" AS c"+strconv.Itoa(i))
	}
	start := "any_value(f)::DOUBLE"
	if isReal {
		start = "any_value(f)"
	}
	bins = append(bins, "kql_axis("+text(n.Axis.Expr.Type().String())+", any_value(n), "+start+", "+step+"::DOUBLE, any_value(f)::BIGINT, "+step+"::BIGINT) AS "+out[n.Axis.Name])
	for i, c := range n.Carried {
		bins = append(bins, lineageMerge("c"+strconv.Itoa(i))+" AS "+out[c.Name])
	}
	var where []string
	if n.From != nil {
		where = append(where, axis+" >= "+from)
	}
	if n.To != nil && n.Inclusive {
		where = append(where, floor+" <= "+to)
	} else if n.To != nil {
		where = append(where, axis+" < "+to)
	}
	rows := "SELECT " + strings.Join(inner, ", ") + "\n    FROM " + in
	if len(where) > 0 {
		rows += "\n    WHERE " + strings.Join(where, " AND ")
	}
	rows += "\n    GROUP BY " + strings.Join(innerBy, ", ")
	alone := n.NonEmpty && n.From != nil && n.To != nil && len(by) == 0
	switch {
	case alone:
		// The bins stand without rows, too.
		rows = "SELECT * FROM (SELECT " + count + " AS n, " + from + " AS f) LEFT JOIN (\n    " + rows + ") ON true"
	case n.From != nil:
		rows = "SELECT *, " + count + " AS n, " + from + " AS f FROM (\n    " + rows + ")"
	default:
		place = "try_cast((p - f)" + div + step + " AS BIGINT)"
		if isReal {
			place = "try_cast(round((p - f) / " + step + ") AS BIGINT)"
		}
		rows = "SELECT *, min(p)" + over + " AS f FROM (\n    " + rows + ")"
		rows = "SELECT *, " + place + " AS i FROM (" + rows + ")"
		rows = "SELECT *, " + count + " AS n FROM (" + rows + ")"
	}
	s := "SELECT " + strings.Join(bins, ",\n  ") + "\nFROM (" + rows + ")\nWHERE n > 0"
	if len(by) > 0 {
		return s + "\nGROUP BY " + strings.Join(by, ", ")
	}
	return s + "\nHAVING count(*) > 0"
}
