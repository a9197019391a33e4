package diag_test

import (
	"strings"
	"testing"

	"glassward/kql/diag"
)

func TestNearest(t *testing.T) {
	names := []string{"tostring", "tolower", "UserPrincipalName", "strcat"}
	for _, c := range [][2]string{{"tostrng", "tostring"}, {"userprincipalname", "UserPrincipalName"}, {"UserPrincipleName", "UserPrincipalName"}, {"zzz", ""}, {"srtcat", "strcat"}} {
		if got := diag.Nearest(c[0], names); got != c[1] {
			t.Errorf("Nearest(%q) = %q, want %q", c[0], got, c[1])
		}
	}
}

func TestNear(t *testing.T) {
	names := []string{"SigninLogs", "AADManagedIdentitySignInLogs", "AuditLogs", "Heartbeat", "SigninLogs"}
	for _, c := range [][2]string{{"Signs", "SigninLogs AADManagedIdentitySignInLogs"}, {"SyslogLogs", "AuditLogs SigninLogs AADManagedIdentitySignInLogs"}, {"xx", ""}, {"", ""}} {
		if got := strings.Join(diag.Near(c[0], names, 3), " "); got != c[1] {
			t.Errorf("Near(%q) = %q, want %q", c[0], got, c[1])
		}
	}
	if got := diag.Near("Logs", names, 1); len(got) != 1 {
		t.Errorf("more than one: %v", got)
	}
}
