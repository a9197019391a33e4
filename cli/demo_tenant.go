package cli

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"glassward/entra"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
	"glassward/internal/mailsink"
	"glassward/internal/private"
)

// A demoTenant is a simulated tenant that is served on the loopback, with the
// configuration by which Glassward watches it and the mail server that takes its
// mails.
type demoTenant struct {
	world *entrasim.World
	cloud *cloud.Cloud
	at    cloud.Endpoints
	sink  *mailsink.Sink
	// file and described are glassward.yaml and the tenant's file.
	file, described string
}

const (
	demoPeople = 200
	// demoPast is how long the tenant has lived before; Glassward reads it, too.
	demoPast = 30 * time.Minute
)

// newDemoTenant makes a tenant that nothing has happened in yet but office work.
func newDemoTenant(dir string, s *entrasim.Story) (_ *demoTenant, err error) {
	calm := entrasim.Calm()
	t := &demoTenant{world: entrasim.NewWorld(entrasim.Options{Seed: 2026, Start: time.Now().Add(-demoPast), Users: demoPeople, Rates: &calm, Prompt: true})}
	t.world.Advance(time.Now())
	t.cloud = cloud.New(cloud.Options{Worlds: []*entrasim.World{t.world}, Seed: 2026})
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	if t.at, err = t.cloud.Listen(); err != nil {
		return nil, err
	}
	if t.sink, err = mailsink.Listen("127.0.0.1:0", mailsink.Options{}); err != nil {
		return nil, err
	}
	if err := t.register(dir); err != nil {
		return nil, err
	}
	return t, t.configure(dir, s)
}

// register does what an administrator does: our application is given a
// certificate and the permissions that it needs, and no other.
func (t *demoTenant) register(dir string) error {
	public := filepath.Join(dir, "glassward.cer")
	if err := makeCertificate(entrasim.TenantName, filepath.Join(dir, "glassward.pem"), public); err != nil {
		return err
	}
	text, err := os.ReadFile(public)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return errors.New(public + " is no certificate")
	}
	now := time.Now()
	t.world.AddCertificate(entrasim.GlasswardApp, entrasim.Certificate{DER: block.Bytes, From: now.Add(-time.Hour), To: now.AddDate(1, 0, 0)})
	needed := entra.Needs(entra.UseLogs, entra.UseSelf)
	if own, ok := t.world.ServicePrincipal(entrasim.GlasswardApp); ok {
		for _, p := range own.Granted {
			if !slices.Contains(needed, p) {
				t.world.Revoke(entrasim.GlasswardApp, p)
			}
		}
	}
	for _, p := range needed {
		t.world.Grant(entrasim.GlasswardApp, p)
	}
	return nil
}

// configure writes the configuration as a user would have written it.
func (t *demoTenant) configure(dir string, s *entrasim.Story) error {
	host, port, err := net.SplitHostPort(t.sink.Addr())
	if err != nil {
		return err
	}
	accounts, streams := "", "signIns, directoryAudits"
	for i, u := range t.world.Emergency() {
		accounts += fmt.Sprintf("  - {objectId: %s, name: EA-0%d}\n", u.ID, i+1)
	}
	if p, ok := t.world.ServicePrincipal(entrasim.EmergencyApp); ok && ofPrincipals(s) {
		accounts += fmt.Sprintf("  - {objectId: %s, name: %s, kind: servicePrincipal}\n", p.ID, p.DisplayName)
		streams += ", servicePrincipalSignIns"
	}
	decoy, objects := t.world.Decoy(), ""
	accounts += fmt.Sprintf("  - {objectId: %s, name: EA-09, userPrincipalName: %s, kind: decoy}\n", decoy.ID, decoy.UserPrincipalName)
	for _, o := range t.world.Protected() {
		objects += fmt.Sprintf("  - {objectId: %s, kind: %s, name: %s}\n", o.ID, o.Kind, o.Name)
	}
	t.file, t.described = filepath.Join(dir, "glassward.yaml"), filepath.Join(dir, "tenants", entrasim.TenantName+".yaml")
	for name, text := range map[string]string{
		t.file: fmt.Sprintf(`data: data
listen: 127.0.0.1:0
mailServers:
  - {name: sink, host: %s, port: %s, tls: none, from: Glassward <glassward@example.org>}
actionGroups:
  - name: emergency
    groupShortName: emergency
    emailReceivers:
      - {name: oncall, emailAddress: oncall@example.org}
`, host, port),
		t.described: fmt.Sprintf(`tenant: %s
name: %s
emergencyAccounts:
%sprotectedObjects:
%splaces: [{country: NO}]
actionGroups: [emergency]
application:
  clientId: %s
  certificate: file:glassward.pem
sources:
  graph:
    streams: [%s]
    since: %dm
endpoints:          # a real tenant needs none: Microsoft's are known
  authority: %s
  graph: %s
  ca: ca.pem
`, t.world.Tenant().ID, entrasim.TenantName, accounts, objects, entrasim.GlasswardApp, streams, demoPast/time.Minute, t.at.Authority, t.at.Graph),
		filepath.Join(dir, "ca.pem"): string(t.at.CA),
	} {
		if err := private.MkdirAll(filepath.Dir(name)); err != nil {
			return err
		}
		if err := private.WriteFile(name, []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// ofPrincipals says whether a story is about an application: then that is
// declared beside the accounts.
func ofPrincipals(s *entrasim.Story) bool {
	return slices.ContainsFunc(s.Alerts, func(a entrasim.ExpectedAlert) bool { return strings.Contains(a.Rule, "service principal") })
}

func (t *demoTenant) close() {
	if t.sink != nil {
		t.sink.Close()
	}
	t.cloud.Close()
}
