package diag_test

import (
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
