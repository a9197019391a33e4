package graph

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"glassward/entra"
	"glassward/ingest"
)

func kindOf(err error) entra.FaultKind {
	var f *entra.Fault
	if errors.As(err, &f) {
		return f.Kind
	}
	return entra.FaultKind("not a fault: " + err.Error())
}

// A house runs a source on a service and a store, in virtual time.
type house struct {
	t       *testing.T
	service *service
	store   *store
	o       Options
	source  *Source
	tune    func(*Source) // before it runs
	cancel  context.CancelFunc
	done    chan error
}

func newHouse(t *testing.T, streams ...Stream) *house {
	h := &house{t: t, service: newService(), store: newStore()}
	h.o = Options{Tenant: "11111111-2222-3333-4444-555555555555", Streams: streams, Observe: h.store.observe}
	return h
}

func (h *house) start() {
	h.t.Helper()
	h.o.Client = h.service.client(entra.Pace{})
	var err error
	if h.source, err = New(h.o); err != nil {
		h.t.Fatal(err)
	}
	if h.tune != nil {
		h.tune(h.source)
	}
	ctx, cancel := context.WithCancel(h.t.Context())
	h.cancel, h.done = cancel, make(chan error, 1)
	go func() { h.done <- h.source.Run(ctx, h.store, h.store.emit) }()
}

func (h *house) stop() error {
	h.cancel()
	return <-h.done
}

func run(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

// wait lets virtual time pass.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestEveryStreamGoesToItsTable(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t)
		now := time.Now().Add(-time.Hour)
		s := h.service
		s.add("auditLogs/signIns", now, 0, signIn("i1", "interactiveUser", "u1", now))
		s.add("auditLogs/signIns", now, 0, signIn("n1", "nonInteractiveUser", "u1", now))
		s.add("auditLogs/signIns", now, 0, signIn("s1", "servicePrincipal", "sp1", now))
		s.add("auditLogs/signIns", now, 0, signIn("m1", "managedIdentity", "sp2", now))
		s.add("auditLogs/directoryAudits", now, 0, audit("a1", "u1", "u2", now))
		s.add("auditLogs/provisioning", now, 0, map[string]any{"id": "p1", "activityDateTime": iso(now), "provisioningAction": "create", "provisioningSteps": []any{}, "tenantId": h.o.Tenant})
		s.add("identityProtection/riskDetections", now, 0, map[string]any{"id": "r1", "riskEventType": "unfamiliarFeatures", "riskState": "atRisk", "userId": "u1",
			"activityDateTime": iso(now), "detectedDateTime": iso(now), "lastUpdatedDateTime": iso(now)})
		s.add("identityProtection/riskyUsers", now, 0, map[string]any{"id": "u9", "riskLastUpdatedDateTime": iso(now), "riskState": "atRisk", "riskLevel": "high",
			"userDisplayName": "Nine", "userPrincipalName": "nine@contoso.example", "isDeleted": false, "isProcessing": false, "riskDetail": "none"})
		h.start()
		wait(30 * time.Minute)
		want := map[string]string{"i1": "SigninLogs", "n1": "AADNonInteractiveUserSignInLogs", "s1": "AADServicePrincipalSignInLogs",
			"m1": "AADManagedIdentitySignInLogs", "a1": "AuditLogs", "p1": "AADProvisioningLogs", "r1": "AADUserRiskEvents", "u9": "AADRiskyUsers"}
		for id, table := range want {
			if got := h.store.tables[id]; got != table {
				t.Errorf("%s is in %q, not in %s", id, got, table)
			}
		}
		if len(s.refusals()) > 0 || len(h.store.rejects) > 0 {
			t.Errorf("the service refused %v; rejects %v", s.refusal, h.store.rejects)
		}
		for _, stream := range Streams() {
			kinds, holes, polled := h.store.told(stream)
			if stream.Declared() {
				if len(polled) != 0 {
					t.Errorf("%s was polled though nobody is declared", stream)
				}
				continue
			}
			if len(kinds)+len(holes) != 0 || len(polled) == 0 {
				t.Errorf("%s: faults %v, holes %v, %d polls", stream, kinds, holes, len(polled))
			} else if age := time.Since(polled[len(polled)-1].Through); age > 7*time.Minute {
				t.Errorf("%s is read through %v ago", stream, age)
			}
		}
		if err := h.stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run gave %v", err)
		}
	})
}

func TestALateRowIsFoundByTheLookThatReachesIt(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, InteractiveSignIns)
		h.start()
		wait(2*time.Hour + 17*time.Minute)
		at := time.Now()
		// The hourly look comes at any moment after the row can be seen.
		for i := range 12 {
			h.service.add("auditLogs/signIns", at, 2*time.Hour+time.Duration(i)*275*time.Second, signIn(fmt.Sprint("phase", i), "interactiveUser", "u1", at))
		}
		wait(3*time.Hour + 62*time.Minute)
		for i := range 12 {
			id := fmt.Sprint("phase", i)
			if came, ok := h.store.first[id]; !ok || came.Sub(at) > 2*time.Hour+time.Duration(i)*275*time.Second+62*time.Minute {
				t.Errorf("%s came after %v (%v)", id, came.Sub(at), ok)
			}
		}
		at = time.Now()
		lags := map[string]time.Duration{"minutes": 12 * time.Minute, "hours": 170 * time.Minute, "day": 24 * time.Hour, "most": 36*time.Hour - time.Minute}
		for name, lag := range lags {
			h.service.add("auditLogs/signIns", at, lag, signIn(name, "interactiveUser", "u1", at))
		}
		found := map[string]time.Duration{"minutes": 3 * time.Minute, "hours": 65 * time.Minute, "day": calmEvery + time.Hour, "most": calmEvery + time.Hour}
		wait(63 * time.Hour)
		for name, limit := range found {
			if came, ok := h.store.first[name]; !ok {
				t.Errorf("the row that is late by %v never came", lags[name])
			} else if d := came.Sub(at.Add(lags[name])); d > limit {
				t.Errorf("the row that is late by %v came %v after it could be seen", lags[name], d)
			}
		}
		late := 0
		_, _, polled := h.store.told(InteractiveSignIns)
		for _, p := range polled {
			late += p.Late
		}
		if late != len(lags)+12 {
			t.Errorf("%d rows were counted late, %d were", late, len(lags)+12)
		}
		for name := range lags {
			if n := h.store.content[name]; len(n) != 1 {
				t.Errorf("%s has the contents %v", name, n)
			}
			for _, n := range h.store.content[name] {
				if n > 1 {
					t.Errorf("%s was given on %d times though nothing of it changed", name, n)
				}
			}
		}
		h.stop()
	})
}

func TestAFullerCopyIsGivenOn(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, InteractiveSignIns)
		h.start()
		wait(time.Hour)
		at := time.Now()
		r := h.service.add("auditLogs/signIns", at, time.Minute, signIn("x", "interactiveUser", "u1", at))
		fuller := signIn("x", "interactiveUser", "u1", at)
		fuller["riskState"] = "atRisk"
		h.service.mu.Lock()
		r.versions = append(r.versions, version{at.Add(2 * time.Hour), fuller})
		h.service.mu.Unlock()
		wait(4 * time.Hour)
		if n := len(h.store.content["x"]); n != 2 {
			t.Errorf("%d of 2 versions came", n)
		}
		h.stop()
	})
}

func TestEqualStampsAcrossPages(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, RiskDetections)
		at := time.Now().Add(-3 * time.Hour)
		for i := range 1203 {
			h.service.add("identityProtection/riskDetections", at, 0, map[string]any{"id": fmt.Sprintf("r%d", i), "riskEventType": "x", "userId": "u1",
				"activityDateTime": iso(at), "detectedDateTime": iso(at), "lastUpdatedDateTime": iso(at)})
		}
		h.start()
		wait(30 * time.Minute)
		if n := len(h.store.content); n != 1203 {
			t.Errorf("%d of 1203 rows with one stamp came", n)
		}
		asked := h.service.questions()
		for i := 1; i < len(asked); i++ {
			if d := asked[i].at.Sub(asked[i-1].at); d < time.Second {
				t.Fatalf("two requests to identity protection within %v", d)
			}
		}
		h.stop()
	})
}

func TestDeclaredAccountsAreAskedForAloneAndSoon(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, DeclaredUsers, DeclaredServicePrincipals, DeclaredAudits, InteractiveSignIns)
		h.o.Accounts = Accounts{Users: []string{"BG1", "bg2"}, ServicePrincipals: []string{"sp1"}}
		h.start()
		wait(time.Hour)
		at := time.Now()
		rows := map[string]map[string]any{}
		for i, kind := range []string{"interactiveUser", "nonInteractiveUser", "interactiveUser"} {
			id := fmt.Sprint("u", i)
			rows[id] = signIn(id, kind, []string{"bg1", "bg2", "other"}[i], at)
			h.service.add("auditLogs/signIns", at, time.Second, rows[id])
		}
		h.service.add("auditLogs/signIns", at, time.Second, signIn("s0", "servicePrincipal", "sp1", at))
		h.service.add("auditLogs/directoryAudits", at, time.Second, audit("by", "bg1", "x", at))
		h.service.add("auditLogs/directoryAudits", at, time.Second, audit("to", "x", "bg2", at))
		h.service.add("auditLogs/directoryAudits", at, time.Second, audit("none", "x", "y", at))
		wait(35 * time.Second)
		for _, id := range []string{"u0", "u1", "s0", "by", "to"} {
			if !h.store.has(id) {
				t.Errorf("%s of a declared account has not come after 35 s", id)
			}
		}
		if h.store.has("none") {
			t.Error("an audit of nobody declared came by a declared stream")
		}
		if len(h.service.refusals()) > 0 {
			t.Errorf("refused: %v", h.service.refusal)
		}

		// One that is declared later is looked for in the past.
		old := at.Add(-5 * 24 * time.Hour)
		h.service.add("auditLogs/directoryAudits", old, 0, audit("past", "bg3", "y", old))
		wait(5 * time.Minute)
		h.source.SetAccounts(Accounts{Users: []string{"bg1", "bg2", "bg3"}, ServicePrincipals: []string{"sp1"}})
		wait(5 * time.Minute)
		if !h.store.has("past") {
			t.Error("what a newly declared account did five days ago was not looked for")
		}
		h.stop()
	})
}

func TestOrRefusedFallsBackToOneRequestAnAccount(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, DeclaredUsers)
		h.service.oneTerm = true
		var users []string
		for i := range 5 {
			users = append(users, fmt.Sprint("bg", i))
		}
		h.o.Accounts.Users = users
		h.start()
		wait(time.Hour)
		at := time.Now()
		for i, u := range users {
			h.service.add("auditLogs/signIns", at, time.Second, signIn(fmt.Sprint("x", i), "interactiveUser", u, at))
		}
		before := len(h.service.questions())
		wait(2 * time.Minute)
		for i := range users {
			if !h.store.has(fmt.Sprint("x", i)) {
				t.Errorf("the sign-in of account %d did not come", i)
			}
		}
		if n := len(h.service.questions()) - before; n > 20 {
			t.Errorf("%d requests in two minutes: more than a third of the limit", n)
		}
		if n := len(h.service.refusals()); n == 0 || n > 4 {
			t.Errorf("%d refusals: what is refused is not to be asked again", n)
		}
		h.stop()
	})
}

func TestTheLicenceOfOneStream(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, InteractiveSignIns, DirectoryAudits)
		var licensed atomic.Bool
		h.service.trouble = func(q *question) *http.Response {
			if q.list == "auditLogs/signIns" && !licensed.Load() {
				return graphError(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license")
			}
			return nil
		}
		h.start()
		wait(30 * time.Hour)
		at := time.Now()
		h.service.add("auditLogs/signIns", at, time.Minute, signIn("x", "interactiveUser", "u", at))
		h.service.add("auditLogs/directoryAudits", at, time.Minute, audit("a", "u", "u", at))
		wait(5 * time.Minute)
		kinds, _, polled := h.store.told(InteractiveSignIns)
		// Asked again after 5, 10, 20 minutes and so on, until it is daily.
		other := slices.ContainsFunc(kinds, func(k entra.FaultKind) bool { return k != entra.FaultLicence })
		if other || len(kinds) < 8 || len(kinds) > 11 || len(polled) != 0 {
			t.Errorf("without a licence: faults %v, %d polls", kinds, len(polled))
		}
		if !h.store.has("a") {
			t.Error("the other stream did not go on")
		}
		licensed.Store(true)
		wait(24 * time.Hour)
		if !h.store.has("x") {
			t.Error("what happened while there was no licence was not read afterwards")
		}
		h.stop()
	})
}

// A service that once denies a licence or refuses a request, and never again, costs
// minutes: no day without the stream, and no day with a way that lacks something.
func TestAWhim(t *testing.T) {
	for name, whim := range map[string]func() *http.Response{
		"licence": func() *http.Response {
			return graphError(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license")
		},
		"request": func() *http.Response { return graphError(400, "UnknownError", "") },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T) {
				h := newHouse(t, InteractiveSignIns)
				var once atomic.Bool
				var second atomic.Int32
				h.service.trouble = func(q *question) *http.Response {
					if q.version == "v1.0" {
						second.Add(1)
					}
					if once.Swap(false) {
						return whim()
					}
					return nil
				}
				h.start()
				wait(10 * time.Minute)
				once.Store(true)
				wait(2 * time.Minute)
				at := time.Now()
				h.service.add("auditLogs/signIns", at, time.Minute, signIn("x", "interactiveUser", "u", at))
				wait(10 * time.Minute)
				if !h.store.has("x") {
					t.Error("the stream rests")
				}
				if n := second.Load(); n > 0 {
					t.Errorf("it was asked %d times in a way that lacks something", n)
				}
				h.stop()
			})
		})
	}
}

// After half a day without a token each stream waits for minutes before it asks again.
// The first that is answered wakes the others, so that none is behind for longer.
func TestTheFirstThatIsAnsweredWakesTheOthers(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, InteractiveSignIns, NonInteractiveSignIns, DirectoryAudits)
		var shut atomic.Bool
		h.service.trouble = func(*question) *http.Response {
			if shut.Load() {
				return graphError(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")
			}
			return nil
		}
		h.start()
		wait(10 * time.Minute)
		shut.Store(true)
		wait(6 * time.Hour)
		shut.Store(false)
		opened := time.Now()
		wait(10 * time.Minute)
		first := map[string]time.Time{}
		for _, q := range h.service.questions() {
			// The two streams of sign-ins are told apart by what they ask for.
			if key := q.list + q.version + strconv.FormatBool(strings.Contains(q.filter, "nonInteractiveUser")); q.at.After(opened) && first[key].IsZero() {
				first[key] = q.at
			}
		}
		if len(first) < 3 {
			t.Fatalf("%d streams asked again: %v", len(first), first)
		}
		times := slices.SortedFunc(maps.Values(first), time.Time.Compare)
		if apart := times[len(times)-1].Sub(times[0]); apart > 20*time.Second {
			t.Errorf("the last asked %v after the first was answered", apart)
		}
		h.stop()
	})
}

// Each of these is answered for half an hour, and afterwards nothing is missing.
func TestFaultsPass(t *testing.T) {
	html := func(q *question) *http.Response {
		r := answer(200, "<html><title>Sign in to the proxy</title></html>")
		r.Header.Set("Content-Type", "text/html")
		return r
	}
	loop := func(link func(q *question) string) func(*question) *http.Response {
		return func(q *question) *http.Response {
			return answer(200, `{"value":[],"@odata.nextLink":`+fmt.Sprintf("%q", link(q))+`}`)
		}
	}
	cases := []struct {
		name  string
		kind  entra.FaultKind
		fault func(q *question) *http.Response
	}{
		{"outage", entra.FaultOutage, func(*question) *http.Response { return answer(503, "") }},
		{"broken answer", entra.FaultContent, func(*question) *http.Response {
			r := answer(200, "")
			r.Body = io.NopCloser(brokenReader{})
			return r
		}},
		{"html", entra.FaultContent, html},
		{"empty body", entra.FaultContent, func(*question) *http.Response { return answer(200, "") }},
		{"cut body", entra.FaultContent, func(*question) *http.Response { return answer(200, `{"value":[{"id":`) }},
		{"no value", entra.FaultContent, func(*question) *http.Response { return answer(200, `{}`) }},
		{"link to itself", entra.FaultContent, loop(func(q *question) string { return q.url.String() })},
		{"link to another host", entra.FaultContent, loop(func(q *question) string { return "https://evil.example/v1.0/auditLogs/signIns?$skiptoken=1" })},
		{"skip token refused", entra.FaultPosition, func(q *question) *http.Response {
			if q.skip == "" {
				return answer(200, `{"value":[],"@odata.nextLink":`+fmt.Sprintf("%q", nextLink(*q, "1"))+`}`)
			}
			return graphError(400, "", "Invalid Skip Token, skip token is null")
		}},
		{"consent", entra.FaultConsent, func(*question) *http.Response {
			return graphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
		}},
		{"token", entra.FaultToken, func(*question) *http.Response { return graphError(401, "InvalidAuthenticationToken", "expired") }},
		{"throttled", entra.FaultThrottled, func(*question) *http.Response {
			r := graphError(429, "UnknownError", "This request is throttled.")
			r.Header.Set("Retry-After", "7.5")
			return r
		}},
		{"refused", entra.FaultRequest, func(*question) *http.Response { return graphError(400, "BadRequest", "Invalid filter clause") }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T) {
				h := newHouse(t, NonInteractiveSignIns)
				var bad atomic.Bool
				h.service.trouble = func(q *question) *http.Response {
					if bad.Load() {
						return c.fault(q)
					}
					return nil
				}
				h.start()
				wait(3 * time.Hour)
				bad.Store(true)
				begin := len(h.service.questions())
				var ids []string
				for i := range 30 {
					at := time.Now()
					id := fmt.Sprint("x", i)
					ids = append(ids, id)
					h.service.add("auditLogs/signIns", at, 2*time.Minute, signIn(id, "nonInteractiveUser", "u", at))
					wait(time.Minute)
				}
				asked := len(h.service.questions()) - begin
				bad.Store(false)
				kinds, _, _ := h.store.told(NonInteractiveSignIns)
				if !slices.Contains(kinds, c.kind) {
					t.Errorf("told %v, not %s", kinds, c.kind)
				}
				if asked > 120 {
					t.Errorf("%d requests in half an hour of trouble", asked)
				}
				wait(90 * time.Minute)
				for _, id := range ids {
					if !h.store.has(id) {
						t.Errorf("%s is missing", id)
					}
				}
				_, holes, polled := h.store.told(NonInteractiveSignIns)
				if len(holes) > 0 {
					t.Errorf("an outage is no hole: %v", holes)
				}
				if len(polled) == 0 || time.Since(polled[len(polled)-1].Through) > 5*time.Minute {
					t.Error("the stream is not read through to now")
				}
				h.stop()
			})
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAnEmptyPageWithALinkIsNoEnd(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, InteractiveSignIns)
		h.service.trouble = func(q *question) *http.Response {
			if q.skip == "" {
				return answer(200, `{"value":[],"@odata.nextLink":`+fmt.Sprintf("%q", nextLink(*q, "0"))+`}`)
			}
			return nil
		}
		h.start()
		wait(time.Hour)
		at := time.Now()
		h.service.add("auditLogs/signIns", at, time.Second, signIn("x", "interactiveUser", "u", at))
		wait(3 * time.Minute)
		if !h.store.has("x") {
			t.Error("the row behind the empty page did not come")
		}
		h.stop()
	})
}

func TestAPageThatFailsEveryTimeIsPassedOverAloudAndTriedAgain(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, InteractiveSignIns)
		base := time.Now().Add(-4 * time.Hour).Truncate(time.Second)
		bad := base.Add(17*time.Minute + 300*time.Millisecond)
		for i := range 240 {
			at := base.Add(time.Duration(i) * time.Minute)
			h.service.add("auditLogs/signIns", at, 0, signIn(fmt.Sprint("x", i), "interactiveUser", "u", at))
		}
		h.service.add("auditLogs/signIns", bad, 0, signIn("bad", "interactiveUser", "u", bad))
		var mended atomic.Bool
		h.service.trouble = func(q *question) *http.Response {
			if !mended.Load() && !q.from.After(bad) && !q.to.Before(bad) {
				return answer(502, "bad gateway")
			}
			return nil
		}
		h.start()
		wait(6 * time.Hour)
		for i := range 240 {
			if !h.store.has(fmt.Sprint("x", i)) {
				t.Errorf("row %d beside the bad page did not come", i)
			}
		}
		_, holes, polled := h.store.told(InteractiveSignIns)
		if len(holes) != 1 || holes[0].From.After(bad) || holes[0].To.Before(bad) || holes[0].To.Sub(holes[0].From) > time.Second {
			t.Errorf("the holes are %v, and the bad row is at %v", holes, bad)
		}
		if through := polled[len(polled)-1].Through; time.Since(through) > 5*time.Minute {
			t.Errorf("read through %v only", through)
		}
		mended.Store(true)
		wait(25 * time.Hour)
		if !h.store.has("bad") {
			t.Error("the page that was passed over was not tried again within a day")
		}
		h.stop()
	})
}

func TestALongRegionThatIsRefusedDoesNotTakeYears(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, DirectoryAudits)
		start := time.Now().Add(-6 * 24 * time.Hour)
		h.service.trouble = func(q *question) *http.Response {
			if q.from.Before(start) {
				return graphError(400, "BadRequest", "Invalid filter clause")
			}
			return nil
		}
		h.service.add("auditLogs/directoryAudits", start.Add(time.Hour), 0, audit("a", "u", "v", start.Add(time.Hour)))
		h.start()
		wait(23 * time.Hour)
		if !h.store.has("a") {
			t.Error("what lies behind the refused day has not come after 23 hours")
		}
		_, holes, _ := h.store.told(DirectoryAudits)
		if len(holes) == 0 || len(holes) > 40 {
			t.Errorf("%d holes", len(holes))
		}
		p, _ := decodePosition(h.store.cursors["graph:"+h.o.Tenant+"/"+string(DirectoryAudits)])
		if len(p.Missed) != 1 || p.Missed[0].To.Sub(start).Abs() > 2*time.Second {
			t.Errorf("missed is %v, and the refused region ends at %v", p.Missed, start)
		}
		h.stop()
	})
}

func TestClocksApart(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, time.Hour, -26 * time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			run(t, func(t *testing.T) {
				h := newHouse(t, InteractiveSignIns)
				h.service.skew = skew
				h.start()
				wait(30 * time.Second)
				var ids []string
				for i := range 200 {
					at := h.service.now() // the service's clock stamps and shows
					id := fmt.Sprint("x", i)
					ids = append(ids, id)
					h.service.add("auditLogs/signIns", at, 0, signIn(id, "interactiveUser", "u", at))
					wait(time.Minute)
				}
				wait(2 * time.Minute)
				for _, id := range ids {
					if !h.store.has(id) {
						t.Errorf("%s is missing", id)
					}
				}
				for _, q := range h.service.questions()[3:] {
					if q.to.After(q.now) {
						t.Fatalf("a window ended at %v when the service's clock showed %v", q.to, q.now)
					}
				}
				_, _, polled := h.store.told(InteractiveSignIns)
				if d := polled[len(polled)-1].Offset - skew; d.Abs() > 2*time.Second {
					t.Errorf("the offset is told as %v", polled[len(polled)-1].Offset)
				}
				h.stop()
			})
		})
	}
}

// The host's clock is set while the program runs, and what was kept by the wrong
// one is not believed.
func TestAPositionFromTheFuture(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, InteractiveSignIns)
		p := begun(time.Now().Add(-48 * time.Hour))
		p.Polled = time.Now().Add(3 * time.Hour).UTC().Truncate(time.Second)
		p.Hourly, p.Daily = p.Polled, p.Polled
		text, _ := p.encode()
		h.store.cursors["graph:"+h.o.Tenant+"/"+string(InteractiveSignIns)] = text
		at := time.Now().Add(-20 * time.Hour)
		h.service.add("auditLogs/signIns", at, 0, signIn("x", "interactiveUser", "u", at))
		h.start()
		wait(10 * time.Minute)
		kinds, _, _ := h.store.told(InteractiveSignIns)
		if !slices.Equal(kinds, []entra.FaultKind{entra.FaultClock}) {
			t.Errorf("told %v", kinds)
		}
		if !h.store.has("x") {
			t.Error("the last 36 hours were not read again")
		}
		h.stop()
	})
}

func TestACursorThatCannotBeUsed(t *testing.T) {
	for name, text := range map[string]string{
		"corrupt": "\x00\x00\x00", "newer": `{"version":99}`, "no times": `{"version":1}`,
		"backwards": `{"version":1,"begin":"2026-01-01T00:00:00Z","polled":"2026-01-02T00:00:00Z","hourly":"2026-01-02T00:00:00Z","daily":"2026-01-02T00:00:00Z","tried":"2026-01-02T00:00:00Z","unread":[{"from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T) {
				h := newHouse(t, InteractiveSignIns)
				h.store.cursors["graph:"+h.o.Tenant+"/"+string(InteractiveSignIns)] = []byte(text)
				at := time.Now().Add(-30 * time.Hour)
				h.service.add("auditLogs/signIns", at, 0, signIn("x", "interactiveUser", "u", at))
				h.start()
				wait(10 * time.Minute)
				kinds, holes, _ := h.store.told(InteractiveSignIns)
				if !slices.Equal(kinds, []entra.FaultKind{entra.FaultPosition}) || len(holes) != 1 {
					t.Errorf("told %v and %v", kinds, holes)
				}
				if !h.store.has("x") {
					t.Error("the last 36 hours were not read anew")
				}
				h.stop()
			})
		})
	}
}

func TestBeyondWhatGraphGivesIsAHole(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, InteractiveSignIns)
		p := begun(time.Now().Add(-100 * 24 * time.Hour))
		text, _ := p.encode()
		h.store.cursors["graph:"+h.o.Tenant+"/"+string(InteractiveSignIns)] = text
		at := time.Now().Add(-89 * 24 * time.Hour)
		h.service.add("auditLogs/signIns", at, 0, signIn("x", "interactiveUser", "u", at))
		h.start()
		wait(2 * time.Hour)
		_, holes, _ := h.store.told(InteractiveSignIns)
		if len(holes) != 1 || !holes[0].From.Equal(p.Polled) || time.Since(holes[0].To) < 89*24*time.Hour {
			t.Errorf("holes %v", holes)
		}
		if !h.store.has("x") || len(h.service.refusals()) > 0 {
			t.Errorf("what can be had: %v; refused: %v", h.store.has("x"), h.service.refusal)
		}
		h.stop()
	})
}

func TestWhatTheLicenceNoLongerKeepsIsAHole(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, DirectoryAudits)
		keep := 7 * 24 * time.Hour
		h.o.Keep = func() time.Duration { return keep }
		p := begun(time.Now().Add(-10 * 24 * time.Hour))
		text, _ := p.encode()
		h.store.cursors["graph:"+h.o.Tenant+"/"+string(DirectoryAudits)] = text
		h.start()
		wait(10 * time.Minute)
		_, holes, _ := h.store.told(DirectoryAudits)
		if len(holes) != 1 || !holes[0].From.Equal(p.Polled) || (time.Since(holes[0].To)-keep).Abs() > 11*time.Minute {
			t.Errorf("holes %v", holes)
		}
		for _, q := range h.service.questions() {
			if q.now.Sub(q.from) > keep+time.Hour {
				t.Errorf("asked for %v, which is gone", q.from)
			}
		}
		h.stop()
	})
}

// A poll looks back as far as records are known to be late.
func TestPollsLookBackOverTheLearnedTail(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, InteractiveSignIns)
		h.o.Tail = func(s Stream) time.Duration {
			if s != InteractiveSignIns {
				t.Errorf("asked for the tail of %s", s)
			}
			return 50 * time.Minute
		}
		h.start()
		wait(70*time.Minute + 30*time.Second)
		at := time.Now()
		for i := range 5 {
			h.service.add("auditLogs/signIns", at, time.Duration(20+6*i)*time.Minute, signIn(fmt.Sprint("x", i), "interactiveUser", "u", at))
		}
		wait(46 * time.Minute)
		for i := range 5 {
			id := fmt.Sprint("x", i)
			if came, ok := h.store.first[id]; !ok || came.Sub(at) > time.Duration(20+6*i)*time.Minute+65*time.Second {
				t.Errorf("%s came after %v (%v)", id, came.Sub(at), ok)
			}
		}
		h.stop()
	})
}

// Who keeps the declared accounts alone drops the rest; when another account is
// declared its rows come again, though the source has given them before.
func TestNewAccountsMakeTheSourceForgetWhatItGave(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, InteractiveSignIns)
		h.o.Accounts.Users = []string{"bg1"}
		h.start()
		wait(time.Hour)
		at := time.Now()
		h.service.add("auditLogs/signIns", at, time.Second, signIn("x", "interactiveUser", "bg2", at))
		wait(5 * time.Minute)
		times := func() (n int) {
			h.store.mu.Lock()
			defer h.store.mu.Unlock()
			for _, k := range h.store.content["x"] {
				n += k
			}
			return n
		}
		if n := times(); n != 1 {
			t.Fatalf("the row came %d times", n)
		}
		h.source.SetAccounts(Accounts{Users: []string{"BG1 "}})
		wait(3 * time.Minute)
		if n := times(); n != 1 {
			t.Errorf("the same accounts made the row come %d times", n)
		}
		h.source.SetAccounts(Accounts{Users: []string{"bg1", "bg2"}})
		wait(3 * time.Minute)
		if n := times(); n != 2 {
			t.Errorf("a new account made the row come %d times", n)
		}
		h.stop()
	})
}

func TestBetaRefused(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, InteractiveSignIns)
		h.service.trouble = func(q *question) *http.Response {
			if q.version == "beta" {
				return graphError(404, "ResourceNotFound", "Resource not found for the segment 'auditLogs'.")
			}
			return nil
		}
		at := time.Now().Add(-time.Hour)
		h.service.add("auditLogs/signIns", at, 0, signIn("x", "interactiveUser", "u", at))
		h.start()
		wait(10 * time.Minute)
		kinds, _, polled := h.store.told(InteractiveSignIns)
		if !h.store.has("x") || len(polled) == 0 || !slices.Equal(kinds, []entra.FaultKind{entra.FaultRequest}) {
			t.Errorf("by v1.0: %v, polls %d, told %v", h.store.has("x"), len(polled), kinds)
		}
		h.stop()
	})
}

// A flood of rows is read in windows of few pages, and polls do not wait for
// back-fill.
func TestBackfillOfAFloodDoesNotDelayTheLiveHalf(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, InteractiveSignIns)
		h.tune = func(s *Source) { s.asks[0].top = 100 }
		base := time.Now().Add(-5 * time.Hour)
		for i := range 2400 {
			at := base.Add(time.Duration(i) * 2500 * time.Millisecond)
			h.service.add("auditLogs/signIns", at, 0, signIn(fmt.Sprint("f", i), "interactiveUser", "u", at))
		}
		h.start()
		wait(45 * time.Second)
		at := time.Now()
		h.service.add("auditLogs/signIns", at, time.Second, signIn("live", "interactiveUser", "u", at))
		wait(90 * time.Second)
		if !h.store.has("live") {
			t.Error("a live row waits for back-fill")
		}
		e := h.source.Estimate(time.Now().Add(-24*time.Hour), time.Now())
		if !e.Measured || e.Requests < 2 || e.Takes != time.Duration(e.Requests)*4*time.Second {
			t.Errorf("estimate %+v", e)
		}
		wait(15 * time.Minute)
		missing := 0
		for i := range 2400 {
			if !h.store.has(fmt.Sprint("f", i)) {
				missing++
			}
		}
		if missing > 0 {
			t.Errorf("%d rows of the flood are missing", missing)
		}
		asked := h.service.questions()
		for i := 5; i < len(asked); i++ {
			if d := asked[i].at.Sub(asked[i-5].at); d < 10*time.Second {
				t.Fatalf("six requests within %v", d)
			}
		}
		h.stop()
	})
}

// Where fifteen minutes are too many pages for every poll they are left to
// back-fill, and a late row still comes within minutes.
func TestALateRowInAFlood(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, NonInteractiveSignIns)
		h.tune = func(s *Source) { s.asks[0].top = 50 }
		base := time.Now()
		for i := range 900 {
			at := base.Add(time.Duration(i) * 3 * time.Second)
			h.service.add("auditLogs/signIns", at, 0, signIn(fmt.Sprint("f", i), "nonInteractiveUser", "u", at))
		}
		var late []*row
		for i := range 10 {
			at := base.Add(20*time.Minute + time.Duration(i)*37*time.Second)
			late = append(late, h.service.add("auditLogs/signIns", at, 11*time.Minute, signIn(fmt.Sprint("late", i), "nonInteractiveUser", "u", at)))
		}
		h.start()
		wait(46 * time.Minute)
		for _, r := range late {
			if came, ok := h.store.first[r.id]; !ok || came.Sub(r.versions[0].at) > 4*time.Minute {
				t.Errorf("%s came %v after it could be seen (%v)", r.id, came.Sub(r.versions[0].at), ok)
			}
		}
		h.stop()
	})
}

// A kill while back-fill reads a window, after a poll has kept a newer position:
// the window is still owed.
func TestAWindowThatIsBeingReadIsStillOwed(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, InteractiveSignIns)
		at := time.Now().Add(-5 * 24 * time.Hour)
		h.service.add("auditLogs/signIns", at, 0, signIn("x", "interactiveUser", "u", at))
		var mended atomic.Bool
		h.service.trouble = func(q *question) *http.Response {
			if !mended.Load() && !q.from.After(at) && !q.to.Before(at) {
				time.Sleep(3 * time.Minute)
				return answer(504, "")
			}
			return nil
		}
		h.start()
		for range 20 {
			wait(95 * time.Second)
			h.stop()
			h.start()
		}
		if h.store.has("x") {
			t.Fatal("the row came though the service hangs on it")
		}
		h.stop()
		mended.Store(true)
		h.start()
		wait(20 * time.Minute)
		if !h.store.has("x") {
			t.Error("the window that was being read at a kill is forgotten")
		}
		h.stop()
	})
}

// The small windows of an outage are not kept: back-fill of a week that was cut
// off by one is soon done.
func TestBackfillIsQuickAgainAfterAnOutage(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, DirectoryAudits)
		var down atomic.Bool
		h.service.trouble = func(q *question) *http.Response {
			time.Sleep(2 * time.Second)
			if down.Load() {
				return answer(503, "")
			}
			return nil
		}
		h.start()
		wait(7 * time.Second) // in the midst of the first back-fill
		down.Store(true)
		wait(10 * time.Hour)
		down.Store(false)
		wait(20 * time.Minute)
		p, err := decodePosition(h.store.cursors["graph:"+h.o.Tenant+"/"+string(DirectoryAudits)])
		if err != nil || len(p.Unread)+len(p.Again)+len(p.Missed) > 0 {
			t.Errorf("still owed: %+v (%v)", p, err)
		}
		h.stop()
	})
}

func TestEmptyWindowsMakeProgressToo(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, DirectoryAudits)
		h.start()
		wait(2 * time.Hour)
		text := h.store.cursors["graph:"+h.o.Tenant+"/"+string(DirectoryAudits)]
		p, err := decodePosition(text)
		if err != nil || time.Since(p.Polled) > 2*time.Minute || len(p.Unread)+len(p.Again) > 0 {
			t.Errorf("%v: %s", err, text)
		}
		if strings.Contains(string(text), "http") {
			t.Errorf("a link is kept: %s", text)
		}
		h.stop()
	})
}

func TestAnEmitThatFailsEndsTheSource(t *testing.T) {
	run(t, func(t *testing.T) {
		h := newHouse(t, DirectoryAudits, InteractiveSignIns)
		h.store.fail = func(n int) (bool, bool) { return n == 5, false }
		h.start()
		wait(time.Hour)
		select {
		case err := <-h.done:
			if !errors.Is(err, errKilled) {
				t.Errorf("Run gave %v", err)
			}
		default:
			t.Error("Run goes on")
		}
		h.cancel()
	})
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	client := newService().client(entra.Pace{})
	for want, o := range map[string]Options{
		"a client":        {Tenant: "t"},
		"the tenant's id": {Client: client},
		"no stream":       {Tenant: "t", Client: client, Streams: []Stream{"signins"}},
		"no address":      {Tenant: "t", Client: entra.NewClient(entra.ClientOptions{Service: entra.Graph})},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}

func TestTenMillionRowsTakeHours(t *testing.T) {
	if d := TimeFor(10_000_000); d < 5*time.Hour || d > 6*time.Hour {
		t.Errorf("%v", d)
	}
}

var _ ingest.Source = (*Source)(nil)
