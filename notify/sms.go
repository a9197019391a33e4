package notify

import (
	"cmp"
	"context"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// An SMSReceiver is a telephone that gets a short text.
type SMSReceiver struct {
	Name  string `yaml:"name" json:"name"`
	Phone `yaml:",inline"`
	// Segments is how many short messages the text may take, 1 to 3; 1 if zero.
	Segments int `yaml:"segments,omitempty" json:"segments,omitempty"`
}

func (r SMSReceiver) label() string { return r.Name }

func (r SMSReceiver) destination() string { return "sms " + r.e164() }

func textsPeople(PhoneProvider) bool { return true }

func (r SMSReceiver) validate(c Config, p place) {
	r.Phone.validate(c, p, textsPeople)
	if r.Segments < 0 || r.Segments > 3 {
		p.say("segments %d: from 1 to 3", r.Segments)
	}
}

func (r SMSReceiver) lint(Watched) ([]Finding, string) { return nil, "" }

func (r SMSReceiver) open(c Config, n Network) (Receiver, error) {
	list, err := r.Phone.open(c, n, textsPeople)
	if err != nil {
		return nil, err
	}
	return &smsReceiver{r, list}, nil
}

type smsReceiver struct {
	SMSReceiver
	list lineup
}

// Deliver texts through the first provider that takes it. No provider knows a
// key for repeats.
func (r *smsReceiver) Deliver(ctx context.Context, m Message) Outcome {
	if done, ok := m.answered(); ok && m.Attempt > 1 {
		return Outcome{Verdict: Accepted, Answer: "not sent again: " + done}
	}
	return r.list.send(turn{}, r.try(ctx, m))
}

// Report asks whether a text has arrived.
func (r *smsReceiver) Report(ctx context.Context, m Message, handle string) Outcome {
	return r.list.follow(ctx, m, handle, r.try(ctx, m))
}

func (r *smsReceiver) try(ctx context.Context, m Message) func(phoneProvider) Outcome {
	text := shortMessage(m, max(r.Segments, 1))
	return func(p phoneProvider) Outcome { return p.text(ctx, r.e164(), text, m) }
}

// An sms is a text with the alphabet that it takes.
type sms struct {
	text string
	ucs2 bool
}

// The alphabet of 3GPP TS 23.038: a character of the first counts one, of the
// second two.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtended = "^{}\\[~]|€"
)

// gsmFold writes what many texts hold and the alphabet lacks in letters that it
// has.
var gsmFold = strings.NewReplacer(
	"…", "...", "“", "\"", "”", "\"", "„", "\"", "«", "\"", "»", "\"", "‘", "'", "’", "'", "–", "-", "—", "-", "→", "->", "⟨", "(", "⟩", ")", "`", "'", "\t", " ",
	"á", "a", "â", "a", "ã", "a", "ā", "a", "ă", "a", "ą", "a", "Á", "A", "Â", "A", "À", "A", "Ã", "A", "ç", "c", "č", "c", "ć", "c", "Č", "C", "Ć", "C", "ď", "d", "Ď", "D", "đ", "d", "Đ", "D",
	"ê", "e", "ë", "e", "ē", "e", "ě", "e", "ę", "e", "È", "E", "Ê", "E", "Ë", "E", "ğ", "g", "Ğ", "G", "í", "i", "î", "i", "ï", "i", "ī", "i", "ı", "i", "Í", "I", "Î", "I", "İ", "I",
	"ł", "l", "Ł", "L", "ľ", "l", "ń", "n", "ň", "n", "Ń", "N", "ó", "o", "ô", "o", "õ", "o", "ő", "o", "Ó", "O", "Ô", "O", "Õ", "O", "ř", "r", "Ř", "R", "ś", "s", "š", "s", "ş", "s", "ș", "s", "Š", "S", "Ś", "S", "Ş", "S",
	"ť", "t", "ț", "t", "ú", "u", "û", "u", "ů", "u", "ű", "u", "ū", "u", "Ú", "U", "Û", "U", "ý", "y", "ÿ", "y", "Ý", "Y", "ź", "z", "ż", "z", "ž", "z", "Ź", "Z", "Ż", "Z", "Ž", "Z",
)

// septets gives what a character costs, 0 if the alphabet lacks it.
func septets(r rune) int {
	switch {
	case strings.ContainsRune(gsmBasic, r):
		return 1
	case strings.ContainsRune(gsmExtended, r):
		return 2
	}
	return 0
}

// gsmLength gives the septets of a text, false if a character is not of the
// alphabet.
func gsmLength(s string) (n int, ok bool) {
	for _, r := range s {
		c := septets(r)
		if c == 0 {
			return 0, false
		}
		n += c
	}
	return n, true
}

// room gives how much segments hold: 160 septets or 70 UTF-16 units in one, 153
// or 67 in each of several, and a unit less at each seam, where a pair must not
// be parted.
func room(segments int, ucs2 bool) int {
	single, each := 160, 153
	if ucs2 {
		single, each = 70, 67
	}
	if segments == 1 {
		return single
	}
	return segments*each - (segments - 1)
}

// shortMessage writes the headline, who and from where, the code that takes the
// incident up, and the link, which are kept to the last. One strange letter would halve the room: whoever writes a
// display name could cut the alarm short by it. So a text beyond the alphabet is
// sent as it is only where it fits whole; else its strange letters become
// question marks.
func shortMessage(m Message, segments int) sms {
	v := NewView(m)
	lines := []string{cmp.Or(calmWord(m.Notice), urgency(m)) + ": " + v.Title}
	if calm(m.Notice) && v.Why != "" {
		lines = append(lines, v.Why)
	}
	for _, label := range []string{"Who", "What", "Target", "From", "Result"} {
		for _, f := range v.Facts {
			if f.Label == label {
				lines = append(lines, withoutID(f.Value))
			}
		}
	}
	if len(lines) == 1 && v.Why != "" {
		lines = append(lines, v.Why)
	}
	whole := strings.Join(lines, "\n")
	link := v.Link
	limit := room(segments, false)
	if n, ok := gsmLength(link); !ok || n > limit/2 { // the headline needs the other half
		link = ""
	}
	tail := ""
	if m.Code != "" && !calm(m.Notice) {
		tail = "\nCode " + m.Code
	}
	if link != "" {
		tail += "\n" + link
	}
	text := gsmFold.Replace(whole)
	if _, ok := gsmLength(text); !ok {
		if len(utf16.Encode([]rune(whole+tail))) <= room(segments, true) {
			return sms{whole + tail, true}
		}
		text = strings.Map(func(r rune) rune {
			if septets(r) == 0 {
				return '?'
			}
			return r
		}, text)
	}
	reserved, _ := gsmLength(tail)
	return sms{text: cutSeptets(text, limit-reserved) + tail}
}

// withoutID takes the id from "name (id)": nobody compares GUIDs on a lock screen
// or by ear, and the incident's page has it.
func withoutID(value string) string {
	name, _, _ := strings.Cut(value, " (")
	return name
}

// cutSeptets shortens a text of the alphabet to so many septets.
func cutSeptets(s string, limit int) string {
	if n, _ := gsmLength(s); n <= limit {
		return s
	}
	used, end := 0, 0
	for i, r := range s {
		used += septets(r)
		if used > limit-len("...") {
			break
		}
		end = i + utf8.RuneLen(r)
	}
	return s[:end] + "..."
}
