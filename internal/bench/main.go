// Command bench measures the way of an alarm: a sign-in by an emergency account
// is pushed over HTTP among the records of an ordinary day, so many a second, and the
// clock stops when the mail server has accepted the mail about it, with all shipped
// rules on and a heavy query beside. It also reads the resident memory of serve, idle
// and at that load, and its share of the processor. `make bench` runs it; it starts its own server, on loopback, and ends
// it.
//
// With -clients it measures alarms beside so many clients with mixed queries, against
// what they are without, in one run.
//
// With -tenants it measures how one tenant in flood delays the others, with
// -backfill how live alarms fare while a followed folder brings history
// (-backfill 10000000 takes 20 GB of disk and the better part of an hour).
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"glassward/internal/day"
	"glassward/internal/entrasim"
	"glassward/internal/mailsink"
)

func main() {
	binary := flag.String("binary", "bin/glassward", "the program to measure")
	seconds := flag.Int("seconds", 60, "how long")
	rate := flag.Int("rate", 1000, "records a second")
	quiet := flag.Bool("no-query", false, "without the heavy query beside")
	tenants := flag.Int("tenants", 0, "measure so many tenants, one of them in flood")
	oneDay := flag.Int("day", 0, "play a tenant's day of so many records, and compare what is told with what is foretold")
	clients := flag.Int("clients", 0, "measure alarms beside so many clients with mixed queries")
	shared := flag.Bool("one-token", false, "the clients share one token")
	history := flag.Int("backfill", 0, "measure live alarms while so many records of history come by a folder")
	flag.Parse()
	var err error
	switch {
	case *clients > 0:
		err = underQueries(*binary, *clients, *seconds, *rate, *shared)
	case *tenants > 0:
		err = fleet(*binary, *tenants, *seconds)
	case *oneDay > 0:
		err = wholeDay(*binary, *oneDay)
	case *history > 0:
		err = backfill(*binary, *history)
	default:
		err = run(*binary, *seconds, *rate, !*quiet)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(binary string, seconds, rate int, query bool) error {
	b, err := lay(binary, ownMail, nordlicht(accounts))
	if err != nil {
		return err
	}
	defer b.close()
	base, pid := b.base, b.pid
	// An idle server has started everything that it keeps.
	time.Sleep(2 * time.Second)
	idle, err := resident(pid)
	if err != nil {
		return err
	}

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	queries := 0
	var beside sync.WaitGroup
	if query {
		beside.Go(func() { queries = heavy(ctx, base) })
	}
	began, busy := time.Now(), processor(pid)
	sent, pushed, err := stream{client: &http.Client{Timeout: 30 * time.Second}, seed: 7, alarms: min(accounts, seconds), seconds: seconds, rate: rate}.load(base)
	if err != nil {
		return err
	}
	share := 100 * (processor(pid) - busy).Seconds() / time.Since(began).Seconds()
	others := machine()
	peak, err := resident(pid)
	if err != nil {
		return err
	}
	stop()
	beside.Wait()

	took, err := b.awaited(sent)
	if err != nil {
		return err
	}
	at := func(p float64) time.Duration {
		return took[min(len(took)-1, int(p*float64(len(took))))].Round(time.Millisecond)
	}
	fmt.Printf("alarm: received over HTTP until the mail server accepted the mail; %d records in %d s, %d alarms, heavy queries beside: %d\n", pushed, seconds, len(took), queries)
	fmt.Printf("%-34s %12v\n%-34s %12v\n%-34s %12v  (bound: 1s at p99)\n", "alarm p50", at(0.50), "alarm p99", at(0.99), "alarm maximum", took[len(took)-1].Round(time.Millisecond))
	fmt.Printf("%-34s %9d MiB\n%-34s %9d MiB\n", "resident memory of serve, idle", idle>>20, "resident memory of serve, at load", peak>>20)
	fmt.Printf("%-34s %8.0f%% of one core of %d; load of the machine %s\n", "processor of serve, queries and all", share, runtime.NumCPU(), others)
	if at(0.99) > time.Second {
		return fmt.Errorf("p99 is over one second")
	}
	return nil
}

// awaited gives how long alarms took that were sent at these times, the shortest first.
// Each has a minute to arrive; what has not by then is lost.
func (b *bed) awaited(sent map[int]time.Time) ([]time.Duration, error) {
	deadline := time.Now().Add(time.Minute)
	took := arrivals(b.sink, sent)
	for len(took) < len(sent) && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
		took = arrivals(b.sink, sent)
	}
	if len(took) < len(sent) {
		return nil, fmt.Errorf("%d of %d alarms arrived", len(took), len(sent))
	}
	slices.Sort(took)
	return took, nil
}

// serve starts the program over a folder and waits until it answers.
func serve(binary, dir, base string, tokens bool) (pid int, end func(), err error) {
	log, err := os.Create(filepath.Join(dir, "serve.log"))
	if err != nil {
		return 0, nil, err
	}
	defer log.Close()
	args := []string{"serve", "--config", filepath.Join(dir, "glassward.yaml")}
	if !tokens {
		args = append(args, "--no-auth")
	}
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	end = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
	if err := waitFor(base); err != nil {
		end()
		text, _ := os.ReadFile(log.Name())
		return 0, nil, fmt.Errorf("%w\n%s", err, text)
	}
	return cmd.Process.Pid, end, nil
}

// account gives the object id of the n-th emergency account. Each alarm uses an
// account of its own, so that each owes a mail and can be told by it.
func account(n int) string { return fmt.Sprintf("e0000000-0000-4000-8000-%012d", n) }

// accounts is how many there are where a minute is measured.
const accounts = 60

// ownMail is a storm limit by which each alarm can be timed by its own mail.
const ownMail = 1000

// A bed is a running server with a mail server beside it, for one measurement.
type bed struct {
	dir, base string
	sink      *mailsink.Sink
	pid       int
	end       func()
}

// lay makes a bed whose API asks for no token.
func lay(binary string, storm int, tenants func(dir string) error) (*bed, error) {
	return layWith(binary, storm, tenants, false)
}

// layWith makes a bed. storm is how many alarms a minute go out one by one, 0 the limit of
// production; tenants writes the tenants' files into its folder tenants.
func layWith(binary string, storm int, tenants func(dir string) error, tokens bool) (_ *bed, err error) {
	b := new(bed)
	if b.dir, err = os.MkdirTemp("", "glassward-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.sink, err = mailsink.Listen("127.0.0.1:0", mailsink.Options{Keep: 100_000}); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	b.base = "http://" + address
	if err := writeConfig(b.dir, address, b.sink.Addr(), storm); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(b.dir, "tenants"), 0o700); err != nil {
		return nil, err
	}
	if err := tenants(b.dir); err != nil {
		return nil, err
	}
	b.pid, b.end, err = serve(binary, b.dir, b.base, tokens)
	return b, err
}

func (b *bed) close() {
	if b.end != nil {
		b.end()
	}
	if b.sink != nil {
		_ = b.sink.Close()
	}
	_ = os.RemoveAll(b.dir)
}

// writeConfig writes a main file with one group.
func writeConfig(dir, address, smtp string, storm int) error {
	host, port, err := net.SplitHostPort(smtp)
	if err != nil {
		return err
	}
	limit := ""
	if storm > 0 {
		limit = fmt.Sprintf("    storm: %d\n", storm)
	}
	text := fmt.Sprintf(`data: data
listen: %s
mailServers: [{name: sink, host: %s, port: %s, tls: none, from: glassward@example.org}]
actionGroups:
  - name: emergency
%s    subject: "[CRITICAL] Emergency Access Activity"
    emailReceivers: [{name: oncall, emailAddress: oncall@example.org}]
`, address, host, port, limit)
	return os.WriteFile(filepath.Join(dir, "glassward.yaml"), []byte(text), 0o600)
}

// nordlicht gives what writes the tenant whose accounts are the first n of account.
func nordlicht(n int) func(dir string) error {
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, "  - {objectId: %s, name: EA-%03d}\n", account(i), i)
	}
	fmt.Fprintf(&list, "  - {objectId: %s, name: decoy, kind: decoy}\n", entrasim.DecoyID)
	text := "tenant: " + entrasim.TenantID + "\n" + declared() + "emergencyAccounts:\n" + list.String() + "actionGroups: [emergency]\n"
	return func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "tenants", "nordlicht.yaml"), []byte(text), 0o600)
	}
}

// declared are the lines of a tenant's file without which some of the rules have
// nothing to look for: what protects the accounts, and from where they are used.
func declared() string {
	var b strings.Builder
	b.WriteString("places: [{country: NO}]\nprotectedObjects:\n")
	for _, o := range entrasim.NewWorld(entrasim.Options{}).Protected() {
		fmt.Fprintf(&b, "  - {objectId: %s, kind: %s, name: %s}\n", o.ID, o.Kind, o.Name)
	}
	return b.String()
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func waitFor(base string) error {
	for range 1200 {
		if res, err := http.Get(base + "/healthz"); err == nil {
			res.Body.Close()
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("%s did not answer within a minute", base)
}

// A stream is an intake: so many records a second for so many seconds, with so many
// emergency sign-ins among them, by the accounts from first on. Another seed makes other
// records.
type stream struct {
	client        *http.Client
	seed          uint64
	first, alarms int
	seconds, rate int
}

// load pushes a stream in ten bodies a second, and gives when each sign-in was sent, by
// its account.
func (s stream) load(base string) (sent map[int]time.Time, pushed int, err error) {
	made := entrasim.New(s.seed)
	life, end := iter.Pull(day.Life(s.seed, s.seconds*s.rate))
	defer end()
	sent = map[int]time.Time{}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var (
		mu     sync.Mutex
		failed error
		open   sync.WaitGroup
	)
	alarms := min(s.alarms, s.seconds*10)
	every := max(1, s.seconds*10/alarms)
	for i := range s.seconds * 10 {
		<-tick.C
		var body bytes.Buffer
		for range s.rate / 10 {
			e, ok := life()
			if !ok {
				break
			}
			now := *e
			now.At = time.Now().UTC().Truncate(100)
			body.Write(now.Diagnostic(1))
			body.WriteByte('\n')
			pushed++
		}
		if n := i / every; i%every == 0 && n < alarms {
			who := s.first + n
			body.Write(made.SignInBy(time.Now(), account(who), fmt.Sprintf("EA-%03d", who)))
			body.WriteByte('\n')
			mu.Lock()
			sent[who] = time.Now()
			mu.Unlock()
			pushed++
		}
		open.Go(func() {
			res, err := s.client.Post(base+"/v1/ingest", "application/json", &body)
			if err == nil {
				res.Body.Close()
				if res.StatusCode != http.StatusOK {
					err = fmt.Errorf("push: %s", res.Status)
				}
			}
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
	}
	open.Wait()
	return sent, pushed, failed
}

// heavyQuery reads all sign-ins and takes their documents apart.
const heavyQuery = `SigninLogs
| extend City = tostring(LocationDetails.city), OS = tostring(DeviceDetail.operatingSystem)
| mv-expand P = ConditionalAccessPolicies
| summarize Count = count(), Users = dcount(UserId), Apps = make_set(AppDisplayName) by City, OS, tostring(P.result), bin(TimeGenerated, 1m)
| sort by Count desc`

// heavy asks one heavy query after the other.
func heavy(ctx context.Context, base string) int {
	body, _ := json.Marshal(map[string]string{"query": heavyQuery})
	n := 0
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, "POST", base+"/v1/workspaces/default/query", bytes.NewReader(body))
		if err != nil {
			return n
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return n
		}
		if res.StatusCode == http.StatusOK {
			n++
		}
		_ = res.Body.Close()
	}
	return n
}

// arrivals gives how long each alarm took whose mail has been accepted.
func arrivals(sink *mailsink.Sink, sent map[int]time.Time) []time.Duration {
	first := map[int]time.Time{}
	for _, m := range sink.Mails() {
		text := m.Part("text/plain")
		for n := range sent {
			if t, ok := first[n]; (!ok || m.Received.Before(t)) && strings.Contains(text, account(n)) {
				first[n] = m.Received
			}
		}
	}
	var took []time.Duration
	for n, at := range first {
		took = append(took, at.Sub(sent[n]))
	}
	return took
}

// resident reads a process's resident memory in bytes.
func resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(l, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no VmRSS of process %d", pid)
}
