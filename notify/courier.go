package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"glassward"
	"glassward/internal/fault"
)

// Options are what a Courier is made of.
type Options struct {
	Outbox Outbox
	Fleet  *Fleet
	// Fallback names the groups that get a tenant's notice whose own group does
	// not exist; nil for none.
	Fallback func(tenant string) []string
	// Trouble is told what stands between us and a receiver; nil for nobody. It
	// may commit a health notice and Wake the courier, but must not wait for a
	// delivery. It may be called by several receivers at once.
	Trouble func(Trouble)
	// Delivered is told of each notice that a receiver took, and when; nil for
	// nobody. It must not wait.
	Delivered func(Job, time.Time)
	// Beat takes the notices of kind heartbeat, which nobody receives, out of the
	// outbox; nil where there are none.
	Beat func(context.Context, Job) error
	// Letter gives what makes a job's message answerable, Rule what is known of a
	// rule by its id. Either may be nil.
	Letter func(Job) Letter
	Rule   func(id string) RuleFacts
	Log    *slog.Logger
	// Poll is how often the outbox is asked without a reason, 5 s if zero: what
	// was pending when the program started has no other herald.
	Poll time.Duration
	// Grace is how long Run waits for attempts that are under way when it is told
	// to stop, 5 s if zero.
	Grace time.Duration
	// Random gives numbers in [0, 1) for the jitter; math/rand's if nil.
	Random func() float64
}

// A Courier takes what the outbox owes to the receivers until each has it. One
// runs in a process; its methods are safe for concurrent use.
type Courier struct {
	o    Options
	wake chan struct{}

	mu     sync.Mutex
	fleet  *Fleet
	held   map[delivery]bool      // claimed and not yet settled
	late   map[delivery]bool      // settled while a claim was under way
	next   map[delivery]time.Time // settled to wait, by us
	lost   map[glassward.NoticeID]bool
	queues map[string]*queue
	health map[string]*health
	work   sync.WaitGroup
	ended  bool
}

// A delivery is the key of a job.
type delivery struct {
	notice   glassward.NoticeID
	receiver string
}

// A queue holds the jobs of one receiver that are due.
type queue struct {
	receiver string
	jobs     []Job
	running  int
	more     bool // more may be owed than was taken up
}

// full says whether no more is taken up for the receiver at present.
func (q *queue) full() bool { return len(q.jobs)+q.running >= queueMost }

// A health is what we know of a receiver.
type health struct {
	since time.Time // of the first failure in a row, zero if it is well
	told  bool      // a Failing trouble was raised
	weak  bool      // a Weakened trouble was raised
}

const (
	// perReceiver is how many notices go to one receiver at once: with two, one
	// that hangs does not hold up the next.
	perReceiver = 2
	// queueMost is how many jobs of one receiver are held at once. What else is owed
	// to it stays in the outbox, so that one that hangs takes no room from others.
	queueMost = 32
	// page is how many jobs are claimed at once.
	page = 256
	// tellAfter is how long a receiver may fail before it is an alarm.
	tellAfter = time.Minute
	// forgetAfter is how long a delivery waits for a receiver that is no longer
	// configured; a broken file may come back.
	forgetAfter = 24 * time.Hour

	defaultPoll  = 5 * time.Second
	defaultGrace = 5 * time.Second
	settleWait   = 10 * time.Second
)

// New makes a courier. Run starts it.
func New(o Options) (*Courier, error) {
	if o.Outbox == nil || o.Fleet == nil {
		return nil, errors.New("notify: a courier needs an outbox and a fleet")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Poll == 0 {
		o.Poll = defaultPoll
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	return &Courier{
		o: o, wake: make(chan struct{}, 1), fleet: o.Fleet,
		held: map[delivery]bool{}, next: map[delivery]time.Time{}, lost: map[glassward.NoticeID]bool{},
		queues: map[string]*queue{}, health: map[string]*health{},
	}, nil
}

// Wake says that the outbox has something new. It never blocks, and notices
// committed before it are on their way at once.
func (c *Courier) Wake() {
	select {
	case c.wake <- struct{}{}:
	default: // already awake
	}
}

// Reload puts another configuration in place. Attempts under way end with the
// old one.
func (c *Courier) Reload(f *Fleet) {
	c.mu.Lock()
	c.fleet = f
	clear(c.lost)
	c.mu.Unlock()
	c.Wake()
}

// Run delivers until the context ends; then it begins no more attempts and
// waits for those under way, at most Grace. It gives nil after a regular end.
func (c *Courier) Run(ctx context.Context) error {
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	for ctx.Err() == nil {
		more, err := c.round(ctx, sending)
		if err != nil && ctx.Err() == nil {
			// The outbox is asked again after Poll; whoever opened it alarms on a
			// store that cannot be read.
			c.o.Log.Error("claim notices", "error", err)
		}
		if more && err == nil {
			continue
		}
		timer := time.NewTimer(c.untilNext())
		select {
		case <-ctx.Done():
		case <-c.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	defer time.AfterFunc(c.o.Grace, stop).Stop()
	c.work.Wait()
	return nil
}

// round claims once and hands out; more says that the page was full.
func (c *Courier) round(ctx, sending context.Context) (more bool, err error) {
	now := time.Now()
	c.mu.Lock()
	c.late = map[delivery]bool{}
	maps.DeleteFunc(c.next, func(_ delivery, at time.Time) bool { return !at.After(now) }) // asked for below
	limit := page + len(c.held) + len(c.lost)
	fleet := c.fleet
	var busy []string
	for _, q := range c.queues {
		if q.full() {
			q.more = true
			busy = append(busy, q.receiver)
		}
	}
	c.mu.Unlock()

	jobs, err := c.o.Outbox.Claim(ctx, now, limit, busy...)
	if err != nil {
		return false, err
	}
	for _, j := range jobs {
		if j.Receiver != "" {
			c.enqueue(sending, j)
			continue
		}
		if err := c.route(ctx, sending, fleet, j); err != nil {
			return false, err
		}
	}
	c.mu.Lock()
	c.late = nil
	c.mu.Unlock()
	return len(jobs) >= limit, nil
}

// untilNext gives the time to the next attempt that we know of, at most Poll.
func (c *Courier) untilNext() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := c.o.Poll
	for _, at := range c.next {
		wait = min(wait, time.Until(at))
	}
	return max(wait, 0)
}

// route decides who receives a notice, records it, and sends at once: the jobs
// need not be claimed again.
func (c *Courier) route(ctx, sending context.Context, f *Fleet, j Job) error {
	if j.Notice.Kind == Beat && c.o.Beat != nil {
		return c.o.Beat(ctx, j)
	}
	names := f.route(j.Notice.Group, j.Notice)
	if len(names) == 0 {
		if c.o.Fallback != nil {
			for _, g := range c.o.Fallback(j.Notice.Tenant) {
				names = append(names, f.route(g, j.Notice)...)
			}
		}
		c.mu.Lock()
		told := c.lost[j.Notice.ID]
		c.lost[j.Notice.ID] = true
		c.mu.Unlock()
		t := Trouble{
			Kind: Unrouted, Group: j.Notice.Group, Notice: j.Notice, Tenant: j.Notice.Tenant, Since: j.Notice.Created,
			Answer: "sent to " + strings.Join(names, ", "),
		}
		if len(names) == 0 {
			t.Answer = "there is nobody else: it waits until the configuration names a group with receivers"
		}
		if !told {
			c.tell(t)
		}
		if len(names) == 0 {
			return nil
		}
	}
	if err := fault.Point("notify.route.before"); err != nil {
		return err
	}
	if err := c.o.Outbox.Route(ctx, j.Notice.ID, names); err != nil {
		return fmt.Errorf("route notice %s: %w", j.Notice.ID, err)
	}
	if err := fault.Point("notify.route.after"); err != nil {
		return err
	}
	c.mu.Lock()
	delete(c.lost, j.Notice.ID)
	c.mu.Unlock()
	for _, name := range names {
		j.Receiver, j.Attempt = name, 1
		c.enqueue(sending, j)
	}
	return nil
}

// enqueue gives a job to its receiver's queue, unless it is there already or
// was settled after the claim had looked.
func (c *Courier) enqueue(sending context.Context, j Job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := delivery{j.Notice.ID, j.Receiver}
	if c.ended || c.held[d] || c.late[d] {
		return
	}
	name := strings.ToLower(j.Receiver)
	q := c.queues[name]
	if q == nil {
		q = &queue{receiver: j.Receiver}
		c.queues[name] = q
	}
	if q.full() {
		q.more = true
		return
	}
	c.held[d] = true
	delete(c.next, d)
	q.jobs = append(q.jobs, j)
	if q.running < perReceiver {
		q.running++
		c.work.Go(func() { c.drain(sending, name, q) })
	}
}

// drain works a queue off and ends when it is empty.
func (c *Courier) drain(sending context.Context, name string, q *queue) {
	for {
		c.mu.Lock()
		if len(q.jobs) == 0 || c.ended {
			q.running--
			if q.running == 0 {
				delete(c.queues, name)
			}
			c.mu.Unlock()
			return
		}
		j := q.jobs[0]
		q.jobs = q.jobs[1:]
		if q.more && len(q.jobs) < queueMost/2 {
			q.more = false
			c.Wake()
		}
		c.mu.Unlock()
		c.attempt(sending, j)
	}
}

// attempt makes one attempt: render, deliver, settle.
func (c *Courier) attempt(sending context.Context, j Job) {
	at := time.Now()
	out := c.send(sending, j)
	now := time.Now()
	s := Settlement{Attempt: glassward.Attempt{
		Notice: j.Notice.ID, Receiver: j.Receiver, Number: j.Attempt,
		At: at, Took: now.Sub(at), OK: out.Verdict == Accepted || out.Verdict == Underway, Answer: out.Answer,
	}, Handle: out.Handle}
	stopped := sending.Err() != nil
	ceiling := backoffCeiling(now.Sub(j.Notice.Created), j.Notice.Severity)
	switch out.Verdict {
	case Accepted:
		s.Status = glassward.Delivered
	case Refused:
		s.Status = glassward.Failed
	case Underway:
		s.Status, s.Next = glassward.Pending, now.Add(max(out.RetryAfter, time.Second))
	default:
		s.Status = glassward.Pending
		switch {
		case stopped:
			s.Next = now
		case out.RetryAfter > 0:
			s.Next = now.Add(obey(out.RetryAfter, j.Attempt, ceiling, c.o.Random()))
		default:
			s.Next = now.Add(backoff(j.Attempt, ceiling, c.o.Random()))
		}
	}
	settled := c.settle(sending, s)
	d := delivery{j.Notice.ID, j.Receiver}
	c.mu.Lock()
	delete(c.held, d)
	if c.late != nil {
		c.late[d] = true
	}
	if settled && s.Status == glassward.Pending {
		c.next[d] = s.Next
	}
	c.mu.Unlock()
	if s.Status == glassward.Pending {
		c.Wake() // the loop sets its timer anew
	}
	if settled && out.Verdict == Accepted && c.o.Delivered != nil {
		c.o.Delivered(j, now)
	}
	if settled && (!stopped || out.Verdict == Accepted) {
		c.judge(sending, j, out, now)
	}
}

// send renders and delivers. A panic in a receiver is an attempt that failed.
func (c *Courier) send(ctx context.Context, j Job) (out Outcome) {
	defer func() {
		if p := recover(); p != nil {
			c.o.Log.Error("a receiver panicked; please report this", "receiver", j.Receiver, "panic", p, "stack", string(debug.Stack()))
			out = Outcome{Verdict: Mend, Answer: "internal error while sending; see the log"}
		}
	}()
	c.mu.Lock()
	fleet := c.fleet
	c.mu.Unlock()
	r, ok := fleet.receiver(j.Receiver)
	if !ok {
		if time.Since(j.Notice.Created) > forgetAfter {
			return Outcome{Verdict: Refused, Answer: "the receiver is no longer configured"}
		}
		return Outcome{Verdict: Mend, Answer: "the receiver is not configured (any more): put it back, or it is given up after a day"}
	}
	group, _ := splitName(j.Receiver)
	g, _ := fleet.config.Group(group)
	if err := fault.Point("notify.send.before"); err != nil {
		return Outcome{Answer: answer(err.Error())}
	}
	m := newMessage(j, g, c.o.Letter, c.o.Rule)
	if reporter, ok := r.(Reporter); ok && j.Handle != "" {
		out = reporter.Report(ctx, m, j.Handle)
	} else {
		out = r.Deliver(ctx, m)
	}
	if err := fault.Point("notify.send.after"); err != nil {
		return Outcome{Answer: answer(err.Error())}
	}
	return out
}

// settle records an attempt, and keeps at it: what was sent and cannot be
// recorded would be sent again. It gives up only when the program stops; then
// the notice is repeated after the next start, with the same key.
func (c *Courier) settle(sending context.Context, s Settlement) bool {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(sending), settleWait)
		err := fault.Point("notify.settle.before")
		if err == nil {
			err = c.o.Outbox.Settle(ctx, s)
		}
		if err == nil {
			err = fault.Point("notify.settle.after")
		}
		cancel()
		if err == nil {
			return true
		}
		c.o.Log.Error("record an attempt", "notice", s.Attempt.Notice, "receiver", s.Attempt.Receiver, "error", err)
		timer := time.NewTimer(wait)
		select {
		case <-sending.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}

// judge keeps a receiver's health and raises troubles. A refused health notice
// raises none of its own while the receiver is known to be failing: two groups
// that report each other's silence would do so for ever.
func (c *Courier) judge(sending context.Context, j Job, out Outcome, now time.Time) {
	group, _ := splitName(j.Receiver)
	t := Trouble{Receiver: j.Receiver, Group: group, Notice: j.Notice, Tenant: j.Notice.Tenant, Answer: out.Answer}
	var raise []TroubleKind
	weakened := false
	c.mu.Lock()
	name := strings.ToLower(j.Receiver)
	h := c.health[name]
	if h == nil {
		h = &health{}
		c.health[name] = h
	}
	recovered := out.Verdict == Accepted && !h.since.IsZero()
	switch out.Verdict {
	case Accepted:
		t.Over, t.Since = h.told, h.since
		if h.told {
			raise = append(raise, Failing)
		}
		h.since, h.told = time.Time{}, false
		weakened = out.Weak != "" && !h.weak
		h.weak = out.Weak != ""
	case Underway:
		weakened = out.Weak != "" && !h.weak
		h.weak = h.weak || weakened
	case Refused:
		t.Since = now
		if j.Notice.Kind != "health" {
			raise = append(raise, RefusedNotice)
		}
	default:
		if h.since.IsZero() {
			h.since = now
		}
		t.Since = h.since
		if !h.told && (out.Verdict == Mend || now.Sub(h.since) >= tellAfter) {
			h.told = true
			raise = append(raise, Failing)
		}
	}
	c.mu.Unlock()
	if recovered {
		c.hasten(sending, j.Receiver, now)
	}
	for _, t.Kind = range raise {
		c.tell(t)
	}
	if weakened {
		t.Kind, t.Over, t.Since, t.Answer = Weakened, false, now, out.Weak
		c.tell(t)
	}
}

// hasten makes what piled up for a receiver due now.
func (c *Courier) hasten(sending context.Context, receiver string, now time.Time) {
	h, ok := c.o.Outbox.(Hastener)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(sending, settleWait)
	defer cancel()
	if err := h.Hasten(ctx, receiver, now); err != nil {
		// Correct without: they go out when their backoff ends.
		c.o.Log.Warn("hasten deliveries", "receiver", receiver, "error", err)
		return
	}
	c.Wake()
}

func (c *Courier) tell(t Trouble) {
	c.o.Log.Warn(t.String(), "kind", t.Kind)
	if c.o.Trouble != nil {
		c.o.Trouble(t)
	}
}

// A ReceiverStatus says how a receiver is.
type ReceiverStatus struct {
	// Receiver is the full name, "group/receiver".
	Receiver string `json:"receiver"`
	// Queued is how many notices are under way or next to be.
	Queued int `json:"queued"`
	// FailingSince is the first failure in a row, zero if the last attempt
	// succeeded.
	FailingSince time.Time `json:"failingSince,omitzero"`
}

// Status gives how the configured receivers are, sorted by name.
func (c *Courier) Status() []ReceiverStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []ReceiverStatus
	for _, g := range c.fleet.config.ActionGroups {
		for _, name := range g.Receivers() {
			full := fullName(g.Name, name)
			s := ReceiverStatus{Receiver: full}
			name = strings.ToLower(full)
			if q := c.queues[name]; q != nil {
				s.Queued = len(q.jobs) + q.running
			}
			if h := c.health[name]; h != nil {
				s.FailingSince = h.since
			}
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b ReceiverStatus) int { return strings.Compare(a.Receiver, b.Receiver) })
	return out
}

// Fleet gives the configuration in use.
func (c *Courier) Fleet() *Fleet {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fleet
}
