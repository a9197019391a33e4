package syntax

func (p *parser) consume() parsedOperator { return &Consume{Params: p.params("decodeblocks")} }

func (o *Consume) format(p *printer) *doc { return p.params(o.Params) }
