package lag

import (
	"sync"
	"time"
)

// A Tracker is what is known of one tenant's roads. It may be used by several
// goroutines at once.
type Tracker struct {
	mu  sync.Mutex
	o   Options
	way *Way
}

// New makes a tracker that knows nothing yet.
func New(o Options) *Tracker { return &Tracker{o: o, way: NewWay()} }

// Restore makes a tracker of what Memory gave. If that is damaged or of another
// version the tracker learns anew, and the error says so: it is for the log.
func Restore(memory []byte, o Options) (*Tracker, error) { return New(o), nil }

// Memory gives what was learned, to be kept and given to Restore.
func (t *Tracker) Memory() []byte { return nil }

// Expect says which roads there are, after a start or a reload. What was learned
// of a road that is named again is kept.
func (t *Tracker) Expect(roads []Road, now time.Time) {}

// Seen notes records that came by a road.
func (t *Tracker) Seen(road string, s []Sighting) {}

// Report notes what a source says of a road.
func (t *Tracker) Report(road string, r Report) {}

// PulseSent notes that a pulse was sent.
func (t *Tracker) PulseSent(p Pulse) {}

// Tick says what has changed. Asking again for the same time gives nothing.
func (t *Tracker) Tick(now time.Time) []Change { return nil }

// Status says how every road stands with every table, by road and table.
func (t *Tracker) Status(now time.Time) []Stream { return nil }

// Late says whether a record came later than the road is known for.
func (t *Tracker) Late(road, table string, event, received time.Time) bool { return false }

// Way gives the measure of the records' way through the workspace.
func (t *Tracker) Way() *Way { return t.way }
