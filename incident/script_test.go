package incident_test

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/incident"
)

var update = flag.Bool("update", false, "write what the scripts give into them")

// TestScripts runs testdata/*.txt. A script is a list of events, one a line,
// each followed by what it makes, marked with ">":
//
//	account ID NAME                 declares an emergency account
//	protected ID NAME               declares an object that protects the accounts
//	holder ID NAME                  declares who holds an account's keys
//	policy reopen|max=N|groups=a,b  changes the policy
//	ladder GROUP [from=SEVERITY] [repeat=5m] [STEP…]
//	                                gives a group a ladder; a step is the time after which it is called
//	                                and its receivers, 3m,omar,lead
//	at HH:MM                        sets the time (of a day; 25:00 is one o'clock on the next)
//	alert NAME key=value…           an alert; keys: rule, severity, start, end, received, records, account,
//	                                user, ip, app, group, rows, and detail.NAME; flags late, noincident.
//	                                grouping=METHOD,BY…,DURATION,reopen is what its rule says of incidents:
//	                                off, AllEntities, AnyAlert, or Selected by Account, DisplayName,
//	                                detail.NAME …
//	withdraw NAME                   later data took the alert's result away
//	health CAUSE SUBJECT [over [forgotten|closes]]
//	                                a fault of our own, since the time that it is; over, and nobody
//	                                knows any more since when
//	expect ACCOUNT operations=NAME*TIMES,… place= actors= from= until= by= reason=
//	withdraw-expected N, due N      what is expected; the Nth declared
//	ack|assign|comment|close N …    commands; by=, etag=; of ack also via=, to=, proof=, dependent (the
//	                                console's proof unless via is given)
//	call N                          time has passed for incident N
//	calls N UNTIL EVERY             the same, again and again; only what it makes is written
//	task|reopen-task N TASK, explain N, lapse N
//	                                what is done about tasks and failures
//	finish N by=A review=B          all tasks of an incident are done
//	show N, tasks N                 prints the incident, its tasks
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, file, want)
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("%s (-want +got):\n%s", file, d)
			}
		})
	}
}

type script struct {
	state  incident.State
	policy incident.Policy
	now    time.Time
	alerts map[string]glassward.Alert
	names  map[glassward.AlertID]string
	faults map[string]incident.Health
	keys   map[glassward.NoticeID]bool
	out    bytes.Buffer
}

var expectationID = regexp.MustCompile("expected withdraw [0-9a-f]{12}")

var day = time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)

func runScript(t *testing.T, file string, text []byte) []byte {
	s := &script{
		state:  incident.State{Tenant: "contoso", Next: 1},
		policy: incident.Policy{Accounts: map[string]string{}, Protected: map[string]string{}, Holders: map[string][]string{}, Groups: []string{"oncall"}, Ladders: map[string]incident.Ladder{}},
		keys:   map[glassward.NoticeID]bool{},
		now:    day, alerts: map[string]glassward.Alert{}, names: map[glassward.AlertID]string{}, faults: map[string]incident.Health{},
	}
	sc := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		if strings.HasPrefix(line, ">") {
			continue
		}
		fmt.Fprintln(&s.out, line)
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if err := s.run(words); err != nil {
			t.Fatalf("%s:%d: %v", file, n, err)
		}
	}
	return s.out.Bytes()
}

func clock(text string) (time.Time, error) {
	h, m, ok := strings.Cut(text, ":")
	hours, err1 := strconv.Atoi(h)
	minutes, err2 := strconv.Atoi(m)
	if !ok || err1 != nil || err2 != nil {
		return time.Time{}, fmt.Errorf("time %q: want HH:MM", text)
	}
	return day.Add(time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute), nil
}

func (s *script) run(words []string) error {
	args := map[string]string{}
	var plain []string
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			args[k] = strings.ReplaceAll(v, "_", " ")
		} else {
			plain = append(plain, w)
		}
	}
	number := func() int64 { n, _ := strconv.ParseInt(plain[0], 10, 64); return n }
	target := func() incident.Target {
		t := incident.Target{Number: number(), Etag: incident.AnyEtag, By: args["by"]}
		if e, ok := args["etag"]; ok {
			t.Etag = e
		}
		return t
	}
	switch words[0] {
	case "account":
		s.policy.Accounts[plain[0]] = plain[1]
	case "protected":
		s.policy.Protected[plain[0]] = plain[1]
	case "policy":
		for _, p := range plain {
			s.policy.Reopen = s.policy.Reopen || p == "reopen"
		}
		if m, ok := args["max"]; ok {
			s.policy.MaxAlerts, _ = strconv.Atoi(m)
		}
		if g, ok := args["groups"]; ok {
			s.policy.Groups = strings.Split(g, ",")
		}
	case "ladder":
		l := incident.Ladder{From: glassward.High}
		for _, step := range plain[1:] {
			after, names, _ := strings.Cut(step, ",")
			d, err := time.ParseDuration(after)
			if err != nil {
				return err
			}
			r := incident.Rung{After: d}
			if names != "" {
				r.Receivers = strings.Split(names, ",")
			}
			l.Steps = append(l.Steps, r)
		}
		var err error
		if f, ok := args["from"]; ok {
			l.From, err = glassward.ParseSeverity(f)
		}
		if r, ok := args["repeat"]; ok && err == nil {
			l.Repeat, err = time.ParseDuration(r)
		}
		s.policy.Ladders[plain[0]] = l
		return err
	case "call":
		return s.step(incident.Call{Number: number()})
	case "calls":
		until, err1 := clock(plain[1])
		every, err2 := time.ParseDuration(plain[2])
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		for s.now.Before(until) {
			s.now = s.now.Add(every)
			c, err := incident.Step(s.state, s.policy, incident.Call{Number: number()}, s.now)
			if err != nil {
				return err
			}
			s.state = s.state.Apply(c)
			for _, n := range c.Notices {
				fmt.Fprintf(&s.out, "> %s ", s.now.Format("15:04:05"))
				s.notice(n)
			}
		}
	case "at":
		at, err := clock(plain[0])
		s.now = at
		return err
	case "alert":
		a, err := s.alert(plain[0], args, plain[1:])
		if err != nil {
			return err
		}
		return s.step(incident.AlertChange{Alert: a})
	case "withdraw":
		return s.step(incident.AlertChange{Alert: s.alerts[plain[0]], Withdrawn: true})
	case "expect":
		e := glassward.Expectation{Account: plain[0], Places: strings.Split(args["place"], ","), By: args["by"], Reason: args["reason"]}
		for _, o := range strings.Split(args["operations"], ",") {
			name, times, _ := strings.Cut(o, "*")
			n, _ := strconv.Atoi(times)
			e.Operations = append(e.Operations, glassward.ExpectedOperation{Name: name, Times: n})
		}
		if v := args["actors"]; v != "" {
			e.Actors = strings.Split(v, ",")
		}
		var err error
		if v := args["from"]; v != "" {
			if e.From, err = clock(v); err != nil {
				return err
			}
		}
		if e.Until, err = clock(args["until"]); err != nil {
			return err
		}
		return s.step(incident.Declare{Expectation: e})
	case "withdraw-expected", "due":
		id := ""
		for i, e := range s.state.Expected {
			if fmt.Sprint(i+1) == plain[0] {
				id = e.ID
			}
		}
		if words[0] == "due" {
			return s.step(incident.Due{ID: id})
		}
		return s.step(incident.Withdraw{ID: id, By: args["by"], Reason: args["reason"]})
	case "health":
		key := plain[0] + " " + plain[1]
		h, ok := s.faults[key]
		if !ok || h.Over {
			h = incident.Health{Cause: incident.Code(plain[0]), Subject: plain[1], Title: plain[0] + ": " + plain[1], Severity: glassward.Medium, Since: s.now}
		}
		h.Over = len(plain) > 2 && plain[2] == "over"
		if len(plain) > 3 && plain[3] == "forgotten" {
			h.Since, h.Title = s.now, plain[0]+" works again"
		}
		s.faults[key] = h
		return s.step(h.Change("contoso", s.now))
	case "ack":
		c := incident.Acknowledge{Target: target(), Reason: args["reason"], Proof: incident.ByConsole}
		if via, ok := args["via"]; ok {
			c.Via, c.Receiver, c.Proof = via, args["to"], incident.Proof(args["proof"])
			c.Dependent = slices.Contains(plain, "dependent")
		}
		return s.step(c)
	case "assign":
		return s.step(incident.Assign{Target: target(), To: args["to"]})
	case "comment":
		return s.step(incident.Comment{Target: target(), Text: args["text"]})
	case "task", "reopen-task":
		n, err := strconv.Atoi(plain[1])
		if err != nil {
			return err
		}
		if words[0] == "task" {
			return s.step(incident.DoTask{Target: target(), Task: n, Note: args["note"]})
		}
		return s.step(incident.ReopenTask{Target: target(), Task: n, Note: args["note"]})
	case "finish":
		for _, inc := range s.state.Incidents {
			for _, t := range inc.Tasks {
				if inc.Number != number() || !t.Done.IsZero() {
					continue
				}
				by := args["by"]
				if t.Kind == glassward.TaskReview {
					by = args["review"]
				}
				c, err := incident.Step(s.state, s.policy, incident.DoTask{Target: incident.Target{Number: inc.Number, Etag: incident.AnyEtag, By: by}, Task: t.Number}, s.now)
				if err != nil {
					return err
				}
				s.state = s.state.Apply(c)
			}
		}
	case "tasks":
		for _, inc := range s.state.Incidents {
			if inc.Number == number() {
				fmt.Fprintf(&s.out, "> shows %s\n", strings.Join(inc.Shows, " "))
				for _, t := range inc.Tasks {
					state := "open"
					if !t.Done.IsZero() {
						state = "done by " + t.By
					}
					fmt.Fprintf(&s.out, ">   %d %s: %s (%s), %s\n", t.Number, t.Kind, t.Text, t.Why, state)
				}
			}
		}
	case "explain":
		return s.step(incident.Explain{Target: target(), Reason: args["reason"]})
	case "lapse":
		return s.step(incident.Lapse{Number: number()})
	case "holder":
		s.policy.Holders[plain[0]] = append(s.policy.Holders[plain[0]], strings.ReplaceAll(plain[1], "_", " "))
	case "close":
		return s.step(incident.Close{Target: target(), Classification: glassward.Classification(args["as"]), Reason: args["reason"], Comment: args["comment"]})
	case "show":
		for _, inc := range s.state.Incidents {
			if inc.Number == number() {
				s.show(inc)
			}
		}
	default:
		return fmt.Errorf("unknown word %q", words[0])
	}
	return nil
}

func (s *script) alert(name string, args map[string]string, flags []string) (glassward.Alert, error) {
	a := s.alerts[name]
	if a.ID == "" {
		a = glassward.Alert{ID: glassward.AlertID(name), Title: name, Severity: glassward.High, Start: s.now, End: s.now}
	}
	a.Judged, a.Received = s.now, s.now
	a.Entities, a.Details = nil, map[string][]string{}
	for _, k := range slices.Sorted(maps.Keys(args)) {
		var err error
		v := args[k]
		switch k {
		case "rule":
			a.RuleID, a.RuleName = v, v
		case "severity":
			a.Severity, err = glassward.ParseSeverity(v)
		case "start":
			a.Start, err = clock(v)
			a.End = a.Start
		case "end", "received":
		case "records":
			for _, r := range strings.Split(v, ",") {
				var id glassward.RecordID
				copy(id[:], r)
				a.Records = append(a.Records, id)
			}
		case "account", "user":
			for _, id := range strings.Split(v, ",") {
				a.Entities = append(a.Entities, glassward.Entity{Type: "Account", Identifiers: map[string]string{"AadUserId": id}})
			}
		case "ip":
			for _, ip := range strings.Split(v, ",") {
				a.Entities = append(a.Entities, glassward.Entity{Type: "IP", Identifiers: map[string]string{"Address": ip}})
			}
		case "app":
			a.Entities = append(a.Entities, glassward.Entity{Type: "CloudApplication", Identifiers: map[string]string{"Name": v}})
		case "group":
			a.ActionGroups = strings.Split(v, ",")
		case "grouping":
			a.Grouping = grouping(strings.Split(v, ","))
		case "rows":
			a.RowCount, err = strconv.Atoi(v)
		default:
			d, ok := strings.CutPrefix(k, "detail.")
			if !ok {
				return a, fmt.Errorf("unknown key %q", k)
			}
			a.Details[d] = strings.Split(v, ",")
		}
		if err != nil {
			return a, err
		}
	}
	if v, ok := args["end"]; ok {
		var err error
		if a.End, err = clock(v); err != nil {
			return a, err
		}
	}
	for _, f := range flags {
		a.Late = a.Late || f == "late"
		a.NoIncident = a.NoIncident || f == "noincident"
	}
	s.alerts[name] = a
	return a, nil
}

func grouping(words []string) *glassward.IncidentGrouping {
	g := &glassward.IncidentGrouping{Enabled: words[0] != "off", Matching: words[0], Lookback: 5 * time.Hour}
	for _, w := range words[1:] {
		if d, err := time.ParseDuration(w); err == nil {
			g.Lookback = d
		} else if name, ok := strings.CutPrefix(w, "detail."); ok {
			g.CustomDetails = append(g.CustomDetails, name)
		} else if w == "reopen" {
			g.Reopen = true
		} else if w == "DisplayName" || w == "Severity" {
			g.AlertDetails = append(g.AlertDetails, w)
		} else {
			g.Entities = append(g.Entities, w)
		}
	}
	return g
}

func (s *script) step(e incident.Event) error {
	c, err := incident.Step(s.state, s.policy, e, s.now)
	if err != nil {
		fmt.Fprintf(&s.out, "> error: %v\n", err)
		return nil
	}
	if c.Empty() {
		fmt.Fprintln(&s.out, "> nothing changes")
	}
	s.state = s.state.Apply(c)
	for _, a := range c.Alerts {
		if _, ok := s.names[a.ID]; !ok {
			s.names[a.ID] = a.Title
		}
	}
	for _, inc := range c.Incidents {
		fmt.Fprintf(&s.out, "> incident %d %s %s [%s]", inc.Number, inc.Status, inc.Severity, strings.Join(s.titles(inc.Alerts), " "))
		if inc.Previous != 0 {
			fmt.Fprintf(&s.out, " follows %d", inc.Previous)
		}
		fmt.Fprintln(&s.out)
		for _, t := range inc.Timeline {
			if t.Noted.Equal(inc.Modified) && t.Kind != "page" {
				fmt.Fprintf(&s.out, ">   %s: %s\n", t.Kind, t.Text)
			}
		}
	}
	for _, a := range c.Alerts {
		if a.Expected != "" {
			fmt.Fprintf(&s.out, "> alert %s was expected\n", a.Title)
		}
	}
	for _, e := range c.Expected {
		fmt.Fprintf(&s.out, "> expected of %s", e.AccountName)
		if e.Outcome != "" {
			fmt.Fprintf(&s.out, ", %s", e.Outcome)
		}
		for _, m := range e.Missing() {
			fmt.Fprintf(&s.out, ": %s %d", m.Name, m.Times)
		}
		fmt.Fprintln(&s.out)
	}
	for _, n := range c.Notices {
		n.Why = expectationID.ReplaceAllString(n.Why, "expected withdraw ID")
		fmt.Fprint(&s.out, "> ")
		s.notice(n)
	}
	return nil
}

func (s *script) notice(n glassward.Notice) {
	to := n.Group
	if len(n.Receivers) > 0 {
		to += " (" + strings.Join(n.Receivers, ", ") + ")"
	}
	fmt.Fprintf(&s.out, "notice %s to %s: %s\n", n.Kind, to, n.Why)
	if s.keys[n.ID] {
		fmt.Fprintln(&s.out, ">   the key of this notice was used before")
	}
	s.keys[n.ID] = true
}

func (s *script) titles(ids []glassward.AlertID) []string {
	var out []string
	for _, id := range ids {
		out = append(out, s.names[id])
	}
	return out
}

func (s *script) show(inc glassward.Incident) {
	fmt.Fprintf(&s.out, "> %d %s %s owner %q, %s to %s\n", inc.Number, inc.Status, inc.Severity, inc.Owner, inc.FirstActivity.Format("15:04"), inc.LastActivity.Format("15:04"))
	for _, e := range inc.Timeline {
		fmt.Fprintf(&s.out, ">   %s %s %s", e.Noted.Format("15:04"), e.Time.Format("15:04"), e.Kind)
		if e.Actor != "" {
			fmt.Fprintf(&s.out, " %s", e.Actor)
		}
		fmt.Fprintf(&s.out, ": %s\n", e.Text)
	}
}
