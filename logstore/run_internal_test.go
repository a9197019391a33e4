package logstore

import "testing"

// Only what is a parameter, and a whole number, is written out.
func TestStated(t *testing.T) {
	args := map[string]any{"from": int64(-5), "to": int64(7), "from_here": "text", "name": "O'Brien"}
	for sql, want := range map[string]string{
		"":                                    "",
		"SELECT 1":                            "SELECT 1",
		"SELECT $from::BIGINT, $to::BIGINT":   "SELECT (-5)::BIGINT, (7)::BIGINT",
		"SELECT $from_here, $name, $other, $": "SELECT $from_here, $name, $other, $",
		"SELECT '$from', 'it''s $to', $to":    "SELECT '$from', 'it''s $to', (7)",
		`SELECT "$from", "a""$to" FROM "t" > $to`: `SELECT "$from", "a""$to" FROM "t" > (7)`,
		"SELECT 'open $from":                      "SELECT 'open $from",
		`SELECT '"', $to, '"'`:                    `SELECT '"', (7), '"'`,
	} {
		if got := stated(sql, args); got != want {
			t.Errorf("%s\ngives %s\nwant  %s", sql, got, want)
		}
	}
}
