package lag

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"glassward"
)

// The form of a memory: a line that names it, the SHA-256 of the rest, and the
// rest, JSON made small.
const (
	memoryName = "glassward lag memory 1\n"
	maxMemory  = 64 << 20 // bytes of the JSON; a thousand times what is usual
)

// ErrMemory: what Restore was given is not what Memory gave.
var ErrMemory = errors.New("what was learned of the roads cannot be read and is learned anew")

type memory struct {
	LastTick, Resumed, Aged time.Time
	Offset                  time.Duration
	Canary                  string
	Clock                   memoryClock
	Roads                   []memoryRoad
	Compare                 []memoryComparison
	Way                     [steps]histogram
}

type memoryClock struct {
	Wrong                  bool
	Since, FirstAt         time.Time
	Strange, Fine, Futures int
	Ahead                  time.Duration
}

type memoryRoad struct {
	Road    road
	Bit     uint
	Faults  []trouble
	Streams []stream
}

type memoryComparison struct {
	Table  string
	Limit  uint64
	Window time.Duration
	Raised time.Time
	Await  []memoryAwaited
}

type memoryAwaited struct {
	ID           []byte
	Event        time.Time
	Seen, Judged uint32
}

// Memory gives what was learned, to be kept and given to Restore. It is a few
// kilobytes for each table of a road.
func (t *Tracker) Memory() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := memory{
		LastTick: t.lastTick, Resumed: t.resumed, Aged: t.aged, Offset: t.offset, Canary: t.canary,
		Clock: memoryClock{t.host.wrong, t.host.since, t.host.firstAt, t.host.strange, t.host.fine, t.host.futures, t.host.ahead},
	}
	for _, name := range slices.Sorted(maps.Keys(t.roads)) {
		r := t.roads[name]
		x := memoryRoad{Road: road{Name: r.Name, SameIDs: r.SameIDs, Added: r.Added, EmptyTold: r.EmptyTold, Clocked: r.Clocked}, Bit: r.bit}
		for _, stream := range slices.Sorted(maps.Keys(r.faults)) {
			x.Faults = append(x.Faults, *r.faults[stream])
		}
		for _, s := range t.streams {
			if s.road == r {
				x.Streams = append(x.Streams, *s)
			}
		}
		m.Roads = append(m.Roads, x)
	}
	for _, table := range slices.Sorted(maps.Keys(t.compare)) {
		c := t.compare[table]
		x := memoryComparison{Table: table, Limit: c.limit, Window: c.window, Raised: c.raised}
		for id, a := range c.await {
			x.Await = append(x.Await, memoryAwaited{ID: id[:], Event: a.event, Seen: a.seen, Judged: a.judged})
		}
		slices.SortFunc(x.Await, func(a, b memoryAwaited) int { return bytes.Compare(a.ID, b.ID) })
		m.Compare = append(m.Compare, x)
	}
	t.way.mu.Lock()
	m.Way = t.way.h
	t.way.mu.Unlock()
	body, err := json.Marshal(m)
	if err != nil {
		panic("lag: a memory that cannot be written: " + err.Error()) // there is nothing in it that cannot be
	}
	var out bytes.Buffer
	out.WriteString(memoryName)
	out.Write(make([]byte, sha256.Size))
	w, _ := flate.NewWriter(&out, flate.DefaultCompression) // the level is right
	_, _ = w.Write(body)                                    // a buffer takes everything
	_ = w.Close()
	b := out.Bytes()
	sum := sha256.Sum256(b[len(memoryName)+sha256.Size:])
	copy(b[len(memoryName):], sum[:])
	return b
}

// Restore makes a tracker of what Memory gave. If that is damaged or of another
// version the tracker learns anew, and the error says so: it is for the log, and
// the tracker is good in any case. No memory at all is no error.
func Restore(b []byte, o Options) (*Tracker, error) {
	if len(b) == 0 {
		return New(o), nil
	}
	body, err := open(b)
	if err != nil {
		return New(o), fmt.Errorf("%w: %w", ErrMemory, err)
	}
	t := New(o)
	if err := t.remember(body); err != nil {
		return New(o), fmt.Errorf("%w: %w", ErrMemory, err)
	}
	return t, nil
}

// open gives the JSON of a memory.
func open(b []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(b, []byte(memoryName))
	if !ok {
		return nil, errors.New("it is of another version")
	}
	if len(rest) < sha256.Size {
		return nil, errors.New("it is cut off")
	}
	if sum := sha256.Sum256(rest[sha256.Size:]); !bytes.Equal(sum[:], rest[:sha256.Size]) {
		return nil, errors.New("it is not what was kept")
	}
	body, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(rest[sha256.Size:])), maxMemory+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxMemory {
		return nil, errors.New("it is too long")
	}
	return body, nil
}

// remember takes over the JSON of a memory.
func (t *Tracker) remember(body []byte) error {
	var m memory
	if err := json.Unmarshal(body, &m); err != nil {
		return err
	}
	if len(m.Roads) > maxRoads {
		return errors.New("it has too many roads")
	}
	t.lastTick, t.resumed, t.aged, t.offset, t.canary = m.LastTick, m.Resumed, m.Aged, m.Offset, m.Canary
	t.host = hostClock{m.Clock.Wrong, m.Clock.Since, m.Clock.Strange, m.Clock.Fine, m.Clock.Futures, m.Clock.FirstAt, m.Clock.Ahead}
	var used uint32
	for i := range m.Roads {
		x := &m.Roads[i]
		if x.Bit >= maxRoads || used>>x.Bit&1 == 1 || t.roads[x.Road.Name] != nil || len(x.Streams) > maxTables || len(x.Faults) > maxFaults {
			return fmt.Errorf("road %q is not as it was kept", x.Road.Name)
		}
		used |= 1 << x.Bit
		r := &road{t: t, bit: x.Bit, tables: map[string]*stream{}, faults: map[string]*trouble{}, Name: x.Road.Name, SameIDs: x.Road.SameIDs, Added: x.Road.Added, EmptyTold: x.Road.EmptyTold, Clocked: x.Road.Clocked}
		t.roads[r.Name] = r
		for _, f := range x.Faults {
			r.faults[f.Stream] = &f
		}
		for j := range x.Streams {
			s := &x.Streams[j]
			if r.tables[s.Table] != nil || !s.sound() {
				return fmt.Errorf("table %q of road %q is not as it was kept", s.Table, r.Name)
			}
			s.road = r
			s.refresh()
			r.tables[s.Table] = s
		}
	}
	for _, x := range m.Compare {
		c := newComparison()
		if x.Limit > 1<<32 || len(x.Await) > 2*maxAwaited {
			return fmt.Errorf("the comparison of table %q is not as it was kept", x.Table)
		}
		c.limit, c.window, c.raised = x.Limit, x.Window, x.Raised
		for _, a := range x.Await {
			var id glassward.RecordID
			if len(a.ID) != len(id) {
				return fmt.Errorf("the comparison of table %q is not as it was kept", x.Table)
			}
			c.await[glassward.RecordID(a.ID)] = &awaited{event: a.Event, seen: a.Seen, judged: a.Judged}
		}
		t.compare[x.Table] = c
	}
	t.way.h = m.Way
	t.sort()
	return nil
}

// sound says whether a stream that was kept can be worked with.
func (s *stream) sound() bool {
	switch s.State {
	case Warming, Fresh, Late, Silent, Cut:
	default:
		return false
	}
	for _, r := range s.Habit.Rate {
		if r != unknown && (r < 0 || r > 1e6) {
			return false
		}
	}
	const far = 1 << 40
	return len(s.Pulses) <= maxPulses && len(s.Examples) <= 5 && s.Habit.Head >= 0 && s.Habit.Head < far && s.Habit.Closed >= 0 && s.Habit.Closed < far && s.Habit.LastBeat >= 0 && s.Habit.LastBeat < far
}

// MarshalJSON writes the buckets that hold something.
func (h histogram) MarshalJSON() ([]byte, error) {
	list := [][2]float64{}
	for b, c := range h.count {
		if c > 0 {
			list = append(list, [2]float64{float64(b), c})
		}
	}
	return json.Marshal(struct {
		N       float64
		Buckets [][2]float64
	}{h.n, list})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *histogram) UnmarshalJSON(b []byte) error {
	var x struct {
		N       float64
		Buckets [][2]float64
	}
	if err := json.Unmarshal(b, &x); err != nil {
		return err
	}
	*h = histogram{n: x.N}
	for _, p := range x.Buckets {
		if p[0] < 0 || p[0] >= buckets || p[0] != math.Trunc(p[0]) || p[1] < 0 || p[1] > 1e18 {
			return errors.New("a count of lags is not as it was kept")
		}
		h.count[int(p[0])] = p[1]
	}
	if x.N < 0 || x.N > 1e18 {
		return errors.New("a count of lags is not as it was kept")
	}
	return nil
}
