package day

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"glassward"
	"glassward/internal/entrasim"
)

// A Plan is what day.txt says.
type Plan struct {
	// Planted are the things that must be told, Near those that must not.
	Planted, Near []Step
	Incidents     []Incident

	records map[string]string
}

// A Step is one thing that happens.
type Step struct {
	Line int
	// At is its time of day, Step what is done.
	At   time.Duration
	Step string
	// Alerts are those that tell of it, or that it completes.
	Alerts []Alert

	lag         time.Duration
	twice, near bool
}

// An Alert is one that must come.
type Alert struct {
	// Detection is its number in the catalogue.
	Detection string
	// Rule is the rule's name; in Title a star stands for anything.
	Rule, Title string
	// Incident is the letter of the incident that holds it.
	Incident string
}

// An Incident is one that must come of the alerts with its letter.
type Incident struct {
	Letter   string
	Severity glassward.Severity
	Alerts   int
	// Accounts are the emergency accounts that it is about, Actors who else acts in
	// it, both by their short names; in Actors a bar stands between those of whom one
	// is enough.
	Accounts, Actors []string
	Title            string
}

// usualLag is how long a planted record takes.
const usualLag = 4 * time.Minute

// sorted gives all steps in the order of time.
func (p *Plan) sorted() []Step {
	all := slices.Concat(p.Planted, p.Near)
	slices.SortStableFunc(all, func(a, b Step) int { return int(a.At - b.At) })
	return all
}

// parse reads the plan and holds it against itself.
func parse(text string) (*Plan, error) {
	p := &Plan{records: map[string]string{}}
	body, section := text, ""
	for n, line := range strings.Split(body, "\n") {
		if name, ok := strings.CutPrefix(line, "== "); ok {
			section = name
			continue
		}
		if section != "" {
			p.records[section] += line
			continue
		}
		if err := p.line(n+1, line); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	held := map[string]int{}
	for _, s := range p.sorted() {
		if name, ok := strings.CutPrefix(s.Step, "record "); ok && p.records[name] == "" {
			return nil, fmt.Errorf("line %d: no record is called %q", s.Line, name)
		}
		for _, a := range s.Alerts {
			held[a.Incident]++
		}
	}
	for _, i := range p.Incidents {
		if held[i.Letter] != i.Alerts {
			return nil, fmt.Errorf("incident %s holds %d alerts and says %d", i.Letter, held[i.Letter], i.Alerts)
		}
		delete(held, i.Letter)
	}
	for letter := range held {
		return nil, fmt.Errorf("nothing is said of incident %s, or it twice", letter)
	}
	return p, nil
}

func (p *Plan) line(n int, line string) error {
	indented := strings.HasPrefix(line, "  ")
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return nil
	}
	if indented {
		if len(p.Planted) == 0 {
			return fmt.Errorf("an alert stands under what it tells of")
		}
		f, err := entrasim.Words(line)
		if err != nil {
			return err
		}
		if len(f) != 5 || f[3] != "in" {
			return fmt.Errorf(`write: DETECTION "RULE" "TITLE" in LETTER`)
		}
		s := &p.Planted[len(p.Planted)-1]
		s.Alerts = append(s.Alerts, Alert{f[0], f[1], f[2], f[4]})
		return nil
	}
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "plant", "near":
		clock, step, _ := strings.Cut(rest, " ")
		s := Step{Line: n, Step: step, lag: usualLag}
		at, err := time.Parse("15:04", clock)
		if err != nil {
			return fmt.Errorf("%q is no time of day", clock)
		}
		s.At = time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
		if more, ok := strings.CutPrefix(s.Step, "lag "); ok {
			d, step, _ := strings.Cut(more, " ")
			if s.lag, err = time.ParseDuration(d); err != nil {
				return err
			}
			s.Step = step
		}
		s.Step, s.twice = strings.CutPrefix(s.Step, "twice ")
		if s.near = word == "near"; s.near {
			p.Near = append(p.Near, s)
		} else {
			p.Planted = append(p.Planted, s)
		}
		return nil
	case "incident":
		f, err := entrasim.Words(rest)
		if err != nil {
			return err
		}
		if len(f) != 6 {
			return fmt.Errorf(`write: incident LETTER SEVERITY ALERTS ACCOUNTS ACTORS "TITLE"`)
		}
		i := Incident{Letter: f[0], Accounts: list(f[3]), Actors: list(f[4]), Title: f[5]}
		if i.Alerts, err = strconv.Atoi(f[2]); err != nil {
			return err
		}
		if err := i.Severity.UnmarshalText([]byte(f[1])); err != nil {
			return err
		}
		p.Incidents = append(p.Incidents, i)
		return nil
	}
	return fmt.Errorf("%q is no word of this file", word)
}

// list reads names between commas; a dash is none.
func list(text string) []string {
	if text == "-" {
		return nil
	}
	out := strings.Split(text, ",")
	slices.Sort(out)
	return out
}

// like says whether a text is as a pattern says, in which a star stands for anything.
func like(pattern, text string) bool {
	// path.Match knows more signs than the star, and slashes.
	quote := strings.NewReplacer(`\`, `\\`, "[", `\[`, "?", `\?`, "/", "\x00")
	ok, err := path.Match(quote.Replace(pattern), strings.ReplaceAll(text, "/", "\x00"))
	return ok && err == nil
}
