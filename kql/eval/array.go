package eval

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"glassward/kql/value"
)

func arrayFunctions() []Function {
	shift := func(name string, rotate bool, dir int64) Function {
		return nfn(name, types(tDyn, tLong, tDyn), tDyn, func(a []any) any {
			list, ok := array(a[0])
			if !ok {
				return nil
			}
			n := int64(len(list))
			if n == 0 {
				return "[]"
			}
			k := long(a[1], 0)
			if rotate {
				k %= n
			}
			k = min(max(k, -n), n) * dir
			fill := dyn(a[2])
			if a[2] == nil && onlyTexts(list) {
				fill = ""
			}
			out := make([]any, n)
			for i := range out {
				j := int64(i) + k
				if rotate {
					j = (j + n) % n
				}
				if j >= 0 && j < n {
					out[i] = list[j]
				} else {
					out[i] = fill
				}
			}
			return js(out)
		})
	}
	sorted := func(name string, desc bool) Function {
		return vfn(name, types(tDyn, tDyn), tDyn, func(a []any) any { return sortArrays(a[0], a[1], desc) })
	}
	return []Function{
		fn("entries", types(tDyn), tDyn, func(a []any) any {
			o, ok := bag(a[0])
			if !ok {
				return nil
			}
			out := make([]any, len(o.Members))
			for i, m := range o.Members {
				out[i] = &value.Object{Members: []value.Member{m}}
			}
			return js(out)
		}),
		fn("entry_pairs", types(tDyn), tDyn, func(a []any) any {
			o, ok := bag(a[0])
			if !ok {
				return nil
			}
			out := make([]any, len(o.Members))
			for i, m := range o.Members {
				out[i] = []any{m.Key, m.Value}
			}
			return js(out)
		}),
		fn("dynamic_element", types(tDyn, tLong), tDyn, func(a []any) any {
			list, _ := array(a[0])
			i := long(a[1], 0)
			if i < 0 {
				i += int64(len(list))
			}
			if i < 0 || i >= int64(len(list)) {
				return nil
			}
			return js(list[i])
		}),
		fn("dynamic_member", types(tDyn, tStr), tDyn, func(a []any) any {
			o, ok := bag(a[0])
			if !ok {
				return nil
			}
			v, _ := o.Get(str(a[1]))
			return js(v)
		}),
		fn("array_length", types(tDyn), tLong, func(a []any) any {
			list, ok := array(a[0])
			if !ok {
				return nil
			}
			return int64(len(list))
		}),
		vfn("array_concat", types(tDyn, tDyn), tDyn, func(a []any) any {
			out, ok := array(a[0])
			rest, _ := array(a[1])
			for _, r := range rest {
				if len(out) >= MaxItems {
					break
				}
				if l, isList := r.([]any); isList {
					out, ok = append(out, l...), true
				}
			}
			if !ok {
				return nil
			}
			if out == nil {
				out = []any{}
			}
			return js(out)
		}),
		nfn("array_iff", types(tDyn, tDyn, tDyn), tDyn, func(a []any) any {
			conds, ok := array(a[0])
			if !ok {
				return nil
			}
			pick := func(v any, i int) any {
				if l, ok := v.([]any); ok {
					if i < len(l) {
						return l[i]
					}
					return nil
				}
				return v
			}
			yes, no := dyn(a[1]), dyn(a[2])
			out := make([]any, len(conds))
			for i, c := range conds {
				switch c := c.(type) {
				case bool:
					if c {
						out[i] = pick(yes, i)
					} else {
						out[i] = pick(no, i)
					}
				case int64, float64:
					if real(c, 0) != 0 {
						out[i] = pick(yes, i)
					} else {
						out[i] = pick(no, i)
					}
				}
			}
			return js(out)
		}),
		nfn("array_index_of", types(tDyn, tDyn, tLong, tLong, tLong), tLong, func(a []any) any {
			list, ok := array(a[0])
			if !ok {
				return nil
			}
			if long(a[3], -1) < -1 || long(a[4], 1) < 0 {
				return nil
			}
			want := key(dyn(a[1]))
			start := long(a[2], 0)
			if start < 0 {
				start = max(int64(len(list))+start, 0)
			}
			end := int64(len(list))
			if n := long(a[3], -1); n >= 0 && start < end && n < end-start {
				end = start + n
			}
			k := long(a[4], 1)
			for i := start; i < end; i++ {
				if key(list[i]) == want {
					if k--; k == 0 {
						return i
					}
				}
			}
			return int64(-1)
		}),
		fn("array_reverse", types(tDyn), tDyn, func(a []any) any {
			list, ok := array(a[0])
			if !ok {
				return nil
			}
			slices.Reverse(list)
			return js(list)
		}),
		shift("array_rotate_left", true, 1), shift("array_rotate_right", true, -1), shift("array_shift_left", false, 1), shift("array_shift_right", false, -1),
		fn("array_slice", types(tDyn, tLong, tLong), tDyn, func(a []any) any {
			list, ok := array(a[0])
			if !ok {
				return nil
			}
			n := int64(len(list))
			i, j := long(a[1], 0), long(a[2], 0)
			if i < 0 {
				i = max(i+n, 0)
			}
			if j < 0 {
				j += n
			}
			j = min(j, n-1)
			if i > j {
				return "[]"
			}
			return js(list[i : j+1])
		}),
		sorted("array_sort_asc", false), sorted("array_sort_desc", true),
		fn("array_split", types(tDyn, tDyn), tDyn, func(a []any) any {
			list, ok := array(a[0])
			if !ok {
				return nil
			}
			var cuts []int64
			switch v := dyn(a[1]).(type) {
			case int64:
				cuts = []int64{v}
			case []any:
				for _, e := range v {
					cuts = append(cuts, long(e, 0))
				}
			}
			n := int64(len(list))
			var out []any
			at := int64(0)
			for _, c := range cuts {
				if c < 0 {
					c = max(c+n, 0)
				}
				c = min(c, n)
				if c < at {
					out = append(out, []any{})
					continue
				}
				out = append(out, append([]any{}, list[at:c]...))
				at = c
			}
			return js(append(out, append([]any{}, list[at:]...)))
		}),
		fn("array_sum", types(tDyn), tReal, func(a []any) any {
			list, ok := array(a[0])
			if !ok {
				return nil
			}
			sum := 0.0
			for _, e := range list {
				switch v := e.(type) {
				case int64:
					sum += float64(v)
				case float64:
					sum += v
				case bool:
					if v {
						sum++
					}
				case nil:
				default:
					return nil
				}
			}
			return sum
		}),
		nfn("repeat", types(tDyn, tLong), tDyn, func(a []any) any {
			n := long(a[1], -1)
			if a[1] == nil || n < 0 {
				return nil
			}
			v := dyn(a[0])
			n = min(n, maxRange, int64(4*MaxText/(len(str(a[0]))+1)))
			out := make([]any, n)
			for i := range out {
				out[i] = v
			}
			return js(out)
		}),
		nfn("range", types(tDyn, tDyn, tDyn), tDyn, func(a []any) any { return makeRange(dyn(a[0]), dyn(a[1]), dyn(a[2])) }),
		vfn("zip", types(tDyn, tDyn), tDyn, func(a []any) any {
			first, ok := array(a[0])
			rest, _ := array(a[1])
			if !ok {
				return nil
			}
			lists := [][]any{first}
			n := len(first)
			for _, r := range rest {
				l, _ := r.([]any)
				lists = append(lists, l)
				n = max(n, len(l))
			}
			out := make([]any, n)
			for i := range out {
				row := make([]any, len(lists))
				for j, l := range lists {
					if i < len(l) {
						row[j] = l[i]
					}
				}
				out[i] = row
			}
			return js(out)
		}),
		fn("flatten", types(tDyn), tDyn, func(a []any) any { return gather(str(a[0]), false, -1) }),
	}
}

// maxRange is how many elements range and repeat give at most, as in Kusto.
const maxRange = 1 << 20

// makeRange counts in numbers, or in the ticks of times and spans that came as text.
func makeRange(from, to, step any) any {
	if f, ok := from.(string); ok {
		s, ok := value.ParseTimeSpan(str(step))
		if !ok || s == 0 {
			return nil
		}
		var text func(int64) string
		var i, end int64
		if t, ok := value.ParseDateTime(f); ok {
			u, ok := value.ParseDateTime(str(to))
			if !ok {
				return nil
			}
			i, end, text = int64(t), int64(u), func(n int64) string { return value.Ticks(n).String() }
		} else if t, ok := value.ParseTimeSpan(f); ok {
			u, ok := value.ParseTimeSpan(str(to))
			if !ok {
				return nil
			}
			i, end, text = int64(t), int64(u), func(n int64) string { return value.Span(n).String() }
		} else {
			return nil
		}
		out := []any{}
		for ; (s > 0 && i <= end || s < 0 && i >= end) && len(out) < maxRange; i += int64(s) {
			out = append(out, text(i))
		}
		return js(out)
	}
	i, ok1 := from.(int64)
	j, ok2 := to.(int64)
	k, ok3 := step.(int64)
	out := []any{}
	if ok1 && ok2 && ok3 {
		if k == 0 {
			return nil
		}
		for ; (k > 0 && i <= j || k < 0 && i >= j) && len(out) < maxRange; i += k {
			out = append(out, i)
			if k > 0 && i > math.MaxInt64-k || k < 0 && i < math.MinInt64-k {
				break
			}
		}
		return js(out)
	}
	if from == nil || to == nil || step == nil {
		return nil
	}
	x, y, z := real(from, math.NaN()), real(to, math.NaN()), real(step, math.NaN())
	if z == 0 || math.IsNaN(x+y+z) {
		return nil
	}
	for n := 0; n < maxRange; n++ {
		v := x + float64(n)*z
		if z > 0 && v > y+1e-12 || z < 0 && v < y-1e-12 {
			break
		}
		out = append(out, v)
	}
	return js(out)
}

// onlyTexts says that there is nothing but texts in an array.
func onlyTexts(list []any) bool {
	return !slices.ContainsFunc(list, func(e any) bool { _, ok := e.(string); return !ok })
}

// compareValues orders dynamic values as array_sort does: numbers, moments and spans, then texts, then the
// rest; nulls last. Moments and spans are texts in their full form.
func compareValues(a, b any) int {
	ra, rb := rank(a), rank(b)
	if ra != rb {
		return cmp.Compare(ra, rb)
	}
	switch x := a.(type) {
	case int64, float64:
		return cmp.Compare(real(a, 0), real(b, 0))
	case string:
		if t, ok := spanText(x); ok {
			if u, ok := spanText(b.(string)); ok {
				return cmp.Compare(t, u)
			}
		}
		return strings.Compare(x, b.(string))
	case bool:
		return cmp.Compare(map[bool]int{true: 1}[x], map[bool]int{true: 1}[b.(bool)])
	}
	return strings.Compare(value.JSON(a), value.JSON(b))
}

func rank(v any) int {
	switch v := v.(type) {
	case nil:
		return 9
	case int64, float64:
		return 1
	case string:
		if _, ok := spanText(v); ok || momentText(v) {
			return 2
		}
		return 3
	}
	return 4
}

// spanText reads a timespan in the form in which Kusto writes it into a dynamic value.
func spanText(s string) (value.Span, bool) {
	if len(s) < len("00:00:00") || strings.IndexByte(s, ':') < 0 {
		return 0, false
	}
	t, ok := value.ParseTimeSpan(s)
	return t, ok && t.String() == s
}

// momentText says that a text is a datetime in the form in which Kusto writes it into a dynamic value.
func momentText(s string) bool {
	if len(s) != len("2006-01-02T15:04:05.0000000Z") || s[len(s)-1] != 'Z' {
		return false
	}
	_, ok := value.ParseDateTime(s)
	return ok
}

// sortArrays sorts the first array and moves the elements of the others along. rest may end with a
// bool that says whether nulls go last.
func sortArrays(first, rest any, desc bool) any {
	lead, ok := array(first)
	if !ok {
		return nil
	}
	others, _ := array(rest)
	nullsLast := true
	if n := len(others); n > 0 {
		if b, ok := others[n-1].(bool); ok {
			nullsLast, others = b, others[:n-1]
		}
	}
	order := make([]int, len(lead))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		x, y := lead[i], lead[j]
		if (x == nil) != (y == nil) {
			if (x == nil) == nullsLast {
				return 1
			}
			return -1
		}
		c := compareValues(x, y)
		if desc {
			c = -c
		}
		return c
	})
	arrange := func(l []any) []any {
		out := make([]any, len(order))
		for k, i := range order {
			if i < len(l) {
				out[k] = l[i]
			}
		}
		return out
	}
	if len(others) == 0 {
		return js(arrange(lead))
	}
	out := []any{arrange(lead)}
	for _, o := range others {
		l, ok := o.([]any)
		if !ok || len(l) != len(lead) {
			out = append(out, nil)
			continue
		}
		out = append(out, arrange(l))
	}
	return js(out)
}

// key gives a text that two values share exactly if they are equal; 1 and 1.0 are.
func key(v any) string {
	if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return value.JSON(int64(f))
	}
	return value.JSON(v)
}
