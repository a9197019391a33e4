package config

import (
	"fmt"
	"net/netip"
	"strings"

	"glassward"
)

// AcrossTenants says whether what meets one tenant is compared with what meets the
// others of this installation. Nothing is, unless it is switched on.
type AcrossTenants struct {
	// Compare switches it on.
	Compare bool `yaml:"compare" json:"compare,omitempty" jsonschema:"default=false,description=Compare addresses\\, applications and actors of alerts over tenants\\, as keyed hashes"`
	// Shared is what serves several tenants and is therefore not compared: addresses
	// and networks, client ids of applications, object ids and sign-in names of people.
	Shared []string `yaml:"shared" json:"shared,omitempty" jsonschema:"description=What serves several tenants and is not compared: addresses and networks (198.51.100.0/24)\\, client ids of applications\\, object ids and sign-in names of people"`
}

// The widest networks that can be shared: what is wider would take whole countries
// out of the comparison.
const (
	widestShared4 = 8
	widestShared6 = 19
)

// checkShared says what is wrong with an entry of Shared.
func checkShared(entry string) error {
	if a, err := netip.ParseAddr(entry); err == nil && a.Zone() == "" {
		return nil
	}
	if p, err := netip.ParsePrefix(entry); err == nil {
		if p.Addr().Is4() && p.Bits() < widestShared4 || p.Addr().Is6() && p.Bits() < widestShared6 {
			return fmt.Errorf("shared: network %s is too wide: at most /%d, or /%d of IPv6", entry, widestShared4, widestShared6)
		}
		return nil
	}
	if before, after, ok := strings.Cut(entry, "@"); glassward.IsGUID(entry) || ok && before != "" && strings.Contains(after, ".") && !strings.ContainsAny(entry, " \t<>") {
		return nil
	}
	return fmt.Errorf("shared: %q is no address, no network (198.51.100.0/24), no id (a GUID) and no sign-in name", entry)
}

// Shares says whether something serves several tenants: an address or a network, an
// id, or a sign-in name. A network is shared where all of it is.
func (x AcrossTenants) Shares(what string) bool {
	at, isNetwork := asPrefix(what)
	for _, entry := range x.Shared {
		p, ok := asPrefix(entry)
		switch {
		case ok && isNetwork:
			if p.Bits() <= at.Bits() && p.Contains(at.Addr()) {
				return true
			}
		case strings.EqualFold(entry, what):
			return true
		}
	}
	return false
}

// asPrefix reads an address or a network.
func asPrefix(text string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap()
		return netip.PrefixFrom(a.WithZone(""), a.BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	return p, err == nil
}
