package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"glassward/kql/value"
)

// Bounds on a workspace's own tables, those of Azure's custom tables.
const (
	// CustomSuffix is what the name of a custom table ends in.
	CustomSuffix = "_CL"
	// MaxColumns is how many columns a custom table may declare.
	MaxColumns = 500
	// MaxColumnName and MaxTableName bound names, in characters.
	MaxColumnName = 45
	MaxTableName  = 63
)

// reservedColumns are names that Azure keeps for itself in custom tables.
var reservedColumns = []string{"_ResourceId", "id", "_SubscriptionId", "TenantId", "Type", "UniqueId", "Title"}

// ColumnType gives the type that the Tables API and data collection rules name:
// string, int, long, real, boolean, datetime, dynamic or guid, in any case.
func ColumnType(name string) (value.Type, bool) {
	switch strings.ToLower(name) {
	case "string":
		return value.String, true
	case "int":
		return value.Int, true
	case "long":
		return value.Long, true
	case "real":
		return value.Real, true
	case "boolean", "bool":
		return value.Bool, true
	case "datetime":
		return value.DateTime, true
	case "dynamic":
		return value.Dynamic, true
	case "guid":
		return value.GUID, true
	}
	return 0, false
}

// ColumnTypes names the types that ColumnType knows, for messages.
const ColumnTypes = "string, int, long, real, boolean, datetime, dynamic or guid"

// CheckTableName says why a name cannot be that of a custom table.
func CheckTableName(name string) error {
	switch {
	case !strings.HasSuffix(name, CustomSuffix):
		return fmt.Errorf("table %q: the name of a custom table ends in %s", name, CustomSuffix)
	case len(name) > MaxTableName || len(name) < 4:
		return fmt.Errorf("table %q has %d characters: 4 to %d are allowed", name, len(name), MaxTableName)
	case !isName(name) || name[0] == '_':
		return fmt.Errorf("table %q: a name has letters, digits and _ and begins with a letter", name)
	}
	return nil
}

// CheckColumnName says why a name cannot be that of a column of a custom table, or
// of a stream.
func CheckColumnName(name string) error {
	switch {
	case slices.ContainsFunc(reservedColumns, func(r string) bool { return strings.EqualFold(r, name) }):
		return fmt.Errorf("column %q: the name is reserved (%s)", name, strings.Join(reservedColumns, ", "))
	case len(name) > MaxColumnName:
		return fmt.Errorf("column %q has %d characters: at most %d are allowed", name, len(name), MaxColumnName)
	case !isName(name) || name[0] == '_':
		return fmt.Errorf("column %q: a name has letters, digits and _ and begins with a letter", name)
	}
	return nil
}

// NewCustom makes a custom table: one that a workspace declares for itself. Its
// columns are those given, after TenantId and before Type, which every table of
// Log Analytics has. The error says what of Azure's rules on names, columns or
// TimeGenerated is not kept.
func NewCustom(name, doc string, columns []Column) (*Table, error) {
	if err := CheckTableName(name); err != nil {
		return nil, err
	}
	if len(columns) > MaxColumns {
		return nil, fmt.Errorf("table %s has %d columns: at most %d are allowed", name, len(columns), MaxColumns)
	}
	t := &Table{Name: name, Doc: doc, Custom: true, index: make(map[string]int, len(columns)+2)}
	t.Columns = append(t.Columns, Column{Name: "TenantId", Type: value.String, Doc: "Workspace id, not the Entra tenant."})
	// The store's engine tells names apart without regard to case.
	folded := map[string]string{}
	for _, c := range columns {
		if err := CheckColumnName(c.Name); err != nil {
			return nil, fmt.Errorf("table %s: %w", name, err)
		}
		if other, twice := folded[strings.ToLower(c.Name)]; twice {
			if other == c.Name {
				return nil, fmt.Errorf("table %s: column %s is declared twice", name, c.Name)
			}
			return nil, fmt.Errorf("table %s: columns %s and %s differ in case alone", name, other, c.Name)
		}
		folded[strings.ToLower(c.Name)] = c.Name
		t.Columns = append(t.Columns, c)
	}
	t.Columns = append(t.Columns, Column{Name: "Type", Type: value.String, Doc: "Name of the table."})
	for i, c := range t.Columns {
		t.index[c.Name] = i
	}
	if i, ok := t.index["TimeGenerated"]; !ok || t.Columns[i].Type != value.DateTime {
		return nil, fmt.Errorf("table %s needs a column TimeGenerated of type datetime", name)
	}
	return t, nil
}

// With gives a set that has further tables: a workspace's own after those of s,
// which stays as it is. The error names the table whose name is there already.
func (s *Set) With(tables ...*Table) (*Set, error) {
	if len(tables) == 0 {
		return s, nil
	}
	out := &Set{tables: slices.Clone(s.tables), own: s.own, byName: maps.Clone(s.byName)}
	folded := map[string]string{}
	for _, t := range s.tables {
		folded[strings.ToLower(t.Name)] = t.Name
	}
	for _, t := range tables {
		if other, twice := folded[strings.ToLower(t.Name)]; twice {
			return nil, fmt.Errorf("table %s is there already, as %s", t.Name, other)
		}
		folded[strings.ToLower(t.Name)] = t.Name
		out.tables = append(out.tables, t)
		out.byName[t.Name] = t
	}
	return out, nil
}
