package logstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"glassward"
	"glassward/internal/fault"
	"glassward/logstore"
)

// TestTwoLoads lets a commit fail that two loads and an append share. Each load
// is told, whoever it was that met the error, so that none goes on behind rows
// that are lost; a load that had no part in it is not.
func TestTwoLoads(t *testing.T) {
	ctx := context.Background()
	batch := func(source string, n int) logstore.Batch {
		var list []glassward.Record
		for i := range 10 {
			list = append(list, signin(fmt.Sprint(source, n, "-", i)))
		}
		return logstore.Batch{Records: list, Cursor: &logstore.Cursor{Source: source, Position: fmt.Append(nil, n)}}
	}
	var lost *logstore.LoadError
	// What meets the error: an append, a load's batch, a load's flush.
	meets := map[string]func(s *logstore.Store, a *logstore.Loader) error{
		"append": func(s *logstore.Store, _ *logstore.Loader) error {
			_, err := s.Append(ctx, batch("live", 1))
			return err
		},
		"add":   func(_ *logstore.Store, a *logstore.Loader) error { _, err := a.Add(ctx, batch("a", 2)); return err },
		"flush": func(_ *logstore.Store, a *logstore.Loader) error { return a.Flush(ctx) },
	}
	for _, x := range []struct{ point, meets string }{
		{"logstore.append.before", "append"}, {"logstore.append.before", "add"},
		{"logstore.commit.before", "append"}, {"logstore.commit.before", "flush"},
		{"logstore.commit.after", "append"}, {"logstore.commit.after", "flush"},
		{"logstore.journal.before", "append"}, {"logstore.journal.after", "flush"},
	} {
		t.Run(x.point+"/"+x.meets, func(t *testing.T) {
			// In virtual time no load is committed for its age meanwhile.
			synctest.Test(t, func(t *testing.T) {
				s := open(t, filepath.Join(t.TempDir(), "tenant"), small())
				loads := map[string]*logstore.Loader{"a": s.Load(), "b": s.Load(), "c": s.Load()}
				add := func(source string, n int) error {
					_, err := loads[source].Add(ctx, batch(source, n))
					return err
				}
				if err := errors.Join(add("c", 1), loads["c"].Flush(ctx), add("a", 1), add("b", 1)); err != nil {
					t.Fatal(err)
				}
				disarm, err := fault.Arm(x.point + "=error")
				if err != nil {
					t.Fatal(err)
				}
				err = meets[x.meets](s, loads["a"])
				disarm()
				if !errors.Is(err, fault.Err) {
					t.Fatalf("no error, but %v", err)
				}
				told := map[string]bool{"a": x.meets != "append"}
				for _, source := range []string{"a", "b", "c"} {
					// Nothing is brought yet: who was told goes on from the cursor.
					if _, err := loads[source].Add(ctx, logstore.Batch{}); errors.As(err, &lost) {
						if told[source] {
							t.Errorf("load %s is told twice", source)
						}
						told[source] = true
					} else if err != nil {
						t.Fatal(err)
					}
				}
				if !told["a"] || !told["b"] || told["c"] {
					t.Errorf("told are %v", told)
				}
				// Each goes on where the store says.
				for source := range loads {
					done := 0
					if at, ok, err := s.Cursor(ctx, source); err != nil {
						t.Fatal(err)
					} else if ok {
						fmt.Sscan(string(at), &done)
					}
					for n := done + 1; n <= 3; n++ {
						if err := add(source, n); err != nil {
							t.Fatal(err)
						}
					}
					if err := loads[source].Flush(ctx); err != nil {
						t.Fatal(err)
					}
				}
				if x.meets == "append" {
					if _, err := s.Append(ctx, batch("live", 1)); err != nil {
						t.Fatal(err)
					}
				}
				want := 90
				if x.meets == "append" {
					want = 100
				}
				if got := rows(t, s, 2, `SELECT count(*), count(DISTINCT "_ItemId") FROM "SigninLogs"`); got[0] != fmt.Sprintf("%d|%[1]d", want) {
					t.Errorf("%s rows, %d were brought", got[0], want)
				}
			})
		})
	}
}

// TestSlowLoad gives a load little, again and again: it is committed all the
// same, and when it stops too.
func TestSlowLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tenant")
	synctest.Test(t, func(t *testing.T) {
		s, err := logstore.Open(t.Context(), dir, small())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		at := func() (n int) {
			text, _, err := s.Cursor(t.Context(), "slow")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Sscan(string(text), &n)
			return n
		}
		l := s.Load()
		add := func(n int, list ...glassward.Record) {
			if _, err := l.Add(t.Context(), logstore.Batch{Records: list, Cursor: &logstore.Cursor{Source: "slow", Position: fmt.Append(nil, n)}}); err != nil {
				t.Fatal(err)
			}
		}
		for n := 1; n <= 30; n++ {
			add(n, signin(fmt.Sprint(n)))
			time.Sleep(400 * time.Millisecond)
			if behind := n - at(); behind > 26 {
				t.Fatalf("what came %d batches ago is not durable", behind)
			}
		}
		time.Sleep(time.Second)
		if at() != 30 {
			t.Errorf("the last batches are not durable a second after them: the cursor is %d", at())
		}
		// A position alone too.
		add(31)
		time.Sleep(time.Second)
		if at() != 31 {
			t.Errorf("a position without records is not durable a second after it: the cursor is %d", at())
		}
	})
}
