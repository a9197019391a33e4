package syntax_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"glassward/kql/diag"
	"glassward/kql/syntax"
)

// sameTree compares trees by what they say, not by where it stood.
var sameTree = cmp.Options{
	cmpopts.IgnoreTypes(diag.Span{}),
	cmpopts.IgnoreUnexported(syntax.File{}),
	cmp.AllowUnexported(operators()...),
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreFields(syntax.Comment{}, "Own"),
}

// equal compares like sameTree, but quickly.
func equal(f, g *syntax.File) bool { return equalValue(reflect.ValueOf(f), reflect.ValueOf(g)) }

func equalValue(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() && b.IsNil()
		}
		if a.Elem().Type() != b.Elem().Type() {
			return false
		}
		return equalValue(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !equalValue(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		if a.Type() == spanType {
			return true
		}
		for i := range a.NumField() {
			switch a.Type().Field(i).Name {
			case "src", "Own":
				continue
			}
			if !equalValue(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}

// operators gives one of each operator, for cmp to look into what they share.
func operators() []any {
	return []any{syntax.Where{}, syntax.Extend{}, syntax.Project{}, syntax.ProjectAway{}, syntax.ProjectKeep{}, syntax.ProjectRename{},
		syntax.ProjectReorder{}, syntax.Summarize{}, syntax.Sort{}, syntax.Top{}, syntax.TopNested{}, syntax.TopHitters{}, syntax.Take{},
		syntax.Sample{}, syntax.SampleDistinct{}, syntax.Distinct{}, syntax.Count{}, syntax.Join{}, syntax.Lookup{}, syntax.Union{},
		syntax.MvExpand{}, syntax.MvApply{}, syntax.ParseOp{}, syntax.ParseKV{}, syntax.MakeSeries{}, syntax.Evaluate{},
		syntax.Partition{}, syntax.Scan{}, syntax.Serialize{}, syntax.GetSchema{}, syntax.Consume{}, syntax.As{}, syntax.Invoke{},
		syntax.Fork{}, syntax.Facet{}, syntax.Reduce{}, syntax.Render{}, syntax.Search{}, syntax.Find{}, syntax.Print{}, syntax.Range{},
		syntax.BadOp{}}
}

// checkFormat reports what is wrong with how a query without errors is formatted.
func checkFormat(t *testing.T, name, src string) {
	t.Helper()
	f, _ := syntax.Parse(src)
	out := syntax.Format(f)
	g, list := syntax.Parse(out)
	if list.HasErrors() {
		t.Errorf("%s: the formatted text does not parse:\n%s\n%s", name, out, diag.Text(name, out, list))
		return
	}
	if !equal(f, g) {
		t.Errorf("%s: the formatted text means something else (-source +formatted):\n%s\n%s", name, cmp.Diff(f, g, sameTree), out)
		return
	}
	if again := syntax.Format(g); again != out {
		t.Errorf("%s: formatting again changes it:\n%s", name, cmp.Diff(out, again))
	}
}

func TestFormatCorpus(t *testing.T) {
	for _, s := range corpus(t) {
		if _, list := syntax.Parse(s.query); !list.HasErrors() {
			checkFormat(t, s.name, s.query)
		}
	}
}

// TestFormat reads testdata/format/*.txt: a query, a line ----, and its canonical text.
func TestFormat(t *testing.T) {
	names, _ := filepath.Glob("testdata/format/*.txt")
	if len(names) == 0 {
		t.Fatal("no files")
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		src, want, _ := strings.Cut(string(b), "----\n")
		f, list := syntax.Parse(src)
		if list.HasErrors() {
			t.Error(diag.Text(name, src, list))
			continue
		}
		got := syntax.Format(f)
		if os.Getenv("KQLTEST_UPDATE") != "" {
			if err := os.WriteFile(name, []byte(src+"----\n"+got), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if got != want {
			t.Errorf("%s:\n%s", name, cmp.Diff(want, got))
		}
		checkFormat(t, name, src)
	}
}

// TestComments puts a comment, at the end of a line and on a line of its own, before every token of the project's own
// queries: none is lost or changes its place among the others, and formatting again changes nothing.
func TestComments(t *testing.T) {
	for _, q := range ownQueries(t) {
		if !parses(q) {
			continue
		}
		for start := 0; start < len(q); start += commentWindow {
			// Several at a time, so that comments meet each other too.
			text, n := strings.Builder{}, 0
			text.WriteString(q[:start])
			for i := start; i < len(q); i++ {
				if i < start+commentWindow && i > 0 && (isBreak(q[i]) || isBreak(q[i-1])) {
					if comment := []string{"// a\n", "\n// b\n", "\n\n// c\n"}[n%3]; parses(text.String() + comment + q[i:]) {
						text.WriteString(comment)
						n++
					}
				}
				text.WriteByte(q[i])
			}
			checkFormat(t, "comments", text.String())
		}
	}
}

// commentWindow is the number of bytes of a query in which TestComments puts comments at once.
const commentWindow = 60

func isBreak(c byte) bool { return strings.IndexByte(" \n\t()[]{}|,;=.", c) >= 0 }

func parses(src string) bool {
	_, list := syntax.Parse(src)
	return !list.HasErrors()
}
