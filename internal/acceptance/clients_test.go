package acceptance_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glassward/certificate"
	"glassward/daemon"
	"glassward/internal/entrasim"
	"glassward/internal/mailsink"
)

// What lets Microsoft's own clients loose on a house: see kusto_test.go, logs_test.go and
// collect_test.go.

// otherTenant is of whom a token for the made-up tenant must learn nothing.
const otherTenant = `tenant: 11111111-2222-4333-8444-555555555555
name: other
actionGroups: [emergency]
emergencyAccounts: [{objectId: 99999999-2222-4333-8444-555555555555, name: theirs}]
`

// clientHouse is a house of two tenants in which Microsoft's clients are let loose, and the day that one
// of them has had.
func clientHouse(t *testing.T, tls bool, more string) (*house, [][]byte) {
	t.Helper()
	text := mainFile(listenMail(t, mailsink.Options{}).Port(), "oncall@example.org") + more
	if tls {
		text += "tls: {made: true}\n"
	}
	h := newHouse(t, map[string]string{"glassward.yaml": text, tenantPath: tenantFile(entrasim.EA01), "tenants/other.yaml": otherTenant})
	return h, entrasim.New(5).Day(time.Now())
}

// An open house serves over TLS and has taken its day; transport trusts its authority, which stands in a
// file, and token may query the made-up tenant.
type openHouse struct {
	*house
	day                        [][]byte
	endpoint, authority, token string
	transport                  *http.Client
}

// openTLS opens a house of two tenants.
func openTLS(t *testing.T) openHouse {
	t.Helper()
	o := openHouse{}
	o.house, o.day = clientHouse(t, true, "")
	o.endpoint = "https://" + o.serve().Addr()
	o.take(o.day)
	o.authority, o.transport = o.house.authority()
	o.token = o.house.token("grafana", "--tenant", entrasim.TenantName, "--scope", "query")
	return o
}

// take hands records to the daemon as the folder's owner does.
func (h *house) take(day [][]byte) {
	h.t.Helper()
	var receipt struct{ Added int }
	if err := h.call("POST", "/v1/ingest?tenant="+entrasim.TenantName, bytes.NewReader(bytes.Join(day, []byte("\n"))), &receipt); err != nil || receipt.Added != len(day) {
		h.t.Fatalf("%d of %d records were taken: %v", receipt.Added, len(day), err)
	}
}

// authority writes the authority of the daemon's certificate to a file, and gives what trusts it.
func (h *house) authority() (file string, client *http.Client) {
	h.t.Helper()
	text, err := certificate.Authority(daemon.CertificateFolder(h.data()))
	if err != nil {
		h.t.Fatal(err)
	}
	h.write("authority.pem", string(text))
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		h.t.Fatal("the authority is no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	h.t.Cleanup(transport.CloseIdleConnections)
	return h.file("authority.pem"), &http.Client{Transport: transport}
}

func (h *house) token(name string, more ...string) string {
	h.t.Helper()
	return strings.TrimSpace(h.cli(append([]string{"token", "create", name, "--expires", "1h", "-q"}, more...)...))
}

// node lets Microsoft's clients for JavaScript do one thing after the other, as npm/run.mjs says, and gives
// what it printed of each.
func node(t *testing.T, authority string, requests []map[string]any) []nodeAnswer {
	t.Helper()
	if _, err := os.Stat(filepath.Join("npm", "node_modules", ".installed")); err != nil {
		t.Fatalf("Microsoft's clients for JavaScript are not here, make deps installs them: %v", err)
	}
	text, err := json.Marshal(requests)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "run.mjs")
	cmd.Dir, cmd.Stdin = "npm", bytes.NewReader(text)
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+authority)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, errs.String())
	}
	var answers []nodeAnswer
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(requests) {
		t.Fatalf("node printed %s: %v", out, err)
	}
	return answers
}

// A nodeAnswer is what a client for JavaScript gives, or throws.
type nodeAnswer struct {
	Result json.RawMessage
	Error  *struct {
		Name, Message string
		Status        int
		Code          any
		Body          json.RawMessage
	}
}
