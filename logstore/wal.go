package logstore

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// The engine's write-ahead log is a head of a few bytes, then entries of a
// length, a checksum and a body each; one kind of entry ends a commit. The
// engine drops an entry that is cut short at the end of the file and refuses to
// open a database with any other damage: a tail of zeros, as a power loss
// leaves where the file had grown and the data had not arrived, or a flipped
// bit. This file finds out how far such a log is good.

// A walState is what a log was found to be.
type walState struct {
	size int64
	// good is where the last whole commit ends; what lies behind it was never
	// committed, or is lost.
	good int64
	// commits counts whole commits, checkpointed says that the log has a
	// checkpoint's mark among them.
	commits int
	// why says what is wrong at good, "" if the log ends there.
	why string
}

// Kinds of entries, from the engine's enumeration of them.
const (
	walVersion = 98
	walFlush   = 100
)

// maxWALEntry is more than the engine writes as one entry; a length beyond it
// is damage, whatever the file's size.
const maxWALEntry = 1 << 40

// scanWAL reads a log from end to end. An absent file is an empty log.
func scanWAL(path string) (walState, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return walState{}, nil
	}
	if err != nil {
		return walState{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return walState{}, err
	}
	return readWAL(f, info.Size())
}

func readWAL(f io.Reader, size int64) (walState, error) {
	st := walState{size: size}
	in := bufio.NewReaderSize(f, 1<<20)
	at, ok, err := walHead(in)
	if err != nil {
		return st, err
	}
	if !ok {
		if size > 0 {
			st.why = "the head of the log cannot be read"
		}
		return st, nil
	}
	st.good = at
	var head [16]byte
	var body []byte
	for {
		n, err := io.ReadFull(in, head[:])
		if n == 0 && err == io.EOF {
			if at > st.good {
				st.why = "the last commit is not whole"
			}
			return st, nil
		}
		if err == io.ErrUnexpectedEOF {
			st.why = fmt.Sprintf("the entry at byte %d is cut short", at)
			return st, nil
		}
		if err != nil {
			return st, err
		}
		length := binary.LittleEndian.Uint64(head[:8])
		if length == 0 || length > maxWALEntry {
			st.why = fmt.Sprintf("the entry at byte %d has the length %d", at, length)
			return st, nil
		}
		if int64(length) > size-at-16 {
			st.why = fmt.Sprintf("the entry at byte %d is cut short", at)
			return st, nil
		}
		if uint64(cap(body)) < length {
			body = make([]byte, length)
		}
		body = body[:length]
		if _, err := io.ReadFull(in, body); err != nil {
			return st, err
		}
		if walChecksum(body) != binary.LittleEndian.Uint64(head[8:]) {
			st.why = fmt.Sprintf("the entry at byte %d has a wrong checksum", at)
			return st, nil
		}
		at += 16 + int64(length)
		if length >= 3 && body[0] == 100 && body[1] == 0 && body[2] == walFlush {
			st.good = at
			st.commits++
		}
	}
}

// walHead reads the head: one of the engine's objects, without a checksum, of
// the fields 100 (the kind walVersion), 101 (the version), 102 (the database's
// identifier, a list of bytes) and 103 (its checkpoint), each number in LEB128,
// with 0xffff at its end. ok is false where it is something else.
func walHead(in *bufio.Reader) (length int64, ok bool, err error) {
	counted := &byteCounter{in: in}
	for {
		var field [2]byte
		for i := range field {
			if field[i], err = counted.ReadByte(); err != nil {
				return 0, false, noEOF(err)
			}
		}
		id := binary.LittleEndian.Uint16(field[:])
		if id == 0xffff {
			return counted.n, true, nil
		}
		n, err := binary.ReadUvarint(counted)
		if err != nil {
			return 0, false, noEOF(err)
		}
		switch {
		case id == 100 && n == walVersion, id == 101, id == 103:
		case id == 102 && n <= 64:
			for range n {
				if _, err := binary.ReadUvarint(counted); err != nil {
					return 0, false, noEOF(err)
				}
			}
		default:
			return 0, false, nil
		}
	}
}

// A byteCounter counts the bytes that were read of a head.
type byteCounter struct {
	in *bufio.Reader
	n  int64
}

func (c *byteCounter) ReadByte() (byte, error) {
	b, err := c.in.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// noEOF drops the errors that say that a head is cut short or makes no sense.
func noEOF(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return err
	}
	return nil
}

// walChecksum is the engine's checksum of an entry: eight bytes at a time
// multiplied and mixed, the rest by MurmurHash64A.
func walChecksum(b []byte) uint64 {
	sum := uint64(5381)
	for ; len(b) >= 8; b = b[8:] {
		sum ^= binary.LittleEndian.Uint64(b) * 0xbf58476d1ce4e5b9
	}
	if len(b) > 0 {
		sum ^= murmur(b)
	}
	return sum
}

// murmur is MurmurHash64A of fewer than eight bytes, with the engine's seed.
func murmur(b []byte) uint64 {
	const (
		m    = 0xc6a4a7935bd1e995
		seed = 0xe17a1465
		r    = 47
	)
	h := seed ^ uint64(len(b))*m
	var tail uint64
	for i, c := range b {
		tail |= uint64(c) << (8 * i)
	}
	h = (h ^ tail) * m
	h = (h ^ h>>r) * m
	return h ^ h>>r
}
