package entrasim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/ingest"
	"glassward/internal/entrasim"
	"glassward/logstore"
)

var monday = time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)

// decode reads one record as a source of ours would.
func decode(t *testing.T, road string, raw []byte) []glassward.Record {
	t.Helper()
	d, err := ingest.NewDecoder(bytes.NewReader(raw), ingest.DecoderOptions{Source: road, Provenance: glassward.Pulled, Tenant: entrasim.TenantID})
	if err != nil {
		t.Fatal(err)
	}
	var out []glassward.Record
	for {
		var batch ingest.Batch
		err := d.Next(&batch)
		for _, r := range batch.Rejects {
			t.Fatalf("%s: refused: %s\n%s", road, r.Reason, raw)
		}
		out = append(out, batch.Records...)
		if err != nil {
			return out
		}
	}
}

// shapes gives the forms in which the roads show a version.
func shapes(e *entrasim.Event, version int) map[string][]byte {
	row, err := json.Marshal(e.Row(version))
	if err != nil {
		panic(err)
	}
	out := map[string][]byte{"workspace": row, "eventhub": e.Diagnostic(version)}
	if e.Kind != entrasim.CloudAppEvent {
		out["graph"] = e.Graph(version)
		if v1 := e.V1(version); v1 != nil {
			out["v1.0"] = v1
		}
	}
	return out
}

// TestTheShapesOfOneEventAreOneRecord gives every shape of two days of a busy
// tenant to the decoder and to the store: one id, one table, and nothing that
// contradicts.
func TestTheShapesOfOneEventAreOneRecord(t *testing.T) {
	rates := entrasim.Normal()
	rates.Risk, rates.Audit, rates.Interactive, rates.NonInteractive, rates.ServicePrincipal, rates.ManagedIdentity = 30, 250, 2, 2, 5, 5
	w := entrasim.NewWorld(entrasim.Options{Seed: 5, Start: monday, Users: 100, Rates: &rates})
	w.Advance(monday.Add(48 * time.Hour))
	store, err := logstore.OpenMemory(context.Background(), logstore.Options{Now: func() time.Time { return monday.Add(72 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	append_ := func(list []glassward.Record) {
		c, err := store.Append(context.Background(), logstore.Batch{Records: list})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range c.Conflicts {
			t.Errorf("%s: %s says %q in %s, %s says %q", x.Table, x.StoredSource, x.Stored, x.Column, x.CopySource, x.Copy)
		}
	}
	count, activity := map[entrasim.Kind]int{}, map[entrasim.Kind]int{}
	ids := map[glassward.RecordID]string{}
	var all []glassward.Record
	for _, e := range w.Events() {
		if count[e.Kind]++; count[e.Kind] > 150 {
			continue
		}
		var first glassward.Record
		for version := 1; version <= e.Versions(); version++ {
			forms := shapes(e, version)
			for _, road := range []string{"graph", "v1.0", "eventhub", "workspace"} {
				if forms[road] == nil {
					continue
				}
				records := decode(t, road, forms[road])
				if len(records) != 1 {
					t.Fatalf("%s gives %d records: %s", road, len(records), forms[road])
				}
				r := records[0]
				if r.Table != e.Kind.Table() {
					t.Fatalf("%s goes to %s, not to %s: %s", road, r.Table, e.Kind.Table(), forms[road])
				}
				if first.Table == "" {
					first = r
					if other, ok := ids[r.ID]; ok {
						t.Fatalf("%s and %s have one id", e.Key(), other)
					}
					ids[r.ID] = e.Key()
				}
				if r.ID != first.ID {
					t.Fatalf("%s: the record has another id than that of %s: %s", road, first.Source, forms[road])
				}
				if (e.Kind < entrasim.RiskDetection || e.Kind == entrasim.CloudAppEvent) && r.Time.Truncate(time.Second) != e.At.Truncate(time.Second) {
					t.Fatalf("%s: %v, the event is of %v", road, r.Time, e.At)
				}
				all = append(all, r)
			}
		}
		if raw := e.Activity(); raw != nil {
			activity[e.Kind]++
			records := decode(t, "activity", raw)
			if len(records) != 1 || records[0].ID == first.ID {
				t.Fatalf("the Management Activity record is no record of its own: %s", raw)
			}
			all = append(all, records...)
		}
		if len(all) > 2000 {
			append_(all)
			all = nil
		}
	}
	append_(all)
	for k := entrasim.InteractiveSignIn; k <= entrasim.CloudAppEvent; k++ {
		if count[k] < 5 {
			t.Errorf("%d events for %s", count[k], k.Table())
		}
		has := k == entrasim.InteractiveSignIn || k == entrasim.NonInteractiveSignIn || k == entrasim.DirectoryAudit || k == entrasim.RiskDetection || k == entrasim.CloudAppEvent
		if has != (activity[k] > 0) {
			t.Errorf("%d Management Activity records for %s", activity[k], k.Table())
		}
	}
}

func TestUnknownUsersAreNotInTheActivityFeed(t *testing.T) {
	w := entrasim.NewWorld(entrasim.Options{Seed: 8, Start: monday, Users: 400})
	w.Advance(monday.Add(24 * time.Hour))
	unknown := 0
	for _, e := range w.Events() {
		if e.Code != 50034 {
			continue
		}
		unknown++
		if e.Activity() != nil || e.On(entrasim.Activity) {
			t.Fatalf("%s", e.Activity())
		}
	}
	if unknown == 0 {
		t.Error("nobody mistyped a name in a day of 400 people")
	}
}

// summary writes down what a world did and showed.
func summary(w *entrasim.World) string {
	var b strings.Builder
	for _, e := range w.Events() {
		fmt.Fprintf(&b, "%s %d %s\n", e.Key(), e.Kind, e.At.Format(time.RFC3339Nano))
	}
	for r := entrasim.Graph; r <= entrasim.Activity; r++ {
		for _, a := range w.Appearances(r, time.Time{}, w.Now()) {
			fmt.Fprintf(&b, "%s %s %d %s\n", r, a.Event.Key(), a.Version, a.At.Format(time.RFC3339Nano))
		}
	}
	return b.String()
}

// TestTheStepsOfTimeMakeNoDifference: a world that advances by seven minutes
// is the world that advances by a day, byte by byte.
func TestTheStepsOfTimeMakeNoDifference(t *testing.T) {
	options := entrasim.Options{Seed: 3, Start: monday.Add(5 * time.Hour), Users: 60, Late: .05, Repeated: .05,
		Outages: []entrasim.Outage{{Road: entrasim.Graph, From: monday.Add(9 * time.Hour), To: monday.Add(11 * time.Hour)}}}
	one, two := entrasim.NewWorld(options), entrasim.NewWorld(options)
	end := monday.Add(26 * time.Hour)
	story := entrasim.Scenario("S2")
	one.Begin(story, monday.Add(8*time.Hour))
	two.Begin(story, monday.Add(8*time.Hour))
	one.Advance(end)
	for at := options.Start; at.Before(end); at = at.Add(7 * time.Minute) {
		two.Advance(at)
	}
	two.Advance(end)
	if a, b := summary(one), summary(two); a != b {
		la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
		for i := range la {
			if i >= len(lb) || la[i] != lb[i] {
				t.Fatalf("line %d: %s\nand %s", i, la[i], lb[min(i, len(lb)-1)])
			}
		}
	}
	for i, e := range one.Events() {
		if !bytes.Equal(e.Diagnostic(1), two.Events()[i].Diagnostic(1)) {
			t.Fatalf("%s differs", e.ID)
		}
	}
	other := options
	other.Seed++
	three := entrasim.NewWorld(other)
	three.Advance(end)
	if summary(three) == summary(one) {
		t.Error("another seed makes the same world")
	}
}

// TestWhatIsReadInWindowsIsWhatWasShown reads each road in small windows while
// the world lives, with an outage that is made and ended meanwhile, and
// compares: every event, on each of its roads, all versions, none shown before
// it happened or within an outage.
func TestWhatIsReadInWindowsIsWhatWasShown(t *testing.T) {
	start := monday.Add(8 * time.Hour)
	w := entrasim.NewWorld(entrasim.Options{Seed: 9, Start: start, Users: 80, Late: .01, Repeated: .02})
	seen := map[entrasim.Road]map[string]int{}
	var last [entrasim.Activity + 1]time.Time
	cutFrom, cutTo := start.Add(2*time.Hour), start.Add(5*time.Hour)
	read := func(from, to time.Time) {
		for r := entrasim.Graph; r <= entrasim.Activity; r++ {
			if seen[r] == nil {
				seen[r] = map[string]int{}
			}
			for _, a := range w.Appearances(r, from, to) {
				if a.At.Before(last[r]) || !a.At.After(a.Event.At) || !a.At.After(from) || a.At.After(to) {
					t.Fatalf("%s: %s at %v in the window %v to %v, the last one was at %v", r, a.Event.ID, a.At, from, to, last[r])
				}
				if r == entrasim.EventHub && !a.At.Before(cutFrom) && a.At.Before(cutTo) {
					t.Fatalf("%s appears at %v, within the outage", a.Event.ID, a.At)
				}
				last[r] = a.At
				seen[r][fmt.Sprint(a.Event.Key(), "/", a.Version)]++
			}
		}
	}
	at := start
	step := func(until time.Time) {
		for at.Before(until) {
			next := at.Add(10 * time.Minute)
			w.Advance(next)
			read(at, next)
			at = next
		}
	}
	step(cutFrom)
	w.Cut(entrasim.Outage{Road: entrasim.EventHub, From: cutFrom})
	step(cutTo)
	w.Restore(entrasim.EventHub, cutTo)
	step(start.Add(12 * time.Hour))
	w.Quiet()
	step(at.Add(2 * time.Hour))
	for settled := w.Settled(); at.Before(settled); settled = w.Settled() {
		step(settled)
	}
	repeated := 0
	for _, e := range w.Events() {
		for r := entrasim.Graph; r <= entrasim.Activity; r++ {
			if !e.On(r) {
				continue
			}
			for v := 1; v <= e.Versions(); v++ {
				if v > 1 && r == entrasim.Activity {
					continue
				}
				switch n := seen[r][fmt.Sprint(e.Key(), "/", v)]; {
				case n == 0:
					t.Fatalf("%s never shows version %d of %s (%s)", r, v, e.ID, e.Kind.Table())
				case n > 1:
					repeated++
				}
			}
		}
	}
	if repeated == 0 {
		t.Error("nothing was repeated")
	}
}

// TestAWeekIsLikeAWeek looks at the distributions of a week of 200 people and
// says what it costs.
func TestAWeekIsLikeAWeek(t *testing.T) {
	before := heap()
	began := time.Now()
	w := entrasim.NewWorld(entrasim.Options{Seed: 1, Start: monday, Late: .01, Repeated: .01})
	w.Advance(monday.Add(7 * 24 * time.Hour))
	took, grown := time.Since(began), heap()-before
	kinds, codes, days, hours := map[entrasim.Kind]int{}, map[int]int{}, map[time.Weekday]int{}, map[int]int{}
	operations, correlated, stamps, equal := map[string]int{}, map[string][]int{}, map[time.Time]int{}, 0
	for _, e := range w.Events() {
		kinds[e.Kind]++
		if stamps[e.At]++; stamps[e.At] == 2 {
			equal++
		}
		switch e.Kind {
		case entrasim.InteractiveSignIn:
			codes[e.Code]++
			days[e.At.Weekday()]++
			hours[e.At.Hour()]++
			correlated[e.Correlation] = append(correlated[e.Correlation], e.Code)
		case entrasim.DirectoryAudit:
			operations[e.Operation]++
			for _, id := range append(e.Targets, e.UserID) {
				if id == entrasim.EA01 || id == entrasim.EA02 || id == entrasim.CanaryID || id == entrasim.DecoyID {
					t.Errorf("ordinary life touches %s: %s", id, e.Operation)
				}
			}
		}
	}
	total := len(w.Events())
	t.Logf("%d events in %v, %d MiB: %v", total, took.Round(time.Millisecond), grown>>20, kinds)
	t.Logf("codes %v, %d operations, %d moments shared", codes, len(operations), equal)
	if total < 15000 || total > 45000 {
		t.Errorf("%d events", total)
	}
	if n := kinds[entrasim.InteractiveSignIn]; n < 3500 || n > 9000 {
		t.Errorf("%d interactive sign-ins", n)
	}
	if days[time.Saturday]*5 > days[time.Wednesday] || hours[0]*10 > hours[8] {
		t.Errorf("people work at night or on Saturdays: %v %v", days, hours)
	}
	if share := float64(codes[0]) / float64(kinds[entrasim.InteractiveSignIn]); share < .6 || share > .85 {
		t.Errorf("%.2f of the interactive sign-ins succeed", share)
	}
	for _, code := range []int{50140, 50074, 50076, 50126, 53003, 500121, 50034} {
		if codes[code] == 0 {
			t.Errorf("no %d in a week", code)
		}
	}
	both := 0
	for _, list := range correlated {
		if slices.Contains(list, 0) && (slices.Contains(list, 50074) || slices.Contains(list, 50076) || slices.Contains(list, 50140)) {
			both++
		}
	}
	if both < 500 {
		t.Errorf("only %d sign-ins share a correlation id with their interrupts", both)
	}
	if len(operations) < 35 || operations["Update user"] < 3*operations["Delete user"] {
		t.Errorf("operations: %v", operations)
	}
	if equal < 20 {
		t.Errorf("only %d moments are shared", equal)
	}
	if grown > 96<<20 {
		t.Errorf("a week keeps %d MiB", grown>>20)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestLagsAreThoseThatWerePublished measures what a reader would learn.
func TestLagsAreThoseThatWerePublished(t *testing.T) {
	w := entrasim.NewWorld(entrasim.Options{Seed: 4, Start: monday, Users: 100})
	w.Advance(monday.Add(60 * time.Hour))
	for r, want := range map[entrasim.Road][2]time.Duration{
		entrasim.Graph: {90 * time.Second, 4 * time.Minute}, entrasim.EventHub: {5 * time.Minute, 14 * time.Minute},
		entrasim.Storage: {5 * time.Minute, 14 * time.Minute}, entrasim.Workspace: {6 * time.Minute, 17 * time.Minute}, entrasim.Activity: {40 * time.Minute, 3 * time.Hour},
	} {
		var lags []time.Duration
		for _, a := range w.Appearances(r, monday, monday.Add(60*time.Hour)) {
			if a.Version == 1 && a.Event.Kind == entrasim.InteractiveSignIn && a.Event.At.Before(monday.Add(40*time.Hour)) {
				lags = append(lags, a.At.Sub(a.Event.At))
			}
		}
		slices.Sort(lags)
		median, p95, top := lags[len(lags)/2], lags[len(lags)*95/100], lags[len(lags)-1]
		if median > want[0] || median < want[0]/4 || p95 > want[1] || p95 < median || top < p95+5*time.Minute {
			t.Errorf("%s: median %v, 95 %% %v, most %v", r, median, p95, top)
		}
	}
}

func TestLateAndRepeated(t *testing.T) {
	w := entrasim.NewWorld(entrasim.Options{Seed: 4, Start: monday, Users: 150, Late: .01, Repeated: .01})
	w.Advance(monday.Add(24 * time.Hour))
	w.Quiet()
	end := w.Settled()
	w.Advance(end)
	for end.Before(w.Settled()) {
		end = w.Settled()
		w.Advance(end)
	}
	late, times, again := 0, map[string]int{}, 0
	for _, a := range w.Appearances(entrasim.Storage, monday, end) {
		if a.Version == 1 && a.At.Sub(a.Event.At) > time.Hour {
			late++
		}
		key := fmt.Sprint(a.Event.Key(), a.Version)
		if times[key]++; times[key] == 2 {
			again++
		}
	}
	n := float64(len(w.Events()))
	if math.Abs(float64(late)/n-.011) > .008 || math.Abs(float64(again)/n-.01) > .006 {
		t.Errorf("of %.0f events %d are late and %d repeated", n, late, again)
	}
}

// TestLivingIsAdvancing: the generator for very large tenants makes the events
// that a world lives, and makes them quickly for 150,000 people.
func TestLivingIsAdvancing(t *testing.T) {
	w := entrasim.NewWorld(entrasim.Options{Seed: 6, Start: monday, Users: 50})
	w.Advance(monday.Add(9 * time.Hour))
	lived := map[string]bool{}
	for _, e := range w.Events() {
		lived[e.Key()] = true
	}
	n := 0
	for e := range w.Live(monday, monday.Add(9*time.Hour)) {
		n++
		if !lived[e.Key()] {
			t.Fatalf("%s was not lived", e.ID)
		}
	}
	if n != len(lived) {
		t.Errorf("%d of %d events", n, len(lived))
	}
	big := entrasim.NewWorld(entrasim.Options{Seed: 6, Start: monday, Users: 150_000})
	began, before, most := time.Now(), heap(), int64(0)
	n = 0
	for e := range big.Live(monday.Add(8*time.Hour), monday.Add(8*time.Hour+20*time.Minute)) {
		if n++; n%20000 == 0 {
			if e.Diagnostic(1) == nil {
				t.Error("an event without a record")
			}
			most = max(most, heap()-before)
		}
	}
	t.Logf("%d events of 150,000 people in 20 minutes, made in %v with %d MiB", n, time.Since(began).Round(time.Millisecond), most>>20)
	if n < 40_000 {
		t.Errorf("20 minutes of 150,000 people have %d events", n)
	}
	if most > 48<<20 {
		t.Errorf("the generator holds %d MiB", most>>20)
	}
	var u *entrasim.User
	for u = range big.Users() {
	}
	if got, ok := big.User(u.ID); !ok || got.UserPrincipalName != u.UserPrincipalName {
		t.Errorf("the last of 150,000 is not found by id")
	}
	if got, ok := big.User(u.UserPrincipalName); !ok || got.ID != u.ID {
		t.Errorf("the last of 150,000 is not found by name %s", u.UserPrincipalName)
	}
}

// TestADemoNeedNotWait: a prompt world shows everything within seconds.
func TestADemoNeedNotWait(t *testing.T) {
	w := entrasim.NewWorld(entrasim.Options{Seed: 4, Start: monday.Add(8 * time.Hour), Users: 30, Prompt: true})
	w.Advance(monday.Add(10 * time.Hour))
	n := 0
	for r := entrasim.Graph; r <= entrasim.Activity; r++ {
		for _, a := range w.Appearances(r, monday, w.Now()) {
			if n++; a.Version == 1 && a.At.Sub(a.Event.At) > 3*time.Second {
				t.Fatalf("%s shows %s after %v", r, a.Event.ID, a.At.Sub(a.Event.At))
			}
		}
	}
	if n < 200 {
		t.Errorf("%d appearances", n)
	}
}

// TestAWorldMayForget: what is forgotten is gone, what is newer stays as it was.
func TestAWorldMayForget(t *testing.T) {
	w := entrasim.NewWorld(entrasim.Options{Seed: 4, Start: monday, Users: 30})
	w.Advance(monday.Add(12 * time.Hour))
	limit := monday.Add(9 * time.Hour)
	before := w.Appearances(entrasim.Graph, limit, w.Now())
	all := len(w.Events())
	w.Forget(limit)
	after := w.Appearances(entrasim.Graph, monday, w.Now())
	if !slices.Equal(before, after) || len(w.Events()) >= all || len(w.Events()) == 0 {
		t.Errorf("%d and %d appearances, %d and %d events", len(before), len(after), all, len(w.Events()))
	}
	w.Advance(monday.Add(13 * time.Hour))
	if len(w.Appearances(entrasim.Graph, monday, w.Now())) <= len(after) {
		t.Error("nothing appears any more")
	}
}

func BenchmarkRecord(b *testing.B) {
	w := entrasim.NewWorld(entrasim.Options{Seed: 4, Start: monday, Users: 100})
	w.Advance(monday.Add(12 * time.Hour))
	events := w.Events()
	for name, form := range map[string]func(*entrasim.Event) []byte{
		"diagnostic": func(e *entrasim.Event) []byte { return e.Diagnostic(1) }, "graph": func(e *entrasim.Event) []byte { return e.Graph(1) }, "activity": (*entrasim.Event).Activity,
	} {
		b.Run(name, func(b *testing.B) {
			size := 0
			for i := range b.N {
				size += len(form(events[i%len(events)]))
			}
			b.ReportMetric(float64(size)/float64(b.N), "bytes/record")
		})
	}
}
