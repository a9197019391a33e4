package access

import (
	"slices"
	"strings"

	"glassward/directory"
	"glassward/directory/truth"
)

// damage gives the clause of a condition that could not be read.
func (p *policy) damage(condition string) (Clause, bool) {
	what, bad := p.damaged[condition]
	return Clause{condition, truth.Unknown, what, InvalidCondition}, bad
}

// application judges what the sign-in is for.
func (e *Evaluator) application(p *policy, in *SignIn) Clause {
	if c, bad := p.damage("applications"); bad {
		return c
	}
	a := p.Conditions.Applications
	c := Clause{Condition: "applications", Reason: ReasonApplication}
	if a == nil {
		if p.workload {
			return Clause{}
		}
		c.Holds, c.Why, c.Reason = truth.False, "the policy names no application, user action or authentication context", EmptyPolicy
		return c
	}
	if names := a.Extra.Names(); names != nil {
		c.Holds, c.Why, c.Reason = truth.Unknown, "not known: "+strings.Join(names, ", "), InvalidCondition
		return c
	}
	switch {
	case len(a.Contexts) > 0:
		c.Reason = AuthenticationContext
		c.Holds = truth.Of(slices.ContainsFunc(a.Contexts, func(x string) bool { return strings.EqualFold(x, in.Context) }))
		c.Why = "about authentication context " + strings.Join(a.Contexts, ", ")
		return c
	case len(a.UserActions) > 0:
		c.Reason = UserActions
		c.Holds = truth.Of(slices.Contains(a.UserActions, in.UserAction))
		c.Why = "about " + strings.Join(a.UserActions, ", ")
		if in.UserAction != "" && c.Holds == truth.False && slices.ContainsFunc(a.UserActions, unknownAction) {
			c.Holds = truth.Unknown
		}
		return c
	case len(a.Include) == 0 && a.Filter == nil:
		c.Holds, c.Why, c.Reason = truth.False, "the policy names no application, user action or authentication context", EmptyPolicy
		if len(a.TrafficProfiles) > 0 {
			c.Why, c.Reason = "about traffic of Global Secure Access", ReasonApplication
		}
		return c
	}
	switch {
	case len(in.Resources) > 0:
		c.Holds = truth.False
		for _, app := range in.Resources {
			v, why := e.resource(a, strings.ToLower(app))
			if v > c.Holds || c.Why == "" {
				c.Holds, c.Why = max(c.Holds, v), why
			}
		}
	case in.UserAction == "urn:user:registersecurityinfo" || in.Context != "":
		// Microsoft's own example of a What If answer has policies for all resources apply
		// to the registration of security information.
		switch {
		case !slices.Contains(a.Include, "All"):
			c.Holds, c.Why = truth.False, "about applications"
			if in.Context != "" {
				c.Holds, c.Why = truth.Unknown, "the resource is not told"
			}
		case len(a.Exclude) > 0 && in.Context != "":
			c.Holds, c.Why = truth.Unknown, "the resource is not told, and some are excluded"
		default:
			c.Holds, c.Why = truth.True, "all resources"
		}
	case in.UserAction != "":
		c.Holds, c.Why = truth.False, "about applications"
		if slices.Contains(a.Include, "All") {
			c.Holds, c.Why = truth.Unknown, "whether all resources hold "+in.UserAction+" is not documented"
		}
	default:
		c.Holds, c.Why, c.Reason = truth.Unknown, "what is signed in to is not told", NotEnoughInformation
	}
	return c
}

func unknownAction(a string) bool {
	return a != "urn:user:registersecurityinfo" && a != "urn:user:registerdevice"
}

// resource says whether one application is included and not excluded.
func (e *Evaluator) resource(a *directory.ApplicationCondition, app string) (truth.Value, string) {
	in, how := named(a.Include, app)
	out, by := named(a.Exclude, app)
	if f := a.Filter; f != nil {
		const why = "a filter over custom security attributes, which need CustomSecAttributeAssignment.Read.All"
		if f.Mode == "exclude" {
			if out == truth.False {
				out, by = truth.Unknown, why
			}
		} else if in == truth.False {
			in, how = truth.Unknown, why
		}
	}
	switch v := in.And(out.Not()); {
	case out == truth.True:
		return v, "excluded by " + by
	case v == truth.True:
		return v, "included by " + how
	case v == truth.False:
		return v, app + " is not included"
	case in == truth.Unknown:
		return v, how
	default:
		return v, by
	}
}

// named says whether a list of applications holds one.
func named(list []string, app string) (truth.Value, string) {
	answer, why := truth.False, ""
	for _, x := range list {
		switch x {
		case "All", app:
			return truth.True, x
		case "None":
		case "Office365", "MicrosoftAdminPortals", "AllAgentIdResources":
			switch suite(x, app) {
			case truth.True:
				return truth.True, x
			case truth.Unknown:
				answer, why = truth.Unknown, "whether "+x+" holds "+app+" is not known"
			}
		default:
			if !resolvable(x) {
				answer, why = truth.Unknown, x+" does not resolve"
			}
		}
	}
	return answer, why
}

// clientApps judges the kind of client.
func clientApps(p *policy, in *SignIn) Clause {
	if c, bad := p.damage("clientAppTypes"); bad {
		return c
	}
	list := p.Conditions.ClientAppTypes
	if len(list) == 0 || slices.Contains(list, "all") {
		return Clause{}
	}
	c := Clause{Condition: "clientAppTypes", Why: strings.Join(list, ", "), Reason: ClientApps}
	switch {
	case in.ClientApp == "":
		c.Holds, c.Why, c.Reason = truth.Unknown, "the client is not told", NotEnoughInformation
		if all(list, "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "other") {
			c.Holds = truth.True
		}
	case slices.Contains(list, in.ClientApp):
		c.Holds = truth.True
	case in.ClientApp == "exchangeActiveSync" && slices.Contains(list, "easSupported"):
		c.Holds, c.Why = truth.Unknown, "easSupported: on which platforms is not documented"
	default:
		c.Holds = strangers(&c, list, "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "easSupported", "other")
	}
	return c
}

// strangers gives Unknown if a list holds values that are not known, and False if not.
func strangers(c *Clause, list []string, known ...string) truth.Value {
	for _, x := range list {
		if !slices.Contains(known, x) {
			c.Why = x + " is not known"
			c.Reason = InvalidCondition
			return truth.Unknown
		}
	}
	return truth.False
}

func all(list []string, want ...string) bool {
	for _, w := range want {
		if !slices.Contains(list, w) {
			return false
		}
	}
	return true
}

// platforms judges the device platform. One that Entra does not recognise is held by
// "all" and by nothing else.
func platforms(p *policy, in *SignIn) Clause {
	if c, bad := p.damage("platforms"); bad {
		return c
	}
	x := p.Conditions.Platforms
	if x == nil || len(x.Include)+len(x.Exclude)+len(x.Extra.Names()) == 0 {
		return Clause{}
	}
	c := Clause{Condition: "platforms", Reason: DevicePlatform}
	known := []string{"android", "iOS", "windows", "windowsPhone", "macOS", "linux", "all"}
	hold := func(list []string) truth.Value {
		switch {
		case slices.Contains(list, "all"):
			return truth.True
		case in.Platform == "":
			if len(list) == 0 {
				return truth.False
			}
			return truth.Unknown
		case slices.Contains(list, in.Platform):
			return truth.True
		}
		return strangers(&c, list, known...)
	}
	include, exclude := hold(x.Include), hold(x.Exclude)
	if len(x.Include) == 0 {
		include = truth.True // what only excludes is about the rest
	}
	c.Holds = include.And(exclude.Not())
	if names := x.Extra.Names(); names != nil {
		c.Holds, c.Why, c.Reason = c.Holds.And(truth.Unknown), "not known: "+strings.Join(names, ", "), InvalidCondition
	}
	if c.Why == "" {
		c.Why = both(x.Include, x.Exclude)
		if in.Platform == "" && c.Holds == truth.Unknown {
			c.Why, c.Reason = "the platform is not told", NotEnoughInformation
		}
	}
	return c
}

func both(include, exclude []string) string {
	s := strings.Join(include, ", ")
	if len(exclude) > 0 {
		s += " without " + strings.Join(exclude, ", ")
	}
	return s
}

// risk judges one kind of risk level.
func risk(p *policy, name string, list []string, level string, reason Reason) Clause {
	if c, bad := p.damage(name); bad {
		return c
	}
	if len(list) == 0 {
		return Clause{}
	}
	c := Clause{Condition: name, Why: strings.Join(list, ", "), Reason: reason}
	switch {
	case level == "":
		c.Holds, c.Why, c.Reason = truth.Unknown, "the level is not told", NotEnoughInformation
	case slices.Contains(list, level):
		c.Holds = truth.True
	default:
		c.Holds = strangers(&c, list, "none", "low", "medium", "high", "hidden", "minor", "moderate", "elevated")
	}
	return c
}

// devices judges the device: the filter, and the states that came before filters.
func devices(p *policy, in *SignIn) Clause {
	for _, name := range []string{"devices", "deviceStates"} {
		if c, bad := p.damage(name); bad {
			return c
		}
	}
	x := p.Conditions.Devices
	if x == nil || x.Filter == nil && len(x.IncludeStates)+len(x.ExcludeStates)+len(x.Extra.Names()) == 0 {
		return Clause{}
	}
	c := Clause{Condition: "devices", Holds: truth.True, Reason: Devices}
	state := func(list []string) truth.Value {
		v := truth.False
		for _, s := range list {
			switch s {
			case "All":
				v = truth.True
			case "Compliant":
				v = v.Or(in.Device.Compliant)
			case "DomainJoined":
				v = v.Or(in.Device.HybridJoined)
			default:
				v = v.Or(truth.Unknown)
			}
		}
		return v
	}
	if len(x.IncludeStates) > 0 {
		c.Holds, c.Why = state(x.IncludeStates), "device states "+both(x.IncludeStates, x.ExcludeStates)
	}
	c.Holds = c.Holds.And(state(x.ExcludeStates).Not())
	if x.Filter != nil {
		v := truth.Unknown
		switch {
		case p.ruleErr != nil:
			c.Why, c.Reason = "the filter cannot be read: "+p.ruleErr.Error(), InvalidCondition
		case x.Filter.Mode == "include":
			v, c.Why = p.rule.Eval(in.Device.property), "devices of which "+x.Filter.Rule
		case x.Filter.Mode == "exclude":
			v, c.Why = p.rule.Eval(in.Device.property).Not(), "devices except those of which "+x.Filter.Rule
		default:
			c.Why, c.Reason = "the filter's mode "+x.Filter.Mode+" is not known", InvalidCondition
		}
		c.Holds = c.Holds.And(v)
	}
	if names := x.Extra.Names(); names != nil {
		c.Holds, c.Why, c.Reason = c.Holds.And(truth.Unknown), "not known: "+strings.Join(names, ", "), InvalidCondition
	}
	return c
}

// flows judges the authentication flow.
func flows(p *policy, in *SignIn) Clause {
	if c, bad := p.damage("authenticationFlows"); bad {
		return c
	}
	list := p.Conditions.TransferMethods
	if len(list) == 0 || len(list) == 1 && list[0] == "none" {
		return Clause{}
	}
	c := Clause{Condition: "authenticationFlows", Why: strings.Join(list, ", "), Reason: AuthenticationFlow}
	switch {
	case in.Flow == "":
		c.Holds, c.Why, c.Reason = truth.Unknown, "the flow is not told", NotEnoughInformation
	case slices.Contains(list, in.Flow):
		c.Holds = truth.True
	case in.Flow == "none":
		c.Holds = truth.False
	default:
		c.Holds = strangers(&c, list, "deviceCodeFlow", "authenticationTransfer", "none")
	}
	return c
}

// times is beta's condition on the time of day, which nothing documents enough.
func times(p *policy) Clause {
	if c, bad := p.damage("times"); bad {
		return c
	}
	t := p.Conditions.Times
	if t == nil || t.AllTimes == truth.True && len(t.Extra.Names()) == 0 {
		return Clause{}
	}
	return Clause{"times", truth.Unknown, "the policy applies at certain times, which are not judged", Time}
}

// unmodelled is for conditions that this version does not know: each may keep the
// policy from applying.
func unmodelled(p *policy) Clause {
	names := p.Conditions.Extra.Names()
	if len(p.Conditions.AgentIDRiskLevels) > 0 {
		names = append(names, "agentIdRiskLevels")
	}
	if what, bad := p.damaged["conditions"]; bad {
		names = append(names, what)
	}
	if len(names) == 0 {
		return Clause{}
	}
	return Clause{"conditions", truth.Unknown, "not known: " + strings.Join(names, ", "), InvalidCondition}
}
