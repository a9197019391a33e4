package eval

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"glassward/kql/value"
)

// Bounds on reduce: what goes beyond them is among the others.
const (
	maxReduced  = 100_000 // different texts
	maxPatterns = 1_000
	maxTokens   = 64
)

func reduceFunctions() []Function {
	return []Function{
		nfn("reduce_patterns", types(tDyn, tReal, tStr), tDyn, func(a []any) any {
			list, _ := array(a[0])
			return js(reducePatterns(list, real(a[1], 0.1), str(a[2])))
		}),
	}
}

// reduceGroup is texts that are alike: of as many tokens, of which a share agrees.
type reduceGroup struct {
	tokens []string
	wild   []bool // where the texts differ
	gaps   []string
	first  string
	count  int64
	texts  []string
}

// reducePatterns groups texts with their counts, bags of v and n, and gives a bag of each text v with its pattern p
// and a representative r. A text goes to the first group of as many tokens with which it agrees in a share of threshold
// of them at least; the commonest texts come first. A text that stays alone is among the others.
func reducePatterns(list []any, threshold float64, separators string) []any {
	type item struct {
		text string
		n    int64
	}
	items := make([]item, 0, len(list))
	for _, e := range list {
		if o, ok := e.(*value.Object); ok {
			v, _ := o.Get("v")
			n, _ := o.Get("n")
			items = append(items, item{str(v), long(n, 1)})
		}
	}
	slices.SortStableFunc(items, func(a, b item) int {
		return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(a.text, b.text))
	})
	byLength := map[int][]*reduceGroup{}
	var groups []*reduceGroup
	others := &reduceGroup{}
	for i, it := range items {
		tokens, gaps := reduceTokens(it.text, separators)
		var into *reduceGroup
		if len(tokens) > 0 && len(tokens) <= maxTokens && i < maxReduced {
			for _, g := range byLength[len(tokens)] {
				if g.alike(tokens) >= threshold*float64(len(tokens)) && g.alike(tokens) > 0 {
					into = g
					break
				}
			}
			if into == nil && len(groups) < maxPatterns {
				into = &reduceGroup{tokens: tokens, wild: make([]bool, len(tokens)), gaps: gaps, first: it.text}
				groups = append(groups, into)
				byLength[len(tokens)] = append(byLength[len(tokens)], into)
			}
		}
		if into == nil {
			into = others
		}
		into.count += it.n
		into.texts = append(into.texts, it.text)
		for k := range into.tokens {
			into.wild[k] = into.wild[k] || into.tokens[k] != tokens[k]
		}
	}
	var out []any
	give := func(g *reduceGroup, pattern, first string) {
		for _, t := range g.texts {
			out = append(out, &value.Object{Members: []value.Member{{Key: "v", Value: t}, {Key: "p", Value: pattern}, {Key: "r", Value: first}}})
		}
	}
	for _, g := range groups {
		if g.count == 1 {
			give(g, "others", "")
		} else {
			give(g, g.pattern(), g.first)
		}
	}
	give(others, "others", "")
	return out
}

// alike gives how many tokens agree with those that the group's texts share.
func (g *reduceGroup) alike(tokens []string) float64 {
	n := 0
	for i, t := range tokens {
		if !g.wild[i] && g.tokens[i] == t {
			n++
		}
	}
	return float64(n)
}

// pattern gives the shared tokens with * for the others. What stands between tokens stays where it is space or stands
// between shared ones.
func (g *reduceGroup) pattern() string {
	var b strings.Builder
	star := false
	for i, t := range g.tokens {
		gap := g.gaps[i]
		if g.wild[i] {
			if !star {
				if strings.TrimSpace(gap) == "" {
					b.WriteString(gap)
				}
				b.WriteByte('*')
			}
			star = true
			continue
		}
		if !star || strings.TrimSpace(gap) == "" {
			b.WriteString(gap)
		}
		b.WriteString(t)
		star = false
	}
	if !star {
		b.WriteString(g.gaps[len(g.tokens)])
	}
	return b.String()
}

// reduceTokens splits a text at separators, by default at all but letters and digits of ASCII. gaps are what stands
// before each token and behind the last.
func reduceTokens(s, separators string) (tokens, gaps []string) {
	separates := func(r rune) bool {
		return r < 0x80 && !unicode.IsLetter(r) && !unicode.IsDigit(r) || r >= 0x80
	}
	if separators != "" {
		separates = func(r rune) bool { return strings.ContainsRune(separators, r) }
	}
	start, gap := -1, 0
	for i, r := range s {
		switch {
		case separates(r) && start >= 0:
			tokens = append(tokens, s[start:i])
			start, gap = -1, i
		case !separates(r) && start < 0:
			gaps = append(gaps, s[gap:i])
			start = i
		}
	}
	if start >= 0 {
		tokens = append(tokens, s[start:])
		gap = len(s)
	}
	return tokens, append(gaps, s[gap:])
}
