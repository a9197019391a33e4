// Package rule turns Sentinel analytics rules into alerts.
//
// A File is read strictly, with positions: Parse says what is wrong in it and
// where, Load gathers the shipped rules and a folder of the user's own into a
// Set in which nothing of the user's can take a shipped rule's place, and Lint
// judges a rule together with its compiled query.
//
// An Engine judges one workspace. It is driven from outside, by a Batch for
// every commit of the log store and by a Tick whenever time has passed, and
// hands every verdict to the Desk together with the watermark that goes with it.
// It keeps no state of its own that matters: whatever it holds in memory can be
// made again from the watermark, so that a crash at any moment and a second
// evaluation give the same alerts with the same ids.
package rule
