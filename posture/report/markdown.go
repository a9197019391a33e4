package report

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"glassward/posture"
)

func number(n int) string { return strconv.Itoa(n) }

// Markdown writes a document for people who read it in a pull request, a wiki or a mail:
// GitHub Flavored Markdown with tables, without HTML.
func Markdown(w io.Writer, d *Document) error {
	out := bufio.NewWriter(w)
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	say("# Emergency access of %s\n", mark(d.name()))
	say("**Class: %s.** %s\n", mark(string(d.Maturity)), mark(d.MaturityReason))
	if d.Tenant != "" {
		say("- Tenant %s", code(d.Tenant))
	}
	if !d.Taken.IsZero() {
		say("- As of %s", stamp(d.Taken))
	}
	if d.Source != "" {
		say("- Snapshot %s", code(d.Source))
	}
	if d.Program != "" {
		say("- Judged by Glassward %s", mark(d.Program))
	}
	say("- Checks: %s", d.counts())
	d.markdownAccess(say)
	say("\n## Checks\n")
	say("| Check | Severity | Result | Title |\n|---|---|---|---|")
	list := d.urgent()
	for _, f := range list {
		say("| %s | %s | %s | %s |", mark(f.Check.ID), f.Check.Severity, standing(f), mark(f.Check.Title))
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, f := range list {
		if f.Result != posture.Pass && f.Result != posture.NotApplicable {
			markdownFinding(say, f)
		}
	}
	if len(d.NotRead) > 0 {
		say("\n## What was not read\n")
		say("| Part | State | Why | Permission |\n|---|---|---|---|")
		for _, x := range d.NotRead {
			say("| %s | %s | %s | %s |", mark(string(x.Part)), x.State, mark(x.Reason), mark(x.Permission))
		}
	}
	say("\n## Limits\n")
	say("| Limit | Value | Default | Source of the default |\n|---|---|---|---|")
	for _, n := range d.Norms {
		say("| %s | %d | %d | %s |", mark(n.Name), n.Value, n.Default, mark(n.Source))
	}
	return out.Flush()
}

func (d *Document) markdownAccess(say func(string, ...any)) {
	say("\n## Who gets in\n")
	say("%d of %d accounts are open: they get in from anywhere, at any risk, with what lies in the safe.\n", d.opens(), len(d.Access))
	say("| Account | Object | Verdict | Policies that apply |\n|---|---|---|---|")
	for _, a := range d.Access {
		say("| %s | %s | %s | %s |", mark(a.Name), code(a.ID), verdict(a.Outcome), mark(strings.Join(a.Applying, ", ")))
	}
	for _, a := range d.Access {
		if len(a.Refusals)+len(a.Ways) == 0 {
			continue
		}
		say("\n**%s**\n", mark(a.Name))
		for _, r := range a.Refusals {
			verb := "refused by"
			if !r.Certain {
				verb = "may be refused by"
			}
			say("- %s %s: %s", verb, mark(r.By), mark(r.Where))
			if r.Why != "" {
				say("  %s", mark(r.Why))
			}
		}
		for _, w := range a.Ways {
			say("- gets in with %s", mark(way(w)))
		}
	}
}

func markdownFinding(say func(string, ...any), f *posture.Finding) {
	say("\n### %s %s: %s\n", mark(f.Check.ID), mark(f.Check.Title), standing(f))
	if f.Reason != "" {
		say("%s\n", mark(f.Reason))
	}
	for _, s := range told(f) {
		name := mark(s.Name)
		if s.Object != "" && s.Object != s.Name {
			name += " " + code(s.Object)
		}
		say("- %s: %s: %s", s.Result, strings.TrimSpace(name+" "+mark(s.Property)), mark(s.Value))
	}
	if e := f.Accepted; e != nil {
		say("- Accepted by %s until %s: %s", mark(e.Owner), day(e.Until), mark(e.Reason))
	}
	for _, e := range f.Lapsed {
		say("- The exception of %s ended on %s: %s", mark(e.Owner), day(e.Until), mark(e.Reason))
	}
	c := f.Check
	say("- Why: %s", mark(c.Why))
	say("- Where: %s", mark(c.Portal))
	say("- Graph: %s", code(c.Graph))
	say("- Sources: %s", mark(strings.Join(c.Sources, "; ")))
	if len(c.Norms) > 0 {
		say("- Norms: %s", mark(strings.Join(c.Norms, "; ")))
	}
}

// mark makes text fit for a line of Markdown: no character of it is markup, begins a
// link or mentions anybody. Entities are used, for a backslash before a pipe does not
// hold in every table.
func mark(s string) string {
	s = plain(s)
	var b strings.Builder
	for i, r := range s {
		escape := false
		switch r {
		case '\\', '`', '*', '_', '{', '[', ']', '<', '&', '#', '|', '~', '@', '$':
			escape = true
		case ':':
			// http://, mailto: and :smile: are links and pictures; ": " is none.
			escape = i+1 < len(s) && s[i+1] != ' '
		case '.':
			escape = strings.EqualFold(s[max(0, i-3):i], "www")
		case '-', '+', '=', '>':
			// A list, a rule under what stands above it, a quotation.
			escape = i == 0
		}
		if escape {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// code is text in a code span, in which nothing is markup; a pipe would end the cell of a
// table all the same.
func code(s string) string {
	s = strings.ReplaceAll(plain(s), "|", "¦")
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 || strings.HasPrefix(s, " ") || s == "" {
		return fence + " " + s + " " + fence
	}
	return fence + s + fence
}
