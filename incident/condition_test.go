package incident_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/incident"
)

// What docs/health.md says is what the code declares.
func TestConditionsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/health.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != incident.ConditionPage() {
		t.Error("docs/health.md is stale: make docs")
	}
	for _, c := range incident.Conditions() {
		if c.Severity == glassward.Informational || c.Text == "" || c.Cure == "" || c.Closes && !c.Ends {
			t.Errorf("%s is not declared whole: %+v", c.Code, c)
		}
	}
}

// Whatever the house raises is declared, and whatever is declared is raised.
func TestEveryConditionIsRaised(t *testing.T) {
	raised := map[string]bool{}
	for _, dir := range []string{"../daemon", "../lag", "../notify"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			text := func(e ast.Expr) {
				if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					code, _ := strconv.Unquote(lit.Value)
					raised[code] = true
				}
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.KeyValueExpr:
					if k, ok := n.Key.(*ast.Ident); ok && (k.Name == "Cause" || k.Name == "cause") {
						text(n.Value)
					}
				case *ast.ValueSpec:
					if k, ok := n.Type.(*ast.Ident); ok && k.Name == "TroubleKind" {
						for _, v := range n.Values {
							text(v)
						}
					}
				}
				return true
			})
		}
	}
	for code := range raised {
		if _, ok := incident.ConditionOf(incident.Code(code)); !ok {
			t.Errorf("%q is raised and not declared", code)
		}
	}
	for _, c := range incident.Conditions() {
		if !raised[string(c.Code)] {
			t.Errorf("%q is declared and never raised", c.Code)
		}
	}
}

// A fault takes severity and cure from its condition, unless it knows better.
func TestAConditionGivesSeverityAndCure(t *testing.T) {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	disk, _ := incident.ConditionOf("disk")
	a := incident.Health{Cause: "disk", Subject: "t", Title: "Intake pauses", Detail: "12 MB are free.", Since: now}.Change("t", now).Alert
	if a.Severity != disk.Severity || a.Description != "12 MB are free.\n"+disk.Cure {
		t.Errorf("%v, %q", a.Severity, a.Description)
	}
	mild := incident.Health{Cause: "road", Subject: "graph", Severity: glassward.Medium, Since: now}.Change("t", now)
	if mild.Alert.Severity != glassward.Medium || mild.Closes {
		t.Errorf("%v, closes %v", mild.Alert.Severity, mild.Closes)
	}
	over := incident.Health{Cause: "road", Subject: "graph", Detail: "x", Since: now, Over: true}.Change("t", now)
	if !over.Closes || over.Alert.Description != "x" {
		t.Errorf("closes %v, %q", over.Closes, over.Alert.Description)
	}
}
