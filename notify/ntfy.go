package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"glassward"
)

// A NtfyReceiver is a topic of an ntfy server: a push to every phone that
// follows it.
type NtfyReceiver struct {
	Name string `yaml:"name" json:"name"`
	// Server is the server's address without a path; https://ntfy.sh if empty.
	Server string `yaml:"server,omitempty" json:"server,omitempty"`
	// Topic is the topic's name, or a secret's reference where nothing but the
	// name protects it.
	Topic string `yaml:"topic" json:"topic"`
	// Token is an access token ("tk_…"), by reference.
	Token glassward.Secret `yaml:"token,omitempty" json:"token,omitempty"`
	Reach `yaml:",inline"`
}

const ntfyServer = "https://ntfy.sh"

// ntfyTopic is what ntfy takes for a topic.
var ntfyTopic = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)

func (r NtfyReceiver) server() string {
	return strings.TrimSuffix(cmp.Or(r.Server, ntfyServer), "/")
}

func (r NtfyReceiver) label() string { return r.Name }

func (r NtfyReceiver) destination() string { return r.server() + "/" + r.Topic }

func (r NtfyReceiver) validate(_ Config, p place) {
	p.address("server", r.server())
	if u, err := url.Parse(r.server()); err == nil && (isReference(r.Server) || u.Path != "" || u.RawQuery != "") {
		p.say("server: an address without a path, as %s; the topic goes under topic", ntfyServer)
	}
	if r.Topic == "" {
		p.say("topic: missing")
	} else if !isReference(r.Topic) && !ntfyTopic.MatchString(r.Topic) {
		p.say("topic %q: at most 64 letters, digits, _ and -", r.Topic)
	}
	p.secret("token", r.Token)
	r.Reach.validate(p)
}

func (r NtfyReceiver) lint(w Watched) (out []Finding, depends string) {
	if r.Token == "" && !isReference(r.Topic) {
		out = append(out, Finding{
			Code: OpenTopic, Message: "the topic's name stands in the configuration and nothing else protects it: whoever knows it reads the alarms and can forge one",
			Fix: "reserve the topic and give a token, or choose a long random name and give it by reference",
		})
	}
	return out, w.webhook(hostOf(r.server()))
}

func (r NtfyReceiver) by(c caller) Receiver { return &ntfyReceiver{r, c} }

type ntfyReceiver struct {
	NtfyReceiver
	caller caller
}

// ntfyPost is a message as JSON, which, other than headers, holds every text.
// sequence_id is the notice's key: from version 2.16 on a repeat takes the place
// of the first, without a second sound; older servers pass over it.
type ntfyPost struct {
	Topic      string       `json:"topic"`
	Title      string       `json:"title"`
	Message    string       `json:"message"`
	Priority   int          `json:"priority"`
	Tags       []string     `json:"tags,omitempty"`
	Click      string       `json:"click,omitempty"`
	Actions    []ntfyAction `json:"actions,omitempty"`
	SequenceID string       `json:"sequence_id"`
}

type ntfyAction struct {
	Action string `json:"action"`
	Label  string `json:"label"`
	URL    string `json:"url"`
}

// maxNtfy is the longest message, in bytes; ntfy makes an attachment of a longer
// one, and a phone shows no attachment.
const maxNtfy = 4096

// Deliver publishes one message.
func (r *ntfyReceiver) Deliver(ctx context.Context, m Message) Outcome {
	target, err := url.Parse(r.server() + "/")
	if err != nil {
		return mend(fmt.Errorf("server: not an address"))
	}
	topic := r.Topic
	if isReference(topic) {
		if topic, err = glassward.Secret(r.Topic).Reveal(); err != nil {
			return mend(err)
		}
		if !ntfyTopic.MatchString(topic) {
			return mend(fmt.Errorf("topic %s: at most 64 letters, digits, _ and -", r.Topic))
		}
	}
	header, secrets := jsonHeader(), []string{topic}
	if r.Token != "" {
		token, err := r.Token.Reveal()
		if err != nil {
			return mend(err)
		}
		header.Set("Authorization", "Bearer "+token)
		secrets = append(secrets, token)
	}
	body, err := ntfyMessage(m, topic)
	if err != nil {
		return mend(err)
	}
	return r.caller.do(ctx, call{target: target, header: header, body: body, secrets: secrets}, func(answer reply) (Verdict, string) {
		return ntfyVerdict(answer, topic)
	})
}

func ntfyMessage(m Message, topic string) ([]byte, error) {
	v := NewView(m)
	post := ntfyPost{
		Topic: topic, Title: "[" + urgency(m) + "] " + v.Title,
		Message:  shortText(v, maxNtfy),
		Priority: ntfyPriority(m), SequenceID: key(string(m.Notice.ID)),
	}
	if post.Priority == 5 {
		post.Tags = []string{"rotating_light"}
	}
	if v.Link != "" {
		post.Click = v.Link
		post.Actions = []ntfyAction{{"view", "Open the incident", v.Link}}
	}
	return encodeJSON(post)
}

// ntfyPriority gives 1 to 5; 5 sounds until somebody looks.
func ntfyPriority(m Message) int {
	if calm(m.Notice) {
		return 3
	}
	switch m.Notice.Severity {
	case glassward.High:
		return 5
	case glassward.Medium:
		return 4
	case glassward.Low:
		return 3
	}
	return 2
}

// shortText is what a push shows: the beginning of the sections, at most limit
// bytes of UTF-8.
func shortText(v View, limit int) string {
	text, _ := fit(chatSections(v), limit, func(sections []chatSection) ([]byte, error) {
		var parts []string
		for _, s := range sections {
			parts = append(parts, s.String())
		}
		return []byte(strings.Join(parts, "\n\n")), nil
	})
	return cutBytes(string(text), limit)
}

// cutBytes shortens a text to limit bytes at a character's end.
func cutBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	n := limit - len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// ntfyVerdict judges an answer: the message as the server keeps it, or an error
// with a code. 200 without the message is somebody else's page.
func ntfyVerdict(r reply, topic string) (Verdict, string) {
	v := httpVerdict(r.status)
	if v == Accepted {
		var kept struct{ ID, Event, Topic string }
		if json.Unmarshal(r.body, &kept) != nil || kept.ID == "" || kept.Event != "message" || kept.Topic != topic {
			return Mend, "not the message that ntfy answers with"
		}
		return Accepted, "message " + kept.ID
	}
	var failure struct {
		Code  int
		Error string
	}
	if json.Unmarshal(r.body, &failure) == nil && failure.Error != "" {
		return v, fmt.Sprintf("%s (ntfy %d)", failure.Error, failure.Code)
	}
	return v, ""
}
