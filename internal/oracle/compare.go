package main

import (
	"fmt"
	"slices"
	"strings"

	"glassward/kql"
	"glassward/kql/bind"
	"glassward/kql/diag"
	"glassward/kql/kqltest"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// question is a query with what it may name and where it comes from.
type question struct {
	ID      string
	Query   string
	Tables  []*kqltest.Table
	Options map[string]string
	// Columns are what an engine of Microsoft's gave when it ran the query, nil if none did. Refused
	// says that one refused it. Both weigh more than the type checker.
	Columns []kqltest.Column
	Refused bool
}

// difference is one thing in which the type checker and we disagree. Its text is what differences.txt
// is matched against: it says nothing of the question's name.
type difference struct {
	Question *question
	Text     string
}

// state is how a question came out.
type state uint8

const (
	agreed      state = iota
	unsupported       // it is recognised and said to be unsupported
	differs
)

func columnsOf(list []kqltest.Column) ([]rel.Column, error) {
	var out []rel.Column
	for _, c := range list {
		t, ok := value.ParseType(c.Type)
		if !ok {
			return nil, fmt.Errorf("there is no type %s", c.Type)
		}
		out = append(out, rel.Column{Name: c.Name, Type: t})
	}
	return out, nil
}

// options gives what the questions of one set of tables are compiled against.
func options(tables, watchlists []*kqltest.Table) (kql.Options, error) {
	var cat rel.Tables
	for _, t := range tables {
		cols, err := columnsOf(t.Columns)
		if err != nil {
			return kql.Options{}, fmt.Errorf("%s: %w", t.Name, err)
		}
		cat = append(cat, &rel.Table{Name: t.Name, Columns: cols})
	}
	o := kql.Options{Catalog: cat, Watchlists: map[string]*kql.Watchlist{}}
	// What is outside is empty: only its columns are compared.
	o.External = func(kql.ExternalData) ([][]any, error) { return nil, nil }
	for _, w := range watchlists {
		cols, err := columnsOf(w.Columns)
		if err != nil {
			return o, fmt.Errorf("%s: %w", w.Name, err)
		}
		o.Watchlists[w.Name] = &kql.Watchlist{Columns: cols}
	}
	return o, nil
}

// compare holds our compiler against the type checker's verdict.
func compare(q *question, o kql.Options, theirs *verdict) ([]difference, state) {
	var out []difference
	add := func(format string, args ...any) {
		out = append(out, difference{q, fmt.Sprintf(format, args...)})
	}
	p, diags, crash := compile(q.Query, o)
	if crash != "" {
		add("our compiler crashes: %s", crash)
		return out, differs
	}
	if theirs.Crash != "" {
		line, _, _ := strings.Cut(theirs.Crash, "\n")
		add("the type checker crashes: %s", line)
		return out, differs
	}
	for _, d := range diags {
		if d.Code == bind.Unsupported || d.Code == syntax.Unsupported {
			return nil, unsupported
		}
	}
	refuse := len(theirs.Errors) > 0 || theirs.Columns == nil
	switch {
	case p == nil && (refuse || q.Refused):
		return nil, agreed
	case q.Refused:
		add("taken, but an engine refuses it")
		return out, differs
	case p == nil:
		add("refused %s", first(diags))
		return out, differs
	case q.Columns != nil && sameColumns(p.Columns, q.Columns):
		return nil, agreed
	case refuse && theirs.Columns == nil && len(theirs.Errors) == 0:
		add("taken, but it gives no table")
		return out, differs
	case refuse:
		e := theirs.Errors[0]
		add("taken, but %s %s", e.Code, e.Message)
		return out, differs
	case theirs.Open:
		return nil, agreed
	}
	if len(p.Columns) != len(theirs.Columns) {
		add("columns %s, but %s", listed(p.Columns), listedPairs(theirs.Columns))
		return out, differs
	}
	for i, c := range p.Columns {
		t := theirs.Columns[i]
		if c.Name != t[0] {
			add("column named %s, but %s", c.Name, t[0])
		}
		if ty, ok := value.ParseType(t[1]); ok && ty != c.Type {
			add("column of type %s, but %s", c.Type, ty)
		}
	}
	if len(out) > 0 {
		return out, differs
	}
	return nil, agreed
}

// compile compiles a query; a panic is a difference, and the others are still judged.
func compile(query string, o kql.Options) (p *kql.Program, diags diag.List, crash string) {
	defer func() {
		if r := recover(); r != nil {
			crash = fmt.Sprint(r)
		}
	}()
	p, diags = kql.Compile(query, o)
	return p, diags, ""
}

func first(l diag.List) string {
	for _, d := range l {
		if d.Severity == diag.Error {
			return string(d.Code) + " " + d.Message
		}
	}
	return ""
}

func sameColumns(ours []rel.Column, theirs []kqltest.Column) bool {
	return slices.EqualFunc(ours, theirs, func(a rel.Column, b kqltest.Column) bool {
		t, ok := value.ParseType(b.Type)
		return a.Name == b.Name && ok && a.Type == t
	})
}

func listed(cols []rel.Column) string {
	var out []string
	for _, c := range cols {
		out = append(out, c.Name)
	}
	return strings.Join(out, ", ")
}

func listedPairs(cols [][2]string) string {
	var out []string
	for _, c := range cols {
		out = append(out, c[0])
	}
	return strings.Join(out, ", ")
}
