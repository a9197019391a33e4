package eventhub

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"glassward/ingest"
)

const (
	// A hub's message is 1 MB at most; an answer holds this much of all partitions.
	partitionBytes = 2 << 20
	answerBytes    = 16 << 20
	// maxWait is how long the hub may wait for something to come.
	maxWait = 5 * time.Second

	// batchRecords is how many records a batch has at most, but for those of its
	// last message.
	batchRecords = 4096
	// What is older than bulkAge, or has bulkMany messages behind it, is no news: it
	// may be committed together with what follows.
	bulkAge  = 2 * time.Minute
	bulkMany = 16 << 10
)

// A pipe reads partitions: one goroutine a broker asks, one a partition decodes
// and one emits.
type pipe struct {
	*reading
	run     context.Context // ends the asking; emits outlive it
	outer   context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	readers []*reader
	trouble chan error
	over    atomic.Bool
	free    chan *ingest.Batch
	unpack  kgo.Decompressor
}

// reader is one partition in a pipe.
type reader struct {
	p      *partition
	leader int32
	topic  [16]byte
	queue  chan fetched
	ready  chan decoded

	next  atomic.Int64 // the offset to ask for; the fetching goroutine alone changes it
	moved atomic.Bool  // something came, or the end was seen, since the last look
}

// fetched is what one answer held of a partition.
type fetched struct {
	records []*kgo.Record
	next    int64 // the offset after it
	high    int64 // the offset at which the partition ends
}

// decoded is a batch and where it ends.
type decoded struct {
	batch *ingest.Batch
	to    position
	high  int64         // where the partition ended when its last message was given
	last  time.Time     // when the hub took in its last message
	toHub time.Duration // from event to hub
	none  bool          // of the last message nothing could be measured
}

// start begins to read what a look has seen.
func (r *reading) start(ctx context.Context, client *kgo.Client, l *look) *pipe {
	p := &pipe{reading: r, outer: ctx, trouble: make(chan error, 1), unpack: kgo.DefaultDecompressor()}
	p.run, p.cancel = context.WithCancel(ctx)
	// Batches bound what is held decoded, however many partitions there are.
	n := max(4, 2*runtime.GOMAXPROCS(0))
	p.free = make(chan *ingest.Batch, n)
	for range n {
		p.free <- new(ingest.Batch)
	}
	byLeader := map[int32][]*reader{}
	for _, x := range l.seen {
		q := &reader{p: x.p, leader: x.leader, topic: x.topic, queue: make(chan fetched, 1), ready: make(chan decoded, 1)}
		// Whoever is asked for the first time has not had time to answer.
		q.moved.Store(true)
		q.next.Store(x.done.Offset)
		p.readers = append(p.readers, q)
		byLeader[x.leader] = append(byLeader[x.leader], q)
		p.wg.Go(func() { p.guard(func() { p.decode(q) }) })
		p.wg.Go(func() { p.guard(func() { p.commit(q) }) })
	}
	for leader, list := range byLeader {
		p.wg.Go(func() { p.guard(func() { p.fetch(client, leader, list) }) })
	}
	return p
}

// stop ends the pipe and waits for what is being committed.
func (p *pipe) stop() {
	p.over.Store(true)
	p.cancel()
	p.wg.Wait()
}

func (p *pipe) ended() bool { return p.over.Load() }

// serves reports whether the pipe reads just what a look has seen, from places
// that can be read.
func (p *pipe) serves(l *look) bool {
	if len(p.readers) != len(l.seen) {
		return false
	}
	for _, x := range l.seen {
		i := slices.IndexFunc(p.readers, func(q *reader) bool { return q.p == x.p })
		if i < 0 || p.readers[i].leader != x.leader || p.readers[i].topic != x.topic {
			return false
		}
		if _, lost, _ := x.judge(); lost != "" {
			return false
		}
	}
	return true
}

// idle reports whether nothing has come of a partition since it was last asked
// and nothing that came is still on its way; the Source's mutex is held.
func (p *pipe) idle(of *partition) bool {
	for _, q := range p.readers {
		if q.p == of {
			return !q.moved.Swap(false) && q.next.Load() == of.done.Offset
		}
	}
	return false
}

// guard makes of a panic a reason why the pipe cannot go on.
func (p *pipe) guard(f func()) {
	err := ingest.Guard(func() error {
		f()
		return nil
	})
	if err != nil {
		p.fail(err)
	}
}

// fail says why the pipe cannot go on.
func (p *pipe) fail(err error) {
	if p.run.Err() != nil {
		return // it was stopped; what emit said is in failed
	}
	select {
	case p.trouble <- err:
	default:
	}
}

// fetch asks one broker for its partitions, again and again.
func (p *pipe) fetch(client *kgo.Client, leader int32, list []*reader) {
	broker := client.Broker(int(leader))
	for turn := 0; p.run.Err() == nil; turn++ {
		req := kmsg.NewPtrFetchRequest()
		req.MaxWaitMillis = int32(maxWait.Milliseconds())
		req.MinBytes, req.MaxBytes = 1, answerBytes
		by := map[place]*reader{}
		ids := map[[16]byte]string{}
		// The first partition of a request is served first: each has its turn.
		for i := range list {
			q := list[(turn+i)%len(list)]
			by[place{q.p.hub, q.p.id}] = q
			ids[q.topic] = q.p.hub
			if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != q.p.hub {
				t := kmsg.NewFetchRequestTopic()
				t.Topic, t.TopicID = q.p.hub, q.topic
				req.Topics = append(req.Topics, t)
			}
			x := kmsg.NewFetchRequestTopicPartition()
			x.Partition, x.FetchOffset, x.PartitionMaxBytes = q.p.id, q.next.Load(), partitionBytes
			t := &req.Topics[len(req.Topics)-1]
			t.Partitions = append(t.Partitions, x)
		}
		answer, err := broker.RetriableRequest(p.run, req)
		if err != nil {
			p.fail(err)
			return
		}
		resp := answer.(*kmsg.FetchResponse)
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			p.fail(err)
			return
		}
		for i := range resp.Topics {
			t := &resp.Topics[i]
			name := t.Topic
			if name == "" {
				name = ids[t.TopicID]
			}
			for k := range t.Partitions {
				q := by[place{name, t.Partitions[k].Partition}]
				if q == nil {
					continue
				}
				if err := p.take(q, &t.Partitions[k], resp.ThrottleMillis > 0); err != nil {
					p.fail(err)
					return
				}
			}
		}
	}
}

// take hands on what an answer holds of a partition.
func (p *pipe) take(q *reader, in *kmsg.FetchResponseTopicPartition, throttled bool) error {
	from := q.next.Load()
	if err := kerr.ErrorForCode(in.ErrorCode); err != nil {
		// Where the ends are wrong or the leader has changed the next look says so.
		tell := !kerr.IsRetriable(err) && err != kerr.OffsetOutOfRange
		return &hubError{q.p.hub, fmt.Errorf("partition %d, offset %d: %w", q.p.id, from, err), tell}
	}
	o := kgo.ProcessFetchPartitionOpts{Topic: q.p.hub, Partition: q.p.id, Offset: from}
	got, next := kgo.ProcessFetchPartition(o, in, p.unpack, nil)
	if got.Err != nil {
		next = from
		if n := len(got.Records); n > 0 {
			next = got.Records[n-1].Offset + 1
		}
	}
	if next > from {
		q.moved.Store(true)
		select {
		case q.queue <- fetched{got.Records, next, in.HighWatermark}:
			q.next.Store(next)
		case <-p.run.Done():
			return p.run.Err()
		}
	} else if got.Err == nil && !throttled && in.HighWatermark <= from {
		// At the end, and the hub says so.
		q.moved.Store(true)
	}
	if got.Err != nil {
		return &hubError{q.p.hub, fmt.Errorf("partition %d, offset %d: %w: %v", q.p.id, next, kerr.CorruptMessage, got.Err), true}
	}
	return nil
}

// decode makes batches of messages. A batch is handed on when it is full or when
// nothing more waits.
func (p *pipe) decode(q *reader) {
	defer close(q.ready)
	p.mu.Lock()
	at := q.p.done
	p.mu.Unlock()
	for {
		var f fetched
		select {
		case f = <-q.queue:
		case <-p.run.Done():
			return
		}
		var out decoded
		begin := func() bool {
			select {
			case b := <-p.free:
				b.Reset()
				out = decoded{batch: b, none: true}
				return true
			case <-p.run.Done():
				return false
			}
		}
		hand := func() bool {
			out.to = at
			select {
			case q.ready <- out:
				return true
			case <-p.run.Done():
				p.free <- out.batch
				return false
			}
		}
		if !begin() {
			return
		}
		for more := true; more; {
			for i, m := range f.records {
				p.message(q, m, &out)
				at.Offset, at.Epoch = m.Offset+1, m.LeaderEpoch
				if m.Timestamp.After(at.Enqueued) {
					at.Enqueued = m.Timestamp.UTC()
				}
				out.high = f.high
				out.batch.Bulk = f.high-m.Offset-1 >= bulkMany || p.o.Now().Sub(m.Timestamp) >= bulkAge
				if n := len(out.batch.Records) + len(out.batch.Rejects); n >= batchRecords && i < len(f.records)-1 {
					if !hand() || !begin() {
						return
					}
				}
			}
			at.Offset = max(at.Offset, f.next)
			more = false
			if len(out.batch.Records)+len(out.batch.Rejects) < batchRecords {
				select {
				case f = <-q.queue:
					more = true
				default:
				}
			}
		}
		if !hand() {
			return
		}
	}
}

// message decodes one message.
func (p *pipe) message(q *reader, m *kgo.Record, out *decoded) {
	b := out.batch
	records, rejects := len(b.Records), len(b.Rejects)
	q.p.decoder.Add(b, m.Value)
	out.last = m.Timestamp
	// {"type":"heartbeat"} has the look of a row of the table Heartbeat.
	for i := records; i < len(b.Records); i++ {
		if b.Records[i].Table == "Heartbeat" && heartbeat(b.Records[i].Raw) {
			b.Records = slices.Delete(b.Records, i, i+1)
			b.Shapes = slices.Delete(b.Shapes, i, i+1)
			i--
		}
	}
	if len(b.Records) > records {
		out.none = false
		out.toHub = max(0, m.Timestamp.Sub(b.Records[len(b.Records)-1].Time))
	}
	kept := b.Rejects[:rejects]
	for _, x := range b.Rejects[rejects:] {
		if heartbeat(x.Raw) {
			continue
		}
		x.Source = fmt.Sprintf("%s@%d", q.p.key, m.Offset)
		kept = append(kept, x)
	}
	b.Rejects = kept
}

// heartbeat reports whether a text is {"type":"heartbeat"}, which says nothing
// but that somebody writes.
func heartbeat(raw []byte) bool {
	if len(raw) > 512 {
		return false
	}
	var x struct {
		Type    string          `json:"type"`
		Records json.RawMessage `json:"records"`
	}
	return json.Unmarshal(raw, &x) == nil && x.Records == nil && strings.EqualFold(x.Type, "heartbeat")
}

// commit gives the batches of a partition to emit, one after another.
func (p *pipe) commit(q *reader) {
	broken := false
	for d := range q.ready {
		if !broken {
			if err := p.give(p.outer, d.batch, d.to.cursor(q.p.key)); err != nil {
				broken = true
				p.fail(err)
			} else {
				p.committed(q, d)
			}
		}
		p.free <- d.batch
	}
}

// committed notes that a batch is durable.
func (p *pipe) committed(q *reader, d decoded) {
	now := p.o.Now()
	p.mu.Lock()
	x := q.p
	x.done, x.began = d.to, true
	x.latest = max(x.latest, d.high, d.to.Offset)
	x.records += len(d.batch.Records)
	if !d.none {
		x.toHub, x.toUs = d.toHub, max(0, now.Sub(d.last))
	}
	h := p.of(x.hub)
	last := ""
	for i := range d.batch.Records {
		if t := d.batch.Records[i].Table; t != last && !slices.Contains(h.tables, t) {
			h.tables = append(h.tables, t)
		}
		last = d.batch.Records[i].Table
	}
	caught := x.done.Offset >= x.latest
	p.mu.Unlock()
	if caught {
		p.tellPolled(x.hub, false)
	}
}
