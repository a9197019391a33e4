package rule

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/schema"
)

// A screen decides which rules have to look at a record at all, from the
// prefilters of their programs. Conditions that several rules share are tried
// once a record, and equality is one look into a map, so that a record which no
// rule can match costs little however many rules there are.
type screen struct {
	tables map[string]*tableScreen
	rules  int
}

type tableScreen struct {
	all          []int // rules that want every record of the table
	columns      []screenColumn
	conditions   int
	alternatives []alternative

	held []bool // scratch: which conditions hold for the present record
}

// An alternative is one prefilter: its rule wants a record for which all of its
// conditions hold.
type alternative struct {
	rule       int
	conditions []int
}

// A screenColumn holds the conditions on one column, by value.
type screenColumn struct {
	index         int
	equal, folded map[string][]int
	contains      []needle
	containsFold  []needle
}

type needle struct {
	text       string
	term       bool // it counts as a whole term only
	conditions []int
}

// in says whether a text has what is looked for.
func (n *needle) in(text string) bool {
	return strings.Contains(text, n.text) && (!n.term || kql.MayHave(text, n.text))
}

// newScreen makes the screen of programs; a nil program wants nothing.
func newScreen(programs []*kql.Program) *screen {
	s := &screen{tables: map[string]*tableScreen{}, rules: len(programs)}
	for i, p := range programs {
		if p == nil {
			continue
		}
		for _, name := range p.Tables {
			s.add(i, name, p.Prefilters)
		}
	}
	return s
}

func (s *screen) add(rule int, name string, prefilters []kql.Prefilter) {
	t := s.tables[name]
	if t == nil {
		t = &tableScreen{}
		s.tables[name] = t
	}
	table, known := schema.Lookup(name)
	var found bool
	var mine []alternative
	for _, p := range prefilters {
		if p.Table != name {
			continue
		}
		found = true
		a := alternative{rule: rule}
		if slices.ContainsFunc(p.Conditions, func(c kql.Condition) bool { return len(c.Values) == 0 }) {
			continue // no record can matter: nobody is declared
		}
		for _, c := range p.Conditions {
			if !known {
				continue
			}
			// A condition on a hidden column, or on one whose text the engine and we
			// might write differently, is left out: the screen may let too much
			// through and never too little.
			i, ok := table.Index(c.Column)
			if !ok || table.Columns[i].Type == value.DateTime || table.Columns[i].Type == value.TimeSpan || table.Columns[i].Type == value.Real || table.Columns[i].Type == value.Decimal {
				continue
			}
			a.conditions = append(a.conditions, t.condition(i, c))
		}
		if len(a.conditions) == 0 {
			t.all = append(t.all, rule)
			return
		}
		mine = append(mine, a)
	}
	if !found {
		t.all = append(t.all, rule)
		return
	}
	t.alternatives = append(t.alternatives, mine...)
}

// condition gives the number of a condition. Each keeps its own number; what is
// shared is the trying of its values.
func (t *tableScreen) condition(column int, c kql.Condition) int {
	id := t.conditions
	t.conditions++
	t.held = append(t.held, false)
	i := slices.IndexFunc(t.columns, func(c screenColumn) bool { return c.index == column })
	if i < 0 {
		i = len(t.columns)
		t.columns = append(t.columns, screenColumn{index: column, equal: map[string][]int{}, folded: map[string][]int{}})
	}
	col := &t.columns[i]
	addNeedle := func(list *[]needle, text string, term bool) {
		if j := slices.IndexFunc(*list, func(n needle) bool { return n.text == text && n.term == term }); j >= 0 {
			(*list)[j].conditions = append((*list)[j].conditions, id)
			return
		}
		*list = append(*list, needle{text, term, []int{id}})
	}
	for _, v := range c.Values {
		switch c.Op {
		case kql.Equals:
			col.equal[v] = append(col.equal[v], id)
		case kql.EqualsFold:
			k := foldKey(v)
			col.folded[k] = append(col.folded[k], id)
		case kql.Contains:
			addNeedle(&col.contains, v, false)
		case kql.ContainsFold:
			addNeedle(&col.containsFold, strings.ToLower(v), false)
		case kql.HasFold:
			addNeedle(&col.containsFold, strings.ToLower(v), true)
		}
	}
	return id
}

// match gives, for each rule, the indexes of the records that it has to look at,
// nil if there are none.
func (s *screen) match(records []glassward.Record) [][]int {
	hits := make([][]int, s.rules)
	for i := range records {
		r := &records[i]
		t := s.tables[r.Table]
		if t == nil {
			continue
		}
		for _, rule := range t.all {
			hits[rule] = append(hits[rule], i)
		}
		if len(t.alternatives) == 0 || !t.try(r) {
			continue
		}
		for _, a := range t.alternatives {
			if h := hits[a.rule]; len(h) > 0 && h[len(h)-1] == i {
				continue
			}
			if !slices.ContainsFunc(a.conditions, func(c int) bool { return !t.held[c] }) {
				hits[a.rule] = append(hits[a.rule], i)
			}
		}
		clear(t.held)
	}
	return hits
}

// try sets held for a record and says whether any condition holds.
func (t *tableScreen) try(r *glassward.Record) bool {
	any := false
	hold := func(conditions []int) {
		for _, c := range conditions {
			t.held[c] = true
		}
		any = any || len(conditions) > 0
	}
	for i := range t.columns {
		c := &t.columns[i]
		if c.index >= len(r.Values) {
			continue
		}
		text := cellOf(r.Values[c.index])
		if len(c.equal) > 0 {
			hold(c.equal[text])
		}
		if len(c.folded) > 0 {
			hold(c.folded[foldKey(text)])
		}
		for k := range c.contains {
			if n := &c.contains[k]; n.in(text) {
				hold(n.conditions)
			}
		}
		if len(c.containsFold) > 0 {
			lower := strings.ToLower(text)
			for k := range c.containsFold {
				if n := &c.containsFold[k]; n.in(lower) {
					hold(n.conditions)
				}
			}
		}
	}
	return any
}

// cellOf gives the text of a value as conditions compare it.
func cellOf(v glassward.Value) string {
	switch v.Kind {
	case glassward.KindString:
		return v.Str
	case glassward.KindLong:
		return strconv.FormatInt(v.Num, 10)
	case glassward.KindBool:
		return strconv.FormatBool(v.Num != 0)
	case glassward.KindReal:
		return strconv.FormatFloat(v.Real, 'g', -1, 64)
	}
	return ""
}

// foldKey gives texts that strings.EqualFold calls equal the same key.
func foldKey(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return strings.Map(foldRune, s)
		}
	}
	return s
}

func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return unicode.ToLower(least)
}
