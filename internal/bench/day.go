package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"glassward/internal/day"
	"glassward/internal/entrasim"
)

// wholeDay pushes a tenant's day as fast as it is taken, and compares what people
// are told of it with what internal/day/day.txt foretells. The action group has the
// limits that it has in production.
func wholeDay(binary string, records int) error {
	start := time.Now().UTC().Truncate(time.Hour).Add(-24 * time.Hour)
	d, err := day.New(day.Options{Start: start, Records: records, Seed: 1})
	if err != nil {
		return err
	}
	b, err := lay(binary, 0, func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "tenants", "nordlicht.yaml"), []byte(d.Tenant()+"actionGroups: [emergency]\n"), 0o600)
	})
	if err != nil {
		return err
	}
	defer b.close()
	base, pid, sink := b.base, b.pid, b.sink

	began, busy := time.Now(), processor(pid)
	n, size, err := pushDay(base, d)
	if err != nil {
		return err
	}
	taken := time.Since(began)
	head, err := settled(base)
	if err != nil {
		return err
	}
	whole, used := time.Since(began), processor(pid)-busy
	peak, err := resident(pid)
	if err != nil {
		return err
	}
	told, err := day.Fetch(entrasim.TenantName, func(path string) ([]byte, error) { return fetch(base + path) })
	if err != nil {
		return err
	}
	report := d.Compare(told)
	fmt.Printf("the day from %s: %d records, %d MB, %d rows; in a %s\n\n", start.Format("2006-01-02 15:04"), n, size>>20, head, start.Weekday())
	if err := report.Write(os.Stdout); err != nil {
		return err
	}
	fmt.Printf("\n%-44s %12v (%.0f records a second)\n%-44s %12v\n%-44s %11.0f%% of one core\n%-44s %8d MiB\n", "taken in", taken.Round(time.Second), float64(n)/taken.Seconds(),
		"judged, all windows", whole.Round(time.Second), "processor of serve", 100*used.Seconds()/whole.Seconds(), "resident memory of serve", peak>>20)
	fmt.Println("\npeople were sent:")
	for _, m := range sink.Mails() {
		fmt.Printf("  %s after %v  %s\n", m.To, m.Received.Sub(began).Round(time.Second), m.Header("Subject"))
	}
	if wrong := report.Amiss(); len(wrong) > 0 {
		return fmt.Errorf("%d things are not as foretold", len(wrong))
	}
	return nil
}

// inBody is how many records a body has: of two million a day, a minute and a half.
const inBody = 2000

// pushDay pushes the day's records, a few bodies at once. What is planted comes in
// its order.
func pushDay(base string, d *day.Day) (n int, size int64, err error) {
	type body struct {
		records []day.Record
		json    []byte
		made    chan struct{}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	bodies := make(chan *body, 4)
	go func() {
		defer close(bodies)
		var room = make(chan struct{}, 2) // bodies made at once
		next := func(records []day.Record) bool {
			b := &body{records: records, made: make(chan struct{})}
			room <- struct{}{}
			go func() {
				var out bytes.Buffer
				for _, r := range b.records {
					out.Write(r.JSON())
					out.WriteByte('\n')
				}
				b.json = out.Bytes()
				close(b.made)
				<-room
			}()
			select {
			case bodies <- b:
				return true
			case <-ctx.Done():
				return false
			}
		}
		for records := range d.Bodies(inBody) {
			if !next(records) {
				return
			}
		}
	}()
	var open sync.WaitGroup
	room := make(chan struct{}, 4) // bodies on their way
	for b := range bodies {
		<-b.made
		n += len(b.records)
		size += int64(len(b.json))
		planted := b.records[len(b.records)-1].Told
		if planted {
			open.Wait() // what came before it is taken
		}
		room <- struct{}{}
		open.Go(func() {
			defer func() { <-room }()
			if err := post(ctx, base+"/v1/ingest", b.json); err != nil {
				cancel(err)
			}
		})
		if planted {
			open.Wait()
		}
		if ctx.Err() != nil {
			break
		}
	}
	open.Wait()
	return n, size, context.Cause(ctx)
}

// post pushes a body; one that is asked to wait comes again.
func post(ctx context.Context, url string, body []byte) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		switch {
		case err != nil:
			return err
		case res.StatusCode == http.StatusOK:
			var receipt struct{ Rejected int }
			if err := json.Unmarshal(text, &receipt); err != nil {
				return err
			}
			if receipt.Rejected > 0 {
				return fmt.Errorf("%d records are rejected: %s", receipt.Rejected, text)
			}
			return nil
		case res.StatusCode != http.StatusServiceUnavailable:
			return fmt.Errorf("push: %s: %s", res.Status, text)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func fetch(url string) ([]byte, error) {
	res, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, res.Status, body)
	}
	return body, err
}

// settled waits until everything is judged and every notice has gone out, and stays
// so for some rounds of the rules. It gives how many rows the only workspace has.
func settled(base string) (int64, error) {
	calm := 0
	for {
		var s struct {
			Workspaces []struct {
				Head    int64
				Waiting int
				Rules   []struct {
					Name, Error string
					Owed        int64
				}
			}
			Owed struct{ Due int }
		}
		body, err := fetch(base + "/v1/status")
		if err != nil {
			return 0, err
		}
		if err := json.Unmarshal(body, &s); err != nil {
			return 0, err
		}
		if len(s.Workspaces) != 1 {
			return 0, errors.New("status shows no workspace")
		}
		w := s.Workspaces[0]
		busy := w.Waiting > 0
		for _, r := range w.Rules {
			if r.Error != "" {
				return 0, fmt.Errorf("rule %s: %s", r.Name, r.Error)
			}
			busy = busy || r.Owed > 0
		}
		if calm++; busy {
			calm = 0
		}
		if calm > 15 { // three rounds of five seconds
			return w.Head, nil
		}
		time.Sleep(time.Second)
	}
}
