package syntax

func (o *BadOp) format(*printer) *doc { return none }

func (o *Where) format(p *printer) *doc { return cat(p.params(o.Params), p.expr(o.Cond)) }

func (o *Extend) format(p *printer) *doc { return items(p.nameds(o.Items)) }

func (o *Project) format(p *printer) *doc { return items(p.nameds(o.Items)) }

func (o *ProjectAway) format(p *printer) *doc { return items(p.exprs(o.Items)) }

func (o *ProjectKeep) format(p *printer) *doc { return items(p.exprs(o.Items)) }

func (o *ProjectRename) format(p *printer) *doc { return items(p.nameds(o.Items)) }

func (o *ProjectReorder) format(p *printer) *doc { return items(p.orders(o.Items)) }

func (o *Summarize) format(p *printer) *doc {
	params, aggs := p.params(o.Params), p.nameds(o.Aggs)
	switch {
	case len(o.By) == 0:
		return cat(params, items(aggs))
	case len(aggs) == 0:
		return cat(params, text("by "), items(p.nameds(o.By)))
	}
	d := group(indent(soft, list(aggs)))
	if len(aggs) == 1 {
		d = aggs[0]
	}
	return cat(params, group(d, indent(line, text("by "), group(indent(list(p.nameds(o.By)))))))
}

func (o *Sort) format(p *printer) *doc {
	return cat(p.params(o.Params), text("by "), items(p.orders(o.By)))
}

func (o *Top) format(p *printer) *doc {
	return cat(p.params(o.Params), p.expr(o.N), text(" by "), p.order(o.By))
}

func (o *TopNested) format(p *printer) *doc {
	kids := []*doc{}
	for i, l := range o.Levels {
		if i > 0 {
			kids = append(kids, text(","), line, text("top-nested "))
		}
		kids = append(kids, p.comment(l.At.Start))
		if l.N != nil {
			kids = append(kids, p.expr(l.N), text(" "))
		}
		kids = append(kids, text("of "), p.named(l.Of))
		if l.Others != nil {
			kids = append(kids, text(" with others = "), p.expr(l.Others))
		}
		kids = append(kids, text(" by "), p.order(l.By))
	}
	return group(indent(kids...))
}

func (o *TopHitters) format(p *printer) *doc {
	d := cat(p.expr(o.N), text(" of "), p.named(o.Of))
	if o.By != nil {
		d = cat(d, text(" by "), p.order(o.By))
	}
	return d
}

func (o *Take) format(p *printer) *doc { return cat(p.params(o.Params), p.expr(o.N)) }

func (o *Sample) format(p *printer) *doc { return cat(p.params(o.Params), p.expr(o.N)) }

func (o *SampleDistinct) format(p *printer) *doc {
	return cat(p.params(o.Params), p.expr(o.N), text(" of "), p.named(o.Of))
}

func (o *Distinct) format(p *printer) *doc { return cat(p.params(o.Params), items(p.nameds(o.Items))) }

func (o *Count) format(p *printer) *doc {
	if o.As == nil {
		return none
	}
	return cat(text("as "), p.ident(*o.As))
}

// joined gives what follows join and lookup.
func (p *printer) joined(params Params, right Expr, on []Expr) *doc {
	d := cat(p.params(params), p.expr(right))
	if len(on) > 0 {
		d = cat(d, text(" on "), items(p.exprs(on)))
	}
	return d
}

func (o *Join) format(p *printer) *doc { return p.joined(o.Params, o.Right, o.On) }

func (o *Lookup) format(p *printer) *doc { return p.joined(o.Params, o.Right, o.On) }

func (o *Union) format(p *printer) *doc { return cat(p.params(o.Params), items(p.exprs(o.Tables))) }

func (p *printer) expandItems(its []*ExpandItem) *doc {
	ds := make([]*doc, len(its))
	for i, it := range its {
		ds[i] = p.named(it.Value)
		if it.Type != "" {
			ds[i] = cat(ds[i], text(" to typeof("+it.Type+")"))
		}
	}
	return items(ds)
}

func (p *printer) limit(e Expr) *doc {
	if e == nil {
		return none
	}
	return cat(text(" limit "), p.expr(e))
}

func (o *MvExpand) format(p *printer) *doc {
	return cat(p.params(o.Params), p.expandItems(o.Items), p.limit(o.Limit))
}

func (o *MvApply) format(p *printer) *doc {
	return cat(p.params(o.Params), p.expandItems(o.Items), p.limit(o.Limit), text(" on "), p.body(o.Body, o.At.End))
}

func (o *ParseOp) format(p *printer) *doc {
	kids := []*doc{}
	for _, part := range o.Pattern {
		kids = append(kids, line, p.comment(part.At.Start))
		switch {
		case part.Star:
			kids = append(kids, text("*"))
		case part.Text != nil:
			kids = append(kids, p.expr(part.Text))
		default:
			kids = append(kids, p.column(part.Column))
		}
	}
	return cat(p.params(o.Params), p.expr(o.X), text(" with"), group(indent(kids...)))
}

func (o *ParseKV) format(p *printer) *doc {
	d := cat(p.expr(o.X), text(" as "), p.enclosed("(", ")", p.columns(o.Columns), endOf(o.Columns, 0)))
	if len(o.With) > 0 {
		d = cat(d, text(" with "), p.properties(o.With, o.At.End))
	}
	return d
}

func (o *MakeSeries) format(p *printer) *doc {
	params := p.params(o.Params)
	aggs := make([]*doc, len(o.Aggs))
	for i, a := range o.Aggs {
		aggs[i] = p.named(a.Value)
		if a.Default != nil {
			aggs[i] = cat(aggs[i], text(" default = "), p.expr(a.Default))
		}
	}
	kids := []*doc{list(aggs), clause("on", p.named(o.On))}
	if o.InRange {
		kids = append(kids, text(" in range"), p.enclosed("(", ")", p.exprs([]Expr{o.From, o.To, o.Step}), 0))
	} else {
		if o.From != nil {
			kids = append(kids, clause("from", p.expr(o.From)))
		}
		if o.To != nil {
			kids = append(kids, clause("to", p.expr(o.To)))
		}
		kids = append(kids, clause("step", p.expr(o.Step)))
	}
	if len(o.By) > 0 {
		kids = append(kids, clause("by", items(p.nameds(o.By))))
	}
	return cat(params, group(indent(kids...)))
}

func (o *Evaluate) format(p *printer) *doc {
	d := cat(p.params(o.Params), p.expr(o.Call))
	if o.Schema != nil {
		d = cat(d, text(" : "), p.schema(o.Schema))
	}
	return d
}

func (o *Partition) format(p *printer) *doc {
	d := cat(p.params(o.Params), text("by "), p.expr(o.By), text(" "))
	if o.Scope != nil {
		d = cat(d, text("in "), p.expr(o.Scope), text(" "))
	}
	if !o.Braces {
		return cat(d, p.body(o.Body, o.At.End))
	}
	return cat(d, group(text("{"), indent(line, p.pipeline(o.Body, line), p.comment(o.At.End)), line, text("}")))
}

func (o *Scan) format(p *printer) *doc {
	d := p.params(o.Params)
	if len(o.OrderBy) > 0 {
		d = cat(d, text("order by "), items(p.orders(o.OrderBy)), text(" "))
	}
	if len(o.PartitionBy) > 0 {
		d = cat(d, text("partition by "), items(p.exprs(o.PartitionBy)), text(" "))
	}
	if len(o.Declare) > 0 {
		d = cat(d, text("declare "), p.parameters(o.Declare, endOf(o.Declare, 0)), text(" "))
	}
	kids := []*doc{}
	for _, s := range o.Steps {
		kids = append(kids, hard, p.comment(s.At.Start), text("step "+identText(s.Name)))
		if s.Optional {
			kids = append(kids, text(" optional"))
		}
		if s.Output != "" {
			kids = append(kids, text(" output="+s.Output))
		}
		kids = append(kids, text(": "), p.expr(s.Cond))
		if len(s.Assign) > 0 {
			kids = append(kids, text(" => "), items(p.nameds(s.Assign)))
		}
		kids = append(kids, text(";"))
	}
	return cat(d, text("with "), group(text("("), indent(kids...), indent(p.comment(o.At.End)), line, text(")")))
}

func (o *Serialize) format(p *printer) *doc {
	d := p.params(o.Params)
	if len(o.Items) > 0 {
		d = cat(d, items(p.nameds(o.Items)))
	}
	return d
}

func (o *GetSchema) format(p *printer) *doc { return p.params(o.Params) }

func (o *Consume) format(p *printer) *doc { return p.params(o.Params) }

func (o *As) format(p *printer) *doc { return cat(p.params(o.Params), p.ident(o.Name)) }

func (o *Invoke) format(p *printer) *doc { return p.expr(o.Call) }

func (o *Fork) format(p *printer) *doc {
	kids := []*doc{}
	for i, b := range o.Branches {
		if i > 0 {
			kids = append(kids, line)
		}
		kids = append(kids, p.comment(b.At.Start))
		if b.Name.Name != "" {
			kids = append(kids, p.ident(b.Name), text(" = "))
		}
		kids = append(kids, p.body(b.Body, b.At.End))
	}
	return group(indent(kids...))
}

func (o *Facet) format(p *printer) *doc {
	d := cat(text("by "), items(p.exprs(o.By)))
	if o.With != nil {
		d = cat(d, text(" with "), p.body(o.With, o.At.End))
	}
	return d
}

func (o *Reduce) format(p *printer) *doc {
	d := cat(p.params(o.Params), text("by "), p.expr(o.By))
	if len(o.With) > 0 {
		ds := make([]*doc, len(o.With))
		for i, q := range o.With {
			ds[i] = p.param(q)
		}
		d = cat(d, text(" with "), items(ds))
	}
	return d
}

func (o *Render) format(p *printer) *doc {
	d := text(o.Chart)
	if len(o.With) > 0 {
		d = cat(d, text(" with "), p.properties(o.With, o.At.End))
	}
	return d
}

func (o *Search) format(p *printer) *doc {
	d := p.params(o.Params)
	if len(o.In) > 0 {
		d = cat(d, text("in "), p.enclosed("(", ")", p.exprs(o.In), endOf(o.In, 0)), text(" "))
	}
	return cat(d, p.expr(o.Cond))
}

func (o *Find) format(p *printer) *doc {
	d := p.params(o.Params)
	if len(o.In) > 0 {
		d = cat(d, text("in "), p.enclosed("(", ")", p.exprs(o.In), endOf(o.In, 0)), text(" "))
	}
	if len(o.In) > 0 || len(o.Params) > 0 {
		d = cat(d, text("where "))
	}
	d = cat(d, p.expr(o.Cond))
	if len(o.Project) > 0 {
		d = cat(d, text(" project "), items(p.exprs(o.Project)))
	}
	if o.Smart {
		d = cat(d, text(" project-smart"))
	}
	if len(o.Away) > 0 {
		d = cat(d, text(" project-away "), items(p.exprs(o.Away)))
	}
	return d
}

func (o *Print) format(p *printer) *doc { return items(p.nameds(o.Items)) }

func (o *Range) format(p *printer) *doc {
	return cat(p.ident(o.Name), text(" from "), p.expr(o.From), text(" to "), p.expr(o.To), text(" step "), p.expr(o.Step))
}

// datatable gives the values row by row.
func (p *printer) datatable(d *Datatable) *doc {
	head := cat(text("datatable"), p.paramsBefore(d.Params), p.enclosed("(", ")", p.columns(d.Columns), endOf(d.Columns, 0)))
	n := max(1, len(d.Columns))
	var rows []*doc
	for vals := d.Values; len(vals) > 0; vals = vals[min(n, len(vals)):] {
		c := p.comment(vals[0].Span().Start)
		rows = append(rows, cat(c, group(list(p.exprs(vals[:min(n, len(vals))])))))
	}
	c := p.comment(d.At.End)
	if len(rows) == 0 && !c.hard {
		return cat(head, text(" []"))
	}
	return cat(head, text(" "), group(text("["), indent(soft, list(rows), c), soft, text("]")))
}

func (p *printer) externalData(d *ExternalData) *doc {
	out := cat(text("externaldata"), p.paramsBefore(d.Params), p.enclosed("(", ")", p.columns(d.Columns), endOf(d.Columns, 0)),
		text(" "), p.enclosed("[", "]", p.exprs(d.URIs), endOf(d.URIs, 0)))
	if len(d.With) > 0 {
		out = cat(out, text(" with "), p.properties(d.With, d.At.End))
	}
	return out
}

// paramsBefore gives parameters before a parenthesis, with a space on both sides if there are any.
func (p *printer) paramsBefore(ps Params) *doc {
	if len(ps) == 0 {
		return none
	}
	return cat(text(" "), p.params(ps))
}
