package filter_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"glassward/access/filter"
	"glassward/directory/truth"
)

// testdata/rules.txt: a rule, after "=>" how it is written, after "unregistered" and
// "compliant" what it is of such devices; or the error.
func TestRules(t *testing.T) {
	b, err := os.ReadFile("testdata/rules.txt")
	if err != nil {
		t.Fatal(err)
	}
	devices := map[string]func(string) filter.Value{
		"unregistered":  func(string) filter.Value { return filter.Null() },
		"nothing-known": func(string) filter.Value { return filter.Value{} },
		"compliant": func(name string) filter.Value {
			switch name {
			case "device.iscompliant":
				return filter.Bool(truth.True)
			case "device.trusttype":
				return filter.Text("AzureAD")
			case "device.systemlabels":
				return filter.List("CloudPC", "M365Managed")
			case "device.displayname":
				return filter.Text("PAW-0007")
			case "device.extensionattribute1":
				return filter.Value{}
			}
			return filter.Null()
		},
	}
	var rule string
	for n, line := range strings.Split(string(b), "\n") {
		name, want, _ := strings.Cut(line, " ")
		switch {
		case line == "" || name == "#":
		case name == "rule":
			rule = want
		case name == "error":
			_, err := filter.Parse(rule)
			var syntax *filter.SyntaxError
			if !errors.As(err, &syntax) || err.Error() != want {
				t.Errorf("line %d: %v, want %s", n+1, err, want)
			}
		default:
			x, err := filter.Parse(rule)
			if err != nil {
				t.Errorf("line %d: %v", n+1, err)
				continue
			}
			have := x.String()
			if name != "=>" {
				have = x.Eval(devices[name]).String()
			}
			if have != want {
				t.Errorf("line %d: %s %s is %s, want %s", n+1, name, rule, have, want)
			}
		}
	}
}

// genExpr makes rules of every shape.
func genExpr(depth int) *rapid.Generator[filter.Expr] {
	return rapid.Custom(func(t *rapid.T) filter.Expr {
		shape := 0
		if depth > 0 {
			shape = rapid.IntRange(0, 3).Draw(t, "shape")
		}
		part := func() filter.Expr { return genExpr(depth-1).Draw(t, "part") }
		several := func() []filter.Expr {
			var list []filter.Expr
			for range rapid.IntRange(2, 3).Draw(t, "parts") {
				list = append(list, part())
			}
			return list
		}
		switch shape {
		case 1:
			return &filter.And{Parts: several()}
		case 2:
			return &filter.Or{Parts: several()}
		case 3:
			return &filter.Not{Part: part()}
		}
		c := &filter.Comparison{
			Property: rapid.SampledFrom([]string{"device.isCompliant", "device.trustType", "device.physicalIds", "CustomSecurityAttribute.Set_Name"}).Draw(t, "property"),
			Op:       rapid.SampledFrom([]string{"eq", "ne", "startsWith", "notStartsWith", "endsWith", "notEndsWith", "contains", "notContains", "in", "notIn"}).Draw(t, "op"),
		}
		n := 1
		if c.Op == "in" || c.Op == "notIn" {
			n = rapid.IntRange(1, 3).Draw(t, "values")
		}
		for range n {
			if rapid.Bool().Draw(t, "bare") {
				c.Values = append(c.Values, filter.Literal{Text: rapid.SampledFrom([]string{"True", "False", "null", "10.0"}).Draw(t, "word"), Bare: true})
			} else {
				c.Values = append(c.Values, filter.Literal{Text: rapid.String().Draw(t, "text")})
			}
		}
		return c
	})
}

var ignoreAt = cmpopts.IgnoreFields(filter.Comparison{}, "At")

// What is written is read as what it was, and written so again.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := genExpr(3).Draw(t, "rule")
		text := x.String()
		if len([]rune(text)) > filter.MaxLength {
			return
		}
		y, err := filter.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if d := cmp.Diff(x, y, ignoreAt); d != "" {
			t.Fatalf("%s is read otherwise:\n%s", text, d)
		}
		if again := y.String(); again != text {
			t.Fatalf("%s is written as %s", text, again)
		}
	})
}

// An answer that is definite stays what it is when more becomes known.
func TestMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := genExpr(3).Draw(t, "rule")
		facts := map[string]filter.Value{}
		for _, name := range filter.Properties(x) {
			facts[name] = rapid.SampledFrom([]filter.Value{filter.Null(), filter.Text("true"), filter.Text(""), filter.List("a", "True"), filter.Text("10.0")}).Draw(t, "fact")
		}
		known := map[string]filter.Value{}
		for name, v := range facts {
			if rapid.Bool().Draw(t, "known") {
				known[name] = v
			}
		}
		less := x.Eval(func(n string) filter.Value { return known[n] })
		more := x.Eval(func(n string) filter.Value { return facts[n] })
		if !more.Known() || less.Known() && less != more {
			t.Fatalf("%s is %v, and %v when more is known", x, less, more)
		}
	})
}

// Every filter of the policies that others published can be read.
func TestFiltersOfOthers(t *testing.T) {
	f, err := os.Open("../../../shared/samples/ca_policies.ndjson")
	if os.IsNotExist(err) {
		t.Log("the samples are not here")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, n := bufio.NewScanner(f), 0
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var p struct {
			Conditions struct {
				Devices struct{ DeviceFilter struct{ Rule string } }
			}
		}
		if json.Unmarshal(lines.Bytes(), &p) != nil || p.Conditions.Devices.DeviceFilter.Rule == "" {
			continue
		}
		n++
		if _, err := filter.Parse(p.Conditions.Devices.DeviceFilter.Rule); err != nil {
			t.Errorf("%s: %v", p.Conditions.Devices.DeviceFilter.Rule, err)
		}
	}
	if n != 20 {
		t.Errorf("%d filters, want 20", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`device.isCompliant -eq True -or device.trustType -eq "ServerAD"`)
	f.Add(`-not (device.model -notIn ["a", 'b'] and device.x -contains "` + "`\"" + `")`)
	f.Add(`((((`)
	f.Fuzz(func(t *testing.T, rule string) {
		x, err := filter.Parse(rule)
		if err != nil {
			var syntax *filter.SyntaxError
			if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(rule) {
				t.Fatalf("%q: %v", rule, err)
			}
			return
		}
		text := x.String()
		if len([]rune(text)) > filter.MaxLength {
			return // spaces, dashes and parentheses that were left out
		}
		y, err := filter.Parse(text)
		if err != nil {
			t.Fatalf("%q is written as %q: %v", rule, text, err)
		}
		if d := cmp.Diff(x, y, ignoreAt); d != "" {
			t.Fatalf("%q is written as %q:\n%s", rule, text, d)
		}
	})
}
