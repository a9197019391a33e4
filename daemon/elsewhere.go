package daemon

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"glassward/console"
	"glassward/kql"
	"glassward/logstore"
)

// What one query may carry over from other workspaces, of all together, and how many of
// them work for it at a time.
const (
	carriedBytes   = 256 << 20
	carriedRecords = 500_000
	carriedAtOnce  = 4
)

// An elsewhere is what one query reads of other workspaces than the one that is asked.
type elsewhere struct {
	d      *Daemon
	home   *workspace
	names  func(name string) (tenant string, ok bool)
	others map[string]*workspace
	// unwell is why a workspace that the query names gives nothing now.
	unwell error
}

// open gives the tables of another tenant's workspace; of the own as they are.
func (e *elsewhere) open(tenant string) (kql.Catalog, error) {
	w, err := e.d.find(tenant)
	if err != nil {
		return nil, err
	}
	if w == e.home {
		return w.catalog(), nil
	}
	e.others[w.tenantID()] = w
	return w.catalog().In(w.tenantID()), nil
}

// named gives the tables of workspace("name"): the query's own, or another that whoever
// asks may read. Whoever may not learns nothing of it.
func (e *elsewhere) named(name string) (kql.Catalog, bool) {
	if e.home.isNamed(name) {
		return e.home.catalog(), true
	}
	if e.names == nil {
		return nil, false
	}
	tenant, ok := e.names(name)
	if !ok {
		return nil, false
	}
	c, err := e.open(tenant)
	if err != nil {
		e.unwell = err
	}
	return c, err == nil
}

// beside gives the tables that are read together with the own.
func (e *elsewhere) beside(tenants []string) ([]kql.Catalog, error) {
	var out []kql.Catalog
	seen := map[string]bool{e.home.tenantID(): true}
	for _, t := range tenants {
		if t = strings.ToLower(t); seen[t] {
			continue
		}
		seen[t] = true
		c, err := e.open(t)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// tenants are those whose records the query reads, the own left out.
func (e *elsewhere) tenants() []string { return slices.Sorted(maps.Keys(e.others)) }

// rows works out what lies in other workspaces, each with the limits of a query there. All
// of it together is bounded: what does not fit is refused, never cut.
func (e *elsewhere) rows(ctx context.Context, p *kql.Program, bind kql.Bind, limits func() logstore.Limits) (map[*kql.Program]*kql.Result, error) {
	var parts []kql.Elsewhere
	for _, q := range append([]*kql.Program{p}, p.More...) {
		parts = append(parts, q.Elsewhere...)
	}
	if len(parts) == 0 {
		return nil, nil
	}
	var (
		mu    sync.Mutex
		out   = map[*kql.Program]*kql.Result{}
		bytes = int64(carriedBytes)
		left  = carriedRecords
		free  = min(carriedAtOnce, len(parts))
	)
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(free)
	for _, part := range parts {
		all.Go(func() error {
			w := e.others[part.Workspace]
			l := limits()
			mu.Lock()
			// What is not promised to others is shared by those who may yet begin.
			l.MaxBytes, l.MaxRows = max(bytes/int64(free), 1), max(left/free, 1)
			bytes, left, free = bytes-l.MaxBytes, left-l.MaxRows, free-1
			mu.Unlock()
			r, err := w.store.Run(ctx, part.Program, bind, l)
			if err != nil {
				return err
			}
			if r.Truncated {
				return fmt.Errorf("%w: the workspace %s would give it more than %d records or %d bytes: filter or summarize them before they are joined", console.ErrBudget, w.called(), l.MaxRows, l.MaxBytes)
			}
			mu.Lock()
			defer mu.Unlock()
			out[part.Program] = r
			bytes, left, free = bytes+l.MaxBytes-weight(r), left+l.MaxRows-len(r.Rows), free+1
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// weight is roughly how many bytes a result takes.
func weight(r *kql.Result) (n int64) {
	for _, row := range r.Rows {
		for _, cell := range row {
			text, _ := cell.(string)
			n += 16 + int64(len(text))
		}
	}
	return n
}
