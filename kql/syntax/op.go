package syntax

// Op is a unary or binary operator.
type Op uint8

const (
	NoOp Op = iota

	Or
	And

	Equal           // ==
	NotEqual        // != or <>
	EqualFold       // =~
	NotEqualFold    // !~
	Less            // <
	LessOrEqual     // <=
	Greater         // >
	GreaterOrEqual  // >=
	Matches         // `:`, in search: has in a column
	Has             // and so on, as spelled by String
	NotHas          //
	HasCS           //
	NotHasCS        //
	HasPrefix       //
	NotHasPrefix    //
	HasPrefixCS     //
	NotHasPrefixCS  //
	HasSuffix       //
	NotHasSuffix    //
	HasSuffixCS     //
	NotHasSuffixCS  //
	Contains        //
	NotContains     //
	ContainsCS      //
	NotContainsCS   //
	StartsWith      //
	NotStartsWith   //
	StartsWithCS    //
	NotStartsWithCS //
	EndsWith        //
	NotEndsWith     //
	EndsWithCS      //
	NotEndsWithCS   //
	MatchesRegex    // matches regex

	In        // Membership from here
	NotIn     //
	InFold    // in~
	NotInFold // !in~
	HasAny    //
	HasAll    //

	Add // binary, and unary plus
	Sub // binary, and unary minus
	Mul
	Div
	Mod
)

var opNames = [...]string{
	Or: "or", And: "and",
	Equal: "==", NotEqual: "!=", EqualFold: "=~", NotEqualFold: "!~",
	Less: "<", LessOrEqual: "<=", Greater: ">", GreaterOrEqual: ">=", Matches: ":",
	Has: "has", NotHas: "!has", HasCS: "has_cs", NotHasCS: "!has_cs",
	HasPrefix: "hasprefix", NotHasPrefix: "!hasprefix", HasPrefixCS: "hasprefix_cs", NotHasPrefixCS: "!hasprefix_cs",
	HasSuffix: "hassuffix", NotHasSuffix: "!hassuffix", HasSuffixCS: "hassuffix_cs", NotHasSuffixCS: "!hassuffix_cs",
	Contains: "contains", NotContains: "!contains", ContainsCS: "contains_cs", NotContainsCS: "!contains_cs",
	StartsWith: "startswith", NotStartsWith: "!startswith", StartsWithCS: "startswith_cs", NotStartsWithCS: "!startswith_cs",
	EndsWith: "endswith", NotEndsWith: "!endswith", EndsWithCS: "endswith_cs", NotEndsWithCS: "!endswith_cs",
	MatchesRegex: "matches regex",
	In:           "in", NotIn: "!in", InFold: "in~", NotInFold: "!in~", HasAny: "has_any", HasAll: "has_all",
	Add: "+", Sub: "-", Mul: "*", Div: "/", Mod: "%",
}

// String gives the operator as KQL spells it.
func (o Op) String() string {
	if o == NoOp || int(o) >= len(opNames) {
		return "no operator"
	}
	return opNames[o]
}

// precedence gives how tightly a binary operator binds; a larger number binds tighter. Kusto has, from
// loose to tight: or; and; == != =~ !~ in has_any between and the like; < <= > >=; + -; * / % and the
// string operators.
func (o Op) precedence() int {
	switch {
	case o == Or:
		return 1
	case o == And:
		return 2
	case o <= NotEqualFold, In <= o && o <= HasAll:
		return 3
	case o <= GreaterOrEqual:
		return 4
	case o == Add, o == Sub:
		return 5
	case o == Mul, o == Div, o == Mod, o <= MatchesRegex:
		return 6
	}
	return 0
}
