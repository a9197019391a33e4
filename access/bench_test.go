package access_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"glassward/access"
	"glassward/directory"
	"glassward/directory/truth"
)

// large makes a tenant with many policies over a hundred named locations: a third of
// the policies are about the accounts, many of them block from somewhere.
func large(policies int) *directory.Snapshot {
	id := func(kind, i int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, i) }
	c := directory.Contents{
		Tenant: id(1, 1), Taken: time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC), Readings: map[directory.Part]directory.Reading{}, SecurityDefaults: truth.False,
		Members: map[string][]directory.Ref{}, Registered: map[string][]directory.Method{}, PerUserMFA: map[string]string{},
		Domains: []*directory.Domain{{Name: "contoso.onmicrosoft.com", AuthenticationType: "Managed"}},
		Methods: &directory.MethodsPolicy{Migration: "migrationComplete", Configurations: []*directory.MethodConfiguration{
			{ID: "Fido2", State: "enabled", Include: []directory.Target{{Kind: "group", ID: "all_users"}}}, {ID: "X509Certificate", State: "disabled"}}},
	}
	for _, p := range directory.Parts() {
		if p != directory.RoleSchedules && p != directory.MemberOf {
			c.Readings[p] = directory.Reading{State: directory.Read}
		}
	}
	for i := range 2 {
		c.Users = append(c.Users, &directory.User{ID: id(2, i), UPN: fmt.Sprintf("ea%d@contoso.onmicrosoft.com", i), Type: "Member", Enabled: truth.True})
		c.Registered[id(2, i)] = []directory.Method{{ID: "k", Kind: "fido2AuthenticationMethod", AAGUID: id(9, i), PasskeyType: "deviceBound"}}
		c.PerUserMFA[id(2, i)] = "disabled"
	}
	for g := range 50 {
		c.Groups = append(c.Groups, &directory.Group{ID: id(3, g)})
		c.Members[id(3, g)] = []directory.Ref{{ID: id(3, (g+1)%50)}}
	}
	c.Members[id(3, 0)] = []directory.Ref{{ID: id(2, 0)}, {ID: id(2, 1)}}
	for i := range 80 {
		l := &directory.NamedLocation{ID: id(4, i), Kind: directory.LocationIP, Trusted: truth.Of(i%10 == 0)}
		for k := range 10 {
			l.Ranges = append(l.Ranges, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i + k), byte(i * k), 0}), 16+k%9).Masked())
		}
		c.Locations = append(c.Locations, l)
	}
	countries := []string{"NO", "SE", "DK", "FI", "DE", "FR", "US", "CA", "GB", "IE", "ES", "PT", "IT", "CH", "AT", "NL", "BE", "PL", "CZ", "JP"}
	for i := range 20 {
		c.Locations = append(c.Locations, &directory.NamedLocation{ID: id(4, 80+i), Kind: directory.LocationCountry, Countries: countries[i/2 : i/2+5], UnknownCountries: truth.Of(i%4 == 0)})
	}
	platforms := []string{"windows", "macOS", "linux", "iOS", "android"}
	for i := range policies {
		p := &directory.Policy{ID: id(5, i), State: directory.PolicyEnabled, Conditions: directory.Conditions{
			Users:        &directory.UserCondition{IncludeUsers: []string{"All"}, ExcludeGroups: []string{id(3, 0)}},
			Applications: &directory.ApplicationCondition{Include: []string{"All"}},
		}, Grant: &directory.GrantControls{Operator: "OR", BuiltIn: []string{"block"}}}
		if i%3 == 0 {
			p.Conditions.Users = &directory.UserCondition{IncludeGroups: []string{id(3, i%50)}, ExcludeUsers: []string{id(2, 7)}}
		}
		switch i % 4 {
		case 0:
			p.Conditions.Locations = &directory.LocationCondition{Include: []string{id(4, i%100)}, Exclude: []string{"AllTrusted", id(4, (i*7)%100)}}
		case 1:
			p.Conditions.Platforms = &directory.PlatformCondition{Include: []string{platforms[i%5]}}
			p.Conditions.Locations = &directory.LocationCondition{Include: []string{id(4, (i*3)%100), id(4, (i*5)%100)}}
		case 2:
			p.Conditions.UserRiskLevels = []string{"high"}
			p.Conditions.Locations = &directory.LocationCondition{Include: []string{"All"}, Exclude: []string{id(4, i%100)}}
		case 3:
			p.Grant.BuiltIn = []string{"mfa"}
		}
		c.Policies = append(c.Policies, p)
	}
	return directory.New(c)
}

// The verdict on two accounts, from a snapshot that is read, partition included.
func BenchmarkReach(b *testing.B) {
	for _, n := range []int{50, 200, 500, 1000, 2000} {
		s := large(n)
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var cells int
			var last access.Verdict
			for b.Loop() {
				j := access.NewJudge(s)
				cells, _, _ = j.Cells()
				for _, u := range s.Contents().Users {
					last = j.Emergency(u.ID).Verdict
				}
			}
			b.ReportMetric(float64(cells), "cells")
			if last != access.Conditional {
				b.Fatal(last)
			}
		})
	}
}

// Every single change, over as many policies.
func BenchmarkChanges(b *testing.B) {
	s := large(500)
	j := access.NewJudge(s)
	a := j.Emergency(s.Contents().Users[0].ID)
	for b.Loop() {
		j.Changes(a)
	}
}

// What each of as many policies does to an account.
func BenchmarkHits(b *testing.B) {
	s := large(500)
	j := access.NewJudge(s)
	a := j.Emergency(s.Contents().Users[0].ID)
	for b.Loop() {
		if len(j.Hits(a)) < 500 {
			b.Fatal("policies are missing")
		}
	}
}

// One What If, over a tenant of ordinary size and over a large one; the account is
// looked up once.
func BenchmarkWhatIf(b *testing.B) {
	in := access.SignIn{
		Resources: []string{"c44b4083-3bb0-49c1-b47d-974e53cbdf3c"}, ClientApp: "browser", Platform: "windows",
		Address: netip.MustParseAddr("198.51.100.7"), Country: "NO", MFATrusted: truth.False, CompliantNetwork: truth.False,
		UserRisk: "none", SignInRisk: "none", InsiderRisk: "none", Flow: "none", Device: access.Unregistered(),
	}
	for _, n := range []int{20, 500} {
		s := large(n)
		e := access.NewEvaluator(s)
		sub := e.Account(s.Contents().Users[0].ID)
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.EvaluateFor(sub, in)
			}
		})
	}
}
