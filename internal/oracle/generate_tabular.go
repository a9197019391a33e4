package main

import "strings"

// tabular makes up queries with every operator over columns of every type.
func (g *generator) tabular() {
	one := []string{
		"T | distinct %s", "T | sort by %s", "T | order by %s asc nulls first", "T | top 3 by %s", "T | top 3 by %s asc nulls last",
		"T | mv-expand %s", "T | mv-expand x = %s", "T | mv-expand with_itemindex = n %s", "T | mv-expand %s limit 3", "T | mv-expand x = %s to typeof(string)", "T | mv-expand bagexpansion = array %s, d",
		"T | mv-apply %s on (take 1)", "T | mv-apply x = %s on (summarize count())", "T | mv-apply x = %s to typeof(long) on (where x > 1)",
		"T | project %s, %[1]s", "T | project x = %s, x = 1", "T | extend x = %s", "T | extend %s = 1", "T | project-away %s", "T | project-keep %s", "T | project-rename x = %s", "T | project-reorder %s, *",
		"T | parse %s with 'a' x", "T | parse %s with 'a' x:long 'b' y:datetime *", "T | parse kind=regex %s with 'a' x:real", "T | parse-where %s with x ' ' y", "T | parse-kv %s as (x:long, y:string)",
		"T | sample-distinct 3 of %s", "T | top-hitters 3 of %s", "T | top-hitters 3 of s by %s", "T | partition by %s (take 1)", "T | partition hint.strategy=native by %s (summarize count())",
		"T | make-series count() on %s step 1", "T | make-series count() on %s step 1h", "T | make-series x = sum(l) on %s from 0 to 10 step 2 by s", "T | make-series count() on t step 1d by %s",
		"T | take %s", "T | limit 3 | getschema", "T | project %s | getschema", "T | project %s | as Z | where true | union Z", "T | summarize by %s | count", "T | search 'a' and %s == 1", "T | search in (U) 'x'",
		"T | project x = toscalar(U | project %s)", "T | where l == toscalar(U | summarize count() by %s)", "T | project x = pack_all(), y = pack('a', %s), %[1]s", "T | serialize %s", "T | serialize x = row_number()",
		"T | union U | project %s", "T | union (U | project-away %s)", "T | union kind=inner U | take 1", "union withsource=Origin T, (U | project %s)", "union kind=outer (T | project %s), (U | project %[1]s)", "union isfuzzy=true T, Missing, (U | project %s)",
		"let Z = T | project %s; Z | join Z on %[1]s", "let Z = (x:%[1]s) { T | where l == x }; Z(1)", "T | lookup U on %s", "T | lookup kind=inner (U | project %s, key) on %[1]s",
		"T | where isnotempty(%s) and isnull(%[1]s)", "T | evaluate bag_unpack(%s)", "T | evaluate bag_unpack(%s) : (a:long, b:string)", "T | evaluate narrow()", "T | project %s, d | evaluate bag_unpack(d, 'p_') : (*, p_a:long)",
		"T | evaluate pivot(s, sum(%s), i)", "T | evaluate pivot(%s)", "T | project %s | render table", "T | render timechart with (xcolumn=t, ycolumns=%s)", "T | consume", "T | where %s == 1 | invoke f()", "let f = (Z:(l:long)) { Z | where l > 1 }; T | project %s, l | invoke f()",
		"let f = (Z:(*)) { Z | extend w = 1 }; T | project %s | invoke f()", "let f = (Z:(%[1]s:long)) { Z }; T | invoke f()", "T | reduce by %s", "T | find where %s == 1", "find in (T, U) where %s == 1 project l, s", "T | fork (take 1) (project %s)", "T | facet by %s",
		"T | top-nested 2 of %s by count()", "T | top-nested 2 of s by max(%s), top-nested 1 of %[1]s by count()", "T | top-nested of x = %s with others = 'o' by y = sum(l)",
		"T | scan with (step a: %s == 1;)", "T | scan declare (x: long = 0) with (step a: true => x = %s;)", "T | scan with_match_id = n declare (x: real) with (step a output=last: %s == 1 => x = l; step c: true;)",
		"range x from %s to 10 step 1", "print %s", "datatable(x: string)['a'] | extend y = %s", "T | where %s in (1, 2)", "T | sort by %s desc, l + 1 asc | extend x = prev(%[1]s), y = next(%[1]s, 2, %[1]s)",
		"T | extend x = row_cumsum(%s)", "T | sort by l | extend x = row_cumsum(%s), y = row_rank_dense(%[1]s)", "T | sort by l | extend row_number(), prev(%s)", "T | serialize row_number(), next(%s)",
	}
	types := map[string]bool{}
	for _, k := range kinds {
		types[k.typ] = true
		for _, f := range one {
			g.fill(f, k.column)
		}
		g.add("datatable(x:%s)[%s, %s(null)] | project x", k.typ, k.literal, k.typ)
		g.add("range x from %s to %s step %s", k.literal, k.literal, k.literal)
		for _, y := range kinds {
			g.add("T | mv-expand %s to typeof(%s)", k.column, y.typ)
			g.add("T | mv-expand %s, %s", k.column, y.column)
			g.add("T | mv-apply x = %s to typeof(%s) on (summarize max(x))", k.column, y.typ)
			g.add("T | parse s with x:%s ',' y:%s", k.typ, y.typ)
			g.add("T | join (U) on $left.%s == $right.%s", k.column, y.column)
			g.add("T | lookup (U | project %s, key) on $left.%s == $right.%s", y.column, k.column, y.column)
			g.add("T | join kind=inner (T | project l, x = %s) on l, $left.%s == $right.x", y.column, k.column)
			g.add("union (T | project x = %s), (T | project x = %s)", k.column, y.column)
			g.add("union kind=inner (T | project x = %s, i), (T | project x = %s, i)", k.column, y.column)
			g.add("range x from %s to %s step 1", k.literal, y.literal)
			g.add("range x from %s to %s step %s", k.literal, k.literal, y.literal)
			g.add("datatable(x:%s)[%s]", k.typ, y.literal)
			g.add("T | extend x = %s | extend x = %s, y = x", k.column, y.column)
			g.add("T | make-series sum(l) default = %s on %s from %s to %s step %s", y.literal, k.column, k.literal, k.literal, y.literal)
			g.add("let x = %s; T | where %s == x | project x", k.literal, y.column)
			g.add("T | partition by %s (summarize x = max(%s))", k.column, y.column)
			g.add("T | top 2 by %s, %s", k.column, y.column)
			g.add("T | top-hitters 2 of %s by %s", k.column, y.column)
			g.add("T | evaluate pivot(%s, count(), %s)", k.column, y.column)
			g.add("T | parse-kv s as (a:%s, b:%s) with (pair_delimiter=',', kv_delimiter='=')", k.typ, y.typ)
		}
	}
	for _, kind := range []string{"inner", "innerunique", "leftouter", "rightouter", "fullouter", "leftsemi", "leftanti", "rightsemi", "rightanti", "anti", "leftantisemi", "rightantisemi", "outer"} {
		g.add("T | join kind=%s U on s", kind)
		g.add("T | join kind=%s U on l, $left.s == $right.key", kind)
		g.add("T | join kind=%s (U | project-rename l1 = l) on s, r", kind)
		g.add("T | project l, s | join kind=%s (T | project l, s) on l | join kind=%s (T | project l, s) on s", kind, kind)
		g.add("T | project l, l1 = s | join kind=%s (T | project l, l1 = r) on l", kind)
		g.add("T | lookup kind=%s U on s", kind)
		g.add("T | join kind=%s U on $left.l == $right.i and $left.s == $right.key", kind)
		g.add("T | join kind=%s hint.strategy=broadcast U on l", kind)
		g.add("T | join kind=%s U on nothing", kind)
		g.add("T | join kind=%s (U | where l == 'x') on l, l", kind)
		g.add("T | join kind=%s (T) on $left.l == $right.l", kind)
		g.add("T | join kind=%s (T) on tolower(s)", kind)
	}
	for _, q := range []string{
		"T | count", "T | count as n", "T | project *", "T | project l, *", "T | project-reorder s, l asc", "T | project-reorder * desc", "T | project-reorder *2, d asc", "T | project-away *", "T | project-away l, nothing", "T | project-keep r, l", "T | project-keep l*",
		"T | project-rename l = s", "T | project-rename x = l, y = l", "T | project-rename x = nothing", "T | extend l1 = l | join T on l | project l1, l11", "T | distinct *", "T | distinct l, s, l", "T | distinct l + 1", "T | distinct x = l",
		"T | sort by *", "T | sort by l, s desc nulls last", "T | top 1 + 1 by l", "T | top l by s", "T | take 1 + 1", "let n = 3; T | take n", "T | take -1", "T | take 1.5", "T | take '1'", "T | take long(null)",
		"T | summarize", "T | summarize by l, s", "T | summarize count() by", "T | summarize count(), count()", "T | summarize count_ = sum(l), count()", "T | summarize l = count() by l", "T | summarize max(l), max_l = min(l)", "T | summarize s = max(l) by s", "T | summarize count() by l, l", "T | summarize count() by bin(t, 1h), startofday(t), t",
		"T | summarize a = count(), b = a + 1", "T | extend x = 1, y = x + 1", "T | project x = 1, y = x + 1", "T | extend (x, y) = d", "T | extend (x, y) = dynamic([1, 2])", "T | project (x, y) = pack_array(1, 2)", "T | extend series_stats_dynamic(d)", "T | summarize (a, b) = max(l)",
		"T | summarize arg_max(t, *)", "T | summarize arg_max(t, *) by l", "T | summarize arg_max(t, l, l)", "T | summarize x = arg_max(t, l, s)", "T | summarize (x, y) = arg_max(t, l, s)", "T | summarize arg_max(t, l), arg_min(t, l)", "T | summarize max_t = arg_max(t, *)", "T | summarize arg_max(t + 1d, *) by s", "T | summarize take_any(*)", "T | summarize take_any(*) by s", "T | summarize any(*)", "T | summarize x = take_any(l, s)", "T | summarize percentiles(l, 5, 50), max(l) by s", "T | summarize percentiles(l, 5.5, 99.99)", "T | summarize percentile(l + 1, 50)", "T | summarize x = percentiles(l, 5, 50)", "T | summarize (a, b) = percentiles(l, 5, 50)", "T | summarize percentiles(l, dynamic([5, 50]))", "T | summarize percentiles_array(l, dynamic([5, 50]))", "T | summarize percentilew(l, i, 50), percentilesw(l, i, 5, 50)", "T | summarize percentile(l, i)", "T | summarize dcount(l, 2), dcount(s, i)", "T | summarize count(l)", "T | summarize countif(l)", "T | summarize sumif(l, s)", "T | summarize avg(t), min(t), max(z), sum(z), stdev(l), variance(r)",
		"T | summarize buildschema(d), make_bag(d), make_list_with_nulls(l), hll(l), tdigest(l)", "T | make-series count(), sum(l), avg(r) default = 1.0 on t from ago(1d) to now() step 1h by s, l", "T | make-series l = count() on t step 1h by l", "T | make-series count() on bin(t, 1h) step 1h", "T | make-series count() on x = t step 1h", "T | make-series count() on t in range(ago(1d), now(), 1h)", "T | make-series count() on l from 0 to 10 step 1.5", "T | make-series count() + 1 on t step 1h", "T | make-series arg_max(l, s) on t step 1h", "T | make-series percentiles(l, 5, 50) on t step 1h",
		"union T, U", "union *", "union T*", "union withsource=s T, U", "union kind=inner T, U", "union (T | take 1), U | count", "union Missing, T", "T | union withsource=x U | summarize count() by x", "union kind=outer withsource=Src T, U | project Src, l_long, l_real",
		"print 1", "print 1, 'a', x = now()", "print now()", "print x = 1, x = 2", "print strcat('a', 'b'), strlen('a')", "print a.b", "print dynamic({'a': 1}).a", "print pack('a', 1).a", "print (1 + 2)", "print -1, +1, not(true)", "print 1 == 1, 1 in (1, 2), 1 between (1 .. 2)", "print null", "print dynamic(null)", "print x = int(null)", "print typeof(long)", "print 'a' 'b'", "print h'a', @'b', ```c```", "print 1d, 1h, 1m, 1s, 1ms, 1microsecond, 1tick, 1days", "print 1.5e3, 0x1F, 1e400, 9223372036854775807", "print 9223372036854775808", "print true, false, True, FALSE", "print datetime(2026-01-31 10:00), datetime(null), date(2026-01-31), time(1h), timespan('1.02:03:04')", "print datetime(31.01.2026)", "print guid(x)", "print int(1.5), long(1.5), real(1), decimal(1.5)", "print int('1')", "print bool(1), boolean(true), bool('x')", "print dynamic([1, 'a', {'b': null}])", "print dynamic([x])", "print double(1), uniqueid(74be27de-1e4e-49d9-b579-fe0b331d3642)",
		"let x = 1; let y = x + 1; print y", "let x = 1; let x = 2; print x", "let f = (a:long, b:long = 2) { a + b }; print f(1), f(1, 3), f(b = 1, a = 2)", "let f = () { T }; f | count", "let f = () { T | project l }; f() | count", "let f = view () { T }; union f, U", "let f = (a) { a }; print f(1)", "let f = (a:int) { a }; print f('x')", "let f = (a:long) { a }; print f()", "let f = (a:long) { a }; print f(1, 2)", "let T = U; T | project key", "let l = 5; T | project l", "let x = T; x | where l > 1", "let x = materialize(T | project l); x | join x on l", "let x = toscalar(T | count); print x", "let x = toscalar(T); print x", "let x = (T | project s); T | where s in (x)", "let x = dynamic(['a']); T | where s in (x)", "let x = datatable(a:string)['b']; T | where s in (x)", "declare query_parameters(p:long = 3); print p", "set notruncation; T | count", "alias database x = cluster('a').database('b'); T",
		"print x = 1 | extend 1, 2, x + 1", "print x = 1 | project 1, 2", "print x = 1 | extend Column1 = 2, 3", "print x = 1 | summarize 1", "print x = 1 | summarize count() + 1, sum(x) * 2", "print x = dynamic({}) | project x.a, x['a'], x.a.b, x[0], x.a[0], x[-1], x['a b']", "print x = dynamic({}) | extend x.a, x.a", "print x = 'a' | project tostring(x), tolower(x), strcat(x, x), x =~ 'b', toint(x)",
		"T | where", "T | where l", "T | extend", "T | project", "T |", "| count", "T | where l == 1 and", "T | where (l == 1", "T | where l = 1", "T | where l == 1 or or s == 'x'", "T | where s == \"x", "T | where s = 'a'", "T | whre l == 1", "T | where nothing == 1", "T | where L == 1", "Missing | count", "T | extend x = nothing(1)", "T | extend x = Strlen(s)", "T | extend x = strlen()", "T | extend x = strlen(s, s)", "T; U", "T | count; U | count", "let x = 1", "let x = 1;", "print", "print x =", "T | join U", "T | join U on", "T | join kind=nothing U on l", "T | join on l", "T | join (U) on $left.l = $right.l", "T | join (U) on $left.l == l", "T | join (U) on $left.l == $left.s", "T | join (U) on l == s", "T | join (U) on $right.l == $left.l", "T | join (U) on l > i", "T | join U on $left.l == $right.nothing", "T | lookup U on $left.l == $right.key",
		"T | where s in ('a', 1)", "T | where l in ('a', 1)", "T | where t in ('2026-01-01')", "T | where b in (1, 0)", "T | where s in (dynamic(['a']), 'b')", "T | where s in ()", "T | where s has_any ()", "T | where s has_any ('a', 1)", "T | where s between ('a' .. 'b')", "T | where l between (1 .. 'b')", "T | where t between (ago(1d) .. 1d)", "T | where z between (1h .. 1)", "T | where d between (1 .. 2)", "T | where t > ago(1)", "T | where t > 1d", "T | where t == '2026-01-01'", "T | where z > 5", "T | where t - ago(1d) > 1h", "T | where * has 'a'", "T | where * == 1", "T | where s has s", "T | where s has 1", "T | where l has 1", "T | where l has '1'", "T | where l contains '1'", "T | where b == 'true'", "T | where g == 's'", "T | where g has 's'", "T | where d has 's'", "T | where d == 's'", "T | where d == d", "T | where d > 1", "T | where d.x == d.y", "T | where d + 1 > 2", "T | where not(l)", "T | where not(d)", "T | where not(s)", "T | where l and b", "T | where s and b", "T | where d and b", "T | where isnull(nothing)", "T | where t % 1d == 0", "T | where ['l'] == 1", "T | where ['no such'] == 1", "T | project ['a b'] = l | where ['a b'] == 1", "T | extend ['a b'] = 1, c1 = 2 | project ['a b']",
		"T | getschema | project ColumnName, ColumnType", "T | getschema", "T | search 'x'", "search 'x'", "search in (T, U) l == 1", "search kind=case_sensitive 'a'", "T | search s has 'a' or l == 1 | project $table", "T | as hint.materialized=true Z | count", "T | sample 3", "T | sample l", "T | sample-distinct 3 of l + 1", "T | mv-expand d, d", "T | mv-expand d.a", "T | mv-expand d.a, x = d.b to typeof(long), y = d.c", "T | mv-expand kind=array d", "T | mv-expand bagexpansion=bag d", "T | mv-expand d to typeof(nothing)", "T | mv-expand pack_array(1, 2)", "T | mv-expand x = pack_array(1, 2), y = range(1, 3)", "T | mv-expand with_itemindex=l d", "T | mv-apply d on (project d)", "T | mv-apply d on (summarize count())", "T | mv-apply d to typeof(string) on (where d == 'a' | project d, l)", "T | mv-apply x = d.a, y = d.b on (extend q = x)", "T | mv-apply with_itemindex=n x = d on (top 1 by n)", "T | mv-apply d on (where d.x == 1 | summarize make_list(d) by s)",
		"T | parse s with 'a' l 'b'", "T | parse s with * 'a' x:int 'b' *", "T | parse s with x y", "T | parse s with 'a' x:nothing", "T | parse nothing with 'a' x", "T | parse s with 'a' x:long x", "T | parse d with 'a' x", "T | parse kind=relaxed s with 'a' x:long", "T | parse kind=regex flags=i s with 'a' x", "T | parse-kv s as (l:string)", "T | parse-kv s as (a:string) with (regex=@'(\\w+)=(\\w+)')", "T | parse-kv s as (a:string) with (pair_delimiter=' ', kv_delimiter=':', quote='\"', escape='\\\\', greedy=true)", "T | extend l:string = 1", "T | partition by s (where l > 1 | top 1 by t)", "T | partition hint.strategy=shuffle by s (summarize count() by s)", "T | partition by s { U | where key == s }", "T | invoke nothing()", "T | evaluate nothing()", "T | render nothing", "T | serialize | extend x = row_number(), y = row_cumsum(l), z1 = prev(l), w = next(s)", "T | extend x = row_number()", "T | sort by l | extend prev(l), next(l, 1), prev(l, 1, 0)", "T | order by l | extend row_rank_dense(l), row_rank_min(l), row_number(1), row_number(1, s != prev(s))", "T | sort by l | summarize prev(l)", "T | where prev(l) == 1", "T | order by prev(l)",
		"let f = (x:dynamic) { x.a }; T | project f(d)", "let f = (x:string) { T | where s == x }; f('a') | count", "let f = (Z:(l:long, s:string)) { Z | count }; f(T)", "let f = (Z:(*)) { Z | count }; f(T)", "let f = (Z:(l:string)) { Z }; f(T)", "let f = (Z:(q:string)) { Z }; f(T)", "let f = (x:long) { let y = x + 1; y * 2 }; T | extend z2 = f(l)", "let f = (x:long) { f(x) }; print f(1)", "let f = (x:datetime, y:timespan) { x + y }; print f(now(), 1d)", "let f = (x:real) { x }; print f(1)", "let f = (x:long) { x }; print f(1.5)", "let f = (x:long) { x }; print f(int(1))", "let f = (x:datetime) { x }; print f('2026-01-01')", "let f = (x:string) { x }; print f(1)", "let f = (x:bool) { x }; print f(1)", "let f = (x:dynamic) { x }; print f(1)", "let f = (x:dynamic) { x }; print f('a')",
		"externaldata(a:string)['https://example.com/x.csv']", "T | extend x = todynamic(s).a, y = parse_json(s)[0]", "T | extend x = s.a", "T | extend x = l.a", "T | extend tostring(d.a), d.a, tostring(d['b c']), toint(d[0])", "T | summarize count() by tostring(d.a), d_b = tostring(d.b)", "T | summarize count() by d", "T | summarize count() by d.a", "T | distinct d", "T | distinct d.a", "T | sort by d.a", "T | summarize make_set(d.a), dcount(d), max(d.a), sum(d.a), avg(d)", "T | join U on d", "T | where d in ('a', 1)", "T | where s in (d)", "T | where s in (d.a)", "T | where s has_any (d)", "T | extend x = iff(b, d.a, 'x'), y = iff(b, 'x', d.a), w = coalesce(d.a, 'x'), q = case(b, d.a, 1)", "T | extend x = strlen(d.a), y = strcat(d.a, l), w = d.a + 1, q = d.a * d.b, u = -d.a", "T | extend x = d.a and b, y = not(d.a), w = d.a == true", "T | extend x = bin(d.a, 1), y = bin(d.t, 1h), w = todatetime(d.t) - t, q = d.t - t, u = t - d.t, v = t + d.z", "T | extend x = datetime_diff('day', d.t, t), y = startofday(d.t), w = format_datetime(d.t, 'yyyy')",
	} {
		g.add("%s", q)
	}
}

// fill puts a column into a form that may name it any number of times, also never.
func (g *generator) fill(format, column string) {
	g.add("%s", fillIn(format, column))
}

// names makes up projections of every sort of expression without a name.
func (g *generator) names() {
	exprs := []string{"l", "(l)", "l + 1", "-l", "'a'", "1", "d.a", "d['a']", "d.a.b", "d['a b']", "d[0]", "d[0].a", "d.a[0]", "d[-1]", "d[l]", "d[s]", "tostring(d.a)", "tostring(d['a'])", "toint(l)", "tolower(s)", "bin(l, 5)", "bin(t, 1h)", "startofday(t)", "bin(d.a, 1)", "floor(l, 2)", "now()", "ago(1d)", "iff(b, l, i)", "iff(b, s, '')", "case(b, l, i)", "coalesce(l, i)", "max_of(l, i)", "pack_array(l)", "bag_pack('a', l)", "parse_json(s)", "parse_json(s).a", "parse_json(s).a.b", "todynamic(s)['a']", "todynamic(s).a", "split(s, ',')", "split(s, ',')[0]", "tostring(split(s, ',')[0])", "strcat(s, 'a')", "strlen(s)", "toupper(s)", "trim(' ', s)", "extract('a', 0, s)", "l == 1", "l in (1)", "l between (1 .. 2)", "s has 'a'", "b and b", "not(b)", "isempty(s)", "isnull(l)", "round(r, 1)", "round(r)", "ceiling(r)", "abs(l)", "todatetime(s)", "todouble(s)", "tolong(s)", "totimespan(s)", "toguid(s)", "tobool(s)", "todecimal(s)", "hourofday(t)", "dayofweek(t)", "dayofmonth(t)", "datetime_part('year', t)", "datetime_diff('day', t, t)", "format_datetime(t, 'yyyy')", "endofday(t)", "startofweek(t)", "make_datetime(2026, 1, 1)", "array_length(d)", "bag_keys(d)", "parse_url(s)", "parse_url(s).Host", "toscalar(U | count)", "row_number()", "prev(l)", "rand()", "new_guid()", "column_ifexists('l', 1)", "column_ifexists('nothing', 1)", "(tostring(l))", "(d.a)", "tostring((d.a))", "tostring(tolower(s))", "tolower(tostring(d.a))", "pack_all()", "ipv4_is_private(s)", "hash_sha256(s)", "base64_encode_tostring(s)", "['l']", "T.l", "gettype(d)", "unixtime_seconds_todatetime(l)", "z / 1h", "t - t", "array_slice(d, 0, 1)", "set_union(d, d)", "dynamic({'a': 1}).a", "dynamic([1])[0]", "series_stats_dynamic(d)", "series_stats_dynamic(d).min", "zip(d, d)", "make_timespan(1, 2)", "1h", "datetime(2026-01-01)", "dynamic([1])", "true"}
	for _, e := range exprs {
		for _, f := range []string{"T | project %s", "T | extend %s", "T | extend %s, %[1]s", "T | project %s, l, %[1]s", "T | summarize count() by %s", "T | summarize by %s, %[1]s", "T | summarize max(%s), dcount(%[1]s), make_set(%[1]s)", "T | summarize arg_max(%s, l), arg_min(l, %[1]s)", "T | distinct %s", "print %s", "T | sort by %s | project l", "T | mv-expand %s", "T | where isnotempty(%s)", "T | serialize %s", "T | extend tostring(%s)", "T | summarize take_any(%s), percentile(%[1]s, 50), countif(isnotnull(%[1]s))", "T | summarize make_list(%s) by bin(%[1]s, 1)", "T | mv-apply %s on (take 1)", "T | make-series max(%s) on t step 1h", "let f = () { %s }; T | project f()", "T | extend x = %s | project gettype(x), x"} {
			g.add("%s", fillIn(f, e))
		}
	}
}

// fillIn replaces %s and %[1]s by a text.
func fillIn(format, text string) string {
	return strings.NewReplacer("%s", text, "%[1]s", text).Replace(format)
}
