package syntax

import (
	"strings"

	"glassward/kql/diag"
)

// StoredFunction is what a file of stored functions declares: a function, or a value or table that a
// let statement names.
type StoredFunction struct {
	Base
	Name  Ident  // "" if the file does not say, so that the function has the file's name
	Doc   string // what the file says about it; may be empty
	Value Expr   // a *FuncLit, or what let names
}

// ParseFunctions reads a file of stored functions. It has one of three forms:
//
//	.create-or-alter function with (docstring="…") Name(a:string) { body }    any number of them
//	let Name = (a:string) { body }; let Other = …;                            definitions and nothing else
//	let x = …; SigninLogs | where UserId == a                                  one function's body
//
// A body has the parameters that declare query_parameters(a:string = "x") gives it, or the comment
// lines by which Log Analytics names the parts of a saved function:
//
//	// functionAlias: Name
//	// functionParameters: a:string = "x", b:timespan = 1d
func ParseFunctions(src string) ([]*StoredFunction, diag.List) {
	p := newParser(src)
	var list []*StoredFunction
	if p.at(dot) && p.peek(1).kind == word {
		for !p.at(eof) {
			if p.got(semi) {
				continue
			}
			p.quiet = false
			before := p.i
			if f := p.createFunction(); f != nil {
				list = append(list, f)
			}
			for p.quiet && !p.at(eof) && !(p.at(dot) && p.tok().nl) {
				p.i++
			}
			if p.i == before {
				p.i++
			}
		}
	} else {
		p.declares = true
		list = p.functionsOf(p.file())
	}
	p.diags.Sort()
	return list, p.diags
}

// createFunction parses .create-or-alter function Name(…) { … }.
func (p *parser) createFunction() *StoredFunction {
	start, at := p.start(), p.tok().at
	if !p.at(dot) {
		p.fail(Unexpected, "end the file after the function, or begin the next with .create-or-alter function", "unexpected %s", p.found())
		return nil
	}
	p.next()
	command := ""
	for p.at(word) || p.at(minus) {
		t := p.next()
		command += p.text(t)
		if p.tok().at.Start > t.at.End {
			break
		}
	}
	switch command {
	case "create", "alter", "create-or-alter":
	default:
		p.errorf(Unsupported, at.To(p.last), "write .create-or-alter function", "the management command .%s does not define a function", command)
		p.quiet = true
		return nil
	}
	if !p.gotWord("function") {
		p.errorf(Unsupported, at.To(p.last), "write .create-or-alter function", "only functions can be stored, found .%s %s", command, p.found())
		p.quiet = true
		return nil
	}
	p.gotWord("ifnotexists")
	f := &StoredFunction{}
	if p.atWord("with") && p.peek(1).kind == lparen {
		p.next()
		f.Doc = p.properties().Word("docstring")
	}
	f.Name = p.ident("the function's name")
	if !p.at(lparen) {
		p.expect(lparen, "and the parameters after "+f.Name.Name)
		return nil
	}
	f.Value = p.function()
	f.At = p.from(start)
	return f
}

// functionsOf takes a file as definitions, or as one function's body.
func (p *parser) functionsOf(file *File) []*StoredFunction {
	var (
		list   []*StoredFunction
		body   = &Block{Base: file.Base}
		params []*Parameter
		result *Query
	)
	for _, s := range file.Stmts {
		switch s := s.(type) {
		case *Let:
			list = append(list, &StoredFunction{Base: s.Base, Name: s.Name, Value: s.Value})
			body.Stmts = append(body.Stmts, s)
		case *QueryParams:
			params = append(params, s.Params...)
		case *Query:
			if result != nil {
				p.errorf(Unexpected, s.At, "a function has one result, which stands last", "the file has a second result")
			}
			result = s
		default:
			body.Stmts = append(body.Stmts, s)
		}
	}
	f := &StoredFunction{Base: file.Base}
	declared, ok := p.savedForm(f)
	if result == nil {
		if ok || params != nil {
			p.errorf(NoResult, file.At, "end the file with a query", "the function has no result")
		}
		return list
	}
	if ok && params != nil {
		p.errorf(Unexpected, params[0].At, "", "the parameters are declared twice: here and in the comment functionParameters")
	}
	body.Result = result.Body
	f.Value = &FuncLit{Base: file.Base, Params: append(params, declared...), Body: body}
	return []*StoredFunction{f}
}

// savedForm reads the comments before the first token for the names that Log Analytics gives the parts
// of a saved function, and says whether there are parameters.
func (p *parser) savedForm(f *StoredFunction) (params []*Parameter, ok bool) {
	for _, c := range p.comments {
		if c.At.Start > p.tokens[0].at.Start {
			break
		}
		text := strings.TrimPrefix(c.Text, "//")
		key, rest, found := strings.Cut(text, ":")
		if !found {
			continue
		}
		at := c.At.Start + len(c.Text) - len(rest)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "functionalias":
			f.Name = Ident{Base: Base{diag.At(at, c.At.End)}, Name: strings.TrimSpace(rest)}
		case "functiondescription", "description":
			f.Doc = strings.TrimSpace(rest)
		case "functionparameters":
			ok = true
			params = append(params, p.parametersIn(diag.At(at, c.At.End))...)
		}
	}
	return params, ok
}

// parametersIn parses the part of the source as parameters without parentheses.
func (p *parser) parametersIn(at diag.Span) (list []*Parameter) {
	q := newParserFrom(p.src[:at.End], at.Start)
	if !q.at(eof) {
		q.list(nil, func() { list = append(list, q.parameter()) })
		if !q.at(eof) && !q.quiet {
			q.fail(Unexpected, "write a:string = \"x\", b:timespan = 1d", "unexpected %s", q.found())
		}
	}
	for _, d := range q.diags {
		p.diags.Add(d)
	}
	return list
}
