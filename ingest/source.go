package ingest

import (
	"context"
	"io"
)

// A Source gives records until there are no more or ctx ends.
type Source interface {
	// Name names the source in logs and cursors, e.g. "folder:/var/log/entra".
	Name() string
	// Run reads from where cursors say that it stopped and calls emit with each
	// batch. The batch is used again after emit returns. Run returns nil when the
	// source is exhausted, ctx's error, or the first error of emit; a source that
	// is followed never ends by itself.
	Run(ctx context.Context, cursors Cursors, emit Emit) error
}

// A Cursor is how far one stream of a source has been read. Source is the key
// under which it is kept, Position means something to the source alone.
type Cursor struct {
	Source   string
	Position []byte
}

// Cursors gives the position that was kept under a source's key, false if there
// is none. A nil Cursors knows no position.
type Cursors interface {
	Cursor(ctx context.Context, source string) ([]byte, bool, error)
}

// Emit takes a batch and the cursor that becomes valid with it; both have to
// become durable together. The cursor is nil for sources that cannot be read
// again.
type Emit func(ctx context.Context, b *Batch, c *Cursor) error

// A Stream is the Source of one stream that is read once, such as standard
// input or the body of a request.
type Stream struct {
	name string
	r    io.Reader
	o    DecoderOptions
	sum  Summary
}

// NewStream makes a Source of a reader. The options' Source is the name if it is
// empty.
func NewStream(name string, r io.Reader, o DecoderOptions) *Stream {
	if o.Source == "" {
		o.Source = name
	}
	return &Stream{name: name, r: r, o: o}
}

// Name gives the name.
func (s *Stream) Name() string { return s.name }

// Summary counts what Run has read.
func (s *Stream) Summary() Summary { return s.sum.clone() }

// Run reads the stream to its end. Its cursors are nil.
func (s *Stream) Run(ctx context.Context, _ Cursors, emit Emit) error {
	d, err := NewDecoder(s.r, s.o)
	if err != nil {
		return err
	}
	last, err := drain(ctx, d, func(b *Batch, _ State) error { return emit(ctx, b, nil) })
	s.sum.Add(last.sum)
	return err
}

// A drained says how far drain has come.
type drained struct {
	state State
	sum   Summary
}

// drain gives every batch of a decoder to f, together with the decoder's state
// after it. While f works the next batch is decoded. It returns nil at the end of
// the stream. When ctx ends it does not wait for a reader that waits; the decoder
// must not be used afterwards.
func drain(ctx context.Context, d *Decoder, f func(*Batch, State) error) (last drained, err error) {
	type step struct {
		drained
		batch *Batch
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	last.state = d.State()
	// One batch is decoded, one waits in ready and one is with f.
	free := make(chan *Batch, 3)
	for range cap(free) {
		free <- new(Batch)
	}
	ready := make(chan step, 1)
	go func() {
		for {
			var b *Batch
			select {
			case b = <-free:
			case <-ctx.Done():
				return
			}
			err := Guard(func() error { return d.Next(b) })
			select {
			case ready <- step{drained{d.State(), d.Summary()}, b, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for {
		select {
		case s := <-ready:
			if s.err == nil {
				// Of both, the end of ctx goes first.
				if s.err = ctx.Err(); s.err == nil {
					s.err = f(s.batch, s.state)
				}
				free <- s.batch
				if s.err != nil {
					return last, s.err
				}
				last = s.drained
				continue
			}
			last = s.drained
			if s.err == io.EOF {
				return last, nil
			}
			return last, s.err
		case <-ctx.Done():
			return last, ctx.Err()
		}
	}
}
