package schema

import (
	"errors"
	"fmt"
	"strings"

	"glassward/kql/value"
)

// Parse reads a file of tables; tables.txt says what its lines may be. The
// error names file, line and column of everything that is wrong.
func Parse(file, text string) (*Set, error) {
	p := &parser{file: file, set: &Set{byName: make(map[string]*Table)}, names: make(map[string]int)}
	text = strings.TrimPrefix(text, "\ufeff")
	for line := range strings.Lines(text) {
		p.line++
		p.parseLine(strings.TrimRight(line, "\r\n"))
	}
	p.finishTable()
	if len(p.errs) == 0 && len(p.set.tables) == 0 {
		p.line = 1
		p.fail(1, "no table is declared")
	}
	if err := errors.Join(p.errs...); err != nil {
		return nil, err
	}
	return p.set, nil
}

type parser struct {
	file  string
	line  int
	set   *Set
	table *Table // being declared, nil in the own section and before it
	own   bool
	// names holds the line on which each column of the table was declared.
	names     map[string]int
	tableLine int
	errs      []error
}

// fail notes an error at a 1-based column of the current line.
func (p *parser) fail(column int, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s:%d:%d: %s", p.file, p.line, column, fmt.Sprintf(format, args...)))
}

// A field is one word of a line with its 1-based column.
type field struct {
	text string
	col  int
}

// next cuts the first word off a line whose first byte stands in column col.
func next(line string, col int) (f field, rest string, restCol int) {
	trimmed := strings.TrimLeft(line, " \t")
	col += len(line) - len(trimmed)
	end := strings.IndexAny(trimmed, " \t")
	if end < 0 {
		end = len(trimmed)
	}
	return field{trimmed[:end], col}, trimmed[end:], col + end
}

func (p *parser) parseLine(line string) {
	if s := strings.TrimSpace(line); s == "" || s[0] == '#' {
		return
	}
	if line[0] == ' ' || line[0] == '\t' {
		p.parseColumn(line)
		return
	}
	word, rest, col := next(line, 1)
	switch word.text {
	case "own":
		p.finishTable()
		if p.set.own != nil {
			p.fail(1, "the own columns are declared twice")
		}
		p.own = true
		clear(p.names)
	case "table":
		p.finishTable()
		p.own = false
		clear(p.names)
		name, doc, _ := next(rest, col)
		switch _, known := p.set.byName[name.text]; {
		case !isName(name.text):
			p.fail(name.col, "%q is no name of a table: letters, digits and _", name.text)
		case known:
			p.fail(name.col, "table %s is declared twice", name.text)
		}
		p.tableLine = p.line
		p.table = &Table{Name: name.text, Doc: strings.TrimSpace(doc), index: make(map[string]int)}
	case "category":
		if p.table == nil {
			p.fail(1, "category stands outside a table")
			return
		}
		for {
			var c field
			if c, rest, col = next(rest, col); c.text == "" {
				return
			}
			p.table.Categories = append(p.table.Categories, c.text)
		}
	case "internal":
		if p.table == nil {
			p.fail(1, "internal stands outside a table")
			return
		}
		p.table.Internal = true
	case "shadow":
		if p.table == nil {
			p.fail(1, "shadow stands outside a table")
			return
		}
		p.parseShadow(rest, col)
	default:
		p.fail(1, "%q begins no declaration: use own, table, category, internal or shadow, and indent columns", word.text)
	}
}

func (p *parser) parseColumn(line string) {
	name, rest, col := next(line, 1)
	typ, doc, _ := next(rest, col)
	if p.table == nil && !p.own {
		p.fail(name.col, "column %s stands outside a table", name.text)
		return
	}
	c := Column{Name: name.text, Doc: strings.TrimSpace(doc)}
	if !p.declare(name) {
		return
	}
	base, mark, marked := strings.Cut(typ.text, ":")
	var known bool
	if c.Type, known = value.ParseType(base); !known || base == "" {
		p.fail(typ.col, "column %s has the type %q: use bool, int, long, real, string, datetime or dynamic", name.text, typ.text)
		return
	}
	if marked {
		if mark != "json" || c.Type != value.String {
			p.fail(typ.col, "column %s has the type %q: the only mark is string:json", name.text, typ.text)
			return
		}
		c.JSON = true
	}
	if p.own {
		p.set.own = append(p.set.own, c)
		return
	}
	p.table.index[c.Name] = len(p.table.Columns)
	p.table.Columns = append(p.table.Columns, c)
}

// declare notes a column's or shadow's name and refuses a second one.
func (p *parser) declare(name field) bool {
	if !isName(name.text) {
		p.fail(name.col, "%q is no name of a column: letters, digits and _", name.text)
		return false
	}
	if at, twice := p.names[name.text]; twice {
		p.fail(name.col, "%s is declared already on line %d", name.text, at)
		return false
	}
	p.names[name.text] = p.line
	return true
}

func (p *parser) parseShadow(rest string, col int) {
	name, rest, col := next(rest, col)
	path, rest, col := next(rest, col)
	typ, doc, _ := next(rest, col)
	if !p.declare(name) {
		return
	}
	cut := strings.IndexAny(path.text, ".[")
	if cut < 0 {
		p.fail(path.col, "shadow %s needs a column with a path, e.g. InitiatedBy.user.id", name.text)
		return
	}
	s := Shadow{Name: name.text, Column: path.text[:cut], Path: path.text[cut:], Doc: strings.TrimSpace(doc)}
	i, ok := p.table.index[s.Column]
	if !ok {
		p.fail(path.col, "shadow %s: table %s has no column %s above this line", name.text, p.table.Name, s.Column)
		return
	}
	if c := p.table.Columns[i]; c.Type != value.Dynamic && !c.JSON {
		p.fail(path.col, "shadow %s: column %s is %s; only dynamic and string:json have paths", name.text, s.Column, c.Type)
		return
	}
	s.column = i
	var err error
	if s.steps, err = parsePath(s.Path); err != nil {
		p.fail(path.col+cut, "shadow %s: %v", name.text, err)
		return
	}
	switch t, known := value.ParseType(typ.text); {
	case known && (t == value.String || t == value.Long || t == value.Bool || t == value.Real || t == value.DateTime):
		s.Type = t
	default:
		p.fail(typ.col, "shadow %s has the type %q: use string, long, bool, real or datetime", name.text, typ.text)
		return
	}
	if s.Type != value.String && s.every() {
		p.fail(typ.col, "shadow %s: a path with [*] gives a string", name.text)
		return
	}
	p.table.Shadows = append(p.table.Shadows, s)
}

// finishTable checks and keeps the table that was being declared.
func (p *parser) finishTable() {
	if p.own && len(p.set.own) == 0 {
		p.fail(1, "the own section declares no column")
	}
	t := p.table
	if t == nil {
		return
	}
	p.table = nil
	for _, c := range p.set.own {
		if _, clash := t.index[c.Name]; clash {
			p.errs = append(p.errs, fmt.Errorf("%s:%d:1: table %s declares %s, which is one of Glassward's own columns", p.file, p.tableLine, t.Name, c.Name))
		}
	}
	if i, ok := t.index["TimeGenerated"]; !ok || t.Columns[i].Type != value.DateTime {
		p.errs = append(p.errs, fmt.Errorf("%s:%d:1: table %s needs a column TimeGenerated of type datetime", p.file, p.tableLine, t.Name))
	}
	p.set.tables = append(p.set.tables, t)
	p.set.byName[t.Name] = t
}

// isName reports whether a text can be a column or table in KQL without quotes.
func isName(s string) bool {
	for i, r := range s {
		switch {
		case r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z':
		case '0' <= r && r <= '9' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}
