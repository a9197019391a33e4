package day

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"glassward"
)

// A Told is an incident as it stands, with its alerts.
type Told struct {
	Incident glassward.Incident `json:"incident"`
	Alerts   []glassward.Alert  `json:"alerts"`
}

// Fetch reads what a tenant's people were told from the API; get asks for a path
// below its address. Incidents that became part of another are left out.
func Fetch(tenant string, get func(path string) ([]byte, error)) ([]Told, error) {
	read := func(path string, into any) error {
		body, err := get(path)
		if err != nil {
			return err
		}
		return json.Unmarshal(body, into)
	}
	var list struct{ Value []glassward.Incident }
	path := "/v1/workspaces/" + tenant + "/incidents"
	if err := read(path, &list); err != nil {
		return nil, err
	}
	var out []Told
	for _, i := range list.Value {
		if i.MergedInto != 0 {
			continue
		}
		var t Told
		if err := read(path+"/"+strconv.FormatInt(i.Number, 10), &t); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b Told) int { return int(a.Incident.Number - b.Incident.Number) })
	return out, nil
}

// A Report says what of a day was told as it was foretold.
type Report struct {
	day *Day
	// told are the foretold alerts with what came for each.
	told []match
	// rows are the foretold incidents with what came of each.
	rows []outcome
	// extra is what nobody foretold.
	extra []string
}

type match struct {
	step   Step
	number int // of the step, from 1
	alert  Alert
	// incident is the number of the one that holds what came; 0 if nothing came.
	incident int64
	title    string
}

type outcome struct {
	Incident
	number int64
	ours   string
	// amiss says what is wrong with it, "" if nothing is.
	amiss string
}

// Compare holds what was told against the plan.
func (d *Day) Compare(told []Told) Report {
	r := Report{day: d}
	taken := map[glassward.AlertID]bool{}
	for n, s := range d.Plan.Planted {
		at := d.start.Add(s.At)
		for _, want := range s.Alerts {
			m := match{step: s, number: n + 1, alert: want}
			for _, t := range told {
				for _, a := range t.Alerts {
					// Alerts that are worded alike are told apart by when it happened. What rests
					// on several records tells of the time between them.
					if m.incident == 0 && !taken[a.ID] && a.RuleName == want.Rule && like(want.Title, a.Title) && !a.Start.After(at.Add(time.Second)) && !a.End.Before(at.Add(-time.Second)) {
						taken[a.ID] = true
						m.incident, m.title = t.Incident.Number, a.Title
					}
				}
			}
			r.told = append(r.told, m)
		}
	}
	for _, t := range told {
		for _, a := range t.Alerts {
			if !taken[a.ID] {
				r.extra = append(r.extra, fmt.Sprintf("%s  %s: %s (%s), in incident %d", a.Start.Sub(d.start).Round(time.Second), a.RuleName, a.Title, a.Severity, t.Incident.Number))
			}
		}
	}
	for _, want := range d.Plan.Incidents {
		o := outcome{Incident: want}
		var wrong []string
		for _, m := range r.told {
			switch {
			case m.alert.Incident != want.Letter || m.incident == 0:
			case o.number == 0:
				o.number = m.incident
			case o.number != m.incident:
				wrong = append(wrong, fmt.Sprintf("part of it is incident %d", m.incident))
			}
		}
		i := slices.IndexFunc(told, func(t Told) bool { return t.Incident.Number == o.number })
		if i < 0 {
			o.amiss = "nobody was told"
			r.rows = append(r.rows, o)
			continue
		}
		got := told[i].Incident
		accounts, actors := d.people(got)
		o.ours = fmt.Sprintf("%s, %d, %s, %s", got.Severity, len(told[i].Alerts), dash(accounts), dash(actors))
		if got.Severity != want.Severity {
			wrong = append(wrong, "severity "+got.Severity.String())
		}
		if len(told[i].Alerts) != want.Alerts {
			wrong = append(wrong, fmt.Sprintf("%d alerts", len(told[i].Alerts)))
		}
		if !slices.Equal(accounts, want.Accounts) {
			wrong = append(wrong, "about "+dash(accounts))
		}
		if !slices.EqualFunc(want.Actors, actors, func(w, a string) bool { return slices.Contains(strings.Split(w, "|"), a) }) {
			wrong = append(wrong, "acts "+dash(actors))
		}
		if !like(want.Title, got.Title) {
			wrong = append(wrong, "title "+got.Title)
		}
		slices.Sort(wrong)
		o.amiss = strings.Join(slices.Compact(wrong), "; ")
		r.rows = append(r.rows, o)
	}
	return r
}

// people gives the emergency accounts of an incident and who else acts in it, by
// their short names; who has none, by id.
func (d *Day) people(i glassward.Incident) (accounts, actors []string) {
	name := func(id string) string {
		if key := d.keys[strings.ToLower(id)]; key != "" {
			return key
		}
		return id
	}
	for _, id := range i.Accounts {
		accounts = append(accounts, name(id))
	}
	for _, e := range i.Entities {
		if !strings.EqualFold(e.Type, "Account") {
			continue
		}
		who := ""
		for _, k := range []string{"AadUserId", "FullName", "DisplayName"} {
			if v := e.Identifiers[k]; v != "" && who == "" {
				who = name(v)
			}
		}
		if !slices.Contains(accounts, who) && !slices.Contains(actors, who) {
			actors = append(actors, who)
		}
	}
	slices.Sort(accounts)
	slices.Sort(actors)
	return accounts, actors
}

func dash(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, " ")
}

// Amiss gives what was told and not foretold, or the other way round, one line each.
func (r Report) Amiss() []string {
	var out []string
	for _, m := range r.told {
		if m.incident == 0 {
			out = append(out, fmt.Sprintf("%s  nobody was told: %s: %s", clock(m.step.At), m.alert.Rule, m.alert.Title))
		}
	}
	for _, o := range r.rows {
		if o.amiss != "" {
			out = append(out, "incident "+o.Letter+": "+o.amiss)
		}
	}
	for _, x := range r.extra {
		out = append(out, "nobody foretold: "+x)
	}
	return out
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

// Write prints two tables: what was planted with what tells of it, and the
// incidents, foretold and ours.
func (r Report) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "no\ttime\twhat happens\tmust be told\tin\tours\n")
	for n, s := range r.day.Plan.Planted {
		what := shorten(s.Step, 60)
		lines := 0
		for _, m := range r.told {
			if m.number != n+1 {
				continue
			}
			ours := "MISSING"
			if m.incident != 0 {
				ours = fmt.Sprintf("told, in %d", m.incident)
			}
			no, at := "", ""
			if lines == 0 {
				no, at = strconv.Itoa(n+1), clock(s.At)
			} else {
				what = ""
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s %s\t%s\t%s\n", no, at, what, m.alert.Detection, m.alert.Rule, m.alert.Incident, ours)
			lines++
		}
		if lines == 0 {
			fmt.Fprintf(t, "%d\t%s\t%s\tby itself nothing\t\t\n", n+1, clock(s.At), what)
		}
	}
	fmt.Fprint(t, "\t\t\t\t\t\n")
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprint(t, "incident\tforetold: severity, alerts, accounts, others\tours\tno\tas foretold\ttitle\n")
	for _, o := range r.rows {
		verdict := "yes"
		if o.amiss != "" {
			verdict = "NO: " + o.amiss
		}
		fmt.Fprintf(t, "%s\t%s, %d, %s, %s\t%s\t%d\t%s\t%s\n", o.Letter, o.Severity, o.Alerts, dash(o.Accounts), dash(o.Actors), o.ours, o.number, verdict, shorten(o.Title, 60))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, x := range r.extra {
		if _, err := fmt.Fprintln(w, "nobody foretold:", x); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%d things planted, %d that look like them, %d alerts and %d incidents foretold; amiss: %d\n", len(r.day.Plan.Planted), len(r.day.Plan.Near), len(r.told), len(r.rows), len(r.Amiss()))
	return err
}

func shorten(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return text
}
