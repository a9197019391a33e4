package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"glassward/incident"
	"glassward/rule"
	"glassward/state"
)

// lasting are faults that last, told once, over restarts: what is open stands in the
// control store. One goroutine uses it.
type lasting struct {
	d       *Daemon
	tenant  string
	subject string // of the memory
	open    map[string]incident.Health
}

// recallLasting reads what was open when the daemon ran last.
func (d *Daemon) recallLasting(ctx context.Context, tenant, subject string) *lasting {
	l := &lasting{d: d, tenant: tenant, subject: subject, open: map[string]incident.Health{}}
	text, err := d.state.Memory(ctx, subject)
	if err == nil {
		err = json.Unmarshal(text, &l.open)
	}
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		d.log.Warn("which faults were told is not known any more", "subject", subject, "error", err)
	}
	return l
}

// begins tells a fault, unless it is told already.
func (l *lasting) begins(ctx context.Context, key string, h incident.Health) {
	if _, known := l.open[key]; known {
		return
	}
	h.Since = l.d.now()
	l.open[key] = h
	l.d.tell(ctx, l.tenant, h)
	l.keep(ctx)
}

// ends tells that a fault is over, if it was told.
func (l *lasting) ends(ctx context.Context, key, title string) {
	h, known := l.open[key]
	if !known {
		return
	}
	delete(l.open, key)
	h.Over, h.Title, h.Detail = true, title, ""
	l.d.tell(ctx, l.tenant, h)
	l.keep(ctx)
}

func (l *lasting) keep(ctx context.Context) {
	text, err := json.Marshal(l.open)
	if err == nil {
		err = l.d.state.PutMemory(context.WithoutCancel(ctx), l.subject, text)
	}
	if err != nil {
		l.d.log.Warn("which faults were told could not be kept", "subject", l.subject, "error", err)
	}
}

// slowRuns is how many windows in a row have to take longer than the rule's
// frequency before it is an alarm.
const slowRuns = 3

// judgeSlow tells which rules take longer than their frequency.
func judgeSlow(ctx context.Context, l *lasting, states []rule.State) {
	there := map[string]bool{}
	for _, s := range states {
		there[s.ID] = s.Enabled
		switch {
		case s.Slow >= slowRuns:
			l.begins(ctx, s.ID, incident.Health{
				Cause: "rule-slow", Subject: s.ID, Title: fmt.Sprintf("Rule %q takes longer than its period", s.Name),
				Detail: fmt.Sprintf("It is judged every %s, and a window of it takes %s. Its alarms come later and later; nothing is left out.", s.Every, s.Took.Round(time.Millisecond)),
			})
		case s.Slow == 0 && s.Took > 0:
			l.ends(ctx, s.ID, fmt.Sprintf("Rule %q keeps up with its period again", s.Name))
		}
	}
	for id, h := range maps.Clone(l.open) {
		if !there[id] {
			l.ends(ctx, id, h.Title+": it is judged no longer")
		}
	}
}

const (
	// strainEvery is how often it is asked how many notices are owed.
	strainEvery = time.Minute
	// risesInRow is how often in a row their number has to have risen, and
	// manyOwed how high it has to be.
	risesInRow = 5
	manyOwed   = 100
)

// A growth sees a number rise.
type growth struct {
	last, rises int
}

// see takes the next reading, and says whether the number grows for long, or is
// small again.
func (g *growth) see(n int) (grows, small bool) {
	switch {
	case n > g.last:
		g.rises++
	case n < g.last:
		g.rises = 0
	}
	g.last = n
	return g.rises >= risesInRow && n >= manyOwed, n < manyOwed
}

// watchOutbox tells when more is owed than is taken.
func (d *Daemon) watchOutbox(ctx context.Context) {
	l := d.recallLasting(ctx, "", "installation/outbox")
	every := time.NewTicker(strainEvery)
	defer every.Stop()
	var g growth
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		owed, err := d.state.Owed(ctx)
		if err != nil {
			d.log.Warn("what is owed could not be counted; the next round tries again", "error", err)
			continue
		}
		switch grows, small := g.see(owed); {
		case grows:
			l.begins(ctx, "outbox", incident.Health{
				Cause: "outbox-growing", Subject: "outbox", Title: fmt.Sprintf("%d notices are owed, and more come than are taken", owed),
				Detail: fmt.Sprintf("The number has risen %d minutes on end.", g.rises),
			})
		case small:
			l.ends(ctx, "outbox", "The outbox is small again")
		}
	}
}
