package acceptance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-kusto-go/azkustodata"
	kustoerrors "github.com/Azure/azure-kusto-go/azkustodata/errors"
	"github.com/Azure/azure-kusto-go/azkustodata/kql"
	"github.com/Azure/azure-kusto-go/azkustodata/query"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"glassward/daemon"
	"glassward/internal/entrasim"
)

// kustoClient makes Microsoft's client for Go, with a token or without one.
func kustoClient(t *testing.T, endpoint, token string, transport *http.Client) *azkustodata.Client {
	t.Helper()
	b := azkustodata.NewConnectionStringBuilder(endpoint)
	if token != "" {
		b = b.WithApplicationToken("glassward", token)
	}
	c, err := azkustodata.New(b, azkustodata.WithHttpClient(transport))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestKustoOverTLS lets Microsoft's client for Go, unmodified, ask what people ask: over TLS with a token.
func TestKustoOverTLS(t *testing.T) {
	t.Parallel()
	o := openTLS(t)
	h, endpoint, authority, transport, token := o.house, o.endpoint, o.authority, o.transport, o.token
	day := o.day
	c := kustoClient(t, endpoint, token, transport)

	t.Run("types", func(t *testing.T) { kustoTypes(t, c) })
	t.Run("queries", func(t *testing.T) { kustoQueries(t, c, day) })
	t.Run("commands", func(t *testing.T) { kustoCommands(t, c) })
	t.Run("failures", func(t *testing.T) { kustoFailures(t, c) })
	t.Run("tokens", func(t *testing.T) {
		for name, bad := range map[string]string{"forged": "gwt_forged", "of another scope": h.token("pusher", "--tenant", entrasim.TenantName, "--scope", "ingest")} {
			_, err := kustoClient(t, endpoint, bad, transport).Query(t.Context(), entrasim.TenantName, kql.New("print 1"))
			if e := httpError(err); e == nil || e.StatusCode != http.StatusForbidden || !strings.Contains(e.Error(), "KustoRequestDeniedException") {
				t.Errorf("a token %s: %v", name, err)
			}
		}
		// A database that the token may not read looks the same as one that there is not.
		var texts []string
		for _, name := range []string{"other", "11111111-2222-4333-8444-555555555555", "nowhere", "glassward"} {
			_, err := c.Query(t.Context(), name, kql.New("SigninLogs | count"))
			e := httpError(err)
			if e == nil || e.StatusCode != http.StatusBadRequest {
				t.Errorf("database %s: %v", name, err)
				continue
			}
			var body struct {
				Error struct {
					Code string `json:"code"`
					Text string `json:"@message"`
				} `json:"error"`
			}
			_, after, _ := strings.Cut(e.Error(), ":\n")
			if err := json.Unmarshal([]byte(after), &body); err != nil || body.Error.Code != "BadRequest_DatabaseNotExist" {
				t.Errorf("database %s: %v in %s", name, err, after)
			}
			texts = append(texts, strings.ReplaceAll(body.Error.Text, name, "X"))
		}
		if len(slices.Compact(texts)) != 1 {
			t.Errorf("databases that cannot be read are told apart: %q", texts)
		}
		if _, err := c.Query(t.Context(), entrasim.TenantName, kql.New(`union SigninLogs, database("other").SigninLogs | count`)); httpError(err) == nil {
			t.Errorf("a query reads another tenant: %v", err)
		}
	})
	t.Run("node", func(t *testing.T) { kustoNode(t, endpoint, token, authority, day) })
}

// TestKustoOverLoopback lets the clients in without a token, on this machine alone.
func TestKustoOverLoopback(t *testing.T) {
	t.Parallel()
	h, day := clientHouse(t, false, "")
	d := h.serveWith(func(o *daemon.Options) { o.NoAuth = true })
	h.take(day)
	transport := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(transport.CloseIdleConnections)
	c := kustoClient(t, "http://"+d.Addr(), "", transport)
	if got := cells(t, c, "SigninLogs | union AuditLogs | count"); got != fmt.Sprint([][]string{{fmt.Sprint(len(day))}}) {
		t.Errorf("%d records are %s", len(day), got)
	}
	// Without a token that is for one, the database has to be named.
	if _, err := c.Query(t.Context(), "", kql.New("print 1")); httpError(err) == nil {
		t.Errorf("no database is named: %v", err)
	}
	kustoNode(t, "http://"+d.Addr(), "", "", day)
}

func httpError(err error) *kustoerrors.HttpError {
	var e *kustoerrors.HttpError
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// cells gives the first table of an answer as texts.
func cells(t *testing.T, c *azkustodata.Client, text string, options ...azkustodata.QueryOption) string {
	t.Helper()
	set, err := c.Query(t.Context(), entrasim.TenantName, kql.New("").AddUnsafe(text), options...)
	if err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
	return texts(set.Tables()[0])
}

func texts(table query.Table) string {
	out := [][]string{}
	for _, row := range table.Rows() {
		var line []string
		for _, v := range row.Values() {
			line = append(line, v.String())
		}
		out = append(out, line)
	}
	return fmt.Sprint(out)
}

// kustoTypes reads a value of every type into Go's own, and gives every one as a query parameter.
func kustoTypes(t *testing.T, c *azkustodata.Client) {
	type row struct {
		B   bool            `kusto:"b"`
		I   int32           `kusto:"i"`
		L   int64           `kusto:"l"`
		R   float64         `kusto:"r"`
		M   decimal.Decimal `kusto:"m"`
		S   string          `kusto:"s"`
		D   time.Time       `kusto:"d"`
		T   time.Duration   `kusto:"t"`
		G   uuid.UUID       `kusto:"g"`
		J   map[string]any  `kusto:"j"`
		NaN *float64        `kusto:"nan"`
		Inf *float64        `kusto:"inf"`
		Nul *int64          `kusto:"nul"`
		Not *time.Time      `kusto:"not"`
	}
	want := row{B: true, I: -7, L: 9223372036854775807, R: 1.5, M: decimal.RequireFromString("0.10"), S: "a\"ü\n",
		D: time.Date(2020, 3, 4, 14, 5, 1, 310996500, time.UTC), T: -(26*time.Hour + 12*time.Minute + 7*time.Second),
		G: uuid.MustParse("74be27de-1e4e-49d9-b579-fe0b331d3642"), J: map[string]any{"a": []any{1.0, "x"}}}
	read := func(text string, options ...azkustodata.QueryOption) row {
		t.Helper()
		set, err := c.Query(t.Context(), entrasim.TenantName, kql.New("").AddUnsafe(text), options...)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := query.ToStructs[row](set.Tables()[0])
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d rows: %v", len(rows), err)
		}
		return rows[0]
	}
	same := func(got row) {
		t.Helper()
		if !got.M.Equal(want.M) || !got.D.Equal(want.D) || fmt.Sprint(got.J) != fmt.Sprint(want.J) ||
			got.B != want.B || got.I != want.I || got.L != want.L || got.R != want.R || got.S != want.S || got.T != want.T || got.G != want.G {
			t.Errorf("read  %+v\nwant %+v", got, want)
		}
	}
	got := read(`print b=true, i=int(-7), l=9223372036854775807, r=1.5, m=decimal(0.10), s="a\"ü\n", d=datetime(2020-03-04T14:05:01.3109965Z), t=time(-1.02:12:07),
		g=guid(74be27de-1e4e-49d9-b579-fe0b331d3642), j=dynamic({"a":[1,"x"]}), nan=real(nan), inf=real(-inf), nul=long(null), not=datetime(null)`)
	same(got)
	if got.NaN == nil || *got.NaN == *got.NaN || got.Inf == nil || *got.Inf >= 0 || got.Nul != nil || got.Not != nil {
		t.Errorf("nan %v, inf %v, nulls %v and %v", got.NaN, got.Inf, got.Nul, got.Not)
	}

	p := kql.NewParameters().AddBool("b", want.B).AddInt("i", want.I).AddLong("l", want.L).AddReal("r", want.R).AddDecimal("m", want.M).AddString("s", want.S).
		AddDateTime("d", want.D).AddTimespan("t", -want.T).AddGUID("g", want.G).AddDynamic("j", want.J)
	want.T = -want.T // the client writes no negative ones
	same(read("print b=b, i=i, l=l, r=r, m=m, s=s, d=d, t=t, g=g, j=j", azkustodata.QueryParameters(p)))
}

func kustoQueries(t *testing.T, c *azkustodata.Client, day [][]byte) {
	if got := cells(t, c, "union SigninLogs, AuditLogs | count"); got != fmt.Sprintf("[[%d]]", len(day)) {
		t.Errorf("%d records are %s", len(day), got)
	}
	// A parameter is a value, whatever stands in it.
	evil := kql.NewParameters().AddString("who", `x" | take 0; SigninLogs`)
	if got := cells(t, c, "SigninLogs | where UserPrincipalName == who | count", azkustodata.QueryParameters(evil)); got != "[[0]]" {
		t.Errorf("with a parameter: %s", got)
	}
	// Several tables, and how the first is to be drawn.
	set, err := c.Query(t.Context(), "default", kql.New(`print a = 1 | render timechart with (title="T"); range x from 1 to 3 step 1; print b = "x"`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, table := range set.Tables() {
		if table.IsPrimaryResult() {
			got = append(got, texts(table))
		}
	}
	if fmt.Sprint(got) != "[[[1]] [[1] [2] [3]] [[x]]]" {
		t.Errorf("several tables: %v", got)
	}
	raw, err := c.QueryToJson(t.Context(), entrasim.TenantName, kql.New(`print a = 1 | render timechart with (title="T")`))
	if err != nil || !strings.Contains(raw, `\"Visualization\":\"timechart\",\"Title\":\"T\"`) || !json.Valid([]byte(raw)) || strings.Contains(raw, "TableFragment") {
		t.Errorf("as it comes: %v\n%s", err, raw)
	}
	// A result of many frames, read as it comes, in order.
	iterative, err := c.IterativeQuery(t.Context(), entrasim.TenantName, kql.New("range x from 0 to 99999 step 1 | extend s = strcat('row ', x)"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for table := range iterative.Tables() {
		if table.Err() != nil {
			t.Fatal(table.Err())
		}
		if !table.Table().IsPrimaryResult() {
			continue
		}
		for row := range table.Table().Rows() {
			if row.Err() != nil {
				t.Fatal(row.Err())
			}
			if x, err := row.Row().LongByIndex(0); err != nil || *x != int64(n) {
				t.Fatalf("row %d: %v, %v", n, x, err)
			}
			n++
		}
	}
	if n != 100_000 {
		t.Errorf("%d of 100000 rows", n)
	}
	// A query of nearly a megabyte, the most that is compiled.
	long := "print n = array_length(dynamic([" + strings.Repeat("'0123456789',", 75_000) + "'x']))"
	if got := cells(t, c, long); got != "[[75001]]" {
		t.Errorf("a query of %d bytes: %s", len(long), got)
	}
}

func kustoCommands(t *testing.T, c *azkustodata.Client) {
	for text, want := range map[string]string{
		".show databases | project DatabaseName, DatabaseId":                                              fmt.Sprintf("[[%s %s]]", entrasim.TenantName, entrasim.TenantID),
		".show tables | where TableName in ('SigninLogs', 'Nothing') | project TableName":                 "[[SigninLogs]]",
		".show databases entities | where EntityName == 'AuditLogs' | project EntityType":                 "[[Table]]",
		".show version | project ServiceType, ProductVersion":                                             "[[Engine test]]",
		".show database schema | where ColumnName == '_TimeReceived' | summarize by ColumnType":           "[[System.DateTime]]",
		".show table SigninLogs cslschema | project has = Schema has 'TimeGenerated:datetime'":            "[[true]]",
		".show schema as json | project n = array_length(bag_keys(parse_json(DatabaseSchema).Databases))": "[[1]]",
	} {
		set, err := c.Mgmt(t.Context(), entrasim.TenantName, kql.New("").AddUnsafe(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := texts(set.Tables()[0]); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	// Without a database, as some clients ask.
	if set, err := c.Mgmt(t.Context(), "", kql.New(".show databases")); err != nil || len(set.Tables()[0].Rows()) != 1 {
		t.Errorf("databases without a database: %v", err)
	}
	for _, text := range []string{".drop table SigninLogs", ".show database other schema", ".show databases (nordlicht, other) schema as json", ".ingest inline into table SigninLogs <| x", "SigninLogs | count"} {
		if _, err := c.Mgmt(t.Context(), entrasim.TenantName, kql.New("").AddUnsafe(text)); httpError(err) == nil || httpError(err).StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func kustoFailures(t *testing.T, c *azkustodata.Client) {
	refused := func(text string, status int, words ...string) {
		t.Helper()
		_, err := c.Query(t.Context(), entrasim.TenantName, kql.New("").AddUnsafe(text), azkustodata.ClientRequestID("mine;1"))
		e := httpError(err)
		if e == nil || e.StatusCode != status {
			t.Errorf("%s: %v", text, err)
			return
		}
		for _, word := range append(words, `"clientRequestId":"mine;1"`) {
			if !strings.Contains(e.Error(), word) {
				t.Errorf("%s: the error has no %s: %v", text, word, e)
			}
		}
	}
	refused("Nothing | count", 400, "General_BadRequest", "SEM0100", "SemanticException", `"@permanent":true`)
	refused("SigninLogs | where (", 400, "General_BadRequest", "SYN0002", "SyntaxException")
	refused(".show tables", 400, "General_BadRequest", "/v1/rest/mgmt")

	// Rows that there are, and then that there are more.
	for _, how := range []func() (query.Dataset, error){
		func() (query.Dataset, error) {
			return c.Query(t.Context(), entrasim.TenantName, kql.New("range x from 1 to 10 step 1"), azkustodata.CustomQueryOption("truncationmaxrecords", 3))
		},
		func() (query.Dataset, error) {
			return c.Query(t.Context(), entrasim.TenantName, kql.New("set truncationmaxrecords=3; range x from 1 to 10 step 1"))
		},
	} {
		if _, err := how(); err == nil || !strings.Contains(err.Error(), "LimitsExceeded") || !strings.Contains(err.Error(), "E_QUERY_RESULT_SET_TOO_LARGE") {
			t.Errorf("a result that is cut: %v", err)
		}
	}
	if got := cells(t, c, "range x from 1 to 10 step 1", azkustodata.CustomQueryOption("query_take_max_records", 2)); got != "[[1] [2]]" {
		t.Errorf("what is taken of a result: %s", got)
	}

	const slow = "range x from 1 to 40000000 step 1 | extend y = hash_sha256(tostring(x)) | summarize dcount(y), max(y)"
	_, err := c.Query(t.Context(), entrasim.TenantName, kql.New(slow), azkustodata.ServerTimeout(20*time.Millisecond))
	if e := httpError(err); e == nil || e.StatusCode != http.StatusGatewayTimeout || !strings.Contains(e.Error(), "KustoServiceTimeoutException") || !strings.Contains(e.Error(), `"@permanent":false`) {
		t.Errorf("a query that takes too long: %v", err)
	}

	// Who goes away ends the query, and what comes after it is answered.
	ctx, cancel := context.WithCancel(t.Context())
	iterative, err := c.IterativeQuery(ctx, entrasim.TenantName, kql.New("range x from 1 to 200000 step 1 | extend s = strcat('a rather long text that fills frames ', x)"))
	if err != nil {
		t.Fatal(err)
	}
	first := <-iterative.Tables()
	if first.Err() != nil {
		t.Fatal(first.Err())
	}
	<-first.Table().Rows()
	cancel()
	for range iterative.Tables() {
	}
	if _, err := c.Query(ctx, entrasim.TenantName, kql.New(slow)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled query: %v", err)
	}
	if got := cells(t, c, "print 1"); got != "[[1]]" {
		t.Errorf("after a cancelled query: %s", got)
	}
}

// kustoNode lets Microsoft's client for JavaScript, unmodified, ask.
func kustoNode(t *testing.T, endpoint, token, authority string, day [][]byte) {
	type request = map[string]any
	list := []struct {
		query string
		more  request
		// want are the types and rows of each table; wrong is what the error has in it, with its status.
		want, wrong string
		status      int
	}{
		{query: "union SigninLogs, AuditLogs | count", want: fmt.Sprintf("[long] [[%d]]", len(day))},
		{query: "union SigninLogs, AuditLogs | count; print 'x'", more: request{"v1": true}, want: fmt.Sprintf("[long] [[%d]]; [string] [[x]]", len(day))},
		{query: `print true, int(-7), 5, 1.5, decimal(0.25), "ü", datetime(2020-03-04T14:05:01.3109965Z), time(1.02:12:07), guid(74be27de-1e4e-49d9-b579-fe0b331d3642), dynamic({"a":[1]}), real(nan), long(null)`,
			want: "[bool int long real decimal string datetime timespan guid dynamic real long] [[true -7 5 1.5 0.25 ü 2020-03-04T14:05:01.3109965Z 1.02:12:07 74be27de-1e4e-49d9-b579-fe0b331d3642 map[a:[1]] NaN <nil>]]"},
		{query: "declare query_parameters(a:long, b:string); print a, b", more: request{"parameters": request{"a": 5, "b": "'x | y'"}, "options": request{"servertimeout": 60_000}}, want: "[long string] [[5 x | y]]"},
		{query: ".show tables | where TableName == 'SigninLogs' | project TableName", want: "[string] [[SigninLogs]]"},
		{query: "Nothing | count", wrong: "SEM0100", status: 400},
		{query: "range x from 1 to 9 step 1", more: request{"options": request{"truncationmaxrecords": 2}}, wrong: "E_QUERY_RESULT_SET_TOO_LARGE"},
		{query: "print 1", more: request{"db": "nowhere"}, wrong: "BadRequest_DatabaseNotExist", status: 400},
	}
	if token != "" {
		list = append(list, list[len(list)-1])
		list[len(list)-1].more, list[len(list)-1].wrong, list[len(list)-1].status = request{"token": "gwt_forged"}, "KustoRequestDeniedException", 403
	}
	var requests []map[string]any
	for _, x := range list {
		r := request{"client": "kusto", "endpoint": endpoint, "token": token, "db": entrasim.TenantName, "query": x.query}
		maps.Copy(r, x.more)
		requests = append(requests, r)
	}
	for i, answer := range node(t, authority, requests) {
		x := list[i]
		if answer.Error != nil {
			if x.wrong == "" || answer.Error.Status != x.status || !strings.Contains(answer.Error.Message+string(answer.Error.Body), x.wrong) {
				t.Errorf("%s %v: %+v %s", x.query, x.more, *answer.Error, answer.Error.Body)
			}
			continue
		}
		var tables []struct {
			Columns [][2]string
			Rows    [][]any
		}
		if err := json.Unmarshal(answer.Result, &tables); err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, table := range tables {
			var types []string
			for _, c := range table.Columns {
				types = append(types, c[1])
			}
			out = append(out, fmt.Sprint(types, table.Rows))
		}
		if got := strings.Join(out, "; "); got != x.want || x.wrong != "" {
			t.Errorf("%s %v\n gives %s\n want  %s%s", x.query, x.more, got, x.want, x.wrong)
		}
	}
}
