package cloud

import (
	"net/http"
	"strings"
	"time"
)

// lockoutAfter and lockoutFor are the defaults of smart lockout.
const (
	lockoutAfter = 10
	lockoutFor   = time.Minute
)

// azureCLI is Microsoft's own public client, which every tenant knows.
const azureCLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

// A lockout counts wrong passwords of an account.
type lockout struct {
	wrong int
	until time.Time
}

// password judges a sign-in with name and password. No password of a made-up
// person is the right one, so there is always a fault; the failed sign-in
// of somebody whom the directory knows becomes an event of the world, and its id
// is the trace of the fault.
func (c *Cloud) password(r *http.Request, name string) *tokenFault {
	form := r.PostForm
	for _, p := range []string{"client_id", "username", "password", "scope"} {
		if form.Get(p) == "" {
			return missing(p)
		}
	}
	upn := strings.ToLower(form.Get("username"))
	if name == "organizations" {
		_, domain, _ := strings.Cut(upn, "@")
		name = domain
	} else if name == "common" || name == "consumers" {
		return badRequest("invalid_request", 9001023, "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.")
	}
	t, ok := c.tenant(name)
	if !ok {
		return unknownTenant(name)
	}
	now := c.live(t)
	if !strings.EqualFold(form.Get("client_id"), azureCLI) {
		if _, _, f := c.application(t, form.Get("client_id")); f != nil {
			return f
		}
	}
	number, text := 50126, "Error validating credentials due to invalid username or password."
	user, known := t.world.User(upn)
	switch {
	case !known:
		number, text = 50034, "The user account "+upn+" does not exist in the "+t.id+" directory. To sign into this application, the account must be added to the directory."
	case !user.Enabled:
		number, text = 50057, "The user account is disabled."
	case c.locked(t.id+"/"+user.ID, now):
		number, text = 50053, "The account is locked, you've tried to sign in too many times with an incorrect user ID or password."
	}
	fault := badRequest("invalid_grant", number, text)
	if known {
		fault.trace, _ = t.world.FailSignIn(user.ID, number)
	}
	return fault
}

// locked counts a wrong password and tells whether the account was locked
// before it.
func (c *Cloud) locked(account string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lockouts[account]
	if l == nil {
		l = &lockout{}
		c.lockouts[account] = l
	}
	if now.Before(l.until) {
		return true
	}
	if l.wrong++; l.wrong >= lockoutAfter {
		l.wrong, l.until = 0, now.Add(lockoutFor)
	}
	return false
}
