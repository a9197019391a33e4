package lag

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// clock writes a time for people who look at it on the same day.
func clock(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// words writes a duration, to the second or coarser.
func words(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.1f days", d.Hours()/24)
	case d >= time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	case d >= time.Minute:
		text := d.Round(time.Second).String()
		if whole, ok := strings.CutSuffix(text, "m0s"); ok {
			return whole + "m"
		}
		return text
	}
	return d.Round(100 * time.Millisecond).String()
}

// list writes names, the first eight of them.
func list(names []string) string { return listTo(8, names) }

// listTo is list for at most so many names.
func listTo(most int, names []string) string {
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most-1], ", "), len(names)-most+1)
	}
	return strings.Join(names, ", ")
}

// cut bounds a text from outside without breaking a letter.
func cut(s string, n int) string {
	if len(s) <= n {
		return strings.Clone(s)
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// warming gives the other roads that are to show some of the tables and have not
// begun.
func (t *Tracker) warming(but string, tables []string) []string {
	var names []string
	for _, s := range t.streams {
		if s.expected && s.State == Warming && s.road.Name != but && slices.Contains(tables, s.Table) && !slices.Contains(names, s.road.Name) {
			names = append(names, s.road.Name)
		}
	}
	return names
}

// describe writes the title and detail of a road's change.
func (t *Tracker) describe(c *Change, m move) {
	tables := list(c.Tables)
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	carried := func() {
		if len(c.Others) > 0 {
			say("Shown meanwhile by: %s.", list(c.Others))
		}
		if len(c.Blind) == 0 {
			return
		}
		say("Nobody shows: %s. What happens there is not seen and makes no alarm.", list(c.Blind))
		if t.o.Blinds != nil {
			if names := t.o.Blinds(slices.Clone(c.Blind)); len(names) > 0 {
				// Which alarms do not come is what the reader has to know: each is named.
				say("Blind: %s.", listTo(50, names))
			}
		}
	}
	switch {
	case m.cause == "late" && m.over:
		c.Title = fmt.Sprintf("Road %s is no longer late with %s: it is %s", c.Road, tables, c.Is)
	case m.cause == "late":
		c.Title = fmt.Sprintf("Road %s is late with %s", c.Road, tables)
		say("Since %s: %s.", clock(c.Since), m.v.why)
		say("Alarms are late by as much. Nothing is lost: late records are judged when they come.")
	case m.over && m.v.reason == "removed":
		c.Title = fmt.Sprintf("Road %s is not asked for %s any more", c.Road, tables)
	case m.over:
		c.Title = fmt.Sprintf("Road %s shows %s again", c.Road, tables)
		if c.Is == Warming {
			c.Title = fmt.Sprintf("Road %s can be read again for %s", c.Road, tables)
			say("No record has come yet; the first may take a day or two.")
		}
		for _, i := range c.Intervals {
			say("Blind interval of %s: from %s to %s (%s); %d of its records came afterwards.", i.Table, clock(i.From), clock(i.To), words(i.To.Sub(i.From)), i.Late)
		}
	case c.Is == Cut && c.Reason == licence:
		next := "there is no other road"
		switch begun := t.warming(c.Road, c.Tables); {
		case len(c.Others) > 0:
			next = "next road: " + list(c.Others)
		case len(begun) > 0:
			next = "next road: " + list(begun) + ", which has yet to begin"
		}
		c.Title = fmt.Sprintf("Road %s has no licence for %s; %s", c.Road, tables, next)
		say("Since %s: %s", clock(c.Since), m.v.why)
		say("This is no silence: the service refuses. Sign-ins need Entra ID P1 or P2; without it the Management Activity API shows them, later and with less.")
		carried()
	case c.Is == Cut, c.Is == Silent:
		how := "is silent"
		if c.Is == Cut {
			how = fmt.Sprintf("is cut (%s)", c.Reason)
		}
		switch {
		case len(c.Blind) > 0:
			c.Title = fmt.Sprintf("Blind since %s: road %s %s, and no other shows %s", clock(c.Since), c.Road, how, list(c.Blind))
		default:
			c.Title = fmt.Sprintf("Road %s %s with %s; %s still shows it", c.Road, how, tables, list(c.Others))
		}
		say("Since %s: %s", clock(c.Since), m.v.why)
		carried()
	default:
		c.Title = fmt.Sprintf("Road %s is %s with %s", c.Road, c.Is, tables)
		say("%s.", m.v.why)
	}
	c.Detail = strings.Join(lines, "\n")
}
