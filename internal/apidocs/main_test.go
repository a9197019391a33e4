package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheDescriptionIsCurrent(t *testing.T) {
	want, err := describe("../..")
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil || !bytes.Equal(have, want) {
		t.Errorf("%s is stale: make docs (%v)", file, err)
	}
}

func TestEveryRouteIsDescribed(t *testing.T) {
	const route = "GET /v1/status"
	op := operations[route]
	delete(operations, route)
	operations["GET /v1/nothing"] = op
	defer func() {
		operations[route] = op
		delete(operations, "GET /v1/nothing")
	}()
	_, err := describe("../..")
	if err == nil || !strings.Contains(err.Error(), route+" is not described") || !strings.Contains(err.Error(), "GET /v1/nothing, which is no route") {
		t.Errorf("said: %v", err)
	}
}

// TestOpenAPI has OpenAPI's own schemas judge the document, and one that breaks them.
func TestOpenAPI(t *testing.T) {
	judge, err := filepath.Abs("npm/node_modules/@seriousme/openapi-schema-validator/bin/validate-api-cli.js")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(judge); err != nil {
		t.Fatalf("the judge is not here, make deps installs it: %v", err)
	}
	said := func(text []byte) (valid bool, out string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "openapi.json")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		// It ends with 1 where the document breaks a rule, and says so on both.
		raw, _ := exec.CommandContext(t.Context(), "node", judge, file).CombinedOutput()
		return strings.Contains(string(raw), `"valid": true`), string(raw)
	}
	text, err := describe("../..")
	if err != nil {
		t.Fatal(err)
	}
	if ok, out := said(text); !ok {
		t.Errorf("the document breaks OpenAPI's rules:\n%s", out)
	}
	var broken map[string]any
	if err := json.Unmarshal(text, &broken); err != nil {
		t.Fatal(err)
	}
	broken["paths"].(map[string]any)["/v1/status"].(map[string]any)["get"].(map[string]any)["responses"] = "none"
	text, err = json.Marshal(broken)
	if err != nil {
		t.Fatal(err)
	}
	if ok, out := said(text); ok {
		t.Errorf("a broken document passes: the judge does not judge\n%s", out)
	}
}
