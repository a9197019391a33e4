package truth_test

import (
	"testing"

	"glassward/directory/truth"
)

var values = []truth.Value{truth.False, truth.Unknown, truth.True}

// completions gives the definite values that a value may turn out to be.
func completions(v truth.Value) []bool {
	switch v {
	case truth.True:
		return []bool{true}
	case truth.False:
		return []bool{false}
	}
	return []bool{false, true}
}

// An operation's answer is definite exactly if every way in which the unknown may
// turn out gives that answer.
func TestKleene(t *testing.T) {
	agree := func(name string, have truth.Value, outcomes []bool) {
		t.Helper()
		yes, no := false, false
		for _, o := range outcomes {
			yes, no = yes || o, no || !o
		}
		want := truth.Unknown
		if yes != no {
			want = truth.Of(yes)
		}
		if have != want {
			t.Errorf("%s is %v, want %v", name, have, want)
		}
	}
	for _, a := range values {
		var not []bool
		for _, x := range completions(a) {
			not = append(not, !x)
		}
		agree("not "+a.String(), a.Not(), not)
		for _, b := range values {
			var and, or []bool
			for _, x := range completions(a) {
				for _, y := range completions(b) {
					and, or = append(and, x && y), append(or, x || y)
				}
			}
			agree(a.String()+" and "+b.String(), truth.All(a, b), and)
			agree(a.String()+" or "+b.String(), truth.Any(a, b), or)
			if a.And(b) != truth.All(a, b) || a.Or(b) != truth.Any(a, b) {
				t.Errorf("All and Any differ from And and Or of %v and %v", a, b)
			}
		}
	}
	if truth.All() != truth.True || truth.Any() != truth.False {
		t.Error("All of nothing is true, Any of nothing is false")
	}
	var zero truth.Value
	if zero.Known() || zero.String() != "unknown" {
		t.Error("the zero value is not unknown")
	}
}
