// Package kqltest is a small language in which the behaviour of KQL is written down, and its runner.
//
// A file holds cases. A case begins with a line `== name`; what stands before the first one is a comment,
// as are lines that begin with # between a case's name and its first section. Sections begin with a line
// `-- section --` and end where the next one begins:
//
//	== where keeps what matches
//	-- table People (Name:string, Age:long) --
//	"ann", 30
//	"bob", null
//	-- query --
//	People
//	| where Age > 20
//	-- rows (Name:string, Age:long) --
//	"ann", 30
//
// Rows are JSON values with commas, a line each: numbers, true, false, null, strings; a dynamic is any JSON
// value, a datetime, timespan or guid a string as Kusto prints it. A row that is written as a whole
// array, [ … ], is taken too.
//
//	-- table NAME (SCHEMA) --     a table that the query sees; any number of them
//	-- query --                   the query; every case has one
//	-- rows (SCHEMA) --           the result, rows in any order
//	-- rows (SCHEMA) in order --  the result, rows in this order
//	-- diagnostics --             what the compiler says, as diag.Render writes it
//	-- sql --                     the SQL that is generated
//	-- tree --                    the relational tree as text
//	-- options --                 name = value lines, for the engine
//
// A case without rows must fail to compile unless it has sql or tree; a case without diagnostics must give
// none. The runner knows nothing of the compiler: a test gives it an Engine.
package kqltest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Column is a column's name and KQL type.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// String gives name:type.
func (c Column) String() string { return c.Name + ":" + c.Type }

// Table is a table that a query sees, or a result. Cells are nil, bool, json.Number, string, or, in a
// dynamic, what encoding/json makes of objects and arrays (with json.Number).
type Table struct {
	Name    string
	Columns []Column
	Rows    [][]any
}

// Case is one case of a file.
type Case struct {
	Name        string
	Line        int // of its name, from 1
	Tables      []*Table
	Query       string
	Rows        *Table // nil if the case has no such section
	Ordered     bool
	Diagnostics *string // as are these
	SQL         *string
	Tree        *string
	Options     map[string]string

	sections []*section
}

// File is a file of cases.
type File struct {
	Name    string
	Comment string
	Cases   []*Case
}

// section is a section as written.
type section struct {
	line   int
	header string // between the dashes
	body   string
}

// ReadFile reads the cases of a file.
func ReadFile(name string) (*File, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return Parse(name, string(b))
}

// Parse reads the cases of a text; name is used in errors only. Every error names its line.
func Parse(name, text string) (*File, error) {
	f := &File{Name: name}
	var c *Case
	var s *section
	var comment strings.Builder
	for i, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		n := i + 1
		if title, ok := strings.CutPrefix(line, "== "); ok {
			c, s = &Case{Name: strings.TrimSpace(title), Line: n}, nil
			f.Cases = append(f.Cases, c)
			continue
		}
		if h, ok := header(line); ok {
			if c == nil {
				return nil, fmt.Errorf("%s:%d: a section stands before the first case (== name)", name, n)
			}
			s = &section{line: n, header: h}
			c.sections = append(c.sections, s)
			continue
		}
		switch {
		case s != nil:
			s.body += line + "\n"
		case c == nil:
			comment.WriteString(line + "\n")
		case strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#"):
			return nil, fmt.Errorf("%s:%d: this line stands in no section", name, n)
		}
	}
	f.Comment = strings.TrimRight(comment.String(), "\n")
	seen := map[string]int{}
	for _, c := range f.Cases {
		if line, ok := seen[c.Name]; ok {
			return nil, fmt.Errorf("%s:%d: the case %q is in line %d already", name, c.Line, c.Name, line)
		}
		seen[c.Name] = c.Line
		if err := c.read(); err != nil {
			return nil, fmt.Errorf("%s:%w", name, err)
		}
	}
	return f, nil
}

// header gives what stands between the dashes of `-- … --`.
func header(line string) (string, bool) {
	h, ok := strings.CutPrefix(line, "-- ")
	if !ok {
		return "", false
	}
	h, ok = strings.CutSuffix(strings.TrimRight(h, " \t"), " --")
	return strings.TrimSpace(h), ok
}

func (c *Case) read() error {
	for _, s := range c.sections {
		if err := c.section(s); err != nil {
			return fmt.Errorf("%d: %s: %w", s.line, c.Name, err)
		}
	}
	if strings.TrimSpace(c.Query) == "" {
		return fmt.Errorf("%d: %s: the case has no query", c.Line, c.Name)
	}
	return nil
}

func (c *Case) section(s *section) error {
	word, rest, _ := strings.Cut(s.header, " ")
	text := strings.Trim(s.body, "\n")
	switch word {
	case "query":
		c.Query = text
	case "table":
		name, schema, _ := strings.Cut(rest, "(")
		t, err := table(strings.TrimSpace(name), "("+schema, text)
		if err != nil {
			return err
		}
		if t.Name == "" {
			return errors.New("the table has no name")
		}
		c.Tables = append(c.Tables, t)
	case "rows":
		schema, ordered := strings.CutSuffix(rest, " in order")
		t, err := table("", schema, text)
		if err != nil {
			return err
		}
		c.Rows, c.Ordered = t, ordered
	case "diagnostics":
		c.Diagnostics = &text
	case "sql":
		c.SQL = &text
	case "tree":
		c.Tree = &text
	case "options":
		c.Options = map[string]string{}
		for line := range strings.Lines(text) {
			name, value, ok := strings.Cut(line, "=")
			if !ok {
				return fmt.Errorf("the option %q has no =", strings.TrimSpace(line))
			}
			c.Options[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	default:
		return fmt.Errorf("there is no section %q", word)
	}
	return nil
}

func table(name, schema, text string) (*Table, error) {
	t := &Table{Name: name}
	var err error
	if t.Columns, err = ParseColumns(schema); err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		row, err := parseRow(line, len(t.Columns))
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", len(t.Rows)+1, err)
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

// ParseColumns reads (Name:type, …). A name with other characters than letters, digits and _ is written ['…'].
func ParseColumns(s string) ([]Column, error) {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "(") || !strings.HasSuffix(s, ")") {
		return nil, fmt.Errorf("%q is no list of columns: (Name:type, …)", s)
	}
	s = strings.TrimSpace(s[1 : len(s)-1])
	var list []Column
	for s != "" {
		var name string
		if rest, ok := strings.CutPrefix(s, "['"); ok {
			if name, s, ok = strings.Cut(rest, "']"); !ok {
				return nil, fmt.Errorf("%q has no end ']", rest)
			}
			if s, ok = strings.CutPrefix(strings.TrimSpace(s), ":"); !ok {
				return nil, fmt.Errorf("the column %q has no type", name)
			}
		} else if name, s, ok = strings.Cut(s, ":"); !ok {
			return nil, fmt.Errorf("the column %q has no type", name)
		}
		typ, rest, more := strings.Cut(s, ",")
		list = append(list, Column{strings.TrimSpace(name), strings.TrimSpace(typ)})
		s = strings.TrimSpace(rest)
		if more && s == "" {
			return nil, errors.New("nothing follows the last comma")
		}
	}
	return list, nil
}

// parseRow reads JSON values with commas. One array for a row of several columns is the row itself.
func parseRow(line string, columns int) ([]any, error) {
	row, err := decodeArray("[" + line + "]")
	if err != nil {
		return nil, err
	}
	if len(row) == 1 && columns != 1 {
		if inner, ok := row[0].([]any); ok {
			row = inner
		}
	}
	if len(row) != columns {
		return nil, fmt.Errorf("%d cells for %d columns", len(row), columns)
	}
	return row, nil
}

func decodeArray(s string) ([]any, error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var row []any
	if err := d.Decode(&row); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("text follows the last cell")
	}
	return row, nil
}

// marshal writes v as compact JSON without escaping < > &.
func marshal(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprintf("%v", v)
	}
	return strings.TrimRight(b.String(), "\n")
}
