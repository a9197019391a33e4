package rule

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed defaults
var defaultFiles embed.FS

// Defaults gives the rules that ship with Glassward. They are part of the
// program: an error is a defect of the build.
func Defaults() ([]*Rule, error) {
	folder, err := fs.Sub(defaultFiles, "defaults")
	if err != nil {
		return nil, err
	}
	rules, problems, err := readFolder(folder)
	if err != nil {
		return nil, err
	}
	for _, p := range problems {
		if p.Failed() {
			return nil, fmt.Errorf("shipped rule: %w", p)
		}
	}
	for _, r := range rules {
		r.Shipped, r.Enabled = true, true
	}
	return rules, nil
}

// DefaultFixtures gives the text of the fixture that stands beside a shipped
// rule, "" if there is none.
func DefaultFixtures(r *Rule) string {
	text, err := fs.ReadFile(defaultFiles, "defaults/"+strings.TrimSuffix(r.File, ".yaml")+".fixture")
	if err != nil {
		return ""
	}
	return string(text)
}
