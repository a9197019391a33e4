package kql

import (
	"glassward/kql/bind"
	"glassward/kql/syntax"
)

// Look gives what the operator that begins at byte at of a text may name, for completion and hover. The text may be
// full of mistakes and end anywhere. Nothing is fetched for it and no data are read.
func Look(source string, o Options, at int) bind.Sight {
	if len(source) > maxSource {
		return bind.Sight{}
	}
	o.External, o.Explore = nil, nil
	file, _ := syntax.Parse(source)
	return bind.Look(file, o.bind(), at)
}
