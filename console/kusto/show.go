package kusto

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// A Database is what a caller may read, under the names that Kusto's clients have for it.
type Database struct {
	// Name is what people call it, ID a GUID. Pretty is shown beside the name, may be empty.
	Name, ID, Pretty string
	// Current says that the request is about it.
	Current   bool
	Tables    []TableSchema
	Functions []kql.StoredFunction
}

// A TableSchema is a stored table.
type TableSchema struct {
	Name, Doc string
	Columns   []ColumnSchema
}

// A ColumnSchema is a column of a stored table.
type ColumnSchema struct {
	Name string
	Type value.Type
	Doc  string
}

// A Caller is who asks, for the commands that say so, and of what program.
type Caller struct {
	// Name is the token's. Version is the program's.
	Name, Version string
}

// columns makes columns from "name:type" pairs.
func columns(spec string) []rel.Column {
	var out []rel.Column
	for part := range strings.FieldsSeq(spec) {
		name, t, _ := strings.Cut(part, ":")
		typ, _ := value.ParseType(t)
		out = append(out, rel.Column{Name: name, Type: typ})
	}
	return out
}

// The columns of the commands' results: names, order and types are Kusto's.
var (
	versionColumns  = columns("BuildVersion:string BuildTime:datetime ServiceType:string ProductVersion:string ServiceOffering:string")
	clusterColumns  = columns("NodeId:string Address:string Name:string StartTime:datetime IsAdmin:bool MachineTotalMemory:long MachineAvailableMemory:long ProcessorCount:int EnvironmentDescription:string")
	databaseColumns = columns("DatabaseName:string PersistentStorage:string Version:string IsCurrent:bool DatabaseAccessMode:string PrettyName:string ReservedSlot1:bool DatabaseId:guid InTransitionTo:string SuspensionState:string")
	schemaColumns   = columns("DatabaseName:string TableName:string ColumnName:string ColumnType:string IsDefaultTable:bool IsDefaultColumn:bool PrettyName:string Version:string Folder:string DocString:string")
	jsonColumns     = columns("DatabaseSchema:string")
	scriptColumns   = columns("DatabaseSchemaScript:string")
	entityColumns   = columns("DatabaseName:string EntityType:string EntityName:string DocString:string Folder:string CslInputSchema:string Content:string CslOutputSchema:string Properties:dynamic")
	tableColumns    = columns("TableName:string DatabaseName:string Folder:string DocString:string")
	tableSchema     = columns("TableName:string Schema:string DatabaseName:string Folder:string DocString:string")
	functionColumns = columns("Name:string Parameters:string Body:string Folder:string DocString:string")
	roleColumns     = columns("Scope:string DisplayName:string AADObjectID:string Role:string")
	viewColumns     = columns("Name:string SourceTable:string Query:string MaterializedTo:datetime LastRun:datetime LastRunResult:string IsHealthy:bool IsEnabled:bool Folder:string DocString:string AutoUpdateSchema:bool EffectiveDateTime:datetime Lookback:timespan LookbackColumn:string")
	externalColumns = columns("TableName:string TableType:string Folder:string DocString:string Properties:string ConnectionStrings:dynamic Partitions:dynamic PathFormat:string")
	groupColumns    = columns("Name:string Entities:string")
)

// schemaVersion is the version of every database's schema. It never counts up: a client that asks whether
// there is a later one is always given what there is.
const schemaVersion = "v1.0"

// Show gives the result of a command over the databases that it is about, which the caller may read.
func (c Command) Show(databases []Database, who Caller) (Table, *Error) {
	switch c.kind {
	case showVersion:
		return Table{versionColumns, [][]any{{who.Version, nil, "Engine", who.Version, `{"Type":"Glassward"}`}}}, nil
	case showCluster:
		return Table{clusterColumns, [][]any{{"Glassward", "", "Glassward", nil, false, nil, nil, nil, "Glassward " + who.Version}}}, nil
	case showDatabases, showDatabase:
		t := Table{Columns: databaseColumns}
		for _, d := range databases {
			t.Rows = append(t.Rows, []any{d.Name, "", schemaVersion, d.Current, "ReadOnly", d.Pretty, nil, d.ID, "", ""})
		}
		return t, nil
	case showRoles:
		t := Table{Columns: roleColumns}
		for _, d := range databases {
			t.Rows = append(t.Rows, []any{"Database " + d.Name, who.Name, "", "Viewer"})
		}
		return t, nil
	case showSchema:
		return c.schema(databases), nil
	case showEntities:
		return entities(databases), nil
	case showViews:
		return Table{Columns: viewColumns}, nil
	case showExternal:
		return Table{Columns: externalColumns}, nil
	case showGroups:
		return Table{Columns: groupColumns}, nil
	}
	return c.inDatabase(databases[0])
}

// inDatabase gives the result of a command about tables or functions of one database.
func (c Command) inDatabase(d Database) (Table, *Error) {
	t := Table{Columns: tableColumns}
	switch c.kind {
	case showTables:
		for _, x := range d.Tables {
			if c.names == nil || hasName(c.names, x.Name) {
				t.Rows = append(t.Rows, []any{x.Name, d.Name, "", x.Doc})
			}
		}
	case showTable:
		t.Columns = tableSchema
		for _, x := range d.Tables {
			if x.Name != c.name {
				continue
			}
			text := cslSchema(x)
			if c.form == asJSON {
				text = jsonText(tableJSON(x))
			}
			t.Rows = append(t.Rows, []any{x.Name, text, d.Name, "", x.Doc})
		}
		if t.Rows == nil {
			return t, noEntity("table", c.name, d)
		}
	case showFunctions, showFunction:
		t.Columns = functionColumns
		for _, f := range d.Functions {
			if c.kind == showFunctions || f.Name == c.name {
				t.Rows = append(t.Rows, []any{f.Name, parameters(f), f.Body, "", f.Doc})
			}
		}
		if c.kind == showFunction && t.Rows == nil {
			return t, noEntity("function", c.name, d)
		}
	}
	return t, nil
}

func hasName(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

func noEntity(kind, name string, d Database) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "General_BadRequest", Type: "EntityNotFoundInContainerException",
		Message: fmt.Sprintf("The database %s has no %s %q; names are matched with regard to case.", d.Name, kind, name), Permanent: true}
}

// parameters gives a function's parameters as they are declared.
func parameters(f kql.StoredFunction) string {
	list := make([]string, len(f.Parameters))
	for i, p := range f.Parameters {
		list[i] = p.String()
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// cslSchema gives a table's columns as they are declared: a:string,b:long.
func cslSchema(t TableSchema) string {
	list := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		list[i] = syntax.NameText(c.Name) + ":" + c.Type.String()
	}
	return strings.Join(list, ",")
}

// schema gives the schema of databases in the form that is asked for.
func (c Command) schema(databases []Database) Table {
	switch c.form {
	case asJSON:
		all := map[string]any{}
		for _, d := range databases {
			all[d.Name] = databaseJSON(d)
		}
		return Table{jsonColumns, [][]any{{jsonText(map[string]any{"Databases": all})}}}
	case asCSL:
		t := Table{Columns: scriptColumns}
		for _, d := range databases {
			for _, x := range d.Tables {
				t.Rows = append(t.Rows, []any{".create-merge table " + syntax.NameText(x.Name) + " (" + cslSchema(x) + ") with (docstring=" + syntax.StringText(x.Doc) + ")"})
			}
			for _, f := range d.Functions {
				t.Rows = append(t.Rows, []any{".create-or-alter function with (docstring=" + syntax.StringText(f.Doc) + ") " + syntax.NameText(f.Name) + parameters(f) + " " + f.Body})
			}
		}
		return t
	}
	t := Table{Columns: schemaColumns}
	for _, d := range databases {
		t.Rows = append(t.Rows, []any{d.Name, "", "", "", false, false, d.Pretty, schemaVersion, "", ""})
		for _, x := range d.Tables {
			t.Rows = append(t.Rows, []any{d.Name, x.Name, "", "", false, false, "", "", "", x.Doc})
			for _, col := range x.Columns {
				t.Rows = append(t.Rows, []any{d.Name, x.Name, col.Name, system(col.Type), false, false, "", "", "", col.Doc})
			}
		}
	}
	return t
}

// entities gives the tables and functions of databases.
func entities(databases []Database) Table {
	t := Table{Columns: entityColumns}
	for _, d := range databases {
		for _, x := range d.Tables {
			t.Rows = append(t.Rows, []any{d.Name, "Table", x.Name, x.Doc, "", "", "", cslSchema(x), "{}"})
		}
		for _, f := range d.Functions {
			t.Rows = append(t.Rows, []any{d.Name, "Function", f.Name, f.Doc, "", parameters(f), f.Body, "", "{}"})
		}
	}
	return t
}

// system gives the name of the .NET type with its namespace, as schemas in JSON have it.
func system(t value.Type) string {
	switch t {
	case value.Bool:
		return "System.SByte"
	case value.Decimal:
		return "System.Data.SqlTypes.SqlDecimal"
	}
	return "System." + dotnet(t)
}

type columnJSON struct {
	Name      string
	Type      string
	CslType   string
	DocString string `json:",omitempty"`
}

type tableJSONForm struct {
	Name, Folder, DocString string
	OrderedColumns          []columnJSON
}

func tableJSON(t TableSchema) tableJSONForm {
	out := tableJSONForm{Name: t.Name, DocString: t.Doc, OrderedColumns: []columnJSON{}}
	for _, c := range t.Columns {
		out.OrderedColumns = append(out.OrderedColumns, columnJSON{c.Name, system(c.Type), c.Type.String(), c.Doc})
	}
	return out
}

type parameterJSON struct {
	Name            string
	Type            string       `json:",omitempty"`
	CslType         string       `json:",omitempty"`
	CslDefaultValue string       `json:",omitempty"`
	Columns         []columnJSON `json:",omitempty"`
}

func databaseJSON(d Database) any {
	type functionJSON struct {
		Name            string
		InputParameters []parameterJSON
		Body            string
		Folder          string
		DocString       string
		FunctionKind    string
		OutputColumns   []columnJSON
	}
	tables, functions := map[string]tableJSONForm{}, map[string]functionJSON{}
	for _, t := range d.Tables {
		tables[t.Name] = tableJSON(t)
	}
	for _, f := range d.Functions {
		out := functionJSON{Name: f.Name, InputParameters: []parameterJSON{}, Body: f.Body, DocString: f.Doc, FunctionKind: "Unknown", OutputColumns: []columnJSON{}}
		for _, p := range f.Parameters {
			q := parameterJSON{Name: p.Name, CslDefaultValue: p.Default}
			if !p.Table {
				q.Type, q.CslType = system(p.Type), p.Type.String()
			}
			for _, c := range p.Columns {
				q.Columns = append(q.Columns, columnJSON{Name: c.Name, Type: system(c.Type), CslType: c.Type.String()})
			}
			out.InputParameters = append(out.InputParameters, q)
		}
		functions[f.Name] = out
	}
	return struct {
		Name               string
		Tables             map[string]tableJSONForm
		ExternalTables     map[string]any
		MaterializedViews  map[string]any
		EntityGroups       map[string]any
		MajorVersion       int
		MinorVersion       int
		Functions          map[string]functionJSON
		DatabaseAccessMode string
		PrettyName         string
	}{d.Name, tables, map[string]any{}, map[string]any{}, map[string]any{}, 1, 0, functions, "ReadOnly", d.Pretty}
}

func jsonText(v any) string {
	out, _ := json.Marshal(v) // texts and numbers
	return string(out)
}
