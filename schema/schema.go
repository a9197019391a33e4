// Package schema holds the tables that Glassward keeps: their columns, types and
// meanings, once, in tables.txt. The log store makes its tables from it, the
// query language resolves names with it, the decoders map records onto it.
package schema

import (
	_ "embed"
	"slices"
	"sync"

	"glassward/kql/value"
)

// A Column is one column of a table.
type Column struct {
	Name string
	Type value.Type
	// JSON marks a string column that holds JSON text, where other tables have
	// a dynamic one.
	JSON bool
	// Doc is a sentence on what the column holds, empty where the name says it.
	Doc string
}

// A Table is one table of a workspace. It is shared and must not be changed.
type Table struct {
	Name string
	Doc  string
	// Categories are the categories of diagnostic settings that feed the table.
	Categories []string
	// Internal says that Glassward alone writes the table: intake refuses its
	// records from anybody else.
	Internal bool
	// Custom says that a workspace declares the table for itself (NewCustom). Its
	// records have no versions: one that comes again under the same id is dropped.
	Custom bool
	// Columns are in the order of a live workspace where that is known. The
	// store's own columns (OwnColumns) follow them and are not among them.
	Columns []Column
	// Shadows are hidden typed columns that the store keeps beside a dynamic one.
	Shadows []Shadow

	index map[string]int
}

// Index gives the position of a column in Columns. Names are case-sensitive, as
// in Kusto.
func (t *Table) Index(column string) (int, bool) {
	i, ok := t.index[column]
	return i, ok
}

// A Set is the tables of a workspace: what a file of tables declares, and, by
// With, a workspace's own. It does not change once it is made.
type Set struct {
	tables []*Table
	own    []Column
	byName map[string]*Table
}

// Tables gives the tables in the order of the file.
func (s *Set) Tables() []*Table { return slices.Clone(s.tables) }

// Lookup finds a table by its exact name.
func (s *Set) Lookup(name string) (*Table, bool) {
	t, ok := s.byName[name]
	return t, ok
}

// OwnColumns gives the columns that Glassward adds to every table, in order.
func (s *Set) OwnColumns() []Column { return slices.Clone(s.own) }

//go:embed tables.txt
var tablesText string

// builtin parses the embedded file when it is first asked for. The file is part
// of the program, so an error in it is a defect of the build.
var builtin = sync.OnceValue(func() *Set {
	s, err := Parse("tables.txt", tablesText)
	if err != nil {
		panic("schema: " + err.Error())
	}
	return s
})

// Default gives the tables that this build of Glassward knows.
func Default() *Set { return builtin() }

// Tables gives the tables of Default.
func Tables() []*Table { return builtin().Tables() }

// Lookup finds a table of Default by its exact name.
func Lookup(name string) (*Table, bool) { return builtin().Lookup(name) }

// OwnColumns gives the own columns of Default.
func OwnColumns() []Column { return builtin().OwnColumns() }
