package posture

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"glassward/directory"
	"glassward/directory/truth"
	"glassward/kql/trial"
)

// An analytic is an analytics rule of Microsoft Sentinel, to be tried as alert rules are.
type analytic struct {
	rule *directory.AnalyticsRule
	*queried
}

// analytics gives the analytics rules that have a query, each bound once for all checks.
func (v *view) analytics() []*analytic {
	v.read(directory.AnalyticsRules, "")
	a := v.a
	if a.analytics == nil {
		a.analytics = []*analytic{}
		for _, r := range a.s.Contents().AnalyticsRules {
			if r.Kind != "Scheduled" && r.Kind != "NRT" {
				continue // on alerts of others
			}
			c := directory.Criterion{Query: r.Query, Aggregation: "Count", Operator: "GreaterThan"}
			if r.Kind == "Scheduled" && (r.Operator != "NotEqual" || r.Threshold != 0) {
				c.Operator = cmp.Or(map[string]string{"Equal": "Equals", "NotEqual": "NotEquals"}[r.Operator], r.Operator)
				c.Threshold = r.Threshold
			}
			q, err := trial.New(r.Query, catalog())
			a.analytics = append(a.analytics, &analytic{r, &queried{
				rule: &directory.AlertRule{Resource: r.Resource, Criteria: []directory.Criterion{c}}, queries: []*trial.Query{q}, errors: []error{err}}})
		}
	}
	return a.analytics
}

// analyticsWatching gives the analytics rules of some workspaces that certainly fire for
// what an emergency account does or what is done to it, whether they are enabled or not,
// and of those that may the first with why it is not certain.
func (v *view) analyticsWatching(workspaces []string) (list []*directory.AnalyticsRule, doubt string) {
	var baits []bait
	for _, e := range v.o.Accounts {
		baits = append(append(baits, signIns(e.ID, v.moment())[:2]...), audits(e.ID, v.moment())...)
	}
	for _, q := range v.analytics() {
		if !slices.ContainsFunc(workspaces, func(w string) bool { return directory.SameResource(w, q.rule.Workspace()) }) {
			continue
		}
		is, why := truth.False, ""
		for _, p := range baits {
			one, because := q.fires(p.record, v.moment())
			if is = is.Or(one); is == truth.True {
				break
			} else if one == truth.Unknown {
				why = because
			}
		}
		switch {
		case is == truth.True:
			list = append(list, q.rule)
		case is == truth.Unknown && doubt == "" && q.rule.Enabled != truth.False:
			doubt = q.rule.DisplayName + ": " + why
		}
	}
	return list, doubt
}

// sentinels gives the workspaces to which the logs go and that have Microsoft Sentinel,
// and one that has it though the logs go elsewhere.
func (v *view) sentinels() (ours []string, elsewhere string) {
	signIns, _ := v.destinations("SignInLogs")
	audits, _ := v.destinations("AuditLogs")
	for _, s := range v.azure(directory.OnboardingStates).OnboardingStates {
		id := s.Workspace()
		if slices.ContainsFunc(slices.Concat(signIns, audits), func(w string) bool { return directory.SameResource(w, id) }) {
			ours = append(ours, id)
		} else {
			elsewhere = id
		}
	}
	return ours, elsewhere
}

// sentinelWatches: where people work with the incidents of Microsoft Sentinel, those of
// the accounts are among them, soon, one for each sign-in and with the account's name.
func sentinelWatches(v *view) {
	workspaces, elsewhere := v.sentinels()
	rules, doubt := v.analyticsWatching(workspaces)
	switch {
	case len(workspaces) == 0 && elsewhere == "":
		v.not = "no workspace that was read has Microsoft Sentinel"
		return
	case len(workspaces) == 0:
		v.not = "Microsoft Sentinel is on " + resourceName(elsewhere) + ", to which the logs do not go"
		return
	case len(rules) == 0 && doubt != "":
		v.azureSay(Unknown, workspaces[0], "alertRules", "none certainly fires for an emergency account; %s", doubt)
		return
	case len(rules) == 0:
		v.azureSay(Warn, workspaces[0], "alertRules", "none fires for an emergency account: who works with Sentinel's incidents sees nothing of them")
		return
	}
	on := slices.ContainsFunc(rules, func(r *directory.AnalyticsRule) bool { return r.Enabled == truth.True })
	for _, r := range rules {
		say := func(result Result, property, format string, args ...any) {
			v.resourceSay(result, r.ID, cmp.Or(r.DisplayName, r.Name), property, format, args...)
		}
		switch {
		case r.Enabled == truth.Unknown:
			say(Unknown, "enabled", "not told")
		case r.Enabled == truth.False && on:
			say(Warn, "enabled", "false: another rule fires, and this one rests")
			continue
		case r.Enabled == truth.False:
			say(Fail, "enabled", "false")
		default:
			say(Pass, "enabled", "true")
		}
		v.analyticsTimely(r, say)
		switch r.CreatesIncident {
		case truth.True:
			say(Pass, "createIncident", "true")
		case truth.False:
			say(Fail, "createIncident", "false: its alerts are in no list that people work through")
		default:
			say(Unknown, "createIncident", "not told")
		}
		switch r.Suppressed {
		case truth.True:
			say(Fail, "suppressionEnabled", "for %s after an alert it rests: a second sign-in is not seen", r.SuppressedFor)
		case truth.Unknown:
			say(Unknown, "suppressionEnabled", "not told")
		}
		if slices.Contains(r.Entities, "Account") {
			say(Pass, "entityMappings", "%s", strings.Join(r.Entities, ", "))
		} else {
			say(Warn, "entityMappings", "no Account: an incident does not say whose it is, and is tied to nothing else of it")
		}
		if r.Aggregation == "AlertPerResult" {
			say(Pass, "aggregationKind", "AlertPerResult")
		} else {
			say(Warn, "aggregationKind", "%s: ten sign-ins are one alert", cmp.Or(r.Aggregation, "SingleAlert"))
		}
	}
}

// analyticsTimely: a rule looks soon, and at all that came since it looked before.
func (v *view) analyticsTimely(r *directory.AnalyticsRule, say func(Result, string, string, ...any)) {
	if r.Kind == "NRT" {
		say(Pass, "kind", "NRT, which looks every minute")
		return
	}
	every, known := duration(r.Frequency)
	period, told := duration(r.Period)
	switch {
	case !known || !told:
		say(Unknown, "queryFrequency", "%q over %q", r.Frequency, r.Period)
	case every > time.Duration(v.o.Norms.AlertMinutes)*time.Minute:
		say(Fail, "queryFrequency", "%s, longer than %d minutes", r.Frequency, v.o.Norms.AlertMinutes)
	case period < every:
		say(Fail, "queryPeriod", "%s, shorter than the %s between evaluations: what comes in between is not seen", r.Period, r.Frequency)
	case period == every:
		say(Warn, "queryPeriod", "%s, as long as between evaluations: a record that comes late is not seen", r.Period)
	default:
		say(Pass, "queryFrequency", "%s over %s", r.Frequency, r.Period)
	}
}

// notClosed: no automation rule closes the incidents of the accounts as they are made.
func notClosed(v *view) {
	c := v.azure(directory.AutomationRules)
	workspaces, _ := v.sentinels()
	rules, _ := v.analyticsWatching(workspaces)
	for _, r := range rules {
		if r.Enabled == truth.False || r.CreatesIncident == truth.False {
			continue // MON-13 says it
		}
		clean := true
		for _, x := range c.AutomationRules {
			if !x.Closes || x.Enabled == truth.False || x.On != "Incidents" || x.When != "Created" || !directory.SameResource(x.Workspace(), r.Workspace()) ||
				!x.Expires.IsZero() && x.Expires.Before(v.moment()) {
				continue
			}
			name := cmp.Or(x.DisplayName, x.Name)
			switch x.Enabled.And(closes(x, r)) {
			case truth.True:
				clean = false
				v.resourceSay(Fail, x.ID, name, "actions", "closes the incidents of %s as they are made", r.DisplayName)
			case truth.Unknown:
				clean = false
				v.resourceSay(Unknown, x.ID, name, "actions", "may close the incidents of %s as they are made", r.DisplayName)
			}
		}
		if clean {
			v.resourceSay(Pass, r.ID, cmp.Or(r.DisplayName, r.Name), "automationRules", "none closes its incidents")
		}
	}
}

// closes says whether the conditions of an automation rule hold of a new incident of an
// analytics rule.
func closes(x *directory.AutomationRule, r *directory.AnalyticsRule) truth.Value {
	all := truth.True
	for _, c := range x.Conditions {
		have := ""
		switch {
		case c.Type != "Property":
		case c.Property == "IncidentRelatedAnalyticRuleIds":
			have = r.ID
		case c.Property == "IncidentTitle" && !r.Overrides:
			have = r.DisplayName
		case c.Property == "IncidentSeverity" && !r.Overrides:
			have = r.Severity
		case c.Property == "IncidentStatus":
			have = "New"
		}
		if have == "" {
			all = all.And(truth.Unknown)
			continue
		}
		operator, not := strings.CutPrefix(c.Operator, "Not")
		compare, ok := map[string]func(a, b string) bool{"Equals": func(a, b string) bool { return a == b }, "Contains": strings.Contains, "StartsWith": strings.HasPrefix, "EndsWith": strings.HasSuffix}[operator]
		if !ok {
			all = all.And(truth.Unknown)
			continue
		}
		hit := slices.ContainsFunc(c.Values, func(value string) bool {
			return compare(strings.ToLower(have), strings.ToLower(value))
		})
		all = all.And(truth.Of(hit != not))
	}
	return all
}
