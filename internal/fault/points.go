package fault

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Points reads the Go files below root, tests and hidden folders excepted, and
// gives the names of all points passed there, sorted. Tests that kill a process
// at every point take their list from here, so that a new point cannot be
// forgotten. A point must be passed by a literal name, each name once; Points
// gives an error with file and line where that is not so.
func Points(root fs.FS) ([]Name, error) {
	where := map[Name]string{}
	files := token.NewFileSet()
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := path.Base(name); name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		if !strings.Contains(string(text), "fault.Point(") {
			return nil
		}
		tree, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		var bad error
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			callee, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || callee.Sel.Name != "Point" {
				return true
			}
			if pkg, ok := callee.X.(*ast.Ident); !ok || pkg.Name != "fault" {
				return true
			}
			at := files.Position(call.Pos()).String()
			literal, ok := call.Args[0].(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				bad = fmt.Errorf("%s: name the point by a string literal, so that tests can list it", at)
				return false
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				bad = fmt.Errorf("%s: %w", at, err)
				return false
			}
			if first, twice := where[Name(text)]; twice {
				bad = fmt.Errorf("%s: point %q is passed at %s too; give each place its own name", at, text, first)
				return false
			}
			where[Name(text)] = at
			return true
		})
		return bad
	})
	if err != nil {
		return nil, fmt.Errorf("list fault points: %w", err)
	}
	names := make([]Name, 0, len(where))
	for name := range where {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}
