package syntax

func (p *parser) getSchema() parsedOperator { return &GetSchema{Params: p.params("kind")} }

func (o *GetSchema) format(p *printer) *doc { return p.params(o.Params) }
