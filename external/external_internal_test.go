package external

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"glassward/kql"
	"glassward/kql/rel"
	"glassward/kql/value"
)

func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "185.199.108.133": true, "2606:50c0:8000::153": true,
		"127.0.0.1": false, "127.8.9.1": false, "0.0.0.0": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "168.63.129.16": false, "100.64.0.1": false, "192.0.0.8": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12::1": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::7f00:1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001:0:1::": false, "fec0::1": false,
	} {
		a, err := netip.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		if public(a) != want {
			t.Errorf("public(%s) = %v", text, !want)
		}
	}
}

func TestPermitted(t *testing.T) {
	allow := []string{"https://lists.example/feeds/", "https://raw.example/one.csv", "https://other.example:8443/", "https://starred.example/lists/a*", "https://raw.example/with.csv?raw=true", "https://any.example/with.csv?*", "https://whole.example"}
	for uri, want := range map[string]string{
		"https://lists.example/feeds/a.csv":          "",
		"https://LISTS.example:443/feeds/deep/a.csv": "",
		"https://raw.example/one.csv":                "",
		"https://raw.example/one.csv?token=x":        "not allowed",
		"https://raw.example/one.csv?":               "not allowed",
		"https://lists.example/feeds/a.csv?token=x":  "",
		"https://raw.example/with.csv?raw=true":      "",
		"https://raw.example/with.csv?raw=true&a=b":  "not allowed",
		"https://raw.example/with.csv":               "not allowed",
		"https://any.example/with.csv?whatever":      "",
		"https://any.example/with.csv":               "not allowed",
		"https://starred.example/lists/abc/d.csv":    "",
		"https://starred.example/lists/a":            "",
		"https://starred.example/lists/b.csv":        "not allowed",
		"https://starred.example/lists/a/../b.csv":   "written plainly",
		"https://whole.example/":                     "not allowed", // its entry says no path
		"https://whole.example/a.csv":                "not allowed",
		"https://other.example:8443/anything":        "",
		"https://lists.example/feeds":                "not allowed",
		"https://lists.example/feedsx/a.csv":         "not allowed",
		"https://lists.example/feeds/../secret.csv":  "written plainly",
		"https://lists.example/feeds/%2e%2e/s.csv":   "written plainly",
		"https://lists.example/feeds/..%2fs.csv":     "written plainly",
		`https://lists.example/feeds/..\s.csv`:       "written plainly",
		"https://lists.example/feeds//a.csv":         "written plainly",
		"https://raw.example/one.csv/x":              "not allowed",
		"https://raw.example/two.csv":                "not allowed",
		"https://raw.example.evil.example/one.csv":   "not allowed",
		"https://raw.example@evil.example/one.csv":   "user's name",
		"https://user:pw@raw.example/one.csv":        "user's name",
		"http://raw.example/one.csv":                 "only https",
		"file:///etc/passwd":                         "only https",
		"https:raw.example/one.csv":                  "host is missing",
		"https://raw.example:8443/one.csv":           "not allowed",
		"https://other.example/anything":             "not allowed",
		"https://raw.example/one.csv;managed=system": "credentials",
		"https://raw.example/one.csv#x":              "form https://host/path",
		"//raw.example/one.csv":                      "only https",
	} {
		_, err := permitted(uri, allow)
		if got := fmt.Sprint(err); (want == "") != (err == nil) || !strings.Contains(got, want) && want != "" {
			t.Errorf("%s: %v, want %q", uri, err, want)
		}
	}
	if _, err := permitted("https://raw.example/one.csv", nil); err == nil || !strings.Contains(err.Error(), "watchlist") {
		t.Errorf("without a list: %v", err)
	}
}

func TestCheckAllowed(t *testing.T) {
	for entry, want := range map[string]string{
		"https://host.example/list.csv": "", "https://host.example/": "", "https://host.example/lists/*": "", "https://host.example/list.csv?*": "", "https://host.example/list.csv?raw=true": "",
		"https://host.example":           "the path is missing: https://host.example/ allows every address",
		"https://host.example:8443*":     "the path is missing",
		"https://host.example?x=1":       "the path is missing",
		"https://*.example/":             "only be the last character",
		"https://host.example/*/a.csv":   "only be the last character",
		"http://host.example/":           "only https",
		"https://host.example/a/../b*":   "written plainly",
		"https://user@host.example/a*":   "user's name",
		"host.example/list.csv":          "only https",
		"https://host.example/list.csv#": "",
	} {
		err := CheckAllowed(entry)
		if got := fmt.Sprint(err); (want == "") != (err == nil) || !strings.Contains(got, want) && want != "" {
			t.Errorf("%s: %v, want %q", entry, err, want)
		}
	}
}

func TestRows(t *testing.T) {
	asked := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		switch r.URL.Path {
		case "/a.csv":
			fmt.Fprint(w, "\ufeffName,Count,When,More\nann,3,2026-01-02,\"{\"\"a\"\":1}\"\nbob,x,,plain\ncid\n")
		case "/a.csv.gz":
			z := gzip.NewWriter(w)
			fmt.Fprint(z, "ann,3\n")
			z.Close()
		case "/list.txt":
			fmt.Fprint(w, "10.0.0.1\r\n\r\n10.0.0.2")
		case "/a.json":
			fmt.Fprint(w, `{"Name":"ann","Count":1,"More":{"x":[1]}}`+"\n"+`{"Count":"7","More":null}`)
		case "/m.json":
			fmt.Fprint(w, "[\n {\"Name\": \"ann\",\n \"Count\": 1},\n {\"Name\": \"bob\"}]")
		case "/bad.json":
			fmt.Fprint(w, `[{"Name": "ann"`)
		case "/away":
			http.Redirect(w, r, "/a.csv", http.StatusFound)
		case "/big":
			w.Write(bytes.Repeat([]byte("x"), maxTransfer+1))
		case "/bomb.gz":
			z := gzip.NewWriter(w)
			for range maxFile/(1<<20) + 1 {
				z.Write(make([]byte, 1<<20))
			}
			z.Close()
		case "/many.csv":
			w.Write(bytes.Repeat([]byte("a,b\n"), maxCells/2+1))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := newReader(func(netip.Addr) bool { return true }, pool, func() time.Time { return clock })
	allow := []string{server.URL + "/"}
	four := []rel.Column{{Name: "Name", Type: value.String}, {Name: "Count", Type: value.Long}, {Name: "When", Type: value.DateTime}, {Name: "More", Type: value.Dynamic}}
	january, _ := value.ParseDateTime("2026-01-02")
	cases := []struct {
		path, format string
		first        bool
		columns      []rel.Column
		want         string
	}{
		{"/a.csv", "csv", true, four, fmt.Sprintf(`[["ann" 3 %d "{\"a\":1}"] ["bob" <nil> <nil> "\"plain\""] ["cid" <nil> <nil> <nil>]]`, int64(january))},
		{"/a.csv.gz", "csv", false, four[:2], `[["ann" 3]]`},
		{"/list.txt", "txt", false, four[:1], `[["10.0.0.1"] [""] ["10.0.0.2"]]`},
		{"/list.txt", "raw", false, four[:1], `[["10.0.0.1\r\n\r\n10.0.0.2"]]`},
		{"/a.json", "json", false, four, `[["ann" 1 <nil> "{\"x\":[1]}"] ["" 7 <nil> <nil>]]`},
		{"/m.json", "multijson", false, four[:2], `[["ann" 1] ["bob" <nil>]]`},
		{"/bad.json", "multijson", false, four[:2], "unexpected EOF"},
		{"/away", "csv", false, four[:1], "not followed"},
		{"/none", "csv", false, four[:1], "404"},
		{"/big", "csv", false, four[:1], "larger than 16 MiB"},
		{"/bomb.gz", "raw", false, four[:1], "larger than 64 MiB"},
		{"/many.csv", "csv", false, four[:2], "cells"},
	}
	for _, c := range cases {
		rows, err := r.Rows(context.Background(), allow, kql.ExternalData{Columns: c.columns, URIs: []string{server.URL + c.path}, Format: c.format, IgnoreFirstRecord: c.first})
		if err == nil && numbers(rows) != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s as %s: %s\nwant %s", c.path, c.format, numbers(rows), c.want)
			t.Log(err)
		}
	}
	// A file that was read stands for some minutes.
	before := asked
	read := func() {
		if _, err := r.Rows(context.Background(), allow, kql.ExternalData{Columns: four[:1], URIs: []string{server.URL + "/list.txt"}, Format: "txt"}); err != nil {
			t.Fatal(err)
		}
	}
	if read(); asked != before {
		t.Error("a file just read was asked for again")
	}
	clock = clock.Add(fresh)
	if read(); asked != before+1 {
		t.Error("an old file was not asked for again")
	}
	// A reader as it is outside tests reaches nothing here, by number or by name.
	for _, host := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)} {
		_, err := NewReader().Rows(context.Background(), []string{host + "/"}, kql.ExternalData{Columns: four[:1], URIs: []string{host + "/list.txt"}, Format: "txt"})
		if err == nil || !strings.Contains(err.Error(), "not on the public internet") {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// numbers writes rows with their texts quoted.
func numbers(rows [][]any) string {
	var b strings.Builder
	for i, r := range rows {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteByte('[')
		for j, c := range r {
			if j > 0 {
				b.WriteByte(' ')
			}
			if s, ok := c.(string); ok {
				fmt.Fprintf(&b, "%q", s)
			} else {
				fmt.Fprint(&b, c)
			}
		}
		b.WriteByte(']')
	}
	return "[" + b.String() + "]"
}
