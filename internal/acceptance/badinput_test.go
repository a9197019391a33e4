package acceptance_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"glassward/cli"
	"glassward/console"
)

// rec writes a sign-in as diagnostic settings give it.
func rec(id, more string) string {
	return `{"time":"2026-03-14T08:00:00Z","category":"SignInLogs","resultType":"0","properties":{"id":"` + id + `","userId":"u-1","appId":"a-1"` + more + `}}`
}

// graph writes the same sign-in as Microsoft Graph gives it.
func graph(id string) string {
	return `{"id":"` + id + `","createdDateTime":"2026-03-14T08:00:00Z","userId":"u-1","appId":"a-1","userPrincipalName":"","status":{"errorCode":0},"conditionalAccessStatus":"notApplied"}`
}

// Input that is broken in one place loses nothing else: what is bad is told with
// its place and what to do, and kept; what is good is taken.
func TestBadInput(t *testing.T) {
	for _, c := range []struct {
		name, input string
		records     int      // decoded
		added       int      // kept as records of their own
		updated     int      // taken as fuller versions
		duplicates  int      // that add nothing
		conflicts   int      // that contradict
		says        []string // of what is rejected: place and words
		query, want string   // and what a query finds, as CSV without its head
	}{
		{name: "cut off at the end", input: rec("1", "") + "\n" + rec("2", "")[:60],
			records: 1, added: 1, says: []string{"input.json:2: ", "cut off"}},
		{name: "cut off in the middle", input: rec("1", "") + "\n" + rec("2", "")[:60] + "\n" + rec("3", "") + "\n" + rec("4", ""),
			records: 3, added: 3, says: []string{"input.json:2: "}},
		{name: "an array that does not end", input: "[" + rec("1", "") + "," + rec("2", "") + ",",
			records: 2, added: 2},
		{name: "an event hub's body that does not end", input: `{"records":[` + rec("1", "") + "," + rec("2", "")[:80],
			records: 1, added: 1, says: []string{"input.json:1: ", "cut off"}},
		{name: "NUL bytes between records", input: rec("1", "") + "\x00\x00\n\x00" + rec("2", ""), records: 2, added: 2},
		{name: "NUL bytes in a text", input: rec("1", `,"userDisplayName":"Mi`+"\x00"+`ra"`), records: 1, added: 1,
			query: "SigninLogs | project UserDisplayName", want: "Mi\ufffdra\n"},
		{name: "an escaped NUL and half a surrogate pair", input: rec("1", `,"userDisplayName":"Mi\u0000r\ud800a"`), records: 1, added: 1,
			query: "SigninLogs | project UserDisplayName", want: "Mi\ufffdr\ufffda\n"},
		{name: "text that is no UTF-8", input: rec("1", `,"userDisplayName":"Bj`+"\xf6"+`rn"`) + "\n" + rec("2", ""), records: 2, added: 2,
			query: "SigninLogs | where Id == '1' | project UserDisplayName", want: "Bj\ufffdrn\n"},
		{name: "a byte order mark", input: "\ufeff" + rec("1", "") + "\n" + rec("2", ""), records: 2, added: 2},
		{name: "UTF-16 with a byte order mark", input: wide("\ufeff" + rec("1", `,"userDisplayName":"Ægir"`) + "\n" + rec("2", "")), records: 2, added: 2,
			query: "SigninLogs | where Id == '1' | project UserDisplayName", want: "Ægir\n"},
		{name: "CRLF", input: rec("1", "") + "\r\n" + rec("2", "") + "\r\n\r\n" + rec("3", "") + "\r\n", records: 3, added: 3},
		{name: "objects one behind the other", input: rec("1", "") + rec("2", "") + " \t" + rec("3", ""), records: 3, added: 3},
		{name: "words between records", input: rec("1", "") + "\n-- restarted --\n" + rec("2", ""),
			records: 2, added: 2, says: []string{"input.json:2: "}},
		{name: "an empty file", input: ""},
		{name: "blank lines alone", input: "\n\n  \r\n"},
		{name: "no records but JSON", input: `{"hello":"world"}` + "\n" + rec("1", "") + "\n17\n",
			records: 1, added: 1, says: []string{"input.json:1: ", "input.json:3: "}},
		{name: "nested too deep", input: rec("1", `,"x":`+strings.Repeat("[", 200_000)+strings.Repeat("]", 200_000)) + "\n" + rec("2", ""),
			records: 1, added: 1, says: []string{"input.json:1: "}},
		{name: "an unknown category", input: strings.Replace(rec("1", ""), "SignInLogs", "NovelLogs", 1) + "\n" + rec("2", ""),
			records: 1, added: 1, says: []string{"input.json:1: ", "NovelLogs", "table"}},
		{name: "a table that is Glassward's own", input: `{"Type":"GlasswardAudit","TimeGenerated":"2026-03-14T08:00:00Z","Id":"forged","Actor":"me"}` + "\n" + rec("2", ""),
			records: 1, added: 1, says: []string{"input.json:1: ", "GlasswardAudit"}},
		{name: "wrong types of columns", input: rec("1", `,"durationMs":"soon","isInteractive":"maybe","location":"Riga","deviceDetail":7,"userDisplayName":{"first":"Mira"}`),
			records: 1, added: 1,
			query: "SigninLogs | project isnull(IsInteractive), Kept = tostring(_Extra) has 'maybe', UserId", want: "true,true,u-1\n"},
		{name: "properties without a column", input: rec("1", `,"brandNew":{"depth":3}`), records: 1, added: 1,
			query: "SigninLogs | project tolong(_Extra.brandNew.depth)", want: "3\n"},
		{name: "one record in two shapes", input: rec("1", "") + "\n" + graph("1"), records: 2, added: 1, updated: 1,
			query: "SigninLogs | project Id, ConditionalAccessStatus", want: "1,notApplied\n"},
		{name: "the same twice", input: rec("1", "") + "\n" + rec("1", ""), records: 2, added: 1, duplicates: 1},
		{name: "the same id, fuller", input: rec("1", "") + "\n" + rec("1", `,"riskState":"atRisk","ipAddress":"192.0.2.1"`), records: 2, added: 1, updated: 1,
			query: "SigninLogs | project Id, RiskState, IPAddress", want: "1,atRisk,192.0.2.1\n"},
		{name: "the same id, contradicting", input: rec("1", "") + "\n" + strings.Replace(rec("1", ""), "u-1", "u-2", 1), records: 2, added: 1, conflicts: 1,
			query: "SigninLogs | sort by UserId asc | project Id, UserId", want: "1,u-1\n1,u-2\n"},
		{name: "no time", input: strings.Replace(rec("1", ""), "2026-03-14T08:00:00Z", "yesterday", 1), records: 1, added: 1,
			query: "SigninLogs | project TimeGenerated between (ago(1h) .. now()), tostring(_Extra) has 'yesterday'", want: "true,true\n"},
		{name: "a time in the far past and one in the far future", input: strings.Replace(rec("1", ""), "2026", "0001", 1) + "\n" + strings.Replace(rec("2", ""), "2026", "9998", 1), records: 2, added: 2,
			query: "SigninLogs | sort by TimeGenerated asc | project TimeGenerated", want: "0001-03-14T08:00:00Z\n9998-03-14T08:00:00Z\n"},
		{name: "the same key twice", input: rec("1", `,"userDisplayName":"old","userDisplayName":"new"`), records: 1, added: 1,
			query: "SigninLogs | project UserDisplayName", want: "new\n"},
		{name: "CSV as the portal exports it", input: "\ufeff\"TimeGenerated [UTC]\",UserId,ResultType,Id,Type\r\n\"3/14/2026, 8:00:00.123 AM\",u-1,0,1,SigninLogs\r\n\"3/14/2026, 8:00:01.000 PM\",u-2,50126,2,SigninLogs\r\n", records: 2, added: 2,
			query: "SigninLogs | sort by TimeGenerated asc | project TimeGenerated, UserId, ResultType", want: "2026-03-14T08:00:00.123Z,u-1,0\n2026-03-14T20:00:01Z,u-2,50126\n"},
		{name: "gzip that is cut off", input: squeeze(rec("1", "") + "\n" + rec("2", "") + "\n")[:90], says: []string{"input.json", "gzip"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file, data := filepath.Join(dir, "input.json"), filepath.Join(dir, "data")
			if err := os.WriteFile(file, []byte(c.input), 0o600); err != nil {
				t.Fatal(err)
			}
			code, out, errs := run(t, "", "ingest", "-o", "json", "--data", data, file)
			if wantCode := min(len(c.says), 1); code != wantCode {
				t.Errorf("exit %d, want %d\n%s", code, wantCode, errs)
			}
			for _, w := range c.says {
				if !strings.Contains(errs, w) {
					t.Errorf("what is said lacks %q:\n%s", w, errs)
				}
			}
			var r console.Receipt
			if err := json.Unmarshal([]byte(out), &r); err != nil && c.records > 0 {
				t.Fatalf("%v: %s\n%s", err, out, errs)
			}
			have := [...]int{r.Records, r.Added, r.Updated, r.Duplicates, r.Conflicts}
			if want := [...]int{c.records, c.added, c.updated, c.duplicates, c.conflicts}; have != want {
				t.Errorf("records, added, updated, duplicates, conflicts are %v, want %v\n%s%s", have, want, out, errs)
			}
			if r.Rejected > 0 {
				if _, err := os.Stat(filepath.Join(data, "workspaces", "default", "rejects.jsonl")); err != nil {
					t.Errorf("what was rejected is not kept: %v", err)
				}
			}
			if c.query != "" {
				code, out, errs := run(t, "", "query", "-o", "csv", "--data", data, c.query)
				_, rows, _ := strings.Cut(out, "\n")
				if code != 0 || rows != c.want {
					t.Errorf("exit %d, %s gives\n%q\nwant\n%q\n%s", code, c.query, rows, c.want, errs)
				}
			}
		})
	}
}

// wide writes a text as UTF-16, low byte first.
func wide(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func squeeze(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, s) // into memory
	_ = z.Close()
	return b.String()
}

// A line of 200 MB between two records is passed over in little memory.
func TestHugeLine(t *testing.T) {
	const size = 200 << 20
	filler := bytes.Repeat([]byte("glassward "), 6554) // 64 KB
	var parts []io.Reader
	parts = append(parts, strings.NewReader(rec("1", "")+"\n"+strings.TrimSuffix(rec("2", `,"userDisplayName":"`), "}}")))
	for n := 0; n < size; n += len(filler) {
		parts = append(parts, bytes.NewReader(filler))
	}
	parts = append(parts, strings.NewReader(`"}}`+"\n"+rec("3", "")+"\n"))
	in := &watched{Reader: io.MultiReader(parts...)}
	before := heap()

	var out, errs bytes.Buffer
	code := cli.Main(t.Context(), cli.Env{
		Args:  []string{"query", "-o", "csv", "--from", "-", "SigninLogs | sort by Id asc | project Id"},
		Stdin: in, Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" },
	})
	if code != 0 || out.String() != "Id\n1\n3\n" {
		t.Errorf("exit %d: %s%s", code, out.String(), errs.String())
	}
	if said := errs.String(); !strings.Contains(said, "stdin:2: ") || !strings.Contains(said, "1 MiB") && !strings.Contains(said, "1048576") {
		t.Errorf("what is said lacks line and limit: %s", said)
	}
	if in.read < size {
		t.Errorf("only %d bytes were read", in.read)
	}
	// The tests that run at the same time need memory too: the bound is loose.
	if grown := int64(in.peak) - int64(before); grown > 100<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
}

// watched notes how far the heap grows while it is read.
type watched struct {
	io.Reader
	read, next int
	peak       uint64
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.read += n
	if w.read >= w.next {
		w.peak = max(w.peak, heap())
		w.next = w.read + 4<<20
	}
	return n, err
}

func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// Every way to write a time is understood, to the last digit that is kept.
func TestTimes(t *testing.T) {
	var forms, want []string
	for line := range strings.Lines(string(read(t, "testdata/times.tsv"))) {
		if form, time, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			forms, want = append(forms, form), append(want, time)
		}
	}
	have := timesOf(t, forms)
	for i, form := range forms {
		if have[i] != want[i] {
			t.Errorf("%q is %s, want %s", form, have[i], want[i])
		}
	}
}

// Every format of the samples is the same minute.
func TestTimeSamples(t *testing.T) {
	file := filepath.Join(shared, "samples", "time_formats.ndjson")
	if _, err := os.Stat(file); os.IsNotExist(err) {
		return
	}
	var forms []string
	for _, raw := range lines(t, file) {
		var r struct{ Time string }
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		forms = append(forms, r.Time)
	}
	different := map[string]bool{}
	for i, have := range timesOf(t, forms) {
		different[have] = true
		if !strings.HasPrefix(have, "2007-01-09T09:41:00") {
			t.Errorf("%q is %s", forms[i], have)
		}
	}
	// The file as it is: its records say nothing but when they were, so those of
	// the same moment are the same record, however it is written.
	code, out, errs := run(t, "", "query", "-o", "csv", "--from", file, "SigninLogs | summarize count(), bin(min(TimeGenerated), 1m), bin(max(TimeGenerated), 1m)")
	_, rows, _ := strings.Cut(out, "\n")
	if want := fmt.Sprintf("%d,2007-01-09T09:41:00Z,2007-01-09T09:41:00Z\n", len(different)); code != 0 || rows != want {
		t.Errorf("exit %d: %q, want %q\n%s", code, rows, want, errs)
	}
}

// timesOf gives TimeGenerated of records whose times are written in these forms.
func timesOf(t *testing.T, forms []string) []string {
	t.Helper()
	var in strings.Builder
	for i, form := range forms {
		quoted, err := json.Marshal(form)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&in, `{"time":%s,"category":"SignInLogs","properties":{"id":"%03d","userId":"u"}}`+"\n", quoted, i)
	}
	code, out, errs := run(t, in.String(), "query", "-o", "csv", "--from", "-", "SigninLogs | sort by Id asc | project Id, TimeGenerated")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if code != 0 || err != nil || len(rows) != len(forms)+1 {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, errs)
	}
	var times []string
	for _, row := range rows[1:] {
		times = append(times, row[1])
	}
	return times
}

// vandal is what somebody may write into a display name: markup, a terminal's
// escape sequences, a spreadsheet's formula, text that runs backwards, new lines.
const vandal = "=HYPERLINK(\"http://evil.example\",\"x\")<script>alert(1)</script>\x1b]0;owned\a\x1b[31mred\u202eevil\r\nX: y\u2028z"

// What a record says drives neither terminal nor spreadsheet.
func TestVandalsNames(t *testing.T) {
	t.Parallel()
	quoted, err := json.Marshal(vandal)
	if err != nil {
		t.Fatal(err)
	}
	a := names()["A1"]
	in := strings.Replace(rec("1", `,"userDisplayName":`+string(quoted)+`,"userPrincipalName":`+string(quoted)+`,"appDisplayName":`+string(quoted)), "u-1", a, 1)
	for _, args := range [][]string{
		{"query", "-o", "table", "--from", "-", "SigninLogs | project UserDisplayName, AppDisplayName"},
		{"query", "-o", "table", "--from", "-", "SigninLogs | project bag_pack(UserDisplayName, 1)"},
		{"watch", "--account", a, "--from", "-"},
	} {
		code, out, errs := run(t, in, args...)
		if code != 0 || !strings.Contains(out, "alert(1)") {
			t.Errorf("%v: exit %d\n%s%s", args, code, out, errs)
		}
		for _, bad := range []string{"\x1b", "\a", "\u202e", "\r", "\u2028"} {
			if strings.Contains(out+errs, bad) {
				t.Errorf("%v lets %q through: %q", args, bad, out)
			}
		}
	}

	code, out, errs := run(t, in, "query", "-o", "csv", "--from", "-", "SigninLogs | project UserDisplayName")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if code != 0 || err != nil || len(rows) != 2 || !strings.HasPrefix(rows[1][0], "'=HYPERLINK(") {
		t.Errorf("exit %d, %v: a spreadsheet would compute %q\n%s", code, err, out, errs)
	}
	code, out, _ = run(t, in, "query", "-o", "tsv", "--from", "-", "SigninLogs | project UserDisplayName, Id")
	if code != 0 || strings.Count(out, "\n") != 1 || strings.Count(out, "\t") != 1 {
		t.Errorf("a name makes rows or cells of its own: %q", out)
	}
	// For programs the text is what it was.
	code, out, _ = run(t, in, "query", "-o", "ndjson", "--from", "-", "SigninLogs | project UserDisplayName")
	var row struct{ UserDisplayName string }
	if err := json.Unmarshal([]byte(out), &row); code != 0 || err != nil || row.UserDisplayName != vandal {
		t.Errorf("exit %d, %v: %q", code, err, row.UserDisplayName)
	}
}

// A query that runs too long ends with a word about it, and the store is well
// afterwards.
func TestEndlessQuery(t *testing.T) {
	began := time.Now()
	code, _, errs := run(t, rec("1", ""), "query", "--timeout", "300ms", "--from", "-",
		"range a from 1 to 1000000 step 1 | extend k = a % 2 | join kind=inner (range b from 1 to 1000000 step 1 | extend k = b % 2) on k | summarize sum(a * b)")
	if code != 1 || !strings.Contains(errs, "300ms") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}
