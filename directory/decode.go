package directory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"glassward"
	"glassward/directory/truth"
)

// A Problem is something in a part that is not as Graph promises it: a wrong type,
// an object without an id, an object that came twice.
type Problem struct {
	// Path is the place in the object, as "conditions.users.includeUsers"; of an
	// object in a part it begins with the object's id or number.
	Path string `json:"path"`
	// What says what stands there and what was expected.
	What string `json:"what"`
}

// String gives path and text in one line.
func (p Problem) String() string { return p.Path + ": " + p.What }

// Extra is what stood in an object beside what this version knows, by the name of
// the property, as it stood. Annotations of OData are not kept: they say nothing
// about the tenant.
type Extra map[string]json.RawMessage

// Names gives the names of properties that hold something, sorted. One that is
// null, "", [] or {} asks for nothing and is not named.
func (e Extra) Names() []string {
	var names []string
	for name, v := range e {
		if !node(v).empty() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// A decoder reads objects and notes what is not as promised, with its place.
type decoder struct {
	path     []string
	problems []Problem
	shared   shared
}

// shared are texts that many objects share, as the name of a department: each is held
// once. It may be nil.
type shared map[string]string

// sharedHeld is how many are held: of texts that nobody shares there is no end.
const sharedHeld = 1 << 14

// word reads a string that other objects are likely to have too; null is "".
func (d *decoder) word(n node) string {
	if len(n) < 2 || n[0] != '"' {
		return d.text(n)
	}
	if w, ok := d.shared[string(n[1:len(n)-1])]; ok {
		return w
	}
	s := d.text(n)
	// A text that was written with escapes is not found by what it stands for.
	if d.shared != nil && len(d.shared) < sharedHeld && len(s) == len(n)-2 {
		d.shared[s] = s
	}
	return s
}

func (d *decoder) problem(format string, args ...any) {
	d.problems = append(d.problems, Problem{Path: strings.Join(d.path, "."), What: fmt.Sprintf(format, args...)})
}

// wrong notes that a value is not of the type that was expected.
func (d *decoder) wrong(n node, want string) {
	seen := string(n)
	if len(seen) > 40 {
		seen = strings.ToValidUTF8(seen[:40], "") + "…"
	}
	d.problem("is %s, not %s", seen, want)
}

// object reads an object: each is given its properties and says whether it knows
// them; what it does not know is added to extra. Null is no object, and so is an
// empty array, which is what PowerShell makes of an object that holds nothing. Names
// in PascalCase, as PowerShell writes them, are read as Graph's.
func (d *decoder) object(n node, extra *Extra, each func(key string, v node) bool) {
	if n.kind() != '{' {
		if !n.empty() {
			d.wrong(n, "an object")
		}
		return
	}
	for key, v := range n.fields() {
		if key == "" || strings.HasPrefix(key, "#") || strings.Contains(key, "@odata.") && key != odataType {
			continue
		}
		if c := key[0]; 'A' <= c && c <= 'Z' {
			key = string(c|0x20) + key[1:]
		}
		d.path = append(d.path, key)
		if !each(key, v) && key != odataType && extra != nil {
			extra.add(key, v)
		}
		d.path = d.path[:len(d.path)-1]
	}
}

func (e *Extra) add(name string, v []byte) {
	if *e == nil {
		*e = Extra{}
	}
	(*e)[name] = bytes.Clone(v)
}

const odataType = "@odata.type"

// array reads an array; each is given its elements. Null is an empty one, and a
// single value stands for an array of one.
func (d *decoder) array(n node, each func(v node)) {
	switch n.kind() {
	case 'n':
	case '[':
		i := 0
		for v := range n.elements() {
			d.path = append(d.path, strconv.Itoa(i))
			each(v)
			d.path = d.path[:len(d.path)-1]
			i++
		}
	default:
		each(n)
	}
}

// text reads a string; null is "".
func (d *decoder) text(n node) string {
	switch n.kind() {
	case '"':
		return n.text()
	case 'n':
		return ""
	}
	d.wrong(n, "a string")
	return ""
}

// id reads an object id. Entra compares them without regard to case; those that
// have the form of one are given in lower case, everything else as it stands.
func (d *decoder) id(n node) string { return lowerID(d.text(n)) }

func lowerID(s string) string {
	if glassward.IsGUID(s) {
		return strings.ToLower(s)
	}
	return s
}

// texts reads an array of strings.
func (d *decoder) texts(n node) []string {
	var list []string
	d.array(n, func(v node) {
		if s := d.text(v); s != "" {
			list = append(list, s)
		}
	})
	return list
}

// ids reads an array of object ids.
func (d *decoder) ids(n node) []string {
	list := d.texts(n)
	for i := range list {
		list[i] = lowerID(list[i])
	}
	return list
}

// flags reads values of an enumeration: an array of them, or one string with
// commas, as Graph writes enumerations of flags. Known values are given in Graph's
// spelling whatever their case; others as they stand.
func (d *decoder) flags(n node, known ...string) []string {
	var list []string
	for _, s := range d.texts(n) {
		for one := range strings.SplitSeq(s, ",") {
			if one = strings.TrimSpace(one); one != "" {
				list = append(list, spelled(one, known))
			}
		}
	}
	return list
}

// enum reads one value of an enumeration, as flags does.
func (d *decoder) enum(n node, known ...string) string { return spelled(d.text(n), known) }

func spelled(s string, known []string) string {
	for _, k := range known {
		if strings.EqualFold(k, s) {
			return k
		}
	}
	return s
}

// truth reads a boolean; null is what Graph means by it, false, and a property
// that is not there stays Unknown.
func (d *decoder) truth(n node) truth.Value {
	switch n.kind() {
	case 't':
		return truth.True
	case 'f', 'n':
		return truth.False
	case '"':
		// Some exports write booleans as strings.
		if b, err := strconv.ParseBool(strings.ToLower(n.text())); err == nil {
			return truth.Of(b)
		}
	}
	d.wrong(n, "true or false")
	return truth.Unknown
}

// number reads a whole number; null is 0.
func (d *decoder) number(n node) int {
	switch n.kind() {
	case 'n':
		return 0
	case '0', '"':
		s := strings.Trim(string(n), `"`)
		if f, err := strconv.ParseFloat(s, 64); err == nil && f == float64(int(f)) {
			return int(f)
		}
	}
	d.wrong(n, "a whole number")
	return 0
}

// time reads a point in time; null and what Entra writes for never are zero.
func (d *decoder) time(n node) time.Time {
	s := d.text(n)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		d.problem("is %q, not a time", s)
		return time.Time{}
	}
	if t.Year() <= 1 {
		return time.Time{}
	}
	return t.UTC()
}

// list reads the objects of an array.
func list[T any](d *decoder, n node, one func(*decoder, node) T) []T {
	var out []T
	d.array(n, func(v node) {
		if v.kind() == '{' {
			out = append(out, one(d, v))
		} else if v.kind() != 'n' {
			d.wrong(v, "an object")
		}
	})
	return out
}
