package state

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"glassward"
	"glassward/incident"
	"glassward/notify"
)

// BenchmarkOutbox has ten thousand deliveries wait for fifty webhooks, of which one
// takes the connection and never answers, and measures until the other forty-nine have
// theirs. Every attempt is durable. The reference is the same with fifty that answer.
func BenchmarkOutbox(b *testing.B) {
	var ours, reference time.Duration
	for b.Loop() {
		reference += outbox(b, false)
		ours += outbox(b, true)
	}
	fmt.Printf("9,800 deliveries to 49 receivers: %v beside one that hangs, %v beside one that answers: ratio %.2f\n",
		(ours / time.Duration(b.N)).Round(time.Millisecond), (reference / time.Duration(b.N)).Round(time.Millisecond), float64(ours)/float64(reference))
	b.ReportMetric(0, "ns/op")
}

// outbox gives how long it takes until forty-nine of fifty receivers have what waits
// for them. The fiftieth hangs or answers.
func outbox(b *testing.B, hangs bool) (took time.Duration) {
	const notices, receivers = 200, 50
	s := openStore(b, b.TempDir(), Options{})
	var mu sync.Mutex
	left := notices * (receivers - 1)
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/0" {
			if hangs {
				<-r.Context().Done()
			}
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if left--; left == 0 {
			close(done)
		}
	}))
	group := notify.ActionGroup{Name: "oncall"}
	var names []string
	for i := range receivers {
		name := fmt.Sprintf("hook-%02d", i)
		group.Webhook = append(group.Webhook, notify.WebhookReceiver{Name: name, ServiceURI: fmt.Sprintf("%s/%d", server.URL, i), AllowedNetworks: []string{"127.0.0.0/8"}})
		names = append(names, "oncall/"+name)
	}
	fleet, err := notify.NewFleet(notify.Config{ActionGroups: []notify.ActionGroup{group}}, notify.Network{})
	if err != nil {
		b.Fatal(err)
	}
	d := newDesk(b, s, rawRecords{}, time.Now)
	for n := range notices {
		o := outcome(n)
		a := &o.Alerts[0].Alert
		a.Start = night.Add(time.Duration(n) * time.Second)
		a.End, a.ID = a.Start, incident.AlertID("contoso", "ea-signin", "", fmt.Sprint(n))
		a.Records = []glassward.RecordID{{0: byte(n >> 8), 1: byte(n)}}
		a.Entities[1].Identifiers["Address"] = fmt.Sprintf("10.0.%d.%d", n>>8, n&255)
		for _, x := range take(b, d, o).Notices {
			if err := s.Route(b.Context(), x.ID, names); err != nil {
				b.Fatal(err)
			}
		}
	}
	c, err := notify.New(notify.Options{Outbox: s, Fleet: fleet, Grace: time.Millisecond})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan struct{})
	start := time.Now()
	go func() { defer close(ended); _ = c.Run(ctx) }()
	select {
	case <-done:
		took = time.Since(start)
	case <-time.After(10 * time.Minute):
		mu.Lock()
		b.Errorf("after ten minutes %d of %d deliveries are still waited for", left, notices*(receivers-1))
		mu.Unlock()
	}
	stop()
	<-ended
	server.CloseClientConnections()
	server.Close()
	return took
}
