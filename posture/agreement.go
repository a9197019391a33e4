package posture

import (
	"strings"

	"glassward/access/whatif"
	"glassward/directory"
)

// difference is what is said of one policy at one sign-in or more.
type difference struct {
	policy string
	match  whatif.Match
	words  string
}

// agreement: of the sign-ins about which Graph's own evaluation was asked it says the same
// of every policy.
func agreement(v *view) {
	evaluations := v.contents(directory.Evaluations).Evaluations
	v.read(directory.Locations, "")
	for _, u := range v.accounts() {
		v.about(u.ID) // what decides whom a policy is about
		n, policies, clean := 0, 0, true
		var order []difference
		samples := map[difference][]string{} // the sign-ins of which each is said
		for _, e := range evaluations {
			account, sample, _ := strings.Cut(e.ID, "/")
			if !strings.EqualFold(account, u.ID) {
				continue
			}
			n++
			in, err := whatif.SignIn(e.Request)
			if err != nil {
				clean = false
				v.unknown(u.ID, "evaluate of "+v.name(u.ID), "%s: %v", sample, err)
				continue
			}
			c := whatif.Compare(v.a.judge.Evaluator().Evaluate(in), e.Results)
			policies = max(policies, len(c.Rows))
			for _, r := range c.Rows {
				if r.Match == whatif.Same {
					continue
				}
				said := difference{r.Policy, r.Match, r.String()}
				if samples[said] == nil {
					order = append(order, said)
				}
				samples[said] = append(samples[said], sample)
			}
		}
		for _, x := range order {
			result := map[whatif.Match]Result{whatif.Differs: Fail, whatif.Otherwise: Warn, whatif.Incomparable: Unknown}[x.match]
			v.say(result, x.policy, "evaluate of "+v.name(u.ID), "%s: %s", strings.Join(samples[x], ", "), x.words)
		}
		switch {
		case n == 0:
			v.unknown(u.ID, "conditionalAccess/evaluate", "nobody asked about this account: glassward snapshot --whatif asks about the declared ones")
		case clean && len(order) == 0:
			v.pass(u.ID, "conditionalAccess/evaluate", "%d sign-ins and %d policies: the same", n, policies)
		}
	}
}
