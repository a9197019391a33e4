package notify

import "strings"

// A chatSection is a part of a chat message: lines of label and value, or a
// paragraph, which has no label.
type chatSection struct {
	head  string
	lines []Fact
}

// chatSections lays a view out for chats and pushes, the most urgent first. The
// result rows are left to the mail and the incident's page: the facts say what
// they answer.
func chatSections(v View) []chatSection {
	out := []chatSection{{lines: present([]Fact{{"Severity", v.Severity}, {"Why now", clip(v.Why, maxValue)}})}}
	add := func(head string, lines []Fact) {
		if lines = present(lines); len(lines) > 0 {
			out = append(out, chatSection{head, lines})
		}
	}
	add("", v.Facts)
	add("", []Fact{{"", v.Text}})
	add("", v.Incident)
	var others []Fact
	for _, o := range v.Others {
		others = append(others, Fact{"", o})
	}
	add("Also in this incident", others)
	add("", v.Trace)
	return out
}

func present(facts []Fact) []Fact {
	var out []Fact
	for _, f := range facts {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	return out
}

// String gives the section as lines of text.
func (s chatSection) String() string {
	var lines []string
	if s.head != "" {
		lines = append(lines, s.head)
	}
	for _, f := range s.lines {
		if f.Label != "" {
			lines = append(lines, f.Label+": "+f.Value)
		} else {
			lines = append(lines, f.Value)
		}
	}
	return strings.Join(lines, "\n")
}

// shortened stands where sections were left out to keep to a service's limit.
const shortened = "Shortened; the rest is on the incident's page and in the mail."

// fit gives the longest beginning of the sections that build makes no more than
// limit bytes of. The first section always stays.
func fit(sections []chatSection, limit int, build func([]chatSection) ([]byte, error)) ([]byte, error) {
	for n := len(sections); ; n-- {
		kept := sections[:n:n]
		if n < len(sections) {
			kept = append(kept, chatSection{lines: []Fact{{"", shortened}}})
		}
		body, err := build(kept)
		if err != nil || len(body) <= limit || n <= 1 {
			return body, err
		}
	}
}
