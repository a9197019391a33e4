package bind

import (
	"strconv"

	"glassward/kql/builtin"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

func (b *binder) datatable(d *syntax.Datatable, sc *scope) *table {
	cols := b.declared(d.Columns)
	if len(cols) == 0 || len(cols) != len(d.Columns) {
		return openTable()
	}
	if len(d.Values)%len(cols) != 0 {
		b.errorf(WrongArguments, d, "", "the datatable has %d columns, and %d values do not fill its rows", len(cols), len(d.Values))
	}
	v := &rel.Values{Cols: cols}
	for i := 0; i+len(cols) <= len(d.Values); i += len(cols) {
		row := make([]rel.Expr, len(cols))
		for j, c := range cols {
			at := d.Values[i+j]
			x := b.expr(at, &env{sc: sc})
			switch {
			case c.Type == value.Unknown || isUnknown(x):
				x = rel.Null(c.Type)
			case !isConstant(x):
				b.errorf(NotConstant, at, "compute it with extend", "a datatable holds literals only")
				x = rel.Null(c.Type)
			default:
				x = b.cell(x, c, at)
			}
			row[j] = x
		}
		v.Rows = append(v.Rows, row)
	}
	return &table{rel: v}
}

func isConstant(e rel.Expr) bool {
	switch e := e.(type) {
	case *rel.Const, *rel.Param:
		return true
	case *rel.Call:
		// now() and ago() stand for a moment, and some conversions of literals are left to the engine.
		for _, a := range e.Args {
			if !isConstant(a) {
				return false
			}
		}
		return e.T == value.DateTime || e.T == value.Dynamic
	}
	return false
}

// cell gives a literal the type of its column.
func (b *binder) cell(x rel.Expr, c rel.Column, at syntax.Node) rel.Expr {
	t := x.Type()
	if t == c.Type {
		return x
	}
	if k, ok := x.(*rel.Const); ok && k.Value == nil {
		return rel.Null(c.Type)
	}
	switch {
	case t.Numeric() && c.Type.Numeric():
		if k, ok := x.(*rel.Const); ok {
			f, isReal := k.Value.(float64)
			switch {
			case isReal && c.Type.Integer():
				return &rel.Const{Value: int64(f), T: c.Type}
			case isReal && c.Type == value.Decimal:
				// Kusto reads 2.2 in a column of decimals as the real, and writes 2.2000000000000002.
				if d, ok := value.DecOfReal(f, value.RealDigits); ok {
					return &rel.Const{Value: d, T: c.Type}
				}
			}
		}
		return b.cast(x, c.Type)
	case c.Type == value.Dynamic:
		if k, ok := x.(*rel.Const); ok {
			switch v := k.Value.(type) {
			case string:
				if t == value.String {
					return ParseJSONConst(v)
				}
				return &rel.Const{Value: value.JSON(v), T: value.Dynamic}
			case bool, float64, value.Dec:
				return &rel.Const{Value: value.JSON(v), T: value.Dynamic}
			case int64:
				switch t {
				case value.DateTime:
					return &rel.Const{Value: value.JSON(value.Ticks(v)), T: value.Dynamic}
				case value.TimeSpan:
					return &rel.Const{Value: value.JSON(value.Span(v)), T: value.Dynamic}
				}
				return &rel.Const{Value: value.JSON(v), T: value.Dynamic}
			}
		}
	case t == value.String:
		y := b.convert(convertName(c.Type), x)
		if _, ok := y.(*rel.Const); !ok {
			k := x.(*rel.Const)
			switch c.Type {
			case value.Int, value.Long:
				if n, err := strconv.ParseInt(k.Value.(string), 0, 64); err == nil {
					return &rel.Const{Value: n, T: c.Type}
				}
			case value.Real:
				if f, ok := parseReal(k.Value.(string)); ok {
					return &rel.Const{Value: f, T: c.Type}
				}
			case value.Bool:
				if v, err := strconv.ParseBool(k.Value.(string)); err == nil {
					return rel.Bool(v)
				}
			}
			return rel.Null(c.Type)
		}
		return y
	case c.Type == value.String:
		if k, ok := x.(*rel.Const); ok && t == value.GUID {
			return rel.Str(k.Value.(string))
		}
		return call("tostring", value.String, x)
	case t == value.Bool && c.Type.Numeric(), t.Numeric() && c.Type == value.Bool:
		return b.cast(x, c.Type)
	}
	b.errorf(WrongType, at, "", "found a value of type %s for the column %s, %s is needed", t, c.Name, c.Type)
	return rel.Null(c.Type)
}

func (b *binder) print(o *syntax.Print, sc *scope) *table {
	v := &rel.Values{Rows: [][]rel.Expr{nil}}
	n := newNames(nil)
	for i, it := range o.Items {
		e := &env{sc: sc}
		if f, _ := b.tupleCall(it.Value, sc); f == nil && len(it.Names) == 0 {
			x := b.expr(it.Value, e)
			name := n.fresh("print_" + strconv.Itoa(i))
			v.Cols = append(v.Cols, rel.Column{Name: name, Type: x.Type()})
			v.Rows[0] = append(v.Rows[0], x)
			continue
		}
		for _, x := range b.items(it, e, n, true) {
			v.Cols = append(v.Cols, rel.Column{Name: x.Name, Type: x.Expr.Type()})
			v.Rows[0] = append(v.Rows[0], x.Expr)
		}
	}
	open := false
	for _, c := range v.Cols {
		open = open || c.Type == value.Unknown
	}
	return &table{rel: v, open: open}
}

func (b *binder) rangeOp(o *syntax.Range, sc *scope) *table {
	e := &env{sc: sc}
	from, to, step := b.expr(o.From, e), b.expr(o.To, e), b.expr(o.Step, e)
	if isUnknown(from) || isUnknown(to) || isUnknown(step) {
		return openTable()
	}
	t := from.Type()
	switch {
	case t.Numeric() && to.Type().Numeric() && step.Type().Numeric():
		t = wider(wider(t, to.Type()), step.Type())
		from, to, step = b.cast(from, t), b.cast(to, t), b.cast(step, t)
	case (t == value.DateTime || t == value.TimeSpan) && to.Type() == t && step.Type() == value.TimeSpan:
	default:
		b.errorf(WrongType, o, "", "range takes numbers, or times and a timespan, not %s, %s and %s", t, to.Type(), step.Type())
		return openTable()
	}
	if c, ok := step.(*rel.Const); ok && (c.Value == int64(0) || c.Value == 0.0 || c.Value == value.Span(0)) {
		b.errorf(WrongArguments, o.Step, "", "a step of nothing never comes to the end")
	}
	return &table{rel: &rel.Series{Name: o.Name.Name, T: t, From: from, To: to, Step: step}}
}

func (b *binder) getSchema(in *table) *table {
	str, long := value.String, value.Long
	v := &rel.Values{Cols: []rel.Column{{Name: "ColumnName", Type: str}, {Name: "ColumnOrdinal", Type: long}, {Name: "DataType", Type: str}, {Name: "ColumnType", Type: str}}}
	for i, c := range in.cols() {
		v.Rows = append(v.Rows, []rel.Expr{rel.Str(c.Name), rel.Long(int64(i)), rel.Str(c.Type.DotNet()), rel.Str(c.Type.String())})
	}
	return &table{rel: v, open: in.open}
}

// invoke calls a function with the table before it as its first argument.
func (b *binder) invoke(o *syntax.Invoke, in *table, sc *scope) *table {
	if o.Call == nil {
		return openTable()
	}
	n, ok := o.Call.Func.(*syntax.Name)
	if !ok {
		b.errorf(Unsupported, o.Call.Func, "", "functions of other workspaces and databases cannot be called")
		return openTable()
	}
	f := sc.find(n.Name)
	if f == nil || f.fn == nil {
		if f, ok := builtin.Lookup(builtin.Table, n.Name); ok && f.Unsupported != "" {
			b.unsupported(o.Call, f.Unsupported)
		} else {
			b.errorf(UnknownFunction, n, nameHint(n.Name, sc.all()), "there is no function %s", n.Name)
		}
		return openTable()
	}
	if len(f.fn.Params) == 0 || !f.fn.Params[0].Table {
		b.errorf(WrongArguments, o.Call, "its first parameter must be a table: T:(*)", "%s cannot be invoked", n.Name)
		return openTable()
	}
	inner := newScope(sc)
	hidden := b.hiddenName("invoked")
	inner.names[hidden] = &binding{table: in}
	args := append([]*syntax.NamedExpr{{Base: o.Base, Value: &syntax.Name{Base: o.Base, Name: hidden}}}, o.Call.Args...)
	r := b.callUser(f, n.Name, args, &env{sc: inner}, o.Call)
	return b.mustTable(r, o.Call, n.Name)
}
