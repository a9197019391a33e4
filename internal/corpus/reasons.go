package corpus

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"

	"glassward/kql/diag"
)

//go:embed testdata/reasons.txt
var reasonsText string

// Reason says why queries with some property do not compile.
type Reason struct {
	// Fault says that the query itself is wrong, and Microsoft refuses it too; else a feature is missing.
	Fault bool
	// Wants says that they need something of the one who runs them.
	Wants bool
	Why   string
	// Used counts the queries that it has explained.
	Used int

	code    diag.Code
	message *regexp.Regexp
}

// Reasons are all of them, in the order of testdata/reasons.txt.
type Reasons []*Reason

// ReadReasons reads testdata/reasons.txt, whose head tells its form.
func ReadReasons() (Reasons, error) {
	var list Reasons
	for i, line := range strings.Split(reasonsText, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		head, why, ok := strings.Cut(line, " -- ")
		f := strings.SplitN(head, " ", 3)
		if !ok || len(f) != 3 || f[0] != "fault" && f[0] != "missing" && f[0] != "wants" {
			return nil, fmt.Errorf("reasons.txt:%d: want: fault|missing|wants CODE MESSAGE -- WHY", i+1)
		}
		re, err := regexp.Compile("^(?:" + strings.TrimSpace(f[2]) + ")$")
		if err != nil {
			return nil, fmt.Errorf("reasons.txt:%d: %w", i+1, err)
		}
		list = append(list, &Reason{Fault: f[0] == "fault", Wants: f[0] == "wants", Why: why, code: diag.Code(f[1]), message: re})
	}
	return list, nil
}

// Explain gives the reasons for which a query does not compile, and false if one of its mistakes has
// none. A query with a fault needs no reason for what follows from it.
func (rs Reasons) Explain(diags diag.List) ([]*Reason, bool) {
	var out []*Reason
	all, fault := true, false
	for _, d := range diags {
		if d.Severity != diag.Error {
			continue
		}
		found := false
		for _, r := range rs {
			if r.code == d.Code && r.message.MatchString(d.Message) {
				found = true
				fault = fault || r.Fault
				out = append(out, r)
				break
			}
		}
		all = all && found
	}
	for _, r := range out {
		r.Used++
	}
	return out, len(out) > 0 && (all || fault)
}
