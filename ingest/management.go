package ingest

import (
	"encoding/json"
	"net/netip"
	"strings"

	"glassward"
)

// Records of the Management Activity API say who and what in lists of pairs:
// Actor, Target, ExtendedProperties, DeviceProperties, ModifiedProperties. What
// follows makes of them what the columns of Entra's tables hold. What a record
// does not say stays empty; the lists themselves stay in _Extra as they came.

// A derivation makes a column's text of several properties, "" if they do not
// say it.
type derivation func(e *engine) string

// derived gives the derivation of a name, nil if there is none.
func derived(name string) derivation {
	switch name {
	case "userId":
		return (*engine).managedUserID
	case "userPrincipalName":
		return (*engine).managedUserName
	case "resourceIdentity":
		return (*engine).managedResource
	case "resultType":
		return (*engine).managedResult
	case "status":
		return (*engine).managedStatus
	case "deviceDetail":
		return (*engine).managedDevice
	case "initiatedBy":
		return (*engine).managedInitiator
	case "actorName":
		return (*engine).managedActorName
	case "targetResources":
		return (*engine).managedTargets
	case "additionalDetails":
		return (*engine).managedDetails
	}
	return nil
}

// managementTable chooses the table of a record of the Management Activity API.
func (e *engine) managementTable() string {
	switch e.propertyText("recordtype") {
	case "8", "AzureActiveDirectory":
		return "auditlogs"
	case "15", "AzureActiveDirectoryStsLogon", "9", "AzureActiveDirectoryAccountLogon":
		return "signinlogs"
	case "294", "AadRiskDetection":
		return "aaduserriskevents"
	}
	return "officeactivity"
}

// loose is a text that some senders write as a number or a boolean.
type loose string

// UnmarshalJSON takes any scalar; null and "<null>" are empty.
func (l *loose) UnmarshalJSON(raw []byte) error {
	var s string
	switch {
	case raw[0] == '"':
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
	case string(raw) != "null":
		s = string(raw)
	}
	if s == "<null>" {
		s = ""
	}
	*l = loose(s)
	return nil
}

// A party is one item of Actor or Target.
type party struct {
	ID   loose
	Type loose
}

// The types of parties that are used; the others are 0 Claim, 3 PUID.
const (
	partyName  = "1"
	partyOther = "2"
	partySPN   = "4"
	partyUPN   = "5"
)

// id gives what a party says of itself that is no display name: a name is written
// by whoever may, and one of the form of an id must not pass for one.
func (p party) id() string {
	if p.Type == partyName {
		return ""
	}
	return string(p.ID)
}

type pair struct {
	Name  loose
	Value loose
}

type modified struct {
	Name     loose
	OldValue *loose
	NewValue *loose
}

// list reads a property that is an array, or a text that holds one. What is none
// gives nothing: it is in _Extra.
func list[T any](e *engine, lower string) []T {
	at := e.find(0, lower)
	if at < 0 {
		return nil
	}
	en := &e.tape[at]
	raw := en.val
	if en.kind == kString || en.kind == kText {
		text, _ := e.decodeString(en.val, en.f)
		var ok bool
		if raw, _, ok = e.jsonText(text); !ok {
			return nil
		}
	} else if en.kind != kArray {
		return nil
	}
	if raw[0] != '[' {
		return nil
	}
	var out []T
	eachElement(raw, func(value string) {
		var item T
		if value[0] == '{' && json.Unmarshal([]byte(value), &item) == nil {
			out = append(out, item)
		}
	})
	return out
}

// propertyText gives a property as text, "" if it is not there, is none or says
// nothing.
func (e *engine) propertyText(lower string) string {
	at := e.find(0, lower)
	if at < 0 || empty(&e.tape[at]) {
		return ""
	}
	en := &e.tape[at]
	switch en.kind {
	case kString, kText:
		text, _ := e.decodeString(en.val, en.f)
		return text
	case kNumber:
		return en.val
	}
	return ""
}

// pairValue gives the value of a name in a list of pairs.
func pairValue(pairs []pair, name string) string {
	for _, p := range pairs {
		if strings.EqualFold(string(p.Name), name) {
			return string(p.Value)
		}
	}
	return ""
}

// idText gives a property that holds an id, without the words that stand for none.
func (e *engine) idText(lower string) string {
	text := strings.TrimSpace(e.propertyText(lower))
	if strings.EqualFold(text, "Not Available") || strings.EqualFold(text, "Unknown") {
		return ""
	}
	return text
}

// typed splits "User_<id>" into kind and id.
func typed(id string) (kind, guid string, ok bool) {
	i := strings.LastIndexByte(id, '_')
	if i <= 0 || !glassward.IsGUID(id[i+1:]) {
		return "", "", false
	}
	return id[:i], id[i+1:], true
}

// managedUserID gives the object id of who signs in.
func (e *engine) managedUserID() string {
	for _, p := range list[party](e, "actor") {
		if id := p.id(); glassward.IsGUID(id) {
			return id
		} else if kind, guid, ok := typed(id); ok && kind == "User" {
			return guid
		}
	}
	for _, name := range []string{"userkey", "userid"} {
		if id := e.idText(name); glassward.IsGUID(id) {
			return id
		}
	}
	return ""
}

// managedUserName gives the user principal name of who acts or signs in.
func (e *engine) managedUserName() string {
	name := e.idText("userid")
	if !strings.Contains(name, "@") {
		for _, p := range list[party](e, "actor") {
			if p.Type == partyUPN && strings.Contains(string(p.ID), "@") {
				return string(p.ID)
			}
		}
	}
	if glassward.IsGUID(name) {
		return ""
	}
	return name
}

// managedResource gives the application id of the resource that is signed in to.
func (e *engine) managedResource() string {
	for _, p := range list[party](e, "target") {
		if glassward.IsGUID(p.id()) {
			return p.id()
		}
	}
	return e.idText("objectid")
}

// managedResult gives a sign-in's result code. ResultStatus does not: it says
// whether the HTTP request worked. A code that contradicts the operation is no
// answer, and "" is read as unknown.
func (e *engine) managedResult() string {
	code := e.idText("errornumber")
	if code == "" {
		code = e.idText("errorcode")
	}
	switch operation := plainName(e.propertyText("operation")); {
	case strings.EqualFold(operation, "UserLoggedIn"):
		if code == "" && e.idText("logonerror") == "" {
			return "0"
		}
	case code == "0":
		return ""
	}
	return code
}

// managedStatus gives the object that other roads write of the result.
func (e *engine) managedStatus() string {
	code, ok := integer(e.managedResult())
	if !ok {
		return ""
	}
	status := struct {
		ErrorCode     int64  `json:"errorCode"`
		FailureReason string `json:"failureReason,omitempty"`
	}{code, e.propertyText("logonerror")}
	return e.jsonOf(status)
}

// managedDevice gives what the record says of the device, in the words of the
// other roads.
func (e *engine) managedDevice() string {
	pairs := list[pair](e, "deviceproperties")
	truth := func(name string) *bool {
		switch strings.ToLower(pairValue(pairs, name)) {
		case "true", "1":
			return new(true)
		case "false", "0":
			return new(false)
		}
		return nil
	}
	device := struct {
		DeviceID        string `json:"deviceId,omitempty"`
		DisplayName     string `json:"displayName,omitempty"`
		OperatingSystem string `json:"operatingSystem,omitempty"`
		Browser         string `json:"browser,omitempty"`
		IsCompliant     *bool  `json:"isCompliant,omitempty"`
		IsManaged       *bool  `json:"isManaged,omitempty"`
		TrustType       string `json:"trustType,omitempty"`
	}{
		DeviceID:        pairValue(pairs, "Id"),
		DisplayName:     pairValue(pairs, "DisplayName"),
		OperatingSystem: pairValue(pairs, "OS"),
		Browser:         pairValue(pairs, "BrowserType"),
		IsCompliant:     truth("IsCompliant"),
		TrustType:       pairValue(pairs, "TrustType"),
	}
	// "Compliant and managed" being false does not say which of the two is.
	if both := truth("IsCompliantAndManaged"); both != nil && *both {
		device.IsManaged = both
		if device.IsCompliant == nil {
			device.IsCompliant = both
		}
	}
	switch device.TrustType {
	case "0":
		device.TrustType = "Azure AD registered"
	case "1":
		device.TrustType = "Azure AD joined"
	case "2":
		device.TrustType = "Hybrid Azure AD joined"
	}
	if text := e.jsonOf(device); text != "{}" {
		return text
	}
	return ""
}

type managedUser struct {
	ID          *string `json:"id"`
	DisplayName *string `json:"displayName"`
	Name        *string `json:"userPrincipalName"`
	IPAddress   *string `json:"ipAddress"`
}

type managedApp struct {
	AppID       *string `json:"appId"`
	DisplayName *string `json:"displayName"`
	PrincipalID *string `json:"servicePrincipalId"`
	SPN         *string `json:"servicePrincipalName"`
}

// some gives a pointer to a text, nil if it is empty.
func some(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// managedInitiator gives InitiatedBy: an application where the actor is a service
// principal, else a user.
func (e *engine) managedInitiator() string {
	actor := list[party](e, "actor")
	principal, isApp := "", false
	for _, p := range actor {
		id := p.id()
		if kind, guid, ok := typed(id); ok && kind == "ServicePrincipal" {
			principal, isApp = guid, true
		}
		if id == "ServicePrincipal" {
			isApp = true
		}
	}
	userID := e.idText("userid")
	if kind, guid, ok := typed(userID); ok && kind == "ServicePrincipal" {
		isApp = true
		if principal == "" {
			principal = guid
		}
	}
	// Who acts is judged by the actor; the type of user only where there is none.
	if t := e.propertyText("usertype"); len(actor) == 0 && (t == "5" || t == "6") {
		isApp = true
	}
	if isApp {
		app := managedApp{DisplayName: some(actorName(actor)), PrincipalID: some(principal)}
		for _, p := range actor {
			id := p.id()
			switch {
			case glassward.IsGUID(id) && !strings.EqualFold(id, principal) && app.AppID == nil:
				app.AppID = some(id)
			case p.Type == partySPN && !glassward.IsGUID(id) && app.SPN == nil:
				app.SPN = some(id)
			}
		}
		if app.DisplayName == nil && app.AppID == nil && app.PrincipalID == nil {
			switch {
			case glassward.IsGUID(userID):
				app.AppID = some(userID)
			default:
				app.DisplayName = some(userID)
			}
		}
		if app == (managedApp{}) {
			return ""
		}
		return e.jsonOf(struct {
			App managedApp `json:"app"`
		}{app})
	}
	user := managedUser{
		ID:          some(e.managedUserID()),
		DisplayName: some(actorName(actor)),
		Name:        some(e.managedUserName()),
	}
	for _, name := range []string{"actoripaddress", "clientip"} {
		if ip := e.propertyText(name); ip != "" {
			user.IPAddress = some(address(ip))
			break
		}
	}
	if user == (managedUser{}) {
		return ""
	}
	return e.jsonOf(struct {
		User managedUser `json:"user"`
	}{user})
}

// actorName gives the display name in a list of parties.
func actorName(parties []party) string {
	for _, p := range parties {
		if p.Type == partyName {
			return string(p.ID)
		}
	}
	return ""
}

func (e *engine) managedActorName() string { return actorName(list[party](e, "actor")) }

type managedTarget struct {
	ID          *string         `json:"id"`
	DisplayName *string         `json:"displayName"`
	Type        *string         `json:"type"`
	Name        *string         `json:"userPrincipalName"`
	Modified    []managedChange `json:"modifiedProperties"`
}

type managedChange struct {
	DisplayName string  `json:"displayName"`
	OldValue    *string `json:"oldValue"`
	NewValue    *string `json:"newValue"`
}

// managedTargets gives TargetResources. The list says of each target its id with
// and without its kind, its names, its kind alone. Where it speaks of several, a
// name goes to the only one that it can belong to; else it stands as a target of
// its own, so that no name is lost and none is given to another.
func (e *engine) managedTargets() string {
	parties := list[party](e, "target")
	var targets []managedTarget
	known := map[string]bool{}
	for _, p := range parties {
		if kind, guid, ok := typed(p.id()); ok && !known[strings.ToLower(guid)] {
			known[strings.ToLower(guid)] = true
			targets = append(targets, managedTarget{ID: some(guid), Type: some(kind)})
		}
	}
	for _, p := range parties {
		if id := p.id(); glassward.IsGUID(id) && !known[strings.ToLower(id)] {
			known[strings.ToLower(id)] = true
			// A service principal's list holds its application's id as well.
			if len(targets) == 1 && targets[0].Type != nil && *targets[0].Type == "ServicePrincipal" {
				continue
			}
			targets = append(targets, managedTarget{ID: some(id)})
		}
	}
	if len(parties) == 0 {
		if id := e.idText("objectid"); id != "" {
			t := managedTarget{}
			switch kind, guid, ok := typed(id); {
			case ok:
				t.ID, t.Type = some(guid), some(kind)
			case glassward.IsGUID(id):
				t.ID = some(id)
			case strings.Contains(id, "@"):
				t.Name = some(id)
			default:
				t.DisplayName = some(id)
			}
			targets = append(targets, t)
		}
	}
	for _, p := range parties {
		id := string(p.ID)
		if id == "" || known[strings.ToLower(id)] {
			continue
		}
		switch {
		case p.Type == partyUPN:
			known[strings.ToLower(id)] = true
			give(&targets, id, func(t *managedTarget) **string { return &t.Name },
				func(t *managedTarget) bool { return t.Type == nil || *t.Type == "User" })
		case p.Type == partyName:
			known[strings.ToLower(id)] = true
			give(&targets, id, func(t *managedTarget) **string { return &t.DisplayName },
				func(t *managedTarget) bool { return true })
		}
	}
	// A kind that stands alone belongs to the only target that has none.
	for _, p := range parties {
		id := p.id()
		if p.Type == partyOther && len(targets) == 1 && targets[0].Type == nil && isWord(id) {
			targets[0].Type = some(id)
		}
	}
	changes := list[modified](e, "modifiedproperties")
	if len(targets) == 0 {
		if len(changes) == 0 {
			return ""
		}
		targets = append(targets, managedTarget{})
	}
	for i := range targets {
		targets[i].Modified = []managedChange{}
	}
	for _, c := range changes {
		targets[0].Modified = append(targets[0].Modified, managedChange{string(c.Name), (*string)(c.OldValue), (*string)(c.NewValue)})
	}
	return e.jsonOf(targets)
}

// give puts a name into the only target that may have it and has none.
func give(targets *[]managedTarget, name string, field func(*managedTarget) **string, may func(*managedTarget) bool) {
	var only *managedTarget
	for i := range *targets {
		if t := &(*targets)[i]; may(t) {
			if only != nil {
				only = nil
				break
			}
			only = t
		}
	}
	if only == nil || *field(only) != nil {
		*targets = append(*targets, managedTarget{})
		only = &(*targets)[len(*targets)-1]
	}
	*field(only) = some(name)
}

// isWord reports whether a text is one word of letters, as kinds are.
func isWord(text string) bool {
	for i := range len(text) {
		if c := text[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return text != ""
}

// managedDetails gives AdditionalDetails. The member additionalDetails of the
// extended properties holds an object whose members the other roads list.
func (e *engine) managedDetails() string {
	type detail struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	var details []detail
	for _, p := range list[pair](e, "extendedproperties") {
		if strings.EqualFold(string(p.Name), "additionalDetails") {
			if normal, _, ok := e.jsonText(string(p.Value)); ok && normal[0] == '{' {
				if normal != "{}" {
					eachMember(normal, func(_ int, key, value string) {
						var text loose
						if err := text.UnmarshalJSON([]byte(value)); err == nil {
							details = append(details, detail{plainKey(key), string(text)})
						}
					})
				}
				continue
			}
		}
		if p.Name != "" || p.Value != "" {
			details = append(details, detail{string(p.Name), string(p.Value)})
		}
	}
	if len(details) == 0 {
		return ""
	}
	return e.jsonOf(details)
}

// jsonOf gives a value as JSON text in normal form.
func (e *engine) jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		// Only texts, booleans and numbers come here.
		return ""
	}
	normal, _, _ := e.jsonText(string(text))
	return normal
}

// address takes brackets and a port off an address. What is none stays as it is.
func address(text string) string {
	bare := strings.TrimSpace(text)
	if _, err := netip.ParseAddr(bare); err == nil {
		return bare
	}
	if ap, err := netip.ParseAddrPort(bare); err == nil {
		return ap.Addr().String()
	}
	if inner, ok := strings.CutPrefix(bare, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			if _, err := netip.ParseAddr(inner); err == nil {
				return inner
			}
		}
	}
	return text
}

// plainName takes blanks and full stops off the end of an operation's name, as
// the directory's log writes it on one road and not on the other.
func plainName(text string) string { return strings.TrimRight(strings.TrimSpace(text), ". ") }

// outcome gives the words of the directory's log for a result.
func outcome(text string) string {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "success", "succeeded", "true":
		return "success"
	case "failure", "failed", "false":
		return "failure"
	}
	return text
}
