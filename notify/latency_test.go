package notify_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"glassward"
	"glassward/internal/mailsink"
	"glassward/notify"
	"glassward/state"
)

// pace measures one notice: from the call that commits it in the real control
// store until the mail server on loopback is about to receive the mail (DATA)
// and until it has accepted it.
func pace(tb testing.TB, rounds int) (data, accepted []time.Duration) {
	began := make(chan time.Time, 1)
	sink, err := mailsink.Listen("127.0.0.1:0", mailsink.Options{Began: func() { began <- time.Now() }})
	if err != nil {
		tb.Fatal(err)
	}
	defer sink.Close()
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	store, err := state.Open(ctx, tb.TempDir()+"/state", state.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	defer store.Close()
	fleet, err := notify.NewFleet(mailGroup(sink.Port(), "a"), notify.Network{})
	if err != nil {
		tb.Fatal(err)
	}
	c, err := notify.New(notify.Options{Outbox: store, Fleet: fleet})
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	for i := range rounds {
		start := time.Now()
		n := glassward.Notice{ID: glassward.NoticeID(fmt.Sprint("n", i)), Tenant: "t1", Group: "oncall", Kind: "test", Created: start}
		if err := store.PutNotice(ctx, n); err != nil {
			tb.Fatal(err)
		}
		c.Wake()
		data = append(data, (<-began).Sub(start))
		if _, err := sink.Wait(ctx, i+1); err != nil {
			tb.Fatal(err)
		}
		accepted = append(accepted, time.Since(start))
	}
	cancel()
	if err := <-done; err != nil {
		tb.Fatal(err)
	}
	slices.Sort(data)
	slices.Sort(accepted)
	return data, accepted
}

// TestPace holds the median from commit to DATA well below the design's 100 ms;
// BenchmarkPace prints the distribution.
func TestPace(t *testing.T) {
	data, _ := pace(t, 20)
	if median := data[len(data)/2]; median > 100*time.Millisecond {
		t.Errorf("median from commit to DATA is %s", median)
	}
}

// BenchmarkPace gives the milliseconds from commit to DATA and to acceptance.
func BenchmarkPace(b *testing.B) {
	data, accepted := pace(b, b.N)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(data[len(data)/2]), "data-p50-ms")
	b.ReportMetric(ms(data[len(data)*99/100]), "data-p99-ms")
	b.ReportMetric(ms(accepted[len(accepted)/2]), "accepted-p50-ms")
	b.ReportMetric(ms(accepted[len(accepted)*99/100]), "accepted-p99-ms")
}
