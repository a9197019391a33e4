package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// excused are the places that need no failpoint, with the reason.
var excused = map[string]string{
	"notify/testsend.go try":    "a test notice is owed to nobody; it is sent past the outbox",
	"notify/prove.go Withdraw":  "a test that stays open at a service is seen there by people",
	"state/store.go Open":       "it makes the folder durable before anything is kept in it",
	"cli/ingest.go ingestAgain": "written beside and renamed: a crash leaves the old file or the new",
}

// durable names the kinds of place where a crash can come between a promise and
// its keeping.
func durable(call *ast.CallExpr) string {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	switch name := sel.Sel.Name; name {
	case "Rename":
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" {
			return "rename"
		}
	case "Sync":
		if len(call.Args) == 0 {
			return "fsync"
		}
	case "Deliver":
		return "send"
	case "Commit":
		if len(call.Args) == 0 {
			return "commit"
		}
	case "exec", "Exec", "ExecContext":
		for _, a := range call.Args {
			if lit, ok := a.(*ast.BasicLit); ok && strings.HasPrefix(strings.Trim(lit.Value, "\"`"), "COMMIT") {
				return "commit"
			}
		}
	}
	return ""
}

type function struct {
	where  string // file and name
	kinds  []string
	points bool
	calls  map[string]bool
}

// bareCallers gives the functions from which f is reached without a failpoint on
// the way.
func bareCallers(f *function, functions map[string]*function, seen map[*function]bool) []string {
	if f.points || excused[f.where] != "" || seen[f] {
		return nil
	}
	seen[f] = true
	_, name, _ := strings.Cut(f.where, " ")
	var bare []string
	called := false
	for _, g := range functions {
		if g != f && g.calls[name] {
			called = true
			bare = append(bare, bareCallers(g, functions, seen)...)
		}
	}
	if !called {
		return []string{f.where}
	}
	return bare
}

// TestEveryCommitFsyncRenameAndSendHasAFailpoint finds them in the sources: the
// function that holds one passes a failpoint, or each function of its package
// that calls it does. The kill tests take their list of points from the sources
// too, so that a place that is new is killed at without anybody's thinking of it.
func TestEveryCommitFsyncRenameAndSendHasAFailpoint(t *testing.T) {
	packages := map[string]map[string]*function{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if file != root && (strings.HasPrefix(name, ".") || name == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(rel))
		if dir == "internal/bench" || dir == "internal/mailsink" || dir == "internal/fault" {
			return nil // they keep nothing that anybody was promised
		}
		if packages[dir] == nil {
			packages[dir] = map[string]*function{}
		}
		for _, decl := range tree.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			f := &function{where: filepath.ToSlash(rel) + " " + fn.Name.Name, calls: map[string]bool{}}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if kind := durable(call); kind != "" {
					f.kinds = append(f.kinds, kind)
				}
				switch callee := call.Fun.(type) {
				case *ast.Ident:
					f.calls[callee.Name] = true
				case *ast.SelectorExpr:
					f.calls[callee.Sel.Name] = true
					if x, ok := callee.X.(*ast.Ident); ok && x.Name == "fault" && callee.Sel.Name == "Point" {
						f.points = true
					}
				}
				return true
			})
			packages[dir][f.where] = f
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, functions := range packages {
		for _, f := range functions {
			if len(f.kinds) == 0 {
				continue
			}
			for _, k := range f.kinds {
				found[k]++
			}
			if f.points || excused[f.where] != "" {
				continue
			}
			for _, bare := range bareCallers(f, functions, map[*function]bool{}) {
				t.Errorf("%s has a %s without a failpoint, and %s, by which it is reached, passes none", f.where, f.kinds[0], bare)
			}
		}
	}
	for _, kind := range []string{"commit", "fsync", "rename", "send"} {
		if found[kind] == 0 {
			t.Errorf("no %s was found: this test no longer sees them", kind)
		}
	}
	t.Logf("found %v", found)
}
