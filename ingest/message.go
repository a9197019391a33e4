package ingest

import "context"

// Add decodes one whole text, such as a message of an event hub, and adds what
// it holds to the batch, which it does not empty. Each text stands alone: what
// is broken in one says nothing about the next, and lines and offsets begin anew
// with each. A text is JSON; it is not taken for CSV and not unpacked. The text
// may be changed as soon as Add returns. A Decoder that is used so needs no
// reader, and Next must not be called.
func (d *Decoder) Add(batch *Batch, text []byte) {
	if len(d.buf)-slack-d.end < len(text) {
		d.chunk = min(max(firstChunk, 2*d.chunk), chunkBytes)
		d.buf = make([]byte, max(d.chunk, len(text))+slack)
		d.end = 0
	}
	// What was added before is never written again: records refer to it.
	d.pos = d.end
	d.end += copy(d.buf[d.end:], text)
	clear(d.buf[d.end : d.end+slack])
	d.base, d.line, d.lineAt, d.lineStart = -int64(d.pos), 1, d.pos, 0
	d.opened, d.started, d.eof, d.ended = true, true, true, false
	d.err, d.skip, d.csv, d.nuls = nil, nil, nil, 0
	d.stack = d.stack[:0]
	d.o.Growing = false

	d.batch = batch
	for d.step() == advanced {
	}
	d.batch = nil
}

// Each gives every batch of the stream to f, together with the state after it,
// and decodes the next one meanwhile. It returns what the decoder has read, nil at
// the end of the stream, ctx's error, or the first of f. The Decoder must not be
// used afterwards.
func (d *Decoder) Each(ctx context.Context, f func(*Batch, State) error) (State, Summary, error) {
	last, err := drain(ctx, d, f)
	return last.state, last.sum, err
}
