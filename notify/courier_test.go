package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"glassward"
	"glassward/internal/fault"
)

// A memoryOutbox is an outbox without a disk.
type memoryOutbox struct {
	mu       sync.Mutex
	notices  []glassward.Notice
	rows     map[delivery]*glassward.Delivery
	attempts []glassward.Attempt
	handles  map[delivery]string
	routed   map[glassward.NoticeID]bool
	fail     error // what Settle gives
	claims   int
}

func newOutbox() *memoryOutbox {
	return &memoryOutbox{handles: map[delivery]string{}, rows: map[delivery]*glassward.Delivery{}, routed: map[glassward.NoticeID]bool{}}
}

// owe commits a notice to the group.
func (o *memoryOutbox) owe(id, group string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.notices = append(o.notices, glassward.Notice{
		ID: glassward.NoticeID(id), Tenant: "t1", Group: group, Severity: glassward.High, Kind: "fired", Why: "test of the courier", Created: time.Now(),
	})
}

func (o *memoryOutbox) Claim(_ context.Context, now time.Time, limit int, busy ...string) ([]Job, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.claims++
	var jobs []Job
	for _, n := range o.notices {
		if !o.routed[n.ID] {
			jobs = append(jobs, Job{Notice: n})
			continue
		}
		for _, d := range o.rows {
			if d.Notice == n.ID && d.Status == glassward.Pending && !d.Next.After(now) && !slices.Contains(busy, d.Receiver) {
				jobs = append(jobs, Job{Notice: n, Receiver: d.Receiver, Attempt: d.Attempts + 1, Handle: o.handles[delivery{n.ID, d.Receiver}]})
			}
		}
	}
	slices.SortFunc(jobs, func(a, b Job) int {
		return cmp.Or(a.Notice.Created.Compare(b.Notice.Created), cmp.Compare(a.Receiver, b.Receiver))
	})
	return jobs[:min(limit, len(jobs))], nil
}

func (o *memoryOutbox) Route(_ context.Context, id glassward.NoticeID, receivers []string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.routed[id] = true
	for _, r := range receivers {
		if d := (delivery{id, r}); o.rows[d] == nil {
			o.rows[d] = &glassward.Delivery{Notice: id, Receiver: r, Status: glassward.Pending}
		}
	}
	return nil
}

func (o *memoryOutbox) Settle(_ context.Context, s Settlement) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return o.fail
	}
	o.attempts = append(o.attempts, s.Attempt)
	d := o.rows[delivery{s.Attempt.Notice, s.Attempt.Receiver}]
	d.Status, d.Next, d.Attempts, d.Answer = s.Status, s.Next, s.Attempt.Number, s.Attempt.Answer
	o.handles[delivery{s.Attempt.Notice, s.Attempt.Receiver}] = s.Handle
	d.Settled = s.Attempt.At.Add(s.Attempt.Took)
	return nil
}

func (o *memoryOutbox) Hasten(_ context.Context, receiver string, now time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.rows {
		if d.Receiver == receiver && d.Status == glassward.Pending && d.Next.After(now) {
			d.Next = now
		}
	}
	return nil
}

// of gives the deliveries to a receiver, by notice.
func (o *memoryOutbox) of(receiver string) map[glassward.NoticeID]glassward.Delivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[glassward.NoticeID]glassward.Delivery{}
	for _, d := range o.rows {
		if d.Receiver == receiver {
			out[d.Notice] = *d
		}
	}
	return out
}

func (o *memoryOutbox) attemptsAt(receiver string, id glassward.NoticeID) []glassward.Attempt {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []glassward.Attempt
	for _, a := range o.attempts {
		if a.Receiver == receiver && a.Notice == id {
			out = append(out, a)
		}
	}
	return out
}

// slow is the outbox without Hasten.
type slow struct{ Outbox }

// A scriptedReceiver answers as its function says.
type scriptedReceiver func(ctx context.Context, m Message) Outcome

func (f scriptedReceiver) Deliver(ctx context.Context, m Message) Outcome { return f(ctx, m) }

// scripted makes a fleet whose receivers "oncall/NAME" are functions.
func scripted(receivers map[string]scriptedReceiver) *Fleet {
	f := &Fleet{receivers: map[string]Receiver{}}
	g := ActionGroup{Name: "oncall"}
	for name, r := range receivers {
		g.Webhook = append(g.Webhook, WebhookReceiver{Name: name})
		f.put("oncall/"+name, r)
	}
	f.config.ActionGroups = []ActionGroup{g}
	return f
}

// run starts a courier and gives the function that ends it.
func run(t *testing.T, o Options) (c *Courier, end func()) {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	return c, func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

type troubles struct {
	mu   sync.Mutex
	list []Trouble
}

func (l *troubles) tell(t Trouble) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, t)
}

func (l *troubles) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, t := range l.list {
		fmt.Fprintf(&b, "%s %s over=%v\n", t.Kind, cmp.Or(t.Receiver, t.Group), t.Over)
	}
	return b.String()
}

func accept(context.Context, Message) Outcome { return Outcome{Verdict: Accepted, Answer: "ok"} }

// TestHangingReceiver holds up itself alone, and its second notice has a
// second lane.
func TestHangingReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var order []string
		var mu sync.Mutex
		fleet := scripted(map[string]scriptedReceiver{
			"well": accept,
			"hangs": func(ctx context.Context, m Message) Outcome {
				if m.Notice.ID == "first" {
					<-release
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, string(m.Notice.ID))
				return Outcome{Verdict: Accepted}
			},
		})
		box := newOutbox()
		c, end := run(t, Options{Outbox: box, Fleet: fleet})
		for _, id := range []string{"first", "second", "third"} {
			box.owe(id, "oncall")
		}
		c.Wake()
		synctest.Wait()
		for _, id := range []glassward.NoticeID{"first", "second", "third"} {
			if d := box.of("oncall/well")[id]; d.Status != glassward.Delivered {
				t.Errorf("well, %s: %s", id, d.Status)
			}
		}
		if got := strings.Join(order, " "); got != "second third" {
			t.Errorf("past the one that hangs went %q", got)
		}
		if s := c.Status(); len(s) != 2 || s[0].Receiver != "oncall/hangs" || s[0].Queued != 1 {
			t.Errorf("status %+v", s)
		}
		close(release)
		synctest.Wait()
		if len(order) != 3 {
			t.Errorf("delivered %v", order)
		}
		end()
	})
}

// TestRetryAfter obeys a receiver that names its time, and does not let it put
// a page off for a day.
func TestRetryAfter(t *testing.T) {
	for asked, want := range map[time.Duration]struct{ least, most time.Duration }{
		30 * time.Second: {30 * time.Second, 40 * time.Second},
		10 * time.Minute: {10 * time.Minute, 10*time.Minute + 10*time.Second},
		0:                {time.Second, 5 * time.Second},
	} {
		t.Run(asked.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var times []time.Time
				fleet := scripted(map[string]scriptedReceiver{"busy": func(context.Context, Message) Outcome {
					times = append(times, time.Now())
					if len(times) == 1 {
						return Outcome{Verdict: Retry, RetryAfter: asked}
					}
					return Outcome{Verdict: Accepted}
				}})
				box := newOutbox()
				_, end := run(t, Options{Outbox: box, Fleet: fleet})
				box.owe("n", "oncall")
				time.Sleep(time.Hour)
				end()
				if len(times) != 2 {
					t.Fatalf("%d attempts", len(times))
				}
				if gap := times[1].Sub(times[0]); gap < want.least || gap > want.most {
					t.Errorf("%s between attempts, want %s to %s", gap, want.least, want.most)
				}
			})
		})
	}
}

// TestNeverGivesUp keeps trying for ten days, more and more seldom.
func TestNeverGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := scripted(map[string]scriptedReceiver{"dead": func(context.Context, Message) Outcome { return Outcome{Verdict: Retry, Answer: "no"} }})
		box, told := newOutbox(), &troubles{}
		_, end := run(t, Options{Outbox: slow{box}, Fleet: fleet, Trouble: told.tell, Poll: time.Hour})
		box.owe("n", "oncall")
		start := time.Now()
		time.Sleep(10 * 24 * time.Hour)
		end()
		attempts := box.attemptsAt("oncall/dead", "n")
		last := attempts[len(attempts)-1]
		if d := box.of("oncall/dead")["n"]; d.Status != glassward.Pending || d.Attempts != len(attempts) || last.Number != len(attempts) {
			t.Errorf("%+v after %d attempts", d, len(attempts))
		}
		if got := time.Since(last.At); got > time.Hour {
			t.Errorf("the last attempt was %s ago", got)
		}
		within := func(d time.Duration) (n int) {
			for _, a := range attempts {
				if a.At.Sub(start) <= d+time.Hour { // the first claim came with the first poll
					n++
				}
			}
			return n
		}
		t.Logf("%d attempts in the first hour, %d in the first day, %d in ten days", within(time.Hour), within(24*time.Hour), len(attempts))
		if n := within(time.Hour); n < 12 {
			t.Errorf("%d attempts in the first hour", n)
		}
		if got, want := told.String(), "receiver-failing oncall/dead over=false\n"; got != want {
			t.Errorf("troubles:\n%s", got)
		}
	})
}

// TestVerdicts are the ends that a delivery can come to, and what is said.
func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name    string
		kind    string
		out     Outcome
		status  glassward.DeliveryStatus
		trouble string
	}{
		{"accepted", "fired", Outcome{Verdict: Accepted}, glassward.Delivered, ""},
		{"refused", "fired", Outcome{Verdict: Refused}, glassward.Failed, "notice-refused oncall/x over=false\n"},
		{"refused, health", "health", Outcome{Verdict: Refused}, glassward.Failed, ""},
		{"mend", "fired", Outcome{Verdict: Mend}, glassward.Pending, "receiver-failing oncall/x over=false\n"},
		{"retry", "fired", Outcome{Verdict: Retry}, glassward.Pending, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				box, told := newOutbox(), &troubles{}
				fleet := scripted(map[string]scriptedReceiver{"x": func(context.Context, Message) Outcome { return c.out }})
				courier, end := run(t, Options{Outbox: box, Fleet: fleet, Trouble: told.tell})
				synctest.Wait()
				box.owe("n", "oncall")
				box.notices[0].Kind = c.kind
				courier.Wake()
				synctest.Wait()
				if d := box.of("oncall/x")["n"]; d.Status != c.status || d.Attempts != 1 {
					t.Errorf("%+v, want %s", d, c.status)
				}
				if told.String() != c.trouble {
					t.Errorf("troubles:\n%swant:\n%s", told, c.trouble)
				}
				end()
			})
		})
	}
}

// TestGone keeps calling an endpoint that answers 410, and says once that it
// fails.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		var back atomic.Bool
		fleet := scripted(map[string]scriptedReceiver{"x": func(context.Context, Message) Outcome {
			calls.Add(1)
			if back.Load() {
				return Outcome{Verdict: Accepted}
			}
			return Outcome{Verdict: httpVerdict(http.StatusGone), Answer: "HTTP 410 Gone"}
		}})
		box, told := newOutbox(), &troubles{}
		_, end := run(t, Options{Outbox: box, Fleet: fleet, Trouble: told.tell})
		box.owe("one", "oncall")
		time.Sleep(26 * time.Hour)
		if n := calls.Load(); n < 26*60 {
			t.Errorf("%d calls of an endpoint that is gone, in 26 hours", n)
		}
		back.Store(true)
		time.Sleep(criticalCeiling)
		if d := box.of("oncall/x")["one"]; d.Status != glassward.Delivered {
			t.Errorf("after the endpoint is back: %+v", d)
		}
		if got, want := told.String(), "receiver-failing oncall/x over=false\nreceiver-failing oncall/x over=true\n"; got != want {
			t.Errorf("troubles:\n%s", got)
		}
		end()
	})
}

// TestCritical looks at the gaps between the attempts of a critical notice: a
// minute at most, however old it is, unless the receiver names a longer wait.
func TestCritical(t *testing.T) {
	for _, c := range []struct {
		name        string
		severity    glassward.Severity
		after       time.Duration
		least, most time.Duration
	}{
		{"critical", glassward.High, 0, backoffFloor, time.Minute},
		{"critical, told to wait", glassward.High, 5 * time.Minute, 5 * time.Minute, 5*time.Minute + 10*time.Second},
		{"medium", glassward.Medium, 0, backoffFloor, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls []time.Time
				fleet := scripted(map[string]scriptedReceiver{"x": func(context.Context, Message) Outcome {
					calls = append(calls, time.Now())
					return Outcome{Verdict: Retry, RetryAfter: c.after}
				}})
				box := newOutbox()
				courier, end := run(t, Options{Outbox: box, Fleet: fleet, Random: func() float64 { return 0.999 }, Poll: time.Hour})
				synctest.Wait()
				box.owe("one", "oncall")
				box.notices[0].Severity = c.severity
				courier.Wake()
				time.Sleep(30 * time.Hour)
				end()
				var most time.Duration
				for i := range calls[1:] {
					gap := calls[i+1].Sub(calls[i])
					if most = max(most, gap); gap < c.least || gap > c.most {
						t.Fatalf("attempts %d and %d are %s apart, want from %s to %s", i+1, i+2, gap, c.least, c.most)
					}
				}
				if c.severity == glassward.Medium && most < 50*time.Minute {
					t.Errorf("at most %s apart after 30 hours", most)
				}
			})
		})
	}
}

// TestUnrouted sends a notice of an unknown group to the tenant's others, and
// one that nobody can take when the configuration names somebody.
func TestUnrouted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box, told := newOutbox(), &troubles{}
		var whys []string
		fleet := scripted(map[string]scriptedReceiver{"x": func(_ context.Context, m Message) Outcome {
			whys = append(whys, m.Notice.Why)
			return Outcome{Verdict: Accepted}
		}})
		groups := []string{"oncall"}
		c, end := run(t, Options{Outbox: box, Fleet: fleet, Trouble: told.tell, Fallback: func(string) []string { return groups }})
		box.owe("n", "nobody")
		c.Wake()
		synctest.Wait()
		if d := box.of("oncall/x")["n"]; d.Status != glassward.Delivered {
			t.Errorf("%+v", d)
		}
		if len(whys) != 1 || !strings.Contains(whys[0], `"nobody" has no receiver`) {
			t.Errorf("why: %q", whys)
		}
		groups = nil
		box.owe("m", "nobody")
		c.Wake()
		time.Sleep(time.Minute) // it is claimed again and again, and told of once
		if got, want := told.String(), "notice-unrouted nobody over=false\nnotice-unrouted nobody over=false\n"; got != want {
			t.Errorf("troubles:\n%s", got)
		}
		named := scripted(map[string]scriptedReceiver{"x": accept})
		named.config.ActionGroups[0].Name = "nobody"
		named.put("nobody/x", scriptedReceiver(accept))
		c.Reload(named)
		synctest.Wait()
		if d := box.of("nobody/x")["m"]; d.Status != glassward.Delivered {
			t.Errorf("after the group was added: %+v", d)
		}
		end()
	})
}

// TestReceiverRemoved waits a day for a receiver that a configuration no longer
// has.
func TestReceiverRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box, told := newOutbox(), &troubles{}
		box.owe("n", "oncall")
		if err := box.Route(t.Context(), "n", []string{"oncall/gone"}); err != nil {
			t.Fatal(err)
		}
		_, end := run(t, Options{Outbox: box, Fleet: scripted(map[string]scriptedReceiver{"x": accept}), Trouble: told.tell})
		time.Sleep(23 * time.Hour)
		if d := box.of("oncall/gone")["n"]; d.Status != glassward.Pending {
			t.Errorf("after 23 hours: %+v", d)
		}
		time.Sleep(3 * time.Hour)
		if d := box.of("oncall/gone")["n"]; d.Status != glassward.Failed {
			t.Errorf("after 26 hours: %+v", d)
		}
		if got, want := told.String(), "receiver-failing oncall/gone over=false\nnotice-refused oncall/gone over=false\n"; got != want {
			t.Errorf("troubles:\n%s", got)
		}
		end()
	})
}

// TestRestart stops a courier in the middle; the next one delivers what is
// left, with no time lost to a lease.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := newOutbox()
		hang := scripted(map[string]scriptedReceiver{"x": func(ctx context.Context, m Message) Outcome {
			<-ctx.Done()
			return Outcome{Verdict: Retry, Answer: ctx.Err().Error()}
		}})
		c, end := run(t, Options{Outbox: box, Fleet: hang})
		for i := range 5 {
			box.owe(fmt.Sprint("n", i), "oncall")
		}
		c.Wake()
		synctest.Wait()
		before := time.Now()
		end()
		if took := time.Since(before); took != defaultGrace {
			t.Errorf("Run ended after %s, want the grace of %s", took, defaultGrace)
		}
		before = time.Now()
		_, end = run(t, Options{Outbox: box, Fleet: scripted(map[string]scriptedReceiver{"x": accept})})
		synctest.Wait()
		for id, d := range box.of("oncall/x") {
			if d.Status != glassward.Delivered || !d.Settled.Equal(before) {
				t.Errorf("%s: %+v", id, d)
			}
		}
		end()
	})
}

// TestSettleFails keeps a delivered notice from being sent again while the
// store cannot record it.
func TestSettleFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := newOutbox()
		box.fail = errors.New("disk full")
		sent := 0
		_, end := run(t, Options{Outbox: box, Fleet: scripted(map[string]scriptedReceiver{"x": func(context.Context, Message) Outcome {
			sent++
			return Outcome{Verdict: Accepted}
		}})})
		box.owe("n", "oncall")
		time.Sleep(time.Hour)
		box.mu.Lock()
		box.fail = nil
		box.mu.Unlock()
		time.Sleep(time.Minute)
		if d := box.of("oncall/x")["n"]; d.Status != glassward.Delivered || sent != 1 {
			t.Errorf("sent %d times, %+v", sent, d)
		}
		end()
	})
}

func TestPanickingReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box, told := newOutbox(), &troubles{}
		_, end := run(t, Options{Outbox: box, Trouble: told.tell, Fleet: scripted(map[string]scriptedReceiver{
			"x": func(context.Context, Message) Outcome { panic("oops") }, "y": accept,
		})})
		box.owe("n", "oncall")
		time.Sleep(defaultPoll)
		synctest.Wait()
		if d := box.of("oncall/x")["n"]; d.Status != glassward.Pending {
			t.Errorf("%+v", d)
		}
		if d := box.of("oncall/y")["n"]; d.Status != glassward.Delivered {
			t.Errorf("%+v", d)
		}
		end()
	})
}

// TestFaultPoints has every point fail once: the notice is delivered all the
// same.
func TestFaultPoints(t *testing.T) {
	for point, sent := range map[string]int{
		"notify.route.before": 1, "notify.route.after": 1, "notify.send.before": 1, "notify.send.after": 2,
		"notify.settle.before": 1, "notify.settle.after": 1,
	} {
		t.Run(point, func(t *testing.T) {
			disarm, err := fault.Arm(point + "=error")
			if err != nil {
				t.Fatal(err)
			}
			defer disarm()
			synctest.Test(t, func(t *testing.T) {
				box, n := newOutbox(), 0
				_, end := run(t, Options{Outbox: box, Fleet: scripted(map[string]scriptedReceiver{"x": func(context.Context, Message) Outcome {
					n++
					return Outcome{Verdict: Accepted}
				}})})
				box.owe("n", "oncall")
				time.Sleep(time.Minute)
				if d := box.of("oncall/x")["n"]; d.Status != glassward.Delivered || n != sent {
					t.Errorf("sent %d times, want %d; %+v", n, sent, d)
				}
				end()
			})
		})
	}
}

func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		failed int
		age    time.Duration
		most   time.Duration
	}{
		{1, 0, 5 * time.Second}, {2, 0, 10 * time.Second}, {3, 0, 20 * time.Second}, {6, 0, 160 * time.Second},
		{7, 0, 5 * time.Minute}, {50, 59 * time.Minute, 5 * time.Minute}, {50, 2 * time.Hour, 15 * time.Minute},
		{50, 30 * time.Hour, time.Hour}, {1 << 40, 30 * time.Hour, time.Hour},
	} {
		ceiling := backoffCeiling(c.age, glassward.Medium)
		if got := backoff(c.failed, ceiling, 1); got != c.most {
			t.Errorf("%d failures at %s: at most %s, want %s", c.failed, c.age, got, c.most)
		}
		if got := backoff(c.failed, ceiling, 0); got != backoffFloor {
			t.Errorf("%d failures at %s: at least %s, want %s", c.failed, c.age, got, backoffFloor)
		}
	}
}
