package workspace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"glassward"
	"glassward/entra"
	"glassward/ingest"
	"glassward/schema"
)

const (
	tenant = "2c6f3f0e-4d19-4c57-9f3f-6f1f5d8a7b10"
	id     = "9a9a9a9a-0000-4000-8000-000000000001"
	root   = "https://api.loganalytics.example"
)

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

// service is a strict query API in memory.
type service struct {
	t       *testing.T
	mu      sync.Mutex
	skew    time.Duration
	tables  map[string][]row
	limit   int // rows of one answer
	trouble func(table string, from, to time.Time) (status int, body string)
	asked   int
	wrong   []string
}

type row struct {
	id       string
	ingested time.Time
	visible  time.Time // zero is ingested
}

func newService(t *testing.T) *service {
	return &service{t: t, tables: map[string][]row{"SigninLogs": nil}, limit: 100}
}

func (s *service) now() time.Time { return time.Now().Add(s.skew).UTC() }

func (s *service) add(table, id string, ingested time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables[table] = append(s.tables[table], row{id: id, ingested: ingested})
}

var question = regexp.MustCompile(`^(\w+)\n\| where ingestion_time\(\) >= datetime\(([^)]+)\) and ingestion_time\(\) < datetime\(([^)]+)\)\n\| order by ingestion_time\(\) asc$`)

// RoundTrip makes the service a transport.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Date", s.now().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	s.serve(w, r)
	return w.Result(), nil
}

func (s *service) serve(w *httptest.ResponseRecorder, r *http.Request) {
	s.asked++
	var body struct {
		Query string `json:"query"`
	}
	text, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(text, &body)
	m := question.FindStringSubmatch(body.Query)
	if r.Method != "POST" || r.URL.String() != root+"/v1/workspaces/"+id+"/query" || m == nil {
		s.wrong = append(s.wrong, r.Method+" "+r.URL.String()+" "+body.Query)
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":{"code":"BadArgumentError","message":"The request had some invalid properties"}}`)
		return
	}
	from, _ := time.Parse(time.RFC3339Nano, m[2])
	to, _ := time.Parse(time.RFC3339Nano, m[3])
	if to.After(s.now()) || !from.Before(to) {
		s.wrong = append(s.wrong, fmt.Sprintf("a window %s to %s at %s", from, to, s.now()))
	}
	if s.trouble != nil {
		if status, text := s.trouble(m[1], from, to); status != 0 {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
			return
		}
	}
	rows, ok := s.tables[m[1]]
	if !ok {
		w.WriteHeader(400)
		_, _ = fmt.Fprintf(w, `{"error":{"message":"The request had some invalid properties","code":"BadArgumentError","correlationId":"x","innererror":{"code":"SemanticError","message":"A semantic error occurred.","innererror":{"code":"SEM0100","message":"'where' operator: Failed to resolve table or column expression named '%s'"}}}}`, m[1])
		return
	}
	var out []row
	for _, x := range rows {
		if !x.ingested.Before(from) && x.ingested.Before(to) && !x.visible.After(s.now()) {
			out = append(out, x)
		}
	}
	slices.SortStableFunc(out, func(a, b row) int { return a.ingested.Compare(b.ingested) })
	var more string
	if len(out) > s.limit {
		out = out[:s.limit]
		more = `,"error":{"code":"PartialError","message":"There were some errors when processing your query.","details":[{"code":"EngineError","message":"Something went wrong","innererror":{"code":"-2133196797","message":"Query result set has exceeded the internal record count limit (E_QUERY_RESULT_SET_TOO_LARGE)","severity":2}}]}`
	}
	_, _ = io.WriteString(w, answerOf(out, more))
}

func answerOf(rows []row, more string) string {
	var b bytes.Buffer
	b.WriteString(`{"tables":[{"name":"PrimaryResult","columns":[{"name":"TenantId","type":"string"},{"name":"TimeGenerated","type":"datetime"},{"name":"Id","type":"string"},{"name":"UserPrincipalName","type":"string"},{"name":"ResultType","type":"string"},{"name":"IsInteractive","type":"bool"},{"name":"DurationMs","type":"long"},{"name":"Status","type":"dynamic"},{"name":"DeviceDetail","type":"dynamic"},{"name":"Location","type":"string"},{"name":"Type","type":"string"}],"rows":[`)
	for i, x := range rows {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `["%s",%q,%q,"ana@tailspin.example","0",null,0,"{\"errorCode\":0,\"additionalDetails\":\"\"}",null,"","SigninLogs"]`,
			id, x.ingested.Add(-5*time.Minute).Format("2006-01-02T15:04:05.9999999Z"), x.id)
	}
	b.WriteString(`]}]` + more + `}`)
	return b.String()
}

type store struct {
	mu      sync.Mutex
	records map[glassward.RecordID]glassward.Record
	cursors map[string][]byte
	fail    func() (before, after error)
}

func newStore() *store {
	return &store{records: map[glassward.RecordID]glassward.Record{}, cursors: map[string][]byte{}}
}

func (s *store) Cursor(_ context.Context, source string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.cursors[source]
	return bytes.Clone(p), ok, nil
}

func (s *store) emit(ctx context.Context, b *ingest.Batch, c *ingest.Cursor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var after error
	if s.fail != nil {
		var before error
		if before, after = s.fail(); before != nil {
			return before
		}
	}
	for _, r := range b.Records {
		r.Values = slices.Clone(r.Values)
		s.records[r.ID] = r
	}
	s.cursors[c.Source] = bytes.Clone(c.Position)
	b.Reset()
	return after
}

func (s *store) ids() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]bool{}
	for _, r := range s.records {
		all[r.EntraID] = true
	}
	return all
}

type reports struct {
	mu  sync.Mutex
	all []ingest.Report
}

func (r *reports) observe(x ingest.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, x)
}

// take gives what was said since the last call.
func (r *reports) take() (polled []ingest.Polled, faults []*entra.Fault, holes []ingest.Hole) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.all {
		var f *entra.Fault
		switch {
		case x.Polled != nil:
			polled = append(polled, *x.Polled)
		case x.Hole != nil:
			holes = append(holes, *x.Hole)
		case errors.As(x.Fault, &f):
			faults = append(faults, f)
		}
	}
	r.all = nil
	return polled, faults, holes
}

func (s *service) source(transport http.RoundTripper, o Options) *Source {
	s.t.Helper()
	cloud, _ := entra.LookupCloud("")
	cloud.LogAnalytics = root
	o.Tenant, o.Workspace = tenant, id
	o.Client = entra.NewClient(entra.ClientOptions{Service: entra.LogAnalytics, Cloud: cloud, HTTP: &http.Client{Transport: transport}})
	if o.Tables == nil {
		o.Tables = []string{"SigninLogs"}
	}
	src, err := New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return src
}

func start(src *Source, st *store) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, st, st.emit) }()
	return func() error {
		cancel()
		return <-done
	}
}

// pass lets time pass, and waits until whatever woke meanwhile is done. What the
// test changed of the service before, it knows afterwards.
func (s *service) pass(d time.Duration) {
	s.mu.Lock()
	s.asked += 0
	s.mu.Unlock()
	time.Sleep(d)
	synctest.Wait()
}

func (s *service) obeyed(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.wrong[:min(len(s.wrong), 5)] {
		t.Errorf("against the service's rules: %s", w)
	}
}

// TestReads holds that what is there and what comes is read, and that what becomes
// visible late is found and counted as late.
func TestReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, rep := newService(t), newStore(), &reports{}
		now := time.Now()
		for i := range 500 {
			s.add("SigninLogs", fmt.Sprint("old", i), now.Add(-time.Duration(i)*15*time.Minute))
		}
		stop := start(s.source(s, Options{Observe: rep.observe, First: 30 * 24 * time.Hour}), st)
		s.pass(30 * time.Second)
		if n := len(st.ids()); n != 499 {
			// The newest is not settled yet.
			t.Errorf("%d records", n)
		}
		polled, faults, _ := rep.take()
		if len(polled) != 1 || polled[0].Records != 499 || polled[0].Late != 0 || len(faults) != 0 {
			t.Errorf("%+v %v", polled, faults)
		}
		s.pass(10 * time.Minute)
		s.mu.Lock()
		s.tables["SigninLogs"] = append(s.tables["SigninLogs"],
			row{id: "late", ingested: time.Now().Add(-3 * time.Minute), visible: time.Now().Add(time.Second)},
			row{id: "later", ingested: time.Now().Add(-9 * time.Minute), visible: time.Now().Add(time.Second)})
		s.mu.Unlock()
		s.pass(3 * time.Minute)
		if got := st.ids(); !got["late"] || got["later"] || !got["old0"] {
			t.Errorf("late %v, later %v", got["late"], got["later"])
		}
		s.pass(time.Hour)
		late := 0
		polled, faults, holes := rep.take()
		for _, p := range polled {
			late += p.Late
		}
		if !st.ids()["later"] || late != 2 || len(faults) != 0 || len(holes) != 0 {
			t.Errorf("later %v, %d late, %v, %v", st.ids()["later"], late, faults, holes)
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		s.obeyed(t)
	})
}

// TestTypes holds how cells are decoded: dynamic as JSON text, null as none, an
// empty text as one; and that the record is the one that Graph gives.
func TestTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newService(t), newStore()
		s.add("SigninLogs", "7d5a1c00-1111-4222-8333-44445555aa00", time.Now().Add(-time.Minute))
		stop := start(s.source(s, Options{}), st)
		s.pass(time.Minute)
		_ = stop()
		if len(st.records) != 1 {
			t.Fatalf("%d records", len(st.records))
		}
		table, _ := schema.Lookup("SigninLogs")
		for _, r := range st.records {
			get := func(name string) glassward.Value {
				i, _ := table.Index(name)
				return r.Values[i]
			}
			for name, want := range map[string]glassward.Value{
				"Status":        glassward.String(`{"errorCode":0,"additionalDetails":""}`),
				"DeviceDetail":  glassward.Null(),
				"IsInteractive": glassward.Null(),
				"DurationMs":    glassward.Long(0),
				"Location":      glassward.String(""),
				"ResultType":    glassward.String("0"),
				"TenantId":      glassward.String(id),
			} {
				if got := get(name); got != want {
					t.Errorf("%s = %+v, want %+v", name, got, want)
				}
			}
			if r.Source != "workspace:"+id+"/SigninLogs" || r.Provenance != glassward.Pulled {
				t.Errorf("%q %q", r.Source, r.Provenance)
			}
			d, _ := ingest.NewDecoder(strings.NewReader(`{"id":"7d5a1c00-1111-4222-8333-44445555aa00","createdDateTime":"2026-11-05T06:07:08Z","appId":"a","userPrincipalName":"ana@tailspin.example","status":{"errorCode":0}}`), ingest.DecoderOptions{})
			var b ingest.Batch
			if err := d.Next(&b); err != nil || b.Records[0].ID != r.ID {
				t.Errorf("the record has another identity than by Graph: %v", err)
			}
		}
	})
}

const engineError = `{"tables":[{"name":"PrimaryResult","columns":[{"name":"Id","type":"string"}],"rows":[]}],"error":{"code":"PartialError","message":"There were some errors when processing your query.","details":[{"code":"EngineError","message":"Something went wrong processing your query on the server.","innererror":{"code":"-1","message":"shard is away"}}]}}`

// TestPartial holds that an error beside the rows is not "no rows": the window
// stays open, is told, is cut, and is read when the service is well again.
func TestPartial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, rep := newService(t), newStore(), &reports{}
		s.add("SigninLogs", "a", time.Now().Add(-3*time.Hour))
		stop := start(s.source(s, Options{Observe: rep.observe}), st)
		s.pass(time.Minute)
		rep.take()
		s.add("SigninLogs", "b", time.Now())
		s.trouble = func(string, time.Time, time.Time) (int, string) { return 200, engineError }
		s.pass(time.Hour)
		polled, faults, holes := rep.take()
		if len(polled) != 0 || len(faults) < 5 || faults[0].Kind != entra.FaultOutage || !strings.Contains(faults[0].Message, "shard is away") || len(holes) != 0 {
			t.Errorf("%v\n%v\n%v", polled, faults, holes)
		}
		s.trouble = nil
		s.pass(10 * time.Minute)
		if !st.ids()["b"] {
			t.Error("the window was closed by an answer that was not whole")
		}
		// A window that fails for a day is passed over, loudly, and through a restart.
		s.add("SigninLogs", "c", time.Now().Add(time.Hour))
		bad := time.Now().Add(30 * time.Minute)
		s.trouble = func(_ string, from, to time.Time) (int, string) {
			if !from.After(bad) && to.After(bad) {
				return 200, engineError
			}
			return 0, ""
		}
		s.pass(20 * time.Hour)
		_ = stop()
		stop = start(s.source(s, Options{Observe: rep.observe}), st)
		s.pass(8 * time.Hour)
		_, _, holes = rep.take()
		if len(holes) == 0 || holes[0].From.After(bad) || !holes[0].To.After(bad) || holes[0].To.Sub(holes[0].From) > 2*time.Minute {
			t.Errorf("holes %+v", holes)
		}
		if !st.ids()["c"] {
			t.Error("what came after the window was not read")
		}
		_ = stop()
		s.obeyed(t)
	})
}

// TestLimits holds that more rows than an answer holds make smaller windows, and
// that none is lost.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, rep := newService(t), newStore(), &reports{}
		at := time.Now().Add(-5 * time.Hour)
		for i := range 3000 {
			s.add("SigninLogs", fmt.Sprint("x", i), at.Add(time.Duration(i)*20*time.Millisecond))
		}
		stop := start(s.source(s, Options{Observe: rep.observe}), st)
		s.pass(3 * time.Minute)
		_, faults, holes := rep.take()
		if len(st.ids()) != 3000 || len(faults) != 0 || len(holes) != 0 {
			t.Errorf("%d records, %v, %v", len(st.ids()), faults, holes)
		}
		// More of one instant than an answer holds: what is given is kept, and the
		// rest is told.
		for i := range 150 {
			s.add("SigninLogs", fmt.Sprint("y", i), time.Now())
		}
		s.pass(3 * time.Minute)
		_, _, holes = rep.take()
		if len(st.ids()) != 3100 || len(holes) == 0 {
			t.Errorf("%d records, %v", len(st.ids()), holes)
		}
		_ = stop()
		s.obeyed(t)
	})
}

// TestAbsentTable holds that a table that is not there is told, looked for again,
// and read from its beginning when it comes; the others are read meanwhile.
func TestAbsentTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, rep := newService(t), newStore(), &reports{}
		s.add("SigninLogs", "a", time.Now().Add(-time.Hour))
		src := s.source(s, Options{Observe: rep.observe, Tables: []string{"SigninLogs", "AADManagedIdentitySignInLogs"}})
		stop := start(src, st)
		s.pass(2*time.Hour + time.Minute)
		polled, faults, _ := rep.take()
		if len(polled) < 100 || len(faults) != 3 || !strings.Contains(faults[0].Error(), "no table AADManagedIdentitySignInLogs") {
			t.Errorf("%d polls, %v", len(polled), faults)
		}
		s.add("AADManagedIdentitySignInLogs", "m", time.Now().Add(-time.Hour))
		s.pass(time.Hour)
		if got := st.ids(); !got["a"] || !got["m"] {
			t.Errorf("%v", got)
		}
		_ = stop()
		s.obeyed(t)
	})
}

// TestTrouble holds what kinds of trouble are told, and that they pass.
func TestTrouble(t *testing.T) {
	for _, x := range []struct {
		name   string
		status int
		body   string
		kind   entra.FaultKind
	}{
		{"throttled", 429, `{"error":{"code":"ThrottledError","message":"m"}}`, entra.FaultThrottled},
		{"too slow", 504, `{"error":{"code":"GatewayTimeout","message":"m"}}`, entra.FaultOutage},
		{"no right", 403, `{"error":{"code":"InsufficientAccessError","message":"The provided credentials have insufficient access"}}`, entra.FaultConsent},
		{"no data yet", 204, ``, entra.FaultContent},
		{"a page for people", 200, `<html>`, entra.FaultContent},
		{"no tables", 200, `{"value":[]}`, entra.FaultContent},
		{"another semantic error", 400, `{"error":{"code":"BadArgumentError","innererror":{"code":"SemanticError","message":"Failed to resolve 'x'"}}}`, entra.FaultRequest},
	} {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, st, rep := newService(t), newStore(), &reports{}
				s.add("SigninLogs", "a", time.Now().Add(-time.Hour))
				s.trouble = func(string, time.Time, time.Time) (int, string) { return x.status, x.body }
				stop := start(s.source(s, Options{Observe: rep.observe}), st)
				s.pass(10 * time.Minute)
				polled, faults, _ := rep.take()
				if len(polled) != 0 || len(faults) == 0 || len(faults) > 12 || faults[0].Kind != x.kind {
					t.Errorf("%v %v", polled, faults)
				}
				s.trouble = nil
				s.pass(10 * time.Minute)
				if !st.ids()["a"] {
					t.Error("it was not tried again")
				}
				_ = stop()
				s.obeyed(t)
			})
		})
	}
}

// TestClocks holds that windows end in the service's past, whatever our clock
// says.
func TestClocks(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s, st, rep := newService(t), newStore(), &reports{}
			s.skew = skew
			s.trouble = func(_ string, from, to time.Time) (int, string) {
				if s.asked == 1 {
					s.wrong = nil // before the first answer its time is not known
				}
				return 0, ""
			}
			s.add("SigninLogs", "a", s.now().Add(-time.Minute))
			stop := start(s.source(s, Options{Observe: rep.observe}), st)
			s.pass(2 * time.Hour)
			_ = stop()
			if polled, _, _ := rep.take(); !st.ids()["a"] || (polled[0].Offset-skew).Abs() > time.Second {
				t.Errorf("skew %s: %+v", skew, polled[0])
			}
			if skew > 0 {
				s.obeyed(t)
			}
		})
	}
}

// TestNothingLost is the property of the road: whatever fails, however often we
// are stopped, everything that became readable is held after a while, once.
func TestNothingLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			r := rand.New(rand.NewPCG(seed, 1))
			roll := func(n int) int {
				mu.Lock()
				defer mu.Unlock()
				return r.IntN(n)
			}
			s, st, rep := newService(t), newStore(), &reports{}
			s.limit = 5 + roll(20)
			s.trouble = func(string, time.Time, time.Time) (int, string) {
				switch roll(30) {
				case 0:
					return 429, `{}`
				case 1:
					return 504, `{}`
				case 2:
					return 200, engineError
				case 3:
					return 200, `{"tables":[{"name":"PrimaryResult","columns":`
				}
				return 0, ""
			}
			crash := errors.New("killed")
			st.fail = func() (error, error) {
				switch roll(30) {
				case 0:
					return crash, nil
				case 1:
					return nil, crash
				}
				return nil, nil
			}
			src := s.source(s, Options{Observe: rep.observe, First: 12 * time.Hour})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() {
				defer close(done)
				for ctx.Err() == nil {
					life, end := context.WithTimeout(ctx, time.Duration(roll(60)+1)*time.Minute)
					_ = src.Run(life, st, st.emit)
					end()
					select {
					case <-ctx.Done():
					case <-time.After(time.Duration(roll(600)) * time.Second):
					}
				}
			}()
			want := 0
			for range 40 {
				for range 1 + roll(10) {
					now := time.Now()
					x := row{id: fmt.Sprint("r", want), ingested: now}
					if roll(20) == 0 {
						x.visible = now.Add(time.Duration(roll(60)) * time.Second)
					}
					s.mu.Lock()
					s.tables["SigninLogs"] = append(s.tables["SigninLogs"], x)
					s.mu.Unlock()
					want++
					time.Sleep(time.Duration(1+roll(20)) * time.Millisecond)
				}
				time.Sleep(time.Duration(roll(30)) * time.Minute)
			}
			s.pass(8 * time.Hour)
			// What a second look has not come to by now is owed, not lost.
			s.mu.Lock()
			s.trouble = nil
			s.mu.Unlock()
			s.pass(3 * time.Hour)
			cancel()
			<-done
			if got := len(st.records); got != want {
				t.Errorf("%d records are held of %d", got, want)
			}
			if _, _, holes := rep.take(); len(holes) != 0 {
				t.Errorf("holes %v", holes)
			}
			s.obeyed(t)
		})
	})
}

// TestCursorOfAnother holds that a cursor that cannot be read is told, and costs
// nothing but reading again.
func TestCursorOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, rep := newService(t), newStore(), &reports{}
		s.add("SigninLogs", "a", time.Now().Add(-time.Hour))
		st.cursors["workspace:"+id+"/SigninLogs"] = []byte(`{"v":7}`)
		stop := start(s.source(s, Options{Observe: rep.observe}), st)
		s.pass(2 * time.Minute)
		_ = stop()
		if _, f, _ := rep.take(); len(f) != 1 || f[0].Kind != entra.FaultPosition || !st.ids()["a"] {
			t.Errorf("%v", f)
		}
	})
}

// TestOptions holds what New refuses.
func TestOptions(t *testing.T) {
	cloud, _ := entra.LookupCloud("")
	c := entra.NewClient(entra.ClientOptions{Service: entra.LogAnalytics, Cloud: cloud})
	for want, o := range map[string]Options{
		"Workspace ID":    {Tenant: tenant, Workspace: "law-prod", Client: c},
		"tenant's id":     {Workspace: id, Client: c},
		"needs a client":  {Tenant: tenant, Workspace: id},
		"no table \"X\"":  {Tenant: tenant, Workspace: id, Client: c, Tables: []string{"X"}},
		"is named twice":  {Tenant: tenant, Workspace: id, Client: c, Tables: []string{"SigninLogs", "SigninLogs"}},
		"that can be rea": {Tenant: tenant, Workspace: id, Client: c, Tables: []string{"GlasswardAudit"}},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v gives %v", o, err)
		}
	}
	src, err := New(Options{Tenant: tenant, Workspace: strings.ToUpper(id), Client: c})
	if err != nil || src.Name() != "workspace:"+id || !slices.Equal(src.o.Tables, Usual()) {
		t.Errorf("%v %v", src, err)
	}
	var _ ingest.Source = src
}

// FuzzPosition holds that no cursor harms, and that what can be read is written
// and read again as it was.
func FuzzPosition(f *testing.F) {
	f.Add(position{Begun: time.Unix(0, 0), Through: time.Unix(1e9, 0), Size: time.Hour}.text())
	f.Add([]byte(`{"v":1,"begun":"2026-01-01T00:00:00Z","through":"2026-01-02T00:00:00Z","size":-1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := readPosition(text)
		if err != nil {
			return
		}
		if again, err := readPosition(p.text()); err != nil || again != p {
			t.Errorf("%+v\n%+v\n%v", p, again, err)
		}
	})
}

// FuzzAnswer holds that no answer harms: it is read whole, or it is a fault.
func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(answerOf([]row{{id: "a", ingested: time.Unix(1e9, 0)}}, "")))
	f.Add(200, []byte(engineError))
	f.Add(400, []byte(`{"error":{"code":"x","innererror":{"code":"SemanticError","innererror":{"code":"SEM0100","message":"Failed to resolve 'SigninLogs'"}}}}`))
	f.Add(200, []byte(`{"tables":[{"name":"x","columns":[{"name":"a"}],"rows":[1,[2],{}]}]}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			status = 200
		}
		synctest.Test(t, func(t *testing.T) {
			s, st, rep := newService(t), newStore(), &reports{}
			src := s.source(roundTrip(func(r *http.Request) *http.Response {
				return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
			}), Options{Observe: rep.observe, First: time.Hour})
			stop := start(src, st)
			s.pass(3 * time.Minute)
			_ = stop()
			if len(rep.all) == 0 {
				t.Error("nothing is said of it")
			}
		})
	})
}

// roundTrip makes a function a transport.
type roundTrip func(r *http.Request) *http.Response

// RoundTrip calls it.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }
