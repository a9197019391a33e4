package syntax

func (p *parser) extend() parsedOperator {
	o := &Extend{Items: p.namedList(nil)}
	for _, n := range o.Items {
		if b, ok := n.Value.(*Binary); ok && b.Op == Equal && len(n.Names) == 0 {
			if x, ok := b.X.(*Name); ok && !p.quiet {
				p.diags.Warnf(ComparesInExtend, b.OpAt, "to give the column a value write "+nameText(x.Name, x.Quoted)+" = …", "this compares; the result is a column of true and false")
			}
		}
	}
	return o
}

func (o *Extend) format(p *printer) *doc { return items(p.nameds(o.Items)) }
