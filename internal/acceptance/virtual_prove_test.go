package acceptance_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"glassward/daemon"
	"glassward/internal/entrasim"
	"glassward/notify"
)

// A receiver is proven by who types back what came by it, over a restart; after
// thirty days without that it is a finding, until somebody proves it again.
func TestProvenReceiver(t *testing.T) {
	t.Parallel()
	rates := entrasim.Calm()
	virtually(t, setting{world: entrasim.Options{Seed: 7, Users: 5, Rates: &rates}, tenant: byGraph}, func(v *virtual) {
		known := func() notify.Proof {
			t.Helper()
			var s daemon.Status
			if err := v.call("GET", "/v1/status", nil, &s); err != nil {
				t.Fatal(err)
			}
			if len(s.Proofs) != 1 {
				t.Fatalf("proofs: %+v", s.Proofs)
			}
			return s.Proofs[0]
		}
		prove := func() {
			t.Helper()
			n := len(v.sink.Mails())
			var sent []notify.TestResult
			if err := v.call("POST", "/v1/actiongroups/emergency/prove", strings.NewReader("{}"), &sent); err != nil || len(sent) != 1 || !sent[0].OK {
				t.Fatalf("%+v %v", sent, err)
			}
			mail := v.sink.Mails()[n]
			code := regexp.MustCompile(`Your code is ([0-9]{6})`).FindStringSubmatch(mail.Part("text/plain"))
			if code == nil || !strings.HasPrefix(mail.Subject(), "[TEST]") {
				t.Fatalf("no code in %s", mail)
			}
			if p := known(); !p.Waiting {
				t.Errorf("nobody waits for the code: %+v", p)
			}
			if err := v.call("POST", "/v1/proofs", strings.NewReader(`{"code":"000000x"}`), nil); err == nil {
				t.Error("a wrong code proved it")
			}
			var p notify.Proof
			if err := v.call("POST", "/v1/proofs", strings.NewReader(`{"code":"`+code[1]+`"}`), &p); err != nil || p.Receiver != sent[0].Receiver || p.Proven.IsZero() {
				t.Errorf("%+v %v", p, err)
			}
		}
		told := func() (open, over int) {
			for _, m := range v.sink.Mails() {
				switch text := m.Part("text/plain"); {
				case !strings.Contains(text, "Nobody has proven for 30 days that receiver emergency/"):
				case strings.Contains(m.Subject(), "Closed") || strings.Contains(text, "Closed"):
					over++
				default:
					open++
				}
			}
			return open, over
		}
		if p := known(); !p.Proven.IsZero() || p.Since.IsZero() {
			t.Errorf("at the start: %+v", p)
		}
		prove()
		if p := known(); p.Waiting || p.Proven.IsZero() || p.Via != "api" {
			t.Errorf("proven: %+v", p)
		}
		v.ahead.Store(int64(notify.ProofHolds - 2*time.Hour))
		time.Sleep(61 * time.Minute)
		if open, _ := told(); open != 0 {
			t.Error("told too early")
		}
		time.Sleep(2 * time.Hour)
		if open, over := told(); open != 1 || over != 0 {
			t.Errorf("told %d times, over %d times", open, over)
		}
		prove()
		time.Sleep(time.Minute)
		if open, over := told(); open != 1 || over != 1 {
			t.Errorf("after it was proven: told %d times, over %d times", open, over)
		}
	})
}
