package entra

import "time"

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

// Lasting reports whether the trouble stays until a person acts.
func (k FaultKind) Lasting() bool {
	switch k {
	case FaultThrottled, FaultOutage, FaultContent, FaultPosition:
		return false
	}
	return true
}

// A Fault is what went wrong between us and a service. Its text tells a person
// what was being done, what happened and what to do about it.
type Fault struct {
	Kind       FaultKind
	Service    string        // which service
	Doing      string        // what was asked of it
	Status     int           // of HTTP; 0 if there was no answer
	Code       string        // the service's own word for it
	Message    string        // what the service said, shortened
	RequestID  string        // by which the service's keeper finds the request
	RetryAfter time.Duration // how long the service asked us to wait
	Err        error         // what lies below, if anything
}

// Error tells what happened and what to do.
func (f *Fault) Error() string { return f.Service + ": " + f.Doing + ": " + f.Message }

// Unwrap gives the error below.
func (f *Fault) Unwrap() error { return f.Err }
