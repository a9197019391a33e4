package incident

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"glassward"
)

// An Outcome is what an evaluation of one rule over one tenant's records gave.
type Outcome struct {
	Tenant string
	Rule   string
	// Watermark is how far the rule has come, opaque to everybody but the rule;
	// nil leaves the stored one.
	Watermark []byte
	// Alerts are new, grown or withdrawn.
	Alerts []AlertChange
	// Health are faults that the evaluation met. An Outcome may consist of
	// nothing else; Rule is not needed then.
	Health []Health
	// Notices are owed as they are.
	Notices []glassward.Notice
}

// A Query says what part of a tenant's book a step needs.
type Query struct {
	Tenant string
	// Alert asks for the stored alert, if any, and for the incidents that hold
	// it. Of its records only those in Records are needed.
	Alert   glassward.AlertID
	Records []glassward.RecordID
	// Accounts, Ties and GroupKey ask for the incidents that share one of the
	// accounts, one of the ties (see Ties) or the key and whose activity touches
	// From..To, and for open ones of that key whatever their time if AnyTime is set.
	Accounts []string
	Ties     []string
	GroupKey string
	From, To time.Time
	AnyTime  bool
	// Number asks for one incident, if it is not 0.
	Number int64
	// Expected asks for the tenant's open expectations, and for the one of that id
	// if Expectation names one.
	Expected    bool
	Expectation string
}

// An Entry is what one Put stores.
type Entry struct {
	Tenant string
	// Rule and Watermark are stored unless Watermark is nil.
	Rule      string
	Watermark []byte
	Changes   Changes
	// By names the person behind a command, empty for rules.
	By string
	// Inward keeps the incidents out of our own tables: nothing of them has changed
	// but how far the calling of people has come, and the deliveries tell that.
	Inward bool
	// Answer is the key of the answer that the command is, empty if it has none.
	Answer string
	// Raw holds the records that the alerts name, byte-exact, where they could be
	// had; they go to the journal.
	Raw map[glassward.RecordID][]byte
}

// A Tx is transaction B while it is open. What it reads nobody else changes
// before it ends.
type Tx interface {
	// Book gives the part of the tenant's incidents and alerts that q names, and
	// the next incident number.
	Book(ctx context.Context, q Query) (State, error)
	// AlertsByRecords gives, for those of the records that an alert of the rule
	// and group holds, that alert.
	AlertsByRecords(ctx context.Context, tenant, rule, group string, records []glassward.RecordID) (map[glassward.RecordID]glassward.AlertID, error)
	// Answered says whether an answer of that key was put before.
	Answered(ctx context.Context, tenant, key string) (bool, error)
	// Traffic gives what the tenant's alarms were to the group, PutTraffic keeps it.
	Traffic(ctx context.Context, tenant, group string) (Traffic, error)
	PutTraffic(ctx context.Context, tenant, group string, t Traffic) error
	// Held gives the notices that the collections of those keys hold, oldest first;
	// the oldest of very many may be missing.
	Held(ctx context.Context, tenant string, keys []string) (map[string][]glassward.Notice, error)
	// Storms gives the notices about an incident that tell of storms or of what was
	// collected, oldest first.
	Storms(ctx context.Context, tenant string, number int64) ([]glassward.Notice, error)
	// Put stores an entry. Notices whose id is stored already are left as they
	// are.
	Put(ctx context.Context, e Entry) error
}

// A Store keeps incidents. Commit runs f in one transaction: all of it is kept
// when Commit gives nil, and nothing if f or the commit fails. f may be run
// again.
type Store interface {
	Commit(ctx context.Context, f func(Tx) error) error
	// Calling gives the incidents whose page is due at now or was last seen to by
	// a clock that stood later, at most limit, and when the next one is due; zero
	// if nobody is being called.
	Calling(ctx context.Context, now time.Time, limit int) (due []Ref, next time.Time, err error)
	// Collecting gives the groups of which something is collected that is due at
	// now, at most limit, and when the next is due.
	Collecting(ctx context.Context, now time.Time, limit int) (due []GroupRef, next time.Time, err error)
}

// A GroupRef names an action group as one tenant's alarms go to it.
type GroupRef struct{ Tenant, Group string }

// A Ref names an incident.
type Ref struct {
	Tenant string
	Number int64
}

// A RawReader gives records byte-exact as they came. Those that it does not
// have are missing from the map.
type RawReader interface {
	Raw(ctx context.Context, tenant string, ids []glassward.RecordID) (map[glassward.RecordID][]byte, error)
}

// DeskOptions are what a Desk is made of.
type DeskOptions struct {
	Store Store
	// Policy gives a tenant's policy as it is now.
	Policy func(tenant string) Policy
	// Raw reads the records for the journal; nil leaves them out.
	Raw RawReader
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// A Desk takes in what rules found out and what operators command, and commits
// what Step makes of it. It may be used by several goroutines at once.
type Desk struct {
	store  Store
	policy func(string) Policy
	raw    RawReader
	now    func() time.Time
}

// NewDesk gives a desk. Store and Policy are required.
func NewDesk(o DeskOptions) (*Desk, error) {
	if o.Store == nil || o.Policy == nil {
		return nil, errors.New("incident: a desk needs a store and a policy")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Desk{store: o.Store, policy: o.Policy, raw: o.Raw, now: o.Now}, nil
}

// Take commits outcomes in one transaction and gives what changed, notices
// included, so that the courier can be woken. Taking the same outcome again
// changes nothing: alerts are recognised by id and by the records that they
// hold, and notices by id.
func (d *Desk) Take(ctx context.Context, outcomes ...Outcome) (Changes, error) {
	raw, rawErr := d.evidence(ctx, outcomes)
	var all Changes
	err := d.store.Commit(ctx, func(tx Tx) error {
		all = Changes{}
		var owed []owing
		for _, o := range outcomes {
			if err := d.take(ctx, tx, o, raw[o.Tenant], &owed, &all); err != nil {
				return err
			}
		}
		return d.deliver(ctx, tx, owed, &all)
	})
	if err != nil {
		return Changes{}, fmt.Errorf("commit outcomes: %w", err)
	}
	if rawErr != nil {
		// The changes stand; only the journal lacks the raw records.
		return all, fmt.Errorf("%w: %w", ErrEvidence, rawErr)
	}
	return all, nil
}

// evidence reads the records that outcomes name, by tenant. What it gives is good even
// where there is an error: an alarm does not wait for its evidence, and the journal says
// which records could not be had.
func (d *Desk) evidence(ctx context.Context, outcomes []Outcome) (map[string]map[glassward.RecordID][]byte, error) {
	if d.raw == nil {
		return nil, nil
	}
	ids := map[string][]glassward.RecordID{}
	for _, o := range outcomes {
		ids[o.Tenant] = append(ids[o.Tenant], recordsOf(o)...)
	}
	raw := map[string]map[glassward.RecordID][]byte{}
	var errs []error
	for tenant, list := range ids {
		if len(list) == 0 {
			continue
		}
		m, err := d.raw.Raw(ctx, tenant, unionRecords(list, nil))
		raw[tenant] = m
		errs = append(errs, err)
	}
	return raw, errors.Join(errs...)
}

// ErrEvidence is what Take wraps when everything was committed but the records
// could not be read for the journal.
var ErrEvidence = errors.New("the alerts were committed without their raw records")

func (d *Desk) take(ctx context.Context, tx Tx, o Outcome, raw map[glassward.RecordID][]byte, owed *[]owing, all *Changes) error {
	now := d.now()
	policy := d.policy(o.Tenant)
	events := make([]AlertChange, 0, len(o.Alerts)+len(o.Health))
	events = append(events, o.Alerts...)
	for _, h := range o.Health {
		events = append(events, h.Change(o.Tenant, now))
	}
	for _, e := range events {
		e, err := d.recognise(ctx, tx, o.Tenant, e)
		if err != nil {
			return err
		}
		state, err := tx.Book(ctx, d.query(o.Tenant, policy, e))
		if err != nil {
			return fmt.Errorf("read the incidents of alert %s: %w", e.Alert.ID, err)
		}
		changes, err := Step(state, policy, e, now)
		if err != nil {
			return err
		}
		if changes.Empty() {
			continue
		}
		if err := d.put(ctx, tx, Entry{Tenant: o.Tenant, Changes: changes, Raw: named(raw, changes)}, state, policy, owed, all); err != nil {
			return fmt.Errorf("store alert %s: %w", e.Alert.ID, err)
		}
		all.Expected = append(all.Expected, changes.Expected...)
	}
	if len(o.Notices) > 0 {
		if err := tx.Put(ctx, Entry{Tenant: o.Tenant, Changes: Changes{Notices: o.Notices}}); err != nil {
			return fmt.Errorf("store notices: %w", err)
		}
		all.Notices = append(all.Notices, o.Notices...)
	}
	if o.Watermark != nil {
		if err := tx.Put(ctx, Entry{Tenant: o.Tenant, Rule: o.Rule, Watermark: o.Watermark}); err != nil {
			return fmt.Errorf("store the watermark of rule %s: %w", o.Rule, err)
		}
	}
	return nil
}

// recognise gives the change the id of the alert that holds one of its records,
// if there is one: the one that holds most of them, then the smallest id. So a
// verdict is one alert even if the evaluation that found it knew nothing of the
// earlier one.
func (d *Desk) recognise(ctx context.Context, tx Tx, tenant string, e AlertChange) (AlertChange, error) {
	ids := unionRecords(e.Alert.Records, e.NewRecords)
	if len(ids) == 0 {
		return e, nil
	}
	owners, err := tx.AlertsByRecords(ctx, tenant, e.Alert.RuleID, e.Alert.Group, ids)
	if err != nil {
		return e, fmt.Errorf("look for the alerts of the records: %w", err)
	}
	count := map[glassward.AlertID]int{}
	for _, id := range owners {
		count[id]++
	}
	if len(count) == 0 || count[e.Alert.ID] > 0 {
		return e, nil
	}
	var best glassward.AlertID
	for id, n := range count {
		if best == "" || n > count[best] || n == count[best] && id < best {
			best = id
		}
	}
	e.Alert.ID = best
	return e, nil
}

func (d *Desk) query(tenant string, p Policy, e AlertChange) Query {
	reach := max(p.followUp(), p.reach(e.Alert))
	return Query{
		Tenant: tenant, Alert: e.Alert.ID, Records: unionRecords(e.Alert.Records, e.NewRecords),
		Accounts: concerned(p, e.Alert), Ties: ties(alertFacts(p, e.Alert)), GroupKey: groupKey(tidy(e.Alert)),
		From: e.Alert.Start.Add(-reach), To: e.Alert.End.Add(reach),
		AnyTime: e.Alert.RuleID == HealthRule, Expected: len(concerned(p, e.Alert)) > 0,
	}
}

// Do carries out a command and gives the incident as it is afterwards. The
// error wraps ErrNotFound, ErrConflict, ErrInvalid or ErrRepeated where the command
// is at fault. What takes up a storm by an incident that is closed already takes up
// the rest of it, and gives the first of those.
func (d *Desk) Do(ctx context.Context, tenant string, command Command) (glassward.Incident, error) {
	var out glassward.Incident
	key := ""
	ack, isAck := command.(Acknowledge)
	if isAck {
		key = ack.Key
	}
	err := d.store.Commit(ctx, func(tx Tx) error {
		c := command
		if key != "" {
			if given, err := tx.Answered(ctx, tenant, key); err != nil {
				return err
			} else if given {
				return ErrRepeated
			}
		}
		if isAck && ack.Storm {
			led, err := d.takeStorm(ctx, tx, tenant, ack)
			if err != nil {
				return err
			}
			c = led
		}
		state, err := tx.Book(ctx, Query{Tenant: tenant, Number: c.target().Number})
		if err != nil {
			return err
		}
		changes, err := Step(state, d.policy(tenant), c, d.now())
		if err != nil {
			return err
		}
		for _, inc := range state.Apply(changes).Incidents {
			if inc.Number == c.target().Number {
				out = inc
			}
		}
		if changes.Empty() {
			return nil
		}
		return tx.Put(ctx, Entry{Tenant: tenant, Changes: changes, By: c.target().By, Answer: key})
	})
	return out, err
}

// takeStorm takes up the incidents for which one stands, and gives the command for
// the one itself.
func (d *Desk) takeStorm(ctx context.Context, tx Tx, tenant string, c Acknowledge) (Acknowledge, error) {
	told, err := tx.Storms(ctx, tenant, c.Number)
	if err != nil || len(told) == 0 {
		return c, err
	}
	// What was held by then is what the last notice of each has named.
	until := map[string]time.Time{}
	for _, n := range told {
		if n.Storm != "" && n.Created.After(until[n.Storm]) {
			until[n.Storm] = n.Created
		}
	}
	held, err := tx.Held(ctx, tenant, slices.Sorted(maps.Keys(until)))
	if err != nil {
		return c, err
	}
	named := map[int64]time.Time{}
	for key, list := range held {
		for _, n := range list {
			if n.Incident != 0 && !n.Created.After(until[key]) && until[key].After(named[n.Incident]) {
				named[n.Incident] = until[key]
			}
		}
	}
	lead, err := tx.Book(ctx, Query{Tenant: tenant, Number: c.Number})
	if err != nil {
		return c, err
	}
	number := c.Number
	for _, n := range slices.Sorted(maps.Keys(named)) {
		if n == number {
			continue
		}
		state, err := tx.Book(ctx, Query{Tenant: tenant, Number: n})
		if err != nil {
			return c, err
		}
		i := slices.IndexFunc(state.Incidents, func(inc glassward.Incident) bool { return inc.Number == n })
		if i < 0 {
			continue
		}
		inc := state.Incidents[i]
		if inc.Status == glassward.StatusClosed || inc.MergedInto != 0 || !calling(inc) && !inc.Acknowledged.IsZero() || inc.Page != nil && inc.Page.News.After(named[n]) {
			continue
		}
		if lead.closed(number) {
			number, lead = n, state // the first that is open stands for the rest
			continue
		}
		one := c
		one.Target = Target{Number: n, Etag: AnyEtag, By: c.By}
		one.led, one.Storm, one.Key = number, false, ""
		changes, err := Step(state, d.policy(tenant), one, d.now())
		if err != nil {
			return c, err
		}
		if changes.Empty() {
			continue
		}
		if err := tx.Put(ctx, Entry{Tenant: tenant, Changes: changes, By: c.By}); err != nil {
			return c, err
		}
		if one.Lacking(inc) == "" {
			c.with++
			c.groups = union(c.groups, inc.ActionGroups)
		}
	}
	if number != c.Number {
		c.Number, c.Etag = number, AnyEtag
	}
	return c, nil
}

// closed tells whether the incident of a number is.
func (s State) closed(number int64) bool {
	return slices.ContainsFunc(s.Incidents, func(inc glassward.Incident) bool {
		return inc.Number == number && inc.Status == glassward.StatusClosed
	})
}

// Lapse closes an incident of which Lapses is true at this time. It says whether
// it did.
func (d *Desk) Lapse(ctx context.Context, tenant string, number int64) (closed bool, err error) {
	err = d.store.Commit(ctx, func(tx Tx) error {
		closed = false
		state, err := tx.Book(ctx, Query{Tenant: tenant, Number: number})
		if err != nil {
			return err
		}
		changes, err := Step(state, d.policy(tenant), Lapse{Number: number}, d.now())
		if err != nil || changes.Empty() {
			return err
		}
		closed = true
		return tx.Put(ctx, Entry{Tenant: tenant, Changes: changes})
	})
	return closed, err
}

// Declare declares an expectation and gives it with its id. The error wraps
// ErrInvalid where it cannot be declared so.
func (d *Desk) Declare(ctx context.Context, tenant string, e glassward.Expectation) (glassward.Expectation, error) {
	return d.expect(ctx, tenant, e.By, Query{Tenant: tenant, Expected: true}, Declare{e})
}

// Withdraw ends an expectation before its time. The error wraps ErrNotFound or
// ErrInvalid where that cannot be.
func (d *Desk) Withdraw(ctx context.Context, tenant string, w Withdraw) (glassward.Expectation, error) {
	return d.expect(ctx, tenant, w.By, Query{Tenant: tenant, Expectation: w.ID}, w)
}

// Due judges an expectation whose time is over; of any other it changes nothing.
func (d *Desk) Due(ctx context.Context, tenant string, e glassward.Expectation) error {
	// The alarm for what did not come belongs to the account's incident.
	reach := d.policy(tenant).followUp()
	_, err := d.expect(ctx, tenant, "", Query{
		Tenant: tenant, Expectation: e.ID, Alert: AlertID(tenant, ExpectedRule, "", e.ID),
		Accounts: []string{e.Account}, From: e.Until.Add(-reach), To: e.Until.Add(reach),
	}, Due{ID: e.ID})
	return err
}

func (d *Desk) expect(ctx context.Context, tenant, by string, q Query, e Event) (out glassward.Expectation, err error) {
	err = d.store.Commit(ctx, func(tx Tx) error {
		out = glassward.Expectation{}
		state, err := tx.Book(ctx, q)
		if err != nil {
			return err
		}
		policy := d.policy(tenant)
		changes, err := Step(state, policy, e, d.now())
		if err != nil || changes.Empty() {
			return err
		}
		if len(changes.Expected) > 0 {
			out = changes.Expected[0]
		}
		var owed []owing
		var all Changes
		if err := d.put(ctx, tx, Entry{Tenant: tenant, Changes: changes, By: by}, state, policy, &owed, &all); err != nil {
			return err
		}
		return d.deliver(ctx, tx, owed, &all)
	})
	return out, err
}

// callAtOnce is how many incidents Call sees to before it gives way.
const callAtOnce = 100

// Call owes what is due of the calling of people and of what was collected, and
// gives the time of the next, zero if nothing waits. It loses and doubles nothing
// however often and late it comes: how far a page has come is kept with its
// incident.
func (d *Desk) Call(ctx context.Context) (Changes, time.Time, error) {
	refs, _, err := d.store.Calling(ctx, d.now(), callAtOnce)
	if err != nil {
		return Changes{}, time.Time{}, err
	}
	groups, _, err := d.store.Collecting(ctx, d.now(), callAtOnce)
	if err != nil {
		return Changes{}, time.Time{}, err
	}
	var all Changes
	if len(refs)+len(groups) > 0 {
		err = d.store.Commit(ctx, func(tx Tx) error {
			all = Changes{}
			var owed []owing
			for _, ref := range refs {
				state, err := tx.Book(ctx, Query{Tenant: ref.Tenant, Number: ref.Number})
				if err != nil {
					return err
				}
				policy := d.policy(ref.Tenant)
				changes, err := Step(state, policy, Call{ref.Number}, d.now())
				if err != nil {
					return err
				}
				if err := d.put(ctx, tx, Entry{Tenant: ref.Tenant, Changes: changes, Inward: true}, state, policy, &owed, &all); err != nil {
					return err
				}
			}
			if err := d.deliver(ctx, tx, owed, &all); err != nil {
				return err
			}
			for _, g := range groups {
				if err := d.collect(ctx, tx, g, &all); err != nil {
					return fmt.Errorf("tell %s what was collected: %w", g.Group, err)
				}
			}
			return nil
		})
		if err != nil {
			return Changes{}, time.Time{}, fmt.Errorf("call people: %w", err)
		}
	}
	_, calls, err := d.store.Calling(ctx, d.now(), 1)
	_, digests, err2 := d.store.Collecting(ctx, d.now(), 1)
	if calls.IsZero() || !digests.IsZero() && digests.Before(calls) {
		calls = digests
	}
	return all, calls, errors.Join(err, err2)
}

// An owing is a notice that a commit owes, with what decides whether it goes out
// by itself.
type owing struct {
	offer
	limits Limits
}

// put stores what a step changed, but for the notices: they are delivered with
// those of the whole commit, when it is known how many there are.
func (d *Desk) put(ctx context.Context, tx Tx, e Entry, state State, policy Policy, owed *[]owing, all *Changes) error {
	for _, n := range e.Changes.Notices {
		o := owing{offer{notice: n}, policy.limits(n.Group)}
		if n.Incident != 0 {
			for _, inc := range state.Apply(e.Changes).Incidents {
				if inc.Number == n.Incident {
					o.accounts = inc.Accounts
				}
			}
		} else {
			for _, a := range e.Changes.Alerts {
				if a.ID == n.Alert {
					o.accounts = concerned(policy, a)
				}
			}
		}
		*owed = append(*owed, o)
	}
	all.Alerts = append(all.Alerts, e.Changes.Alerts...)
	all.Incidents = append(all.Incidents, e.Changes.Incidents...)
	e.Changes.Notices = nil
	if e.Changes.Empty() {
		return nil
	}
	return tx.Put(ctx, e)
}

// deliver owes the notices of a commit, each to its group, as many one by one as
// the group is told.
func (d *Desk) deliver(ctx context.Context, tx Tx, owed []owing, all *Changes) error {
	groups := map[GroupRef][]offer{}
	limits := map[GroupRef]Limits{}
	var order []GroupRef
	for _, o := range owed {
		ref := GroupRef{o.notice.Tenant, o.notice.Group}
		if groups[ref] == nil {
			order = append(order, ref)
		}
		groups[ref] = append(groups[ref], o.offer)
		limits[ref] = o.limits
	}
	for _, ref := range order {
		before, err := tx.Traffic(ctx, ref.Tenant, ref.Group)
		if err != nil {
			return err
		}
		after, notices := before.pass(ref.Tenant, ref.Group, limits[ref], groups[ref], d.now().UTC().Round(0))
		if err := tx.PutTraffic(ctx, ref.Tenant, ref.Group, after); err != nil {
			return err
		}
		if err := tx.Put(ctx, Entry{Tenant: ref.Tenant, Changes: Changes{Notices: notices}}); err != nil {
			return err
		}
		all.Notices = append(all.Notices, notices...)
	}
	return nil
}

// collect tells a group what was collected for it.
func (d *Desk) collect(ctx context.Context, tx Tx, g GroupRef, all *Changes) error {
	now := d.now().UTC().Round(0)
	before, err := tx.Traffic(ctx, g.Tenant, g.Group)
	if err != nil {
		return err
	}
	held, err := tx.Held(ctx, g.Tenant, before.Telling(now))
	if err != nil {
		return err
	}
	after, notices := before.tell(g.Tenant, g.Group, held, now)
	if err := tx.PutTraffic(ctx, g.Tenant, g.Group, after); err != nil {
		return err
	}
	all.Notices = append(all.Notices, notices...)
	if len(notices) == 0 {
		return nil
	}
	return tx.Put(ctx, Entry{Tenant: g.Tenant, Changes: Changes{Notices: notices}})
}

// Enrich keeps what was around an alert where it went out without. It tells nobody.
func (d *Desk) Enrich(ctx context.Context, tenant string, id glassward.AlertID, around glassward.Context) error {
	return d.store.Commit(ctx, func(tx Tx) error {
		state, err := tx.Book(ctx, Query{Tenant: tenant, Alert: id})
		if err != nil {
			return err
		}
		changes, err := Step(state, d.policy(tenant), Enriched{Alert: id, Context: around}, d.now())
		if err != nil || changes.Empty() {
			return err
		}
		return tx.Put(ctx, Entry{Tenant: tenant, Changes: changes})
	})
}

// Report commits faults of Glassward's own for a tenant, or for the whole
// installation if the tenant is empty.
func (d *Desk) Report(ctx context.Context, tenant string, faults ...Health) (Changes, error) {
	return d.Take(ctx, Outcome{Tenant: tenant, Health: faults})
}

// recordsOf gives the ids of the records whose bytes an outcome adds to the
// evidence: the new ones, or, where the same records came again with other
// content, all of them.
func recordsOf(o Outcome) []glassward.RecordID {
	var ids []glassward.RecordID
	for _, e := range o.Alerts {
		switch {
		case e.Withdrawn:
		case len(e.NewRecords) > 0:
			ids = append(ids, e.NewRecords...)
		default:
			ids = append(ids, e.Alert.Records...)
		}
	}
	for _, h := range o.Health {
		ids = append(ids, h.Records...)
	}
	return ids
}

// named gives the raw records that the changed alerts name.
func named(raw map[glassward.RecordID][]byte, c Changes) map[glassward.RecordID][]byte {
	if len(raw) == 0 {
		return nil
	}
	out := map[glassward.RecordID][]byte{}
	for _, a := range c.Alerts {
		for _, id := range a.Records {
			if b, ok := raw[id]; ok {
				out[id] = b
			}
		}
	}
	return out
}
