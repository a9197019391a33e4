package syntax_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glassward/kql/diag"
	"glassward/kql/syntax"
)

// ownQueries gives the queries of testdata.
func ownQueries(t testing.TB) []string {
	t.Helper()
	var list []string
	names, _ := filepath.Glob("testdata/format/*.txt")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		src, _, _ := strings.Cut(string(b), "----\n")
		list = append(list, src)
	}
	names, _ = filepath.Glob("testdata/diagnostics/*.txt")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for c := range strings.SplitSeq(string(b), "\n== ") {
			_, body, _ := strings.Cut(c, "\n")
			src, _, _ := strings.Cut(body, "----\n")
			list = append(list, src)
		}
	}
	return list
}

// checkParse reports what no source may do to the parser.
func checkParse(t *testing.T, src string) {
	f, list := syntax.Parse(src)
	for _, d := range list {
		if d.Span.Start < 0 || d.Span.End > len(src) || d.Span.Start > d.Span.End || d.Message == "" || d.Code == "" {
			t.Fatalf("diagnostic %+v of %q", d, src)
		}
	}
	if len(list) > diag.Limit {
		t.Fatalf("%d diagnostics", len(list))
	}
	_ = diag.Text("q", src, list)
	functions, more := syntax.ParseFunctions(src)
	for _, d := range more {
		if d.Span.Start < 0 || d.Span.End > len(src) || d.Span.Start > d.Span.End {
			t.Fatalf("diagnostic %+v of the functions of %q", d, src)
		}
	}
	for _, fn := range functions {
		checkSpans(t, src, reflect.ValueOf(fn), 0)
	}
	checkSpans(t, src, reflect.ValueOf(f), 0)
	if list.HasErrors() {
		_ = syntax.Format(f)
		return
	}
	if bad := badNode(reflect.ValueOf(f)); bad != "" {
		t.Fatalf("%s without an error in %q", bad, src)
	}
	out := syntax.Format(f)
	g, again := syntax.Parse(out)
	if again.HasErrors() {
		t.Fatalf("%q is formatted as what does not parse:\n%s", src, diag.Text("formatted", out, again))
	}
	if !equal(f, g) {
		t.Fatalf("%q is formatted as %q, which means something else:\n%s", src, out, cmp.Diff(f, g, sameTree))
	}
	if third := syntax.Format(g); third != out {
		t.Fatalf("%q is formatted as\n%s\nand again as\n%s", src, out, third)
	}
}

// optional are the fields that may be nil; no other may, in whatever tree.
var optional = map[string]bool{
	"Where.Name": true,
	"Set.Value":  true, "Parameter.Default": true, "Wildcard.Scope": true, "TypeOf.Schema": true, "Pipeline.Source": true,
	"TopNestedLevel.N": true, "TopNestedLevel.Others": true, "TopHitters.By": true, "Count.As": true, "MvExpand.Limit": true,
	"MvApply.Limit": true, "PatternPart.Text": true, "PatternPart.Column": true, "SeriesAgg.Default": true, "MakeSeries.From": true,
	"MakeSeries.To": true, "Evaluate.Schema": true, "Partition.Scope": true, "Facet.With": true,
}

var spanType = reflect.TypeFor[diag.Span]()

// checkSpans walks everything that is reachable and checks every span.
func checkSpans(t *testing.T, src string, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			checkSpans(t, src, v.Elem(), depth+1)
		}
	case reflect.Slice:
		for i := range v.Len() {
			checkSpans(t, src, v.Index(i), depth+1)
		}
	case reflect.Struct:
		if v.Type() == spanType {
			if start, end := v.Field(0).Int(), v.Field(1).Int(); start < 0 || start > end || end > int64(len(src)) {
				t.Fatalf("span [%d, %d) in %q", start, end, src)
			}
			return
		}
		for i := range v.NumField() {
			checkSpans(t, src, v.Field(i), depth+1)
			switch k := v.Field(i).Kind(); k {
			case reflect.Pointer, reflect.Interface:
				name := v.Type().Name() + "." + v.Type().Field(i).Name
				if v.Field(i).IsNil() && !optional[name] {
					t.Fatalf("%s is nil in %q", name, src)
				}
			}
		}
	}
}

// badNode gives the type of a node that stands for an error, or of a nil where a node must be.
func badNode(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return ""
		}
		return badNode(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			if k := v.Index(i).Kind(); (k == reflect.Pointer || k == reflect.Interface) && v.Index(i).IsNil() {
				return "a nil in a list"
			}
			if s := badNode(v.Index(i)); s != "" {
				return s
			}
		}
	case reflect.Struct:
		switch v.Type() {
		case reflect.TypeFor[syntax.BadExpr](), reflect.TypeFor[syntax.BadOp](), reflect.TypeFor[syntax.BadStmt]():
			return v.Type().String()
		}
		for i := range v.NumField() {
			if s := badNode(v.Field(i)); s != "" {
				return s
			}
		}
	}
	return ""
}

func FuzzParse(f *testing.F) {
	for _, q := range ownQueries(f) {
		f.Add(q)
	}
	for _, s := range corpus(f) {
		f.Add(s.query)
	}
	f.Add(strings.Repeat("(", 1000))
	f.Add("T | where " + strings.Repeat("-", 1000) + "1")
	f.Add("let f = (a:long) { a }; print f(1), `")
	f.Add("\xff\xfe\"\\")
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 1<<16 {
			return
		}
		checkParse(t, src)
	})
}

// TestOwn runs the properties of FuzzParse over the project's own queries, and over each of them cut off at every
// byte.
func TestOwn(t *testing.T) {
	for _, q := range ownQueries(t) {
		checkParse(t, q)
		for i := range q {
			checkParse(t, q[:i])
		}
	}
}

func TestDepth(t *testing.T) {
	const n = 100_000
	for name, src := range map[string]string{
		"parentheses": "print " + strings.Repeat("(", n),
		"closed":      "print " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n),
		"signs":       "print " + strings.Repeat("-", n) + "1",
		"pipelines":   strings.Repeat("union (", n),
		"brackets":    "print dynamic(" + strings.Repeat("[", n),
		"functions":   "let f = " + strings.Repeat("() { let g = ", n),
		"nots":        "T | where " + strings.Repeat("!", n) + "x",
		"closers":     "T " + strings.Repeat(")", n),
		"dots":        "print a" + strings.Repeat(".a", n),
		"sums":        "print 1" + strings.Repeat("+1", n),
		"strings":     "print " + strings.Repeat(`"a" `, n),
		"mixed":       "print " + strings.Repeat("([{", n),
		"facets":      strings.Repeat("T | facet by a with ", n),
		"pipes":       "T" + strings.Repeat(" | ", n),
		"mv-apply":    "T" + strings.Repeat(" | mv-apply x on (", n),
	} {
		t.Run(name, func(t *testing.T) {
			f, list := syntax.Parse(src)
			if !list.HasErrors() {
				t.Error("no error")
			}
			_ = syntax.Format(f)
			_ = diag.Text("q", src, list)
		})
	}
}

func BenchmarkParse(b *testing.B) {
	queries := ownQueries(b)
	size := 0
	for _, q := range queries {
		size += len(q)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, q := range queries {
			syntax.Parse(q)
		}
	}
}

func BenchmarkFormat(b *testing.B) {
	var files []*syntax.File
	for _, q := range ownQueries(b) {
		f, _ := syntax.Parse(q)
		files = append(files, f)
	}
	for b.Loop() {
		for _, f := range files {
			syntax.Format(f)
		}
	}
}
