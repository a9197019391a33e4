package daemon

import (
	"context"
	"fmt"
	"os"
	"slices"

	"glassward/config"
	"glassward/incident"
)

// adoptDependents takes up the tenants that are watched already although every
// receiver of theirs stands or falls with them: a version that asks for more must not
// leave a tenant unwatched. Nothing may become so: then it is an error, and the
// configuration of before stands.
func adoptDependents(old, next *config.Config, problems []config.Problem) error {
	for _, t := range next.Dependents() {
		before, watched := old.Tenant(t.ID)
		if !watched {
			continue // it is refused like any other file that is wrong
		}
		if dependent(old, before) && before.DependentContacts != config.DependentWords {
			next.Adopt(t.ID)
			continue
		}
		i := slices.IndexFunc(problems, func(p config.Problem) bool { return p.Dependent == t.ID })
		if i >= 0 {
			return problems[i]
		}
	}
	return nil
}

// dependent tells whether every receiver of a tenant stands or falls with it.
func dependent(c *config.Config, t config.Tenant) bool {
	return len(c.Dependent(context.Background(), t.ActionGroups, t.Watching())) > 0
}

// adoptWatched does the same at the start, for tenants that were watched when the
// daemon ran last, or by a version that did not write down whom it watched.
func (d *Daemon) adoptWatched(ctx context.Context, c *config.Config) {
	before := d.watchedBefore(ctx)
	for _, t := range c.Dependents() {
		was, known := before[t.ID]
		if !known {
			_, err := os.Stat(WorkspaceDir(c.Data, t.ID))
			was.Watched = err == nil
		}
		if was.Watched {
			c.Adopt(t.ID)
		}
	}
}

// tellDependents tells of the watched tenants whose receivers all stand or fall with
// them although nobody has typed that he accepts it, and when that is over.
func (d *Daemon) tellDependents(ctx context.Context, c *config.Config) {
	for _, t := range c.Each {
		l := d.recallLasting(ctx, t.ID, t.ID+"/contacts")
		if !dependent(c, t) || t.DependentContacts == config.DependentWords {
			l.ends(ctx, "contacts", fmt.Sprintf("Tenant %s has receivers elsewhere, or somebody accepts that it has none", t.Name))
			continue
		}
		l.begins(ctx, "contacts", incident.Health{
			Cause: "contacts-dependent", Subject: "contacts", Title: fmt.Sprintf("Every receiver of tenant %s stands or falls with the tenant", t.Name),
			Detail: fmt.Sprintf("Whoever takes it over can silence this. It is watched on, since it was watched before; glassward config validate says which receivers these are. Add one elsewhere, or write into %s dependentContacts: %q", t.File, config.DependentWords),
		})
	}
}
