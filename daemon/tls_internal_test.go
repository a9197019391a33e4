package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"glassward/certificate"
	"glassward/config"
	"glassward/state"
)

func TestCheckTLS(t *testing.T) {
	c := &config.Config{Data: t.TempDir(), TLS: &config.TLS{Made: true, Names: []string{"guard.example.org"}}}
	if sheet, err := CheckTLS(c); sheet != nil || err != nil {
		t.Errorf("before it is made: %v, %v", sheet, err)
	}
	dir := CertificateFolder(c.Data)
	if err := certificate.Make(dir, c.TLS.Names, time.Now()); err != nil {
		t.Fatal(err)
	}
	sheet, err := CheckTLS(c)
	if err != nil || sheet == nil || !strings.Contains(strings.Join(sheet.Names, " "), "guard.example.org") {
		t.Errorf("%+v, %v", sheet, err)
	}
	server := filepath.Join(dir, "server.pem")
	own := &config.Config{Data: c.Data, TLS: &config.TLS{Certificate: server, Key: server}}
	if sheet, err := CheckTLS(own); err != nil || sheet.Made || sheet.File != server {
		t.Errorf("one's own: %+v, %v", sheet, err)
	}
	if err := os.Chmod(server, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := CheckTLS(own); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
	own.TLS.Key = filepath.Join(dir, "missing.pem")
	if _, err := CheckTLS(own); err == nil || !strings.Contains(err.Error(), "read the key") {
		t.Errorf("without a key: %v", err)
	}
}

// ofInstallation gives the incidents that concern no tenant, as "title: status".
func ofInstallation(t *testing.T, d *Daemon) (out []string) {
	t.Helper()
	list, _, err := d.state.Incidents(t.Context(), state.IncidentFilter{Tenants: []string{""}})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		out = append(out, i.Severity.String()+" "+i.Title+": "+string(i.Status))
	}
	return out
}

// A user's own certificate that nobody renews is told a month and a week before its end,
// and a new one in its place ends both; a made one never comes so far.
func TestACertificateNearItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, _ := bare(t)
		dir := filepath.Join(t.TempDir(), "tls")
		if err := certificate.Make(dir, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
		server := filepath.Join(dir, "server.pem")
		var err error
		if d.keeper, err = certificate.Own(server, server, d.now); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer stop()
		w := certificateWatch{d: d, told: d.recallLasting(ctx, "", "installation/certificate")}
		after := func(days int, want ...string) {
			t.Helper()
			time.Sleep(time.Duration(days) * 24 * time.Hour) // virtual
			w.look(ctx)
			if got := strings.Join(ofInstallation(t, d), "\n"); got != strings.Join(want, "\n") {
				t.Errorf("have\n%s\nwant\n%s", got, strings.Join(want, "\n"))
			}
		}
		after(0)
		after(366)
		after(2, "Medium The certificate of the API ends soon: New")
		after(10, "Medium The certificate of the API ends soon: New")
		after(15, "High The certificate of the API ends within days: New", "Medium The certificate of the API ends soon: New")
		if err := certificate.Renew(dir, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
		after(0, "High The certificate of the API ends within days: Closed", "Medium The certificate of the API ends soon: Closed")
		// What cannot be read any more is shown on, and told when it lasts.
		if err := os.WriteFile(server, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.look(ctx)
		w.look(ctx)
		before := len(ofInstallation(t, d))
		w.look(ctx)
		if got := ofInstallation(t, d); len(got) != before+1 || !strings.Contains(got[0], "cannot be read or renewed: New") {
			t.Errorf("a file that lasts to be broken: %q", got)
		}
	})
}

// The daemon makes its certificate when it starts, speaks HTTP/2 with it, and takes over
// another without a restart.
func TestTheAPIOverTLS(t *testing.T) {
	x := dependable{t, t.TempDir()}
	x.write("glassward.yaml", "data: data\nlisten: 127.0.0.1:0\ntls: {made: true, names: [guard.example.org]}\n")
	d, end := x.run()
	defer end()
	dir := CertificateFolder(filepath.Join(x.dir, "data"))
	ask := func() (*http.Response, error) {
		authority, err := certificate.Authority(dir)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(authority)
		client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
		defer client.CloseIdleConnections()
		res, err := client.Get("https://" + d.Addr() + "/healthz")
		if err == nil {
			res.Body.Close()
		}
		return res, err
	}
	res, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.ProtoMajor != 2 || res.TLS.Version < tls.VersionTLS12 {
		t.Errorf("%s by %s, TLS %x", res.Status, res.Proto, res.TLS.Version)
	}
	if _, err := tls.Dial("tcp", d.Addr(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if res, err := http.Get("http://" + d.Addr() + "/healthz"); err == nil {
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP is answered %s", res.Status)
		}
	}
	before := res.TLS.PeerCertificates[0]
	if err := certificate.Make(dir, []string{"guard.example.org"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := d.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	if res, err = ask(); err != nil || res.TLS.PeerCertificates[0].Equal(before) {
		t.Errorf("after a reload: %v", err)
	}
	v, err := operator{d}.Status(t.Context(), "")
	if s, ok := v.(Status); err != nil || !ok || s.Certificate == nil || !s.Certificate.Made {
		t.Errorf("status says %v, %v", v, err)
	}
	if v, _ := (operator{d}).Status(t.Context(), dependentID); v.(Status).Certificate != nil {
		t.Error("a tenant's status tells of the machine")
	}
}
