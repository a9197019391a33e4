package rule

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"glassward/kql"
	"glassward/kql/diag"
	"glassward/kql/syntax"
)

// An Environment is what the queries of rules are compiled against.
type Environment struct {
	Catalog kql.Catalog
	// Watchlists are the tenant's; those that every workspace has are added.
	Watchlists map[string]*kql.Watchlist
	// Functions are the stored functions; nil for none.
	Functions *kql.Functions
	// Addresses says that there is a database of addresses.
	Addresses bool
	// Lag is how late records of a table come, as measured (the 99th percentile),
	// for Lint. A table that is not in it counts as DefaultLag late.
	Lag map[string]time.Duration
}

// Lint reads a rule file and judges it together with its query: everything that
// Parse says, the query's diagnostics at their places in the file, columns that
// the result does not have, an NRT rule that cannot run as one, what would make
// the rule miss events, and what Azure would refuse. The rule is nil if it cannot
// be used.
func Lint(file string, source []byte, env Environment) (*Rule, *Problem) {
	r, p := Parse(file, source)
	if r == nil {
		return nil, p
	}
	for _, d := range LintRule(r, env) {
		p.List.Add(d)
	}
	p.List.Sort()
	if p.Failed() {
		return nil, p
	}
	return r, p
}

// LintRule gives what Lint says beyond Parse.
func LintRule(r *Rule, env Environment) diag.List {
	env.Watchlists = withShipped(env.Watchlists)
	c := compileRule(r, env)
	list := c.diags
	judgedByName(r, &list)
	if tree, mistakes := syntax.Parse(r.Query); !mistakes.HasErrors() {
		refusedByAzure(r, tree, &list)
		comparedByName(r, tree, env, &list)
		if !c.diags.HasErrors() && c.program != nil {
			looksBack(r, tree, c.program.Tables, env, &list)
		}
	}
	if r.Shipped {
		if at := guidInText.FindStringIndex(r.Query); at != nil {
			list.Errorf(codeShippedID, r.inFile(diag.At(at[0], at[1])), "declare the account in the configuration and use _GetWatchlist('EmergencyAccounts')", "a shipped rule names an object")
		}
	}
	if c.diags.HasErrors() || c.program == nil {
		return list
	}
	if c.nrt && slices.Contains(c.program.Params, "now") {
		list.Warnf(codeClock, r.queryAt, "leave the time to the rule: it is given exactly what is new",
			"the query filters by the clock (now, ago), so that a record which comes late can slip through")
	}
	checkColumns(r, c.program, &list)
	return list
}

// checkColumns reports columns that the rule names and the result lacks.
func checkColumns(r *Rule, p *kql.Program, list *diag.List) {
	var names []string
	for _, c := range p.Columns {
		names = append(names, c.Name)
	}
	check := func(column string, at diag.Span) {
		if column == "" || slices.Contains(names, column) {
			return
		}
		hint := hintFor(column, names)
		if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, column) }); i >= 0 {
			hint = "the result writes it " + names[i]
		}
		list.Errorf(codeColumn, at, hint, "the result of the query has no column %s", column)
	}
	for _, m := range r.Entities {
		for _, f := range m.Fields {
			check(f.Column, f.at)
		}
	}
	for _, d := range r.Details {
		check(d.Column, d.at)
	}
	o := &r.Override
	for _, m := range columnsPattern.FindAllStringSubmatch(o.Name, -1) {
		check(m[1], o.nameAt)
	}
	for _, m := range columnsPattern.FindAllStringSubmatch(o.Description, -1) {
		check(m[1], o.descriptionAt)
	}
	check(o.TacticsColumn, o.tacticsColumnAt)
	check(o.SeverityColumn, o.severityColumAt)
	for _, p := range o.Properties {
		check(p.Column, p.at)
	}
}

var (
	guidInText = regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)
	// byName finds a name that is compared with a text that is written out. Names
	// change, and whoever may write one can choose it.
	byName  = regexp.MustCompile(`(?i)\b(UserPrincipalName|UserDisplayName|Identity|AlternateSignInName|displayName|AccountUPN|AccountUPNSuffix)\)?\s*(==|=~|!=|!~|!?in~?\s*\(|!?has(_any|_all)?\b|!?contains\b|!?startswith\b|!?endswith\b)\s*(\(\s*)?(dynamic\(\[\s*)?@?["']`)
	comment = regexp.MustCompile(`//[^\n]*`)
)

func judgedByName(r *Rule, list *diag.List) {
	text := comment.ReplaceAllStringFunc(r.Query, func(c string) string { return strings.Repeat(" ", len(c)) })
	for _, m := range byName.FindAllStringSubmatchIndex(text, -1) {
		column := text[m[2]:m[3]]
		list.Warnf(codeName, r.inFile(diag.At(m[2], m[3])), "compare the object id (UserId, InitiatedBy.user.id, TargetResources[].id), or use the watchlist EmergencyAccounts",
			"the query judges by %s, a name: it is silent when the account is renamed", column)
	}
}

// List says what the rules are and how they would run, without an engine: ids,
// names, kinds, how they run, where they are from, and why one does not compile.
func List(rules []*Rule, env Environment) []State {
	env.Watchlists = withShipped(env.Watchlists)
	var out []State
	for _, r := range rules {
		c := compileRule(r, env)
		s := State{ID: r.ID, Name: r.Name, Kind: r.Kind, RunsAs: c.runsAs, Origin: r.Origin(), Enabled: r.Enabled}
		if c.diags.HasErrors() {
			p := &Problem{File: r.File, Source: r.source, List: c.diags}
			s.Err = fmt.Errorf("%w: %s", ErrDisabled, p.Error())
		}
		out = append(out, s)
	}
	return out
}
