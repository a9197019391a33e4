// Package complete tells an editor what may be typed at a place of a query, and what stands there.
//
// Complete looks at the tokens before the place, which may be broken in any way, to learn what kind of thing belongs
// there; names of columns come from binding what stands before. Nothing here changes or runs a query.
package complete

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"glassward/kql"
	"glassward/kql/bind"
	"glassward/kql/builtin"
	"glassward/kql/diag"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// Kind is what an Item is.
type Kind string

// The kinds of item.
const (
	Operator  Kind = "operator"
	Keyword   Kind = "keyword" // has, and, by, kind=
	Column    Kind = "column"
	Function  Kind = "function"
	Aggregate Kind = "aggregate"
	Plugin    Kind = "plugin"
	Table     Kind = "table"
	Name      Kind = "name" // of a let statement, a parameter or a stored function
	Value     Kind = "value"
	Type      Kind = "type"
	Property  Kind = "property" // of a dynamic column
	Watchlist Kind = "watchlist"
)

// Item is something that may be typed.
type Item struct {
	Kind   Kind   `json:"kind"`
	Label  string `json:"label"`
	Insert string `json:"insert"` // what takes the place of Replace
	Detail string `json:"detail,omitempty"`
	Doc    string `json:"doc,omitempty"`
	// Replace is the part of the text that has been typed of it, in bytes.
	Replace diag.Span `json:"replace"`
}

// Options are what a query is written against.
type Options struct {
	kql.Options
	// Describe gives a sentence about a table, or, if column is not empty, about its column; nil for none.
	Describe func(table, column string) string
}

func (o *Options) describe(table, column string) string {
	if o.Describe == nil || table == "" {
		return ""
	}
	return o.Describe(table, column)
}

// most is how many items Complete gives at most.
const most = 1000

// Complete gives what may be typed at a byte offset of a text, the likeliest first.
func Complete(text string, offset int, o Options) []Item {
	c := at(text, offset, o)
	if c == nil {
		return nil
	}
	c.fill()
	return c.ranked()
}

// place is a place in a text.
type place struct {
	o      Options
	text   string         // up to the place
	tokens []syntax.Token // before what has been typed of the item
	typed  diag.Span      // of the item
	op     int            // the first token of the operator that the place is in, -1 if in none
	sight  *bind.Sight
	items  []Item
}

// leastPart is how much has to be typed for names to be offered that hold it and do not begin with it.
const leastPart = 3

// at finds out where a place is. It gives nil where nothing can be typed: in a comment.
func at(text string, offset int, o Options) *place {
	offset = min(max(offset, 0), len(text))
	for offset > 0 && offset < len(text) && !utf8.RuneStart(text[offset]) {
		offset-- // who asks within a letter asks before it
	}
	c := &place{o: o, text: text[:offset], typed: diag.At(offset, offset)}
	c.tokens = syntax.Tokens(c.text)
	if n := len(c.tokens); n > 0 {
		switch last := c.tokens[n-1]; {
		case last.Kind == syntax.CommentToken && last.At.End == offset:
			return nil
		case last.Kind == syntax.WordToken && last.At.End == offset:
			c.typed, c.tokens = last.At, c.tokens[:n-1]
		}
	}
	c.tokens = slices.DeleteFunc(c.tokens, func(t syntax.Token) bool { return t.Kind == syntax.CommentToken })
	c.op = c.operatorStart()
	return c
}

// operatorStart goes back to the pipe whose operator holds the place, out of brackets if need be.
func (c *place) operatorStart() int {
	depth := 0
	for i := len(c.tokens) - 1; i >= 0; i-- {
		switch t := c.tokens[i]; t.Kind {
		case syntax.CloseToken:
			depth++
		case syntax.OpenToken:
			depth = max(depth-1, 0)
		case syntax.PipeToken:
			if depth == 0 {
				return i + 1
			}
		case syntax.SemicolonToken:
			if depth == 0 {
				return c.headOperator(i + 1)
			}
		}
	}
	return c.headOperator(0)
}

// headOperator gives i if an operator that begins a query stands there.
func (c *place) headOperator(i int) int {
	if i < len(c.tokens) {
		switch c.word(i) {
		case "print", "range", "union", "search", "find", "evaluate":
			return i
		}
	}
	return -1
}

// word gives the text of a token, "" beyond the ends.
func (c *place) word(i int) string {
	if i < 0 || i >= len(c.tokens) {
		return ""
	}
	return c.tokens[i].At.In(c.text)
}

func (c *place) kind(i int) syntax.TokenKind {
	if i < 0 || i >= len(c.tokens) {
		return syntax.SemicolonToken // as at the beginning of a statement
	}
	return c.tokens[i].Kind
}

// operator gives the name of the operator that the place is in, and the token behind it.
func (c *place) operator() (string, int) {
	if c.op < 0 || c.op >= len(c.tokens) {
		return "", c.op
	}
	end := c.op + 1
	for c.kind(end) == syntax.HyphenToken && end+1 < len(c.tokens) && c.tokens[end+1].At.Start == c.tokens[end].At.End && c.tokens[end].At.Start == c.tokens[end-1].At.End {
		end += 2
	}
	return strings.ToLower(c.text[c.tokens[c.op].At.Start:c.tokens[end-1].At.End]), end
}

// look binds what stands before the place, once.
func (c *place) look() *bind.Sight {
	if c.sight == nil {
		start := len(c.text) + 1
		if c.op >= 0 && c.op < len(c.tokens) {
			start = c.tokens[c.op].At.Start
		}
		before := c.text[:c.typed.Start] + c.filler()
		s := kql.Look(before+c.closers(), c.o.Options, start)
		if !s.Found && c.op >= 0 {
			// A bracket that was forgotten further up ends with its operator.
			s = kql.Look(before, c.o.Options, start)
		}
		c.sight = &s
	}
	return c.sight
}

// filler ends the text before the place so that the parser reads as much of it as it can.
func (c *place) filler() string {
	switch c.kind(len(c.tokens) - 1) {
	case syntax.OtherToken, syntax.CommaToken, syntax.AssignToken, syntax.HyphenToken:
		return " x"
	}
	return ""
}

// closers gives what closes the brackets that are open at the place.
func (c *place) closers() string {
	var open []byte
	for i, t := range c.tokens {
		switch t.Kind {
		case syntax.OpenToken:
			open = append(open, closer(c.word(i)))
		case syntax.CloseToken:
			if n := len(open); n > 0 && string(open[n-1]) == c.word(i) {
				open = open[:n-1]
			}
		case syntax.SemicolonToken:
			if !slices.Contains(open, '}') {
				open = nil
			}
		}
	}
	slices.Reverse(open)
	return string(open)
}

func closer(open string) byte {
	switch open {
	case "[":
		return ']'
	case "{":
		return '}'
	}
	return ')'
}

func (c *place) add(k Kind, label, insert, detail, doc string) {
	if label == "" {
		return // the name of something that is still being typed
	}
	c.items = append(c.items, Item{k, label, insert, detail, doc, c.typed})
}

// ranked gives the items that go with what has been typed: those that begin with it before those that hold it.
func (c *place) ranked() []Item {
	typed := strings.ToLower(c.typed.In(c.text))
	rank := func(it Item) int {
		label := strings.ToLower(it.Label)
		switch {
		case typed == "":
			return 0
		case strings.HasPrefix(it.Label, c.typed.In(c.text)):
			return 0
		case strings.HasPrefix(label, typed):
			return 1
		case len(typed) >= leastPart && strings.Contains(label, typed):
			return 2
		}
		return -1
	}
	seen := map[string]bool{}
	out := slices.DeleteFunc(c.items, func(it Item) bool {
		key := string(it.Kind) + " " + it.Label
		gone := rank(it) < 0 || seen[key]
		seen[key] = true
		return gone
	})
	slices.SortStableFunc(out, func(a, b Item) int { return cmp.Compare(rank(a), rank(b)) })
	return out[:min(len(out), most)]
}

// fill adds what may stand at the place.
func (c *place) fill() {
	last := len(c.tokens) - 1
	if last >= 0 && c.tokens[last].Kind == syntax.StringToken && c.tokens[last].Open {
		c.inString(last)
		return
	}
	name, end := c.operator()
	switch {
	case c.op >= 0 && c.op >= len(c.tokens), c.op >= 0 && c.hyphenated(end):
		if c.op < len(c.tokens) {
			c.typed.Start = c.tokens[c.op].At.Start
		}
		c.operators()
	case c.kind(last) == syntax.DotToken:
		c.members(last - 1)
	case c.kind(last) == syntax.AssignToken && c.parameterValue(c.parameterName(last), name):
	case c.kind(last) == syntax.ColonToken, c.kind(last) == syntax.OpenToken && c.word(last-1) == "typeof":
		c.types()
	case c.source(last):
	case c.afterOperand(last):
		c.between(name, end)
	default:
		c.operand(name, end, last)
	}
}

// hyphenated says that the place is within an operator's name: project-|.
func (c *place) hyphenated(end int) bool {
	if end == len(c.tokens)-1 && c.kind(end) == syntax.HyphenToken && c.tokens[end].At.End == c.typed.Start && c.tokens[end].At.Start == c.tokens[end-1].At.End {
		return true
	}
	return false
}

// source adds tables, where a query or a table begins, and says whether one does.
func (c *place) source(last int) bool {
	switch {
	case last < 0, c.kind(last) == syntax.SemicolonToken, c.word(last) == "{":
		for _, k := range []string{"let", "print", "union", "range", "search", "datatable"} {
			c.add(Keyword, k, k+" ", "", operatorDoc(k))
		}
	case c.kind(last) == syntax.AssignToken && c.word(last-2) == "let":
		c.tables()
		c.names(true, true)
		c.functions(builtin.Scalar, builtin.Table)
		return true
	case c.kind(last) == syntax.OpenToken && slices.Contains([]string{"join", "lookup", "union", "materialize", "toscalar"}, c.listOwner(last)):
	case c.op >= 0 && c.inTables(last):
	default:
		return false
	}
	c.tables()
	c.names(true, false)
	c.functions(builtin.Table)
	return true
}

// listOwner gives the operator or function whose parenthesis stands at token i: of join kind=inner ( it is join.
func (c *place) listOwner(i int) string {
	if w := c.word(i - 1); c.kind(i-1) == syntax.WordToken && c.kind(i-2) != syntax.AssignToken {
		return w
	}
	if c.op >= 0 && i > c.op {
		if name, _ := c.operator(); slices.Contains([]string{"join", "lookup", "union"}, name) && !slices.Contains(c.wordsFrom(c.op, i), "on") {
			return name
		}
	}
	return ""
}

// inTables says that a table is wanted without a parenthesis: union |, union A, |, join kind=inner |.
func (c *place) inTables(last int) bool {
	name, end := c.operator()
	switch name {
	case "union":
		if c.kind(last) == syntax.CommaToken || last == end-1 || c.isParameter(last) {
			c.parameters(name)
			return true
		}
	case "join", "lookup":
		if last == end-1 || c.isParameter(last) {
			c.parameters(name)
			return true
		}
	}
	return false
}

// isParameter says that a value of an operator's parameter stands at token i: kind=inner.
func (c *place) isParameter(i int) bool {
	return c.kind(i-1) == syntax.AssignToken && c.kind(i) == syntax.WordToken
}

func (c *place) wordsFrom(from, to int) []string {
	var out []string
	for i := max(from, 0); i < to && i < len(c.tokens); i++ {
		if c.tokens[i].Kind == syntax.WordToken {
			out = append(out, c.word(i))
		}
	}
	return out
}

// afterOperand says that something stands before the place that an operator may follow.
func (c *place) afterOperand(last int) bool {
	switch c.kind(last) {
	case syntax.StringToken, syntax.NumberToken, syntax.CloseToken:
		return true
	case syntax.WordToken:
		if _, end := c.operator(); c.op >= 0 && last < end {
			return false
		}
		return !isConnective(c.word(last))
	}
	return false
}

// isConnective says that an operand follows a word.
func isConnective(w string) bool {
	w = strings.TrimPrefix(w, "!")
	return slices.ContainsFunc(append(comparisons(), "and", "or", "by", "on", "with", "from", "to", "step", "of", "regex", "matches", "in", "in~", "between", "default", "where"), func(s string) bool { return s == w })
}

func comparisons() []string {
	return []string{"has", "has_cs", "contains", "contains_cs", "startswith", "startswith_cs", "endswith", "endswith_cs", "hasprefix", "hasprefix_cs", "hassuffix", "hassuffix_cs", "has_any", "has_all", "in", "in~", "between", "matches regex", "=~"}
}

// between adds what joins operands, and the clauses that the operator may still have.
func (c *place) between(name string, end int) {
	words := c.wordsFrom(end, len(c.tokens))
	has := func(w string) bool { return slices.Contains(words, w) }
	clause := func(list ...string) {
		for _, w := range list {
			if !has(w) {
				c.add(Keyword, w, w+" ", "", "")
			}
		}
	}
	switch name {
	case "sort", "order", "top":
		if name == "top" && !has("by") {
			clause("by")
			return
		}
		for _, w := range []string{"asc", "desc", "nulls first", "nulls last"} {
			c.add(Keyword, w, w, "", "")
		}
	case "summarize":
		clause("by")
	case "join", "lookup":
		clause("on")
	case "make-series":
		clause("default", "on", "from", "to", "step", "by")
	case "parse", "parse-where", "parse-kv":
		clause("with", "as")
	case "top-hitters", "sample-distinct":
		clause("of", "by")
	case "mv-expand":
		clause("to", "limit")
	case "mv-apply":
		clause("to", "limit", "on")
	case "range":
		clause("from", "to", "step")
		return
	case "render":
		clause("with")
		return
	case "":
		return
	}
	for _, w := range []string{"and", "or", "=="} {
		c.add(Keyword, w, w+" ", "", wordDoc(w))
	}
	for _, w := range comparisons() {
		insert := w + " "
		if strings.HasPrefix(w, "in") || strings.HasPrefix(w, "has_a") || w == "between" {
			insert = w + " ("
		}
		c.add(Keyword, w, insert, "", wordDoc(w))
		if w != "matches regex" && w != "=~" && !strings.HasPrefix(w, "has_a") {
			c.add(Keyword, "!"+w, "!"+insert, "", wordDoc("!"+w))
		}
	}
}

// operand adds what a value may begin with.
func (c *place) operand(name string, end, last int) {
	words := c.wordsFrom(end, len(c.tokens))
	first := last == end-1
	switch name {
	case "project-away", "project-keep", "project-reorder", "distinct":
		c.columns()
		if name == "distinct" && first {
			c.add(Keyword, "*", "*", "", "every column")
		}
		return
	case "render":
		for _, w := range syntax.Charts() {
			c.add(Value, w, w, "", "")
		}
		return
	case "evaluate":
		if first {
			for _, f := range supported(builtin.Plugin) {
				c.add(Plugin, f.Name, f.Name+"(", f.Signature(), f.Doc)
			}
			return
		}
	case "sort", "order", "partition", "facet", "reduce":
		if first {
			c.parameters(name)
			c.add(Keyword, "by", "by ", "", "")
			return
		}
	case "invoke":
		c.names(false, true)
		return
	case "count", "getschema", "consume":
		if name == "count" && first {
			c.add(Keyword, "as", "as ", "", "")
		}
		return
	case "as":
		return
	case "take", "limit", "sample", "top", "top-hitters", "sample-distinct":
		if first {
			c.names(false, true)
			return
		}
	case "join", "lookup":
		if slices.Contains(words, "on") {
			for _, s := range c.shared() {
				c.add(Column, s.Name, quoted(s.Name), s.Type.String(), c.columnDoc(s))
			}
			c.add(Keyword, "$left", "$left.", "", "a column of the table before the join")
			c.add(Keyword, "$right", "$right.", "", "a column of the table in the join")
			return
		}
	case "summarize", "make-series", "top-nested":
		if !slices.Contains(words, "by") && (name != "make-series" || !slices.Contains(words, "on")) {
			if first {
				c.add(Keyword, "by", "by ", "", "")
				c.parameters(name)
			}
			c.functions(builtin.Aggregate)
		}
	case "parse", "parse-where", "mv-expand", "mv-apply", "where", "filter":
		if first {
			c.parameters(name)
		}
	}
	c.columns()
	c.names(name == "", true)
	if c.inMembership(last) {
		c.tables()
	}
	c.functions(builtin.Scalar)
	switch name {
	case "extend", "project", "where", "filter", "serialize", "scan":
		c.functions(builtin.Window)
	}
	c.functions(builtin.Table)
	for _, t := range []string{"true", "false", "dynamic(", "datetime(", "timespan("} {
		c.add(Keyword, strings.TrimSuffix(t, "("), t, "", "")
	}
}

// inMembership says that the place is in the list of in, has_any or has_all.
func (c *place) inMembership(last int) bool {
	depth := 0
	for i := last; i > 0; i-- {
		switch c.kind(i) {
		case syntax.CloseToken:
			depth++
		case syntax.OpenToken:
			if depth == 0 {
				w := strings.TrimPrefix(c.word(i-1), "!")
				return w == "in" || w == "in~" || w == "has_any" || w == "has_all" || c.kind(i-1) == syntax.OpenToken && c.inMembership(i-1)
			}
			depth--
		}
	}
	return false
}

func (c *place) operators() {
	for _, f := range supported(builtin.Operator) {
		c.add(Operator, f.Name, f.Name+" ", "", f.Doc)
	}
}

// supported gives the vocabulary of a kind without what is refused.
func supported(k builtin.Kind) []*builtin.Function {
	return slices.DeleteFunc(builtin.All(), func(f *builtin.Function) bool { return f.Kind != k || f.Unsupported != "" })
}

func (c *place) functions(kinds ...builtin.Kind) {
	for _, k := range kinds {
		for _, f := range supported(k) {
			kind, insert := Function, f.Name+"("
			if k == builtin.Aggregate {
				kind = Aggregate
			}
			if f.Most() == 0 {
				insert += ")"
			}
			c.add(kind, f.Name, insert, f.Signature(), f.Doc)
		}
	}
}

func (c *place) columns() {
	for _, s := range c.look().Columns {
		c.add(Column, s.Name, quoted(s.Name), s.Type.String(), c.columnDoc(s))
	}
}

func (c *place) columnDoc(s bind.Seen) string {
	if s.Table == nil {
		return ""
	}
	return c.o.describe(s.Table.Name, s.Name)
}

// shared gives the columns that both tables of a join have.
func (c *place) shared() []bind.Seen {
	s := c.look()
	if s.Right == nil {
		return s.Columns
	}
	var out []bind.Seen
	for _, l := range s.Columns {
		if slices.ContainsFunc(s.Right, func(r bind.Seen) bool { return r.Name == l.Name }) {
			out = append(out, l)
		}
	}
	return out
}

// names adds what is declared: tables, and values and functions.
func (c *place) names(tables, values bool) {
	for _, n := range c.look().Names {
		switch {
		case n.Function != nil:
			insert := quoted(n.Name) + "("
			if len(n.Function.Params) == 0 {
				insert += ")"
			}
			c.add(Name, n.Name, insert, signature(n), "")
		case n.Table && tables:
			c.add(Name, n.Name, quoted(n.Name), "table of "+columnList(n.Columns), "")
		case !n.Table && values:
			c.add(Name, n.Name, quoted(n.Name), typeText(n.Type), "")
		}
	}
}

func typeText(t value.Type) string {
	if t == value.Unknown {
		return ""
	}
	return t.String()
}

// signature gives a declared function as it is called.
func signature(n bind.SeenName) string {
	parts := make([]string, 0, len(n.Function.Params))
	for _, p := range n.Function.Params {
		t := p.Type
		if p.Table {
			t = "table"
		}
		parts = append(parts, p.Name.Name+":"+t)
	}
	return n.Name + "(" + strings.Join(parts, ", ") + ")"
}

// columnList gives the names of some columns.
func columnList(cols []rel.Column) string {
	const shown = 8
	names := make([]string, 0, shown)
	for i, col := range cols {
		if i == shown {
			names = append(names, "…")
			break
		}
		names = append(names, col.Name)
	}
	return strings.Join(names, ", ")
}

func (c *place) tables() {
	if c.o.Catalog == nil {
		return
	}
	names := slices.Clone(c.o.Catalog.TableNames())
	slices.Sort(names)
	for _, n := range names {
		c.add(Table, n, quoted(n), "", c.o.describe(n, ""))
	}
}

// quoted gives a name as it has to be written.
func quoted(name string) string {
	if syntax.IsPlainName(name) {
		return name
	}
	return `["` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"]`
}

func (c *place) types() {
	for _, t := range []string{"string", "long", "datetime", "dynamic", "bool", "int", "real", "decimal", "timespan", "guid"} {
		c.add(Type, t, t, "", "")
	}
}

// members adds the columns of a join's side, or the properties that the store knows of a dynamic column, behind the dot
// after token i.
func (c *place) members(i int) {
	switch c.word(i) {
	case "$left", "$right":
		list := c.look().Columns
		if c.word(i) == "$right" {
			list = c.look().Right
		}
		for _, s := range list {
			c.add(Column, s.Name, quoted(s.Name), s.Type.String(), c.columnDoc(s))
		}
		return
	}
	// The path back to the column: Column.a[0].b.
	start := i
	for start > 0 && c.kind(start) != syntax.WordToken {
		start--
	}
	for start > 1 && (c.kind(start-1) == syntax.DotToken || c.kind(start-1) == syntax.CloseToken) {
		start--
		for start > 0 && c.kind(start) != syntax.WordToken {
			start--
		}
	}
	if i < 0 || start > i || c.kind(start) != syntax.WordToken {
		return
	}
	path := c.text[c.tokens[start].At.End:c.tokens[i].At.End]
	for _, s := range c.look().Columns {
		if s.Name != c.word(start) || s.Table == nil {
			continue
		}
		for _, sh := range s.Table.Shadows {
			rest, ok := strings.CutPrefix(sh.Path, path+".")
			if sh.Column != s.Name || !ok {
				continue
			}
			if n := strings.IndexAny(rest, ".["); n >= 0 {
				rest = rest[:n]
			}
			c.add(Property, rest, quoted(rest), "", "")
		}
	}
}

// parameterName gives the name before the = at token i, with its dots: hint.strategy.
func (c *place) parameterName(i int) string {
	name := c.word(i - 1)
	for i -= 2; c.kind(i) == syntax.DotToken && i > 0; i -= 2 {
		name = c.word(i-1) + "." + name
	}
	return name
}

// parameters adds the parameters that an operator takes before its operands.
func (c *place) parameters(operator string) {
	for _, p := range operatorParameters(operator) {
		c.add(Keyword, p+"=", p+"=", "", "")
	}
}

func operatorParameters(operator string) []string {
	switch operator {
	case "join":
		return []string{"kind", "hint.strategy"}
	case "lookup":
		return []string{"kind"}
	case "union":
		return []string{"kind", "withsource", "isfuzzy"}
	case "mv-expand":
		return []string{"bagexpansion", "with_itemindex"}
	case "mv-apply":
		return []string{"with_itemindex"}
	case "parse", "parse-where":
		return []string{"kind"}
	case "make-series":
		return []string{"kind"}
	}
	return nil
}

// parameterValue adds the values of an operator's parameter, and says whether it is one.
func (c *place) parameterValue(parameter, operator string) bool {
	var list []string
	switch parameter {
	case "kind":
		switch operator {
		case "join":
			list = []string{"inner", "innerunique", "leftouter", "rightouter", "fullouter", "leftanti", "rightanti", "leftsemi", "rightsemi"}
		case "lookup":
			list = []string{"leftouter", "inner"}
		case "union":
			list = []string{"outer", "inner"}
		case "parse", "parse-where":
			list = []string{"simple", "relaxed", "regex"}
		case "make-series":
			list = []string{"nonempty"}
		case "search":
			list = []string{"case_insensitive", "case_sensitive"}
		}
	case "isfuzzy":
		list = []string{"true", "false"}
	case "bagexpansion":
		list = []string{"array", "bag"}
	case "hint.strategy":
		list = []string{"broadcast", "shuffle"}
	case "hint.remote":
		list = []string{"auto", "left", "local", "right"}
	}
	for _, w := range list {
		c.add(Value, w, w, "", wordDoc(w))
	}
	return list != nil
}

// inString adds the names that the string at token i may hold: of watchlists, tables, parts of a time.
func (c *place) inString(i int) {
	t := c.tokens[i]
	quote := strings.IndexAny(c.text[t.At.Start:], `"'`)
	if quote < 0 {
		return
	}
	c.typed = diag.At(t.At.Start+quote+1, len(c.text))
	if c.kind(i-1) != syntax.OpenToken && c.kind(i-1) != syntax.CommaToken {
		return
	}
	call, argument := c.call(i - 1)
	switch {
	case call == "_GetWatchlist" && argument == 0:
		names := make([]string, 0, len(c.o.Watchlists))
		for n := range c.o.Watchlists {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, n := range names {
			c.add(Watchlist, n, n, "table of "+columnList(c.o.Watchlists[n].Columns), "")
		}
	case call == "table" && argument == 0:
		c.tables()
	case argument == 0 && (call == "datetime_add" || call == "datetime_diff" || call == "datetime_part"):
		for _, p := range []string{"year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond", "nanosecond"} {
			c.add(Value, p, p, "", "")
		}
	case argument == 0 && call == "column_ifexists":
		c.columns()
	case call == "parse_user_agent" && argument == 1:
		for _, p := range []string{"browser", "os", "device"} {
			c.add(Value, p, p, "", "")
		}
	}
}

// call gives the function in whose parentheses token i stands, and the number of the argument that follows it.
func (c *place) call(i int) (string, int) {
	depth, argument := 0, 0
	for ; i > 0; i-- {
		switch c.kind(i) {
		case syntax.CloseToken:
			depth++
		case syntax.CommaToken:
			if depth == 0 {
				argument++
			}
		case syntax.OpenToken:
			if depth == 0 {
				return c.word(i - 1), argument
			}
			depth--
		}
	}
	return "", 0
}
