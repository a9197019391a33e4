package logstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strings"

	"glassward"
	"glassward/kql/value"
	"glassward/schema"
)

// Entra gives the same record again: because two polls overlap, because two
// roads carry it, and because it learns more about it, the risk of a sign-in or
// the outcome of a second factor, after it gave it first. What becomes of a
// copy depends on what it says and on how far its word goes:
//
//	says nothing that the stored record does not     dropped and counted
//	fills empty columns, or changes result, status,
//	risk or authentication details                   a new version: merged, judged again
//	contradicts in who, what or outcome              kept beside it, and reported
//
// Trust stands above that. Pulled outranks file, file outranks pushed. A copy
// of higher rank wins every column that it fills. A copy of lower rank changes
// nothing of the record: what it would have added is kept in the history, what
// it contradicts is kept beside the record, so that a stolen ingest token can
// rewrite nothing that was read from Microsoft.

// A fate is what becomes of a copy.
type fate uint8

const (
	dropped fate = iota
	updated
	beside
	noted // of lower rank, adds something: history only
)

// rank orders provenances by how far their word goes.
func rank(p glassward.Provenance) int {
	switch p {
	case glassward.Pulled:
		return 2
	case glassward.File:
		return 1
	}
	return 0
}

// A role is what a column means for identity and versions.
type role uint8

const (
	plain   role = iota
	who          // who acted
	what         // what was done, to what
	outcome      // how it ended; a later copy may change it
	detail       // status, risk and authentication details; a later copy may change it
)

// columnRules are the roles of a table's columns, by position.
type columnRules []role

// rulesFor gives the roles of a table's columns by their names, which are the
// same in all tables of Azure that have them.
func rulesFor(t *schema.Table) columnRules {
	rules := make(columnRules, len(t.Columns))
	for i, c := range t.Columns {
		rules[i] = roleOf(c.Name)
	}
	return rules
}

func roleOf(name string) role {
	switch name {
	case "UserId", "UserPrincipalName", "ServicePrincipalId", "InitiatedBy", "Caller", "AccountObjectId", "RootActorID":
		return who
	case "OperationName", "OperationNameValue", "ActivityDisplayName", "AppId", "ResourceIdentity", "TargetResources", "RequestMethod", "RequestUri":
		return what
	case "ResultType", "Result", "ActivityStatusValue", "ResponseStatusCode", "ConditionalAccessStatus":
		return outcome
	case "ConditionalAccessPolicies", "AppliedConditionalAccessPolicies", "MfaDetail", "IsRisky", "ActivityStatus", "ActivitySubstatus", "ActivitySubstatusValue", "DetectionTimingType", "LastUpdatedDateTime":
		return detail
	}
	for _, prefix := range [...]string{"Result", "Risk", "Authentication", "Status"} {
		if strings.HasPrefix(name, prefix) {
			return detail
		}
	}
	return plain
}

// A verdict is the fate of a copy, with the merged row if it is a new version
// and the column that contradicts if it is kept beside.
type verdict struct {
	fate   fate
	merged said
	column int
}

// judge compares a copy with the stored record of the same id.
func (t *table) judge(stored said, storedBy glassward.Provenance, copy said, copyBy glassward.Provenance) verdict {
	over := rank(copyBy) - rank(storedBy)
	// The higher rank's word is behind the record from now on, even if it says
	// the same.
	adds := over > 0
	for i := range copy.cells {
		if empty(copy.cells[i]) {
			continue
		}
		if empty(stored.cells[i]) {
			adds = true
			continue
		}
		if t.same(i, stored.cells[i], copy.cells[i]) || over == 0 && t.earlier(i, stored, copy) {
			continue
		}
		switch t.rules[i] {
		case who, what:
			return verdict{fate: beside, column: i}
		case outcome:
			// Entra itself corrects an outcome; nobody of another rank does.
			if over != 0 {
				return verdict{fate: beside, column: i}
			}
			adds = true
		case detail:
			adds = true
		}
	}
	if copy.extra != "" && stored.extra == "" {
		adds = true
	}
	switch {
	case !adds:
		return verdict{fate: dropped}
	case over < 0:
		return verdict{fate: noted}
	}
	merged := said{slices.Clone(stored.cells), stored.extra}
	for i := range copy.cells {
		if empty(copy.cells[i]) || over == 0 && !empty(stored.cells[i]) && t.earlier(i, stored, copy) {
			continue
		}
		if over > 0 || empty(stored.cells[i]) || t.rules[i] == outcome || t.rules[i] == detail {
			merged.cells[i] = copy.cells[i]
		}
	}
	if copy.extra != "" && (over > 0 || stored.extra == "") {
		merged.extra = copy.extra
	}
	return verdict{fate: updated, merged: merged}
}

// earlier says whether a copy's detail is of an earlier version than the stored one,
// though it came later, as by a second road it may: a state of risk never returns to
// none, and methods that were used are not unused.
func (t *table) earlier(i int, stored, copy said) bool {
	if t.rules[i] != detail {
		return false
	}
	if t.lastUpdated >= 0 {
		// Where Entra says itself when it wrote the version, that decides.
		if was, is := stored.cells[t.lastUpdated], copy.cells[t.lastUpdated]; was.Kind == glassward.KindLong && is.Kind == glassward.KindLong {
			return is.Num < was.Num
		}
	}
	switch name := t.columns[i].name; {
	case strings.HasPrefix(name, "Risk"), name == "IsRisky":
		return t.riskState >= 0 && riskless(copy.cells[t.riskState]) && !riskless(stored.cells[t.riskState])
	case strings.HasPrefix(name, "Authentication"):
		return lists(stored.cells[i], copy.cells[i])
	}
	return false
}

func riskless(v glassward.Value) bool { return empty(v) || strings.EqualFold(v.Str, "none") }

// lists says whether a JSON list holds all elements of another, and more.
func lists(whole, part glassward.Value) bool {
	var all, some []json.RawMessage
	if json.Unmarshal([]byte(whole.Str), &all) != nil || json.Unmarshal([]byte(part.Str), &some) != nil || len(some) >= len(all) {
		return false
	}
	return !slices.ContainsFunc(some, func(x json.RawMessage) bool {
		return !slices.ContainsFunc(all, func(y json.RawMessage) bool { return bytes.Equal(x, y) })
	})
}

// empty says whether a cell says nothing.
func empty(v glassward.Value) bool {
	switch v.Kind {
	case glassward.KindNull:
		return true
	case glassward.KindString:
		switch v.Str {
		case "", "{}", "[]", "null":
			return true
		}
	}
	return false
}

// same compares two cells as far as their column's role asks: names of who and
// what regardless of case, JSON regardless of spaces, order of members and
// empty members.
func (t *table) same(i int, a, b glassward.Value) bool {
	if a == b {
		return true
	}
	if a.Kind != glassward.KindString || b.Kind != glassward.KindString {
		return plainText(a) == plainText(b)
	}
	names := t.rules[i] == who || t.rules[i] == what
	if c := &t.schema.Columns[i]; c.Type == value.Dynamic || c.JSON {
		if names {
			return sameIDs(a.Str, b.Str)
		}
		return sameJSON(a.Str, b.Str)
	}
	return names && strings.EqualFold(a.Str, b.Str)
}

// plainText writes a cell so that 50126 and "50126" are the same.
func plainText(v glassward.Value) string {
	switch v.Kind {
	case glassward.KindString:
		return v.Str
	case glassward.KindLong, glassward.KindBool:
		b, _ := json.Marshal(v.Num)
		return string(b)
	case glassward.KindReal:
		b, _ := json.Marshal(v.Real)
		return string(b)
	}
	return ""
}

// sameJSON says whether two JSON texts mean the same.
func sameJSON(a, b string) bool {
	x, okA := decode(a)
	y, okB := decode(b)
	if !okA || !okB {
		return a == b
	}
	return bytes.Equal(canonical(x), canonical(y))
}

// sameIDs says whether two JSON texts name the same ids: the actor or the
// targets of an audit record, whose names and addresses may be told more or
// less fully. A side that names none contradicts nothing.
func sameIDs(a, b string) bool {
	x, okA := decode(a)
	y, okB := decode(b)
	if !okA || !okB {
		return a == b
	}
	idsA, idsB := map[string]bool{}, map[string]bool{}
	collectIDs(x, idsA)
	collectIDs(y, idsB)
	few, many := idsA, idsB
	if len(few) > len(many) {
		few, many = many, few
	}
	for id := range few {
		if !many[id] {
			return false
		}
	}
	return true
}

// collectIDs gathers the texts of all members called id, appId or
// servicePrincipalId.
func collectIDs(v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, m := range v {
			switch k {
			case "id", "appId", "servicePrincipalId":
				if s, ok := m.(string); ok && s != "" {
					into[strings.ToLower(s)] = true
				}
			default:
				collectIDs(m, into)
			}
		}
	case []any:
		for _, m := range v {
			collectIDs(m, into)
		}
	}
}

func decode(text string) (v any, ok bool) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil, false
	}
	_, err := d.Token()
	return v, err == io.EOF
}

// canonical writes a JSON value with sorted members, without those that are
// null or empty.
func canonical(v any) []byte {
	b, err := json.Marshal(prune(v))
	if err != nil {
		return nil
	}
	return b
}

func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, m := range v {
			m = prune(m)
			switch m := m.(type) {
			case nil:
				delete(v, k)
				continue
			case string:
				if m == "" {
					delete(v, k)
					continue
				}
			case map[string]any:
				if len(m) == 0 {
					delete(v, k)
					continue
				}
			case []any:
				if len(m) == 0 {
					delete(v, k)
					continue
				}
			}
			v[k] = m
		}
		return v
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
		return v
	}
	return v
}

// digest condenses what a copy of some provenance says. A copy whose digest is in
// the history has been dealt with: that a batch comes twice adds nothing, even
// when its copies undo one another.
func (s said) digest(by glassward.Provenance) []byte {
	h := sha256.New()
	h.Write([]byte{byte(rank(by))})
	var b [9]byte
	for _, v := range append(slices.Clip(s.cells), glassward.String(s.extra)) {
		b[0] = byte(v.Kind)
		n := uint64(v.Num)
		switch v.Kind {
		case glassward.KindReal:
			n = math.Float64bits(v.Real)
		case glassward.KindString:
			if v.Str == "" {
				b[0] = byte(glassward.KindNull)
			}
			n = uint64(len(v.Str))
		}
		binary.LittleEndian.PutUint64(b[1:], n)
		h.Write(b[:])
		if v.Kind == glassward.KindString {
			io.WriteString(h, v.Str)
		}
	}
	return h.Sum(nil)[:16]
}

// besideID gives the id under which a contradicting copy is kept: the same for
// the same contradiction, so that it too comes in once.
func besideID(id glassward.RecordID, by glassward.Provenance, who string) glassward.RecordID {
	h := sha256.New()
	io.WriteString(h, "beside\x00")
	h.Write(id[:])
	io.WriteString(h, string(by))
	h.Write([]byte{0})
	io.WriteString(h, who)
	var out glassward.RecordID
	copy(out[:], h.Sum(nil))
	return out
}

// claim gives what a copy says of who, what and outcome, as one text.
func (t *table) claim(cells []glassward.Value) string {
	var b strings.Builder
	for i, r := range t.rules {
		if r == who || r == what || r == outcome {
			text := plainText(cells[i])
			if v, ok := decode(text); ok && t.schema.Columns[i].Type == value.Dynamic {
				ids := map[string]bool{}
				collectIDs(v, ids)
				text = string(canonical(idsOf(ids)))
			}
			b.WriteString(strings.ToLower(text))
			b.WriteByte(0)
		}
	}
	return b.String()
}

func idsOf(set map[string]bool) any {
	m := make(map[string]any, len(set))
	for id := range set {
		m[id] = true
	}
	return m
}
