package acceptance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/config"
	"glassward/console"
	"glassward/daemon"
	"glassward/internal/entrasim"
	"glassward/internal/mailsink"
)

// A house is a configuration in a folder of its own, and what speaks to the
// daemon that runs over it.
type house struct {
	t    *testing.T
	dir  string
	http *http.Client // over the control socket
}

// newHouse writes files, by name below the folder; most tests begin with main
// and tenant.
func newHouse(t *testing.T, files map[string]string) *house {
	t.Helper()
	return newHouseIn(t, t.TempDir(), files)
}

// newHouseIn makes one in a folder in which another may have lived before.
func newHouseIn(t *testing.T, dir string, files map[string]string) *house {
	t.Helper()
	h := &house{t: t, dir: dir}
	for name, text := range files {
		h.write(name, text)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", daemon.Socket(h.data()))
	}}
	h.http = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	return h
}

func (h *house) data() string            { return filepath.Join(h.dir, "data") }
func (h *house) file(name string) string { return filepath.Join(h.dir, name) }

func (h *house) write(name, text string) {
	h.t.Helper()
	path := h.file(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// text gives what write wrote.
func (h *house) text(name string) string {
	h.t.Helper()
	text, err := os.ReadFile(h.file(name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// mainFile is a glassward.yaml whose group emergency tells these addresses by a
// mail server on this port.
func mainFile(port int, addresses ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `data: data
listen: 127.0.0.1:0
mailServers:
  - {name: sink, host: 127.0.0.1, port: %d, tls: none, from: Glassward <glassward@example.org>}
actionGroups:
  - name: emergency
    groupShortName: emergency
    subject: "[CRITICAL] Emergency Access Activity"
    emailReceivers:
`, port)
	for _, a := range addresses {
		fmt.Fprintf(&b, "      - {name: %s, emailAddress: %s}\n", strings.ReplaceAll(a, "@", "-at-"), a)
	}
	return b.String()
}

// tenantFile declares the made-up tenant with these accounts.
func tenantFile(accounts ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "tenant: %s\nname: %s\nactionGroups: [emergency]\nemergencyAccounts:\n", entrasim.TenantID, entrasim.TenantName)
	for i, a := range accounts {
		fmt.Fprintf(&b, "  - {objectId: %s, name: EA-%02d}\n", a, i+1)
	}
	return b.String()
}

const tenantPath = "tenants/nordlicht.yaml"

// listenMail starts a mail server that ends with the test.
func listenMail(t *testing.T, o mailsink.Options) *mailsink.Sink {
	t.Helper()
	sink, err := mailsink.Listen("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	})
	return sink
}

// serve runs the daemon in this process until the test ends.
func (h *house) serve() *daemon.Daemon {
	h.t.Helper()
	return h.serveWith(func(*daemon.Options) {})
}

// serveWith is serve with options that change changes.
func (h *house) serveWith(change func(*daemon.Options)) *daemon.Daemon {
	h.t.Helper()
	load := func() (*config.Config, []config.Problem) { return config.Load(h.file("glassward.yaml")) }
	c, problems := load()
	if c == nil {
		h.t.Fatalf("the configuration cannot be used: %v", problems)
	}
	var log bytes.Buffer
	o := daemon.Options{Config: c, Problems: problems, Load: load, Version: "test", Log: slog.New(slog.NewTextHandler(&log, nil))}
	change(&o)
	d, err := daemon.New(h.t.Context(), o)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(h.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	h.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			h.t.Errorf("the daemon ended with %v", err)
		}
		if h.t.Failed() {
			h.t.Logf("its log:\n%s", log.String())
		}
	})
	return d
}

// cli runs a command over this house's data folder; it has to succeed.
func (h *house) cli(args ...string) string {
	h.t.Helper()
	code, out, errs := run(h.t, "", append(args, "--data", h.data())...)
	if code != 0 {
		h.t.Fatalf("%v: exit %d\n%s%s", args, code, out, errs)
	}
	return out
}

// call asks the API over the control socket.
func (h *house) call(method, path string, body io.Reader, into any) error {
	req, err := http.NewRequestWithContext(h.t.Context(), method, "http://glassward"+path, body)
	if err != nil {
		return err
	}
	res, err := h.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, text)
	}
	return json.Unmarshal(text, into)
}

// push sends records as the holder of a token does.
func push(t *testing.T, address, token string, body []byte) (int, console.Receipt, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/v1/ingest", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var r console.Receipt
	_ = json.Unmarshal(text, &r) // an error's body has another form
	return res.StatusCode, r, string(text)
}

// patience bounds every wait of these tests. It is long enough for a machine that is
// busy with other things; whoever waits for what never comes waits once.
const patience = 3 * time.Minute

// Where the race detector watches, everything takes three to nine times as long, and
// what it looks for does not come with the tenth story of a kind: there the long tests
// play a part of what they have, by part and few. `make test` plays them whole as well,
// without it.

// part gives at most n of a list under the race detector, spread over it, and else all.
func part[T any](list []T, n int) []T {
	if !racing || len(list) <= n {
		return list
	}
	out := make([]T, n)
	for i := range out {
		out[i] = list[i*(len(list)-1)/max(n-1, 1)]
	}
	return out
}

// few gives a quarter of a number under the race detector, and else the number.
func few(n int) int {
	if racing {
		return n / 4
	}
	return n
}

// until asks again and again until done says so; it fails with what done says
// last.
func until(t *testing.T, done func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("it did not come to pass: %v", err)
		case <-tick.C:
		}
	}
}

// mails waits until n mails have come.
func mails(t *testing.T, sink *mailsink.Sink, n int) []mailsink.Mail {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	list, err := sink.Wait(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// story is what a tenant's incidents have come to.
type story struct {
	incidents int
	alerts    []string // ids with titles, sorted
	notices   []string // ids of those that were delivered
	owed      int64
	waiting   int
}

// told reads the story of one tenant.
func (h *house) told(tenant string) (story, error) {
	var s story
	var status daemon.Status
	if err := h.call("GET", "/v1/status", nil, &status); err != nil {
		return s, err
	}
	s.owed = int64(status.Owed.Pending + status.Owed.Unrouted)
	for _, w := range status.Workspaces {
		s.waiting += w.Waiting
	}
	var list struct{ Value []glassward.Incident }
	if err := h.call("GET", "/v1/workspaces/"+tenant+"/incidents", nil, &list); err != nil {
		return s, err
	}
	for _, i := range list.Value {
		if i.Tenant == "" {
			continue // of the installation, not of the tenant
		}
		s.incidents++
		var c console.Case
		if err := h.call("GET", fmt.Sprintf("/v1/workspaces/%s/incidents/%d", tenant, i.Number), nil, &c); err != nil {
			return s, err
		}
		for _, a := range c.Alerts {
			s.alerts = append(s.alerts, string(a.ID)+" "+a.Title)
		}
		for _, d := range c.Deliveries {
			if d.Status == glassward.Delivered {
				s.notices = append(s.notices, string(d.Notice))
			}
		}
	}
	slices.Sort(s.alerts)
	slices.Sort(s.notices)
	return s, nil
}
