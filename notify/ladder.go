package notify

import (
	"slices"
	"strings"
	"time"

	"glassward"
)

// A Ladder is the order in which the receivers of a group are called until
// somebody takes the incident up. What is milder than From is told to the first
// step alone.
type Ladder struct {
	// From is the mildest severity that climbs; High if empty.
	From  string `yaml:"from,omitempty" json:"from,omitempty" jsonschema:"enum=High,enum=Medium,enum=Low,enum=Informational,default=High,description=The mildest severity that climbs; what is milder is told to the first step"`
	Steps []Rung `yaml:"steps" json:"steps" jsonschema:"required,description=Who is called when; the first step at once"`
	// Repeat is how long after the last step everybody is called again, and then
	// again; 5 minutes if zero. From the second hour it is 30 minutes at least.
	Repeat time.Duration `yaml:"repeat,omitempty" json:"repeat,omitempty" jsonschema:"description=How long after the last step everybody is called again and again (5m); from the second hour on every 30m"`
}

// A Rung is one step of a ladder: receivers that are called side by side.
type Rung struct {
	// After counts from the beginning, not from the step before.
	After time.Duration `yaml:"after,omitempty" json:"after,omitempty" jsonschema:"description=How long after the beginning; the first step has none"`
	// Receivers are names of the group's receivers; everybody if empty.
	Receivers []string `yaml:"receivers,omitempty" json:"receivers,omitempty" jsonschema:"description=Names of the group's receivers; everybody if left out"`
}

// Bounds of a ladder.
const (
	maxSteps  = 20
	maxAfter  = 24 * time.Hour
	minRepeat = time.Minute
)

// Severity gives the mildest severity that climbs.
func (l Ladder) Severity() glassward.Severity {
	if s, err := glassward.ParseSeverity(l.From); err == nil {
		return s
	}
	return glassward.High
}

func (l Ladder) validate(p place, receivers []string) {
	if _, err := glassward.ParseSeverity(l.From); l.From != "" && err != nil {
		p.say("from: %w", err)
	}
	if l.Repeat != 0 && (l.Repeat < minRepeat || l.Repeat > maxAfter) {
		p.say("repeat %s: from %s to %s", l.Repeat, minRepeat, maxAfter)
	}
	if len(l.Steps) == 0 || len(l.Steps) > maxSteps {
		p.say("steps: from 1 to %d", maxSteps)
	}
	named := map[string]bool{}
	everybody := false
	var before time.Duration
	for i, s := range l.Steps {
		q := p.in("steps[%d]", i)
		switch {
		case i == 0 && s.After != 0:
			q.say("after %s: the first step is called at once", s.After)
		case i > 0 && s.After <= before:
			q.say("after %s: each step comes later than the one before it; times count from the beginning", s.After)
		case s.After > maxAfter:
			q.say("after %s: at most %s", s.After, maxAfter)
		}
		before = s.After
		everybody = everybody || len(s.Receivers) == 0
		for _, r := range s.Receivers {
			if !slices.ContainsFunc(receivers, func(name string) bool { return strings.EqualFold(name, r) }) {
				q.say("receivers: the group has no receiver %q; it has %s", PlainText(r), strings.Join(receivers, ", "))
			}
			named[strings.ToLower(r)] = true
		}
	}
	for _, name := range receivers {
		if !everybody && !named[strings.ToLower(name)] {
			p.say("receiver %q stands in no step: he would first hear when everybody is called again; name him, or add a last step without receivers, which is everybody", name)
		}
	}
}

// addressees gives the names of the group's receivers that a notice goes to:
// those that it names, without those whom it is too small for. It never leaves
// nobody.
func (g ActionGroup) addressees(n glassward.Notice) []string {
	all := g.Receivers()
	names := all
	if len(n.Receivers) > 0 {
		names = slices.DeleteFunc(slices.Clone(all), func(name string) bool {
			return !slices.ContainsFunc(n.Receivers, func(r string) bool { return strings.EqualFold(r, name) })
		})
		if len(names) == 0 {
			names = all // none of them is left since the notice was owed
		}
	}
	for _, list := range [][]string{names, all} {
		if quiet := slices.DeleteFunc(slices.Clone(list), func(name string) bool { return !worth(n, g.kind(name)) }); len(quiet) > 0 {
			return quiet
		}
	}
	return names
}

// kind gives the type of the group's receiver of that name, "email" or as its
// list is called.
func (g ActionGroup) kind(name string) string {
	for _, s := range g.services() {
		if strings.EqualFold(s.label(), name) {
			return s.kind
		}
	}
	return "email"
}

// worth says whether a notice is worth a receiver's while. A voice wakes
// people: it speaks of High alarms, and of tests. A text message also says what
// Medium ones are, and who has taken an incident up, so that the others stay in
// bed. The end of an incident, digests and the weekly word can wait for the
// morning.
//
// That everybody is called again is for people: programs have heard it.
func worth(n glassward.Notice, kind string) bool {
	switch kind {
	case "runbook", "logicApp", "webhook":
		return n.Kind != "repeated"
	case "pagerduty": // an incident there, which somebody would have to close
		return n.Kind != "digest" && n.Kind != "alive"
	case "voice", "sms":
	default:
		return true
	}
	switch n.Kind {
	case "test":
		return true
	case "acknowledged":
		return kind == "sms"
	case "expected":
		return kind == "sms" && n.Severity >= glassward.Medium
	case "closed", "digest", "alive":
		return false
	}
	if kind == "voice" {
		return n.Severity == glassward.High
	}
	return n.Severity >= glassward.Medium
}
