package daemon_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/config"
	"glassward/daemon"
	"glassward/internal/entrasim"
)

// panics is a network whose every request is a defect of ours.
type panics struct{}

func (panics) RoundTrip(*http.Request) (*http.Response, error) {
	panic("a defect that a test put here")
}

// TestPanicOfOneTenant has everything panic that one tenant's roads do: the
// process lives, the other tenant is watched, and the defect is an alarm of the
// first.
func TestPanicOfOneTenant(t *testing.T) {
	t.Setenv("GLASSWARD_TEST_SECRET", "not a secret")
	const ill = "11111111-2222-4333-8444-555555555555"
	dir := t.TempDir()
	for name, text := range map[string]string{
		"glassward.yaml":    "data: data\nlisten: 127.0.0.1:0\n",
		"tenants/well.yaml": "tenant: " + entrasim.TenantID + "\nname: well\nemergencyAccounts: [{objectId: " + entrasim.EA01 + "}]\n",
		"tenants/ill.yaml": "tenant: " + ill + "\nname: ill\nemergencyAccounts: [{objectId: " + entrasim.EA02 + "}]\n" +
			"application: {clientId: 22222222-2222-4333-8444-555555555555, clientSecret: env:GLASSWARD_TEST_SECRET}\nsources: {graph: {}, activity: {}}\n",
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
	if c == nil || len(c.Each) != 2 {
		t.Fatal(problems)
	}
	d, err := daemon.New(t.Context(), daemon.Options{Config: c, NoAuth: true, Network: daemon.Network{Services: panics{}}})
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
	incidents := func(tenant string) (all string) {
		res, err := http.Get("http://" + d.Addr() + "/v1/workspaces/" + tenant + "/incidents")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var answer struct{ Value []glassward.Incident }
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		for _, i := range answer.Value {
			all += i.Title + "\n" + i.Description + "\n"
		}
		return all
	}
	body := strings.NewReader(string(entrasim.New(1).SignInBy(time.Now(), entrasim.EA01, "ea-01")))
	res, err := http.Post("http://"+d.Addr()+"/v1/ingest?tenant=well", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for {
		sick, well := incidents("ill"), incidents("well")
		if strings.Contains(sick, "graph") && strings.Contains(well, "sign-in completed") && !strings.Contains(well, "defect") {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("the ill tenant has\n%s\nthe other\n%s", sick, well)
		case <-tick.C:
		}
	}
}
