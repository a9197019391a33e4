package daemon

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/config"
	"glassward/state"
)

const dependentID = "aaaaaaaa-51b2-4c7d-8f01-9d2c6a7b0000"

// A dependable is a data folder with one tenant, whose receivers the test changes.
type dependable struct {
	t   *testing.T
	dir string
}

func (x dependable) write(name, text string) {
	x.t.Helper()
	path := filepath.Join(x.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		x.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		x.t.Fatal(err)
	}
}

// receivers writes glassward.yaml with one address to tell.
func (x dependable) receivers(address string) {
	x.write("glassward.yaml", "data: data\nlisten: 127.0.0.1:0\nmailServers: [{name: main, host: 127.0.0.1, port: 1, tls: none, from: g@contoso.example}]\n"+
		"actionGroups: [{name: oncall, emailReceivers: [{name: kim, emailAddress: "+address+"}]}]\n")
}

func (x dependable) tenant(more string) {
	x.write("tenants/t.yaml", "tenant: "+dependentID+"\nname: contoso\ndomains: [contoso.example]\nactionGroups: [oncall]\nemergencyAccounts: [{objectId: "+"e1a00000-51b2-4c7d-8f01-9d2c6a7b0001"+"}]\n"+more)
}

// run starts a daemon and gives what ends it.
func (x dependable) run() (*Daemon, func()) {
	x.t.Helper()
	load := func() (*config.Config, []config.Problem) { return config.Load(filepath.Join(x.dir, "glassward.yaml")) }
	c, problems := load()
	if c == nil {
		x.t.Fatal(problems)
	}
	d, err := New(x.t.Context(), Options{Config: c, Problems: problems, Load: load, NoAuth: true})
	if err != nil {
		x.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(x.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	select {
	case <-d.Running():
	case <-time.After(time.Minute):
		x.t.Fatal("it does not run")
	}
	return d, func() {
		x.t.Helper()
		stop()
		if err := <-ended; err != nil {
			x.t.Error(err)
		}
	}
}

func watchedNow(d *Daemon) []config.Tenant {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.config.Each
}

// told gives the health incidents of the tenant, and of the installation, that hold a
// text, by their status.
func (x dependable) told(text string) (out []string) {
	x.t.Helper()
	s, err := state.Open(x.t.Context(), filepath.Join(x.dir, "data"), state.Options{})
	if err != nil {
		x.t.Fatal(err)
	}
	defer s.Close()
	list, _, err := s.Incidents(x.t.Context(), state.IncidentFilter{})
	if err != nil {
		x.t.Fatal(err)
	}
	for _, in := range list {
		if strings.Contains(in.Title, text) {
			out = append(out, string(in.Status))
		}
	}
	return out
}

// TestDependentTenant goes through what a tenant meets whose receivers all depend on
// it: a new one is refused, one that is watched cannot be made so by a reload, and one
// that was watched by a version that did not ask is watched on, with an alarm that ends
// when it is mended.
func TestDependentTenant(t *testing.T) {
	x := dependable{t, t.TempDir()}
	watched := func(d *Daemon, want bool) {
		t.Helper()
		if got := len(watchedNow(d)) == 1; got != want {
			t.Errorf("watched: %v, want %v", got, want)
		}
	}
	const alarm = "stands or falls with the tenant"
	x.receivers("kim@contoso.example")
	x.tenant("")
	d, end := x.run()
	watched(d, false)
	end()
	if got := x.told("this tenant is not watched"); len(got) != 1 {
		t.Errorf("refused: told %q", got)
	}

	x.receivers("kim@elsewhere.example")
	d, end = x.run()
	watched(d, true)
	x.receivers("kim@contoso.example")
	if err := d.Reload(t.Context(), "test"); err == nil || !strings.Contains(err.Error(), "nothing was changed") || !strings.Contains(err.Error(), "every receiver stands or falls") {
		t.Errorf("reload: %v", err)
	}
	watched(d, true)
	end()
	if got := x.told(alarm); len(got) != 0 {
		t.Errorf("told %q", got)
	}

	// The upgrade: the same files, and it was watched when the daemon ran last.
	d, end = x.run()
	watched(d, true)
	x.tenant("protectedObjects: [{objectId: " + "e1a00000-51b2-4c7d-8f01-9d2c6a7b0002" + "}]\n") // whatever else is changed is taken up
	if err := d.Reload(t.Context(), "test"); err != nil {
		t.Errorf("reload of what was so before: %v", err)
	}
	if list := watchedNow(d); len(list) != 1 || len(list[0].ProtectedObjects) != 1 {
		t.Errorf("%+v", list)
	}
	end()
	if got := x.told(alarm); len(got) != 1 || got[0] == string(glassward.StatusClosed) {
		t.Errorf("watched on: told %q", got)
	}

	x.tenant("dependentContacts: " + config.DependentWords + "\n")
	d, end = x.run()
	watched(d, true)
	end()
	if got := x.told(alarm); len(got) != 1 || got[0] != string(glassward.StatusClosed) {
		t.Errorf("accepted: told %q", got)
	}

	// Whoever is content with it cannot lose the words by a reload, either.
	d, end = x.run()
	x.tenant("")
	if err := d.Reload(t.Context(), "test"); err == nil {
		t.Error("the words were taken away without a word")
	}
	watched(d, true)
	end()
}
