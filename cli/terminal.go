package cli

import (
	"strings"

	"glassward/notify"
)

// line makes text from a record fit for one line of a terminal.
func line(s string) string {
	return notify.PlainText(strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ").Replace(s))
}

// safe is line for texts of our own that quote what others wrote: it keeps
// their line breaks and tabs.
func safe(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		parts := strings.Split(l, "\t")
		for j, p := range parts {
			parts[j] = notify.PlainText(p)
		}
		lines[i] = strings.Join(parts, "\t")
	}
	return strings.Join(lines, "\n")
}

// paint colours text where colour is wanted.
func (a *app) paint(code, text string) string {
	on := a.color == "always"
	if a.color == "auto" {
		on = terminal(a.Stdout) && a.Getenv("NO_COLOR") == "" && a.Getenv("CLICOLOR") != "0" && a.Getenv("TERM") != "dumb"
		on = on || (a.Getenv("CLICOLOR_FORCE") != "" && a.Getenv("CLICOLOR_FORCE") != "0")
	}
	if !on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Colours, as SGR codes.
const (
	red   = "31;1"
	amber = "33;1"
	bold  = "1"
)
