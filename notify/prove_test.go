package notify

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"glassward"
)

// TestProve sends a code to each receiver, by the same call as an alarm, and
// believes only who types it back.
func TestProve(t *testing.T) {
	push, pager, text := pushoverVendor.serve(t), pagerDutyVendor.serve(t), smsVendor.serve(t)
	c := vendorConfig(t, text.URL)
	g := ActionGroup{Name: "oncall", SMS: []SMSReceiver{{Name: "kim-sms", Phone: phone("first")}}}
	g.Pushover = pushoverVendor.group(t, push.URL).Pushover
	g.Pushover[0].Name = "kim"
	g.PagerDuty = pagerDutyVendor.group(t, pager.URL).PagerDuty
	g.PagerDuty[0].Name = "pager"
	c.ActionGroups = []ActionGroup{g}
	f, err := NewFleet(c, Network{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Prove(t.Context(), "oncall", "nobody"); err == nil || !strings.Contains(err.Error(), `no receiver "nobody"; it has: kim, pager, kim-sms`) {
		t.Errorf("a receiver that is not there: %v", err)
	}
	if _, err := f.Prove(t.Context(), "none"); err == nil {
		t.Error("a group that is not there")
	}
	list, err := f.Prove(t.Context(), "OnCall")
	if err != nil || len(list) != 3 {
		t.Fatalf("%+v %v", list, err)
	}
	now := at("2026-11-20T17:00:00Z")
	proofs, err := ReadProofs(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !proofs.Follow(c, now) || proofs.Follow(c, now.Add(time.Hour)) {
		t.Error("Follow does not say what has changed")
	}
	codes := map[string]Challenge{}
	for _, x := range list {
		if !x.OK || len(x.Code) != 6 {
			t.Errorf("%+v", x)
		}
		codes[x.Receiver] = x
		proofs.Await(x, now)
	}
	if open := proofs.Open(now); len(open) != 3 || !open[0].Sent.Equal(now) || open[0].Handle == "" {
		t.Errorf("open: %+v", open)
	}
	for receiver, f := range map[string]*fake{"oncall/kim": push, "oncall/pager": pager, "oncall/kim-sms": text} {
		if !strings.Contains(string(f.body), codes[receiver].Code) {
			t.Errorf("%s got no code: %s", receiver, f.body)
		}
	}
	if got := text.readable(t); !strings.Contains(got, "TEST: Test of the alarm, nothing has happened. Your code is "+codes["oncall/kim-sms"].Code) || strings.Contains(got, "CRITICAL") {
		t.Errorf("text message:\n%s", got)
	}

	if _, _, err := proofs.Answer("000 nothing", "", "root", "cli", now); !errors.Is(err, ErrWrongCode) {
		t.Errorf("no code: %v", err)
	}
	// A code is good for its own receiver alone where the answer came by one.
	if _, _, err := proofs.Answer(codes["oncall/kim"].Code, "oncall/kim-sms", "kim", "sms", now); !errors.Is(err, ErrWrongCode) {
		t.Errorf("another's code: %v", err)
	}
	code := codes["oncall/kim-sms"].Code
	x, id, err := proofs.Answer("it is "+code[:3]+" "+code[3:]+"!", "", "root", "cli", now.Add(time.Minute))
	if err != nil || x.Receiver != "oncall/kim-sms" || !x.Proven.Equal(now.Add(time.Minute)) || x.By != "root" || x.Via != "cli" || id != codes["oncall/kim-sms"].Notice {
		t.Errorf("%+v %s %v", x, id, err)
	}
	if _, _, err := proofs.Answer(code, "", "root", "cli", now); !errors.Is(err, ErrWrongCode) {
		t.Errorf("the same code again: %v", err)
	}
	// The service's own word, for what it has a name for.
	if _, _, err := proofs.Acknowledged("oncall/kim", "another receipt", "kim", "push", now); !errors.Is(err, ErrNoChallenge) {
		t.Errorf("another receipt: %v", err)
	}
	if x, _, err := proofs.Acknowledged("oncall/kim", codes["oncall/kim"].Handle, "kim", "push", now); err != nil || x.Via != "push" || codes["oncall/kim"].Handle == "" {
		t.Errorf("%+v %v", x, err)
	}
	if _, _, err := proofs.Answer(codes["oncall/pager"].Code, "", "root", "cli", now.Add(challengeLife+time.Second)); !errors.Is(err, ErrNoChallenge) {
		t.Errorf("after half an hour: %v", err)
	}
	f.Withdraw(t.Context(), "oncall/pager", codes["oncall/pager"].Notice)
	if !strings.Contains(string(pager.body), `"event_action":"resolve"`) || !strings.Contains(string(pager.body), codes["oncall/pager"].Handle) {
		t.Errorf("the test was not resolved: %s", pager.body)
	}
	f.Withdraw(t.Context(), "oncall/kim", codes["oncall/kim"].Notice) // nothing to end there

	// It is kept, and lost with a change of the receiver alone.
	kept, err := proofs.Text()
	if err != nil {
		t.Fatal(err)
	}
	proofs, err = ReadProofs(kept)
	if err != nil {
		t.Fatal(err)
	}
	proven := func() string {
		var out []string
		for _, x := range proofs.List(now) {
			out = append(out, fmt.Sprint(strings.TrimPrefix(x.Receiver, "oncall/"), "=", !x.Proven.IsZero()))
		}
		return strings.Join(out, " ")
	}
	if proofs.Follow(c, now) || proven() != "kim=true kim-sms=true pager=false" {
		t.Errorf("after a restart: %s", proven())
	}
	c.PhoneProviders[0].From = "+15005550099"
	c.ActionGroups[0].PagerDuty = nil
	if !proofs.Follow(c, now) || proven() != "kim=true kim-sms=false" {
		t.Errorf("after a change: %s", proven())
	}
	if old, err := ReadProofs([]byte(`[{"receiver":"oncall/kim","since":"2026-11-01T00:00:00Z"}]`)); err != nil || len(old.List(now)) != 1 {
		t.Errorf("what an older version kept: %v", err)
	}
	if _, err := ReadProofs([]byte("{")); err == nil {
		t.Error("damaged proofs were read")
	}
}

// TestProofDue counts thirty days from the last proof, and for a receiver that
// was never proven from when it was first seen.
func TestProofDue(t *testing.T) {
	since := at("2026-11-01T00:00:00Z")
	for _, c := range []struct{ proven, want time.Time }{
		{time.Time{}, since.Add(ProofHolds)},
		{since.Add(time.Hour), since.Add(time.Hour + ProofHolds)},
	} {
		if got := (Proof{Since: since, Proven: c.proven}).Due(); !got.Equal(c.want) {
			t.Errorf("%s: %s", c.proven, got)
		}
	}
}

// TestWrongCodes ends the challenges before six digits can be guessed, whatever is
// stopped and started meanwhile. The code itself is not kept.
func TestWrongCodes(t *testing.T) {
	p, err := ReadProofs(nil)
	if err != nil {
		t.Fatal(err)
	}
	restart := func() {
		t.Helper()
		text, err := p.Text()
		if err != nil || strings.Contains(string(text), "123456") {
			t.Fatalf("%s %v", text, err)
		}
		if p, err = ReadProofs(text); err != nil {
			t.Fatal(err)
		}
	}
	now := at("2026-11-20T17:00:00Z")
	p.Await(Challenge{TestResult: TestResult{Receiver: "oncall/x"}, Code: "123456"}, now)
	for range 2 * maxWrong { // what is no code at all, by text message
		if _, _, err := p.Answer("who is this? 42", "oncall/x", "x", "sms", now); !errors.Is(err, ErrWrongCode) {
			t.Fatal(err)
		}
	}
	for i := range maxWrong - 1 {
		restart()
		if _, _, err := p.Answer("654321", "", "x", "cli", now); err == nil || strings.Contains(err.Error(), "no code holds") {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, _, err := p.Answer("654321", "oncall/x", "x", "sms", now); err == nil || !strings.Contains(err.Error(), "no code holds any more") {
		t.Error(err)
	}
	if _, _, err := p.Answer("123456", "", "x", "cli", now); !errors.Is(err, ErrNoChallenge) {
		t.Error(err)
	}
	// The next test begins anew.
	p.Await(Challenge{TestResult: TestResult{Receiver: "oncall/x"}, Code: "123456"}, now)
	restart()
	if _, _, err := p.Answer("123456", "", "x", "cli", now); err != nil {
		t.Error(err)
	}
}

// TestSpokenCode is said digit by digit.
func TestSpokenCode(t *testing.T) {
	n := glassward.Notice{ID: "prove-1", Group: "oncall", Severity: glassward.High, Kind: "test", Why: "Test of the alarm, nothing has happened. Your code is 482913: tell it to whoever asked for it.", Created: at("2026-11-20T17:00:00Z")}
	want := "Glassward. test. Test of the alarm, nothing has happened. Your code is 4. 8. 2. 9. 1. 3: tell it to whoever asked for it."
	if got := spokenText(newMessage(Job{Notice: n, Receiver: "oncall/x"}, group(), nil, nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
