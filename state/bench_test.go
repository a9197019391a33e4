package state

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"glassward"
	"glassward/incident"
	"glassward/notify"
)

// report gives the median, the 99th percentile and the maximum.
func report(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
	b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(ms(took[len(took)-1]), "max-ms")
}

// BenchmarkCommitB measures transaction B: one new alert with its record, the
// change of an incident and one notice, durable. A new incident begins every
// 150 alerts, so that the incident has the size that it has in a bad night.
func BenchmarkCommitB(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{})
	d := newDesk(b, s, rawRecords{}, time.Now)
	var took []time.Duration
	for n := 0; b.Loop(); n++ {
		o := outcome(n)
		a := &o.Alerts[0].Alert
		a.Start = night.Add(time.Duration(n) * time.Second)
		a.End = a.Start
		a.Records = []glassward.RecordID{{0: byte(n >> 16), 1: byte(n >> 8), 2: byte(n)}}
		a.ID = incident.AlertID("contoso", "ea-signin", "", fmt.Sprint(n))
		a.Entities[1].Identifiers["Address"] = fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)
		start := time.Now()
		c := take(b, d, o)
		took = append(took, time.Since(start))
		if len(c.Notices) == 0 { // the eleventh in a minute brings the word of a storm too
			b.Fatal("no notice")
		}
	}
	report(b, took)
}

// BenchmarkSameAgain measures an outcome that changes nothing but the
// watermark.
func BenchmarkSameAgain(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{})
	d := newDesk(b, s, nil, time.Now)
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		take(b, d, outcome(1))
		took = append(took, time.Since(start))
	}
	report(b, took)
}

// BenchmarkCommitC measures transaction C: an attempt recorded and its delivery
// moved, durable.
func BenchmarkCommitC(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{})
	n := take(b, newDesk(b, s, nil, time.Now), outcome(1)).Notices[0]
	if err := s.Route(b.Context(), n.ID, []string{"oncall/mail"}); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for i := 1; b.Loop(); i++ {
		start := time.Now()
		err := s.Settle(b.Context(), notify.Settlement{
			Attempt: glassward.Attempt{Notice: n.ID, Receiver: "oncall/mail", Number: i, At: start, Answer: "451 later"},
			Status:  glassward.Pending, Next: start.Add(time.Minute),
		})
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	report(b, took)
}

func BenchmarkCheckToken(b *testing.B) {
	s := openStore(b, b.TempDir(), Options{})
	secret, err := s.CreateToken(b.Context(), Token{Name: "t", Tenant: AllTenants, Scopes: []Scope{ScopeQuery}, Expires: time.Now().Add(time.Hour)}, "nora")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.CheckToken(b.Context(), secret); err != nil {
			b.Fatal(err)
		}
	}
}
