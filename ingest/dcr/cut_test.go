package dcr_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"glassward/ingest/dcr"
	"glassward/schema"
)

// TestLongFields holds that a field is cut at 64 KB, between two characters, and that a
// document which is longer is kept as the beginning of its text.
func TestLongFields(t *testing.T) {
	table, problems := dcr.ParseTable([]byte(`{"schema": {"name": "My_CL", "columns": [
  {"name": "TimeGenerated", "type": "datetime"}, {"name": "S", "type": "string"}, {"name": "D", "type": "dynamic"}]}}`))
	if table == nil {
		t.Fatal(problems)
	}
	tables, err := schema.Default().With(table)
	if err != nil {
		t.Fatal(err)
	}
	flow := dcr.BuiltIn(tenant, tables).Flows("Custom-My_CL")[0]
	text, _ := json.Marshal([]map[string]any{{"S": "x" + strings.Repeat("é", dcr.MaxField/2), "D": map[string]string{"a": strings.Repeat("y", dcr.MaxField)}}})
	elements, err := dcr.Split(text)
	if err != nil {
		t.Fatal(err)
	}
	err = flow.Each(context.Background(), dcr.Upload{Elements: elements, Received: came}, nil, func(b *dcr.Batch) error {
		s, d := b.Records[0].Values[2].Str, b.Records[0].Values[3].Str
		if want := "x" + strings.Repeat("é", dcr.MaxField/2-1); s != want {
			t.Errorf("a text of %d bytes, ending in %q", len(s), s[len(s)-4:])
		}
		var document string
		if err := json.Unmarshal([]byte(d), &document); err != nil || len(document) != dcr.MaxField || !strings.HasPrefix(document, `{"a":"yyy`) {
			t.Errorf("a document of %d bytes: %v", len(d), err)
		}
		if b.Cut != 2 {
			t.Errorf("%d fields were cut", b.Cut)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dcr.Split([]byte(`[{"S":"` + strings.Repeat("x", dcr.MaxBody) + `"}]`)); err != dcr.ErrTooLarge {
		t.Errorf("more than a megabyte: %v", err)
	}
}
