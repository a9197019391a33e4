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
// how it and its roads stand, and what became of alarms.
const (
	auditTable      = "GlasswardAudit"
	healthTable     = "GlasswardHealth"
	alertsTable     = "GlasswardAlerts"
	incidentsTable  = "GlasswardIncidents"
	deliveriesTable = "GlasswardDeliveries"
	changesTable    = "GlasswardChanges"
)

// inwardTables are those that an alert can bring records into: what a rule finds in
// them is not written into them again. What people do goes to GlasswardAudit, which
// an alert does not.
var inwardTables = [...]string{healthTable, alertsTable, incidentsTable, deliveriesTable}

// own is the provenance of what Glassward writes itself.
const own glassward.Provenance = "own"

// ownRecord makes a record of one of our own tables, with an id of its own. Cells are
// by column; the values are string, time.Time, int64, float64, bool or, for dynamic
// columns, anything else that encodes to JSON.
func ownRecord(table string, at time.Time, cells map[string]any) glassward.Record {
	t, ok := schema.Lookup(table)
	if !ok {
		panic("schema: there is no table " + table)
	}
	at = at.UTC()
	var id glassward.RecordID
	_, _ = rand.Read(id[:]) // never fails
	return ownRecordOf(t, id, at, cells)
}

// ownRecordOf makes a record that has an id already.
func ownRecordOf(t *schema.Table, id glassward.RecordID, at time.Time, cells map[string]any) glassward.Record {
	r := glassward.Record{Table: t.Name, ID: id, Time: at, Received: at, Values: make([]glassward.Value, len(t.Columns)), Source: "glassward", Provenance: own}
	r.EntraID = hex.EncodeToString(r.ID[:])
	cells["TimeGenerated"], cells["Id"], cells["Type"] = at, r.EntraID, t.Name
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
		case bool:
			r.Values[i] = glassward.Bool(v)
		case nil:
		default:
			text, _ := json.Marshal(v) // what is given here always marshals
			r.Values[i] = glassward.String(string(text))
		}
	}
	r.Raw, _ = json.Marshal(cells) // so do these
	return r
}
