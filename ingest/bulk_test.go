package ingest_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/ingest"
)

// A script is a source that does what it is told.
type script func(ctx context.Context, give func(position string, bulk bool) error) error

func (s script) Name() string { return "script" }

func (s script) Run(ctx context.Context, _ ingest.Cursors, emit ingest.Emit) error {
	return s(ctx, func(position string, bulk bool) error {
		return emit(ctx, &ingest.Batch{Bulk: bulk, Records: make([]glassward.Record, 10)}, &ingest.Cursor{Position: []byte(position)})
	})
}

// A depot notes what it is given, and when.
type depot struct {
	began           time.Time
	did             []string
	badLoad, badEnd error
}

func (d *depot) note(what string) { d.did = append(d.did, time.Since(d.began).String()+" "+what) }

func (d *depot) bulk() ingest.Bulk {
	d.began = time.Now()
	return ingest.Bulk{
		Append: func(_ context.Context, _ *ingest.Batch, c *ingest.Cursor) error {
			d.note("append " + string(c.Position))
			return nil
		},
		Load: func(_ context.Context, _ *ingest.Batch, c *ingest.Cursor) error {
			d.note("load " + string(c.Position))
			return d.badLoad
		},
		Flush: func(ctx context.Context) error {
			d.note("flush")
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return d.badEnd
		},
		Records: 40, Idle: time.Second, Within: 2 * time.Second,
	}
}

// TestBulk tells loads from appends and flushes between them, after so many
// records, and at the end.
func TestBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d depot
		err := d.bulk().Run(t.Context(), script(func(_ context.Context, give func(string, bool) error) error {
			for _, x := range []struct {
				position string
				bulk     bool
			}{{"1", false}, {"2", true}, {"3", true}, {"4", false}, {"5", false}, {"6", true}, {"7", true}, {"8", true}, {"9", true}, {"10", true}} {
				if err := give(x.position, x.bulk); err != nil {
					return err
				}
			}
			return io.ErrNoProgress
		}), nil)
		if err != io.ErrNoProgress {
			t.Error("the source's own error is not returned: ", err)
		}
		want := []string{"0s append 1", "0s load 2", "0s load 3", "0s flush", "0s append 4", "0s append 5",
			"0s load 6", "0s load 7", "0s load 8", "0s load 9", "0s flush", "0s load 10", "0s flush"}
		if !slices.Equal(d.did, want) {
			t.Error(cmp.Diff(want, d.did))
		}
	})
}

// TestBulkThenSilence flushes what was loaded although nothing follows, or
// little, and though the source is being ended.
func TestBulkThenSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d depot
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := d.bulk().Run(ctx, script(func(ctx context.Context, give func(string, bool) error) error {
			for _, x := range []string{"1", "2", "3"} {
				if err := give(x, true); err != nil {
					return err
				}
				time.Sleep(700 * time.Millisecond)
			}
			time.Sleep(4 * time.Second)
			if err := give("5", true); err != nil {
				return err
			}
			time.Sleep(2900 * time.Millisecond)
			if err := give("6", true); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		}), nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		want := []string{"0s load 1", "700ms load 2", "1.4s load 3", "2s flush", "6.1s load 5", "7.1s flush", "9s load 6", "10s flush"}
		if !slices.Equal(d.did, want) {
			t.Error(cmp.Diff(want, d.did))
		}
	})
}

// TestBulkLost ends a source that waits, when what it has given is lost, and
// takes nothing more of one that does not listen. What was loaded before a load
// that failed is flushed.
func TestBulkLost(t *testing.T) {
	for _, x := range []struct {
		name string
		d    depot
		want []string
	}{
		{"flush", depot{badEnd: io.ErrUnexpectedEOF}, []string{"0s load 1", "1s flush"}},
		{"load", depot{badLoad: io.ErrUnexpectedEOF}, []string{"0s load 1", "0s flush"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				err := x.d.bulk().Run(t.Context(), script(func(ctx context.Context, give func(string, bool) error) error {
					_ = give("1", true)
					<-ctx.Done()
					for _, bulk := range []bool{true, false} {
						if err := give("2", bulk); err == nil {
							t.Error("something is taken although what came before it is lost")
						}
					}
					return ctx.Err()
				}), nil)
				if err != io.ErrUnexpectedEOF {
					t.Error(err)
				}
				if !slices.Equal(x.d.did, x.want) {
					t.Error(cmp.Diff(x.want, x.d.did))
				}
			})
		})
	}
}
