package posture

import (
	"slices"
	"strings"

	"glassward/directory"
)

// Service plans on which checks rest.
const (
	planP1 = "AAD_PREMIUM"
	planP2 = "AAD_PREMIUM_P2"
)

// planNames are the names by which people know the plans.
var planNames = map[string]string{planP1: "Microsoft Entra ID P1", planP2: "Microsoft Entra ID P2"}

// licensed says whether the tenant has a plan that works; P2 holds P1.
func licensed(list []*directory.Licence, plan string) bool {
	return slices.ContainsFunc(list, func(l *directory.Licence) bool {
		works := l.Status == "" || l.Status == "Enabled" || l.Status == "Warning"
		return works && (slices.Contains(l.Plans, plan) || plan == planP1 && slices.Contains(l.Plans, planP2))
	})
}

// lacks says why a check does not apply for want of a licence, or "". What was not read
// is no want; and policies that stayed when their licence ended bind as before.
func (a *assessor) lacks(c *Check) string {
	if c.Needs == "" || a.s.Reading(directory.Licences, "").State != directory.Read || licensed(a.s.Contents().Licences, c.Needs) {
		return ""
	}
	if c.Area == "CA" && (len(a.s.Policies()) > 0 || a.s.Reading(directory.Policies, "").State != directory.Read) {
		return ""
	}
	return "it rests on " + planNames[c.Needs] + ", which the tenant does not have (LIC-01)"
}

// enoughLicences: what protects the accounts is paid for.
func enoughLicences(v *view) {
	list := v.contents(directory.Licences).Licences
	switch {
	case licensed(list, planP2):
		v.pass("", "servicePlans", "%s", planNames[planP2])
	case licensed(list, planP1):
		v.warn("", "servicePlans", "%s only: no Privileged Identity Management, no risk; the checks of these do not apply", planNames[planP1])
	default:
		v.fail("", "servicePlans", "neither P1 nor P2: no Conditional Access, no export of sign-ins, no restricted management")
	}
}

// noLapse: a licence that ends leaves policies that nobody can edit.
func noLapse(v *view) {
	list := v.contents(directory.Licences).Licences
	enabled := 0
	for _, p := range v.contents(directory.Policies).Policies {
		if on(p) {
			enabled++
		}
	}
	if enabled == 0 {
		v.not = "there is no policy that would stay"
		return
	}
	if !licensed(list, planP1) {
		v.fail("", "servicePlans", "%d policies are enabled and no licence for them works: they stay, and cannot be edited", enabled)
		return
	}
	for _, l := range list {
		if !slices.Contains(l.Plans, planP1) && !slices.Contains(l.Plans, planP2) {
			continue
		}
		switch strings.ToLower(l.Status) {
		case "enabled":
			v.pass(l.SKU, "capabilityStatus", "%s: %s", l.Name, l.Status)
		case "":
			v.unknown(l.SKU, "capabilityStatus", "of %s is not told", l.Name)
		default:
			v.warn(l.SKU, "capabilityStatus", "%s: %s", l.Name, l.Status)
		}
	}
}
