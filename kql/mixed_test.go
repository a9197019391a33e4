package kql_test

import (
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"glassward/kql"
	"glassward/kql/syntax"
)

// pieces cuts a query into what stands before its first pipe and the operators behind it, as text.
func pieces(query string) (source string, operators []string) {
	depth := 0
	var cuts []int
	for _, t := range syntax.Tokens(query) {
		switch t.Kind {
		case syntax.OpenToken:
			depth++
		case syntax.CloseToken:
			depth--
		case syntax.PipeToken:
			if depth == 0 {
				cuts = append(cuts, t.At.Start)
			}
		}
	}
	if len(cuts) == 0 {
		return query, nil
	}
	for i, c := range cuts {
		end := len(query)
		if i+1 < len(cuts) {
			end = cuts[i+1]
		}
		operators = append(operators, strings.TrimSpace(query[c+1:end]))
	}
	return strings.TrimSpace(query[:cuts[0]]), operators
}

var word = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// TestMixtures puts operators of one query behind another's, over the columns that are there, and holds that the
// compiler refuses what comes of it or gives SQL that the engine can plan.
func TestMixtures(t *testing.T) {
	all := samples(t)
	e := newSmallEngine(t)
	var sources []sample
	var operators []string
	columns := map[string]bool{}
	for _, s := range all {
		source, ops := pieces(s.query)
		if len(ops) > 0 && len(s.query) < 3000 {
			s.query = source
			if p, _ := kql.Compile(source, kql.Options{Catalog: s.catalog}); p != nil {
				sources = append(sources, s)
				for _, c := range p.Columns {
					columns[c.Name] = true
				}
			}
		}
		for _, o := range ops {
			if len(o) < 600 && !strings.Contains(o, "//") {
				operators = append(operators, o)
			}
		}
	}
	n := 300
	if os.Getenv("KQLPROVE") == "all" {
		n = 20_000
	}
	compiled, tried := 0, 0
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 5))
		s := sources[r.IntN(len(sources))]
		o := kql.Options{Catalog: s.catalog, Addresses: true, Lineage: seed%2 == 0, Window: kql.Window(seed % 3)}
		query := s.query
		p, _ := kql.Compile(query, o)
		for steps := 0; steps < 5 && p != nil; steps++ {
			cols := p.Columns
			op := word.ReplaceAllStringFunc(operators[r.IntN(len(operators))], func(w string) string {
				if columns[w] && len(cols) > 0 && r.IntN(4) > 0 {
					return cols[r.IntN(len(cols))].Name
				}
				return w
			})
			tried++
			start := time.Now()
			next, _ := kql.Compile(query+"\n| "+op, o)
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("%v for\n%s\n| %s", d, query, op)
			}
			if next == nil {
				continue
			}
			query, p = query+"\n| "+op, next
			compiled++
		}
		if p == nil {
			continue
		}
		for name, table := range s.catalog {
			if strings.Contains(query, name) {
				e.create(t, table, nil)
			}
		}
		if err := e.plan(p); err != nil {
			t.Errorf("%v\n%s\n%s", err, query, p.SQL)
		}
	}
	if compiled < n/4 {
		t.Error("that is too little to prove anything")
	}
	t.Logf("%d of %d operators put behind others compile", compiled, tried)
}
