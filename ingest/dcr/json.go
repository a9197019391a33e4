package dcr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"glassward/kql/diag"
)

// A Problem is something wrong in a file, at a place that counts from 1.
type Problem struct {
	Line, Column int
	Message      string
	// Warning is a problem that refuses nothing.
	Warning bool
}

// maxNesting is how deep the resources may be nested, far deeper than they are.
const maxNesting = 100

// A node is a JSON value with its place.
type node struct {
	at      int  // byte offset
	kind    byte // one of { [ " 0 t n, t for both truths
	text    string
	members []member
	items   []*node
}

type member struct {
	at    int
	name  string
	value *node
}

// get gives an object's member, nil where there is none or it is null.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for _, m := range n.members {
		if m.name == name && m.value.kind != 'n' {
			return m.value
		}
	}
	return nil
}

// A reader reads one file and notes what is wrong with it.
type reader struct {
	text     string
	decoder  *json.Decoder
	skipped  int // bytes of a byte order mark
	problems []Problem
}

func newReader(text []byte) *reader {
	const mark = "\ufeff"
	r := &reader{text: string(text)}
	if strings.HasPrefix(r.text, mark) {
		r.skipped = len(mark)
	}
	r.decoder = json.NewDecoder(strings.NewReader(r.text[r.skipped:]))
	r.decoder.UseNumber()
	return r
}

// fail notes a problem at a byte of the file.
func (r *reader) fail(at int, format string, args ...any) {
	p := diag.Locate(r.text, at)
	r.problems = append(r.problems, Problem{Line: p.Line, Column: p.Column, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) warn(at int, format string, args ...any) {
	r.fail(at, format, args...)
	r.problems[len(r.problems)-1].Warning = true
}

// failed says whether a problem is more than a warning.
func (r *reader) failed() bool {
	for _, p := range r.problems {
		if !p.Warning {
			return true
		}
	}
	return false
}

// object reads the file as one object, nil if it is none.
func (r *reader) object() *node {
	n := r.value(0)
	if n == nil {
		return nil
	}
	if n.kind != '{' {
		r.fail(n.at, "the file holds no JSON object")
		return nil
	}
	if at := r.here(); at < len(r.text) {
		r.fail(at, "something follows the object")
		return nil
	}
	return n
}

// here gives where the next token begins.
func (r *reader) here() int {
	at := r.skipped + int(r.decoder.InputOffset())
	for at < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[at]) >= 0 {
		at++
	}
	return at
}

// value reads a value; nil says that the file is no JSON, which has been noted.
func (r *reader) value(depth int) *node {
	at := r.here()
	token, err := r.decoder.Token()
	if err != nil {
		r.broken(err)
		return nil
	}
	if depth > maxNesting {
		r.fail(at, "the file is nested deeper than %d", maxNesting)
		return nil
	}
	n := &node{at: at}
	switch t := token.(type) {
	case json.Delim:
		n.kind = byte(t)
		if t == '{' {
			return r.members(n, depth)
		}
		for r.decoder.More() {
			item := r.value(depth + 1)
			if item == nil {
				return nil
			}
			n.items = append(n.items, item)
		}
		return r.closed(n)
	case string:
		n.kind, n.text = '"', t
	case json.Number:
		n.kind, n.text = '0', t.String()
	case bool:
		n.kind, n.text = 't', fmt.Sprint(t)
	case nil:
		n.kind = 'n'
	}
	return n
}

func (r *reader) members(n *node, depth int) *node {
	seen := map[string]bool{}
	for r.decoder.More() {
		at := r.here()
		token, err := r.decoder.Token()
		if err != nil {
			r.broken(err)
			return nil
		}
		name, ok := token.(string)
		if !ok {
			r.fail(at, "the file is no JSON here: a name in quotes was expected")
			return nil
		}
		if seen[name] {
			r.fail(at, "%q stands here twice", name)
		}
		seen[name] = true
		v := r.value(depth + 1)
		if v == nil {
			return nil
		}
		n.members = append(n.members, member{at, name, v})
	}
	return r.closed(n)
}

// closed takes the closing bracket.
func (r *reader) closed(n *node) *node {
	if _, err := r.decoder.Token(); err != nil {
		r.broken(err)
		return nil
	}
	return n
}

// broken notes that the file is no JSON.
func (r *reader) broken(err error) {
	at := r.here()
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		at = r.skipped + max(0, int(syntax.Offset)-1)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		at, err = len(r.text), errors.New("the file ends before its object does")
	}
	r.fail(min(at, len(r.text)), "the file is no JSON here: %v", err)
}

// only refuses members of an object that are not known. Those in passed are known
// and mean nothing here.
func (r *reader) only(n *node, what string, known, passed []string) {
	if n == nil {
		return
	}
	names := slices.Concat(known, passed)
	for _, m := range n.members {
		if slices.Contains(names, m.name) {
			continue
		}
		if near := diag.Nearest(m.name, names); near != "" {
			r.fail(m.at, "%s has no field %q: did you mean %s?", what, m.name, near)
		} else {
			r.fail(m.at, "%s has no field %q", what, m.name)
		}
	}
}

// string gives a member that is a string, empty where there is none.
func (r *reader) string(n *node, name string) (text string, at int) {
	v := n.get(name)
	if v == nil {
		return "", n.at
	}
	if v.kind != '"' {
		r.fail(v.at, "%s is no string", name)
		return "", v.at
	}
	return v.text, v.at
}

// list gives the items of a member that is an array, and of each that it is of a
// kind.
func (r *reader) list(n *node, name string, kind byte, what string) []*node {
	v := n.get(name)
	if v == nil {
		return nil
	}
	if v.kind != '[' {
		r.fail(v.at, "%s is no array", name)
		return nil
	}
	var out []*node
	for _, item := range v.items {
		if item.kind != kind {
			r.fail(item.at, "an entry of %s is no %s", name, what)
			continue
		}
		out = append(out, item)
	}
	return out
}

// properties gives the object in which a resource's properties stand: "properties",
// or the resource itself where az has flattened it.
func (r *reader) properties(n *node, what string, known, passed, envelope []string) *node {
	p := n.get("properties")
	if p == nil {
		r.only(n, what, known, append(append([]string(nil), passed...), envelope...))
		return n
	}
	r.only(n, what, []string{"properties"}, envelope)
	if p.kind != '{' {
		r.fail(p.at, "properties is no object")
		return nil
	}
	r.only(p, "properties", known, passed)
	return p
}

// compact gives a JSON value without white space.
func compact(raw []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}
