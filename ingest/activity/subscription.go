package activity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"glassward/entra"
	"glassward/ingest"
)

const (
	// lookEvery is the time between two looks at whether the subscription runs.
	lookEvery = 5 * time.Minute
	// startAgain is how long the service wants to be left alone after a start.
	startAgain = 15 * time.Minute
	// sayFirst is how long a subscription that an administrator disabled stays off
	// after it was told: long enough that somebody hears of it, short enough that
	// little is lost.
	sayFirst = 15 * time.Minute
	// quiet is how long a list may stay empty before the subscription is started
	// once more: the start fails where auditing was switched off, which the lists do
	// not say.
	quiet = 6 * time.Hour
)

// ensure sees to it that the subscription runs. The error says why it does not.
func (s *stream) ensure(ctx context.Context) error {
	now := s.o.Now()
	if s.running && now.Sub(s.looked) < lookEvery {
		return nil
	}
	answer, err := s.client.Do(ctx, http.MethodGet, s.address("subscriptions/list", nil), nil, nil)
	if err != nil {
		return err
	}
	var entries []struct {
		ContentType string `json:"contentType"`
		Status      string `json:"status"`
	}
	if err := readArray(answer.Body, &entries); err != nil {
		return s.contentFault("list the subscriptions", err.Error())
	}
	for _, e := range entries {
		if !strings.EqualFold(e.ContentType, s.content) {
			continue
		}
		// The service's own samples have entries without a status.
		if e.Status == "" || strings.EqualFold(e.Status, "enabled") {
			s.looked = now
			if err := s.runs(ctx); err != nil {
				return err
			}
			return s.probe(ctx)
		}
		return s.off(ctx, e.Status)
	}
	return s.stopped(ctx)
}

// off finds out why a listed subscription does not run: only a refusal to list its
// content tells one that was stopped from one that an administrator disabled.
func (s *stream) off(ctx context.Context, status string) error {
	now := s.serverNow().Add(-2 * time.Second).Truncate(time.Second)
	switch _, err := s.list(ctx, window{now.Add(-time.Hour), now}); {
	case codeOf(err) == "AF20022":
		return s.stopped(ctx)
	case err == nil || codeOf(err) == "AF20023":
		return s.disabled(ctx, "its status is "+status)
	default:
		return err
	}
}

// runs notes that the subscription runs. What lies between its stop and now can
// never be had.
func (s *stream) runs(ctx context.Context) error {
	now := s.serverNow()
	s.running, s.why = true, nil
	p := s.position
	if down := p.Down; !down.IsZero() {
		// Told before it is kept: told twice is better than never.
		s.hole(down, now, "the subscription of "+s.content+" did not run: what happened meanwhile is kept nowhere for us")
		p.Down, p.Told, p.Seen = time.Time{}, time.Time{}, now
		return s.save(ctx)
	}
	p.Seen, p.Told = now, time.Time{}
	return nil
}

// down notes that the subscription does not run, since when it was last seen to.
func (s *stream) down() {
	s.running = false
	if p := s.position; p.Down.IsZero() && !p.Seen.IsZero() {
		p.Down = p.Seen
	}
}

// stopped deals with a subscription that is not there: never started, or stopped
// by somebody who holds our credential. It is started.
func (s *stream) stopped(ctx context.Context) error {
	s.down()
	if p := s.position; !p.Down.IsZero() && s.why == nil {
		s.tell(&entra.Fault{
			Kind: entra.FaultSubscription, Service: string(entra.Activity), Doing: "read " + s.content, Code: "AF20022",
			Message: "the subscription was running at " + p.Down.Format(time.RFC3339) + " and is gone; only our own application can stop it. It is started again; who else holds its credential?",
		})
	}
	return s.start(ctx)
}

// disabled deals with a subscription that an administrator disabled: this is told
// first, and only later undone.
func (s *stream) disabled(ctx context.Context, how string) error {
	s.down()
	p, now := s.position, s.serverNow()
	if p.Told.IsZero() {
		p.Told = now
		if err := s.save(ctx); err != nil {
			return err
		}
	}
	again := p.Told.Add(sayFirst)
	fault := &entra.Fault{
		Kind: entra.FaultSubscription, Service: string(entra.Activity), Doing: "read " + s.content, Code: "AF20023",
		Message: fmt.Sprintf("an administrator disabled the subscription (%s): nothing is recorded for us meanwhile. It is started again from %s on", how, again.Format(time.RFC3339)),
	}
	if now.Before(again) {
		return fault
	}
	s.tell(fault)
	return s.start(ctx)
}

// start asks for the subscription's start, unless that was asked for less than a
// quarter of an hour ago.
func (s *stream) start(ctx context.Context) error {
	p, now := s.position, s.serverNow()
	if next := p.Asked.Add(startAgain); now.Before(next) && !p.Asked.After(now) {
		if s.why != nil {
			return s.why
		}
		return &entra.Fault{
			Kind: entra.FaultSubscription, Service: string(entra.Activity), Doing: "read " + s.content, Code: "AF20022",
			Message: "the subscription was asked to start and does not run yet; it is asked again at " + next.Format(time.RFC3339),
		}
	}
	s.why = s.ask(ctx)
	if s.why != nil {
		return s.why
	}
	s.looked = s.o.Now()
	return s.runs(ctx)
}

// ask asks for a start. That it was asked is kept before, so that a restart of
// ours does not ask again.
func (s *stream) ask(ctx context.Context) error {
	s.position.Asked = s.serverNow()
	if err := s.save(ctx); err != nil {
		return err
	}
	answer, err := s.client.Do(ctx, http.MethodPost, s.address("subscriptions/start", url.Values{"contentType": {s.content}}), nil, []byte{})
	if codeOf(err) == "AF20024" {
		return nil // it runs already
	}
	if err != nil {
		return err
	}
	if len(trim(answer.Body)) == 0 {
		return nil
	}
	var state struct {
		Status string `json:"status"`
	}
	if err := readObject(answer.Body, &state); err != nil {
		return s.contentFault("start the subscription of "+s.content, err.Error())
	}
	if state.Status != "" && !strings.EqualFold(state.Status, "enabled") {
		return &entra.Fault{
			Kind: entra.FaultSubscription, Service: string(entra.Activity), Doing: "start the subscription of " + s.content, Status: answer.Status,
			Message: "the service answers that it is " + state.Status,
		}
	}
	return nil
}

// probe starts a running subscription once more where its list has long been
// empty. This changes nothing, except that the service says then whether auditing
// is switched off.
func (s *stream) probe(ctx context.Context) error {
	now, asked := s.o.Now(), s.serverNow().Sub(s.position.Asked)
	switch {
	case s.auditOff != nil && asked < time.Hour, s.auditOff == nil && (now.Sub(s.heard) < quiet || asked < quiet):
		return nil
	}
	err := s.ask(ctx)
	var failed emitError
	switch {
	case ctx.Err() != nil, errors.As(err, &failed):
		return err
	case err == nil:
		s.auditOff = nil
	case kindOf(err) == entra.FaultAuditOff:
		s.auditOff = err
	}
	// Whether it can be started says nothing else about one that runs.
	return nil
}

func (s *stream) tell(err error) {
	s.o.Observe.Tell(ingest.Report{Stream: s.content, Tables: Tables(s.content), At: s.o.Now(), Fault: err})
}

func (s *stream) hole(from, to time.Time, what string) {
	s.o.Observe.Tell(ingest.Report{Stream: s.content, Tables: Tables(s.content), At: s.o.Now(), Hole: &ingest.Hole{From: from, To: to, What: what}})
}
