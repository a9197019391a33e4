package notify

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"glassward"
)

// A Config is who is told and how: the action groups, the mail servers that
// their e-mail receivers go through, and the companies that text and call. The field names are those of Azure's
// resource Microsoft.Insights/actionGroups (2024-10-01-preview) where Azure has
// them.
type Config struct {
	MailServers    []MailServer    `yaml:"mailServers,omitempty" json:"mailServers,omitempty"`
	PhoneProviders []PhoneProvider `yaml:"phoneProviders,omitempty" json:"phoneProviders,omitempty"`
	ActionGroups   []ActionGroup   `yaml:"actionGroups,omitempty" json:"actionGroups,omitempty"`
	// People may take incidents up by what they know.
	People []Person `yaml:"people,omitempty" json:"people,omitempty"`
	// Heartbeat is the dead man's ping; nil if there is none.
	Heartbeat *Heartbeat `yaml:"heartbeat,omitempty" json:"heartbeat,omitempty"`
}

// An ActionGroup is a named set of receivers that rules name and share.
type ActionGroup struct {
	Name string `yaml:"name" json:"name"`
	// ShortName is at most 12 characters; Azure shows it in text messages.
	ShortName string `yaml:"groupShortName,omitempty" json:"groupShortName,omitempty"`
	// Enabled is there because Azure's resource has it. Only true, or nothing, is
	// accepted: a group that tells nobody would be an alarm disabled in silence.
	Enabled *bool `yaml:"enabled,omitempty" json:"enabled,omitempty"`
	// Subject is the subject of the group's mails where the rule gives none, e.g.
	// "[CRITICAL] Emergency Access Activity".
	Subject string `yaml:"subject,omitempty" json:"subject,omitempty"`
	// Ladder says who is called when; without one everybody is called at once.
	Ladder *Ladder `yaml:"ladder,omitempty" json:"ladder,omitempty"`
	// Storm is how many alarms of a tenant go out one by one in a minute, DailyLimit
	// how many milder than High in a day; more are collected. 10 and 100 if zero.
	Storm      int               `yaml:"storm,omitempty" json:"storm,omitempty" jsonschema:"description=How many alarms of a tenant go out one by one in a minute (10); more are one notice and a digest"`
	DailyLimit int               `yaml:"dailyLimit,omitempty" json:"dailyLimit,omitempty" jsonschema:"description=How many alarms milder than High of a tenant go out one by one in a day (100); more come in a digest"`
	Email      []EmailReceiver   `yaml:"emailReceivers,omitempty" json:"emailReceivers,omitempty"`
	Webhook    []WebhookReceiver `yaml:"webhookReceivers,omitempty" json:"webhookReceivers,omitempty"`
	Teams      []TeamsReceiver   `yaml:"teamsReceivers,omitempty" json:"teamsReceivers,omitempty"`
	Slack      []SlackReceiver   `yaml:"slackReceivers,omitempty" json:"slackReceivers,omitempty"`

	Ntfy      []NtfyReceiver      `yaml:"ntfyReceivers,omitempty" json:"ntfyReceivers,omitempty"`
	Pushover  []PushoverReceiver  `yaml:"pushoverReceivers,omitempty" json:"pushoverReceivers,omitempty"`
	PagerDuty []PagerDutyReceiver `yaml:"pagerdutyReceivers,omitempty" json:"pagerdutyReceivers,omitempty"`
	LogicApp  []LogicAppReceiver  `yaml:"logicAppReceivers,omitempty" json:"logicAppReceivers,omitempty"`

	SMS   []SMSReceiver   `yaml:"smsReceivers,omitempty" json:"smsReceivers,omitempty"`
	Voice []VoiceReceiver `yaml:"voiceReceivers,omitempty" json:"voiceReceivers,omitempty"`

	Runbook []RunbookReceiver `yaml:"runbookReceivers,omitempty" json:"runbookReceivers,omitempty"`
}

// A service is the configuration of a receiver other than mail. The file of a
// type holds all that is its own: the fields, the call, and what an answer means.
// It is a called or a made one besides.
type service interface {
	// label is the receiver's name in its group.
	label() string
	// destination is where it goes to, equal for two that are one.
	destination() string
	validate(c Config, p place)
	// lint gives advice (Place is filled in by the caller), and why the receiver
	// stands or falls with the watched tenant, empty if it does not.
	lint(w Watched) (advice []Finding, depends string)
}

// A called is a service that one HTTPS call of its own reaches.
type called interface {
	service
	reach() Reach
	by(c caller) Receiver
}

// A made is a service whose receiver takes more than that.
type made interface {
	service
	open(c Config, n Network) (Receiver, error)
}

// A listed is a service where the configuration has it.
type listed struct {
	service
	kind  string // "webhook"
	index int
}

// field is the name of the list that it stands in, "webhookReceivers[0]".
func (l listed) field() string { return fmt.Sprintf("%sReceivers[%d]", l.kind, l.index) }

// services gives the group's receivers other than mail, in their order.
func (g ActionGroup) services() []listed {
	var out []listed
	out = list(out, "webhook", g.Webhook)
	out = list(out, "teams", g.Teams)
	out = list(out, "slack", g.Slack)
	out = list(out, "ntfy", g.Ntfy)
	out = list(out, "pushover", g.Pushover)
	out = list(out, "pagerduty", g.PagerDuty)
	out = list(out, "logicApp", g.LogicApp)
	out = list(out, "sms", g.SMS)
	out = list(out, "voice", g.Voice)
	out = list(out, "runbook", g.Runbook)
	return out
}

func list[S service](out []listed, kind string, services []S) []listed {
	for i, s := range services {
		out = append(out, listed{s, kind, i})
	}
	return out
}

// An EmailReceiver is one address.
type EmailReceiver struct {
	Name         string `yaml:"name" json:"name"`
	EmailAddress string `yaml:"emailAddress" json:"emailAddress"`
	// UseCommonAlertSchema and Status are read so that a group exported from
	// Azure loads; they change nothing here.
	UseCommonAlertSchema bool   `yaml:"useCommonAlertSchema,omitempty" json:"useCommonAlertSchema,omitempty"`
	Status               string `yaml:"status,omitempty" json:"status,omitempty"`
	// Server names the mail server; it may be left out where there is only one.
	Server string `yaml:"server,omitempty" json:"server,omitempty"`
}

// A WebhookReceiver is one endpoint that takes the common alert schema by POST.
type WebhookReceiver struct {
	Name string `yaml:"name" json:"name"`
	// ServiceURI is an https address, or a secret's reference (env:NAME,
	// file:PATH) where the address itself is the secret. Plain http is for
	// loopback only.
	ServiceURI string `yaml:"serviceUri" json:"serviceUri"`
	// UseCommonAlertSchema is read so that a group exported from Azure loads; the
	// common alert schema is sent in any case.
	UseCommonAlertSchema bool `yaml:"useCommonAlertSchema,omitempty" json:"useCommonAlertSchema,omitempty"`
	// SigningSecrets are the Standard Webhooks secrets ("whsec_" and base64 of 24
	// to 64 bytes), by reference. Each signs, so that a receiver can change from
	// one to the next. With none the calls are not signed.
	SigningSecrets []glassward.Secret `yaml:"signingSecrets,omitempty" json:"signingSecrets,omitempty"`
	// AllowedNetworks are the private networks that the endpoint's name may
	// resolve to, e.g. "10.1.0.0/16". Without it only public addresses are called.
	AllowedNetworks []string `yaml:"allowedNetworks,omitempty" json:"allowedNetworks,omitempty"`
	// CAFile is a file of PEM certificates to trust in place of the system's.
	CAFile string `yaml:"caFile,omitempty" json:"caFile,omitempty"`
	// Timeout bounds one attempt; 20 s if zero.
	Timeout time.Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// A TLSMode says how the connection to a mail server is protected.
type TLSMode string

// The modes. StartTLS refuses to go on where the server does not offer it;
// Opportunistic goes on in the clear and is found fault with by Lint; Plain is
// accepted for loopback only.
const (
	StartTLS      TLSMode = "starttls"
	ImplicitTLS   TLSMode = "implicit"
	Opportunistic TLSMode = "opportunistic"
	Plain         TLSMode = "none"
)

// An AuthMode says how we log in at a mail server.
type AuthMode string

// The modes. AuthAuto takes the strongest of SCRAM-SHA-256, SCRAM-SHA-1, PLAIN
// and LOGIN that the server offers. With AuthXOAuth2 the password is the access
// token.
const (
	AuthNone    AuthMode = "none"
	AuthAuto    AuthMode = "auto"
	AuthPlain   AuthMode = "plain"
	AuthLogin   AuthMode = "login"
	AuthXOAuth2 AuthMode = "xoauth2"
)

// A MailServer is the submission server that mails go through.
type MailServer struct {
	Name string `yaml:"name" json:"name"`
	Host string `yaml:"host" json:"host"`
	// Port is 587 if zero, 465 with implicit TLS, 25 with none.
	Port int `yaml:"port,omitempty" json:"port,omitempty"`
	// TLS is StartTLS if empty.
	TLS TLSMode `yaml:"tls,omitempty" json:"tls,omitempty"`
	// Auth is AuthAuto if empty and there is a username, else AuthNone.
	Auth     AuthMode         `yaml:"auth,omitempty" json:"auth,omitempty"`
	Username string           `yaml:"username,omitempty" json:"username,omitempty"`
	Password glassward.Secret `yaml:"password,omitempty" json:"password,omitempty"`
	// From is the sender, "name@host" or "Glassward <name@host>".
	From string `yaml:"from" json:"from"`
	// Helo is the name that we introduce ourselves by; the sender's domain if
	// empty.
	Helo string `yaml:"helo,omitempty" json:"helo,omitempty"`
	// CAFile is a file of PEM certificates to trust in place of the system's.
	CAFile string `yaml:"caFile,omitempty" json:"caFile,omitempty"`
	// Timeout bounds an attempt up to the final dot, 30 s if zero; the server may
	// then take as long again to accept the message.
	Timeout time.Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
	// Connections bounds how many attempts talk to the server at once; 8 if zero.
	Connections int `yaml:"connections,omitempty" json:"connections,omitempty"`
}

// Port and timeouts that hold where the configuration says nothing.
const (
	defaultMailTimeout    = 30 * time.Second
	defaultWebhookTimeout = 20 * time.Second
	defaultConnections    = 8
)

// Limits of Azure's resource, and ours.
const (
	maxShortName  = 12   // Azure: groupShortName
	maxEmails     = 1000 // Azure: e-mail receivers a group
	maxServices   = 10   // Azure: receivers of each other type a group
	maxAzureEmail = 64   // Azure: emailAddress
	maxStorm      = 1000
	maxDaily      = 100_000
)

func (s MailServer) tls() TLSMode {
	if s.TLS == "" {
		return StartTLS
	}
	return s.TLS
}

func (s MailServer) auth() AuthMode {
	switch {
	case s.Auth != "":
		return s.Auth
	case s.Username != "":
		return AuthAuto
	}
	return AuthNone
}

func (s MailServer) port() int {
	switch {
	case s.Port != 0:
		return s.Port
	case s.tls() == ImplicitTLS:
		return 465
	case s.tls() == Plain:
		return 25
	}
	return 587
}

// Address gives host and port, with the defaults in place.
func (s MailServer) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.port())) }

func (s MailServer) timeout() time.Duration {
	if s.Timeout == 0 {
		return defaultMailTimeout
	}
	return s.Timeout
}

// Group gives the action group of that name, in any case.
func (c Config) Group(name string) (ActionGroup, bool) {
	i := slices.IndexFunc(c.ActionGroups, func(g ActionGroup) bool { return strings.EqualFold(g.Name, name) })
	if i < 0 {
		return ActionGroup{}, false
	}
	return c.ActionGroups[i], true
}

// Receivers gives the names of a group's receivers in their order, and none for
// a group that does not exist. A notice owes one delivery to each.
func (c Config) Receivers(group string) []string {
	g, _ := c.Group(group)
	return g.Receivers()
}

// Receivers gives the names of the group's receivers, e-mail first.
func (g ActionGroup) Receivers() []string {
	var names []string
	for _, r := range g.Email {
		names = append(names, r.Name)
	}
	for _, s := range g.services() {
		names = append(names, s.label())
	}
	return names
}

// Lost gives the receivers of the group that next does not have, or has in
// another form, as "webhook receiver pager".
func (g ActionGroup) Lost(next ActionGroup) []string {
	var out []string
	for _, r := range g.Email {
		if !slices.Contains(next.Email, r) {
			out = append(out, "mail receiver "+r.Name)
		}
	}
	after := next.services()
	for _, s := range g.services() {
		if !slices.ContainsFunc(after, func(n listed) bool { return reflect.DeepEqual(n.service, s.service) }) {
			out = append(out, s.kind+" receiver "+s.label())
		}
	}
	if g.Ladder != nil && !reflect.DeepEqual(g.Ladder, next.Ladder) {
		out = append(out, "escalation ladder")
	}
	return out
}

// server gives the mail server that a receiver goes through.
func (c Config) server(r EmailReceiver) (MailServer, error) {
	if r.Server == "" {
		switch len(c.MailServers) {
		case 1:
			return c.MailServers[0], nil
		case 0:
			return MailServer{}, errors.New("there is no mail server: add one under mailServers (host, from)")
		}
		return MailServer{}, errors.New("there are several mail servers: say which by server")
	}
	for _, s := range c.MailServers {
		if strings.EqualFold(s.Name, r.Server) {
			return s, nil
		}
	}
	return MailServer{}, fmt.Errorf("there is no mail server %q under mailServers", r.Server)
}

// Validate gives all that is wrong with the configuration, each error with its
// place ("actionGroups[0] oncall: webhookReceivers[1] pager: …") and its cure,
// joined; nil if it can be used. It opens no file and asks no name server: see
// Lint for advice and Test for the proof.
func (c Config) Validate() error {
	var all problems
	seen := map[string]bool{}
	for i, s := range c.MailServers {
		p := all.in("mailServers[%d] %s", i, s.Name)
		p.name(s.Name, seen)
		s.validate(p)
	}
	seen = map[string]bool{}
	for i, s := range c.PhoneProviders {
		p := all.in("phoneProviders[%d] %s", i, s.Name)
		p.name(s.Name, seen)
		s.validate(p)
	}
	seen = map[string]bool{}
	for i, g := range c.ActionGroups {
		p := all.in("actionGroups[%d] %s", i, g.Name)
		p.name(g.Name, seen)
		c.validateGroup(p, g)
	}
	c.validatePeople(&all)
	if c.Heartbeat != nil {
		c.Heartbeat.validate(all.in("heartbeat"))
	}
	return errors.Join(all.errs...)
}

func (c Config) validateGroup(p place, g ActionGroup) {
	if len([]rune(g.ShortName)) > maxShortName {
		p.say("groupShortName %q: at most %d characters", g.ShortName, maxShortName)
	}
	if g.Enabled != nil && !*g.Enabled {
		p.say("enabled: false would silence every rule that names this group; take the group's name out of the rules in its place")
	}
	if len(g.Receivers()) == 0 {
		p.say("the group has no receiver: add emailReceivers or webhookReceivers")
	}
	if len(g.Email) > maxEmails {
		p.say("%d e-mail receivers: at most %d", len(g.Email), maxEmails)
	}
	many := map[string]int{}
	for _, s := range g.services() {
		if many[s.kind]++; many[s.kind] == maxServices+1 {
			p.say("more than %d receivers of type %s", maxServices, s.kind)
		}
	}
	if g.Storm < 0 || g.Storm > maxStorm {
		p.say("storm %d: from 1 to %d", g.Storm, maxStorm)
	}
	if g.DailyLimit < 0 || g.DailyLimit > maxDaily {
		p.say("dailyLimit %d: from 1 to %d", g.DailyLimit, maxDaily)
	}
	if strings.ContainsAny(g.Subject, "\r\n") {
		p.say("subject: must be one line")
	}
	seen := map[string]bool{}
	for i, r := range g.Email {
		q := p.in("emailReceivers[%d] %s", i, r.Name)
		q.name(r.Name, seen)
		if err := checkAddress(r.EmailAddress); err != nil {
			q.say("emailAddress: %w", err)
		}
		if _, err := c.server(r); err != nil {
			q.say("%w", err)
		}
	}
	for _, s := range g.services() {
		q := p.in("%s %s", s.field(), s.label())
		q.name(s.label(), seen)
		s.validate(c, q)
	}
	if g.Ladder != nil {
		g.Ladder.validate(p.in("ladder"), g.Receivers())
	}
}

func (s MailServer) validate(p place) {
	if s.Host == "" {
		p.say("host: missing")
	} else if strings.ContainsAny(s.Host, " \t\r\n:/@") && !isIPv6(s.Host) {
		p.say("host %q: a host name or address alone; the port goes under port", s.Host)
	}
	if s.Port < 0 || s.Port > 65535 {
		p.say("port %d: from 1 to 65535", s.Port)
	}
	switch s.tls() {
	case StartTLS, ImplicitTLS, Opportunistic:
	case Plain:
		if !isLoopback(s.Host) {
			p.say("tls: none is accepted for a loopback host only, and %s is none: use starttls or implicit", s.Host)
		}
	default:
		p.say("tls %q: use starttls, implicit, opportunistic or none", s.TLS)
	}
	switch s.auth() {
	case AuthNone:
		if s.Username != "" || s.Password != "" {
			p.say("auth: none, yet there is a username or password")
		}
	case AuthAuto, AuthPlain, AuthLogin, AuthXOAuth2:
		if s.Username == "" || s.Password == "" {
			p.say("auth %s needs username and password", s.auth())
		}
		if s.tls() == Opportunistic && !isLoopback(s.Host) {
			p.say("auth %s with tls: opportunistic could hand the password to whoever strips STARTTLS: use starttls or implicit", s.auth())
		}
	default:
		p.say("auth %q: use auto, plain, login, xoauth2 or none", s.Auth)
	}
	p.secret("password", s.Password)
	if from, err := mail.ParseAddress(s.From); s.From == "" {
		p.say("from: missing; the address that the mails come from")
	} else if err != nil {
		p.say("from %q: not an address: write name@host or \"Glassward <name@host>\"", s.From)
	} else if err := checkAddress(from.Address); err != nil {
		p.say("from: %w", err)
	}
	if strings.ContainsFunc(s.Helo, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		p.say("helo %q: a host name without blanks", s.Helo)
	}
	if s.Timeout < 0 || s.Timeout > 10*time.Minute {
		p.say("timeout %s: from 1s to 10m", s.Timeout)
	}
	if s.Connections < 0 {
		p.say("connections %d: at least 1", s.Connections)
	}
}

// checkURI says what keeps an endpoint's address, written out or taken from a
// secret, from being called. Its errors never hold the address beyond its host:
// path and query are secrets at many services.
func checkURI(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return errors.New("not an address: write https://host/path")
	case u.User != nil:
		return errors.New("holds a user name or password: put the whole address into a secret (file:PATH) and have the endpoint check the signature")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return fmt.Errorf("http://%s would send the alarm in the clear: use https (http is for loopback only)", u.Host)
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("scheme %q: use https", PlainText(u.Scheme))
	}
	return checkSecretQuery(u)
}

// errSecretURI is wrapped where an address carries its own password.
var errSecretURI = errors.New("carries a secret in its query")

func checkSecretQuery(u *url.URL) error {
	for key := range u.Query() {
		switch strings.ToLower(key) {
		case "sig", "code", "token", "access_token", "key", "apikey", "api_key", "secret", "password":
			return fmt.Errorf("%w (%s=…): put the whole address into a file of mode 0600 and give its place, file:PATH", errSecretURI, PlainText(key))
		}
	}
	return nil
}

// checkAddress accepts an addr-spec of RFC 5321 in ASCII.
func checkAddress(text string) error {
	if text == "" {
		return errors.New("missing")
	}
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text || a.Name != "" {
		return fmt.Errorf("%q is not a plain address: write name@host", PlainText(text))
	}
	for _, r := range text {
		if r <= ' ' || r >= 0x7f || r == '<' || r == '>' {
			return fmt.Errorf("%q: letters beyond ASCII are not delivered everywhere: write the domain in its xn-- form", PlainText(text))
		}
	}
	if len(text) > 254 {
		return fmt.Errorf("%d characters: at most 254", len(text))
	}
	return nil
}

// isReference tells whether a text is a secret's reference.
func isReference(text string) bool {
	return strings.HasPrefix(text, "env:") || strings.HasPrefix(text, "file:")
}

// isLoopback tells whether a host stands for this machine, without asking a
// name server.
func isLoopback(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}

func isIPv6(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.To4() == nil
}

// problems collects what is wrong; a place is where.
type problems struct{ errs []error }

func (p *problems) in(format string, args ...any) place {
	return place{all: p, path: strings.TrimSpace(fmt.Sprintf(format, args...))}
}

type place struct {
	all  *problems
	path string
}

func (p place) in(format string, args ...any) place {
	q := p.all.in(format, args...)
	q.path = p.path + ": " + q.path
	return q
}

func (p place) say(format string, args ...any) {
	p.all.errs = append(p.all.errs, fmt.Errorf("%s: %w", p.path, fmt.Errorf(format, args...)))
}

// name checks that a name is there, can be printed and is used once.
func (p place) name(name string, seen map[string]bool) {
	key := strings.ToLower(name)
	switch {
	case name == "":
		p.say("name: missing")
	case len(name) > 260 || PlainText(name) != name || strings.ContainsAny(name, "/\\"):
		p.say("name: at most 260 printable characters without slashes")
	case seen[key]:
		p.say("name %q is used twice", name)
	}
	seen[key] = true
}

// address checks an endpoint's address, written out or by reference.
func (p place) address(field, text string) {
	if text == "" {
		p.say("%s: missing", field)
	} else if !isReference(text) {
		if err := checkURI(text); err != nil {
			p.say("%s: %w", field, err)
		}
	}
}

// needs checks a secret that the receiver cannot do without.
func (p place) needs(field string, s glassward.Secret) {
	if s == "" {
		p.say("%s: missing; give it by reference: env:NAME or file:PATH (mode 0600)", field)
	}
	p.secret(field, s)
}

// secret checks that a secret is a reference. It must not print it otherwise.
func (p place) secret(field string, s glassward.Secret) {
	if s == "" || isReference(string(s)) {
		return
	}
	p.say("%s: holds a value; secrets are given by reference: env:NAME or file:PATH (mode 0600)", field)
}
