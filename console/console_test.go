package console_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"glassward"
	"glassward/console"
	"glassward/console/limit"
	"glassward/console/loganalytics"
	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
	"glassward/notify"
)

// house stands behind the console in these tests and notes what reached it.
type house struct {
	letter  console.Letter
	noting  sync.Mutex // queries of a batch reach it side by side
	reached []string
	body    string
	whole   bool
}

func (h *house) note(format string, args ...any) {
	h.noting.Lock()
	defer h.noting.Unlock()
	h.reached = append(h.reached, fmt.Sprintf(format, args...))
}

const alpha, beta = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"

func (h *house) Workspace(name string) (string, bool) {
	switch strings.ToLower(name) {
	case "alpha", alpha:
		return alpha, true
	case "beta", beta:
		return beta, true
	}
	return "", false
}

func (h *house) Tenants() []console.Tenant {
	return []console.Tenant{{ID: alpha, Name: "alpha"}, {ID: beta, Name: "beta"}}
}

func (h *house) Schema(tenant string) (console.Schema, error) {
	if tenant != alpha && tenant != beta {
		return console.Schema{}, fmt.Errorf("%w: %s holds no records", console.ErrNoSuch, tenant)
	}
	return console.Schema{
		Tables: []console.Table{
			{Name: "SigninLogs", Doc: "Interactive sign-ins of users.", Columns: []console.Column{{Name: "TimeGenerated", Type: value.DateTime, Doc: "When."}, {Name: "Status", Type: value.Dynamic}}},
			{Name: "AuditLogs", Columns: []console.Column{{Name: "TimeGenerated", Type: value.DateTime}}},
		},
		Functions: []kql.StoredFunction{{Name: "Failed", Doc: "Sign-ins that failed.", Parameters: []kql.Parameter{{Name: "since", Type: value.TimeSpan, Default: "1d"}}, Body: "{ SigninLogs | where TimeGenerated > ago(since) }"}},
	}, nil
}

func (h *house) Ingest(_ context.Context, tenant string, p console.Push, body io.Reader) (console.Receipt, error) {
	b, err := io.ReadAll(body)
	h.body, h.whole = string(b), p.Whole
	h.note("ingest %s from %s", tenant, p.Source)
	if err != nil {
		return console.Receipt{}, err
	}
	switch h.body {
	case "pause":
		return console.Receipt{}, fmt.Errorf("%w: 10 MB are free", console.ErrBusy)
	case "bad":
		return console.Receipt{Rejected: 1, Rejects: []console.Refusal{{Line: 1, Reason: "not JSON"}}}, nil
	}
	return console.Receipt{Records: 1, Added: 1}, nil
}

func (h *house) Query(_ context.Context, tenant string, q console.Question) (*kql.Result, error) {
	h.note("query %s", tenant)
	switch q.Text {
	case "wrong":
		return nil, &console.QueryError{Code: "KQL0201", Text: "no such table", Line: 1, Pos: 1}
	case "slow":
		return nil, console.ErrTimeout
	case "panic":
		panic("boom")
	}
	ticks := value.FromTime(time.Date(2015, 12, 31, 23, 59, 59, 900_000_000, time.UTC))
	return &kql.Result{
		Columns: []rel.Column{{Name: "t", Type: value.DateTime}, {Name: "n", Type: value.Long}, {Name: "d", Type: value.Dynamic}, {Name: "s", Type: value.TimeSpan}},
		Rows:    [][]any{{int64(ticks), int64(9007199254740993), `{"a":1}`, int64(100_000_000)}, {nil, nil, nil, nil}},
	}, nil
}

func (h *house) Incidents(_ context.Context, tenant string, f console.Filter) ([]glassward.Incident, string, error) {
	h.note("incidents %s after %q", tenant, f.After)
	return nil, "seven", nil
}

func (h *house) Incident(_ context.Context, tenant string, number int64) (console.Case, error) {
	h.note("incident %s %d", tenant, number)
	if number != 7 {
		return console.Case{}, console.ErrNoIncident
	}
	evil := "<script>alert(1)</script>\u202Eevil\r\n\x1b[31m"
	return console.Case{
		Incident:   glassward.Incident{Number: 7, Tenant: tenant, Title: evil, Status: glassward.StatusNew, Severity: glassward.High, Timeline: []glassward.TimelineEntry{{Kind: "alert", Text: evil}}},
		Alerts:     []glassward.Alert{{Title: evil, Context: &glassward.Context{SignIns: []glassward.SignIn{{Account: evil, Time: time.Now(), Place: evil}}, Keys: []string{evil}}, Columns: []string{"UserDisplayName"}, Rows: [][]string{{evil}}}},
		Deliveries: []glassward.Delivery{{Receiver: "oncall", Status: glassward.Delivered, Answer: evil}},
	}, nil
}

func (h *house) Act(_ context.Context, tenant string, number int64, a console.Action) (glassward.Incident, error) {
	h.note("act %s %d %s by %s via %s", tenant, number, a.Kind, a.By, a.Via)
	if a.Reason == "stale" {
		return glassward.Incident{}, console.ErrChanged
	}
	return glassward.Incident{Number: number}, nil
}

func (h *house) Graph(_ context.Context, tenant string, number int64) (any, error) {
	h.note("graph %s %d", tenant, number)
	if number != 7 {
		return nil, console.ErrNoIncident
	}
	return "graph", nil
}
func (h *house) Expectations(_ context.Context, tenant string) ([]glassward.Expectation, error) {
	h.note("expectations %s", tenant)
	return nil, nil
}
func (h *house) Declare(_ context.Context, tenant string, e glassward.Expectation) (glassward.Expectation, error) {
	h.note("declare %s by %s via %s", tenant, e.By, e.Via)
	return e, nil
}
func (h *house) Withdraw(_ context.Context, tenant, id string, x console.Withdrawal, via string) (glassward.Expectation, error) {
	h.note("withdraw %s %s by %s via %s", tenant, id, x.By, via)
	return glassward.Expectation{}, fmt.Errorf("expectation %q %w", id, console.ErrNoSuch)
}

func (h *house) Status(context.Context, string) (any, error) { h.note("status"); return "fine", nil }
func (h *house) Reload(context.Context, string) error        { h.note("reload"); return nil }
func (h *house) TestGroup(_ context.Context, g, _ string) (any, error) {
	h.note("test %s", g)
	return "sent", nil
}
func (h *house) Prove(_ context.Context, g string, receivers []string, _ string) (any, error) {
	h.note("prove %s %s", g, receivers)
	return "sent", nil
}
func (h *house) AnswerProof(_ context.Context, code, who string) (any, error) {
	h.note("code %s by %s", code, who)
	return "proven", nil
}
func (h *house) Callback(_ context.Context, c notify.Callback) (string, []byte, error) {
	switch c.Header.Get("X-Signature") {
	case "good":
		h.note("callback %s %s %s %s", c.Provider, c.What, c.Query, c.Body)
		return "text/xml", []byte("<Response/>"), nil
	case "odd":
		return "", nil, errors.New("hunter2")
	}
	return "", nil, notify.ErrCallback
}
func (h *house) Proofs(context.Context) (any, error) { h.note("proofs"); return "proofs", nil }
func (h *house) CreateToken(_ context.Context, t console.NewToken, _ string) (string, error) {
	h.note("create token %s for %q", t.Name, t.Tenant)
	return "gw_secret", nil
}
func (h *house) ListTokens(context.Context) (any, error) { h.note("list tokens"); return []int{}, nil }
func (h *house) RevokeToken(_ context.Context, name, _ string) error {
	h.note("revoke %s", name)
	return fmt.Errorf("token %q %w", name, console.ErrNoSuch)
}
func (h *house) Backtest(_ context.Context, tenant string, b console.Backtest, who string) (any, error) {
	return b, nil
}

func (h *house) Rules(_ context.Context, tenant string) (any, error) {
	h.note("rules %s", tenant)
	return nil, nil
}

func (h *house) Backup(_ context.Context, b console.Backup, _ string) (any, error) {
	h.note("backup %q to %s", b.Tenant, b.To)
	return "taken", nil
}
func (h *house) Restore(_ context.Context, r console.Restore, _ string) (any, error) {
	h.note("restore %s from %s", r.Tenant, r.From)
	return "restored", nil
}
func (h *house) Compact(_ context.Context, tenant, _ string) (any, error) {
	h.note("compact %q", tenant)
	return "compacted", nil
}
func (h *house) Export(_ context.Context, tenant, _ string, to io.Writer) error {
	h.note("export %s", tenant)
	if tenant == "unwell" {
		return console.ErrBusy
	}
	_, err := to.Write([]byte("a zip"))
	return err
}
func (h *house) Forget(_ context.Context, tenant, _ string) (any, error) {
	h.note("forget %s", tenant)
	return "forgotten", nil
}

// CheckToken knows tokens that spell what they may do: "SCOPE@TENANT".
func (h *house) CheckToken(_ context.Context, token string) (console.Grant, error) {
	scope, tenant, ok := strings.Cut(token, "@")
	if !ok {
		return console.Grant{}, console.ErrBadToken
	}
	return console.Grant{Name: token, Tenant: tenant, Source: "push:" + scope, Scopes: []console.Scope{console.Scope(scope)}}, nil
}

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

var links = console.Signer{Key: []byte("0123456789abcdef0123456789abcdef")}

// endless are limits that only a body can meet: the clock of these tests stands still.
func endless() *limit.Book {
	const many = 1 << 30
	return limit.New(limit.Options{Of: func(string) limit.Limits {
		return limit.Limits{Requests: many, Pushes: many, Bytes: many, Strangers: many, Body: 1000}
	}})
}

func serve(h *house, noAuth bool) *console.Server {
	return console.New(console.Options{Workspaces: h, Desk: h, Operator: h, Collections: h, Callbacks: h, Tokens: h, Letters: h, NoAuth: noAuth, Limits: endless(),
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
}

// notice is the one that the house has sent, to oncall/mail, about incident 7.
const notice = "0123456789abcdef0123456789abcdef"

func (h *house) Letter(_ context.Context, token string) (console.Letter, error) {
	if console.NamedBy(token) != notice[:12] || !links.Opens(token, notice, "oncall/mail") {
		return console.Letter{}, console.ErrNoLetter
	}
	l := h.letter
	l.Token, l.Tenant, l.Number, l.Receiver = token, alpha, 7, "oncall/mail"
	if l.Sent.IsZero() {
		l.Sent = now
	}
	return l, nil
}

func (h *house) Answer(_ context.Context, l console.Letter, r console.Reply) (string, error) {
	h.note("answer %d of %s by %s: %s, code %q", l.Number, l.Receiver, r.Who, r.Why, r.Code)
	if r.Code == "000000" {
		return "", console.ErrTooMany
	}
	return "Nobody is called any more.", nil
}

func ask(s http.Handler, method, path, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// plain is an answer without the id that each has of its own.
func plain(w *httptest.ResponseRecorder) string {
	return regexp.MustCompile(`"correlationId":"[^"]*"`).ReplaceAllString(fmt.Sprint(w.Code, w.Body), "")
}

// TestEveryRouteNeedsItsScope is the list of routes with what each needs, and
// holds that nothing else opens it.
func TestEveryRouteNeedsItsScope(t *testing.T) {
	want := map[string]console.Scope{
		"GET /healthz":                                                console.Public,
		"GET /v1/openapi.json":                                        console.Public,
		"GET /a/{letter}":                                             console.Link,
		"POST /a/{letter}":                                            console.Link,
		"POST /callbacks/{provider}/{what...}":                        console.Public,
		"POST /dataCollectionRules/{rule}/streams/{stream}":           console.Ingest,
		"POST /v1/ingest":                                             console.Ingest,
		"POST /v1/workspaces/{workspace}/query":                       console.Query,
		"GET /v1/workspaces/{workspace}/query":                        console.Query,
		"POST /v1/workspaces/{workspace}/metadata":                    console.Query,
		"GET /v1/workspaces/{workspace}/metadata":                     console.Query,
		"POST /v1/$batch":                                             console.Query,
		"GET /v1/workspaces/{workspace}/incidents":                    console.Query,
		"GET /v1/workspaces/{workspace}/incidents/{number}":           console.Query,
		"POST /v1/workspaces/{workspace}/incidents/{number}/{action}": console.Acknowledge,
		"GET /v1/workspaces/{workspace}/expected":                     console.Query,
		"GET /v1/workspaces/{workspace}/incidents/{number}/graph":     console.Query,
		"POST /v1/workspaces/{workspace}/expected":                    console.Operate,
		"POST /v1/workspaces/{workspace}/expected/{id}/withdraw":      console.Operate,
		"GET /v1/workspaces/{workspace}/rules":                        console.Query,
		"POST /v1/workspaces/{workspace}/backtest":                    console.Query,
		"GET /v1/status":                                              console.Operate,
		"POST /v1/reload":                                             console.Operate,
		"POST /v1/actiongroups/{group}/test":                          console.Operate,
		"POST /v1/actiongroups/{group}/prove":                         console.Operate,
		"GET /v1/proofs":                                              console.Operate,
		"POST /v1/proofs":                                             console.Operate,
		"GET /v1/tokens":                                              console.Operate,
		"POST /v1/tokens":                                             console.Operate,
		"DELETE /v1/tokens/{name}":                                    console.Operate,
		"GET /metrics":                                                console.Operate,
		"POST /v1/backup":                                             console.Owner,
		"POST /v1/restore":                                            console.Owner,
		"POST /v1/compact":                                            console.Owner,
		"POST /v1/export":                                             console.Operate,
		"POST /v1/forget":                                             console.Owner,
		"GET /v1/rest/auth/metadata":                                  console.Public,
		"POST /v2/rest/query":                                         console.Query,
		"GET /v2/rest/query":                                          console.Query,
		"POST /v1/rest/query":                                         console.Query,
		"GET /v1/rest/query":                                          console.Query,
		"POST /v1/rest/mgmt":                                          console.Query,
		"POST /v1/rest/ingest/{what...}":                              console.Public,
		"GET /adfs/.well-known/openid-configuration":                  console.Public,
		"GET /adfs/discovery/keys":                                    console.Public,
		"POST /adfs/oauth2/token":                                     console.Public,
		"GET /adfs/v2.0/.well-known/openid-configuration":             console.Public,
		"POST /adfs/oauth2/v2.0/token":                                console.Public,
		" /":                                                          console.Public,
	}
	h := &house{}
	s := serve(h, false)
	fill := strings.NewReplacer("{workspace}", "alpha", "{number}", "7", "{action}", "acknowledge", "{group}", "emergency", "{name}", "x")
	for _, r := range s.Routes() {
		key := r.Method + " " + r.Path
		if want[key] != r.Scope {
			t.Errorf("%s needs %q, the list says %q", key, r.Scope, want[key])
		}
		delete(want, key)
		if r.Scope == console.Public {
			continue
		}
		path := fill.Replace(r.Path)
		h.reached = nil
		if got := ask(s, r.Method, path, "", "{}").Code; r.Scope != console.Link && got != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", key, got)
		}
		if got := ask(s, r.Method, path, "forged", "{}").Code; got != http.StatusForbidden {
			t.Errorf("%s with a forged token: %d", key, got)
		}
		for _, scope := range []console.Scope{console.Ingest, console.Query, console.Acknowledge, console.Operate} {
			if scope == r.Scope {
				continue
			}
			if got := ask(s, r.Method, path, string(scope)+"@"+alpha, "{}").Code; got != http.StatusForbidden {
				t.Errorf("%s with scope %s: %d", key, scope, got)
			}
		}
		if strings.Contains(r.Path, "{workspace}") && r.Scope != console.Link {
			foreign := ask(s, r.Method, path, string(r.Scope)+"@"+beta, "{}")
			missing := ask(s, r.Method, strings.Replace(path, "alpha", "gamma", 1), string(r.Scope)+"@"+beta, "{}")
			if foreign.Code != http.StatusNotFound || plain(foreign) != strings.ReplaceAll(plain(missing), "gamma", "alpha") {
				t.Errorf("%s: a foreign workspace gives %d %s, one that does not exist %d %s", key, foreign.Code, foreign.Body, missing.Code, missing.Body)
			}
		}
		if len(h.reached) != 0 {
			t.Errorf("%s: behind the door: %v", key, h.reached)
		}
	}
	for key := range want {
		t.Errorf("no route %s", key)
	}
}

func TestWhatTheRightTokenReaches(t *testing.T) {
	for _, x := range []struct {
		method, path, token, body string
		code                      int
		reached, answer           string
	}{
		{"POST", "/v1/ingest", "ingest@" + alpha, "x", 200, "ingest " + alpha + " from push:ingest", `"added":1`},
		{"POST", "/v1/ingest?tenant=beta", "ingest@", "x", 200, "ingest " + beta + " from push:ingest", `"added":1`},
		{"POST", "/v1/export", "operate@", `{"tenant":"beta"}`, 200, "export " + beta, "a zip"},
		{"POST", "/v1/export", "operate@" + beta, `{"tenant":"beta"}`, 200, "export " + beta, "a zip"},
		{"POST", "/v1/export", "operate@" + alpha, `{"tenant":"beta"}`, 404, "", "PathNotFoundError"},
		{"POST", "/v1/export", "operate@" + alpha, `{"tenant":"gone"}`, 404, "", "PathNotFoundError"},
		{"POST", "/v1/export", "operate@", `{"tenant":"unwell"}`, 503, "export unwell", "WorkspaceUnavailable"},
		{"POST", "/v1/export", "operate@", `{}`, 400, "", "BadArgumentError"},
		{"POST", "/v1/ingest?tenant=beta", "ingest@" + alpha, "x", 404, "", "no workspace"},
		{"POST", "/v1/ingest", "ingest@", "x", 400, "", "say which with ?tenant="},
		{"POST", "/v1/ingest", "ingest@" + alpha, "pause", 503, "ingest " + alpha + " from push:ingest", "10 MB are free"},
		{"POST", "/v1/ingest", "ingest@" + alpha, "bad", 400, "ingest " + alpha + " from push:ingest", "not JSON"},
		{"POST", "/v1/ingest", "ingest@" + alpha, strings.Repeat("x", 1001), 413, "ingest " + alpha + " from push:ingest", "larger than 1000 bytes"},
		{"POST", "//v1//workspaces/alpha/query", "query@" + alpha, `{"query":"T"}`, 200, "query " + alpha, "2015-12-31T23:59:59.9Z"},
		{"POST", "/v1/workspaces/alpha/query", "query@" + alpha, `{"query":"wrong"}`, 400, "query " + alpha, `"code":"SEM0100","message":"no such table"`},
		{"POST", "/v1/workspaces/alpha/query", "query@" + alpha, `{"query":"slow"}`, 504, "query " + alpha, "GatewayTimeout"},
		{"POST", "/v1/workspaces/alpha/query", "query@" + alpha, `{"query":"panic"}`, 500, "query " + alpha, "InternalServerError"},
		{"POST", "/v1/workspaces/alpha/query", "query@" + alpha, `{`, 400, "", "not JSON of the form"},
		{"GET", "/v1/workspaces/alpha/incidents?status=Open", "query@" + alpha, "", 400, "", "New, Active or Closed"},
		{"GET", "/v1/workspaces/alpha/incidents?after=nine", "query@" + alpha, "", 200, "incidents " + alpha + ` after "nine"`, `"after":"seven"`},
		{"GET", "/v1/workspaces/alpha/incidents/8", "query@" + alpha, "", 404, "incident " + alpha + " 8", "no incident"},
		{"POST", "/v1/workspaces/alpha/incidents/7/acknowledge", "acknowledge@" + alpha, `{"by":"N. Ito"}`, 200, "act " + alpha + " 7 acknowledge by N. Ito via acknowledge@" + alpha, ""},
		{"POST", "/v1/workspaces/alpha/incidents/7/acknowledge", "acknowledge@" + alpha, `{"by":"N. Ito","reason":"stale"}`, 409, "act " + alpha + " 7 acknowledge by N. Ito via acknowledge@" + alpha, "read it again"},
		{"POST", "/v1/workspaces/alpha/incidents/7/acknowledge", "acknowledge@" + alpha, `{}`, 400, "", "say who acts"},
		{"GET", "/v1/workspaces/alpha/incidents/7/graph", "query@" + alpha, "", 200, "graph " + alpha + " 7", "graph"},
		{"GET", "/v1/workspaces/alpha/incidents/8/graph", "query@" + alpha, "", 404, "graph " + alpha + " 8", ""},
		{"GET", "/v1/workspaces/alpha/expected", "query@" + alpha, "", 200, "expectations " + alpha, `"value":[]`},
		{"POST", "/v1/workspaces/alpha/expected", "operate@" + alpha, `{"by":"N. Ito"}`, 200, "declare " + alpha + " by N. Ito via operate@" + alpha, ""},
		{"POST", "/v1/workspaces/alpha/expected", "operate@" + alpha, `{"by":"N. Ito","everything":true}`, 400, "", "unknown field"},
		{"POST", "/v1/workspaces/alpha/expected", "acknowledge@" + alpha, `{"by":"N. Ito"}`, 403, "", ""},
		{"POST", "/v1/workspaces/alpha/expected/x1/withdraw", "operate@" + alpha, `{"by":"N. Ito"}`, 404, "withdraw " + alpha + " x1 by N. Ito via operate@" + alpha, "does not exist"},
		{"POST", "/v1/workspaces/alpha/incidents/7/delete", "acknowledge@" + alpha, `{"by":"x"}`, 404, "", "no action"},
		{"POST", "/v1/reload", "operate@", "", 200, "reload", ""},
		{"POST", "/v1/reload", "operate@" + alpha, "", 403, "", "every tenant"},
		{"POST", "/v1/actiongroups/oncall/prove", "operate@", `{"receivers":["kim"]}`, 200, "prove oncall [kim]", "sent"},
		{"POST", "/v1/actiongroups/oncall/prove", "operate@" + beta, `{}`, 403, "", "for one alone"},
		{"POST", "/v1/proofs", "operate@", `{"code":"482913"}`, 200, "code 482913 by operate@", "proven"},
		{"POST", "/v1/proofs", "operate@", `482913`, 400, "", "is not JSON of the form"},
		{"GET", "/v1/proofs", "operate@", ``, 200, "proofs", "proofs"},
		{"POST", "/v1/tokens", "operate@", `{"name":"a","tenant":"beta","scopes":["ingest"]}`, 200, `create token a for "` + beta + `"`, "gw_secret"},
		{"POST", "/v1/tokens", "operate@", `{"name":"a","scopes":["root"]}`, 400, "", "unknown scope"},
		{"POST", "/v1/tokens", "operate@", `{"name":"Local","scopes":["ingest"]}`, 400, "", "take another name"},
		{"POST", "/v1/tokens", "operate@", `{"name":"a","source":"local","scopes":["ingest"]}`, 400, "", "take another name"},
		{"GET", "/metrics", "operate@" + alpha, "", 403, "", "every tenant"},
		{"DELETE", "/v1/tokens/zz", "operate@", "", 404, "revoke zz", "does not exist"},
	} {
		h := &house{}
		s := serve(h, false)
		w := ask(s, x.method, x.path, x.token, x.body)
		if w.Code != x.code || !strings.Contains(w.Body.String(), x.answer) {
			t.Errorf("%s %s: %d %s; want %d and %q", x.method, x.path, w.Code, w.Body, x.code, x.answer)
		}
		if got := strings.Join(h.reached, ";"); got != x.reached {
			t.Errorf("%s %s reached %q, want %q", x.method, x.path, got, x.reached)
		}
		if w.Code >= 400 && (w.Header().Get("x-ms-error-code") == "" || !json.Valid(w.Body.Bytes())) {
			t.Errorf("%s %s: an error without a code of ours: %s", x.method, x.path, w.Body)
		}
	}
}

func pack(t *testing.T, text []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	g := gzip.NewWriter(&z)
	if _, err := g.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

// TestGzipIsOpenedWithinBounds holds that no way of saying gzip, or of not saying
// it, lets more than the bound through.
func TestGzipIsOpenedWithinBounds(t *testing.T) {
	large := bytes.Repeat([]byte("a"), 100_000)
	for _, x := range []struct {
		name, encoding string
		body           []byte
		code           int
		taken          string
	}{
		{"said", "gzip", pack(t, []byte("one")), 200, "one"},
		{"not said", "", pack(t, []byte("one")), 200, "one"},
		{"a packed file sent packed", "gzip", pack(t, pack(t, []byte("one"))), 200, "one"},
		{"said and large", "gzip", pack(t, large), 413, ""},
		{"not said and large", "", pack(t, large), 413, ""},
		{"twice and large", "gzip", pack(t, pack(t, large)), 413, ""},
		{"three times", "", pack(t, pack(t, pack(t, large))), 400, ""},
		{"said and not so", "gzip", []byte("one"), 400, ""},
		{"empty", "", nil, 200, ""},
		{"of one byte", "", []byte("x"), 200, "x"},
	} {
		h := &house{}
		s := serve(h, false)
		r := httptest.NewRequest("POST", "/v1/ingest?tenant=alpha", bytes.NewReader(x.body))
		r.Header.Set("Authorization", "Bearer ingest@")
		r.Header.Set("Content-Encoding", x.encoding)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != x.code || len(h.body) > 1000 || (x.code == 200 && h.body != x.taken) {
			t.Errorf("%s: %d after %d bytes: %s", x.name, w.Code, len(h.body), w.Body)
		}
	}
}

// TestShortBodiesAreTakenWhole holds that what a sender has all of becomes one batch,
// and that what goes on without an end, or for long, does not wait for it.
func TestShortBodiesAreTakenWhole(t *testing.T) {
	for _, x := range []struct {
		name   string
		length int64
		whole  bool
	}{
		{"empty", 0, true},
		{"short", 4, true},
		{"of a megabyte", 1 << 20, true},
		{"larger", 1<<20 + 1, false},
		{"a stream", -1, false},
	} {
		h := &house{}
		r := httptest.NewRequest("POST", "/v1/ingest?tenant=alpha", strings.NewReader("four"))
		r.ContentLength = x.length
		r.Header.Set("Authorization", "Bearer ingest@")
		w := httptest.NewRecorder()
		serve(h, false).ServeHTTP(w, r)
		if w.Code != http.StatusOK || h.whole != x.whole {
			t.Errorf("%s: %d, whole is %v", x.name, w.Code, h.whole)
		}
	}
}

func TestTheFoldersOwnerHandsOverFilesOfAnySize(t *testing.T) {
	h := &house{}
	s := serve(h, false)
	r := httptest.NewRequest("POST", "/v1/ingest?tenant=alpha", strings.NewReader(strings.Repeat("x", 5000)))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r.WithContext(console.WithGrant(r.Context(), console.Local)))
	if w.Code != http.StatusOK || len(h.body) != 5000 {
		t.Errorf("%d after %d bytes: %s", w.Code, len(h.body), w.Body)
	}
}

// TestNoAuthLetsNoBrowserIn holds that a web page cannot act through the browser
// of somebody who runs without authentication.
func TestNoAuthLetsNoBrowserIn(t *testing.T) {
	for _, x := range []struct {
		host, origin, site string
		code               int
	}{
		{"127.0.0.1:8470", "", "", 200},
		{"localhost:8470", "", "", 200},
		{"[::1]:8470", "", "", 200},
		{"127.0.0.1", "", "same-origin", 200},
		{"127.0.0.1:8470", "https://evil.example", "", 403},
		{"127.0.0.1:8470", "https://evil.example", "cross-site", 403},
		{"rebound.example:8470", "", "", 403},
		{"rebound.example:8470", "http://rebound.example:8470", "same-origin", 403},
	} {
		h := &house{}
		s := serve(h, true)
		r := httptest.NewRequest("POST", "/v1/workspaces/alpha/incidents/7/close", strings.NewReader(`{"by":"N. Ito"}`))
		r.Host = x.host
		for name, v := range map[string]string{"Origin": x.origin, "Sec-Fetch-Site": x.site} {
			if v != "" {
				r.Header.Set(name, v)
			}
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != x.code || (len(h.reached) > 0) != (x.code == 200) {
			t.Errorf("%+v: %d %s, reached %v", x, w.Code, w.Body, h.reached)
		}
	}
}

func TestQueryResponseIsThatOfLogAnalytics(t *testing.T) {
	h := &house{}
	r, _ := h.Query(context.Background(), alpha, console.Question{})
	var b bytes.Buffer
	if err := (loganalytics.Answer{Result: r}).Write(&b); err != nil {
		t.Fatal(err)
	}
	want := `{"tables":[{"name":"PrimaryResult","columns":[{"name":"t","type":"datetime"},{"name":"n","type":"long"},{"name":"d","type":"dynamic"},{"name":"s","type":"timespan"}],` +
		`"rows":[["2015-12-31T23:59:59.9Z",9007199254740993,"{\"a\":1}","00:00:10"],` + "\n" + `[null,null,null,null]]}]}` + "\n"
	if b.String() != want {
		t.Errorf("got  %s\nwant %s", b.String(), want)
	}
}

func TestALetterOpensItsIncidentAlone(t *testing.T) {
	h := &house{}
	s := serve(h, true) // even where no token is needed a letter is
	letter := links.Letter(notice, "OnCall/mail")
	w := ask(s, "GET", letter, "", "")
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	page := w.Body.String()
	for _, bad := range []string{"<script", "\x1b", "\u202E", "<a ", "http://", "https://"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if !strings.Contains(page, "&lt;script&gt;") {
		t.Error("the title is not on the page as text")
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script-src") {
		t.Errorf("policy %q", csp)
	}
	if len(letter) > len("/a/")+24 {
		t.Errorf("%s is long for a text message", letter)
	}
	for _, l := range []string{
		letter[:len(letter)-1], letter + "A", "/a/", "/a/x", "/a/" + strings.Repeat("A", 24), letter[:len(letter)-1] + "_",
		links.Letter(notice, "oncall/other"), links.Letter(glassward.NoticeID("f"+notice[1:]), "oncall/mail"),
		console.Signer{Key: []byte("another key of thirty-two bytes!")}.Letter(notice, "oncall/mail"),
	} {
		if w := ask(s, "GET", l, "", ""); w.Code != http.StatusForbidden && w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", l, w.Code)
		}
		if w := form(s, l, "who=kim&why=on+it"); w.Code != http.StatusForbidden && w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", l, w.Code)
		}
	}
	h.letter.Sent = now.Add(-31 * 24 * time.Hour)
	if w := ask(s, "GET", letter, "", ""); w.Code != http.StatusForbidden {
		t.Errorf("after a month: %d", w.Code)
	}
	if slices.ContainsFunc(h.reached, func(s string) bool { return strings.HasPrefix(s, "answer") }) {
		t.Errorf("a wrong letter took an incident up: %v", h.reached)
	}
}

// form posts the page's form.
func form(s http.Handler, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// Programs follow the links of every mail, some with HEAD, some with the form's
// fields in the address. Only a form that is sent takes an incident up.
func TestOnlyAFormTakesUp(t *testing.T) {
	h := &house{}
	s := serve(h, false)
	letter := links.Letter(notice, "oncall/mail")
	for _, method := range []string{"GET", "HEAD"} {
		if w := ask(s, method, letter+"?who=kim&why=on+it&code=482913", "", ""); w.Code != http.StatusOK {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	for _, method := range []string{"PUT", "OPTIONS", "DELETE"} {
		if w := ask(s, method, letter, "", "who=kim&why=on+it"); w.Code == http.StatusOK {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	for path, body := range map[string]string{
		letter + "?who=kim&why=on+it": "", letter: "who=kim&why=+", letter + "?": "who=&why=x", letter + "?x": "who=kim&why=" + strings.Repeat("x", 20<<10),
	} {
		if w := form(s, path, body); w.Code != http.StatusBadRequest {
			t.Errorf("%s with %d bytes: %d", path, len(body), w.Code)
		}
	}
	answered := func() (out []string) {
		for _, s := range h.reached {
			if strings.HasPrefix(s, "answer") {
				out = append(out, s)
			}
		}
		return out
	}
	if got := answered(); got != nil {
		t.Fatalf("reached %v", got)
	}
	w := form(s, letter, "who=kim&why=on+it&code=+482913+")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Nobody is called any more.") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := answered(); len(got) != 1 || got[0] != `answer 7 of oncall/mail by kim: on it, code "482913"` {
		t.Errorf("reached %v", got)
	}
	if w := form(s, letter, "who=kim&why=on+it&code=000000"); w.Code != http.StatusTooManyRequests {
		t.Errorf("too many: %d", w.Code)
	}
	// One that was used, or is old, shows its incident and takes nothing up.
	for _, l := range []console.Letter{{Used: true}, {Sent: now.Add(-73 * time.Hour)}} {
		h.letter, h.reached = l, nil
		if w := ask(s, "GET", letter, "", ""); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "<form") {
			t.Errorf("%+v: %d", l, w.Code)
		}
		if w := form(s, letter, "who=kim&why=on+it"); w.Code != http.StatusConflict || answered() != nil {
			t.Errorf("%+v: %d, reached %v", l, w.Code, answered())
		}
	}
}

// FuzzLetter looks for a token that is taken for another's, or breaks the reader.
func FuzzLetter(f *testing.F) {
	letter := strings.TrimPrefix(links.Letter(notice, "oncall/mail"), "/a/")
	f.Add(letter)
	f.Add("")
	f.Add("%00")
	f.Fuzz(func(t *testing.T, token string) {
		named := console.NamedBy(token)
		if links.Opens(token, notice, "oncall/mail") != (token == letter) {
			t.Errorf("%q opens the letter", token)
		}
		if named != "" && len(named) != 12 {
			t.Errorf("%q is named %q", token, named)
		}
	})
}

// What names folders of the machine is for whoever owns the data folder: no token
// reaches it, nor does everybody where no tokens are asked for.
func TestFoldersAreTheOwners(t *testing.T) {
	h := &house{}
	s := serve(h, true)
	for _, path := range []string{"/v1/backup", "/v1/restore", "/v1/compact"} {
		r := httptest.NewRequest("POST", "http://127.0.0.1"+path, strings.NewReader(`{"to": "/x", "from": "/x"}`))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden || len(h.reached) > 0 {
			t.Errorf("%s without authentication: %d, reached %v", path, w.Code, h.reached)
		}
		r = httptest.NewRequest("POST", "http://glassward"+path, strings.NewReader(`{"to": "/x", "from": "/x", "tenant": "Alpha"}`))
		w = httptest.NewRecorder()
		s.ServeHTTP(w, r.WithContext(console.WithGrant(r.Context(), console.Local)))
		if w.Code != http.StatusOK || len(h.reached) != 1 || !strings.Contains(h.reached[0], alpha) {
			t.Errorf("%s by the control socket: %d, reached %v", path, w.Code, h.reached)
		}
		h.reached = nil
	}
}

// TestBatch: each member of a batch is answered in its place, by itself: one that fails, one of a
// tenant that the token is not for and one that panics take nothing from the others.
func TestBatch(t *testing.T) {
	h := &house{}
	s := serve(h, false)
	var b strings.Builder
	for i := range 20 {
		query, workspace := "T", "alpha"
		switch i % 5 {
		case 1:
			query = "wrong"
		case 2:
			workspace = "beta"
		case 3:
			query = "panic"
		case 4:
			workspace = "" // the token's own
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"%d","workspace":%q,"body":{"query":%q}}`, i, workspace, query)
	}
	w := ask(s, "POST", "/v1/$batch", "query@"+alpha, `{"requests":[`+b.String()+`]}`)
	var answer struct {
		Responses []struct {
			ID     string
			Status int
			Body   struct {
				Tables []any
				Error  struct{ Code, CorrelationID string }
			}
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK || len(answer.Responses) != 20 {
		t.Fatalf("%d %v %s", w.Code, err, w.Body)
	}
	want := []string{"200  1", "400 BadArgumentError 0", "404 PathNotFoundError 0", "500 InternalServerError 0", "200  1"}
	for i, r := range answer.Responses {
		if got := fmt.Sprint(r.Status, " ", r.Body.Error.Code, " ", len(r.Body.Tables)); r.ID != fmt.Sprint(i) || got != want[i%5] || (r.Body.Error.CorrelationID == "") != (r.Status == 200) {
			t.Errorf("%d: %s %s", i, r.ID, got)
		}
	}
	for body, want := range map[string]int{`{"requests":[{"id":"1"},{"id":"1"}]}`: 400, `{`: 400, `{"requests":[]}`: 400} {
		if w := ask(s, "POST", "/v1/$batch", "query@"+alpha, body); w.Code != want || !strings.Contains(w.Body.String(), "BadArgumentError") {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

// TestMetadata: a workspace tells of its tables, and of its own alone.
func TestMetadata(t *testing.T) {
	h := &house{}
	s := serve(h, false)
	for _, method := range []string{"GET", "POST"} {
		var m loganalytics.Metadata
		w := ask(s, method, "/v1/workspaces/default/metadata", "query@"+alpha, "")
		if err := json.Unmarshal(w.Body.Bytes(), &m); err == nil && (len(m.Tables) == 0 || len(m.Workspaces) != 1 || m.Workspaces[0].ID != alpha || m.Tables[0].ID != m.Tables[0].Name) {
			t.Errorf("%s: %s", method, w.Body)
		}
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
	}
}

// FuzzQueryAPI: whatever is sent to the paths of the query API is answered with a code of ours,
// and never with another tenant's records, name or id.
func FuzzQueryAPI(f *testing.F) {
	f.Add("POST", "/v1/workspaces/alpha/query", `{"query":"T","workspaces":["beta"]}`)
	f.Add("GET", "/v1/workspaces/alpha/query?query=T&timespan=P1D&workspaces=beta", "")
	f.Add("POST", "/v1/$batch", `{"requests":[{"id":"1","workspace":"beta","body":{"query":"T"}}]}`)
	f.Add("POST", "//v1/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/beta/query", `{"query":"panic"}`)
	f.Add("GET", "/workspaces/%62eta/metadata", "")
	f.Add("POST", "/v1/workspaces/alpha/query", `{"query":"workspace('beta').T"}`)
	h := &house{}
	s := serve(h, false)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(method, " \t\r\n") || method == "" {
			return // no request can be made of it
		}
		r, err := http.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
		if err != nil {
			return
		}
		r.Header.Set("Authorization", "Bearer query@"+alpha)
		w := httptest.NewRecorder()
		h.reached = nil
		s.ServeHTTP(w, r)
		if w.Code >= 400 && w.Header().Get("x-ms-error-code") == "" && w.Code != http.StatusMovedPermanently {
			t.Errorf("%d without a code: %s", w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), beta) && !strings.Contains(path+body, beta) {
			t.Errorf("another tenant's id: %s", w.Body)
		}
		for _, reached := range h.reached {
			if strings.Contains(reached, beta) {
				t.Errorf("reached %s", reached)
			}
		}
	})
}
