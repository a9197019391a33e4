package syntax

// badNamed gives what stands for an expression that is missing, after an error has been reported.
func (p *parser) badNamed() *NamedExpr {
	at := Base{p.place()}
	return &NamedExpr{Base: at, Value: &BadExpr{at}}
}

func (o *BadOp) format(*printer) *doc { return none }
