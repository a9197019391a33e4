package entrasim

import (
	"encoding/json"
	"iter"
	"time"
)

// GlasswardApp is the application id of Glassward's own registration in every
// world; a test adds the certificate or secret that it means to use.
const GlasswardApp = "91a55a4d-6c1e-4f0a-9d57-3a1f0c2e0001"

// A User is a person, guest or emergency account as the directory has it.
type User struct {
	ID, UserPrincipalName, DisplayName, Department, Country, UserType string
	Enabled                                                             bool
}

// Graph is the user as Graph shows it.
func (u *User) Graph() []byte { return nil }

// An Application is an app registration.
type Application struct {
	ID, AppID, DisplayName string
	Certificates           []Certificate
	Secrets                []Secret
	Federations            []Federation
	// Requested are the application permissions that the registration asks
	// for, by value ("AuditLog.Read.All").
	Requested []string
}

// A Certificate is a key credential; DER is public.
type Certificate struct {
	KeyID    string
	DER      []byte
	From, To time.Time
}

// A Secret is a password credential; the world keeps the text because it is
// the service.
type Secret struct {
	KeyID, Text string
	From, To    time.Time
}

// A Federation is a federated identity credential.
type Federation struct{ Issuer, Subject, Audience string }

// Graph is the registration as Graph shows it: no secret is in it.
func (a *Application) Graph() []byte { return nil }

// A ServicePrincipal is an enterprise application or managed identity.
type ServicePrincipal struct {
	ID, AppID, DisplayName, Type string
	Enabled                      bool
	// Granted are the application permissions with consent, by value.
	Granted []string
}

// Graph is the service principal as Graph shows it.
func (s *ServicePrincipal) Graph() []byte { return nil }

// Users gives the people one after another, also of very large tenants.
func (w *World) Users() iter.Seq[*User] { return func(func(*User) bool) {} }

// User finds a user by object id or user principal name.
func (w *World) User(id string) (*User, bool) { return nil, false }

// Applications gives copies of the app registrations.
func (w *World) Applications() []*Application { return nil }

// Application finds a registration by its application id.
func (w *World) Application(appID string) (*Application, bool) { return nil, false }

// ServicePrincipals gives copies of the service principals.
func (w *World) ServicePrincipals() []*ServicePrincipal { return nil }

// ServicePrincipal finds a service principal by application id or object id.
func (w *World) ServicePrincipal(id string) (*ServicePrincipal, bool) { return nil, false }

// Register adds an app registration with its service principal; ids are made
// when empty.
func (w *World) Register(a Application) *Application { return nil }

// AddCertificate, AddSecret and AddFederation give a registration another
// credential, without an audit event.
func (w *World) AddCertificate(appID string, c Certificate) {}

// AddSecret is like AddCertificate.
func (w *World) AddSecret(appID string, s Secret) {}

// AddFederation is like AddCertificate.
func (w *World) AddFederation(appID string, f Federation) {}

// RemoveCredentials takes all credentials of a registration away, without an
// audit event.
func (w *World) RemoveCredentials(appID string) {}

// Grant consents to an application permission ("AuditLog.Read.All"); Revoke
// takes it back. Neither writes an audit event.
func (w *World) Grant(appID, permission string) {}

// Revoke takes consent back.
func (w *World) Revoke(appID, permission string) {}

// SetEnabled switches a service principal on or off.
func (w *World) SetEnabled(appID string, on bool) {}

// A Plan is a service plan that decides what the services answer.
type Plan string

// The plans.
const (
	PremiumP1 Plan = "AAD_PREMIUM"
	PremiumP2 Plan = "AAD_PREMIUM_P2"
	// Office is any subscription with a unified audit log.
	Office Plan = "EXCHANGE_S_ENTERPRISE"
)

// Licensed says whether the tenant has a plan now.
func (w *World) Licensed(p Plan) bool { return true }

// SetLicence gives or takes a plan.
func (w *World) SetLicence(p Plan, on bool) {}

// Objects gives a collection of the directory as Graph shows it, by its path:
// users, groups, groups/{id}/members, directoryRoles, directoryRoles/{id}/members,
// roleManagement/directory/roleDefinitions, roleManagement/directory/roleAssignments,
// applications, servicePrincipals, servicePrincipals/{id}/appRoleAssignments,
// subscribedSkus, organization, identity/conditionalAccess/policies,
// identity/conditionalAccess/namedLocations,
// directory/administrativeUnits, directory/administrativeUnits/{id}/members,
// policies/authenticationMethodsPolicy. False says that there is no such path.
func (w *World) Objects(path string) ([]json.RawMessage, bool) { return nil, false }

// Object gives one object of a collection by its path, users/{id or name} or
// applications/{id} for instance, also applications(appId='…').
func (w *World) Object(path string) (json.RawMessage, bool) { return nil, false }

// DiagnosticSettings are the Entra diagnostic settings as Azure Resource
// Manager shows them.
func (w *World) DiagnosticSettings() []json.RawMessage { return nil }
