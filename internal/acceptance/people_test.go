package acceptance_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward/internal/entrasim"
)

// From a sign-in with an emergency account to a person who has it: the ladder is
// climbed over a restart, programs that follow the links of mails stop nothing, an
// answer without a proof neither, and a PIN by the page's form does.
func TestPeopleAreCalled(t *testing.T) {
	virtually(t, setting{tenant: "domains: [contoso.example]\n", files: map[string]string{
		"glassward.yaml": mainFile(25, "kim@example.org", "omar@example.org") + `    ladder:
      steps:
        - receivers: [kim-at-example.org]
        - {after: 3m, receivers: [omar-at-example.org]}
people:
  - {name: Omar, pin: "file:omar.pin"}
`, "omar.pin": "correct-horse",
	}, before: func(v *virtual) {
		v.write("glassward.yaml", strings.Replace(v.text("glassward.yaml"), "file:omar.pin", "file:"+v.file("omar.pin"), 1))
	}}, func(v *virtual) {
		r := strings.NewReplacer("u-1", entrasim.EA01, "a-1", "c44b4083-3bb0-49c1-b47d-974e53cbdf3c", `"category"`, `"tenantId":"`+entrasim.TenantID+`","category"`,
			"2026-03-14T08:00:00Z", time.Now().UTC().Format(time.RFC3339)).Replace(rec("1", ""))
		if err := v.call("POST", "/v1/ingest?tenant="+entrasim.TenantID, strings.NewReader(r), new(any)); err != nil {
			t.Fatal(err)
		}
		seen := 0
		// to gives who had mail since it was asked last, as "kim kim omar".
		to := func() string {
			var names []string
			all := v.sink.Mails()
			for _, m := range all[seen:] {
				name, _, _ := strings.Cut(m.To[0], "@")
				names = append(names, strings.Trim(name, "<"))
			}
			seen = len(all)
			slices.Sort(names)
			return strings.Join(names, " ")
		}
		after := func(d time.Duration, want string) {
			t.Helper()
			time.Sleep(d)
			if got := to(); got != want {
				t.Errorf("at %s mail came to %q, want %q", time.Now().UTC().Format("15:04:05"), got, want)
			}
		}
		after(time.Minute, "kim")
		first := v.sink.Mails()[0]
		link := regexp.MustCompile(`/a/\S+`).FindString(first.Part("text/plain"))
		page := func(method, body string) (int, string) {
			t.Helper()
			req, err := http.NewRequest(method, "http://glassward"+link, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			res, err := v.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			return res.StatusCode, string(text)
		}
		for range 5 {
			if status, text := page("GET", ""); status != http.StatusOK || !strings.Contains(text, "People are being called.") {
				t.Fatalf("the page: %d\n%.2000s", status, text)
			}
		}
		v.stop()
		v.start()
		after(2*time.Minute+10*time.Second, "omar")
		if status, text := page("POST", url.Values{"who": {"Somebody"}, "why": {"false alarm"}}.Encode()); status != http.StatusOK || !strings.Contains(text, "the calling goes on") {
			t.Errorf("without a proof: %d\n%.2000s", status, text)
		}
		after(5*time.Minute, "kim omar")
		if status, text := page("POST", url.Values{"who": {"Omar"}, "why": {"I drive there"}, "code": {"correct-horse"}}.Encode()); status != http.StatusOK || !strings.Contains(text, "Omar has taken up incident 1. Nobody is called any more") {
			t.Errorf("with a PIN: %d\n%.2000s", status, text)
		}
		after(time.Minute, "kim omar")
		for _, m := range v.sink.Mails()[seen-2:] {
			if m.Subject() != "Taken up: [CRITICAL] Emergency Access Activity" || !strings.Contains(strings.Join(strings.Fields(m.Part("text/plain")), " "), "Omar has taken up incident 1: I drive there") {
				t.Errorf("the others are told:\n%s", m.String())
			}
		}
		after(2*time.Hour, "")
		if status, _ := page("POST", url.Values{"who": {"Omar"}, "why": {"again"}, "code": {"correct-horse"}}.Encode()); status != http.StatusConflict {
			t.Errorf("the same link once more: %d", status)
		}
	})
}
