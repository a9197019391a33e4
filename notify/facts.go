package notify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"glassward"
)

// A Fact is one labelled line of a message.
type Fact struct {
	Label string
	Value string
}

// maxDistinct bounds how many different values of one fact are listed.
const maxDistinct = 5

// A row reads one result row by column name, in any case.
type row struct {
	columns map[string]int
	cells   []string
}

// rows gives an alert's result rows for reading.
func rows(a glassward.Alert) []row {
	columns := make(map[string]int, len(a.Columns))
	for i, c := range a.Columns {
		columns[strings.ToLower(c)] = i
	}
	out := make([]row, min(len(a.Rows), maxRowsRead))
	for i := range out {
		out[i] = row{columns, a.Rows[i]}
	}
	return out
}

// Bounds of what is read of an alert: its rows, which the rule bounds too, and
// the bytes of one cell, which nobody does.
const (
	maxRowsRead = 150
	maxCell     = 64 << 10
)

// get gives the first of the columns that the row has a value in.
func (r row) get(columns ...string) string {
	for _, c := range columns {
		if i, ok := r.columns[strings.ToLower(c)]; ok && i < len(r.cells) && r.cells[i] != "" && r.cells[i] != "null" {
			return r.cells[i][:min(len(r.cells[i]), maxCell)]
		}
	}
	return ""
}

// object reads a column that holds a JSON object, nil if it holds none.
func (r row) object(column string) map[string]any {
	var v map[string]any
	if json.Unmarshal([]byte(r.get(column)), &v) != nil {
		return nil
	}
	return v
}

// objects reads a column that holds a JSON array of objects.
func (r row) objects(column string) []map[string]any {
	var v []map[string]any
	if json.Unmarshal([]byte(r.get(column)), &v) != nil {
		return nil
	}
	return v
}

// text follows a path of names through JSON objects to a string.
func text(v map[string]any, path ...string) string {
	for i, name := range path {
		if i == len(path)-1 {
			s, _ := v[name].(string)
			return s
		}
		v, _ = v[name].(map[string]any)
	}
	return ""
}

// facts answers who, what, from where, with which application, with which
// result and what Conditional Access said, from the result rows; where a query
// did not keep the columns, from the alert's entities.
func facts(a glassward.Alert) []Fact {
	all := rows(a)
	out := []Fact{
		{"Who", distinct(all, who)},
		{"What", distinct(all, what)},
		{"Target", distinct(all, target)},
		{"From", distinct(all, from)},
		{"Application", distinct(all, application)},
		{"Result", distinct(all, result)},
		{"Conditional Access", distinct(all, conditionalAccess)},
		{"Authentication", distinct(all, authentication)},
		{"Client", distinct(all, client)},
	}
	for i, f := range out {
		if f.Value == "" {
			out[i].Value = fromEntities(a.Entities, f.Label)
		}
	}
	return slices.DeleteFunc(out, func(f Fact) bool { return f.Value == "" })
}

// distinct lists the different answers that the rows give, in their order.
func distinct(all []row, answer func(row) string) string {
	var values []string
	seen := map[string]bool{"": true}
	for _, r := range all {
		if v := answer(r); !seen[v] {
			seen[v] = true
			values = append(values, v)
		}
	}
	if more := len(values) - maxDistinct; more > 0 {
		values = append(values[:maxDistinct], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(values, "; ")
}

// named joins a name with what identifies it: "name (id)".
func named(name, id string) string {
	switch {
	case name == "":
		return id
	case id == "" || id == name:
		return name
	}
	return name + " (" + id + ")"
}

// who prefers whoever acted to whom a row speaks of otherwise: an audit record
// names both. Each name is taken with the id that belongs to it.
func who(r row) string {
	actor := named(
		r.get("InitiatedByUserPrincipalName", "InitiatingUserPrincipalName", "InitiatorUPN", "InitiatorName", "Initiator", "ActorUPN", "ActorName", "Actor", "Caller"),
		r.get("ActorId", "InitiatorId", "InitiatedByUserId", "InitiatorPrincipalId"))
	if actor != "" {
		return actor
	}
	by := r.object("InitiatedBy")
	if s := named(text(by, "user", "userPrincipalName"), text(by, "user", "id")); s != "" {
		return s
	}
	if s := named(text(by, "app", "displayName"), text(by, "app", "servicePrincipalId")); s != "" {
		return s
	}
	name := r.get("UserPrincipalName", "AccountUPN")
	id := r.get("UserId", "AccountObjectId", "AccountId")
	if name == "" {
		if sp := r.get("ServicePrincipalName", "ServicePrincipalId"); sp != "" {
			name, id = r.get("ServicePrincipalName"), r.get("ServicePrincipalId")
		}
	}
	account := r.get("Account")
	if name == "" {
		name, account = cmp.Or(account, r.get("UserDisplayName", "AccountName", "Identity", "User")), ""
	}
	if account != "" && !strings.EqualFold(account, name) {
		name = account + ", " + name
	}
	return named(name, id)
}

func what(r row) string {
	return r.get("OperationName", "ActivityDisplayName", "Operation", "Activity", "OperationNameValue")
}

func target(r row) string {
	if t := r.get("TargetUserPrincipalName", "TargetUPN", "TargetDisplayName", "TargetName", "Target"); t != "" {
		return named(t, r.get("TargetId", "TargetObjectId"))
	}
	if p := r.get("PolicyName"); p != "" {
		return named(p, r.get("PolicyId"))
	}
	var names []string
	if json.Unmarshal([]byte(r.get("Targets")), &names) == nil && len(names) > 0 {
		return strings.Join(names[:min(len(names), maxDistinct)], ", ")
	}
	for _, t := range r.objects("TargetResources") {
		name := text(t, "displayName")
		if name == "" {
			name = text(t, "userPrincipalName")
		}
		if s := named(name, text(t, "id")); s != "" && len(names) < maxDistinct {
			names = append(names, s)
		}
	}
	return strings.Join(names, ", ")
}

func from(r row) string {
	address := r.get("IPAddress", "IpAddress", "ClientIP", "CallerIpAddress", "ClientIPAddress", "IP", "SourceIP")
	if address == "" {
		by := r.object("InitiatedBy")
		if address = text(by, "user", "ipAddress"); address == "" {
			address = text(by, "app", "ipAddress")
		}
	}
	place := r.object("LocationDetails")
	var parts []string
	for _, s := range []string{
		r.get("City"), text(place, "city"), r.get("State"), text(place, "state"),
		r.get("Country", "CountryOrRegion"), text(place, "countryOrRegion"), r.get("Location"),
	} {
		if s != "" && !slices.Contains(parts, s) {
			parts = append(parts, s)
		}
	}
	where := strings.Join(parts, ", ")
	switch {
	case address == "":
		return where
	case where == "":
		return address
	}
	return address + ", " + where
}

func application(r row) string {
	app := named(r.get("AppDisplayName", "Application", "ApplicationName", "ClientAppName"), r.get("AppId", "ApplicationId", "ClientAppId"))
	if to := r.get("ResourceDisplayName", "TargetResource"); to != "" && app != "" && !strings.HasPrefix(app, to) {
		app += " to " + to
	}
	return app
}

func result(r row) string {
	code := r.get("ResultType", "ErrorCode", "ResultCode", "Code")
	outcome := r.get("Outcome", "ResultClass", "Result", "Status")
	if r.get("Outcome") != "" { // the shipped rules say it in words too
		outcome = r.get("What", "Outcome")
		code = cmp.Or(code, r.get("Result"))
	}
	switch {
	case code == "0" && outcome == "":
		outcome = "completed"
	case strings.HasPrefix(outcome, "{"): // Status of a sign-in is an object
		outcome = ""
	}
	words := r.get("Reason", "ResultDescription", "ResultReason", "FailureReason")
	var parts []string
	for _, s := range []string{code, outcome, words} {
		if s != "" && s != "None" && !slices.Contains(parts, s) {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

func conditionalAccess(r row) string {
	status := r.get("ConditionalAccessStatus", "ConditionalAccess", "CAStatus")
	var applied []string
	for _, column := range []string{"ConditionalAccessPolicies", "AppliedConditionalAccessPolicies"} {
		for _, p := range r.objects(column) {
			switch res := text(p, "result"); res {
			case "", "notApplied", "notEnabled", "reportOnlyNotApplied":
			default:
				if len(applied) < maxDistinct {
					applied = append(applied, text(p, "displayName")+": "+res)
				}
			}
		}
	}
	if len(applied) == 0 {
		return status
	}
	return strings.TrimPrefix(status+" ("+strings.Join(applied, ", ")+")", " ")
}

func authentication(r row) string {
	s := r.get("AuthenticationRequirement")
	if m := r.get("AuthenticationMethodsUsed", "AuthenticationMethod"); m != "" {
		s = strings.TrimPrefix(s+", "+m, ", ")
	}
	return s
}

func client(r row) string {
	s := r.get("ClientAppUsed")
	if agent := r.get("UserAgent"); agent != "" {
		s = strings.TrimPrefix(s+", "+agent, ", ")
	}
	return s
}

// fromEntities answers from the alert's entities what the rows did not.
func fromEntities(entities []glassward.Entity, label string) string {
	var values []string
	for _, e := range entities {
		id := e.Identifiers
		v := ""
		switch {
		case label == "Who" && e.Type == "Account":
			name := id["FullName"]
			if name == "" && id["Name"] != "" {
				name = id["Name"]
				if id["UPNSuffix"] != "" {
					name += "@" + id["UPNSuffix"]
				}
			}
			if name == "" {
				name = id["DisplayName"]
			}
			v = named(name, cmp.Or(id["AadUserId"], id["ObjectGuid"]))
		case label == "From" && e.Type == "IP":
			v = id["Address"]
		case label == "Application" && e.Type == "CloudApplication":
			v = named(id["Name"], id["AppId"])
		}
		if v != "" && !slices.Contains(values, v) && len(values) < maxDistinct {
			values = append(values, v)
		}
	}
	return strings.Join(values, "; ")
}
