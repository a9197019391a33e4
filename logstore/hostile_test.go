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
	"syscall"
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
// the engine is given, since functions and results have memory of their own, and one
// step of the engine may take more before it can be stopped. Its time is that of the
// processors, which a busy machine does not make longer.
const (
	hostileMemory  = 256 << 20
	hostileThreads = 2
	hostileTimeout = 2 * time.Second
	hostileRows    = 100_000
	hostileBytes   = 8 << 20
	mostResident   = 4 * hostileMemory * raceCosts
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
	var columns, datatable, twice, mutual, stars, terms, keys, nested, parsed, longIn strings.Builder
	columns.WriteString("print x0 = 0")
	datatable.WriteString("datatable(a:long, s:string)[")
	stars.WriteString("SigninLogs | extend s = strrep('a=1;', 20000) | parse kind=regex s with ")
	parsed.WriteString("SigninLogs | extend s = strrep('a', 20000) | parse s with ")
	terms.WriteString("SigninLogs | where UserAgent has_any ('a'")
	longIn.WriteString("SigninLogs | where UserAgent in~ ('a'")
	keys.WriteString("print d = dynamic({'k': 1")
	for i := range 20_000 {
		fmt.Fprintf(&columns, ", x%d = %d", i+1, i)
		fmt.Fprintf(&datatable, "%d, 'text %d', ", i, i)
		fmt.Fprintf(&keys, ", 'k%d': %d", i, i)
	}
	for i := range 60_000 {
		fmt.Fprintf(&terms, ", 't%d'", i)
		fmt.Fprintf(&longIn, ", 't%d'", i)
	}
	for i := range 400 {
		fmt.Fprintf(&stars, "* '(a+)+b' x%d:string ", i)
		fmt.Fprintf(&parsed, "* 'a' x%d:string ", i)
	}
	datatable.WriteString("0, 'end']")
	terms.WriteString(") | count")
	longIn.WriteString(") | count")
	keys.WriteString("}) | evaluate bag_unpack(d)")
	twice.WriteString("let f0 = (T:(Id:string)) { T | where Id != '' };\n")
	mutual.WriteString("let a0 = 1;\n")
	nested.WriteString("let s0 = 'xxxxxxxxxxxxxxxx';\n")
	for i := 1; i <= 40; i++ {
		fmt.Fprintf(&twice, "let f%d = (T:(Id:string)) { T | invoke f%d() | invoke f%d() };\n", i, i-1, i-1)
		fmt.Fprintf(&mutual, "let a%d = a%d + a%d;\n", i, i-1, i-1)
		fmt.Fprintf(&nested, "let s%d = strcat(s%d, s%d);\n", i, i-1, i-1)
	}
	twice.WriteString("SigninLogs | project Id | invoke f40() | count")
	mutual.WriteString("print a40")
	nested.WriteString("print strlen(s40)")
	chain := func(first, step string, n int) string {
		return first + strings.Repeat(" | extend a = "+step, n)
	}
	table := func(levels int) string {
		q := "SigninLogs | project Id"
		for range levels {
			q = "(" + q + ") | union (" + q + ")"
		}
		return q
	}
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
		"columns by the ten thousand":    columns.String(),
		"a table of constants":           datatable.String(),
		"a table of constants, used":     datatable.String() + " | mv-expand x = range(1, 1000, 1) | summarize make_list(s), make_set(s), count() by a",
		"a list of terms":                terms.String(),
		"a list without case":            longIn.String(),
		"a bag of keys":                  keys.String(),
		"patterns of stars":              parsed.String(),
		"expressions of stars":           stars.String(),
		"let tables through invoke":      twice.String(),
		"let numbers, each twice":        mutual.String(),
		"let texts, each twice":          nested.String(),
		"unions in unions":               table(14),
		"union of one name":              "let T = SigninLogs; union T, T, T, T, T, T, T, T | union T, T, T, T | join kind=inner (AuditLogs | extend k = 1) on $left.ConditionalAccessStatus == $right.Id | count",
		"texts doubled":                  chain("SigninLogs | extend a = 'xxxxxxxx'", "strcat(a, a)", 40) + " | project strlen(a)",
		"texts doubled, one row":         chain("print a = 'xxxxxxxx'", "strcat(a, a)", 40) + " | project strlen(a)",
		"texts replaced":                 chain("SigninLogs | extend a = 'xxxxxxxx'", "replace_string(a, 'x', 'xxxxxxxx')", 20) + " | project strlen(a)",
		"texts replaced by pattern":      chain("SigninLogs | extend a = 'xxxxxxxx'", "replace_regex(a, '.', 'xxxxxxxx')", 20) + " | project strlen(a)",
		"texts joined":                   chain("SigninLogs | extend a = 'xxxxxxxx'", "strcat_array(pack_array(a, a, a), a)", 20) + " | project strlen(a)",
		"texts repeated":                 chain("SigninLogs | extend a = 'xxxxxxxx'", "strrep(a, 1000, a)", 8) + " | project strlen(a)",
		"texts encoded":                  chain("SigninLogs | extend a = '%%%%%%%%'", "url_encode(a)", 60) + " | project strlen(a)",
		"arrays doubled":                 chain("SigninLogs | extend a = dynamic([1,2,3])", "array_concat(a, a)", 40) + " | project array_length(a)",
		"arrays doubled, one row":        chain("print a = dynamic([1,2,3])", "array_concat(a, a)", 40) + " | project array_length(a)",
		"arrays nested":                  chain("SigninLogs | extend a = dynamic([1,2,3])", "pack_array(a, a)", 40) + " | project strlen(tostring(a))",
		"bags nested":                    chain("SigninLogs | extend a = dynamic({})", "bag_pack('x', a, 'y', a)", 40) + " | project strlen(tostring(a))",
		"texts of values":                chain("SigninLogs | extend a = dynamic(['\\\\\"'])", "pack_array(tostring(a))", 40) + " | project strlen(tostring(a))",
		"rows made by each":              "SigninLogs | mv-expand a = range(1, 1000, 1) | mv-expand b = range(1, 1000, 1) | where tolong(a) == tolong(b) | summarize count() by Id, tostring(a)",
		"rows made of a bag":             "SigninLogs | extend b = parse_json(strcat('{', strrep('\"a\":1,', 100000), '\"b\":2}')) | mv-expand kind=array b | count",
		"mv-apply of mv-apply":           "SigninLogs | mv-apply a = range(1, 1000, 1) on (mv-apply b = range(1, 1000, 1) on (summarize s = sum(tolong(b)) by tolong(a)) | summarize sum(s))",
		"a billion bins":                 "SigninLogs | make-series n = count() on TimeGenerated from datetime(1700-01-01) to datetime(2600-01-01) step 1ms",
		"many bins by many":              "SigninLogs | extend k = 1 | join kind=inner (AuditLogs | extend k = 1) on k | make-series n = count() default=0 on TimeGenerated step 1s by Id, Id1",
		"bins":                           "range x from 1 to 5000000 step 1 | summarize count() by bin(x, 1), strcat(x, 'x')",
		"partition by a million":         "range x from 1 to 1000000 step 1 | partition by x (top 1 by x)",
		"partition by hash":              "range x from 1 to 3000000 step 1 | partition hint.strategy=native by x (summarize make_list(x) | mv-expand list_x | take 2)",
		"partition by legacy":            "SigninLogs | partition hint.strategy=legacy by Id (extend k = 1 | join kind=inner (AuditLogs | extend k = 1) on k)",
		"scan that steps back":           "range x from 1 to 200000 step 1 | serialize | scan with_match_id=m declare (n:long) with (step a output=all: true => n = x; step b output=all: x > a.x => n = b.n + 1; step c output=all: x > b.x => n = c.n + 1;)",
		"scan that grows":                "range x from 1 to 20000 step 1 | serialize | scan declare (t:string = 'xxxxxxxx') with (step a: true => t = strcat(a.t, a.t, 'x');) | project strlen(t)",
		"scan that grows in one row":     "range x from 1 to 3000 step 1 | serialize | scan declare (t:dynamic) with (step a: true => t = array_concat(a.t, a.t, pack_array(x));) | project array_length(t)",
		"scan of everything":             "SigninLogs | extend k = 1 | join kind=inner (AuditLogs | extend k = 1) on k | sort by Id asc | scan declare (n:long = 0) with (step a: true => n = a.n + 1;) | summarize max(n)",
		"toscalar of everything":         "print s = toscalar(range x from 1 to 5000000 step 1 | summarize make_list(strcat('text', x)))",
		"toscalar by each":               "SigninLogs | extend n = toscalar(SigninLogs | extend k = 1 | join kind=inner (AuditLogs | extend k = 1) on k | summarize dcount(strcat(Id, Id1)))",
		"materialize everything":         "let M = materialize(SigninLogs | extend k = 1 | join kind=inner (AuditLogs | extend k = 1) on k | extend s = strcat(Id, Id1)); M | join kind=inner (M) on s | count",
		"bag_unpack of each":             "SigninLogs | extend b = bag_pack(strcat('k', Id), 1) | evaluate bag_unpack(b)",
		"bag_unpack of a million keys":   "range x from 1 to 1000000 step 1 | summarize b = make_bag(bag_pack(strcat('k', x), x)) | evaluate bag_unpack(b)",
		"pivot of a million":             "range x from 1 to 1000000 step 1 | extend k = strcat('k', x) | evaluate pivot(k, count(), x)",
		"reduce of everything":           "range x from 1 to 1000000 step 1 | extend s = strcat('user ', x, ' of ', x % 100, ' ', hash_sha256(x)) | reduce by s",
		"reduce of long texts":           "SigninLogs | extend s = strcat(strrep('word ', 100000), Id) | reduce by s with threshold=0.001",
		"autocluster":                    "range x from 1 to 1000000 step 1 | extend a = x % 7, b = strcat('b', x % 1000), c = hash(x, 100) | evaluate autocluster()",
		"basket":                         "range x from 1 to 300000 step 1 | extend a = x % 7, b = x % 11, c = x % 13, d = x % 2, e = x % 3, f = x % 5, g = hash(x, 10) | evaluate basket(0.015)",
		"diffpatterns":                   "range x from 1 to 1000000 step 1 | extend a = x % 7, b = strcat('b', x % 1000), c = tostring(x % 2) | evaluate diffpatterns(c, '0', '1')",
		"basket of columns":              "SigninLogs | project-away Id, CorrelationId, CreatedDateTime | evaluate basket(0.02)",
		"sequences":                      "range x from 1 to 1000000 step 1 | extend t = datetime(2020-01-01) + x * 1s | evaluate sequence_detect(t, 1d, 1000d, a = x % 2 == 0, b = x % 3 == 0, c = x % 5 == 0, x)",
		"activity":                       "range x from 1 to 1000000 step 1 | extend t = datetime(2020-01-01) + x * 1s | evaluate activity_counts_metrics(x, t, datetime(1900-01-01), datetime(2100-01-01), 1s)",
		"sliding windows":                "range x from 1 to 100000 step 1 | extend t = datetime(2020-01-01) + x * 1s | evaluate sliding_window_counts(x, t, datetime(2020-01-01), datetime(2020-01-03), 1d, 1s)",
		"session counts":                 "range x from 1 to 100000 step 1 | extend t = datetime(2020-01-01) + x * 1s | evaluate session_count(x, t, datetime(2020-01-01), datetime(2020-01-03), 1s, 1h)",
		"rows_near":                      "range x from 1 to 1000000 step 1 | evaluate rows_near(x % 2 == 0, 100000)",
		"rolling percentiles":            "range x from 1 to 1000000 step 1 | extend t = datetime(2020-01-01) + x * 1s | evaluate rolling_percentile(x, 50, t, 1s, 10000)",
		"addresses of networks":          "let N = SigninLogs | project n = strcat('10.', toint(Id) % 256, '.0.0/16'); SigninLogs | extend k = 1 | join kind=inner (AuditLogs | extend k = 1) on k | project a = strcat('10.', toint(Id) % 256, '.0.1') | evaluate ipv4_lookup(N, a, n) | count",
		"series of series":               "SigninLogs | extend s = range(1, 200000, 1) | project series_fit_line(s), series_decompose(s), series_periods_detect(s, 2, 100, 5), series_outliers(s), series_stats(s), series_seasonal(s), series_pearson_correlation(s, s)",
		"series filters":                 "SigninLogs | extend s = range(1, 100000, 1) | project series_fir(s, s), series_iir(s, s, s), series_fft(s), series_multiply(s, s)",
		"series that do not divide":      "print s = range(1, 999983, 1) | project array_length(series_fft(s)), series_decompose_anomalies(s), series_fit_poly(s, s, 5), series_fit_2lines(s)",
		"search of many terms":           "search 'a'" + rep(" or 'b'", 2_000),
		"search everywhere":              "search in (SigninLogs, AuditLogs) '*a*' and 'b*' and '*c' | summarize count() by $table",
		"find":                           "find where UserAgent has 'a'" + rep(" or Id contains 'b'", 500),
		"lambda of signs":                "print " + rep("-", 100_000) + "1",
		"nots":                           "print " + rep("not(", 5_000) + "true" + rep(")", 5_000),
		"indexes":                        "print d = dynamic([]) | project d" + rep("[0]", 20_000),
		"members":                        "SigninLogs | project x = DeviceDetail" + rep(".a", 20_000),
		"members, some":                  "SigninLogs | project x = DeviceDetail" + rep(".a", 240),
		"pipes in functions":             rep("let f = () { ", 300) + "print 1" + rep(" }; f()", 300),
		"lets by the thousand":           rep("let x = 1;\n", 20_000) + "print x",
		"statements by the thousand":     rep("print 1;\n", 20_000),
		"a deep constant":                "print d = dynamic(" + rep("[", 100_000) + rep("]", 100_000) + ")",
		"a deep constant of bags":        "print d = dynamic(" + rep("{'a':", 50_000) + "1" + rep("}", 50_000) + ")",
		"a deep value, made":             chain("print a = dynamic([])", "pack_array(a)", 800) + " | project tostring(a)",
		"a deep text":                    "SigninLogs | extend d = parse_json(strcat(strrep('[', 300000), strrep(']', 300000))) | project d[0][0], array_length(d), gettype(d), treepath(d)",
		"json paths":                     "SigninLogs | extend s = strcat('{\"a\":', strrep('[', 50000)) | project extract_json('$.a[0][0]', s), extractjson('$..b', s), bag_keys(parse_json(s))",
		"a regular expression, nested":   "print s = strrep('a', 10000) | where s matches regex '" + rep("(", 900) + "a" + rep(")*", 900) + "'",
		"a regular expression, counted":  "print s = strrep('a', 100000) | where s matches regex '(a{0,1000}b?){0,1}(a{0,999}c)' or extract('((a{1,31}){1,31}b)', 1, s) == 'x' | project replace_regex(s, '(a{1,30}){1,30}$', 'x')",
		"expressions from the data":      "SigninLogs | extend r = strcat('(a{1,30}){1,', toint(Id) % 31 + 1, '}', Id, 'b') | where strrep('a', 1000) matches regex r | count",
		"extract of groups":              "SigninLogs | extend s = strrep('ab', 50000) | project extract_all('((a)(b))((a)(b))', s), extract_all(@'(b)', dynamic([1]), s)",
		"translate and punycode":         "SigninLogs | extend s = strrep('ü', 100000) | project translate(s, s, s), punycode_from_string(s), unicode_codepoints_from_string(s), make_string(unicode_codepoints_from_string(s)), string_size(s)",
		"compression":                    "SigninLogs | extend s = strrep('x', 900000) | extend z = gzip_compress_to_base64_string(s) | project gzip_decompress_from_base64_string(z), zlib_decompress_from_base64_string(zlib_compress_to_base64_string(s))",
		"a text that unpacks":            "SigninLogs | extend z = gzip_compress_to_base64_string(strrep('x', 1000000)) | extend z = gzip_compress_to_base64_string(strrep(z, 900)) | project strlen(gzip_decompress_from_base64_string(gzip_decompress_from_base64_string(z)))",
		"zip and sort":                   "SigninLogs | extend a = range(1, 200000, 1) | project zip(a, a, a), array_sort_desc(a, a), array_rotate_left(a, 99999), array_split(a, a), array_iff(a, a, a), array_slice(a, 1, -1), jaccard_index(a, a)",
		"bags merged":                    "SigninLogs | extend b = parse_json(strcat('{', strrep('\"a\":1,', 50000), '\"b\":2}')) | project bag_merge(b, b, b), bag_keys(b), bag_remove_keys(b, bag_keys(b)), bag_set_key(b, 'x', b), treepath(b)",
		"names of columns":               "SigninLogs" + rep(" | extend c = pack_all()", 30),
		"pack_all of everything":         "SigninLogs" + rep(" | extend c = pack_all(), d = pack_all()", 15) + " | project strlen(tostring(d))",
		"top-nested":                     "range x from 1 to 3000000 step 1 | top-nested 1000000 of x by count(), top-nested 1000000 of y = x * 2 by max(x)",
		"joins that multiply":            "range x from 1 to 3000 step 1 | extend k = 1" + rep(" | join kind=inner (range y from 1 to 3000 step 1 | extend k = 1) on k", 3) + " | summarize count(), dcount(strcat(x, y))",
		"lookup of everything":           "range x from 1 to 3000000 step 1 | extend s = tostring(x) | lookup (range y from 1 to 3000000 step 1 | extend s = tostring(y)) on s | summarize make_set(s)",
		"geometry":                       "SigninLogs | extend p = parse_json(strcat('[', strrep('[1,1],', 50000), '[1,1]]')) | project geo_point_in_polygon(1, 1, bag_pack('type', 'Polygon', 'coordinates', pack_array(p)))",
		"hll":                            "range x from 1 to 3000000 step 1 | summarize h = hll(x), t = tdigest(x) by y = x / 3 | summarize hll_merge(h), tdigest_merge(t)",
		"windows that restart":           "range x from 1 to 3000000 step 1 | sort by x asc | extend w = row_window_session(datetime(2020-01-01) + x * 1s, 1h, 1m), r = row_rank_dense(x), q = next(x, 100000)",
		"fork":                           "SigninLogs | extend k = 1 | join kind=inner (AuditLogs | extend k = 1) on k | fork " + rep("(summarize dcount(strcat(Id, Id1))) ", 30),
		"facet":                          "SigninLogs | facet by " + rep("Id, ", 500) + "Id",
		"time formats":                   "SigninLogs | project format_timespan(1d, strrep('d', 1000000)), make_datetime(strrep('1', 1000000)), todatetime(strrep('2', 1000000)), totimespan(strrep('1:', 1000000)), todecimal(strrep('9', 1000000)), toreal(strrep('9', 1000000)), tolong(strrep('9', 1000000))",
		"decimals":                       chain("print a = decimal(1.0000000001)", "a * a", 400),
		"decimals of rows":               "range x from 1 to 3000000 step 1 | extend a = todecimal(x) / 3 | extend b = pow(a, 20), c = a * a * a * a | summarize sum(c), max(b)",
		"powers":                         "range x from 1 to 10000000 step 1 | summarize sum(gamma(x)), sum(pow(x, x)), sum(log(x))",
		"anomalies":                      "SigninLogs | make-series n = count() on TimeGenerated from datetime(2000-01-01) to datetime(2030-01-01) step 1h by Id | extend series_decompose_anomalies(n), series_fit_line(n), series_decompose_forecast(n, 24)",
		"rows of external tables":        "externaldata(a:string)[@'https://example.com/a.csv'] | count",
	}
}

// endured is what the process tells of itself.
type endured struct {
	Compile, Run   time.Duration // of all processors together
	Outcome        string
	Rows           int
	Truncated      bool
	Before, During int64 // resident bytes: before the query, the most while it ran
}

// endure runs one hostile query, by its name, and prints what came of it.
func endure(name string) {
	ctx := context.Background()
	s, err := logstore.OpenMemory(ctx, logstore.Options{Memory: hostileMemory, Threads: hostileThreads, Now: now})
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
	start := worked()
	bind, limits := kql.Bind{Now: value.FromTime(clock)}, logstore.Limits{Timeout: hostileTimeout, MaxRows: hostileRows, MaxBytes: hostileBytes}
	p, diags := kql.Compile(hostileQueries()[name], kql.Options{Catalog: schema.Default().Catalog(), Explore: func(p *kql.Program) (*kql.Result, error) {
		return s.Run(ctx, p, bind, limits)
	}})
	e.Compile = worked() - start
	if p == nil {
		e.Outcome = "refused: " + diags.Err().Error()
	} else {
		start = worked()
		r, err := s.Run(ctx, p, bind, limits)
		e.Run = worked() - start
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

// worked gives how long processors have worked for this process.
func worked() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
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
// most memory that it had and how long it worked beyond its limit.
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
			if most := hostileThreads * (hostileTimeout + mostOverrun); e.Run > most {
				t.Errorf("running took %v, at most %v is right where it must end after %v", e.Run, most, hostileTimeout)
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
