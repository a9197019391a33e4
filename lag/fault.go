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
}

func (f *trouble) hits(s *stream) bool {
	return len(f.Tables) == 0 || f.Kind == token || slices.Contains(f.Tables, s.Table)
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
