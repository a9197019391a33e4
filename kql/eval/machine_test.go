package eval_test

import (
	"strings"
	"testing"

	"glassward/kql/eval"
)

// counting is a program of one step that matches every row and counts, and of a second that takes over after three.
const counting = `{"cells":["long"],"out":[{"type":"long","default":{"f":"const","t":"long","v":"0"}}],
"state":[{"cell":-1,"out":0,"empty":{"f":"const","t":"long","v":"0"}}],"lineage":true,
"steps":[{"output":"all","cond":{"f":"const","t":"bool","v":"true"},"set":{"0":{"f":"+","t":"long","a":[{"f":"state","t":"long"},{"f":"const","t":"long","v":"1"}]}},"reads":[0]},
{"output":"last","cond":{"f":"==","t":"bool","a":[{"f":"state","t":"long"},{"f":"const","t":"long","v":"3"}]},"reads":[0]}]}`

func TestMachine(t *testing.T) {
	m, err := eval.ReadMachine(counting)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Run(`[["1","7"],["2",null],["3","7"],["4","8"]]`)
	const want = `[[1,0,"1",[1]],[2,0,"2",[2,1]],[3,0,"3",[3,2,1]],[4,1,"1",[4]],[4,0,"0",[4,3,2,1]]]`
	if err != nil || got != want {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
	for _, bad := range []string{`{"steps":[{"cond":{"f":"nothing","t":"bool"}}]}`, `{"steps":[{"cond":{"f":"cell","t":"bool","i":1}}]}`, `{"steps":[{"cond":{"f":"+","t":"long"}}]}`, `x`} {
		if _, err := eval.ReadMachine(bad); err == nil {
			t.Errorf("no error for %s", bad)
		}
	}
}

// TestMachineBounds holds that a long run with its causes stays small and quick.
func TestMachineBounds(t *testing.T) {
	m, err := eval.ReadMachine(strings.Replace(counting, `"v":"3"`, `"v":"-1"`, 1))
	if err != nil {
		t.Fatal(err)
	}
	rows := "[" + strings.TrimSuffix(strings.Repeat(`["1","2"],`, 200_000), ",") + "]"
	got, err := m.Run(rows)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.(string)); n > 64<<20 {
		t.Errorf("%d bytes come out", n)
	}
}

func FuzzMachine(f *testing.F) {
	f.Add(counting, `[["1","7"],["2",null],["3","\"\n"]]`)
	f.Fuzz(func(t *testing.T, program, rows string) {
		if m, err := eval.ReadMachine(program); err == nil {
			_, _ = m.Run(rows)
		}
		m, err := eval.ReadMachine(counting)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = m.Run(rows)
	})
}
