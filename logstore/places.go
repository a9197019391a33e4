package logstore

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/oschwald/maxminddb-golang/v2"

	"glassward/kql/eval"
)

// Places is a database in MaxMind's format of where addresses lie, such as
// GeoLite2-City. Stores may share one.
type Places struct {
	// Find gives what is known of an address.
	Find func(netip.Addr) (eval.Place, bool)
}

// OpenPlaces reads a database whole, so that nothing that happens to the file
// later reaches a query.
func OpenPlaces(file string) (*Places, error) {
	bytes, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the database of addresses cannot be read: %w", err)
	}
	r, err := maxminddb.OpenBytes(bytes)
	if err != nil {
		return nil, fmt.Errorf("%s is no database of addresses in MaxMind's format: %w", file, err)
	}
	return &Places{func(a netip.Addr) (eval.Place, bool) { return lookup(r, a) }}, nil
}

func lookup(database *maxminddb.Reader, a netip.Addr) (eval.Place, bool) {
	var r struct {
		Country struct {
			Names map[string]string `maxminddb:"names"`
		} `maxminddb:"country"`
		Subdivisions []struct {
			Names map[string]string `maxminddb:"names"`
		} `maxminddb:"subdivisions"`
		City struct {
			Names map[string]string `maxminddb:"names"`
		} `maxminddb:"city"`
		Location struct {
			Latitude  *float64 `maxminddb:"latitude"`
			Longitude *float64 `maxminddb:"longitude"`
		} `maxminddb:"location"`
	}
	found := database.Lookup(a)
	if found.Err() != nil || !found.Found() || found.Decode(&r) != nil {
		return eval.Place{}, false
	}
	place := eval.Place{Country: r.Country.Names["en"], City: r.City.Names["en"], Latitude: r.Location.Latitude, Longitude: r.Location.Longitude}
	if len(r.Subdivisions) > 0 {
		place.State = r.Subdivisions[0].Names["en"]
	}
	return place, true
}
