package dcr

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"glassward"
	"glassward/kql/value"
	"glassward/schema"
)

// MaxField is how many bytes of a field's value are kept; what is longer is cut
// there, as Azure cuts it.
const MaxField = 64 << 10

// Coerced counts what was odd about fields.
type Coerced struct {
	// Wrong were of a type that their column cannot take, and are null. Cut were longer
	// than MaxField. Unknown have no column in the stream, and were dropped.
	Wrong, Cut, Unknown int
}

// coerce gives the value of a JSON field as a column of a type holds it. Numbers
// and truths may come as text and go into text; whatever else does not fit is null.
func coerce(raw []byte, typ value.Type, n *Coerced) glassward.Value {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] == 'n' {
		return glassward.Null()
	}
	text, quoted := "", raw[0] == '"'
	if quoted {
		if json.Unmarshal(raw, &text) != nil {
			n.Wrong++
			return glassward.Null()
		}
	}
	if v, ok := fit(raw, text, quoted, typ, n); ok {
		return v
	}
	n.Wrong++
	return glassward.Null()
}

func fit(raw []byte, text string, quoted bool, typ value.Type, n *Coerced) (glassward.Value, bool) {
	plain := text // what a number or truth is written as
	if !quoted {
		plain = string(raw)
	}
	plain = strings.TrimSpace(plain)
	number := quoted || raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'
	switch typ {
	case value.String:
		if !quoted {
			text = compact(raw)
		}
		return glassward.String(cut(text, n)), true
	case value.Dynamic:
		v, ok := value.ParseJSON(string(raw))
		if !ok {
			return glassward.Value{}, false
		}
		// As text it has one form, which queries are made for.
		return glassward.String(cutDynamic(value.JSON(v), n)), true
	case value.Int, value.Long:
		if !number {
			return glassward.Value{}, false
		}
		i, err := strconv.ParseInt(plain, 10, 64)
		if err != nil {
			f, bad := strconv.ParseFloat(plain, 64)
			if bad != nil || f != math.Trunc(f) || f < -(1<<63) || f >= 1<<63 {
				return glassward.Value{}, false
			}
			i = int64(f)
		}
		if typ == value.Int && (i < math.MinInt32 || i > math.MaxInt32) {
			return glassward.Value{}, false
		}
		return glassward.Long(i), true
	case value.Real:
		if !number {
			return glassward.Value{}, false
		}
		f, err := strconv.ParseFloat(plain, 64)
		return glassward.Real(f), err == nil
	case value.Bool:
		switch strings.ToLower(plain) {
		case "true", "1":
			return glassward.Bool(true), true
		case "false", "0":
			return glassward.Bool(false), true
		}
	case value.DateTime:
		if quoted {
			t, ok := value.ParseDateTime(plain)
			return glassward.Long(int64(t)), ok
		}
	case value.GUID:
		if quoted {
			id, ok := value.ParseGUID(plain)
			return glassward.String(id), ok
		}
	}
	return glassward.Value{}, false
}

// cut gives a text as it can be stored: not longer than MaxField, without NUL.
func cut(text string, n *Coerced) string {
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "\ufffd")
	}
	if len(text) <= MaxField {
		return text
	}
	n.Cut++
	end := MaxField
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// cutDynamic gives a JSON value as it can be stored. A document that ends in the middle
// is none: of one that is too long the beginning is kept, as a text.
func cutDynamic(whole string, n *Coerced) string {
	if len(whole) <= MaxField {
		return whole
	}
	text := whole
	if whole[0] == '"' {
		if json.Unmarshal([]byte(whole), &text) == nil && len(text) <= MaxField {
			return whole
		}
	}
	return string(value.AppendQuoted(nil, cut(text, n)))
}

// becomes says whether what comes out as one type can go into a column of another.
func becomes(from, to value.Type) bool {
	switch {
	case from == to:
		return true
	case from.Integer():
		return to.Integer() || to == value.Real
	case from == value.Decimal:
		return to == value.Real
	}
	return from == value.String && to == value.GUID || from == value.GUID && to == value.String
}

// become gives a cell of one type as a column of another, which becomes allows, has
// it; null where it has no such value.
func become(v glassward.Value, from, to value.Type, n *Coerced) glassward.Value {
	if v.Kind == glassward.KindNull {
		return v
	}
	out := v
	switch {
	case to == value.Int && (v.Num < math.MinInt32 || v.Num > math.MaxInt32):
		out = glassward.Null()
	case from.Integer() && to == value.Real:
		out = glassward.Real(float64(v.Num))
	case from == value.Decimal && to == value.Real:
		f, err := strconv.ParseFloat(v.Str, 64)
		if out = glassward.Real(f); err != nil {
			out = glassward.Null()
		}
	case from == value.String && to == value.GUID:
		id, ok := value.ParseGUID(v.Str)
		if out = glassward.String(id); !ok {
			if out = glassward.Null(); v.Str == "" {
				return out
			}
		}
	case to == value.String:
		return glassward.String(cut(v.Str, n))
	case to == value.Dynamic:
		return glassward.String(cutDynamic(v.Str, n))
	}
	if out.Kind == glassward.KindNull {
		n.Wrong++
	}
	return out
}

// fit finds for each column of the flow's table which of those that come out goes
// into it.
func (f *Flow) fit() {
	f.fits = make([]int, len(f.Table.Columns))
	for i := range f.fits {
		f.fits[i] = -1
	}
	for j, c := range f.columns {
		// The first and the last are ours: TenantId and Type.
		if i, ok := f.Table.Index(c.Name); ok && i > 0 && i < len(f.Table.Columns)-1 {
			f.fits[i] = j
		}
	}
}

// fields gives an object's fields as the stream's columns hold them.
func fields(raw []byte, columns []schema.Column, n *Coerced) ([]glassward.Value, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	out := make([]glassward.Value, len(columns))
	known := 0
	for i, c := range columns {
		if v, ok := members[c.Name]; ok {
			known++
			out[i] = coerce(v, c.Type, n)
		}
		if c.Type == value.String && out[i].Kind == glassward.KindNull {
			out[i] = glassward.String("") // a text is never null
		}
	}
	n.Unknown += len(members) - known
	return out, nil
}
