package acceptance_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"glassward/ingest"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// TestThreeRoadsAtOnce reads a working day by Graph, by Event Hubs and from a
// storage export into one store. The same event by three roads is one record and
// no conflict; a copy that says otherwise in who did it is kept beside, and told.
func TestThreeRoadsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2*24*time.Hour + 6*time.Hour)
		rates := entrasim.Normal()
		rates.Risk += 60
		s := newStand(t, dir, entrasim.Options{Seed: 31, Users: 150, Rates: &rates, Late: 0.01, Repeated: 0.01},
			cloud.Options{Seed: 6, Tick: 10 * time.Minute, Partitions: 2})
		defer s.close()
		s.wire.share = 0.001
		ctx, stop := context.WithCancel(context.Background())
		var aside sync.WaitGroup
		defer aside.Wait()
		defer stop()
		s.exporting(ctx, &aside)
		travel := func(until time.Time) {
			var roads sync.WaitGroup
			for _, open := range []func(*stand) (ingest.Source, error){(*stand).openGraph, (*stand).openHub, (*stand).openStorage} {
				roads.Go(func() { s.run(open, until) })
			}
			roads.Wait()
		}
		hours := time.Duration(6)
		if racing {
			hours = 3
		}
		travel(time.Now().Add(hours * time.Hour))
		s.world.Quiet()
		time.Sleep(time.Hour)
		s.world.Advance(time.Now())
		last := s.world.Settled()
		time.Sleep(time.Until(last.Add(time.Minute)))
		travel(last.Add(90 * time.Minute))
		stop()
		aside.Wait()

		n := s.compare(way{road: entrasim.EventHub, form: diagnostic, mixed: true})
		t.Logf("%d records in the store; %d were handed over by three roads in %d commits; %d starts, %d deaths, %d spoilt requests", n, s.records, s.emits, s.restarts, s.killed, s.wire.spoilt)
		if len(s.conflicts) > 0 {
			t.Errorf("%d conflicts of roads that agree, the first: %+v", len(s.conflicts), s.conflicts[0])
		}
		if holes := s.holes(); len(holes) > 0 {
			t.Errorf("holes: %v", holes)
		}
		if n < few(1000) || s.records < 2*n {
			t.Errorf("%d records for %d: the roads did not show the same", s.records, n)
		}

		// Somebody who can write to the storage account puts a sign-in there that was
		// another person's.
		var of *entrasim.Event
		for _, e := range s.world.Events() {
			if e.Kind == entrasim.InteractiveSignIn && e.UserID != "" {
				of = e
			}
		}
		forged := bytes.ReplaceAll(of.Diagnostic(of.Versions()), []byte(of.UserID), []byte(entrasim.EA01))
		files := s.export.Files()
		file := files[len(files)-1]
		for _, f := range files {
			if strings.Contains(filepath.ToSlash(f), "insights-logs-signinlogs/") {
				file = f
			}
		}
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.Write(append(forged, '\n'))
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		s.run((*stand).openStorage, time.Now().Add(2*time.Hour))
		if len(s.conflicts) != 1 {
			t.Fatalf("%d conflicts are told, not one: %+v", len(s.conflicts), s.conflicts)
		}
		c := s.conflicts[0]
		if c.Table != "SigninLogs" || c.Column != "UserId" || c.Stored != of.UserID || c.Copy != entrasim.EA01 || !strings.HasPrefix(c.CopySource, "storage:") {
			t.Errorf("the conflict reads %+v", c)
		}
		if rows := rowsOf(t, s.store, "SigninLogs")[of.ID]; len(rows) != 2 {
			t.Errorf("%d records where the first and the one beside it should stand", len(rows))
		}
	})
}
