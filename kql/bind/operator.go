package bind

import (
	"glassward/kql/builtin"
	"glassward/kql/rel"
	"glassward/kql/syntax"
)

// operator binds one operator over the table before it.
func (b *binder) operator(o syntax.Operator, in *table, sc *scope) *table {
	// Operators that may stand at the head of a pipeline; there in is nil.
	switch o := o.(type) {
	case *syntax.Union:
		return b.union(o, in, sc)
	case *syntax.Search:
		return b.search(o, in, sc)
	case *syntax.Find:
		return b.find(o, sc)
	case *syntax.Print:
		return b.print(o, sc)
	case *syntax.Range:
		return b.rangeOp(o, sc)
	}
	if in == nil {
		in = openTable()
	}
	switch o := o.(type) {
	case *syntax.Where:
		return b.where(o, in, sc)
	case *syntax.Extend:
		return b.extend(o.Items, in, sc, false)
	case *syntax.Serialize:
		return b.extend(o.Items, in, sc, true)
	case *syntax.Project:
		return b.project(o, in, sc)
	case *syntax.ProjectAway:
		return b.projectAway(o, in)
	case *syntax.ProjectKeep:
		return b.projectKeep(o, in)
	case *syntax.ProjectRename:
		return b.projectRename(o, in)
	case *syntax.ProjectReorder:
		return b.projectReorder(o, in)
	case *syntax.Summarize:
		return b.summarize(o, in, sc)
	case *syntax.Distinct:
		return b.distinct(o, in, sc)
	case *syntax.Count:
		return b.count(o, in)
	case *syntax.Sort:
		return b.sort(o, in, sc)
	case *syntax.Top:
		return b.top(o, in, sc)
	case *syntax.Take:
		return b.take(o, in, sc)
	case *syntax.Sample:
		return b.sample(o, in, sc)
	case *syntax.SampleDistinct:
		return b.sampleDistinct(o, in, sc)
	case *syntax.Join:
		return b.join(o, in, sc)
	case *syntax.Lookup:
		return b.lookup(o, in, sc)
	case *syntax.MvExpand:
		return b.mvExpand(o, in, sc)
	case *syntax.MvApply:
		return b.mvApply(o, in, sc)
	case *syntax.ParseOp:
		return b.parse(o, in, sc)
	case *syntax.ParseKV:
		return b.parseKV(o, in, sc)
	case *syntax.MakeSeries:
		return b.makeSeries(o, in, sc)
	case *syntax.As:
		return b.as(o, in, sc)
	case *syntax.Invoke:
		return b.invoke(o, in, sc)
	case *syntax.GetSchema:
		return b.getSchema(in)
	case *syntax.Partition:
		return b.partition(o, in, sc)
	case *syntax.TopHitters:
		return b.topHitters(o, in, sc)
	case *syntax.Evaluate:
		return b.evaluate(o, in, sc)
	case *syntax.TopNested:
		return b.topNested(o, in, sc)
	case *syntax.Reduce:
		return b.reduce(o, in, sc)
	case *syntax.Fork:
		return b.fork(o, in, sc)
	case *syntax.Facet:
		return b.facet(o, in, sc)
	case *syntax.Scan:
		return b.scanOp(o, in, sc)
	case *syntax.Render:
		return in
	case *syntax.Consume:
		return in.with(&rel.Filter{In: in.rel, Cond: rel.Bool(false)})
	case *syntax.BadOp:
		return &table{rel: in.rel, open: true}
	}
	if f, ok := builtin.Lookup(builtin.Operator, o.Keyword()); ok && f.Unsupported != "" {
		b.unsupported(o, f.Unsupported)
	} else {
		b.unsupported(o, "The operator "+o.Keyword()+" is not supported")
	}
	return &table{rel: in.rel, open: true}
}
