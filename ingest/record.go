package ingest

import (
	"math"
	"strconv"
	"strings"
	"time"

	"glassward"
	"glassward/kql/value"
	"glassward/schema"
)

// record makes a record of the tape. The reason is not empty if it must be
// rejected.
func (e *engine) record(batch *Batch) (rec glassward.Record, shape Shape, reason string) {
	shape, table, reason := e.recognise()
	if reason != "" {
		return rec, shape, reason
	}
	b := e.bind(e.m.forTable(shape, table))
	values := batch.row(len(b.template))
	copy(values, b.template)
	if cap(e.ranks) < len(values) {
		e.ranks = make([]uint8, len(values))
		e.sources = make([]int32, len(values))
	}
	e.ranks = e.ranks[:len(values)]
	e.sources = e.sources[:len(values)]
	for i := range e.ranks {
		e.ranks[i] = noRank
	}
	e.extras = e.extras[:0]
	flat := shape == Diagnostic && !b.whole
	for _, o := range e.odd {
		e.warn(o.kind, o.name, o.text)
	}

	for i := range e.tape {
		en := &e.tape[i]
		if en.dead || en.level == 1 && !flat || flat && i == e.props {
			continue
		}
		t := e.target(b, en)
		switch {
		case t.column == toNowhere:
			continue
		case t.column == toExtra:
			if en.kind != kNull {
				e.toExtra(int32(i))
			}
			continue
		case empty(en), t.scalar && (en.kind == kObject || en.kind == kArray):
			continue
		case en.kind == kString && en.f == 0 && b.plain[t.column] && e.ranks[t.column] == noRank:
			// The common case: a text that goes where nothing is, as it is.
			v := &values[t.column]
			v.Kind, v.Str = glassward.KindString, en.val
			e.ranks[t.column] = t.rank
			e.sources[t.column] = int32(i)
			continue
		}
		e.assign(b, values, int(t.column), t.rank, i)
	}
	for _, fb := range b.fallbacks {
		if e.ranks[fb.column] == noRank {
			e.fallback(b, values, fb)
		}
	}
	for _, dc := range b.derived {
		if e.ranks[dc.column] == noRank {
			if text := dc.derive(e); text != "" {
				values[dc.column] = glassward.String(text)
				e.ranks[dc.column] = noRank - 1
			}
		}
	}

	rec.Table = table.Name
	rec.Values = values
	if reason = e.identify(b, &rec); reason != "" {
		return rec, shape, reason
	}
	if len(e.extras) > 0 || e.has(0, wkExtraColumn) {
		rec.Extra = e.extra()
	}
	noTime := e.ranks[b.time] == noRank
	now := e.now()
	if noTime {
		values[b.time] = glassward.Long(int64(value.FromTime(now)))
		e.warn(NoTime, "TimeGenerated", "the record has no time that can be read; TimeGenerated is when it was received")
	}
	t := value.Ticks(values[b.time].Num)
	rec.Time = t.Time()
	if !noTime && (t < earliest || rec.Time.After(now.Add(ahead))) {
		e.warn(BadTime, "TimeGenerated", t.String())
	}
	rec.ID = e.id(b, &rec, noTime)
	return rec, shape, ""
}

func (e *engine) toExtra(at int32) {
	e.tape[at].extra = true
	e.extras = append(e.extras, at)
}

// Times before the year 2000 or more than a day ahead are kept and flagged.
const (
	earliest = value.Ticks(630822816000000000) // 2000-01-01T00:00:00Z
	ahead    = 24 * time.Hour
)

// empty reports whether an entry says nothing: null, "", or the text "<null>"
// that some senders write for it.
func empty(en *entry) bool {
	switch en.kind {
	case kNull:
		return true
	case kString, kText:
		return en.val == "" || en.val == "<null>"
	}
	return false
}

// assign gives a column the value of an entry, if no better one came before.
func (e *engine) assign(b *binding, values []glassward.Value, column int, rank uint8, at int) {
	en := &e.tape[at]
	v, ok := e.convert(b, column, en)
	if !ok {
		e.toExtra(int32(at))
		e.warn(WrongType, shorten(en.key, maxKey), "the value "+shorten(en.val, 60)+" is no "+b.table.Columns[column].Type.String()+"; it is kept in _Extra")
		return
	}
	if old := e.ranks[column]; old != noRank {
		same := values[column] == v
		if rank < old {
			if !same && !e.tells(int(e.sources[column])) {
				e.toExtra(e.sources[column])
			}
		} else {
			if !same && !e.tells(at) {
				e.toExtra(int32(at))
			}
			return
		}
	}
	values[column] = v
	e.ranks[column] = rank
	e.sources[column] = int32(at)
}

// tells reports whether an entry is the envelope's category, which has been told
// by the choice of the table.
func (e *engine) tells(at int) bool {
	en := &e.tape[at]
	return en.level == 0 && en.id >= 0 && e.keys[en.id].wk == wkCategory
}

func (e *engine) fallback(b *binding, values []glassward.Value, fb fallback) {
	at := e.find(fb.source.level, fb.source.key)
	if at < 0 {
		return
	}
	en := e.tape[at]
	for _, step := range fb.source.path {
		if en.kind == kString || en.kind == kText {
			// The object may stand inside a text, as in exports.
			text, _ := e.decodeString(en.val, en.f)
			normal, _, ok := e.jsonText(text)
			if !ok {
				return
			}
			en = entry{key: en.key, val: normal, kind: kObject}
			if normal[0] == '[' {
				en.kind = kArray
			}
		}
		var raw string
		var ok bool
		switch en.kind {
		case kObject:
			raw, ok = member(en.val, step)
		case kArray:
			raw, ok = item(en.val, step)
		}
		if !ok {
			return
		}
		en = rawEntry(en.key, raw)
	}
	if empty(&en) {
		return
	}
	if v, ok := e.convert(b, fb.column, &en); ok {
		values[fb.column] = v
		e.ranks[fb.column] = noRank - 1
		e.sources[fb.column] = int32(at)
	}
}

// item gives the first object of an array that step "NAME=TEXT" describes.
func item(arr, step string) (string, bool) {
	name, text, ok := strings.Cut(step, "=")
	if !ok {
		return "", false
	}
	out, found := "", false
	eachElement(arr, func(value string) {
		if found || value[0] != '{' {
			return
		}
		if raw, ok := member(value, name); ok && raw[0] == '"' && strings.EqualFold(plainKey(raw[1:len(raw)-1]), text) {
			out, found = value, true
		}
	})
	return out, found
}

// rawEntry makes an entry of a raw JSON value that the scanner has found valid.
func rawEntry(key, raw string) entry {
	en := entry{key: key, val: raw, f: fOddEscape | fHigh | fEscape | fNestedDup}
	switch raw[0] {
	case '"':
		en.kind = kString
		en.val = raw[1 : len(raw)-1]
	case '{':
		en.kind = kObject
	case '[':
		en.kind = kArray
	case 't':
		en.kind = kTrue
	case 'f':
		en.kind = kFalse
	case 'n':
		en.kind = kNull
	default:
		en.kind = kNumber
	}
	return en
}

// find gives the place on the tape of a property, whatever its case, or -1.
func (e *engine) find(level int, lower string) int {
	if id, ok := e.ids[lower]; ok {
		if p := e.places[level][id]; p.seq == e.seq {
			return int(p.at)
		}
	}
	for i := range e.tape {
		en := &e.tape[i]
		if int(en.level) != level || en.dead || len(en.key) != len(lower) {
			continue
		}
		if en.id >= 0 && e.keys[en.id].lower == lower || en.id < 0 && strings.ToLower(en.key) == lower {
			return i
		}
	}
	return -1
}

// convert gives an entry's value as a cell of a column; false if it does not fit.
func (e *engine) convert(b *binding, column int, en *entry) (glassward.Value, bool) {
	c := &b.table.Columns[column]
	switch c.Type {
	case value.String:
		var text string
		switch en.kind {
		case kString:
			var damaged bool
			if text, damaged = e.decodeString(en.val, en.f); damaged {
				e.warn(BadText, c.Name, "bytes that are no text were replaced by U+FFFD")
			}
		case kText:
			text = en.val
		case kObject, kArray:
			return e.json(c, en), true
		default:
			text = en.val
		}
		if c.JSON && (en.kind == kString || en.kind == kText) {
			if normal, _, ok := e.jsonText(text); ok {
				text = normal
			}
		}
		switch b.transforms[column] {
		case toLevel:
			text = level(text)
		case toUpper:
			text = strings.ToUpper(text)
		case toAddress:
			text = address(text)
		case toPlainName:
			text = plainName(text)
		case toOutcome:
			text = outcome(text)
		}
		return glassward.String(text), true

	case value.Dynamic:
		switch en.kind {
		case kString, kText:
			text := en.val
			if en.kind == kString {
				var damaged bool
				if text, damaged = e.decodeString(en.val, en.f); damaged {
					e.warn(BadText, c.Name, "bytes that are no text were replaced by U+FFFD")
				}
			}
			if normal, _, ok := e.jsonText(text); ok {
				return glassward.String(normal), true
			}
			q := appendQuoted(e.open(len(text)+16), text)
			return glassward.String(e.keep(q)), true
		case kObject, kArray:
			return e.json(c, en), true
		}
		return glassward.String(en.val), true

	case value.DateTime:
		if en.kind != kString && en.kind != kText {
			return glassward.Null(), false
		}
		t, ok := ParseTime(en.val)
		if !ok && en.f&fEscape != 0 {
			text, _ := e.decodeString(en.val, en.f)
			t, ok = ParseTime(text)
		}
		return glassward.Long(int64(t)), ok

	case value.Long, value.Int:
		if en.kind != kNumber && en.kind != kString && en.kind != kText {
			return glassward.Null(), false
		}
		n, ok := integer(en.val)
		if c.Type == value.Int && (n < math.MinInt32 || n > math.MaxInt32) {
			ok = false
		}
		return glassward.Long(n), ok

	case value.Real:
		if en.kind != kNumber && en.kind != kString && en.kind != kText {
			return glassward.Null(), false
		}
		f, err := strconv.ParseFloat(en.val, 64)
		return glassward.Real(f), err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)

	case value.Bool:
		switch en.kind {
		case kTrue:
			return glassward.Bool(true), true
		case kFalse:
			return glassward.Bool(false), true
		case kString, kText, kNumber:
			switch {
			case en.val == "1" || strings.EqualFold(en.val, "true"):
				return glassward.Bool(true), true
			case en.val == "0" || strings.EqualFold(en.val, "false"):
				return glassward.Bool(false), true
			}
		}
	}
	return glassward.Null(), false
}

func (e *engine) json(c *schema.Column, en *entry) glassward.Value {
	text, damaged := e.normalize(en.val, en.f)
	if damaged {
		e.warn(BadText, c.Name, "bytes that are no text were replaced by U+FFFD")
	}
	return glassward.String(text)
}

// level gives the number of a level that some senders write as a word.
func level(text string) string {
	switch {
	case strings.EqualFold(text, "Informational"), strings.EqualFold(text, "Information"):
		return "4"
	case strings.EqualFold(text, "Warning"):
		return "3"
	case strings.EqualFold(text, "Error"):
		return "2"
	case strings.EqualFold(text, "Critical"):
		return "1"
	}
	return text
}

// extra gives the properties that have no column as one object. A name that
// stands in the envelope and in "properties" is told apart by the prefix
// "properties.".
func (e *engine) extra() string {
	size := 2
	for _, at := range e.extras {
		size += len(e.tape[at].key) + len(e.tape[at].val) + len("properties.") + 16
	}
	out := append(e.open(size), '{')
	for _, at := range e.extras {
		en := &e.tape[at]
		if e.keyIsOwn(en) {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		name := en.key
		if en.level == 1 {
			if at := e.outer(en); at >= 0 && e.tape[at].extra {
				name = "properties." + name
			}
		}
		out = appendQuoted(out, name)
		out = append(out, ':')
		out = e.appendValue(out, en)
	}
	if en := e.knownEntry(0, wkExtraColumn); en != nil {
		out = e.appendExtraColumn(out, en)
	}
	if len(out) == 1 {
		return ""
	}
	return e.keep(append(out, '}'))
}

func (e *engine) keyIsOwn(en *entry) bool {
	return en.level == 0 && en.id >= 0 && e.keys[en.id].wk == wkExtraColumn
}

// appendValue appends an entry's value in normal form.
func (e *engine) appendValue(out []byte, en *entry) []byte {
	switch en.kind {
	case kText:
		return appendQuoted(out, en.val)
	case kString:
		if en.f&(fOddEscape|fControl|fHigh) == 0 {
			out = append(out, '"')
			out = append(out, en.val...)
			return append(out, '"')
		}
		n := normalizer{b: out}
		n.str(en.val)
		return n.b
	case kObject, kArray:
		if en.f&(fOddEscape|fSpace|fControl|fNestedDup|fHigh) == 0 {
			return append(out, en.val...)
		}
		n := normalizer{b: out}
		n.value(en.val, 0, en.f&fNestedDup != 0)
		return n.b
	}
	return append(out, en.val...)
}

// appendExtraColumn appends the members of an _Extra column that was exported.
func (e *engine) appendExtraColumn(out []byte, en *entry) []byte {
	// Its own arena: out is open in the engine's.
	var inner texter
	inner.inner.known, inner.inner.seed = e.inner.known, e.inner.seed
	text := en.val
	if en.kind == kString {
		text, _ = inner.decodeString(en.val, en.f)
	}
	normal, _, ok := inner.jsonText(text)
	if !ok || normal[0] != '{' || len(normal) < 3 {
		return out
	}
	if len(out) > 1 {
		out = append(out, ',')
	}
	return append(out, normal[1:len(normal)-1]...)
}
