package console_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"glassward/console/kusto"
)

// kustoBody makes the body of a request.
func kustoBody(t testing.TB, db, csl string) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"db": db, "csl": csl, "properties": map[string]any{"Options": map[string]any{"results_v2_newlines_between_frames": true}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestKustoMetadata holds that clients are told of no login, with nothing that they could take for one.
func TestKustoMetadata(t *testing.T) {
	w := ask(serve(&house{}, false), "GET", kusto.MetadataPath, "", "")
	if w.Code != http.StatusNotFound || w.Body.Len() != 0 {
		t.Errorf("%d %q", w.Code, w.Body.String())
	}
}

// TestKustoAnswers holds what is answered over HTTP: status, form, and which database was asked.
func TestKustoAnswers(t *testing.T) {
	everywhere, ofAlpha := "query@", "query@"+alpha
	for _, x := range []struct {
		name, token, path, body string
		status                  int
		code                    string // of the error
		has                     []string
		reached                 string
	}{
		{"by name", everywhere, kusto.QueryPath, kustoBody(t, "beta", "T"), 200, "", []string{`[{"FrameType":"DataSetHeader"`, "[\"2015-12-31T23:59:59.9000000Z\",9007199254740993,{\"a\":1},\"00:00:10\"]", "\n]"}, "query " + beta},
		{"by id", everywhere, kusto.QueryPath, kustoBody(t, beta, "T"), 200, "", nil, "query " + beta},
		{"of the token, unnamed", ofAlpha, kusto.QueryPath, kustoBody(t, "", "T"), 200, "", nil, "query " + alpha},
		{"of the token, as default", ofAlpha, kusto.QueryPath, kustoBody(t, "NetDefaultDB", "T"), 200, "", nil, "query " + alpha},
		{"unnamed of several", everywhere, kusto.QueryPath, kustoBody(t, "", "T"), 400, "General_BadRequest", []string{"the property db"}, ""},
		{"of another", ofAlpha, kusto.QueryPath, kustoBody(t, "beta", "T"), 400, "BadRequest_DatabaseNotExist", []string{`\"beta\" was not found`}, ""},
		{"of nobody", ofAlpha, kusto.QueryPath, kustoBody(t, "gamma", "T"), 400, "BadRequest_DatabaseNotExist", []string{`\"gamma\" was not found`}, ""},
		{"as tables", ofAlpha, kusto.QueryV1Path, kustoBody(t, "", "T"), 200, "", []string{`{"Tables":[{"TableName":"Table_0"`, `"QueryStatus"`}, "query " + alpha},
		{"a mistake", ofAlpha, kusto.QueryPath, kustoBody(t, "", "wrong"), 400, "General_BadRequest", []string{`"code":"SEM0100"`, "Kusto.Data.Exceptions.SemanticException", `"@permanent":true`, "no such table"}, "query " + alpha},
		{"too slow", ofAlpha, kusto.QueryPath, kustoBody(t, "", "slow"), 504, "RequestExecutionTimeout", []string{"KustoServiceTimeoutException", `"@permanent":false`}, "query " + alpha},
		{"a defect", ofAlpha, kusto.QueryPath, kustoBody(t, "", "panic"), 500, "General_InternalServerError", []string{"KustoServiceException"}, "query " + alpha},
		{"no JSON", ofAlpha, kusto.QueryPath, "{", 400, "General_BadRequest", []string{"the body is not JSON"}, ""},
		{"a command", ofAlpha, kusto.QueryPath, kustoBody(t, "", ".show tables"), 400, "General_BadRequest", []string{kusto.CommandPath}, ""},
		{"a query as a command", ofAlpha, kusto.CommandPath, kustoBody(t, "", "T"), 400, "General_BadRequest", []string{kusto.QueryPath}, ""},
		{"databases", ofAlpha, kusto.CommandPath, kustoBody(t, "", ".show databases"), 200, "", []string{`"Rows":[["alpha"`}, ""},
		{"databases of all", everywhere, kusto.CommandPath, kustoBody(t, "beta", ".show databases"), 200, "", []string{`["alpha","","v1.0",false`, `["beta","","v1.0",true`}, ""},
		{"tables", ofAlpha, kusto.CommandPath, kustoBody(t, "", ".show tables"), 200, "", []string{`["SigninLogs","alpha","","Interactive sign-ins of users."]`}, ""},
		{"tables of another", ofAlpha, kusto.CommandPath, kustoBody(t, "beta", ".show tables"), 400, "BadRequest_DatabaseNotExist", nil, ""},
		{"schema of another", ofAlpha, kusto.CommandPath, kustoBody(t, "", ".show database beta schema"), 400, "BadRequest_DatabaseNotExist", nil, ""},
		{"functions", ofAlpha, kusto.CommandPath, kustoBody(t, "", ".show functions"), 200, "", []string{`["Failed","(since:timespan=1d)","{ SigninLogs | where TimeGenerated \u003e ago(since) }"`}, ""},
		{"a pipe", ofAlpha, kusto.CommandPath, kustoBody(t, "", ".show databases | count"), 200, "", []string{`{"Tables":[{"TableName":"Table_0"`}, "query " + alpha},
		{"a pipe with a mistake", ofAlpha, kusto.CommandPath, kustoBody(t, "", ".show table None cslschema | count"), 400, "General_BadRequest", []string{"EntityNotFoundInContainerException"}, ""},
		{"what changes", ofAlpha, kusto.CommandPath, kustoBody(t, "", ".drop table SigninLogs"), 400, "General_BadRequest", []string{"read-only"}, ""},
		{"ingestion", ofAlpha, kusto.IngestPath + "/alpha/SigninLogs?streamFormat=csv", "a", 400, "General_BadRequest", []string{"/v1/ingest"}, ""},
		{"no token", "", kusto.QueryPath, kustoBody(t, "alpha", "T"), 401, "Unauthorized", []string{"KustoRequestDeniedException"}, ""},
		{"another scope", "ingest@" + alpha, kusto.QueryPath, kustoBody(t, "alpha", "T"), 403, "Forbidden", []string{"KustoRequestDeniedException"}, ""},
	} {
		h := &house{}
		w := ask(serve(h, false), "POST", x.path, x.token, x.body)
		text := strings.ReplaceAll(w.Body.String(), ">", `\u003e`)
		if w.Code != x.status || w.Header().Get("x-ms-error-code") != x.code {
			t.Errorf("%s: %d %s %s", x.name, w.Code, w.Header().Get("x-ms-error-code"), text)
		}
		for _, part := range x.has {
			if !strings.Contains(text, part) {
				t.Errorf("%s: the answer has no %s: %s", x.name, part, text)
			}
		}
		if got := strings.Join(h.reached, ", "); got != x.reached {
			t.Errorf("%s: reached %q", x.name, got)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: no JSON: %s", x.name, text)
		}
	}
}

// TestKustoByAddress asks with GET, as links do.
func TestKustoByAddress(t *testing.T) {
	h := &house{}
	w := ask(serve(h, false), "GET", kusto.QueryPath+"?"+url.Values{"db": {"alpha"}, "csl": {"T | count"}}.Encode(), "query@", "")
	if w.Code != http.StatusOK || strings.Join(h.reached, ",") != "query "+alpha {
		t.Errorf("%d %s, reached %v", w.Code, w.Body.String(), h.reached)
	}
}

// TestKustoIDs holds that a caller finds its own id for the request again, and ours, in an answer and in an
// error.
func TestKustoIDs(t *testing.T) {
	for _, csl := range []string{"T", "wrong"} {
		r := httptest.NewRequest("POST", kusto.QueryPath, strings.NewReader(kustoBody(t, "", csl)))
		r.Header.Set("Authorization", "Bearer query@"+alpha)
		r.Header.Set("x-ms-client-request-id", "KGC.execute;7 \x7f")
		w := httptest.NewRecorder()
		serve(&house{}, false).ServeHTTP(w, r)
		id := w.Header().Get("x-ms-activity-id")
		if w.Header().Get("x-ms-client-request-id") != "KGC.execute;7 ?" || len(id) != 36 || !strings.Contains(w.Body.String(), id) || !strings.Contains(w.Body.String(), "KGC.execute;7 ?") {
			t.Errorf("%s: %v\n%s", csl, w.Header(), w.Body.String())
		}
	}
}

// TestKustoGzip sends a packed body and takes a packed answer; a small body that stands for a large one is
// refused.
func TestKustoGzip(t *testing.T) {
	send := func(body []byte) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", kusto.QueryPath, bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer query@"+alpha)
		r.Header.Set("Content-Encoding", "gzip")
		r.Header.Set("Accept-Encoding", "gzip, deflate")
		w := httptest.NewRecorder()
		serve(&house{}, false).ServeHTTP(w, r)
		return w
	}
	w := send(pack(t, []byte(kustoBody(t, "", "T"))))
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || w.Code != 200 || !json.Valid(text) {
		t.Errorf("%d %s %v", w.Code, text, err)
	}
	if w := send(pack(t, bytes.Repeat([]byte(" "), 9<<20))); w.Code != http.StatusRequestEntityTooLarge || !json.Valid(w.Body.Bytes()) {
		t.Errorf("a bomb: %d %s", w.Code, w.Body.String())
	}
}

// FuzzKusto holds that no body makes the API fail without a code of ours, reach a tenant that the token is
// not for, or name one.
func FuzzKusto(f *testing.F) {
	for i, csl := range []string{"T", "panic", "slow", ".show databases", ".show schema as json", ".show databases (beta) schema as json", ".show principal roles | where Scope has 'b'", ".show table SigninLogs cslschema"} {
		f.Add(uint8(i), kustoBody(f, []string{"", "alpha", "beta", "glassward", beta}[i%5], csl))
	}
	f.Add(uint8(0), `{"csl":"T","properties":"{\"Options\":{\"servertimeout\":\"00:00:01\"},\"Parameters\":{\"a\":1}}"}`)
	f.Add(uint8(1), "\x1f\x8b")
	f.Fuzz(func(t *testing.T, route uint8, body string) {
		h := &house{}
		path := []string{kusto.QueryPath, kusto.QueryV1Path, kusto.CommandPath, kusto.IngestPath + "/beta/T"}[route%4]
		w := ask(serve(h, false), "POST", path, "query@"+alpha, body)
		if w.Code >= 400 && (w.Header().Get("x-ms-error-code") == "" || !json.Valid(w.Body.Bytes())) {
			t.Errorf("%d without a code of ours: %s", w.Code, w.Body.String())
		}
		for _, reached := range h.reached {
			if reached != "query "+alpha {
				t.Errorf("reached %s", reached)
			}
		}
		for _, name := range []string{beta, `"beta"`} {
			if strings.Contains(w.Body.String(), name) && !strings.Contains(strings.ToLower(body), "beta") && !strings.Contains(body, beta[:8]) && !strings.Contains(body, `\u`) {
				t.Errorf("the answer names %s: %s", name, w.Body.String())
			}
		}
	})
}
