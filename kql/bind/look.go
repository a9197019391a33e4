package bind

import (
	"slices"

	"glassward/kql/diag"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// Sight is what a query may name at a place, for completion and hover.
type Sight struct {
	// Found says that the operator was there.
	Found bool
	// Columns are those of the table that the operator reads, Right those of a join's other table.
	Columns, Right []Seen
	// Names are what let statements, parameters and stored functions declare.
	Names []SeenName
}

// Seen is a column and, where the tree tells, the stored table that it is of.
type Seen struct {
	rel.Column
	Table *rel.Table
}

// SeenName is a declared name: a function, a table or a value.
type SeenName struct {
	Name     string
	Function *syntax.FuncLit // if it is a function
	Columns  []rel.Column    // if it is a table
	Table    bool
	Type     value.Type // if it is a value
}

// Look binds what it can of a query, mistakes and all, and gives what the operator that begins at byte at may name. If
// none begins there, it gives what a statement at the end may name.
func Look(file *syntax.File, o Options, at int) Sight {
	// Nothing is fetched and no data are asked while somebody types.
	o.External, o.Explore = nil, nil
	b := &binder{o: o, places: map[rel.Rel]diag.Span{}, attempt: attempt{fetched: map[*syntax.ExternalData]*fetch{}}, look: &look{at: at}}
	sc := b.rootScope()
	for _, s := range file.Stmts {
		if s.Span().Start > at {
			break
		}
		b.statement(s, sc)
	}
	if !b.look.found {
		b.look.sight.Names = seenNames(sc)
	}
	return b.look.sight
}

// look is the place that a binder watches for.
type look struct {
	at    int
	found bool
	sight Sight
}

// see keeps what op may name, if it is the one that is looked for.
func (b *binder) see(op syntax.Operator, in *table, sc *scope) {
	if b.look == nil || op.Span().Start != b.look.at || len(b.inside) > 0 {
		return
	}
	b.look.found = true
	b.look.sight = Sight{Found: true, Columns: seenColumns(in), Names: seenNames(sc)}
}

// seeRight keeps the other table of a join.
func (b *binder) seeRight(op syntax.Node, right *table) {
	if b.look != nil && op.Span().Start == b.look.at && len(b.inside) == 0 {
		b.look.sight.Right = seenColumns(right)
	}
}

// lookInto binds the body of a function that nothing has called, its parameters without values.
func (b *binder) lookInto(f *syntax.FuncLit, sc *scope) {
	if b.look == nil || b.look.found || f.Span().Start > b.look.at || sc.depth > maxDepth {
		return
	}
	inner := newScope(sc)
	inner.depth++
	for _, p := range f.Params {
		bind := &binding{scalar: unknown(), at: p.Span()}
		if p.Table {
			bind = &binding{table: &table{rel: &rel.Values{Cols: b.declared(p.Columns)}, open: true}}
		} else if t, ok := value.ParseType(p.Type); ok {
			bind.scalar = &rel.Const{T: t}
			if t == value.String {
				bind.scalar = rel.Str("")
			}
		}
		inner.names[p.Name.Name] = bind
	}
	b.body(f.Body, inner, f)
}

func seenColumns(t *table) []Seen {
	var out []Seen
	scans := map[string]*rel.Table{}
	rel.Walk(t.rel, func(r rel.Rel) {
		if s, ok := r.(*rel.Scan); ok {
			for _, c := range s.Table.Columns {
				if scans[c.Name] == nil {
					scans[c.Name] = s.Table
				}
			}
		}
	})
	for _, c := range t.cols() {
		out = append(out, Seen{c, scans[c.Name]})
	}
	return out
}

func seenNames(sc *scope) []SeenName {
	var out []SeenName
	for _, name := range sc.all() {
		b := sc.find(name)
		s := SeenName{Name: name, Function: b.fn}
		switch {
		case b.table != nil:
			s.Table, s.Columns = true, slices.Clone(b.table.cols())
		case b.scalar != nil:
			s.Type = b.scalar.Type()
		}
		out = append(out, s)
	}
	return out
}
