package eval

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// decode64 reads base64 as Kusto does: in the standard alphabet, filled up with =.
func decode64(s string) ([]byte, bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	return b, err == nil && !strings.ContainsAny(s, "\r\n")
}

func codecFunctions() []Function {
	hash := func(name string, sum func([]byte) []byte) Function {
		return fn(name, types(tStr), tStr, func(a []any) any { return hex.EncodeToString(sum([]byte(str(a[0])))) })
	}
	unpack := func(name string, open func(io.Reader) (io.Reader, error)) Function {
		return fn(name, types(tStr), tStr, func(a []any) any {
			b, ok := decode64(str(a[0]))
			if !ok {
				return ""
			}
			r, err := open(bytes.NewReader(b))
			if err != nil {
				return ""
			}
			out, err := io.ReadAll(io.LimitReader(r, MaxText))
			if err != nil || !utf8.Valid(out) {
				return ""
			}
			return string(out)
		})
	}
	return []Function{
		fn("gzip_compress_to_base64_string", types(tStr), tStr, func(a []any) any {
			b := append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}, deflate([]byte(str(a[0])))...)
			b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(str(a[0]))))
			return base64.StdEncoding.EncodeToString(binary.LittleEndian.AppendUint32(b, uint32(len(str(a[0])))))
		}),
		fn("zlib_compress_to_base64_string", types(tStr), tStr, func(a []any) any {
			b := append([]byte{0x78, 0x01}, deflate([]byte(str(a[0])))...)
			return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, adler32.Checksum([]byte(str(a[0])))))
		}),
		fn("base64_encode_fromarray", types(tDyn), tStr, func(a []any) any {
			list, ok := array(a[0])
			if !ok {
				return ""
			}
			b := make([]byte, len(list))
			for i, e := range list {
				n, ok := e.(int64)
				if !ok || n < 0 || n > 255 {
					return ""
				}
				b[i] = byte(n)
			}
			return base64.StdEncoding.EncodeToString(b)
		}),
		fn("base64_encode_fromguid", types(tStr), tStr, func(a []any) any {
			b, err := hex.DecodeString(strings.ReplaceAll(str(a[0]), "-", ""))
			if err != nil || len(b) != 16 {
				return ""
			}
			b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7] = b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6]
			return base64.StdEncoding.EncodeToString(b)
		}),
		fn("base64_encode_tostring", types(tStr), tStr, func(a []any) any { return base64.StdEncoding.EncodeToString([]byte(str(a[0]))) }),
		fn("base64_decode_tostring", types(tStr), tStr, func(a []any) any {
			b, ok := decode64(str(a[0]))
			if !ok || !utf8.Valid(b) {
				return ""
			}
			return string(b)
		}),
		fn("base64_decode_toarray", types(tStr), tDyn, func(a []any) any {
			b, ok := decode64(str(a[0]))
			if !ok {
				return nil
			}
			out := make([]any, len(b))
			for i, c := range b {
				out[i] = int64(c)
			}
			return js(out)
		}),
		fn("base64_decode_toguid", types(tStr), tStr, func(a []any) any {
			b, ok := decode64(str(a[0]))
			if !ok || len(b) != 16 {
				return nil
			}
			// The first three groups are little-endian.
			return fmt.Sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%x-%x", b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8:10], b[10:])
		}),
		hash("hash_md5", func(b []byte) []byte { s := md5.Sum(b); return s[:] }),
		hash("hash_sha1", func(b []byte) []byte { s := sha1.Sum(b); return s[:] }),
		hash("hash_sha256", func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }),
		unpack("gzip_decompress_from_base64_string", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }),
		unpack("zlib_decompress_from_base64_string", func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) }),
		fn("parse_csv", types(tStr), tDyn, func(a []any) any {
			r := csv.NewReader(strings.NewReader(str(a[0])))
			r.LazyQuotes, r.FieldsPerRecord = true, -1
			rec, err := r.Read()
			if err != nil {
				return nil
			}
			out := make([]any, len(rec))
			for i, f := range rec {
				out[i] = f
			}
			return js(out)
		}),
		fn("parse_command_line", types(tStr, tStr), tDyn, func(a []any) any { return commandLine(str(a[0])) }),
	}
}

// deflate compresses. What would not become shorter is kept as it is, in one block.
func deflate(b []byte) []byte {
	if len(b) == 0 {
		return []byte{3, 0}
	}
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.DefaultCompression)
	if err != nil {
		return nil
	}
	if _, err := w.Write(b); err != nil || w.Close() != nil {
		return nil
	}
	const end = 5 // the empty block that the writer ends with
	if n := len(b); n <= math.MaxUint16 && out.Len()-end+1 >= n {
		return append([]byte{1, byte(n), byte(n >> 8), ^byte(n), ^byte(n >> 8)}, b...)
	}
	return out.Bytes()
}

// commandLine splits by the rules of Windows: backslashes before a quote count in pairs.
func commandLine(s string) any {
	var out []any
	var cur strings.Builder
	in, have := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			n := runLength(s[i:])
			if i+n < len(s) && s[i+n] == '"' {
				cur.WriteString(strings.Repeat(`\`, n/2))
				if n%2 == 1 {
					cur.WriteByte('"')
					i++
				}
				i += n - 1
			} else {
				cur.WriteString(s[i : i+n])
				i += n - 1
			}
			have = true
		case c == '"':
			in, have = !in, true
		case (c == ' ' || c == '\t') && !in:
			if have {
				out = append(out, cur.String())
				cur.Reset()
				have = false
			}
		default:
			cur.WriteByte(c)
			have = true
		}
	}
	if have {
		out = append(out, cur.String())
	}
	if out == nil {
		return nil
	}
	return js(out)
}
