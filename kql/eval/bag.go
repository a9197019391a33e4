package eval

import (
	"slices"
	"strings"

	"glassward/kql/value"
)

func sortedKeys(o *value.Object) []string {
	keys := make([]string, len(o.Members))
	for i, m := range o.Members {
		keys[i] = m.Key
	}
	slices.Sort(keys)
	return keys
}

func bagFunctions() []Function {
	return []Function{
		fn("bag_has_key", types(tDyn, tStr), tBool, func(a []any) any {
			v := dyn(a[0])
			path := str(a[1])
			o, ok := v.(*value.Object)
			if !ok {
				return nil
			}
			if !strings.HasPrefix(path, "$") {
				_, has := o.Get(path)
				return has
			}
			// A path goes through bags only.
			for _, step := range pathSteps(path) {
				o, ok := v.(*value.Object)
				if !ok {
					return false
				}
				if v, ok = o.Get(step); !ok {
					return false
				}
			}
			return true
		}),
		fn("bag_keys", types(tDyn), tDyn, func(a []any) any {
			o, ok := bag(a[0])
			if !ok {
				return nil
			}
			out := make([]any, len(o.Members))
			for i, m := range o.Members {
				out[i] = m.Key
			}
			return js(out)
		}),
		vfn("bag_merge", types(tDyn, tDyn), tDyn, func(a []any) any {
			out := &value.Object{}
			some := false
			rest, _ := array(a[1])
			for _, v := range append([]any{dyn(a[0])}, rest...) {
				o, ok := v.(*value.Object)
				if !ok {
					continue
				}
				some = true
				for _, m := range o.Members {
					if _, dup := out.Get(m.Key); !dup {
						out.Set(m.Key, m.Value)
					}
				}
			}
			if !some {
				return nil
			}
			return js(out)
		}),
		fn("bag_take", types(tDyn, tLong), tDyn, func(a []any) any {
			o, ok := bag(a[0])
			if !ok {
				return nil
			}
			n := min(max(long(a[1], 0), 0), int64(len(o.Members)))
			return js(&value.Object{Members: o.Members[:n]})
		}),
		fn("bag_remove_keys", types(tDyn, tDyn), tDyn, func(a []any) any {
			o, ok := bag(a[0])
			if !ok {
				return nil
			}
			keys, _ := array(a[1])
			for _, k := range keys {
				p := value.Text(k)
				if strings.HasPrefix(p, "$") {
					removePath(o, p)
					continue
				}
				remove(o, p)
			}
			return value.JSON(o)
		}),
		nfn("bag_set_key", types(tDyn, tStr, tDyn), tDyn, func(a []any) any {
			o, ok := bag(a[0])
			if !ok {
				return nil
			}
			k := str(a[1])
			if !strings.HasPrefix(k, "$") {
				o.Set(k, dyn(a[2]))
				return js(o)
			}
			steps := pathSteps(k)
			if len(steps) == 0 || len(steps) > maxPath {
				return nil
			}
			setPath(o, steps, dyn(a[2]))
			return js(o)
		}),
		nfn("bag_zip", types(tDyn, tDyn), tDyn, func(a []any) any {
			keys, ok := array(a[0])
			if !ok {
				return nil
			}
			vals, _ := array(a[1])
			o := &value.Object{}
			for i, k := range keys {
				s, ok := k.(string)
				if !ok {
					continue
				}
				if i < len(vals) {
					o.Set(s, vals[i])
				} else {
					o.Set(s, nil)
				}
			}
			return js(o)
		}),
		nfn("bag_without_empty", types(tDyn, tBool), tDyn, func(a []any) any {
			o, ok := bag(a[0])
			if !ok || !truth(a[1]) {
				return a[0]
			}
			out := &value.Object{}
			for _, m := range o.Members {
				if m.Value != nil && m.Value != "" {
					out.Set(m.Key, m.Value)
				}
			}
			return js(out)
		}),
		fn("treepath", types(tDyn), tDyn, func(a []any) any {
			seen := map[string]bool{}
			out := []any{}
			var walk func(v any, p string)
			add := func(p string) {
				if !seen[p] {
					seen[p] = true
					out = append(out, p)
				}
			}
			walk = func(v any, p string) {
				switch v := v.(type) {
				case *value.Object:
					for _, m := range v.Members {
						q := p + "['" + m.Key + "']"
						add(q)
						walk(m.Value, q)
					}
				case []any:
					q := p + "[0]"
					add(q)
					for _, e := range v {
						walk(e, q)
					}
				}
			}
			walk(dyn(a[0]), "")
			return js(out)
		}),
		fn("extract_json", types(tStr, tStr), tStr, func(a []any) any {
			v, ok := value.ParseJSON(str(a[1]))
			if !ok {
				return ""
			}
			got, _ := walkPath(v, str(a[0]))
			return value.Text(got)
		}),
	}
}

func remove(o *value.Object, key string) {
	out := &value.Object{}
	for _, m := range o.Members {
		if m.Key != key {
			out.Set(m.Key, m.Value)
		}
	}
	*o = *out
}

// maxPath is how many steps a path has at most by which a property is set: each may make a bag.
const maxPath = 64

// setPath sets the property at a path. Bags that are missing on the way are made, other values on the way
// are replaced by bags.
func setPath(o *value.Object, steps []string, v any) {
	for _, s := range steps[:len(steps)-1] {
		next, _ := o.Get(s)
		inner, ok := next.(*value.Object)
		if !ok {
			inner = &value.Object{}
			o.Set(s, inner)
		}
		o = inner
	}
	o.Set(steps[len(steps)-1], v)
}

func removePath(o *value.Object, path string) {
	steps := pathSteps(path)
	if len(steps) == 0 {
		return
	}
	var v any = o
	for _, s := range steps[:len(steps)-1] {
		n, ok := stepInto(v, s)
		if !ok {
			return
		}
		v = n
	}
	if parent, ok := v.(*value.Object); ok {
		remove(parent, steps[len(steps)-1])
	}
}

// walkPath follows a JSON path such as $.a.b[0]['c'].
func walkPath(v any, path string) (any, bool) {
	for _, s := range pathSteps(path) {
		n, ok := stepInto(v, s)
		if !ok {
			return nil, false
		}
		v = n
	}
	return v, true
}

func stepInto(v any, step string) (any, bool) {
	switch v := v.(type) {
	case *value.Object:
		return v.Get(step)
	case []any:
		n, ok := textLong(step).(int64)
		if !ok {
			return nil, false
		}
		if n < 0 {
			n += int64(len(v))
		}
		if n >= 0 && n < int64(len(v)) {
			return v[n], true
		}
	}
	return nil, false
}

func pathSteps(path string) []string {
	p := strings.TrimPrefix(path, "$")
	var out []string
	for p != "" {
		switch p[0] {
		case '.':
			p = p[1:]
			n := strings.IndexAny(p, ".[")
			if n < 0 {
				n = len(p)
			}
			if n > 0 {
				out = append(out, p[:n])
			}
			p = p[n:]
		case '[':
			n := strings.IndexByte(p, ']')
			if n < 0 {
				return out
			}
			out = append(out, strings.Trim(p[1:n], `'" `))
			p = p[n+1:]
		default:
			n := strings.IndexAny(p, ".[")
			if n < 0 {
				n = len(p)
			}
			out = append(out, p[:n])
			p = p[n:]
		}
	}
	return out
}
