package kql_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glassward/kql/rel"
	"glassward/kql/value"
)

// golden holds the cases of a text file to what f gives for them. A case is a line `== name`, a text, a line `----`
// and what f gives for the text. KQLTEST_UPDATE=1 writes the last part anew, to be read before it is believed.
func golden(t *testing.T, name string, f func(t *testing.T, text string) string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut("\n"+string(b), "\n== ")
	out := strings.TrimPrefix(head, "\n")
	for c := range strings.SplitSeq(rest, "\n== ") {
		title, body, _ := strings.Cut(c, "\n")
		text, want, _ := strings.Cut(strings.TrimRight(body, "\n")+"\n", "----\n")
		want = strings.TrimRight(want, "\n")
		t.Run(title, func(t *testing.T) {
			got := strings.TrimRight(f(t, strings.TrimSuffix(text, "\n")), "\n")
			if os.Getenv("KQLTEST_UPDATE") == "" && got != want {
				t.Errorf("%s", cmp.Diff(want, got))
			}
			if out != "" {
				out += "\n"
			}
			out += "== " + title + "\n" + text + "----\n" + got + "\n"
		})
	}
	if os.Getenv("KQLTEST_UPDATE") != "" {
		if err := os.WriteFile(name, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// entra gives three tables with a few columns of the real ones, for tests that print what they see.
func entra() tables {
	own := []rel.Column{{Name: "_TimeReceived", Type: value.DateTime}, {Name: "_ItemId", Type: value.GUID}}
	table := func(name string, cols ...rel.Column) *rel.Table {
		return &rel.Table{Name: name, Columns: append(cols, own...)}
	}
	audit := table("AuditLogs", rel.Column{Name: "TimeGenerated", Type: value.DateTime}, rel.Column{Name: "Id", Type: value.String}, rel.Column{Name: "OperationName", Type: value.String},
		rel.Column{Name: "Result", Type: value.String}, rel.Column{Name: "InitiatedBy", Type: value.Dynamic}, rel.Column{Name: "TargetResources", Type: value.Dynamic}, rel.Column{Name: "DurationMs", Type: value.Long})
	audit.Shadows = []rel.Shadow{{Name: "_Who_id", Column: "InitiatedBy", Path: ".user.id", Type: value.String}, {Name: "_Target_ids", Column: "TargetResources", Path: "[*].id", Type: value.String}}
	return tables{
		"AuditLogs": audit,
		"SigninLogs": table("SigninLogs", rel.Column{Name: "TimeGenerated", Type: value.DateTime}, rel.Column{Name: "Id", Type: value.String}, rel.Column{Name: "UserId", Type: value.String}, rel.Column{Name: "UserPrincipalName", Type: value.String},
			rel.Column{Name: "AppDisplayName", Type: value.String}, rel.Column{Name: "IPAddress", Type: value.String}, rel.Column{Name: "ResultType", Type: value.String}, rel.Column{Name: "IsInteractive", Type: value.Bool},
			rel.Column{Name: "DeviceDetail", Type: value.Dynamic}, rel.Column{Name: "LocationDetails", Type: value.Dynamic}),
		"AADRiskyUsers": table("AADRiskyUsers", rel.Column{Name: "TimeGenerated", Type: value.DateTime}, rel.Column{Name: "Id", Type: value.String}, rel.Column{Name: "RiskLevel", Type: value.String}),
	}
}
