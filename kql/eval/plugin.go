package eval

import (
	"net/netip"
	"strconv"

	"glassward/kql/value"
)

// pluginFunctions are what the plugins need of single values.
func pluginFunctions() []Function {
	out := []Function{
		fn("bag_shape", types(tDyn), tDyn, func(a []any) any { return bagShape(dyn(a[0])) }),
		fn("network_length", types(tStr), tLong, func(a []any) any {
			p, err := netip.ParsePrefix(str(a[0]))
			if err != nil {
				return nil
			}
			return int64(p.Bits())
		}),
	}
	for _, f := range []struct {
		name string
		v4   bool
	}{{"ipv4", true}, {"ipv6", false}} {
		out = append(out,
			fn(f.name+"_network", types(tStr), tStr, func(a []any) any {
				addr, bits, ok := prefixOf(str(a[0]), f.v4)
				if !ok {
					return ""
				}
				return network(addr, bits)
			}),
			fn(f.name+"_cuts", types(tStr, tDyn), tDyn, func(a []any) any { return cuts(str(a[0]), dyn(a[1]), f.v4) }),
		)
	}
	return out
}

func network(a netip.Addr, bits int) string {
	return masked(a, bits).String() + "/" + strconv.Itoa(bits)
}

// cuts gives the networks of the lengths that an address, or a smaller network, lies in.
func cuts(text string, lengths any, v4 bool) any {
	addr, bits, ok := prefixOf(text, v4)
	list, _ := lengths.([]any)
	if !ok || len(list) == 0 {
		return nil
	}
	out := make([]any, 0, len(list))
	for _, l := range list {
		if n, ok := l.(int64); ok && n >= 0 && n <= int64(bits) {
			out = append(out, network(addr, int(n)))
		}
	}
	return js(out)
}

// maxShape bounds the properties that one bag shows.
const maxShape = 10_000

// bagShape gives the properties of a bag, each as its name and the type that a column of it has, null for
// what is no bag.
func bagShape(v any) any {
	o, ok := v.(*value.Object)
	if !ok {
		return nil
	}
	out := make([]any, 0, len(o.Members))
	for i, m := range o.Members {
		if i == maxShape {
			break
		}
		out = append(out, []any{m.Key, columnType(m.Value)})
	}
	return js(out)
}

// columnType names the type of a column that holds a value. A text that is a moment in full is one.
func columnType(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case int64:
		return "long"
	case float64:
		return "real"
	case string:
		if len(v) >= 19 && v[4] == '-' && v[10] == 'T' {
			if _, ok := value.ParseDateTime(v); ok {
				return "datetime"
			}
		}
		return "string"
	}
	return "dynamic"
}
