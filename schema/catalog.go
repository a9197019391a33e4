package schema

import (
	"glassward/kql/rel"
)

// A Catalog gives a set's tables to the query language: the schema's columns
// and, after them, Glassward's own.
type Catalog struct {
	tables map[string]*rel.Table
	names  []string
}

// Catalog gives the tables of the set to the query language. It satisfies
// kql.Catalog.
func (s *Set) Catalog() *Catalog {
	c := &Catalog{tables: make(map[string]*rel.Table, len(s.tables))}
	for _, t := range s.tables {
		r := &rel.Table{Name: t.Name}
		for _, columns := range [][]Column{t.Columns, s.own} {
			for _, col := range columns {
				r.Columns = append(r.Columns, rel.Column{Name: col.Name, Type: col.Type})
			}
		}
		for i := range t.Shadows {
			sh := &t.Shadows[i]
			r.Shadows = append(r.Shadows, rel.Shadow{Name: sh.Name, Column: sh.Column, Path: sh.Path, Type: sh.Type})
		}
		c.tables[t.Name] = r
		c.names = append(c.names, t.Name)
	}
	return c
}

// In gives the tables as those of another workspace than the one that is asked: see
// rel.Table.Workspace.
func (c *Catalog) In(workspace string) *Catalog {
	out := &Catalog{tables: make(map[string]*rel.Table, len(c.tables)), names: c.names}
	for name, t := range c.tables {
		copied := *t
		copied.Workspace = workspace
		out.tables[name] = &copied
	}
	return out
}

// Table finds a table by its exact name.
func (c *Catalog) Table(name string) (*rel.Table, bool) {
	t, ok := c.tables[name]
	return t, ok
}

// TableNames gives the names in the order of the file.
func (c *Catalog) TableNames() []string { return c.names }
