package notify

import (
	"context"
	"regexp"
	"strings"
	"unicode"
)

// A VoiceReceiver is a telephone that is called; a voice says the headline, and
// says it again.
type VoiceReceiver struct {
	Name  string `yaml:"name" json:"name"`
	Phone `yaml:",inline"`
}

func (r VoiceReceiver) label() string { return r.Name }

func (r VoiceReceiver) destination() string { return "voice " + r.e164() }

func (r VoiceReceiver) validate(c Config, p place) { r.Phone.validate(c, p, PhoneProvider.speaks) }

func (r VoiceReceiver) lint(Watched) ([]Finding, string) { return nil, "" }

func (r VoiceReceiver) open(c Config, n Network) (Receiver, error) {
	list, err := r.Phone.open(c, n, PhoneProvider.speaks)
	if err != nil {
		return nil, err
	}
	return &voiceReceiver{r, list}, nil
}

type voiceReceiver struct {
	VoiceReceiver
	list lineup
}

// Deliver has the first provider call that takes it.
func (r *voiceReceiver) Deliver(ctx context.Context, m Message) Outcome {
	if done, ok := m.answered(); ok && m.Attempt > 1 {
		return Outcome{Verdict: Accepted, Answer: "not called again: " + done}
	}
	return r.list.send(turn{}, r.try(ctx, m))
}

// Report asks whether the call was taken, and whether by a person: a mailbox is
// called again. That somebody has listened is not known.
func (r *voiceReceiver) Report(ctx context.Context, m Message, handle string) Outcome {
	return r.list.follow(ctx, m, handle, r.try(ctx, m))
}

func (r *voiceReceiver) try(ctx context.Context, m Message) func(phoneProvider) Outcome {
	words := spokenText(m)
	return func(p phoneProvider) Outcome { return p.speak(ctx, r.e164(), words, m) }
}

// sixDigits is a code, which is spoken digit by digit.
var sixDigits = regexp.MustCompile(`\b[0-9]{6}\b`)

// maxSpoken bounds what is said, in characters: about twenty seconds.
const maxSpoken = 300

// spokenText is the headline and who it is about, in letters, digits and the
// marks that make a pause: a voice reads all else out, or stumbles.
func spokenText(m Message) string {
	v := NewView(m)
	parts := []string{"Glassward", strings.ToLower(urgency(m)) + " alert", v.Title}
	switch m.Notice.Kind {
	case "test":
		parts[1] = "test"
		parts[2] = sixDigits.ReplaceAllStringFunc(parts[2], func(code string) string { return strings.Join(strings.Split(code, ""), ". ") })
	case "closed":
		parts[1] = "incident closed"
	}
	for _, f := range v.Facts {
		if f.Label == "Who" {
			parts = append(parts, withoutID(f.Value))
		}
	}
	text := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" .,:-@", r) {
			return r
		}
		return ' '
	}, strings.Join(parts, ". "))
	return cutRunes(strings.Join(strings.Fields(text), " "), maxSpoken)
}
