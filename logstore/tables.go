package logstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"glassward/kql/value"
	"glassward/schema"
)

// A table is how a schema's table lies in the engine: its columns, then the
// store's own, then the hidden ones.
type table struct {
	schema  *schema.Table
	columns []stored
	// Positions of the store's own columns.
	received, item, source, provenance, extra, seq, shadows int
	rules                                                   columnRules
	// layout gives for each of the engine's columns the position in columns.
	layout []int
}

// A stored column is one column of the engine's table.
type stored struct {
	name string
	kind duckdb.Type
	typ  value.Type
}

// seqColumn is the hidden column with the sequence number given at commit.
const seqColumn = "_Seq"

func newTable(t *schema.Table) *table {
	out := &table{schema: t}
	add := func(name string, typ value.Type) int {
		out.columns = append(out.columns, stored{name, physical(typ), typ})
		return len(out.columns) - 1
	}
	for _, c := range t.Columns {
		add(c.Name, c.Type)
	}
	for _, c := range schema.OwnColumns() {
		i := add(c.Name, c.Type)
		switch c.Name {
		case "_TimeReceived":
			out.received = i
		case "_ItemId":
			out.item = i
		case "_Source":
			out.source = i
		case "_Provenance":
			out.provenance = i
		case "_Extra":
			out.extra = i
		}
	}
	out.seq = add(seqColumn, value.Long)
	out.shadows = len(out.columns)
	for _, s := range t.Shadows {
		add(s.Name, s.Type)
	}
	out.rules = rulesFor(t)
	return out
}

// ddl gives the type of a column as SQL. A string is never NULL: empty is the
// empty string, as in Kusto.
func (c *stored) ddl() string {
	switch c.kind {
	case duckdb.TypeBoolean:
		return "BOOLEAN"
	case duckdb.TypeInteger:
		return "INTEGER"
	case duckdb.TypeBigInt:
		return "BIGINT"
	case duckdb.TypeDouble:
		return "DOUBLE"
	case duckdb.TypeUUID:
		return "UUID"
	}
	if c.typ == value.String {
		return "VARCHAR DEFAULT ''"
	}
	return "VARCHAR"
}

func (c *stored) notNull() bool { return c.typ == value.String }

// internalTables hold what no query sees: the cursors of the sources, earlier
// versions of records, records as they came, and the highest sequence number
// that was ever given to a record that is gone.
const internalTables = `
CREATE TABLE IF NOT EXISTS _cursors (source VARCHAR NOT NULL, position BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS _versions (item UUID NOT NULL, tbl VARCHAR NOT NULL, seq BIGINT NOT NULL, kind VARCHAR NOT NULL,
	received BIGINT NOT NULL, source VARCHAR NOT NULL, provenance VARCHAR NOT NULL, digest BLOB NOT NULL, record VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS _raw (item UUID NOT NULL, seq BIGINT NOT NULL, received BIGINT NOT NULL, sha256 BLOB NOT NULL, bytes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS _floor (seq BIGINT NOT NULL);
`

// createTables makes the tables that are missing and adds the columns that a
// newer schema has, in one transaction. Columns that a schema no longer has stay
// where they are.
func createTables(ctx context.Context, c *conn, order []*schema.Table, tables map[string]*table) error {
	have := map[string]map[string]string{}
	rows, err := c.all(ctx, "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal", nil)
	if err != nil {
		return err
	}
	for _, r := range rows {
		name := r[0].(string)
		if have[name] == nil {
			have[name] = map[string]string{}
		}
		have[name][r[1].(string)] = r[2].(string)
	}
	var sql strings.Builder
	sql.WriteString("BEGIN;")
	sql.WriteString(internalTables)
	for _, st := range order {
		t := tables[st.Name]
		there := have[st.Name]
		if there == nil {
			fmt.Fprintf(&sql, "CREATE TABLE %s (", quote(st.Name))
			for i, col := range t.columns {
				if i > 0 {
					sql.WriteString(", ")
				}
				fmt.Fprintf(&sql, "%s %s", quote(col.name), col.ddl())
				if col.notNull() {
					sql.WriteString(" NOT NULL")
				}
			}
			sql.WriteString(");\n")
			continue
		}
		for _, col := range t.columns {
			want, _, _ := strings.Cut(col.ddl(), " ")
			switch is := there[col.name]; is {
			case want:
			case "":
				fmt.Fprintf(&sql, "ALTER TABLE %s ADD COLUMN %s %s;\n", quote(st.Name), quote(col.name), col.ddl())
				if col.notNull() {
					fmt.Fprintf(&sql, "ALTER TABLE %s ALTER COLUMN %s SET NOT NULL;\n", quote(st.Name), quote(col.name))
				}
			default:
				return fmt.Errorf("column %s.%s is %s in the file and %s in this version of Glassward: the file was written by another version; use that one, or ingest the sources into a new folder", st.Name, col.name, is, want)
			}
		}
	}
	sql.WriteString("COMMIT;")
	if err := c.exec(ctx, sql.String()); err != nil {
		return err
	}
	// The order of the engine's columns is what the appender follows.
	rows, err = c.all(ctx, "SELECT table_name, column_name, NOT is_nullable FROM duckdb_columns() WHERE NOT internal ORDER BY table_name, column_index", nil)
	if err != nil {
		return err
	}
	for _, t := range tables {
		t.layout = t.layout[:0]
	}
	for _, r := range rows {
		if t := tables[r[0].(string)]; t != nil {
			t.arrange(r[1].(string), r[2].(bool))
		}
	}
	return nil
}

// arrange notes the next of the engine's columns: those that were added later
// stand at its end, and a file may have columns that this schema does not know,
// which stay empty.
func (t *table) arrange(name string, notNull bool) {
	i := slices.IndexFunc(t.columns, func(c stored) bool { return c.name == name })
	if i < 0 {
		i = len(t.columns)
		unknown := stored{name: name, kind: duckdb.TypeSQLNull}
		if notNull {
			unknown.typ = value.String // nothing else is ever NOT NULL
		}
		t.columns = append(t.columns, unknown)
	}
	t.layout = append(t.layout, i)
}
