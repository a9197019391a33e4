package loganalytics_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"glassward/console/loganalytics"
	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// TestAnswers holds what clients are sent against testdata/answers.txtar, byte for byte.
func TestAnswers(t *testing.T) {
	ticks := func(text string) int64 {
		v, ok := value.ParseDateTime(text)
		if !ok {
			t.Fatal(text)
		}
		return int64(v)
	}
	every := &kql.Result{
		Columns: []rel.Column{{Name: "b", Type: value.Bool}, {Name: "i", Type: value.Int}, {Name: "l", Type: value.Long}, {Name: "r", Type: value.Real}, {Name: "dec", Type: value.Decimal},
			{Name: "t", Type: value.DateTime}, {Name: "s", Type: value.TimeSpan}, {Name: "g", Type: value.GUID}, {Name: "text", Type: value.String}, {Name: "d", Type: value.Dynamic}},
		Rows: [][]any{
			{true, int64(-1), int64(9007199254740993), 1.5, "0.10101", ticks("2015-12-31T23:59:59.9"), int64(10 * 1e7), "6f3c2b1a-0000-4000-8000-00000000000a", "a \"b\" \u2028 <c>", `{"a":1}`},
			{false, int64(0), int64(math.MinInt64), math.NaN(), "-1", ticks("0001-01-01"), int64(-(86_400*1e7*2 + 1)), nil, "", `"bare"`},
			{nil, nil, nil, math.Inf(1), nil, ticks("2026-11-20T10:00:00.1234567Z"), nil, nil, "", `[1,"2"]`},
			{nil, nil, nil, math.Inf(-1), nil, nil, nil, nil, "", nil},
		},
	}
	small := func(name string) *kql.Result {
		return &kql.Result{Name: name, Columns: []rel.Column{{Name: "n", Type: value.Long}}, Rows: [][]any{{int64(1)}}}
	}
	several := small("")
	several.More = []*kql.Result{small(""), small("Other")}
	drawn := small("")
	drawn.Render = &kql.Render{Chart: "barchart", Sorted: true, Properties: map[string]string{"kind": "stacked", "title": "Who", "ycolumns": "a,b"}}
	rows, size := small(""), small("")
	rows.Truncated, rows.MaxRows = true, 1
	size.More = []*kql.Result{{Columns: several.Columns, Truncated: true, MaxBytes: 64}}
	answers := map[string]loganalytics.Answer{
		"every type":           {Result: every},
		"no rows":              {Result: &kql.Result{Columns: every.Columns[:2]}},
		"several tables":       {Result: several},
		"render":               {Result: drawn, Render: true},
		"render, none":         {Result: small(""), Render: true},
		"statistics":           {Result: several, Statistics: true, Took: 620 * time.Millisecond},
		"too many records":     {Result: rows},
		"too large, in a fork": {Result: size},
	}
	archive, err := txtar.ParseFile("testdata/answers.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range archive.Files {
		a, ok := answers[f.Name]
		if !ok {
			t.Errorf("no answer %s", f.Name)
			continue
		}
		delete(answers, f.Name)
		var got bytes.Buffer
		if err := a.Write(&got); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(got.Bytes()) {
			t.Errorf("%s: no JSON", f.Name)
		}
		if d := cmp.Diff(string(f.Data), got.String()); d != "" {
			t.Errorf("%s: (-want +got)\n%s", f.Name, d)
		}
		archive.Files[i].Data = got.Bytes()
	}
	for name := range answers {
		t.Errorf("%s is not in the file", name)
	}
	if os.Getenv("GLASSWARD_GOLDEN") != "" {
		if err := os.WriteFile("testdata/answers.txtar", txtar.Format(archive), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRoundTrip: what is written is read as it was. A dynamic that is a text which looks
// like JSON cannot be told from it, and is left out.
func TestRoundTrip(t *testing.T) {
	types := []value.Type{value.Bool, value.Int, value.Long, value.Real, value.Decimal, value.DateTime, value.TimeSpan, value.GUID, value.String, value.Dynamic}
	cell := func(t *rapid.T, typ value.Type) any {
		if typ != value.String && rapid.IntRange(0, 4).Draw(t, "null") == 0 {
			return nil
		}
		switch typ {
		case value.Bool:
			return rapid.Bool().Draw(t, "bool")
		case value.Int:
			return int64(rapid.Int32().Draw(t, "int"))
		case value.Long, value.TimeSpan:
			return rapid.Int64().Draw(t, "long")
		case value.DateTime:
			return rapid.Int64Range(0, 3155378975999999999).Draw(t, "ticks")
		case value.Real:
			return rapid.Float64().Draw(t, "real")
		case value.Decimal:
			return rapid.StringMatching(`-?[1-9][0-9]{0,20}\.[0-9]{0,8}[1-9]`).Draw(t, "decimal")
		case value.GUID:
			return rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}`).Draw(t, "guid")
		case value.Dynamic:
			return rapid.SampledFrom([]string{`{"a":{"b":[1,2.5,"x"]}}`, `[]`, `"bare text"`, `"<&>"`, `17`, `true`}).Draw(t, "dynamic")
		}
		return rapid.String().Draw(t, "text")
	}
	rapid.Check(t, func(t *rapid.T) {
		table := func() *kql.Result {
			r := &kql.Result{}
			for i := range rapid.IntRange(0, 6).Draw(t, "columns") {
				r.Columns = append(r.Columns, rel.Column{Name: string(rune('a' + i)), Type: rapid.SampledFrom(types).Draw(t, "type")})
			}
			for range rapid.IntRange(0, 5).Draw(t, "rows") {
				row := []any{}
				for _, c := range r.Columns {
					row = append(row, cell(t, c.Type))
				}
				r.Rows = append(r.Rows, row)
			}
			return r
		}
		want := table()
		for i := range rapid.IntRange(0, 2).Draw(t, "more") {
			more := table()
			more.Name = string(rune('K' + i))
			want.More = append(want.More, more)
		}
		var b bytes.Buffer
		if err := (loganalytics.Answer{Result: want, Statistics: true, Render: true}).Write(&b); err != nil {
			t.Fatal(err)
		}
		got, err := loganalytics.ReadAnswer(&b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("(-want +got)\n%s", d)
		}
	})
}

func TestQueries(t *testing.T) {
	for _, x := range []struct {
		body, address string
		want          loganalytics.Query
		err           string
	}{
		{`{"query":"T"}`, "", loganalytics.Query{Text: "T"}, ""},
		{`{"query":"T","timespan":"PT1H","workspaces":["b","c"],"unknown":{"x":[1]}}`, "timespan=P1D&workspaces=d,%20e,",
			loganalytics.Query{Text: "T", Timespans: []string{"P1D", "PT1H"}, Workspaces: []string{"d", "e", "b", "c"}}, ""},
		{`{"timespan":null,"workspaces":null}`, "query=U", loganalytics.Query{Text: "U"}, ""},
		{`{"query":" \n"}`, "", loganalytics.Query{}, "has no query"},
		{`{"query":7}`, "", loganalytics.Query{}, "not JSON of the form"},
		{`[]`, "", loganalytics.Query{}, "not JSON of the form"},
		{``, "", loganalytics.Query{}, "not JSON of the form"},
		{`{"query":"T","applications":["x"]}`, "", loganalytics.Query{}, "applications"},
		{`{"query":"T","workspaces":["` + strings.Repeat(`a","`, 100) + `a"]}`, "", loganalytics.Query{}, "names 101 workspaces"},
	} {
		address, err := url.ParseQuery(x.address)
		if err != nil {
			t.Fatal(err)
		}
		q, err := loganalytics.ReadQuery(strings.NewReader(x.body), address)
		if x.err != "" {
			if err == nil || !strings.Contains(err.Error(), x.err) {
				t.Errorf("%s: %v, want %q", x.body, err, x.err)
			}
			continue
		}
		if d := cmp.Diff(x.want, q); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got)\n%s", x.body, err, d)
		}
	}
	if _, err := loganalytics.QueryOf(url.Values{"timespan": {"PT1H"}}); !errors.Is(err, loganalytics.ErrNoQuery) {
		t.Error(err)
	}
}

func TestPreferences(t *testing.T) {
	for _, x := range []struct {
		values []string
		want   loganalytics.Preferences
	}{
		{nil, loganalytics.Preferences{}},
		{[]string{"wait=600, include-statistics=true,include-render=true"}, loganalytics.Preferences{Wait: 10 * time.Minute, Statistics: true, Render: true}},
		{[]string{"include-render=true", `Wait="1.5"`}, loganalytics.Preferences{Wait: 1500 * time.Millisecond, Render: true}},
		{[]string{"wait=-1, wait=NaN, wait=1e300, wait=, include-statistics, ai.response-thinning=false"}, loganalytics.Preferences{}},
	} {
		if got := loganalytics.ReadPreferences(x.values); got != x.want {
			t.Errorf("%q: %+v", x.values, got)
		}
	}
}

func TestAddresses(t *testing.T) {
	const resource = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/ws"
	for path, want := range map[string]string{
		"/v1" + resource + "/query":                   "/v1/workspaces/ws/query",
		strings.ToLower("/v1" + resource + "/query"):  "/v1/workspaces/ws/query",
		resource + "/query":                           "/v1/workspaces/ws/query",
		resource + "/api/query":                       "/v1/workspaces/ws/query",
		resource + "/api/metadata":                    "/v1/workspaces/ws/metadata",
		"/workspaces/a%2Fb/query":                     "/v1/workspaces/a%2Fb/query",
		"/v1/workspaces/a/query":                      "/v1/workspaces/a/query",
		"/$batch":                                     "/v1/$batch",
		"/v1/$batch":                                  "/v1/$batch",
		"/v1" + resource:                              "",
		resource + "/other/query":                     "",
		resource + "/incidents":                       "",
		"/workspaces/a/incidents":                     "",
		"/v1/subscriptions/s/resourceGroups/rg/query": "",
		"/v1/status":                                  "",
		"":                                            "",
	} {
		got, ok := loganalytics.Address(path)
		if ok != (want != "") || ok && got != want || !ok && got != path {
			t.Errorf("%s: %s, %v", path, got, ok)
		}
	}
	for id, want := range map[string]string{resource: "ws", "sub/rg/name": "name", "name": "name", "": "", "a/b": "a/b", "6f3c2b1a-0000-4000-8000-00000000000a": "6f3c2b1a-0000-4000-8000-00000000000a"} {
		if got := loganalytics.WorkspaceName(id); got != want {
			t.Errorf("%s: %s", id, got)
		}
	}
	if got := loganalytics.WorkspaceName(loganalytics.ResourceID("6f3c2b1a-0000-4000-8000-00000000000a", "nordlicht")); got != "nordlicht" {
		t.Error(got)
	}
}

func TestBatches(t *testing.T) {
	list, err := loganalytics.ReadBatch(strings.NewReader(`{"requests":[
		{"id":"0","headers":{"prefer":"wait=5","Content-Type":"application/json","odd":7},"body":{"query":"Heartbeat","timespan":"2021-06-14T00:00:00.0000000Z/P7D","workspaces":["b"]},"path":"/query","method":"POST","workspace":"w"},
		{"id":1,"body":{}},
		{"id":"2","path":"/metadata","body":{"query":"T"}}]}`))
	if err != nil || len(list) != 3 {
		t.Fatal(list, err)
	}
	if d := cmp.Diff(loganalytics.Query{Text: "Heartbeat", Timespans: []string{"2021-06-14T00:00:00.0000000Z/P7D"}, Workspaces: []string{"b"}}, list[0].Query); d != "" || list[0].Workspace != "w" || list[0].Prefer[0] != "wait=5" || list[0].Err != nil {
		t.Errorf("%+v\n%s", list[0], d)
	}
	if !errors.Is(list[1].Err, loganalytics.ErrNoQuery) || list[2].Err == nil {
		t.Errorf("%v, %v", list[1].Err, list[2].Err)
	}
	for body, want := range map[string]string{
		``: "not JSON", `{}`: "has no requests", `{"requests":[{"body":{"query":"T"}}]}`: "has no id", `{"requests":[{"id":""}]}`: "has no id",
		`{"requests":[{"id":"a"},{"id":"a"}]}`: "two requests", `{"requests":[{"id":[]}]}`: "has no id",
		`{"requests":[` + strings.Repeat(`{},`, 100) + `{}]}`: "has 101 requests",
	} {
		if _, err := loganalytics.ReadBatch(strings.NewReader(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", body, err, want)
		}
	}
	var b bytes.Buffer
	w := loganalytics.NewBatchWriter(&b)
	_ = w.Member(json.RawMessage(`"1"`), 400, []byte(`{"error":{}}`))
	_ = w.Member(json.RawMessage(`0`), 200, []byte("{\"tables\":[]}\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Responses []struct {
			ID      any
			Status  int
			Headers map[string]string
			Body    map[string]any
		}
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || len(got.Responses) != 2 || got.Responses[0].ID != "1" || got.Responses[0].Status != 400 || got.Responses[1].ID != 0.0 {
		t.Errorf("%s: %v", b.String(), err)
	}
}

// FuzzRead: whatever is sent is read or refused, and what is read holds to the limits.
func FuzzRead(f *testing.F) {
	f.Add(`{"query":"T","timespan":"PT1H","workspaces":["b"]}`, "query=T&timespan=P1D&workspaces=a,b")
	f.Add(`{"requests":[{"id":"0","headers":{"prefer":"wait=5"},"body":{"query":"T"},"path":"/query","method":"POST","workspace":"w"}]}`, "")
	f.Add(`{"tables":[{"name":"PrimaryResult","columns":[{"name":"t","type":"datetime"}],"rows":[["2015-12-31T23:59:59.9Z"],[null]]}]}`, "")
	f.Fuzz(func(t *testing.T, body, address string) {
		values, _ := url.ParseQuery(address)
		if q, err := loganalytics.ReadQuery(strings.NewReader(body), values); err == nil && (strings.TrimSpace(q.Text) == "" || len(q.Workspaces) > loganalytics.MaxWorkspaces) {
			t.Errorf("%+v", q)
		}
		if list, err := loganalytics.ReadBatch(strings.NewReader(body)); err == nil && (len(list) == 0 || len(list) > loganalytics.MaxRequests) {
			t.Errorf("%+v", list)
		}
		if r, err := loganalytics.ReadAnswer(strings.NewReader(body)); err == nil {
			for _, row := range r.Rows {
				if len(row) != len(r.Columns) {
					t.Errorf("%+v", r)
				}
			}
		}
		loganalytics.ReadPreferences([]string{address})
		if p, ok := loganalytics.Address(body); ok && !strings.HasPrefix(p, "/v1/") {
			t.Errorf("%q", p)
		}
	})
}
