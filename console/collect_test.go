package console_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"glassward/console"
)

const rule = "dcr-00112233445566778899aabbccddeeff"

func (h *house) Collect(_ context.Context, tenant string, u console.Upload) error {
	h.note("collect %s %s of %q for %q by %s", u.Rule, u.Stream, tenant, u.Source, u.Sender)
	h.body = string(u.Body)
	switch {
	case u.Rule != rule || tenant == beta:
		return fmt.Errorf("%w: no rule %s", console.ErrNoSuch, u.Rule)
	case u.Stream != "Custom-My_CL":
		return fmt.Errorf("%w: %s", console.ErrNoStream, u.Stream)
	case !strings.HasPrefix(h.body, "["):
		return fmt.Errorf("%w: no array", console.ErrPayload)
	case h.body == "[1]":
		return fmt.Errorf("%w: the disk is full", console.ErrBusy)
	case h.body == "[3]":
		return console.ErrLarge
	case h.body == "[2]":
		return errors.New("secret detail")
	}
	return nil
}

// collector is a server without the small bound of the other tests.
func collector(h *house) *console.Server {
	return console.New(console.Options{Workspaces: h, Desk: h, Operator: h, Collections: h, Callbacks: h, Tokens: h, Letters: h, Log: slog.New(slog.DiscardHandler)})
}

func packed(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.Bytes()
}

func TestCollect(t *testing.T) {
	h := &house{}
	s := collector(h)
	const path = "/dataCollectionRules/" + rule + "/streams/Custom-My_CL"
	million := "[" + strings.Repeat(" ", 1<<20-2) + "]"
	for _, c := range []struct {
		name, path, token, body, encoding string
		status                            int
		code                              string
	}{
		{"taken", path + "?api-version=2023-01-01", "ingest@" + alpha, `[{"a":1}]`, "", 204, ""},
		{"the version before", path + "?api-version=2021-11-01-preview", "ingest@" + alpha, `[]`, "", 204, ""},
		{"double slash", "/" + path + "?api-version=2023-01-01", "ingest@" + alpha, `[]`, "", 204, ""},
		{"no token", path + "?api-version=2023-01-01", "", `[]`, "", 401, "AuthenticationFailed"},
		{"a forged token", path + "?api-version=2023-01-01", "forged", `[]`, "", 403, "InvalidAuthenticationToken"},
		{"another scope", path + "?api-version=2023-01-01", "query@" + alpha, `[]`, "", 403, "InsufficientAccessError"},
		{"no version", path, "ingest@" + alpha, `[]`, "", 400, "MissingApiVersionParameter"},
		{"an unknown version", path + "?api-version=2030-01-01", "ingest@" + alpha, `[]`, "", 400, "UnsupportedApiVersion"},
		{"another tenant's rule", path + "?api-version=2023-01-01", "ingest@" + beta, `[]`, "", 404, "NotFound"},
		{"no such rule", strings.Replace(path, "00", "ff", 1) + "?api-version=2023-01-01", "ingest@" + beta, `[]`, "", 404, "NotFound"},
		{"no such stream", path + "x?api-version=2023-01-01", "ingest@" + alpha, `[]`, "", 400, "InvalidStream"},
		{"no array", path + "?api-version=2023-01-01", "ingest@" + alpha, `{}`, "", 400, "InvalidPayload"},
		{"come again", path + "?api-version=2023-01-01", "ingest@" + alpha, `[1]`, "", 503, "ServiceUnavailable"},
		{"too many objects", path + "?api-version=2023-01-01", "ingest@" + alpha, `[3]`, "", 413, "RequestEntityTooLarge"},
		{"a defect", path + "?api-version=2023-01-01", "ingest@" + alpha, `[2]`, "", 500, "InternalServerError"},
		{"a million bytes", path + "?api-version=2023-01-01", "ingest@" + alpha, million, "", 204, ""},
		{"a million and one", path + "?api-version=2023-01-01", "ingest@" + alpha, million + " ", "", 413, "RequestEntityTooLarge"},
		{"packed", path + "?api-version=2023-01-01", "ingest@" + alpha, string(packed(`[{}]`)), "gzip", 204, ""},
		{"packed a million bytes", path + "?api-version=2023-01-01", "ingest@" + alpha, string(packed(million)), "gzip", 204, ""},
		{"packed two million", path + "?api-version=2023-01-01", "ingest@" + alpha, string(packed(million + million)), "gzip", 204, ""},
		{"packed two million and one", path + "?api-version=2023-01-01", "ingest@" + alpha, string(packed(million + million + " ")), "gzip", 413, "RequestEntityTooLarge"},
		{"packed very small", path + "?api-version=2023-01-01", "ingest@" + alpha, string(packed(strings.Repeat(" ", 1<<28))), "gzip", 413, "RequestEntityTooLarge"},
		{"no gzip", path + "?api-version=2023-01-01", "ingest@" + alpha, `[]`, "gzip", 400, "BadArgumentError"},
		{"cut gzip", path + "?api-version=2023-01-01", "ingest@" + alpha, string(packed(`[{}]`)[:15]), "gzip", 400, "InvalidPayload"},
		{"another packing", path + "?api-version=2023-01-01", "ingest@" + alpha, `[]`, "br", 415, "UnsupportedMediaType"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.reached = nil
			r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			if c.encoding != "" {
				r.Header.Set("Content-Encoding", c.encoding)
			}
			r.Header.Set("x-ms-client-request-id", "7")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != c.status || w.Header().Get("x-ms-error-code") != c.code {
				t.Fatalf("%d %s %s", w.Code, w.Header().Get("x-ms-error-code"), w.Body)
			}
			switch {
			case c.status == 204:
				if w.Body.Len() != 0 || len(h.reached) != 1 || w.Header().Get("x-ms-client-request-id") != "7" {
					t.Errorf("%v, %q", h.reached, w.Body)
				}
			case c.status == 503:
				if w.Header().Get("Retry-After") == "" {
					t.Error("the client is not told when to come again")
				}
			case strings.Contains(w.Body.String(), "secret"):
				t.Errorf("the answer tells %s", w.Body)
			case !strings.Contains(w.Body.String(), `"code":"`+c.code+`"`):
				t.Errorf("the body is %s", w.Body)
			case c.status == 413 && len(h.reached) > 0 && c.body != "[3]":
				t.Error("a part of a body that is too large was taken")
			}
		})
	}
}

// correlation is what differs from one answer to the next.
var correlation = regexp.MustCompile(`"correlationId":"[^"]*"`)

// TestOneTenantNeverLearnsOfAnother compares what a rule of another tenant gives with
// what one gives that is not there.
func TestOneTenantNeverLearnsOfAnother(t *testing.T) {
	s := collector(&house{})
	answer := func(id string) string {
		w := ask(s, http.MethodPost, "/dataCollectionRules/"+id+"/streams/Custom-My_CL?api-version=2023-01-01", "ingest@"+beta, "[]")
		return fmt.Sprint(w.Code, w.Header(), correlation.ReplaceAllString(strings.ReplaceAll(w.Body.String(), id, "ID"), ""))
	}
	if theirs, none := answer(rule), answer("dcr-ffffffffffffffffffffffffffffffff"); theirs != none {
		t.Errorf("another tenant's rule:\n%s\nno rule:\n%s", theirs, none)
	}
}

// FuzzCollect holds that no request makes the route panic or answer without a code.
func FuzzCollect(f *testing.F) {
	f.Add(rule, "Custom-My_CL", "2023-01-01", "", "1", []byte(`[{"a":1}]`))
	f.Add(rule, "Custom-My_CL", "2023-01-01", "gzip", "", packed(`[{"a":1}]`))
	f.Add("dcr-%00", "a%2Fb", "", "identity", strings.Repeat("x", 200), []byte("\x1f\x8b"))
	h := &house{}
	s := collector(h)
	f.Fuzz(func(t *testing.T, id, stream, version, encoding, request string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.URL.Path = "/dataCollectionRules/" + id + "/streams/" + stream
		q := r.URL.Query()
		q.Set("api-version", version)
		r.URL.RawQuery = q.Encode()
		r.Header.Set("Authorization", "Bearer ingest@"+alpha)
		r.Header.Set("Content-Encoding", encoding)
		r.Header.Set("x-ms-client-request-id", request)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code >= 500 && w.Header().Get("x-ms-error-code") == "" {
			t.Errorf("%d without a code: %s", w.Code, w.Body)
		}
		if w.Code == http.StatusNoContent && (id != rule || !bytes.HasPrefix([]byte(h.body), []byte("["))) {
			t.Errorf("taken: rule %q, body %q", id, h.body)
		}
	})
}
