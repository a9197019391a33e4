package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"glassward"
	"glassward/incident"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

const ea1 = "0ea1aaaa-0000-4000-8000-000000000001"

// night is when the tests' stories begin.
var night = time.Date(2026, 3, 14, 2, 20, 0, 0, time.UTC)

// A clock gives a time that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func openStore(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func policy(string) incident.Policy {
	return incident.Policy{Accounts: map[string]string{ea1: "EA-01"}, Groups: []string{"oncall"}}
}

func newDesk(t testing.TB, s incident.Store, raw incident.RawReader, now func() time.Time) *incident.Desk {
	t.Helper()
	d, err := incident.NewDesk(incident.DeskOptions{Store: s, Policy: policy, Raw: raw, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func record(n int) glassward.RecordID { return glassward.RecordID{0: byte(n >> 8), 1: byte(n), 15: 1} }

// signin is the alert of the n-th sign-in, from an address of its own.
func signin(n int) incident.AlertChange {
	at := night.Add(time.Duration(n) * time.Minute)
	return incident.AlertChange{Alert: glassward.Alert{
		ID: incident.AlertID("contoso", "ea-signin", "", record(n).String()), RuleID: "ea-signin", RuleName: "Sign-in by an emergency account",
		RuleVersion: "1.0.0", QueryHash: "ab", Title: fmt.Sprintf("sign-in %d <b>&", n), Severity: glassward.High, Start: at, End: at, Received: at, Judged: at,
		Entities: []glassward.Entity{
			{Type: "Account", Identifiers: map[string]string{"AadUserId": ea1}},
			{Type: "IP", Identifiers: map[string]string{"Address": fmt.Sprintf("192.0.2.%d", n)}},
		},
		Columns: []string{"TimeGenerated", "UserId"}, Rows: [][]string{{at.Format(time.RFC3339), ea1}}, RowCount: 1,
		Records: []glassward.RecordID{record(n)},
	}}
}

func outcome(n int) incident.Outcome {
	return incident.Outcome{Tenant: "contoso", Rule: "ea-signin", Watermark: []byte(fmt.Sprint("mark ", n)), Alerts: []incident.AlertChange{signin(n)}}
}

// rawRecords gives each record some bytes.
type rawRecords struct{ err error }

func (r rawRecords) Raw(_ context.Context, tenant string, ids []glassward.RecordID) (map[glassward.RecordID][]byte, error) {
	out := map[glassward.RecordID][]byte{}
	for _, id := range ids {
		out[id] = []byte(`{"tenant":"` + tenant + `","id":"` + id.String() + "\"}\x00")
	}
	return out, r.err
}

func take(t testing.TB, d *incident.Desk, outcomes ...incident.Outcome) incident.Changes {
	t.Helper()
	c, err := d.Take(t.Context(), outcomes...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTransactionB(t *testing.T) {
	dir := t.TempDir()
	ck := &clock{night}
	s := openStore(t, dir, Options{Now: ck.now})
	d := newDesk(t, s, rawRecords{}, ck.now)
	c := take(t, d, outcome(1))
	if len(c.Alerts) != 1 || len(c.Incidents) != 1 || len(c.Notices) != 1 {
		t.Fatalf("first outcome made %d alerts, %d incidents, %d notices, want one of each", len(c.Alerts), len(c.Incidents), len(c.Notices))
	}
	if mark, err := s.Watermark(t.Context(), "contoso", "ea-signin"); err != nil || string(mark) != "mark 1" {
		t.Errorf("watermark %q, %v", mark, err)
	}
	got, err := s.Incident(t.Context(), "contoso", 1)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c.Incidents[0], got); d != "" {
		t.Errorf("stored incident (-made +read):\n%s", d)
	}
	a, err := s.Alert(t.Context(), "contoso", c.Alerts[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c.Alerts[0], a); d != "" {
		t.Errorf("stored alert (-made +read):\n%s", d)
	}
	raw, err := s.Evidence(t.Context(), "contoso", record(1))
	if want, _ := (rawRecords{}).Raw(t.Context(), "contoso", []glassward.RecordID{record(1)}); err != nil || len(raw) != 1 || string(raw[0]) != string(want[record(1)]) {
		t.Errorf("evidence %q, %v", raw, err)
	}

	before, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // judging again changes nothing, in this process and in the next
		if c := take(t, d, outcome(1)); !c.Empty() {
			t.Errorf("the same outcome again changed %+v", c)
		}
		if after, err := s.Head(t.Context()); err != nil || after != before {
			t.Errorf("the same outcome again wrote to the journal: %v → %v, %v", before, after, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, dir, Options{Now: ck.now})
		d = newDesk(t, s, rawRecords{}, ck.now)
		if len(s.Notes()) > 0 {
			t.Errorf("a closed store was opened with notes %q", s.Notes())
		}
	}
}

func TestARecordThatIsKnownExtendsItsAlert(t *testing.T) {
	ck := &clock{night}
	s := openStore(t, t.TempDir(), Options{Now: ck.now})
	d := newDesk(t, s, nil, ck.now)
	first := take(t, d, outcome(1)).Alerts[0].ID
	// Another window sees records 1 and 2 and calls the alert by another id.
	o := outcome(2)
	o.Alerts[0].Alert.Records = []glassward.RecordID{record(1), record(2)}
	c := take(t, d, o)
	if len(c.Alerts) != 1 || c.Alerts[0].ID != first {
		t.Fatalf("the second window made %v, want alert %s extended", c.Alerts, first)
	}
	a, err := s.Alert(t.Context(), "contoso", first)
	if err != nil || !slices.Equal(a.Records, []glassward.RecordID{record(1), record(2)}) {
		t.Errorf("records %v, %v", a.Records, err)
	}
	owners, err := s.AlertsByRecords(t.Context(), "contoso", "ea-signin", "", []glassward.RecordID{record(2), record(3)})
	if d := cmp.Diff(map[glassward.RecordID]glassward.AlertID{record(2): first}, owners); d != "" || err != nil {
		t.Errorf("owners %v:\n%s", err, d)
	}
	held, err := s.AlertsHolding(t.Context(), "contoso", []glassward.RecordID{record(2), record(3)})
	if d := cmp.Diff(map[glassward.AlertID]Holding{first: {RuleID: "ea-signin", Records: []glassward.RecordID{record(1), record(2)}}}, held); d != "" || err != nil {
		t.Errorf("holding %v:\n%s", err, d)
	}
	if held, err := s.AlertsHolding(t.Context(), "fabrikam", []glassward.RecordID{record(2)}); err != nil || len(held) != 0 {
		t.Errorf("another tenant holds %v, %v", held, err)
	}
	for name, args := range map[string][3]string{"another tenant": {"fabrikam", "ea-signin", ""}, "another rule": {"contoso", "other", ""}, "another group": {"contoso", "ea-signin", "g"}} {
		if owners, err := s.AlertsByRecords(t.Context(), args[0], args[1], args[2], []glassward.RecordID{record(1)}); err != nil || len(owners) != 0 {
			t.Errorf("%s owns %v, %v", name, owners, err)
		}
	}
}

func TestAFailedTransactionKeepsNothing(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	broken := errors.New("broken")
	err := s.Commit(t.Context(), func(tx incident.Tx) error {
		if err := tx.Put(t.Context(), incident.Entry{Tenant: "contoso", Rule: "r", Watermark: []byte("m")}); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	if mark, err := s.Watermark(t.Context(), "contoso", "r"); err != nil || mark != nil {
		t.Errorf("watermark %q, %v", mark, err)
	}
	// The raw records could not be had: the alarm stands, and says so.
	d := newDesk(t, s, rawRecords{err: broken}, func() time.Time { return night })
	if c, err := d.Take(t.Context(), outcome(1)); !errors.Is(err, incident.ErrEvidence) || len(c.Notices) != 1 {
		t.Errorf("take without evidence: %d notices, %v", len(c.Notices), err)
	}
}

func TestManyTakeAtOnce(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	d := newDesk(t, s, nil, func() time.Time { return night })
	errs := make(chan error)
	for n := range 16 {
		go func() {
			o := outcome(n % 8) // each twice
			o.Tenant = fmt.Sprint("tenant", n%2)
			_, err := d.Take(t.Context(), o)
			errs <- err
		}()
	}
	for range 16 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	var alerts int
	for _, tenant := range []string{"tenant0", "tenant1"} {
		list, _, err := s.Alerts(t.Context(), AlertFilter{Tenant: tenant})
		if err != nil {
			t.Fatal(err)
		}
		alerts += len(list)
		inc, _, err := s.Incidents(t.Context(), IncidentFilter{Tenants: []string{tenant}})
		if err != nil || len(inc) != 1 || len(inc[0].Alerts) != len(list) {
			t.Errorf("%s: %d incidents, %v", tenant, len(inc), err)
		}
	}
	if alerts != 8 {
		t.Errorf("%d alerts, want 8", alerts)
	}
	if _, err := s.Verify(t.Context(), Mark{}, 10000); err != nil {
		t.Error(err)
	}
}

func TestPages(t *testing.T) {
	ck := &clock{night}
	s := openStore(t, t.TempDir(), Options{Now: ck.now})
	d := newDesk(t, s, nil, ck.now)
	for n := range 7 {
		o := outcome(n)
		o.Tenant = []string{"contoso", "fabrikam"}[n%2]
		o.Alerts[0].Alert.Start = night.Add(time.Duration(n) * 24 * time.Hour)
		o.Alerts[0].Alert.End = o.Alerts[0].Alert.Start
		o.Alerts[0].Alert.Severity = glassward.Severity(n % 4)
		take(t, d, o)
		if n != 3 { // two incidents are made at the same time
			ck.t = ck.t.Add(time.Second)
		}
	}
	if _, err := d.Do(t.Context(), "contoso", incident.Acknowledge{Target: incident.Target{Number: 2, Etag: incident.AnyEtag, By: "nora"}, Reason: "mine", Proof: incident.ByConsole}); err != nil {
		t.Fatal(err)
	}
	collect := func(f IncidentFilter) (names []string) {
		for {
			page, next, err := s.Incidents(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, inc := range page {
				names = append(names, fmt.Sprint(inc.Tenant[:1], inc.Number))
			}
			if next == "" {
				return names
			}
			f.After = next
		}
	}
	for _, tt := range []struct {
		name   string
		filter IncidentFilter
		want   string
	}{
		{"all", IncidentFilter{}, "c4 f3 c3 f2 c2 f1 c1"},
		{"in pages", IncidentFilter{Limit: 2}, "c4 f3 c3 f2 c2 f1 c1"},
		{"one by one", IncidentFilter{Limit: 1}, "c4 f3 c3 f2 c2 f1 c1"},
		{"of one tenant", IncidentFilter{Tenants: []string{"fabrikam"}, Limit: 2}, "f3 f2 f1"},
		{"of no tenant", IncidentFilter{Tenants: []string{}}, ""},
		{"active", IncidentFilter{Status: []glassward.IncidentStatus{glassward.StatusActive, glassward.StatusClosed}}, "c2"},
		{"of an owner", IncidentFilter{Owner: "nora"}, "c2"},
		{"of an account", IncidentFilter{Account: strings.ToUpper(ea1), MinSeverity: glassward.Medium}, "c4 f2 c2"},
		{"of nobody", IncidentFilter{Account: "0ea2"}, ""},
		{"of a time", IncidentFilter{From: night.Add(time.Second), To: night.Add(3 * time.Second)}, "c2 f1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(collect(tt.filter), " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if _, _, err := s.Incidents(t.Context(), IncidentFilter{After: "x"}); err == nil {
		t.Error("a cursor that nobody gave was taken")
	}
	var titles []string
	f := AlertFilter{Tenant: "contoso", Rule: "ea-signin", Limit: 3, From: night.Add(time.Hour), MinSeverity: glassward.Informational}
	for {
		page, next, err := s.Alerts(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page {
			titles = append(titles, strings.Fields(a.Title)[1])
		}
		if f.After = next; next == "" {
			break
		}
	}
	if got := strings.Join(titles, " "); got != "6 4 2" {
		t.Errorf("alerts %q, want 6 4 2", got)
	}
}

func TestRetentionSparesTheRecordsOfOpenIncidents(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	d := newDesk(t, s, nil, func() time.Time { return night })
	take(t, d, outcome(1), outcome(2), outcome(3))
	held, err := s.HeldRecords(t.Context(), "contoso", glassward.RecordID{}, 2)
	if err != nil || len(held) != 2 {
		t.Fatalf("first page %v, %v", held, err)
	}
	rest, err := s.HeldRecords(t.Context(), "contoso", held[1], 2)
	if err != nil || !slices.Equal(append(held, rest...), []glassward.RecordID{record(1), record(2), record(3)}) {
		t.Errorf("held %v and %v, %v", held, rest, err)
	}
	target := incident.Target{Number: 1, Etag: incident.AnyEtag, By: "nora"}
	// The review is enough where nothing happened in truth.
	for _, c := range []incident.Command{
		incident.DoTask{Target: target, Task: 4},
		incident.Close{Target: target, Classification: glassward.FalsePositive, Reason: "InaccurateData"},
	} {
		if _, err := d.Do(t.Context(), "contoso", c); err != nil {
			t.Fatal(err)
		}
	}
	if held, err := s.HeldRecords(t.Context(), "contoso", glassward.RecordID{}, 0); err != nil || len(held) != 0 {
		t.Errorf("after closing %v, %v", held, err)
	}
}

func TestCommandsCheckTheEtag(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	d := newDesk(t, s, nil, func() time.Time { return night })
	inc := take(t, d, outcome(1)).Incidents[0]
	cmd := incident.Acknowledge{Target: incident.Target{Number: 1, Etag: inc.Etag, By: "nora"}, Reason: "mine", Proof: incident.ByConsole}
	after, err := d.Do(t.Context(), "contoso", cmd)
	if err != nil || after.Status != glassward.StatusActive || after.Owner != "nora" {
		t.Fatalf("acknowledged: %+v, %v", after, err)
	}
	if stored, err := s.Incident(t.Context(), "contoso", 1); err != nil || stored.Etag != after.Etag {
		t.Errorf("stored etag %s, want %s (%v)", stored.Etag, after.Etag, err)
	}
	if _, err := d.Do(t.Context(), "contoso", cmd); !errors.Is(err, incident.ErrConflict) {
		t.Errorf("the stale command gave %v", err)
	}
	if _, err := d.Do(t.Context(), "fabrikam", cmd); !errors.Is(err, incident.ErrNotFound) {
		t.Errorf("another tenant's command gave %v", err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	openStore(t, dir, Options{})
	if s, err := Open(t.Context(), dir, Options{}); !errors.Is(err, ErrLocked) {
		s.Close()
		t.Errorf("opened twice: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, dbName))
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("state.db has mode %v, %v", info.Mode(), err)
	}
}

func TestRuleVersions(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	v := RuleVersion{ID: "r", Version: "1.0.0", QueryHash: "ab", Name: "n", Text: "id: r"}
	for range 2 {
		if err := s.PutRuleVersions(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	if head, err := s.Head(t.Context()); err != nil || head.Seq != 1 {
		t.Errorf("journal at %d, %v", head.Seq, err)
	}
	got, err := s.RuleVersion(t.Context(), "r", "1.0.0", "ab")
	if err != nil || got.Text != v.Text || got.FirstSeen.IsZero() {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := s.RuleVersion(t.Context(), "r", "2.0.0", "ab"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown version gave %v", err)
	}
}

func TestCanonicalJSON(t *testing.T) {
	got, err := canonical(struct {
		B string         `json:"b"`
		A map[string]any `json:"a"`
	}{"<&>\u2028", map[string]any{"z": 1, "y": 0.5}})
	if want := `{"a":{"y":0.5,"z":1},"b":"<&>\u2028"}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// The write-ahead log is moved into the file now and then, and begun again.
func TestTheLogStaysShort(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	big := strings.Repeat("x", 64<<10)
	for n := range 1000 {
		err := s.Commit(t.Context(), func(tx incident.Tx) error {
			return tx.Put(t.Context(), incident.Entry{Tenant: "contoso", Rule: "r", Watermark: []byte(fmt.Sprint(n, big))})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, dbName+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 40<<20 {
		t.Errorf("after 64 MB of commits the log has %d MB", info.Size()>>20)
	}
	t.Logf("%d KB", info.Size()>>10)
}

// A full disk keeps nothing and loses nothing: what was not committed can be done
// again.
func TestTheDiskIsFull(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	d := newDesk(t, s, rawRecords{}, func() time.Time { return night })
	secret, err := s.CreateToken(t.Context(), Token{Name: "t", Tenant: AllTenants, Scopes: []Scope{ScopeOperate}, Expires: time.Now().Add(time.Hour)}, "nora")
	if err != nil {
		t.Fatal(err)
	}
	take(t, d, outcome(1))
	limit := func(pages int) {
		t.Helper()
		if _, err := s.writer.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // which is to say: no more than there are
	var failed int
	for n := 2; n < 60 && failed == 0; n++ {
		if _, err := d.Take(t.Context(), outcome(n)); err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatalf("got %v, want ErrFull", err)
			}
			failed = n
		}
	}
	if failed == 0 {
		t.Fatal("the disk never filled up")
	}
	if mark, err := s.Watermark(t.Context(), "contoso", "ea-signin"); err != nil || string(mark) != fmt.Sprint("mark ", failed-1) {
		t.Errorf("watermark %q after the failure at %d, %v", mark, failed, err)
	}
	if _, err := s.CheckToken(t.Context(), secret); err != nil {
		t.Errorf("nobody can come to help: %v", err)
	}
	limit(1 << 30)
	if c := take(t, d, outcome(failed)); len(c.Alerts) != 1 || len(c.Notices) != 1 {
		t.Errorf("done again: %+v", c)
	}
	if _, err := s.Verify(t.Context(), Mark{}, 10000); err != nil {
		t.Error(err)
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	dir := filled(t)
	if err := errors.Join(Fits(t.Context(), dir), Fits(t.Context(), t.TempDir())); err != nil {
		t.Errorf("one of this version, and none: %v", err)
	}
	tamper(t, dir, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
	if s, err := Open(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "newer Glassward") {
		s.Close()
		t.Errorf("got %v", err)
	}
	if err := Fits(t.Context(), dir); !errors.Is(err, ErrNewer) {
		t.Errorf("fits: %v", err)
	}
}

// What a kill cannot show: that commits are flushed to the disk, the head with
// them.
func TestEveryConnectionFlushes(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	for name, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "wal_autocheckpoint": "0", "busy_timeout": "10000"} {
		var got string
		if err := s.writer.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, want %s (%v)", name, got, want, err)
		}
	}
	if _, err := s.readers.ExecContext(t.Context(), "DELETE FROM watermarks"); err == nil {
		t.Error("a reader's connection writes")
	}
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, s.head.f.Fd(), syscall.F_GETFL, 0)
	if errno != 0 || flags&syscall.O_SYNC != syscall.O_SYNC {
		t.Errorf("state.head is open with flags %o, want O_SYNC among them (%v)", flags, errno)
	}
}
