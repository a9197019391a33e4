package schema_test

import (
	"strings"
	"testing"

	"glassward/schema"
)

func TestParse(t *testing.T) {
	const text = "\ufeff# a comment\r\nown\r\n  _Own long\r\n\r\ntable T  What it is.\r\ncategory A B\r\n\tTimeGenerated\tdatetime\tWhen.\r\n  D dynamic\r\n  J string:json\r\nshadow _D_n D.a[0].n long  The n.\r\n"
	set, err := schema.Parse("x.txt", text)
	if err != nil {
		t.Fatal(err)
	}
	table, ok := set.Lookup("T")
	if !ok || table.Doc != "What it is." || strings.Join(table.Categories, " ") != "A B" || len(table.Columns) != 3 || table.Columns[0].Doc != "When." || !table.Columns[2].JSON {
		t.Fatalf("parsed %+v", table)
	}
	s := table.Shadows[0]
	if s.Column != "D" || s.Path != ".a[0].n" || s.Doc != "The n." || len(s.Steps()) != 3 || s.Steps()[1].Index != 0 {
		t.Errorf("shadow %+v", s)
	}
	if v := s.Extract(`{"a":[{"n":-7}]}`); v.Num != -7 {
		t.Errorf("shadow gives %+v", v)
	}
}

func TestParseErrors(t *testing.T) {
	const table = "table T\n  TimeGenerated datetime\n  D dynamic\n  S string\n"
	for text, want := range map[string]string{
		"":                                     "x.txt:1:1: no table is declared",
		"tabel T":                              `x.txt:1:1: "tabel" begins no declaration`,
		"table 1T":                             `x.txt:1:7: "1T" is no name of a table`,
		"  A string":                           "x.txt:1:3: column A stands outside a table",
		table + "  A":                          `x.txt:5:4: column A has the type ""`,
		table + "  A   text":                   `x.txt:5:7: column A has the type "text"`,
		table + "  A long:json":                `x.txt:5:5: column A has the type "long:json": the only mark`,
		table + "  A-B string":                 `x.txt:5:3: "A-B" is no name of a column`,
		table + "  D string":                   "x.txt:5:3: D is declared already on line 3",
		table + "table T\n  TimeGenerated int": "x.txt:5:7: table T is declared twice",
		"table T\n  A string":                  "x.txt:1:1: table T needs a column TimeGenerated of type datetime",
		table + "shadow x D string":            "x.txt:5:10: shadow x needs a column with a path",
		table + "shadow x E.a string":          "x.txt:5:10: shadow x: table T has no column E above",
		table + "shadow x S.a string":          "x.txt:5:10: shadow x: column S is string",
		table + "shadow x D.a[y] string":       "x.txt:5:11: shadow x: path .a[y]: [y] must be a number",
		table + "shadow x D.a[0 string":        "x.txt:5:11: shadow x: path .a[0: ] is missing",
		table + "shadow x D..a string":         `x.txt:5:11: shadow x: path ..a: "" is no key`,
		table + "shadow x D.a guid":            `x.txt:5:14: shadow x has the type "guid"`,
		table + "shadow x D[*].a long":         "x.txt:5:17: shadow x: a path with [*] gives a string",
		"shadow x D.a string":                  "x.txt:1:1: shadow stands outside a table",
		"category A":                           "x.txt:1:1: category stands outside a table",
		"own\n  S string\n" + table:            "x.txt:3:1: table T declares S, which is one of Glassward's own columns",
		"own\n  _S string\nown\n" + table:      "x.txt:3:1: the own columns are declared twice",
	} {
		if _, err := schema.Parse("x.txt", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q\n gives %v\n want  %s", text, err, want)
		}
	}
}

// TestParseReportsEverything holds that one error does not hide the next.
func TestParseReportsEverything(t *testing.T) {
	_, err := schema.Parse("x.txt", "table T\n  A text\n  TimeGenerated datetime\n  B nothing\n")
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("want two errors, got: %v", err)
	}
}
