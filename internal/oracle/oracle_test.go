package main

import (
	"testing"
)

// sampled is how many questions not our own stand for one that is asked: `make oracle` asks them all.
const sampled = 40

// TestOracle asks Microsoft's type checker about all queries of kql/testdata and some of the others.
func TestOracle(t *testing.T) {
	j, err := newJudge("npm")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	all, err := questions("../..", "../../../shared", j, sampled)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := j.hold(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range rep.found {
		t.Errorf("%s: %s\n%s", d.Question.ID, d.Text, d.Question.Query)
	}
	if rep.states[agreed] < len(all)/2 {
		t.Errorf("only %d of %d agree", rep.states[agreed], len(all))
	}
}

// TestReasons holds the form of differences.txt.
func TestReasons(t *testing.T) {
	reasons, err := readReasons(differencesText)
	if err != nil {
		t.Fatal(err)
	}
	q := &question{Query: "T | project d + d"}
	r := explain(reasons, difference{q, "refused KQL0205 found dynamic + dynamic, which has no meaning"})
	if r == nil || len(r.explained) != 1 {
		t.Errorf("explained by %v", r)
	}
	if explain(reasons, difference{q, "the sky is green"}) != nil {
		t.Error("everything is explained")
	}
	for _, bad := range []string{"no reason", "x -- ", "( -- Half a bracket."} {
		if _, err := readReasons(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
