package posture

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"glassward/directory"
	"glassward/directory/truth"
	"glassward/kql/trial"
	"glassward/schema"
)

// logTables are those that records of the logs come to. A rule that needs a record in
// another of them beside the one that is tried does not fire for it.
var logTables = []string{
	"SigninLogs", "AuditLogs", "AADNonInteractiveUserSignInLogs", "AADServicePrincipalSignInLogs", "AADManagedIdentitySignInLogs",
	"ADFSSignInLogs", "AADProvisioningLogs", "AADRiskyUsers", "AADUserRiskEvents", "MicrosoftGraphActivityLogs",
	"AzureActivity", "OfficeActivity", "SecurityAlert", "SecurityIncident",
}

// catalog is that of the tables that alert rules read.
var catalog = sync.OnceValue(func() *schema.Catalog { return schema.Default().Catalog() })

// A bait is a record by which alert rules are tried: what they must fire for. It
// says what is the same in all such records; of the rest nothing is known, so that a rule
// that fires for some of them only is seen to.
type bait struct {
	name   string // what it is, for people
	record trial.Record
}

// signIns are the sign-ins of an account for which an alert must come: whether policies
// applied to it or not, and where it failed.
func signIns(account string, now time.Time) []bait {
	make := func(name, result, conditional string) bait {
		return bait{name, trial.Record{
			Table: "SigninLogs", Alone: logTables,
			Cells: map[string]any{
				"TimeGenerated": now.Add(-time.Minute), "CreatedDateTime": now.Add(-time.Minute), "UserId": account, "ResultType": result,
				"ConditionalAccessStatus": conditional, "OperationName": "Sign-in activity", "Category": "SignInLogs", "Type": "SigninLogs",
				"UserType": "Member", "IsInteractive": true, "CrossTenantAccessType": "none",
			},
			Filled: []string{"Id", "CorrelationId", "UserPrincipalName", "UserDisplayName", "Identity", "IPAddress", "AppDisplayName", "AppId", "ClientAppUsed",
				"ResourceDisplayName", "ResourceIdentity", "UserAgent", "AuthenticationRequirement", "AADTenantId", "TenantId", "ResourceId", "UniqueTokenIdentifier"},
		}}
	}
	return []bait{
		make("a sign-in to which policies applied", "0", "success"),
		make("a sign-in to which no policy applied", "0", "notApplied"),
		make("an attempt with a wrong password", "50126", "notApplied"),
	}
}

// audits are records of the directory's changes: by an account and to it.
func audits(account string, now time.Time) []bait {
	by, to := audit(now, "", ""), audit(now, "", account)
	by.Cells["InitiatedBy"] = `{"user":{"id":"` + account + `"}}`
	return []bait{{"what the account does", by}, {"what is done to the account", to}}
}

// audit is a record of a change. Without an operation or a target, these may be any.
func audit(now time.Time, operation, target string) trial.Record {
	r := trial.Record{
		Table: "AuditLogs", Alone: logTables,
		Cells: map[string]any{"TimeGenerated": now.Add(-time.Minute), "ActivityDateTime": now.Add(-time.Minute), "Result": "success", "Type": "AuditLogs"},
		Filled: []string{"Id", "CorrelationId", "OperationName", "ActivityDisplayName", "Category", "LoggedByService", "AADOperationType",
			"AADTenantId", "TenantId", "ResourceId", "Identity"},
	}
	if operation != "" {
		r.Cells["OperationName"], r.Cells["ActivityDisplayName"] = operation, operation
	}
	if target != "" {
		r.Cells["TargetResources"] = `[{"id":"` + target + `"}]`
	}
	return r
}

// A queried rule is an alert rule with its queries, as far as they can be tried.
type queried struct {
	rule    *directory.AlertRule
	queries []*trial.Query // nil where there is an error
	errors  []error
}

// rules gives the alert rules, each bound once for all checks.
func (v *view) rules() []*queried {
	v.read(directory.AlertRules, "")
	a := v.a
	if a.queried == nil {
		a.queried = []*queried{}
		for _, r := range a.s.Contents().AlertRules {
			q := &queried{rule: r}
			for _, c := range r.Criteria {
				one, err := trial.New(c.Query, catalog())
				q.queries, q.errors = append(q.queries, one), append(q.errors, err)
			}
			a.queried = append(a.queried, q)
		}
	}
	return a.queried
}

// fires says whether a rule fires for a record, and why that is not certain.
func (q *queried) fires(p trial.Record, now time.Time) (is truth.Value, why string) {
	is = truth.True
	if len(q.queries) == 0 {
		return truth.False, "it has no query"
	}
	for i, c := range q.rule.Criteria {
		one, because := truth.Unknown, ""
		if err := q.errors[i]; err != nil {
			because = "its query cannot be tried: " + err.Error()
		} else {
			one, because = judge(c, q.queries[i].Try(p, now))
		}
		if one == truth.False || one == truth.Unknown && is == truth.True {
			is, why = one, because
		}
		if is == truth.False {
			break
		}
	}
	return is, why
}

// judge compares the rows that a query gives with the threshold.
func judge(c directory.Criterion, v trial.Verdict) (truth.Value, string) {
	if c.Aggregation != "Count" {
		return truth.Unknown, "it compares the " + c.Aggregation + " of " + c.Column
	}
	met := func(rows int) bool {
		n := float64(rows)
		switch c.Operator {
		case "GreaterThan":
			return n > c.Threshold
		case "GreaterThanOrEqual":
			return n >= c.Threshold
		case "LessThan":
			return n < c.Threshold
		case "LessThanOrEqual":
			return n <= c.Threshold
		case "Equals":
			return n == c.Threshold
		case "NotEquals": // Sentinel's
			return n != c.Threshold
		}
		return false
	}
	switch least, most := met(v.Least), met(v.Most); {
	case strings.HasSuffix(c.Operator, "Equals") && v.Least != v.Most:
	case least && most:
		return truth.True, ""
	case !least && !most:
		return truth.False, "it stays silent"
	}
	switch {
	case len(v.Others) > 0:
		return truth.Unknown, "it hangs on " + strings.Join(v.Others, ", ") + ", which is not tried"
	case len(v.Columns) > 0:
		// For some of the records that it must fire for it does not.
		return truth.False, "it fires only for some: by " + strings.Join(v.Columns, ", ")
	}
	return truth.Unknown, "its rows cannot be counted"
}

// An armed rule is one that tells somebody: enabled, with an action group, over a
// workspace that the logs go to.
func (v *view) armed(q *queried, workspaces []string) (truth.Value, string) {
	r := q.rule
	switch {
	case r.Enabled == truth.False:
		return truth.False, "it is disabled"
	case len(r.ActionGroups) == 0:
		return truth.False, "it calls no action group"
	case !slices.ContainsFunc(workspaces, func(w string) bool {
		return slices.ContainsFunc(r.Scopes, func(s string) bool { return directory.Within(w, s) })
	}):
		return truth.False, "it reads another workspace than the logs go to"
	case r.Enabled == truth.Unknown:
		return truth.Unknown, "it is not told whether it is enabled"
	}
	return truth.True, ""
}

// An alarm is what comes of a bait.
type alarm struct {
	is    truth.Value
	rules []*directory.AlertRule // those that certainly fire
	// why names the rule that comes nearest and what is wrong with it.
	why string
}

// alarm tries all rules on a record.
func (v *view) alarm(p trial.Record, workspaces []string) alarm {
	a := alarm{is: truth.False, why: "no alert rule fires"}
	nearest := 1000
	for _, q := range v.rules() {
		fires, why := q.fires(p, v.moment())
		if fires == truth.False && why == "it stays silent" {
			continue
		}
		if armed, not := v.armed(q, workspaces); armed != truth.True {
			fires, why = fires.And(armed), not
		}
		switch {
		case fires == truth.True:
			a.is, a.rules = truth.True, append(a.rules, q.rule)
		case fires == truth.Unknown && a.is == truth.False:
			a.is, a.why = truth.Unknown, q.rule.Name+": "+why
		case a.is == truth.False && strings.Count(why, ",") < nearest:
			// The fewer columns it hangs on the nearer it comes.
			nearest, a.why = strings.Count(why, ","), "no alert rule fires; "+q.rule.Name+": "+why
		}
	}
	return a
}

// moment is when rules are tried: any will do, if the snapshot does not say its own.
func (v *view) moment() time.Time {
	if t := v.a.s.Contents().Taken; !t.IsZero() {
		return t
	}
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
}

// azure gives what the snapshot holds of Azure, of parts that are marked as read.
func (v *view) azure(parts ...directory.Part) directory.Contents {
	for _, p := range parts {
		v.read(p, "")
	}
	return v.a.s.Contents()
}

// destinations gives the ids of the workspaces that a category goes to, and the names of
// other places.
func (v *view) destinations(category string) (workspaces, others []string) {
	for _, s := range v.azure(directory.DiagnosticSettings).DiagnosticSettings {
		if s.Sends(category) != truth.True {
			continue
		}
		if s.Workspace != "" {
			workspaces = append(workspaces, s.Workspace)
		}
		if s.EventHub != "" {
			others = append(others, "an event hub")
		}
		if s.StorageAccount != "" {
			others = append(others, "a storage account")
		}
	}
	slices.Sort(others)
	return workspaces, slices.Compact(others)
}

// watching gives the rules that fire for a sign-in of an emergency account, and whether
// that is all of it: each account has one.
func (v *view) watching() []*directory.AlertRule {
	workspaces, _ := v.destinations("SignInLogs")
	seen := map[string]*directory.AlertRule{}
	for _, e := range v.o.Accounts {
		for _, p := range slices.Concat(signIns(e.ID, v.moment())[:2], audits(e.ID, v.moment())) {
			for _, r := range v.alarm(p.record, workspaces).rules {
				seen[strings.ToLower(r.ID)] = r
			}
		}
	}
	var list []*directory.AlertRule
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		list = append(list, seen[id])
	}
	if len(list) == 0 {
		v.unknown("", "alert rules", "none certainly fires for an emergency account (MON-04)")
	}
	return list
}

// resourceName gives the last part of the id of a resource.
func resourceName(id string) string { return id[strings.LastIndex(id, "/")+1:] }

// azureSay says what was seen of a resource of Azure.
func (v *view) azureSay(r Result, id, property, format string, args ...any) {
	v.resourceSay(r, id, resourceName(id), property, format, args...)
}

// resourceSay is azureSay of a resource whose name is another than the last part of its id.
func (v *view) resourceSay(r Result, id, name, property, format string, args ...any) {
	v.seen = append(v.seen, Seen{Object: id, Name: name, Property: property, Value: fmt.Sprintf(format, args...), Result: r})
}
