package syntax

import "reflect"

// Inspect calls f for a node and everything below it, a node before its parts and these in the order of
// their fields. Where f gives false, the node's parts are left out. An Ident is no node of its own here.
//
// It finds the parts by reflection: a node that is added to the tree needs no line here, and nobody who
// looks for something in queries can forget one.
func Inspect(n Node, f func(Node) bool) {
	if n == nil || reflect.ValueOf(n).IsNil() || !f(n) {
		return
	}
	inspectParts(reflect.ValueOf(n).Elem(), f)
}

var nodeType = reflect.TypeFor[Node]()

func inspectParts(v reflect.Value, f func(Node) bool) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		switch {
		case v.IsNil():
		case v.Kind() == reflect.Interface:
			inspectParts(v.Elem(), f)
		case v.Type().Implements(nodeType):
			Inspect(v.Interface().(Node), f)
		default:
			inspectParts(v.Elem(), f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			inspectParts(v.Index(i), f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				inspectParts(v.Field(i), f)
			}
		}
	}
}
