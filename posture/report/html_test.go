package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"os"
	"regexp"
	"strings"
	"testing"

	"glassward/posture/report"
)

func page(t testing.TB, d *report.Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.HTML(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The policy of the page allows its own style and script, by their hashes, and nothing
// else: no host, nothing inline beside them.
func TestPagePolicy(t *testing.T) {
	text := page(t, hostileDocument())
	m := regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(text)
	if m == nil {
		t.Fatal("the page has no policy")
	}
	policy := html.UnescapeString(m[1])
	for _, name := range []string{"style", "script"} {
		all := regexp.MustCompile(`(?s)<`+name+`[ >].*?</`+name+`>`).FindAllString(text, -1)
		if len(all) != 1 {
			t.Fatalf("%d of %s", len(all), name)
		}
		body := strings.TrimSuffix(strings.TrimPrefix(all[0], "<"+name+">"), "</"+name+">")
		sum := sha256.Sum256([]byte(body))
		if want := name + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("the policy %q does not allow %s", policy, want)
		}
		file, err := os.ReadFile(map[string]string{"style": "page.css", "script": "page.js"}[name])
		if err != nil {
			t.Fatal(err)
		}
		if body != string(file) {
			t.Errorf("the %s of the page is not the file's", name)
		}
	}
	if want := "default-src 'none'"; !strings.HasPrefix(policy, want) || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("policy %q", policy)
	}
	own, err := os.ReadFile("page.html")
	if err != nil {
		t.Fatal(err)
	}
	if bad := regexp.MustCompile(` (style|src|on[a-z]+)=|https?:`).Find(own); bad != nil {
		t.Errorf("the template holds %s", bad)
	}
	for _, file := range []string{"page.css", "page.js"} {
		if b, err := os.ReadFile(file); err != nil || regexp.MustCompile(`@import|url\(|https?:|fetch|import\(|innerHTML`).Match(b) {
			t.Errorf("%s asks for something from outside: %v", file, err)
		}
	}
}

// Names of objects stay text: the elements of the page are the same, whatever they are.
func TestPageHostile(t *testing.T) {
	elements := func(text string) map[string]int {
		m := map[string]int{}
		for _, tag := range regexp.MustCompile(`<[a-zA-Z][a-zA-Z0-9]*`).FindAllString(text, -1) {
			m[tag]++
		}
		return m
	}
	text := page(t, hostileDocument())
	have := elements(text)
	for _, tag := range []string{"<img", "<svg", "<a", "<link", "<iframe"} {
		if n := have[tag]; n != map[string]int{"<a": 1}[tag] {
			t.Errorf("%d of %s", n, tag)
		}
	}
	if have["<script"] != 1 || have["<tr"] != elements(page(t, document()))["<tr"] {
		t.Errorf("names make elements: %v", have)
	}
	if strings.ContainsAny(text, "\u202e\u200b\x00\x1b") {
		t.Error("characters that do not show themselves are left")
	}
}
