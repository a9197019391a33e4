package directory

import "strings"

// A Strength is an authentication strength: the combinations of methods that it
// accepts.
type Strength struct {
	ID, DisplayName string
	PolicyType      string // builtIn, custom
	// Combinations are Graph's, as "fido2" or "password,microsoftAuthenticatorPush".
	Combinations []string
	// Configurations narrow combinations further. Configured says that they were
	// read: a policy that names its strength without them says nothing about them.
	Configurations []CombinationConfiguration
	Configured     bool
	Extra          Extra
}

// A CombinationConfiguration narrows some combinations of a strength.
type CombinationConfiguration struct {
	ID string
	// Kind is fido2CombinationConfiguration, x509CertificateCombinationConfiguration
	// or what else stood there.
	Kind      string
	AppliesTo []string
	// AAGUIDs are the models of passkeys that are accepted, in lower case.
	AAGUIDs []string
	// IssuerSKIs and PolicyOIDs are those of certificates that are accepted.
	IssuerSKIs, PolicyOIDs []string
	Extra                  Extra
}

func decodeStrength(d *decoder, n node) *Strength {
	s := &Strength{}
	d.object(n, &s.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			s.ID = d.id(v)
		case "displayName":
			s.DisplayName = d.text(v)
		case "description":
			d.text(v)
		case "createdDateTime", "modifiedDateTime":
			d.time(v)
		case "requirementsSatisfied":
			d.flags(v)
		case "policyType":
			s.PolicyType = d.enum(v, "builtIn", "custom")
		case "allowedCombinations":
			s.Combinations = d.texts(v)
			for i, c := range s.Combinations {
				s.Combinations[i] = strings.ReplaceAll(c, " ", "")
			}
		case "combinationConfigurations":
			s.Configured = v.kind() == '['
			s.Configurations = list(d, v, decodeConfiguration)
		default:
			return false
		}
		return true
	})
	return s
}

func decodeConfiguration(d *decoder, n node) CombinationConfiguration {
	c := CombinationConfiguration{}
	d.object(n, &c.Extra, func(key string, v node) bool {
		switch key {
		case odataType:
			c.Kind = graphType(d.text(v))
		case "id":
			c.ID = d.id(v)
		case "appliesToCombinations":
			c.AppliesTo = d.texts(v)
		case "allowedAAGUIDs":
			c.AAGUIDs = lower(d.texts(v))
		case "allowedIssuerSkis":
			c.IssuerSKIs = d.texts(v)
		case "allowedPolicyOIDs":
			c.PolicyOIDs = d.texts(v)
		default:
			return false
		}
		return true
	})
	return c
}

func lower(list []string) []string {
	for i := range list {
		list[i] = strings.ToLower(list[i])
	}
	return list
}

// An AuthenticationContext is what a resource may ask for beside the sign-in.
type AuthenticationContext struct {
	ID, DisplayName string // ID is c1 to c99
	Available       bool
	Extra           Extra
}

func decodeContext(d *decoder, n node) *AuthenticationContext {
	c := &AuthenticationContext{}
	d.object(n, &c.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			c.ID = d.text(v)
		case "displayName":
			c.DisplayName = d.text(v)
		case "description":
			d.text(v)
		case "isAvailable":
			c.Available = d.truth(v) > 0
		default:
			return false
		}
		return true
	})
	return c
}
