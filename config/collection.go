package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"glassward/ingest/dcr"
	"glassward/schema"
)

// DataCollection is what may be pushed into a tenant's workspace beside Entra's own
// tables. Both lists name JSON files, and folders whose *.json files all count.
type DataCollection struct {
	Tables []string `yaml:"tables" json:"tables,omitempty" jsonschema:"description=Files, or folders of files, with tables of your own, as az monitor log-analytics workspace table show prints them"`
	Rules  []string `yaml:"rules" json:"rules,omitempty" jsonschema:"description=Files, or folders of files, with data collection rules, as az monitor data-collection rule show prints them"`
}

// Collection gives the data collection rules of the tenant: the built-in one and,
// after it, those of its files.
func (t Tenant) Collection() []*dcr.Rule {
	return append([]*dcr.Rule{dcr.BuiltIn(t.ID, t.Schema())}, t.collection...)
}

// CollectionRule gives the data collection rule of an immutable id, nil where the tenant has none
// of it.
func (t Tenant) CollectionRule(id string) *dcr.Rule {
	for _, r := range t.collection {
		if strings.EqualFold(r.ImmutableID, id) {
			return r
		}
	}
	if !strings.EqualFold(dcr.BuiltInID(t.ID), id) {
		return nil
	}
	return dcr.BuiltIn(t.ID, t.Schema())
}

// Schema gives the tables of the tenant's workspace: Default's and its own.
func (t Tenant) Schema() *schema.Set {
	if t.tables == nil {
		return schema.Default()
	}
	return t.tables
}

// CollectionFiles gives the files that the tenant's own tables and rules stand in.
func (t Tenant) CollectionFiles() []string { return t.collectionFiles }

// loadCollection reads the tenant's tables and rules; text is the tenant's file. Where
// one of them is wrong the tenant has none: what protects accounts must not go
// unwatched since a table has a column too many.
func (t *Tenant) loadCollection(base string, text []byte) (problems []Problem) {
	if t.DataCollection == nil {
		return nil
	}
	defer func() {
		wrong := false
		for i := range problems {
			if !problems[i].Warning {
				problems[i].Collection, wrong = t.ID, true
			}
		}
		if wrong {
			t.tables, t.collection = nil, nil
		}
	}()
	at := func(path, format string, args ...any) {
		line, column := place(text, path)
		problems = append(problems, Problem{File: t.File, Line: line, Column: column, Message: fmt.Sprintf(format, args...)})
	}
	say := func(file string, list []dcr.Problem) {
		for _, p := range list {
			problems = append(problems, Problem{File: file, Line: p.Line, Column: p.Column, Message: p.Message, Warning: p.Warning})
		}
	}
	files := func(name string, list []string) (out []string) {
		for i, path := range list {
			found, err := jsonFiles(base, path)
			if err != nil {
				at(fmt.Sprintf("$.dataCollection.%s[%d]", name, i), "dataCollection.%s: %v", name, err)
			}
			for _, f := range found {
				if !slices.Contains(out, f) {
					out = append(out, f)
				}
			}
		}
		t.collectionFiles = append(t.collectionFiles, out...)
		return out
	}
	set := schema.Default()
	for _, file := range files("tables", t.DataCollection.Tables) {
		text, err := readBounded(file)
		if err != nil {
			problems = append(problems, Problem{File: file, Message: err.Error()})
			continue
		}
		table, list := dcr.ParseTable(text)
		say(file, list)
		if table == nil {
			continue
		}
		next, err := set.With(table)
		if err != nil {
			problems = append(problems, Problem{File: file, Message: err.Error()})
			continue
		}
		set = next
	}
	if slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning }) {
		// What a rule says of tables that could not be read would mislead.
		return problems
	}
	t.tables = set
	ids := map[string]string{dcr.BuiltIn(t.ID, set).ImmutableID: "the built-in rule"}
	for _, file := range files("rules", t.DataCollection.Rules) {
		text, err := readBounded(file)
		if err != nil {
			problems = append(problems, Problem{File: file, Message: err.Error()})
			continue
		}
		rule, list := dcr.ParseRule(text, t.ID, strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), set)
		say(file, list)
		if rule == nil {
			continue
		}
		if other, twice := ids[rule.ImmutableID]; twice {
			problems = append(problems, Problem{File: file, Message: fmt.Sprintf("the immutableId %s is that of %s, too", rule.ImmutableID, other)})
			continue
		}
		ids[rule.ImmutableID] = file
		t.collection = append(t.collection, rule)
	}
	return problems
}

// jsonFiles gives a file, or the *.json files of a folder, sorted.
func jsonFiles(base, path string) ([]string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("there is no file or folder %s", path)
	case !info.IsDir():
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() && strings.EqualFold(filepath.Ext(e.Name()), ".json") {
			out = append(out, filepath.Join(path, e.Name()))
		}
	}
	return out, nil
}

// sharedRules takes their own rules and tables from tenants of which a rule has the
// immutable id of one of an earlier tenant: who pushes to it would not know into which
// workspace.
func (c *Config) sharedRules() []Problem {
	var out []Problem
	first := map[string]bool{}
	for i := range c.Each {
		t := &c.Each[i]
		for _, r := range t.collection {
			if first[r.ImmutableID] {
				out = append(out, Problem{File: t.File, Tenant: strings.TrimSuffix(filepath.Base(t.File), filepath.Ext(t.File)), Collection: t.ID,
					Message: fmt.Sprintf("data collection rule %s: another tenant has a rule of the same immutableId", r.ImmutableID)})
				t.tables, t.collection = nil, nil
				break
			}
		}
		for _, r := range t.Collection() {
			first[r.ImmutableID] = true
		}
	}
	return out
}

// WithoutCollection gives the tenant without tables and rules of its own.
func (t Tenant) WithoutCollection() Tenant {
	t.tables, t.collection = nil, nil
	return t
}
