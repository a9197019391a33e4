package dcr_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"glassward"
	"glassward/ingest/dcr"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

const tenant = "11111111-2222-4333-8444-555555555555"

// came is when everything in these tests came.
var came = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// update writes the last parts of the files anew; read the difference.
var update = os.Getenv("DCR_UPDATE") != ""

// A script is a file of testdata: tables and a rule, and either what is wrong with
// them or bodies with what becomes of them.
type script struct {
	file    string
	archive *txtar.Archive
	tables  *schema.Set
	rule    *dcr.Rule
	wrong   strings.Builder
}

func read(t *testing.T, file string) *script {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{file: file, archive: archive, tables: schema.Default()}
	say := func(name string, problems []dcr.Problem) {
		for _, p := range problems {
			kind := ""
			if p.Warning {
				kind = "warning: "
			}
			fmt.Fprintf(&s.wrong, "%s:%d:%d: %s%s\n", name, p.Line, p.Column, kind, p.Message)
		}
	}
	for _, f := range archive.Files {
		switch {
		case strings.HasPrefix(f.Name, "table"):
			table, problems := dcr.ParseTable(f.Data)
			say(f.Name, problems)
			if table != nil {
				if s.tables, err = s.tables.With(table); err != nil {
					t.Fatal(err)
				}
			}
		case strings.HasPrefix(f.Name, "rule"):
			var problems []dcr.Problem
			s.rule, problems = dcr.ParseRule(f.Data, tenant, "rule", s.tables)
			say(f.Name, problems)
		}
	}
	return s
}

// settle compares a part of the file with what there is, or writes it.
func (s *script) settle(t *testing.T, i int, got string) {
	t.Helper()
	f := &s.archive.Files[i]
	if got == string(f.Data) {
		return
	}
	if update {
		f.Data = []byte(got)
		if err := os.WriteFile(s.file, txtar.Format(s.archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s, %s:\n%s", s.file, f.Name, cmp.Diff(string(f.Data), got))
}

// TestProblems holds what is said of files that are wrong.
func TestProblems(t *testing.T) {
	files, _ := filepath.Glob("testdata/problems/*.txtar")
	if len(files) == 0 {
		t.Fatal("no files")
	}
	for _, file := range files {
		s := read(t, file)
		last := len(s.archive.Files) - 1
		if s.archive.Files[last].Name != "problems" {
			t.Fatalf("%s does not end with problems", file)
		}
		s.settle(t, last, s.wrong.String())
	}
}

// TestRules pushes bodies under rules and holds what comes of them, by the engine
// that runs queries.
func TestRules(t *testing.T) {
	files, _ := filepath.Glob("testdata/rules/*.txtar")
	if len(files) == 0 {
		t.Fatal("no files")
	}
	store, err := logstore.OpenMemory(context.Background(), logstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			s := read(t, file)
			if s.rule == nil {
				s.rule = dcr.BuiltIn(tenant, s.tables)
			}
			if s.wrong.Len() > 0 {
				t.Fatal(s.wrong.String())
			}
			stream, body := "", []byte(nil)
			for i, f := range s.archive.Files {
				switch word, rest, _ := strings.Cut(f.Name, " "); word {
				case "push":
					stream, body = rest, f.Data
				case "rows":
					s.settle(t, i, push(t, store, s.rule, stream, body))
				}
			}
		})
	}
}

// push gives what becomes of a body, as text.
func push(t *testing.T, store *logstore.Store, rule *dcr.Rule, stream string, body []byte) string {
	t.Helper()
	var out bytes.Buffer
	elements, err := dcr.Split(body)
	if err != nil {
		return err.Error() + "\n"
	}
	flows := rule.Flows(stream)
	if len(flows) == 0 {
		return "no such stream\n"
	}
	u := dcr.Upload{Elements: elements, Source: "push:test", Tenant: tenant, Key: dcr.Key("t", "", "1", body), Received: came}
	for _, f := range flows {
		fmt.Fprintf(&out, "→ %s\n", f.Table.Name)
		err := f.Each(context.Background(), u, store, func(b *dcr.Batch) error {
			out.Write(b.JSON)
			for _, r := range b.Records {
				fmt.Fprintf(&out, "%d: %s\n", r.Line, cells(f.Table, r))
			}
			fmt.Fprintf(&out, "wrong %d, cut %d, unknown %d, filtered %d, retimed %d\n", b.Wrong, b.Cut, b.Unknown, b.Filtered, b.Retimed)
			return nil
		})
		if err != nil {
			fmt.Fprintf(&out, "error: %v\n", err)
		}
	}
	return out.String()
}

// cells writes what a record holds, but for what every record of the table holds.
func cells(t *schema.Table, r glassward.Record) string {
	var parts []string
	for i, v := range r.Values[1 : len(r.Values)-1] {
		c := t.Columns[i+1]
		text := ""
		switch {
		case v.Kind == glassward.KindNull:
			continue
		case c.Type == value.DateTime:
			text = value.Ticks(v.Num).String()
		case v.Kind == glassward.KindBool:
			text = fmt.Sprint(v.Num != 0)
		case v.Kind == glassward.KindLong:
			text = fmt.Sprint(v.Num)
		case v.Kind == glassward.KindReal:
			text = fmt.Sprint(v.Real)
		case c.Type == value.String:
			b, _ := json.Marshal(v.Str)
			text = string(b)
		default:
			text = v.Str
		}
		parts = append(parts, c.Name+"="+text)
	}
	if r.Extra != "" {
		parts = append(parts, "_Extra="+r.Extra)
	}
	return strings.Join(parts, " ")
}
