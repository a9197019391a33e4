package graph

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"glassward/entra"
)

// TestMain has the property tried often enough for every day; -rapid.checks says
// otherwise.
func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if !asked {
		if err := flag.Set("rapid.checks", "6"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// A life is what happens to a stream: rows, late and made fuller, faults and
// outages of the service, and kills of the program at its emits.
type life struct {
	rows    []lifeRow
	outages []lifeOutage
	faults  int // of a hundred requests
	kills   map[int]bool
	seed    uint64
}

type lifeRow struct {
	at   time.Duration // after the beginning
	lags []time.Duration
}

type lifeOutage struct {
	at, long time.Duration
	kind     int
}

func drawLife(t *rapid.T) life {
	lag := rapid.Custom(func(t *rapid.T) time.Duration {
		most := rapid.SampledFrom([]time.Duration{5 * time.Minute, 5 * time.Minute, time.Hour, 6 * time.Hour, 36*time.Hour - time.Second}).Draw(t, "most")
		return time.Duration(rapid.Int64Range(0, int64(most/time.Millisecond)).Draw(t, "lag")) * time.Millisecond
	})
	l := life{
		faults: rapid.SampledFrom([]int{0, 2, 15}).Draw(t, "faults"),
		seed:   rapid.Uint64().Draw(t, "seed"),
		kills:  map[int]bool{},
	}
	for range rapid.IntRange(10, 60).Draw(t, "rows") {
		r := lifeRow{at: time.Duration(rapid.Int64Range(0, int64(50*time.Hour/time.Millisecond)).Draw(t, "at")) * time.Millisecond, lags: []time.Duration{lag.Draw(t, "first")}}
		if rapid.IntRange(0, 3).Draw(t, "equal") == 0 && len(l.rows) > 0 {
			r.at = l.rows[len(l.rows)-1].at
		}
		if rapid.IntRange(0, 4).Draw(t, "repeat") == 0 {
			if second := lag.Draw(t, "second"); second > r.lags[0] {
				r.lags = append(r.lags, second)
			}
		}
		l.rows = append(l.rows, r)
	}
	for range rapid.IntRange(0, 3).Draw(t, "outages") {
		l.outages = append(l.outages, lifeOutage{
			at:   time.Duration(rapid.IntRange(0, 60*60).Draw(t, "outage")) * time.Minute,
			long: time.Duration(rapid.IntRange(1, 600).Draw(t, "long")) * time.Minute,
			kind: rapid.IntRange(0, 3).Draw(t, "kind"),
		})
	}
	for range rapid.IntRange(0, 8).Draw(t, "kills") {
		l.kills[rapid.IntRange(1, 900).Draw(t, "kill")] = rapid.Bool().Draw(t, "after")
	}
	return l
}

// live plays a life and gives what is wrong with what the store holds.
func (l life) live(t *testing.T, stream Stream) (wrong []string) {
	service, store := newService(), newStore()
	begin := time.Now()
	end := time.Duration(0)
	var rows []*row
	for i, r := range l.rows {
		at := begin.Add(r.at)
		id := fmt.Sprint("x", i)
		entity := func(v int) map[string]any {
			e := signIn(id, "interactiveUser", "u", at)
			if v > 0 {
				e["riskDetail"] = fmt.Sprint("version ", v)
			}
			return e
		}
		made := service.add("auditLogs/signIns", at, r.lags[0], entity(0))
		for v, lag := range r.lags[1:] {
			made.versions = append(made.versions, version{at.Add(lag), entity(v + 1)})
		}
		rows = append(rows, made)
		end = max(end, r.at+r.lags[len(r.lags)-1])
	}
	for _, o := range l.outages {
		end = max(end, o.at+o.long)
	}
	random := rand.New(rand.NewPCG(l.seed, 1))
	kinds := []func(q *question) *http.Response{
		func(*question) *http.Response { return answer(503, "") },
		func(*question) *http.Response { return graphError(429, "TooManyRequests", "later") },
		func(*question) *http.Response { return graphError(403, "Authorization_RequestDenied", "no") },
		func(*question) *http.Response { return answer(200, "<html></html>") },
		func(q *question) *http.Response {
			text, _ := json.Marshal(map[string]any{"value": []any{}, "@odata.nextLink": q.url.String()})
			return answer(200, string(text))
		},
		func(*question) *http.Response { return graphError(400, "UnknownError", "Invalid Skip Token") },
		func(*question) *http.Response { return answer(200, `{"value":[{"id":"x`) },
	}
	service.trouble = func(q *question) *http.Response {
		service.mu.Lock()
		slow := time.Duration(random.IntN(4000)) * time.Millisecond
		service.mu.Unlock()
		time.Sleep(slow)
		now := q.at.Sub(begin)
		for _, o := range l.outages {
			if now >= o.at && now < o.at+o.long {
				return kinds[o.kind](q)
			}
		}
		service.mu.Lock()
		defer service.mu.Unlock()
		if random.IntN(100) < l.faults {
			return kinds[random.IntN(len(kinds))](q)
		}
		return nil
	}
	store.fail = func(n int) (bool, bool) {
		after, ok := l.kills[n]
		return ok && !after, ok && after
	}

	ctx, cancel := context.WithDeadline(t.Context(), begin.Add(end+30*time.Hour))
	defer cancel()
	for ctx.Err() == nil {
		s, err := New(Options{Tenant: "11111111-2222-3333-4444-555555555555", Client: service.client(entra.Pace{}),
			Streams: []Stream{stream}, Observe: store.observe})
		if err != nil {
			return []string{err.Error()}
		}
		s.asks[0].top, s.asks[0].poll = 5, 7*time.Minute
		if err := s.Run(ctx, store, store.emit); !errors.Is(err, errKilled) && !errors.Is(err, context.DeadlineExceeded) {
			wrong = append(wrong, fmt.Sprintf("Run gave %v", err))
		}
	}
	synctest.Wait()
	for _, r := range rows {
		if n := len(store.content[r.id]); n < len(r.versions) && !overtaken(r, store.content[r.id]) {
			wrong = append(wrong, fmt.Sprintf("%s of %v: %d of %d versions came (seen from %v)", r.id, r.time.Sub(begin), n, len(r.versions), r.versions[len(r.versions)-1].at.Sub(begin)))
		}
	}
	if _, holes, _ := store.told(stream); len(holes) > 0 {
		wrong = append(wrong, fmt.Sprintf("holes: %v", holes))
	}
	return wrong
}

// overtaken reports whether a row's last version came: an earlier one may have
// been replaced before anybody looked.
func overtaken(r *row, content map[string]int) bool {
	last, _ := json.Marshal(r.versions[len(r.versions)-1].entity)
	return content[string(last)] > 0
}

// Whatever the order of lateness, faults, outages and kills: every row, and every
// last version of a row, that can be seen within 36 hours of its event is given
// to the store, and no hole is told.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := drawLife(rt)
		var wrong []string
		synctest.Test(t, func(t *testing.T) { wrong = l.live(t, InteractiveSignIns) })
		if len(wrong) > 0 {
			rt.Fatalf("%d things are wrong: %v", len(wrong), wrong)
		}
	})
}

// The same where every single emit of a life with faults is killed at once,
// before and after it is durable.
func TestAKillAtAnyEmit(t *testing.T) {
	l := life{faults: 5, seed: 7}
	for i := range 25 {
		l.rows = append(l.rows, lifeRow{at: time.Duration(i) * 97 * time.Minute / 10, lags: []time.Duration{time.Duration(i%5) * 7 * time.Minute}})
	}
	for n := range 6 {
		l.kills = map[int]bool{}
		for k := range 120 {
			// One in six, each time others, now before and now after.
			l.kills[1+n+6*k] = (n+k)%2 == 0
		}
		synctest.Test(t, func(t *testing.T) {
			if wrong := l.live(t, InteractiveSignIns); len(wrong) > 0 {
				t.Errorf("kills at %d and every sixth: %v", 1+n, wrong)
			}
		})
	}
}
