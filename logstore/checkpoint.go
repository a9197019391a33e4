package logstore

import (
	"context"
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
type keeper struct {
	store *Store
	poke  chan struct{}
	quit  chan struct{}
	done  chan struct{}
	once  sync.Once
}

const (
	// quietLog is the length of a log that is worth a checkpoint when intake has
	// been quiet for quietFor; longLog is one that is not waited with, but for a
	// calm. A commit that comes meanwhile waits about as many milliseconds as
	// there are thirds of a megabyte.
	quietLog = 4 << 20
	quietFor = 2 * time.Second
	longLog  = 32 << 20
	// A calm that has not come by itself for calmDue is brought about, by holding
	// people's queries back for at most calmWait. Without one, a checkpoint is
	// made when the log is as long as endless: opening reads all of it.
	calmDue  = 15 * time.Second
	calmWait = 5 * time.Second
	endless  = 1 << 30
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
	var late time.Time // since when a calm is waited for
	for {
		due := int64(longLog)
		select {
		case <-k.quit:
			return
		case <-k.poke:
			quiet.Reset(quietFor)
		case <-quiet.C:
			due = quietLog
		}
		size := k.logSize()
		if size < due {
			continue
		}
		var patience time.Duration
		switch {
		case size < longLog:
		case late.IsZero():
			late = time.Now()
		case time.Since(late) >= calmDue:
			late, patience = time.Now(), calmWait
		}
		release, ok := k.store.pool.calm.hold(patience)
		if !ok && size < endless {
			release()
			quiet.Reset(quietFor)
			continue
		}
		late = time.Time{}
		err := k.checkpoint()
		release()
		if err != nil {
			// The records are safe in the log; the next commit tries again.
			k.store.options.Log.Warn("a checkpoint of the log store failed", "error", err)
		}
	}
}

func (k *keeper) logSize() int64 {
	info, err := os.Stat(k.store.path() + ".wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// checkpoint makes one on a connection of its own.
func (k *keeper) checkpoint() error {
	select {
	case k.store.still <- struct{}{}:
		defer func() { <-k.store.still }()
	default:
		return nil // the file is being copied; who copies wakes the keeper again
	}
	leave, err := k.store.enter()
	if err != nil {
		return nil
	}
	defer leave()
	c, err := k.store.engine.connect()
	if err != nil {
		return err
	}
	defer c.close()
	return c.checkpoint(context.Background())
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
