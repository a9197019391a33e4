package cloud

import (
	"testing"
	"time"
)

func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		"createdDateTime ge 2026-11-20T10:00:00Z and (userId eq 'a' or userId eq 'b''c')",
		"signInEventTypes/any(t: t eq 'servicePrincipal')", "not (startsWith(displayName,'A'))", "x eq -1.5e3 and y eq null", "(((", "a/any(b:b/any(c:c eq 1))",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseFilter(s)
		if err != nil {
			return
		}
		_ = judgeLambdas(n, false)
		from, to := n.span("createdDateTime", time.Time{}, time.Now())
		_, _ = from, to
		n.match(func(string) any { return []any{"a", nil, true, 1.5, time.Time{}} })
		n.match(func(string) any { return nil })
	})
}

func FuzzQuery(f *testing.F) {
	f.Add("SigninLogs\n| where ingestion_time() >= datetime(2026-11-20T10:00:00Z) and ingestion_time() < datetime(2026-11-20T11:00:00Z)\n| order by ingestion_time() asc")
	f.Add(`AuditLogs | where Result in ("a", 'b') and Id == "|" | take 5 | count`)
	f.Add("T | where ingestion_time() > datetime(")
	f.Fuzz(func(t *testing.T, s string) {
		q, fault := parseQuery(s)
		if fault == nil && q.table == "" {
			t.Errorf("%q is a query of no table", s)
		}
	})
}

func FuzzHandshake(f *testing.F) {
	f.Add([]byte("\x00\x11\x00\x01\x00\x00\x00\x01\x00\x01c\x00\x05PLAIN"))
	f.Add([]byte("\x00\x24\x00\x02\x00\x00\x00\x02\x00\x01c\x00\x05abcd\x00"))
	f.Add([]byte("\x00\x12\x00\x03\x00\x00\x00\x03\xff\xff"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		h := &hubs{key: "k", mu: make(turn, 1)}
		s := &session{h: h, mechanism: "PLAIN"}
		if _, pass, _ := s.take(frame); pass && (len(frame) < 2 || frame[0] != 0 || frame[1] != 18) {
			t.Errorf("a request of somebody unknown was passed on: %x", frame)
		}
		if s.known {
			t.Errorf("%x opened the hub", frame)
		}
	})
}
