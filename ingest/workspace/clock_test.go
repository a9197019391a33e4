package workspace

import (
	"testing"
	"testing/synctest"
	"time"

	"glassward/entra"
)

// TestPositionAheadOfTheClock holds that a position that a wrong clock moved into
// the future is told and taken back: what comes until then is read, not passed by.
func TestPositionAheadOfTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st, rep := newService(t), newStore(), &reports{}
		day := 24 * time.Hour
		wrong := position{Begun: time.Now().Add(-7 * day), Through: time.Now().Add(day), Hourly: time.Now().Add(day), Size: time.Hour}
		st.cursors["workspace:"+id+"/SigninLogs"] = wrong.text()
		s.add("SigninLogs", "before", time.Now().Add(-time.Hour))
		stop := start(s.source(s, Options{Observe: rep.observe}), st)
		s.pass(5 * time.Minute)
		s.add("SigninLogs", "after", time.Now())
		s.pass(5 * time.Minute)
		_ = stop()
		if _, f, _ := rep.take(); len(f) != 1 || f[0].Kind != entra.FaultClock {
			t.Errorf("told %v", f)
		}
		if ids := st.ids(); !ids["before"] || !ids["after"] {
			t.Errorf("read %v", ids)
		}
		s.obeyed(t)
	})
}
