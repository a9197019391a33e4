package day_test

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	"glassward/internal/day"
)

var tuesday = time.Date(2026, 11, 17, 0, 0, 0, 0, time.UTC)

// The plan holds against itself, and the same seed gives the same bytes in the order
// of arrival.
func TestADay(t *testing.T) {
	sum := func() (sum [32]byte, n, planted int) {
		d, err := day.New(day.Options{Start: tuesday, Records: 4000, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Plan.Planted) != 40 || len(d.Plan.Near) < 20 {
			t.Errorf("%d things are planted, %d look like them", len(d.Plan.Planted), len(d.Plan.Near))
		}
		var all bytes.Buffer
		var last time.Time
		for r := range d.Records() {
			if r.Arrives.Before(last) {
				t.Fatalf("what arrives at %v comes after %v", r.Arrives, last)
			}
			if !r.Arrives.After(r.Event) {
				t.Fatalf("what happens at %v arrives at %v", r.Event, r.Arrives)
			}
			last = r.Arrives
			if r.Planted {
				planted++
			}
			n++
			all.Write(r.JSON())
		}
		return sha256.Sum256(all.Bytes()), n, planted
	}
	first, n, planted := sum()
	if planted != 40+27+2 {
		t.Errorf("%d records are planted", planted)
	}
	if n < 3600 || n > 4600 {
		t.Errorf("%d records were asked for and %d come", 4000, n)
	}
	if second, _, _ := sum(); first != second {
		t.Error("the same seed gives other bytes")
	}
}
