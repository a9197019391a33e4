package notify

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const twilioEndpoint = "https://api.twilio.com"

// ringFor is how long a telephone rings.
const ringFor = 45 * time.Second

// twilio speaks Twilio's REST API of 2010-04-01.
type twilio struct {
	PhoneProvider
	caller caller
}

func (t *twilio) name() string { return t.Name }

func (t *twilio) text(ctx context.Context, to string, s sms, m Message) Outcome {
	form := url.Values{"To": {to}, "Body": {s.text}}
	if t.MessagingService != "" {
		form.Set("MessagingServiceSid", t.MessagingService)
	} else {
		form.Set("From", t.From)
	}
	t.report(form, m)
	return t.post(ctx, "Messages.json", form, "SM", "MM")
}

func (t *twilio) speak(ctx context.Context, to, words string, m Message) Outcome {
	form := url.Values{
		"To": {to}, "From": {t.From}, "Twiml": {twiml(words, t.keys(m), keyHint(m.Notice.Severity))}, "Timeout": {strconv.Itoa(int(ringFor / time.Second))},
		// Who takes the call is found out while the words are spoken: a person must not
		// listen to silence first.
		"MachineDetection": {"Enable"}, "AsyncAmd": {"true"},
	}
	t.report(form, m)
	if address := form.Get("StatusCallback"); address != "" {
		form.Set("AsyncAmdStatusCallback", address)
	}
	return t.post(ctx, "Calls.json", form, "CA")
}

// report has Twilio say what became of a message, where it calls us.
func (t *twilio) report(form url.Values, m Message) {
	if address := t.status(m); address != "" {
		form.Set("StatusCallback", address)
	}
}

// keysWithin is how long a person may take between two keys.
const keysWithin = 10 * time.Second

// twiml says the words twice, and sends the keys that are pressed to an address if
// there is one.
func twiml(words, keys, hint string) string {
	say := "<Say>" + escapeXML(words) + "</Say>"
	body := say + "<Pause length=\"1\"/><Say>I repeat.</Say>" + say
	if keys != "" {
		body = fmt.Sprintf("<Gather input=\"dtmf\" finishOnKey=\"#\" timeout=\"%d\" method=\"POST\" action=\"%s\">%s<Say>%s</Say></Gather>", keysWithin/time.Second, escapeXML(keys), body, hint)
	}
	return "<Response><Pause length=\"1\"/>" + body + "</Response>"
}

func escapeXML(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

func (t *twilio) post(ctx context.Context, resource string, form url.Values, sids ...string) Outcome {
	k, err := t.call(resource)
	if err != nil {
		return mend(err)
	}
	k.body = []byte(form.Encode())
	var sid string
	out := t.caller.do(ctx, k, func(r reply) (v Verdict, said string) {
		v, sid, said = twilioVerdict(r, sids...)
		return v, said
	})
	if out.Verdict == Accepted {
		out.Handle = sid
	}
	return out
}

// call is a call of one of the account's resources.
func (t *twilio) call(resource string) (call, error) {
	target, err := apiURL(cmp.Or(t.Endpoint, twilioEndpoint), "/2010-04-01/Accounts/"+t.Account+"/"+resource)
	if err != nil {
		return call{}, err
	}
	secret, err := t.Secret.Reveal()
	if err != nil {
		return call{}, err
	}
	header := formHeader()
	header.Set("Authorization", basicAuth(cmp.Or(t.APIKey, t.Account), secret))
	return call{target: target, header: header, secrets: []string{secret, header.Get("Authorization")}}, nil
}

// ask fetches the message or the call.
func (t *twilio) ask(ctx context.Context, sid string) (arrival, string) {
	resource := "Messages/"
	if strings.HasPrefix(sid, "CA") {
		resource = "Calls/"
	}
	k, err := t.call(resource + sid + ".json")
	if err != nil {
		return unsure, err.Error()
	}
	k.method = http.MethodGet
	var state arrival
	out := t.caller.do(ctx, k, func(r reply) (v Verdict, said string) {
		state, v, said = twilioArrival(r, sid)
		return v, said
	})
	return state, out.Answer
}

// twilioArrival judges what was fetched: a resource with our sid and a status
// that Twilio documents, or nothing is known. A call that a machine took was
// answered by nobody; of a text that arrived in part the link may be missing.
func twilioArrival(r reply, sid string) (arrival, Verdict, string) {
	var said struct {
		SID          string `json:"sid"`
		Status       string `json:"status"`
		ErrorCode    any    `json:"error_code"`
		ErrorMessage string `json:"error_message"`
		// AnsweredBy is human, fax, unknown, or a word that begins with machine; empty
		// as long as it is not known.
		AnsweredBy string `json:"answered_by"`
	}
	v := httpVerdict(r.status)
	if err := json.Unmarshal(r.body, &said); v != Accepted || err != nil || said.SID != sid {
		return unsure, min(v, Mend), "not what Twilio knows of " + sid
	}
	text := said.SID + " " + said.Status
	if said.AnsweredBy != "" {
		text += ", answered by " + said.AnsweredBy
	}
	if said.ErrorCode != nil {
		text += fmt.Sprintf(", error %v %s", said.ErrorCode, said.ErrorMessage)
	}
	switch said.Status {
	case "in-progress", "completed":
		switch {
		case strings.HasPrefix(said.AnsweredBy, "machine"), said.AnsweredBy == "fax":
			return unanswered, Accepted, text
		case said.AnsweredBy == "human":
			return arrived, Accepted, text
		case said.Status == "in-progress":
			return unsure, Accepted, text
		}
		return arrived, Accepted, text + takenByWhom
	case "delivered", "read":
		return arrived, Accepted, text
	case "undelivered", "failed", "canceled", "partially_delivered":
		return lost, Accepted, text
	case "busy", "no-answer":
		return unanswered, Accepted, text
	}
	return unsure, Accepted, text // queued, sending, sent; ringing; what is new to us
}

// takenByWhom is said of a call that was taken by somebody or something.
const takenByWhom = "; whether a person took it is not known"

func basicAuth(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// twilioVerdict judges an answer: 201 with the sid of what was made, or an error
// with a code. Only what is wrong with the text itself is final; a wrong number,
// a country that is not allowed and a person who has sent STOP are mended.
func twilioVerdict(r reply, sids ...string) (v Verdict, sid, text string) {
	var said struct {
		SID       string `json:"sid"`
		Status    any    `json:"status"` // a word of what was made, a number of an error
		ErrorCode any    `json:"error_code"`
		Code      int    `json:"code"`
		Message   string `json:"message"`
	}
	err := json.Unmarshal(r.body, &said)
	v = httpVerdict(r.status)
	if v == Accepted {
		made := slices.ContainsFunc(sids, func(p string) bool { return strings.HasPrefix(said.SID, p) })
		switch {
		case err != nil || !made || r.status != http.StatusCreated:
			return Mend, "", "not what Twilio answers with when it has made one"
		case said.Status == "failed" || said.Status == "undelivered" || said.Status == "canceled" || said.ErrorCode != nil:
			return Mend, "", fmt.Sprintf("%s is %v, error %v", said.SID, said.Status, said.ErrorCode)
		}
		return Accepted, said.SID, fmt.Sprintf("%s %v", said.SID, said.Status)
	}
	if err != nil || said.Code == 0 {
		return v, "", ""
	}
	text = fmt.Sprintf("%s (Twilio %d)", said.Message, said.Code)
	switch {
	case said.Code == 20429:
		return Retry, "", text
	case said.Code == 21610:
		return Mend, "", text + ": this person has sent STOP; START, sent from that telephone to our number, undoes it"
	case v == Refused && !slices.Contains([]int{21602, 21605, 21617, 21619, 32018}, said.Code):
		return Mend, "", text
	}
	return v, "", text
}
