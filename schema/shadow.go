package schema

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"glassward"
	"glassward/kql/value"
)

// A Shadow is a hidden typed column that the store keeps beside a dynamic one, so
// that a path everybody asks needs no parsing of JSON when it is asked.
type Shadow struct {
	// Name is the hidden column, Column the dynamic one, Path the way into it as
	// KQL writes it after the column: ".user.id", "[0].type", "[*].id".
	Name, Column, Path string
	Type               value.Type
	Doc                string

	column int
	steps  []Step
}

// A Step is one step of a path: into an object by Key, into an array by Index,
// or into Every element of an array. Index is -1 where it is not meant.
type Step struct {
	Key   string
	Index int
	Every bool
}

// Steps gives the path of the shadow, step by step.
func (s *Shadow) Steps() []Step { return s.steps }

func (s *Shadow) every() bool {
	for _, st := range s.steps {
		if st.Every {
			return true
		}
	}
	return false
}

func parsePath(path string) ([]Step, error) {
	var steps []Step
	for rest := path; rest != ""; {
		switch rest[0] {
		case '.':
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			key := rest[1 : 1+end]
			if !isName(key) {
				return nil, fmt.Errorf("path %s: %q is no key", path, key)
			}
			steps = append(steps, Step{Key: key, Index: -1})
			rest = rest[1+end:]
		case '[':
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return nil, fmt.Errorf("path %s: ] is missing", path)
			}
			inner := rest[1:end]
			if inner == "*" {
				steps = append(steps, Step{Index: -1, Every: true})
			} else if n, err := strconv.Atoi(inner); err == nil && n >= 0 {
				steps = append(steps, Step{Index: n})
			} else {
				return nil, fmt.Errorf("path %s: [%s] must be a number or *", path, inner)
			}
			rest = rest[end+1:]
		default:
			return nil, fmt.Errorf("path %s: %q must be . or [", path, rest[:1])
		}
	}
	return steps, nil
}

// AppendShadows appends a cell for each shadow of the table to dst, taken from
// the record's cells, which must be aligned with Columns. A string shadow is
// what tostring of the path gives, and empty where there is nothing; others are
// null where the path gives nothing of their type.
func (t *Table) AppendShadows(dst, values []glassward.Value) []glassward.Value {
	for i := range t.Shadows {
		s := &t.Shadows[i]
		var text string
		if s.column < len(values) {
			text = values[s.column].Str
		}
		dst = append(dst, s.Extract(text))
	}
	return dst
}

// Extract gives the shadow's cell for one JSON text of its column. A text that
// is no JSON gives what an absent path gives.
func (s *Shadow) Extract(text string) glassward.Value {
	if s.Type == value.String {
		if s.every() {
			var all []string
			walk(text, s.steps, func(raw string) { all = append(all, scalarText(raw)) })
			return glassward.String(strings.Join(all, "\n"))
		}
		out := ""
		walk(text, s.steps, func(raw string) { out = scalarText(raw) })
		return glassward.String(out)
	}
	out := glassward.Null()
	walk(text, s.steps, func(raw string) {
		v := scalarText(raw)
		switch s.Type {
		case value.Long:
			if n, err := strconv.ParseInt(v, 10, 64); err == nil {
				out = glassward.Long(n)
			}
		case value.Real:
			if f, err := strconv.ParseFloat(v, 64); err == nil {
				out = glassward.Real(f)
			}
		case value.Bool:
			if b, err := strconv.ParseBool(v); err == nil {
				out = glassward.Bool(b)
			}
		case value.DateTime:
			if ticks, ok := value.ParseDateTime(v); ok {
				out = glassward.Long(int64(ticks))
			}
		}
	})
	return out
}

// walk follows steps into a JSON text and calls found with the raw text of each
// value that it arrives at, null excepted.
func walk(text string, steps []Step, found func(raw string)) {
	i := skipSpace(text, 0)
	end := skipValue(text, i)
	if end < 0 {
		return
	}
	if len(steps) == 0 {
		if raw := text[i:end]; raw != "null" {
			found(raw)
		}
		return
	}
	st := steps[0]
	switch {
	case st.Key != "":
		if text[i] != '{' {
			return
		}
		var value string
		eachMember(text[i:end], func(key, raw string) {
			if key == st.Key || strings.IndexByte(key, '\\') >= 0 && unquote(key) == st.Key {
				value = raw
			}
		})
		if value != "" {
			walk(value, steps[1:], found)
		}
	default:
		if text[i] != '[' {
			return
		}
		n := 0
		eachElement(text[i:end], func(raw string) {
			if st.Every || n == st.Index {
				walk(raw, steps[1:], found)
			}
			n++
		})
	}
}

// scalarText gives what tostring gives for a raw JSON value.
func scalarText(raw string) string {
	if raw != "" && raw[0] == '"' {
		return unquote(raw[1 : len(raw)-1])
	}
	return raw
}

// eachMember calls f for each member of an object's text, whose closing brace
// is there. Keys are as written, without quotes.
func eachMember(obj string, f func(key, raw string)) {
	for i := skipSpace(obj, 1); i < len(obj) && obj[i] == '"'; {
		keyEnd := skipString(obj, i)
		if keyEnd < 0 {
			return
		}
		v := skipSpace(obj, keyEnd)
		if v >= len(obj) || obj[v] != ':' {
			return
		}
		v = skipSpace(obj, v+1)
		end := skipValue(obj, v)
		if end < 0 {
			return
		}
		f(obj[i+1:keyEnd-1], obj[v:end])
		if i = skipSpace(obj, end); i >= len(obj) || obj[i] != ',' {
			return
		}
		i = skipSpace(obj, i+1)
	}
}

// eachElement calls f for each element of an array's text.
func eachElement(arr string, f func(raw string)) {
	for i := skipSpace(arr, 1); i < len(arr) && arr[i] != ']'; {
		end := skipValue(arr, i)
		if end < 0 {
			return
		}
		f(arr[i:end])
		if i = skipSpace(arr, end); i >= len(arr) || arr[i] != ',' {
			return
		}
		i = skipSpace(arr, i+1)
	}
}

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

// skipString gives the position after the string that begins at i, or -1.
func skipString(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// skipValue gives the position after the value that begins at i, or -1. It
// counts brackets and does not check what stands between them.
func skipValue(s string, i int) int {
	if i >= len(s) {
		return -1
	}
	switch s[i] {
	case '"':
		return skipString(s, i)
	case '{', '[':
		depth := 0
		for i < len(s) {
			switch s[i] {
			case '"':
				if i = skipString(s, i); i < 0 {
					return -1
				}
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return -1
	}
	start := i
	for i < len(s) && strings.IndexByte(" \t\r\n,]}:", s[i]) < 0 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// unquote replaces the escapes of a JSON string's inside.
func unquote(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
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
			r, ok := hex4(s, i+1)
			if !ok {
				b = append(b, '\\', 'u')
				continue
			}
			i += 4
			if 0xd800 <= r && r < 0xdc00 && strings.HasPrefix(s[i+1:], `\u`) {
				if low, ok := hex4(s, i+3); ok && 0xdc00 <= low && low < 0xe000 {
					r = (r-0xd800)<<10 | (low - 0xdc00) + 0x10000
					i += 6
				}
			}
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

func hex4(s string, i int) (rune, bool) {
	if i+4 > len(s) {
		return 0, false
	}
	n, err := strconv.ParseUint(s[i:i+4], 16, 32)
	return rune(n), err == nil
}
