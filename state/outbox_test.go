package state

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/notify"
)

func TestOutbox(t *testing.T) {
	ck := &clock{night}
	s := openStore(t, t.TempDir(), Options{Now: ck.now})
	d := newDesk(t, s, nil, ck.now)
	notice := take(t, d, outcome(1)).Notices[0]

	claim := func(at time.Time) []notify.Job {
		t.Helper()
		jobs, err := s.Claim(t.Context(), at, 10)
		if err != nil {
			t.Fatal(err)
		}
		return jobs
	}
	names := func(jobs []notify.Job) string {
		var out []string
		for _, j := range jobs {
			out = append(out, j.Receiver)
		}
		return strings.Join(out, " ")
	}
	jobs := claim(night)
	if len(jobs) != 1 || jobs[0].Receiver != "" || jobs[0].Incident == nil || len(jobs[0].Alerts) != 1 || len(jobs[0].Head) != 64 {
		t.Fatalf("before routing: %+v", jobs)
	}
	if d := cmp.Diff(notice, jobs[0].Notice); d != "" {
		t.Errorf("notice (-owed +claimed):\n%s", d)
	}
	if err := s.Route(t.Context(), notice.ID, nil); err == nil {
		t.Error("a notice was routed to nobody")
	}
	if err := s.Route(t.Context(), "none", []string{"oncall/mail"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("routing a notice that is not there: %v", err)
	}
	for range 2 {
		if err := s.Route(t.Context(), notice.ID, []string{"oncall/mail", "oncall/pager"}); err != nil {
			t.Fatal(err)
		}
		if got := names(claim(night)); got != "oncall/mail oncall/pager" {
			t.Fatalf("due: %q", got)
		}
	}

	settle := func(receiver string, number int, status glassward.DeliveryStatus, next time.Time) {
		t.Helper()
		err := s.Settle(t.Context(), notify.Settlement{
			Attempt: glassward.Attempt{Notice: notice.ID, Receiver: receiver, Number: number, At: ck.t, Took: time.Second, OK: status == glassward.Delivered, Answer: string(status)},
			Status:  status, Next: next, Handle: fmt.Sprint("handle ", number),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	settle("oncall/mail", 1, glassward.Delivered, time.Time{})
	settle("oncall/pager", 1, glassward.Pending, night.Add(time.Minute))
	head, _ := s.Head(t.Context())
	settle("oncall/pager", 1, glassward.Pending, night.Add(time.Hour)) // the same attempt again
	if again, _ := s.Head(t.Context()); again != head {
		t.Error("settling an attempt again wrote to the journal")
	}
	if got := names(claim(night)); got != "" {
		t.Errorf("due at once: %q", got)
	}
	if next, ok, err := s.NextDue(t.Context()); err != nil || !ok || !next.Equal(night.Add(time.Minute)) {
		t.Errorf("next due %v, %v, %v", next, ok, err)
	}
	if err := s.Hasten(t.Context(), "oncall/pager", night.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if jobs := claim(night.Add(time.Second)); names(jobs) != "oncall/pager" || jobs[0].Attempt != 2 || jobs[0].Handle != "handle 1" {
		t.Errorf("hastened: %+v", jobs)
	}
	ck.t = night.Add(2 * time.Second)
	settle("oncall/pager", 2, glassward.Failed, time.Time{})
	settle("oncall/mail", 2, glassward.Failed, time.Time{}) // what was delivered stays so
	if _, ok, err := s.NextDue(t.Context()); err != nil || ok {
		t.Errorf("something is due: %v, %v", ok, err)
	}

	reports, err := s.Deliveries(t.Context(), "contoso", 1)
	if err != nil || len(reports) != 2 {
		t.Fatalf("%d deliveries, %v", len(reports), err)
	}
	mail, pager := reports[0], reports[1]
	if mail.Status != glassward.Delivered || len(mail.Log) != 2 || mail.Answer != "delivered" || !mail.Settled.Equal(night.Add(time.Second)) {
		t.Errorf("mail %+v", mail)
	}
	if pager.Status != glassward.Failed || len(pager.Log) != 2 || pager.Log[0].Number != 1 || pager.Attempts != 2 {
		t.Errorf("pager %+v", pager)
	}
	// That of a delivery which stays delivered is not replaced.
	handles, err := s.Handles(t.Context(), night.Add(-time.Hour), 10)
	if want := []Handle{{"contoso", 1, night, "oncall/mail", "handle 1"}, {"contoso", 1, night, "oncall/pager", "handle 2"}}; err != nil || !cmp.Equal(handles, want) {
		t.Errorf("handles %+v, %v", handles, err)
	}
	if handles, err := s.Handles(t.Context(), night.Add(time.Hour), 10); err != nil || len(handles) > 0 {
		t.Errorf("handles of older incidents: %+v, %v", handles, err)
	}
	line, err := s.Timeline(t.Context(), "contoso", 1)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range line {
		kinds = append(kinds, e.Kind)
	}
	if got := strings.Join(kinds, " "); got != "alert page delivery delivery delivery delivery" {
		t.Errorf("timeline %s", got)
	}
	st, err := s.Stats(t.Context())
	if err != nil || st.Failed != 1 || st.Pending != 0 || st.Unrouted != 0 || st.Open["contoso"] != 1 {
		t.Errorf("stats %+v, %v", st, err)
	}
	err = s.Settle(t.Context(), notify.Settlement{Attempt: glassward.Attempt{Notice: "none", Receiver: "x", Number: 1}})
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("settling a delivery that is not there: %v", err)
	}
}

func TestNoticesWithoutAnIncident(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{Now: func() time.Time { return night }})
	n := glassward.Notice{ID: "test-1", Tenant: "contoso", Group: "oncall", Kind: "test", Created: night}
	for range 2 {
		if err := s.PutNotice(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	jobs, err := s.Claim(t.Context(), night, 10)
	if err != nil || len(jobs) != 1 || jobs[0].Incident != nil || len(jobs[0].Alerts) != 0 {
		t.Errorf("claimed %+v, %v", jobs, err)
	}
}

// A receiver that takes nothing, to which more is owed than is claimed at once, does
// not stand before the others.
func TestABusyReceiverStandsBeforeNobody(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	d := newDesk(t, s, nil, func() time.Time { return night })
	n := take(t, d, outcome(1)).Notices[0]
	if err := s.Route(t.Context(), n.ID, []string{"oncall/busy", "oncall/well"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		busy []string
		want []string
	}{{nil, []string{"oncall/busy", "oncall/well"}}, {[]string{"oncall/busy"}, []string{"oncall/well"}}, {[]string{"oncall/busy", "oncall/well"}, nil}} {
		jobs, err := s.Claim(t.Context(), night.Add(time.Hour), 10, c.busy...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, j := range jobs {
			got = append(got, j.Receiver)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("busy %v: claimed for %v", c.busy, got)
		}
	}
}

// Many that settle at once are each recorded once; one that cannot be takes none with it.
func TestManySettleAtOnce(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	d := newDesk(t, s, nil, func() time.Time { return night })
	n := take(t, d, outcome(1)).Notices[0]
	const many = 200
	var names []string
	for i := range many {
		names = append(names, fmt.Sprintf("oncall/%03d", i))
	}
	if err := s.Route(t.Context(), n.ID, names); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for i := range many + 20 {
		work.Go(func() {
			st := notify.Settlement{Status: glassward.Delivered, Attempt: glassward.Attempt{Notice: n.ID, Receiver: fmt.Sprintf("oncall/%03d", i), Number: 1, At: night, OK: true}}
			err := s.Settle(t.Context(), st)
			if i < many && err != nil || i >= many && !errors.Is(err, ErrNotFound) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	work.Wait()
	list, err := s.Deliveries(t.Context(), n.Tenant, n.Incident)
	if err != nil || len(list) != many {
		t.Fatalf("%d deliveries, %v", len(list), err)
	}
	for _, x := range list {
		if x.Status != glassward.Delivered || len(x.Log) != 1 {
			t.Errorf("%+v", x)
		}
	}
	if _, err := s.Verify(t.Context(), Mark{}, 1_000_000); err != nil {
		t.Error(err)
	}
}
