package entrasim_test

import (
	"strings"
	"testing"
	"time"

	"glassward/internal/entrasim"
)

// TestAStoryIsPlayedAtAnyPace: faster, the same happens in the same order, and
// each step says what it is in words.
func TestAStoryIsPlayedAtAnyPace(t *testing.T) {
	still := entrasim.Still()
	for _, s := range entrasim.Scenarios() {
		play := func(length time.Duration) []entrasim.Step {
			w := entrasim.NewWorld(entrasim.Options{Seed: 4, Start: monday, Rates: &still, Prompt: true})
			w.Play(s, monday, length)
			w.Advance(monday.Add(length + time.Minute))
			return w.Played()
		}
		slow, fast := play(time.Duration(s.Minutes)*time.Minute), play(20*time.Second)
		if len(slow) == 0 || len(slow) != len(fast) {
			t.Fatalf("%s: %d steps, and %d in 20 s", s.Name, len(slow), len(fast))
		}
		for i := range slow {
			a, b := slow[i], fast[i]
			if a.Text != b.Text || a.Minute != b.Minute || len(a.Events) != len(b.Events) {
				t.Errorf("%s: %+v, faster %+v", s.Name, a, b)
			}
			if a.At.Sub(monday).Truncate(time.Minute) != time.Duration(a.Minute)*time.Minute || b.At.Sub(monday) > 20*time.Second {
				t.Errorf("%s: minute %d at %s, faster at %s", s.Name, a.Minute, a.At, b.At)
			}
			for _, bad := range []string{"(", "  ", "abroad", "elsewhere"} {
				if strings.Contains(strings.NewReplacer("key(s)", "", "(device-bound)", "", "(restricted)", "").Replace(a.Text), bad) {
					t.Errorf("%s: %q is not for people", s.Name, a.Text)
				}
			}
		}
		if testing.Verbose() {
			for _, x := range slow {
				t.Logf("%s %3d  %s", s.Name, x.Minute, x.Text)
			}
		}
	}
}

// TestAPromptWorldComesBackPromptly: what an outage held back does not take its
// five minutes in a demo.
func TestAPromptWorldComesBackPromptly(t *testing.T) {
	still := entrasim.Still()
	w := entrasim.NewWorld(entrasim.Options{Seed: 4, Start: monday, Rates: &still, Prompt: true,
		Outages: []entrasim.Outage{{Road: entrasim.Graph, From: monday, To: monday.Add(10 * time.Second)}}})
	id, ok := w.FailSignIn(entrasim.CanaryID, 50126)
	if _, nobody := w.FailSignIn("nobody@example.org", 50126); !ok || nobody {
		t.Fatal("who has failed to sign in?")
	}
	w.Advance(monday.Add(time.Minute))
	shown := w.Appearances(entrasim.Graph, monday, monday.Add(12*time.Second))
	if len(shown) != 1 || shown[0].Event.ID != id || shown[0].At.Before(monday.Add(10*time.Second)) {
		t.Errorf("%+v", shown)
	}
}
