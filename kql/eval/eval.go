// Package eval holds the functions of KQL that SQL cannot say, in Go. The store registers them with the
// engine as scalar functions; they are pure, never panic on any input, and bound what they give.
//
// A value is nil (null), bool, int64 (int, long, datetime and timespan in ticks), float64 (real) or string
// (string, guid, dynamic as JSON text, decimal as a value.Dec).
package eval

import (
	"errors"
	"sync"

	"glassward/kql/value"
)

// Function is a scalar function of the engine. Its name begins with kql_.
type Function struct {
	Name   string
	Params []value.Type
	Result value.Type
	// NullIn says that the function is called for null arguments too; otherwise null gives null.
	NullIn bool
	// Variadic says that the last parameter is the JSON text of an array, into which the compiler puts
	// all further arguments. The engine sees one parameter of type dynamic.
	Variadic bool
	Call     func(args []any) (any, error)
	// Until is there for a function of which one call may take seconds: it is Call, and gives up once over says
	// that nobody waits for it any more.
	Until func(args []any, over func() bool) (any, error)
}

// errOver says that a function gave up because nobody waits for it.
var errOver = errors.New("nobody waits for it any more")

// Bounds on what one call gives.
const (
	MaxText  = 1 << 20 // bytes of a text, as Kusto's limit on a string
	MaxJSON  = 1 << 26 // bytes of a dynamic value, which aggregates of many records reach
	MaxItems = 1 << 20 // elements of an array
)

var table = sync.OnceValue(func() map[string]*Function {
	m := map[string]*Function{}
	for _, f := range Functions() {
		m[f.Name] = &f
	}
	return m
})

// Lookup finds a function by its name in the engine.
func Lookup(name string) (*Function, bool) {
	f, ok := table()[name]
	return f, ok
}

// Functions gives all functions. No two have the same name.
func Functions() []Function {
	var out []Function
	for _, group := range [][]Function{
		conversions(), termFunctions(), textFunctions(), regexFunctions(), patternFunctions(), arrayFunctions(), bagFunctions(), setFunctions(),
		seriesFunctions(), timeFunctions(), numberFunctions(), addressFunctions(), codecFunctions(), urlFunctions(), agentFunctions(), pluginFunctions(),
		statFunctions(), unitFunctions(), punycodeFunctions(), hashFunctions(), decimalFunctions(), geoFunctions(), sketchFunctions(), schemaFunctions(), analysisFunctions(), reduceFunctions(), segmentFunctions(),
	} {
		out = append(out, group...)
	}
	return append(out, machineFunction(out))
}

// Short names for the tables of functions.
const (
	tBool = value.Bool
	tInt  = value.Int
	tLong = value.Long
	tReal = value.Real
	tStr  = value.String
	tTime = value.DateTime
	tSpan = value.TimeSpan
	tGUID = value.GUID
	tDyn  = value.Dynamic
)

func types(ts ...value.Type) []value.Type { return ts }

// fn makes a function that gives null for null.
func fn(name string, params []value.Type, result value.Type, call func(a []any) any) Function {
	return Function{Name: "kql_" + name, Params: params, Result: result, Call: func(a []any) (any, error) { return bounded(call(a), result), nil }}
}

// nfn makes a function that sees nulls.
func nfn(name string, params []value.Type, result value.Type, call func(a []any) any) Function {
	f := fn(name, params, result, call)
	f.NullIn = true
	return f
}

// vfn makes a function whose last parameter takes any number of arguments.
func vfn(name string, params []value.Type, result value.Type, call func(a []any) any) Function {
	f := nfn(name, params, result, call)
	f.Variadic = true
	return f
}

// bounded cuts a text that grew beyond MaxText; JSON text beyond MaxJSON becomes null, since a part of it
// would be none.
func bounded(v any, t value.Type) any {
	if s, ok := v.(string); ok && len(s) > MaxText {
		if t == tDyn {
			if len(s) > MaxJSON {
				return nil
			}
			return s
		}
		for n := MaxText; n > MaxText-4; n-- {
			if s[n]&0xC0 != 0x80 {
				return s[:n]
			}
		}
		return s[:MaxText]
	}
	return v
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

func long(v any, def int64) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case int32:
		return int64(v)
	case int:
		return int64(v)
	}
	return def
}

func real(v any, def float64) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case int64:
		return float64(v)
	case int32:
		return float64(v)
	}
	return def
}

func truth(v any) bool {
	b, _ := v.(bool)
	return b
}

// dyn gives the value of JSON text; null and text that is no JSON give nil.
func dyn(v any) any {
	s, ok := v.(string)
	if !ok {
		return nil
	}
	d, _ := value.ParseJSON(s)
	return d
}

func array(v any) ([]any, bool) {
	a, ok := dyn(v).([]any)
	return a, ok
}

func bag(v any) (*value.Object, bool) {
	o, ok := dyn(v).(*value.Object)
	return o, ok
}

// js gives JSON text of a value, nil for null.
func js(v any) any {
	if v == nil {
		return nil
	}
	if a, ok := v.([]any); ok && len(a) > MaxItems {
		v = a[:MaxItems]
	}
	return value.JSON(v)
}

// strs gives the texts of an array's elements.
func strs(a []any) []string {
	out := make([]string, len(a))
	for i, e := range a {
		out[i] = value.Text(e)
	}
	return out
}
