package bind

import (
	"fmt"
	"slices"
	"strings"

	"glassward/kql/diag"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// Function is a stored function: text in a file of its own that queries use by name.
type Function struct {
	Name         string
	File, Source string // the file and its whole text, for the places of mistakes
	Doc          string
	// Lit is the function. What a let statement of the file names is a function without parameters.
	Lit *syntax.FuncLit
	// Own are names that the function's file alone knows.
	Own []*Function
}

// frame is a stored function whose body is being bound, and where the query called the outermost.
type frame struct {
	fn *Function
	at diag.Span
}

// rootScope gives the scope of the query, above which stand the stored functions.
func (b *binder) rootScope() *scope {
	b.root = newScope(nil)
	for name, f := range b.o.Functions {
		b.root.names[name] = &binding{fn: f.Lit, scope: b.fileScope(f), stored: f}
	}
	return newScope(b.root)
}

// fileScope gives the scope in which a stored function stands.
func (b *binder) fileScope(f *Function) *scope {
	sc := newScope(b.root)
	for _, own := range f.Own {
		sc.names[own.Name] = &binding{fn: own.Lit, scope: sc, stored: own}
	}
	return sc
}

// enter says that what is bound until the function it gives is called stands in a stored function.
func (b *binder) enter(f *Function, at syntax.Node) func() {
	if f == nil {
		return func() {}
	}
	span, _ := b.place(at.Span())
	b.inside = append(b.inside, frame{f, span})
	return func() { b.inside = b.inside[:len(b.inside)-1] }
}

// place gives the place in the query that stands for one in the text being bound, and words that name
// the stored function in which it lies.
func (b *binder) place(at diag.Span) (diag.Span, string) {
	if len(b.inside) == 0 {
		return at, ""
	}
	f := b.inside[len(b.inside)-1]
	p := diag.Locate(f.fn.Source, at.Start)
	return f.at, fmt.Sprintf("in the function %s (%s:%d:%d): ", f.fn.Name, f.fn.File, p.Line, p.Column)
}

// recursive says, with an error, whether a stored function is called within itself.
func (b *binder) recursive(f *Function, at syntax.Node) bool {
	var way []string
	if i := slices.IndexFunc(b.inside, func(o frame) bool { return o.fn == f }); i >= 0 {
		for _, o := range b.inside[i:] {
			way = append(way, o.fn.Name)
		}
	} else if b.checked == f {
		way = []string{f.Name}
		for _, o := range b.inside {
			way = append(way, o.fn.Name)
		}
	} else {
		return false
	}
	b.errorf(Recursion, at, "", "the function %s calls itself: %s", f.Name, strings.Join(append(way, f.Name), " → "))
	return true
}

// Check binds a stored function by itself. Parameters without a default have made-up values, tables
// any columns. The places are those of the function's own file.
func Check(f *Function, o Options) diag.List {
	once := func(timestamp bool) *binder {
		b := &binder{o: o, places: map[rel.Rel]diag.Span{}, attempt: attempt{timestamp: timestamp, fetched: map[*syntax.ExternalData]*fetch{}}}
		b.rootScope()
		sc := newScope(b.fileScope(f))
		b.checked = f
		for _, p := range f.Lit.Params {
			switch t, _ := value.ParseType(p.Type); {
			case p.Table:
				sc.names[p.Name.Name] = &binding{table: &table{rel: &rel.Values{Cols: b.declared(p.Columns)}, open: true}}
			case p.Default != nil:
				sc.names[p.Name.Name] = &binding{scalar: b.assign(b.expr(p.Default, &env{sc: b.root}), t, p.Default, "the parameter "+p.Name.Name)}
			default:
				sc.names[p.Name.Name] = &binding{scalar: sample(t)}
			}
		}
		b.body(f.Lit.Body, sc, f.Lit.Body)
		return b
	}
	b := once(false)
	if b.missedTimestamp {
		if b2 := once(true); !b2.missedTimestamp {
			b = b2
		}
	}
	b.diags.Sort()
	return b.diags
}

// sample gives a value of a type for a parameter of which nothing else is known.
func sample(t value.Type) rel.Expr {
	switch t {
	case value.Bool:
		return rel.Bool(true)
	case value.Int, value.Long:
		return &rel.Const{Value: int64(1), T: t}
	case value.DateTime:
		return &rel.Param{Name: "now", T: t}
	case value.TimeSpan:
		return &rel.Const{Value: int64(value.Day), T: t}
	case value.Real:
		return &rel.Const{Value: 1.0, T: t}
	case value.Decimal:
		return &rel.Const{Value: value.DecOf(1), T: t}
	case value.Dynamic:
		return &rel.Const{Value: "[]", T: t}
	case value.GUID:
		return &rel.Const{Value: "00000000-0000-0000-0000-000000000000", T: t}
	}
	return rel.Str("x")
}
