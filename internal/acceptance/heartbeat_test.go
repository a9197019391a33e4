package acceptance_test

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"glassward/daemon"
	"glassward/internal/entrasim"
	"glassward/internal/pipe"
	"glassward/internal/private"
)

// The dead man's ping goes out after a record has come through intake, rules and
// outbox in its interval. What does not come through, and a receiver that nobody
// reaches, is told as a failure, with where it stopped.
func TestDeadMansPing(t *testing.T) {
	t.Parallel()
	dead(t, "", func(v *virtual, answer func(int), taken func(time.Duration) (well, failed []string)) {
		status := func() daemon.Status {
			v.t.Helper()
			var s daemon.Status
			if err := v.call("GET", "/v1/status", nil, &s); err != nil {
				v.t.Fatal(err)
			}
			return s
		}

		time.Sleep(30 * time.Second)
		well, failed := taken(10 * time.Minute)
		if len(well) != 10 || len(failed) != 0 {
			v.t.Fatalf("%d pings, and failures %q", len(well), failed)
		}
		if !strings.Contains(well[9], "\njournal: ") || strings.Contains(well[9], "nordlicht") {
			v.t.Errorf("a ping says\n%s", well[9])
		}
		if s := status(); s.Heartbeat == nil || s.Heartbeat.Fault != "" || time.Since(s.Heartbeat.Taken) > time.Minute || len(s.Warnings) > 1 {
			v.t.Errorf("status: %+v, %q", s.Heartbeat, s.Warnings)
		}
		// Nothing of it is left where it is not wanted.
		if rows := v.rows("GlasswardHeartbeat | count"); rows[0][0] != "11" {
			v.t.Errorf("%s records", rows[0][0])
		}
		if s := status(); s.Owed.Unrouted+s.Owed.Pending != 0 {
			v.t.Errorf("owed: %+v", s.Owed)
		}
		if rows := v.rows("union GlasswardAlerts, GlasswardIncidents, GlasswardDeliveries | count"); rows[0][0] != "0" {
			v.t.Errorf("%s records of alarms", rows[0][0])
		}

		// Nobody takes the service's word for it: what is not taken is an alarm.
		answer(http.StatusServiceUnavailable)
		time.Sleep(5 * time.Minute)
		rows := v.rows(`GlasswardHealth | where Condition == "heartbeat" | project Status`)
		if len(rows) != 1 || rows[0][0] != "Failure" {
			v.t.Errorf("pings that are not taken: %v", rows)
		}
		answer(http.StatusOK)
		time.Sleep(2 * time.Minute)
		if rows := v.rows(`GlasswardHealth | where Condition == "heartbeat" | project Status`); len(rows) != 2 || rows[1][0] != "Success" {
			v.t.Errorf("pings that are taken again: %v", rows)
		}

		// Without it, every status says so, and those before are told.
		v.write("glassward.yaml", mainFile(25, "oncall@example.org"))
		if err := v.call("POST", "/v1/reload", nil, new(any)); err != nil {
			v.t.Fatal(err)
		}
		if well, failed := taken(5 * time.Minute); len(well)+len(failed) > 1 {
			v.t.Errorf("%d pings without a configuration", len(well)+len(failed))
		}
		if s := status(); s.Heartbeat != nil || !strings.Contains(strings.Join(s.Warnings, "\n"), "dead man's ping") {
			v.t.Errorf("status: %+v, %q", s.Heartbeat, s.Warnings)
		}
		if rows := v.rows(`GlasswardHealth | where Condition == "configuration" and Description has "dead man's ping" | count`); rows[0][0] != "1" {
			v.t.Error("those before were not told that there is none any more")
		}
	})
}

// A record that is not taken in is no ping, but a failure that says so.
func TestDeadMansPingOfAFullDisk(t *testing.T) {
	t.Parallel()
	dead(t, "disk: {reserve: 1000TiB}\n", func(v *virtual, _ func(int), taken func(time.Duration) (well, failed []string)) {
		time.Sleep(30 * time.Second)
		well, failed := taken(5 * time.Minute)
		if len(well) != 0 || len(failed) != 5 {
			v.t.Fatalf("%d pings and %d failures", len(well), len(failed))
		}
		if !strings.Contains(failed[4], "wrong: tenant "+entrasim.TenantID+": its record was not taken in\n") {
			v.t.Errorf("a failure says\n%s", failed[4])
		}
	})
}

// dead runs a test with a dead man's service, which can answer otherwise, and from
// which can be had what it takes for a while.
func dead(t *testing.T, more string, test func(v *virtual, answer func(int), taken func(time.Duration) (well, failed []string))) {
	var mu sync.Mutex
	var pings []string
	status := http.StatusOK
	secretFile := filepath.Join(t.TempDir(), "ping")
	if err := private.WriteFile(secretFile, []byte("http://127.0.0.1:8000/ping/5f3a9c1e-0000-4000-8000-000000000001")); err != nil {
		t.Fatal(err)
	}
	heartbeat := "heartbeat: {url: \"file:" + secretFile + "\", every: 1m, allowedNetworks: [127.0.0.0/8]}\n"
	rates := entrasim.Calm()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(monday))
		port := pipe.New("pipe")
		check := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			pings = append(pings, r.URL.Path+"\n"+string(body))
			w.WriteHeader(status)
			fmt.Fprint(w, "OK")
		})}
		go func() { _ = check.Serve(port) }()
		defer check.Close()
		taken := func(d time.Duration) (well, failed []string) {
			mu.Lock()
			pings = nil
			mu.Unlock()
			time.Sleep(d)
			mu.Lock()
			defer mu.Unlock()
			for _, p := range pings {
				if path, _, _ := strings.Cut(p, "\n"); strings.HasSuffix(path, "/fail") {
					failed = append(failed, p)
				} else {
					well = append(well, p)
				}
			}
			return well, failed
		}
		v := newVirtual(t, setting{world: entrasim.Options{Seed: 5, Users: 20, Rates: &rates}, tenant: byGraph, files: map[string]string{
			"glassward.yaml": mainFile(25, "oncall@example.org") + heartbeat + more,
		}, ports: map[string]*pipe.Listener{"8000": port}})
		test(v, func(n int) {
			mu.Lock()
			defer mu.Unlock()
			status = n
		}, taken)
	})
}
