package rule

import (
	"slices"
	"strings"
	"time"

	"glassward/kql"
	"glassward/kql/diag"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// DefaultLag is how late records are taken to come where nobody has measured it:
// what is usual of Entra's logs in a workspace, 5 to 15 minutes.
const DefaultLag = 15 * time.Minute

// sentinelDelay is how long after the end of its window Sentinel runs a Scheduled
// rule.
const sentinelDelay = 5 * time.Minute

// refusedByAzure warns of what works here and what Azure would not take. A
// Scheduled rule below five minutes can only be a log alert there; Azure refuses
// in log alerts of one minute what it cannot follow record by record
// (https://aka.ms/lsa_1m_limits).
func refusedByAzure(r *Rule, tree *syntax.File, list *diag.List) {
	minute := r.Kind == Scheduled && r.Frequency < minPeriod
	warn := func(at diag.Span, hint, format string, args ...any) {
		list.Warnf(codeAzure, r.inFile(at), hint, format, args...)
	}
	refused := func(at diag.Span, what string) {
		if minute {
			warn(at, "make queryFrequency 5m or longer, or write kind: NRT",
				"Azure refuses %s in a log alert that runs every minute; it works here", what)
		}
	}
	syntax.Inspect(tree, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Union:
			if slices.ContainsFunc(n.Tables, everything) {
				warn(n.Span(), "name the tables", "Sentinel refuses union * in a rule; it works here")
			} else {
				refused(n.Span(), "union")
			}
		case *syntax.Search:
			if len(n.In) == 0 {
				warn(n.Span(), "name the tables: search in (SigninLogs, AuditLogs) …, or SigninLogs | where …", "Sentinel refuses search over all tables in a rule; it works here")
			} else {
				refused(n.Span(), "search")
			}
		case *syntax.Find:
			refused(n.Span(), "find")
		case *syntax.Take:
			refused(n.Span(), n.Keyword())
		case *syntax.Join:
			refused(n.Span(), "join")
		case *syntax.Lookup:
			refused(n.Span(), "lookup")
		case *syntax.Call:
			if name, ok := n.Func.(*syntax.Name); ok && name.Name == "ingestion_time" {
				refused(n.Span(), "ingestion_time()")
			}
		}
		return true
	})
}

// everything says whether a table of a union is the pattern *.
func everything(t syntax.Expr) bool {
	switch t := t.(type) {
	case *syntax.Star:
		return true
	case *syntax.Wildcard:
		return t.Scope == nil && t.Pattern == "*"
	}
	return false
}

// looksBack warns of a query that asks for more than the rule's window gives it,
// and of a window that Sentinel closes before records have come. Here a late
// record has its windows judged again, so that nothing is lost; a rule that is
// also used in Sentinel loses it there.
func looksBack(r *Rule, tree *syntax.File, tables []string, env Environment, list *diag.List) {
	if r.Kind != Scheduled || r.Period == 0 {
		return
	}
	syntax.Inspect(tree, func(n syntax.Node) bool {
		call, _ := n.(*syntax.Call)
		if call == nil || len(call.Args) != 1 {
			return true
		}
		name, _ := call.Func.(*syntax.Name)
		lit, _ := call.Args[0].Value.(*syntax.Literal)
		if name == nil || name.Name != "ago" || lit == nil || lit.Kind != syntax.TimeSpanLit {
			return true
		}
		if span, ok := value.ParseTimeSpan(lit.Text); ok && time.Duration(span)*100 > r.Period {
			list.Warnf(codeLookBack, r.inFile(n.Span()), "make queryPeriod as long as the query looks back",
				"the query looks back %s and is given the records of queryPeriod, %s: it never sees older ones", lit.Raw, formatDuration(r.Period))
		}
		return true
	})
	var late time.Duration
	table, how := "", "are usually up to"
	for _, t := range tables {
		lag, measured := env.Lag[t]
		if !measured {
			lag = DefaultLag
		}
		if lag > late {
			late, table = lag, t
			if how = "are usually up to"; measured {
				how = "were measured to be"
			}
		}
	}
	// A record is judged in time if a run comes after it and before its event has
	// left the window.
	if slack := r.Period - r.Frequency + sentinelDelay; late > slack {
		list.Warnf(codeLookBack, r.periodAt, "make queryPeriod at least "+formatDuration((r.Frequency+late-sentinelDelay).Truncate(time.Minute)+minuteUp(late)),
			"records of %s %s %s late, and Sentinel would miss those later than %s; here a late record has its windows judged again",
			table, how, formatDuration(late.Round(time.Second)), formatDuration(slack))
	}
}

// minuteUp is what a duration lacks to whole minutes, rounded up to one.
func minuteUp(d time.Duration) time.Duration {
	if d%time.Minute == 0 {
		return 0
	}
	return time.Minute
}

// A nature is what a column holds, as far as its name tells.
type nature int

const (
	unknown nature = iota
	anID
	aName
)

// natureOf judges by the names that Entra's tables and published rules use.
func natureOf(column string) nature {
	c := strings.ToLower(strings.ReplaceAll(column, "_", ""))
	for _, end := range []string{"principalname", "upn", "displayname", "username", "accountname", "mail", "email", "signinname", "identity"} {
		if strings.HasSuffix(c, end) {
			return aName
		}
	}
	switch c {
	case "upnsuffix", "accountupnsuffix", "name":
		return aName
	case "id", "oid", "guid":
		return anID
	}
	for _, end := range []string{"userid", "objectid", "accountid", "principalid", "initiatorid", "actorid", "targetid", "appid"} {
		if strings.HasSuffix(c, end) {
			return anID
		}
	}
	return unknown
}

// comparedByName looks at every `x in (table)`. KQL compares x with the table's
// first column, whatever it holds: a rule that summarizes by name and id and then
// looks for an id in that table is silent for ever. And a list of names is a list
// of names where it comes from a watchlist, too.
func comparedByName(r *Rule, tree *syntax.File, env Environment, list *diag.List) {
	byID := false
	var named []*syntax.Membership
	syntax.Inspect(tree, func(n syntax.Node) bool {
		m, _ := n.(*syntax.Membership)
		if m == nil || len(m.List) != 1 {
			return true
		}
		column := columnOf(m.X)
		first, ok := firstColumn(r, tree, m.List[0], env)
		if !ok {
			return true
		}
		x, y := natureOf(column), natureOf(first)
		words := map[nature]string{anID: "ids", aName: "names"}
		switch {
		case x != unknown && y != unknown && x != y:
			list.Warnf(codeFirst, r.inFile(m.Span()), "put the column that is meant first: … | project "+column,
				"%s holds %s and is compared with the table's first column %s, which holds %s: it never matches", column, words[x], first, words[y])
		case x == aName:
			named = append(named, m)
		default:
			byID = true
		}
		return true
	})
	if byID {
		return // the name stands beside an id, for records that have none
	}
	for _, m := range named {
		list.Warnf(codeName, r.inFile(m.Span()), "compare the object id with the list's column of ids: UserId in~ ((_GetWatchlist('EmergencyAccounts') | project ObjectId))",
			"the query judges by %s, a name: it is silent when the account is renamed", columnOf(m.X))
	}
}

// columnOf gives the name of the column, or of the property, that an expression
// takes its value from; functions of one column are looked through.
func columnOf(x syntax.Expr) string {
	switch x := x.(type) {
	case *syntax.Name:
		return x.Name
	case *syntax.Member:
		return x.Name.Name
	case *syntax.Index:
		if s, ok := x.Index.(*syntax.StringLit); ok {
			return s.Value
		}
		return columnOf(x.X)
	case *syntax.Paren:
		return columnOf(x.X)
	case *syntax.Call:
		if name, ok := x.Func.(*syntax.Name); ok && len(x.Args) == 1 && slices.Contains([]string{"tostring", "tolower", "toupper", "trim", "toguid"}, name.Name) {
			return columnOf(x.Args[0].Value)
		}
	}
	return ""
}

// firstColumn gives the first column of a table within the query, by compiling it
// with the let statements of the query before it.
func firstColumn(r *Rule, tree *syntax.File, table syntax.Expr, env Environment) (string, bool) {
	for {
		p, ok := table.(*syntax.Paren)
		if !ok {
			break
		}
		table = p.X
	}
	switch t := table.(type) {
	case *syntax.Pipeline, *syntax.Call:
	case *syntax.Name:
		// A name is a table only if a statement or the catalog makes it one.
		if _, stored := env.Catalog.Table(t.Name); !stored && !slices.ContainsFunc(tree.Stmts, func(s syntax.Stmt) bool {
			l, ok := s.(*syntax.Let)
			return ok && l.Name.Name == t.Name
		}) {
			return "", false
		}
	default:
		return "", false
	}
	var text strings.Builder
	for _, s := range tree.Stmts {
		if l, ok := s.(*syntax.Let); ok && l.Span().End <= table.Span().Start {
			text.WriteString(r.Query[l.Span().Start:l.Span().End] + ";\n")
		}
	}
	text.WriteString(r.Query[table.Span().Start:table.Span().End])
	p, diags := kql.Compile(text.String(), kql.Options{
		Catalog: env.Catalog, Watchlists: env.Watchlists, Functions: env.Functions, External: noExternal, Addresses: env.Addresses,
	})
	if p == nil || diags.HasErrors() || len(p.Columns) == 0 || len(p.Tables) == 0 && len(p.Columns) == 1 && strings.HasPrefix(p.Columns[0].Name, "print_") {
		return "", false
	}
	return p.Columns[0].Name, true
}
