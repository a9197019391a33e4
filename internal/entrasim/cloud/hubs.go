package cloud

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"glassward/internal/entrasim"
	"glassward/internal/pipe"
)

// HubTricks are what stands among the messages of a hub, each as a share of
// them.
type HubTricks struct {
	Heartbeat float64 // {"type":"heartbeat"} between two messages
	Bare      float64 // the records as a bare array, without their envelope
	Bad       float64 // a broken message between two
	Repeat    float64 // the same message once more, in any partition
}

// hubs are an Event Hubs namespace of a tenant, behind its Kafka endpoint. The
// cluster behind it begins with the first connection.
type hubs struct {
	c     *Cloud
	t     *tenant
	front *pipe.Listener // where connections in memory come in
	ca    *issued
	// starved is asked for inside the cluster, which may be waited for under mu.
	starved atomic.Bool

	mu      turn
	rng     *mathrand.Rand
	address string // host and port
	key     string
	tricks  HubTricks
	denied  bool
	upTo    time.Time
	cluster *kfake.Cluster
	writer  *kgo.Client
	back    *pipe.Listener // where authenticated connections go on
	topics  map[string]bool
	conns   map[net.Conn]bool
	stop    context.CancelFunc
	running sync.WaitGroup
	closed  bool
}

// A turn is a mutex on which a goroutine waits as virtual time understands it.
// Producing under it may have to try again after a while; with a sync.Mutex time
// would stand still as long as somebody waits for it, and so for ever.
type turn chan struct{}

func (t turn) Lock()   { t <- struct{}{} }
func (t turn) Unlock() { <-t }

func newHubs(c *Cloud, t *tenant) *hubs {
	return &hubs{
		c: c, t: t, mu: make(turn, 1), key: newSharedKey(), rng: mathrand.New(mathrand.NewPCG(c.o.Seed, 0xb0b)),
		topics: map[string]bool{}, conns: map[net.Conn]bool{},
	}
}

func newSharedKey() string {
	return base64.StdEncoding.EncodeToString([]byte(opaque()[:32]))
}

// namespace is the host name of the namespace in public.
func (h *hubs) namespace() string {
	return "logs-" + strings.ToLower(h.t.id[:8]) + ".servicebus.windows.net"
}

// named tells whether a host, with or without a port, is the namespace.
func (h *hubs) named(host string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	bare, _, _ := strings.Cut(host, ":")
	own, _, _ := strings.Cut(h.address, ":")
	return bare == h.namespace() || host == h.address || own != "" && own == bare && !strings.Contains(host, ":")
}

// listen opens the namespace on the loopback.
func (h *hubs) listen(ca *issued) (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("no port for an Event Hubs namespace: %w", err)
	}
	h.begin(ln, ln.Addr().String(), ca)
	return h.address, nil
}

// open opens it in memory and gives its address.
func (h *hubs) open(ca *issued) string {
	h.front = pipe.New("pipe")
	h.begin(h.front, h.namespace()+":9093", ca)
	return h.address
}

func (h *hubs) begin(ln net.Listener, address string, ca *issued) {
	h.mu.Lock()
	h.address, h.ca = address, ca
	h.mu.Unlock()
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return // closed
			}
			h.running.Go(func() { h.serve(tls.Server(conn, ca.config)) })
		}
	})
	h.c.onClose(func() { ln.Close(); done.Wait() })
}

func (h *hubs) dial(ctx context.Context) (net.Conn, error) {
	if h.front == nil {
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.ErrClosed}
	}
	return h.front.Dial(ctx, "tcp", h.address)
}

// ConnectionString is that of a policy of a tenant's namespace that may listen;
// with the name of a hub it is that hub's.
func (c *Cloud) ConnectionString(tenant, hub string) string {
	t, ok := c.tenant(tenant)
	if !ok {
		return ""
	}
	h := t.hubs
	h.mu.Lock()
	defer h.mu.Unlock()
	s := "Endpoint=sb://" + h.address + "/;SharedAccessKeyName=glassward-listen;SharedAccessKey=" + h.key
	if hub != "" {
		s += ";EntityPath=" + hub
	}
	return s
}

// start makes the cluster, once.
func (h *hubs) start() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cluster != nil || h.closed {
		return nil
	}
	h.back = pipe.New(h.address)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9093), kfake.ListenFn(func(string, string) (net.Listener, error) { return h.back, nil }))
	if err != nil {
		return err
	}
	if err := h.newWriter(); err != nil {
		cluster.Close()
		return err
	}
	cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if !h.starved.Load() {
			return nil, nil, false
		}
		// A throttled fetch holds nothing and names no error.
		resp := r.ResponseKind().(*kmsg.FetchResponse)
		resp.ThrottleMillis = 1000
		return resp, nil, true
	})
	h.cluster = cluster
	ctx, cancel := context.WithCancel(context.Background())
	h.stop = cancel
	h.running.Go(func() { h.live(ctx) })
	return nil
}

// newWriter makes the client that writes to the hubs. One that has known a hub
// before it changed does not find its way soon enough.
func (h *hubs) newWriter() (err error) {
	if h.writer != nil {
		h.writer.Close()
	}
	back := h.back
	h.writer, err = kgo.NewClient(
		kgo.SeedBrokers(h.address), kgo.Dialer(func(ctx context.Context, _, _ string) (net.Conn, error) { return back.Dial(ctx, "tcp", h.address) }),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()), kgo.MetadataMinAge(10*time.Millisecond),
	)
	return err
}

// live brings what has appeared, second by second, while somebody is connected.
func (h *hubs) live(ctx context.Context) {
	tick := time.NewTicker(h.c.o.Tick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			h.pump()
		case <-ctx.Done():
			return
		}
	}
}

func (h *hubs) close() {
	h.mu.Lock()
	h.closed = true
	cluster, writer, back, stop := h.cluster, h.writer, h.back, h.stop
	conns := h.conns
	h.conns = map[net.Conn]bool{}
	h.mu.Unlock()
	for c := range conns {
		c.Close()
	}
	if cluster != nil {
		stop()
		writer.Close()
		cluster.Close()
		back.Close()
	}
	h.running.Wait()
}

// hubOf names the hub to which a category goes.
func (h *hubs) hubOf(k entrasim.Kind) string {
	if h.c.o.Hub != "" {
		return h.c.o.Hub
	}
	return "insights-logs-" + strings.ToLower(k.Category())
}

// pump writes what has appeared until now.
func (h *hubs) pump() {
	now := h.c.live(h.t)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.cluster == nil {
		return
	}
	end := earlier(now, h.t.world.Now())
	if !end.After(h.upTo) {
		return
	}
	byHub := map[string][]entrasim.Appearance{}
	var names []string
	for _, a := range h.t.world.Appearances(entrasim.EventHub, h.upTo, end) {
		name := h.hubOf(a.Event.Kind)
		if byHub[name] == nil {
			names = append(names, name)
		}
		byHub[name] = append(byHub[name], a)
	}
	var records []*kgo.Record
	for _, name := range names {
		records = append(records, h.messages(name, byHub[name])...)
	}
	// A broken connection inside the process can only mean the end.
	if len(records) == 0 || h.writer.ProduceSync(context.Background(), records...).FirstErr() == nil {
		h.upTo = end
	}
}

// messages packs records of a hub into messages, spread over its partitions.
func (h *hubs) messages(hub string, list []entrasim.Appearance) []*kgo.Record {
	if !h.topics[hub] {
		h.topics[hub] = true
		_ = h.cluster.CreateTopic(hub, h.c.o.Partitions, nil) // it is there already after a restart of the writer
	}
	partitions := h.c.o.Partitions
	if info := h.cluster.PartitionInfos(hub); len(info) > 0 {
		partitions = int32(len(info))
	}
	var out []*kgo.Record
	add := func(at time.Time, value []byte) {
		out = append(out, &kgo.Record{Topic: hub, Partition: h.rng.Int32N(partitions), Timestamp: at, Value: value})
	}
	for len(list) > 0 {
		n := min(1+h.rng.IntN(8), len(list))
		var b bytes.Buffer
		for i, a := range list[:n] {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(a.Event.Diagnostic(a.Version))
		}
		at := list[n-1].At
		list = list[n:]
		value := []byte(`{"records":[` + b.String() + `]}`)
		if h.rng.Float64() < h.tricks.Bare {
			value = []byte(`[` + b.String() + `]`)
		}
		add(at, value)
		if h.rng.Float64() < h.tricks.Repeat {
			add(at, value)
		}
		if h.rng.Float64() < h.tricks.Heartbeat {
			add(at, []byte(`{"type":"heartbeat"}`))
		}
		if h.rng.Float64() < h.tricks.Bad {
			add(at, []byte(`{"records":[{"time":"2026-11-20T10:00:00Z","category":"AuditLogs","properties":{"id":"broken`))
		}
	}
	return out
}

// hubsOf gives the started namespace of a tenant.
func (f *Faults) hubsOf(tenant string) *hubs {
	t, ok := f.c.tenant(tenant)
	if !ok || t.hubs.start() != nil {
		return nil
	}
	t.hubs.pump()
	return t.hubs
}

// Hubs puts other things among the messages of a tenant's hubs from now on.
func (f *Faults) Hubs(tenant string, tricks HubTricks) {
	if h := f.hubsOf(tenant); h != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.tricks = tricks
	}
}

// StarveHubs makes every fetch of a tenant's hubs come back empty, without an
// error, as a throttled one does.
func (f *Faults) StarveHubs(tenant string, on bool) {
	if h := f.hubsOf(tenant); h != nil {
		h.starved.Store(on)
	}
}

// DenyHubs takes away the role by which an application reads a tenant's hubs, or
// gives it back. It is seen by the next connection.
func (f *Faults) DenyHubs(tenant string, on bool) {
	if h := f.hubsOf(tenant); h != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.denied = on
	}
}

// RotateKey regenerates the key of the policy of a tenant's namespace.
// Connections that stand go on.
func (f *Faults) RotateKey(tenant string) {
	if t, ok := f.c.tenant(tenant); ok {
		t.hubs.mu.Lock()
		defer t.hubs.mu.Unlock()
		t.hubs.key = newSharedKey()
	}
}

// DropHubs ends all connections to a tenant's namespace.
func (f *Faults) DropHubs(tenant string) {
	if t, ok := f.c.tenant(tenant); ok {
		t.hubs.mu.Lock()
		defer t.hubs.mu.Unlock()
		for c := range t.hubs.conns {
			c.Close()
		}
	}
}

// RecreateHub deletes a hub with all that it holds and makes it anew: its
// offsets begin again.
func (f *Faults) RecreateHub(tenant, hub string) error {
	h := f.hubsOf(tenant)
	if h == nil {
		return fmt.Errorf("no namespace of tenant %s", tenant)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.cluster.DeleteTopic(hub); err != nil {
		return err
	}
	if err := h.cluster.CreateTopic(hub, h.c.o.Partitions, nil); err != nil {
		return err
	}
	return h.newWriter()
}

// TruncateHub lets a hub forget all but the last messages of each partition, as
// retention does.
func (f *Faults) TruncateHub(tenant, hub string, keep int64) error {
	h := f.hubsOf(tenant)
	if h == nil {
		return fmt.Errorf("no namespace of tenant %s", tenant)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.cluster.PartitionInfos(hub) {
		if err := h.cluster.DeleteRecords(hub, p.Partition, max(p.LogStartOffset, p.HighWatermark-keep)); err != nil {
			return err
		}
	}
	return nil
}

// AddPartitions gives a hub more partitions.
func (f *Faults) AddPartitions(tenant, hub string, total int32) error {
	h := f.hubsOf(tenant)
	if h == nil {
		return fmt.Errorf("no namespace of tenant %s", tenant)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	req := kmsg.NewPtrCreatePartitionsRequest()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = hub, total
	req.Topics = append(req.Topics, topic)
	req.TimeoutMillis = 5000
	resp, err := req.RequestWith(context.Background(), h.writer)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return err
		}
	}
	return h.newWriter()
}

// HubNames gives the hubs of a tenant that hold something by now.
func (c *Cloud) HubNames(tenant string) []string {
	h := c.faults.hubsOf(tenant)
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for t := range h.topics {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}
