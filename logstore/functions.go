package logstore

import "glassward/kql/eval"

// functions gives the functions of Go that queries call.
func functions(places *Places) []*scalar {
	var out []*scalar
	all := eval.Functions()
	if places != nil {
		all = append(all, eval.AddressFunction(places.Find))
	}
	for _, f := range all {
		out = append(out, &scalar{name: f.Name, params: f.Params, result: f.Result, nullIn: f.NullIn, call: f.Call, until: f.Until})
	}
	return out
}
