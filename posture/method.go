package posture

import (
	"slices"
	"strconv"
	"strings"

	"glassward/access"
	"glassward/directory"
	"glassward/directory/truth"
)

func isKey(m directory.Method) bool { return m.Kind == "fido2AuthenticationMethod" }

// keys calls each with every key of every account that has been read. An account
// without a key is for AUTH-01; every other check calls it unknown.
func (v *view) keys(each func(account string, key directory.Method)) {
	for _, u := range v.accounts() {
		list, ok := v.methods(u.ID)
		if !ok {
			continue
		}
		found := false
		for _, m := range list {
			if isKey(m) {
				found = true
				each(u.ID, m)
			}
		}
		if !found {
			v.unknown(u.ID, "fido2Methods", "there is no key to judge (AUTH-01)")
		}
	}
}

// keyName names a key for people.
func keyName(m directory.Method) string {
	switch {
	case m.DisplayName != "" && m.AAGUID != "":
		return m.DisplayName + " (" + m.AAGUID + ")"
	case m.AAGUID != "":
		return m.AAGUID
	}
	return m.DisplayName + " of unknown model"
}

func keyRegistered(v *view) {
	for _, u := range v.accounts() {
		list, ok := v.methods(u.ID)
		if !ok {
			continue
		}
		n := 0
		for _, m := range list {
			if isKey(m) {
				n++
			}
		}
		if n == 0 {
			v.fail(u.ID, "fido2Methods", "none")
		} else {
			v.pass(u.ID, "fido2Methods", "%d", n)
		}
	}
}

// keyApproved: device-bound, attested, of an approved model.
func keyApproved(v *view) {
	v.keys(func(account string, m directory.Method) {
		enum := func(property, have, want string) {
			switch have {
			case want:
				v.pass(account, property, "%s: %s", keyName(m), have)
			case "":
				v.unknown(account, property, "of %s is not told", keyName(m))
			default:
				v.fail(account, property, "%s: %s", keyName(m), have)
			}
		}
		enum("passkeyType", m.PasskeyType, "deviceBound")
		enum("attestationLevel", m.Attestation, "attested")
		switch {
		case len(v.o.Models) == 0:
			v.unknown(account, "aaGuid", "no approved models are declared")
		case m.AAGUID == "":
			v.unknown(account, "aaGuid", "of %s is not told", keyName(m))
		case !slices.Contains(v.o.Models, m.AAGUID):
			v.fail(account, "aaGuid", "%s is of no approved model", keyName(m))
		default:
			v.pass(account, "aaGuid", "%s is approved", keyName(m))
		}
	})
}

// modelsDiffer: no model serves two accounts. Whether two models are one vendor's is not
// told by Graph; where the model's name begins with the same word it is taken for one.
func modelsDiffer(v *view) {
	type owner struct{ account, key string }
	by := map[string]owner{}
	v.keys(func(account string, m directory.Method) {
		if m.AAGUID == "" {
			v.unknown(account, "aaGuid", "of %s is not told", keyName(m))
			return
		}
		marks := []string{m.AAGUID}
		if vendor, _, _ := strings.Cut(m.Model, " "); vendor != "" {
			marks = append(marks, strings.ToLower(vendor))
		}
		for _, mark := range marks {
			o, taken := by[mark]
			if taken && o.account != account {
				v.fail(account, "aaGuid", "%s and %s of %s share %s", keyName(m), o.key, v.name(o.account), mark)
				return
			}
			by[mark] = owner{account, keyName(m)}
		}
		v.pass(account, "aaGuid", "%s", keyName(m))
	})
}

// nothingPersonal: keys, a password, and nothing that hangs on a person or a device.
func nothingPersonal(v *view) {
	for _, u := range v.accounts() {
		list, ok := v.methods(u.ID)
		if !ok {
			continue
		}
		clean := true
		for _, m := range list {
			switch m.Kind {
			case "fido2AuthenticationMethod", "passwordAuthenticationMethod", "x509CertificateAuthenticationMethod",
				"temporaryAccessPassAuthenticationMethod": // AUTH-13
			case "phoneAuthenticationMethod", "emailAuthenticationMethod", "microsoftAuthenticatorAuthenticationMethod",
				"softwareOathAuthenticationMethod", "hardwareOathAuthenticationMethod", "windowsHelloForBusinessAuthenticationMethod",
				"platformCredentialAuthenticationMethod", "externalAuthenticationMethod", "qrCodePinAuthenticationMethod":
				clean = false
				v.fail(u.ID, "authentication/methods", "%s", m.Kind)
			default:
				clean = false
				v.unknown(u.ID, "authentication/methods", "%s is not known", m.Kind)
			}
		}
		if clean {
			v.pass(u.ID, "authentication/methods", "keys and password only")
		}
	}
}

// configuration gives the settings of a method, or says that they are not known.
func (v *view) configuration(id string) *directory.MethodConfiguration {
	p := v.contents(directory.Methods).Methods
	if p != nil {
		for _, c := range p.Configurations {
			if c.ID == id {
				return c
			}
		}
	}
	v.unknown(id, "authenticationMethodConfigurations", "the policy does not speak of it")
	return nil
}

// hits gives the targets of a list that reach an account, and why it is not known of
// another whether it does.
func hits(list []directory.Target, account string, m directory.Memberships) (some []directory.Target, doubt string) {
	for _, t := range list {
		switch {
		case t.ID == "all_users", t.Kind == "user" && sameID(t.ID, account):
			some = append(some, t)
		case t.Kind == "user":
		default:
			switch in, _, why := m.In(t.ID); in {
			case truth.True:
				some = append(some, t)
			case truth.Unknown:
				doubt = why
			}
		}
	}
	return some, doubt
}

// inGroups calls each with every account whose groups were read.
func (v *view) inGroups(each func(u *directory.User, m directory.Memberships)) {
	for _, u := range v.accounts() {
		if m, ok := v.memberOf(u.ID); ok {
			each(u, m)
		}
	}
}

// An outcome is a result with its words.
type outcome struct {
	result Result
	words  string
}

// among says whether a list of targets reaches an account: hit if it does, followed by
// what does, and miss if it does not.
func (v *view) among(list []directory.Target, account string, m directory.Memberships, property string, hit, miss outcome) {
	switch some, doubt := hits(list, account, m); {
	case len(some) > 0:
		v.say(hit.result, account, property, "%s %s", hit.words, v.name(some[0].ID))
	case doubt != "":
		v.unknown(account, property, "%s", doubt)
	default:
		v.say(miss.result, account, property, "%s", miss.words)
	}
}

func passkeysReach(v *view) {
	c := v.configuration("Fido2")
	if c == nil {
		return
	}
	if c.State == "disabled" {
		v.fail("Fido2", "state", "%s", c.State)
	} else if c.State != "enabled" {
		v.unknown("Fido2", "state", "%q", c.State)
	}
	v.inGroups(func(u *directory.User, m directory.Memberships) {
		v.among(c.Include, u.ID, m, "includeTargets", outcome{Pass, "reached by"}, outcome{Fail, "reached by none"})
	})
}

func notExcludedFromPasskeys(v *view) {
	c := v.configuration("Fido2")
	if c == nil {
		return
	}
	v.inGroups(func(u *directory.User, m directory.Memberships) {
		v.among(c.Exclude, u.ID, m, "excludeTargets", outcome{Fail, "excluded by"}, outcome{Pass, "not excluded"})
	})
}

// takes says whether key restrictions accept a model.
func takes(r *directory.KeyRestrictions, aaguid string) truth.Value {
	switch {
	case r == nil || r.Enforced == truth.False:
		return truth.True
	case r.Enforced == truth.Unknown || aaguid == "":
		return truth.Unknown
	case r.Enforcement == "allow":
		return truth.Of(slices.Contains(r.AAGUIDs, aaguid))
	case r.Enforcement == "block":
		return truth.Of(!slices.Contains(r.AAGUIDs, aaguid))
	}
	return truth.Unknown
}

func restrictionsAccept(v *view) {
	c := v.configuration("Fido2")
	if c == nil {
		return
	}
	if len(c.Profiles) > 0 {
		v.not = "passkey profiles decide, not the restrictions of the policy as a whole (AUTH-08)"
		return
	}
	v.keys(func(account string, m directory.Method) {
		v.accepted(account, m, takes(c.Restrictions, m.AAGUID), "keyRestrictions")
	})
}

func (v *view) accepted(account string, m directory.Method, is truth.Value, property string) {
	switch is {
	case truth.True:
		v.pass(account, property, "accept %s", keyName(m))
	case truth.False:
		v.fail(account, property, "refuse %s", keyName(m))
	default:
		v.unknown(account, property, "whether they accept %s is not told", keyName(m))
	}
}

// profilesFor gives the passkey profiles that an account may use, by way of the targets
// that reach it.
func (v *view) profilesFor(c *directory.MethodConfiguration, account string, m directory.Memberships) (list []directory.PasskeyProfile, doubt string) {
	targets, doubt := hits(c.Include, account, m)
	for _, t := range targets {
		ids := t.Profiles
		if len(ids) == 0 && c.DefaultProfile != "" {
			ids = []string{c.DefaultProfile}
		}
		if len(ids) == 0 {
			doubt = "target " + t.ID + " names no passkey profile"
		}
		for _, id := range ids {
			at := slices.IndexFunc(c.Profiles, func(p directory.PasskeyProfile) bool { return p.ID == id })
			if at < 0 {
				doubt = "there is no passkey profile " + id
				continue
			}
			list = append(list, c.Profiles[at])
		}
	}
	return list, doubt
}

func profileAccepts(v *view) {
	c := v.configuration("Fido2")
	if c == nil {
		return
	}
	if len(c.Profiles) == 0 {
		v.not = "there are no passkey profiles: the restrictions of the policy as a whole decide (AUTH-07)"
		return
	}
	v.keys(func(account string, m directory.Method) {
		in, ok := v.memberOf(account)
		if !ok {
			return
		}
		list, doubt := v.profilesFor(c, account, in)
		best := truth.False
		for _, p := range list {
			kind := truth.True
			switch {
			case len(p.Types) == 0 || slices.Contains(p.Types, m.PasskeyType):
			case m.PasskeyType == "":
				kind = truth.Unknown
			default:
				kind = truth.False
			}
			best = best.Or(kind.And(takes(p.Restrictions, m.AAGUID)))
		}
		if best == truth.False && doubt != "" {
			best = truth.Unknown
		}
		v.accepted(account, m, best, "passkeyProfiles")
	})
}

// profileTight: of the profiles that reach an account each takes device-bound, attested
// keys of approved models only. One that is lax is enough, for one match is.
func profileTight(v *view) {
	c := v.configuration("Fido2")
	if c == nil {
		return
	}
	if len(c.Profiles) == 0 {
		v.not = "there are no passkey profiles"
		return
	}
	for _, u := range v.accounts() {
		in, ok := v.memberOf(u.ID)
		if !ok {
			continue
		}
		list, doubt := v.profilesFor(c, u.ID, in)
		if doubt != "" {
			v.unknown(u.ID, "allowedPasskeyProfiles", "%s", doubt)
		}
		if len(list) == 0 && doubt == "" {
			v.fail(u.ID, "allowedPasskeyProfiles", "none reaches it")
		}
		for _, p := range list {
			r := p.Restrictions
			switch {
			case len(p.Types) != 1 || p.Types[0] != "deviceBound":
				v.fail(u.ID, "passkeyTypes", "profile %s takes %s", p.Name, strings.Join(p.Types, ", "))
			case p.Attestation == "disabled":
				v.fail(u.ID, "attestationEnforcement", "profile %s: disabled", p.Name)
			case p.Attestation == "":
				v.unknown(u.ID, "attestationEnforcement", "of profile %s is not told", p.Name)
			case r == nil || r.Enforced != truth.True || r.Enforcement != "allow":
				v.fail(u.ID, "keyRestrictions", "profile %s takes keys of any model", p.Name)
			case len(v.o.Models) == 0:
				v.unknown(u.ID, "keyRestrictions", "no approved models are declared")
			case slices.ContainsFunc(r.AAGUIDs, func(id string) bool { return !slices.Contains(v.o.Models, id) }):
				v.fail(u.ID, "keyRestrictions", "profile %s takes models that are not approved", p.Name)
			default:
				v.pass(u.ID, "allowedPasskeyProfiles", "profile %s", p.Name)
			}
		}
	}
}

// othersExclude: no other method is on for the accounts. Certificates are AUTH-19's,
// Temporary Access Passes AUTH-13's.
func othersExclude(v *view) {
	p := v.contents(directory.Methods).Methods
	if p == nil || len(p.Configurations) == 0 {
		v.unknown("", "authenticationMethodConfigurations", "not told")
		return
	}
	for _, u := range v.accounts() {
		m, ok := v.memberOf(u.ID)
		if !ok {
			continue
		}
		clean := true
		for _, c := range p.Configurations {
			if c.ID == "Fido2" || c.ID == "X509Certificate" || c.ID == "TemporaryAccessPass" {
				continue
			}
			on, why := reaches(c, u.ID, m)
			if on == truth.True {
				clean = false
				v.fail(u.ID, c.ID, "may be used: the account is not excluded")
			} else if on == truth.Unknown {
				clean = false
				v.unknown(u.ID, c.ID, "%s", why)
			}
		}
		if clean {
			v.pass(u.ID, "authenticationMethodConfigurations", "nothing but keys")
		}
	}
}

// reaches says whether a method is on for an account.
func reaches(c *directory.MethodConfiguration, account string, m directory.Memberships) (truth.Value, string) {
	if c.State == "disabled" {
		return truth.False, ""
	}
	out, doubtOut := hits(c.Exclude, account, m)
	in, doubtIn := hits(c.Include, account, m)
	switch {
	case len(out) > 0 || len(in) == 0 && doubtIn == "":
		return truth.False, ""
	case c.State != "enabled":
		return truth.Unknown, "its state is " + c.State
	case doubtOut != "":
		return truth.Unknown, doubtOut
	case len(in) == 0:
		return truth.Unknown, doubtIn
	}
	return truth.True, ""
}

func migrated(v *view) {
	p := v.contents(directory.Methods).Methods
	switch {
	case p == nil || p.Migration == "":
		v.unknown("", "policyMigrationState", "not told")
	case p.Migration == "migrationComplete":
		v.pass("", "policyMigrationState", "%s", p.Migration)
	default:
		v.fail("", "policyMigrationState", "%s", p.Migration)
	}
}

func noCampaign(v *view) {
	p := v.contents(directory.Methods).Methods
	if p == nil || p.CampaignState == "" {
		v.unknown("", "authenticationMethodsRegistrationCampaign", "its state is not told")
		return
	}
	v.inGroups(func(u *directory.User, m directory.Memberships) {
		if p.CampaignState == "disabled" {
			v.pass(u.ID, "authenticationMethodsRegistrationCampaign", "%s", p.CampaignState)
			return
		}
		v.among(p.CampaignExcludeTargets, u.ID, m, "excludeTargets of the campaign",
			outcome{Pass, "excluded by"}, outcome{Fail, "not excluded, and the campaign is " + p.CampaignState})
	})
}

func noTemporaryPass(v *view) {
	c := v.configuration("TemporaryAccessPass")
	for _, u := range v.accounts() {
		list, ok := v.methods(u.ID)
		m, in := v.memberOf(u.ID)
		if !ok || !in {
			continue
		}
		for _, x := range list {
			if x.Kind == "temporaryAccessPassAuthenticationMethod" {
				v.fail(u.ID, "temporaryAccessPassMethods", "there is one, usable %v", x.Usable)
			}
		}
		if c == nil {
			continue
		}
		switch on, why := reaches(c, u.ID, m); on {
		case truth.True:
			v.fail(u.ID, "TemporaryAccessPass", "one may be issued: the account is not excluded")
		case truth.Unknown:
			v.unknown(u.ID, "TemporaryAccessPass", "%s", why)
		default:
			v.pass(u.ID, "TemporaryAccessPass", "none, and none may be issued")
		}
	}
}

func noSelfServiceReset(v *view) {
	v.truth("", "allowedToUseSSPR", v.contents(directory.AuthorizationPolicy).AdminSSPR, truth.False)
}

// strengthTight: the accounts' strength takes keys only, of models that are approved,
// the registered ones among them.
func strengthTight(v *view) {
	strengths := v.contents(directory.Strengths).Strengths
	if v.o.Strength == "" {
		v.unknown("", "strength", "the accounts' authentication strength is not declared")
		return
	}
	at := slices.IndexFunc(strengths, func(s *directory.Strength) bool { return s.ID == v.o.Strength })
	if at < 0 {
		v.fail(v.o.Strength, "authenticationStrengthPolicies", "there is no such strength")
		return
	}
	s := strengths[at]
	if len(s.Combinations) != 1 || s.Combinations[0] != "fido2" {
		v.fail(s.ID, "allowedCombinations", "%s", strings.Join(s.Combinations, "; "))
	}
	if !s.Configured {
		v.unknown(s.ID, "combinationConfigurations", "not told")
		return
	}
	var models []string
	for _, c := range s.Configurations {
		if c.Kind == "fido2CombinationConfiguration" && slices.Contains(c.AppliesTo, "fido2") {
			models = append(models, c.AAGUIDs...)
		}
	}
	if len(models) == 0 {
		v.fail(s.ID, "allowedAAGUIDs", "takes keys of any model")
		return
	}
	for _, id := range models {
		switch {
		case len(v.o.Models) == 0:
			v.unknown(s.ID, "allowedAAGUIDs", "no approved models are declared")
		case !slices.Contains(v.o.Models, id):
			v.fail(s.ID, "allowedAAGUIDs", "%s is no approved model", id)
		}
	}
	v.keys(func(account string, m directory.Method) {
		is := truth.Of(slices.Contains(models, m.AAGUID))
		if m.AAGUID == "" {
			is = truth.Unknown
		}
		v.accepted(account, m, is, "allowedAAGUIDs")
	})
}

// strengthsMet: no policy keeps an account out by a strength or by asking for MFA.
func strengthsMet(v *view) {
	for _, u := range v.accounts() {
		a := v.emergency(u.ID)
		clean := true
		for _, f := range a.Failures {
			if f.Policy == nil || f.Policy.Grant == nil || f.Policy.Grant.Strength == nil {
				continue
			}
			clean = false
			v.refused(u.ID, f)
		}
		if clean {
			v.pass(u.ID, "authentication strengths", "each that applies can be met")
		}
	}
}

func (v *view) refused(account string, f access.Failure) {
	if f.Certain {
		v.fail(account, f.Name(), "%s: %s", f.Where, f.Why)
	} else {
		v.unknown(account, f.Name(), "may refuse: %s: %s", f.Where, f.Why)
	}
}

// mandatoryMFA: the account can do what the portals and tools ask of everybody.
func mandatoryMFA(v *view) {
	for _, u := range v.accounts() {
		a := v.emergency(u.ID)
		clean := true
		for _, f := range a.Failures {
			if f.Gate == "mandatory MFA" {
				clean = false
				v.refused(u.ID, f)
			}
		}
		if clean {
			v.pass(u.ID, "mandatory MFA", "can be met")
		}
	}
}

// registrationKnown: whether people, and Graph for them, may register keys.
func registrationKnown(v *view) {
	c := v.configuration("Fido2")
	if c == nil {
		return
	}
	switch c.SelfServiceRegistration {
	case truth.True:
		v.pass("Fido2", "isSelfServiceRegistrationAllowed", "true")
	case truth.False:
		v.warn("Fido2", "isSelfServiceRegistrationAllowed", "false: a key that was lost cannot be replaced before it is switched on")
	default:
		v.unknown("Fido2", "isSelfServiceRegistrationAllowed", "not told")
	}
}

// certificatesSafe: where certificates are for the accounts each counts for two factors.
// When they end, and whether the list of revoked ones answers, Graph does not tell.
func certificatesSafe(v *view) {
	c := v.configuration("X509Certificate")
	if c == nil {
		return
	}
	v.inGroups(func(u *directory.User, m directory.Memberships) {
		reached, why := reaches(c, u.ID, m)
		ruled := slices.Contains(c.Extra.Names(), "authenticationModeConfiguration.rules")
		switch {
		case reached == truth.False:
			v.pass(u.ID, "X509Certificate", "certificates are not for it")
		case reached == truth.Unknown:
			v.unknown(u.ID, "X509Certificate", "%s", why)
		case c.CertificateMode == "x509CertificateSingleFactor" && !ruled:
			v.fail(u.ID, "authenticationModeConfiguration", "a certificate counts for one factor: it does not satisfy mandatory MFA")
		case c.CertificateMode != "x509CertificateMultiFactor" || ruled:
			v.unknown(u.ID, "authenticationModeConfiguration", "for how many factors a certificate counts is not told, or rules decide")
		default:
			v.unknown(u.ID, "X509Certificate", "when its certificates end, and whether the revocation list answers, no part of a snapshot tells")
		}
	})
}

// policyBytes is how large the policy on methods may become.
const policyBytes = 20 << 10

func policySmall(v *view) {
	p := v.contents(directory.Methods).Methods
	switch {
	case p == nil || p.Size == 0:
		v.unknown("", "authenticationMethodsPolicy", "its size is not told")
	case p.Size >= policyBytes:
		v.fail("", "authenticationMethodsPolicy", "%d bytes of %d: no further profile can be saved", p.Size, policyBytes)
	case p.Size >= policyBytes*3/4:
		v.warn("", "authenticationMethodsPolicy", "%d bytes of %d", p.Size, policyBytes)
	default:
		v.pass("", "authenticationMethodsPolicy", "%d bytes of %d", p.Size, policyBytes)
	}
}

// promptsDoNotBite: Entra does not ask the accounts for another method than they mean to
// use, and nobody puts them at risk by reporting a prompt.
func promptsDoNotBite(v *view) {
	var preferred, reports *directory.MethodPreference
	if p := v.contents(directory.BetaMethods).BetaMethods; p != nil {
		preferred, reports = p.SystemPreferred, p.SuspiciousReports
	}
	v.inGroups(func(u *directory.User, m directory.Memberships) {
		v.preference(u.ID, m, "systemCredentialPreferences", preferred, "Entra chooses the method for it")
		v.preference(u.ID, m, "reportSuspiciousActivitySettings", reports, "a prompt that is reported puts it at high risk")
	})
}

// preference says whether a setting for some people reaches an account.
func (v *view) preference(account string, m directory.Memberships, property string, x *directory.MethodPreference, bites string) {
	if x == nil {
		v.unknown(account, property, "not told")
		return
	}
	if x.State == "disabled" {
		v.pass(account, property, "disabled")
		return
	}
	out, doubt := hits(x.Exclude, account, m)
	switch {
	case len(out) > 0:
		v.pass(account, property, "excluded by %s", v.name(out[0].ID))
	case doubt != "":
		v.unknown(account, property, "%s", doubt)
	case len(x.Include) == 0:
		v.unknown(account, property, "whom it is for is not told")
	default:
		v.among(x.Include, account, m, property, outcome{Fail, bites + ": the state is " + x.State + ", for"}, outcome{Pass, "not for it"})
	}
}

// lockoutSane: smart lockout stops guessing and does not keep the password locked for ever.
func lockoutSane(v *view) {
	values := map[string]string{"LockoutThreshold": "10", "LockoutDurationInSeconds": "60"} // the template's
	for _, s := range v.contents(directory.GroupSettings).GroupSettings {
		if s.Template == directory.PasswordRuleSettings {
			for name, value := range s.Values {
				values[name] = value
			}
		}
	}
	number := func(name string, wrong func(int) string) {
		n, err := strconv.Atoi(values[name])
		if err != nil || n <= 0 {
			v.unknown("", name, "%q is no number", values[name])
		} else if why := wrong(n); why != "" {
			v.fail("", name, "%d, %s", n, why)
		} else {
			v.pass("", name, "%d", n)
		}
	}
	number("LockoutThreshold", func(n int) string {
		if n > v.o.Norms.LockoutThreshold {
			return "more than " + strconv.Itoa(v.o.Norms.LockoutThreshold)
		}
		return ""
	})
	number("LockoutDurationInSeconds", func(n int) string {
		if n < v.o.Norms.LockoutSeconds {
			return "fewer than " + strconv.Itoa(v.o.Norms.LockoutSeconds)
		}
		return ""
	})
}

// noReconfirmation: nobody is asked to confirm on the way what is registered.
func noReconfirmation(v *view) {
	p := v.contents(directory.Methods).Methods
	reset := v.contents(directory.AuthorizationPolicy).AdminSSPR
	switch {
	case reset == truth.False:
		v.pass("", "allowedToUseSSPR", "false: administrators are not asked")
	case p == nil || !p.TellsReconfirmation:
		v.unknown("", "reconfirmationInDays", "not told")
	case p.ReconfirmationDays == 0:
		v.pass("", "reconfirmationInDays", "0: never")
	case reset == truth.Unknown:
		v.unknown("", "allowedToUseSSPR", "not told, and people confirm every %d days", p.ReconfirmationDays)
	default:
		v.fail("", "reconfirmationInDays", "every %d days, and administrators may reset their own passwords", p.ReconfirmationDays)
	}
}
