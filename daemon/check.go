package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/config"
	"glassward/entra"
)

// A Verdict is what Check found out about one thing. Unknown is not Well: it could
// not be looked at, and Found says why.
type Verdict string

// The verdicts.
const (
	Well    Verdict = "well"
	Wrong   Verdict = "wrong"
	Unknown Verdict = "unknown"
	// Remark is well, with something that a person may want to know.
	Remark Verdict = "remark"
)

// A Checked is one thing that Check has looked at: what it was, how it is, and
// what to do where it is not well.
type Checked struct {
	What    string  `json:"what"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`
	Do      string  `json:"do,omitempty"`
}

// checkTimeout bounds each question that Check asks.
const checkTimeout = 30 * time.Second

// Check tries a tenant's file against the tenant itself: whether the application
// signs in, what it may read and may do beyond, whether each road answers, and
// whether the accounts are there. It changes nothing.
func Check(ctx context.Context, t config.Tenant, now func() time.Time) []Checked {
	c := &checker{t: t}
	r, err := reachOf(t, Network{}, now)
	if err != nil {
		c.add("application", Wrong, err.Error(), "mend the tenant's file or the file that it names")
		return c.list
	}
	defer r.close()
	if r.credential != nil {
		c.application(ctx, r)
		c.accounts(ctx, r)
	}
	c.roads(ctx, r)
	return c.list
}

type checker struct {
	t    config.Tenant
	list []Checked
	// blind is set when there is no token: nothing else needs to be asked.
	blind bool
}

func (c *checker) add(what string, v Verdict, found, do string) {
	c.list = append(c.list, Checked{what, v, found, do})
}

// fail adds what a fault says, with its own cure.
func (c *checker) fail(what string, err error) {
	var f *entra.Fault
	do := "look at the way to the service: name, proxy, firewall"
	found := err.Error()
	if errors.As(err, &f) {
		// A fault says its cure itself; here it has a place of its own.
		do = f.Cure()
		found = strings.TrimSuffix(strings.TrimSuffix(found, do), ". ")
	}
	c.add(what, Wrong, found, do)
}

func (c *checker) application(ctx context.Context, r *reach) {
	ctx, cancel := context.WithTimeout(ctx, 2*checkTimeout)
	defer cancel()
	self, err := entra.Inspect(ctx, r.client(entra.Graph), r.credential, entra.Needs(Uses(c.t)...)...)
	if err != nil {
		c.add("application", Unknown, "it could not be looked at in time: "+err.Error(), "try again")
		return
	}
	if !self.Token.Known {
		c.blind = true
		c.fail("application signs in", self.Token.Err)
		return
	}
	c.add("application signs in", Well, "by "+string(r.credential.Kind()), "")
	if self.Permissions.Known {
		granted := map[string]bool{}
		for _, g := range self.Permissions.Value.Granted {
			granted[g.Value] = true
		}
		for _, value := range entra.Needs(Uses(c.t)...) {
			if granted[value] && !slices.Contains(self.Permissions.Value.Missing, value) {
				c.add("permission "+value, Well, "granted", "")
			}
		}
	}
	for _, f := range self.Findings() {
		v := Wrong
		switch {
		case f.Kind == entra.NotReadable:
			v = Unknown
		case f.Severity < glassward.Medium:
			v = Remark
		}
		c.add(strings.ReplaceAll(string(f.Kind), "-", " "), v, f.What, f.Do)
	}
	if l := self.Licence; l.Known {
		c.add("licence", Well, strings.Join(l.Value.Skus, ", "), "")
	}
}

func (c *checker) accounts(ctx context.Context, r *reach) {
	if c.blind {
		return
	}
	graph := r.client(entra.Graph)
	holders, err := entra.RoleHolders(ctx, graph, entra.GlobalAdministrator)
	if err != nil {
		c.add("who holds Global Administrator", Unknown, err.Error(), "")
	}
	held := map[string]bool{}
	for _, h := range holders {
		held[strings.ToLower(h.ID)] = true
	}
	for _, a := range c.t.EmergencyAccounts {
		what := "account " + a.ObjectID
		if a.Name != "" {
			what = "account " + a.Name
		}
		if a.Kind == "servicePrincipal" {
			c.principal(ctx, graph, what, a.ObjectID)
			continue
		}
		u, ok := c.user(ctx, graph, what, a.ObjectID)
		switch admin := a.Kind != "decoy"; {
		case !ok:
		case !u.Enabled && admin:
			c.add(what, Wrong, u.UPN+" is disabled: it cannot sign in", "enable it, and find out who disabled it")
		case admin && err == nil && !held[a.ObjectID]:
			c.add(what, Remark, u.UPN+" does not hold Global Administrator now", "assign it permanently, or live with an account that cannot mend everything")
		case !admin:
			c.without(ctx, graph, what, u)
		default:
			c.add(what, Well, u.UPN, "")
		}
	}
	if p := c.t.Pulse; p != nil {
		if u, ok := c.user(ctx, graph, "pulse's canary", p.ObjectID); ok {
			c.without(ctx, graph, "pulse's canary", u)
		}
	}
}

// user looks at one account, and says so where it cannot be found.
func (c *checker) user(ctx context.Context, graph *entra.Client, what, id string) (entra.User, bool) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	u, err := entra.FindUser(ctx, graph, id)
	c.found(what, "there is no such user", "declare it by the object id that its page in the Entra admin centre shows", err)
	return u, err == nil
}

// principal looks at a service principal that is kept for emergencies.
func (c *checker) principal(ctx context.Context, graph *entra.Client, what, id string) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	p, err := entra.FindServicePrincipal(ctx, graph, id)
	c.found(what, "there is no such service principal", "declare it by the object id under Enterprise applications, which is not that of its registration", err)
	switch {
	case err != nil:
	case !p.Enabled:
		c.add(what, Wrong, p.Name+" is disabled: it cannot sign in", "enable it, and find out who disabled it")
	default:
		c.add(what, Well, p.Name+", a service principal", "")
	}
}

// found says why something that was declared could not be read.
func (c *checker) found(what, nobody, cure string, err error) {
	var f *entra.Fault
	switch {
	case errors.As(err, &f) && f.Status == http.StatusNotFound:
		c.add(what, Wrong, nobody, cure)
	case errors.As(err, &f) && f.Kind == entra.FaultConsent:
		c.add(what, Unknown, err.Error(), f.Cure())
	case err != nil:
		c.fail(what, err)
	}
}

// without looks whether an account holds no role.
func (c *checker) without(ctx context.Context, graph *entra.Client, what string, u entra.User) {
	roles, err := entra.RolesOf(ctx, graph, u.ID)
	switch {
	case err != nil:
		c.add(what, Unknown, u.UPN+"; its roles could not be read: "+err.Error(), "")
	case len(roles) > 0:
		c.add(what, Wrong, u.UPN+" holds "+strings.Join(roles, ", "), "use an account without any role")
	default:
		c.add(what, Well, u.UPN+" holds no role", "")
	}
}

func (c *checker) roads(ctx context.Context, r *reach) {
	ask := func(what string, s entra.Service, address string) {
		if c.blind {
			c.add(what, Unknown, "without a token it cannot be asked", "")
			return
		}
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		_, err := r.client(s).Get(ctx, address, nil)
		var f *entra.Fault
		if errors.As(err, &f) && f.Kind == entra.FaultLicence && s == entra.Graph && c.t.Sources.Graph.Fallback != "none" {
			c.add(what, Remark, "the tenant's licence gives no sign-ins by Graph: they will be read by the Management Activity API",
				"grant the application ActivityFeed.Read of the Office 365 Management APIs, too (glassward permissions), or let the roads be activity alone")
			return
		}
		if err != nil {
			c.fail(what, err)
			return
		}
		c.add(what, Well, "answers", "")
	}
	s := c.t.Sources
	if s.Graph != nil {
		ask("road graph: sign-ins", entra.Graph, "/v1.0/auditLogs/signIns?$top=1")
		ask("road graph: audits", entra.Graph, "/v1.0/auditLogs/directoryAudits?$top=1")
	}
	if s.Activity != nil {
		ask("road activity", entra.Activity, "/api/v1.0/"+c.t.ID+"/activity/feed/subscriptions/list?PublisherIdentifier="+c.t.ID)
	}
	for _, w := range s.Logs {
		ask("road workspace "+w.ID, entra.LogAnalytics, "/v1/workspaces/"+w.ID+"/query?query=print%20x%3D1")
	}
	for _, e := range s.EventHub {
		address := e.Namespace
		if _, _, err := net.SplitHostPort(address); err != nil {
			address = net.JoinHostPort(address, "9093")
		}
		conn, err := (&net.Dialer{Timeout: checkTimeout}).DialContext(ctx, "tcp", address)
		if err != nil {
			c.add("road eventhub "+e.Namespace, Wrong, err.Error(), "open port 9093 to the namespace, which has to be Standard or better")
			continue
		}
		conn.Close()
		found := address + " answers"
		if e.ConnectionString != "" {
			if _, err := e.ConnectionString.Reveal(); err != nil {
				c.add("road eventhub "+e.Namespace, Wrong, err.Error(), "give the connection string")
				continue
			}
			found += ", the connection string is there"
		}
		c.add("road eventhub "+e.Namespace, Well, found, "")
	}
	for _, x := range s.Storage {
		entries, err := os.ReadDir(x.Path)
		containers := 0
		for _, e := range entries {
			if ok, _ := path.Match("insights-*", strings.ToLower(e.Name())); ok {
				containers++
			}
		}
		switch {
		case err != nil:
			c.add("road storage "+x.Path, Wrong, err.Error(), "mount or copy the storage account's containers there, readable for this user")
		case containers == 0:
			c.add("road storage "+x.Path, Remark, "there is no container insights-* yet", "the first comes with the first record, up to a day after the export was set up")
		default:
			c.add("road storage "+x.Path, Well, fmt.Sprintf("%d containers", containers), "")
		}
	}
	for _, f := range c.t.Folders {
		if _, err := os.ReadDir(f.Path); err != nil {
			c.add("folder "+f.Path, Wrong, err.Error(), "make the folder, readable for this user")
			continue
		}
		c.add("folder "+f.Path, Well, "can be read", "")
	}
	if !s.Any() && len(c.t.Folders) == 0 {
		c.add("roads", Remark, "none: records come only as files that are ingested, or by push", "name sources in the tenant's file")
	}
}
