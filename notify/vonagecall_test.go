package notify

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"glassward"
)

const vonageApp = "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab"

// applicationKey is a key for tests, made for them.
var applicationKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// vonageKey gives a reference to the application's key, as it is downloaded.
func vonageKey(t testing.TB) glassward.Secret {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(applicationKey())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "private.key")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return glassward.Secret("file:" + path)
}

// checkToken holds a token to developer.vonage.com, "JWTs": RS256 by the
// application's key, application_id, iat, jti, and exp at most 24 hours on.
func checkToken(r *http.Request, now time.Time) error {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	parts := strings.Split(token, ".")
	if !ok || len(parts) != 3 {
		return errors.New("no token")
	}
	var raw [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return err
		}
		raw[i] = b
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&applicationKey().PublicKey, crypto.SHA256, sum[:], raw[2]); err != nil {
		return err
	}
	var head struct{ Alg, Typ string }
	var claims struct {
		Application string `json:"application_id"`
		IAT, EXP    int64
		JTI         string
	}
	if err := errors.Join(json.Unmarshal(raw[0], &head), json.Unmarshal(raw[1], &claims)); err != nil {
		return err
	}
	at := now.Unix()
	if head.Alg != "RS256" || head.Typ != "JWT" || claims.Application != vonageApp || claims.JTI == "" || claims.IAT > at || claims.IAT < at-60 || claims.EXP <= at || claims.EXP > at+86400 {
		return fmt.Errorf("claims %+v", claims)
	}
	return nil
}

// vonageVoiceVendor is Vonage's Voice API. Source: developer.vonage.com, OpenAPI
// description "voice" 1.3 (POST /v1/calls with to, from, ncco, event_url,
// machine_detection of continue or hangup, ringing_timer of 1 to 120; 201 with uuid;
// errors with title and detail) and "NCCO reference" (talk: text of at most 1,500
// characters, loop, bargeIn; input: type, dtmf with maxDigits of at most 20, timeOut
// of at most 10 and submitOnHash, eventUrl; after talks with bargeIn there must be an
// input).
var vonageVoiceVendor = vendor{
	name: "vonage-voice", kind: "voice",
	group: func(testing.TB, string) ActionGroup {
		return ActionGroup{Voice: []VoiceReceiver{{Name: "x", Phone: phone("third")}}}
	},
	check: checkVonageCall,
	success: func(w http.ResponseWriter, _ []byte) {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"uuid":"63f61863-4a51-4f6b-86e1-46edebcf9356","status":"started","direction":"outbound","conversation_uuid":"CON-f972836a-550f-45fa-956c-12a2ab5b7d22"}`)
	},
	refusal: func(w http.ResponseWriter, err error) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "https://developer.nexmo.com/api-errors#invalid-params", "title": "Bad Request", "detail": err.Error(), "instance": "bf0ca0bf927b3b52e3cb03217e1a1ddf"})
	},
	mutations: []string{
		"header:Content-Type=text/plain", "header:Authorization=Bearer e30.e30.e30", "to", `to.0.number="+491701234567"`, `to.0.type="sip"`, "from", `from.number="Glassward"`,
		"ncco", `ncco.0.action="record"`, "ncco.0.text", "ncco.0.text=*1501", "ringing_timer=0", `answer_url=["https://example.org"]`, `machine_detection="maybe"`,
	},
	optional: []string{"ncco.*.loop", "ringing_timer", "machine_detection"},
	limits:   map[string]int{"ncco.*.text": 1500},
	headers:  []string{"Authorization"},
	answers: []vendorAnswer{
		{201, `{"uuid":"u","status":"started"}`, Accepted},
		{200, `{"uuid":"u","status":"started"}`, Mend},
		{201, `{}`, Mend},
		{400, `{"title":"Bad Request","detail":"from is not a number of the application"}`, Mend},
		{404, `{"title":"Not Found","detail":"no such application"}`, Mend},
		{429, `{"title":"Rate limit"}`, Retry},
	},
	secrets: []string{"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9."},
}

// vonageKeysVendor is the same where Vonage calls us: keys can be pressed.
var vonageKeysVendor = vendor{
	name: "vonage-keys", kind: "voice",
	group: vonageVoiceVendor.group, config: callingConfig,
	check: checkVonageCall, success: vonageVoiceVendor.success, refusal: vonageVoiceVendor.refusal,
	mutations: append([]string{
		`event_url=["http://localhost/"]`, "ncco.2", "ncco.2.dtmf", "ncco.2.dtmf.maxDigits=21", "ncco.2.dtmf.timeOut=11", `ncco.2.type=["speech"]`, `ncco.2.eventUrl=["https://elsewhere.example.org/"]`, `ncco.2.action="talk"`,
	}, vonageVoiceVendor.mutations...),
	optional: append([]string{"event_url", "ncco.*.bargeIn", "ncco.*.dtmf.maxDigits", "ncco.*.dtmf.timeOut", "ncco.*.dtmf.submitOnHash"}, vonageVoiceVendor.optional...),
	limits:   vonageVoiceVendor.limits, headers: vonageVoiceVendor.headers, answers: vonageVoiceVendor.answers, secrets: vonageVoiceVendor.secrets,
}

func checkVonageCall(r *http.Request, body []byte) error {
	if r.URL.Path != "/v1/calls" {
		return errors.New("path")
	}
	if err := checkToken(r, time.Now()); err != nil {
		return err
	}
	type end struct {
		Type   string `json:"type"`
		Number string `json:"number"`
	}
	var c struct {
		To   []end `json:"to"`
		From end   `json:"from"`
		NCCO []struct {
			Action  string   `json:"action"`
			Text    string   `json:"text"`
			Loop    *int     `json:"loop"`
			BargeIn bool     `json:"bargeIn"`
			Type    []string `json:"type"`
			DTMF    *struct {
				MaxDigits    *int `json:"maxDigits"`
				TimeOut      *int `json:"timeOut"`
				SubmitOnHash bool `json:"submitOnHash"`
			} `json:"dtmf"`
			EventURL []string `json:"eventUrl"`
		} `json:"ncco"`
		Ringing  *int     `json:"ringing_timer"`
		Machine  *string  `json:"machine_detection"`
		EventURL []string `json:"event_url"`
	}
	if err := strictJSON(r, body, &c); err != nil {
		return err
	}
	digits := regexp.MustCompile(`^[1-9][0-9]{6,14}$`)
	if len(c.To) != 1 || c.To[0].Type != "phone" || !digits.MatchString(c.To[0].Number) || c.From.Type != "phone" || !digits.MatchString(c.From.Number) {
		return errors.New("numbers")
	}
	if len(c.NCCO) == 0 || c.Ringing != nil && (*c.Ringing < 1 || *c.Ringing > 120) || c.Machine != nil && *c.Machine != "continue" && *c.Machine != "hangup" {
		return errors.New("ncco, ringing_timer or machine_detection")
	}
	for _, u := range c.EventURL {
		if err := checkCallback(u, "third", "status", "receiver"); err != nil {
			return err
		}
	}
	barge := false
	for _, a := range c.NCCO {
		switch a.Action {
		case "talk":
			if a.Text == "" || utf8.RuneCountInString(a.Text) > 1500 || a.Loop != nil && *a.Loop < 1 || strings.ContainsAny(a.Text, "<>&") || a.Type != nil || a.DTMF != nil || a.EventURL != nil {
				return errors.New("talk")
			}
			barge = barge || a.BargeIn
		case "input":
			if a.Text != "" || a.Loop != nil || a.BargeIn || len(a.Type) != 1 || a.Type[0] != "dtmf" || a.DTMF == nil || len(a.EventURL) != 1 {
				return errors.New("input")
			}
			if n := a.DTMF.MaxDigits; n != nil && (*n < 1 || *n > 20) {
				return errors.New("maxDigits")
			}
			if n := a.DTMF.TimeOut; n != nil && (*n < 0 || *n > 10) {
				return errors.New("timeOut")
			}
			if err := checkCallback(a.EventURL[0], "third", "keys", "receiver", "tenant", "incident"); err != nil {
				return err
			}
			barge = false
		default:
			return fmt.Errorf("action %q", a.Action)
		}
	}
	if barge {
		return errors.New("bargeIn without an input")
	}
	return nil
}

// TestVonageReports has a handle for a text only where reports are paid for.
func TestVonageReports(t *testing.T) {
	f := vonageVendor.serve(t)
	for reports, want := range map[bool]Verdict{false: Accepted, true: Underway} {
		c := vendorConfig(t, f.URL)
		c.PhoneProviders[1].Reports = reports
		out := one(t, vonageVendor.group(t, f.URL), c).Deliver(t.Context(), message())
		if out.Verdict != want || strings.Contains(out.Handle, `"handle":"sms:0A0000000123ABCD1"`) != reports {
			t.Errorf("%v: %+v", reports, out)
		}
	}
}

// TestApplicationKey refuses what is no key, and says nothing of it.
func TestApplicationKey(t *testing.T) {
	pkcs1 := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(applicationKey())}))
	if _, err := applicationToken(vonageApp, pkcs1, time.Now()); err != nil {
		t.Errorf("PKCS #1: %v", err)
	}
	for _, text := range []string{"", "hunter2", "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----"} {
		if _, err := applicationToken(vonageApp, text, time.Now()); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
