package logstore

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"glassward/kql/value"
)

// Stats say how much a store holds.
type Stats struct {
	// Tables are those that have records, by name.
	Tables []TableStats
	// Database, Log and Free are bytes: of the file, of its write-ahead log, and
	// free on the disk. All are 0 in memory.
	Database, Log, Free int64
	// LastSeq is the last sequence number given.
	LastSeq int64
}

// TableStats say how much a table holds.
type TableStats struct {
	Name string
	Rows int64
	// Bytes are what the table takes in the file; what was not yet moved there
	// from the log is not counted.
	Bytes int64
	// Oldest and Newest are the first and last TimeGenerated, Received the last
	// _TimeReceived.
	Oldest, Newest, Received time.Time
}

// blockSize is the engine's unit of storage.
const blockSize = 256 << 10

// Stats counts what the store holds.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	var out Stats
	limits := Limits{Class: Rules}
	limits.fill(&s.options)
	leave, err := s.enter()
	if err != nil {
		return out, err
	}
	defer leave()
	err = s.pool.with(ctx, limits, func(ctx context.Context, c *conn) error {
		for name := range s.tables() {
			rows, err := c.all(ctx, fmt.Sprintf(`SELECT count(*), min("TimeGenerated"), max("TimeGenerated"), max("_TimeReceived"), max(%s) FROM %s`, seqColumn, quote(name)), nil)
			if err != nil {
				return err
			}
			r := rows[0]
			if r[0].(int64) == 0 {
				continue
			}
			t := TableStats{Name: name, Rows: r[0].(int64), Oldest: timeOf(r[1]), Newest: timeOf(r[2]), Received: timeOf(r[3])}
			if s.dir != "" {
				rows, err := c.all(ctx, fmt.Sprintf("SELECT count(DISTINCT block_id) FROM pragma_storage_info('%s') WHERE persistent AND block_id >= 0", name), nil)
				if err != nil {
					return err
				}
				t.Bytes = rows[0][0].(int64) * blockSize
			}
			out.LastSeq = max(out.LastSeq, r[4].(int64))
			out.Tables = append(out.Tables, t)
		}
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("count what the log store holds: %w", err)
	}
	slices.SortFunc(out.Tables, func(a, b TableStats) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	if s.dir != "" {
		out.Database = fileSize(s.path())
		for _, path := range s.logs() {
			out.Log += fileSize(path)
		}
		out.Free, _, _ = s.options.DiskSpace(s.dir)
	}
	return out, nil
}

// timeOf gives the time of a tick count, the zero time for NULL.
func timeOf(v any) time.Time {
	if n, ok := v.(int64); ok {
		return value.Ticks(n).Time()
	}
	return time.Time{}
}

// fileSize gives a file's length, 0 if there is none.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// LastSeq gives the number of the newest record that is durable. It asks the
// goroutine that commits, so that it also knows of a commit whose caller was
// told of an error, or of nothing.
func (s *Store) LastSeq(ctx context.Context) (int64, error) {
	var seq int64
	err := s.intake.do(ctx, func(context.Context, *conn) error {
		seq = s.intake.seq
		return nil
	})
	return seq, err
}
