package syntax

import "glassward/kql/diag"

func (p *parser) datatable() Expr {
	start := p.start()
	p.next()
	d := &Datatable{Params: p.params()}
	d.Columns = p.schema().Columns
	if !p.at(lbrack) {
		p.expect(lbrack, "and values after the columns")
	} else {
		p.bracketed(func() { d.Values = p.values() })
	}
	d.At = p.from(start)
	return d
}

// values parses expressions with commas, the last of which may be followed by one.
func (p *parser) values() (list []Expr) {
	for !p.atEnd() && !p.at(rbrack) {
		list = append(list, p.expr())
		if p.quiet || !p.got(comma) {
			if !p.quiet && p.startsItem() {
				at := p.last.End
				p.errorf(MissingComma, diag.At(at, at), "", "a comma is missing before %s", p.found())
				continue
			}
			return list
		}
	}
	return list
}

// datatable gives the values row by row.
func (p *printer) datatable(d *Datatable) *doc {
	head := cat(text("datatable"), p.paramsBefore(d.Params), p.enclosed("(", ")", p.columns(d.Columns), p.closed(endOf(d.Columns, 0))))
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

// paramsBefore gives parameters before a parenthesis, with a space on both sides if there are any.
func (p *printer) paramsBefore(ps Params) *doc {
	if len(ps) == 0 {
		return none
	}
	return cat(text(" "), p.params(ps))
}
