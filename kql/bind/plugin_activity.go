package bind

import (
	"slices"
	"strings"

	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// The plugins that count who was active when. Each is written in KQL over a table T of Id, Time and the
// dimensions; between takes both its ends.

// slidingWindowCounts: a row counts for its own bin and for those after it that look back on it.
const slidingWindowCounts = `
T
| where Time > Start - LookbackWindow and Time <= End
| extend B = bin_at(Time, Bin, Start)
| mv-expand W = range(max_of(B, Start), min_of(max_of(B, B + LookbackWindow - Bin), End), Bin) to typeof(⟨type⟩)
| summarize N = count(), D = dcount(Id) by Time = W⟨dims⟩`

func (p *plugin) slidingWindowCounts() *table {
	l := p.timeline(0, 1, p.rest)
	if l == nil {
		return nil
	}
	l.points(p, 2, 3)
	l.distances(p, 4, 5)
	return l.run(p, slidingWindowCounts, [2]string{"Time"}, [2]string{"dims"}, [2]string{"N", "Count"}, [2]string{"D", "Dcount"})
}

// sessionCount: a session begins where an id was not seen for as long as one looks back.
const sessionCount = `
T
| where Time > Start - LookBackWindow and Time <= End
| sort by Id asc⟨dims⟩, Time asc
| extend Before = prev(Time), Same = Id == prev(Id)⟨same⟩
| where Time >= Start and not(Same and Time - Before < LookBackWindow)
| summarize N = count() by Time = bin(Time, Bin)⟨dims⟩`

func (p *plugin) sessionCount() *table {
	l := p.timeline(0, 1, p.rest)
	if l == nil {
		return nil
	}
	l.points(p, 2, 3)
	l.distances(p, 4, 5)
	var same strings.Builder
	for i := range l.dims {
		same.WriteString(" and " + dimension(i) + " == prev(" + dimension(i) + ")")
	}
	return l.run(p, strings.ReplaceAll(sessionCount, "⟨same⟩", same.String()), [2]string{"Time"}, [2]string{"dims"}, [2]string{"N", "count_sessions"})
}

// activeUsersCount: an appearance counts if, looking back from it, the id was there in enough periods.
const activeUsersCount = `
let A = materialize(T | where Time > Start - LookbackWindow and Time <= End | distinct Id, Time⟨dims⟩);
A
| where Time >= Start
| join kind=inner (A | project Id, Back = Time, P = bin_at(Time, Period, Start)⟨dims⟩) on Id⟨dims⟩
| where Back > Time - LookbackWindow and Back <= Time
| summarize N = count_distinct(P) by Id, Time⟨dims⟩
| where N >= ActivePeriodsCount
| summarize N = dcount(Id) by Time = bin_at(Time, Bin, Start)⟨dims⟩`

func (p *plugin) activeUsersCount() *table {
	l := p.timeline(0, 1, p.rest)
	if l == nil {
		return nil
	}
	l.points(p, 2, 3)
	l.distances(p, 4, 5, 7)
	l.values["ActivePeriodsCount"] = rel.Long(p.whole(6, 0))
	return l.run(p, activeUsersCount, [2]string{"Time"}, [2]string{"dims"}, [2]string{"N", "dcount"})
}

// calendar gives a macro's bins: ⟨bin⟩ of the time, ⟨before⟩ and ⟨after⟩ those beside the bin B. The window
// is a distance, or one of the words week, month and year.
func (l *timeline) calendar(p *plugin, at int, text string) string {
	name := p.f.Params[at].Name
	bin, before, after := "bin_at(Time, "+name+", Start)", "B - "+name, "B + "+name
	x := p.value(at)
	if x != nil && x.Type() == value.String {
		switch word := p.text(at); word {
		case "week", "month", "year":
			if l.t != value.DateTime {
				p.wrong(p.args[at], "", "a %s needs a timeline of type datetime", word)
			}
			bin, before, after = "startof"+word+"(Time)", "startof"+word+"(B, -1)", "startof"+word+"(B, 1)"
		default:
			p.wrong(p.args[at], "use a timespan, or 'week', 'month' or 'year'", "%s of %s cannot be %q", name, p.f.Name, word)
		}
	} else if x != nil {
		l.distances(p, at)
	}
	return strings.NewReplacer("⟨bin⟩", bin, "⟨before⟩", before, "⟨after⟩", after).Replace(text)
}

const activityCounts = `
let A = materialize(T | where Time between (Start .. End) | extend B = ⟨bin⟩, K = 1);
A
| summarize N = count(), D = dcount(Id) by K, B⟨dims⟩
| join kind=inner (A | summarize First = min(B) by K, Id⟨dims⟩ | summarize New = count() by K, First⟨dims⟩) on K⟨dims⟩
| where First <= B
| summarize Fresh = sumif(New, First == B), Total = sum(New) by Time = B⟨dims⟩, N, D`

func (p *plugin) activityCounts() *table {
	l := p.timeline(0, 1, p.rest)
	if l == nil {
		return nil
	}
	l.points(p, 2, 3)
	text := l.calendar(p, 4, activityCounts)
	return l.run(p, text, [2]string{"Time"}, [2]string{"dims"}, [2]string{"N", "count"}, [2]string{"D", "dcount"}, [2]string{"Fresh", "new_dcount"}, [2]string{"Total", "aggregated_dcount"})
}

// activityMetrics compares each bin with the one before it.
const activityMetrics = `
let A = materialize(T ⟨range⟩ | extend B = ⟨bin⟩ | distinct Id, B⟨dims⟩);
A
| join kind=leftouter (A | extend B = ⟨after⟩, Was = 1) on Id, B⟨dims⟩
| summarize N = count(), Kept = countif(Was == 1) by B⟨dims⟩
| join kind=leftouter (A | summarize Before = count() by B⟨dims⟩ | extend B = ⟨after⟩) on B⟨dims⟩
| extend Retention = iff(isnull(Before), real(nan), todouble(Kept) / Before)
| extend Time = B, Fresh = N - Kept, Churn = 1.0 - Retention`

func (p *plugin) activityMetrics() *table {
	windows := p.optionalRange(1)
	l := p.timeline(0, 1, p.rest)
	if l == nil {
		return nil
	}
	text := l.rangeOf(p, 2, l.calendar(p, 4, activityMetrics), windows)
	return l.run(p, text, [2]string{"Time"}, [2]string{"dims"}, [2]string{"N", "dcount_values"}, [2]string{"Fresh", "dcount_newvalues"}, [2]string{"Retention", "retention_rate"}, [2]string{"Churn", "churn_rate"})
}

// optionalRange moves the arguments after a timeline without start and end to where the parameters of n windows
// stand. It says whether they were left out.
func (p *plugin) optionalRange(n int) bool {
	given := 0
	for _, a := range p.args[2:] {
		if a != nil {
			given++
		}
	}
	if given != n || len(p.rest) > 0 || p.args[2] == nil {
		return false
	}
	moved := slices.Clone(p.args[2 : 2+n])
	p.args[2], p.args[3] = nil, nil
	copy(p.args[4:4+n], moved)
	return true
}

// rangeOf fills ⟨range⟩: the filter on start and end, or, if they were left out, nothing, with the bins from
// zero.
func (l *timeline) rangeOf(p *plugin, at int, text string, open bool) string {
	if open {
		zero := &rel.Const{Value: int64(0), T: l.t}
		l.values["Start"] = zero
		switch l.t {
		case value.Real:
			l.values["Start"] = &rel.Const{Value: 0.0, T: l.t}
		case value.Decimal:
			l.values["Start"] = &rel.Const{Value: value.DecOf(0), T: l.t}
		}
		return strings.NewReplacer("⟨range⟩", "", "⟨earlier⟩", "", "⟨within⟩", "true").Replace(text)
	}
	l.points(p, at, at+1)
	return strings.NewReplacer("⟨range⟩", "| where Time between (Start .. End)", "⟨earlier⟩", "| where Time > Start - OuterActivityWindow and Time <= End", "⟨within⟩", "W >= Start and W <= End").Replace(text)
}

const activityEngagement = `
let A = materialize(T ⟨earlier⟩ | extend B = bin_at(Time, InnerActivityWindow, Start) | distinct Id, B⟨dims⟩);
A
| summarize Inner = count() by B⟨dims⟩
| join kind=inner (
    A
    | mv-expand W = range(B, max_of(B, B + OuterActivityWindow - InnerActivityWindow), InnerActivityWindow) to typeof(⟨type⟩)
    | where ⟨within⟩
    | summarize Outer = dcount(Id) by B = W⟨dims⟩) on B⟨dims⟩
| extend Time = B, Ratio = todouble(Inner) / Outer`

func (p *plugin) activityEngagement() *table {
	open := p.optionalRange(2)
	l := p.timeline(0, 1, p.rest)
	if l == nil {
		return nil
	}
	l.distances(p, 4, 5)
	text := l.rangeOf(p, 2, activityEngagement, open)
	return l.run(p, text, [2]string{"Time"}, [2]string{"dims"}, [2]string{"Inner", "dcount_activities_inner"}, [2]string{"Outer", "dcount_activities_outer"}, [2]string{"Ratio", "activity_ratio"})
}

// newActivityMetrics follows those who came first in one bin through the later ones. Who was seen in a bin is
// new to a cohort if he came first after the cohort, or with it in its own bin.
const newActivityMetrics = `
let A = materialize(T | where Time between (Start .. End) | extend B = ⟨bin⟩, K = 1 | distinct K, Id, B⟨dims⟩);
let F = materialize(A | summarize First = min(B) by Id⟨dims⟩);
let S = A | join kind=inner F on Id⟨dims⟩ | summarize N = count() by K, First, B⟨dims⟩;
let Bins = ⟨bins⟩;
F
| summarize Size = count() by From = First⟨dims⟩
| where ⟨cohort⟩
| extend K = 1
| join kind=inner Bins on K
| where To >= From
| join kind=leftouter (S | project K, First, To = B, N⟨dims⟩) on K, To⟨dims⟩
| summarize New = sumif(N, First > From or First == From and To == From), Kept = sumif(N, First == From) by From, To, Size⟨dims⟩
| extend Lost = Size - Kept, Retention = todouble(Kept) / Size
| extend Churn = 1.0 - Retention`

func (p *plugin) newActivityMetrics() *table {
	// After the window come a cohort, columns, and a table of ids that are no news.
	rest := p.rest
	var cohort rel.Expr
	var known *table
	isColumn := func(a *syntax.NamedExpr) bool {
		n, ok := a.Value.(*syntax.Name)
		return ok && rel.Index(p.in.cols(), n.Name) >= 0
	}
	if len(rest) > 0 && !isColumn(rest[len(rest)-1]) {
		var bound *binding
		p.quiet(func() { bound = p.letValue(rest[len(rest)-1].Value, p.sc) })
		if bound != nil && bound.table != nil && !bound.table.open {
			known, rest = bound.table, rest[:len(rest)-1]
		}
	}
	if len(rest) > 0 && !isColumn(rest[0]) {
		cohort = p.expr(rest[0].Value, &env{sc: p.sc})
		p.failed = p.failed || isUnknown(cohort)
		rest = rest[1:]
	}
	l := p.timeline(0, 1, rest)
	if l == nil {
		return nil
	}
	l.points(p, 2, 3)
	text := l.calendar(p, 4, newActivityMetrics)
	bins := "range To from Start to End step Window | extend K = 1"
	if strings.Contains(text, "startof") {
		bins = "A | distinct K, To = B"
	}
	which := "true"
	if cohort != nil {
		if cohort.Type() != l.t && !(cohort.Type().Numeric() && l.t.Numeric()) {
			p.wrong(p.call, "", "found a cohort of type %s, %s is needed", cohort.Type(), l.t)
			return nil
		}
		which = "From == Cohort"
		l.values["Cohort"] = p.cast(cohort, l.t)
	}
	if known != nil {
		id, _ := p.column(0)
		i := rel.Index(known.cols(), id.Name)
		if i < 0 || known.cols()[i].Type != id.Type {
			p.wrong(p.call, "", "the lookback table lacks the column %s:%s", id.Name, id.Type)
			return nil
		}
		ids := &rel.Project{In: known.rel, Items: []rel.Item{{Name: id.Name, Expr: &rel.Col{Name: id.Name, T: id.Type}}}}
		t := l.table.cols()[rel.Index(l.table.cols(), "Id")].Type
		cond := &rel.InTable{X: &rel.Col{Name: "Id", T: t}, Rel: ids, Not: true}
		l.table = l.table.with(&rel.Filter{In: l.table.rel, Cond: cond})
	}
	text = strings.NewReplacer("⟨bins⟩", bins, "⟨cohort⟩", which).Replace(text)
	return l.run(p, text, [2]string{"From", "from_"}, [2]string{"To", "to_"}, [2]string{"dims"}, [2]string{"New", "dcount_new_values"}, [2]string{"Kept", "dcount_retained_values"},
		[2]string{"Lost", "dcount_churn_values"}, [2]string{"Retention", "retention_rate"}, [2]string{"Churn", "churn_rate"})
}
