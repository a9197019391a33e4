package dcr

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"glassward"
	"glassward/kql"
	"glassward/kql/diag"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
	"glassward/schema"
)

// sourceName is the table that a transform reads: what has come, one row a record.
const sourceName = "source"

// A Transformer runs a program over given records in the place of stored ones. It
// is the engine that runs every query, so that a transform means what a query
// means.
type Transformer interface {
	// Transform gives the program's rows with their lineage. source is the one table
	// that the program reads, records are its rows.
	Transform(ctx context.Context, p *kql.Program, bind kql.Bind, source *schema.Table, records []glassward.Record) (*kql.Result, error)
}

// A transform is a compiled one, nothing where records stay as they are.
type transform struct {
	program *kql.Program
	source  *schema.Table
}

// compile makes a transform ready for records of a stream. It gives the columns
// that come out, or says what is wrong, with the line of the transform and a caret.
func (t *transform) compile(text string, columns []schema.Column) ([]schema.Column, string) {
	table := &rel.Table{Name: sourceName}
	for _, c := range columns {
		table.Columns = append(table.Columns, rel.Column{Name: c.Name, Type: c.Type})
	}
	file, list := syntax.Parse(text)
	if !list.HasErrors() {
		refuse(file, &list)
	}
	var p *kql.Program
	if !list.HasErrors() {
		p, list = kql.Compile(text, kql.Options{Catalog: rel.Tables{table}, Window: kql.AllRecords, Lineage: true, File: "transformKql"})
	}
	if p != nil && p.NotLocal != nil {
		list.Errorf(manyRecords, p.NotLocal.Span, hintOne, "a transform looks at one record at a time: %s", p.NotLocal.Message)
	}
	if p != nil && len(p.More) > 0 {
		list.Errorf(manyRecords, file.Span(), hintOne, "a transform gives one table")
	}
	if list.HasErrors() {
		return nil, strings.TrimSpace("the transform cannot be used\n" + diag.Text("transformKql", text, list))
	}
	var out []schema.Column
	for _, c := range p.Columns {
		out = append(out, schema.Column{Name: c.Name, Type: c.Type})
	}
	t.program, t.source = p, &schema.Table{Name: sourceName, Columns: columns}
	return out, ""
}

// manyRecords is the code of what a transform may not do.
const manyRecords diag.Code = "KQL0302"

const hintOne = "use where, extend, project, project-away, project-keep, project-rename, project-reorder, parse and let"

// refuse finds what does not take one record and give at most one.
func refuse(f *syntax.File, list *diag.List) {
	syntax.Inspect(f, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Where, *syntax.Extend, *syntax.Project, *syntax.ProjectAway, *syntax.ProjectKeep, *syntax.ProjectRename, *syntax.ProjectReorder, *syntax.ParseOp, *syntax.ParseKV:
		case *syntax.Print:
			list.Errorf(manyRecords, n.Span(), "begin with source", "print reads no record: what it gives would come once for all of them")
			return false
		case syntax.Operator:
			list.Errorf(manyRecords, n.Span(), hintOne, "%s is no operator of a transform: only operators that take one row and give at most one are", n.Keyword())
			return false
		case *syntax.QueryParams, *syntax.Pattern, *syntax.Set, *syntax.Alias:
			list.Errorf(manyRecords, n.Span(), "write let", "a transform has no statement of this kind")
			return false
		}
		return true
	})
}

// run gives for each record of the batch what becomes of it: its cells after the
// transform, nil where it is dropped.
func (f *Flow) run(ctx context.Context, t Transformer, rows [][]glassward.Value, now value.Ticks) ([][]glassward.Value, error) {
	if f.program.program == nil {
		return rows, nil
	}
	records := make([]glassward.Record, len(rows))
	for i := range rows {
		records[i] = glassward.Record{Table: sourceName, Values: rows[i]}
		binary.BigEndian.PutUint32(records[i].ID[12:], uint32(i))
	}
	result, err := t.Transform(ctx, f.program.program, kql.Bind{Now: now}, f.program.source, records)
	if err != nil {
		return nil, err
	}
	if result.Truncated {
		return nil, fmt.Errorf("the transform of stream %s gives more than may be held at once", f.Stream)
	}
	out := make([][]glassward.Value, len(rows))
	for i, cells := range result.Rows {
		at := -1
		if len(result.Lineage[i]) == 1 {
			if id := result.Lineage[i][0]; len(id) == 36 {
				if _, err := fmt.Sscanf(id[28:], "%x", &at); err != nil {
					at = -1
				}
			}
		}
		if at < 0 || at >= len(out) || out[at] != nil {
			return nil, fmt.Errorf("the transform of stream %s gives a row that is of no one record", f.Stream)
		}
		out[at] = make([]glassward.Value, len(cells))
		for j, c := range cells {
			out[at][j] = glassward.ValueOf(c)
		}
	}
	return out, nil
}
