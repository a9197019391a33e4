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

// Precedence gives how tightly a binary operator binds; a larger number binds tighter, 0 is for none.
// Kusto's grammar has, from loose to tight: or; and; == != in between and the like; < <= > >=; + -;
// * / %; and the string operators, to which =~ and !~ belong.
func (o Op) Precedence() int {
	switch {
	case o == NoOp:
		return 0
	case o == Or:
		return 1
	case o == And:
		return 2
	case o == Equal, o == NotEqual, In <= o && o <= HasAll:
		return 3
	case Less <= o && o <= GreaterOrEqual:
		return 4
	case o == Add, o == Sub:
		return 5
	case o == Mul, o == Div, o == Mod:
		return 6
	}
	return 7
}

// wordOp gives the operator that a word is, if it is one that stands between two operands, and whether
// the spelling is Kusto's own of today.
func wordOp(w string) (op Op, own bool) {
	switch w {
	case "or":
		return Or, true
	case "and":
		return And, true
	case "has":
		return Has, true
	case "!has":
		return NotHas, true
	case "has_cs":
		return HasCS, true
	case "!has_cs":
		return NotHasCS, true
	case "hasprefix":
		return HasPrefix, true
	case "!hasprefix":
		return NotHasPrefix, true
	case "hasprefix_cs":
		return HasPrefixCS, true
	case "!hasprefix_cs":
		return NotHasPrefixCS, true
	case "hassuffix":
		return HasSuffix, true
	case "!hassuffix":
		return NotHasSuffix, true
	case "hassuffix_cs":
		return HasSuffixCS, true
	case "!hassuffix_cs":
		return NotHasSuffixCS, true
	case "contains":
		return Contains, true
	case "!contains":
		return NotContains, true
	case "contains_cs":
		return ContainsCS, true
	case "!contains_cs":
		return NotContainsCS, true
	case "startswith":
		return StartsWith, true
	case "!startswith":
		return NotStartsWith, true
	case "startswith_cs":
		return StartsWithCS, true
	case "!startswith_cs":
		return NotStartsWithCS, true
	case "endswith":
		return EndsWith, true
	case "!endswith":
		return NotEndsWith, true
	case "endswith_cs":
		return EndsWithCS, true
	case "!endswith_cs":
		return NotEndsWithCS, true
	case "matches":
		return MatchesRegex, true
	case "in":
		return In, true
	case "!in":
		return NotIn, true
	case "in~":
		return InFold, true
	case "!in~":
		return NotInFold, true
	case "has_any":
		return HasAny, true
	case "has_all":
		return HasAll, true
	// Older spellings that Kusto still takes.
	case "containscs":
		return ContainsCS, false
	case "notcontains":
		return NotContains, false
	case "notcontainscs":
		return NotContainsCS, false
	}
	return NoOp, false
}

// tokenOp gives the operator that a token which is no word is.
func tokenOp(k kind) Op {
	switch k {
	case eqeq:
		return Equal
	case neq, ltgt:
		return NotEqual
	case tildeEq:
		return EqualFold
	case bangTild:
		return NotEqualFold
	case less:
		return Less
	case lessEq:
		return LessOrEqual
	case more:
		return Greater
	case moreEq:
		return GreaterOrEqual
	case colon:
		return Matches
	case plus:
		return Add
	case minus:
		return Sub
	case star:
		return Mul
	case slash:
		return Div
	case percent:
		return Mod
	}
	return NoOp
}
