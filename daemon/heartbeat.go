package daemon

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"glassward"
	"glassward/config"
	"glassward/incident"
	"glassward/notify"
	"glassward/rule"
	"glassward/schema"
)

const (
	// heartbeatTable holds the records by which the house shows itself that it works,
	// heartbeatKept is how long.
	heartbeatTable = "GlasswardHeartbeat"
	heartbeatKept  = 7 * 24 * time.Hour
	// heartbeatRule is the id of the rule that finds them.
	heartbeatRule = "6c1f5a3e-2d0b-4c9e-9a57-61b3f0c7d201"
	// pingsFailed is how many pings in a row may fail before it is an alarm.
	pingsFailed = 3
)

// heartbeatText is the rule that finds them, as any other is written.
const heartbeatText = `id: ` + heartbeatRule + `
name: Glassward heartbeat
version: 1.0.0
kind: NRT
severity: Informational
query: GlasswardHeartbeat | project Beat
`

// withHeartbeat adds the rule that finds the heartbeat, where there is one.
func withHeartbeat(rules []*rule.Rule, c *config.Config) ([]*rule.Rule, error) {
	if c.Heartbeat == nil {
		return rules, nil
	}
	r, problem := rule.Parse("heartbeat", []byte(heartbeatText))
	if problem != nil && problem.Failed() {
		return nil, fmt.Errorf("the heartbeat's rule: %w", problem)
	}
	r.Shipped, r.Enabled = true, true
	return append(rules, r), nil
}

// A station is how far a beat has come in one tenant's workspace.
type station int

const (
	notWritten station = iota
	notJudged
	notTaken
	passed
)

func (s station) String() string {
	return [...]string{"its record was not taken in", "its record was not judged by the rules", "its notice was not taken from the outbox", "passed"}[s]
}

// beats knows how far the present beat has come.
type beats struct {
	mu   sync.Mutex
	id   string
	at   map[string]station // by tenant
	all  chan struct{}      // closed when it has passed everywhere
	last HeartbeatStatus
}

// begin starts a beat in these tenants.
func (b *beats) begin(id string, tenants []string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.id, b.at, b.all = id, map[string]station{}, make(chan struct{})
	for _, t := range tenants {
		b.at[t] = notWritten
	}
	if len(tenants) == 0 {
		close(b.all)
	}
	return b.all
}

// reach notes that a beat has come to a station. One that is over is nobody's.
func (b *beats) reach(id, tenant string, s station) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, ok := b.at[tenant]
	if id != b.id || !ok || s <= at {
		return
	}
	b.at[tenant] = s
	for _, at := range b.at {
		if at != passed {
			return
		}
	}
	close(b.all)
}

// missing says where the beat stopped.
func (b *beats) missing() (out []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range slices.Sorted(maps.Keys(b.at)) {
		if s := b.at[t]; s != passed {
			out = append(out, fmt.Sprintf("tenant %s: %s", t, s))
		}
	}
	return out
}

// A HeartbeatStatus is how the dead man's ping stands.
type HeartbeatStatus struct {
	// Every is how often it is sent, in seconds.
	Every float64 `json:"every"`
	// Passed is when a synthetic record last went all the way, Taken when the
	// service last took a ping that said so.
	Passed time.Time `json:"passed,omitzero"`
	Taken  time.Time `json:"taken,omitzero"`
	// Fault says why the latest ping said that something is wrong, or was not taken.
	Fault string `json:"fault,omitempty"`
}

// heartbeatStatus is nil where there is no dead man's ping.
func (d *Daemon) heartbeatStatus() *HeartbeatStatus {
	d.mu.RLock()
	h := d.config.Heartbeat
	d.mu.RUnlock()
	if h == nil {
		return nil
	}
	d.beats.mu.Lock()
	defer d.beats.mu.Unlock()
	s := d.beats.last
	s.Every = h.Interval().Seconds()
	return &s
}

// noHeartbeat is what status says where there is none.
const noHeartbeat = "no dead man's ping is configured: if this machine dies nobody is told (heartbeat: in glassward.yaml)"

// keepBeating sends the dead man's ping until ctx ends, by the configuration as it is
// at each.
func (d *Daemon) keepBeating(ctx context.Context) {
	l := d.recallLasting(ctx, "", "installation/heartbeat")
	failed := 0
	for n := 1; ; n++ {
		d.mu.RLock()
		h := d.config.Heartbeat
		d.mu.RUnlock()
		if h == nil {
			l.ends(ctx, "ping", "No dead man's ping is sent any more")
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Minute): // a reload may bring one
			}
			continue
		}
		next := time.After(h.Interval())
		if out, sent := d.beat(ctx, *h, n); sent {
			if failed++; out.Verdict == notify.Accepted {
				failed = 0
			}
			switch {
			case failed == 0:
				l.ends(ctx, "ping", "The dead man's ping is taken again")
			case failed >= pingsFailed:
				l.begins(ctx, "ping", incident.Health{
					Cause: "heartbeat", Subject: "heartbeat", Title: "The dead man's ping is not taken",
					Detail: fmt.Sprintf("%d in a row were not; the latest answer: %s", failed, out.Answer),
				})
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-next:
		}
	}
}

// beat sends a record through every workspace, and the ping when it has come out
// everywhere, or when most of the interval is over. It says what became of the ping,
// and false if the daemon ended meanwhile.
func (d *Daemon) beat(ctx context.Context, h notify.Heartbeat, n int) (notify.Outcome, bool) {
	began := d.now()
	id := fmt.Sprintf("%s/%d", d.started.UTC().Format(time.RFC3339Nano), n)
	list := d.open()
	var tenants []string
	for _, w := range list {
		tenants = append(tenants, w.tenantID())
	}
	through := d.beats.begin(id, tenants)
	within, cancel := context.WithTimeout(ctx, h.Interval()*4/5)
	defer cancel()
	var writing sync.WaitGroup
	for _, w := range list {
		writing.Go(func() {
			if err := w.writeBeat(within, id); err != nil && within.Err() == nil {
				w.log.Warn("the heartbeat's record was not taken in", "error", err)
			}
		})
	}
	select {
	case <-through:
	case <-within.Done():
	}
	wrong := d.beats.missing()
	wrong = append(wrong, d.unwell()...)
	if len(list) == 0 {
		wrong = append(wrong, "no tenant is watched")
	}
	if ctx.Err() != nil {
		writing.Wait()
		return notify.Outcome{}, false
	}
	pinger, err := notify.NewPinger(h, d.o.Network.receivers())
	var out notify.Outcome
	if err == nil {
		out = pinger.Ping(ctx, len(wrong) == 0, d.beatText(ctx, began, wrong))
	} else {
		out = notify.Outcome{Verdict: notify.Mend, Answer: err.Error()}
	}
	d.beats.mu.Lock()
	s := &d.beats.last
	s.Fault = strings.Join(wrong, "; ")
	if len(wrong) == 0 {
		s.Passed = d.now()
	}
	switch {
	case out.Verdict != notify.Accepted:
		s.Fault = cmp.Or(s.Fault, "the ping was not taken: "+out.Answer)
	case len(wrong) == 0:
		s.Taken = d.now()
	}
	d.beats.mu.Unlock()
	if len(wrong) > 0 {
		d.log.Warn("the heartbeat did not come through", "wrong", wrong)
	}
	writing.Wait()
	return out, ctx.Err() == nil
}

// writeBeat takes a beat's record in as whatever a road brings.
func (w *workspace) writeBeat(ctx context.Context, id string) error {
	t, ok := schema.Lookup(heartbeatTable)
	if !ok {
		return errors.New("there is no table " + heartbeatTable)
	}
	sum := sha256.Sum256([]byte(heartbeatTable + "\n" + w.tenantID() + "\n" + id))
	r := ownRecordOf(t, glassward.RecordID(sum[:16]), w.d.now().UTC(), map[string]any{"Beat": id})
	// Which comes first, the word that it is durable or the rules' verdict, does not
	// matter: a later station includes the earlier.
	_, err := w.append(ctx, []glassward.Record{r}, nil)
	if err == nil {
		w.d.beats.reach(id, w.tenantID(), notJudged)
	}
	return err
}

// beatNotices makes notices of what the heartbeat's rule found. They are committed
// with its watermark, and end at the courier.
func (w *workspace) beatNotices(changes []rule.Change) (out []glassward.Notice) {
	tenant := w.tenantID()
	for _, c := range changes {
		for _, row := range c.Alert.Rows {
			if len(row) != 1 {
				continue
			}
			sum := sha256.Sum256([]byte(notify.Beat + "\n" + tenant + "\n" + row[0]))
			out = append(out, glassward.Notice{
				ID: glassward.NoticeID(hex.EncodeToString(sum[:16])), Tenant: tenant, Kind: notify.Beat, Subject: row[0], Created: w.d.now().UTC(),
			})
			w.d.beats.reach(row[0], tenant, notTaken)
		}
	}
	return out
}

// takeBeat is the end of a beat's way: the courier has it.
func (d *Daemon) takeBeat(ctx context.Context, j notify.Job) error {
	if err := d.state.Drop(ctx, j.Notice.ID); err != nil {
		return err
	}
	d.beats.reach(j.Notice.Subject, j.Notice.Tenant, passed)
	return nil
}

// unwell says what else keeps alarms from people: a tenant that is not watched, and
// receivers of which none takes anything.
func (d *Daemon) unwell() (out []string) {
	d.mu.RLock()
	for id := range d.shut {
		out = append(out, fmt.Sprintf("tenant %s: not watched, its event store cannot be opened", id))
	}
	d.mu.RUnlock()
	slices.Sort(out)
	receivers := d.courier.Status()
	if len(receivers) > 0 && !slices.ContainsFunc(receivers, func(r notify.ReceiverStatus) bool { return r.FailingSince.IsZero() }) {
		out = append(out, "no receiver takes notices")
	}
	return out
}

// beatText is what the service keeps of a ping: the journal's head above all, so that
// it lies outside of this host.
func (d *Daemon) beatText(ctx context.Context, began time.Time, wrong []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "glassward %s\n", d.o.Version)
	if head, err := d.state.Head(ctx); err != nil {
		fmt.Fprintf(&b, "journal: cannot be read: %v\n", err)
	} else {
		fmt.Fprintf(&b, "journal: %d %s\n", head.Seq, head.Hash)
	}
	if owed, err := d.state.Owed(ctx); err == nil {
		fmt.Fprintf(&b, "owed: %d\n", owed)
	}
	fmt.Fprintf(&b, "took: %s\n", d.now().Sub(began).Round(time.Millisecond))
	for _, w := range wrong {
		fmt.Fprintf(&b, "wrong: %s\n", w)
	}
	return b.String()
}
