package cli

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
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
	// ended is set when there is no more input: then defaults are taken.
	ended bool
}

// ask asks one question; an empty answer, and the end of input, give the default.
func (w *wizard) ask(question, otherwise string) string {
	if !w.asks || w.ended {
		return otherwise
	}
	if otherwise != "" {
		question += " [" + otherwise + "]"
	}
	fmt.Fprintf(w.Stderr, "%s: ", question)
	if !w.in.Scan() {
		w.ended = true
		fmt.Fprintln(w.Stderr)
		return otherwise
	}
	if text := strings.TrimSpace(w.in.Text()); text != "" {
		return text
	}
	return otherwise
}

// fill asks for what no flag gave.
func (w *wizard) fill(into *string, question string) {
	if *into == "" {
		*into = w.ask(question, "")
	}
}

func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}

func (w *wizard) list(into *[]string, question string) {
	if len(*into) == 0 {
		*into = words(w.ask(question, ""))
	}
}

// init is the whole way from nothing to a proven alarm.
func (w *wizard) init(ctx context.Context, prove bool) error {
	main := filepath.Join(w.dir, "glassward.yaml")
	// Nobody wants to hear it after the last question.
	if _, err := os.Stat(main); err == nil {
		return exists(main)
	}
	if err := w.tenant(ctx); err != nil {
		return err
	}
	w.receivers()
	c, err := w.write(initFiles{main: main, tenant: w.tenantFile(filepath.Join(w.dir, "tenants")), load: main})
	if err != nil {
		return err
	}
	if !w.asks {
		w.say("next: glassward doctor, then glassward serve --config %s", main)
		return nil
	}
	w.try(ctx, c)
	t, ok := c.Tenant(w.x.Name)
	if !ok || !prove || len(t.EmergencyAccounts) == 0 || w.ended {
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

// add describes a further tenant to an installation that stands.
func (w *wizard) add(ctx context.Context, c *config.Config) error {
	if err := w.tenant(ctx); err != nil {
		return err
	}
	if _, taken := c.Tenant(w.x.Name); taken {
		return usagef("there is a tenant %s already", w.x.Name)
	}
	if len(w.x.Groups) == 0 {
		var names []string
		for _, g := range c.ActionGroups {
			names = append(names, g.Name)
		}
		w.x.Groups = words(w.ask("Action groups that are told ("+strings.Join(names, ", ")+")", strings.Join(names[:min(1, len(names))], "")))
	}
	c, err := w.write(initFiles{tenant: w.tenantFile(c.Tenants), load: c.File})
	if err != nil {
		return err
	}
	if d, err := dial(c.Data); err == nil {
		if err := d.call(ctx, http.MethodPost, "/v1/reload", nil, nil); err != nil {
			return err
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

// tenant asks for everything that a tenant's file holds.
func (w *wizard) tenant(ctx context.Context) error {
	x := &w.x
	w.fill(&x.Tenant, "Tenant id (a GUID, on the overview page of the Entra admin centre)")
	if x.Tenant == "" {
		return hint(usagef("a tenant's id is needed"), "glassward init --tenant GUID, or answer the question")
	}
	x.Tenant = strings.ToLower(x.Tenant)
	if !guidForm.MatchString(x.Tenant) {
		return noID(x.Tenant)
	}
	if x.Name == "" {
		x.Name = w.ask("A short name for the tenant", "tenant-1")
	}
	if err := config.CheckName(x.Name); err != nil {
		return usagef("%v", err)
	}
	if _, ok := entra.LookupCloud(x.Cloud); !ok {
		return hint(usagef("there is no cloud %q", x.Cloud), "use %s", strings.Join(entra.CloudNames(), ", "))
	}
	if x.EndpointsFile != "" {
		if err := x.readEndpoints(); err != nil {
			return err
		}
	}
	if err := w.roads(); err != nil {
		return err
	}
	if x.needsApplication() && (w.asks || x.ClientID != "") {
		if err := w.application(ctx); err != nil {
			return err
		}
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

// roads asks how records come.
func (w *wizard) roads() error {
	x := &w.x
	if len(x.Roads) == 0 && w.asks {
		fmt.Fprintln(w.Stderr, "By which roads can the tenant's sign-in and audit logs come?")
		for _, r := range roadChoices {
			fmt.Fprintf(w.Stderr, "  %s  %-10s %s\n", r.number, r.name, r.what)
		}
		x.Roads = words(w.ask("Numbers or names, separated by spaces", "1"))
	}
	if x.Folder != "" && !x.Has("files") {
		x.Roads = append(x.Roads, "files")
	}
	for i, name := range x.Roads {
		at := slices.IndexFunc(roadChoices, func(r struct{ number, name, what string }) bool { return r.number == name || r.name == name })
		if at < 0 {
			return hint(usagef("there is no road %q", name), "use graph, activity, eventhubs, storage, workspace or files")
		}
		x.Roads[i] = roadChoices[at].name
	}
	if x.Has("eventhubs") {
		w.fill(&x.Namespace, "Event Hubs namespace (NAME.servicebus.windows.net)")
		w.list(&x.Hubs, "Its hubs, separated by spaces (empty: those that begin with insights-)")
		w.fill(&x.Connection, "Where its connection string is, env:NAME or file:PATH (empty: the application signs in)")
	}
	if x.Has("storage") {
		w.fill(&x.Storage, "Folder that holds the containers insights-logs-*")
	}
	if x.Has("workspace") {
		w.fill(&x.Workspace, "Id of the workspace (a GUID)")
	}
	if x.Has("files") {
		w.fill(&x.Folder, "Folder where the files arrive")
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
	return t
}

// application makes a certificate, says how to register the application, and
// tries it until it works or the person goes on.
func (w *wizard) application(ctx context.Context) error {
	x := &w.x
	public := ""
	if x.Certificate == "" {
		key := filepath.Join(w.dir, x.Name+".pem")
		public = filepath.Join(w.dir, x.Name+".cer")
		if _, err := os.Stat(key); err == nil {
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
		x.ClientID = w.ask("Application (client) id of the registration", "")
	}
	if !guidForm.MatchString(strings.ToLower(x.ClientID)) {
		return hint(usagef("%q is no application id", x.ClientID), "the registration's overview page shows it as Application (client) ID")
	}
	for w.asks && !w.ended {
		w.say("\nasking the tenant …")
		if w.printChecks(daemon.Check(ctx, w.described(), time.Now)) == 0 {
			return nil
		}
		if w.ask("Enter to ask again when it is mended (consent can take minutes), or \"on\" to go on all the same", "") == "on" || ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
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
		if !guidForm.MatchString(strings.ToLower(id)) {
			return noID(id)
		}
		x.Accounts = append(x.Accounts, initAccount{ID: strings.ToLower(id)})
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
	if graph == nil {
		for _, id := range words(w.ask("Object ids of the emergency accounts, separated by spaces", "")) {
			if !guidForm.MatchString(strings.ToLower(id)) {
				return noID(id)
			}
			x.Accounts = append(x.Accounts, initAccount{ID: strings.ToLower(id)})
		}
		return nil
	}
	if o, err := entra.FindOrganisation(ctx, graph); err == nil {
		x.Domains = o.Domains
	}
	shown := w.administrators(ctx, graph)
	for {
		answer := w.ask("Which are the emergency accounts? Numbers, object ids, or the beginning of a name to search for", "")
		if answer == "" {
			if len(x.Accounts) == 0 {
				w.say("none is declared yet: nothing is watched until the tenant's file lists one")
			}
			return ctx.Err()
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
		x.Accounts = append(x.Accounts, chosen...)
		if len(chosen) > 0 {
			for _, c := range chosen {
				w.say("declared by id: %s %s", c.ID, line(c.UPN))
			}
			return nil
		}
	}
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
		if guidForm.MatchString(strings.ToLower(word)) {
			u, err := entra.FindUser(ctx, graph, word)
			if err != nil {
				w.say("%v", err)
				return nil, ""
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

// receivers asks who is told.
func (w *wizard) receivers() {
	x := &w.x
	w.list(&x.Mail, "Mail addresses that are told (outside this tenant, if you can)")
	if len(x.Mail) == 0 {
		return
	}
	w.fill(&x.SMTP, "Mail server (host or host:port)")
	w.fill(&x.From, "Sender of the mails")
	w.fill(&x.SMTPUser, "User name at the mail server (empty for none)")
	if x.SMTPUser != "" {
		w.fill(&x.SMTPPassword, "Where its password is, env:NAME or file:PATH")
	}
	x.Groups = []string{"emergency"}
}

// try sends a test notice to every receiver until somebody has it.
func (w *wizard) try(ctx context.Context, c *config.Config) {
	if len(w.x.Mail) == 0 {
		w.say("nobody is told yet: describe receivers in %s", c.File)
		return
	}
	for {
		fleet, err := notify.NewFleet(c.Config, notify.Network{})
		if err != nil {
			w.say("%v", err)
		}
		results, err := fleet.Test(ctx, "emergency")
		if err != nil {
			w.say("%v", err)
			return
		}
		for _, r := range results {
			verdict := "took the test notice"
			if !r.OK {
				verdict = "FAILED"
			}
			w.say("%s %s: %s", line(r.Receiver), verdict, line(r.Answer))
		}
		if answer := w.ask("Has the test arrived? yes, or Enter to send it again, or \"on\" to go on without", ""); answer != "" || w.ended || ctx.Err() != nil {
			if !strings.HasPrefix(strings.ToLower(answer), "y") {
				w.say("the way to a person is not proven: glassward notify test emergency tries it again")
			}
			return
		}
	}
}
