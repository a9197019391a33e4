package notify

import (
	"fmt"
	"strings"

	"glassward"
)

// maxChanges bounds the changes of the last 24 hours that a message lists.
const maxChanges = 5

// aroundNames are the names of Around's lines as properties.
var aroundNames = map[string]string{
	"Latest sign-in": "latestSignIn", "Last use before": "lastUse", "Keys": "keys", "Changes of 24 hours": "changes24h", "Not looked up": "notLookedUp",
}

// Around puts an alert's context into labelled lines, none if it has none: what a
// responder would look up first. What stands in them comes from records and is not
// yet encoded.
func Around(a glassward.Alert) []Fact {
	c := a.Context
	if c == nil {
		return nil
	}
	var out []Fact
	add := func(label string, lines []string) {
		if len(lines) > 0 {
			out = append(out, Fact{label, strings.Join(lines, "; ")})
		}
	}
	var latest, uses, changes []string
	for _, s := range c.SignIns {
		latest = append(latest, signInLine(s))
	}
	for _, s := range c.LastUses {
		uses = append(uses, signInLine(s))
	}
	for i, d := range c.Changes {
		if i == maxChanges {
			changes = append(changes, "and more")
			break
		}
		line := clock(d.Time) + " " + d.Operation
		if d.Target != "" {
			line += " on " + d.Target
		}
		if d.By != "" {
			line += " by " + d.By
		}
		if d.Result != "" && !strings.EqualFold(d.Result, "success") {
			line += " (" + d.Result + ")"
		}
		changes = append(changes, line)
	}
	add("Latest sign-in", latest)
	add("Last use before", uses)
	add("Keys", c.Keys)
	add("Changes of 24 hours", changes)
	if c.Missing != "" {
		add("Not looked up", []string{c.Missing})
	}
	return out
}

// signInLine puts a sign-in into one line.
func signInLine(s glassward.SignIn) string {
	if s.Time.IsZero() {
		return s.Account + ": none is stored"
	}
	line := fmt.Sprintf("%s: %s", s.Account, clock(s.Time))
	ca := s.ConditionalAccess
	if ca != "" {
		ca = "Conditional Access " + ca
	}
	result := "completed"
	if s.Result != "0" && s.Result != "" {
		result = "result " + s.Result
	}
	for _, part := range []string{strings.TrimSpace(s.Address + " " + s.Place), s.Application, s.Method, ca, result} {
		if part != "" {
			line += ", " + part
		}
	}
	return line
}
