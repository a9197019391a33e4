package lag

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Bounds of patience.
const (
	warmUp = 48 * time.Hour // a new road may take as long to begin
	// samples are needed before a learned lag is better than the published one.
	samples = 50
	// tailSamples are needed before the largest of a hundred is more than one record's
	// accident.
	tailSamples = 300
	// halfLife of what was learned of lags: they follow a drift in about a week.
	halfLife   = 84 * time.Hour
	cleanNeeds = 3 // pulses or polls with records until a road is well again
	maxPulses  = 64
)

// prior gives the published lag of a kind of road.
func prior(kind, table string) Percentiles {
	m := func(p50, p95, p99 int) Percentiles {
		return Percentiles{P50: time.Duration(p50) * time.Minute, P95: time.Duration(p95) * time.Minute, P99: time.Duration(p99) * time.Minute}
	}
	switch kind {
	case "graph":
		switch table {
		case "AADRiskyUsers", "AADUserRiskEvents", "AADRiskyServicePrincipals", "AADServicePrincipalRiskEvents":
			return m(15, 60, 120)
		}
		return m(1, 2, 5)
	case "activity":
		return m(60, 80, 90)
	case "eventhub", "workspace":
		return m(3, 8, 10)
	case "storage":
		return m(5, 12, 15)
	}
	return m(1, 5, 10)
}

// A span is [From, To); a zero To is not yet known.
type span struct{ From, To time.Time }

func (s span) holds(t time.Time) bool {
	return !s.From.IsZero() && !t.Before(s.From) && (s.To.IsZero() || t.Before(s.To))
}

// A stream is what is known of a table on a road. All times are the service's:
// the host's clock is corrected before. Exported fields are kept in Memory.
type stream struct {
	road     *road
	expected bool

	Table string
	State State
	Since time.Time
	Why   string
	// Reason is the fault's kind or the evidence of the state.
	Reason string
	// Began says that a record came since the road was switched on.
	Began     bool
	WarmUntil time.Time

	Lag      histogram
	Arrivals histogram // times between two receipts
	Habit    habit

	NewestEvent, NewestReceived time.Time
	Count, LateCount            int64
	// LateRun are the records that were late since OnTime, when the last one came
	// that was not.
	LateRun  int
	OnTime   time.Time
	LastPoll time.Time
	Backlog  int64

	// Open says that people were told that nothing comes, and wait for the end of
	// it. Dark is the time that the road did not show, Back when records or
	// answers came again, Clean how many did since, CleanAt the last of them, LateIn
	// how many records of Dark came.
	Open    bool
	Dark    span
	Back    time.Time
	Clean   int
	CleanAt time.Time
	// EmptyPolls are answers without records since Back.
	EmptyPolls int
	LateIn     int
	// LearnFrom bounds the event times of which no lag is learned: they were held
	// up by something else than the road's usual way.
	LearnFrom time.Time
	// Turn is the state that is about to be entered since TurnAt.
	Turn     State
	TurnAt   time.Time
	LateTold bool

	// Pulses wait for their record. Answered is when the last record of a pulse
	// came, Missed how many in a row did not although other records came.
	Pulses   []time.Time
	Answered time.Time
	PulseAt  time.Time
	Every    time.Duration
	Missed   int

	// What another road showed: Met and Missing, with older ones counting less.
	Met, Missing float64
	Examples     []string
	Degraded     bool

	p       Percentiles
	learned bool
}

// refresh takes the percentiles from what was learned.
func (s *stream) refresh() {
	s.p = s.Lag.percentiles()
	s.learned = s.p.N >= samples
	published := prior(Road{Name: s.road.Name}.Kind(), s.Table)
	switch {
	case !s.learned:
		published.N = s.p.N
		s.p = published
	case s.p.N < tailSamples:
		s.p.P99 = min(s.p.P99, max(published.P99, 3*s.p.P95))
	}
}

// p99 gives the learned 99th percentile, never less than half a minute: a poll
// takes as long.
func (s *stream) p99() time.Duration { return max(s.p.P99, 30*time.Second) }

// see notes a record. now is when it was received.
func (s *stream) see(x *Sighting, event, now time.Time) {
	s.Count++
	if s.Open {
		dark := s.Dark
		if dark.To = s.Back; s.Back.IsZero() {
			dark.To = now
		}
		if dark.holds(event) {
			s.LateIn++
		}
	}
	if x.Backfill {
		return
	}
	if !s.Began {
		s.Began = true
		if s.LearnFrom.Before(now) {
			s.LearnFrom = now // what comes first has waited for the road to begin
		}
	}
	lag := now.Sub(event)
	if event.After(s.NewestEvent) {
		s.NewestEvent = event
	}
	switch {
	case lag <= s.p99():
		s.LateRun, s.OnTime = 0, now
	case event.Before(s.LearnFrom):
		s.LateCount++
	default:
		s.LateCount++
		s.LateRun++
	}
	// A record of a time that was held up says how long that was, not how long the
	// road takes.
	if !event.Before(s.LearnFrom) && (!s.Open || !s.Back.IsZero() && !event.Before(s.Back)) {
		s.Lag.add(lag, 1)
	}
	if len(s.Pulses) > 0 || s.Every > 0 {
		if x.UserID != "" && strings.EqualFold(x.UserID, s.road.t.canary) {
			s.answer(event, now)
			s.received(now)
			return // a pulse is no habit of the tenant
		}
	}
	s.Habit.beat(seconds(event))
	s.received(now)
}

// received notes that a live record came.
func (s *stream) received(now time.Time) {
	if gap := now.Sub(s.NewestReceived); gap > 0 {
		if gap >= time.Second && !s.NewestReceived.IsZero() {
			s.Arrivals.add(gap, 1)
		}
		s.NewestReceived = now
	}
	s.clean(now)
}

// answer takes the pulse that a record of the canary belongs to.
func (s *stream) answer(event, now time.Time) {
	const apart = 2 * time.Minute
	best, at := apart+1, -1
	for i, p := range s.Pulses {
		if d := event.Sub(p).Abs(); d < best {
			best, at = d, i
		}
	}
	if at < 0 {
		return // the lock-out's own rows, and second copies
	}
	s.Pulses = append(s.Pulses[:at], s.Pulses[at+1:]...)
	s.Answered, s.Missed = now, 0
	s.clean(now)
}

// clean notes a pulse or records after a fault. Those of the same ten seconds are
// one poll's.
func (s *stream) clean(now time.Time) {
	if !s.Open {
		return
	}
	if s.Back.IsZero() {
		s.Back = now
	}
	if now.Sub(s.CleanAt) >= 10*time.Second {
		s.Clean, s.CleanAt = s.Clean+1, now
	}
}

// pulsed says whether the pulse is the evidence of the stream: it is sent, and
// it came by this road in this table before.
func (s *stream) pulsed(now time.Time) bool {
	return !s.Answered.IsZero() && s.Every > 0 && now.Sub(s.PulseAt) <= 3*s.Every
}

// pulseDue gives the first pulse that nothing newer than it has answered, and
// when its record is overdue.
func (s *stream) pulseDue() (sent, due time.Time) {
	for _, p := range s.Pulses {
		if p.After(s.NewestEvent) && (sent.IsZero() || p.Before(sent)) {
			sent = p
		}
	}
	if sent.IsZero() {
		return
	}
	return sent, sent.Add(2 * s.p99())
}

// missing says whether records are missing that must have come by now, on which
// evidence.
func (s *stream) missing(now time.Time) (is bool, reason, why string) {
	if s.pulsed(now) {
		sent, due := s.pulseDue()
		if sent.IsZero() || now.Before(due) {
			return
		}
		return true, "pulse", fmt.Sprintf("the pulse of %s has not come within twice the 99th percentile of the road's lag (%s), and nothing newer either. This is proof: a pulse always makes a record.", clock(sent), words(2*s.p99()))
	}
	n, learned := s.lack(now)
	if n < s.Habit.need(learned) {
		return
	}
	by := "It is judged by how busy the same hour was in earlier weeks, scaled to today; a public holiday that begins at once can look the same. A pulse would be proof."
	if !learned {
		by = "The week is not learned yet, so it is judged by the last hour before; a day that ends at once can look the same. A pulse would be proof."
	}
	return true, "habit", fmt.Sprintf("about %.0f times 10 seconds with records should have come since the newest record of %s, and none did. %s", n, clock(s.NewestEvent), by)
}

// lack gives how many beats should have come and did not.
func (s *stream) lack(now time.Time) (float64, bool) {
	if s.NewestEvent.IsZero() {
		return 0, true
	}
	return s.Habit.expect(seconds(s.NewestEvent)).until(seconds(now.Add(-s.p99())))
}

// coming says whether records arrive now, however old.
func (s *stream) coming(now time.Time) bool {
	patience := 2 * time.Minute
	if s.Arrivals.n >= samples {
		// Some roads give what they have every quarter of an hour. The middle is
		// taken because the times between records at night say nothing about the day.
		patience = max(patience, min(20*time.Minute, 4*s.Arrivals.quantile(0.5)))
	}
	return !s.NewestReceived.IsZero() && now.Sub(s.NewestReceived) <= patience
}

// next gives when the road will be held to be silent if nothing comes.
func (s *stream) next(now time.Time) time.Time {
	if !s.Began || s.State == Silent || s.State == Cut {
		return time.Time{}
	}
	if s.pulsed(now) {
		_, due := s.pulseDue()
		if due.IsZero() {
			due = s.PulseAt.Add(s.Every + 2*s.p99())
		}
		return due
	}
	if s.NewestEvent.IsZero() {
		return time.Time{}
	}
	learned := s.Habit.rate(seconds(now)) != unknown
	at := s.Habit.expect(seconds(s.NewestEvent)).reach(s.Habit.need(learned))
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(at, 0).UTC().Add(s.p99())
}

// A verdict is what a stream is found to be.
type verdict struct {
	state       State
	reason, why string
}

// judge finds what the stream is.
func (s *stream) judge(now, graceUntil time.Time) verdict {
	if f := s.road.fault(s, now); f != nil {
		return verdict{Cut, f.Kind, f.words()}
	}
	if s.State == Cut && s.Reason == licence {
		// The records of the time before a licence do not come, and the first ones
		// take about a day.
		s.Began, s.WarmUntil = false, now.Add(warmUp)
	}
	if !s.Began {
		if now.Before(s.WarmUntil) {
			return verdict{Warming, "new", fmt.Sprintf("no record has come yet; Microsoft gives a new road up to two days, until %s", clock(s.WarmUntil))}
		}
		return verdict{Warming, "never", "no record has ever come: it cannot be told whether nothing happens there or the table is not switched on"}
	}
	if now.Before(graceUntil) {
		if s.State == Warming {
			return verdict{Fresh, "records", "records come"}
		}
		return verdict{s.State, s.Reason, s.Why}
	}
	missing, reason, why := s.missing(now)
	waiting := s.Backlog > 0 && now.Sub(s.LastPoll) <= max(5*time.Minute, s.p99())
	switch {
	case missing && waiting:
		return verdict{Late, "backlog", fmt.Sprintf("%d records wait at the service to be read", s.Backlog)}
	case missing && s.coming(now):
		return verdict{Late, "lag", fmt.Sprintf("records come, but the newest is of %s, %s old; 99 of 100 used to come within %s", clock(s.NewestEvent), words(now.Sub(s.NewestEvent)), words(s.p99()))}
	case missing:
		return verdict{Silent, reason, why + s.apiWord(now)}
	case s.State == Silent && s.Back.IsZero():
		return verdict{Silent, s.Reason, s.Why}
	}
	if s.Open {
		lack, _ := s.lack(now)
		switch part := s.road.owed(s, now); {
		case part != "":
			return verdict{Late, "recovering", fmt.Sprintf("it answers again since %s, but %s has not been answered yet", clock(s.Back), part)}
		case s.Clean >= cleanNeeds:
		case s.EmptyPolls >= cleanNeeds && lack < cleanNeeds:
			// Cut, and open again in a quiet hour: there is nothing to wait for.
		default:
			return verdict{Late, "recovering", fmt.Sprintf("it answers again since %s; %d of %d pulses or polls with records have come", clock(s.Back), s.Clean, cleanNeeds)}
		}
	}
	if s.LateRun >= 5 && s.NewestReceived.Sub(s.OnTime) > 2*time.Minute && now.Sub(s.NewestReceived) < max(10*time.Minute, 2*s.p99()) {
		return verdict{Late, "lag", fmt.Sprintf("the last %d records took longer than %s each, within which 99 of 100 used to come", s.LateRun, words(s.p99()))}
	}
	return verdict{Fresh, "records", "records come as they should"}
}

// apiWord says what the answers of the service are worth.
func (s *stream) apiWord(now time.Time) string {
	if s.LastPoll.IsZero() || s.LastPoll.Before(s.NewestReceived) {
		return ""
	}
	return fmt.Sprintf(" The service answers (last at %s, without records): that proves that it can be asked, not that records reach it.", clock(s.LastPoll))
}

// steady holds a turn to late, or from it, back for a while: what lasts no
// minute is no state. Open faults have their own ways of ending.
func (s *stream) steady(v verdict, now time.Time) bool {
	if s.Open || v.state == s.State || v.state != Late && s.State != Late || v.state == Cut || v.state == Silent {
		s.Turn = ""
		return true
	}
	if s.Turn != v.state {
		s.Turn, s.TurnAt = v.state, now
	}
	wait := time.Minute
	if s.State == Late {
		wait = 3 * time.Minute
	}
	if now.Sub(s.TurnAt) < wait {
		return false
	}
	s.Turn = ""
	return true
}

// age makes what was learned count less after a time.
func (s *stream) age(d time.Duration) {
	by := math.Exp2(-float64(d) / float64(halfLife))
	s.Lag.fade(by)
	s.Arrivals.fade(by)
	by = math.Exp2(-float64(d) / float64(6*time.Hour))
	s.Met *= by
	s.Missing *= by
}

// skip says whether a time, in seconds, was not seen as it was.
func (s *stream) skip(from, to int64) bool {
	if s.Dark.From.IsZero() || to <= seconds(s.Dark.From) {
		return false
	}
	return s.Dark.To.IsZero() || from < seconds(s.Dark.To)
}
