package rule_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"glassward/rule"
	"glassward/schema"
)

// TestStoredFunctions reads a folder of functions and holds a rule that uses them.
func TestStoredFunctions(t *testing.T) {
	set := &rule.Set{}
	env := rule.Environment{Catalog: schema.Default().Catalog()}
	err := set.LoadFunctions(fstest.MapFS{
		"signs.kql":      {Data: []byte("// functionParameters: user:string\nSigninLogs | where UserId == user")},
		"more/bad.kql":   {Data: []byte("let Bad = () {\n SigninLogs | where Usr == 1 };\nlet Good = () { signs(\"x\") };")},
		".git/x.kql":     {Data: []byte("not read")},
		"readme.txt":     {Data: []byte("not read")},
		"more/outer.kql": {Data: []byte("Bad | count")},
	}, env)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(set.Functions.Names(), " "); got != "Good signs" {
		t.Errorf("functions %s", got)
	}
	var text []string
	for _, p := range set.FunctionProblems {
		text = append(text, p.Error())
	}
	if got := strings.Join(text, "\n"); !strings.Contains(got, "more/bad.kql:2:21") || !strings.Contains(got, "there is no column Usr") || !strings.Contains(got, "more/outer.kql:1:1") {
		t.Errorf("problems:\n%s", got)
	}
	env.Functions = set.Functions
	text2 := strings.ReplaceAll(ruleText, "QUERY", `signs("0b9e5d10-41a7-4c2e-9c33-51a7e0d40101")`)
	if _, p := rule.Lint("own.yaml", []byte(text2), env); p.Failed() {
		t.Errorf("a rule that uses a function: %s", p.Error())
	}
	text2 = strings.ReplaceAll(ruleText, "QUERY", `externaldata(a:string)["https://lists.example/a.csv"]`)
	if _, p := rule.Lint("own.yaml", []byte(text2), env); !p.Failed() || !strings.Contains(p.Error(), "nothing from the web") {
		t.Errorf("a rule that reads from the web: %s", p.Error())
	}
}

const ruleText = `id: 1f3c8d1e-64a5-4f0c-9d22-7f5f3f1d0001
name: Of a function
kind: NRT
severity: High
query: |
  QUERY
`
