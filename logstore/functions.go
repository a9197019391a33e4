package logstore

import "glassward/kql/eval"

// functions gives the functions of Go that queries call.
func functions() []*scalar {
	var out []*scalar
	for _, f := range eval.Functions() {
		out = append(out, &scalar{name: f.Name, params: f.Params, result: f.Result, nullIn: f.NullIn, call: f.Call})
	}
	return out
}
