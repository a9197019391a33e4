package change

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"glassward/directory"
)

// A Difference is one property of one object that is otherwise than before.
type Difference struct {
	// Kind is Graph's name of what the object is: user, group, administrativeUnit,
	// conditionalAccessPolicy and so on, as the constants of this package have them.
	Kind string `json:"kind"`
	// ID is the object's, Name its display name, as it is after or else was before.
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Property is the path of the property, as "conditions.users.excludeGroups". It is
	// empty where the object itself came or went.
	Property string `json:"property,omitempty"`
	// Element names the element where the property is a set: the id of a member, of a
	// method, or the text itself.
	Element string `json:"element,omitempty"`
	// Before and After are JSON, nil where there was nothing: no object, no such
	// element, a property that is null, "", [] or {}. Of an object they are its
	// properties by their paths.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	// Part is the part of the snapshots in which it stands: its readings say when each
	// was seen.
	Part directory.Part `json:"part"`
}

// Kinds of objects, by Graph's names. An object that holds a role and stands in none
// of the lists that were read is a DirectoryObject. Those of Azure Resource Manager
// have the names of its types.
const (
	User                  = "user"
	DeletedUser           = "deletedUser"
	Group                 = "group"
	ServicePrincipal      = "servicePrincipal"
	DirectoryObject       = "directoryObject"
	Application           = "application"
	AdministrativeUnit    = "administrativeUnit"
	RoleDefinition        = "roleDefinition"
	RolePolicy            = "roleManagementPolicy" // its id is that of the role
	Policy                = "conditionalAccessPolicy"
	NamedLocation         = "namedLocation"
	AuthenticationContext = "authenticationContextClassReference"
	Strength              = "authenticationStrengthPolicy"
	MethodsPolicy         = "authenticationMethodsPolicy"
	MethodConfiguration   = "authenticationMethodConfiguration"
	SecurityDefaults      = "identitySecurityDefaultsEnforcementPolicy"
	AuthorizationPolicy   = "authorizationPolicy"
	Domain                = "domain"
	Licence               = "subscribedSku"
	DiagnosticSetting     = "diagnosticSettings"
	Workspace             = "workspaces"
	AlertRule             = "scheduledQueryRules"
	ActionGroup           = "actionGroups"
	ProcessingRule        = "actionRules"
	Lock                  = "locks"
	WorkspaceTable        = "tables"
	CollectionRule        = "dataCollectionRules"
	ActivityAlert         = "activityLogAlerts"
	OnboardingState       = "onboardingStates" // Microsoft Sentinel's, of a workspace
	AnalyticsRule         = "alertRules"       // Microsoft Sentinel's
	AutomationRule        = "automationRules"  // Microsoft Sentinel's
)

// Unseen is a part, or an object's own part, that was not read whole in one of the
// snapshots or in both: what of it is otherwise is known in part or not at all.
type Unseen struct {
	Part directory.Part
	// Object is the object's id where the part is read for each, or empty.
	Object string
	// Before and After are its readings; at least one is not whole.
	Before, After directory.Reading
}

// Why says why the part was not seen, with the permission that would have shown it;
// the newer snapshot's reason goes first.
func (u Unseen) Why() string {
	if why := u.After.Why(); why != "" {
		return why
	}
	return u.Before.Why()
}

// A Result is what a comparison came to.
type Result struct {
	// Differences are in the order of kind, object, property and element.
	Differences []Difference
	// Unseen are in the order of the parts, and of the objects in one.
	Unseen []Unseen
}

// Compare tells what is otherwise in after than in before. When people last signed in
// is not compared, and neither are the times at which objects were last modified: that
// something happened is for the logs to tell, and this tells what is.
func Compare(before, after *directory.Snapshot) Result {
	c := &comparison{before: before, after: after}
	c.objects()
	c.roles()
	c.permissions()
	c.unseen()
	slices.SortStableFunc(c.result.Differences, func(x, y Difference) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.ID, y.ID), cmp.Compare(x.Property, y.Property), cmp.Compare(x.Element, y.Element))
	})
	return c.result
}

// A comparison gathers what differs.
type comparison struct {
	before, after *directory.Snapshot
	result        Result
}

// objects compares all objects that stand in lists of their own.
func (c *comparison) objects() {
	// Beta shows conditions that v1.0 leaves out. Where it was read on one side only,
	// both are taken as v1.0 shows them.
	beta := c.before.Read(directory.BetaPolicies) == c.after.Read(directory.BetaPolicies)
	for _, k := range kinds(beta) {
		had, has := k.list(c.before), k.list(c.after)
		for _, id := range slices.Sorted(maps.Keys(union(had, has))) {
			x, y := had[id], has[id]
			switch {
			case x == nil && seen(c.before, k.part, y):
				c.differ(Difference{Kind: k.kind, ID: id, Name: y.name, After: y.whole(), Part: k.part})
			case y == nil && seen(c.after, k.part, x):
				c.differ(Difference{Kind: k.kind, ID: id, Name: x.name, Before: x.whole(), Part: k.part})
			case x != nil && y != nil:
				c.properties(k, x, y)
			}
		}
	}
}

// seen says whether it was seen whether an object is there.
func seen(s *directory.Snapshot, part directory.Part, o *object) bool {
	return s.Reading(part, o.id).State == directory.Read || o.asked != "" && s.Reading(part, o.asked).State == directory.Read
}

// properties compares two states of one object.
func (c *comparison) properties(k kind, x, y *object) {
	at := Difference{Kind: k.kind, ID: y.id, Name: cmp.Or(y.name, x.name)}
	for path := range union(x.properties, y.properties) {
		p, had := x.properties[path]
		q, has := y.properties[path]
		if (!had || !has) && k.selected || x.doubts(path) || y.doubts(path) {
			continue // not asked for, or not to be made out
		}
		if !had {
			p.whole = true
		}
		if !has {
			q.whole = true
		}
		at.Property, at.Part = path, cmp.Or(q.part, p.part, k.part)
		c.property(at, p, q)
	}
}

// property compares two states of one property.
func (c *comparison) property(at Difference, p, q property) {
	if p.elements == nil && q.elements == nil {
		if !bytes.Equal(p.is, q.is) {
			at.Before, at.After = p.shown(), q.shown()
			c.differ(at)
		}
		return
	}
	if len(p.is) > 0 || len(q.is) > 0 { // a set in the place of a single value
		at.Before, at.After = p.all(), q.all()
		c.differ(at)
		return
	}
	for key := range union(p.elements, q.elements) {
		e, had := p.elements[key]
		f, has := q.elements[key]
		if !had && !p.whole || !has && !q.whole || had && has && bytes.Equal(e.is, f.is) {
			continue
		}
		at.Element, at.Before, at.After = key, e.shown(), f.shown()
		c.differ(at)
	}
}

func (c *comparison) differ(d Difference) { c.result.Differences = append(c.result.Differences, d) }

// unseen lists what was not read whole.
func (c *comparison) unseen() {
	x, y := c.before.Contents(), c.after.Contents()
	for _, p := range directory.Parts() {
		before, after := c.before.Reading(p, ""), c.after.Reading(p, "")
		if before.State != directory.Read || after.State != directory.Read {
			c.result.Unseen = append(c.result.Unseen, Unseen{Part: p, Before: before, After: after})
		}
		for _, id := range slices.Sorted(maps.Keys(union(x.ObjectReadings[p], y.ObjectReadings[p]))) {
			before, after := c.before.Reading(p, id), c.after.Reading(p, id)
			if before.State != directory.Read || after.State != directory.Read {
				c.result.Unseen = append(c.result.Unseen, Unseen{Part: p, Object: id, Before: before, After: after})
			}
		}
	}
}

// union holds the keys of both maps.
func union[V any](x, y map[string]V) map[string]struct{} {
	keys := make(map[string]struct{}, len(x)+len(y))
	for k := range x {
		keys[k] = struct{}{}
	}
	for k := range y {
		keys[k] = struct{}{}
	}
	return keys
}
