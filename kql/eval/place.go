package eval

import (
	"net/netip"
	"strings"

	"glassward/kql/value"
)

// Place is what is known of an address; what is not known is empty or nil.
type Place struct {
	Country, State, City string
	Latitude, Longitude  *float64
}

// AddressFunction makes geo_info_from_ip_address of a database of addresses. It is no part of Functions,
// because such a database belongs to whoever runs the engine.
func AddressFunction(find func(netip.Addr) (Place, bool)) Function {
	return fn("geo_info_from_ip_address", types(tStr), tDyn, func(a []any) any {
		addr, err := netip.ParseAddr(strings.TrimSpace(str(a[0])))
		if err != nil || addr.Zone() != "" {
			return nil
		}
		p, ok := find(addr.Unmap())
		if !ok {
			return nil
		}
		o := &value.Object{}
		for _, part := range []struct{ name, text string }{{"country", p.Country}, {"state", p.State}, {"city", p.City}} {
			if part.text != "" {
				o.Set(part.name, part.text)
			}
		}
		if p.Latitude != nil && p.Longitude != nil {
			o.Set("latitude", *p.Latitude)
			o.Set("longitude", *p.Longitude)
		}
		return js(o)
	})
}
