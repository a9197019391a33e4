package syntax

import "glassward/kql/diag"

// What the lexer finds.
const (
	BadCharacter       diag.Code = "KQL0001" // a character that KQL has no use for
	UnterminatedString diag.Code = "KQL0002" // a string without its closing quote
	BadEscape          diag.Code = "KQL0003" // a backslash before what cannot be escaped
	TypographicQuotes  diag.Code = "KQL0004" // “ ” ‘ ’ instead of " and '
	HTMLEntity         diag.Code = "KQL0005" // &gt; instead of >
	TypographicDash    diag.Code = "KQL0006" // – instead of -
	BadNumber          diag.Code = "KQL0007" // 1L, 100ns, a number that does not fit
	BadLiteral         diag.Code = "KQL0008" // int(abc), datetime( without end
	ForeignComment     diag.Code = "KQL0009" // /* … */ or -- instead of //
	BareGUID           diag.Code = "KQL0010" // a GUID without quotes
)

// What the parser finds.
const (
	MissingTable      diag.Code = "KQL0101" // the query begins with a pipe or an operator
	Unexpected        diag.Code = "KQL0102" // something else belongs here
	UnknownOperator   diag.Code = "KQL0103" // no operator has that name
	MissingPipe       diag.Code = "KQL0104" // an operator without | before it
	EmptyOperator     diag.Code = "KQL0105" // a pipe that nothing follows
	MissingCloser     diag.Code = "KQL0106" // ) or ] or } is missing
	UnmatchedCloser   diag.Code = "KQL0107" // ) or ] or } without its opener
	SingleEqual       diag.Code = "KQL0108" // = where == is meant
	ForeignOperator   diag.Code = "KQL0109" // &&, ||, !x, is null, like, not in
	TooDeep           diag.Code = "KQL0110" // nested more deeply than the parser goes
	MissingComma      diag.Code = "KQL0111" // two items without a comma
	MissingSemicolon  diag.Code = "KQL0112" // two statements without a semicolon
	NoResult          diag.Code = "KQL0113" // the statements only declare
	ForeignLanguage   diag.Code = "KQL0114" // SQL
	EmptyQuery        diag.Code = "KQL0116" // no statement at all
	Unsupported       diag.Code = "KQL0117" // KQL that Glassward does not run
	ExtraComma        diag.Code = "KQL0118" // a comma that nothing follows
	WrongCase         diag.Code = "KQL0120" // a keyword in capitals
	MissingClause     diag.Code = "KQL0121" // an operator without a part that it needs
	ChainedComparison diag.Code = "KQL0122" // a == b == c
	ReservedName      diag.Code = "KQL0123" // a word of KQL as a new column's name
	ComparesInExtend  diag.Code = "KQL0150" // warning: extend a == b
	NoEffect          diag.Code = "KQL0151" // warning: a statement that has no effect here
)
