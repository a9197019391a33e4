package entrasim

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A User is a person, guest or emergency account as the directory has it.
type User struct {
	ID, UserPrincipalName, DisplayName, Department, Country, UserType string
	// Enabled says that the account may sign in.
	Enabled bool

	place      int
	created    time.Time
	ip         string
	restricted bool      // in a unit of restricted management
	methods    []string  // registered in a story: phone, pass or key
	signedIn   time.Time // last; zero stands for some time after it was created
}

// Graph is the user as Graph shows it, with what it shows only if it is selected.
func (u *User) Graph() []byte {
	given, surname, _ := strings.Cut(u.DisplayName, " ")
	used := u.signedIn
	if used.IsZero() {
		used = u.created.Add(1000 * time.Hour)
	}
	o := object{
		"id": u.ID, "userPrincipalName": u.UserPrincipalName, "displayName": u.DisplayName, "givenName": given, "surname": surname,
		"mail": u.UserPrincipalName, "accountEnabled": u.Enabled, "userType": u.UserType, "department": u.Department,
		"usageLocation": u.Country, "country": u.Country, "createdDateTime": u.created.Format(time.RFC3339), "businessPhones": []string{},
		"onPremisesSyncEnabled": nil, "lastPasswordChangeDateTime": u.created.Add(1000 * time.Hour).Format(time.RFC3339),
		"onPremisesImmutableId": nil, "creationType": nil, "passwordPolicies": "DisablePasswordExpiration", "assignedLicenses": []object{}, "otherMails": []string{},
		"mobilePhone": nil, "employeeId": nil, "jobTitle": nil, "isManagementRestricted": u.restricted,
		"passwordProfile": object{"forceChangePasswordNextSignIn": false, "forceChangePasswordNextSignInWithMfa": false},
		"signInActivity":  object{"lastSignInDateTime": used.UTC().Format(time.RFC3339), "lastSuccessfulSignInDateTime": used.UTC().Format(time.RFC3339)},
		"identities":      []object{{"signInType": "userPrincipalName", "issuer": u.UserPrincipalName[strings.IndexByte(u.UserPrincipalName, '@')+1:], "issuerAssignedId": u.UserPrincipalName}},
	}
	if u.UserType == "Guest" {
		o["creationType"] = "Invitation"
	}
	return encode(o)
}

// An Application is an app registration.
type Application struct {
	// ID is the object id, AppID the application (client) id.
	ID, AppID, DisplayName string
	// Certificates, Secrets and Federations are its credentials.
	Certificates []Certificate
	Secrets      []Secret
	Federations  []Federation
	// Requested are the application permissions that the registration asks
	// for, by value ("AuditLog.Read.All").
	Requested []string
	// Owners are the object ids of the users who may change it.
	Owners []string
}

// A Certificate is a key credential; DER is the public certificate.
type Certificate struct {
	KeyID    string
	DER      []byte
	From, To time.Time
}

// A Secret is a password credential. The world keeps its text: it is the
// service.
type Secret struct {
	KeyID, Text string
	From, To    time.Time
}

// A Federation is a federated identity credential.
type Federation struct{ Issuer, Subject, Audience string }

// Graph is the registration as Graph shows it; no secret and no certificate is
// in it.
func (a *Application) Graph() []byte {
	keys, passwords, access := []object{}, []object{}, []object{}
	for _, c := range a.Certificates {
		sum := thumbprint(c.DER)
		keys = append(keys, object{"keyId": c.KeyID, "type": "AsymmetricX509Cert", "usage": "Verify", "displayName": "CN=" + a.DisplayName,
			"customKeyIdentifier": sum, "key": nil, "startDateTime": rfc(c.From), "endDateTime": rfc(c.To)})
	}
	for _, s := range a.Secrets {
		hint := s.Text
		if len(hint) > 3 {
			hint = hint[:3]
		}
		passwords = append(passwords, object{"keyId": s.KeyID, "displayName": "secret", "hint": hint, "secretText": nil,
			"customKeyIdentifier": nil, "startDateTime": rfc(s.From), "endDateTime": rfc(s.To)})
	}
	for _, p := range permissions {
		for _, v := range a.Requested {
			if v == p.value {
				access = append(access, object{"resourceAppId": p.resource, "resourceAccess": []object{{"id": p.id, "type": "Role"}}})
			}
		}
	}
	return encode(object{"id": a.ID, "appId": a.AppID, "displayName": a.DisplayName, "signInAudience": "AzureADMyOrg", "createdDateTime": "2025-03-03T09:00:00Z",
		"identifierUris": []string{}, "keyCredentials": keys, "passwordCredentials": passwords, "requiredResourceAccess": access})
}

// federations are the federated credentials as Graph shows them, which it does
// in a list of their own.
func (a *Application) federations() (out []json.RawMessage) {
	out = []json.RawMessage{}
	for i, f := range a.Federations {
		n := strconv.Itoa(i)
		out = append(out, encode(object{"id": guidOf("federation", a.AppID, n), "name": "federation-" + n, "issuer": f.Issuer, "subject": f.Subject, "audiences": []string{f.Audience}}))
	}
	return out
}

// A ServicePrincipal is an enterprise application or a managed identity.
type ServicePrincipal struct {
	// ID is the object id; Type is Application or ManagedIdentity.
	ID, AppID, DisplayName, Type string
	Enabled                      bool
	// Granted are the application permissions with consent, by value.
	Granted []string
	// Owners are the object ids of the users who may change it.
	Owners []string

	owner string
}

// Graph is the service principal as Graph shows it.
func (s *ServicePrincipal) Graph() []byte {
	roles := []object{}
	for _, p := range permissions {
		if p.resource == s.AppID {
			roles = append(roles, object{"id": p.id, "value": p.value, "displayName": p.value, "description": p.value, "isEnabled": true, "origin": "Application", "allowedMemberTypes": []string{"Application"}})
		}
	}
	return encode(object{"id": s.ID, "appId": s.AppID, "displayName": s.DisplayName, "appDisplayName": s.DisplayName, "servicePrincipalType": s.Type,
		"accountEnabled": s.Enabled, "appOwnerOrganizationId": s.owner, "appRoles": roles, "servicePrincipalNames": []string{s.AppID}, "tags": []string{},
		"keyCredentials": []object{}, "passwordCredentials": []object{}})
}

// A permission is an application role of one of Microsoft's services.
type permission struct{ value, id, resource string }

const (
	graphApp    = "00000003-0000-0000-c000-000000000000"
	activityApp = "c5393580-f805-4401-95e8-94b7a6ef2fc2"
	azureApp    = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
)

var permissions = []permission{
	{"AuditLog.Read.All", "b0afded3-3588-46d8-8b3d-9842eff778da", graphApp},
	{"Directory.Read.All", "7ab1d382-f21e-4acd-a863-ba3e13f7da61", graphApp},
	{"Policy.Read.All", "246dd0d5-5bd0-4def-940b-0421030a5b68", graphApp},
	{"IdentityRiskEvent.Read.All", "6e472fd1-ad78-48da-a0f0-97ab2c6b769e", graphApp},
	{"IdentityRiskyUser.Read.All", "dc5007c0-2d7d-4c42-879c-2dab87571379", graphApp},
	{"User.Read.All", "df021288-bdef-4463-88db-98f22de89214", graphApp},
	{"Group.Read.All", "5b567255-7703-4780-807c-7be8301ae99b", graphApp},
	{"Application.Read.All", "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30", graphApp},
	{"Organization.Read.All", "498476ce-e0fe-48b0-b801-37ba7e2685c6", graphApp},
	{"RoleManagement.Read.Directory", "483bed4a-2ad3-4361-a73b-c83ccdbdc53c", graphApp},
	{"UserAuthenticationMethod.Read.All", "38d9df27-64da-44fd-b7c5-a6fbac20248f", graphApp},
	{"Directory.ReadWrite.All", "19dbc75e-c2e2-444c-a770-ec69d8559fc7", graphApp},
	{"Policy.ReadWrite.ConditionalAccess", "01c0a623-fc9b-48e9-b794-0756f8e8f067", graphApp},
	{"User.ReadWrite.All", "741f803b-c850-494e-b5df-cde7c675a1ca", graphApp},
	{"RoleManagement.ReadWrite.Directory", "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8", graphApp},
	{"GroupMember.Read.All", "98830695-27a2-44f7-8c18-0c3ebc9698f6", graphApp},
	{"Member.Read.Hidden", "658aa5d8-239f-45c4-aa12-864f4fc7e490", graphApp},
	{"AdministrativeUnit.Read.All", "134fd756-38ce-4afd-ba33-e9623dbe66c2", graphApp},
	{"RoleManagementPolicy.Read.Directory", "fdc4c997-9942-4479-bfcb-75a36d1138df", graphApp},
	{"Policy.Read.ConditionalAccess", "37730810-e9ba-4e46-b07e-8ca78d182097", graphApp},
	{"DelegatedPermissionGrant.Read.All", "81b4724a-58aa-41c1-8a55-84ef97466587", graphApp},
	{"Domain.Read.All", "dbb9058a-0e50-45d7-ae91-66909b5d4664", graphApp},
	{"AccessReview.Read.All", "d07a8cc0-3d51-4b77-b3b0-32704d1f69fa", graphApp},
	{"LifecycleWorkflows.Read.All", "7c67316a-232a-4b84-be22-cea2c0906404", graphApp},
	{"RoleManagementAlert.Read.Directory", "ef31918f-2d50-4755-8943-b8638c0a077e", graphApp},
	{"PrivilegedEligibilitySchedule.Read.AzureADGroup", "edb419d6-7edc-42a3-9345-509bfdf5d87c", graphApp},
	{"PrivilegedAssignmentSchedule.Read.AzureADGroup", "cd4161cb-f098-48f8-a884-1eda9a42434c", graphApp},
	{"ActivityFeed.Read", "594c1fb6-4f81-4475-ae41-0c394909246c", activityApp},
	{"ActivityFeed.ReadDlp", "4807a72c-ad38-4250-94c9-4eabfe26cd55", activityApp},
}

// Resource is the application id of the service that an application permission
// belongs to; empty if it is not known.
func Resource(permission string) string {
	for _, p := range permissions {
		if p.value == permission {
			return p.resource
		}
	}
	return ""
}

// A place is where people live and work.
type place struct {
	city, country string
	latitude      float64
	longitude     float64
	zone          int // hours east of UTC, without summer time
	asn           int
	net           string // the first three bytes of its addresses
}

// places has a line for each twentieth of the people.
var places = [20]place{
	oslo, oslo, oslo, oslo, oslo, oslo, bergen, bergen, bergen, tampere, tampere, hamburg, hamburg, hamburg, hamburg,
	{"Rotterdam", "NL", 51.92, 4.48, 1, 64506, "198.51.103"}, {"London", "GB", 51.51, -0.13, 0, 64507, "198.51.104"},
	{"Boston", "US", 42.36, -71.06, -5, 64508, "198.51.105"}, {"Boston", "US", 42.36, -71.06, -5, 64508, "198.51.105"},
	{"Pune", "IN", 18.52, 73.86, 5, 64509, "198.51.106"},
}

var (
	oslo    = place{"Oslo", "NO", 59.91, 10.75, 1, 64501, "198.51.100"}
	bergen  = place{"Bergen", "NO", 60.39, 5.32, 1, 64502, "198.51.101"}
	tampere = place{"Tampere", "FI", 61.50, 23.79, 2, 64503, "198.51.102"}
	hamburg = place{"Hamburg", "DE", 53.55, 9.99, 1, 64504, "198.51.107"}
	// Attackers come from here.
	tallinn = place{"Tallinn", "EE", 59.44, 24.75, 2, 64666, "203.0.113"}
	abroad  = [6]place{
		{"Lagos", "NG", 6.45, 3.39, 1, 64667, "192.0.2"}, {"Hanoi", "VN", 21.03, 105.85, 7, 64668, "192.0.2"}, {"Quito", "EC", -0.18, -78.47, -5, 64669, "192.0.2"},
		{"Minsk", "BY", 53.90, 27.56, 3, 64670, "192.0.2"}, {"Manila", "PH", 14.60, 120.98, 8, 64671, "192.0.2"}, {"Recife", "BR", -8.05, -34.88, -3, 64672, "192.0.2"},
	}
)

var (
	firstNames  = []string{"Aino", "Bjorn", "Carla", "Dmitri", "Edda", "Farid", "Greta", "Haruki", "Ines", "Jonas", "Katla", "Liam", "Mina", "Nils", "Oda", "Pekka", "Rosa", "Sami", "Tuva", "Urs", "Vera", "Wim", "Yara", "Zoe"}
	lastNames   = []string{"Holm", "Virtanen", "Berg", "Okafor", "Lind", "Meyer", "Sato", "Rossi", "Dahl", "Novak", "Keller", "Nguyen", "Patel", "Moreau", "Silva", "Haugen", "Koskinen", "Weber", "Jansen", "Murphy", "Iyer", "Brown", "Solberg", "Wolff", "Laine"}
	departments = []string{"Sales", "Support", "Finance", "Engineering", "People", "Logistics", "Legal", "Plant"}
)

// hashOf mixes a seed and numbers to one number (the finaliser of splitmix64).
func hashOf(seed uint64, n ...uint64) uint64 {
	h := seed ^ 0x9e3779b97f4a7c15
	for _, v := range n {
		h += v + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// hashText is hashOf for texts.
func hashText(seed uint64, texts ...string) uint64 {
	h := seed ^ 0xcbf29ce484222325
	for _, t := range texts {
		for i := range len(t) {
			h = (h ^ uint64(t[i])) * 0x100000001b3
		}
		h = (h ^ 0xff) * 0x100000001b3
	}
	return hashOf(h, 1)
}

// guid writes two numbers as a GUID of version 4.
func guid(a, b uint64) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], a)
	binary.BigEndian.PutUint64(raw[8:], b)
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	var out [36]byte
	hex.Encode(out[:], raw[:4])
	hex.Encode(out[9:], raw[4:6])
	hex.Encode(out[14:], raw[6:8])
	hex.Encode(out[19:], raw[8:10])
	hex.Encode(out[24:], raw[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// guidOf makes a GUID that always is the same for the same texts.
func guidOf(texts ...string) string {
	return guid(hashText(1, texts...), hashText(2, texts...))
}

// Users of 32 bits are told apart by an odd factor, whose inverse leads from an
// id back to the number: no table of ids is needed, however many there are.
const factor uint32 = 0x9e3779b1

// unfactor is the inverse of factor modulo 2^32, by Newton's steps.
func unfactor() uint32 {
	x := factor
	for range 5 {
		x *= 2 - factor*x
	}
	return x
}

// person makes the i-th of the ordinary people; it is a pure function.
func (w *World) person(i int) *User {
	h := hashOf(w.base, uint64(i), 77)
	first, last := firstNames[i%len(firstNames)], lastNames[i/len(firstNames)%len(lastNames)]
	number := i / (len(firstNames) * len(lastNames))
	name := strings.ToLower(first + "." + last)
	if number > 0 {
		name += strconv.Itoa(number)
	}
	p := i % len(places)
	u := &User{
		ID:                w.personID(i),
		UserPrincipalName: name + "@" + w.o.Tenant.Domain, DisplayName: first + " " + last, Department: departments[h%uint64(len(departments))],
		Country: places[p].country, UserType: "Member", Enabled: true, place: p,
		created: time.Date(2018+int(h>>8%7), time.Month(1+h>>16%12), 1+int(h>>24%28), 8, 0, 0, 0, time.UTC),
		ip:      places[p].net + "." + strconv.Itoa(1+int(h>>32%250)),
	}
	if h>>40%32 == 0 {
		u.UserType = "Guest"
		u.UserPrincipalName = name + "@partner.example"
	}
	return u
}

func (w *World) personID(i int) string {
	x := (uint32(i) * factor) ^ uint32(w.base)
	return guid(uint64(x)<<32|hashOf(w.base, uint64(i), 78)>>32, hashOf(w.base, uint64(i), 79))
}

// index finds the number of one of the ordinary people by id or name.
func (w *World) index(id string) (int, bool) {
	if name, _, ok := strings.Cut(id, "@"); ok {
		name = strings.ToLower(name)
		first, last, _ := strings.Cut(name, ".")
		digits := strings.TrimRight(last, "0123456789")
		number, _ := strconv.Atoi(last[len(digits):])
		f := slices.IndexFunc(firstNames, func(s string) bool { return strings.EqualFold(s, first) })
		l := slices.IndexFunc(lastNames, func(s string) bool { return strings.EqualFold(s, digits) })
		if f < 0 || l < 0 {
			return 0, false
		}
		i := f + len(firstNames)*(l+len(lastNames)*number)
		return i, i < w.o.Users && strings.EqualFold(w.person(i).UserPrincipalName, id)
	}
	if len(id) != 36 {
		return 0, false
	}
	x, err := strconv.ParseUint(id[:8], 16, 32)
	if err != nil {
		return 0, false
	}
	i := int((uint32(x) ^ uint32(w.base)) * w.inverse)
	return i, i < w.o.Users && strings.EqualFold(w.personID(i), id)
}

// Users gives everybody one after another, the accounts with a special purpose
// first; it is made for very large tenants too.
func (w *World) Users() iter.Seq[*User] {
	return func(yield func(*User) bool) {
		w.mu.Lock()
		special := slices.Clone(w.special)
		w.mu.Unlock()
		for _, u := range special {
			c := *u
			if !yield(&c) {
				return
			}
		}
		for i := range w.o.Users {
			w.mu.Lock()
			u := w.user(i)
			w.mu.Unlock()
			if u != nil && !yield(u) {
				return
			}
		}
	}
}

// user is a person with the changes that life has made; nil once deleted.
func (w *World) user(i int) *User {
	if u, ok := w.changed[i]; ok {
		return u
	}
	return w.person(i)
}

// User finds a user by object id or user principal name.
func (w *World) User(id string) (*User, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.find(id)
	if u == nil {
		return nil, false
	}
	c := *u
	return &c, true
}

func (w *World) find(id string) *User {
	for _, u := range w.special {
		if strings.EqualFold(u.ID, id) || strings.EqualFold(u.UserPrincipalName, id) {
			return u
		}
	}
	if i, ok := w.index(id); ok {
		return w.user(i)
	}
	return nil
}

// Emergency are the emergency accounts, EA-01 and EA-02.
func (w *World) Emergency() []*User { return []*User{w.named("EA-01"), w.named("EA-02")} }

// A Protected is an object that protects the emergency accounts; Kind is as in
// protectedObjects of a tenant's file.
type Protected struct{ ID, Kind, Name string }

// Protected gives what a tenant's file would declare beside the accounts: the
// objects that the stories name.
func (w *World) Protected() []Protected {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := []Protected{
		{"c1", "authenticationContext", "Emergency changes"},
		{w.units[0].id, "restrictedUnit", w.units[0].name},
	}
	for _, o := range []struct{ kind, name string }{
		{"group", "Break-glass"}, {"roleDefinition", "Emergency keeper"}, {"strength", "Emergency strength"},
		{"passkeyProfile", "FIDO2 profile"}, {"namedLocation", "Head office"},
	} {
		out = append(out, Protected{guidOf(w.o.Tenant.ID, o.name), o.kind, o.name})
	}
	return out
}

// Decoy is an account that looks like an emergency account and has no rights.
func (w *World) Decoy() *User { return w.named("EA-09") }

// Canary is an account without roles, for a deliberate failed sign-in.
func (w *World) Canary() *User { return w.named("canary") }

// Administrators are the people who hold roles; the first four are Global
// Administrators.
func (w *World) Administrators() []*User {
	out := []*User{}
	for _, a := range administrators {
		out = append(out, w.named(a.key))
	}
	return out
}

func (w *World) named(key string) *User {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := *w.byKey[key]
	return &c
}

var administrators = []struct{ key, name, role string }{
	{"mira", "Mira Lind", "Global Administrator"}, {"olav", "Olav Ness", "Global Administrator"}, {"petra", "Petra Aalto", "Global Administrator"}, {"anton", "Anton Frank", "Global Administrator"},
	{"helga", "Helga Stein", "Helpdesk Administrator"}, {"ravi", "Ravi Menon", "Conditional Access Administrator"}, {"udo", "Udo Brandt", "User Administrator"}, {"lena", "Lena Vik", "Privileged Role Administrator"},
}

// Application ids and names of principals that act in the stories.
const (
	// Pipeline is the application id of the deployment pipeline.
	Pipeline = "d3910e11-7a2b-4c55-9e61-2f4b8a1c0002"
	// EmergencyApp is that of an application for emergencies; what a tenant
	// declares is the object id of its service principal.
	EmergencyApp = "d3910e11-7a2b-4c55-9e61-2f4b8a1c0004"
	// Provisioner is the application id of the personnel system.
	Provisioner = "d3910e11-7a2b-4c55-9e61-2f4b8a1c0003"
)

// populate makes the directory that every world begins with.
func (w *World) populate() {
	w.base = hashText(w.o.Seed, w.o.Tenant.ID)
	w.inverse = unfactor()
	w.byKey, w.changed = map[string]*User{}, map[int]*User{}
	onmicrosoft := w.o.Tenant.Name + ".onmicrosoft.example"
	add := func(key, id, name, upn string, at place) {
		if w.o.Tenant.ID != TenantID {
			id = guidOf(w.o.Tenant.ID, key)
		}
		u := &User{ID: id, UserPrincipalName: upn, DisplayName: name, Country: at.country, UserType: "Member", Enabled: true, Department: "IT",
			created: time.Date(2024, 2, 1, 8, 0, 0, 0, time.UTC), ip: at.net + ".23"}
		w.special = append(w.special, u)
		w.byKey[key] = u
	}
	add("EA-01", EA01, "Emergency Access 01", "ea-01@"+onmicrosoft, oslo)
	add("EA-02", EA02, "Emergency Access 02", "ea-02@"+onmicrosoft, oslo)
	add("EA-09", DecoyID, "Emergency Access 09", "ea-09@"+onmicrosoft, oslo)
	add("canary", CanaryID, "Canary", "canary@"+onmicrosoft, oslo)
	for i, a := range administrators {
		id := guidOf("administrator", a.key)
		if i == 0 {
			id = Admin
		}
		add(a.key, id, a.name, strings.ReplaceAll(strings.ToLower(a.name), " ", ".")+"@"+w.o.Tenant.Domain, oslo)
	}

	for _, a := range firstParty {
		w.principals = append(w.principals, &ServicePrincipal{ID: guidOf(w.o.Tenant.ID, "sp", a.id), AppID: a.id, DisplayName: a.name, Type: "Application", Enabled: true, owner: microsoftTenant})
	}
	w.principals = append(w.principals, &ServicePrincipal{ID: guidOf(w.o.Tenant.ID, "sp", "managed policies"), AppID: guidOf("managed policies"), DisplayName: "Microsoft Managed Policy Manager", Type: "Application", Enabled: true, owner: microsoftTenant})
	own := []Application{
		{AppID: GlasswardApp, DisplayName: "Glassward", Requested: []string{"AuditLog.Read.All", "Directory.Read.All", "Policy.Read.All", "IdentityRiskEvent.Read.All", "IdentityRiskyUser.Read.All", "ActivityFeed.Read"}},
		{AppID: Pipeline, DisplayName: "Deploy pipeline", Requested: []string{"Policy.Read.All", "Policy.ReadWrite.ConditionalAccess"}},
		{AppID: Provisioner, DisplayName: "People system", Requested: []string{"User.ReadWrite.All"}},
		{AppID: EmergencyApp, DisplayName: "Emergency automation", Requested: []string{"RoleManagement.ReadWrite.Directory"},
			Certificates: []Certificate{{KeyID: guidOf("key", EmergencyApp), DER: []byte("Emergency automation"), From: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)}}},
		{AppID: guidOf("app", "Backup"), DisplayName: "Mail backup", Requested: []string{"User.Read.All"}},
		{AppID: guidOf("app", "Intranet"), DisplayName: "Intranet", Requested: []string{"User.Read.All", "Group.Read.All"}},
	}
	for _, a := range own {
		a.ID = guidOf(w.o.Tenant.ID, "app", a.AppID)
		w.applications = append(w.applications, &a)
		w.principals = append(w.principals, &ServicePrincipal{ID: guidOf(w.o.Tenant.ID, "sp", a.AppID), AppID: a.AppID, DisplayName: a.DisplayName, Type: "Application", Enabled: true, Granted: slices.Clone(a.Requested), owner: w.o.Tenant.ID})
	}
	for _, name := range []string{"vm-build-01", "func-orders", "aks-north-agentpool"} {
		w.principals = append(w.principals, &ServicePrincipal{ID: guidOf(w.o.Tenant.ID, "mi", name), AppID: guidOf(w.o.Tenant.ID, "miapp", name), DisplayName: name, Type: "ManagedIdentity", Enabled: true, owner: w.o.Tenant.ID})
	}

	ea := []string{w.byKey["EA-01"].ID, w.byKey["EA-02"].ID}
	var staff []string
	for i := range min(w.o.Users, 5000) {
		staff = append(staff, w.personID(i))
	}
	group := func(name, kind string, assignable bool, members []string) *collection {
		c := &collection{id: guidOf(w.o.Tenant.ID, "group", name), name: name, kind: kind, flag: assignable, members: slices.Clone(members)}
		w.groups = append(w.groups, c)
		return c
	}
	group("Emergency accounts", "security", true, ea)
	group("All staff", "dynamic", false, staff)
	for i, d := range departments {
		var m []string
		for j := i; j < min(w.o.Users, 800); j += len(departments) {
			m = append(m, w.personID(j))
		}
		group(d, "security", false, m)
	}
	w.units = []*collection{{id: guidOf(w.o.Tenant.ID, "unit", "Emergency"), name: "Emergency accounts (restricted)", flag: true, members: slices.Clone(ea)}}
	for _, key := range []string{"EA-01", "EA-02"} {
		w.byKey[key].restricted = true
	}
	w.policies = []*policy{
		{id: w.policyID(), name: "CA001 Require phishing-resistant MFA", state: "enabled", grant: "mfa", exclude: slices.Clone(ea)},
		{id: guidOf(w.o.Tenant.ID, "policy", "CA002"), name: "CA002 Block legacy authentication", state: "enabled", grant: "block", exclude: slices.Clone(ea)},
		{id: guidOf(w.o.Tenant.ID, "policy", "CA003"), name: "CA003 Emergency accounts: security key, short session", state: "enabled", grant: "mfa", include: slices.Clone(ea)},
	}
	for _, a := range administrators {
		w.assign(a.role, w.byKey[a.key].ID)
	}
	for _, id := range ea {
		w.assign("Global Administrator", id)
	}
	w.plans = map[Plan]bool{PremiumP1: true, PremiumP2: true, Office: true}
	w.diagnostics = true
	w.settleAzure(ea)
}

// policyID is the id of the first policy.
func (w *World) policyID() string {
	if w.o.Tenant.ID == TenantID {
		return Policy
	}
	return guidOf(w.o.Tenant.ID, "policy", "CA001")
}

// The ids of more accounts of the tenant of the constants.
const (
	// CanaryID is an account without roles; DecoyID one that only looks like an
	// emergency account.
	CanaryID = "e1a00000-51b2-4c7d-8f01-9d2c6a7b0090"
	DecoyID  = "e1a00000-51b2-4c7d-8f01-9d2c6a7b0009"
)

const microsoftTenant = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"

// GlasswardApp is the application id of Glassward's own registration in every
// world; a test adds the certificate or secret that it means to use.
const GlasswardApp = "91a55a4d-6c1e-4f0a-9d57-3a1f0c2e0001"

type firstPartyApp struct{ id, name string }

// The first ones are what people sign in to.
var firstParty = []firstPartyApp{
	{"c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "Azure Portal"},
	{"00000002-0000-0ff1-ce00-000000000000", "Office 365 Exchange Online"},
	{"00000003-0000-0ff1-ce00-000000000000", "Office 365 SharePoint Online"},
	{"5e3ce6c0-2b1f-4285-8d4b-75ee78787346", "Microsoft Teams Web Client"},
	{"4765445b-32c6-49b0-83e6-1d93765276ca", "OfficeHome"},
	{"1fec8e78-bce4-4aaf-ab1b-5451cc387264", "Microsoft Teams"},
	{"d3590ed6-52b3-4102-aeff-aad2292ab01c", "Microsoft Office"},
	{"ab9b8c07-8f02-4f72-87fa-80105867a763", "OneDrive SyncEngine"},
	{"14d82eec-204b-4c2f-b7e8-296a70dab67e", "Microsoft Graph Command Line Tools"},
	{graphApp, "Microsoft Graph"},
	{azureApp, "Windows Azure Service Management API"},
	{activityApp, "Office 365 Management APIs"},
}

// A collection is a group or an administrative unit.
type collection struct {
	id, name, kind string
	flag           bool // role-assignable, or restricted management
	members        []string
}

type policy struct {
	id, name, state, grant string
	include, exclude       []string

	whole json.RawMessage // as beta shows it; nil for one of the few properties above
}

type roleAssignment struct{ role, principal string }

// roles are the directory roles that somebody may hold.
var roles = []struct{ name, id string }{
	{"Global Administrator", "62e90394-69f5-4237-9190-012177145e10"},
	{"Privileged Role Administrator", "e8611ab8-c189-46e8-94e1-60213ab1f814"},
	{"Conditional Access Administrator", "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9"},
	{"Security Administrator", "194ae4cb-b126-40b2-bd5b-6091b380977d"},
	{"User Administrator", "fe930be7-5e62-47db-91af-98c3a49a38b1"},
	{"Helpdesk Administrator", "729827e3-9c14-49f7-bb1b-9608f156bbb8"},
	{"Authentication Administrator", "c4e39bd9-1100-46d3-8c65-fb160da0071f"},
	{"Application Administrator", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"},
	{"Directory Readers", "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"},
}

func roleID(name string) string {
	for _, r := range roles {
		if r.name == name {
			return r.id
		}
	}
	return ""
}

func (w *World) assign(role, principal string) {
	w.assignments = append(w.assignments, roleAssignment{role, principal})
}

// Applications gives copies of the app registrations.
func (w *World) Applications() []*Application {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*Application
	for _, a := range w.applications {
		out = append(out, a.clone())
	}
	return out
}

func (a *Application) clone() *Application {
	c := *a
	c.Certificates, c.Secrets, c.Federations, c.Requested, c.Owners = slices.Clone(a.Certificates), slices.Clone(a.Secrets), slices.Clone(a.Federations), slices.Clone(a.Requested), slices.Clone(a.Owners)
	return &c
}

// Application finds a registration by its application id.
func (w *World) Application(appID string) (*Application, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.application(appID); a != nil {
		return a.clone(), true
	}
	return nil, false
}

func (w *World) application(appID string) *Application {
	for _, a := range w.applications {
		if strings.EqualFold(a.AppID, appID) {
			return a
		}
	}
	return nil
}

// ServicePrincipals gives copies of the service principals.
func (w *World) ServicePrincipals() []*ServicePrincipal {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*ServicePrincipal
	for _, s := range w.principals {
		out = append(out, s.clone())
	}
	return out
}

func (s *ServicePrincipal) clone() *ServicePrincipal {
	c := *s
	c.Granted, c.Owners = slices.Clone(s.Granted), slices.Clone(s.Owners)
	return &c
}

// ServicePrincipal finds a service principal by application id or object id.
func (w *World) ServicePrincipal(id string) (*ServicePrincipal, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.principal(id); s != nil {
		return s.clone(), true
	}
	return nil, false
}

func (w *World) principal(id string) *ServicePrincipal {
	for _, s := range w.principals {
		if strings.EqualFold(s.AppID, id) || strings.EqualFold(s.ID, id) {
			return s
		}
	}
	return nil
}

// Register adds an app registration with its service principal, without consent;
// ids are made when empty.
func (w *World) Register(a Application) *Application {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := a.clone()
	if c.AppID == "" {
		c.AppID = guidOf(w.o.Tenant.ID, "registered", c.DisplayName, strconv.Itoa(len(w.applications)))
	}
	if c.ID == "" {
		c.ID = guidOf(w.o.Tenant.ID, "app", c.AppID)
	}
	w.applications = append(w.applications, c)
	w.principals = append(w.principals, &ServicePrincipal{ID: guidOf(w.o.Tenant.ID, "sp", c.AppID), AppID: c.AppID, DisplayName: c.DisplayName, Type: "Application", Enabled: true, owner: w.o.Tenant.ID})
	return c.clone()
}

// AddCertificate gives a registration another credential, without an audit
// event, as all of these methods.
func (w *World) AddCertificate(appID string, c Certificate) {
	w.change(appID, func(a *Application) {
		c.KeyID = cmp.Or(c.KeyID, guidOf("key", appID, strconv.Itoa(len(a.Certificates))))
		a.Certificates = append(a.Certificates, c)
	})
}

// AddSecret is like AddCertificate.
func (w *World) AddSecret(appID string, s Secret) {
	w.change(appID, func(a *Application) {
		s.KeyID = cmp.Or(s.KeyID, guidOf("secret", appID, strconv.Itoa(len(a.Secrets))))
		a.Secrets = append(a.Secrets, s)
	})
}

// AddFederation is like AddCertificate.
func (w *World) AddFederation(appID string, f Federation) {
	w.change(appID, func(a *Application) { a.Federations = append(a.Federations, f) })
}

// RemoveCredentials takes all credentials of a registration away.
func (w *World) RemoveCredentials(appID string) {
	w.change(appID, func(a *Application) { a.Certificates, a.Secrets, a.Federations = nil, nil, nil })
}

func (w *World) change(appID string, f func(*Application)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.application(appID); a != nil {
		f(a)
	}
}

// AddOwner makes a user an owner of a registration and of its service principal.
func (w *World) AddOwner(appID, user string) {
	w.change(appID, func(a *Application) {
		a.Owners = append(a.Owners, user)
		if s := w.principal(appID); s != nil {
			s.Owners = append(s.Owners, user)
		}
	})
}

// Grant consents to an application permission ("AuditLog.Read.All").
func (w *World) Grant(appID, permission string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.principal(appID); s != nil && !slices.Contains(s.Granted, permission) {
		s.Granted = append(s.Granted, permission)
	}
}

// Revoke takes consent back.
func (w *World) Revoke(appID, permission string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.principal(appID); s != nil {
		s.Granted = slices.DeleteFunc(s.Granted, func(p string) bool { return p == permission })
	}
}

// SetEnabled switches a service principal on or off.
func (w *World) SetEnabled(appID string, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.principal(appID); s != nil {
		s.Enabled = on
	}
}

// SetLastSignIn says when an account with a special purpose last signed in, as the directory
// tells it, which is no sign-in and leaves no event.
func (w *World) SetLastSignIn(id string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if u := w.find(id); u != nil {
		u.signedIn = at
	}
}

// Review begins an access review of what a query names, as "/groups/{id}/members": who is
// not reviewed is removed, by itself.
func (w *World) Review(name, query string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reviews = append(w.reviews, review{name, query})
}

// EndReviews ends the reviews of Review.
func (w *World) EndReviews() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reviews = nil
}

type review struct{ name, query string }

// A Plan is a service plan that decides what the services answer.
type Plan string

// The plans.
const (
	PremiumP1 Plan = "AAD_PREMIUM"
	PremiumP2 Plan = "AAD_PREMIUM_P2"
	// Office is any subscription that has the unified audit log.
	Office Plan = "EXCHANGE_S_ENTERPRISE"
)

// Licensed says whether the tenant has a plan now. P2 holds P1.
func (w *World) Licensed(p Plan) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.plans[p] || p == PremiumP1 && w.plans[PremiumP2]
}

// SetLicence gives or takes a plan; taking P1 takes P2 too.
func (w *World) SetLicence(p Plan, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plans[p] = on
	if p == PremiumP1 && !on {
		w.plans[PremiumP2] = false
	}
}

// SetDiagnosticSettings makes or deletes the Entra diagnostic setting. Without
// it nothing new reaches the roads that it feeds.
func (w *World) SetDiagnosticSettings(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.diagnostics = on
}

// DiagnosticSettings are the Entra diagnostic settings as Azure Resource
// Manager shows them.
func (w *World) DiagnosticSettings() []json.RawMessage {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.diagnostics {
		return []json.RawMessage{}
	}
	var logs []object
	for k := InteractiveSignIn; k < CloudAppEvent; k++ {
		logs = append(logs, object{"category": k.Category(), "enabled": true, "retentionPolicy": object{"enabled": false, "days": 0}})
	}
	const group = azureGroup + "/providers/"
	return []json.RawMessage{encode(object{"id": "providers/Microsoft.Aadiam/diagnosticSettings/to-security", "type": "", "name": "to-security", "location": "",
		"properties": object{"storageAccountId": group + "Microsoft.Storage/storageAccounts/" + w.o.Tenant.Name + "logs", "workspaceId": group + "Microsoft.OperationalInsights/workspaces/law-security",
			"eventHubAuthorizationRuleId": group + "Microsoft.EventHub/namespaces/ehn-security/authorizationRules/RootManageSharedAccessKey", "eventHubName": "entra", "logs": logs}})}
}

// Objects gives a collection of the directory as Graph shows it, by its path:
// users, groups, groups/{id}/members, directoryRoles, directoryRoles/{id}/members,
// roleManagement/directory/roleDefinitions, roleManagement/directory/roleAssignments,
// applications, servicePrincipals, servicePrincipals/{id}/appRoleAssignments,
// subscribedSkus, organization, identity/conditionalAccess/policies,
// identity/conditionalAccess/namedLocations, directory/administrativeUnits,
// directory/administrativeUnits/{id}/members, memberOf and transitiveMemberOf of users
// and groups, transitiveMembers of groups, owners of
// applications and service principals, federatedIdentityCredentials of
// applications, users/{id}/authentication/methods, owners of groups, and what
// protection lists. False says that there is no such path.
func (w *World) Objects(path string) ([]json.RawMessage, bool) {
	out := []json.RawMessage{}
	if path == "users" {
		for u := range w.Users() {
			out = append(out, u.Graph())
		}
		return out, true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	add := func(b []byte) { out = append(out, b) }
	part := strings.Split(strings.Trim(path, "/"), "/")
	switch path = strings.Join(part, "/"); path {
	case "groups":
		for _, g := range w.groups {
			add(g.group())
		}
	case "applications":
		for _, a := range w.applications {
			add(a.Graph())
		}
	case "servicePrincipals":
		for _, s := range w.principals {
			add(s.Graph())
		}
	case "directoryRoles":
		for _, r := range roles {
			add(w.directoryRole(r.name, r.id))
		}
	case "roleManagement/directory/roleDefinitions":
		for _, r := range roles {
			add(encode(object{"id": r.id, "displayName": r.name, "description": r.name, "templateId": r.id, "isBuiltIn": true, "isEnabled": true, "rolePermissions": []object{}}))
		}
	case "roleManagement/directory/roleAssignments":
		for _, a := range w.assignments {
			add(encode(object{"id": guidOf(w.o.Tenant.ID, a.role, a.principal), "principalId": a.principal, "roleDefinitionId": roleID(a.role), "directoryScopeId": "/"}))
		}
	case "subscribedSkus":
		for _, s := range []struct {
			plan     Plan
			sku, id  string
			planGUID string
		}{
			{PremiumP1, "AAD_PREMIUM", "078d2b04-f1bd-4111-bbd6-b4b1b354cef4", "41781fb2-bc02-4b7c-bd55-b576c07bb09d"},
			{PremiumP2, "AAD_PREMIUM_P2", "84a661c4-e949-4bd2-a560-ed7766fcaf2b", "eec0eb4f-6444-4f95-aba0-50c24d67f998"},
			{Office, "ENTERPRISEPACK", "6fd2c87f-b296-42f0-b197-1e91e994b900", "efb87545-963c-4e0d-99df-69c6916d9eb0"},
		} {
			if w.plans[s.plan] {
				add(encode(object{"id": w.o.Tenant.ID + "_" + s.id, "accountId": w.o.Tenant.ID, "accountName": w.o.Tenant.Name, "skuId": s.id, "skuPartNumber": s.sku, "appliesTo": "User", "capabilityStatus": "Enabled",
					"consumedUnits": w.o.Users, "subscriptionIds": []string{guidOf(w.o.Tenant.ID, s.id)}, "prepaidUnits": object{"enabled": w.o.Users + 10, "suspended": 0, "warning": 0, "lockedOut": 0},
					"servicePlans": []object{{"servicePlanId": s.planGUID, "servicePlanName": string(s.plan), "provisioningStatus": "Success", "appliesTo": "User"}}}))
			}
		}
	case "organization":
		plans := []object{}
		for _, p := range []Plan{PremiumP1, PremiumP2, Office} {
			if w.plans[p] {
				plans = append(plans, object{"assignedDateTime": "2024-02-01T08:00:00Z", "capabilityStatus": "Enabled", "service": "AADPremiumService", "servicePlanId": guidOf(string(p))})
			}
		}
		add(encode(object{"id": w.o.Tenant.ID, "displayName": w.o.Tenant.Name, "tenantType": "AAD", "countryLetterCode": "NO", "createdDateTime": "2018-01-01T08:00:00Z", "assignedPlans": plans, "technicalNotificationMails": []string{"it@" + w.o.Tenant.Domain},
			"verifiedDomains": []object{{"name": w.o.Tenant.Domain, "isDefault": true, "isInitial": false, "type": "Managed", "capabilities": "Email, OfficeCommunicationsOnline"}, {"name": w.o.Tenant.Name + ".onmicrosoft.example", "isDefault": false, "isInitial": true, "type": "Managed", "capabilities": "Email"}}}))
	case "identity/conditionalAccess/policies":
		for _, p := range w.policies {
			add(p.graph())
		}
	case "beta/identity/conditionalAccess/policies":
		for _, p := range w.policies {
			add(p.beta())
		}
	case "identity/conditionalAccess/namedLocations":
		add(encode(object{"@odata.type": "#microsoft.graph.ipNamedLocation", "id": guidOf(w.o.Tenant.ID, "location"), "displayName": "Offices", "isTrusted": true, "createdDateTime": "2024-02-01T08:00:00Z", "modifiedDateTime": "2024-02-01T08:00:00Z",
			"ipRanges": []object{{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": oslo.net + ".0/24"}, {"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": hamburg.net + ".0/24"}}}))
	case "directory/administrativeUnits":
		for _, u := range w.units {
			add(u.unit())
		}
	default:
		if list, ok := w.protection(path); ok {
			return list, true
		}
		return w.parts(part)
	}
	return out, true
}

// parts answers the paths with an id in them.
func (w *World) parts(part []string) ([]json.RawMessage, bool) {
	out := []json.RawMessage{}
	member := func(id string) {
		if u := w.find(id); u != nil {
			b := u.Graph()
			out = append(out, append([]byte(`{"@odata.type":"#microsoft.graph.user",`), b[1:]...))
		} else if g := w.collection(id); g != nil {
			b := g.group()
			out = append(out, append([]byte(`{"@odata.type":"#microsoft.graph.group",`), b[1:]...))
		}
	}
	switch {
	case len(part) == 3 && (part[0] == "users" || part[0] == "groups") && (part[2] == "memberOf" || part[2] == "transitiveMemberOf"):
		return w.memberships(part[0], part[1], part[2] == "transitiveMemberOf")
	case len(part) == 3 && part[2] == "owners" && part[0] == "applications":
		if a := w.registration(part[1]); a != nil {
			for _, id := range a.Owners {
				member(id)
			}
			return out, true
		}
	case len(part) == 3 && part[2] == "owners" && part[0] == "servicePrincipals":
		if s := w.principal(part[1]); s != nil {
			for _, id := range s.Owners {
				member(id)
			}
			return out, true
		}
	case len(part) == 3 && part[0] == "applications" && part[2] == "federatedIdentityCredentials":
		if a := w.registration(part[1]); a != nil {
			return a.federations(), true
		}
	case len(part) == 4 && part[0] == "users" && part[2] == "authentication" && part[3] == "methods":
		if u := w.find(part[1]); u != nil {
			return w.methods(u), true
		}
	case len(part) == 3 && part[0] == "groups" && part[2] == "owners":
		return out, slices.ContainsFunc(w.groups, func(g *collection) bool { return strings.EqualFold(g.id, part[1]) })
	case len(part) == 3 && part[0] == "groups" && (part[2] == "members" || part[2] == "transitiveMembers"):
		if g := w.collection(part[1]); g != nil {
			for _, m := range w.within(g, part[2] == "transitiveMembers") {
				member(m)
			}
			return out, true
		}
	case len(part) == 4 && part[1] == "administrativeUnits" && part[3] == "members":
		for _, u := range w.units {
			if strings.EqualFold(u.id, part[2]) {
				for _, m := range u.members {
					member(m)
				}
				return out, true
			}
		}
	case len(part) == 3 && part[0] == "directoryRoles" && part[2] == "members":
		for _, r := range roles {
			if strings.EqualFold(guidOf(w.o.Tenant.ID, r.id), part[1]) {
				for _, a := range w.assignments {
					if a.role == r.name {
						member(a.principal)
					}
				}
				return out, true
			}
		}
	case len(part) == 3 && part[0] == "servicePrincipals" && part[2] == "appRoleAssignments":
		if s := w.principal(part[1]); s != nil {
			for _, v := range s.Granted {
				for _, p := range permissions {
					if p.value == v {
						r := w.principal(p.resource)
						out = append(out, encode(object{"id": guidOf(s.ID, p.id), "appRoleId": p.id, "principalId": s.ID, "principalDisplayName": s.DisplayName, "principalType": "ServicePrincipal",
							"resourceId": r.ID, "resourceDisplayName": r.DisplayName, "createdDateTime": "2025-03-03T09:05:00Z", "deletedDateTime": nil}))
					}
				}
			}
			return out, true
		}
	}
	return nil, false
}

// memberships are the groups, units and roles that a user or group is in: directly, or
// through groups too.
func (w *World) memberships(kind, id string, transitive bool) ([]json.RawMessage, bool) {
	if u := w.find(id); u != nil && kind == "users" {
		id = u.ID
	} else if g := w.collection(id); g != nil && kind == "groups" {
		id = g.id
	} else {
		return nil, false
	}
	out := []json.RawMessage{}
	add := func(kind string, b []byte) {
		out = append(out, append([]byte(`{"@odata.type":"#microsoft.graph.`+kind+`",`), b[1:]...))
	}
	groups := w.holders(id, transitive)
	for _, g := range w.groups {
		if slices.Contains(groups, g.id) {
			add("group", g.group())
		}
	}
	self := []string{id}
	if transitive {
		self = append(self, groups...)
	}
	for _, c := range w.units {
		// A group in a unit does not bring its members there.
		if slices.Contains(c.members, id) {
			add("administrativeUnit", c.unit())
		}
	}
	for _, r := range roles {
		if slices.ContainsFunc(self, func(x string) bool { return slices.Contains(w.assignments, roleAssignment{r.name, x}) }) {
			add("directoryRole", w.directoryRole(r.name, r.id))
		}
	}
	return out, true
}

func (w *World) directoryRole(name, id string) []byte {
	return encode(object{"id": guidOf(w.o.Tenant.ID, id), "displayName": name, "description": name, "roleTemplateId": id})
}

// registration finds an app registration by its object id.
func (w *World) registration(id string) *Application {
	for _, a := range w.applications {
		if strings.EqualFold(a.ID, id) {
			return a
		}
	}
	return nil
}

// Object gives one object by its path: users/{id or name}, groups/{id},
// applications/{object id}, applications(appId='…') and the same of
// servicePrincipals.
func (w *World) Object(path string) (json.RawMessage, bool) {
	path = strings.Trim(path, "/")
	if o, ok := w.single(path); ok {
		return o, true
	}
	if id, ok := strings.CutPrefix(path, "users/"); ok {
		if u, ok := w.User(id); ok {
			return u.Graph(), true
		}
		return nil, false
	}
	key, id := "id", ""
	list, id, ok := strings.Cut(path, "/")
	if before, rest, alt := strings.Cut(path, "(appId='"); alt {
		list, id, key, ok = before, strings.TrimSuffix(rest, "')"), "appId", true
	} else if i := strings.LastIndexByte(path, '/'); ok {
		list, id = path[:i], path[i+1:]
	}
	if !ok {
		return nil, false
	}
	all, ok := w.Objects(list)
	if !ok {
		return nil, false
	}
	for _, o := range all {
		var m map[string]any
		if json.Unmarshal(o, &m) == nil {
			if s, _ := m[key].(string); strings.EqualFold(s, id) {
				return o, true
			}
		}
	}
	return nil, false
}

func (c *collection) group() []byte {
	o := object{"id": c.id, "displayName": c.name, "description": c.name, "securityEnabled": true, "mailEnabled": false, "mailNickname": strings.ToLower(strings.ReplaceAll(c.name, " ", "-")),
		"groupTypes": []string{}, "isAssignableToRole": c.flag, "membershipRule": nil, "membershipRuleProcessingState": nil, "createdDateTime": "2024-02-01T08:00:00Z", "visibility": "Private",
		"onPremisesSyncEnabled": nil, "isManagementRestricted": false}
	if c.kind == "dynamic" {
		o["groupTypes"], o["membershipRule"], o["membershipRuleProcessingState"] = []string{"DynamicMembership"}, `(user.userType -eq "Member")`, "On"
	}
	return encode(o)
}

func (c *collection) unit() []byte {
	return encode(object{"id": c.id, "displayName": c.name, "description": "Only its own administrators may change its members.", "isMemberManagementRestricted": c.flag, "visibility": "Public", "membershipType": "Assigned", "membershipRule": nil})
}

// plain is a policy of few properties, which v1.0 shows whole.
func (p *policy) plain() []byte {
	include, exclude := p.include, p.exclude
	if include == nil {
		include = []string{"All"}
	}
	if exclude == nil {
		exclude = []string{}
	}
	return encode(object{"id": p.id, "displayName": p.name, "state": p.state, "createdDateTime": "2024-02-02T08:00:00Z", "modifiedDateTime": "2025-10-06T08:00:00Z", "templateId": nil,
		"conditions": object{"clientAppTypes": []string{"all"}, "applications": object{"includeApplications": []string{"All"}, "excludeApplications": []string{}, "includeUserActions": []string{}},
			"users":            object{"includeUsers": include, "excludeUsers": exclude, "includeGroups": []string{}, "excludeGroups": []string{}, "includeRoles": []string{}, "excludeRoles": []string{}},
			"signInRiskLevels": []string{}, "userRiskLevels": []string{}},
		"grantControls":   object{"operator": "OR", "builtInControls": []string{p.grant}, "customAuthenticationFactors": []string{}, "termsOfUse": []string{}},
		"sessionControls": nil})
}

func rfc(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// object is a JSON object; encoding/json writes its keys in sorted order, so
// that the same seed gives the same bytes.
type object = map[string]any

func encode(o any) []byte {
	b, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprint("entrasim: what was made is no JSON: ", err)) // maps of strings and numbers always marshal
	}
	return b
}
