package ingest

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"

	"glassward"
	"glassward/kql/value"
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

// maxKeys bounds the names that an engine remembers; names beyond are looked up
// anew each time.
const maxKeys = 8192

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
	cells   []string
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
	if len(e.keys) >= maxKeys {
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
}

// add notes a property on the tape.
func (e *engine) add(en entry) {
	at := int32(len(e.tape))
	if en.id >= 0 {
		p := &e.places[en.level][en.id]
		if p.seq == e.seq {
			e.tape[p.at].dead = true
			e.odd = append(e.odd, oddity{DuplicateKey, en.key, "the property comes twice; the last value was taken"})
		}
		*p = place{e.seq, at}
		if wk := e.keys[en.id].wk; wk != notKnown {
			e.present[en.level] |= 1 << wk
			e.known2[en.level][wk] = at
		}
	}
	e.tape = append(e.tape, en)
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

// recognise says which shape and table the record on the tape has; table is nil
// with a reason if it has none.
func (e *engine) recognise() (shape Shape, table *schema.Table, reason string) {
	shape = e.shape()
	if shape == Diagnostic {
		e.openProperties()
	}
	if e.table != nil {
		if shape == UnknownShape {
			shape = Columns
		}
		return shape, e.table, ""
	}
	switch shape {
	case Diagnostic:
		table, reason = e.diagnosticTable()
	case Activity:
		table = e.m.tables["azureactivity"]
	case Management:
		table = e.m.tables["officeactivity"]
	case Graph:
		table = e.graphTable()
	case Columns:
		table = e.columnsTable()
	default:
		// What has no other shape may be a projection of a table's columns.
		if table = e.guess(); table != nil {
			shape = Columns
		}
	}
	if table == nil && reason == "" {
		reason = e.unknown()
	}
	return shape, table, reason
}

func (e *engine) shape() Shape {
	switch {
	case e.has(0, wkEventTimestamp, wkOperationName):
		return Activity
	case e.has(0, wkTimeGenerated):
		return Columns
	case e.has(0, wkType) && e.m.tables[strings.ToLower(e.knownText(0, wkType))] != nil:
		return Columns
	case e.has(0, wkCreationTime, wkOperation) && (e.has(0, wkRecordType) || e.has(0, wkWorkload) || e.has(0, wkOrganizationID)):
		return Management
	case e.has(0, wkCategory) && (e.props >= 0 || e.has(0, wkTime) || e.has(0, wkResourceID, wkOperationName)):
		return Diagnostic
	case e.has(0, wkSourceSystem, wkOperationName):
		return Columns
	case e.has(0, wkActivityDateTime) && (e.has(0, wkActivityDisplayName) || e.has(0, wkLoggedByService) || e.has(0, wkProvisioningSteps)):
		return Graph
	case e.has(0, wkCreatedDateTime) && (e.has(0, wkAppID) || e.has(0, wkUserPrincipalName)) && (e.has(0, wkStatus) || e.has(0, wkIPAddress)):
		return Graph
	case e.has(0, wkRiskEventType, wkDetectedDateTime), e.has(0, wkRiskLastUpdated, wkUserDisplayName):
		return Graph
	}
	return UnknownShape
}

func (e *engine) diagnosticTable() (*schema.Table, string) {
	category := e.knownText(0, wkCategory)
	table := e.m.categories[strings.ToLower(category)]
	if table != nil && table.Name != "AzureActivity" {
		return table, ""
	}
	// Some shippers put the category of the activity into the envelope, and some
	// of those are categories of the Azure activity log too.
	if e.has(1, wkInitiatedBy) || e.has(1, wkTargetResources) || e.has(1, wkLoggedByService) {
		return e.m.tables["auditlogs"], ""
	}
	if table == nil {
		return nil, "no table takes the category " + strconv.Quote(category) + "; name a table to read it as"
	}
	return table, ""
}

func (e *engine) graphTable() *schema.Table {
	switch {
	case e.has(0, wkProvisioningSteps):
		return e.m.tables["aadprovisioninglogs"]
	case e.has(0, wkRiskEventType, wkDetectedDateTime):
		return e.m.tables["aaduserriskevents"]
	case e.has(0, wkRiskLastUpdated) && !e.has(0, wkCreatedDateTime):
		return e.m.tables["aadriskyusers"]
	case e.has(0, wkActivityDateTime):
		return e.m.tables["auditlogs"]
	}
	if en := e.knownEntry(0, wkSignInEventTypes); en != nil && en.kind == kArray {
		switch {
		case strings.Contains(en.val, `"interactiveUser"`):
			return e.m.tables["signinlogs"]
		case strings.Contains(en.val, `"nonInteractiveUser"`):
			return e.m.tables["aadnoninteractiveusersigninlogs"]
		case strings.Contains(en.val, `"servicePrincipal"`):
			return e.m.tables["aadserviceprincipalsigninlogs"]
		case strings.Contains(en.val, `"managedIdentity"`):
			return e.m.tables["aadmanagedidentitysigninlogs"]
		}
	}
	if en := e.knownEntry(0, wkIsInteractive); en != nil && en.kind == kFalse {
		return e.m.tables["aadnoninteractiveusersigninlogs"]
	}
	return e.m.tables["signinlogs"]
}

func (e *engine) columnsTable() *schema.Table {
	if t := e.m.tables[strings.ToLower(e.knownText(0, wkType))]; t != nil {
		return t
	}
	if t := e.m.categories[strings.ToLower(e.knownText(0, wkCategory))]; t != nil && t.Name != "AzureActivity" {
		return t
	}
	return e.guess()
}

// guess finds the table that has most of the record's properties as columns, if
// that is at least half of them and three. Of a row the header counts, not the
// cells that hold something. The answer is remembered for the same properties in
// the same order.
func (e *engine) guess() *schema.Table {
	names := e.names[:0]
	for _, c := range e.header {
		names = append(names, c.name)
	}
	if e.header == nil {
		for i := range e.tape {
			if en := &e.tape[i]; en.level == 0 {
				names = append(names, en.key)
			}
		}
	}
	e.names = names
	h := uint64(14695981039346656037)
	for _, name := range names {
		for i := range len(name) {
			h = (h ^ uint64(name[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	if t, ok := e.guesses[h]; ok {
		return t
	}
	var best *schema.Table
	bestCount := 0
	for _, t := range e.m.set.Tables() {
		n := 0
		for _, name := range names {
			if _, ok := t.Index(name); ok {
				n++
			}
		}
		if n > bestCount {
			best, bestCount = t, n
		}
	}
	if bestCount < 3 || bestCount*2 < len(names) {
		best = nil
	}
	if len(e.guesses) < 1024 {
		e.guesses[h] = best
	}
	return best
}

// unknown says what a record that has no shape looks like.
func (e *engine) unknown() string {
	var b strings.Builder
	b.WriteString("not a record of a known shape; its properties are")
	n := 0
	for i := range e.tape {
		if en := &e.tape[i]; en.level == 0 {
			if n++; n > 8 {
				b.WriteString(", …")
				break
			}
			if n > 1 {
				b.WriteByte(',')
			}
			b.WriteByte(' ')
			b.WriteString(strconv.Quote(shorten(en.key, 40)))
		}
	}
	if n == 0 {
		return "an object without properties"
	}
	b.WriteString("; name a table to read it as that table's columns")
	return b.String()
}

// shorten cuts a text to at most n bytes for a message.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
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
				e.extras = append(e.extras, int32(i))
			}
			continue
		case empty(en):
			continue
		}
		e.assign(b, values, int(t.column), t.rank, i)
	}
	for _, fb := range b.fallbacks {
		if e.ranks[fb.column] == noRank {
			e.fallback(b, values, fb)
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
		e.extras = append(e.extras, int32(at))
		e.warn(WrongType, en.key, "the value "+shorten(en.val, 60)+" is no "+b.table.Columns[column].Type.String()+"; it is kept in _Extra")
		return
	}
	if old := e.ranks[column]; old != noRank {
		same := values[column] == v
		if rank < old {
			if !same && !e.tells(int(e.sources[column])) {
				e.extras = append(e.extras, e.sources[column])
			}
		} else {
			if !same && !e.tells(at) {
				e.extras = append(e.extras, int32(at))
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
		}
		if en.kind != kObject {
			return
		}
		raw, ok := member(en.val, step)
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

// identify fills in the record's tenant and Entra's own id, and refuses a record
// of another tenant.
func (e *engine) identify(b *binding, rec *glassward.Record) (reason string) {
	tenant := ""
	if b.tenant >= 0 {
		tenant = rec.Values[b.tenant].Str
	}
	if tenant == "" && b.shape != Columns {
		// In the form of Log Analytics TenantId is the workspace.
		tenant = e.knownText(0, wkTenantID)
	}
	if tenant == "" && b.shape == Diagnostic {
		tenant = resourceTenant(e.knownText(0, wkResourceID))
	}
	want := e.options.Tenant
	if tenant != "" {
		rec.Tenant = strings.ToLower(tenant)
		if want != "" && !strings.EqualFold(tenant, want) {
			return "the record names the tenant " + strconv.Quote(shorten(tenant, 64)) + " and this source may give only records of " + want
		}
	}
	if want != "" && b.shape == Graph {
		// Graph's entities do not say whose they are; the source does.
		rec.Tenant = strings.ToLower(want)
		if b.tenant >= 0 && rec.Values[b.tenant].Str == "" {
			rec.Values[b.tenant] = glassward.String(want)
		}
		if b.resourceID >= 0 && rec.Values[b.resourceID].Str == "" {
			rec.Values[b.resourceID] = glassward.String("/tenants/" + want + "/providers/Microsoft.aadiam")
		}
	}
	if b.tenant >= 0 && rec.Values[b.tenant].Str == "" && rec.Tenant != "" && b.shape == Diagnostic {
		rec.Values[b.tenant] = glassward.String(tenant)
	}
	for _, alternative := range b.identity {
		if v := &rec.Values[alternative[0]]; v.Str != "" {
			rec.EntraID = v.Str
			break
		}
	}
	return ""
}

// resourceTenant gives the tenant in /tenants/<id>/providers/….
func resourceTenant(id string) string {
	const prefix = "/tenants/"
	if len(id) < len(prefix) || !strings.EqualFold(id[:len(prefix)], prefix) {
		return ""
	}
	tenant, _, _ := strings.Cut(id[len(prefix):], "/")
	return tenant
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
	for n, at := range e.extras {
		en := &e.tape[at]
		if e.keyIsOwn(en) {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		name := en.key
		for _, other := range e.extras[:n] {
			if e.tape[other].key == name && e.tape[other].level != en.level {
				name = "properties." + name
				break
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
	text := en.val
	if en.kind == kString || en.kind == kText {
		text, _ = e.decodeString(en.val, en.f)
	}
	// The scanner's copy keeps this sound while out is open.
	var inner texter
	inner.inner.known, inner.inner.seed = e.inner.known, e.inner.seed
	normal, _, ok := inner.jsonText(text)
	if !ok || normal[0] != '{' || len(normal) < 3 {
		return out
	}
	if len(out) > 1 {
		out = append(out, ',')
	}
	return append(out, normal[1:len(normal)-1]...)
}

// id gives the record's identity: table and Entra's own id, or table and content.
func (e *engine) id(b *binding, rec *glassward.Record, noTime bool) (id glassward.RecordID) {
	h := append(e.hashBuf[:0], rec.Table...)
	h = append(h, 0)
	if rec.EntraID != "" {
		for _, alternative := range b.identity {
			if rec.Values[alternative[0]].Str == "" {
				continue
			}
			h = append(h, rec.EntraID...)
			for _, i := range alternative[1:] {
				h = append(h, 0)
				if i == b.time && noTime {
					continue
				}
				h = appendCell(h, &rec.Values[i])
			}
			break
		}
	} else {
		for i := range rec.Values {
			v := &rec.Values[i]
			if v.Kind == glassward.KindNull || v.Kind == glassward.KindString && v.Str == "" || i == b.time && noTime {
				continue
			}
			h = append(h, b.table.Columns[i].Name...)
			h = append(h, 0)
			h = appendCell(h, v)
			h = append(h, 0)
		}
		h = append(h, rec.Extra...)
	}
	e.hashBuf = h
	sum := sha256.Sum256(h)
	copy(id[:], sum[:])
	return id
}

func appendCell(h []byte, v *glassward.Value) []byte {
	switch v.Kind {
	case glassward.KindString:
		return append(h, v.Str...)
	case glassward.KindReal:
		return binary.BigEndian.AppendUint64(h, math.Float64bits(v.Real))
	}
	return strconv.AppendInt(h, v.Num, 10)
}
