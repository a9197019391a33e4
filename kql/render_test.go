package kql_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// TestRender: how a result is to be drawn is the result's, not the engine's.
func TestRender(t *testing.T) {
	catalog := rel.Tables{{Name: "T", Columns: []rel.Column{{Name: "a", Type: value.Long}, {Name: "s", Type: value.String}}}}
	for _, x := range []struct {
		query string
		want  *kql.Render
	}{
		{"T", nil},
		{"T | render table", &kql.Render{Chart: "table"}},
		{"T | summarize count() by s | render piechart with (title='Who, and how often', kind=default)", &kql.Render{Chart: "piechart", Properties: map[string]string{"title": "Who, and how often", "kind": "default"}}},
		{"T | sort by a asc | take 3 | render timechart with (xcolumn=a, ycolumns=a, s, YMin=-1)", &kql.Render{Chart: "timechart", Sorted: true, Properties: map[string]string{"xcolumn": "a", "ycolumns": "a,s", "ymin": "-1"}}},
		{"T | top 3 by a | project s | render list", &kql.Render{Chart: "list", Sorted: true}},
		{"T | sample 3 | render list", &kql.Render{Chart: "list"}},
		{"T | sort by a | summarize count() by s | render list", &kql.Render{Chart: "list"}},
	} {
		p, diags := kql.Compile(x.query, kql.Options{Catalog: catalog})
		if p == nil {
			t.Errorf("%s: %v", x.query, diags)
			continue
		}
		if x.want != nil && x.want.Properties == nil {
			x.want.Properties = map[string]string{}
		}
		if d := cmp.Diff(x.want, p.Render); d != "" {
			t.Errorf("%s: (-want +got)\n%s", x.query, d)
		}
	}
}

// TestSetLimits: a text may lower the limits of its results, with numbers that are known.
func TestSetLimits(t *testing.T) {
	catalog := rel.Tables{{Name: "T", Columns: []rel.Column{{Name: "a", Type: value.Long}}}}
	compile := func(query string) (*kql.Program, error) {
		p, diags := kql.Compile(query, kql.Options{Catalog: catalog})
		if diags.HasErrors() {
			return nil, diags.Err()
		}
		return p, nil
	}
	p, err := compile("set truncationmaxrecords=1; set truncationmaxsize=4 * 1024; T; T")
	if err != nil || p.MaxRows != 1 || p.MaxBytes != 4096 {
		t.Errorf("%+v, %v", p, err)
	}
	for _, query := range []string{"set truncationmaxrecords=0; T", "set truncationmaxrecords=-5; T", "set truncationmaxsize=toscalar(T | count); T", "set query_take_max_records='many'; T"} {
		if _, err := compile(query); err == nil {
			t.Errorf("%s: taken", query)
		}
	}
}
