package cloud_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// world makes a tenant that lives from the beginning of virtual time, with a
// secret for Glassward's application.
func world(seed uint64) *entrasim.World {
	w := entrasim.NewWorld(entrasim.Options{Seed: seed, Start: time.Now()})
	w.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "s"})
	return w
}

// accessToken asks for a token by secret, in the plainest way.
func accessToken(t testing.TB, hc *http.Client, e cloud.Endpoints, w *entrasim.World, resource string) string {
	t.Helper()
	resp, err := hc.PostForm(e.Authority+"/"+w.Tenant().ID+"/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {entrasim.GlasswardApp}, "client_secret": {"s"}, "scope": {resource + "/.default"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		Token string `json:"access_token"`
		Error string `json:"error_description"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || a.Token == "" {
		t.Fatalf("no token: %s %v %s", resp.Status, err, a.Error)
	}
	return a.Token
}

// consumer reads hubs in memory.
func consumer(t *testing.T, c *cloud.Cloud, e cloud.Endpoints, tenant string, as sasl.Mechanism, hubs ...string) *kgo.Client {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(e.CA)
	host, _, _ := net.SplitHostPort(e.Hubs[tenant])
	cl, err := kgo.NewClient(kgo.SeedBrokers(e.Hubs[tenant]), kgo.SASL(as), kgo.ConsumeTopics(hubs...), kgo.FetchMaxWait(time.Second),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(time.Second), kgo.RetryTimeout(5*time.Second),
		kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := c.DialHubs(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return tls.Client(conn, &tls.Config{RootCAs: pool, ServerName: host}), nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// read gathers the ids in the messages of a while, and how many messages were no
// records.
func read(t *testing.T, cl *kgo.Client, until time.Time, into map[string]int) (odd int) {
	t.Helper()
	ctx, cancel := context.WithDeadline(context.Background(), until)
	defer cancel()
	for {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return odd
		}
		fetches.EachError(func(topic string, p int32, err error) { t.Logf("%s/%d: %v", topic, p, err) })
		fetches.EachRecord(func(r *kgo.Record) {
			var m struct {
				Records []json.RawMessage `json:"records"`
			}
			text := bytes.TrimSpace(r.Value)
			if text[0] == '[' {
				text = []byte(`{"records":` + string(text) + `}`)
				odd++
			}
			if json.Unmarshal(text, &m) != nil || m.Records == nil {
				odd++
				return
			}
			for _, rec := range m.Records {
				var one struct {
					Properties struct {
						ID     string `json:"id"`
						Report string `json:"ReportId"`
					} `json:"properties"`
				}
				if err := json.Unmarshal(rec, &one); err != nil {
					t.Error(err)
				}
				into[one.Properties.ID+one.Properties.Report]++
			}
		})
	}
}

func TestTheHubsHoldWhatHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world(3)
		c := cloud.New(cloud.Options{Worlds: []*entrasim.World{w}, Hub: "entra"})
		defer c.Close()
		hc, e := c.Pipe()
		tenant := w.Tenant().ID
		host, _, _ := strings.Cut(e.Hubs[tenant], ":")
		c.Faults().Hubs(tenant, cloud.HubTricks{Heartbeat: .05, Bare: .05, Bad: .02, Repeat: .05})
		time.Sleep(10 * time.Hour)

		got := map[string]int{}
		byToken := consumer(t, c, e, tenant, oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			return oauth.Auth{Token: accessToken(t, hc, e, w, "https://"+host)}, nil
		}), "entra")
		odd := read(t, byToken, time.Now().Add(time.Hour), got)
		byToken.Close()
		if odd == 0 {
			t.Error("no heartbeat, bare array or broken message came")
		}
		want := map[string]bool{}
		for _, a := range w.Appearances(entrasim.EventHub, time.Time{}, time.Now().Add(-5*time.Second)) {
			want[a.Event.ID] = true
		}
		for id := range want {
			if got[id] == 0 && len(id) > 0 {
				t.Errorf("%s did not come", id)
			}
		}
		if len(want) < 100 {
			t.Errorf("only %d records: nothing is tested", len(want))
		}

		// With the old key a connection that stands goes on, a new one does not.
		old := c.ConnectionString(tenant, "")
		byKey := func(key string) *kgo.Client {
			return consumer(t, c, e, tenant, plain.Auth{User: "$ConnectionString", Pass: key}.AsMechanism(), "entra")
		}
		standing := byKey(old)
		defer standing.Close()
		again := map[string]int{}
		read(t, standing, time.Now().Add(time.Minute), again)
		before := len(again)
		c.Faults().RotateKey(tenant)
		read(t, standing, time.Now().Add(30*time.Minute), again)
		if before == 0 || len(again) <= before {
			t.Errorf("%d records before the key was made anew, %d after: the connection should have gone on", before, len(again))
		}
		late := byKey(old)
		defer late.Close()
		none := map[string]int{}
		if read(t, late, time.Now().Add(time.Minute), none); len(none) > 0 {
			t.Error("a key that is no more still opens the hub")
		}
	})
}

func TestAHubForgetsGrowsAndIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world(4)
		c := cloud.New(cloud.Options{Worlds: []*entrasim.World{w}, Hub: "entra"})
		defer c.Close()
		_, e := c.Pipe()
		tenant := w.Tenant().ID
		time.Sleep(12 * time.Hour)
		count := func(d time.Duration) int {
			cl := consumer(t, c, e, tenant, plain.Auth{User: "$ConnectionString", Pass: c.ConnectionString(tenant, "")}.AsMechanism(), "entra")
			defer cl.Close()
			got := map[string]int{}
			read(t, cl, time.Now().Add(d), got)
			return len(got)
		}
		all := count(time.Minute)
		if all < 100 {
			t.Fatalf("only %d records", all)
		}
		c.Faults().StarveHubs(tenant, true)
		if n := count(time.Minute); n != 0 {
			t.Errorf("%d records came through a throttled fetch", n)
		}
		c.Faults().StarveHubs(tenant, false)
		if err := c.Faults().TruncateHub(tenant, "entra", 2); err != nil {
			t.Fatal(err)
		}
		if n := count(10 * time.Second); n == 0 || n >= all/2 {
			t.Errorf("%d of %d records are left after retention", n, all)
		}
		if err := c.Faults().AddPartitions(tenant, "entra", 8); err != nil {
			t.Fatal(err)
		}
		if err := c.Faults().RecreateHub(tenant, "entra"); err != nil {
			t.Fatal(err)
		}
		if n := count(time.Second); n >= all/2 {
			t.Errorf("%d records are left in a hub made anew", n)
		}
		if n := count(time.Hour); n == 0 {
			t.Error("nothing comes from a hub made anew")
		}
	})
}
