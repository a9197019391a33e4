package acceptance_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What the race detector sees a part of must be played whole by `make test`, or it
// is played nowhere.
func TestMakefilePlaysTheWhole(t *testing.T) {
	line := regexp.MustCompile(`(?m)^WHOLE := (\S+)$`).FindSubmatch(read(t, "../../Makefile"))
	if line == nil {
		t.Fatal("the Makefile does not say what is played whole")
	}
	whole := strings.Split(string(line[1]), "|")
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && slices.Contains([]string{"racing", "part", "few"}, id.Name) && !slices.Contains(whole, strings.TrimPrefix(f.Name.Name, "Test")) {
					t.Errorf("%s: %s plays a part under the race detector, and WHOLE in the Makefile does not name it", file, f.Name.Name)
					return false
				}
				return true
			})
		}
	}
}
