package cloud_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"glassward/internal/entrasim"
)

func TestAPageFailsAsLongAsARecordStandsOnIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, unlimited)
		defer b.c.Close()
		time.Sleep(10 * time.Hour)
		b.tokens[b.e.Graph] = accessToken(t, b.hc, b.e, b.w, b.e.Graph)
		list := b.e.Graph + "/v1.0/auditLogs/directoryAudits"
		var bad *entrasim.Event
		for _, a := range b.w.Appearances(entrasim.Graph, time.Time{}, time.Now()) {
			if a.Event.Kind == entrasim.DirectoryAudit {
				bad = a.Event
			}
		}
		if bad == nil {
			t.Fatal("the world has no audit")
		}
		b.c.Faults().Poison(bad.ID, true)
		for range 3 {
			if status, _, _, _ := b.ask(request{url: list}); status != http.StatusInternalServerError {
				t.Errorf("the page is answered with %d", status)
			}
		}
		// Everything before it can be had.
		if status, _, _, _ := b.ask(request{url: list + "?$filter=activityDateTime lt " + bad.At.UTC().Format("2006-01-02T15:04:05.9999999Z")}); status != http.StatusOK {
			t.Errorf("a page without it is answered with %d", status)
		}
		b.c.Faults().Poison(bad.ID, false)
		if status, _, _, _ := b.ask(request{url: list}); status != http.StatusOK {
			t.Errorf("the page is answered with %d when it is good again", status)
		}
	})
}

func TestTenantsAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, unlimited)
		defer b.c.Close()
		time.Sleep(10 * time.Hour)
		first := "/v1.0/auditLogs/signIns?$top=20"
		b.o.Grant(entrasim.GlasswardApp, "AuditLog.Read.All")
		seen := map[string]bool{}
		for _, w := range []*entrasim.World{b.w, b.o} {
			b.tokens[b.e.Graph] = accessToken(t, b.hc, b.e, w, b.e.Graph)
			ids, _ := b.pages(b.e.Graph + first)
			if len(ids) == 0 {
				t.Error("a tenant has no sign-ins")
			}
			for id := range ids {
				if seen[id] {
					t.Errorf("%s is shown to both tenants", id)
				}
				seen[id] = true
			}
		}
		// One tenant's outage is not the other's.
		end := b.c.Faults().Outage("graph", b.w.Tenant().ID)
		defer end()
		if status, _, _, _ := b.ask(request{url: b.e.Graph + first}); status != http.StatusOK {
			t.Errorf("the other tenant is answered with %d", status)
		}
	})
}
