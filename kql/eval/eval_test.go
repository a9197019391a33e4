package eval_test

import (
	"math"
	"strings"
	"testing"

	"glassward/kql/eval"
	"glassward/kql/value"
)

func TestFunctions(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range eval.Functions() {
		if seen[f.Name] {
			t.Errorf("%s is there twice", f.Name)
		}
		seen[f.Name] = true
		if !strings.HasPrefix(f.Name, "kql_") {
			t.Errorf("%s has another name than the functions of this package", f.Name)
		}
		if f.Variadic && f.Params[len(f.Params)-1] != value.Dynamic {
			t.Errorf("%s: the last parameter of a variadic function is an array", f.Name)
		}
	}
}

// samples gives values of a type that functions are fed with.
func samples(t value.Type, text string, n int64, f float64) []any {
	switch t {
	case value.Bool:
		return []any{nil, true, false}
	case value.Int, value.Long, value.DateTime, value.TimeSpan:
		return []any{nil, n, int64(0), int64(-1), int64(math.MaxInt64), int64(math.MinInt64), int64(637134336000000000)}
	case value.Decimal:
		a, _ := value.ParseDec("-0.000123")
		b, _ := value.DecOfReal(f, value.RealDigits)
		if b == "" {
			b = value.DecOf(n)
		}
		return []any{nil, string(b), string(value.DecOf(n)), string(value.DecOf(0)), string(a), ""}
	case value.Real:
		return []any{nil, f, math.NaN(), math.Inf(1), -1e300, 0.0}
	case value.Dynamic:
		if _, ok := value.ParseJSON(text); !ok {
			text = value.JSON(text)
		}
		return []any{nil, text, `[1,2.5,"a",null,{"b":[]}]`, `{"a":{"b":[1]},"$.c":null}`, `"x"`, `[]`, `[[1,2],[3]]`, `[9223372036854775807,1]`}
	}
	return []any{"", text, "a.b-c", "10.0.0.1/24", "2020-01-01", "(", "$.a[0]", "day"}
}

// FuzzFunctions calls every function with all sorts of values: none may panic, and what one gives is
// null or of its type, JSON where it is dynamic.
func FuzzFunctions(f *testing.F) {
	f.Add("hello world", int64(3), 1.5)
	f.Add(`{"kind":"simple","parts":[["star"],["text","a"],["column","long"]]}`, int64(-5), math.Copysign(0, -1))
	f.Add("\\1(\xff", int64(1<<40), 1e18)
	f.Add(`{"x":"y","parts":[["x"],["text"],["column"]]}`, int64(-5), 76.0)
	all := eval.Functions()
	f.Fuzz(func(t *testing.T, text string, n int64, x float64) {
		if len(text) > 1000 {
			return
		}
		for i := range all {
			fn := &all[i]
			if fn.Name == "kql_range" || fn.Name == "kql_repeat" || fn.Name == "kql_series" || fn.Name == "kql_axis" {
				continue // TestBounds has them: a million elements take their time
			}
			choices := make([][]any, len(fn.Params))
			for p, ty := range fn.Params {
				choices[p] = samples(ty, text, n, x)
			}
			for round := range 3 {
				args := make([]any, len(fn.Params))
				null := false
				for p := range args {
					args[p] = choices[p][(round+p*3+int(uint64(n)%7))%len(choices[p])]
					null = null || args[p] == nil
				}
				if null && !fn.NullIn {
					continue
				}
				got, err := fn.Call(args)
				if err != nil && fn.Name != "kql_scan" && !strings.HasSuffix(fn.Name, "_segments") { // which refuse what is no program or no table
					t.Fatalf("%s%v: %v", fn.Name, args, err)
				}
				if !fits(got, fn.Result) {
					t.Fatalf("%s%v = %#v, which is no %s", fn.Name, args, got, fn.Result)
				}
			}
		}
	})
}

func fits(v any, t value.Type) bool {
	if v == nil {
		return true
	}
	switch v := v.(type) {
	case bool:
		return t == value.Bool
	case int64:
		return t == value.Long || t == value.Int || t == value.DateTime || t == value.TimeSpan
	case float64:
		return t == value.Real
	case string:
		if t == value.Dynamic {
			_, ok := value.ParseJSON(v)
			return ok
		}
		return t == value.String || t == value.GUID || t == value.Decimal
	}
	return false
}

func TestHas(t *testing.T) {
	for _, c := range []struct {
		text, term string
		want       bool
	}{
		{"alpha-beta", "alpha", true}, {"alpha_beta", "ALPHA", true}, {"alphabet", "alpha", false}, {"x alpha", "alpha", true}, {"", "a", false}, {"a", "", true},
		{"étage", "tage", false}, {"a.b.c", "b.c", true}, {"a.bb.c", "b.c", false}, {"user@contoso.com", "contoso", true}, {"xalpha alpha", "alpha", true},
	} {
		if got := eval.Has(c.text, c.term, false, true, true); got != c.want {
			t.Errorf("Has(%q, %q) = %v", c.text, c.term, got)
		}
	}
}

func TestFormatDateTime(t *testing.T) {
	at, _ := value.ParseDateTime("2007-03-09T17:05:04.0120000Z")
	for _, c := range [][2]string{
		{"yyyy-MM-dd HH:mm:ss.fffffff", "2007-03-09 17:05:04.0120000"}, {"d/M/yy h:m:s tt", "9/3/07 5:5:4 PM"}, {"s.FFF", "4.012"}, {"[HH]_mm", "[17]_05"},
	} {
		if got := eval.FormatDateTime(at, c[0]); got != c[1] {
			t.Errorf("%s: %q, want %q", c[0], got, c[1])
		}
	}
	if got := eval.FormatTimeSpan(-value.Day-2*value.Hour-value.Second, "d.hh:mm:ss"); got != "-1.02:00:01" {
		t.Errorf("span: %q", got)
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		name string
		args []any
	}{
		{"kql_range", []any{"1", "9223372036854775807", "1"}}, {"kql_range", []any{"1", "1e300", "1.5"}}, {"kql_repeat", []any{`"xxxxxxxxxx"`, int64(math.MaxInt64)}},
		{"kql_series", []any{"[1]", "[1]", int64(math.MaxInt64), "0"}}, {"kql_axis", []any{"long", int64(math.MaxInt64), 0.0, 1.0, int64(0), int64(1)}},
		{"kql_strrep", []any{strings.Repeat("x", 1<<20), int64(1024), ""}}, {"kql_replace_string", []any{strings.Repeat("x", 1<<20), "x", strings.Repeat("y", 1000)}},
	} {
		f, ok := eval.Lookup(c.name)
		if !ok {
			t.Fatalf("no %s", c.name)
		}
		got, err := f.Call(c.args)
		if s, _ := got.(string); err != nil || len(s) > eval.MaxJSON || f.Result == value.String && len(s) > eval.MaxText {
			t.Errorf("%s gives %d bytes, %v", c.name, len(s), err)
		}
	}
}
