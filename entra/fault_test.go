package entra

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"glassward"
)

var update = flag.Bool("update", false, "write testdata/faults.txt as the code has it")

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// TestFaultsInWords reads testdata/faults.txt: what a service answered, as what
// it is taken, and what a person is told.
func TestFaultsInWords(t *testing.T) {
	const file = "testdata/faults.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	blocks := strings.Split(string(text), "\n=== ")
	out.WriteString(blocks[0])
	if len(blocks) < 30 {
		t.Errorf("%d cases", len(blocks)-1)
	}
	for _, block := range blocks[1:] {
		input, want, ok := strings.Cut(block, "\n--- ")
		name, request, _ := strings.Cut(input, "\n")
		if !ok {
			input = block
		}
		head, body, _ := strings.Cut(request, "\n\n")
		h, err := textproto.NewReader(bufio.NewReader(strings.NewReader(head + "\n\n"))).ReadMIMEHeader()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		status, _ := strconv.Atoi(h.Get("Status"))
		offset, _ := time.ParseDuration(h.Get("Offset"))
		service := map[string]Service{"graph": Graph, "activity": Activity, "arm": ResourceManager, "workspace": LogAnalytics}[h.Get("Service")]
		if service == "" || status == 0 {
			t.Fatalf("%s: %v", name, h)
		}
		f := classify(service, "read "+h.Get("Path"), status, http.Header(h), []byte(strings.TrimSuffix(body, "\n")), offset, noon)
		lasting := "passes"
		if f.Kind.Lasting() {
			lasting = "lasts"
		}
		got := fmt.Sprintf("%s, %s\n%s\n", f.Kind, lasting, f.Error())
		if !*update && strings.TrimSpace(want) != strings.TrimSpace(got) {
			t.Errorf("%s\ngot  %s\nwant %s", name, got, want)
		}
		out.WriteString("\n=== " + strings.TrimRight(input, "\n") + "\n--- " + got)
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		header http.Header
		want   time.Duration
	}{
		{http.Header{}, 0},
		{http.Header{"Retry-After": {"10"}}, 10 * time.Second},
		{http.Header{"Retry-After": {"2.128"}}, 2128 * time.Millisecond},
		{http.Header{"Retry-After": {" 3 "}}, 3 * time.Second},
		{http.Header{"Retry-After": {"0"}}, 0},
		{http.Header{"Retry-After": {"-5"}}, 0},
		{http.Header{"Retry-After": {"NaN"}}, 0},
		{http.Header{"Retry-After": {"Inf"}}, time.Hour},
		{http.Header{"Retry-After": {"1e99"}}, time.Hour},
		{http.Header{"Retry-After": {"1e999"}}, time.Hour},
		{http.Header{"Retry-After": {"soon"}}, 0},
		{http.Header{"Retry-After-Ms": {"1500"}, "Retry-After": {"9"}}, 1500 * time.Millisecond},
		{http.Header{"Retry-After": {noon.Add(90 * time.Second).Format(http.TimeFormat)}}, 90 * time.Second},
		{http.Header{"Retry-After": {noon.Add(-time.Second).Format(http.TimeFormat)}}, 0},
		{http.Header{"Retry-After": {noon.Add(48 * time.Hour).Format(http.TimeFormat)}}, time.Hour},
		// The service's clock is an hour ahead of ours, and it means a minute.
		{http.Header{"Retry-After": {noon.Add(61 * time.Minute).Format(http.TimeFormat)}, "Date": {noon.Add(time.Hour).Format(http.TimeFormat)}}, time.Minute},
	} {
		if got := retryAfter(c.header, noon); got != c.want {
			t.Errorf("%v: %v, want %v", c.header, got, c.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"1", "2.128", "Fri, 20 Nov 2026 12:00:05 GMT", "1e308", "-0", "0x1p-1074", ""} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, after, date string) {
		if d := retryAfter(http.Header{"Retry-After": {after}, "Date": {date}}, noon); d < 0 || d > longestGate {
			t.Errorf("%q at %q: %v", after, date, d)
		}
	})
}

// printable reports whether a text may stand in a log: one line without control
// characters, of a length that a person reads, and no token.
func printable(t *testing.T, text string) {
	t.Helper()
	if len(text) > 8000 || strings.ContainsAny(text, "\n\r\x00\x1b") || tokenText.MatchString(text) {
		t.Errorf("%q", text)
	}
}

func FuzzFaults(f *testing.F) {
	f.Add(403, "AF429", []byte(`{"error":{"code":"AF429","message":"x"}}`))
	f.Add(400, "text/html", []byte("<html><title>\xff\x1b[31m</title>"))
	f.Add(401, "", []byte(`{"error":{"code":7,"message":[],"InnerError":{"request-id":"a\u001b"}}}`))
	f.Add(500, "", []byte(`{"error":"invalid_client","error_description":"AADSTS700016: eyJhbGciOiJub25lIn0.e30.x\r\nTrace ID: 1","error_codes":[1e300]}`))
	f.Fuzz(func(t *testing.T, status int, mime string, body []byte) {
		h := http.Header{"Content-Type": {mime}, "Location": {mime}, "Request-Id": {mime}}
		for _, s := range []Service{Graph, Activity, ResourceManager, LogAnalytics} {
			fault := classify(s, "read /x", status, h, body, 0, noon)
			if fault.Kind == "" {
				t.Error("no kind")
			}
			printable(t, fault.Error())
			printable(t, classifyToken(s, "get a token", status, h, body, time.Hour, noon).Error())
		}
	})
}

func FuzzClaims(f *testing.F) {
	f.Add("e30.eyJyb2xlcyI6WyJBIl0sImV4cCI6MX0.x")
	f.Add("a.b.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		c, ok := ParseClaims(token)
		if !ok && (c.AppID != "" || c.Roles != nil) {
			t.Errorf("%+v", c)
		}
	})
}

func FuzzPages(f *testing.F) {
	f.Add([]byte(`{"value":[{"a":1}],"@odata.nextLink":"https://graph.microsoft.com/v1.0/x?$skiptoken=1"}`), "x")
	f.Add([]byte(`[1,{}]`), "https://manage.office.com/api/v1/x")
	f.Fuzz(func(t *testing.T, body []byte, link string) {
		for _, s := range []Service{Graph, Activity, ResourceManager} {
			p, fault := readPage(s, &Answer{Body: body, Header: http.Header{"Nextpageuri": {link}}})
			if fault == nil && (p.Value == nil || p.Last != (p.Next == "")) {
				t.Errorf("%+v", p)
			}
			for _, v := range mustValue(p) {
				if len(bytes.TrimSpace(v)) == 0 {
					t.Error("an empty entry")
				}
			}
		}
	})
}

func mustValue(p *Page) [][]byte {
	var all [][]byte
	if p != nil {
		for _, v := range p.Value {
			all = append(all, v)
		}
	}
	return all
}

func FuzzChallenge(f *testing.F) {
	f.Add(`Bearer error="insufficient_claims", claims="eyJhIjoxfQ=="`)
	f.Add(`Bearer claims="`)
	f.Fuzz(func(t *testing.T, challenge string) {
		if c := claimsOf(http.Header{"Www-Authenticate": {challenge}}); c != "" && c[0] != '{' {
			t.Errorf("%q", c)
		}
	})
}

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"a\r\n\tb\x1b[31m c": "a b [31m c",
		"  x  ":              "x",
		"token eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln ends": "token … ends",
		`{"access_token":"abc","x":1}`:                   `{access_token=…","x":1}`,
		"client_secret=abc&x=1":                          "client_secret=…&x=1",
	} {
		if got := line(in, 100); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := line(strings.Repeat("é", 50), 10); got != strings.Repeat("é", 10)+"…" {
		t.Error(got)
	}
}

func TestPermissions(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Permissions() {
		if !glassward.IsGUID(p.ID) || !glassward.IsGUID(p.AppID) || seen[p.ID] || seen[p.Value] || p.For == "" || p.Without == "" {
			t.Errorf("%+v", p)
		}
		if !readsOnly(p.Value) {
			t.Errorf("%s can write", p.Value)
		}
		seen[p.ID], seen[p.Value] = true, true
	}
	for value, want := range map[string]bool{
		"User.Read.All": true, "Mail.ReadBasic.All": true, "ActivityFeed.ReadDlp": true, "RoleManagement.Read.Directory": true,
		"User.ReadWrite.All": false, "full_access_as_app": false, "Mail.Send": false, "Sites.Selected": false, "Exchange.ManageAsApp": false, "Reader": false, "": false,
	} {
		if readsOnly(value) != want {
			t.Errorf("%s: %v", value, !want)
		}
	}
	got := string(RequiredAccess(Needs(UseLogs, UseActivity)...))
	if strings.Count(got, `"Role"`) != 2 || !strings.Contains(got, GraphAppID) || !strings.Contains(got, ActivityAppID) || strings.Contains(got, "9a5d68dd") {
		t.Error(got)
	}
}

func TestClouds(t *testing.T) {
	for _, name := range CloudNames() {
		c, ok := LookupCloud(name)
		if !ok || c.Name != name {
			t.Errorf("%s: %+v", name, c)
		}
		for _, s := range []Service{Graph, Activity, ResourceManager, LogAnalytics} {
			root := c.Root(s)
			if root == "" && !(name == "china" && s == Activity) || root != "" && (!strings.HasPrefix(root, "https://") || c.Scope(s) != root+"/.default") {
				t.Errorf("%s %s: %q %q", name, s, root, c.Scope(s))
			}
		}
	}
	if c, ok := LookupCloud(""); !ok || c.Name != "public" {
		t.Error(c)
	}
	if _, ok := LookupCloud("germany"); ok {
		t.Error("a cloud that is no more")
	}
	if (Cloud{Graph: "https://x/"}).Root(Graph) != "https://x" {
		t.Error("a slash at the end")
	}
}
