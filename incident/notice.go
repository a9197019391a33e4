package incident

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward"
)

// page notes in the timeline that people are told and owes the notices: to the
// alert's groups and to everybody who was told of the incident before.
func (st *step) page(inc *glassward.Incident, a glassward.Alert, kind string, news []string, why string) {
	groups := union(inc.ActionGroups, a.ActionGroups)
	if len(a.ActionGroups) == 0 {
		groups = union(groups, st.policy.Groups)
	}
	if len(groups) == 0 {
		// Owed all the same. The courier makes an alarm of a group it does not know.
		groups = []string{""}
	}
	inc.ActionGroups = groups
	inc.Explained, inc.ExplainedBy = time.Time{}, "" // something is new
	st.note(inc, glassward.TimelineEntry{Time: st.now, Kind: "page", Text: why, Alert: a.ID})
	if slices.ContainsFunc(news, func(f string) bool { return strings.HasPrefix(f, "severity:") }) {
		a.Severity = inc.Severity // which may be more than the alert's own
	}
	st.begin(inc, a, groups)
	st.owe(inc, a, kind, news, groups, why)
}

// owe owes a notice to those of each group who have been called about the
// incident, which is nil for an alert that is in none.
func (st *step) owe(inc *glassward.Incident, a glassward.Alert, kind string, news, groups []string, why string) {
	if a.RuleID == HealthRule {
		kind = "health"
	}
	number := int64(0)
	if inc != nil {
		number = inc.Number
	}
	for _, g := range groups {
		st.changes.Notices = append(st.changes.Notices, glassward.Notice{
			ID:     noticeID(st.state.Tenant, number, g, append([]string{kind, string(a.ID)}, news...)),
			Tenant: st.state.Tenant, Group: g, Receivers: st.called(inc, g), Incident: number, Alert: a.ID,
			Severity: a.Severity, Kind: kind, Why: why, Created: st.now, Inward: a.Inward,
		})
	}
}

// noticeID is the stable key of a notice: the same tenant, incident, group and
// cause give the same id, as 32 hex digits.
func noticeID(tenant string, number int64, group string, cause []string) glassward.NoticeID {
	return glassward.NoticeID(digest(append([]string{"notice", tenant, fmt.Sprint(number), group}, cause...)))
}

// digest hashes strings so that no two lists of strings look alike, and gives
// the first 128 bits in hex.
func digest(parts []string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.AppendUvarint(nil, uint64(len(p))))
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Etag gives the tag of an incident's content, 32 hex digits: writers present
// it, and a store finds by it that a stored incident was damaged.
func Etag(inc glassward.Incident) string {
	inc.Etag = ""
	b, err := json.Marshal(inc)
	if err != nil {
		// Only a time outside the years 0 to 9999 can do this; such an incident
		// still needs a tag that changes.
		b = fmt.Appendf(nil, "%+v", inc)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// say puts facts into words, at most four of them.
func (st *step) say(facts []string) string {
	var words []string
	// That the rule is another one is news, but its id tells nobody anything.
	if others := slices.DeleteFunc(slices.Clone(facts), func(f string) bool { return strings.HasPrefix(f, "rule:") }); len(others) > 0 {
		facts = others
	} else if len(facts) > 0 {
		return "the rule has not spoken before"
	}
	// The worst first: not everything is said.
	facts = slices.SortedStableFunc(slices.Values(facts), func(x, y string) int { return cmp.Compare(weight(x), weight(y)) })
	for i, f := range facts {
		if i == 4 && len(facts) > 5 {
			words = append(words, fmt.Sprintf("and %d more", len(facts)-i))
			break
		}
		kind, value, _ := strings.Cut(f, ":")
		switch kind {
		case "account":
			if name := nameIn(st.policy.Accounts, value); name != "" {
				value = name
			}
			words = append(words, "new emergency account "+value)
		case "protected":
			if name := nameIn(st.policy.Protected, value); name != "" {
				value = name
			}
			words = append(words, "new protected object "+value)
		case "shows":
			if first := strings.SplitN(value, ":", 2)[0]; first != showsUnclear {
				words = append(words, "it shows "+showWords[first])
			}
		case "undone":
			words = append(words, "after these tasks were done: "+value)
		case "alert":
			words = append(words, "another alert, "+value)
		case "incident":
			words = append(words, "incident "+value+" belongs to it")
		case "severity":
			words = append(words, "severity raised to "+value)
		case "missing":
			words = append(words, "what was expected did not come: "+value)
		case "volume":
			words = append(words, "more than "+value+" rows")
		case "episode":
			words = append(words, "again since "+value)
		case "act":
			words = append(words, "new act "+value)
		default:
			words = append(words, "new "+kind+" "+value)
		}
	}
	return strings.Join(words, ", ")
}

// weight orders what a sentence says of facts.
func weight(fact string) int {
	kind, _, _ := strings.Cut(fact, ":")
	if i := slices.Index([]string{"severity", "undone", "account", "incident", "protected", "act"}, kind); i >= 0 {
		return i
	}
	return 9
}

// nameIn gives the name of an id, which is compared without case.
func nameIn(names map[string]string, id string) string {
	for k, v := range names {
		if strings.EqualFold(k, id) {
			return v
		}
	}
	return ""
}
