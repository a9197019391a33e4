package posture

import (
	"slices"
	"strings"

	"glassward/directory"
	"glassward/directory/truth"
)

// A Maturity is the class of a tenant: how far its emergency access has come.
type Maturity string

// The classes, the lowest first. ClassUnknown says that what was read does not decide it.
const (
	NoAccess     Maturity = "none"        // there are not two accounts that could be used
	Untested     Maturity = "untested"    // there are, and one has not signed in for too long
	Unmonitored  Maturity = "unmonitored" // they are exercised, and no alert rule names each of them
	Proven       Maturity = "proven"      // exercised and watched
	ClassUnknown Maturity = "unknown"
)

// maturity gives the class by what the findings and the alert rules show, and why. It
// says no more than they do: that an alarm arrives is proven by an alarm that arrived.
func (a *assessor) maturity(r *Report) (Maturity, string) {
	why := func(f *Finding) string {
		if f.Reason != "" {
			return f.Check.ID + ": " + f.Reason
		}
		for _, s := range f.Seen {
			if s.Result == f.Result {
				return f.Check.ID + ": " + s.String()
			}
		}
		return f.Check.ID
	}
	steps := []struct {
		check string
		class Maturity
	}{{"ACC-02", NoAccess}, {"ACC-14", Untested}}
	for _, step := range steps {
		switch f := r.Finding(step.check); f.Result {
		case Fail:
			return step.class, why(f)
		case Unknown, NotApplicable:
			return ClassUnknown, "at least " + string(step.class) + "; " + why(f)
		}
	}
	switch watched, reason := a.watched(); watched {
	case truth.True:
		return Proven, "as far as the snapshot shows: " + reason
	case truth.False:
		return Unmonitored, reason
	default:
		return ClassUnknown, "at least unmonitored; " + reason
	}
}

// watched says whether the tenant's sign-ins leave it and an enabled alert rule with an
// action group names each account by its object id.
func (a *assessor) watched() (truth.Value, string) {
	for _, p := range []directory.Part{directory.DiagnosticSettings, directory.AlertRules} {
		if r := a.s.Reading(p, ""); r.State != directory.Read {
			return truth.Unknown, absent(p, "", r)
		}
	}
	exported := slices.ContainsFunc(a.s.Contents().DiagnosticSettings, func(d *directory.DiagnosticSetting) bool {
		return d.Sends("SignInLogs") == truth.True
	})
	if !exported {
		return truth.False, "no diagnostic setting sends SignInLogs anywhere"
	}
	for _, e := range a.o.Accounts {
		named := slices.ContainsFunc(a.s.Contents().AlertRules, func(r *directory.AlertRule) bool {
			if r.Enabled != truth.True || len(r.ActionGroups) == 0 {
				return false
			}
			return slices.ContainsFunc(r.Criteria, func(c directory.Criterion) bool {
				return strings.Contains(strings.ToLower(c.Query), e.ID)
			})
		})
		if !named {
			return truth.False, "no enabled alert rule with an action group names " + e.ID
		}
	}
	return truth.True, "sign-ins are exported, and enabled alert rules name every account"
}
