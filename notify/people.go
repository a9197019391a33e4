package notify

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
	"time"

	"glassward"
)

// A Person is somebody who may take incidents up.
type Person struct {
	Name string `yaml:"name" json:"name"`
	// PIN proves the person where a code of a text message is not at hand: at least
	// minPIN characters without blanks, by reference. Digits can be keyed in on a
	// telephone.
	PIN glassward.Secret `yaml:"pin,omitempty" json:"pin,omitempty" jsonschema:"description=env:NAME or file:PATH of a PIN of at least 6 characters, with which the person takes up critical incidents"`
	// Receivers are the person's own, "group/receiver": what comes back from them is
	// the person's. A PIN is good for the incidents of their groups, and for all
	// where there are none.
	Receivers []string `yaml:"receivers,omitempty" json:"receivers,omitempty" jsonschema:"description=The person's own receivers as group/receiver: what comes back from them is the person's. The PIN is good for the incidents of their groups; for all if left out"`
}

const (
	minPIN = 6
	maxPIN = 64
)

func (c Config) validatePeople(all *problems) {
	seen := map[string]bool{}
	of := map[string]string{}
	for i, person := range c.People {
		p := all.in("people[%d] %s", i, person.Name)
		p.name(person.Name, seen)
		p.secret("pin", person.PIN)
		for _, r := range person.Receivers {
			group, name := splitName(r)
			if !slices.ContainsFunc(c.Receivers(group), func(x string) bool { return strings.EqualFold(x, name) }) {
				p.say("receivers: there is no receiver %q; write group/receiver, as glassward notify test prints them", PlainText(r))
			}
			if other := of[strings.ToLower(r)]; other != "" {
				p.say("receivers: %s is %s's already", PlainText(r), other)
			}
			of[strings.ToLower(r)] = person.Name
		}
	}
}

// PersonOf gives the person whose receiver ("group/receiver") it is, if the
// configuration says.
func (c Config) PersonOf(receiver string) (Person, bool) {
	for _, p := range c.People {
		if slices.ContainsFunc(p.Receivers, func(r string) bool { return strings.EqualFold(r, receiver) }) {
			return p, true
		}
	}
	return Person{}, false
}

// ByPIN gives the person whose PIN it is, of those who are told of an incident of
// the groups. Every PIN is compared, each in constant time. The error joins what
// keeps PINs from being read; the others count all the same.
func (c Config) ByPIN(pin string, groups []string) (found Person, ok bool, err error) {
	var errs []error
	for _, p := range c.People {
		if p.PIN == "" || !p.concerned(groups) {
			continue
		}
		want, err := p.PIN.Reveal()
		switch {
		case err != nil:
			errs = append(errs, errors.New(p.Name+": "+err.Error()))
			continue
		case len(want) < minPIN || len(want) > maxPIN || strings.ContainsAny(want, " \t\r\n"):
			errs = append(errs, errors.New(p.Name+": the PIN needs 6 to 64 characters without blanks; it is not accepted"))
			continue
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(pin)) == 1 && !ok {
			found, ok = p, true
		}
	}
	return found, ok, errors.Join(errs...)
}

func (p Person) concerned(groups []string) bool {
	return len(p.Receivers) == 0 || slices.ContainsFunc(p.Receivers, func(r string) bool {
		group, _ := splitName(r)
		return slices.ContainsFunc(groups, func(g string) bool { return strings.EqualFold(g, group) })
	})
}

// Texts gives the receivers of the groups that get text messages, as
// "group/receiver".
func (c Config) Texts(groups []string) []string {
	var out []string
	for _, name := range groups {
		g, _ := c.Group(name)
		for _, r := range g.SMS {
			out = append(out, fullName(g.Name, r.Name))
		}
	}
	return out
}

// Depends says why a receiver ("group/receiver") stands or falls with the watched
// tenant, so that what comes back from it may be the tenant's owner, whoever that
// is just now; empty if it does not as far as can be seen. Name servers are asked
// for at most 2 s.
func (c Config) Depends(ctx context.Context, receiver string, w Watched) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	group, name := splitName(receiver)
	g, ok := c.Group(group)
	if !ok {
		return "it is no receiver of ours any more"
	}
	for _, r := range g.Email {
		if strings.EqualFold(r.Name, name) {
			server, _ := c.server(r)
			return w.mail(ctx, r.EmailAddress, server, map[string]string{})
		}
	}
	for _, s := range g.services() {
		if strings.EqualFold(s.label(), name) {
			_, why := s.lint(w)
			return why
		}
	}
	return "it is no receiver of ours any more"
}

// A Letter is what makes a message answerable by its receiver.
type Letter struct {
	// Link is the address of the incident's page for this receiver.
	Link string
	// Code proves whoever reads the text message; no other receiver shows it.
	Code string
}

// Speaker gives who is said to answer: the name that was given, else the person
// whose receiver it is, else the receiver.
func (c Config) Speaker(name, receiver string) string {
	p, _ := c.PersonOf(receiver)
	return cmp.Or(strings.TrimSpace(name), p.Name, receiver)
}
