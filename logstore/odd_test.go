package logstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"glassward/kql"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// An oddTable is an input that is legal and seldom thought of.
type oddTable struct {
	query    string
	replacer *strings.Replacer // of the places of an operator's text
}

// oddTables have no rows, nothing but nulls, the ends of ranges, names that SQL would read as something else, many
// columns, none. Each has a column of text, of whole numbers, of times and of JSON, as far as it has columns.
func oddTables() map[string]oddTable {
	types := []string{"string", "long", "datetime", "dynamic"}
	table := func(cells string, names ...string) oddTable {
		var cols []string
		for i, n := range names {
			cols = append(cols, "["+kqlQuote(n)+"]:"+types[i%4])
		}
		t := oddTable{query: "datatable(" + strings.Join(cols, ", ") + ")[" + cells + "]"}
		places := []string{"%T", t.query}
		for i, p := range []string{"%s", "%n", "%t", "%d"} {
			places = append(places, p, "["+kqlQuote(names[i])+"]")
		}
		t.replacer = strings.NewReplacer(places...)
		return t
	}
	named := func(names ...string) oddTable {
		cells := make([]string, len(names))
		for i := range names {
			cells[i] = []string{`"a"`, "1", "datetime(2026-01-02)", `dynamic({"k":[1,"x",null]})`}[i%4]
		}
		row := strings.Join(cells, ", ")
		return table(row+", "+row, names...)
	}
	rows := func(cells string) oddTable { return table(cells, "s", "n", "t", "d") }
	many := make([]string, 260) // of which each is four texts in a bag, of which the engine chains less than a thousand
	for i := range many {
		many[i] = fmt.Sprintf("c%d", i)
	}
	none := rows(`"", 1, datetime(2026-01-01), dynamic([1])`)
	none.query += " | project-away *"
	return map[string]oddTable{
		"plain":     rows(`"a", 1, datetime(2026-01-01), dynamic([1, "x", null, {"k": 2}]), "b", 2, datetime(2026-01-02), dynamic({"k": 1}), "", long(null), datetime(null), dynamic(null)`),
		"empty":     rows(""),
		"nulls":     rows(`"", long(null), datetime(null), dynamic(null), "", long(null), datetime(null), dynamic(null)`),
		"extremes":  rows(`"\u0000\u202e😀", 9223372036854775807, datetime(9999-12-31 23:59:59.9999999), dynamic([9223372036854775807, 1e308, {"": ""}]), "%_'\"\\", -9223372036854775808, datetime(0001-01-01), dynamic([[[[]]]])`),
		"quotes":    named(`a"b`, `c'd`, `e\f`, "g\nh"),
		"reserved":  named("select", "from", "order", "group"),
		"hidden":    named("one", "lineage", "row_id", "$schema"),
		"unicode":   named("é", "数", "\u202e", "😀"),
		"spaces":    named(" ", "a b", "", "."),
		"case":      named("A", "a", "B", "b"),
		"long":      named(strings.Repeat("x", 3000), strings.Repeat("y", 3000), "z", "d"),
		"engine":    named("rowid", "oid", "ctid", "values"),
		"many":      named(many...),
		"noColumns": none,
	}
}

func kqlQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// oddOperators are operators with %s, %n, %t and %d for the columns of an odd table. %T is the table once more.
var oddOperators = strings.Split(strings.TrimSpace(`
where %s has "a" or %n > 0 or %t < now() or tostring(%d) contains "x"
where %s in (%T)
where %s !in~ ("A", "b") and %n between (-1 .. 1) and isnotempty(%d)
where %n in (toscalar(%T | project %n), 3)
where * has "a"
where false
extend x = %n + %n, y = %n * %n, z = -%n, w = %n / %n, v = %n % %n, u = abs(%n)
extend x = %t + 1d, y = %t - %t, z = bin(%t, 7d), w = startofmonth(%t), v = datetime_add("year", %n, %t), u = %t - 1tick
extend x = bin(%n, 10), y = bin_at(%n, 7, -3), z = binary_shift_left(%n, %n), w = tostring(%n), v = toint(%n), u = todecimal(%n)
extend x = %d.k, y = %d[0], z = %d[-1], w = array_length(%d), v = bag_keys(%d), u = tolong(%d)
extend x = substring(%s, %n, %n), y = strrep(%s, %n), z = split(%s, ""), w = extract("(.)", 1, %s), v = indexof(%s, "a", %n)
extend x = totimespan(%n), y = todatetime(%n), z = unixtime_seconds_todatetime(%n), w = make_timespan(%n, %n), v = make_datetime(%n, 1, 1)
extend %s = %n, %n = %s
extend row_id = 1, ["$one"] = 2, lineage = 3, l = 4, r = 5, x = 6
extend x = range(%n, %n, 1), y = repeat(%n, 3), z = pack_all(), w = pack("", %d), v = array_slice(%d, %n, %n)
extend x = format_datetime(%t, "yyyy"), y = format_timespan(%t - %t, "d"), z = dayofweek(%t), w = week_of_year(%t), v = datetime_diff("second", %t, datetime(2020-01-01))
extend x = iff(isnull(%n), %n, 1), y = coalesce(%n, 5), z = case(%s == "", %d, %d), w = max_of(%n, 1), v = hash(%s), u = hash(%n)
extend x = round(%n, %n), y = pow(%n, %n), z = exp(%n), w = sqrt(%n), v = log(%n), u = gamma(%n)
project %s, %n
project %n, %n2 = %n, %s
project x = %s, [""] = %n
project *
project-away *
project-away %s, %n, %t, %d
project-away x*
project-keep *
project-keep %n
project-keep nothing*
project-rename x = %s
project-rename %s = %n, %n = %s
project-reorder %d, * granny-asc
project-reorder *
distinct *
distinct %s, %n
summarize
summarize by %s
summarize by %s, %n, %t
summarize count()
summarize count() by %s
summarize count() by bin(%t, 1d), %s
summarize count() by bin(%n, 10)
summarize sum(%n), avg(%n), min(%n), max(%n), stdev(%n), variance(%n), dcount(%n), percentile(%n, 50)
summarize sum(%n), avg(%n), percentiles(%n, 0, 100), make_list(%n), make_set(%s), make_bag(%d) by %s
summarize arg_max(%t, *), arg_min(%n, %s)
summarize arg_max(%n, *) by %s
summarize take_any(*)
summarize take_any(*) by %n
summarize x = max(%s), y = min(%t), z = sumif(%n, %n > 0), w = countif(%s == ""), hll(%n), tdigest(%n)
summarize make_list(pack_all()), binary_all_and(%n), binary_all_xor(%n), make_list_with_nulls(%d), count_distinct(%s)
summarize percentilew(%n, %n, 50), sum(%n * %n), avg(%t - %t), sum(%t - datetime(2020-01-01)), sum(%n % 3)
count
count as x
take 1
take 0
top 1 by %n
top 2 by %s desc, %t asc nulls first
top-nested 2 of %s by count()
top-nested of %s by sum(%n), top-nested 1 of %n by max(%n)
top-nested 1 of %s with others = "o" by count()
top-hitters 2 of %s
top-hitters 1 of %s by %n
sort by %s, %n desc nulls first, %t
sort by %d asc
sort by pack_all() asc
sample 2
sample-distinct 2 of %s
serialize x = row_number(), y = prev(%n), z = next(%s, 2), w = row_cumsum(%n), v = row_rank_dense(%n), u = row_window_session(%t, 1h, 1m)
serialize x = row_number(9223372036854775807), y = prev(%n, 9223372036854775807), z = next(%n, %n)
sort by %n asc | extend x = row_cumsum(%n, %s != prev(%s)), y = row_rank_min(%n)
getschema
consume
as X | union X
as X | join (X) on %s
as hint.materialized=true X | join kind=fullouter (X | take 1) on %n
join (%T) on %s
join kind=inner (%T) on %n
join kind=leftouter (%T) on %s, %n
join kind=rightouter (%T) on $left.%s == $right.%s
join kind=fullouter (%T) on %t
join kind=leftanti (%T) on %s
join kind=rightsemi (%T) on %n
join kind=inner (print x = 1) on $left.%n == $right.x
join kind=fullouter (%T | take 0) on %s
lookup (%T) on %s
lookup kind=inner (%T | project %n, x = 1) on %n
union (%T)
union kind=inner (%T), (print x = 1)
union kind=outer withsource=src (%T), (print %s = 1)
union withsource=%s (%T)
union (datatable(%s:long)[1])
union (print x = 1 | project-away x)
mv-expand %d
mv-expand x = %d to typeof(long), y = %d
mv-expand kind=array with_itemindex=i %d limit 2
mv-expand with_itemindex=%s %d
mv-expand %d, x = pack_array(1, %n)
mv-apply %d on (take 1)
mv-apply x = %d to typeof(string) on (summarize count(), make_list(x))
mv-apply with_itemindex=i x = %d on (top 1 by i | project x, i)
mv-apply x = %d on (where x in (%T))
make-series count() on %t from datetime(2026-01-01) to datetime(2026-01-05) step 1d
make-series x = sum(%n) default = 0 on %t step 1d by %s
make-series x = avg(%n) on %n from 0 to 5 step 1
make-series x = make_list(%s) on %n from 0 to 3 step 1 by %t
parse %s with "a" x:long "b" y
parse kind=regex %s with "(" x
parse kind=relaxed %s with * "a" %s
parse-where %s with x "b" *
parse-kv %s as (a:string, b:long) with (pair_delimiter=" ", kv_delimiter="=")
partition by %s (count)
partition by %n (top 1 by %t | extend x = 1)
partition by %t (summarize make_list(%s) by %n)
partition by %s (as P | where %n in (P | summarize max(%n)))
partition by %s (project-away *)
partition by %s { print 1 }
scan declare (x:long = 0) with (step a: true => x = a.x + 1;)
sort by %t asc | scan with_match_id=m declare (x:long) with (step a output=none: isnotnull(%n) => x = %n * 2; step b: %n > a.x or %s == "a";)
reduce by %s
facet by %s, %n with (take 1)
fork (count) (take 1) (project-away *)
search "a"
search %s:"a" or %s == "b"
search *
find where %s has "a"
evaluate bag_unpack(%d)
evaluate bag_unpack(%d, columnsConflict="keep_source")
evaluate bag_unpack(%d, "p_")
evaluate pivot(%s)
evaluate pivot(%s, sum(%n), %t)
evaluate narrow()
evaluate basket()
evaluate autocluster()
evaluate diffpatterns(%s, "a", "b")
evaluate dcount_intersect(%d)
evaluate sliding_window_counts(%s, %t, datetime(2026-01-01), datetime(2026-01-03), 1d, 1d)
evaluate activity_counts_metrics(%s, %t, datetime(2026-01-01), datetime(2026-01-03), 1d)
evaluate sequence_detect(%t, 1d, 2d, a = %s == "a", b = %s == "b", %n)
evaluate rolling_percentile(%n, 50, %t, 1d, 2)
evaluate ipv4_lookup(datatable(net:string)["10.0.0.0/8"], %s, net)
invoke f()
render table
`), "\n")

// TestOddQueries runs what is legal and odd on the store's own engine: a diagnostic or a result comes of it, or what a
// function says about its arguments, but never the engine's own complaint.
func TestOddQueries(t *testing.T) {
	s := memory(t)
	catalog := schema.Default().Catalog()
	bind := kql.Bind{Now: value.FromTime(clock), From: value.FromTime(clock.Add(-time.Hour)), To: value.FromTime(clock), SeqTo: 10}
	for name, table := range oddTables() {
		t.Run(name, func(t *testing.T) {
			compiled := 0
			for _, op := range oddOperators {
				query := "let f = (T:(*)) { T | count };\n" + table.query + "\n| " + table.replacer.Replace(op)
				for _, lineage := range []bool{false, true} {
					run := func(p *kql.Program) (*kql.Result, error) {
						return s.Run(context.Background(), p, bind, logstore.Limits{MaxRows: 1000, Timeout: 20 * time.Second})
					}
					p, diags := kql.Compile(query, kql.Options{Catalog: catalog, Lineage: lineage, Explore: run})
					if p == nil || failed(diags) {
						break
					}
					compiled++
					if _, err := run(p); err != nil && !strings.Contains(err.Error(), "kql_") {
						t.Errorf("%s, lineage %v: %v", op, lineage, err)
					}
				}
			}
			t.Logf("%d of %d ran", compiled, 2*len(oddOperators))
		})
	}
}
