package kqltest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// Record is a query with the result that another engine gave for it, one JSON object a line. Cells are texts; a
// JSON null is a null, dynamic is compact JSON.
type Record struct {
	ID      string      `json:"id"`
	Feature string      `json:"feature"`
	Query   string      `json:"query"`
	Columns []Column    `json:"columns"`
	Rows    [][]*string `json:"rows"`
	Ordered bool        `json:"ordered"` // row order counts
	Approx  bool        `json:"approx"`  // numbers within 2 %
	SetLike bool        `json:"setlike"` // which element, or their order, may depend on row order
}

// ReadRecords reads all records of r.
func ReadRecords(r io.Reader) ([]*Record, error) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 64<<20)
	var list []*Record
	for n := 1; s.Scan(); n++ {
		if len(s.Bytes()) == 0 {
			continue
		}
		rec := &Record{}
		if err := json.Unmarshal(s.Bytes(), rec); err != nil {
			return nil, fmt.Errorf("record in line %d: %w", n, err)
		}
		list = append(list, rec)
	}
	return list, s.Err()
}

// Check gives the first difference between a result and the record's, or nil.
func (r *Record) Check(columns []Column, rows [][]any) error {
	want := Table{Columns: r.Columns, Rows: make([][]any, len(r.Rows))}
	for i, row := range r.Rows {
		want.Rows[i] = make([]any, len(row))
		for j, c := range row {
			if c != nil {
				want.Rows[i][j] = *c
			}
		}
	}
	o := Options{Ordered: r.Ordered, SetLike: r.SetLike}
	if r.Approx {
		o.Tolerance = 0.02
	}
	return Compare(Table{Columns: columns, Rows: rows}, want, o)
}
