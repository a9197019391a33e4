package rule

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/kql/value"
)

func TestWatermarkRoundTrip(t *testing.T) {
	g := newGrid(5*time.Minute, time.Hour)
	n := g.last(at("2026-03-02T10:05:00Z"))
	s := state{
		seq: 42, judged: n, open: windowSet{{n - 20, n - 18}, {n - 3, n - 3}}, late: windowSet{{n - 400, n - 400}}, owed: windowSet{{n - 1, n - 1}},
		passed: map[string]value.Ticks{"SigninLogs event hub 1": at("2026-03-02T10:04:59.1234567Z")},
		seen:   []sighting{{alert: "a", group: "Account eve", windows: windowSet{{n - 2, n}}}, {alert: "b", silent: true, windows: windowSet{{n, n}}}},
		fired:  at("2026-03-02T10:00:00Z"),
		failed: "no answer",
	}
	data, err := s.encode(g)
	if err != nil {
		t.Fatal(err)
	}
	decodeState := func(data []byte, g grid) (state, bool, error) {
		in, err := readStored(data)
		if err != nil {
			return state{}, false, err
		}
		s, windows := in.state(g)
		return s, windows, nil
	}
	got, windows, err := decodeState(data, g)
	if err != nil || !windows {
		t.Fatal(windows, err)
	}
	if diff := cmp.Diff(s, got, cmp.AllowUnexported(state{}, sighting{}, run{})); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}

	// The file's frequency was changed meanwhile: nothing that was to be judged
	// again is forgotten.
	hourly := newGrid(time.Hour, 2*time.Hour)
	got, _, err = decodeState(data, hourly)
	if err != nil {
		t.Fatal(err)
	}
	for w := range s.open.windows() {
		end := endOf(g, w)
		first, _ := hourly.covering(end - 1)
		if !got.open.has(first) {
			t.Errorf("the window to %v was to be judged again, and no hourly window that holds its end is", end)
		}
	}
	if end := endOf(hourly, got.judged); end != at("2026-03-02T10:00:00Z") {
		t.Errorf("judged to %v", end)
	}

	// From NRT to Scheduled and back the position in the log stays.
	nrt := state{seq: 7}
	data, err = nrt.encode(grid{})
	if err != nil {
		t.Fatal(err)
	}
	if got, windows, err = decodeState(data, g); err != nil || windows || got.seq != 7 {
		t.Errorf("read an NRT watermark as Scheduled: %+v, %v, %v", got, windows, err)
	}

	_, _, err = decodeState([]byte(`{"v":2,"seq":1}`), g)
	if err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a newer version is read as %v", err)
	}
}

func TestArrive(t *testing.T) {
	g := grid{frequency: 10, period: 30}
	for _, c := range []struct {
		name       string
		passed     value.Ticks
		at         value.Ticks
		open, late windowSet
	}{
		{"a source that was never heard", 0, 105, windowSet{{11, 13}}, nil},
		{"a source that is silent since 100", 100, 105, windowSet{{11, 13}}, nil},
		{"a source that has passed 125", 125, 105, windowSet{{13, 13}}, windowSet{{11, 12}}},
		{"a source that has passed everything", 900, 105, nil, windowSet{{11, 13}}},
		{"at the edge of what was judged", 900, 195, nil, windowSet{{20, 20}}},
		{"not judged yet", 900, 200, nil, nil},
	} {
		s := state{judged: 20, passed: map[string]value.Ticks{"T s": c.passed}}
		if c.passed == 0 {
			delete(s.passed, "T s")
		}
		s.arrive(g, "T s", c.at, c.at)
		if !slices.Equal(s.open, c.open) || !slices.Equal(s.late, c.late) {
			t.Errorf("%s: open %v, late %v; want %v, %v", c.name, s.open, s.late, c.open, c.late)
		}
	}
}

func TestForgetsOldestSources(t *testing.T) {
	s := state{passed: map[string]value.Ticks{}}
	for i := range value.Ticks(maxSources + 5) {
		s.pass(map[string]value.Ticks{passKey("T", strings.Repeat("x", int(i)+1)): i + 1})
	}
	if len(s.passed) != maxSources || s.passed[passKey("T", "xxxxx")] != 0 || s.passed[passKey("T", "xxxxxx")] == 0 {
		t.Errorf("%d sources are remembered", len(s.passed))
	}
}

func TestSight(t *testing.T) {
	var s state
	step := func(n int64, alerts ...string) (gone []string) {
		var found []sighting
		for _, a := range alerts {
			found = append(found, sighting{alert: glassward.AlertID(a)})
		}
		for _, w := range s.sight(n, found) {
			gone = append(gone, string(w.alert))
		}
		return gone
	}
	step(1, "a")
	step(2, "a", "b")
	step(3, "b")
	if gone := step(1); gone != nil {
		t.Errorf("a is still in window 2, and %v are gone", gone)
	}
	if gone := step(2, "b"); !slices.Equal(gone, []string{"a"}) {
		t.Errorf("%v are gone, want a", gone)
	}
	if gone := step(2); gone != nil {
		t.Errorf("b is still in window 3, and %v are gone", gone)
	}
	if gone := step(4); gone != nil {
		t.Errorf("window 4 has nothing to lose, and %v are gone", gone)
	}
}

func FuzzReadStored(f *testing.F) {
	f.Add([]byte(`{"v":1,"seq":42,"judged":"2026-03-02T10:05:00.0000000Z","open":[["2026-03-02T10:05:00Z","2026-03-02T10:15:00Z"]],"seen":[{"alert":"a","windows":[["2026-03-02T10:05:00Z","2026-03-02T10:05:00Z"]]}]}`))
	f.Add([]byte(`{"v":1,"judged":"0001-01-01T00:00:00Z","late":[["9999-12-31T23:59:59Z","0001-01-01T00:00:00Z"]],"seen":[{"windows":[]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := readStored(data)
		if err != nil {
			return
		}
		g := newGrid(5*time.Minute, time.Hour)
		s, _ := in.state(g)
		s.prune(g, at("2026-03-02T10:05:00Z"))
		s.sight(1, []sighting{{alert: "a"}})
		if _, err := s.encode(g); err != nil {
			t.Fatal(err)
		}
	})
}
