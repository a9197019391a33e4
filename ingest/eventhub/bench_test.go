package eventhub_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
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

// loopback is a namespace on a real socket.
func loopback(b *testing.B, partitions int32) *namespace {
	return newNamespaceOver(b, &net.Dialer{}, net.Listen, kfake.SeedTopics(partitions, hub))
}

const perMessage = 50

// produce fills a hub with records, enqueued at a time.
func produce(b *testing.B, n *namespace, partitions int32, first, records int, at time.Time) {
	b.Helper()
	var failed atomic.Pointer[error]
	for k := 0; k < records; k += perMessage {
		m := []byte(`{"records":[`)
		for i := k; i < min(k+perMessage, records); i++ {
			if i > k {
				m = append(m, ',')
			}
			m = signIn(m, first+i)
		}
		m = append(m, "]}"...)
		n.writer.Produce(context.Background(), &kgo.Record{Topic: hub, Partition: int32(k/perMessage) % partitions, Value: m, Timestamp: at}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := n.writer.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
}

func openStore(b *testing.B) *logstore.Store {
	s, err := logstore.Open(context.Background(), filepath.Join(b.TempDir(), "store"), logstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// intoStore is the way into an event store; added counts what is new.
func intoStore(s *logstore.Store, added *atomic.Int64) ingest.Bulk {
	load := s.Load()
	take := func(f func(context.Context, logstore.Batch) (logstore.Committed, error)) ingest.Emit {
		return func(ctx context.Context, b *ingest.Batch, c *ingest.Cursor) error {
			if len(b.Rejects) > 0 {
				return errors.New(b.Rejects[0].Reason)
			}
			in := logstore.Batch{Records: b.Records}
			if c != nil {
				in.Cursor = &logstore.Cursor{Source: c.Source, Position: c.Position}
			}
			done, err := f(ctx, in)
			added.Add(int64(done.Added))
			return err
		}
	}
	return ingest.Bulk{Append: take(s.Append), Load: take(load.Add), Flush: load.Flush}
}

func (n *namespace) read(b *testing.B, into ingest.Bulk, cursors ingest.Cursors, until func() bool) {
	b.Helper()
	src, err := eventhub.New(n.options(hub))
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
// the same records by file, and with a client that only fetches.
func BenchmarkHubToCommittedRows(b *testing.B) {
	records := size(b, 100_000)
	const partitions = 4
	n := loopback(b, partitions)
	produce(b, n, partitions, 0, records, time.Now().Add(-time.Hour))
	path := filepath.Join(b.TempDir(), "signins.json")
	var text bytes.Buffer
	for i := range records {
		text.Write(append(signIn(text.AvailableBuffer(), i), '\n'))
	}
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	text = bytes.Buffer{}
	rate := func(since time.Time) float64 { return float64(records) / time.Since(since).Seconds() }
	for b.Loop() {
		s := openStore(b)
		var added atomic.Int64
		begin := time.Now()
		n.read(b, intoStore(s, &added), s, func() bool { return added.Load() >= int64(records) })
		if err := s.Load().Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		ours := rate(begin)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}

		s = openStore(b)
		var filed atomic.Int64
		load := s.Load()
		begin = time.Now()
		files, err := ingest.NewFiles([]string{path}, ingest.DecoderOptions{Provenance: glassward.File})
		if err != nil {
			b.Fatal(err)
		}
		if err := files.Run(b.Context(), nil, func(ctx context.Context, x *ingest.Batch, _ *ingest.Cursor) error {
			c, err := load.Add(ctx, logstore.Batch{Records: x.Records})
			filed.Add(int64(c.Added))
			return err
		}); err != nil {
			b.Fatal(err)
		}
		if err := load.Flush(b.Context()); err != nil || filed.Load() != int64(records) {
			b.Fatal(err, filed.Load())
		}
		file := rate(begin)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}

		bare, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.DialTLSConfig(&tls.Config{RootCAs: n.pool}), kgo.ConsumeTopics(hub),
			kgo.SASL(plain.Auth{User: "$ConnectionString", Pass: connectionString}.AsMechanism()))
		if err != nil {
			b.Fatal(err)
		}
		begin = time.Now()
		for got := 0; got < records/perMessage; {
			got += bare.PollFetches(b.Context()).NumRecords()
		}
		fetched := rate(begin)
		bare.Close()
		b.Logf("Event Hubs to committed rows: %.0f records/s; file ingest %.0f, ratio %.2f; bare franz-go consumer %.0f, ratio %.2f", ours, file, ours/file, fetched, ours/fetched)
		b.ReportMetric(ours, "records/s")
		b.ReportMetric(ours/file, "ours/file")
		b.ReportMetric(ours/fetched, "ours/bare")
	}
}

// BenchmarkLiveWhileBackfilling fills a hub with a day's records and measures how
// long single live records take to be committed while they are read.
func BenchmarkLiveWhileBackfilling(b *testing.B) {
	records := size(b, 200_000)
	const partitions = 4
	n := loopback(b, partitions)
	old := time.Now().Add(-24 * time.Hour)
	for k := 0; k < records; k += 100_000 {
		produce(b, n, partitions, k, min(100_000, records-k), old)
	}
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
		n.read(b, intoStore(s, &added), s, func() bool { return added.Load() >= int64(records) })
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

// FuzzMessages gives a source whatever a hub may hold: every message ends as
// records, as rejects or as nothing, and the cursor stands behind it.
func FuzzMessages(f *testing.F) {
	f.Add([]byte(`{"records":[{"type":"heartbeat"}]}`))
	f.Add([]byte(`[{"time":"2026-11-20T00:00:00Z","category":"AuditLogs","properties":{"id":"x"}},`))
	f.Add([]byte(strings.Repeat("[", 100)))
	f.Fuzz(func(t *testing.T, text []byte) { eventhub.DecodeMessage(t, text) })
}
