package notify

import (
	"fmt"
	"strings"
	"testing"
)

// TestWays says by what people can answer, and what it takes where they cannot.
func TestWays(t *testing.T) {
	c := callbackConfig(t, "https://api.example.org")
	list := func() string {
		var out []string
		for _, w := range c.Ways() {
			first, _, _ := strings.Cut(w.How, ",")
			first, _, _ = strings.Cut(first, ":")
			out = append(out, fmt.Sprintf("%s %v %s", strings.TrimPrefix(w.Receiver, "oncall/"), w.Works, first))
		}
		return strings.Join(out, "\n")
	}
	if got, want := list(), `push true a tap in the app
pager true an acknowledgement there
kim true a text back
kim-call true keys during the call
kim-vonage true keys during the call
late/lee true a text back`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	c.PhoneProviders[0].CallbackURL, c.PhoneProviders[0].From, c.PhoneProviders[2].CallbackURL = "", "Glassward", ""
	c.ActionGroups[0].PagerDuty[0].APIToken = ""
	if got, want := list(), `push true a tap in the app
pager false an acknowledgement there is not heard
kim false nobody can text back
kim-call false no key can be pressed during the call
kim-vonage false no key can be pressed during the call
late/lee false nobody can text back`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
