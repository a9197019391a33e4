package notify

import (
	_ "embed"
	"html/template"
	"strings"
)

//go:embed mail.html.tmpl
var mailHTML string

// An htmlRenderer makes the HTML part of a mail. html/template escapes every
// value by where it stands; the values have passed Inert before, so that a mail
// program finds nothing to make a link of either.
type htmlRenderer struct{ page *template.Template }

func newHTMLRenderer() htmlRenderer {
	return htmlRenderer{template.Must(template.New("mail").Parse(mailHTML))}
}

// render gives the page. It refers to nothing outside itself: no image, no
// style sheet, no script; the one link is the incident's own.
func (h htmlRenderer) render(v View) (string, error) {
	var b strings.Builder
	if err := h.page.Execute(&b, v); err != nil {
		return "", err
	}
	return b.String(), nil
}
