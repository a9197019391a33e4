package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"glassward"
	"glassward/incident"
	"glassward/notify"
)

const (
	// askEvery is how often services are asked for answers while one is awaited;
	// Pushover takes it amiss below five seconds.
	askEvery = 10 * time.Second
	// unheardAfter is how long a service may not be asked until that is an alarm.
	unheardAfter = time.Minute
	// heardAtMost bounds what is remembered of answers that were taken.
	heardAtMost = 10_000
	// maxHandles bounds what is asked for in a round.
	maxHandles = 200
)

// awaitedFor is how long an answer is awaited to what nobody is called about any
// more and nobody has taken up.
const awaitedFor = 24 * time.Hour

// An awaited is a message that a person may answer.
type awaited struct {
	// tenant and incident are what it is about; a test is about none.
	tenant   string
	incident int64
	// receiver was told, and its service calls the message handle, empty if it has
	// no name for it. No text before since can be about it.
	receiver, handle string
	since            time.Time
}

// A hearing asks services for what people answered. One goroutine uses it.
type hearing struct {
	d *Daemon
	// taken are the answers that need no second look, by their keys.
	taken map[string]bool
	// failing says since when a service could not be asked, by its name.
	failing map[string]time.Time
	told    *lasting
}

// hearAnswers asks for answers as long as one is awaited.
func (d *Daemon) hearAnswers(ctx context.Context) {
	h := d.newHearing(ctx)
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		h.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-d.asked:
		}
	}
}

func (d *Daemon) newHearing(ctx context.Context) *hearing {
	return &hearing{d: d, taken: map[string]bool{}, failing: map[string]time.Time{}, told: d.recallLasting(ctx, "", "receivers/unheard")}
}

// askNow has services asked at once: one of them says that there is something.
func (d *Daemon) askNow() {
	select {
	case d.asked <- struct{}{}:
	default: // it is under way
	}
}

// round asks once.
func (h *hearing) round(ctx context.Context) {
	list, err := h.d.awaited(ctx)
	if err != nil && ctx.Err() == nil {
		h.d.log.Error("which answers are awaited is not known", "error", err)
	}
	if len(list) == 0 {
		return
	}
	fleet := h.d.courier.Fleet()
	oldest := list[0].since
	for _, w := range list {
		if w.since.Before(oldest) {
			oldest = w.since
		}
		if w.handle == "" || !fleet.Asks(w.receiver) || h.taken[w.receiver+" "+w.handle] {
			continue
		}
		reply, ok, err := fleet.Acknowledged(ctx, w.receiver, w.handle)
		h.asked(ctx, w.receiver, err)
		if ok {
			h.take(ctx, w.receiver+" "+w.handle, reply, w)
		}
	}
	if !fleet.ReadsTexts() {
		return
	}
	texts, err := fleet.Texts(ctx, oldest)
	h.asked(ctx, "incoming texts", err)
	for _, reply := range texts {
		if !h.taken[reply.Key] {
			h.take(ctx, reply.Key, reply, awaited{})
		}
	}
}

// take hands an answer on, and remembers it if it needs no second look.
func (h *hearing) take(ctx context.Context, key string, r notify.Reply, w awaited) {
	switch _, err := h.d.answered(ctx, r, w); {
	case errors.Is(err, errTooManyAnswers):
		return // it is looked at when the pause is over
	case err != nil:
		h.d.log.Warn("an answer could not be taken yet", "way", r.Way, "key", r.Key, "error", err)
		return
	}
	if len(h.taken) >= heardAtMost {
		clear(h.taken) // what is asked for again changes nothing
	}
	h.taken[key] = true
}

// asked notes whether a service could be asked, and makes an alarm of one that
// cannot be for long: somebody may have answered, and is not heard.
func (h *hearing) asked(ctx context.Context, service string, err error) {
	title := "Answers that come by " + service + " are not heard"
	switch now := h.d.now(); {
	case ctx.Err() != nil:
	case err == nil:
		delete(h.failing, service)
		h.told.ends(ctx, service, "Answers that come by "+service+" are heard again")
	case h.failing[service].IsZero():
		h.failing[service] = now
		h.d.log.Warn(title, "error", err)
	case now.Sub(h.failing[service]) >= unheardAfter:
		h.told.begins(ctx, service, incident.Health{Cause: "answers-unheard", Subject: service, Title: title, Detail: err.Error()})
	}
}

// awaited gives the messages that people may answer now. What it gives is good
// even where there is an error.
func (d *Daemon) awaited(ctx context.Context) ([]awaited, error) {
	var out []awaited
	now := d.now()
	for _, c := range d.proofs.Open(now) {
		out = append(out, awaited{receiver: c.Receiver, handle: c.Handle, since: c.Sent})
	}
	handles, err := d.state.Handles(ctx, now.Add(-awaitedFor), maxHandles)
	for _, h := range handles {
		out = append(out, awaited{h.Tenant, h.Incident, h.Receiver, h.Handle, h.Created})
	}
	// Texts have no handle: whoever is called may text back.
	refs, _, calling := d.state.Calling(ctx, now.AddDate(1, 0, 0), maxHandles)
	for _, ref := range refs {
		inc, err := d.state.Incident(ctx, ref.Tenant, ref.Number)
		if err == nil && inc.Status != glassward.StatusClosed {
			out = append(out, awaited{tenant: ref.Tenant, incident: ref.Number, since: inc.Created})
		}
	}
	return out, errors.Join(err, calling)
}

// answered takes what a person answered, and says in one sentence what became of
// it. The same answer again changes nothing. An error means that it can be given
// again.
func (d *Daemon) answered(ctx context.Context, r notify.Reply, w awaited) (string, error) {
	for _, receiver := range r.Receivers {
		p, err := d.provenBy(ctx, r, receiver, w.handle)
		if err == nil {
			return p.Receiver + " is proven.", nil
		}
		if !errors.Is(err, notify.ErrNoChallenge) && !errors.Is(err, notify.ErrWrongCode) {
			return "", err
		}
	}
	for _, receiver := range r.Receivers {
		a := answer{Tenant: w.tenant, Incident: w.incident, Receiver: receiver, Way: r.Way, Who: r.Who, Text: r.Text, Key: r.Key}
		done, err := d.respond(ctx, a)
		switch {
		case err == nil:
			return done.Said, nil
		case !errors.Is(err, errNothingToAnswer):
			return "", err
		}
	}
	return "There is nothing to answer.", nil
}

// provenBy takes an answer for that to a test of the receiver.
func (d *Daemon) provenBy(ctx context.Context, r notify.Reply, receiver, handle string) (notify.Proof, error) {
	who := r.Who
	if who == "" {
		_, who, _ = strings.Cut(receiver, "/")
	}
	return d.answerProof(ctx, proofAnswer{text: r.Text, handle: handle, receiver: receiver, by: who, via: r.Way})
}

// callbacks is where providers call us.
type callbacks struct{ d *Daemon }

// Callback verifies a provider's call and takes what a person said by it. What
// only says that something has changed has the provider asked at once.
func (c callbacks) Callback(ctx context.Context, call notify.Callback) (mediaType string, body []byte, err error) {
	d := c.d
	heard, err := d.courier.Fleet().Hear(call, d.now())
	if err != nil {
		return "", nil, err
	}
	said := "I did not hear any key."
	if heard.Reply != nil {
		if said, err = d.answered(ctx, *heard.Reply, awaited{tenant: heard.Tenant, incident: heard.Incident, receiver: heard.Receiver}); err != nil {
			return "", nil, fmt.Errorf("take an answer by %s: %w", heard.Reply.Way, err)
		}
	} else if heard.Receiver != "" {
		if err := d.state.Hasten(ctx, heard.Receiver, d.now()); err != nil {
			return "", nil, err
		}
		d.courier.Wake()
		d.askNow()
	}
	mediaType, body = heard.Answer(said)
	return mediaType, body, nil
}
