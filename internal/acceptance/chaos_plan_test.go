package acceptance_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"glassward/internal/entrasim"
)

// A chaosPlan is what happens in one seed's run, whatever the process dies of
// meanwhile. It is made of the seed alone, so that every life of the process
// makes the same one.
type chaosPlan struct {
	acts    []chaosAct
	records []chaosRecord
	// older says that the stores are of an older form when the first life finds
	// them, loses that what the control store had acknowledged before anything
	// happened is lost.
	older, loses bool
}

// A chaosAct is one thing that happens, some time after the one before.
type chaosAct struct {
	after time.Duration
	kind  string // push, rule, mail, hook, acknowledge, compact, backup, restore, wait
	// push are the numbers of the records of a push, or of those that came after the
	// backup that is restored: their sources tell them again.
	push []int
	// what is the variant of the rule file, how the receiver is from now on, or
	// that all incidents are acknowledged and not only the first.
	what string
}

// A chaosRecord is a sign-in. Its address is its own: by it a message is known to
// speak of it.
type chaosRecord struct {
	number  int
	account string
	result  string
	app     string
	late    time.Duration // how old it is when it is pushed first
	// rule is the variant of the rule file that is in force when it is pushed
	// first, before and next are the last and the next that can be used.
	rule, before, next string
	// again are the variants under which it came anew after a restore.
	again []string
}

func (r chaosRecord) address() string {
	return fmt.Sprintf("198.18.%d.%d", 1+r.number/200, 1+r.number%200)
}

// chaosKept is how long records are kept: so long that what comes again within a
// plan of some hours is known.
const chaosKept = 36 * time.Hour

const chaosStranger = "0f0f0f0f-2222-4333-8444-555555555555"

// line is the record as a diagnostic setting writes it.
func (r chaosRecord) line(at time.Time) string {
	name := "ea-01"
	if r.account == chaosStranger {
		name = "stranger"
	}
	stamp := at.UTC().Format("2006-01-02T15:04:05.0000000Z")
	return fmt.Sprintf(`{"time":%q,"operationName":"Sign-in activity","category":"SignInLogs","tenantId":%q,"resultType":%q,"callerIpAddress":%q,"correlationId":"c0441e1a-0000-4000-8000-%012d","properties":{"id":"5197a000-0000-4000-8000-%012d","createdDateTime":%q,"userDisplayName":%q,"userPrincipalName":%q,"userId":%q,"appDisplayName":%q,"ipAddress":%q,"status":{"errorCode":%s},"isInteractive":true}}`,
		stamp, entrasim.TenantID, r.result, r.address(), r.number, r.number, stamp, name, name+"@nordlicht.onmicrosoft.example", r.account, r.app, r.address(), r.result)
}

// The rule files: one window over failures that never changes, and one that is
// replaced, broken and taken away while everything runs.
const chaosFailures = `id: c4a05000-0000-4000-8000-000000000001
name: Failed sign-in
kind: Scheduled
severity: Medium
queryFrequency: 5m
queryPeriod: 5m
triggerOperator: gt
triggerThreshold: 0
query: SigninLogs | where ResultType == '50126' | project TimeGenerated, UserId, IPAddress
entityMappings:
  - {entityType: Account, fieldMappings: [{identifier: AadUserId, columnName: UserId}]}
  - {entityType: IP, fieldMappings: [{identifier: Address, columnName: IPAddress}]}
eventGroupingSettings: {aggregationKind: AlertPerResult}
`

// chaosExtra is the text of a variant of the rule file that changes, empty if it
// is gone.
func chaosExtra(variant string) string {
	text := `id: c4a05000-0000-4000-8000-000000000002
name: Application used
kind: NRT
severity: Low
query: SigninLogs | where AppDisplayName == 'VARIANT' | project TimeGenerated, UserId, IPAddress
entityMappings:
  - {entityType: Account, fieldMappings: [{identifier: AadUserId, columnName: UserId}]}
  - {entityType: IP, fieldMappings: [{identifier: Address, columnName: IPAddress}]}
eventGroupingSettings: {aggregationKind: AlertPerResult}
`
	switch variant {
	case "gone":
		return ""
	case "broken":
		return strings.Replace(text, "where", "wher", 1)
	}
	return strings.Replace(text, "VARIANT", variant, 1)
}

func usable(variant string) bool { return variant != "broken" && variant != "gone" }

// newChaosPlan makes the plan of a seed.
func newChaosPlan(seed uint64) *chaosPlan {
	r := rand.New(rand.NewPCG(seed, 5))
	p := &chaosPlan{older: r.IntN(8) == 0, loses: r.IntN(8) == 0}
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	variant, good := "Alpha", "Alpha"
	ill := map[string]int{} // receivers that fail, and for how many more acts
	backup := -1            // the act after the last backup
	kept := 0               // records before this one may have been forgotten
	open := 0               // records from here on have not seen the next variant yet
	var missed []int        // records that came anew while no file could be used
	away := -1              // when everybody is away for so long that records are removed
	if r.IntN(16) == 0 {
		away = r.IntN(12)
	}
	for i := range 12 + r.IntN(10) {
		if i == away {
			// Else people are told again and again all the time.
			p.acts = append(p.acts, chaosAct{kind: "mail", what: "well"}, chaosAct{kind: "hook", what: "well"},
				chaosAct{kind: "acknowledge", what: "all", after: 70 * time.Minute},
				chaosAct{kind: "wait", after: chaosKept + time.Duration(65+r.IntN(90))*time.Minute})
			kept = len(p.records)
		}
		a := chaosAct{after: 5*time.Second + time.Duration(r.IntN(180))*time.Second}
		if r.IntN(5) == 0 {
			a.after += time.Duration(r.IntN(25)) * time.Minute
		}
		switch n := r.IntN(100); {
		case n < 48:
			a.kind = "push"
			for range 1 + r.IntN(5) {
				c := chaosRecord{number: len(p.records), account: chaosStranger, result: pick("0", "0", "0", "50126"), app: pick("Alpha", "Beta", "Portal"), rule: variant, before: good}
				if r.IntN(5) == 0 {
					c.account = entrasim.EA01
				}
				switch late := r.IntN(10); {
				case late < 7:
					c.late = time.Duration(r.IntN(60)) * time.Second
				case late < 9:
					c.late = time.Duration(r.IntN(40)) * time.Minute
				default:
					c.late = time.Duration(r.IntN(20)) * time.Hour
				}
				a.push = append(a.push, c.number)
				p.records = append(p.records, c)
			}
			for range r.IntN(4) { // what came before comes again, among itself and with the new
				a.push = append(a.push, kept+r.IntN(len(p.records)-kept))
			}
			r.Shuffle(len(a.push), func(i, j int) { a.push[i], a.push[j] = a.push[j], a.push[i] })
		case n < 60:
			a.kind, a.what = "rule", pick("Alpha", "Beta", "Alpha", "Beta", "broken", "gone")
			if variant = a.what; usable(variant) {
				good = variant
				for _, number := range missed {
					p.records[number].again = append(p.records[number].again, variant)
				}
				missed = nil
				for ; open < len(p.records); open++ {
					p.records[open].next = variant
				}
			}
		case n < 71:
			a.kind, a.what = "mail", pick("refuses", "busy", "hangs", "loses its answer")
			ill[a.kind] = 2 + r.IntN(4)
		case n < 82:
			a.kind, a.what = "hook", pick("refuses", "busy", "hangs", "loses its answer", "later")
			ill[a.kind] = 2 + r.IntN(4)
		case n < 86:
			a.kind = "acknowledge"
		case n < 90:
			a.kind = "compact"
		case n < 97 && backup < 0:
			a.kind, backup = "backup", len(p.acts)+1
		case n < 97:
			a.kind = "restore"
			for _, b := range p.acts[backup:] {
				for _, number := range b.push {
					if !slices.Contains(a.push, number) {
						a.push = append(a.push, number)
						p.records[number].again = append(p.records[number].again, variant, good)
						if !usable(variant) {
							missed = append(missed, number)
						}
					}
				}
			}
		default:
			a.kind, a.after = "wait", time.Duration(15+r.IntN(90))*time.Minute
		}
		p.acts = append(p.acts, a)
		for _, receiver := range []string{"mail", "hook"} {
			if ill[receiver]--; ill[receiver] == 0 {
				p.acts = append(p.acts, chaosAct{after: time.Duration(r.IntN(60)) * time.Second, kind: receiver, what: "well"})
			}
		}
	}
	return p
}

// must says whether the rule of that name has to raise an alarm of the record, may
// whether it is allowed to.
func (r chaosRecord) must(rule string) (must, may bool) {
	switch rule {
	case "Failed sign-in":
		return r.result == "50126", r.result == "50126"
	case "Application used":
		if usable(r.rule) {
			return r.app == r.rule, r.app == r.rule || slices.Contains(r.again, r.app)
		}
		// The file is broken: the rule as it was stays in force until the next start,
		// and from then on the next usable file makes up for what was missed.
		return false, r.app == r.before || r.app == r.next || slices.Contains(r.again, r.app)
	}
	return false, r.account == entrasim.EA01 // a shipped rule
}

// told says whether people have to be told of the record, and whether they may be.
func (r chaosRecord) told() (must, may bool) {
	for _, rule := range []string{"Failed sign-in", "Application used", "shipped"} {
		m, y := r.must(rule)
		must, may = must || m, may || y
	}
	return must || r.account == entrasim.EA01, may
}

// forgets says whether the wait of an act is so long that records are removed
// meanwhile.
func (a chaosAct) forgets() bool { return a.after > chaosKept }

// toldAgain notes that what was pushed before the act came anew, after the event
// store had lost it: to the rule as it is then, or as the act leaves it; and where that
// cannot be used, to the next that can, which makes up for what was missed.
func (p *chaosPlan) toldAgain(act int) {
	variants := []string{"Alpha"}
	for i, a := range p.acts[:min(act+1, len(p.acts))] {
		if a.kind != "rule" {
			continue
		}
		if i < act && usable(a.what) {
			variants = variants[:0]
		}
		variants = append(variants, a.what)
	}
	if later := p.acts[min(act+1, len(p.acts)):]; !usable(variants[len(variants)-1]) {
		if i := slices.IndexFunc(later, func(a chaosAct) bool { return a.kind == "rule" && usable(a.what) }); i >= 0 {
			variants = append(variants, later[i].what)
		}
	}
	for _, a := range p.acts[:act] {
		for _, number := range a.push {
			p.records[number].again = append(p.records[number].again, variants...)
		}
	}
}

// has says whether a thing of that kind happens.
func (p *chaosPlan) has(kind string) bool {
	return slices.ContainsFunc(p.acts, func(a chaosAct) bool { return a.kind == kind })
}
