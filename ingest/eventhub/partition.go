package eventhub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward/ingest"
)

// position is the position of a partition in a cursor.
type position struct {
	// Offset is the next message to read.
	Offset int64 `json:"offset"`
	// Epoch is the leader's at the last message read, -1 where the hub has none.
	Epoch int32 `json:"epoch"`
	// Topic is the hub's own id, which a hub that is made anew does not keep; empty
	// where the service gives none.
	Topic string `json:"topicId,omitempty"`
	// Enqueued is the latest time at which the hub took in a message that was read.
	Enqueued time.Time `json:"enqueued,omitzero"`
}

// A Partition says how the reading of one partition stands.
type Partition struct {
	// Hub and ID name it.
	Hub string
	ID  int32
	// Offset is the next message to read. Earliest is the first that the hub has,
	// Latest the one that it will give next, both as of the last look.
	Offset, Earliest, Latest int64
	// Enqueued is the latest time at which the hub took in a message that was read,
	// Oldest that of the oldest message that it keeps; zero if not known.
	Enqueued, Oldest time.Time
	// ToHub is how long the last records took from the event to the hub, ToUs how
	// long from there until they were durable here.
	ToHub, ToUs time.Duration
	// UntilLoss is when the hub will begin to delete what was not read, if reading
	// stood still from now on; negative if it is not known, which is so until the
	// hub has deleted something for the first time.
	UntilLoss time.Duration
}

// partition is one partition that is read. All but key, hub, id and decoding
// things is guarded by the Source's mutex.
type partition struct {
	hub string
	id  int32
	key string

	// done is how far messages are durable; began says that it means something.
	done  position
	began bool
	// leader is the broker that has it; topic is the hub's id there.
	leader int32
	topic  [16]byte

	earliest, latest int64
	oldest           time.Time
	toHub, toUs      time.Duration
	records          int // since the last report

	decoder *ingest.Decoder
}

func (s *Source) partition(hub string, id int32) (*partition, error) {
	k := place{hub, id}
	if p := s.partitions[k]; p != nil {
		return p, nil
	}
	p := &partition{hub: hub, id: id, key: fmt.Sprintf("%s/%s/%d", s.Name(), hub, id), done: position{Epoch: -1}}
	var err error
	if p.decoder, err = s.decoder(p.key); err != nil {
		return nil, err
	}
	s.partitions[k] = p
	return p, nil
}

type place struct {
	hub string
	id  int32
}

// load takes up the kept position. odd says why one that was kept is none of ours:
// the partition is then read from its beginning, which adds nothing twice.
func (p *partition) load(ctx context.Context, cursors ingest.Cursors) (odd, err error) {
	if cursors == nil {
		return nil, nil
	}
	text, ok, err := cursors.Cursor(ctx, p.key)
	if err != nil || !ok {
		return nil, err
	}
	at := position{Epoch: -1}
	if err := json.Unmarshal(text, &at); err != nil {
		return err, nil
	}
	if at.Offset < 0 {
		return fmt.Errorf("its offset is %d", at.Offset), nil
	}
	p.done, p.began = at, true
	return nil, nil
}

func (at position) cursor(key string) *ingest.Cursor {
	text, err := json.Marshal(at)
	if err != nil {
		// A time beyond what JSON knows; the offset is what counts.
		at.Enqueued = time.Time{}
		text, _ = json.Marshal(at)
	}
	return &ingest.Cursor{Source: key, Position: text}
}

// Partitions says how the partitions stand, sorted by hub and number.
func (s *Source) Partitions() []Partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	var list []Partition
	for _, p := range s.partitions {
		x := Partition{Hub: p.hub, ID: p.id, Offset: p.done.Offset, Earliest: p.earliest, Latest: p.latest,
			Enqueued: p.done.Enqueued, Oldest: p.oldest, ToHub: p.toHub, ToUs: p.toUs, UntilLoss: -1}
		// What the hub keeps is as long as its retention only if it has deleted some.
		if p.earliest > 0 && !p.oldest.IsZero() {
			next := p.done.Enqueued
			if p.done.Offset >= p.latest || next.IsZero() {
				next = now
			}
			x.UntilLoss = max(0, next.Sub(p.oldest))
		}
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b Partition) int {
		if c := strings.Compare(a.Hub, b.Hub); c != 0 {
			return c
		}
		return int(a.ID - b.ID)
	})
	return list
}
