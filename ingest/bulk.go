package ingest

import (
	"context"
	"sync"
)

// Bulk gives the Emit of a store that takes in much at once in another way than
// single batches: batches marked Bulk go to load, which need not make them
// durable before it returns, the others to append; between the two flush makes
// durable what was loaded. An error of load or flush says that something loaded
// is lost, so nothing more is taken after it: Run ends with that error and is to
// be run again, from the cursors that the store then has, with a new Bulk.
//
// Loads go one at a time, appends as they come.
func Bulk(append, load Emit, flush func(context.Context) error) Emit {
	var (
		mu      sync.RWMutex
		loading bool
		lost    error
	)
	loaded := func(ctx context.Context, b *Batch, c *Cursor) error {
		mu.Lock()
		defer mu.Unlock()
		if lost == nil {
			loading = true
			lost = load(ctx, b, c)
		}
		return lost
	}
	settle := func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if lost == nil && loading {
			lost, loading = flush(ctx), false
		}
		return lost
	}
	return func(ctx context.Context, b *Batch, c *Cursor) error {
		if b.Bulk {
			return loaded(ctx, b, c)
		}
		for {
			mu.RLock()
			if lost == nil && !loading {
				defer mu.RUnlock()
				return append(ctx, b, c)
			}
			mu.RUnlock()
			if err := settle(ctx); err != nil {
				return err
			}
		}
	}
}
