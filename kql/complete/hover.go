package complete

import (
	"strconv"
	"strings"

	"glassward/kql/builtin"
	"glassward/kql/diag"
	"glassward/kql/syntax"
)

// Info is what is known of what stands at a place.
type Info struct {
	At    diag.Span `json:"at"`    // what it is about, in bytes
	Title string    `json:"title"` // a signature, or a name with its type
	Doc   string    `json:"doc,omitempty"`
}

// Hover tells what stands at a byte offset of a text; ok is false if there is nothing to tell.
func Hover(text string, offset int, o Options) (info Info, ok bool) {
	if offset < 0 || offset > len(text) {
		return Info{}, false
	}
	tokens := syntax.Tokens(text)
	at := -1
	for i, t := range tokens {
		if t.At.Contains(offset) || t.At.End == offset && t.Kind == syntax.WordToken {
			at = i
			break
		}
	}
	if at < 0 {
		return Info{}, false
	}
	t := tokens[at]
	c := &place{o: o, text: text, tokens: tokens[:0:0], typed: diag.At(len(text), len(text))}
	for _, b := range tokens[:at+1] {
		if b.Kind != syntax.CommentToken {
			c.tokens = append(c.tokens, b)
		}
	}
	c.op = c.operatorStart()
	i := len(c.tokens) - 1
	switch t.Kind {
	case syntax.StringToken:
		call, argument := c.call(i - 1)
		name := strings.Trim(t.At.In(text), `"'`)
		if w := o.Watchlists[name]; w != nil && call == "_GetWatchlist" && argument == 0 {
			return Info{t.At, "watchlist " + name, "columns: " + columnList(w.Columns)}, true
		}
		return Info{}, false
	case syntax.WordToken, syntax.HyphenToken:
	default:
		return Info{}, false
	}
	// The operator's name, hyphens included.
	if c.op >= 0 && c.op <= i {
		end := at + 1
		for end+1 < len(tokens) && tokens[end].Kind == syntax.HyphenToken && tokens[end].At.Start == tokens[end-1].At.End && tokens[end+1].At.Start == tokens[end].At.End {
			end += 2
		}
		c.tokens = append(c.tokens, tokens[at+1:end]...)
		if name, last := c.operator(); i < last {
			if doc := operatorDoc(name); doc != "" {
				return Info{diag.At(c.tokens[c.op].At.Start, c.tokens[last-1].At.End), name, doc}, true
			}
			return Info{}, false
		}
		c.tokens = c.tokens[:i+1]
	}
	if t.Kind == syntax.HyphenToken {
		return Info{}, false
	}
	word := t.At.In(text)
	called := at+1 < len(tokens) && tokens[at+1].At.In(text) == "("
	if i > 0 && c.kind(i-1) == syntax.DotToken {
		if side := c.word(i - 2); side != "$left" && side != "$right" {
			return Info{}, false
		}
	}
	sight := c.look()
	if called {
		if f := function(word, c); f != nil {
			doc := f.Doc
			if f.Unsupported != "" {
				doc = "Not supported: " + f.Unsupported
			}
			return Info{t.At, f.Signature(), doc}, true
		}
	}
	list := sight.Columns
	if i > 1 && c.word(i-2) == "$right" {
		list = sight.Right
	}
	for _, s := range list {
		if s.Name == word && !called {
			return Info{t.At, word + ": " + s.Type.String(), c.columnDoc(s)}, true
		}
	}
	for _, n := range sight.Names {
		if n.Name != word {
			continue
		}
		switch {
		case n.Function != nil:
			return Info{t.At, signature(n), "a function of this workspace or query"}, true
		case n.Table:
			return Info{t.At, "table " + word, "columns: " + columnList(n.Columns)}, true
		}
		return Info{t.At, strings.TrimSuffix(word+": "+typeText(n.Type), ": "), "declared in this query"}, true
	}
	if o.Catalog != nil {
		if tab, ok := o.Catalog.Table(word); ok {
			doc := o.describe(word, "")
			if doc == "" {
				doc = "columns: " + columnList(tab.Columns)
			}
			return Info{t.At, "table " + word + ", " + strconv.Itoa(len(tab.Columns)) + " columns", doc}, true
		}
	}
	if doc := wordDoc(word); doc != "" {
		return Info{t.At, word, doc}, true
	}
	return Info{}, false
}

// function gives the function of the vocabulary that a call at the place means.
func function(name string, c *place) *builtin.Function {
	kinds := []builtin.Kind{builtin.Scalar, builtin.Window, builtin.Table, builtin.Aggregate}
	switch op, _ := c.operator(); op {
	case "summarize", "make-series", "top-nested":
		kinds = []builtin.Kind{builtin.Aggregate, builtin.Scalar, builtin.Table}
	case "evaluate":
		kinds = append([]builtin.Kind{builtin.Plugin}, kinds...)
	}
	for _, k := range kinds {
		if f, ok := builtin.Lookup(k, name); ok {
			return f
		}
	}
	return nil
}

// operatorDoc gives what an operator does, or that it is not supported.
func operatorDoc(name string) string {
	switch name {
	case "let":
		return "Gives a name to a value, a table or a function."
	case "datatable":
		return "A table of the values that follow."
	case "mvexpand", "mvapply":
		name = name[:2] + "-" + name[2:]
	}
	f, ok := builtin.Lookup(builtin.Operator, name)
	switch {
	case !ok:
		return ""
	case f.Unsupported != "":
		return "Not supported: " + f.Unsupported
	}
	return f.Doc
}

// wordDoc gives what an operator that is a word, or a kind of join, means.
func wordDoc(w string) string {
	if rest, ok := strings.CutPrefix(w, "!"); ok {
		if doc := wordDoc(rest); doc != "" {
			return "The opposite of " + rest + "."
		}
	}
	switch w {
	case "==":
		return "Equal, with regard to case."
	case "=~":
		return "Equal, without regard to case."
	case "and":
		return "Both conditions hold."
	case "or":
		return "One of the conditions holds."
	case "has":
		return "The text has the term as a whole word, without regard to case; quicker than contains."
	case "contains":
		return "The text has the other anywhere, without regard to case."
	case "startswith":
		return "The text begins with the other, without regard to case."
	case "endswith":
		return "The text ends with the other, without regard to case."
	case "hasprefix":
		return "A word of the text begins with the other, without regard to case."
	case "hassuffix":
		return "A word of the text ends with the other, without regard to case."
	case "has_cs", "contains_cs", "startswith_cs", "endswith_cs", "hasprefix_cs", "hassuffix_cs":
		return "The same as " + strings.TrimSuffix(w, "_cs") + ", with regard to case."
	case "has_any":
		return "The text has one of the terms as a whole word."
	case "has_all":
		return "The text has all of the terms as whole words."
	case "in":
		return "The value is one of a list, or in the first column of a table, with regard to case."
	case "in~":
		return "The same as in, without regard to case."
	case "between":
		return "The value lies within two bounds, which count as within: between (low .. high)."
	case "matches regex":
		return "A regular expression (RE2) matches somewhere in the text."
	case "inner":
		return "Every pair of rows that match."
	case "innerunique":
		return "Like inner, with one row of the left table for each key; what join does without kind."
	case "leftouter":
		return "Every row of the left table, with its matches if there are any."
	case "rightouter":
		return "Every row of the right table, with its matches if there are any."
	case "fullouter":
		return "Every row of both tables."
	case "leftanti":
		return "The rows of the left table that match none of the right."
	case "rightanti":
		return "The rows of the right table that match none of the left."
	case "leftsemi":
		return "The rows of the left table that match one of the right."
	case "rightsemi":
		return "The rows of the right table that match one of the left."
	}
	return ""
}
