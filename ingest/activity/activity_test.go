package activity

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"glassward/entra"
	"glassward/ingest"
)

// TestReads holds that everything listed is read once, whatever its order, that
// content listed late is found and counted as late, and that a blob that was
// young is read once more.
func TestReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, rep := newService(t), newStore(), &reports{}
		s.subs[AzureActiveDirectory] = "enabled"
		now := time.Now()
		for i := range 10 {
			// Equal times, of which a watermark would lose all but one.
			s.add(&content{id: fmt.Sprintf("old%d", i), created: now.Add(-30 * time.Hour), records: ids(fmt.Sprintf("o%d", i), 2)})
		}
		s.add(&content{id: "oldest", created: now.Add(-6*24*time.Hour - 23*time.Hour), records: ids("a", 3)})
		s.add(&content{id: "fresh", created: now.Add(-time.Minute), records: ids("f", 4), partial: 1})
		stop := start(t, s.source(Options{Observe: rep.observe}), st)
		s.pass(30 * time.Second)
		if len(st.ids) != 10*2+3+1 {
			t.Errorf("%d records after the first round", len(st.ids))
		}
		if p := rep.last(); p == nil || p.Records != 24 || p.Late != 0 || p.Backlog != -1 {
			t.Errorf("%+v", p)
		}
		s.add(&content{id: "next", created: time.Now(), records: ids("n", 2)})
		s.pass(2 * time.Minute)
		// Available for five hours and listed only now: beyond what each minute lists.
		s.add(&content{id: "late", created: time.Now().Add(-5 * time.Hour), listed: time.Now(), records: ids("l", 2)})
		s.pass(50 * time.Minute)
		if st.has("l-0000") {
			t.Error("the hourly look comes too often")
		}
		rep.faults()
		s.pass(13 * time.Minute)
		if !st.has("l-0001") || !st.has("n-0001") || !st.has("f-0003") {
			t.Error("a record is missing: late, next or completed")
		}
		late := 0
		for _, r := range rep.all {
			if r.Polled != nil {
				late += r.Polled.Late
			}
		}
		if late != 2 {
			t.Errorf("%d records count as late", late)
		}
		if s.fetched["fresh"] != 2 || s.fetched["old1"] != 1 || s.fetched["next"] < 1 {
			t.Errorf("read %v", s.fetched)
		}
		s.add(&content{id: "days late", created: time.Now().Add(-5 * 24 * time.Hour), listed: time.Now(), records: ids("d", 1)})
		s.pass(24 * time.Hour)
		if !st.has("d-0000") {
			t.Error("content listed five days late was not read")
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if got := rep.faults(); len(got) != 0 {
			t.Errorf("faults %v", got)
		}
		s.obeyed(t)
	})
}

// TestSubscriptions holds how a subscription is kept running: started at most
// each quarter of an hour; one that an administrator disabled only after that was
// told; and what lies between stop and start is told as lost.
func TestSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, rep := newService(t), newStore(), &reports{}
		s.auditOff = true
		stop := start(t, s.source(Options{Observe: rep.observe}), st)
		s.pass(40 * time.Minute)
		if n := len(s.starts); n < 2 || n > 3 {
			t.Errorf("%d starts in 40 minutes", n)
		}
		for _, f := range rep.faults() {
			if f.Kind != entra.FaultAuditOff {
				t.Errorf("while auditing is off: %v", f)
			}
		}
		s.auditOff = false
		s.pass(16 * time.Minute)
		if s.subs[AzureActiveDirectory] != "enabled" || rep.last() == nil {
			t.Error("the subscription was not started")
		}
		if holes := rep.holes(); len(holes) != 0 {
			t.Errorf("the first start left holes %v", holes)
		}
		rep.faults()

		// Somebody stops it with our credential.
		s.pass(30 * time.Minute)
		cut := time.Now()
		delete(s.subs, AzureActiveDirectory)
		s.pass(3 * time.Minute)
		if s.subs[AzureActiveDirectory] != "enabled" {
			t.Error("the subscription was not started again")
		}
		holes := rep.holes()
		if len(holes) != 1 || holes[0].From.After(cut) || cut.Sub(holes[0].From) > 3*time.Minute || !holes[0].To.After(cut) {
			t.Errorf("cut at %s, holes %+v", cut, holes)
		}
		if f := rep.faults(); len(f) == 0 || f[0].Kind != entra.FaultSubscription || !strings.Contains(f[0].Message, "credential") {
			t.Errorf("the stop was told as %v", f)
		}

		// An administrator disables it.
		s.pass(30 * time.Minute)
		starts := len(s.starts)
		s.subs[AzureActiveDirectory] = "disabled"
		s.pass(10 * time.Minute)
		f := rep.faults()
		if len(f) == 0 || f[0].Kind != entra.FaultSubscription || f[0].Code != "AF20023" {
			t.Errorf("disabled, told %v", f)
		}
		if len(s.starts) != starts {
			t.Error("what an administrator disabled was enabled at once")
		}
		// A restart of ours does not shorten it, and does not lengthen it.
		_ = stop()
		stop = start(t, s.source(Options{Observe: rep.observe}), st)
		s.pass(12 * time.Minute)
		if s.subs[AzureActiveDirectory] != "enabled" || len(s.starts) != starts+1 {
			t.Errorf("enabled %q after %d starts", s.subs[AzureActiveDirectory], len(s.starts)-starts)
		}
		if h := rep.holes(); len(h) != 1 {
			t.Errorf("holes %v", h)
		}
		_ = stop()
		s.obeyed(t)
	})
}

// TestAuditOffLater holds that auditing which is switched off while the
// subscription runs is found out, though the lists say nothing.
func TestAuditOffLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, rep := newService(t), newStore(), &reports{}
		s.subs[AzureActiveDirectory] = "enabled"
		stop := start(t, s.source(Options{Observe: rep.observe}), st)
		defer stop()
		s.pass(5 * time.Hour)
		if f := rep.faults(); len(f) != 0 || len(s.starts) != 0 {
			t.Errorf("%v after %d starts", f, len(s.starts))
		}
		s.auditOff = true
		s.pass(2 * time.Hour)
		f := rep.faults()
		if len(f) == 0 || f[0].Kind != entra.FaultAuditOff {
			t.Fatalf("told %v", f)
		}
		s.auditOff = false
		s.add(&content{id: "x", created: time.Now(), records: ids("x", 1)})
		s.pass(3 * time.Minute)
		rep.faults()
		s.pass(3 * time.Minute)
		if f := rep.faults(); len(f) != 0 || !st.has("x-0000") {
			t.Errorf("after it is on again: %v", f)
		}
		s.obeyed(t)
	})
}

// TestHoles holds what is told as lost: seven days without us, and content that
// expired or can never be read.
func TestHoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, rep := newService(t), newStore(), &reports{}
		s.subs[AzureActiveDirectory] = "enabled"
		src := s.source(Options{Observe: rep.observe})
		stop := start(t, src, st)
		s.pass(2 * time.Minute)
		_ = stop()
		away := time.Now()
		s.pass(9 * 24 * time.Hour)
		s.add(&content{id: "kept", created: time.Now().Add(-6 * 24 * time.Hour), records: ids("k", 2)})
		s.add(&content{id: "gone", created: time.Now().Add(-6 * 24 * time.Hour), status: 400, code: "AF20051"})
		broken := &content{id: "broken", created: time.Now().Add(-time.Hour), body: `[{"CreationTime":`}
		s.add(broken)
		s.add(&content{id: "failing", created: time.Now().Add(-time.Hour), status: 500, code: "AF50000"})
		s.add(&content{id: "after", created: time.Now().Add(-time.Minute), records: ids("after", 1)})
		stop = start(t, src, st)
		s.pass(3 * time.Minute)
		if !st.has("k-0001") || !st.has("after-0000") {
			t.Error("a blob that fails holds up the others")
		}
		holes := rep.holes()
		if len(holes) != 2 || holes[0].From.Before(away.Add(-2*time.Minute)) || holes[0].From.After(away) || holes[0].To.Sub(away).Round(time.Hour) != 48*time.Hour {
			t.Errorf("away since %s, holes %+v", away, holes)
		} else if !strings.Contains(holes[1].What, "expired") {
			t.Error(holes[1].What)
		}
		if p := rep.last(); p.Through.After(broken.created.Add(time.Second)) {
			t.Errorf("read through %s, while content of %s fails", p.Through, broken.created)
		}
		if f := rep.faults(); len(f) == 0 {
			t.Error("what fails is not told")
		}
		// It fails for a day, and through a restart.
		s.pass(12 * time.Hour)
		_ = stop()
		stop = start(t, src, st)
		s.pass(13 * time.Hour)
		var given []string
		for _, h := range rep.holes() {
			given = append(given, h.What)
		}
		if len(given) != 2 || !strings.Contains(given[0]+given[1], "broken") || !strings.Contains(given[0]+given[1], "failing") {
			t.Errorf("given up: %q", given)
		}
		rep.faults()
		s.pass(5 * time.Minute)
		if f := rep.faults(); len(f) != 0 {
			t.Errorf("still told: %v", f)
		}
		_ = stop()
		s.obeyed(t)
	})
}

// TestManyFail holds that content which the service fails to give, however much of
// it there is, holds up nothing that is new, is told, and is not asked for every
// minute.
func TestManyFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, rep := newService(t), newStore(), &reports{}
		s.subs[AzureActiveDirectory] = "enabled"
		for i := range 7 {
			s.add(&content{id: fmt.Sprint("bad", i), created: time.Now().Add(-time.Hour), status: 500, code: "AF50000"})
		}
		defer start(t, s.source(Options{Observe: rep.observe}), st)()
		s.pass(time.Hour)
		s.add(&content{id: "new", created: time.Now(), records: ids("new", 1)})
		s.pass(3 * time.Minute)
		if !st.has("new-0000") {
			t.Error("what fails holds up what is new")
		}
		if len(rep.faults()) == 0 {
			t.Error("what fails is not told")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for i := range 7 {
			if n := s.fetched[fmt.Sprint("bad", i)]; n < 4 || n > 25 {
				t.Errorf("content %d was asked for %d times in an hour", i, n)
			}
		}
	})
}

// TestTrouble holds that a refusal says what it is, is tried again by itself, and
// that throttling, which comes as 403, is not taken for lost consent.
func TestTrouble(t *testing.T) {
	for _, x := range []struct {
		name, body string
		status     int
		kind       entra.FaultKind
	}{
		{"throttled", `{"error":{"code":"AF429","message":"Too many requests"}}`, 403, entra.FaultThrottled},
		{"consent", `{"error":{"code":"AF10001","message":"The permission set () sent in the request did not include the expected permission."}}`, 403, entra.FaultConsent},
		{"outage", `{}`, 503, entra.FaultOutage},
		{"a page for people", `<html><title>Sign in</title></html>`, 200, entra.FaultContent},
		{"an object", `{"value":[]}`, 200, entra.FaultContent},
		{"cut", `[{"contentId":"a"`, 200, entra.FaultContent},
		{"an entry without an address", `[{"contentId":"a"}]`, 200, entra.FaultContent},
	} {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, st, rep := newService(t), newStore(), &reports{}
				s.subs[AzureActiveDirectory] = "enabled"
				s.trouble = func(r *http.Request) (int, string) {
					if strings.HasSuffix(r.URL.Path, "/subscriptions/content") {
						return x.status, x.body
					}
					return 0, ""
				}
				s.add(&content{id: "x", created: time.Now(), records: ids("x", 1)})
				stop := start(t, s.source(Options{Observe: rep.observe}), st)
				defer stop()
				s.pass(5 * time.Minute)
				if rep.last() != nil {
					t.Error("the stream counts as read")
				}
				f := rep.faults()
				if len(f) == 0 || f[0].Kind != x.kind {
					t.Errorf("told %v, want %s", f, x.kind)
				}
				if len(f) > 8 {
					t.Errorf("tried %d times in five minutes", len(f))
				}
				s.mu.Lock()
				s.trouble = nil
				s.mu.Unlock()
				s.pass(6 * time.Minute)
				if !st.has("x-0000") {
					t.Error("it was not tried again")
				}
				s.obeyed(t)
			})
		})
	}
}

// TestLinks holds that a list is followed only within our tenant's feed and never
// in a circle: the token would go along.
func TestLinks(t *testing.T) {
	for name, link := range map[string]func(u *url.URL, page int) (string, string){
		"itself": func(u *url.URL, page int) (string, string) {
			return "NextPageUri", root + feed + "subscriptions/content?nextPage=0"
		},
		"another host": func(u *url.URL, page int) (string, string) {
			v := *u
			v.Host = "evil.example"
			return "NextPageUri", v.String()
		},
		"another port": func(u *url.URL, page int) (string, string) {
			v := *u
			v.Host += ":8443"
			return "NextPageUri", v.String()
		},
		"without TLS": func(u *url.URL, page int) (string, string) {
			v := *u
			v.Scheme = "http"
			return "NextPageUri", v.String()
		},
		"another tenant": func(u *url.URL, page int) (string, string) {
			return "NextPageUri", strings.Replace(u.String(), tenant, "11111111-0000-4000-8000-000000000000", 1)
		},
		"another path": func(u *url.URL, page int) (string, string) {
			return "NextPageUri", root + "/api/v1.0/" + tenant + "/other/feed/x"
		},
		"out of it":  func(u *url.URL, page int) (string, string) { return "NextPageUri", root + feed + "../../../../x" },
		"no address": func(u *url.URL, page int) (string, string) { return "NextPageUri", "https://%zz" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, st, rep := newService(t), newStore(), &reports{}
				s.subs[AzureActiveDirectory] = "enabled"
				s.link = link
				for i := range 7 {
					s.add(&content{id: fmt.Sprint("b", i), created: time.Now().Add(-time.Minute), records: ids("x", 1)})
				}
				stop := start(t, s.source(Options{Observe: rep.observe}), st)
				defer stop()
				s.pass(3 * time.Minute)
				if rep.last() != nil {
					t.Error("half a list counts as read")
				}
				if f := rep.faults(); len(f) == 0 {
					t.Error("nothing was told")
				}
				for _, w := range s.wrong {
					if strings.Contains(w, "outside") {
						t.Error(w)
					}
				}
			})
		})
	}
}

// TestClocks holds that windows are right by the service's clock, whatever ours
// says.
func TestClocks(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, time.Hour, -3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s, st, rep := newService(t), newStore(), &reports{}
			s.skew = skew
			s.subs[AzureActiveDirectory] = "enabled"
			s.add(&content{id: "x", created: s.now().Add(-30 * time.Second), records: ids("x", 1)})
			stop := start(t, s.source(Options{Observe: rep.observe}), st)
			s.pass(26 * time.Hour)
			_ = stop()
			if !st.has("x-0000") {
				t.Errorf("skew %s: the record is missing", skew)
			}
			if p := rep.last(); p == nil || (p.Offset-skew).Abs() > time.Second {
				t.Errorf("skew %s: %+v", skew, p)
			}
			s.obeyed(t)
		})
	}
}

// TestForeignRecords holds that a record of another tenant is refused and kept as
// a reject.
func TestForeignRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newService(t), newStore()
		s.subs[AzureActiveDirectory] = "enabled"
		s.add(&content{id: "x", created: time.Now(), records: ids("x", 2), tenant: "11111111-0000-4000-8000-000000000000"})
		stop := start(t, s.source(Options{}), st)
		s.pass(3 * time.Minute)
		_ = stop()
		if len(st.ids) != 0 || st.rejects != 2 {
			t.Errorf("%d records, %d rejects", len(st.ids), st.rejects)
		}
	})
}

// TestEmitFails holds that Run ends with the first error of emit, and that
// nothing is done that was not committed.
func TestEmitFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newService(t), newStore()
		s.subs[AzureActiveDirectory], s.subs[General] = "enabled", "enabled"
		s.add(&content{id: "x", created: time.Now(), records: ids("x", 2)})
		full := errors.New("the disk is full")
		st.fail = func(int) (error, error) { return full, nil }
		src := s.source(Options{Contents: []string{AzureActiveDirectory, General}})
		if err := src.Run(context.Background(), st, st.emit); !errors.Is(err, full) {
			t.Errorf("Run gives %v", err)
		}
		if len(st.cursors) != 0 {
			t.Error("a cursor was kept")
		}
		st.fail = nil
		s.pass(time.Minute)
		stop := start(t, src, st)
		s.pass(2 * time.Minute)
		_ = stop()
		if !st.has("x-0001") || len(st.cursors) != 2 {
			t.Errorf("cursors %d", len(st.cursors))
		}
	})
}

// TestMain has the property tried often enough for every day; -rapid.checks says
// otherwise.
func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if !asked {
		if err := flag.Set("rapid.checks", "4"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestNothingLost is the property of the road: whatever fails, however often we
// are stopped, everything that the service listed is held after a while, once.
func TestNothingLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		synctest.Test(t, func(t *testing.T) {
			r := newDice(seed)
			s, st, rep := newService(t), newStore(), &reports{}
			s.subs[AzureActiveDirectory], s.subs[General] = "enabled", "enabled"
			s.skew = time.Duration(r.IntN(3)-1) * 10 * time.Minute
			s.perPage = 1 + r.IntN(5)
			s.trouble = func(q *http.Request) (int, string) {
				switch {
				case strings.HasSuffix(q.URL.Path, "/start"):
				case chance(r, 4):
					return 403, `{"error":{"code":"AF429","message":"m"}}`
				case chance(r, 4):
					return []int{500, 502, 503}[r.IntN(3)], `<html>`
				case chance(r, 2):
					return 200, `[{"contentId":"a","contentUri":`
				}
				return 0, ""
			}
			crash := errors.New("killed")
			st.fail = func(int) (error, error) {
				switch {
				case chance(r, 3):
					return crash, nil
				case chance(r, 3):
					return nil, crash
				}
				return nil, nil
			}
			src := s.source(Options{Contents: []string{AzureActiveDirectory, General}, Observe: rep.observe})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() {
				defer close(done)
				for ctx.Err() == nil {
					life, end := context.WithTimeout(ctx, time.Duration(r.IntN(90)+1)*time.Minute)
					_ = src.Run(life, st, st.emit)
					end()
					select {
					case <-ctx.Done():
					case <-time.After(time.Duration(r.IntN(600)) * time.Second):
					}
				}
			}()
			var want []string
			for i := range 40 {
				c := &content{id: fmt.Sprint("blob", i), created: s.now().Truncate(time.Millisecond), records: ids(fmt.Sprint("r", i), 1+r.IntN(4))}
				if chance(r, 40) {
					c.kind = General
				}
				if chance(r, 20) {
					c.listed = c.created.Add(time.Duration(r.IntN(20*60)) * time.Minute)
				}
				if chance(r, 20) {
					c.partial = 1
				}
				if chance(r, 10) && len(want) > 0 {
					c.records = append(c.records, want[0]) // repeated by design
				}
				want = append(want, c.records...)
				s.add(c)
				s.pass(time.Duration(r.IntN(40)) * time.Minute)
			}
			s.pass(28 * time.Hour)
			cancel()
			<-done
			slices.Sort(want)
			want = slices.Compact(want)
			for _, id := range want {
				if !st.has(id) {
					t.Errorf("%s is missing", id)
				}
			}
			if len(st.ids) != len(want) {
				t.Errorf("%d records are held, %d were listed", len(st.ids), len(want))
			}
			if h := rep.holes(); len(h) != 0 {
				t.Errorf("holes %v", h)
			}
			s.obeyed(t)
		})
	})
}

// TestPositionBounded holds that what is done is forgotten after ten days, and
// that its size is bounded.
func TestPositionBounded(t *testing.T) {
	p := newPosition()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for day := range 30 {
		for i := range 100 {
			p.finish(keyOf(fmt.Sprint(day, "/", i)), at.Add(time.Duration(day)*24*time.Hour), i == 0)
		}
		p.prune(at.Add(time.Duration(day) * 24 * time.Hour))
	}
	if len(p.days) != 11 || len(p.done) != 1100 || len(p.young) != 11 {
		t.Errorf("%d days, %d done, %d young", len(p.days), len(p.done), len(p.young))
	}
	if n := len(p.text()); n > 1100*11+1000 {
		t.Errorf("%d bytes", n)
	}
	for i := range maxDone + 1 {
		p.finish(key(i), at.Add(29*24*time.Hour), false)
	}
	p.prune(at.Add(29 * 24 * time.Hour))
	if len(p.done) > maxDone {
		t.Errorf("%d done", len(p.done))
	}
}

// FuzzPosition holds that no cursor harms, and that what can be read is written
// and read again as it was.
func FuzzPosition(f *testing.F) {
	p := newPosition()
	p.finish(keyOf("a"), time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), true)
	p.finish(keyOf("b"), time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC), false)
	p.Through = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	p.failing[7] = failing{Key: 7, Since: p.Through, Tries: 2}
	f.Add(p.text())
	f.Add([]byte(`{"v":2}`))
	f.Add([]byte(`{"v":1,"done":{"2026-11-20":"AAAA"}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := readPosition(text)
		if err != nil {
			return
		}
		again, err := readPosition(p.text())
		if err != nil {
			t.Fatalf("%s: %v", p.text(), err)
		}
		if a, b := string(p.text()), string(again.text()); a != b {
			t.Errorf("%s\n%s", a, b)
		}
		again.prune(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	})
}

// FuzzAnswers holds that no answer harms: a list or content is read whole, or it
// is a fault.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`[{"contentId":"a","contentUri":"https://manage.example`+feed+`audit/a","contentCreated":"2000-01-01T00:00:00Z"}]`), []byte(recordsOf([]string{"a"}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "")), "")
	f.Add([]byte(`[]`), []byte(`[]`), root+feed+"subscriptions/content?nextPage=1")
	f.Add([]byte("\xef\xbb\xbf[{}]"), []byte(`[1]`), "//x")
	f.Fuzz(func(t *testing.T, list, body []byte, link string) {
		synctest.Test(t, func(t *testing.T) {
			s, st, rep := newService(t), newStore(), &reports{}
			pages := 0
			transport := roundTrip(func(r *http.Request) *http.Response {
				answer := list
				h := http.Header{"Content-Type": {"application/json"}}
				switch {
				case strings.HasSuffix(r.URL.Path, "/subscriptions/list"):
					answer = []byte(`[{"contentType":"Audit.AzureActiveDirectory","status":"enabled"}]`)
				case !strings.HasSuffix(r.URL.Path, "/subscriptions/content"):
					answer = body
				case pages < 3:
					pages++
					h.Set("NextPageUri", link)
				}
				if r.URL.Host != "manage.example" || !strings.HasPrefix(r.URL.Path, "/api/v1") {
					t.Errorf("asked %s", r.URL)
				}
				return response(200, h, answer)
			})
			src := s.source(Options{Observe: rep.observe})
			cloud, _ := entra.LookupCloud("")
			cloud.Activity = root
			src.client = entra.NewClient(entra.ClientOptions{Service: entra.Activity, Cloud: cloud, HTTP: &http.Client{Transport: transport}})
			stop := start(t, src, st)
			s.pass(5 * time.Minute)
			_ = stop()
			if len(rep.all) == 0 {
				t.Error("nothing is said of it")
			}
		})
	})
}

// TestOptions holds what New refuses.
func TestOptions(t *testing.T) {
	cloud, _ := entra.LookupCloud("")
	c := entra.NewClient(entra.ClientOptions{Service: entra.Activity, Cloud: cloud})
	for want, o := range map[string]Options{
		"GUID":             {Tenant: "contoso.example", Client: c},
		"needs a client":   {Tenant: tenant},
		"no content type":  {Tenant: tenant, Client: c, Contents: []string{"Audit.Nothing"}},
		"named twice":      {Tenant: tenant, Client: c, Contents: []string{General, General}},
		"publisher \"me\"": {Tenant: tenant, Client: c, Publisher: "me"},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v gives %v", o, err)
		}
	}
	src, err := New(Options{Tenant: strings.ToUpper(tenant), Client: c})
	if err != nil || src.Name() != "activity:"+tenant || !slices.Equal(src.o.Contents, Usual()) {
		t.Errorf("%v %v", src, err)
	}
	if !slices.Contains(Missing("SigninLogs"), "ConditionalAccessStatus") || Missing("OfficeActivity") != nil {
		t.Error("what is missing")
	}
}

// TestCursorOfAnother holds that a cursor that cannot be read is told, and costs
// nothing but reading again.
func TestCursorOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, rep := newService(t), newStore(), &reports{}
		s.subs[AzureActiveDirectory] = "enabled"
		s.add(&content{id: "x", created: time.Now().Add(-5 * 24 * time.Hour), records: ids("x", 1)})
		st.cursors["activity:"+tenant+"/"+AzureActiveDirectory], _ = json.Marshal(map[string]int{"v": 99})
		stop := start(t, s.source(Options{Observe: rep.observe}), st)
		s.pass(2 * time.Minute)
		_ = stop()
		if f := rep.faults(); len(f) != 1 || f[0].Kind != entra.FaultPosition || !st.has("x-0000") {
			t.Errorf("%v", f)
		}
		var _ ingest.Source = s.source(Options{})
	})
}
