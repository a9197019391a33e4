package entrasim

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Story is a scenario: what is done to a world at which minute, and what must
// be told of it. Its file in the folder scenario is written for people; the
// README there says how.
type Story struct {
	// Name is S1 to S12, or A1 and on; Title and Text are for people.
	Name, Title, Text string
	// Minutes is how long the story lasts.
	Minutes int
	// Incidents are what a complete set of rules, polls and drills must raise.
	Incidents []Expectation
	// Alerts are what the rules that are shipped must raise, and nothing else.
	Alerts []ExpectedAlert

	steps []storyStep
}

// An Expectation is an incident that a story must raise.
type Expectation struct {
	// Minute is that of the event that raises it; Joins is the minute of the
	// incident of which it becomes part, -1 if it stands alone.
	Minute, Joins int
	// Severity is P1 to P4; Kind is the detection's number in the catalogue.
	Severity, Kind string
	// By says what sees it: logs, or what is out of reach of logs alone: poll
	// (of the directory or of Azure), twin, pulse, state (of Glassward itself),
	// host, drill, feed, channel. Several are joined by a plus.
	By    string
	Title string
	// Account is the object id of whom it is about; empty if of nobody.
	Account string
	// Note tells the conditions, a drill for instance.
	Note string
}

// Logs says whether the logs alone are enough to raise it.
func (e Expectation) Logs() bool { return e.By == "logs" }

// An ExpectedAlert is one alert of a shipped rule.
type ExpectedAlert struct {
	Minute int
	// Rule is the rule's name; Title a pattern as in path.Match over the alert's
	// title, in which a star stands for anything.
	Rule, Title string
	// Incident is the story's name of the incident that the alert is in.
	Incident string
}

type storyStep struct {
	at   time.Duration
	text string
	word []string
}

//go:embed scenario/*.txt
var storyFiles embed.FS

var storyNames = []string{"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "A1", "A2", "A3", "A4"}

// Scenarios gives the stories in order.
func Scenarios() []*Story {
	var out []*Story
	for _, name := range storyNames {
		out = append(out, Scenario(name))
	}
	return out
}

// Scenario finds a story by its name; nil if there is none.
func Scenario(name string) *Story {
	b, err := storyFiles.ReadFile("scenario/" + name + ".txt")
	if err != nil {
		return nil
	}
	s, err := parseStory(string(b))
	if err != nil {
		panic("entrasim: scenario/" + name + ".txt: " + err.Error()) // the files are part of the program and tested
	}
	return s
}

// Words splits a line of a story into words. What stands in quotes is one word, and
// what follows on a # is none; a quotation mark that stays open is an error.
func Words(line string) ([]string, error) {
	var out []string
	for line = strings.TrimSpace(line); line != "" && line[0] != '#'; line = strings.TrimSpace(line) {
		if line[0] != '"' {
			word, rest, _ := strings.Cut(line, " ")
			out, line = append(out, word), rest
			continue
		}
		word, rest, ok := strings.Cut(line[1:], `"`)
		if !ok {
			return nil, fmt.Errorf("a quotation mark is open: %s", line)
		}
		out, line = append(out, word), rest
	}
	return out, nil
}

func parseStory(file string) (*Story, error) {
	s := &Story{}
	rules := map[string]string{}
	for i, line := range strings.Split(file, "\n") {
		if strings.HasPrefix(line, "  ") {
			s.Text += strings.TrimSpace(line) + "\n"
			continue
		}
		word, err := Words(line)
		if err == nil && len(word) > 0 {
			err = s.line(word, line, rules)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return s, nil
}

func (s *Story) line(word []string, line string, rules map[string]string) (err error) {
	rest := func() string { return strings.TrimSpace(strings.TrimPrefix(line, word[0])) }
	number := func(i int) int {
		if i >= len(word) {
			err = fmt.Errorf("%s: something is missing", line)
			return 0
		}
		n, e := strconv.Atoi(word[i])
		if e != nil {
			err = e
		}
		return n
	}
	switch word[0] {
	case "name":
		s.Name = rest()
	case "title":
		s.Title = rest()
	case "length":
		s.Minutes = number(1)
	case "rule":
		rules[word[1]] = word[2]
	case "at":
		clock, seconds, _ := strings.Cut(word[1], ":")
		minute, e := strconv.Atoi(clock)
		second, e2 := 0, error(nil)
		if seconds != "" {
			second, e2 = strconv.Atoi(seconds)
		}
		if e != nil || e2 != nil || len(word) < 3 || !doable(word[2:]) {
			return fmt.Errorf("%s: no minute, or nothing that can be done", line)
		}
		s.steps = append(s.steps, storyStep{time.Duration(minute)*time.Minute + time.Duration(second)*time.Second, strings.Join(word[2:], " "), word[2:]})
	case "alert":
		if len(word) != 6 || rules[word[2]] == "" || word[4] != "in" {
			return fmt.Errorf("%s: alert MINUTE RULE \"TITLE\" in INCIDENT, the rule named by a line above", line)
		}
		s.Alerts = append(s.Alerts, ExpectedAlert{number(1), rules[word[2]], word[3], word[5]})
	case "incident":
		if len(word) < 6 {
			return fmt.Errorf("%s: incident MINUTE SEVERITY KIND BY \"TITLE\" …", line)
		}
		x := Expectation{Minute: number(1), Joins: -1, Severity: word[2], Kind: word[3], By: word[4], Title: word[5]}
		for i := 6; i+1 < len(word); i += 2 {
			switch word[i] {
			case "joins":
				x.Joins = number(i + 1)
			case "account":
				x.Account = word[i+1]
			case "note":
				x.Note = word[i+1]
			default:
				return fmt.Errorf("%s: %s", line, word[i])
			}
		}
		s.Incidents = append(s.Incidents, x)
	default:
		return fmt.Errorf("%s: not a word of the stories", word[0])
	}
	return err
}

// For gives the expected incidents with the object ids of a world's accounts.
func (s *Story) For(w *World) []Expectation {
	out := slices.Clone(s.Incidents)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range out {
		if u := w.byKey[out[i].Account]; u != nil {
			out[i].Account = u.ID
		}
	}
	return out
}

// Begin plans the steps of a story from a moment on; Advance plays them. Steps
// that lie before Now are played at once.
func (w *World) Begin(s *Story, from time.Time) {
	w.Play(s, from, time.Duration(s.Minutes)*time.Minute)
}

// Play is Begin for a story that is to last another time than its own: it is
// played at one pace from the first step to the last.
func (w *World) Play(s *Story, from time.Time, length time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	pace := float64(length) / float64(time.Duration(s.Minutes)*time.Minute)
	for i, st := range s.steps {
		at := from.UTC().Add(time.Duration(float64(st.at) * pace).Truncate(100))
		w.made++
		w.steps = append(w.steps, planned{at, w.made, func(w *World) {
			if at.Before(w.now) {
				at = w.now
			}
			l := &living{w: w, hour: at, dice: newDice(hashText(w.base, s.Name, strconv.Itoa(i), from.String()))}
			p := &player{l: l, at: at}
			told := w.sentence(st.word) // before it is done: a policy that is deleted has a name
			p.do(st.word)
			if p.err != nil {
				panic("entrasim: " + s.Name + ": " + st.text + ": " + p.err.Error()) // the files are part of the program and tested
			}
			for _, e := range l.out {
				w.plan(e)
			}
			w.played = append(w.played, Step{At: at, Minute: int(st.at / time.Minute), Text: told, Events: l.out})
		}})
	}
	slices.SortStableFunc(w.steps, func(a, b planned) int { return a.at.Compare(b.at) })
}

// Do plays one step, written as in the files of the stories, at Now; the error
// says what is wrong with it.
func (w *World) Do(step string) error {
	word, err := Words(step)
	if err != nil {
		return err
	}
	if !doable(word) {
		return fmt.Errorf("%q is nothing that can be done in a world", step)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	l := &living{w: w, hour: w.now, dice: newDice(hashText(w.base, step, strconv.Itoa(w.made)))}
	p := &player{l: l, at: w.now}
	p.do(word)
	if p.err != nil {
		return p.err
	}
	for _, e := range l.out {
		if e.At.After(w.now) {
			w.plan(e)
		} else {
			w.happen(e)
		}
	}
	return nil
}

// FailSignIn makes an interactive sign-in of a user fail at Now with a code, and
// gives the id of the event. False says that nobody has that object id or name.
func (w *World) FailSignIn(user string, code int) (id string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.find(user)
	if u == nil {
		return "", false
	}
	w.made++
	l := &living{w: w, hour: w.now, dice: newDice(hashText(w.base, "failed sign-in", u.ID, strconv.Itoa(w.made)))}
	e := l.sign(InteractiveSignIn, u, w.now, firstParty[0], code)
	for _, x := range l.out {
		w.happen(x)
	}
	return e.ID, true
}

// A player plays a step: it takes the words one after another.
type player struct {
	l    *living
	at   time.Time
	word []string
	err  error
}

// silently begins a step that leaves nothing in any log.
const silently = "silently"

// doable reports whether a step begins with what can be done.
func doable(word []string) bool {
	if len(word) > 0 && word[0] == silently {
		word = word[1:]
	}
	return len(word) > 0 && verbs[word[0]] != nil
}

// do plays a step that is doable.
func (p *player) do(word []string) {
	quiet := word[0] == silently
	if quiet {
		word = word[1:]
	}
	p.word = word[1:]
	verbs[word[0]](p)
	if quiet {
		p.l.out = nil
	}
}

func (p *player) next() string {
	if len(p.word) == 0 {
		p.fail("something is missing at the end")
		return ""
	}
	s := p.word[0]
	p.word = p.word[1:]
	return s
}

func (p *player) fail(format string, a ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, a...)
	}
}

// rest gives the words that are left as pairs.
func (p *player) rest() map[string]string {
	out := map[string]string{}
	for len(p.word) > 0 {
		key := p.next()
		out[key] = p.next()
	}
	return out
}

func (p *player) user(key string) *User {
	if u := p.l.w.byKey[key]; u != nil {
		return u
	}
	if u := p.l.w.find(key); u != nil {
		return u
	}
	p.fail("nobody is called %q", key)
	return &User{}
}

// member plays that an account comes into a collection ("add") or leaves it: what kind of
// object that is, the category of the record, and its name in the name of the operation.
func (p *player) member(c *collection, kind, category, name string) {
	what, u := p.next(), p.user(p.next())
	by, ip := p.by(p.rest()["by"])
	operation, verb := "Remove member from "+name, "Unassign"
	c.members = slices.DeleteFunc(slices.Clone(c.members), func(m string) bool { return m == u.ID })
	if what == "add" {
		operation, verb = "Add member to "+name, "Assign"
		c.members = append(c.members, u.ID)
	}
	p.l.auditRecord(p.at, operation, category, "Core Directory", verb, by, ip, userTarget(u, change{kind + ".DisplayName", "", `"` + c.name + `"`}), target{id: c.id, name: c.name, kind: kind})
}

func (p *player) principal(key string) *ServicePrincipal {
	for _, s := range p.l.w.principals {
		if strings.EqualFold(s.DisplayName, key) || s.AppID == key {
			return s
		}
	}
	p.fail("no service principal is called %q", key)
	return &ServicePrincipal{}
}

// objectID gives the id of what a story calls by its name.
func (w *World) objectID(name string) string {
	if name == w.units[0].name {
		return w.units[0].id
	}
	if name == "Emergency changes" {
		return "c1"
	}
	return guidOf(w.o.Tenant.ID, name)
}

// by reads who acts: an account, or app and a service principal's name.
func (p *player) by(key string) (actor, string) {
	for _, s := range p.l.w.principals {
		if s.DisplayName == key {
			return actor{app: s}, ""
		}
	}
	u := p.user(key)
	return actor{user: u}, u.ip
}

// verbs are what can be done in a story.
var verbs = map[string]func(*player){
	"sign-in": func(p *player) {
		u, code := p.user(p.next()), p.code()
		more := p.rest()
		app := firstParty[0]
		for _, a := range firstParty {
			if a.name == more["to"] {
				app = a
			}
		}
		e := p.l.sign(InteractiveSignIn, u, p.at, app, code)
		p.dress(e, u, more)
	},
	"token": func(p *player) {
		u, code := p.user(p.next()), p.code()
		more := p.rest()
		p.dress(p.l.sign(NonInteractiveSignIn, u, p.at, firstParty[5], code), u, more)
	},
	"app-sign-in": func(p *player) {
		s, code := p.principal(p.next()), p.code()
		e := p.l.signApplication(s, p.at, code)
		if p.rest()["from"] == "elsewhere" {
			e.signIn.place, e.signIn.ip = tallinn, tallinn.net+".77"
		}
	},
	"audit": func(p *player) {
		operation := p.next()
		more := p.rest()
		by, ip := p.by(more["by"])
		if more["from"] == "elsewhere" {
			ip = tallinn.net + ".77"
		}
		var targets []target
		switch on, kind := more["on"], more["kind"]; {
		case kind != "":
			targets = []target{{id: p.l.w.objectID(on), name: on, kind: kind}}
			if more["with"] != "" {
				targets = append([]target{userTarget(p.user(more["with"]))}, targets...)
			}
		default:
			targets = []target{userTarget(p.user(on))}
		}
		if more["property"] != "" {
			targets[0].changes = []change{{more["property"], text(more["old"]), text(more["new"])}}
		}
		op := operation
		service, category, kind := "Core Directory", "UserManagement", "Update"
		for _, c := range p.l.w.classes {
			for _, o := range c.list {
				if o.name == op {
					service, category, kind = o.service, o.category, o.kind
				}
			}
		}
		e := p.l.auditRecord(p.at, operation, category, service, kind, by, ip, targets...)
		if more["refused"] != "" {
			e.audit.result, e.audit.reason = "failure", more["refused"]
		}
		if more["reason"] != "" {
			e.audit.reason = more["reason"]
		}
	},
	"policy": func(p *player) {
		what, name, state := p.next(), p.next(), p.next()
		by, ip := p.by(p.rest()["by"])
		w := p.l.w
		i := slices.IndexFunc(w.policies, func(c *policy) bool { return c.name == name })
		operation, kind, old := "Update Conditional Access policy", "Update", ""
		switch {
		case (what == "add") != (i < 0):
			p.fail("the policy %q is there already, or not there", name)
			return
		case i < 0:
			operation, kind = "Add Conditional Access policy", "Add"
			w.policies = append(w.policies, &policy{id: guidOf(w.o.Tenant.ID, "policy", name), name: name, state: state, grant: "compliantDevice"})
			i = len(w.policies) - 1
		case state == "deleted":
			operation, kind = "Delete Conditional Access policy", "Delete"
			old = w.policies[i].state
		default:
			old = w.policies[i].state
		}
		c := w.policies[i]
		c.state = state
		p.l.auditRecord(p.at, operation, "Policy", "Conditional Access", kind, by, ip, c.target(old, state))
		if state == "deleted" {
			w.policies = slices.Delete(slices.Clone(w.policies), i, i+1)
		}
	},
	"unit": func(p *player) {
		p.member(p.l.w.units[0], "AdministrativeUnit", "AdministrativeUnit", "restricted management administrative unit")
	},
	"group": func(p *player) {
		p.member(p.l.w.groups[0], "Group", "GroupManagement", "group")
	},
	"method": func(p *player) {
		what, u, method := p.next(), p.user(p.next()), p.next()
		by, ip := p.by(p.rest()["by"])
		operation, reason := "Admin deleted security info", "Admin deleted "+method+" method for user"
		u.methods = slices.DeleteFunc(slices.Clone(u.methods), func(m string) bool { return m == method })
		if what == "add" {
			operation, reason = "Admin registered security info", "Admin registered "+method+" method for user"
			u.methods = append(u.methods, method)
		}
		p.l.auditRecord(p.at, operation, "UserManagement", "Authentication Methods", "Update", by, ip, userTarget(u)).audit.reason = reason
	},
	"consent": func(p *player) {
		what, s := p.next(), p.principal(p.next())
		permission := p.next()
		by, ip := p.by(p.rest()["by"])
		operation, kind := "Remove app role assignment from service principal", "Unassign"
		s.Granted = slices.DeleteFunc(slices.Clone(s.Granted), func(g string) bool { return g == permission })
		if what == "grant" {
			operation, kind = "Add app role assignment to service principal", "Assign"
			s.Granted = append(s.Granted, permission)
		}
		resource := p.l.w.principal(Resource(permission))
		if resource == nil {
			p.fail("no permission is called %q", permission)
			return
		}
		p.l.auditRecord(p.at, operation, "ApplicationManagement", "Core Directory", kind, by, ip, target{id: resource.ID, name: resource.DisplayName, kind: "ServicePrincipal",
			changes: []change{{"AppRole.Value", "", `"` + permission + `"`}, {"ServicePrincipal.ObjectID", "", `"` + s.ID + `"`}}}, target{id: s.ID, name: s.DisplayName, kind: "ServicePrincipal"})
	},
	// What the logs do not see.
	"diagnostic": func(p *player) { p.l.w.diagnostics = p.next() == "on" },
	"cut": func(p *player) {
		for _, r := range p.roads() {
			p.l.w.roads[r].outages = append(p.l.w.roads[r].outages, Outage{Road: r, From: p.at})
		}
	},
	"restore": func(p *player) {
		for _, r := range p.roads() {
			p.l.w.restore(r, p.at)
		}
	},
}

func (p *player) roads() (out []Road) {
	for len(p.word) > 0 {
		name := p.next()
		for r := Graph; r <= Activity; r++ {
			if r.String() == name {
				out = append(out, r)
			}
		}
	}
	if len(out) == 0 {
		p.fail("no road is named")
	}
	return out
}

func (p *player) code() int {
	n, err := strconv.Atoi(p.next())
	if err != nil {
		p.fail("a result type is a number: %v", err)
	}
	return n
}

// dress gives a sign-in its place, method and session.
func (p *player) dress(e *Event, u *User, more map[string]string) {
	s := e.signIn
	switch from := more["from"]; {
	case from == "elsewhere":
		s.place, s.ip, s.device = tallinn, tallinn.net+".77", device{}
	case strings.HasPrefix(from, "abroad"):
		n, _ := strconv.Atoi(strings.TrimPrefix(from, "abroad"))
		s.place = abroad[n%len(abroad)]
		s.ip, s.device = s.place.net+"."+strconv.Itoa(10+n), device{}
	}
	switch more["with"] {
	case "key":
		s.method, s.detail = "FIDO2 security key", ""
	case "pass":
		s.method, s.detail = "Temporary Access Pass", ""
	}
	if s.method != "Password" && e.Code == 0 {
		s.second = "" // both factors in one
	}
	if protocol := more["protocol"]; protocol != "" {
		s.protocol = protocol
	}
	if os, browser, ok := strings.Cut(more["device"], "/"); ok {
		s.os, s.browser = os, browser
	}
	if name := more["session"]; name != "" {
		s.session = guidOf("session", u.ID, name)
	}
	if name := more["action"]; name != "" {
		e.Correlation = guidOf("action", u.ID, name)
	}
}
