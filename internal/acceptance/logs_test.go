package acceptance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/query/azlogs"
	"github.com/google/go-cmp/cmp"

	"glassward/daemon"
	"glassward/internal/entrasim"
)

// logsClient makes Microsoft's client of the Log Analytics query API for Go, with a token or
// without one.
func logsClient(t *testing.T, endpoint, token string, transport *http.Client) *azlogs.Client {
	t.Helper()
	if token == "" {
		return logsClientAs(t, endpoint, nil, transport)
	}
	return logsClientAs(t, endpoint, aToken(token), transport)
}

// logsClientAs makes it with a credential.
func logsClientAs(t *testing.T, endpoint string, credential azcore.TokenCredential, transport *http.Client) *azlogs.Client {
	t.Helper()
	c, err := azlogs.NewClient(credential, &azlogs.ClientOptions{ClientOptions: azcore.ClientOptions{
		Cloud: cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
			azlogs.ServiceName: {Audience: "https://api.loganalytics.io", Endpoint: endpoint},
		}},
		Transport: transport, Retry: policy.RetryOptions{MaxRetries: -1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// asked gives the answer to a query of the made-up tenant.
func asked(t *testing.T, c *azlogs.Client, query string, span string, o *azlogs.QueryOptions, beside ...string) azlogs.QueryResults {
	t.Helper()
	body := azlogs.QueryBody{Query: &query, AdditionalWorkspaces: beside}
	if span != "" {
		body.Timespan = to.Ptr(azlogs.TimeInterval(span))
	}
	a, err := c.QueryWorkspace(t.Context(), entrasim.TenantName, body, &azlogs.QueryWorkspaceOptions{Options: o})
	if err != nil {
		t.Fatalf("%.200s: %v", query, err)
	}
	return a.QueryResults
}

const everyType = `datatable(b:bool, i:int, l:long, r:real, d:decimal, t:datetime, s:timespan, g:guid, text:string, bag:dynamic)[
  true, int(-7), 9007199254740991, 1.5, decimal(0.10101), datetime(2015-12-31T23:59:59.9), 10s, guid(6f3c2b1a-0000-4000-8000-00000000000a), "<a> \"b\"", dynamic({"a":[1,"x"]}),
  bool(null), int(null), long(null), real(nan), decimal(null), datetime(null), timespan(null), guid(null), "", dynamic(null)]`

// TestLogAnalyticsOverTLS lets Microsoft's clients for Go and JavaScript, unmodified, ask what
// people ask: over TLS with a token.
func TestLogAnalyticsOverTLS(t *testing.T) {
	t.Parallel()
	o := openTLS(t)
	h, endpoint, authority, transport, token := o.house, o.endpoint, o.authority, o.transport, o.token
	day := o.day
	c := logsClient(t, endpoint, token, transport)

	t.Run("types", func(t *testing.T) {
		r := asked(t, c, everyType, "", nil)
		var columns []string
		for _, column := range r.Tables[0].Columns {
			columns = append(columns, *column.Name+":"+string(*column.Type))
		}
		if got := strings.Join(columns, " "); got != "b:bool i:int l:long r:real d:decimal t:datetime s:timespan g:guid text:string bag:dynamic" {
			t.Errorf("columns %s", got)
		}
		want := []azlogs.Row{
			{true, -7.0, 9007199254740991.0, 1.5, "0.10101", "2015-12-31T23:59:59.9Z", "00:00:10", "6f3c2b1a-0000-4000-8000-00000000000a", `<a> "b"`, `{"a":[1,"x"]}`},
			{nil, nil, nil, "NaN", nil, nil, nil, nil, "", nil},
		}
		if diff := cmp.Diff(want, r.Tables[0].Rows); diff != "" || *r.Tables[0].Name != "PrimaryResult" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
	t.Run("queries", func(t *testing.T) { logsQueries(t, c, len(day), `404 "PathNotFoundError", -1 rows, statistics false`) })
	t.Run("failures", func(t *testing.T) { logsFailures(t, c) })
	t.Run("tokens", func(t *testing.T) {
		for name, x := range map[string]struct{ token, want string }{
			"forged":           {"gwt_forged", "403 InvalidAuthenticationToken"},
			"of another scope": {h.token("pusher", "--tenant", entrasim.TenantName, "--scope", "ingest"), "403 InsufficientAccessError"},
			"of nobody":        {" ", "401 AuthenticationFailed"},
		} {
			_, err := logsClient(t, endpoint, x.token, transport).QueryWorkspace(t.Context(), entrasim.TenantName, azlogs.QueryBody{Query: to.Ptr("print 1")}, nil)
			if got := refusedBy(err); got != x.want {
				t.Errorf("a token %s: %s", name, got)
			}
		}
		// A workspace that the token may not read looks the same as one that there is not, by
		// whatever way it is named.
		for _, ask := range []func(name string) error{
			func(name string) error {
				_, err := c.QueryWorkspace(t.Context(), name, azlogs.QueryBody{Query: to.Ptr("print 1")}, nil)
				return err
			},
			func(name string) error {
				_, err := c.QueryWorkspace(t.Context(), entrasim.TenantName, azlogs.QueryBody{Query: to.Ptr("SigninLogs | count"), AdditionalWorkspaces: []string{name}}, nil)
				return err
			},
			func(name string) error {
				_, err := c.QueryWorkspace(t.Context(), entrasim.TenantName, azlogs.QueryBody{Query: to.Ptr(fmt.Sprintf("union SigninLogs, workspace(%q).SigninLogs | count", name))}, nil)
				return err
			},
			func(name string) error {
				_, err := c.QueryResource(t.Context(), "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/"+name, azlogs.QueryBody{Query: to.Ptr("print 1")}, nil)
				return err
			},
		} {
			var said []string
			for _, name := range []string{"other", "nowhere", "11111111-2222-4333-8444-555555555555", "glassward"} {
				var e *azcore.ResponseError
				if !errors.As(ask(name), &e) {
					t.Errorf("workspace %s was answered", name)
					continue
				}
				var body struct{ Error json.RawMessage }
				text := e.Error()
				if err := json.Unmarshal([]byte(text[strings.Index(text, "{"):strings.LastIndex(text, "}")+1]), &body); err != nil {
					t.Fatalf("%v in %s", err, text)
				}
				var one struct{ Message string }
				_ = json.Unmarshal(body.Error, &one)
				said = append(said, fmt.Sprint(e.StatusCode, e.ErrorCode, strings.ReplaceAll(one.Message, name, "X")))
			}
			if len(slices.Compact(said)) != 1 {
				t.Errorf("workspaces that cannot be read are told apart: %q", said)
			}
		}
	})
	t.Run("workspaces", func(t *testing.T) {
		both := logsClient(t, endpoint, h.token("provider", "--all-tenants", "--scope", "query"), transport)
		if err := h.call("POST", "/v1/ingest?tenant=other", strings.NewReader(`{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","tenantId":"11111111-2222-4333-8444-555555555555","properties":{"id":"77777777-2222-4333-8444-555555555555","userId":"theirs","createdDateTime":"2026-11-20T10:00:00Z"}}`), new(any)); err != nil {
			t.Fatal(err)
		}
		const carried = `union SigninLogs, (workspace("other").SigninLogs | mv-expand x = range(1, %d, 1) to typeof(long)) | summarize n = count(), dcount(x)`
		own := asked(t, both, "SigninLogs | count", "", nil).Tables[0].Rows[0][0].(float64)
		for query, want := range map[string]float64{
			`workspace("other").SigninLogs | count`:                                                  1,
			`union SigninLogs, workspace("11111111-2222-4333-8444-555555555555").SigninLogs | count`: own + 1,
			`SigninLogs | where UserId == "theirs" | count`:                                          0,
			// A query may carry 500,000 records, all of them from one workspace.
			fmt.Sprintf(carried, 400_000): own + 400_000,
		} {
			if got := asked(t, both, query, "", nil).Tables[0].Rows[0][0]; got != want {
				t.Errorf("%s: %v, want %v", query, got, want)
			}
		}
		for _, name := range []string{"other", "sub/group/other", "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/other", entrasim.TenantName} {
			want := own
			if name != entrasim.TenantName {
				want++
			}
			if got := asked(t, both, "SigninLogs | count", "", nil, name).Tables[0].Rows[0][0]; got != want {
				t.Errorf("with %s: %v, want %v", name, got, want)
			}
		}
		_, err := both.QueryWorkspace(t.Context(), entrasim.TenantName, azlogs.QueryBody{Query: to.Ptr(fmt.Sprintf(carried, 600_000))}, nil)
		if err == nil || !strings.Contains(err.Error(), "the workspace other would give it more than 500000 records") {
			t.Errorf("600,000 records of another workspace: %v", err)
		}
		until(t, func() error { // the audit follows
			if got := h.counted("other", `GlasswardAudit | where OperationName == "query" and Actor == "provider" | count`); got != 7 {
				return fmt.Errorf("the other tenant knows of %d queries", got)
			}
			return nil
		})
	})
	t.Run("node", func(t *testing.T) { logsNode(t, endpoint, token, authority, len(day)) })
}

// logsQueries asks in every way that the client for Go has. other is what a batch answers of the other
// tenant.
func logsQueries(t *testing.T, c *azlogs.Client, all int, other string) {
	const count = "union SigninLogs, AuditLogs, AADNonInteractiveUserSignInLogs, AADServicePrincipalSignInLogs, AADManagedIdentitySignInLogs | count"
	whole := asked(t, c, count, "", nil).Tables[0].Rows[0][0].(float64)
	if whole == 0 || whole > float64(all) {
		t.Errorf("%v records of %d", whole, all)
	}
	now := time.Now().UTC()
	for span, want := range map[string]float64{
		"P30D": whole, "PT0S": 0, "P1D/2000-01-01T00:00:00Z": 0, "2000-01-01/P1D": 0,
		string(azlogs.NewTimeInterval(now.AddDate(0, 0, -30), now.AddDate(0, 0, 2))):    whole,
		now.AddDate(0, 0, -30).Format("2006-01-02T15:04:05.0000000Z") + "/PT2764800.0S": whole,
	} {
		if got := asked(t, c, count, span, nil).Tables[0].Rows[0][0]; got != want {
			t.Errorf("timespan %s: %v, want %v", span, got, want)
		}
	}
	r := asked(t, c, "SigninLogs | summarize n = count() by ResultType | sort by n | render barchart with (title='Results')", "", &azlogs.QueryOptions{Statistics: to.Ptr(true), Visualization: to.Ptr(true), Wait: to.Ptr(60)})
	var drawn struct {
		Visualization, Title string
		IsQuerySorted        bool
	}
	var cost struct {
		Query struct {
			ExecutionTime     *float64
			DatasetStatistics []struct{ TableRowCount int }
		}
	}
	if err := errors.Join(json.Unmarshal(r.Visualization, &drawn), json.Unmarshal(r.Statistics, &cost)); err != nil {
		t.Fatal(err)
	}
	if drawn.Visualization != "barchart" || drawn.Title != "Results" || !drawn.IsQuerySorted || cost.Query.ExecutionTime == nil || cost.Query.DatasetStatistics[0].TableRowCount != len(r.Tables[0].Rows) {
		t.Errorf("%s\n%s", r.Visualization, r.Statistics)
	}
	if r := asked(t, c, "print a = 1; print b = 2 | fork (project b) (project c = b + 1)", "", nil); len(r.Tables) != 3 {
		t.Errorf("%d tables", len(r.Tables))
	}
	resource, err := c.QueryResource(t.Context(), "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourcegroups/any/providers/microsoft.operationalinsights/workspaces/"+strings.ToUpper(entrasim.TenantName), azlogs.QueryBody{Query: to.Ptr(count)}, nil)
	if err != nil || resource.Tables[0].Rows[0][0] != whole {
		t.Errorf("by its id in Azure: %v", err)
	}
	long := count + " // " + strings.Repeat("x", 1<<20-len(count)-10)
	if got := asked(t, c, long, "", nil).Tables[0].Rows[0][0]; got != whole {
		t.Errorf("a query of a megabyte: %v", got)
	}
	batch, err := c.QueryBatch(t.Context(), azlogs.BatchRequest{Requests: []azlogs.BatchQueryRequest{
		{ID: to.Ptr("0"), WorkspaceID: to.Ptr(entrasim.TenantID), Body: &azlogs.QueryBody{Query: to.Ptr(count)}, Headers: map[string]*string{"prefer": to.Ptr("wait=30,include-statistics=true")}},
		{ID: to.Ptr("1"), WorkspaceID: to.Ptr(entrasim.TenantID), Body: &azlogs.QueryBody{Query: to.Ptr("Nothing | count")}},
		{ID: to.Ptr("2"), WorkspaceID: to.Ptr("other"), Body: &azlogs.QueryBody{Query: to.Ptr("print 1")}},
		{ID: to.Ptr("3"), WorkspaceID: to.Ptr(entrasim.TenantID), Body: &azlogs.QueryBody{Query: to.Ptr("set truncationmaxrecords=1; range x from 1 to 3 step 1")}},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range batch.Responses {
		code := ""
		if r.Body.Error != nil {
			code = r.Body.Error.Code
		}
		rows := -1
		if len(r.Body.Tables) > 0 {
			rows = len(r.Body.Tables[0].Rows)
		}
		got[*r.ID] = fmt.Sprintf("%d %q, %d rows, statistics %v", *r.Status, code, rows, len(r.Body.Statistics) > 0)
	}
	if diff := cmp.Diff(map[string]string{
		"0": `200 "", 1 rows, statistics true`, "1": `400 "BadArgumentError", -1 rows, statistics false`,
		"2": other, "3": `200 "PartialError", 1 rows, statistics false`,
	}, got); diff != "" {
		t.Errorf("batch: (-want +got)\n%s", diff)
	}
}

// slow is a query that takes minutes.
const slow = "range a from 1 to 3000000 step 1 | extend k = 1 | join kind=inner (range b from 1 to 3000000 step 1 | extend k = 1) on k | summarize sum(a * b)"

// logsFailures asks what fails.
func logsFailures(t *testing.T, c *azlogs.Client) {
	r := asked(t, c, "set truncationmaxrecords=1; datatable(s:string)['a','b']", "", nil)
	if r.Error == nil || r.Error.Code != "PartialError" || len(r.Tables[0].Rows) != 1 || !strings.Contains(r.Error.Error(), "E_QUERY_RESULT_SET_TOO_LARGE") {
		t.Errorf("partial: %v, %v", r.Error, r.Tables)
	}
	for query, want := range map[string]string{
		"SigninLogs | wher x": "400 BadArgumentError: SyntaxError SYN0002 1:14", "Heartbeats": "400 BadArgumentError: SemanticError SEM0100 1:1",
		"print nonsense(1)": "400 BadArgumentError: SemanticError SEM0260 1:7", "": "400 BadArgumentError",
		strings.Repeat("x", 3<<20): "413 RequestEntityTooLarge",
	} {
		_, err := c.QueryWorkspace(t.Context(), entrasim.TenantName, azlogs.QueryBody{Query: &query}, nil)
		var e *azcore.ResponseError
		if !errors.As(err, &e) {
			t.Errorf("%.30s: %v", query, err)
			continue
		}
		got := refusedBy(err)
		var body struct {
			Error struct {
				InnerError *struct {
					Code       string
					InnerError struct {
						Code      string
						Line, Pos int
					}
				}
			}
		}
		text := e.Error()
		if err := json.Unmarshal([]byte(text[strings.Index(text, "{"):strings.LastIndex(text, "}")+1]), &body); err != nil {
			t.Errorf("%v in %s", err, text)
		}
		if in := body.Error.InnerError; in != nil {
			got += fmt.Sprintf(": %s %s %d:%d", in.Code, in.InnerError.Code, in.InnerError.Line, in.InnerError.Pos)
		}
		if got != want {
			t.Errorf("%.30s: %s, want %s", query, got, want)
		}
	}
	_, err := c.QueryWorkspace(t.Context(), entrasim.TenantName, azlogs.QueryBody{Query: to.Ptr(slow)}, &azlogs.QueryWorkspaceOptions{Options: &azlogs.QueryOptions{Wait: to.Ptr(1)}})
	if got := refusedBy(err); got != "504 GatewayTimeout" {
		t.Errorf("a slow query: %s", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.QueryWorkspace(ctx, entrasim.TenantName, azlogs.QueryBody{Query: to.Ptr(slow)}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a cancelled query: %v", err)
	}
	// Its place is free again: another is answered at once.
	asked(t, c, "print 1", "", &azlogs.QueryOptions{Wait: to.Ptr(20)})
	if _, err := c.QueryWorkspace(t.Context(), entrasim.TenantName, azlogs.QueryBody{Query: to.Ptr("print 1"), Timespan: to.Ptr(azlogs.TimeInterval("yesterday"))}, nil); refusedBy(err) != "400 BadArgumentError" {
		t.Errorf("a timespan that is none: %v", err)
	}
}

// TestLogAnalyticsOverLoopback lets clients in without a token, on this machine alone.
func TestLogAnalyticsOverLoopback(t *testing.T) {
	t.Parallel()
	h, day := clientHouse(t, false, "")
	d := h.serveWith(func(o *daemon.Options) { o.NoAuth = true })
	h.take(day)
	transport := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(transport.CloseIdleConnections)
	c := logsClient(t, "http://"+d.Addr()+"/", "", transport) // two slashes come of it
	logsQueries(t, c, len(day), `200 "", 1 rows, statistics false`)
	logsFailures(t, c)
}

// logsNode lets the client for JavaScript ask.
func logsNode(t *testing.T, endpoint, token, authority string, all int) {
	ask := func(more map[string]any) nodeAnswer {
		more["client"], more["endpoint"], more["token"] = "logs", endpoint, token
		if more["timespan"] == nil { // the client asks nothing without one
			more["timespan"] = map[string]any{"duration": "P30D"}
		}
		if more["workspace"] == nil {
			more["workspace"] = entrasim.TenantName
		}
		return node(t, authority, []map[string]any{more})[0]
	}
	type table struct {
		Name              string
		ColumnDescriptors []struct{ Name, Type string }
		Rows              [][]any
	}
	type result struct {
		Status                string
		Tables, PartialTables []table
		PartialError, Error   struct{ Code, Message string }
		Visualization         map[string]any
		Statistics            map[string]any
	}
	read := func(a nodeAnswer) (r result) {
		if err := json.Unmarshal(a.Result, &r); err != nil || a.Error != nil {
			t.Fatalf("%v, %+v", err, a.Error)
		}
		return r
	}
	r := read(ask(map[string]any{"query": everyType, "options": map[string]any{"includeVisualization": true, "includeQueryStatistics": true, "serverTimeoutInSeconds": 30}}))
	want := [][]any{
		{true, -7.0, 9007199254740991.0, 1.5, "0.10101", "2015-12-31T23:59:59.900Z", "00:00:10", "6f3c2b1a-0000-4000-8000-00000000000a", `<a> "b"`, map[string]any{"a": []any{1.0, "x"}}},
		{nil, nil, nil, "NaN", nil, nil, nil, nil, "", nil},
	}
	if diff := cmp.Diff(want, r.Tables[0].Rows); diff != "" || r.Status != "Success" || r.Statistics["query"] == nil || r.Visualization == nil {
		t.Errorf("%s %v (-want +got)\n%s", r.Status, r.Statistics, diff)
	}
	resource := "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/" + entrasim.TenantName
	r = read(ask(map[string]any{"resource": resource, "query": "SigninLogs | count", "timespan": map[string]any{"duration": "P30D"}}))
	if n := r.Tables[0].Rows[0][0].(float64); n == 0 || n > float64(all) {
		t.Errorf("%v of %d records", n, all)
	}
	r = read(ask(map[string]any{"query": "set truncationmaxrecords=1; range x from 1 to 3 step 1"}))
	if r.Status != "PartialFailure" || r.PartialError.Code != "PartialError" || len(r.PartialTables[0].Rows) != 1 {
		t.Errorf("partial: %+v", r)
	}
	a := ask(map[string]any{"batch": []map[string]any{
		{"workspaceId": entrasim.TenantID, "query": "print a = 1", "timespan": map[string]any{"duration": "P1D"}},
		{"workspaceId": entrasim.TenantID, "query": "Nothing"},
		{"workspaceId": "other", "query": "print 1"},
	}})
	var list []result
	if err := json.Unmarshal(a.Result, &list); err != nil || len(list) != 3 {
		t.Fatalf("%v: %s %+v", err, a.Result, a.Error)
	}
	if list[0].Status != "Success" || list[0].Tables[0].Rows[0][0] != 1.0 || list[1].PartialError.Code != "BadArgumentError" || list[2].PartialError.Code != "PathNotFoundError" {
		t.Errorf("batch: %s", a.Result)
	}
	for name, x := range map[string]struct {
		more   map[string]any
		status int
	}{
		"unknown table":   {map[string]any{"query": "Nothing"}, http.StatusBadRequest},
		"wrong workspace": {map[string]any{"query": "print 1", "workspace": "other"}, http.StatusNotFound},
		"too slow":        {map[string]any{"query": slow, "options": map[string]any{"serverTimeoutInSeconds": 1}}, http.StatusGatewayTimeout},
	} {
		if a := ask(x.more); a.Error == nil || a.Error.Status != x.status {
			t.Errorf("%s: %+v", name, a.Error)
		}
	}
	if a := ask(map[string]any{"query": slow, "abortAfter": 200}); a.Error == nil || a.Error.Name != "AbortError" {
		t.Errorf("aborted: %+v", a.Error)
	}
}
