package entrasim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"testing"
	"time"

	"glassward"
	"glassward/ingest"
	"glassward/internal/entrasim"
	"glassward/kql"
	"glassward/logstore"
	"glassward/rule"
	"glassward/schema"
)

// bench is the real decoders and the real store.
type bench struct{}

func (bench) Load(ctx context.Context, records []byte) (rule.Loaded, error) {
	store, err := logstore.OpenMemory(ctx, logstore.Options{Threads: 1})
	if err != nil {
		return rule.Loaded{}, err
	}
	l := rule.Loaded{Close: store.Close, Runner: rule.RunnerFunc(func(ctx context.Context, p *kql.Program, bind kql.Bind) (*kql.Result, error) {
		return store.Run(ctx, p, bind, logstore.Limits{Class: logstore.Rules})
	})}
	dec, err := ingest.NewDecoder(bytes.NewReader(records), ingest.DecoderOptions{Source: "story", Provenance: glassward.Pulled, Tenant: entrasim.TenantID})
	if err != nil {
		return l, errors.Join(err, store.Close())
	}
	for {
		var batch ingest.Batch
		end := dec.Next(&batch)
		for _, r := range batch.Rejects {
			return l, errors.Join(fmt.Errorf("a record is rejected: %+v", r), store.Close())
		}
		done, err := store.Append(ctx, logstore.Batch{Records: batch.Records})
		if err != nil {
			return l, errors.Join(err, store.Close())
		}
		l.Head = max(l.Head, done.LastSeq)
		l.Records = append(l.Records, done.Records...)
		if end == io.EOF {
			return l, nil
		}
		if end != nil {
			return l, errors.Join(end, store.Close())
		}
	}
}

// exact gives the domain that a title's star stands for.
func exact(title string) string {
	before, ok := strings.CutSuffix(title, "@*")
	if !ok {
		return title
	}
	if strings.Contains(before[strings.LastIndexByte(before, ' '):], "ea-0") {
		return before + "@" + entrasim.TenantName + ".onmicrosoft.example"
	}
	return before + "@" + entrasim.Domain
}

// TestTheShippedRulesTellTheStories plays all stories, one after the other, on a
// tenant that otherwise lives quietly, and gives what Graph shows of them to the
// shipped rules: the alerts that the files foretell and no others.
func TestTheShippedRulesTellTheStories(t *testing.T) {
	rates := entrasim.Calm()
	w := entrasim.NewWorld(entrasim.Options{Seed: 12, Start: monday, Users: 12, Rates: &rates})
	expected := map[string][]rule.Expectation{}
	stories := entrasim.Scenarios()
	end := monday.Add(2 * time.Hour)
	for i, s := range stories {
		w.Begin(s, end)
		end = end.Add(time.Duration(s.Minutes+5) * time.Minute)
		for n, a := range s.Alerts {
			expected[a.Rule] = append(expected[a.Rule], rule.Expectation{Line: 1000*i + n, Title: exact(a.Title)})
		}
	}
	w.Advance(end)
	var records bytes.Buffer
	for _, e := range w.Events() {
		if e.Kind != entrasim.CloudAppEvent {
			records.Write(e.Diagnostic(1))
			records.WriteByte('\n')
		}
	}
	rules, err := rule.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	principal, _ := w.ServicePrincipal(entrasim.EmergencyApp)
	var objects []rule.Object
	for _, o := range w.Protected() {
		objects = append(objects, rule.Object{ObjectID: o.ID, Name: o.Name, Kind: o.Kind})
	}
	for _, r := range rules {
		want := expected[r.Name]
		if len(want) == 0 {
			t.Errorf("no story needs the rule %q", r.Name)
		}
		f := &rule.Fixture{File: r.File, Objects: objects, Cases: []rule.Case{{Name: "all stories", Records: records.Bytes(), Alerts: want}},
			Accounts: []rule.Account{{ObjectID: entrasim.EA01, Name: "EA-01", UserPrincipalName: w.Emergency()[0].UserPrincipalName, Kind: "user"},
				{ObjectID: entrasim.EA02, Name: "EA-02", UserPrincipalName: w.Emergency()[1].UserPrincipalName, Kind: "user"},
				{ObjectID: principal.ID, Name: principal.DisplayName, Kind: "servicePrincipal"}}}
		verdicts, err := rule.Test(t.Context(), r, f, rule.Environment{Catalog: schema.Default().Catalog()}, bench{})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range verdicts {
			if v.Err != nil {
				t.Errorf("%s: the number of a line is 1000 times the story, counted from 0, and that of the alert: %v", r.Name, v.Err)
			}
		}
		delete(expected, r.Name)
	}
	for name := range expected {
		t.Errorf("no rule is called %q", name)
	}
}

// TestStoriesAreWhole reads each file as a person would.
func TestStoriesAreWhole(t *testing.T) {
	for _, s := range entrasim.Scenarios() {
		if s.Title == "" || len(s.Text) < 150 || s.Minutes == 0 || len(s.Incidents) == 0 {
			t.Errorf("%s lacks its title, text, length or incidents", s.Name)
		}
		rates := entrasim.Still()
		start := monday.Add(time.Hour)
		w := entrasim.NewWorld(entrasim.Options{Seed: 1, Start: start, Rates: &rates})
		w.Begin(s, start)
		w.Advance(start.Add(time.Duration(s.Minutes+1) * time.Minute))
		events := w.Events()
		if len(events) == 0 {
			t.Errorf("%s leaves nothing in the logs", s.Name)
		}
		at := map[int]bool{}
		for _, e := range events {
			at[int(e.At.Sub(start)/time.Minute)] = true
			if e.Diagnostic(1) == nil || e.Graph(1) == nil {
				t.Errorf("%s: %s has no record", s.Name, e.ID)
			}
		}
		alerts := map[int]bool{}
		for _, a := range s.Alerts {
			alerts[a.Minute] = true
			if !at[a.Minute] {
				t.Errorf("%s: an alert at minute %d, when nothing happens", s.Name, a.Minute)
			}
			if _, err := path.Match(a.Title, ""); err != nil {
				t.Errorf("%s: %q: %v", s.Name, a.Title, err)
			}
		}
		begun := map[int]bool{}
		for _, x := range s.For(w) {
			if x.Logs() && !at[x.Minute] {
				t.Errorf("%s: logs tell of an incident at minute %d, when nothing happens", s.Name, x.Minute)
			}
			if x.Joins >= 0 && !begun[x.Joins] {
				t.Errorf("%s: the incident at minute %d joins one at minute %d that is not there", s.Name, x.Minute, x.Joins)
			}
			begun[x.Minute] = true
			if x.Minute > s.Minutes {
				t.Errorf("%s: minute %d is after its end", s.Name, x.Minute)
			}
			if x.Account != "" && len(x.Account) != 36 {
				t.Errorf("%s: nobody is called %s", s.Name, x.Account)
			}
		}
	}
}

// TestStoriesChangeTheDirectory: what a story does is seen by polls too.
func TestStoriesChangeTheDirectory(t *testing.T) {
	rates := entrasim.Still()
	w := entrasim.NewWorld(entrasim.Options{Seed: 1, Start: monday, Rates: &rates})
	w.Begin(entrasim.Scenario("S2"), monday)
	members := func() int {
		units, _ := w.Objects("directory/administrativeUnits")
		if len(units) != 1 {
			t.Fatalf("%d administrative units", len(units))
		}
		id := strings.Split(strings.SplitAfter(string(units[0]), `"id":"`)[1], `"`)[0]
		list, ok := w.Objects("directory/administrativeUnits/" + id + "/members")
		if !ok {
			t.Fatal("the unit has no members path")
		}
		return len(list)
	}
	if members() != 2 || len(w.DiagnosticSettings()) != 1 {
		t.Fatalf("%d members, %d settings", members(), len(w.DiagnosticSettings()))
	}
	w.Advance(monday.Add(30 * time.Minute))
	if members() != 1 || len(w.DiagnosticSettings()) != 0 {
		t.Errorf("%d members, %d settings", members(), len(w.DiagnosticSettings()))
	}
	if s, _ := w.ServicePrincipal(entrasim.GlasswardApp); strings.Contains(strings.Join(s.Granted, " "), "AuditLog.Read.All") {
		t.Error("consent is still there")
	}
	w.Advance(monday.Add(6 * time.Hour))
	if n := len(w.Appearances(entrasim.EventHub, monday, w.Now())); n != 0 {
		t.Errorf("%d records at the hub without a diagnostic setting", n)
	}
	if n := len(w.Appearances(entrasim.Graph, monday, w.Now())); n == 0 {
		t.Error("Graph shows nothing")
	}
	if err := w.Do("sign-in nobody 0"); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("a sign-in of nobody: %v", err)
	}
	if err := w.Do("sign-in EA-01 0 with key"); err != nil {
		t.Error(err)
	}
	if e := w.Events()[len(w.Events())-1]; e.UserID != entrasim.EA01 || !e.At.Equal(w.Now()) {
		t.Errorf("the last event is of %s at %v", e.UserID, e.At)
	}
}
