package diag

import (
	"cmp"
	"slices"
	"strings"
)

// Nearest gives the candidate that is most like name, to be offered in a hint: the same letters in
// another case, else at most a third of them changed, else the shortest that holds the name or begins it. It gives ""
// if nothing is near.
func Nearest(name string, candidates []string) string {
	best, limit := "", max(1, len(name)/3)
	for _, c := range candidates {
		if strings.EqualFold(c, name) {
			return c
		}
		if d := distance(strings.ToLower(name), strings.ToLower(c), limit); d <= limit {
			if d < limit || best == "" {
				best = c
			}
			limit = min(limit, d)
		}
	}
	if best != "" || len(name) < leastPart {
		return best
	}
	lower := strings.ToLower(name)
	for _, c := range candidates {
		if strings.Contains(strings.ToLower(c), lower) && (best == "" || len(c) < len(best)) {
			best = c
		}
	}
	return best
}

// Near gives at most n of the candidates, those first that have the longest part in common with name, of equal ones the
// shorter, for a hint where no one name is near. What has no three letters in common is not like it.
func Near(name string, candidates []string, n int) []string {
	common := map[string]int{}
	var near []string
	for _, c := range candidates {
		if k := shared(name, c); k >= 3 && common[c] == 0 {
			common[c] = k
			near = append(near, c)
		}
	}
	slices.SortFunc(near, func(a, b string) int {
		return cmp.Or(common[b]-common[a], len(a)-len(b), strings.Compare(a, b))
	})
	return near[:min(n, len(near))]
}

// shared gives the length of the longest part that two names have in common, whatever its case.
func shared(a, b string) int {
	a, b = strings.ToLower(a[:min(len(a), 100)]), strings.ToLower(b[:min(len(b), 100)])
	best, prev, cur := 0, make([]int, len(b)+1), make([]int, len(b)+1)
	for i := range len(a) {
		for j := range len(b) {
			cur[j+1] = 0
			if a[i] == b[j] {
				cur[j+1] = prev[j] + 1
				best = max(best, cur[j+1])
			}
		}
		prev, cur = cur, prev
	}
	return best
}

// leastPart is the length from which a name is offered that holds another.
const leastPart = 4

// distance is Damerau and Levenshtein's distance, or more than limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit || len(a) > 100 || len(b) > 100 {
		return limit + 1
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
