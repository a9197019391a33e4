package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"glassward"
)

// A SlackReceiver is a channel in Slack behind an incoming webhook.
type SlackReceiver struct {
	Name string `yaml:"name" json:"name"`
	// URL is the webhook's address by reference: whoever has it can post.
	URL   glassward.Secret `yaml:"url" json:"url"`
	Reach `yaml:",inline"`
}

func (r SlackReceiver) label() string { return r.Name }

func (r SlackReceiver) destination() string { return string(r.URL) }

func (r SlackReceiver) validate(_ Config, p place) {
	p.needs("url", r.URL)
	r.Reach.validate(p)
}

func (r SlackReceiver) lint(Watched) ([]Finding, string) { return nil, "" }

func (r SlackReceiver) by(c caller) Receiver { return &slackReceiver{r, c} }

type slackReceiver struct {
	SlackReceiver
	caller caller
}

// Deliver posts one message. Incoming webhooks know no key for repeats; the
// message shows the notice's id.
func (r *slackReceiver) Deliver(ctx context.Context, m Message) Outcome {
	target, err := endpoint("url", string(r.URL))
	if err != nil {
		return mend(err)
	}
	body, err := slackMessage(m)
	if err != nil {
		return mend(err)
	}
	return r.caller.do(ctx, call{target: target, header: jsonHeader(), body: body}, slackVerdict)
}

// Slack's limits of a block, in characters, and ours of the whole body.
const (
	maxSlackHeader  = 150
	maxSlackSection = 3000
	maxSlackBody    = 40_000
)

type (
	slackPost struct {
		Text        string       `json:"text"`
		Mrkdwn      bool         `json:"mrkdwn"`
		UnfurlLinks bool         `json:"unfurl_links"`
		UnfurlMedia bool         `json:"unfurl_media"`
		Blocks      []slackBlock `json:"blocks"`
	}
	slackBlock struct {
		Type string    `json:"type"`
		Text slackText `json:"text"`
	}
	slackText struct {
		Type  string `json:"type"`
		Text  string `json:"text"`
		Emoji *bool  `json:"emoji,omitempty"` // plain_text only
	}
)

// slackEscape writes the three characters by which Slack's markup begins as it
// asks for, so that no record's text becomes a mention or a link.
func slackEscape(s string) string { return slackEntities.Replace(s) }

var slackEntities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slackClip escapes and keeps to a limit of characters as Slack counts them,
// after escaping.
func slackClip(s string, limit int) string {
	for n := limit; ; n = n * 3 / 4 {
		text := []rune(s)
		cut := s
		if len(text) > n {
			cut = string(text[:n-1]) + "…"
		}
		if out := slackEscape(cut); len([]rune(out)) <= limit {
			return out
		}
	}
}

// slackMessage writes every text of a record as plain_text, in which * and _ and
// :name: mean nothing. The one piece of mrkdwn is our own link.
func slackMessage(m Message) ([]byte, error) {
	v := NewView(m)
	no := false
	plain := func(s string, limit int) slackText { return slackText{"plain_text", slackClip(s, limit), &no} }
	body, err := fit(chatSections(v), maxSlackBody, func(sections []chatSection) ([]byte, error) {
		post := slackPost{Text: slackClip("["+urgency(m)+"] "+v.Title, maxSlackSection)}
		post.Blocks = append(post.Blocks, slackBlock{"header", plain(v.Title, maxSlackHeader)})
		for _, s := range sections {
			post.Blocks = append(post.Blocks, slackBlock{"section", plain(s.String(), maxSlackSection)})
		}
		if u, err := url.Parse(v.Link); err == nil && v.Link != "" {
			address := strings.NewReplacer("|", "%7C", ">", "%3E", "<", "%3C").Replace(u.String())
			post.Blocks = append(post.Blocks, slackBlock{"section", slackText{Type: "mrkdwn", Text: "<" + strings.ReplaceAll(address, "&", "&amp;") + "|Open the incident>"}})
		}
		return json.Marshal(post)
	})
	if err != nil {
		return nil, fmt.Errorf("write the message: %w", err)
	}
	return body, nil
}

// slackVerdict judges an answer: "ok", or a status with one word. Only the words
// about the message itself are final; a channel that is archived (410), a
// webhook that was revoked or an application that may not post is mended in
// Slack.
func slackVerdict(r reply) (Verdict, string) {
	word := strings.TrimSpace(string(r.body))
	switch v := httpVerdict(r.status); v {
	case Accepted:
		if word != "ok" {
			return Mend, "not Slack's ok but: " + clip(word, maxValue)
		}
		return Accepted, ""
	case Refused:
		if !slices.Contains([]string{"invalid_payload", "no_text", "invalid_blocks", "invalid_blocks_format", "too_many_attachments", "msg_too_long", "missing_text_or_fallback_or_attachments"}, word) {
			return Mend, ""
		}
		return Refused, ""
	default:
		return v, ""
	}
}
