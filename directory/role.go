package directory

import (
	"encoding/json"
	"time"

	"glassward/directory/truth"
)

// GlobalAdministrator is the template id of that directory role.
const GlobalAdministrator = "62e90394-69f5-4237-9190-012177145e10"

// A RoleDefinition is a directory role.
type RoleDefinition struct {
	ID, TemplateID, DisplayName string
	BuiltIn, Enabled            truth.Value
	// Actions are what the role may do.
	Actions []string
	Extra   Extra
}

func decodeRole(d *decoder, n node) *RoleDefinition {
	r := &RoleDefinition{}
	d.object(n, &r.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			r.ID = d.id(v)
		case "templateId":
			r.TemplateID = d.id(v)
		case "displayName":
			r.DisplayName = d.text(v)
		case "description", "version":
		case "isBuiltIn":
			r.BuiltIn = d.truth(v)
		case "isEnabled":
			r.Enabled = d.truth(v)
		case "rolePermissions":
			d.array(v, func(v node) {
				if a := v.get("allowedResourceActions"); a != nil {
					r.Actions = append(r.Actions, d.texts(a)...)
				}
			})
		default:
			return false
		}
		return true
	})
	return r
}

// A RoleAssignment says that a principal holds, or may activate, a role.
type RoleAssignment struct {
	ID, Principal, Role string
	// Scope is "/" for the whole tenant, or "/administrativeUnits/ID" and the like.
	Scope string
	// Type is Assigned or Activated, and MemberType Direct, Group or Inherited, where
	// the source told them.
	Type, MemberType string
	// Start and End bound the assignment; zero is no bound.
	Start, End time.Time
	Extra      Extra
}

func decodeAssignment(d *decoder, n node) *RoleAssignment {
	a := &RoleAssignment{}
	d.object(n, &a.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			a.ID = d.text(v)
		case "principalId":
			a.Principal = d.id(v)
		case "roleDefinitionId":
			a.Role = d.id(v)
		case "directoryScopeId":
			a.Scope = d.text(v)
		case "assignmentType":
			a.Type = d.enum(v, "Assigned", "Activated")
		case "memberType":
			a.MemberType = d.enum(v, "Direct", "Group", "Inherited")
		case "startDateTime":
			a.Start = d.time(v)
		case "endDateTime":
			a.End = d.time(v)
		case "scheduleInfo":
			d.object(v, nil, func(key string, v node) bool {
				switch key {
				case "startDateTime":
					a.Start = d.time(v)
				case "expiration":
					if e := v.get("endDateTime"); e != nil {
						a.End = d.time(e)
					}
				}
				return true
			})
		default:
			return false
		}
		return true
	})
	return a
}

// A RolePolicy holds the rules of Privileged Identity Management for a role.
type RolePolicy struct {
	ID, Role, Scope, ScopeType string
	Rules                      []RolePolicyRule
	Extra                      Extra
}

// A RolePolicyRule is one rule by its fixed id, as "Approval_EndUser_Assignment",
// with what it says as Graph gave it.
type RolePolicyRule struct {
	ID, Kind string
	JSON     json.RawMessage
}

func decodeRolePolicy(d *decoder, n node) *RolePolicy {
	p := &RolePolicy{}
	d.object(n, &p.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			p.ID = d.text(v)
		case "roleDefinitionId":
			p.Role = d.id(v)
		case "scopeId":
			p.Scope = d.text(v)
		case "scopeType":
			p.ScopeType = d.text(v)
		case "policyId":
		case "policy":
			d.object(v, nil, func(key string, v node) bool {
				if key == "rules" {
					p.Rules = list(d, v, func(d *decoder, n node) RolePolicyRule {
						r := RolePolicyRule{JSON: append(json.RawMessage(nil), n...)}
						d.object(n, nil, func(key string, v node) bool {
							switch key {
							case "id":
								r.ID = d.text(v)
							case odataType:
								r.Kind = graphType(d.text(v))
							}
							return true
						})
						return r
					})
				}
				return true
			})
		default:
			return false
		}
		return true
	})
	return p
}
