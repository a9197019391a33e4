package cli

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"glassward"
	"glassward/config"
	"glassward/daemon"
	"glassward/entra"
	"glassward/internal/private"
	"glassward/notify"
)

// A wizard asks what is needed to watch a tenant, tries each answer, and writes
// it down.
type wizard struct {
	*app
	in   *bufio.Scanner
	x    initAnswers
	dir  string
	asks bool
	// stopped is why no question is answered any more: the input has ended, or
	// somebody pressed Ctrl-C. From then on nothing is asked, and nothing written.
	stopped error
}

// errEnded says that a question found no answer.
var errEnded = errors.New("the answers end here")

// ask asks one question; an empty answer gives the default. When nobody answers
// any more it gives the default too, and stopped says why.
func (w *wizard) ask(ctx context.Context, question, otherwise string) string {
	if !w.asks || w.stopped != nil {
		return otherwise
	}
	if otherwise != "" {
		question += " [" + otherwise + "]"
	}
	fmt.Fprintf(w.Stderr, "%s: ", question)
	// A read of the terminal cannot be interrupted; Ctrl-C has to work all the same.
	said := make(chan bool, 1)
	go func() { said <- w.in.Scan() }()
	select {
	case <-ctx.Done():
		w.stopped = ctx.Err()
	case ok := <-said:
		if !ok {
			w.stopped = cmp.Or(w.in.Err(), errEnded)
		}
	}
	if w.stopped != nil {
		fmt.Fprintln(w.Stderr)
		return otherwise
	}
	if text := strings.TrimSpace(w.in.Text()); text != "" {
		return text
	}
	return otherwise
}

// halted gives the error with which the questions end before they are through.
func (w *wizard) halted() error {
	switch {
	case w.stopped == nil:
		return nil
	case errors.Is(w.stopped, errEnded):
		return hint(fmt.Errorf("%w: no configuration was written", w.stopped), "answer every question, or give flags and --no-input")
	}
	return hint(fmt.Errorf("stopped: no configuration was written"), "begin again; a certificate that was made is used again")
}

// fill asks for what no flag gave, again until check takes it. check may write the
// answer in another way; what a flag gave is its own answer.
func (w *wizard) fill(ctx context.Context, into *string, question, otherwise string, check func(*string) error) error {
	given := *into != ""
	for {
		if !given {
			*into = w.ask(ctx, question, otherwise)
		}
		if w.stopped != nil {
			return w.halted()
		}
		err := check(into)
		if err == nil || given || !w.asks {
			return err
		}
		w.complain(err)
	}
}

// complain says what is wrong with an answer.
func (w *wizard) complain(err error) {
	fmt.Fprintf(w.Stderr, "%s\n", safe(err.Error()))
	var h hinted
	if errors.As(err, &h) {
		fmt.Fprintf(w.Stderr, "%s\n", safe(h.hint))
	}
}

// anything takes every answer, none included.
func anything(*string) error { return nil }

// needed takes every answer but none.
func needed(what string) func(*string) error {
	return func(s *string) error {
		if *s == "" {
			return usagef("%s is needed", what)
		}
		return nil
	}
}

// optional lets an empty answer stand.
func optional(check func(*string) error) func(*string) error {
	return func(s *string) error {
		if *s == "" {
			return nil
		}
		return check(s)
	}
}

// aFolder makes a path absolute: in a file that is written elsewhere a relative
// one would mean another place.
func aFolder(s *string) (err error) {
	if *s == "" {
		return usagef("a folder is needed")
	}
	*s, err = filepath.Abs(*s)
	return err
}

// aReference takes env:NAME and file:PATH, and tries it. A secret itself is not
// repeated.
func (w *wizard) aReference(s *string) error {
	scheme, rest, ok := strings.Cut(*s, ":")
	if !ok || rest == "" || scheme != "env" && scheme != "file" {
		return hint(usagef("that is no reference to a secret"), "put the secret into a file that only you can read and answer file:PATH, or name a variable of the environment: env:NAME")
	}
	if scheme == "file" {
		path, err := filepath.Abs(rest)
		if err != nil {
			return err
		}
		*s = "file:" + path
	}
	if _, err := glassward.Secret(*s).Reveal(); err != nil {
		w.say("it cannot be read yet: %v", err)
	}
	return nil
}

func aGUID(s *string) error {
	*s = strings.ToLower(*s)
	if !glassward.IsGUID(*s) {
		return noID(*s)
	}
	return nil
}

func anAddress(s *string) error {
	if a, err := mail.ParseAddress(*s); err != nil || a.Address != *s {
		return usagef("%q is no mail address", *s)
	}
	return nil
}

func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}

// list is fill for several words.
func (w *wizard) list(ctx context.Context, into *[]string, question, otherwise string, check func(*string) error) error {
	given := len(*into) > 0
	for {
		if !given {
			*into = words(w.ask(ctx, question, otherwise))
		}
		if w.stopped != nil {
			return w.halted()
		}
		var err error
		for i := range *into {
			if err = check(&(*into)[i]); err != nil {
				break
			}
		}
		if err == nil || given || !w.asks {
			return err
		}
		w.complain(err)
	}
}

// init is the whole way from nothing to a proven alarm.
func (w *wizard) init(ctx context.Context, prove bool) error {
	main := filepath.Join(w.dir, "glassward.yaml")
	// Nobody wants to hear it after the last question.
	if _, err := os.Stat(main); err == nil {
		return exists(main)
	}
	if err := w.x.tlsNames(); err != nil {
		return err
	}
	tenants := filepath.Join(w.dir, "tenants")
	if err := w.tenant(ctx, w.free(tenants, nil)); err != nil {
		return err
	}
	if err := w.receivers(ctx); err != nil {
		return err
	}
	if len(w.x.Mail)+len(w.x.Also) > 0 {
		w.x.Groups = []string{"emergency"}
	}
	c, err := w.write(initFiles{main: main, tenant: w.tenantFile(tenants), load: main})
	if err != nil {
		return err
	}
	if !w.asks {
		w.say("next: glassward doctor --config %[1]s, then glassward serve --config %[1]s, then glassward notify prove emergency", main)
		return nil
	}
	c = w.try(ctx, c)
	if ctx.Err() != nil {
		return hint(errors.New("stopped; the files stay"), "glassward tenant prove %s --config %s goes on", w.x.Name, main)
	}
	t, ok := c.Tenant(w.x.Name)
	if !ok || !prove || len(t.EmergencyAccounts) == 0 || w.stopped != nil {
		w.say("not proven yet: when an account can sign in, run glassward tenant prove %s --config %s", w.x.Name, main)
		w.say("next: glassward serve --config %s", main)
		return nil
	}
	if err := w.prove(ctx, c, t); err != nil {
		return err
	}
	w.say("next: glassward serve --config %s", main)
	return nil
}

// free takes names of tenants that nobody has yet.
func (w *wizard) free(dir string, c *config.Config) func(*string) error {
	return func(name *string) error {
		if err := config.CheckName(*name); err != nil {
			return usagef("%v", err)
		}
		if c != nil {
			if _, taken := c.Tenant(*name); taken {
				return usagef("there is a tenant %s already", *name)
			}
		}
		file := filepath.Join(dir, *name+".yaml")
		if _, err := os.Stat(file); err == nil {
			return hint(usagef("%s exists already", file), "choose another name, or edit that file")
		}
		return nil
	}
}

// add describes a further tenant to an installation that stands.
func (w *wizard) add(ctx context.Context, c *config.Config) error {
	if w.x.Tenant != "" {
		if t, taken := c.Tenant(strings.ToLower(w.x.Tenant)); taken {
			return usagef("tenant %s is watched already, as %s", t.ID, t.Name)
		}
	}
	if err := w.tenant(ctx, w.free(c.Tenants, c)); err != nil {
		return err
	}
	if t, taken := c.Tenant(w.x.Tenant); taken {
		return usagef("tenant %s is watched already, as %s", t.ID, t.Name)
	}
	var names []string
	for _, g := range c.ActionGroups {
		names = append(names, g.Name)
	}
	group := func(s *string) error {
		i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, *s) })
		if i < 0 {
			return usagef("there is no action group %q: there are %s", *s, strings.Join(names, ", "))
		}
		*s = names[i]
		return nil
	}
	switch {
	case len(names) > 0:
		if err := w.list(ctx, &w.x.Groups, "Action groups that are told ("+strings.Join(names, ", ")+")", names[0], group); err != nil {
			return err
		}
		if err := w.accept(ctx, c.Config, w.x.Groups...); err != nil {
			return err
		}
	case len(w.x.Groups) > 0:
		return group(&w.x.Groups[0])
	default:
		w.say("nobody is told yet: %s describes no action group", c.File)
	}
	c, err := w.write(initFiles{tenant: w.tenantFile(c.Tenants), load: c.File})
	if err != nil {
		return err
	}
	d, err := dial(c.Data)
	switch {
	case errors.Is(err, errNoDaemon):
		w.say("no daemon runs over %s: glassward serve --config %s watches the tenant", c.Data, c.File)
	case err != nil:
		return hint(err, "the file is written; the daemon reads it at SIGHUP or a restart")
	default:
		if err := d.call(ctx, http.MethodPost, "/v1/reload", nil, nil); err != nil {
			return hint(fmt.Errorf("%s is written, and the running daemon does not take it: %w", w.tenantFile(c.Tenants), err), "mend that, then send the daemon SIGHUP; until then the tenant is not watched")
		}
		w.say("the running daemon watches %s now", w.x.Name)
	}
	w.say("prove it: glassward tenant prove %s --config %s", w.x.Name, c.File)
	return nil
}

func (w *wizard) tenantFile(dir string) string { return filepath.Join(dir, w.x.Name+".yaml") }

var roadChoices = []struct{ number, name, what string }{
	{"1", "graph", "Microsoft Graph: sign-ins need Entra ID P1, audits do not"},
	{"2", "activity", "Office 365 Management Activity API: any Microsoft 365 tenant, an hour late or more"},
	{"3", "eventhubs", "Event Hubs that a diagnostic setting streams to"},
	{"4", "storage", "a storage account's export, mounted or copied here"},
	{"5", "workspace", "a Log Analytics workspace, read by query"},
	{"6", "files", "a folder that files are put into"},
}

// tenant asks for everything that a tenant's file holds. free says which names it
// may have.
func (w *wizard) tenant(ctx context.Context, free func(*string) error) error {
	x := &w.x
	if !w.asks && x.Tenant == "" {
		return hint(usagef("a tenant's id is needed"), "glassward init --tenant GUID, or answer the question")
	}
	if err := w.fill(ctx, &x.Tenant, "Tenant id (a GUID, on the overview page of the Entra admin centre)", "", aGUID); err != nil {
		return err
	}
	if err := w.fill(ctx, &x.Name, "A short name for the tenant", "tenant-1", free); err != nil {
		return err
	}
	if _, ok := entra.LookupCloud(x.Cloud); !ok {
		return hint(usagef("there is no cloud %q", x.Cloud), "use %s", strings.Join(entra.CloudNames(), ", "))
	}
	if x.EndpointsFile != "" {
		if err := x.readEndpoints(); err != nil {
			return err
		}
	}
	if err := w.roads(ctx); err != nil {
		return err
	}
	if x.needsApplication() && (w.asks || x.ClientID != "") {
		if err := w.application(ctx); err != nil {
			return err
		}
	}
	if err := w.check(ctx); err != nil {
		return err
	}
	return w.accounts(ctx)
}

func noID(id string) error {
	return hint(usagef("%q is no id", id), "it is a GUID: the tenant's is on the overview page of the Entra admin centre, an account's on its own page")
}

// readEndpoints reads the file of addresses and refuses what a tenant's file
// would refuse.
func (x *initAnswers) readEndpoints() error {
	text, err := os.ReadFile(x.EndpointsFile)
	if err != nil {
		return err
	}
	var e config.Endpoints
	if err := yaml.UnmarshalWithOptions(text, &e, yaml.Strict()); err != nil {
		return fmt.Errorf("%s: %s", x.EndpointsFile, yaml.FormatError(err, false, true))
	}
	if err := yaml.Unmarshal(text, &x.Endpoints); err != nil {
		return fmt.Errorf("%s: %w", x.EndpointsFile, err)
	}
	for i, item := range x.Endpoints {
		// Written beside another file, a relative path would mean another place.
		if path, ok := item.Value.(string); ok && item.Key == "ca" && !filepath.IsAbs(path) {
			if path, err = filepath.Abs(filepath.Join(filepath.Dir(x.EndpointsFile), path)); err != nil {
				return err
			}
			x.Endpoints[i].Value = path
		}
	}
	return nil
}

// aRoad takes the number or the name of a road, and makes it the name.
func aRoad(s *string) error {
	for _, r := range roadChoices {
		if r.number == *s || r.name == strings.ToLower(*s) {
			*s = r.name
			return nil
		}
	}
	return hint(usagef("there is no road %q", *s), "use graph, activity, eventhubs, storage, workspace or files")
}

// roads asks how records come.
func (w *wizard) roads(ctx context.Context) error {
	x := &w.x
	if len(x.Roads) == 0 && w.asks {
		fmt.Fprintln(w.Stderr, "By which roads can the tenant's sign-in and audit logs come?")
		for _, r := range roadChoices {
			fmt.Fprintf(w.Stderr, "  %s  %-10s %s\n", r.number, r.name, r.what)
		}
	}
	if len(x.Roads) > 0 || w.asks {
		if err := w.list(ctx, &x.Roads, "Numbers or names, separated by spaces", "1", aRoad); err != nil {
			return err
		}
	}
	if x.Folder != "" && !x.Has("files") {
		x.Roads = append(x.Roads, "files")
	}
	for _, q := range []struct {
		road     string
		into     *string
		question string
		check    func(*string) error
	}{
		{"eventhubs", &x.Namespace, "Event Hubs namespace (NAME.servicebus.windows.net)", needed("the namespace")},
		{"eventhubs", &x.Connection, "Where its connection string is, env:NAME or file:PATH (empty: the application signs in)", optional(w.aReference)},
		{"storage", &x.Storage, "Folder that holds the containers insights-logs-*", aFolder},
		{"workspace", &x.Workspace, "Id of the workspace (a GUID)", aGUID},
		{"files", &x.Folder, "Folder where the files arrive", aFolder},
	} {
		if !x.Has(q.road) {
			continue
		}
		if err := w.fill(ctx, q.into, q.question, "", q.check); err != nil {
			return err
		}
		if q.into == &x.Namespace {
			if err := w.list(ctx, &x.Hubs, "Its hubs, separated by spaces (empty: those that begin with insights-)", "", anything); err != nil {
				return err
			}
		}
	}
	return nil
}

// described gives the tenant as the answers describe it, for asking it.
func (w *wizard) described() config.Tenant {
	x := w.x
	t := config.Tenant{ID: x.Tenant, Name: x.Name, Cloud: x.Cloud}
	if len(x.Endpoints) > 0 {
		var e config.Endpoints
		text, err := yaml.Marshal(x.Endpoints)
		if err == nil {
			err = yaml.Unmarshal(text, &e)
		}
		if err == nil { // it was read before
			t.Endpoints = &e
		}
	}
	if x.ClientID != "" {
		t.Application = &config.Application{ClientID: x.ClientID, Certificate: glassward.Secret(x.Certificate)}
	}
	if x.Has("graph") {
		t.Sources.Graph = &config.GraphSource{}
	}
	if x.Looks() {
		t.Sources.Directory = &config.DirectorySource{}
	}
	if x.Has("activity") {
		t.Sources.Activity = &config.ActivitySource{}
	}
	if x.Has("eventhubs") {
		t.Sources.EventHub = []config.EventHubSource{{Namespace: x.Namespace, Hubs: x.Hubs, ConnectionString: glassward.Secret(x.Connection)}}
	}
	if x.Has("storage") {
		t.Sources.Storage = []config.StorageSource{{Path: x.Storage}}
	}
	if x.Has("workspace") {
		t.Sources.Logs = []config.WorkspaceSource{{ID: x.Workspace}}
	}
	if x.Has("files") {
		t.Folders = []config.Folder{{Path: x.Folder}}
	}
	return t
}

// application makes a certificate, and says how to register the application.
func (w *wizard) application(ctx context.Context) error {
	x := &w.x
	public := ""
	if x.Certificate == "" {
		key := filepath.Join(w.dir, x.Name+".pem")
		public = filepath.Join(w.dir, x.Name+".cer")
		if _, err := os.Stat(key); err == nil {
			if err := publish(key, public); err != nil {
				return err
			}
			w.say("the certificate %s is there already and is used", key)
		} else if err := makeCertificate(x.Name, key, public); err != nil {
			return err
		} else {
			w.say("made a certificate for a year: %s holds its key and stays here, %s is for Entra", key, public)
		}
		x.Certificate = key
	}
	path, err := filepath.Abs(x.Certificate)
	if err != nil {
		return err
	}
	x.Certificate = "file:" + path
	if x.ClientID == "" {
		if err := w.registration(public); err != nil {
			return err
		}
	}
	return w.fill(ctx, &x.ClientID, "Application (client) id of the registration", "", func(s *string) error {
		if aGUID(s) != nil {
			return hint(usagef("%q is no application id", *s), "the registration's overview page shows it as Application (client) ID")
		}
		return nil
	})
}

// check tries the answers against the tenant until nothing is wrong or the person
// goes on.
func (w *wizard) check(ctx context.Context) error {
	for w.asks {
		w.say("\nasking the tenant …")
		if w.printChecks(daemon.Check(ctx, w.described(), time.Now)) == 0 {
			break
		}
		question := "Enter to ask again when it is mended (consent can take minutes), "
		if w.x.ClientID != "" {
			question += "another application id, "
		}
		answer := w.ask(ctx, question+"or \"on\" to go on all the same", "")
		if w.stopped != nil || answer == "on" {
			break
		}
		if w.x.ClientID != "" && aGUID(&answer) == nil {
			w.x.ClientID = answer
		}
	}
	if ctx.Err() != nil && w.stopped == nil {
		w.stopped = ctx.Err()
	}
	return w.halted()
}

// registration says what to paste.
func (w *wizard) registration(public string) error {
	list := permissionsFor(w.described())
	manifest := filepath.Join(w.dir, w.x.Name+"-permissions.json")
	if err := private.WriteFile(manifest, append(entra.RequiredAccess(values(list)...), '\n')); err != nil {
		return err
	}
	fmt.Fprintf(w.Stderr, "\nGlassward reads as an application of your own in the tenant, with these permissions:\n\n")
	if err := w.printPermissions(w.Stderr, list); err != nil {
		return err
	}
	if public == "" {
		public = "CERTIFICATE.cer"
	}
	fmt.Fprintf(w.Stderr, `
Register it once, as somebody who may consent (Privileged Role Administrator).
By the Azure CLI:

  az login --tenant %[1]s --allow-no-subscriptions
  APP=$(az ad app create --display-name Glassward --sign-in-audience AzureADMyOrg \
    --required-resource-accesses @%[2]s --query appId --output tsv)
  az ad sp create --id $APP
  az ad app credential reset --id $APP --cert @%[3]s --append
  az ad app permission admin-consent --id $APP
  echo $APP

Or in the Entra admin centre: App registrations, New registration (this
directory only, no redirect address); API permissions, the ones above as
application permissions, Grant admin consent; Certificates & secrets, upload
%[3]s. Give it no role and no other permission.

`, w.x.Tenant, manifest, public)
	return nil
}

// makeCertificate writes a key with a certificate of its own for a year, and the
// certificate alone for whoever shall know it.
func makeCertificate(name, key, public string) error {
	pair, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Glassward " + name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &pair.PublicKey, pair)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		return err
	}
	open := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := private.WriteFile(key, append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), open...)); err != nil {
		return err
	}
	return os.WriteFile(public, open, 0o644)
}

// publish writes the certificate of a key's file alone, where it is not there.
func publish(key, public string) error {
	if _, err := os.Stat(public); err == nil {
		return nil
	}
	text, err := os.ReadFile(key)
	if err != nil {
		return err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return os.WriteFile(public, pem.EncodeToMemory(block), 0o644)
		}
	}
	return hint(fmt.Errorf("%s holds no certificate", key), "remove it, and a new one is made; or name one with --certificate")
}

// printChecks shows what Check found and gives how much is wrong.
func (a *app) printChecks(list []daemon.Checked) (wrong int) {
	for _, c := range list {
		state := string(c.Verdict)
		switch c.Verdict {
		case daemon.Wrong:
			wrong++
			state = a.paint(red, state)
		case daemon.Unknown:
			state = a.paint(amber, state)
		}
		fmt.Fprintf(a.Stdout, "%-8s %s: %s\n", state, line(c.What), safe(c.Found))
		if c.Do != "" && c.Verdict != daemon.Well {
			fmt.Fprintf(a.Stdout, "         %s\n", safe(c.Do))
		}
	}
	return wrong
}

// mostListed is how many users a search shows.
const mostListed = 30

// accounts has the emergency accounts chosen from what the tenant shows, or typed.
func (w *wizard) accounts(ctx context.Context) error {
	x := &w.x
	for _, id := range x.Ids {
		if err := aGUID(&id); err != nil {
			return err
		}
		x.declare(initAccount{ID: id})
	}
	if len(x.Accounts) > 0 || !w.asks {
		return nil
	}
	var graph *entra.Client
	if x.ClientID != "" {
		var err error
		if graph, err = daemon.GraphOf(w.described(), time.Now); err != nil {
			w.say("the tenant's users cannot be listed: %v", err)
		}
	}
	if graph != nil {
		o, err := entra.FindOrganisation(ctx, graph)
		x.Domains = o.Domains
		if f := new(entra.Fault); errors.As(err, &f) && f.Kind == entra.FaultToken {
			graph = nil // nothing can be listed, as check has said
		}
	}
	if graph == nil {
		var ids []string
		if err := w.list(ctx, &ids, "Object ids of the emergency accounts, separated by spaces", "", aGUID); err != nil {
			return err
		}
		for _, id := range ids {
			x.declare(initAccount{ID: id})
		}
		if len(ids) == 0 {
			w.say("none is declared yet: nothing is watched until the tenant's file lists one")
		}
		return nil
	}
	shown := w.administrators(ctx, graph)
	question := "Which are the emergency accounts? Numbers, object ids, or the beginning of a name to search for"
	for {
		answer := w.ask(ctx, question, "")
		if w.stopped != nil {
			return w.halted()
		}
		if answer == "" {
			if len(x.Accounts) == 0 {
				w.say("none is declared yet: nothing is watched until the tenant's file lists one")
			}
			return nil
		}
		chosen, search := w.choose(ctx, graph, answer, shown)
		if search != "" {
			users, more, err := entra.ListUsers(ctx, graph, search, mostListed)
			if err != nil {
				w.say("%v", err)
				continue
			}
			shown = w.show(users, more)
			continue
		}
		for _, c := range chosen {
			if x.declare(c) {
				w.say("declared by id: %s %s", c.ID, line(c.UPN))
			}
		}
		switch {
		case len(x.Accounts) > 1:
			return nil
		case len(x.Accounts) == 1:
			question = "Which is the second one? Two are usual: one may be lost (Enter: there is none)"
		}
	}
}

// declare adds an account, once.
func (x *initAnswers) declare(a initAccount) bool {
	if slices.ContainsFunc(x.Accounts, func(b initAccount) bool { return strings.EqualFold(a.ID, b.ID) }) {
		return false
	}
	x.Accounts = append(x.Accounts, a)
	return true
}

// administrators shows who holds Global Administrator: the accounts are among
// them, where they exist.
func (w *wizard) administrators(ctx context.Context, graph *entra.Client) []entra.User {
	holders, err := entra.RoleHolders(ctx, graph, entra.GlobalAdministrator)
	if err != nil {
		w.say("who holds Global Administrator cannot be read: %v", err)
		return nil
	}
	var users []entra.User
	for _, h := range holders {
		if h.Kind == "user" {
			users = append(users, h.User)
		}
	}
	fmt.Fprintln(w.Stderr, "These hold Global Administrator:")
	return w.show(users, false)
}

func (w *wizard) show(users []entra.User, more bool) []entra.User {
	for i, u := range users {
		state := ""
		if !u.Enabled {
			state = "  (disabled)"
		}
		fmt.Fprintf(w.Stderr, "  %2d  %s  %s  %s%s\n", i+1, u.ID, line(u.UPN), line(u.Name), state)
	}
	if more {
		fmt.Fprintln(w.Stderr, "      … and more: type more of the name")
	}
	if len(users) == 0 {
		fmt.Fprintln(w.Stderr, "  nobody")
	}
	return users
}

// choose takes an answer apart: numbers and ids choose, anything else is searched
// for.
func (w *wizard) choose(ctx context.Context, graph *entra.Client, answer string, shown []entra.User) (chosen []initAccount, search string) {
	for _, word := range words(answer) {
		if glassward.IsGUID(word) {
			u, err := entra.FindUser(ctx, graph, word)
			var f *entra.Fault
			switch {
			case errors.As(err, &f) && f.Status == http.StatusNotFound:
				w.say("the tenant has no user %s", word)
				return nil, ""
			case err != nil:
				// Whoever may not be asked can still be declared.
				w.say("whether there is a user %s cannot be read: %v", word, err)
				u = entra.User{ID: strings.ToLower(word)}
			}
			chosen = append(chosen, initAccount{ID: u.ID, Name: u.Name, UPN: u.UPN})
			continue
		}
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, answer
		}
		if n < 1 || n > len(shown) {
			w.say("there is no number %d in the list", n)
			return nil, ""
		}
		u := shown[n-1]
		chosen = append(chosen, initAccount{ID: u.ID, Name: u.Name, UPN: u.UPN})
	}
	return chosen, ""
}

// receivers asks who is told, and how.
func (w *wizard) receivers(ctx context.Context) error {
	x := &w.x
	if err := w.list(ctx, &x.Mail, "Mail addresses that are told (outside this tenant, if you can)", "", anAddress); err != nil {
		return err
	}
	if len(x.Mail) == 0 {
		return w.others(ctx)
	}
	for _, q := range []struct {
		into     *string
		question string
		check    func(*string) error
	}{
		{&x.SMTP, "Mail server (host or host:port)", aServer},
		{&x.From, "Sender of the mails", anAddress},
		{&x.SMTPUser, "User name at the mail server (empty for none)", anything},
	} {
		if !w.asks && *q.into == "" {
			continue // reading the file says what it lacks
		}
		if err := w.fill(ctx, q.into, q.question, "", q.check); err != nil {
			return err
		}
	}
	if x.SMTPUser != "" && (w.asks || x.SMTPPassword != "") {
		if err := w.fill(ctx, &x.SMTPPassword, "Where its password is, env:NAME or file:PATH", "", w.aReference); err != nil {
			return err
		}
	}
	if err := w.others(ctx); err != nil {
		return err
	}
	if slices.ContainsFunc(x.Also, func(a also) bool { return a.Kind != "teams" }) {
		return nil
	}
	told := notify.Config{MailServers: []notify.MailServer{{Host: x.SMTP}}, ActionGroups: []notify.ActionGroup{{Name: "emergency"}}}
	if host, _, err := net.SplitHostPort(x.SMTP); err == nil {
		told.MailServers[0].Host = host
	}
	for _, m := range x.Mail {
		told.ActionGroups[0].Email = append(told.ActionGroups[0].Email, notify.EmailReceiver{Name: m, EmailAddress: m})
	}
	return w.accept(ctx, told, "emergency")
}

// accept asks for the words where nobody is told but through the tenant itself.
func (w *wizard) accept(ctx context.Context, c notify.Config, groups ...string) error {
	why := c.Dependent(ctx, groups, notify.Watched{Domains: w.x.Domains})
	if len(why) == 0 || !w.asks {
		return nil // without a dialogue, reading the file says so
	}
	w.say("whoever takes this tenant over can silence its alarms: %s", line(strings.Join(why, "; ")))
	return w.fill(ctx, &w.x.Dependent, "Begin again with a receiver elsewhere, or type: "+config.DependentWords, "", func(s *string) error {
		if *s != config.DependentWords {
			return usagef("these are not the words; Ctrl-C ends, and nothing is written")
		}
		return nil
	})
}

// aServer takes host and host:port.
func aServer(s *string) error {
	if *s == "" {
		return usagef("a mail server is needed")
	}
	if _, port, err := net.SplitHostPort(*s); err == nil {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return usagef("%q is no port", port)
		}
	} else if strings.ContainsAny(*s, " /") {
		return usagef("%q is no host", *s)
	}
	return nil
}

// try sends a test notice to every receiver until somebody has it. It gives the
// configuration as it is then: the person may have mended the file.
func (w *wizard) try(ctx context.Context, c *config.Config) *config.Config {
	if len(w.x.Groups) == 0 {
		w.say("nobody is told yet: describe receivers in %s", c.File)
		return c
	}
	for {
		fleet, err := notify.NewFleet(c.Config, notify.Network{})
		if err != nil {
			w.say("%v", err)
		}
		results, err := fleet.Test(ctx, "emergency")
		if err != nil {
			w.say("%v", err)
		}
		failed := err != nil
		for _, r := range results {
			verdict := "took the test notice"
			if !r.OK {
				verdict, failed = "FAILED", true
			}
			w.say("%s %s: %s", line(r.Receiver), verdict, line(r.Answer))
		}
		question := "Has the test arrived? yes, or Enter to send it again, or \"on\" to go on without"
		if failed {
			question = "Enter to send it again (mend " + c.File + " first, it is read again), or \"on\" to go on without"
		}
		answer := w.ask(ctx, question, "")
		if answer == "" && w.stopped == nil {
			if next, problems := config.Load(c.File); w.printProblems(problems) == 0 && next != nil {
				c = next
			}
			continue
		}
		if failed || !strings.HasPrefix(strings.ToLower(answer), "y") {
			w.say("the way to a person is not proven: glassward notify test emergency --config %s tries it again", c.File)
		}
		return c
	}
}
