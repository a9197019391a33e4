package logstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// hostile is the variable that makes the test binary a process that runs one
// hostile query; what it holds is the query's name.
const hostile = "GLASSWARD_LOGSTORE_HOSTILE"

// The bounds of a hostile query. The process may take a small multiple of what
// the engine is given, since functions and results have memory of their own; a
// busy machine makes a query late, yet not by this much.
const (
	hostileMemory  = 256 << 20
	hostileTimeout = 2 * time.Second
	hostileRows    = 100_000
	hostileBytes   = 8 << 20
	mostResident   = 3 * hostileMemory * raceCosts
	mostOverrun    = 5 * time.Second * raceCosts
	mostCompile    = 5 * time.Second * raceCosts
)

// hostileRecords is how many sign-ins, and how many audit records, there are.
const hostileRecords = 10_000

// hostileQueries would take all there is of something. Nothing is asked of their
// results but that they end, in one way or another.
func hostileQueries() map[string]string {
	rep := strings.Repeat
	var unions, lets, functions, doubling, wide strings.Builder
	unions.WriteString("SigninLogs | take 1")
	for range 10_000 {
		unions.WriteString(" | union (SigninLogs | take 1)")
	}
	lets.WriteString("let f0 = (x:long) { x + 1 };\n")
	functions.WriteString("let t0 = () { SigninLogs };\n")
	for i := 1; i <= 40; i++ {
		fmt.Fprintf(&lets, "let f%d = (x:long) { f%d(x) + f%d(x) };\n", i, i-1, i-1)
		fmt.Fprintf(&functions, "let t%d = () { union t%d(), t%d() };\n", i, i-1, i-1)
	}
	lets.WriteString("print f40(1)")
	functions.WriteString("t40() | count")
	doubling.WriteString("SigninLogs | extend s0 = strcat(UserAgent, 'xxxxxxxxxxxxxxxx')")
	for i := 1; i <= 40; i++ {
		fmt.Fprintf(&doubling, " | extend s%d = strcat(s%d, s%d)", i, i-1, i-1)
	}
	doubling.WriteString(" | project strlen(s40)")
	wide.WriteString("SigninLogs | summarize ")
	for i := range 200 {
		fmt.Fprintf(&wide, "x%d = arg_max(TimeGenerated, *), ", i)
	}
	wide.WriteString("percentiles(CreatedDateTime, 1, 50, 99) by Id")
	return map[string]string{
		"cross join of everything":       "SigninLogs | extend k = 1 | join kind=inner (AuditLogs | extend k = 1) on k | summarize count(), make_set(Id), dcount(strcat(Id, Id1))",
		"cross join, rows":               "SigninLogs | extend k = 1 | join kind=inner (AuditLogs | extend k = 1) on k",
		"cross join, sorted":             "SigninLogs | extend k = 1 | join kind=inner (AuditLogs | extend k = 1) on k | sort by Id desc, Id1 asc",
		"cross join thrice":              "SigninLogs | extend k = 1 | join kind=fullouter (SigninLogs | extend k = 1) on k | join kind=inner (SigninLogs | extend k = 1) on k | count",
		"a billion rows":                 "range x from 1 to 1000000000 step 1 | summarize sum(x * x), dcount(x)",
		"a billion rows, given":          "range x from 1 to 1000000000 step 1",
		"a billion rows, as one list":    "range x from 1 to 1000000000 step 1 | summarize make_list(x)",
		"a billion elements":             "print range(1, 1000000000, 1)",
		"a million elements, everywhere": "SigninLogs | extend a = range(1, 1000000, 1) | extend b = array_concat(a, a, a, a) | project array_length(b)",
		"range of times":                 "print range(datetime(1900-01-01), datetime(2100-01-01), 1s)",
		"strrep":                         "print strrep('x', 1000000000)",
		"strrep of each":                 "SigninLogs | extend s = strrep('abcdefgh', 100000) | project s",
		"strrep of each, counted":        "SigninLogs | extend s = strrep('abcdefgh', 100000) | summarize dcount(s)",
		"strrep within":                  "range x from 1 to 1000000 step 1 | extend s = strrep(strrep(strrep('ab', 1000), 1000), 1000) | summarize max(strlen(s))",
		"repeat":                         "SigninLogs | extend a = repeat('x', 1000000) | project array_length(a)",
		"doubling":                       doubling.String(),
		"make_list of long texts":        "SigninLogs | extend s = strrep('x', 50000) | summarize make_list(s)",
		"make_set of everything":         "SigninLogs | extend k = 1 | join kind=inner (AuditLogs | extend k = 1) on k | summarize make_set(strcat(Id, Id1))",
		"make_set by each":               "range x from 1 to 3000000 step 1 | summarize make_set(x), make_list(x) by y = x / 2",
		"make_bag":                       "range x from 1 to 3000000 step 1 | summarize make_bag(bag_pack(tostring(x), x))",
		"strcat_array of a list":         "range x from 1 to 5000000 step 1 | summarize l = make_list(strcat('text ', x)) | extend s = strcat_array(l, ', ') | project strlen(s), strlen(replace_string(s, 't', 'tttttttttttttttttttttttttttttttttttttttttttt'))",
		"mv-expand of mv-expand":         "print a = range(1, 10000, 1) | extend b = a, c = a | mv-expand a | mv-expand b | mv-expand c | summarize count() by tostring(a)",
		"mv-expand, rows":                "print a = range(1, 10000, 1) | extend b = a | mv-expand a | mv-expand b",
		"mv-apply of everything":         "SigninLogs | extend a = range(1, 10000, 1) | mv-apply a on (summarize make_list(a))",
		"a regular expression of death":  "print s = strrep('a', 100000) | where s matches regex '^(a+)+$' or s matches regex '(a|aa)+b' or s matches regex '(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)[^a]' | project extract_all('(a*)(a*)(a*)', s)",
		"a regular expression, large":    "print s = 'x' | where s matches regex '((((a{1,100}){1,100}){1,100}){1,100}){1,100}'",
		"extract_all of everything":      "SigninLogs | extend s = strrep('ab', 100000) | project array_length(extract_all('(.)', s))",
		"a regular expression of each":   "SigninLogs | extend k = 1 | join kind=inner (AuditLogs | extend k = 1) on k | extend r = strcat('(', Id, '|', Id1, ')+') | where strrep(Id, 1000) matches regex r | count",
		"split":                          "SigninLogs | extend s = strrep('a,', 100000) | project array_length(split(s, ','))",
		"ten thousand unions":            unions.String(),
		"unions, flat":                   "union " + rep("SigninLogs, ", 10_000) + "SigninLogs | count",
		"parentheses":                    "print " + rep("(", 50_000) + "1" + rep(")", 50_000),
		"calls":                          "print " + rep("tostring(", 5_000) + "1" + rep(")", 5_000),
		"additions":                      "print 1" + rep(" + 1", 100_000),
		"conditions":                     "SigninLogs | where Id == 'a'" + rep(" or Id == 'b'", 20_000),
		"a long list":                    "SigninLogs | where Id in ('a'" + rep(", 'bbbbbbbb'", 80_000) + ")",
		"steps":                          "SigninLogs" + rep(" | extend a = 1", 20_000),
		"narrow steps":                   "print a = 1" + rep(" | extend a = a + 1", 20_000),
		"narrow steps, some":             "print a = 1" + rep(" | extend a = a + 1", 2_000),
		"narrow filters":                 "print a = 1" + rep(" | where a == 1", 20_000),
		"narrow filters, some":           "SigninLogs | project Id " + rep(" | where Id != '1' | take 5", 1_000),
		"nested texts":                   "print x = " + rep("strcat('a', ", 240) + "'b'" + rep(")", 240),
		"nested cases":                   "SigninLogs | extend a = 1" + rep(" | extend a = iff(a > 1, a + 1, a - 1)", 300),
		"joins":                          "SigninLogs | project Id" + rep(" | join kind=inner (SigninLogs | project Id) on Id | project Id", 300),
		"sub-queries":                    "SigninLogs | project Id" + rep(" | where Id in ((SigninLogs | project Id))", 500),
		"let functions, each twice":      lets.String(),
		"let tables, each twice":         functions.String(),
		"ten megabytes of text":          "print s = '" + rep("x", 10<<20) + "'",
		"ten megabytes of operators":     "SigninLogs" + rep(" | where true", 800_000),
		"ten megabytes of nothing":       rep(" ", 10<<20),
		"ten megabytes of noise":         rep("\"'`|(", 2<<20),
		"a deep value":                   "print d = parse_json(strrep('[', 100000)), e = dynamic(" + rep("[", 400) + rep("]", 400) + ")",
		"a huge value":                   "SigninLogs | extend d = parse_json(strcat('[', strrep('{\"a\":1},', 100000), '0]')) | project d, array_length(d)",
		"a huge value, expanded":         "SigninLogs | extend d = parse_json(strcat('[', strrep('{\"a\":1},', 100000), '0]')) | mv-expand d | summarize count() by tostring(d.a)",
		"a huge value, merged":           "SigninLogs | extend d = parse_json(strcat('[', strrep('1,', 300000), '0]')) | summarize make_list(d), make_set(d)",
		"arg_max over wide rows":         wide.String(),
		"percentiles of everything":      "SigninLogs | extend k = 1 | join kind=inner (AuditLogs | extend k = 1) on k | summarize percentiles(strlen(Id), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 50, 90, 99), stdev(strlen(Id)) by Id1",
		"sort of everything":             "range x from 1 to 10000000 step 1 | extend s = strcat(hash_sha256(x), hash_sha256(x + 1)) | sort by s | take 10",
		"row functions":                  "range x from 1 to 10000000 step 1 | serialize r = row_number(), c = row_cumsum(x), p = prev(x, 1000000) | where r == c",
		"make-series of a long time":     "SigninLogs | make-series count() on TimeGenerated from datetime(1900-01-01) to datetime(2100-01-01) step 1s by Id",
		"series":                         "range x from 1 to 100 step 1 | extend s = range(1, 1000000, 1) | project series_fir(s, range(1, 10000, 1))",
		"pivot of everything":            "SigninLogs | evaluate pivot(Id)",
		"bag_unpack":                     "SigninLogs | extend b = bag_pack(Id, 1) | evaluate bag_unpack(b)",
		"levenshtein":                    "SigninLogs | extend a = strrep('ab', 100000), b = strrep('ba', 100000) | project jaccard_index(to_utf8(a), to_utf8(b))",
		"set of sets":                    "SigninLogs | extend a = range(1, 500000, 1) | project array_length(set_union(a, array_reverse(a))), array_length(set_intersect(a, a)), array_length(set_difference(a, a))",
		"base64 and hashes":              "SigninLogs | extend s = strrep('x', 1000000) | project base64_encode_tostring(s), hash_sha256(s), url_encode(s), url_encode(url_encode(s)), replace_regex(s, 'x', 'yyyyyyyyyyyyyyyyyyyy')",
		"parse":                          "SigninLogs | extend s = strrep('a=1;', 100000) | parse s with * 'a=' x:long ';' * 'b=' y:long | parse-kv s as (a:long) with (pair_delimiter=';', kv_delimiter='=') | summarize count() by x, y",
		"partition of everything":        "SigninLogs | partition by Id (top 1 by TimeGenerated)",
		"distinct of everything":         "SigninLogs | extend k = 1 | join kind=inner (AuditLogs | extend k = 1) on k | distinct Id, Id1",
		"search":                         "search 'a' or 'b' or 'c'",
		"format":                         "SigninLogs | extend s = strrep('y', 100000) | project format_datetime(TimeGenerated, s), indexof(s, 'x'), countof(s, 'y'), reverse(s), translate('y', 'z', s), trim('y+', s)",
	}
}

// endured is what the process tells of itself.
type endured struct {
	Compile, Run   time.Duration
	Outcome        string
	Rows           int
	Truncated      bool
	Before, During int64 // resident bytes: before the query, the most while it ran
}

// endure runs one hostile query, by its name, and prints what came of it.
func endure(name string) {
	ctx := context.Background()
	s, err := logstore.OpenMemory(ctx, logstore.Options{Memory: hostileMemory, Threads: 2, Now: now})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, table := range []string{"SigninLogs", "AuditLogs"} {
		for i := 0; i < hostileRecords; i += 2000 {
			var list []glassward.Record
			for j := range 2000 {
				list = append(list, record(table, fmt.Sprint(table, " ", i+j), "Id", fmt.Sprint(i+j), "TimeGenerated", clock.Add(-time.Duration(i+j)*time.Second)))
			}
			if _, err := s.Append(ctx, logstore.Batch{Records: list}); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
	runtime.GC()
	var e endured
	e.Before = resident("VmRSS")
	start := time.Now()
	p, diags := kql.Compile(hostileQueries()[name], kql.Options{Catalog: schema.Default().Catalog()})
	e.Compile = time.Since(start)
	if p == nil {
		e.Outcome = "refused: " + diags.Err().Error()
	} else {
		start = time.Now()
		r, err := s.Run(ctx, p, kql.Bind{Now: value.FromTime(clock)}, logstore.Limits{Timeout: hostileTimeout, MaxRows: hostileRows, MaxBytes: hostileBytes})
		e.Run = time.Since(start)
		var late *logstore.TimeoutError
		var much *logstore.MemoryError
		switch {
		case errors.As(err, &late):
			e.Outcome = "too long"
		case errors.As(err, &much):
			e.Outcome = "too much memory: " + err.Error()
		case err != nil:
			e.Outcome = "error: " + err.Error()
		default:
			e.Outcome, e.Rows, e.Truncated = "result", len(r.Rows), r.Truncated
		}
	}
	e.During = resident("VmHWM")
	if len(e.Outcome) > 300 {
		e.Outcome = e.Outcome[:300]
	}
	if err := json.NewEncoder(os.Stdout).Encode(e); err != nil {
		os.Exit(1)
	}
	// The store goes on working.
	r, err := s.Run(ctx, program("SELECT 1::BIGINT", "x"), kql.Bind{}, logstore.Limits{})
	if err != nil || r.Rows[0][0] != int64(1) {
		fmt.Fprintln(os.Stderr, "afterwards:", r, err)
		os.Exit(1)
	}
}

// resident reads a figure of this process in bytes, 0 where the system does not give it.
func resident(name string) int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				return 0
			}
			return n << 10
		}
	}
	return 0
}

// quickHostile are those that are tried where there is little time; GLASSWARD_HOSTILE=all tries all of them,
// another value those whose name has it in it.
var quickHostile = []string{"cross join of everything", "strrep of each", "a million elements, everywhere", "mv-expand of mv-expand", "a regular expression of death",
	"ten thousand unions", "let functions, each twice", "a huge value, merged"}

// TestHostileQueries runs each query in a process of its own, and measures the
// most memory that it had and how long it went on beyond its limit.
func TestHostileQueries(t *testing.T) {
	all := hostileQueries()
	want := os.Getenv("GLASSWARD_HOSTILE")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		switch {
		case want == "all", want != "" && strings.Contains(name, want):
		case want != "" || !slices.Contains(quickHostile, name):
			continue
		}
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), hostile+"="+name, "GOTRACEBACK=single")
			var out, said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &said
			// Whatever holds no limit must not take the machine with it.
			done := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
			err := cmd.Run()
			done.Stop()
			var e endured
			if jsonErr := json.Unmarshal(out.Bytes(), &e); jsonErr != nil || err != nil {
				text := said.String()
				t.Fatalf("the process ended: %v, %s\n%s", err, out.String(), text[:min(len(text), 2000)])
			}
			t.Logf("compiled in %v, ran %v, %d MiB and then %d MiB: %s, %d rows, truncated %v", e.Compile.Round(time.Millisecond), e.Run.Round(time.Millisecond), e.Before>>20, e.During>>20, e.Outcome, e.Rows, e.Truncated)
			if e.Compile > mostCompile {
				t.Errorf("compiling took %v, at most %v is right", e.Compile, mostCompile)
			}
			if e.Run > hostileTimeout+mostOverrun {
				t.Errorf("it ran %v, its limit is %v", e.Run, hostileTimeout)
			}
			if grown := e.During - e.Before; grown > mostResident {
				t.Errorf("it took %d MiB more, at most %d MiB are right", grown>>20, int64(mostResident)>>20)
			}
			if e.Rows > hostileRows {
				t.Errorf("%d rows", e.Rows)
			}
		})
	}
}
