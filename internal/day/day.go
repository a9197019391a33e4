// Package day is a tenant's day of as many records as wanted, in which forty things
// happen that people must be told of: what day.txt says. It gives the records in the
// order in which they arrive, and compares what was told with what that file foretold.
package day

import (
	"cmp"
	"container/heap"
	_ "embed"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"glassward/internal/entrasim"
	"glassward/rule"
)

//go:embed day.txt
var text string

// Options say what day is made.
type Options struct {
	// Start is its first moment; it lasts 24 hours.
	Start time.Time
	// Records is about how many records it has, at the least some thousand.
	Records int
	// Seed decides everything else: the same seed and start give the same bytes.
	Seed uint64
}

// A Day is a day of the tenant of entrasim's constants.
type Day struct {
	Plan  *Plan
	start time.Time
	life  *entrasim.World
	// what is planted, as records, in the order of the plan
	planted []Record
	keys    map[string]string // who is meant by an id or a name, in lower case
}

// A Record is a record of the day.
type Record struct {
	// Event is when it happened, Arrives when it is shown to a reader.
	Event, Arrives time.Time
	// Planted says that it is no ordinary life, Told that people must be told of it.
	Planted, Told bool

	event   *entrasim.Event
	version int
	raw     []byte
}

// JSON is the record in the form of diagnostic settings. It may be called by
// several at once.
func (r Record) JSON() []byte {
	if r.event != nil {
		return r.event.Diagnostic(r.version)
	}
	return r.raw
}

// fewestPeople is how many a small day has: of fewer, nobody is there in an hour.
const fewestPeople = 50

// recordsEach is about how many records a person of an ordinary office leaves on a
// working day.
const recordsEach = 25

// New makes a day; the error says what is wrong with day.txt.
func New(o Options) (*Day, error) {
	plan, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("day.txt: %w", err)
	}
	d := &Day{Plan: plan, start: o.Start.UTC(), keys: map[string]string{}}
	people := max(fewestPeople, o.Records/recordsEach)
	world := func(people int, rates entrasim.Rates) *entrasim.World {
		return entrasim.NewWorld(entrasim.Options{Seed: o.Seed, Start: d.start, Users: people, Rates: &rates, Late: 0.002, Repeated: 0.01})
	}
	// How much of life a day of the week has is seen by a sample of its people.
	sample := min(people, 2000)
	rates := calm(1, sample)
	n := 0
	for range arrivals(world(sample, rates), d.start) {
		n++
	}
	d.life = world(people, calm(1.01*float64(o.Records)/(float64(n)*float64(people)/float64(sample)), people))
	return d, d.plant(world(people, entrasim.Still()))
}

// Life gives so many events of ordinary life in which no rule has anything to tell,
// for benchmarks that give them times of their own.
func Life(seed uint64, n int) iter.Seq[*entrasim.Event] {
	return func(yield func(*entrasim.Event) bool) {
		const people = 2000
		start, ordinary := time.Date(2026, 11, 17, 0, 0, 0, 0, time.UTC), ordinary()
		rates := calm(1, people)
		w := entrasim.NewWorld(entrasim.Options{Seed: seed, Start: start, Users: people, Rates: &rates})
		for ; n > 0; start = start.Add(time.Hour) {
			for e := range w.Live(start, start.Add(time.Hour)) {
				if !ordinary(e) {
					continue
				}
				if n == 0 || !yield(e) {
					return
				}
				n--
			}
		}
	}
}

// calm is ordinary life for so many people; a share of 1 is as usual.
func calm(share float64, people int) entrasim.Rates {
	r := entrasim.Calm()
	apps := share * float64(people) / 200 // these are an hour of the tenant, not a person
	r.ServicePrincipal, r.ManagedIdentity = r.ServicePrincipal*apps, r.ManagedIdentity*apps
	for _, x := range []*float64{&r.Interactive, &r.NonInteractive, &r.Audit, &r.Provisioning, &r.Risk, &r.CloudApp} {
		*x *= share
	}
	return r
}

// plant plays the plan in a world in which nothing else happens.
func (d *Day) plant(w *entrasim.World) error {
	special := map[string]string{"automation": ""}
	for _, u := range append(append(w.Emergency(), w.Decoy()), w.Administrators()...) {
		key := strings.ToLower(u.DisplayName[:strings.IndexByte(u.DisplayName, ' ')])
		if n, ok := strings.CutPrefix(u.DisplayName, "Emergency Access "); ok {
			key = "EA-" + n
		}
		special[key] = u.ID
		for _, name := range []string{u.ID, u.UserPrincipalName, u.DisplayName} {
			d.keys[strings.ToLower(name)] = key
		}
	}
	p, _ := w.ServicePrincipal(entrasim.EmergencyApp)
	special["automation"] = p.ID
	d.keys[p.ID] = "automation"

	for _, s := range d.Plan.sorted() {
		at := d.start.Add(s.At)
		w.Advance(at)
		r := Record{Event: at, Arrives: at.Add(s.lag), Planted: true, Told: !s.near, version: 1}
		if name, ok := strings.CutPrefix(s.Step, "record "); ok {
			stamp := at.Format("2006-01-02T15:04:05.0000000Z")
			words := []string{"TIME", stamp, "TENANT", entrasim.TenantID}
			for key, id := range special {
				words = append(words, "/"+key+"/", "/"+id+"/", `"`+key+`"`, `"`+id+`"`, `\"`+key+`\"`, `\"`+id+`\"`)
			}
			r.raw = []byte(strings.NewReplacer(words...).Replace(d.Plan.records[name]))
			d.planted = append(d.planted, r)
		} else {
			before := len(w.Events())
			if err := w.Do(s.Step); err != nil {
				return fmt.Errorf("day.txt:%d: %w", s.Line, err)
			}
			events := w.Events()[before:]
			if len(events) != 1 {
				return fmt.Errorf("day.txt:%d: it leaves %d records; each line is one", s.Line, len(events))
			}
			r.event = events[0]
			d.planted = append(d.planted, r)
		}
		if s.twice {
			r.Arrives = r.Arrives.Add(time.Hour)
			d.planted = append(d.planted, r)
		}
	}
	return nil
}

// Tenant gives the lines of a tenant's file that declare what is watched.
func (d *Day) Tenant() string {
	var b strings.Builder
	b.WriteString("tenant: " + entrasim.TenantID + "\nname: " + entrasim.TenantName + "\nplaces: [{country: NO}]\nprotectedObjects:\n")
	for _, o := range d.life.Protected() {
		fmt.Fprintf(&b, "  - {objectId: %s, kind: %s, name: %s}\n", o.ID, o.Kind, o.Name)
	}
	b.WriteString("emergencyAccounts:\n")
	for i, u := range d.life.Emergency() {
		fmt.Fprintf(&b, "  - {objectId: %s, name: EA-%02d, userPrincipalName: %s}\n", u.ID, i+1, u.UserPrincipalName)
	}
	p, _ := d.life.ServicePrincipal(entrasim.EmergencyApp)
	fmt.Fprintf(&b, "  - {objectId: %s, name: EA-09, userPrincipalName: %s, kind: decoy}\n", d.life.Decoy().ID, d.life.Decoy().UserPrincipalName)
	fmt.Fprintf(&b, "  - {objectId: %s, name: %s, kind: servicePrincipal}\n", p.ID, p.DisplayName)
	return b.String()
}

// Records gives all records in the order in which an event hub shows them: in the
// order of events by and large, some fuller a second time, some repeated, some hours
// late.
func (d *Day) Records() iter.Seq[Record] {
	planted := slices.Clone(d.planted)
	slices.SortStableFunc(planted, func(a, b Record) int { return a.Arrives.Compare(b.Arrives) })
	return func(yield func(Record) bool) {
		for r := range arrivals(d.life, d.start) {
			for len(planted) > 0 && planted[0].Arrives.Before(r.Arrives) {
				if !yield(planted[0]) {
					return
				}
				planted = planted[1:]
			}
			if !yield(r) {
				return
			}
		}
		for _, r := range planted {
			if !yield(r) {
				return
			}
		}
	}
}

// Bodies gives the records in portions of so many at the most. What must be told ends
// its portion: two that happen within minutes are not taken in together, however
// few records there are between them.
func (d *Day) Bodies(n int) iter.Seq[[]Record] {
	return func(yield func([]Record) bool) {
		var body []Record
		for r := range d.Records() {
			if body = append(body, r); len(body) == n || r.Told {
				if !yield(body) {
					return
				}
				body = nil
			}
		}
		if len(body) > 0 {
			yield(body)
		}
	}
}

// arrivals gives the ordinary life of 24 hours in the order of arrival.
func arrivals(w *entrasim.World, start time.Time) iter.Seq[Record] {
	ordinary := ordinary()
	return func(yield func(Record) bool) {
		var waiting records
		pass := func(until time.Time) bool {
			for len(waiting) > 0 && waiting[0].Arrives.Before(until) {
				if !yield(heap.Pop(&waiting).(ordered).Record) {
					return false
				}
			}
			return true
		}
		n := 0
		for e := range w.Live(start, start.Add(24*time.Hour)) {
			if !ordinary(e) {
				continue
			}
			// Nothing arrives before it happened.
			if !pass(e.At) {
				return
			}
			for _, a := range w.Shown(e, entrasim.EventHub) {
				heap.Push(&waiting, ordered{Record{Event: e.At, Arrives: a.At, event: e, version: a.Version}, n})
				n++
			}
		}
		pass(time.Unix(math.MaxInt32*100, 0))
	}
}

// ordered is a record with its place among those that arrive at the same moment.
type ordered struct {
	Record
	n int
}

type records []ordered

// Len, Less, Swap, Push and Pop are those of a heap.
func (r records) Len() int { return len(r) }
func (r records) Less(i, j int) bool {
	return cmp.Or(r[i].Arrives.Compare(r[j].Arrives), r[i].n-r[j].n) < 0
}
func (r records) Swap(i, j int) { r[i], r[j] = r[j], r[i] }

// Push is of a heap.
func (r *records) Push(x any) { *r = append(*r, x.(ordered)) }

// Pop is of a heap.
func (r *records) Pop() any {
	old := *r
	x := old[len(old)-1]
	old[len(old)-1] = ordered{}
	*r = old[:len(old)-1]
	return x
}

// ordinary says of an event whether it belongs to a day on which nothing happens that
// a rule tells whoever it concerns. The simulated office has such things in it, more of
// them the larger it is, which no tenant has: a federated domain a day for every
// ten thousand people. It also lets everybody administer the tenant.
func ordinary() func(*entrasim.Event) bool {
	told := rule.ToldAnywhere()
	administering := map[string]bool{}
	apps := rule.ExpectedApplications()
	for _, row := range apps.Rows {
		if row[2] == "signIn" {
			administering[row[0].(string)] = true
		}
	}
	return func(e *entrasim.Event) bool {
		switch e.Kind {
		case entrasim.DirectoryAudit:
			return !told(e.Operation) && !access[strings.ToLower(strings.TrimSpace(e.Operation))] && !slices.Contains(e.Targets, globalAdministrator)
		case entrasim.InteractiveSignIn:
			return !(refused[e.Code] && administering[e.AppID])
		}
		return true
	}
}

const globalAdministrator = "62e90394-69f5-4237-9190-012177145e10"

// access are the operations that give an application access: on a day on which an
// emergency account is used each of them is told (D56).
var access = map[string]bool{
	"consent to application": true, "add app role assignment to service principal": true, "add delegated permission grant": true, "add oauth2permissiongrant": true,
	"add service principal credentials": true, "add owner to application": true, "add owner to service principal": true,
	"update application – certificates and secrets management": true,
}

// refused are the codes of Conditional Access that refuses.
var refused = map[int]bool{53000: true, 53001: true, 53002: true, 53003: true}
