package cli

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// An also is a way by which people are told besides mail, as init writes it.
type also struct {
	Kind, List string
	Fields     []alsoField
}

// An alsoField is a field of a receiver, or of the company that it goes through
// (Provider).
type alsoField struct {
	Name, Value string
	Provider    bool
}

// An alsoQuestion asks for a field; one that may be left out is optional.
type alsoQuestion struct {
	field, question string
	check           func(*string) error
	provider        bool
}

// An alsoKind is one of the ways.
type alsoKind struct {
	kind, list, says string
	ask              []alsoQuestion
}

// alsoKinds are the ways that init offers, those first by which people can answer
// without an open port.
func (w *wizard) alsoKinds() []alsoKind {
	ref := func(field, what string) alsoQuestion {
		return alsoQuestion{field, what + ", env:NAME or file:PATH", w.aReference, false}
	}
	return []alsoKind{
		{"pushover", "pushoverReceivers", "sounds until somebody taps in the app", []alsoQuestion{
			ref("token", "Where the token of your application at Pushover is"), ref("user", "Where the person's or group's key at Pushover is"),
		}},
		{"sms", "smsReceivers", "a text by Twilio, answered by a text back", []alsoQuestion{
			{"account", "Twilio's account SID (AC…)", aPattern(`^AC[0-9a-fA-F]{32}$`, "AC and 32 hex digits"), true},
			{"secret", "Where the account's token is, env:NAME or file:PATH", w.aReference, true},
			{"from", "Your number at Twilio (+15005550006)", aPattern(`^\+[1-9][0-9]{7,14}$`, "a number as +15005550006"), true},
			{"countryCode", "Country code of the telephone that is told (49)", aPattern(`^[1-9][0-9]{0,2}$`, "digits, as 49"), false},
			{"phoneNumber", "Its number without that (1701234567)", aPattern(`^[0-9]{4,14}$`, "digits, as 1701234567"), false},
		}},
		{"pagerduty", "pagerdutyReceivers", "an incident there, acknowledged there", []alsoQuestion{
			ref("routingKey", "Where the integration key (Events API v2) is"),
			{"apiToken", "Where a read-only key of the REST API is, env:NAME or file:PATH (empty: acknowledgements there are not heard)", optional(w.aReference), false},
		}},
		{"ntfy", "ntfyReceivers", "a push by ntfy.sh", []alsoQuestion{
			ref("topic", "Where the name of the topic is (long and random: who knows it reads along)"),
		}},
		{"slack", "slackReceivers", "a channel in Slack", []alsoQuestion{ref("url", "Where the address of the incoming webhook is")}},
		{"teams", "teamsReceivers", "a channel in Teams, which falls with this tenant", []alsoQuestion{ref("url", "Where the address of the Workflows webhook is")}},
	}
}

// aPattern takes what matches.
func aPattern(pattern, what string) func(*string) error {
	re := regexp.MustCompile(pattern)
	return func(s *string) error {
		if !re.MatchString(*s) {
			return usagef("%q: %s", *s, what)
		}
		return nil
	}
}

// others asks by which other ways people are told, until there are no more. A flag
// gives one as "KIND field=value field=value …".
func (w *wizard) others(ctx context.Context) error {
	kinds := w.alsoKinds()
	given := w.x.AlsoFlags
	if w.asks && len(given) == 0 {
		w.say("Mail alone is one way, and nobody wakes up by it. Others:")
		for _, k := range kinds {
			w.say("  %-10s %s", k.kind, k.says)
		}
	}
	for i := 0; ; i++ {
		var kind string
		values := map[string]string{}
		switch {
		case i < len(given):
			fields := strings.Fields(given[i])
			if len(fields) == 0 {
				return usagef("--also is empty")
			}
			kind = fields[0]
			for _, f := range fields[1:] {
				name, value, ok := strings.Cut(f, "=")
				if !ok {
					return usagef("--also %s: %q is not field=value", kind, f)
				}
				values[name] = value
			}
		case len(given) > 0 || !w.asks:
			return nil
		default:
			kind = strings.ToLower(w.ask(ctx, "Another way besides mail (Enter for none)", ""))
			if w.stopped != nil {
				return w.halted()
			}
			if kind == "" || kind == "none" {
				return nil
			}
		}
		at := slices.IndexFunc(kinds, func(k alsoKind) bool { return k.kind == kind })
		var err error
		switch {
		case at < 0:
			err = usagef("%q is none of them: pushover, sms, pagerduty, ntfy, slack or teams", kind)
		case slices.ContainsFunc(w.x.Also, func(a also) bool { return a.Kind == kind }):
			err = usagef("%s is there already; a second one is written into the file by hand", kind)
		}
		if err != nil {
			if len(given) > 0 {
				return err
			}
			w.complain(err)
			continue
		}
		a := also{Kind: kind, List: kinds[at].list}
		for _, q := range kinds[at].ask {
			value, there := values[q.field]
			delete(values, q.field)
			if len(given) > 0 && !there && q.check(new(string)) == nil {
				continue // it may be left out
			}
			if len(given) > 0 && !there {
				return usagef("--also %s lacks %s=…", kind, q.field)
			}
			if err := w.fill(ctx, &value, q.question, "", q.check); err != nil {
				return err
			}
			if value != "" {
				a.Fields = append(a.Fields, alsoField{q.field, value, q.provider})
			}
		}
		for name := range values {
			return usagef("--also %s has no field %s", kind, name)
		}
		w.x.Also = append(w.x.Also, a)
	}
}

// Line writes the fields of a receiver, or of its provider, as they stand in
// braces.
func (a also) Line(provider bool) string {
	var b strings.Builder
	for _, f := range a.Fields {
		if f.Provider == provider {
			fmt.Fprintf(&b, ", %s: %s", f.Name, quoteYAML(f.Value))
		}
	}
	return b.String()
}
