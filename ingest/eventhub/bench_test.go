//go:build unix

package eventhub_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"glassward"
	"glassward/ingest"
	"glassward/ingest/eventhub"
	"glassward/logstore"
)

// size reads how many records a benchmark takes: GLASSWARD_BENCH_RECORDS, e.g.
// 10000000.
func size(b *testing.B, usual int) int {
	text := os.Getenv("GLASSWARD_BENCH_RECORDS")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("GLASSWARD_BENCH_RECORDS=%s is no number of records", text)
	}
	return n
}

// signIn appends a sign-in of about 1.5 KB, cheaply made up.
func signIn(to []byte, n int) []byte {
	return fmt.Appendf(to, `{"time":"2026-11-20T%02d:%02d:%02d.1234567Z","resourceId":"/tenants/%s/providers/Microsoft.aadiam","operationName":"Sign-in activity","operationVersion":"1.0","category":"SignInLogs","tenantId":"%[4]s","resultType":"0","resultSignature":"None","durationMs":0,"callerIpAddress":"203.0.113.%[5]d","correlationId":"3c7e9a10-55d2-4f0b-9c1d-%012[6]d","identity":"Ines Vermeulen","Level":4,"location":"NL","properties":{"id":"b8a1f6c2-90d4-4c3e-a7f5-%012[6]d","createdDateTime":"2026-11-20T%02[1]d:%02[2]d:%02[3]d.1234567+00:00","userDisplayName":"Ines Vermeulen","userPrincipalName":"ines.vermeulen@fabrikam.example","userId":"5d0b7c11-2e84-4f6a-b3c9-%012[7]d","appId":"c44b4083-3bb0-49c1-b47d-974e53cbdf3c","appDisplayName":"Azure Portal","ipAddress":"203.0.113.%[5]d","status":{"errorCode":0,"additionalDetails":"MFA requirement satisfied by claim in the token"},"clientAppUsed":"Browser","userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36","deviceDetail":{"deviceId":"71e0f2aa-6b3d-4c58-9f10-2d8e4b6c7a91","operatingSystem":"Windows 10","browser":"Chrome 131.0.0","isCompliant":true,"isManaged":true,"trustType":"Hybrid Azure AD joined"},"location":{"city":"Utrecht","state":"Utrecht","countryOrRegion":"NL","geoCoordinates":{"latitude":52.0907,"longitude":5.1214}},"conditionalAccessStatus":"success","appliedConditionalAccessPolicies":[{"id":"9e2f41d7-08ab-4e7c-8a36-5c1b7d90e2f4","displayName":"Require MFA for all users","enforcedGrantControls":["Mfa"],"result":"success"}],"isInteractive":true,"riskState":"none","resourceId":"797f4846-ba00-4fd7-ba43-dac1f8f63013","userType":"Member"}}`,
		n/3600%24, n/60%60, n%60, tenant, n%250, n, n%977)
}

const perMessage = 50

// produce fills a hub with records, enqueued at a time.
func (n *namespace) produce(partitions int32, records int, at time.Time) error {
	var failed atomic.Pointer[error]
	for k := 0; k < records; k += perMessage {
		m := []byte(`{"records":[`)
		for i := k; i < min(k+perMessage, records); i++ {
			if i > k {
				m = append(m, ',')
			}
			m = signIn(m, i)
		}
		m = append(m, "]}"...)
		n.writer.Produce(context.Background(), &kgo.Record{Topic: hub, Partition: int32(k/perMessage) % partitions, Value: m, Timestamp: at}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
		if k%100_000 == 0 {
			if err := n.writer.Flush(context.Background()); err != nil {
				return err
			}
		}
	}
	if err := n.writer.Flush(context.Background()); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// A far is a namespace in a process of its own, so that what it costs is not
// counted as ours.
type far struct {
	options eventhub.Options
	pool    *x509.CertPool
	in      io.Writer
	out     *bufio.Scanner
}

// farHub is the variable that makes this test binary such a process: the folder
// for the certificate, the partitions, the records and how old they are.
const farHub = "GLASSWARD_BENCH_HUB"

// TestFarHub is no test: it is the process of a far.
func TestFarHub(t *testing.T) {
	var folder string
	var partitions int32
	var records int
	var age time.Duration
	if text := os.Getenv(farHub); text == "" {
		return
	} else if _, err := fmt.Sscan(text, &folder, &partitions, &records, (*int64)(&age)); err != nil {
		t.Fatal(err)
	}
	n := newNamespaceOver(t, &net.Dialer{}, net.Listen, kfake.SeedTopics(partitions, hub))
	if err := n.produce(partitions, records, time.Now().Add(-age)); err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.certificate})
	if err := os.WriteFile(filepath.Join(folder, "authority.pem"), block, 0o600); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	fmt.Println("far", cpu(t))
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println("far", cpu(t))
	}
}

// cpu gives the processor time that this process has used.
func cpu(t testing.TB) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// startFar starts a namespace with records of some age.
func startFar(b *testing.B, partitions int32, records int, age time.Duration) *far {
	b.Helper()
	folder := b.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestFarHub$", "-test.v")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d %d", farHub, folder, partitions, records, age))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	f := &far{in: in, out: bufio.NewScanner(out), pool: x509.NewCertPool()}
	f.cpu(b, false)
	text, err := os.ReadFile(filepath.Join(folder, "authority.pem"))
	if err != nil || !f.pool.AppendCertsFromPEM(text) {
		b.Fatal("no certificate of the hub: ", err)
	}
	secret := filepath.Join(folder, "connection")
	if err := os.WriteFile(secret, []byte(connectionString), 0o600); err != nil {
		b.Fatal(err)
	}
	f.options = eventhub.Options{Tenant: tenant, Namespace: address, Hubs: []string{hub}, ConnectionString: glassward.Secret("file:" + secret), TLS: &tls.Config{RootCAs: f.pool}}
	return f
}

// cpu gives the processor time that the namespace has used.
func (f *far) cpu(b *testing.B, ask bool) time.Duration {
	b.Helper()
	if ask {
		if _, err := fmt.Fprintln(f.in); err != nil {
			b.Fatal(err)
		}
	}
	for f.out.Scan() {
		if text, ok := strings.CutPrefix(f.out.Text(), "far "); ok {
			d, err := time.ParseDuration(text)
			if err != nil {
				b.Fatal(err)
			}
			return d
		}
	}
	b.Fatal("the namespace has ended")
	return 0
}

func openStore(b *testing.B) *logstore.Store {
	s, err := logstore.Open(context.Background(), filepath.Join(b.TempDir(), "store"), logstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// batch gives a source's batch as the store takes it.
func batch(b *ingest.Batch, c *ingest.Cursor) logstore.Batch {
	in := logstore.Batch{Records: b.Records}
	if c != nil {
		in.Cursor = &logstore.Cursor{Source: c.Source, Position: c.Position}
	}
	return in
}

// intoStore is the way into an event store; added counts what is new.
func intoStore(s *logstore.Store, added *atomic.Int64) ingest.Bulk {
	load := s.Load()
	take := func(f func(context.Context, logstore.Batch) (logstore.Committed, error)) ingest.Emit {
		return func(ctx context.Context, b *ingest.Batch, c *ingest.Cursor) error {
			if len(b.Rejects) > 0 {
				return errors.New(b.Rejects[0].Reason)
			}
			done, err := f(ctx, batch(b, c))
			added.Add(int64(done.Added))
			return err
		}
	}
	return ingest.Bulk{Append: take(s.Append), Load: take(load.Add), Flush: load.Flush, Records: logstore.LoadRows}
}

func (f *far) read(b *testing.B, into ingest.Bulk, cursors ingest.Cursors, until func() bool) {
	b.Helper()
	src, err := eventhub.New(f.options)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- into.Run(ctx, src, cursors) }()
	for !until() {
		select {
		case err := <-done:
			b.Fatal(err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	<-done
}

// BenchmarkHubToCommittedRows compares the road from a hub to committed rows with
// the same records by file, and with a client that only fetches: by the clock,
// while the hub has to share our processors, and by the processor time that we
// use ourselves.
func BenchmarkHubToCommittedRows(b *testing.B) {
	records := size(b, 300_000)
	const partitions = 4
	f := startFar(b, partitions, records, time.Hour)
	path := filepath.Join(b.TempDir(), "signins.json")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	text := bufio.NewWriterSize(file, 1<<20)
	for i := range records {
		text.Write(append(signIn(text.AvailableBuffer(), i), '\n'))
	}
	if err := errors.Join(text.Flush(), file.Close()); err != nil {
		b.Fatal(err)
	}
	// A road says how long it took, and what of the processors.
	type road struct{ clock, ours, hubs time.Duration }
	walk := func(how func()) road {
		runtime.GC()
		ours, hubs, begin := cpu(b), f.cpu(b, true), time.Now()
		how()
		return road{time.Since(begin), cpu(b) - ours, f.cpu(b, true) - hubs}
	}
	stored := func(how func(s *logstore.Store, added *atomic.Int64)) road {
		s := openStore(b)
		var added atomic.Int64
		took := walk(func() {
			how(s, &added)
			if n, err := s.LastSeq(b.Context()); err != nil || n != int64(records) || added.Load() != n {
				b.Fatal(n, added.Load(), err)
			}
		})
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		return took
	}
	var hubs, files, bares []road
	for b.Loop() {
		hubs = append(hubs, stored(func(s *logstore.Store, added *atomic.Int64) {
			f.read(b, intoStore(s, added), s, func() bool { return added.Load() >= int64(records) })
		}))
		files = append(files, stored(func(s *logstore.Store, added *atomic.Int64) {
			load := s.Load()
			files, err := ingest.NewFiles([]string{path}, ingest.DecoderOptions{Provenance: glassward.File})
			if err != nil {
				b.Fatal(err)
			}
			if err := files.Run(b.Context(), nil, func(ctx context.Context, x *ingest.Batch, c *ingest.Cursor) error {
				done, err := load.Add(ctx, batch(x, c))
				added.Add(int64(done.Added))
				return err
			}); err != nil {
				b.Fatal(err)
			}
			if err := load.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}))
		bares = append(bares, walk(func() {
			bare, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.DialTLSConfig(&tls.Config{RootCAs: f.pool}), kgo.ConsumeTopics(hub),
				kgo.SASL(plain.Auth{User: "$ConnectionString", Pass: connectionString}.AsMechanism()))
			if err != nil {
				b.Fatal(err)
			}
			defer bare.Close()
			for got := 0; got < records/perMessage; {
				got += bare.PollFetches(b.Context()).NumRecords()
			}
		}))
	}
	median := func(list []road, of func(road) time.Duration) float64 {
		var all []time.Duration
		for _, r := range list {
			all = append(all, of(r))
		}
		slices.Sort(all)
		return all[len(all)/2].Seconds()
	}
	clock, own := func(r road) time.Duration { return r.clock }, func(r road) time.Duration { return r.ours }
	rate := func(list []road) float64 { return float64(records) / median(list, clock) }
	each := func(list []road, of func(road) time.Duration) float64 {
		return median(list, of) / float64(records) * 1e6
	}
	b.Logf("median of %d rounds of %d records, by the clock: Event Hubs to committed rows %.0f records/s; file ingest %.0f, ratio %.2f; bare franz-go consumer %.0f, ratio %.3f",
		len(hubs), records, rate(hubs), rate(files), rate(hubs)/rate(files), rate(bares), rate(hubs)/rate(bares))
	b.Logf("our processor time a record: by hub %.1f µs (and the hub itself %.1f µs), by file %.1f µs, bare %.1f µs; ratio of hub to file %.2f",
		each(hubs, own), each(hubs, func(r road) time.Duration { return r.hubs }), each(files, own), each(bares, own), median(files, own)/median(hubs, own))
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate(hubs), "records/s")
	b.ReportMetric(rate(hubs)/rate(files), "ours/file")
	b.ReportMetric(median(files, own)/median(hubs, own), "ours/file-cpu")
	b.ReportMetric(rate(hubs)/rate(bares), "ours/bare")
}

// BenchmarkLiveWhileBackfilling fills a hub with a day's records and measures how
// long single live records take to be committed while they are read.
func BenchmarkLiveWhileBackfilling(b *testing.B) {
	records := size(b, 200_000)
	const partitions = 4
	f := startFar(b, partitions, records, 24*time.Hour)
	for b.Loop() {
		s := openStore(b)
		var added atomic.Int64
		var waits []time.Duration
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			d, err := ingest.NewDecoder(nil, ingest.DecoderOptions{Source: "live", Provenance: glassward.Pulled})
			if err != nil {
				return
			}
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
				var one ingest.Batch
				d.Add(&one, signIn(nil, 900_000_000_000+i))
				begin := time.Now()
				if _, err := s.Append(context.Background(), logstore.Batch{Records: one.Records}); err != nil {
					return
				}
				waits = append(waits, time.Since(begin))
			}
		}()
		begin := time.Now()
		f.read(b, intoStore(s, &added), s, func() bool { return added.Load() >= int64(records) })
		took := time.Since(begin)
		close(stop)
		<-stopped
		slices.Sort(waits)
		if len(waits) == 0 {
			b.Fatal("no live record was committed")
		}
		at := func(p float64) time.Duration { return waits[int(p*float64(len(waits)-1))].Round(time.Millisecond / 10) }
		b.Logf("back-fill of %d records in %s (%.0f records/s); meanwhile %d live appends: p50 %s, p99 %s, most %s", records, took.Round(time.Millisecond), float64(records)/took.Seconds(), len(waits), at(.5), at(.99), at(1))
		b.ReportMetric(float64(at(.99).Microseconds())/1000, "live-p99-ms")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
