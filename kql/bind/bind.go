// Package bind gives a tree of syntax its meaning: it finds tables, columns and functions by name,
// checks types, names results as Kusto does, and builds the relational tree.
//
// An operator is one file, op_NAME.go. Every mistake in a query is reported with its place; what could
// not be understood has the type Unknown, about which nothing further is said.
package bind

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"glassward/kql/builtin"
	"glassward/kql/diag"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// The codes of the binder's diagnostics.
const (
	UnknownColumn    diag.Code = "KQL0201"
	UnknownTable     diag.Code = "KQL0202"
	UnknownFunction  diag.Code = "KQL0203"
	WrongArguments   diag.Code = "KQL0204"
	WrongType        diag.Code = "KQL0205"
	Unsupported      diag.Code = "KQL0206"
	MisplacedCall    diag.Code = "KQL0207"
	NotConstant      diag.Code = "KQL0208"
	UnknownName      diag.Code = "KQL0209"
	UnknownWatchlist diag.Code = "KQL0210"
	MissingValue     diag.Code = "KQL0211"
	TooLarge         diag.Code = "KQL0212"
	BadLiteral       diag.Code = "KQL0213"
	BadJoin          diag.Code = "KQL0214"
	NotTable         diag.Code = "KQL0215"
	NotScalar        diag.Code = "KQL0216"
	NoQuery          diag.Code = "KQL0217"
	SkippedTable     diag.Code = "KQL0218"
	DuplicateColumn  diag.Code = "KQL0219"
	TextAsDynamic    diag.Code = "KQL0220"
	TextAsColumn     diag.Code = "KQL0221"
	External         diag.Code = "KQL0230" // what externaldata asks for is not allowed or cannot be had
	UnknownWorkspace diag.Code = "KQL0231"
	Recursion        diag.Code = "KQL0232"
	DataColumns      diag.Code = "KQL0240" // the columns depend on the data, and nothing gives them
	NotExplored      diag.Code = "KQL0241" // looking at the data for the columns failed
	Guessed          diag.Code = "KQL0242" // a column is there because the query names it
	AssertFailed     diag.Code = "KQL0222"
)

// Catalog gives the stored tables.
type Catalog interface {
	Table(name string) (*rel.Table, bool)
	TableNames() []string
}

// Options are what names in a query may stand for.
type Options struct {
	Catalog      Catalog
	Watchlists   map[string]*rel.Values // with all their columns, SearchKey included
	Placeholders map[string]any
	Parameters   map[string]string // what is given for query parameters: literals, or their bare text
	Addresses    bool              // the engine has a database of addresses
	// Functions are the stored functions, by name.
	Functions map[string]*Function
	// External gives the rows of externaldata; without it queries have nothing from outside.
	External func(ExternalData) (*rel.Values, error)
	// Workspace gives the tables of a workspace by the name in workspace("name") or database("name"),
	// if whoever asks may see them; without it no name is known.
	Workspace func(name string) (Catalog, bool)
	// Beside are the tables of workspaces that are read together with Catalog's: a name means the rows of all.
	Beside []Catalog
	// Start and End are what {{StartTimeISO}} and {{EndTimeISO}} stand for, datetimes.
	Start, End rel.Expr
	// Explore gives the rows of a table now, so that a plugin can learn from the data which columns it
	// gives. Without it a plugin whose columns depend on the data needs them named.
	Explore func(r rel.Rel) ([][]any, error)
}

// Result is a bound query.
type Result struct {
	Rel rel.Rel
	// Name is that of the result where an operator that gives several names them, More are the further results
	// of the text: of fork and facet, and of further statements.
	Name string
	// Render is the operator of that name with which the result ends, nil where there is none.
	Render *syntax.Render
	More   []Table
	Limits Limits
	Places map[rel.Rel]diag.Span // where the operators stand that nodes were made of
}

// Bind gives the relational tree of a query. The result is nil if the diagnostics hold an error.
func Bind(file *syntax.File, o Options) (*Result, diag.List) {
	a := attempt{fetched: map[*syntax.ExternalData]*fetch{}}
	r, b := bindFile(file, o, a)
	if b.missedTimestamp {
		// Read again with the name that Defender has for the time; see timestamp.go.
		a.timestamp = true
		if r2, b2 := bindFile(file, o, a); !b2.missedTimestamp {
			r, b = r2, b2
		} else {
			a.timestamp = false
		}
	}
	if r == nil && b.vacant {
		if r2, b2 := guess(file, o, a, b.missing); r2 != nil {
			r, b = r2, b2
		}
	}
	return r, b.diags
}

// attempt is how a text is read: at first as it stands.
type attempt struct {
	timestamp   bool                            // tables have the column Timestamp
	guessing    bool                            // data that give no columns have those in assumed
	assumed     []string                        // what the query names
	assumedType value.Type                      // and their type
	fetched     map[*syntax.ExternalData]*fetch // by all attempts
}

// maxGuesses bounds how often a query is bound again for columns that nothing gives.
const maxGuesses = 6

// guess binds a query again whose columns depend on data that are not at hand, or have none, as a window
// without records. What the query names and nothing else has is taken to be what a bag or a pivot gives:
// what is right on the days that have records must not fail on the others, and a rule need not ask at all.
func guess(file *syntax.File, o Options, a attempt, missing []string) (*Result, *binder) {
	a.guessing = true
	for _, t := range []value.Type{value.Dynamic, value.String} {
		a.assumed, a.assumedType = missing, t
		for range maxGuesses {
			r, b := bindFile(file, o, a)
			if r != nil && (len(a.assumed) > 0 || o.Explore != nil) {
				return r, b
			}
			more := slices.DeleteFunc(b.missing, func(n string) bool { return slices.Contains(a.assumed, n) })
			if r != nil || len(more) == 0 {
				break
			}
			a.assumed = append(slices.Clone(a.assumed), more...)
		}
	}
	return nil, nil
}

func bindFile(file *syntax.File, o Options, a attempt) (*Result, *binder) {
	b := &binder{o: o, places: map[rel.Rel]diag.Span{}, parts: map[rel.Rel]bool{}, attempt: a, settings: map[string]rel.Expr{}, limits: Limits{take: -1}, patterns: map[string]*pattern{}}
	sc := b.rootScope()
	var tables []Table
	for _, s := range file.Stmts {
		b.last, b.more, b.firstName = nil, nil, ""
		if q, ok := s.(*syntax.Query); ok && q.Body != nil && len(q.Body.Ops) > 0 {
			b.last = q.Body.Ops[len(q.Body.Ops)-1]
		}
		if t := b.statement(s, sc); t != nil {
			drawn, _ := b.last.(*syntax.Render)
			tables = append(append(tables, Table{b.firstName, t.rel, drawn}), b.more...)
		}
		if len(tables) > maxTables {
			b.errorf(TooLarge, s, "", "the text gives more than %d tables", maxTables)
			break
		}
	}
	if len(tables) == 0 && !b.diags.HasErrors() {
		b.diags.Errorf(NoQuery, file.Span(), "end with a table or an expression, for example: SigninLogs | take 10", "the text holds no query, only definitions")
	}
	if b.diags.HasErrors() || len(tables) == 0 {
		return nil, b
	}
	if n := b.limits.take; n >= 0 {
		for i := range tables {
			tables[i].Rel = &rel.Limit{In: tables[i].Rel, N: rel.Long(n)}
		}
	}
	first := tables[0]
	return &Result{Rel: first.Rel, Name: first.Name, Render: first.Render, More: tables[1:], Limits: b.limits, Places: b.places}, b
}

type binder struct {
	o      Options
	diags  diag.List
	places map[rel.Rel]diag.Span
	parts  map[rel.Rel]bool // the rows as the operators of a partition see them
	calls  int              // user functions expanded so far
	hidden int              // hidden columns named so far
	looks  int              // times that the data were asked for columns
	attempt
	stages []stage
	look   *look // what Look watches for, else nil
	ours   bool  // what is being bound is a plugin's text, which names hidden columns
	loose  bool  // the operator that is being bound reads rows without an order

	root            *scope    // of the stored functions
	inside          []frame   // the stored functions whose bodies are being bound
	checked         *Function // the stored function that is bound by itself
	missedTimestamp bool      // the column Timestamp was asked for and is not there
	vacant          bool      // the data that were asked gave no columns
	missing         []string  // columns that are named and not there
	guessed         bool      // a plugin was given columns that are assumed
	patterns        map[string]*pattern
	constants       map[*syntax.Call]fixed // what toscalar() computes one time
	// settings are the values of set statements that functions ask for.
	settings map[string]rel.Expr
	limits   Limits

	last      syntax.Operator // of the statement: only it may give several tables
	more      []Table         // those beside the first
	firstName string          // and the first one's name
}

// MaxSteps bounds the operators that stand one after the other: the engine plans no more.
const MaxSteps = 900

// StepsHint says what to do about a query of more.
const StepsHint = "write what can stand together in one operator: where a and b, extend x = 1, y = 2"

// Bounds on what a text may expand to.
const (
	maxCalls    = 2000
	maxDepth    = 60
	maxExprSize = 20000
	maxTables   = 64
)

// table is a bound tabular expression.
type table struct {
	rel  rel.Rel
	open bool // something in it could not be resolved: unknown columns are no further mistake
	// loose says that the rows have no order that functions of neighbouring rows could rely on.
	loose bool
	name  string // for union withsource: a stored table's or an `as` name
}

func (t *table) cols() []rel.Column { return t.rel.Columns() }

// with gives the table after an operator.
func (t *table) with(r rel.Rel) *table { return &table{rel: r, open: t.open} }

// binding is what a let statement or a parameter gave a name.
type binding struct {
	scalar rel.Expr
	table  *table
	fn     *syntax.FuncLit
	scope  *scope    // of fn
	stored *Function // fn is the body of a stored function
	at     diag.Span
}

type scope struct {
	parent *scope
	names  map[string]*binding
	depth  int
}

func newScope(parent *scope) *scope {
	s := &scope{parent: parent, names: map[string]*binding{}}
	if parent != nil {
		s.depth = parent.depth
	}
	return s
}

func (s *scope) find(name string) *binding {
	for ; s != nil; s = s.parent {
		if b, ok := s.names[name]; ok {
			return b
		}
	}
	return nil
}

func (s *scope) all() []string {
	var out []string
	for ; s != nil; s = s.parent {
		out = slices.AppendSeq(out, maps.Keys(s.names))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (b *binder) errorf(code diag.Code, at syntax.Node, hint, format string, args ...any) {
	span, where := b.place(at.Span())
	b.diags.Errorf(code, span, hint, "%s%s", where, fmt.Sprintf(format, args...))
}

// warnf warns, but not of a stored function: that is said where the function is checked by itself.
func (b *binder) warnf(code diag.Code, at syntax.Node, hint, format string, args ...any) {
	if len(b.inside) == 0 {
		b.diags.Warnf(code, at.Span(), hint, format, args...)
	}
}

func (b *binder) unsupported(at syntax.Node, why string) {
	msg, hint, _ := strings.Cut(why, "; ")
	b.errorf(Unsupported, at, hint, "%s", lowerFirst(msg))
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func (b *binder) hiddenName(what string) string {
	b.hidden++
	return fmt.Sprintf("$%s%d", what, b.hidden)
}

// keptNames refuses columns that bear the names of hidden ones.
func (b *binder) keptNames(at syntax.Node, before, t *table) {
	if b.ours {
		return
	}
	for _, c := range t.cols() {
		if kept(c.Name) && (before == nil || rel.Index(before.cols(), c.Name) < 0) {
			b.errorf(DuplicateColumn, at, "give it a name that does not begin with $", "the name %s is kept for columns that a query's result does not show", c.Name)
		}
	}
}

// kept says whether a name is one of those that hidden columns have in the rewrites and in the SQL: $lineage, $n, $e1.
func kept(name string) bool {
	what, ok := strings.CutPrefix(name, "$")
	if !ok {
		return false
	}
	switch what {
	case "lineage", "lineage_right", "lineage_overflow", "one", "at", "first", "list", "found", "all", "empty":
		return true
	}
	letter := strings.TrimRight(what, "0123456789")
	return len(letter) == 1 && letter[0] >= 'a' && letter[0] <= 'z'
}

// statement binds a statement and gives the table of a query.
func (b *binder) statement(s syntax.Stmt, sc *scope) *table {
	switch s := s.(type) {
	case *syntax.Let:
		b.let(s, sc)
	case *syntax.Set:
		b.setting(s, sc)
	case *syntax.Pattern:
		b.declarePattern(s, sc)
	case *syntax.QueryParams:
		for _, p := range s.Params {
			b.queryParam(p, sc)
		}
	case *syntax.Query:
		if s.Body == nil {
			return nil
		}
		// A last statement that is a scalar gives one row of it.
		if len(s.Body.Ops) == 0 {
			if e, ok := s.Body.Source.(syntax.Expr); ok {
				bind := b.letValue(e, sc)
				if bind != nil && bind.fn != nil && len(bind.fn.Params) == 0 {
					bind = b.callUser(bind, nameOf(e), nil, &env{sc: bind.scope}, e)
				}
				if bind != nil {
					if bind.table != nil {
						return bind.table
					}
					if bind.fn != nil {
						return b.mustTable(bind, e, nameOf(e))
					}
					if bind.scalar != nil {
						return &table{rel: &rel.Values{Cols: []rel.Column{{Name: "print_0", Type: bind.scalar.Type()}}, Rows: [][]rel.Expr{{bind.scalar}}}}
					}
				}
				return nil
			}
		}
		return b.pipeline(s.Body, nil, sc)
	}
	return nil
}

func (b *binder) let(s *syntax.Let, sc *scope) {
	if s.Value == nil {
		return
	}
	bind := b.letValue(s.Value, sc)
	if bind == nil {
		bind = &binding{scalar: unknown()}
	}
	if bind.scalar != nil && exprSize(bind.scalar) > maxExprSize {
		b.errorf(TooLarge, s.Value, "", "the expression %s grows beyond what can be compiled", s.Name.Name)
		bind.scalar = unknown()
	}
	if bind.table != nil {
		c := *bind.table
		c.name = ""
		if m, ok := c.rel.(*rel.Shared); ok && m.Name == "" {
			c.rel = &rel.Shared{Name: s.Name.Name, In: m.In}
		}
		bind = &binding{table: &c}
	}
	bind.at = s.Name.Span()
	sc.names[s.Name.Name] = bind
}

// letValue binds what may be a scalar, a table or a function.
func (b *binder) letValue(e syntax.Expr, sc *scope) *binding {
	switch e := e.(type) {
	case *syntax.Paren:
		return b.letValue(e.X, sc)
	case *syntax.FuncLit:
		for _, p := range e.Params {
			if _, ok := value.ParseType(p.Type); !ok && p.Type != "" {
				b.unknownType(p, p.Type)
			}
		}
		b.lookInto(e, sc)
		return &binding{fn: e, scope: sc}
	case *syntax.Name:
		if f := sc.find(e.Name); f != nil {
			if f.fn != nil && len(f.fn.Params) == 0 && (f.fn.View || f.stored != nil) {
				return b.callUser(f, e.Name, nil, &env{sc: sc}, e)
			}
			return f
		}
		if t, ok := b.storedTable(e.Name); ok {
			return &binding{table: t}
		}
		if f, ok := builtin.Lookup(builtin.Table, e.Name); ok && f.Most() == 0 {
			return b.tableCall(f, &syntax.Call{Base: e.Base, Func: e}, &env{sc: sc})
		}
		b.unknownTable(e, e.Name, sc)
		return &binding{table: openTable()}
	case *syntax.Member:
		if r := b.patternPath(e, sc); r != nil {
			return r
		}
		if t := b.elsewhere(e); t != nil {
			return &binding{table: t}
		}
	case *syntax.Index:
		if r := b.patternPath(e, sc); r != nil {
			return r
		}
	case *syntax.Pipeline:
		if len(e.Ops) == 0 {
			if x, ok := e.Source.(syntax.Expr); ok {
				return b.letValue(x, sc)
			}
		}
		return &binding{table: b.pipeline(e, nil, sc)}
	case *syntax.Call:
		return b.anyCall(e, &env{sc: sc})
	case *syntax.Datatable, *syntax.ExternalData:
		return &binding{table: b.tableExpr(e, sc)}
	}
	return &binding{scalar: b.expr(e, &env{sc: sc})}
}

func exprSize(e rel.Expr) int { return rel.ExprSize(e, maxExprSize) }

func openTable() *table {
	return &table{rel: &rel.Values{}, open: true}
}

func (b *binder) storedTable(name string) (*table, bool) {
	if b.o.Catalog == nil {
		return nil, false
	}
	var all []*table
	for _, c := range append([]Catalog{b.o.Catalog}, b.o.Beside...) {
		if t, ok := c.Table(name); ok {
			all = append(all, &table{rel: b.scan(t), name: name, loose: true})
		}
	}
	switch len(all) {
	case 0:
		return nil, false
	case 1:
		return all[0], true
	}
	t := b.unite(all, "", false, "union_arg")
	t.name, t.loose = name, true
	return t, true
}

// tableNames gives the names of the stored tables.
func (b *binder) tableNames() []string {
	if b.o.Catalog == nil {
		return nil
	}
	names := b.o.Catalog.TableNames()
	for _, c := range b.o.Beside {
		for _, n := range c.TableNames() {
			if !slices.Contains(names, n) {
				names = append(slices.Clip(names), n)
			}
		}
	}
	return names
}

func (b *binder) unknownTable(at syntax.Node, name string, sc *scope) {
	names := b.tableNames()
	names = append(slices.Clone(names), sc.all()...)
	b.errorf(UnknownTable, at, fewHint(name, names), "there is no table %s", name)
}

// tableExpr binds an expression that must be a table.
func (b *binder) tableExpr(e syntax.Expr, sc *scope) *table {
	switch e := e.(type) {
	case *syntax.Paren:
		return b.tableExpr(e.X, sc)
	case *syntax.Pipeline:
		return b.pipeline(e, nil, sc)
	case *syntax.BadExpr:
		return openTable()
	}
	if s, ok := e.(syntax.Source); ok {
		return b.source(s, nil, sc)
	}
	b.errorf(NotTable, e, "", "a table is needed here")
	return openTable()
}

// source binds what stands at the head of a pipeline.
func (b *binder) source(s syntax.Source, in *table, sc *scope) *table {
	switch s := s.(type) {
	case *syntax.Name:
		bind := b.letValue(s, sc)
		return b.mustTable(bind, s, s.Name)
	case *syntax.Paren:
		return b.tableExpr(s.X, sc)
	case *syntax.Call:
		return b.mustTable(b.anyCall(s, &env{sc: sc}), s, "the call")
	case *syntax.Datatable:
		return b.datatable(s, sc)
	case *syntax.ExternalData:
		return b.externalData(s, sc)
	case *syntax.Index:
		if r := b.patternPath(s, sc); r != nil {
			return b.mustTable(r, s, "the pattern")
		}
	case *syntax.Member:
		if r := b.patternPath(s, sc); r != nil {
			return b.mustTable(r, s, "the pattern")
		}
		if t := b.elsewhere(s); t != nil {
			return t
		}
		b.errorf(NotTable, s, "", "a table is needed here")
		return openTable()
	case *syntax.Placeholder:
		b.errorf(NotTable, s, "", "a placeholder gives a value, and a table is needed here")
		return openTable()
	case *syntax.Wildcard:
		return b.union(&syntax.Union{Tables: []syntax.Expr{s}}, nil, sc)
	case *syntax.BadExpr:
		return openTable()
	}
	if o, ok := s.(syntax.Operator); ok {
		return b.operator(o, in, sc)
	}
	b.errorf(NotTable, s, "", "a table is needed here")
	return openTable()
}

func (b *binder) mustTable(bind *binding, at syntax.Node, what string) *table {
	switch {
	case bind == nil:
		return openTable()
	case bind.table != nil:
		return bind.table
	case bind.fn != nil:
		if len(bind.fn.Params) == 0 {
			if r := b.callUser(bind, what, nil, &env{sc: bind.scope}, at); r != nil && r.table != nil {
				return r.table
			}
		}
		b.errorf(NotTable, at, "call it: "+what+"(…)", "%s is a function, and a table is needed here", what)
	case bind.scalar.Type() != value.Unknown:
		b.errorf(NotTable, at, "", "%s is a value of type %s, and a table is needed here", what, bind.scalar.Type())
	}
	return openTable()
}

// pipeline binds a source and the operators after it; in is what a pipeline without source reads.
func (b *binder) pipeline(p *syntax.Pipeline, in *table, sc *scope) *table {
	t := in
	if sc.depth > maxDepth {
		b.errorf(TooLarge, p, "", "tables are nested too deeply")
		return openTable()
	}
	sc = newScope(sc)
	sc.depth++
	if p.Source != nil {
		t = b.source(p.Source, in, sc)
	}
	if t == nil {
		t = openTable()
	}
	if p.Source != nil {
		b.keptNames(p.Source, in, t)
	}
	above, loose := b.stages, b.loose
	defer func() { b.stages, b.loose = above, loose }()
	b.stages = nil
	for i, op := range p.Ops {
		if i == MaxSteps {
			// Said before what is too much takes time.
			b.errorf(TooLarge, op, StepsHint, "the query has %d steps one after the other, at most %d can be compiled", len(p.Ops), MaxSteps)
			break
		}
		before := t
		b.see(op, t, sc)
		_, given := op.(*syntax.Serialize)
		b.loose = before.loose && !given
		c := *b.operator(op, t, sc)
		c.loose = loosens(op, before.loose)
		t = &c
		b.keptNames(op, before, t)
		b.stages = append(b.stages, stage{op, before.cols(), t.cols()})
		if _, ok := b.places[t.rel]; !ok {
			b.places[t.rel], _ = b.place(op.Span())
		}
	}
	return t
}

// loosens says whether the rows after an operator have no order, by whether those before it had none. Where Kusto's
// rule is not plain, they are taken to have one.
func loosens(op syntax.Operator, before bool) bool {
	switch op.(type) {
	case *syntax.Summarize, *syntax.Distinct, *syntax.Join, *syntax.Lookup, *syntax.Union:
		return true
	case *syntax.Where, *syntax.Extend, *syntax.Project, *syntax.ProjectAway, *syntax.ProjectKeep, *syntax.ProjectRename, *syntax.ProjectReorder,
		*syntax.Take, *syntax.MvExpand, *syntax.ParseOp, *syntax.ParseKV, *syntax.As:
		return before
	}
	return false
}
