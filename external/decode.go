package external

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"glassward/kql"
	"glassward/kql/value"
)

// maxCells bounds what a query carries of a file: it becomes part of the query.
const maxCells = 200_000

var errTooMany = fmt.Errorf("it has more than %d cells: declare fewer columns, or keep what is needed as a watchlist", maxCells)

// decode gives the rows of a file; left is how many cells there may be.
func decode(text []byte, want kql.ExternalData, left int) ([][]any, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	d := &decoder{want: want, left: left}
	separators := map[string]rune{"csv": ',', "tsv": '\t', "psv": '|', "scsv": ';', "sohsv": 1}
	switch f := want.Format; f {
	case "raw":
		d.add(func(i int) any { return string(text) })
	case "txt":
		d.lines(text, func(line []byte) error {
			d.add(func(i int) any {
				if i > 0 {
					return nil
				}
				return fromText(string(line), want.Columns[0].Type)
			})
			return nil
		})
	case "json":
		d.lines(text, func(line []byte) error {
			if len(bytes.TrimSpace(line)) == 0 {
				return nil
			}
			return d.object(line)
		})
	case "multijson":
		d.err = d.objects(text)
	default:
		sep, ok := separators[f]
		if !ok {
			return nil, fmt.Errorf("the format %s cannot be read", f)
		}
		d.err = d.separated(text, sep)
	}
	return d.rows, d.err
}

type decoder struct {
	want    kql.ExternalData
	rows    [][]any
	left    int
	skipped bool
	err     error
}

// add adds a row unless it is the first and is to be ignored; cell gives the value of a column.
func (d *decoder) add(cell func(column int) any) {
	if d.want.IgnoreFirstRecord && !d.skipped {
		d.skipped = true
		return
	}
	if d.left -= len(d.want.Columns); d.left < 0 {
		d.err = errTooMany
		return
	}
	row := make([]any, len(d.want.Columns))
	for i := range row {
		row[i] = cell(i)
	}
	d.rows = append(d.rows, row)
}

func (d *decoder) lines(text []byte, f func(line []byte) error) {
	s := bufio.NewScanner(bytes.NewReader(text))
	s.Buffer(nil, maxFile+1)
	for d.err == nil && s.Scan() {
		if err := f(s.Bytes()); err != nil {
			d.err = err
		}
	}
	if d.err == nil {
		d.err = s.Err()
	}
}

func (d *decoder) separated(text []byte, sep rune) error {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = sep, -1, true, true
	for d.err == nil {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		d.add(func(i int) any {
			if i >= len(f) {
				return fromText("", d.want.Columns[i].Type)
			}
			return fromText(strings.Clone(f[i]), d.want.Columns[i].Type)
		})
	}
	return d.err
}

// object adds a row of one object's properties; columns are found by their names.
func (d *decoder) object(text []byte) error {
	v, ok := value.ParseJSON(string(text))
	if !ok {
		return fmt.Errorf("it is no JSON: %.60q", text)
	}
	o, ok := v.(*value.Object)
	if !ok {
		return fmt.Errorf("it is no object: %.60q", text)
	}
	d.add(func(i int) any {
		c := d.want.Columns[i]
		x, _ := o.Get(c.Name)
		switch {
		case c.Type == value.Dynamic && x == nil:
			return nil
		case c.Type == value.Dynamic:
			return value.JSON(x)
		case x == nil:
			return fromText("", c.Type)
		}
		return fromText(value.Text(x), c.Type)
	})
	return d.err
}

// objects reads objects one after the other, or in an array.
func (d *decoder) objects(text []byte) error {
	if len(text) > maxTransfer {
		return fmt.Errorf("JSON larger than %d MiB is not read", maxTransfer>>20)
	}
	in := json.NewDecoder(bytes.NewReader(text))
	inArray := false
	if t := bytes.TrimSpace(text); len(t) > 0 && t[0] == '[' {
		inArray = true
		if _, err := in.Token(); err != nil {
			return err
		}
	}
	for d.err == nil {
		if inArray && !in.More() {
			return nil
		}
		var raw json.RawMessage
		if err := in.Decode(&raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := d.object(raw); err != nil {
			return err
		}
	}
	return d.err
}

// fromText gives a text as a value of a column's type, nil where it is none.
func fromText(s string, t value.Type) any {
	trimmed := strings.TrimSpace(s)
	switch t {
	case value.String:
		return s
	case value.Bool:
		switch strings.ToLower(trimmed) {
		case "true", "1", "yes", "y":
			return true
		case "false", "0", "no", "n":
			return false
		}
	case value.Int:
		if n, err := strconv.ParseInt(trimmed, 10, 32); err == nil {
			return n
		}
	case value.Long:
		if n, err := strconv.ParseInt(trimmed, 10, 64); err == nil {
			return n
		}
	case value.Decimal:
		if d, ok := value.ParseDec(trimmed); ok {
			return d.String()
		}
	case value.Real:
		if f, err := strconv.ParseFloat(trimmed, 64); err == nil {
			return f
		}
	case value.DateTime:
		if d, ok := value.ParseDateTime(trimmed); ok {
			return int64(d)
		}
	case value.TimeSpan:
		if d, ok := value.ParseTimeSpan(trimmed); ok {
			return int64(d)
		}
	case value.GUID:
		if g, ok := value.ParseGUID(trimmed); ok {
			return g
		}
	case value.Dynamic:
		if trimmed == "" {
			return nil
		}
		switch v, ok := value.ParseJSON(trimmed); {
		case ok && v == nil:
			return nil
		case ok:
			return value.JSON(v)
		}
		return value.JSON(s)
	}
	return nil
}
