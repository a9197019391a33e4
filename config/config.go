// Package config reads what people write: glassward.yaml and one file a tenant
// beside it. It is strict (an unknown field is an error with line and column),
// and a broken tenant file disables no other tenant.
package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"glassward"
	"glassward/certificate"
	"glassward/external"
	"glassward/ingest/dcr"
	"glassward/kql/diag"
	"glassward/notify"
	"glassward/schema"
)

// Config is glassward.yaml together with its tenants.
type Config struct {
	// Data is the folder that holds everything that is kept; relative paths start
	// at the configuration file.
	Data string `yaml:"data" json:"data,omitempty" jsonschema:"default=data,description=Folder that holds everything that is kept"`
	// Listen is the address of the API and the incident pages.
	Listen string `yaml:"listen" json:"listen,omitempty" jsonschema:"default=127.0.0.1:8470,description=Address of the API and the incident pages"`
	// PublicURL is how people reach the incident pages; links in notices begin
	// with it.
	PublicURL string `yaml:"publicUrl" json:"publicUrl,omitempty" jsonschema:"description=How people reach the incident pages: links in notices begin with it"`
	TLS       *TLS   `yaml:"tls" json:"tls,omitempty"`
	// Rules is a folder of analytics-rule files of the user's own.
	Rules string `yaml:"rules" json:"rules,omitempty" jsonschema:"description=Folder of analytics rules of your own (Sentinel YAML)"`
	// Functions is a folder of stored KQL functions of the user's own.
	Functions string `yaml:"functions" json:"functions,omitempty" jsonschema:"description=Folder of stored functions of your own (.kql files): queries and rules use them by name"`
	// GeoDatabase is a file in MaxMind's format that tells where addresses lie.
	GeoDatabase string `yaml:"geoDatabase" json:"geoDatabase,omitempty" jsonschema:"description=Database in MaxMind's format, such as GeoLite2-City, for geo_info_from_ip_address; read at start"`
	// Tenants is the folder of tenant files.
	Tenants string `yaml:"tenants" json:"tenants,omitempty" jsonschema:"default=tenants,description=Folder of tenant files"`
	// Config holds the mail servers and the action groups.
	notify.Config `yaml:",inline"`
	Retention     map[string]Duration `yaml:"retention" json:"retention,omitempty" jsonschema:"description=How long records are kept since we received them: by table, or default (400d)"`
	Disk          Disk                `yaml:"disk" json:"disk,omitempty"`
	Query         Query               `yaml:"query" json:"query,omitempty"`
	// Limits are what holders of tokens may ask of the API.
	Limits Limits `yaml:"limits" json:"limits,omitzero" jsonschema:"description=What each token may ask of the API"`
	// AcrossTenants says whether alerts are compared over tenants.
	AcrossTenants AcrossTenants `yaml:"acrossTenants" json:"acrossTenants,omitzero"`

	// Each holds the tenants that could be read, by id.
	Each []Tenant `yaml:"-" json:"-"`
	// File is where this configuration was read.
	File string `yaml:"-" json:"-"`

	dependents []Tenant // see Dependents
}

// TLS says which certificate the API and the incident pages show: one of the user's own,
// or one that is made here.
type TLS struct {
	Certificate string `yaml:"certificate" json:"certificate,omitempty" jsonschema:"description=PEM file with the certificate and its chain"`
	Key         string `yaml:"key" json:"key,omitempty" jsonschema:"description=PEM file with the key, readable by its owner alone"`
	// Made has a certificate made in the data folder, and made again before it ends, for
	// Names and those by which the machine reaches itself.
	Made  bool     `yaml:"made" json:"made,omitempty" jsonschema:"description=Make the certificate here by an authority of this installation, which glassward certificate export gives to clients"`
	Names []string `yaml:"names" json:"names,omitempty" jsonschema:"description=Host names and addresses under which other machines reach this one"`
}

// Disk says when intake pauses.
type Disk struct {
	// Reserve is how much stays free on the data folder's disk; 0 means 1 GiB.
	Reserve Bytes `yaml:"reserve" json:"reserve,omitempty" jsonschema:"description=Free space at which intake pauses (1GiB)"`
}

// Query bounds what people's queries may take.
type Query struct {
	Timeout Duration `yaml:"timeout" json:"timeout,omitempty" jsonschema:"description=Longest time of one query (3m)"`
	Rows    int      `yaml:"rows" json:"rows,omitempty" jsonschema:"description=Most rows of one result (500000)"`
	// External are the addresses that people's queries may read with externaldata, as external.CheckAllowed takes them.
	External []string `yaml:"external" json:"external,omitempty" jsonschema:"description=Addresses (https) that queries may read with externaldata: the address itself as it is written; one that ends in / or * allows all that begins with it. Empty allows nothing"`
	Memory   Bytes    `yaml:"memory" json:"memory,omitempty" jsonschema:"description=Memory of the event store (1GiB)"`
}

// Limits are what every token may ask, and what single ones may that need more, or less.
type Limits struct {
	Limit `yaml:",inline"`
	// Strangers are requests without a token that holds.
	Strangers int `yaml:"strangers" json:"strangers,omitempty" jsonschema:"minimum=0,description=Requests in 30 s from one address without a token that holds (120)"`
	// Tokens are by name of the token.
	Tokens map[string]Limit `yaml:"tokens" json:"tokens,omitempty" jsonschema:"description=Limits of single tokens by name; what one leaves out is as for all"`
}

// A Limit is what one token may ask. What is 0 is left out.
type Limit struct {
	Requests int      `yaml:"requests" json:"requests,omitempty" jsonschema:"minimum=0,description=Requests in 30 s (200)"`
	Pushes   int      `yaml:"pushes" json:"pushes,omitempty" jsonschema:"minimum=0,description=Requests in 30 s that bring records (6000)"`
	Queries  int      `yaml:"queries" json:"queries,omitempty" jsonschema:"minimum=0,description=Queries that are worked on at once (5)"`
	Waiting  int      `yaml:"waiting" json:"waiting,omitempty" jsonschema:"minimum=0,description=Queries that wait for those (200)"`
	Patience Duration `yaml:"patience" json:"patience,omitempty" jsonschema:"description=Longest time that a query waits (3m)"`
	Ingest   Bytes    `yaml:"ingest" json:"ingest,omitempty" jsonschema:"description=Bytes that may be pushed in a minute (1GiB)"`
	Body     Bytes    `yaml:"body" json:"body,omitempty" jsonschema:"description=Bytes of one request's body (64MiB)"`
}

// maxBody is the largest body that may be allowed: it is held in memory in part.
const maxBody = Bytes(1 << 30)

// check says what of a token's limits is not possible.
func (l Limit) check(at func(field, format string, args ...any)) {
	for field, n := range map[string]int64{"requests": int64(l.Requests), "pushes": int64(l.Pushes), "queries": int64(l.Queries), "waiting": int64(l.Waiting), "patience": int64(l.Patience), "ingest": int64(l.Ingest)} {
		if n < 0 {
			at(field, "it cannot be less than nothing")
		}
	}
	if l.Queries > 64 {
		at("queries", "%d queries at once are more than one workspace works on: at most 64", l.Queries)
	}
	if l.Body < 0 || l.Body > maxBody {
		at("body", "a body has at most 1GiB")
	}
}

// A Tenant is one file of the tenants folder: one customer's workspace.
type Tenant struct {
	// ID is the Entra tenant's id.
	ID   string `yaml:"tenant" json:"tenant" jsonschema:"required,description=The Entra tenant's id (a GUID)"`
	Name string `yaml:"name" json:"name,omitempty" jsonschema:"description=What people call it; letters, digits, dash and dot"`
	// EmergencyAccounts are declared once, by object id, and reach rules as
	// _GetWatchlist('EmergencyAccounts').
	EmergencyAccounts []EmergencyAccount `yaml:"emergencyAccounts" json:"emergencyAccounts" jsonschema:"description=The break-glass accounts, by object id"`
	// Domains are the tenant's verified domains, for finding receivers that stand
	// and fall with it.
	Domains []string `yaml:"domains" json:"domains,omitempty" jsonschema:"description=The tenant's verified domains: receivers in them fall with it"`
	// ActionGroups are told of this tenant's incidents.
	ActionGroups []string `yaml:"actionGroups" json:"actionGroups,omitempty" jsonschema:"description=Names of the action groups that are told"`
	// DependentContacts is DependentWords where somebody means it: every receiver of
	// the groups stands or falls with the tenant.
	DependentContacts string   `yaml:"dependentContacts" json:"dependentContacts,omitempty" jsonschema:"description=The words that the program asks for where every receiver stands or falls with the tenant"`
	Folders           []Folder `yaml:"folders" json:"folders,omitempty" jsonschema:"description=Folders whose new and growing files are taken in"`

	// Cloud is one of entra.CloudNames; empty means public.
	Cloud     string     `yaml:"cloud" json:"cloud,omitempty" jsonschema:"enum=public,enum=gcc,enum=usgov,enum=usgov-dod,enum=china,default=public"`
	Endpoints *Endpoints `yaml:"endpoints" json:"endpoints,omitempty" jsonschema:"description=Addresses that replace those of the cloud"`
	// Application is how we sign in to the tenant; the roads that need it say so.
	Application *Application `yaml:"application" json:"application,omitempty"`
	Sources     Sources      `yaml:"sources" json:"sources,omitempty" jsonschema:"description=The roads by which records come by themselves"`
	Pulse       *Pulse       `yaml:"pulse" json:"pulse,omitempty"`
	// Keep is what is stored: all, or protected-only.
	Keep             string            `yaml:"keep" json:"keep,omitempty" jsonschema:"enum=all,enum=protected-only,default=all,description=protected-only stores nothing about anybody but the emergency accounts and what protects them"`
	ProtectedObjects []ProtectedObject `yaml:"protectedObjects" json:"protectedObjects,omitempty" jsonschema:"description=Groups, units, policies that protect the accounts, by object id"`
	// Places are from where the accounts are used, Applications with what. Rules read
	// them as ExpectedPlaces and ExpectedApplications.
	Places       []Place               `yaml:"places" json:"places,omitempty" jsonschema:"description=From where the accounts are used: networks, countries, carriers"`
	Applications []ExpectedApplication `yaml:"applications" json:"applications,omitempty" jsonschema:"description=Applications with which the accounts are used, or which may look at them, beside the shipped ones"`
	// DataCollection declares tables of the tenant's own, and what may be pushed.
	DataCollection *DataCollection `yaml:"dataCollection" json:"dataCollection,omitempty" jsonschema:"description=Tables of your own and data collection rules, for what is pushed through the Logs Ingestion API"`

	File string `yaml:"-" json:"-"`

	// Of DataCollection, once it is read; tables is nil where there are none.
	tables          *schema.Set
	collection      []*dcr.Rule
	collectionFiles []string
}

// An EmergencyAccount is a break-glass account.
type EmergencyAccount struct {
	ObjectID          string `yaml:"objectId" json:"objectId" jsonschema:"required,description=The account's object id (a GUID); accounts are never recognised by name"`
	Name              string `yaml:"name" json:"name,omitempty"`
	UserPrincipalName string `yaml:"userPrincipalName" json:"userPrincipalName,omitempty"`
	// Kind is user, servicePrincipal or decoy; empty means user.
	Kind string `yaml:"kind" json:"kind,omitempty" jsonschema:"enum=user,enum=servicePrincipal,enum=decoy,default=user"`
	// Holders are the people who hold the account's keys, by name. They are named in
	// alarms and do not review what the account did.
	Holders []string `yaml:"holders" json:"holders,omitempty" jsonschema:"description=Who holds the account's keys, by name; they cannot review its incidents"`
}

// A Folder is followed: its new and growing files are taken in.
type Folder struct {
	Path string `yaml:"path" json:"path" jsonschema:"required"`
	// Table overrides recognition of the table.
	Table string `yaml:"table" json:"table,omitempty"`
	// Every is how often the folder is looked at; 0 means each second.
	Every Duration `yaml:"every" json:"every,omitempty"`
}

// A Problem is something wrong in a file. Tenant is set where the problem
// disables that tenant's file alone.
type Problem struct {
	File string
	// Line and Column count from 1; 0 where the problem has no place.
	Line, Column int
	Message      string
	// Tenant is the broken tenant file's base name, empty where the problem
	// concerns the whole configuration.
	Tenant string
	// Warning is a problem that disables nothing.
	Warning bool
	// Collection is the id of a tenant of which a table or a data collection rule is
	// wrong: the tenant stands, without any of its own. Tenant is set, too.
	Collection string
	// Dependent is the id of a tenant that the problem would have refused for nothing
	// but its receivers: see Config.Dependents.
	Dependent string
}

func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	b.WriteString(": ")
	if p.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// DependentWords have to be typed where nobody but the tenant itself would be told
// of what happens in it.
const DependentWords = "I accept that whoever owns this tenant can silence its alarms"

// Defaults for what a file leaves out.
const (
	DefaultListen    = "127.0.0.1:8470"
	DefaultRetention = 400 * 24 * time.Hour
	DefaultReserve   = Bytes(1 << 30)
	DefaultTimeout   = 3 * time.Minute
	DefaultRows      = 500_000
	DefaultMemory    = Bytes(1 << 30)
	maxFile          = 4 << 20
)

// Load reads file and the tenants beside it. The configuration is nil only
// where glassward.yaml itself is broken; a broken tenant file is a Problem with
// Tenant set, and every other tenant stands.
func Load(file string) (*Config, []Problem) {
	var c Config
	text, err := readBounded(file)
	if err != nil {
		return nil, []Problem{{File: file, Message: err.Error()}}
	}
	if p := decode(file, text, &c); p != nil {
		return nil, []Problem{*p}
	}
	c.File = file
	base := filepath.Dir(file)
	c.fill(base)
	problems := c.check(text)
	if slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning }) {
		return nil, problems
	}
	problems = append(problems, c.loadTenants()...)
	for _, table := range slices.Sorted(maps.Keys(c.Retention)) {
		if table == "default" || slices.ContainsFunc(append([]Tenant{{}}, c.Each...), func(t Tenant) bool { _, ok := t.Schema().Lookup(table); return ok }) {
			continue
		}
		line, column := place(text, "$.retention")
		problems = append(problems, Problem{File: file, Line: line, Column: column, Warning: true, Message: fmt.Sprintf("retention of %q: no tenant declares such a table", table)})
	}
	if c.AcrossTenants.Compare && len(c.Each) < 2 {
		line, column := place(text, "$.acrossTenants.compare")
		problems = append(problems, Problem{File: file, Line: line, Column: column, Warning: true,
			Message: fmt.Sprintf("acrossTenants compares what meets several tenants, and there is %d: nothing is compared", len(c.Each))})
	}
	return &c, problems
}

// Default gives the configuration of a data folder without any file.
func Default(data string) *Config {
	c := &Config{Data: data}
	c.fill(".")
	return c
}

func (c *Config) fill(base string) {
	under := func(p, otherwise string) string {
		if p == "" {
			p = otherwise
		}
		if p == "" || filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(base, p)
	}
	c.Data = under(c.Data, "data")
	c.Rules = under(c.Rules, "")
	c.Functions = under(c.Functions, "")
	c.GeoDatabase = under(c.GeoDatabase, "")
	c.Tenants = under(c.Tenants, "tenants")
	if c.TLS != nil {
		c.TLS.Certificate = under(c.TLS.Certificate, "")
		c.TLS.Key = under(c.TLS.Key, "")
	}
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	if c.Disk.Reserve == 0 {
		c.Disk.Reserve = DefaultReserve
	}
	if c.Query.Timeout == 0 {
		c.Query.Timeout = Duration(DefaultTimeout)
	}
	if c.Query.Rows == 0 {
		c.Query.Rows = DefaultRows
	}
	if c.Query.Memory == 0 {
		c.Query.Memory = DefaultMemory
	}
	if c.PublicURL == "" {
		scheme := "http"
		if c.TLS != nil {
			scheme = "https"
		}
		c.PublicURL = scheme + "://" + c.Listen
		// An address that stands for all of the machine's is none that people can open.
		if _, port, err := net.SplitHostPort(c.Listen); err == nil && c.TLS != nil && len(c.TLS.Names) > 0 && certificate.CheckName(c.TLS.Names[0]) == nil && !Loopback(c.Listen) {
			c.PublicURL = scheme + "://" + net.JoinHostPort(c.TLS.Names[0], port)
		}
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
}

// Override puts a data folder and an address in the place of those that were
// read; empty ones change nothing.
func (c *Config) Override(data, listen string) {
	if data != "" {
		c.Data = data
	}
	if listen != "" {
		if strings.HasSuffix(c.PublicURL, "://"+c.Listen) {
			c.PublicURL = strings.TrimSuffix(c.PublicURL, c.Listen) + listen
		}
		c.Listen = listen
	}
}

// Loopback says whether an address listens on loopback alone.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (c *Config) check(text []byte) []Problem {
	var list []Problem
	at := func(path, format string, args ...any) {
		line, column := place(text, path)
		list = append(list, Problem{File: c.File, Line: line, Column: column, Message: fmt.Sprintf(format, args...)})
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		at("$.listen", "listen %q is not an address of the form host:port", c.Listen)
	} else if c.TLS == nil && !Loopback(c.Listen) {
		at("$.listen", "listen %s is reachable from other machines, so tokens would cross the network in clear: write tls: {made: true}, or tls.certificate and tls.key, or listen on 127.0.0.1", c.Listen)
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		at("$.publicUrl", "publicUrl %q is not an address of the form https://host", c.PublicURL)
	}
	if c.TLS != nil {
		list = append(list, c.TLS.check(c.File, text)...)
	}
	c.Limits.Limit.check(func(field, format string, args ...any) {
		at("$.limits."+field, "limits.%s: %s", field, fmt.Sprintf(format, args...))
	})
	if c.Limits.Strangers < 0 {
		at("$.limits.strangers", "limits.strangers: it cannot be less than nothing")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Limits.Tokens)) {
		c.Limits.Tokens[name].check(func(field, format string, args ...any) {
			at("$.limits.tokens", "limits.tokens.%s.%s: %s", name, field, fmt.Sprintf(format, args...))
		})
	}
	if c.Rules != "" {
		if info, err := os.Stat(c.Rules); err != nil || !info.IsDir() {
			at("$.rules", "rules: there is no folder %s", c.Rules)
		}
	}
	if c.GeoDatabase != "" {
		if info, err := os.Stat(c.GeoDatabase); err != nil || info.IsDir() {
			at("$.geoDatabase", "geoDatabase: there is no file %s", c.GeoDatabase)
		}
	}
	if c.Functions != "" {
		if info, err := os.Stat(c.Functions); err != nil || !info.IsDir() {
			at("$.functions", "functions: there is no folder %s", c.Functions)
		}
	}
	for i, entry := range c.Query.External {
		if err := external.CheckAllowed(entry); err != nil {
			at(fmt.Sprintf("$.query.external[%d]", i), "query.external: %v", err)
		}
	}
	for i, entry := range c.AcrossTenants.Shared {
		if err := checkShared(entry); err != nil {
			at(fmt.Sprintf("$.acrossTenants.shared[%d]", i), "acrossTenants.%v", err)
		}
	}
	for _, table := range slices.Sorted(maps.Keys(c.Retention)) {
		d := c.Retention[table]
		if _, ok := schema.Lookup(table); !ok && table != "default" && schema.CheckTableName(table) != nil {
			at("$.retention", "retention of %q: there is no such table", table)
		}
		if d < Duration(24*time.Hour) {
			at("$.retention", "retention of %s is %s: a day is the least", table, time.Duration(d))
		}
	}
	if err := c.Config.Validate(); err != nil {
		for _, e := range flatten(err) {
			path := "$"
			if m := element.FindString(e.Error()); m != "" {
				path += "." + m
			}
			at(path, "%v", e)
		}
	}
	return list
}

// check says what of the certificate's description does not hold together.
func (t *TLS) check(file string, text []byte) []Problem {
	var list []Problem
	at := func(path, format string, args ...any) {
		line, column := place(text, path)
		list = append(list, Problem{File: file, Line: line, Column: column, Message: fmt.Sprintf(format, args...)})
	}
	switch own := t.Certificate != "" || t.Key != ""; {
	case t.Made && own:
		at("$.tls", "tls: the certificate is made here (made) or your own (certificate and key), not both")
	case !t.Made && len(t.Names) > 0:
		at("$.tls.names", "tls.names are for a certificate that is made here (made: true); your own has its names")
	case !t.Made && (t.Certificate == "" || t.Key == ""):
		at("$.tls", "tls needs both certificate and key, or made: true")
	}
	for i, name := range t.Names {
		if err := certificate.CheckName(name); err != nil {
			at(fmt.Sprintf("$.tls.names[%d]", i), "tls.names: %v", err)
		}
	}
	return list
}

// element is how an error of notify.Config says where it is.
var element = regexp.MustCompile(`^[A-Za-z]+\[\d+\]`)

// flatten takes a joined error apart.
func flatten(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	return []error{err}
}

func (c *Config) loadTenants() []Problem {
	var list []Problem
	files, err := filepath.Glob(filepath.Join(c.Tenants, "*.yaml"))
	if err != nil {
		return []Problem{{File: c.Tenants, Message: err.Error()}}
	}
	more, _ := filepath.Glob(filepath.Join(c.Tenants, "*.yml"))
	files = append(files, more...)
	sort.Strings(files)
	ids, names := map[string]string{}, map[string]string{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		t, problems := c.loadTenant(file)
		if t != nil {
			if other, twice := ids[t.ID]; twice {
				problems = append(problems, Problem{File: file, Message: fmt.Sprintf("tenant %s is already declared in %s", t.ID, other)})
			}
			if other, twice := names[strings.ToLower(t.Name)]; twice {
				problems = append(problems, Problem{File: file, Message: fmt.Sprintf("the name %q is already that of %s", t.Name, other)})
			}
		}
		broken, otherwise := false, false
		for i := range problems {
			if problems[i].Collection != "" {
				problems[i].Tenant = name
				continue
			}
			if !problems[i].Warning {
				problems[i].Tenant = name
				broken = true
				otherwise = otherwise || problems[i].Dependent == ""
			}
		}
		list = append(list, problems...)
		if t != nil && broken && !otherwise {
			c.dependents = append(c.dependents, *t)
		}
		if t == nil || broken {
			continue
		}
		ids[t.ID], names[strings.ToLower(t.Name)] = file, file
		c.Each = append(c.Each, *t)
	}
	for _, p := range sharedCredentials(c.Each) {
		p.Tenant = strings.TrimSuffix(filepath.Base(p.File), filepath.Ext(p.File))
		c.Each = slices.DeleteFunc(c.Each, func(t Tenant) bool { return t.File == p.File })
		list = append(list, p)
	}
	return append(list, c.sharedRules()...)
}

// Watching gives what of a tenant receivers may depend on; it asks no name server.
func (t Tenant) Watching() notify.Watched { return notify.Watched{Domains: t.Domains} }

// Dependents gives the tenants that Load refused for nothing but their receivers: all
// of them stand or fall with the tenant, and nobody typed DependentWords.
func (c *Config) Dependents() []Tenant { return c.dependents }

// Adopt watches a tenant of Dependents all the same, and tells whether it could: not
// where another tenant has its id, its name or its credential. It is for one that is
// watched already, which must not go unwatched since more is asked of it now.
func (c *Config) Adopt(id string) bool {
	i := slices.IndexFunc(c.dependents, func(t Tenant) bool { return t.ID == id })
	if i < 0 {
		return false
	}
	t := c.dependents[i]
	all := append(slices.Clone(c.Each), t)
	if slices.ContainsFunc(c.Each, func(x Tenant) bool { return x.ID == t.ID || strings.EqualFold(x.Name, t.Name) }) ||
		slices.ContainsFunc(sharedCredentials(all), func(p Problem) bool { return p.File == t.File }) {
		return false
	}
	c.Each = all
	return true
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$`)

// CheckName says why a tenant cannot bear a name. A name stands wherever an id
// may, so it must not look like one: it could be another tenant's.
func CheckName(name string) error {
	switch {
	case strings.EqualFold(name, "glassward") || strings.EqualFold(name, "default"):
		return fmt.Errorf("the name %q has a meaning of its own: take another", name)
	case glassward.IsGUID(name):
		return fmt.Errorf("the name %q looks like an id: take one that people say", name)
	case !nameForm.MatchString(name):
		return fmt.Errorf("name %q: use letters, digits, dash and dot, at most 64", name)
	}
	return nil
}

func (c *Config) loadTenant(file string) (*Tenant, []Problem) {
	text, err := readBounded(file)
	if err != nil {
		return nil, []Problem{{File: file, Message: err.Error()}}
	}
	var t Tenant
	if p := decode(file, text, &t); p != nil {
		return nil, []Problem{*p}
	}
	t.File = file
	t.ID = strings.ToLower(strings.TrimSpace(t.ID))
	if t.Name == "" {
		t.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	var list []Problem
	at := func(path, format string, args ...any) {
		line, column := place(text, path)
		list = append(list, Problem{File: file, Line: line, Column: column, Message: fmt.Sprintf(format, args...)})
	}
	warn := func(path, format string, args ...any) {
		at(path, format, args...)
		list[len(list)-1].Warning = true
	}
	if !glassward.IsGUID(t.ID) {
		at("$.tenant", "tenant %q is not a tenant id: it is the GUID that the Entra overview page shows", t.ID)
	}
	if err := CheckName(t.Name); err != nil {
		at("$.name", "%v", err)
	}
	seen := map[string]bool{}
	for i := range t.EmergencyAccounts {
		a := &t.EmergencyAccounts[i]
		path := fmt.Sprintf("$.emergencyAccounts[%d]", i)
		a.ObjectID = strings.ToLower(strings.TrimSpace(a.ObjectID))
		switch {
		case !glassward.IsGUID(a.ObjectID):
			at(path+".objectId", "objectId %q is not an object id: it is the GUID that the account's page shows; accounts are never recognised by name, which anybody may change", a.ObjectID)
		case seen[a.ObjectID]:
			at(path+".objectId", "account %s is declared twice", a.ObjectID)
		}
		seen[a.ObjectID] = true
		switch a.Kind {
		case "":
			a.Kind = "user"
		case "user", "servicePrincipal", "decoy":
		default:
			at(path+".kind", "kind %q: use user, servicePrincipal or decoy", a.Kind)
		}
	}
	if len(t.EmergencyAccounts) == 0 {
		warn("$", "no emergency account is declared: nothing can be watched. List emergencyAccounts by objectId")
	}
	for i, g := range t.ActionGroups {
		if _, ok := c.Group(g); !ok {
			at(fmt.Sprintf("$.actionGroups[%d]", i), "there is no action group %q in %s", g, filepath.Base(c.File))
		}
	}
	if len(t.ActionGroups) == 0 {
		warn("$", "no action group is named: incidents are kept, but nobody is told")
	}
	if why := c.Dependent(context.Background(), t.ActionGroups, t.Watching()); len(why) > 0 && t.DependentContacts != DependentWords {
		at("$.actionGroups", "every receiver stands or falls with the tenant that is watched: whoever takes it over reads, deletes and answers its alarms, and when it is down nobody hears of it (%s). Add a receiver elsewhere: a telephone, a push service, a mailbox at another provider through another mail server. Or write dependentContacts: %q", strings.Join(why, "; "), DependentWords)
		list[len(list)-1].Dependent = t.ID
	}
	for i, f := range t.Folders {
		path := fmt.Sprintf("$.folders[%d]", i)
		if f.Path == "" {
			at(path, "a folder needs a path")
		} else if !filepath.IsAbs(f.Path) {
			t.Folders[i].Path = filepath.Join(filepath.Dir(c.File), f.Path)
		}
		if f.Table != "" {
			if _, ok := schema.Lookup(f.Table); !ok {
				at(path+".table", "there is no table %q", f.Table)
			}
		}
	}
	has := func(path string) bool {
		line, _ := place(text, path)
		return line > 0
	}
	t.checkSources(filepath.Dir(c.File), has, at, warn)
	return &t, append(list, t.loadCollection(filepath.Dir(c.File), text)...)
}

// Tenant gives the tenant whose id or name is that, in any case; "default" is
// the only one, where there is one alone.
func (c *Config) Tenant(name string) (Tenant, bool) {
	if name == "default" && len(c.Each) == 1 {
		return c.Each[0], true
	}
	for _, t := range c.Each {
		if strings.EqualFold(t.ID, name) || strings.EqualFold(t.Name, name) {
			return t, true
		}
	}
	return Tenant{}, false
}

// RetentionOf gives how long a table's records are kept.
func (c *Config) RetentionOf(table string) time.Duration {
	if d, ok := c.Retention[table]; ok {
		return time.Duration(d)
	}
	if d, ok := c.Retention["default"]; ok {
		return time.Duration(d)
	}
	return DefaultRetention
}

func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			return nil, fmt.Errorf("cannot be read: %v", pe.Err)
		}
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("is larger than %d MiB: this is no configuration", maxFile>>20)
	}
	return b, nil
}

// decode reads YAML strictly. The library's error carries the place and a
// caret; a Problem takes the place out of it so that it can stand in a list.
func decode(file string, text []byte, into any) *Problem {
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(into)
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	p := &Problem{File: file, Message: strings.TrimSpace(yaml.FormatError(err, false, true))}
	if m := placeForm.FindStringSubmatch(p.Message); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Column, _ = strconv.Atoi(m[2])
		p.Message = strings.TrimSpace(strings.TrimPrefix(p.Message, m[0]))
	}
	if m := unknownField.FindStringSubmatch(p.Message); m != nil {
		if near := diag.Nearest(m[1], fields(reflect.TypeOf(into), nil)); near != "" {
			p.Message = strings.Replace(p.Message, m[0], m[0]+": did you mean "+near+"?", 1)
		}
	}
	return p
}

var unknownField = regexp.MustCompile(`unknown field "([^"]+)"`)

// fields gives the names that a type's YAML knows, at whatever depth.
func fields(t reflect.Type, seen []reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || slices.Contains(seen, t) {
		return nil
	}
	seen = append(seen, t)
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name == "-" {
			continue
		}
		if name != "" {
			names = append(names, name)
		}
		names = append(names, fields(t.Field(i).Type, seen)...)
	}
	return names
}

var placeForm = regexp.MustCompile(`^\[(\d+):(\d+)\]`)

// place finds where a YAML path stands, 0, 0 where it does not.
func place(text []byte, path string) (line, column int) {
	p, err := yaml.PathString(path)
	if err != nil {
		return 0, 0
	}
	node, err := p.ReadNode(bytes.NewReader(text))
	if err != nil || node == nil || node.GetToken() == nil {
		return 0, 0
	}
	at := node.GetToken().Position
	return at.Line, at.Column
}

// Accounts gives the object ids of the emergency accounts, as declared.
func (t Tenant) Accounts() []string {
	ids := make([]string, len(t.EmergencyAccounts))
	for i, a := range t.EmergencyAccounts {
		ids[i] = a.ObjectID
	}
	return ids
}
