package acceptance_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"glassward/config"
	"glassward/internal/entrasim"
)

// uploadByNode lets Microsoft's client for JavaScript, unmodified, upload as
// npm/ingestion.mjs says. It gives what of the upload was refused, as "status code
// records", and what the client threw, one a line.
func uploadByNode(t *testing.T, authority string, request map[string]any) string {
	t.Helper()
	request["client"] = "ingestion"
	answer := node(t, authority, []map[string]any{request})[0]
	var result struct {
		Failed []struct {
			Status, Records int
			Code            string
		}
	}
	if answer.Error == nil {
		if err := json.Unmarshal(answer.Result, &result); err != nil {
			t.Fatalf("node printed %s: %v", answer.Result, err)
		}
	}
	var lines []string
	for _, f := range result.Failed {
		lines = append(lines, fmt.Sprint(f.Status, " ", f.Code, " ", f.Records))
	}
	if answer.Error != nil {
		lines = append(lines, answer.Error.Name+": "+answer.Error.Message)
	}
	return strings.Join(lines, "\n")
}

// TestLogsIngestionClientForJavaScript lets Microsoft's client for JavaScript,
// unmodified, push over TLS with a token: in several bodies at once, packed, and of
// records so small that what stands between them makes a body more than a megabyte.
func TestLogsIngestionClientForJavaScript(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{
		"glassward.yaml":        strings.Replace(mainFile(25, "oncall@example.org"), "listen: 127.0.0.1:0", "listen: 127.0.0.1:0\ntls: {made: true, names: [127.0.0.1]}", 1),
		tenantPath:              tenantFile(entrasim.EA01) + collection,
		"tables/doors.json":     doorsTable,
		"collection/doors.json": doorsRule,
	})
	d := h.serve()
	token := h.token("node", "--tenant", entrasim.TenantName, "--scope", "ingest")
	authority, _ := h.authority()
	c, _ := config.Load(h.file("glassward.yaml"))
	tenant, _ := c.Tenant(entrasim.TenantName)
	builtIn := tenant.Collection()[0].ImmutableID
	upload := func(token, rule, stream string, log map[string]any, times int) string {
		t.Helper()
		return uploadByNode(t, authority, map[string]any{"endpoint": "https://" + d.Addr(), "token": token, "rule": rule, "stream": stream,
			"log": log, "times": times, "concurrency": 5})
	}
	line := map[string]any{"When": "2026-11-20T12:00:00Z", "Line": "ann opens", "More": strings.Repeat("x", 900)}
	if said := upload(token, doorsID, "Custom-Doors", line, 3000); said != "" {
		t.Fatalf("three thousand records of a kilobyte: %s", said)
	}
	if said := upload(token, builtIn, "Custom-Doors_CL", map[string]any{"Who": "b"}, 100_000); said != "" {
		t.Fatalf("a hundred thousand small records: %s", said)
	}
	for want, query := range map[int]string{3000: "ann", 100_000: "b"} {
		if n := h.counted(entrasim.TenantName, fmt.Sprintf("Doors_CL | where Who == '%s' | count", query)); n != want {
			t.Errorf("%d records of %s, want %d", n, query, want)
		}
	}
	for want, said := range map[string]string{
		"400 InvalidStream 1":              upload(token, doorsID, "Custom-Windows", line, 1),
		"404 NotFound 1":                   upload(token, "dcr-ffffffffffffffffffffffffffffffff", "Custom-Doors", line, 1),
		"403 InvalidAuthenticationToken 1": upload("gw_wrong", doorsID, "Custom-Doors", line, 1),
		"413 RequestEntityTooLarge 1":      upload(token, doorsID, "Custom-Doors", map[string]any{"Line": strings.Repeat("x", 1<<20)}, 1),
	} {
		if said != want {
			t.Errorf("the client is told %q, want %q", said, want)
		}
	}
}
