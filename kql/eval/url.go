package eval

import (
	"encoding/xml"
	"net/url"
	"strings"

	"glassward/kql/value"
)

func urlFunctions() []Function {
	return []Function{
		fn("url_encode", types(tStr), tStr, func(a []any) any { return urlEscape(str(a[0])) }),
		fn("url_encode_component", types(tStr), tStr, func(a []any) any { return strings.ReplaceAll(urlEscape(str(a[0])), "+", "%20") }),
		fn("url_decode", types(tStr), tStr, func(a []any) any {
			s, err := url.QueryUnescape(str(a[0]))
			if err != nil {
				return str(a[0])
			}
			return s
		}),
		fn("parse_url", types(tStr), tDyn, func(a []any) any { return parseURL(str(a[0])) }),
		fn("parse_urlquery", types(tStr), tDyn, func(a []any) any {
			o := &value.Object{}
			o.Set("Query Parameters", queryParams(strings.TrimPrefix(str(a[0]), "?")))
			return js(o)
		}),
		fn("parse_path", types(tStr), tDyn, func(a []any) any { return parsePath(str(a[0])) }),
		fn("parse_xml", types(tStr), tDyn, func(a []any) any { return parseXML(str(a[0])) }),
	}
}

// urlEscape writes what a URL does not take as %xx in small digits, and a space as +, as Kusto does.
func urlEscape(s string) string {
	const plain = "-_.!*()"
	const digits = "0123456789abcdef"
	b := make([]byte, 0, len(s)+len(s)/4)
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(plain, c) >= 0:
			b = append(b, c)
		case c == ' ':
			b = append(b, '+')
		default:
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

func queryParams(q string) *value.Object {
	o := &value.Object{}
	for _, kv := range strings.Split(q, "&") {
		if kv == "" {
			continue
		}
		k, v, _ := strings.Cut(kv, "=")
		o.Set(k, v)
	}
	return o
}

func parseURL(s string) any {
	o := &value.Object{}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return nil
	}
	rest, fragment, _ := strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, hasPath := strings.Cut(rest, "/")
	if hasPath {
		path = "/" + path
	}
	user, pass, host, port := "", "", authority, ""
	if i := strings.LastIndex(host, "@"); i >= 0 {
		user, pass, _ = strings.Cut(host[:i], ":")
		host = host[i+1:]
	}
	if i := strings.LastIndex(host, ":"); i >= 0 && !strings.HasSuffix(host, "]") {
		host, port = host[:i], host[i+1:]
	}
	o.Set("Scheme", scheme)
	o.Set("Host", host)
	o.Set("Port", port)
	o.Set("Path", path)
	o.Set("Username", user)
	o.Set("Password", pass)
	o.Set("Query Parameters", queryParams(query))
	o.Set("Fragment", fragment)
	return js(o)
}

func parsePath(s string) any {
	o := &value.Object{}
	scheme, root, stream := "", "", ""
	p := s
	if i := strings.Index(p, "://"); i >= 0 {
		scheme, p = p[:i], p[i+3:]
	}
	sep := `/`
	if strings.Contains(p, `\`) {
		sep = `\`
	}
	dir, file := "", p
	if i := strings.LastIndexAny(p, `/\`); i >= 0 {
		dir, file = p[:i], p[i+1:]
	}
	if name, alt, ok := strings.Cut(file, ":"); ok {
		file, stream = name, alt
	}
	switch {
	case len(p) > 1 && p[1] == ':':
		root = p[:2]
	case strings.HasPrefix(p, `/`):
		root = ""
	}
	name, ext := file, ""
	if i := strings.LastIndexByte(file, '.'); i >= 0 {
		ext = file[i+1:]
		name = file
	}
	dirName := dir
	if i := strings.LastIndexAny(dir, `/\`); i >= 0 {
		dirName = dir[i+1:]
	}
	_ = sep
	o.Set("Scheme", scheme)
	o.Set("RootPath", root)
	o.Set("DirectoryPath", dir)
	o.Set("DirectoryName", dirName)
	o.Set("Filename", name)
	o.Set("Extension", ext)
	o.Set("AlternateDataStreamName", stream)
	return js(o)
}

// parseXML turns an element into a bag: attributes as @name, text as #text, children by their names.
func parseXML(s string) any {
	if len(s) > MaxText {
		return nil
	}
	d := xml.NewDecoder(strings.NewReader(s))
	type frame struct {
		name string
		o    *value.Object
		text strings.Builder
	}
	root := &value.Object{}
	stack := []*frame{{o: root}}
	add := func(o *value.Object, k string, v any) {
		old, dup := o.Get(k)
		if !dup {
			o.Set(k, v)
		} else if l, ok := old.([]any); ok {
			o.Set(k, append(l, v))
		} else {
			o.Set(k, []any{old, v})
		}
	}
	for {
		t, err := d.Token()
		if err != nil {
			break
		}
		top := stack[len(stack)-1]
		switch t := t.(type) {
		case xml.StartElement:
			if len(stack) > 128 {
				return nil
			}
			f := &frame{name: t.Name.Local, o: &value.Object{}}
			for _, a := range t.Attr {
				f.o.Set("@"+a.Name.Local, a.Value)
			}
			stack = append(stack, f)
		case xml.CharData:
			top.text.Write(t)
		case xml.EndElement:
			if len(stack) < 2 {
				return nil
			}
			stack = stack[:len(stack)-1]
			var v any = top.o
			text := strings.TrimSpace(top.text.String())
			switch {
			case len(top.o.Members) == 0 && text == "":
				v = nil
			case len(top.o.Members) == 0:
				v = text
			case text != "":
				top.o.Set("#text", text)
			}
			add(stack[len(stack)-1].o, top.name, v)
		}
	}
	if len(stack) != 1 || len(root.Members) == 0 {
		return nil
	}
	return js(root)
}
