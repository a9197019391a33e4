package rule

import (
	"cmp"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	detectionTag = regexp.MustCompile(`^D[0-9]{2}$`)
	firstStep    = regexp.MustCompile(`(?s)\n1\. (.*?)(\n2\. |\n\n|$)`)
)

//go:embed defaults/untold.tsv
var untold string

// Untold gives the detections of the catalogue that no shipped rule tells, in order,
// each with the reason.
func Untold() [][2]string {
	var out [][2]string
	for _, row := range tabbed(untold).Rows {
		out = append(out, [2]string{row[0].(string), row[1].(string)})
	}
	return out
}

// Catalogue gives docs/detections.md: for each rule its detections (the tags D01
// to D74), severity, tables, techniques and what its description says to do first,
// and what no rule tells, with the reason. The environment gives the tables of their
// queries.
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
	b.WriteString("\n## What no rule tells\n\nOther changes of configuration and what is done outside of the logs is watched by other\nmeans, or not yet.\n\n| detection | why records do not show it |\n|---|---|\n")
	for _, d := range Untold() {
		fmt.Fprintf(&b, "| %s | %s |\n", d[0], d[1])
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
