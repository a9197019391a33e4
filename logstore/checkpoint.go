package logstore

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"glassward/internal/fault"
)

// A keeper makes checkpoints, which move what the write-ahead log holds into
// the database file. The engine would make one inside the commit that crosses a
// threshold, and that commit's callers would wait half a second for it; the
// keeper makes them between commits, when nobody has been waiting for a while,
// or in any case before the log becomes so long that opening takes seconds. It
// waits until no query runs (see calm), up to a point.
//
// What a checkpoint adds to a table is a row group of its own, and the engine
// merges small ones: whoever appends to the table waits until they are written
// anew, a second where they fill one. Merging is left to checkpoints for which
// nobody waits, as long as the others have not left too much.
type keeper struct {
	store *Store
	poke  chan struct{}
	quit  chan struct{}
	done  chan struct{}
	once  sync.Once

	// unmerged is how many checkpoints have left their row groups; of the
	// goroutine alone.
	unmerged int
}

const (
	// quietLog is the length of a log that is worth a checkpoint when intake has
	// been quiet for quietFor; longLog is one that is not waited with, but for a
	// calm.
	quietLog = 4 << 20
	quietFor = 2 * time.Second
	longLog  = 32 << 20
	// People's queries are held back for a calm: for at most shortWait as soon as
	// there is reason to, which is enough where they are many and short, and
	// again every shortAgain; where they are long, for at most calmWait, when no
	// calm has come for calmDue. Without one, a checkpoint is made when the log
	// is as long as endless: opening reads all of it.
	shortWait  = 300 * time.Millisecond
	shortAgain = 3 * time.Second
	calmDue    = 15 * time.Second
	calmWait   = 5 * time.Second
	endless    = 1 << 30
	// mergeDue is how many checkpoints may leave their row groups until the next
	// merges in any case: of each table as much as fills one row group (the
	// setting max_vacuum_tasks), which is about what merged checkpoints bring.
	mergeDue = 32
	merged   = 16
	// commitDue is how long a commit is waited for behind which a snapshot lies.
	commitDue = time.Second
)

func newKeeper(s *Store) *keeper {
	return &keeper{store: s, poke: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
}

// start begins the work: when the store turned out to be whole and nothing is left
// that could refuse it.
func (k *keeper) start() {
	if k.store.dir == "" {
		close(k.done)
		return
	}
	go k.run()
}

// wake tells the keeper that something was committed.
func (k *keeper) wake() {
	select {
	case k.poke <- struct{}{}:
	default:
	}
}

func (k *keeper) stop() {
	k.once.Do(func() { close(k.quit) })
	<-k.done
}

func (k *keeper) run() {
	defer close(k.done)
	quiet := time.NewTimer(quietFor)
	quiet.Stop()
	var late, tried time.Time // since when a calm is waited for, and when one was last tried
	for {
		due, merge := int64(longLog), k.unmerged >= mergeDue
		select {
		case <-k.quit:
			return
		case <-k.poke:
			quiet.Reset(quietFor)
		case <-quiet.C:
			due, merge = quietLog, true
		}
		size := k.logSize()
		if size < due {
			continue
		}
		var patience time.Duration
		switch now := time.Now(); {
		case size < longLog:
		case late.IsZero():
			late, tried, patience = now, now, shortWait
		case now.Sub(late) >= calmDue:
			late, tried, patience = now, now, calmWait
		case now.Sub(tried) >= shortAgain:
			tried, patience = now, shortWait
		}
		must := size >= endless
		if patience == 0 && !must && !k.store.pool.calm.now() {
			quiet.Reset(quietFor)
			continue
		}
		made, err := k.checkpoint(patience, merge, must)
		if err != nil {
			// The records are safe in the log; the next commit tries again.
			k.store.options.Log.Warn("a checkpoint of the log store failed", "error", err)
		}
		if made {
			late = time.Time{}
		}
		quiet.Reset(quietFor) // what was committed meanwhile may have been heard already
	}
}

func (k *keeper) logSize() int64 {
	info, err := os.Stat(k.store.path() + ".wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// checkpoint makes one, in a calm that is waited for with patience, or without one if it
// must. It says whether it has.
func (k *keeper) checkpoint(patience time.Duration, merge, must bool) (made bool, err error) {
	ctx := context.Background()
	// calmly makes it as soon as it is calm.
	calmly := func(do func() error) error {
		release, ok := k.store.pool.calm.hold(patience)
		defer release()
		if !ok && !must {
			return nil
		}
		return do()
	}
	// now makes it on a connection.
	now := func(c *conn) error {
		select {
		case k.store.still <- struct{}{}:
			defer func() { <-k.store.still }()
		default:
			return nil // the file is being copied; who copies wakes the keeper again
		}
		made = true
		return c.checkpoint(ctx)
	}
	if merge {
		// Intake has to wait for it anyway, and a transaction of its own would be one
		// of those for which the engine does not merge.
		err = calmly(func() error {
			return k.store.intake.do(ctx, func(_ context.Context, c *conn) error { return now(c) })
		})
	} else {
		err = k.behind(func(c *conn, idle bool) error {
			merge = idle
			return calmly(func() error { return now(c) })
		})
	}
	switch {
	case errors.Is(err, ErrClosed):
		return false, nil
	case err != nil || !made:
		return false, err
	}
	if k.unmerged++; merge {
		k.unmerged = max(0, k.unmerged-merged)
	}
	return true, nil
}

// behind calls f with a connection while another keeps a snapshot that is older than the
// last commit. As long as there is one, the engine leaves row groups as they are: its
// reader could still need them. Where no commit comes to lie behind it, which idle says,
// the engine will merge them, and nobody waits for it.
func (k *keeper) behind(f func(c *conn, idle bool) error) error {
	leave, err := k.store.enter()
	if err != nil {
		return err
	}
	defer leave()
	c, err := k.store.engine.connect()
	if err != nil {
		return err
	}
	defer c.close()
	before, err := k.store.engine.connect()
	if err != nil {
		return err
	}
	defer before.close() // which ends its transaction
	idle, err := k.remember(before)
	if err != nil {
		return err
	}
	return f(c, idle)
}

// remember takes a snapshot and waits for a commit behind it; idle says that none came.
func (k *keeper) remember(c *conn) (idle bool, err error) {
	ctx := context.Background()
	if err := c.exec(ctx, "BEGIN TRANSACTION READ ONLY"); err != nil {
		return false, err
	}
	// The first who reads takes the snapshot.
	if _, err := c.all(ctx, "SELECT count(*) FROM _floor", nil); err != nil {
		return false, err
	}
	select {
	case <-k.poke:
	default:
	}
	limit := time.NewTimer(commitDue)
	defer limit.Stop()
	for range 2 { // of the first it may be told late
		select {
		case <-k.poke:
		case <-limit.C:
			return true, nil
		case <-k.quit:
			return true, nil
		}
	}
	return false, nil
}

func (c *conn) checkpoint(ctx context.Context) error {
	if err := fault.Point("logstore.checkpoint.before"); err != nil {
		return err
	}
	if err := c.exec(ctx, "CHECKPOINT"); err != nil {
		return err
	}
	return fault.Point("logstore.checkpoint.after")
}

// checkpoint makes the last one, when the store closes.
func (in *intake) checkpoint(ctx context.Context) error {
	if in.store.dir == "" {
		return nil
	}
	return in.conn.checkpoint(ctx)
}
