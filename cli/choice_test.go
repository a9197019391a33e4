package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestWordsThatAreNoChoice holds that a word a flag does not know is refused
// before anything is done, with those that it knows.
func TestWordsThatAreNoChoice(t *testing.T) {
	for _, x := range []struct{ line, says string }{
		{"status -o csv", "use table or json"},
		{"rule list -o xml", "use table or json"},
		{"query -o xml T", "use table, json, ndjson, csv, tsv"},
		{"serve --log xml", "use text or json"},
		{"incident list -o", "needs an argument"},
	} {
		var out, err bytes.Buffer
		code := Main(t.Context(), Env{Args: strings.Fields(x.line), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err, Getenv: func(string) string { return "" }})
		if code != exitUsage || !strings.Contains(err.String(), x.says) || out.Len() > 0 {
			t.Errorf("%s: exit %d, %s%s", x.line, code, &out, &err)
		}
	}
}

// TestChoicesFromTheEnvironment holds that a variable is judged as the flag is.
func TestChoicesFromTheEnvironment(t *testing.T) {
	var out, err bytes.Buffer
	code := Main(t.Context(), Env{Args: []string{"version"}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err, Getenv: func(name string) string {
		return map[string]string{"GLASSWARD_OUTPUT": "xml"}[name]
	}})
	if code != exitUsage || !strings.Contains(err.String(), "GLASSWARD_OUTPUT: \"xml\": use table or json") {
		t.Errorf("exit %d, %s", code, &err)
	}
}

// TestInitWritesNothingThatCannotStand holds that a mistake in an answer leaves
// no file behind, which could not be written again.
func TestInitWritesNothingThatCannotStand(t *testing.T) {
	const id = "3f9a61d4-08c7-4e55-b1d0-6a2f7cc90e11"
	for _, line := range []string{"--tenant contoso", "--tenant " + id + " --account admin", "--tenant " + id + " --name a/b", "--tenant " + id + " --name default"} {
		dir := t.TempDir()
		var out, err bytes.Buffer
		code := Main(t.Context(), Env{Args: append([]string{"init", "--no-input", "--dir", dir + "/new"}, strings.Fields(line)...),
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err, Getenv: func(string) string { return "" }})
		if _, there := os.Stat(dir + "/new"); code != exitUsage || there == nil {
			t.Errorf("%s: exit %d, %s", line, code, &err)
		}
	}
}
