package kqltest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Input is what a case asks of an engine.
type Input struct {
	Query   string
	Tables  []*Table
	Options map[string]string
	File    string // the case's name, for diagnostics
}

// Output is what an engine found. Diagnostics is the rendered text, "" if there are none; SQL and Tree are
// needed only where a case has those sections. Cells are nil, bool, integers, float64, string, time.Time,
// time.Duration, json.Number, maps and slices as of encoding/json; a dynamic may be JSON text, and an
// int64 that stands for a datetime or timespan is 100 ns ticks.
type Output struct {
	Compiled    bool // there were no errors; Columns and Rows hold the result
	Columns     []Column
	Rows        [][]any
	Diagnostics string
	SQL, Tree   string
}

// Engine compiles a query and, if it compiles, runs it. An error is a failure of the engine, not of the query.
type Engine interface {
	Run(Input) (Output, error)
}

// EngineFunc is a function as an Engine.
type EngineFunc func(Input) (Output, error)

// Run calls f.
func (f EngineFunc) Run(in Input) (Output, error) { return f(in) }

// Run runs the cases of every file that the pattern matches, each as a subtest. If the environment variable
// KQLTEST_UPDATE is set, it writes what the engine gives for diagnostics, sql and tree into the files instead of
// failing; rows are never written: they are worked out by hand.
func Run(t *testing.T, pattern string, e Engine) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Fatalf("no file matches %s", pattern)
	}
	for _, name := range names {
		f, err := ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)), func(t *testing.T) {
			changed := false
			for _, c := range f.Cases {
				t.Run(c.Name, func(t *testing.T) {
					out, err := e.Run(Input{c.Query, c.Tables, c.Options, c.Name})
					if err != nil {
						t.Fatalf("%s:%d: %v", name, c.Line, err)
					}
					if os.Getenv("KQLTEST_UPDATE") != "" && c.update(out) {
						changed = true
					}
					if err := c.Check(out); err != nil {
						t.Errorf("%s:%d: %s\n%v", name, c.Line, c.Query, err)
					}
				})
			}
			if changed {
				if err := os.WriteFile(name, []byte(f.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Check compares what the engine gave with what the case expects, and gives the first difference.
func (c *Case) Check(out Output) error {
	want := ""
	if c.Diagnostics != nil {
		want = *c.Diagnostics
	}
	if err := sameText("diagnostics", strings.TrimRight(out.Diagnostics, "\n"), want); err != nil {
		return err
	}
	switch {
	case c.Rows == nil && c.SQL == nil && c.Tree == nil && out.Compiled && c.Diagnostics == nil:
		return fmt.Errorf("the case expects nothing: give it rows, diagnostics, sql or tree")
	case c.Rows != nil && !out.Compiled:
		return fmt.Errorf("the query did not compile")
	}
	if c.SQL != nil {
		if err := sameText("sql", strings.TrimSpace(out.SQL), strings.TrimSpace(*c.SQL)); err != nil {
			return err
		}
	}
	if c.Tree != nil {
		if err := sameText("tree", strings.TrimSpace(out.Tree), strings.TrimSpace(*c.Tree)); err != nil {
			return err
		}
	}
	if c.Rows != nil {
		return Compare(Table{Columns: out.Columns, Rows: out.Rows}, *c.Rows, Options{Ordered: c.Ordered})
	}
	return nil
}

func sameText(what, got, want string) error {
	if got == want {
		return nil
	}
	if want == "" {
		return fmt.Errorf("unexpected %s:\n%s", what, got)
	}
	return fmt.Errorf("%s differ; got:\n%s\nwant:\n%s", what, got, want)
}

// update puts what the engine gave into the sections that hold generated text, and reports a change.
func (c *Case) update(out Output) bool {
	changed := false
	set := func(word string, field **string, text string) {
		if *field == nil || **field == text {
			return
		}
		*field = &text
		for _, s := range c.sections {
			if s.header == word {
				s.body, changed = text+"\n", true
			}
		}
	}
	set("diagnostics", &c.Diagnostics, strings.TrimRight(out.Diagnostics, "\n"))
	set("sql", &c.SQL, strings.TrimSpace(out.SQL))
	set("tree", &c.Tree, strings.TrimSpace(out.Tree))
	return changed
}

// String gives the file's text.
func (f *File) String() string {
	var b strings.Builder
	if f.Comment != "" {
		b.WriteString(f.Comment + "\n")
	}
	for i, c := range f.Cases {
		if i > 0 || f.Comment != "" {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "== %s\n", c.Name)
		for _, s := range c.sections {
			fmt.Fprintf(&b, "-- %s --\n", s.header)
			if body := strings.Trim(s.body, "\n"); body != "" {
				b.WriteString(body + "\n")
			}
		}
	}
	return b.String()
}
