package logstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"glassward/internal/fault"
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
	// riskState is the position of RiskState, lastUpdated that of the time at which
	// Entra wrote the version; -1 where there is none.
	riskState, lastUpdated int
	// catalog is where the engine has the table, empty for the file.
	catalog string
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
	out.riskState = slices.IndexFunc(t.Columns, func(c schema.Column) bool { return c.Name == "RiskState" })
	out.lastUpdated = slices.IndexFunc(t.Columns, func(c schema.Column) bool {
		return c.Name == "LastUpdatedDateTime" || c.Name == "RiskLastUpdatedDateTime"
	})
	return out
}

// ddl gives the columns of a table as SQL.
func (t *table) ddl() string {
	var sql strings.Builder
	for i, col := range t.columns {
		if i > 0 {
			sql.WriteString(", ")
		}
		fmt.Fprintf(&sql, "%s %s", quote(col.name), col.ddl())
		if col.notNull() {
			sql.WriteString(" NOT NULL")
		}
	}
	return sql.String()
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
var internalTables = [...]struct{ name, columns string }{
	{"_cursors", "source VARCHAR NOT NULL, position BLOB NOT NULL"},
	{"_versions", `item UUID NOT NULL, tbl VARCHAR NOT NULL, seq BIGINT NOT NULL, kind VARCHAR NOT NULL,
	received BIGINT NOT NULL, source VARCHAR NOT NULL, provenance VARCHAR NOT NULL, digest BLOB NOT NULL, record VARCHAR NOT NULL`},
	{"_raw", "item UUID NOT NULL, seq BIGINT NOT NULL, received BIGINT NOT NULL, sha256 BLOB NOT NULL, bytes BLOB NOT NULL"},
	{"_floor", "seq BIGINT NOT NULL"},
	{declaredTable, "tbl VARCHAR NOT NULL, name VARCHAR NOT NULL, type VARCHAR NOT NULL"},
}

// declaredTable says of which types the columns of custom tables were declared:
// the engine holds a datetime as it holds a long.
const declaredTable = "_declared"

// FormatVersion is the version of the form in which a store lies on the disk. It
// grows when something changes that an older program must not write to; tables
// and columns that are added do not change it.
const FormatVersion = 1

// A NewerError says that a store was written by a newer program than this one.
type NewerError struct {
	Path string
	// Have and Known are versions of the store's form, 0 where the engine itself
	// does not know its file.
	Have, Known int64
	Cause       error
}

func (e *NewerError) Error() string {
	what := fmt.Sprintf("its form has version %d and this program knows %d", e.Have, e.Known)
	if e.Cause != nil {
		what = e.Cause.Error()
	}
	return fmt.Sprintf("the log store %s was written by a newer Glassward (%s): run that one, or restore a backup that this one made", e.Path, what)
}

// Unwrap gives the engine's error.
func (e *NewerError) Unwrap() error { return e.Cause }

// A plan is what has to be done to a file before this program can use it.
type plan struct {
	sql string
	// fresh says that there is nothing in the file yet.
	fresh bool
}

// plan finds which of the tables are missing and the columns that a newer schema has.
// Columns that a schema no longer has stay where they are.
func (s *Store) plan(ctx context.Context, c *conn, tables map[string]*table) (plan, error) {
	have := map[string]map[string]string{}
	rows, err := c.all(ctx, "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal", nil)
	if err != nil {
		return plan{}, err
	}
	for _, r := range rows {
		name := r[0].(string)
		if have[name] == nil {
			have[name] = map[string]string{}
		}
		have[name][r[1].(string)] = r[2].(string)
	}
	p := plan{fresh: len(have) == 0}
	var sql strings.Builder
	if have["_format"] == nil {
		fmt.Fprintf(&sql, "CREATE TABLE _format (version BIGINT NOT NULL);\nINSERT INTO _format VALUES (%d);\n", FormatVersion)
	} else {
		rows, err := c.all(ctx, "SELECT max(version) FROM _format", nil)
		if err != nil {
			return p, err
		}
		if version, _ := rows[0][0].(int64); version > FormatVersion {
			return p, &NewerError{Path: s.path(), Have: version, Known: FormatVersion}
		}
	}
	for _, t := range internalTables {
		if have[t.name] == nil {
			fmt.Fprintf(&sql, "CREATE TABLE %s (%s);\n", t.name, t.columns)
		}
	}
	declared := map[[2]string]string{}
	if have[declaredTable] != nil {
		rows, err := c.all(ctx, "SELECT tbl, name, type FROM "+declaredTable, nil)
		if err != nil {
			return p, err
		}
		for _, r := range rows {
			declared[[2]string{r[0].(string), r[1].(string)}] = r[2].(string)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		t := tables[name]
		st := t.schema
		there := have[st.Name]
		if st.Custom {
			if err := t.declare(&sql, have, declared); err != nil {
				return p, err
			}
		}
		if there == nil {
			fmt.Fprintf(&sql, "CREATE TABLE %s (%s);\n", quote(st.Name), t.ddl())
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
				return p, fmt.Errorf("column %s.%s is %s in the file and %s in this version of Glassward: the file was written by another version; use that one, or ingest the sources into a new folder", st.Name, col.name, is, want)
			}
		}
	}
	p.sql = sql.String()
	return p, nil
}

// A ColumnError says that a custom table cannot be kept as it is declared, since
// the store holds it otherwise. Nothing was changed.
type ColumnError struct{ Table, Column, Reason string }

func (e *ColumnError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("table %s: %s", e.Table, e.Reason)
	}
	return fmt.Sprintf("column %s of table %s: %s", e.Column, e.Table, e.Reason)
}

// declare writes down the types of a custom table's new columns, and holds those
// that are known against what they were: also those of columns that were taken out
// of the file meanwhile, which are stored still.
func (t *table) declare(sql *strings.Builder, have map[string]map[string]string, declared map[[2]string]string) error {
	name := t.schema.Name
	for other := range have {
		if other != name && strings.EqualFold(other, name) {
			return &ColumnError{Table: name, Reason: fmt.Sprintf("the store has a table %s, and names that differ in case alone are one to it: take another name", other)}
		}
	}
	for _, c := range t.schema.Columns {
		is := c.Type.String()
		if was := declared[[2]string{name, c.Name}]; was != "" {
			if was != is {
				return &ColumnError{name, c.Name, fmt.Sprintf("it is stored as %s and declared %s: a column keeps its type; declare it %[1]s again, or give the new one another name", was, is)}
			}
			continue
		}
		for other := range have[name] {
			if other != c.Name && strings.EqualFold(other, c.Name) {
				return &ColumnError{name, c.Name, fmt.Sprintf("the store has a column %s, and names that differ in case alone are one to it: take another name", other)}
			}
		}
		// Names have letters, digits and _ only.
		fmt.Fprintf(sql, "INSERT INTO %s VALUES ('%s', '%s', '%s');\n", declaredTable, name, c.Name, is)
	}
	return nil
}

// do carries a plan out, in one transaction; within, if not nil, is called at its end.
func (p plan) do(ctx context.Context, c *conn, within func() error) error {
	if p.sql == "" {
		return nil
	}
	if err := fault.Point("logstore.migrate.before"); err != nil {
		return err
	}
	err := c.exec(ctx, "BEGIN;"+p.sql)
	if err == nil && within != nil {
		err = within()
	}
	if err != nil {
		return errors.Join(err, c.exec(context.WithoutCancel(ctx), "ROLLBACK"))
	}
	if err := c.exec(ctx, "COMMIT"); err != nil {
		return err
	}
	return fault.Point("logstore.migrate.after")
}

// layTables learns in which order the engine has the columns of each table: it is
// what the appender follows.
func layTables(ctx context.Context, c *conn, tables map[string]*table) error {
	rows, err := c.all(ctx, "SELECT table_name, column_name, NOT is_nullable FROM duckdb_columns() WHERE NOT internal ORDER BY table_name, column_index", nil)
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
