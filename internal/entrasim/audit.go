package entrasim

import (
	_ "embed"
	"strconv"
	"strings"
)

// An audit is what all forms of a directory audit are written from.
type audit struct {
	category, service, kind string // kind is the operationType
	by                      actor
	targets                 []target
	details                 [][2]string
	result, reason          string
	ip                      string
	record                  string // id of the Management Activity record
}

// An actor is a user, or an application when app is set.
type actor struct {
	user *User
	app  *ServicePrincipal
}

type target struct {
	id, name, upn, kind string
	changes             []change
}

// A change is a modified property; the values are JSON text.
type change struct{ name, old, new string }

//go:embed operations.txt
var operationsText string

// An operation is a line of operations.txt.
type operation struct {
	weight                                       float64
	actor, target, kind, service, category, name string
}

// readOperations reads the operations of a class with the sum of their weights.
func readOperations(class string) (list []operation, sum float64) {
	for line := range strings.SplitSeq(operationsText, "\n") {
		f := strings.Split(line, "|")
		if len(f) != 8 || f[0] != class {
			continue
		}
		weight, _ := strconv.ParseFloat(f[1], 64)
		list = append(list, operation{weight, f[2], f[3], f[4], f[5], f[6], f[7]})
		sum += weight
	}
	return list, sum
}

func (e *Event) initiator() object {
	a := e.audit
	if a.by.app != nil {
		return object{"user": nil, "app": object{"appId": a.by.app.AppID, "displayName": a.by.app.DisplayName, "servicePrincipalId": a.by.app.ID, "servicePrincipalName": nil}}
	}
	return object{"app": nil, "user": object{"id": a.by.user.ID, "displayName": a.by.user.DisplayName, "userPrincipalName": a.by.user.UserPrincipalName, "ipAddress": orNil(a.ip)}}
}

func (e *Event) targetResources() []object {
	out := []object{}
	for _, t := range e.audit.targets {
		changes := []object{}
		for _, c := range t.changes {
			changes = append(changes, object{"displayName": c.name, "oldValue": orNil(c.old), "newValue": orNil(c.new)})
		}
		o := object{"id": t.id, "displayName": orNil(t.name), "type": t.kind, "userPrincipalName": orNil(t.upn), "groupType": nil, "modifiedProperties": changes}
		if t.kind == "Group" {
			o["groupType"] = "azureAD"
		}
		out = append(out, o)
	}
	return out
}

func (e *Event) additional() []object {
	out := []object{}
	for _, d := range e.audit.details {
		out = append(out, object{"key": d[0], "value": d[1]})
	}
	return out
}

// auditEntity is the audit as Graph gives it, and as it stands in properties of
// the diagnostic settings.
func (e *Event) auditEntity(zone string) object {
	a := e.audit
	return object{"id": e.ID, "activityDateTime": e.At.Format("2006-01-02T15:04:05.0000000") + zone, "activityDisplayName": e.Operation, "category": a.category, "correlationId": e.Correlation,
		"loggedByService": a.service, "operationType": a.kind, "result": a.result, "resultReason": a.reason, "initiatedBy": e.initiator(), "targetResources": e.targetResources(), "additionalDetails": e.additional()}
}

func (e *Event) auditEnvelope() object {
	p := e.auditEntity("+00:00")
	// The export leaves out what has no value, and knows roles and units.
	by := p["initiatedBy"].(object)
	for k, v := range by {
		if v == nil {
			delete(by, k)
		}
	}
	if u, ok := by["user"].(object); ok {
		u["roles"] = []object{}
	}
	for _, t := range p["targetResources"].([]object) {
		t["administrativeUnits"] = []object{}
	}
	o := e.envelope(e.Operation, e.At, p)
	o["callerIpAddress"] = orNil(e.audit.ip)
	if e.audit.ip == "" && e.hash>>48%2 == 0 {
		o["callerIpAddress"] = "<null>"
	}
	o["identity"] = e.actorName()
	return o
}

func (e *Event) actorName() string {
	if e.audit.by.app != nil {
		return e.audit.by.app.DisplayName
	}
	return e.audit.by.user.DisplayName
}

func (e *Event) auditRow() object {
	a := e.audit
	p := e.auditEntity("+00:00")
	return object{"TimeGenerated": e.At, "ResourceId": "/tenants/" + e.tenant.ID + "/providers/Microsoft.aadiam", "OperationName": e.Operation, "OperationVersion": "1.0", "Category": a.category,
		"ResultSignature": "None", "DurationMs": 0, "CorrelationId": e.Correlation, "Resource": "Microsoft.aadiam", "ResourceGroup": "Microsoft.aadiam", "Identity": e.actorName(), "Level": "4",
		"AdditionalDetails": text(p["additionalDetails"]), "Id": e.ID, "InitiatedBy": text(p["initiatedBy"]), "LoggedByService": a.service, "Result": a.result, "ResultReason": a.reason,
		"TargetResources": text(p["targetResources"]), "AADTenantId": e.tenant.ID, "ActivityDisplayName": e.Operation, "ActivityDateTime": e.At.Format(stamp), "AADOperationType": a.kind}
}

// auditActivity is the record of type 8. Core Directory writes a full stop
// behind the names of its operations there.
func (e *Event) auditActivity() object {
	a := e.audit
	name := e.Operation
	if a.service == "Core Directory" {
		name = strings.TrimRight(name, " ") + "."
	}
	result := "Success"
	if a.result != "success" {
		result = "Failure"
	}
	o := object{"CreationTime": e.At.Format("2006-01-02T15:04:05"), "Id": a.record, "Operation": name, "OrganizationId": e.tenant.ID, "RecordType": 8, "ResultStatus": result, "UserType": 0, "Version": 1,
		"Workload": "AzureActiveDirectory", "AzureActiveDirectoryEventType": 1, "ActorContextId": e.tenant.ID, "InterSystemsId": e.Correlation, "IntraSystemId": guidOf("intra", e.ID), "SupportTicketId": "", "TargetContextId": e.tenant.ID}
	if a.by.app != nil {
		o["UserType"], o["UserKey"], o["UserId"] = 4, "ServicePrincipal_"+a.by.app.ID, "ServicePrincipal_"+a.by.app.ID
		o["Actor"] = []object{{"ID": a.by.app.DisplayName, "Type": 1}, {"ID": a.by.app.AppID, "Type": 2}, {"ID": "ServicePrincipal_" + a.by.app.ID, "Type": 2}, {"ID": a.by.app.ID, "Type": 2}, {"ID": "ServicePrincipal", "Type": 2}}
	} else {
		o["UserKey"], o["UserId"] = a.by.user.ID, a.by.user.UserPrincipalName
		o["Actor"] = []object{{"ID": a.by.user.UserPrincipalName, "Type": 5}, {"ID": "User_" + a.by.user.ID, "Type": 2}, {"ID": a.by.user.ID, "Type": 2}, {"ID": "User", "Type": 2}}
	}
	if a.ip != "" {
		o["ClientIP"], o["ActorIpAddress"] = a.ip, a.ip
	}
	targets, changes := []object{}, []object{}
	for i, t := range a.targets {
		targets = append(targets, object{"ID": t.kind + "_" + t.id, "Type": 2}, object{"ID": t.id, "Type": 2}, object{"ID": t.kind, "Type": 2})
		if t.upn != "" {
			targets = append(targets, object{"ID": t.upn, "Type": 5})
		} else if t.name != "" {
			targets = append(targets, object{"ID": t.name, "Type": 1})
		}
		if i == 0 {
			o["ObjectId"] = t.upn
			if t.upn == "" {
				o["ObjectId"] = t.id
			}
		}
		for _, c := range t.changes {
			changes = append(changes, object{"Name": c.name, "NewValue": c.new, "OldValue": c.old})
		}
	}
	o["Target"], o["ModifiedProperties"] = targets, changes
	o["ExtendedProperties"] = []object{{"Name": "additionalDetails", "Value": text(e.additional())}, {"Name": "extendedAuditEventCategory", "Value": strings.TrimSuffix(a.category, "Management")}}
	return o
}
