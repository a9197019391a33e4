package eventhub_test

import (
	"strings"
	"testing"

	"glassward/ingest/eventhub"
)

// FuzzMessages gives a source whatever a hub may hold: every message ends as
// records, as rejects or as nothing, and the cursor stands behind it.
func FuzzMessages(f *testing.F) {
	f.Add([]byte(`{"records":[{"type":"heartbeat"}]}`))
	f.Add([]byte(`[{"time":"2026-11-20T00:00:00Z","category":"AuditLogs","properties":{"id":"x"}},`))
	f.Add([]byte(strings.Repeat("[", 100)))
	f.Fuzz(func(t *testing.T, text []byte) { eventhub.DecodeMessage(t, text) })
}
