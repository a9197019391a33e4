package rule

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	detectionTag = regexp.MustCompile(`^D[0-9]{2}$`)
	firstStep    = regexp.MustCompile(`(?s)\n1\. (.*?)(\n2\. |\n\n|$)`)
)

// Catalogue gives docs/detections.md: for each rule its detections (the tags D01
// to D74), severity, tables, techniques and what its description says to do first.
// The environment gives the tables of their queries.
func Catalogue(rules []*Rule, env Environment) string {
	env.Watchlists = withShipped(env.Watchlists)
	var b strings.Builder
	b.WriteString("# Detections\n\nMade from the rule files by `make docs`. Techniques are numbered as MITRE ATT&CK v19\ndoes.\n\n")
	b.WriteString("| detections | rule | severity | tables | techniques | what to do first |\n|---|---|---|---|---|---|\n")
	sorted := slices.SortedFunc(slices.Values(rules), func(x, y *Rule) int {
		return cmp.Or(cmp.Compare(strings.Join(detections(x), " "), strings.Join(detections(y), " ")), cmp.Compare(x.Name, y.Name))
	})
	for _, r := range sorted {
		var tables []string
		if c := compileRule(r, env); c.program != nil {
			tables = c.program.Tables
		}
		severity := r.Severity.String()
		if r.Override.SeverityColumn != "" {
			severity += ", by record"
		}
		first := ""
		if m := firstStep.FindStringSubmatch("\n" + r.Description); m != nil {
			first = strings.Join(strings.Fields(m[1]), " ")
		}
		fmt.Fprintf(&b, "| %s | [%s](../rule/defaults/%s) | %s | %s | %s | %s |\n", strings.Join(detections(r), " "), r.Name, r.File, severity,
			strings.Join(tables, " "), strings.Join(r.Techniques, " "), strings.ReplaceAll(first, "|", `\|`))
	}
	return b.String()
}

// detections gives the detections that a rule's tags name, in order.
func detections(r *Rule) []string {
	var out []string
	for _, t := range r.Tags {
		if detectionTag.MatchString(t) {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}
