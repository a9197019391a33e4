package lag_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/lag"
)

const canary = "c0ffee00-0000-4000-8000-000000000001"

// A world makes records by the hour, carries them over roads, and asks a tracker
// what it thinks of them.
type world struct {
	t       testing.TB
	now     time.Time
	step    time.Duration
	rnd     *rand.Rand
	tracker *lag.Tracker
	roads   []lag.Road
	way     map[string]*carrier
	flows   []*flow
	told    []lag.Change // what people have to be told, and was not looked at yet
	all     []lag.Change
	n       uint64
	asked   int // changes after which it was asked a second time
	pulse   *pulse
	due     []delivery // by at
}

// A carrier is how a road does now.
type carrier struct {
	lag, jitter time.Duration
	tail        time.Duration // one record of a hundred takes up to so much
	hold        bool          // records wait
	lose        float64       // share of records that never come
	polls       bool
	noPulses    bool
	fault       *lag.Fault
	tardy       bool // a part of it, of the first table, meets the same faults and asks seldom
	offset      time.Duration
	held        []delivery
	backlog     int64
}

// A flow is the life of a table.
type flow struct {
	table string
	rate  func(time.Time) float64 // records an hour
	stop  bool
}

type pulse struct {
	every  time.Duration
	tables []string
	next   time.Time
}

type delivery struct {
	at   time.Time
	road string
	s    lag.Sighting
}

func newWorld(t testing.TB, start time.Time, seed uint64) *world {
	return &world{t: t, now: start, step: 10 * time.Second, rnd: rand.New(rand.NewPCG(seed, 1)), tracker: lag.New(lag.Options{}), way: map[string]*carrier{}}
}

func (w *world) road(r lag.Road) *carrier {
	w.roads = append(w.roads, r)
	c := &carrier{lag: time.Minute, polls: true}
	w.way[r.Name] = c
	w.tracker.Expect(w.roads, w.now)
	return c
}

// happens makes a record of a table and sends it over every road that carries it.
func (w *world) happens(table, user string, at time.Time) {
	w.n++
	var id glassward.RecordID
	binary.BigEndian.PutUint64(id[:], w.n*0x9e3779b97f4a7c15)
	for _, r := range w.roads {
		c := w.way[r.Name]
		if !slices.Contains(r.Tables, table) || c.lose > 0 && w.rnd.Float64() < c.lose || user == canary && c.noPulses {
			continue
		}
		d := c.lag
		if c.jitter > 0 {
			d += time.Duration(w.rnd.Int64N(int64(c.jitter)))
		}
		if c.tail > 0 && w.rnd.IntN(100) == 0 {
			d += time.Duration(w.rnd.Int64N(int64(c.tail)))
		}
		w.due = append(w.due, delivery{at: at.Add(d), road: r.Name, s: lag.Sighting{Table: table, ID: id, Event: at, UserID: user}})
	}
}

// advance lives until a time.
func (w *world) advance(to time.Time) {
	fine := w.step
	defer func() { w.step = fine }()
	for w.now.Before(to) {
		// Far from where anybody looks, time goes by in longer steps.
		if w.step = fine; to.Sub(w.now) > 12*time.Hour && w.now.Unix()%30 == 0 {
			w.step = max(fine, 30*time.Second)
		}
		w.now = w.now.Add(w.step)
		for _, f := range w.flows {
			if f.stop {
				continue
			}
			for n := poisson(w.rnd, f.rate(w.now)*w.step.Hours()); n > 0; n-- {
				w.happens(f.table, "", w.now.Add(-time.Duration(w.rnd.Int64N(int64(w.step)))))
			}
		}
		if p := w.pulse; p != nil && !w.now.Before(p.next) {
			p.next = p.next.Add(p.every)
			w.tracker.PulseSent(lag.Pulse{At: w.now, UserID: canary, Tables: p.tables, Every: p.every})
			w.happens(p.tables[0], canary, w.now.Add(time.Second))
		}
		w.deliver()
		w.tick()
	}
}

func (w *world) deliver() {
	batch := map[string][]lag.Sighting{}
	rest := w.due[:0]
	for _, d := range w.due {
		c := w.way[d.road]
		switch {
		case d.at.After(w.now):
			rest = append(rest, d)
		case c.hold || c.fault != nil:
			c.held = append(c.held, d)
		default:
			d.s.Received = w.now
			batch[d.road] = append(batch[d.road], d.s)
		}
	}
	w.due = rest
	for _, r := range w.roads {
		c := w.way[r.Name]
		if len(c.held) > 0 && !c.hold && c.fault == nil {
			for _, d := range c.held {
				d.s.Received = w.now
				batch[r.Name] = append(batch[r.Name], d.s)
			}
			c.held = nil
		}
		if len(batch[r.Name]) > 0 {
			w.tracker.Seen(r.Name, batch[r.Name])
		}
		if w.now.Unix()%30 != 0 {
			continue
		}
		switch {
		case c.fault != nil:
			w.tracker.Report(r.Name, lag.Report{Stream: "all", Tables: r.Tables, At: w.now, Fault: c.fault})
			if c.tardy {
				w.tracker.Report(r.Name, lag.Report{Stream: "tardy", Tables: r.Tables[:1], At: w.now, Fault: c.fault})
			}
		case c.polls:
			w.tracker.Report(r.Name, lag.Report{Stream: "all", Tables: r.Tables, At: w.now, Polled: &lag.Polled{Through: w.now, Records: len(batch[r.Name]), Backlog: c.backlog, Offset: c.offset}})
		}
	}
}

func (w *world) tick() {
	for _, c := range w.tracker.Tick(w.now) {
		w.all = append(w.all, c)
		if c.Tell {
			w.told = append(w.told, c)
		}
	}
	if len(w.all) > w.asked || w.now.Unix()%3600 == 0 {
		w.asked = len(w.all)
		if again := w.tracker.Tick(w.now); len(again) > 0 {
			w.t.Fatalf("a second Tick at %s gave %+v", w.now, again)
		}
	}
}

func (w *world) state(road, table string) lag.Stream {
	for _, s := range w.tracker.Status(w.now) {
		if s.Road == road && s.Table == table {
			return s
		}
	}
	w.t.Fatalf("there is no %s on %s", table, road)
	return lag.Stream{}
}

func poisson(rnd *rand.Rand, mean float64) (n int) {
	for t := rnd.ExpFloat64(); t < mean; t += rnd.ExpFloat64() {
		n++
	}
	return n
}

// office gives the life of an office: busy on working days from eight to six,
// with a lunch, few at night and on weekends.
func office(busy, night float64) func(time.Time) float64 {
	return func(t time.Time) float64 {
		h := float64(t.Hour()) + float64(t.Minute())/60
		if d := t.Weekday(); d == time.Saturday || d == time.Sunday {
			return night
		}
		switch {
		case h < 7 || h >= 19:
			return night
		case h < 9:
			return night + (busy-night)*(h-7)/2
		case h >= 12 && h < 13:
			return busy * 0.6
		case h >= 17:
			return night + (busy-night)*(19-h)/2
		}
		return busy
	}
}

func tellings(list []lag.Change) string {
	var b strings.Builder
	for _, c := range list {
		b.WriteString(c.At.Format("Mon 15:04:05 ") + c.Title + "\n")
	}
	return b.String()
}
