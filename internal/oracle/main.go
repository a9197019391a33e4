// Command oracle holds our compiler against Microsoft's own parser and type checker of KQL, which runs
// in Node: whether a query is refused, which columns its result has, in which order, of which types.
//
// It asks about the queries of kql/testdata, about those of the material beside the repository if that
// is there, and about thousands that it makes up. What differs on purpose is explained in
// differences.txt; it prints every other difference and every line there that explains nothing, and
// fails if there is one. The type checker runs no queries: it proves binding, not results.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"glassward/kql"
	"glassward/kql/kqltest"
)

func main() {
	var (
		query  = flag.String("query", "", "judge this query over the tables that Glassward keeps, and over T and U")
		match  = flag.String("match", "", "show only differences whose text or query matches")
		every  = flag.Int("every", 1, "ask only every so many-th question of those not our own")
		shown  = flag.Int("show", 5, "how many queries to show of each difference")
		reason = flag.Int("reason", 0, "show the differences that this line of differences.txt explains")
		v      = flag.Bool("v", false, "show how many differences each line of differences.txt explains")
		root   = flag.String("root", ".", "the module's folder")
		beside = flag.String("beside", "", "the folder of the material (default: shared, beside the module's folder)")
	)
	flag.Parse()
	if *beside == "" {
		*beside = filepath.Join(*root, "..", "shared")
	}
	_, err := os.Stat(filepath.Join(*beside, "kql"))
	how := view{shown: *shown, reason: *reason, counts: *v, whole: *every == 1 && err == nil}
	if how.filter, err = regexp.Compile("(?s)" + *match); err == nil {
		err = run(*root, *beside, *query, *every, how)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

// view is what of the report is shown.
type view struct {
	filter *regexp.Regexp
	shown  int  // queries of each difference
	reason int  // the line of differences.txt whose differences are shown in place of those without a reason
	counts bool // how many differences each line explains
	whole  bool // all questions were asked, the published ones too, so that a reason without use is one too many
}

func run(root, beside, query string, every int, how view) error {
	j, err := newJudge(filepath.Join(root, "internal/oracle/npm"))
	if err != nil {
		return err
	}
	defer j.Close()
	if query != "" {
		return judgeOne(j, query)
	}
	all, err := questions(root, beside, j, every)
	if err != nil {
		return err
	}
	rep, err := j.hold(all)
	if err != nil {
		return err
	}
	return rep.write(how)
}

// judgeOne shows the verdict on one query beside ours.
func judgeOne(j *judge, query string) error {
	tables := append(generatedTables(), schemaTables()...)
	o, err := options(tables, emergency)
	if err != nil {
		return err
	}
	if err := j.know(tables, emergency); err != nil {
		return err
	}
	v, err := j.ask(query)
	if err != nil {
		return err
	}
	for _, e := range v.Errors {
		fmt.Printf("theirs: %s at %d: %s\n", e.Code, e.At, e.Message)
	}
	fmt.Println("theirs:", v.Columns)
	p, diags := kql.Compile(query, o)
	if p == nil {
		fmt.Println("ours:", diags.Err())
		return nil
	}
	fmt.Println("ours:  ", p.Columns)
	return nil
}

// questions gives what is asked: our own queries, every so many-th of the others.
func questions(root, beside string, j *judge, every int) ([]*question, error) {
	own, err := ownQuestions(root)
	if err != nil {
		return nil, err
	}
	published, err := publishedQuestions(beside)
	if err != nil {
		return nil, err
	}
	if err := j.know(nil, nil); err != nil {
		return nil, err
	}
	names, err := j.vocabulary()
	if err != nil {
		return nil, err
	}
	for i, q := range append(published, generate(names)...) {
		if i%every == 0 {
			own = append(own, q)
		}
	}
	return own, nil
}

// report is how the questions came out.
type report struct {
	states  [differs + 1]int
	found   []difference // that nothing explains
	reasons []*reason
}

// hold asks about all questions.
func (j *judge) hold(all []*question) (*report, error) {
	rep := &report{}
	var err error
	if rep.reasons, err = readReasons(differencesText); err != nil {
		return nil, err
	}
	var (
		o     kql.Options
		known []*kqltest.Table
		none  = true
		seen  = map[string]bool{}
	)
	for _, q := range all {
		if none || !slices.Equal(known, q.Tables) {
			if o, err = options(q.Tables, emergency); err != nil {
				return nil, fmt.Errorf("%s: %w", q.ID, err)
			}
			if err := j.know(q.Tables, emergency); err != nil {
				return nil, err
			}
			known, none = q.Tables, false
			clear(seen)
		}
		if seen[q.Query] {
			continue
		}
		seen[q.Query] = true
		v, err := j.ask(q.Query)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", q.ID, err)
		}
		diffs, s := compare(q, o, v)
		rep.states[s]++
		for _, d := range diffs {
			if explain(rep.reasons, d) == nil {
				rep.found = append(rep.found, d)
			}
		}
	}
	return rep, nil
}

// write prints the report.
func (r *report) write(how view) error {
	list := r.found
	for _, e := range r.reasons {
		if e.line == how.reason {
			list = e.explained
		}
	}
	groups := map[string][]*question{}
	for _, d := range list {
		if how.filter.MatchString(d.Text) || how.filter.MatchString(d.Question.Query) {
			groups[d.Text] = append(groups[d.Text], d.Question)
		}
	}
	texts := slices.SortedFunc(maps.Keys(groups), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(groups[b]), len(groups[a])), strings.Compare(a, b))
	})
	for _, t := range texts {
		fmt.Printf("%d × %s\n", len(groups[t]), t)
		for i, q := range groups[t] {
			if i == how.shown {
				break
			}
			if q.ID != "generated" {
				fmt.Printf("    %s\n", q.ID)
			}
			fmt.Printf("    %s\n", strings.ReplaceAll(q.Query, "\n", "\n    "))
		}
	}
	unused := 0
	for _, e := range r.reasons {
		if how.counts {
			fmt.Printf("differences.txt:%d explains %d: %s\n", e.line, len(e.explained), e.why)
		}
		if len(e.explained) == 0 && how.whole {
			unused++
			fmt.Printf("differences.txt:%d explains nothing any more\n", e.line)
		}
	}
	fmt.Printf("%d agree, %d are said to be unsupported, %d differ; %d differences are not explained\n", r.states[agreed], r.states[unsupported], r.states[differs], len(r.found))
	if len(r.found) > 0 || unused > 0 {
		return fmt.Errorf("%d differences without a reason, %d reasons without a difference", len(r.found), unused)
	}
	return nil
}
