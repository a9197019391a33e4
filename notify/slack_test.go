package notify

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// slackVendor is an incoming webhook of Slack. Sources: docs.slack.dev,
// "Sending messages using incoming webhooks" (ok, the error words), "Formatting
// message text" (the three characters to escape), chat.postMessage (a text of more
// than 40,000 characters is cut), Block Kit reference: header
// (150 characters of plain_text), section (3,000 characters), at most 50 blocks;
// changelog of 2016-05-17 (400, 403, 404, 410 with their words).
var slackVendor = vendor{
	name: "slack",
	group: func(t testing.TB, base string) ActionGroup {
		return ActionGroup{Slack: []SlackReceiver{{Name: "x", Reach: reach(), URL: secret(t, base+"/services/T00000000/B00000000/XXXXhunter2XXXXXXXXXXXXX")}}}
	},
	check:   checkSlack,
	success: func(w http.ResponseWriter, _ []byte) { fmt.Fprint(w, "ok") },
	refusal: func(w http.ResponseWriter, err error) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, "invalid_payload")
	},
	mutations: []string{
		"header:Content-Type=text/plain", `text=7`, `text="<!channel>"`, "blocks=[]", `blocks=null`, `blocks.0.type="heading"`, "blocks.0.text", `blocks.0.text.type="mrkdwn"`,
		"blocks.0.text.text=*151", "blocks.1.text.text=*3001", `blocks.1.text.type="html"`, `blocks.1.text.text="<@U1> & co"`, `blocks.1.text.text=""`, `channel_name="x"`,
	},
	optional: []string{"mrkdwn", "unfurl_links", "unfurl_media", "blocks.*.text.emoji"},
	limits:   map[string]int{"blocks.*.text.text": 3000},
	answers: []vendorAnswer{
		{200, "ok", Accepted},
		{200, "", Mend},
		{200, "<html>welcome to the hotel's network</html>", Mend},
		{400, "invalid_payload", Refused},
		{400, "no_text", Refused},
		{400, "user_not_found", Mend},
		{403, "action_prohibited", Mend},
		{403, "invalid_token", Mend},
		{404, "no_service", Mend},
		{404, "channel_not_found", Mend},
		{410, "channel_is_archived", Mend},
		{429, "rate_limited", Retry},
		{500, "rollup_error", Retry},
	},
	secrets: []string{"hunter2"},
}

var (
	slackLink   = regexp.MustCompile(`^<https://[^<>|\s]+\|[^<>|]+>$`)
	slackEntity = regexp.MustCompile(`&(amp|lt|gt);`)
)

func checkSlack(r *http.Request, body []byte) error {
	var m struct {
		Text        string
		Mrkdwn      *bool
		UnfurlLinks *bool `json:"unfurl_links"`
		UnfurlMedia *bool `json:"unfurl_media"`
		Blocks      []struct {
			Type string
			Text *struct {
				Type, Text string
				Emoji      *bool
			}
		}
	}
	if r.URL.Path != "/services/T00000000/B00000000/XXXXhunter2XXXXXXXXXXXXX" {
		return errors.New("no_service")
	}
	if err := strictJSON(r, body, &m); err != nil {
		return err
	}
	escaped := func(s string) error {
		if strings.ContainsAny(slackEntity.ReplaceAllString(s, ""), "&<>") {
			return fmt.Errorf("not escaped: %q", s)
		}
		return nil
	}
	if m.Text == "" || utf8.RuneCountInString(m.Text) > 40_000 || len(m.Blocks) == 0 || len(m.Blocks) > 50 {
		return errors.New("no text, or no or too many blocks")
	}
	if err := escaped(m.Text); err != nil {
		return err
	}
	for _, b := range m.Blocks {
		if b.Text == nil || b.Text.Text == "" {
			return errors.New("block without text")
		}
		limit := 3000
		switch {
		case b.Type == "header" && b.Text.Type == "plain_text":
			limit = 150
		case b.Type == "section" && b.Text.Type == "mrkdwn":
			if b.Text.Emoji != nil || !slackLink.MatchString(b.Text.Text) {
				return fmt.Errorf("mrkdwn %q", b.Text.Text)
			}
			continue
		case b.Type == "section" && b.Text.Type == "plain_text":
		default:
			return fmt.Errorf("block %q with %q", b.Type, b.Text.Type)
		}
		if utf8.RuneCountInString(b.Text.Text) > limit {
			return errors.New("text too long")
		}
		if err := escaped(b.Text.Text); err != nil {
			return err
		}
	}
	return nil
}
