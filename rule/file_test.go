package rule

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata")

// TestParse reads testdata/files/*.txtar: rule files, and what is to be said of
// each.
func TestParse(t *testing.T) {
	names, _ := filepath.Glob("testdata/files/*.txtar")
	if len(names) == 0 {
		t.Fatal("no testdata")
	}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		changed := false
		for i := 0; i+1 < len(a.Files); i += 2 {
			file, want := a.Files[i], a.Files[i+1]
			t.Run(filepath.Base(name)+"/"+file.Name, func(t *testing.T) {
				_, p := Parse(file.Name, file.Data)
				var b strings.Builder
				if err := p.Render(&b); err != nil {
					t.Fatal(err)
				}
				got := b.String()
				if len(p.List) == 0 {
					got = "no findings\n"
				}
				if *update {
					a.Files[i+1].Data = []byte(got)
					changed = true
				} else if diff := cmp.Diff(string(want.Data), got); diff != "" {
					t.Errorf("findings (-want +got):\n%s", diff)
				}
			})
		}
		if changed {
			if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestParsePublished reads whatever published rules lie beside the repository:
// none may be refused for a field that Sentinel's rules have.
func TestParsePublished(t *testing.T) {
	names, _ := filepath.Glob("../../shared/kql/rules/*.yaml")
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains("\n"+string(src), "\nkind:") {
			continue // hunting queries are no rules
		}
		r, p := Parse(filepath.Base(name), src)
		if r == nil {
			// Some published rules have metadata that slid to the left margin.
			for _, d := range p.List {
				if !strings.Contains(d.Message, "unknown field") {
					t.Errorf("%v", p)
				}
			}
			continue
		}
		for i, l := range r.place {
			if got := r.source[l.file:]; !strings.HasPrefix(got, strings.TrimRight(r.Query[l.query:l.query+l.size], "\n")) {
				t.Errorf("%s: line %d of the query is mapped to %.40q", name, i+1, got)
			}
		}
	}
}

const goodRule = `id: 11111111-2222-4333-8444-555555555555
name: A rule of mine
kind: NRT
severity: Low
query: SigninLogs | where UserId == 'x'
`

func TestLoadKeepsShippedRules(t *testing.T) {
	shipped, err := Defaults()
	if err != nil {
		t.Fatal(err)
	}
	first := shipped[0]
	folder := fstest.MapFS{
		"mine.yaml":        {Data: []byte(goodRule)},
		"deep/down.yml":    {Data: []byte(strings.NewReplacer("1111", "2222", "mine", "yours").Replace(goodRule))},
		"README.md":        {Data: []byte("no rule")},
		"broken.yaml":      {Data: []byte(strings.Replace(goodRule, "severity", "sevrity", 1))},
		"same-id.yaml":     {Data: []byte(strings.Replace(goodRule, "11111111-2222-4333-8444-555555555555", strings.ToUpper(first.ID), 1))},
		"same-name.yaml":   {Data: []byte("enabled: false\n" + strings.NewReplacer("1111", "3333", "A rule of mine", "  "+strings.ToUpper(first.Name)).Replace(goodRule))},
		"same-as-mine.yml": {Data: []byte(strings.Replace(goodRule, "mine", "theirs", 1))},
	}
	s, err := Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	var got, refused []string
	for _, r := range s.Rules {
		if r.Shipped && !r.Enabled {
			t.Errorf("%s ships and is disabled", r.Name)
		}
		if !r.Shipped {
			got = append(got, r.File)
		}
	}
	for _, p := range s.Problems {
		if p.Failed() {
			refused = append(refused, p.Error())
		}
	}
	if len(s.Rules) != len(shipped)+len(got) || s.Rules[0].Name != first.Name {
		t.Errorf("%d rules, want the %d shipped ones first and %d of the user's", len(s.Rules), len(shipped), len(got))
	}
	if diff := cmp.Diff([]string{"deep/down.yml", "mine.yaml"}, got); diff != "" {
		t.Errorf("user's rules (-want +got):\n%s", diff)
	}
	want := []string{
		`broken.yaml:1:1: RULE0003: the field severity is missing (use Informational, Low, Medium or High)`,
		`same-as-mine.yml:1:1: RULE0007: the id "11111111-2222-4333-8444-555555555555" belongs to the rule in mine.yaml (give it another id)`,
		`same-id.yaml:1:1: RULE0007: the id "` + first.ID + `" belongs to a rule that ships with Glassward (give it another id; shipped rules cannot be replaced or disabled)`,
		`same-name.yaml:3:1: RULE0007: the name "` + strings.ToUpper(first.Name) + `" belongs to a rule that ships with Glassward (give it another name; shipped rules cannot be replaced or disabled)`,
	}
	if diff := cmp.Diff(want, refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}

func TestShippedRulesName(t *testing.T) {
	shipped, err := Defaults()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range shipped {
		if r.Kind == NRT && r.Grouping != AlertPerResult || !r.Enabled || !r.Incident.Create || len(r.Techniques) == 0 || !strings.Contains(r.Description, "What to do first") {
			t.Errorf("%s: %+v", r.Name, r)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(goodRule))
	f.Add([]byte("name: &a x\nkind: *a\nquery: >\n  a\n  b\n"))
	f.Add([]byte("\ufeffkind: NRT\r\nquery: |-\r\n  T\r\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		r, p := Parse("f.yaml", src)
		if (r == nil) != p.Failed() {
			t.Fatalf("rule %v, problem %v", r, p)
		}
		for _, d := range p.List {
			if d.Span.Start < 0 || d.Span.End < d.Span.Start || d.Span.End > len(p.Source) {
				t.Fatalf("%v lies outside of %d bytes", d, len(p.Source))
			}
		}
		if r != nil {
			for _, l := range r.place {
				if l.file > len(src) || l.query > len(r.Query) {
					t.Fatalf("line %+v lies outside", l)
				}
			}
		}
	})
}
