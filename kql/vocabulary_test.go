package kql_test

import (
	"strings"
	"testing"

	"glassward/kql"
	"glassward/kql/builtin"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// argument gives a literal that a parameter takes.
func argument(f *builtin.Function, p *builtin.Param) string {
	switch p.Name {
	case "part":
		if f.Name == "parse_user_agent" {
			return `"browser"`
		}
		return `"day"`
	case "format":
		return `"dd:hh"`
	case "kind":
		return `"regex"`
	case "type":
		return "typeof(string)"
	case "condition":
		return "b"
	case "limit", "accuracy":
		return "3"
	case "path":
		return `"$.a"`
	case "groups":
		return "dynamic([1])"
	case "regex":
		return `"(a)"`
	}
	if p.Constant && len(p.Types) > 0 {
		return map[value.Type]string{value.Bool: "true", value.Int: "2", value.String: `"b"`}[p.Types[0]]
	}
	if len(p.Types) == 0 && p.Constant {
		return "2"
	}
	if len(p.Types) == 0 {
		return "l"
	}
	return map[value.Type]string{
		value.Bool: "b", value.Int: "toint(l)", value.Long: "l", value.Real: "r", value.Decimal: "r", value.String: "s", value.DateTime: "t", value.TimeSpan: "1h", value.GUID: "g", value.Dynamic: "d",
	}[p.Types[0]]
}

// TestEveryFunction compiles and runs a call of every supported function, once with all arguments and once
// with those that must be there: the table promises nothing that has no SQL.
func TestEveryFunction(t *testing.T) {
	e := newEngine(t)
	table := &rel.Table{Name: "T", Columns: []rel.Column{{Name: "s", Type: value.String}, {Name: "l", Type: value.Long}, {Name: "r", Type: value.Real}, {Name: "b", Type: value.Bool},
		{Name: "t", Type: value.DateTime}, {Name: "d", Type: value.Dynamic}, {Name: "g", Type: value.GUID}}}
	e.create(t, table, [][]any{
		{"abc", int64(3), 1.5, true, int64(637134336000000000), `{"a":[1,"x"]}`, "11111111-1111-1111-1111-111111111111", int64(1)},
		{"", nil, nil, nil, nil, nil, nil, int64(2)},
		{"10.0.0.1", int64(-1), 0.0, false, int64(0), `[1,2,3]`, nil, int64(3)},
	})
	cat := tables{"T": table}
	run := func(query string) {
		p, diags := kql.Compile(query, kql.Options{Catalog: cat, Addresses: true})
		if p == nil {
			t.Errorf("%s: %v", query, diags.Err())
			return
		}
		if _, err := e.run(p, kql.Bind{Now: 637134336000000000}); err != nil {
			t.Errorf("%s: %v\n%s", query, err, p.SQL)
		}
	}
	for _, f := range builtin.All() {
		if f.Unsupported != "" {
			continue
		}
		var least, all []string
		for i := range f.Params {
			p := &f.Params[i]
			a := argument(f, p)
			if !p.Optional {
				least = append(least, a)
			}
			all = append(all, a)
		}
		switch f.Name {
		case "case":
			least = []string{"b", "l", "2"}
			all = least
		case "iff":
			least = []string{"b", "l", "2"}
			all = least
		case "bag_pack":
			least, all = []string{"s", "l"}, []string{"s", "l", `"k"`, "d"}
		case "bin", "floor":
			least = all
		case "range":
			all = []string{"1", "l", "2"}
		case "assert":
			least = []string{"true", `"no"`}
			all = least
		case "bin_auto":
			continue // needs a set statement: testdata has it
		case "column_names_of":
			least = []string{"T"}
			all = least
		case "percentilew", "percentilesw", "percentilesw_array":
			least = []string{"r", "l", "50"}
			all = least
		case "percentile", "percentiles", "percentiles_array":
			least = []string{"l", "50"}
			all = least
		}
		calls := [][]string{least}
		if len(all) != len(least) {
			calls = append(calls, all)
		}
		for _, args := range calls {
			call := f.Name + "(" + strings.Join(args, ", ") + ")"
			switch f.Kind {
			case builtin.Scalar:
				run("T | extend x = " + call)
			case builtin.Aggregate:
				run("T | summarize x = " + call)
				run("T | summarize " + call + " by s")
			case builtin.Window:
				run("T | sort by l | extend x = " + call)
			}
		}
	}
}
