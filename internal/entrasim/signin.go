package entrasim

import (
	"strconv"
	"strings"
	"time"
)

// A signIn is what all forms of a sign-in are written from.
type signIn struct {
	name, userType    string // of the user or the service principal
	app, resource     firstPartyApp
	place             place
	ip                string
	client, agent     string
	browser, os       string
	device            device
	reason, details   string
	method, detail    string // of the first factor
	second            string // method of the second factor; empty if there was none
	multi             bool   // a second factor was required
	protocol          string
	session, token    string
	applied           []appliedPolicy
	ca                string
	millis            int
	credential        string // of an application
	keyID, thumbprint string
	identityResource  string // of a managed identity
	resourceID        string // service principal of the resource
	// lean leaves out what a tenant with few policies and features does not have.
	lean bool
	// What the fuller version tells beside: the risk.
	risk riskNote
	// thin says what the first version leaves out.
	thin thinness
}

type riskNote struct{ level, state, detail, event string }

type thinness uint8

const (
	withoutRisk thinness = iota
	withoutCA
	withoutSecondFactor
)

type device struct {
	id, name           string
	compliant, managed bool
	trust              string
}

type appliedPolicy struct{ id, name, control, result string }

// results are the codes of sign-ins with their texts.
var results = map[int]string{
	0:      "Other.",
	50034:  "The user account {EUII Hidden} does not exist in the {tenant} directory. To sign into this application, the account must be added to the directory.",
	50053:  "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
	50055:  "The password is expired.",
	50057:  "The user account is disabled.",
	50074:  "Strong Authentication is required.",
	50076:  "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource.",
	50097:  "Device authentication is required.",
	50125:  "Sign-in was interrupted due to a password reset or password registration entry.",
	50126:  "Error validating credentials due to invalid username or password.",
	50140:  "This error occurred due to 'Keep me signed in' interrupt when the user was signing-in.",
	50173:  "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
	53003:  "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
	65001:  "The user or administrator has not consented to use the application with ID.",
	70043:  "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access.",
	500121: "Authentication failed during strong authentication request.",
	700082: "The refresh token has expired due to inactivity.",
	// Of applications.
	7000215: "Invalid client secret is provided.",
	7000222: "The provided client secret keys are expired.",
}

// logonErrors are the names that the Management Activity API has for them.
var logonErrors = map[int]string{
	50053: "IdsLocked", 50055: "UserPasswordExpired", 50057: "UserDisabled", 50074: "UserStrongAuthClientAuthNRequired", 50076: "UserStrongAuthClientAuthNRequiredInterrupt",
	50097: "DeviceAuthenticationRequired", 50125: "PasswordResetRegistrationRequiredInterrupt", 50126: "InvalidUserNameOrPassword", 50140: "KmsiInterrupt", 50173: "FreshTokenNeeded",
	53003: "BlockedByConditionalAccess", 65001: "DelegationDoesNotExist", 70043: "SignInFrequencyExpired", 500121: "AuthenticationFailedSasError", 700082: "ExpiredOrRevokedGrantInactiveToken",
}

// inV1 are the properties of a sign-in that Graph v1.0 has.
var inV1 = map[string]bool{
	"id": true, "appDisplayName": true, "appId": true, "appliedConditionalAccessPolicies": true, "clientAppUsed": true, "conditionalAccessStatus": true, "correlationId": true,
	"createdDateTime": true, "deviceDetail": true, "ipAddress": true, "isInteractive": true, "location": true, "resourceDisplayName": true, "resourceId": true, "riskDetail": true,
	"riskEventTypes": true, "riskEventTypes_v2": true, "riskLevelAggregated": true, "riskLevelDuringSignIn": true, "riskState": true, "status": true, "userDisplayName": true,
	"userId": true, "userPrincipalName": true,
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (e *Event) succeeded() bool { return e.Code == 0 || e.Code == 50140 }

// risky is what a version says of the risk.
func (e *Event) risky(version int) riskNote {
	s := e.signIn
	if s.risk.level == "" || version == 1 && !e.fuller.IsZero() && s.thin == withoutRisk {
		return riskNote{"none", "none", "none", ""}
	}
	return s.risk
}

func (e *Event) without(version int, what thinness) bool {
	return version == 1 && !e.fuller.IsZero() && e.signIn.thin == what
}

// steps are the steps of authentication that a version tells.
func (e *Event) authentication(version int, zone string) []object {
	s := e.signIn
	at := func(d time.Duration) string { return e.At.Add(d).Format("2006-01-02T15:04:05.0000000") + zone }
	result := "Correct password"
	switch {
	case e.Code == 50126:
		result = "Invalid username or password"
	case e.Code == 50053:
		result = "Account is locked"
	case s.method == "Previously satisfied":
		result = "First factor requirement satisfied by claim in the token"
	case s.method != "Password":
		result = "Authentication successful"
	}
	out := []object{{"authenticationStepDateTime": at(0), "authenticationMethod": s.method, "authenticationMethodDetail": orNil(s.detail),
		"succeeded": e.Code != 50126 && e.Code != 50053 && e.Code != 50034, "authenticationStepResultDetail": result, "authenticationStepRequirement": "Primary authentication"}}
	if s.second != "" && !e.without(version, withoutSecondFactor) {
		result := "MFA completed in Azure AD"
		if e.Code == 500121 {
			result = "MFA denied; user declined the authentication"
		}
		out = append(out, object{"authenticationStepDateTime": at(9 * time.Second), "authenticationMethod": s.second, "authenticationMethodDetail": nil,
			"succeeded": e.Code != 500121, "authenticationStepResultDetail": result, "authenticationStepRequirement": "Multifactor authentication"})
	}
	return out
}

// common are the properties that Graph and the diagnostic settings share.
func (e *Event) common(version int, zone string) object {
	s := e.signIn
	risk := e.risky(version)
	events := []string{}
	if risk.event != "" {
		events = []string{risk.event}
	}
	created := e.At.Format("2006-01-02T15:04:05.0000000") + zone
	o := object{
		"id": e.ID, "createdDateTime": created, "appId": e.AppID, "appDisplayName": s.app.name, "ipAddress": s.ip, "correlationId": e.Correlation,
		"resourceDisplayName": s.resource.name, "resourceId": s.resource.id, "resourceServicePrincipalId": orNil(s.resourceID), "resourceTenantId": e.tenant.ID, "homeTenantId": e.tenant.ID,
		"location":   object{"city": s.place.city, "state": s.place.city, "countryOrRegion": s.place.country, "geoCoordinates": object{"altitude": nil, "latitude": s.place.latitude, "longitude": s.place.longitude}},
		"status":     object{"errorCode": e.Code, "failureReason": s.reason, "additionalDetails": orNil(s.details)},
		"riskDetail": risk.detail, "riskLevelAggregated": risk.level, "riskLevelDuringSignIn": risk.level, "riskState": risk.state, "riskEventTypes_v2": events,
		"authenticationProcessingDetails": []object{{"key": "Is CAE Token", "value": "False"}}, "networkLocationDetails": []object{},
		"uniqueTokenIdentifier": s.token, "crossTenantAccessType": "none", "autonomousSystemNumber": s.place.asn, "flaggedForReview": false,
		"tokenIssuerName": "", "tokenIssuerType": "AzureAD", "userAgent": orNil(s.agent), "conditionalAccessStatus": s.ca,
		"authenticationProtocol": s.protocol, "processingTimeInMilliseconds": s.millis, "isInteractive": e.Kind == InteractiveSignIn,
	}
	if e.without(version, withoutCA) {
		delete(o, "conditionalAccessStatus")
	}
	if e.UserID != "" {
		o["userId"], o["userPrincipalName"], o["userDisplayName"], o["userType"] = e.UserID, e.UserPrincipalName, s.name, s.userType
		o["clientAppUsed"], o["originalRequestId"], o["sessionId"] = s.client, e.ID, s.session
		o["deviceDetail"] = object{"deviceId": s.device.id, "displayName": orNil(s.device.name), "operatingSystem": s.os, "browser": s.browser, "isCompliant": s.device.compliant, "isManaged": s.device.managed, "trustType": orNil(s.device.trust)}
		o["authenticationDetails"] = e.authentication(version, zone)
		o["authenticationRequirement"] = "singleFactorAuthentication"
		o["authenticationRequirementPolicies"], o["sessionLifetimePolicies"] = []object{}, []object{}
		o["incomingTokenType"] = "none"
		if e.Kind == NonInteractiveSignIn {
			o["incomingTokenType"] = "refreshToken"
		}
		if s.multi {
			o["authenticationRequirement"] = "multiFactorAuthentication"
			o["authenticationRequirementPolicies"] = []object{{"requirementProvider": "multiConditionalAccess", "detail": "Conditional Access"}}
		}
		if s.second != "" && !e.without(version, withoutSecondFactor) {
			o["mfaDetail"] = object{"authMethod": s.second, "authDetail": nil}
		}
	} else {
		o["servicePrincipalId"], o["servicePrincipalName"] = e.ServicePrincipalID, s.name
		delete(o, "authenticationProtocol")
		o["clientCredentialType"] = s.credential
		if s.keyID != "" {
			o["servicePrincipalCredentialKeyId"], o["servicePrincipalCredentialThumbprint"] = s.keyID, s.thumbprint
		}
		if s.identityResource != "" {
			o["managedServiceIdentity"] = object{"msiType": "systemAssigned", "associatedResourceId": s.identityResource, "federatedTokenId": nil, "federatedTokenIssuer": nil}
		}
	}
	return o
}

// policies are the policies that a version tells, with the conditions as Graph
// or as the diagnostic settings write them.
func (e *Event) policies(version int, graph bool) []object {
	out := []object{}
	if e.without(version, withoutCA) {
		return out
	}
	for _, p := range e.signIn.applied {
		o := object{"id": p.id, "displayName": p.name, "enforcedGrantControls": []string{}, "enforcedSessionControls": []string{}, "result": p.result}
		yes, no, y, n := "none", "users", 1, 2
		if p.result == "success" || p.result == "failure" {
			o["enforcedGrantControls"] = []string{p.control}
			yes, no, y, n = "application,users", "none", 3, 0
		}
		if graph {
			o["conditionsSatisfied"], o["conditionsNotSatisfied"] = yes, no
		} else {
			o["conditionsSatisfied"], o["conditionsNotSatisfied"] = y, n
		}
		out = append(out, o)
	}
	return out
}

func (e *Event) signInEntity(version int) object {
	o := e.common(version, "Z")
	o["signInEventTypes"] = []string{e.Kind.SignInEventType()}
	o["appliedConditionalAccessPolicies"] = e.policies(version, true)
	if t, ok := o["userType"].(string); ok {
		o["userType"] = strings.ToLower(t)
	}
	if e.UserID == "" {
		// Graph's entity is the same for all kinds.
		o["userId"], o["userPrincipalName"], o["userDisplayName"] = "", nil, nil
	}
	return o
}

func (e *Event) signInEnvelope(version int) object {
	s := e.signIn
	p := e.common(version, "+00:00")
	p["appliedConditionalAccessPolicies"] = e.policies(version, false)
	if e.UserID != "" {
		for i, d := range p["authenticationDetails"].([]object) {
			d["StatusSequence"], d["RequestSequence"] = 0, i
		}
		p["riskEventTypes"] = p["riskEventTypes_v2"]
		// Upper and lower case of names vary between the roads.
		if e.hash>>24%16 == 0 {
			p["userPrincipalName"] = strings.ToUpper(e.UserPrincipalName[:1]) + e.UserPrincipalName[1:]
		}
	} else {
		for _, k := range []string{"riskDetail", "riskLevelAggregated", "riskLevelDuringSignIn", "riskState", "riskEventTypes_v2", "isInteractive", "tokenIssuerName"} {
			delete(p, k)
		}
	}
	if s.lean {
		for _, k := range [...]string{"authenticationProcessingDetails", "authenticationProtocol", "authenticationRequirementPolicies", "crossTenantAccessType", "flaggedForReview", "incomingTokenType", "mfaDetail",
			"networkLocationDetails", "resourceServicePrincipalId", "riskEventTypes", "sessionLifetimePolicies", "tokenIssuerName", "autonomousSystemNumber", "homeTenantId", "uniqueTokenIdentifier"} {
			delete(p, k)
		}
	}
	o := e.envelope("Sign-in activity", e.At, p)
	o["resultType"] = strconv.Itoa(e.Code)
	o["resultDescription"], o["callerIpAddress"], o["identity"], o["location"] = s.reason, s.ip, s.name, s.place.country
	switch e.hash >> 32 % 32 {
	case 0:
		o["resultType"] = e.Code
	case 1:
		o["resultSignature"] = "SUCCESS"
		if e.Code != 0 {
			o["resultSignature"] = "FAILURE"
		}
	case 2: // the US form has no fractions; properties.createdDateTime has
		o["time"] = e.At.Format("1/2/2006 3:04:05 PM")
	}
	if e.Kind == NonInteractiveSignIn {
		o["operationName"] = "Sign-in activity"
		p["processingTimeInMs"] = p["processingTimeInMilliseconds"]
		delete(p, "processingTimeInMilliseconds")
		p["signInEventTypes"] = []string{e.Kind.SignInEventType()}
	}
	return o
}

// text writes a value as the JSON text that stands in string columns.
func text(v any) string { return string(encode(v)) }

func (e *Event) signInRow(version int) object {
	s := e.signIn
	p := e.common(version, "+00:00")
	o := object{
		"TimeGenerated": e.At, "ResourceId": "/tenants/" + e.tenant.ID + "/providers/Microsoft.aadiam", "OperationName": "Sign-in activity", "OperationVersion": "1.0", "Category": e.Kind.Category(),
		"ResultType": strconv.Itoa(e.Code), "ResultSignature": "None", "ResultDescription": s.reason, "DurationMs": 0, "CorrelationId": e.Correlation, "ResourceGroup": "Microsoft.aadiam",
		"Identity": s.name, "Level": "4", "Location": s.place.country, "AADTenantId": e.tenant.ID, "AppId": e.AppID, "Id": e.ID, "IPAddress": s.ip, "CreatedDateTime": e.At.Format(stamp),
		"ResourceDisplayName": s.resource.name, "ResourceIdentity": s.resource.id, "ResourceServicePrincipalId": s.resourceID, "UniqueTokenIdentifier": s.token, "UserAgent": s.agent,
		"AuthenticationProcessingDetails": text(p["authenticationProcessingDetails"]), "NetworkLocationDetails": "[]", "ConditionalAccessStatus": p["conditionalAccessStatus"],
		"LocationDetails": text(p["location"]), "ConditionalAccessPolicies": text(e.policies(version, false)),
	}
	if e.UserID == "" {
		o["ServicePrincipalId"], o["ServicePrincipalName"], o["ClientCredentialType"] = e.ServicePrincipalID, s.name, s.credential
		o["ServicePrincipalCredentialKeyId"], o["ServicePrincipalCredentialThumbprint"] = s.keyID, s.thumbprint
		if e.Kind == ManagedIdentitySignIn {
			o["ManagedServiceIdentity"] = text(p["managedServiceIdentity"])
		} else {
			o["AutonomousSystemNumber"] = strconv.Itoa(s.place.asn)
		}
		return o
	}
	for i, d := range p["authenticationDetails"].([]object) {
		d["StatusSequence"], d["RequestSequence"] = 0, i
	}
	for column, property := range map[string]string{
		"UserId": "userId", "UserPrincipalName": "userPrincipalName", "UserDisplayName": "userDisplayName", "UserType": "userType", "AppDisplayName": "appDisplayName", "ClientAppUsed": "clientAppUsed",
		"AuthenticationRequirement": "authenticationRequirement", "AuthenticationProtocol": "authenticationProtocol", "IncomingTokenType": "incomingTokenType", "IsInteractive": "isInteractive",
		"OriginalRequestId": "originalRequestId", "SessionId": "sessionId", "RiskDetail": "riskDetail", "RiskLevelAggregated": "riskLevelAggregated", "RiskLevelDuringSignIn": "riskLevelDuringSignIn",
		"RiskState": "riskState", "HomeTenantId": "homeTenantId", "ResourceTenantId": "resourceTenantId", "TokenIssuerType": "tokenIssuerType", "CrossTenantAccessType": "crossTenantAccessType",
	} {
		o[column] = p[property]
	}
	for column, property := range map[string]string{
		"AuthenticationDetails": "authenticationDetails", "AuthenticationRequirementPolicies": "authenticationRequirementPolicies", "SessionLifetimePolicies": "sessionLifetimePolicies",
		"RiskEventTypes": "riskEventTypes_v2", "RiskEventTypes_V2": "riskEventTypes_v2", "Status": "status", "DeviceDetail": "deviceDetail",
	} {
		o[column] = text(p[property])
	}
	if m, ok := p["mfaDetail"]; ok {
		o["MfaDetail"] = text(m)
	}
	o["AutonomousSystemNumber"] = strconv.Itoa(s.place.asn)
	if e.Kind == InteractiveSignIn {
		o["ProcessingTimeInMilliseconds"], o["Resource"], o["FlaggedForReview"] = strconv.Itoa(s.millis), "Microsoft.aadiam", false
	} else {
		o["ProcessingTimeInMs"], o["SignInEventTypes"] = strconv.Itoa(s.millis), text([]string{e.Kind.SignInEventType()})
	}
	return o
}

// signInActivity is the record of type 15. ResultStatus tells of the HTTP
// request alone; the outcome is in Operation and ErrorNumber.
func (e *Event) signInActivity() object {
	s := e.signIn
	operation := "UserLoggedIn"
	o := object{
		"CreationTime": e.At.Format("2006-01-02T15:04:05"), "Id": e.ID, "OrganizationId": e.tenant.ID, "RecordType": 15, "ResultStatus": "Success", "UserKey": e.UserID, "UserType": 0, "Version": 1,
		"Workload": "AzureActiveDirectory", "ClientIP": s.ip, "ObjectId": s.resource.id, "UserId": e.UserPrincipalName, "AzureActiveDirectoryEventType": 1, "ModifiedProperties": []object{},
		"Actor": []object{{"ID": e.UserID, "Type": 0}, {"ID": e.UserPrincipalName, "Type": 5}}, "ActorContextId": e.tenant.ID, "ActorIpAddress": s.ip, "InterSystemsId": e.Correlation, "IntraSystemId": e.ID,
		"SupportTicketId": "", "Target": []object{{"ID": s.resource.id, "Type": 0}}, "TargetContextId": e.tenant.ID, "ApplicationId": e.AppID, "ErrorNumber": strconv.Itoa(e.Code),
	}
	detail, request := "Success", "OAuth2:Authorize"
	switch {
	case e.Kind == NonInteractiveSignIn:
		request = "OAuth2:Token"
	case e.Code == 50140:
		detail, request = "Redirect", "Login:login"
	}
	if !e.succeeded() {
		operation, detail = "UserLoginFailed", "Error"
		o["LogonError"] = logonErrors[e.Code]
	}
	o["Operation"] = operation
	o["ExtendedProperties"] = []object{{"Name": "ResultStatusDetail", "Value": detail}, {"Name": "UserAgent", "Value": s.agent}, {"Name": "RequestType", "Value": request}}
	properties := []object{{"Name": "OS", "Value": s.os}, {"Name": "BrowserType", "Value": strings.Split(s.browser, " ")[0]}}
	if s.device.id != "" {
		properties = append([]object{{"Name": "Id", "Value": s.device.id}, {"Name": "DisplayName", "Value": s.device.name}}, properties...)
		properties = append(properties, object{"Name": "IsCompliant", "Value": "True"}, object{"Name": "TrustType", "Value": "1"})
	}
	o["DeviceProperties"] = append(properties, object{"Name": "SessionId", "Value": s.session})
	if e.hash>>40%8 == 0 && !strings.Contains(s.ip, ":") {
		o["ClientIP"] = s.ip + ":" + strconv.Itoa(20000+int(e.hash>>44%40000))
	}
	return o
}
