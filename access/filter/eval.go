package filter

import (
	"strings"

	"glassward/directory/truth"
)

// A Value is what an object has in a property. The zero value is not known.
type Value struct {
	kind  valueKind
	texts []string
}

type valueKind int8

const (
	unknownValue valueKind = iota
	nullValue
	textValue
	listValue
)

// Null is the value of a property that the object does not have: every property of
// a device that is not registered.
func Null() Value { return Value{kind: nullValue} }

// Text is a text.
func Text(s string) Value { return Value{textValue, []string{s}} }

// Bool is True or False, as rules write them; Unknown is not known.
func Bool(v truth.Value) Value {
	switch v {
	case truth.True:
		return Text("True")
	case truth.False:
		return Text("False")
	}
	return Value{}
}

// List is a collection of texts.
func List(list ...string) Value { return Value{listValue, list} }

// One gives the text of a value that is one text, and "" of every other.
func (v Value) One() string {
	if v.kind != textValue {
		return ""
	}
	return v.texts[0]
}

// Known says whether it is.
func (v Value) Known() bool { return v.kind != unknownValue }

// Eval judges the rule.
func (x *And) Eval(property func(string) Value) truth.Value {
	v := truth.True
	for _, p := range x.Parts {
		v = v.And(p.Eval(property))
	}
	return v
}

// Eval judges the rule.
func (x *Or) Eval(property func(string) Value) truth.Value {
	v := truth.False
	for _, p := range x.Parts {
		v = v.Or(p.Eval(property))
	}
	return v
}

// Eval judges the rule.
func (x *Not) Eval(property func(string) Value) truth.Value { return x.Part.Eval(property).Not() }

// Eval judges the comparison. Upper and lower case are the same. Of a property that
// is null the positive operators are false and the negative ones true, so that a
// device that is not registered is "not compliant", and not unknown. On a
// collection, contains looks for a whole element, on a text for a part of it.
func (x *Comparison) Eval(property func(string) Value) truth.Value {
	v := property(strings.ToLower(x.Property))
	if v.kind == unknownValue {
		return truth.Unknown
	}
	op, negative := x.positive()
	holds := false
	if v.kind == nullValue {
		for _, l := range x.Values {
			holds = holds || l.Bare && strings.EqualFold(l.Text, "null") && (op == "eq" || op == "in")
		}
		return truth.Of(holds != negative)
	}
	for _, have := range v.texts {
		for _, want := range x.Values {
			holds = holds || match(op, v.kind == listValue, strings.ToLower(have), strings.ToLower(want.Text))
		}
	}
	return truth.Of(holds != negative)
}

// positive gives the operator without its negation, and whether it was negated.
func (x *Comparison) positive() (op string, negative bool) {
	switch x.Op {
	case "ne":
		return "eq", true
	case "notStartsWith":
		return "startsWith", true
	case "notEndsWith":
		return "endsWith", true
	case "notContains":
		return "contains", true
	case "notIn":
		return "in", true
	}
	return x.Op, false
}

func match(op string, collection bool, have, want string) bool {
	switch op {
	case "startsWith":
		return strings.HasPrefix(have, want)
	case "endsWith":
		return strings.HasSuffix(have, want)
	case "contains":
		if !collection {
			return strings.Contains(have, want)
		}
	}
	return have == want
}
