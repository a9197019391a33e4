package posture

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"glassward/directory"
)

// declaredOptions are those of testdata/tenant.txtar.
func declaredOptions() Options {
	return Options{
		Accounts: []Account{
			{"ea000000-0000-4000-8000-000000000001", "ea-01@contoso.onmicrosoft.com"},
			{"ea000000-0000-4000-8000-000000000002", "ea-02@contoso.onmicrosoft.com"},
		},
		Group:     "9a000000-0000-4000-8000-000000000001",
		Unlockers: []string{"9a000000-0000-4000-8000-000000000004"},
		Policies:  []string{"ca000000-0000-4000-8000-000000000001", "ca000000-0000-4000-8000-000000000002"},
		Strength:  "57000000-0000-4000-8000-000000000001",
		Models:    []string{"CB69481E-8FF7-4039-93EC-0A2729A154A8", "eabb46cc-e241-80bf-ae9e-96fa6d2975cf"},
	}
}

var taken = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// tenant reads testdata/tenant.txtar with what lines say: "patch PART PATCH" and
// "option NAME VALUE".
func tenant(t testing.TB, lines string) (*directory.Snapshot, Options) {
	t.Helper()
	a, err := txtar.ParseFile("testdata/tenant.txtar")
	if err != nil {
		t.Fatal(err)
	}
	o := declaredOptions()
	for line := range strings.Lines(lines) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, value, _ := strings.Cut(rest, " ")
		switch word {
		case "patch":
			i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name+".json" })
			if i < 0 {
				t.Fatalf("there is no part %s to patch", name)
			}
			if a.Files[i].Data, err = patched(a.Files[i].Data, []byte(value)); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		case "option":
			switch name {
			case "design":
				o.Design = value
			case "targeting":
				o.Targeting = value
			case "strength":
				o.Strength = value
			case "groups":
				o.OtherGroups = strings.Fields(value)
			case "norm-groups":
				o.Norms.Groups, err = strconv.Atoi(value)
			case "norm-most-admins":
				o.Norms.MostAdministrators, err = strconv.Atoi(value)
			default:
				t.Fatalf("option %s is not known", name)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	dir := t.TempDir()
	for _, f := range a.Files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := directory.Open(dir, directory.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if p := s.Problems(); len(p) > 0 {
		t.Fatalf("the tenant is not as Graph tells it: %v", p)
	}
	return s.With(func(c *directory.Contents) { c.Taken = taken }), o
}

// patched applies a JSON Patch (RFC 6902): add, remove and replace.
func patched(text, patch []byte) ([]byte, error) {
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	var ops []struct {
		Op, Path string
		Value    any
	}
	if err := json.Unmarshal(patch, &ops); err != nil {
		return nil, err
	}
	for _, op := range ops {
		var err error
		if doc, err = apply(doc, strings.Split(op.Path, "/")[1:], op.Op, op.Value); err != nil {
			return nil, fmt.Errorf("%s %s: %w", op.Op, op.Path, err)
		}
	}
	return json.Marshal(doc)
}

func apply(node any, path []string, op string, value any) (any, error) {
	step, last := path[0], len(path) == 1
	switch x := node.(type) {
	case map[string]any:
		old, ok := x[step]
		switch {
		case !last:
			if !ok {
				return nil, fmt.Errorf("there is no %s", step)
			}
			inner, err := apply(old, path[1:], op, value)
			x[step] = inner
			return x, err
		case op != "add" && !ok:
			return nil, fmt.Errorf("there is no %s", step)
		case op == "remove":
			delete(x, step)
		default:
			x[step] = value
		}
		return x, nil
	case []any:
		if last && op == "add" && step == "-" {
			return append(x, value), nil
		}
		i, err := strconv.Atoi(step)
		if err != nil || i < 0 || i >= len(x) {
			return nil, fmt.Errorf("there is no element %s", step)
		}
		switch {
		case !last:
			x[i], err = apply(x[i], path[1:], op, value)
			return x, err
		case op == "remove":
			return slices.Delete(x, i, i+1), nil
		case op == "replace":
			x[i] = value
			return x, nil
		}
		return slices.Insert(x, i, value), nil
	}
	return nil, fmt.Errorf("%s leads into what has no parts", step)
}

func assess(t testing.TB, s *directory.Snapshot, o Options) *Report {
	t.Helper()
	r, err := Assess(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// words gives all that a finding says.
func words(f *Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", f.Result, f.Reason)
	for _, s := range f.Seen {
		if s.Result != Pass || f.Result == Pass {
			fmt.Fprintf(&b, "\n  %s: %s %s %s", s.Result, s.Name, s.Property, s.Value)
		}
	}
	return b.String()
}

func sections(t *testing.T, file string) []txtar.File {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return a.Files
}

// allowedNotApplicable are the checks that have nothing to judge in a tenant that is
// well set up in one of the ways of declaring.
func allowedNotApplicable(o Options, id string) bool {
	switch {
	case strings.HasPrefix(id, "GRP-") && id != "GRP-07":
		return o.Targeting == TargetDirect
	case id == "GRP-07":
		return o.Targeting != TargetDirect
	case id == "AUTH-16":
		return o.Design == ExcludedFromAll
	case id == "AUTH-07", id == "AUTH-08", id == "AUTH-09":
		return true // one of restrictions and profiles decides
	}
	return false
}

// In a tenant that is set up as it declares every check passes, in each way of declaring,
// and each check applies in one of them.
func TestGoodTenants(t *testing.T) {
	passed := map[string]bool{}
	cases := append([]txtar.File{{Name: "two policies, by the group"}}, sections(t, "testdata/variants.txtar")...)
	for _, c := range cases {
		s, o := tenant(t, string(c.Data))
		r := assess(t, s, o)
		for i := range r.Findings {
			f := &r.Findings[i]
			if f.Result == Pass {
				passed[f.Check.ID] = true
			} else if f.Result != NotApplicable || !allowedNotApplicable(o, f.Check.ID) {
				t.Errorf("%s: %s %s", c.Name, f.Check.ID, words(f))
			}
		}
		if r.Maturity != Proven {
			t.Errorf("%s: %s, want %s: %s", c.Name, r.Maturity, Proven, r.MaturityReason)
		}
	}
	list, err := Checks()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		if !passed[c.ID] {
			t.Errorf("%s passes in no good tenant", c.ID)
		}
		if _, ok := logic[c.ID]; !ok {
			t.Errorf("%s has no logic", c.ID)
		}
	}
	if len(list) != len(logic) {
		t.Errorf("%d checks have texts and %d have logic", len(list), len(logic))
	}
}

// Each fault is found by the checks that are expected, with what decided it, and by no
// other; each check finds one.
func TestFaults(t *testing.T) {
	s, o := tenant(t, "")
	good := assess(t, s, o)
	found := map[string]bool{}
	for _, c := range sections(t, "testdata/faults.txtar") {
		s, o := tenant(t, string(c.Data))
		r := assess(t, s, o)
		type want struct{ result, says string }
		wants, rest := map[string]want{}, want{}
		class := ""
		for line := range strings.Lines(string(c.Data)) {
			word, text, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch word {
			case "want":
				id, text, _ := strings.Cut(text, " ")
				result, says, _ := strings.Cut(text, " ")
				wants[id] = want{result, says}
			case "rest":
				result, says, _ := strings.Cut(text, " ")
				rest = want{result, says}
			case "class":
				class = text
			}
		}
		if class != "" && string(r.Maturity) != class {
			t.Errorf("%s: class %s (%s), want %s", c.Name, r.Maturity, r.MaturityReason, class)
		}
		for i := range r.Findings {
			f := &r.Findings[i]
			w, ok := wants[f.Check.ID]
			if !ok {
				w = want{result: string(good.Findings[i].Result)}
				if rest.result != "" && string(f.Result) == rest.result {
					w = rest
				}
			}
			if string(f.Result) != w.result || !strings.Contains(words(f), w.says) {
				t.Errorf("%s: %s: want %s %q, have %s", c.Name, f.Check.ID, w.result, w.says, words(f))
			}
			if f.Result == Fail && ok {
				found[f.Check.ID] = true
			}
		}
	}
	for id := range logic {
		if !found[id] {
			t.Errorf("no fault is planted that %s finds", id)
		}
	}
}

// Without any one of the parts that a check states it is unknown and says which; and it
// reads all that it states, and nothing else.
func TestUnread(t *testing.T) {
	used := map[string]map[directory.Part]bool{}
	cases := append([]txtar.File{{}}, sections(t, "testdata/variants.txtar")...)
	for _, c := range cases {
		s, o := tenant(t, string(c.Data))
		o, err := o.whole()
		if err != nil {
			t.Fatal(err)
		}
		checks, err := Checks()
		if err != nil {
			t.Fatal(err)
		}
		a := &assessor{s: s, o: &o, now: taken}
		for _, check := range checks {
			whole, parts := a.run(check)
			if used[check.ID] == nil {
				used[check.ID] = map[directory.Part]bool{}
			}
			for p := range parts {
				used[check.ID][p] = true
			}
			if whole.Result != Pass {
				continue
			}
			for _, p := range check.Reads {
				if !parts[p] {
					continue
				}
				why := directory.Reading{State: directory.Unread, Reason: "Graph answered 403", Permission: "Some.Read.All"}
				without := s.With(func(c *directory.Contents) {
					readings := map[directory.Part]directory.Reading{}
					for k, r := range c.Readings {
						readings[k] = r
					}
					readings[p] = why
					c.Readings = readings
					objects := map[directory.Part]map[string]directory.Reading{}
					for k, m := range c.ObjectReadings {
						if k != p {
							objects[k] = m
						}
					}
					c.ObjectReadings = objects
				})
				f, _ := (&assessor{s: without, o: &o, now: taken}).run(check)
				if f.Result != Unknown || !strings.Contains(f.Reason, string(p)) || !strings.Contains(f.Reason, "Some.Read.All") {
					t.Errorf("%s without %s: %s", check.ID, p, words(&f))
				}
			}
		}
	}
	checks, _ := Checks()
	for _, c := range checks {
		for _, p := range c.Reads {
			if !used[c.ID][p] {
				t.Errorf("%s states that it reads %s and does not", c.ID, p)
			}
		}
	}
}

// Of a snapshot of which nothing was read nothing passes.
func TestNothingRead(t *testing.T) {
	r := assess(t, directory.New(directory.Contents{}), declaredOptions())
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Result != Unknown && f.Result != NotApplicable {
			t.Errorf("%s: %s", f.Check.ID, words(f))
		}
	}
	if r.Maturity != ClassUnknown {
		t.Errorf("class %s: %s", r.Maturity, r.MaturityReason)
	}
}

// Without the properties that were not asked for no check passes that looks at them.
func TestPropertiesNotTold(t *testing.T) {
	s, o := tenant(t, "")
	bare := s.With(func(c *directory.Contents) {
		c.Users = slices.Clone(c.Users)
		for i, u := range c.Users {
			c.Users[i] = &directory.User{ID: u.ID, UPN: u.UPN}
		}
		c.Groups = slices.Clone(c.Groups)
		for i, g := range c.Groups {
			c.Groups[i] = &directory.Group{ID: g.ID, DisplayName: g.DisplayName}
		}
	})
	r := assess(t, bare, o)
	for _, id := range []string{"ACC-02", "ACC-03", "ACC-04", "ACC-07", "ACC-08", "ACC-10", "ACC-11", "ACC-13", "ACC-14", "GRP-01", "GRP-02", "RMU-01"} {
		if f := r.Finding(id); f.Result != Unknown {
			t.Errorf("%s: %s", id, words(f))
		}
	}
}

// A check that reads what it does not state is unknown.
func TestUnstatedPart(t *testing.T) {
	s, o := tenant(t, "")
	o, err := o.whole()
	if err != nil {
		t.Fatal(err)
	}
	c := &Check{ID: "ACC-03", Severity: Critical, Reads: []directory.Part{directory.Domains}}
	f, _ := (&assessor{s: s, o: &o}).run(c)
	if f.Result != Unknown || !strings.Contains(f.Reason, "does not state it") {
		t.Error(words(&f))
	}
}

// An exception accepts until its last day, for its object only.
func TestExceptions(t *testing.T) {
	s, o := tenant(t, `patch users [{"op":"replace","path":"/value/0/accountEnabled","value":false}]`)
	e := Exception{Check: "ACC-03", Object: o.Accounts[0].ID, Owner: "Nora", Reason: "is being rebuilt", Until: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	cases := []struct {
		name             string
		change           func(*Exception)
		accepted, lapsed bool
	}{
		{"on its last day", func(*Exception) {}, true, false},
		{"a day late", func(e *Exception) { e.Until = e.Until.AddDate(0, 0, -1) }, false, true},
		{"for another account", func(e *Exception) { e.Object = o.Accounts[1].ID }, false, false},
		{"for all", func(e *Exception) { e.Object = "" }, true, false},
		{"from another check", func(e *Exception) { e.Check = "ACC-04" }, false, false},
	}
	for _, c := range cases {
		x := e
		c.change(&x)
		o.Exceptions = []Exception{x}
		f := assess(t, s, o).Finding("ACC-03")
		if f.Result != Fail || (f.Accepted != nil) != c.accepted || (len(f.Lapsed) > 0) != c.lapsed || f.Open() == c.accepted {
			t.Errorf("%s: %s accepted %v lapsed %v", c.name, f.Result, f.Accepted, f.Lapsed)
		}
	}
}

func TestOptions(t *testing.T) {
	s, _ := tenant(t, "")
	cases := []struct {
		says   string
		change func(*Options)
	}{
		{"no emergency account", func(o *Options) { o.Accounts = nil }},
		{"is no object id", func(o *Options) { o.Accounts[0].ID = "ea-01@contoso.onmicrosoft.com" }},
		{"declared twice", func(o *Options) { o.Accounts[1] = o.Accounts[0] }},
		{`design "both"`, func(o *Options) { o.Design = "both" }},
		{`targeting "luck"`, func(o *Options) { o.Targeting = "luck" }},
		{"cannot be below zero", func(o *Options) { o.Norms.DrillDays = -1 }},
		{"needs a check, an owner", func(o *Options) { o.Exceptions = []Exception{{Check: "ACC-03"}} }},
	}
	for _, c := range cases {
		o := declaredOptions()
		c.change(&o)
		if _, err := Assess(s, o); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT1H": time.Hour, "PT90M": 90 * time.Minute, "P1DT2H": 26 * time.Hour, "P365D": 365 * 24 * time.Hour,
		"": -1, "1H": -1, "PT": 0, "PT1X": -1, "PTH": -1, "P": -1, "PT99999999999999999999H": -1,
	} {
		d, ok := duration(text)
		if !ok {
			d = -1
		}
		if d != want {
			t.Errorf("%q: %v, want %v", text, d, want)
		}
	}
}

// Whatever stands in a catalogue is an error or a catalogue.
func FuzzCatalogue(f *testing.F) {
	f.Add(catalogue)
	f.Add([]byte("- id: X\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := parse(text)
		for _, c := range list {
			if err == nil && (c.Area == "" || c.Title == "") {
				t.Fatalf("%+v", c)
			}
		}
	})
}
