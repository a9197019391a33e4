package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"glassward/config"
	"glassward/incident"
	"glassward/rule"
	"glassward/schema"
)

// schema gives the tables of the workspace: every tenant's and its own.
func (w *workspace) schema() *schema.Set {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tenant.Schema()
}

// openTables has the store that was just opened keep the tenant's own tables. Where it
// holds one otherwise than it is declared the tenant is watched without them, which
// reportTables tells.
func (w *workspace) openTables(ctx context.Context, t config.Tenant) config.Tenant {
	if w.unlike = w.store.SetTables(ctx, t.Schema().Tables()); w.unlike != nil {
		t = t.WithoutCollection()
	}
	w.mu.Lock()
	w.tenant = t
	w.mu.Unlock()
	return t
}

// takeTables takes over a tenant's new file, and has the store keep its tables, which
// have been made. It gives the tenant as it was.
func (w *workspace) takeTables(t config.Tenant) config.Tenant {
	w.pushing.Lock()
	defer w.pushing.Unlock()
	if err := w.store.SetTables(w.ctx, t.Schema().Tables()); err != nil && w.ctx.Err() == nil {
		// All that can be refused has been; what is left is a store that fails.
		w.log.Error("the event store does not keep the tables of the new configuration: nothing is taken for those that are new", "error", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.tenant
	w.tenant = t
	return before
}

// reportTables tells of tables that could not be kept as they are declared.
func (w *workspace) reportTables(ctx context.Context) {
	if w.unlike != nil {
		w.d.tell(ctx, w.tenantID(), incident.Health{
			Cause: "collection-file", Subject: "tables", Title: fmt.Sprintf("Tables of tenant %s are stored otherwise than they are declared", w.tenant.Name),
			Detail: w.unlike.Error() + "\nThe tenant is watched; its own tables and data collection rules are not there until its files are mended and read again.", Since: w.d.now(),
		})
	}
}

// concerning gives the rules without those that are about other tenants: which name a
// table that this tenant does not declare and another one does. A rule of which nobody
// declares the table stays, and fails.
func (w *workspace) concerning(rules []*rule.Rule, t config.Tenant, c *config.Config, env rule.Environment) []*rule.Rule {
	all := EveryTable(c)
	if len(all.Tables()) == len(t.Schema().Tables()) {
		return rules
	}
	everywhere := env
	everywhere.Catalog = all.Catalog()
	return slices.DeleteFunc(slices.Clone(rules), func(r *rule.Rule) bool {
		if !strings.Contains(r.Query, schema.CustomSuffix) {
			return false
		}
		return rule.List([]*rule.Rule{r}, env)[0].Err != nil && rule.List([]*rule.Rule{r}, everywhere)[0].Err == nil
	})
}

// EveryTable gives the tables of all tenants. Of two that have the same name it has
// the first.
func EveryTable(c *config.Config) *schema.Set {
	all := schema.Default()
	for _, t := range c.Each {
		for _, table := range t.Schema().Tables() {
			if !table.Custom {
				continue
			}
			if more, err := all.With(table); err == nil {
				all = more
			}
		}
	}
	return all
}
