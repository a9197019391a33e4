package daemon

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward/config"
	"glassward/console/limit"
)

func TestLimitsOfATokenComeFirst(t *testing.T) {
	d, _, _ := bare(t)
	d.config = &config.Config{Limits: config.Limits{
		Limit: config.Limit{Requests: 50, Queries: 3}, Strangers: 10,
		Tokens: map[string]config.Limit{"grafana": {Requests: 1000, Ingest: 5}},
	}}
	if diff := cmp.Diff(limit.Limits{Requests: 1000, Queries: 3, Bytes: 5, Strangers: 10}, d.limitsOf("grafana")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(limit.Limits{Requests: 50, Queries: 3, Strangers: 10}, d.limitsOf("other")); diff != "" {
		t.Error(diff)
	}
}

// A pusher that is refused now and then is not told of, one that is for minutes on end
// is, once, and again when it is over.
func TestAPusherThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, _ := bare(t)
		d.started = time.Now()
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { d.watchPushers(ctx) })
		defer work.Wait()
		defer stop()
		minutes := func(n int, refused bool, want ...string) {
			t.Helper()
			for range n {
				if refused {
					d.refused("/v1/ingest", "forwarder", limit.Ingest)
					d.refused("/v1/workspaces/{workspace}/query", "grafana", limit.Queries)
					d.refused("/healthz", "", limit.Address)
				}
				time.Sleep(time.Minute)
			}
			synctest.Wait()
			if diff := cmp.Diff(want, ofInstallation(t, d)); diff != "" {
				t.Error(diff)
			}
		}
		time.Sleep(30 * time.Second) // between two looks
		minutes(4, true)
		minutes(1, false)
		minutes(4, true)
		minutes(1, true, "High Records pushed with token forwarder are refused: New")
		minutes(3, true, "High Records pushed with token forwarder are refused: New")
		minutes(4, false, "High Records pushed with token forwarder are refused: New")
		minutes(2, false, "High Records pushed with token forwarder are refused: Closed")
	})
}
