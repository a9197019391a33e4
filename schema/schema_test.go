package schema_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"glassward"
	"glassward/kql/value"
	"glassward/schema"
)

// beyond lists the columns that stand in live workspaces and not in Microsoft's
// published column lists of Log Analytics; tables.txt says so too.
var beyond = map[string][]string{
	"SigninLogs":                      {"ClientSessionId", "RootActorID"},
	"AADNonInteractiveUserSignInLogs": {"ConditionalAccessPoliciesV2"},
	"IdentityInfo": {"Address", "CloudSid", "CreatedDateTime", "CriticalityLevel", "DistinguishedName", "EmailAddress", "IdentityEnvironment", "OnPremObjectId",
		"OnPremSid", "OtherMailAddresses", "PrivilegedEntraPimRoles", "ReportId", "RiskStatus", "SipProxyAddress", "SourceProviders", "TenantMembershipType"},
}

// theirs gives the tables that are not of our own making.
func theirs() []*schema.Table {
	return slices.DeleteFunc(schema.Tables(), func(t *schema.Table) bool { return t.Internal })
}

// TestPublishedLists holds the file against the published column lists, where
// a copy of them lies beside the repository.
func TestPublishedLists(t *testing.T) {
	files, err := filepath.Glob("../../shared/data/schemas.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var published map[string][]struct{ Name, Type string }
		if err := json.Unmarshal(text, &published); err != nil {
			t.Fatal(err)
		}
		if declared := theirs(); len(published) != len(declared) {
			t.Errorf("%d tables published, %d declared", len(published), len(declared))
		}
		for name, columns := range published {
			table, ok := schema.Lookup(name)
			if !ok {
				t.Errorf("table %s is not declared", name)
				continue
			}
			for _, c := range columns {
				i, ok := table.Index(c.Name)
				if !ok {
					t.Errorf("%s.%s is not declared", name, c.Name)
					continue
				}
				want, ok := value.ParseType(c.Type)
				if got := table.Columns[i].Type; !ok || got != want {
					t.Errorf("%s.%s is %s, published as %s", name, c.Name, got, c.Type)
				}
			}
			for _, extra := range beyond[name] {
				if _, ok := table.Index(extra); !ok {
					t.Errorf("%s.%s is not declared", name, extra)
				}
			}
			if want := len(columns) + len(beyond[name]); len(table.Columns) != want {
				t.Errorf("%s has %d columns, want %d", name, len(table.Columns), want)
			}
		}
	}
}

func TestTables(t *testing.T) {
	tables := theirs()
	if len(tables) != 30 {
		t.Errorf("%d tables, want 30", len(tables))
	}
	if audit, ok := schema.Lookup("GlasswardAudit"); !ok || !audit.Internal {
		t.Error("GlasswardAudit is not a table of our own")
	}
	columns := 0
	for _, table := range tables {
		if table.Doc == "" {
			t.Errorf("%s has no sentence", table.Name)
		}
		columns += len(table.Columns)
		for i, c := range table.Columns {
			if j, ok := table.Index(c.Name); !ok || j != i {
				t.Errorf("%s.%s: Index gives %d %t, want %d", table.Name, c.Name, j, ok, i)
			}
			if c.JSON && c.Type != value.String {
				t.Errorf("%s.%s is %s and marked as JSON text", table.Name, c.Name, c.Type)
			}
		}
		for _, name := range []string{"TenantId", "Type"} {
			if _, ok := table.Index(name); !ok {
				t.Errorf("%s has no column %s", table.Name, name)
			}
		}
	}
	if columns != 1251 {
		t.Errorf("%d columns in all, want 1251", columns)
	}
	signins, _ := schema.Lookup("SigninLogs")
	if signins.Columns[2].Name != "TimeGenerated" {
		t.Errorf("third column of SigninLogs is %s", signins.Columns[2].Name)
	}
	if _, ok := schema.Lookup("signinlogs"); ok {
		t.Error("names of tables must be case-sensitive")
	}
}

// TestSplitColumns holds the columns that are dynamic in one table and text in
// another; a union of the two tables splits them.
func TestSplitColumns(t *testing.T) {
	interactive, _ := schema.Lookup("SigninLogs")
	other, _ := schema.Lookup("AADNonInteractiveUserSignInLogs")
	for _, name := range []string{"DeviceDetail", "LocationDetails", "Status", "MfaDetail", "ConditionalAccessPolicies"} {
		i, _ := interactive.Index(name)
		j, _ := other.Index(name)
		if got := interactive.Columns[i].Type; got != value.Dynamic {
			t.Errorf("SigninLogs.%s is %s, want dynamic", name, got)
		}
		if got := other.Columns[j]; got.Type != value.String || !got.JSON {
			t.Errorf("AADNonInteractiveUserSignInLogs.%s is %s (JSON text %t), want string with JSON text", name, got.Type, got.JSON)
		}
	}
}

func TestOwnColumns(t *testing.T) {
	var got []string
	for _, c := range schema.OwnColumns() {
		got = append(got, c.Name+" "+c.Type.String())
	}
	const want = "_TimeReceived datetime, _ItemId guid, _Source string, _Provenance string, _Extra dynamic"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("own columns %s, want %s", s, want)
	}
}

func TestShadows(t *testing.T) {
	table, _ := schema.Lookup("AuditLogs")
	record := func(initiatedBy, targets string) []glassward.Value {
		values := make([]glassward.Value, len(table.Columns))
		i, _ := table.Index("InitiatedBy")
		values[i] = glassward.String(initiatedBy)
		j, _ := table.Index("TargetResources")
		values[j] = glassward.String(targets)
		return values
	}
	cases := []struct {
		name, initiatedBy, targets string
		want                       map[string]string
	}{
		{"user", `{"user":{"id":"u1","displayName":null,"userPrincipalName":"a\"b\u0061@x","ipAddress":""}}`,
			`[{"id":"t1","displayName":"T","type":"User"},{"displayName":"no id"},{"id":null},{"id":"t2"}]`,
			map[string]string{
				"_InitiatedBy_user_id": "u1", "_InitiatedBy_user_displayName": "", "_InitiatedBy_user_userPrincipalName": `a"ba@x`,
				"_InitiatedBy_app_servicePrincipalId": "", "_TargetResources_0_id": "t1", "_TargetResources_0_type": "User", "_TargetResources_ids": "t1\nt2",
			}},
		{"app, spaced text, number and object", " { \"app\" : { \"servicePrincipalId\" : 12.50 , \"displayName\":{\"a\":[1,2]} } , \"user\" : null } ", `[]`,
			map[string]string{
				"_InitiatedBy_user_id": "", "_InitiatedBy_app_servicePrincipalId": "12.50", "_InitiatedBy_app_displayName": `{"a":[1,2]}`,
				"_TargetResources_0_id": "", "_TargetResources_ids": "",
			}},
		{"brackets in strings, escaped key, last of two keys", `{"x":"}\"{","us\u0065r":{"id":"first","id":"last"}}`, `[{"x":"]"},{"id":"t"}]`,
			map[string]string{"_InitiatedBy_user_id": "last", "_TargetResources_0_id": "", "_TargetResources_ids": "t"}},
		{"other shapes", `["user"]`, `{"id":"t"}`, map[string]string{"_InitiatedBy_user_id": "", "_TargetResources_0_id": "", "_TargetResources_ids": ""}},
		{"null", ``, `null`, map[string]string{"_InitiatedBy_user_id": "", "_TargetResources_ids": ""}},
		{"cut off", `{"user":{"id":"u1`, `[{"id":"t"`, map[string]string{"_InitiatedBy_user_id": "", "_TargetResources_ids": ""}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := table.AppendShadows(nil, record(c.initiatedBy, c.targets))
			if len(got) != len(table.Shadows) {
				t.Fatalf("%d cells for %d shadows", len(got), len(table.Shadows))
			}
			for i, s := range table.Shadows {
				if want, asked := c.want[s.Name]; asked && got[i] != glassward.String(want) {
					t.Errorf("%s = %+v, want %q", s.Name, got[i], want)
				}
			}
		})
	}
}

// FuzzShadow holds that no text makes the extraction of a path panic.
func FuzzShadow(f *testing.F) {
	for _, seed := range []string{`[{"id":"a"}]`, `{"user":{"id":"\ud83d\ude00\u12"}}`, `[`, `{"user":{`, `"\`, ``, `[{"id":]`} {
		f.Add(seed)
	}
	table, _ := schema.Lookup("AuditLogs")
	f.Fuzz(func(t *testing.T, text string) {
		for i := range table.Shadows {
			table.Shadows[i].Extract(text)
		}
	})
}
