package state

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tamper changes a closed store behind its back.
func tamper(t *testing.T, dir string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, dbName))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, st := range statements {
		if _, err := db.ExecContext(t.Context(), st); err != nil {
			t.Fatalf("%s: %v", st, err)
		}
	}
}

// filled gives the folder of a closed store with three alerts and what follows
// from them.
func filled(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ck := &clock{night}
	s, err := Open(t.Context(), dir, Options{Now: ck.now})
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, s, rawRecords{}, ck.now)
	for n := range 3 {
		take(t, d, outcome(n))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestJournalFindsWhatWasChanged(t *testing.T) {
	for _, tt := range []struct{ name, statement, want string }{
		{"a flipped bit in a payload", `UPDATE journal SET payload = replace(payload, 'sign-in 1', 'sign-in 0') WHERE kind = 'alert'`, "content does not have its hash"},
		{"another time", `UPDATE journal SET time = time + 1 WHERE seq = 3`, "broken at entry 3: its content"},
		{"a dropped entry", `PRAGMA foreign_keys = 0; DELETE FROM journal WHERE seq = 4`, "broken at entry 4: it is missing"},
		{"two entries that changed places", `UPDATE journal SET seq = -1 WHERE seq = 2; UPDATE journal SET seq = 2 WHERE seq = 3; UPDATE journal SET seq = 3 WHERE seq = -1`, "broken at entry 2: it does not follow"},
		{"an entry written anew, with a hash that fits", `UPDATE journal SET hash = 'x' WHERE seq = 5; UPDATE journal SET prev = 'x' WHERE seq = 6`, "broken at entry 5"},
		{"a record's bytes", `UPDATE evidence SET raw = x'00' WHERE sha256 = (SELECT raw FROM journal WHERE raw <> '' LIMIT 1)`, "is not what it was"},
		{"a record taken away", `PRAGMA foreign_keys = 0; DELETE FROM evidence WHERE sha256 = (SELECT raw FROM journal WHERE raw <> '' LIMIT 1)`, "is missing"},
		{"the end cut off", `PRAGMA foreign_keys = 0; DELETE FROM journal WHERE seq > 10`, "lost acknowledged entries: the journal ends at entry 10"},
		{"the whole journal", `PRAGMA foreign_keys = 0; DELETE FROM journal`, "lost acknowledged entries"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filled(t)
			tamper(t, dir, strings.Split(tt.statement, "; ")...)
			s, err := Open(t.Context(), dir, Options{})
			if err == nil {
				s.Close()
				t.Fatal("the store opened")
			}
			if !strings.Contains(err.Error(), tt.want) || !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrLost) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestJournalIsVerifiedInSteps(t *testing.T) {
	dir := filled(t)
	s := openStore(t, dir, Options{})
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var at Mark
	steps := 0
	for ; ; steps++ {
		next, err := s.Verify(t.Context(), at, 4)
		if err != nil {
			t.Fatal(err)
		}
		if next == at {
			break
		}
		at = next
	}
	if at != head || steps < 3 {
		t.Errorf("verified up to %v in %d steps, want %v", at, steps, head)
	}
	// A head that was kept elsewhere and is not this journal's.
	var je *JournalError
	if _, err := s.Verify(t.Context(), Mark{Seq: 3, Hash: "other"}, 1); !errors.As(err, &je) || je.Seq != 3 {
		t.Errorf("a forked journal gave %v", err)
	}
	if _, err := s.Verify(t.Context(), Mark{Seq: 3000, Hash: "x"}, 1); !errors.As(err, &je) {
		t.Errorf("a journal cut short gave %v", err)
	}
}

func TestBodiesThatWereChangedAreNotBelieved(t *testing.T) {
	dir := filled(t)
	tamper(t, dir,
		`UPDATE incidents SET body = replace(body, '"status":"New"', '"status":"Closed"')`,
		`UPDATE alerts SET body = replace(body, 'High', 'Low')`,
		`UPDATE notices SET body = replace(body, 'oncall', 'nobody')`)
	var told []error
	s := openStore(t, dir, Options{Damaged: func(err error) { told = append(told, err) }})
	if _, err := s.Incident(t.Context(), "contoso", 1); !errors.Is(err, ErrDamaged) {
		t.Errorf("incident: %v", err)
	}
	if list, _, err := s.Alerts(t.Context(), AlertFilter{Tenant: "contoso"}); err != nil || len(list) != 0 {
		t.Errorf("alerts: %v, %v", list, err)
	}
	// What is owed goes out all the same.
	jobs, err := s.Claim(t.Context(), night, 10)
	if err != nil || len(jobs) != 3 || jobs[0].Notice.Group != "oncall" || jobs[0].Incident != nil || !strings.Contains(jobs[0].Notice.Why, "damaged") {
		t.Errorf("claim: %+v, %v", jobs, err)
	}
	// And a new alert about the account opens an incident of its own.
	c := take(t, newDesk(t, s, nil, func() time.Time { return night }), outcome(4))
	if len(c.Incidents) != 1 || c.Incidents[0].Number != 2 {
		t.Errorf("the next alert made %+v", c.Incidents)
	}
	if len(told) < 5 {
		t.Errorf("%d pieces of damage were told", len(told))
	}
}
