// Package state is the control store: watermarks, alerts, incidents, notices,
// deliveries, tokens, rule versions and the evidence journal, in one SQLite
// file. It is the only package that holds SQL of its own. The SQL keeps to what
// PostgreSQL knows too, so that it can be the second implementation.
//
// What a folder holds:
//
//	state.db, state.db-wal   the store (write-ahead log, synchronous=FULL)
//	state.head               how far the journal had come at the last commit
//	state.lock               held by the process that has the store open
//	state.db….damaged-TIME   copies of what was found damaged
//
// Acknowledged and lost. A commit is acknowledged when the write-ahead log has
// been flushed and, if it wrote to the journal, state.head names its last
// entry. SQLite cuts a damaged write-ahead log at the first bad frame and says
// nothing; so Open compares: a journal that ends before the entry that
// state.head names has lost acknowledged entries, and Open refuses with ErrLost
// unless told otherwise. A tail that was never acknowledged is cut, its copy is
// kept, and Store.Notes says so. What has no journal entry (claims, watermarks,
// a token's last use) is either done again without harm or no loss.
//
// The journal is a chain of hashes: each entry's hash covers the entry before
// it, and the bytes of every record that an alert named. Verify finds a flipped
// bit, a missing entry and a changed order. Cutting the end off can only be
// found by somebody who kept a later head; that is why the head leaves the host
// with every notice.
package state
