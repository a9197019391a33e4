package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// readComments adds the doc sentences of a folder's types and fields to a reflector, under
// the package's path. The reflector's own reading would walk into every folder below.
func readComments(r *jsonschema.Reflector, pkg, folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		path := pkg
		if tree.Name.Name == "main" {
			path = reflect.TypeOf(page{}).PkgPath() // main, and in a test the whole path
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE {
				return true
			}
			for _, s := range decl.Specs {
				t := s.(*ast.TypeSpec)
				says := t.Doc
				if says == nil {
					says = decl.Doc
				}
				key := path + "." + t.Name.Name
				r.CommentMap[key] = sentence(says)
				fields, ok := t.Type.(*ast.StructType)
				if !ok {
					continue
				}
				for _, f := range fields.Fields.List {
					says := f.Doc
					if says == nil {
						says = f.Comment
					}
					for _, name := range f.Names {
						r.CommentMap[key+"."+name.Name] = sentence(says)
					}
				}
			}
			return true
		})
	}
	return nil
}

// sentence gives a comment as one line.
func sentence(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }
