package directory

import (
	"encoding/json"
	"time"

	"glassward/directory/truth"
)

// A RiskyUser is an account about which Identity Protection keeps a risk (Graph's
// riskyUser). An account that was never at risk has none.
type RiskyUser struct {
	ID, UPN string
	// Level is none, low, medium, high or hidden; State is none, confirmedSafe,
	// remediated, dismissed, atRisk or confirmedCompromised.
	Level, State, Detail string
	Updated              time.Time
	Extra                Extra
}

func decodeRiskyUser(d *decoder, n node) *RiskyUser {
	u := &RiskyUser{}
	d.object(n, &u.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			u.ID = d.id(v)
		case "userPrincipalName":
			u.UPN = d.text(v)
		case "riskLevel":
			u.Level = d.enum(v, riskLevels...)
		case "riskState":
			u.State = d.enum(v, "none", "confirmedSafe", "remediated", "dismissed", "atRisk", "confirmedCompromised")
		case "riskDetail":
			u.Detail = d.text(v)
		case "riskLastUpdatedDateTime":
			u.Updated = d.time(v)
		default:
			return v.kind() == 'n'
		}
		return true
	})
	return u
}

// An AccessReview is a recurring review of who should keep access (Graph's
// accessReviewScheduleDefinition).
type AccessReview struct {
	ID, DisplayName, Status string
	// Scope is what is reviewed, as Graph gave it: queries that name groups, roles and
	// people by their ids.
	Scope []json.RawMessage
	// AutoApply says whether decisions are applied when the review ends; DefaultDecision
	// is what counts for who was not reviewed, if DefaultEnabled: None, Approve, Deny or
	// Recommendation.
	AutoApply, DefaultEnabled truth.Value
	DefaultDecision           string
	Extra                     Extra
}

func decodeAccessReview(d *decoder, n node) *AccessReview {
	r := &AccessReview{}
	d.object(n, &r.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			r.ID = d.text(v)
		case "displayName":
			r.DisplayName = d.text(v)
		case "status":
			r.Status = d.text(v)
		case "scope", "instanceEnumerationScope":
			if !v.empty() {
				r.Scope = append(r.Scope, append(json.RawMessage(nil), v...))
			}
		case "settings":
			d.object(v, nil, func(key string, v node) bool {
				switch key {
				case "autoApplyDecisionsEnabled":
					r.AutoApply = d.truth(v)
				case "defaultDecisionEnabled":
					r.DefaultEnabled = d.truth(v)
				case "defaultDecision":
					r.DefaultDecision = d.enum(v, "None", "Approve", "Deny", "Recommendation")
				}
				return true
			})
		default:
			return false
		}
		return true
	})
	return r
}

// A LifecycleWorkflow is what is done to accounts by itself when people come, move or
// leave.
type LifecycleWorkflow struct {
	ID, DisplayName string
	// Category is joiner, mover or leaver.
	Category           string
	Enabled, Scheduled truth.Value
	// Rule says for whom it runs, in Graph's words; empty if that is not told.
	Rule  string
	Extra Extra
}

func decodeLifecycleWorkflow(d *decoder, n node) *LifecycleWorkflow {
	w := &LifecycleWorkflow{}
	d.object(n, &w.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			w.ID = d.text(v)
		case "displayName":
			w.DisplayName = d.text(v)
		case "category":
			w.Category = d.enum(v, "joiner", "mover", "leaver")
		case "isEnabled":
			w.Enabled = d.truth(v)
		case "isSchedulingEnabled":
			w.Scheduled = d.truth(v)
		case "executionConditions":
			if scope := v.get("scope"); scope.kind() == '{' {
				if r := scope.get("rule"); r != nil {
					w.Rule = d.text(r)
				}
			}
		default:
			return false
		}
		return true
	})
	return w
}

// A RoleAlert is an alert of Privileged Identity Management about directory roles
// (Graph's unifiedRoleManagementAlert, beta).
type RoleAlert struct {
	ID string
	// Definition is the kind, as DirectoryRole_TENANT_StaleSignInAlert.
	Definition string
	Active     truth.Value
	Count      int
	// Incidents are what the alert is about; there may be fewer than Count.
	Incidents []RoleAlertIncident
	Extra     Extra
}

// A RoleAlertIncident is one account that an alert is about.
type RoleAlertIncident struct{ ID, Kind, Assignee string }

func decodeRoleAlert(d *decoder, n node) *RoleAlert {
	a := &RoleAlert{}
	d.object(n, &a.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			a.ID = d.text(v)
		case "alertDefinitionId":
			a.Definition = d.text(v)
		case "isActive":
			a.Active = d.truth(v)
		case "incidentCount":
			a.Count = d.number(v)
		case "alertIncidents":
			a.Incidents = list(d, v, func(d *decoder, n node) RoleAlertIncident {
				var i RoleAlertIncident
				d.object(n, nil, func(key string, v node) bool {
					switch key {
					case odataType:
						i.Kind = graphType(d.text(v))
					case "id":
						i.ID = d.text(v)
					case "assigneeId":
						i.Assignee = d.id(v)
					}
					return true
				})
				return i
			})
		default:
			return false
		}
		return true
	})
	return a
}

// A GroupSchedule says that a principal is a member or owner of a group, or may become
// one by activating it (Privileged Identity Management for groups).
type GroupSchedule struct {
	ID, Group, Principal string
	Access               string // member, owner
	// Type is assigned or activated of who is one, and "" of who may become one.
	Type       string
	Start, End time.Time
	Extra      Extra
}

func decodeGroupSchedule(d *decoder, n node) GroupSchedule {
	e := GroupSchedule{}
	d.object(n, &e.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			e.ID = d.text(v)
		case "groupId":
			e.Group = d.id(v)
		case "principalId":
			e.Principal = d.id(v)
		case "accessId":
			e.Access = d.enum(v, "member", "owner")
		case "assignmentType":
			e.Type = d.enum(v, "assigned", "activated")
		case "startDateTime":
			e.Start = d.time(v)
		case "endDateTime":
			e.End = d.time(v)
		default:
			return false
		}
		return true
	})
	return e
}

// A ProtectedAction is an action on the directory that may ask for an authentication
// context (Graph's unifiedRbacResourceAction, beta).
type ProtectedAction struct {
	ID, Name string
	// Context is the authentication context that it asks for, as c1, or "".
	Context string
	Extra   Extra
}

func decodeProtectedAction(d *decoder, n node) *ProtectedAction {
	a := &ProtectedAction{}
	d.object(n, &a.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			a.ID = d.text(v)
		case "name":
			a.Name = d.text(v)
		case "authenticationContextId":
			a.Context = d.text(v)
		default:
			return false
		}
		return true
	})
	return a
}

// PasswordRuleSettings is the template of the settings of smart lockout and banned
// passwords.
const PasswordRuleSettings = "5cf42378-d67d-4f36-ba46-e8b86229381d"

// A GroupSetting is a set of directory settings (Graph's groupSetting). One that does
// not exist has its template's defaults.
type GroupSetting struct {
	ID, DisplayName string
	// Template is the id of the template, as PasswordRuleSettings.
	Template string
	Values   map[string]string
	Extra    Extra
}

func decodeGroupSetting(d *decoder, n node) *GroupSetting {
	s := &GroupSetting{Values: map[string]string{}}
	d.object(n, &s.Extra, func(key string, v node) bool {
		switch key {
		case "id":
			s.ID = d.text(v)
		case "displayName":
			s.DisplayName = d.text(v)
		case "templateId":
			s.Template = d.id(v)
		case "values":
			d.array(v, func(v node) {
				var name, value string
				d.object(v, nil, func(key string, v node) bool {
					switch key {
					case "name":
						name = d.text(v)
					case "value":
						value = d.text(v)
					}
					return true
				})
				s.Values[name] = value
			})
		default:
			return false
		}
		return true
	})
	return s
}
