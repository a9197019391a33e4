package entrasim

import (
	"encoding/json"
	"strings"
	"time"
)

// What protects the accounts, beside the policies of Conditional Access: methods,
// strengths, contexts, schedules of roles and the tenant's own switches, as Graph
// shows them.

// UsersFrom gives up to n users from a place in the list of all on, and the place
// behind them; last says that nobody follows. A page of 150,000 users costs no more
// than one of ten.
func (w *World) UsersFrom(at, n int) (list []*User, next int, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := len(w.special) + w.o.Users
	for ; at < all && len(list) < n; at++ {
		u := (*User)(nil)
		if at < len(w.special) {
			u = w.special[at]
		} else {
			u = w.user(at - len(w.special))
		}
		if u != nil {
			c := *u
			list = append(list, &c)
		}
	}
	return list, at, at >= all
}

// protection gives the lists that have no object in their path.
func (w *World) protection(path string) ([]json.RawMessage, bool) {
	out := []json.RawMessage{}
	add := func(o object) { out = append(out, encode(o)) }
	tenant := w.o.Tenant.ID
	switch path {
	case "roleManagement/directory/roleAssignmentScheduleInstances":
		for _, a := range w.assignments {
			id := guidOf(tenant, a.role, a.principal)
			add(object{"id": id, "principalId": a.principal, "roleDefinitionId": roleID(a.role), "directoryScopeId": "/", "appScopeId": nil, "startDateTime": "2024-02-01T08:00:00Z", "endDateTime": nil,
				"assignmentType": "Assigned", "memberType": "Direct", "roleAssignmentOriginId": id, "roleAssignmentScheduleId": id})
		}
	case "roleManagement/directory/roleEligibilityScheduleInstances":
		for _, a := range []struct{ key, role string }{{"ravi", "Security Administrator"}, {"udo", "Authentication Administrator"}} {
			principal := w.byKey[a.key].ID
			id := guidOf(tenant, "eligible", a.role, principal)
			add(object{"id": id, "principalId": principal, "roleDefinitionId": roleID(a.role), "directoryScopeId": "/", "appScopeId": nil, "startDateTime": "2024-02-01T08:00:00Z", "endDateTime": "2030-02-01T08:00:00Z",
				"memberType": "Direct", "roleEligibilityScheduleId": id})
		}
	case "policies/roleManagementPolicyAssignments":
		for _, r := range roles {
			add(rolePolicy(tenant, r.id))
		}
	case "identity/conditionalAccess/authenticationContextClassReferences":
		add(object{"id": "c1", "displayName": "Emergency changes", "description": "Changes of what protects the emergency accounts", "isAvailable": true})
	case "identity/conditionalAccess/deletedItems/policies":
		p := (&policy{id: guidOf(tenant, "policy", "CA000"), name: "CA000 Block all", state: "disabled", grant: "block"}).graph()
		out = append(out, append([]byte(`{"deletedDateTime":"2026-11-01T08:00:00Z",`), p[1:]...))
	case "policies/authenticationStrengthPolicies":
		for _, s := range w.strengths() {
			add(s)
		}
	case "groupSettings":
		add(object{"id": guidOf(tenant, "password rules"), "displayName": "Password Rule Settings", "templateId": "5cf42378-d67d-4f36-ba46-e8b86229381d",
			"values": []object{{"name": "LockoutThreshold", "value": "10"}, {"name": "LockoutDurationInSeconds", "value": "60"}, {"name": "BannedPasswordCheckOnPremisesMode", "value": "Audit"}}})
	case "oauth2PermissionGrants":
		for _, s := range w.principals {
			if s.DisplayName == "Intranet" {
				add(object{"id": guidOf(tenant, "consent", s.ID), "clientId": s.ID, "consentType": "AllPrincipals", "principalId": nil, "resourceId": w.principal(graphApp).ID, "scope": "openid profile User.Read"})
			}
		}
	case "directory/deletedItems/microsoft.graph.user":
		// Nobody was deleted.
	case "identityGovernance/accessReviews/definitions":
		add(object{"id": guidOf(tenant, "review"), "displayName": "Guests, quarterly", "status": "InProgress", "scope": object{"@odata.type": "#microsoft.graph.accessReviewQueryScope", "query": "/users?$filter=(userType eq 'Guest')", "queryType": "MicrosoftGraph"},
			"instanceEnumerationScope": nil, "settings": object{"mailNotificationsEnabled": true, "autoApplyDecisionsEnabled": true, "defaultDecisionEnabled": true, "defaultDecision": "Deny", "instanceDurationInDays": 14}})
		for _, r := range w.reviews {
			add(object{"id": guidOf(tenant, "review", r.name), "displayName": r.name, "status": "InProgress", "scope": object{"@odata.type": "#microsoft.graph.accessReviewQueryScope", "query": r.query, "queryType": "MicrosoftGraph"},
				"instanceEnumerationScope": nil, "settings": object{"mailNotificationsEnabled": true, "autoApplyDecisionsEnabled": true, "defaultDecisionEnabled": true, "defaultDecision": "Deny", "instanceDurationInDays": 14}})
		}
	case "identityGovernance/lifecycleWorkflows/workflows":
		add(object{"id": guidOf(tenant, "workflow"), "displayName": "Welcome", "description": "On the first day", "category": "joiner", "isEnabled": true, "isSchedulingEnabled": true, "version": 1})
	case "identityGovernance/roleManagementAlerts/alerts":
		add(object{"id": "DirectoryRole_" + tenant + "_StaleSignInAlert", "alertDefinitionId": "DirectoryRole_" + tenant + "_StaleSignInAlert", "scopeId": "/", "scopeType": "DirectoryRole", "incidentCount": 1, "isActive": true,
			"alertIncidents": []object{{"@odata.type": "#microsoft.graph.staleSignInAlertIncident", "id": guidOf(tenant, "stale"), "assigneeId": w.byKey["EA-02"].ID}}})
	case "identityGovernance/privilegedAccess/group/eligibilityScheduleInstances", "identityGovernance/privilegedAccess/group/assignmentScheduleInstances":
		// No group is managed by Privileged Identity Management.
	case "roleManagement/directory/resourceNamespaces/microsoft.directory/resourceActions":
		for _, name := range []string{"conditionalAccessPolicies/basic/update", "conditionalAccessPolicies/delete", "namedLocations/basic/update"} {
			add(object{"id": "microsoft.directory-" + strings.ReplaceAll(name, "/", "-") + "-patch", "name": "microsoft.directory/" + name, "actionVerb": "PATCH", "isAuthenticationContextSettable": true, "authenticationContextId": nil})
		}
	default:
		return nil, false
	}
	return out, true
}

// Models of passkeys, as their vendors publish them.
const (
	yubiKey  = "2fc0579f-8113-47ea-b116-bb5a8db9202a" // YubiKey 5 NFC
	feitian  = "833b721a-ff5f-4d00-bb2e-bdda3ec01e29" // ePass FIDO2
	password = "28c10230-6103-485e-b985-444c60001490" // the id of everybody's password
)

func (w *World) strengths() []object {
	strength := func(id, name, kind string, combinations []string, configurations []object) object {
		return object{"id": id, "displayName": name, "description": name, "policyType": kind, "requirementsSatisfied": "mfa", "createdDateTime": "2021-12-01T00:00:00Z", "modifiedDateTime": "2021-12-01T00:00:00Z",
			"allowedCombinations": combinations, "combinationConfigurations": configurations}
	}
	resistant := []string{"windowsHelloForBusiness", "fido2", "x509CertificateMultiFactor"}
	passwordless := append(resistant[:3:3], "deviceBasedPush")
	any := append(passwordless[:4:4], "temporaryAccessPassOneTime", "temporaryAccessPassMultiUse", "password,microsoftAuthenticatorPush", "password,softwareOath", "password,hardwareOath", "password,sms", "password,voice")
	own := guidOf(w.o.Tenant.ID, "Emergency strength")
	return []object{
		strength("00000000-0000-0000-0000-000000000002", "Multifactor authentication", "builtIn", any, []object{}),
		strength("00000000-0000-0000-0000-000000000003", "Passwordless MFA", "builtIn", passwordless, []object{}),
		strength("00000000-0000-0000-0000-000000000004", "Phishing-resistant MFA", "builtIn", resistant, []object{}),
		strength(own, "Emergency strength", "custom", []string{"fido2"}, []object{{"@odata.type": "#microsoft.graph.fido2CombinationConfiguration", "id": guidOf(own, "keys"),
			"appliesToCombinations": []string{"fido2"}, "allowedAAGUIDs": []string{yubiKey, feitian}}}),
	}
}

// rolePolicy is what Privileged Identity Management demands for a role: the fixed
// seventeen rules.
func rolePolicy(tenant, role string) object {
	id := "DirectoryRole_" + tenant + "_" + guidOf(tenant, "role policy", role)
	var rules []object
	rule := func(name, kind string, more object) {
		more["@odata.type"], more["id"] = "#microsoft.graph.unifiedRoleManagementPolicy"+kind+"Rule", name
		caller, level := "Admin", "Assignment"
		if strings.Contains(name, "EndUser") {
			caller = "EndUser"
		}
		if strings.HasSuffix(name, "Eligibility") {
			level = "Eligibility"
		}
		more["target"] = object{"caller": caller, "operations": []string{"all"}, "level": level, "inheritableSettings": []string{}, "enforcedSettings": []string{}}
		rules = append(rules, more)
	}
	for _, where := range []string{"Admin_Eligibility", "Admin_Assignment", "EndUser_Assignment"} {
		rule("Expiration_"+where, "Expiration", object{"isExpirationRequired": where == "EndUser_Assignment", "maximumDuration": "PT8H"})
		enabled := []string{}
		if where == "EndUser_Assignment" {
			enabled = []string{"MultiFactorAuthentication", "Justification"}
		}
		rule("Enablement_"+where, "Enablement", object{"enabledRules": enabled})
		for _, who := range []string{"Admin", "Requestor", "Approver"} {
			rule("Notification_"+who+"_"+where, "Notification", object{"notificationType": "Email", "recipientType": who, "notificationLevel": "All", "isDefaultRecipientsEnabled": true, "notificationRecipients": []string{}})
		}
	}
	rule("Approval_EndUser_Assignment", "Approval", object{"setting": object{"isApprovalRequired": false, "isApprovalRequiredForExtension": false, "isRequestorJustificationRequired": true, "approvalMode": "SingleStage", "approvalStages": []object{}}})
	rule("AuthenticationContext_EndUser_Assignment", "AuthenticationContext", object{"isEnabled": false, "claimValue": ""})
	return object{"id": id + "_" + role, "policyId": id, "scopeId": "/", "scopeType": "DirectoryRole", "roleDefinitionId": role,
		"policy": object{"id": id, "displayName": "DirectoryRole", "description": "DirectoryRole", "isOrganizationDefault": false, "scopeId": "/", "scopeType": "DirectoryRole", "rules": rules}}
}

// methods are what a user has registered to sign in with.
func (w *World) methods(u *User) []json.RawMessage {
	out := []json.RawMessage{}
	add := func(kind string, o object) {
		b := encode(o)
		out = append(out, append([]byte(`{"@odata.type":"#microsoft.graph.`+kind+`",`), b[1:]...))
	}
	made := u.created.Format(time.RFC3339)
	add("passwordAuthenticationMethod", object{"id": password, "password": nil, "createdDateTime": made})
	key := func(model, aaguid string) {
		add("fido2AuthenticationMethod", object{"id": guidOf(u.ID, "key"), "displayName": model, "createdDateTime": made, "aaGuid": aaguid, "model": model,
			"attestationCertificates": []string{}, "attestationLevel": "attested", "passkeyType": "deviceBound"})
	}
	for _, m := range u.methods {
		switch m {
		case "phone":
			add("phoneAuthenticationMethod", object{"id": "3179e48a-750b-4051-897c-87b9720928f7", "phoneNumber": "+47 5555 0199", "phoneType": "mobile", "smsSignInState": "notAllowedByPolicy"})
		case "key":
			add("fido2AuthenticationMethod", object{"id": guidOf(u.ID, "another key"), "displayName": "Authenticator of somebody", "createdDateTime": made, "aaGuid": "00000000-0000-0000-0000-000000000000", "model": "Unknown",
				"attestationCertificates": []string{}, "attestationLevel": "notAttested", "passkeyType": "deviceBound"})
		case "pass":
			add("temporaryAccessPassAuthenticationMethod", object{"id": guidOf(u.ID, "pass"), "temporaryAccessPass": nil, "createdDateTime": made, "startDateTime": made, "lifetimeInMinutes": 60, "isUsableOnce": false, "isUsable": true, "methodUsabilityReason": "EnabledByPolicy"})
		}
	}
	switch u.ID {
	case w.byKey["EA-01"].ID:
		key("YubiKey 5 NFC", yubiKey)
	case w.byKey["EA-02"].ID:
		key("ePass FIDO2", feitian)
	case w.byKey["EA-09"].ID, w.byKey["canary"].ID:
	default:
		add("microsoftAuthenticatorAuthenticationMethod", object{"id": guidOf(u.ID, "authenticator"), "displayName": "Telephone", "deviceTag": "SoftwareTokenActivated", "phoneAppVersion": "6.2410.7166", "createdDateTime": made})
		add("phoneAuthenticationMethod", object{"id": "3179e48a-750b-4051-897c-87b9720928f7", "phoneNumber": "+47 5555 0100", "phoneType": "mobile", "smsSignInState": "notAllowedByPolicy", "createdDateTime": made})
	}
	return out
}

// single gives what is one object and no list.
func (w *World) single(path string) (json.RawMessage, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	part := strings.Split(path, "/")
	switch {
	case path == "policies/authenticationMethodsPolicy":
		return encode(w.methodsPolicy(!w.oldPasskeys)), true
	case path == "beta/policies/authenticationMethodsPolicy":
		o := w.methodsPolicy(true)
		everybody := object{"targetType": "group", "id": "all_users"}
		o["systemCredentialPreferences"] = object{"state": "default", "includeTargets": []object{everybody}, "excludeTargets": []object{}}
		o["reportSuspiciousActivitySettings"] = object{"state": "default", "includeTarget": everybody, "voiceReportingCode": 0}
		return encode(o), true
	case path == "policies/identitySecurityDefaultsEnforcementPolicy":
		return encode(object{"id": "00000000-0000-0000-0000-000000000005", "displayName": "Security Defaults", "description": "Security defaults is a set of basic identity security mechanisms recommended by Microsoft.", "isEnabled": false}), true
	case path == "policies/authorizationPolicy":
		return encode(object{"id": "authorizationPolicy", "displayName": "Authorization Policy", "allowInvitesFrom": "adminsAndGuestInviters", "allowedToSignUpEmailBasedSubscriptions": false, "allowedToUseSSPR": false,
			"allowEmailVerifiedUsersToJoinOrganization": false, "blockMsolPowerShell": true, "guestUserRoleId": "10dae51f-b6af-4016-8d66-8c2a99b929b3",
			"defaultUserRolePermissions": object{"allowedToCreateApps": false, "allowedToCreateSecurityGroups": false, "allowedToReadOtherUsers": true, "permissionGrantPoliciesAssigned": []string{}}}), true
	case len(part) == 4 && part[0] == "users" && part[2] == "authentication" && part[3] == "requirements":
		if w.find(part[1]) != nil {
			return encode(object{"perUserMfaState": "disabled"}), true
		}
	}
	return nil, false
}

func (w *World) methodsPolicy(profiles bool) object {
	everybody := []object{{"targetType": "group", "id": "all_users", "isRegistrationRequired": false}}
	profile := guidOf(w.o.Tenant.ID, "FIDO2 profile")
	key := object{"isEnforced": false, "enforcementType": "allow", "aaGuids": []string{}}
	accepted := key
	if w.passkeys != nil {
		accepted = object{"isEnforced": true, "enforcementType": "allow", "aaGuids": w.passkeys}
	}
	var list []object
	add := func(id, state string, more object) {
		more["@odata.type"], more["id"], more["state"], more["excludeTargets"] = "#microsoft.graph."+strings.ToLower(id[:1])+id[1:]+"AuthenticationMethodConfiguration", id, state, []object{}
		if more["includeTargets"] == nil {
			more["includeTargets"] = everybody
		}
		list = append(list, more)
	}
	passkeys := object{"isSelfServiceRegistrationAllowed": true, "isAttestationEnforced": false, "keyRestrictions": key}
	if profiles {
		passkeys["defaultPasskeyProfile"] = profile
		passkeys["includeTargets"] = []object{{"targetType": "group", "id": "all_users", "isRegistrationRequired": false, "allowedPasskeyProfiles": []string{profile}}}
		passkeys["passkeyProfiles"] = []object{{"id": profile, "name": "FIDO2 profile", "passkeyTypes": "deviceBound", "attestationEnforcement": "disabled", "keyRestrictions": accepted}}
	}
	add("Fido2", "enabled", passkeys)
	add("MicrosoftAuthenticator", "enabled", object{"isSoftwareOathEnabled": false})
	add("Sms", "disabled", object{})
	add("TemporaryAccessPass", "enabled", object{"defaultLifetimeInMinutes": 60, "defaultLength": 8, "minimumLifetimeInMinutes": 60, "maximumLifetimeInMinutes": 480, "isUsableOnce": true})
	add("HardwareOath", "disabled", object{})
	add("SoftwareOath", "disabled", object{})
	add("Voice", "disabled", object{"isOfficePhoneAllowed": false})
	add("Email", "disabled", object{"allowExternalIdToUseEmailOtp": "default"})
	add("X509Certificate", "disabled", object{"certificateUserBindings": []object{}})
	add("QRCodePin", "disabled", object{"standardQRCodeLifetimeInDays": 365, "pinLength": 8})
	return object{"id": "authenticationMethodsPolicy", "displayName": "Authentication Methods Policy", "description": "The tenant-wide policy that controls which authentication methods are allowed", "lastModifiedDateTime": "2025-10-06T08:00:00Z", "policyVersion": "1.5",
		"policyMigrationState": "migrationComplete", "reconfirmationInDays": nil,
		"registrationEnforcement":            object{"authenticationMethodsRegistrationCampaign": object{"snoozeDurationInDays": 1, "state": "disabled", "excludeTargets": []object{}, "includeTargets": []object{}}},
		"authenticationMethodConfigurations": list}
}
