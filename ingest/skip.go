package ingest

import "fmt"

// until says where what is passed over ends.
type until uint8

const (
	untilClosed until = iota // where its brackets close, or as resync has it
	untilLine                // at the end of the line
	untilBrace               // at the end of the line or the next brace
)

// A skipper finds the end of what is not taken, byte by byte, so that it need
// not be kept.
type skipper struct {
	until    until
	depth    int
	inString bool
	escaped  bool
	newline  bool
	begun    bool

	line, column int
	offset       int64
	length       int64
	raw          []byte
}

// ends takes the byte at i and reports whether what is passed over ends, and
// where: before or after this byte.
func (s *skipper) ends(c byte, i int) (int, bool) {
	first := !s.begun
	s.begun = true
	if s.until != untilClosed {
		return i, c == '\n' || s.until == untilBrace && c == '{' && !first
	}
	if s.newline && (c == '{' || c == '[') {
		return i, true
	}
	s.newline = c == '\n'
	switch {
	case c == '\n' && s.inString:
		return i, true
	case s.escaped:
		s.escaped = false
	case s.inString:
		s.escaped = c == '\\'
		s.inString = c != '"'
	case c == '"':
		s.inString = true
	case c == '{' || c == '[':
		s.depth++
	case c == '}' || c == ']':
		s.depth--
		return i + 1, s.depth <= 0
	}
	return 0, false
}

// keepLimit bounds what is kept of something too long so that it can be tried
// again with a higher limit; of something longer still rawLimit bytes are kept.
func (d *Decoder) keepLimit() int { return 4 * d.o.MaxRecordBytes }

// beginSkip begins to pass over what stands at i, which is too long.
func (d *Decoder) beginSkip(i int, u until) progress {
	line := d.lineOf(i)
	d.skip = &skipper{until: u, line: line, column: int(d.base+int64(i)-d.lineStart) + 1, offset: d.base + int64(i)}
	d.pos = i
	return advanced
}

func (d *Decoder) skipStep() progress {
	s := d.skip
	from, to, done := d.pos, d.end, false
	for i := from; i < d.end; i++ {
		if to, done = s.ends(d.buf[i], i); done {
			break
		}
		to = d.end
	}
	if room := d.keepLimit() + 1 - len(s.raw); room > 0 {
		s.raw = append(s.raw, d.buf[from:min(to, from+room)]...)
	}
	s.length += int64(to - from)
	d.lineOf(to)
	d.pos = to
	if !done && !d.final() {
		return hungry
	}
	d.skip = nil
	reason := fmt.Sprintf("longer than the limit of %d bytes; raise the limit to take it", d.o.MaxRecordBytes)
	if s.until != untilClosed && d.csv == nil {
		reason = "not JSON, and longer than the limit"
	}
	raw, partial := s.raw, false
	if len(raw) > d.keepLimit() {
		raw, partial = raw[:min(rawLimit, d.keepLimit())], true
	}
	d.rejectRaw(s.line, s.column, s.offset, s.length, reason, raw, partial)
	return advanced
}
