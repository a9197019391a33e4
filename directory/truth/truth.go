// Package truth is Kleene's three-valued logic: what is true, what is false, and
// what could not be found out. An answer that does not depend on what is unknown
// is definite; every other is unknown, and unknown is never taken for true.
package truth

// A Value is a truth value. The zero value is Unknown, so that what nobody has
// read is not known. The order is False < Unknown < True: And is the lesser of
// two and Or the greater.
type Value int8

// The values.
const (
	False   Value = -1
	Unknown Value = 0
	True    Value = 1
)

// Of gives True or False.
func Of(b bool) Value {
	if b {
		return True
	}
	return False
}

// And is true if both are, and false if one is.
func (v Value) And(w Value) Value { return min(v, w) }

// Or is true if one is, and false if both are.
func (v Value) Or(w Value) Value { return max(v, w) }

// Not turns true and false about and leaves what is unknown.
func (v Value) Not() Value { return -v }

// Known says that the value is True or False.
func (v Value) Known() bool { return v != Unknown }

// All is the And of a list; of nothing it is True.
func All(list ...Value) Value {
	all := True
	for _, v := range list {
		all = min(all, v)
	}
	return all
}

// Any is the Or of a list; of nothing it is False.
func Any(list ...Value) Value {
	one := False
	for _, v := range list {
		one = max(one, v)
	}
	return one
}

// String gives "true", "false" or "unknown".
func (v Value) String() string {
	switch v {
	case True:
		return "true"
	case False:
		return "false"
	}
	return "unknown"
}

// MarshalText writes what String gives.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
