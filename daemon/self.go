package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/config"
	"glassward/entra"
	"glassward/incident"
	"glassward/ingest"
	"glassward/lag"
	"glassward/pulse"
	"glassward/state"
)

const (
	// selfAfter is when our own application is looked at first, selfEvery how often
	// then: a road that is cut says so by itself, and at once.
	selfAfter = 20 * time.Second
	selfEvery = 15 * time.Minute
)

// Uses gives what a tenant's file needs the permissions of an application for.
func Uses(t config.Tenant) []entra.Use {
	list := []entra.Use{entra.UseSelf}
	if g := t.Sources.Graph; g != nil {
		list = append(list, entra.UseLogs)
		risk := func(s string) bool { return s == "riskDetections" || s == "riskyUsers" }
		if len(g.Streams) == 0 || slices.ContainsFunc(g.Streams, risk) {
			list = append(list, entra.UseRisk)
		}
	}
	if t.Sources.Activity != nil {
		list = append(list, entra.UseActivity)
	}
	if t.Pulse != nil {
		list = append(list, entra.UseRoles)
	}
	if t.Sources.Directory != nil {
		list = append(list, entra.UseProtection, entra.UseAccounts, entra.UseRoles)
	}
	return list
}

// watchSelf looks after our own application in the tenant: who loses it is blind.
func (j *journey) watchSelf() {
	graph := j.reach.client(entra.Graph)
	mind := j.w.recall(j.ctx)
	j.reach.learn(mind.Self)
	wait := selfAfter
	for {
		select {
		case <-j.ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = selfEvery
		self, err := entra.Inspect(j.ctx, graph, j.reach.credential, entra.Needs(Uses(j.tenant)...)...)
		if err != nil {
			continue // the journey ends
		}
		j.reach.learn(self)
		j.judgeSelf(self, &mind)
		j.w.keepMind(j.ctx, mind)
	}
}

// A mind is what is remembered of our own application over restarts: what it was
// like, and which faults were told and are not over.
type mind struct {
	Self *entra.Self                `json:"self,omitempty"`
	Open map[string]incident.Health `json:"open"`
}

// mindOf is the name under which a tenant's mind is kept.
func (w *workspace) mindOf() string { return w.tenantID() + "/application" }

func (w *workspace) recall(ctx context.Context) mind {
	m := mind{Open: map[string]incident.Health{}}
	text, err := w.d.state.Memory(ctx, w.mindOf())
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		w.log.Warn("what our own application was like is not known any more", "error", err)
	}
	if m.Open == nil {
		m.Open = map[string]incident.Health{}
	}
	return m
}

func (w *workspace) keepMind(ctx context.Context, m mind) {
	text, err := json.Marshal(m)
	if err == nil {
		err = w.d.state.PutMemory(ctx, w.mindOf(), text)
	}
	if err != nil && ctx.Err() == nil {
		w.log.Warn("what our own application is like could not be kept", "error", err)
	}
}

// judgeSelf tells what is wrong with our application, what of it has changed, and
// what is well again.
func (j *journey) judgeSelf(self *entra.Self, m *mind) {
	w, open := j.w, m.Open
	now := map[string]bool{}
	for _, f := range self.Findings() {
		if f.Severity < glassward.Medium {
			// Nothing that anybody has to get up for: tenant check shows it.
			w.log.Info("our application", "finding", f.What)
			continue
		}
		now[f.Key] = true
		if _, known := open[f.Key]; known {
			continue
		}
		h := incident.Health{
			Cause: "application", Subject: f.Key, Title: "Our own application: " + f.What, Detail: f.Do, Severity: f.Severity, Since: w.d.now(),
		}
		open[f.Key] = h
		w.d.tell(j.ctx, w.tenantID(), h)
	}
	for key, h := range open {
		if !now[key] && known(self, key) {
			h.Over = true
			w.d.tell(j.ctx, w.tenantID(), h)
			delete(open, key)
		}
	}
	before := m.Self
	m.Self = self.Remember(before)
	if before == nil {
		return
	}
	for _, f := range entra.Changes(before, m.Self) {
		// What somebody did to it is no state that passes: a person closes it.
		w.d.tell(j.ctx, w.tenantID(), incident.Health{
			Cause: "application-changed", Subject: f.Key, Title: "Our own application was changed: " + f.What, Detail: f.Do, Severity: f.Severity, Since: w.d.now(),
		})
	}
}

// known says whether what a finding is about was read, so that its absence means
// that it is over. The key of a finding begins with its kind.
func known(s *entra.Self, key string) bool {
	kind, _, _ := strings.Cut(key, "/")
	switch entra.FindingKind(kind) {
	case entra.PrincipalDisabled:
		return s.Principal.Known
	case entra.CredentialEnds:
		// What may not be read was not what told of it.
		return s.Token.Known && (s.Registration.Known || s.Registration.Permission != "")
	}
	return s.Token.Known && s.Permissions.Known
}

// noApplication ends what was told of an application that the file no longer
// describes.
func (w *workspace) noApplication(ctx context.Context) {
	m := w.recall(ctx)
	if m.Self == nil && len(m.Open) == 0 {
		return
	}
	for _, h := range m.Open {
		h.Over = true
		w.d.tell(ctx, w.tenantID(), h)
	}
	w.keepMind(ctx, mind{Open: map[string]incident.Health{}})
}

// nextRoad sets out on the road that stands in for one whose licence is missing:
// without P1 Graph gives no sign-ins, the Management Activity API does.
func (w *workspace) nextRoad(r road, x ingest.Report, f *entra.Fault) {
	j := w.journey.Load()
	if f.Kind != entra.FaultLicence || r.name != graphName || j == nil || !slices.Contains(x.Tables, "SigninLogs") {
		return
	}
	if j.tenant.Sources.Graph.Fallback != "activity" || j.has(activityName) {
		return
	}
	w.log.Warn("Graph gives no sign-ins with this tenant's licence: they are read by the Management Activity API from now on")
	j.set(w.activityRoad(j.tenant, config.ActivitySource{}, j.reach))
}

// azureCLI is the public client that a pulse signs in to where none is named.
const azureCLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

// beat sends the pulse until the journey ends.
func (j *journey) beat() {
	w, p := j.w, j.tenant.Pulse
	client := p.ClientID
	if client == "" {
		client = azureCLI
	}
	o := pulse.Options{
		Cloud: j.reach.cloud, Tenant: j.tenant.ID, User: p.UserPrincipalName, UserID: p.ObjectID, ClientID: client,
		Interval: time.Duration(p.Every), HTTP: j.reach.http, Now: w.d.now, Emergency: j.tenant.Accounts(),
	}
	if j.reach.credential != nil {
		graph := j.reach.client(entra.Graph)
		o.Roles = func(ctx context.Context) ([]string, error) { return entra.RolesOf(ctx, graph, p.ObjectID) }
	}
	h := incident.Health{Cause: "pulse", Subject: p.ObjectID, Title: "The pulse cannot be sent"}
	sender, err := pulse.New(o)
	if err != nil {
		h.Detail, h.Since = err.Error(), w.d.now()
		w.d.tell(j.ctx, w.tenantID(), h)
		return
	}
	// told is the fault that people know of; at first it is not known whether they do.
	told, sure := "", false
	_ = sender.Run(j.ctx, func(s pulse.Sent, err error) {
		if err == nil {
			w.lag.PulseSent(lag.Pulse{At: s.At, UserID: p.ObjectID, Tables: []string{"SigninLogs", "AADNonInteractiveUserSignInLogs"}, Every: time.Duration(p.Every)})
			if told != "" || !sure {
				told, sure = "", true
				h.Over = true
				w.d.tell(j.ctx, w.tenantID(), h)
			}
			return
		}
		w.log.Warn("the pulse was not sent", "error", err)
		var f *entra.Fault
		// What passes by itself is told by the roads that it concerns.
		if !errors.As(err, &f) || !f.Kind.Lasting() || told == f.Code {
			return
		}
		told, sure = f.Code, true
		h.Title, h.Severity = "The pulse cannot be sent", 0
		if f.Code == pulse.PasswordAccepted {
			h.Title, h.Severity = "Somebody has set the canary's password: a random one was accepted", glassward.High
		}
		h.Detail, h.Since, h.Over = err.Error(), w.d.now(), false
		w.d.tell(j.ctx, w.tenantID(), h)
	})
}
