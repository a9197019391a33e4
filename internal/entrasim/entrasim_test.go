package entrasim_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"glassward/internal/entrasim"
)

func TestTheSameSeedWritesTheSameDay(t *testing.T) {
	end := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	a, b := entrasim.New(1).Day(end), entrasim.New(1).Day(end)
	if !bytes.Equal(bytes.Join(a, nil), bytes.Join(b, nil)) {
		t.Fatal("two days of one seed differ")
	}
	accounts := 0
	var last time.Time
	for i, rec := range a {
		var r struct {
			Time time.Time `json:"time"`
		}
		if err := json.Unmarshal(rec, &r); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		if r.Time.Before(last) || r.Time.After(end) || r.Time.Before(end.Add(-24*time.Hour)) {
			t.Fatalf("record %d at %v: out of order or not of the day", i, r.Time)
		}
		last = r.Time
		if bytes.Contains(rec, []byte(entrasim.EA01)) {
			accounts++
		}
	}
	if accounts != 4 {
		t.Errorf("%d records touch EA-01, the story has 4", accounts)
	}
}

func TestASignInIsOfOrdinarySize(t *testing.T) {
	n := len(entrasim.New(2).SignIn(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)))
	if n < 1800 || n > 2700 {
		t.Errorf("%d bytes", n)
	}
}
