// Package lag knows how far every road is behind the truth: how long records
// take on it, whether they still come, and whether two roads tell the same.
//
// It does no input or output, starts nothing and reads no clock: all that it
// knows of time it is given. A Tracker is one tenant's. The daemon tells it what
// each source gives (Seen) and says of itself (Report), which pulses were sent,
// and asks it every few seconds what has changed (Tick).
//
// What counts as a sign of life is a record, and nothing else. An answer without
// records proves that a service answers; the records' way to it may be cut all
// the same. So silence is told from quiet by what is awaited: the pulse, where
// there is one, and else the records of which the same hour of earlier weeks had
// so many that their absence is no chance any more.
package lag
