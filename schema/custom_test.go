package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"glassward/kql/value"
	"glassward/schema"
)

func TestNewCustom(t *testing.T) {
	when := schema.Column{Name: "TimeGenerated", Type: value.DateTime}
	table, err := schema.NewCustom("My_CL", "Mine.", []schema.Column{when, {Name: "Who", Type: value.GUID}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, c := range table.Columns {
		names = append(names, c.Name)
		if j, ok := table.Index(c.Name); !ok || i != j {
			t.Errorf("Index(%s) = %d %t", c.Name, j, ok)
		}
	}
	if got := strings.Join(names, " "); got != "TenantId TimeGenerated Who Type" || !table.Custom {
		t.Errorf("columns %s, custom %t", got, table.Custom)
	}
	column := func(name string) []schema.Column { return []schema.Column{when, {Name: name, Type: value.String}} }
	many := []schema.Column{when}
	for i := range schema.MaxColumns {
		many = append(many, schema.Column{Name: fmt.Sprint("C", i), Type: value.Long})
	}
	if _, err := schema.NewCustom("My_CL", "", many[:schema.MaxColumns]); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		table   string
		columns []schema.Column
		want    string
	}{
		{"My", column("A"), "ends in _CL"},
		{"_CL", column("A"), "4 to 63"},
		{strings.Repeat("a", 61) + "_CL", column("A"), "4 to 63"},
		{"9_CL", column("A"), "begins with a letter"},
		{"_a_CL", column("A"), "begins with a letter"},
		{"a-b_CL", column("A"), "letters, digits and _"},
		{"My_CL", nil, "needs a column TimeGenerated"},
		{"My_CL", []schema.Column{{Name: "TimeGenerated", Type: value.String}}, "of type datetime"},
		{"My_CL", column("TenantId"), "reserved"},
		{"My_CL", column("ID"), "reserved"},
		{"My_CL", column("_Extra"), "begins with a letter"},
		{"My_CL", column("a b"), "letters, digits and _"},
		{"My_CL", column(strings.Repeat("a", 46)), "at most 45"},
		{"My_CL", column("timegenerated"), "differ in case alone"},
		{"My_CL", column("TimeGenerated"), "declared twice"},
		{"My_CL", many, "at most 500"},
	} {
		if _, err := schema.NewCustom(c.table, "", c.columns); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.table, err, c.want)
		}
	}
}

// TestWith holds that a workspace's own tables are seen in its set alone.
func TestWith(t *testing.T) {
	table, err := schema.NewCustom("My_CL", "", []schema.Column{{Name: "TimeGenerated", Type: value.DateTime}})
	if err != nil {
		t.Fatal(err)
	}
	set, err := schema.Default().With(table)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := set.Lookup("My_CL"); !ok || got != table {
		t.Error("the set has not its own table")
	}
	if _, ok := schema.Lookup("My_CL"); ok {
		t.Error("every other set has it, too")
	}
	c, ok := set.Catalog().Table("My_CL")
	if !ok || len(c.Columns) != len(table.Columns)+len(schema.OwnColumns()) {
		t.Errorf("catalog: %+v", c)
	}
	if len(set.Tables()) != len(schema.Tables())+1 {
		t.Error("tables are missing")
	}
	again, _ := schema.NewCustom("my_CL", "", []schema.Column{{Name: "TimeGenerated", Type: value.DateTime}})
	if _, err := set.With(again); err == nil || !strings.Contains(err.Error(), "as My_CL") {
		t.Errorf("a second table whose name differs in case: %v", err)
	}
}
