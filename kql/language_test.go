package kql_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"glassward/kql"
	"glassward/kql/diag"
	"glassward/kql/kqltest"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// testNow is the moment at which the queries of testdata run.
var testNow = "2026-11-21T04:00:00Z"

// TestLanguage runs the cases of testdata. Options of a case:
//
//	lineage = on           the result has a last column lineage with the record ids
//	window = time|seq      the records of 2026-11-20, or those with a sequence number of 2 and 3
//	shadow = NAME COLUMN PATH   a hidden column of the tables that have COLUMN
//	placeholder.x = text   the value of {{x}}
//	explore = off          the data cannot be asked for columns
//
// Rows of a table get the ids 00000000-0000-0000-0000-000000000001 and so on, in the order of the case's
// tables, and sequence numbers by the same count. The watchlist Emergency has the columns ObjectId and Owner.
func TestLanguage(t *testing.T) {
	e := newEngine(t)
	kqltest.Run(t, "testdata/*.txt", kqltest.EngineFunc(func(in kqltest.Input) (kqltest.Output, error) {
		cat := tables{}
		id := 0
		for _, tab := range in.Tables {
			table := &rel.Table{Name: tab.Name}
			for _, c := range tab.Columns {
				ty, ok := value.ParseType(c.Type)
				if !ok {
					return kqltest.Output{}, fmt.Errorf("no type %s", c.Type)
				}
				table.Columns = append(table.Columns, rel.Column{Name: c.Name, Type: ty})
			}
			own := len(table.Columns)
			if in.Options["own"] != "off" {
				table.Columns = append(table.Columns, rel.Column{Name: "_ItemId", Type: value.GUID})
			}
			f := strings.Fields(in.Options["shadow"])
			if len(f) == 3 && rel.Index(table.Columns, f[1]) >= 0 {
				table.Shadows = append(table.Shadows, rel.Shadow{Name: f[0], Column: f[1], Path: f[2], Type: value.String})
			}
			var rows [][]any
			for _, r := range tab.Rows {
				id++
				row := make([]any, 0, own+3)
				for i := range own {
					row = append(row, stored(r[i], table.Columns[i].Type))
				}
				if len(table.Columns) > own {
					row = append(row, fmt.Sprintf("00000000-0000-0000-0000-%012d", id))
				}
				row = append(row, int64(id))
				for _, s := range table.Shadows {
					text, _ := row[rel.Index(table.Columns, s.Column)].(string)
					row = append(row, shadowText(text, s.Path))
				}
				rows = append(rows, row)
			}
			cat[tab.Name] = table
			e.create(t, table, rows)
		}
		o := kql.Options{Catalog: cat, Lineage: in.Options["lineage"] == "on", Placeholders: map[string]any{}}
		for k, v := range in.Options {
			if name, ok := strings.CutPrefix(k, "placeholder."); ok {
				o.Placeholders[name] = v
			}
		}
		o.Watchlists = map[string]*kql.Watchlist{"Emergency": {
			Columns: []rel.Column{{Name: "ObjectId", Type: value.String}, {Name: "Owner", Type: value.String}},
			Rows:    [][]any{{"aaaa-1", "ann"}, {"bbbb-2", "bob"}},
		}}
		now, _ := value.ParseDateTime(testNow)
		from, _ := value.ParseDateTime("2026-11-20")
		b := kql.Bind{Now: now, From: from, To: from + value.Ticks(value.Day), SeqFrom: 1, SeqTo: 3}
		switch in.Options["window"] {
		case "time":
			o.Window = kql.ByTime
		case "seq":
			o.Window = kql.BySeq
		}
		if in.Options["explore"] != "off" {
			o.Explore = func(p *kql.Program) (*kql.Result, error) { return e.run(p, b) }
		}
		x, diags := kql.Explain(in.Query, o)
		out := kqltest.Output{Diagnostics: diag.Text("query", in.Query, diags)}
		if x == nil {
			return out, nil
		}
		p := x.Program
		out.Compiled, out.SQL, out.Tree = true, p.SQL, x.Tree()
		if p.NotLocal != nil && in.Options["local"] != "" {
			out.Tree = "not local: " + p.NotLocal.Message + " at " + p.NotLocal.Span.In(in.Query)
		} else if in.Options["local"] != "" {
			out.Tree = "local"
		}
		if in.Options["prefilters"] != "" {
			out.Tree = prefilterText(p.Prefilters)
		}
		res, err := e.run(p, b)
		if err != nil {
			return out, fmt.Errorf("%w\n%s", err, p.SQL)
		}
		for _, c := range res.Columns {
			out.Columns = append(out.Columns, kqltest.Column{Name: c.Name, Type: c.Type.String()})
		}
		if o.Lineage {
			out.Columns = append(out.Columns, kqltest.Column{Name: "lineage", Type: "string"})
			for i := range res.Rows {
				var short []string
				for _, id := range res.Lineage[i] {
					short = append(short, strings.TrimLeft(id[strings.LastIndexByte(id, '-')+1:], "0"))
				}
				// The order of ids says nothing.
				sortNumbers(short)
				res.Rows[i] = append(res.Rows[i], strings.Join(short, " "))
			}
		}
		out.Rows = res.Rows
		return out, checkFew(e, in.Query, o, b, res)
	}))
}

// checkFew holds that the form of a query for few records gives the same rows, in whatever order.
func checkFew(e *engine, query string, o kql.Options, b kql.Bind, want *kql.Result) error {
	o.Few = true
	p, diags := kql.Compile(query, o)
	if p == nil {
		return fmt.Errorf("for few records: %w", diags.Err())
	}
	got, err := e.run(p, b)
	if err != nil {
		return fmt.Errorf("for few records: %w\n%s", err, p.SQL)
	}
	// Rows of the first run may have grown by their lineage.
	text := func(r *kql.Result) string {
		var lines []string
		for _, row := range r.Rows {
			lines = append(lines, fmt.Sprint(row[:min(len(row), len(r.Columns))]))
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	if a, b := text(want), text(got); a != b {
		return fmt.Errorf("for few records the rows are others:\n%s\nnot\n%s\n%s", b, a, p.SQL)
	}
	return nil
}

func sortNumbers(s []string) {
	for i := range s {
		for j := i; j > 0 && (len(s[j]) < len(s[j-1]) || len(s[j]) == len(s[j-1]) && s[j] < s[j-1]); j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
}

func prefilterText(ps []kql.Prefilter) string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.Table)
		for _, c := range p.Conditions {
			fmt.Fprintf(&b, " [%s %s %s]", c.Column, []string{"=", "=~", "contains", "contains~"}[c.Op], strings.Join(c.Values, "|"))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// stored gives a cell of a case as the store holds it.
func stored(v any, t value.Type) any {
	switch t {
	case value.String:
		if v == nil {
			return ""
		}
	case value.Decimal:
		if s, ok := v.(string); ok {
			d, _ := value.ParseDec(s)
			return string(d)
		}
	case value.DateTime:
		if s, ok := v.(string); ok {
			d, _ := value.ParseDateTime(s)
			return int64(d)
		}
	case value.TimeSpan:
		if s, ok := v.(string); ok {
			d, _ := value.ParseTimeSpan(s)
			return int64(d)
		}
	case value.Dynamic:
		if v == nil {
			return nil
		}
		if s, ok := v.(string); ok {
			return s // kqltest gives dynamic as JSON text
		}
		return jsonOf(v)
	}
	if n, ok := v.(interface{ Int64() (int64, error) }); ok {
		if i, err := n.Int64(); err == nil {
			return i
		}
		f, _ := v.(interface{ Float64() (float64, error) }).Float64()
		return f
	}
	return v
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// shadowText does for the test tables what the store does when it takes a record in.
func shadowText(text, path string) string {
	v, _ := value.ParseJSON(text)
	list, isList := v.([]any)
	switch {
	case strings.HasPrefix(path, "[*]."):
		var out []string
		for _, e := range list {
			out = append(out, follow(e, path[3:]))
		}
		return strings.Join(out, "\n")
	case strings.HasPrefix(path, "[0]"):
		if !isList || len(list) == 0 {
			return ""
		}
		return follow(list[0], path[3:])
	}
	return follow(v, path)
}

func follow(v any, path string) string {
	for _, k := range strings.Split(strings.TrimPrefix(path, "."), ".") {
		o, ok := v.(*value.Object)
		if !ok {
			return ""
		}
		v, _ = o.Get(k)
	}
	if f, ok := v.(float64); ok {
		return value.JSON(f)
	}
	return value.Text(v)
}
