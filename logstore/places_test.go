package logstore_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"glassward/kql"
	"glassward/logstore"
)

// mmdb writes a database of one IPv4 network with the record given, after the
// description of the format.
func mmdb(network netip.Prefix, record []byte) []byte {
	bits := network.Bits()
	var b bytes.Buffer
	three := func(n int) { b.Write([]byte{byte(n >> 16), byte(n >> 8), byte(n)}) }
	addr := network.Addr().As4()
	for i := range bits {
		next := i + 1
		if next == bits {
			next = bits + 16 // the record at the start of the data
		}
		if addr[i/8]>>(7-i%8)&1 == 1 {
			three(bits)
			three(next)
		} else {
			three(next)
			three(bits)
		}
	}
	b.Write(make([]byte, 16))
	b.Write(record)
	b.WriteString("\xab\xcd\xefMaxMind.com")
	b.Write(mapOf("node_count", uintOf(uint32(bits)), "record_size", uintOf(24), "ip_version", uintOf(4), "database_type", textOf("Test-City"), "languages", []byte{0x00, 0x04}, "binary_format_major_version", uintOf(2),
		"binary_format_minor_version", uintOf(0), "build_epoch", uintOf(1), "description", mapOf()))
	return b.Bytes()
}

func textOf(s string) []byte {
	if n := len(s); n >= 29 {
		return append([]byte{2<<5 | 29, byte(n - 29)}, s...)
	}
	return append([]byte{byte(2<<5 | len(s))}, s...)
}

func uintOf(n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{6<<5 | 4}, n) }

func realOf(f float64) []byte {
	return binary.BigEndian.AppendUint64([]byte{3<<5 | 8}, math.Float64bits(f))
}

func mapOf(pairs ...any) []byte {
	out := []byte{byte(7<<5 | len(pairs)/2)}
	for i := 0; i < len(pairs); i += 2 {
		out = append(append(out, textOf(pairs[i].(string))...), pairs[i+1].([]byte)...)
	}
	return out
}

func TestPlaces(t *testing.T) {
	named := func(s string) []byte { return mapOf("names", mapOf("en", textOf(s))) }
	record := mapOf("country", named("Norway"), "city", named("Bergen"), "subdivisions", append([]byte{1, 4}, named("Vestland")...), "location", mapOf("latitude", realOf(60.39), "longitude", realOf(5.32)))
	file := filepath.Join(t.TempDir(), "city.mmdb")
	if err := os.WriteFile(file, mmdb(netip.MustParsePrefix("203.0.113.0/24"), record), 0o600); err != nil {
		t.Fatal(err)
	}
	places, err := logstore.OpenPlaces(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := logstore.OpenPlaces(t.TempDir()); err == nil {
		t.Error("a folder is taken for a database")
	}
	store, err := logstore.OpenMemory(t.Context(), logstore.Options{Places: places})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	const query = `print a = tostring(geo_info_from_ip_address("203.0.113.77")), b = isnull(geo_info_from_ip_address("198.51.100.1")), c = isnull(geo_info_from_ip_address("no address")), d = tostring(geo_info_from_ip_address("::ffff:203.0.113.1").city)`
	if p, _ := kql.Compile(query, kql.Options{}); p != nil {
		t.Error("without a database the function is not refused")
	}
	p, diags := kql.Compile(query, kql.Options{Addresses: true})
	if p == nil {
		t.Fatal(diags.Err())
	}
	res, err := store.Run(t.Context(), p, kql.Bind{}, logstore.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := []any{`{"country":"Norway","state":"Vestland","city":"Bergen","latitude":60.39,"longitude":5.32}`, true, true, "Bergen"}
	for i, w := range want {
		if res.Rows[0][i] != w {
			t.Errorf("column %d is %v, want %v", i, res.Rows[0][i], w)
		}
	}
}
