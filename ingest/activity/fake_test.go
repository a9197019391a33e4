package activity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"glassward"
	"glassward/entra"
	"glassward/ingest"
)

const (
	tenant = "2c6f3f0e-4d19-4c57-9f3f-6f1f5d8a7b10"
	feed   = "/api/v1.0/" + tenant + "/activity/feed/"
	root   = "https://manage.example"
)

// service is a strict Management Activity API in memory: what the real one would
// refuse is refused.
type service struct {
	t    *testing.T
	mu   sync.Mutex
	skew time.Duration // its clock minus ours

	subs     map[string]string // content type → enabled, disabled; absent is stopped
	auditOff bool
	blobs    []*content
	perPage  int
	trouble  func(r *http.Request) (status int, body string) // nil or status 0: none
	link     func(u *url.URL, page int) (header, link string)

	starts   []time.Time
	requests int
	passed   time.Duration
	wrong    []string // what was asked against the rules
	fetched  map[string]int
}

// content is a blob of the service.
type content struct {
	id      string
	kind    string
	created time.Time
	listed  time.Time // when it begins to be listed; zero is created
	records []string  // ids
	partial int       // until an hour after created only so many are in it
	body    string    // instead of records
	status  int       // instead of 200
	code    string
	tenant  string // of its records
}

func newService(t *testing.T) *service {
	return &service{t: t, subs: map[string]string{}, perPage: 3, fetched: map[string]int{}}
}

func (s *service) now() time.Time { return time.Now().Add(s.skew).UTC() }

func (s *service) add(c *content) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.kind == "" {
		c.kind = AzureActiveDirectory
	}
	s.blobs = append(s.blobs, c)
}

// RoundTrip makes the service a transport.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	s.mu.Lock()
	w.Header().Set("Date", s.now().Format(http.TimeFormat))
	s.serve(w, r)
	s.mu.Unlock()
	return w.Result(), nil
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body, _ := json.Marshal(map[string]any{"error": map[string]string{"code": code, "message": message}})
	_, _ = w.Write(body)
}

func (s *service) rule(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

func (s *service) serve(w http.ResponseWriter, r *http.Request) {
	s.requests++
	q := r.URL.Query()
	if q.Get("PublisherIdentifier") != tenant {
		s.rule("no publisher: %s", r.URL)
	}
	path, ok := strings.CutPrefix(strings.Replace(r.URL.Path, "/api/v1/", "/api/v1.0/", 1), feed)
	if !ok || r.URL.Host != "manage.example" {
		s.rule("outside the feed: %s", r.URL)
		refuse(w, 404, "AF20010", "tenant mismatch")
		return
	}
	if s.trouble != nil {
		if status, body := s.trouble(r); status != 0 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return
		}
	}
	kind := q.Get("contentType")
	switch {
	case path == "subscriptions/list" && r.Method == "GET":
		list := []map[string]any{}
		for k, status := range s.subs {
			list = append(list, map[string]any{"contentType": k, "status": status, "webhook": nil})
		}
		_ = json.NewEncoder(w).Encode(list)
	case path == "subscriptions/start" && r.Method == "POST":
		if n := len(s.starts); n > 0 && s.now().Sub(s.starts[n-1]) < 15*time.Minute {
			s.rule("a start %s after the one before", s.now().Sub(s.starts[n-1]))
		}
		s.starts = append(s.starts, s.now())
		if s.auditOff {
			refuse(w, 400, "StartSubscription [CorrId=x][TenantId="+tenant+",ContentType="+kind+"][AppId",
				"failed. Exception: Microsoft.Office.Compliance.Audit.DataServiceException: Tenant "+tenant+" does not exist.\r\n   at X")
			return
		}
		if s.subs[kind] == "enabled" {
			refuse(w, 400, "AF20024", "The subscription is already enabled.")
			return
		}
		s.subs[kind] = "enabled"
		_ = json.NewEncoder(w).Encode(map[string]any{"contentType": kind, "status": "enabled", "webhook": nil})
	case path == "subscriptions/content" && r.Method == "GET":
		s.list(w, r, kind)
	case strings.HasPrefix(path, "audit/") && r.Method == "GET":
		s.blob(w, strings.TrimPrefix(path, "audit/"))
	default:
		s.rule("%s %s", r.Method, r.URL)
		refuse(w, 404, "AF20000", "no such thing")
	}
}

func (s *service) list(w http.ResponseWriter, r *http.Request, kind string) {
	switch s.subs[kind] {
	case "enabled":
	case "":
		refuse(w, 400, "AF20022", "No subscription found for the specified content type")
		return
	default:
		refuse(w, 400, "AF20023", "The subscription was disabled by a tenant or service admin.")
		return
	}
	q := r.URL.Query()
	from, err1 := time.Parse("2006-01-02T15:04:05", q.Get("startTime"))
	to, err2 := time.Parse("2006-01-02T15:04:05", q.Get("endTime"))
	now := s.now()
	switch {
	case err1 != nil || err2 != nil:
		s.rule("times: %s", r.URL)
		refuse(w, 400, "AF20030", "Start time and end time must both be specified")
		return
	case to.Sub(from) > 24*time.Hour || !from.Before(to) || from.Before(now.Add(-7*24*time.Hour)) || to.After(now):
		s.rule("window %s to %s at %s", from, to, now)
		refuse(w, 400, "AF20055", "Start time and end time must be within 24 hours")
		return
	}
	var all []*content
	for _, c := range s.blobs {
		if c.kind == kind && !c.created.Before(from) && c.created.Before(to) && !c.listed.After(now) && !c.created.After(now) {
			all = append(all, c)
		}
	}
	page := 0
	if n := q.Get("nextPage"); n != "" {
		_, _ = fmt.Sscan(n, &page)
	}
	part := all[min(page*s.perPage, len(all)):]
	if len(part) > s.perPage {
		part = part[:s.perPage]
		u := *r.URL
		v := u.Query()
		v.Set("nextPage", fmt.Sprint(page+1))
		v.Del("PublisherIdentifier")
		u.RawQuery = v.Encode()
		// The sample's link says v1, and the header has two names.
		u.Path = strings.Replace(u.Path, "/v1.0/", "/v1/", 1)
		header, link := "NextPageUri", u.String()
		if page%2 == 1 {
			header = "nextpageurl"
		}
		if s.link != nil {
			header, link = s.link(&u, page)
		}
		w.Header().Set(header, link)
	}
	list := []map[string]string{}
	for _, c := range part {
		list = append(list, map[string]string{
			"contentType": c.kind, "contentId": c.id, "contentUri": root + feed + "audit/" + c.id,
			"contentCreated": c.created.Format("2006-01-02T15:04:05.000Z"), "contentExpiration": c.created.Add(7 * 24 * time.Hour).Format("2006-01-02T15:04:05.000Z"),
		})
	}
	_ = json.NewEncoder(w).Encode(list)
}

func (s *service) blob(w http.ResponseWriter, id string) {
	s.fetched[id]++
	for _, c := range s.blobs {
		if c.id != id {
			continue
		}
		switch {
		case c.status != 0:
			refuse(w, c.status, c.code, "no")
		case s.now().After(c.created.Add(7 * 24 * time.Hour)):
			refuse(w, 400, "AF20051", "Content requested with the key has already expired.")
		case c.body != "":
			_, _ = io.WriteString(w, c.body)
		default:
			records := c.records
			if c.partial > 0 && s.now().Sub(c.created) < time.Hour {
				records = records[:c.partial]
			}
			_, _ = io.WriteString(w, recordsOf(records, c.created, c.tenant))
		}
		return
	}
	refuse(w, 404, "AF20050", "The specified content does not exist.")
}

func recordsOf(ids []string, created time.Time, of string) string {
	if of == "" {
		of = tenant
	}
	var b bytes.Buffer
	b.WriteString("[")
	for i, id := range ids {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"CreationTime":%q,"Id":%q,"Operation":"UserLoggedIn","OrganizationId":%q,"RecordType":15,"UserId":"ana@tailspin.example","ErrorNumber":"0"}`,
			created.Add(-time.Hour).Format("2006-01-02T15:04:05"), id, of)
	}
	b.WriteString("]")
	return b.String()
}

// store keeps what is emitted as the log store does: rows and cursor together.
type store struct {
	mu      sync.Mutex
	ids     map[glassward.RecordID]string
	cursors map[string][]byte
	rows    int
	rejects int
	commits int
	fail    func(commit int) (before, after error)
}

func newStore() *store {
	return &store{ids: map[glassward.RecordID]string{}, cursors: map[string][]byte{}}
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
	if err := ctx.Err(); err != nil {
		return err
	}
	s.commits++
	var after error
	if s.fail != nil {
		var before error
		if before, after = s.fail(s.commits); before != nil {
			return before
		}
	}
	for _, r := range b.Records {
		if r.Source != c.Source || r.Provenance != glassward.Pulled {
			return fmt.Errorf("a record of %q, %q under the cursor %q", r.Source, r.Provenance, c.Source)
		}
		s.ids[r.ID] = r.EntraID
		s.rows++
	}
	s.rejects += len(b.Rejects)
	s.cursors[c.Source] = bytes.Clone(c.Position)
	b.Reset()
	return after
}

func (s *store) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, have := range s.ids {
		if have == id {
			return true
		}
	}
	return false
}

// reports keeps what a source says.
type reports struct {
	mu  sync.Mutex
	all []ingest.Report
}

func (r *reports) observe(x ingest.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, x)
}

func (r *reports) holes() (all []ingest.Hole) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.all {
		if x.Hole != nil {
			all = append(all, *x.Hole)
		}
	}
	return all
}

// faults gives the faults since the last call.
func (r *reports) faults() (all []*entra.Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.all {
		var f *entra.Fault
		if errors.As(x.Fault, &f) {
			all = append(all, f)
		}
	}
	r.all = nil
	return all
}

func (r *reports) last() *ingest.Polled {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.all) - 1; i >= 0; i-- {
		if r.all[i].Polled != nil {
			return r.all[i].Polled
		}
	}
	return nil
}

func (s *service) source(o Options) *Source {
	s.t.Helper()
	cloud, _ := entra.LookupCloud("")
	cloud.Activity = root
	o.Tenant = tenant
	o.Client = entra.NewClient(entra.ClientOptions{Service: entra.Activity, Cloud: cloud, HTTP: &http.Client{Transport: s}})
	if len(o.Contents) == 0 {
		o.Contents = []string{AzureActiveDirectory}
	}
	src, err := New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return src
}

// start runs a source in the background; stop ends it and waits.
func start(t *testing.T, src *Source, st *store) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, st, st.emit) }()
	return func() error {
		cancel()
		return <-done
	}
}

func (s *service) obeyed(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range s.wrong {
		if i == 10 {
			break
		}
		t.Errorf("against the service's rules: %s", w)
	}
}

func ids(prefix string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%s-%04d", prefix, i))
	}
	return all
}

// dice are rolled by several goroutines.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newDice(seed uint64) *dice { return &dice{r: rand.New(rand.NewPCG(seed, 1))} }

// IntN gives a number below n.
func (d *dice) IntN(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

func chance(d *dice, percent int) bool { return d.IntN(100) < percent }

// roundTrip makes a function a transport.
type roundTrip func(r *http.Request) *http.Response

// RoundTrip calls it.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

func response(status int, h http.Header, body []byte) *http.Response {
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
}

// pass lets time pass, and waits until whatever woke meanwhile is done. What the
// test changed of the service before, it knows afterwards.
func (s *service) pass(d time.Duration) {
	s.mu.Lock()
	s.passed += d
	s.mu.Unlock()
	time.Sleep(d)
	synctest.Wait()
}
