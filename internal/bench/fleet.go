package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"glassward/internal/entrasim"
)

// An installation is a server of several tenants, for one measurement.
type installation struct {
	*bed

	// perTenant is how many emergency accounts a tenant has: each alarm uses one of
	// its own. next counts the alarms.
	perTenant, next int
}

// tenantID gives the id of the n-th tenant. Its accounts are those from
// n*perTenant on.
func tenantID(n int) string { return fmt.Sprintf("7a6c1f50-3f0e-4b7e-9a55-%012d", n) }

// install makes the configuration and starts the server. more is added to the
// first tenant's file.
func install(binary string, tenants, perTenant int, more func(dir string) (string, error)) (*installation, error) {
	b, err := lay(binary, ownMail, func(dir string) error {
		for n := range tenants {
			var text strings.Builder
			fmt.Fprintf(&text, "tenant: %s\nname: t%03d\nactionGroups: [emergency]\n%semergencyAccounts:\n", tenantID(n), n, declared())
			for a := range perTenant {
				fmt.Fprintf(&text, "  - {objectId: %s, name: EA-%05d}\n", account(n*perTenant+a), n*perTenant+a)
			}
			if n == 0 && more != nil {
				lines, err := more(dir)
				if err != nil {
					return err
				}
				text.WriteString(lines)
			}
			if err := os.WriteFile(filepath.Join(dir, "tenants", fmt.Sprintf("t%03d.yaml", n)), []byte(text.String()), 0o600); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &installation{bed: b, perTenant: perTenant}, nil
}

// push sends records to a tenant.
func (i *installation) push(ctx context.Context, n int, body []byte) error {
	body = bytes.ReplaceAll(body, []byte(entrasim.TenantID), []byte(tenantID(n)))
	req, err := http.NewRequestWithContext(ctx, "POST", i.base+"/v1/ingest?tenant="+url.QueryEscape(tenantID(n)), bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("push: %s", res.Status)
	}
	return nil
}

// alarms pushes bodies of ten records, so many a second, one after the other to
// each of the tenants, until ctx ends; each holds a sign-in of an emergency
// account that has not been used yet. It gives how long each alarm took to the
// mail.
func (i *installation) alarms(ctx context.Context, tenants []int, every time.Duration) ([]time.Duration, error) {
	made := entrasim.New(uint64(7 + i.next))
	tick := time.NewTicker(every)
	defer tick.Stop()
	mine := map[int]time.Time{}
	var open sync.WaitGroup
	var failed atomic.Pointer[error]
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
			continue
		case <-tick.C:
		}
		n, use := tenants[i.next%len(tenants)], i.next/len(tenants)
		i.next++
		if use >= i.perTenant {
			break // every account has been used
		}
		who := n*i.perTenant + use
		var body bytes.Buffer
		for range 9 {
			body.Write(made.SignIn(time.Now()))
			body.WriteByte('\n')
		}
		body.Write(made.SignInBy(time.Now(), account(who), fmt.Sprintf("EA-%05d", who)))
		mine[who] = time.Now()
		open.Go(func() {
			if err := i.push(context.Background(), n, body.Bytes()); err != nil {
				failed.Store(&err)
			}
		})
	}
	open.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	// Every alarm has a minute to arrive; what has not by then is lost.
	var took []time.Duration
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		if took = arrivals(i.sink, mine); len(took) == len(mine) {
			slices.Sort(took)
			return took, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%d of %d alarms arrived", len(took), len(mine))
		}
	}
}

// percentile gives one of sorted times.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))].Round(time.Millisecond)
}

// fleet measures how long the alarms of calm tenants take, first by themselves,
// then while another tenant pushes as fast as it can.
func fleet(binary string, tenants, seconds int) error {
	began := time.Now()
	i, err := install(binary, tenants, max(20, 20*seconds/tenants), nil)
	if err != nil {
		return err
	}
	defer i.close()
	started := time.Since(began)
	time.Sleep(2 * time.Second)
	idle, err := resident(i.pid)
	if err != nil {
		return err
	}
	calm := make([]int, 0, tenants)
	for n := 1; n < tenants; n++ {
		calm = append(calm, n)
	}
	const every = 200 * time.Millisecond
	phase := func() ([]time.Duration, error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds)*time.Second)
		defer cancel()
		return i.alarms(ctx, calm, every)
	}
	alone, err := phase()
	if err != nil {
		return fmt.Errorf("without a flood: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var flooded atomic.Int64
	var flood sync.WaitGroup
	begin := time.Now()
	for k := range 4 {
		flood.Go(func() {
			made := entrasim.New(uint64(100 + k))
			for ctx.Err() == nil {
				var body bytes.Buffer
				for range 2000 {
					body.Write(made.SignIn(time.Now()))
					body.WriteByte('\n')
				}
				if i.push(ctx, 0, body.Bytes()) == nil {
					flooded.Add(2000)
				}
			}
		})
	}
	beside, err := phase()
	rate := float64(flooded.Load()) / time.Since(begin).Seconds()
	peak, memErr := resident(i.pid)
	stop()
	flood.Wait()
	if err != nil {
		return fmt.Errorf("beside a flood: %w", err)
	}
	if memErr != nil {
		return memErr
	}
	ratio := func(p float64) float64 {
		return float64(percentile(beside, p)) / float64(percentile(alone, p))
	}
	fmt.Printf("%d tenants, %d calm with an alarm every %v among 50 records a second, one in flood with %.0f records a second; %d and %d alarms\n", tenants, len(calm), every, rate, len(alone), len(beside))
	fmt.Printf("%-40s %12s %12s %8s\n", "", "ours", "reference", "ratio")
	fmt.Printf("%-40s %12v %12v %8.2f\n", "alarm of a calm tenant p50, in flood", percentile(beside, 0.5), percentile(alone, 0.5), ratio(0.5))
	fmt.Printf("%-40s %12v %12v %8.2f  (reference: no flood; wanted: at most 2)\n", "alarm of a calm tenant p99, in flood", percentile(beside, 0.99), percentile(alone, 0.99), ratio(0.99))
	fmt.Printf("%-40s %8.1f MiB\n%-40s %8.1f MiB\n%-40s %12v\n", "resident memory a tenant, idle", float64(idle)/float64(tenants)/(1<<20), "resident memory a tenant, in flood", float64(peak)/float64(tenants)/(1<<20), "first start of all", started.Round(time.Millisecond))
	return nil
}

// backfill measures live alarms while a followed folder brings history.
func backfill(binary string, records int) error {
	const inFile = 50_000
	i, err := install(binary, 1, 400, func(dir string) (string, error) {
		drop := filepath.Join(dir, "drop")
		if err := os.MkdirAll(drop, 0o700); err != nil {
			return "", err
		}
		made, at := entrasim.New(3), time.Now().Add(-24*time.Hour)
		for from := 0; from < records; from += inFile {
			var body bytes.Buffer
			for n := from; n < min(from+inFile, records); n++ {
				body.Write(made.SignIn(at.Add(time.Duration(n) * 23 * time.Hour / time.Duration(records))))
				body.WriteByte('\n')
			}
			text := bytes.ReplaceAll(body.Bytes(), []byte(entrasim.TenantID), []byte(tenantID(0)))
			if err := os.WriteFile(filepath.Join(drop, fmt.Sprintf("%06d.json", from/inFile)), text, 0o600); err != nil {
				return "", err
			}
		}
		return "folders: [{path: drop}]\n", nil
	})
	if err != nil {
		return err
	}
	defer i.close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	began := time.Now()
	var whole time.Duration
	go func() {
		defer stop()
		for ctx.Err() == nil {
			time.Sleep(time.Second)
			if n, err := count(ctx, i.base); err == nil && n >= records {
				whole = time.Since(began)
				return
			}
		}
	}()
	// The accounts last for so many alarms; a long back-fill has fewer a minute.
	every := max(250*time.Millisecond, time.Duration(records)*time.Second/5_000/time.Duration(i.perTenant))
	took, err := i.alarms(ctx, []int{0}, every)
	if err != nil {
		return err
	}
	peak, err := resident(i.pid)
	if err != nil {
		return err
	}
	if whole == 0 {
		return fmt.Errorf("the accounts were used up before the history was in: it is slower than 5,000 records a second")
	}
	fmt.Printf("history of %d records by a folder in %v (%.0f a second), %d live alarms meanwhile\n", records, whole.Round(time.Second), float64(records)/whole.Seconds(), len(took))
	fmt.Printf("%-40s %12v\n%-40s %12v  (bound: 2s)\n%-40s %9d MiB\n", "live alarm p50", percentile(took, 0.5), "live alarm p99", percentile(took, 0.99), "resident memory of serve", peak>>20)
	return nil
}

// count gives how many sign-ins the only workspace has.
func count(ctx context.Context, base string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, "POST", base+"/v1/workspaces/default/query", strings.NewReader(`{"query":"SigninLogs | count"}`))
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(res.Body); err != nil {
		return 0, err
	}
	_, rows, ok := strings.Cut(text.String(), `"rows":[[`)
	if !ok {
		return 0, fmt.Errorf("no count in %.200s", text.String())
	}
	n := 0
	_, err = fmt.Sscanf(rows, "%d", &n)
	return n, err
}
