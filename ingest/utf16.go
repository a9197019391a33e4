package ingest

import "io"

// A utf16Reader gives UTF-16 text, as Windows PowerShell writes it, as UTF-8.
type utf16Reader struct {
	r    io.Reader
	big  bool
	in   [4096]byte
	left int // bytes at the beginning of in that are not yet read
	out  []byte
	high rune // first half of a surrogate pair
	err  error
}

// Read gives UTF-8.
func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		n, err := u.r.Read(u.in[u.left:])
		u.err = err
		n += u.left
		u.out = u.out[:0]
		i := 0
		for ; i+1 < n; i += 2 {
			r := rune(u.in[i]) | rune(u.in[i+1])<<8
			if u.big {
				r = rune(u.in[i])<<8 | rune(u.in[i+1])
			}
			switch {
			case 0xd800 <= r && r < 0xdc00:
				u.high = r
				continue
			case 0xdc00 <= r && r < 0xe000 && u.high != 0:
				r = (u.high-0xd800)<<10 | (r - 0xdc00) + 0x10000
			}
			u.high = 0
			u.out = append(u.out, string(r)...)
		}
		u.left = copy(u.in[:], u.in[i:n])
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}
