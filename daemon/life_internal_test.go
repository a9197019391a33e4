package daemon

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"glassward"
	"glassward/lag"
	"glassward/notify"
)

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

// The weekly word, as people read it.
func TestTheWeeklyWord(t *testing.T) {
	well := life{
		Name: "contoso", Since: at("2026-11-17 08:00"), Now: at("2026-11-24 08:00"), Records: 120345, Newest: at("2026-11-24 07:58"),
		Roads: []RoadStatus{
			{Road: "graph", Table: "SigninLogs", State: lag.Fresh, Learned: true, P50: 131.2, P99: 702},
			{Road: "graph", Table: "AuditLogs", State: lag.Warming},
		},
		Way:   []WayStatus{{Step: "judged → told", P50: 0.21, P99: 1.5}, {Step: "event → told", P50: 135, P99: 703}, {Step: "event → received", P50: 1}},
		Rules: []RuleStatus{{Name: "A", Enabled: true}, {Name: "B", Enabled: true}, {Name: "C"}}, Opened: 3, Open: 1,
		Receivers: []receiverLife{{Proof: notify.Proof{Receiver: "oncall/kim-sms", Since: at("2026-10-01 08:00"), Proven: at("2026-11-20 10:00"), By: "Kim"}}},
	}
	title, text := well.words()
	if title != "contoso is watched" {
		t.Error(title)
	}
	if d := cmp.Diff(`Records: 120345 since 2026-11-17; the newest came 2m ago.
Road graph, SigninLogs: fresh, records come 2m11s after the event, the slowest of a hundred 11m42s.
Road graph, AuditLogs: warming.
From judged → told: 210ms, the slowest of a hundred 1.5s.
From event → told: 2m15s, the slowest of a hundred 11m43s.
Rules: 2 run, 0 failing.
Incidents: 3 since 2026-11-17, 1 open, 0 waiting for somebody to take them up.
Receiver oncall/kim-sms: proven by Kim on 2026-11-20.`, text); d != "" {
		t.Error(d)
	}
	ill := life{
		Name: "contoso", Since: at("2026-11-17 08:00"), Now: at("2026-11-24 08:00"), Newest: at("2026-11-12 07:58"),
		Roads: []RoadStatus{{Road: "graph", Table: "SigninLogs", State: lag.Silent, Since: at("2026-11-12 08:00")}},
		Rules: []RuleStatus{{Name: "A", Enabled: true, Error: "no such table", Since: at("2026-11-20 08:00")}}, Opened: 2, Open: 2, Calling: 2,
		Receivers: []receiverLife{
			{Proof: notify.Proof{Receiver: "oncall/mail", Since: at("2026-11-20 08:00")}, FailingSince: at("2026-11-23 08:00")},
			{Proof: notify.Proof{Receiver: "oncall/kim-sms", Since: at("2026-10-01 08:00"), Proven: at("2026-10-02 10:00"), By: "Kim"}},
		},
	}
	title, text = ill.words()
	if title != "contoso is watched, but no record came, 1 road is not well, 1 rule fails, oncall/mail fails, 2 receivers are not proven" {
		t.Error(title)
	}
	if d := cmp.Diff(`Records: 0 since 2026-11-17; the newest came 12 days ago.
Road graph, SigninLogs: SILENT since 2026-11-12.
Rule A FAILS since 2026-11-20.
Rules: 1 runs, 1 failing.
Incidents: 2 since 2026-11-17, 2 open, 2 waiting for somebody to take them up.
Receiver oncall/mail: never proven: glassward notify prove oncall, and FAILS since 2026-11-23.
Receiver oncall/kim-sms: proven by Kim on 2026-10-02: glassward notify prove oncall.`, text); d != "" {
		t.Error(d)
	}
	title, text = life{Name: "contoso", Since: at("2026-11-17 08:00"), Now: at("2026-11-24 08:00"), Records: -1, Fault: "the store is damaged."}.words()
	if title != "contoso is NOT WATCHED" || !strings.HasPrefix(text, "NOT WATCHED: the store is damaged.\nRecords: none has come yet.\n") {
		t.Errorf("%s\n%s", title, text)
	}
}

// It comes once a week, whatever is started and stopped in between, and after a
// halt it comes late and not twice.
func TestTheWeeklyWordComesOnce(t *testing.T) {
	k := newTestDesk(t)
	told := map[glassward.NoticeID]bool{}
	look := func(now string, want int) {
		t.Helper()
		k.ahead.Store(int64(at(now).Sub(testStart)))
		for range 3 {
			for _, tenant := range k.tenants() {
				if err := k.sayAlive(t.Context(), tenant); err != nil {
					t.Fatal(err)
				}
			}
		}
		list, err := k.state.Notices(t.Context(), testTenant, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		list = slices.DeleteFunc(list, func(n glassward.Notice) bool { return n.Kind != "alive" || told[n.ID] })
		for _, n := range list {
			told[n.ID] = true
			if !strings.HasPrefix(n.Subject, "t is watched, but no record came") || !strings.Contains(n.Text, "Receiver oncall/anna-sms: never proven") {
				t.Errorf("%+v", n)
			}
		}
		if len(list) != want {
			t.Errorf("at %s: %d notices, want %d", now, len(list), want)
		}
	}
	look("2026-11-20 09:00", 0) // a Friday: the first begins the week
	look("2026-11-24 07:59", 0)
	look("2026-11-24 08:00", 2) // to oncall and to chat
	look("2026-11-24 08:01", 0)
	look("2026-11-30 23:00", 0)
	look("2026-12-03 12:00", 2) // nothing ran on the Tuesday
	look("2026-12-08 08:00", 2)
	look("2026-12-01 08:00", 0) // the clock is set back
	look("2026-12-15 09:00", 2)
	// A damaged or lost memory begins anew, and says nothing twice.
	if err := k.state.PutMemory(t.Context(), testTenant+"/alive", []byte("{")); err != nil {
		t.Fatal(err)
	}
	look("2026-12-16 09:00", 0)
	look("2026-12-22 09:00", 2)
}
