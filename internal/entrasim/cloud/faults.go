package cloud

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Faults are the switches for trouble. All of them can be turned while the
// servers answer.
type Faults struct {
	c  *Cloud
	mu sync.Mutex

	offset     time.Duration
	retryAfter RetryAfter
	troubles   []*Trouble
	bare       map[string]bool  // tenants whose tokens carry no roles
	blocked    map[string]bool  // applications that Conditional Access blocks
	revoked    map[string]int64 // tokens of a tenant up to this serial are refused
	cut        map[string]bool  // tenant/permission: refused though a token has it
	links      LinkTrick
	empty      int               // every so many pages is empty
	poison     map[string]bool   // ids of records whose page fails
	directory  bool              // the licence check needs Directory.Read.All
	missing    map[string]bool   // tables that a workspace lacks, lower case
	partial    map[string]string // workspace tenants that answer in part
	denied     map[string]bool   // tenants whose workspace we may not read
	settings   map[string]bool   // tenants whose diagnostic settings an application may read
	groupless  map[string]bool   // tenants of which What If takes no notice of groups
}

func newFaults(c *Cloud) *Faults {
	return &Faults{
		c: c, bare: map[string]bool{}, blocked: map[string]bool{}, revoked: map[string]int64{}, cut: map[string]bool{},
		poison: map[string]bool{}, missing: map[string]bool{}, partial: map[string]string{}, denied: map[string]bool{}, settings: map[string]bool{}, groupless: map[string]bool{},
	}
}

// A Trouble is what a service says in place of an answer.
type Trouble struct {
	// Which requests: of a service, if set of a tenant, if set with a path (or
	// path and query) that contains Path. An outage of a service that has no
	// tenant yet, as the authority, matches the tenant in its path.
	Service Service
	Tenant  string
	Path    string
	// Skip lets so many requests pass first; Times is how many are then in
	// trouble, all if zero.
	Skip, Times int

	// What is answered: the status, a code and a message in the form of the
	// service's errors. A Body goes as it is, with ContentType.
	Status        int
	Code, Message string
	RetryAfter    string
	Body          string
	ContentType   string
	// Cut breaks the connection in the middle of the real answer; Drop before
	// any; Hang never answers until the caller gives up.
	Cut, Drop, Hang bool

	seen int
}

// Add brings trouble and gives the way to end it.
func (f *Faults) Add(t Trouble) (end func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &t
	f.troubles = append(f.troubles, p)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for i, q := range f.troubles {
			if q == p {
				f.troubles = append(f.troubles[:i:i], f.troubles[i+1:]...)
				return
			}
		}
	}
}

// Outage makes a service answer 503 to everybody, or to one tenant.
func (f *Faults) Outage(s Service, tenant string) (end func()) {
	return f.Add(Trouble{Service: s, Tenant: tenant, Status: http.StatusServiceUnavailable, Code: "serviceNotAvailable", Message: "The service is temporarily unavailable. Please retry again later."})
}

// HTML makes a service answer 200 with a page for people in place of JSON.
func (f *Faults) HTML(s Service, tenant string) (end func()) {
	return f.Add(Trouble{Service: s, Tenant: tenant, Status: http.StatusOK, ContentType: "text/html; charset=utf-8",
		Body: "<!DOCTYPE html><html><head><title>Sign in to your account</title></head><body><p>Proxy authentication is required.</p></body></html>"})
}

// take finds the trouble of a request.
func (f *Faults) take(s Service, tenant string, r *http.Request) *Trouble {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.troubles {
		if t.Service != "" && t.Service != s || t.Tenant != "" && !strings.EqualFold(t.Tenant, tenant) || !strings.Contains(r.URL.RequestURI(), t.Path) {
			continue
		}
		if t.seen++; t.seen <= t.Skip || t.Times > 0 && t.seen > t.Skip+t.Times {
			continue
		}
		return t
	}
	return nil
}

// Clock moves the clock of all servers, in their Date header and in all that
// they judge by time. The worlds live on as they do.
func (f *Faults) Clock(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.offset = d
}

func (f *Faults) clock() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.offset
}

// RetryAfter is a form of the header of that name.
type RetryAfter uint8

// The forms.
const (
	Seconds  RetryAfter = iota // 7
	Decimal                    // 6.128
	HTTPDate                   // Fri, 20 Nov 2026 10:00:07 GMT
	Absent                     // no header
)

// RetryAfter chooses the form in which refused requests are told when to come
// again. Identity protection never tells.
func (f *Faults) RetryAfter(form RetryAfter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.retryAfter = form
}

// retryHeader writes the header.
func (f *Faults) retryHeader(h http.Header, wait time.Duration) {
	f.mu.Lock()
	form, offset := f.retryAfter, f.offset
	f.mu.Unlock()
	whole := (wait + time.Second - 1).Truncate(time.Second)
	switch form {
	case Seconds:
		h.Set("Retry-After", strconv.Itoa(int(whole/time.Second)))
	case Decimal:
		h.Set("Retry-After", strconv.FormatFloat(wait.Seconds(), 'f', 3, 64))
	case HTTPDate:
		h.Set("Retry-After", f.c.o.Now().Add(offset+whole).UTC().Add(time.Second).Format(http.TimeFormat))
	}
}

// TokensWithoutRoles makes the tokens of a tenant carry no roles, as if nobody
// had consented to anything.
func (f *Faults) TokensWithoutRoles(tenant string, on bool) { f.set(f.bare, tenant, on) }

// Block makes Conditional Access for workload identities refuse tokens to an
// application.
func (f *Faults) Block(appID string, on bool) { f.set(f.blocked, appID, on) }

// RevokeTokens makes all tokens that a tenant has been given so far invalid.
func (f *Faults) RevokeTokens(tenant string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revoked[strings.ToLower(tenant)] = f.c.serial.Load()
}

// Refuse makes the services refuse a permission at once, even to tokens that
// still carry it.
func (f *Faults) Refuse(tenant, permission string, on bool) {
	f.set(f.cut, tenant+"/"+permission, on)
}

// LicenceCheckNeedsDirectory makes Graph refuse sign-ins with its word about a
// missing licence to applications without Directory.Read.All.
func (f *Faults) LicenceCheckNeedsDirectory(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.directory = on
}

// A LinkTrick is what is wrong with the links from page to page.
type LinkTrick uint8

// The tricks.
const (
	NoTrick   LinkTrick = iota
	SelfLink            // the link leads to the page on which it stands
	OtherHost           // the link leads to another host
	OtherPath           // the link leads to another collection
	PlainHTTP           // the link leads away from TLS
)

// Links plays a trick with the links of Graph.
func (f *Faults) Links(t LinkTrick) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.links = t
}

// EmptyPages makes every n-th page of Graph come without rows, with a link to
// the next; none if n is zero.
func (f *Faults) EmptyPages(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.empty = n
}

// ExpireLinks makes all links that Graph has given so far invalid.
func (f *Faults) ExpireLinks() {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	clear(f.c.cursors)
	f.c.links = nil
}

// Poison makes every page fail on which a record stands, each time it is asked
// for.
func (f *Faults) Poison(id string, on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if on {
		f.poison[id] = true
	} else {
		delete(f.poison, id)
	}
}

// MissingTable makes a workspace know nothing of a table.
func (f *Faults) MissingTable(tenant, table string, on bool) { f.set(f.missing, tenant+"/"+table, on) }

// PartialError makes queries of a workspace answer with a part of the rows and
// an error; an empty message ends it.
func (f *Faults) PartialError(tenant, message string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.partial[strings.ToLower(tenant)] = message
}

// DenyWorkspace takes away the right to query a tenant's workspace.
func (f *Faults) DenyWorkspace(tenant string, on bool) { f.set(f.denied, tenant, on) }

// ReadableSettings lets applications read the Entra diagnostic settings of a
// tenant, which by default they cannot.
func (f *Faults) ReadableSettings(tenant string, on bool) { f.set(f.settings, tenant, on) }

// WhatIfWithoutGroups makes the What If evaluation of a tenant take no notice of the groups
// that policies include and exclude, as it was reported of Graph in 2024.
func (f *Faults) WhatIfWithoutGroups(tenant string, on bool) { f.set(f.groupless, tenant, on) }

func (f *Faults) set(m map[string]bool, key string, on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m[strings.ToLower(key)] = on
}

func (f *Faults) is(m map[string]bool, key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return m[strings.ToLower(key)]
}
