package access

import (
	"slices"
	"strings"

	"glassward/directory"
	"glassward/directory/truth"
)

// A Control is one thing that a policy demands.
type Control struct {
	// Name is Graph's, as mfa, or "strength NAME", "termsOfUse", or the session control.
	Name string `json:"name"`
	// Satisfied says whether the account can do it in this sign-in.
	Satisfied truth.Value `json:"satisfied"`
	// Why names the method that does it, or why it cannot be done.
	Why string `json:"why,omitempty"`
}

// demands works out what a policy demands and whether the account can do it.
func (e *Evaluator) demands(p *policy, sub *Subject, in *SignIn) ([]Control, truth.Value) {
	var list []Control
	satisfied := truth.True
	if g := p.Grant; g != nil {
		list = make([]Control, 0, len(g.BuiltIn)+2)
		for _, name := range g.BuiltIn {
			f := grant(name, len(g.BuiltIn) == 1, sub, in)
			list = append(list, Control{name, f.v, f.why})
		}
		if g.Strength != nil {
			f := fact{truth.False, "a service principal has no methods"}
			if sub.Principal == nil {
				f = sub.meets(g.Strength)
			}
			name := g.Strength.DisplayName
			if full := e.s.Strength(g.Strength.ID); full != nil {
				name = full.DisplayName
			}
			if name == "" {
				name = g.Strength.ID
			}
			list = append(list, Control{"strength " + name, f.v, f.why})
		}
		if len(g.TermsOfUse) > 0 {
			c := Control{"termsOfUse", truth.True, "they must be accepted on the way"}
			if in.ClientApp != "browser" && in.ClientApp != "mobileAppsAndDesktopClients" {
				c.Satisfied, c.Why = truth.Unknown, "whether this client can show them is not known"
			}
			list = append(list, c)
		}
		for _, name := range g.CustomFactors {
			list = append(list, Control{"custom control " + name, truth.False, "an external service that must be up"})
		}
		satisfied = combine(g, list)
	}
	if what, bad := p.damaged["grantControls"]; bad {
		list = append(list, Control{"grantControls", truth.Unknown, what})
		if satisfied == truth.True {
			satisfied = truth.Unknown
		}
	}
	before := len(list)
	list = e.session(p, in, list)
	for _, c := range list[before:] {
		satisfied = satisfied.And(c.Satisfied)
	}
	return list, satisfied
}

// combine joins the controls of one policy by its operator.
func combine(g *directory.GrantControls, list []Control) truth.Value {
	every, one := truth.True, truth.False
	for _, c := range list {
		if c.Name == "block" {
			return truth.False
		}
		every, one = every.And(c.Satisfied), one.Or(c.Satisfied)
	}
	v := truth.Unknown
	switch {
	case len(list) == 0:
		v = truth.True
	case g.Operator == "AND":
		v = every
	case g.Operator == "OR":
		v = one
	case every == one:
		v = every
	}
	if len(g.Extra.Names()) > 0 {
		return truth.Unknown
	}
	return v
}

// grant says whether one built-in control can be satisfied. Alone says that the
// policy demands nothing else of this kind.
func grant(name string, alone bool, sub *Subject, in *SignIn) fact {
	if sub.Principal != nil && name != "block" {
		return fact{truth.False, "a service principal can only be blocked"}
	}
	switch name {
	case "block":
		return fact{truth.False, "access is blocked"}
	case "mfa":
		return sub.mfa()
	case "compliantDevice":
		return fact{in.Device.Compliant, "needs a device that Intune finds compliant"}
	case "domainJoinedDevice":
		return fact{in.Device.HybridJoined, "needs a device that is joined to a domain and to Entra"}
	case "approvedApplication":
		if alone {
			return fact{truth.Unknown, "retired in March 2026: what becomes of a policy that asks for nothing else is not documented"}
		}
		return fact{truth.False, "needs an approved app on a managed telephone"}
	case "compliantApplication":
		return fact{truth.False, "needs an app with a protection policy"}
	case "passwordChange":
		return fact{truth.False, "needs the password to be changed on the way"}
	case "riskRemediation":
		return fact{truth.Unknown, "whether a passkey alone remedies the risk is not documented"}
	}
	return fact{truth.Unknown, "control " + name + " is not known"}
}

// session adds the session controls that may keep the account out; others shorten the
// session and are listed as satisfied.
func (e *Evaluator) session(p *policy, in *SignIn, list []Control) []Control {
	if what, bad := p.damaged["sessionControls"]; bad {
		list = append(list, Control{"sessionControls", truth.Unknown, what})
	}
	s := p.Session
	if s == nil {
		return list
	}
	if s.SignInFrequency != nil {
		list = append(list, Control{"signInFrequency", truth.True, "with the key at hand"})
	}
	if s.PersistentBrowser != "" {
		list = append(list, Control{"persistentBrowser", truth.True, s.PersistentBrowser})
	}
	if s.CloudAppSecurity != "" {
		list = append(list, Control{"cloudAppSecurity", truth.True, "by the proxy of Defender for Cloud Apps, which must be up"})
	}
	if s.ContinuousAccessEvaluation == "strictLocation" {
		list = append(list, Control{"continuousAccessEvaluation", truth.True, "the address must stay the same"})
	}
	if s.SecureSignInSession {
		c := Control{Name: "secureSignInSession", Satisfied: truth.Unknown, Why: "token protection: what it does to this resource is not documented"}
		switch {
		case in.Device.Registered == truth.True && in.ClientApp == "mobileAppsAndDesktopClients":
			c.Satisfied, c.Why = truth.True, "the device is registered"
		case in.Device.Registered == truth.False && slices.ContainsFunc(in.Resources, protectedByToken):
			c.Satisfied, c.Why = truth.False, "token protection needs a registered device"
		}
		list = append(list, c)
	}
	if names := s.Extra.Names(); names != nil {
		list = append(list, Control{"sessionControls", truth.Unknown, "not known: " + strings.Join(names, ", ")})
	}
	return list
}

func protectedByToken(app string) bool {
	switch strings.ToLower(app) {
	case appExchange, appSharePoint, appTeams:
		return true
	}
	return false
}

// A Gate is something outside Conditional Access that an account must pass.
type Gate struct {
	// Name is account, domain, groups, first factor, mandatory MFA, security defaults
	// or per-user MFA; of a service principal account or credential.
	Name   string      `json:"gate"`
	Passed truth.Value `json:"passed"`
	Why    string      `json:"why,omitempty"`
}

// groupCeiling is how many groups an account may be in before sign-ins may fail, as
// the documentation of Conditional Access says.
const groupCeiling = 2048

// gates works out what stands outside Conditional Access.
func (e *Evaluator) gates(sub *Subject, in *SignIn) []Gate {
	gate := func(name string, f fact) Gate { return Gate{name, f.v, f.why} }
	list := make([]Gate, 0, 7)
	list = append(list, gate("account", e.account(sub)))
	if f := e.policiesRead(); f.v != truth.True {
		list = append(list, gate("policies that were not read", f))
	}
	if sub.Principal != nil {
		if f := e.credential(sub.Principal); f.v != truth.True {
			list = append(list, gate("credential", f))
		}
		return list
	}
	d := sub.managed()
	if d.v == truth.False {
		// A passkey is checked by Entra itself; whether the server is asked for more is its
		// owner's choice.
		d.v = truth.Unknown
	}
	list = append(list, gate("domain", d))
	switch n := len(sub.groups.All()); {
	case n > groupCeiling:
		list = append(list, Gate{"groups", truth.Unknown, "in more than 2048 groups: sign-ins may be blocked"})
	case !sub.groups.Complete() && e.s.Reading(directory.Groups, "").State != directory.Read:
		list = append(list, Gate{"groups", truth.Unknown, "how many groups the account is in was not read"})
	default:
		list = append(list, Gate{"groups", truth.True, ""})
	}
	list = append(list, gate("first factor", sub.first()))
	if slices.ContainsFunc(in.Resources, func(app string) bool { return mandatoryMFA(strings.ToLower(app)) }) {
		list = append(list, gate("mandatory MFA", sub.mfa()))
	}
	if f := e.securityDefaults(sub); f.v != truth.True || f.why != "" {
		list = append(list, gate("security defaults", f))
	}
	if f := e.perUser(sub); f.v != truth.True || f.why != "" {
		list = append(list, gate("per-user MFA", f))
	}
	return list
}

// policiesRead is unknown where there may be policies that the snapshot does not hold:
// any of them may refuse. The list of one version, v1.0 or beta, names them all.
func (e *Evaluator) policiesRead() fact {
	r := e.s.Reading(directory.Policies, "")
	if r.State == directory.Read || e.s.Read(directory.BetaPolicies) {
		return fact{truth.True, ""}
	}
	return fact{truth.Unknown, "not every Conditional Access policy was read: " + r.Why()}
}

func (e *Evaluator) account(sub *Subject) fact {
	if sub.Principal != nil {
		switch sub.Principal.Enabled {
		case truth.True:
			return fact{truth.True, ""}
		case truth.False:
			return fact{truth.False, "the service principal is disabled"}
		}
		r := e.s.Reading(directory.ServicePrincipals, sub.ID)
		switch {
		case e.s.ServicePrincipal(sub.ID) != nil:
			return fact{truth.Unknown, "whether the service principal is enabled is not told"}
		case r.State != directory.Read:
			return fact{truth.Unknown, "the service principal was not read: " + r.Why()}
		}
		return fact{truth.False, "there is no service principal " + sub.ID}
	}
	if sub.User == nil {
		if r := e.s.Reading(directory.Users, ""); r.State != directory.Read {
			return fact{truth.Unknown, "the account was not read: " + r.Why()}
		}
		return fact{truth.False, "there is no account " + sub.ID}
	}
	switch sub.User.Enabled {
	case truth.True:
		return fact{truth.True, ""}
	case truth.False:
		return fact{truth.False, "the account is disabled"}
	}
	return fact{truth.Unknown, "whether the account is enabled is not told"}
}

// credential says whether a service principal has something to sign in with: a
// certificate or secret that is valid, or an issuer whose tokens it takes. Those of its
// application count, and the tokens of a managed identity are Azure's.
func (e *Evaluator) credential(p *directory.ServicePrincipal) fact {
	if p.Type == "ManagedIdentity" {
		return fact{truth.True, ""}
	}
	a := e.s.Application(p.AppID)
	keys, now := slices.Concat(p.Keys, p.Secrets), e.s.Contents().Taken
	if a != nil {
		keys = slices.Concat(keys, a.Keys, a.Secrets)
	}
	valid := func(c directory.Credential) bool {
		return c.Usage != "Sign" && !c.Start.After(now) && (c.End.IsZero() || c.End.After(now))
	}
	r := e.s.Reading(directory.Applications, p.AppID)
	tokens := directory.Reading{}
	if a != nil {
		tokens = e.s.Reading(directory.Federations, a.ID)
	}
	switch {
	case !now.IsZero() && slices.ContainsFunc(keys, valid), a != nil && len(e.s.Contents().Federations[a.ID]) > 0:
		return fact{truth.True, ""}
	case now.IsZero() && len(keys) > 0:
		return fact{truth.Unknown, "whether its credentials have ended: the snapshot does not say when it was taken"}
	case a == nil && r.State != directory.Read:
		return fact{truth.Unknown, "its application was not read: " + r.Why()}
	case a == nil:
		return fact{truth.Unknown, "its application is another tenant's, and so are its credentials"}
	case tokens.State != directory.Read:
		return fact{truth.Unknown, "it has no certificate or secret that is valid; whose tokens it takes was not read: " + tokens.Why()}
	case len(keys) > 0:
		return fact{truth.False, "each of its certificates and secrets has ended, or is not valid yet"}
	}
	return fact{truth.False, "it has no certificate, no secret and takes nobody's tokens"}
}

// first says whether there is anything to sign in with.
func (sub *Subject) first() fact {
	methods, whole := sub.registered()
	best := fact{truth.False, "nothing is registered to sign in with"}
	for _, m := range methods {
		for _, mode := range m.modes {
			switch mode {
			case "password", "fido2", "temporaryAccessPassOneTime", "temporaryAccessPassMultiUse", "windowsHelloForBusiness":
				f := m.usable
				if f.v == truth.True {
					return fact{f.v, mode}
				}
				if f.v > best.v || best.v == truth.False && f.why != "" {
					best = f
				}
			}
		}
	}
	if best.v == truth.False && whole.v != truth.True {
		return whole
	}
	return best
}

// securityDefaults ask every administrator for MFA.
func (e *Evaluator) securityDefaults(sub *Subject) fact {
	on, why := e.s.Contents().SecurityDefaults, "security defaults are on"
	if r := e.s.Reading(directory.SecurityDefaults, ""); r.State != directory.Read {
		on, why = truth.Unknown, "whether security defaults are on was not read: "+r.Why()
	}
	return demandMFA(on, why, sub)
}

func (e *Evaluator) perUser(sub *Subject) fact {
	state := e.s.Contents().PerUserMFA[sub.ID]
	on, why := truth.Of(state != "disabled"), "per-user MFA is "+state
	if state == "" {
		on, why = truth.Unknown, "per-user MFA was not read: "+e.s.Reading(directory.PerUserMFA, sub.ID).Why()
	}
	return demandMFA(on, why, sub)
}

// demandMFA is passed if MFA is not demanded or can be done.
func demandMFA(on truth.Value, why string, sub *Subject) fact {
	if on == truth.False {
		return fact{truth.True, ""}
	}
	m := sub.mfa()
	if m.v == truth.True {
		if on == truth.True {
			return fact{truth.True, why + ": " + m.why}
		}
		return fact{truth.True, ""}
	}
	return fact{on.Not().Or(m.v), why + ", and: " + m.why}
}
