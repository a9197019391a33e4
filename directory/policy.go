package directory

import (
	"time"

	"glassward/directory/truth"
)

// States of a Conditional Access policy. A value that is none of them is kept as
// it stands.
const (
	PolicyEnabled    = "enabled"
	PolicyDisabled   = "disabled"
	PolicyReportOnly = "enabledForReportingButNotEnforced"
)

// A Policy is a Conditional Access policy (Graph's conditionalAccessPolicy, v1.0
// with what beta adds).
type Policy struct {
	ID, TemplateID, DisplayName string
	// State is PolicyEnabled, PolicyDisabled, PolicyReportOnly or what else stood there.
	State string
	// Created, Modified and Deleted are zero if they are not told.
	Created, Modified, Deleted time.Time
	Conditions                 Conditions
	// Grant and Session are nil if the policy has none.
	Grant   *GrantControls
	Session *SessionControls
	Extra   Extra
	// Problems are what could not be read of this policy; their paths are those of
	// the JSON. What a problem touches is unknown.
	Problems []Problem
	// Hidden are the paths that hold something in beta and are not shown by v1.0.
	Hidden []string
}

// Conditions are what a policy asks of a sign-in. An empty list and a nil part
// ask nothing.
type Conditions struct {
	Users          *UserCondition
	Applications   *ApplicationCondition
	ClientAppTypes []string // all, browser, mobileAppsAndDesktopClients, exchangeActiveSync, easSupported, other
	Platforms      *PlatformCondition
	Locations      *LocationCondition
	// The risk levels: none, low, medium, high, hidden.
	UserRiskLevels, SignInRiskLevels, ServicePrincipalRiskLevels []string
	InsiderRiskLevels                                            []string // minor, moderate, elevated
	AgentIDRiskLevels                                            []string // beta
	Devices                                                      *DeviceCondition
	// TransferMethods are the authentication flows: deviceCodeFlow, authenticationTransfer.
	TransferMethods []string
	// ClientApplications makes the policy one about workload identities.
	ClientApplications *WorkloadCondition
	Times              *TimeCondition // beta
	Extra              Extra
}

// A UserCondition says whom a policy is about.
type UserCondition struct {
	// IncludeUsers and ExcludeUsers hold object ids and the words All, None and
	// GuestsOrExternalUsers.
	IncludeUsers, ExcludeUsers   []string
	IncludeGroups, ExcludeGroups []string
	// IncludeRoles and ExcludeRoles hold template ids of directory roles.
	IncludeRoles, ExcludeRoles   []string
	IncludeGuests, ExcludeGuests *GuestCondition
	Extra                        Extra
}

// A GuestCondition names kinds of guests, of all tenants or of some.
type GuestCondition struct {
	Types []string // internalGuest, b2bCollaborationGuest, b2bCollaborationMember, b2bDirectConnectUser, otherExternalUser, serviceProvider
	// MembershipKind is all or enumerated; Tenants are those enumerated.
	MembershipKind string
	Tenants        []string
	Extra          Extra
}

// An ApplicationCondition says what a policy's sign-ins are for: applications, or
// a user action, or an authentication context.
type ApplicationCondition struct {
	// Include and Exclude hold application ids and the words All, None, Office365,
	// MicrosoftAdminPortals, AllAgentIdResources.
	Include, Exclude []string
	UserActions      []string // urn:user:registersecurityinfo, urn:user:registerdevice
	Contexts         []string // c1 to c99
	Filter           *Filter  // over custom security attributes
	// TrafficProfiles are those of Global Secure Access (beta).
	TrafficProfiles []string
	Extra           Extra
}

// A Filter is a rule in the language of dynamic groups, and whether what it holds
// of is included or excluded.
type Filter struct {
	Mode string // include, exclude
	Rule string
}

// A PlatformCondition names device platforms: android, iOS, windows, windowsPhone,
// macOS, linux, all.
type PlatformCondition struct {
	Include, Exclude []string
	Extra            Extra
}

// A LocationCondition names locations by id, or All or AllTrusted.
type LocationCondition struct {
	Include, Exclude []string
	Extra            Extra
}

// A DeviceCondition is a filter over the device, or the states that preceded
// filters (beta): All, Compliant, DomainJoined.
type DeviceCondition struct {
	Filter                       *Filter
	IncludeStates, ExcludeStates []string
	Extra                        Extra
}

// A WorkloadCondition names service principals by object id, or
// ServicePrincipalsInMyTenant.
type WorkloadCondition struct {
	Include, Exclude []string
	Filter           *Filter
	Extra            Extra // agent identities among them
}

// A TimeCondition is beta's condition on the time of day. AllTimes says that it
// asks nothing.
type TimeCondition struct {
	AllTimes truth.Value
	Extra    Extra
}

// GrantControls are what a policy demands.
type GrantControls struct {
	Operator string // AND, OR
	// BuiltIn are block, mfa, compliantDevice, domainJoinedDevice,
	// approvedApplication, compliantApplication, passwordChange, riskRemediation.
	BuiltIn       []string
	Strength      *Strength
	TermsOfUse    []string
	CustomFactors []string
	Extra         Extra
}

// SessionControls are what a policy makes of the session.
type SessionControls struct {
	SignInFrequency *SignInFrequency
	// PersistentBrowser is always, never or "".
	PersistentBrowser string
	// SecureSignInSession is token protection.
	SecureSignInSession bool
	// CloudAppSecurity is mcasConfigured, monitorOnly, blockDownloads or "".
	CloudAppSecurity                string
	ApplicationEnforcedRestrictions bool
	DisableResilienceDefaults       bool
	// ContinuousAccessEvaluation is its mode (beta), or "".
	ContinuousAccessEvaluation string
	Extra                      Extra
}

// SignInFrequency says after how long a person must sign in again.
type SignInFrequency struct {
	Value    int
	Type     string // hours, days
	Interval string // timeBased, everyTime
}

func decodePolicy(d *decoder, n node) *Policy {
	// A policy's problems are its own, with paths that begin at the policy.
	own := &decoder{}
	p := &Policy{}
	own.object(n, &p.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			p.ID = own.id(v)
		case "templateId":
			p.TemplateID = own.id(v)
		case "displayName":
			p.DisplayName = own.text(v)
		case "description":
			own.text(v)
		case "state":
			p.State = own.enum(v, PolicyEnabled, PolicyDisabled, PolicyReportOnly)
		case "createdDateTime":
			p.Created = own.time(v)
		case "modifiedDateTime":
			p.Modified = own.time(v)
		case "deletedDateTime":
			p.Deleted = own.time(v)
		case "conditions":
			p.Conditions = own.conditions(v)
		case "grantControls":
			p.Grant = own.grant(v)
		case "sessionControls":
			p.Session = own.session(v)
		default:
			return false
		}
		return true
	})
	p.Problems = own.problems
	return p
}

var riskLevels = []string{"none", "low", "medium", "high", "hidden"}

func (d *decoder) conditions(n node) Conditions {
	c := Conditions{}
	d.object(n, &c.Extra, func(key string, v node) bool {
		switch key {
		case "users":
			c.Users = d.userCondition(v)
		case "applications":
			c.Applications = d.applicationCondition(v)
		case "clientAppTypes":
			c.ClientAppTypes = d.flags(v, "all", "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "easSupported", "other")
		case "platforms":
			if include, exclude, extra, ok := d.pair(v, "Platforms", "android", "iOS", "windows", "windowsPhone", "macOS", "linux", "all"); ok {
				c.Platforms = &PlatformCondition{include, exclude, extra}
			}
		case "locations":
			if include, exclude, extra, ok := d.pair(v, "Locations", "All", "AllTrusted"); ok {
				c.Locations = &LocationCondition{include, exclude, extra}
			}
		case "userRiskLevels":
			c.UserRiskLevels = d.flags(v, riskLevels...)
		case "signInRiskLevels":
			c.SignInRiskLevels = d.flags(v, riskLevels...)
		case "servicePrincipalRiskLevels":
			c.ServicePrincipalRiskLevels = d.flags(v, riskLevels...)
		case "insiderRiskLevels":
			c.InsiderRiskLevels = d.flags(v, "minor", "moderate", "elevated")
		case "agentIdRiskLevels":
			c.AgentIDRiskLevels = d.flags(v, riskLevels...)
		case "devices":
			d.deviceCondition(v, &c.Devices)
		case "deviceStates":
			d.deviceCondition(v, &c.Devices)
		case "authenticationFlows":
			d.part(v, &c.Extra, func(key string, v node) bool {
				if key != "transferMethods" {
					return false
				}
				c.TransferMethods = d.flags(v, "none", "deviceCodeFlow", "authenticationTransfer")
				return true
			})
		case "clientApplications":
			c.ClientApplications = d.workloadCondition(v)
		case "times":
			if !v.empty() {
				t := &TimeCondition{AllTimes: truth.False}
				d.object(v, &t.Extra, func(key string, v node) bool {
					if key != "includeAllTimes" {
						return false
					}
					t.AllTimes = d.truth(v)
					return true
				})
				c.Times = t
			}
		default:
			return false
		}
		return true
	})
	return c
}

// part reads an object within another that has no Extra of its own: what it does not
// know stands in that of the object around it, named with the part.
func (d *decoder) part(n node, into *Extra, each func(key string, v node) bool) {
	name := d.path[len(d.path)-1]
	var extra Extra
	d.object(n, &extra, each)
	for key, v := range extra {
		into.add(name+"."+key, v)
	}
}

// pair reads a condition of the form {includeX, excludeX}.
func (d *decoder) pair(n node, what string, known ...string) (include, exclude []string, extra Extra, ok bool) {
	d.object(n, &extra, func(key string, v node) bool {
		switch key {
		case "include" + what:
			include = d.words(v, known...)
		case "exclude" + what:
			exclude = d.words(v, known...)
		default:
			return false
		}
		return true
	})
	return include, exclude, extra, n.kind() == '{'
}

// words reads ids and the words that may stand in their place.
func (d *decoder) words(n node, known ...string) []string {
	list := d.ids(n)
	for i := range list {
		list[i] = spelled(list[i], known)
	}
	return list
}

func (d *decoder) userCondition(n node) *UserCondition {
	if n.kind() != '{' {
		d.object(n, nil, nil)
		return nil
	}
	u := &UserCondition{}
	d.object(n, &u.Extra, func(key string, v node) bool {
		switch key {
		case "includeUsers":
			u.IncludeUsers = d.words(v, "All", "None", "GuestsOrExternalUsers")
		case "excludeUsers":
			u.ExcludeUsers = d.words(v, "All", "None", "GuestsOrExternalUsers")
		case "includeGroups":
			u.IncludeGroups = d.ids(v)
		case "excludeGroups":
			u.ExcludeGroups = d.ids(v)
		case "includeRoles":
			u.IncludeRoles = d.ids(v)
		case "excludeRoles":
			u.ExcludeRoles = d.ids(v)
		case "includeGuestsOrExternalUsers":
			u.IncludeGuests = d.guests(v)
		case "excludeGuestsOrExternalUsers":
			u.ExcludeGuests = d.guests(v)
		default:
			return false
		}
		return true
	})
	return u
}

func (d *decoder) guests(n node) *GuestCondition {
	if n.empty() {
		return nil
	}
	g := &GuestCondition{}
	d.object(n, &g.Extra, func(key string, v node) bool {
		switch key {
		case "guestOrExternalUserTypes":
			g.Types = d.flags(v, "none", "internalGuest", "b2bCollaborationGuest", "b2bCollaborationMember", "b2bDirectConnectUser", "otherExternalUser", "serviceProvider")
		case "externalTenants":
			d.part(v, &g.Extra, func(key string, v node) bool {
				switch key {
				case "membershipKind":
					g.MembershipKind = d.enum(v, "all", "enumerated")
				case "members":
					g.Tenants = d.ids(v)
				default:
					return false
				}
				return true
			})
		default:
			return false
		}
		return true
	})
	return g
}

func (d *decoder) applicationCondition(n node) *ApplicationCondition {
	if n.kind() != '{' {
		d.object(n, nil, nil)
		return nil
	}
	a := &ApplicationCondition{}
	words := []string{"All", "None", "Office365", "MicrosoftAdminPortals", "AllAgentIdResources"}
	d.object(n, &a.Extra, func(key string, v node) bool {
		switch key {
		case "includeApplications":
			a.Include = d.words(v, words...)
		case "excludeApplications":
			a.Exclude = d.words(v, words...)
		case "includeUserActions":
			a.UserActions = d.flags(v, "urn:user:registersecurityinfo", "urn:user:registerdevice")
		case "includeAuthenticationContextClassReferences":
			a.Contexts = d.texts(v)
		case "applicationFilter":
			a.Filter = d.filter(v)
		case "networkAccess", "globalSecureAccess":
			d.part(v, &a.Extra, func(key string, v node) bool {
				if key != "includeTrafficProfiles" {
					return false
				}
				a.TrafficProfiles = append(a.TrafficProfiles, d.flags(v)...)
				return true
			})
		default:
			return false
		}
		return true
	})
	return a
}

func (d *decoder) filter(n node) *Filter {
	if n.empty() {
		return nil
	}
	f := &Filter{}
	var extra Extra
	d.object(n, &extra, func(key string, v node) bool {
		switch key {
		case "mode":
			f.Mode = d.enum(v, "include", "exclude")
		case "rule":
			f.Rule = d.text(v)
		default:
			return false
		}
		return true
	})
	for _, name := range extra.Names() {
		d.problem("has a property %s that is not known", name)
	}
	return f
}

// deviceCondition reads devices and the older deviceStates, which may stand beside
// each other, into one condition.
func (d *decoder) deviceCondition(n node, into **DeviceCondition) {
	if n.empty() {
		return
	}
	if *into == nil {
		*into = &DeviceCondition{}
	}
	c := *into
	states := []string{"All", "Compliant", "DomainJoined"}
	d.object(n, &c.Extra, func(key string, v node) bool {
		switch key {
		case "deviceFilter":
			c.Filter = d.filter(v)
		case "includeDevices", "includeDeviceStates", "includeStates":
			c.IncludeStates = append(c.IncludeStates, d.flags(v, states...)...)
		case "excludeDevices", "excludeDeviceStates", "excludeStates":
			c.ExcludeStates = append(c.ExcludeStates, d.flags(v, states...)...)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) workloadCondition(n node) *WorkloadCondition {
	if n.empty() {
		return nil
	}
	w := &WorkloadCondition{}
	d.object(n, &w.Extra, func(key string, v node) bool {
		switch key {
		case "includeServicePrincipals":
			w.Include = d.words(v, "ServicePrincipalsInMyTenant", "None")
		case "excludeServicePrincipals":
			w.Exclude = d.words(v, "ServicePrincipalsInMyTenant", "None")
		case "servicePrincipalFilter":
			w.Filter = d.filter(v)
		default:
			return false
		}
		return true
	})
	return w
}

func (d *decoder) grant(n node) *GrantControls {
	if n.empty() {
		if n.kind() == '{' {
			return &GrantControls{}
		}
		return nil
	}
	g := &GrantControls{}
	d.object(n, &g.Extra, func(key string, v node) bool {
		switch key {
		case "operator":
			g.Operator = d.enum(v, "AND", "OR")
		case "builtInControls":
			g.BuiltIn = d.flags(v, "block", "mfa", "compliantDevice", "domainJoinedDevice", "approvedApplication", "compliantApplication", "passwordChange", "riskRemediation")
		case "authenticationStrength":
			if !v.empty() {
				g.Strength = decodeStrength(d, v)
			}
		case "termsOfUse":
			g.TermsOfUse = d.ids(v)
		case "customAuthenticationFactors":
			g.CustomFactors = d.texts(v)
		default:
			return false
		}
		return true
	})
	return g
}

func (d *decoder) session(n node) *SessionControls {
	if n.empty() {
		return nil
	}
	s := &SessionControls{}
	// Each control is an object with isEnabled; one that is off asks nothing.
	on := func(v node, each func(key string, v node) bool) bool {
		enabled := truth.Unknown
		d.part(v, &s.Extra, func(key string, v node) bool {
			if key == "isEnabled" {
				enabled = d.truth(v)
				return true
			}
			return each != nil && each(key, v)
		})
		return enabled == truth.True || enabled == truth.Unknown && !v.empty()
	}
	d.object(n, &s.Extra, func(key string, v node) bool {
		switch key {
		case "signInFrequency":
			f := &SignInFrequency{}
			if on(v, func(key string, v node) bool {
				switch key {
				case "value":
					f.Value = d.number(v)
				case "type":
					f.Type = d.enum(v, "hours", "days")
				case "frequencyInterval":
					f.Interval = d.enum(v, "timeBased", "everyTime")
				case "authenticationType":
				default:
					return false
				}
				return true
			}) {
				s.SignInFrequency = f
			}
		case "persistentBrowser":
			mode := ""
			if on(v, func(key string, v node) bool {
				if key != "mode" {
					return false
				}
				mode = d.enum(v, "always", "never")
				return true
			}) {
				s.PersistentBrowser = mode
			}
		case "cloudAppSecurity":
			kind := ""
			if on(v, func(key string, v node) bool {
				if key != "cloudAppSecurityType" {
					return false
				}
				kind = d.enum(v, "mcasConfigured", "monitorOnly", "blockDownloads")
				return true
			}) {
				s.CloudAppSecurity = kind
			}
		case "applicationEnforcedRestrictions":
			s.ApplicationEnforcedRestrictions = on(v, nil)
		case "secureSignInSession":
			s.SecureSignInSession = on(v, nil)
		case "disableResilienceDefaults":
			s.DisableResilienceDefaults = d.truth(v) == truth.True
		case "continuousAccessEvaluation":
			d.part(v, &s.Extra, func(key string, v node) bool {
				if key != "mode" {
					return false
				}
				s.ContinuousAccessEvaluation = d.text(v)
				return true
			})
		default:
			return false
		}
		return true
	})
	return s
}
