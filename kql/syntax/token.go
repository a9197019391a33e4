package syntax

import "glassward/kql/diag"

// kind is the kind of a token. Words are one kind: KQL's keywords are keywords only where they stand.
type kind uint8

const (
	eof         kind = iota
	word             // where, SigninLogs, $left, 3Dchart
	notWord          // !in, !has, !in~, !between
	foldIn           // in~
	longNum          // 1, 0xff
	realNum          // 1.5, 1e3
	spanNum          // 5m
	str              // any string literal
	typed            // datetime(…), int(…): a type's name with what is in its parentheses
	bareGUID         // d9938c3b-f016-444d-bc22-ea9a9110e0fd
	placeholder      // {{Name}}
	bad              // what the lexer has reported already

	lparen
	rparen
	lbrack
	rbrack
	lbrace
	rbrace
	pipe
	comma
	semi
	colon
	dot
	dotdot
	assign   // =
	arrow    // =>
	eqeq     // ==
	neq      // !=
	ltgt     // <>
	tildeEq  // =~
	bangTild // !~
	less
	lessEq
	more
	moreEq
	plus
	minus
	star
	slash
	percent
	bang   // ! alone
	andand // &&
	oror   // ||
	question
)

var kindText = [...]string{
	eof: "the end of the query", str: "a string", typed: "a literal", placeholder: "a placeholder",
	lparen: "(", rparen: ")", lbrack: "[", rbrack: "]", lbrace: "{", rbrace: "}", pipe: "|", comma: ",",
	semi: ";", colon: ":", dot: ".", dotdot: "..", assign: "=", arrow: "=>", eqeq: "==", neq: "!=", ltgt: "<>",
	tildeEq: "=~", bangTild: "!~", less: "<", lessEq: "<=", more: ">", moreEq: ">=", plus: "+", minus: "-",
	star: "*", slash: "/", percent: "%", bang: "!", andand: "&&", oror: "||", question: "?",
}

// token is a piece of the source.
type token struct {
	kind kind
	nl   bool // the first on its line
	at   diag.Span
	alt  string // what the source should have said, if the lexer repaired it; else ""
	bad  bool   // the lexer has reported an error in it
}

// opens reports whether the token is an opening bracket, and closes whether it is a closing one.
func (k kind) opens() bool  { return k == lparen || k == lbrack || k == lbrace }
func (k kind) closes() bool { return k == rparen || k == rbrack || k == rbrace }
