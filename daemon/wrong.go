package daemon

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/directory"
	"glassward/directory/change"
	"glassward/posture"
)

// findingProperty is the property, of ours and not Graph's, that says what a check finds
// wrong with an object; the element is the check's id.
const findingProperty = "finding"

// looked are the checks by which each look judges what it saw: state that is wrong whether
// or not anything differs, and that comes true by time alone. They rest on nothing but what
// a look reads.
var looked = []string{
	"AUTH-02", "AUTH-03", // the accounts' keys
	"ACC-14",           // when they last signed in
	"ACC-16", "ROL-12", // what would clean them up
}

// unusedCheck finds that an account was not used for long. What it says is a number of
// days, another each day, and not another flaw.
const unusedCheck = "ACC-14"

// drillGrace is how many days an account may lie unused beyond the cycle of drills, to hold
// one that is due.
const drillGrace = 14

// A flaw is what a check found wrong and what was told of it.
type flaw struct {
	Check    string `json:"check"`
	Object   string `json:"object"`
	Property string `json:"property"`
	Value    string `json:"value"`
	// Kind and Name are the object's.
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
	// Title, Severity and Result are as the check has them.
	Title    string           `json:"title"`
	Severity posture.Severity `json:"severity"`
	Result   posture.Result   `json:"result"`
}

// same says whether two flaws are one that goes on.
func (f flaw) same(g flaw) bool {
	return f.Check == g.Check && f.Object == g.Object && f.Property == g.Property && f.Result == g.Result && (f.Value == g.Value || f.Check == unusedCheck)
}

// judged gives the records of what is wrong and was not, and of what was put right, and all
// that is wrong now. A flaw that was told and is not known to be put right stands.
func (l *look) judged(after *directory.Snapshot, told []flaw, last time.Time) (records []glassward.Record, wrong []flaw) {
	o := l.declared()
	if len(o.Accounts) == 0 {
		return nil, told // service principals alone, of which these checks say nothing
	}
	findings, err := posture.Some(after, o, looked...)
	if err != nil {
		l.w.log.Error("what protects the accounts could not be judged", "error", err)
		return nil, told
	}
	decided := map[string]*posture.Finding{}
	for i := range findings {
		f := &findings[i]
		decided[f.Check.ID] = f
		for _, s := range f.Seen {
			if s.Result == posture.Fail || s.Result == posture.Warn {
				wrong = append(wrong, flaw{Check: f.Check.ID, Object: strings.ToLower(s.Object), Property: s.Property, Value: s.Value,
					Kind: kindOf(after, s.Object), Name: s.Name, Title: f.Check.Title, Severity: f.Check.Severity, Result: s.Result})
			}
		}
	}
	now := l.w.d.now()
	row := func(f flaw, before, after json.RawMessage, at time.Time) {
		u := unexplained{LastSeen: last, FirstSeen: at}
		u.Difference = change.Difference{Kind: f.Kind, ID: f.Object, Name: f.Name, Property: findingProperty, Element: f.Check, Before: before, After: after}
		u.Account = l.account(u.Difference)
		u.ID = u.id()
		records = append(records, u.record(now, "Changed", explanation{}))
	}
	left := slices.Clone(told) // of which each stands for one
	for _, f := range wrong {
		if i := slices.IndexFunc(left, f.same); i >= 0 {
			left = slices.Delete(left, i, i+1)
		} else {
			row(f, nil, f.json(), after.Contents().Taken)
		}
	}
	for _, f := range left {
		if d := decided[f.Check]; d == nil || d.Decided(f.Object, f.Property) {
			row(f, f.json(), nil, after.Contents().Taken)
		} else {
			wrong = append(wrong, f)
		}
	}
	if len(records) > 0 {
		l.w.log.Info("checks of what protects the accounts come to something else", "changes", len(records), "wrong", len(wrong))
	}
	return records, wrong
}

// json is the flaw as a record has it.
func (f flaw) json() json.RawMessage {
	text, _ := json.Marshal(struct {
		Title    string           `json:"title"`
		Severity posture.Severity `json:"severity"`
		Result   posture.Result   `json:"result"`
		Property string           `json:"property"`
		Value    string           `json:"value"`
	}{f.Title, f.Severity, f.Result, f.Property, f.Value}) // always marshals
	return text
}

// declared is what the tenant's file declares, as checks take it.
func (l *look) declared() posture.Options {
	source := l.tenant.Sources.Directory
	o := posture.Options{Models: source.Models}
	for _, a := range l.tenant.EmergencyAccounts {
		if a.Kind == "" || a.Kind == "user" {
			o.Accounts = append(o.Accounts, posture.Account{ID: a.ObjectID, UPN: a.UserPrincipalName})
		}
	}
	o.Norms = posture.DefaultNorms()
	o.Norms.DrillDays = cmp.Or(source.DrillDays, o.Norms.DrillDays) + drillGrace
	return o
}

// kindOf gives Graph's name of what an object is that a check speaks of.
func kindOf(s *directory.Snapshot, id string) string {
	c := s.Contents()
	for _, r := range c.AccessReviews {
		if r.ID == id {
			return "accessReviewScheduleDefinition"
		}
	}
	for _, w := range c.LifecycleWorkflows {
		if w.ID == id {
			return "workflow"
		}
	}
	return change.User
}
