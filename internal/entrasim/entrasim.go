// Package entrasim is a made-up Entra tenant that lives: people sign in by the
// hour, administrators change things, applications fetch tokens, and each road
// shows it in its own form and with its own delay, the same every time for the
// same seed. The demo and the tests of the collectors read from it, benchmarks
// draw records from it.
//
// What happens is an Event; when a road shows it is an Appearance. A World makes
// both. The servers that speak Microsoft's protocols stand in package cloud.
package entrasim

import (
	"slices"
	"strings"
	"time"
)

// The made-up tenant and what stands in it.
const (
	TenantID   = "7a6c1f50-3f0e-4b7e-9a55-0c9a52b7d101"
	TenantName = "nordlicht"
	Domain     = "nordlicht.example"

	// EA01 and EA02 are its emergency accounts.
	EA01 = "e1a00000-51b2-4c7d-8f01-9d2c6a7b0001"
	EA02 = "e1a00000-51b2-4c7d-8f01-9d2c6a7b0002"
	// Policy is a Conditional Access policy that stories change.
	Policy = "c0a70000-1d5e-4b0a-9a3c-77d1e2f30007"
	// Admin is the administrator who registers a method on EA01.
	Admin = "ad000000-2b6f-4d3e-a1c9-5f00d1e20003"
)

// A Tenant writes single records in the form of diagnostic settings, without a
// life of its own, for benchmarks and for tests that need a record at hand. It
// is not safe for concurrent use.
type Tenant struct{ l *living }

// New makes a tenant of two hundred people.
func New(seed uint64) *Tenant {
	w := NewWorld(Options{Seed: seed})
	return &Tenant{&living{w: w, dice: newDice(w.base)}}
}

// plain takes an event out, without the irregularities that records may have.
func (t *Tenant) plain(e *Event) *Event {
	t.l.out = t.l.out[:0]
	e.hash = ^uint64(0)
	return e
}

// SignIn writes one interactive sign-in of somebody, of some 2.6 kilobytes:
// that of a tenant with one policy.
func (t *Tenant) SignIn(at time.Time) []byte {
	code := 0
	switch n := t.l.IntN(100); {
	case n < 3:
		code = 50126
	case n < 5:
		code = 50074
	case n < 6:
		code = 53003
	}
	u := t.l.somebody(t.l.IntN(len(places)))
	e := t.l.sign(InteractiveSignIn, u, at, firstParty[t.l.IntN(5)], code)
	e.signIn.lean, e.signIn.second, e.signIn.device, e.signIn.applied = true, "", device{}, e.signIn.applied[:min(1, len(e.signIn.applied))]
	return t.plain(e).Diagnostic(1)
}

// SignInBy writes a completed sign-in of an account that is not one of the
// people, from an address of its own.
func (t *Tenant) SignInBy(at time.Time, id, name string) []byte {
	u := &User{ID: id, DisplayName: name, UserPrincipalName: strings.ToLower(name) + "@" + TenantName + ".onmicrosoft.example", UserType: "Member"}
	return t.plain(t.l.signElsewhere(u, at, firstParty[0], 0)).Diagnostic(1)
}

// signElsewhere is a sign-in with a security key from an address that nobody has
// seen.
func (l *living) signElsewhere(u *User, at time.Time, app firstPartyApp, code int) *Event {
	e := l.sign(InteractiveSignIn, u, at, app, code)
	e.signIn.place, e.signIn.ip, e.signIn.device = tallinn, tallinn.net+".77", device{}
	e.signIn.method, e.signIn.detail, e.signIn.second = "FIDO2 security key", "", "" // both factors in one
	if code != 0 {
		e.signIn.method = "Password"
	}
	return e
}

// Day writes the records of the 24 hours before end, oldest first: ordinary
// work, and in its last half hour a story. EA-01 signs in from an address that
// nobody has seen, a Conditional Access policy is switched off by it, and an
// administrator registers a new security method on EA-01.
func (t *Tenant) Day(end time.Time) [][]byte {
	l := t.l
	l.out = nil
	somewhen := func() time.Time { return end.Add(-l.within(24 * time.Hour)) }
	for range 400 {
		code := 0
		if l.IntN(25) == 0 {
			code = 50126
		}
		l.sign(InteractiveSignIn, l.somebody(l.IntN(len(places))), somewhen(), firstParty[l.IntN(5)], code)
	}
	for range 40 {
		of, by := l.somebody(l.IntN(len(places))), l.w.byKey["udo"]
		l.auditRecord(somewhen(), "Update user", "UserManagement", "Core Directory", "Update", actor{user: by}, by.ip, userTarget(of, change{"Department", quoted("Sales"), quoted("Support")}))
	}
	ea, mira, ip := l.w.byKey["EA-01"], l.w.byKey["mira"], tallinn.net+".77"
	l.signElsewhere(ea, end.Add(-26*time.Minute), firstParty[0], 50074)
	l.signElsewhere(ea, end.Add(-25*time.Minute), firstParty[0], 0)
	l.auditRecord(end.Add(-18*time.Minute), "Update conditional access policy", "Policy", "Conditional Access", "Update", actor{user: ea}, ip, l.w.policies[0].target("enabled", "disabled"))
	l.auditRecord(end.Add(-11*time.Minute), "Admin registered security info", "UserManagement", "Authentication Methods", "Add", actor{user: mira}, mira.ip, target{id: ea.ID, name: ea.DisplayName, upn: ea.UserPrincipalName, kind: "User"})
	list := l.out
	l.out = nil
	slices.SortStableFunc(list, func(a, b *Event) int { return a.At.Compare(b.At) })
	out := make([][]byte, len(list))
	for i, e := range list {
		e.hash = ^uint64(0)
		out[i] = e.Diagnostic(1)
	}
	return out
}
