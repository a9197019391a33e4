package daemon

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"glassward"
	"glassward/config"
	"glassward/incident"
	"glassward/rule"
	"glassward/state"
)

// Whoever attacks one tenant of a provider often attacks the next, from the same
// address or by the same application. Where the configuration says so, what the
// alerts of each tenant name is compared with the others', and nothing but keyed
// hashes and times of one tenant ever meets another.
const (
	// acrossWithin is how far apart two tenants' alerts may lie that name the same.
	acrossWithin = time.Hour
	// acrossKept is how long a mark waits for records of another tenant that come
	// late; windows wait as long for theirs.
	acrossKept = 48 * time.Hour
	// acrossMost is how many marks a tenant has at most; the oldest make room.
	acrossMost = 1000
	// acrossRest is how long the comparison rests after something was written.
	acrossRest = 500 * time.Millisecond
	// acrossHouse is how often old marks are thrown away.
	acrossHouse = time.Hour

	acrossName    = "across"
	acrossSubject = "installation/" + acrossName
)

// A hashed names a trait: half of the HMAC-SHA-256 of its kind and value, in hex.
type hashed string

// A mark is when one tenant's alerts named a trait, without a gap of more than
// acrossWithin.
type mark struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Noted time.Time `json:"noted"`
	// Alert is the tenant's first alert that named it.
	Alert glassward.AlertID `json:"alert"`
	// Told says that the tenant has been told that another has it, too.
	Told bool `json:"told,omitempty"`
}

// across follows the journal and compares. One goroutine uses it. What it knows is
// kept under each tenant's own subject, and how far it has come under acrossSubject.
type across struct {
	d *Daemon
	// begun says that something is kept, marks is nil until that has been read.
	begun  bool
	key    []byte
	at     state.Mark
	kept   int64 // how far at is kept
	marks  map[string]map[hashed]*mark
	dirty  map[string]bool // tenants whose marks are to be kept
	common map[string]string
}

// newAcross makes the comparison ready. It comes before anything is judged, so that
// nothing falls between.
func (d *Daemon) newAcross(ctx context.Context) *across {
	x := &across{d: d, common: rule.MicrosoftApplications()}
	// What was kept when it was on is to be forgotten if it is off now.
	_, err := d.state.Memory(ctx, acrossSubject)
	x.begun = !errors.Is(err, state.ErrNotFound)
	if err := x.round(ctx); err != nil && ctx.Err() == nil {
		x.complain(err)
	}
	return x
}

// complain says that nothing could be compared, and has what is kept read again.
func (x *across) complain(err error) {
	x.d.log.Warn("what meets several tenants could not be compared; it is tried again", "error", err)
	x.marks = nil
}

// run compares until ctx ends, whenever the configuration says so.
func (x *across) run(ctx context.Context) {
	heard, end := x.d.news.listen()
	defer end()
	house := time.NewTicker(acrossHouse)
	defer house.Stop()
	for {
		wait := acrossRest
		if err := x.round(ctx); err != nil && ctx.Err() == nil {
			x.complain(err)
			wait = chronicleRetry
		} else {
			select {
			case <-ctx.Done():
				return
			case <-heard:
			case <-house.C:
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (d *Daemon) acrossTenants() (config.AcrossTenants, []string) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	ids := make([]string, len(d.config.Each))
	for i, t := range d.config.Each {
		ids[i] = t.ID
	}
	return d.config.AcrossTenants, ids
}

// round compares what the journal holds beyond the position.
func (x *across) round(ctx context.Context) error {
	c, tenants := x.d.acrossTenants()
	if !c.Compare {
		if !x.begun {
			return nil
		}
		// Whoever switches it off wants nothing of it kept, and switched on again it
		// begins with what comes.
		err := x.d.state.DropMemory(ctx, acrossName)
		x.begun, x.marks = err != nil, nil
		return err
	}
	if x.marks == nil {
		if err := x.begin(ctx, tenants); err != nil {
			return err
		}
	}
	watched := map[string]bool{}
	for _, id := range tenants {
		watched[id] = true
	}
	for id := range x.marks {
		if !watched[id] {
			delete(x.marks, id)
			delete(x.dirty, id)
		}
	}
	x.expire()
	for {
		head, err := x.d.state.Head(ctx)
		if err != nil {
			return err
		}
		if head.Seq <= x.at.Seq {
			return x.keep(ctx)
		}
		entries, err := x.d.state.AlertEntries(ctx, x.at.Seq, chroniclePage)
		if err != nil {
			return err
		}
		to := head
		if len(entries) == chroniclePage {
			last := entries[len(entries)-1]
			to = state.Mark{Seq: last.Seq, Hash: last.Hash}
		}
		for _, e := range entries {
			// What was written after the head was read has its turn in the next round.
			if watched[e.Tenant] && e.Seq <= to.Seq {
				if err := x.take(ctx, c, e); err != nil {
					return fmt.Errorf("journal entry %d: %w", e.Seq, err)
				}
			}
		}
		x.at = to
		if err := x.keep(ctx); err != nil {
			return err
		}
	}
}

// begin reads what is kept; where nothing is, the comparison begins with what comes.
func (x *across) begin(ctx context.Context, tenants []string) error {
	var err error
	if x.key, err = keptKey(filepath.Join(x.d.o.Config.Data, "across.key"), "the key of hashes over tenants"); err != nil {
		return err
	}
	x.marks, x.dirty, x.at = map[string]map[hashed]*mark{}, map[string]bool{}, state.Mark{}
	known, err := x.recall(ctx, acrossSubject, &x.at)
	if err != nil {
		return err
	}
	stands, err := x.d.state.Stands(ctx, x.at)
	if err != nil {
		return err
	}
	if !known || !stands {
		if x.at, err = x.d.state.Head(ctx); err != nil {
			return err
		}
		if err := x.remember(ctx, acrossSubject, x.at); err != nil {
			return err
		}
	}
	for _, id := range tenants {
		marks := map[hashed]*mark{}
		if _, err := x.recall(ctx, id+"/"+acrossName, &marks); err != nil {
			return err
		}
		x.marks[id] = marks
	}
	x.kept, x.begun = x.at.Seq, true // and there is something to forget
	return nil
}

// recall reads what is kept of a subject, and says whether there is anything. What
// is damaged is learned anew.
func (x *across) recall(ctx context.Context, subject string, into any) (bool, error) {
	text, err := x.d.state.Memory(ctx, subject)
	switch {
	case errors.Is(err, state.ErrNotFound):
		return false, nil
	case err == nil:
		err = json.Unmarshal(text, into)
	case !errors.Is(err, state.ErrDamaged):
		return false, err
	}
	if err != nil {
		x.d.log.Warn("what was compared over tenants is not known any more; it begins anew", "subject", subject, "error", err)
	}
	return err == nil, nil
}

func (x *across) remember(ctx context.Context, subject string, what any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return x.d.state.PutMemory(ctx, subject, text)
}

// keep keeps the marks that changed, and then the position: what comes twice changes
// nothing.
func (x *across) keep(ctx context.Context) error {
	if len(x.dirty) == 0 && x.at.Seq-x.kept < chronicleFar {
		return nil
	}
	for id := range x.dirty {
		if err := x.remember(ctx, id+"/"+acrossName, x.marks[id]); err != nil {
			return err
		}
		delete(x.dirty, id)
	}
	if err := x.remember(ctx, acrossSubject, x.at); err != nil {
		return err
	}
	x.kept = x.at.Seq
	return nil
}

// expire throws away what waits for nothing any more.
func (x *across) expire() {
	now := x.d.now()
	for id, marks := range x.marks {
		for h, m := range marks {
			if now.Sub(m.Noted) > acrossKept {
				delete(marks, h)
				x.dirty[id] = true
			}
		}
	}
}

// take compares an alert that is new or grew.
func (x *across) take(ctx context.Context, c config.AcrossTenants, e state.JournalEntry) error {
	var p struct{ ID glassward.AlertID }
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		return err
	}
	found, err := x.d.state.AlertsByID(ctx, e.Tenant, []glassward.AlertID{p.ID})
	if err != nil || len(found) == 0 {
		return err
	}
	for h := range x.traits(c, found[0]) {
		m := x.note(h, found[0])
		met := false
		for other, marks := range x.marks {
			o := marks[h]
			if other == e.Tenant || o == nil || m.From.Sub(o.To) > acrossWithin || o.From.Sub(m.To) > acrossWithin {
				continue
			}
			met = true
			if err := x.tell(ctx, c, other, h, o); err != nil {
				return err
			}
		}
		if met {
			if err := x.tell(ctx, c, e.Tenant, h, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// traits gives what an alert names that can be known again elsewhere and serves
// nobody else, by its hash.
func (x *across) traits(c config.AcrossTenants, a glassward.Alert) map[hashed]incident.Trait {
	out := map[hashed]incident.Trait{}
	for _, t := range incident.Traits(x.d.policy(a.Tenant), a) {
		if c.Shares(t.Value) || c.Shares(t.Text) || t.Kind == incident.TraitApplication && x.common[t.Value] != "" {
			continue
		}
		sum := hmac.New(sha256.New, x.key)
		sum.Write([]byte(t.Kind + "\x00" + strings.ToLower(t.Value)))
		out[hashed(hex.EncodeToString(sum.Sum(nil)[:sha256.Size/2]))] = t
	}
	return out
}

// note gives the mark that a tenant's alert leaves or makes longer. One that lies
// before what is known, by more than acrossWithin, is compared and not kept.
func (x *across) note(h hashed, a glassward.Alert) *mark {
	now := x.d.now().UTC()
	fresh := &mark{From: a.Start, To: a.End, Noted: now, Alert: a.ID}
	marks := x.marks[a.Tenant]
	if marks == nil {
		marks = map[hashed]*mark{}
		x.marks[a.Tenant] = marks
	}
	m := marks[h]
	switch {
	case m == nil || a.Start.Sub(m.To) > acrossWithin:
		m = fresh
	case m.From.Sub(a.End) > acrossWithin:
		return fresh
	default:
		if a.Start.Before(m.From) {
			m.From = a.Start
		}
		if a.End.After(m.To) {
			m.To = a.End
		}
		m.Noted = now
	}
	marks[h] = m
	x.dirty[a.Tenant] = true
	if len(marks) > acrossMost {
		oldest := h
		for k, o := range marks {
			if k != h && (oldest == h || o.Noted.Before(marks[oldest].Noted)) {
				oldest = k
			}
		}
		delete(marks, oldest)
	}
	return m
}

// tell tells a tenant, by its own alert and nothing else, that another has met the
// same. It is told once while the mark lasts.
func (x *across) tell(ctx context.Context, c config.AcrossTenants, tenant string, h hashed, m *mark) error {
	if m.Told {
		return nil
	}
	own, err := x.d.state.Alert(ctx, tenant, m.Alert)
	t, names := incident.Trait{}, false
	if err == nil {
		t, names = x.traits(c, own)[h]
	} else if !errors.Is(err, state.ErrNotFound) && !errors.Is(err, state.ErrDamaged) {
		return err
	}
	if names {
		change := incident.Across(x.d.policy(tenant), t, own, acrossWithin, x.d.now())
		changes, err := x.d.desk.Take(ctx, incident.Outcome{Tenant: tenant, Alerts: []incident.AlertChange{change}})
		if err != nil && !errors.Is(err, incident.ErrEvidence) {
			return err
		}
		if len(changes.Notices) > 0 {
			x.d.courier.Wake()
		}
		x.d.log.Info("what met a tenant met another, too", "tenant", tenant, "kind", t.Kind, "alert", own.ID)
	}
	m.Told = true
	x.dirty[tenant] = true
	return nil
}
