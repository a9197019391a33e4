package directory

import (
	"maps"
	"slices"
	"strings"
	"time"

	"glassward/directory/truth"
)

// A MethodsPolicy is the tenant's authentication-methods policy.
type MethodsPolicy struct {
	// Migration is preMigration, migrationInProgress or migrationComplete: until the
	// last, older settings that nobody can read may allow further methods.
	Migration string
	// ReconfirmationDays is after how many days people confirm what they registered, 0
	// for never, if TellsReconfirmation.
	ReconfirmationDays  int
	TellsReconfirmation bool
	// CampaignState is that of the registration campaign: enabled, disabled, default.
	CampaignState          string
	CampaignExcludeTargets []Target
	Configurations         []*MethodConfiguration
	// SystemPreferred is whom Entra asks for the best method that they have, and
	// SuspiciousReports who may report a prompt and is at risk then (both beta); nil if
	// the source does not speak of them.
	SystemPreferred, SuspiciousReports *MethodPreference
	// Size is how long the policy is as JSON, in bytes and without white space.
	Size  int
	Extra Extra
	// Hidden are the paths that hold something in beta, are not shown by v1.0 and were taken
	// from there: whole configurations, passkey profiles, what this version does not know.
	Hidden []string
}

// A MethodPreference is a setting for some people.
type MethodPreference struct {
	State            string // enabled, disabled, default
	Include, Exclude []Target
}

// A MethodConfiguration says who may use one method.
type MethodConfiguration struct {
	// ID is Graph's name of the method: Fido2, Sms, Voice, Email,
	// MicrosoftAuthenticator, SoftwareOath, HardwareOath, TemporaryAccessPass,
	// X509Certificate, QRCodePin, or what else stood there.
	ID    string
	State string // enabled, disabled
	// Include and Exclude name groups, users, or all_users. Exclude wins.
	Include, Exclude []Target
	// What follows is of Fido2. Restrictions are those of the policy as a whole, which
	// stand where there are no Profiles.
	SelfServiceRegistration truth.Value
	AttestationEnforced     truth.Value
	Restrictions            *KeyRestrictions
	Profiles                []PasskeyProfile
	DefaultProfile          string
	// CertificateMode is for how many factors a certificate counts (X509Certificate):
	// x509CertificateSingleFactor or x509CertificateMultiFactor.
	CertificateMode string
	Extra           Extra
}

// A Target is whom a method is for.
type Target struct {
	Kind string // group, user
	ID   string // an object id, or all_users
	// Profiles are the ids of passkey profiles that this target may use.
	Profiles []string
	Extra    Extra
}

// KeyRestrictions say which models of passkeys are allowed, or blocked.
type KeyRestrictions struct {
	Enforced    truth.Value
	Enforcement string // allow, block
	AAGUIDs     []string
	Extra       Extra
}

// A PasskeyProfile is one set of demands on passkeys.
type PasskeyProfile struct {
	ID, Name string
	Types    []string // deviceBound, synced
	// Attestation is disabled, registrationOnly or what else stood there; it matters
	// when a key is registered, not when it signs in.
	Attestation  string
	Restrictions *KeyRestrictions
	Extra        Extra
}

// A Method is an authentication method that an account has registered.
type Method struct {
	ID string
	// Kind is Graph's type: fido2AuthenticationMethod, passwordAuthenticationMethod,
	// phoneAuthenticationMethod, and so on.
	Kind        string
	DisplayName string
	Created     time.Time
	// Of a passkey: its model, and deviceBound or synced.
	AAGUID, Model, Attestation, PasskeyType string
	// Of a phone: mobile, alternateMobile, office.
	PhoneType string
	// Of a Temporary Access Pass.
	Usable     truth.Value
	UsableOnce truth.Value
	Extra      Extra
}

func decodeMethodsPolicy(d *decoder, n node) *MethodsPolicy {
	p := &MethodsPolicy{Size: n.size()}
	d.object(n, &p.Extra, func(key string, v node) bool {
		switch key {
		case "id", "displayName", "description", "policyVersion", "lastModifiedDateTime":
		case "policyMigrationState":
			p.Migration = d.enum(v, "preMigration", "migrationInProgress", "migrationComplete")
		case "reconfirmationInDays":
			p.ReconfirmationDays, p.TellsReconfirmation = d.number(v), true
		case "registrationEnforcement":
			d.part(v, &p.Extra, func(key string, v node) bool {
				if key != "authenticationMethodsRegistrationCampaign" {
					return false
				}
				d.object(v, nil, func(key string, v node) bool {
					switch key {
					case "state":
						p.CampaignState = d.enum(v, "enabled", "disabled", "default")
					case "excludeTargets":
						p.CampaignExcludeTargets = list(d, v, decodeTarget)
					}
					return true
				})
				return true
			})
		case "authenticationMethodConfigurations":
			p.Configurations = list(d, v, decodeMethodConfiguration)
		case "systemCredentialPreferences":
			p.SystemPreferred = d.preference(v)
		case "reportSuspiciousActivitySettings":
			p.SuspiciousReports = d.preference(v)
		default:
			return false
		}
		return true
	})
	return p
}

func (d *decoder) preference(n node) *MethodPreference {
	if n.empty() {
		return nil
	}
	p := &MethodPreference{}
	d.object(n, nil, func(key string, v node) bool {
		switch key {
		case "state":
			p.State = d.enum(v, "enabled", "disabled", "default")
		case "includeTarget", "includeTargets":
			p.Include = list(d, v, decodeTarget)
		case "excludeTargets":
			p.Exclude = list(d, v, decodeTarget)
		}
		return true
	})
	return p
}

func decodeMethodConfiguration(d *decoder, n node) *MethodConfiguration {
	c := &MethodConfiguration{}
	d.object(n, &c.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			c.ID = d.enum(v, "Fido2", "Sms", "Voice", "Email", "MicrosoftAuthenticator", "SoftwareOath", "HardwareOath", "TemporaryAccessPass", "X509Certificate", "QRCodePin")
		case "state":
			c.State = d.enum(v, "enabled", "disabled")
		case "includeTargets":
			c.Include = list(d, v, decodeTarget)
		case "excludeTargets":
			c.Exclude = list(d, v, decodeTarget)
		case "isSelfServiceRegistrationAllowed":
			c.SelfServiceRegistration = d.truth(v)
		case "isAttestationEnforced":
			c.AttestationEnforced = d.truth(v)
		case "keyRestrictions":
			c.Restrictions = d.restrictions(v)
		case "passkeyProfiles":
			c.Profiles = list(d, v, decodeProfile)
		case "defaultPasskeyProfile":
			c.DefaultProfile = d.id(v)
		case "authenticationModeConfiguration":
			d.part(v, &c.Extra, func(key string, v node) bool {
				if key != "x509CertificateAuthenticationDefaultMode" {
					return false
				}
				c.CertificateMode = d.enum(v, "x509CertificateSingleFactor", "x509CertificateMultiFactor")
				return true
			})
		default:
			return false
		}
		return true
	})
	return c
}

func decodeTarget(d *decoder, n node) Target {
	t := Target{}
	d.object(n, &t.Extra, func(key string, v node) bool {
		switch key {
		case "targetType":
			t.Kind = d.enum(v, "group", "user")
		case "id":
			t.ID = spelled(d.id(v), []string{"all_users"})
		case "allowedPasskeyProfiles":
			t.Profiles = d.ids(v)
		case "isRegistrationRequired":
		default:
			return false
		}
		return true
	})
	return t
}

func (d *decoder) restrictions(n node) *KeyRestrictions {
	if n.empty() {
		return nil
	}
	r := &KeyRestrictions{}
	d.object(n, &r.Extra, func(key string, v node) bool {
		switch key {
		case "isEnforced":
			r.Enforced = d.truth(v)
		case "enforcementType":
			r.Enforcement = d.enum(v, "allow", "block")
		case "aaGuids":
			r.AAGUIDs = lower(d.texts(v))
		default:
			return false
		}
		return true
	})
	return r
}

func decodeProfile(d *decoder, n node) PasskeyProfile {
	p := PasskeyProfile{}
	d.object(n, &p.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			p.ID = d.id(v)
		case "name":
			p.Name = d.text(v)
		case "passkeyTypes":
			p.Types = d.flags(v, "deviceBound", "synced")
		case "attestationEnforcement":
			p.Attestation = d.text(v)
		case "keyRestrictions":
			p.Restrictions = d.restrictions(v)
		default:
			return false
		}
		return true
	})
	return p
}

func decodeMethod(d *decoder, n node) Method {
	m := Method{}
	d.object(n, &m.Extra, func(key string, v node) bool {
		switch key {
		case odataType:
			m.Kind = graphType(d.text(v))
		case "id":
			m.ID = d.text(v)
		case "displayName":
			m.DisplayName = d.text(v)
		case "createdDateTime":
			m.Created = d.time(v)
		case "aaGuid":
			m.AAGUID = lowerID(d.text(v))
		case "model":
			m.Model = d.text(v)
		case "attestationLevel":
			m.Attestation = d.enum(v, "attested", "notAttested")
		case "passkeyType":
			m.PasskeyType = d.enum(v, "deviceBound", "synced")
		case "phoneType":
			m.PhoneType = d.enum(v, "mobile", "alternateMobile", "office")
		case "isUsable":
			m.Usable = d.truth(v)
		case "isUsableOnce":
			m.UsableOnce = d.truth(v)
		case "password", "phoneNumber", "emailAddress", "attestationCertificates", "methodUsabilityReason", "smsSignInState", "temporaryAccessPass":
			// No secret and nobody's number is kept.
		default:
			return false
		}
		return true
	})
	return m
}

// wholeMethods gives the policy as v1.0 shows it, with what beta alone shows of the methods:
// whole configurations, passkey profiles with who may use them, and what this version does
// not know.
func wholeMethods(v1, beta *MethodsPolicy) *MethodsPolicy {
	if v1 == nil || beta == nil {
		return v1
	}
	whole := *v1
	whole.Configurations = slices.Clone(v1.Configurations)
	hide := func(path ...string) {
		whole.Hidden = append(whole.Hidden, strings.Join(append([]string{"authenticationMethodConfigurations"}, path...), "."))
	}
	for _, b := range beta.Configurations {
		i := slices.IndexFunc(whole.Configurations, func(c *MethodConfiguration) bool { return c.ID == b.ID })
		if i < 0 {
			whole.Configurations = append(whole.Configurations, b)
			hide(b.ID)
			continue
		}
		c := *whole.Configurations[i]
		add := func(into *Extra, from Extra, path ...string) {
			*into = maps.Clone(*into)
			for _, name := range from.Names() {
				if node((*into)[name]).empty() {
					into.add(name, from[name])
					hide(append(path, name)...)
				}
			}
		}
		add(&c.Extra, b.Extra, b.ID)
		if len(c.Profiles) == 0 && len(b.Profiles) > 0 {
			c.Profiles, c.DefaultProfile, c.Include = b.Profiles, b.DefaultProfile, b.Include
			hide(b.ID, "passkeyProfiles")
		} else {
			c.Profiles = slices.Clone(c.Profiles)
			for _, p := range b.Profiles {
				if j := slices.IndexFunc(c.Profiles, func(x PasskeyProfile) bool { return x.ID == p.ID }); j >= 0 {
					add(&c.Profiles[j].Extra, p.Extra, b.ID, "passkeyProfiles", p.Name)
				} else {
					c.Profiles = append(c.Profiles, p)
					hide(b.ID, "passkeyProfiles", p.Name)
				}
			}
		}
		whole.Configurations[i] = &c
	}
	slices.Sort(whole.Hidden)
	return &whole
}
