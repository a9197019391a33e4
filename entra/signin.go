package entra

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// words are what a person is told for a number of the token service. Numbers
// change; they choose words and never what we do.
type words struct{ says, cure string }

var signInWords = map[string]words{
	"AADSTS7000215": {"the client secret is wrong", "Enter the secret's value, not its id; better, use a certificate"},
	"AADSTS7000222": {"the client secret has expired", "Make a new one under App registrations, Certificates & secrets; better, use a certificate"},
	"AADSTS7000218": {"neither a secret nor a certificate was sent", "Configure a certificate for our application; an application that has none must be marked as a public client"},
	"AADSTS700016":  {"the tenant does not know our application", "See whether the application was deleted, and whether tenant and client id belong together. If nobody of yours deleted it, treat it as an attack on the monitoring"},
	"AADSTS90002":   {"there is no such tenant", "Check the tenant id and the cloud"},
	"AADSTS90038":   {"the tenant lives in another cloud", "Choose the tenant's cloud"},
	"AADSTS50012":   {"the certificate's signature is not accepted", "See whether the certificate is the one that is registered with the application, under App registrations, Certificates & secrets"},
	"AADSTS700027":  {"the certificate is not registered with our application, or has expired", "Register it under App registrations, Certificates & secrets; if it was removed there, find out by whom"},
	"AADSTS700024":  {"our request is outside its time", "Look at this host's clock first: set it by NTP"},
	"AADSTS500133":  {"our request is outside its time", "Look at this host's clock first: set it by NTP"},
	"AADSTS70021":   {"no federated credential fits the token of the platform", "Compare issuer, subject and audience with the federated credential of the application"},
	"AADSTS700211":  {"the issuer of the platform's token is not registered", "Correct the federated credential of the application: issuer"},
	"AADSTS700212":  {"the audience of the platform's token is not registered", "Correct the federated credential of the application: audience"},
	"AADSTS700213":  {"the subject of the platform's token is not registered", "Correct the federated credential of the application: subject"},
	"AADSTS7000112": {"our application is disabled in the tenant", "Enable it under Enterprise applications; find out who disabled it, because it blinds the monitoring"},
	"AADSTS500011":  {"the tenant has no such service", "The service is not in use in this tenant, or the cloud is the wrong one"},
	"AADSTS70011":   {"the scope is not one that can be asked for", "See the endpoints of the configured cloud"},
	"AADSTS700022":  {"the request names two services", ""},
	"AADSTS700023":  {"the scope is not one that can be asked for", "See the endpoints of the configured cloud"},
	"AADSTS53003":   {"a Conditional Access policy blocks our application", "Except our application from policies for workload identities, or allow this host's address there; find out who made the policy, because it blinds the monitoring"},
	"AADSTS9001023": {"the tenant is none", "Name the tenant by its id"},
	"AADSTS90033":   {"the sign-in service has trouble", ""},
	"AADSTS90006":   {"the sign-in service has trouble", ""},
	"AADSTS90055":   {"the tenant is blocked for load", ""},
}

// aadsts finds the number in a description, and aadstsTail what follows the
// sentence and is of no use to a person.
var (
	aadsts     = regexp.MustCompile(`AADSTS\d{3,9}`)
	aadstsTail = regexp.MustCompile(`(?s)\s*(Trace ID|Correlation ID|Timestamp):.*$`)
)

// tokenError is the error answer of the token endpoint.
type tokenError struct {
	oauth   string // invalid_client and the like
	code    string // AADSTS…, or the OAuth error
	message string
	trace   string
	corr    string
}

// readTokenError reads an answer of the token endpoint, or of the endpoint of a
// managed identity, that is an error; false if it is no such object.
func readTokenError(body []byte) (tokenError, bool) {
	var m struct {
		Error       any   `json:"error"`
		Description any   `json:"error_description"`
		Codes       []any `json:"error_codes"`
		Trace       any   `json:"trace_id"`
		Correlation any   `json:"correlation_id"`
	}
	if json.Unmarshal(trimBOM(body), &m) != nil {
		return tokenError{}, false
	}
	text := func(v any) string { s, _ := v.(string); return s }
	e := tokenError{oauth: line(text(m.Error), 60), trace: line(text(m.Trace), 60), corr: line(text(m.Correlation), 60)}
	if e.oauth == "" {
		return tokenError{}, false
	}
	description := text(m.Description)
	e.code = aadsts.FindString(description)
	if e.code == "" && len(m.Codes) > 0 {
		if n, ok := m.Codes[0].(float64); ok && n > 0 && n < 1e9 {
			e.code = fmt.Sprintf("AADSTS%.0f", n)
		}
	}
	e.message = line(strings.TrimPrefix(aadstsTail.ReplaceAllString(description, ""), e.code+":"), 240)
	if e.code == "" {
		e.code = e.oauth
	}
	return e, true
}

// classifyToken makes the fault of a token endpoint's answer. What we do follows
// the OAuth error and the status; the number only chooses words.
func classifyToken(service Service, doing string, status int, h http.Header, body []byte, offset time.Duration, now time.Time) *Fault {
	f := &Fault{Kind: FaultToken, Service: string(service), Doing: doing, Status: status, RetryAfter: retryAfter(h, now)}
	e, ok := readTokenError(body)
	if ok {
		f.Code, f.Message, f.RequestID = e.code, e.message, e.trace
		if w, known := signInWords[e.code]; known {
			f.Message = w.says
			if e.message != "" {
				f.Message += ": " + e.message
			}
		}
	}
	switch {
	case status == 429:
		f.Kind = FaultThrottled
	case status >= 500, status == 408, e.oauth == "temporarily_unavailable", e.oauth == "server_error":
		f.Kind = FaultOutage
	case !ok && looksHTML(h, body):
		f.Kind, f.Code, f.Message = FaultContent, codeHTML, line(htmlTitle(body), 120)
	case !ok:
		f.Kind, f.Code = FaultContent, codeNotJSON
		if len(body) == 0 {
			f.Code = codeEmpty
		}
	case e.oauth == "invalid_resource":
		// The tenant does not have the service: no Office 365, for the Activity API.
		f.Kind = FaultRequest
		if service == Activity {
			f.Kind = FaultLicence
		}
	case e.oauth == "invalid_scope":
		f.Kind = FaultRequest
	case e.oauth == "invalid_client" && offset.Abs() > clockTolerance:
		// A signed request is good for some minutes around our time, so with clocks
		// that far apart nothing else need be wrong.
		f.Kind = FaultClock
	}
	return f
}
