package syntax

func (p *parser) invoke() parsedOperator { return &Invoke{Call: p.callOf("a function")} }

func (o *Invoke) format(p *printer) *doc { return p.expr(o.Call) }
