package value_test

import (
	"testing"
	"time"

	"glassward/kql/value"
)

func TestParseDateTime(t *testing.T) {
	for _, c := range [][2]string{
		{"2014-05-25T08:20:03.123456Z", "2014-05-25T08:20:03.1234560Z"},
		{"2014-05-25T08:20:03.12345678Z", "2014-05-25T08:20:03.1234567Z"},
		{"2014-05-25T08:20:03+02:00", "2014-05-25T06:20:03.0000000Z"},
		{"2014-05-25T08:20:03-0530", "2014-05-25T13:50:03.0000000Z"},
		{"2014-05-25T08:20", "2014-05-25T08:20:00.0000000Z"},
		{"2014-11-08 15:55:55", "2014-11-08T15:55:55.0000000Z"},
		{"2014-11-08", "2014-11-08T00:00:00.0000000Z"},
		{"2014-11", "2014-11-01T00:00:00.0000000Z"},
		{"2014", "2014-01-01T00:00:00.0000000Z"},
		{"Sat, 8 Nov 14 15:05:02 GMT", "2014-11-08T15:05:02.0000000Z"},
		{"8 Nov 14 15:05", "2014-11-08T15:05:00.0000000Z"},
		{"Saturday, 08-Nov-14 15:05:02 UTC", "2014-11-08T15:05:02.0000000Z"},
		{"5/25/2014 8:20:03 PM", "2014-05-25T20:20:03.0000000Z"},
		{"12/31/2014, 12:00:00.5 AM", "2014-12-31T00:00:00.5000000Z"},
		{"01-02-2022", "2022-01-02T00:00:00.0000000Z"},
		{"0001-01-01", "0001-01-01T00:00:00.0000000Z"},
		{"9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999Z"},
	} {
		got, ok := value.ParseDateTime(c[0])
		if !ok || got.String() != c[1] {
			t.Errorf("ParseDateTime(%q) = %s, %v; want %s", c[0], got, ok, c[1])
		}
	}
	for _, bad := range []string{"", "x", "2014-13-01", "2014-02-30", "2014-05-25T25:00", "2014-05-25T08:20:03Zulu", "10000-01-01", "0000-01-01"} {
		if got, ok := value.ParseDateTime(bad); ok {
			t.Errorf("ParseDateTime(%q) = %s; want refusal", bad, got)
		}
	}
}

func TestTicksRoundTrip(t *testing.T) {
	for _, s := range []string{"0001-01-01T00:00:00Z", "1969-12-31T23:59:59.9999999Z", "2026-11-21T02:45:00.1234567Z", "9999-12-31T23:59:59.9999999Z"} {
		want, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		if got := value.FromTime(want).Time(); !got.Equal(want) {
			t.Errorf("round trip of %s gives %s", want, got)
		}
	}
}

func TestParseTimeSpan(t *testing.T) {
	for _, c := range [][2]string{
		{"1d", "1.00:00:00"}, {"1.5h", "01:30:00"}, {"-1d", "-1.00:00:00"}, {"90s", "00:01:30"}, {"100ms", "00:00:00.1000000"},
		{"10microseconds", "00:00:00.0000100"}, {"1tick", "00:00:00.0000001"}, {"2", "2.00:00:00"}, {"0.12:34:56.789", "12:34:56.7890000"},
		{"1.02:03:04.5", "1.02:03:04.5000000"}, {"01:00:00", "01:00:00"}, {"-00:00:01", "-00:00:01"}, {"12:30", "12:30:00"}, {"3 days", "3.00:00:00"},
		{"10675199.02:48:05.4775807", "10675199.02:48:05.4775807"}, {"-10675199.02:48:05.4775808", "-10675199.02:48:05.4775808"},
	} {
		got, ok := value.ParseTimeSpan(c[0])
		if !ok || got.String() != c[1] {
			t.Errorf("ParseTimeSpan(%q) = %s, %v; want %s", c[0], got, ok, c[1])
		}
	}
	for _, bad := range []string{"", "1.5", "d", "1x", "25:00:00", "1:60", "99999999999999999d", "::", "10675199.02:48:05.4775808", "-10675199.02:48:05.4775809", "10675200.00:00:00"} {
		if got, ok := value.ParseTimeSpan(bad); ok {
			t.Errorf("ParseTimeSpan(%q) = %s; want refusal", bad, got)
		}
	}
}

func TestJSON(t *testing.T) {
	for _, c := range [][2]string{
		{` { "b" : 1 , "a" : [ true , null , 1.50 , "x\u00e9\/\n" ] } `, `{"b":1,"a":[true,null,1.5,"xé/\n"]}`},
		{`{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{`1.0`, `1.0`}, {`-0`, `0`}, {`1e400`, `"Infinity"`}, {`"\ud83d\ude00"`, `"😀"`}, {`"\ud83d"`, `"` + "\uFFFD" + `"`}, {`18446744073709551616`, `1.8446744073709552E+19`},
	} {
		v, ok := value.ParseJSON(c[0])
		if got := value.JSON(v); !ok || got != c[1] {
			t.Errorf("%s: got %s, %v; want %s", c[0], got, ok, c[1])
		}
	}
	for _, bad := range []string{"", "{", "[1,]", `{"a"}`, "01", "1.", "tru", `"\x"`, "[1] 2", "'a'"} {
		if v, ok := value.ParseJSON(bad); ok {
			t.Errorf("ParseJSON(%q) = %v; want refusal", bad, v)
		}
	}
}

func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"x",null,true]}`, `"\ud83d\ude00"`, `[[[[`, "1e5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, ok := value.ParseJSON(s)
		if !ok {
			return
		}
		text := value.JSON(v)
		again, ok := value.ParseJSON(text)
		if !ok {
			t.Fatalf("%q parses but its own form %q does not", s, text)
		}
		if value.JSON(again) != text {
			t.Fatalf("%q: form %q changes to %q", s, text, value.JSON(again))
		}
	})
}

func FuzzParseTimes(f *testing.F) {
	for _, s := range []string{"2014-05-25T08:20:03.123456Z", "1.02:03:04.5", "5/25/2014 8:20 PM", "-1d", "1e2s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, ok := value.ParseDateTime(s); ok {
			if again, ok := value.ParseDateTime(v.String()); !ok || again != v {
				t.Fatalf("%q: %s does not read back", s, v)
			}
		}
		if v, ok := value.ParseTimeSpan(s); ok {
			if again, ok := value.ParseTimeSpan(v.String()); !ok || again != v {
				t.Fatalf("%q: %s does not read back", s, v)
			}
		}
	})
}
