package logstore

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"glassward"
	"glassward/schema"
)

// TestCheckpointsLeaveRowGroups: what checkpoints beside intake add to a table stays as it is, so that
// nobody who appends waits for it, until one may merge it. When the first half fails, the engine merges
// beside a reader; see keeper.
func TestCheckpointsLeaveRowGroups(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, filepath.Join(t.TempDir(), "store"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	table, _ := schema.Lookup("SigninLogs")
	at, _ := table.Index("TimeGenerated")
	made := uint64(0)
	add := func(n int) {
		list := make([]glassward.Record, n)
		for i := range list {
			made++
			r := glassward.Record{Table: table.Name, Time: time.Unix(int64(made), 0).UTC(), Received: time.Unix(int64(made), 0).UTC(), Provenance: glassward.File, Source: "test", Values: make([]glassward.Value, len(table.Columns))}
			sum := sha256.Sum256(fmt.Append(nil, made))
			copy(r.ID[:], sum[:])
			r.Values[at] = glassward.Long(int64(made))
			list[i] = r
		}
		if _, err := s.Append(ctx, Batch{Records: list}); err != nil {
			t.Error(err)
		}
	}
	groups := func() int64 {
		t.Helper()
		c, err := s.engine.connect()
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		rows, err := c.all(ctx, "SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('SigninLogs')", nil)
		if err != nil {
			t.Fatal(err)
		}
		return rows[0][0].(int64)
	}
	// A keeper beside the store's own, which has no reason to do anything yet.
	k := newKeeper(s)
	// beside checkpoints while records come in, or not.
	beside := func(merge, intake bool) {
		t.Helper()
		stop := make(chan struct{})
		var all sync.WaitGroup
		if intake {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						add(1)
						k.wake()
					}
				}
			})
		}
		made, err := k.checkpoint(0, merge, false)
		close(stop)
		all.Wait()
		if !made || err != nil {
			t.Fatalf("made %v, %v", made, err)
		}
	}
	for range 5 {
		add(300)
		beside(false, true)
	}
	if n := groups(); n < 5 || k.unmerged != 5 {
		t.Errorf("after five checkpoints beside intake there are %d row groups, %d are to be merged", n, k.unmerged)
	}
	// Where nothing comes in nobody waits, and it merges.
	beside(false, false)
	if n := groups(); n > 2 || k.unmerged != 0 {
		t.Errorf("after one in quiet there are %d row groups, %d are to be merged", n, k.unmerged)
	}
	for range 3 {
		add(300)
		beside(false, true)
	}
	k.unmerged = mergeDue
	beside(true, true)
	if n := groups(); n > 4 || k.unmerged != mergeDue+1-merged {
		t.Errorf("after one that merges there are %d row groups, %d are to be merged", n, k.unmerged)
	}
	rows, err := s.engine.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.close()
	if got, err := rows.all(ctx, `SELECT count(*) FROM "SigninLogs"`, nil); err != nil || got[0][0] != int64(made) {
		t.Errorf("%v records of %d, %v", got, made, err)
	}
}
