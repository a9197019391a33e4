package activity

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	version = 1
	// keepDone is how long a blob is known to be done: it is listed for seven days.
	keepDone = 10 * 24 * time.Hour
	// maxDone bounds how many are known; of more the oldest are forgotten, so that
	// they are read again and their records found to be there.
	maxDone = 400_000
	// maxFailing bounds how many blobs that cannot be read are remembered.
	maxFailing = 1000
	dayFormat  = "2006-01-02"
)

// A position is how far one content type has been read. It holds times and what
// is done, never a link.
type position struct {
	// Through is the time of availability up to which everything that was listed
	// has been read. Hourly and Daily are when the last day and the last week were
	// listed as a whole.
	Through time.Time `json:"through,omitzero"`
	Hourly  time.Time `json:"hourly,omitzero"`
	Daily   time.Time `json:"daily,omitzero"`

	// Seen is when the subscription was last seen to run, Down since when it is
	// known not to, Asked when its start was last asked for, Told when it was told
	// that an administrator disabled it.
	Seen  time.Time `json:"seen,omitzero"`
	Down  time.Time `json:"down,omitzero"`
	Asked time.Time `json:"asked,omitzero"`
	Told  time.Time `json:"told,omitzero"`

	// failing are blobs that could not be read so far.
	failing map[key]failing
	// days hold the keys of what is done, by day of availability; done is the same
	// as a set, young those of them that are to be read once more.
	days  map[string][]byte
	done  map[key]struct{}
	young map[key]struct{}
}

// A key stands for a contentId.
type key uint64

func keyOf(contentID string) key {
	sum := sha256.Sum256([]byte(contentID))
	return key(binary.BigEndian.Uint64(sum[:]))
}

// failing says how a blob fails.
type failing struct {
	Key     key       `json:"key"`
	Created time.Time `json:"created,omitzero"`
	Since   time.Time `json:"since"`
	Tries   int       `json:"tries"`
	// Next is when it is tried again.
	Next time.Time `json:"next,omitzero"`
}

// stored is the form in which a position is kept.
type stored struct {
	Version int `json:"v"`
	position
	Done    map[string][]byte `json:"done,omitempty"`
	Young   []byte            `json:"young,omitempty"`
	Failing []failing         `json:"failing,omitempty"`
}

func newPosition() *position {
	return &position{failing: map[key]failing{}, days: map[string][]byte{}, done: map[key]struct{}{}, young: map[key]struct{}{}}
}

// readPosition reads a position. The error says that it is none of ours.
func readPosition(text []byte) (*position, error) {
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	if s.Version != version {
		return nil, fmt.Errorf("it has version %d, and this program knows version %d", s.Version, version)
	}
	if len(s.Failing) > maxFailing {
		return nil, errors.New("it names too many blobs that fail")
	}
	p := newPosition()
	times := s.position
	p.Through, p.Hourly, p.Daily = times.Through.UTC(), times.Hourly.UTC(), times.Daily.UTC()
	p.Seen, p.Down, p.Asked, p.Told = times.Seen.UTC(), times.Down.UTC(), times.Asked.UTC(), times.Told.UTC()
	for day, keys := range s.Done {
		if _, err := time.Parse(dayFormat, day); err != nil || len(keys)%8 != 0 {
			return nil, fmt.Errorf("what is done on the day %q cannot be read", day)
		}
		p.days[day] = keys
		for k := range keysIn(keys) {
			p.done[k] = struct{}{}
		}
	}
	if len(s.Young)%8 != 0 {
		return nil, errors.New("what is to be read once more cannot be read")
	}
	for k := range keysIn(s.Young) {
		p.young[k] = struct{}{}
	}
	for _, f := range s.Failing {
		p.failing[f.Key] = f
	}
	return p, nil
}

func keysIn(b []byte) func(yield func(key) bool) {
	return func(yield func(key) bool) {
		for ; len(b) >= 8; b = b[8:] {
			if !yield(key(binary.BigEndian.Uint64(b))) {
				return
			}
		}
	}
}

// text gives the position as it is kept.
func (p *position) text() []byte {
	s := stored{Version: version, position: *p, Done: p.days}
	for _, k := range slices.Sorted(maps.Keys(p.young)) {
		s.Young = binary.BigEndian.AppendUint64(s.Young, uint64(k))
	}
	for _, k := range slices.Sorted(maps.Keys(p.failing)) {
		s.Failing = append(s.Failing, p.failing[k])
	}
	text, err := json.Marshal(s)
	if err != nil {
		// Times and bytes are all there is, and the years are of this century.
		panic("activity: " + err.Error())
	}
	return text
}

// finish notes that a blob has been read. again says that it is to be read once
// more, when it has become an hour old.
func (p *position) finish(k key, created time.Time, again bool) {
	if _, known := p.done[k]; !known {
		day := created.UTC().Format(dayFormat)
		p.days[day] = binary.BigEndian.AppendUint64(p.days[day], uint64(k))
		p.done[k] = struct{}{}
	}
	if again {
		p.young[k] = struct{}{}
	} else {
		delete(p.young, k)
	}
	delete(p.failing, k)
}

// prune forgets what is no longer listed.
func (p *position) prune(now time.Time) {
	last := now.Add(-keepDone).Format(dayFormat)
	days := slices.Sorted(maps.Keys(p.days))
	for _, day := range days {
		if day >= last && len(p.done) <= maxDone {
			break
		}
		for k := range keysIn(p.days[day]) {
			delete(p.done, k)
			delete(p.young, k)
		}
		delete(p.days, day)
	}
	for k := range p.young {
		if _, ok := p.done[k]; !ok {
			delete(p.young, k)
		}
	}
	for k, f := range p.failing {
		if f.Since.Before(now.Add(-keepDone)) {
			delete(p.failing, k)
		}
	}
}
