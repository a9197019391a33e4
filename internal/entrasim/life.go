package entrasim

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// thumbprint is the SHA-1 of a certificate, as Entra names certificates.
func thumbprint(der []byte) string {
	sum := sha1.Sum(der)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// working says how busy people are in an hour of their day: 1 for the average
// hour of ten in the office.
func working(local time.Time) float64 {
	day := [24]float64{.02, .01, .01, .01, .02, .06, .25, .9, 1.5, 1.4, 1.2, 1, .7, 1.1, 1.2, 1, .7, .35, .2, .2, .18, .15, .1, .05}[local.Hour()]
	if d := local.Weekday(); d == time.Saturday || d == time.Sunday {
		return .04 + day*.06
	}
	return day
}

// awake says how busy their devices are, which go on by night.
func awake(local time.Time) float64 { return .25 + .75*working(local) }

const workingSum = 11.2 // of the hours of a working day, about

// ordinary makes the ordinary life of a slice of time, an hour or in large
// tenants less: a function of the seed, the moment and the directory, so that
// none has to be remembered.
func (w *World) ordinary(hour time.Time) []*Event {
	part := w.slice.Hours()
	l := &living{w: w, hour: hour, dice: newDice(hashOf(w.base, uint64(hour.Unix())))}
	size := float64(w.o.Users) / 200
	for slot, p := range places {
		local := hour.Add(time.Duration(p.zone) * time.Hour)
		people := float64(w.o.Users) / float64(len(places))
		for range l.poisson(w.rates.Interactive * people * working(local) / workingSum / 1.45 * part) {
			l.session(l.somebody(slot))
		}
		for range l.poisson(w.rates.NonInteractive * people * awake(local) / (6 + .75*workingSum) * part) {
			l.refresh(l.somebody(slot))
		}
		share := working(local) / workingSum / float64(len(places)) * size * part
		for range l.poisson(w.rates.Audit * share) {
			l.change("life", l.somebody(slot))
		}
		for range l.poisson(w.rates.Policy * share) {
			l.change("policy", l.somebody(slot))
		}
		for range l.poisson(w.rates.CloudApp * share) {
			l.cloudApp(l.somebody(slot))
		}
		for range l.poisson(w.rates.Risk * share) {
			l.atRisk(l.somebody(slot))
		}
		for range l.poisson(w.rates.Provisioning * share) {
			l.provision(l.somebody(slot))
		}
	}
	for range l.poisson(w.rates.ServicePrincipal * part) {
		l.application()
	}
	for range l.poisson(w.rates.ManagedIdentity * part) {
		l.managedIdentity()
	}
	// Some things happen at the very same moment.
	for i := 1; i < len(l.out); i++ {
		if e := l.out[i]; l.chance(.02) && e.Kind == l.out[i-1].Kind && e.fuller.IsZero() && e.Kind < RiskDetection {
			e.At = l.out[i-1].At
		}
	}
	slices.SortStableFunc(l.out, func(a, b *Event) int { return a.At.Compare(b.At) })
	return l.out
}

// sliceOf says how much of life is made at once: an hour, in tenants of more than
// 2500 people so much less that memory stays bounded, at the least a minute.
func sliceOf(users int) time.Duration {
	for _, n := range []int{1, 2, 3, 4, 6, 10, 15, 20, 30} {
		if users <= 2500*n {
			return time.Hour / time.Duration(n)
		}
	}
	return time.Minute
}

// A living makes events, of a slice of time or of a step of a story.
type living struct {
	dice
	w    *World
	hour time.Time
	out  []*Event
}

// somebody is one of the people of a place, who is still there.
func (l *living) somebody(slot int) *User {
	n := (l.w.o.Users - slot + len(places) - 1) / len(places)
	if n <= 0 {
		slot, n = 0, 1
	}
	for range 8 {
		if u := l.w.user(slot + len(places)*l.IntN(n)); u != nil && u.Enabled {
			return u
		}
	}
	return l.w.person(slot)
}

func (l *living) event(kind Kind, at time.Time) *Event {
	e := &Event{ID: l.guid(), Kind: kind, At: at.UTC().Truncate(100), Correlation: l.guid(), tenant: &l.w.o.Tenant}
	e.hash = hashText(3, e.ID)
	l.out = append(l.out, e)
	return e
}

var agents = []struct{ agent, browser, os, client string }{
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0", "Edge 156.0.0", "Windows10", "Browser"},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36", "Chrome 156.0.0", "Windows10", "Browser"},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Safari/605.1.15", "Safari 19.1", "MacOs", "Browser"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", "Mobile Safari", "Ios 19.1", "Mobile Apps and Desktop clients"},
	{"Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.19029; Pro)", "Microsoft Office 16.0", "Windows10", "Mobile Apps and Desktop clients"},
}

// sign makes a sign-in of a user.
func (l *living) sign(kind Kind, u *User, at time.Time, app firstPartyApp, code int) *Event {
	e := l.event(kind, at)
	e.UserID, e.UserPrincipalName, e.AppID, e.Code = u.ID, u.UserPrincipalName, app.id, code
	h := hashText(5, u.ID)
	a := agents[h%uint64(len(agents))]
	resource := app
	switch app.name {
	case "Azure Portal":
		resource = firstPartyApp{azureApp, "Windows Azure Service Management API"}
	case "OfficeHome", "Microsoft Graph Command Line Tools", "Microsoft Office":
		resource = firstPartyApp{graphApp, "Microsoft Graph"}
	}
	s := &signIn{name: u.DisplayName, userType: u.UserType, app: app, resource: resource, place: places[u.place], ip: u.ip, client: a.client, agent: a.agent, browser: a.browser, os: a.os,
		reason: results[code], method: "Password", detail: "Password Hash Sync", protocol: "oAuth2", session: guidOf("session", u.ID, at.Format("2006-01-02")), token: l.guid()[:22],
		ca: "notApplied", millis: 40 + l.IntN(400)}
	if r := l.w.principal(resource.id); r != nil {
		s.resourceID = r.ID
	}
	if h>>8%3 > 0 {
		s.device = device{id: guidOf("device", u.ID), name: fmt.Sprintf("NL-%04d", h>>16%10000), compliant: true, managed: true, trust: "Azure AD joined"}
	}
	for i, p := range l.w.policies {
		applied := appliedPolicy{p.id, p.name, "Mfa", "notApplied"}
		switch {
		case p.state == "disabled":
			applied.result = "notEnabled"
		case len(p.include) == 0 && p.grant == "mfa" && !slices.Contains(p.exclude, u.ID), slices.Contains(p.include, u.ID):
			applied.result, s.multi, s.ca = "success", true, "success"
			if code != 0 && code != 50140 {
				applied.result, s.ca = "failure", "failure"
			}
			if p.state == "enabledForReportingButNotEnforced" {
				applied.result, s.multi, s.ca = "reportOnlySuccess", false, "notApplied"
			}
		case code == 53003 && i == 1:
			applied.control, applied.result, s.ca = "Block", "failure", "failure"
		}
		s.applied = append(s.applied, applied)
	}
	if code == 50126 || code == 50053 || code == 50034 || code == 50057 || code == 50055 {
		// Conditional Access does not look at who failed the first factor.
		s.ca, s.multi, s.applied = "notApplied", false, nil
	}
	switch {
	case kind == NonInteractiveSignIn:
		s.method, s.detail = "Previously satisfied", ""
	case code == 0 && (u == l.w.byKey["EA-01"] || u == l.w.byKey["EA-02"]):
		s.method, s.detail = "FIDO2 security key", "" // both factors in one
	case s.multi && (code == 0 || code == 500121):
		s.second = "Mobile app notification"
		s.details = "MFA requirement satisfied by claim in the token"
		if code == 500121 {
			s.details = "MFA denied; user declined the authentication"
		}
	}
	e.signIn = s
	return e
}

// session is somebody who signs in: perhaps with a mistyped password first, with
// the interrupts that a second factor brings, and mostly with success. All
// records of it share the correlation id.
func (l *living) session(u *User) {
	at := l.hour.Add(l.within(l.w.slice))
	app := firstParty[l.IntN(5)]
	correlation := l.guid()
	add := func(code int) *Event {
		e := l.sign(InteractiveSignIn, u, at, app, code)
		e.Correlation = correlation
		at = at.Add(4*time.Second + l.within(20*time.Second))
		return e
	}
	switch n := l.IntN(1000); {
	case n < 6: // a name that the directory does not know
		stranger := &User{ID: "00000000-0000-0000-0000-000000000000", UserPrincipalName: strings.ToLower(pick(l.dice, firstNames)) + ".typo@" + l.w.o.Tenant.Domain, UserType: "Member", place: u.place, ip: u.ip}
		stranger.DisplayName = stranger.UserPrincipalName
		add(50034).unknownUser(stranger)
		return
	case n < 10: // somebody guesses from outside
		p := pick(l.dice, abroad[:])
		e := add(50126)
		e.signIn.place, e.signIn.ip, e.signIn.device = p, p.net+"."+strconv.Itoa(1+l.IntN(250)), device{}
		if l.chance(.2) {
			e.Code, e.signIn.reason = 50053, results[50053]
		}
		return
	case n < 16:
		add(53003)
		return
	case n < 19:
		add(pick(l.dice, []int{50055, 50057, 65001, 50125}))
		return
	case n < 55:
		add(50126)
	}
	switch n := l.IntN(100); {
	case n < 9:
		add(50074)
	case n < 18:
		add(50076)
	case n < 20:
		add(50097)
	}
	if l.chance(.008) {
		add(500121)
		return
	}
	if l.chance(.12) {
		add(50140)
	}
	e := add(0)
	l.enrich(e)
	for range 2 { // a browser asks for tokens at once
		if l.chance(.3) {
			n := l.sign(NonInteractiveSignIn, u, at, pick(l.dice, firstParty[5:8]), 0)
			n.signIn.session = e.signIn.session
			at = at.Add(l.within(30 * time.Second))
		}
	}
}

func (e *Event) unknownUser(u *User) {
	e.unknown = true
	e.UserID, e.UserPrincipalName, e.signIn.name = u.ID, u.UserPrincipalName, u.DisplayName
	e.signIn.device = device{}
}

// enrich gives some sign-ins a fuller second version: the risk, the policies or
// the second factor are known only later.
func (l *living) enrich(e *Event) {
	s := e.signIn
	switch n := l.IntN(100); {
	case n < 2:
		s.thin, s.risk = withoutRisk, riskNote{pick(l.dice, []string{"low", "low", "medium"}), "atRisk", "none", "unfamiliarFeatures"}
	case n < 4 && len(s.applied) > 0:
		s.thin = withoutCA
	case n < 6 && s.second != "":
		s.thin = withoutSecondFactor
	default:
		return
	}
	e.fuller = e.At.Add(2 * time.Minute)
}

// refresh is a device that asks for a token without anybody in front of it.
func (l *living) refresh(u *User) {
	code := 0
	switch n := l.IntN(1000); {
	case n < 8:
		code = 50173
	case n < 16:
		code = 70043
	case n < 22:
		code = 700082
	case n < 30:
		code = 50076
	}
	e := l.sign(NonInteractiveSignIn, u, l.hour.Add(l.within(l.w.slice)), pick(l.dice, firstParty[5:8]), code)
	if l.chance(.01) {
		e.UserPrincipalName = u.ID // seen in exports: the name is the id
	}
	if code == 0 {
		l.enrich(e)
	}
}

// application is a service principal that fetches a token.
func (l *living) application() {
	var own []*ServicePrincipal
	for _, s := range l.w.principals {
		if s.Type == "Application" && s.owner == l.w.o.Tenant.ID && s.Enabled && s.AppID != EmergencyApp {
			own = append(own, s)
		}
	}
	if len(own) == 0 {
		return
	}
	s := pick(l.dice, own)
	code := 0
	if l.chance(.004) {
		code = pick(l.dice, []int{7000215, 7000222})
	}
	l.signApplication(s, l.hour.Add(l.within(l.w.slice)), code)
}

func (l *living) signApplication(s *ServicePrincipal, at time.Time, code int) *Event {
	e := l.event(ServicePrincipalSignIn, at)
	e.AppID, e.ServicePrincipalID, e.Code = s.AppID, s.ID, code
	e.signIn = &signIn{name: s.DisplayName, app: firstPartyApp{s.AppID, s.DisplayName}, resource: firstPartyApp{graphApp, "Microsoft Graph"}, place: places[0], ip: places[0].net + ".200",
		reason: results[code], token: l.guid()[:22], ca: "notApplied", millis: 20 + l.IntN(100), credential: "clientSecret", keyID: guidOf("key", s.ID)}
	if s.AppID == GlasswardApp {
		e.signIn.credential, e.signIn.thumbprint = "certificate", strings.ToUpper(strings.ReplaceAll(guidOf("thumb", s.ID), "-", ""))+"0A1B2C3D"
	}
	if r := l.w.principal(graphApp); r != nil {
		e.signIn.resourceID = r.ID
	}
	return e
}

func (l *living) managedIdentity() {
	var all []*ServicePrincipal
	for _, s := range l.w.principals {
		if s.Type == "ManagedIdentity" {
			all = append(all, s)
		}
	}
	s := pick(l.dice, all)
	e := l.signApplication(s, l.hour.Add(l.within(l.w.slice)), 0)
	e.Kind = ManagedIdentitySignIn
	e.signIn.ip, e.signIn.credential, e.signIn.keyID, e.signIn.place = "", "managedIdentity", "", place{}
	e.signIn.resource = firstPartyApp{azureApp, "Windows Azure Service Management API"}
	if r := l.w.principal(azureApp); r != nil {
		e.signIn.resourceID = r.ID
	}
	e.signIn.identityResource = "/subscriptions/5b7c2f10-0000-4000-8000-000000000001/resourceGroups/rg-work/providers/Microsoft.Compute/virtualMachines/" + s.DisplayName
}

// auditRecord makes an audit event. Its id has the form that each service gives.
func (l *living) auditRecord(at time.Time, operation, category, service, kind string, by actor, ip string, targets ...target) *Event {
	e := l.event(DirectoryAudit, at)
	e.Operation = operation
	prefix := "Directory"
	if service != "Core Directory" {
		prefix = strings.ReplaceAll(service, " ", "")
	}
	e.ID = fmt.Sprintf("%s_%s_%05X_%08d", prefix, e.Correlation, l.IntN(1<<20), l.IntN(1e8))
	e.hash = hashText(3, e.ID)
	e.audit = &audit{category: category, service: service, kind: kind, by: by, targets: targets, result: "success", ip: ip, record: guidOf("audit", e.ID)}
	if by.app != nil {
		e.AppID, e.ServicePrincipalID = by.app.AppID, by.app.ID
	} else {
		e.UserID, e.UserPrincipalName = by.user.ID, by.user.UserPrincipalName
	}
	for _, t := range targets {
		e.Targets = append(e.Targets, t.id)
	}
	return e
}

func userTarget(u *User, changes ...change) target {
	return target{id: u.ID, name: u.DisplayName, upn: u.UserPrincipalName, kind: "User", changes: changes}
}

func quoted(s string) string { return `["` + s + `"]` }

// change is something that is changed in the directory. The emergency accounts
// are never among it: whoever touches them does it in a story.
func (l *living) change(class string, of *User) {
	list, sum := l.w.operations(class)
	n := l.Float64() * sum
	op := list[len(list)-1]
	for _, o := range list {
		if n -= o.weight; n < 0 {
			op = o
			break
		}
	}
	at := l.hour.Add(l.within(l.w.slice))
	admin := l.w.byKey[administrators[l.IntN(len(administrators))].key]
	by, ip := actor{user: admin}, admin.ip
	switch op.actor {
	case "self":
		by, ip = actor{user: of}, of.ip
	case "app":
		by, ip = actor{app: l.w.principal(Provisioner)}, ""
	}
	var targets []target
	switch op.target {
	case "user":
		c := change{"Department", quoted(of.Department), quoted(pick(l.dice, departments))}
		targets = []target{userTarget(of, c, change{"Included Updated Properties", "", `"Department"`})}
	case "group":
		g := l.w.groups[2+l.IntN(len(l.w.groups)-2)]
		targets = []target{userTarget(of, change{"Group.ObjectID", "", `"` + g.id + `"`}, change{"Group.DisplayName", "", `"` + g.name + `"`}), {id: g.id, name: g.name, kind: "Group"}}
	case "role":
		r := roles[l.IntN(len(roles))]
		targets = []target{userTarget(of, change{"Role.ObjectID", "", `"` + r.id + `"`}, change{"Role.DisplayName", "", `"` + r.name + `"`}), {id: r.id, name: r.name, kind: "Role"}}
	case "app":
		s := l.w.principal(pick(l.dice, []string{Pipeline, Provisioner, guidOf("app", "Backup"), guidOf("app", "Intranet")}))
		targets = []target{{id: s.ID, name: s.DisplayName, kind: "ServicePrincipal", changes: []change{{"AppAddress", "[]", `[{"Address":"https://intranet.example","AddressType":0}]`}}}}
	case "unit":
		targets = []target{userTarget(of), {id: guidOf(l.w.o.Tenant.ID, "unit", "Branches"), name: "Branches", kind: "AdministrativeUnit"}}
	case "device":
		targets = []target{{id: guidOf("device", of.ID), name: "NL-" + of.ID[:4], kind: "Device"}}
	case "policy":
		p := l.w.policies[l.IntN(2)]
		targets = []target{p.target(p.state, p.state)}
	default:
		targets = []target{{id: guidOf(l.w.o.Tenant.ID, op.name), name: op.category, kind: "Other"}}
	}
	e := l.auditRecord(at, op.name, op.category, op.service, op.kind, by, ip, targets...)
	e.audit.details = [][2]string{{"User-Agent", agents[0].agent}}
	if l.chance(.02) {
		e.audit.result, e.audit.reason = "failure", "Microsoft.Online.Workflows.ValidationException"
	}
	if op.name == "Add member to group" && l.chance(.4) {
		// A whole list at one moment, by one request.
		for range 1 + l.IntN(4) {
			more := l.w.person(l.IntN(l.w.o.Users))
			m := l.auditRecord(at, op.name, op.category, op.service, op.kind, by, ip, append([]target{userTarget(more, targets[0].changes...)}, targets[1:]...)...)
			m.Correlation = e.Correlation
		}
	}
}

// with is the policy in another state.
func (p *policy) with(state string) *policy {
	c := *p
	c.state = state
	return &c
}

// target is the policy as an audit event tells of its change: the whole of it,
// before and after.
func (p *policy) target(old, state string) target {
	c := change{"ConditionalAccessPolicy", "", text(string(p.with(state).graph()))}
	if old != "" {
		c.old = text(string(p.with(old).graph()))
	}
	return target{id: p.id, name: p.name, kind: "Policy", changes: []change{c}}
}

var activities = []struct {
	action, app, kind, workload, content string
	appID, record                        int
}{
	{"FileAccessed", "Microsoft SharePoint Online", "File", "SharePoint", "Audit.SharePoint", 20892, 6},
	{"FileDownloaded", "Microsoft OneDrive for Business", "File", "OneDrive", "Audit.SharePoint", 15600, 6},
	{"MailItemsAccessed", "Microsoft Exchange Online", "Email", "Exchange", "Audit.Exchange", 20893, 50},
	{"New-InboxRule", "Microsoft Exchange Online", "Rule", "Exchange", "Audit.Exchange", 20893, 1},
	{"MessageSent", "Microsoft Teams", "Message", "MicrosoftTeams", "Audit.General", 28375, 25},
}

func (l *living) cloudApp(u *User) {
	a := activities[l.IntN(len(activities))]
	e := l.event(CloudAppEvent, l.hour.Add(l.within(l.w.slice)))
	e.ID = fmt.Sprintf("%d_%d_%s", a.appID, a.appID, e.ID)
	e.hash = hashText(3, e.ID)
	e.UserID, e.UserPrincipalName, e.Operation = u.ID, u.UserPrincipalName, a.action
	e.cloudApp = &cloudApp{user: u, action: a.action, app: a.app, appID: a.appID, object: fmt.Sprintf("%s-%04d", strings.ToLower(a.kind), l.IntN(10000)), kind: a.kind, workload: a.workload, record: a.record,
		content: a.content, ip: u.ip, agent: agents[0].agent, place: places[u.place]}
}

// atRisk is a user whose sign-in looks strange: the sign-in itself, the
// detection, the user's risk, and hours later the remedy or the dismissal.
func (l *living) atRisk(u *User) {
	at := l.hour.Add(l.within(l.w.slice))
	p := pick(l.dice, abroad[:])
	ip := p.net + "." + strconv.Itoa(1+l.IntN(250))
	s := l.sign(InteractiveSignIn, u, at, firstParty[1], 0)
	s.signIn.place, s.signIn.ip, s.signIn.device = p, ip, device{}
	level := pick(l.dice, []string{"low", "medium", "medium", "high"})
	event := pick(l.dice, []string{"unfamiliarFeatures", "anonymizedIPAddress", "unlikelyTravel", "maliciousIPAddress"})
	s.signIn.risk, s.signIn.thin = riskNote{level, "atRisk", "none", event}, withoutRisk
	s.fuller = at.Add(3 * time.Minute)

	timing, after := "realtime", time.Duration(0)
	if event == "unlikelyTravel" {
		timing, after = "offline", time.Hour+l.within(8*time.Hour)
	}
	detected := s.At.Add(after).Truncate(100)
	remedied := detected.Add(90*time.Minute + l.within(5*time.Hour)).Truncate(100)
	remedy := "userPassedMFADrivenByRiskBasedPolicy"
	d := l.event(RiskDetection, s.At)
	d.ID = strings.ReplaceAll(d.ID+l.guid(), "-", "")
	d.hash = hashText(3, d.ID)
	d.Correlation, d.UserID, d.UserPrincipalName = s.Correlation, u.ID, u.UserPrincipalName
	d.risk = &risk{user: u, event: event, level: level, state: "atRisk", detail: "none", place: p, ip: ip, request: s.ID, timing: timing, active: s.At, detected: detected, updated: detected.Add(time.Minute), remedied: remedied, remedy: remedy}
	d.fuller = remedied
	if after > 0 {
		d.At = detected // an event becomes known when it is detected
	}
	for _, r := range []struct {
		at            time.Time
		state, detail string
	}{{detected.Add(2 * time.Minute), "atRisk", "none"}, {remedied, "remediated", remedy}} {
		e := l.event(RiskyUser, r.at)
		e.ID, e.UserID, e.UserPrincipalName = u.ID, u.ID, u.UserPrincipalName
		e.hash = hashText(3, e.Key())
		e.risk = &risk{user: u, level: level, state: r.state, detail: r.detail}
		if r.state == "remediated" {
			e.risk.level = "none"
		}
	}
}

func (l *living) provision(u *User) {
	e := l.event(Provisioning, l.hour.Add(l.within(l.w.slice)))
	s := l.w.principal(Provisioner)
	e.ServicePrincipalID, e.AppID = s.ID, s.AppID
	e.provision = &provision{action: pick(l.dice, []string{"update", "update", "update", "create", "disable", "other"}), job: "people." + guidOf("job", l.w.o.Tenant.ID)[:8], cycle: guidOf("cycle", l.hour.String()), change: l.guid(),
		principal: s, source: strconv.Itoa(100000 + l.IntN(900000)), target: u.ID, name: u.DisplayName, status: "success", millis: 200 + l.IntN(3000)}
	if l.chance(.03) {
		e.provision.status, e.provision.reason = "failure", "Two entries of the directory match the worker."
	}
}
