package entra

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A FaultKind says what sort of trouble a fault is, by what has to happen next.
type FaultKind string

// The kinds of faults.
const (
	FaultToken        FaultKind = "token"        // no token, or one that is not accepted
	FaultConsent      FaultKind = "consent"      // the application lacks a permission
	FaultLicence      FaultKind = "licence"      // the tenant lacks the licence
	FaultThrottled    FaultKind = "throttled"    // too many requests
	FaultOutage       FaultKind = "outage"       // the service, or the way to it, fails
	FaultContent      FaultKind = "content"      // an answer that is not what it says
	FaultRequest      FaultKind = "request"      // the service refuses what was asked
	FaultClock        FaultKind = "clock"        // the clocks disagree
	FaultPosition     FaultKind = "position"     // a cursor is refused or lost
	FaultSubscription FaultKind = "subscription" // the feed's subscription is missing or off
	FaultAuditOff     FaultKind = "audit-off"    // the tenant writes no unified audit log
)

// Lasting reports whether the trouble stays until a person acts. Throttling,
// outages and broken answers pass by themselves, and after a lost position the
// reader starts its window again.
func (k FaultKind) Lasting() bool {
	switch k {
	case FaultThrottled, FaultOutage, FaultContent, FaultPosition:
		return false
	}
	return true
}

// A Fault is what went wrong between us and a service. Its text tells a person
// what was being done, what happened and what to do about it. It never holds a
// secret or a token.
type Fault struct {
	Kind       FaultKind
	Service    string        // which service, e.g. "Microsoft Graph"
	Doing      string        // what was asked of it, e.g. "read /v1.0/auditLogs/signIns"
	Status     int           // of HTTP; 0 if there was no answer
	Code       string        // the service's own word for it, e.g. "AADSTS7000222" or "AF20023"
	Message    string        // what the service said, shortened to a line
	RequestID  string        // by which the service's keeper finds the request
	RetryAfter time.Duration // how long the service wants to be left alone
	Err        error         // what lies below, if anything
}

// Error tells what was being done, what happened, and what to do.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Service)
	if f.Doing != "" {
		b.WriteString(": " + f.Doing)
	}
	b.WriteString(": " + f.what())
	var said []string
	if f.Status != 0 {
		said = append(said, "status "+strconv.Itoa(f.Status))
	}
	if f.Code != "" {
		said = append(said, f.Code)
	}
	if f.RequestID != "" {
		said = append(said, "request "+f.RequestID)
	}
	if len(said) > 0 {
		b.WriteString(" (" + strings.Join(said, ", ") + ")")
	}
	if f.Message != "" {
		b.WriteString(": " + strings.TrimRight(f.Message, ". "))
	}
	if cure := f.Cure(); cure != "" {
		b.WriteString(". " + cure)
	}
	return b.String()
}

// Unwrap gives the error below.
func (f *Fault) Unwrap() error { return f.Err }

// what names the kind of trouble in words.
func (f *Fault) what() string {
	switch f.Kind {
	case FaultToken:
		if f.Status == 0 && f.Code == "" {
			return "no token can be asked for"
		}
		return "refused, because the sign-in of our application is not accepted"
	case FaultConsent:
		return "refused, because our application lacks a permission"
	case FaultLicence:
		return "refused, because the tenant lacks the licence"
	case FaultThrottled:
		if f.RetryAfter > 0 {
			return fmt.Sprintf("too many requests, to be left alone for %s", f.RetryAfter.Round(time.Second))
		}
		return "too many requests"
	case FaultOutage:
		if f.Status == 0 {
			return "no answer"
		}
		return "the service fails"
	case FaultContent:
		return "the answer is not what it should be"
	case FaultClock:
		return "refused, because our clock and the service's differ"
	case FaultPosition:
		return "the service does not know the place any more at which to go on"
	case FaultSubscription:
		return "the feed has no running subscription"
	case FaultAuditOff:
		return "the tenant writes no unified audit log"
	}
	return "refused"
}

// Cure says what a person has to do; empty where the trouble passes by itself.
func (f *Fault) Cure() string {
	if words, ok := signInWords[f.Code]; ok && words.cure != "" {
		return words.cure
	}
	switch f.Kind {
	case FaultToken:
		if f.Status == 401 {
			return "The token was good enough to be given but is not taken: see whether the application was deleted or disabled, and whether tenant and cloud are the right ones"
		}
		if f.Status == 0 {
			return ""
		}
		return "See the application in the Entra admin centre under Enterprise applications, and its certificate or secret under App registrations"
	case FaultConsent:
		switch f.Service {
		case string(ResourceManager):
			return "Assign our application the role Reader on what is to be read"
		case string(LogAnalytics):
			return "Assign our application the role Log Analytics Reader on the workspace"
		}
		if p := permissionFor(f.Service, f.Doing); p != "" {
			return "Add the application permission " + p + " and let an administrator consent to it"
		}
		return "Compare the application permissions of our application with what it needs, and let an administrator consent"
	case FaultLicence:
		if f.Service == string(Graph) && strings.Contains(f.Doing, "/auditLogs/") {
			return "Sign-in logs need Microsoft Entra ID P1 or P2. If the tenant has it, add the application permission Directory.Read.All too: the service's own check of the licence may need it. A licence bought today shows after about a day"
		}
		if f.Service == string(Graph) {
			return "This needs Microsoft Entra ID P2, or P1 for part of it"
		}
		return "The tenant has no subscription that includes this service"
	case FaultContent:
		if f.Code == codeHTML || f.Code == codeRedirect {
			return "Look for a proxy, a firewall or a sign-in page between this host and the service"
		}
	case FaultOutage:
		if f.Status == 0 {
			return networkCure(f.Err)
		}
	case FaultClock:
		return "Set this host's clock by NTP; it must be within five minutes of the service's"
	case FaultSubscription:
		if f.Code == "AF20023" {
			return "An administrator has disabled the subscription: find out who and why before it is started again"
		}
		return "Start the subscription; what was written while there was none cannot be had"
	case FaultAuditOff:
		return "Switch on auditing in the Microsoft Purview portal (UnifiedAuditLogIngestionEnabled), or see whether the tenant has an Office 365 subscription at all. Find out who switched it off. It takes an hour or more to begin"
	}
	return ""
}

// Codes of our own, for faults that the service has no word for.
const (
	codeHTML      = "HTML"
	codeRedirect  = "Redirect"
	codeEmpty     = "EmptyBody"
	codeCut       = "CutBody"
	codeNotJSON   = "NotJSON"
	codeTooLarge  = "TooLarge"
	codeNoValue   = "NoValue"
	codeRepeated  = "NextLinkRepeated"
	codeElsewhere = "NextLinkElsewhere"
	codeTooMany   = "TooManyPages"
	codeOutside   = "OutsideService"
)

// tokenText matches what looks like a token: three base64url parts, of which the
// first opens a JSON object. tokenField matches a field of a token answer.
var (
	tokenText  = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)*`)
	tokenField = regexp.MustCompile(`(?i)"?(access_token|client_secret|client_assertion|password|refresh_token|id_token)"?\s*[:=]\s*"?[^"&\s,}]+`)
)

// line makes one printable line of what a service said, of at most limit
// characters, and takes out whatever looks like a token or a secret: what comes
// from afar goes into logs and mails.
func line(text string, limit int) string {
	if len(text) > 16*limit {
		text = text[:16*limit]
	}
	text = tokenField.ReplaceAllString(text, "$1=…")
	text = tokenText.ReplaceAllString(text, "…")
	var b strings.Builder
	n, space := 0, false
	for _, r := range text {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			space = true
			continue
		}
		if space && n > 0 {
			b.WriteByte(' ')
			n++
		}
		space = false
		if n >= limit {
			b.WriteString("…")
			break
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}
