package dcr

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"glassward"
	"glassward/kql/value"
)

// MaxBody is how many bytes the objects of a body may have together.
const MaxBody = 1 << 20

// Bounds on TimeGenerated: what is older or further ahead when it comes is
// replaced by the time at which it came.
const (
	oldest   = 48 * time.Hour
	furthest = 24 * time.Hour
)

// An Upload is one body and on whose word it comes.
type Upload struct {
	// Elements are the body's objects, as Split gives them.
	Elements []json.RawMessage
	// Source goes into every record. Tenant is the workspace's id.
	Source, Tenant string
	// Key tells this upload from every other, and is the same when a client sends it
	// again: see Key. Records are named by it.
	Key [sha256.Size]byte
	// Received is when the body came.
	Received time.Time
}

// Key makes the key of an upload: of whoever sent it, the id that the client gave
// its request and what it sent. A client that sends the same again under the same id
// means the same records. Without an id nobody can tell a repetition from lines that
// are the same, and nonce has to be different each time.
func Key(sender, request, nonce string, body []byte) [sha256.Size]byte {
	h := sha256.New()
	for _, part := range [...]string{"glassward upload", sender, request, nonce} {
		_ = binary.Write(h, binary.BigEndian, uint32(len(part))) // a hash takes everything
		io.WriteString(h, part)
	}
	h.Write(body)
	return [sha256.Size]byte(h.Sum(nil))
}

// ErrTooLarge is given where the objects of a body have more than MaxBody bytes. What
// stands between them does not count: the clients that cut what they are given into
// bodies do not count it either.
var ErrTooLarge = errors.New("the body's objects have more than a megabyte")

// errNoArray is given where a body is no array of objects.
var errNoArray = errors.New("the body is no JSON array of objects")

// Split gives the objects of a body, which has to be a JSON array of objects and
// nothing else. The error says where it is not, or is ErrTooLarge.
func Split(body []byte) ([]json.RawMessage, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if trimmed := bytes.TrimSpace(body); len(trimmed) == 0 || trimmed[0] != '[' {
		return nil, fmt.Errorf("%w: it begins with something else", errNoArray)
	}
	var out []json.RawMessage
	if err := json.Unmarshal(body, &out); err != nil {
		return nil, fmt.Errorf("%w: %v", errNoArray, err)
	}
	size := 0
	for i, e := range out {
		if len(e) == 0 || e[0] != '{' {
			return nil, fmt.Errorf("%w: element %d is none", errNoArray, i)
		}
		size += len(e)
	}
	if size > MaxBody {
		return nil, ErrTooLarge
	}
	return out, nil
}

// batchCells bounds the cells that are held at once: a body of a megabyte may hold
// hundreds of thousands of records, each with a cell for every column.
const (
	batchCells   = 1 << 18
	batchRecords = 1024
)

// A Batch is what comes of a part of an upload.
type Batch struct {
	// Records go to the flow's table if that is a custom one.
	Records []glassward.Record
	// JSON goes to the decoder of the flow's table otherwise: objects, one a line.
	JSON []byte
	// First is the number of the first element of the part, from 0.
	First int
	Coerced
	// Filtered were dropped by the transform. Retimed had a TimeGenerated that was too
	// far away, and have it in _Extra.
	Filtered, Retimed int
}

// Each gives what comes of an upload by a flow, part by part, to take, in order. The
// first error ends it: the transform's, that of take, or ctx's.
func (f *Flow) Each(ctx context.Context, u Upload, t Transformer, take func(*Batch) error) error {
	if f.AsTheyCome() {
		var b bytes.Buffer
		for _, e := range u.Elements {
			b.Write(e)
			b.WriteByte('\n')
		}
		return take(&Batch{JSON: b.Bytes()})
	}
	size := max(1, min(batchRecords, batchCells/max(len(f.Columns), len(f.columns), len(f.Table.Columns))))
	for first := 0; first < len(u.Elements); first += size {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := &Batch{First: first}
		if err := f.part(ctx, b, u, u.Elements[first:min(first+size, len(u.Elements))], t); err != nil {
			return err
		}
		if err := take(b); err != nil {
			return err
		}
	}
	return nil
}

// part makes a batch of some elements.
func (f *Flow) part(ctx context.Context, b *Batch, u Upload, elements []json.RawMessage, t Transformer) error {
	rows := make([][]glassward.Value, len(elements))
	for i, e := range elements {
		var err error
		if rows[i], err = fields(e, f.Columns, &b.Coerced); err != nil {
			return err
		}
	}
	rows, err := f.run(ctx, t, rows, value.FromTime(u.Received))
	if err != nil {
		return err
	}
	for i, cells := range rows {
		switch {
		case cells == nil:
			b.Filtered++
		case f.Table.Custom:
			b.Records = append(b.Records, f.record(b, u, cells, elements[i], b.First+i))
		default:
			b.JSON = append(f.object(b.JSON, cells), '\n')
		}
	}
	return nil
}

// record fits what came of an element to the flow's table.
func (f *Flow) record(b *Batch, u Upload, cells []glassward.Value, raw []byte, number int) glassward.Record {
	t := f.Table
	r := glassward.Record{Table: t.Name, Received: u.Received, Values: make([]glassward.Value, len(t.Columns)), Raw: raw,
		Source: u.Source, Provenance: glassward.Pushed, Line: number + 1}
	for i, j := range f.fits {
		if j >= 0 {
			r.Values[i] = become(cells[j], f.columns[j].Type, t.Columns[i].Type, &b.Coerced)
		}
	}
	r.Values[0], r.Values[len(t.Columns)-1] = glassward.String(u.Tenant), glassward.String(t.Name)
	at, _ := t.Index("TimeGenerated")
	r.Time = u.Received
	if v := &r.Values[at]; v.Kind == glassward.KindNull {
		*v = glassward.Long(int64(value.FromTime(u.Received)))
	} else {
		when := value.Ticks(v.Num)
		if said := when.Time(); when < value.FromTime(u.Received.Add(-oldest)) || when > value.FromTime(u.Received.Add(furthest)) {
			b.Retimed++
			r.Extra = `{"TimeGenerated":` + strconv.Quote(when.String()) + `}`
			*v = glassward.Long(int64(value.FromTime(u.Received)))
		} else {
			r.Time = said
		}
	}
	h := sha256.New()
	h.Write(u.Key[:])
	io.WriteString(h, t.Name+"\x00"+f.Stream+"\x00"+f.Transform+"\x00"+strconv.Itoa(number))
	copy(r.ID[:], h.Sum(nil))
	return r
}

// object writes a row as a JSON object in the form of Log Analytics.
func (f *Flow) object(b []byte, cells []glassward.Value) []byte {
	b = append(b, '{')
	for i, c := range f.columns {
		v := cells[i]
		if v.Kind == glassward.KindNull || v.Kind == glassward.KindString && v.Str == "" {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(value.AppendQuoted(b, c.Name), ':')
		switch {
		case c.Type == value.DateTime:
			b = value.AppendQuoted(b, value.Ticks(v.Num).String())
		case c.Type == value.TimeSpan:
			b = value.AppendQuoted(b, value.Span(v.Num).String())
		case c.Type == value.Dynamic:
			b = append(b, v.Str...)
		case v.Kind == glassward.KindBool:
			b = strconv.AppendBool(b, v.Num != 0)
		case v.Kind == glassward.KindLong:
			b = strconv.AppendInt(b, v.Num, 10)
		case v.Kind == glassward.KindReal:
			b = value.AppendJSON(b, v.Real)
		default:
			b = value.AppendQuoted(b, v.Str)
		}
	}
	return append(b, '}')
}
