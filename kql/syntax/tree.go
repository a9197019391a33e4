// Package syntax reads KQL: it turns a query's text into a tree and a tree into canonical text.
//
// Parse always gives a tree and never panics; what could not be understood is a BadExpr, BadOp or
// BadStmt in it and a diagnostic beside it. The tree holds what was written, not what it means: names
// are not resolved, and where KQL's grammar cannot tell a scalar from a table (`let x = Y;`,
// `f(Y)`) the tree does not either.
//
// The language is described at https://learn.microsoft.com/kusto/query/.
package syntax

import (
	"strings"

	"glassward/kql/diag"
)

// Node is any part of the tree.
type Node interface {
	Span() diag.Span // where it stands in the source
}

// Stmt is a statement: *Let, *QueryParams, *Pattern, *Set, *Alias, *Query or *BadStmt.
type Stmt interface {
	Node
	stmt()
}

// Operator is what follows a pipe: *Where, *Project, …, or *BadOp.
// Some may also stand at the head of a pipeline; these are Sources too.
type Operator interface {
	Node
	// Keyword gives the operator's name as written, in lower case: "where", "filter", "mv-expand".
	Keyword() string
	operator()
	format(*printer) *doc // what follows the keyword
}

// Expr is an expression: a scalar, or a table where the context takes one (then *Pipeline, or
// anything that is a Source). The kinds are *Name, *Wildcard, *Star, *Literal, *StringLit, *DynamicLit,
// *JSONArray, *JSONObject (these two only within a DynamicLit), *Member, *Index, *Call, *Unary,
// *Binary, *Membership, *Between, *Paren, *TypeOf, *FuncLit, *Placeholder, *Pipeline, *Datatable,
// *ExternalData and *BadExpr.
type Expr interface {
	Node
	expr()
}

// Source is what may stand at the head of a pipeline: *Name, *Wildcard (in union), *Call, *Member
// (`database("d").T`), *Paren, *Placeholder, *Datatable, *ExternalData, the operators *Print, *Range,
// *Union, *Search, *Find, *Evaluate, and *BadExpr. A Source that is no operator is an Expr.
type Source interface {
	Node
	source()
}

// Base gives a node its place. Nodes that a later stage makes up take the place of what they stand for.
type Base struct {
	At diag.Span
}

// Span gives where the node stands in the source.
func (b *Base) Span() diag.Span { return b.At }

// File is a whole query text: statements separated by semicolons.
type File struct {
	Base
	Stmts    []Stmt
	Comments []Comment // every comment, in order
	src      string    // for the empty lines in it
}

// Comment is one // comment, without the line's end.
type Comment struct {
	At   diag.Span
	Text string // with its slashes
	Own  bool   // nothing but white space stands before it on its line
}

// Ident is a name that is declared or labels something; it is no expression.
type Ident struct {
	Base
	Name   string // without brackets and quotes
	Quoted bool   // written ['…'] or ["…"]
}

// ---- Statements

type (
	// Let is `let Name = Value`. The value is a scalar or a table, or a *FuncLit.
	Let struct {
		Base
		Name  Ident
		Value Expr
	}

	// QueryParams is `declare query_parameters(a:string = "x", …)`.
	QueryParams struct {
		Base
		Params []*Parameter
	}

	// Pattern is `declare pattern name = (a:string)[b:string] { ("x").["y"] = { … }; … }`, which gives tables
	// names made of texts. Path is nil if there is none; without Arms the pattern is only announced.
	Pattern struct {
		Base
		Name   Ident
		Params []*Parameter
		Path   *Parameter
		Arms   []*PatternArm
	}

	// Set is `set name = value` or `set name`; Value is nil in the second form.
	Set struct {
		Base
		Name  Ident
		Value Expr
	}

	// Alias is `alias database Name = Value`; it has no effect here and the parser warns of it.
	Alias struct {
		Base
		Name  Ident
		Value Expr
	}

	// Query is a statement that gives a result. A last statement that is a bare scalar or name is a
	// pipeline without operators.
	Query struct {
		Base
		Body *Pipeline
	}

	// BadStmt is a statement that could not be understood; a diagnostic says why.
	BadStmt struct {
		Base
	}
)

// Parameter is a parameter of a function, of the query or of scan's declare: `name:type = default`,
// or, if Table, `name:(*)` (no Columns) or `name:(a:string, …)`.
type Parameter struct {
	Base
	Name    Ident
	Type    string // the scalar type as written; "" for a table
	Table   bool
	Columns []*ColumnDecl
	Default Expr // nil if none
}

// PatternArm is `("x").["y"] = { … }` in a pattern: what stands for these texts. Path is nil if there is none.
type PatternArm struct {
	Base
	Args []Expr
	Path Expr
	Body *Block
}

// ColumnDecl is `name:type`. Type is "" where it may be left out and was.
type ColumnDecl struct {
	Base
	Name Ident
	Type string
}

// Schema is a list of columns in parentheses; Star says that it begins with `*`, "the input's columns".
type Schema struct {
	Base
	Star    bool
	Columns []*ColumnDecl
}

// ---- Expressions

// LitKind is the type of a literal.
type LitKind uint8

const (
	NullLit     LitKind = iota // null within dynamic(…)
	BoolLit                    // true, bool(true)
	IntLit                     // int(1)
	LongLit                    // 1, 0xff, long(1)
	RealLit                    // 1.5, 1e3, real(nan)
	DecimalLit                 // decimal(1.5)
	DateTimeLit                // datetime(2020-01-01)
	TimeSpanLit                // 5m, timespan(1.00:00:00)
	GUIDLit                    // guid(…)
)

// String gives the KQL name of the literal's type.
func (k LitKind) String() string {
	return [...]string{"null", "bool", "int", "long", "real", "decimal", "datetime", "timespan", "guid"}[k]
}

type (
	// Name is a column, table, variable or function by name, `$left` and `$right` too.
	Name struct {
		Base
		Name   string // without brackets and quotes
		Quoted bool   // written ['…'] or ["…"]
	}

	// Wildcard is a name with stars, such as Signin*, where an operator takes patterns of names. Scope is
	// what stands before a dot, `database("d")`, else nil.
	Wildcard struct {
		Base
		Scope   Expr
		Pattern string
	}

	// Star is `*`.
	Star struct{ Base }

	// Literal is a literal other than a string. Text is what stands for the value, without type name,
	// parentheses and quotes: "0xff", "2020-01-01", "5m", "-inf"; it has been checked to be a value of
	// its kind except for datetime, timespan and guid texts in parentheses, which the binder reads.
	Literal struct {
		Base
		Kind LitKind
		Null bool // a typed null: int(null)
		Text string
		Raw  string // as written
	}

	// StringLit is a string. Adjacent string literals are one.
	StringLit struct {
		Base
		Value  string       // decoded
		Parts  []StringPart // as written, at least one
		Hidden bool         // h"…": Kusto keeps it out of its traces
	}

	// DynamicLit is dynamic(…). Value is *JSONObject, *JSONArray, *StringLit or *Literal; a
	// *Literal of kind NullLit is null.
	DynamicLit struct {
		Base
		Value Expr
	}

	// JSONObject is {"key": value, …} in a dynamic literal.
	JSONObject struct {
		Base
		Fields []*JSONField
	}

	// JSONArray is […] in a dynamic literal.
	JSONArray struct {
		Base
		Items []Expr
	}

	// Member is X.Name.
	Member struct {
		Base
		X    Expr
		Name Ident
	}

	// Index is X[Index]: a["b"], a[0], a[-1], a[expr].
	Index struct {
		Base
		X     Expr
		Index Expr
	}

	// Call is Func(Args). Func is a *Name, or a *Member for `database("d").f()`.
	Call struct {
		Base
		Func Expr
		Args []*NamedExpr
	}

	// Unary is -X or +X. (`not` is a function in KQL.)
	Unary struct {
		Base
		Op Op
		X  Expr
	}

	// Binary is X Op Y.
	Binary struct {
		Base
		Op    Op
		OpAt  diag.Span
		Alias string // the operator's spelling if it is not Op's own: "<>", "notcontains"; else ""
		X, Y  Expr
	}

	// Membership is X Op (List): in, !in, in~, !in~, has_any, has_all. An item may be a table
	// (*Pipeline, or anything that is a Source).
	Membership struct {
		Base
		Op   Op
		OpAt diag.Span
		X    Expr
		List []Expr
	}

	// Between is X between (Low .. High), or X !between (…).
	Between struct {
		Base
		Not       bool
		OpAt      diag.Span
		X         Expr
		Low, High Expr
	}

	// Paren is (X).
	Paren struct {
		Base
		X Expr
	}

	// TypeOf is typeof(long), typeof(a:long, b:string) or typeof(*).
	TypeOf struct {
		Base
		Type   string  // if a single type
		Schema *Schema // else
	}

	// FuncLit is a function: `(a:long, T:(*)) { let …; result }`, with `view` before it a view.
	FuncLit struct {
		Base
		View   bool
		Params []*Parameter
		Body   *Block
	}

	// Placeholder is {{Name}}, as templates of Sentinel rules have it.
	Placeholder struct {
		Base
		Name string
	}

	// Pipeline is Source | Op | Op…. Source is nil in what mv-apply, partition, fork and facet hold,
	// which take their input from outside. As an expression it stands where a table is expected.
	Pipeline struct {
		Base
		Source Source
		Ops    []Operator
	}

	// Datatable is datatable(a:long, b:string)[1, "x", …]; Values run row by row.
	Datatable struct {
		Base
		Params  Params
		Columns []*ColumnDecl
		Values  []Expr
	}

	// ExternalData is externaldata(a:string)[uri, …] with (format="csv").
	ExternalData struct {
		Base
		Params  Params
		Columns []*ColumnDecl
		URIs    []Expr
		With    Params
	}

	// BadExpr is an expression that could not be understood; a diagnostic says why.
	BadExpr struct{ Base }
)

// StringPart is one of adjacent string literals.
type StringPart struct {
	At  diag.Span
	Raw string // as written, straightened if its quotes were typographic
}

// JSONField is "key": value.
type JSONField struct {
	Base
	Key   *StringLit
	Value Expr
}

// Block is a function's body: let statements, then the result.
type Block struct {
	Base
	Stmts  []Stmt // let, set and the like
	Result Expr   // scalar or table
}

// NamedExpr is `Value`, `name = Value` or `(a, b) = Value`; function arguments take the first two forms.
type NamedExpr struct {
	Base
	Names []Ident // none, one, or several if Tuple
	Tuple bool    // written with parentheses
	Value Expr
}

// Name gives the single name that was given, or "".
func (n *NamedExpr) Name() string {
	if len(n.Names) != 1 {
		return ""
	}
	return n.Names[0].Name
}

// Param is an operator's `name=value`: kind=inner, hint.strategy=shuffle, withsource=Table.
type Param struct {
	Base
	Name  string // as written
	Value Expr   // a bare word is a *Name
	More  []Expr // render's ycolumns=a, b: the values after the first
}

// Word gives the value if it is a bare word or a literal (a string's decoded value, a number with its sign), and ""
// otherwise.
func (p *Param) Word() string {
	switch v := p.Value.(type) {
	case *Name:
		return v.Name
	case *StringLit:
		return v.Value
	case *Literal:
		return v.Text
	case *Unary:
		if x, ok := v.X.(*Literal); ok && v.Op == Sub {
			return "-" + x.Text
		}
	}
	return ""
}

// Params are an operator's parameters in the order written.
type Params []*Param

// Get gives the last parameter of that name in whatever letters, or nil.
func (p Params) Get(name string) *Param {
	for i := len(p) - 1; i >= 0; i-- {
		if strings.EqualFold(p[i].Name, name) {
			return p[i]
		}
	}
	return nil
}

// Word gives Get(name).Word(), and "" if the parameter is absent.
func (p Params) Word(name string) string {
	if q := p.Get(name); q != nil {
		return q.Word()
	}
	return ""
}

// Direction is how to order.
type Direction uint8

const (
	NoDirection Direction = iota // not written; sort and top mean desc
	Asc
	Desc
	GrannyAsc // numbers within names in their order; project-reorder only
	GrannyDesc
)

// String gives the keyword, "" for NoDirection.
func (d Direction) String() string {
	return [...]string{"", "asc", "desc", "granny-asc", "granny-desc"}[d]
}

// Nulls is where nulls go when ordering.
type Nulls uint8

const (
	NoNulls Nulls = iota // not written: first if ascending, last if descending
	NullsFirst
	NullsLast
)

// String gives the keywords, "" for NoNulls.
func (n Nulls) String() string { return [...]string{"", "nulls first", "nulls last"}[n] }

// Order is one key of an ordering.
type Order struct {
	Base
	Value *NamedExpr
	Dir   Direction
	Nulls Nulls
}

// ---- Operators

// op carries what every operator has.
type op struct {
	Base
	Word string // keyword as written, in lower case
}

// Keyword gives the operator's name as written, in lower case.
func (o *op) Keyword() string { return o.Word }
func (o *op) operator()       {}

type (
	// Where is `where Cond` or `filter Cond`.
	Where struct {
		op
		Params Params
		Name   *Ident // of `where name = true …`, which Kusto takes and gives no meaning; nil if none
		Cond   Expr
	}

	// Extend is `extend a = x, …`.
	Extend struct {
		op
		Items []*NamedExpr
	}

	// Project is `project a, b = x, …`.
	Project struct {
		op
		Items []*NamedExpr
	}

	// ProjectAway is `project-away a, b*`; Items are *Name, *Wildcard or *Star.
	ProjectAway struct {
		op
		Items []Expr
	}

	// ProjectKeep is `project-keep a, b*`; Items are *Name, *Wildcard or *Star.
	ProjectKeep struct {
		op
		Items []Expr
	}

	// ProjectRename is `project-rename new = old, …`.
	ProjectRename struct {
		op
		Items []*NamedExpr
	}

	// ProjectReorder is `project-reorder a, b* asc`; the values are *Name, *Wildcard or *Star.
	ProjectReorder struct {
		op
		Items []*Order
	}

	// Summarize is `summarize Aggs by By`. Params hold hint.*.
	Summarize struct {
		op
		Params Params
		Aggs   []*NamedExpr
		By     []*NamedExpr
	}

	// Sort is `sort by` or `order by`.
	Sort struct {
		op
		Params Params
		By     []*Order
	}

	// Top is `top N by Key`.
	Top struct {
		op
		Params Params
		N      Expr
		By     *Order
	}

	// TopNested is `top-nested N of X by Agg, top-nested …`.
	TopNested struct {
		op
		Levels []*TopNestedLevel
	}

	// TopHitters is `top-hitters N of X by Y`; By is nil if absent.
	TopHitters struct {
		op
		N  Expr
		Of *NamedExpr
		By *Order
	}

	// Take is `take N` or `limit N`.
	Take struct {
		op
		Params Params
		N      Expr
	}

	// Sample is `sample N`.
	Sample struct {
		op
		Params Params
		N      Expr
	}

	// SampleDistinct is `sample-distinct N of X`.
	SampleDistinct struct {
		op
		Params Params
		N      Expr
		Of     *NamedExpr
	}

	// Distinct is `distinct a, b` or `distinct *`; an item may be a *Star or *Wildcard.
	Distinct struct {
		op
		Params Params
		Items  []*NamedExpr
	}

	// Count is `count`; As is the result column's name of `count as Name`, else nil.
	Count struct {
		op
		As *Ident
	}

	// Join is `join kind=… (Right) on …`; each of On is a *Name or a condition such as
	// `$left.a == $right.b` (conditions joined by `and` stay one *Binary).
	Join struct {
		op
		Params Params // kind, hint.*
		Right  Expr   // a table
		On     []Expr
	}

	// Lookup is `lookup kind=… (Right) on …`.
	Lookup struct {
		op
		Params Params
		Right  Expr
		On     []Expr
	}

	// Union is `union kind=… withsource=… isfuzzy=… T, (U | …), V*`, after a pipe or at the head.
	Union struct {
		op
		Params Params
		Tables []Expr
	}

	// MvExpand is `mv-expand …` or `mvexpand …`. Params hold bagexpansion, kind, with_itemindex.
	MvExpand struct {
		op
		Params Params
		Items  []*ExpandItem
		Limit  Expr // nil if absent
	}

	// MvApply is `mv-apply … on (Body)`; Body has no source.
	MvApply struct {
		op
		Params Params
		Items  []*ExpandItem
		Limit  Expr // nil if absent
		Body   *Pipeline
	}

	// ParseOp is `parse …` or `parse-where … with pattern`. Params hold kind and flags.
	ParseOp struct {
		op
		Params  Params
		X       Expr
		Pattern []PatternPart
	}

	// ParseKV is `parse-kv X as (a:string, …) with (pair_delimiter=…, …)`.
	ParseKV struct {
		op
		X       Expr
		Columns []*ColumnDecl
		With    Params
	}

	// MakeSeries is `make-series Aggs on On from … to … step … by By`, or, if InRange, the older
	// `in range(start, stop, step)`.
	MakeSeries struct {
		op
		Params         Params
		Aggs           []*SeriesAgg
		On             *NamedExpr
		From, To, Step Expr // From and To nil if absent
		InRange        bool
		By             []*NamedExpr
	}

	// Evaluate is `evaluate plugin(args) : (schema)`, after a pipe or at the head.
	Evaluate struct {
		op
		Params Params
		Call   *Call
		Schema *Schema // nil if absent
	}

	// Partition is `partition by X ( ops )` or, with braces, `partition by X { source | ops }`.
	Partition struct {
		op
		Params Params
		By     Expr
		Scope  Expr // `in (…)`, else nil
		Body   *Pipeline
		Braces bool
	}

	// Scan is `scan declare (…) with (step …; …)`. Params hold with_match_id and the like.
	Scan struct {
		op
		Params      Params
		OrderBy     []*Order
		PartitionBy []Expr
		Declare     []*Parameter
		Steps       []*ScanStep
	}

	// Serialize is `serialize a = x, …`; Items may be empty.
	Serialize struct {
		op
		Params Params
		Items  []*NamedExpr
	}

	// GetSchema is `getschema`.
	GetSchema struct {
		op
		Params Params
	}

	// Consume is `consume`.
	Consume struct {
		op
		Params Params
	}

	// As is `as Name`.
	As struct {
		op
		Params Params
		Name   Ident
	}

	// Invoke is `invoke f(args)`.
	Invoke struct {
		op
		Call *Call
	}

	// Fork is `fork name=(ops) (ops) …`.
	Fork struct {
		op
		Branches []*Branch
	}

	// Facet is `facet by a, b with (ops)`; With is nil if absent.
	Facet struct {
		op
		By   []Expr
		With *Pipeline
	}

	// Reduce is `reduce by X with threshold=…, characters=…`.
	Reduce struct {
		op
		Params Params
		By     Expr
		With   Params
	}

	// Render is `render timechart with (…)`.
	Render struct {
		op
		Chart string
		With  Params
	}

	// Search is `search kind=… in (T, …) Cond`, after a pipe or at the head.
	Search struct {
		op
		Params Params
		In     []Expr
		Cond   Expr
	}

	// Find is `find withsource=… in (T, …) where Cond project …`.
	Find struct {
		op
		Params  Params
		In      []Expr
		Cond    Expr
		Smart   bool   // project-smart
		Project []Expr // *Name, *Call of pack(*), or *TypedColumn
		Away    []Expr // project-away: *Name, *Wildcard or *Star
	}

	// Print is `print a = x, …`.
	Print struct {
		op
		Items []*NamedExpr
	}

	// Range is `range Name from … to … step …`.
	Range struct {
		op
		Name           Ident
		From, To, Step Expr
	}

	// BadOp is an operator that could not be understood or is not known; a diagnostic says why.
	BadOp struct{ op }
)

// TopNestedLevel is one level of top-nested. N is nil if all are taken; Others is nil if absent.
type TopNestedLevel struct {
	Base
	N      Expr
	Of     *NamedExpr
	Others Expr
	By     *Order
}

// ExpandItem is one column to expand; Type is that of `to typeof(…)`, or "".
type ExpandItem struct {
	Base
	Value *NamedExpr
	Type  string
}

// PatternPart is a part of parse's pattern: exactly one of Star, Text and Column is set.
type PatternPart struct {
	Base
	Star   bool
	Text   Expr        // *StringLit, or a name of one
	Column *ColumnDecl // name:type, type may be ""
}

// SeriesAgg is one aggregate of make-series; Default is nil if absent.
type SeriesAgg struct {
	Base
	Value   *NamedExpr
	Default Expr
}

// ScanStep is `step Name optional output=all: Cond => a = x, …`.
type ScanStep struct {
	Base
	Name     Ident
	Optional bool
	Output   string // "", "all", "last" or "none"
	Cond     Expr
	Assign   []*NamedExpr
}

// Branch is one branch of fork; Name is "" if it has none.
type Branch struct {
	Base
	Name Ident
	Body *Pipeline
}

// TypedColumn is `name:type` in find's projection.
type TypedColumn struct {
	Base
	Column ColumnDecl
}

func (*Let) stmt()         {}
func (*QueryParams) stmt() {}
func (*Pattern) stmt()     {}
func (*Set) stmt()         {}
func (*Alias) stmt()       {}
func (*Query) stmt()       {}
func (*BadStmt) stmt()     {}

func (*Name) expr()         {}
func (*Wildcard) expr()     {}
func (*Star) expr()         {}
func (*Literal) expr()      {}
func (*StringLit) expr()    {}
func (*DynamicLit) expr()   {}
func (*JSONObject) expr()   {}
func (*JSONArray) expr()    {}
func (*Member) expr()       {}
func (*Index) expr()        {}
func (*Call) expr()         {}
func (*Unary) expr()        {}
func (*Binary) expr()       {}
func (*Membership) expr()   {}
func (*Between) expr()      {}
func (*Paren) expr()        {}
func (*TypeOf) expr()       {}
func (*FuncLit) expr()      {}
func (*Placeholder) expr()  {}
func (*Pipeline) expr()     {}
func (*Datatable) expr()    {}
func (*ExternalData) expr() {}
func (*TypedColumn) expr()  {}
func (*BadExpr) expr()      {}

func (*Name) source()         {}
func (*Wildcard) source()     {}
func (*Call) source()         {}
func (*Member) source()       {}
func (*Index) source()        {}
func (*Paren) source()        {}
func (*Placeholder) source()  {}
func (*Datatable) source()    {}
func (*ExternalData) source() {}
func (*BadExpr) source()      {}
func (*Print) source()        {}
func (*Range) source()        {}
func (*Union) source()        {}
func (*Search) source()       {}
func (*Find) source()         {}
func (*Evaluate) source()     {}
