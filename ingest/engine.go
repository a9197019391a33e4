package ingest

import (
	"strings"
	"time"

	"glassward/schema"
)

// entry is one property of the record in hand.
type entry struct {
	key  string // as written; of an escaped key the plain text
	val  string // raw JSON; of a string the inside of its quotes; of kText the text
	id   int32
	kind kind
	f    flags
	// level is 1 for what stands in "properties".
	level uint8
	dead  bool // replaced by a later one of the same key
	extra bool // goes to _Extra
}

// A wellKnown property tells shapes and tables apart.
type wellKnown uint8

const (
	notKnown wellKnown = iota
	wkTime
	wkCategory
	wkProperties
	wkOperationName
	wkResourceID
	wkTenantID
	wkTimeGenerated
	wkType
	wkSourceSystem
	wkCreatedDateTime
	wkActivityDateTime
	wkActivityDisplayName
	wkUserPrincipalName
	wkAppID
	wkStatus
	wkIPAddress
	wkInitiatedBy
	wkTargetResources
	wkLoggedByService
	wkEventTimestamp
	wkCreationTime
	wkOperation
	wkRecordType
	wkWorkload
	wkOrganizationID
	wkSignInEventTypes
	wkIsInteractive
	wkRiskEventType
	wkDetectedDateTime
	wkRiskLastUpdated
	wkUserDisplayName
	wkProvisioningSteps
	wkServicePrincipalID
	wkExtraColumn
	wkItemID
	wkProvenance
	wkRecords
	wkValue
	wkTables
	wellKnownCount
)

func wellKnownKey(lower string) wellKnown {
	switch lower {
	case "time":
		return wkTime
	case "category":
		return wkCategory
	case "properties":
		return wkProperties
	case "operationname":
		return wkOperationName
	case "resourceid":
		return wkResourceID
	case "tenantid":
		return wkTenantID
	case "timegenerated":
		return wkTimeGenerated
	case "type":
		return wkType
	case "sourcesystem":
		return wkSourceSystem
	case "createddatetime":
		return wkCreatedDateTime
	case "activitydatetime":
		return wkActivityDateTime
	case "activitydisplayname":
		return wkActivityDisplayName
	case "userprincipalname":
		return wkUserPrincipalName
	case "appid":
		return wkAppID
	case "status":
		return wkStatus
	case "ipaddress":
		return wkIPAddress
	case "initiatedby":
		return wkInitiatedBy
	case "targetresources":
		return wkTargetResources
	case "loggedbyservice":
		return wkLoggedByService
	case "eventtimestamp":
		return wkEventTimestamp
	case "creationtime":
		return wkCreationTime
	case "operation":
		return wkOperation
	case "recordtype":
		return wkRecordType
	case "workload":
		return wkWorkload
	case "organizationid":
		return wkOrganizationID
	case "signineventtypes":
		return wkSignInEventTypes
	case "isinteractive":
		return wkIsInteractive
	case "riskeventtype":
		return wkRiskEventType
	case "detecteddatetime":
		return wkDetectedDateTime
	case "risklastupdateddatetime":
		return wkRiskLastUpdated
	case "userdisplayname":
		return wkUserDisplayName
	case "provisioningsteps":
		return wkProvisioningSteps
	case "serviceprincipalid":
		return wkServicePrincipalID
	case "_extra":
		return wkExtraColumn
	case "_itemid":
		return wkItemID
	case "_provenance":
		return wkProvenance
	case "records":
		return wkRecords
	case "value":
		return wkValue
	case "tables":
		return wkTables
	}
	return notKnown
}

// keyInfo is what an engine knows of a property's name.
type keyInfo struct {
	text  string
	lower string
	wk    wellKnown
	next  int32 // the key that followed last time, or -1
}

// maxKeys and maxKey bound the names that an engine remembers and their length;
// others are looked up anew each time.
const (
	maxKeys = 8192
	maxKey  = 128
)

// place says where a key stood in the record with number seq.
type place struct {
	seq uint32
	at  int32
}

// An engine makes records of JSON objects. It learns the names of properties and
// the order in which they come, and is not for use by several goroutines.
type engine struct {
	scanner
	texter
	m       *mapping
	options *DecoderOptions
	table   *schema.Table // forced, or nil
	now     func() time.Time

	keys   []keyInfo
	ids    map[string]int32
	places [2][]place
	seq    uint32
	// rare holds the places of the names in this record that have no id.
	rare [2]map[string]int32

	tape    []entry
	present [2]uint64
	known2  [2][wellKnownCount]int32
	odd     []oddity // met while scanning, told when the record is complete
	header  []column // of the table of which the record is a row, or nil
	props   int      // index of the flattened "properties" entry, or -1

	bound   map[*tableMap]*binding
	last    *binding
	guesses map[uint64]*schema.Table
	names   []string

	ranks   []uint8
	sources []int32
	extras  []int32
	warn    func(WarningKind, string, string)
	hashBuf []byte
	// tenant is that of the record before, which is most often that of the next.
	tenant, tenantLower string
	cells               []string
}

// oddity is a warning to be.
type oddity struct {
	kind       WarningKind
	name, text string
}

// binding holds the targets of a table's map by the ids of keys.
type binding struct {
	*tableMap
	targets [2][]target
}

func newEngine(o *DecoderOptions, m *mapping) *engine {
	known := new([1024]uint64)
	e := &engine{
		m:       m,
		options: o,
		now:     o.Now,
		keys:    make([]keyInfo, 0, 128),
		ids:     make(map[string]int32, 128),
		bound:   make(map[*tableMap]*binding),
		guesses: make(map[uint64]*schema.Table),
		warn:    func(WarningKind, string, string) {},
	}
	e.scanner.known, e.scanner.seed = known, 0x8ebc6af09c88c6e3
	e.inner.known, e.inner.seed = known, 0x8ebc6af09c88c6e3
	return e
}

// key gives the id of a property's name, -1 if the engine remembers enough.
func (e *engine) key(text string) int32 {
	if id, ok := e.ids[text]; ok {
		return id
	}
	if len(e.keys) >= maxKeys || len(text) > maxKey {
		return -1
	}
	text = strings.Clone(text)
	id := int32(len(e.keys))
	e.ids[text] = id
	lower := strings.ToLower(text)
	e.keys = append(e.keys, keyInfo{text: text, lower: lower, wk: wellKnownKey(lower), next: -1})
	e.places[0] = append(e.places[0], place{})
	e.places[1] = append(e.places[1], place{})
	return id
}

// begin empties the tape for a new record.
func (e *engine) begin() {
	e.tape = e.tape[:0]
	e.present = [2]uint64{}
	e.odd = e.odd[:0]
	e.props = -1
	e.seq++
	clear(e.rare[0])
	clear(e.rare[1])
}

// add notes a property on the tape.
func (e *engine) add(en entry) {
	at := int32(len(e.tape))
	if en.id >= 0 {
		p := &e.places[en.level][en.id]
		if p.seq == e.seq {
			e.again(p.at, en.key)
		}
		*p = place{e.seq, at}
		if wk := e.keys[en.id].wk; wk != notKnown {
			e.present[en.level] |= 1 << wk
			e.known2[en.level][wk] = at
		}
	} else {
		if e.rare[en.level] == nil {
			e.rare[en.level] = make(map[string]int32)
		}
		if old, twice := e.rare[en.level][en.key]; twice {
			e.again(old, en.key)
		}
		e.rare[en.level][en.key] = at
	}
	e.tape = append(e.tape, en)
}

// again gives up an entry whose key has come again.
func (e *engine) again(at int32, key string) {
	e.tape[at].dead = true
	e.odd = append(e.odd, oddity{DuplicateKey, shorten(key, maxKey), "the property comes twice; the last value was taken"})
}

// outer gives the place of a key in the record itself, -1 if it is not there.
func (e *engine) outer(en *entry) int32 {
	if en.id >= 0 {
		if p := e.places[0][en.id]; p.seq == e.seq {
			return p.at
		}
	} else if at, ok := e.rare[0][en.key]; ok {
		return at
	}
	return -1
}

func (e *engine) has(level int, wks ...wellKnown) bool {
	for _, wk := range wks {
		if e.present[level]&(1<<wk) == 0 {
			return false
		}
	}
	return true
}

// knownEntry gives the entry of a well-known property, nil if it is not there.
func (e *engine) knownEntry(level int, wk wellKnown) *entry {
	if !e.has(level, wk) {
		return nil
	}
	return &e.tape[e.known2[level][wk]]
}

// knownText gives the text of a well-known property that is a string.
func (e *engine) knownText(level int, wk wellKnown) string {
	en := e.knownEntry(level, wk)
	if en == nil || en.kind != kString && en.kind != kText {
		return ""
	}
	text, _ := e.decodeString(en.val, en.f)
	return text
}

// scanRecord scans the object at i onto the tape and gives the position after
// it, or -1.
func (e *engine) scanRecord(i int) int {
	e.begin()
	return e.members(i, 0)
}

func (e *engine) members(i int, level uint8) int {
	b := e.b
	prev := int32(-1)
	i++
	if b[i] <= ' ' {
		i = e.space(i)
	}
	if b[i] == '}' {
		return i + 1
	}
	for {
		if b[i] != '"' {
			return e.fail(i, "a key in quotes is expected")
		}
		i++
		var en entry
		en.level = level
		en.id = -2
		if prev >= 0 {
			if next := e.keys[prev].next; next >= 0 {
				k := e.keys[next].text
				if end := i + len(k); end < len(b) && b[end] == '"' && string(b[i:end]) == k {
					en.id, en.key = next, k
					i = end + 1
				}
			}
		}
		if en.id == -2 {
			end, f := e.str(i)
			if end < 0 {
				return -1
			}
			text := str(b[i:end])
			if f&(fEscape|fControl|fHigh) != 0 {
				var damaged bool
				if text, damaged = e.decodeString(text, f); damaged {
					e.odd = append(e.odd, oddity{BadText, text, "bytes in the property's name were replaced by U+FFFD"})
				}
			}
			en.key = text
			en.id = e.key(text)
			if prev >= 0 {
				e.keys[prev].next = en.id
			}
			i = end + 1
		}
		prev = en.id
		if b[i] <= ' ' {
			i = e.space(i)
		}
		if b[i] != ':' {
			return e.fail(i, "a colon is expected after the key")
		}
		i++
		if b[i] <= ' ' {
			i = e.space(i)
		}
		start := i
		switch c := b[i]; {
		case c == '"':
			end, f := e.str(i + 1)
			if end < 0 {
				return -1
			}
			en.kind, en.f = kString, f
			en.val = str(b[i+1 : end])
			i = end + 1
		case c == '{' && level == 0 && en.key == "properties":
			at := len(e.tape)
			e.add(en)
			if i = e.members(i, 1); i < 0 {
				return -1
			}
			e.props = at
			e.tape[at].kind = kObject
			e.tape[at].val = str(b[start:i])
			e.tape[at].f = fOddEscape | fNestedDup
			goto next
		default:
			var f flags
			if i, en.kind, f = e.value(i); i < 0 {
				return -1
			}
			en.f = f
			en.val = str(b[start:i])
		}
		e.add(en)
	next:
		if b[i] <= ' ' {
			i = e.space(i)
		}
		switch b[i] {
		case ',':
			i++
			if b[i] <= ' ' {
				i = e.space(i)
			}
		case '}':
			return i + 1
		default:
			return e.fail(i, "a comma or } is expected")
		}
	}
}

// openProperties takes the members out of "properties" where it is a text that
// holds JSON.
func (e *engine) openProperties() {
	en := e.knownEntry(0, wkProperties)
	if en == nil || en.kind != kString && en.kind != kText || e.props >= 0 {
		return
	}
	at := int(e.known2[0][wkProperties])
	text, _ := e.decodeString(en.val, en.f)
	normal, _, ok := e.jsonText(text)
	if !ok || normal[0] != '{' {
		return
	}
	b := make([]byte, len(normal)+slack)
	copy(b, normal)
	outer, end := e.b, e.end
	e.b, e.end = b, len(normal)
	done := e.members(0, 1)
	e.b, e.end = outer, end
	if done > 0 {
		e.props = at
		e.tape[at].kind, e.tape[at].val, e.tape[at].f = kObject, normal, fOddEscape
	}
}

// bind gives the binding of a map to this engine's keys.
func (e *engine) bind(tm *tableMap) *binding {
	if e.last != nil && e.last.tableMap == tm {
		return e.last
	}
	b := e.bound[tm]
	if b == nil {
		b = &binding{tableMap: tm}
		e.bound[tm] = b
	}
	e.last = b
	return b
}

func (e *engine) target(b *binding, en *entry) target {
	if en.id < 0 {
		return resolve(b.tableMap, int(en.level), strings.ToLower(en.key))
	}
	ts := b.targets[en.level]
	if int(en.id) >= len(ts) {
		grown := make([]target, len(e.keys)+32)
		copy(grown, ts)
		for i := len(ts); i < len(grown); i++ {
			grown[i].column = unbound
		}
		b.targets[en.level] = grown
		ts = grown
	}
	if ts[en.id].column == unbound {
		ts[en.id] = resolve(b.tableMap, int(en.level), e.keys[en.id].lower)
	}
	return ts[en.id]
}

func resolve(tm *tableMap, level int, lower string) target {
	if t, ok := tm.direct[level][lower]; ok {
		return t
	}
	if strings.HasPrefix(lower, "@odata.") || strings.Contains(lower, "@odata.") {
		return target{column: toNowhere}
	}
	return target{column: toExtra}
}
