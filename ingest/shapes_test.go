package ingest_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glassward"
	"glassward/ingest"
	"glassward/schema"
)

// cell gives a record's cell by the name of its column.
func cell(t testing.TB, r glassward.Record, column string) glassward.Value {
	t.Helper()
	table, ok := schema.Lookup(r.Table)
	if !ok {
		t.Fatalf("no table %s", r.Table)
	}
	i, ok := table.Index(column)
	if !ok {
		t.Fatalf("no column %s.%s", r.Table, column)
	}
	return r.Values[i]
}

// show gives a record as lines "Column = value" of the cells that hold something.
func show(r glassward.Record) string {
	var b strings.Builder
	table, _ := schema.Lookup(r.Table)
	for i, v := range r.Values {
		switch {
		case v.Kind == glassward.KindNull, v.Kind == glassward.KindString && v.Str == "":
			continue
		case v.Kind == glassward.KindString:
			fmt.Fprintf(&b, "%s = %s\n", table.Columns[i].Name, v.Str)
		case v.Kind == glassward.KindReal:
			fmt.Fprintf(&b, "%s = %g\n", table.Columns[i].Name, v.Real)
		default:
			fmt.Fprintf(&b, "%s = %d\n", table.Columns[i].Name, v.Num)
		}
	}
	return b.String()
}

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "shapes", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestOneEventInEveryShape holds that an event has the same identity and the
// same cells whatever form it arrives in, as far as the form carries them.
func TestOneEventInEveryShape(t *testing.T) {
	const tenant = "2c6f3f0e-4d19-4c57-9f3f-6f1f5d8a7b10"
	for _, event := range []struct {
		first  string
		shape  ingest.Shape
		others map[string]ingest.Shape
		// carried says which columns a form cannot carry, or carries otherwise.
		without map[string][]string
	}{
		{
			"signin.diagnostic.json", ingest.Diagnostic,
			map[string]ingest.Shape{"signin.graph.json": ingest.Graph, "signin.columns.json": ingest.Columns, "signin.portal.csv": ingest.Columns},
			map[string][]string{
				"signin.columns.json": {"TenantId"},
				// The portal prints milliseconds, and this export has few columns.
				"signin.portal.csv": {"TimeGenerated", "*"},
			},
		},
		{
			"audit.diagnostic.json", ingest.Diagnostic,
			map[string]ingest.Shape{"audit.graph.json": ingest.Graph, "audit.columns.json": ingest.Columns},
			map[string][]string{"audit.columns.json": {"TenantId"}},
		},
	} {
		one := func(name string, want ingest.Shape) glassward.Record {
			t.Helper()
			records, rejects, warnings, sum := decode(t, read(t, name), ingest.DecoderOptions{Tenant: tenant})
			if len(records) != 1 || len(rejects) != 0 || len(warnings) != 0 {
				t.Fatalf("%s: %d records, rejects %+v, warnings %+v", name, len(records), rejects, warnings)
			}
			if sum.By[ingest.TableShape{Table: records[0].Table, Shape: want}] != 1 {
				t.Errorf("%s: read as %v, want %s", name, sum.By, want)
			}
			return records[0]
		}
		first := one(event.first, event.shape)
		table, _ := schema.Lookup(first.Table)
		for name, shape := range event.others {
			r := one(name, shape)
			if r.ID != first.ID || r.EntraID != first.EntraID || r.Tenant != first.Tenant || r.Table != first.Table {
				t.Errorf("%s: %s %s %s %s, want %s %s %s %s", name, r.Table, r.ID, r.EntraID, r.Tenant, first.Table, first.ID, first.EntraID, first.Tenant)
			}
			without := event.without[name]
			for i, c := range table.Columns {
				if contains(without, c.Name) || contains(without, "*") && (r.Values[i] == glassward.Value{} || r.Values[i] == glassward.String("")) {
					continue
				}
				if r.Values[i] != first.Values[i] {
					t.Errorf("%s: %s is %+v, in %s it is %+v", name, c.Name, r.Values[i], event.first, first.Values[i])
				}
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// TestSignInCells holds the cells of one sign-in, and that what has no column is
// kept.
func TestSignInCells(t *testing.T) {
	records, _, _, _ := decode(t, read(t, "signin.diagnostic.json"), ingest.DecoderOptions{Source: "file:x", Provenance: glassward.File})
	r := records[0]
	for column, want := range map[string]glassward.Value{
		"ResultType":                   glassward.String("50126"),
		"IPAddress":                    glassward.String("198.51.100.23"),
		"UserAgent":                    glassward.String(`Mozilla/5.0 (Windows NT; & more) "PS/7"`),
		"ResourceIdentity":             glassward.String("00000002-0000-0000-c000-000000000000"),
		"ResourceId":                   glassward.String("/tenants/2c6f3f0e-4d19-4c57-9f3f-6f1f5d8a7b10/providers/Microsoft.aadiam"),
		"Location":                     glassward.String("PT"),
		"LocationDetails":              glassward.String(`{"city":"Lisboa","state":"Lisboa","countryOrRegion":"PT","geoCoordinates":{"altitude":null,"latitude":38.7167,"longitude":-9.1333}}`),
		"IsInteractive":                glassward.Bool(true),
		"FlaggedForReview":             glassward.Bool(false),
		"IsRisky":                      glassward.Null(),
		"MfaDetail":                    glassward.Null(),
		"ConditionalAccessPolicies":    glassward.String("[]"),
		"ProcessingTimeInMilliseconds": glassward.String("93"),
		"AutonomousSystemNumber":       glassward.String("3243"),
		"Level":                        glassward.String("4"),
		"DurationMs":                   glassward.Long(0),
		"Type":                         glassward.String("SigninLogs"),
		"Resource":                     glassward.String("Microsoft.aadiam"),
		"TokenIssuerName":              glassward.String(""),
		"SessionId":                    glassward.String(""),
	} {
		if got := cell(t, r, column); got != want {
			t.Errorf("%s is %+v, want %+v", column, got, want)
		}
	}
	if want := `{"ssoExtensionVersion":"","privateLinkDetails":{"policyId":""},"madeUpProperty":{"a":[1,2],"b":"A"}}`; r.Extra != want {
		t.Errorf("extra is %s\n     want %s", r.Extra, want)
	}
	if string(r.Raw)+"\n" != read(t, "signin.diagnostic.json") {
		t.Error("the raw text is not byte-exact")
	}
	if r.Source != "file:x" || r.Provenance != glassward.File || r.Line != 1 || r.Tenant != "2c6f3f0e-4d19-4c57-9f3f-6f1f5d8a7b10" || r.EntraID != "e0b1c2d3-4e5f-4a6b-8c7d-9e0f1a2b3c4d" {
		t.Errorf("source %s, provenance %s, line %d, tenant %s, id %s", r.Source, r.Provenance, r.Line, r.Tenant, r.EntraID)
	}
	if got := r.Time.Format("2006-01-02T15:04:05.0000000Z07:00"); got != "2026-11-03T08:15:42.4821973Z" {
		t.Errorf("time is %s", got)
	}
}

// TestGzip holds that every shape is read packed as well.
func TestGzip(t *testing.T) {
	files, err := filepath.Glob("testdata/shapes/*")
	if err != nil || len(files) < 7 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		plain := read(t, filepath.Base(file))
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		if _, err := w.Write([]byte(plain)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		want, _, _, _ := decode(t, plain, ingest.DecoderOptions{})
		got, rejects, _, _ := decode(t, packed.String(), ingest.DecoderOptions{})
		if len(got) != 1 || len(rejects) != 0 || got[0].ID != want[0].ID || show(got[0]) != show(want[0]) {
			t.Errorf("%s: packed it gives %d records, %v", file, len(got), rejects)
		}
	}
}
