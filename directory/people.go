package directory

import (
	"strings"
	"time"

	"glassward/directory/truth"
)

// A User is an account. Of a property that was not selected the zero value says
// nothing; truth.Unknown says so.
type User struct {
	ID, UPN, DisplayName string
	Enabled              truth.Value
	// Type is Member or Guest; CreationType is null for those made here.
	Type, CreationType string
	Created            time.Time
	Synced             truth.Value // onPremisesSyncEnabled
	ImmutableID        string
	PasswordPolicies   string
	LastPasswordChange time.Time
	// ForcePasswordChange is that of the password profile, with MFA or without.
	ForcePasswordChange truth.Value
	Licences            []string // ids of SKUs
	Mail, Mobile        string
	OtherMails          []string
	EmployeeID          string
	JobTitle            string
	Department          string
	Restricted          truth.Value // isManagementRestricted
	LastSignIn          time.Time   // signInActivity, successful if that is told
	Identities          []UserIdentity
	Extra               Extra
	told                told
}

// told marks the properties that the source spoke of, null or not: of a text that is
// empty the text alone does not say whether it was asked for.
type told uint32

// userProperties and groupProperties are those of which Tells can speak.
var (
	userProperties = bits("userPrincipalName", "displayName", "userType", "onPremisesImmutableId", "passwordPolicies",
		"lastPasswordChangeDateTime", "assignedLicenses", "mail", "otherMails", "mobilePhone", "employeeId", "jobTitle",
		"department", "signInActivity", "identities")
	groupProperties = bits("displayName", "groupTypes", "membershipRule", "visibility")
)

func bits(names ...string) map[string]told {
	m := make(map[string]told, len(names))
	for i, name := range names {
		m[name] = 1 << i
	}
	return m
}

// Tells says whether the source spoke of a property that is text, a time or a list, by
// Graph's name of it: if it did not, that the field is empty says nothing. Of a property
// that is true or false, truth.Unknown says as much.
func (u *User) Tells(property string) bool { return u.told&userProperties[property] != 0 }

// A UserIdentity is a name by which an account signs in.
type UserIdentity struct{ SignInType, Issuer, Name string }

// Domain is the part of the user principal name after the @, in lower case.
func (u *User) Domain() string {
	_, domain, _ := strings.Cut(u.UPN, "@")
	return strings.ToLower(domain)
}

// Guest says whether the account is a guest's: Unknown where neither type nor name
// is told.
func (u *User) Guest() truth.Value {
	switch {
	case strings.EqualFold(u.Type, "Guest"):
		return truth.True
	case strings.EqualFold(u.Type, "Member"):
		return truth.Of(strings.Contains(strings.ToUpper(u.UPN), "#EXT#"))
	}
	return truth.Unknown
}

func decodeUser(d *decoder, n node) *User {
	u := &User{}
	d.object(n, &u.Extra, func(key string, v node) bool {
		u.told |= userProperties[key]
		switch key {
		case "id":
			u.ID = d.id(v)
		case "userPrincipalName":
			u.UPN = d.text(v)
		case "displayName":
			u.DisplayName = d.text(v)
		case "accountEnabled":
			if v.kind() != 'n' {
				u.Enabled = d.truth(v)
			}
		case "userType":
			u.Type = d.word(v)
		case "creationType":
			u.CreationType = d.word(v)
		case "createdDateTime":
			u.Created = d.time(v)
		case "onPremisesSyncEnabled":
			u.Synced = d.truth(v)
		case "onPremisesImmutableId":
			u.ImmutableID = d.text(v)
		case "passwordPolicies":
			u.PasswordPolicies = d.word(v)
		case "passwordProfile":
			if v.kind() == '{' {
				u.ForcePasswordChange = truth.False
			}
			d.object(v, nil, func(key string, v node) bool {
				switch key {
				case "forceChangePasswordNextSignIn", "forceChangePasswordNextSignInWithMfa":
					u.ForcePasswordChange = u.ForcePasswordChange.Or(d.truth(v))
				}
				return true // a password itself is never kept
			})
		case "lastPasswordChangeDateTime":
			u.LastPasswordChange = d.time(v)
		case "assignedLicenses":
			d.array(v, func(v node) {
				if s := v.get("skuId"); s != nil {
					u.Licences = append(u.Licences, lowerID(d.word(s)))
				}
			})
		case "mail":
			u.Mail = d.text(v)
		case "otherMails":
			u.OtherMails = d.texts(v)
		case "mobilePhone":
			u.Mobile = d.text(v)
		case "employeeId":
			u.EmployeeID = d.text(v)
		case "jobTitle":
			u.JobTitle = d.word(v)
		case "department":
			u.Department = d.word(v)
		case "isManagementRestricted":
			u.Restricted = d.truth(v)
		case "signInActivity":
			var any time.Time
			d.object(v, nil, func(key string, v node) bool {
				switch key {
				case "lastSuccessfulSignInDateTime":
					u.LastSignIn = d.time(v)
				case "lastSignInDateTime":
					any = d.time(v)
				}
				return true
			})
			if u.LastSignIn.IsZero() {
				u.LastSignIn = any
			}
		case "identities":
			d.array(v, func(v node) {
				var i UserIdentity
				d.object(v, nil, func(key string, v node) bool {
					switch key {
					case "signInType":
						i.SignInType = d.word(v)
					case "issuer":
						i.Issuer = d.word(v)
					case "issuerAssignedId":
						i.Name = d.text(v)
					}
					return true
				})
				u.Identities = append(u.Identities, i)
			})
		default:
			return v.kind() == 'n' // of 150,000 users, what is null is not kept
		}
		return true
	})
	return u
}

// A Group is a group, and a role-assignable one if so marked. Its members are in
// the snapshot's Members.
type Group struct {
	ID, DisplayName string
	RoleAssignable  truth.Value
	Security, Mail  truth.Value // securityEnabled, mailEnabled
	Types           []string    // Unified, DynamicMembership
	Rule, RuleState string      // of dynamic membership
	Synced          truth.Value
	Visibility      string
	Restricted      truth.Value // isManagementRestricted
	Extra           Extra
	told            told
}

// Tells says of a group what it says of a [User].
func (g *Group) Tells(property string) bool { return g.told&groupProperties[property] != 0 }

func decodeGroup(d *decoder, n node) *Group {
	g := &Group{}
	d.object(n, &g.Extra, func(key string, v node) bool {
		g.told |= groupProperties[key]
		switch key {
		case "id":
			g.ID = d.id(v)
		case "displayName":
			g.DisplayName = d.text(v)
		case "isAssignableToRole":
			g.RoleAssignable = d.truth(v)
		case "securityEnabled":
			g.Security = d.truth(v)
		case "mailEnabled":
			g.Mail = d.truth(v)
		case "groupTypes":
			g.Types = d.texts(v)
		case "membershipRule":
			g.Rule = d.text(v)
		case "membershipRuleProcessingState":
			g.RuleState = d.text(v)
		case "onPremisesSyncEnabled":
			g.Synced = d.truth(v)
		case "visibility":
			g.Visibility = d.word(v)
		case "isManagementRestricted":
			g.Restricted = d.truth(v)
		default:
			return v.kind() == 'n'
		}
		return true
	})
	return g
}

// A Ref names an object in a list of members or owners: its id and Graph's type of
// it (user, group, servicePrincipal, device), empty if not told.
type Ref struct{ ID, Kind string }

func decodeRef(d *decoder, n node) Ref {
	var r Ref
	d.object(n, nil, func(key string, v node) bool {
		switch key {
		case odataType:
			r.Kind = graphType(d.word(v))
		case "id":
			r.ID = d.id(v)
		}
		return true
	})
	return r
}

// An AdministrativeUnit is a unit, restricted or not. Its members are in the
// snapshot's UnitMembers; who holds a role over it is among the role assignments.
type AdministrativeUnit struct {
	ID, DisplayName string
	Restricted      truth.Value // isMemberManagementRestricted
	MembershipType  string
	Rule            string
	Visibility      string
	Extra           Extra
}

func decodeUnit(d *decoder, n node) *AdministrativeUnit {
	u := &AdministrativeUnit{}
	d.object(n, &u.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			u.ID = d.id(v)
		case "displayName":
			u.DisplayName = d.text(v)
		case "isMemberManagementRestricted":
			u.Restricted = d.truth(v)
		case "membershipType":
			u.MembershipType = d.text(v)
		case "membershipRule":
			u.Rule = d.text(v)
		case "visibility":
			u.Visibility = d.text(v)
		case "description", "membershipRuleProcessingState":
		default:
			return false
		}
		return true
	})
	return u
}

// A ServicePrincipal is an application's identity in the tenant.
type ServicePrincipal struct {
	ID, AppID, DisplayName string
	Type                   string // Application, ManagedIdentity, Legacy, SocialIdp
	Enabled                truth.Value
	// Tenant is the application's home.
	Tenant string
	// Roles are the application permissions that others may be given on this one.
	Roles []AppRole
	// Keys are its certificates, Secrets its passwords: mostly those stand in the
	// registration.
	Keys, Secrets []Credential
	Extra         Extra
}

// A Credential is a certificate or secret by which an application signs in: what it is
// known by and how long it lasts, and nothing of what is secret.
type Credential struct {
	KeyID, DisplayName string
	// Usage is Verify, or Sign of what the service signs with; empty of a secret.
	Usage      string
	Start, End time.Time
}

// A Federation is another issuer whose tokens an application signs in with (Graph's
// federatedIdentityCredential): who that issuer calls Subject is the application.
type Federation struct {
	ID, Name, Issuer, Subject string
	Audiences                 []string
	Extra                     Extra
}

// An AppRole is an application permission that a service principal offers.
type AppRole struct{ ID, Value string }

// An Application is the registration of an application in this tenant.
type Application struct {
	ID, AppID, DisplayName, Audience string
	Keys, Secrets                    []Credential
	Extra                            Extra
}

// An AppRoleAssignment is an application permission that was given: a role of a resource,
// whose display name it carries.
type AppRoleAssignment struct{ ID, Principal, Resource, ResourceName, Role string }

// A PermissionGrant is a delegated permission that was given: for one user, or for
// all if Principal is empty.
type PermissionGrant struct {
	ID, Client, Principal, Resource string
	Scopes                          []string
}

func (d *decoder) credentials(n node) []Credential {
	var list []Credential
	d.array(n, func(v node) {
		var c Credential
		d.object(v, nil, func(key string, v node) bool {
			switch key {
			case "keyId":
				c.KeyID = d.id(v)
			case "displayName":
				c.DisplayName = d.text(v)
			case "usage":
				c.Usage = d.text(v)
			case "startDateTime":
				c.Start = d.time(v)
			case "endDateTime":
				c.End = d.time(v)
			}
			return true // the key itself, and the hint of a secret, are never kept
		})
		list = append(list, c)
	})
	return list
}

func decodeFederation(d *decoder, n node) Federation {
	var f Federation
	d.object(n, &f.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			f.ID = d.id(v)
		case "name":
			f.Name = d.text(v)
		case "issuer":
			f.Issuer = d.text(v)
		case "subject":
			f.Subject = d.text(v)
		case "audiences":
			f.Audiences = d.texts(v)
		case "description":
		default:
			return v.kind() == 'n'
		}
		return true
	})
	return f
}

func decodeServicePrincipal(d *decoder, n node) *ServicePrincipal {
	s := &ServicePrincipal{}
	d.object(n, &s.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			s.ID = d.id(v)
		case "appId":
			s.AppID = d.id(v)
		case "displayName":
			s.DisplayName = d.text(v)
		case "servicePrincipalType":
			s.Type = d.text(v)
		case "accountEnabled":
			s.Enabled = d.truth(v)
		case "appOwnerOrganizationId":
			s.Tenant = d.id(v)
		case "appRoles":
			d.array(v, func(v node) {
				s.Roles = append(s.Roles, AppRole{d.id(v.get("id")), d.text(v.get("value"))})
			})
		case "keyCredentials":
			s.Keys = d.credentials(v)
		case "passwordCredentials":
			s.Secrets = d.credentials(v)
		default:
			return v.kind() == 'n'
		}
		return true
	})
	return s
}

func decodeApplication(d *decoder, n node) *Application {
	a := &Application{}
	d.object(n, &a.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			a.ID = d.id(v)
		case "appId":
			a.AppID = d.id(v)
		case "displayName":
			a.DisplayName = d.text(v)
		case "signInAudience":
			a.Audience = d.text(v)
		case "keyCredentials":
			a.Keys = d.credentials(v)
		case "passwordCredentials":
			a.Secrets = d.credentials(v)
		default:
			return v.kind() == 'n'
		}
		return true
	})
	return a
}

func decodeAppRoleAssignment(d *decoder, n node) *AppRoleAssignment {
	a := &AppRoleAssignment{}
	d.object(n, nil, func(key string, v node) bool {
		switch key {
		case "id":
			a.ID = d.text(v)
		case "principalId":
			a.Principal = d.id(v)
		case "resourceId":
			a.Resource = d.id(v)
		case "resourceDisplayName":
			a.ResourceName = d.text(v)
		case "appRoleId":
			a.Role = d.id(v)
		}
		return true
	})
	return a
}

func decodePermissionGrant(d *decoder, n node) *PermissionGrant {
	g := &PermissionGrant{}
	d.object(n, nil, func(key string, v node) bool {
		switch key {
		case "id":
			g.ID = d.text(v)
		case "clientId":
			g.Client = d.id(v)
		case "principalId":
			g.Principal = d.id(v)
		case "resourceId":
			g.Resource = d.id(v)
		case "scope":
			g.Scopes = strings.Fields(d.text(v))
		}
		return true
	})
	return g
}
