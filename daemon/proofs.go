package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"glassward"
	"glassward/console"
	"glassward/incident"
	"glassward/notify"
	"glassward/state"
)

// proofsName is the name under which the receivers' proofs are kept.
const proofsName = "receivers/proofs"

// proofsEvery is how often it is looked whether a receiver has been unproven for
// too long.
const proofsEvery = time.Hour

// recallProofs reads what is known of the receivers, and takes over those that
// are configured.
func (d *Daemon) recallProofs(ctx context.Context) {
	text, err := d.state.Memory(ctx, proofsName)
	if errors.Is(err, state.ErrNotFound) {
		err = nil
	}
	proofs, readErr := notify.ReadProofs(text)
	if err = errors.Join(err, readErr); err != nil {
		// What is lost is that they were proven: they are to be proven again.
		d.log.Warn("when receivers were proven is not known any more", "error", err)
	}
	d.proofs = proofs
	d.followReceivers(ctx)
}

// followReceivers takes over the receivers of the configuration.
func (d *Daemon) followReceivers(ctx context.Context) {
	d.mu.RLock()
	c := d.config.Config
	d.mu.RUnlock()
	if d.proofs.Follow(c, d.now()) {
		d.keepProofs(ctx)
	}
}

func (d *Daemon) keepProofs(ctx context.Context) {
	text, err := d.proofs.Text()
	if err == nil {
		err = d.state.PutMemory(context.WithoutCancel(ctx), proofsName, text)
	}
	if err != nil {
		d.log.Warn("which receivers are proven, and which codes are out, could not be kept", "error", err)
	}
}

// watchProofs makes a finding of each receiver that nobody has proven for too
// long.
func (d *Daemon) watchProofs(ctx context.Context) {
	tick := time.NewTicker(proofsEvery)
	defer tick.Stop()
	for {
		now := d.now()
		for _, p := range d.proofs.List(now) {
			if !p.Due().After(now) {
				d.tell(ctx, "", unproven(p, p.Due(), false))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func unproven(p notify.Proof, since time.Time, over bool) incident.Health {
	group, _, _ := strings.Cut(p.Receiver, "/")
	// Who else is in its group is told; other groups may be other tenants'.
	h := incident.Health{
		Cause: "receiver-unproven", Subject: p.Receiver, Groups: []string{group}, Since: since, Over: over,
		Title: fmt.Sprintf("Nobody has proven for %d days that receiver %s reaches a person", int(notify.ProofHolds.Hours()/24), p.Receiver),
	}
	if !over {
		last := "it never was"
		if !p.Proven.IsZero() {
			last = "the last was " + p.Proven.UTC().Format("2006-01-02") + " by " + p.By
		}
		h.Detail = "A test was to come by it, and its code to be typed back; " + last + "."
	}
	return h
}

// proven records what a person has proven.
func (d *Daemon) proven(ctx context.Context, before, p notify.Proof, notice glassward.NoticeID) {
	d.keepProofs(ctx)
	d.audit(deed{operation: "prove receiver", actor: p.By, via: p.Via, target: p.Receiver, result: "success"})
	d.log.Info("a receiver is proven", "receiver", p.Receiver, "by", p.By, "via", p.Via)
	if due := before.Due(); before.Receiver != "" && !due.After(p.Proven) {
		d.tell(ctx, "", unproven(p, due, true))
	}
	d.work.Go(func() { d.courier.Fleet().Withdraw(context.WithoutCancel(ctx), p.Receiver, notice) })
}

// A proofAnswer is a text that may hold a code, or a service's word that the
// message of a handle was acknowledged; receiver is set where it came back by one.
type proofAnswer struct{ text, handle, receiver, by, via string }

// answerProof takes what may prove a receiver.
func (d *Daemon) answerProof(ctx context.Context, a proofAnswer) (notify.Proof, error) {
	list := d.proofs.List(d.now())
	p, notice, err := d.proofs.Acknowledged(a.receiver, a.handle, a.by, a.via, d.now())
	if err != nil {
		p, notice, err = d.proofs.Answer(a.text, a.receiver, a.by, a.via, d.now())
	}
	if err != nil {
		if errors.Is(err, notify.ErrWrongCode) {
			d.keepProofs(ctx) // a restart gives nobody fresh tries
		}
		return p, err
	}
	var before notify.Proof
	for _, x := range list {
		if x.Receiver == p.Receiver {
			before = x
		}
	}
	d.proven(ctx, before, p, notice)
	return p, nil
}

// Prove sends a test with a code to each receiver of a group, or to those named.
func (o operator) Prove(ctx context.Context, group string, receivers []string, who string) (any, error) {
	d := o.d
	list, err := d.courier.Fleet().Prove(ctx, group, receivers...)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", console.ErrInvalid, err)
	}
	results := make([]notify.TestResult, len(list))
	for i, c := range list {
		results[i] = c.TestResult
		if c.OK {
			d.proofs.Await(c, d.now())
		}
	}
	d.keepProofs(ctx)
	d.audit(deed{operation: "send proofs", via: who, target: group, result: "success"})
	return results, nil
}

// AnswerProof takes the code that a person has read.
func (o operator) AnswerProof(ctx context.Context, code, who string) (any, error) {
	p, err := o.d.answerProof(ctx, proofAnswer{text: code, by: who, via: "api"})
	if err != nil {
		return nil, fmt.Errorf("%w: %v", console.ErrInvalid, err)
	}
	return p, nil
}

// Proofs gives what is known of each receiver.
func (o operator) Proofs(context.Context) (any, error) { return o.d.proofs.List(o.d.now()), nil }
