package change

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"glassward/directory"
	"glassward/directory/truth"
)

// An object is what is compared of one.
type object struct {
	id, name string
	// asked is the id by which the object may have been asked for, where that is another.
	asked      string
	properties map[string]property
	// doubtful are paths that could not be made out where they were read.
	doubtful []string
}

// A value is JSON in one form: names sorted, sets sorted, nothing of OData. Is is what
// is compared, show what is told of it; nil where that is the same.
type value struct{ is, show json.RawMessage }

// A property is a single value, or a set.
type property struct {
	value
	elements map[string]value // not nil: a set, by the names of its elements
	whole    bool             // what is not in elements is not in the set
	part     directory.Part   // if it is not the object's
}

func (v value) shown() json.RawMessage {
	if v.show != nil {
		return v.show
	}
	return v.is
}

// shownElements bounds how many elements of a set are told with an object that came or
// went whole.
const shownElements = 100

// all gives a property as one value.
func (p property) all() json.RawMessage {
	if p.elements == nil {
		return p.shown()
	}
	if len(p.elements) == 0 {
		return nil
	}
	var list []json.RawMessage
	for i, key := range slices.Sorted(maps.Keys(p.elements)) {
		if i == shownElements {
			list = append(list, text(fmt.Sprintf("and %d more", len(p.elements)-i)))
			break
		}
		list = append(list, p.elements[key].shown())
	}
	return encode(list)
}

// told gives a property as one value to compare by.
func (p property) told() json.RawMessage {
	if p.elements == nil {
		return p.is
	}
	m := make(map[string]json.RawMessage, len(p.elements))
	for key, v := range p.elements {
		m[key] = v.is
	}
	return encode(m)
}

// whole gives an object's properties by their paths.
func (o *object) whole() json.RawMessage {
	m := map[string]json.RawMessage{}
	for path, p := range o.properties {
		if v := p.all(); v != nil {
			m[path] = v
		}
	}
	return encode(m)
}

// doubts says whether a path is one that could not be made out, lies in one or holds one.
func (o *object) doubts(path string) bool {
	return slices.ContainsFunc(o.doubtful, func(d string) bool { return within(path, d) || within(d, path) })
}

func within(path, in string) bool {
	rest, ok := strings.CutPrefix(path, in)
	return ok && (rest == "" || rest[0] == '.')
}

func newObject(id, name string) *object {
	return &object{id: id, name: name, properties: map[string]property{}}
}

// doubt takes note of problems of a part, whose paths begin with the object's id, or of
// an object's own.
func (o *object) doubt(problems []directory.Problem, prefix string) {
	for _, p := range problems {
		if path, ok := strings.CutPrefix(p.Path, prefix); ok {
			o.doubtful = append(o.doubtful, path)
		}
	}
}

func (o *object) set(path string, v value) { o.properties[path] = property{value: v} }

// text notes a text; told says whether the source spoke of it.
func (o *object) text(path, s string, told bool) {
	if told {
		o.set(path, value{is: text(s)})
	}
}

func (o *object) truth(path string, v truth.Value) {
	switch v {
	case truth.True:
		o.set(path, value{is: json.RawMessage("true")})
	case truth.False:
		o.set(path, value{is: json.RawMessage("false")})
	}
}

func (o *object) time(path string, t time.Time, told bool) {
	if told {
		o.set(path, value{is: moment(t)})
	}
}

func (o *object) number(path string, n int) { o.set(path, value{is: encode(n)}) }

// texts notes a set of texts.
func (o *object) texts(path string, list []string) {
	p := property{elements: make(map[string]value, len(list)), whole: true}
	for _, s := range list {
		p.elements[s] = value{is: text(s)}
	}
	o.properties[path] = p
}

// refs notes a set of objects that is a part of its own, unless nothing of it was read.
func (o *object) refs(path string, list []directory.Ref, part directory.Part, r directory.Reading) {
	if r.State == directory.Unread {
		return
	}
	p := property{elements: make(map[string]value, len(list)), whole: r.State == directory.Read, part: part}
	for _, x := range list {
		p.elements[x.ID] = value{is: text(x.ID)}
	}
	o.properties[path] = p
}

// add adds a named element to a set.
func (o *object) add(path, key string, v value) {
	p := o.properties[path]
	if p.elements == nil {
		p = property{elements: map[string]value{}, whole: true}
	}
	p.elements[key] = v
	o.properties[path] = p
}

// extra notes what this version does not know by name.
func (o *object) extra(prefix string, e directory.Extra) {
	for name, raw := range e {
		if !unknowable(name) {
			o.json(prefix+name, raw)
		}
	}
}

// json notes whatever JSON there is, objects by the paths of what they hold.
func (o *object) json(path string, raw json.RawMessage) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		o.doubtful = append(o.doubtful, path)
		return
	}
	o.any(path, v, 0)
}

// deepest is how deep JSON is told by paths; what lies deeper is one value.
const deepest = 12

func (o *object) any(path string, v any, depth int) {
	switch v := v.(type) {
	case map[string]any:
		if depth == deepest || secret(path) {
			break
		}
		for name, x := range v {
			if !strings.Contains(name, "@odata.") && !unknowable(name) {
				o.any(path+"."+name, x, depth+1)
			}
		}
		return
	case []any:
		if secret(path) {
			break
		}
		p := property{elements: make(map[string]value, len(v)), whole: true}
		type element struct {
			name string
			value
		}
		var list []element
		for _, x := range v {
			e := value{is: canonical(x, false), show: canonical(x, true)}
			list = append(list, element{name(x, e.show), e})
		}
		// Several of one name are told apart by their order, which is that of their text.
		slices.SortFunc(list, func(x, y element) int {
			return cmp.Or(cmp.Compare(x.name, y.name), bytes.Compare(x.is, y.is))
		})
		for i, e := range list {
			key := e.name
			if i > 0 && list[i-1].name == e.name {
				key = fmt.Sprintf("%s #%d", e.name, len(p.elements)+1)
			}
			p.elements[key] = e.value
		}
		o.properties[path] = p
		return
	}
	is := canonical(v, false)
	if secret(path) && is != nil {
		o.set(path, value{is: is, show: hidden})
		return
	}
	o.set(path, value{is: is, show: canonical(v, true)})
}

// name is what an element of a list that we do not know is called by.
func name(v any, shown json.RawMessage) string {
	if m, ok := v.(map[string]any); ok {
		for _, key := range []string{"id", "name", "category", "categoryGroup", "targetResource", "entityType"} {
			if s, ok := m[key].(string); ok && s != "" {
				return s
			}
		}
	}
	if s, ok := v.(string); ok {
		return s
	}
	return string(shown)
}

// hidden stands for a secret: that it is another is told, and not which.
var hidden = json.RawMessage(`"(not shown)"`)

// secret says whether a property of this name may hold what nobody should read. Addresses
// of webhooks are among them: they carry signatures.
func secret(path string) bool {
	last := strings.ToLower(path[strings.LastIndexByte(path, '.')+1:])
	if strings.HasPrefix(last, "passwordcredential") || last == "passwordpolicies" {
		return last != "passwordpolicies"
	}
	for _, word := range []string{"password", "secret", "callbackurl", "serviceuri", "connectionstring", "temporaryaccesspass", "sharedkey", "primarykey", "secondarykey", "customkeyidentifier", "accesstoken", "privatekey"} {
		if strings.Contains(last, word) {
			return true
		}
	}
	return last == "key" || last == "sas"
}

// unknowable says of properties that they say nothing about what the tenant is: the
// moments at which it was looked at, or written, and by whom.
func unknowable(name string) bool {
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "modifiedDateTime", "lastModifiedDateTime", "createdDateTime", "renewedDateTime", "etag", "systemData", "modifiedOn", "createdOn", "deletedDateTime", "signInActivity", "refreshTokensValidFromDateTime", "signInSessionsValidFromDateTime",
		"quotaNextResetTime", "lastModifiedDate", "createdDate", "provisioningState", "lastUpdatedTime",
		"lastModifiedUtc", "lastModifiedTimeUtc", "createdTimeUtc", "lastModifiedBy", "createdBy":
		return true
	}
	return false
}

// canonical writes JSON in one form; nil for what holds nothing. Show leaves secrets out.
func canonical(v any, show bool) json.RawMessage {
	v = tidy(v, show, 0)
	switch x := v.(type) {
	case nil:
		return nil
	case string:
		if x == "" {
			return nil
		}
	}
	return encode(v)
}

func tidy(v any, show bool, depth int) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for name, x := range v {
			if strings.Contains(name, "@odata.") || unknowable(name) {
				continue
			}
			if t := tidy(x, show, depth+1); t != nil {
				if show && secret(name) {
					t = hidden
				}
				m[name] = t
			}
		}
		if len(m) == 0 {
			return nil
		}
		return m
	case []any:
		var list []json.RawMessage
		for _, x := range v {
			list = append(list, encode(tidy(x, show, depth+1)))
		}
		slices.SortFunc(list, func(x, y json.RawMessage) int { return bytes.Compare(x, y) })
		if list == nil {
			return nil
		}
		return list
	case string:
		if v == "" && depth > 0 {
			return nil
		}
	}
	return v
}

// record gives an object of properties; those that are nil are left out.
func record(pairs ...any) json.RawMessage {
	m := map[string]json.RawMessage{}
	for i := 0; i < len(pairs); i += 2 {
		var raw json.RawMessage
		switch v := pairs[i+1].(type) {
		case string:
			raw = text(v)
		case []string:
			if len(v) > 0 {
				raw = encode(slices.Sorted(slices.Values(v)))
			}
		case time.Time:
			raw = moment(v)
		case truth.Value:
			if v.Known() {
				raw = encode(v == truth.True)
			}
		case json.RawMessage:
			raw = v
		}
		if raw != nil {
			m[pairs[i].(string)] = raw
		}
	}
	return encode(m)
}

func text(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return encode(s)
}

func moment(t time.Time) json.RawMessage {
	if t.IsZero() {
		return nil
	}
	return encode(t.UTC().Format(time.RFC3339Nano))
}

// encode writes what JSON can always be written of.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return nil // cannot be: texts, numbers as they stood, lists and maps of them
	}
	return bytes.TrimSpace(b.Bytes())
}
