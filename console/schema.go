package console

import (
	"glassward/kql"
	"glassward/kql/value"
)

// A Tenant is a workspace by the names that it has: clients call it a workspace or a database.
type Tenant struct {
	// ID is the Entra tenant's id, Name what people call it; Name may be empty.
	ID, Name string
}

// A Schema is what a query of one workspace may name.
type Schema struct {
	Tables []Table
	// Functions are the stored functions, by name.
	Functions []kql.StoredFunction
}

// A Table is a stored table as a client is told of it.
type Table struct {
	// Doc is a sentence on what its records are, empty where nobody wrote one.
	Name, Doc string
	// Columns stand in the table's order, Glassward's own (_TimeReceived and its like) behind the others.
	Columns []Column
}

// A Column is a column of a stored table.
type Column struct {
	Name string
	Type value.Type
	// Doc is a sentence on what it holds, empty where the name says it.
	Doc string
}
