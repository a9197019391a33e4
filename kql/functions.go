package kql

import (
	"maps"
	"path"
	"slices"
	"strings"

	"glassward/kql/bind"
	"glassward/kql/builtin"
	"glassward/kql/diag"
	"glassward/kql/syntax"
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
