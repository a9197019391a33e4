package access

import (
	"slices"
	"strings"

	"glassward"
	"glassward/directory"
	"glassward/directory/truth"
)

// Ids by which policies name locations that nobody made: the trusted addresses of the
// older MFA settings, and all compliant network locations.
const (
	MFATrustedIPs     = "00000000-0000-0000-0000-000000000000"
	CompliantNetworks = "3d46dbda-8382-466a-856d-eb00cbc6b910"
)

func resolvable(id string) bool { return glassward.IsGUID(id) }

// locations judges where the sign-in comes from.
func (e *Evaluator) locations(p *policy, in *SignIn) Clause {
	if c, bad := p.damage("locations"); bad {
		return c
	}
	x := p.Conditions.Locations
	if x == nil || len(x.Include)+len(x.Exclude)+len(x.Extra.Names()) == 0 {
		return Clause{}
	}
	c := Clause{Condition: "locations", Reason: Location}
	include, how := e.places(x.Include, in)
	if len(x.Include) == 0 {
		include, how = truth.True, "All"
	}
	exclude, by := e.places(x.Exclude, in)
	c.Holds = include.And(exclude.Not())
	switch {
	case exclude == truth.True:
		c.Why = "excluded by " + by
	case c.Holds == truth.True:
		c.Why = "included by " + how
	case include == truth.False:
		c.Why = "in none of " + e.locationNames(x.Include)
	case include == truth.Unknown:
		c.Why = how
	default:
		c.Why = by
	}
	if names := x.Extra.Names(); names != nil {
		c.Holds, c.Why, c.Reason = c.Holds.And(truth.Unknown), "not known: "+strings.Join(names, ", "), InvalidCondition
	}
	return c
}

func (e *Evaluator) locationNames(ids []string) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = e.locationName(id)
	}
	return strings.Join(names, ", ")
}

func (e *Evaluator) locationName(id string) string {
	if l := e.s.Location(id); l != nil && l.DisplayName != "" {
		return l.DisplayName
	}
	return id
}

// places says whether the sign-in is in one of a list of locations.
func (e *Evaluator) places(ids []string, in *SignIn) (truth.Value, string) {
	answer, why := truth.False, ""
	for _, id := range ids {
		v, reason := e.place(id, in)
		if v == truth.True {
			return v, reason
		}
		if v == truth.Unknown {
			answer, why = v, reason
		}
	}
	return answer, why
}

func (e *Evaluator) place(id string, in *SignIn) (truth.Value, string) {
	switch id {
	case "All":
		return truth.True, "All"
	case "AllTrusted":
		return e.inTrusted(in)
	case MFATrustedIPs:
		return in.MFATrusted, "whether the address is among the MFA trusted IPs, which Graph does not show"
	case CompliantNetworks:
		return in.CompliantNetwork, "all compliant networks"
	}
	l := e.s.Location(id)
	if l == nil {
		switch r := e.s.Reading(directory.Locations, ""); {
		case !resolvable(id):
			return truth.Unknown, "location " + id + " does not resolve"
		case r.State == directory.Read:
			return truth.False, "there is no location " + id + ": it was deleted"
		default:
			return truth.Unknown, "location " + id + " was not read: " + r.Why()
		}
	}
	return within(l, in)
}

// inTrusted judges the word AllTrusted.
func (e *Evaluator) inTrusted(in *SignIn) (truth.Value, string) {
	answer, why := in.MFATrusted, "whether the address is among the MFA trusted IPs, which Graph does not show"
	if r := e.s.Reading(directory.Locations, ""); r.State != directory.Read && answer == truth.False {
		answer, why = truth.Unknown, "named locations were not read: "+r.Why()
	}
	for _, l := range e.trusted {
		v, reason := within(l, in)
		switch v = v.And(l.Trusted); {
		case v == truth.True:
			return v, reason
		case v == truth.Unknown && answer == truth.False:
			answer, why = v, reason
		}
	}
	return answer, why
}

// within says whether the sign-in is in a named location.
func within(l *directory.NamedLocation, in *SignIn) (truth.Value, string) {
	name := l.DisplayName
	if name == "" {
		name = l.ID
	}
	switch l.Kind {
	case directory.LocationIP:
		if !in.Address.IsValid() {
			return truth.Unknown, "the address is not told"
		}
		a := in.Address.Unmap()
		for _, r := range l.Ranges {
			if r.Contains(a) {
				return truth.True, name
			}
		}
		if len(l.Bad) > 0 {
			return truth.Unknown, "location " + name + " has " + l.Bad[0] + ", which is no range"
		}
		return truth.False, name
	case directory.LocationCountry:
		if l.Lookup == "authenticatorAppGps" {
			return truth.Unknown, "location " + name + " asks the Authenticator app for its position, which does not work without it"
		}
		switch {
		case in.Country == "":
			return truth.Unknown, "the country is not told"
		case in.Country == "unknown":
			return l.UnknownCountries, name
		}
		return truth.Of(slices.Contains(l.Countries, strings.ToUpper(in.Country))), name
	case directory.LocationCompliantNetwork:
		return in.CompliantNetwork, name
	}
	return truth.Unknown, "the kind of location " + name + ", " + l.Kind + ", is not known"
}
