package access

import (
	"slices"
	"sort"
	"strings"

	"glassward/directory"
	"glassward/directory/truth"
)

// A Verdict says whether an account gets in, in an emergency.
type Verdict string

// The verdicts, from the worst.
const (
	Locked      Verdict = "locked"      // from nowhere
	Unresolved  Verdict = "unknown"     // what was read does not decide which
	Conditional Verdict = "conditional" // under conditions only
	Open        Verdict = "open"        // from anywhere, with any device, at any risk
)

func (v Verdict) rank() int {
	return slices.Index([]Verdict{Locked, Unresolved, Conditional, Open}, v)
}

// An Outcome is a verdict with its bounds: what it is at worst and at best, however
// that turns out which is unknown. Where they are one, that is the verdict.
type Outcome struct {
	Verdict Verdict `json:"verdict"`
	Worst   Verdict `json:"atWorst"`
	Best    Verdict `json:"atBest"`
}

// Worse says whether o may be worse than p, or can no longer be as good.
func (o Outcome) Worse(p Outcome) bool {
	return o.Worst.rank() < p.Worst.rank() || o.Best.rank() < p.Best.rank()
}

// An Assessment is the verdict on one account.
type Assessment struct {
	Subject *Subject
	Outcome
	// Failures are the policies and gates that keep the account out somewhere, each
	// with a sign-in at which it does; those that may come last.
	Failures []Failure
	// Ways are the widest conditions under which a conditional account certainly gets
	// in: each way is a list of restrictions, all of which must hold.
	Ways [][]Restriction
	// Applying are the enforced policies that are certain to apply to some sign-in of
	// an emergency, and Maybe those that may.
	Applying, Maybe []*directory.Policy
	// Cells is how many sign-ins the policies tell apart.
	Cells int
}

// A Failure is what keeps an account out, or may.
type Failure struct {
	// Policy is nil where Gate names what stands outside Conditional Access.
	Policy *directory.Policy
	Gate   string
	// Certain says that the witness is refused, and not only that it may be.
	Certain bool
	// Witness is a sign-in that is refused, Why what refuses it.
	Witness SignIn
	Where   string // the witness in words
	Why     string
}

// Name is the policy's display name or the gate.
func (f *Failure) Name() string {
	if f.Policy == nil {
		return f.Gate
	}
	if f.Policy.DisplayName != "" {
		return f.Policy.DisplayName
	}
	return f.Policy.ID
}

// A Restriction limits one dimension of sign-ins.
type Restriction struct {
	Dimension string   `json:"dimension"`
	Values    []string `json:"values"`
}

// String gives the restriction in words.
func (r Restriction) String() string { return r.Dimension + " " + strings.Join(r.Values, " or ") }

// box is the sign-ins that one policy or gate refuses: a product of sets of atoms.
type box struct {
	policy *policy
	gate   string
	// always is what does not depend on the sign-in.
	always truth.Value
	dims   [dimensions]truths
}

// certain says whether the box certainly holds a sign-in that certainly exists.
func (b *box) certain(sp *space) bool {
	if b.always != truth.True {
		return false
	}
	for d := range dimensions {
		if !b.dims[d].certain.meets(sp.usual[d]) {
			return false
		}
	}
	return true
}

// possible says whether the box may hold a sign-in.
func (b *box) possible() bool {
	if b.always == truth.False {
		return false
	}
	for d := range dimensions {
		if !b.dims[d].possible.any() {
			return false
		}
	}
	return true
}

// mayHold says whether the box may hold a cell.
func (b *box) mayHold(at [dimensions]int) bool {
	if b.always == truth.False {
		return false
	}
	for d := range dimensions {
		if !b.dims[d].possible.has(at[d]) {
			return false
		}
	}
	return true
}

// A Judge gives verdicts by one snapshot. It is for one goroutine at a time.
type Judge struct {
	e  *Evaluator
	sp *space
	// deleted are policies that could be restored.
	deleted []*policy
	// contexts are the judges of single authentication contexts, made when asked for.
	contexts map[string]*Judge
}

// NewJudge makes the partition that the policies of a snapshot induce, those that are
// off and those in the bin included.
func NewJudge(s *directory.Snapshot) *Judge {
	j := &Judge{e: NewEvaluator(s)}
	for _, p := range s.Contents().DeletedPolicies {
		j.deleted = append(j.deleted, prepare(p))
	}
	j.sp = newSpace(j.e, slices.Concat(j.e.policies, j.deleted), emergencyTargets())
	return j
}

// Evaluator gives the evaluator of the same snapshot.
func (j *Judge) Evaluator() *Evaluator { return j.e }

// Cells is how many sign-ins the policies tell apart; addresses and countries are how
// many classes of each are among them.
func (j *Judge) Cells() (cells, addresses, countries int) {
	return j.sp.size(), j.sp.classes.addresses, j.sp.classes.countries
}

// Emergency judges an emergency account, by what works with nothing but what lies in
// the safe: no telephone, no device of its own.
func (j *Judge) Emergency(account string) *Assessment {
	sub := j.e.Account(account)
	sub.standalone = true
	return j.assess(sub)
}

// Administrator judges an account with all that it has registered, but a device that
// nobody knows.
func (j *Judge) Administrator(account string) *Assessment { return j.assess(j.e.Account(account)) }

// Application judges a service principal that is kept for emergencies.
func (j *Judge) Application(id string) *Assessment { return j.assess(j.e.ServicePrincipal(id)) }

func (j *Judge) assess(sub *Subject) *Assessment {
	a := &Assessment{Subject: sub, Cells: j.sp.size()}
	var bad []*box
	for _, p := range j.e.policies {
		b := j.applies(sub, p)
		if b.possible() {
			if b.certain(j.sp) {
				a.Applying = append(a.Applying, p.Policy)
			} else {
				a.Maybe = append(a.Maybe, p.Policy)
			}
		}
		if b = j.refuses(sub, p, b); b.possible() {
			bad = append(bad, b)
		}
	}
	bad = append(bad, j.gates(sub)...)
	a.Outcome = j.sp.outcome(bad)
	for _, b := range bad {
		a.Failures = append(a.Failures, j.failure(sub, b))
	}
	sort.SliceStable(a.Failures, func(x, y int) bool { return a.Failures[x].Certain && !a.Failures[y].Certain })
	if a.Verdict == Conditional {
		a.Ways = j.sp.ways(bad, j.e)
	}
	return a
}

// applies gives the sign-ins to which an enforced policy applies.
func (j *Judge) applies(sub *Subject, p *policy) *box {
	in := j.sp.base()
	enforced, on := p.state()
	b := &box{policy: p, always: enforced}
	for _, c := range []Clause{on, sub.clause(p), devices(p, &in), flows(p, &in), times(p), unmodelled(p)} {
		if c.Condition != "" {
			b.always = b.always.And(c.Holds)
		}
	}
	if p.workload {
		if c := risk(p, "servicePrincipalRiskLevels", p.Conditions.ServicePrincipalRiskLevels, in.ServicePrincipalRisk, SignInRisk); c.Condition != "" {
			b.always = b.always.And(c.Holds)
		}
	}
	if b.always != truth.False {
		b.dims = *j.sp.conditions(p)
	}
	return b
}

// refuses narrows the sign-ins to which a policy applies to those at which the
// account cannot do what it demands.
func (j *Judge) refuses(sub *Subject, p *policy, applies *box) *box {
	if applies.always == truth.False {
		return applies
	}
	b := *applies
	n := len(j.sp.atoms[byTarget])
	unmet := newTruths(n)
	var v truth.Value
	for i := range n {
		// Only token protection asks what is signed in to.
		if i == 0 || p.Session != nil && p.Session.SecureSignInSession {
			in := j.sp.base()
			in.ClientApp = "browser"
			j.sp.atoms[byTarget][i].set(byTarget, &in)
			_, v = j.e.demands(p, sub, &in)
		}
		unmet.put(i, v.Not())
	}
	t := newTruths(n)
	for w := range t.certain {
		t.certain[w] = b.dims[byTarget].certain[w] & unmet.certain[w]
		t.possible[w] = b.dims[byTarget].possible[w] & unmet.possible[w]
	}
	b.dims[byTarget] = t
	return &b
}

// gates gives the sign-ins that are refused outside of Conditional Access.
func (j *Judge) gates(sub *Subject) []*box {
	var list []*box
	for i := range j.sp.atoms[byTarget] {
		in := j.sp.base()
		j.sp.atoms[byTarget][i].set(byTarget, &in)
		for _, g := range j.e.gates(sub, &in) {
			if g.Passed == truth.True {
				continue
			}
			at := slices.IndexFunc(list, func(b *box) bool { return b.gate == g.Name })
			if at < 0 {
				b := &box{gate: g.Name, always: truth.True, dims: j.sp.all}
				b.dims[byTarget] = newTruths(len(j.sp.atoms[byTarget]))
				at, list = len(list), append(list, b)
			}
			list[at].dims[byTarget].put(i, g.Passed.Not())
		}
	}
	return list
}

// failure finds a witness in a box.
func (j *Judge) failure(sub *Subject, b *box) Failure {
	f := Failure{Gate: b.gate, Certain: b.certain(j.sp)}
	var at [dimensions]int
	var words []string
	for d := range dimensions {
		s := b.dims[d].possible
		if f.Certain {
			s = b.dims[d].certain
		}
		at[d] = s.first()
		for i := range j.sp.atoms[d] {
			if s.has(i) && j.sp.usual[d].has(i) {
				at[d] = i
				break
			}
		}
		words = append(words, j.sp.word(d, at[d], b))
	}
	f.Witness = j.sp.cell(at)
	if sub.Principal != nil {
		f.Witness.ServicePrincipal = sub.ID
	} else {
		f.Witness.User = sub.ID
	}
	words = slices.DeleteFunc(words, func(s string) bool { return s == "" })
	f.Where = strings.Join(words, ", ")
	if f.Where == "" {
		f.Where = "everywhere"
	}
	if b.policy == nil {
		for _, g := range j.e.gates(sub, &f.Witness) {
			if g.Name == b.gate {
				f.Why = g.Why
			}
		}
		return f
	}
	f.Policy = b.policy.Policy
	var r Result
	j.e.judge(&r, b.policy, sub, &f.Witness)
	var why []string
	for _, c := range r.Controls {
		if c.Satisfied != truth.True {
			why = append(why, c.Name+": "+c.Why)
		}
	}
	if r.Applies == truth.Unknown {
		for _, c := range r.Clauses {
			if c.Holds == truth.Unknown {
				why = append(why, c.Condition+": "+c.Why)
			}
		}
	}
	f.Why = strings.Join(why, "; ")
	return f
}

// word names an atom where the box is about some atoms of the dimension only.
func (sp *space) word(d dimension, i int, b *box) string {
	if b.dims[d].possible.count() == len(sp.atoms[d]) {
		return ""
	}
	name := sp.atoms[d][i].name
	switch d {
	case byTarget, byClient:
		return name
	case byPlatform:
		if name == "unknown" {
			return "a platform that Entra does not recognise"
		}
		return name
	case byPlace:
		return "from " + name
	}
	return dimensionNames[d] + " " + name
}

// outcome decides by the boxes that refuse.
func (sp *space) outcome(bad []*box) Outcome {
	o := Outcome{Worst: Open, Best: Open}
	bad = slices.DeleteFunc(slices.Clone(bad), func(b *box) bool { return !b.possible() })
	if len(bad) > 0 {
		o.Worst = Locked
		if _, free := sp.outside(bad, false); free == truth.True {
			o.Worst = Conditional
		}
	}
	if slices.ContainsFunc(bad, func(b *box) bool { return b.certain(sp) }) {
		o.Best = Conditional
		if _, free := sp.outside(bad, true); free == truth.False {
			o.Best = Locked
		}
	}
	if o.Verdict = o.Best; o.Worst != o.Best {
		o.Verdict = Unresolved
	}
	return o
}

// searched is how many steps the search for a cell may take. It is far more than
// policies of people need; beyond it the answer is unknown.
const searched = 4_000_000

// outside looks for a cell that is in none of the boxes: of what they certainly refuse,
// or of what they may. In the latter case the cell must be one that certainly exists.
func (sp *space) outside(bad []*box, certain bool) (at [dimensions]int, found truth.Value) {
	words := (len(bad) + 63) / 64
	if words == 0 {
		return at, truth.True
	}
	// Of each dimension, the atoms with which boxes they are in, least first: an atom
	// that is in the boxes of another and in more is never needed.
	type choice struct {
		atom  int
		boxes set
	}
	var choices [dimensions][]choice
	order := make([]dimension, dimensions)
	for d := range dimensions {
		order[d] = d
		seen := map[string]bool{}
		key := make([]byte, words*8)
		for i := range sp.atoms[d] {
			if !certain && !sp.usual[d].has(i) {
				continue
			}
			c := choice{i, newSet(len(bad))}
			for k, b := range bad {
				s := b.dims[d].possible
				if certain {
					s = b.dims[d].certain
				}
				if s.has(i) && (!certain || b.always == truth.True) {
					c.boxes.add(k)
				}
			}
			for w, x := range c.boxes {
				for k := range 8 {
					key[w*8+k] = byte(x >> (8 * k))
				}
			}
			if !seen[string(key)] {
				seen[string(key)] = true
				choices[d] = append(choices[d], c)
			}
		}
		slices.SortStableFunc(choices[d], func(a, b choice) int { return a.boxes.count() - b.boxes.count() })
		var least []choice
		for _, c := range choices[d] {
			if len(least) < 2000 && slices.ContainsFunc(least, func(l choice) bool { return subset(l.boxes, c.boxes) }) {
				continue
			}
			least = append(least, c)
		}
		choices[d] = least
	}
	slices.SortStableFunc(order, func(a, b dimension) int { return len(choices[a]) - len(choices[b]) })
	steps := 0
	var walk func(k int, left set) truth.Value
	walk = func(k int, left set) truth.Value {
		if !left.any() {
			for _, d := range order[k:] {
				at[d] = choices[d][0].atom
			}
			return truth.True
		}
		if k == len(order) {
			return truth.False
		}
		if steps++; steps > searched {
			return truth.Unknown
		}
		next := make(set, words)
		for _, c := range choices[order[k]] {
			for w := range next {
				next[w] = left[w] & c.boxes[w]
			}
			at[order[k]] = c.atom
			if v := walk(k+1, next); v != truth.False {
				return v
			}
		}
		return truth.False
	}
	return at, walk(0, full(len(bad)))
}

func subset(a, b set) bool {
	for i, w := range a {
		if w&^b[i] != 0 {
			return false
		}
	}
	return true
}

// maxWays is how many ways are told.
const maxWays = 5

// ways gives products of atoms, as wide as they can be, in which no box may refuse:
// beginning with a free cell, each dimension takes in what it can, in several orders.
func (sp *space) ways(bad []*box, e *Evaluator) [][]Restriction {
	at, found := sp.outside(bad, false)
	if found != truth.True {
		return nil
	}
	var ways [][]Restriction
	known := map[string]bool{}
	for turn := range dimensions {
		var taken [dimensions]set
		for d := range dimensions {
			taken[d] = newSet(len(sp.atoms[d]))
			taken[d].add(at[d])
		}
		for k := range dimensions {
			d := (turn + k) % dimensions
			// What is left of the dimension by the boxes that reach here by all others.
			left := slices.Clone(sp.usual[d])
			for _, b := range bad {
				hit := true
				for o := dimension(0); o < dimensions && hit; o++ {
					hit = o == d || b.dims[o].possible.meets(taken[o])
				}
				if hit {
					for w := range left {
						left[w] &^= b.dims[d].possible[w]
					}
				}
			}
			for w := range left {
				taken[d][w] |= left[w]
			}
		}
		way := sp.restrictions(taken)
		var key strings.Builder
		for _, r := range way {
			key.WriteString(r.String() + "\n")
		}
		if !known[key.String()] && len(ways) < maxWays {
			known[key.String()] = true
			ways = append(ways, way)
		}
	}
	return ways
}

// restrictions says in words how sets of atoms limit sign-ins.
func (sp *space) restrictions(taken [dimensions]set) []Restriction {
	list := []Restriction{}
	for d := range dimensions {
		if taken[d].count() == sp.usual[d].count() {
			continue
		}
		r := Restriction{Dimension: dimensionNames[d]}
		if d == byPlace {
			r.Values = sp.placeWords(taken[d])
		} else {
			for i, a := range sp.atoms[d] {
				if taken[d].has(i) {
					r.Values = append(r.Values, a.name)
				}
			}
		}
		list = append(list, r)
	}
	return list
}

// placeWords names places by the named locations that they are, and else by examples.
func (sp *space) placeWords(taken set) []string {
	var words []string
	n := len(sp.atoms[byPlace])
	covered := newSet(n)
	cover := func(name string, in set) {
		for w := range in {
			in[w] &= sp.usual[byPlace][w]
		}
		if !in.any() || !subset(in, taken) {
			return
		}
		words = append(words, name)
		for w := range in {
			covered[w] |= in[w]
		}
	}
	locations := sp.e.s.Contents().Locations
	for _, l := range locations {
		if l.Kind == directory.LocationIP || l.Kind == directory.LocationCountry && l.Lookup != "authenticatorAppGps" {
			cover("in "+sp.e.locationName(l.ID), slices.Clone(sp.location(l.ID).certain))
		}
	}
	if len(words) == 0 {
		for _, l := range locations {
			rest := full(n)
			for w, x := range sp.location(l.ID).possible {
				rest[w] &^= x
			}
			cover("not in "+sp.e.locationName(l.ID), rest)
		}
	}
	rest := 0
	for i, a := range sp.atoms[byPlace] {
		if taken.has(i) && !covered.has(i) && sp.usual[byPlace].has(i) {
			if rest++; rest <= 3 {
				words = append(words, "as "+a.name)
			}
		}
	}
	if rest > 3 {
		words = append(words, "others like these")
	}
	return words
}
