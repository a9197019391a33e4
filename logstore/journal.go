package logstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"glassward/internal/fault"
	"glassward/internal/private"
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
	path string
	file *os.File
	turn uint64 // of the last slot written
	last int64  // the highest sequence number noted
	// unread says that neither slot could be read. The file is left so until it is
	// known whether that matters: who refuses to open today must refuse tomorrow.
	unread bool
}

const (
	slotSize     = 4096
	journalMagic = "GlasswardCommit\n" // 16 bytes
	slotBytes    = len(journalMagic) + 8 + 8 + 4
)

// openJournal opens the journal, or makes one that says 0. A new one gets its name when
// it is whole and durable, so that no crash leaves one that cannot be read.
func openJournal(path string) (*journal, error) {
	j := &journal{path: path}
	there, err := exists(path)
	if err == nil && !there {
		err = j.create(0)
	}
	if err == nil {
		err = j.open()
	}
	if err != nil {
		j.close()
		return nil, fmt.Errorf("open the commit journal %s: %w", path, err)
	}
	return j, nil
}

// create puts a whole journal in place that says seq.
func (j *journal) create(seq int64) error {
	// The whole file is written, so that later writes change no metadata.
	return private.WriteFile(j.path, append(slotOf(1, seq), make([]byte, 2*slotSize-slotBytes)...))
}

// renew has a journal that could not be read say seq.
func (j *journal) renew(seq int64) error {
	err := j.create(seq)
	if err == nil {
		j.close()
		err = j.open()
	}
	if err != nil {
		return fmt.Errorf("renew the commit journal %s: %w", j.path, err)
	}
	return nil
}

func (j *journal) open() (err error) {
	if j.file, err = os.OpenFile(j.path, os.O_RDWR|flushed, 0o600); err != nil {
		return err
	}
	return j.read()
}

func (j *journal) read() error {
	data, err := io.ReadAll(io.NewSectionReader(j.file, 0, 2*slotSize))
	if err != nil {
		return err
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

// slotOf gives the bytes of a slot.
func slotOf(turn uint64, seq int64) []byte {
	slot := make([]byte, 0, slotBytes)
	slot = append(slot, journalMagic...)
	slot = binary.LittleEndian.AppendUint64(slot, turn)
	slot = binary.LittleEndian.AppendUint64(slot, uint64(seq))
	return binary.LittleEndian.AppendUint32(slot, crc32.ChecksumIEEE(slot))
}

// note makes it durable that everything up to seq has been committed.
func (j *journal) note(seq int64) error {
	if err := fault.Point("logstore.journal.before"); err != nil {
		return err
	}
	if _, err := j.file.WriteAt(slotOf(j.turn+1, seq), int64((j.turn+1)%2)*slotSize); err != nil {
		return fmt.Errorf("write the commit journal: %w", err)
	}
	j.turn++
	j.last = max(j.last, seq)
	return fault.Point("logstore.journal.after")
}

func (j *journal) close() {
	if j != nil && j.file != nil {
		// Every write was flushed; there is nothing that closing could lose.
		_ = j.file.Close()
	}
}
