package dcr

import (
	"glassward/schema"
)

// What stands in a table's resource and means nothing here: Azure's own billing,
// retention (Glassward's is in glassward.yaml) and state.
var (
	tableEnvelope = []string{"id", "name", "type", "systemData", "etag", "resourceGroup"}
	tablePassed   = []string{"plan", "retentionInDays", "totalRetentionInDays", "archiveRetentionInDays", "retentionInDaysAsDefault",
		"totalRetentionInDaysAsDefault", "lastPlanModifiedDate", "provisioningState", "searchResults", "restoredLogs", "resultStatistics"}
	schemaPassed = []string{"displayName", "standardColumns", "tableType", "tableSubType", "categories", "labels", "source", "solutions"}
	columnPassed = []string{"displayName", "dataTypeHint", "isDefaultDisplay", "isHidden"}
)

// ParseTable reads a custom table in the form of Azure's Tables API,
//
//	{"properties":{"schema":{"name":"My_CL","columns":[{"name":"TimeGenerated","type":"datetime"},…]}}}
//
// or as `az monitor log-analytics workspace table show` prints it, without
// "properties". The table is nil where a problem is no warning.
func ParseTable(text []byte) (*schema.Table, []Problem) {
	r := newReader(text)
	top := r.object()
	if top == nil {
		return nil, r.problems
	}
	p := r.properties(top, "a table", []string{"schema"}, tablePassed, tableEnvelope)
	if p == nil {
		return nil, r.problems
	}
	s := p.get("schema")
	if s == nil || s.kind != '{' {
		r.fail(p.at, "the table has no schema: write {\"properties\":{\"schema\":{\"name\":\"My_CL\",\"columns\":[…]}}}")
		return nil, r.problems
	}
	r.only(s, "schema", []string{"name", "description", "columns"}, schemaPassed)
	name, nameAt := r.string(s, "name")
	if err := schema.CheckTableName(name); err != nil {
		r.fail(nameAt, "%v", err)
	}
	doc, _ := r.string(s, "description")
	columns := r.columns(s, []string{"name", "type", "description"}, columnPassed, func(name string) error { return schema.CheckColumnName(name) }, true)
	if r.failed() {
		return nil, r.problems
	}
	t, err := schema.NewCustom(name, doc, columns)
	if err != nil {
		r.fail(s.at, "%v", err)
		return nil, r.problems
	}
	return t, r.problems
}

// columns reads the columns of a table or of a stream.
func (r *reader) columns(n *node, known, passed []string, check func(string) error, guid bool) []schema.Column {
	var out []schema.Column
	for _, c := range r.list(n, "columns", '{', "object") {
		r.only(c, "a column", known, passed)
		name, at := r.string(c, "name")
		if err := check(name); err != nil {
			r.fail(at, "%v", err)
		}
		word, at := r.string(c, "type")
		typ, ok := schema.ColumnType(word)
		types := schema.ColumnTypes
		if !guid && ok && word == "guid" {
			ok, types = false, "string, int, long, real, boolean, datetime or dynamic"
		}
		if !ok {
			r.fail(at, "column %s has the type %q: use %s", name, word, types)
		}
		doc := ""
		if guid {
			doc, _ = r.string(c, "description")
		}
		out = append(out, schema.Column{Name: name, Type: typ, Doc: doc})
	}
	return out
}
