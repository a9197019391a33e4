package rule

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"glassward"
	"glassward/kql"
	"glassward/kql/value"
	"glassward/schema"
)

// A Fixture is records on which a rule must fire and on which it must not. Its
// file stands beside the rule's, with the ending .fixture:
//
//	account 11111111-… EA-01 ea-01@contoso.example user
//	object 22222222-… group Break-glass group
//	place network 203.0.113.0/24 Head office
//	application 33333333-… read Our own
//
//	== fires: a completed sign-in
//	{"time":"2026-03-02T10:00:00Z","category":"SignInLogs",…}
//	-- alert
//	title: Emergency account EA-01: sign-in completed
//	severity: High
//	entity: Account AadUserId=11111111-…
//	detail: Outcome=Completed
//	records: 1
//
//	== silent: somebody else
//	{"time":…}
//
// Records are what the log store takes in, one a line. Those of the tables that
// Glassward writes itself, which no intake takes, and of a tenant's own have the table
// before them, and its columns:
//
//	own GlasswardAudit {"TimeGenerated":"2026-03-02T10:00:00Z","OperationName":"seal account",…}
//	own Doors_CL {"TimeGenerated":"2026-03-02T10:00:00Z","Who":"ann",…}
//
// What an alert section does not say is not compared. Lines that begin with # are
// comments.
type Fixture struct {
	File     string
	Accounts []Account
	Objects  []Object
	Places   []Place
	// Applications are those beside the shipped ones.
	Applications []Application
	Cases        []Case
}

// A Case is records with the alerts that they must give, none if the rule must
// be silent.
type Case struct {
	Name    string
	Line    int
	Records []byte
	// Own are records of Glassward's own tables and of the tenant's.
	Own    []glassward.Record
	Alerts []Expectation
}

// An Expectation is what an alert must have.
type Expectation struct {
	Line     int
	Title    string
	Severity string
	// Records is how many records the alert holds, 0 if any number will do.
	Records  int
	Entities []glassward.Entity
	Details  map[string]string
}

// ParseFixture reads a fixture; tables are those that it may hold records of. The error names
// the line.
func ParseFixture(file, text string, tables *schema.Set) (*Fixture, error) {
	f := &Fixture{File: file}
	var c *Case
	var x *Expectation
	fires := false
	fail := func(line int, format string, args ...any) (*Fixture, error) {
		return nil, fmt.Errorf("%s:%d: %s", file, line, fmt.Sprintf(format, args...))
	}
	for i, line := range strings.Split(text, "\n") {
		n := i + 1
		line = strings.TrimRight(line, " \t\r")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "account "):
			w := strings.Fields(line)
			if c != nil || len(w) < 4 || len(w) > 5 {
				return fail(n, "write account ID NAME [UPN] KIND before the first case")
			}
			a := Account{ObjectID: w[1], Name: w[2], Kind: w[len(w)-1]}
			if len(w) == 5 {
				a.UserPrincipalName = w[3]
			}
			f.Accounts = append(f.Accounts, a)
		case strings.HasPrefix(line, "object "):
			w := strings.Fields(line)
			if c != nil || len(w) < 3 {
				return fail(n, "write object ID KIND [NAME] before the first case")
			}
			f.Objects = append(f.Objects, Object{ObjectID: w[1], Kind: w[2], Name: strings.Join(w[3:], " ")})
		case strings.HasPrefix(line, "place "):
			w := strings.Fields(line)
			if c != nil || len(w) < 3 {
				return fail(n, "write place network|country|asn VALUE [NAME] before the first case")
			}
			p := Place{Name: strings.Join(w[3:], " ")}
			switch w[1] {
			case "network":
				p.Network = w[2]
			case "country":
				p.Country = w[2]
			case "asn":
				p.ASN = w[2]
			default:
				return fail(n, "a place is a network, a country or an asn, not %q", w[1])
			}
			f.Places = append(f.Places, p)
		case strings.HasPrefix(line, "application "):
			w := strings.Fields(line)
			if c != nil || len(w) < 3 {
				return fail(n, "write application ID signIn|read [NAME] before the first case")
			}
			f.Applications = append(f.Applications, Application{AppID: w[1], Use: w[2], Name: strings.Join(w[3:], " ")})
		case strings.HasPrefix(line, "== "):
			if c != nil && fires && len(c.Alerts) == 0 {
				return fail(c.Line, "the case fires and names no alert")
			}
			kind, name, ok := strings.Cut(line[3:], ":")
			if !ok || kind != "fires" && kind != "silent" {
				return fail(n, "write == fires: NAME or == silent: NAME")
			}
			f.Cases = append(f.Cases, Case{Name: strings.TrimSpace(name), Line: n})
			c, x, fires = &f.Cases[len(f.Cases)-1], nil, kind == "fires"
		case c == nil:
			return fail(n, "a case begins with == fires: NAME or == silent: NAME")
		case line == "-- alert":
			if !fires {
				return fail(n, "a silent case has no alert")
			}
			c.Alerts = append(c.Alerts, Expectation{Line: n})
			x = &c.Alerts[len(c.Alerts)-1]
		case x == nil && strings.HasPrefix(line, "own "):
			r, err := ownRecord(line, tables)
			if err != nil {
				return fail(n, "%v", err)
			}
			c.Own = append(c.Own, r)
		case x == nil:
			c.Records = append(append(c.Records, line...), '\n')
		default:
			if err := x.field(line); err != nil {
				return fail(n, "%v", err)
			}
		}
	}
	if c != nil && fires && len(c.Alerts) == 0 {
		return fail(c.Line, "the case fires and names no alert")
	}
	return f, nil
}

// ownRecord reads a record of a table that no decoder knows: own TABLE {"Column":value,…}.
func ownRecord(line string, tables *schema.Set) (glassward.Record, error) {
	word := strings.SplitN(line, " ", 3)
	if len(word) < 3 {
		return glassward.Record{}, errors.New(`write own TABLE {"TimeGenerated":"…",…}`)
	}
	t, ok := tables.Lookup(word[1])
	if !ok || !t.Internal && !t.Custom {
		return glassward.Record{}, fmt.Errorf("%s is no table that Glassward writes itself, and none that a tenant here declares", word[1])
	}
	var cells map[string]any
	if err := json.Unmarshal([]byte(word[2]), &cells); err != nil {
		return glassward.Record{}, fmt.Errorf("a record of %s: %w", t.Name, err)
	}
	text, _ := cells["TimeGenerated"].(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return glassward.Record{}, fmt.Errorf("a record of %s needs its TimeGenerated: %w", t.Name, err)
	}
	sum := sha256.Sum256([]byte(line))
	r := glassward.Record{Table: t.Name, ID: glassward.RecordID(sum[:16]), Time: at.UTC(), Received: at.UTC(), Values: make([]glassward.Value, len(t.Columns)), Source: "glassward", Provenance: "own", Raw: []byte(word[2])}
	for name, v := range cells {
		i, ok := t.Index(name)
		if !ok {
			return r, fmt.Errorf("%s has no column %s", t.Name, name)
		}
		s, isText := v.(string)
		switch kind := t.Columns[i].Type; {
		case kind == value.DateTime && isText:
			ticks, ok := value.ParseDateTime(s)
			if !ok {
				return r, fmt.Errorf("%s: %q is no time", name, s)
			}
			r.Values[i] = glassward.Long(int64(ticks))
		case kind == value.String && isText:
			r.Values[i] = glassward.String(s)
		case kind == value.Dynamic:
			text, _ := json.Marshal(v) // it was JSON
			r.Values[i] = glassward.String(string(text))
		default:
			switch x := v.(type) {
			case bool:
				r.Values[i] = glassward.Bool(x)
			case float64:
				r.Values[i] = glassward.Real(x)
				if kind == value.Long || kind == value.Int {
					r.Values[i] = glassward.Long(int64(x))
				}
			default:
				return r, fmt.Errorf("%s of %s is %s, and no %T", name, t.Name, kind, v)
			}
		}
	}
	return r, nil
}

func (x *Expectation) field(line string) error {
	name, text, ok := strings.Cut(line, ":")
	text = strings.TrimSpace(text)
	if !ok {
		return errors.New("an expectation begins with title:, severity:, entity:, detail: or records: and goes on")
	}
	switch name {
	case "title":
		x.Title = text
	case "severity":
		if _, err := glassward.ParseSeverity(text); err != nil {
			return err
		}
		x.Severity = text
	case "records":
		if _, err := fmt.Sscanf(text, "%d", &x.Records); err != nil {
			return fmt.Errorf("%q is no number", text)
		}
	case "entity":
		kind, rest, _ := strings.Cut(text, " ")
		e := glassward.Entity{Type: kind, Identifiers: map[string]string{}}
		for part := range strings.SplitSeq(rest, ";") {
			k, v, ok := strings.Cut(strings.TrimSpace(part), "=")
			if !ok {
				return errors.New("write entity: TYPE IDENTIFIER=VALUE; IDENTIFIER=VALUE")
			}
			e.Identifiers[k] = v
		}
		x.Entities = append(x.Entities, e)
	case "detail":
		k, v, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("write detail: NAME=VALUE")
		}
		if x.Details == nil {
			x.Details = map[string]string{}
		}
		x.Details[k] = v
	default:
		return fmt.Errorf("unknown field %q: known are title, severity, entity, detail and records", name)
	}
	return nil
}

// A Bench takes the records of a case into an empty store.
type Bench interface {
	// Load decodes the records, one a line, and appends them, and those of Glassward's
	// own tables and the tenant's as they are. Every line must have been understood.
	Load(ctx context.Context, records []byte, own ...glassward.Record) (Loaded, error)
}

// Loaded is a store with the records of a case.
type Loaded struct {
	Runner  Runner
	Records []glassward.Record
	// Head is the sequence number of the newest record.
	Head  int64
	Close func() error
}

// A Verdict is the outcome of one case; Err is nil if it passed and says what
// differs if not.
type Verdict struct {
	Case string
	Line int
	Err  error
}

// Test runs the cases of a fixture. The error is not about a case: the rule does
// not compile, or the bench failed.
func Test(ctx context.Context, r *Rule, f *Fixture, env Environment, bench Bench) ([]Verdict, error) {
	lists := map[string]*kql.Watchlist{}
	for k, w := range env.Watchlists {
		lists[k] = w
	}
	lists["EmergencyAccounts"] = EmergencyAccounts(f.Accounts...)
	lists["DecoyAccounts"] = DecoyAccounts(f.Accounts...)
	lists["ProtectedObjects"] = ProtectedObjects(f.Objects...)
	lists["ExpectedPlaces"] = ExpectedPlaces(f.Places...)
	lists["ExpectedApplications"] = ExpectedApplications(f.Applications...)
	env.Watchlists = lists
	var out []Verdict
	for i := range f.Cases {
		c := &f.Cases[i]
		alerts, err := runCase(ctx, r, c, env, bench)
		if err != nil {
			return out, fmt.Errorf("%s:%d: %w", f.File, c.Line, err)
		}
		out = append(out, Verdict{c.Name, c.Line, c.compare(alerts)})
	}
	return out, nil
}

// runCase judges the records of a case as they would be judged on arrival, and
// all windows over them.
func runCase(ctx context.Context, r *Rule, c *Case, env Environment, bench Bench) (alerts []glassward.Alert, err error) {
	l, err := bench.Load(ctx, c.Records, c.Own...)
	if err != nil {
		return nil, err
	}
	if l.Close != nil {
		defer func() { err = errors.Join(err, l.Close()) }()
	}
	now := time.Unix(0, 0).UTC()
	since := now
	for i := range l.Records {
		t := l.Records[i].Time
		if i == 0 || t.Before(since) {
			since = t
		}
		if t.After(now) {
			now = t
		}
	}
	if r.Frequency > 0 {
		now = now.Add(r.Frequency)
	}
	if r.Kind == NRT {
		now = now.Add(nrtInstead)
	}
	clock := func() time.Time { return now }
	var book Notebook
	var failure error
	desk := DeskFunc(func(ctx context.Context, outcomes ...Outcome) error {
		for _, o := range outcomes {
			failure = errors.Join(failure, o.Err)
		}
		return book.Desk("").Commit(ctx, outcomes...)
	})
	one := *r
	one.Enabled = true
	e, err := NewEngine(ctx, Options{
		Rules: []*Rule{&one}, Catalog: env.Catalog, Watchlists: env.Watchlists, Functions: env.Functions,
		Runner: l.Runner, Memory: &book, Desk: desk, Now: clock, Since: since,
	})
	if err != nil {
		return nil, err
	}
	if err := e.Batch(ctx, Batch{To: l.Head, Records: l.Records}); err != nil {
		return nil, err
	}
	for before := int64(-1); ; {
		if err := e.Tick(ctx); err != nil {
			return nil, err
		}
		if failure != nil {
			return nil, failure
		}
		at := e.judges[0].state.judged
		if at == before {
			return book.Alerts(), nil
		}
		before = at
	}
}

// compare says how alerts differ from what a case expects, nil if they do not.
func (c *Case) compare(alerts []glassward.Alert) error {
	left := slices.Clone(alerts)
	var errs []error
	for _, x := range c.Alerts {
		i := slices.IndexFunc(left, func(a glassward.Alert) bool { return x.differs(a) == nil })
		if i < 0 {
			// Say how the nearest one differs: the one whose title agrees, or the
			// first.
			n := max(slices.IndexFunc(left, func(a glassward.Alert) bool { return a.Title == x.Title }), 0)
			err := errors.New("there is no such alert")
			if len(left) > 0 {
				err = x.differs(left[n])
			}
			errs = append(errs, fmt.Errorf("line %d: %w", x.Line, err))
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(errs) > 0 || len(alerts) != len(c.Alerts) {
		for _, a := range left {
			errs = append(errs, fmt.Errorf("alert that no section describes: %s (%s)", a.Title, a.Severity))
		}
	}
	return errors.Join(errs...)
}

func (x *Expectation) differs(a glassward.Alert) error {
	if x.Title != "" && a.Title != x.Title {
		return fmt.Errorf("the title is %q, not %q", a.Title, x.Title)
	}
	if x.Severity != "" && !strings.EqualFold(a.Severity.String(), x.Severity) {
		return fmt.Errorf("the severity is %s, not %s", a.Severity, x.Severity)
	}
	if x.Records != 0 && len(a.Records) != x.Records {
		return fmt.Errorf("the alert holds %d records, not %d", len(a.Records), x.Records)
	}
	for _, want := range x.Entities {
		ok := slices.ContainsFunc(a.Entities, func(e glassward.Entity) bool {
			for k, v := range want.Identifiers {
				if e.Identifiers[k] != v {
					return false
				}
			}
			return e.Type == want.Type
		})
		if !ok {
			return fmt.Errorf("no entity %s %v among %v", want.Type, want.Identifiers, a.Entities)
		}
	}
	for k, v := range x.Details {
		if !slices.Contains(a.Details[k], v) {
			return fmt.Errorf("the detail %s is %q, not %q", k, a.Details[k], v)
		}
	}
	return nil
}
