package ingest_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"glassward/ingest"
	"glassward/kql/value"
)

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-02-03T04:05:06Z":                "2026-02-03T04:05:06.0000000Z",
		"2026-02-03T04:05:06.7Z":              "2026-02-03T04:05:06.7000000Z",
		"2026-02-03T04:05:06.1234567Z":        "2026-02-03T04:05:06.1234567Z",
		"2026-02-03T04:05:06.123456789Z":      "2026-02-03T04:05:06.1234567Z",
		"2026-02-03T04:05:06.1234567+00:00":   "2026-02-03T04:05:06.1234567Z",
		"2026-02-03T04:05:06-05:30":           "2026-02-03T09:35:06.0000000Z",
		"2026-02-03T04:05:06+0200":            "2026-02-03T02:05:06.0000000Z",
		"2026-02-03T04:05:06+02":              "2026-02-03T02:05:06.0000000Z",
		"2026-02-03 04:05:06.5":               "2026-02-03T04:05:06.5000000Z",
		"2026-02-03 04:05:06 UTC":             "2026-02-03T04:05:06.0000000Z",
		"2026-02-03T04:05":                    "2026-02-03T04:05:00.0000000Z",
		"2026-02-03":                          "2026-02-03T00:00:00.0000000Z",
		" 2026-02-03T04:05:06Z ":              "2026-02-03T04:05:06.0000000Z",
		"2/3/2026 4:05:06 AM":                 "2026-02-03T04:05:06.0000000Z",
		"02/03/2026 04:05:06":                 "2026-02-03T04:05:06.0000000Z",
		"2/3/2026 12:05:06 AM":                "2026-02-03T00:05:06.0000000Z",
		"2/3/2026 12:05:06 PM":                "2026-02-03T12:05:06.0000000Z",
		"2/3/2026 4:05:06 pm -01:00":          "2026-02-03T17:05:06.0000000Z",
		"2/3/2026, 4:05:06.789 PM":            "2026-02-03T16:05:06.7890000Z",
		"2/3/2026, 4:05:06 PM":                "2026-02-03T16:05:06.0000000Z",
		"2/3/2026, 4:05:06.789\u202fPM":       "2026-02-03T16:05:06.7890000Z",
		"2/3/2026":                            "2026-02-03T00:00:00.0000000Z",
		"2/29/2024 1:00:00 AM":                "2024-02-29T01:00:00.0000000Z",
		"0001-01-01T00:00:00Z":                "0001-01-01T00:00:00.0000000Z",
		"9999-12-31T23:59:59.9999999Z":        "9999-12-31T23:59:59.9999999Z",
		"2016-12-31T23:59:60Z":                "2016-12-31T23:59:59.9999999Z",
		"2000-03-01T00:00:00Z":                "2000-03-01T00:00:00.0000000Z",
		"2026-02-03T04:05:06.12345678901234Z": "2026-02-03T04:05:06.1234567Z",
		"2026-02-03T04:05:06,5Z":              "2026-02-03T04:05:06.5000000Z",
		"2026-02-03t04:05:06z":                "2026-02-03T04:05:06.0000000Z",
		"":                                    "",
		"yesterday":                           "",
		"2026-02-30T00:00:00Z":                "",
		"2026-13-01T00:00:00Z":                "",
		"2023-02-29T00:00:00Z":                "",
		"2026-02-03T24:00:00Z":                "",
		"2026-02-03T04:60:00Z":                "",
		"2026-02-03T04:05:06X":                "",
		"2026-02-03T04:05:06.Z":               "",
		"2026-02-03T04:05:06+15:00":           "",
		"2026-02-03Z04:05:06":                 "",
		"13/3/2026 4:05:06 AM":                "",
		"2/3/26 4:05:06 AM":                   "",
		"2/3/2026 13:05:06 PM":                "",
		"2/3/2026 0:05:06 AM":                 "",
		"0000-01-01T00:00:00Z":                "",
		"9999-12-31T23:59:59-01:00":           "",
		"0001-01-01T00:00:00+01:00":           "",
		"20260203T040506Z":                    "",
		"1770091506":                          "",
	} {
		got, ok := ingest.ParseTime(text)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%q gives %s %t, want %q", text, got, ok, want)
		}
	}
}

// TestTimeSamples reads public samples of time formats, where they lie beside
// the repository: all are one morning.
func TestTimeSamples(t *testing.T) {
	files, _ := filepath.Glob("../../shared/samples/time_formats.ndjson")
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for in := bufio.NewScanner(f); in.Scan(); {
			var line struct{ Time string }
			if err := json.Unmarshal(in.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			got, ok := ingest.ParseTime(line.Time)
			if want := time.Date(2007, 1, 9, 9, 41, 0, 0, time.UTC); !ok || !got.Time().Truncate(time.Second).Equal(want) {
				t.Errorf("%s gives %s %t", line.Time, got, ok)
			}
		}
	}
}

// FuzzTime holds ParseTime against the standard library where both read a text,
// and holds that what it prints it reads.
func FuzzTime(f *testing.F) {
	for _, seed := range []string{"2026-02-03T04:05:06.1234567Z", "2/3/2026, 4:05:06.789 PM", "1/9/2007 10:41:00 AM +01:00", "2026-02-03", "0001-01-01T00:00:00+14:00", "2000-02-29T23:59:60Z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := ingest.ParseTime(text)
		if !ok {
			return
		}
		if !got.Valid() {
			t.Fatalf("%q gives %d, which is no datetime", text, got)
		}
		if again, ok := ingest.ParseTime(got.String()); !ok || again != got {
			t.Fatalf("%q gives %s, which gives %s %t", text, got, again, ok)
		}
		if std, err := time.Parse(time.RFC3339Nano, text); err == nil && value.FromTime(std) != got {
			t.Fatalf("%q gives %s, the standard library %s", text, got, std)
		}
	})
}
