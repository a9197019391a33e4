package acceptance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"

	"glassward"
	"glassward/config"
	"glassward/daemon"
	"glassward/internal/entrasim"
	"glassward/internal/fault"
	"glassward/internal/mailsink"
	"glassward/internal/pipe"
	"glassward/state"
)

// A chaosRun is one life of the process in a seed's run.
type chaosRun struct {
	t    *testing.T
	dir  string
	plan *chaosPlan
	*house

	mu    sync.Mutex
	book  *os.File
	modes map[string]string // of the receivers mail and hook
	dials map[string][]net.Conn
}

var (
	chaosAddress = regexp.MustCompile(`198\.18\.\d+\.\d+`)
	// chaosListed is an incident in the list of what a storm's messages collect.
	chaosListed = regexp.MustCompile(`Incident (\d+), (?:High|Medium|Low|Informational):`)
)

// write adds to the world's book. It is one write, which a kill cannot tear.
func (c *chaosRun) write(e chaosEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.At = time.Now()
	line, err := json.Marshal(e)
	if err == nil {
		_, err = c.book.Write(append(line, '\n'))
	}
	if err != nil {
		panic(err)
	}
}

func (c *chaosRun) got(receiver, key, text string) {
	addresses := chaosAddress.FindAllString(text, -1)
	slices.Sort(addresses)
	var incidents []string
	for _, m := range chaosListed.FindAllStringSubmatch(text, -1) {
		incidents = append(incidents, m[1])
	}
	c.write(chaosEntry{Receiver: receiver, Key: key, Addresses: slices.Compact(addresses), Incidents: incidents})
}

func (c *chaosRun) mode(receiver string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.modes[receiver]
}

// drop breaks the connections of a receiver, so that its answers are lost.
func (c *chaosRun) drop(receiver string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.dials[receiver] {
		conn.Close()
	}
	c.dials[receiver] = nil
}

// liveChaos is what the killed process runs: the daemon with its stores, the
// receivers and the rest of the plan, in virtual time that goes on where the last
// life ended.
func liveChaos(t *testing.T, dir string) {
	seed := chaosNumber(t, chaosSeed, os.Getenv(chaosSeed))
	visits, err := os.OpenFile(filepath.Join(dir, "visits"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	var seen sync.Map
	fault.Watch(func(name fault.Name) {
		if _, before := seen.LoadOrStore(name, true); !before {
			if _, err := visits.WriteString(string(name) + "\n"); err != nil {
				panic(err)
			}
		}
	})
	past, err := readChaos(dir)
	if err != nil {
		t.Fatal(err)
	}
	book, err := os.OpenFile(filepath.Join(dir, "world.ndjson"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		c := &chaosRun{t: t, dir: dir, plan: newChaosPlan(seed), book: book, modes: map[string]string{"mail": "well", "hook": "well"}, dials: map[string][]net.Conn{}}
		begin, next := monday, 0
		if len(past) > 0 {
			r := rand.New(rand.NewPCG(seed, uint64(len(past))))
			begin = past[len(past)-1].At.Add(time.Second + time.Duration(r.IntN(600))*time.Second)
			if r.IntN(6) == 0 {
				begin = begin.Add(time.Duration(r.IntN(4)) * time.Hour) // nobody was there to start it
			}
		}
		next = didChaos(past)
		time.Sleep(time.Until(begin))
		c.live(next)
	})
}

func (c *chaosRun) live(next int) {
	t := c.t
	mail, hook, control, api := pipe.New("pipe"), pipe.New("pipe"), pipe.New("pipe"), pipe.New("pipe")
	c.receive(mail, hook)
	c.house = &house{t: t, dir: c.dir}
	if next == 0 {
		c.house.write("glassward.yaml", mainFile(25, "oncall@example.org")+`    webhookReceivers:
      - {name: hook, serviceUri: "http://127.0.0.1:9000/hook", allowedNetworks: [127.0.0.0/8]}
rules: rules
retention: {default: 36h}
`)
		c.house.write(tenantPath, tenantFile(entrasim.EA01, entrasim.EA02))
		c.house.write("rules/failures.yaml", chaosFailures)
		c.variant("Alpha")
	}
	for _, a := range c.plan.acts[:next] {
		if a.kind == "mail" || a.kind == "hook" {
			c.modes[a.kind] = a.what
		}
	}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		receiver, to := "mail", mail
		if strings.HasSuffix(address, ":9000") {
			receiver, to = "hook", hook
		}
		if c.mode(receiver) == "refuses" {
			return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
		}
		conn, err := to.Dial(ctx, network, address)
		if err == nil {
			c.mu.Lock()
			c.dials[receiver] = append(c.dials[receiver], conn)
			c.mu.Unlock()
		}
		return conn, err
	}
	load := func() (*config.Config, []config.Problem) { return config.Load(c.file("glassward.yaml")) }
	conf, problems := load()
	if conf == nil {
		t.Fatalf("the configuration cannot be used: %v", problems)
	}
	var log bytes.Buffer
	o := daemon.Options{
		Config: conf, Problems: problems, Load: load, Version: "test", Log: slog.New(slog.NewTextHandler(&log, nil)),
		Network: daemon.Network{
			Listen: func(network, _ string) (net.Listener, error) {
				if network == "unix" {
					return control, nil
				}
				return api, nil
			},
			Dial: dial,
			Resolve: func(context.Context, string, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			},
		},
	}
	d, err := daemon.New(t.Context(), o)
	lost := pendingChaos(c.dir)
	if lost && err != nil && strings.Contains(err.Error(), "accept") {
		o.AcceptLoss = true
		d, err = daemon.New(t.Context(), o)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
		if t.Failed() {
			t.Logf("its log:\n%s", log.String())
			return
		}
		c.account()
	}()
	<-d.Running()
	transport := &http.Transport{DialContext: control.Dial}
	defer transport.CloseIdleConnections()
	c.http = &http.Client{Transport: transport}

	if lost {
		var told []int
		for _, a := range c.plan.acts[:next] {
			told = append(told, a.push...)
		}
		if len(told) > 0 {
			c.push(told)
		}
		if err := os.Remove(c.file(chaosLost)); err != nil {
			t.Fatal(err)
		}
	}
	for i, a := range c.plan.acts[next:] {
		time.Sleep(a.after)
		c.act(a)
		c.write(chaosEntry{Did: next + i + 1})
	}
	c.mu.Lock()
	c.modes["mail"], c.modes["hook"] = "well", "well"
	c.mu.Unlock()
	c.settle()
	c.end()
}

// receive serves the receivers.
func (c *chaosRun) receive(mail, hook net.Listener) {
	later := &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "come again later"}
	sink := mailsink.New(mailsink.Options{Accept: func(m mailsink.Mail) error {
		switch c.mode("mail") {
		case "busy":
			return later
		case "hangs":
			time.Sleep(10 * time.Minute)
			return later
		}
		key, _, _ := strings.Cut(strings.Trim(m.Header("Message-ID"), "<>"), "@")
		c.got("mail", key, m.Subject()+m.Part("text/plain"))
		if c.mode("mail") == "loses its answer" {
			c.drop("mail")
			return later
		}
		return nil
	}})
	sink.Serve(mail)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		switch c.mode("hook") {
		case "busy":
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		case "later":
			w.Header().Set("Retry-After", "7200")
			http.Error(w, "later", http.StatusTooManyRequests)
			return
		case "hangs":
			select {
			case <-time.After(10 * time.Minute):
			case <-r.Context().Done():
			}
			return
		}
		c.got("hook", r.Header.Get("webhook-id"), string(body))
		if c.mode("hook") == "loses its answer" {
			panic(http.ErrAbortHandler)
		}
	})}
	go server.Serve(hook)
	c.t.Cleanup(func() {
		server.Close()
		c.drop("mail")
		if err := sink.Close(); err != nil {
			c.t.Error(err)
		}
	})
}

// variant writes the rule file that changes, at once and whole as an editor does.
func (c *chaosRun) variant(name string) {
	text := chaosExtra(name)
	path := c.file("rules/extra.yaml")
	if text == "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			c.t.Fatal(err)
		}
		return
	}
	c.house.write("extra.new", text)
	if err := os.Rename(c.file("extra.new"), path); err != nil {
		c.t.Fatal(err)
	}
}

// act does one thing of the plan. It may have been done by the life before, which
// died before it could write that down.
func (c *chaosRun) act(a chaosAct) {
	switch a.kind {
	case "push":
		c.push(a.push)
	case "rule":
		c.variant(a.what)
		var answer any
		if err := c.call("POST", "/v1/reload", nil, &answer); err != nil && a.what != "broken" {
			c.t.Errorf("reload of %s: %v", a.what, err)
		}
	case "compact":
		var answer any
		if err := c.call("POST", "/v1/compact", strings.NewReader("{}"), &answer); err != nil {
			c.t.Errorf("compact: %v", err)
		}
	case "backup":
		to := c.file(fmt.Sprintf("backup-%d-%d", time.Now().UnixNano(), os.Getpid())) // a life that died at once comes by at the same time
		var answer any
		if err := c.call("POST", "/v1/backup", strings.NewReader(fmt.Sprintf(`{"to": %q}`, to)), &answer); err != nil {
			c.t.Errorf("backup: %v", err)
		}
		c.house.write("backup", to)
	case "restore":
		var answer any
		ask := fmt.Sprintf(`{"from": %q, "tenant": "default", "replace": true}`, c.text("backup"))
		if err := c.call("POST", "/v1/restore", strings.NewReader(ask), &answer); err != nil {
			c.t.Errorf("restore: %v", err)
		}
		if len(a.push) > 0 {
			c.push(a.push)
		}
	case "mail", "hook":
		c.mu.Lock()
		c.modes[a.kind] = a.what
		c.mu.Unlock()
	case "acknowledge":
		var list struct{ Value []glassward.Incident }
		if err := c.call("GET", "/v1/workspaces/default/incidents", nil, &list); err != nil {
			c.t.Error(err)
		}
		for _, i := range list.Value {
			if i.Tenant == "" || i.Status == glassward.StatusClosed {
				continue
			}
			body := strings.NewReader(`{"by": "somebody", "reason": "looking into it"}`)
			var answer any
			if err := c.call("POST", fmt.Sprintf("/v1/workspaces/default/incidents/%d/acknowledge", i.Number), body, &answer); err != nil {
				c.t.Error(err)
			}
			if a.what != "all" {
				return
			}
		}
	}
}

// push sends records as a source does.
func (c *chaosRun) push(numbers []int) {
	var body strings.Builder
	for _, n := range numbers {
		body.WriteString(c.plan.records[n].line(c.born(n)) + "\n")
	}
	var receipt struct{ Records, Rejected int }
	if err := c.call("POST", "/v1/ingest?tenant=default", strings.NewReader(body.String()), &receipt); err != nil || receipt.Records != len(numbers) || receipt.Rejected != 0 {
		c.t.Errorf("a push gave %+v: %v", receipt, err)
	}
}

// born gives a record's event time, which is the same in every life: it lies
// before the plan's own time of the push, whenever that came to pass.
func (c *chaosRun) born(number int) time.Time {
	at := monday
	for _, a := range c.plan.acts {
		at = at.Add(a.after)
		if slices.Contains(a.push, number) {
			break
		}
	}
	return at.Add(-c.plan.records[number].late)
}

// settle waits until everything is judged and told. Where that does not come to
// pass it says what stands open.
func (c *chaosRun) settle() {
	quiet := 0
	var last daemon.Status
	for range 12 * 12 {
		time.Sleep(5 * time.Minute)
		last = daemon.Status{}
		if err := c.call("GET", "/v1/status", nil, &last); err != nil {
			c.t.Fatal(err)
		}
		waiting := last.Owed.Pending + last.Owed.Unrouted
		for _, w := range last.Workspaces {
			waiting += w.Waiting
		}
		if quiet++; waiting > 0 {
			quiet = 0
		}
		// Windows end every five minutes, digests come within the hour.
		if quiet == 4 && last.Owed.Collecting == 0 || quiet == 14 {
			return
		}
	}
	c.t.Errorf("after twelve hours it is not quiet: %+v", last)
}

// end asks what the event store holds.
func (c *chaosRun) end() {
	var answer struct {
		Tables []struct{ Rows [][]string }
	}
	if err := c.call("POST", "/v1/workspaces/default/query", strings.NewReader(`{"query": "SigninLogs | project tostring(_ItemId), IPAddress"}`), &answer); err != nil {
		c.t.Fatal(err)
	}
	rows := answer.Tables[0].Rows
	want, old := map[string]bool{}, map[string]bool{}
	for _, a := range c.plan.acts {
		if a.forgets() {
			maps.Copy(old, want)
		}
		for _, n := range a.push {
			want[c.plan.records[n].address()] = true
		}
	}
	for _, r := range rows {
		if !want[r[1]] {
			c.t.Errorf("the store holds a record of %s twice, or one that nobody pushed", r[1])
		}
		delete(want, r[1])
	}
	for address := range want {
		if !old[address] {
			c.t.Errorf("the store does not hold the record of %s", address)
		}
	}
	text, err := json.Marshal(rows)
	if err != nil {
		c.t.Fatal(err)
	}
	c.house.write("records.json", string(text))
}

// account reads the stopped control store and writes down what it holds.
func (c *chaosRun) account() {
	t := c.t
	var rows [][]string
	if err := json.Unmarshal([]byte(c.text("records.json")), &rows); err != nil {
		t.Fatal(err)
	}
	address := map[string]string{}
	for _, r := range rows {
		address[r[0]] = r[1]
	}
	s, err := state.Open(t.Context(), c.data(), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	end := chaosEnd{Notices: map[string]map[string]string{}}
	note := func(tenant string, number int64) {
		notices, err := s.Notices(t.Context(), tenant, number, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range notices {
			end.Notices[string(n.ID)] = map[string]string{}
		}
		list, err := s.Deliveries(t.Context(), tenant, number)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			end.Notices[string(d.Notice)][d.Receiver] = string(d.Status)
		}
	}
	incidents, more, err := s.Incidents(t.Context(), state.IncidentFilter{Limit: 1000})
	if err != nil || more != "" {
		t.Fatal(err, more)
	}
	note("", 0)
	note(entrasim.TenantID, 0)
	of := map[glassward.AlertID]string{}
	for _, i := range incidents {
		note(i.Tenant, i.Number)
		if len(i.Alerts) > 0 {
			end.Incidents = append(end.Incidents, strconv.FormatInt(i.Number, 10))
		}
		for _, id := range i.Alerts {
			of[id] = strconv.FormatInt(i.Number, 10)
		}
	}
	alerts, more, err := s.Alerts(t.Context(), state.AlertFilter{Tenant: entrasim.TenantID, Limit: 1000})
	if err != nil || more != "" {
		t.Fatal(err, more)
	}
	for _, a := range alerts {
		whole, err := s.Alert(t.Context(), entrasim.TenantID, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		alarm := chaosAlarm{ID: string(a.ID), Rule: a.RuleName, Incident: of[a.ID]}
		for _, r := range whole.Records {
			if at := address[r.String()]; at != "" {
				alarm.Addresses = append(alarm.Addresses, at)
			}
		}
		end.Alarms = append(end.Alarms, alarm)
	}
	text, err := json.Marshal(end)
	if err != nil {
		t.Fatal(err)
	}
	c.house.write("end.json", string(text))
}
