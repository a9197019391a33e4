package kusto

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"glassward/kql/value"
)

// appendCell adds a cell of a kql.Result as JSON: a long exactly, a real with a point or an exponent and
// what is no number as "NaN", "Infinity" and "-Infinity", decimal, datetime, timespan and guid as strings,
// a dynamic as the JSON that it is. A null is null, but of a string "".
func appendCell(b []byte, t value.Type, cell any) []byte {
	switch v := cell.(type) {
	case nil:
		if t == value.String {
			return append(b, `""`...)
		}
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		switch t {
		case value.DateTime:
			return appendString(b, value.Ticks(v).String())
		case value.TimeSpan:
			return appendString(b, value.Span(v).String())
		case value.Real:
			return appendReal(b, float64(v))
		}
		return strconv.AppendInt(b, v, 10)
	case float64:
		return appendReal(b, v)
	case string:
		if t == value.Dynamic {
			return appendDynamic(b, v)
		}
		return appendString(b, v)
	}
	return append(b, "null"...)
}

func appendReal(b []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(b, `"-Infinity"`...)
	}
	from := len(b)
	b = strconv.AppendFloat(b, v, 'g', -1, 64)
	if !bytes.ContainsAny(b[from:], ".e") {
		b = append(b, ".0"...)
	}
	return b
}

// appendDynamic adds the JSON of a dynamic on one line: frames are told apart by line feeds.
func appendDynamic(b []byte, text string) []byte {
	out := bytes.NewBuffer(b)
	if err := json.Compact(out, []byte(text)); err != nil {
		return appendString(b, text)
	}
	return out.Bytes()
}

// appendString adds a string as JSON.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			b = append(append(b, s[from:i]...), `\ufffd`...) // no UTF-8
		} else if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			i++
			continue
		} else {
			b = append(b, s[from:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, `\n`...)
			case '\r':
				b = append(b, `\r`...)
			case '\t':
				b = append(b, `\t`...)
			default:
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}
