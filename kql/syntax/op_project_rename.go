package syntax

func (p *parser) projectRename() parsedOperator {
	o := &ProjectRename{}
	if !p.atEnd() {
		o.Items = p.namedList(nil)
	}
	for _, n := range o.Items {
		if b, ok := n.Value.(*Binary); ok && b.Op == Equal {
			continue // the = has been told of
		}
		if len(n.Names) == 0 {
			p.errorf(Unexpected, n.Span(), "write new = old", "project-rename needs a new name and an old one")
		}
	}
	return o
}

func (o *ProjectRename) format(p *printer) *doc { return items(p.nameds(o.Items)) }
