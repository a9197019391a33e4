package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"glassward/certificate"
	"glassward/config"
	"glassward/console"
	"glassward/logstore"
	"glassward/notify"
	"glassward/rule"
	"glassward/state"
)

// tokens is the control store as the console asks it who somebody is.
type tokens struct{ store *state.Store }

// CheckToken gives what a token allows.
func (t tokens) CheckToken(ctx context.Context, secret string) (console.Grant, error) {
	found, err := t.store.CheckToken(ctx, secret)
	if errors.Is(err, state.ErrToken) {
		return console.Grant{}, console.ErrBadToken
	}
	if err != nil {
		return console.Grant{}, err
	}
	g := console.Grant{Name: found.Name, Tenant: found.Tenant, Source: found.Source}
	if g.Tenant == state.AllTenants {
		g.Tenant = ""
	}
	for _, s := range found.Scopes {
		g.Scopes = append(g.Scopes, console.Scope(s))
	}
	return g, nil
}

// operator is what the scope operate reaches.
type operator struct{ d *Daemon }

// A Status is how the daemon is.
type Status struct {
	Version    string                  `json:"version"`
	Address    string                  `json:"address"`
	Started    time.Time               `json:"started"`
	Config     string                  `json:"config,omitempty"`
	Problems   []string                `json:"problems,omitempty"`
	Warnings   []string                `json:"warnings,omitempty"`
	Workspaces []WorkspaceStatus       `json:"workspaces"`
	Receivers  []notify.ReceiverStatus `json:"receivers"`
	Proofs     []notify.Proof          `json:"proofs,omitempty"`
	Heartbeat  *HeartbeatStatus        `json:"heartbeat,omitempty"`
	// Certificate is what the API shows of itself, absent where it speaks plainly.
	Certificate *certificate.Sheet `json:"certificate,omitempty"`
	// Latency is how long receivers' notices take, and their people to answer.
	Latency []LegStatus `json:"latency,omitempty"`
	Owed    state.Stats `json:"owed"`
}

// A WorkspaceStatus is how one tenant's workspace is.
type WorkspaceStatus struct {
	Tenant   string `json:"tenant"`
	Name     string `json:"name"`
	Accounts int    `json:"emergencyAccounts"`
	// Head is the newest record's sequence number, Waiting how many batches are
	// durable and not yet judged.
	Head    int64                 `json:"head"`
	Waiting int                   `json:"waiting"`
	Paused  string                `json:"paused,omitempty"`
	Tables  []logstore.TableStats `json:"tables"`
	Rules   []RuleStatus          `json:"rules"`
	Roads   []RoadStatus          `json:"roads,omitempty"`
	Way     []WayStatus           `json:"way,omitempty"`
	// Latency is how long its sources' records and their alerts take.
	Latency []LegStatus     `json:"latency,omitempty"`
	History []HistoryStatus `json:"history,omitempty"`
	// Keep is protected-only where nothing is stored about anybody else.
	Keep string `json:"keep,omitempty"`
	// Shut says why the tenant is not watched: its store cannot be opened. Fault
	// says what cannot be told of one that is open.
	Shut  string    `json:"shut,omitempty"`
	Since time.Time `json:"shutSince,omitzero"`
	Fault string    `json:"fault,omitempty"`
}

// A RuleStatus is how one rule stands.
type RuleStatus struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	RunsAs  string `json:"runsAs"`
	Origin  string `json:"origin"`
	Enabled bool   `json:"enabled"`
	Owed    int64  `json:"owed,omitempty"`
	// Suppressed counts the windows since the last alert whose alerts were
	// suppressed.
	Suppressed int64     `json:"suppressed,omitempty"`
	Error      string    `json:"error,omitempty"`
	Since      time.Time `json:"since,omitzero"`
}

func (w *workspace) status(ctx context.Context) (WorkspaceStatus, error) {
	w.mu.Lock()
	s := WorkspaceStatus{Tenant: w.tenant.ID, Name: w.tenant.Name, Accounts: len(w.tenant.EmergencyAccounts), Waiting: len(w.commits)}
	if w.tenant.Keep == config.KeepProtectedOnly {
		s.Keep = w.tenant.Keep
	}
	if w.judging {
		s.Waiting++
	}
	w.mu.Unlock()
	s.Head = w.head.Load()
	if err := w.store.DiskLow(); err != nil {
		s.Paused = err.Error()
	}
	s.Rules = w.ruleStatus()
	s.Roads = w.roadStatus()
	s.Way = wayStatus(w.lag.Way())
	s.Latency = w.d.legStatus(w.tenantID())
	s.History = w.historyStatus()
	stats, err := w.store.Stats(ctx)
	for _, t := range stats.Tables {
		if t.Rows > 0 {
			s.Tables = append(s.Tables, t)
		}
	}
	return s, err
}

func (w *workspace) ruleStatus() []RuleStatus {
	return RuleStates(w.states())
}

// RuleStates gives the states of rules as the API does.
func RuleStates(states []rule.State) []RuleStatus {
	var out []RuleStatus
	for _, r := range states {
		x := RuleStatus{ID: r.ID, Name: r.Name, RunsAs: r.RunsAs, Origin: r.Origin, Enabled: r.Enabled, Owed: r.Owed, Suppressed: r.Suppressed}
		if r.Err != nil {
			x.Error, x.Since = r.Err.Error(), r.Since
		}
		out = append(out, x)
	}
	return out
}

// Status says how everything is; tenant restricts it to one workspace.
func (o operator) Status(ctx context.Context, tenant string) (any, error) {
	d := o.d
	d.mu.RLock()
	s := Status{Version: d.o.Version, Address: d.Addr(), Started: d.started, Config: d.config.File}
	var list []*workspace
	for _, t := range d.config.Each {
		if tenant != "" && !strings.EqualFold(tenant, t.ID) {
			continue
		}
		if w := d.workspaces[t.ID]; w != nil {
			list = append(list, w)
		} else if x, ok := d.shut[t.ID]; ok {
			s.Workspaces = append(s.Workspaces, WorkspaceStatus{Tenant: t.ID, Name: t.Name, Accounts: len(t.EmergencyAccounts), Shut: x.err.Error(), Since: x.since})
		}
	}
	for _, p := range d.problems {
		if p.Warning {
			s.Warnings = append(s.Warnings, p.Error())
		} else {
			s.Problems = append(s.Problems, p.Error())
		}
	}
	d.mu.RUnlock()
	for _, w := range list {
		ws, err := w.status(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			// What is wrong with one must not hide how the others are.
			ws.Fault = err.Error()
		}
		s.Workspaces = append(s.Workspaces, ws)
	}
	if tenant != "" {
		s.Problems, s.Warnings = nil, nil
		return s, nil
	}
	s.Receivers, s.Proofs = d.courier.Status(), d.proofs.List(d.now())
	s.Latency = d.legStatus("")
	if s.Heartbeat = d.heartbeatStatus(); s.Heartbeat == nil {
		s.Warnings = append(s.Warnings, noHeartbeat)
	}
	if d.keeper != nil {
		sheet := d.keeper.Sheet()
		s.Certificate = &sheet
		if sheet.State(d.now()) != certificate.Good {
			s.Warnings = append(s.Warnings, "the certificate of the API ends "+sheet.Ends.Format(time.RFC3339)+" (glassward certificate show)")
		}
	}
	var err error
	s.Owed, err = d.state.Stats(ctx)
	return s, err
}

// Rules says how a tenant's rules stand.
func (o operator) Rules(_ context.Context, tenant string) (any, error) {
	w, err := o.d.find(tenant)
	if err != nil {
		return nil, err
	}
	return w.ruleStatus(), nil
}

// Reload reads configuration and rules again.
func (o operator) Reload(ctx context.Context, who string) error {
	if err := o.d.Reload(ctx, who); err != nil {
		return fmt.Errorf("%w: %v", console.ErrInvalid, err)
	}
	return nil
}

// TestGroup sends a test notice to every receiver of a group.
func (o operator) TestGroup(ctx context.Context, group, who string) (any, error) {
	results, err := o.d.courier.Fleet().Test(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", console.ErrInvalid, err)
	}
	o.d.audit(deed{operation: "test action group", via: who, target: group, result: "success"})
	return results, nil
}

// CreateToken makes a token and gives its secret.
func (o operator) CreateToken(ctx context.Context, t console.NewToken, who string) (string, error) {
	n := state.Token{Name: t.Name, Tenant: t.Tenant, Source: t.Source, Expires: t.Expires}
	if n.Tenant == "" {
		n.Tenant = state.AllTenants
	}
	if n.Source == "" {
		n.Source = t.Name
	}
	if n.Expires.IsZero() {
		n.Expires = o.d.now().Add(90 * 24 * time.Hour)
	}
	for _, s := range t.Scopes {
		n.Scopes = append(n.Scopes, state.Scope(s))
	}
	secret, err := o.d.state.CreateToken(ctx, n, who)
	if refused := (*state.TokenError)(nil); errors.As(err, &refused) {
		return "", fmt.Errorf("%w: %v", console.ErrInvalid, err)
	}
	if err != nil {
		return "", err
	}
	o.d.audit(deed{tenant: t.Tenant, operation: "create token", via: who, target: t.Name, detail: fmt.Sprint(t.Scopes), result: "success"})
	return secret, nil
}

// ListTokens gives what is known of the tokens.
func (o operator) ListTokens(ctx context.Context) (any, error) {
	list, err := o.d.state.Tokens(ctx)
	if list == nil {
		list = []state.Token{}
	}
	return list, err
}

// RevokeToken revokes a token at once.
func (o operator) RevokeToken(ctx context.Context, name, who string) error {
	tenant := ""
	known, err := o.d.state.Tokens(ctx)
	if err != nil {
		return err
	}
	for _, t := range known {
		// The name of one tenant's token is nothing for another's table.
		if t.Name == name && t.Tenant != state.AllTenants {
			tenant = t.Tenant
		}
	}
	err = o.d.state.RevokeToken(ctx, name, who)
	if err == nil {
		o.d.audit(deed{tenant: tenant, operation: "revoke token", via: who, target: name, result: "success"})
	}
	if errors.Is(err, state.ErrNotFound) {
		return fmt.Errorf("token %q %w", name, console.ErrNoSuch)
	}
	return err
}
