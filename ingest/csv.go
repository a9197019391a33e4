package ingest

import (
	"bytes"
	"fmt"
	"strings"
)

// A csvHeader holds the columns of a CSV file.
type csvHeader struct {
	columns []column
	cells   []string
	zones   []string // what a column's name says in brackets, where it is not UTC
}

// csvBegin takes the header of a CSV file off the beginning; finished says that
// it is none.
func (d *Decoder) csvBegin() progress {
	end, p := d.csvRow(d.pos)
	if p == hungry && d.end-d.pos <= d.o.MaxRecordBytes {
		return hungry
	}
	// A row that is longer than a record may be is no header, also where a
	// large read happened to bring the whole of it.
	if p != advanced || end-d.pos > d.o.MaxRecordBytes {
		return finished
	}
	h, known := d.csvColumns()
	if known < 2 && (d.e.table == nil || known < 1) {
		return finished
	}
	d.current = d.line
	for k, zone := range h.zones {
		if zone != "" {
			d.warn(UnknownZone, h.columns[k].name, "the column says ["+shorten(zone, 30)+"]; its times are read as UTC")
		}
	}
	d.csv = h
	d.pos = end
	return advanced
}

// csvColumns makes columns of the cells of a header and counts those that some
// table has.
func (d *Decoder) csvColumns() (*csvHeader, int) {
	h := &csvHeader{}
	known := 0
	for _, name := range d.e.cells {
		h.cells = append(h.cells, strings.Clone(name))
		name = strings.TrimSpace(name)
		base, zone, bracket := strings.Cut(strings.TrimSuffix(name, "]"), "[")
		if bracket {
			name = strings.TrimSpace(base)
		}
		if strings.EqualFold(strings.TrimSpace(zone), "UTC") {
			zone = ""
		}
		h.zones = append(h.zones, strings.Clone(zone))
		name, _ = cleanText(strings.Clone(name))
		for _, t := range d.e.m.incoming {
			if _, ok := t.Index(name); ok {
				known++
				break
			}
		}
		h.columns = append(h.columns, column{name, d.e.key(name)})
	}
	return h, known
}

// csvStep takes one row of a CSV file.
func (d *Decoder) csvStep() progress {
	b := d.buf
	for d.pos < d.end && (b[d.pos] == '\n' || b[d.pos] == '\r' || b[d.pos] == 0) {
		if b[d.pos] == 0 {
			d.nuls++
		}
		d.pos++
	}
	if d.pos >= d.end {
		if !d.final() {
			return hungry
		}
		d.finish()
		return finished
	}
	from := d.pos
	end, p := d.csvRow(from)
	if p != advanced && !d.final() && d.end-from <= d.o.MaxRecordBytes {
		return hungry
	}
	if p != advanced {
		end = d.end
	}
	if end-from > d.o.MaxRecordBytes {
		return d.beginSkip(from, untilLine)
	}
	if p != advanced {
		n := bytes.IndexByte(b[from:d.end], '\n')
		if n < 0 {
			n = d.end - from
		}
		d.reject(from, from+n, "a quoted cell is not closed")
		return advanced
	}
	to := end
	for to > from && (b[to-1] == '\n' || b[to-1] == '\r') {
		to--
	}
	h := d.csv
	cells := d.e.cells
	if len(cells) != len(h.columns) {
		d.reject(from, to, fmt.Sprintf("the row has %d cells and the header %d", len(cells), len(h.columns)))
		d.pos = end
		return advanced
	}
	if cellsEqual(cells, h.cells) {
		// The header comes again where files were put together.
		d.pos = end
		return advanced
	}
	d.e.begin()
	d.e.header = h.columns
	d.current = d.lineOf(from)
	for k, text := range cells {
		if text == "" {
			continue
		}
		text, damaged := cleanText(text)
		if damaged {
			d.warn(BadText, h.columns[k].name, "bytes that are no text were replaced by U+FFFD")
		}
		d.e.add(entry{key: h.columns[k].name, id: h.columns[k].id, val: text, kind: kText})
	}
	d.pos = end
	d.emit(from, to)
	return advanced
}

func cellsEqual(a, b []string) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// csvRow cuts the row at i into cells, as RFC 4180 has them. finished says that
// the input ends inside quotes.
func (d *Decoder) csvRow(i int) (end int, p progress) {
	b := d.buf
	d.e.cells = d.e.cells[:0]
	for {
		if i < d.end && b[i] == '"' {
			start := i + 1
			quotes := 0
			k := start
			for {
				n := bytes.IndexByte(b[k:d.end], '"')
				if n < 0 || k+n+1 >= d.end && !d.final() {
					if d.final() {
						return 0, finished
					}
					return 0, hungry
				}
				k += n
				if k+1 < d.end && b[k+1] == '"' {
					quotes++
					k += 2
					continue
				}
				break
			}
			cell := str(b[start:k])
			if quotes > 0 {
				out := d.e.open(len(cell))
				for rest := cell; ; {
					n := strings.Index(rest, `""`)
					if n < 0 {
						out = append(out, rest...)
						break
					}
					out = append(out, rest[:n+1]...)
					rest = rest[n+2:]
				}
				cell = d.e.keep(out)
			}
			d.e.cells = append(d.e.cells, cell)
			i = k + 1
		} else {
			start := i
			for i < d.end && b[i] != ',' && b[i] != '\n' && b[i] != '\r' {
				i++
			}
			d.e.cells = append(d.e.cells, str(b[start:i]))
		}
		for i < d.end && b[i] != ',' && b[i] != '\n' && b[i] != '\r' {
			i++ // text after a closing quote
		}
		switch {
		case i >= d.end:
			if !d.final() {
				return 0, hungry
			}
			return i, advanced
		case b[i] == ',':
			i++
		case b[i] == '\r' && i+1 >= d.end && !d.final():
			return 0, hungry
		case b[i] == '\r' && b[i+1] == '\n':
			return i + 2, advanced
		default:
			return i + 1, advanced
		}
	}
}
