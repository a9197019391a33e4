package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward/config"
	"glassward/console"
	"glassward/kql"
	"glassward/kql/diag"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// Query compiles and runs a person's query over a workspace.
func (g gateway) Query(ctx context.Context, tenant string, q console.Question) (*kql.Result, error) {
	w, err := g.d.find(tenant)
	if err != nil {
		return nil, err
	}
	now := g.d.now()
	span, bounded, err := parseTimespans(q.Timespans, now)
	if err != nil {
		return nil, &console.QueryError{Code: "BadTimespan", Text: err.Error(), Syntax: true}
	}
	g.d.mu.RLock()
	c, functions := g.d.config, g.d.rules.Functions
	g.d.mu.RUnlock()
	window := kql.AllRecords
	if bounded {
		window = kql.ByTime
	}
	limit := time.Duration(c.Query.Timeout)
	if q.Wait > 0 {
		limit = min(limit, q.Wait)
	}
	bind := kql.Bind{Now: value.FromTime(now), From: span.from, To: span.to}
	rows := c.Query.Rows
	if q.MaxRows > 0 {
		rows = int(min(int64(rows), q.MaxRows))
	}
	// Looking at the data for columns and running the query share one limit of time.
	deadline := time.Now().Add(limit)
	limits := func() logstore.Limits {
		return logstore.Limits{Class: logstore.Interactive, Timeout: max(time.Until(deadline), time.Millisecond), MaxRows: rows, MaxBytes: q.MaxBytes}
	}
	others := &elsewhere{d: g.d, home: w, names: q.Names, others: map[string]*workspace{}}
	beside, err := others.beside(q.Workspaces)
	if err != nil {
		return nil, err
	}
	run := func(program *kql.Program) (*kql.Result, error) {
		bind := bind
		var err error
		if bind.Rows, err = others.rows(ctx, program, bind, limits); err != nil {
			return nil, err
		}
		return w.store.Run(ctx, program, bind, limits())
	}
	var failed error // why the data could not be asked for columns
	explore := func(program *kql.Program) (*kql.Result, error) {
		result, err := run(program)
		failed = err
		return result, err
	}
	fromOutside := func(want kql.ExternalData) ([][]any, error) {
		return g.d.outside.Rows(ctx, c.Query.External, want)
	}
	program, list := kql.Compile(q.Text, kql.Options{Catalog: w.catalog(), Watchlists: w.watchlists(), Window: window, File: "query", Explore: explore,
		Functions: functions, Parameters: q.Parameters, External: fromOutside, Workspace: others.named, Beside: beside, Addresses: w.d.places != nil})
	// Whoever reads a tenant's records stands in that tenant's audit.
	audit := func(outcome string) {
		for _, t := range append(others.tenants(), tenant) {
			g.d.audit(deed{tenant: t, operation: "query", via: q.Who, detail: q.Text, result: outcome})
		}
	}
	if list.HasErrors() && failed == nil {
		audit("refused")
		if others.unwell != nil {
			return nil, others.unwell
		}
		return nil, refusal(q.Text, list)
	}
	var result *kql.Result
	if err = failed; err == nil {
		result, err = run(program)
	}
	outcome := "success"
	if err != nil {
		outcome = err.Error()
	}
	audit(outcome)
	var (
		late *logstore.TimeoutError
		fat  *logstore.MemoryError
	)
	switch {
	case errors.As(err, &late):
		return nil, fmt.Errorf("%w: %v", console.ErrTimeout, err)
	case errors.As(err, &fat):
		return nil, fmt.Errorf("%w: %v", console.ErrBudget, err)
	}
	return result, err
}

// Tenants gives the tenants that are configured.
func (g gateway) Tenants() []console.Tenant {
	g.d.mu.RLock()
	defer g.d.mu.RUnlock()
	out := make([]console.Tenant, len(g.d.config.Each))
	for i, t := range g.d.config.Each {
		out[i] = console.Tenant{ID: t.ID, Name: t.Name}
	}
	return out
}

// Schema gives what a query of the tenant's workspace may name.
func (g gateway) Schema(tenant string) (console.Schema, error) {
	w, err := g.d.find(tenant)
	if err != nil {
		return console.Schema{}, err
	}
	g.d.mu.RLock()
	functions := g.d.rules.Functions
	g.d.mu.RUnlock()
	out := console.Schema{Functions: functions.List()}
	own := schema.OwnColumns()
	for _, t := range w.schema().Tables() {
		columns := make([]console.Column, 0, len(t.Columns)+len(own))
		for _, c := range slices.Concat(t.Columns, own) {
			columns = append(columns, console.Column{Name: c.Name, Type: c.Type, Doc: c.Doc})
		}
		out.Tables = append(out.Tables, console.Table{Name: t.Name, Doc: t.Doc, Columns: columns})
	}
	return out, nil
}

// catalog gives the tables that queries and rules of the tenant know.
func (w *workspace) catalog() *schema.Catalog { return w.schema().Catalog() }

// called gives what people call the tenant.
func (w *workspace) called() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return cmp.Or(w.tenant.Name, w.tenant.ID)
}

// isNamed says whether a name is the tenant's, or its id.
func (w *workspace) isNamed(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.EqualFold(name, w.tenant.ID) || w.tenant.Name != "" && strings.EqualFold(name, w.tenant.Name)
}

// watchlists gives the constants that queries and rules of the tenant know.
func (w *workspace) watchlists() map[string]*kql.Watchlist {
	w.mu.Lock()
	defer w.mu.Unlock()
	return watchlists(w.tenant)
}

// syntactic says whether a mistake is one of grammar: the codes of lexer and parser.
func syntactic(code diag.Code) bool {
	return strings.HasPrefix(string(code), "KQL00") || strings.HasPrefix(string(code), "KQL01")
}

func refusal(text string, list diag.List) error {
	first := list[0]
	for _, d := range list {
		if d.Severity == diag.Error {
			first = d
			break
		}
	}
	at := diag.Locate(text, first.Span.Start)
	return &console.QueryError{Code: string(first.Code), Text: diag.Text("query", text, list), Line: at.Line, Pos: at.Column, Syntax: syntactic(first.Code)}
}

type timespan struct{ from, to value.Ticks }

// parseTimespans gives what several timespans have in common; bounded is false for none.
func parseTimespans(list []string, now time.Time) (s timespan, bounded bool, err error) {
	for _, text := range list {
		one, some, err := parseTimespan(text, now)
		switch {
		case err != nil:
			return s, false, err
		case !some:
		case !bounded:
			s, bounded = one, true
		default:
			s.from, s.to = max(s.from, one.from), min(s.to, one.to)
		}
	}
	return s, bounded, nil
}

// parseTimespan reads the forms of the Log Analytics API: PT2H (ending now),
// start/end, start/duration and duration/end. bounded is false for none.
func parseTimespan(text string, now time.Time) (s timespan, bounded bool, err error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return s, false, nil
	}
	bad := fmt.Errorf("timespan %q: write PT2H, P1D, 2026-11-20T00:00:00Z/2026-11-21T00:00:00Z, or a time and a duration with / between", text)
	first, second, pair := strings.Cut(text, "/")
	instant := func(t string) (value.Ticks, bool) { return value.ParseDateTime(strings.TrimSpace(t)) }
	length := func(t string) (value.Span, bool) {
		d, err := config.ParseDuration(strings.TrimSpace(t))
		return value.Span(d / 100), err == nil
	}
	if !pair {
		d, ok := length(first)
		if !ok {
			return s, false, bad
		}
		to := value.FromTime(now)
		return timespan{to - value.Ticks(d), to}, true, nil
	}
	if d, ok := length(first); ok {
		to, ok := instant(second)
		if !ok {
			return s, false, bad
		}
		return timespan{to - value.Ticks(d), to}, true, nil
	}
	from, ok := instant(first)
	if !ok {
		return s, false, bad
	}
	if d, ok := length(second); ok {
		return timespan{from, from + value.Ticks(d)}, true, nil
	}
	to, ok := instant(second)
	if !ok || to < from {
		return s, false, bad
	}
	return timespan{from, to}, true, nil
}
