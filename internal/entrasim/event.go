package entrasim

import (
	"strings"
	"time"
)

// A Kind is a kind of event.
type Kind uint8

// The kinds of events.
const (
	InteractiveSignIn Kind = iota
	NonInteractiveSignIn
	ServicePrincipalSignIn
	ManagedIdentitySignIn
	DirectoryAudit
	Provisioning
	RiskDetection
	RiskyUser
	CloudAppEvent
)

var kinds = [...]struct{ category, table, stream string }{
	InteractiveSignIn:      {"SignInLogs", "SigninLogs", "interactiveUser"},
	NonInteractiveSignIn:   {"NonInteractiveUserSignInLogs", "AADNonInteractiveUserSignInLogs", "nonInteractiveUser"},
	ServicePrincipalSignIn: {"ServicePrincipalSignInLogs", "AADServicePrincipalSignInLogs", "servicePrincipal"},
	ManagedIdentitySignIn:  {"ManagedIdentitySignInLogs", "AADManagedIdentitySignInLogs", "managedIdentity"},
	DirectoryAudit:         {"AuditLogs", "AuditLogs", ""},
	Provisioning:           {"ProvisioningLogs", "AADProvisioningLogs", ""},
	RiskDetection:          {"UserRiskEvents", "AADUserRiskEvents", ""},
	RiskyUser:              {"RiskyUsers", "AADRiskyUsers", ""},
	CloudAppEvent:          {"AdvancedHunting-CloudAppEvents", "CloudAppEvents", ""},
}

// Category is the category of diagnostic settings (or of Defender's
// streaming) in which the kind is exported.
func (k Kind) Category() string { return kinds[k].category }

// Table is the Log Analytics table of the kind.
func (k Kind) Table() string { return kinds[k].table }

// SignInEventType is the kind's value in signInEventTypes; empty for kinds that
// are no sign-ins.
func (k Kind) SignInEventType() string { return kinds[k].stream }

// An Event is something that happened; it never changes. The same event has a
// form for each road, and all forms agree on id, time, who, what and outcome.
type Event struct {
	// ID is the id that Graph and the diagnostic settings give.
	ID   string
	Kind Kind
	At   time.Time
	// Correlation is shared by the events of one action.
	Correlation string
	// UserID and UserPrincipalName are of who acted, or signed in; empty for
	// applications.
	UserID, UserPrincipalName string
	// AppID and ServicePrincipalID are of the application used, or acting.
	AppID, ServicePrincipalID string
	// Operation is the activity of an audit event.
	Operation string
	// Code is the result type of a sign-in.
	Code int
	// Targets are the ids of what an audit event changed.
	Targets []string

	order   int
	fuller  time.Time // when the second version can come to be; zero if there is none
	tenant  *TenantOptions
	hash    uint64 // of the id: decides the irregularities of its records
	unknown bool   // of a user that the directory does not know

	signIn    *signIn
	audit     *audit
	provision *provision
	risk      *risk
	cloudApp  *cloudApp
}

// Key tells one event from all others of its kind. It is the id, save of risky
// users, whose id is the user's: each change of the risk is an event.
func (e *Event) Key() string {
	if e.Kind == RiskyUser {
		return e.ID + "/" + e.At.Format(stamp)
	}
	return e.ID
}

// Versions is 2 where a fuller copy of the record comes later, else 1.
func (e *Event) Versions() int {
	if e.fuller.IsZero() {
		return 1
	}
	return 2
}

// On says whether a road carries the event at all.
func (e *Event) On(r Road) bool {
	switch r {
	case Graph:
		return e.Kind != CloudAppEvent
	case Activity:
		return e.Content() != ""
	}
	return true
}

// Graph is the event as an entity of Microsoft Graph: of the beta for
// sign-ins, of v1.0 for all else. It is nil for CloudAppEvents.
func (e *Event) Graph(version int) []byte {
	o := e.entity(version)
	if o == nil {
		return nil
	}
	return encode(o)
}

func (e *Event) entity(version int) object {
	switch e.Kind {
	case DirectoryAudit:
		return e.auditEntity("Z")
	case Provisioning:
		return e.provisioningEntity()
	case RiskDetection:
		return e.riskEntity(version)
	case RiskyUser:
		return e.riskyUserEntity()
	case CloudAppEvent:
		return nil
	}
	return e.signInEntity(version)
}

// V1 is the entity as v1.0 of Graph has it: of sign-ins only the interactive,
// with fewer properties.
func (e *Event) V1(version int) []byte {
	o := e.entity(version)
	if o == nil || e.Kind.SignInEventType() == "" {
		return e.Graph(version)
	}
	if e.Kind != InteractiveSignIn {
		return nil
	}
	for k := range o {
		if !inV1[k] {
			delete(o, k)
		}
	}
	if list, ok := o["appliedConditionalAccessPolicies"].([]object); ok {
		for _, p := range list {
			delete(p, "conditionsSatisfied")
			delete(p, "conditionsNotSatisfied")
		}
	}
	return encode(o)
}

// Diagnostic is the event in the envelope of diagnostic settings, or of
// Defender's streaming, with the irregularities that these have.
func (e *Event) Diagnostic(version int) []byte {
	switch e.Kind {
	case DirectoryAudit:
		return encode(e.auditEnvelope())
	case Provisioning:
		return encode(e.provisioningEnvelope())
	case RiskDetection, RiskyUser:
		return encode(e.riskEnvelope(version))
	case CloudAppEvent:
		return encode(e.cloudAppEnvelope())
	}
	return encode(e.signInEnvelope(version))
}

// Row is the event as a row of its Log Analytics table, the values as the query
// API encodes them: dynamic columns are JSON text.
func (e *Event) Row(version int) map[string]any {
	var o object
	switch e.Kind {
	case DirectoryAudit:
		o = e.auditRow()
	case Provisioning:
		o = e.provisioningRow()
	case RiskDetection, RiskyUser:
		o = e.riskRow(version)
	case CloudAppEvent:
		o = e.cloudAppRow()
	default:
		o = e.signInRow(version)
	}
	o["TimeGenerated"] = o["TimeGenerated"].(time.Time).Format(stamp)
	o["TenantId"] = Workspaces(e.tenant.ID)
	o["SourceSystem"] = "Azure AD"
	o["Type"] = e.Kind.Table()
	for k, v := range o {
		if v == nil {
			delete(o, k)
		}
	}
	return o
}

// Workspaces gives the id of a tenant's Log Analytics workspace.
func Workspaces(tenant string) string { return guidOf("workspace", tenant) }

// Activity is the event as a record of the Management Activity API; nil where
// that feed has none.
func (e *Event) Activity() []byte {
	switch {
	case e.Content() == "":
		return nil
	case e.Kind == DirectoryAudit:
		return encode(e.auditActivity())
	case e.Kind == RiskDetection:
		return encode(e.riskActivity())
	case e.Kind == CloudAppEvent:
		return encode(e.cloudAppActivity())
	}
	return encode(e.signInActivity())
}

// Content is the content type of the Management Activity API in which the
// event stands. It is empty where that feed has none: for applications,
// provisioning, risky users, users that the directory does not know, and most
// non-interactive sign-ins.
func (e *Event) Content() string {
	switch e.Kind {
	case InteractiveSignIn:
		if e.unknown {
			return ""
		}
		return "Audit.AzureActiveDirectory"
	case NonInteractiveSignIn:
		if e.hash%10 < 3 {
			return "Audit.AzureActiveDirectory"
		}
	case DirectoryAudit:
		return "Audit.AzureActiveDirectory"
	case RiskDetection:
		return "Audit.General"
	case CloudAppEvent:
		return e.cloudApp.content
	}
	return ""
}

// stamp is the form of time that Entra writes most.
const stamp = "2006-01-02T15:04:05.0000000Z"

// envelope is what all records of diagnostic settings have. Public samples show
// that it is written in several ways; which one is decided by the id.
func (e *Event) envelope(operation string, at time.Time, properties object) object {
	o := object{
		"time": at.Format(stamp), "resourceId": "/tenants/" + e.tenant.ID + "/providers/Microsoft.aadiam", "operationName": operation, "operationVersion": "1.0",
		"category": e.Kind.Category(), "tenantId": e.tenant.ID, "resultSignature": "None", "durationMs": 0, "correlationId": e.Correlation, "Level": 4, "properties": properties,
	}
	switch e.hash >> 8 % 16 {
	case 0:
		o["durationMs"] = "0"
	case 1:
		o["Level"] = "4"
	case 2:
		delete(o, "Level")
		o["level"] = "Informational"
	case 3:
		delete(o, "Level")
		o["level"] = 4
	}
	switch e.hash >> 16 % 16 {
	case 0:
		o["time"] = at.Format("2006-01-02T15:04:05.0000000+00:00")
	case 1:
		o["time"] = at.Format("2006-01-02T15:04:05.0000000") // no zone is UTC
	case 2:
		o["time"] = strings.TrimRight(strings.TrimSuffix(at.Format(stamp), "Z"), "0") + "Z"
		if strings.HasSuffix(o["time"].(string), ".Z") {
			o["time"] = at.Format(stamp)
		}
	case 3:
		o["time"] = at.Format("2006-01-02T15:04:05.000000000Z")
	}
	return o
}
