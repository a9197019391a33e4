package lag_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"glassward/lag"
)

// TestScripts runs testdata/*.txt: stories of roads, in the language that
// README.md there describes.
func TestScripts(t *testing.T) {
	names, _ := filepath.Glob("testdata/*.txt")
	if len(names) == 0 {
		t.Fatal("no scripts")
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s := &story{world: newWorld(t, monday, 7)}
			for i, line := range strings.Split(string(text), "\n") {
				if err := s.line(line); err != nil {
					t.Fatalf("%s:%d: %s\n%v", name, i+1, line, err)
				}
			}
			if len(s.told) > 0 {
				t.Fatalf("%s: at the end people were told more:\n%s", name, tellings(s.told))
			}
		})
	}
}

type story struct{ *world }

// fields splits a line at spaces, but not in quotes.
func fields(line string) []string {
	var out []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}

func (s *story) line(line string) error {
	line, _, _ = strings.Cut(line, "#")
	f := fields(line)
	if len(f) == 0 {
		return nil
	}
	carrier := func() (*carrier, error) {
		if c := s.way[f[1]]; c != nil {
			return c, nil
		}
		return nil, fmt.Errorf("there is no road %s", f[1])
	}
	span := func(i int) time.Duration {
		d, err := time.ParseDuration(f[i])
		if err != nil {
			s.t.Fatal(err)
		}
		return d
	}
	switch f[0] {
	case "road": // road NAME carries TABLE … [same ids] [new]
		r := lag.Road{Name: f[1], Added: s.now.Add(-72 * time.Hour)}
		for i := 3; i < len(f); i++ {
			switch f[i] {
			case "same":
				r.SameIDs = true
				i++
			case "new":
				r.Added = s.now
			default:
				r.Tables = append(r.Tables, f[i])
			}
		}
		s.road(r)
	case "at": // at DAY HH:MM
		day, err := strconv.Atoi(f[1])
		if err != nil {
			return err
		}
		hour, err := time.Parse("15:04", f[2])
		if err != nil {
			return err
		}
		to := monday.Add(time.Duration(day-1)*24*time.Hour + time.Duration(hour.Hour())*time.Hour + time.Duration(hour.Minute())*time.Minute)
		if to.Before(s.now) {
			return fmt.Errorf("it is %s already", s.now)
		}
		s.advance(to)
	case "after":
		s.advance(s.now.Add(span(1)))
	case "life": // life TABLE BUSY NIGHT (records an hour)
		busy, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			return err
		}
		night, err := strconv.ParseFloat(f[3], 64)
		if err != nil {
			return err
		}
		for _, x := range s.flows {
			if x.table == f[1] {
				x.rate = office(busy, night)
				return nil
			}
		}
		s.flows = append(s.flows, &flow{table: f[1], rate: office(busy, night)})
	case "lag": // lag ROAD FROM TO
		c, err := carrier()
		if err != nil {
			return err
		}
		c.lag, c.jitter = span(2), span(3)-span(2)
	case "hold", "release", "lose", "mute", "pulseless", "pulsing":
		c, err := carrier()
		if err != nil {
			return err
		}
		switch f[0] {
		case "hold":
			c.hold = true
		case "release":
			c.hold = false
		case "mute":
			c.polls = false
		case "pulseless", "pulsing":
			c.noPulses = f[0] == "pulseless"
		default:
			if c.lose, err = strconv.ParseFloat(f[2], 64); err != nil {
				return err
			}
		}
	case "backlog":
		c, err := carrier()
		if err != nil {
			return err
		}
		if c.backlog, err = strconv.ParseInt(f[2], 10, 64); err != nil {
			return err
		}
	case "fault": // fault ROAD KIND "text" [lasting], fault ROAD ends
		c, err := carrier()
		if err != nil {
			return err
		}
		if c.fault = nil; f[2] != "ends" {
			c.fault = &lag.Fault{Kind: f[2], Text: f[3], Lasting: len(f) > 4}
		}
	case "tardy": // tardy ROAD, tardy ROAD answered
		c, err := carrier()
		if err != nil {
			return err
		}
		if c.tardy = true; len(f) > 2 {
			c.tardy = false
			s.tracker.Report(f[1], lag.Report{Stream: "tardy", At: s.now, Polled: &lag.Polled{Through: s.now, Backlog: -1}})
		}
	case "clock": // clock DIFFERENCE: the services' time minus the host's
		for _, c := range s.way {
			c.offset = span(1)
		}
	case "pulse": // pulse every D in TABLE, pulse ends
		if s.pulse = nil; f[1] == "every" {
			s.pulse = &pulse{every: span(2), tables: f[4:], next: s.now}
		}
	case "backfill": // backfill ROAD TABLE COUNT of AGE
		n, err := strconv.Atoi(f[3])
		if err != nil {
			return err
		}
		list := make([]lag.Sighting, n)
		for i := range list {
			list[i] = lag.Sighting{Table: f[2], Event: s.now.Add(-span(5)).Add(time.Duration(i) * time.Second), Received: s.now, Backfill: true}
		}
		s.tracker.Seen(f[1], list)
	case "hole": // hole ROAD TABLE "what"
		s.tracker.Report(f[1], lag.Report{Tables: f[2:3], At: s.now, Hole: &lag.Hole{From: s.now.Add(-2 * time.Hour), To: s.now.Add(-time.Hour), What: f[3]}})
	case "restart": // restart [down D]
		memory := s.tracker.Memory()
		if len(f) > 2 {
			s.now = s.now.Add(span(2))
			for _, c := range s.way {
				c.fault = nil
			}
		}
		var err error
		if s.tracker, err = lag.Restore(memory, lag.Options{}); err != nil {
			return err
		}
		s.tracker.Expect(s.roads, s.now)
	case "expect":
		return s.expect(f[1:])
	default:
		return fmt.Errorf("no such sentence")
	}
	return nil
}

func (s *story) expect(f []string) error {
	switch f[0] {
	case "nothing": // expect nothing told
		if len(s.told) > 0 {
			return fmt.Errorf("people were told:\n%s%s", tellings(s.told), s.told[0].Detail)
		}
	case "told": // expect told SEVERITY|over "words" …
		if len(s.told) == 0 {
			return fmt.Errorf("people were told nothing")
		}
		c := s.told[0]
		s.told = s.told[1:]
		kind := strings.ToLower(c.Severity.String())
		if c.Over {
			kind = "over"
		}
		if kind != f[1] {
			return fmt.Errorf("it was %s: %s\n%s", kind, c.Title, c.Detail)
		}
		for _, words := range f[2:] {
			if !strings.Contains(c.Title+"\n"+c.Detail, words) {
				return fmt.Errorf("no %q in: %s\n%s", words, c.Title, c.Detail)
			}
		}
	case "late": // expect late ROAD TABLE AGE yes|no
		d, err := time.ParseDuration(f[3])
		if err != nil {
			return err
		}
		if got := s.tracker.Late(f[1], f[2], s.now.Add(-d), s.now); got != (f[4] == "yes") {
			return fmt.Errorf("%v; p99 is %s", got, s.state(f[1], f[2]).Lag.P99)
		}
	case "p99": // expect p99 ROAD TABLE FROM TO
		low, _ := time.ParseDuration(f[3])
		high, _ := time.ParseDuration(f[4])
		if got := s.state(f[1], f[2]).Lag.P99; got < low || got > high {
			return fmt.Errorf("it is %s", got)
		}
	default: // expect ROAD TABLE STATE ["words"]
		x := s.state(f[0], f[1])
		if string(x.State) != f[2] {
			return fmt.Errorf("it is %s: %s", x.State, x.Why)
		}
		for _, words := range f[3:] {
			if !strings.Contains(x.Why, words) {
				return fmt.Errorf("no %q in: %s", words, x.Why)
			}
		}
	}
	return nil
}
