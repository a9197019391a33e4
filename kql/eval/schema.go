package eval

import (
	"slices"

	"glassward/kql/value"
)

// schemaFunctions make the least schema that admits values: a type's name, a bag of properties, for the
// elements of arrays a bag with the property `indexer`, or an array of these where values differ.
func schemaFunctions() []Function {
	return []Function{
		fn("schema_of", types(tDyn), tDyn, func(a []any) any {
			list, _ := array(a[0])
			var s schema
			for _, e := range list {
				s.admit(e, 0)
			}
			return js(s.value())
		}),
	}
}

type schema struct {
	names []string // of plain types, in the order in which they came
	bag   *schemaBag
	items *schema
}

type schemaBag struct {
	keys  []string
	props map[string]*schema
}

// maxProperties bounds the properties of a bag that a schema tells of.
const maxProperties = 4096

func (s *schema) admit(v any, depth int) {
	switch v := v.(type) {
	case nil:
	case []any:
		if s.items == nil {
			s.items = &schema{}
		}
		for _, e := range v {
			s.items.admit(e, depth+1)
		}
	case *value.Object:
		if s.bag == nil {
			s.bag = &schemaBag{props: map[string]*schema{}}
		}
		for _, m := range v.Members {
			p := s.bag.props[m.Key]
			if p == nil {
				if len(s.bag.keys) >= maxProperties {
					continue
				}
				p = &schema{}
				s.bag.props[m.Key] = p
				s.bag.keys = append(s.bag.keys, m.Key)
			}
			p.admit(m.Value, depth+1)
		}
	default:
		if n := typeName(v); !slices.Contains(s.names, n) {
			s.names = append(s.names, n)
		}
	}
}

func (s *schema) value() any {
	var out []any
	for _, n := range s.names {
		out = append(out, n)
	}
	if s.bag != nil || s.items != nil {
		o := &value.Object{}
		if s.bag != nil {
			for _, k := range s.bag.keys {
				o.Set(k, s.bag.props[k].value())
			}
		}
		if s.items != nil {
			o.Set("`indexer`", s.items.value())
		}
		out = append(out, o)
	}
	switch len(out) {
	case 0:
		return &value.Object{}
	case 1:
		return out[0]
	}
	return out
}
