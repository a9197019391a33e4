package lag_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/quick"
	"time"

	"glassward"
	"glassward/lag"
)

// troubled gives a world with several roads and a bit of every trouble.
func troubled(t testing.TB, seed uint64) *world {
	w := newWorld(t, monday, seed)
	w.road(lag.Road{Name: "graph", Tables: []string{"SigninLogs", "AuditLogs"}, SameIDs: true, Added: monday.Add(-72 * time.Hour)}).jitter = 2 * time.Minute
	w.road(lag.Road{Name: "eventhub:main", Tables: []string{"SigninLogs"}, SameIDs: true}).jitter = 5 * time.Minute
	w.flows = []*flow{{table: "SigninLogs", rate: office(200, 5)}, {table: "AuditLogs", rate: office(10, 0.2)}}
	w.pulse = &pulse{every: 10 * time.Minute, tables: []string{"SigninLogs"}, next: monday}
	return w
}

// disturb does something to a road, by chance.
func (w *world) disturb() {
	c := w.way[w.roads[w.rnd.IntN(len(w.roads))].Name]
	switch w.rnd.IntN(8) {
	case 0:
		c.hold = !c.hold
	case 1:
		c.fault = &lag.Fault{Kind: "token", Text: "AADSTS7000215", Lasting: true}
	case 2:
		c.fault = &lag.Fault{Kind: "outage", Text: "503"}
	case 3:
		c.lose = w.rnd.Float64() / 4
	case 4:
		c.lag = time.Duration(w.rnd.Int64N(int64(20 * time.Minute)))
	case 5:
		w.pulse.tables = [][]string{{"SigninLogs"}, {"AuditLogs"}}[w.rnd.IntN(2)]
	default:
		c.hold, c.fault, c.lose, c.lag = false, nil, 0, time.Minute
	}
}

// TestSameFuture restores a tracker from its memory at many moments of a troubled
// week: it must say of what follows exactly what the one that was never ended does.
func TestSameFuture(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			one, two := troubled(t, seed), troubled(t, seed)
			for i := range 60 {
				to := one.now.Add(time.Hour)
				one.disturb()
				two.disturb()
				one.advance(to)
				two.advance(to)
				memory := two.tracker.Memory()
				if again := two.tracker.Memory(); !bytes.Equal(memory, again) {
					t.Fatal("the same memory is written in two ways")
				}
				restored, err := lag.Restore(memory, lag.Options{})
				if err != nil {
					t.Fatal(err)
				}
				restored.Expect(two.roads, two.now)
				two.tracker = restored
				if !reflect.DeepEqual(one.all, two.all) {
					t.Fatalf("hour %d: changes differ after a restart:\n%s\n--- and\n%s", i, tellings(one.all), tellings(two.all))
				}
				if a, b := one.tracker.Status(to), two.tracker.Status(to); !reflect.DeepEqual(a, b) {
					t.Fatalf("hour %d: states differ after a restart:\n%+v\n%+v", i, a, b)
				}
				if len(memory) > 200<<10 {
					t.Fatalf("a memory of three streams has %d bytes", len(memory))
				}
			}
			if len(one.told) == 0 {
				t.Error("nothing happened in this week")
			}
		})
	}
}

// TestChangesFit looks at every change of troubled weeks: it follows the one
// before, states last, blind intervals are whole, and all that began is over in
// the end.
func TestChangesFit(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := troubled(t, seed)
			for range 80 {
				w.disturb()
				w.advance(w.now.Add(time.Hour))
			}
			for _, c := range w.way {
				c.hold, c.fault, c.lose, c.lag = false, nil, 0, time.Minute
			}
			w.pulse.tables = []string{"SigninLogs"}
			w.step = 30 * time.Second
			w.advance(w.now.Add(5 * 24 * time.Hour))
			state, open := map[string]lag.State{}, map[string]bool{}
			turns := map[string][]time.Time{}
			for _, c := range w.all {
				if c.Title == "" || c.At.IsZero() || c.Since.IsZero() || c.Since.After(c.At) {
					t.Errorf("a change says too little: %+v", c)
				}
				if c.Cause == "road" {
					for _, table := range c.Tables {
						k := c.Road + " " + table
						if was, ok := state[k]; ok && was != c.Was {
							t.Errorf("%s: %s was %s and is said to have been %s", c.At, k, was, c.Was)
						}
						state[k] = c.Is
						if c.Was != c.Is {
							turns[k] = append(turns[k], c.At)
						}
					}
				}
				for _, i := range c.Intervals {
					if i.From.IsZero() || !i.From.Before(i.To) || i.To.After(c.At) || i.Late < 0 {
						t.Errorf("%s: a blind interval is not whole: %+v", c.At, i)
					}
				}
				if c.Tell {
					k := c.Cause + " " + c.Subject
					if c.Over && !open[k] {
						t.Errorf("%s: %s is over and had not begun: %s", c.At, k, c.Title)
					}
					open[k] = !c.Over
				}
			}
			for k, is := range open {
				if is {
					t.Errorf("%s is still open after five good days", k)
				}
			}
			for k, at := range turns {
				for i := 4; i < len(at); i++ {
					if at[i].Sub(at[i-4]) < 2*time.Minute {
						t.Errorf("%s flaps: five turns from %s to %s", k, at[i-4], at[i])
					}
				}
			}
			for _, s := range w.tracker.Status(w.now) {
				if s.State != lag.Fresh {
					t.Errorf("%s of %s is %s in the end: %s", s.Table, s.Road, s.State, s.Why)
				}
			}
		})
	}
}

func TestRestoreOfDamage(t *testing.T) {
	w := troubled(t, 1)
	w.advance(monday.Add(3 * time.Hour))
	memory := w.tracker.Memory()
	for name, b := range map[string][]byte{
		"cut": memory[:len(memory)/2], "another version": []byte("glassward lag memory 9\n..."), "short": memory[:30],
	} {
		tracker, err := lag.Restore(b, lag.Options{})
		if !errors.Is(err, lag.ErrMemory) || tracker == nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		tracker.Expect(w.roads, w.now)
		if got := tracker.Tick(w.now); len(got) > 0 {
			t.Errorf("%s: what learns anew said %s", name, tellings(got))
		}
	}
	for i := 0; i < len(memory); i += 97 {
		b := slices.Clone(memory)
		b[i] ^= 4
		if _, err := lag.Restore(b, lag.Options{}); err == nil {
			t.Fatalf("a bit of byte %d was turned and nobody saw it", i)
		}
	}
	if _, err := lag.Restore(nil, lag.Options{}); err != nil {
		t.Errorf("no memory at all: %v", err)
	}
}

func FuzzRestore(f *testing.F) {
	w := troubled(f, 1)
	w.advance(monday.Add(time.Hour))
	f.Add(w.tracker.Memory())
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		tracker, _ := lag.Restore(b, lag.Options{})
		tracker.Expect(w.roads, w.now)
		tracker.Tick(w.now)
		tracker.Status(w.now)
		tracker.Memory()
	})
}

// TestBounds gives a tracker more roads, tables, ids and faults than it may hold.
func TestBounds(t *testing.T) {
	tracker := lag.New(lag.Options{})
	tracker.Expect([]lag.Road{{Name: "graph", Tables: []string{"SigninLogs"}, SameIDs: true}, {Name: "eventhub", Tables: []string{"SigninLogs"}, SameIDs: true}}, monday)
	tracker.Tick(monday)
	var list []lag.Sighting
	for i := range 50000 {
		var id glassward.RecordID
		binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
		list = append(list, lag.Sighting{Table: "SigninLogs", ID: id, Event: monday, Received: monday.Add(time.Minute)})
		list = append(list, lag.Sighting{Table: fmt.Sprint("T", i), ID: id, Event: monday, Received: monday.Add(time.Minute)})
	}
	for i := range 100 {
		tracker.Seen(fmt.Sprint("road", i), list[:1000])
		tracker.Report("graph", lag.Report{Stream: fmt.Sprint(i), At: monday, Fault: &lag.Fault{Kind: "token", Text: string(make([]byte, 1<<20))}})
		tracker.PulseSent(lag.Pulse{At: monday, UserID: canary, Tables: []string{"SigninLogs"}})
	}
	tracker.Seen("graph", list)
	tracker.Tick(monday.Add(time.Minute))
	if n := len(tracker.Memory()); n > 2<<20 {
		t.Errorf("the memory has %d bytes", n)
	}
	if _, err := lag.Restore(tracker.Memory(), lag.Options{}); err != nil {
		t.Error(err)
	}
}

// TestRemovedRoad ends what was told of a road that a reload has taken away.
func TestRemovedRoad(t *testing.T) {
	w := troubled(t, 3)
	w.advance(monday.Add(10 * time.Hour))
	w.way["graph"].fault = &lag.Fault{Kind: "consent", Text: "AADSTS65001", Lasting: true}
	w.advance(w.now.Add(5 * time.Minute))
	if len(w.told) != 1 || w.told[0].Over {
		t.Fatalf("told: %s", tellings(w.told))
	}
	w.told = nil
	w.roads = w.roads[1:]
	w.tracker.Expect(w.roads, w.now)
	w.tick()
	if len(w.told) != 1 || !w.told[0].Over || w.told[0].Subject != "graph" {
		t.Errorf("told: %s", tellings(w.told))
	}
	if got := w.tracker.Status(w.now); len(got) != 1 {
		t.Errorf("%d streams are shown", len(got))
	}
}

func TestBlindWords(t *testing.T) {
	var asked []string
	tracker := lag.New(lag.Options{Blinds: func(tables []string) []string { asked = tables; return []string{"Break-glass sign-in"} }})
	tracker.Expect([]lag.Road{{Name: "graph", Tables: []string{"SigninLogs"}}}, monday)
	for i := range 3 {
		tracker.Report("graph", lag.Report{At: monday.Add(time.Duration(i) * time.Minute), Fault: &lag.Fault{Kind: "token", Text: "refused", Lasting: true}})
	}
	got := tracker.Tick(monday.Add(3 * time.Minute))
	if len(got) != 1 || !bytes.Contains([]byte(got[0].Detail), []byte("Blind: Break-glass sign-in.")) || !slices.Equal(asked, []string{"SigninLogs"}) {
		t.Errorf("%+v, asked for %v", got, asked)
	}
}

// TestPercentiles compares percentiles with those of the durations themselves.
func TestPercentiles(t *testing.T) {
	err := quick.Check(func(list []uint32) bool {
		w := lag.NewWay()
		var all []time.Duration
		for _, x := range list {
			d := time.Duration(x) * time.Millisecond
			all = append(all, d)
			w.Took(lag.Received, d, 1)
		}
		slices.Sort(all)
		p := w.Percentiles(lag.Received)
		for q, got := range map[float64]time.Duration{0.5: p.P50, 0.95: p.P95, 0.99: p.P99} {
			if len(all) == 0 {
				return got == 0
			}
			want := all[max(0, int(float64(len(all))*q+0.999999)-1)]
			if (got - want).Abs() > want/4+time.Millisecond {
				t.Logf("%v of %d: %s, want %s", q, len(all), got, want)
				return false
			}
		}
		return p.N == float64(len(all))
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

func BenchmarkSeen(b *testing.B) {
	tracker := lag.New(lag.Options{})
	tables := []string{"SigninLogs", "AADNonInteractiveUserSignInLogs"}
	tracker.Expect([]lag.Road{{Name: "graph", Tables: tables, SameIDs: true}, {Name: "eventhub", Tables: tables, SameIDs: true}}, monday)
	tracker.Tick(monday)
	const batch = 1000
	list := make([]lag.Sighting, batch)
	n, now := uint64(0), monday
	for b.Loop() {
		now = now.Add(20 * time.Millisecond)
		for i := range list {
			n++
			list[i] = lag.Sighting{Table: tables[i/500], Event: now.Add(-2*time.Minute + time.Duration(i)*time.Millisecond), Received: now, UserID: "someone"}
			binary.BigEndian.PutUint64(list[i].ID[:], n*0x9e3779b97f4a7c15)
		}
		tracker.Seen("graph", list)
		if n%(50*batch) == 0 {
			tracker.Tick(now)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
