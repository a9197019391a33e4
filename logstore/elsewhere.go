package logstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/schema"
)

// give makes tables of the connection's own of what other workspaces gave a program, for
// the query that runs next; take drops them again. Nobody else sees them.
func (c *conn) give(ctx context.Context, p *kql.Program, rows map[*kql.Program]*kql.Result) (take func() error, err error) {
	var sql strings.Builder
	for _, e := range p.Elsewhere {
		fmt.Fprintf(&sql, "DROP TABLE IF EXISTS temp.main.%s;", quote(e.Table))
	}
	take = func() error { return c.exec(context.WithoutCancel(ctx), sql.String()) }
	if sql.Len() == 0 {
		return func() error { return nil }, nil
	}
	for _, e := range p.Elsewhere {
		r, ok := rows[e.Program]
		if !ok {
			return nil, errors.Join(fmt.Errorf("run the query: nothing was given of the workspace %s", e.Workspace), take())
		}
		if err := c.table(ctx, e.Table, r); err != nil {
			return nil, errors.Join(fmt.Errorf("take over what the workspace %s gave: %w", e.Workspace, err), take())
		}
	}
	return take, nil
}

// table makes a table of a result, with the columns c1, c2 and so on.
func (c *conn) table(ctx context.Context, name string, r *kql.Result) error {
	t := &table{schema: &schema.Table{Name: name}, catalog: "temp"}
	for i, column := range r.Columns {
		t.columns = append(t.columns, stored{"c" + strconv.Itoa(i+1), physical(column.Type), column.Type})
	}
	if len(t.columns) == 0 { // rows that are counted alone
		t.columns = append(t.columns, stored{"c0", physical(value.Bool), value.Bool})
	}
	ddl := make([]string, len(t.columns))
	for i, col := range t.columns {
		t.layout = append(t.layout, i)
		ddl[i] = quote(col.name) + " " + col.ddl()
	}
	if err := c.exec(ctx, fmt.Sprintf("CREATE OR REPLACE TEMP TABLE %s (%s)", quote(name), strings.Join(ddl, ", "))); err != nil {
		return err
	}
	w, err := newAppender(c, t)
	if err != nil {
		return err
	}
	defer w.close()
	for _, row := range r.Rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.addRow(row); err != nil {
			return err
		}
	}
	return w.flush()
}

// addRow appends cells as a result has them.
func (w *appender) addRow(row []any) error {
	need := 0
	for _, cell := range row {
		if text, ok := cell.(string); ok {
			need += len(text)
		}
	}
	if err := w.reserve(need + 8*len(row)); err != nil { // a decimal grows by some bytes
		return err
	}
	for i, col := range w.table.columns {
		v, typ := glassward.Null(), col.typ
		if i < len(row) {
			v = glassward.ValueOf(row[i])
		}
		if typ == value.Decimal {
			// Within the engine it is the text that orders as the number does.
			d, ok := value.ParseDec(v.Str)
			if v = glassward.Null(); ok {
				v = glassward.String(string(d))
			}
			typ = value.Dynamic // a text that may be null
		}
		w.cell(&w.columns[i], typ, v)
	}
	w.rows++
	w.flushed = false
	return nil
}
