//go:build !race

package logstore_test

// raceCosts is how much more time and memory Go code may take with the race detector.
const raceCosts = 1
