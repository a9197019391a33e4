package logstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"glassward/internal/fault"
)

// The commit journal says up to which sequence number records have been
// acknowledged. After a power loss it proves whether a damaged end of the
// engine's write-ahead log held anything that somebody had been told is safe.
//
// It is one file of two slots, written in turn and flushed with each write, so
// that a torn write spoils a slot whose commit was not yet acknowledged, while
// the other still holds the one before. It never grows, so a flush has no
// metadata to write.
type journal struct {
	file  *os.File
	turn  uint64 // of the last slot written
	last  int64  // the highest sequence number noted
	blank bool   // the file was new
	// unread says that the file was there and neither slot could be read.
	unread bool
}

const (
	slotSize     = 4096
	journalMagic = "GlasswardCommit\n" // 16 bytes
	slotBytes    = len(journalMagic) + 8 + 8 + 4
)

// openJournal opens the journal, or makes one that says 0.
func openJournal(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|flushed, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the commit journal: %w", err)
	}
	j := &journal{file: f}
	err = j.read()
	if err == nil && (j.blank || j.unread) {
		// The whole file is written now, so that later writes change no metadata.
		if _, err = f.WriteAt(make([]byte, 2*slotSize), 0); err == nil {
			err = j.note(0)
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open the commit journal %s: %w", path, err)
	}
	return j, nil
}

func (j *journal) read() error {
	data, err := io.ReadAll(io.NewSectionReader(j.file, 0, 2*slotSize))
	if err != nil {
		return err
	}
	if len(data) == 0 {
		j.blank = true
		return nil
	}
	found := false
	for at := 0; at+slotBytes <= len(data); at += slotSize {
		slot := data[at : at+slotBytes]
		n := len(slot) - 4
		if string(slot[:16]) != journalMagic || crc32.ChecksumIEEE(slot[:n]) != binary.LittleEndian.Uint32(slot[n:]) {
			continue
		}
		turn := binary.LittleEndian.Uint64(slot[16:])
		if !found || turn > j.turn {
			j.turn, j.last, found = turn, int64(binary.LittleEndian.Uint64(slot[24:])), true
		}
	}
	j.unread = !found
	return nil
}

// note makes it durable that everything up to seq has been committed.
func (j *journal) note(seq int64) error {
	if err := fault.Point("logstore.journal.before"); err != nil {
		return err
	}
	slot := make([]byte, 0, slotBytes)
	slot = append(slot, journalMagic...)
	slot = binary.LittleEndian.AppendUint64(slot, j.turn+1)
	slot = binary.LittleEndian.AppendUint64(slot, uint64(seq))
	slot = binary.LittleEndian.AppendUint32(slot, crc32.ChecksumIEEE(slot))
	if _, err := j.file.WriteAt(slot, int64((j.turn+1)%2)*slotSize); err != nil {
		return fmt.Errorf("write the commit journal: %w", err)
	}
	j.turn++
	j.last = max(j.last, seq)
	return fault.Point("logstore.journal.after")
}

func (j *journal) close() {
	if j != nil {
		// Every write was flushed; there is nothing that closing could lose.
		_ = j.file.Close()
	}
}
