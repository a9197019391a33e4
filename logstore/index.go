package logstore

import "math/bits"

// An index tells of a record id whether the store may have it, and roughly
// where. It lives in memory and is made anew at every open, 11 bytes or so a
// record: asking the engine for every record that comes would scan the table,
// because ids have no order.
//
// An entry has 40 bits of the id and, in 24 bits, the block of sequence numbers
// that the record's _Seq is in. Ids are parts of SHA-256, so their bits are as
// good as random; at ten million records one new id in a hundred thousand is
// taken for a known one, and the exact look-up then says no. Entries lie in the
// order of their 40 bits as far as there is room, so growing the table walks it
// from end to end instead of jumping.
//
// Entries of records that retention has removed stay until the next open: they
// cost an exact look-up if the record comes again, no more.
type index struct {
	slots []uint64 // 0 is an empty slot
	used  int
}

const (
	blockBits = 24
	// blockRows is how many sequence numbers share a block.
	blockRows = 8192
	blockMask = 1<<blockBits - 1
)

// blockOf gives the block of a sequence number, from 1, so that no entry is 0.
// 24 bits of them reach to 137 billion records.
func blockOf(seq int64) uint64 { return uint64(seq/blockRows) + 1 }

// blockRange gives the first and the last sequence number of a block.
func blockRange(block uint64) (first, last int64) {
	return int64(block-1) * blockRows, int64(block)*blockRows - 1
}

// newIndex makes an index with room for n ids.
func newIndex(n int) *index {
	return &index{slots: make([]uint64, max(1024, n+n/2))}
}

// fingerprint gives the 40 bits of an id that the index keeps, in place.
func fingerprint(id [16]byte) uint64 {
	return uint64(id[0])<<56 | uint64(id[1])<<48 | uint64(id[2])<<40 | uint64(id[3])<<32 | uint64(id[4])<<24
}

// home gives the slot at which the search for an entry starts.
func (x *index) home(entry uint64) int {
	slot, _ := bits.Mul64(entry&^blockMask, uint64(len(x.slots)))
	return int(slot)
}

// find gives the blocks in which the id may be; nil means that the store does
// not have it.
func (x *index) find(id [16]byte, into []uint64) []uint64 {
	f := fingerprint(id)
	for i := x.home(f); ; {
		e := x.slots[i]
		if e == 0 {
			return into
		}
		if e&^blockMask == f {
			into = append(into, e&blockMask)
		}
		if i++; i == len(x.slots) {
			i = 0
		}
	}
}

// add enters an id at its block.
func (x *index) add(id [16]byte, seq int64) {
	if x.used >= len(x.slots)/5*4 {
		x.grow()
	}
	x.insert(fingerprint(id) | blockOf(seq))
	x.used++
}

func (x *index) insert(entry uint64) {
	i := x.home(entry)
	for x.slots[i] != 0 {
		if i++; i == len(x.slots) {
			i = 0
		}
	}
	x.slots[i] = entry
}

// move changes the block of an id that has got a new sequence number.
func (x *index) move(id [16]byte, from, to int64) {
	old := fingerprint(id) | blockOf(from)
	for i := x.home(old); x.slots[i] != 0; {
		if x.slots[i] == old {
			x.slots[i] = fingerprint(id) | blockOf(to)
			return
		}
		if i++; i == len(x.slots) {
			i = 0
		}
	}
	x.add(id, to)
}

func (x *index) grow() {
	old := x.slots
	x.slots = make([]uint64, len(old)+len(old)/2)
	for _, e := range old {
		if e != 0 {
			x.insert(e)
		}
	}
}
