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
	"strings"
)

const twilioEndpoint = "https://api.twilio.com"

// ringFor is how long a telephone rings, in seconds, as Twilio wants it.
const ringFor = "45"

// twilio speaks Twilio's REST API of 2010-04-01.
type twilio struct {
	PhoneProvider
	caller caller
}

func (t *twilio) name() string { return t.Name }

func (t *twilio) text(ctx context.Context, to string, s sms, _ string) Outcome {
	form := url.Values{"To": {to}, "Body": {s.text}}
	if t.MessagingService != "" {
		form.Set("MessagingServiceSid", t.MessagingService)
	} else {
		form.Set("From", t.From)
	}
	return t.post(ctx, "Messages.json", form, "SM", "MM")
}

func (t *twilio) speak(ctx context.Context, to, words string) Outcome {
	form := url.Values{"To": {to}, "From": {t.From}, "Twiml": {twiml(words)}, "Timeout": {ringFor}}
	return t.post(ctx, "Calls.json", form, "CA")
}

// twiml says the words twice.
func twiml(words string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(words)) // a Builder takes everything
	say := "<Say>" + b.String() + "</Say>"
	return "<Response><Pause length=\"1\"/>" + say + "<Pause length=\"1\"/><Say>I repeat.</Say>" + say + "</Response>"
}

func (t *twilio) post(ctx context.Context, resource string, form url.Values, sids ...string) Outcome {
	target, err := apiURL(cmp.Or(t.Endpoint, twilioEndpoint), "/2010-04-01/Accounts/"+t.Account+"/"+resource)
	if err != nil {
		return mend(err)
	}
	secret, err := t.Secret.Reveal()
	if err != nil {
		return mend(err)
	}
	header := formHeader()
	header.Set("Authorization", basicAuth(cmp.Or(t.APIKey, t.Account), secret))
	return t.caller.post(ctx, call{
		target: target, header: header, body: []byte(form.Encode()), secrets: []string{secret, header.Get("Authorization")},
	}, func(r reply) (Verdict, string) { return twilioVerdict(r, sids...) })
}

func basicAuth(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// twilioVerdict judges an answer: 201 with the sid of what was made, or an error
// with a code. Only what is wrong with the text itself is final; a wrong number,
// a country that is not allowed and a person who has sent STOP are mended.
func twilioVerdict(r reply, sids ...string) (Verdict, string) {
	var said struct {
		SID       string `json:"sid"`
		Status    any    `json:"status"` // a word of what was made, a number of an error
		ErrorCode any    `json:"error_code"`
		Code      int    `json:"code"`
		Message   string `json:"message"`
	}
	err := json.Unmarshal(r.body, &said)
	v := httpVerdict(r.status)
	if v == Accepted {
		made := slices.ContainsFunc(sids, func(p string) bool { return strings.HasPrefix(said.SID, p) })
		switch {
		case err != nil || !made || r.status != http.StatusCreated:
			return Mend, "not what Twilio answers with when it has made one"
		case said.Status == "failed" || said.Status == "undelivered" || said.Status == "canceled" || said.ErrorCode != nil:
			return Mend, fmt.Sprintf("%s is %v, error %v", said.SID, said.Status, said.ErrorCode)
		}
		return Accepted, fmt.Sprintf("%s %v", said.SID, said.Status)
	}
	if err != nil || said.Code == 0 {
		return v, ""
	}
	text := fmt.Sprintf("%s (Twilio %d)", said.Message, said.Code)
	switch {
	case said.Code == 20429:
		return Retry, text
	case said.Code == 21610:
		return Mend, text + ": this person has sent STOP; START, sent from that telephone to our number, undoes it"
	case v == Refused && !slices.Contains([]int{21602, 21605, 21617, 21619, 32018}, said.Code):
		return Mend, text
	}
	return v, text
}
