package bind

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"glassward/kql/diag"
	"glassward/kql/rel"
	"glassward/kql/syntax"
	"glassward/kql/value"
)

// nameHint gives what may be meant by a name that is not among names, or "".
func nameHint(name string, names []string) string {
	near := diag.Nearest(name, names)
	switch {
	case near == "":
		return ""
	case strings.EqualFold(near, name):
		return "names regard case: write " + near
	}
	return "did you mean " + near + "?"
}

// fewHint is nameHint for names of which there may be many: where none is near it gives the few that are most like it,
// else the first few.
func fewHint(name string, names []string) string {
	const few = 5
	if hint := nameHint(name, names); hint != "" || len(names) == 0 {
		return hint
	}
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	near := diag.Near(name, names, few)
	switch more := len(names) - few; {
	case more <= 0:
		return "there are: " + strings.Join(names, ", ")
	case len(near) > 0:
		return "there are, among others: " + strings.Join(near, ", ")
	default:
		return fmt.Sprintf("there are: %s and %d more", strings.Join(names[:few], ", "), more)
	}
}

// foreignFunction gives what says in KQL what a function of SQL or of another language says, or "".
func foreignFunction(name string) string {
	switch strings.ToLower(name) {
	case "len", "length", "lenght":
		return "strlen(x), or array_length(x) of an array"
	case "char_length":
		return "strlen(x)"
	case "size":
		return "array_length(x)"
	case "concat":
		return "strcat(a, b, …)"
	case "concat_ws":
		return "strcat_delim(delimiter, a, b, …)"
	case "upper", "ucase":
		return "toupper(x)"
	case "lower", "lcase":
		return "tolower(x)"
	case "if":
		return "iff(condition, then, else)"
	case "ifnull", "nvl", "isnull_or":
		return "coalesce(x, y)"
	case "nullif":
		return "iff(x == y, …(null), x)"
	case "cast", "convert", "try_cast":
		return "toint(x), tostring(x), todatetime(x) and their like"
	case "datediff":
		return "datetime_diff('day', a, b), or a - b"
	case "dateadd":
		return "datetime_add('day', n, x), or x + n * 1d"
	case "date_trunc":
		return "startofday(x), or bin(x, 1h)"
	case "date_format", "strftime":
		return "format_datetime(x, format)"
	case "getdate", "current_timestamp", "sysdate", "utcnow":
		return "now()"
	case "date_part", "datepart_":
		return "datetime_part('day', x)"
	case "to_date", "to_timestamp", "strptime":
		return "todatetime(x)"
	case "json_extract", "json_value":
		return "x.path of a dynamic value, or extract_json(path, text)"
	case "get_json_object":
		return "extract_json(path, text)"
	case "json_parse", "from_json":
		return "parse_json(x)"
	case "regexp_replace":
		return "replace_regex(text, regex, rewrite)"
	case "regexp_extract":
		return "extract(regex, group, text)"
	case "regexp_like":
		return "x matches regex \"…\""
	case "contains", "like":
		return "x contains \"…\""
	case "has":
		return "x has \"…\""
	case "startswith", "starts_with":
		return "x startswith \"…\""
	case "endswith", "ends_with":
		return "x endswith \"…\""
	case "instr":
		return "indexof(text, lookup)"
	case "in":
		return "x in (…)"
	case "mean", "average":
		return "avg(x)"
	case "stddev":
		return "stdev(x)"
	case "median":
		return "percentile(x, 50)"
	case "first":
		return "arg_min(TimeGenerated, x)"
	case "last":
		return "arg_max(TimeGenerated, x)"
	case "group_concat", "string_agg":
		return "strcat_array(make_list(x), \", \")"
	case "array_agg", "collect_list", "list":
		return "make_list(x)"
	case "collect_set", "values":
		return "make_set(x)"
	case "ltrim":
		return "trim_start(regex, x)"
	case "rtrim":
		return "trim_end(regex, x)"
	case "substring_index":
		return "split(x, delimiter)[0]"
	case "md5":
		return "hash_md5(x)"
	case "sha1":
		return "hash_sha1(x)"
	case "sha256":
		return "hash_sha256(x)"
	case "uuid", "newid":
		return "new_guid()"
	case "power":
		return "pow(x, y)"
	case "ceil":
		return "ceiling(x)"
	case "mod":
		return "x % y"
	case "least":
		return "min_of(a, b)"
	case "greatest":
		return "max_of(a, b)"
	case "explode", "unnest":
		return "the operator mv-expand"
	case "isnotblank":
		return "isnotempty(x)"
	case "isblank", "is_empty":
		return "isempty(x)"
	case "is_null":
		return "isnull(x)"
	}
	return ""
}

// foreignColumns gives what Entra's tables may call a column that other tables have under this name.
func foreignColumns(name string) []string {
	switch strings.ToLower(name) {
	case "timestamp", "time", "_time", "date", "datetime", "createddatetime", "activitydatetime", "eventtime":
		return []string{"TimeGenerated"}
	case "upn", "accountupn", "account":
		return []string{"UserPrincipalName"}
	case "username":
		return []string{"UserPrincipalName", "UserDisplayName"}
	case "accountobjectid", "accountid":
		return []string{"UserId"}
	case "ip", "clientip", "sourceip", "srcip":
		return []string{"IPAddress"}
	case "application", "app":
		return []string{"AppDisplayName"}
	case "applicationid":
		return []string{"AppId"}
	case "actiontype", "action", "activitydisplayname":
		return []string{"OperationName"}
	case "errorcode":
		return []string{"ResultType"}
	case "actor":
		return []string{"InitiatedBy"}
	case "target", "targets":
		return []string{"TargetResources"}
	}
	return nil
}

// foreignType gives KQL's name of a type of another language, or "".
func foreignType(name string) string {
	switch strings.ToLower(name) {
	case "varchar", "nvarchar", "char", "text", "str":
		return "string"
	case "integer":
		return "int or long"
	case "bigint":
		return "long"
	case "smallint":
		return "int"
	case "number":
		return "real or long"
	case "float":
		return "real"
	case "numeric":
		return "decimal"
	case "timestamp", "datetimeoffset":
		return "datetime"
	case "interval", "duration":
		return "timespan"
	case "json", "object", "array", "map", "bag":
		return "dynamic"
	case "uuid":
		return "guid"
	case "bit":
		return "bool"
	}
	return ""
}

// typeHint gives what may be meant by a type that there is not.
func typeHint(name string) string {
	if t := foreignType(name); t != "" {
		return "write " + t
	}
	types := []string{"bool", "int", "long", "real", "decimal", "string", "datetime", "timespan", "guid", "dynamic"}
	if near := diag.Nearest(name, types); near != "" {
		return "write " + near
	}
	return "the types are " + strings.Join(types, ", ")
}

// unknownType says that there is no such type.
func (b *binder) unknownType(at syntax.Node, name string) {
	b.errorf(WrongType, at, typeHint(name), "there is no type %s", name)
}

// foreignColumn gives the column of cols that goes by another name elsewhere, or "".
func foreignColumn(name string, cols []rel.Column) string {
	for _, c := range foreignColumns(name) {
		if rel.Index(cols, c) >= 0 {
			return c
		}
	}
	return ""
}

// literalHint says how a text would be written as a literal of another type, or how it is converted.
func literalHint(x rel.Expr, to value.Type) string {
	c, ok := x.(*rel.Const)
	if !ok || c.T != value.String {
		return ""
	}
	s, _ := c.Value.(string)
	switch to {
	case value.DateTime:
		if _, ok := value.ParseDateTime(s); ok && len(s) <= 40 {
			return "write datetime(" + s + ")"
		}
		return "write it as datetime(2026-01-31)"
	case value.TimeSpan:
		if _, ok := value.ParseTimeSpan(s); ok && len(s) <= 20 {
			if strings.ContainsAny(s, ":") {
				return "write timespan(" + s + ")"
			}
			return "write it without quotes: " + s
		}
		return "write it as 5m, 1.5h or 7d, without quotes"
	case value.Bool:
		if s == "true" || s == "false" {
			return "write " + s + " without quotes"
		}
	case value.Int, value.Long, value.Real, value.Decimal:
		if _, err := strconv.ParseFloat(s, 64); err == nil && len(s) <= 20 {
			return "write it without quotes: " + s
		}
	}
	return ""
}

// stage is an operator of the pipeline that is being bound, with the columns before and after it.
type stage struct {
	op            syntax.Operator
	before, after []rel.Column
}

// gone says which operator of the pipeline took a column away, and what to do about it: "" if none did.
func (b *binder) gone(name string) (message, hint string) {
	for _, s := range slices.Backward(b.stages) {
		i := slices.IndexFunc(s.before, func(c rel.Column) bool { return c.Name == name })
		if i < 0 {
			i = slices.IndexFunc(s.before, func(c rel.Column) bool { return strings.EqualFold(c.Name, name) })
		}
		if i < 0 {
			continue
		}
		had := s.before[i].Name
		if rel.Index(s.after, had) >= 0 {
			continue
		}
		if now := renamed(s.op, had); now != "" {
			return "there is no column " + name + " any more: " + s.op.Keyword() + " named it " + now, "write " + now
		}
		message = "there is no column " + name + " any more: " + s.op.Keyword() + " left it out"
		switch s.op.(type) {
		case *syntax.Summarize:
			return message, "put " + had + " after by, or keep a value of it with take_any(" + had + ")"
		case *syntax.Project, *syntax.Distinct, *syntax.ProjectKeep:
			return message, "add " + had + " to " + s.op.Keyword()
		case *syntax.ProjectAway:
			return message, "remove it from project-away, or use it before"
		}
		return message, "use it before " + s.op.Keyword()
	}
	return "", ""
}

// renamed gives the name that a project, project-rename or summarize gave to a column, or "".
func renamed(o syntax.Operator, name string) string {
	var items []*syntax.NamedExpr
	switch o := o.(type) {
	case *syntax.Project:
		items = o.Items
	case *syntax.ProjectRename:
		items = o.Items
	case *syntax.Summarize:
		items = o.By
	}
	for _, it := range items {
		if n, ok := it.Value.(*syntax.Name); ok && n.Name == name && it.Name() != "" {
			return it.Name()
		}
	}
	return ""
}

// counted gives a number of arguments as people say it.
func counted(n int) string {
	if n == 1 {
		return "1 argument"
	}
	return strconv.Itoa(n) + " arguments"
}
