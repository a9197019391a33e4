package acceptance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"glassward/ingest/activity"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// A trouble begins, lasts and ends; the source says something of it.
type trouble struct {
	name  string
	begin func(*stand) (end func())
	lasts time.Duration
	// says is a part of what has to be told of it, none if it needs no telling; hole
	// a part of what has to be told as lost or passed over.
	says, hole string
}

// forgetPositions has every cursor of a road overwritten with what no source
// accepts; the source begins anew then.
func forgetPositions(s *stand) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose, s.killIn = true, 1
	return nil
}

func clock(by time.Duration) func(*stand) func() {
	return func(s *stand) func() {
		s.cloud.Faults().Clock(by)
		return func() { s.cloud.Faults().Clock(0) }
	}
}

func revoke(s *stand) func() { s.cloud.Faults().RevokeTokens(s.tenant()); return nil }

func html(service cloud.Service) func(*stand) func() {
	return func(s *stand) func() { return s.cloud.Faults().HTML(service, "") }
}

// storm refuses everything, and says in one form after another when to come again.
func storm(service cloud.Service) func(*stand) func() {
	return func(s *stand) func() {
		ctx, cancel := context.WithCancel(context.Background())
		var done sync.WaitGroup
		done.Go(func() {
			for _, after := range []string{"17", "2.128", time.Now().Add(12 * time.Minute).UTC().Format(http.TimeFormat), "", "soon"} {
				end := s.cloud.Faults().Add(cloud.Trouble{Service: service, Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "Please retry again later.", RetryAfter: after})
				select {
				case <-time.After(6 * time.Minute):
				case <-ctx.Done():
				}
				end()
			}
		})
		return func() { cancel(); done.Wait() }
	}
}

// TestBadTimes lets every trouble that a road is known for befall it, one after
// another, while people work and sign in. It is told, and in the end the store holds
// what the tenant made: nothing is lost and nothing stands twice.
func TestBadTimes(t *testing.T) {
	var poisoned string
	for _, b := range []struct {
		way
		troubles []trouble
	}{
		{way{road: entrasim.Graph, open: (*stand).openGraph, rest: 5 * time.Hour, form: func(e *entrasim.Event) []byte { return e.Graph(e.Versions()) }}, []trouble{
			{"a token is revoked midway", revoke, 5 * time.Minute, "", ""},
			{"a link leads to its own page", func(s *stand) func() {
				return s.cloud.Faults().Add(cloud.Trouble{Service: cloud.Graph, Path: "/beta/auditLogs/signIns", Status: http.StatusOK, ContentType: "application/json",
					Body: `{"value":[],"@odata.nextLink":"` + s.names.Graph + `/beta/auditLogs/signIns?$skiptoken=d3adbeef_1"}`})
			}, 20 * time.Minute, "points to a page that was read already", ""},
			{"pages for people instead of JSON", html(cloud.Graph), 20 * time.Minute, "HTML", ""},
			{"a storm of refusals", storm(cloud.Graph), 35 * time.Minute, "too many requests", ""},
			{"the service's clock is an hour ahead", clock(time.Hour), 40 * time.Minute, "", ""},
			{"and then an hour behind", clock(-time.Hour), 40 * time.Minute, "ahead of the service's clock", ""},
			{"the positions are lost", forgetPositions, 10 * time.Minute, "position that was kept cannot be used", "how far it was read is lost"},
			{"a page fails every time", func(s *stand) func() {
				for _, e := range s.world.Events() {
					if e.Kind == entrasim.InteractiveSignIn {
						poisoned = e.ID
					}
				}
				s.cloud.Faults().Poison(poisoned, true)
				return func() { s.cloud.Faults().Poison(poisoned, false) }
			}, 3 * time.Hour, "", "signIns/interactive from "},
		}},
		{way{road: entrasim.Activity, open: (*stand).openActivity, rest: 2 * time.Hour, form: (*entrasim.Event).Activity}, []trouble{
			{"a token is revoked midway", revoke, 5 * time.Minute, "", ""},
			{"pages for people instead of JSON", html(cloud.Activity), 20 * time.Minute, "HTML", ""},
			{"a storm of refusals", storm(cloud.Activity), 35 * time.Minute, "too many requests", ""},
			{"the service's clock is an hour ahead", clock(time.Hour), 40 * time.Minute, "", ""},
			{"and then an hour behind", clock(-time.Hour), 40 * time.Minute, "", ""},
			{"the positions are lost", forgetPositions, 10 * time.Minute, "position that was kept cannot be read", ""},
		}},
		{way{road: entrasim.Workspace, open: (*stand).openWorkspace, rest: time.Hour, form: row, disorder: true}, []trouble{
			{"a token is revoked midway", revoke, 5 * time.Minute, "", ""},
			{"pages for people instead of JSON", html(cloud.LogAnalytics), 65 * time.Minute, "HTML", ""},
			{"a storm of refusals", storm(cloud.LogAnalytics), 65 * time.Minute, "too many requests", ""},
			{"answers hold a part and an error", func(s *stand) func() {
				s.cloud.Faults().PartialError(s.tenant(), "a shard did not answer")
				return func() { s.cloud.Faults().PartialError(s.tenant(), "") }
			}, 2 * time.Hour, "not whole", ""},
			{"a table is not there", func(s *stand) func() {
				s.cloud.Faults().MissingTable(s.tenant(), "AuditLogs", true)
				return func() { s.cloud.Faults().MissingTable(s.tenant(), "AuditLogs", false) }
			}, 65 * time.Minute, "no table AuditLogs", ""},
			{"the service's clock is an hour ahead", clock(time.Hour), 2 * time.Hour, "", ""},
			{"and then an hour behind", clock(-time.Hour), 2 * time.Hour, "", ""},
			{"the positions are lost", forgetPositions, 65 * time.Minute, "position that was kept cannot be read", ""},
		}},
		{way{road: entrasim.EventHub, open: (*stand).openHub, rest: time.Hour, form: diagnostic, disorder: true}, []trouble{
			{"a token is revoked midway", revoke, 5 * time.Minute, "", ""},
			{"every answer comes back empty", func(s *stand) func() {
				s.cloud.Faults().StarveHubs(s.tenant(), true)
				return func() { s.cloud.Faults().StarveHubs(s.tenant(), false) }
			}, 35 * time.Minute, "too many requests", ""},
			{"the role is taken away", func(s *stand) func() {
				s.cloud.Faults().DenyHubs(s.tenant(), true)
				s.wire.cut(false)
				return func() { s.cloud.Faults().DenyHubs(s.tenant(), false) }
			}, 35 * time.Minute, "Azure Event Hubs Data Receiver", ""},
			{"connections break again and again", func(s *stand) func() {
				for range 20 {
					s.wire.cut(false)
					time.Sleep(time.Minute)
				}
				return nil
			}, time.Minute, "", ""},
			{"the hub is made anew", func(s *stand) func() {
				// What the hub holds so far is brought, and read, before it goes.
				s.cloud.HubNames(s.tenant())
				time.Sleep(20 * time.Second)
				if err := s.cloud.Faults().RecreateHub(s.tenant(), "insights-logs-signinlogs"); err != nil {
					s.t.Error(err)
				}
				return nil
			}, 30 * time.Minute, "", "made anew"},
			{"the positions are lost", forgetPositions, 30 * time.Minute, "position that was kept of partition", ""},
		}},
		{way{road: entrasim.Storage, open: (*stand).openStorage, rest: time.Hour, form: diagnostic, disorder: true}, []trouble{
			{"the folder is gone for a while", func(s *stand) func() {
				s.offline(true)
				return func() { s.offline(false) }
			}, 2 * time.Hour, "export", ""},
			{"files are written anew", func(s *stand) func() {
				for _, f := range s.export.Files() {
					if err := s.export.Rewrite(f); err != nil {
						s.t.Error(err)
					}
				}
				return nil
			}, 65 * time.Minute, "written anew", ""},
			{"the positions are lost", forgetPositions, 65 * time.Minute, "position that was kept for the hour", ""},
		}},
	} {
		t.Run(b.road.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			troubles := part(b.troubles, 3)
			synctest.Test(t, func(t *testing.T) { badTimes(t, b.way, troubles, dir) })
		})
	}
}

func badTimes(t *testing.T, w way, troubles []trouble, dir string) {
	time.Sleep(2*24*time.Hour + 7*time.Hour)
	s := newStand(t, dir, entrasim.Options{Seed: 40 + uint64(w.road), Users: 100, Late: 0.005},
		cloud.Options{Seed: 8, Tick: 10 * time.Minute, Partitions: 2})
	defer s.close()
	s.often = 20 * time.Minute
	ctx, stop := context.WithCancel(context.Background())
	var aside sync.WaitGroup
	defer aside.Wait()
	defer stop()
	if w.road == entrasim.Storage {
		s.exporting(ctx, &aside)
	}
	var life sync.WaitGroup
	end := time.Now().Add(70 * time.Minute)
	for _, x := range troubles {
		end = end.Add(x.lasts + 50*time.Minute)
	}
	life.Go(func() { s.run(w.open, end) })
	time.Sleep(70 * time.Minute)
	for _, x := range troubles {
		before, holes := len(s.faults()), len(s.holes())
		over := x.begin(s)
		time.Sleep(x.lasts)
		if over != nil {
			over()
		}
		// What is told late is told soon after.
		time.Sleep(30 * time.Minute)
		said, lost := s.faults()[before:], s.holes()[holes:]
		if !strings.Contains(strings.Join(said, "\n"), x.says) {
			t.Errorf("%s: nothing of %q is told, but %d others: %q", x.name, x.says, len(said), said[:min(3, len(said))])
		}
		if x.hole == "" && len(lost) > 0 || !strings.Contains(strings.Join(lost, "\n"), x.hole) {
			t.Errorf("%s: told as lost: %q, which should hold %q", x.name, lost, x.hole)
		}
		switch {
		case len(lost) > 0:
			t.Logf("%s: %d faults told; %s", x.name, len(said), lost[0])
		case len(said) > 0:
			t.Logf("%s: %d faults told; %s", x.name, len(said), said[0])
		default:
			t.Logf("%s: nobody has to hear of it", x.name)
		}
	}
	life.Wait()
	s.world.Quiet()
	time.Sleep(25 * time.Hour)
	s.world.Advance(time.Now())
	s.run(w.open, s.world.Settled().Add(w.rest))
	stop()
	aside.Wait()
	n := s.compare(w)
	t.Logf("%d records in the store; %d requests, %d starts, %d commits of %d records", n, s.wire.requests, s.restarts, s.emits, s.records)
	if n < 100 {
		t.Errorf("%d records are too few to show anything", n)
	}
	if len(s.conflicts) > 0 {
		t.Errorf("%d conflicts", len(s.conflicts))
	}
	for _, r := range s.rejects {
		if w.road != entrasim.Storage || !s.torn(r.Raw) {
			t.Errorf("rejected: %s: %s", r.Reason, r.Raw)
		}
	}
}

// torn says whether a text is what a file shows that is read while it is written anew: parts of a few lines, one
// behind the other. It is set aside, and the lines are read whole afterwards, as compare sees.
func (s *stand) torn(text []byte) bool {
	const parts = 3
	export := []byte("\n")
	for _, f := range s.export.Files() {
		lines, err := os.ReadFile(f)
		if err != nil {
			s.t.Fatal(err)
		}
		export = append(export, lines...)
	}
	text = bytes.TrimSpace(text)
	if bytes.Contains(export, slices.Concat([]byte("\n"), text, []byte("\n"))) {
		return false // a whole line, which has to be taken
	}
	for range parts {
		// As much of the beginning as stands somewhere.
		n := sort.Search(len(text), func(n int) bool { return !bytes.Contains(export, text[:n+1]) })
		if text = text[n:]; len(text) == 0 {
			return true
		}
	}
	return false
}

// offline takes the export's folder away, or brings it back.
func (s *stand) offline(on bool) {
	from, to := s.folder, s.folder+".away"
	s.exporter.Lock()
	defer s.exporter.Unlock()
	if on {
		if err := os.Rename(from, to); err != nil {
			s.t.Error(err)
		}
		// An account that cannot be reached is a mount that is empty.
		if err := os.Mkdir(from, 0o755); err != nil {
			s.t.Error(err)
		}
		s.gone = true
		return
	}
	if err := os.Remove(from); err != nil {
		s.t.Error(err)
	}
	if err := os.Rename(to, from); err != nil {
		s.t.Error(err)
	}
	s.gone = false
}

// TestADayOfBacklog is away from the hubs for a day in which much happens, and then
// reads it at once, dying now and then. GLASSWARD_BACKLOG is how many records wait,
// five thousand if it is not set: ten million are some hours of work for the
// simulated tenant alone.
func TestADayOfBacklog(t *testing.T) {
	t.Parallel()
	wanted := few(5_000)
	if text := os.Getenv("GLASSWARD_BACKLOG"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("GLASSWARD_BACKLOG: %v", err)
		}
		wanted = n
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2*24*time.Hour + time.Hour)
		// Some sixteen records a person and working day.
		s := newStand(t, dir, entrasim.Options{Seed: 50, Users: wanted / 16, Repeated: 0.01}, cloud.Options{Seed: 9, Tick: 30 * time.Minute, Partitions: 2})
		defer s.close()
		began := time.Now()
		s.run((*stand).openHub, began.Add(2*time.Hour))
		before := s.records
		time.Sleep(24 * time.Hour)
		s.world.Quiet()
		time.Sleep(time.Hour)
		s.world.Advance(time.Now())
		time.Sleep(time.Until(s.world.Settled().Add(time.Hour)))
		work := time.Now()
		s.run((*stand).openHub, work.Add(3*time.Hour))
		n := s.compare(way{road: entrasim.EventHub, form: diagnostic, disorder: true})
		t.Logf("%d records, %d of them a backlog; %d commits, %d starts, %d deaths", n, s.records-before, s.emits, s.restarts, s.killed)
		if n < wanted/2 || s.records-before < wanted/2 {
			t.Errorf("%d records, %d in the backlog: too few", n, s.records-before)
		}
		if holes := s.holes(); len(holes)+len(s.conflicts)+len(s.rejects) > 0 {
			t.Errorf("holes %v, %d conflicts, %d rejects", holes, len(s.conflicts), len(s.rejects))
		}
	})
}

// TestLongerAwayThanItIsKept is away for longer than a service keeps its records. What
// is lost is told as lost, and all that is still kept is read.
func TestLongerAwayThanItIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2 * 24 * time.Hour)
		rates := entrasim.Normal()
		s := newStand(t, dir, entrasim.Options{Seed: 51, Users: 20, Rates: &rates}, cloud.Options{Seed: 9})
		defer s.close()
		begin := time.Now()
		s.run((*stand).openActivity, begin.Add(9*time.Hour))
		away := time.Now()
		time.Sleep(9 * 24 * time.Hour)
		back := time.Now()
		s.run((*stand).openActivity, back.Add(2*time.Hour))
		holes := s.holes()
		if len(holes) != len(s.contents()) || !strings.Contains(holes[0], "longer than the seven days") {
			t.Errorf("told as lost: %q", holes)
		}
		have := map[string]bool{}
		for _, table := range []string{"SigninLogs", "AuditLogs"} {
			for key, rows := range rowsOf(t, s.store, table) {
				if have[key] = true; len(rows) != 1 {
					t.Errorf("%s is there %d times", key, len(rows))
				}
			}
		}
		lost, kept := 0, 0
		for _, a := range s.world.Appearances(entrasim.Activity, begin.Add(5*time.Minute), back) {
			if a.Event.Content() != activity.AzureActiveDirectory {
				continue
			}
			var r struct{ ID string }
			if err := json.Unmarshal(a.Event.Activity(), &r); err != nil {
				t.Fatal(err)
			}
			switch {
			case have[r.ID]:
				kept++
			case a.At.Before(away.Add(-5*time.Minute)) || a.At.After(back.Add(-7*24*time.Hour+time.Hour)):
				t.Errorf("%s, shown at %s, is missing", r.ID, a.At)
			default:
				lost++
			}
		}
		t.Logf("%d records kept, %d lost and told: %q", kept, lost, holes)
		if kept < 100 || lost == 0 {
			t.Errorf("%d kept, %d lost", kept, lost)
		}
	})
}
