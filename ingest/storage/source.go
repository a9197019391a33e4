package storage

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/entra"
	"glassward/ingest"
	"glassward/schema"
)

// Options says which folder is read and how.
type Options struct {
	// Tenant is the only tenant that records may name. Folders of other tenants
	// (tenantId=…) are left alone.
	Tenant string
	// Folder holds the account's containers, or is one of them.
	Folder string
	// Poll is the time between two looks at the files of the current hour and the
	// three before, ten seconds if 0.
	Poll time.Duration
	// Observe hears how the containers stand; Stream is the name of the container.
	Observe ingest.Observer
	// Now gives the time, time.Now if nil.
	Now func() time.Time
}

// A file may still grow after its hour, and records come up to two days late: so
// the last hours are looked at always, three days hourly and seven daily.
const (
	always = 3 * time.Hour
	hourly = 72 * time.Hour
	daily  = 7 * 24 * time.Hour
	// slots is how many hours have a cursor of their own: a day more than is ever
	// looked at again. What is older shares one.
	slots = 192
)

// A Source follows the files of one folder.
type Source struct {
	o          Options
	containers map[string]*container
}

// container is one category's files.
type container struct {
	name   string // empty where the folder is no container's
	tables []string
	hours  map[int64]*hour // by hour since 1970, those of the slots
	// through is the hour before which, beyond the slots, all was read.
	through int64

	records, late int
	newest        time.Time
}

// hour is the position of the files of one hour: what a slot's cursor holds.
type hour struct {
	Hour  int64            `json:"hour"`
	Files map[string]*file `json:"files,omitempty"`
}

// file is how far a file was read.
type file struct {
	State ingest.State `json:"state"`
	// Size and Changed are those of the file when it was read.
	Size    int64     `json:"size"`
	Changed time.Time `json:"changed"`
	// Head and Tail are hashes of the first bytes and of the last ones before
	// State.Offset: a file in which they differ was written anew.
	Head string `json:"head"`
	Tail string `json:"tail"`
	// Closed says that an incomplete end was judged.
	Closed bool `json:"closed,omitempty"`
}

const (
	headBytes = 1 << 10
	tailBytes = 4 << 10
	batchSize = 4096
)

// New makes a Source. The error says that the folder is none.
func New(o Options) (*Source, error) {
	info, err := os.Stat(o.Folder)
	if err != nil {
		return nil, fmt.Errorf("storage export: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("storage export: %s is no folder: name the one that holds the containers (insights-logs-…)", o.Folder)
	}
	if o.Folder, err = filepath.Abs(o.Folder); err != nil {
		return nil, err
	}
	if o.Poll <= 0 {
		o.Poll = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Source{o: o}, nil
}

// Name gives "storage:" and the folder.
func (s *Source) Name() string { return "storage:" + s.o.Folder }

// emitError marks an error of emit or of the cursors, which ends the source.
type emitError struct{ error }

func (e *emitError) Unwrap() error { return e.error }

// Run follows the folder until ctx ends or emit fails. Files that cannot be read
// are told and tried again.
func (s *Source) Run(ctx context.Context, cursors ingest.Cursors, emit ingest.Emit) error {
	s.containers = map[string]*container{}
	var lastHourly, lastDaily time.Time
	// A look at all that is there comes first, and again later if a file could not
	// be read then: it may be older than what is looked at otherwise.
	full, at := true, s.o.Now()
	for {
		now := s.o.Now()
		since := now.Add(-always)
		switch {
		case full && !now.Before(at):
			since = time.Time{}
			full, lastDaily, lastHourly = false, now, now
		case now.Sub(lastDaily) >= 24*time.Hour:
			since, lastDaily, lastHourly = now.Add(-daily), now, now
		case now.Sub(lastHourly) >= time.Hour:
			since, lastHourly = now.Add(-hourly), now
		}
		failed, err := s.round(ctx, cursors, emit, since.Truncate(time.Hour), now)
		if since.IsZero() && (failed || err != nil) {
			full, at = true, now.Add(10*time.Minute)
			if err != nil {
				at = now.Add(s.o.Poll)
			}
		}
		if err != nil {
			var stop *emitError
			if errors.As(err, &stop) {
				return stop.error
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.tell("", nil, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(s.o.Poll):
		}
	}
}

func (s *Source) tell(stream string, tables []string, err error) {
	var f *entra.Fault
	if !errors.As(err, &f) {
		err = &entra.Fault{Kind: entra.FaultOutage, Service: "storage export", Doing: "read " + s.o.Folder, Message: err.Error(), Err: err}
	}
	s.o.Observe.Tell(ingest.Report{Stream: stream, Tables: slices.Clone(tables), At: s.o.Now(), Fault: err})
}

// find lists the files of the hours since a time, oldest first.
func (s *Source) find(ctx context.Context, since time.Time) (list []blob, err error) {
	root := os.DirFS(s.o.Folder)
	under := ""
	if base := filepath.Base(s.o.Folder); strings.HasPrefix(strings.ToLower(base), "insights-") {
		under = strings.ToLower(base)
	}
	err = fs.WalkDir(root, ".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && path == ".":
			return err
		case err != nil:
			if !errors.Is(err, fs.ErrNotExist) {
				s.tell(containerOf(path, under), nil, err)
			}
			return nil
		case e.IsDir() && path != "." && s.skips(path, since):
			return fs.SkipDir
		case !e.Type().IsRegular():
			return nil
		}
		if b, ok := parseBlob(path); ok && !b.hour.Before(since) {
			if b.container == "" {
				b.container = under
			}
			list = append(list, b)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b blob) int {
		if c := a.hour.Compare(b.hour); c != 0 {
			return c
		}
		return strings.Compare(a.path, b.path)
	})
	return list, err
}

// containerOf gives the container in a path, or the one that the folder is.
func containerOf(path, under string) string {
	for f := range strings.SplitSeq(strings.ToLower(path), "/") {
		if strings.HasPrefix(f, "insights-") {
			return f
		}
	}
	return under
}

// skips reports whether nothing in a folder is of interest: another tenant's, or
// older than since.
func (s *Source) skips(path string, since time.Time) bool {
	folders := strings.Split(path, "/")
	last := folders[len(folders)-1]
	if name, id, ok := strings.Cut(last, "="); ok && strings.EqualFold(name, "tenantId") {
		return s.o.Tenant != "" && !strings.EqualFold(id, s.o.Tenant)
	}
	i := slices.IndexFunc(folders, func(f string) bool { return len(f) > 2 && strings.EqualFold(f[:2], parts[0]) })
	if since.IsZero() || i < 0 || len(folders)-i > len(parts) {
		return false
	}
	// The last hour that the folder can hold is that before the next folder's first.
	n := [4]int{0, 1, 1, 0}
	for k, f := range folders[i:] {
		if k >= len(n) {
			break
		}
		var v int
		if len(f) < 3 || !strings.EqualFold(f[:2], parts[k]) {
			return false
		}
		if _, err := fmt.Sscanf(f[2:], "%d", &v); err != nil {
			return false
		}
		n[k] = v
	}
	switch len(folders) - i {
	case 1:
		n[0]++
	case 2:
		n[1]++
	case 3:
		n[2]++
	default:
		n[3]++
	}
	return !time.Date(n[0], time.Month(n[1]), n[2], n[3], 0, 0, 0, time.UTC).After(since)
}

// round looks at all files since a time. some says that some could not be read.
func (s *Source) round(ctx context.Context, cursors ingest.Cursors, emit ingest.Emit, since, now time.Time) (some bool, err error) {
	list, err := s.find(ctx, since)
	if err != nil {
		return true, err
	}
	if len(list) == 0 && since.IsZero() {
		return true, &entra.Fault{Kind: entra.FaultSubscription, Service: "storage export", Doing: "read " + s.o.Folder,
			Message: "there is no file insights-logs-…/tenantId=…/y=…/m=…/d=…/h=…/m=00/PT1H.json yet: the first one comes up to a day after the diagnostic setting was made"}
	}
	failed := map[string]bool{}
	bulk := map[*container]bool{}
	edge := now.Add(-daily).Truncate(time.Hour).Unix() / 3600
	for i, b := range list {
		c, err := s.container(ctx, cursors, b.container)
		if err != nil {
			return true, &emitError{err}
		}
		at := b.hour.Unix() / 3600
		if at < edge && at < c.through {
			continue
		}
		h, err := s.hour(ctx, cursors, c, at)
		if err != nil {
			return true, &emitError{err}
		}
		// A file of the past with others behind it is no news.
		many := at < edge+int64((daily-always)/time.Hour) && i < len(list)-1
		r := reading{Source: s, c: c, h: h, b: b, bulk: many, close: at < edge+int64((daily-hourly)/time.Hour), emit: emit}
		if err := r.read(ctx, now); err != nil {
			var stop *emitError
			if errors.As(err, &stop) || ctx.Err() != nil {
				return true, err
			}
			failed[c.name] = true
			s.tell(c.name, c.tables, err)
		}
		if r.loaded {
			bulk[c] = true
		}
		// The hour is over when the next one of the container is another.
		next := slices.IndexFunc(list[i+1:], func(x blob) bool { return x.container == b.container })
		if at < edge && !failed[c.name] && (next < 0 || !list[i+1+next].hour.Equal(b.hour)) {
			c.through = at + 1
			delete(c.hours, at)
			if err := s.save(ctx, c, emit, many); err != nil {
				return true, err
			}
		}
	}
	for _, c := range s.containers {
		if bulk[c] {
			// It says that the loading is over.
			if err := s.save(ctx, c, emit, false); err != nil {
				return true, err
			}
		}
		for at := range c.hours {
			if at < edge-1 {
				delete(c.hours, at)
			}
		}
		if !failed[c.name] {
			s.o.Observe.Tell(ingest.Report{Stream: c.name, Tables: slices.Clone(c.tables), At: now,
				Polled: &ingest.Polled{Through: c.newest, Records: c.records, Late: c.late, Backlog: 0}})
			c.records, c.late = 0, 0
		}
	}
	if len(list) > 0 {
		s.o.Observe.Tell(ingest.Report{At: now, Polled: &ingest.Polled{Through: now, Backlog: 0}})
	}
	return len(failed) > 0, nil
}

func (s *Source) key(c *container) string { return s.Name() + "/" + c.name }

// save keeps how far a container was read beyond its slots.
func (s *Source) save(ctx context.Context, c *container, emit ingest.Emit, bulk bool) error {
	text := fmt.Appendf(nil, `{"through":%d}`, c.through)
	if err := emit(ctx, &ingest.Batch{Bulk: bulk}, &ingest.Cursor{Source: s.key(c), Position: text}); err != nil {
		return &emitError{err}
	}
	return nil
}

func (s *Source) container(ctx context.Context, cursors ingest.Cursors, name string) (*container, error) {
	if c := s.containers[name]; c != nil {
		return c, nil
	}
	c := &container{name: name, tables: tablesOf(name), hours: map[int64]*hour{}}
	if cursors != nil {
		text, ok, err := cursors.Cursor(ctx, s.key(c))
		if err != nil {
			return nil, err
		}
		var at struct{ Through int64 }
		if ok && json.Unmarshal(text, &at) == nil {
			c.through = at.Through
		}
	}
	s.containers[name] = c
	return c, nil
}

// tablesOf says what a container fills.
func tablesOf(name string) []string {
	category, ok := strings.CutPrefix(name, "insights-logs-")
	for _, t := range schema.Default().Tables() {
		if ok && slices.ContainsFunc(t.Categories, func(c string) bool { return strings.EqualFold(c, category) }) {
			return []string{t.Name}
		}
	}
	return nil
}

// slot is the key of an hour's cursor. Hours eight days apart share it: what is
// held stays within bounds for years of files.
func (s *Source) slot(c *container, at int64) string {
	return fmt.Sprintf("%s/%d", s.key(c), at%slots)
}

func (s *Source) hour(ctx context.Context, cursors ingest.Cursors, c *container, at int64) (*hour, error) {
	if h := c.hours[at]; h != nil {
		return h, nil
	}
	h := &hour{Hour: at}
	if cursors != nil {
		text, ok, err := cursors.Cursor(ctx, s.slot(c, at))
		if err != nil {
			return nil, err
		}
		var kept hour
		switch {
		case !ok:
		case json.Unmarshal(text, &kept) != nil:
			s.tell(c.name, c.tables, &entra.Fault{Kind: entra.FaultPosition, Service: "storage export", Doing: "go on with " + c.name,
				Message: fmt.Sprintf("the position that was kept for the hour of %s cannot be read; its files are read again, which adds nothing twice", time.Unix(at*3600, 0).UTC().Format(time.RFC3339))})
		case kept.Hour == at:
			h = &kept
		}
	}
	if h.Files == nil {
		h.Files = map[string]*file{}
	}
	c.hours[at] = h
	return h, nil
}

// reading is one file in one round.
type reading struct {
	*Source
	c      *container
	h      *hour
	b      blob
	bulk   bool
	close  bool // nothing more will come: an incomplete end is judged
	emit   ingest.Emit
	loaded bool
}

// read takes what is new in a file.
func (r *reading) read(ctx context.Context, now time.Time) error {
	path := filepath.Join(r.o.Folder, filepath.FromSlash(r.b.path))
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted since it was listed
	}
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if info.ModTime().After(r.c.newest) {
		r.c.newest = info.ModTime()
	}
	old := r.h.Files[r.b.path]
	rest := old != nil && old.State.Offset < old.Size
	if old != nil && old.Size == info.Size() && old.Changed.Equal(info.ModTime()) && (!r.close || old.Closed || !rest) {
		return nil
	}
	var magic [2]byte
	n, _ := in.ReadAt(magic[:], 0)
	packed := n == 2 && magic == [2]byte{0x1f, 0x8b}
	at := file{State: ingest.State{Line: 1}}
	switch {
	case old == nil:
	case packed:
		// A packed copy is read whole when it changes: ids drop what is known.
		if old.Size == info.Size() && old.Changed.Equal(info.ModTime()) {
			return nil
		}
	case old.State.Offset > info.Size(), old.Head != digest(in, 0, min(headBytes, old.State.Offset)), old.Tail != digest(in, max(0, old.State.Offset-tailBytes), old.State.Offset):
		// Files of the layout only grow. Somebody or something wrote this one anew.
		r.tell(r.c.name, r.c.tables, &entra.Fault{Kind: entra.FaultPosition, Service: "storage export", Doing: "read " + path, Code: "Rewritten",
			Message: fmt.Sprintf("the file was written anew: of the %d bytes that were read some are gone or changed. It is read again from its beginning. Files of the export only grow: find out what has changed it (a copying tool, a person)", old.State.Offset)})
	default:
		at = *old
	}
	at.Size, at.Changed = info.Size(), info.ModTime()
	// What is appended while we read is left for the next look.
	var from io.Reader = io.NewSectionReader(in, at.State.Offset, info.Size()-at.State.Offset)
	if packed {
		z, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		defer z.Close()
		from = z
	}
	key := r.slot(r.c, r.h.Hour)
	o := ingest.DecoderOptions{Source: r.Name() + "/" + r.b.path, Provenance: glassward.Pulled, Tenant: r.o.Tenant,
		BatchRecords: batchSize, Fill: true, Growing: !packed && !r.close, Now: r.o.Now}
	if at.State.Offset > 0 {
		o.Resume = &at.State
	}
	d, err := ingest.NewDecoder(from, o)
	if err != nil {
		return err
	}
	late := now.Sub(r.b.hour) > always+time.Hour && old != nil
	keep := func(state ingest.State, whole bool) {
		at.State = state
		if !packed {
			at.Head = digest(in, 0, min(headBytes, state.Offset))
			at.Tail = digest(in, max(0, state.Offset-tailBytes), state.Offset)
		}
		at.Closed = whole && r.close
		if !whole {
			// Until the end is reached the file counts as changed.
			at.Size = -1
		} else {
			at.Size = info.Size()
		}
	}
	give := func(b *ingest.Batch, state ingest.State, whole bool) error {
		keep(state, whole)
		text, err := r.position(at)
		if err != nil {
			return err
		}
		b.Bulk = r.bulk
		r.loaded = r.loaded || r.bulk
		if err := r.emit(ctx, b, &ingest.Cursor{Source: key, Position: text}); err != nil {
			return &emitError{err}
		}
		kept := at
		r.h.Files[r.b.path] = &kept
		r.c.records += len(b.Records)
		if late {
			r.c.late += len(b.Records)
		}
		return nil
	}
	state, _, err := d.Each(ctx, func(b *ingest.Batch, state ingest.State) error { return give(b, state, false) })
	if err != nil {
		return err
	}
	return give(&ingest.Batch{}, state, true)
}

// position gives the hour's cursor with this file where it now stands.
func (r *reading) position(at file) ([]byte, error) {
	h := hour{Hour: r.h.Hour, Files: make(map[string]*file, len(r.h.Files)+1)}
	for path, f := range r.h.Files {
		h.Files[path] = f
	}
	h.Files[r.b.path] = &at
	return json.Marshal(h)
}

// digest hashes a stretch of a file; empty if it is not there.
func digest(in io.ReaderAt, from, to int64) string {
	b := make([]byte, to-from)
	if _, err := io.ReadFull(io.NewSectionReader(in, from, to-from), b); err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
