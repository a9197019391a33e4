package value

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Member is one property of an Object.
type Member struct {
	Key   string
	Value any
}

// Object is a JSON object in the order of its text. A key that comes twice keeps its first place
// and its last value.
type Object struct {
	Members []Member
	index   map[string]int
}

// Get returns the value of a property and whether the object has it.
func (o *Object) Get(key string) (any, bool) {
	if o.index != nil {
		i, ok := o.index[key]
		if !ok {
			return nil, false
		}
		return o.Members[i].Value, true
	}
	for i := range o.Members {
		if o.Members[i].Key == key {
			return o.Members[i].Value, true
		}
	}
	return nil, false
}

// Set gives a property a value; a new property goes to the end.
func (o *Object) Set(key string, v any) {
	if o.index != nil {
		if i, ok := o.index[key]; ok {
			o.Members[i].Value = v
			return
		}
		o.index[key] = len(o.Members)
		o.Members = append(o.Members, Member{key, v})
		return
	}
	for i := range o.Members {
		if o.Members[i].Key == key {
			o.Members[i].Value = v
			return
		}
	}
	o.Members = append(o.Members, Member{key, v})
	if len(o.Members) > 16 {
		o.index = make(map[string]int, 2*len(o.Members))
		for i := range o.Members {
			o.index[o.Members[i].Key] = i
		}
	}
}

// maxDepth bounds the nesting of a JSON text; what is deeper counts as no JSON.
const maxDepth = 512

// ParseJSON reads one JSON value. The Go types are nil, bool, int64 (whole numbers that fit),
// float64, string, []any and *Object. It reports false for text that is no JSON, is followed by
// anything but white space, or is nested deeper than 512.
func ParseJSON(text string) (any, bool) {
	p := &jsonParser{s: text}
	p.space()
	v, ok := p.value(0)
	if !ok {
		return nil, false
	}
	p.space()
	return v, p.i == len(p.s)
}

// EachElement calls f with one element after the other of the JSON text of an array, without keeping them,
// until f gives false. It reports false for text that is no array; what f was given until then stands.
func EachElement(text string, f func(v any) bool) bool {
	p := &jsonParser{s: text}
	p.space()
	if p.i >= len(p.s) || p.s[p.i] != '[' {
		return false
	}
	p.i++
	p.space()
	if p.i < len(p.s) && p.s[p.i] == ']' {
		p.i++
		p.space()
		return p.i == len(p.s)
	}
	for {
		p.space()
		v, ok := p.value(1)
		if !ok {
			return false
		}
		if !f(v) {
			return true
		}
		p.space()
		if p.i >= len(p.s) {
			return false
		}
		p.i++
		switch p.s[p.i-1] {
		case ',':
		case ']':
			p.space()
			return p.i == len(p.s)
		default:
			return false
		}
	}
}

type jsonParser struct {
	s string
	i int
}

func (p *jsonParser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

func (p *jsonParser) word(w string) bool {
	if strings.HasPrefix(p.s[p.i:], w) {
		p.i += len(w)
		return true
	}
	return false
}

func (p *jsonParser) value(depth int) (any, bool) {
	if p.i >= len(p.s) || depth > maxDepth {
		return nil, false
	}
	switch c := p.s[p.i]; {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return p.text()
	case c == 't':
		return true, p.word("true")
	case c == 'f':
		return false, p.word("false")
	case c == 'n':
		return nil, p.word("null")
	case c == '-' || isDigit(c):
		return p.number()
	}
	return nil, false
}

func (p *jsonParser) object(depth int) (any, bool) {
	p.i++
	o := &Object{}
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '}' {
		p.i++
		return o, true
	}
	for {
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != '"' {
			return nil, false
		}
		k, ok := p.text()
		if !ok {
			return nil, false
		}
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ':' {
			return nil, false
		}
		p.i++
		p.space()
		v, ok := p.value(depth + 1)
		if !ok {
			return nil, false
		}
		o.Set(k.(string), v)
		p.space()
		if p.i >= len(p.s) {
			return nil, false
		}
		p.i++
		switch p.s[p.i-1] {
		case ',':
		case '}':
			return o, true
		default:
			return nil, false
		}
	}
}

func (p *jsonParser) array(depth int) (any, bool) {
	p.i++
	a := []any{}
	p.space()
	if p.i < len(p.s) && p.s[p.i] == ']' {
		p.i++
		return a, true
	}
	for {
		p.space()
		v, ok := p.value(depth + 1)
		if !ok {
			return nil, false
		}
		a = append(a, v)
		p.space()
		if p.i >= len(p.s) {
			return nil, false
		}
		p.i++
		switch p.s[p.i-1] {
		case ',':
		case ']':
			return a, true
		default:
			return nil, false
		}
	}
}

func (p *jsonParser) text() (any, bool) {
	p.i++
	start := p.i
	for p.i < len(p.s) && p.s[p.i] != '"' && p.s[p.i] != '\\' {
		if p.s[p.i] < 0x20 {
			return nil, false
		}
		p.i++
	}
	if p.i < len(p.s) && p.s[p.i] == '"' {
		p.i++
		return p.s[start : p.i-1], true
	}
	b := []byte(p.s[start:p.i])
	for p.i < len(p.s) {
		c := p.s[p.i]
		p.i++
		switch {
		case c == '"':
			return string(b), true
		case c < 0x20:
			return nil, false
		case c != '\\':
			b = append(b, c)
			continue
		}
		if p.i >= len(p.s) {
			return nil, false
		}
		c = p.s[p.i]
		p.i++
		switch c {
		case '"', '\\', '/':
			b = append(b, c)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, ok := p.hex()
			if !ok {
				return nil, false
			}
			if utf16.IsSurrogate(r) {
				if strings.HasPrefix(p.s[p.i:], `\u`) {
					save := p.i
					p.i += 2
					low, ok := p.hex()
					if !ok {
						return nil, false
					}
					if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
						r = pair
					} else {
						p.i, r = save, utf8.RuneError
					}
				} else {
					r = utf8.RuneError
				}
			}
			b = utf8.AppendRune(b, r)
		default:
			return nil, false
		}
	}
	return nil, false
}

func (p *jsonParser) hex() (rune, bool) {
	if p.i+4 > len(p.s) {
		return 0, false
	}
	n, err := strconv.ParseUint(p.s[p.i:p.i+4], 16, 32)
	p.i += 4
	return rune(n), err == nil
}

func (p *jsonParser) number() (any, bool) {
	start := p.i
	if p.s[p.i] == '-' {
		p.i++
	}
	digits := p.i
	for p.i < len(p.s) && isDigit(p.s[p.i]) {
		p.i++
	}
	if p.i == digits || p.s[digits] == '0' && p.i > digits+1 {
		return nil, false
	}
	whole := true
	if p.i < len(p.s) && p.s[p.i] == '.' {
		whole = false
		p.i++
		d := p.i
		for p.i < len(p.s) && isDigit(p.s[p.i]) {
			p.i++
		}
		if p.i == d {
			return nil, false
		}
	}
	if p.i < len(p.s) && (p.s[p.i] == 'e' || p.s[p.i] == 'E') {
		whole = false
		p.i++
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		d := p.i
		for p.i < len(p.s) && isDigit(p.s[p.i]) {
			p.i++
		}
		if p.i == d {
			return nil, false
		}
	}
	t := p.s[start:p.i]
	if whole {
		if n, err := strconv.ParseInt(t, 10, 64); err == nil {
			return n, true
		}
	}
	f, err := strconv.ParseFloat(t, 64)
	return f, err == nil || !math.IsNaN(f) && math.IsInf(f, 0)
}

// JSON returns the compact JSON text of a value as ParseJSON gives it. Also taken are Ticks, Span and
// Dec, which become strings, and int.
func JSON(v any) string { return string(AppendJSON(nil, v)) }

// AppendJSON appends what JSON returns.
func AppendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return appendReal(b, v)
	case string:
		return AppendQuoted(b, v)
	case Ticks:
		return AppendQuoted(b, v.String())
	case Span:
		return AppendQuoted(b, v.String())
	case Dec:
		return AppendQuoted(b, v.String())
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendJSON(b, e)
		}
		return append(b, ']')
	case *Object:
		b = append(b, '{')
		for i := range v.Members {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendQuoted(b, v.Members[i].Key)
			b = append(b, ':')
			b = AppendJSON(b, v.Members[i].Value)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// appendReal writes a real as JSON: whole values keep a point so that they stay reals when they
// are read again, and the values that JSON has no number for are written as Kusto does, in quotes.
func appendReal(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-5 || a >= 1e15) {
		format = 'E'
	}
	n := len(b)
	b = strconv.AppendFloat(b, f, format, -1, 64)
	for _, c := range b[n:] {
		if c == '.' || c == 'E' {
			return b
		}
	}
	return append(b, ".0"...)
}

// AppendQuoted appends a string as a JSON string. Only what JSON demands is escaped, in the
// shortest way; text that is not UTF-8 is replaced.
func AppendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(b, s[start:i]...)
				b = append(b, "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// Text returns a dynamic value as Kusto's tostring does: a string without quotes, null as the
// empty string, the rest as JSON.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return FormatReal(v)
	}
	return JSON(v)
}
