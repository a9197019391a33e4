// Package logstore is the event store: the records of one workspace in one
// DuckDB file, appended with the cursors of their sources in one transaction
// and queried by compiled KQL. It is the only package that opens DuckDB.
//
// Append is transaction A: a batch's rows and its source's cursor become
// durable together, so that a cursor is never ahead of its rows and a batch
// that comes twice adds nothing. Batches of several callers share a commit.
// A record that comes again is told by its id: a copy that adds nothing is
// counted and dropped, a fuller one becomes a new version with a new sequence
// number, one that contradicts is kept beside the first (version.go).
//
// Run is the reading side. Queries have connections, memory and time of their
// own, so that the worst of them leaves intake and rules their share (run.go).
//
// Every file that the store writes may be torn by a power loss. Open cuts a
// damaged write-ahead log behind its last good commit, keeps what it cut aside,
// and proves by the commit journal whether anything acknowledged was lost
// (recover.go, journal.go).
package logstore
