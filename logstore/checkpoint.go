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
// or in any case before the log becomes so long that opening takes seconds.
type keeper struct {
	store *Store
	poke  chan struct{}
	quit  chan struct{}
	done  chan struct{}
	once  sync.Once
}

const (
	// quietLog is the length of a log that is worth a checkpoint when intake has
	// been quiet for quietFor; longLog is one that is not waited with.
	quietLog = 4 << 20
	quietFor = 2 * time.Second
	longLog  = 256 << 20
)

func newKeeper(s *Store) *keeper {
	k := &keeper{store: s, poke: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	if s.dir == "" {
		close(k.done)
		return k
	}
	go k.run()
	return k
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
		if k.logSize() < due {
			continue
		}
		if err := k.checkpoint(); err != nil {
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
