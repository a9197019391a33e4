// Package entrasim is a made-up Entra tenant that writes logs: sign-ins and
// audit events in the form of diagnostic settings, the same every time for the
// same seed. The demo replays a day of it, benchmarks and load tests draw
// records from it.
package entrasim

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"time"
)

// The made-up tenant and what stands in it.
const (
	TenantID   = "7a6c1f50-3f0e-4b7e-9a55-0c9a52b7d101"
	TenantName = "nordlicht"
	Domain     = "nordlicht.example"

	// EA01 and EA02 are its emergency accounts.
	EA01 = "e1a00000-51b2-4c7d-8f01-9d2c6a7b0001"
	EA02 = "e1a00000-51b2-4c7d-8f01-9d2c6a7b0002"
	// Policy is a Conditional Access policy that the story changes.
	Policy = "c0a70000-1d5e-4b0a-9a3c-77d1e2f30007"
	// Admin is the administrator who registers a method on EA01.
	Admin = "ad000000-2b6f-4d3e-a1c9-5f00d1e20003"
)

// A Tenant writes records. It is not safe for concurrent use.
type Tenant struct {
	rng   *rand.Rand
	users []user
	count int
}

type user struct{ id, name, upn, ip, city, country string }

// New makes a tenant of some two hundred people.
func New(seed uint64) *Tenant {
	t := &Tenant{rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))}
	first := []string{"Aino", "Björn", "Carla", "Dmitri", "Edda", "Farid", "Greta", "Haruki", "Ines", "Jonas", "Katla", "Liam", "Mira", "Nils", "Oda", "Pekka", "Rosa", "Sami", "Tuva", "Urs"}
	last := []string{"Holm", "Virtanen", "Berg", "Okafor", "Lind", "Meyer", "Sato", "Rossi", "Dahl", "Novak"}
	places := [][2]string{{"Oslo", "NO"}, {"Bergen", "NO"}, {"Tampere", "FI"}, {"Hamburg", "DE"}}
	for i, f := range first {
		for j, l := range last {
			p := places[(i+j)%len(places)]
			t.users = append(t.users, user{
				id: t.guid(), name: f + " " + l, upn: fmt.Sprintf("user%03d@%s", i*len(last)+j, Domain),
				ip: fmt.Sprintf("198.51.100.%d", 1+(i*len(last)+j)%250), city: p[0], country: p[1],
			})
		}
	}
	return t
}

func (t *Tenant) guid() string {
	var b [16]byte
	for i := range b {
		b[i] = byte(t.rng.Uint32())
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// object is a JSON object; encoding/json writes its keys in sorted order, so
// that the same seed gives the same bytes.
type object = map[string]any

const stamp = "2006-01-02T15:04:05.0000000Z"

func line(o object) []byte {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // maps of strings and numbers always marshal
	}
	return b
}

// SignIn writes one interactive sign-in of somebody, of some 2.6 kilobytes.
func (t *Tenant) SignIn(at time.Time) []byte {
	u := t.users[t.rng.IntN(len(t.users))]
	app := apps[t.rng.IntN(len(apps))]
	code, reason := 0, "Other."
	switch n := t.rng.IntN(100); {
	case n < 3:
		code, reason = 50126, "Error validating credentials due to invalid username or password."
	case n < 5:
		code, reason = 50074, "Strong Authentication is required."
	case n < 6:
		code, reason = 53003, "Access has been blocked by Conditional Access policies."
	}
	return line(t.signIn(at, u, app, code, reason, "Password", "success"))
}

// SignInBy writes a completed sign-in of an account that is not one of the
// people, from an address of its own.
func (t *Tenant) SignInBy(at time.Time, id, name string) []byte {
	u := user{id: id, name: name, upn: strings.ToLower(name) + "@nordlicht.onmicrosoft.example", ip: "203.0.113.77", city: "Tallinn", country: "EE"}
	return line(t.signIn(at, u, apps[0], 0, "Other.", "FIDO2 security key", "success"))
}

var apps = [][2]string{
	{"c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "Azure Portal"},
	{"00000002-0000-0ff1-ce00-000000000000", "Office 365 Exchange Online"},
	{"00000003-0000-0ff1-ce00-000000000000", "Office 365 SharePoint Online"},
	{"5e3ce6c0-2b1f-4285-8d4b-75ee78787346", "Microsoft Teams Web Client"},
	{"4765445b-32c6-49b0-83e6-1d93765276ca", "OfficeHome"},
}

func (t *Tenant) signIn(at time.Time, u user, app [2]string, code int, reason, method, ca string) object {
	t.count++
	id, corr := t.guid(), t.guid()
	at = at.UTC()
	return object{
		"time": at.Format(stamp), "resourceId": "/tenants/" + TenantID + "/providers/Microsoft.aadiam",
		"operationName": "Sign-in activity", "operationVersion": "1.0", "category": "SignInLogs", "tenantId": TenantID,
		"resultType": fmt.Sprint(code), "resultSignature": "None", "resultDescription": reason, "durationMs": 0,
		"callerIpAddress": u.ip, "correlationId": corr, "identity": u.name, "Level": 4, "location": u.country,
		"properties": object{
			"id": id, "createdDateTime": at.Format(stamp), "userDisplayName": u.name, "userPrincipalName": u.upn, "userId": u.id,
			"appId": app[0], "appDisplayName": app[1], "ipAddress": u.ip, "clientAppUsed": "Browser",
			"userAgent":               "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Edg/156.0.0.0",
			"status":                  object{"errorCode": code, "failureReason": reason, "additionalDetails": "MFA requirement satisfied by claim in the token"},
			"deviceDetail":            object{"operatingSystem": "Windows10", "browser": "Edge 156.0.0", "isCompliant": false, "isManaged": false},
			"location":                object{"city": u.city, "state": u.city, "countryOrRegion": u.country, "geoCoordinates": object{"latitude": 59.91, "longitude": 10.75}},
			"correlationId":           corr,
			"conditionalAccessStatus": ca,
			"appliedConditionalAccessPolicies": []object{
				{"id": Policy, "displayName": "CA001 Require phishing-resistant MFA", "enforcedGrantControls": []string{"RequireAuthenticationStrength"}, "enforcedSessionControls": []string{}, "result": ca, "conditionsSatisfied": 3, "conditionsNotSatisfied": 0},
			},
			"authenticationDetails": []object{
				{"authenticationStepDateTime": at.Format(stamp), "authenticationMethod": method, "succeeded": code == 0, "authenticationStepRequirement": "Primary authentication"},
			},
			"authenticationRequirement": "multiFactorAuthentication",
			"isInteractive":             true, "tokenIssuerType": "AzureAD", "processingTimeInMilliseconds": 127,
			"riskDetail": "none", "riskLevelAggregated": "none", "riskLevelDuringSignIn": "none", "riskState": "none", "riskEventTypes_v2": []string{},
			"resourceDisplayName": app[1], "resourceId": app[0], "resourceTenantId": TenantID, "homeTenantId": TenantID,
			"originalRequestId": id, "uniqueTokenIdentifier": t.guid()[:22], "sessionId": t.guid(), "userType": "Member", "crossTenantAccessType": "none",
			"autonomousSystemNumber": 64500, "flaggedForReview": false,
		},
	}
}

func (t *Tenant) audit(at time.Time, operation, category, service string, by object, targets []object) object {
	t.count++
	id := fmt.Sprintf("Directory_%s_%05d", t.guid()[:8], t.count)
	corr := t.guid()
	at = at.UTC()
	return object{
		"time": at.Format(stamp), "resourceId": "/tenants/" + TenantID + "/providers/Microsoft.aadiam",
		"operationName": operation, "operationVersion": "1.0", "category": "AuditLogs", "tenantId": TenantID,
		"resultSignature": "None", "durationMs": 0, "correlationId": corr, "Level": 4,
		"properties": object{
			"id": id, "category": category, "correlationId": corr, "result": "success", "resultReason": "",
			"activityDisplayName": operation, "activityDateTime": at.Format(stamp), "loggedByService": service, "operationType": "Update",
			"initiatedBy": by, "targetResources": targets, "additionalDetails": []object{},
		},
	}
}

func person(id, name, upn, ip string) object {
	return object{"user": object{"id": id, "displayName": name, "userPrincipalName": upn, "ipAddress": ip, "roles": []object{}}}
}

// Day writes the records of the 24 hours before end, oldest first: ordinary
// work, and in its last half hour a story. EA-01 signs in from an address that
// nobody has seen, a Conditional Access policy is switched off by it, and an
// administrator registers a new security method on EA-01.
func (t *Tenant) Day(end time.Time) [][]byte {
	type event struct {
		at  time.Time
		rec object
	}
	var list []event
	for range 400 {
		at := end.Add(-time.Duration(t.rng.Int64N(int64(24 * time.Hour))))
		u := t.users[t.rng.IntN(len(t.users))]
		code, reason := 0, "Other."
		if t.rng.IntN(25) == 0 {
			code, reason = 50126, "Error validating credentials due to invalid username or password."
		}
		list = append(list, event{at, t.signIn(at, u, apps[t.rng.IntN(len(apps))], code, reason, "Previously satisfied", "success")})
	}
	for range 40 {
		at := end.Add(-time.Duration(t.rng.Int64N(int64(24 * time.Hour))))
		by, of := t.users[t.rng.IntN(20)], t.users[t.rng.IntN(len(t.users))]
		list = append(list, event{at, t.audit(at, "Update user", "UserManagement", "Core Directory", person(by.id, by.name, by.upn, by.ip),
			[]object{{"id": of.id, "displayName": of.name, "type": "User", "userPrincipalName": of.upn, "modifiedProperties": []object{{"displayName": "Department", "oldValue": `["Sales"]`, "newValue": `["Support"]`}}}})})
	}
	ea := user{id: EA01, name: "Emergency Access 01", upn: "ea-01@nordlicht.onmicrosoft.example", ip: "203.0.113.77", city: "Tallinn", country: "EE"}
	portal := apps[0]
	story := []struct {
		before time.Duration
		rec    func(at time.Time) object
	}{
		{26 * time.Minute, func(at time.Time) object {
			return t.signIn(at, ea, portal, 50074, "Strong Authentication is required.", "Password", "failure")
		}},
		{25 * time.Minute, func(at time.Time) object {
			return t.signIn(at, ea, portal, 0, "Other.", "FIDO2 security key", "success")
		}},
		{18 * time.Minute, func(at time.Time) object {
			return t.audit(at, "Update conditional access policy", "Policy", "Conditional Access", person(ea.id, ea.name, ea.upn, ea.ip),
				[]object{{"id": Policy, "displayName": "CA001 Require phishing-resistant MFA", "type": "Policy", "modifiedProperties": []object{{"displayName": "ConditionalAccessPolicy", "oldValue": `{"state":"enabled"}`, "newValue": `{"state":"disabled"}`}}}})
		}},
		{11 * time.Minute, func(at time.Time) object {
			return t.audit(at, "Admin registered security info", "UserManagement", "Authentication Methods", person(Admin, "Mira Lind", "mira.lind@"+Domain, "198.51.100.23"),
				[]object{{"id": EA01, "displayName": ea.name, "type": "User", "userPrincipalName": ea.upn, "modifiedProperties": []object{}}})
		}},
	}
	for _, s := range story {
		at := end.Add(-s.before)
		list = append(list, event{at, s.rec(at)})
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].at.Before(list[j].at) })
	out := make([][]byte, len(list))
	for i, e := range list {
		out[i] = line(e.rec)
	}
	return out
}
