package incident

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"glassward"
)

// ExpectedRule is the id of the built-in rule that tells of what was expected and
// did not come. No rule file can have it.
const ExpectedRule = "glassward-expected"

// Bounds of an expectation. What would cover everything is none.
const (
	maxExpectations = 20             // open ones of a tenant
	maxWindow       = 24 * time.Hour // from From until Until
	maxAhead        = 30 * 24 * time.Hour
	maxOperations   = 20
	maxTimes        = 10
	maxPlaces       = 20
	widestIPv4      = 16 // bits of prefix
	widestIPv6      = 32
	maxReason       = 2000
)

// defaultGrace is how long after its end a window waits for records that are late.
const defaultGrace = time.Hour

// A Declare declares an expectation. Its Account, Places, Operations, Until, Reason
// and By are required; an empty From is now. It fails with ErrInvalid.
type Declare struct{ glassward.Expectation }

// A Withdraw ends an expectation before its time: from now on everything pages.
type Withdraw struct{ ID, By, Via, Reason string }

// A Due judges an expectation whose time is over.
type Due struct{ ID string }

func (Declare) event()  {}
func (Withdraw) event() {}
func (Due) event()      {}

// IsDue says whether an expectation has ended and waited for what is late.
func (p Policy) IsDue(e glassward.Expectation, now time.Time) bool {
	return e.Settled.IsZero() && !now.Before(e.Until.Add(cmp.Or(p.Grace, defaultGrace)))
}

func (st *step) declare(d Declare) error {
	e := d.Expectation
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
	}
	e.Tenant, e.Declared = st.state.Tenant, st.now
	if e.From.IsZero() {
		e.From = st.now
	}
	e.From, e.Until = e.From.UTC(), e.Until.UTC()
	e.Account = strings.ToLower(strings.TrimSpace(e.Account))
	for id, name := range st.policy.Accounts {
		if strings.EqualFold(name, e.Account) {
			e.Account = strings.ToLower(id)
		}
	}
	e.AccountName = nameIn(st.policy.Accounts, e.Account)
	e.Matches, e.Settled, e.Outcome = nil, time.Time{}, ""
	open := 0
	for _, x := range st.state.Expected {
		if x.Settled.IsZero() {
			open++
		}
	}
	switch {
	case strings.TrimSpace(e.By) == "":
		return invalid("say who declares it")
	case person(e.By) == "glassward":
		return invalid("%s is what Glassward calls itself; say which person declares it", e.By)
	case strings.TrimSpace(e.Reason) == "" || len(e.Reason) > maxReason:
		return invalid("say why, in at most %d characters", maxReason)
	case e.AccountName == "":
		return invalid("%q is no emergency account of the tenant: give its object id or its name", e.Account)
	case e.From.Before(st.now):
		return invalid("it begins at %s, which is past: what has happened cannot be expected", e.From.Format(time.RFC3339))
	case e.From.After(st.now.Add(maxAhead)):
		return invalid("it begins more than 30 days from now")
	case !e.Until.After(e.From) || e.Until.Sub(e.From) > maxWindow:
		return invalid("it lasts from %s until %s: it must end after it begins, within 24 hours", e.From.Format(time.RFC3339), e.Until.Format(time.RFC3339))
	case len(e.Operations) == 0 || len(e.Operations) > maxOperations:
		return invalid("name 1 to %d operations: nothing is expected of all", maxOperations)
	case len(e.Places) == 0 || len(e.Places) > maxPlaces:
		return invalid("name 1 to %d places", maxPlaces)
	case len(e.Actors) > maxPlaces:
		return invalid("name at most %d actors", maxPlaces)
	case open >= maxExpectations:
		return invalid("%d are open already, which is all that there may be: withdraw one", open)
	}
	e.Operations = slices.Clone(e.Operations)
	for i, o := range e.Operations {
		o.Name, o.Times = strings.TrimSpace(o.Name), max(o.Times, 1)
		if o.Name == "" || len(o.Name) > 200 || o.Times > maxTimes {
			return invalid("operation %q, %d times: give a name, and at most %d times", o.Name, o.Times, maxTimes)
		}
		if slices.ContainsFunc(e.Operations[:i], func(x glassward.ExpectedOperation) bool { return strings.EqualFold(x.Name, o.Name) }) {
			return invalid("operation %q stands there twice: say how many times instead", o.Name)
		}
		e.Operations[i] = o
	}
	e.Places = slices.Clone(e.Places)
	for i, text := range e.Places {
		place, err := placeOf(text)
		if err != nil {
			return invalid("%v", err)
		}
		e.Places[i] = place
	}
	e.Actors = slices.Clone(e.Actors)
	for i, id := range e.Actors {
		if e.Actors[i] = strings.ToLower(strings.TrimSpace(id)); !glassward.IsGUID(e.Actors[i]) {
			return invalid("actor %q is no object id", id)
		}
	}
	e.ID = digest([]string{"expectation", e.Tenant, e.Account, e.From.Format(time.RFC3339Nano), e.Until.Format(time.RFC3339Nano), e.By, st.now.Format(time.RFC3339Nano),
		operations(e.Operations), strings.Join(e.Places, " "), strings.Join(e.Actors, " "), e.Reason})[:12]
	if slices.ContainsFunc(st.state.Expected, func(x glassward.Expectation) bool { return x.ID == e.ID }) {
		return nil // declared twice by mistake
	}
	st.changes.Expected = append(st.changes.Expected, e)
	// Whoever could declare in silence could attack in silence.
	st.announce(e, glassward.High, "declared", fmt.Sprintf("%s declares for %s: %s, from %s, between %s and %s: %s. What happens so pages nobody. Who does not know of it: withdraw it (glassward expected withdraw %s) and treat it as an attack.",
		e.By, e.AccountName, operations(e.Operations), strings.Join(e.Places, ", "), e.From.Format(time.RFC3339), e.Until.Format(time.RFC3339), e.Reason, e.ID))
	return nil
}

func (st *step) withdrawExpected(w Withdraw) error {
	switch {
	case strings.TrimSpace(w.By) == "":
		return fmt.Errorf("%w: say who withdraws it", ErrInvalid)
	case len(w.Reason) > maxReason:
		return fmt.Errorf("%w: the reason has more than %d characters", ErrInvalid, maxReason)
	}
	for _, e := range st.state.Expected {
		if e.ID != w.ID {
			continue
		}
		if !e.Settled.IsZero() {
			return fmt.Errorf("expectation %s: %w: it is %s already", e.ID, ErrInvalid, e.Outcome)
		}
		e.Settled, e.Outcome = st.now, "withdrawn"
		st.changes.Expected = append(st.changes.Expected, e)
		why := fmt.Sprintf("%s withdraws what %s declared for %s: everything pages from now on", w.By, e.By, e.AccountName)
		if w.Reason != "" {
			why += " (" + w.Reason + ")"
		}
		st.announce(e, glassward.Medium, "withdrawn", why)
		return nil
	}
	return fmt.Errorf("expectation %q: %w", w.ID, ErrNotFound)
}

// due judges an expectation at its end: it was met, or what is missing is an alarm.
func (st *step) due(d Due) {
	for _, e := range st.state.Expected {
		if e.ID != d.ID || !st.policy.IsDue(e, st.now) {
			continue
		}
		e.Settled, e.Outcome = st.now, "complete"
		missing := e.Missing()
		if len(missing) > 0 {
			e.Outcome = "incomplete"
		}
		st.changes.Expected = append(st.changes.Expected, e)
		if len(missing) == 0 {
			st.announce(e, glassward.Informational, "complete", fmt.Sprintf("everything that %s declared for %s came as expected: %s", e.By, e.AccountName, operations(e.Operations)))
			return
		}
		st.judge(AlertChange{Alert: glassward.Alert{
			ID:     AlertID(e.Tenant, ExpectedRule, "", e.ID),
			RuleID: ExpectedRule, RuleName: "Glassward expected events", RuleVersion: "1", Severity: glassward.High,
			Title: fmt.Sprintf("Expected of %s and did not come: %s", e.AccountName, operations(missing)),
			Description: fmt.Sprintf("%s declared it (%s), to come between %s and %s.\n\nWhat to do first:\n1. Ask %s whether it was done. If it was, a record of it is missing: look at the roads with glassward status.\n2. If it was not, do it now: what was to be put back is still out.",
				e.By, e.Reason, e.From.Format(time.RFC3339), e.Until.Format(time.RFC3339), e.By),
			Entities: []glassward.Entity{{Type: "Account", Identifiers: map[string]string{"AadUserId": e.Account}}},
			Details:  map[string][]string{"Missing": {operations(missing)}, "DeclaredBy": {e.By}, "Expectation": {e.ID}},
			Start:    e.Until, End: e.Until, Received: st.now, Judged: st.now,
		}})
		return
	}
}

// announce tells the tenant's groups of an expectation.
func (st *step) announce(e glassward.Expectation, s glassward.Severity, what, why string) {
	groups := st.policy.Groups
	if len(groups) == 0 {
		groups = []string{""}
	}
	n := len(st.changes.Notices)
	st.owe(nil, glassward.Alert{Severity: s}, "expected", []string{e.ID, what}, groups, why)
	for i := range st.changes.Notices[n:] {
		st.changes.Notices[n+i].Subject = fmt.Sprintf("[GLASSWARD] Expected events of %s: %s", e.AccountName, what)
	}
}

func operations(list []glassward.ExpectedOperation) string {
	var out []string
	for _, o := range list {
		if o.Times > 1 {
			out = append(out, fmt.Sprintf("%s (%d times)", o.Name, o.Times))
		} else {
			out = append(out, o.Name)
		}
	}
	return strings.Join(out, ", ")
}

// placeOf gives a place in its canonical form.
func placeOf(text string) (string, error) {
	text = strings.TrimSpace(text)
	if len(text) == 2 && isLetter(text[0]) && isLetter(text[1]) {
		return strings.ToUpper(text), nil
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return a.Unmap().String(), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("place %q is no address, no range (203.0.113.0/24) and no country of two letters", text)
	case p.Addr().Is4() && p.Bits() < widestIPv4, p.Addr().Is6() && p.Bits() < widestIPv6:
		return "", fmt.Errorf("place %s is too wide: at most /%d, or /%d of IPv6", text, widestIPv4, widestIPv6)
	}
	return p.Masked().String(), nil
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// expect gives the id of the expectation that foresaw everything that an
// evaluation saw of an alert, and notes that it came; "" if there is none. What
// cannot be told was not expected.
func (st *step) expect(a glassward.Alert) string {
	accounts := concerned(st.policy, a)
	if len(accounts) != 1 || a.RuleID == HealthRule || a.RuleID == ExpectedRule || a.RuleID == AcrossRule || a.LineageOverflow || a.RowCount > len(a.Rows) || len(a.Records) == 0 {
		return ""
	}
	for _, e := range st.state.Expected {
		if !e.Settled.IsZero() || e.Account != accounts[0] || a.Start.Before(e.From) || a.End.After(e.Until) {
			continue
		}
		if met, ok := st.meets(e, a); ok {
			if len(met.Matches) > len(e.Matches) {
				st.changes.Expected = append(st.changes.Expected, met)
			}
			return e.ID
		}
	}
	return ""
}

// meets gives the expectation with what the alert shows, and whether that was
// expected.
func (st *step) meets(e glassward.Expectation, a glassward.Alert) (glassward.Expectation, bool) {
	var seen []string
	for _, m := range e.Matches {
		seen = append(seen, m.Records...)
	}
	var fresh []string
	for _, id := range a.Records {
		if text := id.String(); !slices.Contains(seen, text) {
			fresh = append(fresh, text)
		}
	}
	e.Matches = slices.Clone(e.Matches)
	for _, s := range sightings(st.policy, a) {
		name := ""
		for _, o := range e.Operations {
			if strings.EqualFold(o.Name, s.operation) || strings.EqualFold(o.Name, a.RuleName) {
				name = o.Name
				break
			}
		}
		if name == "" || !s.succeeded || !within(e.Places, s) {
			return e, false
		}
		for _, who := range s.actors {
			if who != e.Account && !slices.Contains(e.Actors, who) {
				return e, false
			}
		}
		if len(s.actors) == 0 && s.operation != signIn {
			return e, false
		}
		if len(fresh) > 0 {
			// Another rule's view of a record that came before is the same event.
			e.Matches = append(e.Matches, glassward.ExpectedMatch{Operation: name, Alert: a.ID, Records: fresh, Time: a.Start.UTC(), Noted: st.now})
		}
	}
	for _, o := range e.Operations {
		n := 0
		for _, m := range e.Matches {
			if m.Operation == o.Name {
				n++
			}
		}
		if n > o.Times {
			return e, false
		}
	}
	return e, true
}

// signIn is what an expectation calls a sign-in of any kind.
const signIn = "sign-in"

// A sighting is what one row of an alert says for an expectation.
type sighting struct {
	operation string
	succeeded bool
	addresses []string
	countries []string
	actors    []string // ids
}

// sightings reads an alert's rows, or its details and entities where it has none.
func sightings(p Policy, a glassward.Alert) []sighting {
	read := func(parts []glassward.Alert) (out []sighting) {
		for _, part := range parts {
			for _, d := range deeds(p, part, concerned(p, part)) {
				s := sighting{operation: d.operation, succeeded: strings.EqualFold(d.result, "success")}
				if d.outcome != "" {
					s.succeeded = strings.EqualFold(d.outcome, "Completed")
					s.operation = cmp.Or(s.operation, signIn)
				}
				for _, f := range alertFacts(Policy{}, part) {
					switch kind, value, _ := strings.Cut(f, ":"); kind {
					case "address":
						s.addresses = append(s.addresses, value)
					}
				}
				each := func(name, v string) {
					switch plain(name) {
					case "location", "country", "countryorregion":
						s.countries = append(s.countries, v)
					}
					if factKinds[plain(name)] == "actor" {
						for _, id := range (facts{}).cell("actor", v) {
							if glassward.IsGUID(id) {
								s.actors = append(s.actors, id)
							}
						}
					}
				}
				for name, values := range part.Details {
					for _, v := range values {
						each(name, v)
					}
				}
				for _, row := range part.Rows {
					for i, v := range row {
						if i < len(part.Columns) {
							each(part.Columns[i], v)
						}
					}
				}
				out = append(out, s)
			}
		}
		return out
	}
	if len(a.Rows) == 0 {
		return read([]glassward.Alert{a})
	}
	var parts []glassward.Alert
	for _, row := range a.Rows {
		part := glassward.Alert{Columns: a.Columns, Rows: [][]string{row}}
		if len(a.Rows) == 1 {
			part.Entities = a.Entities
		}
		parts = append(parts, part)
	}
	return read(parts)
}

// within says whether every address of a sighting lies in one of the places. A
// country is that of the row, which counts where it is the only one.
func within(places []string, s sighting) bool {
	country := ""
	if len(s.countries) == 1 {
		country = s.countries[0]
	}
	if country != "" && slices.ContainsFunc(places, func(p string) bool { return strings.EqualFold(p, country) }) {
		return true
	}
	if len(s.addresses) == 0 {
		return false
	}
	for _, text := range s.addresses {
		a, err := netip.ParseAddr(text)
		if err != nil || !slices.ContainsFunc(places, func(p string) bool {
			if r, err := netip.ParsePrefix(p); err == nil {
				return r.Contains(a.Unmap())
			}
			b, err := netip.ParseAddr(p)
			return err == nil && a.Unmap() == b
		}) {
			return false
		}
	}
	return true
}
