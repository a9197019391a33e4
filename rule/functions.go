package rule

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"glassward/kql"
)

// The bounds on a folder of stored functions.
const (
	maxFunctionFiles = 1000
	maxFunctionBytes = 16 << 20
)

// LoadFunctions reads every .kql file below a folder as stored functions, checks each against env, and
// keeps them for the rules and queries of the set. A function with a mistake is left out and reported
// with the place in its file; it takes no other with it. The error is about the folder itself.
func (s *Set) LoadFunctions(folder fs.FS, env Environment) error {
	var files []kql.FunctionFile
	total := 0
	err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && strings.HasPrefix(path.Base(name), ".") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.EqualFold(path.Ext(name), ".kql") || strings.HasPrefix(path.Base(name), ".") {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		total += int(min(info.Size(), maxFunctionBytes+1))
		if len(files) == maxFunctionFiles || total > maxFunctionBytes {
			return fmt.Errorf("the folder holds more than %d files or %d MiB of functions", maxFunctionFiles, maxFunctionBytes>>20)
		}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		files = append(files, kql.FunctionFile{Name: name, Text: string(text)})
		return nil
	})
	if err != nil {
		return err
	}
	functions, problems := kql.ReadFunctions(files, kql.Options{Catalog: env.Catalog, Watchlists: withShipped(env.Watchlists), External: noExternal})
	s.Functions = functions
	for _, p := range problems {
		s.FunctionProblems = append(s.FunctionProblems, &Problem{File: p.File.Name, Source: p.File.Text, List: p.List})
	}
	return nil
}
