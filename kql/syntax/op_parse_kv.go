package syntax

func (p *parser) parseKV() parsedOperator {
	o := &ParseKV{X: p.postfix()}
	if p.expectWord("as", `for example parse-kv Text as (a:string, b:long) with (pair_delimiter=";")`) {
		o.Columns = p.schema().Columns
	}
	if p.gotWord("with") {
		o.With = p.properties()
	}
	return o
}

func (o *ParseKV) format(p *printer) *doc {
	d := cat(p.expr(o.X), text(" as "), p.enclosed("(", ")", p.columns(o.Columns), p.closed(endOf(o.Columns, 0))))
	if len(o.With) > 0 {
		d = cat(d, text(" with "), p.properties(o.With, o.At.End))
	}
	return d
}
