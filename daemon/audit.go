package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"glassward"
	"glassward/kql/value"
	"glassward/schema"
)

// auditTable is where it is written who queried, acknowledged or changed.
const auditTable = "GlasswardAudit"

// own is the provenance of what Glassward writes itself.
const own glassward.Provenance = "own"

// audit writes who did what into the tenant's table GlasswardAudit, and where it
// concerns the whole installation into every tenant's. It never hinders the deed.
func (d *Daemon) audit(ctx context.Context, tenant, operation, actor, via, target, detail string) {
	table, ok := schema.Lookup(auditTable)
	if !ok {
		return
	}
	now := d.now().UTC()
	if actor == "" {
		actor = via
	}
	cells := map[string]glassward.Value{
		"TimeGenerated": glassward.Long(int64(value.FromTime(now))), "OperationName": glassward.String(operation),
		"Actor": glassward.String(actor), "Via": glassward.String(via), "Target": glassward.String(target),
		"Detail": glassward.String(detail), "Type": glassward.String(auditTable),
	}
	d.mu.RLock()
	var list []*workspace
	for id, w := range d.workspaces {
		if tenant == "" || id == tenant {
			list = append(list, w)
		}
	}
	d.mu.RUnlock()
	raw, err := json.Marshal([]string{now.Format("2006-01-02T15:04:05.0000000Z"), operation, actor, via, target, detail})
	if err != nil {
		return
	}
	sum := sha256.Sum256(append([]byte(auditTable+"\x00"), raw...))
	r := glassward.Record{Table: auditTable, Time: now, Values: make([]glassward.Value, len(table.Columns)), Raw: raw, Source: "glassward", Provenance: own}
	copy(r.ID[:], sum[:])
	cells["Id"] = glassward.String(fmt.Sprintf("%x", sum[:16]))
	for name, v := range cells {
		if i, ok := table.Index(name); ok {
			r.Values[i] = v
		}
	}
	for _, w := range list {
		if _, err := w.append(ctx, []glassward.Record{r}, nil); err != nil {
			w.log.Error("a deed could not be written to GlasswardAudit", "operation", operation, "actor", actor, "error", err)
		}
	}
}
