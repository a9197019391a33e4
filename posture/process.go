package posture

import (
	"slices"
	"strings"
	"time"

	"glassward/access"
	"glassward/directory"
)

// days gives the days from one moment to another, and false if one of them is not known.
func (v *view) days(since time.Time) (int, bool) {
	now := v.a.s.Contents().Taken
	if since.IsZero() || now.IsZero() {
		return 0, false
	}
	return int(now.Sub(since) / (24 * time.Hour)), true
}

// ago judges how long ago a day is.
func (v *view) ago(object, property string, day time.Time, most int) {
	switch days, known := v.days(day); {
	case !known:
		v.unknown(object, property, "the snapshot does not say when it was taken")
	case days < -1:
		v.fail(object, property, "%s is still to come", day.Format(time.DateOnly))
	case days > most:
		v.fail(object, property, "%d days ago, more than %d", days, most)
	default:
		v.pass(object, property, "%d days ago", days)
	}
}

// drilled: each account went the whole way, from its key to somebody who acknowledged the
// alarm.
func drilled(v *view) {
	accounts := v.accounts()
	if v.o.Drills == nil {
		v.unknown("", "drills", "none are declared")
		return
	}
	for _, u := range accounts {
		var last *Drill
		missing := ""
		for i := range v.o.Drills {
			d := &v.o.Drills[i]
			if !sameID(d.Account, u.ID) {
				continue
			}
			for _, s := range DrillSteps() {
				if !slices.Contains(d.Steps, s) {
					missing = d.Day.Format(time.DateOnly) + " lacked " + s
					d = nil
					break
				}
			}
			if d != nil && (last == nil || d.Day.After(last.Day)) {
				last = d
			}
		}
		switch {
		case last != nil:
			v.ago(u.ID, "drills", last.Day, v.o.Norms.DrillDays)
		case missing != "":
			v.fail(u.ID, "drills", "no whole one: that of %s", missing)
		default:
			v.fail(u.ID, "drills", "none")
		}
	}
}

// keysKept: the keys lie in two places, sealed, each known by its serial number, and their
// PINs can be had without the tenant and do not lie beside them.
func keysKept(v *view) {
	accounts := v.accounts()
	if v.o.Keys == nil {
		v.unknown("", "keys", "none are declared")
		return
	}
	sites := map[string]bool{}
	for _, k := range v.o.Keys {
		sites[strings.ToLower(k.Site)] = true
	}
	for _, u := range accounts {
		n := 0
		for _, k := range v.o.Keys {
			if !sameID(k.Account, u.ID) {
				continue
			}
			n++
			name := "key " + k.Serial
			wrong := map[string]bool{
				"has no serial number":                    k.Serial == "",
				"lies nowhere that is told":               k.Site == "",
				"is not sealed":                           !k.Sealed,
				"has its PIN beside it":                   k.PINSite != "" && strings.EqualFold(k.PINSite, k.Site),
				"has a PIN of which no place is told":     k.PINSite == "",
				"has a PIN that only the tenant can give": !k.PINOffline,
			}
			clean := true
			for _, what := range sorted(wrong) {
				if wrong[what] {
					clean = false
					v.fail(u.ID, name, "%s", what)
				}
			}
			if clean {
				v.pass(u.ID, name, "sealed in %s", k.Site)
			}
		}
		if n == 0 {
			v.fail(u.ID, "keys", "none in custody")
		}
	}
	delete(sites, "")
	if len(sites) < 2 {
		v.fail("", "sites", "%d: one fire takes all keys", len(sites))
	}
}

func sorted(m map[string]bool) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// runbookPrinted: there is paper that holds what is needed, newer than the last change of
// an account's password.
func runbookPrinted(v *view) {
	accounts := v.accounts()
	r := v.o.Runbook
	if r == nil {
		v.unknown("", "runbook", "none is declared")
		return
	}
	for _, h := range RunbookHolds() {
		if !slices.Contains(r.Holds, h) {
			v.fail("", "runbook", "does not hold %s", h)
		}
	}
	if len(r.SHA256) != 64 {
		v.fail("", "runbook", "has no SHA-256 by which the paper is known")
	}
	for _, u := range accounts {
		if u.LastPasswordChange.After(r.Printed.AddDate(0, 0, 1)) {
			v.warn(u.ID, "lastPasswordChangeDateTime", "%s, after the runbook was printed", u.LastPasswordChange.Format(time.DateOnly))
		}
	}
	if days, known := v.days(r.Printed); known && days > 365 {
		v.warn("", "runbook", "printed %d days ago", days)
	} else {
		v.pass("", "runbook", "printed %s", r.Printed.Format(time.DateOnly))
	}
}

func custodiansReviewed(v *view) {
	v.read(directory.Organization, "")
	if v.o.CustodiansReviewed.IsZero() {
		v.unknown("", "custodiansReviewed", "it is not declared when")
		return
	}
	v.ago("", "custodiansReviewed", v.o.CustodiansReviewed, v.o.Norms.ReviewDays)
}

// usesReviewed: of the last sign-in of each account it is on record what it was for.
func usesReviewed(v *view) {
	accounts := v.accounts()
	if v.o.Uses == nil && v.o.Drills == nil {
		v.unknown("", "uses", "none are declared")
		return
	}
	for _, u := range accounts {
		if u.LastSignIn.IsZero() {
			if u.Tells("signInActivity") {
				v.pass(u.ID, "signInActivity", "never signed in")
			} else {
				v.unknown(u.ID, "signInActivity", "not told: needs AuditLog.Read.All")
			}
			continue
		}
		// The day is that of people, wherever they are: one more on each side.
		near := func(account string, day time.Time) bool {
			return sameID(account, u.ID) && !u.LastSignIn.Before(day.AddDate(0, 0, -1)) && u.LastSignIn.Before(day.AddDate(0, 0, 2))
		}
		i := slices.IndexFunc(v.o.Uses, func(x Use) bool { return near(x.Account, x.Day) })
		switch {
		case i >= 0 && v.o.Uses[i].Kind == "misuse":
			v.warn(u.ID, "signInActivity", "%s, misuse", u.LastSignIn.Format(time.DateOnly))
		case i >= 0:
			v.pass(u.ID, "signInActivity", "%s, %s", u.LastSignIn.Format(time.DateOnly), v.o.Uses[i].Kind)
		case slices.ContainsFunc(v.o.Drills, func(d Drill) bool { return near(d.Account, d.Day) }):
			v.pass(u.ID, "signInActivity", "%s, drill", u.LastSignIn.Format(time.DateOnly))
		default:
			v.fail(u.ID, "signInActivity", "%s, and no record says what for", u.LastSignIn.Format(time.DateOnly))
		}
	}
}

// workstationNotNeeded: there is a workstation for the emergency, and no policy asks for it.
func workstationNotNeeded(v *view) {
	accounts := v.accounts()
	if v.o.Workstation == "" {
		v.unknown("", "workstation", "none is declared")
	} else {
		v.pass("", "workstation", "%s", v.o.Workstation)
	}
	for _, u := range accounts {
		a := v.emergency(u.ID)
		i := slices.IndexFunc(a.Failures, func(f access.Failure) bool { return f.Policy != nil && asksForDevice(f.Policy) })
		switch {
		case i >= 0 && a.Failures[i].Certain:
			v.fail(u.ID, "device", "%s asks for a device", a.Failures[i].Name())
		case i >= 0:
			v.unknown(u.ID, "device", "%s may ask for a device", a.Failures[i].Name())
		default:
			v.pass(u.ID, "device", "no policy asks for one")
		}
	}
}

// asksForDevice says whether a policy is about devices or demands one.
func asksForDevice(p *directory.Policy) bool {
	return p.Conditions.Devices != nil || p.Grant != nil && slices.ContainsFunc(p.Grant.BuiltIn, func(c string) bool {
		return c == "compliantDevice" || c == "domainJoinedDevice"
	})
}
