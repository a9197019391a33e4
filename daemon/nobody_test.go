package daemon_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"glassward/config"
	"glassward/daemon"
	"glassward/internal/entrasim"
)

// TestNobodyToTell runs a tenant that names no action group through a day with
// alarms: there is an incident, and no flood of alarms about the alarm that
// nobody could be told of.
func TestNobodyToTell(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"glassward.yaml": "data: data\nlisten: 127.0.0.1:0\n",
		"tenants/t.yaml": "tenant: " + entrasim.TenantID + "\nemergencyAccounts: [{objectId: " + entrasim.EA01 + "}]\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, problems := config.Load(filepath.Join(dir, "glassward.yaml"))
	if c == nil {
		t.Fatal(problems)
	}
	d, err := daemon.New(t.Context(), daemon.Options{Config: c, NoAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	body := bytes.Join(entrasim.New(1).Day(time.Now()), []byte("\n"))
	res, err := http.Post("http://"+d.Addr()+"/v1/ingest", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	// The alarms of the day come first; then twenty looks in a row must find the
	// same number, which a flood would not allow.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	last, quiet := -1, 0
	for quiet < 20 {
		select {
		case <-deadline:
			t.Fatalf("%d alerts, and no end of them", last)
		case <-tick.C:
		}
		n := alerts(t, d.Addr())
		if n == last && n > 0 {
			quiet++
		} else {
			last, quiet = n, 0
		}
	}
	if last > 10 {
		t.Errorf("%d alerts for a day with five", last)
	}
}
