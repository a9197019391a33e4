package notify

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// An arrival says what a provider knows of a text or a call that it took.
type arrival uint8

const (
	// unsure: it has not arrived yet, or the provider could not be asked.
	unsure arrival = iota
	// arrived: the text is on the telephone, the call was taken.
	arrived
	// lost: it did not arrive and will not.
	lost
	// unanswered: it rang, and nobody took the call, or a machine did.
	unanswered
)

// patience is how long a provider has for a text or a call to arrive. A text needs
// seconds, a call rings for 45.
const patience = 2 * time.Minute

// A lineup is the providers of one telephone in their order. Each gets its turn
// with a message until one has made it arrive, and not only taken it over.
type lineup []phoneProvider

// A turn is how far a message has come along the lineup: the handle of an outcome
// that is underway.
type turn struct {
	// Provider took the message at Since and calls it Handle.
	Provider string    `json:"provider"`
	Handle   string    `json:"handle"`
	Since    time.Time `json:"since"`
	// Tried are the providers before it, and Said is what became of it with them.
	Tried []string `json:"tried,omitempty"`
	Said  []string `json:"said,omitempty"`
}

// send asks the providers that have not been tried yet, one after the other,
// until one takes the message. What the ones before it said is Weak, since only
// the last rope holds. If none does, the most hopeful verdict counts, and the
// shortest wait.
func (l lineup) send(t turn, try func(phoneProvider) Outcome) Outcome {
	all := Outcome{Verdict: Refused}
	for _, p := range l {
		if slices.Contains(t.Tried, p.name()) {
			continue
		}
		out := try(p)
		line := p.name() + ": " + out.Answer
		if out.Verdict == Accepted {
			weak := strings.Join(t.Said, "; ")
			if weak != "" {
				line += " (before it, " + weak + ")"
			}
			out = Outcome{Verdict: Accepted, Answer: answer(line), Weak: answer(weak), Handle: out.Handle}
			if out.Handle != "" {
				t.Provider, t.Handle, t.Since = p.name(), out.Handle, time.Now()
				out.Verdict, out.Handle, out.RetryAfter = Underway, t.String(), askAgain(0)
			}
			return out
		}
		t.Tried, t.Said = append(t.Tried, p.name()), append(t.Said, line)
		if out.Verdict < all.Verdict { // Retry, Mend, Refused
			all.Verdict = out.Verdict
		}
		if out.RetryAfter > 0 && (all.RetryAfter == 0 || out.RetryAfter < all.RetryAfter) {
			all.RetryAfter = out.RetryAfter
		}
	}
	all.Answer = answer(strings.Join(t.Said, "; "))
	return all
}

// follow asks what became of a message that is underway. When it is lost, or has
// not arrived in time, the next provider gets it. When it is lost with the last of
// them it is sent anew; when nobody can tell, it has to be believed, and Weak says
// so: some networks report nothing, and would be called for ever.
func (l lineup) follow(ctx context.Context, m Message, handle string, try func(phoneProvider) Outcome) Outcome {
	var t turn
	if json.Unmarshal([]byte(handle), &t) != nil {
		return l.send(turn{}, try)
	}
	state, said := unsure, "is no phone provider any more"
	if i := slices.IndexFunc(l, func(p phoneProvider) bool { return p.name() == t.Provider }); i >= 0 {
		state, said = l[i].ask(ctx, t.Handle)
	}
	line := t.Provider + ": " + said
	waited := time.Since(t.Since)
	weak := strings.Join(t.Said, "; ")
	switch {
	case state == arrived:
		return Outcome{Verdict: Accepted, Answer: answer(line), Weak: answer(weak)}
	case state == unsure && waited < patience:
		return Outcome{Verdict: Underway, Answer: answer(line), Weak: answer(weak), Handle: handle, RetryAfter: askAgain(waited)}
	case state == unsure:
		line += " after " + waited.Round(time.Second).String() + ": not known to have arrived"
	}
	t.Tried, t.Said = append(t.Tried, t.Provider), append(t.Said, line)
	if done, ok := m.answered(); ok {
		return Outcome{Verdict: Accepted, Answer: answer(strings.Join(t.Said, "; ") + "; not sent again: " + done)}
	}
	all := answer(strings.Join(t.Said, "; "))
	if len(t.Tried) < len(l) {
		out := l.send(t, try)
		if out.Verdict == Accepted || out.Verdict == Underway || state != unsure {
			return out
		}
		all = out.Answer
	}
	switch state {
	case unsure:
		return Outcome{Verdict: Accepted, Answer: all, Weak: all}
	case unanswered:
		return Outcome{Verdict: Retry, Answer: all}
	}
	return Outcome{Verdict: Mend, Answer: all}
}

// answered says why a message that did not arrive need not be sent once more.
func (m Message) answered() (string, bool) {
	in := m.Incident
	switch {
	case in == nil:
	case in.Acknowledged.After(m.Notice.Created):
		return "the incident was acknowledged " + clock(in.Acknowledged), true
	case in.Closed.After(m.Notice.Created):
		return "the incident was closed " + clock(in.Closed), true
	}
	return "", false
}

// askAgain gives the time to the next question, the longer the longer it takes.
func askAgain(waited time.Duration) time.Duration {
	return min(max(5*time.Second, waited/2), 30*time.Second)
}

// String gives a turn as a handle.
func (t turn) String() string {
	for i := range t.Said {
		t.Said[i] = clip(t.Said[i], 300)
	}
	text, err := json.Marshal(t)
	if err != nil { // texts and a time
		return ""
	}
	return string(text)
}
