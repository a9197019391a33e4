package syntax

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"glassward/kql/diag"
)

// lexer turns a source into tokens. What is wrong with the text itself it reports and repairs, so that the
// parser meets what was meant.
type lexer struct {
	src      string
	pos      int
	nl       bool // a line has ended since the last token
	tokens   []token
	comments []Comment
	diags    *diag.List

	quotes, dashes, entities repaired
}

// repaired counts repairs of one kind: all are one diagnostic, at the first.
type repaired struct {
	count int
	first diag.Span
	text  string
}

func (r *repaired) note(at diag.Span, text string) {
	if r.count == 0 {
		r.first, r.text = at, text
	}
	r.count++
}

func (r *repaired) more() string {
	switch r.count {
	case 0, 1:
		return ""
	case 2:
		return ", and once more further on"
	}
	return fmt.Sprintf(", and %d times more further on", r.count-1)
}

// lex gives the tokens of src from an offset on, the last being eof, and its comments.
func lex(src string, from int, diags *diag.List) ([]token, []Comment) {
	l := &lexer{src: src, pos: from, diags: diags, nl: true, tokens: make([]token, 0, (len(src)-from)/5+8)}
	for l.space(); l.pos < len(l.src); l.space() {
		l.next()
	}
	l.emit(eof, l.pos)
	if r := l.quotes; r.count > 0 {
		diags.Errorf(TypographicQuotes, r.first, `type straight quotes: "…" or '…'`,
			"typographic quotes %s do not quote in KQL%s", r.text, r.more())
	}
	if r := l.dashes; r.count > 0 {
		diags.Errorf(TypographicDash, r.first, "type a hyphen: -", "%s is a typographic dash%s", r.text, r.more())
	}
	if r := l.entities; r.count > 0 {
		diags.Errorf(HTMLEntity, r.first, "the query was copied from a web page's source: copy the page's text, or replace "+
			"&gt; &lt; &quot; &amp; by > < \" &", "%s is HTML, not KQL%s", r.text, r.more())
	}
	return l.tokens, l.comments
}

func (l *lexer) emit(k kind, start int) *token {
	l.tokens = append(l.tokens, token{kind: k, nl: l.nl, at: diag.At(start, l.pos)})
	l.nl = false
	return &l.tokens[len(l.tokens)-1]
}

// isSpace reports whether KQL takes r for white space.
func isSpace(r rune) bool {
	switch r {
	case ' ', '\t', '\r', '\n', '\f', '\v', '\u00a0', '\u0085', '\u1680', '\u180e', '\u200b', '\u200c', '\u200d', '\u2028', '\u2029',
		'\u202f', '\u205f', '\u2060', '\u3000', '\ufeff':
		return true
	}
	return '\u2000' <= r && r <= '\u200a'
}

// space skips white space and comments.
func (l *lexer) space() {
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case c == '\n' || c == '\r':
			l.nl = true
			l.pos++
		case c == ' ' || c == '\t' || c == '\f' || c == '\v':
			l.pos++
		case c == '/' && l.peek(1) == '/':
			l.comment()
		case c == '/' && l.peek(1) == '*':
			l.foreignComment()
		case c == '#' || c == '-' && l.peek(1) == '-' && l.nl && (l.peek(2) == ' ' || isLetter(l.peek(2))):
			mark := "#"
			if c == '-' {
				mark = "--"
			}
			start := l.pos
			for l.pos < len(l.src) && l.src[l.pos] != '\n' && l.src[l.pos] != '\r' {
				l.pos++
			}
			l.diags.Errorf(ForeignComment, diag.At(start, start+len(mark)), "begin the comment with //", "%s does not begin a comment", mark)
		case c == '&' && strings.HasPrefix(l.src[l.pos:], "&nbsp;"):
			l.entities.note(diag.At(l.pos, l.pos+6), "&nbsp;")
			l.pos += 6
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(l.src[l.pos:])
			if !isSpace(r) {
				return
			}
			l.nl = l.nl || r == '\u2028' || r == '\u2029' || r == '\u0085'
			l.pos += size
		default:
			return
		}
	}
}

func (l *lexer) comment() {
	start := l.pos
	for l.pos < len(l.src) && l.src[l.pos] != '\n' && l.src[l.pos] != '\r' {
		l.pos++
	}
	text := strings.TrimRightFunc(l.src[start:l.pos], isSpace)
	l.comments = append(l.comments, Comment{diag.At(start, start+len(text)), text, l.nl})
}

func (l *lexer) foreignComment() {
	start := l.pos
	if i := strings.Index(l.src[l.pos+2:], "*/"); i >= 0 {
		l.pos += i + 4
	} else {
		l.pos = len(l.src)
	}
	l.nl = l.nl || strings.ContainsAny(l.src[start:l.pos], "\r\n")
	l.diags.Errorf(ForeignComment, diag.At(start, min(start+2, len(l.src))), "begin each line of it with //", "KQL has no /* … */ comments")
}

func (l *lexer) peek(n int) byte {
	if l.pos+n < len(l.src) {
		return l.src[l.pos+n]
	}
	return 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
}
func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// next lexes one token; l.pos stands on its first byte.
func (l *lexer) next() {
	start, c := l.pos, l.src[l.pos]
	switch {
	case c == '"' || c == '\'':
		l.quoted(start)
		return
	case c == '@' && (l.peek(1) == '"' || l.peek(1) == '\''):
		l.verbatim(start)
		return
	case c == '`' || c == '~':
		if l.fenced(start) {
			return
		}
	case (c == 'h' || c == 'H') && l.hidden(start):
		return
	case isDigit(c) || isHex(c):
		if l.guid(start) {
			return
		}
		if isDigit(c) {
			l.number(start)
			return
		}
		l.word(start)
		return
	case isLetter(c) || c == '$' && isLetter(l.peek(1)):
		l.word(start)
		return
	case c == '&' && l.entity(start):
		return
	case c >= utf8.RuneSelf:
		l.unicode(start)
		return
	}
	l.punctuation(start)
}

func (l *lexer) punctuation(start int) {
	one := func(k kind) { l.pos++; l.emit(k, start) }
	two := func(k kind) { l.pos += 2; l.emit(k, start) }
	c, d := l.src[l.pos], l.peek(1)
	switch c {
	case '(':
		one(lparen)
	case ')':
		one(rparen)
	case '[':
		one(lbrack)
	case ']':
		one(rbrack)
	case '{':
		if end := placeholderEnd(l.src[l.pos:]); end > 0 {
			l.pos += end
			l.emit(placeholder, start)
			return
		}
		one(lbrace)
	case '}':
		one(rbrace)
	case '|':
		if d == '|' {
			two(oror)
			return
		}
		one(pipe)
	case '&':
		if d == '&' {
			two(andand)
			return
		}
		l.unknown(start, 1, `to join conditions write and`)
	case ',':
		one(comma)
	case ';':
		one(semi)
	case ':':
		one(colon)
	case '.':
		if d == '.' {
			two(dotdot)
			return
		}
		one(dot)
	case '=':
		switch d {
		case '=':
			two(eqeq)
		case '~':
			two(tildeEq)
		case '>':
			two(arrow)
		default:
			one(assign)
		}
	case '!':
		switch {
		case d == '=':
			two(neq)
		case d == '~':
			two(bangTild)
		case isLetter(d):
			l.negation(start)
		default:
			one(bang)
		}
	case '<':
		switch d {
		case '=':
			two(lessEq)
		case '>':
			two(ltgt)
		default:
			one(less)
		}
	case '>':
		if d == '=' {
			two(moreEq)
			return
		}
		one(more)
	case '+':
		one(plus)
	case '-':
		one(minus)
	case '*':
		one(star)
	case '/':
		one(slash)
	case '%':
		one(percent)
	case '?':
		one(question)
	default:
		l.unknown(start, 1, "")
	}
}

// unknown reports a character that belongs nowhere and drops it.
func (l *lexer) unknown(start, size int, hint string) {
	r, _ := utf8.DecodeRuneInString(l.src[start:])
	name := fmt.Sprintf("%q", r)
	if r == utf8.RuneError {
		name = fmt.Sprintf("byte 0x%02X", l.src[start])
	} else if !unicode.IsPrint(r) {
		name = fmt.Sprintf("%U", r)
	}
	l.pos = start + size
	l.diags.Errorf(BadCharacter, diag.At(start, l.pos), hint, "unexpected character %s", name)
}

// placeholderEnd gives the length of the {{Name}} that s begins with, or 0.
func placeholderEnd(s string) int {
	if !strings.HasPrefix(s, "{{") {
		return 0
	}
	for i := 2; i < len(s); i++ {
		switch s[i] {
		case '{', '\n', '\r', '|', '"', '\'', ';':
			return 0
		case '}':
			if i+1 < len(s) && s[i+1] == '}' && strings.TrimSpace(s[2:i]) != "" {
				return i + 2
			}
			return 0
		}
	}
	return 0
}

// negations are the words that ! may stand before.
func isNegatable(w string) bool {
	switch w {
	case "in", "between", "has", "has_cs", "hasprefix", "hasprefix_cs", "hassuffix", "hassuffix_cs", "contains", "contains_cs",
		"startswith", "startswith_cs", "endswith", "endswith_cs", "has_any", "has_all":
		return true
	}
	return false
}

func (l *lexer) negation(start int) {
	i := l.pos + 1
	for i < len(l.src) && (isLetter(l.src[i]) || isDigit(l.src[i])) {
		i++
	}
	w := l.src[l.pos+1 : i]
	lower := strings.ToLower(w)
	if !isNegatable(lower) {
		l.pos++
		l.emit(bang, start)
		return
	}
	l.pos = i
	if lower == "in" && l.peek(0) == '~' {
		l.pos++
	}
	l.emit(notWord, start)
}

func (l *lexer) word(start int) {
	for l.pos < len(l.src) && (isLetter(l.src[l.pos]) || isDigit(l.src[l.pos]) || l.src[l.pos] == '$' && l.pos == start) {
		l.pos++
	}
	if l.peek(0) >= utf8.RuneSelf {
		if r, _ := utf8.DecodeRuneInString(l.src[l.pos:]); unicode.IsLetter(r) {
			l.foreignWord(start)
			return
		}
	}
	w := l.src[start:l.pos]
	if l.peek(0) == '~' && strings.EqualFold(w, "in") {
		l.pos++
		l.emit(foldIn, start)
		return
	}
	if literalKind(w) != NullLit && l.goo(start) {
		return
	}
	l.emit(word, start)
}

// literalKind gives the kind of the literal that name(…) is, or NullLit if it is none.
func literalKind(name string) LitKind {
	switch name {
	case "bool", "boolean":
		return BoolLit
	case "int", "int32":
		return IntLit
	case "long", "int64":
		return LongLit
	case "real", "double":
		return RealLit
	case "decimal":
		return DecimalLit
	case "datetime", "date":
		return DateTimeLit
	case "timespan", "time":
		return TimeSpanLit
	case "guid", "uuid", "uniqueid":
		return GUIDLit
	}
	return NullLit
}

// goo lexes what follows a type's name as the text of a literal, if a parenthesis follows.
func (l *lexer) goo(start int) bool {
	i := skipBlank(l.src, l.pos)
	if i >= len(l.src) || l.src[i] != '(' {
		return false
	}
	depth, quote := 0, byte(0)
	for ; i < len(l.src); i++ {
		c := l.src[i]
		switch {
		case quote != 0 && c == '\n':
			goto open
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				l.pos = i + 1
				l.emit(typed, start)
				return true
			}
		case c == '|' || c == ';':
			goto open
		}
	}
open:
	// No end: let the literal end with the line, so that only this operator suffers.
	name := l.src[start:l.pos]
	l.diags.Errorf(BadLiteral, diag.At(start, l.pos), "close it with )", "%s(… has no closing parenthesis", name)
	if n := strings.IndexAny(l.src[l.pos:], "\n|;"); n >= 0 {
		l.pos += n
	} else {
		l.pos = len(l.src)
	}
	l.emit(typed, start).bad = true
	return true
}

// skipBlank gives the place at or after pos where neither white space nor a comment stands.
func skipBlank(src string, pos int) int {
	for pos < len(src) {
		if r, n := utf8.DecodeRuneInString(src[pos:]); isSpace(r) {
			pos += n
			continue
		}
		if !strings.HasPrefix(src[pos:], "//") {
			break
		}
		if n := strings.IndexAny(src[pos:], "\r\n"); n >= 0 {
			pos += n
		} else {
			pos = len(src)
		}
	}
	return pos
}

// guid lexes a GUID that stands without quotes.
func (l *lexer) guid(start int) bool {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(l.src)-start < len(form) {
		return false
	}
	for i := range len(form) {
		c := l.src[start+i]
		if form[i] == '-' && c != '-' || form[i] == 'x' && !isHex(c) {
			return false
		}
	}
	if c := l.peek(len(form)); isLetter(c) || isDigit(c) {
		return false
	}
	l.pos += len(form)
	l.emit(bareGUID, start)
	return true
}

// spanUnits gives whether a number with this suffix is a timespan.
func isSpanUnit(s string) bool {
	switch s {
	case "d", "day", "days", "h", "hr", "hrs", "hour", "hours", "m", "min", "minute", "minutes", "s", "sec", "second", "seconds",
		"ms", "milli", "millis", "millisec", "millisecond", "milliseconds",
		"micro", "micros", "microsec", "microsecond", "microseconds",
		"nano", "nanos", "nanosec", "nanosecond", "nanoseconds", "tick", "ticks":
		return true
	}
	return false
}

// suffixHint gives what to write instead of a number with a suffix that KQL does not have, and whether
// the suffix is one that people write.
func suffixHint(num, suffix string) (string, bool) {
	switch strings.ToLower(suffix) {
	case "l", "ul", "u", "ll":
		return "whole numbers are long already: " + num + ", or long(" + num + ")", true
	case "f", "dbl":
		return "write real(" + num + ")", true
	case "us", "µs":
		return "write " + num + "microseconds", true
	case "ns":
		return "the smallest unit is 1tick, 100 nanoseconds", true
	case "w", "wk", "week", "weeks":
		return "count in days: 7d is a week", true
	case "mo", "mon", "month", "months", "y", "yr", "year", "years":
		return "count in days, or use datetime_add('month', …)", true
	case "secs":
		return "write " + num + "s", true
	case "mins":
		return "write " + num + "m", true
	}
	if isSpanUnit(strings.ToLower(suffix)) {
		return "write " + num + strings.ToLower(suffix), true
	}
	return "", false
}

func (l *lexer) number(start int) {
	src := l.src
	if src[start] == '0' && (l.peek(1) == 'x' || l.peek(1) == 'X') && isHex(l.peek(2)) {
		for l.pos += 2; l.pos < len(src) && isHex(src[l.pos]); l.pos++ {
		}
		l.numeral(start, longNum)
		return
	}
	digits := func() {
		for l.pos < len(src) && isDigit(src[l.pos]) {
			l.pos++
		}
	}
	digits()
	k := longNum
	if l.peek(0) == '.' && l.peek(1) != '.' && !isLetter(l.peek(1)) {
		k = realNum
		l.pos++
		digits()
	}
	if c := l.peek(0); c == 'e' || c == 'E' {
		d := l.peek(1)
		if isDigit(d) || (d == '+' || d == '-') && isDigit(l.peek(2)) {
			k = realNum
			l.pos += 2
			digits()
		}
	}
	l.numeral(start, k)
}

// numeral finishes a number: a suffix makes it a timespan, a word or a mistake.
func (l *lexer) numeral(start int, k kind) {
	end := l.pos
	for l.pos < len(l.src) && (isLetter(l.src[l.pos]) || isDigit(l.src[l.pos])) {
		l.pos++
	}
	num, suffix := l.src[start:end], l.src[end:l.pos]
	switch {
	case suffix == "":
		l.emit(k, start)
	case isSpanUnit(suffix):
		l.emit(spanNum, start)
	default:
		hint, known := suffixHint(num, suffix)
		if !known && k == longNum {
			l.emit(word, start) // a name may begin with digits
			return
		}
		l.diags.Errorf(BadNumber, diag.At(start, l.pos), hint, "%s has a suffix that KQL does not have", l.src[start:l.pos])
		t := l.emit(k, start)
		t.alt, t.bad = num, true
	}
}

// hidden lexes h"…", h@"…" and h```…```.
func (l *lexer) hidden(start int) bool {
	switch l.peek(1) {
	case '"', '\'':
		l.pos++
		l.quoted(start)
		return true
	case '@':
		if l.peek(2) == '"' || l.peek(2) == '\'' {
			l.pos++
			l.verbatim(start)
			return true
		}
	case '`', '~':
		l.pos++
		if l.fenced(start) {
			return true
		}
		l.pos--
	}
	if isHex(l.src[start]) {
		return false
	}
	l.word(start)
	return true
}

// quoted lexes a string with escapes; l.pos stands on its quote.
func (l *lexer) quoted(start int) {
	quote := l.src[l.pos]
	for i := l.pos + 1; i < len(l.src); i++ {
		switch l.src[i] {
		case quote:
			l.pos = i + 1
			l.emit(str, start)
			return
		case '\\':
			i++
		case '\n', '\r':
			l.unterminated(start, i)
			return
		}
		if i < len(l.src) && (l.src[i] == '\n' || l.src[i] == '\r') {
			l.unterminated(start, i)
			return
		}
	}
	l.unterminated(start, len(l.src))
}

// verbatim lexes @"…", in which a quote is doubled and nothing escaped; l.pos stands on the @.
func (l *lexer) verbatim(start int) {
	quote := l.src[l.pos+1]
	for i := l.pos + 2; i < len(l.src); i++ {
		switch l.src[i] {
		case quote:
			if i+1 < len(l.src) && l.src[i+1] == quote {
				i++
				continue
			}
			l.pos = i + 1
			l.emit(str, start)
			return
		case '\n', '\r':
			l.unterminated(start, i)
			return
		}
	}
	l.unterminated(start, len(l.src))
}

// fenced lexes ```…``` and ~~~…~~~, if that is what stands here.
func (l *lexer) fenced(start int) bool {
	fence := strings.Repeat(l.src[l.pos:l.pos+1], 3)
	if !strings.HasPrefix(l.src[l.pos:], fence) {
		return false
	}
	if i := strings.Index(l.src[l.pos+3:], fence); i >= 0 {
		l.pos += i + 6
		l.emit(str, start)
		return true
	}
	l.diags.Errorf(UnterminatedString, diag.At(start, l.pos+3), "close it with "+fence, "this string has no end")
	l.pos = len(l.src)
	t := l.emit(str, start)
	t.bad, t.alt = true, l.src[start:]+fence
	return true
}

// unterminated reports a string that ends with its line, and makes a string of it that ends before what
// looks like the rest of the query.
func (l *lexer) unterminated(start, end int) {
	at := start
	for at < len(l.src) && l.src[at] != '"' && l.src[at] != '\'' {
		at++
	}
	quote := l.src[at : at+1]
	body := strings.TrimRight(l.src[at+1:end], " \t")
	if i := strings.Index(body, " |"); i >= 0 {
		body = body[:i]
	}
	for body != "" && strings.Contains(",)];", body[len(body)-1:]) {
		body = body[:len(body)-1]
	}
	l.pos = at + 1 + len(body)
	l.diags.Errorf(UnterminatedString, diag.At(start, l.pos), "close it with "+quote+" on the same line", "this string has no closing %s", quote)
	t := l.emit(str, start)
	t.bad = true
	t.alt = l.src[start:at+1] + strings.TrimRight(strings.ReplaceAll(body, quote, ""), `\`) + quote
}

// Typographic quotes, by what they stand for.
const (
	doubleQuotes = "“”„‟«»″＂"
	singleQuotes = "‘’‚‛′‹›＇´"
)

// unicode lexes what begins with a character beyond ASCII: all of it is repaired or reported.
func (l *lexer) unicode(start int) {
	r, size := utf8.DecodeRuneInString(l.src[start:])
	switch {
	case strings.ContainsRune(doubleQuotes, r):
		l.typographic(start, size, doubleQuotes, '"')
	case strings.ContainsRune(singleQuotes, r):
		l.typographic(start, size, singleQuotes, '\'')
	case r == '–' || r == '—' || r == '−' || r == '‐' || r == '‑' || r == '―':
		l.pos += size
		l.dashes.note(diag.At(start, l.pos), string(r))
		t := l.emit(minus, start)
		t.alt = "-"
	case r == '…':
		l.pos += size
		l.diags.Errorf(BadCharacter, diag.At(start, l.pos), "in between write two dots: between (a .. b)", "… is one character")
		l.emit(dotdot, start)
	case r == '≥' || r == '≤' || r == '≠':
		l.pos += size
		k := map[rune]kind{'≥': moreEq, '≤': lessEq, '≠': neq}[r]
		l.diags.Errorf(BadCharacter, diag.At(start, l.pos), "write "+kindText[k], "%c is no operator of KQL", r)
		l.emit(k, start)
	case unicode.IsLetter(r):
		l.foreignWord(start)
	default:
		l.unknown(start, size, "")
	}
}

// foreignWord lexes a word with letters that a name outside quotes cannot have.
func (l *lexer) foreignWord(start int) {
	for l.pos < len(l.src) {
		r, size := utf8.DecodeRuneInString(l.src[l.pos:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && r != '_' {
			break
		}
		l.pos += size
	}
	w := l.src[start:l.pos]
	l.diags.Errorf(BadCharacter, diag.At(start, l.pos), "write ['"+w+"'], or put it in quotes if it is text",
		"a name outside quotes can hold only English letters, digits and _")
	l.emit(word, start).bad = true
}

// typographic lexes a string in typographic quotes as if they were straight.
func (l *lexer) typographic(start, size int, set string, straight byte) {
	line := l.src[start+size:]
	if i := strings.IndexAny(line, "\r\n"); i >= 0 {
		line = line[:i]
	}
	end := strings.IndexAny(line, set+string(rune(straight)))
	if end < 0 {
		l.diags.Errorf(TypographicQuotes, diag.At(start, start+size), `type straight quotes: "…" or '…'`,
			"a typographic quote %s does not quote in KQL, and nothing closes it", l.src[start:start+size])
		body := strings.TrimRight(line, " \t);,")
		if i := strings.Index(body, " |"); i >= 0 {
			body = body[:i]
		}
		l.pos = start + size + len(body)
		t := l.emit(str, start)
		t.alt, t.bad = quote(body), true
		return
	}
	_, closing := utf8.DecodeRuneInString(line[end:])
	l.quotes.note(diag.At(start, start+size+end+closing), l.src[start:start+size]+" "+line[end:end+closing])
	l.pos = start + size + end + closing
	t := l.emit(str, start)
	t.alt = quote(line[:end])
}

// entity lexes what HTML has made of an operator or a string.
func (l *lexer) entity(start int) bool {
	name := ""
	for _, e := range [...]string{"&gt;", "&lt;", "&quot;", "&amp;", "&#39;", "&#34;", "&apos;"} {
		if strings.HasPrefix(l.src[start:], e) {
			name = e
		}
	}
	if name == "" {
		return false
	}
	l.entities.note(diag.At(start, start+len(name)), name)
	l.pos += len(name)
	rest := l.src[l.pos:]
	switch name {
	case "&gt;":
		if strings.HasPrefix(rest, "=") {
			l.pos++
			l.emit(moreEq, start).alt = ">="
		} else {
			l.emit(more, start).alt = ">"
		}
	case "&lt;":
		switch {
		case strings.HasPrefix(rest, "="):
			l.pos++
			l.emit(lessEq, start).alt = "<="
		case strings.HasPrefix(rest, "&gt;"):
			l.pos += 4
			l.emit(ltgt, start).alt = "<>"
		default:
			l.emit(less, start).alt = "<"
		}
	case "&amp;":
		if strings.HasPrefix(rest, "&amp;") {
			l.pos += 5
		}
		l.emit(andand, start).alt = "&&"
	default:
		line := rest
		if i := strings.IndexAny(line, "\r\n"); i >= 0 {
			line = line[:i]
		}
		body, closed := line, 0
		if i := strings.Index(line, name); i >= 0 {
			body, closed = line[:i], len(name)
		}
		l.pos += len(body) + closed
		l.emit(str, start).alt = quote(strings.NewReplacer("&gt;", ">", "&lt;", "<", "&amp;", "&").Replace(body))
	}
	return true
}
