package main

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed differences.txt
var differencesText string

// reason explains a kind of difference.
type reason struct {
	line        int
	text, query *regexp.Regexp
	why         string
	explained   []difference
}

// readReasons reads differences.txt; its head explains the form of a line.
func readReasons(text string) ([]*reason, error) {
	var out []*reason
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		pattern, why, ok := strings.Cut(line, " -- ")
		if !ok || strings.TrimSpace(why) == "" {
			return nil, fmt.Errorf("differences.txt:%d: no reason after ' -- '", i+1)
		}
		r := &reason{line: i + 1, why: strings.TrimSpace(why)}
		text, query, _ := strings.Cut(pattern, " in: ")
		var err error
		if r.text, err = regexp.Compile("^(?:" + strings.TrimSpace(text) + ")$"); err != nil {
			return nil, fmt.Errorf("differences.txt:%d: %w", i+1, err)
		}
		if r.query, err = regexp.Compile("(?s)" + strings.TrimSpace(query)); err != nil {
			return nil, fmt.Errorf("differences.txt:%d: %w", i+1, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// explain gives the first reason that fits a difference, or nil, and notes that it explains it.
func explain(reasons []*reason, d difference) *reason {
	for _, r := range reasons {
		if r.text.MatchString(d.Text) && r.query.MatchString(d.Question.Query) {
			r.explained = append(r.explained, d)
			return r
		}
	}
	return nil
}
