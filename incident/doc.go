// Package incident turns alerts into incidents.
//
// Step is a pure function: from what is known, an event and the time it makes
// the changes to store: alerts, incidents and the notices that are owed. It
// reads no clock and no store, and the same input gives the same changes. The
// Desk runs Step inside one transaction of the control store (transaction B),
// so that a watermark, the alerts behind it, the incident and the notices are
// kept together or not at all.
//
// What belongs together. An alert names an emergency account when the
// account's object id stands in one of its entities, details or rows. Such an
// alert joins an open incident about the same account whose activity, by the
// events' own times, lies within Policy.FollowUp of the alert's. So does, about
// an emergency account or an object that protects one, an alert that shares a
// session, an actor or such an object with the incident, by id: what one hand
// does is one incident, whatever rules saw it. An alert that shows two open
// incidents to be one makes one of them. Any other alert joins an open incident
// of the same rule by what the rule's groupingConfiguration says, as Sentinel has
// it; of a rule without one, by the same entities within Policy.Lookback.
// Everything else opens an incident. None takes more than Policy.MaxAlerts
// alerts, nor, but by its rule's own grouping, activity of more than Policy.Span:
// what comes then opens one that follows.
//
// What joins is never thereby silent. Everything that distinguishes an act (the
// account, address, session, actor, protected object, operation and rule) is a
// fact, written "kind:value". An incident keeps in Seen the facts that have
// paged. An alert that brings a fact that is not there, or a higher severity,
// pages again, whether or not somebody acknowledged the incident. An alert that
// only grows lands in the timeline.
//
// A closed incident swallows nothing: a new alert opens a new incident that
// names the old one as Previous (or reopens it, if Policy.Reopen says so), and
// so does a known alert of a closed incident that brings a new fact. Closing
// owes a notice to everybody who was told of the incident, so that nobody can
// put an alarm out unseen.
package incident
