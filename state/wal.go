package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// What SQLite's write-ahead log looks like: https://sqlite.org/fileformat2.html#walformat
const (
	walHeaderSize    = 32
	walFrameHeader   = 24
	walMagic         = 0x377f0682 // the lowest bit says that checksums are big-endian
	walVersion       = 3007000
	minPage, maxPage = 512, 65536
)

// A walReport says what is in a write-ahead log.
type walReport struct {
	// Committed is how many bytes hold whole transactions.
	Committed int64
	// Damage says what is wrong behind them, empty if nothing is. Frames of a
	// transaction that was never finished are not damage.
	Damage string
}

// inspectLog reads a write-ahead log as SQLite will when it recovers from it.
// SQLite cuts the log at the first frame that it does not believe and tells
// nobody. A log whose tail was zeroed cannot be told from one that ends there;
// state.head tells.
func inspectLog(name string) (walReport, error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return walReport{}, nil
	}
	if err != nil {
		return walReport{}, err
	}
	defer f.Close()
	head := make([]byte, walHeaderSize)
	switch n, err := io.ReadFull(f, head); {
	case n == 0:
		return walReport{}, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return walReport{Damage: fmt.Sprintf("its header is cut off after %d bytes", n)}, nil
	case err != nil:
		return walReport{}, err
	}
	magic := binary.BigEndian.Uint32(head)
	page := int64(binary.BigEndian.Uint32(head[8:]))
	if page == 1 {
		page = maxPage
	}
	var order binary.ByteOrder = binary.LittleEndian
	if magic&1 == 1 {
		order = binary.BigEndian
	}
	sum := walSum(order, [2]uint32{}, head[:24])
	switch {
	case magic&^1 != walMagic, binary.BigEndian.Uint32(head[4:]) != walVersion, page < minPage || page > maxPage || page&(page-1) != 0,
		sum != [2]uint32{binary.BigEndian.Uint32(head[24:]), binary.BigEndian.Uint32(head[28:])}:
		return walReport{Damage: "its header is not one that SQLite wrote"}, nil
	}
	salt := string(head[16:24])
	r := walReport{Committed: walHeaderSize}
	frame := make([]byte, walFrameHeader+page)
	bad := "" // set once a frame was not believed; the rest is read for its salts
	for at := int64(walHeaderSize); ; at += int64(len(frame)) {
		n, err := io.ReadFull(f, frame)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return walReport{}, err
		}
		// Frames with other salts are left from before the log was last begun anew.
		ours := n >= 16 && string(frame[8:16]) == salt
		whole := n == len(frame)
		if bad == "" && whole && ours {
			next := walSum(order, sum, frame[:8])
			next = walSum(order, next, frame[walFrameHeader:])
			if next == [2]uint32{binary.BigEndian.Uint32(frame[16:]), binary.BigEndian.Uint32(frame[20:])} {
				sum = next
				if binary.BigEndian.Uint32(frame[4:]) != 0 { // the last frame of a transaction
					r.Committed = at + int64(len(frame))
				}
				continue
			}
		}
		switch {
		case bad == "" && !whole:
			bad = fmt.Sprintf("it is cut off at byte %d", at+int64(n))
			r.Damage = bad
		case bad == "":
			bad = fmt.Sprintf("the frame at byte %d has a wrong checksum", at)
			if !ours {
				bad = fmt.Sprintf("the frame at byte %d is not one of this log, but others follow", at)
			} else {
				r.Damage = bad
			}
		case ours:
			r.Damage = bad
		}
	}
	return r, nil
}

// walSum continues the checksum of the write-ahead log over whole pairs of
// words.
func walSum(order binary.ByteOrder, s [2]uint32, b []byte) [2]uint32 {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += order.Uint32(b) + s[1]
		s[1] += order.Uint32(b[4:]) + s[0]
	}
	return s
}
