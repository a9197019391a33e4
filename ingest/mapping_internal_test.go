package ingest

import (
	"strings"
	"testing"

	"glassward/schema"
)

// TestMappingErrors holds that what is wrong in the file of mappings is told with
// its line.
func TestMappingErrors(t *testing.T) {
	const head = "map diagnostic SigninLogs\n"
	for text, want := range map[string]string{
		"mop diagnostic SigninLogs":     `x:1: "mop" begins no section`,
		"map diagnostic":                "x:1: map needs a shape and a table or *",
		"map shapeless *":               `x:1: there is no shape "shapeless"`,
		"map graph Nothing":             `x:1: there is no table "Nothing"`,
		"  UserId <- x":                 `x:1: "UserId" stands before the first map`,
		head + "  UserId":               "x:2: UserId needs <-, =, := or |= after it",
		head + "  UserId -> x":          `x:2: UserId: "->" must be <-, =, := or |=`,
		head + "  UserID <- x":          "x:2: no table of this map has a column UserID",
		head + "  UserId |= lower":      `x:2: UserId: there is no function "lower"`,
		head + "  UserId := nobody":     `x:2: UserId: there is no derivation "nobody"`,
		head + `  UserId <- a["b`:       `x:2: source a["b: "] is missing`,
		head + "  UserId <- a..b":       "x:2: source a..b: a name is missing",
		head + "  extra .":              "x:2: source .: a name is missing",
		"identity SigninLogs":           "x:1: identity needs a table and a column",
		"identity Nothing Id":           `x:1: there is no table "Nothing"`,
		"identity SigninLogs Id+Moment": `x:1: table SigninLogs has no column "Moment"`,
	} {
		if _, err := parseMapping("x", text, schema.Default()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q\n gives %v\n want  %s", text, err, want)
		}
	}
}

// TestMappingNames holds that every column that the file names stands in a table
// of its map, and that every table that comes from Entra has an identity.
func TestMappingNames(t *testing.T) {
	m := builtinMapping()
	for _, sec := range m.sections {
		for _, l := range sec.lines {
			found := false
			for _, table := range m.set.Tables() {
				_, ok := table.Index(l.column)
				found = found || ok
			}
			if !found {
				t.Errorf("no table has a column %s", l.column)
			}
		}
	}
	for _, table := range m.incoming {
		for _, c := range table.Categories {
			if m.categories[strings.ToLower(c)] != table {
				t.Errorf("the category %s feeds two tables", c)
			}
		}
		if len(table.Categories) > 0 && len(m.identities[table.Name]) == 0 {
			t.Errorf("%s has no identity", table.Name)
		}
		// Every map must compile.
		for shape := range shapeCount {
			m.forTable(shape, table)
		}
	}
}

func TestSource(t *testing.T) {
	s, err := parseSource(`identity.claims["http://x/y.z"].upn`)
	if err != nil || s.level != 0 || s.key != "identity" || strings.Join(s.path, "|") != "claims|http://x/y.z|upn" {
		t.Errorf("%+v %v", s, err)
	}
	if s, err = parseSource("properties.Status.errorCode"); err != nil || s.level != 1 || s.key != "status" || len(s.path) != 1 {
		t.Errorf("%+v %v", s, err)
	}
	if s, err = parseSource("properties"); err != nil || s.level != 0 || s.key != "properties" {
		t.Errorf("%+v %v", s, err)
	}
}

// TestInternalTables holds that nobody can write into a table that Glassward
// alone writes: by its name, by force, or by its columns.
func TestInternalTables(t *testing.T) {
	found := false
	for _, table := range schema.Tables() {
		if !table.Internal {
			continue
		}
		found = true
		if _, err := NewDecoder(nil, DecoderOptions{Table: table.Name}); err == nil {
			t.Errorf("%s can be forced", table.Name)
		}
		var b strings.Builder
		for _, c := range table.Columns {
			b.WriteString(`,"` + c.Name + `":""`)
		}
		columns := "{" + b.String()[1:] + "}"
		for _, text := range []string{
			`{"TimeGenerated":"2026-11-20T10:00:00Z","Type":"` + table.Name + `"}`,
			strings.Replace(columns, `"Type":""`, `"Type":"`+table.Name+`"`, 1),
			columns,
		} {
			d, err := NewDecoder(strings.NewReader(text), DecoderOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var batch Batch
			if err := d.Next(&batch); err != nil {
				t.Fatal(err)
			}
			for _, r := range batch.Records {
				if r.Table == table.Name {
					t.Errorf("%s gives a record of %s", text, r.Table)
				}
			}
		}
	}
	if !found {
		t.Error("there is no such table; this test holds nothing")
	}
}
