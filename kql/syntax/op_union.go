package syntax

func (p *parser) union() parsedOperator {
	o := &Union{Params: p.params("kind", "withsource", "with_source", "isfuzzy")}
	if p.atEnd() {
		p.fail(MissingClause, "for example union SigninLogs, AuditLogs", "union needs tables")
		return o
	}
	p.list(nil, func() { o.Tables = append(o.Tables, p.table()) })
	return o
}

func (o *Union) format(p *printer) *doc { return cat(p.params(o.Params), items(p.exprs(o.Tables))) }
