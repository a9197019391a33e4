package rule

import (
	"strings"

	"github.com/goccy/go-yaml/ast"

	"glassward/kql/diag"
)

// A queryPlace maps places in a query to places in the file that holds it. Each
// element is one line of the query.
type queryPlace []queryLine

type queryLine struct {
	query int // offset at which the line begins in the query
	file  int // offset at which its text begins in the file
	size  int // bytes of the line that stand in the file as they do in the query
}

// locateQuery finds the lines of a query in the file. Block scalars are the
// rule; of a quoted or folded scalar only what is written as it is read can be
// mapped, and the rest maps to where the scalar begins.
func (d *document) locateQuery(n ast.Node, query string) queryPlace {
	var from int // line on which to begin, from 0
	switch n := n.(type) {
	case *ast.LiteralNode:
		if n.Start == nil || n.Start.Position == nil {
			return nil
		}
		from = n.Start.Position.Line // the line after the header
	case *ast.StringNode:
		if n.Token == nil || n.Token.Position == nil {
			return nil
		}
		at := d.offset(n.Token.Position.Line, n.Token.Position.Column)
		if at < len(d.src) && (d.src[at] == '"' || d.src[at] == '\'') {
			at++
		}
		size := 0
		for size < len(query) && at+size < len(d.src) && query[size] == d.src[at+size] {
			size++
		}
		return queryPlace{{0, at, size}}
	default:
		return nil
	}
	var place queryPlace
	offset := 0
	for _, line := range strings.SplitAfter(query, "\n") {
		if line == "" {
			break
		}
		text := strings.TrimRight(line, "\r\n")
		if from >= len(d.lines) {
			return place
		}
		end := len(d.src)
		if from+1 < len(d.lines) {
			end = d.lines[from+1]
		}
		whole := strings.TrimRight(d.src[d.lines[from]:end], "\r\n")
		if !strings.HasSuffix(whole, text) {
			// A folded block joins lines: from here on nothing can be mapped.
			return place
		}
		place = append(place, queryLine{offset, d.lines[from] + len(whole) - len(text), len(line)})
		offset += len(line)
		from++
	}
	return place
}

// file gives the place in the file of a place in the query.
func (r *Rule) inFile(at diag.Span) diag.Span {
	start, ok := r.place.offset(at.Start)
	if !ok {
		return r.queryAt
	}
	end, ok := r.place.offset(at.End)
	if !ok || end < start {
		end = start
	}
	return diag.At(start, end)
}

func (p queryPlace) offset(at int) (int, bool) {
	for i := len(p) - 1; i >= 0; i-- {
		if l := p[i]; at >= l.query {
			return l.file + min(at-l.query, l.size), at-l.query <= l.size
		}
	}
	return 0, false
}
