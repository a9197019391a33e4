package acceptance_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"glassward/kql"
	"glassward/kql/diag"
	"glassward/schema"
)

// The queries that people publish for break-glass accounts run as printed, with
// their placeholders filled, over testdata/records.ndjson. What each gives was
// worked out by hand and stands in testdata/seeds, by document and place in it.
func TestPublishedQueries(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared, "seeds", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	store, _, _ := load(t, bytes.NewReader(read(t, "testdata/records.ndjson")))
	printed := map[string]int{"000": 2, "001": 2, "002": 2, "003": 2, "004": 1}
	for _, file := range files {
		document, _, _ := strings.Cut(filepath.Base(file), "_")
		queries := queriesIn(string(read(t, file)))
		if want, known := printed[document]; known && len(queries) != want {
			t.Errorf("%s prints %d queries, found %d:\n%s", document, want, len(queries), strings.Join(queries, "\n---\n"))
		}
		for i, q := range queries {
			name := fmt.Sprintf("%s-%d", document, i+1)
			t.Run(name, func(t *testing.T) {
				q := fill(q)
				if refusal, err := os.ReadFile("testdata/seeds/" + name + ".refused"); err == nil {
					refused(t, name, q, string(refusal))
					return
				}
				readExpected(t, "testdata/seeds/"+name+".rows").compare(t, ask(t, store, name, q))
			})
		}
	}
}

// The same for queries of our own that are built like those, so that they are
// held to their rows wherever the tests run: testdata/queries/NAME.kql, with
// NAME.rows or NAME.refused beside it.
func TestOwnQueries(t *testing.T) {
	files, err := filepath.Glob("testdata/queries/*.kql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no queries: %v", err)
	}
	store, sum, rejects := load(t, bytes.NewReader(read(t, "testdata/records.ndjson")))
	if sum.Records != 33 || len(rejects) > 0 {
		t.Fatalf("%d records, want 33; rejects: %v", sum.Records, rejects)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".kql")
		t.Run(name, func(t *testing.T) {
			q := string(read(t, file))
			if refusal, err := os.ReadFile(strings.TrimSuffix(file, ".kql") + ".refused"); err == nil {
				refused(t, filepath.Base(file), q, string(refusal))
				return
			}
			readExpected(t, strings.TrimSuffix(file, ".kql")+".rows").compare(t, ask(t, store, filepath.Base(file), q))
		})
	}
}

// refused holds that a query does not compile, and that what is said of it has
// every text of want, one a line.
func refused(t *testing.T, name, query, want string) {
	t.Helper()
	p, list := kql.Compile(query, kql.Options{Catalog: schema.Default().Catalog(), File: name})
	if p != nil || !list.HasErrors() {
		t.Fatalf("%s was not refused", name)
	}
	var said bytes.Buffer
	if err := diag.Render(&said, name, query, list); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(want) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !strings.Contains(said.String(), line) {
			t.Errorf("what is said lacks %q:\n%s", line, said.String())
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var (
	letLine   = regexp.MustCompile(`^let \w+ *=`)
	tableLine = regexp.MustCompile(`^(SigninLogs|AuditLogs)\s*(\||$)`)
	bareStage = regexp.MustCompile(`^\|\s*\w+$`)
)

// queriesIn finds the queries that a document prints among its prose. A query
// begins with a let statement, with a table on a line of its own or before a
// pipe, or with a pipe alone. One with let statements goes on over blank lines
// behind a semicolon; another goes on while a line begins with a pipe, or the
// line before is not finished.
func queriesIn(document string) []string {
	var found []string
	var query []string
	lets, last := false, ""
	end := func() {
		if len(query) > 0 {
			found = append(found, strings.TrimRight(strings.Join(query, "\n"), "\n "))
		}
		query, lets, last = nil, false, ""
	}
	for line := range strings.Lines(document) {
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimSpace(line)
		if len(query) > 0 {
			more := strings.HasPrefix(text, "|") || strings.HasSuffix(last, ",") || bareStage.MatchString(last)
			if lets {
				more = text != "" || strings.HasSuffix(last, ";")
			}
			if more {
				query = append(query, line)
				if text != "" {
					last = text
				}
				continue
			}
			end()
		}
		if letLine.MatchString(line) || tableLine.MatchString(line) || strings.HasPrefix(line, "|") {
			query, lets, last = []string{line}, letLine.MatchString(line), text
		}
	}
	end()
	return found
}

// What authors write where their readers put object ids and user names.
var (
	idPlace   = regexp.MustCompile(`(?i)(["“])[^"“”\n]*object[ -]id[^"“”\n]*(["”])`)
	namePlace = regexp.MustCompile(`"\[email[^"\n]*\]"|"[^"\n]*@[^"\n]*"`)
)

// fill puts the two accounts of the record set into a printed query, the first
// into the first place, and keeps the quotes as they are printed.
func fill(query string) string {
	known := names()
	n := 0
	query = idPlace.ReplaceAllStringFunc(query, func(s string) string {
		m := idPlace.FindStringSubmatch(s)
		n++
		return m[1] + known[fmt.Sprintf("A%d", min(n, 2))] + m[2]
	})
	n = 0
	return namePlace.ReplaceAllStringFunc(query, func(string) string {
		n++
		return `"` + known[fmt.Sprintf("A%d.upn", min(n, 2))] + `"`
	})
}
