package daemon

import "testing"

// A rule that fails while its engine is being made says so before there is one.
func TestStatesBeforeTheEngine(t *testing.T) {
	if got := new(workspace).states(); got != nil {
		t.Errorf("a workspace without an engine has the states %v", got)
	}
}
