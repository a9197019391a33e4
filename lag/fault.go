package lag

import (
	"fmt"
	"slices"
	"time"
)

// Kinds of faults of which more is known.
const (
	licence = "licence" // other roads may stand in
	token   = "token"   // the whole road signs in the same way
)

// A trouble is a fault that a stream of a road has now.
type trouble struct {
	Stream, Kind, Text string
	Lasting            bool
	Since, Last        time.Time
	Times              int
	Tables             []string
	// Disproved is when another part of the road was answered, which shows that this is
	// over: every part signs in the same way. This part has yet to say so itself.
	Disproved time.Time
}

// owing is how long a part may take to be answered after its fault was disproved; one
// that is not heard of by then has gone.
const owing = 10 * time.Minute

// disprove notes that a part of the road was answered.
func (r *road) disprove(stream string, now time.Time) {
	delete(r.faults, stream)
	delete(r.faults, "") // a part that can be read disproves a fault of the whole
	for name, f := range r.faults {
		switch {
		case f.Kind == token && f.Disproved.IsZero():
			f.Disproved = now
		case !f.Disproved.IsZero() && now.Sub(f.Disproved) > owing:
			delete(r.faults, name)
		}
	}
}

// owed gives the part of the road that carries a stream's table and has not been
// answered yet since its fault was disproved; none is "".
func (r *road) owed(s *stream, now time.Time) (part string) {
	for _, f := range r.faults {
		if !f.Disproved.IsZero() && now.Sub(f.Disproved) <= owing && slices.Contains(f.Tables, s.Table) && (part == "" || f.Stream < part) {
			part = f.Stream
		}
	}
	return part
}

func (f *trouble) hits(s *stream) bool {
	return f.Disproved.IsZero() && (len(f.Tables) == 0 || f.Kind == token || slices.Contains(f.Tables, s.Table))
}

// words tells what the source said.
func (f *trouble) words() string {
	part := ""
	if f.Stream != "" {
		part = f.Stream + ": "
	}
	return fmt.Sprintf("%s%s (%s, since %s)", part, f.Text, f.Kind, clock(f.Since))
}

// gather is how long it takes until every part of a road has met what one part has:
// people are told once, of all of it.
const gather = 30 * time.Second

// sure says whether a fault does not pass by itself, as far as it alone tells.
func (f *trouble) sure(now time.Time, p99 time.Duration) bool {
	lasts := now.Sub(f.Since)
	if f.Lasting {
		return f.Times >= 2 && (f.Kind == token || lasts >= gather) || lasts >= time.Minute
	}
	return lasts >= max(2*time.Minute, p99)
}

// fault gives the fault by which a stream is cut, nil if there is none or if it
// may still pass by itself.
func (r *road) fault(s *stream, now time.Time) *trouble {
	// What lasts for one part of the road lasts for the others that it has reached:
	// people are told once, of all of it.
	lasting := map[string]bool{}
	for _, f := range r.faults {
		if !f.Disproved.IsZero() {
			continue
		}
		lasting[f.Kind] = lasting[f.Kind] || f.Lasting && f.sure(now, s.p99())
	}
	var worst *trouble
	for _, f := range r.faults {
		if !f.hits(s) || !f.sure(now, s.p99()) && !(f.Lasting && lasting[f.Kind]) {
			continue
		}
		if worst == nil || f.Lasting && !worst.Lasting || f.Lasting == worst.Lasting && (f.Since.Before(worst.Since) || f.Since.Equal(worst.Since) && f.Stream < worst.Stream) {
			worst = f
		}
	}
	return worst
}
