package kql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"testing"

	"github.com/duckdb/duckdb-go/v2"

	"glassward/kql"
	"glassward/kql/eval"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// engine is a DuckDB in memory with the functions of package eval.
type engine struct{ conn *sql.Conn }

func newEngine(t testing.TB) *engine {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	all := append(eval.Functions(), eval.AddressFunction(func(a netip.Addr) (eval.Place, bool) { return eval.Place{Country: "Nowhere"}, a.IsPrivate() }))
	for _, f := range all {
		if err := duckdb.RegisterScalarUDF(conn, f.Name, &goFunction{f}); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
	}
	return &engine{conn}
}

// goFunction makes a function of package eval one of the engine's.
type goFunction struct{ f eval.Function }

func engineType(t value.Type) duckdb.TypeInfo {
	k := map[value.Type]duckdb.Type{
		value.Bool: duckdb.TYPE_BOOLEAN, value.Int: duckdb.TYPE_INTEGER, value.Long: duckdb.TYPE_BIGINT, value.DateTime: duckdb.TYPE_BIGINT, value.TimeSpan: duckdb.TYPE_BIGINT,
		value.Real: duckdb.TYPE_DOUBLE, value.Decimal: duckdb.TYPE_VARCHAR, value.String: duckdb.TYPE_VARCHAR, value.Dynamic: duckdb.TYPE_VARCHAR, value.GUID: duckdb.TYPE_UUID,
	}[t]
	info, err := duckdb.NewTypeInfo(k)
	if err != nil {
		panic(err)
	}
	return info
}

func (g *goFunction) Config() duckdb.ScalarFuncConfig {
	c := duckdb.ScalarFuncConfig{ResultTypeInfo: engineType(g.f.Result), SpecialNullHandling: g.f.NullIn}
	for _, p := range g.f.Params {
		c.InputTypeInfos = append(c.InputTypeInfos, engineType(p))
	}
	return c
}

func (g *goFunction) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{RowExecutor: func(args []driver.Value) (any, error) {
		in := make([]any, len(args))
		for i, a := range args {
			in[i] = a
		}
		return g.f.Call(in)
	}}
}

// create makes a stored table with rows of Go values.
func (e *engine) create(t testing.TB, table *rel.Table, rows [][]any) {
	t.Helper()
	var cols []string
	add := func(name string, ty value.Type) {
		k := map[value.Type]string{value.Bool: "BOOLEAN", value.Int: "INTEGER", value.Long: "BIGINT", value.DateTime: "BIGINT", value.TimeSpan: "BIGINT", value.Real: "DOUBLE", value.GUID: "UUID"}[ty]
		if k == "" {
			k = "VARCHAR"
		}
		cols = append(cols, fmt.Sprintf("%q %s", name, k))
	}
	for _, c := range table.Columns {
		add(c.Name, c.Type)
	}
	add("_Seq", value.Long)
	for _, s := range table.Shadows {
		add(s.Name, s.Type)
	}
	ctx := context.Background()
	if _, err := e.conn.ExecContext(ctx, fmt.Sprintf("CREATE OR REPLACE TABLE %q (%s)", table.Name, strings.Join(cols, ", "))); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(r)), ", ")
		if _, err := e.conn.ExecContext(ctx, fmt.Sprintf("INSERT INTO %q VALUES (%s)", table.Name, marks), r...); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs a program and gives its rows with the cells that kql.Result has.
func (e *engine) run(p *kql.Program, b kql.Bind) (*kql.Result, error) {
	var args []any
	for _, n := range p.Params {
		v, _ := b.Value(n)
		args = append(args, sql.Named(n, v))
	}
	rows, err := e.conn.QueryContext(context.Background(), p.SQL, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	res := &kql.Result{Columns: p.Columns}
	for rows.Next() {
		cells := make([]any, len(names))
		ptrs := make([]any, len(names))
		for i := range cells {
			ptrs[i] = &cells[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		row := make([]any, len(p.Columns))
		for i, c := range p.Columns {
			row[i] = cellOf(cells[i], c.Type)
		}
		res.Rows = append(res.Rows, row)
		if p.Lineage {
			var ids []string
			if l, ok := cells[len(cells)-2].([]any); ok {
				for _, id := range l {
					ids = append(ids, id.(string))
				}
			}
			res.Lineage = append(res.Lineage, ids)
			over, _ := cells[len(cells)-1].(bool)
			res.LineageOverflow = append(res.LineageOverflow, over)
		}
	}
	return res, rows.Err()
}

func cellOf(v any, t value.Type) any {
	switch x := v.(type) {
	case int32:
		return int64(x)
	case []byte:
		if t == value.GUID && len(x) == 16 {
			return fmt.Sprintf("%x-%x-%x-%x-%x", x[0:4], x[4:6], x[6:8], x[8:10], x[10:])
		}
		return string(x)
	case *big.Int:
		return "HUGEINT " + x.String()
	}
	return v
}
