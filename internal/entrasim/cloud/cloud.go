// Package cloud serves made-up tenants as Microsoft serves real ones: the token
// endpoint, Microsoft Graph, the Office 365 Management Activity API, Event Hubs
// by their Kafka endpoint, the storage export, the query API of Log Analytics
// and what Azure Resource Manager shows of logs and alerts.
//
// It is strict: what the real service would refuse is refused, with the code
// and the body that the real service would give. What a tenant knows, and when
// which road shows it, is decided by its [entrasim.World]; this package decides
// only how it is asked for.
package cloud

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"glassward/internal/entrasim"
)

// A Service is one of the services of a cloud.
type Service string

// The services.
const (
	Authority       Service = "authority"        // login.microsoftonline.com
	Graph           Service = "graph"            // graph.microsoft.com
	Activity        Service = "activity"         // manage.office.com
	ResourceManager Service = "resource-manager" // management.azure.com
	LogAnalytics    Service = "log-analytics"    // api.loganalytics.io
	Metadata        Service = "metadata"         // 169.254.169.254, which gives a managed identity its tokens
	EventHubs       Service = "event-hubs"       // <namespace>.servicebus.windows.net
)

// Limits are how much may be asked. Zero is the limit that the vendor
// publishes, a negative number none at all.
type Limits struct {
	Reports          int // of Graph's reports: requests in 10 s, by application and tenant; 5
	ReportsAll       int // the same over all tenants of an application; 122
	Protection       int // of identity protection: requests in 1 s, by tenant; 1
	Directory        int // of the directory: requests in 10 s, by application and tenant; 3500
	Activity         int // of the Activity API: requests in 1 min, by tenant; 2000
	Queries          int // of Log Analytics: requests in 30 s, by application; 200
	ResourceRequests int // of Resource Manager: requests in 10 s, by application and tenant; 250
}

// Options say what a cloud serves.
type Options struct {
	Worlds []*entrasim.World
	// Now is the clock that the worlds live by; time.Now if nil.
	Now func() time.Time
	// Seed decides ids, pauses and the order in which records are spread.
	Seed   uint64
	Limits Limits
	// Identity is the application id of the managed identity that the metadata
	// endpoint gives tokens for, in the first world; Glassward's own
	// registration if empty.
	Identity string
	// Warm is how long the Activity API shows no content after the first start
	// of a subscription. Really up to twelve hours.
	Warm time.Duration
	// Partitions is the number of partitions of a hub; 4 if zero.
	Partitions int32
	// Hub is the one event hub to which all categories go. Each category has
	// a hub of its own if it is empty.
	Hub string
	// Tick is how often what appears is written to the hubs while somebody
	// reads them; a second if zero.
	Tick time.Duration
}

// A Cloud is all servers of one or more worlds. It is safe for concurrent use.
type Cloud struct {
	o       Options
	faults  *Faults
	key     *ecdsa.PrivateKey // signs access tokens
	tenants map[string]*tenant
	order   []*tenant
	serial  atomic.Int64 // of the last access token

	mu       sync.Mutex
	rng      *mathrand.Rand
	roots    map[string]Service // what a token may be asked for, lower case
	closers  []func()
	cursors  map[string]*cursor // what the opaque links of Graph stand for
	links    []string           // their keys, oldest first
	limiters map[string]*limiter
	lockouts map[string]*lockout
	platform *ecdsa.PrivateKey // signs federated tokens, as the platform's issuer
	closed   bool
}

// A tenant is one world with what its servers remember of it.
type tenant struct {
	world *entrasim.World
	id    string // lower case
	view  *view
	feed  *feed
	hubs  *hubs
	rows  *rows
}

// New makes a cloud that serves nobody yet: call [Cloud.Listen] or [Cloud.Pipe].
func New(o Options) *Cloud {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Partitions == 0 {
		o.Partitions = 4
	}
	if o.Identity == "" {
		o.Identity = entrasim.GlasswardApp
	}
	if o.Tick == 0 {
		o.Tick = time.Second
	}
	o.Limits.fill()
	c := &Cloud{
		o: o, tenants: map[string]*tenant{}, rng: mathrand.New(mathrand.NewPCG(o.Seed, 0xc10d)),
		key: newKey(), platform: newKey(),
		roots: map[string]Service{}, cursors: map[string]*cursor{}, limiters: map[string]*limiter{}, lockouts: map[string]*lockout{},
	}
	c.faults = newFaults(c)
	for s, names := range publicRoots {
		for _, n := range names {
			c.roots[n] = s
		}
	}
	for _, w := range o.Worlds {
		t := &tenant{world: w, id: strings.ToLower(w.Tenant().ID)}
		t.view, t.feed, t.rows = newView(w), newFeed(c, w), newRows(w)
		t.hubs = newHubs(c, t)
		c.tenants[t.id] = t
		c.order = append(c.order, t)
	}
	return c
}

// publicRoots are the names by which tokens for the services are asked for.
var publicRoots = map[Service][]string{
	Graph:           {"https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"},
	Activity:        {"https://manage.office.com", "c5393580-f805-4401-95e8-94b7a6ef2fc2"},
	ResourceManager: {"https://management.azure.com", "https://management.core.windows.net"},
	LogAnalytics:    {"https://api.loganalytics.io", "https://api.loganalytics.azure.com"},
	EventHubs:       {"https://eventhubs.azure.net"},
}

func (l *Limits) fill() {
	for _, f := range []struct {
		n    *int
		real int
	}{{&l.Reports, 5}, {&l.ReportsAll, 122}, {&l.Protection, 1}, {&l.Directory, 3500}, {&l.Activity, 2000}, {&l.Queries, 200}, {&l.ResourceRequests, 250}} {
		if *f.n == 0 {
			*f.n = f.real
		}
	}
}

// newKey makes a key on the curve P-256. Microsoft signs with RSA; but nobody
// may look into a token that is meant for somebody else, and this is made a
// thousand times faster.
func newKey() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return k
}

// Faults gives the switches for trouble.
func (c *Cloud) Faults() *Faults { return c.faults }

// live lets the worlds live until now and gives the moment.
func (c *Cloud) live(t *tenant) time.Time {
	now := c.o.Now()
	t.world.Advance(now)
	return now
}

// now is the time by the servers' clock, which a fault can move.
func (c *Cloud) now() time.Time { return c.o.Now().Add(c.faults.clock()) }

// tenant finds a tenant by its id or by the domain of its name.
func (c *Cloud) tenant(name string) (*tenant, bool) {
	name = strings.ToLower(name)
	if t, ok := c.tenants[name]; ok {
		return t, true
	}
	for _, t := range c.order {
		if d := strings.ToLower(t.world.Tenant().Domain); d != "" && d == name {
			return t, true
		}
	}
	return nil, false
}

// guid makes an id.
func (c *Cloud) guid() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b [16]byte
	for i := range b {
		b[i] = byte(c.rng.Uint32())
	}
	return formatGUID(b)
}

// number gives a number below n.
func (c *Cloud) number(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

func formatGUID(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// opaque makes an opaque string of hex digits.
func opaque() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Close ends all servers and gives up what they hold.
func (c *Cloud) Close() {
	c.mu.Lock()
	closers := c.closers
	c.closers, c.closed = nil, true
	c.mu.Unlock()
	for i := len(closers) - 1; i >= 0; i-- {
		closers[i]()
	}
	for _, t := range c.order {
		t.hubs.close()
	}
}

func (c *Cloud) onClose(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closers = append(c.closers, f)
}

// handler gives what serves a service.
func (c *Cloud) handler(s Service) http.Handler {
	switch s {
	case Authority:
		return c.guarded(s, c.authority())
	case Graph:
		return c.guarded(s, c.graph())
	case Activity:
		return c.guarded(s, c.activity())
	case ResourceManager:
		return c.guarded(s, c.resourceManager())
	case LogAnalytics:
		return c.guarded(s, c.logAnalytics())
	case Metadata:
		return c.guarded(s, c.metadata())
	}
	return http.NotFoundHandler()
}
