// Package builtin is the vocabulary of KQL: every scalar function, aggregate, window function, operator
// and plugin, once. The binder types calls by it, completion and the documentation are made from it,
// and what is recognised but not supported says so here, by name.
//
// The table is the text in functions.txt; its head explains the form of a line. SQL for a function is
// in kql/sqlgen, Go code for one that SQL cannot say in kql/eval.
package builtin

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"glassward/kql/value"
)

//go:embed functions.txt
var functionsText string

// Kind tells where a name of the vocabulary may stand.
type Kind uint8

// The kinds of name.
const (
	Scalar    Kind = iota // a function of values
	Aggregate             // in summarize, make-series and top-nested
	Window                // reads other rows of a serialized table: prev, row_number
	Table                 // a function that gives a table: _GetWatchlist
	Plugin                // after evaluate
	Operator              // after a pipe
)

// String gives the kind as the table spells it.
func (k Kind) String() string {
	return [...]string{"scalar", "aggregate", "window", "table", "plugin", "operator"}[k]
}

// Param is a parameter of a function.
type Param struct {
	Name string
	// Types are the types that are taken as they are; none means any scalar.
	Types []value.Type
	// AsText says that a value of any other type is taken as its text.
	AsText   bool
	Optional bool
	Repeated bool // the last parameter may come any number of times
	// Constant says that the value is known before the rows are read: no column stands in it.
	Constant bool
}

// Column is one of several that a function gives.
type Column struct {
	Name string
	Type value.Type
}

// Function is a name of the vocabulary.
type Function struct {
	Name    string
	Aliases []string // older spellings
	Kind    Kind
	Params  []Param
	// Result names the rule by which the type of the result follows from the arguments:
	// a type's name, "same" (as the first argument), "promote" (the widest number), "unify" (the
	// common type of the arguments that take any type), "last" (as the last argument).
	Result string
	// Prefix is what an unnamed result's name begins with, before that of its argument: "sum_". Without a
	// line at its end it is the whole name.
	Prefix string
	// FirstName says that an unnamed result takes the name of the first argument: bin(t, 1h) is t.
	FirstName bool
	// Columns are what a function gives that gives several columns, in their order.
	Columns []Column
	// OnlyName says the same of a call with one argument.
	OnlyName bool
	// Volatile says that two calls may give different values: rand, new_guid.
	Volatile bool
	// Unsupported says, if not empty, that the name is recognised and why it is refused.
	Unsupported string
	// Doc is one sentence.
	Doc string
	// Section is the part of the table that the name stands in, "" if its kind has no parts.
	Section string
}

// Signature gives the function as the documentation shows it: strlen(text:string) → long.
func (f *Function) Signature() string {
	var b strings.Builder
	b.WriteString(f.Name)
	b.WriteByte('(')
	for i, p := range f.Params {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.Name)
		if len(p.Types) > 0 {
			b.WriteString(":" + typesText(p.Types))
		}
		if p.Optional && !p.Repeated {
			b.WriteByte('?')
		}
		if p.Repeated {
			b.WriteString("…")
		}
	}
	b.WriteString(") → ")
	b.WriteString(f.resultText())
	return b.String()
}

// simple are all types but dynamic: the numbers, then the others that have an order, and guid.
var simple = [...]value.Type{value.Int, value.Long, value.Real, value.Decimal, value.DateTime, value.TimeSpan, value.Bool, value.String, value.GUID}

// typesText gives the types that a parameter takes as the table writes them.
func typesText(types []value.Type) string {
	rest := slices.Clone(types)
	var names []string
	for _, kind := range []struct {
		name  string
		types []value.Type
	}{{"number", simple[:4]}, {"integer", []value.Type{value.Int, value.Long}}} {
		if !slices.ContainsFunc(kind.types, func(t value.Type) bool { return !slices.Contains(rest, t) }) {
			names = append(names, kind.name)
			rest = slices.DeleteFunc(rest, func(t value.Type) bool { return slices.Contains(kind.types, t) })
		}
	}
	for _, t := range rest {
		names = append(names, t.String())
	}
	return strings.Join(names, "/")
}

// resultText gives the rule of the result's type as people say it.
func (f *Function) resultText() string {
	first := "its argument"
	if len(f.Params) > 0 {
		first = f.Params[0].Name
	}
	switch f.Result {
	case "same", "sum", "avg":
		return "the type of " + first
	case "promote":
		return "the wider number"
	case "unify":
		return "the common type"
	case "last":
		return "the type of the last argument"
	}
	return f.Result
}

// Least and Most give how many arguments the function takes; Most is -1 if there is no limit.
func (f *Function) Least() int {
	n := 0
	for _, p := range f.Params {
		if !p.Optional {
			n++
		}
	}
	return n
}

// Most gives the largest number of arguments, or -1.
func (f *Function) Most() int {
	if n := len(f.Params); n > 0 && f.Params[n-1].Repeated {
		return -1
	}
	return len(f.Params)
}

// Param gives the parameter that takes argument i.
func (f *Function) Param(i int) *Param {
	if i >= len(f.Params) {
		i = len(f.Params) - 1
	}
	return &f.Params[i]
}

type vocabulary struct {
	all    []*Function
	byName [Operator + 1]map[string]*Function
}

var load = sync.OnceValue(func() *vocabulary {
	v, err := parse(functionsText)
	if err != nil {
		panic(err) // the table is part of the program; TestTable reads it
	}
	return v
})

// All gives the whole vocabulary in the order of the table.
func All() []*Function { return slices.Clone(load().all) }

// Lookup gives the name of that kind. Names are matched with regard to case; aliases count.
func Lookup(kind Kind, name string) (*Function, bool) {
	f, ok := load().byName[kind][name]
	return f, ok
}

// Names gives the names of the kinds, aliases too, sorted.
func Names(kinds ...Kind) []string {
	var out []string
	for _, k := range kinds {
		for n := range load().byName[k] {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func parse(text string) (*vocabulary, error) {
	v := &vocabulary{}
	for i := range v.byName {
		v.byName[i] = map[string]*Function{}
	}
	kind, section := Scalar, ""
	for no, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "# -- "); ok {
			section = name
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if name, ok := strings.CutPrefix(line, "= "); ok {
			k := slices.Index([]string{"scalar", "aggregate", "window", "table", "plugin", "operator"}, name)
			if k < 0 {
				return nil, fmt.Errorf("functions.txt:%d: no kind %q", no+1, name)
			}
			kind, section = Kind(k), ""
			continue
		}
		f, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("functions.txt:%d: %w", no+1, err)
		}
		f.Kind, f.Section = kind, section
		for _, n := range append([]string{f.Name}, f.Aliases...) {
			if _, dup := v.byName[kind][n]; dup {
				return nil, fmt.Errorf("functions.txt:%d: %s %s is there already", no+1, kind, n)
			}
			v.byName[kind][n] = f
		}
		v.all = append(v.all, f)
	}
	return v, nil
}

func parseLine(line string) (*Function, error) {
	head, doc, ok := strings.Cut(line, " -- ")
	if !ok {
		return nil, fmt.Errorf("no sentence after ' -- '")
	}
	f := &Function{Doc: strings.TrimSpace(doc)}
	open, end := strings.IndexByte(head, '('), strings.LastIndexByte(head, ')')
	if open < 0 || end < open {
		return nil, fmt.Errorf("no parameters")
	}
	names := strings.Split(head[:open], ",")
	f.Name, f.Aliases = names[0], names[1:]
	if ps := strings.TrimSpace(head[open+1 : end]); ps != "" {
		for _, p := range strings.Split(ps, ",") {
			param, err := parseParam(strings.TrimSpace(p))
			if err != nil {
				return nil, err
			}
			f.Params = append(f.Params, param)
		}
	}
	words := strings.Fields(head[end+1:])
	if len(words) == 0 {
		return nil, fmt.Errorf("no result")
	}
	f.Result = words[0]
	for _, w := range words[1:] {
		switch {
		case w == "volatile":
			f.Volatile = true
		case w == "first":
			f.FirstName = true
		case w == "only":
			f.OnlyName = true
		case strings.HasPrefix(w, "as="):
			f.Prefix = w[3:]
		case strings.HasPrefix(w, "columns="):
			for _, c := range strings.Split(w[len("columns="):], ",") {
				name, kind, _ := strings.Cut(c, ":")
				t, ok := value.ParseType(kind)
				if !ok {
					return nil, fmt.Errorf("no type %q", kind)
				}
				f.Columns = append(f.Columns, Column{name, t})
			}
		case w == "unsupported":
			f.Unsupported = f.Doc
		default:
			return nil, fmt.Errorf("word %q not known", w)
		}
	}
	return f, nil
}

func parseParam(s string) (Param, error) {
	var p Param
	if t, ok := strings.CutSuffix(s, "*"); ok {
		p.Repeated, p.Optional, s = true, true, t
	} else if t, ok := strings.CutSuffix(s, "?"); ok {
		p.Optional, s = true, t
	}
	s, p.Constant = strings.CutSuffix(s, "!")
	name, types, ok := strings.Cut(s, ":")
	p.Name = name
	if !ok {
		return p, nil
	}
	for _, t := range strings.Split(types, "/") {
		switch t {
		case "number":
			p.Types = append(p.Types, simple[:4]...)
		case "text":
			p.Types, p.AsText = append(p.Types, value.String), true
		case "integer":
			p.Types = append(p.Types, value.Int, value.Long)
		case "ordered":
			p.Types = append(p.Types, simple[:len(simple)-1]...)
		case "simple":
			p.Types = append(p.Types, simple[:]...)
		default:
			ty, ok := value.ParseType(t)
			if !ok {
				return p, fmt.Errorf("no type %q", t)
			}
			p.Types = append(p.Types, ty)
		}
	}
	return p, nil
}
