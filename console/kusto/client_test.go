package kusto_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"testing"
	"time"

	kustoerrors "github.com/Azure/azure-kusto-go/azkustodata/errors"
	"github.com/Azure/azure-kusto-go/azkustodata/query"
	v1 "github.com/Azure/azure-kusto-go/azkustodata/query/v1"
	v2 "github.com/Azure/azure-kusto-go/azkustodata/query/v2"
	"github.com/Azure/azure-kusto-go/azkustodata/types"
	"pgregory.net/rapid"

	"glassward/console/kusto"
	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

// TestMicrosoftsReaderReadsWhatIsWritten lets the reader of Microsoft's client for Go read random results of
// every type, in the form that the client asks for and in the older one, and compares every cell.
func TestMicrosoftsReaderReadsWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		result := table(t)
		for range rapid.IntRange(0, 2).Draw(t, "more") {
			result.More = append(result.More, table(t))
		}
		a := kusto.Answer{Result: result, Options: kusto.Options{Fragments: true, Newlines: true, Errors: kusto.EndOfTable}, Activity: activity()}
		var out bytes.Buffer
		if err := a.WriteV2(context.Background(), &out); err != nil {
			t.Fatal(err)
		}
		iterative, err := v2.NewIterativeDataset(context.Background(), io.NopCloser(&out), v2.DefaultIoCapacity, v2.DefaultRowCapacity, v2.DefaultTableCapacity)
		if err != nil {
			t.Fatal(err)
		}
		dataset, err := iterative.ToDataset()
		if err != nil {
			t.Fatal(err)
		}
		tables := dataset.Tables()
		if n := len(result.More) + 3; len(tables) != n {
			t.Fatalf("%d tables are read, %d were written", len(tables), n)
		}
		properties, err := v2.AsQueryProperties(tables[len(tables)-2])
		if err != nil || len(properties) != len(result.More)+1 || properties[0].Key != "Visualization" {
			t.Errorf("properties %+v, %v", properties, err)
		}
		completion, err := v2.AsQueryCompletionInformation(tables[len(tables)-1])
		if err != nil || completion[0].ActivityId.String() != a.Activity.ID || completion[0].ClientRequestId != a.Activity.ClientRequestID {
			t.Errorf("completion %+v, %v", completion, err)
		}
		compare(t, result, tables)

		var plain bytes.Buffer // the reader above may still be at the end of its own
		if err := a.WriteV1(&plain); err != nil {
			t.Fatal(err)
		}
		older, err := v1.NewDatasetFromReader(context.Background(), kustoerrors.OpMgmt, io.NopCloser(&plain))
		if err != nil {
			t.Fatal(err)
		}
		if status := older.Status(); len(status) != 2 || status[0].StatusCode != 0 || status[0].ActivityId.String() != a.Activity.ID {
			t.Errorf("status %+v", status)
		}
		compare(t, result, older.Tables())
	})
}

// table draws a result: up to a dozen columns of any type and a few rows.
func table(t *rapid.T) *kql.Result {
	r := &kql.Result{Name: rapid.SampledFrom([]string{"", "Named", `q"ü`}).Draw(t, "name")}
	for i := range rapid.IntRange(0, 12).Draw(t, "columns") {
		r.Columns = append(r.Columns, rel.Column{Name: fmt.Sprintf("c%d %s", i, rapid.StringN(0, 3, -1).Draw(t, "column")), Type: value.Type(rapid.IntRange(int(value.Bool), int(value.Dynamic)).Draw(t, "type"))})
	}
	for range rapid.IntRange(0, 5).Draw(t, "rows") {
		row := make([]any, len(r.Columns))
		for i, c := range r.Columns {
			row[i] = cell(t, c.Type)
		}
		r.Rows = append(r.Rows, row)
	}
	return r
}

func cell(t *rapid.T, typ value.Type) any {
	if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
		return nil
	}
	switch typ {
	case value.Bool:
		return rapid.Bool().Draw(t, "bool")
	case value.Int:
		return int64(rapid.Int32().Draw(t, "int"))
	case value.Long:
		return rapid.Int64().Draw(t, "long")
	case value.Real:
		return rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 5, math.MaxFloat64, math.SmallestNonzeroFloat64})).Draw(t, "real")
	case value.Decimal:
		return rapid.SampledFrom([]string{"0", "-0.10", "79228162514264337593543950335", "0.0000000000000000000000000000001"}).Draw(t, "decimal")
	case value.DateTime:
		const last = 3155378975999999999 // 9999-12-31T23:59:59.9999999
		return rapid.Int64Range(0, last).Draw(t, "datetime")
	case value.TimeSpan:
		// The client keeps a timespan in nanoseconds.
		return rapid.Int64Range(math.MinInt64/100+1, math.MaxInt64/100-1).Draw(t, "timespan")
	case value.GUID:
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "guid")
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	case value.Dynamic:
		v := rapid.SampledFrom([]any{map[string]any{"a": []any{1, "x\n", nil}}, []any{}, 12, -0.5, "text", "", true, map[string]any{"Rows": []any{[]any{map[string]any{}}}}}).Draw(t, "dynamic")
		text, err := json.MarshalIndent(v, "", " ") // as whoever wrote it liked
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"\u2028\n\x00\"\\", "]\n,[", "\x7f"})).Draw(t, "string")
}

func compare(t *rapid.T, want *kql.Result, got []query.Table) {
	for i, w := range append([]*kql.Result{want}, want.More...) {
		g := got[i]
		columns := g.Columns()
		if len(columns) != len(w.Columns) {
			t.Fatalf("table %d has %d columns, %d were written", i, len(columns), len(w.Columns))
		}
		for j, c := range w.Columns {
			if columns[j].Name() != c.Name || columns[j].Type() != types.Column(c.Type.String()) {
				t.Fatalf("column %s of type %s is read as %s of type %s", c.Name, c.Type, columns[j].Name(), columns[j].Type())
			}
		}
		rows := g.Rows()
		if len(rows) != len(w.Rows) {
			t.Fatalf("table %d has %d rows, %d were written", i, len(rows), len(w.Rows))
		}
		for k, row := range rows {
			for j, c := range w.Columns {
				read := row.Values()[j].GetValue()
				if !same(c.Type, w.Rows[k][j], read) {
					t.Fatalf("a %s %#v is read as %#v", c.Type, w.Rows[k][j], read)
				}
			}
		}
	}
}

// same says whether the client read a cell as it is.
func same(typ value.Type, want, read any) bool {
	if want == nil {
		switch v := read.(type) {
		case string:
			return v == ""
		case []byte:
			return v == nil
		}
		return fmt.Sprintf("%v", read) == "<nil>"
	}
	switch v := read.(type) {
	case *bool:
		return *v == want
	case *int32:
		return int64(*v) == want
	case *int64:
		return *v == want
	case *float64:
		w := want.(float64)
		return *v == w || math.IsNaN(*v) && math.IsNaN(w)
	case string:
		return v == want
	case *time.Time:
		return value.FromTime(*v) == value.Ticks(want.(int64))
	case *time.Duration:
		return *v == time.Duration(want.(int64))*100
	case []byte:
		var text string
		if json.Unmarshal([]byte(want.(string)), &text) == nil {
			return string(v) == text
		}
		var a, b bytes.Buffer
		return json.Compact(&a, []byte(want.(string))) == nil && json.Compact(&b, v) == nil && a.String() == b.String()
	case fmt.Stringer: // decimal, guid
		if typ == value.Decimal {
			w, ok := value.ParseDec(want.(string))
			g, ok2 := value.ParseDec(v.String())
			return ok && ok2 && w == g
		}
		return v.String() == want
	}
	return false
}

// TestMicrosoftsReaderIsToldThatRowsAreMissing holds that the client gives the rows that there are and then
// the error by its name.
func TestMicrosoftsReaderIsToldThatRowsAreMissing(t *testing.T) {
	a := kusto.Answer{Result: results()["cut"], Options: kusto.Options{Fragments: true, Newlines: true, Errors: kusto.EndOfTable}, Activity: activity()}
	var out bytes.Buffer
	if err := a.WriteV2(context.Background(), &out); err != nil {
		t.Fatal(err)
	}
	iterative, err := v2.NewIterativeDataset(context.Background(), io.NopCloser(&out), v2.DefaultIoCapacity, v2.DefaultRowCapacity, v2.DefaultTableCapacity)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	var failure error
	for table := range iterative.Tables() {
		if table.Err() != nil {
			failure = table.Err()
			break
		}
		if table.Table().Kind() != v2.PrimaryResultTableKind {
			continue
		}
		for row := range table.Table().Rows() {
			if row.Err() != nil {
				failure = row.Err()
				continue
			}
			n, err := row.Row().LongByIndex(0)
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, strconv.FormatInt(*n, 10))
		}
	}
	var told *v2.OneApiError
	if failure != nil {
		told, _ = failure.(*v2.OneApiError)
	}
	if fmt.Sprint(rows) != "[1 2]" || told == nil || told.ErrorMessage.Code != "LimitsExceeded" || told.ErrorMessage.Type != "Kusto.Data.Exceptions.KustoServicePartialQueryFailureLimitsExceededException" {
		t.Errorf("rows %v, error %v", rows, failure)
	}

	out.Reset()
	if err := a.WriteV1(&out); err != nil {
		t.Fatal(err)
	}
	if _, err := v1.NewDatasetFromReader(context.Background(), kustoerrors.OpMgmt, io.NopCloser(&out)); err == nil {
		t.Error("the older form hides that rows are missing")
	}
}
