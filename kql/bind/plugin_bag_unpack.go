package bind

import (
	"cmp"
	"slices"
	"strings"

	"glassward/kql/rel"
	"glassward/kql/value"
)

// bagUnpack makes a column of every property of a bag. A column that a property replaces or shares its name
// with keeps its place; the others follow in order of their names.
func (p *plugin) bagUnpack() *table {
	bag, ok := p.column(0)
	prefix := p.text(1)
	conflict := p.text(2)
	if !slices.Contains([]string{"", "error", "replace_source", "keep_source"}, conflict) {
		p.wrong(p.args[2], "use error, replace_source or keep_source", "columnsConflict cannot be %s", conflict)
	}
	var ignored []string
	if x := p.value(3); x != nil && !isUnknown(x) {
		var list []any
		if c, ok := x.(*rel.Const); ok && c.T == value.Dynamic && c.Value != nil {
			v, _ := value.ParseJSON(c.Value.(string))
			list, _ = v.([]any)
			if s, isText := v.(string); isText {
				list = []any{s}
			}
		}
		if list == nil {
			p.wrong(p.args[3], `write dynamic(["name", …])`, "ignoredProperties of bag_unpack must be a list of names")
		}
		for _, e := range list {
			if s, ok := e.(string); ok {
				ignored = append(ignored, s)
			}
		}
	}
	if !ok || p.failed {
		return nil
	}
	if bag.Type != value.Dynamic {
		p.failed = true
		p.errorf(WrongType, p.args[0], "read a text with parse_json() first", "found a column of type %s to unpack, dynamic is needed", bag.Type)
		return nil
	}
	if p.schema != nil {
		return p.unpackDeclared(bag, prefix, conflict)
	}
	found, ok := p.bagKeys(bag)
	if !ok {
		return nil
	}
	var items []rel.Item
	for _, c := range p.in.cols() {
		if c.Name != bag.Name {
			items = append(items, rel.Item{Name: c.Name, Expr: &rel.Col{Name: c.Name, T: c.Type}})
		} else if slices.ContainsFunc(found, func(k bagKey) bool { return prefix+k.name == bag.Name && !slices.Contains(ignored, k.name) }) {
			items = append(items, rel.Item{Name: c.Name})
		}
	}
	n := newNames(p.in.cols())
	for _, k := range found {
		n.add(prefix + k.name)
	}
	for _, k := range found {
		if slices.Contains(ignored, k.name) {
			continue
		}
		name := prefix + k.name
		if name == "" || name[0] == '$' {
			name = dataName(name, n)
		}
		it := rel.Item{Name: name, Expr: p.property(bag, k.name, k.t)}
		i := slices.IndexFunc(items, func(o rel.Item) bool { return o.Name == it.Name })
		switch {
		case i < 0:
			items = append(items, it)
		case it.Name == bag.Name || conflict == "replace_source":
			items[i] = it
		case conflict != "keep_source":
			p.wrong(p.call, "write columnsConflict='replace_source' or 'keep_source', or give a prefix", "the property %s has the name of a column", k.name)
			return nil
		}
	}
	if len(found) == 0 {
		for _, name := range p.assume(itemCols(items), unpackExample(bag)) {
			if key, ok := strings.CutPrefix(name, prefix); ok && !slices.Contains(ignored, key) {
				items = append(items, rel.Item{Name: name, Expr: p.property(bag, key, p.assumedType)})
			}
		}
	}
	return p.in.with(&rel.Project{In: p.in.rel, Items: items})
}

func unpackExample(bag rel.Column) string {
	return "evaluate bag_unpack(" + identifier(bag.Name) + ") : (*, Name:string, …)"
}

func (p *plugin) property(bag rel.Column, key string, t value.Type) rel.Expr {
	return p.cast(&rel.Path{X: &rel.Col{Name: bag.Name, T: bag.Type}, Steps: []rel.Step{rel.Field(key)}}, t)
}

// unpackDeclared gives the columns that the query names: those of the input by their name, all others from
// the bag.
func (p *plugin) unpackDeclared(bag rel.Column, prefix, conflict string) *table {
	cols := p.declared(p.schema.Columns)
	var items []rel.Item
	if p.schema.Star {
		for _, c := range p.in.cols() {
			if c.Name != bag.Name && rel.Index(cols, c.Name) < 0 {
				items = append(items, rel.Item{Name: c.Name, Expr: &rel.Col{Name: c.Name, T: c.Type}})
			}
		}
	}
	for _, c := range cols {
		var x rel.Expr = rel.Null(c.Type)
		key, isProperty := strings.CutPrefix(c.Name, prefix)
		i := rel.Index(p.in.cols(), c.Name)
		switch {
		case i >= 0 && c.Name != bag.Name && conflict != "replace_source":
			x = p.cast(&rel.Col{Name: c.Name, T: p.in.cols()[i].Type}, c.Type)
		case isProperty:
			x = p.property(bag, key, c.Type)
		}
		items = append(items, rel.Item{Name: c.Name, Expr: x})
	}
	return p.in.with(&rel.Project{In: p.in.rel, Items: items})
}

type bagKey struct {
	name string
	t    value.Type
}

// bagKeys finds the properties of the bags of a column with their types, in order of their names. A property
// whose values are of several types, or all null, is dynamic.
func (p *plugin) bagKeys(bag rel.Column) ([]bagKey, bool) {
	// The shapes first: most bags of a table have one of a few.
	shape, entry := p.hiddenName("shape"), p.hiddenName("entry")
	var r rel.Rel = &rel.Aggregate{In: p.in.rel, Keys: []rel.Item{{Name: shape, Expr: call("bag_shape", value.Dynamic, &rel.Col{Name: bag.Name, T: bag.Type})}}}
	r = &rel.Expand{In: r, Items: []rel.ExpandItem{{Name: entry, Expr: &rel.Col{Name: shape, T: value.Dynamic}, T: value.Dynamic}}, Drop: true}
	part := func(i int) rel.Expr {
		return call("tostring", value.String, &rel.Path{X: &rel.Col{Name: entry, T: value.Dynamic}, Steps: []rel.Step{rel.Element(i)}})
	}
	r = &rel.Aggregate{In: r, Keys: []rel.Item{{Name: "name", Expr: part(0)}, {Name: "type", Expr: part(1)}}}
	rows, ok := p.explore(r, unpackExample(bag))
	if !ok {
		return nil, false
	}
	types := map[string]value.Type{}
	for _, row := range rows {
		name, _ := row[0].(string)
		word, _ := row[1].(string)
		t, known := value.ParseType(word)
		old, seen := types[name]
		switch {
		case !known: // null
			if !seen {
				types[name] = value.Unknown
			}
		case !seen || old == value.Unknown || old == t:
			types[name] = t
		default:
			types[name] = value.Dynamic
		}
	}
	var out []bagKey
	for name, t := range types {
		if t == value.Unknown {
			t = value.Dynamic
		}
		out = append(out, bagKey{name, t})
	}
	slices.SortFunc(out, func(a, b bagKey) int { return cmp.Compare(a.name, b.name) })
	return out, true
}
