package rule_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"glassward"
)

const historyRules = `
-- burst.yaml --
id: 3d1f5c07-58a8-4a05-9f4e-0c8b8d5e7a11
name: Burst
kind: Scheduled
severity: Medium
queryFrequency: 10m
queryPeriod: 30m
query: |
  SigninLogs
  | where ResultType == '50126'
  | summarize Failures = count() by UserId
  | where Failures >= 2
entityMappings:
  - entityType: Account
    fieldMappings:
      - {identifier: AadUserId, columnName: UserId}
eventGroupingSettings:
  aggregationKind: AlertPerResult
-- arrival.yaml --
id: 3d1f5c07-58a8-4a05-9f4e-0c8b8d5e7a12
name: Success
kind: NRT
severity: Low
query: SigninLogs | where ResultType == '0' | project UserId, AppDisplayName
entityMappings:
  - entityType: Account
    fieldMappings:
      - {identifier: AadUserId, columnName: UserId}
eventGroupingSettings:
  aggregationKind: AlertPerResult
-- minute.yaml --
id: 3d1f5c07-58a8-4a05-9f4e-0c8b8d5e7a13
name: Success by the minute
kind: NRT
severity: Low
query: SigninLogs | where ResultType == '0'
`

// A step of a history: time passes, records come, the rules tick.
type step struct {
	pass    time.Duration
	records []made
	tick    bool
}

type made struct {
	name, user, result, source string
	lag                        time.Duration
}

func drawHistory(t *rapid.T, lags []time.Duration) []step {
	n := 0
	var out []step
	for range rapid.IntRange(3, 14).Draw(t, "steps") {
		s := step{pass: rapid.SampledFrom([]time.Duration{0, time.Minute, 7 * time.Minute, 25 * time.Minute}).Draw(t, "pass")}
		if s.tick = rapid.Bool().Draw(t, "tick"); !s.tick {
			for range rapid.IntRange(1, 3).Draw(t, "records") {
				n++
				s.records = append(s.records, made{
					fmt.Sprintf("r%d", n),
					rapid.SampledFrom([]string{"eve", "mallory"}).Draw(t, "user"),
					rapid.SampledFrom([]string{"50126", "50126", "0", "1"}).Draw(t, "result"),
					rapid.SampledFrom([]string{"hub", "branch"}).Draw(t, "source"),
					rapid.SampledFrom(lags).Draw(t, "lag"),
				})
			}
		}
		out = append(out, s)
	}
	return out
}

func (m made) words(clock time.Time) []string {
	at := clock.Add(-m.lag)
	return []string{m.name, "of", strings.ToLower(at.Weekday().String()), at.Format("15:04:05"), "from", m.source, "UserId=" + m.user, "ResultType=" + m.result}
}

// trouble is what can go wrong in a step; none of it may change the outcome.
type trouble int

const (
	none        trouble = iota
	killed              // the process is killed after the step
	uncommitted         // the first commit of the step fails, then the process is killed
	unheralded          // the records are stored, and the process is killed before the engine hears of them
	repeated            // the engine hears of the records twice
	together            // the records come in one batch and not one by one
)

// play runs a history on a new store and gives the alerts as they stand at the
// end: their ids with the names of their records.
func play(t *testing.T, history []step, troubles []trouble) (map[string]string, *story) {
	s := newStory(t, txtar.Parse([]byte(historyRules)))
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.clock = s.day.Add(36 * time.Hour)
	check(s.start())
	tick := func() { check(s.lost(s.engine.Tick(s.ctx))) }
	for i, st := range history {
		s.clock = s.clock.Add(st.pass)
		bad := none
		if i < len(troubles) {
			bad = troubles[i]
		}
		s.lose = bad == uncommitted
		if st.tick {
			tick()
		}
		if bad == together {
			var batch []glassward.Record
			for _, m := range st.records {
				r, err := s.records(m.words(s.clock))
				check(err)
				batch = append(batch, r...)
			}
			check(s.append(batch))
			continue
		}
		for _, m := range st.records {
			// The records of a step come one by one, so that each is a batch.
			if bad == unheralded {
				engine := s.engine
				s.engine = nil
				check(s.record(m.words(s.clock)))
				s.engine = engine
				continue
			}
			check(s.record(m.words(s.clock)))
			if bad == repeated {
				check(s.lost(s.engine.Batch(s.ctx, s.last)))
			}
		}
		s.lose = false
		if bad == killed || bad == uncommitted || bad == unheralded {
			check(s.start())
			if st.tick {
				tick()
			}
		}
	}
	s.clock = s.clock.Add(4 * time.Hour)
	tick()
	return s.outcome(), s
}

// few runs a property on fewer histories than rapid would: each has stores of
// its own.
func few(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	before := flag.Lookup("rapid.checks").Value.String()
	if before == "100" { // rapid's default: nobody asked for another number
		if err := flag.Set("rapid.checks", "12"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = flag.Set("rapid.checks", before) })
	}
	rapid.Check(t, property)
}

func (s *story) outcome() map[string]string {
	out := map[string]string{}
	for _, a := range s.book.Alerts() {
		out[string(a.ID)] = a.RuleName + " " + a.Group + ": " + s.list(a.Records)
	}
	return out
}

var shortLags = []time.Duration{0, 3 * time.Minute, 50 * time.Minute, 3 * time.Hour}

// TestRestartsChangeNothing: whenever the process is killed, whatever is not
// committed then, and however records fall into batches, the alerts are the
// same, with the same ids and records.
func TestRestartsChangeNothing(t *testing.T) {
	few(t, func(r *rapid.T) {
		history := drawHistory(r, shortLags)
		troubles := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 5), func(n int) trouble { return trouble(n) }), len(history), len(history)).Draw(r, "troubles")
		want, _ := play(t, history, nil)
		got, _ := play(t, history, troubles)
		if diff := cmp.Diff(want, got); diff != "" {
			r.Fatalf("alerts without and with restarts (-without +with):\n%s", diff)
		}
	})
}

// TestTicksChangeNothing: as long as records come on time, it does not matter
// when the rules tick.
func TestTicksChangeNothing(t *testing.T) {
	few(t, func(r *rapid.T) {
		history := drawHistory(r, []time.Duration{0})
		want, _ := play(t, history, nil)
		var often []step
		for _, s := range history {
			s.tick = false
			often = append(often, step{pass: s.pass, tick: true}, step{records: s.records})
		}
		got, _ := play(t, often, nil)
		if diff := cmp.Diff(want, got); diff != "" {
			r.Fatalf("alerts with few and with many ticks (-few +many):\n%s", diff)
		}
	})
}

// TestNothingIsMissed: at the end, every record that lies in a window with a
// burst is held by an alert, however late it came.
func TestNothingIsMissed(t *testing.T) {
	few(t, func(r *rapid.T) {
		history := drawHistory(r, shortLags)
		_, s := play(t, history, nil)
		held := map[string]bool{}
		for _, a := range s.book.Alerts() {
			if a.RuleName == "Burst" {
				for _, id := range a.Records {
					held[s.names[id]] = true
				}
			}
		}
		// Every window by hand.
		type event struct {
			name, user string
			at         time.Time
		}
		clock := s.day.Add(36 * time.Hour)
		start := clock
		var events []event
		for _, st := range history {
			clock = clock.Add(st.pass)
			for _, m := range st.records {
				if m.result == "50126" {
					events = append(events, event{m.name, m.user, clock.Add(-m.lag).Truncate(time.Second)})
				}
			}
		}
		missed := map[string]bool{}
		for end := start.Add(-4 * time.Hour); end.Before(clock.Add(4 * time.Hour)); end = end.Add(10 * time.Minute) {
			by := map[string][]string{}
			for _, e := range events {
				if !e.at.Before(end.Add(-30*time.Minute)) && e.at.Before(end) {
					by[e.user] = append(by[e.user], e.name)
				}
			}
			for _, names := range by {
				for _, n := range names {
					if len(names) >= 2 && !held[n] {
						missed[n] = true
					}
				}
			}
		}
		if len(missed) > 0 {
			r.Fatalf("missed: %v; alerts: %v", slices.Sorted(maps.Keys(missed)), s.outcome())
		}
	})
}
