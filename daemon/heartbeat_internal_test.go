package daemon

import (
	"strings"
	"testing"
)

// A beat has passed when it has come out everywhere, and says where it stopped.
func TestBeats(t *testing.T) {
	var b beats
	done := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	all := b.begin("1", []string{"a", "b"})
	b.reach("1", "a", passed)
	b.reach("1", "a", notJudged) // told late
	b.reach("1", "b", notTaken)
	b.reach("0", "b", passed) // the beat before
	b.reach("1", "c", passed) // nobody's
	if got := strings.Join(b.missing(), "\n"); done(all) || got != "tenant b: its notice was not taken from the outbox" {
		t.Errorf("missing %q", got)
	}
	if b.reach("1", "b", passed); !done(all) || len(b.missing()) != 0 {
		t.Errorf("missing %q", b.missing())
	}
	b.reach("1", "b", passed)
	if !done(b.begin("2", nil)) {
		t.Error("a beat of nobody waits")
	}
}
