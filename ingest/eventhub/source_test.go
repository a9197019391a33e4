package eventhub_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"glassward"
	"glassward/entra"
	"glassward/ingest/eventhub"
)

const hub = "insights-logs-auditlogs"

// running is a source that runs.
type running struct {
	*eventhub.Source
	reports
	cancel context.CancelFunc
	done   chan error
}

func run(t *testing.T, o eventhub.Options, s *store) *running {
	t.Helper()
	r := &running{done: make(chan error, 1)}
	o.Observe = r.observe
	var err error
	if r.Source, err = eventhub.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.done <- r.Run(ctx, s, s.emit) }()
	return r
}

// stop ends the source and says why it ended.
func (r *running) stop() error {
	r.cancel()
	return <-r.done
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func same(t *testing.T, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryFormOfMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNamespace(t, kfake.SeedTopics(2, hub), kfake.SeedTopics(1, "other"))
		n.write(t, hub, 0, message("a", "b"), "["+audit("c")+","+audit("d")+"]", audit("e"), `{"type":"heartbeat"}`, `{"records":[{"type":"Heartbeat"}]}`)
		n.write(t, hub, 1, `{"records":[`+audit("f")+`,{"cut":`, message("g"), "nothing of the kind", "")
		n.write(t, "other", 0, message("unasked"))
		s := newStore()
		r := run(t, n.options(), s) // finds the hub by itself
		time.Sleep(10 * time.Second)
		n.write(t, hub, 0, message("h", "a"))
		time.Sleep(3 * time.Second)
		same(t, []string{"a", "b", "c", "d", "e", "f", "g", "h"}, s.ids())
		var places []string
		for _, x := range s.rejects {
			places = append(places, strings.TrimPrefix(x.Source, r.Name()))
		}
		same(t, []string{"/" + hub + "/1@0", "/" + hub + "/1@2"}, places)
		var at struct {
			Offset   int64
			Epoch    int32
			TopicID  string
			Enqueued time.Time
		}
		if err := json.Unmarshal(s.cursors[r.Name()+"/"+hub+"/0"], &at); err != nil || at.Offset != 6 || at.TopicID == "" || time.Since(at.Enqueued) > 4*time.Second {
			t.Errorf("position %s: %v", s.cursors[r.Name()+"/"+hub+"/0"], err)
		}
		list := r.take()
		got := polls(list, hub)
		if len(got) == 0 {
			t.Fatalf("reports: %+v", list)
		}
		if last := got[len(got)-1]; last.Backlog != 0 || !last.Through.Equal(at.Enqueued) {
			t.Errorf("polled %+v, the newest message came at %s", last, at.Enqueued)
		}
		if err := r.stop(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestRetentionPastOurOffsetIsAHole(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNamespace(t, kfake.SeedTopics(1, hub))
		n.write(t, hub, 0, message("a"), message("b"))
		s := newStore()
		r := run(t, n.options(hub), s)
		time.Sleep(2 * time.Second)
		r.stop()
		n.write(t, hub, 0, message("c"), message("d"), message("e"))
		time.Sleep(time.Hour)
		n.write(t, hub, 0, message("f"))
		if err := n.DeleteRecords(hub, 0, 4); err != nil {
			t.Fatal(err)
		}
		r = run(t, n.options(hub), s)
		time.Sleep(2 * time.Second)
		same(t, []string{"a", "b", "e", "f"}, s.ids())
		list := r.take()
		if h := holes(list); len(h) != 1 || !strings.Contains(h[0], "deleted 2 messages") || !strings.Contains(h[0], "offsets 2 to 3") {
			t.Errorf("holes: %q", h)
		}
		for _, x := range list {
			if x.Hole != nil && (x.Hole.From.IsZero() || x.Hole.To.Before(x.Hole.From)) {
				t.Errorf("the hole reaches from %s to %s", x.Hole.From, x.Hole.To)
			}
		}
		if p := r.Partitions(); len(p) != 1 || p[0].Earliest != 4 || p[0].UntilLoss < 59*time.Minute || p[0].UntilLoss > 61*time.Minute {
			t.Errorf("%+v", p)
		}
		// Told once: not again after a restart.
		r.stop()
		r = run(t, n.options(hub), s)
		time.Sleep(2 * time.Minute)
		if h := holes(r.take()); len(h) != 0 {
			t.Errorf("told again: %q", h)
		}
		r.stop()
	})
}

// TestAHubMadeAnew deletes a hub and makes it again in every way in which that
// can be seen, while the source runs and while it does not.
func TestAHubMadeAnew(t *testing.T) {
	for _, x := range []struct {
		name         string
		before       int // messages
		after        int
		running, ids bool
	}{
		{"shorter, by its end", 4, 2, false, false},
		{"longer, by its id", 2, 5, false, true},
		{"longer, by its times", 2, 5, false, false},
		{"shorter, while it is read", 4, 2, true, true},
		{"longer, while it is read", 2, 5, true, true},
		{"shorter, while it is read, without ids", 4, 2, true, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := newNamespace(t, kfake.SeedTopics(1, hub))
				if !x.ids {
					hideTopicIDs(n)
				}
				var want []string
				for i := range x.before {
					id := fmt.Sprint("old", i)
					n.write(t, hub, 0, message(id))
					want = append(want, id)
				}
				s := newStore()
				r := run(t, n.options(hub), s)
				time.Sleep(2 * time.Second)
				if !x.running {
					r.stop()
				}
				if err := n.DeleteTopic(hub); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Minute)
				if x.running && len(faults(r.take())) == 0 {
					t.Error("nobody is told that the hub is gone")
				}
				if err := n.CreateTopic(hub, 1, nil); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				n.writer.PurgeTopicsFromClient(hub)
				for i := range x.after {
					id := fmt.Sprint("new", i)
					n.write(t, hub, 0, message(id))
					want = append(want, id)
				}
				if !x.running {
					r = run(t, n.options(hub), s)
				}
				time.Sleep(4 * time.Minute)
				slices.Sort(want)
				same(t, want, s.ids())
				if h := holes(r.take()); len(h) != 1 || !strings.Contains(h[0], "deleted and made anew") {
					t.Errorf("holes: %q", h)
				}
				r.stop()
			})
		})
	}
}

// hideTopicIDs lets a namespace speak as older brokers do.
func hideTopicIDs(n *namespace) {
	n.ControlKey(int16(kmsg.ApiVersions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		n.KeepControl()
		resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
		for key, most := range map[kmsg.Key]int16{kmsg.Produce: 9, kmsg.Fetch: 11, kmsg.ListOffsets: 5, kmsg.Metadata: 7, kmsg.ApiVersions: 2, kmsg.SASLHandshake: 1, kmsg.SASLAuthenticate: 1, kmsg.InitProducerID: 2} {
			k := kmsg.NewApiVersionsResponseApiKey()
			k.ApiKey, k.MaxVersion = int16(key), most
			if key == kmsg.Fetch {
				k.MinVersion = 4
			}
			resp.ApiKeys = append(resp.ApiKeys, k)
		}
		return resp, nil, true
	})
}

func TestANewPartitionIsReadFromItsBeginning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNamespace(t, kfake.SeedTopics(1, hub))
		n.write(t, hub, 0, message("a"))
		s := newStore()
		r := run(t, n.options(hub), s)
		time.Sleep(2 * time.Second)
		req := kmsg.NewPtrCreatePartitionsRequest()
		x := kmsg.NewCreatePartitionsRequestTopic()
		x.Topic, x.Count = hub, 3
		req.Topics = append(req.Topics, x)
		if _, err := req.RequestWith(t.Context(), n.writer); err != nil {
			t.Fatal(err)
		}
		n.writer.ForceMetadataRefresh()
		time.Sleep(time.Second)
		n.write(t, hub, 2, message("b"))
		n.write(t, hub, 0, message("c"))
		// And a hub that did not exist.
		if err := n.CreateTopic("insights-logs-signinlogs", 1, nil); err != nil {
			t.Fatal(err)
		}
		n.write(t, "insights-logs-signinlogs", 0, message("d"))
		time.Sleep(90 * time.Second)
		same(t, []string{"a", "b", "c"}, s.ids())
		r.stop()
		r = run(t, n.options(), s)
		time.Sleep(2 * time.Second)
		same(t, []string{"a", "b", "c", "d"}, s.ids())
		if f, h := faults(r.take()), holes(r.take()); len(f)+len(h) != 0 {
			t.Error(f, h)
		}
		r.stop()
	})
}

// TestAThrottledFetchIsNoHealth: answers come, empty and without an error, while
// messages wait.
func TestAThrottledFetchIsNoHealth(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNamespace(t, kfake.SeedTopics(1, hub))
		n.write(t, hub, 0, message("a"))
		s := newStore()
		r := run(t, n.options(hub), s)
		time.Sleep(2 * time.Second)
		var throttled atomic.Bool
		throttled.Store(true)
		n.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
			if !throttled.Load() {
				return nil, nil, false
			}
			n.KeepControl()
			in := req.(*kmsg.FetchRequest)
			resp := in.ResponseKind().(*kmsg.FetchResponse)
			resp.ThrottleMillis = 3000
			for _, t := range in.Topics {
				x := kmsg.NewFetchResponseTopic()
				x.Topic, x.TopicID = t.Topic, t.TopicID
				for _, q := range t.Partitions {
					y := kmsg.NewFetchResponseTopicPartition()
					y.Partition, y.HighWatermark = q.Partition, q.FetchOffset
					x.Partitions = append(x.Partitions, y)
				}
				resp.Topics = append(resp.Topics, x)
			}
			return resp, nil, true
		})
		time.Sleep(10 * time.Second)
		n.write(t, hub, 0, message("b"))
		r.take()
		time.Sleep(3 * time.Minute)
		list := r.take()
		var f *entra.Fault
		if all := faults(list); len(all) == 0 || !errors.As(all[0], &f) || f.Kind != entra.FaultThrottled {
			t.Errorf("faults: %v", all)
		}
		for _, p := range polls(list, hub) {
			if p.Backlog == 0 {
				t.Errorf("said to have read all: %+v", p)
			}
		}
		throttled.Store(false)
		time.Sleep(2 * time.Minute)
		same(t, []string{"a", "b"}, s.ids())
		list = r.take()
		if p := polls(list, hub); len(p) == 0 || p[len(p)-1].Backlog != 0 {
			t.Errorf("polled %+v", p)
		}
		r.stop()
	})
}

func TestAKeyThatIsTakenAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNamespace(t, kfake.SeedTopics(1, hub))
		n.write(t, hub, 0, message("a"))
		s := newStore()
		r := run(t, n.options(hub), s)
		time.Sleep(2 * time.Second)
		other := strings.Replace(connectionString, "bWFk", "b3Ro", 1)
		path := strings.TrimPrefix(string(n.secret), "file:")
		if err := os.WriteFile(path, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		if f := faults(r.take()); len(f) != 0 {
			t.Errorf("connections that stand go on: %v", f)
		}
		time.Sleep(31 * time.Minute)
		f := faults(r.take())
		var fault *entra.Fault
		if len(f) < 2 || !errors.As(f[1], &fault) || fault.Kind != entra.FaultToken || !strings.Contains(f[1].Error(), "Basic tier") {
			t.Errorf("after the hour: %v", f)
		}
		for _, err := range f {
			if strings.Contains(err.Error(), "b3RoZSB1") {
				t.Errorf("the key stands in an error: %v", err)
			}
		}
		n.write(t, hub, 0, message("b"))
		if err := os.WriteFile(path, []byte(connectionString), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Minute)
		same(t, []string{"a", "b"}, s.ids())
		if p := polls(r.take(), ""); len(p) == 0 {
			t.Error("nothing ends the fault of the namespace")
		}
		r.stop()
	})
}

func TestFaultsHaveWords(t *testing.T) {
	for _, x := range []struct {
		name  string
		err   *kerr.Error
		hubs  []string
		kind  entra.FaultKind
		words string
	}{
		{"no Listen", kerr.TopicAuthorizationFailed, []string{hub}, entra.FaultToken, "Basic tier"},
		{"no such hub", nil, []string{"missing"}, entra.FaultSubscription, "there is no such hub"},
		{"no hub at all", nil, nil, entra.FaultSubscription, "name that hub"},
	} {
		t.Run(x.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := newNamespace(t, kfake.SeedTopics(1, hub))
				if x.hubs == nil {
					if err := n.DeleteTopic(hub); err != nil {
						t.Fatal(err)
					}
				}
				if x.err != nil {
					n.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: hub, Err: x.err, Count: -1})
				}
				r := run(t, n.options(x.hubs...), newStore())
				time.Sleep(time.Minute)
				r.stop()
				f := faults(r.take())
				var fault *entra.Fault
				if len(f) == 0 || !errors.As(f[0], &fault) || fault.Kind != x.kind || !strings.Contains(f[0].Error(), x.words) {
					t.Errorf("%v", f)
				}
			})
		})
	}
}

// TestATokenOfEntra signs in as an application does.
func TestATokenOfEntra(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNamespace(t, kfake.SeedTopics(1, hub))
		n.write(t, hub, 0, message("a"))
		var said []string
		n.ControlKey(int16(kmsg.SASLHandshake), func(req kmsg.Request) (kmsg.Response, error, bool) {
			n.KeepControl()
			resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
			said = append(said, req.(*kmsg.SASLHandshakeRequest).Mechanism)
			resp.SupportedMechanisms = []string{"OAUTHBEARER"}
			return resp, nil, true
		})
		n.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
			n.KeepControl()
			resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
			said = append(said, string(req.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes))
			resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
			return resp, nil, true
		})
		o := n.options(hub)
		asked := &credential{}
		o.ConnectionString, o.Credential = "", asked
		r := run(t, o, newStore())
		time.Sleep(time.Second)
		r.stop()
		if len(said) < 2 || said[0] != "OAUTHBEARER" || !strings.Contains(said[1], "auth=Bearer made-up-token") {
			t.Errorf("said %q", said)
		}
		if !slices.Equal(asked.scopes[:1], []string{"https://127.0.0.1/.default"}) {
			t.Errorf("scopes %q", asked.scopes)
		}
		f := faults(r.take())
		if len(f) == 0 || !strings.Contains(f[0].Error(), "Azure Event Hubs Data Receiver") || strings.Contains(f[0].Error(), "made-up-token") {
			t.Errorf("%v", f)
		}
	})
}

type credential struct{ scopes []string }

func (c *credential) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.scopes = append(c.scopes, o.Scopes...)
	return azcore.AccessToken{Token: "made-up-token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// TestKilledAtAnyEmit kills the source before or after any of its commits,
// while messages come, are repeated and the hub grows, and runs it again: nothing
// is lost, and no cursor is ever ahead of its rows.
func TestKilledAtAnyEmit(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 7))
				n := newNamespace(t, kfake.SeedTopics(3, hub))
				s := newStore()
				kill := rand.New(rand.NewPCG(seed, 8))
				s.fails = func(int) (bool, bool) { return kill.IntN(6) == 0, kill.IntN(6) == 0 }
				var want []string
				r := run(t, n.options(hub), s)
				again := func() {
					select {
					case err := <-r.done:
						if !errors.Is(err, errKilled) {
							t.Fatal(err)
						}
						r.cancel()
						r = run(t, n.options(hub), s)
					default:
					}
				}
				for i := range 60 {
					id := fmt.Sprintf("%03d", i)
					want = append(want, id)
					m := message(id)
					part := int32(rng.IntN(3))
					n.write(t, hub, part, m)
					if rng.IntN(4) == 0 {
						n.write(t, hub, part, m) // at least once
					}
					time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond)
					again()
				}
				s.mu.Lock()
				s.fails = nil
				s.mu.Unlock()
				time.Sleep(time.Second)
				again()
				time.Sleep(5 * time.Second)
				same(t, want, s.ids())
				r.stop()
			})
		})
	}
}

// TestFarBehindIsBulk: what is old is marked as such, and what is new is not.
func TestFarBehindIsBulk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newNamespace(t, kfake.SeedTopics(1, hub))
		var want []string
		var list []string
		for i := range 200 {
			id := fmt.Sprintf("%03d", i)
			want = append(want, id)
			list = append(list, message(id))
		}
		for part := range slices.Chunk(list, 50) {
			n.write(t, hub, 0, part...)
		}
		time.Sleep(time.Hour)
		s := newStore()
		r := run(t, n.options(hub), s)
		time.Sleep(2 * time.Second)
		same(t, want, s.ids())
		n.write(t, hub, 0, message("new"))
		time.Sleep(2 * time.Second)
		same(t, append(want, "new"), s.ids())
		if s.bulk != len(want) {
			t.Errorf("%d records are marked bulk, %d are old", s.bulk, len(want))
		}
		r.stop()
	})
}

func TestOptionsThatCannotWork(t *testing.T) {
	t.Setenv("HUB_OK", connectionString)
	t.Setenv("HUB_ENTITY", connectionString+";EntityPath=one")
	t.Setenv("HUB_SAS", "Endpoint=sb://127.0.0.1/;SharedAccessSignature=SharedAccessSignature sr=x")
	t.Setenv("HUB_NONE", "bWFkZSB1cA==")
	for _, x := range []struct {
		o    eventhub.Options
		want string
	}{
		{eventhub.Options{Namespace: "a.b"}, "either a connection string or a credential"},
		{eventhub.Options{ConnectionString: "Endpoint=sb://x/;SharedAccessKey=geheim"}, "must be a reference"},
		{eventhub.Options{ConnectionString: "env:HUB_NONE"}, "not a connection string"},
		{eventhub.Options{ConnectionString: "env:HUB_SAS"}, "SharedAccessSignature"},
		{eventhub.Options{ConnectionString: "env:HUB_OK", Namespace: "contoso.servicebus.windows.net"}, "is one of 127.0.0.1"},
		{eventhub.Options{ConnectionString: "env:HUB_ENTITY", Hubs: []string{"two"}}, "opens the hub one alone"},
		{eventhub.Options{Credential: &credential{}, Namespace: "contoso"}, "no host name"},
		{eventhub.Options{Credential: &credential{}}, "name the namespace"},
	} {
		_, err := eventhub.New(x.o)
		if err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "bWFk") || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v, want %q", err, x.want)
		}
	}
	s, err := eventhub.New(eventhub.Options{ConnectionString: glassward.Secret("env:HUB_ENTITY")})
	if err != nil || s.Name() != "eventhub:127.0.0.1" {
		t.Error(s, err)
	}
}
