package logstore_test

import (
	"strings"
	"testing"

	"glassward"
	"glassward/logstore"
)

func TestKeepWatched(t *testing.T) {
	const ea, other = "7c1f8a2e-0d7d-4a57-9d0e-3c7a0b9f2a11", "9e2b6c40-51c3-4f0a-8f5e-6a1d2c3b4e5f"
	keep := logstore.KeepWatched([]string{strings.ToUpper(ea), "CA001 Require", ""})
	for _, c := range []struct {
		table, raw string
		want       bool
	}{
		{"SigninLogs", `{"userId":"` + ea + `"}`, true},
		{"SigninLogs", `{"userId":"` + strings.ToUpper(ea) + `"}`, true},
		{"SigninLogs", ea, true},
		{"SigninLogs", "--" + ea + "-", true},
		{"SigninLogs", ea[:35], false},
		{"SigninLogs", `{"userId":"` + other + `","a-b-c":"-"}`, false},
		{"SigninLogs", `{"policy":"ca001 require MFA"}`, true},
		{"AuditLogs", `{}`, true},
		{"SigninLogs", ``, false},
	} {
		if got := keep(&glassward.Record{Table: c.table, Raw: []byte(c.raw)}); got != c.want {
			t.Errorf("%s %s: kept %t, want %t", c.table, c.raw, got, c.want)
		}
	}
}
