package notify

import (
	"net/http"
	"strconv"
	"time"
)

// httpVerdict judges the status of a webhook's answer.
//
// Only 2xx is success; a redirect is not followed, since it could lead the
// alarm anywhere. What is wrong with us or the endpoint's set-up (login, path,
// redirect by a portal) is tried again and said at once. What is wrong with the
// call itself is final. 410 would switch the endpoint off by Standard Webhooks;
// here it is one more thing that somebody has to mend, since whoever can make an
// endpoint answer it could silence the alarm.
func httpVerdict(status int) Verdict {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden,
		http.StatusNotFound, http.StatusGone, http.StatusProxyAuthRequired, http.StatusNetworkAuthenticationRequired,
		http.StatusMisdirectedRequest, http.StatusUpgradeRequired,
		http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return Mend
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusLocked,
		http.StatusFailedDependency, http.StatusTooEarly, http.StatusTooManyRequests:
		return Retry
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported,
		http.StatusVariantAlsoNegotiates, http.StatusLoopDetected, http.StatusNotExtended:
		return Refused
	}
	switch {
	case status >= 200 && status < 300:
		return Accepted
	case status >= 300 && status < 500:
		return Refused
	}
	return Retry // 5xx, and what is no status
}

// maxRetryAfter bounds what a receiver may ask us to wait: a page must not be
// put off until tomorrow by a header.
const maxRetryAfter = time.Hour

// retryAfter reads a Retry-After header (RFC 9110 §10.2.3), seconds or a date.
// It gives 0 for none, for one in the past and for one that cannot be read.
func retryAfter(value string, now time.Time) time.Duration {
	var d time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		d = time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
