// Package corpus reads other people's published rules and queries, where they lie beside the
// repository, and compiles each as its author would have run it: with the watchlists, lists from the
// web and parameters that it names. What does not compile is held against a file of reasons.
//
// The files themselves are others' and are never part of the repository.
package corpus

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"glassward/kql"
	"glassward/kql/diag"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// Query is a published query.
type Query struct {
	// Name is the file's name, Text the query.
	Name, Text string
	// Rule says that it is the query of a rule's YAML.
	Rule bool
}

// Read reads rules/*.yaml and community/*.kql of a folder, in the order of their names. A folder that
// is not there holds nothing.
func Read(dir string) ([]Query, error) {
	var list []Query
	for _, pattern := range []string{"rules/*.yaml", "community/*.kql"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			q := Query{Name: filepath.Base(file), Text: string(b)}
			if strings.HasSuffix(file, ".yaml") {
				var rule struct{ Query string }
				if err := yaml.Unmarshal(b, &rule); err != nil {
					return nil, fmt.Errorf("%s: %w", file, err)
				}
				q.Text, q.Rule = rule.Query, true
			}
			list = append(list, q)
		}
	}
	return list, nil
}

// What the texts of diagnostics name. They are read here only: nothing else tells which watchlist or
// column a query took for granted.
var (
	noWatchlist = regexp.MustCompile(`there is no watchlist (.+)$`)
	noColumn    = regexp.MustCompile(`(?:there is|of the join has) no column (.+)$`)
	savedAsOne  = regexp.MustCompile(`(?i)save (this )?as (a )?function`)
	// portalParameter is a parameter as the portal's form for functions asks for it: type, name, default.
	portalParameter = regexp.MustCompile(`(?m)^//\s*"(\w+)"\s+"(\w+)"\s+"([^"]*)"\s*$`)
)

// rounds bounds how often a query is compiled to learn what it takes for granted.
const rounds = 40

// Compile compiles a query with o and, beyond it, what the query takes for granted: watchlists have the
// columns that are asked of them, lists from the web are empty, and a text that its author calls a
// function is called with its parameters' defaults. The options with which it ended are given back.
func Compile(q Query, o kql.Options) (*kql.Program, diag.List, kql.Options) {
	o.Watchlists = maps.Clone(o.Watchlists)
	if o.Watchlists == nil {
		o.Watchlists = map[string]*kql.Watchlist{}
	}
	if o.External == nil {
		o.External = func(kql.ExternalData) ([][]any, error) { return nil, nil }
	}
	text := q.Text
	var (
		params []string
		own    []*kql.Watchlist
	)
	for _, m := range portalParameter.FindAllStringSubmatch(text, -1) {
		value := m[3]
		if m[1] == "string" {
			value = fmt.Sprintf("%q", value)
		}
		params = append(params, fmt.Sprintf("%s:%s=%s", m[2], m[1], value))
	}
	for range rounds {
		p, diags, learned := compileOnce(q, text, params, o)
		if p != nil || !learned {
			return p, diags, o
		}
		learned = false
		columns := map[string]bool{}
		for _, d := range diags {
			if m := noWatchlist.FindStringSubmatch(d.Message); m != nil {
				if _, has := o.Watchlists[m[1]]; !has {
					w := &kql.Watchlist{}
					o.Watchlists[m[1]], learned = w, true
					own = append(own, w)
				}
			}
			if m := noColumn.FindStringSubmatch(d.Message); m != nil {
				columns[m[1]] = true
			}
		}
		if learned {
			continue
		}
		for _, c := range slices.Sorted(maps.Keys(columns)) {
			if savedAsOne.MatchString(text) {
				params = append(params, c+`:string="x"`)
				learned = true
				continue
			}
			for i, w := range own {
				if rel.Index(w.Columns, c) < 0 {
					own[i].Columns = append(w.Columns, rel.Column{Name: c, Type: value.String})
					learned = true
				}
			}
		}
		if !learned {
			return p, diags, o
		}
	}
	p, diags, _ := compileOnce(q, text, params, o)
	return p, diags, o
}

// compileOnce compiles with what has been learned; again says that there may be more to learn.
func compileOnce(q Query, text string, params []string, o kql.Options) (p *kql.Program, diags diag.List, again bool) {
	if len(params) == 0 {
		p, diags = kql.Compile(text, o)
		if p == nil && onlyDeclares(diags) {
			// The file is one of definitions: each is one of a library's.
			return declared(q, text, o)
		}
		return p, diags, true
	}
	// The author saved it as a function; so do we, and call it.
	file := kql.FunctionFile{Name: "Saved.kql", Text: "// functionParameters: " + strings.Join(params, ", ") + "\n" + text}
	functions, problems := kql.ReadFunctions([]kql.FunctionFile{file}, o)
	for _, pr := range problems {
		if pr.List.HasErrors() {
			return nil, pr.List, true
		}
	}
	o.Functions = functions
	p, diags = kql.Compile("Saved()", o)
	return p, diags, true
}

func onlyDeclares(diags diag.List) bool {
	for _, d := range diags {
		if d.Severity == diag.Error && d.Code != "KQL0113" && d.Code != "KQL0217" {
			return false
		}
	}
	return diags.HasErrors()
}

// declared reads a text that only declares as a file of stored functions and calls the last of them.
func declared(q Query, text string, o kql.Options) (*kql.Program, diag.List, bool) {
	functions, problems := kql.ReadFunctions([]kql.FunctionFile{{Name: q.Name, Text: text}}, o)
	for _, pr := range problems {
		if pr.List.HasErrors() {
			return nil, pr.List, true
		}
	}
	names := functions.Names()
	if len(names) == 0 {
		return nil, nil, false
	}
	o.Functions = functions
	p, diags := kql.Compile(names[len(names)-1], o)
	return p, diags, true
}

//go:embed testdata/standins.kql
var standIns string

// StandIns gives the functions that published queries use and that were published elsewhere: written
// anew, with what their names say and their callers need.
func StandIns(o kql.Options) (*kql.Functions, error) {
	f, problems := kql.ReadFunctions([]kql.FunctionFile{{Name: "standins.kql", Text: standIns}}, o)
	for _, p := range problems {
		if p.List.HasErrors() {
			return nil, fmt.Errorf("%s", p.Text())
		}
	}
	return f, nil
}
