package entrasim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Step is a step of a story that has been played.
type Step struct {
	At time.Time
	// Minute is that of the story, whatever the pace at which it was played.
	Minute int
	// Text says for people what was done. It quotes names that anybody in the
	// tenant could have chosen.
	Text string
	// Events are what the step leaves in the logs.
	Events []*Event
}

// Played gives the steps of stories that have been played so far.
func (w *World) Played() []Step {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.played)
}

// outcomes say what a result type means for who signs in.
var outcomes = map[string]string{
	"0": "signs in", "50053": "is locked after wrong passwords", "50074": "gives the right password and is asked for more", "50126": "gives a wrong password",
	"53003": "is refused by Conditional Access", "500121": "fails at the second factor", "7000215": "gives a wrong secret",
}

// policyStates say what a state of a policy means.
var policyStates = map[string]string{"enabled": "on", "disabled": "off", "enabledForReportingButNotEnforced": "to report-only"}

// sentence says for people what a step of a story does.
func (w *World) sentence(word []string) string {
	at := func(i int) string {
		if i < len(word) {
			return word[i]
		}
		return ""
	}
	if at(0) == silently {
		return w.sentence(word[1:]) + "; no log tells of it"
	}
	more := func(from int) map[string]string { return (&player{word: word[min(from, len(word)):]}).rest() }
	who := w.calledFor(at(1))
	switch at(0) {
	case "sign-in", "token", "app-sign-in":
		m := more(3)
		if at(0) == "token" && at(2) == "0" {
			return who + " gets a new token for an old session" + where(m["from"])
		}
		did := outcomes[at(2)]
		if did == "" {
			did = "fails to sign in (" + at(2) + ")"
		}
		with := map[string]string{"key": " with its security key", "pass": " with a Temporary Access Pass"}[m["with"]]
		if m["to"] != "" {
			with += " to " + m["to"]
		}
		return who + " " + did + with + where(m["from"])
	case "audit":
		m := more(2)
		did, by, on := at(1), w.calledFor(m["by"]), w.calledFor(m["on"])
		if m["reason"] != "" {
			did = m["reason"]
		}
		switch {
		case m["by"] == m["on"]:
			on = "itself"
		case m["kind"] != "":
			on = fmt.Sprintf("%q", m["on"])
		}
		text := by + ": " + did + ", on " + on
		if from := where(m["from"]); from != "" {
			text += "," + from
		}
		if m["refused"] != "" {
			text += ", and is refused"
		}
		return text
	case "policy":
		by, name := w.calledFor(more(4)["by"]), fmt.Sprintf("%q", at(2))
		switch {
		case at(1) == "add":
			state := map[string]string{"enabled": "switched on", "disabled": "switched off"}[at(3)]
			return by + " adds the policy " + name + ", " + cmp.Or(state, "report-only")
		case at(3) == "deleted":
			return by + " deletes the policy " + name
		}
		return by + " switches the policy " + name + " " + policyStates[at(3)]
	case "unit":
		by, who := w.calledFor(more(3)["by"]), w.calledFor(at(2))
		if at(1) == "add" {
			return by + " puts " + who + " into the restricted administrative unit"
		}
		return by + " takes " + who + " out of the restricted administrative unit"
	case "group":
		by, who := w.calledFor(more(3)["by"]), w.calledFor(at(2))
		if at(1) == "add" {
			return by + " puts " + who + " into the group of the emergency accounts"
		}
		return by + " takes " + who + " out of the group of the emergency accounts"
	case "method":
		by, who := w.calledFor(more(4)["by"]), w.calledFor(at(2))
		what := map[string]string{"phone": "a telephone", "pass": "a Temporary Access Pass"}[at(3)]
		if at(1) == "add" {
			return by + " registers " + what + " for " + who
		}
		return by + " removes " + what + " of " + who
	case "consent":
		by := w.calledFor(more(4)["by"])
		if at(1) == "grant" {
			return by + " grants " + at(3) + " to " + at(2)
		}
		return by + " takes " + at(3) + " from " + at(2)
	case "diagnostic":
		if at(1) == "on" {
			return "The diagnostic setting is made"
		}
		return "The diagnostic setting is deleted; no log tells of it"
	case "cut":
		return "Nothing comes any more by " + strings.Join(word[1:], ", ")
	case "restore":
		return "Records come again by " + strings.Join(word[1:], ", ")
	}
	return strings.Join(word, " ")
}

// calledFor is what people call an account that a story names by its key.
func (w *World) calledFor(key string) string {
	u := w.byKey[key]
	switch {
	case u == nil, strings.HasPrefix(key, "EA-"):
		return key
	case key == "canary":
		return "The canary"
	}
	return u.DisplayName
}

// where says from where somebody acts that is not in the office.
func where(from string) string {
	if from == "elsewhere" {
		return " from " + tallinn.city
	}
	if n, ok := strings.CutPrefix(from, "abroad"); ok && len(n) == 1 {
		return " from " + abroad[int(n[0]-'0')%len(abroad)].city
	}
	return ""
}
