package acceptance_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"glassward"
	"glassward/entra"
	"glassward/ingest"
	"glassward/ingest/activity"
	"glassward/ingest/eventhub"
	graphroad "glassward/ingest/graph"
	"glassward/ingest/storage"
	"glassward/ingest/workspace"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// A stand is a made-up tenant with its servers, and a store that its roads fill. It
// lives in virtual time.
type stand struct {
	t     *testing.T
	world *entrasim.World
	cloud *cloud.Cloud
	at    cloud.Endpoints
	names entra.Cloud
	wire  *wire
	store *logstore.Store

	secret glassward.Secret // of the tenant's application
	folder string           // of the storage export
	export *cloud.Export
	// exporter is held while the export is written; gone says that its folder is away.
	exporter sync.Mutex
	gone     bool
	often    time.Duration
	long     bool // every stream and table, as often as in life

	mu        sync.Mutex
	dice      *rand.Rand
	reports   []ingest.Report
	conflicts []logstore.Conflict
	rejects   []ingest.Reject
	records   int // handed over by the sources, repeats among them
	emits     int
	killed    int
	restarts  int
	keys      []string // of the cursors
	lose      bool     // they are overwritten at the next start
	killIn    int      // emits until one is killed behind its commit; 0: never
}

// newStand makes a tenant that lives from now on. Call it in a bubble; dir is a
// folder of its own.
func newStand(t *testing.T, dir string, o entrasim.Options, c cloud.Options) *stand {
	t.Helper()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Start = time.Now()
	world := entrasim.NewWorld(o)
	world.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "s3cret", From: o.Start.Add(-time.Hour), To: o.Start.AddDate(1, 0, 0)})
	c.Worlds = append(c.Worlds, world)
	s := &stand{t: t, world: world, cloud: cloud.New(c), secret: glassward.Secret("file:" + secret), folder: filepath.Join(dir, "export"), dice: rand.New(rand.NewPCG(o.Seed, 7))}
	client, at := s.cloud.Pipe()
	s.at = at
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(at.CA)
	s.wire = &wire{next: client.Transport, hubs: s.cloud.DialHubs, pool: pool, dice: rand.New(rand.NewPCG(o.Seed, 8))}
	s.names, _ = entra.LookupCloud("")
	s.names.Authority, s.names.Graph, s.names.Activity, s.names.LogAnalytics = at.Authority, at.Graph, at.Activity, at.LogAnalytics
	var err error
	options := logstore.Options{Threads: 1, Memory: 512 << 20}
	if long() {
		// In memory nothing that is written over is ever freed.
		s.store, err = logstore.Open(context.Background(), filepath.Join(dir, "store"), options)
	} else {
		s.store, err = logstore.OpenMemory(context.Background(), options)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// close ends everything; a bubble must not be left while something runs in it.
func (s *stand) close() {
	if err := s.store.Close(); err != nil {
		s.t.Error(err)
	}
	s.wire.next.(*http.Transport).CloseIdleConnections()
	s.cloud.Close()
}

func (s *stand) tenant() string { return s.world.Tenant().ID }

// client makes what a source asks a service with, new each time, as after a
// restart of the process.
func (s *stand) client(service entra.Service) *entra.Client {
	return entra.NewClient(entra.ClientOptions{Service: service, Cloud: s.names, Credential: s.credential(), HTTP: &http.Client{Transport: s.wire}})
}

func (s *stand) credential() *entra.Credential {
	c, err := entra.NewCredential(entra.CredentialOptions{Cloud: s.names, Tenant: s.tenant(), ClientID: entrasim.GlasswardApp,
		ClientSecret: s.secret, HTTP: &http.Client{Transport: s.wire}})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *stand) observe(r ingest.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Polled == nil {
		s.reports = append(s.reports, r)
	}
}

// faults and holes give what was said so far, in words.
func (s *stand) faults() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.reports {
		if r.Fault != nil {
			out = append(out, r.Stream+": "+r.Fault.Error())
		}
	}
	return out
}

func (s *stand) holes() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.reports {
		if r.Hole != nil {
			out = append(out, r.Stream+": "+r.Hole.What)
		}
	}
	return out
}

var errKilled = errors.New("killed between the commit and the word of it")

// takeIn gives the way into the store, as the daemon does it: rows and cursor
// together, and what is marked Bulk by whole blocks.
func (s *stand) takeIn() ingest.Bulk {
	load := s.store.Load()
	note := func(b *ingest.Batch, at *ingest.Cursor, c logstore.Committed, err error) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.emits++
		if at != nil && !slices.Contains(s.keys, at.Source) {
			s.keys = append(s.keys, at.Source)
		}
		if err != nil {
			return err
		}
		s.records += len(b.Records)
		s.rejects = append(s.rejects, b.Rejects...)
		s.conflicts = append(s.conflicts, c.Conflicts...)
		if s.killIn > 0 {
			if s.killIn--; s.killIn == 0 {
				s.killed++
				return errKilled
			}
		}
		return nil
	}
	batch := func(b *ingest.Batch, c *ingest.Cursor) logstore.Batch {
		out := logstore.Batch{Records: b.Records}
		if c != nil {
			out.Cursor = &logstore.Cursor{Source: c.Source, Position: c.Position}
		}
		return out
	}
	one := func(ctx context.Context, b *ingest.Batch, c *ingest.Cursor) error {
		done, err := s.store.Append(ctx, batch(b, c))
		return note(b, c, done, err)
	}
	bulk := func(ctx context.Context, b *ingest.Batch, c *ingest.Cursor) error {
		done, err := load.Add(ctx, batch(b, c))
		return note(b, c, done, err)
	}
	return ingest.Bulk{Append: one, Load: bulk, Flush: load.Flush, Records: 50_000}
}

// run travels a road until a moment. Every hour, and each time that it is killed,
// the source begins anew from its cursors.
func (s *stand) run(open func(*stand) (ingest.Source, error), until time.Time) {
	s.t.Helper()
	for time.Now().Before(until) {
		source, err := open(s)
		if err != nil {
			s.t.Error(err)
			return
		}
		s.mu.Lock()
		s.restarts++
		s.killIn = 0
		keys := s.keys
		if !s.lose {
			keys = nil
		}
		s.lose = false
		if s.dice.IntN(2) == 0 {
			s.killIn = 1 + s.dice.IntN(60)
		}
		s.mu.Unlock()
		for _, k := range keys {
			// No source accepts this.
			if _, err := s.store.Append(context.Background(), logstore.Batch{Cursor: &logstore.Cursor{Source: k, Position: []byte(`{"version":9,"offset":-3`)}}); err != nil {
				s.t.Error(err)
			}
		}
		life := time.Hour
		if left := time.Until(until); left < life {
			life = left
		}
		ctx, cancel := context.WithTimeout(context.Background(), life)
		err = s.takeIn().Run(ctx, source, s.store)
		ended := ctx.Err() != nil
		cancel()
		if !ended && !errors.Is(err, errKilled) {
			s.t.Errorf("%s ended by itself: %v", source.Name(), err)
			return
		}
	}
}

// A wire carries requests to the servers. It counts them, and spoils a share of
// the answers in each of the ways in which answers are spoilt.
type wire struct {
	next http.RoundTripper
	hubs func(ctx context.Context, network, address string) (net.Conn, error)
	pool *x509.CertPool

	mu       sync.Mutex
	dice     *rand.Rand
	share    float64
	down     bool // nothing comes through
	requests int
	spoilt   int
	conns    map[*conn]bool
}

// spoils counts a request and says in which way it is to be spoilt, 0 for none.
func (w *wire) spoils() (way int, down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests++
	if w.dice.Float64() >= w.share {
		return 0, w.down
	}
	w.spoilt++
	return 1 + w.dice.IntN(6), w.down
}

// RoundTrip asks, or does not.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	way, down := w.spoils()
	say := func(status int, kind, body string) (*http.Response, error) {
		if r.Body != nil {
			r.Body.Close()
		}
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Content-Type": {kind}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}, nil
	}
	switch {
	case down:
		return say(http.StatusServiceUnavailable, "application/json", `{"error":{"code":"serviceNotAvailable","message":"The service is temporarily unavailable."}}`)
	case way == 1:
		return say(http.StatusInternalServerError, "application/json", `{"error":{"code":"UnknownError","message":""}}`)
	case way == 2:
		return say(http.StatusOK, "text/html; charset=utf-8", "<!DOCTYPE html><html><body>Please sign in to the proxy.</body></html>")
	case way == 3:
		return say(http.StatusGatewayTimeout, "text/plain", "upstream request timeout")
	case way == 4:
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	}
	resp, err := w.next.RoundTrip(r)
	if err != nil || way == 0 {
		return resp, err
	}
	// Half of the answer comes, or all of it but the last byte.
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	cut := len(body) / 2
	if way == 6 {
		cut = max(0, len(body)-1)
	}
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:cut]), brokenReader{}))
	return resp, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// dial connects to the hubs.
func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
	}
	c, err := w.hubs(ctx, network, address)
	if err != nil {
		return nil, err
	}
	out := &conn{c, w}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns == nil {
		w.conns = map[*conn]bool{}
	}
	w.conns[out] = true
	return out, nil
}

// cut lets nothing through, or everything again.
func (w *wire) cut(down bool) {
	w.mu.Lock()
	w.down = down
	conns := w.conns
	w.conns = nil
	w.mu.Unlock()
	for c := range conns {
		c.Close()
	}
}

// A conn is a connection to the hubs that breaks now and then.
type conn struct {
	net.Conn
	w *wire
}

// Write sends what is about one request.
func (c *conn) Write(b []byte) (int, error) {
	if way, _ := c.w.spoils(); way > 0 {
		c.Close()
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: errors.New("broken pipe")}
	}
	return c.Conn.Write(b)
}

// A way is a road as it is tried here.
type way struct {
	road entrasim.Road
	open func(*stand) (ingest.Source, error)
	// form is an event as the road writes it, in its last version, for the
	// comparison.
	form func(*entrasim.Event) []byte
	// mixed says that other roads fill the store too, so that its records hold what
	// all of them say.
	mixed bool
	// disorder says that the first version of a record may be read behind the fuller
	// one, and nothing in it says that it is the older: partitions know no order among
	// each other after a pause, a file may be written anew, a clock may jump.
	disorder bool
	// rest is how long after the last record became visible the source may need to
	// look for it.
	rest time.Duration
}

func row(e *entrasim.Event) []byte {
	b, err := json.Marshal(e.Row(e.Versions()))
	if err != nil {
		panic(err) // plain values always encode
	}
	return b
}

func diagnostic(e *entrasim.Event) []byte { return e.Diagnostic(e.Versions()) }

func (s *stand) openGraph() (ingest.Source, error) {
	var streams []graphroad.Stream // all
	if !s.long {
		streams = []graphroad.Stream{graphroad.InteractiveSignIns, graphroad.DirectoryAudits, graphroad.RiskDetections, graphroad.RiskyUsers}
	}
	return graphroad.New(graphroad.Options{Tenant: s.tenant(), Client: s.client(entra.Graph), Streams: streams, Observe: s.observe,
		Accounts: graphroad.Accounts{Users: []string{entrasim.EA01, entrasim.EA02}}})
}

func (s *stand) contents() []string {
	if s.long {
		return []string{activity.AzureActiveDirectory, activity.General, activity.Exchange, activity.SharePoint}
	}
	return []string{activity.AzureActiveDirectory, activity.General}
}

func (s *stand) openActivity() (ingest.Source, error) {
	return activity.New(activity.Options{Tenant: s.tenant(), Client: s.client(entra.Activity), Observe: s.observe, Contents: s.contents()})
}

func (s *stand) openHub() (ingest.Source, error) {
	return eventhub.New(eventhub.Options{Tenant: s.tenant(), Namespace: s.at.Hubs[s.tenant()], Credential: s.credential(),
		Dial: s.wire.dial, TLS: &tls.Config{RootCAs: s.wire.pool}, Observe: s.observe})
}

// every is how often a road is asked that can be told.
func (s *stand) every(usual time.Duration) time.Duration {
	switch {
	case s.long:
		return 0 // as in life
	case s.often > 0:
		return s.often
	}
	return usual
}

func (s *stand) openStorage() (ingest.Source, error) {
	return storage.New(storage.Options{Tenant: s.tenant(), Folder: s.folder, Poll: s.every(30 * time.Minute), Observe: s.observe})
}

// everyTable are the tables of all kinds of events.
func everyTable() []string {
	var out []string
	for k := entrasim.InteractiveSignIn; k <= entrasim.CloudAppEvent; k++ {
		out = append(out, k.Table())
	}
	return out
}

func (s *stand) openWorkspace() (ingest.Source, error) {
	return workspace.New(workspace.Options{Tenant: s.tenant(), Workspace: entrasim.Workspaces(s.tenant()), Client: s.client(entra.LogAnalytics),
		Tables: everyTable(), Every: s.every(time.Hour), Observe: s.observe})
}

// A size is how long and how full the life of a tenant is.
type size struct {
	days  float64
	users int
}

// TestAWeekByEveryRoad lets a tenant live, late, repeating itself and with outages,
// and reads it by each road, with spoilt answers, a restart an hour and deaths
// between a commit and the word of it. Then the store holds what the tenant made:
// by id nothing is missing, nothing stands twice, nothing is invented, and each
// record says what its fullest version says.
//
// So that this is done in seconds the roads that are asked most often see fewer
// days, fewer streams or longer pauses, and nobody reads while only late records
// are on their way. GLASSWARD_LONG=1 takes the whole week, of two hundred people
// and with every stream as in life, which takes minutes a road.
func TestAWeekByEveryRoad(t *testing.T) {
	type life struct {
		way
		size
	}
	for _, w := range part([]life{
		{way{road: entrasim.Graph, open: (*stand).openGraph, rest: 5 * time.Hour,
			form: func(e *entrasim.Event) []byte { return e.Graph(e.Versions()) }}, size{0.8, 400}},
		{way{road: entrasim.Activity, open: (*stand).openActivity, rest: 2 * time.Hour, form: (*entrasim.Event).Activity}, size{1, 200}},
		{way{road: entrasim.EventHub, open: (*stand).openHub, rest: time.Hour, form: diagnostic}, size{0.5, 150}},
		{way{road: entrasim.Storage, open: (*stand).openStorage, rest: time.Hour, form: diagnostic}, size{0.6, 150}},
		{way{road: entrasim.Workspace, open: (*stand).openWorkspace, rest: time.Hour,
			form: row}, size{1, 120}},
	}, 2) {
		t.Run(w.road.String(), func(t *testing.T) {
			t.Parallel()
			began, dir := time.Now(), t.TempDir()
			switch {
			case long():
				w.size, w.rest = size{7, 200}, 26*time.Hour
			case racing:
				w.size.users /= 3
			}
			synctest.Test(t, func(t *testing.T) { aWeek(t, w.way, w.size, dir) })
			t.Logf("took %v", time.Since(began).Round(time.Millisecond))
		})
	}
}

// long says that the tests take their time.
func long() bool { return os.Getenv("GLASSWARD_LONG") != "" }

// aWeek lives through one road's days.
func aWeek(t *testing.T, w way, z size, dir string) {
	// A Monday: the bubble's time begins with a weekend.
	time.Sleep(2 * 24 * time.Hour)
	start := time.Now()
	day := func(share float64) time.Time {
		return start.Add(time.Duration(share * z.days * float64(24*time.Hour)))
	}
	servers := cloud.Options{Seed: 5, Tick: 10 * time.Minute, Partitions: 2}
	if long() {
		servers.Tick, servers.Partitions = 10*time.Second, 4
	}
	rates := entrasim.Normal()
	// Small offices have few of these; some are wanted.
	rates.Provisioning, rates.Risk, rates.CloudApp = rates.Provisioning+40, rates.Risk+30, rates.CloudApp+100
	s := newStand(t, dir, entrasim.Options{Seed: 20 + uint64(w.road), Users: z.users, Rates: &rates, Late: 0.01, Repeated: 0.01,
		// For three hours the road shows nothing.
		Outages: []entrasim.Outage{{Road: w.road, From: day(0.2), To: day(0.2).Add(3 * time.Hour)}}},
		servers)
	defer s.close()
	s.long = long()
	s.wire.share = 0.001
	s.cloud.Faults().EmptyPages(7)
	if w.road == entrasim.EventHub {
		s.cloud.Faults().Hubs(s.tenant(), cloud.HubTricks{Heartbeat: 0.02, Bare: 0.02, Repeat: 0.01})
	}
	s.cloud.Faults().Blobs(s.tenant(), cloud.BlobTricks{Late: 0.01, LateBy: 5 * time.Hour, EqualCreated: true, Partial: 0.01, PartialFor: 20 * time.Minute})
	ctx, stop := context.WithCancel(context.Background())
	var aside sync.WaitGroup
	defer aside.Wait()
	defer stop()
	if w.road == entrasim.Storage {
		s.exporting(ctx, &aside)
	}
	// For four hours the service is away.
	aside.Go(func() {
		for _, down := range []bool{true, false} {
			at := day(0.45)
			if !down {
				at = at.Add(4 * time.Hour)
			}
			select {
			case <-time.After(time.Until(at)):
				s.away(down)
			case <-ctx.Done():
				return
			}
		}
	})
	s.run(w.open, day(0.7))
	// For five hours we are.
	time.Sleep(5 * time.Hour)
	s.run(w.open, day(1))
	s.world.Quiet()
	time.Sleep(time.Hour)
	s.world.Advance(time.Now())
	last := s.world.Settled()
	if !long() {
		time.Sleep(time.Until(last.Add(-time.Hour)))
	}
	s.run(w.open, last.Add(w.rest))
	stop()
	aside.Wait()

	late, repeated := 0, 0
	seen := map[string]bool{}
	for _, a := range s.world.Appearances(w.road, time.Time{}, time.Now()) {
		if a.At.Sub(a.Event.At) > time.Hour {
			late++
		}
		key := fmt.Sprint(a.Event.Key(), a.Event.Kind, a.Version)
		if seen[key] {
			repeated++
		}
		seen[key] = true
	}
	n := s.compare(w)
	t.Logf("%s: %v days, %d people, %d records in the store; %d came late, %d were repeated; %d requests, %d spoilt; %d starts, %d deaths, %d commits of %d records; %d faults told",
		w.road, z.days, z.users, n, late, repeated, s.wire.requests, s.wire.spoilt, s.restarts, s.killed, s.emits, s.records, len(s.faults()))
	if holes := s.holes(); len(holes) > 0 {
		t.Errorf("%d holes are told, the first: %s", len(holes), holes[0])
	}
	if len(s.conflicts) > 0 {
		t.Errorf("%d conflicts are told, the first: %+v", len(s.conflicts), s.conflicts[0])
	}
	if len(s.rejects) > 0 {
		t.Errorf("%d rejects, the first: %s: %s", len(s.rejects), s.rejects[0].Reason, s.rejects[0].Raw)
	}
	if n < few(1000) || late == 0 || repeated == 0 || s.killed == 0 || len(s.faults()) == 0 {
		t.Error("too calm a life to show anything")
	}
}

// exporting writes the storage export beside.
func (s *stand) exporting(ctx context.Context, aside *sync.WaitGroup) {
	var err error
	if err = os.MkdirAll(s.folder, 0o755); err == nil {
		s.export, err = s.cloud.Export(s.tenant(), s.folder, cloud.ExportTricks{Torn: true, After: 6 * time.Minute})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	dice := rand.New(rand.NewPCG(1, 9))
	aside.Go(func() {
		for ctx.Err() == nil {
			s.exporter.Lock()
			if !s.gone {
				if err := s.export.Advance(); err != nil {
					s.t.Error(err)
				}
				if files := s.export.Files(); len(files) > 0 && dice.IntN(1000) == 0 {
					// A copying tool writes a file anew.
					if err := s.export.Rewrite(files[dice.IntN(len(files))]); err != nil {
						s.t.Error(err)
					}
				}
			}
			s.exporter.Unlock()
			select {
			case <-time.After(20 * time.Minute):
			case <-ctx.Done():
			}
		}
		// What was torn is completed.
		for range 2 {
			if err := s.export.Advance(); err != nil {
				s.t.Error(err)
			}
		}
	})
}

// away takes the services away, or the folder.
func (s *stand) away(down bool) {
	s.wire.cut(down)
}

// rowsOf gives the rows of a table by key: Entra's id, of risky users with the
// time. The cells that say how a row came here are left out.
func rowsOf(t *testing.T, store *logstore.Store, table string) map[string][]map[string]any {
	t.Helper()
	p, list := kql.Compile(table, kql.Options{Catalog: schema.Default().Catalog(), File: table})
	if list.HasErrors() {
		t.Fatalf("%s does not compile: %v", table, list)
	}
	r, err := store.Run(context.Background(), p, kql.Bind{Now: value.FromTime(time.Now())}, logstore.Limits{MaxBytes: 1 << 30, Timeout: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if r.Truncated {
		t.Fatalf("%s has more rows than can be looked at", table)
	}
	out := map[string][]map[string]any{}
	for _, cells := range r.Rows {
		row := map[string]any{}
		for i, c := range r.Columns {
			row[c.Name] = cells[i]
		}
		for _, own := range []string{"_TimeReceived", "_Source", "_Provenance"} {
			delete(row, own)
		}
		key := ""
		for _, name := range []string{"Id", "ReportId", "OfficeId"} {
			if id, _ := row[name].(string); id != "" && key == "" {
				key = id
			}
		}
		if table == "AADRiskyUsers" {
			key += fmt.Sprint("/", row["RiskLastUpdatedDateTime"])
		}
		out[key] = append(out[key], row)
	}
	return out
}

// asked says whether an event is in what the sources ask for.
func (s *stand) asked(r entrasim.Road, e *entrasim.Event) bool {
	switch r {
	case entrasim.Activity:
		return slices.Contains(s.contents(), e.Content())
	case entrasim.Graph:
		return s.long || e.Kind == entrasim.InteractiveSignIn || e.Kind >= entrasim.DirectoryAudit && e.Kind != entrasim.Provisioning
	}
	return true
}

// truth is a store that was given each event once, in its fullest version, as the
// road writes it.
func (s *stand) truth(w way) (*logstore.Store, []*entrasim.Event) {
	s.t.Helper()
	store, err := logstore.OpenMemory(context.Background(), logstore.Options{Threads: 1, Memory: 512 << 20})
	if err != nil {
		s.t.Fatal(err)
	}
	var events []*entrasim.Event
	var text bytes.Buffer
	for _, e := range s.world.Events() {
		if e.On(w.road) && s.asked(w.road, e) {
			events = append(events, e)
			text.Write(w.form(e))
			text.WriteByte('\n')
		}
	}
	stream := ingest.NewStream("truth", &text, ingest.DecoderOptions{Source: "truth", Provenance: glassward.Pulled, Tenant: s.tenant()})
	err = stream.Run(context.Background(), nil, func(ctx context.Context, b *ingest.Batch, _ *ingest.Cursor) error {
		if len(b.Rejects) > 0 {
			s.t.Fatalf("what %s writes is refused: %s: %s", w.road, b.Rejects[0].Reason, b.Rejects[0].Raw)
		}
		_, err := store.Append(ctx, logstore.Batch{Records: b.Records})
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return store, events
}

// compare holds the store against what the tenant made, and gives how many records
// it holds.
func (s *stand) compare(w way) (n int) {
	s.t.Helper()
	truth, events := s.truth(w)
	defer truth.Close()
	made := 0
	tables := append(everyTable(), "OfficeActivity")
	// Of a risky user Graph shows the present state alone: earlier ones may have gone
	// unseen.
	passing := map[string]bool{}
	if w.road == entrasim.Graph {
		latest := map[string]time.Time{}
		for _, e := range events {
			if e.Kind == entrasim.RiskyUser && e.At.After(latest[e.ID]) {
				latest[e.ID] = e.At
			}
		}
		for _, e := range events {
			if e.Kind == entrasim.RiskyUser && e.At.Before(latest[e.ID]) {
				passing[e.ID] = true
			}
		}
	}
	twice, older := map[string]bool{}, 0
	for _, e := range events {
		twice[e.ID] = twice[e.ID] || e.Versions() > 1
	}
	for _, table := range tables {
		have, want := rowsOf(s.t, s.store, table), rowsOf(s.t, truth, table)
		made += len(want)
		wrong := map[string]int{}
		say := func(what, key string, more ...any) {
			if wrong[what]++; wrong[what] <= 3 {
				s.t.Errorf("%s: %s is %s %v", table, key, what, fmt.Sprint(more...))
			}
		}
		for key, rows := range want {
			if len(rows) != 1 {
				s.t.Fatalf("%s: the truth knows %s %d times", table, key, len(rows))
			}
			id, _, _ := strings.Cut(key, "/")
			switch got := have[key]; {
			case len(got) == 0 && table == "AADRiskyUsers" && passing[id]:
			case len(got) == 0:
				say("missing", key, s.shown(w, id))
			case len(got) > 1:
				say("there more than once", key, len(got))
			default:
				n++
				for name := range rows[0] {
					if w.mixed {
						break
					}
					if table == "AADUserRiskEvents" && (name == "TimeGenerated" || name == "LastUpdatedDateTime") {
						continue // a record keeps the times of its first version
					}
					if !reflect.DeepEqual(got[0][name], rows[0][name]) {
						if w.disorder && twice[id] {
							older++
							break
						}
						say("other than its fullest version", key, name, ": ", got[0][name], " instead of ", rows[0][name])
						break
					}
				}
			}
		}
		for key, rows := range have {
			if want[key] == nil {
				say("there and was never made", key, rows[0]["TimeGenerated"])
			}
		}
		for _, what := range slices.Sorted(maps.Keys(wrong)) {
			s.t.Errorf("%s: of %d records %d are %s", table, len(want), wrong[what], what)
		}
	}
	if older > 0 {
		s.t.Logf("%d records ended as their first version, which was read behind the fuller one", older)
	}
	if older > max(5, n/200) {
		s.t.Errorf("%d of %d records ended as their first version", older, n)
	}
	if made != len(events) {
		s.t.Errorf("the tenant made %d events, and the truth has %d records", len(events), made)
	}
	return n
}

// shown tells when a road showed an event.
func (s *stand) shown(w way, id string) string {
	var out []string
	for _, a := range s.world.Appearances(w.road, time.Time{}, time.Now()) {
		if a.Event.ID == id {
			out = append(out, fmt.Sprintf("version %d of %s, shown %v later", a.Version, a.Event.At.Format(time.RFC3339), a.At.Sub(a.Event.At).Round(time.Second)))
		}
	}
	return fmt.Sprint(out)
}
