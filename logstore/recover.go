package logstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"glassward/internal/fault"
)

// Recovery says what Open found. The zero value: everything was whole.
type Recovery struct {
	// Aside are the files that were kept aside, with their folder.
	Aside []string
	// Cut is how many bytes of write-ahead log were cut off, Why what was wrong
	// with them.
	Cut int64
	Why string
	// Lost says that records that had been acknowledged may be gone; only a
	// store that was opened with Options.AcceptLoss says so. Acknowledged and
	// Found are then the last sequence numbers promised and present.
	Lost                bool
	Acknowledged, Found int64
}

// A DamagedError says that the store's files are damaged in a way that loses
// records that had been acknowledged. The store does not open: whoever watches
// over the tenant has to know and decide.
type DamagedError struct {
	Path string
	// What is wrong.
	What string
	// Aside are the files that were kept aside.
	Aside []string
	Cause error
}

func (e *DamagedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the log store %s is damaged: %s", e.Path, e.What)
	if len(e.Aside) > 0 {
		fmt.Fprintf(&b, "; the damaged files are kept as %s", strings.Join(e.Aside, ", "))
	}
	b.WriteString(". Restore the folder from a backup, or start once with --accept-loss to go on with what is left and ingest again what the sources still have")
	if e.Cause != nil {
		fmt.Fprintf(&b, " (%v)", e.Cause)
	}
	return b.String()
}

// Unwrap gives the engine's error.
func (e *DamagedError) Unwrap() error { return e.Cause }

func (s *Store) journalPath() string { return filepath.Join(s.dir, "commits") }

// logs gives the engine's write-ahead logs: the one it is writing, and the one
// that it writes while a checkpoint runs.
func (s *Store) logs() []string {
	return []string{s.path() + ".wal", s.path() + ".wal.checkpoint"}
}

// repair cuts damaged write-ahead logs behind their last whole commit and keeps
// what they were aside. Whether anything acknowledged was cut shows later, by
// the journal.
func (s *Store) repair(ctx context.Context) error {
	cut := false
	for i, path := range s.logs() {
		st, err := scanWAL(path)
		if err != nil {
			return fmt.Errorf("open the log store: read %s: %w", path, err)
		}
		if cut && st.commits > 0 {
			// What the second log holds came after what the first has lost.
			s.recovery.Lost = true
		}
		if st.why == "" {
			continue
		}
		cut = i == 0
		if err := s.cut(path, st); err != nil {
			return err
		}
	}
	return nil
}

// cut copies a log aside and cuts it.
func (s *Store) cut(path string, st walState) error {
	aside := fmt.Sprintf("%s.damaged-%s", path, s.options.Now().UTC().Format("20060102T150405.000000000Z"))
	if err := copyFile(path, aside); err != nil {
		return fmt.Errorf("open the log store: keep the damaged %s aside: %w", path, err)
	}
	if err := fault.Point("logstore.damage.aside"); err != nil {
		return err
	}
	if err := truncate(path, st.good); err != nil {
		return fmt.Errorf("open the log store: cut the damaged %s: %w", path, err)
	}
	if err := fault.Point("logstore.damage.cut"); err != nil {
		return err
	}
	s.recovery.Aside = append(s.recovery.Aside, aside)
	s.recovery.Cut += st.size - st.good
	s.recovery.Why = st.why
	s.options.Log.Warn("the end of a write-ahead log was cut off", "file", path, "why", st.why, "bytes", st.size-st.good, "kept as", aside)
	return nil
}

// openFailed says what it means that the engine did not open.
func (s *Store) openFailed(cause error) error {
	if s.dir == "" {
		return fmt.Errorf("open the log store: %w", cause)
	}
	if strings.Contains(cause.Error(), "Could not set lock") {
		return &LockedError{Path: s.path()}
	}
	return &DamagedError{Path: s.path(), What: "the engine cannot open it", Aside: s.recovery.Aside, Cause: cause}
}

// proveWhole compares what was acknowledged with what is there.
func (s *Store) proveWhole() error {
	j := s.intake.journal
	if j == nil {
		return nil
	}
	s.recovery.Acknowledged, s.recovery.Found = j.last, s.intake.seq
	if j.last <= s.intake.seq && !s.recovery.Lost {
		return nil
	}
	s.recovery.Lost = true
	what := fmt.Sprintf("records up to number %d had been acknowledged and those up to %d are there", j.last, s.intake.seq)
	if !s.options.AcceptLoss {
		return &DamagedError{Path: s.path(), What: what, Aside: s.recovery.Aside}
	}
	s.options.Log.Error("the log store goes on without records that had been acknowledged", "what", what)
	// Numbers are never given twice: rules have judged up to them.
	s.intake.seq = max(s.intake.seq, j.last)
	return nil
}

// copyFile copies a file and makes the copy durable.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// truncate cuts a file and makes that durable.
func truncate(path string, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(size); err != nil {
		return err
	}
	return f.Sync()
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}
