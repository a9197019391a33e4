package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"glassward"
)

// What an alert can show, each followed by an account's object id where it is
// about one:
//
//	use         success by an emergency identity, or what may be
//	secret      somebody knew the account's first factor
//	credential  a credential of the account was changed
//	change      the account, or a control that protects it, was changed
//	unclear     it cannot be told from what was kept
const (
	showsUse        = "use"
	showsSecret     = "secret"
	showsCredential = "credential"
	showsChange     = "change"
	showsUnclear    = "unclear"
)

var showWords = map[string]string{
	showsUse:        "success by an emergency identity",
	showsSecret:     "that somebody knows a secret of an emergency account",
	showsCredential: "a changed credential of an emergency account",
	showsChange:     "a change of a protecting control",
	showsUnclear:    "what cannot be told for a failure",
}

// credentialWords stand in the names of operations on what an account signs in
// with, in lower case (Entra's reference of audit activities).
var credentialWords = []string{"password", "security info", "passkey", "fido2", "access pass", "authentication method", "phone sign-in", "hello", "credential", "platform credential", "certificate"}

// shows gives what an alert shows of the emergency accounts and their protection,
// as "kind:account", sorted; nothing if it shows failures alone. What it does not
// say is taken for success.
func shows(p Policy, a glassward.Alert) []string {
	accounts := concerned(p, a)
	objects := spokenOf(p.Protected, a)
	if a.RuleID == HealthRule || a.RuleID == AcrossRule || len(accounts)+len(objects) == 0 {
		return nil // the alert that another tenant's is like shows it itself
	}
	if a.RuleID == ExpectedRule {
		return []string{showsUnclear + ":" + strings.Join(accounts, "")}
	}
	var out []string
	for _, r := range deeds(p, a, accounts) {
		out = union(out, r.shows())
	}
	if len(a.Rows) > 0 && a.RowCount > len(a.Rows) {
		out = union(out, []string{showsUnclear + ":"}) // there are rows that nobody kept
	}
	return out
}

// A deed is what one row, or an alert without rows, says that happened.
type deed struct {
	outcome, firstFactor string
	operation, result    string
	// accounts are the emergency accounts that it names, by those that it names as
	// actors.
	accounts, actors []string
	protected        bool
}

// deeds reads the rows of an alert, or its details where it has no rows.
func deeds(p Policy, a glassward.Alert, accounts []string) []deed {
	var out []deed
	for _, row := range a.Rows {
		part := glassward.Alert{Columns: a.Columns, Rows: [][]string{row}}
		d := deed{accounts: concerned(p, part), protected: len(spokenOf(p.Protected, part)) > 0}
		for i, v := range row {
			if i < len(a.Columns) {
				d.read(p, a.Columns[i], v)
			}
		}
		if len(d.accounts) == 0 && !d.protected {
			d.accounts = accounts // they stand in the entities alone
		}
		out = append(out, d)
	}
	if len(out) > 0 {
		return out
	}
	// Without rows each detail holds the values of all; the worst of them counts.
	d := deed{accounts: accounts, protected: len(spokenOf(p.Protected, a)) > 0}
	for name, values := range a.Details {
		for _, v := range values {
			d.read(p, name, v)
		}
	}
	return []deed{d}
}

// read takes one value in. Of several a failure never hides another.
func (d *deed) read(p Policy, name, v string) {
	worst := func(old *string, better ...string) {
		if *old == "" || slices.ContainsFunc(better, func(b string) bool { return strings.EqualFold(*old, b) }) {
			*old = v
		}
	}
	if v == "" {
		return
	}
	switch plain(name) {
	case "outcome":
		worst(&d.outcome, "Failed", "Blocked")
		return
	case "firstfactor":
		worst(&d.firstFactor, "no", "unknown")
		return
	}
	switch factKinds[plain(name)] {
	case "operation":
		if d.operation != "" {
			v = d.operation + ", " + v
		}
		d.operation = v
	case "result":
		worst(&d.result, "failure")
	case "actor":
		d.actors = union(d.actors, spokenOf(p.Accounts, glassward.Alert{Rows: [][]string{{v}}}))
	}
}

func (d deed) shows() (out []string) {
	each := func(kind string, accounts []string) {
		for _, id := range accounts {
			out = union(out, []string{kind + ":" + id})
		}
	}
	switch {
	case d.outcome != "": // a sign-in, as the shipped rules class it
		switch {
		case strings.EqualFold(d.outcome, "Failed"), strings.EqualFold(d.outcome, "Blocked"), strings.EqualFold(d.outcome, "Interrupted"):
			if strings.EqualFold(d.firstFactor, "yes") {
				each(showsSecret, d.accounts)
			} else if strings.EqualFold(d.outcome, "Interrupted") && !strings.EqualFold(d.firstFactor, "no") {
				each(showsUnclear, d.accounts)
			}
		default:
			each(showsUse, d.accounts)
		}
	case d.operation != "":
		if strings.EqualFold(d.result, "failure") {
			return nil
		}
		each(showsUse, d.actors)
		targets := missing(d.accounts, d.actors)
		each(showsChange, targets)
		operation := strings.ToLower(d.operation)
		if slices.ContainsFunc(credentialWords, func(w string) bool { return strings.Contains(operation, w) }) {
			each(showsCredential, targets)
		}
		if d.protected {
			out = union(out, []string{showsChange + ":"})
		}
	default:
		each(showsUse, d.accounts)
		if len(d.accounts) == 0 {
			out = []string{showsUnclear + ":"}
		}
	}
	return out
}

// person brings a name into the form in which two spellings of it are one: what
// stands before the @, letters and digits alone, in lower case.
func person(name string) string {
	name, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(name)), "@")
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, name)
}

// barred says why somebody cannot review an incident, empty if he can: who took
// part in it, who holds the account's keys and who did what is reviewed cannot.
func (st *step) barred(inc glassward.Incident, who string) string {
	me := person(who)
	same := func(other string) bool { return other != "" && person(other) == me }
	for _, e := range inc.Entities {
		if !strings.EqualFold(e.Type, "Account") {
			continue
		}
		for _, name := range []string{"Name", "FullName", "DisplayName", "AadUserId", "ObjectGuid"} {
			if same(e.Identifiers[name]) {
				return "takes part in the incident"
			}
		}
	}
	for _, f := range inc.Seen {
		if kind, value, _ := strings.Cut(f, ":"); kind == "actor" && same(value) {
			return "takes part in the incident"
		}
	}
	for id, holders := range st.policy.Holders {
		if slices.ContainsFunc(inc.Accounts, func(a string) bool { return strings.EqualFold(a, id) }) && slices.ContainsFunc(holders, same) {
			return "holds the keys of " + nameIn(st.policy.Accounts, id)
		}
	}
	for _, t := range inc.Tasks {
		if t.Kind != glassward.TaskReview && !t.Done.IsZero() && same(t.By) {
			return fmt.Sprintf("did task %d (%s)", t.Number, t.Kind)
		}
	}
	return ""
}

// closable says what stands in the way of closing an incident.
func (st *step) closable(inc glassward.Incident, c Close) error {
	if len(inc.Shows) == 0 {
		return nil
	}
	if why := st.barred(inc, c.By); why != "" {
		return fmt.Errorf("%w: %s %s; somebody else closes it, since it shows %s", ErrInvalid, c.By, why, st.showing(inc))
	}
	var open []string
	for _, t := range inc.Tasks {
		// Where nothing happened in truth, there is nothing to undo. That this is so
		// is for the reviewer to say.
		if t.Done.IsZero() && (t.Kind == glassward.TaskReview || c.Classification != glassward.FalsePositive) {
			open = append(open, fmt.Sprintf("%d (%s)", t.Number, t.Text))
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("%w: it shows %s, and these tasks are open: %s", ErrInvalid, st.showing(inc), strings.Join(open, ", "))
	}
	return nil
}

// showing puts what an incident shows into words.
func (st *step) showing(inc glassward.Incident) string {
	var out []string
	for _, s := range inc.Shows {
		kind, _, _ := strings.Cut(s, ":")
		out = union1(out, []string{showWords[kind]})
	}
	return strings.Join(out, ", ")
}

// Explain says why the failures that an incident shows are harmless. It closes by
// itself when it has been quiet for a day since; anything new in it takes the
// explanation back. An incident that shows more than failures, or is about no
// emergency account and nothing that protects one, cannot be explained.
type Explain struct {
	Target
	Reason string
}

func (Explain) event() {}

// quiet is how long an explained incident must have been quiet to close by itself.
const quiet = 24 * time.Hour

func (c Explain) apply(st *step, inc *glassward.Incident) error {
	switch {
	case inc.Status == glassward.StatusClosed:
		return fmt.Errorf("%w: it is closed", ErrInvalid)
	case strings.TrimSpace(c.Reason) == "":
		return fmt.Errorf("%w: an explanation gives a reason", ErrInvalid)
	case len(inc.Shows) > 0:
		return fmt.Errorf("%w: only failures can be explained, and it shows %s: see its tasks", ErrInvalid, st.showing(*inc))
	case !guarded(inc.Seen):
		return fmt.Errorf("%w: it is about no emergency account and nothing that protects one: close it with a classification", ErrInvalid)
	}
	if err := bounded(c.Reason); err != nil {
		return err
	}
	inc.Explained, inc.ExplainedBy = st.now, c.By
	st.note(inc, glassward.TimelineEntry{Time: st.now, Kind: "explain", Actor: c.By, Text: c.Reason})
	st.taken(inc, fmt.Sprintf("%s has explained incident %d: %s", c.By, inc.Number, c.Reason))
	return nil
}

// Lapses says whether an incident closes by itself at a time: it shows nothing
// but failures, somebody explained them, and it has been quiet for a day.
func Lapses(inc glassward.Incident, now time.Time) bool {
	return inc.Status != glassward.StatusClosed && !inc.Explained.IsZero() && len(inc.Shows) == 0 &&
		now.Sub(inc.LastActivity) >= quiet && now.Sub(inc.Explained) >= 0
}

// A Lapse closes an incident of which Lapses is true, and leaves any other as it is.
type Lapse struct{ Number int64 }

func (Lapse) event() {}

func (st *step) lapse(l Lapse) {
	for _, inc := range st.state.Incidents {
		if inc.Number != l.Number || !Lapses(inc, st.now) {
			continue
		}
		reason := ""
		for _, e := range inc.Timeline {
			if e.Kind == "explain" {
				reason = e.Text
			}
		}
		st.close(&inc, Close{Target: Target{By: "Glassward"}, Classification: glassward.BenignPositive, Reason: "SuspiciousButExpected",
			Comment: fmt.Sprintf("failures, explained by %s (%s), and quiet for a day", inc.ExplainedBy, reason)})
		st.put(inc)
	}
}
