package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	positionVersion = 1
	maxSpans        = 256

	dailyEvery  = 24 * time.Hour
	calmEvery   = 4 * time.Hour // of a stream whose day and a half is few pages
	dailyBack   = 36 * time.Hour
	hourlyEvery = time.Hour
	hourlyBack  = 3 * time.Hour
)

// A position is how far a stream has been read, as its cursor keeps it. It holds
// times by the service's clock and never a link.
type position struct {
	Version int `json:"version"`
	// Begin is where the stream began for us; nothing before it is asked for.
	Begin time.Time `json:"begin"`
	// Polled, Hourly and Daily are the ends of the last poll and of the last
	// looks back. All up to Polled has been read or stands in Unread or Missed.
	Polled time.Time `json:"polled"`
	Hourly time.Time `json:"hourly"`
	Daily  time.Time `json:"daily"`
	// Tried is when what is missed was last tried again.
	Tried time.Time `json:"tried"`
	// Unread was never read, Again is to be read once more, Missed was passed over
	// because the service failed on it every time.
	Unread []span `json:"unread,omitempty"`
	Again  []span `json:"again,omitempty"`
	Missed []span `json:"missed,omitempty"`
	// Window is the width in seconds that back-fill found fit. Rows in Hours is how
	// dense the stream is, older windows counting less.
	Window int64   `json:"window,omitempty"`
	Rows   float64 `json:"rows,omitempty"`
	Hours  float64 `json:"hours,omitempty"`
	// Asked are the declared accounts that an urgent stream has asked for.
	Asked []string `json:"asked,omitempty"`
}

// begun gives the position of a stream that was never read.
func begun(at time.Time) position {
	at = at.UTC().Truncate(time.Second)
	return position{Version: positionVersion, Begin: at, Polled: at, Hourly: at, Daily: at, Tried: at}
}

func (p *position) clone() position {
	c := *p
	c.Unread, c.Again, c.Missed, c.Asked = slices.Clone(p.Unread), slices.Clone(p.Again), slices.Clone(p.Missed), slices.Clone(p.Asked)
	return c
}

func (p *position) encode() ([]byte, error) { return json.Marshal(p) }

// decodePosition reads a cursor. The error says why it cannot be one of ours.
func decodePosition(text []byte) (position, error) {
	var p position
	if err := json.Unmarshal(text, &p); err != nil {
		return position{}, fmt.Errorf("it is not readable: %w", err)
	}
	if p.Version != positionVersion {
		return position{}, fmt.Errorf("it has the version %d, and this program reads %d", p.Version, positionVersion)
	}
	first := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	last := time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, t := range []*time.Time{&p.Begin, &p.Polled, &p.Hourly, &p.Daily, &p.Tried} {
		if t.Before(first) || t.After(last) {
			return position{}, errors.New("a time in it lies before 1990 or after 2200")
		}
		*t = t.UTC().Truncate(time.Second)
	}
	p.Polled = later(p.Polled, p.Begin)
	// A look back that claims to be later than the last poll would let rows fall
	// between.
	p.Hourly, p.Daily, p.Tried = earlier(p.Hourly, p.Polled), earlier(p.Daily, p.Polled), earlier(p.Tried, p.Polled)
	for _, list := range []*[]span{&p.Unread, &p.Again, &p.Missed} {
		if len(*list) > 4*maxSpans {
			return position{}, fmt.Errorf("it owes %d spans", len(*list))
		}
		var clean []span
		for _, s := range *list {
			if s.From.Before(first) || s.To.After(last) {
				return position{}, errors.New("a time in it lies before 1990 or after 2200")
			}
			if s.To.Before(s.From) {
				return position{}, errors.New("a span in it ends before it begins")
			}
			clean = add(clean, span{s.From.UTC().Truncate(time.Second), s.To.UTC().Add(time.Second - 1).Truncate(time.Second)})
		}
		*list = clean
	}
	if p.Window < 0 || p.Window > int64(maxWindow/time.Second) || p.Rows < 0 || p.Hours < 0 {
		return position{}, errors.New("a number in it is out of its range")
	}
	return p, nil
}

// through is the event time before which nothing is unread.
func (p *position) through() time.Time {
	if len(p.Unread) > 0 {
		return earlier(p.Unread[0].From, p.Polled)
	}
	return p.Polled
}

// poll records that w, which ends by the service's clock at most now, has been
// read, and what is owed from now on. overlap is how far a poll looks back, daily
// how long there is between two looks of 36 hours, outage says that the poll
// before was long ago.
func (p *position) poll(w span, overlap, daily time.Duration, outage bool) {
	if w.From.After(p.Polled) {
		p.Unread = add(p.Unread, span{p.Polled, w.From})
	}
	again := func(from time.Time) {
		spans := []span{{later(from, p.Begin), w.From}}
		for _, owed := range slices.Concat(p.Unread, p.Missed) {
			spans = remove(spans, owed)
		}
		for _, s := range spans {
			p.Again = add(p.Again, s)
		}
	}
	switch {
	case outage || !w.To.Before(p.Daily.Add(daily)):
		if !w.To.Before(p.Tried.Add(dailyEvery)) {
			for _, s := range p.Missed {
				p.Again = add(p.Again, s)
			}
			p.Missed, p.Tried = nil, w.To
		}
		again(p.Daily.Add(-dailyBack))
		p.Daily, p.Hourly = w.To, w.To
	case !w.To.Before(p.Hourly.Add(hourlyEvery)):
		// Counted from the look before, not from now: a row that appeared between
		// two looks is never too old for the second.
		again(p.Hourly.Add(-hourlyBack))
		p.Hourly = w.To
	default:
		again(p.Polled.Add(-overlap))
	}
	p.Unread, p.Again = bounded(p.Unread, maxSpans), bounded(p.Again, maxSpans)
	p.Polled = w.To
}

// daily gives how often the last 36 hours are looked at: daily, and oftener where
// they are so few pages that it costs next to nothing.
func (p *position) daily(top int) time.Duration {
	if p.Hours > 0 && p.Rows/p.Hours*(dailyBack+calmEvery).Hours() < float64(fewPages*top) {
		return calmEvery
	}
	return dailyEvery
}

// forget drops what lies before a time and gives what of it was never read.
func (p *position) forget(before time.Time) (lost []span) {
	old := span{time.Time{}, before}
	for _, s := range p.Unread {
		if s.From.Before(before) {
			lost = append(lost, span{s.From, earlier(s.To, before)})
		}
	}
	if len(lost) > 0 {
		p.Unread = remove(p.Unread, old)
	}
	p.Again, p.Missed = remove(p.Again, old), remove(p.Missed, old)
	return lost
}

// learn counts the rows of a window that was read whole.
func (p *position) learn(w span, rows int) {
	if w.width() < time.Minute {
		return
	}
	const fade = 0.98
	p.Rows = p.Rows*fade + float64(rows)
	p.Hours = p.Hours*fade + w.width().Hours()
}
