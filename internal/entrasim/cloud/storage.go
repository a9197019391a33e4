package cloud

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"glassward/internal/entrasim"
)

// ExportTricks are what a storage export does to those who follow its files.
type ExportTricks struct {
	// Torn writes the last line of a file only in half until the next Advance.
	Torn bool
	// Doubled writes each record twice, as when two settings export the same
	// category to one account.
	Doubled bool
	// After is how long after the turn of an hour its file still grows.
	After time.Duration
}

// An Export writes what a tenant's diagnostic settings export to a storage
// account, as a folder in which each container is a folder.
type Export struct {
	c   *Cloud
	t   *tenant
	dir string

	mu     sync.Mutex
	tricks ExportTricks
	upTo   time.Time
	rest   map[string][]byte // the other half of a torn line, by file
	files  []string
}

// Export begins to export a tenant to a directory; nothing is written before the
// first Advance.
func (c *Cloud) Export(tenant, dir string, tricks ExportTricks) (*Export, error) {
	t, ok := c.tenant(tenant)
	if !ok {
		return nil, fmt.Errorf("no tenant %s", tenant)
	}
	return &Export{c: c, t: t, dir: dir, tricks: tricks, rest: map[string][]byte{}}, nil
}

// path names the file in which a record stands that came at a moment.
func (x *Export) path(k entrasim.Kind, at time.Time) string {
	at = at.UTC()
	// The hour is that of the receipt. Its file may grow when it is over.
	if x.tricks.After > 0 && at.Sub(at.Truncate(time.Hour)) < x.tricks.After && chance(at.String(), 0.5) {
		at = at.Truncate(time.Hour).Add(-time.Second)
	}
	return filepath.Join(x.dir, "insights-logs-"+strings.ToLower(k.Category()), "tenantId="+x.t.id, at.Format("y=2006"), at.Format("m=01"), at.Format("d=02"), at.Format("h=15"), "m=00", "PT1H.json")
}

// Advance writes what has come until now.
func (x *Export) Advance() error {
	now := x.c.live(x.t)
	x.mu.Lock()
	defer x.mu.Unlock()
	end := earlier(now, x.t.world.Now())
	more, fresh := map[string][]byte{}, map[string]bool{}
	var order []string
	add := func(file string, text []byte) {
		if _, ok := more[file]; !ok {
			order = append(order, file)
		}
		more[file] = append(more[file], text...)
	}
	for file, text := range x.rest {
		add(file, text)
	}
	clear(x.rest)
	slices.Sort(order)
	if end.After(x.upTo) {
		for _, a := range x.t.world.Appearances(entrasim.Storage, x.upTo, end) {
			line := append(a.Event.Diagnostic(a.Version), '\n')
			if x.tricks.Doubled {
				line = append(line, line...)
			}
			file := x.path(a.Event.Kind, a.At)
			fresh[file] = true
			add(file, line)
		}
		x.upTo = end
	}
	for _, file := range order {
		text := more[file]
		if x.tricks.Torn && fresh[file] {
			last := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
			cut := last + (len(text)-last)/2
			x.rest[file] = text[cut:]
			text = text[:cut]
		}
		if err := x.write(file, text); err != nil {
			return err
		}
	}
	return nil
}

func (x *Export) write(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		f.Close()
		return err
	}
	if !slices.Contains(x.files, file) {
		x.files = append(x.files, file)
	}
	return f.Close()
}

// Tricks changes the tricks.
func (x *Export) Tricks(t ExportTricks) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tricks = t
}

// Files gives the files that have been written, in the order of their making.
func (x *Export) Files() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.files)
}

// Rewrite writes a file anew with the same lines in another order, as a copying
// tool may.
func (x *Export) Rewrite(file string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	lines := bytes.SplitAfter(text[:whole], []byte("\n"))
	slices.Reverse(lines)
	return os.WriteFile(file, append(bytes.Join(lines, nil), text[whole:]...), 0o644)
}

// Run advances again and again until the context ends.
func (x *Export) Run(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := x.Advance(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
