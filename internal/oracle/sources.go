package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"glassward/kql/kqltest"
	"glassward/schema"
)

// emergency is the watchlist that the queries of kql/testdata may name.
var emergency = []*kqltest.Table{{Name: "Emergency", Columns: []kqltest.Column{{Name: "ObjectId", Type: "string"}, {Name: "Owner", Type: "string"}}}}

// itemID is a column that every stored table of kql/testdata has besides its own.
var itemID = kqltest.Column{Name: "_ItemId", Type: "guid"}

// ownQuestions gives the queries of kql/testdata. Those with placeholders are not yet KQL.
func ownQuestions(root string) ([]*question, error) {
	names, err := filepath.Glob(filepath.Join(root, "kql/testdata/*.txt"))
	if err != nil {
		return nil, err
	}
	var out []*question
	for _, name := range names {
		f, err := kqltest.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for _, c := range f.Cases {
			if strings.Contains(c.Query, "{{") {
				continue
			}
			q := &question{ID: filepath.Base(name) + ": " + c.Name, Query: c.Query}
			for _, t := range c.Tables {
				t := *t
				if c.Options["own"] != "off" {
					t.Columns = append(slices.Clone(t.Columns), itemID)
				}
				q.Tables = append(q.Tables, &t)
			}
			out = append(out, q)
		}
	}
	return out, nil
}

// schemaTables gives the tables that Glassward keeps.
func schemaTables() []*kqltest.Table {
	var out []*kqltest.Table
	for _, t := range schema.Tables() {
		k := &kqltest.Table{Name: t.Name}
		for _, c := range t.Columns {
			k.Columns = append(k.Columns, kqltest.Column{Name: c.Name, Type: c.Type.String()})
		}
		for _, c := range schema.OwnColumns() {
			k.Columns = append(k.Columns, kqltest.Column{Name: c.Name, Type: c.Type.String()})
		}
		out = append(out, k)
	}
	return out
}

// publishedTables gives the tables of the material beside the repository, with our own columns.
func publishedTables(dir string) ([]*kqltest.Table, error) {
	b, err := os.ReadFile(filepath.Join(dir, "data/schemas.json"))
	if err != nil {
		return nil, err
	}
	var raw map[string][]kqltest.Column
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, err
	}
	var out []*kqltest.Table
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		t := &kqltest.Table{Name: name, Columns: raw[name]}
		for _, c := range schema.OwnColumns() {
			if !slices.ContainsFunc(t.Columns, func(k kqltest.Column) bool { return k.Name == c.Name }) {
				t.Columns = append(t.Columns, kqltest.Column{Name: c.Name, Type: c.Type.String()})
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// publishedQuestions gives the queries of the material beside the repository, none if it is not there:
// those that an engine ran, those that one refused, and rules and queries that people published.
func publishedQuestions(dir string) ([]*question, error) {
	var out []*question
	for _, name := range []string{"cases.jsonl", "errors.jsonl"} {
		b, err := os.ReadFile(filepath.Join(dir, "kql", name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		records, err := kqltest.ReadRecords(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			out = append(out, &question{ID: r.ID, Query: r.Query, Columns: r.Columns, Refused: name == "errors.jsonl"})
		}
	}
	tables, err := publishedTables(dir)
	if err != nil {
		return nil, err
	}
	for _, pattern := range []string{"kql/rules/*.yaml", "kql/community/*.kql"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			q := &question{ID: filepath.Base(name), Query: string(b), Tables: tables}
			if strings.HasSuffix(name, ".yaml") {
				var rule struct{ Query string }
				if err := yaml.Unmarshal(b, &rule); err != nil {
					return nil, err
				}
				q.Query = rule.Query
			}
			out = append(out, q)
		}
	}
	return out, nil
}
