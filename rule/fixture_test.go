package rule

import (
	"glassward/kql/value"
	"glassward/schema"
	"strings"
	"testing"

	"glassward"
)

func TestParseFixture(t *testing.T) {
	f, err := ParseFixture("x.fixture", `# a comment
account 5f0c7a14-3b2d-4e6f-8a91-c0d1e2f3a401 EA-01 ea-01@contoso.example user
account 5f0c7a14-3b2d-4e6f-8a91-c0d1e2f3a402 EA-APP servicePrincipal

== fires: one
{"a":1}
{"a":2}
-- alert
title: A: b
severity: high
records: 2
entity: Account AadUserId=x; Name=y
detail: Outcome=a=b
-- alert
title: second
== silent: two
{"a":3}
`, schema.Default())
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Accounts) != 2 || f.Accounts[1] != (Account{ObjectID: "5f0c7a14-3b2d-4e6f-8a91-c0d1e2f3a402", Name: "EA-APP", Kind: "servicePrincipal"}) {
		t.Errorf("accounts: %+v", f.Accounts)
	}
	if len(f.Cases) != 2 || len(f.Cases[0].Alerts) != 2 || string(f.Cases[0].Records) != "{\"a\":1}\n{\"a\":2}\n" || f.Cases[1].Name != "two" || f.Cases[1].Line != 16 {
		t.Fatalf("cases: %+v", f.Cases)
	}
	x := f.Cases[0].Alerts[0]
	if x.Title != "A: b" || x.Records != 2 || x.Entities[0].Identifiers["Name"] != "y" || x.Details["Outcome"] != "a=b" {
		t.Errorf("expectation: %+v", x)
	}
	for text, want := range map[string]string{
		"{}":                                  "x.fixture:1: a case begins with",
		"== fires: a\n{}":                     "x.fixture:1: the case fires and names no alert",
		"== fires: a\n{}\n== silent: b\n{}":   "x.fixture:1: the case fires and names no alert",
		"== silent: a\n{}\n-- alert":          "x.fixture:3: a silent case has no alert",
		"== maybe: a":                         "x.fixture:1: write == fires: NAME",
		"account x":                           "x.fixture:1: write account ID NAME",
		"== silent: a\nown GlasswardAudit":    "x.fixture:2: write own TABLE",
		"== silent: a\nown SigninLogs {}":     "x.fixture:2: SigninLogs is no table that Glassward writes",
		"== silent: a\nown GlasswardAudit {":  "x.fixture:2: a record of GlasswardAudit: unexpected end",
		"== silent: a\nown GlasswardAudit {}": "x.fixture:2: a record of GlasswardAudit needs its TimeGenerated",
		`== silent: a
own GlasswardAudit {"TimeGenerated":"2026-03-02T10:00:00Z","Colour":"red"}`: "x.fixture:2: GlasswardAudit has no column Colour",
		`== silent: a
own GlasswardAudit {"TimeGenerated":"2026-03-02T10:00:00Z","Actor":[]}`: "x.fixture:2: Actor of GlasswardAudit is string",
		"== fires: a\n{}\n-- alert\nseverity: X": "x.fixture:4: unknown severity",
		"== fires: a\n{}\n-- alert\ncolour: X":   "x.fixture:4: unknown field \"colour\"",
		"== fires: a\n{}\n-- alert\nentity: X":   "x.fixture:4: write entity:",
		"== fires: a\n{}\n-- alert\nrecords: X":  "x.fixture:4: \"X\" is no number",
	} {
		if _, err := ParseFixture("x.fixture", text, schema.Default()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q gives %v, want %s", text, err, want)
		}
	}
}

func TestCaseCompare(t *testing.T) {
	alert := func(title string, records int) glassward.Alert {
		return glassward.Alert{
			Title: title, Severity: glassward.High, Records: make([]glassward.RecordID, records),
			Entities: []glassward.Entity{{Type: "Account", Identifiers: map[string]string{"AadUserId": "x", "Name": "y"}}},
			Details:  map[string][]string{"Outcome": {"Completed"}},
		}
	}
	for _, c := range []struct {
		expect string
		alerts []glassward.Alert
		want   string // "" if it passes
	}{
		{"title: a\nseverity: High\nentity: Account AadUserId=x\ndetail: Outcome=Completed", []glassward.Alert{alert("a", 1)}, ""},
		{"title: a\n-- alert\ntitle: b", []glassward.Alert{alert("b", 1), alert("a", 1)}, ""},
		{"title: a", nil, "line 3: there is no such alert"},
		{"title: a\nrecords: 2", []glassward.Alert{alert("b", 9), alert("a", 1)}, "line 3: the alert holds 1 records, not 2"},
		{"title: a", []glassward.Alert{alert("a", 1), alert("b", 1)}, "alert that no section describes: b (High)"},
		{"entity: IP Address=1", []glassward.Alert{alert("a", 1)}, "no entity IP"},
		{"detail: Outcome=Failed", []glassward.Alert{alert("a", 1)}, "the detail Outcome is"},
		{"severity: Low", []glassward.Alert{alert("a", 1)}, "the severity is High, not Low"},
	} {
		f, err := ParseFixture("x", "== fires: x\n{}\n-- alert\n"+c.expect, schema.Default())
		if err != nil {
			t.Fatal(err)
		}
		err = f.Cases[0].compare(c.alerts)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: %v, want %q", c.expect, err, c.want)
		}
	}
}

// TestFixtureOfATenantsTable: records of a table that the tenant declares stand in its columns.
func TestFixtureOfATenantsTable(t *testing.T) {
	doors, err := schema.NewCustom("Doors_CL", "", []schema.Column{{Name: "TimeGenerated", Type: value.DateTime}, {Name: "Who", Type: value.String}, {Name: "Tries", Type: value.Int}})
	if err != nil {
		t.Fatal(err)
	}
	tables, err := schema.Default().With(doors)
	if err != nil {
		t.Fatal(err)
	}
	const text = `== silent: one
own Doors_CL {"TimeGenerated":"2026-03-02T10:00:00Z","Who":"ann","Tries":3}
`
	f, err := ParseFixture("x.fixture", text, tables)
	if err != nil {
		t.Fatal(err)
	}
	own, _ := tables.Lookup("Doors_CL")
	who, _ := own.Index("Who")
	tries, _ := own.Index("Tries")
	if r := f.Cases[0].Own[0]; r.Table != "Doors_CL" || r.Values[who] != glassward.String("ann") || r.Values[tries] != glassward.Long(3) {
		t.Errorf("%+v", r)
	}
	if _, err := ParseFixture("x.fixture", text, schema.Default()); err == nil || !strings.Contains(err.Error(), "none that a tenant here declares") {
		t.Errorf("undeclared: %v", err)
	}
}

func FuzzParseFixture(f *testing.F) {
	f.Add("== silent: x\nown GlasswardIncidents {\"TimeGenerated\":\"2026-03-02T10:00:00Z\",\"IncidentNumber\":7,\"ClosedTime\":\"2026-03-02T10:00:00Z\",\"AlertIds\":[\"a\"]}\n")
	f.Add("account a b c\n== fires: x\n{}\n-- alert\nentity: A b=c; d=e\n== silent: y\n{}\n")
	f.Fuzz(func(t *testing.T, text string) {
		x, err := ParseFixture("f", text, schema.Default())
		if (x == nil) == (err == nil) {
			t.Fatalf("%v, %v", x, err)
		}
	})
}
