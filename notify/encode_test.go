package notify

import (
	"encoding/json"
	"mime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"glassward"
)

func TestPlainText(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 "",
		"Ada Lovelace":                     "Ada Lovelace",
		"Zoë Müller 李雷":                    "Zoë Müller 李雷",
		"a\r\nb\tc":                        "a⟨U+000D⟩⟨U+000A⟩b⟨U+0009⟩c",
		"\x1b[31mred\x1b[0m":               "⟨U+001B⟩[31mred⟨U+001B⟩[0m",
		"\u009b2J":                         "⟨U+009B⟩2J",
		"exe\u202egpj":                     "exe⟨U+202E⟩gpj",
		"\u2066x\u2069":                    "⟨U+2066⟩x⟨U+2069⟩",
		"ad\u200bmin\u00ad":                "ad⟨U+200B⟩min⟨U+00AD⟩",
		"a\u2028b\u00a0c":                  "a⟨U+2028⟩b⟨U+00A0⟩c",
		"\u3164":                           "⟨U+3164⟩",
		"\U000e0041":                       "⟨U+E0041⟩",
		"\xff\xfe":                         "\ufffd\ufffd",
		"nul\x00del\x7f":                   "nul⟨U+0000⟩del⟨U+007F⟩",
		"z" + strings.Repeat("\u0301", 99): "z" + strings.Repeat("\u0301", maxMarks),
	} {
		if got := PlainText(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestInert(t *testing.T) {
	for in, want := range map[string]string{
		"https://evil.example/x": "https[:]//evil[.]example/x",
		"www.evil.example":       "www[.]evil[.]example",
		"evil.co":                "evil[.]co",
		"javascript://%0aalert":  "javascript[:]//%0aalert",
		"ea-01@fabrikam.example": "ea-01@fabrikam.example",
		"203.0.113.7":            "203.0.113.7",
		"Mozilla/5.0 (X11)":      "Mozilla/5.0 (X11)",
		"done. Next":             "done. Next",
		"2026-11-20 17:00:05":    "2026-11-20 17:00:05",
	} {
		if got := Inert(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestHeaderText(t *testing.T) {
	for in, want := range map[string]string{
		"[CRITICAL] Emergency Access Activity": "[CRITICAL] Emergency Access Activity",
		"a\r\nBcc: b@c.example":                "a Bcc: b@c.example",
		"a\rb\nc":                              "a b c",
		"=?utf-8?q?=0D=0ABcc:?=":               "= ?utf-8?q?=0D=0ABcc:?=",
	} {
		if got := headerText("Subject", in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	for _, in := range []string{"Notfallkonto geöffnet", "李雷 🔥", "exe\u202egpj", strings.Repeat("ü", 500), strings.Repeat("x", 5000)} {
		checkHeader(t, in)
	}
}

// checkHeader holds a header to RFC 5322, and what a reader decodes of it to
// what PlainText allows.
func checkHeader(t *testing.T, in string) {
	t.Helper()
	got := headerText("Subject", in)
	for _, line := range strings.Split(strings.ReplaceAll(got, "\r\n ", "\x00"), "\x00") {
		if len(line) > 990 {
			t.Errorf("%q: a line of %d bytes", in, len(line))
		}
		for _, r := range line {
			if r < ' ' || r > '~' {
				t.Fatalf("%q: %U in %q", in, r, got)
			}
		}
	}
	unfolded := strings.ReplaceAll(got, "\r\n ", " ")
	decoded, err := new(mime.WordDecoder).DecodeHeader(unfolded)
	if err != nil {
		t.Fatalf("%q: %v", in, err)
	}
	for _, r := range decoded {
		if hidden(r) && r != ' ' {
			t.Fatalf("%q: a reader sees %U in %q", in, r, decoded)
		}
	}
	if utf8.RuneCountInString(decoded) > 12*maxHeader {
		t.Errorf("%q: %d characters", in, utf8.RuneCountInString(decoded))
	}
}

func FuzzHeader(f *testing.F) {
	for _, s := range []string{"", "[CRITICAL] x", nasty, "a\r\n\r\nbody", "=?utf-8?b?DQpCY2M6?=", "\xff\x00", strings.Repeat("ü ", 300)} {
		f.Add(s)
	}
	f.Fuzz(checkHeader)
}

func FuzzPlainText(f *testing.F) {
	for _, s := range []string{"", nasty, "\xff\x00\x9b", "\u202e", "é", "https://a.b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, got := range map[string]string{"PlainText": PlainText(s), "Inert": Inert(s), "answer": answer(s)} {
			if !utf8.ValidString(got) {
				t.Errorf("%s(%q) is not UTF-8", name, s)
			}
			for _, r := range got {
				if hidden(r) {
					t.Errorf("%s(%q) holds %U", name, s, r)
				}
			}
		}
		if got := Inert(s); strings.Contains(got, "://") || strings.Contains(strings.ToLower(got), "www.x") {
			t.Errorf("Inert(%q) = %q could become a link", s, got)
		}
		if again := PlainText(PlainText(s)); again != PlainText(s) {
			t.Errorf("PlainText(%q) changes when applied again", s)
		}
	})
}

// FuzzHTML puts the text everywhere that a record's text can go: the page has
// the tags of the template, as many as without it, and no other link.
func FuzzHTML(f *testing.F) {
	renderer := newHTMLRenderer()
	page := func(t *testing.T, s string) string {
		j := signIn()
		j.Notice.Why = "w" + s
		j.Incident.Title, j.Incident.Owner = "t"+s, "o"+s
		a := &j.Alerts[0]
		a.Title, a.Description, a.RuleName = "t"+s, "d"+s, "r"+s
		for i := range a.Rows[0] {
			a.Rows[0][i] = "v" + s
		}
		a.Columns[1] = "c" + s
		j.Alerts[1].Title = "t" + s
		out, err := renderer.render(NewView(newMessage(j, group(), link, nil)))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, s := range []string{"", nasty, "<script>alert(1)</script>", `" onmouseover="x`, "'><img src=x onerror=y>", "{{.Link}}", "&lt;", "</td>", "\x00<\x00b>", "javascript:alert(1)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		plain := page(t, "")
		got := page(t, s)
		for _, mark := range []string{"<", ">", "href=", `"`} {
			if n, want := strings.Count(got, mark), strings.Count(plain, mark); mark != "href=" && n != want {
				t.Fatalf("%q: %d of %q, want %d:\n%s", s, n, mark, want, got)
			} else if mark == "href=" && n > 1+strings.Count(strings.ReplaceAll(got, "<a href=", ""), "href=") {
				t.Fatalf("%q: a second link", s)
			}
		}
		for _, r := range got {
			if hidden(r) && r != '\n' {
				t.Fatalf("%q: %U in the page", s, r)
			}
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{"", nasty, "\xff\u2028\U000e0041", "z\u0301", `\u0000"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := encodeJSON(map[string]string{"v": s})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range string(b) {
			if hidden(r) || r == '<' || r == '>' || r == utf8.RuneError || unicode.Is(unicode.M, r) {
				t.Fatalf("%q: %U in %s", s, r, b)
			}
		}
		var back map[string]string
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if back["v"] != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Fatalf("%q came back as %q", s, back["v"])
		}
	})
}

// TestLongNames keeps a mail within what mail servers take, whatever a record
// holds.
func TestLongNames(t *testing.T) {
	j := signIn()
	long := strings.Repeat("\u202eA", 1<<20)
	a := &j.Alerts[0]
	a.Title, a.Description, a.RuleName = long, long, long
	for i := range a.Rows[0] {
		a.Rows[0][i] = long
	}
	for range 200 {
		a.Rows = append(a.Rows, a.Rows[0])
		j.Alerts = append(j.Alerts, glassward.Alert{ID: "x", Title: long})
	}
	f, _ := mailTo(t, MailServer{Host: "localhost", TLS: Plain}, Network{})
	r, _ := f.receiver("oncall/duty")
	raw, err := compose(newMessage(j, group(), link, ruleFacts), newHTMLRenderer(), r.(*emailReceiver).server.from, "duty@example.org", at("2026-11-20T17:02:16Z"))
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 2<<20 {
		t.Errorf("a mail of %d bytes", len(raw))
	}
}
