package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"glassward"
	"glassward/console"
	"glassward/incident"
	"glassward/state"
)

// cases is the desk as the console knows it.
type cases struct{ d *Daemon }

// book gives the tenant under which incidents are kept: none for those of the
// whole installation.
func book(tenant string) string {
	if tenant == Installation {
		return ""
	}
	return tenant
}

// Incidents gives a tenant's incidents, newest first.
func (c cases) Incidents(ctx context.Context, tenant string, f console.Filter) ([]glassward.Incident, string, error) {
	filter := state.IncidentFilter{Tenants: []string{book(tenant)}, Limit: f.Limit, After: f.After}
	if f.Status != "" {
		filter.Status = []glassward.IncidentStatus{f.Status}
	}
	page, next, err := c.d.state.Incidents(ctx, filter)
	if errors.Is(err, state.ErrCursor) {
		err = fmt.Errorf("%w: %v", console.ErrInvalid, err)
	}
	return page, next, err
}

// Incident gives one incident with its alerts and what became of its notices.
func (c cases) Incident(ctx context.Context, tenant string, number int64) (console.Case, error) {
	tenant = book(tenant)
	inc, err := c.d.state.Incident(ctx, tenant, number)
	if errors.Is(err, state.ErrNotFound) {
		return console.Case{}, console.ErrNoIncident
	}
	if err != nil {
		return console.Case{}, err
	}
	found := console.Case{Incident: inc}
	if found.Alerts, err = c.d.state.AlertsByID(ctx, tenant, inc.Alerts); err != nil {
		return console.Case{}, err
	}
	if found.Evidence, found.Rules, err = c.evidence(ctx, tenant, found.Alerts); err != nil {
		return console.Case{}, err
	}
	// In the order of the attack, not of the rules.
	slices.SortStableFunc(found.Alerts, func(a, b glassward.Alert) int { return a.Start.Compare(b.Start) })
	deliveries, err := c.d.state.Deliveries(ctx, tenant, number)
	if err != nil {
		return console.Case{}, err
	}
	for _, d := range deliveries {
		found.Deliveries = append(found.Deliveries, d.Delivery)
	}
	if found.Incident.Timeline, err = c.d.state.Timeline(ctx, tenant, number); err != nil {
		return console.Case{}, err
	}
	// In the order in which it happened, which is not that in which we learned.
	slices.SortStableFunc(found.Incident.Timeline, func(a, b glassward.TimelineEntry) int { return a.Time.Compare(b.Time) })
	return found, nil
}

// maxEvidence bounds the record ids that are answered of an alert.
const maxEvidence = 100

// evidence gives what stands behind alerts, and the texts of their rules by the
// hash of the query.
func (c cases) evidence(ctx context.Context, tenant string, alerts []glassward.Alert) (map[glassward.AlertID]console.Evidence, map[string]string, error) {
	out := make(map[glassward.AlertID]console.Evidence, len(alerts))
	texts := map[string]string{}
	for _, a := range alerts {
		whole, err := c.d.state.Alert(ctx, tenant, a.ID)
		if err != nil {
			return nil, nil, err
		}
		e := console.Evidence{RuleID: a.RuleID, RuleVersion: a.RuleVersion, QueryHash: a.QueryHash, Records: []string{}, RecordCount: len(whole.Records), More: a.LineageOverflow}
		for _, id := range whole.Records[:min(len(whole.Records), maxEvidence)] {
			e.Records = append(e.Records, id.String())
		}
		out[a.ID] = e
		if _, known := texts[a.QueryHash]; known || a.QueryHash == "" {
			continue // what Glassward tells of itself has no query
		}
		version, err := c.d.state.RuleVersion(ctx, a.RuleID, a.RuleVersion, a.QueryHash)
		if err != nil && !errors.Is(err, state.ErrNotFound) {
			return nil, nil, err
		}
		texts[a.QueryHash] = version.Text
	}
	return out, texts, nil
}

// Graph gives an incident's entities and what connects them.
func (c cases) Graph(ctx context.Context, tenant string, number int64) (any, error) {
	tenant = book(tenant)
	inc, err := c.d.state.Incident(ctx, tenant, number)
	if errors.Is(err, state.ErrNotFound) {
		return nil, console.ErrNoIncident
	}
	if err != nil {
		return nil, err
	}
	alerts, err := c.d.state.AlertsByID(ctx, tenant, inc.Alerts)
	if err != nil {
		return nil, err
	}
	neighbours, err := c.d.state.Neighbours(ctx, tenant, number, 200)
	if err != nil {
		return nil, err
	}
	return incident.GraphOf(c.d.policy(tenant), alerts, neighbours), nil
}

// Act carries out what a person commands.
func (c cases) Act(ctx context.Context, tenant string, number int64, a console.Action) (glassward.Incident, error) {
	tenant = book(tenant)
	target := incident.Target{Number: number, Etag: a.Etag, By: a.By}
	if target.Etag == "" {
		target.Etag = incident.AnyEtag
	}
	var command incident.Command
	switch a.Kind {
	case "acknowledge":
		command = incident.Acknowledge{Target: target, Reason: a.Reason, Proof: incident.ByConsole, Storm: a.Storm}
	case "assign":
		command = incident.Assign{Target: target, To: a.Owner}
	case "comment":
		command = incident.Comment{Target: target, Text: a.Comment}
	case "explain":
		command = incident.Explain{Target: target, Reason: a.Reason}
	case "task":
		command = incident.DoTask{Target: target, Task: a.Task, Note: a.Comment}
		if a.Reopen {
			command = incident.ReopenTask{Target: target, Task: a.Task, Note: a.Comment}
		}
	case "close":
		command = incident.Close{Target: target, Classification: a.Classification, Reason: a.ClassificationReason, Comment: a.Comment}
	default:
		return glassward.Incident{}, fmt.Errorf("%w: no action %q", console.ErrInvalid, a.Kind)
	}
	changed, err := c.d.desk.Do(ctx, tenant, command)
	switch {
	case errors.Is(err, incident.ErrNotFound):
		return changed, fmt.Errorf("%w: %v", console.ErrNoIncident, err)
	case errors.Is(err, incident.ErrConflict):
		return changed, fmt.Errorf("%w: %v", console.ErrChanged, err)
	case errors.Is(err, incident.ErrInvalid):
		return changed, fmt.Errorf("%w: %v", console.ErrInvalid, err)
	case err != nil:
		return changed, err
	}
	c.d.courier.Wake()
	c.d.audit(deed{tenant: tenant, operation: a.Kind + " incident", actor: a.By, via: a.Via, target: "incident " + strconv.FormatInt(number, 10), detail: a.Reason + a.Comment, result: "success"})
	return changed, nil
}

// lapseEvery is how often explained incidents are looked at.
const lapseEvery = 5 * time.Minute

// lapse closes what closes by itself.
func (d *Daemon) lapse(ctx context.Context) {
	every := time.NewTicker(lapseEvery)
	defer every.Stop()
	for {
		filter := state.IncidentFilter{Status: []glassward.IncidentStatus{glassward.StatusNew, glassward.StatusActive}, Limit: 1000}
		for {
			list, next, err := d.state.Incidents(ctx, filter)
			if err != nil && ctx.Err() == nil {
				d.log.Error("explained incidents could not be looked at; the next round tries again", "error", err)
			}
			for _, inc := range list {
				if !incident.Lapses(inc, d.now()) {
					continue
				}
				closed, err := d.desk.Lapse(ctx, inc.Tenant, inc.Number)
				if err != nil && ctx.Err() == nil {
					d.log.Error("an explained incident could not be closed; the next round tries again", "tenant", inc.Tenant, "incident", inc.Number, "error", err)
				}
				if closed {
					d.courier.Wake()
				}
			}
			if filter.After = next; next == "" || err != nil {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// rawReader gives the journal its evidence from the tenants' stores.
type rawReader struct{ d *Daemon }

// evidenceWithin is how long an alarm waits for the bytes of its records: a store that
// is that slow must not keep people from being told. The journal says then that they
// could not be had.
const evidenceWithin = 5 * time.Second

// Raw gives records as they came.
func (r rawReader) Raw(ctx context.Context, tenant string, ids []glassward.RecordID) (map[glassward.RecordID][]byte, error) {
	w, ok := r.d.workspace(tenant)
	if !ok {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, evidenceWithin)
	defer cancel()
	list, err := w.store.Raw(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[glassward.RecordID][]byte, len(list))
	for _, x := range list {
		out[x.ID] = x.Bytes
	}
	return out, nil
}
