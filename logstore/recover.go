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
	"glassward/internal/private"
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
	aside := s.aside(path)
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

// giveUp puts aside what the engine cannot open: first its logs, then the
// database file. It gives false if there is nothing left.
func (s *Store) giveUp() (bool, error) {
	for _, path := range append(s.logs(), s.path()) {
		there, err := exists(path)
		if err != nil {
			return false, err
		}
		if !there {
			continue
		}
		aside := s.aside(path)
		if err := fault.Point("logstore.giveup.before"); err != nil {
			return false, err
		}
		if err := os.Rename(path, aside); err != nil {
			return false, err
		}
		if err := fault.Point("logstore.giveup.after"); err != nil {
			return false, err
		}
		s.recovery.Aside = append(s.recovery.Aside, aside)
		s.recovery.Lost = true
		s.options.Log.Error("a file that the engine cannot read is put aside", "file", path, "kept as", aside)
		return true, private.SyncDir(s.dir)
	}
	return false, nil
}

// damagedMark stands in the names of files that are kept because they were damaged.
const damagedMark = ".damaged-"

// aside gives the name under which a damaged file is kept.
func (s *Store) aside(path string) string {
	for n := 0; ; n++ {
		name := fmt.Sprintf("%s%s%s", path, damagedMark, s.options.Now().UTC().Format("20060102T150405Z"))
		if n > 0 {
			name += fmt.Sprintf("-%d", n)
		}
		if there, _ := exists(name); !there {
			return name
		}
	}
}

// openFailed says what it means that the engine did not open.
func (s *Store) openFailed(cause error) error {
	if s.dir == "" {
		return fmt.Errorf("open the log store: %w", cause)
	}
	if strings.Contains(cause.Error(), "Could not set lock") {
		return &LockedError{Path: s.path()}
	}
	if newer := (*NewerError)(nil); errors.As(cause, &newer) {
		return newer
	}
	if failed := (*MigrationError)(nil); errors.As(cause, &failed) {
		return failed
	}
	if strings.Contains(cause.Error(), "database file with version number") {
		return &NewerError{Path: s.path(), Cause: cause}
	}
	if corrupt(cause) {
		return &DamagedError{Path: s.path(), What: "the engine cannot open it", Aside: s.recovery.Aside, Cause: cause}
	}
	return fmt.Errorf("open the log store: %w", cause)
}

// corrupt says whether the engine complains about what it reads in its files.
// It has no class of error for that, so its words have to do.
func corrupt(err error) bool {
	var said *engineError
	if !errors.As(err, &said) {
		return false
	}
	for _, words := range [...]string{"computed checksum", "Corrupt", "corrupt", "not a valid DuckDB database file", "replaying WAL", "WAL does not match", "This WAL was created",
		"Could not read enough bytes", "read from file", "Serialization Error", "invalid block", "Failed to read"} {
		if strings.Contains(said.Message, words) {
			return true
		}
	}
	return false
}

// damage makes a *DamagedError of an error that says that the files are
// damaged, and leaves others as they are.
func (s *Store) damage(err error) error {
	if err == nil || !corrupt(err) {
		return err
	}
	return &DamagedError{Path: s.path(), What: "a part of it cannot be read", Cause: err}
}

// proveWhole compares what was acknowledged with what is there.
func (s *Store) proveWhole() error {
	j := s.intake.journal
	if j == nil {
		return nil
	}
	if j.unread {
		// If something was cut, now or when the store was refused before, nothing says up
		// to where there were promises.
		files, err := os.ReadDir(s.dir)
		if err != nil {
			return fmt.Errorf("open the log store: %w", err)
		}
		var kept []string
		for _, f := range files {
			if strings.Contains(f.Name(), damagedMark) {
				kept = append(kept, filepath.Join(s.dir, f.Name()))
			}
		}
		if s.recovery.Cut > 0 || len(kept) > 0 {
			s.recovery.Lost, s.recovery.Aside = true, kept
		}
	}
	s.recovery.Acknowledged, s.recovery.Found = j.last, s.intake.seq
	if j.last <= s.intake.seq && !s.recovery.Lost {
		if j.unread {
			return j.renew(s.intake.seq)
		}
		return nil
	}
	s.recovery.Lost = true
	what := fmt.Sprintf("records up to number %d had been acknowledged and those up to %d are there", j.last, s.intake.seq)
	if j.unread {
		what = "the end of its write-ahead log was damaged, and so is the journal that says which records had been acknowledged"
	}
	if !s.options.AcceptLoss {
		return &DamagedError{Path: s.path(), What: what, Aside: s.recovery.Aside}
	}
	s.options.Log.Error("the log store goes on without records that had been acknowledged", "what", what)
	// Numbers are never given twice: rules have judged up to them.
	s.intake.seq = max(s.intake.seq, j.last)
	if err := s.intake.raiseFloor(); err != nil {
		return fmt.Errorf("open the log store: %w", err)
	}
	if j.unread {
		return j.renew(s.intake.seq)
	}
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
	return private.SyncDir(filepath.Dir(to))
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
