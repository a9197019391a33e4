package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"glassward"
)

// A TeamsReceiver is a channel or chat in Microsoft Teams behind a Workflows
// webhook ("When a Teams webhook request is received").
type TeamsReceiver struct {
	Name string `yaml:"name" json:"name"`
	// URL is the workflow's address by reference, since it carries its own
	// password (sig=…).
	URL   glassward.Secret `yaml:"url" json:"url"`
	Reach `yaml:",inline"`
}

func (r TeamsReceiver) label() string { return r.Name }

func (r TeamsReceiver) destination() string { return string(r.URL) }

func (r TeamsReceiver) validate(_ Config, p place) {
	p.needs("url", r.URL)
	r.Reach.validate(p)
}

func (r TeamsReceiver) lint(Watched) ([]Finding, string) {
	return nil, "Teams is reached and read with the tenant's own accounts"
}

func (r TeamsReceiver) by(c caller) Receiver { return &teamsReceiver{r, c} }

type teamsReceiver struct {
	TeamsReceiver
	caller caller
}

// Deliver posts an Adaptive Card. Workflows knows no key for repeats; the card
// shows the notice's id.
func (r *teamsReceiver) Deliver(ctx context.Context, m Message) Outcome {
	target, err := endpoint("url", string(r.URL))
	if err != nil {
		return mend(err)
	}
	if within(target.Hostname(), "webhook.office.com", "outlook.office.com") {
		return mend(errors.New("url is that of an Office 365 connector, which Microsoft has retired: make a Workflows webhook in Teams and use its address"))
	}
	body, err := teamsCard(m)
	if err != nil {
		return mend(err)
	}
	return r.caller.do(ctx, call{target: target, header: jsonHeader(), body: body}, flowVerdict)
}

// maxCard bounds the body. Teams takes 28 KB, and counts two bytes for each
// character where it converts the text to UTF-16.
const maxCard = 14_000

// The envelope and the elements of an Adaptive Card 1.4. A TextRun shows its
// text as it is; a TextBlock or a Fact would read it as Markdown.
type (
	teamsMessage struct {
		Type        string            `json:"type"`
		Attachments []teamsAttachment `json:"attachments"`
	}
	teamsAttachment struct {
		ContentType string       `json:"contentType"`
		ContentURL  *string      `json:"contentUrl"`
		Content     adaptiveCard `json:"content"`
	}
	adaptiveCard struct {
		Schema       string       `json:"$schema"`
		Type         string       `json:"type"`
		Version      string       `json:"version"`
		FallbackText string       `json:"fallbackText"`
		Teams        teamsWidth   `json:"msteams"`
		Body         []richText   `json:"body"`
		Actions      []cardAction `json:"actions,omitempty"`
	}
	teamsWidth struct {
		Width string `json:"width"`
	}
	richText struct {
		Type      string    `json:"type"`
		Separator bool      `json:"separator,omitempty"`
		Inlines   []textRun `json:"inlines"`
	}
	textRun struct {
		Type   string `json:"type"`
		Text   string `json:"text"`
		Weight string `json:"weight,omitempty"`
		Size   string `json:"size,omitempty"`
		Color  string `json:"color,omitempty"`
	}
	cardAction struct {
		Type  string `json:"type"`
		Title string `json:"title"`
		URL   string `json:"url"`
	}
)

// cardText keeps the card's own functions, {{DATE(…)}}, from being called by a
// record's text.
func cardText(s string) string { return strings.ReplaceAll(s, "{{", "{ {") }

func teamsCard(m Message) ([]byte, error) {
	v := NewView(m)
	body, err := fit(chatSections(v), maxCard, func(sections []chatSection) ([]byte, error) {
		head := textRun{Type: "TextRun", Text: cardText(v.Title), Weight: "Bolder", Size: "Large"}
		if m.Notice.Severity == glassward.High && !calm(m.Notice) {
			head.Color = "Attention"
		}
		card := adaptiveCard{
			Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4",
			FallbackText: cardText(v.Title), Teams: teamsWidth{"Full"},
			Body: []richText{{Type: "RichTextBlock", Inlines: []textRun{head}}},
		}
		for i, s := range sections {
			block := richText{Type: "RichTextBlock", Separator: i > 0}
			run := func(text, weight string) {
				block.Inlines = append(block.Inlines, textRun{Type: "TextRun", Text: cardText(text), Weight: weight})
			}
			if s.head != "" {
				run(s.head+"\n", "Bolder")
			}
			for j, f := range s.lines {
				end := "\n"
				if j == len(s.lines)-1 {
					end = ""
				}
				if f.Label != "" {
					run(f.Label+"  ", "Bolder")
				}
				run(f.Value+end, "")
			}
			card.Body = append(card.Body, block)
		}
		if v.Link != "" {
			card.Actions = []cardAction{{"Action.OpenUrl", "Open the incident", v.Link}}
		}
		return encodeJSON(teamsMessage{"message", []teamsAttachment{{
			ContentType: "application/vnd.microsoft.card.adaptive", Content: card,
		}}})
	})
	if err != nil {
		return nil, fmt.Errorf("write the card: %w", err)
	}
	return body, nil
}

// innerStatus finds the status that a text speaks of: "Microsoft Teams endpoint
// returned HTTP error 413 …".
var innerStatus = regexp.MustCompile(`(?i)HTTP error (\d{3})`)

// flowVerdict judges the answer of a Workflows or Logic Apps trigger. 202 and
// 200 take the call over, and prove no more than that; the old connectors and
// flows with a Response action put their errors into a 200. An error with a code
// is about the flow (switched off, deleted, another schema) and not about this
// notice, so that somebody can mend it.
func flowVerdict(r reply) (Verdict, string) {
	v := httpVerdict(r.status)
	var failure struct {
		Error json.RawMessage `json:"error"`
	}
	hasError := json.Unmarshal(r.body, &failure) == nil && len(failure.Error) > 0 && string(failure.Error) != "null"
	if v == Refused && hasError && r.status == 400 {
		return Mend, ""
	}
	if v != Accepted {
		return v, ""
	}
	text := strings.ToLower(string(r.body))
	if found := innerStatus.FindSubmatch(r.body); found != nil {
		status, _ := strconv.Atoi(string(found[1]))
		if inner := httpVerdict(status); inner != Accepted {
			return inner, ""
		}
		return Retry, ""
	}
	switch {
	case hasError, strings.Contains(text, "<html"), strings.Contains(text, "<!doctype"):
		return Mend, ""
	case strings.Contains(text, "error"), strings.Contains(text, "failed"):
		return Retry, ""
	}
	return Accepted, ""
}
