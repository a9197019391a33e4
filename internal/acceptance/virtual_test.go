package acceptance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"glassward/config"
	"glassward/daemon"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
	"glassward/internal/mailsink"
	"glassward/internal/pipe"
)

// A virtual is the whole daemon with its stores in virtual time, before a
// simulated tenant that is served in memory: a day passes in seconds. Nothing of
// it opens a socket.
type virtual struct {
	*house
	world  *entrasim.World
	cloud  *cloud.Cloud
	sink   *mailsink.Sink
	daemon *daemon.Daemon
	log    *bytes.Buffer
	// ahead is how far the host's clock is ahead of the time.
	ahead atomic.Int64
	stop  func() // ends the daemon; a second time does nothing
	start func() // starts it again
}

// A setting says what a virtual is made of.
type setting struct {
	world entrasim.Options // Start is set, unless it is given
	cloud cloud.Options    // Worlds is set
	// tenant are more lines of the tenant's file.
	tenant string
	files  map[string]string
	// ports are what listens on other ports.
	ports map[string]*pipe.Listener
	// disk and resolve stand in for the system's, if they are given.
	disk    func(dir string) (free, total int64, err error)
	resolve func(host string) ([]netip.Addr, error)
	// dir is where an earlier life left its stores; a new folder if it is empty.
	dir string
	// before is called before the daemon starts.
	before func(*virtual)
}

// secret is what our application signs in with.
const secret = "a-secret-of-the-simulated-tenant"

// monday is when the virtual worlds begin.
var monday = time.Date(2026, 11, 16, 6, 0, 0, 0, time.UTC)

// byGraph are the lines of a tenant's file by which the sign-ins of persons and
// the audits come by Graph.
const byGraph = "sources: {graph: {streams: [signIns, directoryAudits], since: 1h}}\n"

// virtually runs a test in virtual time. Whatever the daemon does while time
// stands still takes none of it.
func virtually(t *testing.T, s setting, test func(*virtual)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(monday))
		test(newVirtual(t, s))
	})
}

func newVirtual(t *testing.T, s setting) *virtual {
	t.Helper()
	if s.world.Start.IsZero() {
		s.world.Start = time.Now().Add(-time.Hour)
	}
	v := &virtual{world: entrasim.NewWorld(s.world), sink: mailsink.New(mailsink.Options{}), log: new(bytes.Buffer)}
	v.world.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: secret})
	public := v.world.Register(entrasim.Application{DisplayName: "Public client of the pulse"})
	s.cloud.Worlds = []*entrasim.World{v.world}
	v.cloud = cloud.New(s.cloud)
	services, at := v.cloud.Pipe()
	t.Cleanup(v.cloud.Close)

	files := map[string]string{
		"glassward.yaml": mainFile(25, "oncall@example.org"),
		tenantPath: tenantFile(entrasim.EA01, entrasim.EA02) +
			"application: {clientId: " + entrasim.GlasswardApp + ", clientSecret: \"file:secret\"}\nendpoints: {ca: ca.pem}\n" + strings.NewReplacer("HUBS", at.Hubs[entrasim.TenantID], "PULSE", public.AppID, "CANARY", v.world.Canary().UserPrincipalName).Replace(s.tenant),
		"secret": secret, "ca.pem": string(at.CA), "hubs.txt": v.cloud.ConnectionString(entrasim.TenantID, ""),
	}
	for name, text := range s.files {
		files[name] = text
	}
	if s.dir == "" {
		s.dir = t.TempDir()
	}
	v.house = newHouseIn(t, s.dir, files)
	mail := pipe.New("pipe")
	var control atomic.Pointer[pipe.Listener]
	v.sink.Serve(mail)
	t.Cleanup(func() {
		if err := v.sink.Close(); err != nil {
			t.Error(err)
		}
	})
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return control.Load().Dial(ctx, network, address)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	v.http = &http.Client{Transport: transport}
	if s.before != nil {
		s.before(v)
	}

	v.start = func() {
		load := func() (*config.Config, []config.Problem) { return config.Load(v.file("glassward.yaml")) }
		c, problems := load()
		if c == nil || len(problems) > 1 { // that a secret is worse than a certificate is one
			t.Fatalf("the configuration cannot be used: %v", problems)
		}
		api := pipe.New("pipe")
		control.Store(pipe.New("pipe"))
		var err error
		v.daemon, err = daemon.New(t.Context(), daemon.Options{
			Config: c, Problems: problems, Load: load, Version: "test", Log: slog.New(slog.NewTextHandler(v.log, nil)),
			Now:       func() time.Time { return time.Now().Add(time.Duration(v.ahead.Load())) },
			DiskSpace: s.disk,
			Network: daemon.Network{
				Listen: func(network, _ string) (net.Listener, error) {
					if network == "unix" {
						return control.Load(), nil
					}
					return api, nil
				},
				Services: services.Transport,
				Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
					if _, port, _ := net.SplitHostPort(address); port == "25" {
						return mail.Dial(ctx, network, address)
					}
					if _, port, _ := net.SplitHostPort(address); s.ports[port] != nil {
						return s.ports[port].Dial(ctx, network, address)
					}
					return v.cloud.DialHubs(ctx, network, address)
				},
				Resolve: func(_ context.Context, _, host string) ([]netip.Addr, error) {
					if s.resolve != nil {
						return s.resolve(host)
					}
					return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
				},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
		ended := make(chan error, 1)
		go func() { ended <- v.daemon.Run(ctx) }()
		v.stop = sync.OnceFunc(func() {
			stop()
			if err := <-ended; err != nil {
				t.Errorf("the daemon ended with %v", err)
			}
		})
		<-v.daemon.Running()
	}
	v.start()
	t.Cleanup(func() {
		v.stop()
		if t.Failed() {
			t.Logf("its log:\n%s", v.log.String())
		}
	})
	return v
}

// status asks the API how the tenant stands.
func (v *virtual) status() daemon.WorkspaceStatus {
	v.t.Helper()
	var s daemon.Status
	if err := v.call("GET", "/v1/status", nil, &s); err != nil {
		v.t.Fatal(err)
	}
	if len(s.Workspaces) != 1 {
		v.t.Fatalf("%d workspaces", len(s.Workspaces))
	}
	return s.Workspaces[0]
}

// rows asks the tenant's workspace.
func (v *virtual) rows(query string) [][]string {
	v.t.Helper()
	var answer struct {
		Tables []struct{ Rows [][]any }
	}
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		v.t.Fatal(err)
	}
	if err := v.call("POST", "/v1/workspaces/"+entrasim.TenantName+"/query", bytes.NewReader(body), &answer); err != nil {
		v.t.Fatalf("%s: %v", query, err)
	}
	var out [][]string
	for _, table := range answer.Tables {
		for _, row := range table.Rows {
			var cells []string
			for _, c := range row {
				cells = append(cells, fmt.Sprint(c))
			}
			out = append(out, cells)
		}
	}
	return out
}
