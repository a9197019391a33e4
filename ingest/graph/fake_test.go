package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"glassward/entra"
	"glassward/ingest"
)

// A service is Microsoft Graph's report lists in memory, strict: what Graph
// refuses is refused. It is the transport of an http.Client.
type service struct {
	// skew is how far its clock is ahead of the host's.
	skew time.Duration
	// trouble, if not nil, may answer in the service's place.
	trouble func(q *question) *http.Response
	// oneTerm refuses "or" between accounts, longest an address.
	oneTerm bool
	longest int

	mu      sync.Mutex
	rows    map[string][]*row // by list
	asked   []question
	refusal []string
}

// A row is an entity: from the time At a reader sees the version's content.
type row struct {
	id       string
	time     time.Time // the time property, as the record says it
	versions []version
}

type version struct {
	at     time.Time
	entity map[string]any
}

// seen gives what a reader sees of a row.
func (r *row) seen(now time.Time) map[string]any {
	var e map[string]any
	for _, v := range r.versions {
		if !v.at.After(now) {
			e = v.entity
		}
	}
	return e
}

// A question is a request as the service understands it.
type question struct {
	at      time.Time
	version string
	list    string
	filter  string
	top     int
	skip    string
	url     *url.URL
	now     time.Time
	// from and to bound the window that was asked for.
	from, to time.Time
}

// A list is what the service knows of one of its lists.
type fakeList struct {
	time     []string // properties that take times
	texts    []string // properties that take texts
	max, def int
	orderby  bool
}

var lists = map[string]fakeList{
	"auditLogs/signIns":                 {time: []string{"createdDateTime"}, texts: []string{"id", "userId", "appId", "servicePrincipalId", "correlationId"}, max: 1000, def: 1000, orderby: true},
	"auditLogs/directoryAudits":         {time: []string{"activityDateTime"}, texts: []string{"id", "initiatedBy/user/id", "initiatedBy/app/appId", "correlationId"}, max: 1000, def: 1000, orderby: true},
	"auditLogs/provisioning":            {time: []string{"activityDateTime"}, max: 1000, def: 100, orderby: true},
	"identityProtection/riskDetections": {time: []string{"activityDateTime", "detectedDateTime", "lastUpdatedDateTime"}, texts: []string{"id", "userId"}, max: 500, def: 20},
	"identityProtection/riskyUsers":     {time: []string{"riskLastUpdatedDateTime"}, texts: []string{"id"}, max: 500, def: 20},
}

func newService() *service { return &service{rows: map[string][]*row{}, longest: 4096} }

func (s *service) questions() []question {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *service) refusals() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refusal)
}

func (s *service) now() time.Time { return time.Now().Add(s.skew).UTC() }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: strconv.Itoa(status), Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

func graphError(status int, code, message string) *http.Response {
	body, _ := json.Marshal(map[string]any{"error": map[string]any{"code": code, "message": message,
		"innerError": map[string]any{"date": "2026-11-20T10:00:00", "request-id": "00000000-0000-0000-0000-000000000001"}}})
	return answer(status, string(body))
}

// RoundTrip answers a request.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp := s.serve(r)
	if resp == nil {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	resp.Request = r
	resp.Header.Set("Date", s.now().Format(http.TimeFormat))
	return resp, nil
}

func (s *service) serve(r *http.Request) *http.Response {
	if r.Header.Get("Authorization") != "Bearer token" {
		return graphError(401, "InvalidAuthenticationToken", "Access token is empty.")
	}
	q, refusal := s.understand(r)
	s.mu.Lock()
	s.asked = append(s.asked, q)
	s.mu.Unlock()
	if s.trouble != nil {
		if resp := s.trouble(&q); resp != nil {
			return resp
		}
	}
	if refusal != "" {
		s.mu.Lock()
		s.refusal = append(s.refusal, refusal+": "+r.URL.String())
		s.mu.Unlock()
		return graphError(400, "BadRequest", refusal)
	}
	return s.page(q)
}

func (s *service) understand(r *http.Request) (q question, refusal string) {
	q = question{at: time.Now(), url: r.URL, now: s.now()}
	var ok bool
	q.version, q.list, ok = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	l, known := lists[q.list]
	if !ok || !known || q.version != "v1.0" && q.version != "beta" {
		return q, "Resource not found for the segment"
	}
	if len(r.URL.String()) > s.longest {
		return q, "Invalid filter clause: too long"
	}
	if r.Header.Get("Prefer") != "include-unknown-enum-members" {
		return q, "the header Prefer is missing" // ours: Graph would hide enum members
	}
	q.top = l.def
	for name, values := range r.URL.Query() {
		v := values[0]
		switch name {
		case "$filter":
			q.filter = v
		case "$top":
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 || n > l.max {
				return q, "Invalid value for $top"
			}
			q.top = n
		case "$orderby":
			if !l.orderby || strings.Fields(v)[0] != l.time[0] {
				return q, "$orderby is not supported"
			}
		case "$skiptoken":
			q.skip = v
		default:
			return q, "Query option '" + strings.TrimPrefix(name, "$") + "' is not allowed."
		}
	}
	if q.filter != "" {
		p := parser{text: q.filter, list: l, q: &q, oneTerm: s.oneTerm}
		if _, err := p.parse(); err != nil {
			return q, err.Error()
		}
	}
	return q, ""
}

// page gives the rows that match, newest first, after the place that the token
// names.
func (s *service) page(q question) *http.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	match := func(map[string]any) bool { return true }
	if q.filter != "" {
		p := parser{text: q.filter, list: lists[q.list], q: &q}
		match, _ = p.parse()
	}
	property := lists[q.list].time[0]
	if q.list == "identityProtection/riskDetections" {
		property = "lastUpdatedDateTime"
	}
	type found struct {
		at     time.Time
		id     string
		entity map[string]any
	}
	var all []found
	for _, r := range s.rows[q.list] {
		e := r.seen(q.now)
		if e == nil || !match(e) || q.version == "v1.0" && q.list == "auditLogs/signIns" && e["isInteractive"] != true {
			continue
		}
		at, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(e[property]))
		all = append(all, found{at, r.id, e})
	}
	slices.SortFunc(all, func(a, b found) int {
		if c := b.at.Compare(a.at); c != 0 {
			return c
		}
		return strings.Compare(a.id, b.id)
	})
	from := 0
	if q.skip != "" {
		// The token names how many were given: rows that came meanwhile move the
		// border, and some come twice.
		from, _ = strconv.Atoi(strings.TrimLeft(q.skip, "0"))
	}
	from = min(from, len(all))
	to := min(from+q.top, len(all))
	value := []any{}
	for _, f := range all[from:to] {
		value = append(value, f.entity)
	}
	body := map[string]any{"@odata.context": "https://graph.example.test/$metadata#" + q.list, "value": value}
	if to < len(all) {
		body["@odata.nextLink"] = nextLink(q, fmt.Sprintf("%032d", to))
	}
	text, _ := json.Marshal(body)
	return answer(200, string(text))
}

func nextLink(q question, token string) string {
	u := *q.url
	values := u.Query()
	values.Set("$skiptoken", token)
	u.RawQuery = values.Encode()
	return u.String()
}

// A parser reads the part of OData's filters that the lists take.
type parser struct {
	text    string
	at      int
	list    fakeList
	q       *question
	oneTerm bool
	within  string // the collection whose any() is being read
}

type predicate func(map[string]any) bool

func (p *parser) parse() (f predicate, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(refusalText)
			if !ok {
				panic(r)
			}
			f, err = nil, fmt.Errorf("%s", string(e))
		}
	}()
	f = p.or()
	p.space()
	if p.at != len(p.text) {
		p.refuse("Invalid filter clause")
	}
	return f, nil
}

type refusalText string

func (p *parser) refuse(text string) { panic(refusalText(text)) }

func (p *parser) space() {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
}

func (p *parser) word(w string) bool {
	p.space()
	if strings.HasPrefix(p.text[p.at:], w) {
		p.at += len(w)
		return true
	}
	return false
}

func (p *parser) or() predicate {
	f := p.and()
	for p.word("or ") {
		if p.oneTerm && p.within == "" {
			p.refuse("Invalid filter clause: or")
		}
		a, b := f, p.and()
		f = func(e map[string]any) bool { return a(e) || b(e) }
	}
	return f
}

func (p *parser) and() predicate {
	f := p.term()
	for p.word("and ") {
		a, b := f, p.term()
		f = func(e map[string]any) bool { return a(e) && b(e) }
	}
	return f
}

func (p *parser) until(stop string) string {
	i := strings.IndexAny(p.text[p.at:], stop)
	if i < 0 {
		i = len(p.text) - p.at
	}
	w := p.text[p.at : p.at+i]
	p.at += i
	return w
}

func (p *parser) quoted() string {
	if !p.word("'") {
		p.refuse("Invalid filter clause: a text is expected")
	}
	var b strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		if c == '\'' {
			if p.at >= len(p.text) || p.text[p.at] != '\'' {
				return b.String()
			}
			p.at++
		}
		b.WriteByte(c)
	}
	p.refuse("Invalid filter clause: the text has no end")
	return ""
}

func (p *parser) term() predicate {
	if p.word("(") {
		f := p.or()
		if !p.word(")") {
			p.refuse("Invalid filter clause: )")
		}
		return f
	}
	p.space()
	name := p.until(" (")
	if collection, ok := strings.CutSuffix(name, "/any"); ok {
		return p.any(collection)
	}
	p.space()
	op := p.until(" ")
	p.space()
	if p.within != "" {
		if op != "eq" {
			p.refuse("Invalid filter clause: " + op)
		}
		text := p.quoted()
		return func(e map[string]any) bool { return e[name] == text }
	}
	switch {
	case slices.Contains(p.list.time, name):
		if p.at < len(p.text) && p.text[p.at] == '\'' {
			p.refuse("Invalid filter clause: a quoted date")
		}
		text := p.until(" )")
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			p.refuse("Invalid filter clause: " + text)
		}
		if t.Before(p.q.now.Add(-90 * 24 * time.Hour)) {
			p.refuse("Invalid filter clause: too old")
		}
		compare := map[string]func(int) bool{
			"ge": func(c int) bool { return c >= 0 }, "le": func(c int) bool { return c <= 0 }, "eq": func(c int) bool { return c == 0 },
			"gt": func(c int) bool { return c > 0 }, "lt": func(c int) bool { return c < 0 },
		}[op]
		if compare == nil || strings.HasSuffix(p.q.list, "provisioning") && (op == "ge" || op == "le") {
			p.refuse("Invalid filter clause: " + op)
		}
		if op[0] == 'g' {
			p.q.from = t
		} else {
			p.q.to = t
		}
		return func(e map[string]any) bool {
			at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(e[name]))
			return err == nil && compare(at.Compare(t))
		}
	case slices.Contains(p.list.texts, name):
		if op != "eq" {
			p.refuse("Invalid filter clause: " + op)
		}
		text := p.quoted()
		path := strings.Split(name, "/")
		return func(e map[string]any) bool {
			var v any = e
			for _, step := range path {
				m, _ := v.(map[string]any)
				v = m[step]
			}
			return v == text
		}
	}
	p.refuse("Could not find a property named '" + name + "' on type 'microsoft.graph'")
	return nil
}

// any reads (t: t eq 'x' or t/id eq 'y').
func (p *parser) any(collection string) predicate {
	switch {
	case collection == "signInEventTypes" && p.q.version == "beta" && p.q.list == "auditLogs/signIns":
	case collection == "targetResources" && p.q.list == "auditLogs/directoryAudits":
	default:
		p.refuse("Could not find a property named '" + collection + "'")
	}
	if !p.word("(t: ") {
		p.refuse("Invalid filter clause: any")
	}
	var tests []predicate
	for {
		p.space()
		name := p.until(" ")
		if !p.word("eq ") {
			p.refuse("Invalid filter clause: any")
		}
		text := p.quoted()
		switch {
		case name == "t" && collection == "signInEventTypes":
			if !slices.Contains([]string{"interactiveUser", "nonInteractiveUser", "servicePrincipal", "managedIdentity"}, text) {
				p.refuse("Invalid filter clause: " + text)
			}
			tests = append(tests, func(e map[string]any) bool {
				types, _ := e[collection].([]string)
				return slices.Contains(types, text)
			})
		case name == "t/id" && collection == "targetResources":
			tests = append(tests, func(e map[string]any) bool {
				targets, _ := e[collection].([]any)
				return slices.ContainsFunc(targets, func(t any) bool { return t.(map[string]any)["id"] == text })
			})
		default:
			p.refuse("Invalid filter clause: " + name)
		}
		if p.word(")") {
			break
		}
		if !p.word("or ") {
			p.refuse("Invalid filter clause: any")
		}
	}
	return func(e map[string]any) bool {
		return slices.ContainsFunc(tests, func(f predicate) bool { return f(e) })
	}
}

// add puts a row into a list; it is seen lag after its time.
func (s *service) add(list string, at time.Time, lag time.Duration, entity map[string]any) *row {
	id := fmt.Sprint(entity["id"])
	r := &row{id: id, time: at, versions: []version{{at.Add(lag), entity}}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[list] = append(s.rows[list], r)
	return r
}

func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.9999999Z") }

// signIn makes a sign-in's entity.
func signIn(id, kind, user string, at time.Time) map[string]any {
	e := map[string]any{"id": id, "createdDateTime": iso(at), "appId": "app-1", "appDisplayName": "Portal", "ipAddress": "192.0.2.7",
		"userPrincipalName": user + "@contoso.example", "userId": user, "userDisplayName": user, "isInteractive": kind == "interactiveUser",
		"signInEventTypes": []string{kind}, "status": map[string]any{"errorCode": 0}, "servicePrincipalId": ""}
	if strings.HasPrefix(kind, "servicePrincipal") || kind == "managedIdentity" {
		e["servicePrincipalId"], e["userId"] = user, ""
	}
	return e
}

// audit makes a directory audit's entity.
func audit(id, by, target string, at time.Time) map[string]any {
	return map[string]any{"id": id, "activityDateTime": iso(at), "activityDisplayName": "Update user", "category": "UserManagement",
		"loggedByService": "Core Directory", "operationType": "Update", "result": "success", "correlationId": "c-" + id,
		"initiatedBy":     map[string]any{"user": map[string]any{"id": by, "userPrincipalName": by + "@contoso.example"}},
		"targetResources": []any{map[string]any{"id": target, "displayName": target, "type": "User"}}}
}

// staticToken is a credential that needs no service.
type staticToken struct{}

func (staticToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(10000 * time.Hour)}, nil
}

func (s *service) client(pace entra.Pace) *entra.Client {
	return entra.NewClient(entra.ClientOptions{Service: entra.Graph, Cloud: entra.Cloud{Name: "test", Graph: "https://graph.example.test"},
		Credential: staticToken{}, HTTP: &http.Client{Transport: s}, Pace: pace})
}

// A store keeps what a source gives, as the event store would.
type store struct {
	mu      sync.Mutex
	cursors map[string][]byte
	content map[string]map[string]int // by Entra's id: content → how often
	tables  map[string]string
	rejects []string
	first   map[string]time.Time // when an id came first
	reports []ingest.Report
	emits   int
	// fail, if not nil, fails an emit before or after it is durable.
	fail func(n int) (before, after bool)
}

func newStore() *store {
	return &store{cursors: map[string][]byte{}, content: map[string]map[string]int{}, tables: map[string]string{}, first: map[string]time.Time{}}
}

func (s *store) Cursor(_ context.Context, source string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.cursors[source]
	return bytes.Clone(c), ok, nil
}

var errKilled = fmt.Errorf("killed")

func (s *store) emit(_ context.Context, b *ingest.Batch, c *ingest.Cursor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emits++
	before, after := false, false
	if s.fail != nil {
		before, after = s.fail(s.emits)
	}
	if before {
		return errKilled
	}
	for i := range b.Records {
		r := &b.Records[i]
		if s.content[r.EntraID] == nil {
			s.content[r.EntraID] = map[string]int{}
			s.first[r.EntraID] = time.Now()
		}
		s.content[r.EntraID][string(r.Raw)]++
		s.tables[r.EntraID] = r.Table
	}
	for _, r := range b.Rejects {
		s.rejects = append(s.rejects, r.Reason)
	}
	if c != nil {
		s.cursors[c.Source] = bytes.Clone(c.Position)
	}
	if after {
		return errKilled
	}
	return nil
}

func (s *store) observe(r ingest.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, r)
}

func (s *store) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.content[id] != nil
}

// told gives the faults' kinds and the holes of a stream, in order.
func (s *store) told(stream Stream) (kinds []entra.FaultKind, holes []ingest.Hole, polled []ingest.Polled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.reports {
		if r.Stream != string(stream) {
			continue
		}
		switch {
		case r.Fault != nil:
			kinds = append(kinds, kindOf(r.Fault))
		case r.Hole != nil:
			holes = append(holes, *r.Hole)
		default:
			polled = append(polled, *r.Polled)
		}
	}
	return kinds, holes, polled
}
