package eventhub

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"glassward/entra"
	"glassward/ingest"
)

// insights begins the names of hubs that diagnostic settings make.
const insights = "insights-"

// A look is what the namespace says of its partitions at one time.
type look struct {
	seen []*seen
	// troubled are the hubs that cannot be read at all.
	troubled map[string]error
}

// seen is one partition of a look.
type seen struct {
	p      *partition
	done   position // as it was before the look
	began  bool
	leader int32
	epoch  int32
	topic  [16]byte

	earliest, latest int64
	oldest           time.Time
	// newer is the first message that the hub took in well after the last one that
	// was read, -1 if there is none.
	newer int64
}

// slip is by how much the times of a partition's messages may be out of order.
const slip = time.Minute

// look asks for hubs, partitions and their ends.
func (r *reading) look(ctx context.Context, client *kgo.Client) (*look, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	for _, h := range r.o.Hubs {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(h)
		req.Topics = append(req.Topics, t)
	}
	meta, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	l := &look{troubled: map[string]error{}}
	for i := range meta.Topics {
		t := &meta.Topics[i]
		if t.Topic == nil || len(r.o.Hubs) == 0 && !strings.HasPrefix(strings.ToLower(*t.Topic), insights) {
			continue
		}
		if err := r.lookAt(ctx, l, *t.Topic, t); err != nil {
			return nil, err
		}
	}
	for _, h := range r.o.Hubs {
		if l.troubled[h] == nil && !slices.ContainsFunc(l.seen, func(x *seen) bool { return x.p.hub == h }) {
			l.troubled[h] = kerr.UnknownTopicOrPartition
		}
	}
	if len(l.seen) == 0 && len(l.troubled) == 0 {
		return nil, &entra.Fault{Kind: entra.FaultSubscription, Service: serviceName, Doing: "look for hubs in " + r.o.Namespace,
			Message: "there is no hub whose name begins with " + insights + ": a diagnostic setting makes one with its first record of a category; if it writes to a hub of another name, name that hub"}
	}
	if len(l.seen) == 0 {
		return l, nil
	}
	if err := r.ends(ctx, client, l); err != nil {
		return nil, err
	}
	return l, nil
}

// lookAt takes up one hub.
func (r *reading) lookAt(ctx context.Context, l *look, name string, t *kmsg.MetadataResponseTopic) error {
	if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
		l.troubled[name] = err
		return nil
	}
	for i := range t.Partitions {
		q := &t.Partitions[i]
		if err := kerr.ErrorForCode(q.ErrorCode); err != nil || q.Leader < 0 {
			if err == nil {
				err = kerr.LeaderNotAvailable
			}
			l.troubled[name] = fmt.Errorf("partition %d: %w", q.Partition, err)
			continue
		}
		r.mu.Lock()
		known := r.partitions[place{name, q.Partition}]
		p, err := r.partition(name, q.Partition)
		r.mu.Unlock()
		if err != nil {
			return &emitError{err}
		}
		if known == nil {
			odd, err := p.load(ctx, r.cursors)
			if err != nil {
				r.mu.Lock()
				delete(r.partitions, place{name, q.Partition})
				r.mu.Unlock()
				return &emitError{err}
			}
			if odd != nil {
				r.tellFault(name, &entra.Fault{Kind: entra.FaultPosition, Service: serviceName, Doing: "go on with the hub " + name, Err: odd,
					Message: fmt.Sprintf("the position that was kept of partition %d cannot be read: %v. All that the hub holds of it is read again, which adds nothing twice", q.Partition, odd)})
			}
		}
		r.mu.Lock()
		l.seen = append(l.seen, &seen{p: p, done: p.done, began: p.began, leader: q.Leader, epoch: q.LeaderEpoch, topic: t.TopicID, earliest: -1, latest: -1, newer: -1})
		r.mu.Unlock()
	}
	return nil
}

// ends asks where the partitions begin and end.
func (r *reading) ends(ctx context.Context, client *kgo.Client, l *look) error {
	const latest, earliest = -1, -2
	for _, ask := range []struct {
		at   func(*seen) int64 // a time in milliseconds, or one of the above; below that: nothing
		take func(x *seen, offset, at int64)
		must bool
	}{
		{func(*seen) int64 { return latest }, func(x *seen, offset, _ int64) { x.latest = offset }, true},
		{func(*seen) int64 { return earliest }, func(x *seen, offset, _ int64) { x.earliest = offset }, true},
		// Not every service answers these; they tell more, and nothing rests on them.
		{func(*seen) int64 { return 0 }, func(x *seen, _, at int64) {
			if at > 0 {
				x.oldest = time.UnixMilli(at).UTC()
			}
		}, false},
		{func(x *seen) int64 {
			if !x.began || x.done.Enqueued.IsZero() {
				return earliest - 1
			}
			return x.done.Enqueued.Add(slip).UnixMilli() + 1
		}, func(x *seen, offset, _ int64) { x.newer = offset }, false},
	} {
		req := kmsg.NewPtrListOffsetsRequest()
		byPlace := map[place]*seen{}
		for _, x := range l.seen {
			at := ask.at(x)
			if at < earliest {
				continue
			}
			byPlace[place{x.p.hub, x.p.id}] = x
			if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != x.p.hub {
				t := kmsg.NewListOffsetsRequestTopic()
				t.Topic = x.p.hub
				req.Topics = append(req.Topics, t)
			}
			q := kmsg.NewListOffsetsRequestTopicPartition()
			q.Partition, q.Timestamp = x.p.id, at
			t := &req.Topics[len(req.Topics)-1]
			t.Partitions = append(t.Partitions, q)
		}
		if len(byPlace) == 0 {
			continue
		}
		resp, err := req.RequestWith(ctx, client)
		if err != nil {
			if !ask.must && ctx.Err() == nil {
				continue
			}
			return err
		}
		for _, t := range resp.Topics {
			for _, q := range t.Partitions {
				x := byPlace[place{t.Topic, q.Partition}]
				if x == nil {
					continue
				}
				if err := kerr.ErrorForCode(q.ErrorCode); err == nil {
					ask.take(x, q.Offset, q.Timestamp)
				} else if ask.must {
					l.troubled[t.Topic] = fmt.Errorf("partition %d: %w", q.Partition, err)
				}
			}
		}
	}
	// A partition whose ends are not known is not read until they are.
	l.seen = slices.DeleteFunc(l.seen, func(x *seen) bool { return x.earliest < 0 || x.latest < 0 })
	return nil
}

// judge says where reading goes on, and in words what is lost; the words are
// empty if nothing is. anew says that the hub is another one than before.
func (x *seen) judge() (from int64, lost string, anew bool) {
	at := x.done.Offset
	name := fmt.Sprintf("partition %d of the hub %s", x.p.id, x.p.hub)
	const rest = "what it held beyond our last message cannot be had any more; what it holds now is read from its beginning"
	switch {
	case !x.began:
		return x.earliest, "", false
	case x.done.Topic != "" && x.topic != [16]byte{} && x.done.Topic != hex.EncodeToString(x.topic[:]):
		return x.earliest, fmt.Sprintf("%s was deleted and made anew (it has another id): %s", name, rest), true
	case x.latest < at:
		return x.earliest, fmt.Sprintf("%s was deleted and made anew (it ends at offset %d, we had read to %d): %s", name, x.latest, at, rest), true
	case x.newer >= 0 && x.newer < at:
		return x.earliest, fmt.Sprintf("%s was deleted and made anew (offset %d, which we had passed, was taken in after our last message): %s", name, x.newer, rest), true
	case x.earliest > at:
		return x.earliest, fmt.Sprintf("%s has deleted %d messages that were never read (offsets %d to %d), because they were older than its retention: reading stood still for too long, or the retention was shortened", name, x.earliest-at, at, x.earliest-1), false
	}
	return at, "", false
}

// settle puts the positions where reading goes on, and tells what is lost.
// Nothing is being read meanwhile.
func (r *reading) settle(ctx context.Context, l *look) error {
	for _, x := range l.seen {
		r.mu.Lock()
		now, began := x.p.done, x.p.began
		r.mu.Unlock()
		// Since the look was taken something may still have been committed. What it
		// saw is held against the place that was reached then: the end that it saw may
		// have been passed, and the newer message read.
		from, lost, anew := x.judge()
		if !anew {
			x.done, x.began = now, began
			x.latest, x.newer = max(x.latest, now.Offset), -1
			from, lost, _ = x.judge()
		}
		at := x.done
		at.Offset = from
		if x.topic != [16]byte{} {
			at.Topic = hex.EncodeToString(x.topic[:])
		}
		if lost != "" {
			r.mu.Lock()
			tables := slices.Clone(r.of(x.p.hub).tables)
			r.mu.Unlock()
			r.o.Observe.Tell(ingest.Report{Stream: x.p.hub, Tables: tables, At: r.o.Now(),
				Hole: &ingest.Hole{From: x.done.Enqueued, To: x.oldest, What: lost}})
			if anew {
				at.Enqueued, at.Epoch = time.Time{}, -1
			}
			// The cursor moves with the telling, or it would be told for ever.
			if err := r.give(ctx, &ingest.Batch{}, at.cursor(x.p.key)); err != nil {
				return err
			}
		}
		r.mu.Lock()
		x.p.done, x.p.leader, x.p.topic = at, x.leader, x.topic
		r.mu.Unlock()
		x.done = at
	}
	return nil
}

// tellLook tells how all hubs stand after a look.
func (r *reading) tellLook(l *look, p *pipe) {
	stuck := map[string]string{}
	r.mu.Lock()
	for _, h := range r.hubs {
		h.planned = false
	}
	for _, x := range l.seen {
		q := x.p
		r.of(q.hub).planned = true
		// A throttled fetch comes back empty and without an error: only that nothing
		// moves while something waits shows it.
		if n := q.latest - q.done.Offset; p.idle(q) && n > 0 && q.earliest <= q.done.Offset {
			stuck[q.hub] = fmt.Sprintf("%d messages wait in partition %d and the hub has given none of them since the last look: it is throttled, or something holds its answers back", n, q.id)
		}
		q.earliest, q.latest, q.oldest = x.earliest, max(x.latest, q.done.Offset), x.oldest
	}
	var hubs []string
	for name, h := range r.hubs {
		if h.planned {
			hubs = append(hubs, name)
		}
	}
	whole := r.stand(func(q *partition) bool { return r.of(q.hub).planned })
	r.mu.Unlock()

	slices.Sort(hubs)
	for _, name := range hubs {
		if l.troubled[name] != nil {
			continue
		}
		if words := stuck[name]; words != "" {
			r.tellFault(name, &entra.Fault{Kind: entra.FaultThrottled, Service: serviceName, Doing: "read the hub " + name, Message: words})
			continue
		}
		r.tellPolled(name, true)
	}
	for name, err := range l.troubled {
		r.tellFault(name, r.fault("read the hub "+name, err))
	}
	if len(hubs) > 0 {
		// It ends what was told of the namespace as a whole.
		r.o.Observe.Tell(ingest.Report{At: r.o.Now(), Polled: &whole})
	}
}
