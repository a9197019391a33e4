package acceptance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	reading "glassward/directory/graph"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// A tenant's directory is read by the command line and judged from the file; with
// permissions taken away what they would have read is told, and unknown.
func TestSnapshotOfATenant(t *testing.T) {
	t.Parallel()
	s := simulate(t, entrasim.Options{Seed: 4})
	// On a Sunday nobody else may have signed in.
	s.world.Advance(time.Now().Add(-time.Hour))
	if err := s.world.Do("sign-in helga 0"); err != nil {
		t.Fatal(err)
	}
	s.world.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "s"})
	s.world.Revoke(entrasim.GlasswardApp, "Directory.Read.All")
	for p := range reading.Permissions() {
		s.world.Grant(entrasim.GlasswardApp, p)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"glassward.yaml": mainFile(25, "oncall@example.org"),
		"ca.pem":         string(s.at.CA),
		"tenants/t.yaml": fmt.Sprintf("tenant: %s\nname: contoso\nemergencyAccounts:\n  - {objectId: %s}\n  - {objectId: %s}\nactionGroups: [emergency]\napplication:\n  clientId: %s\n  clientSecret: env:SNAPSHOT_SECRET\nendpoints:\n  authority: %s\n  graph: %s\n  resourceManager: %s\n  ca: ca.pem\n",
			s.world.Tenant().ID, entrasim.EA01, entrasim.EA02, entrasim.GlasswardApp, s.at.Authority, s.at.Graph, s.at.ResourceManager),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want int, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "glassward", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "SNAPSHOT_SECRET=s", "AZURE_TOKEN="+s.cloud.UserToken(s.world.Tenant().ID, entrasim.EA01, cloud.ResourceManager))
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
			t.Fatalf("glassward %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	sp, _ := s.world.ServicePrincipal(entrasim.GlasswardApp)
	s.world.AssignAzure(sp.ID, "Reader", "/subscriptions/"+entrasim.AzureSubscription)
	said := run(0, "snapshot", "--out", "whole.zip", "--azure-token", "env:AZURE_TOKEN")
	if strings.Contains(said, "unread") || strings.Contains(said, "incomplete") || !strings.Contains(said, "authenticationMethods") || !strings.Contains(said, "written: whole.zip") {
		t.Error(said)
	}
	if said := run(0, "reach", "whole.zip", "--no-changes"); !strings.Contains(said, "2 of 2 accounts are open") {
		t.Error(said)
	}
	judged := strings.Join(strings.Fields(run(0, "assess", "whole.zip")), " ")
	for _, line := range []string{"MON-01 critical pass", "MON-03 high pass", "MON-04 critical pass", "MON-06 medium pass", "MON-07 high pass", "MON-12 medium pass", "MON-08 high pass", "MON-10 high unknown", "MON-13 low pass", "MON-09 high fail"} {
		if !strings.Contains(judged, line) {
			t.Errorf("%s:\n%s", line, judged)
		}
	}
	// Microsoft's own evaluation says the same of every policy, and where it does not, that
	// is told.
	question := []string{"whatif", "whole.zip", "--user", s.world.Emergency()[0].UserPrincipalName, "--resource", "graph", "--client", "browser", "--platform", "windows", "--address", "198.51.100.7", "--country", "NO", "--device", "unregistered", "--compare", "graph"}
	if said := run(0, question...); !strings.Contains(said, "3 policies are the same as Graph, 0 differ, 0 for other reasons, 0 cannot be compared") || !strings.Contains(said, "Graph was not asked: the sign-in risk, the user risk, the insider risk, the flow: not told") {
		t.Error(said)
	}
	if said := run(0, "snapshot", "--out", "asked", "--no-azure", "--whatif"); !strings.Contains(strings.Join(strings.Fields(said), " "), "conditionalAccessEvaluations read") {
		t.Error(said)
	}
	if said := run(0, "assess", "asked"); !strings.Contains(strings.Join(strings.Fields(said), " "), "CA-28 medium pass") {
		t.Error(said)
	}
	nested := s.world.AddGroup("all emergency accounts", false, s.world.AddGroup("emergency", false, entrasim.EA01))
	if _, err := s.world.AddPolicy(`{"displayName":"CA900","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"],"excludeUsers":["` + entrasim.EA02 + `"],"excludeGroups":["` + nested + `"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}}`); err != nil {
		t.Fatal(err)
	}
	s.cloud.Faults().WhatIfWithoutGroups(s.world.Tenant().ID, true)
	run(0, "snapshot", "--out", "otherwise", "--no-azure", "--whatif")
	if said := strings.Join(strings.Fields(run(0, "assess", "otherwise")), " "); !strings.Contains(said, "CA-28 medium fail") {
		t.Error(said)
	}
	question[1] = "otherwise"
	if said := run(1, question...); !strings.Contains(said, "differs: CA900: does not apply (users: excluded by group all emergency accounts through emergency) here, and applies by Graph") {
		t.Error(said)
	}
	if said := run(0, "reach", "otherwise", "--no-changes"); !strings.Contains(said, "2 of 2 accounts are open") {
		t.Error(said)
	}
	if said := run(2, "snapshot", "--out", "whole.zip"); !strings.Contains(said, "is there already") {
		t.Error(said)
	}
	if _, err := os.Stat(filepath.Join(dir, "whole.zip.partial")); !os.IsNotExist(err) {
		t.Error("the folder of what was read is still there")
	}
	for _, p := range []string{"Policy.Read.All", "GroupMember.Read.All"} {
		s.world.Revoke(entrasim.GlasswardApp, p)
	}
	s.cloud.Faults().RevokeTokens(s.world.Tenant().ID)
	said = run(0, "snapshot", "--out", "less", "--resume")
	for _, line := range []string{"diagnosticSettings +unread +sign-in of a Security Administrator", "scheduledQueryRules +read", "logArrivals +read", "alertRules +read", "conditionalAccessPolicies +unread +Policy.Read.All", "groupMembers +unread +GroupMember.Read.All"} {
		if name, rest, _ := strings.Cut(line, " +"); !strings.Contains(strings.Join(strings.Fields(said), " "), name+" "+strings.ReplaceAll(rest, " +", " ")) {
			t.Errorf("%s:\n%s", line, said)
		}
	}
	if said := run(0, "reach", "less", "--no-changes"); !strings.Contains(said, "unknown") || strings.Contains(said, "2 of 2 accounts are open") {
		t.Error(said)
	}
	said = run(0, "permissions", "--snapshot")
	for p := range reading.Permissions() {
		if !strings.Contains(said, p) {
			t.Errorf("%s is not among what is printed", p)
		}
	}
	if !strings.Contains(said, "Monitoring Reader (Azure role)") || strings.Contains(said, "Write") || strings.Contains(said, "ActivityFeed") {
		t.Error(said)
	}
}
