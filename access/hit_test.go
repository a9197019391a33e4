package access_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"glassward/access"
	"glassward/directory"
	"glassward/directory/truth"
)

// hitText writes a hit on one line.
func hitText(h access.Hit) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: whom %v, %s; applies %v, everywhere %v, refuses %v", h.Policy.DisplayName, h.Whom.Holds, h.Whom.Why, h.Applies, h.Everywhere, h.Refuses)
	if len(h.Narrowed) > 0 {
		fmt.Fprintf(&b, "; by %s", strings.Join(h.Narrowed, ", "))
	}
	for _, x := range h.Exclusions {
		fmt.Fprintf(&b, "; out as %s %s", x.Kind, strings.Join(x.Path, " > "))
	}
	if h.Where != "" {
		fmt.Fprintf(&b, "; at %s", h.Where)
	}
	if h.Deleted {
		b.WriteString("; in the bin")
	}
	return b.String()
}

// What each policy does to an emergency account and to an administrator stands in
// testdata/hits.txt: report-only policies and the bin as if they were enabled.
func TestHits(t *testing.T) {
	j := access.NewJudge(tenant(t))
	var have strings.Builder
	for _, a := range []*access.Assessment{j.Emergency(ea1), j.Administrator(nora)} {
		fmt.Fprintf(&have, "%s\n", a.Subject.Name())
		for _, h := range j.Hits(a) {
			fmt.Fprintf(&have, "  %s\n", hitText(h))
		}
	}
	want, err := os.ReadFile("testdata/hits.txt")
	if err != nil {
		t.Fatal(err)
	}
	if have.String() != string(want) {
		t.Errorf("have:\n%s", &have)
	}
}

// agree holds that hits say of the policies that are enabled what the assessment says.
func agree(t testing.TB, j *access.Judge, a *access.Assessment) {
	t.Helper()
	for _, h := range j.Hits(a) {
		if h.Deleted || h.Policy.State != directory.PolicyEnabled {
			continue
		}
		has := func(list []*directory.Policy) bool { return slices.Contains(list, h.Policy) }
		want := truth.False
		switch {
		case has(a.Applying):
			want = truth.True
		case has(a.Maybe):
			want = truth.Unknown
		}
		if h.Applies != want {
			t.Errorf("%s: %s applies %v, and the assessment says %v", a.Subject.Name(), h.Policy.DisplayName, h.Applies, want)
		}
		want = truth.False
		for _, f := range a.Failures {
			if f.Policy == h.Policy {
				if want = truth.Unknown; f.Certain {
					want = truth.True
				}
				if h.Where != f.Where || h.Why != f.Why {
					t.Errorf("%s: %s: %s, %s; the failure says %s, %s", a.Subject.Name(), f.Name(), h.Where, h.Why, f.Where, f.Why)
				}
			}
		}
		if h.Refuses != want {
			t.Errorf("%s: %s refuses %v, and the assessment says %v", a.Subject.Name(), h.Policy.DisplayName, h.Refuses, want)
		}
		if h.Everywhere == truth.True && (h.Applies != truth.True || len(h.Narrowed) > 0) {
			t.Errorf("%s: %s applies everywhere, and %v by %v", a.Subject.Name(), h.Policy.DisplayName, h.Applies, h.Narrowed)
		}
	}
}

// A policy that names nothing to sign in to hits nobody.
func TestIdle(t *testing.T) {
	j := access.NewJudge(tenant(t, `"applications":{"includeApplications":["All"]},"users":{"includeGroups":["9a000000-0000-4000-8000-000000000002"]}`, `"applications":{"includeApplications":["None"]},"users":{"includeUsers":["All"]}`))
	for _, h := range j.Hits(j.Emergency(ea1)) {
		if want := h.Policy.DisplayName == "Contractors: block"; h.Idle != want || want && h.Applies != truth.False {
			t.Errorf("%s: idle %v, applies %v", h.Policy.DisplayName, h.Idle, h.Applies)
		}
	}
}

// An authentication context is met, or what is about it refuses.
func TestContext(t *testing.T) {
	about := `"applications":{"includeApplications":["All"]},"users":{"includeGroups":["9a000000-0000-4000-8000-000000000002"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}`
	for _, c := range []struct {
		users   string
		verdict access.Verdict
	}{
		{`{"includeUsers":["All"]}`, access.Locked},
		{`{"includeUsers":["All"],"excludeGroups":["9a000000-0000-4000-8000-000000000001"]}`, access.Open},
	} {
		j := access.NewJudge(tenant(t, about, `"applications":{"includeAuthenticationContextClassReferences":["c1"]},"users":`+c.users+`},"grantControls":{"operator":"AND","builtInControls":["compliantDevice"]}`))
		if a := j.Context(ea1, "c1"); a.Verdict != c.verdict {
			t.Errorf("%s: %s, want %s: %s", c.users, a.Verdict, c.verdict, failures(a))
		}
		if a := j.Context(ea1, "c2"); a.Verdict != access.Open {
			t.Errorf("c2: %s: %s", a.Verdict, failures(a))
		}
		if a := j.Emergency(ea1); a.Verdict != access.Open {
			t.Errorf("no context is asked for: %s: %s", a.Verdict, failures(a))
		}
	}
}

// Where the accounts' own policy asks, everything is asked; without it, mandatory MFA.
func TestUnasked(t *testing.T) {
	strength := `"grantControls":{"operator":"OR","authenticationStrength":{"id":"57000000-0000-4000-8000-000000000001"}}`
	outside := []string{"Microsoft Graph", "Windows Azure Active Directory", "security information"}
	for _, c := range []struct {
		name    string
		replace []string
		want    []string
	}{
		{"the strength", nil, nil},
		{"nothing", []string{strength, `"grantControls":null`}, outside},
		{"terms of use would do", []string{strength, `"grantControls":{"operator":"OR","builtInControls":["mfa"],"termsOfUse":["7e000000-0000-4000-8000-000000000001"]}`}, outside},
		{"both are asked for", []string{strength, `"grantControls":{"operator":"AND","builtInControls":["mfa"],"termsOfUse":["7e000000-0000-4000-8000-000000000001"]}`}, nil},
		{"only on Windows", []string{`"users":{"includeGroups":["9a000000-0000-4000-8000-000000000001"]}},` + strength, `"platforms":{"includePlatforms":["windows"]},"users":{"includeGroups":["9a000000-0000-4000-8000-000000000001"]}},` + strength}, outside},
		{"security defaults", []string{strength, `"grantControls":null`, `"isEnabled":false`, `"isEnabled":true`}, nil},
		{"per-user MFA", []string{strength, `"grantControls":null`, `"perUserMfaState":"disabled"`, `"perUserMfaState":"enforced"`}, nil},
	} {
		j := access.NewJudge(tenant(t, c.replace...))
		if have := j.Unasked(j.Emergency(ea1)); !slices.Equal(have, c.want) {
			t.Errorf("%s: %q, want %q", c.name, have, c.want)
		}
	}
}

// A digest changes with what decides, and with nothing else.
func TestDigest(t *testing.T) {
	digest := func(s *directory.Snapshot, accounts ...string) string {
		d, err := access.Digest(s, accounts)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	s := tenant(t)
	base := digest(s, ea1, ea2)
	if other := digest(s, ea2, ea1); other != base || len(base) != 32 {
		t.Errorf("%s and %s, by the order of the accounts", base, other)
	}
	turned := s.With(func(c *directory.Contents) {
		c.Policies = slices.Clone(c.Policies)
		slices.Reverse(c.Policies)
		c.Locations = slices.Clone(c.Locations)
		slices.Reverse(c.Locations)
	})
	if other := digest(turned, ea1, ea2); other != base {
		t.Error("the order of lists decides")
	}
	people := s.With(func(c *directory.Contents) {
		c.Users = append(slices.Clone(c.Users), &directory.User{ID: "ad000000-0000-4000-8000-0000000000aa"})
	})
	if other := digest(people, ea1, ea2); other != base {
		t.Error("somebody else decides")
	}
	for _, replace := range [][]string{
		{`"state":"enabledForReportingButNotEnforced"`, `"state":"enabled"`},
		{`"203.0.113.0/24"`, `"203.0.113.0/25"`},
		{`"allowedAAGUIDs":["cb69481e-8ff7-4039-93ec-0a2729a154a8",`, `"allowedAAGUIDs":[`},
		{`"passkeyTypes":"deviceBound"`, `"passkeyTypes":"synced"`},
		{`"displayName":"EA-01","accountEnabled":true`, `"displayName":"EA-01","accountEnabled":false`},
		{`"id":"9a000000-0000-4000-8000-000000000002","status":200,"body":{"value":[`, `"id":"9a000000-0000-4000-8000-000000000002","status":200,"body":{"value":[{"id":"ea000000-0000-4000-8000-000000000001"}`},
		{`"assignmentType":"Assigned"`, `"assignmentType":"Activated"`},
		{`"isEnabled":false`, `"isEnabled":true`},
		{`"displayName":"Old: block outside the Nordics"`, `"displayName":"Old"`},
		{`"perUserMfaState":"disabled"`, `"perUserMfaState":"enforced"`},
	} {
		if digest(tenant(t, replace...), ea1, ea2) == base {
			t.Errorf("%q decides nothing", replace)
		}
	}
}
