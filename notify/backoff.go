package notify

import "time"

// Backoff between the attempts of one delivery: full jitter below a ceiling
// that doubles from 5 s (5, 10, 20, 40, 80, 160 s …) up to 5 minutes in the
// notice's first hour, 15 minutes in its first day and an hour after that. The
// first hour's ceiling is what a page may cost after its receiver is well
// again; a Hastener makes it less. There is no last attempt.
const (
	backoffBase  = 5 * time.Second
	backoffFloor = time.Second
)

func backoffCeiling(age time.Duration) time.Duration {
	switch {
	case age < time.Hour:
		return 5 * time.Minute
	case age < 24*time.Hour:
		return 15 * time.Minute
	}
	return time.Hour
}

// backoff gives the wait before the next attempt, after failed attempts (1 or
// more) of a notice of that age. random is in [0, 1).
func backoff(failed int, age time.Duration, random float64) time.Duration {
	ceiling := backoffCeiling(age)
	if n := failed - 1; n < 12 { // 5 s × 2^12 is beyond every ceiling
		ceiling = min(ceiling, backoffBase<<max(n, 0))
	}
	return max(backoffFloor, time.Duration(random*float64(ceiling)))
}

// obey gives the wait where the receiver named one: never before it, and a
// little apart from what others were told.
func obey(wait time.Duration, failed int, age time.Duration, random float64) time.Duration {
	return max(backoffFloor, wait) + min(10*time.Second, backoff(failed, age, random))
}
