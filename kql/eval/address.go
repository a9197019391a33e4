package eval

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// prefixOf reads an address with an optional /prefix. bits is the prefix, that of a single address if
// none was written.
func prefixOf(s string, v4 bool) (netip.Addr, int, bool) {
	s = strings.TrimSpace(s)
	text, suffix, has := strings.Cut(s, "/")
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" || v4 && !addr.Is4() {
		return netip.Addr{}, 0, false
	}
	bits := addr.BitLen()
	if has {
		n, err := strconv.Atoi(suffix)
		if err != nil || n < 0 || n > bits {
			return netip.Addr{}, 0, false
		}
		bits = n
	}
	if !v4 && addr.Is6() && strings.HasPrefix(text, "::") {
		// An IPv4 address behind :: means that address, as one behind ::ffff: does.
		if short, err := netip.ParseAddr(text[2:]); err == nil && short.Is4() && (!has || bits <= short.BitLen()) {
			addr, bits = short, min(bits, short.BitLen())
		}
	}
	if !v4 && addr.Is4() {
		addr, bits = netip.AddrFrom16(addr.As16()), bits+96
	}
	return addr, bits, true
}

func masked(a netip.Addr, bits int) netip.Addr {
	p, err := a.Prefix(bits)
	if err != nil {
		return a
	}
	return p.Addr()
}

func v4number(a netip.Addr) int64 {
	b := a.As4()
	return int64(binary.BigEndian.Uint32(b[:]))
}

func v4address(n int64) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(n))
	return netip.AddrFrom4(b)
}

func fullV6(a netip.Addr) string {
	b := a.As16()
	parts := make([]string, 8)
	for i := range parts {
		parts[i] = fmt.Sprintf("%04x", binary.BigEndian.Uint16(b[2*i:]))
	}
	return strings.Join(parts, ":")
}

func addressFunctions() []Function {
	compare := func(a []any, v4 bool) (int, bool) {
		x, n, ok := prefixOf(str(a[0]), v4)
		y, m, ok2 := prefixOf(str(a[1]), v4)
		if !ok || !ok2 {
			return 0, false
		}
		bits := min(n, m)
		if a[2] != nil {
			k := long(a[2], 0)
			if k < 0 || k > int64(x.BitLen()) {
				return 0, false
			}
			bits = min(bits, int(k))
		}
		return masked(x, bits).Compare(masked(y, bits)), true
	}
	inRange := func(addr, rng string, v4 bool) any {
		x, n, ok := prefixOf(addr, v4)
		y, m, ok2 := prefixOf(rng, v4)
		if !ok || !ok2 {
			return nil
		}
		return n >= m && masked(x, m) == masked(y, m)
	}
	inAny := func(a []any, v4 bool) any {
		var ranges []any
		if l, ok := array(a[1]); ok {
			ranges = l
		} else if s, ok := dyn(a[1]).(string); ok {
			ranges = []any{s}
		}
		rest, _ := array(a[2])
		for _, r := range rest {
			if l, ok := r.([]any); ok {
				ranges = append(ranges, l...)
			} else {
				ranges = append(ranges, r)
			}
		}
		known := false
		for _, r := range ranges {
			s, ok := r.(string)
			if !ok {
				continue
			}
			switch inRange(str(a[0]), s, v4) {
			case true:
				return true
			case false:
				known = true
			}
		}
		if !known {
			return nil
		}
		return false
	}
	var out []Function
	for _, v := range []struct {
		name string
		v4   bool
	}{{"ipv4", true}, {"ipv6", false}} {
		out = append(out,
			nfn(v.name+"_compare", types(tStr, tStr, tLong), tLong, func(a []any) any {
				c, ok := compare(a, v.v4)
				if !ok {
					return nil
				}
				return int64(c)
			}),
			nfn(v.name+"_is_match", types(tStr, tStr, tLong), tBool, func(a []any) any {
				c, ok := compare(a, v.v4)
				if !ok {
					return nil
				}
				return c == 0
			}),
			fn(v.name+"_is_in_range", types(tStr, tStr), tBool, func(a []any) any { return inRange(str(a[0]), str(a[1]), v.v4) }),
			vfn(v.name+"_is_in_any_range", types(tStr, tDyn, tDyn), tBool, func(a []any) any { return inAny(a, v.v4) }),
		)
	}
	number := func(v any) (int64, int, bool) {
		switch v := dyn(v).(type) {
		case int64:
			return v, 32, v >= 0 && v <= 1<<32-1
		case string:
			a, n, ok := prefixOf(v, true)
			if !ok {
				return 0, 0, false
			}
			return v4number(a), n, true
		}
		return 0, 0, false
	}
	format := func(name string, withPrefix bool) Function {
		return nfn(name, types(tDyn, tLong), tStr, func(a []any) any {
			n, bits, ok := number(a[0])
			if !ok {
				return ""
			}
			if a[1] != nil {
				k := long(a[1], -1)
				if k < 0 || k > 32 {
					return ""
				}
				bits = min(bits, int(k))
			}
			s := masked(v4address(n), bits).String()
			if withPrefix {
				s += "/" + strconv.Itoa(bits)
			}
			return s
		})
	}
	// has looks for an address, or with prefix one that begins so, as a term of a text.
	has := func(text, addr string, prefix bool) bool {
		if !prefix {
			if a, err := netip.ParseAddr(addr); err != nil || !a.Is4() {
				return false
			}
		} else if addr == "" {
			return false
		}
		for from := 0; ; {
			i := strings.Index(text[from:], addr)
			if i < 0 {
				return false
			}
			i += from
			from = i + 1
			inTerm := func(c byte) bool { return c == '.' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }
			if i > 0 && inTerm(text[i-1]) {
				continue
			}
			j := i
			for j < len(text) && inTerm(text[j]) {
				j++
			}
			term := strings.TrimRight(text[i:j], ".")
			a, err := netip.ParseAddr(term)
			if err == nil && a.Is4() && (prefix && (strings.HasSuffix(addr, ".") || term == addr) || term == addr) {
				return true
			}
		}
	}
	hasAny := func(a []any, prefix bool) any {
		list := []any{dyn(a[1])}
		rest, _ := array(a[2])
		list = append(list, rest...)
		for k := 0; k < len(list); k++ {
			switch v := list[k].(type) {
			case string:
				if has(str(a[0]), v, prefix) {
					return true
				}
			case []any:
				list = append(list, v...)
			}
		}
		return false
	}
	out = append(out,
		fn("has_ipv4", types(tStr, tStr), tBool, func(a []any) any { return has(str(a[0]), str(a[1]), false) }),
		fn("has_ipv4_prefix", types(tStr, tStr), tBool, func(a []any) any { return has(str(a[0]), str(a[1]), true) }),
		vfn("has_any_ipv4", types(tStr, tDyn, tDyn), tBool, func(a []any) any { return hasAny(a, false) }),
		vfn("has_any_ipv4_prefix", types(tStr, tDyn, tDyn), tBool, func(a []any) any { return hasAny(a, true) }),
	)
	return append(out,
		fn("ipv4_is_private", types(tStr), tBool, func(a []any) any {
			addr, _, ok := prefixOf(str(a[0]), true)
			if !ok {
				return nil
			}
			return addr.IsPrivate()
		}),
		fn("ipv4_netmask_suffix", types(tStr), tLong, func(a []any) any {
			_, n, ok := prefixOf(str(a[0]), true)
			if !ok {
				return nil
			}
			return int64(n)
		}),
		fn("ipv4_range_to_cidr_list", types(tStr, tStr), tDyn, func(a []any) any {
			x, _, ok := prefixOf(str(a[0]), true)
			y, _, ok2 := prefixOf(str(a[1]), true)
			if !ok || !ok2 {
				return nil
			}
			from, to := v4number(x), v4number(y)
			out := []any{}
			for from <= to {
				bits := 32
				for bits > 0 {
					size := int64(1) << (32 - (bits - 1))
					if from%size != 0 || from+size-1 > to {
						break
					}
					bits--
				}
				out = append(out, fmt.Sprintf("%s/%d", v4address(from), bits))
				from += int64(1) << (32 - bits)
			}
			return js(out)
		}),
		fn("parse_ipv4", types(tStr), tLong, func(a []any) any {
			addr, n, ok := prefixOf(str(a[0]), true)
			if !ok {
				return nil
			}
			return v4number(masked(addr, n))
		}),
		fn("parse_ipv4_mask", types(tStr, tLong), tLong, func(a []any) any {
			addr, n, ok := prefixOf(str(a[0]), true)
			k := long(a[1], -1)
			if !ok || k < 0 || k > 32 {
				return nil
			}
			return v4number(masked(addr, min(n, int(k))))
		}),
		format("format_ipv4", false), format("format_ipv4_mask", true),
		fn("parse_ipv6", types(tStr), tStr, func(a []any) any {
			addr, n, ok := prefixOf(str(a[0]), false)
			if !ok {
				return ""
			}
			return fullV6(masked(addr, n))
		}),
		fn("parse_ipv6_mask", types(tStr, tLong), tStr, func(a []any) any {
			addr, n, ok := prefixOf(str(a[0]), false)
			k := long(a[1], -1)
			if !ok || k < 0 || k > 128 {
				return ""
			}
			return fullV6(masked(addr, min(n, int(k))))
		}),
	)
}
