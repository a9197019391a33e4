package kql

import "strings"

func (c *Condition) holds(text string) bool {
	for _, v := range c.Values {
		switch c.Op {
		case Equals:
			if text == v {
				return true
			}
		case EqualsFold:
			// The lower case of the capital I with a dot is i, which EqualFold does not know.
			if strings.EqualFold(text, v) || strings.EqualFold(strings.ToLower(text), v) {
				return true
			}
		case Contains:
			if strings.Contains(text, v) {
				return true
			}
		case ContainsFold:
			if strings.Contains(strings.ToLower(text), strings.ToLower(v)) {
				return true
			}
		}
	}
	return false
}
