package posture

import (
	"slices"
	"strings"
	"time"

	"glassward/directory"
	"glassward/directory/truth"
	"glassward/kql/trial"
)

// logsLeave: the two logs without which there is no alarm are sent somewhere where they
// are looked at.
func logsLeave(v *view) {
	for _, category := range []string{"SignInLogs", "AuditLogs"} {
		workspaces, others := v.destinations(category)
		switch {
		case len(workspaces) > 0:
			v.pass("", category, "to %s", resourceName(workspaces[0]))
		case slices.Contains(others, "an event hub"):
			v.pass("", category, "to an event hub")
		case len(others) > 0:
			v.warn("", category, "to a storage account only, where they are seen late if at all")
		default:
			v.fail("", category, "no diagnostic setting sends them anywhere")
		}
	}
}

// widerCategories: what a session does after its sign-in, and what applications do.
func widerCategories(v *view) {
	v.read(directory.DiagnosticSettings, "")
	for _, c := range []struct {
		name  string
		least Result
	}{
		{"NonInteractiveUserSignInLogs", Fail}, {"ServicePrincipalSignInLogs", Warn}, {"MicrosoftGraphActivityLogs", Warn},
		{"RiskyUsers", Warn}, {"UserRiskEvents", Warn},
	} {
		if workspaces, others := v.destinations(c.name); len(workspaces)+len(others) > 0 {
			v.pass("", c.name, "sent")
		} else {
			v.say(c.least, "", c.name, "not sent")
		}
	}
}

// workspaceHealthy: what is sent arrives, can be alerted on and is kept.
func workspaceHealthy(v *view) {
	c := v.azure(directory.Subscriptions, directory.Workspaces, directory.WorkspaceTables, directory.CollectionRules)
	signIns, others := v.destinations("SignInLogs")
	audits, more := v.destinations("AuditLogs")
	seen := map[string]bool{}
	for _, id := range slices.Concat(signIns, audits) {
		if low := strings.ToLower(id); !seen[low] {
			seen[low] = true
			v.workspace(c, id)
		}
	}
	if len(seen) == 0 {
		if len(others)+len(more) == 0 {
			v.fail("", "workspaceId", "the logs go to no workspace (MON-01)")
			return
		}
		v.not = "the logs go to no workspace"
	}
}

func (v *view) workspace(c directory.Contents, id string) {
	i := slices.IndexFunc(c.Workspaces, func(w *directory.Workspace) bool { return directory.SameResource(w.ID, id) })
	if i < 0 {
		v.azureSay(Unknown, id, "workspaceId", "is in no subscription that was read")
		return
	}
	w := c.Workspaces[i]
	for _, s := range c.Subscriptions {
		if s.ID != directory.SubscriptionOf(id) {
			continue
		}
		switch s.State {
		case "Enabled":
			v.azureSay(Pass, id, "subscription", "enabled")
		case "":
			v.azureSay(Unknown, id, "subscription", "its state is not told")
		default:
			v.azureSay(Fail, id, "subscription", "%s is %s: what it holds may stop", s.Name, s.State)
		}
	}
	switch {
	case !w.HasQuota:
		v.azureSay(Unknown, id, "dailyQuotaGb", "not told")
	case w.DailyQuotaGB >= 0:
		v.azureSay(Fail, id, "dailyQuotaGb", "%g: whoever fills it silences every rule until the next day", w.DailyQuotaGB)
	default:
		v.azureSay(Pass, id, "dailyQuotaGb", "none")
	}
	if w.Ingestion == "OverQuota" {
		v.azureSay(Fail, id, "dataIngestionStatus", "nothing is taken in: the quota is used up")
	}
	for _, name := range []string{"SigninLogs", "AuditLogs"} {
		i := slices.IndexFunc(c.WorkspaceTables, func(t *directory.WorkspaceTable) bool {
			return t.Name == name && directory.SameResource(t.Workspace(), id)
		})
		if i < 0 {
			v.azureSay(Fail, id, name, "the workspace has no such table: nothing has ever come")
			continue
		}
		t := c.WorkspaceTables[i]
		switch t.Plan {
		case "Analytics":
			v.azureSay(Pass, t.ID, "plan", "Analytics")
		case "":
			v.azureSay(Unknown, t.ID, "plan", "not told")
		default:
			v.azureSay(Fail, t.ID, "plan", "%s: alert rules do not read it as they should", t.Plan)
		}
		switch days := t.RetentionDays; {
		case days == 0:
			v.azureSay(Unknown, t.ID, "retentionInDays", "not told")
		case days < v.o.Norms.RetentionDays:
			v.azureSay(Fail, t.ID, "retentionInDays", "%d, fewer than %d", days, v.o.Norms.RetentionDays)
		default:
			v.azureSay(Pass, t.ID, "retentionInDays", "%d", days)
		}
	}
	v.transformations(c, w)
}

// transformations: nothing on the way into the workspace drops what an account does.
func (v *view) transformations(c directory.Contents, w *directory.Workspace) {
	if w.CollectionRule == "" {
		return
	}
	i := slices.IndexFunc(c.CollectionRules, func(r *directory.CollectionRule) bool { return directory.SameResource(r.ID, w.CollectionRule) })
	if i < 0 {
		v.azureSay(Unknown, w.ID, "transformKql", "%s, which changes what comes in, is in no subscription that was read", resourceName(w.CollectionRule))
		return
	}
	for _, f := range c.CollectionRules[i].Flows {
		for _, stream := range f.Streams {
			table := strings.TrimPrefix(stream, "Microsoft-Table-")
			if f.Transform == "" || table != "SigninLogs" && table != "AuditLogs" {
				continue
			}
			q, err := trial.NewTransformation(f.Transform, table, catalog())
			if err != nil {
				v.azureSay(Unknown, w.CollectionRule, "transformKql", "of %s cannot be tried: %v", table, err)
				continue
			}
			result, why := Pass, "lets the accounts' records through"
			for _, e := range v.o.Accounts {
				records := signIns(e.ID, v.moment())
				if table == "AuditLogs" {
					records = audits(e.ID, v.moment())
				}
				for _, p := range records {
					r := p.record
					r.Table = "source"
					switch got := q.Try(r, v.moment()); {
					case got.Least > 0:
					case len(got.Others) > 0 && got.Most > 0:
						if result == Pass {
							result, why = Unknown, "hangs on "+strings.Join(got.Others, ", ")
						}
					case result != Fail:
						result, why = Fail, "drops "+p.name+" of "+v.name(e.ID)
					}
				}
			}
			v.azureSay(result, w.CollectionRule, "transformKql", "of %s %s", table, why)
		}
	}
}

// accountsWatched: for each account, an alert comes of its sign-ins, of its attempts, and
// of what is done in the directory by it and to it, whatever else stands in the record.
func accountsWatched(v *view) {
	v.rules()
	for _, log := range []struct {
		category string
		baits    func(string, time.Time) []bait
	}{{"SignInLogs", signIns}, {"AuditLogs", audits}} {
		workspaces, others := v.destinations(log.category)
		if len(workspaces) == 0 {
			if len(others) > 0 {
				v.unknown("", log.category, "go to %s: who looks at them there is not in Azure", strings.Join(others, " and "))
			} else {
				v.fail("", log.category, "are sent nowhere (MON-01)")
			}
			continue
		}
		for _, e := range v.o.Accounts {
			for _, p := range log.baits(e.ID, v.moment()) {
				switch a := v.alarm(p.record, workspaces); a.is {
				case truth.True:
					v.pass(e.ID, p.name, "%s fires", a.rules[0].Name)
				case truth.Unknown:
					v.unknown(e.ID, p.name, "%s", a.why)
				default:
					v.fail(e.ID, p.name, "%s", a.why)
				}
			}
		}
	}
}

// rulesArmed: what fires does so soon, each time, and as what it is.
func rulesArmed(v *view) {
	limit := time.Duration(v.o.Norms.AlertMinutes) * time.Minute
	for _, r := range v.watching() {
		switch {
		case r.Severity < 0:
			v.azureSay(Unknown, r.ID, "severity", "not told")
		case r.Severity > 1:
			v.azureSay(Fail, r.ID, "severity", "%d: it looks like everything else", r.Severity)
		default:
			v.azureSay(Pass, r.ID, "severity", "%d", r.Severity)
		}
		window, windowKnown := duration(r.Window)
		if r.Kind == "SimpleLogAlert" {
			v.azureSay(Pass, r.ID, "kind", "judges row by row")
		} else if every, ok := duration(r.Frequency); !ok || !windowKnown {
			v.azureSay(Unknown, r.ID, "evaluationFrequency", "%q over a window of %q", r.Frequency, r.Window)
		} else {
			switch {
			case every > limit:
				v.azureSay(Fail, r.ID, "evaluationFrequency", "%s, longer than %d minutes", r.Frequency, v.o.Norms.AlertMinutes)
			case window < every:
				v.azureSay(Fail, r.ID, "windowSize", "%s, shorter than the %s between evaluations: what comes in between is not seen", r.Window, r.Frequency)
			case window == every:
				v.azureSay(Warn, r.ID, "windowSize", "%s, as long as between evaluations: a record that comes late is not seen", r.Window)
			default:
				v.azureSay(Pass, r.ID, "evaluationFrequency", "%s over %s", r.Frequency, r.Window)
			}
		}
		for _, c := range r.Criteria {
			if c.Failing > 1 {
				v.azureSay(Fail, r.ID, "minFailingPeriodsToAlert", "%d: one sign-in is one period", c.Failing)
			}
			if lower := strings.ToLower(c.Query); strings.Contains(lower, "union") || strings.Contains(lower, "search") {
				v.azureSay(Warn, r.ID, "query", "union and search are not supported in alert rules: Azure may refuse the rule when it is changed")
			}
		}
		switch r.AutoResolve {
		case truth.True:
			v.azureSay(Warn, r.ID, "autoMitigate", "on: while the first alert is not resolved, a second sign-in tells nobody")
		case truth.Unknown:
			v.azureSay(Unknown, r.ID, "autoMitigate", "not told")
		}
		if r.Mute != "" {
			v.azureSay(Warn, r.ID, "muteActionsDuration", "%s: for so long nobody is told again", r.Mute)
		}
	}
}

// readers are the roles of Azure that may read a workspace's logs: Log Analytics Reader
// and Contributor, Monitoring Reader and Contributor, Reader, Contributor, Owner.
var readers = []string{
	"73c42c96-874c-492b-b04d-ab87d138a893", "92aaf0da-9dab-42b6-94a3-d43ce8d16293", "43d0d8ad-25c7-4714-9337-8ba259a9fe05", "749f88d5-cbae-40b8-bcfc-e573ddc772fa",
	"acdd72a7-3385-48ef-bd42-f606fba81ae7", "b24988ac-6180-42a0-ab88-20f7382dd24c", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
}

// rulesHaveIdentity: rules run as themselves, and may read.
func rulesHaveIdentity(v *view) {
	c := v.azure(directory.AzureAssignments)
	for _, r := range v.watching() {
		if !strings.Contains(r.Identity, "Assigned") {
			v.azureSay(Fail, r.ID, "identity", "none: it runs with what its last editor might do on that day")
			continue
		}
		if len(r.Principals) == 0 {
			v.azureSay(Unknown, r.ID, "identity", "its principal is not told")
			continue
		}
		may := slices.ContainsFunc(c.AzureAssignments, func(a *directory.AzureAssignment) bool {
			return slices.Contains(r.Principals, a.Principal) && slices.Contains(readers, a.Role) &&
				slices.ContainsFunc(r.Scopes, func(s string) bool { return directory.Within(s, a.Scope) })
		})
		if may {
			v.azureSay(Pass, r.ID, "identity", "%s, which may read the workspace", r.Identity)
		} else {
			v.azureSay(Fail, r.ID, "identity", "%s, without a role by which it could read the workspace", r.Identity)
		}
	}
}

// actionGroupsDeliver: somebody is told, in two ways, and none of them hangs on an
// emergency account.
func actionGroupsDeliver(v *view) {
	c := v.azure(directory.ActionGroups)
	own := map[string]bool{}
	for _, u := range v.accounts() {
		for _, mail := range append([]string{u.UPN, u.Mail}, u.OtherMails...) {
			own[strings.ToLower(mail)] = true
		}
	}
	delete(own, "")
	for _, r := range v.watching() {
		receivers, channels, webhook := 0, map[string]bool{}, false
		unread := false
		for _, id := range r.ActionGroups {
			i := slices.IndexFunc(c.ActionGroups, func(g *directory.ActionGroup) bool { return directory.SameResource(g.ID, id) })
			switch {
			case i < 0:
				v.azureSay(Unknown, id, "actionGroups", "of %s is in no subscription that was read, or gone", r.Name)
				unread = true
				continue
			case c.ActionGroups[i].Enabled == truth.False:
				v.azureSay(Fail, id, "enabled", "false")
				continue
			case c.ActionGroups[i].Enabled == truth.Unknown:
				v.azureSay(Unknown, id, "enabled", "not told")
			}
			for _, x := range c.ActionGroups[i].Receivers {
				switch {
				case x.Status == "Disabled" || x.Channel == "email" && x.Status != "Enabled":
					v.azureSay(Warn, id, x.Channel+"Receivers", "%s is %s: it is not told", x.Name, orNothing(x.Status))
					continue
				case own[strings.ToLower(x.Address)]:
					v.azureSay(Fail, id, x.Channel+"Receivers", "%s is an emergency account's own mailbox", x.Name)
					continue
				}
				receivers++
				channels[x.Channel] = true
				webhook = webhook || x.Channel == "webhook"
			}
		}
		switch {
		case receivers >= 2 && len(channels) >= 2:
			v.azureSay(Pass, r.ID, "actionGroups", "%d receivers, %d channels", receivers, len(channels))
			if !webhook {
				v.azureSay(Warn, r.ID, "actionGroups", "no webhook: nothing outside of Azure is told")
			}
		case !unread:
			v.azureSay(Fail, r.ID, "actionGroups", "%d that are told over %d channels: at least two of each", receivers, len(channels))
		}
	}
}

func orNothing(s string) string {
	if s == "" {
		return "not confirmed"
	}
	return s
}

// notSuppressed: no alert processing rule takes the action groups from the alerts, and
// Microsoft Sentinel does not close what it makes of them.
func notSuppressed(v *view) {
	notClosed(v)
	c := v.azure(directory.ProcessingRules)
	for _, r := range v.watching() {
		clean := true
		for _, p := range c.ProcessingRules {
			if !p.Removes || p.Enabled == truth.False {
				continue
			}
			if until, err := time.Parse("2006-01-02T15:04:05", p.Until); err == nil && until.Before(v.moment().Add(-26*time.Hour)) {
				continue // over, in whatever zone it is written
			}
			switch p.Enabled.And(covers(p, r)) {
			case truth.True:
				clean = false
				when := ""
				if p.Recurs {
					when = " at some hours"
				}
				v.azureSay(Fail, p.ID, "actions", "takes all action groups from the alerts of %s%s", r.Name, when)
			case truth.Unknown:
				clean = false
				v.azureSay(Unknown, p.ID, "conditions", "may take all action groups from the alerts of %s", r.Name)
			}
		}
		if clean {
			v.azureSay(Pass, r.ID, "actionRules", "none suppresses it")
		}
	}
}

// covers says whether a processing rule is about the alerts of an alert rule.
func covers(p *directory.ProcessingRule, r *directory.AlertRule) truth.Value {
	in := slices.ContainsFunc(p.Scopes, func(s string) bool {
		return directory.Within(r.ID, s) || slices.ContainsFunc(r.Scopes, func(target string) bool { return directory.Within(target, s) })
	})
	if !in {
		return truth.False
	}
	all := truth.True
	for _, c := range p.Conditions {
		var have []string
		switch c.Field {
		case "Severity":
			if r.Severity < 0 {
				all = all.And(truth.Unknown)
				continue
			}
			have = []string{"Sev" + string(rune('0'+min(r.Severity, 9)))}
		case "MonitorService":
			have = []string{"Log Alerts V2"}
		case "MonitorCondition":
			have = []string{"Fired"}
		case "SignalType":
			have = []string{"Log"}
		case "AlertRuleId":
			have = []string{r.ID}
		case "AlertRuleName":
			have = []string{r.Name}
		case "TargetResource":
			have = r.Scopes
		case "TargetResourceType":
			have = []string{"microsoft.operationalinsights/workspaces"}
		case "TargetResourceGroup":
			for _, s := range r.Scopes {
				if parts := strings.Split(strings.Trim(s, "/"), "/"); len(parts) > 3 {
					have = append(have, parts[3])
				}
			}
		default:
			all = all.And(truth.Unknown)
			continue
		}
		hit := slices.ContainsFunc(have, func(h string) bool {
			return slices.ContainsFunc(c.Values, func(x string) bool {
				if strings.HasPrefix(c.Operator, "Contains") || c.Operator == "DoesNotContain" {
					return strings.Contains(strings.ToLower(h), strings.ToLower(x))
				}
				return strings.EqualFold(h, x)
			})
		})
		switch c.Operator {
		case "Equals", "Contains":
			all = all.And(truth.Of(hit))
		case "NotEquals", "DoesNotContain":
			all = all.And(truth.Of(!hit))
		default:
			all = all.And(truth.Unknown)
		}
	}
	return all
}

// tampering is what somebody does who disarms the accounts or their alarm first.
func (o *Options) tampering(now time.Time) []bait {
	var list []bait
	for _, x := range []struct{ operation, category, service string }{
		{"Update conditional access policy", "Policy", "Conditional Access"},
		{"Delete conditional access policy", "Policy", "Conditional Access"},
		{"Update named location", "Policy", "Conditional Access"},
		{"Authentication Methods Policy Update", "ApplicationManagement", "Authentication Methods"},
		{"Update role setting in PIM", "RoleManagement", "PIM"},
		{"Remove member from restricted management administrative unit", "AdministrativeUnit", "Core Directory"},
	} {
		r := audit(now, x.operation, "")
		r.Cells["Category"], r.Cells["LoggedByService"] = x.category, x.service
		list = append(list, bait{x.operation, r})
	}
	if o.Group != "" && o.Targeting == TargetGroup {
		r := audit(now, "Add member to group", "")
		r.Cells["Category"], r.Cells["LoggedByService"] = "GroupManagement", "Core Directory"
		r.Cells["TargetResources"] = `[{"id":"00000000-0000-4000-8000-000000000000","type":"User","modifiedProperties":[{"displayName":"Group.ObjectID","oldValue":null,"newValue":"\"` + o.Group + `\""}]},{"id":"` + o.Group + `","type":"Group"}]`
		list = append(list, bait{"a member added to the accounts' group", r})
	}
	r := audit(now, "Add member to role", "")
	r.Cells["Category"], r.Cells["LoggedByService"] = "RoleManagement", "Core Directory"
	r.Cells["TargetResources"] = `[{"id":"00000000-0000-4000-8000-000000000000","type":"User","modifiedProperties":[{"displayName":"Role.DisplayName","oldValue":null,"newValue":"\"Global Administrator\""},{"displayName":"Role.TemplateId","oldValue":null,"newValue":"\"` + directory.GlobalAdministrator + `\""}]}]`
	return append(list, bait{"a new Global Administrator", r})
}

// tamperingWatched: an alert comes of each of these, and of changes to the alarm itself.
func tamperingWatched(v *view) {
	c := v.azure(directory.ActivityAlerts)
	v.rules()
	workspaces, _ := v.destinations("AuditLogs")
	say := func(name string, a alarm) {
		switch a.is {
		case truth.True:
			v.pass("", name, "%s fires", a.rules[0].Name)
		case truth.Unknown:
			v.unknown("", name, "%s", a.why)
		default:
			v.fail("", name, "%s", a.why)
		}
	}
	for _, p := range v.o.tampering(v.moment()) {
		say(p.name, v.alarm(p.record, workspaces))
	}
	for _, operation := range []string{
		"Microsoft.Insights/scheduledQueryRules/write", "Microsoft.Insights/scheduledQueryRules/delete",
		"Microsoft.Insights/actionGroups/write", "Microsoft.Insights/actionGroups/delete",
	} {
		if i := slices.IndexFunc(c.ActivityAlerts, func(a *directory.ActivityAlert) bool { return tells(a, operation) }); i >= 0 {
			v.pass("", operation, "%s fires", c.ActivityAlerts[i].Name)
			continue
		}
		say(operation, v.alarm(activity(v.moment(), operation), workspaces))
	}
	// Entra's diagnostic settings stand in no subscription: what becomes of them is told by
	// the activity log of the tenant, which no alert of a subscription reads.
	if a := v.alarm(activity(v.moment(), "microsoft.aadiam/diagnosticSettings/delete"), workspaces); a.is == truth.True {
		v.pass("", "microsoft.aadiam/diagnosticSettings", "%s fires", a.rules[0].Name)
	} else {
		v.warn("", "microsoft.aadiam/diagnosticSettings", "no alert tells that they were changed: compare snapshots")
	}
}

// activity is a record of the activity log.
func activity(now time.Time, operation string) trial.Record {
	return trial.Record{
		Table: "AzureActivity", Alone: logTables,
		Cells:  map[string]any{"TimeGenerated": now.Add(-time.Minute), "OperationNameValue": strings.ToUpper(operation), "CategoryValue": "Administrative", "ActivityStatusValue": "Success", "Type": "AzureActivity"},
		Filled: []string{"Caller", "CorrelationId", "EventDataId", "ResourceId", "_ResourceId", "SubscriptionId"},
	}
}

// tells says whether an alert on the activity log fires for an operation wherever it is
// done in its scopes.
func tells(a *directory.ActivityAlert, operation string) bool {
	if a.Enabled != truth.True || len(a.ActionGroups) == 0 || len(a.Scopes) == 0 {
		return false
	}
	var holds func(directory.ActivityCondition) bool
	holds = func(c directory.ActivityCondition) bool {
		if len(c.Any) > 0 {
			return slices.ContainsFunc(c.Any, holds)
		}
		have := map[string]string{"category": "Administrative", "operationname": operation, "resourceprovider": "Microsoft.Insights", "status": "Succeeded"}[strings.ToLower(c.Field)]
		return have != "" && (strings.EqualFold(c.Equals, have) || slices.ContainsFunc(c.Contains, func(s string) bool {
			return s != "" && strings.Contains(strings.ToLower(have), strings.ToLower(s))
		}))
	}
	return !slices.ContainsFunc(a.Conditions, func(c directory.ActivityCondition) bool { return !holds(c) })
}

// secondWatcher: Azure is not the only place where somebody looks.
func secondWatcher(v *view) {
	v.read(directory.DiagnosticSettings, "")
	if len(v.o.Watchers) == 0 {
		v.unknown("", "watchers", "no watcher beside Azure is declared")
		return
	}
	for _, w := range v.o.Watchers {
		if strings.EqualFold(w.Road, "workspace") {
			v.fail("", "watchers", "%s reads the workspace too: what silences it silences both", w.Name)
		} else {
			v.pass("", "watchers", "%s reads %s", w.Name, w.Road)
		}
	}
}

// writers are roles of Azure that may delete what alarms: Owner, Contributor, User Access
// Administrator, and the contributors of monitoring and of Log Analytics.
var writers = map[string]string{
	"8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner", "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
	"18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator", "749f88d5-cbae-40b8-bcfc-e573ddc772fa": "Monitoring Contributor",
	"92aaf0da-9dab-42b6-94a3-d43ce8d16293": "Log Analytics Contributor",
}

// infrastructureLocked: what alarms cannot be deleted by a slip, and who may change it is
// told.
func infrastructureLocked(v *view) {
	c := v.azure(directory.Locks, directory.AzureAssignments)
	workspaces, _ := v.destinations("SignInLogs")
	guarded := slices.Clone(workspaces)
	for _, r := range v.watching() {
		guarded = append(append(guarded, r.ID), r.ActionGroups...)
	}
	slices.Sort(guarded)
	for _, id := range slices.CompactFunc(guarded, directory.SameResource) {
		locked := slices.ContainsFunc(c.Locks, func(l *directory.Lock) bool {
			return (l.Level == "CanNotDelete" || l.Level == "ReadOnly") && l.Scope() != "" && directory.Within(id, l.Scope())
		})
		if locked {
			v.azureSay(Pass, id, "locks", "cannot be deleted")
		} else {
			v.azureSay(Fail, id, "locks", "no lock keeps it from being deleted")
		}
	}
	for _, a := range c.AzureAssignments {
		role, ok := writers[a.Role]
		if ok && slices.ContainsFunc(guarded, func(id string) bool { return directory.Within(id, a.Scope) }) {
			v.say(Pass, a.Principal, "roleAssignments", "may change it: %s at %s", role, a.Scope)
		}
	}
}
