package eval

import "glassward/kql/value"

func setFunctions() []Function {
	return []Function{
		vfn("set_difference", types(tDyn, tDyn), tDyn, func(a []any) any {
			first, ok := array(a[0])
			if !ok {
				return nil
			}
			rest, _ := array(a[1])
			drop := map[string]bool{}
			for _, r := range rest {
				l, _ := r.([]any)
				for _, e := range l {
					drop[key(e)] = true
				}
			}
			return js(unique(first, func(k string) bool { return !drop[k] }))
		}),
		vfn("set_intersect", types(tDyn, tDyn), tDyn, func(a []any) any {
			first, ok := array(a[0])
			if !ok {
				return nil
			}
			rest, _ := array(a[1])
			for _, r := range rest {
				l, _ := r.([]any)
				have := map[string]bool{}
				for _, e := range l {
					have[key(e)] = true
				}
				first = unique(first, func(k string) bool { return have[k] })
			}
			return js(unique(first, nil))
		}),
		vfn("set_union", types(tDyn, tDyn), tDyn, func(a []any) any {
			all, ok := array(a[0])
			rest, _ := array(a[1])
			for _, r := range rest {
				if l, isList := r.([]any); isList {
					all, ok = append(all, l...), true
				}
			}
			if !ok {
				return nil
			}
			return js(unique(all, nil))
		}),
		nfn("set_has_element", types(tDyn, tDyn), tBool, func(a []any) any {
			list, ok := array(a[0])
			if !ok {
				return nil
			}
			want := key(dyn(a[1]))
			for _, e := range list {
				if key(e) == want {
					return true
				}
			}
			return false
		}),
		fn("set_equals", types(tDyn, tDyn), tBool, func(a []any) any {
			x, _ := array(a[0])
			y, _ := array(a[1])
			have := map[string]bool{}
			for _, e := range x {
				have[key(e)] = true
			}
			u := unique(y, nil)
			for _, e := range u {
				if !have[key(e)] {
					return false
				}
			}
			return len(u) == len(have)
		}),
		fn("jaccard_index", types(tDyn, tDyn), tReal, func(a []any) any {
			x, ok := array(a[0])
			y, ok2 := array(a[1])
			if !ok || !ok2 {
				return nil
			}
			have := map[string]bool{}
			for _, e := range x {
				have[key(e)] = true
			}
			common := 0
			u := unique(y, nil)
			for _, e := range u {
				if have[key(e)] {
					common++
				}
			}
			return float64(common) / float64(len(have)+len(u)-common)
		}),
		fn("set_of", types(tDyn, tLong), tDyn, func(a []any) any { return gather(str(a[0]), true, long(a[1], MaxItems)) }),
	}
}

// gather gives the elements of the JSON text of an array, those of arrays within it in their place, and with
// once each value once. It gives at most so many, and null where the result would be larger than a value may
// be. The text is what an aggregate collected: it may be much larger than memory has place for its values.
func gather(text string, once bool, most int64) any {
	if most < 0 {
		most = MaxItems
	}
	seen := map[string]bool{}
	out := []byte{'['}
	var n int64
	add := func(v any) bool {
		if once {
			k := key(v)
			if seen[k] {
				return true
			}
			seen[k] = true
		}
		if n >= most || len(out) > MaxJSON {
			return false
		}
		if n++; n > 1 {
			out = append(out, ',')
		}
		out = append(out, value.JSON(v)...)
		return true
	}
	if !value.EachElement(text, func(v any) bool {
		l, isList := v.([]any)
		if !isList {
			return add(v)
		}
		for _, v := range l {
			if !add(v) {
				return false
			}
		}
		return true
	}) || len(out) > MaxJSON {
		return nil
	}
	return string(append(out, ']'))
}

// unique gives the different elements that pass, in the order of their first coming.
func unique(list []any, pass func(key string) bool) []any {
	seen := map[string]bool{}
	out := []any{}
	for _, e := range list {
		k := key(e)
		if !seen[k] && (pass == nil || pass(k)) {
			seen[k] = true
			out = append(out, e)
		}
	}
	return out
}
