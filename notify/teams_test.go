package notify

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// teamsVendor is a Workflows webhook. Sources: learn.microsoft.com,
// "Create incoming webhooks with Workflows for Microsoft Teams" (the envelope,
// 28 KB, 202), adaptivecards.io/explorer, elements RichTextBlock and TextRun
// (version 1.2: "unlike TextBlock, TextRun doesn't support Markdown") and
// Action.OpenUrl.
var teamsVendor = vendor{
	name: "teams",
	group: func(t testing.TB, base string) ActionGroup {
		return ActionGroup{Teams: []TeamsReceiver{{
			Name: "x", Reach: reach(),
			URL: secret(t, base+"/workflows/0123456789abcdef0123/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers&sig=hunter2-hunter2"),
		}}}
	},
	check: checkTeams,
	success: func(w http.ResponseWriter, _ []byte) {
		w.WriteHeader(http.StatusAccepted)
	},
	refusal: func(w http.ResponseWriter, err error) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":{"code":"TriggerInputSchemaMismatch","message":%q}}`, err.Error())
	},
	mutations: []string{
		"header:Content-Type=text/plain", "type", `type="MessageCard"`, "attachments", "attachments=[]", "attachments=null",
		"attachments.0.contentType", `attachments.0.contentType="application/json"`, "attachments.0.content",
		"attachments.0.content.type", `attachments.0.content.version="9.9"`, "attachments.0.content.version", "attachments.0.content.body",
		`attachments.0.content.body.0.type="TextBlock"`, `attachments.0.content.body.0.inlines.0.type="Fact"`, "attachments.0.content.body.0.inlines.0.text",
		`attachments.0.content.body.0.inlines.0.weight="Heavy"`, `attachments.0.content.actions.0.type="Action.Submit"`, "attachments.0.content.actions.0.url",
		`attachments.0.content.actions.0.url="javascript:alert(1)"`, "attachments.0.content.body.0.inlines.0.text=*29000", `text="hello"`,
	},
	optional: []string{
		"attachments.*.contentUrl", "attachments.*.content.fallbackText", "attachments.*.content.msteams", "attachments.*.content.actions",
		"attachments.*.content.body.*.separator", "attachments.*.content.body.*.inlines.*.weight", "attachments.*.content.body.*.inlines.*.size", "attachments.*.content.body.*.inlines.*.color",
	},
	answers: []vendorAnswer{
		{202, "", Accepted},
		{200, "", Accepted},
		{200, "1", Accepted},
		{200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413 with ContextId tcid=1", Refused},
		{200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=1", Retry},
		{200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 403", Mend},
		{200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 200", Retry},
		{200, `{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"…"}}`, Mend},
		{200, "<!DOCTYPE html><html>Sign in</html>", Mend},
		{200, "Summary or Text is required. An error occurred.", Retry},
		{400, `{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"…"}}`, Mend},
		{400, "Bad payload received", Refused},
		{404, `{"error":{"code":"WorkflowNotFound"}}`, Mend},
		{413, "", Refused},
		{502, "", Retry},
	},
	secrets: []string{"hunter2", "0123456789abcdef0123"},
}

func checkTeams(r *http.Request, body []byte) error {
	if len(body) > 28<<10 {
		return errors.New("more than 28 KB")
	}
	if q := r.URL.Query(); r.URL.Path != "/workflows/0123456789abcdef0123/triggers/manual/paths/invoke" || q.Get("sig") != "hunter2-hunter2" || q.Get("api-version") == "" || q.Get("sp") == "" {
		return errors.New("path or signature")
	}
	var m struct {
		Type        string
		Attachments []struct {
			ContentType string
			ContentURL  *string
			Content     struct {
				Schema       string `json:"$schema"`
				Type         string
				Version      string
				FallbackText string
				Msteams      *struct{ Width *string }
				Body         []struct {
					Type      string
					Separator bool
					Inlines   []struct {
						Type, Text, Weight, Size, Color string
					}
				}
				Actions []struct{ Type, Title, URL string }
			}
		}
	}
	if err := strictJSON(r, body, &m); err != nil {
		return err
	}
	if m.Type != "message" || len(m.Attachments) != 1 {
		return errors.New("want a message with one attachment")
	}
	a := m.Attachments[0]
	if a.ContentType != "application/vnd.microsoft.card.adaptive" || a.ContentURL != nil {
		return fmt.Errorf("attachment %q", a.ContentType)
	}
	if a.Content.Schema != "http://adaptivecards.io/schemas/adaptive-card.json" || a.Content.Msteams != nil && (a.Content.Msteams.Width == nil || *a.Content.Msteams.Width != "Full") {
		return errors.New("another schema, or a width that Teams does not know")
	}
	if a.Content.Type != "AdaptiveCard" || !slices.Contains([]string{"1.2", "1.3", "1.4", "1.5"}, a.Content.Version) || len(a.Content.Body) == 0 {
		return errors.New("no card that Teams shows")
	}
	for _, b := range a.Content.Body {
		if b.Type != "RichTextBlock" || len(b.Inlines) == 0 {
			return fmt.Errorf("element %q", b.Type)
		}
		for _, i := range b.Inlines {
			if i.Type != "TextRun" || i.Text == "" || strings.Contains(i.Text, "{{") {
				return fmt.Errorf("inline %q %q", i.Type, i.Text)
			}
			if !slices.Contains([]string{"", "Lighter", "Default", "Bolder"}, i.Weight) || !slices.Contains([]string{"", "Default", "Small", "Medium", "Large", "ExtraLarge"}, i.Size) ||
				!slices.Contains([]string{"", "Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"}, i.Color) {
				return fmt.Errorf("inline %+v", i)
			}
		}
	}
	for _, act := range a.Content.Actions {
		if u, err := url.Parse(act.URL); err != nil || act.Type != "Action.OpenUrl" || u.Scheme != "https" || act.Title == "" {
			return fmt.Errorf("action %+v", act)
		}
	}
	return nil
}

// TestTeamsConnector says that the address of a retired connector does not work.
func TestTeamsConnector(t *testing.T) {
	r := one(t, ActionGroup{Teams: []TeamsReceiver{{Name: "x", URL: secret(t, "https://fabrikam.webhook.office.com/webhookb2/hunter2")}}}, Config{})
	if out := r.Deliver(t.Context(), message()); out.Verdict != Mend || !strings.Contains(out.Answer, "retired") || strings.Contains(out.Answer, "hunter2") {
		t.Errorf("got %v", out)
	}
}
