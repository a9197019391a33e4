package syntax

import (
	"slices"
	"strings"

	"glassward/kql/diag"
)

func chartNames() []string {
	return []string{"table", "list", "barchart", "piechart", "ladderchart", "timechart", "linechart", "anomalychart", "pivotchart", "areachart",
		"stackedareachart", "scatterchart", "timepivot", "columnchart", "timeline", "3Dchart", "card", "treemap", "plotly", "graph", "sankey"}
}

func (p *parser) render() parsedOperator {
	o := &Render{}
	t := p.tok()
	if t.kind != word {
		p.fail(MissingClause, "for example render timechart", "render needs a kind of chart")
		return o
	}
	p.next()
	o.Chart = p.text(t)
	if charts := chartNames(); !slices.Contains(charts, o.Chart) {
		hint := "charts are " + strings.Join(charts, ", ")
		if near := diag.Nearest(o.Chart, charts); near != "" {
			hint = "did you mean " + near + "?"
		}
		p.errorf(Unexpected, t.at, hint, "there is no chart %s", shorten(o.Chart, 40))
	}
	switch {
	case p.gotWord("with"):
		o.With = p.properties()
	case p.nameAhead(): // the older form without with
		for p.nameAhead() && p.i < p.limit {
			start := p.start()
			id := p.ident("a property")
			p.next()
			q := &Param{Name: id.Name, Value: p.expr()}
			q.At = p.from(start)
			o.With = append(o.With, q)
			p.got(comma)
		}
	}
	return o
}

func (o *Render) format(p *printer) *doc {
	d := text(o.Chart)
	if len(o.With) > 0 {
		d = cat(d, text(" with "), p.properties(o.With, o.At.End))
	}
	return d
}
