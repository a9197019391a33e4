package access_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"glassward/access"
	"glassward/directory"
)

const (
	ea1  = "ea000000-0000-4000-8000-000000000001"
	ea2  = "ea000000-0000-4000-8000-000000000002"
	nora = "ad000000-0000-4000-8000-000000000003"
)

// tenant reads testdata/tenant.txtar, with pairs of texts replaced. Each text must be
// there: a fault that is not planted proves nothing.
func tenant(t testing.TB, replace ...string) *directory.Snapshot {
	t.Helper()
	a, err := txtar.ParseFile("testdata/tenant.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := 0; i < len(replace); i += 2 {
		found := false
		for k := range a.Files {
			if bytes.Contains(a.Files[k].Data, []byte(replace[i])) {
				found = true
				a.Files[k].Data = bytes.Replace(a.Files[k].Data, []byte(replace[i]), []byte(replace[i+1]), 1)
				break
			}
		}
		if !found {
			t.Fatalf("the tenant has no %s", replace[i])
		}
	}
	for _, f := range a.Files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := directory.Open(dir, directory.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The design with two dedicated policies: both accounts are open, and those two
// policies apply to them and no other.
func TestDedicatedPolicies(t *testing.T) {
	j := access.NewJudge(tenant(t))
	for _, id := range []string{ea1, ea2} {
		a := j.Emergency(id)
		if a.Verdict != access.Open {
			t.Errorf("%s is %s: %s", a.Subject.Name(), a.Verdict, failures(a))
		}
		var names []string
		for _, p := range a.Applying {
			names = append(names, p.DisplayName)
		}
		if want := []string{"Break-glass: keys", "Break-glass: session"}; !slices.Equal(names, want) || len(a.Maybe) > 0 {
			t.Errorf("%s: %q apply, want %q", a.Subject.Name(), names, want)
		}
	}
	// An administrator whose device nobody knows is kept out by the policy on devices.
	if a := j.Administrator(nora); a.Verdict != access.Locked || !strings.Contains(failures(a), "Admins: compliant device") {
		t.Errorf("Nora is %s: %s", a.Verdict, failures(a))
	}
}

func failures(a *access.Assessment) string {
	var b strings.Builder
	for _, f := range a.Failures {
		fmt.Fprintf(&b, "[%s] %v at %s: %s\n", f.Name(), f.Certain, f.Where, f.Why)
	}
	for _, w := range a.Ways {
		fmt.Fprintf(&b, "way %v\n", w)
	}
	return b.String()
}

// Policies that were not read may refuse whatever they like: nothing is open, and what
// those that were read refuse is refused all the same.
func TestPoliciesNotRead(t *testing.T) {
	for _, state := range []directory.State{directory.Unread, directory.Incomplete} {
		s := tenant(t).With(func(c *directory.Contents) {
			readings := map[directory.Part]directory.Reading{}
			for p, r := range c.Readings {
				readings[p] = r
			}
			delete(readings, directory.BetaPolicies)
			readings[directory.Policies] = directory.Reading{State: state, Reason: "Graph answered 403", Permission: "Policy.Read.All"}
			c.Readings, c.BetaPolicies = readings, nil
			if state == directory.Unread {
				c.Policies = nil
			}
		})
		x := access.NewJudge(s).Emergency(ea1)
		if x.Verdict != access.Unresolved || x.Worst != access.Locked || x.Best != access.Open {
			t.Errorf("%s: the verdict is %+v", state, x.Outcome)
		}
		if len(x.Failures) != 1 || !strings.Contains(x.Failures[0].Why, "needs Policy.Read.All") {
			t.Errorf("%s: the reason is not told: %+v", state, x.Failures)
		}
	}
}

// One fault each. What is expected was written down first: the verdict on EA-01 and on
// EA-02, what refuses, and words of the witness.
func TestFaults(t *testing.T) {
	all := `"users":{"includeUsers":["All"],"excludeGroups":["9a000000-0000-4000-8000-000000000001"]}`
	nobodyOut := `"users":{"includeUsers":["All"]}`
	cases := []struct {
		name     string
		replace  []string
		ea1, ea2 access.Verdict
		by, says string
	}{
		{"the key's model dropped from the passkey profile", []string{`"aaGuids":["CB69481E-8FF7-4039-93EC-0A2729A154A8",`, `"aaGuids":[`}, access.Locked, access.Open, "Break-glass: keys", "AAGUID cb69481e-8ff7-4039-93ec-0a2729a154a8 is not among those of passkey profile Breakglass"},
		{"the key's model dropped from the strength", []string{`,"eabb46cc-e241-80bf-ae9e-96fa6d2975cf"]}]}]}`, `]}]}]}`}, access.Open, access.Locked, "Break-glass: keys", "is not among those of strength break-glass keys"},
		{"the group excluded from FIDO2", []string{`"excludeTargets":[{"targetType":"group","id":"9a000000-0000-4000-8000-000000000003"}]`, `"excludeTargets":[{"targetType":"group","id":"9a000000-0000-4000-8000-000000000001"}]`}, access.Locked, access.Locked, "Break-glass: keys", "excluded from Fido2 by group break-glass"},
		{"FIDO2 disabled", []string{`"id":"Fido2","state":"enabled"`, `"id":"Fido2","state":"disabled"`}, access.Locked, access.Locked, "mandatory MFA", "Fido2 is disabled"},
		{"the profile switched to synced passkeys", []string{`"passkeyTypes":"deviceBound"`, `"passkeyTypes":"synced"`}, access.Locked, access.Locked, "Break-glass: keys", "takes synced passkeys, not deviceBound ones"},
		{"the report-only policy enabled", []string{`"enabledForReportingButNotEnforced"`, `"enabled"`}, access.Conditional, access.Conditional, "Risky: block", "user risk high"},
		{"the exclusion gone from the MFA policy", []string{all, nobodyOut}, access.Open, access.Open, "", ""},
		{"the exclusion gone from the policy on places", []string{all + `,"locations"`, nobodyOut + `,"locations"`}, access.Conditional, access.Conditional, "Elsewhere: block", "from 198.51.100.7"},
		{"the exclusion gone from the policy on devices", []string{`"includeRoles":["62e90394-69f5-4237-9190-012177145e10"],"excludeGroups":["9a000000-0000-4000-8000-000000000001"]`, `"includeRoles":["62e90394-69f5-4237-9190-012177145e10"]`}, access.Locked, access.Locked, "Admins: compliant device", "compliantDevice"},
		{"EA-01 out of the group", []string{`{"@odata.type":"#microsoft.graph.user","id":"ea000000-0000-4000-8000-000000000001"},`, ``}, access.Locked, access.Open, "Admins: compliant device", "compliantDevice"},
		{"EA-01 among the contractors", []string{`"id":"9a000000-0000-4000-8000-000000000002","status":200,"body":{"value":[`, `"id":"9a000000-0000-4000-8000-000000000002","status":200,"body":{"value":[{"id":"ea000000-0000-4000-8000-000000000001"}`}, access.Locked, access.Open, "Contractors: block", "block"},
		{"the group among the contractors", []string{`"id":"9a000000-0000-4000-8000-000000000002","status":200,"body":{"value":[`, `"id":"9a000000-0000-4000-8000-000000000002","status":200,"body":{"value":[{"id":"9a000000-0000-4000-8000-000000000001"}`}, access.Locked, access.Locked, "Contractors: block", "block"},
		{"EA-01 among those without passkeys", []string{`"id":"9a000000-0000-4000-8000-000000000003","status":200,"body":{"value":[`, `"id":"9a000000-0000-4000-8000-000000000003","status":200,"body":{"value":[{"id":"ea000000-0000-4000-8000-000000000001"}`}, access.Locked, access.Open, "Break-glass: keys", "excluded from Fido2 by group no passkeys"},
		{"the account disabled", []string{`"displayName":"EA-01","accountEnabled":true`, `"displayName":"EA-01","accountEnabled":false`}, access.Locked, access.Open, "account", "disabled"},
		{"the account in a federated domain", []string{`ea-01@contoso.onmicrosoft.com`, `ea-01@contoso.example`}, access.Unresolved, access.Open, "domain", "federated"},
		{"no key registered", []string{`,{"@odata.type":"#microsoft.graph.fido2AuthenticationMethod","id":"k1","displayName":"safe one","aaGuid":"cb69481e-8ff7-4039-93ec-0a2729a154a8","passkeyType":"deviceBound","attestationLevel":"attested"}`, ``}, access.Locked, access.Open, "Break-glass: keys", "nothing registered meets"},
		{"members of the group unread", []string{`"id":"9a000000-0000-4000-8000-000000000001","status":200`, `"id":"9a000000-0000-4000-8000-000000000001","status":403`}, access.Unresolved, access.Unresolved, "Admins: compliant device", "were not read"},
		{"methods unread", []string{`{"id":"ea000000-0000-4000-8000-000000000001","status":200,"body":{"value":[{"@odata.type":"#microsoft.graph.password`, `{"id":"ea000000-0000-4000-8000-000000000001","status":403,"body":{"value":[{"@odata.type":"#microsoft.graph.password`}, access.Unresolved, access.Open, "Break-glass: keys", "methods were not read"},
		{"a control that nobody knows", []string{`"authenticationStrength":{"id":"57000000-0000-4000-8000-000000000001"}`, `"builtInControls":["retinaScan"]`}, access.Unresolved, access.Unresolved, "Break-glass: keys", "retinaScan is not known"},
		{"a condition that nobody knows", []string{`"conditions":{"clientAppTypes":["all"],"applications":{"includeApplications":["All"]},"users":{"includeGroups":["9a000000-0000-4000-8000-000000000002"]}}`, `"conditions":{"moonPhase":"full","applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]}}`}, access.Unresolved, access.Unresolved, "Contractors: block", "moonPhase"},
		{"a device filter that does not parse", []string{`"users":{"includeGroups":["9a000000-0000-4000-8000-000000000002"]}`, `"users":{"includeUsers":["All"]},"devices":{"deviceFilter":{"mode":"include","rule":"device.isCompliant eq"}}`}, access.Unresolved, access.Unresolved, "Contractors: block", "the filter cannot be read"},
		{"a block of devices that are not compliant", []string{`"users":{"includeGroups":["9a000000-0000-4000-8000-000000000002"]}`, `"users":{"includeUsers":["All"]},"devices":{"deviceFilter":{"mode":"exclude","rule":"device.isCompliant -eq True"}}`}, access.Locked, access.Locked, "Contractors: block", "block"},
		{"a block of platforms that are not known", []string{`"users":{"includeGroups":["9a000000-0000-4000-8000-000000000002"]}`, `"users":{"includeUsers":["All"]},"platforms":{"includePlatforms":["all"],"excludePlatforms":["windows","macOS","iOS","android","linux"]}`}, access.Conditional, access.Conditional, "Contractors: block", "a platform that Entra does not recognise"},
		{"a block of browsers", []string{`"conditions":{"clientAppTypes":["all"],"applications":{"includeApplications":["All"]},"users":{"includeGroups":["9a000000-0000-4000-8000-000000000002"]}}`, `"conditions":{"clientAppTypes":["browser"],"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]}}`}, access.Conditional, access.Conditional, "Contractors: block", "browser"},
		{"a block of the admin portals", []string{`"applications":{"includeApplications":["All"]},"users":{"includeGroups":["9a000000-0000-4000-8000-000000000002"]}`, `"applications":{"includeApplications":["MicrosoftAdminPortals"]},"users":{"includeUsers":["All"]}`}, access.Conditional, access.Conditional, "Contractors: block", "Azure portal"},
		{"a block of registering keys", []string{`"applications":{"includeApplications":["All"]},"users":{"includeGroups":["9a000000-0000-4000-8000-000000000002"]}`, `"applications":{"includeUserActions":["urn:user:registersecurityinfo"]},"users":{"includeUsers":["All"]}`}, access.Conditional, access.Conditional, "Contractors: block", "security information"},
		{"a block of the flow by device code", []string{`"users":{"includeGroups":["9a000000-0000-4000-8000-000000000002"]}`, `"users":{"includeUsers":["All"]},"authenticationFlows":{"transferMethods":"deviceCodeFlow"}`}, access.Open, access.Open, "", ""},
		{"a block by a country that GPS tells", []string{`"includeUnknownCountriesAndRegions":false,"countryLookupMethod":"clientIpAddress"`, `"countryLookupMethod":"authenticatorAppGps"`, `"users":{"includeGroups":["9a000000-0000-4000-8000-000000000002"]}`, `"users":{"includeUsers":["All"]},"locations":{"includeLocations":["1c000000-0000-4000-8000-000000000002"]}`}, access.Unresolved, access.Unresolved, "Contractors: block", "asks the Authenticator app"},
		{"everyone must change the password at high risk", []string{`"enabledForReportingButNotEnforced"`, `"enabled"`, `"userRiskLevels":["high"]},"grantControls":{"operator":"OR","builtInControls":["block"]}`, `"userRiskLevels":["high"]},"grantControls":{"operator":"AND","builtInControls":["mfa","passwordChange"]}`}, access.Conditional, access.Conditional, "Risky: block", "passwordChange"},
		{"policies about workloads only", []string{`"users":{"includeGroups":["9a000000-0000-4000-8000-000000000002"]}`, `"clientApplications":{"includeServicePrincipals":["ServicePrincipalsInMyTenant"]},"users":{"includeUsers":["None"]}`}, access.Open, access.Open, "", ""},
		{"a group that was deleted, in the exclusions", []string{all + `},"grantControls":{"operator":"OR","builtInControls":["mfa"]`, `"users":{"includeUsers":["All"],"excludeGroups":["9a000000-0000-4000-8000-0000000000ff"]}},"grantControls":{"operator":"OR","builtInControls":["block"]`}, access.Locked, access.Locked, "Everyone: MFA", "block"},
		{"a group that does not resolve, in the exclusions", []string{all + `},"grantControls":{"operator":"OR","builtInControls":["mfa"]`, `"users":{"includeUsers":["All"],"excludeGroups":["<Emergency>"]}},"grantControls":{"operator":"OR","builtInControls":["block"]`}, access.Unresolved, access.Unresolved, "Everyone: MFA", "does not resolve"},
	}
	for _, c := range cases {
		s := tenant(t, c.replace...)
		j := access.NewJudge(s)
		a1, a2 := j.Emergency(ea1), j.Emergency(ea2)
		if a1.Verdict != c.ea1 || a2.Verdict != c.ea2 {
			t.Errorf("%s: %s and %s, want %s and %s\n%s%s", c.name, a1.Verdict, a2.Verdict, c.ea1, c.ea2, failures(a1), failures(a2))
		}
		for _, a := range []*access.Assessment{a1, a2} {
			agree(t, j, a)
			if a.Verdict == access.Open {
				continue
			}
			i := slices.IndexFunc(a.Failures, func(f access.Failure) bool {
				return f.Name() == c.by && strings.Contains(f.Where+" "+f.Why, c.says)
			})
			if i < 0 {
				t.Errorf("%s: %q with %q is not among\n%s", c.name, c.by, c.says, failures(a))
			}
			witnessed(t, j, a)
			if a.Verdict == access.Conditional && len(a.Ways) == 0 {
				t.Errorf("%s: nothing says under which conditions", c.name)
			}
		}
		t.Logf("%-55s %-11s %-11s %s", c.name, a1.Verdict, a2.Verdict, c.by)
	}
}

// witnessed holds that each witness is refused when it is judged by itself.
func witnessed(t testing.TB, j *access.Judge, a *access.Assessment) {
	t.Helper()
	for _, f := range a.Failures {
		d := j.Evaluator().EvaluateFor(a.Subject, f.Witness)
		if f.Certain && d.In.Known() && d.In > 0 || d.In > 0 || f.Certain && d.In >= 0 {
			t.Errorf("%s: the witness %s of %s gets in: %v", a.Subject.Name(), f.Where, f.Name(), d.In)
		}
	}
}

// Every single change that would lock the account out is told, and none that would not.
func TestChanges(t *testing.T) {
	j := access.NewJudge(tenant(t))
	var have []string
	for _, c := range j.Changes(j.Emergency(ea1)) {
		have = append(have, string(c.After)+": "+c.What)
	}
	want, err := os.ReadFile("testdata/changes.txt")
	if err != nil {
		t.Fatal(err)
	}
	if h := strings.Join(have, "\n") + "\n"; h != string(want) {
		t.Errorf("have:\n%s", h)
	}
}

// A proposed policy is judged as if it were enabled.
func TestPropose(t *testing.T) {
	s := tenant(t)
	with, err := directory.FromPolicies([]byte(`{"displayName":"Linux: block","state":"disabled","conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]},"platforms":{"includePlatforms":["linux"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	a := access.NewJudge(access.Propose(s, with.Policies())).Emergency(ea1)
	if a.Verdict != access.Conditional || a.Failures[0].Where != "linux" {
		t.Errorf("%s: %s", a.Verdict, failures(a))
	}
	if len(s.Policies()) != 7 {
		t.Error("the snapshot was changed")
	}
}
