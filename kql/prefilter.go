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
			if strings.EqualFold(text, v) {
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
