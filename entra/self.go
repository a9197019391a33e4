package entra

import (
	"context"
	"crypto/sha1" // thumbprints are what Entra makes of them
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"glassward"
)

// A Fact is something that was read, or the reason why it was not. What is not
// known is neither good nor bad.
type Fact[T any] struct {
	Value T
	Known bool
	// Permission is what our application lacks to read it, if that is the reason.
	Permission string
	Err        error `json:"-"`
}

// also takes the errors of what belongs to the same part: half of it is not known.
func (f *Fact[T]) also(errs ...error) {
	if err := errors.Join(errs...); err != nil {
		f.Known, f.Err = false, err
	}
}

// String tells whether it was read.
func (f Fact[T]) String() string {
	switch {
	case f.Known:
		return "read"
	case f.Permission != "":
		return "not readable without " + f.Permission
	case f.Err != nil:
		return "not readable: " + strings.ReplaceAll(f.Err.Error(), "\n", "; ")
	}
	return "not read"
}

// A Self is what our own application looks like in the tenant, at a time: the
// thing whose loss would blind us. It can be kept as JSON, to compare with after a
// restart; only the errors are lost by that.
type Self struct {
	At           time.Time
	Organisation Fact[Organisation]
	Licence      Fact[Licence]
	Token        Fact[Claims]       // of the Graph token
	Permissions  Fact[Consents]     // compared with what is needed
	Principal    Fact[Principal]    // our application in this tenant
	Registration Fact[Registration] // where it is registered in this tenant
	// Uses is by what we prove ourselves; CertificateEnds is zero without one.
	Uses            CredentialKind
	CertificateEnds time.Time
}

// Organisation names the tenant.
type Organisation struct {
	ID, Name string
	Domains  []string
}

// Licence says which of Entra's paid levels the tenant has.
type Licence struct {
	P1, P2 bool
	Skus   []string // products that contain them, e.g. "AAD_PREMIUM_P2"
}

// Consents are the application permissions that were granted.
type Consents struct {
	Granted []Grant
	Missing []string // needed and not granted
	Surplus []Grant  // granted and in no list of ours
	// Roles are template ids of directory roles that our application holds.
	Roles []string
	// FromTokens: the tenant's list of grants could not be read, so that the roles
	// in our tokens stand for it.
	FromTokens bool
}

// A Grant is an application permission that was granted.
type Grant struct {
	Service string // e.g. "Microsoft Graph"
	Value   string // e.g. "AuditLog.Read.All", or the id where the service does not tell
	Write   bool   // it can write, or cannot be seen to read only
}

// A Principal is our application's service principal in the tenant.
type Principal struct {
	ID, AppID, Name string
	Enabled         bool
	HomeTenant      string // where it is registered
	Credentials     []RegisteredCredential
	Owners          []Owner
}

// A Registration is our application's registration. Here is false where it is
// registered in another tenant, as a provider's is.
type Registration struct {
	Here        bool
	ID, Name    string
	Credentials []RegisteredCredential
	Owners      []Owner
}

// A RegisteredCredential is one by which somebody can be our application.
type RegisteredCredential struct {
	Kind  CredentialKind
	ID    string // keyId, or the id of the federated credential
	Name  string
	Start time.Time
	Ends  time.Time // zero: it does not end
	Ours  bool      // it is the one in use, as far as can be seen
}

// An Owner may add credentials to our application.
type Owner struct {
	ID   string `json:"id"`
	Name string `json:"displayName"`
}

// defaultWid is in every token of an application and means nothing.
const defaultWid = "0997a1d0-0d1d-4acb-b408-d5ca73121e90"

// Inspect reads what our application looks like in the tenant, with a new token,
// and compares its permissions with those that are needed (see Needs). Each part
// says by itself whether it was read. The error is the context's only.
func Inspect(ctx context.Context, graph *Client, credential *Credential, needs ...string) (*Self, error) {
	s := &Self{At: graph.o.Now(), Uses: credential.Kind()}
	s.CertificateEnds, _ = credential.Expires()

	claims := map[Service]Fact[Claims]{}
	wanted := []Service{Graph}
	for _, p := range Permissions() {
		if slices.Contains(needs, p.Value) && !slices.Contains(wanted, p.Service) {
			wanted = append(wanted, p.Service)
		}
	}
	for _, service := range wanted {
		t, err := credential.Renew(ctx, credential.Cloud().Scope(service))
		f := Fact[Claims]{Err: err}
		if err == nil {
			if f.Value, f.Known = ParseClaims(t.Token); !f.Known {
				f.Err = errors.New("the token cannot be looked into")
			}
		}
		claims[service] = f
	}
	s.Token = claims[Graph]
	appID := credential.ClientID()
	if s.Token.Known && s.Token.Value.AppID != "" {
		appID = s.Token.Value.AppID // a managed identity learns its own name so
	}

	s.Organisation = read(ctx, graph, organisationAddress, organisation)
	s.Licence = read(ctx, graph, "/v1.0/subscribedSkus", licence)
	if appID == "" {
		unknown := errors.New("the id of our application is not known")
		s.Principal.Err, s.Registration.Err = unknown, unknown
	} else {
		filter := query("appId eq '" + appID + "'")
		s.Principal = read(ctx, graph, "/v1.0/servicePrincipals?$filter="+filter+"&$select=id,appId,displayName,accountEnabled,appOwnerOrganizationId,passwordCredentials,keyCredentials", principal)
		if s.Principal.Known {
			owners := read(ctx, graph, "/v1.0/servicePrincipals/"+url.PathEscape(s.Principal.Value.ID)+"/owners?$select=id,displayName", decode[Owner])
			s.Principal.Value.Owners = owners.Value
			s.Principal.also(owners.Err)
		}
		s.Registration = read(ctx, graph, "/v1.0/applications?$filter="+filter+"&$select=id,appId,displayName,passwordCredentials,keyCredentials", registration)
		if s.Registration.Known && s.Registration.Value.Here {
			id := url.PathEscape(s.Registration.Value.ID)
			owners := read(ctx, graph, "/v1.0/applications/"+id+"/owners?$select=id,displayName", decode[Owner])
			federated := read(ctx, graph, "/v1.0/applications/"+id+"/federatedIdentityCredentials", federated)
			s.Registration.Value.Owners = owners.Value
			s.Registration.Value.Credentials = append(s.Registration.Value.Credentials, federated.Value...)
			s.Registration.also(owners.Err, federated.Err)
		}
		credential.mark(s.Registration.Value.Credentials)
		credential.mark(s.Principal.Value.Credentials)
	}
	s.Permissions = consents(ctx, graph, s, claims, needs)
	return s, ctx.Err()
}

// read follows a list and makes something of its entries. Of a list that breaks
// off nothing is known.
func read[T any](ctx context.Context, graph *Client, address string, of func([]json.RawMessage) (T, error)) Fact[T] {
	var entries []json.RawMessage
	for page, err := range graph.Pages(ctx, address, nil) {
		if err != nil {
			f := Fact[T]{Err: err}
			var fault *Fault
			if errors.As(err, &fault) && fault.Kind == FaultConsent {
				f.Permission = permissionFor(fault.Service, fault.Doing)
			}
			return f
		}
		entries = append(entries, page.Value...)
	}
	v, err := of(entries)
	if err != nil {
		return Fact[T]{Err: &Fault{Kind: FaultContent, Service: string(graph.o.Service), Doing: "read " + address, Code: codeNotJSON, Message: line(err.Error(), 200), Err: err}}
	}
	return Fact[T]{Value: v, Known: true}
}

// decode reads every entry as a T.
func decode[T any](entries []json.RawMessage) ([]T, error) {
	all := make([]T, 0, len(entries))
	for _, raw := range entries {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func organisation(entries []json.RawMessage) (Organisation, error) {
	all, err := decode[struct {
		ID      string `json:"id"`
		Name    string `json:"displayName"`
		Domains []struct {
			Name string `json:"name"`
		} `json:"verifiedDomains"`
	}](entries)
	if err != nil || len(all) == 0 {
		return Organisation{}, cmp(err, "the tenant has no organisation")
	}
	o := Organisation{ID: all[0].ID, Name: all[0].Name}
	for _, d := range all[0].Domains {
		o.Domains = append(o.Domains, d.Name)
	}
	return o, nil
}

// cmp gives the error, or one of its own words if there is none.
func cmp(err error, otherwise string) error {
	if err != nil {
		return err
	}
	return errors.New(otherwise)
}

func licence(entries []json.RawMessage) (Licence, error) {
	all, err := decode[struct {
		Sku    string `json:"skuPartNumber"`
		Status string `json:"capabilityStatus"`
		Plans  []struct {
			Name   string `json:"servicePlanName"`
			Status string `json:"provisioningStatus"`
		} `json:"servicePlans"`
	}](entries)
	var l Licence
	for _, sku := range all {
		// A subscription in its days of grace still works.
		if sku.Status != "Enabled" && sku.Status != "Warning" {
			continue
		}
		found := false
		for _, plan := range sku.Plans {
			if plan.Status == "Disabled" {
				continue
			}
			switch plan.Name {
			case "AAD_PREMIUM":
				l.P1, found = true, true
			case "AAD_PREMIUM_P2":
				l.P1, l.P2, found = true, true, true
			}
		}
		if found {
			l.Skus = append(l.Skus, sku.Sku)
		}
	}
	slices.Sort(l.Skus)
	return l, err
}

// wireCredentials are the credentials of an application or a service principal.
type wireCredentials struct {
	Passwords []struct {
		KeyID string    `json:"keyId"`
		Name  string    `json:"displayName"`
		Hint  string    `json:"hint"`
		Start time.Time `json:"startDateTime"`
		End   time.Time `json:"endDateTime"`
	} `json:"passwordCredentials"`
	Keys []struct {
		KeyID  string    `json:"keyId"`
		Name   string    `json:"displayName"`
		Custom string    `json:"customKeyIdentifier"`
		Start  time.Time `json:"startDateTime"`
		End    time.Time `json:"endDateTime"`
	} `json:"keyCredentials"`
}

// list turns them into ours. The name of a certificate carries its thumbprint,
// by which mark knows it.
func (w wireCredentials) list() []RegisteredCredential {
	var all []RegisteredCredential
	for _, p := range w.Passwords {
		all = append(all, RegisteredCredential{Kind: SecretCredential, ID: p.KeyID, Name: p.Name, Start: p.Start, Ends: p.End})
	}
	for _, k := range w.Keys {
		name := k.Name
		if print := thumbprint(k.Custom); print != "" {
			name = strings.TrimSpace(name + " " + print)
		}
		all = append(all, RegisteredCredential{Kind: CertificateCredential, ID: k.KeyID, Name: name, Start: k.Start, Ends: k.End})
	}
	return all
}

// thumbprint reads a customKeyIdentifier: hex, or base64 of the bytes.
func thumbprint(custom string) string {
	if b, err := hex.DecodeString(custom); err == nil && (len(b) == 20 || len(b) == 32) {
		return strings.ToUpper(custom)
	}
	for _, coding := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		if b, err := coding.DecodeString(custom); err == nil && (len(b) == 20 || len(b) == 32) {
			return strings.ToUpper(hex.EncodeToString(b))
		}
	}
	return ""
}

// mark finds the credential in use: a certificate by its thumbprint or, where the
// registration does not show one, by its end; another kind if it is the only one.
func (c *Credential) mark(all []RegisteredCredential) {
	c.mu.Lock()
	leaf := c.leaf
	c.mu.Unlock()
	if leaf == nil {
		only, n := 0, 0
		for i := range all {
			if all[i].Kind == c.kind {
				only = i
				n++
			}
		}
		if n == 1 {
			all[only].Ours = true
		}
		return
	}
	short, long := sha1.Sum(leaf.Raw), sha256.Sum256(leaf.Raw)
	prints := []string{strings.ToUpper(hex.EncodeToString(short[:])), strings.ToUpper(hex.EncodeToString(long[:]))}
	for i := range all {
		words := strings.Fields(all[i].Name)
		if all[i].Kind == CertificateCredential && len(words) > 0 && slices.Contains(prints, words[len(words)-1]) {
			all[i].Ours = true
			return
		}
	}
	for i := range all {
		if all[i].Kind == CertificateCredential && all[i].Ends.Equal(leaf.NotAfter) {
			all[i].Ours = true
			return
		}
	}
}

func principal(entries []json.RawMessage) (Principal, error) {
	all, err := decode[struct {
		ID      string `json:"id"`
		AppID   string `json:"appId"`
		Name    string `json:"displayName"`
		Enabled bool   `json:"accountEnabled"`
		Home    string `json:"appOwnerOrganizationId"`
		wireCredentials
	}](entries)
	if err != nil || len(all) == 0 {
		return Principal{}, cmp(err, "the tenant does not show our service principal")
	}
	p := all[0]
	return Principal{ID: p.ID, AppID: p.AppID, Name: p.Name, Enabled: p.Enabled, HomeTenant: p.Home, Credentials: p.list()}, nil
}

func registration(entries []json.RawMessage) (Registration, error) {
	all, err := decode[struct {
		ID   string `json:"id"`
		Name string `json:"displayName"`
		wireCredentials
	}](entries)
	if err != nil || len(all) == 0 {
		return Registration{}, err
	}
	return Registration{Here: true, ID: all[0].ID, Name: all[0].Name, Credentials: all[0].list()}, nil
}

func federated(entries []json.RawMessage) ([]RegisteredCredential, error) {
	all, err := decode[struct {
		ID      string `json:"id"`
		Issuer  string `json:"issuer"`
		Subject string `json:"subject"`
	}](entries)
	var list []RegisteredCredential
	for _, f := range all {
		list = append(list, RegisteredCredential{Kind: FederatedCredential, ID: f.ID, Name: strings.TrimSpace(f.Issuer + " " + f.Subject)})
	}
	return list, err
}

// consents compares what was granted with what is needed. The tenant's own list
// of grants is best; where it cannot be read the roles in the tokens serve.
func consents(ctx context.Context, graph *Client, s *Self, claims map[Service]Fact[Claims], needs []string) Fact[Consents] {
	f := Fact[Consents]{}
	var err error
	if s.Principal.Known {
		f.Value.Granted, err = grants(ctx, graph, s.Principal.Value.ID)
	} else {
		err = s.Principal.Err
		f.Permission = s.Principal.Permission
	}
	f.Known = err == nil && s.Principal.Known
	f.Err = err
	// A grant shows in the next token only, a token may outlive its grant: what
	// counts is what the token has.
	has := map[string]bool{}
	complete := true
	for service, c := range claims {
		complete = complete && c.Known
		for _, role := range c.Value.Roles {
			has[role] = true
			if !f.Known {
				f.Value.Granted = append(f.Value.Granted, Grant{string(service), role, !readsOnly(role)})
			}
		}
		for _, wid := range c.Value.Wids {
			if !strings.EqualFold(wid, defaultWid) && !slices.Contains(f.Value.Roles, wid) {
				f.Value.Roles = append(f.Value.Roles, wid)
			}
		}
	}
	if !f.Known {
		f.Known, f.Value.FromTokens = complete, true
	}
	var known []string
	for _, p := range Permissions() {
		known = append(known, p.Value)
		if c := claims[p.Service]; slices.Contains(needs, p.Value) && c.Known && !covered(p, has) {
			f.Value.Missing = append(f.Value.Missing, p.Value)
		}
	}
	for _, g := range f.Value.Granted {
		if !slices.Contains(known, g.Value) {
			f.Value.Surplus = append(f.Value.Surplus, g)
		}
	}
	slices.SortFunc(f.Value.Granted, func(a, b Grant) int { return strings.Compare(a.Service+a.Value, b.Service+b.Value) })
	return f
}

// covered reports whether a permission, or one that contains it, was granted.
func covered(p Permission, has map[string]bool) bool {
	if has[p.Value] || has[strings.Replace(p.Value, ".Read.", ".ReadWrite.", 1)] {
		return true
	}
	switch p.Use {
	case UseSelf, UseAccounts, UseRoles:
		return has["Directory.Read.All"] || has["Directory.ReadWrite.All"]
	}
	return false
}

// grants reads the application permissions of a service principal and the names
// that their services have for them.
func grants(ctx context.Context, graph *Client, id string) ([]Grant, error) {
	type assignment struct {
		Role     string `json:"appRoleId"`
		Resource string `json:"resourceId"`
		Name     string `json:"resourceDisplayName"`
	}
	assigned := read(ctx, graph, "/v1.0/servicePrincipals/"+url.PathEscape(id)+"/appRoleAssignments", decode[assignment])
	if !assigned.Known {
		return nil, assigned.Err
	}
	names := map[string]string{}
	asked := map[string]bool{}
	for _, p := range Permissions() {
		names[p.ID] = p.Value
	}
	var list []Grant
	for _, a := range assigned.Value {
		if names[strings.ToLower(a.Role)] == "" && !asked[a.Resource] {
			asked[a.Resource] = true
			answer, err := graph.Get(ctx, "/v1.0/servicePrincipals/"+url.PathEscape(a.Resource)+"?$select=id,appRoles", nil)
			if err != nil {
				return nil, err
			}
			var resource struct {
				Roles []struct{ ID, Value string } `json:"appRoles"`
			}
			if json.Unmarshal(answer.Body, &resource) == nil {
				for _, r := range resource.Roles {
					names[strings.ToLower(r.ID)] = r.Value
				}
			}
		}
		value := names[strings.ToLower(a.Role)]
		if value == "" {
			value = a.Role // a role that nobody names could be anything
		}
		list = append(list, Grant{a.Name, value, !readsOnly(value)})
	}
	return list, nil
}

// A FindingKind says what is wrong, or has changed, about our own application.
type FindingKind string

// The kinds of findings.
const (
	PermissionMissing FindingKind = "permission-missing"
	SurplusWrite      FindingKind = "surplus-write"
	RoleHeld          FindingKind = "role-held"
	CredentialEnds    FindingKind = "credential-ends"
	SecretUsed        FindingKind = "secret-used"
	PrincipalDisabled FindingKind = "principal-disabled"
	LicenceMissing    FindingKind = "licence-missing"
	NotReadable       FindingKind = "not-readable"
	CredentialAdded   FindingKind = "credential-added"
	CredentialRemoved FindingKind = "credential-removed"
	OwnerAdded        FindingKind = "owner-added"
	OwnerRemoved      FindingKind = "owner-removed"
	PermissionAdded   FindingKind = "permission-added"
	PermissionRemoved FindingKind = "permission-removed"
	LicenceLost       FindingKind = "licence-lost"
)

// A Finding is something that a person should know of our own application.
type Finding struct {
	Kind     FindingKind
	Severity glassward.Severity
	Key      string // the same for the same finding at another time
	What     string
	Do       string
}

// endsSoon are the steps at which an end is told: days before it.
var endsSoon = []struct {
	days     int
	severity glassward.Severity
}{{1, glassward.High}, {7, glassward.Medium}, {30, glassward.Low}}

// Findings tells what is wrong as it stands.
func (s *Self) Findings() []Finding {
	var all []Finding
	add := func(kind FindingKind, severity glassward.Severity, key, what, do string) {
		all = append(all, Finding{kind, severity, string(kind) + "/" + key, what, do})
	}
	if s.Principal.Known && !s.Principal.Value.Enabled {
		add(PrincipalDisabled, glassward.High, "", "our application is disabled in the tenant; when the token in use ends, nothing more can be read",
			"Enable it under Enterprise applications, and find out who disabled it")
	}
	for _, value := range s.Permissions.Value.Missing {
		what := "our application lacks the permission " + value
		// What is remembered may be of a program that needed another.
		if i := slices.IndexFunc(Permissions(), func(p Permission) bool { return p.Value == value }); i >= 0 {
			what += ": " + Permissions()[i].Without
		}
		add(PermissionMissing, glassward.High, value, what,
			"Add the application permission and let an administrator consent; if it was there before, find out who removed it")
	}
	for _, g := range s.Permissions.Value.Surplus {
		if g.Write {
			add(SurplusWrite, glassward.Medium, g.Service+"/"+g.Value, fmt.Sprintf("our application holds %s of %s, which can change things; whoever takes this host could", g.Value, g.Service),
				"Remove the permission: Glassward reads only")
		}
	}
	for _, role := range s.Permissions.Value.Roles {
		add(RoleHeld, glassward.Medium, role, "our application holds the directory role "+role, "Remove the role: Glassward needs none")
	}
	if s.Uses == SecretCredential {
		add(SecretUsed, glassward.Low, "", "our application proves itself by a client secret; whoever reads it once is us", "Use a certificate, a federated credential or a managed identity")
	}
	ends, what := s.ends()
	if !ends.IsZero() {
		left := ends.Sub(s.At)
		for _, step := range endsSoon {
			if left > time.Duration(step.days)*24*time.Hour {
				continue
			}
			text := fmt.Sprintf("%s ends on %s, in %d days; then nothing more can be read", what, ends.UTC().Format("2006-01-02 15:04 UTC"), int(left.Hours()/24))
			if left <= 0 {
				text = fmt.Sprintf("%s ended on %s", what, ends.UTC().Format("2006-01-02 15:04 UTC"))
			}
			add(CredentialEnds, step.severity, fmt.Sprintf("%s/%d", ends.UTC().Format("2006-01-02"), step.days), text,
				"Register a new one beside the old one, replace the file, and remove the old one")
			break
		}
	}
	if s.Licence.Known && !s.Licence.Value.P1 {
		add(LicenceMissing, glassward.Low, "", "the tenant has no Microsoft Entra ID P1: sign-ins do not come by Microsoft Graph, by Event Hubs or by a workspace",
			"Use the Management Activity road")
	}
	for _, part := range []struct{ name, state, permission string }{
		{"the organisation", s.Organisation.String(), s.Organisation.Permission},
		{"the licences", s.Licence.String(), s.Licence.Permission},
		{"our service principal", s.Principal.String(), s.Principal.Permission},
		{"our registration", s.Registration.String(), s.Registration.Permission},
		{"our permissions", s.Permissions.String(), s.Permissions.Permission},
	} {
		if part.state != "read" {
			do := ""
			if part.permission != "" {
				do = "Add the application permission " + part.permission + ", or live without this watch"
			}
			add(NotReadable, glassward.Low, part.name, part.name+": "+part.state, do)
		}
	}
	return all
}

// ends says when the credential in use ends, by the file and by the registration,
// whichever is first.
func (s *Self) ends() (time.Time, string) {
	ends, what := s.CertificateEnds, "the certificate of our application"
	for _, list := range [][]RegisteredCredential{s.Registration.Value.Credentials, s.Principal.Value.Credentials} {
		for _, c := range list {
			if c.Ours && !c.Ends.IsZero() && (ends.IsZero() || c.Ends.Before(ends)) {
				ends, what = c.Ends, "the "+string(c.Kind)+" of our application, as it is registered,"
			}
		}
	}
	return ends, what
}

// Remember gives what is to be compared with next time: this, with the parts that
// could not be read taken from before. Otherwise whoever blinds us first could
// change what he likes and give the sight back.
func (s *Self) Remember(before *Self) *Self {
	next := *s
	if before == nil {
		return &next
	}
	remember(&next.Organisation, before.Organisation)
	remember(&next.Licence, before.Licence)
	remember(&next.Token, before.Token)
	remember(&next.Principal, before.Principal)
	remember(&next.Registration, before.Registration)
	if p := before.Permissions; p.Known && (!next.Permissions.Known || next.Permissions.Value.FromTokens && !p.Value.FromTokens) {
		next.Permissions = p
	}
	return &next
}

func remember[T any](now *Fact[T], before Fact[T]) {
	if !now.Known && before.Known {
		*now = before
	}
}

// Changes tells what is other than before: a credential or an owner that was
// added can be the hand of somebody who means to be us. Parts that were not read
// both times are left out; see Remember.
func Changes(before, after *Self) []Finding {
	var all []Finding
	add := func(kind FindingKind, severity glassward.Severity, key, what, do string) {
		all = append(all, Finding{kind, severity, string(kind) + "/" + key, what, do})
	}
	credentials := func(place string, old, now []RegisteredCredential) {
		id := func(c RegisteredCredential) string { return string(c.Kind) + "/" + c.ID }
		added, removed := difference(old, now, id)
		for _, c := range added {
			add(CredentialAdded, glassward.High, place+"/"+id(c), fmt.Sprintf("a new %s was added to %s: %s %s", c.Kind, place, c.ID, c.Name),
				"If nobody of yours did this, remove it: whoever holds it can be our application")
		}
		for _, c := range removed {
			severity, do := glassward.Low, "See whether this was yours"
			if c.Ours {
				severity, do = glassward.High, "It is the one in use: put it back, or nothing more can be read; find out who removed it"
			}
			add(CredentialRemoved, severity, place+"/"+id(c), fmt.Sprintf("a %s was removed from %s: %s %s", c.Kind, place, c.ID, c.Name), do)
		}
	}
	owners := func(place string, old, now []Owner) {
		id := func(o Owner) string { return o.ID }
		added, removed := difference(old, now, id)
		for _, o := range added {
			add(OwnerAdded, glassward.High, place+"/"+o.ID, fmt.Sprintf("%s (%s) became an owner of %s and can add credentials to it", o.Name, o.ID, place), "If nobody of yours did this, remove the owner and look for new credentials")
		}
		for _, o := range removed {
			add(OwnerRemoved, glassward.Low, place+"/"+o.ID, fmt.Sprintf("%s (%s) is no longer an owner of %s", o.Name, o.ID, place), "")
		}
	}
	if a, b := before.Principal, after.Principal; a.Known && b.Known {
		credentials("our service principal", a.Value.Credentials, b.Value.Credentials)
		owners("our service principal", a.Value.Owners, b.Value.Owners)
	}
	if a, b := before.Registration, after.Registration; a.Known && b.Known {
		credentials("our application registration", a.Value.Credentials, b.Value.Credentials)
		owners("our application registration", a.Value.Owners, b.Value.Owners)
	}
	if a, b := before.Permissions, after.Permissions; a.Known && b.Known && a.Value.FromTokens == b.Value.FromTokens {
		id := func(g Grant) string { return g.Service + "/" + g.Value }
		added, removed := difference(a.Value.Granted, b.Value.Granted, id)
		for _, g := range added {
			severity := glassward.Low
			if g.Write {
				severity = glassward.High
			}
			add(PermissionAdded, severity, id(g), fmt.Sprintf("our application was given %s of %s", g.Value, g.Service), "If nobody of yours did this, remove it")
		}
		for _, g := range removed {
			severity := glassward.Low
			if slices.ContainsFunc(Permissions(), func(p Permission) bool { return p.Value == g.Value }) {
				severity = glassward.High
			}
			add(PermissionRemoved, severity, id(g), fmt.Sprintf("our application lost %s of %s", g.Value, g.Service), "If nobody of yours did this, give it back: it is how we are blinded")
		}
	}
	if a, b := before.Licence, after.Licence; a.Known && b.Known {
		if a.Value.P1 && !b.Value.P1 {
			add(LicenceLost, glassward.High, "P1", "the tenant lost Microsoft Entra ID P1: sign-ins stop coming by Microsoft Graph, Event Hubs and workspace", "Find out whether this is meant; the Management Activity road needs no P1")
		} else if a.Value.P2 && !b.Value.P2 {
			add(LicenceLost, glassward.Medium, "P2", "the tenant lost Microsoft Entra ID P2: risk detections become generic", "Find out whether this is meant")
		}
	}
	return all
}

// difference gives what is in now and not in old, and the other way round.
func difference[T any](old, now []T, id func(T) string) (added, removed []T) {
	has := func(list []T, x T) bool { return slices.ContainsFunc(list, func(y T) bool { return id(x) == id(y) }) }
	for _, x := range now {
		if !has(old, x) {
			added = append(added, x)
		}
	}
	for _, x := range old {
		if !has(now, x) {
			removed = append(removed, x)
		}
	}
	return added, removed
}
