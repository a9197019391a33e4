package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"glassward/kql/diag"
	"glassward/kql/syntax"
)

func (a *app) kqlFormatCommand() *cobra.Command {
	var write, check bool
	cmd := &cobra.Command{
		Use:   "fmt [FILE…]",
		Short: "Lay out queries",
		Long: `Prints each query in one layout: an operator a line, long lists broken, comments
where they stood. Without files, or for -, it reads standard input. A query with
a mistake of grammar is left as it is, and the mistake is told.`,
		Example: `  glassward kql fmt failed.kql
  glassward kql fmt -w 'queries/*.kql'
  glassward kql fmt --check 'queries/*.kql'`,
		RunE: func(_ *cobra.Command, files []string) error {
			if write && check {
				return usagef("give -w or --check, not both")
			}
			if len(files) == 0 {
				files = []string{"-"}
			}
			files, err := filesOf(files)
			if err != nil {
				return err
			}
			failed := false
			for _, f := range files {
				ok, err := a.formatFile(f, write, check)
				if err != nil {
					return err
				}
				failed = failed || !ok
			}
			if failed {
				return errSilent
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&write, "write", "w", false, "write the layout back into the file")
	cmd.Flags().BoolVar(&check, "check", false, "print the names of files that are laid out otherwise; exit code 1 if there are any")
	return cmd
}

// formatFile lays out one file and says whether it went well: with check, whether it was laid out so.
func (a *app) formatFile(file string, write, check bool) (bool, error) {
	if strings.HasSuffix(file, ".yaml") || strings.HasSuffix(file, ".yml") {
		return false, usagef("%s is a rule; fmt lays out .kql files", file)
	}
	if file == "-" && write {
		return false, usagef("-w needs a file to write to")
	}
	text, err := a.readQuery(file)
	if err != nil {
		return false, err
	}
	tree, list := syntax.Parse(text)
	if list.HasErrors() {
		return false, diag.Render(a.Stderr, file, text, list)
	}
	out := syntax.Format(tree)
	switch {
	case check:
		if out == text {
			return true, nil
		}
		_, err = fmt.Fprintln(a.Stdout, safe(file))
		return false, err
	case !write:
		_, err = io.WriteString(a.Stdout, out)
		return true, err
	case out == text:
		return true, nil
	}
	mode := os.FileMode(0o644)
	if info, err := os.Stat(file); err == nil {
		mode = info.Mode().Perm()
	}
	return true, os.WriteFile(file, []byte(out), mode)
}

// longestQuery bounds what is read of a query; no query that compiles is longer.
const longestQuery = 1 << 20

// readQuery reads a query's text from a file, or for - from standard input.
func (a *app) readQuery(file string) (string, error) {
	in := a.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, longestQuery+1))
	if err == nil && len(b) > longestQuery {
		err = fmt.Errorf("%s: the query is longer than %d bytes", file, longestQuery)
	}
	return string(b), err
}
