package daemon

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"glassward/config"
	"glassward/console/limit"
	"glassward/incident"
)

// limitsOf gives what a token may ask, by the configuration as it is now.
func (d *Daemon) limitsOf(token string) limit.Limits {
	d.mu.RLock()
	c := d.config.Limits
	d.mu.RUnlock()
	all := limitsFrom(c.Limit)
	all.Strangers = c.Strangers
	return limitsFrom(c.Tokens[token]).Or(all)
}

func limitsFrom(l config.Limit) limit.Limits {
	return limit.Limits{Requests: l.Requests, Pushes: l.Pushes, Queries: l.Queries, Waiting: l.Waiting, Patience: time.Duration(l.Patience), Bytes: int64(l.Ingest), Body: int64(l.Body)}
}

// overruns are the requests that were refused for being over a limit.
type overruns struct {
	once    sync.Once
	refused *prometheus.CounterVec

	mu      sync.Mutex
	pushers map[string]limit.Reason // whose records were refused since the last look
}

// counter counts what was refused, by the path of the route and the reason.
func (o *overruns) counter() *prometheus.CounterVec {
	o.once.Do(func() {
		o.refused = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "glassward_requests_refused_total", Help: "Requests that were refused for being over a limit, by route and limit."}, []string{"route", "reason"})
	})
	return o.refused
}

// maxPushers bounds how many refused tokens are remembered between two looks.
const maxPushers = 1000

// refused notes a request that is over a limit.
func (d *Daemon) refused(route, token string, reason limit.Reason) {
	d.over.counter().WithLabelValues(route, string(reason)).Inc()
	if reason != limit.Ingest && reason != limit.Pushes {
		return
	}
	d.over.mu.Lock()
	defer d.over.mu.Unlock()
	if d.over.pushers == nil {
		d.over.pushers = map[string]limit.Reason{}
	}
	if len(d.over.pushers) < maxPushers {
		d.over.pushers[token] = reason
	}
}

const (
	// pushersEvery is how often it is looked who was refused, refusedLooks how often in a
	// row it takes until it is told.
	pushersEvery = time.Minute
	refusedLooks = 5
)

// watchPushers tells when records that are pushed are refused for minutes on end.
func (d *Daemon) watchPushers(ctx context.Context) {
	l := d.recallLasting(ctx, "", "installation/pushers")
	looks := map[string]int{}
	every := time.NewTicker(pushersEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		d.over.mu.Lock()
		now := d.over.pushers
		d.over.pushers = nil
		d.over.mu.Unlock()
		for token, reason := range now {
			if looks[token] = max(0, looks[token]) + 1; looks[token] >= refusedLooks {
				l.begins(ctx, token, incident.Health{
					Cause: "pusher-refused", Subject: token, Title: fmt.Sprintf("Records pushed with token %s are refused", token),
					Detail: fmt.Sprintf("For %d minutes on end it has pushed more than its limit of %s allows (glassward_requests_refused_total counts how often).", refusedLooks, reason),
				})
			}
		}
		// It is over when nothing was refused for as long.
		for token := range looks {
			if _, still := now[token]; still {
				continue
			}
			if looks[token] = min(0, looks[token]) - 1; looks[token] <= -refusedLooks {
				delete(looks, token)
			}
		}
		for token, h := range l.open {
			if _, watched := looks[token]; !watched && !d.justStarted(pushersEvery*(refusedLooks+1)) {
				l.ends(ctx, token, h.Title+" no longer")
			}
		}
	}
}

// justStarted says whether the daemon has not run for so long yet.
func (d *Daemon) justStarted(span time.Duration) bool { return d.now().Sub(d.started) < span }
