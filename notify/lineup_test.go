package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"glassward"
)

// A line is a provider that takes everything and then says what its script says
// of it, the last for ever.
type line struct {
	label string
	takes []Outcome // Accepted with a handle if it is used up
	says  []arrival
	sent  int
	asked int
}

func (l *line) name() string { return l.label }

func (l *line) text(context.Context, string, sms, Message) Outcome {
	l.sent++
	if l.sent <= len(l.takes) {
		return l.takes[l.sent-1]
	}
	return Outcome{Verdict: Accepted, Answer: "queued", Handle: fmt.Sprint(l.label, l.sent)}
}

func (l *line) speak(ctx context.Context, to, _ string, m Message) Outcome {
	return l.text(ctx, to, sms{}, m)
}

func (l *line) ask(_ context.Context, handle string) (arrival, string) {
	if handle != fmt.Sprint(l.label, l.sent) {
		return lost, "asked for " + handle
	}
	l.asked++
	a := l.says[min(l.asked, len(l.says))-1]
	return a, map[arrival]string{unsure: "sent", arrived: "delivered", lost: "undelivered", unanswered: "no-answer"}[a]
}

// TestLineup follows what was taken until it has arrived: what a provider loses
// goes to the next, and what nobody can tell of is believed and told.
func TestLineup(t *testing.T) {
	for _, c := range []struct {
		name string
		list []*line
		// told are the troubles, status the delivery's after ten minutes, in virtual
		// time; sent is how often each provider sent.
		told   string
		status glassward.DeliveryStatus
		answer string
		sent   string
		after  time.Duration // until it was settled, at most
	}{
		{
			"delivered", []*line{{label: "a", says: []arrival{unsure, unsure, arrived}}, {label: "b"}},
			"", glassward.Delivered, "a: delivered", "1 0", 20 * time.Second,
		},
		{
			"lost", []*line{{label: "a", says: []arrival{unsure, lost}}, {label: "b", says: []arrival{arrived}}},
			"receiver-weakened", glassward.Delivered, "b: delivered", "1 1", 20 * time.Second,
		},
		{
			"lost by both, and then not", []*line{{label: "a", says: []arrival{lost, arrived}}, {label: "b", says: []arrival{lost}}},
			"receiver-weakened receiver-failing receiver-failing", glassward.Delivered, "a: delivered", "2 1", time.Minute,
		},
		{
			"taken, and nobody knows", []*line{{label: "a", says: []arrival{unsure}}, {label: "b", says: []arrival{unsure}}},
			"receiver-weakened", glassward.Delivered, "a: sent after 2m", "1 1", 5 * time.Minute,
		},
		{
			"taken, nobody knows, the other is down", []*line{{label: "a", says: []arrival{unsure}}, {label: "b", takes: []Outcome{{Verdict: Retry, Answer: "HTTP 503"}}}},
			"receiver-weakened", glassward.Delivered, "b: HTTP 503", "1 1", 3 * time.Minute,
		},
		{
			"nobody answers", []*line{{label: "a", says: []arrival{unsure, unanswered, arrived}}},
			"", glassward.Delivered, "a: delivered", "2", time.Minute,
		},
		{
			"no reports at all", []*line{{label: "a", takes: []Outcome{{Verdict: Accepted, Answer: "message 1"}}}},
			"", glassward.Delivered, "a: message 1", "1", time.Second,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var list lineup
				for _, l := range c.list {
					list = append(list, l)
				}
				box, told := newOutbox(), &troubles{}
				fleet := scripted(map[string]scriptedReceiver{"x": nil})
				fleet.receivers["oncall/x"] = &smsReceiver{SMSReceiver{Name: "x", Phone: phone()}, list}
				courier, end := run(t, Options{Outbox: box, Fleet: fleet, Trouble: told.tell})
				box.owe("n", "oncall")
				began := time.Now()
				courier.Wake()
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				d := box.of("oncall/x")["n"]
				if d.Status != c.status || !strings.Contains(d.Answer, c.answer) || d.Settled.Sub(began) > c.after {
					t.Errorf("%+v after %s, want %q", d, d.Settled.Sub(began), c.answer)
				}
				var kinds, sent []string
				for _, k := range told.list {
					kinds = append(kinds, string(k.Kind))
				}
				for _, l := range c.list {
					sent = append(sent, fmt.Sprint(l.sent))
				}
				if strings.Join(kinds, " ") != c.told || strings.Join(sent, " ") != c.sent {
					t.Errorf("told %q, sent %q; want %q, %q\n%s", kinds, sent, c.told, c.sent, told)
				}
				end()
			})
		})
	}
}

// TestAnsweredMeanwhile sends nothing again about an incident that somebody has.
func TestAnsweredMeanwhile(t *testing.T) {
	a := &line{label: "a", says: []arrival{unanswered}}
	r := &voiceReceiver{VoiceReceiver{Name: "x", Phone: phone()}, lineup{a}}
	j := signIn()
	j.Attempt = 1
	out := r.Deliver(t.Context(), newMessage(j, group(), nil, nil))
	j.Attempt, j.Incident.Acknowledged = 2, j.Notice.Created.Add(time.Minute)
	out = r.Report(t.Context(), newMessage(j, group(), nil, nil), out.Handle)
	if out.Verdict != Accepted || a.sent != 1 || !strings.Contains(out.Answer, "no-answer; not sent again: the incident was acknowledged 2026-") {
		t.Errorf("got %+v", out)
	}
	if out = r.Deliver(t.Context(), newMessage(j, group(), nil, nil)); out.Verdict != Accepted || a.sent != 1 {
		t.Errorf("got %+v", out)
	}
	j.Attempt = 1 // what nobody was told yet is told
	if out = r.Deliver(t.Context(), newMessage(j, group(), nil, nil)); a.sent != 2 {
		t.Errorf("got %+v", out)
	}
}

// FuzzHandle follows whatever was stored as a handle: a message whose handle
// cannot be read is sent anew.
func FuzzHandle(f *testing.F) {
	f.Add(`{"provider":"a","handle":"a1","since":"2026-11-20T17:00:00Z"}`)
	f.Add(`{"provider":"b"}`)
	f.Add("RECEIPT")
	f.Fuzz(func(t *testing.T, handle string) {
		a := &line{label: "a", says: []arrival{lost}}
		out := lineup{a}.follow(t.Context(), message(), handle, func(p phoneProvider) Outcome { return p.text(t.Context(), "", sms{}, message()) })
		if out.Verdict == Refused || !json.Valid([]byte(out.Handle)) && out.Handle != "" {
			t.Errorf("%q: %+v", handle, out)
		}
	})
}

// TestReports asks strict fakes: Twilio's Message and Call resources (twilio.com/docs,
// "Messages resource" and "Call resource": GET …/Messages/{Sid}.json and
// …/Calls/{Sid}.json, the values of status) and Vonage's call (developer.vonage.com,
// "Voice API": GET /v1/calls/{uuid}) and report ("Reports API": GET
// /v2/reports/records with account_id, product, direction and id).
func TestReports(t *testing.T) {
	var status int
	var body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		refuse := func() error {
			switch {
			case r.Method != http.MethodGet || len(text) != 0:
				return errors.New("method or body")
			case r.URL.Path == "/v2/reports/records":
				user, password, _ := r.BasicAuth()
				q := r.URL.Query()
				if user != "abcd1234" || password != vonageSecret || q.Get("account_id") != user || q.Get("product") != "SMS" || q.Get("direction") != "outbound" || q.Get("id") != "0A1" || len(q) != 4 {
					return errors.New("credentials or query")
				}
				return nil
			case r.URL.RawQuery != "":
				return errors.New("query")
			case r.URL.Path == "/v1/calls/63f61863-4a51-4f6b-86e1-46edebcf9356":
				return checkToken(r, time.Now())
			case r.URL.Path != "/2010-04-01/Accounts/"+twilioAccount+"/Messages/SM1.json" && r.URL.Path != "/2010-04-01/Accounts/"+twilioAccount+"/Calls/CA1.json":
				return errors.New("path " + r.URL.Path)
			}
			if user, password, ok := r.BasicAuth(); !ok || user != twilioAccount || password != twilioToken {
				return errors.New("credentials")
			}
			return nil
		}
		if err := refuse(); err != nil {
			t.Errorf("refused: %v", err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	defer s.Close()
	providers := map[string]phoneProvider{}
	for _, p := range vendorConfig(t, s.URL).PhoneProviders {
		opened, err := p.open(Network{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		providers[p.Name] = opened
	}
	const uuid = "63f61863-4a51-4f6b-86e1-46edebcf9356"
	for _, c := range []struct {
		provider, handle string
		status           int
		body             string
		want             arrival
		said             string
	}{
		{"first", "SM1", 200, `{"sid":"SM1","status":"delivered","error_code":null}`, arrived, "SM1 delivered"},
		{"first", "SM1", 200, `{"sid":"SM1","status":"sent","error_code":null}`, unsure, "SM1 sent"},
		{"first", "SM1", 200, `{"sid":"SM1","status":"undelivered","error_code":30005,"error_message":"Unknown destination handset"}`, lost, "SM1 undelivered, error 30005 Unknown destination handset"},
		{"first", "SM1", 200, `{"sid":"SM1","status":"failed","error_code":30007}`, lost, "error 30007"},
		{"first", "SM1", 200, `{"sid":"SM2","status":"delivered"}`, unsure, "not what Twilio knows of SM1"},
		{"first", "SM1", 200, `<html>`, unsure, "not what Twilio knows"},
		{"first", "SM1", 404, `{"code":20404,"message":"was not found"}`, unsure, "HTTP 404"},
		{"first", "SM1", 503, ``, unsure, "HTTP 503"},
		{"first", "CA1", 200, `{"sid":"CA1","status":"ringing"}`, unsure, "CA1 ringing"},
		{"first", "SM1", 200, `{"sid":"SM1","status":"partially_delivered"}`, lost, "SM1 partially_delivered"},
		{"first", "CA1", 200, `{"sid":"CA1","status":"in-progress","answered_by":null}`, unsure, "CA1 in-progress"},
		{"first", "CA1", 200, `{"sid":"CA1","status":"in-progress","answered_by":"human"}`, arrived, "CA1 in-progress, answered by human"},
		{"first", "CA1", 200, `{"sid":"CA1","status":"in-progress","answered_by":"machine_start"}`, unanswered, "answered by machine_start"},
		{"first", "CA1", 200, `{"sid":"CA1","status":"completed","duration":"31","answered_by":null}`, arrived, "CA1 completed; whether a person took it is not known"},
		{"first", "CA1", 200, `{"sid":"CA1","status":"completed","answered_by":"unknown"}`, arrived, "CA1 completed, answered by unknown; whether a person took it is not known"},
		{"first", "CA1", 200, `{"sid":"CA1","status":"completed","answered_by":"machine_end_beep"}`, unanswered, "CA1 completed, answered by machine_end_beep"},
		{"first", "CA1", 200, `{"sid":"CA1","status":"completed","answered_by":"fax"}`, unanswered, "answered by fax"},
		{"first", "CA1", 200, `{"sid":"CA1","status":"no-answer"}`, unanswered, "CA1 no-answer"},
		{"first", "CA1", 200, `{"sid":"CA1","status":"busy"}`, unanswered, "CA1 busy"},
		{"third", uuid, 200, `{"uuid":"` + uuid + `","status":"ringing"}`, unsure, "ringing"},
		{"third", uuid, 200, `{"uuid":"` + uuid + `","status":"answered"}`, unsure, "answered"},
		{"third", uuid, 200, `{"uuid":"` + uuid + `","status":"human"}`, arrived, "human"},
		{"third", uuid, 200, `{"uuid":"` + uuid + `","status":"machine"}`, unanswered, "machine"},
		{"third", uuid, 200, `{"uuid":"` + uuid + `","status":"completed"}`, arrived, "completed; whether a person took it is not known"},
		{"third", uuid, 200, `{"uuid":"` + uuid + `","status":"timeout"}`, unanswered, "timeout"},
		{"third", uuid, 200, `{"uuid":"` + uuid + `","status":"rejected"}`, lost, "rejected"},
		{"second", "sms:0A1", 200, `{"request_status":"SUCCESS","items_count":1,"records":[{"account_id":"abcd1234","message_id":"0A1","direction":"outbound","status":"delivered","error_code":"0"}]}`, arrived, "0A1 delivered"},
		{"second", "sms:0A1", 200, `{"records":[{"message_id":"0A1","status":"delivered"},{"message_id":"0A1","status":"submitted"}]}`, unsure, "0A1 submitted"},
		{"second", "sms:0A1", 200, `{"records":[{"message_id":"0A1","status":"rejected","error_code_description":"Illegal Sender Address"}]}`, lost, "0A1 rejected Illegal Sender Address"},
		{"second", "sms:0A1", 200, `{"records":[{"message_id":"0A2","status":"delivered"}]}`, unsure, "not reported yet"},
		{"second", "sms:0A1", 200, `{"records":[]}`, unsure, "not reported yet"},
		{"second", "sms:0A1", 402, `{}`, unsure, "HTTP 402"},
		{"third", uuid, 404, `{"title":"Not Found"}`, unsure, "HTTP 404"},
	} {
		status, body = c.status, c.body
		got, said := providers[c.provider].ask(t.Context(), c.handle)
		if got != c.want || !strings.Contains(said, c.said) || strings.Contains(said, twilioToken) {
			t.Errorf("%s %d %s: got %d %q", c.handle, c.status, c.body, got, said)
		}
	}
}
