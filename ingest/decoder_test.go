package ingest_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"glassward"
	"glassward/ingest"
)

// r gives a small sign-in record.
func r(id string) string {
	return `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","properties":{"id":"` + id + `"}}`
}

// outcome writes what a text gave: ids of records with their lines, and rejects
// with place and the beginning of the reason.
func outcome(records []glassward.Record, rejects []ingest.Reject) string {
	var parts []string
	for _, rec := range records {
		parts = append(parts, fmt.Sprintf("%s@%d", rec.EntraID, rec.Line))
	}
	for _, x := range rejects {
		reason, _, _ := strings.Cut(x.Reason, ":")
		parts = append(parts, fmt.Sprintf("!%d:%d %s", x.Line, x.Column, reason))
	}
	return strings.Join(parts, " | ")
}

func TestFraming(t *testing.T) {
	cut := r("x")[:60]
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", ""},
		{"only white space", " \r\n\t\n", ""},
		{"one", r("a"), "a@1"},
		{"lines", r("a") + "\n" + r("b") + "\n", "a@1 | b@2"},
		{"CRLF", r("a") + "\r\n" + r("b") + "\r\n", "a@1 | b@2"},
		{"byte order mark", "\ufeff" + r("a"), "a@1"},
		{"byte order mark between files that were put together", r("a") + "\n\ufeff" + r("b"), "a@1 | b@2"},
		{"one after another", r("a") + r("b") + " " + r("c"), "a@1 | b@1 | c@1"},
		{"array", "[" + r("a") + ",\n" + r("b") + "]", "a@1 | b@2"},
		{"arrays on lines", "[" + r("a") + "]\n[" + r("b") + "," + r("c") + "]", "a@1 | b@2 | c@2"},
		{"empty array", "[]", ""},
		{"Event Hub body", `{"records":[` + r("a") + "," + r("b") + `]}`, "a@1 | b@1"},
		{"Event Hub bodies in an array", `[{"records":[` + r("a") + `]},{"records":[` + r("b") + `]}]`, "a@1 | b@1"},
		{"Event Hub bodies on lines", `{"records":[` + r("a") + "]}\n{\"records\": [ " + r("b") + " ] }\n", "a@1 | b@2"},
		{"page with members before and after", `{"@odata.context":"x","count":2,"value":[` + r("a") + `],"@odata.nextLink":"y","more":{"a":[1]}}` + r("b"), "a@1 | b@1"},
		{"NUL bytes between", r("a") + "\n\x00\x00\x00\n" + r("b") + "\x00\x00", "a@1 | b@3"},
		{"record separators", "\x1e" + r("a") + "\n\x1e" + r("b") + "\n", "a@1 | b@2"},

		{"cut off at the end", r("a") + "\n" + cut, "a@1 | !2:1 the record is cut off"},
		{"cut off in the middle", r("a") + "\n" + cut + "\n" + r("b") + "\n", "a@1 | b@3 | !2:1 not valid JSON at line 2, column 61"},
		{"cut off after a comma", `{"time":"2026-11-20T10:00:00Z",` + "\n" + r("b"), "b@2 | !1:1 not valid JSON at line 2, column 1"},
		{"cut off inside an array", "[" + r("a") + ",\n" + cut + "\n" + r("b") + "\n]", "a@1 | b@3 | !2:1 not valid JSON at line 2, column 61"},
		{"an array that does not end", "[" + r("a") + "," + r("b"), "a@1 | b@1"},
		{"broken in an array on one line", `{"records":[` + r("a") + `,{"time":tomorrow,"x":{}},` + r("b") + `]}`, "a@1 | b@1 | !1:93 not valid JSON at line 1, column 102"},
		{"two commas", `{"time":"x",,"category":"y"}` + r("b"), "b@1 | !1:1 not valid JSON at line 1, column 13"},
		{"single quotes", "{'time':'x'}\n" + r("b"), "b@2 | !1:1 not valid JSON at line 1, column 2"},
		{"broken over several lines", "{\n \"time\": \"x\",\n \"category\" \"y\"\n}\n" + r("b"), "b@5 | !1:1 not valid JSON at line 3, column 13"},
		{"garbage", "hello world\n" + r("a") + "\nbye", "a@2 | !1:1 not JSON and not CSV with a known header | !3:1 not JSON and not CSV with a known header"},
		{"garbage after a record", r("a") + "oops" + r("b") + "\n" + r("c"), "a@1 | b@1 | c@2 | !1:80 not JSON and not CSV with a known header"},
		{"scalars in an array", `[1,` + r("a") + `,null]`, "a@1 | !1:2 not JSON and not CSV with a known header | !1:84 not JSON and not CSV with a known header"},
		{"a bracket too many", r("a") + "]\n" + r("b"), "a@1 | b@2 | !1:80 not JSON and not CSV with a known header"},
		{"unknown shape", `{"hello":"world"}` + "\n" + r("a"), "a@2 | !1:1 not a record of a known shape; its properties are \"hello\"; name a table to read it as that table's columns"},
		{"no properties", "{}", "!1:1 an object without properties"},
		{"unknown category", `{"time":"2026-11-20T10:00:00Z","category":"Nonsense","properties":{}}`, `!1:1 no table takes the category "Nonsense"; name a table to read it as`},
		{"bad escape", `{"a":"\x"}` + "\n" + r("b"), "b@2 | !1:1 not valid JSON at line 1, column 8"},
		{"bad unicode escape", `{"a":"\u12g4"}` + "\n" + r("b"), "b@2 | !1:1 not valid JSON at line 1, column 11"},
		{"bad number", `{"a":1.}` + "\n" + r("b"), "b@2 | !1:1 not valid JSON at line 1, column 8"},
		{"bad literal", `{"a":nul}` + "\n" + r("b"), "b@2 | !1:1 not valid JSON at line 1, column 9"},
		{"missing colon", `{"a" 1}` + "\n" + r("b"), "b@2 | !1:1 not valid JSON at line 1, column 6"},
		{"wrong closing bracket", `{"a":[1}}` + "\n" + r("b"), "b@2 | !1:1 not valid JSON at line 1, column 8"},
		{"nested too deep", `{"category":"SignInLogs","time":"2026-11-20T10:00:00Z","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}\n" + r("b"), "b@2 | !1:1 not valid JSON at line 1, column 124"},
		{"nested a little", `{"category":"SignInLogs","time":"2026-11-20T10:00:00Z","properties":{"id":"a","x":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + "}}\n" + r("b"), "a@1 | b@2"},
		{"rows before columns", `{"tables":[{"name":"T","rows":[["a"]],"columns":[{"name":"Id"}]}]}` + "\n" + r("b"), "b@2 | !1:24 not valid JSON at line 1, column 31"},
		{"row with too few cells", `{"tables":[{"name":"T","columns":[{"name":"TimeGenerated","type":"datetime"},{"name":"Id","type":"string"},{"name":"OperationName","type":"string"}],"rows":[["2026-11-20T10:00:00Z"],["2026-11-20T10:00:00Z","a","x"]]}]}`, "a@1 | !1:158 the row has 1 cells and the table 3 columns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			records, rejects, _, _ := decode(t, c.text, ingest.DecoderOptions{})
			if got := outcome(records, rejects); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestOddities holds what is said about records that are kept though something
// about them is odd.
func TestOddities(t *testing.T) {
	diag := func(properties string) string {
		return `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","properties":{"id":"a",` + properties + `}}`
	}
	for _, c := range []struct {
		name, text string
		warning    ingest.WarningKind // "" for none
		column     string
		want       glassward.Value
		extra      string
	}{
		{"result as a number", `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","resultType":50126}`, "", "ResultType", glassward.String("50126"), ""},
		{"duration as text", `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","durationMs":"17"}`, "", "DurationMs", glassward.Long(17), ""},
		{"duration with a fraction of zero", `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","durationMs":17.0}`, "", "DurationMs", glassward.Long(17), ""},
		{"duration that is none", `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","durationMs":"soon"}`, ingest.WrongType, "DurationMs", glassward.Null(), `{"durationMs":"soon"}`},
		{"duration that is an object", `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","durationMs":{"ms": 1}}`, ingest.WrongType, "DurationMs", glassward.Null(), `{"durationMs":{"ms":1}}`},
		{"flag as text", diag(`"isInteractive":"True"`), "", "IsInteractive", glassward.Bool(true), ""},
		{"flag that is none", diag(`"isInteractive":"maybe"`), ingest.WrongType, "IsInteractive", glassward.Null(), `{"isInteractive":"maybe"}`},
		{"text where an object belongs", diag(`"deviceDetail":"no device"`), "", "DeviceDetail", glassward.String(`"no device"`), ""},
		{"object as text", diag(`"deviceDetail":"{ \"browser\": \"\\u0045dge\" }"`), "", "DeviceDetail", glassward.String(`{"browser":"Edge"}`), ""},
		{"object where text belongs", diag(`"userAgent":{"a": [1, "x"]}`), "", "UserAgent", glassward.String(`{"a":[1,"x"]}`), ""},
		{"null text", diag(`"userAgent":"<null>"`), "", "UserAgent", glassward.String(""), ""},
		{"word for the level", `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","level":"Informational"}`, "", "Level", glassward.String("4"), ""},
		{"level as text", `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","Level":"4"}`, "", "Level", glassward.String("4"), ""},
		{"names in small letters", `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","calleripaddress":"203.0.113.5"}`, "", "IPAddress", glassward.String("203.0.113.5"), ""},
		{"two addresses", `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","callerIpAddress":"203.0.113.5","properties":{"ipAddress":"203.0.113.6"}}`, "", "IPAddress", glassward.String("203.0.113.6"), `{"callerIpAddress":"203.0.113.5"}`},
		{"one address twice", `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","callerIpAddress":"203.0.113.6","properties":{"ipAddress":"203.0.113.6"}}`, "", "IPAddress", glassward.String("203.0.113.6"), ""},
		{"result in the status alone", diag(`"status":{"errorCode":53003,"failureReason":"blocked"}`), "", "ResultType", glassward.String("53003"), ""},
		{"reason in the status alone", diag(`"status":{"errorCode":53003,"failureReason":"blocked"}`), "", "ResultDescription", glassward.String("blocked"), ""},
		{"properties as text", `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","properties":"{\"userId\":\"u1\"}"}`, "", "UserId", glassward.String("u1"), ""},
		{"key twice in the record", diag(`"userId":"u1","userId":"u2"`), ingest.DuplicateKey, "UserId", glassward.String("u2"), ""},
		{"key twice in an object", diag(`"status":{"errorCode":0,"errorCode":50126,"a":{"b":1,"c":2,"b":3}}`), "", "Status", glassward.String(`{"errorCode":50126,"a":{"b":3,"c":2}}`), ""},
		{"escaped key", diag(`"user\u0049d":"u1"`), "", "UserId", glassward.String("u1"), ""},
		{"escapes", diag(`"userDisplayName":"\u005a\u00f6\u00eb \ud83d\ude00 \"\/\\\t"`), "", "UserDisplayName", glassward.String("Zöë 😀 \"/\\\t"), ""},
		{"escapes in an object", diag(`"deviceDetail":{"displayName" : "\u003cb\u003e \u0022q\u0022 \/ \u0007 \ud83d\ude00"}`), "", "DeviceDetail", glassward.String(`{"displayName":"<b> \"q\" / \u0007 😀"}`), ""},
		{"half a surrogate pair", diag(`"userDisplayName":"a\ud83dz"`), ingest.BadText, "UserDisplayName", glassward.String("a\ufffdz"), ""},
		{"NUL as an escape", diag(`"deviceDetail":{"a":"x\u0000y"}`), ingest.BadText, "DeviceDetail", glassward.String("{\"a\":\"x\ufffdy\"}"), ""},
		{"NUL", diag("\"userDisplayName\":\"x\x00y\""), ingest.BadText, "UserDisplayName", glassward.String("x\ufffdy"), ""},
		{"no UTF-8", diag("\"userDisplayName\":\"caf\xe9\""), ingest.BadText, "UserDisplayName", glassward.String("caf\ufffd"), ""},
		{"no UTF-8 in an object", diag("\"deviceDetail\":{\"a\":\"caf\xe9\"}"), ingest.BadText, "DeviceDetail", glassward.String("{\"a\":\"caf\ufffd\"}"), ""},
		{"raw control characters", diag("\"userDisplayName\":\"a\tb\x1b[31m\""), "", "UserDisplayName", glassward.String("a\tb\x1b[31m"), ""},
		{"markup", diag(`"userDisplayName":"<script>alert(1)</script>"`), "", "UserDisplayName", glassward.String("<script>alert(1)</script>"), ""},
		{"far past", `{"time":"1601-01-01T00:00:00Z","category":"SignInLogs"}`, ingest.BadTime, "TimeGenerated", glassward.Long(504911232000000000), ""},
		{"far future", `{"time":"2106-01-01T00:00:00Z","category":"SignInLogs"}`, ingest.BadTime, "TimeGenerated", glassward.Long(664273440000000000), ""},
		{"no time", `{"category":"SignInLogs","properties":{"id":"a"}}`, ingest.NoTime, "TimeGenerated", glassward.Long(639307728000000000), ""},
		{"time that is none", `{"time":"soon","category":"SignInLogs","properties":{"createdDateTime":"2026-11-20T10:00:00Z"}}`, ingest.WrongType, "TimeGenerated", glassward.Long(639307656000000000), `{"time":"soon"}`},
		{"same name in envelope and properties", `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","thing":1,"properties":{"thing":"x"}}`, "", "UserId", glassward.String(""), `{"thing":1,"properties.thing":"x"}`},
		{"nulls have nothing to say", diag(`"thing":null,"userId":null`), "", "UserId", glassward.String(""), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			records, rejects, warnings, sum := decode(t, c.text, ingest.DecoderOptions{Source: "s"})
			if len(records) != 1 || len(rejects) != 0 {
				t.Fatalf("%d records, rejects %+v", len(records), rejects)
			}
			if got := cell(t, records[0], c.column); got != c.want {
				t.Errorf("%s is %+v, want %+v", c.column, got, c.want)
			}
			if records[0].Extra != c.extra {
				t.Errorf("extra is %q, want %q", records[0].Extra, c.extra)
			}
			switch {
			case c.warning == "" && len(warnings) > 0:
				t.Errorf("warnings %+v", warnings)
			case c.warning != "" && (len(warnings) == 0 || warnings[0].Kind != c.warning || warnings[0].Line != 1 || warnings[0].Source != "s" || sum.Warnings[c.warning] != len(warnings)):
				t.Errorf("warnings %+v, want %s", warnings, c.warning)
			}
		})
	}
}

// TestNoTimeIsStable holds that a record without a time has the same identity
// whenever it is read.
func TestNoTimeIsStable(t *testing.T) {
	const text = `{"category":"SignInLogs","resourceId":"r","operationName":"o","properties":{"userId":"u"}}`
	first, _, _, _ := decode(t, text, ingest.DecoderOptions{})
	later, _, _, _ := decode(t, text, ingest.DecoderOptions{Now: nil})
	if first[0].ID != later[0].ID {
		t.Error("the identity depends on the clock")
	}
	other, _, _, _ := decode(t, strings.Replace(text, `"u"`, `"v"`, 1), ingest.DecoderOptions{})
	if first[0].ID == other[0].ID {
		t.Error("two contents have one identity")
	}
}

func TestRisk(t *testing.T) {
	user := func(level, changed string) string {
		return `{"time":"2026-11-20T10:00:00Z","category":"RiskyUsers","tenantId":"t1","properties":{"id":"u1","riskLevel":"` + level + `","riskLastUpdatedDateTime":"` + changed + `"}}`
	}
	records, rejects, _, _ := decode(t, user("low", "2026-11-20T09:00:00Z")+user("high", "2026-11-20T09:30:00Z")+user("high", "2026-11-20T09:30:00.0Z"), ingest.DecoderOptions{})
	if len(records) != 3 || len(rejects) != 0 {
		t.Fatal(len(records), rejects)
	}
	if records[0].ID == records[1].ID || records[1].ID != records[2].ID {
		t.Error("a change of risk must be a record of its own, the same change not")
	}
	if records[0].EntraID != "u1" || records[0].Tenant != "t1" {
		t.Errorf("id %s, tenant %s", records[0].EntraID, records[0].Tenant)
	}
}

func TestTenantGuard(t *testing.T) {
	with := func(tenant string) string {
		return `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","tenantId":"` + tenant + `"}` + "\n"
	}
	text := with("AAAA-1") + with("bbbb-2") + `{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","resourceId":"/tenants/BBBB-2/providers/Microsoft.aadiam"}` + "\n" +
		`{"TimeGenerated":"2026-11-20T10:00:00Z","TenantId":"workspace","AADTenantId":"bbbb-2","Type":"AuditLogs"}` + "\n" +
		`{"TimeGenerated":"2026-11-20T10:00:00Z","TenantId":"workspace","AADTenantId":"aaaa-1","Type":"AuditLogs"}` + "\n" +
		`{"CreationTime":"2026-11-20T10:00:00","Operation":"UserLoggedIn","RecordType":15,"OrganizationId":"bbbb-2"}` + "\n" +
		`{"time":"2026-11-20T10:00:00Z","category":"SignInLogs","tenantId":"aaaa-1","resourceId":"/TENANTS/BBBB-2/providers/Microsoft.aadiam"}` + "\n" +
		`{"id":"g","createdDateTime":"2026-11-20T10:00:00Z","appId":"x","ipAddress":"203.0.113.7"}`
	records, rejects, _, _ := decode(t, text, ingest.DecoderOptions{Tenant: "aaaa-1"})
	var lines []int
	for _, rec := range records {
		lines = append(lines, rec.Line)
		if rec.Tenant != "aaaa-1" {
			t.Errorf("line %d has the tenant %q", rec.Line, rec.Tenant)
		}
	}
	if fmt.Sprint(lines) != "[1 5 8]" || len(rejects) != 5 {
		t.Errorf("records of lines %v, rejects %+v", lines, rejects)
	}
	for _, x := range rejects {
		if !strings.Contains(strings.ToLower(x.Reason), `names the tenant "bbbb-2"`) || !strings.Contains(x.Reason, "aaaa-1") {
			t.Errorf("line %d: %s", x.Line, x.Reason)
		}
	}
	if got := cell(t, records[2], "AADTenantId"); got != glassward.String("aaaa-1") {
		t.Errorf("a Graph entity's tenant is %+v", got)
	}
}

func TestTables(t *testing.T) {
	for _, c := range []struct{ name, text, forced, want string }{
		{"non-interactive", `{"time":"2026-11-20T10:00:00Z","category":"NonInteractiveUserSignInLogs"}`, "", "AADNonInteractiveUserSignInLogs diagnostic"},
		{"category in other case", `{"time":"2026-11-20T10:00:00Z","category":"SIGNINLOGS"}`, "", "SigninLogs diagnostic"},
		{"service principal", `{"time":"2026-11-20T10:00:00Z","category":"ServicePrincipalSignInLogs"}`, "", "AADServicePrincipalSignInLogs diagnostic"},
		{"managed identity", `{"time":"2026-11-20T10:00:00Z","category":"ManagedIdentitySignInLogs"}`, "", "AADManagedIdentitySignInLogs diagnostic"},
		{"provisioning", `{"time":"2026-11-20T10:00:00Z","category":"ProvisioningLogs"}`, "", "AADProvisioningLogs diagnostic"},
		{"activity category that is audit", `{"time":"2026-11-20T10:00:00Z","category":"Policy","properties":{"loggedByService":"Core Directory"}}`, "", "AuditLogs diagnostic"},
		{"activity category", `{"time":"2026-11-20T10:00:00Z","category":"Policy","operationName":"a/b/write"}`, "", "AzureActivity diagnostic"},
		{"Graph sign-in", `{"id":"1","createdDateTime":"2026-11-20T10:00:00Z","appId":"x","status":{"errorCode":0}}`, "", "SigninLogs graph"},
		{"Graph sign-in by a client", `{"id":"1","createdDateTime":"2026-11-20T10:00:00Z","appId":"x","status":{"errorCode":0},"signInEventTypes":["nonInteractiveUser"]}`, "", "AADNonInteractiveUserSignInLogs graph"},
		{"Graph sign-in of a service principal", `{"id":"1","createdDateTime":"2026-11-20T10:00:00Z","appId":"x","status":{"errorCode":0},"signInEventTypes":["servicePrincipal"]}`, "", "AADServicePrincipalSignInLogs graph"},
		{"Graph sign-in of a managed identity", `{"id":"1","createdDateTime":"2026-11-20T10:00:00Z","appId":"x","status":{"errorCode":0},"signInEventTypes":["managedIdentity"]}`, "", "AADManagedIdentitySignInLogs graph"},
		{"Graph audit", `{"id":"1","activityDateTime":"2026-11-20T10:00:00Z","activityDisplayName":"Update user"}`, "", "AuditLogs graph"},
		{"Graph risk detection", `{"id":"1","riskEventType":"x","detectedDateTime":"2026-11-20T10:00:00Z","activityDateTime":"2026-11-20T10:00:00Z"}`, "", "AADUserRiskEvents graph"},
		{"Graph risky user", `{"id":"1","riskLastUpdatedDateTime":"2026-11-20T10:00:00Z","userDisplayName":"x"}`, "", "AADRiskyUsers graph"},
		{"Graph provisioning", `{"id":"1","activityDateTime":"2026-11-20T10:00:00Z","provisioningSteps":[]}`, "", "AADProvisioningLogs graph"},
		{"a Graph user is no sign-in", `{"id":"1","createdDateTime":"2026-11-20T10:00:00Z","userPrincipalName":"x","displayName":"y"}`, "", "rejected"},
		{"columns by type", `{"TimeGenerated":"2026-11-20T10:00:00Z","Type":"SecurityAlert"}`, "", "SecurityAlert columns"},
		{"columns by names", `{"TimeGenerated":"2026-11-20T10:00:00Z","InitiatedBy":{},"TargetResources":[],"ActivityDisplayName":"x"}`, "", "AuditLogs columns"},
		{"columns by too few names", `{"TimeGenerated":"2026-11-20T10:00:00Z","X":1,"Y":2,"Z":3,"W":4}`, "", "rejected"},
		{"Management API", `{"CreationTime":"2026-11-20T10:00:00","Operation":"UserLoggedIn","RecordType":15}`, "", "SigninLogs management"},
		{"Management API, not of Entra", `{"CreationTime":"2026-11-20T10:00:00","Operation":"Set-Mailbox","RecordType":1}`, "", "OfficeActivity management"},
		{"activity of Azure", `{"eventTimestamp":"2026-11-20T10:00:00Z","operationName":{"value":"a/b"},"category":{"value":"Policy"}}`, "", "AzureActivity activity"},
		{"forced", `{"time":"2026-11-20T10:00:00Z","category":"Nonsense"}`, "signinlogs", "SigninLogs diagnostic"},
		{"forced on an unknown shape", `{"x":1}`, "AuditLogs", "AuditLogs columns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			records, rejects, _, sum := decode(t, c.text, ingest.DecoderOptions{Table: c.forced})
			got := "rejected"
			for ts := range sum.By {
				got = ts.Table + " " + ts.Shape.String()
			}
			if got != c.want || len(records)+len(rejects) != 1 {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if _, err := ingest.NewDecoder(nil, ingest.DecoderOptions{Table: "Nothing"}); err == nil || !strings.Contains(err.Error(), "SigninLogs") {
		t.Errorf("an unknown table gives %v", err)
	}
}

// TestLongRecord holds that a record over the limit is passed by in bounded
// memory and what follows is read.
func TestLongRecord(t *testing.T) {
	unit := `"a\"b{":"` + strings.Repeat("x", 1000) + `",`
	for _, c := range []struct {
		name             string
		size             int64
		begin, end, want string
	}{
		{"on a line", 200 << 20, r("a") + "\n{", "\n" + r("b"), "a@1 | b@3 | !2:1 longer than the limit of 1048576 bytes; raise the limit to take it"},
		{"in an array", 70 << 20, `{"records":[` + r("a") + `,{"big":{`, `"y":1}},` + r("b") + `]}`, "a@1 | b@1 | !1:93 longer than"},
		{"no JSON", 70 << 20, "garbage " + r("a"), "\n" + r("b"), "b@2 | !1:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			size := c.size / int64(len(unit)) * int64(len(unit))
			in := io.MultiReader(strings.NewReader(c.begin), io.LimitReader(&filler{text: unit}, size), strings.NewReader(c.end))
			d, err := ingest.NewDecoder(in, ingest.DecoderOptions{Now: clock})
			if err != nil {
				t.Fatal(err)
			}
			var records []glassward.Record
			var rejects []ingest.Reject
			var peak uint64
			for {
				var b ingest.Batch
				err := d.Next(&b)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				records, rejects = append(records, b.Records...), append(rejects, b.Rejects...)
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
			got := outcome(records, rejects)
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if len(rejects) != 1 || len(rejects[0].Raw) > 64<<10 || rejects[0].Length < size || !rejects[0].Partial {
				t.Errorf("%d rejects; raw %d of %d bytes, partial %t", len(rejects), len(rejects[0].Raw), rejects[0].Length, rejects[0].Partial)
			}
			if peak > 48<<20 {
				t.Errorf("%d bytes of heap", peak)
			}
		})
	}
}

// filler repeats a text for ever.
type filler struct {
	text string
	at   int
}

func (f *filler) Read(p []byte) (int, error) {
	for i := 0; i < len(p); {
		n := copy(p[i:], f.text[f.at:])
		f.at = (f.at + n) % len(f.text)
		i += n
	}
	return len(p), nil
}

func TestLimit(t *testing.T) {
	text := r("a") + "\n" + r("b"+strings.Repeat("b", 100)) + "\n" + r("c")
	records, rejects, _, _ := decode(t, text, ingest.DecoderOptions{MaxRecordBytes: 100})
	if got := outcome(records, rejects); got != "a@1 | c@3 | !2:1 longer than the limit of 100 bytes; raise the limit to take it" {
		t.Error(got)
	}
	if string(rejects[0].Raw) != r("b"+strings.Repeat("b", 100)) || rejects[0].Partial {
		t.Errorf("raw is %q, partial %t", rejects[0].Raw, rejects[0].Partial)
	}
	if records, rejects, _, _ := decode(t, text, ingest.DecoderOptions{MaxRecordBytes: 200}); len(records) != 3 || len(rejects) != 0 {
		t.Error("the limit is not what was asked for")
	}
}

func TestUTF16(t *testing.T) {
	text := "\ufeff[" + strings.ReplaceAll(r("a"), `"a"`, `"Zoë 😀"`) + "]\r\n"
	for _, big := range []bool{false, true} {
		var b bytes.Buffer
		for _, u := range utf16.Encode([]rune(text)) {
			if big {
				b.Write([]byte{byte(u >> 8), byte(u)})
			} else {
				b.Write([]byte{byte(u), byte(u >> 8)})
			}
		}
		for _, in := range []io.Reader{bytes.NewReader(b.Bytes()), iotest.OneByteReader(bytes.NewReader(b.Bytes()))} {
			records, rejects, _, _ := decodeFrom(t, in, ingest.DecoderOptions{})
			if got := outcome(records, rejects); got != "Zoë 😀@1" {
				t.Errorf("big %t: %s", big, got)
			}
		}
	}
}

// TestDamagedStream holds that what was read before a stream broke is given
// before the error.
func TestDamagedStream(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	for i := range 2000 {
		fmt.Fprintln(w, r(fmt.Sprint("id", i*7919)))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]io.Reader{
		"gzip cut off":      bytes.NewReader(packed.Bytes()[:packed.Len()/2]),
		"gzip with rubbish": bytes.NewReader(append(bytes.Clone(packed.Bytes()[:packed.Len()/2]), bytes.Repeat([]byte{0xff}, 100)...)),
		"reader's error":    io.MultiReader(strings.NewReader(r("a")+"\n"+r("b")), iotest.ErrReader(errors.New("cable cut"))),
	} {
		d, err := ingest.NewDecoder(in, ingest.DecoderOptions{Source: "file:x", Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for {
			var b ingest.Batch
			if err = d.Next(&b); err != nil {
				break
			}
			n += len(b.Records)
		}
		if err == io.EOF || !strings.HasPrefix(err.Error(), "file:x: ") || n < 2 {
			t.Errorf("%s: %d records, then %v", name, n, err)
		}
	}
}

// TestSlowStream holds that a record is given as soon as it is complete.
func TestSlowStream(t *testing.T) {
	in, out := io.Pipe()
	d, err := ingest.NewDecoder(in, ingest.DecoderOptions{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	taken := make(chan string)
	go func() {
		var b ingest.Batch
		for d.Next(&b) == nil {
			for _, rec := range b.Records {
				taken <- rec.EntraID
			}
		}
		close(taken)
	}()
	for _, id := range []string{"a", "b", "c"} {
		if _, err := io.WriteString(out, r(id)); err != nil {
			t.Fatal(err)
		}
		if got := <-taken; got != id {
			t.Errorf("got %s, want %s", got, id)
		}
	}
	out.Close()
	if _, more := <-taken; more {
		t.Error("too many records")
	}
}

func TestCSV(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"quotes, commas and lines in cells", "TimeGenerated,Id,OperationName,UserAgent\n2026-11-20T10:00:00Z,a,\"x, \"\"y\"\"\",\"line 1\nline 2\"\n2026-11-20T10:00:00Z,b,,\n", "a@2 | b@4"},
		{"no newline at the end", "TimeGenerated,Id,OperationName\n2026-11-20T10:00:00Z,a,x", "a@2"},
		{"CRLF and empty lines", "TimeGenerated,Id,OperationName\r\n\r\n2026-11-20T10:00:00Z,a,x\r\n\r\n", "a@3"},
		{"too few cells", "TimeGenerated,Id,OperationName\n2026-11-20T10:00:00Z,a\n2026-11-20T10:00:00Z,b,x\n", "b@3 | !2:1 the row has 2 cells and the header 3"},
		{"open quote", "TimeGenerated,Id,OperationName\n2026-11-20T10:00:00Z,\"a,x\n2026-11-20T10:00:00Z,b,x\n", "b@3 | !2:1 a quoted cell is not closed"},
		{"header again", "TimeGenerated,Id,OperationName\n2026-11-20T10:00:00Z,a,x\nTimeGenerated,Id,OperationName\n2026-11-20T10:00:00Z,b,x\n", "a@2 | b@4"},
		{"unknown header", "Name,Age\nAnna,7\n", "!1:1 not JSON and not CSV with a known header | !2:1 not JSON and not CSV with a known header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(c.text), iotest.OneByteReader(strings.NewReader(c.text))} {
				records, rejects, _, _ := decodeFrom(t, in, ingest.DecoderOptions{})
				if got := outcome(records, rejects); got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			}
		})
	}
	records, _, warnings, _ := decode(t, "\"TimeGenerated [Local Time]\",Id,OperationName,SourceSystem,NoColumn\n\"11/3/2026, 8:15:42.482 PM\",a,x,y,\"so \"\"what\"\"\"", ingest.DecoderOptions{})
	if len(warnings) != 1 || warnings[0].Kind != ingest.UnknownZone || records[0].Time.Format("15:04:05.000") != "20:15:42.482" {
		t.Errorf("warnings %+v, time %s", warnings, records[0].Time)
	}
	if records[0].Extra != `{"NoColumn":"so \"what\""}` {
		t.Errorf("extra %s", records[0].Extra)
	}
}

// TestManyNames holds that records with very many or very long names of
// properties are read like others, and in time.
func TestManyNames(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"time":"2026-11-20T10:00:00Z","category":"SignInLogs"`)
	long := strings.Repeat("n", 200)
	fmt.Fprintf(&b, `,"%s":1,"properties":{"%s":2,"id":"a","%s":3}`, long, long, long)
	for i := range 40000 {
		fmt.Fprintf(&b, `,"n%d":%d`, i, i)
	}
	b.WriteString(`,"n39999":"last"}`)
	text := b.String()
	records, rejects, warnings, sum := decode(t, text+"\n"+text+"\n"+r("b"), ingest.DecoderOptions{})
	if len(records) != 3 || len(rejects) != 0 {
		t.Fatalf("%d records, %+v", len(records), rejects)
	}
	extra := records[0].Extra
	if extra != records[1].Extra {
		t.Error("the same record gives two things")
	}
	for _, want := range []string{`{"` + long + `":1,`, `"properties.` + long + `":3`, `,"n0":0,`, `,"n39998":39998,`, `"n39999":"last"}`} {
		if !strings.Contains(extra, want) {
			t.Errorf("extra holds no %.40s…", want)
		}
	}
	if strings.Contains(extra, `"n39999":39999`) || strings.Contains(extra, long+`":2`) || sum.Warnings[ingest.DuplicateKey] != 4 || warnings[0].Line != 1 {
		t.Errorf("names that come twice: %v", sum.Warnings)
	}
}

func BenchmarkDecodeSmallBody(b *testing.B) {
	text := `{"records":[` + signIn(1) + `]}`
	b.ReportAllocs()
	var batch ingest.Batch
	for b.Loop() {
		d, err := ingest.NewDecoder(strings.NewReader(text), ingest.DecoderOptions{Now: clock})
		if err != nil {
			b.Fatal(err)
		}
		if err := d.Next(&batch); err != nil || len(batch.Records) != 1 {
			b.Fatal(err, len(batch.Records))
		}
	}
}

// TestValues holds how values become cells of each type.
func TestValues(t *testing.T) {
	columns := func(table, name, value string) string {
		return `{"TimeGenerated":"2026-11-20T10:00:00Z","Type":"` + table + `","` + name + `":` + value + `}`
	}
	for _, c := range []struct {
		table, column, value string
		want                 glassward.Value // Null means that it does not fit
	}{
		{"MicrosoftGraphActivityLogs", "ResponseStatusCode", `403`, glassward.Long(403)},
		{"MicrosoftGraphActivityLogs", "ResponseStatusCode", `"403"`, glassward.Long(403)},
		{"MicrosoftGraphActivityLogs", "ResponseStatusCode", `99999999999`, glassward.Null()},
		{"MicrosoftGraphActivityLogs", "ResponseStatusCode", `4.5`, glassward.Null()},
		{"MicrosoftGraphActivityLogs", "ResponseStatusCode", `true`, glassward.Null()},
		{"NetworkAccessTraffic", "SentBytes", `99999999999`, glassward.Long(99999999999)},
		{"NetworkAccessTraffic", "SentBytes", `1.5e3`, glassward.Long(1500)},
		{"NetworkAccessTraffic", "SentBytes", `-0`, glassward.Long(0)},
		{"NetworkAccessTraffic", "SentBytes", `99999999999999999999`, glassward.Null()},
		{"NetworkAccessTraffic", "SentBytes", `1e300`, glassward.Null()},
		{"NetworkAccessTraffic", "SentBytes", `1e-`, glassward.Null()},
		{"SecurityAlert", "ConfidenceScore", `0.25`, glassward.Real(0.25)},
		{"SecurityAlert", "ConfidenceScore", `"-2.5E+1"`, glassward.Real(-25)},
		{"SecurityAlert", "ConfidenceScore", `"NaN"`, glassward.Null()},
		{"SecurityAlert", "ConfidenceScore", `[1]`, glassward.Null()},
		{"SecurityAlert", "IsIncident", `0`, glassward.Bool(false)},
		{"SecurityAlert", "IsIncident", `2`, glassward.Null()},
		{"SecurityAlert", "EndTime", `"11/20/2026 10:00:00 AM"`, glassward.Long(639307656000000000)},
		{"SecurityAlert", "EndTime", `"11\/20\/2026 10:00:00 AM"`, glassward.Long(639307656000000000)},
		{"SecurityAlert", "EndTime", `1763632800`, glassward.Null()},
		{"SecurityAlert", "Entities", `"[ {\"a\" : 1} ]"`, glassward.String(`[{"a":1}]`)},
		{"SecurityAlert", "Entities", `"[ {\"a\" : 1} "`, glassward.String(`[ {"a" : 1} `)},
		{"SecurityAlert", "Description", `"[ {\"a\" : 1} ]"`, glassward.String(`[ {"a" : 1} ]`)},
		{"SecurityAlert", "Description", `true`, glassward.String("true")},
		{"SecurityAlert", "Description", `1.50`, glassward.String("1.50")},
		{"AuditLogs", "AdditionalDetails", `"[{\"key\":\"\\b\\f\\n\\r\\t\\u0001\\u00e9\\u20ac\\ud83d\\ude00\"}]"`, glassward.String(`[{"key":"\b\f\n\r\t\u0001é€😀"}]`)},
		{"AuditLogs", "AdditionalDetails", `["\b\f\n\r\t\u001F\u00E9\uDC00"]`, glassward.String(`["\b\f\n\r\t\u001fé` + "\ufffd" + `"]`)},
		{"AuditLogs", "AdditionalDetails", `12.0`, glassward.String("12.0")},
		{"AuditLogs", "AdditionalDetails", `"a \"quoted\" text"`, glassward.String(`"a \"quoted\" text"`)},
	} {
		records, rejects, warnings, _ := decode(t, columns(c.table, c.column, c.value), ingest.DecoderOptions{})
		if c.value == `1e-` {
			if len(rejects) != 1 {
				t.Errorf("%s: %+v", c.value, rejects)
			}
			continue
		}
		if len(records) != 1 {
			t.Errorf("%s: %+v", c.value, rejects)
			continue
		}
		if got := cell(t, records[0], c.column); got != c.want {
			t.Errorf("%s.%s from %s is %+v, want %+v", c.table, c.column, c.value, got, c.want)
		}
		if misfit := len(warnings) == 1 && warnings[0].Kind == ingest.WrongType; misfit != (c.want == glassward.Null()) || misfit != (records[0].Extra == `{"`+c.column+`":`+c.value+`}`) {
			t.Errorf("%s.%s from %s: warnings %+v, extra %s", c.table, c.column, c.value, warnings, records[0].Extra)
		}
	}
	for word, want := range map[string]string{"Informational": "4", "information": "4", "Warning": "3", "Error": "2", "Critical": "1", "5": "5"} {
		records, _, _, _ := decode(t, `{"time":"2026-11-20T10:00:00Z","category":"AuditLogs","level":"`+word+`"}`, ingest.DecoderOptions{})
		if got := cell(t, records[0], "Level"); got != glassward.String(want) {
			t.Errorf("level %s is %+v", word, got)
		}
	}
}

// TestDeepContainers holds that very many open arrays are no harm.
func TestDeepContainers(t *testing.T) {
	records, _, warnings, _ := decode(t, strings.Repeat("[", 10000)+r("a"), ingest.DecoderOptions{})
	if len(records) != 1 || len(warnings) != 1 || warnings[0].Kind != ingest.CutOff {
		t.Errorf("%d records, %+v", len(records), warnings)
	}
}
