package kql_test

import (
	"fmt"
	"strings"
	"testing"

	"glassward/kql"
	"glassward/kql/value"
)

// TestScanAgreesWithTheEngine holds that an expression has the same value and type where scan computes it over the state
// of a step, which the engine does not, as where the engine computes it over the row.
func TestScanAgreesWithTheEngine(t *testing.T) {
	const table = `datatable(k:long, i:int, l:long, r:real, b:bool, s:string, t:datetime, d:timespan, g:guid, j:dynamic)[
1, 3, 10, 2.5, true, "Alpha beta", datetime(2026-11-21T10:20:30.5), timespan(1.02:03:04), guid(74be27de-1e4e-49d9-b579-fe0b331d3642), dynamic({"a": [1, "x", {"n": 2.5}], "b": true}),
2, -4, -7, -0.5, false, "", datetime(2020-02-29), -5m, guid(null), dynamic([3, null, "2026-01-01"]),
3, 0, 9223372036854775807, 1e300, true, "12", datetime(9999-12-31), 0s, guid(00000000-0000-0000-0000-000000000001), dynamic("text"),
4, int(null), long(null), real(null), bool(null), "é\"\\\n", datetime(null), timespan(null), guid(null), dynamic(null)]`
	e := newEngine(t)
	now, _ := value.ParseDateTime(testNow)
	for _, x := range strings.Split(strings.TrimSpace(`
i + 1; l + l; l - 5; l * 3; l / 2; -7 / l; l % 4; -l; r * 2; r / 0.0; l / 0; i % 3; r + i
t + d; t - d; t - t; d + d; d * 2; d / 2; d / 1h; t - datetime(2020-01-01); t + 100000d
i == 3; l != 10; r < 2.5; s == "12"; s != ""; b == true; t > datetime(2021-01-01); d >= 0s; g == guid(74be27de-1e4e-49d9-b579-fe0b331d3642)
b and l > 0; b or l > 0; not(b); i in (3, 4); s in~ ("ALPHA BETA", "x"); l between (0 .. 20)
s =~ "alpha BETA"; s contains "PHA"; s has "beta"; s startswith "al"; s endswith_cs "beta"; s hasprefix "alp"; s !contains "x"; s matches regex "^A.*a$"
iff(b, l, 0); case(l > 5, "big", l > 0, "small", "none"); coalesce(l, 5); coalesce(s, "z"); max_of(l, 3); min_of(r, 1.0)
isnull(l); isnotnull(t); isempty(s); isnotempty(j); isnull(j)
tostring(i); tostring(r); tostring(b); tostring(t); tostring(d); tostring(g); tostring(j)
toint(r); tolong(s); toreal(s); tobool(l); todatetime(s); totimespan(l); tolong(t); toint(l); todouble(d); toguid(s); tolong(b)
strcat(s, "-", i, "-", t); strcat_delim(",", s, l); strlen(s); toupper(s); tolower(s); substring(s, 1, 3); split(s, " "); replace_string(s, "a", "b"); extract("([a-z]+)", 1, s); indexof(s, "b"); reverse(s); trim("a", s)
bin(l, 4); bin(t, 1h); bin(r, 0.4); bin(d, 1m); abs(l); abs(r); round(r, 1); floor(r, 1); sign(r); exp(r); sqrt(r); pow(r, 2)
j.a[0]; j.a[-1].n; j["b"]; tostring(j.a[1]); tolong(j[0]); j[1]; array_length(j); array_length(j.a); todatetime(j[2]); gettype(j); j.a[0] == 1
pack_array(l, s, t); bag_pack("x", l, "y", j); array_concat(pack_array(l), pack_array(s)); set_union(pack_array(l), pack_array(i)); bag_keys(j); parse_json(s); dynamic_to_json(j); todynamic(s)
startofday(t); startofmonth(t); endofweek(t); dayofweek(t); hourofday(t); datetime_diff("hour", t, datetime(2020-01-01)); datetime_part("year", t); format_datetime(t, "yyyy-MM"); datetime_add("day", 1, t); monthofyear(t)
binary_and(l, 6); binary_xor(i, 5); binary_not(l); isnan(r); isfinite(r); bin_at(l, 4, 1); bin_at(t, 1d, datetime(2020-01-01T05:00)); gettype(l)
hash_sha256(s); base64_encode_tostring(s); parse_url(s); now() - t; ago(1d) < t`), ";") {
		for _, x := range strings.Split(x, "\n") {
			if x = strings.TrimSpace(x); x == "" {
				continue
			}
			// Every column is read from the state of the step before, which holds the same row.
			over := columnsOf(x)
			plain := table + " | extend v = " + x + " | project k, v"
			p, diags := kql.Compile(plain, kql.Options{})
			if p == nil {
				t.Errorf("%s: %v", x, diags.Err())
				continue
			}
			want, err := e.run(p, kql.Bind{Now: now})
			if err != nil {
				t.Fatalf("%s: %v", x, err)
			}
			scan := fmt.Sprintf("%s | sort by k asc | extend twice = dynamic([0, 1]) | mv-expand twice to typeof(long) | sort by k asc, twice asc"+
				" | scan declare (v:%s) with (step first output=none: twice == 0; step second: first.k == k and twice == 1 => v = %s) | project k, v", table, want.Columns[1].Type, over)
			q, diags := kql.Compile(scan, kql.Options{})
			if q == nil {
				t.Errorf("%s: %v", over, diags.Err())
				continue
			}
			got, err := e.run(q, kql.Bind{Now: now})
			if err != nil {
				t.Errorf("%s: %v", over, err)
				continue
			}
			if g, w := fmt.Sprint(got.Rows), fmt.Sprint(want.Rows); g != w {
				t.Errorf("%s:\n scan   %s\n engine %s", x, g, w)
			}
		}
	}
}

// columnsOf writes first. before the columns of an expression.
func columnsOf(x string) string {
	var b strings.Builder
	quoted := byte(0)
	word := func(c byte) bool { return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }
	for i := 0; i < len(x); i++ {
		switch {
		case x[i] == '"':
			quoted ^= 1
		case quoted == 0 && strings.IndexByte("ilrbstdgj", x[i]) >= 0 && (i == 0 || !word(x[i-1]) && x[i-1] != '.') && (i+1 == len(x) || !word(x[i+1])):
			b.WriteString("first.")
		}
		b.WriteByte(x[i])
	}
	return b.String()
}
