package lag_test

import (
	"testing"
	"time"

	"glassward/lag"
)

// What a leg took is told by source and receiver, with the worst, also after a restart.
func TestLegs(t *testing.T) {
	at := time.Date(2026, 11, 16, 8, 0, 0, 0, time.UTC)
	var l lag.Legs
	for i := range 100 {
		l.Took("t", lag.EventToReceipt, "graph", time.Duration(i+1)*time.Second, 1, at)
	}
	l.Took("", lag.AlertToDelivery, "emergency/mail", 300*time.Millisecond, 1, at)
	l.Took("", lag.AlertToDelivery, "emergency/mail", -time.Hour, 1, at)
	l.Took("gone", lag.EventToReceipt, "graph", time.Second, 1, at)
	text, changed := l.Memory(at)
	if _, again := l.Memory(at); !changed || again {
		t.Errorf("changed %v, then %v", changed, again)
	}
	var back lag.Legs
	if err := back.Restore(text, func(tenant string) bool { return tenant == "t" }); err != nil {
		t.Fatal(err)
	}
	list := back.List(at)
	if len(list) != 2 {
		t.Fatalf("%+v", list)
	}
	mail, graph := list[0], list[1]
	if mail.Of != "emergency/mail" || mail.Worst != 300*time.Millisecond || mail.P99 > mail.Worst || mail.N != 2 {
		t.Errorf("%+v", mail)
	}
	near := func(got, want time.Duration) bool { return (got - want).Abs() <= want/8 }
	if !near(graph.P50, 50*time.Second) || !near(graph.P95, 95*time.Second) || !near(graph.P99, 99*time.Second) || graph.Worst != 100*time.Second || !graph.WorstAt.Equal(at) {
		t.Errorf("%+v", graph)
	}
	// What is long ago counts for nothing, the worst neither.
	later := at
	for range 100 {
		later = later.Add(25 * time.Hour)
		back.List(later)
	}
	if list := back.List(later); len(list) != 0 && list[0].N > 0.1 {
		t.Errorf("%+v", list)
	}
	if back.Restore([]byte("{"), nil) == nil {
		t.Error("what is damaged is taken")
	}
}
