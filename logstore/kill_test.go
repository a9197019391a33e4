package logstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"glassward"
	"glassward/internal/fault"
	"glassward/kql/value"
	"glassward/logstore"
	"glassward/schema"
)

// story is the variable that makes the test binary a process that works on the
// store in a folder, to be killed at a point; what it holds is the folder.
const story = "GLASSWARD_LOGSTORE_STORY"

// accept is the variable that lets that process accept a loss.
const accept = "GLASSWARD_LOGSTORE_ACCEPT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(story); dir != "" {
		if err := tell(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if name := os.Getenv(hostile); name != "" {
		endure(name)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var ownTime = schema.Column{Name: "TimeGenerated", Type: value.DateTime}

const (
	storyBatches = 6
	oldRecords   = 4
)

// tell appends six batches and some old records, makes a table of its own, removes the old ones, loads the
// batches once more, is backed up, compacts and closes. It writes a line for each batch that
// has been acknowledged.
func tell(dir string) error {
	ctx := context.Background()
	o := small()
	o.Retention = map[string]time.Duration{"SigninLogs": 24 * time.Hour}
	o.AcceptLoss = os.Getenv(accept) != ""
	s, err := logstore.Open(ctx, dir, o)
	if err != nil {
		return err
	}
	for i := range storyBatches {
		if _, err := s.Append(ctx, batch(i)); err != nil {
			return err
		}
		fmt.Println("acknowledged", i)
	}
	var old []glassward.Record
	for i := range oldRecords {
		r := signin(fmt.Sprint("old", i))
		r.Received = clock.Add(-48 * time.Hour)
		old = append(old, r)
	}
	if _, err := s.Append(ctx, logstore.Batch{Records: old}); err != nil {
		return err
	}
	// A table of the workspace's own is made, and grows, while the store is open.
	for _, columns := range [][]schema.Column{{ownTime}, {ownTime, {Name: "A", Type: value.String}}} {
		own, err := schema.NewCustom("My_CL", "", columns)
		if err != nil {
			return err
		}
		if err := s.SetTables(ctx, append(schema.Tables(), own)); err != nil {
			return err
		}
	}
	if _, err := s.Retain(ctx, nil); err != nil {
		return err
	}
	l := s.Load()
	for i := range storyBatches {
		if _, err := l.Add(ctx, batch(i)); err != nil {
			return err
		}
	}
	if err := l.Flush(ctx); err != nil {
		return err
	}
	// Into a folder that a story before this one may have died in.
	if err := os.RemoveAll(dir + ".copy"); err != nil {
		return err
	}
	if err := os.Mkdir(dir+".copy", 0o700); err != nil {
		return err
	}
	c, err := s.Backup(ctx, dir+".copy")
	if err != nil {
		return err
	}
	if err := s.RaiseFloor(ctx, c.LastSeq+100); err != nil {
		return err
	}
	if _, _, err := s.Compact(ctx); err != nil {
		return err
	}
	return s.Close()
}

// TestKilled kills the story at every point of the store, the first time and
// later times that it passes there, and once more while it opens again, and
// says that nothing acknowledged is lost, that no cursor is ahead of its rows,
// and that going on makes the store what it would have been.
func TestKilled(t *testing.T) {
	points, err := fault.Points(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, point := range points {
		if !strings.HasPrefix(string(point), "logstore.") || strings.HasPrefix(string(point), "logstore.giveup.") {
			continue
		}
		passed++
		t.Run(string(point), func(t *testing.T) {
			killed := 0
			for _, nth := range []int{1, 2, 4} {
				dir := filepath.Join(t.TempDir(), "tenant")
				if strings.HasPrefix(string(point), "logstore.damage.") {
					prepareDamage(t, dir)
				}
				if point == "logstore.migrate.copied" {
					prepareOlder(t, dir)
				}
				out, dead := run(t, dir, fmt.Sprintf("%s:%d=kill", point, nth))
				if !dead {
					continue
				}
				killed++
				inspect(t, dir, out)
			}
			if killed == 0 {
				t.Error("nothing passes the point: it protects nothing")
			}
		})
	}
	if passed < 10 {
		t.Errorf("%d points, there were more", passed)
	}
}

// TestKilledGivingUp kills the process while it puts aside, as it was told to, a
// log that the engine refuses: another database's, by its head.
func TestKilledGivingUp(t *testing.T) {
	for _, point := range []string{"logstore.giveup.before", "logstore.giveup.after"} {
		t.Run(point, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "tenant")
			if _, killed := run(t, dir, "logstore.journal.after:3=kill"); !killed {
				t.Fatal("it was not killed")
			}
			path := filepath.Join(dir, wal)
			log, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			log[11] ^= 1 // in the database's identifier
			if err := os.WriteFile(path, log, 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv(accept, "1")
			if _, killed := run(t, dir, point+"=kill"); !killed {
				t.Fatal("it was not killed")
			}
			var said *logstore.DamagedError
			if s, err := logstore.Open(context.Background(), dir, small()); !errors.As(err, &said) {
				if err == nil {
					s.Close()
				}
				t.Fatalf("without accepting the loss: %v", err)
			}
			s := open(t, dir, accepting())
			if !s.Recovery().Lost {
				t.Errorf("%+v", s.Recovery())
			}
			if kept, err := filepath.Glob(path + ".damaged-*"); err != nil || len(kept) != 1 {
				t.Errorf("kept aside: %v, %v", kept, err)
			}
			again(t, s, storyBatches)
		})
	}
}

// TestFailed lets the operations at the points fail instead; the process goes
// on and tries again.
func TestFailed(t *testing.T) {
	for _, point := range []string{"logstore.append.before", "logstore.commit.before", "logstore.commit.after", "logstore.journal.before", "logstore.journal.after"} {
		t.Run(point, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "tenant")
			s := open(t, dir, small())
			for i := range storyBatches {
				if i == 3 {
					disarm, err := fault.Arm(point + "=error")
					if err != nil {
						t.Fatal(err)
					}
					if _, err := s.Append(context.Background(), batch(i)); err == nil {
						t.Error("no error")
					}
					disarm()
				}
				c, err := s.Append(context.Background(), batch(i))
				if err != nil {
					t.Fatal(err)
				}
				if n := c.Added + c.Updated + c.Duplicates; n != 10 {
					t.Errorf("batch %d: %+v", i, c)
				}
			}
			again(t, s, storyBatches)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			again(t, open(t, dir, small()), storyBatches+1)
		})
	}
}

// run tells the story in a process of its own, with a point armed, and gives
// what it wrote and whether it was killed.
func run(t *testing.T, dir, spec string) (out string, killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), story+"="+dir, fault.Variable+"="+spec)
	var said strings.Builder
	cmd.Stderr = &said
	text, err := cmd.Output()
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() && status.Signal() == syscall.SIGKILL {
		return string(text), true
	}
	if err != nil {
		t.Fatalf("%s: %v: %s", spec, err, said.String())
	}
	return string(text), false
}

// prepareDamage leaves a store whose log has a torn end.
func prepareDamage(t *testing.T, dir string) {
	t.Helper()
	if _, killed := run(t, dir, "logstore.journal.after:3=kill"); !killed {
		t.Fatal("it was not killed")
	}
	f, err := os.OpenFile(filepath.Join(dir, wal), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
}

// inspect opens a store that was killed.
func inspect(t *testing.T, dir, out string) {
	t.Helper()
	o := small()
	s := open(t, dir, o)
	if s.Recovery().Lost {
		t.Errorf("%+v", s.Recovery())
	}
	acknowledged := strings.Count(out, "acknowledged")
	// Old records are there or not, according to where it died.
	if _, err := s.Retain(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if n := rows(t, s, 1, `SELECT count(*) FROM "SigninLogs" WHERE "Id" LIKE 'old%'`)[0]; n != "0" && n != fmt.Sprint(oldRecords) {
		t.Errorf("%s of %d old records", n, oldRecords)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o.Retention = map[string]time.Duration{"SigninLogs": 24 * time.Hour}
	s = open(t, dir, o)
	if _, err := s.Retain(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if got := batches(t, s); got < acknowledged {
		t.Errorf("%d batches are there, %d had been acknowledged", got, acknowledged)
	}
	again(t, s, storyBatches+1)
}
