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
	Account                        string
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
		names = append(names, labelOf(a))
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

// follow watches a sign-in on its way. It says each part as it happens.
func (w *wizard) follow(ctx context.Context, control *client, t config.Tenant, began time.Time) (proof, error) {
	var p proof
	at := place{tenant: t.ID}
	tick := time.NewTicker(proveEvery)
	defer tick.Stop()
	spoken := began
	for {
		select {
		case <-ctx.Done():
			return p, hint(errors.New("not proven yet"), "glassward tenant prove %s waits again", t.Name)
		case <-tick.C:
		}
		if p.Signed.IsZero() {
			found, err := w.signIn(ctx, control, t, began)
			if err != nil {
				return p, err
			}
			if found.Signed.IsZero() {
				if time.Since(spoken) > 30*time.Second {
					spoken = time.Now()
					w.progress(ctx, control, t)
				}
				continue
			}
			p = found
			w.say("%s  the sign-in of %s came by %s, %s after it happened", clockOf(p.Received), p.Account, p.Road, seconds(p.Received.Sub(p.Signed).Seconds()))
		}
		done, err := w.alarm(ctx, control, at, t, &p)
		if err != nil || done {
			return p, err
		}
	}
}

func clockOf(t time.Time) string { return t.UTC().Format("15:04:05Z") }

// signIn looks for a sign-in of an emergency account since the proof began.
func (w *wizard) signIn(ctx context.Context, control *client, t config.Tenant, began time.Time) (proof, error) {
	ids := make([]string, len(t.EmergencyAccounts))
	for i, a := range t.EmergencyAccounts {
		ids[i] = fmt.Sprintf("%q", a.ObjectID)
	}
	// After a union nobody knows any more when a record came.
	leg := func(table string) string {
		return fmt.Sprintf("(%s | where UserId in~ (%s) and TimeGenerated >= datetime(%s) | project UserId, UserPrincipalName, TimeGenerated, Came = _TimeReceived, Road = _Source)",
			table, strings.Join(ids, ", "), began.Add(-time.Minute).UTC().Format(time.RFC3339))
	}
	query := "union " + leg("SigninLogs") + ", " + leg("AADNonInteractiveUserSignInLogs") + " | order by Came asc | take 1"
	r, err := control.query(ctx, t.ID, query)
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
		Account: line(text(value.String, row[1])), Road: line(text(value.String, row[4])),
		Signed: value.Ticks(signed).Time(), Received: value.Ticks(came).Time(),
	}, nil
}

// alarm looks for the alert of the sign-in and the first receiver that took it.
func (w *wizard) alarm(ctx context.Context, control *client, at place, t config.Tenant, p *proof) (done bool, err error) {
	var list struct{ Value []glassward.Incident }
	if err := control.call(ctx, "GET", at.path("/incidents"), nil, &list); err != nil {
		return false, err
	}
	for _, inc := range list.Value {
		if !slices.ContainsFunc(inc.Accounts, func(id string) bool { return slices.Contains(t.Accounts(), strings.ToLower(id)) }) || inc.LastActivity.Before(p.Signed) {
			continue
		}
		var c console.Case
		if err := control.call(ctx, "GET", at.path("/incidents/%d", inc.Number), nil, &c); err != nil {
			return false, err
		}
		for _, a := range c.Alerts {
			if a.End.Before(p.Signed) || !p.Judged.IsZero() {
				continue
			}
			p.Judged, p.Incident, p.Title = a.Judged, inc.Number, a.Title
			w.say("%s  %s: incident %d", clockOf(a.Judged), line(a.Title), inc.Number)
		}
		if p.Judged.IsZero() {
			continue
		}
		for _, d := range c.Deliveries {
			if d.Status != glassward.Delivered || d.Settled.Before(p.Judged) {
				continue
			}
			if p.Told.IsZero() || d.Settled.Before(p.Told) {
				p.Told, p.Receiver, p.Answer = d.Settled, d.Receiver, d.Answer
			}
		}
		if !p.Told.IsZero() {
			w.say("%s  %s took it: %s", clockOf(p.Told), line(p.Receiver), line(p.Answer))
			return true, nil
		}
	}
	return false, nil
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
