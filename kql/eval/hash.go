package eval

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/bits"
	"strings"

	"github.com/cespare/xxhash/v2"

	"glassward/kql/value"
)

// hashFunctions are Kusto's hash(): XXH64 over a text's UTF-8, or over a value's bytes with the least first.
// SQL picks the one for the value's type.
func hashFunctions() []Function {
	of := func(name string, t value.Type, sum func(v any) uint64) Function {
		return nfn("hash_"+name, types(t, tLong), tLong, func(a []any) any {
			var h uint64
			if a[0] == nil {
				h = hashBytes(nil)
			} else {
				h = sum(a[0])
			}
			if m := long(a[1], 0); m > 0 {
				return int64(h % uint64(m))
			}
			return int64(h)
		})
	}
	return []Function{
		of("text", tStr, func(v any) uint64 { return xxhash.Sum64String(str(v)) }),
		of("long", tLong, func(v any) uint64 { return hashLong(long(v, 0)) }),
		of("bool", tBool, func(v any) uint64 {
			if truth(v) {
				return hashBytes([]byte{1})
			}
			return hashBytes([]byte{0})
		}),
		of("real", tReal, func(v any) uint64 { return hashLong(int64(math.Float64bits(real(v, 0)))) }),
		of("guid", tStr, func(v any) uint64 {
			b, err := hex.DecodeString(strings.ReplaceAll(str(v), "-", ""))
			if err != nil || len(b) != 16 {
				return xxhash.Sum64String(str(v))
			}
			// The bytes of a guid stand as Windows keeps them.
			return hashBytes([]byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]})
		}),
		of("dynamic", tDyn, func(v any) uint64 {
			switch v := dyn(v).(type) {
			case int64:
				return hashLong(v)
			case float64:
				return hashLong(int64(math.Float64bits(v)))
			default:
				return xxhash.Sum64String(value.Text(v))
			}
		}),
		vfn("hash_combine", types(tDyn), tLong, func(a []any) any {
			list, _ := array(a[0])
			var h uint64
			for i, e := range list {
				if v := uint64(long(e, 0)); i == 0 {
					h = v
				} else {
					h = hashBytes(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, bits.RotateLeft64(h, 1)), v))
				}
			}
			return int64(h)
		}),
	}
}

func hashBytes(b []byte) uint64 { return xxhash.Sum64(b) }

func hashLong(n int64) uint64 { return hashBytes(binary.LittleEndian.AppendUint64(nil, uint64(n))) }
