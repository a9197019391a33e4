package kql_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"glassward/kql/bind"
	"glassward/kql/kqltest"
	"glassward/kql/rel"
	"glassward/kql/sqlgen"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// The proofs about rewrites and lineage work on small stored tables. A subject is a query whose tree reads
// such tables and nothing else: tables of constants are stored too, and published queries over the tables of
// Entra get records that are made of the texts and numbers that the query itself asks for.

// maxRecords is how many records a subject's tables have together: one bit each of a number.
const maxRecords = 60

// bitColumn is the hidden column that holds a record's bit; the parameter seq_to says which are there.
const bitColumn = "_Bit"

type subject struct {
	name, query string
	tree        rel.Rel
	tables      []*rel.Table
	rows        map[string][][]any // with _ItemId, _Seq and the shadows
	n           int                // records in all tables
}

// sample is a query with what it is compiled against.
type sample struct {
	name, query string
	catalog     tables
	rows        map[string][][]any // of the tables of a case, nil where they are made up
	lists       map[string]*rel.Values
}

// samples gives the project's own queries and those that lie beside the repository.
func samples(t testing.TB) []sample {
	t.Helper()
	var out []sample
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := kqltest.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range f.Cases {
			s := sample{name: filepath.Base(name) + ": " + c.Name, query: c.Query, catalog: tables{}, rows: map[string][][]any{}}
			s.lists = map[string]*rel.Values{"Emergency": {
				Cols: []rel.Column{{Name: "ObjectId", Type: value.String}, {Name: "Owner", Type: value.String}, {Name: "SearchKey", Type: value.String}},
				Rows: [][]rel.Expr{{rel.Str("aaaa-1"), rel.Str("ann"), rel.Str("aaaa-1")}, {rel.Str("bbbb-2"), rel.Str("bob"), rel.Str("bbbb-2")}},
			}}
			for _, tab := range c.Tables {
				table := &rel.Table{Name: tab.Name}
				for _, col := range tab.Columns {
					ty, ok := value.ParseType(col.Type)
					if !ok {
						t.Fatalf("%s: no type %s", s.name, col.Type)
					}
					table.Columns = append(table.Columns, rel.Column{Name: col.Name, Type: ty})
				}
				var rows [][]any
				for _, r := range tab.Rows {
					row := make([]any, len(r))
					for i := range r {
						row[i] = stored(r[i], table.Columns[i].Type)
					}
					rows = append(rows, row)
				}
				table.Columns = append(table.Columns, rel.Column{Name: rel.ItemColumn, Type: value.GUID})
				s.catalog[tab.Name], s.rows[tab.Name] = table, rows
			}
			out = append(out, s)
		}
	}
	records, err := kqltest.ReadRecords(strings.NewReader(string(shared(t, "cases.jsonl"))))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		out = append(out, sample{name: r.ID, query: r.Query})
	}
	cat := sharedTables(t)
	for _, p := range []string{"rules/*.yaml", "community/*.kql"} {
		files, err := filepath.Glob(filepath.Join(root(t), "..", "shared", "kql", p))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text := string(b)
			if strings.HasSuffix(name, ".yaml") {
				var rule struct{ Query string }
				if err := yaml.Unmarshal(b, &rule); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				text = rule.Query
			}
			out = append(out, sample{name: filepath.Base(name), query: text, catalog: cat})
		}
	}
	return out
}

// chosenSamples gives all samples with KQLPROVE=all, those whose name has KQLPROVE in it, or every so many-th
// of the published ones, which is what a few seconds allow.
func chosenSamples(t testing.TB, every int) []sample {
	want := os.Getenv("KQLPROVE")
	var out []sample
	for i, s := range samples(t) {
		switch {
		case want == "all", want != "" && strings.Contains(s.name, want):
		case want != "":
			continue
		case s.rows == nil && i%every != 0:
			continue
		}
		out = append(out, s)
	}
	return out
}

// parsed gives the tree of a sample as the binder makes it, nil if it is refused.
func (s *sample) tree() rel.Rel {
	file, diags := syntax.Parse(s.query)
	if diags.HasErrors() {
		return nil
	}
	o := bind.Options{Watchlists: s.lists}
	if s.catalog != nil {
		o.Catalog = s.catalog
	}
	bound, diags := bind.Bind(file, o)
	if bound == nil || diags.HasErrors() || rel.Size(bound.Rel, 50_000) > 50_000 {
		return nil
	}
	return bound.Rel
}

// newSubject stores what the query reads in small tables. It gives nil for a query that reads nothing.
func newSubject(s sample, seed uint64) *subject {
	tree := s.tree()
	if tree == nil {
		return nil
	}
	u := &subject{name: s.name, query: s.query, rows: map[string][][]any{}}
	m := newMaker(tree, seed)
	made := map[string]*rel.Table{}
	values := 0
	u.tree = rel.Map(tree, func(r rel.Rel) rel.Rel {
		switch n := r.(type) {
		case *rel.Values:
			table, rows := lift(n, values)
			if table == nil {
				return r
			}
			values++
			u.add(table, rows, m)
			return rel.NewScan(table)
		case *rel.Scan:
			table := made[n.Table.Name]
			if table == nil {
				c := *n.Table
				table = &c
				made[table.Name] = table
				rows, given := s.rows[table.Name]
				if !given {
					for range 12 {
						rows = append(rows, m.record(table))
					}
				}
				u.add(table, rows, m)
			}
			return &rel.Scan{Table: table, Cols: n.Cols}
		}
		return r
	})
	if u.n == 0 {
		return nil
	}
	return u
}

// lift makes a stored table of constants.
func lift(n *rel.Values, number int) (*rel.Table, [][]any) {
	if len(n.Rows) == 0 || len(n.Rows) > maxRecords || len(n.Cols) == 0 {
		return nil, nil
	}
	seen := map[string]bool{}
	table := &rel.Table{Name: "Constants " + strconv.Itoa(number)}
	for _, c := range n.Cols {
		if seen[strings.ToLower(c.Name)] || strings.HasPrefix(c.Name, "$") || strings.HasPrefix(c.Name, "_") || c.Name == "" {
			return nil, nil
		}
		seen[strings.ToLower(c.Name)] = true
		table.Columns = append(table.Columns, c)
	}
	var rows [][]any
	for _, r := range n.Rows {
		row := make([]any, len(r))
		for i, e := range r {
			k, ok := e.(*rel.Const)
			if !ok {
				return nil, nil
			}
			row[i] = k.Value
			if k.Value == nil && n.Cols[i].Type == value.String {
				row[i] = ""
			}
		}
		rows = append(rows, row)
	}
	return table, rows
}

// add stores a table with at most as many records as are left.
func (u *subject) add(table *rel.Table, rows [][]any, m *maker) {
	if len(rows) > maxRecords-u.n {
		rows = rows[:maxRecords-u.n]
	}
	if !slices.ContainsFunc(table.Columns, func(c rel.Column) bool { return c.Name == rel.ItemColumn }) {
		// A column that no query sees, as far as the query is concerned.
		table.Shadows = append(slices.Clone(table.Shadows), rel.Shadow{Name: rel.ItemColumn, Type: value.GUID})
	}
	table.Shadows = append(slices.Clone(table.Shadows), m.shadows(table)...)
	var full [][]any
	for _, r := range rows {
		id := recordID(u.n)
		row := make([]any, 0, len(table.Columns)+len(table.Shadows)+1)
		for i, c := range table.Columns {
			if c.Name == rel.ItemColumn {
				row = append(row, id)
			} else {
				row = append(row, r[i])
			}
		}
		row = append(row, int64(u.n+1))
		for _, s := range table.Shadows {
			switch {
			case s.Name == rel.ItemColumn:
				row = append(row, id)
			case s.Name == bitColumn:
				row = append(row, int64(1)<<u.n)
			default:
				text, _ := row[rel.Index(table.Columns, s.Column)].(string)
				row = append(row, shadowText(text, s.Path))
			}
		}
		full = append(full, row)
		u.n++
	}
	u.tables = append(u.tables, table)
	u.rows[table.Name] = full
}

func recordID(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }

// there lets a tree read only the records whose bit the parameter seq_to has.
func there(r rel.Rel) rel.Rel {
	return rel.Map(r, func(r rel.Rel) rel.Rel {
		s, ok := r.(*rel.Scan)
		if !ok {
			return r
		}
		c := &rel.Scan{Table: s.Table, Cols: append(slices.Clone(s.Cols), rel.Column{Name: bitColumn, Type: value.Long})}
		is := &rel.Call{Func: "binary_and", Args: []rel.Expr{&rel.Col{Name: bitColumn, T: value.Long}, &rel.Param{Name: "seq_to", T: value.Long}}, T: value.Long}
		return &rel.Project{In: &rel.Filter{In: c, Cond: &rel.Call{Func: "!=", Args: []rel.Expr{is, rel.Long(0)}, T: value.Bool}}, Items: rel.Refs(s.Cols)}
	})
}

// newSmallEngine gives an engine with one thread, so that rows that an order leaves equal come alike each time.
func newSmallEngine(t testing.TB) *engine {
	e := newEngine(t)
	if _, err := e.conn.ExecContext(context.Background(), "SET threads = 1"); err != nil {
		t.Fatal(err)
	}
	return e
}

// store makes the subject's tables.
func (u *subject) store(t testing.TB, e *engine) {
	for _, table := range u.tables {
		e.create(t, table, u.rows[table.Name])
	}
}

// result is rows as texts, and the records behind each.
type result struct {
	rows    []string
	lineage [][]int
}

// run runs a rewritten tree over the records that mask has.
func (e *engine) runTree(r rel.Rel, mask int64, now value.Ticks) (*result, error) {
	q, err := sqlgen.DuckDB(r, sqlgen.Options{})
	if err != nil {
		return nil, err
	}
	args := []any{}
	for _, p := range q.Params {
		v := map[string]int64{"now": int64(now), "seq_to": mask}[p]
		args = append(args, sql.Named(p, v))
	}
	rows, err := e.conn.QueryContext(context.Background(), q.SQL, args...)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, q.SQL)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	out := &result{}
	carries := len(names) > 1 && names[len(names)-2] == "$lineage"
	for rows.Next() && len(out.rows) < 5000 {
		cells, ptrs := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			ptrs[i] = &cells[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		visible := cells
		if carries {
			visible = cells[:len(cells)-2]
			var ids []int
			l, _ := cells[len(cells)-2].([]any)
			for _, id := range l {
				s := id.(string)
				n, err := strconv.Atoi(s[strings.LastIndexByte(s, '-')+1:])
				if err != nil {
					return nil, err
				}
				ids = append(ids, n)
			}
			sort.Ints(ids)
			out.lineage = append(out.lineage, ids)
		}
		var b strings.Builder
		for _, c := range visible {
			switch c := c.(type) {
			case float64:
				b.WriteString(strconv.FormatFloat(c, 'g', 9, 64))
			case []byte:
				fmt.Fprintf(&b, "%x", c)
			default:
				fmt.Fprint(&b, c)
			}
			b.WriteString(" · ")
		}
		out.rows = append(out.rows, b.String())
	}
	return out, rows.Err()
}

// differ says in a few lines how rows differ, "" if they are the same apart from their order. Where
// collected is true the order within arrays does not count either.
func differ(a, b []string, collected bool) string {
	x, y := slices.Clone(a), slices.Clone(b)
	if collected {
		for _, l := range [][]string{x, y} {
			for i := range l {
				parts := strings.FieldsFunc(l[i], func(r rune) bool { return strings.ContainsRune("[],{} ", r) })
				slices.Sort(parts)
				l[i] = strings.Join(parts, " ")
			}
		}
	}
	slices.Sort(x)
	slices.Sort(y)
	if slices.Equal(x, y) {
		return ""
	}
	only := func(x, y []string) string {
		n := map[string]int{}
		for _, r := range y {
			n[r]++
		}
		var out []string
		for _, r := range x {
			if n[r]--; n[r] < 0 && len(out) < 3 {
				out = append(out, "  "+r)
			}
		}
		return strings.Join(out, "\n")
	}
	return fmt.Sprintf("%d rows and %d rows; only here:\n%s\nonly there:\n%s", len(a), len(b), only(x, y), only(y, x))
}

// calls says whether a tree has a call of one of the functions that the pattern names.
func calls(r rel.Rel, pattern *regexp.Regexp) bool {
	found := false
	rel.Walk(r, func(r rel.Rel) {
		r.Exprs(func(e rel.Expr) rel.Expr {
			rel.WalkExpr(e, func(e rel.Expr) {
				if c, ok := e.(*rel.Call); ok && pattern.MatchString(c.Func) {
					found = true
				}
			})
			return e
		})
	})
	return found
}

// chance are functions whose value differs from run to run, or with the order in which rows come;
// gathers those that collect rows in no order that the language promises.
var (
	chance  = regexp.MustCompile(`^(rand|new_guid|take_any.*|any.*|sample.*|row_id|first|hll.*|tdigest.*)$`)
	gathers = regexp.MustCompile(`^(make_|buildschema|strcat_array|array_|set_|bag_)`)
)

// A maker makes up records for a query out of what the query compares its columns with.
type maker struct {
	rand   *rand.Rand
	alias  map[string]rel.Expr
	wanted map[string][]any          // column or column and path → constants
	paths  map[string]map[string]int // dynamic column → paths within
	now    value.Ticks
}

func newMaker(tree rel.Rel, seed uint64) *maker {
	m := &maker{rand: rand.New(rand.NewPCG(seed, 4)), alias: map[string]rel.Expr{}, wanted: map[string][]any{}, paths: map[string]map[string]int{}}
	m.now, _ = value.ParseDateTime(testNow)
	rel.Walk(tree, func(r rel.Rel) {
		switch n := r.(type) {
		case *rel.Project:
			for _, it := range n.Items {
				if c, ok := it.Expr.(*rel.Col); !ok || c.Name != it.Name {
					m.alias[it.Name] = it.Expr
				}
			}
		case *rel.Expand:
			for _, it := range n.Items {
				m.alias[it.Name] = &rel.Path{X: it.Expr, Steps: []rel.Step{rel.Field("*")}}
			}
		}
	})
	rel.Walk(tree, func(r rel.Rel) {
		r.Exprs(func(e rel.Expr) rel.Expr {
			rel.WalkExpr(e, func(e rel.Expr) { m.learn(e) })
			return e
		})
	})
	return m
}

// learn notes paths, and which constants an expression is compared with.
func (m *maker) learn(e rel.Expr) {
	switch e := e.(type) {
	case *rel.Path:
		if col, path := m.origin(e, 0); col != "" {
			m.path(col, path)
		}
	case *rel.Call:
		var keys []string
		for _, a := range e.Args {
			if _, ok := a.(*rel.Const); ok {
				continue
			}
			if col, path := m.origin(a, 0); col != "" {
				m.path(col, path)
				keys = append(keys, col+path)
			}
		}
		for _, a := range e.Args {
			k, ok := a.(*rel.Const)
			if !ok || k.Value == nil {
				continue
			}
			for _, key := range keys {
				if len(m.wanted[key]) < 40 && !slices.Contains(m.wanted[key], k.Value) {
					m.wanted[key] = append(m.wanted[key], k.Value)
				}
			}
		}
	}
}

func (m *maker) path(col, path string) {
	if path == "" {
		return
	}
	if m.paths[col] == nil {
		m.paths[col] = map[string]int{}
	}
	m.paths[col][path] = len(m.paths[col])
}

// origin traces an expression to a column and a path in it, through names given on the way.
func (m *maker) origin(e rel.Expr, depth int) (string, string) {
	if depth > 12 {
		return "", ""
	}
	switch e := e.(type) {
	case *rel.Col:
		if a, ok := m.alias[e.Name]; ok {
			if c, p := m.origin(a, depth+1); c != "" && (c != e.Name || p != "") {
				return c, p
			}
		}
		return e.Name, ""
	case *rel.Path:
		c, p := m.origin(e.X, depth+1)
		for _, s := range e.Steps {
			switch {
			case s.Key == nil || *s.Key == "*":
				p += "\x00*"
			default:
				p += "\x00" + *s.Key
			}
		}
		return c, p
	case *rel.Call:
		if len(e.Args) > 0 && !rel.IsWindow(e.Func) {
			return m.origin(e.Args[0], depth+1)
		}
	}
	return "", ""
}

// shadows gives hidden columns for paths of a table's dynamic columns, and the column of bits.
func (m *maker) shadows(table *rel.Table) []rel.Shadow {
	out := []rel.Shadow{{Name: bitColumn, Type: value.Long}}
	for _, c := range table.Columns {
		if c.Type != value.Dynamic {
			continue
		}
		for _, p := range sortedKeys(m.paths[c.Name]) {
			text := ""
			keys := strings.Split(p[1:], "\x00")
			for i, k := range keys {
				switch {
				case k == "*" && i == 0 && len(keys) > 1:
					text = "[0]"
				case !regexp.MustCompile(`^[A-Za-z_]\w*$`).MatchString(k):
					text = "?"
				default:
					text += "." + k
				}
			}
			if text == "" || strings.Contains(text, "?") || slices.ContainsFunc(table.Shadows, func(s rel.Shadow) bool { return s.Column == c.Name && s.Path == text }) {
				continue
			}
			out = append(out, rel.Shadow{Name: fmt.Sprintf("_S%d_%s", len(out), c.Name), Column: c.Name, Path: text, Type: value.String})
			if rest, ok := strings.CutPrefix(text, "[0]"); ok {
				out = append(out, rel.Shadow{Name: fmt.Sprintf("_S%d_%s", len(out), c.Name), Column: c.Name, Path: "[*]" + rest, Type: value.String})
			}
		}
	}
	return out
}

func sortedKeys(m map[string]int) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// record makes up a record of a table.
func (m *maker) record(table *rel.Table) []any {
	row := make([]any, len(table.Columns))
	for i, c := range table.Columns {
		row[i] = m.cell(c)
	}
	return row
}

func (m *maker) cell(c rel.Column) any {
	switch c.Type {
	case value.String:
		s := value.Text(m.leaf(c.Name))
		if p := m.paths[c.Name]; len(p) > 0 {
			return value.JSON(m.grow(c.Name, ""))
		}
		return s
	case value.Dynamic:
		if m.rand.IntN(12) == 0 {
			return nil
		}
		return value.JSON(m.grow(c.Name, ""))
	case value.DateTime:
		return int64(m.now) - int64(m.rand.IntN(200))*int64(value.Hour)/4
	case value.TimeSpan:
		return int64(m.rand.IntN(5)) * int64(value.Hour)
	case value.Bool:
		return m.rand.IntN(2) == 0
	case value.Int, value.Long:
		if n, ok := m.leaf(c.Name).(int64); ok && c.Type == value.Long || ok && n < 1<<31 && n > -1<<31 {
			return n
		}
		return int64(m.rand.IntN(4))
	case value.Real, value.Decimal:
		return float64(m.rand.IntN(8)) / 2
	case value.GUID:
		return fmt.Sprintf("aaaaaaaa-0000-0000-0000-%012d", m.rand.IntN(3))
	}
	return nil
}

// leaf gives a value for a column or path: mostly one that the query asks for there.
func (m *maker) leaf(key string) any {
	if w := m.wanted[key]; len(w) > 0 && m.rand.IntN(4) > 0 {
		return w[m.rand.IntN(len(w))]
	}
	return []any{"a", "b", "203.0.113.7", "", "a", int64(1)}[m.rand.IntN(6)]
}

// grow makes a dynamic value that has the paths that the query follows.
func (m *maker) grow(col, prefix string) any {
	var keys []string
	for _, p := range sortedKeys(m.paths[col]) {
		if rest, ok := strings.CutPrefix(p, prefix+"\x00"); ok {
			k, _, _ := strings.Cut(rest, "\x00")
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	if len(keys) == 0 {
		return m.leaf(col + prefix)
	}
	if slices.Contains(keys, "*") {
		list := []any{}
		for range m.rand.IntN(3) {
			list = append(list, m.grow(col, prefix+"\x00*"))
		}
		return list
	}
	o := &value.Object{}
	for _, k := range keys {
		if m.rand.IntN(8) > 0 {
			o.Set(k, m.grow(col, prefix+"\x00"+k))
		}
	}
	return o
}
