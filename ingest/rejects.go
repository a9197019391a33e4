package ingest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"unicode/utf8"
)

// A rejects file has one JSON object a line. Raw text that is valid UTF-8 stands
// in "raw", other bytes in base64 in "rawBase64".
type rejectLine struct {
	Source string `json:"source"`
	Line   int    `json:"line"`
	Column int    `json:"column,omitempty"`
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
	Reason string `json:"reason"`
	// Partial says that the raw text is only the beginning.
	Partial bool   `json:"partial,omitempty"`
	Raw     string `json:"raw,omitempty"`
	Base64  []byte `json:"rawBase64,omitempty"`
}

// WriteRejects appends rejects to a rejects file.
func WriteRejects(w io.Writer, rejects []Reject) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i := range rejects {
		r := &rejects[i]
		line := rejectLine{Source: r.Source, Line: r.Line, Column: r.Column, Offset: r.Offset, Length: r.Length, Reason: r.Reason, Partial: r.Partial}
		if utf8.Valid(r.Raw) {
			line.Raw = string(r.Raw)
		} else {
			line.Base64 = r.Raw
		}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// ReadRejects reads a rejects file. A line that is none gives an error with its
// number, and reading goes on with the next.
func ReadRejects(r io.Reader) iter.Seq2[Reject, error] {
	return func(yield func(Reject, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		for n := 1; ; n++ {
			text, err := in.ReadBytes('\n')
			if err != nil && err != io.EOF {
				yield(Reject{}, err)
				return
			}
			if text = bytes.TrimSpace(text); len(text) > 0 {
				var l rejectLine
				if bad := json.Unmarshal(text, &l); bad != nil {
					if !yield(Reject{}, fmt.Errorf("line %d of the rejects file: %w", n, bad)) {
						return
					}
				} else {
					raw := l.Base64
					if raw == nil {
						raw = []byte(l.Raw)
					}
					if !yield(Reject{Source: l.Source, Line: l.Line, Column: l.Column, Offset: l.Offset, Length: l.Length, Reason: l.Reason, Raw: raw, Partial: l.Partial}, nil) {
						return
					}
				}
			}
			if err == io.EOF {
				return
			}
		}
	}
}

// Retry decodes what a rejects file holds again, with options that may have
// changed (a table, a higher limit), and gives every batch to emit. Records and
// rejects have the place that they had when they were rejected; what still
// fails, and what was kept only in part, comes as a reject again.
func Retry(ctx context.Context, r io.Reader, o DecoderOptions, emit func(ctx context.Context, b *Batch) error) (Summary, error) {
	var sum Summary
	source := o.Source
	for reject, err := range ReadRejects(r) {
		if err != nil {
			return sum, err
		}
		if reject.Partial || len(reject.Raw) == 0 {
			sum.Rejected++
			if err := emit(ctx, &Batch{Rejects: []Reject{reject}}); err != nil {
				return sum, err
			}
			continue
		}
		if o.Source = source; source == "" {
			o.Source = reject.Source
		}
		d, err := NewDecoder(bytes.NewReader(reject.Raw), o)
		if err != nil {
			return sum, err
		}
		last, err := drain(ctx, d, func(b *Batch, _ State) error {
			for i := range b.Records {
				b.Records[i].Line += reject.Line - 1
			}
			for i := range b.Warnings {
				b.Warnings[i].Line += reject.Line - 1
			}
			for i := range b.Rejects {
				x := &b.Rejects[i]
				if x.Line == 1 {
					x.Column += max(0, reject.Column-1)
				}
				x.Line += reject.Line - 1
				x.Offset += reject.Offset
				x.Source = reject.Source
			}
			return emit(ctx, b)
		})
		sum.Add(last.sum)
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}
