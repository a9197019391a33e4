package glassward

import (
	"fmt"
	"strings"
)

// A Severity is Sentinel's: Informational, Low, Medium or High. The order of
// the constants is the order of urgency, so that severities can be compared
// with <.
type Severity int

// The severities, mildest first.
const (
	Informational Severity = iota
	Low
	Medium
	High
)

var severityNames = [...]string{"Informational", "Low", "Medium", "High"}

// String gives the name, e.g. "High".
func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityNames) {
		return fmt.Sprintf("Severity(%d)", int(s))
	}
	return severityNames[s]
}

// Sev gives the severity as Azure Monitor's common alert schema writes it:
// "Sev0" for High to "Sev3" for Informational.
func (s Severity) Sev() string { return fmt.Sprintf("Sev%d", int(High-s)) }

// ParseSeverity reads a name in any case, or "Sev0".."Sev3".
func ParseSeverity(text string) (Severity, error) {
	for i, name := range severityNames {
		if strings.EqualFold(text, name) || strings.EqualFold(text, Severity(i).Sev()) {
			return Severity(i), nil
		}
	}
	return 0, fmt.Errorf("unknown severity %q: use Informational, Low, Medium or High", text)
}

// MarshalText and UnmarshalText make a Severity a name in JSON and YAML.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what ParseSeverity reads.
func (s *Severity) UnmarshalText(text []byte) error {
	v, err := ParseSeverity(string(text))
	if err != nil {
		return err
	}
	*s = v
	return nil
}
