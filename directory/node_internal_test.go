package directory

import (
	"bytes"
	"encoding/json"
	"testing"
)

// What is read where it stands is what encoding/json reads: the same elements, fields and
// texts, wherever quotation marks, brackets and white space stand.
func FuzzNode(f *testing.F) {
	for _, seed := range []string{
		`[]`, `[1,-2.5e3,true,null,"x"]`, `["\"", "\\", "\\\"", "\\\\", "a\\\"],[\"b"]`, `[ { "a" : [ "]" ] , "b\"" : "}" } , [[ ]] ]`,
		"[\"é\",\"\\u00e9\\ud83d\\ude00\",\"\\\\\\\\\\\"\"\n,\t0 ]", `{"a":{"b":[{}]},"a":2,"\u0061":3}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			return
		}
		n := node(bytes.TrimSpace(text))
		var list []json.RawMessage
		switch n.kind() {
		case '[':
			if json.Unmarshal(n, &list) != nil {
				return
			}
			i := 0
			for v := range n.elements() {
				if i >= len(list) || !bytes.Equal(v, list[i]) {
					t.Fatalf("element %d of %s is %s", i, n, v)
				}
				i++
			}
			if i != len(list) {
				t.Fatalf("%d elements of %s", i, n)
			}
		case '{':
			want := map[string]json.RawMessage{}
			if json.Unmarshal(n, &want) != nil {
				return
			}
			have := map[string]json.RawMessage{}
			for key, v := range n.fields() {
				have[key] = json.RawMessage(v)
			}
			if len(have) != len(want) {
				t.Fatalf("%s has %d fields, not %d", n, len(have), len(want))
			}
			for key, v := range want {
				if !bytes.Equal(have[key], v) {
					t.Fatalf("%q of %s is %s", key, n, have[key])
				}
			}
		case '"':
			var want string
			if json.Unmarshal(n, &want) == nil && n.text() != want {
				t.Fatalf("%s is %q", n, n.text())
			}
			d := &decoder{shared: shared{}}
			for range 2 {
				if got := d.word(n); got != n.text() {
					t.Fatalf("%s is shared as %q", n, got)
				}
			}
		}
	})
}
