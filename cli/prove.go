package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/config"
	"glassward/console"
	"glassward/daemon"
	"glassward/internal/private"
	"glassward/kql/value"
)

// proveEvery is how often the proof asks whether something has come.
const proveEvery = 500 * time.Millisecond

// A proof is one sign-in of an emergency account, followed to a person.
type proof struct {
	ID, Account                    string
	Event                          time.Time // Signed, by the clock of the services
	Signed, Received, Judged, Told time.Time
	Road, Receiver, Answer         string
	Incident                       int64
	Title                          string
}

// prove waits until an emergency account has really signed in and a receiver has
// taken the alarm, and writes down how long each part of the way took. It asks
// the daemon that runs, and is one itself where none runs.
func (w *wizard) prove(ctx context.Context, c *config.Config, t config.Tenant) (err error) {
	control, err := dial(c.Data)
	if errors.Is(err, errNoDaemon) {
		d, err := daemon.New(ctx, daemon.Options{Config: c, Version: version, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		run, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- d.Run(run) }()
		defer func() {
			stop()
			err = errors.Join(err, <-ended)
		}()
		control, err = need(c.Data)
		if err != nil {
			return err
		}
		w.say("Glassward watches while this command waits; glassward serve does it for good.")
	} else if err != nil {
		return err
	}
	began := time.Now()
	var names []string
	for _, a := range t.EmergencyAccounts {
		// A decoy is there to be touched by nobody.
		if a.Kind != "decoy" {
			names = append(names, labelOf(a))
		}
	}
	w.say("\nNow sign in with %s, as you would in an emergency, with the key that lies in the safe.", strings.Join(names, " or "))
	w.say("Entra commonly takes minutes to show a sign-in. Waiting; Ctrl-C ends it, and tenant prove begins again.")
	p, err := w.follow(ctx, control, t, began)
	if err != nil {
		return err
	}
	text := p.text(t)
	fmt.Fprint(w.Stdout, "\n"+text)
	file := filepath.Join(c.Data, "proofs", fmt.Sprintf("%s-%s.md", t.Name, p.Told.UTC().Format("20060102T150405Z")))
	if err := private.MkdirAll(filepath.Dir(file)); err != nil {
		return err
	}
	if err := private.WriteFile(file, []byte(text)); err != nil {
		return err
	}
	w.say("written down in %s", file)
	return nil
}

func labelOf(a config.EmergencyAccount) string {
	for _, n := range []string{a.UserPrincipalName, a.Name} {
		if n != "" {
			return line(n)
		}
	}
	return a.ObjectID
}

// quietFor is how long the proof says nothing while it waits.
const quietFor = 30 * time.Second

// follow watches a sign-in on its way. It says each part as it happens.
func (w *wizard) follow(ctx context.Context, control *client, t config.Tenant, began time.Time) (proof, error) {
	var p proof
	at := place{tenant: t.ID}
	tick := time.NewTicker(proveEvery)
	defer tick.Stop()
	spoken, asked := began, time.Time{}
	var ahead time.Duration // the service's clock before ours
	for {
		err := func() error {
			if !p.Signed.IsZero() {
				return nil
			}
			if time.Since(asked) > 10*proveEvery {
				asked = time.Now()
				var err error
				if ahead, err = w.ahead(ctx, control, t); err != nil {
					return err
				}
			}
			found, err := w.signIn(ctx, control, t, began.Add(ahead))
			if err != nil || found.Signed.IsZero() {
				return err
			}
			// The clock may have been learned with this very record.
			if ahead, err = w.ahead(ctx, control, t); err != nil || found.Signed.Before(since(began.Add(ahead))) {
				return err
			}
			p = found
			p.Event, p.Signed = p.Signed, p.Signed.Add(-ahead)
			w.say("%s  the sign-in of %s came by %s, %s after it happened", clockOf(p.Received), p.Account, p.Road, seconds(p.Received.Sub(p.Signed).Seconds()))
			if ahead != 0 {
				w.say("           (this machine's clock is %s; the times are by this machine's)", skew(ahead))
			}
			spoken = time.Now()
			return nil
		}()
		var waits []string
		done := false
		if err == nil && !p.Signed.IsZero() {
			done, waits, err = w.alarm(ctx, control, at, &p)
		}
		if ctx.Err() != nil {
			return p, hint(errors.New("not proven yet"), "glassward tenant prove %s waits again", t.Name)
		}
		if err != nil || done {
			return p, err
		}
		if time.Since(spoken) > quietFor {
			spoken = time.Now()
			if p.Signed.IsZero() {
				w.progress(ctx, control, t)
			}
			for _, text := range waits {
				w.say("%s  %s", clockOf(spoken), text)
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

func clockOf(t time.Time) string { return t.UTC().Format("15:04:05Z") }

// since is from when on a sign-in counts that was made after a moment: what tells
// the time of sign-ins is not finer.
func since(began time.Time) time.Time { return began.Add(-5 * time.Second) }

// skew says how a clock stands that another is ahead of.
func skew(ahead time.Duration) string {
	if ahead < 0 {
		return seconds(-ahead.Seconds()) + " fast"
	}
	return seconds(ahead.Seconds()) + " slow"
}

// ahead gives how far the services' clock is ahead of this machine's.
func (w *wizard) ahead(ctx context.Context, control *client, t config.Tenant) (time.Duration, error) {
	var s daemon.Status
	if err := control.call(ctx, "GET", "/v1/status", nil, &s); err != nil {
		return 0, err
	}
	for _, x := range s.Workspaces {
		for _, r := range x.Roads {
			if x.Tenant == t.ID && r.Offset != 0 {
				return time.Duration(r.Offset * float64(time.Second)), nil
			}
		}
	}
	return 0, nil
}

// signIn looks for a successful sign-in of an emergency account since the proof
// began, by the clock of the services.
func (w *wizard) signIn(ctx context.Context, control *client, t config.Tenant, began time.Time) (proof, error) {
	var users, principals []string
	for _, a := range t.EmergencyAccounts {
		if a.Kind == "servicePrincipal" {
			principals = append(principals, fmt.Sprintf("%q", a.ObjectID))
		} else {
			users = append(users, fmt.Sprintf("%q", a.ObjectID))
		}
	}
	// After a union nobody knows any more when a record came.
	var legs []string
	leg := func(table, id, name string, ids []string) {
		if len(ids) > 0 {
			legs = append(legs, fmt.Sprintf("(%s | where %s in~ (%s) and ResultType == \"0\" and TimeGenerated >= datetime(%s) | project Account = %[2]s, Name = %[5]s, TimeGenerated, Came = _TimeReceived, Road = _Source)",
				table, id, strings.Join(ids, ", "), since(began).UTC().Format(time.RFC3339), name))
		}
	}
	leg("SigninLogs", "UserId", "UserPrincipalName", users)
	leg("AADNonInteractiveUserSignInLogs", "UserId", "UserPrincipalName", users)
	leg("AADServicePrincipalSignInLogs", "ServicePrincipalId", "ServicePrincipalName", principals)
	leg("AADManagedIdentitySignInLogs", "ServicePrincipalId", "ServicePrincipalName", principals)
	r, err := control.query(ctx, t.ID, "union "+strings.Join(legs, ", ")+" | order by Came asc | take 1")
	if err != nil || len(r.Rows) == 0 {
		return proof{}, err
	}
	row := r.Rows[0]
	signed, ok := row[2].(int64)
	came, too := row[3].(int64)
	if !ok || !too {
		return proof{}, errors.New("the daemon answered without times; is it of another version?")
	}
	return proof{
		ID: strings.ToLower(text(value.String, row[0])), Account: line(text(value.String, row[1])), Road: line(text(value.String, row[4])),
		Signed: value.Ticks(signed).Time(), Received: value.Ticks(came).Time(),
	}, nil
}

// alarm looks for the alert of the sign-in and the first receiver that took its
// notice. Waits says what is waited for.
func (w *wizard) alarm(ctx context.Context, control *client, at place, p *proof) (done bool, waits []string, err error) {
	var list struct{ Value []glassward.Incident }
	if err := control.call(ctx, "GET", at.path("/incidents"), nil, &list); err != nil {
		return false, nil, err
	}
	waits = []string{"no rule has made an alert of it yet: glassward status shows rules that fail"}
	for _, inc := range list.Value {
		mine := slices.ContainsFunc(inc.Accounts, func(id string) bool { return strings.EqualFold(id, p.ID) })
		if !mine || p.Incident != 0 && p.Incident != inc.Number {
			continue
		}
		var c console.Case
		if err := control.call(ctx, "GET", at.path("/incidents/%d", inc.Number), nil, &c); err != nil {
			return false, nil, err
		}
		for _, a := range c.Alerts {
			// It reaches over the sign-in, and was judged since that came. The store's
			// times are cut to 100 ns.
			if !p.Judged.IsZero() || a.Start.After(p.Event.Add(time.Millisecond)) || a.End.Before(p.Event) || a.Judged.Before(p.Received) {
				continue
			}
			p.Judged, p.Incident, p.Title = a.Judged, inc.Number, a.Title
			w.say("%s  %s: incident %d", clockOf(a.Judged), line(a.Title), inc.Number)
		}
		if p.Judged.IsZero() {
			continue
		}
		waits = nil
		for _, d := range c.Deliveries {
			switch {
			case d.Status == glassward.Delivered && !d.Settled.Before(p.Judged):
				if p.Told.IsZero() || d.Settled.Before(p.Told) {
					p.Told, p.Receiver, p.Answer = d.Settled, d.Receiver, d.Answer
				}
			case d.Status == glassward.Delivered:
			case d.Answer != "":
				waits = append(waits, fmt.Sprintf("%s has not taken it: %s", line(d.Receiver), line(d.Answer)))
			}
		}
		if !p.Told.IsZero() {
			w.say("%s  %s took it: %s", clockOf(p.Told), line(p.Receiver), line(p.Answer))
			return true, nil, nil
		}
		if len(waits) == 0 {
			waits = []string{fmt.Sprintf("nobody has been told: incident %d was open before, or it names no receiver. Close it, and sign in again", inc.Number)}
		}
	}
	return false, waits, nil
}

// progress says, while nothing comes, how the roads stand.
func (w *wizard) progress(ctx context.Context, control *client, t config.Tenant) {
	var s daemon.Status
	if err := control.call(ctx, "GET", "/v1/status", nil, &s); err != nil {
		w.say("%v", err)
		return
	}
	for _, x := range s.Workspaces {
		if x.Tenant != t.ID {
			continue
		}
		var notes []string
		for _, r := range x.Roads {
			if r.Table != "SigninLogs" {
				continue
			}
			note := fmt.Sprintf("%s %s, newest sign-in %s", line(r.Road), r.State, stamp(r.Newest))
			if r.Fault != "" {
				note += ": " + line(r.Fault)
			}
			notes = append(notes, note)
		}
		if len(notes) == 0 {
			notes = []string{"no road brings sign-ins by itself: push them, or put files into the folder"}
		}
		w.say("%s  nothing yet; %s", clockOf(time.Now()), strings.Join(notes, "; "))
	}
}

// text is the proof as it is kept: what happened when, and how long each part of
// the way took.
func (p proof) text(t config.Tenant) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The alarm of %s is proven\n\n", t.Name)
	row := func(at time.Time, what string, took time.Duration) {
		fmt.Fprintf(&b, "%s  %-58s %s\n", at.UTC().Format("2006-01-02 15:04:05.000Z"), what, seconds(took.Seconds()))
	}
	row(p.Signed, p.Account+" signed in", 0)
	row(p.Received, "the record came by "+p.Road, p.Received.Sub(p.Signed))
	row(p.Judged, fmt.Sprintf("alert, incident %d: %s", p.Incident, p.Title), p.Judged.Sub(p.Received))
	row(p.Told, p.Receiver+" took the notice", p.Told.Sub(p.Judged))
	fmt.Fprintf(&b, "\nFrom the sign-in to the receiver: %s. Of that, Entra and the road took %s and Glassward %s.\n",
		seconds(p.Told.Sub(p.Signed).Seconds()), seconds(p.Received.Sub(p.Signed).Seconds()), seconds(p.Told.Sub(p.Received).Seconds()))
	return b.String()
}
