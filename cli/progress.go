package cli

import (
	"fmt"
	"io"
	"os"
	"time"
)

// A meter shows how far a file has been read: on a terminal only, and only when
// it takes long enough for a person to wonder.
type meter struct {
	io.Reader
	a       *app
	name    string
	size    int64
	read    int64
	began   time.Time
	shown   time.Time
	visible bool
}

func (a *app) meter(name string, r io.Reader) *meter {
	m := &meter{Reader: r, a: a, name: name, began: time.Now()}
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			m.size = info.Size()
		}
	}
	m.visible = !a.quiet && terminal(a.Stderr)
	return m
}

// Read reads and, now and then, says how far it has come.
func (m *meter) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.read += int64(n)
	m.show()
	return n, err
}

// show says, now and then, how far it has come.
func (m *meter) show() {
	if now := time.Now(); m.visible && now.Sub(m.began) > 500*time.Millisecond && now.Sub(m.shown) > 200*time.Millisecond {
		m.shown = now
		rate := float64(m.read) / (1 << 20) / now.Sub(m.began).Seconds()
		if m.size > 0 {
			fmt.Fprintf(m.a.Stderr, "\r\x1b[K%s  %d %%  %.0f MiB/s", clip(line(m.name), 40), min(100, 100*m.read/m.size), rate)
		} else {
			fmt.Fprintf(m.a.Stderr, "\r\x1b[K%s  %d MiB  %.0f MiB/s", clip(line(m.name), 40), m.read>>20, rate)
		}
	}
}

// done clears the line.
func (m *meter) done() {
	if !m.shown.IsZero() {
		fmt.Fprint(m.a.Stderr, "\r\x1b[K")
	}
}

// reading gives what shows how much of a snapshot was read, as a meter does, and what
// clears the line.
func (a *app) reading(name string) (progress func(read, of int64), done func()) {
	m := &meter{a: a, name: name, began: time.Now(), visible: !a.quiet && terminal(a.Stderr)}
	return func(read, of int64) {
		m.size, m.read = of, read
		m.show()
	}, m.done
}
