package posture

// A Maturity is the class of a tenant: how far its emergency access has come.
type Maturity string

// The classes, the lowest first. ClassUnknown says that what was read does not decide it.
const (
	NoAccess     Maturity = "none"        // there are not two accounts that could be used
	Untested     Maturity = "untested"    // there are, and one has not signed in for too long
	Unmonitored  Maturity = "unmonitored" // they are exercised, and no alert rule fires for each of them
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
	// That the logs leave and that a rule fires for each account is tried on made-up
	// records; whether anybody hears it, only a drill shows.
	for _, check := range []string{"MON-01", "MON-04"} {
		switch f := r.Finding(check); f.Result {
		case Fail:
			return Unmonitored, why(f)
		case Unknown, NotApplicable:
			return ClassUnknown, "at least unmonitored; " + why(f)
		}
	}
	return Proven, "as far as the snapshot shows: the logs leave the tenant, and alert rules fire for every account"
}
