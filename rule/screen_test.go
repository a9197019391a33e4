package rule

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/schema"
)

// blank gives a record of a table with nothing in it.
func blank(table string) glassward.Record {
	t, _ := schema.Lookup(table)
	r := glassward.Record{Table: table, Values: make([]glassward.Value, len(t.Columns))}
	for i, c := range t.Columns {
		if c.Type == value.String {
			r.Values[i] = glassward.String("")
		}
	}
	return r
}

func set(r *glassward.Record, column, text string) {
	t, _ := schema.Lookup(r.Table)
	i, _ := t.Index(column)
	r.Values[i] = glassward.String(text)
}

func TestScreen(t *testing.T) {
	programs := []*kql.Program{
		0: {Tables: []string{"SigninLogs"}, Prefilters: []kql.Prefilter{{Table: "SigninLogs", Conditions: []kql.Condition{{Column: "UserId", Op: kql.EqualsFold, Values: []string{"AbC", "straße"}}}}}},
		1: {Tables: []string{"SigninLogs"}, Prefilters: []kql.Prefilter{{Table: "SigninLogs"}}},
		2: nil,
		3: {Tables: []string{"AuditLogs", "SigninLogs"}, Prefilters: []kql.Prefilter{
			{Table: "AuditLogs", Conditions: []kql.Condition{{Column: "TargetResources", Op: kql.Contains, Values: []string{"id-1", "id-2"}}}},
			{Table: "AuditLogs", Conditions: []kql.Condition{{Column: "InitiatedBy", Op: kql.ContainsFold, Values: []string{"ID-1"}}, {Column: "Result", Op: kql.Equals, Values: []string{"success"}}}},
			{Table: "SigninLogs", Conditions: []kql.Condition{{Column: "ResultType", Op: kql.Equals, Values: []string{"0"}}}},
		}},
		4: {Tables: []string{"AuditLogs"}}, // no prefilter is known: everything counts
		5: {Tables: []string{"SigninLogs"}, Prefilters: []kql.Prefilter{{Table: "SigninLogs", Conditions: []kql.Condition{{Column: "_Hidden", Op: kql.Equals, Values: []string{"x"}}}}}},
		6: {Tables: []string{"SigninLogs"}, Prefilters: []kql.Prefilter{{Table: "SigninLogs", Conditions: []kql.Condition{{Column: "UserId", Op: kql.Equals, Values: nil}}}}},
	}
	var records []glassward.Record
	add := func(table string, cells ...string) {
		r := blank(table)
		for i := 0; i < len(cells); i += 2 {
			set(&r, cells[i], cells[i+1])
		}
		records = append(records, r)
	}
	add("SigninLogs", "UserId", "aBC")                                           // 0
	add("SigninLogs", "UserId", "abcd", "ResultType", "0")                       // 1
	add("AuditLogs", "TargetResources", `[{"id":"id-2"}]`)                       // 2
	add("AuditLogs", "InitiatedBy", `{"user":{"id":"id-1"}}`, "Result", "other") // 3
	add("AuditLogs", "InitiatedBy", `{"user":{"id":"Id-1"}}`, "Result", "success")
	add("AADRiskyUsers")
	add("SigninLogs", "UserId", "STRAßE")
	want := [][]int{0: {0, 6}, 1: {0, 1, 6}, 2: nil, 3: {1, 2, 4}, 4: {2, 3, 4}, 5: {0, 1, 6}, 6: nil}
	s := newScreen(programs)
	for range 2 { // the scratch must not remember
		got := s.match(records)
		for i := range want {
			if !slices.Equal(got[i], want[i]) {
				t.Errorf("rule %d is shown %v, want %v", i, got[i], want[i])
			}
		}
	}
}

// TestScreenAgrees holds the screen against the definition, kql.Prefilter.
func TestScreenAgrees(t *testing.T) {
	words := []string{"", "a", "A", "ab", "AB", "ſ", "s", "K", "k", "ß", "a b"}
	columns := []string{"UserId", "ResultType", "AppId"}
	rapid.Check(t, func(t *rapid.T) {
		var programs []*kql.Program
		for range rapid.IntRange(1, 5).Draw(t, "rules") {
			p := &kql.Program{Tables: []string{"SigninLogs"}}
			for range rapid.IntRange(1, 3).Draw(t, "alternatives") {
				f := kql.Prefilter{Table: "SigninLogs"}
				for range rapid.IntRange(0, 3).Draw(t, "conditions") {
					f.Conditions = append(f.Conditions, kql.Condition{
						Column: rapid.SampledFrom(columns).Draw(t, "column"),
						Op:     kql.CondOp(rapid.IntRange(0, 3).Draw(t, "op")),
						Values: rapid.SliceOfN(rapid.SampledFrom(words), 1, 3).Draw(t, "values"),
					})
				}
				p.Prefilters = append(p.Prefilters, f)
			}
			programs = append(programs, p)
		}
		var records []glassward.Record
		for range rapid.IntRange(1, 4).Draw(t, "records") {
			r := blank("SigninLogs")
			for _, c := range columns {
				set(&r, c, rapid.SampledFrom(words).Draw(t, c))
			}
			records = append(records, r)
		}
		table, _ := schema.Lookup("SigninLogs")
		got := newScreen(programs).match(records)
		for i, p := range programs {
			for n, r := range records {
				accepts := slices.ContainsFunc(p.Prefilters, func(f kql.Prefilter) bool {
					return f.Accepts(func(column string) string { c, _ := table.Index(column); return r.Values[c].Str })
				})
				if accepts != slices.Contains(got[i], n) {
					t.Fatalf("rule %d, record %d: the prefilter says %v, the screen %v", i, n, accepts, got[i])
				}
			}
		}
	})
}

// BenchmarkScreen is a batch of 1000 records that match nothing, over 100
// rules: half look for accounts, half for words in JSON.
func BenchmarkScreen(b *testing.B) {
	var programs []*kql.Program
	for i := range 100 {
		p := &kql.Program{Tables: []string{"SigninLogs"}, Prefilters: []kql.Prefilter{{Table: "SigninLogs", Conditions: []kql.Condition{
			{Column: "UserId", Op: kql.EqualsFold, Values: []string{fmt.Sprintf("e0000000-0000-4000-8000-%012d", i), fmt.Sprintf("e0000000-0000-4000-8000-1%011d", i)}},
		}}}}
		if i%2 == 1 {
			p.Prefilters[0].Conditions[0] = kql.Condition{Column: "ConditionalAccessPolicies", Op: kql.Contains, Values: []string{fmt.Sprintf("policy-%d", i)}}
		}
		programs = append(programs, p)
	}
	s := newScreen(programs)
	var records []glassward.Record
	for i := range 1000 {
		r := blank("SigninLogs")
		set(&r, "UserId", fmt.Sprintf("a0000000-0000-4000-8000-%012d", i))
		set(&r, "ConditionalAccessPolicies", fmt.Sprintf(`[{"id":"%d","displayName":"Require multifactor authentication","result":"success"},{"id":"other","displayName":"Block legacy","result":"notApplied"}]`, i))
		records = append(records, r)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, hits := range s.match(records) {
			if hits != nil {
				b.Fatal("a record matches")
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}
