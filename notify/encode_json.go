package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// encodeJSON writes a value as JSON (RFC 8259) in which every character that is
// hidden from a reader stands as \u and its number: the value is the same, and
// the text can be shown in a log or a terminal. <, > and & are written likewise,
// so that the text can stand in a page.
func encodeJSON(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if !bytes.ContainsFunc(text, func(r rune) bool { return r > '~' }) {
		return text, nil
	}
	// Beyond ASCII JSON has characters inside strings only, so each may be
	// replaced where it stands.
	out := make([]byte, 0, len(text)+64)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r <= '~' || !hidden(r) && r != utf8.RuneError && !unicode.Is(unicode.M, r):
			out = append(out, text[i:i+size]...)
		case r > 0xFFFF:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xD800+(r>>10), 0xDC00+(r&0x3FF))
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += size
	}
	return out, nil
}
