//go:build !race

// A day of fewer records holds as many windows: there is no part of it to play under
// the race detector, which sees the same roads and rules elsewhere.

package acceptance_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"glassward/internal/day"
	"glassward/internal/entrasim"
)

// A day is over when its records come, as fast as they are taken: of all that
// happened in it people are told what internal/day/day.txt foretells, and nothing
// else. `make day` plays two million records against a running server.
func TestADay(t *testing.T) {
	t.Parallel()
	records := 4_000
	if n := os.Getenv("GLASSWARD_DAY"); n != "" {
		var err error
		if records, err = strconv.Atoi(n); err != nil {
			t.Fatalf("GLASSWARD_DAY is a number of records: %v", err)
		}
	}
	tuesday := time.Date(2026, 11, 17, 0, 0, 0, 0, time.UTC)
	d, err := day.New(day.Options{Start: tuesday, Records: records, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(tuesday.Add(24*time.Hour + 20*time.Minute)))
		v := newVirtual(t, setting{files: map[string]string{tenantPath: d.Tenant() + "actionGroups: [emergency]\n"}, world: entrasim.Options{Users: 5, Rates: &entrasim.Rates{}}})
		n := 0
		for records := range d.Bodies(2000) {
			var body bytes.Buffer
			for _, r := range records {
				body.Write(r.JSON())
				body.WriteByte('\n')
			}
			n += len(records)
			if err := v.call("POST", "/v1/ingest", &body, new(json.RawMessage)); err != nil {
				t.Fatal(err)
			}
		}
		// Windows are judged by the minute; what must not come has its time, too.
		time.Sleep(10 * time.Minute)
		for _, r := range v.status().Rules {
			if r.Owed > 0 || r.Error != "" {
				t.Errorf("%s: %d windows are owed, %s", r.Name, r.Owed, r.Error)
			}
		}
		told, err := day.Fetch(entrasim.TenantName, func(path string) ([]byte, error) {
			var body json.RawMessage
			err := v.call("GET", path, nil, &body)
			return body, err
		})
		if err != nil {
			t.Fatal(err)
		}
		report := d.Compare(told)
		if wrong := report.Amiss(); len(wrong) > 0 {
			var table strings.Builder
			if err := report.Write(&table); err != nil {
				t.Error(err)
			}
			t.Errorf("%d records came; amiss are\n  %s\n%s", n, strings.Join(wrong, "\n  "), table.String())
		}
	})
}
