package daemon

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"time"

	"glassward"
	"glassward/kql/value"
	"glassward/schema"
)

// The tables that Glassward writes itself: who queried, acknowledged or changed,
// and how the roads stand.
const (
	auditTable  = "GlasswardAudit"
	healthTable = "GlasswardHealth"
)

// own is the provenance of what Glassward writes itself.
const own glassward.Provenance = "own"

// ownRecord makes a record of one of our own tables. Cells are by column; the
// values are string, time.Time, int64, float64 or, for dynamic columns, []string.
func ownRecord(table string, at time.Time, cells map[string]any) glassward.Record {
	t, ok := schema.Lookup(table)
	if !ok {
		panic("schema: there is no table " + table)
	}
	at = at.UTC()
	r := glassward.Record{Table: table, Time: at, Received: at, Values: make([]glassward.Value, len(t.Columns)), Source: "glassward", Provenance: own}
	_, _ = rand.Read(r.ID[:]) // never fails
	r.EntraID = hex.EncodeToString(r.ID[:])
	cells["TimeGenerated"], cells["Id"], cells["Type"] = at, r.EntraID, table
	for i, c := range t.Columns {
		switch v := cells[c.Name].(type) {
		case string:
			if v != "" {
				r.Values[i] = glassward.String(v)
			}
		case time.Time:
			if !v.IsZero() {
				r.Values[i] = glassward.Long(int64(value.FromTime(v.UTC())))
			}
		case int64:
			r.Values[i] = glassward.Long(v)
		case float64:
			r.Values[i] = glassward.Real(v)
		case []string:
			text, _ := json.Marshal(v) // strings always marshal
			r.Values[i] = glassward.String(string(text))
		}
	}
	r.Raw, _ = json.Marshal(cells) // so do these
	return r
}
