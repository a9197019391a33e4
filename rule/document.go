package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"glassward/kql/diag"
)

// Codes of what can be wrong with a rule file. They keep their meaning.
const (
	codeYAML      diag.Code = "RULE0001" // no YAML, or YAML that rule files do not use
	codeField     diag.Code = "RULE0002" // unknown field
	codeMissing   diag.Code = "RULE0003" // a field is missing
	codeValue     diag.Code = "RULE0004" // a value of the wrong form
	codeLimit     diag.Code = "RULE0005" // more than Sentinel allows
	codeEntity    diag.Code = "RULE0006" // unknown entity type or identifier
	codeClash     diag.Code = "RULE0007" // id or name of another rule
	codeNRT       diag.Code = "RULE0101" // NRT with a query that is not local
	codeColumn    diag.Code = "RULE0102" // a column that the result does not have
	codeName      diag.Code = "RULE0103" // judged by name where an id is wanted
	codeShippedID diag.Code = "RULE0104" // a shipped rule that names an object
	codeClock     diag.Code = "RULE0105" // a query that filters by the clock
	codeIgnored   diag.Code = "RULE0106" // a field that has no effect
	codeAzure     diag.Code = "RULE0107" // works here, and Azure refuses it
	codeFirst     diag.Code = "RULE0108" // ids compared with names
	codeLookBack  diag.Code = "RULE0109" // looks back less than records are late, or than the query asks
	codeMatching  diag.Code = "RULE0110" // groups incidents by what alerts of the rule do not have
)

// A document is a YAML file that is read strictly: everything that is not
// understood becomes a diagnostic with its place in the file.
type document struct {
	src   string
	lines []int // offset at which each line begins
	diags diag.List
}

// An entry is one key of a mapping with its value.
type entry struct {
	key   string
	at    diag.Span
	value ast.Node
}

// openDocument parses src. The node is nil if there is nothing to read; the
// reason is then in the document's diagnostics.
func openDocument(src string) (*document, ast.Node) {
	d := &document{src: src, lines: []int{0}}
	for i := 0; i < len(src); i++ {
		if src[i] == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	if i := strings.IndexByte(src, 0); i >= 0 {
		d.diags.Errorf(codeYAML, diag.At(i, i+1), "save the file as UTF-8 text", "the file holds a NUL byte")
		return d, nil
	}
	if !utf8.ValidString(src) {
		i := 0
		for i < len(src) {
			r, n := utf8.DecodeRuneInString(src[i:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			i += n
		}
		d.diags.Errorf(codeYAML, diag.At(i, i+1), "save the file as UTF-8 text", "the file is not UTF-8")
		return d, nil
	}
	file, err := parse(strings.TrimPrefix(src, "\ufeff"))
	if e, ok := err.(yaml.Error); ok {
		// Its Error method formats the source and cannot do without a token, which
		// some errors lack.
		d.diags.Errorf(codeYAML, d.tokenSpan(e.GetToken()), "", "%s", e.GetMessage())
		return d, nil
	}
	if err != nil {
		d.diags.Errorf(codeYAML, diag.At(0, 0), "", "%v", err)
		return d, nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			d.diags.Errorf(codeYAML, d.span(doc.Body), "put each rule into a file of its own", "the file holds more than one document")
			return d, nil
		}
		body = doc.Body
	}
	if body == nil {
		d.diags.Errorf(codeYAML, diag.At(0, 0), "", "the file is empty")
	}
	return d, body
}

// parse guards the YAML library: what makes it panic is an error of the file,
// not of the program.
func parse(src string) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			file, err = nil, fmt.Errorf("the YAML cannot be read: %v", r)
		}
	}()
	return parser.ParseBytes([]byte(src), 0)
}

// offset gives the byte at which a line and column (of characters, from 1)
// stand.
func (d *document) offset(line, column int) int {
	if line < 1 || line > len(d.lines) {
		return len(d.src)
	}
	at := d.lines[line-1]
	if line == 1 && strings.HasPrefix(d.src, "\ufeff") {
		at += len("\ufeff")
	}
	for ; column > 1 && at < len(d.src) && d.src[at] != '\n'; column-- {
		_, n := utf8.DecodeRuneInString(d.src[at:])
		at += n
	}
	return at
}

func (d *document) tokenSpan(t *token.Token) diag.Span {
	if t == nil || t.Position == nil {
		return diag.At(0, 0)
	}
	at := d.offset(t.Position.Line, t.Position.Column)
	end := at + len(strings.TrimSpace(t.Origin))
	if i := strings.IndexByte(d.src[at:], '\n'); i >= 0 {
		end = min(end, at+i)
	}
	return diag.At(at, min(max(end, at), len(d.src)))
}

func (d *document) span(n ast.Node) diag.Span {
	switch n := n.(type) {
	case nil:
		return diag.At(0, 0)
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return d.span(n.Values[0])
		}
	case *ast.MappingValueNode:
		return d.tokenSpan(n.Key.GetToken())
	case *ast.SequenceNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return d.span(n.Values[0])
		}
	case *ast.LiteralNode:
		return d.tokenSpan(n.Start)
	}
	return d.tokenSpan(n.GetToken())
}

// mapping gives the entries of a mapping, known ones only: a key that is not
// among known is reported with the nearest that is. A nil known takes any key.
func (d *document) mapping(n ast.Node, what string, known []string) []entry {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	case *ast.NullNode:
		return nil
	default:
		d.diags.Errorf(codeValue, d.span(n), "", "%s must be a mapping (name: value)", what)
		return nil
	}
	var out []entry
	for _, v := range values {
		at := d.tokenSpan(v.Key.GetToken())
		key := v.Key.GetToken().Value
		switch {
		case slices.ContainsFunc(out, func(e entry) bool { return e.key == key }):
			d.diags.Errorf(codeYAML, at, "keep one of them", "%s stands twice in %s", key, what)
			continue
		case known != nil && !slices.Contains(known, key):
			d.diags.Errorf(codeField, at, hintFor(key, known), "unknown field %q in %s", key, what)
			continue
		}
		out = append(out, entry{key, at, v.Value})
	}
	return out
}

// sequence gives the elements of a sequence.
func (d *document) sequence(n ast.Node, what string) []ast.Node {
	switch n := n.(type) {
	case *ast.SequenceNode:
		return n.Values
	case *ast.NullNode:
		return nil
	}
	d.diags.Errorf(codeValue, d.span(n), "write [a, b] or one element a line after a dash", "%s must be a list", what)
	return nil
}

// text gives a scalar as it is written: 1.10 stays "1.10".
func (d *document) text(n ast.Node, what string) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.IntegerNode:
		return n.Token.Value
	case *ast.FloatNode:
		return n.Token.Value
	case *ast.BoolNode:
		return n.Token.Value
	case *ast.NullNode:
		return ""
	case *ast.AnchorNode, *ast.AliasNode:
		d.diags.Errorf(codeYAML, d.span(n), "write the value out", "rule files have no anchors and aliases")
		return ""
	}
	d.diags.Errorf(codeValue, d.span(n), "", "%s must be text", what)
	return ""
}

// texts gives a list of scalars; one scalar is a list of one.
func (d *document) texts(n ast.Node, what string) []string {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return []string{d.text(n, what)}
	}
	var out []string
	for _, v := range d.sequence(n, what) {
		if s := d.text(v, what); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (d *document) boolean(n ast.Node, what string) bool {
	switch s := strings.ToLower(d.text(n, what)); s {
	case "true":
		return true
	case "false":
	default:
		d.diags.Errorf(codeValue, d.span(n), "write true or false", "%s must be true or false, not %q", what, s)
	}
	return false
}

func (d *document) integer(n ast.Node, what string, low, high int) int {
	s := d.text(n, what)
	v, err := strconv.Atoi(s)
	if err != nil || v < low || v > high {
		d.diags.Errorf(codeValue, d.span(n), "", "%s must be a whole number from %d to %d, not %q", what, low, high, s)
		return low
	}
	return v
}

// hintFor names the known word that is nearest to one that is not known.
func hintFor(word string, known []string) string {
	if slices.Contains(known, "metadata") && slices.Contains([]string{"source", "author", "support", "categories"}, word) {
		return "it belongs under metadata, indented"
	}
	best := diag.Nearest(word, known)
	if best != "" {
		return "did you mean " + best + "?"
	}
	if len(known) <= 12 {
		return "known are " + strings.Join(known, ", ")
	}
	return ""
}
