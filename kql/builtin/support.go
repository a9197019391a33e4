package builtin

import (
	"fmt"
	"strings"
)

// Support gives docs/kql-support.md: everything that the table holds, what is refused with the reason.
func Support() string {
	var b strings.Builder
	b.WriteString("# What of KQL is supported\n\n")
	b.WriteString("This page is made from the vocabulary (`kql/builtin/functions.txt`) by `make docs`; a test holds that it is\ncurrent. The language is Microsoft's, described at <https://learn.microsoft.com/kusto/query/>. What is refused\nis refused by name, at its place in the query, when the query is compiled.\n\n")
	b.WriteString("| | supported | refused |\n|---|---:|---:|\n")
	kinds := []struct {
		kind  Kind
		title string
	}{{Operator, "Operators"}, {Scalar, "Functions"}, {Aggregate, "Aggregates"}, {Window, "Functions of neighbouring rows"}, {Table, "Functions of tables"}, {Plugin, "Plugins"}}
	for _, k := range kinds {
		yes, no := 0, 0
		for _, f := range All() {
			switch {
			case f.Kind != k.kind:
			case f.Unsupported != "":
				no++
			default:
				yes++
			}
		}
		fmt.Fprintf(&b, "| %s | %d | %d |\n", k.title, yes, no)
	}
	for _, k := range kinds {
		fmt.Fprintf(&b, "\n## %s\n", k.title)
		section, begun := "", false
		for _, f := range All() {
			if f.Kind != k.kind || f.Unsupported != "" {
				continue
			}
			if f.Section != section || !begun {
				section, begun = f.Section, true
				if section != "" {
					fmt.Fprintf(&b, "\n### %s\n", strings.ToUpper(section[:1])+section[1:])
				}
				fmt.Fprintf(&b, "\n| %s | |\n|---|---|\n", strings.ToLower(k.title))
			}
			name := f.Signature()
			if k.kind == Operator {
				name = f.Name
			}
			doc := f.Doc
			if len(f.Aliases) > 0 {
				doc += " Also written " + code(f.Aliases) + "."
			}
			fmt.Fprintf(&b, "| `%s` | %s |\n", cell(name), cell(doc))
		}
		writeRefused(&b, k.kind)
	}
	return b.String()
}

// writeRefused gives the names of a kind that are refused, those with one reason in one row.
func writeRefused(b *strings.Builder, k Kind) {
	names := map[string][]string{}
	var reasons []string
	for _, f := range All() {
		if f.Kind != k || f.Unsupported == "" {
			continue
		}
		if names[f.Unsupported] == nil {
			reasons = append(reasons, f.Unsupported)
		}
		names[f.Unsupported] = append(append(names[f.Unsupported], f.Name), f.Aliases...)
	}
	if len(reasons) == 0 {
		return
	}
	b.WriteString("\n### Refused\n\n| | why |\n|---|---|\n")
	for _, r := range reasons {
		fmt.Fprintf(b, "| %s | %s |\n", code(names[r]), cell(r))
	}
}

func code(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "`" + cell(n) + "`"
	}
	return strings.Join(out, ", ")
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
