package directory

import (
	"net/netip"
	"strings"

	"glassward/directory/truth"
)

// Kinds of named locations. A kind that is none of them is kept as Graph's type
// name.
const (
	LocationIP               = "ipNamedLocation"
	LocationCountry          = "countryNamedLocation"
	LocationCompliantNetwork = "compliantNetworkNamedLocation"
)

// A NamedLocation is a place that policies speak of.
type NamedLocation struct {
	ID, DisplayName string
	Kind            string
	Trusted         truth.Value
	// Ranges are those of an IP location, masked. Bad holds those that are no range:
	// which addresses they mean is unknown.
	Ranges []netip.Prefix
	Bad    []string
	// Countries are two-letter codes in upper case. UnknownCountries says that the
	// location holds addresses that belong to no country. Lookup is clientIpAddress
	// or authenticatorAppGps.
	Countries        []string
	UnknownCountries truth.Value
	Lookup           string
	Extra            Extra
}

func decodeLocation(d *decoder, n node) *NamedLocation {
	l := &NamedLocation{}
	d.object(n, &l.Extra, func(key string, v node) bool {
		switch key {
		case odataType:
			l.Kind = graphType(d.text(v))
		case "id":
			l.ID = d.id(v)
		case "displayName":
			l.DisplayName = d.text(v)
		case "createdDateTime", "modifiedDateTime", "deletedDateTime":
			d.time(v)
		case "isTrusted":
			l.Trusted = d.truth(v)
		case "ipRanges":
			d.array(v, func(v node) {
				text := ""
				if v.kind() == '"' {
					text = v.text()
				} else if a := v.get("cidrAddress"); a != nil {
					text = d.text(a)
				}
				p, err := netip.ParsePrefix(text)
				if err != nil {
					d.problem("%q is no range of addresses", text)
					l.Bad = append(l.Bad, text)
					return
				}
				if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
					p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
				}
				l.Ranges = append(l.Ranges, p.Masked())
			})
		case "countriesAndRegions":
			for _, c := range d.texts(v) {
				l.Countries = append(l.Countries, strings.ToUpper(c))
			}
		case "includeUnknownCountriesAndRegions":
			l.UnknownCountries = d.truth(v)
		case "countryLookupMethod":
			l.Lookup = d.enum(v, "clientIpAddress", "authenticatorAppGps")
		case "compliantNetworkType":
			d.text(v)
		default:
			return false
		}
		return true
	})
	if l.Kind == "" {
		// Exports that drop OData annotations drop the type with them.
		switch {
		case len(l.Ranges)+len(l.Bad) > 0:
			l.Kind = LocationIP
		case len(l.Countries) > 0 || l.UnknownCountries == truth.True:
			l.Kind = LocationCountry
		}
	}
	return l
}

// graphType is the last part of "#microsoft.graph.ipNamedLocation".
func graphType(s string) string {
	s = strings.TrimPrefix(s, "#")
	return s[strings.LastIndexByte(s, '.')+1:]
}
