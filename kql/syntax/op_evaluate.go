package syntax

// callOf parses a call, as evaluate and invoke take it.
func (p *parser) callOf(what string) *Call {
	if e, ok := p.postfix().(*Call); ok {
		return e
	}
	p.fail(Unexpected, "", "expected a call of %s", what)
	at := Base{p.place()}
	return &Call{Base: at, Func: &BadExpr{at}}
}

func (p *parser) evaluate() parsedOperator {
	o := &Evaluate{Params: p.params()}
	o.Call = p.callOf("a plugin, such as bag_unpack(Column)")
	if p.got(colon) {
		o.Schema = p.schema()
	}
	return o
}

func (o *Evaluate) format(p *printer) *doc {
	d := cat(p.params(o.Params), p.expr(o.Call))
	if o.Schema != nil {
		d = cat(d, text(" : "), p.schema(o.Schema))
	}
	return d
}
