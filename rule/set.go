package rule

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"glassward/kql"
	"glassward/kql/diag"
)

// maxFile bounds a rule file. The largest published one has 60 KB.
const maxFile = 1 << 20

// A Set is the rules of a workspace, shipped ones first, each in the order of
// its file's name.
type Set struct {
	Rules []*Rule
	// Problems are the files that were left out, and the warnings about those
	// that were not. Failed tells them apart.
	Problems []*Problem
	// Functions are the stored functions that the rules use, FunctionProblems what is wrong in their
	// files; see LoadFunctions.
	Functions        *kql.Functions
	FunctionProblems []*Problem
}

// Lookup finds a rule by its id, or by its name in any case.
func (s *Set) Lookup(idOrName string) (*Rule, bool) {
	for _, r := range s.Rules {
		if strings.EqualFold(r.ID, idOrName) || foldName(r.Name) == foldName(idOrName) {
			return r, true
		}
	}
	return nil, false
}

// Load reads the shipped rules and, if user is not nil, every .yaml and .yml
// file below it. A file with an error is left out and reported, and takes
// nothing else with it. A user's file with the id or the name of a shipped rule
// is such an error: nothing that the user writes can replace, suppress or
// disable what ships. The error is about user itself, as when the folder cannot
// be read; the set then holds what could be.
func Load(user fs.FS) (*Set, error) {
	s := &Set{}
	shipped, err := Defaults()
	if err != nil {
		return s, err
	}
	s.Rules = append(s.Rules, shipped...)
	if user == nil {
		return s, nil
	}
	rules, problems, err := readFolder(user)
	s.Problems = problems
	for _, r := range rules {
		if clash := s.clash(r); clash != nil {
			s.Problems = append(s.Problems, clash)
			continue
		}
		s.Rules = append(s.Rules, r)
	}
	slices.SortStableFunc(s.Problems, func(a, b *Problem) int { return cmp.Compare(a.File, b.File) })
	return s, err
}

// clash says why a user's rule cannot stand beside those that are there.
func (s *Set) clash(r *Rule) *Problem {
	for _, o := range s.Rules {
		what, value := "", ""
		switch {
		case r.ID == o.ID:
			what, value = "id", r.ID
		case foldName(r.Name) == foldName(o.Name):
			what, value = "name", r.Name
		default:
			continue
		}
		p := &Problem{File: r.File, Source: r.source}
		at := max(strings.Index(r.source, what+":"), 0)
		if o.Shipped {
			p.List.Errorf(codeClash, diag.At(at, at+len(what)), "give it another "+what+"; shipped rules cannot be replaced or disabled",
				"the %s %q belongs to a rule that ships with Glassward", what, value)
		} else {
			p.List.Errorf(codeClash, diag.At(at, at+len(what)), "give it another "+what, "the %s %q belongs to the rule in %s", what, value, o.File)
		}
		return p
	}
	return nil
}

// readFolder reads every rule file below folder, in the order of their paths.
func readFolder(folder fs.FS) (rules []*Rule, problems []*Problem, err error) {
	var failures []error
	walk := func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			failures = append(failures, err)
			return nil
		}
		ext := strings.ToLower(path.Ext(name))
		if e.IsDir() || ext != ".yaml" && ext != ".yml" {
			return nil
		}
		source, err := readFile(folder, name)
		if err != nil {
			p := &Problem{File: name}
			p.List.Errorf(codeYAML, diag.At(0, 0), "", "%v", err)
			problems = append(problems, p)
			return nil
		}
		r, p := Parse(name, source)
		if len(p.List) > 0 {
			problems = append(problems, p)
		}
		if r != nil {
			rules = append(rules, r)
		}
		return nil
	}
	if err := fs.WalkDir(folder, ".", walk); err != nil {
		failures = append(failures, err)
	}
	return rules, problems, errors.Join(failures...)
}

func readFile(folder fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(folder, name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, errors.New("a rule file has at most 1 MB")
	}
	return fs.ReadFile(folder, name)
}
