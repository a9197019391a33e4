package kql

import (
	"maps"
	"path"
	"slices"
	"strings"

	"glassward/kql/bind"
	"glassward/kql/builtin"
	"glassward/kql/diag"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// Functions are stored functions: text that queries use by name, like a function or a table.
type Functions struct{ byName map[string]*bind.Function }

// FunctionFile is a file of stored functions; syntax.ParseFunctions says what may stand in it. A
// function without a name of its own is named by the file, without its folder and ending.
type FunctionFile struct{ Name, Text string }

// FunctionProblem is what is wrong in a file of stored functions, with places in that file.
type FunctionProblem struct {
	File FunctionFile
	List diag.List
}

// Text gives the problem as a person reads it.
func (p FunctionProblem) Text() string { return diag.Text(p.File.Name, p.File.Text, p.List) }

// DuplicateFunction is the code of a name that is taken already.
const DuplicateFunction diag.Code = "KQL0233"

// ReadFunctions reads files of stored functions and checks every function by itself against o, whose
// own Functions do not count. Functions without mistakes can be used even if there are problems; which of
// the problems hold errors, and whether that is too much, is the caller's to say.
func ReadFunctions(files []FunctionFile, o Options) (*Functions, []FunctionProblem) {
	f := &Functions{byName: map[string]*bind.Function{}}
	lists := make([]diag.List, len(files))
	from := map[string]int{}
	for i, file := range files {
		if len(file.Text) > maxSource {
			lists[i].Errorf(bind.TooLarge, diag.At(0, 0), "", "the file is longer than %d bytes", maxSource)
			continue
		}
		parsed, diags := syntax.ParseFunctions(file.Text)
		lists[i] = diags
		if diags.HasErrors() {
			continue
		}
		var own []*bind.Function
		for _, p := range parsed {
			fn := &bind.Function{Name: p.Name.Name, File: file.Name, Source: file.Text, Doc: p.Doc}
			at := p.Name.At
			if fn.Name == "" {
				base := path.Base(strings.ReplaceAll(file.Name, `\`, "/"))
				fn.Name, at = strings.TrimSuffix(base, path.Ext(base)), diag.At(0, 0)
			}
			lit, ok := p.Value.(*syntax.FuncLit)
			if !ok {
				lit = &syntax.FuncLit{Base: p.Base, Body: &syntax.Block{Base: p.Base, Result: p.Value}}
			}
			fn.Lit = lit
			if !ok && defines(parsed) {
				// Beside functions a value is a help of theirs.
				own = append(own, fn)
				continue
			}
			if why := taken(fn.Name, o.Catalog); why != "" {
				lists[i].Errorf(DuplicateFunction, at, "choose another name", "%s is the name of %s", fn.Name, why)
			} else if first, dup := f.byName[fn.Name]; dup {
				lists[i].Errorf(DuplicateFunction, at, "", "the function %s stands in %s already", fn.Name, first.File)
			} else {
				f.byName[fn.Name], from[fn.Name] = fn, i
			}
		}
		for name, j := range from {
			if j == i {
				f.byName[name].Own = own
			}
		}
	}
	o.Functions = f
	bo := o.bind()
	broken := map[string]bool{}
	for _, name := range f.Names() {
		for _, d := range bind.Check(f.byName[name], bo) {
			lists[from[name]].Add(d)
			broken[name] = broken[name] || d.Severity == diag.Error
		}
	}
	maps.DeleteFunc(f.byName, func(name string, _ *bind.Function) bool { return broken[name] })
	var problems []FunctionProblem
	for i, file := range files {
		if lists[i].Sort(); len(lists[i]) > 0 {
			problems = append(problems, FunctionProblem{file, lists[i]})
		}
	}
	return f, problems
}

// defines says whether one of the declarations is a function.
func defines(list []*syntax.StoredFunction) bool {
	return slices.ContainsFunc(list, func(f *syntax.StoredFunction) bool { _, is := f.Value.(*syntax.FuncLit); return is })
}

// taken says what else has a name, "" for nothing.
func taken(name string, c Catalog) string {
	if c != nil {
		if _, ok := c.Table(name); ok {
			return "a table"
		}
	}
	for _, k := range []builtin.Kind{builtin.Scalar, builtin.Aggregate, builtin.Window, builtin.Table, builtin.Plugin} {
		if _, ok := builtin.Lookup(k, name); ok {
			return "a function of KQL"
		}
	}
	return ""
}

// Names gives the names of the functions, sorted.
func (f *Functions) Names() []string {
	if f == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(f.byName))
}

// A StoredFunction is a stored function as clients are told of it.
type StoredFunction struct {
	Name string
	// Doc is what its file says about it, empty if it does not.
	Doc        string
	Parameters []Parameter
	// Body is its text with the braces around it: { SigninLogs | where … }.
	Body string
}

// A Parameter is a parameter of a stored function: a scalar or, if Table, a table.
type Parameter struct {
	Name string
	Type value.Type // of a scalar
	// Table tells a table from a scalar. Columns are those that it must have; none stand for (*).
	Table   bool
	Columns []rel.Column
	// Default is the value as it is written, empty if the parameter must be given.
	Default string
}

// String gives the parameter as it is declared: name:type, name:type=default, name:(a:string) or name:(*).
func (p Parameter) String() string {
	name := syntax.NameText(p.Name)
	switch {
	case p.Table && len(p.Columns) == 0:
		return name + ":(*)"
	case p.Table:
		columns := make([]string, len(p.Columns))
		for i, c := range p.Columns {
			columns[i] = syntax.NameText(c.Name) + ":" + c.Type.String()
		}
		return name + ":(" + strings.Join(columns, ", ") + ")"
	case p.Default != "":
		return name + ":" + p.Type.String() + "=" + p.Default
	}
	return name + ":" + p.Type.String()
}

// List gives the functions, sorted by name.
func (f *Functions) List() []StoredFunction {
	var out []StoredFunction
	for _, name := range f.Names() {
		fn := f.byName[name]
		text := func(n syntax.Node) string { s := n.Span(); return fn.Source[s.Start:s.End] }
		s := StoredFunction{Name: name, Doc: fn.Doc, Body: strings.TrimSpace(text(fn.Lit.Body))}
		if !strings.HasPrefix(s.Body, "{") {
			// The body is the whole file, or what a let statement names.
			if len(fn.Lit.Body.Stmts) == 0 {
				s.Body = text(fn.Lit.Body.Result)
			}
			s.Body = "{\n" + s.Body + "\n}"
		}
		for _, p := range fn.Lit.Params {
			q := Parameter{Name: p.Name.Name, Table: p.Table}
			q.Type, _ = value.ParseType(p.Type)
			for _, c := range p.Columns {
				t, _ := value.ParseType(c.Type)
				q.Columns = append(q.Columns, rel.Column{Name: c.Name.Name, Type: t})
			}
			if p.Default != nil {
				q.Default = text(p.Default)
			}
			s.Parameters = append(s.Parameters, q)
		}
		out = append(out, s)
	}
	return out
}

// Changed gives the names of the functions that next does not have, or has with another text.
func (f *Functions) Changed(next *Functions) []string {
	var out []string
	for _, name := range f.Names() {
		a := f.byName[name]
		if next != nil {
			if b, ok := next.byName[name]; ok && a.Source == b.Source {
				continue
			}
		}
		out = append(out, name)
	}
	return out
}
