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

// TestFormatCorpus prints real queries and those of the language's own tests: each is parsed again to the same tree,
// with the same comments, also with some put into it.
func TestFormatCorpus(t *testing.T) {
	kinds := map[string]int{}
	for _, s := range append(corpus(t), languageQueries(t)...) {
		if !parses(s.query) {
			continue
		}
		kind, _, _ := strings.Cut(s.name, ":")
		kinds[kind]++
		checkParse(t, s.query)
		checkFormat(t, s.name, s.query)
		checkFormat(t, s.name+" with comments", commented(s.query, 0, len(s.query), max(1, len(s.query)/20)))
	}
	for kind, n := range kinds {
		t.Logf("%s: %d are printed as what they say", kind, n)
	}
}

// languageQueries gives the queries of the cases in kql/testdata.
func languageQueries(t testing.TB) []sample {
	t.Helper()
	var list []sample
	names, _ := filepath.Glob("../testdata/*.txt")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range strings.Split(string(b), "-- query --\n") {
			if query, _, ok := strings.Cut(part, "\n-- "); ok && i > 0 {
				list = append(list, sample{"language:" + filepath.Base(name), query})
			}
		}
	}
	if len(list) == 0 {
		t.Fatal("no queries in kql/testdata")
	}
	return list
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
			checkFormat(t, "comments", commented(q, start, start+commentWindow, 1))
		}
	}
}

// commented puts comments before tokens of a query, from one byte to another, step bytes apart or more.
func commented(q string, start, end, step int) string {
	text, n, last := strings.Builder{}, 0, start-step
	text.WriteString(q[:start])
	for i := start; i < len(q); i++ {
		if i < end && i > 0 && i >= last+step && (isBreak(q[i]) || isBreak(q[i-1])) {
			if comment := []string{"// a\n", "\n// b\n", "\n\n// c\n"}[n%3]; parses(text.String() + comment + q[i:]) {
				text.WriteString(comment)
				n, last = n+1, i
			}
		}
		text.WriteByte(q[i])
	}
	return text.String()
}

// commentWindow is the number of bytes of a query in which TestComments puts comments at once.
const commentWindow = 60

func isBreak(c byte) bool { return strings.IndexByte(" \n\t()[]{}|,;=.", c) >= 0 }

func parses(src string) bool {
	_, list := syntax.Parse(src)
	return !list.HasErrors()
}
