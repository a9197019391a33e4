package cloud

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"glassward/internal/entrasim"
)

// blobRecords is how many records a content blob holds at most.
const blobRecords = 100

// blobLife is how long a blob can be fetched.
const blobLife = 7 * 24 * time.Hour

// A blob is a piece of content of the Activity API.
type blob struct {
	id, content string
	created     time.Time
	listed      time.Time // when it is listed for the first time; later than created if it is late
	events      []*entrasim.Event
	partial     time.Time // until then only a part of it is there
}

// A span of time; open if it has no end.
type span struct{ from, to time.Time }

func (s span) holds(at time.Time) bool {
	return !at.Before(s.from) && (s.to.IsZero() || at.Before(s.to))
}

// A subscription is what an application asked to get.
type subscription struct {
	on       bool
	disabled bool // by an administrator
	spans    []span
}

// A feed is what the Activity API holds of a world.
type feed struct {
	c     *Cloud
	world *entrasim.World

	mu            sync.Mutex
	upTo          time.Time
	blobs         []*blob // in order of created
	byID          map[string]*blob
	subscriptions map[string]*subscription // application/content type
	pages         map[string][]*blob       // what the links to further pages stand for
	tricks        BlobTricks
	off           bool
	count         int
}

// BlobTricks are what the Activity API does to its readers.
type BlobTricks struct {
	// Late is the share of blobs that are listed only LateBy after their
	// contentCreated.
	Late   float64
	LateBy time.Duration
	// EqualCreated gives all blobs of a minute the same contentCreated.
	EqualCreated bool
	// Partial is the share of blobs that give only half of their records for
	// the time of PartialFor after they are listed.
	Partial    float64
	PartialFor time.Duration
	// NextPageURL names the header NextPageUrl, with a path of /api/v1/, as
	// older pages of the documentation do.
	NextPageURL bool
	// PageSize is the number of blobs on a page; 200 if zero.
	PageSize int
}

// Blobs plays tricks with the content blobs of a tenant.
func (f *Faults) Blobs(tenant string, tricks BlobTricks) {
	if t, ok := f.c.tenant(tenant); ok {
		t.feed.build(f.c.live(t))
		t.feed.mu.Lock()
		defer t.feed.mu.Unlock()
		t.feed.tricks = tricks
	}
}

// AuditOff switches the unified audit log of a tenant off, or on again. What
// happens meanwhile is never in the feed.
func (f *Faults) AuditOff(tenant string, off bool) {
	if t, ok := f.c.tenant(tenant); ok {
		t.feed.build(f.c.live(t))
		t.feed.mu.Lock()
		defer t.feed.mu.Unlock()
		t.feed.off = off
	}
}

// DisableSubscription switches an application's subscription to a content type
// off, as an administrator can, or lets it be started again.
func (f *Faults) DisableSubscription(tenant, appID, content string, off bool) {
	t, ok := f.c.tenant(tenant)
	if !ok {
		return
	}
	now := f.c.live(t)
	t.feed.mu.Lock()
	defer t.feed.mu.Unlock()
	s := t.feed.subscription(appID, content)
	if s.disabled = off; off {
		s.stop(now)
	}
}

func newFeed(c *Cloud, w *entrasim.World) *feed {
	return &feed{c: c, world: w, byID: map[string]*blob{}, subscriptions: map[string]*subscription{}, pages: map[string][]*blob{}}
}

func (f *feed) subscription(app, content string) *subscription {
	key := strings.ToLower(app) + "/" + content
	s := f.subscriptions[key]
	if s == nil {
		s = &subscription{}
		f.subscriptions[key] = s
	}
	return s
}

func (s *subscription) stop(now time.Time) {
	s.on = false
	if n := len(s.spans); n > 0 && s.spans[n-1].to.IsZero() {
		s.spans[n-1].to = now
	}
}

// start begins a subscription; content comes warm later after the first start.
func (s *subscription) start(now time.Time, warm time.Duration) {
	if len(s.spans) == 0 {
		now = now.Add(warm)
	}
	s.on = true
	s.spans = append(s.spans, span{from: now})
}

// chance decides by a name whether a thing with some probability is so.
func chance(name string, share float64) bool {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return float64(h.Sum64()%10_000) < share*10_000
}

// build makes blobs of what has come until now, one minute after another. A
// minute is closed before its blobs are made.
func (f *feed) build(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	end := earlier(now, f.world.Now()).Truncate(time.Minute)
	if !end.After(f.upTo) {
		return
	}
	type bin struct {
		minute  time.Time
		content string
	}
	groups := map[bin][]*entrasim.Event{}
	var order []bin
	for _, a := range f.world.Appearances(entrasim.Activity, f.upTo, end) {
		content := a.Event.Content()
		if content == "" || f.off {
			continue
		}
		minute := a.At.Truncate(time.Minute)
		if minute.Before(a.At) {
			minute = minute.Add(time.Minute)
		}
		b := bin{minute, content}
		if groups[b] == nil {
			order = append(order, b)
		}
		groups[b] = append(groups[b], a.Event)
	}
	f.upTo = end
	for _, b := range order {
		for part := range slices.Chunk(groups[b], blobRecords) {
			f.count++
			created := b.minute.Add(-time.Millisecond * time.Duration(1+(f.count*137)%900))
			if f.tricks.EqualCreated {
				created = b.minute
			}
			name := strings.ReplaceAll(b.content, ".", "_")
			mark := strings.Replace(created.UTC().Format("20060102150405.000"), ".", "", 1) + fmt.Sprintf("%06d", f.count%1_000_000)
			bl := &blob{
				id: mark + "$" + mark + "$" + strings.ToLower(name) + "$" + name + "$emea0027", content: b.content,
				created: created, listed: b.minute, events: part,
			}
			if chance(bl.id+"late", f.tricks.Late) {
				bl.listed = bl.listed.Add(f.tricks.LateBy)
			}
			if chance(bl.id+"partial", f.tricks.Partial) {
				bl.partial = bl.listed.Add(f.tricks.PartialFor)
			}
			f.blobs = append(f.blobs, bl)
			f.byID[bl.id] = bl
		}
	}
	slices.SortStableFunc(f.blobs, func(a, b *blob) int { return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.id, b.id)) })
	for len(f.blobs) > 0 && f.blobs[0].created.Add(blobLife+24*time.Hour).Before(now) {
		delete(f.byID, f.blobs[0].id)
		f.blobs = f.blobs[1:]
	}
}

// list gives the blobs of a subscription that were created in a span of time.
func (f *feed) list(s *subscription, content string, from, to, now time.Time) []*blob {
	out := []*blob{}
	for _, b := range f.blobs {
		if b.content != content || b.created.Before(from) || !b.created.Before(to) || b.listed.After(now) {
			continue
		}
		if slices.ContainsFunc(s.spans, func(p span) bool { return p.holds(b.created) }) {
			out = append(out, b)
		}
	}
	return out
}

// body is what is in a blob now, in no order.
func (b *blob) body(now time.Time) []byte {
	events := slices.Clone(b.events)
	for i := len(events) - 1; i > 0; i-- {
		h := fnv.New32a()
		_, _ = h.Write([]byte(events[i].ID)) // never fails
		j := int(h.Sum32() % uint32(i+1))
		events[i], events[j] = events[j], events[i]
	}
	if now.Before(b.partial) {
		events = events[:len(events)/2]
	}
	var w bytes.Buffer
	w.WriteByte('[')
	for i, e := range events {
		if i > 0 {
			w.WriteByte(',')
		}
		w.Write(e.Activity())
	}
	w.WriteByte(']')
	return w.Bytes()
}
