package acceptance_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glassward/daemon"
	"glassward/internal/entrasim"
)

// Whoever keeps protected-only stores nothing about anybody else, neither in a
// row nor in a byte of any file, and still learns how late the roads are.
func TestKeepProtectedOnly(t *testing.T) {
	t.Parallel()
	rates := entrasim.Calm()
	virtually(t, setting{world: entrasim.Options{Seed: 5, Users: 200, Rates: &rates}, tenant: byGraph + "keep: protected-only\n"}, func(v *virtual) {
		time.Sleep(2 * time.Hour)
		v.world.Advance(time.Now())
		if err := v.world.Do("sign-in EA-01 0 with key"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)

		others := map[string]bool{}
		for _, e := range v.world.Events() {
			if e.Kind == entrasim.InteractiveSignIn && e.UserID != entrasim.EA01 {
				others[e.UserPrincipalName] = true
			}
		}
		if len(others) < 20 {
			t.Fatalf("only %d others signed in, so nothing is tested", len(others))
		}
		if rows := v.rows("SigninLogs | summarize count() by UserId"); len(rows) != 1 || rows[0][0] != entrasim.EA01 || rows[0][1] != "1" {
			t.Errorf("kept are the sign-ins of %v", rows)
		}
		if rows := v.rows("AuditLogs | where tostring(InitiatedBy) !has '" + entrasim.EA01 + "' and tostring(TargetResources) !has '" + entrasim.EA01 + "' and Category != 'Policy' | project OperationName"); len(rows) != 0 {
			t.Errorf("kept are the audits %v", rows)
		}
		learned := false
		for _, r := range v.status().Roads {
			if r.Table == "SigninLogs" {
				learned = r.Learned && r.Records > 50 && r.P50 > 15
			}
		}
		if !learned {
			t.Errorf("the road's lag is not learned: %+v", v.status().Roads)
		}
		if got := v.tales(t); len(got) != 1 || !strings.HasSuffix(got[0].title, "sign-in completed") {
			t.Errorf("told was %v", got)
		}
		if s := v.status(); s.Keep != "protected-only" {
			t.Errorf("status says it keeps %q", s.Keep)
		}

		v.stop()
		err := filepath.Walk(v.data(), func(path string, info os.FileInfo, err error) error {
			if err != nil || !info.Mode().IsRegular() {
				return err
			}
			content, err := os.ReadFile(path)
			for name := range others {
				if bytes.Contains(content, []byte(name)) {
					t.Errorf("%s names %s", path, name)
					break
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(daemon.WorkspaceDir(v.data(), entrasim.TenantID), "logs.duckdb")); err != nil {
			t.Error(err)
		}
	})
}
