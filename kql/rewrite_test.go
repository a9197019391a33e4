package kql_test

import (
	"math"
	"os"
	"testing"

	"glassward/kql/rel"
	"glassward/kql/value"
)

// TestRewritesChangeNothing runs queries without any rewrite, with each alone, with all but one, and with all,
// over the same small tables: the rows are the same.
func TestRewritesChangeNothing(t *testing.T) {
	e := newSmallEngine(t)
	now, _ := value.ParseDateTime(testNow)
	steps := rel.Rewrites()
	compared, full, skipped := 0, 0, 0
	for _, s := range append(chosenSamples(t, 40), generated(t, 80)...) {
		for seed := range uint64(2) {
			u := newSubject(s, seed)
			if u == nil || calls(u.tree, chance) {
				skipped++
				break
			}
			u.store(t, e)
			run := func(use func(i int) bool) (*result, error) {
				tree := u.tree
				for i, step := range steps {
					if use(i) {
						tree = step.Apply(tree)
					}
				}
				return e.runTree(tree, math.MaxInt64, now)
			}
			want, err := run(func(int) bool { return false })
			if err != nil {
				skipped++
				if os.Getenv("KQLPROVE") != "" {
					t.Logf("%s: %v", u.name, err)
				}
				break
			}
			compared++
			if len(want.rows) > 0 {
				full++
			}
			collected := calls(u.tree, gathers)
			check := func(how string, use func(i int) bool) {
				got, err := run(use)
				if err != nil {
					t.Errorf("%s, %s: %v\n%s", u.name, how, err, u.query)
					return
				}
				if d := differ(want.rows, got.rows, collected); d != "" {
					t.Errorf("%s, %s (seed %d): %s\n%s\n%s", u.name, how, seed, d, u.query, rel.Text(u.tree))
				}
			}
			for i, step := range steps {
				check("with "+step.Name+" alone", func(j int) bool { return j == i })
				check("without "+step.Name, func(j int) bool { return j != i })
			}
			check("with all", func(int) bool { return true })
		}
	}
	t.Logf("%d queries over small tables, %d of them with rows; %d cannot be compared", compared, full, skipped)
	if full < 30 {
		t.Errorf("only %d comparisons had rows", full)
	}
}
