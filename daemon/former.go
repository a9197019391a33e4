package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"glassward/config"
	"glassward/incident"
	"glassward/state"
)

// formerSubject is under which the control store keeps who was watched, and who
// was told. A tenant's file can be taken away while nothing runs, and then nobody
// reads the configuration that would say whom to tell.
const formerSubject = "installation/tenants"

// A formerTenant is a tenant as it was watched last.
type formerTenant struct {
	Name    string   `json:"name"`
	File    string   `json:"file,omitempty"`
	Groups  []string `json:"groups"`
	Watched bool     `json:"watched"`
}

// watchedBefore reads what keepFormer wrote; nothing where that cannot be read.
func (d *Daemon) watchedBefore(ctx context.Context) (told map[string]formerTenant) {
	text, err := d.state.Memory(ctx, formerSubject)
	if err == nil {
		err = json.Unmarshal(text, &told)
	}
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		d.log.Error("who was watched before cannot be read", "error", err)
	}
	return told
}

// recallFormer learns who was watched when the daemon ran last, and gives those
// who are not any more although no file of theirs is merely broken.
func (d *Daemon) recallFormer(ctx context.Context) (gone map[string]formerTenant) {
	gone = map[string]formerTenant{}
	for id, t := range d.watchedBefore(ctx) {
		if _, stays := d.config.Tenant(id); stays {
			continue
		}
		d.former[id] = t.Groups
		broken := false
		for _, p := range d.problems {
			broken = broken || p.Tenant != "" && p.File == t.File
		}
		if t.Watched && !broken {
			gone[id] = t
		}
	}
	return gone
}

// keepFormer writes down who is watched now, and who was before.
func (d *Daemon) keepFormer(ctx context.Context, c *config.Config, problems []config.Problem) {
	// A daemon that ends as soon as it has begun has watched all the same.
	ctx = context.WithoutCancel(ctx)
	d.mu.RLock()
	all := map[string]formerTenant{}
	for id, groups := range d.former {
		all[id] = formerTenant{Groups: groups}
	}
	d.mu.RUnlock()
	for id, t := range d.watchedBefore(ctx) {
		if x, ok := all[id]; ok {
			x.Name, x.File = t.Name, t.File
			for _, p := range problems {
				// A broken file is still a tenant's: it is told when it is gone.
				x.Watched = x.Watched || t.Watched && p.Tenant != "" && p.File == t.File
			}
			all[id] = x
		}
	}
	for _, t := range c.Each {
		all[t.ID] = formerTenant{Name: t.Name, File: t.File, Groups: t.ActionGroups, Watched: true}
	}
	text, err := json.Marshal(all)
	if err == nil {
		err = d.state.PutMemory(ctx, formerSubject, text)
	}
	if err != nil {
		d.log.Error("who is watched could not be written down", "error", err)
	}
}

// tellGone tells the people of tenants that were taken out of the configuration
// while no daemon ran.
func (d *Daemon) tellGone(ctx context.Context, gone map[string]formerTenant) {
	for id, t := range gone {
		name := t.Name
		if strings.TrimSpace(name) == "" {
			name = id
		}
		d.tell(ctx, id, incident.Health{
			Cause: "configuration", Subject: "weakened", Title: "The configuration was weakened while Glassward did not run",
			Detail: fmt.Sprintf("tenant %s is no longer watched", name),
			Since:  d.started,
		})
	}
}
