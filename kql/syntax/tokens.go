package syntax

import (
	"slices"
	"strings"
	"unicode/utf8"

	"glassward/kql/diag"
)

// TokenKind is what a Token is.
type TokenKind uint8

// The kinds of token that tools tell apart.
const (
	OtherToken TokenKind = iota // an operator of signs
	WordToken
	StringToken
	NumberToken // numbers, timespans and other literals
	OpenToken   // ( [ {
	CloseToken  // ) ] }
	PipeToken
	CommaToken
	SemicolonToken
	ColonToken
	DotToken
	AssignToken
	HyphenToken
	CommentToken
)

// Token is a piece of a source, for tools that look at text which may be broken.
type Token struct {
	Kind TokenKind
	At   diag.Span
	Open bool // a string that is not closed
}

// Tokens gives the tokens of a source in order, comments among them.
func Tokens(src string) []Token {
	var diags diag.List
	tokens, comments := lex(src, 0, &diags)
	out := make([]Token, 0, len(tokens)+len(comments))
	for _, t := range tokens {
		if t.kind == eof {
			continue
		}
		k := OtherToken
		switch {
		case t.kind == word, t.kind == notWord, t.kind == foldIn:
			k = WordToken
		case t.kind == str:
			k = StringToken
		case t.kind == longNum, t.kind == realNum, t.kind == spanNum, t.kind == typed, t.kind == bareGUID, t.kind == placeholder:
			k = NumberToken
		case t.kind.opens():
			k = OpenToken
		case t.kind.closes():
			k = CloseToken
		case t.kind == pipe:
			k = PipeToken
		case t.kind == comma:
			k = CommaToken
		case t.kind == semi:
			k = SemicolonToken
		case t.kind == colon:
			k = ColonToken
		case t.kind == dot:
			k = DotToken
		case t.kind == assign:
			k = AssignToken
		case t.kind == minus:
			k = HyphenToken
		}
		out = append(out, Token{k, t.at, k == StringToken && !isClosed(src[t.at.Start:t.at.End])})
	}
	for _, c := range comments {
		out = append(out, Token{Kind: CommentToken, At: c.At})
	}
	slices.SortStableFunc(out, func(a, b Token) int { return a.At.Start - b.At.Start })
	return out
}

// isClosed reports whether a string literal as written has its closing quote.
func isClosed(raw string) bool {
	raw = strings.TrimLeft(raw, "hH")
	verbatim := strings.HasPrefix(raw, "@")
	raw = strings.TrimPrefix(raw, "@")
	switch {
	case raw != "" && raw[0] >= utf8.RuneSelf: // typographic quotes
		return true
	case strings.HasPrefix(raw, "```"), strings.HasPrefix(raw, "~~~"):
		return len(raw) >= 6 && strings.HasSuffix(raw, raw[:3])
	case len(raw) < 2 || raw[len(raw)-1] != raw[0]:
		return false
	}
	slashes := 0
	for i := len(raw) - 2; i > 0 && raw[i] == '\\' && !verbatim; i-- {
		slashes++
	}
	return slashes%2 == 0
}

// Charts gives the kinds of chart that render takes.
func Charts() []string { return chartNames() }

// IsPlainName reports whether a name needs no brackets and quotes.
func IsPlainName(s string) bool { return isPlainName(s) }
