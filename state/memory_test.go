package state

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func TestMemory(t *testing.T) {
	dir := t.TempDir()
	ck := &clock{night}
	s := openStore(t, dir, Options{Now: ck.now})
	if _, err := s.Memory(t.Context(), "contoso"); !errors.Is(err, ErrNotFound) {
		t.Errorf("before anything was kept: %v", err)
	}
	for _, memory := range []string{"first", "second\x00\xff"} {
		if err := s.PutMemory(t.Context(), "contoso", []byte(memory)); err != nil {
			t.Fatal(err)
		}
		got, err := s.Memory(t.Context(), "contoso")
		if err != nil || !bytes.Equal(got, []byte(memory)) {
			t.Errorf("kept %q, got %q, %v", memory, got, err)
		}
	}
	if _, err := s.Memory(t.Context(), "fabrikam"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another tenant's: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tamper(t, dir, "UPDATE memory SET memory = x'00'")
	s = openStore(t, dir, Options{Now: ck.now})
	if _, err := s.Memory(t.Context(), "contoso"); !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged one: %v", err)
	}
	// It is learned anew and kept again.
	if err := s.PutMemory(t.Context(), "contoso", nil); err == nil {
		t.Error("nothing at all was kept")
	}
	if err := s.PutMemory(t.Context(), "contoso", []byte("third")); err != nil {
		t.Error(err)
	}
}

// What is dropped is the name itself and what ends in it, and nothing that merely
// looks alike.
func TestDropMemory(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{Now: (&clock{night}).now})
	all := []string{"across", "installation/across", "contoso/across", "contoso/notacross", "contoso", "across/contoso", "contoso/acros_"}
	for _, subject := range all {
		if err := s.PutMemory(t.Context(), subject, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DropMemory(t.Context(), "across"); err != nil {
		t.Fatal(err)
	}
	for i, subject := range all {
		if _, err := s.Memory(t.Context(), subject); errors.Is(err, ErrNotFound) != (i < 3) {
			t.Errorf("%s: %v", subject, err)
		}
	}
}

func TestRecordBlind(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{Now: (&clock{night}).now})
	before, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RecordBlind(t.Context(), "contoso"); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Head(t.Context()); got != before {
		t.Error("no interval made an entry")
	}
	list := []BlindInterval{
		{Road: "graph", Table: "SigninLogs", From: night.In(time.FixedZone("CET", 3600)), To: night.Add(52 * time.Minute), Reason: "outage", Late: 7, Others: []string{"eventhub"}},
		{Road: "graph", Table: "AuditLogs", From: night, To: night.Add(time.Hour), Reason: "outage"},
	}
	if err := s.RecordBlind(t.Context(), "contoso", list...); err != nil {
		t.Fatal(err)
	}
	entries, err := s.Journal(t.Context(), before.Seq, 10)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for i, want := range []string{
		`{"from":"2026-03-14T02:20:00Z","late":7,"others":["eventhub"],"reason":"outage","road":"graph","table":"SigninLogs","to":"2026-03-14T03:12:00Z"}`,
		`{"from":"2026-03-14T02:20:00Z","late":0,"reason":"outage","road":"graph","table":"AuditLogs","to":"2026-03-14T03:20:00Z"}`,
	} {
		if e := entries[i]; e.Kind != "blind" || e.Tenant != "contoso" || string(e.Payload) != want {
			t.Errorf("entry %d: %s of %s: %s", i, e.Kind, e.Tenant, e.Payload)
		}
	}
	if _, err := s.Verify(t.Context(), Mark{}, 1000); err != nil {
		t.Error(err)
	}
}
