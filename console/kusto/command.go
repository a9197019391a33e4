package kusto

import (
	"fmt"
	"strconv"
	"strings"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// A Table is the result of a command.
type Table struct {
	Columns []rel.Column
	// Rows have cells as those of kql.Result.
	Rows [][]any
}

// A Command is a command of which Kusto has more than a hundred, and this server those that only look:
// .show and what it shows.
type Command struct {
	kind commandKind
	// name is the table's or function's that it is about; names are the databases or tables that it is
	// restricted to, nil for all.
	name  string
	names []string
	form  form
	// Pipe is what stands behind the first pipe: operators over the result, empty for none.
	Pipe string
}

type commandKind uint8

const (
	showVersion commandKind = iota
	showCluster
	showDatabases
	showDatabase
	showSchema
	showEntities
	showTables
	showTable
	showFunctions
	showFunction
	showRoles
	showViews
	showExternal
	showGroups
)

// form says how a schema is written.
type form uint8

const (
	flat form = iota
	asJSON
	asCSL
)

// Databases are those that the command is about: every one that the caller may read, or those that are
// named. A name that is empty stands for the database of the request.
func (c Command) Databases() (names []string, every bool) {
	switch c.kind {
	case showVersion, showCluster:
		return nil, false
	case showDatabases, showSchema, showEntities, showRoles:
		return c.names, c.names == nil
	case showDatabase:
		return c.names, false
	}
	return []string{""}, false
}

// NeedsSchema says whether the result is made of tables and functions.
func (c Command) NeedsSchema() bool {
	switch c.kind {
	case showSchema, showEntities, showTables, showTable, showFunctions, showFunction:
		return true
	}
	return false
}

// ReadCommand reads a command. What is none of those that this server has is an Error that says so.
func ReadCommand(text string) (Command, *Error) {
	words, pipe, err := words(text)
	if err != nil {
		return Command{}, err
	}
	p := &commandParser{words: words}
	c := Command{Pipe: pipe}
	if !p.got(".") || !p.got("show") || !p.show(&c) || len(p.words) > 0 {
		return Command{}, readOnly(text)
	}
	return c, nil
}

// readOnly refuses a command that would change something, or that shows what is not here.
func readOnly(text string) *Error {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if r := []rune(first); len(r) > 100 {
		first = string(r[:100]) + "…"
	}
	return BadRequest("The command %s is not one that Glassward has: this API is read-only and shows versions, databases, tables, functions and schemas (.show version, .show databases, .show tables, .show table T cslschema, .show functions, .show schema as json). Tables and functions are declared in the configuration.", strconv.Quote(first))
}

// A word is a token of a command: a name with its letters as written, or a mark.
type word struct {
	text   string
	quoted bool
}

func (w word) is(text string) bool { return !w.quoted && strings.EqualFold(w.text, text) }

// words splits a command up to its first pipe.
func words(text string) (list []word, pipe string, _ *Error) {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ';':
			i++
		case c == '/' && strings.HasPrefix(text[i:], "//"):
			end := strings.IndexByte(text[i:], '\n')
			if end < 0 {
				end = len(text) - i
			}
			i += end
		case c == '|':
			return list, strings.TrimRight(strings.TrimSpace(text[i+1:]), ";"), nil
		case c == '\'' || c == '"':
			end := i + 1
			for end < len(text) && text[end] != c {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(text) {
				return nil, "", BadQuery(true, "SYN0002", "a string in the command does not end")
			}
			body := strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\'`, `'`).Replace(text[i+1 : end])
			list = append(list, word{body, true})
			i = end + 1
		case isNameByte(c):
			end := i
			for end < len(text) && (isNameByte(text[end]) || text[end] == '-' && end > i) {
				end++
			}
			list = append(list, word{text[i:end], false})
			i = end
		default:
			list = append(list, word{text[i : i+1], false})
			i++
		}
	}
	return list, "", nil
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

type commandParser struct{ words []word }

func (p *commandParser) got(text string) bool {
	if len(p.words) == 0 || !p.words[0].is(text) {
		return false
	}
	p.words = p.words[1:]
	return true
}

// entity reads a name: plain, in quotes, or ['…']. A plain name may have dots in it, as names of tenants do.
func (p *commandParser) entity() (string, bool) {
	if len(p.words) == 0 {
		return "", false
	}
	if w := p.words[0]; w.is("[") && len(p.words) > 2 && p.words[1].quoted && p.words[2].is("]") {
		name := p.words[1].text
		p.words = p.words[3:]
		return name, true
	} else if !w.quoted && !isNameByte(w.text[0]) {
		return "", false
	}
	w := p.words[0]
	name := w.text
	p.words = p.words[1:]
	for !w.quoted && len(p.words) > 1 && p.words[0].is(".") && !p.words[1].quoted && isNameByte(p.words[1].text[0]) {
		name += "." + p.words[1].text
		p.words = p.words[2:]
	}
	return name, true
}

// entities reads (A, B); the list is nil where there is none.
func (p *commandParser) entities() (names []string, ok bool) {
	if !p.got("(") {
		return nil, true
	}
	for {
		name, ok := p.entity()
		if !ok {
			return nil, false
		}
		names = append(names, name)
		p.ifLater()
		if p.got(")") {
			return names, true
		}
		if !p.got(",") {
			return nil, false
		}
	}
}

// ifLater reads if_later_than "v1.0": what is here is always later.
func (p *commandParser) ifLater() bool {
	if !p.got("if_later_than") {
		return true
	}
	if len(p.words) == 0 || !p.words[0].quoted {
		return false
	}
	p.words = p.words[1:]
	return true
}

// with reads the properties of a command, with (name=value, …), none of which changes what is shown here.
func (p *commandParser) with() bool {
	if !p.got("with") {
		return true
	}
	if !p.got("(") {
		return false
	}
	for len(p.words) > 0 {
		w := p.words[0]
		p.words = p.words[1:]
		if w.is(")") {
			return true
		}
	}
	return false
}

// show reads what stands behind .show.
func (p *commandParser) show(c *Command) (ok bool) {
	switch {
	case p.got("version"):
		c.kind = showVersion
	case p.got("cluster"):
		c.kind = showCluster
		if p.got("databases") {
			c.kind = showDatabases
			c.names, ok = p.entities()
			return ok
		}
	case p.got("databases"):
		return p.databases(c)
	case p.got("database"):
		return p.database(c)
	case p.got("schema"):
		c.kind = showSchema
		return p.schemaForm(c)
	case p.got("tables"):
		c.kind = showTables
		c.names, ok = p.entities()
		return ok
	case p.got("table"):
		c.kind = showTable
		if c.name, ok = p.entity(); !ok {
			return false
		}
		switch {
		case p.got("cslschema"):
			c.form = asCSL
			return true
		case p.got("schema"):
			return p.schemaForm(c) && c.form != flat
		}
		return false
	case p.got("functions"):
		c.kind = showFunctions
		return p.with()
	case p.got("function"):
		c.kind = showFunction
		c.name, ok = p.entity()
		return ok && p.with()
	case p.got("principal"):
		c.kind = showRoles
		return p.got("roles") && p.with()
	case p.got("materialized-views"):
		c.kind = showViews
	case p.got("external"):
		c.kind = showExternal
		return p.got("tables")
	case p.got("entity_groups"):
		c.kind = showGroups
	default:
		return false
	}
	return true
}

// databases reads what stands behind .show databases.
func (p *commandParser) databases(c *Command) (ok bool) {
	c.kind = showDatabases
	if c.names, ok = p.entities(); !ok {
		return false
	}
	switch {
	case p.got("entities"):
		c.kind = showEntities
		return p.with()
	case p.got("schema"):
		c.kind = showSchema
		p.got("details")
		return p.schemaForm(c)
	case p.got("details"), p.got("identity"):
		return true
	}
	return len(c.names) == 0
}

// database reads what stands behind .show database.
func (p *commandParser) database(c *Command) (ok bool) {
	c.kind = showDatabase
	c.names = []string{""}
	if len(p.words) == 0 {
		return true
	}
	// A database may be called schema.
	if first := p.words[0]; !first.is("schema") && !first.is("entities") && !first.is("cslschema") || len(p.words) > 1 && (p.words[1].is("schema") || p.words[1].is("cslschema")) {
		if c.names[0], ok = p.entity(); !ok {
			return false
		}
	}
	switch {
	case p.got("schema"):
		c.kind = showSchema
		p.got("details")
		return p.ifLater() && p.schemaForm(c)
	case p.got("cslschema"):
		c.kind, c.form = showSchema, asCSL
		p.got("script")
		return p.ifLater()
	case p.got("entities"):
		c.kind = showEntities
		return p.with()
	}
	p.got("details")
	return true
}

// schemaForm reads as json or as csl script behind schema.
func (p *commandParser) schemaForm(c *Command) bool {
	if !p.got("as") {
		return true
	}
	switch {
	case p.got("json"):
		c.form = asJSON
	case p.got("csl"):
		c.form = asCSL
		p.got("script")
	default:
		return false
	}
	return true
}

// Piped gives the query that applies the command's pipe to its result.
func (c Command) Piped(t Table) string {
	var b strings.Builder
	b.WriteString("datatable(")
	for i, col := range t.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(syntax.NameText(col.Name) + ":" + col.Type.String())
	}
	b.WriteString(")[")
	for i, row := range t.Rows {
		for j, cell := range row {
			if i+j > 0 {
				b.WriteString(", ")
			}
			b.WriteString(literal(t.Columns[j].Type, cell))
		}
	}
	b.WriteString("]\n| ")
	b.WriteString(c.Pipe)
	return b.String()
}

// literal writes a cell of a command's result as a query does.
func literal(t value.Type, cell any) string {
	switch v := cell.(type) {
	case bool:
		return strconv.FormatBool(v)
	case int64:
		if t == value.DateTime {
			return "datetime(" + value.Ticks(v).String() + ")"
		}
		return strconv.FormatInt(v, 10)
	case string:
		switch t {
		case value.GUID:
			return "guid(" + v + ")"
		case value.Dynamic:
			return "dynamic(" + v + ")"
		}
		return syntax.StringText(v)
	}
	if t == value.String {
		return `""`
	}
	return fmt.Sprintf("%s(null)", t)
}
