package posture

import (
	"fmt"
	"time"

	"github.com/goccy/go-yaml"
)

// declaration is the YAML of [ParseDeclaration].
type declaration struct {
	Accounts []struct {
		ObjectID          string `yaml:"objectId"`
		UserPrincipalName string `yaml:"userPrincipalName"`
	} `yaml:"accounts"`
	Design      string   `yaml:"design"`
	Targeting   string   `yaml:"targeting"`
	Group       string   `yaml:"group"`
	Unit        string   `yaml:"unit"`
	Unlockers   []string `yaml:"unlockers"`
	Policies    []string `yaml:"policies"`
	Strength    string   `yaml:"strength"`
	Models      []string `yaml:"models"`
	OtherGroups []string `yaml:"otherGroups"`
	Proof       string   `yaml:"proof"`
	Recovery    []string `yaml:"recovery"`
	Practice    practice `yaml:",inline"`
	// Norms are by the names that a report gives them.
	Norms      map[string]int `yaml:"norms"`
	Exceptions []struct {
		Check  string `yaml:"check"`
		Object string `yaml:"object"`
		Owner  string `yaml:"owner"`
		Reason string `yaml:"reason"`
		Until  string `yaml:"until"`
	} `yaml:"exceptions"`
}

// unmarshal reads strict YAML. The decoder panics on some texts that are none, as a list
// with a tag that nobody knows: that too is an error.
func unmarshal(text []byte, into any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML cannot be read: %v", r)
		}
	}()
	return yaml.UnmarshalWithOptions(text, into, yaml.Strict())
}

// ParseDeclaration reads what a tenant declares about its emergency accounts from YAML:
// the fields of [Options] in lower camel case, norms by name, and the ends of exceptions
// as days, 2026-12-31. A key that it does not know, a norm that there is none of and a
// check that does not exist are errors, with line and column where YAML tells them.
func ParseDeclaration(text []byte) (Options, error) {
	var d declaration
	if err := unmarshal(text, &d); err != nil {
		return Options{}, err
	}
	o := Options{
		Design: d.Design, Targeting: d.Targeting, Group: d.Group, Unit: d.Unit, Unlockers: d.Unlockers,
		Policies: d.Policies, Strength: d.Strength, Models: d.Models, OtherGroups: d.OtherGroups, Proof: d.Proof, Recovery: d.Recovery,
	}
	for _, a := range d.Accounts {
		o.Accounts = append(o.Accounts, Account{a.ObjectID, a.UserPrincipalName})
	}
	var err error
	if o.Practice, err = d.Practice.read(); err != nil {
		return Options{}, err
	}
	left := len(d.Norms)
	for _, n := range norms {
		if value, ok := d.Norms[n.name]; ok {
			left--
			if value < 1 {
				return Options{}, fmt.Errorf("norm %s is %d: it is at least 1", n.name, value)
			}
			*n.at(&o.Norms) = value
		}
	}
	if left > 0 {
		for name := range d.Norms {
			if !normNamed(name) {
				return Options{}, fmt.Errorf("there is no norm %q", name)
			}
		}
	}
	for _, e := range d.Exceptions {
		until, err := time.Parse(time.DateOnly, e.Until)
		if err != nil {
			return Options{}, fmt.Errorf("the exception from %s ends %q: write a day, as 2026-12-31", e.Check, e.Until)
		}
		if _, ok := logic[e.Check]; !ok {
			return Options{}, fmt.Errorf("there is no check %q to except from", e.Check)
		}
		o.Exceptions = append(o.Exceptions, Exception{e.Check, e.Object, e.Owner, e.Reason, until})
	}
	return o, nil
}

func normNamed(name string) bool {
	for _, n := range norms {
		if n.name == name {
			return true
		}
	}
	return false
}
