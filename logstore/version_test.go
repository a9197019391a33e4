package logstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/kql/value"
	"glassward/logstore"
)

// by sets who vouches for a record.
func by(p glassward.Provenance, r glassward.Record) glassward.Record {
	r.Provenance = p
	r.Source = string(p)
	return r
}

// TestVersions gives copies of one sign-in, one a batch, and looks at what each
// is taken for and at what queries see in the end.
func TestVersions(t *testing.T) {
	base := []any{"UserId", "u1", "AppId", "app", "ResultType", "0", "UserDisplayName", "Ines"}
	with := func(cells ...any) glassward.Record { return signin("a", append(append([]any{}, base...), cells...)...) }
	for _, test := range []struct {
		name    string
		copies  []glassward.Record
		fates   string // n new, u updated, d duplicate, c conflict
		rows    []string
		columns string
	}{
		{"the same again", []glassward.Record{with(), with(), with()}, "n d d",
			[]string{"u1|0|Ines|"}, ""},
		{"fuller", []glassward.Record{with(), with("RiskState", "atRisk"), with()}, "n u d",
			[]string{"u1|0|Ines|atRisk"}, ""},
		{"less full changes nothing", []glassward.Record{with("RiskState", "atRisk"), with()}, "n d",
			[]string{"u1|0|Ines|atRisk"}, ""},
		{"a detail changes, and the older copy comes again", []glassward.Record{with("RiskState", "atRisk"), with("RiskState", "remediated"), with("RiskState", "atRisk"), with("RiskState", "remediated")}, "n u d d",
			[]string{"u1|0|Ines|remediated"}, ""},
		{"the outcome is corrected by the same road", []glassward.Record{with("ResultType", "50126"), with("ResultType", "0")}, "n u",
			[]string{"u1|0|Ines|"}, ""},
		{"a name told otherwise adds nothing", []glassward.Record{with(), with("UserDisplayName", "Ines V.")}, "n d",
			[]string{"u1|0|Ines|"}, ""},
		{"case of ids is nothing", []glassward.Record{with(), with("UserId", "U1")}, "n d",
			[]string{"u1|0|Ines|"}, ""},
		{"who contradicts", []glassward.Record{with(), with("UserId", "u2"), with("UserId", "u2"), with()}, "n c d d",
			[]string{"u1|0|Ines|", "u2|0|Ines|"}, ""},
		{"what contradicts", []glassward.Record{with(), with("AppId", "other")}, "n c",
			[]string{"u1|0|Ines|", "u1|0|Ines|"}, ""},
		{"pushed does not displace pulled", []glassward.Record{with(), by(glassward.Pushed, with("ResultType", "50126")), by(glassward.Pushed, with("ResultType", "50126")), with()}, "n c d d",
			[]string{"u1|0|Ines|", "u1|50126|Ines|"}, ""},
		{"pushed fills nothing that was pulled", []glassward.Record{with(), by(glassward.Pushed, with("RiskState", "remediated")), by(glassward.Pushed, with("RiskState", "remediated"))}, "n d d",
			[]string{"u1|0|Ines|"}, ""},
		{"pulled displaces what was pushed", []glassward.Record{by(glassward.Pushed, with("UserDisplayName", "Eve", "RiskState", "none")), with("RiskState", "atRisk"), by(glassward.Pushed, with("UserDisplayName", "Eve", "RiskState", "none"))}, "n u d",
			[]string{"u1|0|Ines|atRisk"}, ""},
		{"pulled vouches for what was pushed", []glassward.Record{by(glassward.Pushed, with()), with(), with(), by(glassward.Pushed, with("ResultType", "1"))}, "n u d c",
			[]string{"u1|0|Ines|", "u1|1|Ines|"}, ""},
		{"pulled contradicts what was pushed", []glassward.Record{by(glassward.Pushed, with("UserId", "u9")), with(), with("RiskState", "atRisk")}, "n c u",
			[]string{"u9|0|Ines|", "u1|0|Ines|atRisk"}, ""},
		{"JSON written otherwise is the same", []glassward.Record{with("Status", `{"errorCode":0,"additionalDetails":""}`), with("Status", `{ "errorCode" : 0 }`)}, "n d",
			[]string{"u1|0|Ines|"}, ""},
		{"JSON that says more is a version", []glassward.Record{with("Status", `{"errorCode":0}`), with("Status", `{"errorCode":0,"additionalDetails":"MFA"}`)}, "n u",
			[]string{"u1|0|Ines|"}, ""},
		{"an earlier state of risk comes later", []glassward.Record{with("RiskState", "atRisk", "RiskLevelAggregated", "high"), with("RiskState", "none", "RiskLevelAggregated", "none")}, "n d",
			[]string{"u1|0|Ines|atRisk"}, ""},
		{"a risk that is dismissed", []glassward.Record{with("RiskState", "atRisk", "RiskLevelAggregated", "high"), with("RiskState", "dismissed", "RiskLevelAggregated", "none")}, "n u",
			[]string{"u1|0|Ines|dismissed"}, ""},
		{"AuthenticationDetails of an earlier version", []glassward.Record{with("AuthenticationDetails", `[{"authenticationMethod":"Password"},{"authenticationMethod":"FIDO2"}]`), with("AuthenticationDetails", `[{"authenticationMethod":"Password"}]`)}, "n d",
			[]string{"u1|0|Ines|"}, ""},
		{"AuthenticationDetails grow", []glassward.Record{with("AuthenticationDetails", `[{"authenticationMethod":"Password"}]`), with("AuthenticationDetails", `[{"authenticationMethod":"Password"},{"authenticationMethod":"FIDO2"}]`)}, "n u",
			[]string{"u1|0|Ines|"}, ""},
	} {
		for _, oneBatch := range []bool{false, true} {
			name := test.name
			if oneBatch {
				name += ", in one batch"
			}
			t.Run(name, func(t *testing.T) {
				s := memory(t)
				var fates []string
				note := func(c logstore.Committed) {
					if n := c.Added + c.Updated + c.Duplicates + len(c.Conflicts); n != 1 {
						t.Errorf("one copy counts %d times: %+v", n, c)
					}
					switch {
					case c.Added == 1:
						fates = append(fates, "n")
					case c.Updated == 1:
						fates = append(fates, "u")
					case c.Duplicates == 1:
						fates = append(fates, "d")
					default:
						fates = append(fates, "c")
					}
					if rows := len(c.Records); rows != c.Added+c.Updated+len(c.Conflicts) {
						t.Errorf("%d rows to judge: %+v", rows, c)
					}
				}
				if oneBatch {
					c := appendTo(t, s, test.copies...)
					if got, want := [...]int{c.Added, c.Updated, c.Duplicates, len(c.Conflicts)},
						[...]int{strings.Count(test.fates, "n"), strings.Count(test.fates, "u"), strings.Count(test.fates, "d"), strings.Count(test.fates, "c")}; got != want {
						t.Errorf("new, updated, duplicates, conflicts: got %v, want %v", got, want)
					}
				} else {
					for _, r := range test.copies {
						note(appendTo(t, s, r))
					}
					if got := strings.Join(fates, " "); got != test.fates {
						t.Errorf("fates %s, want %s", got, test.fates)
					}
				}
				got := rows(t, s, 4, `SELECT "UserId", "ResultType", "UserDisplayName", "RiskState" FROM "SigninLogs" ORDER BY "_Seq"`)
				if oneBatch {
					// Merged before they were written, rows stand in another order.
					got = rows(t, s, 4, `SELECT "UserId", "ResultType", "UserDisplayName", "RiskState" FROM "SigninLogs" ORDER BY "_ItemId" = '`+test.copies[0].ID.String()+`'::UUID DESC`)
				}
				if d := cmp.Diff(test.rows, got); d != "" {
					t.Error(d)
				}
				if got := rows(t, s, 1, `SELECT count(*) - count(DISTINCT "_ItemId") FROM "SigninLogs"`); got[0] != "0" {
					t.Error("two rows have one id")
				}
				// Everything again adds nothing.
				before := rows(t, s, 2, `SELECT "_ItemId", "_Seq" FROM "SigninLogs" ORDER BY 2`)
				for range 2 {
					c := appendTo(t, s, test.copies...)
					if c.Duplicates != len(test.copies) {
						t.Errorf("again: %+v", c)
					}
				}
				if d := cmp.Diff(before, rows(t, s, 2, `SELECT "_ItemId", "_Seq" FROM "SigninLogs" ORDER BY 2`)); d != "" {
					t.Error("again:", d)
				}
			})
		}
	}
}

func TestVersionIsJudgedAgain(t *testing.T) {
	s := memory(t)
	first := appendTo(t, s, signin("a", "UserId", "u"), signin("b", "UserId", "u"))
	later := signin("a", "UserId", "u", "RiskState", "atRisk")
	later.Received = clock.Add(1)
	c := appendTo(t, s, later)
	if c.FirstSeq != 3 || c.LastSeq != 3 || len(c.Records) != 1 || c.Records[0].ID != first.Records[0].ID {
		t.Fatalf("%+v", c)
	}
	if got := rows(t, s, 2, `SELECT "Id", "RiskState" FROM "SigninLogs" WHERE "_Seq" > 2`); cmp.Diff([]string{"a|atRisk"}, got) != "" {
		t.Error(got)
	}
	if got := rows(t, s, 3, `SELECT kind, seq, record LIKE '%"UserId":"u"%' FROM _versions ORDER BY rowid`); cmp.Diff([]string{"replaced|1|true", "accepted|0|false"}, got) != "" {
		t.Error(got)
	}
}

func TestConflictIsReported(t *testing.T) {
	s := memory(t)
	first := appendTo(t, s, signin("a", "UserId", "u", "ResultType", "50126"))
	lie := by(glassward.Pushed, signin("a", "UserId", "u", "ResultType", "0"))
	lie.Line = 12
	c := appendTo(t, s, lie)
	if len(c.Conflicts) != 1 {
		t.Fatalf("%+v", c)
	}
	want := logstore.Conflict{Table: "SigninLogs", ID: first.Records[0].ID, Beside: c.Records[0].ID, Column: "ResultType", Stored: "50126", Copy: "0",
		StoredSource: "test", CopySource: "pushed", StoredProvenance: glassward.Pulled, Provenance: glassward.Pushed, Line: 12}
	if d := cmp.Diff(want, c.Conflicts[0]); d != "" {
		t.Error(d)
	}
}

// TestAuditActors says that the same actors, told more fully, contradict
// nothing, and others do.
func TestAuditActors(t *testing.T) {
	audit := func(who, targets string) glassward.Record {
		return record("AuditLogs", "a", "InitiatedBy", who, "TargetResources", targets)
	}
	s := memory(t)
	appendTo(t, s, audit(`{"user":{"id":"U1"}}`, `[{"id":"t1"},{"id":"t2"}]`))
	if c := appendTo(t, s, audit(`{"user":{"id":"u1","displayName":"Ines"}}`, `[{"id":"t2","displayName":"x"},{"id":"t1"}]`)); len(c.Conflicts) != 0 || c.Duplicates != 1 {
		t.Errorf("the same actors: %+v", c)
	}
	if c := appendTo(t, s, audit(`{"user":{"id":"u2"}}`, `[{"id":"t1"},{"id":"t2"}]`)); len(c.Conflicts) != 1 || c.Conflicts[0].Column != "InitiatedBy" {
		t.Errorf("another actor: %+v", c)
	}
	if c := appendTo(t, s, audit(`{"user":{"id":"u1"}}`, `[{"id":"t3"}]`)); len(c.Conflicts) != 1 || c.Conflicts[0].Column != "TargetResources" {
		t.Errorf("another target: %+v", c)
	}
}

// TestTwoCallersOneRecord appends versions of one record from many goroutines,
// so that some meet in one commit.
func TestTwoCallersOneRecord(t *testing.T) {
	s := memory(t)
	type result struct {
		c   logstore.Committed
		err error
	}
	const callers = 40
	done := make(chan result)
	for i := range callers {
		go func() {
			c, err := s.Append(context.Background(), logstore.Batch{Records: []glassward.Record{
				signin(fmt.Sprint("own", i)), signin("common", "UserId", "u", "RiskState", fmt.Sprint("r", i%4))}})
			done <- result{c, err}
		}()
	}
	var all logstore.Committed
	for range callers {
		r := <-done
		if r.err != nil {
			t.Fatal(r.err)
		}
		all.Added += r.c.Added
		all.Updated += r.c.Updated
		all.Duplicates += r.c.Duplicates
	}
	if all.Added != callers+1 || all.Updated > 3 || all.Added+all.Updated+all.Duplicates != 2*callers {
		t.Errorf("%+v", all)
	}
	if got := rows(t, s, 1, `SELECT count(*) FROM "SigninLogs"`); got[0] != fmt.Sprint(callers+1) {
		t.Error(got)
	}
}

func TestRaw(t *testing.T) {
	s, err := logstore.OpenMemory(context.Background(), logstore.Options{Now: now, Watch: []string{"5D0B7C11-2e84"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	audit := record("AuditLogs", "a")
	audit.Raw = []byte("{\"an\":\"audit record\"}\r\n\x00")
	watched := signin("w")
	watched.Raw = []byte(`{"userId":"5d0b7c11-2E84-x"}`)
	other := signin("o")
	other.Raw = []byte(`{"userId":"another"}`)
	appendTo(t, s, audit, watched, other)
	fuller := signin("w", "RiskState", "atRisk")
	fuller.Raw = []byte(`{"userId":"5d0b7c11-2e84-x","riskState":"atRisk"}`)
	appendTo(t, s, fuller)
	got, err := s.Raw(context.Background(), []glassward.RecordID{audit.ID, watched.ID, other.ID})
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, r := range got {
		texts = append(texts, fmt.Sprintf("%v %x %s", r.ID == audit.ID, r.SHA256[:4], r.Bytes))
		if value.FromTime(r.Received) != value.FromTime(clock) {
			t.Error(r.Received)
		}
	}
	want := []string{"true " + sum(audit.Raw), "false " + sum(watched.Raw), "false " + sum(fuller.Raw)}
	if d := cmp.Diff(want, texts); d != "" {
		t.Error(d)
	}
}
