package daemon

import (
	"context"
	"time"

	"glassward/incident"
	"glassward/notify"
)

const (
	// callEvery is how often the daemon looks whom to call without knowing of
	// anybody, callAtMost how often at most.
	callEvery  = 5 * time.Second
	callAtMost = 100 * time.Millisecond
)

// call calls the next of each ladder as time passes, until ctx ends. What is owed
// is decided from the control store alone, so that it does not matter when this
// begins or how often it is interrupted.
func (d *Daemon) call(ctx context.Context) {
	for {
		changes, next, err := d.desk.Call(ctx)
		if err != nil && ctx.Err() == nil {
			// It is tried again for ever; whoever opened the store alarms on
			// one that cannot be written.
			d.log.Error("call people", "error", err)
		}
		if len(changes.Notices) > 0 {
			d.courier.Wake()
		}
		wait := callEvery
		if !next.IsZero() && err == nil {
			wait = min(wait, max(next.Sub(d.now()), callAtMost))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// ladders gives the ladders of the action groups, by name.
func ladders(c notify.Config) map[string]incident.Ladder {
	out := map[string]incident.Ladder{}
	for _, g := range c.ActionGroups {
		if g.Ladder == nil {
			continue
		}
		l := incident.Ladder{From: g.Ladder.Severity(), Repeat: g.Ladder.Repeat}
		for _, s := range g.Ladder.Steps {
			l.Steps = append(l.Steps, incident.Rung{After: s.After, Receivers: s.Receivers})
		}
		out[g.Name] = l
	}
	return out
}

// limits gives how many alarms the action groups are told one by one, by name.
func limits(c notify.Config) map[string]incident.Limits {
	out := map[string]incident.Limits{}
	for _, g := range c.ActionGroups {
		out[g.Name] = incident.Limits{Storm: g.Storm, Day: g.DailyLimit}
	}
	return out
}
