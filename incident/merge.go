package incident

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"glassward"
)

// Sentinel's bounds on what an alert carries. What lies beyond them is not
// kept in the alert; it has been looked at for facts before.
const (
	maxRows         = 150
	maxEntities     = 500
	maxDetailValues = 50
)

// merge gives the alert that holds what both know. It never takes anything
// away, merging the same again changes nothing, and what only one of two
// versions can hold (title, description, rule version) comes from the one that
// ends later or has more rows.
func merge(prev, next glassward.Alert, grew bool) glassward.Alert {
	out := prev
	if c := next.End.Compare(prev.End); c > 0 || c == 0 && next.RowCount > prev.RowCount {
		out.Title, out.Description = next.Title, next.Description
		out.RuleName, out.RuleVersion, out.QueryHash = next.RuleName, next.RuleVersion, next.QueryHash
		out.Grouping = next.Grouping
	}
	out.Records = unionRecords(prev.Records, next.Records)
	out.Severity = max(prev.Severity, next.Severity)
	out.Tactics = union(prev.Tactics, next.Tactics)
	out.Techniques = union(prev.Techniques, next.Techniques)
	out.ActionGroups = union(prev.ActionGroups, next.ActionGroups)
	out.Entities = mergeEntities(prev.Entities, next.Entities)
	out.Details = mergeDetails(prev.Details, next.Details)
	out.Columns, out.Rows = mergeRows(prev, next)
	out.RowCount = max(prev.RowCount, next.RowCount, len(out.Rows))
	out.LineageOverflow = prev.LineageOverflow || next.LineageOverflow
	out.Late = prev.Late || next.Late
	out.Inward = next.Inward
	if out.Context == nil {
		out.Context = next.Context // the first is from when it was raised
	}
	out.Start, out.End = prev.Start.UTC(), prev.End.UTC()
	if s := next.Start.UTC(); s.Before(out.Start) {
		out.Start = s
	}
	if e := next.End.UTC(); e.After(out.End) {
		out.End = e
	}
	out.Received = prev.Received.UTC()
	if r := next.Received.UTC(); r.After(out.Received) {
		out.Received = r
	}
	// Only a record that is new can confirm what later data withdrew; the same
	// evaluation, taken in twice, cannot.
	out.Unconfirmed = (prev.Unconfirmed || next.Unconfirmed) && !(grew && !next.Unconfirmed)
	if !sameAlert(prev, out) || grew {
		out.Judged = next.Judged.UTC()
	}
	return out
}

// tidy brings a new alert into the form that merge gives.
func tidy(a glassward.Alert) glassward.Alert {
	head := a
	head.Tactics, head.Techniques, head.ActionGroups = nil, nil, nil
	head.Entities, head.Details, head.Columns, head.Rows = nil, nil, nil, nil
	return merge(head, a, true)
}

// sameAlert says whether two alerts hold the same, apart from their records and
// the time of judgement.
func sameAlert(a, b glassward.Alert) bool {
	a.Judged, b.Judged = time.Time{}, time.Time{}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func mergeDetails(a, b map[string][]string) map[string][]string {
	if len(a) == 0 && len(b) == 0 {
		return nil
	}
	out := maps.Clone(a)
	if out == nil {
		out = map[string][]string{}
	}
	for k, values := range b {
		have := slices.Clone(out[k])
		for _, v := range values {
			if len(have) < maxDetailValues && !slices.Contains(have, v) {
				have = append(have, v)
			}
		}
		out[k] = have
	}
	return out
}

// mergeRows adds the rows that are not there yet, by column name, up to the
// bound.
func mergeRows(a, b glassward.Alert) (columns []string, rows [][]string) {
	columns = union1(a.Columns, b.Columns)
	seen := map[string]bool{}
	add := func(from []string, source [][]string) {
		for _, r := range source {
			if len(rows) == maxRows {
				return
			}
			row := make([]string, len(columns))
			for i, v := range r {
				if i < len(from) {
					row[slices.Index(columns, from[i])] = v
				}
			}
			if key := digest(row); !seen[key] {
				seen[key] = true
				rows = append(rows, row)
			}
		}
	}
	add(a.Columns, a.Rows)
	add(b.Columns, b.Rows)
	return columns, rows
}

// mergeEntities adds what b knows to a: new entities, and identifiers that an
// entity of a lacked.
func mergeEntities(a, b []glassward.Entity) []glassward.Entity {
	if len(a) == 0 && len(b) == 0 {
		return nil
	}
	var out []glassward.Entity
	at := map[string]int{}
	for _, e := range slices.Concat(a, b) {
		key := entityKey(e)
		i, ok := at[key]
		if !ok {
			if len(out) < maxEntities {
				at[key] = len(out)
				out = append(out, glassward.Entity{Type: e.Type, Identifiers: maps.Clone(e.Identifiers)})
			}
			continue
		}
		for k, v := range e.Identifiers {
			if v != "" && out[i].Identifiers[k] == "" {
				out[i].Identifiers[k] = v
			}
		}
	}
	return out
}

// strongIdentifiers are the identifiers by which Sentinel tells entities of a
// type apart, strongest first; those joined by + belong together.
var strongIdentifiers = map[string][]string{
	"account":          {"AadUserId", "ObjectGuid", "Sid", "PUID", "Name+UPNSuffix", "Name+NTDomain", "FullName"},
	"ip":               {"Address"},
	"cloudapplication": {"AppId", "Name"},
	"azureresource":    {"ResourceId"},
	"securitygroup":    {"ObjectGuid", "SID", "DistinguishedName"},
	"mailbox":          {"AadId", "MailboxPrimaryAddress", "Upn"},
	"host":             {"AzureID", "FullName", "HostName"},
	"url":              {"Url"},
}

// entityKey names the thing that an entity is, by its strongest identifier.
func entityKey(e glassward.Entity) string {
	kind := strings.ToLower(e.Type)
	for _, names := range strongIdentifiers[kind] {
		key, whole := kind+"|"+names, true
		for name := range strings.SplitSeq(names, "+") {
			v := e.Identifiers[name]
			whole = whole && v != ""
			if name == "Address" {
				v = address(v)
			}
			key += "|" + strings.ToLower(v)
		}
		if whole {
			return key
		}
	}
	key := kind
	for _, name := range slices.Sorted(maps.Keys(e.Identifiers)) {
		key += "|" + name + "=" + strings.ToLower(e.Identifiers[name])
	}
	return key
}

// groupKey is what alerts without an emergency account must share to be in one
// incident: the rule, and what the rule says in its Grouping, or all entities
// (Sentinel's matching method AllEntities) where it says nothing; for our own
// health alerts the subject.
func groupKey(a glassward.Alert) string {
	parts := []string{"group", a.RuleID}
	g := a.Grouping
	if g == nil || a.RuleID == HealthRule {
		g = &glassward.IncidentGrouping{Enabled: true, Matching: "AllEntities"}
	}
	switch {
	case !g.Enabled:
		parts = append(parts, "alert|"+string(a.ID))
	case g.Matching == "AnyAlert":
	case g.Matching == "Selected":
		parts = append(parts, selected(g, a)...)
	default:
		for _, e := range a.Entities {
			parts = append(parts, entityKey(e))
		}
	}
	if a.RuleID == HealthRule {
		parts = append(parts, a.Group)
	}
	slices.Sort(parts[2:])
	return digest(append(parts[:2:2], slices.Compact(parts[2:])...))
}

// selected gives what an alert has of that by which its rule groups.
func selected(g *glassward.IncidentGrouping, a glassward.Alert) (parts []string) {
	named := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
	}
	for _, e := range a.Entities {
		if named(g.Entities, e.Type) {
			parts = append(parts, entityKey(e))
		}
	}
	if named(g.AlertDetails, "DisplayName") {
		parts = append(parts, "displayname="+a.Title)
	}
	if named(g.AlertDetails, "Severity") {
		parts = append(parts, "severity="+a.Severity.String())
	}
	for _, name := range g.CustomDetails {
		for _, v := range a.Details[name] {
			parts = append(parts, "detail "+name+"="+v)
		}
	}
	return parts
}

// union gives the sorted union of two sets of strings, nil if it is empty.
func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) == 0 {
		return nil
	}
	return slices.Clip(out)
}

// union1 is union in the order of first appearance.
func union1(a, b []string) []string {
	var out []string
	for _, s := range slices.Concat(a, b) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func overlaps(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// missing gives what of want is not in have, in want's order.
func missing[T comparable](want, have []T) []T {
	set := make(map[T]struct{}, len(have))
	for _, h := range have {
		set[h] = struct{}{}
	}
	var out []T
	for _, w := range want {
		if _, ok := set[w]; !ok {
			out = append(out, w)
		}
	}
	return out
}

func unionRecords(a, b []glassward.RecordID) []glassward.RecordID {
	out := slices.Concat(a, b)
	slices.SortFunc(out, func(x, y glassward.RecordID) int { return bytes.Compare(x[:], y[:]) })
	return slices.Compact(out)
}

// AlertID gives the id that an alert of a rule has whose group and first record
// are these, 32 hex digits. first is whatever names the first cause for good.
func AlertID(tenant, rule, group, first string) glassward.AlertID {
	return glassward.AlertID(digest([]string{"alert", tenant, rule, group, first}))
}
