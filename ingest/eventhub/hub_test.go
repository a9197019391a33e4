package eventhub_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"glassward"
	"glassward/ingest"
	"glassward/ingest/eventhub"
)

const (
	tenant  = "0f4d2c1e-7a39-4b65-8d5e-3f1c9a7b2d40"
	address = "127.0.0.1:9093"
)

// connectionString is made up.
const connectionString = "Endpoint=sb://127.0.0.1/;SharedAccessKeyName=listen;SharedAccessKey=bWFkZSB1cCBmb3IgYSB0ZXN0"

// certificate makes a certificate for the loopback address, and who vouches for
// it.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hubs"},
		NotBefore: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// A namespace is a namespace of Event Hubs in memory.
type namespace struct {
	*kfake.Cluster
	pool        *x509.CertPool
	certificate []byte
	secret      glassward.Secret
	writer      *kgo.Client
	dial        func(ctx context.Context, network, address string) (net.Conn, error)
}

func newNamespace(t testing.TB, options ...kfake.Opt) *namespace {
	t.Helper()
	memory := new(kfake.VirtualNetwork)
	return newNamespaceOver(t, memory, memory.Listen, options...)
}

type dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

func newNamespaceOver(t testing.TB, over dialer, listen func(network, address string) (net.Listener, error), options ...kfake.Opt) *namespace {
	t.Helper()
	n := &namespace{}
	cert, pool := certificate(t)
	n.pool, n.certificate, n.dial = pool, cert.Certificate[0], over.DialContext
	path := filepath.Join(t.TempDir(), "connection")
	if err := os.WriteFile(path, []byte(connectionString+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.secret = glassward.Secret("file:" + path)
	c, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(9093), kfake.ListenFn(listen),
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}),
		kfake.EnableSASL(), kfake.Superuser("PLAIN", "$ConnectionString", connectionString),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	n.Cluster = c
	n.writer, err = kgo.NewClient(kgo.SeedBrokers(address), kgo.Dialer(func(ctx context.Context, network, host string) (net.Conn, error) {
		c, err := over.DialContext(ctx, network, host)
		if err != nil {
			return nil, err
		}
		return tls.Client(c, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}), nil
	}), kgo.SASL(plain.Auth{User: "$ConnectionString", Pass: connectionString}.AsMechanism()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.close)
	return n
}

func (n *namespace) close() {
	n.writer.Close()
	n.Cluster.Close()
}

// write puts messages into a partition.
func (n *namespace) write(t testing.TB, hub string, partition int32, messages ...string) {
	t.Helper()
	var records []*kgo.Record
	for _, m := range messages {
		records = append(records, &kgo.Record{Topic: hub, Partition: partition, Value: []byte(m), Timestamp: time.Now()})
	}
	if err := n.writer.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func (n *namespace) options(hubs ...string) eventhub.Options {
	return eventhub.Options{Tenant: tenant, Namespace: address, Hubs: hubs, ConnectionString: n.secret, Dial: n.dial, TLS: &tls.Config{RootCAs: n.pool}}
}

// audit gives a record of AuditLogs as diagnostic settings write it.
func audit(id string) string {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf(`{"time":%q,"resourceId":"/tenants/%s/providers/Microsoft.aadiam","operationName":"Update user","category":"AuditLogs","tenantId":%q,"properties":{"id":%q,"activityDisplayName":"Update user","activityDateTime":%q,"result":"success"}}`,
		now, tenant, tenant, id, now)
}

// message gives a message with records of these ids.
func message(ids ...string) string {
	var list []string
	for _, id := range ids {
		list = append(list, audit(id))
	}
	return `{"records":[` + strings.Join(list, ",") + `]}`
}

// A store keeps what it is given as the event store does: rows and cursor
// together, each id once.
type store struct {
	mu      sync.Mutex
	rows    map[string]int // by id, how often it came
	rejects []ingest.Reject
	cursors map[string][]byte
	emits   int
	bulk    int
	// fails, if not nil, says of the n-th emit whether it fails before or after it
	// is durable.
	fails func(n int) (before, after bool)
}

var errKilled = errors.New("killed")

func newStore() *store { return &store{rows: map[string]int{}, cursors: map[string][]byte{}} }

func (s *store) Cursor(_ context.Context, source string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.cursors[source]
	return c, ok, nil
}

func (s *store) emit(_ context.Context, b *ingest.Batch, c *ingest.Cursor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var before, after bool
	if s.emits++; s.fails != nil {
		before, after = s.fails(s.emits)
	}
	if before {
		return errKilled
	}
	for i := range b.Records {
		s.rows[b.Records[i].EntraID]++
	}
	if b.Bulk {
		s.bulk += len(b.Records)
	}
	s.rejects = append(s.rejects, b.Rejects...)
	s.cursors[c.Source] = slices.Clone(c.Position)
	if after {
		return errKilled
	}
	return nil
}

func (s *store) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id := range s.rows {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// reports collects what a source says.
type reports struct {
	mu   sync.Mutex
	list []ingest.Report
}

func (r *reports) observe(x ingest.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, x)
}

func (r *reports) take() []ingest.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

func holes(list []ingest.Report) (h []string) {
	for _, r := range list {
		if r.Hole != nil {
			h = append(h, r.Stream+": "+r.Hole.What)
		}
	}
	return h
}

func faults(list []ingest.Report) (f []error) {
	for _, r := range list {
		if r.Fault != nil {
			f = append(f, r.Fault)
		}
	}
	return f
}

func polls(list []ingest.Report, stream string) (p []ingest.Polled) {
	for _, r := range list {
		if r.Polled != nil && r.Stream == stream {
			p = append(p, *r.Polled)
		}
	}
	return p
}
