package kql_test

import (
	"testing"

	"glassward/kql"
	"glassward/kql/diag"
	"glassward/kql/kqltest"
)

// TestDiagnostics holds what is said of wrong queries.
func TestDiagnostics(t *testing.T) {
	kqltest.Golden(t, "testdata/diagnostics/night.txt", func(_ *testing.T, text string) string {
		_, diags := kql.Compile(text, kql.Options{Catalog: entra(), Watchlists: emergency})
		return diag.Text("q", text, diags)
	})
}
