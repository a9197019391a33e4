package ingest

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// The scanner reads JSON in one pass over bytes that are followed by slack zero
// bytes, so that it may look ahead without asking for the end: a zero byte is
// either the end of what has been read so far or an error.

const slack = 16

// kind is the kind of a scanned JSON value.
type kind uint8

const (
	kNone kind = iota
	kString
	kNumber
	kTrue
	kFalse
	kNull
	kObject
	kArray
	kText // a text that is no JSON: a cell of a CSV file
)

// What a scanned text holds that a plain one does not.
type flags uint8

const (
	fEscape    flags = 1 << iota // a backslash
	fOddEscape                   // an escape that the normal form would not use
	fSpace                       // white space outside strings
	fHigh                        // bytes above ASCII
	fControl                     // raw control characters inside a string
	fNestedDup                   // perhaps a key twice in one object
)

// maxDepth bounds the nesting of a record: what is deeper is rejected.
const maxDepth = 64

// A scanError is a position at which the text stops being JSON. more means that
// the text so far is fine and ends too early.
type scanError struct {
	at   int
	more bool
	msg  string
}

type scanner struct {
	b   []byte // with slack zero bytes after end
	end int
	err scanError
	// known remembers sequences of keys in which no key comes twice.
	known *[1024]uint64
	seed  uint64
}

func (s *scanner) fail(at int, msg string) int {
	if at >= s.end {
		s.err = scanError{at: s.end, more: true, msg: "the text ends inside a record"}
	} else {
		s.err = scanError{at: at, msg: msg}
	}
	return -1
}

const (
	low7  = 0x7f7f7f7f7f7f7f7f
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// str scans a string whose opening quote stands at i-1 and gives the position of
// its closing quote, or -1.
func (s *scanner) str(i int) (int, flags) {
	b := s.b
	var f flags
	for {
		if i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			q := w ^ ones*'"'
			e := w ^ ones*'\\'
			m := ((q-ones)&^q | (e-ones)&^e | (w-ones*0x20)&^w | w) & highs
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) >> 3
		}
		if i >= s.end {
			return s.fail(i, ""), f
		}
		switch c := b[i]; {
		case c == '"':
			return i, f
		case c == '\\':
			f |= fEscape
			switch b[i+1] {
			case '"', '\\', 'b', 'f', 'n', 'r', 't':
				i += 2
			case '/':
				f |= fOddEscape
				i += 2
			case 'u':
				f |= fOddEscape
				for k := i + 2; k < i+6; k++ {
					if !isHex(b[k]) {
						return s.fail(k, `\u needs four hexadecimal digits`), f
					}
				}
				i += 6
			default:
				return s.fail(i+1, "unknown escape in a string"), f
			}
		case c == '\n':
			return s.fail(i, "the line ends inside a string"), f
		case c < 0x20:
			f |= fControl
			i++
		case c >= 0x80:
			f |= fHigh
			for i++; b[i] >= 0x80; i++ {
			}
		default:
			i++
		}
	}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// space skips white space.
func (s *scanner) space(i int) int {
	b := s.b
	for {
		switch b[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
}

// scalar scans a number or a literal at i.
func (s *scanner) scalar(i int) (int, kind) {
	b := s.b
	switch c := b[i]; {
	case c == 't':
		return s.literal(i, "true"), kTrue
	case c == 'f':
		return s.literal(i, "false"), kFalse
	case c == 'n':
		return s.literal(i, "null"), kNull
	case c == '-' || '0' <= c && c <= '9':
		return s.number(i), kNumber
	default:
		return s.fail(i, "a value is expected"), kNone
	}
}

func (s *scanner) literal(i int, word string) int {
	for k := range len(word) {
		if s.b[i+k] != word[k] {
			return s.fail(i+k, "a value is expected")
		}
	}
	return i + len(word)
}

// number scans a number. One that touches the end of the text may go on there.
func (s *scanner) number(i int) int {
	b := s.b
	if b[i] == '-' {
		i++
	}
	digits := func() bool {
		start := i
		for '0' <= b[i] && b[i] <= '9' {
			i++
		}
		return i > start
	}
	start := i
	if !digits() {
		return s.fail(i, "a digit is expected")
	}
	if b[start] == '0' && i > start+1 {
		// Kept as it is it would make the text of _Extra unreadable for every query.
		return s.fail(start+1, "a number does not begin with 0")
	}
	if b[i] == '.' {
		i++
		if !digits() {
			return s.fail(i, "a digit is expected")
		}
	}
	if b[i] == 'e' || b[i] == 'E' {
		i++
		if b[i] == '+' || b[i] == '-' {
			i++
		}
		if !digits() {
			return s.fail(i, "a digit is expected")
		}
	}
	if i >= s.end {
		return s.fail(i, "")
	}
	return i
}

// value scans any value at i, which must not be white space, and gives the
// position after it, or -1.
func (s *scanner) value(i int) (int, kind, flags) {
	switch s.b[i] {
	case '"':
		end, f := s.str(i + 1)
		if end < 0 {
			return -1, kNone, 0
		}
		return end + 1, kString, f
	case '{':
		end, f := s.container(i)
		return end, kObject, f
	case '[':
		end, f := s.container(i)
		return end, kArray, f
	}
	end, k := s.scalar(i)
	return end, k, 0
}

// container scans an object or array at i without recursion.
func (s *scanner) container(i int) (int, flags) {
	b := s.b
	var f flags
	var objects uint64          // bit d is set if level d is an object
	var hashes [maxDepth]uint64 // of the keys so far, for each level
	var starts [maxDepth]int
	depth := -1

value:
	switch b[i] {
	case '"':
		end, g := s.str(i + 1)
		if end < 0 {
			return -1, f
		}
		f |= g
		i = end + 1
		goto after
	case '{', '[':
		if depth++; depth == maxDepth {
			return s.fail(i, "the record is nested deeper than 64 levels"), f
		}
		object, open := b[i] == '{', i
		i++
		if b[i] <= ' ' {
			if j := s.space(i); j > i {
				i = j
				f |= fSpace
			}
		}
		if object {
			objects |= 1 << depth
			hashes[depth] = s.seed
			starts[depth] = open
			if b[i] == '}' {
				goto pop
			}
			goto key
		}
		objects &^= 1 << depth
		if b[i] == ']' {
			goto pop
		}
		goto value
	default:
		end, _ := s.scalar(i)
		if end < 0 {
			return -1, f
		}
		i = end
		goto after
	}

key:
	{
		if b[i] != '"' {
			return s.fail(i, "a key in quotes is expected"), f
		}
		end, g := s.str(i + 1)
		if end < 0 {
			return -1, f
		}
		f |= g
		hashes[depth] = (hashes[depth] ^ s.hash(b[i+1:end])) * 0x9e3779b97f4a7c15
		i = end + 1
		if b[i] <= ' ' {
			if j := s.space(i); j > i {
				i = j
				f |= fSpace
			}
		}
		if b[i] != ':' {
			return s.fail(i, "a colon is expected after the key"), f
		}
		i++
		if b[i] <= ' ' {
			if j := s.space(i); j > i {
				i = j
				f |= fSpace
			}
		}
		goto value
	}

after:
	if b[i] <= ' ' {
		if j := s.space(i); j > i {
			i = j
			f |= fSpace
		}
	}
	switch c := b[i]; {
	case c == ',':
		i++
		if b[i] <= ' ' {
			if j := s.space(i); j > i {
				i = j
				f |= fSpace
			}
		}
		if objects>>depth&1 == 1 {
			goto key
		}
		goto value
	case c == '}' && objects>>depth&1 == 1, c == ']' && objects>>depth&1 == 0:
		goto pop
	case objects>>depth&1 == 1:
		return s.fail(i, "a comma or } is expected"), f
	default:
		return s.fail(i, "a comma or ] is expected"), f
	}

pop:
	i++
	if objects>>depth&1 == 1 {
		if h := hashes[depth]; s.known[h&1023] != h && f&fNestedDup == 0 {
			// A sequence of keys not met before: look at it once.
			if hasDuplicate(str(b[starts[depth]:i])) {
				f |= fNestedDup
			} else {
				s.known[h&1023] = h
			}
		}
	}
	if depth--; depth < 0 {
		return i, f
	}
	goto after
}

// hash gives a number for a key. It decides only whether a sequence of keys has
// been looked at before.
func (s *scanner) hash(key []byte) uint64 {
	n := len(key)
	var a, z uint64
	if n >= 8 {
		a = binary.LittleEndian.Uint64(key)
		z = binary.LittleEndian.Uint64(key[n-8:])
		for k := 8; k < n-8; k++ {
			a = a*0x100000001b3 ^ uint64(key[k])
		}
	} else {
		for _, c := range key {
			a = a<<8 | uint64(c)
		}
	}
	hi, lo := bits.Mul64(a^s.seed, z^uint64(n)*0x9e3779b97f4a7c15|1)
	return hi ^ lo
}

// str gives bytes that nobody will change as a string without copying them.
func str(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}
