package daemon

import (
	"testing"
	"time"

	"glassward/rule"
)

// A number that rises for minutes on end is told once, however long it goes on, and
// what goes up and down is not.
func TestAnOutboxThatGrows(t *testing.T) {
	for _, c := range []struct {
		name  string
		seen  []int
		grows bool
	}{
		{"rises", []int{90, 110, 130, 150, 170}, true},
		{"rises with rests", []int{90, 110, 110, 130, 150, 150, 170}, true},
		{"few", []int{1, 2, 3, 4, 5, 6, 7}, false},
		{"goes up and down", []int{100, 200, 150, 250, 200, 300, 250, 350}, false},
		{"a storm that is worked off", []int{5000, 4000, 3000, 2000, 1000, 500}, false},
	} {
		var g growth
		told := false
		for _, n := range c.seen {
			grows, _ := g.see(n)
			told = told || grows
		}
		if told != c.grows {
			t.Errorf("%s: told %v", c.name, told)
		}
	}
}

// A rule that is slow thrice in a row is told once, also over a restart, and told
// when it keeps up again.
func TestASlowRuleIsToldOnce(t *testing.T) {
	ctx := t.Context()
	d, _, _ := bare(t)
	states := func(slow int) []rule.State {
		return []rule.State{{ID: "r", Name: "Slow", Enabled: true, Every: time.Minute, Took: 90 * time.Second, Slow: slow}}
	}
	open := func() int {
		n := 0
		list := health(t, d)
		for _, inc := range list {
			if inc.Status != "Closed" {
				n++
			}
		}
		if len(list) > 1 {
			t.Fatalf("%d incidents", len(list))
		}
		return n
	}
	l := d.recallLasting(ctx, "t", "t/rules")
	if judgeSlow(ctx, l, states(2)); open() != 0 {
		t.Error("told too soon")
	}
	if judgeSlow(ctx, l, states(3)); open() != 1 {
		t.Error("not told")
	}
	l = d.recallLasting(ctx, "t", "t/rules")
	if judgeSlow(ctx, l, states(9)); open() != 1 {
		t.Error("told again after a restart")
	}
	if judgeSlow(ctx, l, states(0)); open() != 0 {
		t.Error("not told that it is over")
	}
}
