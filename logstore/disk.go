package logstore

import "fmt"

// A DiskLowError says that intake pauses because the disk is nearly full. It
// goes on by itself when there is space again; nothing was dropped.
type DiskLowError struct {
	Dir                  string
	Free, Reserve, Total int64
}

func (e *DiskLowError) Error() string {
	return fmt.Sprintf("disk low: %s has %s of %s free and %s are kept in reserve: intake pauses until there is space; free some, lower the retention, or run compact",
		e.Dir, size(e.Free), size(e.Total), size(e.Reserve))
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}

// DiskLow gives a *DiskLowError while intake pauses for want of space, else
// nil. Appends give it by themselves.
func (s *Store) DiskLow() error {
	if s.dir == "" {
		return nil
	}
	free, total, err := s.options.DiskSpace(s.dir)
	if err != nil {
		// Not knowing is no reason to stop taking in: a write that fails says so.
		s.options.Log.Warn("free disk space is unknown", "dir", s.dir, "error", err)
		return nil
	}
	reserve := s.options.Reserve
	if reserve <= 0 {
		reserve = min(1<<30, total/20)
	}
	if free >= reserve {
		return nil
	}
	return &DiskLowError{Dir: s.dir, Free: free, Reserve: reserve, Total: total}
}
