package acceptance_test

import (
	"compress/gzip"
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// zip writes FILE.gz beside FILE.
func zip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gzip FILE")
	}
	path := ts.MkAbs(args[0])
	text, err := os.ReadFile(path)
	ts.Check(err)
	f, err := os.Create(path + ".gz")
	ts.Check(err)
	z := gzip.NewWriter(f)
	_, err = z.Write(text)
	ts.Check(err)
	ts.Check(z.Close())
	ts.Check(f.Close())
}

// writeBytes writes a file from texts in Go's notation, for what an archive of
// text cannot hold: NUL, a byte order mark, CRLF.
func writeBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: bytes FILE 'TEXT'…")
	}
	var out []byte
	for _, a := range args[1:] {
		s, err := strconv.Unquote("`" + a + "`")
		ts.Check(err)
		for s != "" {
			r, multibyte, tail, err := strconv.UnquoteChar(s, 0)
			ts.Check(err)
			if r < 0x80 || !multibyte {
				out = append(out, byte(r))
			} else {
				out = append(out, string(r)...)
			}
			s = tail
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), out, 0o600))
}
