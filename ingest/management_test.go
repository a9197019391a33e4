package ingest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"glassward"
	"glassward/ingest"
	"glassward/schema"
)

const managedSignIn = `{"CreationTime":"2026-11-05T06:07:08","Id":"7d5a1c00-1111-4222-8333-44445555aa00","Operation":"UserLoggedIn","OrganizationId":"2c6f3f0e-4d19-4c57-9f3f-6f1f5d8a7b10","RecordType":15,"UserId":"ana@tailspin.example","UserKey":"5f0c7a14-3b2d-4e6f-8a91-c0d1e2f3a401","ErrorNumber":"0"}`

// TestManagementIdentity holds that a sign-in has one identity for each space of
// ids: that of the Management Activity API stands beside Graph's, though both
// write the same Id, and a repeated record is the same record.
func TestManagementIdentity(t *testing.T) {
	graph := `{"id":"7d5a1c00-1111-4222-8333-44445555aa00","createdDateTime":"2026-11-05T06:07:08Z","appId":"a","userPrincipalName":"ana@tailspin.example","status":{"errorCode":0}}`
	again := strings.Replace(managedSignIn, `"ErrorNumber":"0"`, `"ErrorNumber":"0","LogonError":""`, 1)
	records, _, _, _ := decode(t, graph+"\n"+managedSignIn+"\n"+again, ingest.DecoderOptions{})
	if len(records) != 3 {
		t.Fatalf("%d records", len(records))
	}
	for _, r := range records {
		if r.Table != "SigninLogs" || r.EntraID != "7d5a1c00-1111-4222-8333-44445555aa00" || cell(t, r, "Id").Str != r.EntraID {
			t.Errorf("%s %s Id %q", r.Table, r.EntraID, cell(t, r, "Id").Str)
		}
	}
	if records[0].ID == records[1].ID {
		t.Error("the record of the Management Activity API has the identity of Graph's")
	}
	if records[1].ID != records[2].ID {
		t.Error("a repeated record has another identity")
	}
	// OfficeActivity has one space of ids, whoever exports it.
	records, _, _, _ = decode(t, `{"CreationTime":"2026-11-05T06:07:08","Id":"x1","Operation":"Send","OrganizationId":"t","RecordType":2,"Workload":"Exchange"}
{"TimeGenerated":"2026-11-05T06:07:08Z","Type":"OfficeActivity","OfficeId":"x1","SourceRecordId":"x1","Operation":"Send"}`, ingest.DecoderOptions{})
	if len(records) != 2 || records[0].ID != records[1].ID {
		t.Error("a record of OfficeActivity has two identities")
	}
}

// TestManagementNames holds that a display name, which is written by whoever may,
// passes for no id, whatever its form: neither of who signs in, nor of who acts,
// nor of what is changed.
func TestManagementNames(t *testing.T) {
	const real, forged = "5f0c7a14-3b2d-4e6f-8a91-c0d1e2f3a401", "77b1d9e0-2c4f-4a3b-9d5e-1f2a3b4c5d6e"
	for _, name := range []string{forged, "User_" + forged, "ServicePrincipal_" + forged, "ServicePrincipal"} {
		actor := `[{"ID":"` + name + `","Type":1},{"ID":"` + real + `","Type":0},{"ID":"ana@tailspin.example","Type":5}]`
		signIn := strings.Replace(managedSignIn, `"ErrorNumber"`, `"Actor":`+actor+`,"Target":[{"ID":"`+name+`","Type":1},{"ID":"`+real+`","Type":0}],"ErrorNumber"`, 1)
		change := strings.NewReplacer(`"RecordType":15`, `"RecordType":8`, "UserLoggedIn", "Update user.").Replace(signIn)
		records, _, _, _ := decode(t, signIn+"\n"+change, ingest.DecoderOptions{})
		if len(records) != 2 {
			t.Fatalf("%d records", len(records))
		}
		if got := cell(t, records[0], "UserId").Str; got != real {
			t.Errorf("%s: UserId %q", name, got)
		}
		if got := cell(t, records[0], "ResourceIdentity").Str; got != real {
			t.Errorf("%s: ResourceIdentity %q", name, got)
		}
		for _, column := range []string{"InitiatedBy", "TargetResources"} {
			if got := cell(t, records[1], column).Str; !strings.Contains(got, `"id":"`+real+`"`) || strings.Contains(got, `"`+forged+`"`) && name != forged || strings.Contains(got, `"app"`) {
				t.Errorf("%s: %s %s", name, column, got)
			}
		}
	}
}

// TestManagementTenant holds that a record of another tenant is refused in every
// table, also in the one that has no column for it.
func TestManagementTenant(t *testing.T) {
	for _, recordType := range []string{"15", "8", "294", "1"} {
		text := strings.Replace(managedSignIn, `"RecordType":15`, `"RecordType":`+recordType, 1)
		records, rejects, _, _ := decode(t, text, ingest.DecoderOptions{Tenant: "11111111-0000-4000-8000-000000000000"})
		if len(records) != 0 || len(rejects) != 1 {
			t.Errorf("RecordType %s of another tenant gives %d records", recordType, len(records))
		}
		records, rejects, _, _ = decode(t, text, ingest.DecoderOptions{Tenant: "2C6F3F0E-4D19-4C57-9F3F-6F1F5D8A7B10"})
		if len(records) != 1 || len(rejects) != 0 || records[0].Tenant != "2c6f3f0e-4d19-4c57-9f3f-6f1f5d8a7b10" {
			t.Errorf("RecordType %s of the tenant gives %v and %v", recordType, records, rejects)
		}
	}
}

// TestManagementMissing holds that what the feed cannot say is said to be missing
// and stays empty, also where a record holds a property of the column's name.
func TestManagementMissing(t *testing.T) {
	unfilled := ingest.Unfilled(ingest.Management, "signinlogs")
	for _, want := range []string{
		"ConditionalAccessStatus", "ConditionalAccessPolicies", "AuthenticationDetails", "AuthenticationRequirement", "MfaDetail",
		"RiskState", "RiskDetail", "RiskLevelAggregated", "RiskLevelDuringSignIn", "RiskEventTypes_V2", "Location", "LocationDetails",
		"AutonomousSystemNumber", "AppDisplayName", "ResourceDisplayName", "ClientAppUsed", "IsInteractive", "UserType",
		"TokenIssuerType", "TokenIssuerName", "IncomingTokenType", "CrossTenantAccessType",
	} {
		if !slices.Contains(unfilled, want) {
			t.Errorf("SigninLogs.%s is not said to be missing", want)
		}
	}
	audit := ingest.Unfilled(ingest.Management, "AuditLogs")
	for _, want := range []string{"LoggedByService", "Category", "AADOperationType", "ResultReason"} {
		if !slices.Contains(audit, want) {
			t.Errorf("AuditLogs.%s is not said to be missing", want)
		}
	}
	for _, column := range []string{"Id", "UserId", "ResultType", "AADTenantId", "TimeGenerated"} {
		if slices.Contains(unfilled, column) {
			t.Errorf("SigninLogs.%s is said to be missing", column)
		}
	}
	for _, none := range []struct {
		shape ingest.Shape
		table string
	}{{ingest.Management, "OfficeActivity"}, {ingest.Graph, "SigninLogs"}, {ingest.Management, "Nothing"}, {ingest.Shape(99), "SigninLogs"}} {
		if got := ingest.Unfilled(none.shape, none.table); got != nil {
			t.Errorf("%s as %s: %v", none.table, none.shape, got)
		}
	}

	var record map[string]any
	if err := json.Unmarshal([]byte(managedSignIn), &record); err != nil {
		t.Fatal(err)
	}
	for _, recordType := range []int{15, 8, 294} {
		table := map[int]string{15: "SigninLogs", 8: "AuditLogs", 294: "AADUserRiskEvents"}[recordType]
		missing := ingest.Unfilled(ingest.Management, table)
		record["RecordType"] = recordType
		for _, column := range missing {
			record[column] = 1
		}
		text, _ := json.Marshal(record)
		records, _, _, _ := decode(t, string(text), ingest.DecoderOptions{})
		if len(records) != 1 || records[0].Table != table {
			t.Fatalf("RecordType %d gives %v", recordType, records)
		}
		for _, column := range missing {
			if v := cell(t, records[0], column); v != (glassward.Value{}) && v != glassward.String("") {
				t.Errorf("%s.%s holds %+v", table, column, v)
			}
			if !strings.Contains(records[0].Extra, `"`+column+`":1`) {
				t.Errorf("%s.%s is lost", table, column)
			}
			delete(record, column)
		}
	}
}

// TestManagementResult holds what counts as a completed sign-in: never the result
// of the HTTP request.
func TestManagementResult(t *testing.T) {
	for properties, want := range map[string]string{
		`"Operation":"UserLoggedIn"`:                                          "0",
		`"Operation":"UserLoggedIn.","ErrorNumber":""`:                        "0",
		`"Operation":"UserLoggedIn","ErrorNumber":"50140"`:                    "50140",
		`"Operation":"UserLoggedIn","ErrorNumber":0`:                          "0",
		`"Operation":"UserLoggedIn","ErrorCode":"50074"`:                      "50074",
		`"Operation":"UserLoggedIn","ErrorNumber":null,"LogonError":"X"`:      "",
		`"Operation":"UserLoginFailed","ErrorNumber":"50126"`:                 "50126",
		`"Operation":"UserLoginFailed"`:                                       "",
		`"Operation":"UserLoginFailed","ErrorNumber":"0"`:                     "",
		`"Operation":"PasswordLogonInitialAuthUsingPassword"`:                 "",
		`"Operation":"ForeignRealmIndexLogonInitialAuth","ErrorNumber":"0"`:   "",
		`"Operation":"UserLoginFailed","ErrorNumber":"<null>","ErrorCode":""`: "",
	} {
		for _, recordType := range []string{"15", "9", `"AzureActiveDirectoryStsLogon"`} {
			text := `{"CreationTime":"2026-11-05T06:07:08","Id":"a","RecordType":` + recordType + `,"ResultStatus":"Success",` + properties + `}`
			records, _, _, _ := decode(t, text, ingest.DecoderOptions{})
			if len(records) != 1 || records[0].Table != "SigninLogs" {
				t.Fatalf("%s gives %v", text, records)
			}
			if got := cell(t, records[0], "ResultType").Str; got != want {
				t.Errorf("%s gives ResultType %q, want %q", properties, got, want)
			}
		}
	}
}

// TestManagementAddresses holds how addresses are written.
func TestManagementAddresses(t *testing.T) {
	for written, want := range map[string]string{
		"203.0.113.5":              "203.0.113.5",
		"203.0.113.5:8085":         "203.0.113.5",
		"[2001:db8::17]:443":       "2001:db8::17",
		"[2001:db8::17]":           "2001:db8::17",
		"2001:db8:0:0:0:0:0:17":    "2001:db8:0:0:0:0:0:17",
		" 203.0.113.5 ":            "203.0.113.5",
		"not an address:80":        "not an address:80",
		"::ffff:203.0.113.5":       "::ffff:203.0.113.5",
		"[::ffff:203.0.113.5]:443": "::ffff:203.0.113.5",
	} {
		text, _ := json.Marshal(map[string]any{"CreationTime": "2026-11-05T06:07:08", "RecordType": 15, "Operation": "UserLoggedIn", "ClientIP": written})
		records, _, _, _ := decode(t, string(text), ingest.DecoderOptions{})
		if got := cell(t, records[0], "IPAddress").Str; got != want {
			t.Errorf("%q gives %q, want %q", written, got, want)
		}
	}
}

// TestManagementHostile holds that lists of other forms lose nothing and break
// nothing, and that names stay as they are written.
func TestManagementHostile(t *testing.T) {
	for _, list := range []string{
		`null`, `"x"`, `{}`, `7`, `[]`, `[1,"a",null,[{}]]`, `[{"ID":1,"Type":"5"}]`, `[{"ID":{"a":1},"Type":[]}]`, `[{"id":"<b>&\u2028","TYPE":1}]`,
		`"[{\"ID\":\"5f0c7a14-3b2d-4e6f-8a91-c0d1e2f3a401\",\"Type\":0}]"`, `[{"Name":null,"Value":{"a":1}},{"Name":"additionalDetails","Value":"{\"a\":{\"b\":1},\"c\":null}"}]`,
	} {
		for _, recordType := range []string{"15", "8", "294"} {
			text := `{"CreationTime":"2026-11-05T06:07:08","Operation":"Update user.","RecordType":` + recordType
			for _, name := range []string{"Actor", "Target", "ExtendedProperties", "ModifiedProperties", "DeviceProperties", "AppAccessContext"} {
				text += `,"` + name + `":` + list
			}
			records, rejects, _, _ := decode(t, text+"}", ingest.DecoderOptions{})
			if len(records) != 1 || len(rejects) != 0 {
				t.Fatalf("%s gives %d records and %v", text, len(records), rejects)
			}
			for i, c := range tableOf(t, records[0]).Columns {
				if v := records[0].Values[i]; c.Type.String() == "dynamic" && v.Str != "" && !json.Valid([]byte(v.Str)) {
					t.Errorf("%s: %s is no JSON: %s", list, c.Name, v.Str)
				}
			}
			if list != "null" && !strings.Contains(records[0].Extra, `"Actor":`) {
				t.Errorf("%s: Actor is lost", list)
			}
		}
	}
	records, _, _, _ := decode(t, `{"CreationTime":"2026-11-05T06:07:08","Operation":"Update policy.","RecordType":8,"Target":[{"ID":"A <b>&\" policy","Type":1}]}`, ingest.DecoderOptions{})
	if got := cell(t, records[0], "TargetResources").Str; !strings.Contains(got, `"displayName":"A <b>&\" policy"`) {
		t.Errorf("the name reads %s", got)
	}
}

func tableOf(t *testing.T, r glassward.Record) *schema.Table {
	table, ok := schema.Lookup(r.Table)
	if !ok {
		t.Fatalf("no table %s", r.Table)
	}
	return table
}

// TestManagementSamples reads public samples, where they lie beside the
// repository: who, what and when are there for each sign-in and change.
func TestManagementSamples(t *testing.T) {
	files, _ := filepath.Glob("../../shared/samples/o365_*.ndjson")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		records, _, _, _ := decode(t, string(text), ingest.DecoderOptions{})
		for _, r := range records {
			var need []string
			switch r.Table {
			case "SigninLogs":
				need = []string{"Id", "UserPrincipalName", "AppId", "IPAddress", "CorrelationId", "ResourceIdentity"}
			case "AuditLogs":
				need = []string{"Id", "OperationName", "InitiatedBy", "TargetResources", "Result"}
			default:
				need = []string{"OfficeId", "Operation"}
			}
			for _, column := range need {
				if cell(t, r, column).Str == "" {
					t.Errorf("%s:%d: %s.%s is empty", filepath.Base(file), r.Line, r.Table, column)
				}
			}
			if r.Table == "AuditLogs" && strings.HasSuffix(cell(t, r, "OperationName").Str, ".") {
				t.Errorf("%s:%d: %s", filepath.Base(file), r.Line, cell(t, r, "OperationName").Str)
			}
		}
	}
}
