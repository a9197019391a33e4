package daemon

import (
	"testing"
	"time"

	"glassward/kql/value"
)

func TestTimespan(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	at := func(text string) value.Ticks {
		v, ok := value.ParseDateTime(text)
		if !ok {
			t.Fatalf("%s is no datetime", text)
		}
		return v
	}
	for text, want := range map[string]timespan{
		"PT2H":      {at("2026-11-20T10:00:00Z"), at("2026-11-20T12:00:00Z")},
		"P1D":       {at("2026-11-19T12:00:00Z"), at("2026-11-20T12:00:00Z")},
		"PT7200.0S": {at("2026-11-20T10:00:00Z"), at("2026-11-20T12:00:00Z")},
		"2026-11-01T00:00:00Z/2026-11-02T00:00:00.0000001Z": {at("2026-11-01T00:00:00Z"), at("2026-11-02T00:00:00.0000001Z")},
		"2021-06-14T00:00:00.0000000Z/P7D":                  {at("2021-06-14T00:00:00Z"), at("2021-06-21T00:00:00Z")},
		"PT1H/2026-11-20T06:00:00Z":                         {at("2026-11-20T05:00:00Z"), at("2026-11-20T06:00:00Z")},
	} {
		got, bounded, err := parseTimespan(text, now)
		if err != nil || !bounded || got != want {
			t.Errorf("%s: %v %t %v, want %v", text, got, bounded, err, want)
		}
	}
	if _, bounded, err := parseTimespan(" ", now); bounded || err != nil {
		t.Errorf("nothing is bounded %t, %v", bounded, err)
	}
	for _, text := range []string{"yesterday", "2026-11-20", "PT2H/PT1H", "2026-11-20T00:00:00Z/2026-11-19T00:00:00Z", "/", "PT/2026-11-20T00:00:00Z"} {
		if got, _, err := parseTimespan(text, now); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}
