package glassward

// IsGUID reports whether a text has the one form in which Entra writes the ids of
// tenants, objects and applications: five groups of hexadecimal digits of either
// case, with dashes and without braces.
func IsGUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return false
			}
		}
	}
	return true
}
