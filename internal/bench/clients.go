package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"glassward/internal/entrasim"
)

// A demand is one kind of request of the mix. The statuses are those that are documented
// for it; with "none" is meant that no answer came.
type demand struct {
	name, method, path, prefer string
	body                       any
	allowed                    []string
}

// throttled and late are what the API documents for requests beyond a limit, and for
// queries that take longer than they may.
const (
	throttled = "429 ThrottledError"
	late      = "504 GatewayTimeout"
)

// mix is what clients ask, each kind as often as any other.
func mix() []demand {
	const query = "/v1/workspaces/default/query"
	ask := func(text string) any { return map[string]string{"query": text} }
	needle := `SigninLogs | where UserId == "` + account(3) + `" | top 10 by TimeGenerated`
	perHour := `SigninLogs | where TimeGenerated > ago(1d) | summarize count() by bin(TimeGenerated, 1h), ResultType`
	join := `SigninLogs | where TimeGenerated > ago(1h) | summarize SignIns = count() by UserId
| join kind=inner (AuditLogs | summarize Changes = count() by UserId = tostring(InitiatedBy.user.id)) on UserId | top 20 by SignIns`
	member := func(id, text string) map[string]any {
		return map[string]any{"id": id, "workspace": "default", "method": "POST", "path": "/query", "headers": map[string]string{}, "body": ask(text)}
	}
	list := []demand{
		{name: "needle by UserId", method: "POST", path: query, body: ask(needle)},
		{name: "summarize over a day", method: "POST", path: query, body: ask(perHour), allowed: []string{late}},
		{name: "join", method: "POST", path: query, body: ask(join), allowed: []string{late}},
		{name: "metadata", method: "GET", path: "/v1/workspaces/default/metadata"},
		{name: "batch of two", method: "POST", path: "/v1/$batch", body: map[string]any{"requests": []any{member("1", needle), member("2", perHour)}}},
		{name: "bad query", method: "POST", path: query, body: ask("SigninLogs | wher UserId"), allowed: []string{"400 BadArgumentError"}},
		{name: "heavy, wait=1", method: "POST", path: query, prefer: "wait=1", body: ask(heavyQuery), allowed: []string{late}},
	}
	for i := range list {
		list[i].allowed = append(list[i].allowed, throttled)
		if list[i].name != "bad query" {
			list[i].allowed = append(list[i].allowed, "200")
		}
	}
	return list
}

// A tally counts what clients were answered.
type tally struct {
	mu sync.Mutex
	// answers are by kind and "status code"; took are the times of answers by kind,
	// refusals by a limit left out.
	answers map[string]map[string]int
	took    map[string][]time.Duration
}

func (t *tally) add(kind, answer string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.answers[kind] == nil {
		t.answers[kind] = map[string]int{}
	}
	t.answers[kind][answer]++
	if answer != throttled {
		t.took[kind] = append(t.took[kind], took)
	}
}

// alarmsASecond is how many are timed: a hundredth of them says little where they are few.
const alarmsASecond = 2

// underQueries measures what so many clients with mixed queries make of alarms: first
// without them, then as long beside them, in one run with one intake. Each client has a
// token of its own, or all share one.
func underQueries(binary string, clients, seconds, rate int, shared bool) error {
	half := alarmsASecond * seconds
	b, err := layWith(binary, ownMail, nordlicht(2*half), true)
	if err != nil {
		return err
	}
	defer b.close()
	operate, err := firstToken(binary, b.dir)
	if err != nil {
		return err
	}
	api := caller{base: b.base, token: operate}
	pusher, err := api.make("pusher", "ingest")
	if err != nil {
		return err
	}
	tokens := make([]string, clients)
	for i := range tokens {
		if shared && i > 0 {
			tokens[i] = tokens[0]
			continue
		}
		if tokens[i], err = api.make(fmt.Sprintf("client-%03d", i), "query"); err != nil {
			return err
		}
	}
	push := &http.Client{Timeout: 30 * time.Second, Transport: bearer{pusher, http.DefaultTransport}}
	measure := func(s stream) ([]time.Duration, int, error) {
		sent, pushed, err := s.load(b.base)
		if err != nil {
			return nil, pushed, err
		}
		took, err := b.awaited(sent)
		return took, pushed, err
	}
	calm, pushedCalm, err := measure(stream{client: push, seed: 7, alarms: half, seconds: seconds, rate: rate})
	if err != nil {
		return fmt.Errorf("without clients: %w", err)
	}

	ctx, stop := context.WithTimeout(context.Background(), time.Duration(seconds)*time.Second)
	defer stop()
	t := &tally{answers: map[string]map[string]int{}, took: map[string][]time.Duration{}}
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	var all sync.WaitGroup
	for i, token := range tokens {
		c := caller{base: b.base, token: token, client: &http.Client{Transport: transport}}
		all.Go(func() { c.askOn(ctx, rand.New(rand.NewPCG(1, uint64(i))), t) })
	}
	peak := int64(0)
	all.Go(func() {
		every := time.NewTicker(500 * time.Millisecond)
		defer every.Stop()
		for {
			if now, err := resident(b.pid); err == nil {
				peak = max(peak, now)
			}
			select {
			case <-ctx.Done():
				return
			case <-every.C:
			}
		}
	})
	beside, pushed, err := measure(stream{client: push, seed: 8, first: half, alarms: half, seconds: seconds, rate: rate})
	stop()
	all.Wait()
	if err != nil {
		return fmt.Errorf("beside %d clients: %w", clients, err)
	}

	mode := "a token each"
	if shared {
		mode = "one token"
	}
	fmt.Printf("%d alarms beside %d clients (%s) and intake; %d records in %d s, before that %d alarms and %d records without clients; load of the machine %s\n", len(beside), clients, mode, pushed, seconds, len(calm), pushedCalm, machine())
	fmt.Printf("%-34s %12s %12s %8s\n", "", "ours", "reference", "ratio")
	ratio := 0.0
	for _, p := range []float64{0.5, 0.9, 0.99, 1} {
		ours, reference := quantile(beside, p), quantile(calm, p)
		if p == 0.99 {
			ratio = float64(ours) / float64(reference)
		}
		fmt.Printf("%-34s %12v %12v %8.2f\n", fmt.Sprintf("alarm p%g, reference without clients", p*100), ours.Round(time.Millisecond), reference.Round(time.Millisecond), float64(ours)/float64(reference))
	}
	fmt.Printf("%-34s %8d MiB\n\n", "peak resident memory of serve", peak>>20)
	odd := t.print()
	switch {
	case len(odd) > 0:
		return fmt.Errorf("answers that are not documented: %s", strings.Join(odd, ", "))
	case ratio > 2:
		return fmt.Errorf("alarm p99 is %.2f times its calm value, the bound is 2", ratio)
	}
	return nil
}

// print prints a line for each kind of request, and gives the answers that are not
// documented for it.
func (t *tally) print() (odd []string) {
	fmt.Printf("%-24s %8s %10s %10s  %s\n", "request", "answers", "p50", "p99", "answers by status and code")
	for _, d := range mix() {
		n, list := 0, []string{}
		for _, answer := range slices.Sorted(maps.Keys(t.answers[d.name])) {
			count := t.answers[d.name][answer]
			n += count
			list = append(list, fmt.Sprintf("%s: %d", answer, count))
			if !slices.Contains(d.allowed, answer) {
				odd = append(odd, fmt.Sprintf("%s: %s (%d)", d.name, answer, count))
			}
		}
		took := t.took[d.name]
		fmt.Printf("%-24s %8d %10v %10v  %s\n", d.name, n, quantile(took, 0.5).Round(time.Millisecond), quantile(took, 0.99).Round(time.Millisecond), strings.Join(list, ", "))
	}
	return odd
}

// quantile gives a quantile of times, 0 of none.
func quantile(list []time.Duration, p float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}

// A bearer sends a token with every request.
type bearer struct {
	token string
	next  http.RoundTripper
}

// RoundTrip sends a request with the token.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

// A caller asks the API with a token.
type caller struct {
	base, token string
	client      *http.Client // nil for the default
}

// firstToken has the program make the token by which the others are made.
func firstToken(binary, dir string) (string, error) {
	out, err := exec.Command(binary, "token", "create", "bench", "--all-tenants", "--scope", "operate", "--data", filepath.Join(dir, "data")).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return "", fmt.Errorf("make a token: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// make makes a token of a scope. It makes hundreds, and comes again where it is told to.
func (c caller) make(name, scope string) (string, error) {
	d := demand{method: "POST", path: "/v1/tokens", body: map[string]any{"name": name, "tenant": entrasim.TenantID, "scopes": []string{scope}}}
	for {
		answer, wait, text := c.ask(context.Background(), d)
		var made struct{ Token string }
		switch {
		case answer == throttled:
			time.Sleep(wait)
		case answer != "200":
			return "", fmt.Errorf("make token %s: %s: %s", name, answer, text)
		default:
			err := json.Unmarshal(text, &made)
			return made.Token, err
		}
	}
}

// askOn asks one request after the other until ctx ends, and comes again when it is told
// to. What is under way then is not counted.
func (c caller) askOn(ctx context.Context, r *rand.Rand, t *tally) {
	demands := mix()
	for ctx.Err() == nil {
		d := demands[r.IntN(len(demands))]
		began := time.Now()
		answer, wait, _ := c.ask(ctx, d)
		if ctx.Err() != nil {
			return
		}
		t.add(d.name, answer, time.Since(began))
		if wait > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
	}
}

// ask asks one request and gives "status code" of the answer, or what went wrong, how long
// it says to wait, and its body.
func (c caller) ask(ctx context.Context, d demand) (answer string, wait time.Duration, text []byte) {
	var body io.Reader
	if d.body != nil {
		encoded, err := json.Marshal(d.body)
		if err != nil {
			return "none: " + err.Error(), 0, nil
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, d.method, c.base+d.path, body)
	if err != nil {
		return "none: " + err.Error(), 0, nil
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	if d.prefer != "" {
		req.Header.Set("Prefer", d.prefer)
	}
	res, err := cmp.Or(c.client, http.DefaultClient).Do(req)
	if err != nil {
		return "none: " + err.Error(), 0, nil
	}
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	if err != nil {
		return "none: " + err.Error(), 0, nil
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		wait = time.Duration(seconds) * time.Second
	}
	answer = strconv.Itoa(res.StatusCode)
	if code := res.Header.Get("x-ms-error-code"); code != "" {
		answer += " " + code
	}
	return answer, wait, text
}
