package access

import (
	"math/bits"
	"net/netip"
	"slices"
	"strings"

	"glassward/directory"
	"glassward/directory/truth"
)

// The sign-ins of an emergency are a product of dimensions. What the policies can tell
// apart in each is finite: it falls into atoms, and a policy holds of an atom whole
// or not at all.
type dimension int

const (
	byTarget dimension = iota
	byClient
	byPlatform
	byPlace
	bySignInRisk
	byUserRisk
	byInsiderRisk
	dimensions
)

var dimensionNames = [dimensions]string{"target", "client", "platform", "place", "sign-in risk", "user risk", "insider risk"}

// set is a set of atoms of one dimension.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s set) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

func (s set) any() bool {
	for _, w := range s {
		if w != 0 {
			return true
		}
	}
	return false
}

func (s set) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

func (s set) meets(t set) bool {
	for i, w := range s {
		if w&t[i] != 0 {
			return true
		}
	}
	return false
}

// first gives the least element, or -1.
func (s set) first() int {
	for i, w := range s {
		if w != 0 {
			return i*64 + bits.TrailingZeros64(w)
		}
	}
	return -1
}

func full(n int) set {
	s := newSet(n)
	for i := range n {
		s.add(i)
	}
	return s
}

// An atom is a class of values of one dimension that no policy tells apart, with one
// of them.
type atom struct {
	name string
	in   SignIn // the fields of the dimension
	// assumed says that nobody knows whether there is such a value: an address among
	// the MFA trusted IPs, which Graph does not show.
	assumed bool
}

// set puts the atom's value into a sign-in.
func (a *atom) set(d dimension, in *SignIn) {
	switch d {
	case byTarget:
		in.Resources, in.UserAction, in.Context = a.in.Resources, a.in.UserAction, a.in.Context
	case byClient:
		in.ClientApp = a.in.ClientApp
	case byPlatform:
		in.Platform = a.in.Platform
	case byPlace:
		in.Address, in.Country, in.MFATrusted = a.in.Address, a.in.Country, a.in.MFATrusted
	case bySignInRisk:
		in.SignInRisk = a.in.SignInRisk
	case byUserRisk:
		in.UserRisk = a.in.UserRisk
	case byInsiderRisk:
		in.InsiderRisk = a.in.InsiderRisk
	}
}

// a truths holds for each atom of a dimension whether something is certain there, and
// whether it is possible.
type truths struct{ certain, possible set }

func newTruths(n int) truths { return truths{newSet(n), newSet(n)} }

func (t truths) put(i int, v truth.Value) {
	if v == truth.True {
		t.certain.add(i)
	}
	if v != truth.False {
		t.possible.add(i)
	}
}

// space is the partition that a list of policies induces on the sign-ins of an
// emergency.
type space struct {
	e     *Evaluator
	atoms [dimensions][]atom
	// usual are the atoms that certainly exist.
	usual [dimensions]set
	all   [dimensions]truths // everywhere certain
	// located caches what the named locations are over the places, and held what each
	// policy's conditions are over the dimensions: neither depends on the account.
	located map[string]truths
	held    map[*policy]*[dimensions]truths
	classes struct{ addresses, countries int }
}

// emergencyTargets are what whoever repairs a tenant signs in to.
func emergencyTargets() []atom {
	t := func(name string, apps ...string) atom { return atom{name: name, in: SignIn{Resources: apps}} }
	return []atom{
		t("Azure portal", appAzurePortal, appARM),
		t("Microsoft Entra admin center", appAzurePortal, appGraph),
		t("Microsoft 365 admin center", appM365Admin),
		t("Azure Resource Manager", appARM),
		t("Microsoft Graph", appGraph),
		t("Windows Azure Active Directory", appAADGraph),
		t("Azure CLI", appAzureCLI, appARM),
		t("Azure PowerShell", appAzurePS, appARM),
		{name: "security information", in: SignIn{UserAction: "urn:user:registersecurityinfo"}},
	}
}

// newSpace makes the partition for the policies given, of sign-ins to the targets given.
func newSpace(e *Evaluator, policies []*policy, targets []atom) *space {
	sp := &space{e: e, located: map[string]truths{}, held: map[*policy]*[dimensions]truths{}}
	sp.atoms[byTarget] = targets
	plain := func(d dimension, names []string, put func(*SignIn, string)) {
		for _, n := range names {
			a := atom{name: n}
			put(&a.in, n)
			sp.atoms[d] = append(sp.atoms[d], a)
		}
	}
	plain(byClient, []string{"browser", "mobileAppsAndDesktopClients"}, func(in *SignIn, s string) { in.ClientApp = s })
	plain(byPlatform, []string{"windows", "macOS", "linux", "iOS", "android", "unknown"}, func(in *SignIn, s string) { in.Platform = s })
	risks := []string{"none", "low", "medium", "high"}
	plain(bySignInRisk, risks, func(in *SignIn, s string) { in.SignInRisk = s })
	plain(byUserRisk, risks, func(in *SignIn, s string) { in.UserRisk = s })
	plain(byInsiderRisk, []string{"none", "minor", "moderate", "elevated"}, func(in *SignIn, s string) { in.InsiderRisk = s })
	sp.places(policies)
	for d := range dimensions {
		n := len(sp.atoms[d])
		sp.all[d] = truths{full(n), full(n)}
		sp.usual[d] = newSet(n)
		for i, a := range sp.atoms[d] {
			if !a.assumed {
				sp.usual[d].add(i)
			}
		}
	}
	return sp
}

// base is a sign-in with what is the same in every emergency: a device that nobody
// knows, no flow, no network of the tenant's.
func (sp *space) base() SignIn {
	return SignIn{Device: Unregistered(), Flow: "none", CompliantNetwork: truth.False, ServicePrincipalRisk: "none"}
}

// cell gives the sign-in of one atom of each dimension.
func (sp *space) cell(at [dimensions]int) SignIn {
	in := sp.base()
	for d := range dimensions {
		sp.atoms[d][at[d]].set(d, &in)
	}
	return in
}

// Size is how many cells the partition has.
func (sp *space) size() int {
	n := 1
	for d := range dimensions {
		n *= len(sp.atoms[d])
	}
	return n
}

// places makes the atoms of where a sign-in comes from: what the named locations of
// the policies can tell apart, by address and by country. No table ties addresses to
// countries here: every address may be in every country, so that nothing is taken
// for impossible.
func (sp *space) places(policies []*policy) {
	seen := map[string]*directory.NamedLocation{}
	mfa := false
	for _, p := range policies {
		l := p.Conditions.Locations
		if l == nil {
			continue
		}
		for _, id := range slices.Concat(l.Include, l.Exclude) {
			switch id {
			case "All":
			case MFATrustedIPs:
				mfa = true
			case "AllTrusted":
				mfa = true
				for _, x := range sp.e.trusted {
					seen[x.ID] = x
				}
			default:
				if x := sp.e.s.Location(id); x != nil {
					seen[x.ID] = x
				}
			}
		}
	}
	var ranges, countries []*directory.NamedLocation
	for _, l := range sp.e.s.Contents().Locations {
		if seen[l.ID] != l {
			continue
		}
		switch l.Kind {
		case directory.LocationIP:
			ranges = append(ranges, l)
		case directory.LocationCountry:
			countries = append(countries, l)
		}
	}
	addresses := addressClasses(ranges)
	lands := countryClasses(countries)
	sp.classes.addresses, sp.classes.countries = len(addresses), len(lands)
	trust := []truth.Value{truth.False}
	if mfa {
		trust = append(trust, truth.True)
	}
	for _, t := range trust {
		for _, c := range lands {
			for _, a := range addresses {
				name := a.String()
				if len(lands) > 1 {
					if name += " in " + c; c == "unknown" {
						name = a.String() + " in no country"
					}
				}
				if t == truth.True {
					name += " among the MFA trusted IPs"
				}
				sp.atoms[byPlace] = append(sp.atoms[byPlace], atom{name: name, in: SignIn{Address: a, Country: c, MFATrusted: t}, assumed: t == truth.True})
			}
		}
	}
}

// addressClasses gives one address of each class that the ranges of the locations can
// tell apart, IPv4 first, and in front one that is in none of them.
func addressClasses(locations []*directory.NamedLocation) []netip.Addr {
	type event struct {
		at    netip.Addr
		where int
		step  int
	}
	var list []netip.Addr
	for _, family := range []struct {
		zero  netip.Addr
		usual []string
	}{{netip.IPv4Unspecified(), []string{"198.51.100.7", "203.0.113.7", "192.0.2.7"}}, {netip.IPv6Unspecified(), []string{"2001:db8::7"}}} {
		var events []event
		for i, l := range locations {
			for _, r := range l.Ranges {
				if r.Addr().Is4() != family.zero.Is4() {
					continue
				}
				events = append(events, event{r.Addr(), i, 1})
				if next := lastOf(r).Next(); next.IsValid() {
					events = append(events, event{next, i, -1})
				}
			}
		}
		slices.SortFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
		inside := make([]int, len(locations))
		key := make([]byte, (len(locations)+7)/8)
		known := map[string]bool{}
		note := func(a netip.Addr) {
			if !known[string(key)] {
				known[string(key)] = true
				list = append(list, a)
			}
		}
		// An address in no location comes first, and a plain one if there is.
		outside := func(a netip.Addr) bool {
			for _, l := range locations {
				if v, _ := within(l, &SignIn{Address: a}); v == truth.True {
					return false
				}
			}
			return true
		}
		for _, u := range family.usual {
			if a := netip.MustParseAddr(u); outside(a) {
				note(a)
				break
			}
		}
		at := family.zero
		for i := 0; ; {
			for i < len(events) && events[i].at == at {
				ev := events[i]
				inside[ev.where] += ev.step
				if inside[ev.where] > 0 {
					key[ev.where/8] |= 1 << (ev.where % 8)
				} else {
					key[ev.where/8] &^= 1 << (ev.where % 8)
				}
				i++
			}
			note(at)
			if i == len(events) {
				break
			}
			at = events[i].at
		}
	}
	return list
}

// lastOf is the last address of a range.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// countryClasses gives one country of each class that the locations can tell apart,
// one that is in none of them first, and "unknown" for addresses of no country.
func countryClasses(locations []*directory.NamedLocation) []string {
	other := ""
	for _, c := range []string{"NO", "CH", "NZ", "UY", "IS", "AQ", "BV", "ZZ", "XX", "QQ"} {
		if !slices.ContainsFunc(locations, func(l *directory.NamedLocation) bool { return slices.Contains(l.Countries, c) }) {
			other = c
			break
		}
	}
	list := []string{}
	known := map[string]bool{}
	note := func(c string) {
		var key strings.Builder
		for _, l := range locations {
			v, _ := within(l, &SignIn{Country: c})
			key.WriteByte(byte('1' + v))
		}
		if !known[key.String()] {
			known[key.String()] = true
			list = append(list, c)
		}
	}
	if other != "" {
		note(other)
	}
	for _, l := range locations {
		for _, c := range l.Countries {
			note(c)
		}
	}
	note("unknown")
	return list
}

// location gives what a location of a policy is over the places.
func (sp *space) location(id string) truths {
	if t, ok := sp.located[id]; ok {
		return t
	}
	atoms := sp.atoms[byPlace]
	t := newTruths(len(atoms))
	kind := ""
	if l := sp.e.s.Location(id); l != nil {
		kind = l.Kind
	}
	// What a location asks for is judged once for each class of that, and not for each
	// place.
	addresses, lands := sp.classes.addresses, sp.classes.countries
	answers := make([]truth.Value, 0, addresses)
	judge := func(i int) truth.Value {
		in := sp.base()
		atoms[i].set(byPlace, &in)
		v, _ := sp.e.place(id, &in)
		return v
	}
	plane := addresses * lands
	for from := 0; from < len(atoms); from += plane { // with and without the MFA trusted IPs
		switch {
		case kind == directory.LocationIP || id == "AllTrusted":
			answers = answers[:0]
			for a := range addresses {
				answers = append(answers, judge(from+a))
			}
			for c := range lands {
				for a, v := range answers {
					t.put(from+c*addresses+a, v)
				}
			}
		default:
			for c := range lands {
				v := judge(from + c*addresses)
				for a := range addresses {
					t.put(from+c*addresses+a, v)
				}
			}
		}
	}
	sp.located[id] = t
	return t
}

// locations is Evaluator.locations over all places at once.
func (sp *space) locations(p *policy) truths {
	x := p.Conditions.Locations
	if _, bad := p.damage("locations"); bad {
		return truths{newSet(len(sp.atoms[byPlace])), sp.all[byPlace].possible}
	}
	if x == nil || len(x.Include)+len(x.Exclude)+len(x.Extra.Names()) == 0 {
		return sp.all[byPlace]
	}
	union := func(ids []string) truths {
		t := newTruths(len(sp.atoms[byPlace]))
		for _, id := range ids {
			l := sp.location(id)
			for w := range t.certain {
				t.certain[w] |= l.certain[w]
				t.possible[w] |= l.possible[w]
			}
		}
		return t
	}
	include, exclude := sp.all[byPlace], union(x.Exclude)
	if len(x.Include) > 0 {
		include = union(x.Include)
	}
	t := newTruths(len(sp.atoms[byPlace]))
	for w := range t.certain {
		t.certain[w] = include.certain[w] &^ exclude.possible[w]
		t.possible[w] = include.possible[w] &^ exclude.certain[w]
	}
	if x.Extra.Names() != nil {
		clear(t.certain)
	}
	return t
}

// conditions gives what a policy's conditions are over the dimensions.
func (sp *space) conditions(p *policy) *[dimensions]truths {
	if t, ok := sp.held[p]; ok {
		return t
	}
	t := &[dimensions]truths{}
	for d := range dimensions {
		if d == byPlace {
			t[d] = sp.locations(p)
			continue
		}
		t[d] = newTruths(len(sp.atoms[d]))
		for i := range sp.atoms[d] {
			in := sp.base()
			sp.atoms[d][i].set(d, &in)
			t[d].put(i, sp.clause(d, p, &in))
		}
	}
	sp.held[p] = t
	return t
}

// clause judges the condition of a policy that belongs to a dimension.
func (sp *space) clause(d dimension, p *policy, in *SignIn) truth.Value {
	var c Clause
	switch d {
	case byTarget:
		c = sp.e.application(p, in)
	case byClient:
		c = clientApps(p, in)
	case byPlatform:
		c = platforms(p, in)
	case bySignInRisk:
		c = risk(p, "signInRiskLevels", p.Conditions.SignInRiskLevels, in.SignInRisk, SignInRisk)
	case byUserRisk:
		c = risk(p, "userRiskLevels", p.Conditions.UserRiskLevels, in.UserRisk, UserRisk)
	case byInsiderRisk:
		c = risk(p, "insiderRiskLevels", p.Conditions.InsiderRiskLevels, in.InsiderRisk, InsiderRisk)
	}
	if c.Condition == "" {
		return truth.True
	}
	return c.Holds
}
