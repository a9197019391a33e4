package limit_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"glassward/console/limit"
)

// after gives when a refused request may come again, -1 if it was not refused.
func after(t *testing.T, err error, reason limit.Reason) time.Duration {
	t.Helper()
	var r *limit.Refusal
	if err == nil {
		return -1
	}
	if !errors.As(err, &r) || r.Reason != reason {
		t.Fatalf("refused by %v, want %s", err, reason)
	}
	return r.After
}

func TestRequestsAreCountedByCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := map[string]int{}
		b := limit.New(limit.Options{Refused: func(route, who string, r limit.Reason) { told[route+" "+who+" "+string(r)]++ }})
		for i := range 200 {
			if err := b.Request("/q", "grafana"); err != nil {
				t.Fatalf("request %d: %v", i, err)
			}
		}
		if got := after(t, b.Request("/q", "grafana"), limit.Requests); got != 150*time.Millisecond {
			t.Errorf("may come again after %s, want a 200th of 30 s", got)
		}
		if err := b.Request("/q", "kim"); err != nil {
			t.Errorf("another is refused: %v", err)
		}
		time.Sleep(150 * time.Millisecond)
		if err := b.Request("/q", "grafana"); err != nil {
			t.Errorf("when it may: %v", err)
		}
		if got := after(t, b.Request("/q", "grafana"), limit.Requests); got <= 0 {
			t.Errorf("a second one comes through")
		}
		if told["/q grafana requests"] != 2 {
			t.Errorf("told: %v", told)
		}
	})
}

// A body that goes beyond is taken whole, and what it is beyond has to pass first.
func TestBytesAreOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limit.New(limit.Options{Of: func(string) limit.Limits { return limit.Limits{Bytes: 60_000} }})
		push := func() error { return b.Push("/i", "fwd") }
		if err := push(); err != nil {
			t.Fatal(err)
		}
		b.Charge("fwd", 130_000)
		if got := after(t, push(), limit.Ingest); got.Round(time.Second) != 70*time.Second {
			t.Errorf("may come again after %s, want 70 s", got)
		}
		time.Sleep(69 * time.Second)
		if push() == nil {
			t.Error("it is taken while something is owed")
		}
		time.Sleep(2 * time.Second)
		if err := push(); err != nil {
			t.Errorf("when nothing is owed: %v", err)
		}
		if err := b.Push("/i", "other"); err != nil {
			t.Error(err)
		}
	})
}

// Limits that change count at once, and forgive nothing.
func TestLimitsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 10
		b := limit.New(limit.Options{Of: func(string) limit.Limits { return limit.Limits{Requests: n} }})
		for range 10 {
			if err := b.Request("/", "x"); err != nil {
				t.Fatal(err)
			}
		}
		n = 12
		for range 2 {
			if err := b.Request("/", "x"); err != nil {
				t.Errorf("two more are allowed: %v", err)
			}
		}
		if b.Request("/", "x") == nil {
			t.Error("a change gave everything back")
		}
		if l := b.Limits("x"); l.Requests != 12 || l.Queries != limit.Defaults.Queries {
			t.Errorf("%+v", l)
		}
	})
}

// However many addresses somebody has, they take no more memory, and who shares no
// account with them is not concerned.
func TestStrangersTakeNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limit.New(limit.Options{})
		for range 120 {
			if err := b.Stranger("/", "203.0.113.9:4000"); err != nil {
				t.Fatal(err)
			}
		}
		if got := after(t, b.Stranger("/", "203.0.113.9:4001"), limit.Address); got != 250*time.Millisecond {
			t.Errorf("may come again after %s", got)
		}
		// One customer's network of IPv6 is one.
		for i := range 120 {
			if err := b.Stranger("/", fmt.Sprintf("[2001:db8::%x]:1", i)); err != nil {
				t.Fatal(err)
			}
		}
		after(t, b.Stranger("/", "[2001:db8::ffff:1]:1"), limit.Address)
		time.Sleep(time.Minute)
		if err := b.Stranger("/", "203.0.113.9:4000"); err != nil {
			t.Errorf("a minute later: %v", err)
		}
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range 300_000 {
			_ = b.Stranger("/", fmt.Sprintf("[%x:%x::1]:1", 0x2002+i>>16, i&0xffff))
		}
		runtime.GC()
		runtime.ReadMemStats(&now)
		if grown := int64(now.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
			t.Errorf("300,000 addresses take %d bytes", grown)
		}
	})
}

// enter begins a request and waits for its query's place.
func enter(ctx context.Context, b *limit.Book, who string) (leave func(), err error) {
	end, err := b.Begin(ctx, "/q", who)
	if err != nil {
		return nil, err
	}
	place, err := b.Enter(ctx, "/q", who, "ws")
	if err != nil {
		end()
		return nil, err
	}
	return func() { place(); end() }, nil
}

// Who reads slowly has so many answers lie here as he may have queries at once, and keeps no
// place that another's query could have.
func TestSlowReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limit.New(limit.Options{Places: 2, Of: func(string) limit.Limits { return limit.Limits{Queries: 3} }})
		for range 3 {
			if _, err := b.Begin(t.Context(), "/q", "slow"); err != nil {
				t.Fatal(err)
			}
			leave, err := b.Enter(t.Context(), "/q", "slow", "ws")
			if err != nil {
				t.Fatal(err)
			}
			leave() // it is written, and not read
		}
		if _, err := b.Begin(t.Context(), "/q", "slow"); err == nil {
			t.Error("a fourth answer was begun while three are not read")
		} else {
			after(t, err, limit.Queries)
		}
		leave, err := enter(t.Context(), b, "kim")
		if err != nil {
			t.Fatal(err)
		}
		leave()
	})
}

// One token's flood makes no other token wait.
func TestAFloodWaitsForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limit.New(limit.Options{Places: 3})
		var mu sync.Mutex
		working, most := map[string]int{}, map[string]int{}
		refused := map[string]int{}
		query := func(who string, takes time.Duration) (waited time.Duration) {
			began := time.Now()
			leave, err := enter(t.Context(), b, who)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				after(t, err, limit.Queries)
				refused[who]++
				return time.Since(began)
			}
			waited = time.Since(began)
			working[who]++
			working[""]++
			for _, w := range []string{who, ""} {
				most[w] = max(most[w], working[w])
			}
			mu.Unlock()
			time.Sleep(takes)
			mu.Lock()
			working[who]--
			working[""]--
			leave()
			return waited
		}
		var all sync.WaitGroup
		for range 300 {
			all.Go(func() { query("flood", time.Minute) })
		}
		synctest.Wait()
		if waited := query("kim", time.Second); waited != 0 {
			t.Errorf("another token's query waited %s", waited)
		}
		// Another that comes while all places are taken waits for the first that ends.
		all.Go(func() { query("kim", 5*time.Second) })
		synctest.Wait()
		if waited := query("pat", time.Second); waited != 5*time.Second {
			t.Errorf("a third one waited %s, want until the second had done", waited)
		}
		all.Wait()
		if most["flood"] != 2 || most[""] != 3 {
			t.Errorf("at most %d of the flood and %d of all were worked on", most["flood"], most[""])
		}
		// 205 go in, of which two a minute for three minutes are worked on; the rest
		// waited too long.
		if refused["flood"] < 95 || refused["flood"] > 300-6 || refused["kim"]+refused["pat"] > 0 {
			t.Errorf("refused: %v", refused)
		}
	})
}

// A caller that goes away while it waits leaves nothing behind.
func TestWhoGoesAwayLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limit.New(limit.Options{Places: 2, Of: func(string) limit.Limits { return limit.Limits{Queries: 1, Waiting: 1} }})
		leave, err := enter(t.Context(), b, "kim")
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			go func() {
				_, err := enter(ctx, b, "kim")
				done <- err
			}()
			synctest.Wait()
			stop()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("who goes away is told %v", err)
			}
		}
		leave()
		for range 5 {
			leave, err := enter(t.Context(), b, "kim")
			if err != nil {
				t.Fatal(err)
			}
			leave()
		}
		// The owner's queries are not counted.
		if leave, err = enter(t.Context(), b, limit.Unbounded); err != nil {
			t.Fatal(err)
		}
		leave()
	})
}
