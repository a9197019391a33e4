package ingest

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"glassward"
	"glassward/kql/value"
	"glassward/schema"
)

//go:embed mapping.txt
var mappingText string

// builtinMapping parses the embedded file when it is first needed. The file is
// part of the program, so an error in it is a defect of the build.
var builtinMapping = sync.OnceValue(func() *mapping {
	m, err := parseMapping("mapping.txt", mappingText, schema.Default())
	if err != nil {
		panic("ingest: " + err.Error())
	}
	return m
})

// A source names a property of a record, or a path into it.
type source struct {
	// level is 0 for the record itself and 1 for its "properties".
	level int
	key   string // lower case
	path  []string
}

func (s source) same(o source) bool {
	return s.level == o.level && s.key == o.key && slices.Equal(s.path, o.path)
}

// A transform changes a cell's text.
type transform uint8

const (
	asIs transform = iota
	toLevel
	toUpper
	toAddress
	toPlainName
	toOutcome
)

// section is one "map" of the file.
type section struct {
	shape  Shape
	tables []string // nil is every table
	lines  []mapLine
	extra  []source
	drop   []source
	// only says that a property goes to a column that a line names and to no other.
	only bool
}

type mapLine struct {
	column    string
	sources   []source
	listed    bool // sources are given, be it none
	constant  string
	hasConst  bool
	transform transform
	hasTrans  bool
	derived   derivation
}

type mapping struct {
	set        *schema.Set
	incoming   []*schema.Table // those that records from outside may go to
	sections   []section
	identities map[string][][]string
	categories map[string]*schema.Table // lower case
	tables     map[string]*schema.Table // lower case

	mu       sync.Mutex
	compiled map[mapKey]*tableMap
}

type mapKey struct {
	shape Shape
	table *schema.Table
}

func parseMapping(file, text string, set *schema.Set) (*mapping, error) {
	m := &mapping{
		set:        set,
		identities: make(map[string][][]string),
		categories: make(map[string]*schema.Table),
		tables:     make(map[string]*schema.Table),
		compiled:   make(map[mapKey]*tableMap),
	}
	for _, t := range set.Tables() {
		if t.Internal {
			// What Glassward alone writes is no table for what comes in.
			continue
		}
		m.incoming = append(m.incoming, t)
		m.tables[strings.ToLower(t.Name)] = t
		for _, c := range t.Categories {
			m.categories[strings.ToLower(c)] = t
		}
	}
	var errs []error
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if s := strings.TrimSpace(line); s == "" || s[0] == '#' {
			continue
		}
		if err := m.parseLine(line); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", file, n, err))
		}
	}
	return m, errors.Join(errs...)
}

func (m *mapping) parseLine(line string) error {
	words := strings.Fields(line)
	if line[0] != ' ' && line[0] != '\t' {
		switch words[0] {
		case "map":
			return m.parseHead(words[1:])
		case "identity":
			return m.parseIdentity(words[1:])
		}
		return fmt.Errorf("%q begins no section: use map or identity, and indent what belongs to a map", words[0])
	}
	if len(m.sections) == 0 {
		return fmt.Errorf("%q stands before the first map", words[0])
	}
	sec := &m.sections[len(m.sections)-1]
	switch words[0] {
	case "only":
		sec.only = true
		return nil
	case "extra", "drop":
		for _, w := range words[1:] {
			s, err := parseSource(w)
			if err != nil {
				return err
			}
			if words[0] == "extra" {
				sec.extra = append(sec.extra, s)
			} else {
				sec.drop = append(sec.drop, s)
			}
		}
		return nil
	}
	if len(words) < 2 {
		return fmt.Errorf("%s needs <-, =, := or |= after it", words[0])
	}
	l := mapLine{column: words[0]}
	_, rest, _ := strings.Cut(line, words[1])
	rest = strings.TrimSpace(rest)
	switch words[1] {
	case "<-":
		l.listed = true
		for text := range strings.SplitSeq(rest, ",") {
			if text = strings.TrimSpace(text); text == "" {
				continue
			}
			s, err := parseSource(text)
			if err != nil {
				return err
			}
			l.sources = append(l.sources, s)
		}
	case "=":
		l.constant, l.hasConst = rest, true
	case "|=":
		l.hasTrans = true
		switch rest {
		case "level":
			l.transform = toLevel
		case "upper":
			l.transform = toUpper
		case "address":
			l.transform = toAddress
		case "plainName":
			l.transform = toPlainName
		case "outcome":
			l.transform = toOutcome
		case "none":
		default:
			return fmt.Errorf("%s: there is no function %q: use level, upper, address, plainName, outcome or none", l.column, rest)
		}
	case ":=":
		if l.derived = derived(rest); l.derived == nil {
			return fmt.Errorf("%s: there is no derivation %q", l.column, rest)
		}
	default:
		return fmt.Errorf("%s: %q must be <-, =, := or |=", l.column, words[1])
	}
	sec.lines = append(sec.lines, l)
	for _, t := range sec.tables {
		if _, ok := m.tables[strings.ToLower(t)].Index(l.column); ok {
			return nil
		}
	}
	if sec.tables != nil {
		return fmt.Errorf("no table of this map has a column %s", l.column)
	}
	return nil
}

func (m *mapping) parseHead(words []string) error {
	if len(words) < 2 {
		return errors.New("map needs a shape and a table or *")
	}
	sec := section{}
	for s := range shapeCount {
		if s.String() == words[0] {
			sec.shape = s
		}
	}
	if sec.shape == UnknownShape {
		return fmt.Errorf("there is no shape %q", words[0])
	}
	if words[1] != "*" {
		for _, t := range words[1:] {
			if _, ok := m.set.Lookup(t); !ok {
				return fmt.Errorf("there is no table %q", t)
			}
			sec.tables = append(sec.tables, t)
		}
	}
	m.sections = append(m.sections, sec)
	return nil
}

func (m *mapping) parseIdentity(words []string) error {
	if len(words) < 2 {
		return errors.New("identity needs a table and a column")
	}
	t, ok := m.set.Lookup(words[0])
	if !ok {
		return fmt.Errorf("there is no table %q", words[0])
	}
	for _, w := range words[1:] {
		parts := strings.Split(w, "+")
		for _, p := range parts {
			if _, ok := t.Index(p); !ok {
				return fmt.Errorf("table %s has no column %q", t.Name, p)
			}
		}
		m.identities[t.Name] = append(m.identities[t.Name], parts)
	}
	return nil
}

// parseSource reads key, key.path, properties.key.path and key["any text"].
func parseSource(text string) (source, error) {
	var steps []string
	for rest := text; rest != ""; {
		if strings.HasPrefix(rest, `["`) {
			end := strings.Index(rest, `"]`)
			if end < 0 {
				return source{}, fmt.Errorf("source %s: \"] is missing", text)
			}
			steps = append(steps, rest[2:end])
			rest = strings.TrimPrefix(rest[end+2:], ".")
			continue
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			return source{}, fmt.Errorf("source %s: a name is missing", text)
		}
		steps = append(steps, rest[:end])
		rest = strings.TrimPrefix(rest[end:], ".")
	}
	s := source{}
	if steps[0] == "properties" && len(steps) > 1 {
		s.level = 1
		steps = steps[1:]
	}
	s.key = strings.ToLower(steps[0])
	s.path = steps[1:]
	return s, nil
}

// A tableMap says where the properties of one shape go in one table. It is
// shared by decoders and does not change.
type tableMap struct {
	table *schema.Table
	shape Shape
	// template holds the cells of a record of which nothing is known.
	template []glassward.Value
	// direct says for each level which column a property goes to.
	direct [2]map[string]target
	// fallbacks are tried in order where a column got nothing directly.
	fallbacks []fallback
	// derived fills columns that got nothing from one property.
	derived    []columnDerivation
	transforms []transform
	// plain marks the columns that take a text as it is.
	plain []bool
	// whole says that "properties" is a column's and its members are not taken
	// one by one.
	whole bool
	// identity holds the alternatives of columns that identify a record.
	identity   [][]int
	time       int
	tenant     int // -1 if the table has no column of the Entra tenant
	resourceID int // -1 likewise
	// only says that properties go to columns that a line names and to no others.
	only bool
	// unfilled are the columns that no record of the shape can fill; nil where any
	// may be.
	unfilled []string
}

type columnDerivation struct {
	column int
	derive derivation
}

// A target is where a property goes: a column, toExtra or toNowhere. Of two
// properties of one column the one with the lower rank wins.
type target struct {
	column int16
	rank   uint8
	// scalar says that an object is not taken: paths lead into it.
	scalar bool
}

const (
	toExtra   = -1
	toNowhere = -2
	unbound   = -3
)

const noRank = 0xff

type fallback struct {
	column int
	source source
}

// forTable gives the map of a shape and table.
func (m *mapping) forTable(shape Shape, t *schema.Table) *tableMap {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := mapKey{shape, t}
	tm := m.compiled[key]
	if tm == nil {
		tm = m.compile(shape, t)
		m.compiled[key] = tm
	}
	return tm
}

func (m *mapping) compile(shape Shape, t *schema.Table) *tableMap {
	tm := &tableMap{
		table:      t,
		shape:      shape,
		template:   make([]glassward.Value, len(t.Columns)),
		transforms: make([]transform, len(t.Columns)),
		direct:     [2]map[string]target{make(map[string]target), make(map[string]target)},
		tenant:     -1,
		resourceID: -1,
	}
	lists := make([][]source, len(t.Columns))
	listed := make([]bool, len(t.Columns))
	for i, c := range t.Columns {
		if c.Type == value.String {
			tm.template[i] = glassward.String("")
		}
		switch {
		case c.Name == "Type":
			tm.template[i] = glassward.String(t.Name)
		case c.Name == "TimeGenerated":
			tm.time = i
		case c.Name == "AADTenantId" || c.Name == "AadTenantId" || c.Name == "OfficeTenantId":
			tm.tenant = i
		case c.Name == "ResourceId":
			tm.resourceID = i
		}
	}
	var extra, drop []source
	order := []int{}
	only := false
	filled := make([]bool, len(t.Columns))
	for _, sec := range m.sections {
		if sec.shape != shape || sec.tables != nil && !slices.Contains(sec.tables, t.Name) {
			continue
		}
		only = only || sec.only
		extra = append(extra, sec.extra...)
		drop = append(drop, sec.drop...)
		for _, l := range sec.lines {
			i, ok := t.Index(l.column)
			if !ok {
				continue
			}
			if l.listed {
				lists[i], listed[i] = l.sources, true
				if !slices.Contains(order, i) {
					order = append(order, i)
				}
			}
			if l.hasConst {
				tm.template[i], _ = constant(t.Columns[i].Type, l.constant)
			}
			if l.hasTrans {
				tm.transforms[i] = l.transform
			}
			if l.derived != nil {
				tm.derived = append(tm.derived, columnDerivation{i, l.derived})
			}
			filled[i] = filled[i] || l.listed && len(l.sources) > 0 || l.hasConst || l.derived != nil
		}
	}

	// Each property has one column that it goes to directly: a column that lists
	// it first, else the one that has its name, else one that lists it later.
	wants := [2]map[string]int{make(map[string]int), make(map[string]int)}
	claim := func(s source, column, rank, want int) {
		if old, taken := wants[s.level][s.key]; !taken || old > want {
			into := func(o source) bool { return o.level == s.level && o.key == s.key && len(o.path) > 0 }
			tm.direct[s.level][s.key] = target{int16(column), uint8(rank), slices.ContainsFunc(lists[column], into)}
			wants[s.level][s.key] = want
		}
	}
	for _, i := range order {
		for rank, s := range lists[i] {
			if len(s.path) == 0 {
				claim(s, i, rank, 2*rank)
			}
		}
	}
	for i, c := range t.Columns {
		if listed[i] || only {
			continue
		}
		key := strings.ToLower(c.Name)
		claim(source{level: 0, key: key}, i, 0, 1)
		if shape == Diagnostic {
			claim(source{level: 1, key: key}, i, 1, 1)
		}
	}
	for _, i := range order {
		for _, s := range lists[i] {
			if len(s.path) > 0 || int(tm.direct[s.level][s.key].column) != i {
				tm.fallbacks = append(tm.fallbacks, fallback{i, s})
			}
			if s.level == 0 && s.key == "properties" {
				tm.whole = true
			}
		}
	}
	// A column whose name another column lists still gets what has its name.
	for i, c := range t.Columns {
		s := source{key: strings.ToLower(c.Name)}
		if to := tm.direct[0][s.key].column; !only && !listed[i] && to >= 0 && int(to) != i {
			tm.fallbacks = append(tm.fallbacks, fallback{i, s})
		}
	}
	isListed := func(s source) bool {
		i := tm.direct[s.level][s.key].column
		return i >= 0 && listed[i] && slices.ContainsFunc(lists[i], s.same)
	}
	for _, s := range extra {
		if !isListed(s) {
			tm.direct[s.level][s.key] = target{column: toExtra}
		}
	}
	for _, s := range drop {
		if _, taken := tm.direct[s.level][s.key]; !taken {
			tm.direct[s.level][s.key] = target{column: toNowhere}
		}
	}
	if tm.only = only; only {
		for i, c := range t.Columns {
			// Columns of Azure's own accounts are filled by no road.
			if !filled[i] && c.Name != "Type" && c.Name != "TenantId" && c.Name[0] != '_' && i != tm.tenant && i != tm.resourceID {
				tm.unfilled = append(tm.unfilled, c.Name)
			}
		}
	}
	tm.plain = make([]bool, len(t.Columns))
	for i, c := range t.Columns {
		tm.plain[i] = c.Type == value.String && !c.JSON && tm.transforms[i] == asIs
	}
	for _, names := range m.identities[t.Name] {
		var parts []int
		for _, name := range names {
			i, _ := t.Index(name)
			parts = append(parts, i)
		}
		tm.identity = append(tm.identity, parts)
	}
	return tm
}

// Unfilled names the columns of a table that records of a shape can never fill:
// what they would say is missing there, not empty. It is nil where any column may
// be filled, or where there is no such table.
func Unfilled(shape Shape, table string) []string {
	m := builtinMapping()
	t := m.tables[strings.ToLower(table)]
	if t == nil || shape == UnknownShape || shape >= shapeCount {
		return nil
	}
	return slices.Clone(m.forTable(shape, t).unfilled)
}

// constant gives a constant of the mapping as a cell.
func constant(t value.Type, text string) (glassward.Value, bool) {
	switch t {
	case value.String:
		return glassward.String(text), true
	case value.Long, value.Int:
		n, ok := integer(text)
		return glassward.Long(n), ok
	}
	return glassward.Null(), false
}
