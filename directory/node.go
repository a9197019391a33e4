package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// A node is one JSON value, a part of a text that documents has accepted. It is
// read where it stands: a snapshot of 150,000 users would cost several times its
// size as maps.
type node []byte

// documents gives the JSON values of a text: one, or several after one another
// (NDJSON). A byte order mark is passed over and UTF-16 that has one is read, for
// PowerShell writes both.
func documents(text []byte) ([]node, error) {
	text = toUTF8(text)
	if json.Valid(text) {
		return []node{node(bytes.TrimSpace(text))}, nil
	}
	var list []node
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		var raw json.RawMessage
		err := d.Decode(&raw)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			line := 1 + bytes.Count(text[:min(int(d.InputOffset()), len(text))], []byte("\n"))
			return nil, fmt.Errorf("no JSON: line %d: %w", line, err)
		}
		list = append(list, node(raw))
	}
	if len(list) == 0 {
		return nil, errors.New("no JSON: the text is empty")
	}
	return list, nil
}

func toUTF8(text []byte) []byte {
	if rest, ok := bytes.CutPrefix(text, []byte("\ufeff")); ok {
		return rest
	}
	if len(text) < 2 || len(text)%2 != 0 {
		return text
	}
	little := text[0] == 0xff && text[1] == 0xfe
	if big := text[0] == 0xfe && text[1] == 0xff; !little && !big {
		return text
	}
	units := make([]uint16, 0, len(text)/2)
	for i := 2; i < len(text); i += 2 {
		a, b := uint16(text[i]), uint16(text[i+1])
		if little {
			a, b = b, a
		}
		units = append(units, a<<8|b)
	}
	out := make([]byte, 0, len(units))
	for _, r := range utf16.Decode(units) {
		out = utf8.AppendRune(out, r)
	}
	return out
}

// kind is the first character of the value: one of {["tfn, or 0 for a number.
func (n node) kind() byte {
	if len(n) == 0 {
		return 'n'
	}
	switch n[0] {
	case '{', '[', '"', 't', 'f', 'n':
		return n[0]
	}
	return '0'
}

// empty says that the value holds nothing: null, "", [] or {}.
func (n node) empty() bool {
	switch n.kind() {
	case 'n':
		return true
	case '"':
		return len(n) == 2
	case '{', '[':
		return space(n, 1) == len(n)-1
	}
	return false
}

// text is the value of a string.
func (n node) text() string {
	body := n[1 : len(n)-1]
	if bytes.IndexByte(body, '\\') < 0 && utf8.Valid(body) {
		return string(body)
	}
	var s string
	if json.Unmarshal(n, &s) != nil {
		return string(body) // cannot be: the text is valid JSON
	}
	return s
}

// fields gives the properties of an object in their order.
func (n node) fields() iter.Seq2[string, node] {
	return func(yield func(string, node) bool) {
		for i := space(n, 1); i < len(n) && n[i] != '}'; {
			end := skip(n, i)
			key := node(n[i:end]).text()
			i = space(n, space(n, end)+1) // the colon
			end = skip(n, i)
			if !yield(key, n[i:end]) {
				return
			}
			if i = space(n, end); i < len(n) && n[i] == ',' {
				i = space(n, i+1)
			}
		}
	}
}

// elements gives the elements of an array in their order.
func (n node) elements() iter.Seq[node] {
	return func(yield func(node) bool) {
		for i := space(n, 1); i < len(n) && n[i] != ']'; {
			end := skip(n, i)
			if !yield(n[i:end]) {
				return
			}
			if i = space(n, end); i < len(n) && n[i] == ',' {
				i = space(n, i+1)
			}
		}
	}
}

// get gives a property of an object, or nothing.
func (n node) get(name string) node {
	if n.kind() != '{' {
		return nil
	}
	for key, v := range n.fields() {
		if key == name {
			return v
		}
	}
	return nil
}

// among gives the properties of these names of an object, nothing for those that it does
// not have, in one pass: a page holds a thousand objects beside its other properties.
func (n node) among(names ...string) []node {
	list := make([]node, len(names))
	if n.kind() != '{' {
		return list
	}
	for key, v := range n.fields() {
		if i := slices.Index(names, key); i >= 0 && list[i] == nil {
			list[i] = v
		}
	}
	return list
}

// space is where the next character stands that is no white space.
func space(n node, i int) int {
	for i < len(n) && (n[i] == ' ' || n[i] == '\n' || n[i] == '\r' || n[i] == '\t') {
		i++
	}
	return i
}

// skip is where the value that begins at i ends.
func skip(n node, i int) int {
	depth := 0
	for i < len(n) {
		switch n[i] {
		case '"':
			i = closing(n, i) + 1
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\n', '\r', '\t':
			i++
			continue
		default:
			for i < len(n) && !ends(n[i]) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// size is how many bytes the node has without the white space between its tokens.
func (n node) size() int {
	size, within := 0, false
	for i := 0; i < len(n); i++ {
		c := n[i]
		switch {
		case within && c == '\\':
			size++
			i++
		case c == '"':
			within = !within
		case !within && (c == ' ' || c == '\n' || c == '\r' || c == '\t'):
			continue
		}
		size++
	}
	return size
}

// closing is where the quotation mark stands that ends the string that begins at i.
func closing(n node, i int) int {
	for i++; i < len(n); {
		at := bytes.IndexByte(n[i:], '"')
		if at < 0 {
			return len(n)
		}
		end := i + at
		slashes := 0
		for end-slashes > i && n[end-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return end
		}
		i = end + 1
	}
	return len(n)
}

// ends says whether a character stands behind a number or a word.
func ends(c byte) bool {
	switch c {
	case ',', ':', ']', '}', ' ', '\n', '\r', '\t':
		return true
	}
	return false
}
