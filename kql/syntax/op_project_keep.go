package syntax

func (p *parser) projectKeep() parsedOperator { return &ProjectKeep{Items: p.columnList()} }

func (o *ProjectKeep) format(p *printer) *doc { return items(p.exprs(o.Items)) }
