// Package archtest holds the import table of the house as a test: imports go
// down only. It checks edges and nothing else.
package archtest

import (
	_ "embed"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

//go:embed imports.txt
var table string

const module = "glassward"

// root is the module's folder, seen from this package's.
const root = "../.."

// readTable gives, for each package of the table, what it may import.
func readTable(t *testing.T) map[string][]string {
	t.Helper()
	allowed := map[string][]string{}
	for i, line := range strings.Split(table, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		pkg, imports, ok := strings.Cut(line, ":")
		if !ok {
			t.Fatalf("imports.txt:%d: want \"package: imports\"", i+1)
		}
		if _, twice := allowed[pkg]; twice {
			t.Fatalf("imports.txt:%d: %s has two lines", i+1, pkg)
		}
		allowed[pkg] = strings.Fields(imports)
	}
	return allowed
}

// edges reads the imports among our own packages from the source files,
// leaving out external test packages and files that begin with _ or a dot.
func edges(t *testing.T) map[string]map[string]string {
	t.Helper()
	found := map[string]map[string]string{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if file != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, "_test.go") && strings.HasSuffix(tree.Name.Name, "_test") {
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(dir)
		if found[pkg] == nil {
			found[pkg] = map[string]string{}
		}
		for _, spec := range tree.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			switch {
			case p == module:
				found[pkg]["."] = name
			case strings.HasPrefix(p, module+"/"):
				found[pkg][strings.TrimPrefix(p, module+"/")] = name
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func permits(list []string, pkg string) bool {
	return slices.ContainsFunc(list, func(pattern string) bool {
		ok, err := path.Match(pattern, pkg)
		return err == nil && ok
	})
}

func TestImportsGoDownOnly(t *testing.T) {
	allowed := readTable(t)
	found := edges(t)
	house, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for pkg, imports := range found {
		if pkg != "." && !strings.Contains(string(house), "| `"+pkg+"` |") {
			t.Errorf("package %s has no line in ARCHITECTURE.md", pkg)
		}
		list, ok := allowed[pkg]
		if !ok {
			t.Errorf("package %s is not in the table: give it a line in internal/archtest/imports.txt and a place in ARCHITECTURE.md", pkg)
			continue
		}
		for imported, file := range imports {
			if !permits(list, imported) {
				t.Errorf("%s/%s imports %s, which the table does not allow", pkg, file, imported)
			}
		}
	}
	for pkg, list := range allowed {
		imports, ok := found[pkg]
		if !ok {
			t.Errorf("the table has a line for %s, which does not exist", pkg)
		}
		for _, pattern := range list {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(imports)), func(p string) bool { return permits([]string{pattern}, p) }) {
				t.Errorf("the table lets %s import %s, which it does not", pkg, pattern)
			}
		}
	}
}

// TestTheTableHasNoCycle walks the allowed edges themselves: a table that
// allowed a cycle would say nothing about direction.
func TestTheTableHasNoCycle(t *testing.T) {
	allowed := readTable(t)
	const (
		visiting = 1
		done     = 2
	)
	state := map[string]int{}
	var visit func(pkg string, trail []string) error
	visit = func(pkg string, trail []string) error {
		trail = append(trail, pkg)
		switch state[pkg] {
		case visiting:
			return fmt.Errorf("cycle: %s", strings.Join(trail, " → "))
		case done:
			return nil
		}
		state[pkg] = visiting
		for other := range allowed {
			if other != pkg && permits(allowed[pkg], other) {
				if err := visit(other, trail); err != nil {
					return err
				}
			}
		}
		state[pkg] = done
		return nil
	}
	for pkg := range allowed {
		if err := visit(pkg, nil); err != nil {
			t.Fatal(err)
		}
	}
}
