package schema_test

import (
	"testing"

	"glassward/kql"
	"glassward/schema"
)

var _ kql.Catalog = (*schema.Catalog)(nil)

func TestCatalog(t *testing.T) {
	c := schema.Default().Catalog()
	if len(c.TableNames()) != len(schema.Tables()) {
		t.Errorf("%d names for %d tables", len(c.TableNames()), len(schema.Tables()))
	}
	table, ok := c.Table("AuditLogs")
	if !ok {
		t.Fatal("no table AuditLogs")
	}
	stored, _ := schema.Lookup("AuditLogs")
	own := schema.OwnColumns()
	if len(table.Columns) != len(stored.Columns)+len(own) {
		t.Fatalf("%d columns, want %d and %d", len(table.Columns), len(stored.Columns), len(own))
	}
	if last := table.Columns[len(table.Columns)-1]; last.Name != own[len(own)-1].Name || last.Type != own[len(own)-1].Type {
		t.Errorf("last column %+v", last)
	}
	if len(table.Shadows) == 0 || table.Shadows[0].Path != ".user.id" || table.Shadows[0].Column != "InitiatedBy" {
		t.Errorf("shadows %+v", table.Shadows)
	}
	if _, ok := c.Table("auditlogs"); ok {
		t.Error("names of tables must be case-sensitive")
	}
}
