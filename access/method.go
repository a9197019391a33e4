package access

import (
	"fmt"
	"slices"
	"strings"

	"glassward/directory"
	"glassward/directory/truth"
)

// A method is one that an account has registered, with whether it can be used.
type method struct {
	directory.Method
	// modes are the names by which strengths call it.
	modes  []string
	usable fact
}

// portable says whether a method works with nothing but what lies in a safe: no
// telephone, no mailbox, no device that the account once used.
func portable(m directory.Method) fact {
	switch m.Kind {
	case "fido2AuthenticationMethod":
		switch m.PasskeyType {
		case "synced":
			return fact{truth.Unknown, "a synced passkey is where its provider is"}
		}
		return fact{truth.True, ""}
	case "passwordAuthenticationMethod", "hardwareOathAuthenticationMethod", "temporaryAccessPassAuthenticationMethod", "x509CertificateAuthenticationMethod":
		return fact{truth.True, ""}
	case "phoneAuthenticationMethod", "emailAuthenticationMethod", "microsoftAuthenticatorAuthenticationMethod", "windowsHelloForBusinessAuthenticationMethod", "platformCredentialAuthenticationMethod":
		return fact{truth.False, "it hangs on a telephone, a mailbox or one device"}
	}
	return fact{truth.Unknown, "whether it is at hand is not known"}
}

// registered gives the methods of the account. Whether they were read is the fact.
func (sub *Subject) registered() ([]method, fact) {
	r := sub.e.s.Reading(directory.Registered, sub.ID)
	whole := fact{truth.True, ""}
	if r.State != directory.Read {
		whole = fact{truth.Unknown, "the account's methods were not read: " + r.Why()}
	}
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.read {
		return sub.methods, whole
	}
	for _, m := range sub.e.s.Contents().Registered[sub.ID] {
		x := method{Method: m}
		config := ""
		switch m.Kind {
		case "passwordAuthenticationMethod":
			x.modes, x.usable = []string{"password"}, fact{truth.True, ""}
		case "fido2AuthenticationMethod":
			x.modes, x.usable = []string{"fido2"}, sub.passkey(m)
		case "windowsHelloForBusinessAuthenticationMethod", "platformCredentialAuthenticationMethod":
			x.modes, x.usable = []string{"windowsHelloForBusiness"}, fact{truth.True, ""}
		case "microsoftAuthenticatorAuthenticationMethod":
			x.modes, config = []string{"microsoftAuthenticatorPush"}, "MicrosoftAuthenticator"
		case "softwareOathAuthenticationMethod":
			x.modes, config = []string{"softwareOath"}, "SoftwareOath"
		case "hardwareOathAuthenticationMethod":
			x.modes, config = []string{"hardwareOath"}, "HardwareOath"
		case "temporaryAccessPassAuthenticationMethod":
			x.modes, config = []string{"temporaryAccessPassMultiUse"}, "TemporaryAccessPass"
			if m.UsableOnce == truth.True {
				x.modes = []string{"temporaryAccessPassOneTime"}
			}
		case "phoneAuthenticationMethod":
			x.modes, config = []string{"sms", "voice"}, "Sms"
			if m.PhoneType == "office" {
				x.modes, config = []string{"voice"}, "Voice"
			}
		case "emailAuthenticationMethod":
			continue // for resetting a password only
		default:
			x.modes, x.usable = []string{m.Kind}, fact{truth.Unknown, "method " + m.Kind + " is not known"}
		}
		if config != "" {
			x.usable = sub.allowed(config)
			if m.Kind == "temporaryAccessPassAuthenticationMethod" {
				x.usable.v = x.usable.v.And(m.Usable)
			}
		}
		if p := portable(m); sub.standalone && p.v < x.usable.v {
			x.usable = p
		}
		sub.methods = append(sub.methods, x)
	}
	sub.read = true
	return sub.methods, whole
}

// configuration gives the tenant's settings of a method, or why they are not known.
func (sub *Subject) configuration(id string) (*directory.MethodConfiguration, string) {
	p := sub.e.s.Contents().Methods
	if r := sub.e.s.Reading(directory.Methods, ""); p == nil || r.State != directory.Read {
		return nil, "the authentication methods policy was not read: " + r.Why()
	}
	for _, c := range p.Configurations {
		if c.ID == id {
			return c, ""
		}
	}
	return nil, "the authentication methods policy does not speak of " + id
}

// targeted says whether a list of targets reaches the account.
func (sub *Subject) targeted(t directory.Target) fact {
	switch {
	case t.ID == "all_users":
		return fact{truth.True, "all users"}
	case t.Kind == "user":
		return fact{truth.Of(t.ID == sub.ID), "its own id"}
	}
	v, path, why := sub.groups.In(t.ID)
	if v == truth.True {
		why = sub.path(path)
	}
	return fact{v, why}
}

// reached says whether a method is on for the account: enabled, included and not
// excluded.
func (sub *Subject) reached(c *directory.MethodConfiguration) fact {
	switch c.State {
	case "enabled":
	case "disabled":
		return fact{truth.False, c.ID + " is disabled"}
	default:
		return fact{truth.Unknown, "the state of " + c.ID + ", " + c.State + ", is not known"}
	}
	unknown := fact{truth.True, ""}
	for _, t := range c.Exclude {
		switch f := sub.targeted(t); f.v {
		case truth.True:
			return fact{truth.False, "excluded from " + c.ID + " by " + f.why}
		case truth.Unknown:
			unknown = f
		}
	}
	in := fact{truth.False, "not among those whom " + c.ID + " is for"}
	for _, t := range c.Include {
		if f := sub.targeted(t); f.v > in.v {
			in = f
		}
	}
	if in.v == truth.True {
		return unknown
	}
	return in
}

// allowed says whether the tenant lets the account use a method other than a passkey.
func (sub *Subject) allowed(id string) fact {
	c, why := sub.configuration(id)
	if c == nil {
		return fact{truth.Unknown, why}
	}
	f := sub.reached(c)
	if m := sub.e.s.Contents().Methods.Migration; f.v == truth.False && m != "migrationComplete" {
		return fact{truth.Unknown, f.why + ", and older MFA settings, which nobody can read, may still allow it"}
	}
	return f
}

// passkey says whether a registered passkey is accepted: FIDO2 on for the account,
// and one profile that reaches it, or where there are none the key restrictions,
// accepting this model. Attestation matters when a key is registered, not here.
func (sub *Subject) passkey(m directory.Method) fact {
	c, why := sub.configuration("Fido2")
	if c == nil {
		return fact{truth.Unknown, why}
	}
	f := sub.reached(c)
	if f.v == truth.False {
		return f
	}
	key := m.AAGUID
	if key == "" {
		key = "of unknown model"
	}
	if len(c.Profiles) == 0 {
		return least(f, restricted(c.Restrictions, m, "the key restrictions"))
	}
	best := fact{truth.False, "no passkey profile accepts the key " + key}
	for _, t := range c.Include {
		r := sub.targeted(t)
		if r.v == truth.False {
			continue
		}
		ids := t.Profiles
		if len(ids) == 0 && c.DefaultProfile != "" {
			ids = []string{c.DefaultProfile}
		}
		if len(ids) == 0 {
			best = most(best, least(r, fact{truth.Unknown, "target " + t.ID + " names no passkey profile"}))
		}
		for _, id := range ids {
			a := fact{truth.Unknown, "there is no passkey profile " + id}
			for _, p := range c.Profiles {
				if p.ID == id {
					a = accepts(p, m)
				}
			}
			if a = least(r, a); a.v > best.v || best.v == truth.False && a.v == truth.False && a.why != "" {
				best = a
			}
		}
	}
	return least(f, best)
}

func least(a, b fact) fact {
	if b.v < a.v {
		return b
	}
	return a
}

func most(a, b fact) fact {
	if b.v > a.v {
		return b
	}
	return a
}

func accepts(p directory.PasskeyProfile, m directory.Method) fact {
	f := restricted(p.Restrictions, m, "passkey profile "+p.Name)
	switch {
	case len(p.Types) == 0 || slices.Contains(p.Types, m.PasskeyType):
	case m.PasskeyType == "" && slices.Contains(p.Types, "deviceBound") && slices.Contains(p.Types, "synced"):
	case m.PasskeyType == "":
		f = least(f, fact{truth.Unknown, "whether the passkey is device-bound is not told"})
	default:
		f = fact{truth.False, fmt.Sprintf("passkey profile %s takes %s passkeys, not %s ones", p.Name, strings.Join(p.Types, ", "), m.PasskeyType)}
	}
	if names := p.Extra.Names(); names != nil && f.v == truth.True {
		f = fact{truth.Unknown, "passkey profile " + p.Name + " has " + strings.Join(names, ", ") + ", not known"}
	}
	return f
}

func restricted(r *directory.KeyRestrictions, m directory.Method, where string) fact {
	if r == nil || r.Enforced == truth.False {
		return fact{truth.True, ""}
	}
	if r.Enforced == truth.Unknown || m.AAGUID == "" || r.Enforcement != "allow" && r.Enforcement != "block" {
		return fact{truth.Unknown, "whether " + where + " accepts the key cannot be told"}
	}
	listed := slices.Contains(r.AAGUIDs, m.AAGUID)
	switch {
	case r.Enforcement == "allow" && !listed:
		return fact{truth.False, "AAGUID " + m.AAGUID + " is not among those of " + where}
	case r.Enforcement == "block" && listed:
		return fact{truth.False, "AAGUID " + m.AAGUID + " is blocked by " + where}
	}
	return fact{truth.True, ""}
}

// Ids of the strengths that Microsoft made.
const (
	strengthMFA          = "00000000-0000-0000-0000-000000000002"
	strengthPasswordless = "00000000-0000-0000-0000-000000000003"
	strengthPhishing     = "00000000-0000-0000-0000-000000000004"
)

// builtIn gives the combinations of a strength of Microsoft's.
func builtIn(id string) []string {
	phishing := []string{"windowsHelloForBusiness", "fido2", "x509CertificateMultiFactor"}
	switch id {
	case strengthPhishing:
		return phishing
	case strengthPasswordless:
		return append(phishing, "deviceBasedPush")
	case strengthMFA:
		return append(phishing, "deviceBasedPush", "temporaryAccessPassOneTime", "temporaryAccessPassMultiUse",
			"password,microsoftAuthenticatorPush", "password,softwareOath", "password,hardwareOath",
			"password,x509CertificateSingleFactor", "password,x509CertificateMultiFactor", "password,sms", "password,voice",
			"federatedMultiFactor", "microsoftAuthenticatorPush,federatedSingleFactor", "softwareOath,federatedSingleFactor",
			"hardwareOath,federatedSingleFactor", "sms,federatedSingleFactor", "voice,federatedSingleFactor")
	}
	return nil
}

// mfa says whether the account can pass multifactor authentication.
func (sub *Subject) mfa() fact {
	return sub.meets(&directory.Strength{ID: strengthMFA, DisplayName: "multifactor authentication"})
}

// meets says whether the account can meet a strength: one combination of which every
// method can be used, and a passkey of a model that the strength accepts.
func (sub *Subject) meets(named *directory.Strength) fact {
	sub.mu.Lock()
	f, ok := sub.met[named.ID]
	sub.mu.Unlock()
	if ok && named.ID != "" {
		return f
	}
	f = sub.meet(named)
	sub.mu.Lock()
	sub.met[named.ID] = f
	sub.mu.Unlock()
	return f
}

func (sub *Subject) meet(named *directory.Strength) fact {
	s := named
	if full := sub.e.s.Strength(named.ID); full != nil {
		s = full
	}
	combinations := s.Combinations
	if len(combinations) == 0 {
		combinations = builtIn(s.ID)
	}
	name := s.DisplayName
	if name == "" {
		name = s.ID
	}
	if len(combinations) == 0 {
		return fact{truth.Unknown, "strength " + name + " was not read: " + sub.e.s.Reading(directory.Strengths, "").Why()}
	}
	methods, whole := sub.registered()
	best := fact{truth.False, "nothing registered meets " + name}
	for _, c := range combinations {
		f := fact{truth.True, ""}
		for mode := range strings.SplitSeq(c, ",") {
			f = least(f, sub.mode(mode, c, s, methods))
		}
		if f.v == truth.True {
			return fact{truth.True, c}
		}
		if f.v == truth.Unknown || best.why == "nothing registered meets "+name && f.why != "" {
			best = most(best, f)
			if best.v == truth.False {
				best.why = f.why
			}
		}
	}
	if best.v == truth.False && whole.v != truth.True {
		return whole
	}
	if names := s.Extra.Names(); names != nil && best.v == truth.False {
		return fact{truth.Unknown, "strength " + name + " has " + strings.Join(names, ", ") + ", not known"}
	}
	return best
}

// mode says whether one method of a combination can be used. Why is told of methods
// that are registered and cannot.
func (sub *Subject) mode(mode, combination string, s *directory.Strength, methods []method) fact {
	best := fact{truth.False, ""}
	for _, m := range methods {
		if !slices.Contains(m.modes, mode) {
			continue
		}
		f := m.usable
		for _, c := range s.Configurations {
			if !slices.Contains(c.AppliesTo, combination) {
				continue
			}
			switch {
			case mode == "fido2" && c.Kind == "fido2CombinationConfiguration" && len(c.AAGUIDs) > 0:
				if m.AAGUID == "" {
					f = least(f, fact{truth.Unknown, "the model of the key is not told"})
				} else if !slices.Contains(c.AAGUIDs, m.AAGUID) {
					f = fact{truth.False, "AAGUID " + m.AAGUID + " is not among those of strength " + s.DisplayName}
				}
			case mode == "fido2" && c.Kind == "fido2CombinationConfiguration":
			default:
				f = least(f, fact{truth.Unknown, "strength " + s.DisplayName + " narrows " + combination + " in a way that is not known"})
			}
		}
		if s.PolicyType == "custom" && !s.Configured && mode == "fido2" {
			f = least(f, fact{truth.Unknown, "which models strength " + s.DisplayName + " accepts was not read"})
		}
		if f.v > best.v || best.v == truth.False && best.why == "" {
			best = f
		}
	}
	switch mode {
	case "x509CertificateMultiFactor", "x509CertificateSingleFactor":
		// Graph does not list an account's certificates.
		if c, why := sub.configuration("X509Certificate"); c == nil {
			if sub.e.s.Contents().Methods == nil {
				return most(best, fact{truth.Unknown, why})
			}
		} else if f := sub.reached(c); f.v != truth.False {
			return most(best, fact{truth.Unknown, "whether the account has a certificate is not shown by Graph"})
		}
	case "deviceBasedPush":
		for _, m := range methods {
			if slices.Contains(m.modes, "microsoftAuthenticatorPush") && m.usable.v != truth.False {
				return most(best, fact{truth.Unknown, "whether the Authenticator app signs in without password is not told"})
			}
		}
	case "federatedMultiFactor", "federatedSingleFactor":
		if f := sub.managed(); f.v != truth.True {
			return most(best, fact{truth.Unknown, f.why})
		}
	}
	return best
}

// managed says whether the account's domain is managed by Entra itself.
func (sub *Subject) managed() fact {
	if sub.User == nil || sub.User.UPN == "" {
		return fact{truth.Unknown, "the account's domain is not told"}
	}
	domain := sub.User.Domain()
	for _, d := range sub.e.s.Contents().Domains {
		if d.Name != domain {
			continue
		}
		switch d.AuthenticationType {
		case "Managed":
			return fact{truth.True, domain}
		case "Federated":
			return fact{truth.False, domain + " is federated: who signs in is sent to a server outside of Entra"}
		}
		return fact{truth.Unknown, "how " + domain + " authenticates is not told"}
	}
	r := sub.e.s.Reading(directory.Domains, "")
	if r.State == directory.Read {
		return fact{truth.Unknown, domain + " is no domain of the tenant"}
	}
	return fact{truth.Unknown, "domains were not read: " + r.Why()}
}
