package kqltest

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Golden holds the cases of a text file to what f gives for them. A case is a line `== name`, a text, a line `----`
// and what f gives for the text. KQLTEST_UPDATE=1 writes the last part anew, to be read before it is believed.
func Golden(t *testing.T, file string, f func(t *testing.T, text string) string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	update := os.Getenv("KQLTEST_UPDATE") != ""
	head, rest, _ := strings.Cut("\n"+string(b), "\n== ")
	out := strings.TrimPrefix(head, "\n")
	for c := range strings.SplitSeq(rest, "\n== ") {
		title, body, _ := strings.Cut(c, "\n")
		text, want, _ := strings.Cut(strings.TrimRight(body, "\n")+"\n", "----\n")
		want = strings.TrimRight(want, "\n")
		t.Run(title, func(t *testing.T) {
			got := strings.TrimRight(f(t, strings.TrimSuffix(text, "\n")), "\n")
			if !update && got != want {
				t.Errorf("%s", cmp.Diff(want, got))
			}
			if out != "" {
				out += "\n"
			}
			out += "== " + title + "\n" + text + "----\n" + got + "\n"
		})
	}
	if update {
		if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
