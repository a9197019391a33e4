package state

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"glassward/internal/fault"
)

// A Mark is a place in the journal: an entry's number and its hash in hex. The
// zero Mark is the place before the first entry.
type Mark struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// A headFile holds the mark of the last acknowledged entry outside the
// database, in two slots that are written in turn: a write that is torn leaves
// the other slot. Each slot is a line of text with a checksum, alone in its
// 4096 bytes.
type headFile struct {
	f    *os.File
	slot int64
	last Mark
	// readable says that one slot or both could be read, torn that only one of two
	// could.
	readable, torn bool
}

const slotSize = 4096

// openHead opens or makes the file. Every write to it is durable when it
// returns.
func openHead(name string) (*headFile, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_SYNC, 0o600)
	if err != nil {
		return nil, err
	}
	h := &headFile{f: f}
	readable, used := 0, 0
	for slot := range int64(2) {
		buf := make([]byte, slotSize)
		n, err := f.ReadAt(buf, slot*slotSize)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, errors.Join(err, f.Close())
		}
		if n == 0 || len(bytes.Trim(buf[:n], "\x00")) == 0 {
			continue
		}
		used++
		if m, ok := parseSlot(buf[:n]); ok {
			readable++
			if m.Seq >= h.last.Seq {
				h.last, h.slot = m, 1-slot
			}
		}
	}
	h.readable = readable > 0
	h.torn = readable > 0 && readable < used
	return h, nil
}

// noHash stands for the hash of the zero Mark.
const noHash = "-"

func formatSlot(m Mark) []byte {
	if m.Hash == "" {
		m.Hash = noHash
	}
	line := fmt.Sprintf("glassward journal %d %s", m.Seq, m.Hash)
	return fmt.Appendf(nil, "%s %08x\n", line, crc32.ChecksumIEEE([]byte(line)))
}

func parseSlot(b []byte) (Mark, bool) {
	b, _, ok := bytes.Cut(b, []byte("\n"))
	i := bytes.LastIndexByte(b, ' ')
	if !ok || i < 0 {
		return Mark{}, false
	}
	if want := fmt.Sprintf("%08x", crc32.ChecksumIEEE(b[:i])); want != string(b[i+1:]) {
		return Mark{}, false
	}
	var m Mark
	_, err := fmt.Sscanf(string(b[:i]), "glassward journal %d %s", &m.Seq, &m.Hash)
	if m.Hash == noHash {
		m.Hash = ""
	}
	return m, err == nil
}

func (h *headFile) write(m Mark) error {
	if err := fault.Point("state.head.before"); err != nil {
		return err
	}
	if _, err := h.f.WriteAt(formatSlot(m), h.slot*slotSize); err != nil {
		return err
	}
	h.last, h.slot = m, 1-h.slot
	return fault.Point("state.head.after")
}

func (h *headFile) close() error { return h.f.Close() }
