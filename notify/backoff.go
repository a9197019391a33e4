package notify

import (
	"time"

	"glassward"
)

// Backoff between the attempts of one delivery: full jitter below a ceiling
// that doubles from 5 s (5, 10, 20, 40, 80, 160 s …) up to 5 minutes in the
// notice's first hour, 15 minutes in its first day and an hour after that. A
// critical notice (High, Sev0) is never further apart than a minute, however old
// it is, unless the receiver itself names a longer wait. There is no last
// attempt.
const (
	backoffBase  = 5 * time.Second
	backoffFloor = time.Second

	criticalCeiling = time.Minute
)

func backoffCeiling(age time.Duration, s glassward.Severity) time.Duration {
	switch {
	case s == glassward.High:
		return criticalCeiling
	case age < time.Hour:
		return 5 * time.Minute
	case age < 24*time.Hour:
		return 15 * time.Minute
	}
	return time.Hour
}

// backoff gives the wait before the next attempt, after failed attempts (1 or
// more) below the ceiling. random is in [0, 1).
func backoff(failed int, ceiling time.Duration, random float64) time.Duration {
	if n := failed - 1; n < 12 { // 5 s × 2^12 is beyond every ceiling
		ceiling = min(ceiling, backoffBase<<max(n, 0))
	}
	return max(backoffFloor, time.Duration(random*float64(ceiling)))
}

// obey gives the wait where the receiver named one: never before it, and a
// little apart from what others were told.
func obey(wait time.Duration, failed int, ceiling time.Duration, random float64) time.Duration {
	return max(backoffFloor, wait) + min(10*time.Second, backoff(failed, ceiling, random))
}
