package main

import (
	"debug/buildinfo"
	"encoding/json"
	"os"
	"testing"
)

// The bill names every module that the linker put in, each once and with its
// checksum, and is the same every time.
func TestBillNamesEveryModule(t *testing.T) {
	program, err := os.Executable() // a test binary has its modules noted too
	if err != nil {
		t.Fatal(err)
	}
	b, err := of(program, "v1", 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]component{}
	for _, c := range b.Components {
		if _, twice := have[c.Ref]; twice {
			t.Errorf("%s is there twice", c.Ref)
		}
		have[c.Ref] = c
	}
	for _, m := range info.Deps {
		if c, ok := have[purl(m.Path, m.Version)]; !ok || m.Sum != "" && len(c.Hashes) == 0 {
			t.Errorf("%s %s: %+v", m.Path, m.Version, c)
		}
	}
	if len(b.Dependencies[0].DependsOn) != len(b.Components) || len(b.SerialNumber) != len("urn:uuid:")+36 {
		t.Errorf("%+v", b)
	}
	one, _ := json.Marshal(b)
	again, err := of(program, "v1", 0)
	if err != nil {
		t.Fatal(err)
	}
	if two, _ := json.Marshal(again); string(one) != string(two) {
		t.Error("the same program gives two bills")
	}
}

func TestNames(t *testing.T) {
	if got := engine("v0.10505.0").Version; got != "1.5.5" {
		t.Errorf("the engine is %s", got)
	}
	if got := purl("github.com/google/flatbuffers", "v25.12.19+incompatible"); got != "pkg:golang/github.com/google/flatbuffers@v25.12.19%2Bincompatible" {
		t.Error(got)
	}
}
