package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFigures runs the command over material of its own.
func TestFigures(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"cases.jsonl": `{"id":"a/1","feature":"print","query":"print x = 1","columns":[{"name":"x","type":"long"}],"rows":[["1"]]}
{"id":"a/2","feature":"print","query":"print x = 1","columns":[{"name":"x","type":"long"}],"rows":[["2"]]}
{"id":"a/3","feature":"geo-x","query":"geo_nothing()","columns":[],"rows":[]}`,
		"errors.jsonl":          `{"id":"e/1","query":"print 1 | where"}` + "\n" + `{"id":"e/2","query":"print 1"}`,
		"rules/good.yaml":       "query: |\n  SigninLogs | where UserId in ((_GetWatchlist('Own') | project Id)) | summarize count() by UserId\n",
		"community/bad.kql":     "OfficeActivity | project Details.x",
		"community/unknown.kql": "Nothing | count",
		"community/time.kql":    "CloudAppEvents | where Timestamp > ago(1d) | extend {{other}}",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	if err := figures(context.Background(), &out, dir, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"cases outside geo: 1 of 2, 50.0 %", "cases of geo:      0 of 1", "a/2: gives something else", "errors refused:    1 of 2", "e/2 is not refused",
		"empty and filled tables:   1 of 1, 100.0 %", "community queries compiled and run over empty and filled tables: 0 of 3",
		"bad.kql: OfficeActivity has no column Details", "unknown.kql: without a reason: KQL0202", "time.kql: without a reason: KQL0211",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("missing %q in\n%s", want, out.String())
		}
	}
}
