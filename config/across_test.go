package config_test

import (
	"testing"

	"glassward/config"
)

// What serves several tenants is known by address, network, id and name.
func TestShares(t *testing.T) {
	x := config.AcrossTenants{Shared: []string{"198.51.100.0/24", "203.0.113.7", "2001:db8:1::/48", "14D82EEC-204B-4C2F-B7E8-296A70DAB67E", "Technician@provider.example"}}
	for what, want := range map[string]bool{
		"198.51.100.9": true, "198.51.101.9": false, "::ffff:198.51.100.9": true,
		"203.0.113.7": true, "203.0.113.8": false,
		"2001:db8:1:2::/64": true, "2001:db8:1::5": true, "2001:db8::/32": false, "2001:db8:2::/64": false,
		"14d82eec-204b-4c2f-b7e8-296a70dab67e": true, "14d82eec-204b-4c2f-b7e8-296a70dab67f": false,
		"technician@provider.example": true, "technician": false, "": false,
	} {
		if got := x.Shares(what); got != want {
			t.Errorf("%q is shared: %t", what, got)
		}
	}
}
