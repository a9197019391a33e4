package entra

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// clockTolerance is how far two clocks may be apart before a refusal is blamed
// on it: tokens are taken five minutes early or late.
const clockTolerance = 5 * time.Minute

// said is what an error body says.
type said struct {
	code, message, requestID string
	json                     bool // the body is an object
}

// readError reads the error body of Graph, Resource Manager, Log Analytics and
// the Activity API: {"error":{"code","message","innerError":{…}}}. It takes
// whatever is there and expects nothing.
func readError(body []byte) said {
	var outer struct {
		Error   json.RawMessage `json:"error"`
		Code    any             `json:"code"`
		Message any             `json:"message"`
	}
	if json.Unmarshal(trimBOM(body), &outer) != nil {
		return said{}
	}
	s := said{json: true}
	var inner map[string]json.RawMessage
	if json.Unmarshal(outer.Error, &inner) != nil {
		s.code, _ = outer.Code.(string)
		s.message, _ = outer.Message.(string)
		if text := ""; json.Unmarshal(outer.Error, &text) == nil && s.code == "" {
			s.code = text // {"error":"…"}, as token endpoints say it
		}
		s.code, s.message = line(s.code, 80), line(s.message, 300)
		return s
	}
	text := func(m map[string]json.RawMessage, key string) string {
		var v string
		_ = json.Unmarshal(m[key], &v) // another type counts as absent
		return v
	}
	s.code, s.message = line(text(inner, "code"), 80), line(text(inner, "message"), 300)
	// Resource Manager and Log Analytics put the useful sentence deepest.
	for deep, depth := inner, 0; depth < 4; depth++ {
		next := json.RawMessage(nil)
		for key, raw := range deep {
			if strings.EqualFold(key, "innerError") {
				next = raw
			}
		}
		deep = nil
		if json.Unmarshal(next, &deep) != nil {
			break
		}
		if s.requestID == "" {
			s.requestID = line(text(deep, "request-id"), 80)
		}
		if m := text(deep, "message"); m != "" && !strings.Contains(s.message, m) {
			s.message = line(strings.TrimRight(s.message, ". ")+". "+m, 300)
		}
	}
	return s
}

// classify makes the fault of an answer that is not 2xx, by status first and by
// code second. offset is the service's clock minus ours.
func classify(service Service, doing string, status int, h http.Header, body []byte, offset time.Duration, now time.Time) *Fault {
	s := readError(body)
	f := &Fault{
		Kind: FaultRequest, Service: string(service), Doing: doing, Status: status,
		Code: s.code, Message: s.message, RequestID: s.requestID,
		RetryAfter: retryAfter(h, now),
	}
	for _, name := range []string{"Request-Id", "X-Ms-Request-Id"} {
		if id := h.Get(name); id != "" {
			f.RequestID = line(id, 80)
			break
		}
	}
	skewed := offset > clockTolerance || offset < -clockTolerance
	low := strings.ToLower(s.code + " " + s.message)
	switch {
	case status == 429, status == 403 && s.code == "AF429", service == Activity && s.code == "AF429":
		f.Kind = FaultThrottled
		return f
	case status >= 300 && status < 400:
		// We follow no redirects: a token must not travel, and none of these services
		// sends one.
		f.Kind, f.Code = FaultContent, codeRedirect
		f.Message = line("redirected to "+hostOf(h.Get("Location")), 300)
		return f
	case status == 408, status == 424, status >= 500 && status != 501:
		f.Kind = FaultOutage
		return f
	case !s.json && looksHTML(h, body):
		f.Kind, f.Code, f.Message = FaultContent, codeHTML, line(htmlTitle(body), 120)
		return f
	case service == Activity && strings.Contains(s.code+s.message, "DataServiceException") && strings.Contains(s.message, "does not exist"):
		// The code is a broken split at a colon, and the message has a stack trace.
		f.Kind, f.Code, f.Message = FaultAuditOff, "DataServiceException", ""
		return f
	}
	if service == Activity && strings.HasPrefix(s.code, "AF") {
		f.Kind = activityKind(s.code, skewed)
		return f
	}
	switch status {
	case 400:
		if strings.Contains(low, "skip token") || strings.Contains(low, "skiptoken") {
			f.Kind = FaultPosition
		}
	case 401:
		f.Kind = FaultToken
		if skewed {
			f.Kind = FaultClock
		}
	case 403:
		f.Kind = FaultConsent
		if service == Graph && !strings.Contains(low, "insufficient privileges") &&
			(s.code == "Authentication_RequestFromNonPremiumTenantOrB2CTenant" || strings.Contains(low, "premium license") || strings.Contains(low, "not licensed")) {
			f.Kind = FaultLicence
		}
	case 410:
		f.Kind = FaultPosition
	}
	return f
}

// activityKind reads the codes of the Management Activity API.
func activityKind(code string, skewed bool) FaultKind {
	switch code {
	case "AF10001":
		return FaultConsent
	case "AF20022", "AF20023":
		return FaultSubscription
	case "AF20030", "AF20055":
		// A window that is right by our clock and wrong by theirs.
		if skewed {
			return FaultClock
		}
	case "AF20031", "AF20050", "AF20051":
		return FaultPosition
	case "AF50000", "AF50005", "AF50006":
		return FaultOutage
	}
	return FaultRequest
}

func trimBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }

// looksHTML reports a page for people where data should be.
func looksHTML(h http.Header, body []byte) bool {
	b := bytes.TrimSpace(trimBOM(body))
	return len(b) > 0 && b[0] == '<' || strings.Contains(strings.ToLower(h.Get("Content-Type")), "text/html")
}

// htmlTitle gives the title of a page, so that a person recognises the proxy.
func htmlTitle(body []byte) string {
	low := bytes.ToLower(body[:min(len(body), 1<<16)])
	from := bytes.Index(low, []byte("<title"))
	if from < 0 {
		return "a web page"
	}
	open := bytes.IndexByte(low[from:], '>')
	if open < 0 {
		return "a web page"
	}
	from += open + 1
	to := bytes.Index(low[from:], []byte("</title"))
	if to < 0 || to > 200 {
		return "a web page"
	}
	// Lower-casing may change lengths outside ASCII; the page's own bytes only where
	// it did not.
	if len(low) != min(len(body), 1<<16) {
		return "a web page"
	}
	return "a web page with the title " + line(string(body[from:from+to]), 80)
}
