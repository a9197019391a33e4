package acceptance_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/internal/entrasim"
	"glassward/internal/entrasim/cloud"
	"glassward/internal/mailsink"
	"glassward/state"
)

// TestCut cuts the roads of a tenant that lives, each for another cause, as the
// files of testdata/cut tell it; the README there says how they are written. What
// no line foretells must not be told: a mail more is an error, and so is a record
// that is in the store and not in the world, or the other way round.
func TestCut(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/cut/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories of cut roads: %v", err)
	}
	for _, file := range part(files, 2) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			playCut(t, file, string(text))
		})
	}
}

// A blackout is a story of roads that are cut, while it is played.
type blackout struct {
	*virtual
	at    string // file and line
	roads []entrasim.Road
	mends map[string]func()
	// mails are those that no line has foretold yet, seen is how many came.
	mails []mailsink.Mail
	seen  int
	last  string // text of the mail that was told last
	since time.Time
}

var cutWord = regexp.MustCompile(`"[^"]*"|\S+`)

func playCut(t *testing.T, file, text string) {
	rates := entrasim.Calm()
	s := setting{world: entrasim.Options{Seed: 3, Users: 200, Rates: &rates}}
	c := &blackout{mends: map[string]func(){}}
	var sources, more []string
	type step struct {
		line  int
		words []string
	}
	var steps []step
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var words []string
		for _, w := range cutWord.FindAllString(line, -1) {
			words = append(words, strings.Trim(w, `"`))
		}
		switch words[0] {
		case "roads":
			for _, r := range words[1:] {
				switch r {
				case "graph":
					sources = append(sources, "graph: {streams: [signIns, directoryAudits], since: 1h}")
					c.roads = append(c.roads, entrasim.Graph)
				case "activity":
					sources = append(sources, "activity: {}")
					c.roads = append(c.roads, entrasim.Activity)
				case "hubs":
					sources = append(sources, "eventHubs: [{namespace: HUBS, connectionString: \"file:hubs.txt\"}]")
					c.roads = append(c.roads, entrasim.EventHub)
				default:
					t.Fatalf("%s:%d: road %q", file, n, r)
				}
			}
		case "pulse":
			more = append(more, fmt.Sprintf("pulse: {objectId: %s, userPrincipalName: CANARY, every: %s, clientId: PULSE}\n", entrasim.CanaryID, words[1]))
		case "seed":
			fmt.Sscan(words[1], &s.world.Seed)
		case "people":
			fmt.Sscan(words[1], &s.world.Users)
		default:
			steps = append(steps, step{n, words})
		}
	}
	s.tenant = "sources: {" + strings.Join(sources, ", ") + "}\n" + strings.Join(more, "")
	virtually(t, s, func(v *virtual) {
		c.virtual = v
		for _, s := range steps {
			c.at = fmt.Sprintf("%s:%d: %s", file, s.line, strings.Join(s.words, " "))
			c.step(s.words[0], s.words[1:])
		}
		c.at = file
		c.collect()
		for _, m := range c.mails {
			t.Errorf("%s: nobody foretold the mail\n%s", file, m.String())
		}
	})
}

func (c *blackout) fail(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("%s: at %s: %s", c.at, time.Now().UTC().Format("15:04:05"), fmt.Sprintf(format, args...))
}

func (c *blackout) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		c.fail("%v", err)
	}
	return d
}

// collect takes the mails that have come. That people are called again, because
// nobody takes up what they were told, is nothing new.
func (c *blackout) collect() {
	all := c.sink.Mails()
	for _, m := range all[c.seen:] {
		if !strings.Contains(strings.Join(strings.Fields(m.Part("text/plain")), " "), "Why now Nobody has acknowledged incident") {
			c.mails = append(c.mails, m)
		}
	}
	c.seen = len(all)
}

func (c *blackout) step(word string, args []string) {
	c.t.Helper()
	switch word {
	case "lives":
		time.Sleep(c.duration(args[0]))
	case "quiet": // nothing was told that was not foretold
		c.collect()
		for _, m := range c.mails {
			c.fail("nobody foretold the mail\n%s", m.String())
		}
	case "breaks":
		c.since = time.Now()
		c.mends[args[0]] = c.broke(args[0])
	case "mends":
		c.mends[args[0]]()
	case "does":
		c.world.Advance(time.Now())
		if err := c.world.Do(strings.Join(args, " ")); err != nil {
			c.fail("%v", err)
		}
	case "told": // WITHIN SEVERITY TITLE
		c.told(c.duration(args[0]), args[1], args[2])
	case "more": // TITLE: any number of mails
		c.collect()
		c.mails = slices.DeleteFunc(c.mails, func(m mailsink.Mail) bool {
			head, _, _ := strings.Cut(m.Part("text/plain"), "\n")
			return like(args[0], head)
		})
	case "says":
		if !like(args[0], c.last) {
			c.fail("the mail says\n%s", c.last)
		}
	case "status": // ROAD TABLE STATE
		c.stands(args[0], args[1], args[2])
	case "incident": // STATUS SEVERITY TITLE
		c.incident(args[0], args[1], args[2])
	case "health": // OPERATION STATUS STATE ROAD TABLE REASON
		rows := c.rows(fmt.Sprintf("GlasswardHealth | where OperationName == '%s' and Status == '%s' and State == '%s' and Road startswith '%s' and SourceTable == '%s' and Reason == '%s' | count",
			args[0], args[1], args[2], args[3], args[4], args[5]))
		if rows[0][0] == "0" {
			c.fail("there is none among\n%s", asLines(c.rows("GlasswardHealth | project TimeGenerated, OperationName, Status, PreviousState, State, Road, SourceTable, Reason")))
		}
	case "blind": // ROAD TABLE FROM TO: minutes after the cut between which lies the interval's begin, and its end
		c.blind(args[0], args[1], c.duration(args[2]), c.duration(args[3]), c.duration(args[4]), c.duration(args[5]))
	case "measured": // ROAD TABLE LEAST MOST
		for _, r := range c.status().Roads {
			if p50 := time.Duration(r.P50 * float64(time.Second)); strings.HasPrefix(r.Road, args[0]) && r.Table == args[1] && (!r.Learned || p50 < c.duration(args[2]) || p50 > c.duration(args[3])) {
				c.fail("%+v", r)
			}
		}
	case "whole":
		c.whole()
	case "journal":
		c.journal(args[0], args[1])
	default:
		c.fail("unknown word")
	}
}

// broke cuts a road and gives what mends it.
func (c *blackout) broke(what string) (mend func()) {
	app, faults, tenant := entrasim.GlasswardApp, c.cloud.Faults(), entrasim.TenantID
	renew := func() {
		c.world.RemoveCredentials(app)
		c.world.AddSecret(app, entrasim.Secret{Text: secret})
	}
	switch what {
	case "secret-expires":
		c.world.RemoveCredentials(app)
		c.world.AddSecret(app, entrasim.Secret{Text: secret, To: time.Now()})
		return renew
	case "secret-removed": // and whoever took it away revokes what it gave
		c.world.RemoveCredentials(app)
		faults.RevokeTokens(tenant)
		return renew
	case "application-disabled":
		c.world.SetEnabled(app, false)
		faults.RevokeTokens(tenant)
		return func() { c.world.SetEnabled(app, true) }
	case "access-blocked":
		faults.Block(app, true)
		faults.RevokeTokens(tenant)
		return func() { faults.Block(app, false) }
	case "consent-removed":
		p, _ := c.world.ServicePrincipal(app)
		for _, g := range p.Granted {
			c.world.Revoke(app, g)
		}
		faults.RevokeTokens(tenant)
		return func() {
			for _, g := range p.Granted {
				c.world.Grant(app, g)
			}
			faults.RevokeTokens(tenant) // a new token holds it; the old one may be used for an hour
		}
	case "licence-ends":
		c.world.SetLicence(entrasim.PremiumP1, false)
		return func() { c.world.SetLicence(entrasim.PremiumP1, true) }
	case "graph-fails":
		return faults.Outage(cloud.Graph, tenant)
	case "graph-page": // a proxy answers in its place
		return faults.HTML(cloud.Graph, tenant)
	case "activity-fails":
		return faults.Outage(cloud.Activity, tenant)
	case "audit-off":
		faults.AuditOff(tenant, true)
		return func() { faults.AuditOff(tenant, false) }
	case "subscription-disabled":
		for _, content := range []string{"Audit.AzureActiveDirectory", "Audit.Exchange"} {
			faults.DisableSubscription(tenant, app, content, true)
		}
		return func() {
			for _, content := range []string{"Audit.AzureActiveDirectory", "Audit.Exchange"} {
				faults.DisableSubscription(tenant, app, content, false)
			}
		}
	case "hub-key":
		faults.RotateKey(tenant)
		faults.DropHubs(tenant)
		return func() { c.write("hubs.txt", c.cloud.ConnectionString(tenant, "")) }
	case "diagnostic-setting":
		c.world.SetDiagnosticSettings(false)
		return func() { c.world.SetDiagnosticSettings(true) }
	case "graph-records", "hub-records", "activity-records":
		road := map[string]entrasim.Road{"graph-records": entrasim.Graph, "hub-records": entrasim.EventHub, "activity-records": entrasim.Activity}[what]
		c.world.Cut(entrasim.Outage{Road: road, From: time.Now()})
		return func() { c.world.Restore(road, time.Now()) }
	case "host-clock":
		c.ahead.Store(int64(time.Hour))
		return func() { c.ahead.Store(0) }
	}
	c.fail("nothing is called %q", what)
	return nil
}

// told waits for a mail with this title and of this severity.
func (c *blackout) told(within time.Duration, severity, title string) {
	c.t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(5 * time.Second) {
		c.collect()
		for i, m := range c.mails {
			text := m.Part("text/plain")
			head, _, _ := strings.Cut(text, "\n")
			if like(title, head) && (severity == "*" || strings.Contains(text, severity+" (Sev")) {
				c.mails = slices.Delete(c.mails, i, i+1)
				c.last = text
				c.t.Logf("%s: %s after the cut: %s", c.at, time.Since(c.since).Truncate(time.Second), head)
				return
			}
		}
		if time.Now().After(end) {
			var said []string
			for _, m := range c.mails {
				said = append(said, m.String())
			}
			c.fail("no such mail came; there are\n%s\nand the roads stand so: %+v", strings.Join(said, "\n----\n"), c.status().Roads)
		}
	}
}

// stands says that a road is in a state now, and since when.
func (c *blackout) stands(road, table, want string) {
	c.t.Helper()
	for _, r := range c.status().Roads {
		if strings.HasPrefix(r.Road, road) && r.Table == table {
			if string(r.State) != want {
				c.fail("it is %s: %+v", r.State, r)
			}
			return
		}
	}
	if want != "none" {
		c.fail("there is no such road: %+v", c.status().Roads)
	}
}

func (c *blackout) incident(status, severity, title string) {
	c.t.Helper()
	var list struct{ Value []glassward.Incident }
	if err := c.call("GET", "/v1/workspaces/"+entrasim.TenantName+"/incidents", nil, &list); err != nil {
		c.fail("%v", err)
	}
	for _, i := range list.Value {
		if like(title, i.Title) && string(i.Status) == status && i.Severity.String() == severity {
			return
		}
	}
	c.fail("there is none: %+v", list.Value)
}

// blind says that a blind interval of a road's table was written down.
func (c *blackout) blind(road, table string, from1, from2, to1, to2 time.Duration) {
	c.t.Helper()
	rows := c.rows(fmt.Sprintf("GlasswardHealth | where OperationName == 'Blind interval' and Road startswith '%s' and SourceTable == '%s' | sort by TimeGenerated desc | project BlindFrom, BlindTo, LateCount", road, table))
	for _, r := range rows {
		from, err1 := time.Parse(time.RFC3339, r[0])
		to, err2 := time.Parse(time.RFC3339, r[1])
		if err1 != nil || err2 != nil {
			c.fail("%v", rows)
		}
		a, b := from.Sub(c.since), to.Sub(c.since)
		if a >= from1 && a <= from2 && b >= to1 && b <= to2 {
			return
		}
	}
	c.fail("cut at %s; the intervals are\n%s", c.since.UTC().Format(time.RFC3339), asLines(rows))
}

func asLines(rows [][]string) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintln(&b, strings.Join(r, "  "))
	}
	return b.String()
}

// whole compares the store with the world, by the id of each record: what a road
// has shown is there, once, and nothing else.
func (c *blackout) whole() {
	c.t.Helper()
	const slack = 3 * time.Minute // a poll, and the time that it takes
	now := time.Now()
	due, may := map[string]bool{}, map[string]bool{}
	for _, r := range c.roads {
		for _, a := range c.world.Appearances(r, time.Time{}, now) {
			table := a.Event.Kind.Table()
			if a.Event.Kind != entrasim.InteractiveSignIn && a.Event.Kind != entrasim.DirectoryAudit {
				continue
			}
			may[table+" "+a.Event.ID] = true
			// What comes late is found by the hourly look back.
			wait := slack
			if a.At.Sub(a.Event.At) > 14*time.Minute {
				wait += time.Hour
			}
			if r != entrasim.Activity && a.At.Before(now.Add(-wait)) && a.Event.At.After(monday.Add(-time.Hour)) {
				due[table+" "+a.Event.ID] = true
			}
		}
	}
	got := map[string]bool{}
	for _, table := range []string{"SigninLogs", "AuditLogs"} {
		for _, row := range c.rows(table + " | where _Source startswith 'graph' or _Source startswith 'eventhub' | project Id") {
			id := table + " " + row[0]
			if got[id] {
				c.fail("%s is there twice", id)
			}
			got[id] = true
			if !may[id] {
				c.fail("%s is in the store and not in the world", id)
			}
		}
	}
	if len(due) == 0 {
		c.fail("the world shows nothing, so nothing is tested")
	}
	for id := range due {
		if !got[id] {
			c.fail("%s is missing; %d of %d are there", id, len(got), len(due))
		}
	}
}

// journal ends the daemon and says that the evidence of the last cut is in its
// journal, whose chain holds.
func (c *blackout) journal(road, table string) {
	c.t.Helper()
	c.collect()
	c.stop()
	store, err := state.Open(c.t.Context(), c.data(), state.Options{})
	if err != nil {
		c.fail("%v", err)
	}
	defer store.Close()
	if _, err := store.Verify(c.t.Context(), state.Mark{}, 1<<20); err != nil {
		c.fail("%v", err)
	}
	entries, err := store.Journal(c.t.Context(), 0, 1<<20)
	if err != nil {
		c.fail("%v", err)
	}
	var found []string
	for _, e := range entries {
		var b state.BlindInterval
		if e.Kind != "blind" {
			continue
		}
		found = append(found, string(e.Payload))
		if err := json.Unmarshal(e.Payload, &b); err == nil && strings.HasPrefix(b.Road, road) && b.Table == table && b.To.After(c.since) {
			return
		}
	}
	c.fail("the journal's blind intervals are\n%s", strings.Join(found, "\n"))
}

// like says whether a text matches a pattern in which a star stands for anything.
func like(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, ".*") + `$`).MatchString(text)
}
