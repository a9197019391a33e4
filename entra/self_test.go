package entra_test

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/entra"
)

// directory is a small Graph of our own application and of users. A list that is
// not in it is refused for lack of a permission.
type directory map[string][]any

func (d directory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if one, ok := strings.CutPrefix(r.URL.Path, "/v1.0/servicePrincipals/graph-principal"); ok && one == "" {
		fmt.Fprint(w, `{"id":"graph-principal","appRoles":[{"id":"741f803b-c850-494e-b5df-cde7c675a1ca","value":"User.ReadWrite.All"},{"id":"570282fd-fa5c-430d-a7fd-fc8dc98a9dca","value":"Mail.Read"}]}`)
		return
	}
	for _, one := range d["/one"] {
		if o := one.(object); r.URL.Path == o["path"] {
			json.NewEncoder(w).Encode(o)
			return
		}
	}
	if strings.HasPrefix(r.URL.Path, "/v1.0/users/") && strings.Count(r.URL.Path, "/") == 3 || r.URL.Path == "/v1.0/groups/s" {
		w.WriteHeader(404)
		fmt.Fprint(w, `{"error":{"code":"Request_ResourceNotFound","message":"no"}}`)
		return
	}
	list, ok := d[r.URL.Path]
	if !ok {
		w.WriteHeader(403)
		fmt.Fprint(w, `{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation."}}`)
		return
	}
	if f := r.URL.Query().Get("$filter"); strings.HasPrefix(f, "appId eq ") && f != "appId eq '"+clientID+"'" {
		list = nil
	}
	if list == nil {
		list = []any{}
	}
	json.NewEncoder(w).Encode(map[string]any{"value": list})
}

type object = map[string]any

func grant(id string) object {
	return object{"appRoleId": id, "resourceId": "graph-principal", "resourceDisplayName": "Microsoft Graph"}
}

// healthy is our application as it should be.
func healthy(print string, ends time.Time) directory {
	key := object{"keyId": "key-1", "displayName": "CN=glassward", "customKeyIdentifier": print, "startDateTime": "2026-01-01T00:00:00Z", "endDateTime": ends.UTC().Format(time.RFC3339)}
	return directory{
		"/v1.0/organization":                                    {object{"id": tenantID, "displayName": "Contoso", "verifiedDomains": []object{{"name": "contoso.com"}}}},
		"/v1.0/subscribedSkus":                                  {object{"skuPartNumber": "SPE_E5", "capabilityStatus": "Enabled", "servicePlans": []object{{"servicePlanName": "AAD_PREMIUM_P2", "provisioningStatus": "Success"}}}, object{"skuPartNumber": "OLD", "capabilityStatus": "Suspended"}},
		"/v1.0/servicePrincipals":                               {object{"id": "sp-1", "appId": clientID, "displayName": "Glassward", "accountEnabled": true, "appOwnerOrganizationId": tenantID, "passwordCredentials": []any{}, "keyCredentials": []any{}}},
		"/v1.0/applications":                                    {object{"id": "app-1", "appId": clientID, "displayName": "Glassward", "passwordCredentials": []any{}, "keyCredentials": []any{key}}},
		"/v1.0/applications/app-1/owners":                       {object{"id": "owner-1", "displayName": "Ada"}},
		"/v1.0/applications/app-1/federatedIdentityCredentials": {},
		"/v1.0/servicePrincipals/sp-1/owners":                   {},
		"/v1.0/servicePrincipals/sp-1/appRoleAssignments":       {grant("b0afded3-3588-46d8-8b3d-9842eff778da"), grant("498476ce-e0fe-48b0-b801-37ba7e2685c6")},
	}
}

type watched struct {
	*tenant
	client     *entra.Client
	credential *entra.Credential
	directory  directory
	ends       time.Time
}

func newWatched(t *testing.T, left time.Duration) *watched {
	s := newTenant(t)
	ends := time.Now().Add(left).Truncate(time.Second)
	cert, _, text := identity(t, ends)
	s.cert = cert
	sum := sha1.Sum(cert.Raw)
	w := &watched{tenant: s, directory: healthy(base64.StdEncoding.EncodeToString(sum[:]), ends), ends: ends}
	var err error
	w.credential, err = entra.NewCredential(entra.CredentialOptions{Cloud: s.cloud, Tenant: tenantID, ClientID: clientID, Certificate: secretFile(t, text), HTTP: s.http()})
	if err != nil {
		t.Fatal(err)
	}
	s.roles["https://graph.microsoft.com"] = []string{"AuditLog.Read.All", "Organization.Read.All"}
	s.graph = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.directory.ServeHTTP(rw, r) })
	w.client = entra.NewClient(entra.ClientOptions{Service: entra.Graph, Cloud: s.cloud, Credential: w.credential, HTTP: s.http(), Pace: entra.Pace{Requests: 5000, Per: time.Second}})
	return w
}

func (w *watched) inspect(t *testing.T, needs ...string) *entra.Self {
	t.Helper()
	self, err := entra.Inspect(t.Context(), w.client, w.credential, needs...)
	if err != nil {
		t.Fatal(err)
	}
	return self
}

// keys tells findings by severity and key.
func keys(all []entra.Finding) string {
	var said []string
	for _, f := range all {
		if f.What == "" {
			said = append(said, "!")
		}
		said = append(said, f.Severity.String()+" "+f.Key)
	}
	slices.Sort(said)
	return strings.Join(said, "\n")
}

func TestOurApplicationAsItShouldBe(t *testing.T) {
	w := newWatched(t, 400*24*time.Hour)
	self := w.inspect(t, "AuditLog.Read.All", "ActivityFeed.Read")
	if got := keys(self.Findings()); got != "" {
		t.Errorf("findings:\n%s", got)
	}
	if o := self.Organisation.Value; o.Name != "Contoso" || o.ID != tenantID || o.Domains[0] != "contoso.com" {
		t.Errorf("%+v", o)
	}
	if l := self.Licence.Value; !l.P1 || !l.P2 || len(l.Skus) != 1 {
		t.Errorf("%+v", l)
	}
	if c := self.Registration.Value.Credentials; len(c) != 1 || !c[0].Ours || !c[0].Ends.Equal(w.ends) {
		t.Errorf("%+v", c)
	}
	if g := self.Permissions.Value.Granted; len(g) != 2 || g[0].Value != "AuditLog.Read.All" || g[0].Write {
		t.Errorf("%+v", g)
	}
	if !self.CertificateEnds.Equal(w.ends) || len(self.Principal.Value.Owners) != 0 {
		t.Errorf("%+v", self)
	}
}

func TestWhatIsWrongAboutOurApplication(t *testing.T) {
	w := newWatched(t, 6*24*time.Hour)
	w.directory["/v1.0/servicePrincipals/sp-1/appRoleAssignments"] = []any{
		grant("498476ce-e0fe-48b0-b801-37ba7e2685c6"), grant("741f803b-c850-494e-b5df-cde7c675a1ca"), grant("570282fd-fa5c-430d-a7fd-fc8dc98a9dca"),
		grant("12345678-0000-0000-0000-000000000000"),
	}
	w.roles["https://graph.microsoft.com"] = []string{"Organization.Read.All", "User.ReadWrite.All"}
	w.directory["/v1.0/servicePrincipals"][0].(object)["accountEnabled"] = false
	w.directory["/v1.0/subscribedSkus"] = nil
	delete(w.directory, "/v1.0/organization")
	self := w.inspect(t, "AuditLog.Read.All")
	want := strings.Join([]string{
		"High permission-missing/AuditLog.Read.All",
		"High principal-disabled/",
		"Low licence-missing/",
		"Low not-readable/the organisation",
		"Medium credential-ends/" + w.ends.UTC().Format("2006-01-02") + "/7",
		"Medium surplus-write/Microsoft Graph/12345678-0000-0000-0000-000000000000",
		"Medium surplus-write/Microsoft Graph/User.ReadWrite.All",
	}, "\n")
	if got := keys(self.Findings()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := self.Organisation.String(); got != "not readable without Organization.Read.All" {
		t.Error(got)
	}
}

// TestWithoutTheRightToLook: nothing may be read, and nothing is called good. The
// roles in the token serve in place of the list of grants.
func TestWithoutTheRightToLook(t *testing.T) {
	w := newWatched(t, 10*time.Hour)
	w.directory = directory{}
	w.roles["https://graph.microsoft.com"] = []string{"AuditLog.Read.All", "Directory.ReadWrite.All"}
	self := w.inspect(t, "AuditLog.Read.All")
	want := strings.Join([]string{
		"High credential-ends/" + w.ends.UTC().Format("2006-01-02") + "/1",
		"Low not-readable/our registration",
		"Low not-readable/our service principal",
		"Low not-readable/the licences",
		"Low not-readable/the organisation",
		"Medium surplus-write/Microsoft Graph/Directory.ReadWrite.All",
	}, "\n")
	if got := keys(self.Findings()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, permission := range []string{self.Principal.Permission, self.Registration.Permission} {
		if permission != "Application.Read.All" {
			t.Errorf("permission %q", permission)
		}
	}
	if len(entra.Changes(w.inspect(t), self)) != 0 {
		t.Error("changes of what nobody can see")
	}
}

func TestATokenThatCannotBeHad(t *testing.T) {
	w := newWatched(t, 400*24*time.Hour)
	w.refuse = func(rw http.ResponseWriter) bool {
		tokenRefusal(rw, 401, "invalid_client", 700027, "no")
		return true
	}
	self := w.inspect(t, "AuditLog.Read.All")
	if f := fault(t, self.Token.Err); f.Code != "AADSTS700027" || self.Token.Known || self.Permissions.Known || len(self.Permissions.Value.Missing) != 0 {
		t.Errorf("%+v", self.Token)
	}
}

// TestAHandOnOurApplication: somebody prepares to be us, or to blind us.
func TestAHandOnOurApplication(t *testing.T) {
	w := newWatched(t, 400*24*time.Hour)
	before := w.inspect(t)
	if got := keys(entra.Changes(before, w.inspect(t))); got != "" {
		t.Errorf("changes in nothing:\n%s", got)
	}
	app := w.directory["/v1.0/applications"][0].(object)
	app["passwordCredentials"] = []object{{"keyId": "evil", "displayName": "backup", "startDateTime": "2026-11-20T00:00:00Z", "endDateTime": "2299-12-31T00:00:00Z", "hint": "abc", "secretText": nil}}
	app["keyCredentials"] = []any{}
	w.directory["/v1.0/applications/app-1/federatedIdentityCredentials"] = []any{object{"id": "fed", "issuer": "https://token.example", "subject": "repo:evil"}}
	w.directory["/v1.0/applications/app-1/owners"] = []any{object{"id": "owner-2", "displayName": "Mallory"}}
	w.directory["/v1.0/servicePrincipals"][0].(object)["keyCredentials"] = []object{{"keyId": "sp-key", "startDateTime": "2026-11-20T00:00:00Z", "endDateTime": nil}}
	w.directory["/v1.0/servicePrincipals/sp-1/appRoleAssignments"] = []any{grant("498476ce-e0fe-48b0-b801-37ba7e2685c6"), grant("741f803b-c850-494e-b5df-cde7c675a1ca")}
	w.directory["/v1.0/subscribedSkus"] = []any{object{"skuPartNumber": "P1", "capabilityStatus": "Warning", "servicePlans": []object{{"servicePlanName": "AAD_PREMIUM", "provisioningStatus": "Success"}}}}
	after := w.inspect(t)
	want := strings.Join([]string{
		"High credential-added/our application registration/federated/fed",
		"High credential-added/our application registration/secret/evil",
		"High credential-added/our service principal/certificate/sp-key",
		"High credential-removed/our application registration/certificate/key-1",
		"High owner-added/our application registration/owner-2",
		"High permission-added/Microsoft Graph/User.ReadWrite.All",
		"High permission-removed/Microsoft Graph/AuditLog.Read.All",
		"Low owner-removed/our application registration/owner-1",
		"Medium licence-lost/P2",
	}, "\n")
	changes := entra.Changes(before, after)
	if got := keys(changes); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, f := range changes {
		if f.Severity == glassward.High && f.Do == "" {
			t.Errorf("nothing to do about %s", f.What)
		}
	}
	w.directory["/v1.0/subscribedSkus"] = nil
	if got := keys(entra.Changes(after, w.inspect(t))); got != "High licence-lost/P1" {
		t.Error(got)
	}
}

// TestBlindedFirst: the sight is taken, a hand comes, the sight is given back, and
// we restart between.
func TestBlindedFirst(t *testing.T) {
	w := newWatched(t, 400*24*time.Hour)
	var kept *entra.Self
	look := func() string {
		self := w.inspect(t)
		changes := ""
		if kept != nil {
			changes = keys(entra.Changes(kept, self))
		}
		b, err := json.Marshal(self.Remember(kept))
		if err != nil {
			t.Fatal(err)
		}
		kept = &entra.Self{}
		if err := json.Unmarshal(b, kept); err != nil {
			t.Fatal(err)
		}
		return changes
	}
	look()
	owners, whole := w.directory["/v1.0/applications/app-1/owners"], w.directory
	delete(w.directory, "/v1.0/applications/app-1/owners")
	if got := look(); got != "" {
		t.Errorf("changes in what was half read:\n%s", got)
	}
	w.directory = directory{}
	if got := look(); got != "" {
		t.Errorf("changes in the dark:\n%s", got)
	}
	w.directory = whole
	w.directory["/v1.0/applications/app-1/owners"] = append(owners, object{"id": "owner-2", "displayName": "Mallory"})
	w.directory["/v1.0/servicePrincipals/sp-1/appRoleAssignments"] = append(w.directory["/v1.0/servicePrincipals/sp-1/appRoleAssignments"], grant("741f803b-c850-494e-b5df-cde7c675a1ca"))
	if got := look(); got != "High owner-added/our application registration/owner-2\nHigh permission-added/Microsoft Graph/User.ReadWrite.All" {
		t.Errorf("after the dark:\n%s", got)
	}
	if got := look(); got != "" {
		t.Errorf("told twice:\n%s", got)
	}
}

func TestChoosingAccounts(t *testing.T) {
	w := newWatched(t, 400*24*time.Hour)
	var asked []string
	user := func(id string) object {
		return object{"@odata.type": "#microsoft.graph.user", "id": id, "displayName": "User " + id, "userPrincipalName": id + "@contoso.com", "accountEnabled": true}
	}
	w.directory["/v1.0/users"] = []any{user("1"), user("2"), user("3")}
	w.directory["/v1.0/users/1/transitiveMemberOf"] = []any{object{"@odata.type": "#microsoft.graph.group", "displayName": "All"}, object{"@odata.type": "#microsoft.graph.directoryRole", "displayName": "Global Administrator"}}
	assigned := func(id, scope string) object { return object{"principalId": id, "directoryScopeId": scope} }
	w.directory["/v1.0/roleManagement/directory/roleAssignments"] = []any{
		assigned("1", "/"), assigned("2", "/administrativeUnits/x"), assigned("g", "/"), assigned("h", "/"), assigned("s", "/"), assigned("u", "/"),
	}
	at := func(path string, o object) object { o["path"] = path; return o }
	w.directory["/one"] = []any{
		at("/v1.0/users/1", user("1")), at("/v1.0/groups/g", object{"id": "g", "displayName": "Admins"}), at("/v1.0/groups/h", object{"id": "h", "displayName": "Hidden"}),
	}
	w.directory["/v1.0/groups/g/transitiveMembers"] = []any{user("1"), user("3"), object{"@odata.type": "#microsoft.graph.group", "id": "gg"}}
	inner := w.graph
	w.graph = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI())
		inner.ServeHTTP(rw, r)
	})
	users, more, err := entra.ListUsers(t.Context(), w.client, "O'Brien", 2)
	if err != nil || len(users) != 2 || !more || users[0] != (entra.User{ID: "1", Name: "User 1", UPN: "1@contoso.com", Enabled: true}) {
		t.Errorf("%+v %v %v", users, more, err)
	}
	if !strings.Contains(asked[0], "startswith%28displayName%2C%27O%27%27Brien%27%29%20or%20startswith%28userPrincipalName") {
		t.Errorf("asked %s", asked[0])
	}
	if users, more, err = entra.ListUsers(t.Context(), w.client, "", 3); err != nil || len(users) != 3 || more {
		t.Errorf("%+v %v %v", users, more, err)
	}
	holders, err := entra.RoleHolders(t.Context(), w.client, entra.GlobalAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, h := range holders {
		said = append(said, strings.TrimSpace(h.Kind+" "+h.ID+" "+h.Via))
	}
	if got := strings.Join(said, ", "); got != "user 1, user 3 Admins, group h, s, u" {
		t.Error(got)
	}
	roles, err := entra.RolesOf(t.Context(), w.client, "1")
	if err != nil || len(roles) != 1 || roles[0] != "Global Administrator" {
		t.Errorf("%v %v", roles, err)
	}
	if _, err := entra.RolesOf(t.Context(), w.client, "2"); fault(t, err).Kind != entra.FaultConsent {
		t.Error(err)
	}
	if _, err := entra.FindUser(t.Context(), w.client, "a#EXT#@contoso.com"); !strings.Contains(asked[len(asked)-1], "/v1.0/users/a%23EXT%23@contoso.com?") {
		t.Errorf("%v %s", err, asked[len(asked)-1])
	}
}

// What is remembered may be of a program that needed another permission: it is
// told, and harms nothing.
func TestAPermissionOfAnotherProgramIsTold(t *testing.T) {
	self := &entra.Self{Permissions: entra.Fact[entra.Consents]{Known: true, Value: entra.Consents{Missing: []string{"Elsewhere.Read.All"}}}}
	if got := keys(self.Findings()); !strings.Contains(got, "/Elsewhere.Read.All") {
		t.Errorf("findings:\n%s", got)
	}
}
