package state

import "testing"

// A data folder may be named from where one stands.
func TestOpenRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	for range 2 {
		s, err := Open(t.Context(), "data", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
