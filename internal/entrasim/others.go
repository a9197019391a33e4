package entrasim

import "time"

// A provision is what all forms of a provisioning event are written from.
type provision struct {
	action, job, cycle, change string
	principal                  *ServicePrincipal
	source, target, name       string
	status, reason             string
	millis                     int
}

func (e *Event) provisioningEntity() object {
	p := e.provision
	identity := func(id, kind string) object {
		return object{"id": id, "displayName": p.name, "identityType": kind, "details": nil}
	}
	system := func(name string) object {
		return object{"id": guidOf("system", name), "displayName": name, "details": nil}
	}
	status := object{"status": p.status, "errorInformation": nil}
	if p.status == "failure" {
		status["errorInformation"] = object{"errorCode": "DuplicateTargetEntries", "reason": p.reason, "additionalDetails": nil, "errorCategory": "failure", "recommendedAction": "Remove one of the two entries."}
	}
	steps := []object{}
	for _, s := range [][2]string{{"import", "Retrieved the worker from the personnel system."}, {"matching", "Looked for the worker in the directory."}, {"export", "Wrote the change to the directory."}} {
		state := "success"
		if s[0] == "export" {
			state = p.status
		}
		steps = append(steps, object{"name": "Entry" + s[0], "provisioningStepType": s[0], "status": state, "description": s[1], "details": nil})
	}
	return object{"id": e.ID, "activityDateTime": e.At.Format(stamp), "tenantId": e.tenant.ID, "jobId": p.job, "cycleId": p.cycle, "changeId": p.change, "provisioningAction": p.action,
		"durationInMilliseconds": p.millis, "servicePrincipal": object{"id": p.principal.ID, "displayName": p.principal.DisplayName}, "sourceSystem": system("People system"), "targetSystem": system("Microsoft Entra ID"),
		"initiatedBy": object{"id": "", "displayName": "Microsoft Entra ID provisioning service", "initiatorType": "system"}, "sourceIdentity": identity(p.source, "Worker"), "targetIdentity": identity(p.target, "User"),
		"provisioningSteps": steps, "modifiedProperties": []object{{"displayName": "department", "oldValue": "Sales", "newValue": "Support"}}, "provisioningStatusInfo": status}
}

func (e *Event) provisioningEnvelope() object {
	p := e.provisioningEntity()
	p["action"], p["statusInfo"] = p["provisioningAction"], p["provisioningStatusInfo"]
	delete(p, "provisioningAction")
	delete(p, "provisioningStatusInfo")
	o := e.envelope("Provisioning activity", e.At, p)
	o["durationMs"] = e.provision.millis
	o["resultType"] = e.provision.status
	return o
}

func (e *Event) provisioningRow() object {
	p := e.provisioningEntity()
	o := object{"TimeGenerated": e.At, "OperationName": "Provisioning activity", "OperationVersion": "1.0", "Category": "ProvisioningLogs", "ResultSignature": "None", "ResultType": e.provision.status,
		"DurationMs": e.provision.millis, "CorrelationId": e.Correlation, "AADTenantId": e.tenant.ID, "Id": e.ID, "JobId": e.provision.job, "CycleId": e.provision.cycle, "ChangeId": e.provision.change, "ProvisioningAction": e.provision.action}
	for column, property := range map[string]string{"InitiatedBy": "initiatedBy", "ModifiedProperties": "modifiedProperties", "ProvisioningStatusInfo": "provisioningStatusInfo", "ProvisioningSteps": "provisioningSteps",
		"ServicePrincipal": "servicePrincipal", "SourceIdentity": "sourceIdentity", "TargetIdentity": "targetIdentity", "TargetSystem": "targetSystem"} {
		o[column] = text(p[property])
	}
	return o
}

// A risk is what all forms of a risk detection, or of a change of a user's
// risk, are written from.
type risk struct {
	user                                *User
	event, level, state, detail         string
	place                               place
	ip, request, timing                 string
	active, detected, updated, remedied time.Time
	remedy                              string
}

// riskEntity is a detection. Its second version is that of a risk that was
// remedied meanwhile.
func (e *Event) riskEntity(version int) object {
	r := e.risk
	state, detail, updated := r.state, r.detail, r.updated
	if version > 1 {
		state, detail, updated = "remediated", r.remedy, r.remedied
	}
	return object{"id": e.ID, "requestId": r.request, "correlationId": e.Correlation, "riskEventType": r.event, "riskState": state, "riskLevel": r.level, "riskDetail": detail, "source": "IdentityProtection",
		"detectionTimingType": r.timing, "activity": "signin", "tokenIssuerType": "AzureAD", "ipAddress": r.ip, "activityDateTime": r.active.Format(stamp), "detectedDateTime": r.detected.Format(stamp), "lastUpdatedDateTime": updated.Format(stamp),
		"location": object{"city": r.place.city, "state": r.place.city, "countryOrRegion": r.place.country, "geoCoordinates": object{"altitude": nil, "latitude": r.place.latitude, "longitude": r.place.longitude}},
		"userId":   r.user.ID, "userDisplayName": r.user.DisplayName, "userPrincipalName": r.user.UserPrincipalName, "additionalInfo": r.additional()}
}

func (e *Event) riskyUserEntity() object {
	r := e.risk
	return object{"id": e.ID, "isDeleted": false, "isProcessing": false, "riskLevel": r.level, "riskState": r.state, "riskDetail": r.detail, "riskLastUpdatedDateTime": e.At.Format(stamp),
		"userDisplayName": r.user.DisplayName, "userPrincipalName": r.user.UserPrincipalName}
}

func (e *Event) riskEnvelope(version int) object {
	if e.Kind == RiskyUser {
		o := e.envelope("Risky user", e.At, e.riskyUserEntity())
		o["identity"] = e.risk.user.DisplayName
		return o
	}
	p := e.riskEntity(version)
	p["riskType"] = p["riskEventType"]
	updated := e.risk.updated
	if version > 1 {
		updated = e.risk.remedied
	}
	o := e.envelope("User Risk Detection", updated, p)
	o["callerIpAddress"], o["identity"], o["location"] = e.risk.ip, e.risk.user.DisplayName, e.risk.place.country
	if e.hash>>56%4 == 0 {
		o["time"] = updated.Format("1/2/2006 3:04:05 PM")
	}
	return o
}

func (e *Event) riskRow(version int) object {
	r := e.risk
	if e.Kind == RiskyUser {
		return object{"TimeGenerated": e.At, "OperationName": "Risky user", "CorrelationId": e.Correlation, "Id": e.ID, "IsDeleted": false, "IsProcessing": false, "RiskDetail": r.detail, "RiskLevel": r.level, "RiskState": r.state,
			"RiskLastUpdatedDateTime": e.At.Format(stamp), "UserDisplayName": r.user.DisplayName, "UserPrincipalName": r.user.UserPrincipalName}
	}
	p := e.riskEntity(version)
	updated := r.updated
	if version > 1 {
		updated = r.remedied
	}
	o := object{"TimeGenerated": updated, "OperationName": "User Risk Detection", "Location": text(p["location"]), "AdditionalInfo": r.additional()}
	for column, property := range map[string]string{"Activity": "activity", "ActivityDateTime": "activityDateTime", "CorrelationId": "correlationId", "DetectedDateTime": "detectedDateTime", "DetectionTimingType": "detectionTimingType",
		"Id": "id", "IpAddress": "ipAddress", "LastUpdatedDateTime": "lastUpdatedDateTime", "RequestId": "requestId", "RiskDetail": "riskDetail", "RiskEventType": "riskEventType", "RiskLevel": "riskLevel", "RiskState": "riskState",
		"Source": "source", "TokenIssuerType": "tokenIssuerType", "UserDisplayName": "userDisplayName", "UserId": "userId", "UserPrincipalName": "userPrincipalName"} {
		o[column] = p[property]
	}
	return o
}

// additional is JSON text, as Graph gives it.
func (r *risk) additional() string { return `[{"Key":"userAgent","Value":"Mozilla/5.0"}]` }

// riskActivity is the record of type 294.
func (e *Event) riskActivity() object {
	r := e.risk
	return object{"CreationTime": e.At.Format("2006-01-02T15:04:05"), "Id": guidOf("activity", e.ID), "Operation": "RiskDetection", "OrganizationId": e.tenant.ID, "RecordType": 294, "ResultStatus": "Success",
		"UserKey": r.user.ID, "UserType": 0, "Version": 1, "Workload": "AzureActiveDirectory", "UserId": r.user.UserPrincipalName, "ClientIP": r.ip, "RiskId": e.ID, "RiskEventType": r.event, "RiskLevel": r.level, "RiskState": r.state,
		"RiskDetail": r.detail, "DetectedDateTime": r.detected.Format(stamp), "LastUpdatedDateTime": r.updated.Format(stamp), "RequestId": r.request, "CorrelationId": e.Correlation}
}

// A cloudApp is what all forms of an activity in a cloud app are written from.
type cloudApp struct {
	user           *User
	action, app    string
	appID          int
	object, kind   string
	workload       string
	record         int
	content        string
	ip, agent      string
	place          place
	adminOperation bool
}

// properties are those of a CloudAppEvents record of Defender's streaming; the
// names are the table's.
func (e *Event) properties() object {
	c := e.cloudApp
	return object{"Timestamp": e.At.Format(stamp), "ReportId": e.ID, "ActionType": c.action, "ActivityType": "Basic", "Application": c.app, "ApplicationId": c.appID, "AppInstanceId": 0, "AccountObjectId": c.user.ID, "AccountId": c.user.ID,
		"AccountDisplayName": c.user.DisplayName, "AccountType": "Regular", "IsAdminOperation": c.adminOperation, "DeviceType": "Desktop", "OSPlatform": "Windows 10", "IPAddress": c.ip, "IsAnonymousProxy": false, "CountryCode": c.place.country,
		"City": c.place.city, "ISP": "Nordic Fibre", "UserAgent": c.agent, "IsExternalUser": false, "IsImpersonated": false, "ObjectName": c.object, "ObjectType": c.kind, "ObjectId": guidOf(c.object), "AuditSource": "Microsoft Defender for Cloud Apps app connector",
		"IPCategory": "Administrative", "IPTags": []string{}, "UserAgentTags": []string{},
		"ActivityObjects": []object{{"Type": c.kind, "Role": "Target object", "Name": c.object}, {"Type": "User", "Role": "Actor", "Name": c.user.DisplayName, "Id": c.user.ID}}, "RawEventData": e.rawActivity()}
}

func (e *Event) cloudAppEnvelope() object {
	// time is when Defender received it.
	return object{"time": e.At.Add(time.Duration(20+e.hash%200) * time.Second).Format(stamp), "tenantId": e.tenant.ID, "operationName": "Publish", "category": e.Kind.Category(), "properties": e.properties()}
}

func (e *Event) cloudAppRow() object {
	o := e.properties()
	o["TimeGenerated"] = e.At
	delete(o, "Timestamp")
	for _, k := range []string{"IPTags", "UserAgentTags", "ActivityObjects", "RawEventData"} {
		o[k] = text(o[k])
	}
	return o
}

// rawActivity is the record of the unified audit log, which Defender carries
// along.
func (e *Event) rawActivity() object {
	c := e.cloudApp
	return object{"CreationTime": e.At.Format("2006-01-02T15:04:05"), "Id": guidOf("unified", e.ID), "Operation": c.action, "OrganizationId": e.tenant.ID, "RecordType": c.record, "ResultStatus": "Succeeded", "UserKey": c.user.ID,
		"UserType": 0, "Version": 1, "Workload": c.workload, "ClientIP": c.ip, "UserId": c.user.UserPrincipalName, "ObjectId": c.object, "UserAgent": c.agent, "AppAccessContext": object{"CorrelationId": e.Correlation, "UniqueTokenId": guidOf("token", e.ID)[:22]}}
}

func (e *Event) cloudAppActivity() object { return e.rawActivity() }
