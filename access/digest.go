package access

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"glassward/directory"
)

// Digest gives a number of 32 hexadecimal digits for all that verdicts on some accounts
// rest on: policies, those in the bin too, named locations, authentication contexts and
// strengths, methods and who may use them, security defaults, the restricted units that
// hold the accounts, and of each account its state, groups, roles and methods. As long as
// it is the same a proof is; the order in which Graph lists objects is not in it. An error says
// that something cannot be written, as a time beyond the year 9999.
func Digest(s *directory.Snapshot, accounts []string) (string, error) {
	c := s.Contents()
	type account struct {
		ID, UPN    string
		Enabled    any
		Groups     []string
		Roles      []string
		Methods    []string
		PerUserMFA string
	}
	type unit struct {
		ID         string
		Restricted any
		Members    []string
	}
	var d struct {
		Policies, Deleted []*directory.Policy
		Locations         []*directory.NamedLocation
		Contexts          []*directory.AuthenticationContext
		Strengths         []*directory.Strength
		Methods           *directory.MethodsPolicy
		SecurityDefaults  any
		Units             []unit
		Accounts          []account
	}
	d.Policies = ordered(s.Policies(), func(p *directory.Policy) string { return p.ID })
	d.Deleted = ordered(c.DeletedPolicies, func(p *directory.Policy) string { return p.ID })
	d.Locations = ordered(c.Locations, func(l *directory.NamedLocation) string { return l.ID })
	d.Contexts = ordered(c.Contexts, func(x *directory.AuthenticationContext) string { return x.ID })
	d.Strengths = ordered(c.Strengths, func(x *directory.Strength) string { return x.ID })
	d.Methods, d.SecurityDefaults = c.Methods, c.SecurityDefaults
	accounts = slices.Sorted(slices.Values(accounts))
	for _, u := range ordered(c.Units, func(u *directory.AdministrativeUnit) string { return u.ID }) {
		x := unit{ID: u.ID, Restricted: u.Restricted}
		held := false
		for _, m := range c.UnitMembers[u.ID] {
			x.Members = append(x.Members, m.ID)
			held = held || slices.Contains(accounts, m.ID)
		}
		if slices.Sort(x.Members); held {
			d.Units = append(d.Units, x)
		}
	}
	for _, id := range accounts {
		x := account{ID: id, PerUserMFA: c.PerUserMFA[id]}
		if u := s.User(id); u != nil {
			x.UPN, x.Enabled = u.UPN, u.Enabled
		}
		in := s.MemberOf(id)
		x.Groups = in.All()
		for _, a := range c.Schedules {
			if a.Principal == id || slices.Contains(x.Groups, a.Principal) {
				x.Roles = append(x.Roles, strings.Join([]string{a.Principal, a.Role, a.Scope, a.Type, a.MemberType, a.End.String()}, " "))
			}
		}
		for _, m := range c.Registered[id] {
			x.Methods = append(x.Methods, strings.Join([]string{m.ID, m.Kind, m.AAGUID, m.PasskeyType}, " "))
		}
		slices.Sort(x.Roles)
		slices.Sort(x.Methods)
		d.Accounts = append(d.Accounts, x)
	}
	text, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("the digest of what decides access: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]), nil
}

func ordered[T any](list []T, key func(T) string) []T {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	return list
}
