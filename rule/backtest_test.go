package rule_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"glassward"
	"glassward/rule"
)

// TestBacktest runs testdata/backtest/*.txtar.
func TestBacktest(t *testing.T) {
	names, _ := filepath.Glob("testdata/backtest/*.txtar")
	if len(names) == 0 {
		t.Fatal("no testdata")
	}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s := newStory(t, a)
		var out bytes.Buffer
		lines := strings.SplitAfter(strings.TrimRight(string(a.Comment), "\n"), "\n")
		for i, line := range lines {
			if strings.HasPrefix(line, ">") {
				continue
			}
			out.WriteString(strings.TrimRight(line, "\n") + "\n")
			words, err := split(strings.TrimSpace(line))
			if err == nil && i > 0 && len(words) > 0 {
				err = s.backtest(words, &out)
			}
			if err != nil {
				t.Fatalf("%s:%d: %v", name, i+1, err)
			}
		}
		if *rule.Update {
			a.Comment = out.Bytes()
			if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if d := cmp.Diff(string(a.Comment), out.String()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// backtest runs a line of a backtest's story and writes the answer.
func (s *story) backtest(words []string, out *bytes.Buffer) error {
	if words[0] == "at" {
		rest, err := s.at(words[1:])
		if err != nil || len(rest) == 0 {
			return err
		}
		words = rest
	}
	switch words[0] {
	case "record":
		return s.record(words[1:])
	case "backtest", "diff":
	default:
		return fmt.Errorf("unknown command %q", words[0])
	}
	n := 2
	if words[0] == "diff" {
		n = 3
	}
	from, _, err := s.moment(words[n+1:])
	if err != nil {
		return err
	}
	to, _, err := s.moment(words[n+3:])
	if err != nil {
		return err
	}
	var tests []*rule.Backtest
	for _, file := range words[1:n] {
		if s.files[file] == nil {
			return fmt.Errorf("there is no file %s", file)
		}
		b, err := rule.RunBacktest(s.ctx, s.files[file], environment(), rule.RunnerFunc(s.run), from, to)
		if err != nil {
			fmt.Fprintf(out, "> error: %v\n", err)
			return nil
		}
		tests = append(tests, b)
	}
	tell := func(a glassward.Alert) string {
		if a.ID == "" {
			return "nothing"
		}
		return fmt.Sprintf("%s–%s %s %q with %s", a.Start.Format("15:04"), a.End.Format("15:04"), a.Severity, a.Title, s.list(a.Records))
	}
	if words[0] == "backtest" {
		b := tests[0]
		fmt.Fprintf(out, "> %s: %d windows, %d results, measured: %v\n", b.RunsAs, b.Windows, b.Rows, b.Queries > 0 && b.Took >= b.Slowest && b.Slowest > 0)
		for _, a := range b.Alerts {
			fmt.Fprintf(out, "> %s\n", tell(a))
		}
		return nil
	}
	d := rule.Diff(tests[0], tests[1])
	fmt.Fprintf(out, "> %d the same\n", d.Same)
	for _, a := range d.Gone {
		fmt.Fprintf(out, "> gone %s\n", tell(a))
	}
	for _, a := range d.Come {
		fmt.Fprintf(out, "> come %s\n", tell(a))
	}
	for _, c := range d.Changed {
		fmt.Fprintf(out, "> changed %s: %s\n", tell(c.Old), strings.Join(c.What, ", "))
		fmt.Fprintf(out, ">      to %s\n", tell(c.New))
	}
	return nil
}

// TestBacktestCrowd: results that would have come one after the other are not
// taken for a crowd because they are judged together.
func TestBacktestCrowd(t *testing.T) {
	s := newStory(t, txtar.Parse([]byte(everyone)))
	s.clock = s.day.Add(10 * time.Hour)
	for i := range 200 {
		check(t, s.record([]string{fmt.Sprintf("r%03d", i), "UserId=one"}))
		s.clock = s.clock.Add(10 * time.Second)
	}
	from := s.day.Add(9*time.Hour + 30*time.Minute)
	b, err := rule.RunBacktest(t.Context(), s.rules[0], environment(), rule.RunnerFunc(s.run), from, from.Add(36*time.Hour))
	check(t, err)
	want := []rule.BacktestDay{{Day: "2026-03-02", Alerts: 200, Rows: 200}}
	if d := cmp.Diff(want, b.Days); b.Count != 200 || b.Rows != 200 || d != "" {
		t.Errorf("%d alerts, %d rows, days (-want +got):\n%s", b.Count, b.Rows, d)
	}
	for _, a := range b.Alerts {
		if a.Group == "rest" {
			t.Errorf("an alert of the rest: %d rows", a.RowCount)
		}
	}
	if b.Trim(3); len(b.Alerts) != 3 || b.Count != 200 {
		t.Errorf("trimmed to %d of %d", len(b.Alerts), b.Count)
	}
}
