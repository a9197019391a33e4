package cloud_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
)

// modules gives a folder of node modules with Microsoft's Graph client: the one
// that is there if it is whole, or else one installed from the same lock file.
func modules(t *testing.T) string {
	t.Helper()
	there, err := filepath.Abs("../npm/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(there, ".package-lock.json")); err == nil { // it is written last
		return there
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join("../npm", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return filepath.Join(dir, "node_modules")
}

func TestMicrosoftsGraphClientReadsEverySignIn(t *testing.T) {
	now := time.Date(2026, 11, 20, 17, 0, 0, 0, time.UTC) // the world stands still, so that both count the same
	w := entrasim.NewWorld(entrasim.Options{Seed: 5, Start: now.Add(-11 * time.Hour), Users: 400})
	w.AddSecret(entrasim.GlasswardApp, entrasim.Secret{Text: "s"})
	w.Advance(now)
	c := cloud.New(cloud.Options{Worlds: []*entrasim.World{w}, Now: func() time.Time { return now }, Limits: unlimited})
	defer c.Close()
	e, err := c.Listen()
	if err != nil {
		t.Fatal(err)
	}
	hc := c.Client(e)
	token := accessToken(t, hc, e, w, e.Graph)
	c.Faults().EmptyPages(4)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, e.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	paths := map[string]entrasim.Kind{
		"v1.0/auditLogs/signIns?$top=10":                                                             entrasim.InteractiveSignIn,
		"v1.0/auditLogs/directoryAudits?$top=2&$orderby=activityDateTime":                            entrasim.DirectoryAudit,
		"beta/auditLogs/signIns?$top=100&$filter=signInEventTypes/any(t: t eq 'nonInteractiveUser')": entrasim.NonInteractiveSignIn,
	}
	args := []string{"../npm/signins.cjs", e.Graph, token}
	for p := range paths {
		args = append(args, p)
	}
	node := exec.Command("node", args...)
	node.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+ca, "GRAPH_MODULES="+modules(t))
	var errors strings.Builder
	node.Stderr = &errors
	out, err := node.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, errors.String())
	}
	var ids map[string][]string
	if err := json.Unmarshal(out, &ids); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for p, kind := range paths {
		got, want := map[string]int{}, map[string]bool{}
		for _, id := range ids[p] {
			got[id]++
		}
		for _, a := range w.Appearances(entrasim.Graph, time.Time{}, now) {
			if a.Event.Kind == kind {
				want[a.Event.ID] = true
			}
		}
		same(t, p, got, want, true)
		t.Logf("%s: %d records", p, len(got))
	}
}
