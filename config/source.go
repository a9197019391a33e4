package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/entra"
	"glassward/kql/diag"
	"glassward/schema"
)

// Sources are the roads by which a tenant's records come by themselves. Each is
// absent unless its key stands in the file; an empty value takes the defaults.
type Sources struct {
	Graph    *GraphSource      `yaml:"graph" json:"graph,omitempty" jsonschema:"description=Microsoft Graph: sign-ins (P1), audits, provisioning and risk"`
	Activity *ActivitySource   `yaml:"activity" json:"activity,omitempty" jsonschema:"description=Office 365 Management Activity API: for tenants without P1"`
	EventHub []EventHubSource  `yaml:"eventHubs" json:"eventHubs,omitempty" jsonschema:"description=Event Hubs that a diagnostic setting or Defender streams to"`
	Storage  []StorageSource   `yaml:"storage" json:"storage,omitempty" jsonschema:"description=Storage export of a diagnostic setting, as a mounted or copied folder"`
	Logs     []WorkspaceSource `yaml:"workspaces" json:"workspaces,omitempty" jsonschema:"description=Log Analytics workspaces, read by query"`
	// Directory looks at the directory itself, beside whatever the logs tell.
	Directory *DirectorySource `yaml:"directory" json:"directory,omitempty" jsonschema:"description=What protects the accounts, looked at again and again: changes that no log tells"`
}

// A DirectorySource looks at what protects the emergency accounts, through Microsoft
// Graph, and makes records of GlasswardChanges of what is otherwise.
type DirectorySource struct {
	// Every is how often, Quick how often while an incident is open that concerns an
	// account or what protects one. Zero is 5 minutes and 1 minute.
	Every Duration `yaml:"every" json:"every,omitempty" jsonschema:"description=How often it is looked at (5m; at least 1m)"`
	Quick Duration `yaml:"quick" json:"quick,omitempty" jsonschema:"description=How often while an incident about it is open (1m; at least 30s)"`
	// Models are the AAGUIDs of the keys that the accounts may have; empty means that a
	// key's model is not judged. DrillDays is within how many days each account is to be
	// used; 0 is 90.
	Models    []string `yaml:"models" json:"models,omitempty" jsonschema:"description=AAGUIDs of approved models of keys: a key of another is an alarm"`
	DrillDays int      `yaml:"drillDays" json:"drillDays,omitempty" jsonschema:"description=Within how many days each account is to be used (90); 14 days later it is an alarm"`
	// Subscriptions are those of Azure in which alert rules, action groups and workspaces
	// of the alarm path stand, by id; none means that Azure is not looked at.
	Subscriptions []string `yaml:"subscriptions" json:"subscriptions,omitempty" jsonschema:"description=Azure subscriptions in which the alarm path stands (GUIDs); the application needs Monitoring Reader on each"`
}

// A GraphSource reads the reports of Microsoft Graph.
type GraphSource struct {
	// Streams are the reports to read; empty means all.
	Streams []string `yaml:"streams" json:"streams,omitempty" jsonschema:"description=Which reports (all): signIns, nonInteractiveSignIns, servicePrincipalSignIns, managedIdentitySignIns, directoryAudits, provisioning, riskDetections, riskyUsers"`
	// Since is how far back the first start reads; 0 means 7 days.
	Since Duration `yaml:"since" json:"since,omitempty" jsonschema:"description=How far back the first start reads (7d)"`
	// Fallback is what happens where the tenant's licence gives no sign-ins:
	// "activity", the default, reads the Management Activity API as well; "none"
	// only says so.
	Fallback string `yaml:"fallback" json:"fallback,omitempty" jsonschema:"enum=activity,enum=none,description=The next road where the licence gives no sign-ins (activity)"`
}

// An ActivitySource reads the Office 365 Management Activity API.
type ActivitySource struct {
	// ContentTypes are the feeds to read; empty means Audit.AzureActiveDirectory
	// and Audit.Exchange, which says when somebody switches the audit log off.
	ContentTypes []string `yaml:"contentTypes" json:"contentTypes,omitempty" jsonschema:"description=Audit.AzureActiveDirectory, Audit.Exchange, Audit.SharePoint, Audit.General"`
}

// An EventHubSource reads hubs of one Event Hubs namespace by its Kafka endpoint.
type EventHubSource struct {
	Namespace string   `yaml:"namespace" json:"namespace" jsonschema:"required,description=NAME.servicebus.windows.net"`
	Hubs      []string `yaml:"hubs" json:"hubs,omitempty" jsonschema:"description=Names of the hubs; empty means those that begin with insights- "`
	// ConnectionString signs in with a key; empty means the application's own
	// credential, which needs the role Azure Event Hubs Data Receiver.
	ConnectionString glassward.Secret `yaml:"connectionString" json:"connectionString,omitempty" jsonschema:"description=env:NAME or file:PATH of a connection string with Listen alone; empty signs in with the application's credential"`
}

// A StorageSource reads the folder layout of a diagnostic setting's export.
type StorageSource struct {
	Path  string   `yaml:"path" json:"path" jsonschema:"required,description=Folder that holds the containers insights-logs-*"`
	Every Duration `yaml:"every" json:"every,omitempty" jsonschema:"description=How often it is looked at (10s)"`
}

// A WorkspaceSource reads a Log Analytics workspace by query.
type WorkspaceSource struct {
	ID     string   `yaml:"id" json:"id" jsonschema:"required,description=The workspace's id (a GUID)"`
	Tables []string `yaml:"tables" json:"tables,omitempty" jsonschema:"description=Tables to read; empty means those of sign-ins and audits"`
	Every  Duration `yaml:"every" json:"every,omitempty" jsonschema:"description=How often each table is asked for (1m)"`
}

// An Application is our registration in the tenant and how it signs in: one of
// certificate, federatedToken, managedIdentity and clientSecret.
type Application struct {
	ClientID            string           `yaml:"clientId" json:"clientId,omitempty" jsonschema:"description=Application (client) id; may be empty with a managed identity"`
	Certificate         glassward.Secret `yaml:"certificate" json:"certificate,omitempty" jsonschema:"description=file:PATH of a PEM or PFX with certificate and key, readable by its owner alone"`
	CertificatePassword glassward.Secret `yaml:"certificatePassword" json:"certificatePassword,omitempty" jsonschema:"description=env:NAME or file:PATH of the PFX's password"`
	FederatedToken      string           `yaml:"federatedToken" json:"federatedToken,omitempty" jsonschema:"description=Path of the token that another issuer renews (workload identity federation)"`
	ManagedIdentity     bool             `yaml:"managedIdentity" json:"managedIdentity,omitempty" jsonschema:"description=Sign in as the machine's managed identity"`
	ClientSecret        glassward.Secret `yaml:"clientSecret" json:"clientSecret,omitempty" jsonschema:"description=env:NAME or file:PATH of a client secret; a certificate is better"`
	// Shared has to hold SharedWords where another tenant uses the same credential.
	Shared string `yaml:"shared" json:"shared,omitempty" jsonschema:"description=Words by which a credential that several tenants share is accepted"`
}

// SharedWords have to be typed where one credential opens several tenants.
const SharedWords = "one stolen credential opens every tenant that shares it"

// Endpoints replace those of the named cloud, one by one: for clouds that have no
// name here, and for simulated tenants. CA is a PEM file with the authority that
// signs their certificates.
type Endpoints struct {
	Authority       string `yaml:"authority" json:"authority,omitempty"`
	Graph           string `yaml:"graph" json:"graph,omitempty"`
	Activity        string `yaml:"activity" json:"activity,omitempty"`
	ResourceManager string `yaml:"resourceManager" json:"resourceManager,omitempty"`
	LogAnalytics    string `yaml:"logAnalytics" json:"logAnalytics,omitempty"`
	EventHubsSuffix string `yaml:"eventHubsSuffix" json:"eventHubsSuffix,omitempty"`
	CA              string `yaml:"ca" json:"ca,omitempty" jsonschema:"description=PEM file of the authority that signs these services' certificates"`
}

// A Pulse is a canary without roles whose deliberate failed sign-in is awaited on
// each road. docs/operating.md says what it risks.
type Pulse struct {
	ObjectID          string   `yaml:"objectId" json:"objectId" jsonschema:"required,description=The canary's object id"`
	UserPrincipalName string   `yaml:"userPrincipalName" json:"userPrincipalName" jsonschema:"required,description=The name that it signs in by"`
	Every             Duration `yaml:"every" json:"every,omitempty" jsonschema:"description=How often (15m; at least 5m)"`
	// ClientID is the public client that it signs in to; empty means Azure CLI's,
	// which every tenant has.
	ClientID string `yaml:"clientId" json:"clientId,omitempty" jsonschema:"description=Public client that it signs in to (Azure CLI)"`
}

// A ProtectedObject is something that protects the accounts: their group, unit,
// policies.
type ProtectedObject struct {
	// ObjectID is a GUID; that of an authentication context is c1 to c99.
	ObjectID string `yaml:"objectId" json:"objectId" jsonschema:"required,description=The object's id (a GUID; c1 to c99 for an authentication context)"`
	Name     string `yaml:"name" json:"name,omitempty"`
	// Kind is one of ObjectKinds; empty says nothing about it.
	Kind string `yaml:"kind" json:"kind,omitempty" jsonschema:"enum=group,enum=restrictedUnit,enum=roleDefinition,enum=policy,enum=strength,enum=passkeyProfile,enum=namedLocation,enum=authenticationContext"`
}

// ObjectKinds are what a protected object can be.
func ObjectKinds() []string {
	return []string{"group", "restrictedUnit", "roleDefinition", "policy", "strength", "passkeyProfile", "namedLocation", "authenticationContext"}
}

// A Place is from where the emergency accounts are used; exactly one of Network,
// Country and ASN is set.
type Place struct {
	Name    string `yaml:"name" json:"name,omitempty"`
	Network string `yaml:"network" json:"network,omitempty" jsonschema:"description=Addresses as CIDR"`
	Country string `yaml:"country" json:"country,omitempty" jsonschema:"description=Two letters, as sign-in logs have it"`
	// ASN is the number of a carrier's network (autonomous system).
	ASN uint32 `yaml:"asn" json:"asn,omitempty" jsonschema:"description=Number of a carrier's network (autonomous system)"`
}

// An ExpectedApplication is one with which the accounts are used, or which may look
// at them.
type ExpectedApplication struct {
	AppID string `yaml:"appId" json:"appId" jsonschema:"required,description=Application (client) id"`
	Name  string `yaml:"name" json:"name,omitempty"`
	// Use is signIn or read; empty means signIn.
	Use string `yaml:"use" json:"use,omitempty" jsonschema:"enum=signIn,enum=read,default=signIn"`
}

// checkExpected looks at the places and applications of a tenant's file.
func (t *Tenant) checkExpected(at func(path, format string, args ...any)) {
	for i := range t.Places {
		p := &t.Places[i]
		path := fmt.Sprintf("$.places[%d]", i)
		set := 0
		if p.Network != "" {
			set++
			n, err := netip.ParsePrefix(strings.TrimSpace(p.Network))
			if err != nil {
				at(path+".network", "network %q is no CIDR range such as 203.0.113.0/24", p.Network)
			} else {
				p.Network = n.Masked().String()
			}
		}
		if p.Country != "" {
			set++
			p.Country = strings.ToUpper(strings.TrimSpace(p.Country))
			if len(p.Country) != 2 || strings.Trim(p.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
				at(path+".country", "country %q: write the two letters that sign-in logs show, such as NO", p.Country)
			}
		}
		if p.ASN != 0 {
			set++
		}
		if set != 1 {
			at(path, "a place is one of network, country and asn")
		}
	}
	for i := range t.Applications {
		a := &t.Applications[i]
		path := fmt.Sprintf("$.applications[%d]", i)
		if a.AppID = strings.ToLower(strings.TrimSpace(a.AppID)); !glassward.IsGUID(a.AppID) {
			at(path+".appId", "appId %q is not a GUID", a.AppID)
		}
		switch a.Use {
		case "":
			a.Use = "signIn"
		case "signIn", "read":
		default:
			at(path+".use", "use %q: write signIn or read", a.Use)
		}
	}
}

var contextID = regexp.MustCompile(`^c[1-9][0-9]?$`)

// checkObjects looks at the protected objects of a tenant's file.
func (t *Tenant) checkObjects(at func(path, format string, args ...any)) {
	seen := map[string]bool{}
	for i := range t.ProtectedObjects {
		o := &t.ProtectedObjects[i]
		path := fmt.Sprintf("$.protectedObjects[%d]", i)
		o.ObjectID = strings.ToLower(strings.TrimSpace(o.ObjectID))
		context := o.Kind == "authenticationContext"
		switch {
		case context && !contextID.MatchString(o.ObjectID):
			at(path+".objectId", "objectId %q is no authentication context: its id is c1 to c99", o.ObjectID)
		case !context && contextID.MatchString(o.ObjectID):
			at(path+".objectId", "objectId %q is an authentication context: write kind: authenticationContext beside it", o.ObjectID)
		case !context && !glassward.IsGUID(o.ObjectID):
			at(path+".objectId", "objectId %q is not a GUID", o.ObjectID)
		case seen[o.ObjectID]:
			at(path+".objectId", "object %s is declared twice", o.ObjectID)
		case slices.Contains(t.Accounts(), o.ObjectID):
			at(path+".objectId", "%s is declared as an emergency account already, which protects it as well: remove one of the two", o.ObjectID)
		}
		seen[o.ObjectID] = true
		if o.Kind != "" && !slices.Contains(ObjectKinds(), o.Kind) {
			near := ""
			if n := diag.Nearest(o.Kind, ObjectKinds()); n != "" {
				near = " (did you mean " + n + "?)"
			}
			at(path+".kind", "kind %q: use %s%s", o.Kind, strings.Join(ObjectKinds(), ", "), near)
		}
	}
}

// What of a tenant's records is kept.
const (
	KeepAll           = "all"
	KeepProtectedOnly = "protected-only"
)

// Streams are the names that graph.streams knows.
func Streams() []string {
	return []string{"signIns", "nonInteractiveSignIns", "servicePrincipalSignIns", "managedIdentitySignIns", "directoryAudits", "provisioning", "riskDetections", "riskyUsers"}
}

// Any says whether any road is configured.
func (s Sources) Any() bool {
	return s.Graph != nil || s.Activity != nil || len(s.EventHub) > 0 || len(s.Storage) > 0 || len(s.Logs) > 0
}

// NeedsApplication says whether one of the roads signs in as our application.
func (s Sources) NeedsApplication() bool {
	return s.Graph != nil || s.Activity != nil || s.Directory != nil || len(s.Logs) > 0 ||
		slices.ContainsFunc(s.EventHub, func(e EventHubSource) bool { return e.ConnectionString == "" })
}

// CloudOf gives the tenant's cloud with its own endpoints in place.
func (t Tenant) CloudOf() (entra.Cloud, error) {
	c, ok := entra.LookupCloud(t.Cloud)
	if !ok {
		return c, fmt.Errorf("there is no cloud %q: use %s", t.Cloud, strings.Join(entra.CloudNames(), ", "))
	}
	if t.Endpoints == nil {
		return c, nil
	}
	e := t.Endpoints
	for _, x := range []struct {
		from string
		to   *string
	}{
		{e.Authority, &c.Authority}, {e.Graph, &c.Graph}, {e.Activity, &c.Activity},
		{e.ResourceManager, &c.ResourceManager}, {e.LogAnalytics, &c.LogAnalytics}, {e.EventHubsSuffix, &c.EventHubsSuffix},
	} {
		if x.from != "" {
			*x.to = strings.TrimRight(x.from, "/")
			c.Name = "custom"
		}
	}
	return c, nil
}

// Watched gives the ids of accounts and of what protects them, as far as they can
// be found in the text of a record: that of an authentication context is too short.
func (t Tenant) Watched() []string {
	ids := t.Accounts()
	for _, o := range t.ProtectedObjects {
		if glassward.IsGUID(o.ObjectID) {
			ids = append(ids, o.ObjectID)
		}
	}
	return ids
}

// MinPulse is the shortest time between two beats of the pulse.
const MinPulse = 5 * time.Minute

var hubName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,255}$`)

// checkSources looks at what a tenant's file says of its roads; at and warn add a
// problem at a YAML path, has says whether one stands there.
func (t *Tenant) checkSources(base string, has func(path string) bool, at, warn func(path, format string, args ...any)) {
	file := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
	}
	secret := func(path string, s *glassward.Secret) {
		scheme, rest, ok := strings.Cut(string(*s), ":")
		switch {
		case *s == "":
		case !ok || rest == "" || (scheme != "env" && scheme != "file"):
			// Neither does the message repeat it: it may be the secret itself.
			at(path, "a secret must be a reference, env:NAME or file:PATH; values do not belong in configuration")
		case scheme == "file" && !filepath.IsAbs(rest):
			*s = glassward.Secret("file:" + filepath.Join(base, rest))
		}
	}
	id := func(path string, v *string, what string) {
		*v = strings.ToLower(strings.TrimSpace(*v))
		if !glassward.IsGUID(*v) {
			at(path, "%s %q is not a GUID", what, *v)
		}
	}
	least := func(path string, d Duration, least time.Duration) {
		if d != 0 && time.Duration(d) < least {
			at(path, "%s is too often: %s is the least", time.Duration(d), least)
		}
	}
	if _, err := t.CloudOf(); err != nil {
		at("$.cloud", "%v", err)
	}
	if e := t.Endpoints; e != nil {
		file(&e.CA)
		for _, x := range []struct{ key, value string }{
			{"authority", e.Authority}, {"graph", e.Graph}, {"activity", e.Activity}, {"resourceManager", e.ResourceManager}, {"logAnalytics", e.LogAnalytics},
		} {
			if u, err := url.Parse(x.value); x.value != "" && (err != nil || u.Host == "" || u.Scheme != "https") {
				at("$.endpoints."+x.key, "%q is not an https address", x.value)
			}
		}
	}
	switch t.Keep {
	case "":
		t.Keep = KeepAll
	case KeepAll, KeepProtectedOnly:
	default:
		at("$.keep", "keep %q: use %s or %s", t.Keep, KeepAll, KeepProtectedOnly)
	}
	t.checkObjects(at)
	t.checkExpected(at)

	s := &t.Sources
	// A key without a value reads like a road that is switched on, and is none.
	for _, x := range []struct {
		key string
		set bool
	}{{"graph", s.Graph != nil}, {"activity", s.Activity != nil}, {"directory", s.Directory != nil}} {
		if !x.set && has("$.sources."+x.key) {
			at("$.sources."+x.key, "%s has no value: write %s: {} to take the defaults, or remove the line", x.key, x.key)
		}
	}
	if g := s.Graph; g != nil {
		for i, name := range g.Streams {
			if !slices.Contains(Streams(), name) {
				at(fmt.Sprintf("$.sources.graph.streams[%d]", i), "there is no report %q: use %s", name, strings.Join(Streams(), ", "))
			}
		}
		switch g.Fallback {
		case "":
			g.Fallback = "activity"
		case "activity", "none":
		default:
			at("$.sources.graph.fallback", "fallback %q: use activity or none", g.Fallback)
		}
	}
	if a := s.Activity; a != nil {
		known := []string{"Audit.AzureActiveDirectory", "Audit.Exchange", "Audit.SharePoint", "Audit.General"}
		for i, name := range a.ContentTypes {
			if !slices.Contains(known, name) {
				at(fmt.Sprintf("$.sources.activity.contentTypes[%d]", i), "there is no content type %q: use %s", name, strings.Join(known, ", "))
			}
		}
	}
	once := map[string]bool{}
	twice := func(path, name string) {
		if once[name] {
			at(path, "%s is named twice: one road is read once", name)
		}
		once[name] = true
	}
	for i := range s.EventHub {
		twice(fmt.Sprintf("$.sources.eventHubs[%d].namespace", i), strings.ToLower(s.EventHub[i].Namespace))
		e, path := &s.EventHub[i], fmt.Sprintf("$.sources.eventHubs[%d]", i)
		host := e.Namespace
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if u, err := url.Parse("https://" + e.Namespace); e.Namespace == "" || err != nil || u.Hostname() != host || u.Path != "" {
			at(path+".namespace", "namespace %q is not a host name of the form NAME.servicebus.windows.net", e.Namespace)
		}
		for j, h := range e.Hubs {
			if !hubName.MatchString(h) {
				at(fmt.Sprintf("%s.hubs[%d]", path, j), "%q is no hub's name", h)
			}
		}
		secret(path+".connectionString", &e.ConnectionString)
	}
	for i := range s.Storage {
		path := fmt.Sprintf("$.sources.storage[%d]", i)
		if s.Storage[i].Path == "" {
			at(path, "a storage export needs a path")
		}
		file(&s.Storage[i].Path)
		twice(path+".path", s.Storage[i].Path)
		least(path+".every", s.Storage[i].Every, time.Second)
	}
	for i := range s.Logs {
		w, path := &s.Logs[i], fmt.Sprintf("$.sources.workspaces[%d]", i)
		id(path+".id", &w.ID, "workspace id")
		twice(path+".id", w.ID)
		for j, name := range w.Tables {
			if _, ok := schema.Lookup(name); !ok {
				at(fmt.Sprintf("%s.tables[%d]", path, j), "there is no table %q", name)
			}
		}
		least(path+".every", w.Every, 15*time.Second)
	}

	if d := s.Directory; d != nil {
		least("$.sources.directory.every", d.Every, time.Minute)
		least("$.sources.directory.quick", d.Quick, 30*time.Second)
		if d.Every == 0 {
			d.Every = Duration(5 * time.Minute)
		}
		if d.Quick == 0 {
			d.Quick = Duration(time.Minute)
		}
		d.Quick = min(d.Quick, d.Every)
		for i := range d.Models {
			id(fmt.Sprintf("$.sources.directory.models[%d]", i), &d.Models[i], "model")
		}
		if d.DrillDays < 0 || d.DrillDays > 3650 {
			at("$.sources.directory.drillDays", "drillDays %d: give days, at most 3650", d.DrillDays)
		}
		for i := range d.Subscriptions {
			id(fmt.Sprintf("$.sources.directory.subscriptions[%d]", i), &d.Subscriptions[i], "subscription")
		}
	}
	if s.NeedsApplication() && t.Application == nil {
		at("$.sources", "these roads sign in as an application: give application with clientId and certificate (glassward permissions prints how to register one)")
	}
	if a := t.Application; a != nil {
		ways := 0
		for _, given := range []bool{a.Certificate != "", a.FederatedToken != "", a.ManagedIdentity, a.ClientSecret != ""} {
			if given {
				ways++
			}
		}
		if ways != 1 {
			at("$.application", "give exactly one of certificate, federatedToken, managedIdentity and clientSecret")
		}
		if a.ClientID != "" || !a.ManagedIdentity {
			id("$.application.clientId", &a.ClientID, "clientId")
		}
		secret("$.application.certificate", &a.Certificate)
		secret("$.application.certificatePassword", &a.CertificatePassword)
		secret("$.application.clientSecret", &a.ClientSecret)
		file(&a.FederatedToken)
		if a.ClientSecret != "" {
			warn("$.application.clientSecret", "a client secret can be copied and used from anywhere: a certificate or workload federation is better")
		}
		if a.Shared != "" && a.Shared != SharedWords {
			at("$.application.shared", "shared has to say: %s", SharedWords)
		}
	}
	if p := t.Pulse; p != nil {
		id("$.pulse.objectId", &p.ObjectID, "objectId")
		if !strings.Contains(p.UserPrincipalName, "@") {
			at("$.pulse.userPrincipalName", "userPrincipalName %q is no sign-in name", p.UserPrincipalName)
		}
		if slices.Contains(t.Accounts(), p.ObjectID) {
			at("$.pulse.objectId", "%s is an emergency account: failed sign-ins would lock it. Use an account of its own, without any role", p.ObjectID)
		}
		if p.ClientID != "" {
			id("$.pulse.clientId", &p.ClientID, "clientId")
		}
		if p.Every == 0 {
			p.Every = Duration(15 * time.Minute)
		}
		least("$.pulse.every", p.Every, MinPulse)
	}
}

// sharedCredentials gives, by file, what is wrong with tenants that share a
// credential with another and do not say that they know what it means.
func sharedCredentials(tenants []Tenant) []Problem {
	key := func(t Tenant) string {
		a := t.Application
		switch {
		case a == nil:
			return ""
		case a.Certificate != "":
			return string(a.Certificate)
		case a.ClientSecret != "":
			return string(a.ClientSecret)
		case a.FederatedToken != "":
			return a.FederatedToken + " " + a.ClientID
		}
		return "managed identity " + a.ClientID
	}
	users := map[string][]string{}
	for _, t := range tenants {
		if k := key(t); k != "" {
			users[k] = append(users[k], t.Name)
		}
	}
	var list []Problem
	for _, t := range tenants {
		with := users[key(t)]
		if len(with) < 2 || t.Application.Shared == SharedWords {
			continue
		}
		others := slices.DeleteFunc(slices.Clone(with), func(n string) bool { return n == t.Name })
		list = append(list, Problem{File: t.File, Message: fmt.Sprintf(
			"the credential is that of %s, too: give each tenant an application and a certificate of its own, or write application.shared: %q", strings.Join(others, ", "), SharedWords)})
	}
	return list
}
