package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A bare LIMIT ? has SQLite plan a statement anew each time that it is run.
func TestNoLimitIsPlannedAnew(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") && strings.Contains(strings.ReplaceAll(string(text), "bare LIMIT ?", ""), "LIMIT ?") {
			t.Errorf("%s: write LIMIT 0+?", file)
		}
	}
}

// A statement that is being read from is not taken a second time, a text that is
// wrong is told, and one that was read to its end holds nothing.
func TestKeptStatements(t *testing.T) {
	db, err := connect(filepath.Join(t.TempDir(), "kept.db"), "_txlock=immediate", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range []string{"CREATE TABLE n (i INTEGER)", "INSERT INTO n VALUES (1), (2), (3)"} {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const some = "SELECT i FROM n WHERE i > ? ORDER BY i"
	for range 2 { // the second time with the kept statement
		outer, err := tx.QueryContext(t.Context(), some, 0)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for outer.Next() {
			var i, above int
			if err := outer.Scan(&i); err != nil {
				t.Fatal(err)
			}
			inner, err := tx.QueryContext(t.Context(), some, i)
			if err != nil {
				t.Fatal(err)
			}
			for inner.Next() {
				if err := inner.Scan(&above); err != nil {
					t.Fatal(err)
				}
				sum += above
			}
			if err := inner.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := outer.Close(); err != nil || sum != 2+3+3 {
			t.Fatalf("the numbers above each number come to %d: %v", sum, err)
		}
	}
	if _, err := tx.QueryContext(t.Context(), "SELECT nothing FROM n"); err == nil {
		t.Error("a column that is not there was read")
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	var busy, log, moved int
	if err := db.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved); err != nil || busy != 0 {
		t.Errorf("the log cannot be emptied: busy %d, %v", busy, err)
	}
	if _, err := db.ExecContext(t.Context(), "DROP TABLE n"); err != nil {
		t.Errorf("the table cannot be dropped: %v", err)
	}
}
