package dcr_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"glassward"
	"glassward/ingest/dcr"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// seeds gives the parts of testdata whose names begin so.
func seeds(f *testing.F, prefix string) (out [][]byte) {
	f.Helper()
	files, _ := filepath.Glob("testdata/*/*.txtar")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if strings.HasPrefix(part.Name, prefix) {
				out = append(out, part.Data)
			}
		}
	}
	if len(out) == 0 {
		f.Fatalf("no parts %s", prefix)
	}
	return out
}

// placed holds that a problem says where and what.
func placed(t *testing.T, ok bool, problems []dcr.Problem) {
	t.Helper()
	failed := false
	for _, p := range problems {
		failed = failed || !p.Warning
		if p.Line < 1 || p.Column < 1 || p.Message == "" {
			t.Errorf("a problem without place or words: %+v", p)
		}
	}
	if ok == failed {
		t.Errorf("something came of the file: %t; problems %v", ok, problems)
	}
}

// FuzzTable holds that no file makes the parser panic, and that a table that comes of
// one keeps Azure's rules.
func FuzzTable(f *testing.F) {
	for _, s := range seeds(f, "table") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		table, problems := dcr.ParseTable(text)
		placed(t, table != nil, problems)
		if table == nil {
			return
		}
		if _, err := schema.Default().With(table); err != nil {
			t.Errorf("table %s: %v", table.Name, err)
		}
		if i, ok := table.Index("TimeGenerated"); !ok || table.Columns[i].Type != value.DateTime || len(table.Columns) > schema.MaxColumns+2 {
			t.Errorf("table %s has the columns %v", table.Name, table.Columns)
		}
	})
}

// FuzzRule holds that no file makes the parser, or the compiler behind it, panic.
func FuzzRule(f *testing.F) {
	for _, s := range seeds(f, "rule") {
		f.Add(s)
	}
	table, problems := dcr.ParseTable([]byte(`{"schema": {"name": "My_CL", "columns": [{"name": "TimeGenerated", "type": "datetime"}, {"name": "Text", "type": "string"}]}}`))
	if table == nil {
		f.Fatal(problems)
	}
	tables, err := schema.Default().With(table)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		rule, problems := dcr.ParseRule(text, tenant, "rule", tables)
		placed(t, rule != nil, problems)
		if rule != nil && (len(rule.ImmutableID) != 36 || len(rule.Streams()) == 0) {
			t.Errorf("rule %q has the streams %v", rule.ImmutableID, rule.Streams())
		}
	})
}

// FuzzBody holds that whatever comes of a body can be stored, each element once.
func FuzzBody(f *testing.F) {
	for _, s := range seeds(f, "push") {
		f.Add(s)
	}
	f.Add([]byte(`[{"S":"` + strings.Repeat("é", dcr.MaxField) + `","D":{"a":"` + strings.Repeat("x", dcr.MaxField) + `"}}]`))
	f.Add([]byte("[{\"S\":\"a\\u0000b\",\"D\":\"\\ud800\",\"L\":1e400,\"TimeGenerated\":\"9999-12-31T23:59:59.9999999Z\"}]"))
	table, problems := dcr.ParseTable([]byte(`{"schema": {"name": "My_CL", "columns": [
  {"name": "TimeGenerated", "type": "datetime"}, {"name": "S", "type": "string"}, {"name": "I", "type": "int"}, {"name": "L", "type": "long"},
  {"name": "R", "type": "real"}, {"name": "B", "type": "boolean"}, {"name": "D", "type": "dynamic"}, {"name": "G", "type": "guid"}]}}`))
	if table == nil {
		f.Fatal(problems)
	}
	tables, err := schema.Default().With(table)
	if err != nil {
		f.Fatal(err)
	}
	store, err := logstore.OpenMemory(context.Background(), logstore.Options{Tables: tables.Tables()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { store.Close() })
	flow := dcr.BuiltIn(tenant, tables).Flows("Custom-My_CL")[0]
	f.Fuzz(func(t *testing.T, body []byte) {
		elements, err := dcr.Split(body)
		if err != nil {
			return
		}
		u := dcr.Upload{Elements: elements, Source: "push:test", Tenant: tenant, Key: dcr.Key("t", "r", "", body), Received: came}
		n := 0
		err = flow.Each(context.Background(), u, store, func(b *dcr.Batch) error {
			n += len(b.Records)
			for _, r := range b.Records {
				for i, v := range r.Values {
					if v.Kind != glassward.KindString {
						continue
					}
					if len(v.Str) > 2*dcr.MaxField || strings.ContainsRune(v.Str, 0) || table.Columns[i].Type == value.Dynamic && !json.Valid([]byte(v.Str)) {
						t.Errorf("column %s holds %d bytes, %.100q", table.Columns[i].Name, len(v.Str), v.Str)
					}
				}
			}
			c, err := store.Append(context.Background(), logstore.Batch{Records: b.Records})
			if err == nil && c.Added+c.Duplicates != len(b.Records) {
				t.Errorf("%d records, %+v", len(b.Records), c)
			}
			return err
		})
		if err != nil || n != len(elements) {
			t.Errorf("%d of %d elements became records: %v", n, len(elements), err)
		}
	})
}
