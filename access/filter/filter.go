// Package filter is the language of Conditional Access's filters for devices,
// applications and workload identities: comparisons of properties, joined by -and,
// -or, -not and parentheses, in the syntax of dynamic groups.
//
//	device.isCompliant -eq True -or (device.trustType -in ["ServerAD", "AzureAD"])
//
// Parse gives the tree, [Expr.String] writes it, Eval judges it with three-valued
// logic over what is known of the object.
//
// Microsoft describes it in "Conditional Access: Filter for devices".
package filter

import (
	"fmt"
	"slices"
	"strings"

	"glassward/directory/truth"
)

// MaxLength is how many characters Graph takes for a rule.
const MaxLength = 3072

// An Expr is a rule or a part of one: *And, *Or, *Not or *Comparison.
type Expr interface {
	// String writes the rule as Parse reads it.
	String() string
	// Eval judges the rule of an object whose properties are given by name, in lower
	// case and with what stands before the dot, as "device.iscompliant".
	Eval(property func(name string) Value) truth.Value
	precedence() int
}

// And holds if every one of at least two parts does.
type And struct{ Parts []Expr }

// Or holds if one of at least two parts does.
type Or struct{ Parts []Expr }

// Not holds if its part does not.
type Not struct{ Part Expr }

// A Comparison compares a property.
type Comparison struct {
	// Property is as it was written, as "device.isCompliant".
	Property string
	// Op is eq, ne, startsWith, notStartsWith, endsWith, notEndsWith, contains,
	// notContains, in, notIn.
	Op string
	// Values are what it is compared with: one, or those of the list of in and notIn.
	Values []Literal
	// At is the offset in bytes at which the property stands in the rule.
	At int
}

// A Literal is a value in a rule.
type Literal struct {
	Text string
	// Bare says that it was written without quotes: True, False, null or a number.
	Bare bool
}

// Op names, in the order of the documentation.
var operators = []string{"eq", "ne", "startsWith", "notStartsWith", "endsWith", "notEndsWith", "contains", "notContains", "in", "notIn"}

// String writes the rule.
func (x *And) String() string { return join(x.Parts, " -and ", x.precedence()) }

// String writes the rule.
func (x *Or) String() string { return join(x.Parts, " -or ", x.precedence()) }

// String writes the rule.
func (x *Not) String() string {
	// A comparison after -not stands in parentheses, as the portal writes it.
	return "-not (" + x.Part.String() + ")"
}

// String writes the rule.
func (x *Comparison) String() string {
	values := make([]string, len(x.Values))
	for i, v := range x.Values {
		values[i] = v.String()
	}
	if x.list() {
		return x.Property + " -" + x.Op + " [" + strings.Join(values, ", ") + "]"
	}
	return x.Property + " -" + x.Op + " " + values[0]
}

func (x *Comparison) list() bool { return x.Op == "in" || x.Op == "notIn" }

// String writes the value as it stands in a rule.
func (l Literal) String() string {
	if l.Bare {
		return l.Text
	}
	return `"` + quote.Replace(l.Text) + `"`
}

var quote = strings.NewReplacer("`", "``", `"`, "`\"")

func (*Or) precedence() int         { return 1 }
func (*And) precedence() int        { return 2 }
func (*Not) precedence() int        { return 3 }
func (*Comparison) precedence() int { return 4 }

func join(parts []Expr, with string, precedence int) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.String()
		if p.precedence() <= precedence {
			texts[i] = "(" + texts[i] + ")"
		}
	}
	return strings.Join(texts, with)
}

// Properties gives the names of the properties of a rule, in lower case, sorted.
func Properties(x Expr) []string {
	var names []string
	for _, c := range Comparisons(x) {
		names = append(names, strings.ToLower(c.Property))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Comparisons gives the comparisons of a rule in their order.
func Comparisons(x Expr) []*Comparison {
	switch x := x.(type) {
	case *And:
		return all(x.Parts)
	case *Or:
		return all(x.Parts)
	case *Not:
		return Comparisons(x.Part)
	case *Comparison:
		return []*Comparison{x}
	}
	return nil
}

func all(parts []Expr) []*Comparison {
	var list []*Comparison
	for _, p := range parts {
		list = append(list, Comparisons(p)...)
	}
	return list
}

// A SyntaxError says what is wrong with a rule and where.
type SyntaxError struct {
	// Offset is where, in bytes from the beginning of the rule.
	Offset int
	// What says what was expected or is not allowed.
	What string
}

// Error gives the place, counted from 1, and what is wrong there.
func (e *SyntaxError) Error() string { return fmt.Sprintf("at %d: %s", e.Offset+1, e.What) }
